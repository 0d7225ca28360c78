package templates

import (
	"maps"
	"slices"
	"time"

	"caseforms"
)

// dutiesFile is how the rules about time are written down. An area's file has changes of single rules, rules, notes and responses of its own,
// and days on which its offices are shut.
type dutiesFile struct {
	Duties    []*caseforms.Duty
	Responses map[string][]caseforms.Response
	Notes     []caseforms.NoteKind
	Contacts  map[string]string
	Registers []string
	Chase     []caseforms.ChaseStep
	Change    map[string]*caseforms.Duty
	Closed    map[string]string // day: why
}

// notOfAForm is whose file the duties are: of no form, so that a change of a deadline leaves the forms what they were.
const notOfAForm = "duties"

// duties reads the rules about time, or an area's changes of them.
func (l *loader) duties(name string) {
	var f dutiesFile
	if !l.read(name, notOfAForm, &f) {
		return
	}
	bad := func(line int, key, msg string) {
		l.problems = append(l.problems, caseforms.Problem{Severity: caseforms.Blocking, File: name, Line: max(line, 1), Column: 1, Key: key, Msg: msg})
	}
	d := &l.defs.Duties
	for _, r := range f.Duties {
		if d.Rule(r.Rule) != nil {
			bad(r.Line, r.Rule, "this rule stands twice")
		}
		if r.State == "" {
			r.State = caseforms.DutyTimed
		}
		r.File = name
		d.Rules = append(d.Rules, r)
	}
	for id, c := range f.Change {
		r := d.Rule(id)
		if r == nil {
			bad(c.Line, id, "there is no such rule")
			continue
		}
		changed := *r
		changed.File, changed.Line = name, c.Line
		if c.Due != nil {
			changed.Due, changed.Default = c.Due, c.Default
		}
		if !c.Says.IsZero() {
			changed.Says = c.Says
		}
		if c.Who != "" {
			changed.Who = c.Who
		}
		if c.Source != "" {
			changed.Source = c.Source
		}
		if c.Starts != nil {
			changed.Starts = c.Starts
		}
		if c.Ends != nil {
			changed.Ends = c.Ends
		}
		if c.State != "" {
			changed.State, changed.Why = c.State, c.Why
		}
		d.Rules[slices.Index(d.Rules, r)] = &changed
	}
	for day, why := range f.Closed {
		t, err := time.Parse(time.DateOnly, day)
		if err != nil {
			bad(1, day, "is not a day such as 2026-12-24")
			continue
		}
		d.Closed = append(d.Closed, caseforms.Holiday{On: caseforms.DateOf(t), Name: why})
	}
	slices.SortFunc(d.Closed, func(a, b caseforms.Holiday) int { return a.On.DaysUntil(b.On) * -1 })
	for _, n := range f.Notes {
		if old := d.Note(n.Kind); old != nil {
			*old = n
		} else {
			d.Notes = append(d.Notes, n)
		}
	}
	d.Responses, d.Contacts = merged(d.Responses, f.Responses), merged(d.Contacts, f.Contacts)
	if f.Registers != nil {
		d.Registers = f.Registers
	}
	if f.Chase != nil {
		d.Chase = f.Chase
	}
	holidays, err := Holidays()
	if err != nil {
		bad(1, "bank-holidays.json", err.Error())
	}
	l.defs.BankHolidays = holidays
}

// merged lays an area's entries over the general ones.
func merged[T any](general, area map[string]T) map[string]T {
	if general == nil {
		return area
	}
	maps.Copy(general, area)
	return general
}
