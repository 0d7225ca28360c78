package caseforms_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"caseforms"
)

// A case with a protected adult and a refuge; %s is the assessment of the conference report.
const sensitiveCase = `{"person":{"given_names":"Toby","family_name":"Refugeman","addresses":[{"type":"current","address":{"lines":["77 Openly Street","Northtown"],"postcode":"LE99 9ZA"}}]},
 "children":[{"name":"Mia Refugeman","dob":"2020-02-02","address":{"lines":["SECRETHAVEN House","1 Hidden Lane","Farville"],"postcode":"LE99 9ZB"},"address_confidential":"yes","relationship":"Daughter"},
  {"name":"Tom Overhear","dob":"2022-02-02"}],
 "adults":[{"name":"Winifred Overhear","dob":"1971-05-04","phone":"07700 900333","relationship_to_person":"Neighbour","address":{"lines":["79 Openly Street","Northtown"],"postcode":"LE99 9ZA"},"carer_view":"She hears shouting through the wall. On Fridays it is worst.","source_protected":"yes"},
  {"name":"Gran Refugeman","relationship_to_person":"Mother"},{"name":"Jo Ng","source_protected":"yes"},{"name":"April May","source_protected":"yes"},{"name":"Michał Nowak","source_protected":"yes"}],
 "victims":[{"reference":"V77","relationship":"Former partner of the person","source_protected":"yes"}],
 "professionals":[{"name":"Petra Keyworth","agency":"Safe Places","phone":"01632 960444","source_protected":"yes"}],
 "forms":{"conference":{"assessment":%q,"protected_information":[{"information":"He was seen at the school gate twice in one week. Ring 07700 900444 or Della Quist.","from_whom":"Sam Brown, the caretaker"},{"information":"None known","from_whom":"Kettleby"}],"legal_advice":"Counsel thinks the order would not stand up."},
 "pp2":{"agency_updates":[{"agency":"Quorndale Housing","information":"He asked for a room at the hostel in Thornby Lane twice.","source":"The duty officer"}]},
 "cp1":{"interviews":[{"name":"Ida Asked","date":"2026-11-12"}],"disclosures":"Mia told her teacher that he hits her with a belt."}}}`

// Nothing that a copy withholds may stand in the words of another answer, however it is written; and common words are no reason to stop it.
func TestWithheldFactsInNarratives(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	f := form(t, d, "conference")
	for text, tells := range map[string]bool{
		"The neighbour, Winifred Overhear, told us.":             true,
		"WINIFRED OVERHEAR told us.":                             true,
		"Mrs Overhear told us.":                                  true, // the child has the surname too
		"mrs overhear told us.":                                  true,
		"Winifred's window looks out on the yard.":               true,
		"Mr Ng told us.":                                         true,
		"Michal told us so.":                                     true,
		"Kettleby told us.":                                      true,
		"Sam Brown told us.":                                     true,
		"Sam told us.":                                           true,
		"A Ms Quist, Della Quist, saw it.":                       true, // a name within a withheld text
		"The number is 07700 900444.":                            true,
		"They live at Secrethaven house.":                        true,
		"They live at 1, Hidden  Lane.":                          true,
		"They live in Hidden Ln.":                                true,
		"The postcode is le999zb.":                               true,
		"Ring 07700-900 333.":                                    true,
		"Ring +44 7700 900333.":                                  true,
		"She hears shouting through the wall; nobody else does.": true,
		"She was born on 4 May 1971.":                            true,
		"She was born on 04/05/71.":                              true,
		"She was born on May 4, 1971.":                           true,
		"A man was seen: he was seen at the school gate twice in one week.":    true,
		"Counsel thinks the order would not stand up.":                         true,
		"Mia told her teacher that he hits her with a belt.":                   true, // withheld by another form
		"The victim has the reference V77.":                                    true,
		"A witness might overhear what is said at home.":                       false, // the verb
		"Toby Refugeman lives in Northtown, as Gran Refugeman does.":           false, // open names and the town
		"The neighbour and the mother were not asked. They moved to Farville.": false,
		"Openly, in the street, at LE99 9ZA.":                                  false, // the person's own postcode too
		"Tom Overhear is two.":                                                 false, // a child who stands in the report
		"His teacher Mrs Jones agrees. In May 2026 and in April he worked.":    false,
		"Other risks: None known. A man came. The caretaker was out.":          false,
		"A former partner. The victim liaison officer is informed.":            false,
		"I visited on 12 November 2026.":                                       false, // the day of a withheld interview
		"Ida Asked was at home.":                                               true,
		"":                                                                     false,
	} {
		c := decode(t, d, f, fmt.Sprintf(sensitiveCase, text))
		_, err := d.Fill(f, c, caseforms.FillOptions{Today: today, Copy: caseforms.CopyDisclosable})
		var e *caseforms.Error
		switch {
		case tells && (!errors.As(err, &e) || !strings.Contains(e.Msg, "Assessment (assessment)")):
			t.Errorf("%q: %v", text, err)
		case tells && strings.Contains(strings.ToLower(err.Error()), "overhear"):
			t.Errorf("%q: the message tells it: %v", text, err)
		case !tells && err != nil:
			t.Errorf("%q is stopped: %v", text, err)
		}
		ps, err := d.Check(f, c, caseforms.FillOptions{Today: today, Copy: caseforms.CopyDisclosable})
		if err != nil || tells != (find(ps, "tells something that this copy withholds") != nil) {
			t.Errorf("%q: check says %v %v", text, ps, err)
		}
		if _, err := d.Fill(f, c, caseforms.FillOptions{Today: today}); err != nil {
			t.Errorf("%q: the own file is stopped: %v", text, err)
		}
	}
}

// Addresses are written in many ways; each of these lines is found in the text beside it.
func TestConfidentialAddressesInNarratives(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	f := form(t, d, "conference")
	for _, c := range []struct {
		address, text string
		tells         bool
	}{
		{`{"lines":["The Haven","Farville"]}`, "lives at The Haven.", true},
		{`{"lines":["House Martins","Farville"]}`, "lives at House Martins.", true},
		{`{"lines":["Flat 2","Rose Cottage"]}`, "lives at Rose Cottage.", true},
		{`{"lines":["1 Hidden Lane","Farville"]}`, "lives in Hidden Lane.", true},
		{`{"lines":["1 Hidden Lane, Farville"]}`, "lives at 1 Hidden Lane.", true},
		{`{"lines":["12 Rose House","Hidden Lane"]}`, "moved to Hidden Lane", true},
		{`{"lines":["Secrethaven"]}`, "is in Secrethaven", true},
		{`{"lines":["Flat 2","9 Foster Road"],"postcode":"E1 1AA"}`, "Shoe size 11 AA. Flat 2 is empty.", false},
		{`{"lines":["12 High Street","Farville"]}`, "He walked down the high street to Farville.", false},
		{`{"no_fixed_abode":"yes","closest_area":"Ashbydale"}`, "seen in Ashbydale", true},
	} {
		data := fmt.Sprintf(`{"children":[{"name":"Mia","address":%s,"address_confidential":"yes"}],"professionals":[{"name":"Key Worker","address":%[1]s}],"forms":{"conference":{"assessment":%q}}}`, c.address, c.text)
		_, err := d.Fill(f, decode(t, d, f, data), caseforms.FillOptions{Today: today, Copy: caseforms.CopyDisclosable})
		if (err != nil) != c.tells {
			t.Errorf("%s %q: %v", c.address, c.text, err)
		}
	}
}

// A place is confidential for everybody who lives there, however it is written; and somebody's not knowing hides nobody else's home.
func TestConfidentialPlacesAreKnownAgain(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	for other, hidden := range map[string]bool{
		`{"lines":["1 Hidden Lane","Farville"],"postcode":"LE99 9ZB"}`:                     true,
		`{"lines":["SECRETHAVEN House, 1 Hidden Lane, Farville"]}`:                         true,
		`{"postcode":"LE99 9ZB"}`:                                                          true,
		`{"lines":["7 Hidden Lane","Farville"],"postcode":"LE99 9ZB"}`:                     false,
		`{"lines":["SECRETHAVEN House","1 Hidden Lane","Farville"],"postcode":"LE99 9ZA"}`: true,
	} {
		data := fmt.Sprintf(`{"children":[{"name":"Mia","address":{"lines":["SECRETHAVEN House","1 Hidden Lane","Farville"],"postcode":"LE99 9ZB"},"address_confidential":"yes"},{"name":"Tom","address":%s,"address_confidential":"no"}]}`, other)
		got := fill(t, d, "check", data, caseforms.FillOptions{Copy: caseforms.CopyDisclosable})["children[1].name"].Text
		if strings.Contains(got, "ithheld") != hidden {
			t.Errorf("%s: %q", other, got)
		}
		full := fill(t, d, "cp1", data, caseforms.FillOptions{})["children[1].lives_at"].Text
		if strings.Contains(full, "CONFIDENTIAL") != hidden {
			t.Errorf("%s, to Children's Social Care: %q", other, full)
		}
	}
	data := `{"person":{"addresses":[{"type":"current","address":{"lines":["1 Home Road"]}}]},"adults":[{"name":"Gran","address":{"lines":["1 Home Road"]},"address_confidential":{"state":"not_known"}}]}`
	if got := fill(t, d, "pp1", data, caseforms.FillOptions{})["current_address"].Text; got != "1 Home Road" {
		t.Errorf("the police are told %q", got)
	}
	reason := `{"children":[{"name":"Mia","address":{"state":"not_known","why":"in a refuge"},"address_confidential":"yes"}]}`
	if got := fill(t, d, "cp1", reason, caseforms.FillOptions{Copy: caseforms.CopyDisclosable})["children[0].lives_at"].Text; got != "Withheld" {
		t.Errorf("the reason is told: %q", got)
	}
}

// What a copy for the person prints of a sensitive question does not show whether there was something to withhold.
func TestWithholdingDoesNotTell(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	for _, c := range []struct{ form, one, other string }{
		{"pp1", `{"forms":{"pp1":{"named_victim":"yes","victim_officer":"Flo Fancied"}}}`, `{"forms":{"pp1":{"named_victim":"no"}}}`},
		{"pp2", `{"forms":{"pp1":{"named_victim":"yes"}}}`, `{}`},
		{"cp1", `{"forms":{"cp1":{"child_view":"He hits me.","disclosures":"To her teacher.","interviews":[{"name":"A"}]}}}`, `{}`},
		{"cp1", `{"adults":[{"name":"Gran"},{"name":"W","source_protected":"yes"}]}`, `{"adults":[{"name":"Gran"}]}`},
		{"cp1", `{"children":[{"name":"Mia","contact_pattern":"x","source_protected":"yes"},{"name":"Ben","contact_pattern":"y"}]}`, `{"children":[{"name":"Mia","contact_pattern":"x"},{"name":"Ben","contact_pattern":"y","source_protected":"yes"}]}`},
		{"check", `{"children":[{"name":"Mia","relationship":"Daughter","contact_pattern":"W hears him there","source_protected":"yes"}]}`, `{"children":[{"name":"Mia","relationship":"Daughter"}]}`},
		{"conference", `{"adults":[{"name":"W","source_protected":"yes"}]}`, `{}`},
		{"cp1", `{"professionals":[{"name":"Petra","agency":"Refuge","source_protected":"yes"},{"name":"Kit"}]}`, `{"professionals":[{"name":"Kit"}]}`},
	} {
		var got [2]string
		for i, data := range []string{c.one, c.other} {
			f := form(t, d, c.form)
			doc, err := d.Fill(f, decode(t, d, f, data), caseforms.FillOptions{Today: today, Copy: caseforms.CopyDisclosable})
			if err != nil {
				t.Fatal(err)
			}
			doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) {
				got[i] += fmt.Sprintln(a.Key, a.Label, a.State, a.Text, a.Value)
			})
		}
		if got[0] != got[1] {
			t.Errorf("%s: %s\nand %s\ndiffer:\n%s\n%s", c.form, c.one, c.other, got[0], got[1])
		}
	}
}

// What goes to outsiders is searched as a shared copy is.
func TestFormsForOutsidersAreSearched(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	for id, data := range map[string]string{
		"pp2-summary": `{"adults":[{"name":"Winifred Overhear","source_protected":"yes"}],"forms":{"pp2":{"executive_summary":"Winifred Overhear complained."}}}`,
	} {
		f := form(t, d, id)
		if _, err := d.Fill(f, decode(t, d, f, data), caseforms.FillOptions{Today: today}); err == nil {
			t.Errorf("%s names a protected source", id)
		}
	}
}

// Each copy of a conference report has what it is for: the shared one nothing protected and no word of it, the annex what is protected but
// no confidential address and no legal advice, the own file the list of what is left out (0.4 points 5 and 6; 002:272-276).
func TestCopiesOfTheConferenceReport(t *testing.T) {
	t.Parallel()
	for _, d := range []*caseforms.Definitions{definitions(t), area(t, "london")} {
		f := form(t, d, "conference")
		c := decode(t, d, f, fmt.Sprintf(sensitiveCase, "He keeps his appointments."))
		for name, want := range map[string]struct{ has, hasNot []string }{
			caseforms.CopyFull: {[]string{"Winifred Overhear", "school gate", "Counsel thinks", "Confidential address", "Would tell who", "He keeps"},
				[]string{"Hidden Lane", "LE99 9ZB"}},
			caseforms.CopyDisclosable: {[]string{"Mia Refugeman", "Gran Refugeman", "77 Openly Street", "He keeps"},
				[]string{"Winifred", "school gate", "caretaker", "Counsel", "Hidden", "LE99 9ZB", "ithheld", "Sam Brown", "nnex", "onfidential address", "leaves out", "Chair", "disclos", "people[3]"}},
			caseforms.CopyAnnex: {[]string{"Winifred Overhear", "school gate", "caretaker", "Confidential address", "Toby Refugeman"},
				[]string{"Counsel", "Hidden", "LE99 9ZB", "He keeps", "Legal advice"}},
		} {
			doc, err := d.Fill(f, c, caseforms.FillOptions{Today: today, Copy: name})
			if err != nil {
				t.Fatal(err)
			}
			all := fmt.Sprint(doc.Title, doc.Subtitle, doc.Copy, doc.Notice)
			for _, s := range doc.Sections {
				all += "\n" + s.Title + s.Intro
			}
			doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) {
				all += fmt.Sprintf("\n%s=%s: %s %s", a.Key, a.Label, a.Text, a.Value)
			})
			for _, w := range want.has {
				if !strings.Contains(all, w) {
					t.Errorf("%s %s: no %q in %s", d.Area, name, w, all)
				}
			}
			for _, w := range want.hasNot {
				if strings.Contains(all, w) {
					t.Errorf("%s %s: has %q in %s", d.Area, name, w, all)
				}
			}
		}
	}
}

// Of an address of which nobody has said whether it is confidential the copy for the person has nothing, nor of what leads there (0.4 point 7).
func TestAddressOfWhichNothingIsSaid(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	f := form(t, d, "cp1")
	for said, there := range map[string]bool{"": false, `,"address_confidential":"yes"`: false, `,"address_confidential":{"state":"not_known"}`: false, `,"address_confidential":"no"`: true} {
		c := decode(t, d, f, `{"children":[{"name":"Mia Example","school":"Hidden School","address":{"lines":["7 Hidden Lane"]}`+said+`}]}`)
		doc, err := d.Fill(f, c, caseforms.FillOptions{Today: today, Copy: caseforms.CopyDisclosable, Draft: true})
		if err != nil {
			t.Fatal(err)
		}
		all := ""
		doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) { all += a.Text + "\n" })
		if strings.Contains(all, "Hidden Lane") != there || strings.Contains(all, "Hidden School") != there {
			t.Errorf("%q: address and school stand there: %t", said, !there)
		}
	}
}

// The annex goes to the Chair only once that is arranged.
func TestAnnexIsArrangedFirst(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	f := form(t, d, "conference")
	for data, wants := range map[string]bool{`{}`: true, `{"forms":{"conference":{"arranged_with_chair_on":"2026-12-01"}}}`: false} {
		for _, name := range f.Copies {
			ps, err := d.Check(f, decode(t, d, f, data), caseforms.FillOptions{Today: today, Copy: name})
			p := find(ps, "before the annex goes")
			if got := p != nil && p.Severity == caseforms.Blocking; err != nil || got != (wants && name == caseforms.CopyAnnex) {
				t.Errorf("%s %s: %v %v", data, name, p, err)
			}
		}
	}
}

// The copy for the person of a form that marks what it withholds says so in its place, without the reason.
func TestVisibleWithholding(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	data := `{"victims":[{"reference":"V77"}],"adults":[{"name":"Winifred Overhear","source_protected":"yes"},{"name":"Gran Refugeman"}],"person":{"religion":{"state":"withheld","why":"he asked us to"},"visor_ref":"ABC1"},
	 "forms":{"pp1":{"victim_concerns":"Afraid of being followed home."}}}`
	got := fill(t, d, "pp1", data, caseforms.FillOptions{Copy: caseforms.CopyDisclosable})
	for key, want := range map[string]string{"victims": "Withheld", "victim_concerns": "Withheld", "adults[0].name": "Gran Refugeman", "named_victim": "Withheld", "religion": "Withheld", "visor_ref": "Withheld"} {
		if got[key].Text != want || want == "Withheld" && (got[key].State != caseforms.Withheld || got[key].Value != "" || got[key].Why != "") {
			t.Errorf("%s: %+v", key, got[key])
		}
	}
	full := fill(t, d, "pp1", data, caseforms.FillOptions{})
	if full["victims[0].reference"].Text != "V77" || full["religion"].Text != "Withheld: he asked us to" {
		t.Errorf("the full copy has %+v", full)
	}
	f := form(t, d, "pp1")
	doc, err := d.Fill(f, decode(t, d, f, data), caseforms.FillOptions{Today: today, Copy: caseforms.CopyDisclosable})
	var keys []string
	for _, l := range doc.LeftOut {
		keys = append(keys, l.Key+" "+string(l.Why))
	}
	if want := "visor_ref third_party, adults[0] source, victim_concerns victim, victims victim"; err != nil || strings.Join(keys, ", ") != want {
		t.Errorf("left out: %s (%v)", strings.Join(keys, ", "), err)
	}
}

// Whatever is withheld and whatever is told, nothing breaks; and a name that stands in a narrative as it stands in the case is found there.
func FuzzCopies(f *testing.F) {
	d := definitions(f)
	for _, s := range [][3]string{{"Winifred Overhear", "1 Hidden Lane", "nobody"}, {"Ŵyn Żółć", "Flat 2\nThe Haven", "x. y"}, {"", "", ""}, {"A", "7", "0"}, {"محمد علي", "\u0301", "4 May 1971"}, {"Mrs", "Road,,", "'s"}} {
		f.Add(s[0], s[1], s[2])
	}
	name := regexp.MustCompile(`^[A-Z][a-z]{4,9} [A-Z][a-z]{4,9}$`)
	f.Fuzz(func(t *testing.T, who, where, text string) {
		data, err := json.Marshal(map[string]any{
			"adults":   []any{map[string]any{"name": who, "source_protected": "yes", "carer_view": text}},
			"children": []any{map[string]any{"name": "Mia", "address": map[string]any{"lines": []any{where}}, "address_confidential": "yes"}},
			"forms":    map[string]any{"conference": map[string]any{"assessment": text + " " + who + " " + text, "legal_advice": where}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"conference", "cp1", "pp2-summary"} {
			fm := form(t, d, id)
			c, _ := d.Decode(data, fm)
			if c == nil {
				return
			}
			for _, copy := range fm.Copies {
				_, err := d.Fill(fm, c, caseforms.FillOptions{Today: today, Copy: copy})
				if id == "conference" && copy == caseforms.CopyDisclosable && name.MatchString(who) && err == nil {
					t.Errorf("%q is told", who)
				}
				if _, err := d.Check(fm, c, caseforms.FillOptions{Today: today, Copy: copy}); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
