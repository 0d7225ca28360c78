package caseforms_test

import (
	"fmt"
	"strings"
	"testing"

	"caseforms"
)

var today = caseforms.Date{Year: 2026, Month: 11, Day: 20}

func check(t *testing.T, d *caseforms.Definitions, formID, data string) []caseforms.Problem {
	t.Helper()
	f := form(t, d, formID)
	ps, err := d.Check(f, decode(t, d, f, data), caseforms.FillOptions{Today: today})
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

func find(ps []caseforms.Problem, part string) *caseforms.Problem {
	for i := range ps {
		if strings.Contains(ps[i].String(), part) {
			return &ps[i]
		}
	}
	return nil
}

// The first sample may be issued as both forms without a single warning.
func TestFirstSampleIsWithoutWarning(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	for _, id := range []string{"cp1", "check"} {
		if ps := check(t, d, id, string(sample(t, "01-simple.json"))); len(ps) != 0 {
			t.Errorf("%s: %v", id, ps)
		}
	}
}

// An urgent CP1 needs four things; everything else missing is a warning (0.4 point 1).
func TestUrgentReferralNeedsFourThings(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	whole := `{"person":{"family_name":"X"},"practitioner":{"phone":"01632 960101"},"childrens_services":[{"service":"mash"}],
	 "forms":{"cp1":{"urgency":%q,"concern":"he is at the door"}}}`
	if ps := check(t, d, "cp1", fmt.Sprintf(whole, "immediate_danger")); caseforms.Blocks(ps) || len(ps) < 10 {
		t.Errorf("with the four: %v", ps)
	}
	if ps := check(t, d, "cp1", fmt.Sprintf(whole, "other_concern")); !caseforms.Blocks(ps) {
		t.Error("the same, not urgent, may be issued")
	}
	for _, missing := range []string{`"family_name":"X"`, `"phone":"01632 960101"`, `"service":"mash"`, `,"concern":"he is at the door"`} {
		data := strings.Replace(fmt.Sprintf(whole, "significant_harm"), missing, "", 1)
		ps := check(t, d, "cp1", data)
		n := 0
		for _, p := range ps {
			if p.Severity == caseforms.Blocking {
				n++
			}
		}
		if n != 1 {
			t.Errorf("without %s: %d blocking problems, want 1: %v", missing, n, ps)
		}
	}
	// what a rule finds does not block either
	ps := check(t, d, "cp1", strings.Replace(fmt.Sprintf(whole, "immediate_danger"), `"person"`, `"children":[{"name":"C","lives_at_release_address":"yes"}],"person"`, 1))
	if p := find(ps, "section 47"); p == nil || caseforms.Blocks(ps) {
		t.Errorf("section 47 rule: %v", p)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	for name, c := range map[string]struct {
		form, data string
		severity   caseforms.Severity
		want       string
	}{
		"C15 section 47 enquiry":      {"cp1", `{"children":[{"name":"A","lives_at_release_address":"yes"}],"forms":{"cp1":{"asked_of_csc":["address_view"]}}}`, caseforms.Blocking, "We ask for (forms.cp1.asked_of_csc): must ask for a child protection (section 47) enquiry"},
		"C11 small child":             {"cp1", `{"children":[{"unborn":"yes"}],"forms":{"cp1":{"risk_factors":["domestic_abuse"],"referral_type":"information_only"}}}`, caseforms.Warning, "should be a referral proper"},
		"C11 by age in months":        {"cp1", `{"children":[{"dob":"7 months"}],"forms":{"cp1":{"risk_factors":["domestic_abuse"],"referral_type":"information_only"}}}`, caseforms.Warning, "should be a referral proper"},
		"release before sentence":     {"cp1", `{"sentence":{"date":"2026-05-01","release_date":"2026-01-01"},"release":{"kind":"conditional_release"}}`, caseforms.Warning, "Expected release date (sentence.release_date): is earlier than the date of sentence"},
		"expiry before sentence":      {"check", `{"sentence":{"date":"2026-05-01","expiry_date":"2026-01-01"}}`, caseforms.Warning, "Sentence expiry date (sentence.expiry_date): is earlier"},
		"born in the future":          {"check", `{"person":{"dob":"2062-01-01"}}`, caseforms.Warning, "Date of Birth (person.dob): lies in the future"},
		"younger than ten":            {"check", `{"person":{"dob":"2018-01-01"},"offences":[{"description":"x","offence_date":"2024-01-01"}]}`, caseforms.Warning, "younger than ten"},
		"child born in the future":    {"check", `{"children":[{"dob":"2030-01-01"}]}`, caseforms.Warning, "a child whose date of birth lies in the future"},
		"expected too late":           {"check", `{"children":[{"unborn":"yes","edd":"2027-12-01"}]}`, caseforms.Warning, "later than 42 weeks"},
		"expected but not unborn":     {"check", `{"children":[{"edd":"2027-02-01"}]}`, caseforms.Warning, "not said to be unborn"},
		"other authority":             {"check", `{"childrens_services":[{"authority":"A"},{"authority":"B"}]}`, caseforms.Warning, "one of several authorities"},
		"child without authority":     {"check", `{"childrens_services":[{"authority":"A"},{"authority":"B"}],"children":[{"name":"C"}]}`, caseforms.Warning, "local authority is not given"},
		"no child of this authority":  {"cp1", `{"childrens_services":[{"authority":"A"},{"authority":"B"}],"children":[{"name":"C","local_authority":"B"}]}`, caseforms.Blocking, "has no child of this authority"},
		"authority misspelt":          {"check", `{"childrens_services":[{"authority":"A Council"}],"children":[{"name":"C","local_authority":"A"}]}`, caseforms.Warning, "is none of the authorities concerned"},
		"needed when a child visits":  {"cp1", `{"children":[{"name":"C","visits":"yes"}]}`, caseforms.Blocking, "Significance of the offence"},
		"no children, no reason":      {"cp1", `{"children":{"state":"not_known"}}`, caseforms.Blocking, "No child is identified because"},
		"information only and more":   {"cp1", `{"forms":{"cp1":{"asked_of_csc":["information_only","conference"]}}}`, caseforms.Warning, "and for action as well"},
		"small child of unknown age":  {"cp1", `{"children":[{"name":"C"}],"forms":{"cp1":{"risk_factors":["domestic_abuse"],"referral_type":"information_only"}}}`, caseforms.Warning, "should be a referral proper"},
		"endorsement, very high RoSH": {"cp1", `{"risk":{"rosh_children":"very_high"}}`, caseforms.Blocking, "Endorsed by the manager"},
		"release address besides":     {"cp1", `{"release":{"kind":"parole"}}`, caseforms.Blocking, "Address where expected to live on release (person.addresses): is not answered"},
		"half a name":                 {"check", `{"person":{"given_names":"A"}}`, caseforms.Warning, "Name of the offender (person.given_names): is given without the family name"},
		"child with only an address":  {"check", `{"children":[{"address":{"lines":["1 A Road"]}}]}`, caseforms.Warning, "Child 1: Name (children[0].name): is not answered"},
		"urgent needs, not states":    {"cp1", `{"practitioner":{"phone":{"state":"not_known"}},"forms":{"cp1":{"urgency":"immediate_danger"}}}`, caseforms.Blocking, "Telephone (practitioner.phone): must be given even when the referral is urgent"},
		"no current address":          {"cp1", `{"person":{"addresses":[{"type":"previous","address":{"lines":["x"]}}]}}`, caseforms.Warning, "none is of the type current"},
		"doubtful identifier":         {"cp1", `{"person":{"crn":"X12"}}`, caseforms.Warning, "CRN (person.crn): a CRN is one letter and six digits"},
		"doubt in a list":             {"cp1", `{"children":[{"name":"A","nhs_number":"123"}]}`, caseforms.Warning, "Child 1: NHS number (children[0].nhs_number): an NHS number has ten digits"},
		"doubt in an address":         {"check", `{"practitioner":{"address":{"lines":["x"],"postcode":"NOWHERE"}}}`, caseforms.Warning, "Address (practitioner.address.postcode): this is not a UK postcode"},
		"emergency number":            {"cp1", `{"practitioner":{"phone":"999"}}`, caseforms.Warning, "Telephone (practitioner.phone): an emergency or short number"},
		"reason for no consent":       {"cp1", `{"forms":{"cp1":{"parent_consent":"no"}}}`, caseforms.Blocking, "why we go ahead without (forms.cp1.no_consent_reason): is not answered"},
		"endorsement when high":       {"cp1", `{"forms":{"cp1":{"risk_opinion":"high"}}}`, caseforms.Blocking, "Endorsed by the manager (forms.cp1.manager_endorsement)"},
		"children or the reason why":  {"cp1", `{}`, caseforms.Blocking, "The children (children): is not answered"},
		"a doubt by its place":        {"cp1", `{"childrens_services":[{"authority":"A","service":"mash","email":"x"}]}`, caseforms.Warning, "Its email (childrens_services[0].email): this does not look like an e-mail"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ps := check(t, d, c.form, c.data)
			p := find(ps, c.want)
			if p == nil {
				t.Fatalf("not told: %v", ps)
			}
			if p.Severity != c.severity {
				t.Errorf("severity %s, want %s", p.Severity, c.severity)
			}
		})
	}
}

// What is said not to be known, or not to apply, is an answer: nothing more is asked.
func TestStatesSatisfyWhatIsRequired(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	ps := check(t, d, "check", `{"person":{"dob":{"state":"not_known","why":"records sealed"}},"children":{"state":"none_known"},"offences":{"state":"withheld"}}`)
	for _, key := range []string{"person.dob", "children", "offences"} {
		if find(ps, "("+key+")") != nil {
			t.Errorf("%s is still asked for", key)
		}
	}
	ps = check(t, d, "cp1", `{"forms":{"cp1":{"no_child_identified_reason":"none was seen"}}}`)
	if find(ps, "(children)") != nil {
		t.Error("children are asked for although the reason is given")
	}
}

func TestProblemsComeInFormOrder(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	f := form(t, d, "cp1")
	place := map[string]int{}
	n := 0
	for _, s := range f.Sections {
		for _, q := range s.Fields {
			n++
			place["forms.cp1."+q.Key] = n
			for _, p := range q.From {
				if place[p] == 0 {
					place[p] = n
				}
			}
		}
	}
	last := 0
	for _, p := range check(t, d, "cp1", `{}`) {
		if at := place[p.Key]; at > 0 {
			if at < last {
				t.Errorf("%s is out of order", p.Key)
			}
			last = at
		}
	}
	if last == 0 {
		t.Error("no problem was placed")
	}
}
