package templates

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"caseforms"
)

func TestBuiltinDefinitionsLoad(t *testing.T) {
	t.Parallel()
	for _, area := range append(Areas(), "") {
		d, err := Load(area)
		if err != nil {
			t.Fatalf("area %q: %v", area, err)
		}
		for _, f := range d.Forms {
			if f.Title.IsZero() || f.GoesTo.IsZero() || f.Marking == "" || f.MarkingBlank == "" || len(f.Copies) == 0 || f.Source == "" {
				t.Errorf("%s lacks title, goes_to, marking, copies or source", f.ID)
			}
		}
	}
	if _, err := Load("nowhere"); err == nil {
		t.Error("an unknown area is accepted")
	}
	if _, err := Load("../templates"); err == nil {
		t.Error("a path is taken for an area")
	}
}

// files are the built-in definitions with some parts replaced.
func files(t testing.TB, file, old, with string) fs.FS {
	t.Helper()
	out := fstest.MapFS{}
	err := fs.WalkDir(FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(FS(), name)
		if name == file {
			if !strings.Contains(string(b), old) {
				t.Fatalf("%s has no %q", name, old)
			}
			b = []byte(strings.Replace(string(b), old, with, 1))
		}
		out[name] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const check = "forms/check/2026-11.yaml"

func TestMistakesInDefinitionsAreTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, old, with, want string }{
		"not YAML":                 {check, "form: check", "form: [check", check + ":"},
		"unknown key":              {check, "marking: OFFICIAL-SENSITIVE", "markings: X", "check/2026-11.yaml:9:1: markings: there is no such key"},
		"unknown key of a field":   {check, "required: true, source: \"002:977\"", "requird: true", "requird: there is no such key"},
		"a key that is ours":       {check, "marking: OFFICIAL-SENSITIVE", "sources: []\nmarking: OFFICIAL-SENSITIVE", "sources: there is no such key"},
		"doubled key":              {check, "subtitle:", "title:", "this key stands twice"},
		"wrong version":            {check, `version: "2026-11"`, `version: "2026-12"`, "version: must be 2026-11"},
		"unknown layout":           {check, "layout: pairs", "layout: coordinates", "layout: is none of: rows, pairs"},
		"unknown fact":             {check, "from: person.dob", "from: person.birthday", `dob: the case record has no fact "person.birthday"`},
		"unknown kind":             {check, "kind: longtext", "kind: essay", `there is no kind "essay"`},
		"kind and from":            {check, "from: person.dob", "from: person.dob, kind: date", "exactly one of kind, from, fixed and computed"},
		"doubled question":         {check, "key: dob, label", "key: addresses, label", "addresses: this key stands twice in the form"},
		"condition on nothing":     {check, "field: person.custody_status", "field: person.custody", "a condition looks at something that is not there"},
		"condition never true":     {check, "is: in_custody", "is: in_costody", "did you mean in_custody?"},
		"choice without options":   {check, "kind: longtext", "kind: choice", "a choice needs options"},
		"unknown rule":             {check, "rule: other_authorities", "rule: other_things", "other_things: there is no rule of this name"},
		"rule at nothing":          {check, "at: to_borough", "at: to_burrow", `there is no question "to_burrow"`},
		"rule without words":       {check, "say: is one of several", "hint: x\n    #", "hint: this key stands twice"},
		"unknown presenter":        {check, "as: birth_and_age", "as: star_sign", `there is no way to print called "star_sign"`},
		"letter without a place":   {check, "{return_email}", "return_email", "the text of the letter must have {return_email} once"},
		"letter with a stranger":   {check, "{attention_of}", "{attention_of} {nobody}", "the text has {nobody}"},
		"dated by text":            {check, "dated_by: sent_date", "dated_by: signature", "dated_by: this must be a question with a date"},
		"no label":                 {check, `label: "Date of Birth :", `, "", "a question needs a label"},
		"record as an answer":      {check, "from: person.dob", "from: person", "is a record and does not print as one answer"},
		"list that is none":        {check, "from: children\n", "from: person.dob\n", "only a list has fields"},
		"fact that is none":        {"facts.yaml", "person.crn:", "person.crm:", "facts.yaml:4:1: person.crm: the case record has no such fact"},
		"fact without options":     {"facts.yaml", ", options: *mappa_level", "", "mappa.previous.level: this fact needs options"},
		"a text in a third tongue": {check, "title: SAFEGUARDING CHILDREN – Check/Notification Form", "title: {en: X, fr: Y}", "a text has en and cy"},
		"rule wants more answers":  {check, "rule: other_authorities\n    of: [addressee.authority]", "rule: before\n    of: [sentence.date]", "this rule looks at 2 answers"},
		"rule in a need":           {check, `required: true, source: "002:978"`, `required: {rule: before}, source: "002:978"`, "looks at answers that cannot be named here"},
		"key with a dot":           {check, "key: dob, label", "key: d.ob, label", "a key is made of small letters"},
		"key called state":         {check, "key: signature, anew", "key: state, anew", "is not state"},
		"list in a list":           {check, "{key: school, label: School/nursery/college (if known), from: school, sensitive: address, width: 4}", "{key: school, label: X, from: parental_responsibility_by, fields: [{key: a, label: A, from: name}]}", "a list cannot stand in a list"},
		"setting misspelt":         {check, "goes_to: Children's social care", "goes_to: \"{organistion}\"\n#", "the text has {organistion}"},
		"word missing":             {"words.yaml", "unborn_child:", "unborn_kid:", "unborn_child: this word is needed"},
		"register of nothing":      {check, "    - dob\n    - {key: to_borough", "    - dobb\n    - {key: to_borough", "did you mean dob?"},
		"register twice":           {check, "    - dob\n    - {key: to_borough", "    - offender_name\n    - {key: to_borough", `"offender_name" stands twice`},
		"register of an address":   {check, "    - dob\n    - {key: to_borough", "    - addresses\n    - {key: to_borough", "it is a record of several facts, such as an address"},
		"register of a list":       {check, "    - dob\n    - {key: to_borough", "    - children\n    - {key: to_borough", "it has several rows"},
		"register of a reply":      {check, "    - dob\n    - {key: to_borough", "    - reply_date\n    - {key: to_borough", "the recipient answers it"},
		"register of what is ours": {check, "    - dob\n    - {key: to_borough", "    - trigger\n    - {key: to_borough", "it is in no output"},
		"register, sensitive":      {"forms/cp1/2026-11.yaml", "    - p_pnc\n", "    - p_visor_ref\n", "it is sensitive"},
		"register, narrative":      {"forms/cp1/2026-11.yaml", "    - p_pnc\n", "    - concern\n", "it is a narrative"},
		"register, a key too many": {check, "    - dob\n    - {key: to_borough", "    - {key: dob, width: 3}\n    - {key: to_borough", "width: there is no such key"},
		"register without columns": {check, "  totals:\n", "  total:\n", "total: there is no such key"},
		"total of no column":       {check, "of: sent_date", "of: signature", `a total is of a column: "signature" is none`},
		"total of several answers": {"forms/cp1/2026-11.yaml", "{of: mappa_summary, ", "{of: abuse_categories, ", "a case is counted once"},
		"total by words":           {check, "{of: sent_date, ", "{of: sent_date, by: offender_name, ", "a question with options"},
		"number out of range":      {check, "rows: 4", "rows: 9999999999", "rows: must be a whole number up to 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := LoadFS(files(t, c.file, c.old, c.with), "")
			if err == nil {
				t.Fatal("accepted")
			}
			if inv, ok := err.(*Invalid); !ok || len(inv.Problems) == 0 || inv.Problems[0].Line == 0 {
				t.Errorf("no place: %#v", err)
			}
			whole := err.Error()
			for _, p := range err.(*Invalid).Problems {
				whole += p.Hint
			}
			if !strings.Contains(whole, c.want) {
				t.Errorf("told\n%v\nwant in it\n%s", whole, c.want)
			}
		})
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	t.Parallel()
	var out []string
	ps := decode("x.yaml", []byte("form: x\nbogus: 1\nsections:\n  - key: a\n    lay: rows\n    fields:\n      - {key: q, rows: many, layout: sideways}\n"), &caseforms.Form{})
	for _, p := range ps {
		out = append(out, p.String())
	}
	want := "x.yaml:2:1: bogus: there is no such key\nx.yaml:5:5: lay: there is no such key\nx.yaml:7:24: rows: must be a whole number up to 1000\nx.yaml:7:38: layout: is none of: "
	if got := strings.Join(out, "\n"); !strings.HasPrefix(got, want) || len(out) != 4 {
		t.Errorf("told\n%s\nwant\n%s", got, want)
	}
}

// In YAML 1.1 a bare no is false; here it is a word.
func TestScalarsAreText(t *testing.T) {
	t.Parallel()
	var s struct{ Options []caseforms.Option }
	if ps := decode("x.yaml", []byte("options: {no: No, on: On, 1: 1.0, null: ~}\n"), &s); len(ps) > 0 {
		t.Fatal(ps)
	}
	want := []caseforms.Option{{Value: "no", Label: caseforms.Text{En: "No"}}, {Value: "on", Label: caseforms.Text{En: "On"}}, {Value: "1", Label: caseforms.Text{En: "1.0"}}, {Value: "null", Label: caseforms.Text{En: "~"}}}
	for i, o := range s.Options {
		if o != want[i] {
			t.Errorf("option %d is %v, want %v", i, o, want[i])
		}
	}
}

func TestAliasesCannotBlowUp(t *testing.T) {
	t.Parallel()
	doc := "form: x\nsections:\n  - key: s\n    fields:\n      - &f0 {key: a, fields: []}\n"
	for i := 1; i < 30; i++ {
		prev := fmt.Sprintf("*f%d", i-1)
		doc += fmt.Sprintf("      - &f%d {key: a, fields: [%s, %s, %s, %s]}\n", i, prev, prev, prev, prev)
	}
	if ps := decode("x.yaml", []byte(doc), &caseforms.Form{}); len(ps) == 0 || !strings.Contains(ps[0].Msg, "too large once its aliases are followed") {
		t.Errorf("%v", ps)
	}
}

// An area replaces forms whole and merges settings by key.
func TestAreaLaysItsOwnOver(t *testing.T) {
	t.Parallel()
	general, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	london, err := Load("london")
	if err != nil {
		t.Fatal(err)
	}
	a, _ := general.Form("check")
	b, _ := london.Form("check")
	if a.Version != "2026-11" || b.Version != "2014-11-london" || london.Settings["organisation"].En != "London Community Rehabilitation Company" {
		t.Errorf("%s, %s, %s", a.Version, b.Version, london.Settings["organisation"].En)
	}
	if len(general.Forms) != len(london.Forms) {
		t.Error("an area's form stands beside the general one")
	}
}

// A Welsh form prints Welsh where there is Welsh, and English where there is none.
func TestWelsh(t *testing.T) {
	t.Parallel()
	fsys := files(t, "settings.yaml", "organisation:", "language: cy\norganisation:")
	fsys.(fstest.MapFS)[check].Data = []byte(strings.Replace(string(fsys.(fstest.MapFS)[check].Data), `label: "Date of Birth :"`, `label: {en: "Date of Birth :", cy: "Dyddiad geni :"}`, 1))
	d, err := LoadFS(fsys, "")
	if err != nil {
		t.Fatal(err)
	}
	f, _ := d.Form("check")
	c, ps := d.Decode([]byte(`{"person":{"dob":"1990-03-01"},"sentence":{"court":{"state":"not_known"}}}`), f)
	if c == nil {
		t.Fatal(ps)
	}
	doc, err := d.Fill(f, c, caseforms.FillOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) { got[a.Key] = a.Label + " " + a.Text })
	if doc.Lang != "cy" || got["dob"] != "Dyddiad geni : 1 Mawrth 1990" || got["sentencing_court"] != "Sentencing Court : Ddim yn hysbys" {
		t.Errorf("%s, %s, %s", doc.Lang, got["dob"], got["sentencing_court"])
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{check, "forms/cp1/2026-11.yaml", "facts.yaml", "words.yaml"} {
		b, err := fs.ReadFile(FS(), name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("form: check\nversion: \"2026-11\"\nsections: [{key: a, fields: [{key: b, kind: list, fields: [{key: c, kind: list}]}]}]\nrules: [{rule: before, of: [x]}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := fstest.MapFS{check: &fstest.MapFile{Data: data}}
		for _, name := range []string{"words.yaml", "settings.yaml", "facts.yaml"} {
			b, err := fs.ReadFile(FS(), name)
			if err != nil {
				t.Fatal(err)
			}
			fsys[name] = &fstest.MapFile{Data: b}
		}
		d, err := LoadFS(fsys, "")
		if err != nil {
			return
		}
		for _, form := range d.Forms {
			for _, c := range []*caseforms.Case{nil, d.NewCase()} {
				if _, err := d.Fill(form, c, caseforms.FillOptions{Blank: c == nil}); err != nil && len(form.Copies) > 0 {
					continue
				}
			}
			if _, err := d.Check(form, d.NewCase(), caseforms.FillOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Schema(form); err != nil {
				t.Fatal(err)
			}
		}
	})
}
