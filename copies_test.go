package caseforms_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"caseforms"
)

// A case with a protected adult and a refuge; %s is the assessment of the conference report.
const sensitiveCase = `{"person":{"given_names":"Toby","family_name":"Refugeman","addresses":[{"type":"current","address":{"lines":["77 Openly Street","Northtown"],"postcode":"LE99 9ZA"}}]},
 "children":[{"name":"Mia Refugeman","dob":"2020-02-02","address":{"lines":["SECRETHAVEN House","1 Hidden Lane","Farville"],"postcode":"LE99 9ZB"},"address_confidential":"yes","relationship":"Daughter"}],
 "adults":[{"name":"Winifred Overhear","dob":"1971-05-04","phone":"07700 900333","relationship_to_person":"Neighbour","address":{"lines":["79 Openly Street","Northtown"],"postcode":"LE99 9ZA"},"carer_view":"She hears shouting through the wall. On Fridays it is worst.","source_protected":"yes"},
  {"name":"Gran Refugeman","relationship_to_person":"Mother"}],
 "victims":[{"reference":"V77","relationship":"Former partner of the person"}],
 "forms":{"conference":{"assessment":%q,"protected_information":[{"information":"He was seen at the school gate twice in one week.","from_whom":"The caretaker"}],"legal_advice":"Counsel thinks the order would not stand up."}}}`

// Nothing that a copy withholds may stand in the words of another answer, however it is written; and common words are no reason to stop it.
func TestWithheldFactsInNarratives(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	f := form(t, d, "conference")
	for text, tells := range map[string]bool{
		"The neighbour, Winifred Overhear, told us.":                           true,
		"WINIFRED OVERHEAR told us.":                                           true,
		"Mrs Overhear told us.":                                                true,
		"Winifred's window looks out on the yard.":                             true,
		"They live at Secrethaven house.":                                      true,
		"They live at 1, Hidden  Lane.":                                        true,
		"The postcode is le999zb.":                                             true,
		"Ring 07700-900 333.":                                                  true,
		"She hears shouting through the wall; nobody else does.":               true,
		"She was born on 4 May 1971.":                                          true,
		"She was born on 04/05/1971.":                                          true,
		"A man was seen: he was seen at the school gate twice in one week.":    true,
		"Counsel thinks the order would not stand up.":                         true,
		"A witness might overhear what is said at home.":                       false, // the verb
		"Toby Refugeman lives in Northtown, as Gran Refugeman does.":           false, // open names and the town
		"The neighbour and the mother were not asked. They moved to Farville.": false,
		"Openly, in the street, at LE99 9ZA.":                                  false, // the person's own postcode too
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
				[]string{"Overhear", "school gate", "caretaker", "Counsel", "Hidden", "LE99 9ZB", "ithheld", "nnex", "onfidential address", "leaves out", "Chair", "disclos", "people[2]"}},
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
	for key, want := range map[string]string{"victims": "Withheld", "victim_concerns": "Withheld", "adults[0].name": "Withheld", "adults[1].name": "Gran Refugeman", "religion": "Withheld", "visor_ref": "Withheld"} {
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
