package caseforms_test

import (
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
	data := `{"childrens_services":[{"authority":"North","phone":"01632 960200"},{"authority":"South","phone":"01632 960700"}],
	 "children":[{"name":"Nora","local_authority":"north"},{"name":"Sol","local_authority":"South"},{"name":"Una"}]}`
	for authority, want := range map[string]string{"": "Nora Una 01632 960200", "South": "Sol Una 01632 960700", "north": "Nora Una 01632 960200"} {
		a := fill(t, d, "cp1", data, caseforms.FillOptions{For: authority})
		var got []string
		for _, k := range []string{"children[0].name", "children[1].name", "children[2].name", "to_phone"} {
			if x, ok := a[k]; ok {
				got = append(got, x.Text)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: %s, want %s", authority, s, want)
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
Is the defendant known to Children’s Social Care? If so, in what capacity?
Are any of the children named in Appendix 2 known to Children’s Social Care ?
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
