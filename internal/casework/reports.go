package casework

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-ical"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/render"
)

// written is a report as a file.
func written(doc *caseforms.Document, f render.Format) ([]byte, error) {
	var b bytes.Buffer
	_, err := render.Write(&b, doc, f, render.Options{})
	return b.Bytes(), err
}

// report is a document of ours that is no form. Reports are in English, as the acts of the ledger are.
func (k *Desk) report(title string) (*caseforms.Document, error) {
	defs, err := k.load("")
	if err != nil {
		return nil, err
	}
	doc := defs.NewReport(title)
	doc.Date, doc.Landscape = k.today(), true
	doc.Subtitle = "Made on " + doc.Date.Long()
	return doc, nil
}

// dueTable is what is due as a table.
func dueTable(key, label string, list []Due) caseforms.DocSection {
	t := &caseforms.Table{Key: key, Label: label, Layout: caseforms.LayoutTable, Columns: columns("Due*3", "First due*2", "Rule", "Reference*2", "Person*2", "Owner*2", "Ladder*2", "What to do*6")}
	for _, d := range list {
		due := d.Due.Long()
		if d.Over > 0 {
			due += fmt.Sprintf(" (%d working days over)", d.Over)
		}
		ref := string(d.Ref)
		if ref == "" {
			ref = string(d.Case)
		}
		says := d.Says
		if d.Chase != "" {
			says += ". Chase: " + d.Chase
		}
		t.Rows = append(t.Rows, row(key, len(t.Rows), due, d.First.String(), d.Rule, ref, d.Card.Name, d.OwnerName, d.Step, says))
	}
	return section(key, label, t)
}

// DueRegister is what is due as a workbook: one row for each, for the weekly meeting.
func (k *Desk) DueRegister(list []Due) ([]byte, error) {
	doc, err := k.report("Register of what is due")
	if err != nil {
		return nil, err
	}
	doc.Sections = []caseforms.DocSection{dueTable("due", "What is due", list)}
	return written(doc, render.FormatWorkbook)
}

// Digest is the day's list as a document: what is overdue, what is due today, what comes, and what of the outbox waits for a person.
func (k *Desk) Digest(ctx context.Context, a caseforms.Actor, list []Due, f render.Format) ([]byte, error) {
	today := k.today()
	doc, err := k.report("What is due on " + today.Long())
	if err != nil {
		return nil, err
	}
	var over, now, next []Due
	for _, d := range list {
		switch {
		case d.Over > 0:
			over = append(over, d)
		case d.Due == today:
			now = append(now, d)
		default:
			next = append(next, d)
		}
	}
	doc.Sections = []caseforms.DocSection{dueTable("over", "Overdue", over), dueTable("today", "Due today", now), dueTable("next", "Coming", next)}
	if a.Is(caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin) {
		items, _, err := k.Outbox(ctx, a)
		if err != nil {
			return nil, err
		}
		t := &caseforms.Table{Key: "sends", Layout: caseforms.LayoutTable, Columns: columns("Reference*2", "Since*2", "State*2", "What was said*4", "What to do*4")}
		for _, it := range items {
			if it.Standing != Queued {
				t.Rows = append(t.Rows, row("sends", len(t.Rows), string(it.Ref), longTime(it.At), string(it.Standing)+" ("+it.Organisation+")", it.Said, it.Do))
			}
		}
		t.Label = "To be sent, and not known to have arrived"
		doc.Sections = append(doc.Sections, section("sends", t.Label, t))
	}
	return written(doc, f)
}

// Calendar is what is due as a calendar file (RFC 5545): a day each, with rule and reference. Names are left out, because calendars are shared.
func (k *Desk) Calendar(list []Due) ([]byte, error) {
	cal := ical.NewCalendar()
	cal.Props.SetText(ical.PropVersion, "2.0")
	cal.Props.SetText(ical.PropProductID, "-//caseforms//due//EN")
	for _, d := range list {
		e := ical.NewEvent()
		about := string(d.Ref)
		if about == "" {
			about = string(d.Case)
		}
		e.Props.SetText(ical.PropUID, fmt.Sprintf("%d@%s.caseforms", d.ID, k.store.ID()))
		e.Props.SetDateTime(ical.PropDateTimeStamp, k.store.Now().UTC())
		e.Props.SetDate(ical.PropDateTimeStart, time.Date(d.Due.Year, time.Month(d.Due.Month), d.Due.Day, 0, 0, 0, 0, time.UTC))
		e.Props.SetText(ical.PropSummary, d.Rule+" "+about)
		e.Props.SetText(ical.PropDescription, d.Says)
		e.Props.SetText(ical.PropClass, "CONFIDENTIAL")
		cal.Children = append(cal.Children, e.Component)
	}
	var b bytes.Buffer
	if len(cal.Children) == 0 { // the library writes no calendar without an event; one is valid for programs that read it (RFC 5545, 3.6)
		return []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//caseforms//due//EN\r\nEND:VCALENDAR\r\n"), nil
	}
	if err := ical.NewEncoder(&b).Encode(cal); err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "the calendar cannot be written", Err: err}
	}
	return b.Bytes(), nil
}

// CalendarWarning says that the published bank holidays run out, from the last year of them on; "" before.
func (k *Desk) CalendarWarning() string {
	defs, err := k.load("")
	if err != nil {
		return ""
	}
	through := defs.Calendar(k.closed...).Through()
	if today := k.today(); today.Year < through || today.Year == through && today.Month < 7 {
		return ""
	}
	return fmt.Sprintf("the bank holidays this program knows end with %d; later ones are taken from the rule, which knows no one-off days", through)
}

// Contact is one step of a case as the case system wants it: when, which kind of contact, and the text to paste.
type Contact struct {
	At     time.Time
	Type   string // in the words of the procedures (002:662-667)
	By     string
	Text   string
	Ref    caseforms.Ref
	Record int64
}

// Log is what was done on a case, or on one document, with its entries for the case system, and the registers it stands in or may belong in.
type Log struct {
	Case      caseforms.CaseID
	Card      Card
	Contacts  []Contact
	Registers []string // "Risk to Children: in the record, review 3 March 2027"
}

// Log tells every step with the contact entry that belongs to it.
func (k *Desk) Log(ctx context.Context, a caseforms.Actor, of any) (*Log, error) {
	m, err := k.matter(ctx, a, of, "read the log of this case")
	if err != nil {
		return nil, err
	}
	out := &Log{Case: m.c.ID}
	if out.Card, err = k.card(ctx, m.c); err != nil {
		return nil, err
	}
	who, err := k.names(ctx)
	if err != nil {
		return nil, err
	}
	records, err := k.store.History(ctx, m.c.ID)
	if err != nil {
		return nil, err
	}
	forms := map[caseforms.Ref]string{}
	for _, r := range records {
		if ref, only := of.(caseforms.Ref); only && r.Ref != ref {
			continue
		}
		if r.Ref != "" && forms[r.Ref] == "" {
			d, err := k.store.Document(ctx, r.Ref)
			if err != nil {
				return nil, err
			}
			forms[r.Ref] = d.Form
		}
		if c, ok := contact(m.defs, r, forms[r.Ref]); ok {
			c.By = who.of(r.Actor)
			out.Contacts = append(out.Contacts, c)
		}
	}
	slices.SortStableFunc(out.Contacts, func(a, b Contact) int { return a.At.Compare(b.At) })
	out.Registers = registers(m)
	return out, k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "log read", Actor: a.ID, Case: m.c.ID})
}

// contact is the entry for the case system that a record of the ledger asks for, if it asks for one.
func contact(defs *caseforms.Definitions, r store.Record, form string) (Contact, bool) {
	c := Contact{At: r.At, Ref: r.Ref, Record: r.N}
	if at, err := time.Parse(time.RFC3339, r.Detail["at"]); err == nil {
		c.At = at
	}
	types := defs.Duties.Contacts
	title := form
	if f, err := defs.Form(form); err == nil {
		title = f.Title.In(defs.Lang)
	}
	words := func(parts ...string) string {
		return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ". ")
	}
	with := ""
	if w := r.Detail["with"]; w != "" {
		with = "With " + w
	}
	switch {
	case strings.HasPrefix(r.What, "handed over by "):
		c.Type = types[map[string]string{"check": "check", "cp1": "referral", "conference": "conference"}[form]]
		c.Text = words(fmt.Sprintf("%s, reference %s, handed over by %s to %s", title, r.Ref, strings.TrimPrefix(r.What, "handed over by "), r.Detail["to"]), with, r.Detail["text"])
		if r.Detail[detailElsewhere] != "" {
			c.Type = "" // it is no check or referral
		}
	case r.What == "sent":
		c.Type = types[map[string]string{"check": "check", "cp1": "referral", "conference": "conference"}[form]]
		c.Text = words(fmt.Sprintf("%s, reference %s, sent", title, r.Ref))
	case r.What == "response recorded":
		if c.Type = types["child_related"]; form == "check" {
			c.Type = types["check_response"]
		}
		about := ""
		if n := r.Detail["children"]; n != "" {
			about = "About child " + n
		}
		c.Text = words(fmt.Sprintf("Response to %s, reference %s: %s", title, r.Ref, r.Detail["label"]), about, with, r.Detail["text"])
	case r.What == noted:
		if n := defs.Duties.Note(r.Detail["kind"]); n != nil {
			c.Type = types[n.Contact]
		}
		label := r.Detail["label"]
		if r.Ref != "" {
			label += ", about " + string(r.Ref)
		}
		c.Text = words(label, with, r.Detail["text"])
	default:
		return c, false
	}
	if c.Type == "" {
		c.Type = types["child_related"]
	}
	if r.Erased {
		c.Text = "erased"
	}
	return c, true
}

// registers are the registers of the case system that the record names, and those that its facts point to (002:669-678).
func registers(m *matter) (out []string) {
	if m.record == nil {
		return nil
	}
	named := map[string]bool{}
	for i := range m.record.Registers.Items {
		r := &m.record.Registers.Items[i]
		name := known(&r.SeedName)
		if name == "" {
			continue
		}
		named[strings.ToLower(name)] = true
		line := name + ": in the record"
		if r.Review.Known() {
			line += ", review " + r.Review.Value.Long()
		}
		out = append(out, line)
	}
	statuses := map[string]bool{}
	for i := range m.record.Children.Items {
		statuses[known(&m.record.Children.Items[i].Status)] = true
	}
	risk := known(&m.record.Risk.RoSHChildren)
	for _, x := range []struct {
		register int // in the order of the procedures
		holds    bool
		why      string
	}{
		{0, slices.Contains([]string{"medium", "high", "very_high"}, risk), "risk to children is assessed as medium or above (002:671)"},
		{1, statuses["cin"] || statuses["child_in_need"], "a child has a child in need plan (002:672)"},
		{2, statuses["cp_plan"], "a child has a child protection plan (002:674)"},
		{4, statuses["lac"] || statuses["looked_after"], "a child is looked after (002:676)"},
	} {
		if names := m.defs.Duties.Registers; x.register < len(names) && x.holds && !named[strings.ToLower(names[x.register])] {
			out = append(out, names[x.register]+": not in the record, and "+x.why)
		}
	}
	return out
}

// Figures are what inspectors ask of a set of hand-offs that want an answer.
type Figures struct {
	Made, Answered, InTime, Part, Open, Over int
	Days                                     []int // from hand-off to answer, in days, of those that were answered
}

func (f *Figures) add(h *store.HandOff, today caseforms.Date) {
	if h.AnswerBy.IsZero() {
		return // a notification: no answer is awaited (0.4 point 16)
	}
	f.Made++
	switch h.State {
	case store.HandOffAnswered:
		f.Answered++
		f.Days = append(f.Days, h.Day.DaysUntil(h.Answered))
		if !h.AnswerBy.Before(h.Answered) {
			f.InTime++
		}
	case store.HandOffOpen, store.HandOffPart:
		f.Open++
		if h.State == store.HandOffPart {
			f.Part++
		}
		if h.AnswerBy.Before(today) {
			f.Over++
		}
	}
}

// Median is the median of the days; -1 when nothing was answered.
func (f *Figures) Median() float64 {
	if len(f.Days) == 0 {
		return -1
	}
	s := slices.Sorted(slices.Values(f.Days))
	return float64(s[len(s)/2]+s[(len(s)-1)/2]) / 2
}

func share(n, of int) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%d (%d %%)", n, (100*n+of/2)/of)
}

// Inspection says what an inspection pack is about: one case, or everything of an area, or of everywhere, in a span of days.
type Inspection struct {
	Case     caseforms.CaseID
	Area     string // "*" is everywhere
	From, To caseforms.Date
}

// Inspect is the pack: every request, chase, reply and manager's note, with the figures inspectors ask for. Of an area it has figures, a chart
// and the hand-offs; of a case also the words.
func (k *Desk) Inspect(ctx context.Context, a caseforms.Actor, q Inspection, f render.Format) ([]byte, error) {
	if _, err := k.Tick(ctx); err != nil {
		return nil, err
	}
	if q.Case != "" {
		return k.inspectCase(ctx, a, q.Case, f)
	}
	if err := mayCount(a, &q, "make an inspection pack of an area"); err != nil {
		return nil, err
	}
	title := "Inspection pack: everywhere"
	switch q.Area {
	case "*":
	case "":
		title = "Inspection pack: areas without a name of their own"
	default:
		title = "Inspection pack: " + q.Area
	}
	doc, err := k.report(title)
	if err != nil {
		return nil, err
	}
	defs, err := k.load("")
	if err != nil {
		return nil, err
	}
	today := k.today()
	sums := newTally()
	list := &caseforms.Table{Key: "handoffs", Label: "Every request", Layout: caseforms.LayoutTable, Columns: columns("Reference*3", "Form*2", "Handed over*2", "By*2", "Answer due*2", "Answered*2", "Days", "Response*5")}
	const mostListed = 5000
	more := 0
	err = k.store.EachHandOff(ctx, q.From, q.To, q.Area, func(h store.HandOff) error {
		sums.add(&h, today)
		if len(list.Rows) == mostListed {
			more++
			return nil
		}
		due, answered, days := "no answer is awaited", "", ""
		if !h.AnswerBy.IsZero() {
			due, days = h.AnswerBy.String(), fmt.Sprint(h.Day.DaysUntil(today))
			answered = "not yet"
		}
		if h.State == store.HandOffAnswered {
			answered, days = h.Answered.String(), fmt.Sprint(h.Day.DaysUntil(h.Answered))
		}
		label := h.Outcome
		if r := defs.Duties.Response(h.Form, h.Outcome); r != nil {
			label = r.Label.In(defs.Lang)
		}
		list.Rows = append(list.Rows, row("handoffs", len(list.Rows), string(h.Ref), h.Form, h.Day.String(), h.Channel, due, answered, days, label))
		return nil
	})
	if err != nil {
		return nil, err
	}
	name := titleOf(defs)
	span := fmt.Sprintf("Handed over from %s to %s", q.From.Long(), q.To.Long())
	figures := figuresTable("figures", "Figures", []string{"All"}, []*Figures{&sums.all})
	figures.Intro = span + ". Counted are requests that want an answer. In time is by the first deadline; days are from the hand-over to the answer."
	doc.Sections = append(doc.Sections, figures, chartSection(sums.byMonth), groupTable("forms", "By form", sums.byForm, name), groupTable("months", "By month", sums.byMonth, nil), groupTable("teams", "By team", sums.byTeam, nil))
	s := section("handoffs", list.Label, list)
	if more > 0 {
		s.Intro = fmt.Sprintf("The first %d; %d more are counted in the figures. Take a shorter span to see them.", mostListed, more)
	}
	doc.Sections = append(doc.Sections, s)
	e := store.Entry{Acts: []store.Act{store.Consultation}, What: "inspection pack made", Actor: a.ID, Detail: map[string]string{"area": q.Area, "from": q.From.String(), "to": q.To.String()}}
	if err := k.store.Append(ctx, e); err != nil {
		return nil, err
	}
	return written(doc, f)
}

// mayCount tells who may see the figures of an area, and whether the span is one.
func mayCount(a caseforms.Actor, q *Inspection, what string) error {
	if q.To.Before(q.From) {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the span ends before it begins", Hint: "say --since and --until the other way round"}
	}
	return a.Need(what, caseforms.RoleManager, caseforms.RoleAuditor)
}

// titleOf says what a form is called.
func titleOf(defs *caseforms.Definitions) func(string) string {
	return func(form string) string {
		if f, err := defs.Form(form); err == nil {
			return f.Title.In(defs.Lang)
		}
		return form
	}
}

// tally counts hand-offs by what they are asked for by.
type tally struct {
	all                     Figures
	byForm, byMonth, byTeam map[string]*Figures
}

func newTally() *tally {
	return &tally{byForm: map[string]*Figures{}, byMonth: map[string]*Figures{}, byTeam: map[string]*Figures{}}
}

func (t *tally) add(h *store.HandOff, today caseforms.Date) {
	at := func(m map[string]*Figures, key string) *Figures {
		if m[key] == nil {
			m[key] = &Figures{}
		}
		return m[key]
	}
	t.all.add(h, today)
	at(t.byForm, h.Form).add(h, today)
	at(t.byMonth, fmt.Sprintf("%04d-%02d", h.Day.Year, h.Day.Month)).add(h, today)
	at(t.byTeam, h.Team).add(h, today)
}

// Counted are the figures of a span of days, altogether and in groups.
type Counted struct {
	Inspection
	All                     Figures
	ByForm, ByMonth, ByTeam []Group
}

// Group is one of them.
type Group struct {
	Name string
	Figures
}

// Count counts the hand-offs of an area, or of everywhere, in a span of days. It has no words of any case. Without a span it is the last twelve months.
func (k *Desk) Count(ctx context.Context, a caseforms.Actor, q Inspection) (*Counted, error) {
	if q.To.IsZero() {
		q.To = k.today()
	}
	if q.From.IsZero() {
		q.From = q.To.AddMonths(-12)
	}
	if err := mayCount(a, &q, "see the figures of an area"); err != nil {
		return nil, err
	}
	defs, err := k.load("")
	if err != nil {
		return nil, err
	}
	sums, today := newTally(), k.today()
	if err := k.store.EachHandOff(ctx, q.From, q.To, q.Area, func(h store.HandOff) error { sums.add(&h, today); return nil }); err != nil {
		return nil, err
	}
	groups := func(by map[string]*Figures, name func(string) string) (out []Group) {
		for _, key := range slices.Sorted(maps.Keys(by)) {
			if by[key].Made > 0 {
				out = append(out, Group{name(key), *by[key]})
			}
		}
		return out
	}
	same := func(s string) string { return cmp.Or(s, "none") }
	month := func(s string) string {
		if t, err := time.Parse("2006-01", s); err == nil {
			return t.Format("January 2006")
		}
		return s
	}
	c := &Counted{q, sums.all, groups(sums.byForm, titleOf(defs)), groups(sums.byMonth, month), groups(sums.byTeam, same)}
	return c, k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "figures read", Actor: a.ID, Detail: map[string]string{"area": q.Area, "from": q.From.String(), "to": q.To.String()}})
}

func figuresTable(key, label string, names []string, fs []*Figures) caseforms.DocSection {
	t := &caseforms.Table{Key: key, Label: label, Layout: caseforms.LayoutTable, Columns: columns("Of*3", "Made", "Answered", "Answered in time", "Open", "Open and overdue", "Median days", "Longest")}
	for i, f := range fs {
		median, longest := "–", "–"
		if n := f.Median(); n >= 0 {
			median, longest = strconv.FormatFloat(n, 'f', -1, 64), fmt.Sprint(slices.Max(f.Days))
		}
		t.Rows = append(t.Rows, row(key, i, names[i], fmt.Sprint(f.Made), share(f.Answered, f.Made), share(f.InTime, f.Made), fmt.Sprint(f.Open), fmt.Sprint(f.Over), median, longest))
	}
	return section(key, label, t)
}

func groupTable(key, label string, by map[string]*Figures, name func(string) string) caseforms.DocSection {
	var keys, names []string
	var fs []*Figures
	for k := range by {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		n := cmp.Or(k, "none")
		if name != nil {
			n = name(k)
		}
		names, fs = append(names, n), append(fs, by[k])
	}
	return figuresTable(key, label, names, fs)
}

// chartSection shows by month what was made, answered, and answered in time.
func chartSection(byMonth map[string]*Figures) caseforms.DocSection {
	c := &caseforms.Chart{Key: "chart", Label: "Requests by month", Alt: "For each month how many requests were made, how many were answered, and how many in time.",
		Series: []string{"Made", "Answered", "Answered in time"}}
	var months []string
	for m := range byMonth {
		months = append(months, m)
	}
	slices.Sort(months)
	for _, m := range months {
		f := byMonth[m]
		label := m
		if t, err := time.Parse("2006-01", m); err == nil {
			label = t.Format("January 2006")
		}
		c.Groups = append(c.Groups, caseforms.BarGroup{Label: label, Values: []int{f.Made, f.Answered, f.InTime}})
	}
	return caseforms.DocSection{Key: "chart", Title: c.Label, Parts: []caseforms.Part{{Chart: c}}}
}

// inspectCase is the pack of one case.
func (k *Desk) inspectCase(ctx context.Context, a caseforms.Actor, id caseforms.CaseID, f render.Format) ([]byte, error) {
	log, err := k.Log(ctx, a, id)
	if err != nil {
		return nil, err
	}
	m, err := k.matter(ctx, a, id, "make an inspection pack of this case")
	if err != nil {
		return nil, err
	}
	who, err := k.names(ctx)
	if err != nil {
		return nil, err
	}
	doc, err := k.report("Inspection pack: case " + string(id))
	if err != nil {
		return nil, err
	}
	doc.Ref = string(id)
	hs, err := k.store.HandOffs(ctx, id)
	if err != nil {
		return nil, err
	}
	var all Figures
	requests := &caseforms.Table{Key: "handoffs", Label: "Requests and responses", Layout: caseforms.LayoutTable, Columns: columns("Reference*3", "Form*2", "Handed over*3", "To*3", "Answer due*3", "Answered*3", "Response*7")}
	for i := range hs {
		h := &hs[i]
		all.add(h, k.today())
		c, err := k.handOffContent(ctx, h)
		if err != nil {
			return nil, err
		}
		rs, err := k.store.Responses(ctx, h.ID)
		if err != nil {
			return nil, err
		}
		var said []string
		for j := range rs {
			label := rs[j].Kind
			if r := m.defs.Duties.Response(h.Form, rs[j].Kind); r != nil {
				label = r.Label.In(m.defs.Lang)
			}
			if len(rs[j].Children) > 0 {
				label += " (child " + joinInts(rs[j].Children) + ")"
			}
			said = append(said, rs[j].Day.String()+": "+label)
		}
		due, answered := "no answer is awaited", ""
		if !h.AnswerBy.IsZero() {
			due, answered = h.AnswerBy.String(), "not yet"
		}
		if h.State == store.HandOffAnswered {
			answered = h.Answered.String()
		}
		requests.Rows = append(requests.Rows, row("handoffs", i, string(h.Ref), h.Form, h.Day.String()+" by "+h.Channel, c.To, due, answered, strings.Join(said, "; ")))
	}
	followUps := &caseforms.Table{Key: "followups", Label: "Duties", Layout: caseforms.LayoutTable, Columns: columns("Rule*2", "State*3", "First due*3", "Due*3", "Rounds*2", "Owner*4", "How the day came about*8", "What was to be done*8")}
	for i, u := range m.runs {
		says := u.Rule
		if d := m.defs.Duties.Rule(u.Rule); d != nil {
			says = d.Says.In(m.defs.Lang)
		}
		state := map[store.FollowUpState]string{store.FollowUpOpen: "open", store.FollowUpDone: "done", store.FollowUpVoid: "no longer"}[u.State]
		if !u.EndedOn.IsZero() {
			state += " on " + u.EndedOn.String()
		}
		followUps.Rows = append(followUps.Rows, row("followups", i, u.Rule, state, u.First.String(), u.Due.String(), fmt.Sprint(u.Round), who.of(u.Owner), u.How, says))
	}
	contacts := &caseforms.Table{Key: "log", Label: "Log", Layout: caseforms.LayoutTable, Columns: columns("When*2", "By*2", "Contact*3", "Text*6")}
	for i, c := range log.Contacts {
		contacts.Rows = append(contacts.Rows, row("log", i, longTime(c.At), c.By, c.Type, c.Text))
	}
	steps, err := k.stepsTable(ctx, id, who)
	if err != nil {
		return nil, err
	}
	reg := &caseforms.Table{Key: "registers", Label: "Registers", Layout: caseforms.LayoutTable, Columns: columns("Register")}
	for i, r := range log.Registers {
		reg.Rows = append(reg.Rows, row("registers", i, r))
	}
	doc.Sections = []caseforms.DocSection{figuresTable("figures", "Figures", []string{string(id)}, []*Figures{&all}), section("handoffs", requests.Label, requests), section("followups", followUps.Label, followUps),
		section("log", contacts.Label, contacts), section("steps", steps.Label, steps), section("registers", reg.Label, reg)}
	if err := k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "inspection pack made", Actor: a.ID, Case: id}); err != nil {
		return nil, err
	}
	return written(doc, f)
}

// stepsTable are the rungs that were climbed, and the deadlines that moved or went.
func (k *Desk) stepsTable(ctx context.Context, id caseforms.CaseID, who names) (*caseforms.Table, error) {
	t := &caseforms.Table{Key: "steps", Label: "Reminders, chases made ready, managers told, deadlines moved", Layout: caseforms.LayoutTable, Columns: columns("When*2", "By*2", "Rule", "Reference*2", "Step*2", "Deadline*3")}
	records, err := k.store.History(ctx, id)
	for _, r := range records {
		step, ok := strings.CutPrefix(r.What, "follow-up: ")
		if !ok {
			continue
		}
		deadline := r.Detail["due"]
		if r.Detail["from"] != "" {
			deadline = r.Detail["from"] + " to " + r.Detail["to"]
		}
		words := map[string]string{"remind": "reminded", "prepare": "reminded, a chase made ready", "manager": "the manager is told", "escalate": "it goes up", "moved": "moved with the date", "no longer": "no longer due"}
		t.Rows = append(t.Rows, row("steps", len(t.Rows), longTime(r.At), who.of(r.Actor), r.Detail["rule"], string(r.Ref), cmp.Or(words[step], step), deadline))
	}
	return t, err
}

func (k *Desk) handOffContent(ctx context.Context, h *store.HandOff) (c content, err error) {
	b, err := k.store.HandOffContent(ctx, h)
	if err == nil && json.Unmarshal(b, &c) != nil {
		err = &caseforms.Error{Kind: caseforms.Internal, Msg: "what was written down about a hand-off is damaged"}
	}
	return c, err
}

// LogFile is the log of a case as a document or a workbook, to be copied into the case system.
func (k *Desk) LogFile(l *Log, f render.Format) ([]byte, error) {
	doc, err := k.report("Log of case " + string(l.Case))
	if err != nil {
		return nil, err
	}
	doc.Ref = string(l.Case)
	t := &caseforms.Table{Key: "log", Label: "Contacts", Layout: caseforms.LayoutTable, Columns: columns("Date*2", "Time", "By*2", "Contact type*3", "Reference*2", "Text*7")}
	for i, c := range l.Contacts {
		at := caseforms.London(c.At)
		t.Rows = append(t.Rows, row("log", i, at.Format("2006-01-02"), at.Format("15:04"), c.By, c.Type, string(c.Ref), c.Text))
	}
	doc.Sections = []caseforms.DocSection{section("log", t.Label, t)}
	return written(doc, f)
}
