package render

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"

	"caseforms"
)

const (
	// leastPassword is short for a secret that can be guessed at without anybody noticing; the hint asks for more.
	leastPassword = 8
	// mostPassword is what a PDF can take (ISO 32000-2, Algorithm 2.A); the standard cuts off the rest in silence, we refuse. In UTF-16 it is
	// also less than the 255 characters of a workbook's password ([MS-OFFCRYPTO] 2.3.4.11).
	mostPassword = 127
)

// Check tells whether a file of the format can be written with the options. Write asks it first; whoever wants to know before the
// document is filled may ask it as well. No error holds the password.
func (o Options) Check(f Format) error {
	_, err := o.password(f)
	return err
}

// password is the prepared password when the file is to be sealed, else empty.
func (o Options) password(f Format) (string, error) {
	invalid := func(msg, hint string) error { return &caseforms.Error{Kind: caseforms.Invalid, Msg: msg, Hint: hint} }
	switch o.Profile {
	case "", ProfileArchive, ProfileReply:
		if o.Profile == ProfileReply && f != FormatPDF {
			return "", invalid("only a PDF can be filled in by the recipient", "write it as pdf, or leave the profile reply out")
		}
		if o.Password != "" {
			return "", invalid("a password goes with the profile secure only", "choose the profile secure, or leave the password out")
		}
		return "", nil
	case ProfileSecure:
	default:
		return "", invalid("there is no profile of this name", "archive, reply or secure")
	}
	if f != FormatPDF && f != FormatWorkbook {
		return "", invalid("a file of the format "+string(f)+" cannot be sealed with a password", "write it as pdf or xlsx, or leave the profile secure out")
	}
	if o.Password == "" {
		return "", invalid("the profile secure needs a password", passwordHint)
	}
	p, msg := preparePassword(o.Password)
	if msg != "" {
		return "", invalid("the password "+msg, passwordHint)
	}
	return p, nil
}

const passwordHint = "three random words with hyphens between them are long enough and easy to say on the telephone"

// preparePassword gives the password as all programs write it: SASLprep (RFC 4013) with its normal form and its rule for text from right
// to left, which ISO 32000-2, Algorithm 2.A asks for. Else it says what is wrong.
//
// It is stricter, because spreadsheets and most PDF readers do not prepare what is typed: what SASLprep would change (² into 2) or leave out
// is refused, so that no password opens a file in one program and not in the next. Spaces are refused, because the parser that reads returned
// forms takes none.
func preparePassword(s string) (prepared, wrong string) {
	if !utf8.ValidString(s) {
		return "", "is not UTF-8 text"
	}
	s = strings.TrimPrefix(s, "\ufeff") // a byte order mark at the start of a password file
	p := norm.NFKC.String(s)
	switch {
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Zs, r) }):
		return "", "has a space, which not every program takes"
	case strings.ContainsFunc(s, mappedToNothing):
		return "", "has a character that cannot be seen"
	case p != norm.NFC.String(s):
		return "", "has a letter that programs read differently, such as a superscript or a ligature"
	}
	var right, left bool
	for _, r := range p {
		switch {
		case unicode.IsControl(r):
			return "", "has a control character, such as a tabulator"
		case prohibited(r):
			return "", "has a character that cannot be typed everywhere"
		}
		switch class(r) {
		case bidi.R, bidi.AL:
			right = true
		case bidi.L:
			left = true
		}
	}
	first, _ := utf8.DecodeRuneInString(p)
	last, _ := utf8.DecodeLastRuneInString(p)
	if right && (left || !fromRight(first) || !fromRight(last)) { // RFC 3454, 6
		return "", "mixes letters written from right to left with others"
	}
	switch {
	case utf8.RuneCountInString(p) < leastPassword:
		return "", "is too short: it needs at least 8 characters"
	case len(p) > mostPassword:
		return "", "is too long: it may have 127 bytes at most"
	}
	return p, ""
}

func class(r rune) bidi.Class {
	p, _ := bidi.LookupRune(r)
	return p.Class()
}

func fromRight(r rune) bool { c := class(r); return c == bidi.R || c == bidi.AL }

// mappedToNothing: RFC 3454, B.1. SASLprep would leave these out, readers that do not prepare what is typed would not.
func mappedToNothing(r rune) bool {
	switch {
	case r == 0xad, r == 0x34f, r == 0x1806, 0x180b <= r && r <= 0x180d, r == 0x200c, r == 0x200d, r == 0x2060, 0xfe00 <= r && r <= 0xfe0f, r == 0xfeff:
		return true
	}
	return false
}

// prohibited: RFC 3454, C.3 to C.9, and what no version of Unicode known here assigns.
func prohibited(r rune) bool {
	switch {
	case 0xfff9 <= r && r <= 0xfffd, 0x2ff0 <= r && r <= 0x2ffb, r == 0x2028, r == 0x2029, 0xe0000 <= r && r <= 0xe007f:
		return true
	}
	// Private use, marks of direction and the like; also U+200B, which the RFC maps to a space in one place and to nothing in another.
	return !unicode.IsGraphic(r) || unicode.In(r, unicode.Cf, unicode.Co)
}
