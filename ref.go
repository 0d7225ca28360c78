package caseforms

import (
	"crypto/rand"
	"io"
	"strings"
)

// Ref is the reference of an issued document, such as CF-7K3M-Q9ZQ. It is random and says nothing about the case: it may stand in
// subjects, file names and on every page. The last letter checks the others.
type Ref string

// CaseID is the store's own name of a case, such as CS-7K3M-Q9ZQ, made as a [Ref] is. It is not a CRN.
type CaseID string

// DraftID is the name of a draft, such as DR-7K3M-Q9ZQ.
type DraftID string

const (
	refPrefix   = "CF"
	casePrefix  = "CS"
	draftPrefix = "DR"
)

// crockford are the digits of Crockford's base 32: no I, L, O or U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewRef makes a reference from r, which is crypto/rand.Reader when nil.
func NewRef(r io.Reader) (Ref, error) { s, err := newCode(refPrefix, r); return Ref(s), err }

// NewCaseID makes the name of a case.
func NewCaseID(r io.Reader) (CaseID, error) { s, err := newCode(casePrefix, r); return CaseID(s), err }

// NewDraftID makes the name of a draft.
func NewDraftID(r io.Reader) (DraftID, error) {
	s, err := newCode(draftPrefix, r)
	return DraftID(s), err
}

// ParseRef reads a reference as people type it: in small letters, without hyphens, with O for 0 and I or L for 1.
func ParseRef(s string) (Ref, bool) { c, ok := parseCode(refPrefix, s); return Ref(c), ok }

// ParseCaseID reads the name of a case as people type it.
func ParseCaseID(s string) (CaseID, bool) { c, ok := parseCode(casePrefix, s); return CaseID(c), ok }

// ParseDraftID reads the name of a draft as people type it.
func ParseDraftID(s string) (DraftID, bool) {
	c, ok := parseCode(draftPrefix, s)
	return DraftID(c), ok
}

// newCode draws seven random letters (35 bits) whose check, the number modulo 37, happens to be one of the 32 letters too. Modulo 37, a
// prime, every single wrong letter and every swap of neighbours changes the check.
func newCode(prefix string, r io.Reader) (string, error) {
	if r == nil {
		r = rand.Reader
	}
	for {
		var b [5]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return "", err
		}
		n := (uint64(b[0])<<32 | uint64(b[1])<<24 | uint64(b[2])<<16 | uint64(b[3])<<8 | uint64(b[4])) >> 5
		check := n % 37
		if check >= 32 {
			continue
		}
		s := make([]byte, 8)
		s[7] = crockford[check]
		for i := 6; i >= 0; i-- {
			s[i] = crockford[n%32]
			n /= 32
		}
		return prefix + "-" + string(s[:4]) + "-" + string(s[4:]), nil
	}
}

func parseCode(prefix, s string) (string, bool) {
	s = strings.ToUpper(strings.Map(func(r rune) rune {
		switch {
		case r == '-' || r == ' ' || r == '\u2010' || r == '\u2011' || r == '\u2013':
			return -1
		}
		return r
	}, s))
	s, ok := strings.CutPrefix(s, prefix)
	if !ok || len(s) != 8 {
		return "", false
	}
	s = strings.NewReplacer("O", "0", "I", "1", "L", "1").Replace(s)
	var n uint64
	for i := range 7 {
		d := strings.IndexByte(crockford, s[i])
		if d < 0 {
			return "", false
		}
		n = n*32 + uint64(d)
	}
	if d := strings.IndexByte(crockford, s[7]); d < 0 || uint64(d) != n%37 {
		return "", false
	}
	return prefix + "-" + s[:4] + "-" + s[4:], true
}
