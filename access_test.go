package caseforms_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"caseforms"
	"caseforms/templates"
)

// heldIn are the places in a case record where something is held, each with what is written there: the value, or "" for a state and a list.
func heldIn(t *testing.T, data []byte) map[string]string {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var note func(v any, path string)
	note = func(v any, path string) {
		switch v := v.(type) {
		case nil:
		case map[string]any:
			if v["state"] != nil {
				out[path] = ""
				return
			}
			for k, x := range v {
				note(x, strings.TrimPrefix(path+"."+k, "."))
			}
		case []any:
			for i, x := range v {
				if item, ok := x.(map[string]any); !ok || item["state"] != nil {
					out[path] = ""
					return
				}
				note(x, fmt.Sprintf("%s[%d]", path, i))
			}
		default:
			if s := fmt.Sprint(v); s != "" {
				out[path] = s
			}
		}
	}
	note(v, "")
	return out
}

// toldIn are the answers of a document by key.
func toldIn(t *testing.T, doc *caseforms.Document) map[string]*caseforms.Answer {
	t.Helper()
	out := map[string]*caseforms.Answer{}
	sections := map[string]bool{}
	for _, s := range doc.Sections {
		if sections[s.Key] || s.Title == "" || len(s.Parts) == 0 {
			t.Errorf("%s: the section %s stands twice, or has no title, or is empty", doc.Copy, s.Key)
		}
		sections[s.Key] = true
	}
	doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) {
		if out[a.Key] != nil || a.Label == "" || a.Text == "" {
			t.Errorf("%s: %s stands twice, or has no label or text: %+v", doc.Copy, a.Key, a)
		}
		out[a.Key] = a
	})
	return out
}

func accessCases(t *testing.T) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("samples/cases/*.json")
	if err != nil || len(names) < 6 {
		t.Fatalf("%d samples, %v", len(names), err)
	}
	out := map[string][]byte{"sensitive": fmt.Appendf(nil, sensitiveCase, "Winifred Overhear told us.")}
	for _, name := range names {
		if out[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Every answer and every state of a case stands in one of the two documents, and not in the other; nothing else stands there (E.4 point 5).
func TestInWordsTellsEverythingOnce(t *testing.T) {
	t.Parallel()
	for _, d := range []*caseforms.Definitions{definitions(t), area(t, "london")} {
		for name, data := range accessCases(t) {
			own, apart := d.InWords(decode(t, d, nil, string(data)))
			inOwn, inApart := toldIn(t, own), toldIn(t, apart)
			held := heldIn(t, data)
			for path := range held {
				n := 0
				for _, keys := range []map[string]*caseforms.Answer{inOwn, inApart} {
					for key := range keys {
						if key == path || strings.HasPrefix(key, path+".") { // a state given for a whole record is that of each fact in it
							n++
							break
						}
					}
				}
				if n != 1 {
					t.Errorf("%s %s: %s is told in %d documents", d.Area, name, path, n)
				}
			}
			for key := range inOwn {
				if inApart[key] != nil {
					t.Errorf("%s %s: %s is in both", d.Area, name, key)
				}
			}
			for _, key := range append(slices.Collect(maps.Keys(inOwn)), slices.Collect(maps.Keys(inApart))...) {
				known := key == "nothing"
				for p := key; p != "" && !known; p = p[:max(0, strings.LastIndexByte(p, '.'))] {
					_, known = held[p]
				}
				if !known {
					t.Errorf("%s %s: %s is told and not held", d.Area, name, key)
				}
			}
		}
	}
}

// Each free text of the sample that answers everything is printed once, whole, where it belongs.
func TestInWordsKeepsOthersApart(t *testing.T) {
	t.Parallel()
	data := string(sample(t, "02-full.json"))
	tokens := map[string]string{} // by path
	held := heldIn(t, []byte(data))
	for path, v := range held {
		if strings.Contains(v, " ") && !regexp.MustCompile(`^[\d+]|postcode$`).MatchString(v) && !strings.HasSuffix(path, "postcode") {
			tokens[path] = fmt.Sprintf("TOK%dEND", 1000+len(tokens))
		}
	}
	var v any
	if err := json.Unmarshal([]byte(data), &v); err != nil {
		t.Fatal(err)
	}
	var put func(v any, path string) any
	put = func(v any, path string) any {
		switch v := v.(type) {
		case map[string]any:
			for k := range v {
				v[k] = put(v[k], strings.TrimPrefix(path+"."+k, "."))
			}
		case []any:
			for i := range v {
				v[i] = put(v[i], fmt.Sprintf("%s[%d]", path, i))
			}
		case string:
			if tokens[path] != "" {
				return tokens[path]
			}
			_, state := held[strings.TrimSuffix(path, ".why")]
			if strings.Contains(path, ".lines[") || strings.Contains(path, "aliases[") || strings.HasSuffix(path, ".why") && state {
				tokens[path] = fmt.Sprintf("TOK%dEND", 1000+len(tokens))
				return tokens[path]
			}
		}
		return v
	}
	put(v, "")
	person := v.(map[string]any)["person"].(map[string]any)
	person["addresses"].([]any)[3].(map[string]any)["address_confidential"] = "yes"
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if len(tokens) < 200 {
		t.Fatalf("only %d tokens", len(tokens))
	}
	// By hand, so that a definition that forgets one is found.
	kept := regexp.MustCompile(strings.Join([]string{`^(children|adults|victims|professionals)\[`, `^person\.addresses\[3\]`, `^person\.visor_ref`, `^offences\[\d\]\.victim_relationship`,
		`^registers\[\d\]\.notes`, `who_lives_there`, `^forms\.conference\.(protected_information|legal_advice)`,
		`^forms\.cp1\.(disclosures|significant_others|interviews|police_checks|child_view|lawful_basis_note|csc_check_reply)`, `^forms\.check\.(contact_nature|known_to_csc|children_known)`,
		`^forms\.pp1\.(allegations|victim_concerns|victim_officer|disclosure_proposed|risk_to_children)`,
		`^forms\.pp2\.(m4|agency_updates\[\d\]\.(information|source)|disclosure_to|disclosure_risk|disclosure_police|disclosure_how|disclosure_challenge|disclosure_advice)`,
		`^forms\.pp3\.(exclusion_zones|no_contact|children_at_or_near)`}, "|"))
	for _, d := range []*caseforms.Definitions{definitions(t), area(t, "london")} {
		own, apart := d.InWords(decode(t, d, nil, string(b)))
		texts := map[string]string{}
		for _, doc := range []*caseforms.Document{own, apart} {
			doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) { texts[doc.Copy] += a.Text + "\n" })
		}
		for path, token := range tokens {
			wantOwn, wantApart := 1, 0
			if kept.MatchString(path) {
				wantOwn, wantApart = 0, 1
			}
			inOwn, inApart := strings.Count(texts[caseforms.AccessOwn], token), strings.Count(texts[caseforms.AccessApart], token)
			if strings.HasSuffix(path, ".why") { // that of a whole record stands with each fact in it
				inOwn, inApart = min(inOwn, 1), min(inApart, 1)
			}
			if inOwn != wantOwn || inApart != wantApart {
				t.Errorf("%s: %s stands %d times in own and %d times apart", d.Area, path, inOwn, inApart)
			}
		}
	}
}

// What is printed are words: no value of an option, no key.
func TestInWordsHasNoCodes(t *testing.T) {
	t.Parallel()
	code := regexp.MustCompile(`\b[a-z]+_[a-z_]+\b|⟨|&[a-z]+;|<nil>|\bnull\b`)
	for _, d := range []*caseforms.Definitions{definitions(t), area(t, "london")} {
		for name, data := range accessCases(t) {
			held := heldIn(t, data)
			own, apart := d.InWords(decode(t, d, nil, string(data)))
			for _, doc := range []*caseforms.Document{own, apart} {
				all := doc.Title + "\n" + doc.Notice
				for _, s := range doc.Sections {
					all += "\n" + s.Title
				}
				doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) {
					all += "\n" + a.Label + "\n" + a.Text
					last := a.Key[strings.LastIndexByte(a.Key, '.')+1:]
					if a.Label == last || strings.HasSuffix(a.Label, ": "+last) || strings.HasSuffix(a.Label, ":") {
						t.Errorf("%s: %s is called %q", name, a.Key, a.Label)
					}
					if v := held[a.Key]; regexp.MustCompile(`^[a-z_]+$|^\d{4}-\d\d-\d\d`).MatchString(v) && a.Text == v {
						t.Errorf("%s: %s prints %q", name, a.Key, v)
					}
				})
				for line := range strings.Lines(all) {
					if m := code.FindString(regexp.MustCompile(`\S+@\S+`).ReplaceAllString(line, "")); m != "" {
						t.Errorf("%s %s prints %q in %q", name, doc.Copy, m, line)
					}
				}
			}
		}
	}
}

func TestInWordsPrints(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	own, apart := d.InWords(decode(t, d, nil, `{"person":{"aliases":["A","B"],"dob":"1979-11-02","religion":{"state":"withheld","why":"asked us to"},"nicknames":{"state":"none_known"},
	  "custody_status":"on_bail","interpreter_needed":"no","addresses":[{"type":"current","address":{"lines":["1 Openly Street"]}},{"type":"previous","address":{"lines":["9 Hidden Lane"]},"address_confidential":"yes"},{"from":"2014","address_confidential":{"state":"not_known"}}]},
	 "mappa":{"previous":[{"from":"2014-08","category":"2"}]},"registers":{"state":"none_known","why":"searched"},
	 "children":[{"name":"Kit","address":{"lines":["9 Hidden Lane"]}}],"practitioner":{"address":{"lines":["Overhear House"]}},
	 "adults":[{"name":"Winifred Overhear","source_protected":"yes"}],
	 "forms":{"conference":{"assessment":"Winifred Overhear told us.","compliance":"Kept all.","sources":["interview","family"],"contributors":[{"name":"Wren"}],"chair_name":"Val Supposed","additional_information":"Seen in Hidden Lane."},
	  "pp2":{"agency_updates":[{"agency":"Police","information":"Seen."}]}}}`))
	for doc, want := range map[*caseforms.Document]map[string]string{
		own: {"person.aliases": "Also known as: A\nB", "person.dob": "Date of birth: 2 November 1979", "person.religion": "Religion: Withheld: asked us to", "person.nicknames": "Nicknames: None known",
			"person.custody_status": "Where the person is: On bail", "person.interpreter_needed": "Interpreter needed: No", "person.addresses[0].address.lines": "Address: Lines: 1 Openly Street",
			"mappa.previous[0].from": "From: August 2014", "registers": "Registers: None known: searched", "practitioner.address.lines": "Address: Lines: Overhear House",
			"forms.conference.compliance":           "Compliance, with the frequency of and reasons for missed appointments: Kept all.",
			"forms.conference.sources":              "Sources of Information (more than one may be selected): Interview\nFamily",
			"forms.conference.contributors[0].name": "Name: Wren", "forms.conference.chair_name": "Conference Chair: Val Supposed", "forms.pp2.agency_updates[0].agency": "Agency: Police",
			"person.addresses[0].type": "Kind of address: Current address", "mappa.previous[0].category": "Earlier MAPPA category: 2 – violent and other sexual offender"},
		apart: {"person.addresses[1].address.lines": "Address: Lines: 9 Hidden Lane", "person.addresses[1].type": "Kind of address: Previous address", "person.addresses[1].address_confidential": "The address is confidential: Yes",
			"person.addresses[2].from": "From: 2014", "person.addresses[2].address_confidential": "The address is confidential: Not known",
			"children[0].name": "Name: Kit", "children[0].address.lines": "Address: Lines: 9 Hidden Lane", "adults[0].name": "Name: Winifred Overhear", "adults[0].source_protected": "Must not be named as a source: Yes",
			"forms.conference.assessment":             "Assessment: Winifred Overhear told us.", // it tells who a protected source is
			"forms.conference.additional_information": "Additional Information: Seen in Hidden Lane.", "forms.pp2.agency_updates[0].information": "Information: Seen."},
	} {
		got := toldIn(t, doc)
		for key, text := range want {
			if a := got[key]; a == nil || a.Label+": "+a.Text != text {
				t.Errorf("%s: %s is %+v, want %q", doc.Copy, key, a, text)
			}
		}
		for key := range got {
			if _, ok := want[key]; !ok {
				t.Errorf("%s has %s", doc.Copy, key)
			}
		}
	}
	var titles []string
	for _, s := range append(own.Sections, apart.Sections...) {
		titles = append(titles, s.Title)
	}
	want := "The person|Address 1|Earlier MAPPA category and level 1|Registers|Practitioner|Child Protection Case Conference Report|Child Protection Case Conference Report: Contributor 1|" +
		"PP2 – Minutes: Agency 1|Address 2|Address 3|Child 1|Adult 1|Child Protection Case Conference Report|PP2 – Minutes: Agency 1"
	if got := strings.Join(titles, "|"); got != want {
		t.Errorf("sections:\n%s\nwant\n%s", got, want)
	}
	for _, doc := range []*caseforms.Document{own, apart} {
		if doc.Form != caseforms.AccessForm || doc.Marking != "OFFICIAL-SENSITIVE" || doc.Lang != "en-GB" || doc.Title == "" || doc.Notice == "" || doc.Version == "" || doc.Words("page") != "Page" {
			t.Errorf("head: %+v", doc)
		}
	}
	own, apart = d.InWords(nil)
	for _, doc := range []*caseforms.Document{own, apart} {
		if a := toldIn(t, doc)["nothing"]; a == nil || a.Text != "Nothing" {
			t.Errorf("of an empty case %s tells %+v", doc.Copy, doc.Sections)
		}
	}
}

// changed are the definitions of an area with one thing in a file replaced.
func changed(t *testing.T, area, file, old, with string) *caseforms.Definitions {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(templates.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(templates.FS(), name)
		if name == file {
			if !strings.Contains(string(b), old) {
				t.Fatalf("%s has no %q", name, old)
			}
			b = []byte(strings.Replace(string(b), old, with, 1))
		}
		files[name] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := templates.LoadFS(files, area)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// What an area does not ask is told by the words of the general form, and stands apart when that says it is sensitive.
func TestInWordsOfAnswersAnAreaDoesNotAsk(t *testing.T) {
	t.Parallel()
	d := changed(t, "london", "areas/london/forms/conference/2014-11-london.yaml", "{key: legal_advice,", "{key: legal_view,")
	own, apart := d.InWords(decode(t, d, nil, `{"forms":{"conference":{"legal_advice":"Counsel thinks so.","compliance":"Kept all."}}}`))
	if a := toldIn(t, apart)["forms.conference.legal_advice"]; a == nil || a.Label != "Legal advice" {
		t.Errorf("sensitive on the general form: %+v in %+v", a, own.Sections)
	}
	if a := toldIn(t, own)["forms.conference.compliance"]; a == nil || !strings.HasPrefix(a.Label, "Compliance") {
		t.Errorf("not sensitive: %+v", a)
	}
}

// A question that is withheld silently on a form that marks what it withholds is marked too, and only on the marked copy.
func TestMarkedQuestions(t *testing.T) {
	t.Parallel()
	d := changed(t, "", "forms/conference/2026-11.yaml", "\nsilent: true\n", "\n")
	data := `{"person":{"addresses":[{"type":"current","address":{"lines":["1 Hidden Lane"]},"address_confidential":"yes"}]}}`
	for _, copy := range []string{caseforms.CopyFull, caseforms.CopyDisclosable} {
		for _, marked := range []bool{false, true} {
			a, ok := fill(t, d, "conference", data, caseforms.FillOptions{Copy: copy, Marked: marked})["home_address"]
			if want := marked && copy == caseforms.CopyDisclosable; ok != want || ok && a.Text != "Withheld" {
				t.Errorf("%s, marked %v: %v %+v", copy, marked, ok, a)
			}
		}
	}
}

// For a subject-access request the conference report marks what it withholds, without a reason and without a row for who must not be named.
func TestMarkedCopies(t *testing.T) {
	t.Parallel()
	for _, d := range []*caseforms.Definitions{definitions(t), area(t, "london")} {
		f := form(t, d, "conference")
		c := decode(t, d, f, `{"person":{"given_names":"A","family_name":"B","aliases":{"state":"withheld","why":"reasonone"},"addresses":[{"type":"current","address":{"lines":["1 Hidden Lane"]},"address_confidential":"yes"}]},
		 "children":[{"name":"Mia","dob":{"state":"withheld","why":"reasontwo"},"address":{"lines":["1 Hidden Lane"]}}],
		 "adults":[{"name":"Winifred Overhear","source_protected":"yes"},{"name":"Gran"}],"professionals":[{"name":"Petra Keyworth","source_protected":"yes"}],
		 "forms":{"conference":{"additional_information":{"state":"withheld","why":"reasonthree"}}}}`)
		fill := func(o caseforms.FillOptions) (*caseforms.Document, map[string]*caseforms.Answer, string) {
			o.Today = today
			doc, err := d.Fill(f, c, o)
			if err != nil {
				t.Fatal(err)
			}
			got, all := map[string]*caseforms.Answer{}, ""
			doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) {
				got[a.Key] = a
				all += a.Key + "=" + a.Text + a.Why + "\n"
			})
			return doc, got, all
		}
		doc, got, all := fill(caseforms.FillOptions{Copy: caseforms.CopyDisclosable, Marked: true})
		if doc.Copy != caseforms.CopyDisclosable {
			t.Errorf("the copy is called %q", doc.Copy)
		}
		for _, key := range []string{"home_address", "additional_information", "people[0].age"} {
			if a := got[key]; a == nil || a.State != caseforms.Withheld && key != "people[0].age" || a.Text != "Withheld" {
				t.Errorf("%s: %s is %+v", d.Area, key, a)
			}
		}
		if a := got["people[0].name"]; a == nil || a.Text != "Mia\naddress: withheld" {
			t.Errorf("%s: a child at a confidential address is %+v", d.Area, a)
		}
		for _, told := range []string{"reason", "Hidden", "Winifred", "Petra", "people[2]"} {
			if strings.Contains(all, told) {
				t.Errorf("%s: tells %q in\n%s", d.Area, told, all)
			}
		}
		if !strings.Contains(all, "Gran") {
			t.Errorf("%s: who is not protected is lost", d.Area)
		}
		silent, _, without := fill(caseforms.FillOptions{Copy: caseforms.CopyDisclosable})
		if silent.Copy != "" || strings.Contains(without, "ithheld") {
			t.Errorf("%s: without Marked the copy tells\n%s", d.Area, without)
		}
		_, _, full := fill(caseforms.FillOptions{})
		if _, _, marked := fill(caseforms.FillOptions{Marked: true}); marked != full {
			t.Errorf("%s: the own file differs:\n%s", d.Area, marked)
		}
	}
}
