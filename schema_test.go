package caseforms_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"caseforms"
	"caseforms/templates"
)

func area(t testing.TB, name string) *caseforms.Definitions {
	t.Helper()
	d, err := templates.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func compile(t *testing.T, d *caseforms.Definitions, f *caseforms.Form) *jsonschema.Schema {
	t.Helper()
	b, err := d.Schema(f)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("case.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("case.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The schema, by a validator that is not ours, says yes and no where the decoder does.
func TestSchemaAgreesWithDecoder(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	f := form(t, d, "cp1")
	whole, mine := compile(t, d, nil), compile(t, d, f)
	files, _ := filepath.Glob("samples/cases/*.json")
	inputs := map[string]string{}
	for _, n := range files {
		inputs[n] = string(sample(t, filepath.Base(n)))
	}
	for _, in := range []string{
		`{}`, `{"person":{}}`, `{"persn":{}}`, `{"person":{"dob":null}}`, `{"person":{"dob":"2020-01-01"}}`, `{"person":{"dob":"soon"}}`, `{"person":{"dob":1}}`,
		`{"person":{"dob":{"state":"not_known"}}}`, `{"person":{"dob":{"state":"none_known"}}}`, `{"person":{"dob":{"state":"lost"}}}`, `{"person":{"state":"withheld","why":"x"}}`,
		`{"children":{"state":"none_known"}}`, `{"children":[{"name":"x"}]}`, `{"children":[{"nme":"x"}]}`, `{"children":"x"}`, `{"person":{"aliases":["x",""]}}`, `{"person":{"aliases":[1]}}`,
		`{"forms":{"cp1":{"abuse_categories":["physical"]}}}`, `{"forms":{"cp1":{"abuse_categories":["fysical"]}}}`, `{"forms":{"cp1":{"abuse_categories":{"state":"none_known"}}}}`,
		`{"forms":{"cp1":{"manager_consulted":true}}}`, `{"forms":{"cp1":{"manager_consulted":"perhaps"}}}`, `{"forms":{"cp1":{"significant_others":[{"name":"x","address":{"lines":["y"]}}]}}}`,
		`{"forms":{"cp1":{"significant_others":[{"nom":"x"}]}}}`, `{"forms":{"nothing":{}}}`, `{"risk":{"rosh_children":"high"}}`, `{"risk":{"rosh_children":"awful"}}`, `[]`, `{"forms":{"cp1":{"refer_time":"9:30"}}}`, `{"forms":{"cp1":{"manager_time":"yesterday"}}}`, `{"forms":{"cp1":{"manager_time":"2026-11-20 09:30"}}}`, `{"forms":{"cp1":{"manager_time":"2026-07-01T09:30:00Z"}}}`,
	} {
		inputs[in] = in
	}
	for name, in := range inputs {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		c, ps := d.Decode([]byte(in), f)
		for which, s := range map[string]*jsonschema.Schema{"of all forms": whole, "of cp1": mine} {
			if err := s.Validate(v); (err == nil) != (c != nil) {
				t.Errorf("%s: the schema %s says %v, the decoder %v", name, which, err, ps)
			}
		}
	}
}

func TestEmptyCaseHasEveryKeyAndNothingAnswered(t *testing.T) {
	t.Parallel()
	for _, a := range []string{"", "london"} {
		d := area(t, a)
		for _, f := range append(d.Forms, nil) {
			b, err := d.Empty(f)
			if err != nil {
				t.Fatal(err)
			}
			c := decode(t, d, f, string(b))
			if f == nil {
				continue
			}
			doc, err := d.Fill(f, c, caseforms.FillOptions{Today: today, Draft: true})
			if err != nil {
				t.Fatal(err)
			}
			doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) {
				if a.State != caseforms.NotAnswered && a.Key != "from_org" {
					t.Errorf("%s: %s is %s in an empty case", f.ID, a.Key, a.State)
				}
			})
			for path := range d.Uses(f) {
				if leaf := path[strings.LastIndexByte(path, '.')+1:]; !strings.Contains(string(b), `"`+leaf+`"`) {
					t.Errorf("%s: the key %s is missing", f.ID, path)
				}
			}
		}
	}
}

// The second sample has an answer for every key that the two forms use.
func TestFullSampleUsesEveryKey(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	var v any
	if err := json.Unmarshal(sample(t, "02-full.json"), &v); err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	var note func(v any, path string)
	note = func(v any, path string) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				p := strings.TrimPrefix(path+"."+k, ".")
				if x != nil && x != "" {
					has[p] = true
				}
				note(x, p)
			}
		case []any:
			for _, x := range v {
				note(x, path)
			}
		}
	}
	note(v, "")
	stated := func(path string) bool { // a state given for a whole record answers every key in it
		for p := path; p != ""; p = p[:max(0, strings.LastIndexByte(p, '.'))] {
			if has[p+".state"] {
				return true
			}
		}
		return false
	}
	for _, f := range d.Forms {
		for path := range d.Uses(f) {
			if !has[path] && !stated(path) {
				t.Errorf("%s: nothing under %s", f.ID, path)
			}
		}
	}
}

// Imports go one way: cmd → casework, batch → store, render, templates → the domain, and nothing back. SQL stays in the store.
func TestImportsGoOneWay(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	level := map[string]int{"caseforms": 0, "caseforms/templates": 1, "caseforms/samples": 1, "caseforms/render": 1, "caseforms/mail": 1, "caseforms/internal/intake": 1, "caseforms/internal/store": 1,
		"caseforms/internal/casework": 2, "caseforms/internal/batch": 2, "caseforms/internal/web": 4, "caseforms/cmd/caseforms": 5,
		"caseforms/internal/postoffice": 9, "caseforms/internal/chromium": 9} // for tests: nothing of the program may import them
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		from, known := level[words[0]]
		if !known {
			t.Errorf("%s has no place in the order of rooms", words[0])
		}
		for _, imp := range words[1:] {
			if to, ours := level[imp]; ours && to >= from {
				t.Errorf("%s imports %s", words[0], imp)
			}
			if strings.HasPrefix(imp, "net/http") && from < 4 || imp == "database/sql" && words[0] != "caseforms/internal/store" {
				t.Errorf("%s imports %s", words[0], imp)
			}
		}
	}
}
