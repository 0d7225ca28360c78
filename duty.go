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
	Why     Text // of a rule that is not implemented: why; of one that blocks: where
	Starts  []*Start
	Due     *Due
	Default bool // the procedures give no time; the one here is ours
	Who     string
	Chases  bool     // an agency that does not answer is chased until it does
	Ends    []string // response, note:KIND, handed:FORM, fact:PATH; see Ending
	Source  string
	Line    int
}

// Start says what starts a duty. Exactly one of the first five is set.
type Start struct {
	Handed   []string // a document of one of these forms was handed over
	Noted    []string // something of one of these kinds was noted
	Answered []string // a response of one of these kinds was recorded, as FORM.KIND
	Date     string   // a date of the case: its path, or one of the named dates
	Changed  []string // one of these facts of the case changed
	Opened   bool     // the case was recorded for the first time

	When   []*Cond  // conditions on the case, which must all hold
	If     string   // a named condition on the case, see conditions
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
	On       Date
	Urgent   bool
}

// Endings are the endings that this is, to be compared with the Ends of a duty.
func (h Happening) Endings(ds *Duties) (out []string) {
	switch {
	case h.Handed != "":
		out = append(out, "handed:"+h.Handed)
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

// Start are the duties that something starts. c may be nil when nothing is known of the case.
func (d *Definitions) Start(h Happening, c *Case, cal *Calendar) (out []Running) {
	for _, r := range d.Duties.Rules {
		for _, s := range r.Starts {
			if s.Date != "" || !s.happens(h) || !d.holds(s, c) {
				continue
			}
			about := "on " + h.On.String()
			if h.Opened {
				about = "opened"
			}
			out = append(out, Running{r, about, h.On, r.Due.deadline(h.On, cal)})
			break
		}
	}
	return out
}

func (s *Start) happens(h Happening) bool {
	some := func(a []string, b string) bool { return b != "" && slices.Contains(a, b) }
	return some(s.Handed, h.Handed) || some(s.Noted, h.Noted) || some(s.Answered, h.Answered) || s.Opened && h.Opened ||
		slices.ContainsFunc(s.Changed, func(path string) bool {
			return slices.ContainsFunc(h.Changed, func(at string) bool {
				return at == path || strings.HasPrefix(at, path+".") || strings.HasPrefix(at, path+"[")
			})
		})
}

// OfCase are the duties that follow from the dates a case record has now. What has gone from them since is no longer due.
func (d *Definitions) OfCase(c *Case, cal *Calendar) (out []Running) {
	for _, r := range d.Duties.Rules {
		for _, s := range r.Starts {
			if s.Date == "" || !d.holds(s, c) {
				continue
			}
			on, ok := d.dateOf(c, s.Date)
			if !ok || r.ended(d, c) {
				continue
			}
			out = append(out, Running{r, s.Date, on, r.Due.deadline(on, cal)})
			break
		}
	}
	return out
}

// ended tells whether the case record itself says that a duty is done.
func (r *Duty) ended(d *Definitions, c *Case) bool {
	return slices.ContainsFunc(r.Ends, func(e string) bool {
		path, ok := strings.CutPrefix(e, "fact:")
		return ok && d.factAnswered(c, path)
	})
}

// holds tells whether the conditions of a start hold of a case.
func (d *Definitions) holds(s *Start, c *Case) bool {
	if c == nil {
		return len(s.When) == 0 && s.If == ""
	}
	for _, cond := range s.When {
		if !slices.ContainsFunc(d.factValues(c, cond.Field), func(v string) bool { return slices.Contains(cond.Is, v) }) {
			return false
		}
	}
	return s.If == "" || conditions[s.If](d, c)
}

// conditions are the named conditions that a start may have: what equals and one-of cannot say.
var conditions = map[string]func(*Definitions, *Case) bool{
	// presents a risk or potential risk to children (003:15): assessed medium or above (002:671), or convicted of an offence against a child
	"risk_to_children": func(d *Definitions, c *Case) bool {
		return slices.Contains([]string{"medium", "high", "very_high"}, strings.Join(d.factValues(c, "risk.rosh_children"), "")) ||
			slices.Contains(d.factValues(c, "offences.against_child"), "yes")
	},
	"offence_against_child": func(d *Definitions, c *Case) bool {
		return slices.Contains(d.factValues(c, "offences.against_child"), "yes")
	},
	"mappa":       func(d *Definitions, c *Case) bool { return len(d.factValues(c, "mappa.category")) > 0 },
	"care_leaver": func(d *Definitions, c *Case) bool { return len(d.factValues(c, "care.care_status")) > 0 },
	"on_a_plan": func(d *Definitions, c *Case) bool {
		return slices.Contains(d.factValues(c, "children.status"), "cp_plan")
	},
}

// namedDates are dates that are more than one fact: the earliest of them, or the latest.
var namedDates = map[string]struct {
	latest bool
	of     []string
}{
	// What is counted from release counts from the earliest possible one (0.4 point 17).
	"earliest_release": {false, []string{"relevant_dates.hdced", "relevant_dates.ped", "relevant_dates.crd", "relevant_dates.parole_hearing", "sentence.release_date"}},
	// The order or licence ends: 002:303 says expiry and 002:314, 688 archiving; the later one holds (0.4 point 17).
	"end_of_order": {true, []string{"sentence.expiry_date", "relevant_dates.led", "relevant_dates.sed", "relevant_dates.pss_end"}},
}

// dateOf is a date of the case; ok is false while it is not known.
func (d *Definitions) dateOf(c *Case, path string) (on Date, ok bool) {
	paths := []string{path}
	named, isNamed := namedDates[path]
	if isNamed {
		paths = named.of
	}
	for _, p := range paths {
		var v Date
		var known bool
		switch f := factAt(c, p).(type) {
		case *Of[Date]:
			v, known = f.Value, f.Known()
		case *Of[Moment]:
			v, known = f.Value.Date, f.Known()
		}
		if known && (!ok || v.Before(on) != named.latest) {
			on, ok = v, true
		}
	}
	return on, ok
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

// factValues are the values of a fact, of a list those of every item: offences.against_child.
func (d *Definitions) factValues(c *Case, path string) []string {
	v := factAt(c, path)
	if v == nil {
		if i := strings.LastIndexByte(path, '.'); i > 0 {
			if l, ok := factAt(c, path[:i]).(list); ok {
				var out []string
				for n := range l.Len() {
					out = append(out, leafValues(walk(l.item(n), path[i+1:]))...)
				}
				return out
			}
		}
		return nil
	}
	return leafValues(v)
}

func leafValues(v any) []string {
	if l, ok := v.(leaf); ok {
		if f := l.fact(); f.State == Answered {
			return strings.Split(f.Value, "\n")
		}
	}
	return nil
}

func (d *Definitions) factAnswered(c *Case, path string) bool { return len(d.factValues(c, path)) > 0 }

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
func (d *Definitions) bindDuties() (ps []Problem) {
	bad := func(line int, key, format string, args ...any) {
		ps = append(ps, Problem{Severity: Blocking, File: "duties.yaml", Line: max(line, 1), Column: 1, Key: key, Msg: fmt.Sprintf(format, args...)})
	}
	forms := map[string]bool{}
	for _, f := range d.Forms {
		forms[f.ID] = true
	}
	ending := func(r *Duty, e string) {
		kind, what, _ := strings.Cut(e, ":")
		switch {
		case e == "response":
		case kind == "note" && d.Duties.Note(what) != nil, kind == "handed" && forms[what], kind == "fact" && d.shapeAt(what), kind == "answer" && what != "":
		default:
			bad(r.Line, r.Rule, "%s is no ending that there is", quoteKey(e))
		}
	}
	for _, r := range d.Duties.Rules {
		switch r.State {
		case DutyTimed:
			if len(r.Starts) == 0 || r.Due == nil || r.Says.IsZero() || r.Who == "" {
				bad(r.Line, r.Rule, "a timed rule has says, starts, due and who")
				continue
			}
		case DutyLogged, DutyBlocking, DutyNotImplemented:
			if r.Says.IsZero() || r.State != DutyLogged && r.Why.IsZero() {
				bad(r.Line, r.Rule, "a rule says what it asks for, and why it is not implemented or where it blocks")
			}
		default:
			bad(r.Line, r.Rule, "a rule is timed, logged, blocking or not_implemented")
		}
		if r.Source == "" {
			bad(r.Line, r.Rule, "a rule has a source")
		}
		for _, s := range r.Starts {
			set := 0
			for _, n := range []int{len(s.Handed), len(s.Noted), len(s.Answered), len(s.Date), len(s.Changed)} {
				set += min(n, 1)
			}
			if s.Opened {
				set++
			}
			if set != 1 {
				bad(s.Line, r.Rule, "a start is one of handed, noted, answered, date, changed, opened")
			}
			for _, f := range s.Handed {
				if !forms[f] {
					bad(s.Line, r.Rule, "there is no form %s", quoteKey(f))
				}
			}
			for _, n := range s.Noted {
				if d.Duties.Note(n) == nil {
					bad(s.Line, r.Rule, "there is no kind of note %s", quoteKey(n))
				}
			}
			for _, a := range s.Answered {
				if form, kind, _ := strings.Cut(a, "."); d.Duties.Response(form, kind) == nil {
					bad(s.Line, r.Rule, "there is no kind of response %s", quoteKey(a))
				}
			}
			if s.Date != "" && !d.isDate(s.Date) {
				bad(s.Line, r.Rule, "there is no date %s in a case", quoteKey(s.Date))
			}
			for _, p := range s.Changed {
				if !d.shapeAt(p) {
					bad(s.Line, r.Rule, "there is no fact %s in a case", quoteKey(p))
				}
			}
			for _, c := range s.When {
				if !d.shapeAt(c.Field) {
					bad(s.Line, r.Rule, "there is no fact %s in a case", quoteKey(c.Field))
				}
			}
			if s.If != "" && conditions[s.If] == nil {
				bad(s.Line, r.Rule, "there is no condition called %s", quoteKey(s.If))
			}
			for _, e := range s.Unless {
				ending(r, e)
			}
		}
		for _, e := range r.Ends {
			ending(r, e)
		}
	}
	for form := range d.Duties.Responses {
		if !forms[form] {
			bad(1, "responses", "there is no form %s", quoteKey(form))
		}
	}
	return ps
}

// shapeAt tells whether a path leads to something in a case record.
func (d *Definitions) shapeAt(path string) bool { return d.shape.at(path) != nil }

func (d *Definitions) isDate(path string) bool {
	_, named := namedDates[path]
	return named || d.shapeAt(path)
}
