package caseforms_test

import (
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"caseforms"
	"caseforms/templates"
)

// moment is something that happens in a case, or with date the record of a case alone; due are the days that the rule's duties fall due, and
// "" is a near miss that starts none.
type moment struct {
	what  string // handed, noted, answered, changed, opened, or record
	of    string // form, kind, or facts
	on    string
	given string // the case record
	due   string
}

func (m moment) happening(t *testing.T) caseforms.Happening {
	t.Helper()
	h := caseforms.Happening{On: day(t, m.on)}
	switch m.what {
	case "handed":
		h.Handed = m.of
	case "noted":
		h.Noted = m.of
	case "answered":
		h.Answered = m.of
	case "changed":
		h.Changed = strings.Fields(m.of)
	case "opened":
		h.Opened = true
	case "issued":
		h.Issued, h.Issue = m.of, 1
	case "undelivered":
		h.Undelivered = m.of
	default:
		t.Fatalf("nothing is called %s", m.what)
	}
	return h
}

// Cases that many rules are about.
const (
	free       = `{"person":{"custody_status":"in_the_community"}}`
	riskToKids = `{"risk":{"rosh_children":"medium"}}`
	lowRisk    = `{"risk":{"rosh_children":"low","rosh_public":"high"},"offences":[{"against_child":"no"}]}`
	kept       = `"person":{"custody_status":"in_custody"}`
	parole     = `{` + kept + `,"offences":[{"against_child":"no"},{"against_child":"yes"}],"release":{"kind":"parole"}}`
	leaver     = `{"care":{"care_status":"former_relevant"}}`
	noLeaver   = `{"care":{"care_status":"none"}}`
	// A Professionals Meeting is outside MAPPA, even if somebody has entered a category (0.4 point 23).
	professionals = `"mappa":{"category":"3","level":"2","start":"2026-08-31"},"forms":{"pp1":{"notification_type":"professionals_meeting"`
)

// duties has for each timed rule what starts it and when it is then due, what does not start it, what ends it and what does not.
var duties = []struct {
	rule string
	runs []moment
	ends []string // note:KIND, handed:FORM, answered:FORM.KIND
	not  []string
}{
	{"C01", []moment{
		{"opened", "", "2026-11-28", `{}`, "2026-11-28"}, // a Saturday
		{"opened", "", "2026-11-28", `{"forms":{"cp1":{"csc_check_sent":"2026-11-20"}}}`, ""},
		{"changed", "person.dob", "2026-11-28", `{}`, ""},
	}, []string{"handed:check"}, []string{"handed:cp1", "note:call"}},
	{"C02", []moment{
		{"noted", "court_contact", "2026-12-24", `{}`, "2026-12-24"},
		{"noted", "allocated", "2026-12-24", `{}`, ""},
	}, []string{"handed:check"}, []string{"note:call"}},
	{"C03", []moment{
		{"noted", "allocated", "2026-12-24", `{}`, "2026-12-29"},
		{"noted", "court_contact", "2026-12-24", `{}`, ""},
	}, []string{"handed:check", "note:check_followed_up", "answered:check.no_concerns", "answered:check.previous_concerns", "answered:check.contact_for_more", "answered:check.complete_referral"},
		[]string{"answered:check.more_information", "answered:cp1.assessment"}},
	{"C04", []moment{
		{"changed", "person.addresses[1].address.lines[0]", "2026-11-27", `{}`, "2026-11-30"},
		{"changed", "person.dob children[0].contact_pattern", "2026-11-27", `{}`, "2026-11-30"},
		{"changed", "children[2].lives_with_person.state", "2026-11-27", `{}`, "2026-11-30"},
		{"noted", "new_circumstances", "2026-11-27", `{}`, "2026-11-30"},
		{"changed", "person.addresses[1].approved person.addresses[0].to children[0].school adults[0].phone", "2026-11-27", `{}`, ""},
		{"opened", "", "2026-11-27", `{"person":{"addresses":[{"type":"current"}]}}`, ""},
	}, []string{"handed:check", "note:no_new_check"}, []string{"handed:cp1"}},
	{"C06", []moment{
		{"handed", "cp1", "2026-12-23", `{"forms":{"cp1":{"referral_type":"child_protection"}}}`, "2026-12-30"},
		{"handed", "cp1", "2026-04-02", `{}`, "2026-04-09"}, // nothing is known of it: followed up all the same
		{"handed", "cp1", "2026-12-23", `{"forms":{"cp1":{"referral_type":"information_only","urgency":"significant_harm"}}}`, "2026-12-30"},
		{"handed", "cp1", "2026-12-23", `{"forms":{"cp1":{"referral_type":"information_only","asked_of_csc":["address_view"]}}}`, "2026-12-30"},
		{"handed", "cp1", "2026-12-23", `{"forms":{"cp1":{"referral_type":"information_only","urgency":"other_concern","asked_of_csc":["information_only"]}}}`, ""},
		{"handed", "check", "2026-12-23", `{}`, ""},
	}, []string{"answered:cp1.no_further_action", "answered:cp1.check_no_action", "answered:cp1.assessment", "answered:cp1.assessed_no_action", "answered:cp1.assessed_services", "answered:cp1.strategy_or_conference"},
		[]string{"answered:cp1.more_information", "note:reply", "note:call", "note:chase"}},
	{"C06b", []moment{
		{"noted", "reply", "2026-11-27", `{}`, "2026-11-30"},
		{"noted", "call", "2026-11-27", `{}`, ""},
	}, []string{"answered:cp1.assessment", "answered:cp1.more_information", "answered:pp1.more_evidence", "answered:pp3.waiting", "note:reply_read"}, []string{"note:call", "note:chase"}},
	{"C06a", []moment{
		{"handed", "check", "2026-04-02", `{}`, "2026-04-09"},
		{"handed", "check", "2026-12-23", `{"forms":{"check":{"purpose":"both"}}}`, "2026-12-30"},
		{"handed", "check", "2026-12-23", `{"forms":{"check":{"purpose":"notification"}}}`, ""},
	}, []string{"answered:check.no_concerns", "answered:check.previous_concerns", "answered:check.contact_for_more", "answered:check.complete_referral"},
		[]string{"answered:check.more_information", "note:reply"}},
	{"C07", []moment{
		{"handed", "cp1", "2026-11-28", `{}`, "2026-11-28"},
		{"handed", "check", "2026-11-28", `{}`, ""},
	}, []string{"note:spoken"}, []string{"note:call", "note:chase", "answered:cp1.assessment"}},
	{"C08", []moment{
		{"noted", "significant_harm", "2026-12-25", `{}`, "2026-12-25"},
		{"noted", "concern", "2026-12-25", `{}`, ""},
	}, []string{"handed:cp1"}, []string{"handed:check", "note:discussed"}},
	{"C09", []moment{
		{"noted", "concern", "2026-12-25", `{}`, "2026-12-25"},
		{"noted", "significant_harm", "2026-12-25", `{}`, "2026-12-25"},
		{"noted", "visit", "2026-12-25", `{}`, ""},
	}, []string{"note:oversight", "note:discussed"}, []string{"note:call", "handed:cp1"}},
	{"C13", []moment{
		{"noted", "hdc_refused", "2026-11-27", `{}`, "2026-11-27"},
		{"noted", "release_decided", "2026-11-27", `{}`, ""},
	}, []string{"handed:cp1"}, []string{"note:services_told"}},
	{"C14", []moment{
		{"noted", "address_refused", "2026-11-27", `{}`, "2026-11-27"},
		{"changed", "person.addresses[0].approved", "2026-11-27", `{"person":{"addresses":[{"approved":"no"}]}}`, ""}, // perhaps for another reason
	}, []string{"handed:cp1", "note:refusal_told"}, []string{"note:services_told", "note:case_decision_told", "handed:check"}},
	{"C16", []moment{
		{"record", "", "", `{"person":{"custody_status":"in_custody","addresses":[{"type":"current"},{"type":"proposed_release"}]},"relevant_dates":{"crd":"2027-02-01"},"release":{"decision_date":"2027-03-30"}}`, "2027-03-25"},
		{"record", "", "", `{"person":{"addresses":[{"type":"proposed_release"}]},"release":{"kind":"hdc"},"relevant_dates":{"hdced":"2027-03-30"}}`, "2027-03-25"},
		{"record", "", "", `{"person":{"custody_status":"in_custody","addresses":[{"type":"current"}]},"release":{"decision_date":"2027-03-30"}}`, ""},
		{"record", "", "", `{"person":{"custody_status":"in_the_community","addresses":[{"type":"proposed_release"}]},"release":{"decision_date":"2027-03-30"}}`, ""},
	}, []string{"note:view_sought"}, []string{"handed:check", "note:home_visit"}},
	{"C17", []moment{
		{"record", "", "", `{"person":{"custody_status":"in_custody","addresses":[{"type":"proposed_release"}]},"sentence":{"release_date":"2027-01-04"}}`, "2026-12-31"},
		{"record", "", "", `{"person":{"custody_status":"on_bail","addresses":[{"type":"proposed_release"}]},"sentence":{"release_date":"2027-01-04"}}`, ""},
	}, []string{"note:home_visit"}, []string{"note:visit"}},
	{"C17a", []moment{
		{"opened", "", "2026-12-21", `{"risk":{"rosh_known_adult":"high"}}`, "2027-01-07"},
		{"changed", "risk.rosh_public", "2026-12-21", `{"risk":{"rosh_public":"very_high"}}`, "2027-01-07"},
		{"opened", "", "2026-12-21", `{"risk":{"rosh_children":"medium"}}`, ""},
		{"changed", "risk.ogrs", "2026-12-21", `{"risk":{"rosh_public":"very_high"}}`, ""},
	}, []string{"note:home_visit"}, []string{"note:visit"}},
	{"C18", []moment{
		{"answered", "cp1.no_further_action", "2026-11-27", `{}`, "2026-11-27"},
		{"answered", "cp1.check_no_action", "2026-11-27", `{}`, "2026-11-27"},
		{"answered", "cp1.assessed_no_action", "2026-11-27", `{}`, "2026-11-27"},
		{"answered", "cp1.assessment", "2026-11-27", `{}`, ""},
		{"answered", "check.no_concerns", "2026-11-27", `{}`, ""},
	}, []string{"note:oversight"}, []string{"note:discussed"}}, // the manager's own entry, because of 002:658
	{"C19", []moment{
		{"noted", "disagreement", "2026-04-01", `{}`, "2026-04-08"},
		{"noted", "dissent", "2026-04-01", `{}`, ""},
	}, []string{"note:counterpart", "note:conference_asked"}, []string{"note:discussed"}},
	{"C20", []moment{
		{"answered", "cp1.assessment", "2026-05-01", `{}`, "2026-05-06"},
		{"answered", "cp1.assessed_services", "2026-05-01", `{}`, "2026-05-06"},
		{"noted", "social_worker_allocated", "2026-05-01", `{}`, "2026-05-06"},
		{"answered", "cp1.no_further_action", "2026-05-01", `{}`, ""},
	}, []string{"note:social_worker_contacted"}, []string{"note:call"}},
	{"C22", []moment{
		{"answered", "check.no_concerns", "2026-08-28", `{}`, "2026-09-07"},
		{"answered", "check.previous_concerns", "2026-08-28", `{}`, "2026-09-07"},
		{"answered", "check.more_information", "2026-08-28", `{}`, ""},
	}, []string{"note:oasys_reviewed"}, []string{"note:registers_reviewed"}},
	{"C23", []moment{
		{"noted", "prison_concern", "2026-11-28", `{}`, "2026-11-28"},
		{"noted", "concern", "2026-11-28", `{}`, ""},
	}, []string{"note:prison_referral"}, []string{"note:prison_told"}},
	{"C24", []moment{
		{"noted", "community_payback", "2026-11-28", riskToKids, "2026-11-28"},
		{"noted", "community_payback", "2026-11-28", lowRisk, ""},
	}, []string{"note:placement_consultation"}, []string{"note:call"}},
	{"C30", []moment{
		{"record", "", "", `{"forms":{"conference":{"meeting_date":"2026-04-08","meeting_nature":"review"}}}`, "2026-04-01"},
		{"record", "", "", `{"forms":{"conference":{"meeting_date":"2026-12-08"}}}`, "2026-12-03"},
		{"record", "", "", `{"forms":{"conference":{"meeting_date":"2026-12-08","meeting_nature":"core_group"}}}`, ""},
		{"record", "", "", `{"forms":{"conference":{"meeting_nature":"initial"}}}`, ""},
		{"noted", "conference_invited", "2026-12-08", `{}`, ""},
	}, []string{"handed:conference"}, []string{"note:report_shared", "answered:conference.received"}},
	{"C31", []moment{
		{"record", "", "", `{"forms":{"conference":{"meeting_date":"2027-03-30","meeting_nature":"initial"}}}`, "2027-03-25"},
		{"record", "", "", `{"forms":{"conference":{"meeting_date":"2027-03-30","meeting_nature":"initial","shared_on":"2026-09-01"}}}`, "2027-03-25"}, // of the last one
		{"record", "", "", `{"forms":{"conference":{"meeting_date":"2027-03-30","meeting_nature":"core_group"}}}`, ""},
	}, []string{"note:report_shared", "note:report_not_shared"}, []string{"handed:conference"}},
	{"C33", []moment{
		{"noted", "not_attending", "2026-11-27", `{}`, "2026-11-27"},
		{"changed", "forms.conference.attending", "2026-11-27", `{"forms":{"conference":{"attending":"no"}}}`, "2026-11-27"},
		{"changed", "forms.conference.attending", "2026-11-27", `{"forms":{"conference":{"attending":"yes"}}}`, ""},
	}, []string{"note:absence_discussed"}, []string{"note:oversight", "note:discussed", "handed:conference"}},
	{"C34", []moment{
		{"record", "", "", `{"forms":{"conference":{"meeting_date":"2026-12-08","meeting_nature":"initial"}}}`, "2026-12-08"},
		{"record", "", "", `{"forms":{"conference":{"meeting_date":"2026-12-08","meeting_nature":"core_group"}}}`, ""},
	}, []string{"note:conference_held", "note:not_attending"}, []string{"handed:conference"}},
	{"C35", []moment{
		{"record", "", "", `{"forms":{"conference":{"meeting_date":"2026-12-24","meeting_nature":"pre_birth"}}}`, "2026-12-29"},
		{"record", "", "", `{"forms":{"conference":{"meeting_date":"2026-12-24","meeting_nature":"core_group"}}}`, ""},
	}, []string{"note:conference_held"}, []string{"handed:conference", "note:minutes_received"}},
	{"C35a", []moment{
		{"noted", "conference_held", "2026-12-24", `{}`, "2027-01-05"},
		{"noted", "core_group", "2026-12-24", `{}`, ""},
	}, []string{"note:oasys_reviewed"}, []string{"note:conference_held"}},
	{"C36", []moment{
		{"noted", "dissent", "2026-04-01", `{}`, "2026-05-05"},
		{"noted", "disagreement", "2026-04-01", `{}`, ""},
	}, []string{"note:dissent_sent"}, []string{"note:oversight"}},
	{"C37", []moment{
		{"noted", "minutes_received", "2026-05-19", `{}`, "2026-05-27"},
		{"noted", "conference_held", "2026-05-19", `{}`, ""},
	}, []string{"note:minutes_checked"}, []string{"note:minutes_received"}},
	{"C38", []moment{
		{"record", "", "", `{"children":[{"status":"protection_plan","next_meeting_date":"2027-01-01"},{"status":"protection_plan","next_meeting_date":"2027-02-02"},{"status":"protection_plan","next_meeting_date":"2027-02-02"}]}`, "2026-12-31 2027-02-02"},
		{"record", "", "", `{"forms":{"conference":{"meeting_date":"2026-12-08","meeting_nature":"core_group"}}}`, "2026-12-08"},
		{"record", "", "", `{"children":[{"status":"protection_plan"},{"status":"child_in_need","next_meeting_date":"2027-02-02"}]}`, ""}, // the plan is of another child
		{"record", "", "", `{"forms":{"conference":{"meeting_date":"2026-12-08","meeting_nature":"review"}}}`, ""},
	}, []string{"note:core_group", "note:conference_held", "note:not_attending"}, []string{"note:meeting"}},
	{"C39", []moment{
		{"record", "", "", `{"children":[{"status":"protection_plan"}],"sentence":{"expiry_date":"2026-05-01"},"relevant_dates":{"pss_end":"2026-08-31"}}`, "2027-02-26"},
		{"record", "", "", `{"children":[{"status":"child_in_need"}],"sentence":{"expiry_date":"2026-08-31"}}`, ""},
	}, []string{"note:conferences_over"}, []string{"note:conference_held"}},
	{"C39a", []moment{
		{"record", "", "", `{"children":[{"status":"protection_plan"}],"sentence":{"expiry_date":"2026-08-31"}}`, "2026-08-28"},
		{"record", "", "", `{"children":[{"status":"none"}],"sentence":{"expiry_date":"2026-08-31"}}`, ""},
	}, []string{"note:conferences_told"}, []string{"note:oversight", "note:discussed", "note:conferences_over"}},
	{"C50", []moment{
		{"opened", "", "2026-12-24", parole, "2026-12-29"},
		{"changed", "release.kind", "2026-12-24", strings.Replace(parole, "parole", "temporary_release", 1), "2026-12-29"},
		{"opened", "", "2026-12-24", strings.Replace(parole, `"parole"`, `"conditional_release"`, 1), ""},
		{"opened", "", "2026-12-24", strings.Replace(parole, `"against_child":"yes"`, `"against_child":"no"`, 1), ""},
		{"opened", "", "2026-12-24", strings.Replace(parole, "in_custody", "in_the_community", 1), ""},
		{"changed", "person.dob", "2026-12-24", parole, ""},
	}, []string{"note:director_letter"}, []string{"note:comments_requested"}},
	{"C51", []moment{
		{"record", "", "", strings.Replace(parole, `"parole"}`, `"end_of_sentence"},"sentence":{"release_date":"2027-01-04"}`, 1), "2026-12-31"},
		{"record", "", "", strings.Replace(parole, `"parole"}`, `"conditional_release"},"sentence":{"release_date":"2027-01-04"}`, 1), ""},
	}, []string{"note:director_letter"}, []string{"note:release_notified"}},
	{"C52", []moment{
		{"record", "", "", strings.Replace(parole, `"parole"}`, `"parole"},"relevant_dates":{"parole_hearing":"2027-01-29"}`, 1), "2026-12-31"},
		{"record", "", "", strings.Replace(parole, `"parole"}`, `"parole"},"relevant_dates":{"ped":"2027-01-29"}`, 1), ""},
		{"record", "", "", strings.Replace(parole, `"parole"}`, `"temporary_release","decision_date":"2027-01-29"}`, 1), ""},
	}, []string{"note:comments_requested"}, []string{"note:director_letter"}},
	{"C53", []moment{
		{"record", "", "", `{` + kept + `,"risk":{"rosh_children":"medium"},"relevant_dates":{"hdced":"2027-02-12","crd":"2027-06-01"},"sentence":{"release_date":"2027-06-01"}}`, "2026-12-31"},
		{"record", "", "", `{` + kept + `,"offences":[{"against_child":"yes"}],"sentence":{"release_date":"2026-12-13"}}`, "2026-10-30"},
		{"record", "", "", `{` + kept + `,"risk":{"rosh_children":"low"},"sentence":{"release_date":"2027-02-12"}}`, ""},
		{"record", "", "", `{"person":{"custody_status":"in_the_community"},"risk":{"rosh_children":"high"},"sentence":{"release_date":"2019-02-12"}}`, ""},
	}, []string{"note:release_notified"}, []string{"note:home_area_told"}},
	{"C54", []moment{
		{"noted", "reception", "2026-11-28", riskToKids, "2026-11-28"},
		{"noted", "transfer", "2026-11-28", riskToKids, "2026-11-28"},
		{"noted", "released_from_court", "2026-11-28", riskToKids, "2026-11-28"},
		{"noted", "reception", "2026-11-28", lowRisk, ""},
		{"noted", "transferred_in", "2026-11-28", riskToKids, ""},
	}, []string{"note:home_area_told"}, []string{"note:services_told"}},
	{"C55", []moment{
		{"record", "", "", `{` + kept + `,"risk":{"rosh_children":"high"},"release":{"kind":"open_conditions","decision_date":"2026-05-05"}}`, "2026-05-01"},
		{"record", "", "", `{` + kept + `,"risk":{"rosh_children":"high"},"release":{"kind":"conditional_release","decision_date":"2026-05-05"}}`, ""},
		{"record", "", "", `{` + kept + `,"release":{"kind":"open_conditions","decision_date":"2026-05-05"}}`, ""},
	}, []string{"note:information_sought"}, []string{"note:release_decided"}},
	{"C55a", []moment{
		{"noted", "release_decided", "2026-05-22", riskToKids, "2026-05-26"},
		{"noted", "release_decided", "2026-05-22", lowRisk, ""},
	}, []string{"note:decision_told"}, []string{"note:information_sought"}},
	{"C59", []moment{
		{"noted", "home_report", "2026-04-02", `{}`, "2026-04-07"},
		{"noted", "home_visit", "2026-04-02", `{}`, ""},
	}, []string{"note:home_report_shared"}, []string{"note:report_shared"}},
	{"C60", []moment{
		{"answered", "cp1.assessment", "2026-12-23", `{"children":[{"lives_at_release_address":"no"},{"visits":"yes"}]}`, "2026-12-30"},
		{"answered", "cp1.strategy_or_conference", "2026-12-23", `{"children":[{"lives_at_release_address":"yes"}]}`, "2026-12-30"},
		{"answered", "cp1.assessment", "2026-12-23", `{"children":[{"lives_at_release_address":"no"}]}`, ""},
		{"handed", "cp1", "2026-12-23", `{"children":[{"lives_at_release_address":"yes"}]}`, ""}, // C06 chases it
	}, []string{"note:written_statement"}, []string{"answered:cp1.assessed_services", "note:reply"}},
	{"C61", []moment{
		{"record", "", "", `{` + kept + `,"care":{"care_status":"former_relevant"},"relevant_dates":{"crd":"2026-12-16"}}`, "2026-12-02"},
		{"record", "", "", `{` + kept + `,"care":{"care_status":"former_relevant"},"relevant_dates":{"crd":"2027-01-08"}}`, "2026-12-24"},
		{"record", "", "", `{` + kept + `,"care":{"care_status":"none"},"relevant_dates":{"crd":"2026-12-16"}}`, ""},
	}, []string{"note:release_information_given"}, []string{"note:adviser_told"}},
	{"C63", []moment{
		{"record", "", "", `{` + kept + `,"mappa":{"category":"2"},"sentence":{"release_date":"2027-08-31"}}`, "2027-02-26"},
		{"record", "", "", `{` + kept + `,"mappa":{"category":"2"},"sentence":{"release_date":"2027-08-31"},"forms":{"pp1":{"imminent_on_release":"yes"}}}`, ""},
		{"record", "", "", `{` + kept + `,"sentence":{"release_date":"2027-08-31"}}`, ""},
		{"record", "", "", `{` + kept + `,"sentence":{"release_date":"2027-08-31"},` + professionals + `}}}`, ""},
	}, []string{"handed:pp1"}, []string{"handed:pp2"}},
	{"C63a", []moment{
		{"record", "", "", `{` + kept + `,"mappa":{"category":"1"},"sentence":{"release_date":"2028-02-29"},"forms":{"pp1":{"imminent_on_release":"yes"}}}`, "2027-02-26"},
		{"record", "", "", `{` + kept + `,"mappa":{"category":"1"},"sentence":{"release_date":"2028-02-29"},"forms":{"pp1":{"imminent_on_release":"no"}}}`, ""},
	}, []string{"handed:pp1"}, []string{"handed:pp2"}},
	{"C64", []moment{
		{"noted", "recall_considered", "2026-11-27", leaver, "2026-11-27"},
		{"noted", "recall_considered", "2026-11-27", noLeaver, ""},
	}, []string{"note:authority_consulted"}, []string{"note:adviser_told"}},
	{"C65", []moment{
		{"noted", "transferred_in", "2026-11-27", `{"children":[{"known_to_csc":"yes"}]}`, "2026-11-27"},
		{"noted", "transferred_in", "2026-11-27", riskToKids, "2026-11-27"},
		{"noted", "transferred_in", "2026-11-27", lowRisk, ""},
		{"noted", "transfer", "2026-11-27", riskToKids, ""},
	}, []string{"handed:check", "note:arrival_told"}, []string{"note:services_told", "note:home_area_told"}},
	{"C73", []moment{
		{"handed", "pp1", "2026-12-18", `{"forms":{"pp1":{"notification_type":"referral_2"}}}`, "2026-12-24"},
		{"handed", "pp1", "2026-11-25", `{}`, "2026-12-02"},
		{"handed", "pp1", "2026-12-18", `{"forms":{"pp1":{"notification_type":"notification"}}}`, ""},
		{"handed", "pp1", "2026-12-18", `{"forms":{"pp1":{"notification_type":"professionals_meeting"}}}`, ""},
	}, []string{"answered:pp1.level_1", "answered:pp1.level_2", "answered:pp1.level_3", "answered:pp1.not_mappa"}, []string{"answered:pp1.more_evidence", "note:reply"}},
	{"C73a", []moment{
		{"handed", "pp1", "2026-12-18", `{"forms":{"pp1":{"notification_type":"notification"}}}`, "2026-12-24"},
		{"handed", "pp1", "2026-12-18", `{"forms":{"pp1":{"notification_type":"professionals_meeting"}}}`, ""},
		{"handed", "pp1", "2026-12-18", `{}`, ""},
	}, []string{"answered:pp1.level_1"}, []string{"answered:pp1.more_evidence"}},
	{"C74", []moment{
		{"record", "", "", `{"mappa":{"category":"2"},"forms":{"pp1":{"reply_meeting_on":"2027-01-04"}}}`, "2026-12-24"},
		{"record", "", "", `{"mappa":{"category":"2"},"forms":{"pp2":{"meeting_date":"2027-01-04"}}}`, ""}, // the minutes come after it
		{"record", "", "", `{` + professionals + `,"reply_meeting_on":"2027-01-04"}}}`, ""},
	}, []string{"note:agenda_sent"}, []string{"handed:pp2"}},
	{"C74a", []moment{
		{"noted", "mappa_meeting_urgent", "2026-11-28", `{"mappa":{"category":"2"}}`, "2026-11-28"},
		{"noted", "mappa_meeting_urgent", "2026-11-28", `{` + professionals + `}}}`, ""},
	}, []string{"note:agenda_sent"}, []string{"note:mappa_reviewed"}},
	{"C78", []moment{
		{"record", "", "", `{"mappa":{"category":"2","level":"2","start":"2026-02-02"},"forms":{"pp2":{"meeting_date":"2026-08-31"}}}`, "2027-02-26"},
		{"record", "", "", `{"mappa":{"category":"2","level":"2","start":"2026-08-31"},"forms":{"pp2":{"meeting_date":"2026-02-02"}}}`, "2027-02-26"},
		{"record", "", "", `{"mappa":{"category":"2","level":"1","start":"2026-08-31"}}`, ""},
		{"record", "", "", `{` + professionals + `}}}`, ""},
	}, []string{"note:mappa_reviewed"}, []string{"handed:pp2"}}, // those minutes are of the meeting it counts from
	{"C78a", []moment{
		{"record", "", "", `{"mappa":{"category":"2","level":"3","start":"2026-08-31"}}`, "2027-02-26"},
		{"record", "", "", `{"mappa":{"category":"2","level":"2","start":"2026-08-31"}}`, ""},
	}, []string{"note:mappa_reviewed"}, []string{"handed:pp2"}},
	{"C78b", []moment{
		{"record", "", "", `{"mappa":{"category":"2","review":"2027-01-01"},"forms":{"pp2":{"next_review_date":"2027-03-10"}}}`, "2026-12-31 2027-03-10"},
		{"record", "", "", `{"mappa":{"category":"2","review":"2027-03-10"},"forms":{"pp2":{"next_review_date":"2027-03-10"}}}`, "2027-03-10"},
		{"record", "", "", `{"mappa":{"category":"2","start":"2027-03-10"}}`, ""},
		{"record", "", "", `{` + professionals + `}},"registers":[{"review":"2027-03-10"}]}`, ""},
	}, []string{"note:mappa_reviewed"}, []string{"handed:pp2"}},
	{"C79", []moment{
		{"record", "", "", `{"mappa":{"category":"1","level":"1","start":"2024-02-29"}}`, "2025-02-28"},
		{"record", "", "", `{"mappa":{"category":"1","level":"2","start":"2024-02-29"}}`, ""},
		{"record", "", "", `{"mappa":{"level":"1","start":"2024-02-29"}}`, ""},
	}, []string{"note:mappa_reviewed"}, []string{"handed:pp2"}},
	{"C80", []moment{
		{"record", "", "", `{"mappa":{"category":"2"},"forms":{"pp2":{"meeting_date":"2026-12-21","meeting_kind":"review"}}}`, "2027-01-07"},
		{"record", "", "", `{"mappa":{"category":"2"},"forms":{"pp2":{"meeting_date":"2026-12-21","meeting_kind":"professionals_meeting"}}}`, ""},
		{"record", "", "", `{"forms":{"pp2":{"meeting_date":"2026-12-21","meeting_kind":"review"}}}`, ""},
	}, []string{"handed:pp2"}, []string{"handed:pp1", "handed:pp2-summary"}},
	{"C83", []moment{
		{"record", "", "", `{"mappa":{"category":"2"},"sentence":{"expiry_date":"2026-11-02"},"relevant_dates":{"led":"2027-01-02"}}`, "2026-12-31"},
		{"record", "", "", `{"sentence":{"expiry_date":"2027-01-02"}}`, ""},
		{"record", "", "", `{"mappa":{"category":"2"},"sentence":{"expiry_date":"2027-01-02"},"forms":{"pp1":{"notification_type":"removal"}}}`, ""},
	}, []string{"note:list_considered"}, []string{"note:mappa_reviewed"}},
	{"C84", []moment{
		{"noted", "level_changed", "2026-05-01", `{"mappa":{"category":"2"}}`, "2026-05-06"},
		{"changed", "mappa.level", "2026-05-01", `{"mappa":{"category":"2","level":"3"}}`, "2026-05-06"},
		{"changed", "mappa.start", "2026-05-01", `{"mappa":{"category":"2","level":"3"}}`, ""},
		{"changed", "mappa.level", "2026-05-01", `{` + professionals + `}}}`, ""},
	}, []string{"handed:pp2", "note:level_forwarded"}, []string{"note:mappa_reviewed"}},
	{"C88a", []moment{
		{"noted", "disclosure_made", "2026-11-27", `{}`, "2026-11-30"},
		{"noted", "decision", "2026-11-27", `{}`, ""},
	}, []string{"note:disclosure_reaction"}, []string{"note:disclosure_made"}},
	{"C98", []moment{
		{"record", "", "", `{"registers":[{"seed_name":"Child Protection","review":"2027-03-10"},{"seed_name":"Risk to Children","review":"2027-01-01"},{"seed_name":"Troubled Families"}]}`, "2027-03-10 2026-12-31"},
		{"record", "", "", `{"registers":[{"seed_name":"Child Protection","start":"2027-03-10"}],"mappa":{"review":"2027-03-10"}}`, ""},
	}, []string{"note:registers_reviewed"}, []string{"note:oasys_reviewed"}},
	{"C98a", []moment{
		{"noted", "oasys_reviewed", "2026-12-24", `{}`, "2026-12-29"},
		{"noted", "registers_reviewed", "2026-12-24", `{}`, ""},
	}, []string{"note:registers_reviewed"}, []string{"note:oasys_reviewed"}},
	{"C101", []moment{
		{"noted", "escalated", "2026-12-21", `{}`, "2026-12-30"},
		{"noted", "chase", "2026-12-21", `{}`, ""},
	}, []string{"note:board", "note:settled"}, []string{"note:oversight"}},
	{"C102", []moment{
		{"record", "", "", `{"sentence":{"expiry_date":"2026-11-02"},"relevant_dates":{"sed":"2027-01-02"}}`, "2026-12-31"},
		{"record", "", "", `{"sentence":{"release_date":"2027-01-02"}}`, ""},
	}, []string{"note:supervision_end_told"}, []string{"note:services_told"}},
	{"C103", []moment{
		{"opened", "", "2026-12-24", `{` + kept + `,"mappa":{"category":"2"},"relevant_dates":{"next_rotl":"2027-02-01"}}`, "2026-12-29"},
		{"changed", "relevant_dates.parole_hearing", "2026-12-24", `{` + kept + `,"mappa":{"category":"2"}}`, "2026-12-29"},
		{"opened", "", "2026-12-24", `{` + kept + `,"mappa":{"category":"2"},"sentence":{"release_date":{"state":"not_known"}}}`, ""}, // there is nothing to tell
		{"changed", "sentence.release_date", "2026-12-24", `{` + kept + `}`, ""},
		{"changed", "sentence.release_date", "2026-12-24", `{` + kept + `,` + professionals + `}}}`, ""},
		{"changed", "sentence.expiry_date", "2026-12-24", `{` + kept + `,"mappa":{"category":"2"}}`, ""},
	}, []string{"note:chair_told"}, []string{"handed:pp1"}},
	{"C103a", []moment{
		{"handed", "pp1", "2026-11-28", `{"risk":{"rosh_public":"high"},"forms":{"pp1":{"notifier_kind":"hostel"}}}`, "2026-11-28"},
		{"handed", "pp1", "2026-11-28", `{"risk":{"rosh_public":"high"},"forms":{"pp1":{"notifier_kind":"probation"}}}`, ""},
		{"handed", "pp1", "2026-11-28", `{"risk":{"rosh_public":"medium"},"forms":{"pp1":{"notifier_kind":"hostel"}}}`, ""},
	}, []string{"note:hostel_told"}, []string{"note:discussed", "note:oversight", "answered:pp1.level_2"}},
	{"C105", []moment{
		{"noted", "remanded_sole_carer", "2026-11-28", `{}`, "2026-11-28"},
		{"noted", "reception", "2026-11-28", `{}`, ""},
	}, []string{"handed:check"}, []string{"note:services_told"}},
	{"C107", []moment{
		{"noted", "case_decision", "2026-12-24", `{"children":[{"status":"child_in_need"}]}`, "2026-12-29"},
		{"noted", "case_decision", "2026-12-24", lowRisk, ""},
		{"noted", "decision", "2026-12-24", riskToKids, ""},
	}, []string{"note:case_decision_told"}, []string{"note:services_told", "note:decision_told", "note:home_area_told"}},
	{"C108", []moment{
		{"noted", "significant_event", "2026-12-24", leaver, "2026-12-29"},
		{"noted", "significant_event", "2026-12-24", noLeaver, ""},
		{"noted", "significant_event", "2026-12-24", free, ""},
	}, []string{"note:adviser_told"}, []string{"note:authority_consulted"}},
	{"C110", []moment{
		{"noted", "address_concern", "2026-11-28", `{}`, "2026-11-28"},
		{"noted", "home_report", "2026-11-28", `{}`, ""},
	}, []string{"note:prison_told"}, []string{"note:prison_referral"}},
	{"C111", []moment{
		{"answered", "check.complete_referral", "2026-11-28", `{}`, "2026-11-28"},
		{"answered", "check.previous_concerns", "2026-11-28", `{}`, ""},
	}, []string{"handed:cp1"}, []string{"note:call"}},
	{"M01", []moment{
		{"undelivered", "urgent", "2026-11-28", `{}`, "2026-11-28"}, // a Saturday
		{"undelivered", "ordinary", "2026-11-28", `{}`, ""},
	}, []string{"handed:pp1", "note:spoken", "answered:cp1.assessment"}, []string{"note:call", "note:reply", "answered:cp1.more_information"}},
	{"M02", []moment{
		{"undelivered", "ordinary", "2026-11-28", `{}`, "2026-11-28"},
		{"undelivered", "urgent", "2026-11-28", `{}`, ""},
	}, []string{"handed:pp1", "answered:cp1.assessment"}, []string{"note:call", "note:spoken"}},
	{"M03", []moment{
		{"issued", "urgent", "2026-11-28", `{}`, "2026-11-28"}, // a Saturday
		{"issued", "ordinary", "2026-11-28", `{}`, ""},
		{"undelivered", "urgent", "2026-11-28", `{}`, ""},
	}, []string{"handed:cp1"}, []string{"note:call", "note:spoken", "note:chase"}},
	{"M04", []moment{
		{"issued", "ordinary", "2026-12-24", `{}`, "2026-12-29"},
		{"issued", "urgent", "2026-12-24", `{}`, ""},
		{"opened", "", "2026-12-24", `{}`, ""},
	}, []string{"handed:check", "handed:pp1"}, []string{"note:call", "note:spoken", "note:chase"}},
}

func TestDuties(t *testing.T) {
	t.Parallel()
	d, cal := definitions(t), calendar(t)
	tested := map[string]bool{}
	for _, x := range duties {
		tested[x.rule] = true
		t.Run(x.rule, func(t *testing.T) {
			t.Parallel()
			r := d.Duties.Rule(x.rule)
			if r == nil || r.State != caseforms.DutyTimed {
				t.Fatal("is no timed rule")
			}
			starts, misses := 0, 0
			for _, m := range x.runs {
				c, ps := d.Decode([]byte(m.given), nil)
				if len(ps) > 0 {
					t.Fatalf("%s: %v", m.given, ps) // a misspelt fact would miss everything
				}
				running := d.OfCase(c, cal)
				if m.what != "record" {
					running = d.Start(m.happening(t), c, cal)
				}
				var due []string
				for _, n := range running {
					if n.Duty == r {
						due = append(due, n.On.String())
						if dated := r.Dated(n.About); n.How == "" || dated != (m.what == "record") {
							t.Errorf("%+v: %q counted from %q, dated %v", m, n.How, n.About, dated)
						}
					}
				}
				if got := strings.Join(due, " "); got != m.due {
					t.Errorf("%s %s on %s with %s: due %q, want %q", m.what, m.of, m.on, m.given, got, m.due)
				}
				if m.due == "" {
					misses++
				} else {
					starts++
				}
			}
			hit := map[string]bool{}
			for _, e := range append(slices.Clone(x.ends), x.not...) {
				kind, what, _ := strings.Cut(e, ":")
				h := moment{what: map[string]string{"note": "noted"}[kind] + map[string]string{"handed": kind, "answered": kind}[kind], of: what, on: "2026-11-27"}.happening(t)
				ended := false
				for _, e := range h.Endings(&d.Duties) {
					if slices.Contains(r.Ends, e) {
						ended, hit[e] = true, true
					}
				}
				if want := slices.Contains(x.ends, e); ended != want {
					t.Errorf("%s: ends it %v, want %v", e, ended, want)
				}
				if _, known := d.Form(what); kind == "handed" && known != nil || kind == "note" && d.Duties.Note(what) == nil {
					t.Errorf("there is no %s", e)
				}
			}
			for _, e := range r.Ends {
				if !hit[e] && !strings.HasPrefix(e, "fact:") {
					t.Errorf("nothing here shows that %s ends it", e)
				}
			}
			if starts == 0 || misses == 0 || len(x.not) == 0 {
				t.Errorf("%d that start it, %d near misses and %d that do not end it", starts, misses, len(x.not))
			}
		})
	}
	for _, r := range d.Duties.Rules {
		if r.State == caseforms.DutyTimed && !tested[r.Rule] {
			t.Errorf("%s is timed and has no test", r.Rule)
		}
	}
}

// allRules are those of the catalogue (domain C and 0.4). C29, C43 to C49 and C66 to C69 do not exist.
const allRules = `C01 C02 C03 C04 C05 C06 C06a C07 C08 C09 C10 C11 C12 C13 C14 C15 C16 C17 C18 C19 C20 C21 C22 C23 C24 C25 C26 C27 C28
C30 C31 C32 C33 C34 C35 C36 C37 C38 C39 C40 C41 C42
C50 C51 C52 C53 C54 C55 C56 C57 C58 C59 C60 C61 C62 C63 C64 C65
C70 C71 C72 C73 C74 C75 C76 C77 C78 C79 C80 C81 C82 C83 C84 C85 C86 C87 C88 C89 C90
C91 C92 C93 C94 C95 C96 C97 C98 C99 C100 C101 C102 C103 C104 C105 C106 C107 C108 C109 C110 C111
M01 M02 M03 M04`

// Every rule stands there, each in words for people and with a source that can be looked up.
func TestEveryRuleHasItsEntry(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	ids := strings.Fields(allRules)
	for _, id := range ids {
		if d.Duties.Rule(id) == nil {
			t.Errorf("%s has no entry", id)
		}
	}
	source := regexp.MustCompile(`^(00[0-4]:\d|P\d+|(0\.4|E\.1)\(\d)`)
	jargon := regexp.MustCompile(`\b(CSC|CPC|OM|SPO|PSO|POM|COM|CPP|PPP|PPO|CRC|NPS|NDelius|Delius|DCS|LA|LSCB|CDO|MARMM|MAPPP|BIU|s47|WD)\b`)
	named := regexp.MustCompile(`\(([a-z][a-z0-9]*[_-][a-z0-9_-]+)\)`)
	there := map[string]bool{}
	for _, f := range d.Forms {
		there[f.ID] = true
		for _, r := range f.Rules {
			there[r.Rule] = true
		}
		for _, s := range f.Sections {
			for _, q := range s.Fields {
				there[q.Key] = true
			}
		}
	}
	for _, r := range d.Duties.Rules {
		if base := strings.TrimRight(r.Rule, "abc"); !slices.Contains(ids, r.Rule) && !slices.Contains(ids, base) {
			t.Errorf("%s is no rule of the catalogue", r.Rule)
		}
		if !source.MatchString(r.Source) {
			t.Errorf("%s: source %q", r.Rule, r.Source)
		}
		for _, text := range []string{r.Says.En, r.Why.En} {
			if w := jargon.FindString(text); w != "" || strings.HasSuffix(text, ".") {
				t.Errorf("%s: %q has %q, or a full stop", r.Rule, text, w)
			}
		}
		for _, m := range named.FindAllStringSubmatch(r.Why.En, -1) {
			if !there[m[1]] {
				t.Errorf("%s: there is no %s on any form", r.Rule, m[1])
			}
		}
	}
	for _, n := range d.Duties.Notes {
		if w := jargon.FindString(n.Label.En); w != "" || d.Duties.Contacts[n.Contact] == "" {
			t.Errorf("note %s: %q, entry %q", n.Kind, n.Label.En, n.Contact)
		}
	}
}

// The words of the case system are those of 002:662-678.
func TestWordsOfTheCaseSystem(t *testing.T) {
	t.Parallel()
	d := definitions(t).Duties
	for rule, contact := range map[string]string{"C91": "check", "C92": "check_response", "C93": "child_related", "C94": "referral", "C95": "conference", "C96": "core_group", "C97": "oversight"} {
		if words := d.Contacts[contact]; words == "" || !strings.Contains(d.Rule(rule).Says.En, "“"+words+"”") {
			t.Errorf("%s does not say %q", rule, words)
		}
	}
	if len(d.Contacts) != 7 || len(d.Registers) != 7 {
		t.Errorf("%d kinds of entry and %d registers", len(d.Contacts), len(d.Registers))
	}
}

// A form's own reply part and what may be recorded by hand are the same answers.
func TestResponsesAreThoseOfTheForms(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	for _, id := range []string{"cp1", "pp1", "pp3"} {
		for _, q := range form(t, d, id).ReplyFields() {
			if q.Key != "reply_outcome" {
				continue
			}
			for _, o := range d.Options(q) {
				if d.Duties.Response(id, o.Value) == nil {
					t.Errorf("%s: the answer %s on the form cannot be recorded", id, o.Value)
				}
			}
		}
	}
}

// overlay are the built-in definitions with further files.
func overlay(t *testing.T, more map[string]string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(templates.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(templates.FS(), name)
		files[name] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range more {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

// Surrey asks for the report 48 hours before (P10). What an area does not change holds as everywhere.
func TestAreaChangesARule(t *testing.T) {
	t.Parallel()
	d, err := templates.LoadFS(overlay(t, map[string]string{"areas/surrey/duties.yaml": `
change:
  C30: {due: {working_days_before: 2}, source: P10}
closed: {"2026-12-07": Office shut}
notes:
  - {kind: call, label: Telephone call in Surrey, contact: child_related}
  - {kind: surrey, label: Something of Surrey's own, contact: referral}
contacts: {referral: Referral of Surrey}
responses:
  pp2: [{kind: received, label: The minutes have arrived, ends: true}]
`}), "surrey")
	if err != nil {
		t.Fatal(err)
	}
	c := decode(t, d, nil, `{"forms":{"conference":{"meeting_date":"2026-12-09"}}}`)
	due := map[string]string{}
	for _, r := range d.OfCase(c, d.Calendar()) {
		due[r.Duty.Rule] = r.On.String()
	}
	if due["C30"] != "2026-12-04" || due["C31"] != "2026-12-08" || due["C34"] != "2026-12-09" {
		t.Errorf("due %v", due)
	}
	general := definitions(t)
	r, was := d.Duties.Rule("C30"), general.Duties.Rule("C30")
	if r.Source != "P10" || r.Says != was.Says || !slices.Equal(r.Ends, was.Ends) || was.Due.WorkingDaysBefore != 3 {
		t.Errorf("changed %+v, everywhere %+v", r, was)
	}
	if n := len(general.Duties.Notes); len(d.Duties.Notes) != n+1 || d.Duties.Note("call").Label.En != "Telephone call in Surrey" || d.Duties.Note("surrey") == nil {
		t.Errorf("%d notes, %d everywhere", len(d.Duties.Notes), n)
	}
	if d.Duties.Contacts["referral"] != "Referral of Surrey" || d.Duties.Contacts["check"] != general.Duties.Contacts["check"] || d.Duties.Response("pp2", "received") == nil || d.Duties.Response("cp1", "assessment") == nil {
		t.Errorf("contacts %v, responses %v", d.Duties.Contacts, d.Duties.Responses)
	}
}

func TestMistakesInDutiesAreTold(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct{ text, want string }{
		"no such rule":          {`change: {C300: {due: {on: true}}}`, "areas/surrey/duties.yaml:1:1: C300: there is no such rule"},
		"two deadlines":         {`change: {C30: {due: {on: true, days: 3}}}`, "due says one thing beside again, not 2"},
		"no deadline":           {`change: {C30: {due: {again: 3}}}`, "due says one thing beside again, not 0"},
		"no note":               {`change: {C30: {ends: "note:nothing"}}`, `"note:nothing" is no ending that there is`},
		"no answer":             {`change: {C30: {ends: "answer:maybe"}}`, `"answer:maybe" is no ending that there is`},
		"never ends":            {`duties: [{rule: C901, says: Do it, starts: [{opened: true}], due: {on: true}, who: manager, source: P1}]`, "a timed rule has says, starts, due, who and ends"},
		"never true":            {`change: {C30: {starts: [{opened: true, when: [{field: children.status, is: cp_plan}]}]}}`, `waits for "cp_plan", which cannot be answered`},
		"no such fact":          {`change: {C30: {starts: [{changed: children.statis}]}}`, `there is no fact "children.statis" in a case`},
		"a fact that is no day": {`change: {C30: {starts: [{date: children.status}]}}`, `there is no date "children.status" in a case`},
		"no such condition":     {`change: {C30: {starts: [{opened: true, if: care_leavers}]}}`, `there is no condition called "care_leavers"`},
		"two triggers":          {`change: {C30: {starts: [{opened: true, noted: call}]}}`, "a start is one of handed"},
		"no such response":      {`change: {C30: {starts: [{answered: cp1.maybe}]}}`, `there is no kind of response "cp1.maybe"`},
		"no reason":             {`change: {C30: {state: not_implemented}}`, "a rule that is not timed says what it asks for, and why"},
		"no such contact":       {`notes: [{kind: x, label: X, contact: y}]`, `there is no contact called "y"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := templates.LoadFS(overlay(t, map[string]string{"areas/surrey/duties.yaml": x.text}), "surrey")
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v, want %s", err, x.want)
			}
		})
	}
}

// A case of which nothing can be read is followed up; what hangs on what is known of it does not start.
func TestNothingIsKnownOfTheCase(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	var got []string
	for _, r := range d.Start(caseforms.Happening{Handed: "cp1", On: day(t, "2026-11-25")}, nil, calendar(t)) {
		got = append(got, r.Duty.Rule)
	}
	if strings.Join(got, " ") != "C06 C07" {
		t.Errorf("%v", got)
	}
	if got := d.Start(caseforms.Happening{Noted: "recall_considered", On: day(t, "2026-11-25")}, nil, calendar(t)); got != nil {
		t.Errorf("%v", got)
	}
}

// What follows from a list is known again by its day, whatever place in the list it has.
func TestDutiesOfListsAreKnownAgain(t *testing.T) {
	t.Parallel()
	d, about := definitions(t), map[string]bool{}
	for _, data := range []string{`{"registers":[{"review":"2027-03-10"},{"review":"2027-01-05"}]}`, `{"registers":[{"review":"2027-01-05"}]}`} {
		for _, r := range d.OfCase(decode(t, d, nil, data), calendar(t)) {
			about[r.About] = true
		}
	}
	if len(about) != 2 || !about["registers.review on 2027-01-05"] {
		t.Errorf("%v", about)
	}
}

const dutiesHead = `# The rules of the procedures

Made from the definitions by ` + "`go test . -update`" + `. What the sources are called is in [sources](sources.md). Working days are those of England and Wales.

## How a rule is written

The rules stand in ` + "`templates/duties.yaml`" + `. A new one that fits what is below needs no Go; a mistake is told with file and line when the program starts.

` + "```yaml" + `
  - rule: C53
    says: Tell the home probation area, the police and children's services …
    starts: [{date: earliest_release, if: [risk_to_children, in_custody]}]
    due: {days_before: 42}
    who: prison practitioner
    ends: "note:release_notified"
    source: "002:584"
` + "```" + `

| key | says |
|---|---|
| ` + "`state`" + ` | ` + "`timed`" + ` (the default), ` + "`blocking`, `logged` or `not_implemented`" + `; these three have ` + "`why`" + ` and no clock |
| ` + "`starts`" + ` | one or several, each with one of ` + "`handed`" + ` (forms), ` + "`noted`" + ` (kinds of note), ` + "`answered`" + ` (FORM.KIND), ` + "`changed`" + ` (facts of the case record, with all that is in them), ` + "`opened: true`" + ` (recorded for the first time), ` + "`date`" + ` (a date in the record or one with a name; of a list each item's) |
| ` + "`when`, `if`" + ` | conditions on the case that must all hold: ` + "`when: [{field: FACT, is: VALUE or [VALUES]}]`" + `, where "" is not answered and without ` + "`is`" + ` any answer will do; ` + "`if`" + `: conditions with a name. With the date of a list, conditions on the list are on the same item |
| ` + "`unless`" + ` | what, if it came before, keeps it from starting; written as ` + "`ends`" + ` |
| ` + "`due`" + ` | one of ` + "`same_day: true`, `working_days`, `days`, `months`" + ` (within), ` + "`working_days_before`, `days_before`, `months_before`" + ` (at least), ` + "`on: true`" + `; ` + "`again`" + `: working days until it is due again after a chase or reminder. What would fall on a day when offices are shut is due the working day before, except the same day |
| ` + "`default`" + ` | the procedures give no time, and this one is ours |
| ` + "`chases`" + ` | the agency is chased until it answers |
| ` + "`ends`" + ` | what ends it: ` + "`response`" + ` (one that ends the follow-up of that document), ` + "`answer:KIND`, `note:KIND`, `handed:FORM`, `fact:PATH`" + ` (has an answer). A person may say of any other than one that a response ends that it is done; of one that a manager's note ends, only a manager |

An area writes ` + "`templates/areas/NAME/duties.yaml`" + `: ` + "`change: {C30: {due: {working_days_before: 2}, source: P10}}`" + ` replaces single keys of a rule, ` + "`duties`" + ` adds rules,
` + "`notes`, `responses` and `contacts`" + ` replace or add single ones, ` + "`registers` and `chase`" + ` replace the whole, and ` + "`closed: {\"2026-12-24\": Office shut}`" + ` names days on which its offices are shut.
`

// docs/duties.md lists every rule, and is made from the definitions.
func TestDutiesPageIsCurrent(t *testing.T) {
	t.Parallel()
	page := dutiesHead + definitions(t).DutyReference()
	if *update {
		if err := os.WriteFile("docs/duties.md", []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("docs/duties.md")
	if err != nil || string(got) != page {
		t.Errorf("docs/duties.md is not current (%v): go test . -update", err)
	}
	for _, r := range definitions(t).Duties.Rules {
		if !strings.Contains(page, fmt.Sprintf("\n| %s |", r.Rule)) {
			t.Errorf("%s is not on it", r.Rule)
		}
	}
}
