package caseforms_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"caseforms"
)

var update = flag.Bool("update", false, "write docs/forms.md anew")

// docs/forms.md lists every form, question, rule and source, and is made from the definitions.
func TestReferencePageIsCurrent(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# The forms\n\nMade from the definitions by `go test . -update`. What the sources are called is in [sources](sources.md).\n")
	b.WriteString(definitions(t).Reference())
	b.WriteString("\n# Area london\n")
	london := *area(t, "london")
	var own []*caseforms.Form
	for _, f := range london.Forms {
		if f.Replaces != nil {
			own = append(own, f)
		}
	}
	london.Forms, london.Rules = own, nil
	b.WriteString(london.Reference())
	if *update {
		if err := os.WriteFile("docs/forms.md", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("docs/forms.md")
	if err != nil || string(got) != b.String() {
		t.Errorf("docs/forms.md is not current (%v): go test . -update", err)
	}
}

// The ten headings of the minutes, in the seed's order and words (003:338-347).
func TestMinutesHaveTheTenHeadings(t *testing.T) {
	t.Parallel()
	want := []string{"Confirmation of the risk assessment", "Potential for specific and realistic plans to minimise risk",
		"Arrangements to ensure effective implementation and monitoring", "Need for information sharing and protection measures for past and potential victims",
		"Allocation of specific resources", "Review of suitability of current or planned housing", "Potential risk to children / young people",
		"Authorisation to apply for a civil order", "Management of serious community concerns and/or media implications", "Wider disclosure"}
	f := form(t, definitions(t), "pp2")
	var got []string
	for _, s := range f.Sections {
		for _, q := range s.Fields {
			if len(q.Key) <= 3 && strings.HasPrefix(q.Key, "m") {
				got = append(got, q.Label.En)
			}
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("headings:\n%s", strings.Join(got, "\n"))
	}
	a := fill(t, definitions(t), "pp2", `{"forms":{"pp2":{"m8":{"state":"not_applicable","why":"nothing to restrain"}}}}`, caseforms.FillOptions{})
	if a["m8"].Text != "Considered, not applicable: nothing to restrain" {
		t.Errorf("prints %q", a["m8"].Text)
	}
}

func TestRulesOfTheOtherForms(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	for name, c := range map[string]struct {
		form, data string
		severity   caseforms.Severity
		want       string
	}{
		"only interviewed":              {"conference", `{"forms":{"conference":{"sources":["interview"]}}}`, caseforms.Warning, "is only the interview"},
		"third parties not reviewed":    {"conference", `{"forms":{"conference":{"third_party_content_reviewed":"no"}}}`, caseforms.Blocking, "must be done before the report is shared"},
		"C31 does not delay":            {"conference", `{}`, caseforms.Warning, "Shared with the person before the conference"},
		"level needs its category":      {"pp1", `{"mappa":{"level":"2"}}`, caseforms.Blocking, "Category (one only) (mappa.category): must be given, because a level is given"},
		"level and kind of referral":    {"pp1", `{"forms":{"pp1":{"notification_type":"referral_3","proposed_level":"2"}}}`, caseforms.Warning, "does not agree with a referral to level 3"},
		"PP3 prompted":                  {"pp1", `{"risk":{"rosh_public":"high"},"forms":{"pp1":{"housing_concerns":"yes"}}}`, caseforms.Warning, "PP3 attached (forms.pp1.pp3_attached): is not yes"},
		"six months' notice":            {"pp1", `{"person":{"custody_status":"in_custody"},"sentence":{"release_date":"2027-05-19"},"forms":{"pp1":{"sign_date":"2026-11-20"}}}`, caseforms.Warning, "is nearer than the notice wanted"},
		"twelve when imminent":          {"pp1", `{"person":{"custody_status":"in_custody"},"sentence":{"release_date":"2027-11-19"},"forms":{"pp1":{"sign_date":"2026-11-20","imminent_on_release":"yes"}}}`, caseforms.Warning, "is nearer than the notice wanted"},
		"early warning":                 {"pp1", `{"forms":{"pp1":{"strong_risk":"yes","early_warning":["media"]}}}`, caseforms.Warning, "call for an early-warning referral"},
		"no level 2 without its reason": {"pp1", `{"forms":{"pp1":{"notification_type":"referral_2"}}}`, caseforms.Blocking, "Why this level"},
		"fact sheet, C75":               {"pp2", `{"forms":{"pp2":{"attendance":[{"name":"A","fact_sheet":"yes"},{"name":"B","fact_sheet":"no"}]}}}`, caseforms.Blocking, "has not confirmed the information sharing fact sheet"},
		"a state does not bypass C77":   {"pp2", `{"forms":{"pp2":{"single_record":{"state":"not_applicable","why":"x"}}}}`, caseforms.Blocking, "(forms.pp2.single_record): must be answered; a state in its place will not do"},
		"a state does not bypass C75":   {"pp2", `{"forms":{"pp2":{"attendance":{"state":"none_known"}}}}`, caseforms.Blocking, "Present (forms.pp2.attendance): must be answered"},
		"a state does not bypass C32":   {"conference", `{"forms":{"conference":{"third_party_content_reviewed":{"state":"not_known"}}}}`, caseforms.Blocking, "must be answered; a state"},
		"a state does not bypass C88":   {"pp2", `{"forms":{"pp2":{"disclosure_decided":"yes","disclosure_risk":{"state":"not_applicable"}}}}`, caseforms.Blocking, "(forms.pp2.disclosure_risk): must be answered"},
		"sources are not a state":       {"conference", `{"forms":{"conference":{"sources":{"state":"none_known"}}}}`, caseforms.Blocking, "(forms.conference.sources): must be answered"},
		"minutes need the category":     {"pp2", `{"forms":{"pp2":{"meeting_kind":"review"}}}`, caseforms.Blocking, "Category (one only) (mappa.category): must be given for a meeting under MAPPA"},
		"the other branch's answer":     {"pp2", `{"forms":{"pp2":{"offender_informed":"yes","offender_not_informed_reason":"old"}}}`, caseforms.Warning, "Reason for not telling (forms.pp2.offender_not_informed_reason): is answered, although"},
		"disclosure against m10":        {"pp2", `{"forms":{"pp2":{"m10":{"state":"not_applicable","why":"x"},"disclosure_decided":"yes"}}}`, caseforms.Warning, "but a disclosure was decided"},
		"level changed at the meeting":  {"pp2", `{"mappa":{"category":"1","level":"1"},"forms":{"pp2":{"meeting_level":"2","level_agreed":"1"}}}`, caseforms.Blocking, "Reason for a change of level or risk"},
		"PP3 prompted despite a state":  {"pp1", `{"risk":{"rosh_public":"high"},"forms":{"pp1":{"housing_concerns":"yes","pp3_attached":{"state":"not_known"}}}}`, caseforms.Warning, "PP3 attached (forms.pp1.pp3_attached): is not yes"},
		"fact sheet not answered":       {"pp2", `{"forms":{"pp2":{"attendance":[{"name":"A"}]}}}`, caseforms.Blocking, "has not confirmed the information sharing fact sheet"},
		"single record, C77":            {"pp2", `{"forms":{"pp2":{"single_record":"no"}}}`, caseforms.Blocking, "each case is fully and separately recorded"},
		"reason for not telling, C82":   {"pp2", `{"forms":{"pp2":{"offender_informed":"no"}}}`, caseforms.Blocking, "Reason for not telling"},
		"disclosure, C88":               {"pp2", `{"forms":{"pp2":{"disclosure_decided":"yes"}}}`, caseforms.Blocking, "Less intrusive options considered"},
		"considered without a reason":   {"pp2", `{"forms":{"pp2":{"m3":{"state":"not_applicable"}}}}`, caseforms.Blocking, "monitoring (forms.pp2.m3): needs the reason"},
		"empty heading":                 {"pp2", `{}`, caseforms.Blocking, "Wider disclosure (forms.pp2.m10): is not answered and must be"},
		"no actions without a reason":   {"pp2", `{"forms":{"pp2":{"actions":{"state":"none_known"}}}}`, caseforms.Blocking, "Agreed actions (forms.pp2.actions): needs the reason"},
		"review too late, level 2":      {"pp2", `{"forms":{"pp2":{"meeting_date":"2026-08-31","next_review_date":"2027-03-01","level_agreed":"2"}}}`, caseforms.Warning, "is later than the procedures allow"},
		"review too late, level 1":      {"pp2", `{"forms":{"pp2":{"meeting_date":"2026-12-15","next_review_date":"2027-12-16","level_agreed":"1"}}}`, caseforms.Warning, "is later than the procedures allow"},
		"chair of level 3":              {"pp2", `{"forms":{"pp2":{"meeting_level":"3","chair_rank":"spo"}}}`, caseforms.Warning, "is not high enough"},
		"level changed, why":            {"pp2", `{"mappa":{"category":"1","level":"1"},"forms":{"pp2":{"level_agreed":"2"}}}`, caseforms.Blocking, "Reason for a change of level or risk"},
		"not confirmed as current":      {"pp2", `{"forms":{"pp2":{"confirmed_current":"no"}}}`, caseforms.Blocking, "must be so before the minutes are issued"},
		"PP3 is never refused":          {"pp3", `{"forms":{"pp3":{"rosh_level":"low"}}}`, caseforms.Warning, "is neither high nor very high"},
		"PP3 belongs to something":      {"pp3", `{}`, caseforms.Blocking, "Attached to the PP1"},
		"consent for a provider":        {"pp3-provider", `{"forms":{"pp3":{"consent":"no"}}}`, caseforms.Blocking, "must be given before anything goes to a housing provider"},
		"consent is a warning in PP3":   {"pp3", `{}`, caseforms.Warning, "consent to sharing with housing providers"},
		"nothing for Jobcentre Plus":    {"pp1-jobcentre", `{}`, caseforms.Blocking, "there is nothing that Jobcentre Plus may be told"},
		"no summary":                    {"pp2-summary", `{}`, caseforms.Blocking, "it is not made from the minutes"},
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
	for name, c := range map[string]struct{ form, data, unwanted string }{
		"review in time at the month's end": {"pp2", `{"forms":{"pp2":{"meeting_date":"2026-08-31","next_review_date":"2027-02-28","level_agreed":"2"}}}`, "is later than the procedures allow"},
		"notice enough":                     {"pp1", `{"person":{"custody_status":"in_custody"},"sentence":{"release_date":"2027-05-20"},"forms":{"pp1":{"sign_date":"2026-11-20"}}}`, "is nearer than the notice wanted"},
		"PP3 completed at the meeting":      {"pp3", `{"forms":{"pp3":{"completed_at":"PP2"}}}`, "Attached to the PP1"},
		"a referral upwards":                {"pp1", `{"mappa":{"category":"1","level":"1"},"forms":{"pp1":{"notification_type":"referral_2","proposed_level":"2"}}}`, "does not agree"},
		"professionals meeting, minutes":    {"pp2", `{"forms":{"pp2":{"meeting_kind":"professionals_meeting"}}}`, "Offences or cautions"},
		"professionals minutes, category":   {"pp2", `{"forms":{"pp2":{"meeting_kind":"professionals_meeting"}}}`, "Category"},
		"removed, no next review":           {"pp2", `{"forms":{"pp2":{"meeting_kind":"review","list_decision":"remove"}}}`, "Next review"},
		"actions are there":                 {"pp2", `{"forms":{"pp2":{"actions":[{"action":"x"}]}}}`, "Agreed actions (forms.pp2.actions): needs"},
		"everybody confirmed":               {"pp2", `{"forms":{"pp2":{"attendance":[{"name":"A","fact_sheet":"yes"}]}}}`, "has not confirmed"},
		"professionals meeting: category":   {"pp1", `{"forms":{"pp1":{"notification_type":"professionals_meeting"}}}`, "Category"},
		"professionals meeting: offence":    {"pp1", `{"forms":{"pp1":{"notification_type":"professionals_meeting"}}}`, "Offences or cautions"},
		"offence detail in minutes":         {"pp2", `{"offences":[{"description":"x"}]}`, "Brief details"},
	} {
		t.Run("not "+name, func(t *testing.T) {
			t.Parallel()
			if p := find(check(t, d, c.form, c.data), c.unwanted); p != nil {
				t.Errorf("told: %v", p)
			}
		})
	}
}

// An answer that London's version does not ask for is told, not lost in silence.
func TestAnswersAnAreaDoesNotAsk(t *testing.T) {
	t.Parallel()
	d := area(t, "london")
	ps := check(t, d, "conference", `{"forms":{"conference":{"compliance":"kept all","meeting_nature":"review"}}}`)
	if p := find(ps, "forms.conference.compliance): is answered, but version 2014-11-london does not ask it"); p == nil || p.Severity != caseforms.Warning {
		t.Errorf("not told: %v", ps)
	}
	if p := find(ps, "meeting_nature): is answered, but"); p != nil {
		t.Errorf("it is printed: %v", p)
	}
}

// What goes to Jobcentre Plus is who it is and what they may not work at, nothing else (003:218).
func TestJobcentreLearnsNothingElse(t *testing.T) {
	t.Parallel()
	var keys []string
	d := definitions(t)
	f := form(t, d, "pp1-jobcentre")
	doc, err := d.Fill(f, decode(t, d, f, string(sample(t, "02-full.json"))), caseforms.FillOptions{Today: today})
	if err != nil {
		t.Fatal(err)
	}
	doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) { keys = append(keys, a.Key) })
	if got := strings.Join(keys, " "); got != "name dob restricted_employment" {
		t.Errorf("prints %s", got)
	}
}

// An action sheet has the actions of its agency and of no other (0.4 point 24).
func TestActionSheets(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	data := `{"forms":{"pp2":{"actions":[{"action":"watch","agency":"Police"},{"action":"house","agency":"Housing"},{"action":"visit","agency":"police"}]}}}`
	data = strings.Replace(data, `]`, `,{"action":"nobody's"}]`, 1)
	for agency, want := range map[string]string{"": "watch visit", "Housing": "house"} {
		var got []string
		a := fill(t, d, "pp2-actions", data, caseforms.FillOptions{For: agency})
		for i := 0; ; i++ {
			x, ok := a[fmt.Sprintf("actions[%d].action", i)]
			if !ok {
				break
			}
			got = append(got, x.Text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", agency, got, want)
		}
	}
}

// One case fills all six forms: a fact entered once stands in every form that asks for it.
func TestFactsEnteredOnceStandEverywhere(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	data := `{"person":{"given_names":"Ada","family_name":"Once","dob":"1990-01-02"},"children":[{"name":"Kid","dob":"2019-06-01"}],"risk":{"statements":{"who":"Kid above all"}},
	 "forms":{"conference":{"meeting_date":"2026-05-31"},"pp1":{"category_basis":"dto"}}}`
	for f, want := range map[string]map[string]string{
		"cp1": {"p_name": "Ada Once", "risk_who": "Kid above all"}, "check": {"offender_name": "Ada Once", "dob": "2 January 1990"},
		"conference": {"defendant_name": "Ada Once", "risk_who": "Kid above all", "people[0].age": "1 June 2019 (aged 6)"}, // on the day of the meeting
		"pp1":        {"name": "Ada Once", "risk_who": "Kid above all", "household[0].name": "Kid"}, "pp2": {"name": "Ada Once", "category_basis": "Detention and training order of 12 months or more"},
		"pp3": {"name": "Ada Once"}, "pp3-provider": {"name": "Ada Once"},
	} {
		a := fill(t, d, f, data, caseforms.FillOptions{})
		for k, text := range want {
			if a[k].Text != text {
				t.Errorf("%s %s prints %q, want %q", f, k, a[k].Text, text)
			}
		}
	}
}

// A confidential home address leaves no gap in a conference report, and does not stop it.
func TestConfidentialHomeAddressIsSilent(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	data := `{"person":{"addresses":[{"type":"current","address":{"lines":["1 Hidden Lane"]},"address_confidential":"yes"}]}}`
	if a, ok := fill(t, d, "conference", data, caseforms.FillOptions{Copy: caseforms.CopyDisclosable})["home_address"]; ok {
		t.Errorf("prints %q", a.Text)
	}
	if p := find(check(t, d, "conference", data), "Home Address"); p != nil {
		t.Errorf("told: %s", p)
	}
	if p := find(check(t, d, "conference", `{}`), "Home Address"); p == nil {
		t.Error("an address that is missing is not asked for")
	}
	open := strings.Replace(data, `"yes"`, `"no"`, 1)
	if a := fill(t, d, "conference", open, caseforms.FillOptions{})["home_address"]; a.Text != "1 Hidden Lane" {
		t.Errorf("an open address prints %q", a.Text)
	}
}

// A conference report says nothing of what is withheld, and knows an address that is confidential for somebody wherever else it stands
// (0.4 points 5 to 7).
func TestConferenceReportWithholdsSilently(t *testing.T) {
	t.Parallel()
	for _, d := range []*caseforms.Definitions{definitions(t), area(t, "london")} {
		f := form(t, d, "conference")
		c := decode(t, d, f, `{"person":{"given_names":"A","family_name":"B","aliases":{"state":"withheld","why":"reasonone"},"addresses":[{"type":"current","address":{"lines":["9, hidden  lane"],"postcode":"LE99 9ZZ"}}]},
		 "mappa":{"state":"withheld","why":"reasonsix"},
		 "children":[{"name":{"state":"withheld","why":"reasontwo"},"dob":{"state":"withheld","why":"reasonthree"},"address":{"lines":["9 Hidden Lane"]},"address_confidential":"yes"},{"name":"K","address":{"lines":{"state":"withheld","why":"reasonfour"},"postcode":"LE99 9ZZ"}}],
		 "adults":[{"name":"M","address":{"lines":["9 Hidden Lane"]}},{"name":"N","address":{"lines":["2 Open Road"]},"address_confidential":"no"}],"forms":{"conference":{"additional_information":{"state":"withheld","why":"reasonfive"}}}}`)
		doc, err := d.Fill(f, c, caseforms.FillOptions{Today: today, Copy: caseforms.CopyDisclosable})
		if err != nil {
			t.Fatal(err)
		}
		all := ""
		doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) { all += a.Key + "=" + a.Text + "\n" })
		for _, told := range []string{"reason", "ithheld", "idden", "LE99", "idden lane"} {
			if strings.Contains(all, told) {
				t.Errorf("%s: tells %q in\n%s", d.Area, told, all)
			}
		}
		if !strings.Contains(all, "2 Open Road") {
			t.Error("an open address is lost")
		}
		none := fill(t, d, "conference", `{"children":{"state":"withheld","why":"reasonseven"}}`, caseforms.FillOptions{Copy: caseforms.CopyDisclosable})
		for key, a := range none {
			if strings.Contains(a.Text, "ithheld") || strings.Contains(a.Text, "reason") {
				t.Errorf("%s: %s tells %q", d.Area, key, a.Text)
			}
		}
	}
}

// Confidential addresses go to Children's Social Care only: a form has to say that it does (0.4 point 7).
func TestConfidentialAddressesGoToChildrensServicesOnly(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	data := `{"person":{"addresses":[{"type":"current","address":{"lines":["9 Hidden Lane"]},"address_confidential":"yes"},{"type":"proposed_release","address":{"lines":["8 Hidden Lane"]},"address_confidential":"yes"}]},
	 "adults":[{"name":"M","address":{"lines":["7 Hidden Lane"]},"address_confidential":"yes"}],"children":[{"name":"K","address":{"lines":["6 Hidden Lane"]},"address_confidential":"yes"}]}`
	for _, f := range d.Forms {
		told := false
		for _, a := range fill(t, d, f.ID, data, caseforms.FillOptions{}) {
			told = told || strings.Contains(a.Text, "Hidden Lane")
		}
		if want := f.ID == "cp1" || f.ID == "check"; told != want {
			t.Errorf("%s tells confidential addresses: %v", f.ID, told)
		}
	}
}
