package caseforms

import (
	"fmt"
	"slices"
	"strings"
)

// Duties are the rules of the procedures that are about time: what has to be done by when, once something has happened, and what ends it. They
// stand in templates/duties.yaml; an area changes single values.
type Duties struct {
	Rules     []*Duty
	Responses map[string][]Response // by form: the kinds of response somebody may record for it
	Notes     []NoteKind            // what may be noted of a case
	Contacts  map[string]string     // what the case system calls a contact, by what happened
	Registers []string              // the registers of the case system, in its words (002:669-678)
	Chase     []ChaseStep
	Closed    []Holiday // days beside the bank holidays on which offices are shut
}

// DutyState says what the program does about a rule.
type DutyState string

const (
	DutyTimed          DutyState = "timed"           // it has a deadline that is watched
	DutyLogged         DutyState = "logged"          // what it asks for is entered in the log in its words
	DutyBlocking       DutyState = "blocking"        // a form is not issued, or a warning is told, while it is not met
	DutyNotImplemented DutyState = "not_implemented" // with the reason
)

// Duty is one rule.
type Duty struct {
	Rule    string // its id: C06
	State   DutyState
	Says    Text // what to do
	Why     Text // of a rule that is not implemented: why; of one that blocks or is logged: where
	Starts  []*Start
	Due     *Due
	Default bool // the procedures give no time; the one here is ours
	Who     string
	Urgent  bool     // it is told first
	Chases  bool     // an agency that does not answer is chased until it does
	Ends    []string // response, note:KIND, handed:FORM, handed (of whatever form), answer:KIND, fact:PATH
	Source  string
	File    string // where it was read, or changed for an area
	Line    int
}

// Start says what starts a duty. Exactly one of those before When is set.
type Start struct {
	Handed   []string // a document of one of these forms was handed over
	Noted    []string // something of one of these kinds was noted
	Answered []string // a response of one of these kinds was recorded, as FORM.KIND
	Date     string   // a date of the case: its path, or one of the named dates; of a list every item's
	Changed  []string // one of these facts of the case changed
	Opened   bool     // the case was recorded for the first time
	// Undelivered: a document was to be sent by e-mail and has not arrived, or nobody knows: "urgent" one that cannot wait, "ordinary" another.
	Undelivered string
	// Issued: a document was issued that goes to somebody when nobody is named: "urgent" or "ordinary", as with Undelivered.
	Issued string

	When   []*Cond  // conditions on the case, which must all hold; one without is wants any answer
	If     []string // named conditions on the case, which must all hold too; see conditions
	Unless []string // endings that came before: with one of them it does not start
	Line   int
}

// Due says when. Exactly one is set.
type Due struct {
	SameDay           bool
	WorkingDays       int // within so many
	WorkingDaysBefore int
	Days              int
	DaysBefore        int // at least so many
	Months            int
	MonthsBefore      int // at least so many
	On                bool
	Again             int // if it is not met: due again so many working days after each chase or reminder
	Line              int
}

// Response is a kind of response to a document.
type Response struct {
	Kind  string
	Label Text
	Ends  bool // it ends the follow-up; what only asks for more does not
}

// NoteKind is a kind of note: a call, a visit, a decision, something that happened.
type NoteKind struct {
	Kind    string
	Label   Text
	Contact string // its entry in the case system; "" is the one of contacts with other professionals
	Manager bool   // only a manager may write it
}

// ChaseStep is a rung of the ladder that is climbed while an agency does not answer.
type ChaseStep struct {
	Step  string // remind, prepare, manager, escalate
	After int    // working days after the follow-up fell due
	Round int    // or as soon as it falls due, from this round on; 0 is never
	Says  Text
}

// The reasons for which a duty ends, beside the rules' own.
const (
	EndDone      = "done"      // a person said that it was done
	EndNoLonger  = "no longer" // what it was about is gone from the case
	EndHandedOff = "closed"    // the document was withdrawn
)

// Rule finds a rule by its id.
func (d *Duties) Rule(id string) *Duty {
	for _, r := range d.Rules {
		if strings.EqualFold(r.Rule, id) {
			return r
		}
	}
	return nil
}

// Note finds a kind of note.
func (d *Duties) Note(kind string) *NoteKind {
	for i := range d.Notes {
		if d.Notes[i].Kind == kind {
			return &d.Notes[i]
		}
	}
	return nil
}

// Response finds a kind of response to a form.
func (d *Duties) Response(form, kind string) *Response {
	for i := range d.Responses[form] {
		if d.Responses[form][i].Kind == kind {
			return &d.Responses[form][i]
		}
	}
	return nil
}

// Happening is something that may start duties and end others.
type Happening struct {
	Handed   string // the form that was handed over
	Noted    string // the kind of note
	Answered string // FORM.KIND
	Opened   bool
	Changed  []string // paths of facts that differ from before
	// Undelivered is UndeliveredUrgent or UndeliveredOrdinary when a document that was to be sent has not arrived.
	Undelivered string
	To          string // the office that it was not delivered to
	Issued      string // of a document that goes to somebody: UndeliveredUrgent or UndeliveredOrdinary
	Issue       int    // of a document that was issued or handed over: which issue
	On          Date
}

// How much a document that was not delivered matters.
const (
	UndeliveredUrgent   = "urgent"
	UndeliveredOrdinary = "ordinary"
)

// Endings are the endings that this is, to be compared with the Ends of a duty.
func (h Happening) Endings(ds *Duties) (out []string) {
	switch {
	case h.Handed != "":
		out = append(out, "handed:"+h.Handed, "handed")
	case h.Noted != "":
		out = append(out, "note:"+h.Noted)
	case h.Answered != "":
		form, kind, _ := strings.Cut(h.Answered, ".")
		out = append(out, "answer:"+kind)
		if r := ds.Response(form, kind); r != nil && r.Ends {
			out = append(out, "response")
		}
	}
	return out
}

// Running is a duty that has started.
type Running struct {
	Duty *Duty
	// About tells duties of the same rule and case apart: the date it counts from, or the fact.
	About string
	From  Date
	Deadline
}

// Start are the duties that something starts. c may be nil when nothing is known of the case: it is then as one in which nothing is
// answered, so that a referral of which no record can be read is followed up all the same.
func (d *Definitions) Start(h Happening, c *Case, cal *Calendar) (out []Running) {
	if c == nil {
		c = d.NewCase()
	}
	for _, r := range d.Duties.Rules {
		for _, s := range r.Starts {
			if s.Date != "" || !s.happens(h) || !d.holds(s, c, "", nil) || d.Ended(r, c) {
				continue
			}
			about := "on " + h.On.String()
			switch {
			case h.Opened:
				about = "opened"
			case h.Undelivered != "":
				about = "to " + h.To // each office it has not reached is one thing to see to
			case h.Issued != "":
				about = AboutIssue(h.Issue)
			}
			out = append(out, Running{r, about, h.On, r.Due.deadline(h.On, cal)})
			break
		}
	}
	return out
}

func (s *Start) happens(h Happening) bool {
	some := func(a []string, b string) bool { return b != "" && slices.Contains(a, b) }
	return some(s.Handed, h.Handed) || some(s.Noted, h.Noted) || some(s.Answered, h.Answered) || s.Opened && h.Opened || s.Undelivered != "" && s.Undelivered == h.Undelivered || s.Issued != "" && s.Issued == h.Issued ||
		slices.ContainsFunc(h.Changed, func(at string) bool {
			at = indexes.ReplaceAllString(at, "")
			return slices.ContainsFunc(s.Changed, func(path string) bool { return at == path || strings.HasPrefix(at, path+".") })
		})
}

// OfCase are the duties that follow from the dates a case record has now. What has gone from them since is no longer due.
func (d *Definitions) OfCase(c *Case, cal *Calendar) (out []Running) {
	for _, r := range d.Duties.Rules {
		if d.Ended(r, c) {
			continue
		}
		counted := map[Date]bool{} // two starts on one day are one duty
		for _, s := range r.Starts {
			if s.Date == "" {
				continue
			}
			for _, x := range d.daysOf(s, c) {
				if !counted[x.On] {
					counted[x.On] = true
					out = append(out, Running{r, x.About, x.On, r.Due.deadline(x.On, cal)})
				}
			}
		}
	}
	return out
}

// Ended tells whether the case record itself says that a duty is done.
func (d *Definitions) Ended(r *Duty, c *Case) bool {
	return slices.ContainsFunc(r.Ends, func(e string) bool {
		path, ok := strings.CutPrefix(e, "fact:")
		return ok && d.answered(c, path)
	})
}

// Delivers tells whether a duty is about a document that has not arrived: handing the same issue of it over is what is asked for.
func (r *Duty) Delivers() bool {
	return slices.ContainsFunc(r.Starts, func(s *Start) bool { return s.Undelivered != "" })
}

// Sends tells whether a duty is to see that a document that was issued goes to somebody; what it is about is which issue.
func (r *Duty) Sends() bool {
	return slices.ContainsFunc(r.Starts, func(s *Start) bool { return s.Issued != "" })
}

// AboutIssue is how About of a running duty names an issue.
func AboutIssue(n int) string { return fmt.Sprintf("issue %d", n) }

// Dated tells whether About of a running duty is one of the dates its rule counts from.
func (r *Duty) Dated(about string) bool {
	return slices.ContainsFunc(r.Starts, func(s *Start) bool {
		return s.Date != "" && (about == s.Date || strings.HasPrefix(about, s.Date+" on "))
	})
}

// dayOf is a day that a duty counts from, and what it is called in About.
type dayOf struct {
	On    Date
	About string
}

// daysOf are the days on which a start's date falls, if its conditions hold. A day is called by its path; of a list, whose
// items come and go, with the day behind it. Conditions on the same list are conditions on the item.
func (d *Definitions) daysOf(s *Start, c *Case) (out []dayOf) {
	list, items := listAt(c, s.Date)
	if list == "" {
		if on, ok := d.dateOf(c, s.Date); ok && d.holds(s, c, "", nil) {
			out = append(out, dayOf{on, s.Date})
		}
		return out
	}
	for i := range items.Len() {
		if on, ok := dayIn(walk(items.item(i), s.Date[len(list)+1:])); ok && d.holds(s, c, list, items.item(i)) {
			out = append(out, dayOf{on, s.Date + " on " + on.String()})
		}
	}
	return out
}

// listAt finds the list on the way to a fact, and its path; "" when there is none.
func listAt(c *Case, path string) (string, list) {
	for i, r := range path {
		if r == '.' {
			if l, ok := factAt(c, path[:i]).(list); ok {
				return path[:i], l
			}
		}
	}
	return "", nil
}

// holds tells whether the conditions of a start hold of a case, and of an item of a list those that are on that list.
func (d *Definitions) holds(s *Start, c *Case, list string, item any) bool {
	for _, cond := range s.When {
		values := factValues(c, cond.Field)
		if rest, ok := strings.CutPrefix(cond.Field, list+"."); ok && list != "" {
			values = valuesAt(item, rest)
		}
		if !cond.met(values) {
			return false
		}
	}
	for _, name := range s.If {
		if !slices.ContainsFunc(conditions[name].any, func(all []Cond) bool {
			return !slices.ContainsFunc(all, func(cond Cond) bool { return !cond.met(factValues(c, cond.Field)) })
		}) {
			return false
		}
	}
	return true
}

// met tells whether one of the values is wanted. "" is not answered, and a condition that names none wants any answer.
func (c *Cond) met(values []string) bool {
	if len(values) == 0 {
		return slices.Contains(c.Is, "")
	}
	return slices.ContainsFunc(values, func(v string) bool {
		_, state := statedBy(v)
		return c.Is == nil && !state || slices.Contains(c.Is, v)
	})
}

// conditions are the named conditions that a start may have: one of any, all of which must hold.
var conditions = map[string]struct {
	says string
	any  [][]Cond
}{
	// Assessed medium or above (002:671), or convicted of an offence against a child (003:15).
	"risk_to_children": {"the person presents a risk to children: assessed medium or above, or an offence against a child", [][]Cond{
		{{Field: "risk.rosh_children", Is: []string{"medium", "high", "very_high"}}},
		{{Field: "offences.against_child", Is: []string{"yes"}}},
	}},
	"offence_against_child": {"there is an offence against a child", [][]Cond{{{Field: "offences.against_child", Is: []string{"yes"}}}}},
	"high_risk": {"a risk of serious harm is high or very high", [][]Cond{
		{{Field: "risk.rosh_children", Is: highRisk}}, {{Field: "risk.rosh_public", Is: highRisk}}, {{Field: "risk.rosh_known_adult", Is: highRisk}},
		{{Field: "risk.rosh_staff", Is: highRisk}}, {{Field: "risk.rosh_prisoners", Is: highRisk}},
	}},
	// A Professionals Meeting about somebody without a conviction is outside MAPPA (003:65; 0.4 point 23), and so is who was taken off the list.
	"mappa": {"it is a case under MAPPA: it has a category, and the PP1 is neither for a Professionals Meeting nor a removal", [][]Cond{{
		{Field: "mappa.category", Is: []string{"1", "2", "3", "4"}},
		{Field: "forms.pp1.notification_type", Is: []string{"", "notification", "referral_2", "referral_3", "update", "not_known", "not_applicable", "withheld"}},
	}}},
	"care_leaver": {"the person is a care leaver or looked after", [][]Cond{
		{{Field: "care.care_status", Is: []string{"eligible", "relevant", "former_relevant", "qualifying", "looked_after"}}},
	}},
	"on_a_plan": {"a child has a child protection plan", [][]Cond{{{Field: "children.status", Is: []string{"protection_plan"}}}}},
	// Of a person in the community, dates of release lie in the past and ask for nothing.
	"in_custody": {"the person is in custody, or a release from prison is considered and it is not said where they are", [][]Cond{
		{{Field: "person.custody_status", Is: []string{"in_custody"}}},
		{{Field: "person.custody_status", Is: unknown}, {Field: "release.kind", Is: []string{"parole", "temporary_release", "hdc", "conditional_release", "end_of_sentence", "open_conditions"}}},
	}},
	"child_at_release_address": {"a child lives at, or is likely to visit, the address of release", [][]Cond{
		{{Field: "children.lives_at_release_address", Is: []string{"yes"}}}, {{Field: "children.visits", Is: []string{"yes"}}},
	}},
	"release_dates_known": {"a date of release, parole or temporary release is known", [][]Cond{
		{{Field: "sentence.release_date"}}, {{Field: "release.decision_date"}}, {{Field: "relevant_dates.hdced"}}, {{Field: "relevant_dates.ped"}},
		{{Field: "relevant_dates.crd"}}, {{Field: "relevant_dates.next_rotl"}}, {{Field: "relevant_dates.parole_hearing"}},
	}},
	"childrens_services_involved": {"a child is known to children's services, or the person presents a risk to children", [][]Cond{
		{{Field: "children.status", Is: []string{"child_in_need", "protection_plan", "looked_after"}}},
		{{Field: "children.known_to_csc", Is: []string{"yes"}}},
		{{Field: "risk.rosh_children", Is: []string{"medium", "high", "very_high"}}},
		{{Field: "offences.against_child", Is: []string{"yes"}}},
	}},
	// A pure notification starts no chase (0.4 point 16); one that is urgent, or asks for something, is none.
	"referral_wants_answer": {"the referral is more than information", [][]Cond{
		{{Field: "forms.cp1.referral_type", Is: append([]string{"child_protection", "child_in_need", "disability_service"}, unknown...)}},
		{{Field: "forms.cp1.urgency", Is: []string{"immediate_danger", "significant_harm"}}},
		{{Field: "forms.cp1.asked_of_csc", Is: []string{"section_47_enquiry", "risk_assessment", "written_statement", "address_view", "strategy_discussion", "conference", "core_assessment"}}},
	}},
}

var (
	highRisk = []string{"high", "very_high"}
	unknown  = []string{"", "not_known", "not_applicable", "withheld"}
)

// Which of several dates a named date is.
const (
	earliest = "the earliest of"
	latest   = "the latest of"
	first    = "the first that is known of"
)

// namedDates are dates that are more than one fact.
var namedDates = map[string]struct {
	says  string
	which string
	of    []string
}{
	// What is counted from release counts from the earliest possible one (0.4 point 17).
	"earliest_release": {"the earliest possible release", earliest, []string{"relevant_dates.hdced", "relevant_dates.ped", "relevant_dates.crd", "relevant_dates.parole_hearing", "sentence.release_date"}},
	// The order or licence ends: 002:303 says expiry and 002:314, 688 archiving; the later one holds (0.4 point 17).
	"end_of_order": {"the end of the order or licence", latest, []string{"sentence.expiry_date", "relevant_dates.led", "relevant_dates.sed", "relevant_dates.pss_end"}},
	// What has to be done before a release is decided has until the decision, or the release where no day of a decision is known.
	"release_decision": {"the decision on release, or else the release", first, []string{"release.decision_date", "relevant_dates.parole_hearing", "relevant_dates.next_rotl", "relevant_dates.hdced", "relevant_dates.ped", "relevant_dates.crd", "sentence.release_date"}},
	"parole_decision":  {"the parole hearing", first, []string{"release.decision_date", "relevant_dates.parole_hearing"}},
	// The level was last decided on when it was set, or at the last meeting.
	"level_decided": {"the day the level was last decided", latest, []string{"mappa.start", "forms.pp2.meeting_date"}},
}

// dateOf is a date of the case; ok is false while it is not known.
func (d *Definitions) dateOf(c *Case, path string) (on Date, ok bool) {
	named, is := namedDates[path]
	if !is {
		return dayIn(factAt(c, path))
	}
	for _, p := range named.of {
		v, known := dayIn(factAt(c, p))
		if known && (!ok || named.which == earliest && v.Before(on) || named.which == latest && on.Before(v)) {
			on, ok = v, true
		}
	}
	return on, ok
}

func dayIn(fact any) (Date, bool) {
	switch f := fact.(type) {
	case *Of[Date]:
		return f.Value, f.Known()
	case *Of[Moment]:
		return f.Value.Date, f.Known()
	}
	return Date{}, false
}

// factAt finds a fact of the case by its path; forms.FORM.KEY is one of a form's own.
func factAt(c *Case, path string) any {
	if rest, ok := strings.CutPrefix(path, "forms."); ok {
		form, key, _ := strings.Cut(rest, ".")
		if own := c.Forms[form]; own != nil {
			return walk(own, key)
		}
		return nil
	}
	return walk(c, path)
}

// factValues are the values of a fact, of a list those of every item: offences.against_child. A state that was given is a value too.
func factValues(c *Case, path string) []string {
	if rest, ok := strings.CutPrefix(path, "forms."); ok {
		form, key, _ := strings.Cut(rest, ".")
		if own := c.Forms[form]; own != nil {
			return valuesAt(own, key)
		}
		return nil
	}
	return valuesAt(c, path)
}

// valuesAt follows a path through records and every item of lists.
func valuesAt(record any, path string) (out []string) {
	switch r := record.(type) {
	case nil:
	case list:
		for i := range r.Len() {
			out = append(out, valuesAt(r.item(i), path)...)
		}
	case leaf:
		switch f := r.fact(); f.State {
		case NotAnswered:
		case Answered:
			out = strings.Split(f.Value, "\n")
		default:
			out = []string{f.State.String()}
		}
	default:
		if path != "" {
			name, rest, _ := strings.Cut(path, ".")
			out = valuesAt(member(record, name), rest)
		}
	}
	return out
}

// answered tells whether a fact has a value.
func (d *Definitions) answered(c *Case, path string) bool { return (&Cond{}).met(factValues(c, path)) }

// deadline counts from a day.
func (u *Due) deadline(from Date, cal *Calendar) Deadline {
	switch {
	case u.SameDay:
		return cal.Within(from, 0)
	case u.WorkingDays > 0:
		return cal.Within(from, u.WorkingDays)
	case u.WorkingDaysBefore > 0:
		return cal.WorkingDaysBefore(from, u.WorkingDaysBefore)
	case u.Days > 0:
		return cal.WithinDays(from, u.Days)
	case u.DaysBefore > 0:
		return cal.AtLeastDaysBefore(from, u.DaysBefore)
	case u.Months > 0:
		return cal.WithinMonths(from, u.Months)
	case u.MonthsBefore > 0:
		return cal.AtLeastMonthsBefore(from, u.MonthsBefore)
	}
	return cal.NoLaterThan(from)
}

// Next is when a duty that was not met, and was chased on a day, falls due again.
func (r *Duty) Next(chased Date, cal *Calendar) Deadline {
	n := r.Due.Again
	if n == 0 {
		n = 1
	}
	return cal.Within(chased, n)
}

// Calendar is the calendar of these definitions, with further days on which offices are shut.
func (d *Definitions) Calendar(further ...Holiday) *Calendar {
	return NewCalendar(d.BankHolidays, append(slices.Clone(d.Duties.Closed), further...))
}

// bindDuties checks that the duties speak of what there is.
func (d *Definitions) bindDuties() []Problem {
	b := &dutyBinder{d: d, forms: map[string]bool{}, file: "duties.yaml"}
	for _, f := range d.Forms {
		b.forms[f.ID] = true
	}
	for _, n := range d.Duties.Notes {
		if n.Contact != "" && d.Duties.Contacts[n.Contact] == "" {
			b.bad(1, n.Kind, "there is no contact called %s", quoteKey(n.Contact))
		}
	}
	for form := range d.Duties.Responses {
		if !b.forms[form] {
			b.bad(1, "responses", "there is no form %s", quoteKey(form))
		}
	}
	for _, r := range d.Duties.Rules {
		b.rule(r)
	}
	return b.problems
}

type dutyBinder struct {
	d        *Definitions
	forms    map[string]bool
	file     string
	problems []Problem
}

func (b *dutyBinder) bad(line int, key, format string, args ...any) {
	b.problems = append(b.problems, Problem{Severity: Blocking, File: b.file, Line: max(line, 1), Column: 1, Key: key, Msg: fmt.Sprintf(format, args...)})
}

func (b *dutyBinder) rule(r *Duty) {
	if r.File != "" {
		b.file = r.File
	}
	switch r.State {
	case DutyTimed:
		if len(r.Starts) == 0 || r.Due == nil || r.Says.IsZero() || r.Who == "" || len(r.Ends) == 0 {
			b.bad(r.Line, r.Rule, "a timed rule has says, starts, due, who and ends")
			return
		}
		if n := r.Due.set(); n != 1 {
			b.bad(r.Due.Line, r.Rule, "due says one thing beside again, not %d", n)
		}
	case DutyLogged, DutyBlocking, DutyNotImplemented:
		if r.Says.IsZero() || r.Why.IsZero() {
			b.bad(r.Line, r.Rule, "a rule that is not timed says what it asks for, and why: where it is logged or blocks, or why it is not implemented")
		}
		if len(r.Starts) > 0 || r.Due != nil {
			b.bad(r.Line, r.Rule, "only a timed rule has starts and due")
		}
	default:
		b.bad(r.Line, r.Rule, "a rule is timed, logged, blocking or not_implemented")
	}
	if r.Source == "" {
		b.bad(r.Line, r.Rule, "a rule has a source")
	}
	for _, s := range r.Starts {
		b.start(r, s)
	}
	for _, e := range r.Ends {
		b.ending(r, e)
	}
}

func (b *dutyBinder) start(r *Duty, s *Start) {
	set := 0
	for _, n := range []int{len(s.Handed), len(s.Noted), len(s.Answered), len(s.Date), len(s.Changed)} {
		set += min(n, 1)
	}
	if s.Opened {
		set++
	}
	for _, how := range []string{s.Undelivered, s.Issued} {
		switch how {
		case "":
		case UndeliveredUrgent, UndeliveredOrdinary:
			set++
		default:
			b.bad(s.Line, r.Rule, "what was issued or not delivered is urgent or ordinary")
		}
	}
	if set != 1 {
		b.bad(s.Line, r.Rule, "a start is one of handed, noted, answered, date, changed, opened, undelivered, issued")
	}
	for _, f := range s.Handed {
		if !b.forms[f] {
			b.bad(s.Line, r.Rule, "there is no form %s", quoteKey(f))
		}
	}
	for _, n := range s.Noted {
		if b.d.Duties.Note(n) == nil {
			b.bad(s.Line, r.Rule, "there is no kind of note %s", quoteKey(n))
		}
	}
	for _, a := range s.Answered {
		if form, kind, _ := strings.Cut(a, "."); b.d.Duties.Response(form, kind) == nil {
			b.bad(s.Line, r.Rule, "there is no kind of response %s", quoteKey(a))
		}
	}
	if s.Date != "" && !b.d.isDate(s.Date) {
		b.bad(s.Line, r.Rule, "there is no date %s in a case", quoteKey(s.Date))
	}
	for _, p := range s.Changed {
		if b.d.shape.at(p) == nil {
			b.bad(s.Line, r.Rule, "there is no fact %s in a case", quoteKey(p))
		}
	}
	for _, c := range s.When {
		b.cond(s.Line, r.Rule, c)
	}
	for _, name := range s.If {
		if conditions[name].any == nil {
			b.bad(s.Line, r.Rule, "there is no condition called %s: %s", quoteKey(name), known(conditions))
		}
		for _, all := range conditions[name].any {
			for i := range all {
				b.cond(s.Line, name, &all[i])
			}
		}
	}
	for _, e := range s.Unless {
		b.ending(r, e)
	}
}

// cond checks that a condition can come true.
func (b *dutyBinder) cond(line int, key string, c *Cond) {
	s := b.d.shape.at(c.Field)
	if s == nil {
		b.bad(line, key, "there is no fact %s in a case", quoteKey(c.Field))
		return
	}
	for _, v := range c.Is {
		if !s.mayCome(v) {
			b.bad(line, key, "a condition on %s waits for %s, which cannot be answered; %s", c.Field, quoteKey(v), s.mayBe(v))
		}
	}
}

func (b *dutyBinder) ending(r *Duty, e string) {
	kind, what, _ := strings.Cut(e, ":")
	switch {
	case e == "response", e == "handed", kind == "note" && b.d.Duties.Note(what) != nil, kind == "handed" && b.forms[what], kind == "fact" && b.d.shape.at(what) != nil:
	case kind == "answer" && b.d.answerLabel(what) != "":
	default:
		b.bad(r.Line, r.Rule, "%s is no ending that there is", quoteKey(e))
	}
}

// answerLabel is what a kind of response is called; "" when no form has it.
func (d *Definitions) answerLabel(kind string) string {
	for _, f := range d.Forms {
		if r := d.Duties.Response(f.ID, kind); r != nil {
			return d.say(r.Label)
		}
	}
	return ""
}

// set is how many of the ways to say when are used.
func (u *Due) set() int {
	n := 0
	for _, x := range []int{u.WorkingDays, u.WorkingDaysBefore, u.Days, u.DaysBefore, u.Months, u.MonthsBefore} {
		n += min(x, 1)
	}
	for _, x := range []bool{u.SameDay, u.On} {
		if x {
			n++
		}
	}
	return n
}

func (d *Definitions) isDate(path string) bool {
	paths := []string{path}
	if named, ok := namedDates[path]; ok {
		paths = named.of
	}
	return !slices.ContainsFunc(paths, func(p string) bool {
		s := d.shape.at(p)
		return s == nil || s.Kind != KindDate && s.Kind != KindDateTime
	})
}

// Reads tells whether the dates or conditions that start a rule are among some facts, such as those that a record does not have any more.
func (r *Duty) Reads(facts []string) bool {
	var paths []string
	for _, s := range r.Starts {
		if named, ok := namedDates[s.Date]; ok {
			paths = append(paths, named.of...)
		} else if s.Date != "" {
			paths = append(paths, s.Date)
		}
		for _, c := range s.When {
			paths = append(paths, c.Field)
		}
		for _, name := range s.If {
			for _, all := range conditions[name].any {
				for _, c := range all {
					paths = append(paths, c.Field)
				}
			}
		}
	}
	return slices.ContainsFunc(facts, func(f string) bool {
		f = indexes.ReplaceAllString(f, "")
		return slices.ContainsFunc(paths, func(p string) bool { return f == p || strings.HasPrefix(f, p+".") || strings.HasPrefix(p, f+".") })
	})
}
