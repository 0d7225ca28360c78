package web

import (
	"testing"

	"caseforms/templates"
)

// No answer of a sample has to be scrolled: a text of a sentence or two has lines, by what the definition says of it. The reasons why there is
// no answer have them too.
func TestFormsLines(t *testing.T) {
	t.Parallel()
	defs, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, f := range defs.Forms {
		h := formHouse(t)
		v := h.signedIn("petra")
		areas := 0
		for _, sample := range []string{"01-simple", "02-full", "07-level-3"} {
			d := h.draft("petra", f.ID, sampleCases(t)[sample])
			for _, p := range v.pagesOf(d.ID) {
				for _, n := range v.open(p).inputs {
					name := val(n, "name")
					if n.Data == "textarea" {
						areas++
					}
					if n.Data == "input" && val(n, "type") == "text" && len(val(n, "value")) > 60 && !told[name] {
						told[name] = true
						t.Errorf("%s: %s has %d letters on one line", f.ID, name, len(val(n, "value")))
					}
				}
			}
		}
		if areas == 0 {
			t.Errorf("%s has no answer of several lines", f.ID)
		}
	}
	h := formHouse(t)
	d := h.draft("petra", "cp1", []byte(simple))
	s := h.signedIn("petra").open(part(d, "referral"))
	rows := map[string]string{}
	for _, n := range s.inputs {
		rows[val(n, "name")] = n.Data + val(n, "rows")
	}
	if rows["forms.cp1.why_now"] != "textarea2" || rows["forms.cp1.refer_time-why"] != "textarea2" || rows["forms.cp1.refer_time"] != "input" {
		t.Error(rows)
	}
}
