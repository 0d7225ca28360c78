package caseforms_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"caseforms"
	"caseforms/templates"
)

func definitions(t testing.TB) *caseforms.Definitions {
	t.Helper()
	d, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func form(t testing.TB, d *caseforms.Definitions, id string) *caseforms.Form {
	t.Helper()
	f, err := d.Form(id)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("samples", "cases", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t testing.TB, d *caseforms.Definitions, f *caseforms.Form, data string) *caseforms.Case {
	t.Helper()
	c, ps := d.Decode([]byte(data), f)
	if c == nil {
		t.Fatalf("refused: %v", ps)
	}
	return c
}

func TestDecodeTellsEveryProblemWithItsPlace(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	f := form(t, d, "cp1")
	for name, c := range map[string]struct {
		in   string
		want []string // one each, in order: a part of the problem and its hint
	}{
		"unknown key names the nearest":    {"{\n \"person\": {\"famly_name\": \"A\"}}", []string{"2:13: person.famly_name: there is no such key; did you mean family_name?"}},
		"keys are case-sensitive":          {`{"Person": {}}`, []string{"1:2: Person: there is no such key; did you mean person?"}},
		"unknown key of a form":            {`{"forms":{"cp1":{"concerns":"x"}}}`, []string{"forms.cp1.concerns: there is no such key; did you mean concern?"}},
		"unknown form":                     {`{"forms":{"cp2":{}}}`, []string{"forms.cp2: there is no such key; did you mean cp1?"}},
		"doubled key":                      {`{"person":{"dob":"1990-01-01","dob":"1991-01-01"}}`, []string{"1:31: Date of birth (person.dob): this key stands here twice"}},
		"doubled state":                    {`{"children":{"state":"not_known","state":"withheld"}}`, []string{"stands here twice"}},
		"wrong types, all at once":         {`{"person":{"dob":1990,"aliases":"X","crn":["a"],"interpreter_needed":"maybe"},"children":{}}`, []string{`Date of birth (person.dob): must be a date in quotes, such as "2014-05-03", not a number`, "person.aliases): must be a list in [ ], not text", "person.crn): must be text in quotes, not a list", `must be "yes" or "no"`, "children): must be a list in [ ], not a JSON object"}},
		"a number where text belongs":      {`{"person":{"prison_number":1234}}`, []string{"put it in quotes"}},
		"impossible date":                  {`{"person":{"dob":"2024-02-30"}}`, []string{"person.dob): is not a date: write year-month-day"}},
		"British date is not guessed":      {`{"person":{"dob":"03/05/2014"}}`, []string{"is not a date"}},
		"unknown choice":                   {`{"forms":{"cp1":{"urgency":"urgent"}}}`, []string{"at risk of significant harm now? (forms.cp1.urgency): this is none of the answers that may be given"}},
		"choice nearly right":              {`{"risk":{"rosh_children":"hihg"}}`, []string{"did you mean high?"}},
		"unknown box":                      {`{"forms":{"cp1":{"abuse_categories":["physical","sexaul"]}}}`, []string{"forms.cp1.abuse_categories[1]): this is none of the answers that may be ticked; did you mean sexual?"}},
		"place in a list":                  {"{\"children\":[{\"name\":\"A\"},\n{\"nam\":\"B\"}]}", []string{"2:2: children[1].nam: there is no such key; did you mean name?"}},
		"unknown state":                    {`{"person":{"dob":{"state":"unknown"}}}`, []string{"a state is not_known, not_applicable, withheld"}},
		"none_known is for lists":          {`{"person":{"dob":{"state":"none_known"}}}`, []string{"only a list or tick boxes can be none_known"}},
		"value beside a state":             {`{"person":{"dob":{"state":"not_known","value":"x"}}}`, []string{"beside a state there is only why"}},
		"control character":                {`{"person":{"family_name":"A\u0007B"}}`, []string{"holds the control character U+0007"}},
		"NUL":                              {`{"forms":{"cp1":{"concern":"A\u0000B"}}}`, []string{"holds the control character U+0000"}},
		"direction override":               {`{"person":{"family_name":"A\u202eB"}}`, []string{"turns the direction of writing round"}},
		"invalid UTF-8, each place":        {"{\"person\":{\"family_name\":\"A\xff\",\n\"given_names\":\"\xfeB\"}}", []string{"1:28: byte 0xff is not UTF-8", "2:16: byte 0xfe is not UTF-8"}},
		"cut short":                        {`{"person":{"family_name":"A"`, []string{"1:29: "}},
		"empty":                            {"", []string{"the file is empty"}},
		"not JSON":                         {"<html>", []string{"1:1: is not readable as JSON"}},
		"not an object":                    {"[]", []string{"a case record is a JSON object"}},
		"two cases in a file":              {"{}\n{}", []string{"there is more after the end"}},
		"20,000 levels":                    {strings.Repeat("[", 20000), []string{"nested deeper than 32 levels"}},
		"20,000 levels inside":             {`{"person":` + strings.Repeat(`{"a":`, 20000), []string{"nested deeper than 32 levels"}},
		"30 MB":                            {`{"person":{"family_name":"` + strings.Repeat("x", 30<<20) + `"}}`, []string{"larger than 8 MB"}},
		"lone surrogate":                   {`{"person":{"family_name":"\ud800"}}`, []string{"is not readable as JSON"}},
		"the value itself is never told":   {`{"person":{"dob":"Secret-Name"}}`, []string{"is not a date"}},
		"a record where a leaf is a state": {`{"person":{"state":"withheld","extra":1}}`, []string{"beside a state there is only why"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c2, ps := d.Decode([]byte(c.in), f)
			if c2 != nil {
				t.Fatal("accepted")
			}
			if len(ps) != len(c.want) {
				t.Fatalf("%d problems, want %d: %v", len(ps), len(c.want), ps)
			}
			for i, w := range c.want {
				got := strings.Replace(ps[i].String(), "case:", "", 1)
				if ps[i].Hint != "" {
					got += "; " + ps[i].Hint
				}
				if !strings.Contains(got, w) {
					t.Errorf("problem %d is\n  %s\nwant in it\n  %s", i, got, w)
				}
				if strings.Contains(got, "Secret") {
					t.Error("the value is told")
				}
			}
		})
	}
}

func TestDecodeAccepts(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	f := form(t, d, "cp1")
	c := decode(t, d, f, "\ufeff"+`{
	 "person": {"family_name": "O'Brien", "given_names": "A", "interpreter_needed": true, "dob": null, "crn": ""},
	 "sentence": {"state": "not_applicable", "why": "not sentenced"},
	 "children": [{}, {"name": "X", "address": {"lines": ["", "1 Example Road"]}}, {"name": ""}],
	 "adults": {"state": "none_known"},
	 "forms": {"cp1": {"abuse_categories": ["sexual", "", "physical", "sexual"], "concern": "a\r\nb", "significant_others": [{}, {"name": "Y"}]}}}`)
	if c.Person.FamilyName.Value != "O'Brien" || !c.Person.InterpreterNeeded.Known() || !bool(c.Person.InterpreterNeeded.Value.YesNo) {
		t.Errorf("person: %+v", c.Person)
	}
	if c.Person.DOB.State != caseforms.NotAnswered || c.Person.CRN.State != caseforms.NotAnswered {
		t.Error("null and empty must be not answered")
	}
	if c.Sentence.Court.State != caseforms.NotApplicable || c.Sentence.Court.Why != "not sentenced" {
		t.Errorf("a record's state must reach its facts: %+v", c.Sentence.Court)
	}
	if c.Children.Len() != 1 || c.Children.Items[0].Address.Lines.Len() != 1 {
		t.Errorf("blank items must not count: %+v", c.Children)
	}
	if c.Adults.State != caseforms.NoneKnown {
		t.Error("none_known is lost")
	}
	own := c.Forms["cp1"]
	if got := own["abuse_categories"].(*caseforms.Of[caseforms.Choices]).Value; strings.Join(got, " ") != "physical sexual" {
		t.Errorf("ticked: %v", got)
	}
	if got := own["concern"].(*caseforms.Of[caseforms.Prose]).Value; got != "a\nb" {
		t.Errorf("line ends: %q", got)
	}
	if got := own["significant_others"].(*caseforms.List[caseforms.Group]).Len(); got != 1 {
		t.Errorf("%d others", got)
	}
}

// Every sample is read without a problem, and the problem list is bounded whatever comes in.
func TestDecodeSamplesAndBounds(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	files, err := filepath.Glob("samples/cases/*.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, f := range files {
		if c, ps := d.Decode(sample(t, filepath.Base(f)), nil); c == nil {
			t.Errorf("%s: %v", f, ps)
		}
	}
	many := `{"person":{` + strings.Repeat(`"x":1,`, 50_000) + `"x":1}}`
	if _, ps := d.Decode([]byte(many), nil); len(ps) > 1000 {
		t.Errorf("%d problems", len(ps))
	}
}

func FuzzDecode(f *testing.F) {
	d := definitions(f)
	cp1 := form(f, d, "cp1")
	files, _ := filepath.Glob("samples/cases/*.json")
	for _, name := range files {
		f.Add(sample(f, filepath.Base(name)))
	}
	f.Add([]byte(`{"person":{"dob":{"state":"not_known","why":"x"}},"children":[{"name":"\ud83d\ude00"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, ps := d.Decode(data, cp1)
		if c == nil {
			if len(ps) == 0 {
				t.Fatal("refused without a problem")
			}
			for _, p := range ps {
				if p.Line > bytes.Count(data, []byte("\n"))+1 {
					t.Fatalf("a problem in line %d", p.Line)
				}
			}
			return
		}
		for _, fm := range d.Forms {
			o := caseforms.FillOptions{Today: caseforms.Date{Year: 2026, Month: 11, Day: 20}, Draft: true}
			if _, err := d.Check(fm, c, o); err != nil {
				t.Fatal(err)
			}
			doc, err := d.Fill(fm, c, o)
			if err != nil {
				t.Fatal(err)
			}
			doc.Answers(func(s *caseforms.DocSection, a *caseforms.Answer) {
				if a.Text == "" && s.Layout != caseforms.LayoutReply {
					t.Fatalf("%s prints nothing", a.Key)
				}
			})
		}
	})
}
