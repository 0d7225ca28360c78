// Package intake reads what others hand us, and trusts none of it. It hides file formats and what can be wrong with them; its callers
// get proposals that a person takes or leaves, or one of a few reasons why there are none.
//
// A returned PDF is parsed in a process of its own, because no parser of that format can be trusted with a hostile file: the program
// starts itself once more (see [ChildArg]), and that process may use so much memory and time and no more. What it answers is checked
// again. Scripts, actions, attachments and XFA are never looked at.
//
// Whatever the bytes are, a call ends within [Reader.Time] with a result or an error, and the memory of the calling process stays small.
// No error holds anything that stood in a file.
package intake

import (
	"fmt"

	"caseforms"
)

// Limits of a returned PDF. A filled form of ours has some ten fields and a few hundred kilobytes.
const (
	MaxPDFBytes   = 20 << 20
	MaxTextLength = 20_000 // of one answer, in characters
)

// Reason is why nothing can be proposed from a file. It is found in an error with errors.Is or errors.As, and worded to follow "the
// returned file cannot be used:".
type Reason string

const (
	NotPDF       Reason = "it is not a PDF"
	Damaged      Reason = "it is damaged"
	Encrypted    Reason = "it is encrypted and needs a password"
	BadPassword  Reason = "it is encrypted, and this password does not open it"
	Sealed       Reason = "it is encrypted in a way that cannot be read here"
	NoForm       Reason = "it holds no form of ours that can be answered"
	SeveralForms Reason = "it holds several forms of ours"
	Empty        Reason = "it is our form, and nothing is filled in"
	TooLarge     Reason = "it is too large"
	TooComplex   Reason = "it is too complex"
	TooSlow      Reason = "reading it took too long"
)

func (r Reason) Error() string { return string(r) }

var hints = map[Reason]string{
	NotPDF:       "if it is a scan or another kind of document, read it and enter the answers by hand",
	Damaged:      "ask for it to be sent again, or open it and enter the answers by hand",
	Encrypted:    "give the password it was sent with",
	BadPassword:  "give the password it was sent with",
	Sealed:       "ask for a copy without a password, or with one that has no spaces in it",
	NoForm:       "it may have been printed and scanned, or saved without its fields; read it and enter the answers by hand",
	SeveralForms: "ask for each by itself, or enter the answers by hand",
	Empty:        "the answers may be in the message itself, or were not saved; some programs print them without saving",
	TooLarge:     fmt.Sprintf("a returned form has at most %d MB", MaxPDFBytes>>20),
	TooComplex:   "no program that only fills in our form makes such a file; do not open it without advice",
	TooSlow:      "try once more; if it stays so, do not open it without advice",
}

func refuse(r Reason) error {
	return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the returned file cannot be used", Hint: hints[r], Err: r}
}
