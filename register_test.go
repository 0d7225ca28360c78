package caseforms_test

import (
	"strings"
	"testing"

	"caseforms"
	"caseforms/templates"
)

// Every form has a register, and the words in it say which answer is meant without the section around it.
func TestEveryFormHasARegister(t *testing.T) {
	t.Parallel()
	for _, area := range append(templates.Areas(), "") {
		d, err := templates.Load(area)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range d.Forms {
			r, err := d.CaseRegister(f)
			if err != nil {
				t.Errorf("%s: %v", f.ID, err)
				continue
			}
			if r.Form != f.ID || r.Version != f.Version || r.Definition != f.Hash || r.Marking != f.Marking {
				t.Errorf("%s: the register is not of this version: %+v", f.ID, r)
			}
			seen := map[string]bool{}
			for _, c := range r.Columns {
				if c.Label == "" || strings.HasSuffix(c.Label, ":") || seen[c.Label] {
					t.Errorf("%s: the column %s is headed %q", f.ID, c.Key, c.Label)
				}
				seen[c.Label] = true
			}
			for _, c := range r.Totals {
				if c.Title == "" || c.Of < 0 || c.By >= 0 && r.Columns[c.By].Options == nil {
					t.Errorf("%s: total %+v", f.ID, c)
				}
			}
		}
	}
}

func TestAFormWithoutARegisterSaysSo(t *testing.T) {
	t.Parallel()
	_, err := (&caseforms.Definitions{}).CaseRegister(&caseforms.Form{ID: "visit", File: "forms/visit/1.yaml"})
	if e, ok := err.(*caseforms.Error); !ok || e.Kind != caseforms.Invalid || !strings.Contains(e.Hint, "forms/visit/1.yaml") {
		t.Errorf("told %v", err)
	}
}
