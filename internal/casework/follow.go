package casework

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/store"
)

// Channel is how a document is handed over.
type Channel string

// The channels. All but e-mail a person uses themselves.
const (
	ByEmail     Channel = "email"
	ByHand      Channel = "hand"
	ByPost      Channel = "post"
	ByTelephone Channel = "telephone"
	ByPortal    Channel = "portal"
)

// Channels are those a person may hand a document over by.
var Channels = []Channel{ByHand, ByPost, ByTelephone, ByPortal}

// HandOver says that a document was handed to somebody. From then on its clocks run (0.4 points 3 and 14).
type HandOver struct {
	Ref     caseforms.Ref
	Channel Channel
	To      string // who it was handed to: a service, an office
	Office  string // which one, see officeOf; "" when it is none that is known
	As      string // what an office is that is not in the directory: a role that takes the form, or AsOther; "" is not said
	With    string // whom it was handed to there, or who was spoken to
	At      time.Time
	Note    string
	Once    *Once // it is done once, however often it is asked for
}

// AsOther says of a hand-off that it was to somebody whom the form is not for: the person, a relative, another agency.
const AsOther = "other"

// detailElsewhere is where the ledger says of a hand-off that it was to somebody whom the form is not for.
const detailElsewhere = "elsewhere"

// content is what is written down about a hand-off or a response, beside what can be counted.
type content struct {
	To     string `json:"to,omitempty"`
	Office string `json:"office,omitempty"`
	Role   string `json:"role,omitempty"` // of an office that is not in the directory: what it was said to be
	With   string `json:"with,omitempty"`
	Note   string `json:"note,omitempty"`
}

// HandedOver is a hand-off that was recorded, and what is to be done now.
type HandedOver struct {
	Number int // which hand-off of the document it is
	Due    []Due
	But    string // what it does not do, and why: a sentence for whoever recorded it
}

// HandOver records that a document was handed over, and starts what the procedures then ask for.
func (k *Desk) HandOver(ctx context.Context, a caseforms.Actor, h HandOver) (*HandedOver, error) {
	if !slices.Contains(Channels, h.Channel) {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is no way to hand over called " + strconv.Quote(string(h.Channel)), Hint: "hand, post, telephone or portal"}
	}
	if err := tidied(typed{&h.To, "whom it was handed to", mostName}, typed{&h.With, "who took it or was spoken to", mostName}, typed{&h.Note, "the note", mostNote}); err != nil {
		return nil, err
	}
	if h.To == "" {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "whom it was handed to is missing", Hint: "say it with --to"}
	}
	m, err := k.matter(ctx, a, h.Ref, "hand this document over")
	if err != nil {
		return nil, err
	}
	if h.At, err = k.when(h.At); err != nil {
		return nil, err
	}
	if h.To, h.Office, err = k.addressed(ctx, a, m, h.To); err != nil {
		return nil, err
	}
	const before = 31 * 24 * time.Hour // a referral may be telephoned first and recorded after
	if issued := m.doc.Latest().Issued; h.At.Before(issued.Add(-before)) {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "it was issued on " + longDate(issued) + ", long after it is said to have been handed over", Hint: "is it the right document, and the right day?"}
	}
	v := m.doc.Latest()
	urgent, err := k.urgent(ctx, m, v)
	if err != nil {
		return nil, err
	}
	standing, but, err := k.standing(ctx, a, m, &h)
	if err != nil {
		return nil, err
	}
	f, err := k.handing(ctx, m, &h, v, urgent, standing, a.ID, a.ID)
	if err != nil {
		return nil, err
	}
	e := &f.Entries[len(f.Entries)-1]
	if e.Detail["why"] = but; but == "" {
		delete(e.Detail, "why")
	}
	if h.Once != nil {
		e.Once = h.Once.key
	}
	if err := k.store.Follow(ctx, f); err != nil {
		return nil, again(err)
	}
	due, err := k.dueOf(ctx, a, m.c.ID, func(u store.FollowUp) bool { return u.HandOff == f.HandOff.ID })
	return &HandedOver{f.HandOff.Number, due, but}, err
}

// standing is what a hand-off is for the duties of its case.
type standing int

const (
	toOffice  standing = iota // to somebody whom the form is for
	toUnsaid                  // it was not said whether it is: clocks start, and nothing ends
	elsewhere                 // to somebody else, or a copy that goes to nobody: it is on the timeline and nothing more
)

// standing tells what a hand-off is, and in words what it does not do.
func (k *Desk) standing(ctx context.Context, a caseforms.Actor, m *matter, h *HandOver) (standing, string, error) {
	takers := m.defs.Takers(m.doc.Form, m.doc.Copy)
	if len(takers) == 0 {
		return elsewhere, "This copy goes to nobody by the rules of the form: that it was handed over begins nothing.", nil
	}
	var roles []string
	for _, r := range takers {
		roles = append(roles, r.Role)
	}
	switch {
	case h.As == AsOther:
		return elsewhere, "It went to nobody whom this form is for: it begins nothing, and is still to be sent.", nil
	case h.As != "" && !slices.Contains(roles, h.As):
		return 0, "", &caseforms.Error{Kind: caseforms.Invalid, Msg: "this copy of the form does not go to an office of the role " + strconv.Quote(h.As), Hint: "one of: " + strings.Join(append(roles, AsOther), ", ")}
	case h.As != "":
		return toOffice, "", nil
	}
	rs, err := k.store.Recipients(ctx)
	if err != nil {
		return 0, "", err
	}
	var not *caseforms.Error
	for _, r := range rs {
		role := m.defs.RecipientRole(r.Role)
		if role == nil || r.ID != h.Office && (h.Office != "" || !r.Active || !strings.EqualFold(r.Organisation, h.To)) {
			continue
		}
		if !errors.As(role.May(m.doc.Form, m.doc.Copy, a, m.defs.Lang), &not) {
			return toOffice, "", nil
		}
	}
	switch {
	case not != nil:
		return 0, "", &caseforms.Error{Kind: not.Kind, Msg: not.Msg, Hint: "say what they are all the same, with --as: " + strings.Join(append(roles, AsOther), ", ")}
	case h.Office != "": // it was sent there before
		return toOffice, "", nil
	}
	return toUnsaid, "It is not said whether this is an office that the form is for. It is still to be sent until that is recorded.", nil
}

// urgent tells whether a version of a document cannot wait, by the record it was made from. Where that cannot be read any more, a form of which there
// are urgent ones is taken for one.
func (k *Desk) urgent(ctx context.Context, m *matter, v *store.Version) (bool, error) {
	form, err := m.defs.Form(m.doc.Form)
	if err != nil || form.Urgent == nil {
		return false, err
	}
	record, err := k.store.RecordOf(ctx, v)
	if err != nil {
		return false, err
	}
	c, _ := m.defs.Decode(record, nil)
	return c == nil || m.defs.Urgent(form, c), nil
}

// handing is what it does that a version of a document was handed to an office, by somebody; actor is who the ledger names, which for e-mail
// is the program itself.
func (k *Desk) handing(ctx context.Context, m *matter, h *HandOver, v *store.Version, urgent bool, to standing, by, actor string) (f store.Follow, err error) {
	children, err := k.childrenOf(ctx, v)
	if err != nil {
		return f, err
	}
	day := caseforms.DateOf(caseforms.London(h.At))
	f.HandOff = &store.HandOff{
		Ref: h.Ref, Version: v.Number, Case: m.c.ID, Form: m.doc.Form, Area: v.Area, Team: m.c.Team, Channel: string(h.Channel), Children: children, Day: day, At: h.At, By: by,
		Urgent: urgent, State: store.HandOffClosed, Elsewhere: to == elsewhere,
	}
	m.issued = caseforms.DateOf(caseforms.London(v.Issued))
	if to != elsewhere {
		k.happened(m, caseforms.Happening{Handed: m.doc.Form, Issue: v.Number, On: day}, h.Ref, &f)
		if f.HandOff.Joined, err = k.joins(ctx, m, h); err != nil {
			return f, err
		}
	}
	if to == toUnsaid {
		f.Change = nil
	}
	if to == toOffice {
		k.reached(m, h.Ref, h.Office, "handed:"+m.doc.Form, day, &f)
	}
	if f.HandOff.Joined != 0 { // the same office has it already, and its clock runs: by telephone first and then on paper, or a corrected issue
		f.Start = nil
	}
	if h.Channel == ByTelephone && to == toOffice { // whoever handed it over by telephone has telephoned (0.4 point 3)
		f.Start = slices.DeleteFunc(f.Start, func(u store.FollowUp) bool {
			return slices.Contains(m.defs.Duties.Rule(u.Rule).Ends, "note:"+noteSpoken)
		})
		for _, u := range m.runs {
			if d := m.defs.Duties.Rule(u.Rule); u.State == store.FollowUpOpen && u.Ref == h.Ref && d != nil && !d.Delivers() && slices.Contains(d.Ends, "note:"+noteSpoken) && !changes(&f, u.ID) {
				end(&u, store.FollowUpDone, "note:"+noteSpoken, day)
				f.Change = append(f.Change, u)
			}
		}
	}
	for _, u := range f.Start {
		if m.defs.Duties.Rule(u.Rule).Chases {
			f.HandOff.State, f.HandOff.AnswerBy = store.HandOffOpen, u.First
		}
	}
	if f.Content, err = json.Marshal(content{h.To, h.Office, h.As, h.With, h.Note}); err != nil {
		return f, err
	}
	f.Entries = append(f.Entries, store.Entry{Acts: []store.Act{store.Disclosure}, What: "handed over by " + string(h.Channel), Actor: actor, Case: m.c.ID, Ref: h.Ref, Version: v.Number,
		Detail: map[string]string{"to": h.To, "with": h.With, "text": h.Note, "at": h.At.UTC().Format(time.RFC3339)}})
	if to == elsewhere {
		f.Entries[len(f.Entries)-1].Detail[detailElsewhere] = "yes"
	}
	return f, nil
}

// joins is the hand-off to an office that has the document already and has not answered; 0 when there is none.
func (k *Desk) joins(ctx context.Context, m *matter, h *HandOver) (int64, error) {
	for i := range m.hands {
		if o := &m.hands[i]; o.Ref == h.Ref && (o.State == store.HandOffOpen || o.State == store.HandOffPart) {
			c, err := k.handOffContent(ctx, o)
			if err != nil {
				return 0, err
			}
			if c.Office != "" && h.Office != "" && c.Office == h.Office || (c.Office == "" || h.Office == "") && strings.EqualFold(c.To, h.To) {
				return o.ID, nil
			}
		}
	}
	return 0, nil
}

// reached ends what was to be done because an office had not got a document: it has it, or somebody saw to it.
func (k *Desk) reached(m *matter, ref caseforms.Ref, office, why string, on caseforms.Date, f *store.Follow) {
	for _, u := range m.runs {
		if d := m.defs.Duties.Rule(u.Rule); office != "" && u.State == store.FollowUpOpen && d != nil && d.Delivers() && u.Ref == ref && u.About == "to "+office && !changes(f, u.ID) {
			end(&u, store.FollowUpDone, why, on)
			f.Change = append(f.Change, u)
		}
	}
}

// matter is a document, its case and what is known of it.
type matter struct {
	doc    *store.Document // nil when it is about a case
	c      *store.Case
	defs   *caseforms.Definitions
	cal    *caseforms.Calendar
	record *caseforms.Case // nil when today's definitions cannot read it
	runs   []store.FollowUp
	hands  []store.HandOff
	issued caseforms.Date // of a document that is handed over: when this issue was issued
}

// matter reads what an act on a document, or on a case, is about, and lets nobody near it who may not see it.
func (k *Desk) matter(ctx context.Context, a caseforms.Actor, of any, what string) (*matter, error) {
	m, err := k.whose(ctx, of)
	if err != nil {
		return nil, err
	}
	if err := k.see(ctx, a, m.c, what); err != nil {
		return nil, err
	}
	return m, k.read(ctx, m)
}

// known reads what the program itself does something about.
func (k *Desk) known(ctx context.Context, of any) (*matter, error) {
	m, err := k.whose(ctx, of)
	if err != nil {
		return nil, err
	}
	return m, k.read(ctx, m)
}

// whose finds the document and the case.
func (k *Desk) whose(ctx context.Context, of any) (*matter, error) {
	m := &matter{}
	var err error
	id, isCase := of.(caseforms.CaseID)
	if ref, ok := of.(caseforms.Ref); ok {
		if m.doc, err = k.store.Document(ctx, ref); err != nil {
			return nil, err
		}
		id = m.doc.Case
	} else if !isCase {
		return nil, fmt.Errorf("a matter of a %T", of)
	}
	m.c, err = k.store.FindCase(ctx, id)
	return m, err
}

// read reads what is known of a case.
func (k *Desk) read(ctx context.Context, m *matter) (err error) {
	if m.doc != nil && !m.doc.Latest().Erased.IsZero() {
		return &caseforms.Error{Kind: caseforms.NotFound, Msg: string(m.doc.Ref) + " was erased on " + longDate(m.doc.Latest().Erased)}
	}
	area := m.c.Area
	if m.doc != nil {
		area = m.doc.Latest().Area
	}
	if m.defs, err = k.load(area); err != nil {
		return err
	}
	m.cal = m.defs.Calendar(k.closed...)
	if m.record, err = k.decoded(ctx, m.c, m.defs); err != nil {
		return err
	}
	if m.runs, err = k.store.FollowUpsOf(ctx, m.c.ID); err != nil {
		return err
	}
	m.hands, err = k.store.HandOffs(ctx, m.c.ID)
	return err
}

// decoded is the record of a case as these definitions read it; nil when they cannot.
func (k *Desk) decoded(ctx context.Context, c *store.Case, defs *caseforms.Definitions) (*caseforms.Case, error) {
	data, err := k.store.Record(ctx, c)
	if err != nil {
		return nil, err
	}
	record, _ := defs.Decode(data, nil)
	return record, nil
}

// when is the time of something that somebody did: now unless they say otherwise, and not in the future.
func (k *Desk) when(at time.Time) (time.Time, error) {
	now := k.store.Now()
	if at.IsZero() {
		return now, nil
	}
	if at.After(now.Add(time.Minute)) {
		return at, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the time is in the future", Hint: "record what was done when it was done"}
	}
	return at, nil
}

// childrenOf is how many children a document names, by its printed answers.
func (k *Desk) childrenOf(ctx context.Context, v *store.Version) (int, error) {
	b, err := k.store.AnswersOf(ctx, v)
	if err != nil {
		return 0, err
	}
	var doc struct {
		Answers []struct {
			Key string `json:"key"`
		} `json:"answers"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return 0, &caseforms.Error{Kind: caseforms.Internal, Msg: "the printed answers of a document are damaged"}
	}
	seen := map[string]bool{}
	for _, a := range doc.Answers {
		if rest, ok := strings.CutPrefix(a.Key, "children["); ok {
			n, _, _ := strings.Cut(rest, "]")
			seen[n] = true
		}
	}
	return len(seen), nil
}

// happened works out which duties something starts, and which it ends, for a case. It is all in the one act that f becomes.
func (k *Desk) happened(m *matter, h caseforms.Happening, ref caseforms.Ref, f *store.Follow) {
	today := k.today()
	for _, r := range m.defs.Start(h, m.record, m.cal) {
		// One clock of a kind is enough: what asks for the same while it still runs changes nothing. A hand-off has a clock of its own.
		running := h.Handed == "" && slices.ContainsFunc(m.runs, func(u store.FollowUp) bool {
			return u.Rule == r.Duty.Rule && u.Ref == ref && u.State == store.FollowUpOpen && (!r.Duty.Delivers() || u.About == r.About)
		})
		if m.unless(r.Duty) || running {
			continue
		}
		f.Start = append(f.Start, k.starting(m, r, ref, today))
	}
	endings := h.Endings(&m.defs.Duties)
	for _, u := range m.runs {
		d := m.defs.Duties.Rule(u.Rule)
		if u.State != store.FollowUpOpen || d == nil || d.Delivers() || !slices.ContainsFunc(d.Ends, func(e string) bool { return e != "response" && slices.Contains(endings, e) }) {
			continue
		}
		if u.Ref != "" && u.Ref != ref {
			continue // what was said of one document, or of the case alone, ends nothing of another document
		}
		if d.Sends() && h.Handed != "" { // an earlier issue that arrives late is not what is to be sent now
			if issue := issueOf(&u); issue <= h.Issue {
				end(&u, store.FollowUpDone, endings[0], h.On)
				f.Change = append(f.Change, u)
			}
			continue
		}
		if h.On.Before(u.From) && u.Ref != "" || h.Noted != "" && h.On.Before(u.From) && !d.Dated(u.About) || h.Handed != "" && m.issued.Before(u.From) && !d.Dated(u.About) {
			continue // it was before: it cannot be what was asked for
		}
		end(&u, store.FollowUpDone, endings[0], h.On)
		f.Change = append(f.Change, u)
	}
}

// issueOf is the issue that a duty to send a document is about.
func issueOf(u *store.FollowUp) (n int) {
	_, _ = fmt.Sscanf(u.About, "issue %d", &n) // it was written by AboutIssue
	return n
}

// issuing begins what has to be done because a copy was issued that goes to somebody when nobody is named. Where an earlier issue was to be sent still,
// it is the new one that is, by the same day.
func (k *Desk) issuing(m *matter, a caseforms.Actor, form, copy string, ref caseforms.Ref, issue int, urgent bool, f *store.Follow) {
	if len(m.defs.RolesFor(form, copy, a)) == 0 {
		return
	}
	h := caseforms.Happening{Issued: caseforms.UndeliveredOrdinary, Issue: issue, On: k.today()}
	if urgent {
		h.Issued = caseforms.UndeliveredUrgent
	}
	k.happened(m, h, ref, f)
	for _, u := range m.runs {
		if d := m.defs.Duties.Rule(u.Rule); u.State == store.FollowUpOpen && u.Ref == ref && d != nil && d.Sends() && !changes(f, u.ID) {
			about := caseforms.AboutIssue(issue)
			u.Subject, u.About = strings.TrimSuffix(u.Subject, u.About)+about, about
			f.Change = append(f.Change, u)
		}
	}
}

// undelivered are the offices that a document has not reached, by what is to be done about it.
func (m *matter) undelivered(ref caseforms.Ref) (offices []string) {
	for _, u := range m.runs {
		if d := m.defs.Duties.Rule(u.Rule); d != nil && d.Delivers() && u.Ref == ref && u.State == store.FollowUpOpen {
			offices = append(offices, strings.TrimPrefix(u.About, "to "))
		}
	}
	return offices
}

// root is the hand-off whose clock runs for one: it itself, or the one that it joined.
func root(all []store.HandOff, h *store.HandOff) *store.HandOff {
	for i := range all {
		if h.Joined != 0 && all[i].ID == h.Joined {
			return &all[i]
		}
	}
	return h
}

// unless tells whether something came before that keeps a duty from starting: what was handed over of the case, and what was answered.
func (m *matter) unless(d *caseforms.Duty) bool {
	return slices.ContainsFunc(d.Starts, func(s *caseforms.Start) bool {
		return slices.ContainsFunc(s.Unless, func(e string) bool {
			kind, what, _ := strings.Cut(e, ":")
			return slices.ContainsFunc(m.hands, func(o store.HandOff) bool {
				return kind == "handed" && o.Form == what && !o.Elsewhere || kind == "answer" && o.Outcome == what
			}) ||
				slices.ContainsFunc(m.runs, func(u store.FollowUp) bool { return u.Ended == e })
		})
	})
}

// starting is a duty as it begins to run. What was due before anybody could know is due now, not overdue (0.4 point 17).
func (k *Desk) starting(m *matter, r caseforms.Running, ref caseforms.Ref, today caseforms.Date) store.FollowUp {
	u := store.FollowUp{
		Subject: strings.Join([]string{r.Duty.Rule, string(m.c.ID), string(ref), r.About}, "|"), Rule: r.Duty.Rule, Case: m.c.ID, Ref: ref, About: r.About,
		Owner: m.c.Owner, Team: m.c.Team, Area: m.c.Area, State: store.FollowUpOpen, From: r.From, First: r.On, Due: r.On, How: r.How, Round: 1,
	}
	if u.Due.Before(today) {
		u.Due, u.How = today, u.How+"; that was past when it was entered, so it is due now"
	}
	u.StepDay = m.nextStep(&u)
	return u
}

// changes tells whether an act changes a follow-up already.
func changes(f *store.Follow, id int64) bool {
	return slices.ContainsFunc(f.Change, func(c store.FollowUp) bool { return c.ID == id })
}

func end(u *store.FollowUp, state store.FollowUpState, why string, on caseforms.Date) {
	u.State, u.Ended, u.EndedOn, u.StepDay = state, why, on, caseforms.Date{}
}

// steps are the rungs of the ladder of a duty. Only where an agency is chased is there a chase to prepare and a counterpart to go to.
func (m *matter) steps(u *store.FollowUp) (out []caseforms.ChaseStep) {
	d := m.defs.Duties.Rule(u.Rule)
	for _, s := range m.defs.Duties.Chase {
		if d != nil && d.Chases || s.Step == "remind" || s.Step == "manager" {
			out = append(out, s)
		}
	}
	return out
}

// early tells of a rung that it is climbed with the chase itself, from its round on: whoever has to chase again is not alone with it.
func early(u *store.FollowUp, s caseforms.ChaseStep) bool { return s.Round > 1 && u.Round >= s.Round }

// stepDay is when a rung is reached.
func (m *matter) stepDay(u *store.FollowUp, s caseforms.ChaseStep) caseforms.Date {
	if s.After == 0 || early(u, s) {
		return u.Due
	}
	return m.cal.Within(u.Due, s.After).On
}

// nextStep is the day of the next rung; zero when the top is reached.
func (m *matter) nextStep(u *store.FollowUp) caseforms.Date {
	if steps := m.steps(u); u.Stepped < len(steps) {
		return m.stepDay(u, steps[u.Stepped])
	}
	return caseforms.Date{}
}

// Tick climbs the ladder for everything of which a rung has been reached. It is done by the program itself, as often as one likes: a rung is
// climbed once. Several rungs that were missed, because nothing ran for a while, are one step (issue: missed times collapse into one).
func (k *Desk) Tick(ctx context.Context) (int, error) {
	today := k.today()
	areas := map[string]*matter{}
	climbed := 0
	for {
		due, err := k.store.StepsDue(ctx, today, 500)
		if err != nil || len(due) == 0 {
			return climbed, err
		}
		f := store.Follow{}
		for _, u := range due {
			m := areas[u.Area]
			if m == nil {
				defs, err := k.load(u.Area)
				if err != nil {
					return climbed, err
				}
				m = &matter{defs: defs, cal: defs.Calendar(k.closed...)}
				areas[u.Area] = m
			}
			if !u.Paused.IsZero() && !today.Before(u.Paused) {
				u.Paused = caseforms.Date{}
			}
			steps := m.steps(&u)
			from := u.Stepped
			for u.Stepped < len(steps) && !today.Before(m.stepDay(&u, steps[u.Stepped])) {
				u.Stepped++
			}
			u.StepDay = m.nextStep(&u)
			step := store.Step{FollowUp: u}
			for top := u.Stepped - 1; top >= from; top-- {
				if early(&u, steps[top]) && top < u.Told {
					continue // it was climbed with the chase
				}
				e := stepEntry(&u, steps[top].Step, caseforms.Scheduler().ID)
				if missed := u.Stepped - from - 1; missed > 0 {
					e.Detail["missed"] = strconv.Itoa(missed)
				}
				step.Entry = &e
				climbed++
				break
			}
			f.Steps = append(f.Steps, step)
		}
		if err := k.store.Follow(ctx, f); err != nil {
			return climbed, again(err)
		}
		if err := ctx.Err(); err != nil {
			return climbed, err
		}
	}
}

// stepEntry is what the ledger is to know of a rung.
func stepEntry(u *store.FollowUp, step, actor string) store.Entry {
	return store.Entry{What: "follow-up: " + step, Actor: actor, Case: u.Case, Ref: u.Ref, Detail: map[string]string{"rule": u.Rule, "due": u.Due.String(), "round": strconv.Itoa(u.Round)}}
}

// Answer says what somebody answered to a document.
type Answer struct {
	Ref      caseforms.Ref
	HandOff  int64  // which of its hand-offs, by its number on the timeline; 0 is the only one that is open
	Kind     string // a kind of response of its form
	From     string // who answered
	Note     string
	Children []int // which of the children it is about, by their number on the form; none is all
	At       time.Time
	Message  int64 // the message it was taken from, if it came by e-mail or as a file
	Once     *Once // it is done once, however often it is asked for
}

// Answered is a response that was recorded.
type Answered struct {
	Label string // of the kind
	Ends  bool   // nothing more is awaited
	Open  []int  // the children of whom nothing was said yet
	Due   []Due  // what is to be done now
}

// Answer records a response. Only this ends a follow-up (0.4 point 15): what came by e-mail or on paper is read by a person first. An answer
// about some of the children leaves the others open; what only asks for more keeps the clock running.
func (k *Desk) Answer(ctx context.Context, a caseforms.Actor, r Answer) (out *Answered, err error) {
	err = retried(func() error { out, err = k.answer(ctx, a, r); return err })
	return out, err
}

// retried does an act again of which something changed between the look and the act: the ladder was climbed, somebody answered.
func retried(act func() error) error {
	for try := 0; ; try++ {
		if err := act(); !errors.Is(err, store.ErrChanged) || try == 5 {
			return again(err)
		}
	}
}

func (k *Desk) answer(ctx context.Context, a caseforms.Actor, r Answer) (*Answered, error) {
	m, err := k.matter(ctx, a, r.Ref, "record a response")
	if err != nil {
		return nil, err
	}
	if err := tidied(typed{&r.From, "who answered", mostName}, typed{&r.Note, "the note", mostNote}); err != nil {
		return nil, err
	}
	if err := k.fromMessage(ctx, a, &r); err != nil {
		return nil, err
	}
	kind := m.defs.Duties.Response(m.doc.Form, r.Kind)
	if kind == nil {
		var have []string
		for _, x := range m.defs.Duties.Responses[m.doc.Form] {
			have = append(have, x.Kind)
		}
		e := &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is no response " + strconv.Quote(r.Kind) + " to this form", Hint: "one of: " + strings.Join(have, ", ")}
		if have == nil {
			e.Hint = "no response to this form is awaited; write a note instead"
		}
		return nil, e
	}
	at, err := k.when(r.At)
	if err != nil {
		return nil, err
	}
	day := caseforms.DateOf(caseforms.London(at))
	h, err := k.handOff(ctx, r.Ref, r.HandOff)
	if err != nil {
		return nil, err
	}
	if day.Before(h.Day) {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the answer is dated before the document was handed over, on " + h.Day.Long()}
	}
	before, err := k.store.Responses(ctx, h.ID)
	if err != nil {
		return nil, err
	}
	out := &Answered{Label: kind.Label.In(m.defs.Lang)}
	if out.Open, err = open(h, before, r.Children, kind.Ends); err != nil {
		return nil, err
	}
	out.Ends = kind.Ends && len(out.Open) == 0
	f := store.Follow{Response: &store.Response{HandOff: h.ID, Kind: r.Kind, Final: kind.Ends, Children: r.Children, Day: day, By: a.ID}}
	if f.Content, err = json.Marshal(content{With: r.From, Note: r.Note}); err != nil {
		return nil, err
	}
	settled := *h
	if h.State != store.HandOffAnswered { // what came after it was answered is one more response and changes no figure
		if settled.Outcome = r.Kind; kind.Ends {
			if settled.State = store.HandOffPart; out.Ends {
				settled.State, settled.Answered = store.HandOffAnswered, day
			}
		}
	}
	f.Settle = &settled
	event := caseforms.Happening{Answered: m.doc.Form + "." + r.Kind, On: day}
	k.happened(m, event, r.Ref, &f)
	for _, u := range m.runs {
		d := m.defs.Duties.Rule(u.Rule)
		mine := u.HandOff == h.ID || u.HandOff == 0 && u.Ref == r.Ref
		if u.State != store.FollowUpOpen || !mine || d == nil || d.Delivers() || !slices.Contains(d.Ends, "response") || changes(&f, u.ID) {
			continue
		}
		switch {
		case out.Ends:
			end(&u, store.FollowUpDone, "response", day)
		case !kind.Ends && d.Chases:
			m.defer1(&u, k.today(), "they asked for more")
		default:
			continue
		}
		f.Change = append(f.Change, u)
	}
	to, err := k.handOffContent(ctx, h)
	if err != nil {
		return nil, err
	}
	k.reached(m, r.Ref, to.Office, "response", day, &f) // who answers has it
	if r.Message != 0 {
		if f.Message, err = k.answeredBy(ctx, a, r.Message, m, r.Kind, &f); err != nil {
			return nil, err
		}
	}
	e := store.Entry{Acts: []store.Act{store.Collection}, What: "response recorded", Actor: a.ID, Case: m.c.ID, Ref: r.Ref, Version: h.Version,
		Detail: map[string]string{"kind": r.Kind, "label": out.Label, "with": r.From, "text": r.Note, "at": at.UTC().Format(time.RFC3339)}}
	if len(r.Children) > 0 {
		e.Detail["children"] = joinInts(r.Children)
	}
	if r.Once != nil {
		e.Once = r.Once.key
	}
	f.Entries = append(f.Entries, e)
	if err := k.store.Follow(ctx, f); err != nil {
		return nil, err
	}
	started := map[string]bool{}
	for _, u := range f.Start {
		started[u.Rule] = true
	}
	out.Due, err = k.dueOf(ctx, a, m.c.ID, func(u store.FollowUp) bool { return started[u.Rule] || u.HandOff == h.ID })
	return out, err
}

// defer1 puts a deadline off by at most one working day, once a round: there is something to read first (0.4 point 15). What is overdue stays so.
func (m *matter) defer1(u *store.FollowUp, today caseforms.Date, why string) {
	if later := m.cal.Within(today, 1); u.Deferred != u.Round && !u.Due.Before(today) && u.Due.Before(later.On) {
		u.Due, u.How, u.Deferred = later.On, why+": "+later.How, u.Round
		u.StepDay = m.nextStep(u)
	}
}

// handOff finds the hand-off that is meant.
func (k *Desk) handOff(ctx context.Context, ref caseforms.Ref, id int64) (*store.HandOff, error) {
	all, err := k.store.HandOffs(ctx, ref)
	if err != nil {
		return nil, err
	}
	var waiting []*store.HandOff
	for i := range all {
		if h := &all[i]; id == int64(i+1) && !h.Elsewhere {
			return root(all, h), nil
		} else if h.State == store.HandOffOpen || h.State == store.HandOffPart {
			waiting = append(waiting, h)
		}
	}
	switch {
	case id != 0:
		return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: string(ref) + " has no such hand-off"}
	case len(waiting) == 1:
		return waiting[0], nil
	case len(waiting) > 1:
		return nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: string(ref) + " was handed to several, and several have not answered", Hint: "say which with --hand-off; caseforms show " + string(ref) + " lists them"}
	}
	for i := len(all) - 1; i >= 0; i-- {
		if !all[i].Elsewhere {
			return root(all, &all[i]), nil // a further response to what was answered already
		}
	}
	return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: string(ref) + " was not handed to anybody yet", Hint: "caseforms send " + string(ref) + " --to WHOM --by hand|post|telephone|portal"}
}

// open are the children of a hand-off of whom nothing final was said, after one more response.
func open(h *store.HandOff, before []store.Response, children []int, final bool) ([]int, error) {
	for _, n := range children {
		if n < 1 || n > h.Children {
			return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: fmt.Sprintf("the document names %d children; there is no child %d", h.Children, n)}
		}
	}
	said := map[int]bool{}
	all := func(r store.Response) bool { return r.Final && r.Children == nil }
	if slices.ContainsFunc(before, all) || final && children == nil {
		return nil, nil
	}
	for _, r := range before {
		for _, n := range r.Children {
			said[n] = said[n] || r.Final
		}
	}
	if final {
		for _, n := range children {
			said[n] = true
		}
	}
	var left []int
	for n := 1; n <= h.Children; n++ {
		if !said[n] {
			left = append(left, n)
		}
	}
	if h.Children == 0 && !final {
		return nil, nil
	}
	return left, nil
}

func joinInts(ns []int) string {
	var out []string
	for _, n := range ns {
		out = append(out, strconv.Itoa(n))
	}
	return strings.Join(out, ", ")
}

// Note says what somebody did or decided.
type Note struct {
	Case  caseforms.CaseID // or
	Ref   caseforms.Ref
	Kind  string
	Text  string
	With  string
	At    time.Time
	Done  string         // the rule whose duty is done with it
	Until caseforms.Date // of the kind pause: until when nothing is expected
	To    string         // of a call about a document that has not arrived: the office that was rung
	// HandOff is which hand-off of the document a chase, a reply or a pause is about, by its number; 0 is the only one that is open.
	HandOff int64
	Once    *Once // it is done once, however often it is asked for
}

// noted is what the ledger calls a note. Its kind is in the detail: it may tell something of the person.
const noted = "note"

// The kinds of note that mean something to every follow-up.
const (
	noteSpoken = "spoken" // of a document that has not arrived: the office knows
	noteChase  = "chase"  // the agency was chased: the clock begins again
	noteReply  = "reply"  // something came that is not a response yet: it is read first
	notePause  = "pause"  // nothing can be expected for a while, for a reason
)

// Note enters a note, and starts and ends what goes with it.
func (k *Desk) Note(ctx context.Context, a caseforms.Actor, n Note) (due []Due, err error) {
	err = retried(func() error { due, err = k.note(ctx, a, n); return err })
	return due, err
}

func (k *Desk) note(ctx context.Context, a caseforms.Actor, n Note) ([]Due, error) {
	var of any = n.Case
	if n.Ref != "" {
		of = n.Ref
	}
	m, err := k.matter(ctx, a, of, "write a note")
	if err != nil {
		return nil, err
	}
	if err := tidied(typed{&n.Text, "the note", mostNote}, typed{&n.With, "who it was with", mostName}, typed{&n.To, "the office that was rung", mostName}); err != nil {
		return nil, err
	}
	if n.Text == "" {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "a note without words says nothing"}
	}
	kind := m.defs.Duties.Note(n.Kind)
	if kind == nil {
		var have []string
		for _, x := range m.defs.Duties.Notes {
			have = append(have, x.Kind)
		}
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is no kind of note " + strconv.Quote(n.Kind), Hint: "one of: " + strings.Join(have, ", ")}
	}
	if kind.Manager {
		if err := a.Need("write this: a manager enters it themselves (002:658)", caseforms.RoleManager); err != nil {
			return nil, err
		}
	}
	at, err := k.when(n.At)
	if err != nil {
		return nil, err
	}
	day := caseforms.DateOf(caseforms.London(at))
	f := store.Follow{}
	k.happened(m, caseforms.Happening{Noted: n.Kind, On: day}, n.Ref, &f)
	if !n.Until.IsZero() && n.Kind != notePause {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "only a pause has an end", Hint: "say --kind pause with --until"}
	}
	if err := k.special(ctx, a, m, &n, day, &f); err != nil {
		return nil, err
	}
	if n.Kind == noteSpoken {
		if err := k.rang(ctx, m, &n, day, &f); err != nil {
			return nil, err
		}
	}
	f.Entries = append(f.Entries, store.Entry{Acts: []store.Act{store.Collection}, What: noted, Actor: a.ID, Case: m.c.ID, Ref: n.Ref,
		Detail: map[string]string{"kind": n.Kind, "label": kind.Label.In(m.defs.Lang), "with": n.With, "text": n.Text, "at": at.UTC().Format(time.RFC3339), "done": n.Done}})
	if n.Once != nil {
		f.Entries[len(f.Entries)-1].Once = n.Once.key
	}
	if err := k.store.Follow(ctx, f); err != nil {
		return nil, err
	}
	started := map[string]bool{}
	for _, u := range f.Start {
		started[u.Rule] = true
	}
	return k.dueOf(ctx, a, m.c.ID, func(u store.FollowUp) bool { return started[u.Rule] })
}

// rang ends what was to be done because a document has not arrived, when the office was rung. With several offices it must be said which.
func (k *Desk) rang(ctx context.Context, m *matter, n *Note, day caseforms.Date, f *store.Follow) error {
	offices := m.undelivered(n.Ref)
	if n.To == "" && len(offices) != 1 {
		return nil
	}
	office := ""
	if n.To != "" {
		var err error
		if _, office, err = k.officeNamed(ctx, n.Ref, n.To); err != nil {
			return err
		}
	} else {
		office = offices[0]
	}
	for _, u := range m.runs {
		if d := m.defs.Duties.Rule(u.Rule); d != nil && d.Delivers() && u.About == "to "+office && slices.Contains(d.Ends, "note:"+noteSpoken) {
			k.reached(m, n.Ref, office, "note:"+noteSpoken, day, f)
			break
		}
	}
	return nil
}

// special does what some notes mean to follow-ups that run: a chase, a reply, a pause, and that a duty is done.
func (k *Desk) special(ctx context.Context, a caseforms.Actor, m *matter, n *Note, day caseforms.Date, f *store.Follow) error {
	only, err := k.meant(m, n)
	if err != nil {
		return err
	}
	today := k.today()
	changed := 0
	for _, u := range m.runs {
		d := m.defs.Duties.Rule(u.Rule)
		if u.State != store.FollowUpOpen || d == nil || n.Ref != "" && u.Ref != "" && u.Ref != n.Ref || changes(f, u.ID) {
			continue
		}
		chased := d.Chases && u.HandOff != 0 && (only == 0 || u.HandOff == only) && u.Ref == n.Ref
		switch {
		case n.Done != "" && strings.EqualFold(n.Done, u.Rule):
			if err := mayEnd(a, m, d); err != nil {
				return err
			}
			if n.Ref == "" && u.Ref != "" {
				return &caseforms.Error{Kind: caseforms.Invalid, Msg: u.Rule + " is about a document", Hint: "name the document: caseforms note " + string(u.Ref) + " …"}
			}
			end(&u, store.FollowUpDone, caseforms.EndDone, day)
		case n.Kind == noteChase && chased:
			i := slices.IndexFunc(m.hands, func(h store.HandOff) bool { return h.ID == u.HandOff })
			if i >= 0 && day.Before(m.hands[i].Day) {
				return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the chase is dated before the document was handed over, on " + m.hands[i].Day.Long()}
			}
			next := d.Next(day, m.cal)
			if next.On.Before(u.Due) {
				next.On, next.How = u.Due, u.How // chased before it fell due: it does not come earlier for that
			}
			u.Due, u.How, u.Round, u.Stepped, u.Told, u.Paused = next.On, "chased: "+next.How, u.Round+1, 0, 0, caseforms.Date{}
			for i, s := range m.steps(&u) {
				if early(&u, s) {
					u.Told = i + 1
				}
			}
			if u.Told > 0 {
				f.Entries = append(f.Entries, stepEntry(&u, m.steps(&u)[u.Told-1].Step, caseforms.Scheduler().ID))
			}
			u.StepDay = m.nextStep(&u)
		case n.Kind == noteReply && chased:
			m.defer1(&u, today, "a reply is to be read, and the response recorded")
		case n.Kind == notePause && chased:
			if n.Until.IsZero() {
				return &caseforms.Error{Kind: caseforms.Invalid, Msg: "a pause has an end", Hint: "say until when with --until"}
			}
			if !today.Before(n.Until) {
				return &caseforms.Error{Kind: caseforms.Invalid, Msg: "a pause has an end in the future", Hint: "say until when with --until"}
			}
			on := n.Until
			for !m.cal.WorkingDay(on) {
				on = on.AddDays(1)
			}
			if on.Before(u.Due) {
				continue // it is not expected before anyhow
			}
			u.Due, u.How, u.Paused, u.Stepped = on, "paused until "+n.Until.Long(), n.Until, 0
			u.StepDay = m.nextStep(&u)
		default:
			continue
		}
		changed++
		f.Change = append(f.Change, u)
	}
	switch {
	case changed > 0 || n.Done == "" && n.Kind != noteChase && n.Kind != notePause:
		return nil
	case n.Done != "" && m.defs.Duties.Rule(n.Done) == nil:
		return &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no rule " + strconv.Quote(n.Done), Hint: "caseforms due shows the rules that are open"}
	case n.Done == "" && n.Ref == "":
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "a chase, a reply and a pause are about a document", Hint: "name its reference instead of the case"}
	}
	return &caseforms.Error{Kind: caseforms.NotFound, Msg: "nothing of that kind is open here", Hint: "caseforms due shows what is"}
}

// mayEnd tells whether somebody may say of a duty that it is done: not of one that only a response ends (0.4 point 15), and of what a manager
// enters themselves only a manager (002:658).
func mayEnd(a caseforms.Actor, m *matter, d *caseforms.Duty) error {
	if slices.Contains(d.Ends, "response") && !d.Delivers() {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: d.Rule + " goes on until somebody answers", Hint: "record what they answered: caseforms answer"}
	}
	managers := false
	for _, e := range d.Ends {
		kind, ok := strings.CutPrefix(e, "note:")
		if !ok {
			return nil
		}
		n := m.defs.Duties.Note(kind)
		if n == nil || !n.Manager {
			return nil
		}
		managers = true
	}
	if managers {
		return a.Need("say that this is done: a manager enters it themselves (002:658)", caseforms.RoleManager)
	}
	return nil
}

// meant is the hand-off that a note is about; 0 when it is about none, or the document has no open one.
func (k *Desk) meant(m *matter, n *Note) (int64, error) {
	if n.Ref == "" || n.Kind != noteChase && n.Kind != noteReply && n.Kind != notePause {
		return 0, nil
	}
	var all, open []store.HandOff
	for _, h := range m.hands {
		if h.Ref == n.Ref {
			if all = append(all, h); h.State == store.HandOffOpen || h.State == store.HandOffPart {
				open = append(open, h)
			}
		}
	}
	switch {
	case n.HandOff > 0 && int(n.HandOff) <= len(all):
		return root(all, &all[n.HandOff-1]).ID, nil
	case n.HandOff != 0:
		return 0, &caseforms.Error{Kind: caseforms.NotFound, Msg: string(n.Ref) + " has no such hand-off", Hint: "caseforms show " + string(n.Ref) + " numbers them"}
	case len(open) > 1:
		return 0, &caseforms.Error{Kind: caseforms.Conflict, Msg: string(n.Ref) + " was handed to several, and several have not answered", Hint: "say which with --hand-off; caseforms show " + string(n.Ref) + " numbers them"}
	case len(open) == 1:
		return open[0].ID, nil
	}
	return 0, nil
}

// following works out, when a case record is issued, what its dates and changes start, move and end. Nobody's deadline moves in silence: each
// move is in the ledger. removed are the facts that the record does not have any more: a thinner record, such as an urgent referral's, ends no clock.
func (k *Desk) following(m *matter, opened bool, changed, removed []string, actor string, f *store.Follow) {
	today := k.today()
	if opened {
		k.happened(m, caseforms.Happening{Opened: true, On: today}, "", f)
	} else if len(changed) > 0 {
		k.happened(m, caseforms.Happening{Changed: changed, On: today}, "", f)
	}
	if m.record == nil {
		return
	}
	now := slices.DeleteFunc(m.defs.OfCase(m.record, m.cal), func(r caseforms.Running) bool { return m.unless(r.Duty) })
	for _, r := range now {
		same := func(state store.FollowUpState) bool {
			return slices.ContainsFunc(m.runs, func(u store.FollowUp) bool {
				return u.Rule == r.Duty.Rule && u.About == r.About && u.From == r.From && u.State == state
			})
		}
		moved := slices.IndexFunc(m.runs, func(u store.FollowUp) bool {
			return u.Rule == r.Duty.Rule && u.About == r.About && u.State == store.FollowUpOpen && !changes(f, u.ID)
		})
		next := k.starting(m, r, "", today)
		next.Subject += "|" + r.From.String()
		switch {
		case same(store.FollowUpOpen), same(store.FollowUpDone): // it runs already, or was done
		case moved >= 0:
			u := m.runs[moved]
			was := u.Due
			u.Subject, u.From, u.First, u.Due, u.How, u.Stepped = next.Subject, r.From, next.First, next.Due, next.How+"; it was "+was.Long()+" before the date changed", 0
			u.StepDay = m.nextStep(&u)
			f.Change = append(f.Change, u)
			f.Entries = append(f.Entries, store.Entry{What: "follow-up: moved", Actor: actor, Case: m.c.ID, Detail: map[string]string{"rule": u.Rule, "from": was.String(), "to": u.Due.String()}})
		case r.From.Before(today) && (!r.From.Before(r.On) || r.On.AddDays(longAgo).Before(today)):
			// It was to be done before something that is over, or long ago, before anybody entered it: nobody can do it in time any more.
		default:
			f.Start = append(f.Start, next)
		}
	}
	// What the case says is done is done, and what it no longer says is no longer due.
	for _, u := range m.runs {
		d := m.defs.Duties.Rule(u.Rule)
		if u.State == store.FollowUpOpen && d != nil && m.defs.Ended(d, m.record) && !changes(f, u.ID) {
			end(&u, store.FollowUpDone, caseforms.EndDone, today)
			f.Change = append(f.Change, u)
			continue
		}
		current := func(r caseforms.Running) bool { return r.Duty.Rule == u.Rule && r.About == u.About && r.From == u.From }
		if u.State != store.FollowUpOpen || d == nil || !d.Dated(u.About) || changes(f, u.ID) || slices.ContainsFunc(now, current) {
			continue
		}
		if d.Reads(removed) { // the record only does not say it any more: that ends nothing
			continue
		}
		end(&u, store.FollowUpVoid, caseforms.EndNoLonger, today)
		f.Change = append(f.Change, u)
		f.Entries = append(f.Entries, store.Entry{What: "follow-up: no longer", Actor: actor, Case: m.c.ID, Detail: map[string]string{"rule": u.Rule, "due": u.Due.String()}})
	}
}

// longAgo is how many days after its deadline something that happened before it was entered is not asked for any more.
const longAgo = 14
