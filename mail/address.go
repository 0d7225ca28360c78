package mail

import (
	"encoding/base32"
	"io"
	"regexp"
	"strings"

	"caseforms"
)

// Address is an e-mail address that [ParseAddress] found right. Its domain is in small letters.
type Address string

// Sizes of RFC 5321, 4.5.3.1. The whole is two shorter than a path, which has angle brackets.
const (
	maxLocal   = 64
	maxAddress = 254
	maxLabel   = 63
)

var (
	localRule = regexp.MustCompile("^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+$")
	labelRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	topRule   = regexp.MustCompile(`^([a-z]{2,63}|xn--[a-z0-9]([a-z0-9-]*[a-z0-9])?)$`)
	unseen    = strings.NewReplacer("\u00a0", "", "\u200b", "", "\u200c", "", "\u200d", "", "\u2060", "", "\ufeff", "", "\u00ad", "", "\u180e", "")
)

// ParseAddress reads an address as people type or paste it: what cannot be seen is taken out, then it must be right by the rules of D.7
// (those of GOV.UK Notify), with ASCII letters alone. Addresses of hosts and quoted names are refused: no agency has one.
// The error does not repeat what was typed.
func ParseAddress(s string) (Address, error) {
	s = strings.TrimSpace(unseen.Replace(s))
	local, domain, at := strings.Cut(s, "@")
	bad := func(msg string) (Address, error) {
		return "", &caseforms.Error{Kind: caseforms.Invalid, Op: "address", Msg: msg, Hint: "write it as name@organisation.gov.uk, without a name before it"}
	}
	switch {
	case s == "":
		return bad("no e-mail address was given")
	case !at || strings.Contains(domain, "@"):
		return bad("an e-mail address has exactly one @")
	case len(s) > maxAddress || len(local) > maxLocal:
		return bad("the e-mail address is too long to be sent to")
	case !localRule.MatchString(local):
		return bad("the e-mail address has a letter or sign before the @ that cannot be sent to")
	case strings.Contains(s, "..") || strings.HasPrefix(local, ".") || strings.HasSuffix(local, "."):
		return bad("the e-mail address has a dot that belongs to nothing")
	}
	domain, err := ParseDomain(domain)
	if err != nil {
		return "", err
	}
	return Address(local + "@" + domain), nil
}

// ParseDomain reads the domain of an address and gives it in small letters. One with other letters than ASCII must be in the form that
// DNS has (RFC 5890), such as xn--cardydd-0ua.cymru.
func ParseDomain(s string) (string, error) {
	s = strings.ToLower(s)
	labels := strings.Split(s, ".")
	ok := len(labels) > 1 && len(s) <= maxAddress && topRule.MatchString(labels[len(labels)-1])
	for _, l := range labels {
		ok = ok && len(l) <= maxLabel && labelRule.MatchString(l)
	}
	if !ok {
		return "", &caseforms.Error{Kind: caseforms.Invalid, Op: "address", Msg: "what stands behind the @ is not the name of a domain", Hint: "write it as organisation.gov.uk"}
	}
	return s, nil
}

// Domain is what stands behind the @.
func (a Address) Domain() string { return string(a[strings.LastIndexByte(string(a), '@')+1:]) }

func (a Address) local() string { return string(a[:max(0, strings.LastIndexByte(string(a), '@'))]) }

// Same tells whether two addresses are of one mailbox. Capitals before the @ could make a difference (RFC 5321, 2.4) and never do.
func (a Address) Same(b Address) bool { return strings.EqualFold(string(a), string(b)) }

// Token is the secret that ties what comes back to what was sent. It stands behind a plus in the addresses that are answered to, in small
// letters and digits, because some programs fold addresses. It is random and says nothing of the case.
type Token string

var tokenLetters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// tokenBytes is how much of a token must be guessed: 80 bits, in 16 letters.
const tokenBytes = 10

var tokenRule = regexp.MustCompile(`^[a-z2-7]{16}$`)

// NewToken draws a token from rand.
func NewToken(rand io.Reader) (Token, error) {
	var b [tokenBytes]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", &caseforms.Error{Kind: caseforms.Internal, Op: "address", Msg: "the source of random numbers failed", Err: err}
	}
	return Token(tokenLetters.EncodeToString(b[:])), nil
}

// Tagged is our mailbox with a token: safeguarding+k3…@probation.example (RFC 5233 calls it a subaddress).
func (a Address) Tagged(t Token) Address {
	return Address(a.local() + "+" + string(t) + "@" + a.Domain())
}

// Tag is the token in an address of our mailbox, whatever has become of its capitals; none when the address is another's or has none.
func (a Address) Tag(mailbox Address) (Token, bool) {
	name, tag, plus := strings.Cut(strings.ToLower(a.local()), "+")
	if !plus || !strings.EqualFold(name, mailbox.local()) || !strings.EqualFold(a.Domain(), mailbox.Domain()) || !tokenRule.MatchString(tag) {
		return "", false
	}
	return Token(tag), true
}
