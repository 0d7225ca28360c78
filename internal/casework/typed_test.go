package casework

import (
	"strings"
	"testing"

	"caseforms"
	"caseforms/render"
)

// What is typed beside a form has no letters that cannot be printed faithfully, as in the case record, and an end.
func TestTypedBesideForms(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ref := o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple"), Outputs: []Output{{Format: render.FormatText}}}).Ref
	a := o.as("petra")
	note := func(text, with string) error {
		_, err := o.Note(o.ctx, a, Note{Ref: ref, Kind: "call", Text: text, With: with})
		return err
	}
	hand := func(to, with, text string) error {
		_, err := o.HandOver(o.ctx, a, HandOver{Ref: ref, Channel: ByHand, To: to, With: with, Note: text})
		return err
	}
	answer := func(from, text string) error {
		_, err := o.Answer(o.ctx, a, Answer{Ref: ref, Kind: "assessment", From: from, Note: text})
		return err
	}
	o.must(hand("MASH", "Ann O\u2019Neil", "two lines\r\nand a\ttab"))
	before := len(o.acts(ref))
	for bad, words := range map[string]string{
		"a\x00b": "U+0000", "a\x01b": "U+0001", "a\u0085b": "U+0085", "a\u202eb": "U+202E", "a\u2066b": "U+2066", "a\xffb": "UTF-8", strings.Repeat("\u00e9", mostNote+1): "10001 letters",
	} {
		for _, err := range []error{note(bad, ""), note("x", bad), hand(bad, "", ""), hand("x", bad, ""), hand("x", "", bad), answer(bad, ""), answer("x", bad)} {
			refused(t, err, caseforms.Invalid, words)
		}
	}
	refused(t, note("x", strings.Repeat("n", mostName+1)), caseforms.Invalid, "at most 500")
	if n := len(o.acts(ref)); n != before {
		t.Errorf("%d acts where %d were", n, before)
	}
	o.must(note(strings.Repeat("\u00e9", mostNote), strings.Repeat("n", mostName)))
}
