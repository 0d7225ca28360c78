package caseforms_test

import (
	"fmt"
	"strings"
	"testing"

	"caseforms"
)

func fill(t *testing.T, d *caseforms.Definitions, formID, data string, o caseforms.FillOptions) map[string]caseforms.Answer {
	t.Helper()
	f := form(t, d, formID)
	if o.Today.IsZero() {
		o.Today = today
	}
	doc, err := d.Fill(f, decode(t, d, f, data), o)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]caseforms.Answer{}
	doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) {
		if _, twice := out[a.Key]; twice {
			t.Errorf("the key %s stands twice in the document", a.Key)
		}
		out[a.Key] = *a
	})
	return out
}

func TestFillPrints(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	for name, c := range map[string]struct {
		form, data, key, want string
	}{
		"full name":                  {"check", `{"person":{"given_names":"Siân","family_name":"D'Arcy-de la Cruz"}}`, "offender_name", "Siân D'Arcy-de la Cruz"},
		"single-letter names":        {"check", `{"person":{"given_names":"A","family_name":"O"}}`, "offender_name", "A O"},
		"one name only":              {"check", `{"person":{"family_name":"O'Brien"}}`, "offender_name", "O'Brien"},
		"date in words":              {"check", `{"person":{"dob":"2007-03-27"}}`, "dob", "27 March 2007"},
		"not known, with why":        {"check", `{"person":{"dob":{"state":"not_known","why":"sealed"}}}`, "dob", "Not known: sealed"},
		"not applicable":             {"check", `{"sentence":{"licence_type":{"state":"not_applicable"}}}`, "licence_type", "Not applicable"},
		"withheld":                   {"check", `{"sentence":{"court":{"state":"withheld"}}}`, "sentencing_court", "Withheld"},
		"not answered":               {"check", `{}`, "sentence_length", "Not answered"},
		"none known":                 {"check", `{"children":{"state":"none_known"}}`, "children", "None known"},
		"an empty list is no answer": {"check", `{"children":[]}`, "children", "Not answered"},
		"several addresses":          {"check", `{"person":{"addresses":[{"type":"current","address":{"lines":["1 A Road"],"postcode":"le999zz"}},{"type":"previous","address":{"lines":["2 B Road"]}},{"type":"other","address":{"lines":["3 C Road","Town"]}}]}}`, "addresses", "1 A Road, LE99 9ZZ\n3 C Road, Town"},
		"no fixed abode":             {"check", `{"person":{"addresses":[{"type":"current","address":{"no_fixed_abode":"yes","closest_area":"Northtown"}}]}}`, "addresses", "No fixed abode; closest links to Northtown"},
		"confidential address":       {"cp1", `{"children":[{"name":"C","address":{"lines":["Refuge"]},"address_confidential":"yes"}]}`, "children[0].lives_at", "Refuge (CONFIDENTIAL ADDRESS – do not pass on)"},
		"confidential, the person's": {"cp1", `{"person":{"addresses":[{"type":"current","address":{"lines":["1 A Road"]},"address_confidential":"yes"}]}}`, "p_current_address", "1 A Road (CONFIDENTIAL ADDRESS – do not pass on)"},
		"confidential, an adult's":   {"cp1", `{"adults":[{"name":"B","address":{"lines":["1 A Road"]},"address_confidential":"yes"}]}`, "adults[0].address", "1 A Road (CONFIDENTIAL ADDRESS – do not pass on)"},
		"not confidential":           {"cp1", `{"adults":[{"name":"B","address":{"lines":["1 A Road"]},"address_confidential":"no"}]}`, "adults[0].address", "1 A Road"},
		"23 months":                  {"check", `{"children":[{"name":"C","dob":"2024-11-21"}]}`, "children[0].dob", "21 November 2024 (23 months)"},
		"two years":                  {"check", `{"children":[{"name":"C","dob":"2024-11-20"}]}`, "children[0].dob", "20 November 2024 (aged 2)"},
		"six is under seven":         {"cp1", `{"children":[{"name":"C","dob":"2019-11-21"}]}`, "under_seven", "Yes: C"},
		"seven is not":               {"cp1", `{"children":[{"name":"C","dob":"2019-11-20"}]}`, "under_seven", "No"},
		"current addresses, both":    {"cp1", `{"person":{"addresses":[{"type":"current","address":{"lines":["1 A"]}},{"type":"current","address":{"lines":["2 B"]}}]}}`, "p_current_address", "1 A\n2 B"},
		"age in years":               {"check", `{"children":[{"name":"C","dob":"2014-05-03"}],"forms":{"check":{"sent_date":"2026-05-02"}}}`, "children[0].dob", "3 May 2014 (aged 11)"},
		"age on the birthday":        {"check", `{"children":[{"name":"C","dob":"2014-05-03"}],"forms":{"check":{"sent_date":"2026-05-03"}}}`, "children[0].dob", "3 May 2014 (aged 12)"},
		"age in months":              {"check", `{"children":[{"name":"C","dob":"2026-04-20"}]}`, "children[0].dob", "20 April 2026 (7 months)"},
		"partial date":               {"check", `{"children":[{"name":"C","dob":"May 2014"}]}`, "children[0].dob", "May 2014"},
		"age as given":               {"check", `{"children":[{"name":"C","dob":"age 4"}]}`, "children[0].dob", "age 4"},
		"unborn":                     {"check", `{"children":[{"unborn":"yes","edd":"2027-03-03"}]}`, "children[0].dob", "Unborn, expected 3 March 2027"},
		"unborn without a name":      {"cp1", `{"children":[{"unborn":"yes"}]}`, "children[0].name", "Unborn child"},
		"local time":                 {"cp1", `{"forms":{"cp1":{"telephone_call_at":"2026-07-01T09:30:00Z"}}}`, "telephone_call_at", "1 July 2026, 10:30"},
		"ticked boxes":               {"cp1", `{"forms":{"cp1":{"abuse_categories":["neglect","physical"]}}}`, "abuse_categories", "Physical\nNeglect"},
		"no box applies":             {"cp1", `{"forms":{"cp1":{"risk_factors":{"state":"none_known"}}}}`, "risk_factors", "None known"},
		"joined facts":               {"cp1", `{"mappa":{"category":"2","level":"3"}}`, "mappa_summary", "Category 2 – violent and other sexual offender; Level 3"},
		"joined, one not known":      {"cp1", `{"mappa":{"category":"2","level":{"state":"not_known"}}}`, "mappa_summary", "Category 2 – violent and other sexual offender; Level not known"},
		"joined, one state":          {"cp1", `{"mappa":{"state":"not_applicable","why":"not eligible"}}`, "mappa_summary", "Not applicable: not eligible"},
		"address line with a state":  {"check", `{"person":{"addresses":[{"type":"current","address":{"lines":[{"state":"withheld","why":"refuge"}]}}]}}`, "addresses", "Withheld: refuge"},
		"lines withheld, postcode":   {"check", `{"practitioner":{"address":{"lines":{"state":"withheld","why":"risk"},"postcode":"LE99 9ZZ"}}}`, "om_address", "address withheld: risk, LE99 9ZZ"},
		"abode not known":            {"check", `{"practitioner":{"address":{"no_fixed_abode":{"state":"not_known","why":"moves"}}}}`, "om_address", "Not known: moves"},
		"area alone":                 {"check", `{"practitioner":{"address":{"closest_area":"Northtown"}}}`, "om_address", "closest links to Northtown"},
		"no abode, area not known":   {"check", `{"practitioner":{"address":{"no_fixed_abode":"yes","closest_area":{"state":"not_known","why":"moves"}}}}`, "om_address", "No fixed abode; closest links to: not known: moves"},
		"address withheld, name not": {"check", `{"children":[{"name":"C","address":{"state":"withheld","why":"refuge"}}]}`, "children[0].name", "C\naddress: Withheld: refuge"},
		"telephone withheld":         {"cp1", `{"children":[{"name":"C","allocated_sw":{"name":"Ash","phone":{"state":"withheld","why":"new number"}}}]}`, "child_details[0].allocated_sw", "Ash, telephone withheld: new number"},
		"date of offence not known":  {"check", `{"offences":[{"description":"Theft","offence_date":{"state":"not_known","why":"historic"}}]}`, "offence_committed", "Theft (date not known: historic)"},
		"joined, with the reason":    {"cp1", `{"mappa":{"category":{"state":"not_known","why":"asked"},"level":"1"}}`, "mappa_summary", "Category not known: asked; Level 1"},
		"joined, two reasons":        {"cp1", `{"mappa":{"category":{"state":"not_known","why":"asked"},"level":{"state":"not_known","why":"lost"}}}`, "mappa_summary", "Category not known: asked; Level not known: lost"},
		"unborn and expected when":   {"check", `{"children":[{"unborn":"yes","edd":{"state":"not_known","why":"no scan"}}]}`, "children[0].dob", "Unborn, expected: not known: no scan"},
		"expected without unborn":    {"check", `{"children":[{"name":"C","edd":"2027-03-03"}]}`, "children[0].dob", "expected 3 March 2027"},
		"confidential perhaps":       {"cp1", `{"children":[{"name":"C","address":{"lines":["1 A Road"]},"address_confidential":{"state":"not_known"}}]}`, "children[0].lives_at", "1 A Road (CONFIDENTIAL ADDRESS – do not pass on)"},
		"no companion needed":        {"check", `{"practitioner":{"role":"community","role_other":{"state":"not_applicable"}}}`, "position", "Community Probation Practitioner (Community Offender Manager)"},
		"address of no kind":         {"check", `{"person":{"addresses":[{"address":{"lines":["3 C Road"]}},{"type":{"state":"not_known"},"address":{"lines":["4 D Road"]}}]}}`, "addresses", "3 C Road\n4 D Road"},
		"the right signatory":        {"check", `{"practitioner":{"name":"Robin"},"manager":{"name":"Sam"}}`, "sent_by", "Robin"},
		"urgent, not known yet":      {"cp1", `{"forms":{"cp1":{"urgency":"immediate_danger"}}}`, "p_dob", "Not known at time of referral"},
		"young children":             {"cp1", `{"children":[{"name":"C","dob":"2026-01-01"},{"name":"D","dob":"2012-01-01"}]}`, "under_one", "Yes: C"},
		"young, some ages unknown":   {"cp1", `{"children":[{"name":"C","dob":"2012-01-01"},{"name":"D"}]}`, "under_one", "Not known: age not known (D)"},
		"no young children":          {"cp1", `{"children":[{"name":"C","dob":"2012-01-01"}]}`, "under_seven", "No"},
		"doubtful kept as typed":     {"cp1", `{"person":{"pnc":"2001/0171310S"}}`, "p_pnc", "2001/0171310S"},
		"identifier normalised":      {"cp1", `{"person":{"pnc":"02/73319Z"}}`, "p_pnc", "2002/0073319Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, ok := fill(t, d, c.form, c.data, caseforms.FillOptions{})[c.key]
			if !ok {
				t.Fatal("not printed at all")
			}
			if a.Text != c.want {
				t.Errorf("prints %q, want %q", a.Text, c.want)
			}
		})
	}
}

// One document is for one authority, with its children and those whose authority is not known (0.4 point 9).
func TestEachAuthorityGetsItsOwnChildren(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	data := `{"childrens_services":[{"authority":"North  Council","phone":"01632 960200"},{"authority":"South","phone":"01632 960700"},{"phone":"01632 960900"}],
	 "children":[{"name":"Nora","local_authority":"north council"},{"name":"Sol","local_authority":"South"},{"name":"Una"},{"name":"Mis","local_authority":"Spelt"}]}`
	for who, want := range map[string]string{"": "Nora Una Mis 01632 960200", "South": "Sol Una Mis 01632 960700", "2": "Sol Una Mis 01632 960700",
		"NORTH COUNCIL": "Nora Una Mis 01632 960200", "3": "Una Mis 01632 960900"} {
		a := fill(t, d, "cp1", data, caseforms.FillOptions{For: who})
		var got []string
		for _, k := range []string{"children[0].name", "children[1].name", "children[2].name", "children[3].name", "to_phone"} {
			if x, ok := a[k]; ok {
				got = append(got, x.Text)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: %s, want %s", who, s, want)
		}
	}
	// and so in every form that prints children
	for f, key := range map[string]string{"check": "children[%d].name", "conference": "people[%d].name"} {
		a := fill(t, d, f, data, caseforms.FillOptions{For: "South"})
		var got []string
		for i := range 4 {
			if x, ok := a[fmt.Sprintf(key, i)]; ok {
				got = append(got, x.Text)
			}
		}
		if s := strings.Join(got, " "); s != "Sol Una Mis" {
			t.Errorf("%s: %s", f, s)
		}
	}
	// another authority's child asks nothing of this one's document
	ps := check(t, d, "cp1", `{"childrens_services":[{"authority":"A"},{"authority":"B"}],"children":[{"name":"X","local_authority":"A"},{"name":"Y","local_authority":"B","lives_at_release_address":"yes"}]}`)
	for _, p := range ps {
		if strings.Contains(p.Msg, "section 47") || strings.Contains(p.Label, "Significance") && p.Severity == caseforms.Blocking {
			t.Errorf("asked because of another authority's child: %s", p)
		}
	}
	f := form(t, d, "cp1")
	if _, err := d.Fill(f, decode(t, d, f, data), caseforms.FillOptions{For: "West"}); err == nil {
		t.Error("an authority that is not in the case is accepted")
	}
}

// What only we need is in no document.
func TestInternalAnswersAreNotPrinted(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	for key, a := range fill(t, d, "check", `{"forms":{"check":{"purpose":"both","trigger":"hdc"}}}`, caseforms.FillOptions{}) {
		if key == "purpose" || key == "trigger" || strings.Contains(a.Text, "Home Detention") {
			t.Errorf("%s is printed", key)
		}
	}
}

// A question whose condition does not hold is not printed, unless somebody answered it all the same.
func TestConditions(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	if _, ok := fill(t, d, "cp1", `{"forms":{"cp1":{"parent_consent":"yes"}}}`, caseforms.FillOptions{})["no_consent_reason"]; ok {
		t.Error("asked for a reason although there is consent")
	}
	if _, ok := fill(t, d, "cp1", `{"forms":{"cp1":{"parent_consent":"no"}}}`, caseforms.FillOptions{})["no_consent_reason"]; !ok {
		t.Error("no reason asked for")
	}
	if a := fill(t, d, "cp1", `{"forms":{"cp1":{"parent_consent":"yes","no_consent_reason":"typed"}}}`, caseforms.FillOptions{})["no_consent_reason"]; a.Text != "typed" {
		t.Error("an answer is dropped because its condition does not hold")
	}
	// So with a section of which only a list has something.
	if a := fill(t, d, "pp2", `{"forms":{"pp2":{"meeting_kind":"initial","prior_actions":[{"action":"typed"}]}}}`, caseforms.FillOptions{})["prior_actions[0].action"]; a.Text != "typed" {
		t.Error("a list is dropped because the condition of its section does not hold")
	}
}

// London prints the seed of 2014 to the letter (002:951-1018).
func TestLondonCheckIsTheSeedToTheLetter(t *testing.T) {
	t.Parallel()
	d := area(t, "london")
	f := form(t, d, "check")
	doc, err := d.Fill(f, nil, caseforms.FillOptions{Blank: true, Today: today})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range doc.Sections {
		if s.Title != "" {
			got = append(got, s.Title)
		}
		for _, p := range s.Parts {
			switch {
			case p.Letter != nil:
				line := ""
				for _, r := range p.Letter {
					if r.Answer != nil {
						line += "_____"
					}
					line += r.Text
				}
				got = append(got, line)
			case p.Table != nil:
				got = append(got, p.Table.Label)
				for _, c := range p.Table.Columns {
					got = append(got, c.Label)
				}
			default:
				got = append(got, strings.TrimSpace(p.Answer.Label+" "+p.Answer.Text))
			}
		}
	}
	want := `TO: Children’s Social Care, London Borough of
FROM: London Community Rehabilitation Company
Address:
Offender manager:
Address:
Telephone:
Telephone:
Fax:
Fax:
Email:
Email:
Name of the offender :
Date of Birth :
Address(es) :
Offence committed :
Sentence date :
Sentencing Court :
Type of sentence :
Additional requirements :
Length of sentence :
Prison establishment :
Release date :
Type of licence :
Sentence expiry date :
Name(s) date(s) of birth and addresses of the Offender’s Child/ren / other children who have significant contact with the offender:
Name
D.O.B/Age
Relationship/contact with offender
School/nursery/college (if known)
REQUEST FOR INFORMATION
London CRC is currently involved in a statutory capacity with the above named. This information is for the purpose of a risk assessment and the effective management of this offender, whose case is currently managed by London CRC. We would be grateful if you would complete the form below and return it by fax to _____ Please mark it for the attention of : _____ Or via e-mail to : _____.
Sent by:
Position:
Signature:
Date:
Please complete the questions below:
Is the defendant known to Children’s Social Care? If so, in what capacity? Please select
Are any of the children named in Appendix 2 known to Children’s Social Care ? Please select
If so, what is the nature of your contact with them (e g Child Protection Plan, Section 17 support Common Assessment Framework) Please include the name / contact number of any allocated social worker(s) and the date of any future Child Protection or child in Need meetings to be held.
Sent by:
Position:
Signature:
Date:`
	if strings.Join(got, "\n") != want {
		t.Errorf("printed:\n%s\n\nwant:\n%s", strings.Join(got, "\n"), want)
	}
	if doc.Title != "SAFEGUARDING CHILDREN – Check/Notification Form" || doc.Subtitle != "Contact with Children’s Social Care" || doc.Marking != "OFFICIAL" {
		t.Errorf("head: %s / %s / %s", doc.Title, doc.Subtitle, doc.Marking)
	}
}
