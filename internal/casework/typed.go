package casework

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"caseforms"

	"golang.org/x/text/unicode/norm"
)

// The most letters of what somebody types beside a form.
const (
	mostNote = 10_000
	mostName = 500
)

// typed is something that somebody typed, and what it is called when it cannot be taken.
type typed struct {
	text *string
	what string
	most int
}

// tidied brings what was typed to the form in which a case record has text, and refuses what that refuses.
func tidied(all ...typed) error {
	for _, t := range all {
		s := strings.TrimSpace(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(*t.text))
		msg, hint := caseforms.Unprintable(s)
		switch n := utf8.RuneCountInString(s); {
		case !utf8.ValidString(s):
			msg, hint = "is not UTF-8 text", "type it again"
		case n > t.most:
			msg, hint = fmt.Sprintf("has %d letters, and at most %d can be kept", n, t.most), "say the most important thing"
		}
		if msg != "" {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: t.what + " " + msg, Hint: hint}
		}
		*t.text = norm.NFC.String(s)
	}
	return nil
}
