package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"caseforms"
)

// HandOff is a document that was handed to somebody.
type HandOff struct {
	ID       int64
	Ref      caseforms.Ref
	Version  int
	Case     caseforms.CaseID
	Form     string
	Area     string
	Team     string
	Channel  string // hand, post, telephone, portal, e-mail
	Urgent   bool
	Children int // how many children it is about
	Day      caseforms.Date
	At       time.Time
	By       string
	AnswerBy caseforms.Date // when an answer was first due; zero when none is
	State    HandOffState
	Outcome  string // the kind of the response that ended it, else of the last one
	Answered caseforms.Date
	Joined   int64 // the hand-off to the same office whose clock runs; 0 when it is its own
	// Elsewhere: to somebody whom the form is not for by its rules. It is no hand-off that anything waits for.
	Elsewhere bool
	Number    int // of a new one: which of its document it is, from 1

	content int64
	changes int // how often it changed
}

// HandOffState says whether a hand-off was answered.
type HandOffState string

const (
	HandOffOpen     HandOffState = "open"
	HandOffPart     HandOffState = "part" // answered for some of the children
	HandOffAnswered HandOffState = "answered"
	HandOffClosed   HandOffState = "closed" // nothing more is expected
)

// Response is what somebody recorded as the response to a hand-off.
type Response struct {
	ID       int64
	HandOff  int64
	Kind     string
	Final    bool
	Children []int // which children it is about, from 1; nil is all
	Day      caseforms.Date
	By       string

	content int64
}

// FollowUp is a duty that is running, or was.
type FollowUp struct {
	ID       int64
	Subject  string // what it is about: the same subject never runs twice
	Rule     string
	Case     caseforms.CaseID
	Ref      caseforms.Ref // "" when it is about the case as a whole
	HandOff  int64
	About    string // which date or fact of the case it counts from
	Owner    string
	Team     string
	Area     string
	State    FollowUpState
	From     caseforms.Date
	First    caseforms.Date // the first deadline, which figures go by
	Due      caseforms.Date
	How      string // how the deadline came to be, in words
	Round    int    // from 1; grows with every chase
	Stepped  int    // how many steps of the ladder were climbed in this round
	StepDay  caseforms.Date
	Paused   caseforms.Date // until when; zero when it is not
	Deferred int            // the round in which it was put off because something was to be read; 0 is none
	Told     int            // how many rungs were climbed in this round before it fell due, because it was chased so often
	Ended    string
	EndedOn  caseforms.Date

	Version int // grows with every change
}

// FollowUpState says whether a duty is still running.
type FollowUpState string

const (
	FollowUpOpen FollowUpState = "open"
	FollowUpDone FollowUpState = "done"
	FollowUpVoid FollowUpState = "void" // what it was about is gone
)

// Follow is what is done about follow-ups in one act, with its entries in the ledger.
type Follow struct {
	HandOff  *HandOff // a new one; its ID and Number are set
	Response *Response
	Content  []byte        // of the new hand-off or response
	Settle   *HandOff      // a hand-off whose state, outcome and day of the answer change
	Start    []FollowUp    // those whose subject is there already are left as they are
	Change   []FollowUp    // as they are to be, with the Version that was seen
	Steps    []Step        // rungs of the ladder; of what was changed meanwhile none is climbed
	Owner    *OwnerOfCases // a caseload that gets another owner
	Message  *Received     // a message that belongs to something now, or was dealt with; as it is to be
	Entries  []Entry
}

// Step is a change of a follow-up with its own entry, which is made only when the change is.
type Step struct {
	FollowUp FollowUp
	Entry    *Entry // nil when nothing is to be told
}

// OwnerOfCases gives cases, their open follow-ups and drafts to somebody else.
type OwnerOfCases struct {
	Cases    []caseforms.CaseID
	Drafts   []caseforms.DraftID
	From, To string
	Team     string
}

func dayNumber(d caseforms.Date) int64 { return int64(d.Year*10000 + d.Month*100 + d.Day) }

func dayOf(n int64) caseforms.Date {
	return caseforms.Date{Year: int(n / 10000), Month: int(n / 100 % 100), Day: int(n % 100)}
}

// never is the day of a step that does not come.
const never = 99999999

// Follow does it, altogether or not at all. ErrChanged when a follow-up is another by now.
func (s *Store) Follow(ctx context.Context, f Follow) error {
	return s.distinct(func() error { return s.followOnce(ctx, f) })
}

func (s *Store) followOnce(ctx context.Context, f Follow) error {
	return s.act(ctx, func(t *tx) error {
		content, err := s.sealFollow(&f) // its id is given out here, so that hand-offs stand in the order in which they were recorded
		if err != nil {
			return err
		}
		return t.follow(&f, content)
	})
}

// sealFollow seals what is written down with a new hand-off or response.
func (s *Store) sealFollow(f *Follow) (*object, error) {
	if f == nil || f.HandOff == nil && f.Response == nil {
		return nil, nil
	}
	return s.seal(kindNote, f.Content)
}

func (t *tx) follow(f *Follow, content *object) error {
	var handoff int64
	if h := f.HandOff; h != nil {
		h.ID = content.id
		handoff = h.ID
		if err := t.put(content, h.Case); err != nil {
			return err
		}
		if err := t.exec(`INSERT INTO handoffs (id, ref, version, case_id, form, area, team, channel, urgent, children, day, at, by_user, content, answer_by, state, joined, elsewhere)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $1, $14, $15, $16, $17)`,
			h.ID, string(h.Ref), h.Version, string(h.Case), h.Form, h.Area, h.Team, h.Channel, number(h.Urgent), h.Children, dayNumber(h.Day), h.At.UnixMilli(), h.By,
			dayNumber(h.AnswerBy), string(h.State), h.Joined, number(h.Elsewhere)); err != nil {
			return err
		}
		if _, err := t.row(`SELECT count(*) FROM handoffs WHERE ref = $1 AND id <= $2`, []any{string(h.Ref), h.ID}, &h.Number); err != nil {
			return err
		}
	}
	if r := f.Response; r != nil {
		r.ID = content.id
		var of caseforms.CaseID
		if _, err := t.row(`SELECT case_id FROM handoffs WHERE id = $1`, []any{r.HandOff}, &of); err != nil {
			return err
		}
		if err := t.put(content, of); err != nil {
			return err
		}
		if err := t.exec(`INSERT INTO responses (id, handoff, kind, final, children, day, by_user, content) VALUES ($1, $2, $3, $4, $5, $6, $7, $1)`,
			r.ID, r.HandOff, r.Kind, number(r.Final), joinNumbers(r.Children), dayNumber(r.Day), r.By); err != nil {
			return err
		}
	}
	if h := f.Settle; h != nil {
		n, err := t.changed(`UPDATE handoffs SET state = $1, outcome = $2, answered_day = $3, changes = changes + 1 WHERE id = $4 AND changes = $5`, string(h.State), h.Outcome, dayNumber(h.Answered), h.ID, h.changes)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrChanged
		}
	}
	for i := range f.Start {
		if err := t.startFollowUp(&f.Start[i], handoff); err != nil {
			return err
		}
	}
	for i := range f.Change {
		n, err := t.changeFollowUp(&f.Change[i])
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrChanged
		}
	}
	for i := range f.Steps {
		n, err := t.changeFollowUp(&f.Steps[i].FollowUp)
		if err != nil {
			return err
		}
		if n == 1 && f.Steps[i].Entry != nil {
			if err := t.append(*f.Steps[i].Entry); err != nil {
				return err
			}
		}
	}
	if o := f.Owner; o != nil {
		if err := t.giveCases(o); err != nil {
			return err
		}
	}
	if f.Message != nil {
		if err := t.fileReceived(f.Message); err != nil {
			return err
		}
	}
	for _, e := range f.Entries {
		if err := t.append(e); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) startFollowUp(u *FollowUp, handoff int64) error {
	id, err := t.s.nextObject()
	if err != nil {
		return err
	}
	of := u.HandOff
	if of == 0 {
		of = handoff
	}
	subject := u.Subject
	if handoff != 0 {
		subject = fmt.Sprintf("%s|%d", subject, handoff)
	}
	// The owner is the case's as it is now: it may have been handed over since it was read.
	return t.exec(`INSERT INTO followups (id, subject, rule, case_id, ref, handoff, about, owner, team, area, state, from_day, first_day, due_day, how, round, stepped, step_day, paused_until, ended, ended_day, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce((SELECT owner FROM cases WHERE id = $4), $8), coalesce((SELECT team FROM cases WHERE id = $4), $9), $10, 'open', $11, $12, $13, $14, 1, 0, $15, 0, '', 0, 1)
		ON CONFLICT DO NOTHING`,
		id, subject, u.Rule, string(u.Case), string(u.Ref), of, u.About, u.Owner, u.Team, u.Area, dayNumber(u.From), dayNumber(u.First), dayNumber(u.Due), u.How, stepNumber(u.StepDay))
}

func stepNumber(d caseforms.Date) int64 {
	if d.IsZero() {
		return never
	}
	return dayNumber(d)
}

func (t *tx) changeFollowUp(u *FollowUp) (int64, error) {
	return t.changed(`UPDATE followups SET subject = $1, about = $2, owner = $3, team = $4, state = $5, from_day = $6, due_day = $7, how = $8, round = $9, stepped = $10, step_day = $11,
		paused_until = $12, ended = $13, ended_day = $14, deferred = $17, told = $18, version = version + 1 WHERE id = $15 AND version = $16`,
		u.Subject, u.About, u.Owner, u.Team, string(u.State), dayNumber(u.From), dayNumber(u.Due), u.How, u.Round, u.Stepped, stepNumber(u.StepDay),
		dayNumber(u.Paused), u.Ended, dayNumber(u.EndedOn), u.ID, u.Version, u.Deferred, u.Told)
}

func (t *tx) giveCases(o *OwnerOfCases) error {
	for _, id := range o.Cases {
		if err := t.exec(`UPDATE cases SET owner = $1, team = $2 WHERE id = $3`, o.To, o.Team, string(id)); err != nil {
			return err
		}
		if err := t.exec(`UPDATE followups SET owner = $1, team = $2, version = version + 1 WHERE case_id = $3 AND owner = $4 AND state = 'open'`, o.To, o.Team, string(id), o.From); err != nil {
			return err
		}
	}
	for _, id := range o.Drafts {
		if err := t.exec(`UPDATE drafts SET created_by = $1, team = $2 WHERE id = $3`, o.To, o.Team, string(id)); err != nil {
			return err
		}
	}
	return nil
}

const followUpColumns = `id, subject, rule, case_id, ref, handoff, about, owner, team, area, state, from_day, first_day, due_day, how, round, stepped, step_day, paused_until, ended, ended_day, version, deferred, told`

func scanFollowUp(scan func(...any) error) (FollowUp, error) {
	var u FollowUp
	var from, first, due, step, paused, ended int64
	err := scan(&u.ID, &u.Subject, &u.Rule, &u.Case, &u.Ref, &u.HandOff, &u.About, &u.Owner, &u.Team, &u.Area, &u.State, &from, &first, &due, &u.How, &u.Round, &u.Stepped, &step, &paused, &u.Ended, &ended, &u.Version, &u.Deferred, &u.Told)
	u.First = dayOf(first)
	u.From, u.Due, u.Paused, u.EndedOn = dayOf(from), dayOf(due), dayOf(paused), dayOf(ended)
	if step != never {
		u.StepDay = dayOf(step)
	}
	return u, err
}

func (s *Store) followUps(ctx context.Context, where string, args ...any) (out []FollowUp, err error) {
	err = s.all(ctx, `SELECT `+followUpColumns+` FROM followups WHERE `+where, args, func(scan func(...any) error) error {
		u, err := scanFollowUp(scan)
		out = append(out, u)
		return err
	})
	return out, err
}

// DueQuery says which follow-ups are wanted.
type DueQuery struct {
	By    caseforms.Date
	Owner string   // "" is everybody
	Teams []string // nil is every team
	Area  *string  // nil is every area
	Most  int

	NotTeams []string // not of these teams

	From caseforms.Date     // due on that day or later; zero is also what was due before
	Not  []caseforms.CaseID // not those of these cases
}

// DueBy are the open follow-ups that are due by a day, the most overdue first. That an issue has to be sent (see [caseforms.AboutIssue]) is left out while it is on its way by e-mail
// and in no trouble: there is nothing to do about it.
func (s *Store) DueBy(ctx context.Context, q DueQuery) ([]FollowUp, error) {
	where, args := q.where()
	args = append(args, q.Most)
	return s.followUps(ctx, where+` ORDER BY due_day, id LIMIT $`+itoa(len(args)), args...)
}

// CountDue is how many there are, however many are wanted.
func (s *Store) CountDue(ctx context.Context, q DueQuery) (n int, err error) {
	where, args := q.where()
	_, err = s.one(ctx, `SELECT count(*) FROM followups WHERE `+where, args, &n)
	return n, err
}

func (q *DueQuery) where() (string, []any) {
	where, args := `state = 'open' AND due_day <= $1 AND NOT (ref <> '' AND EXISTS (SELECT 1 FROM sends n
		WHERE n.ref = followups.ref AND 'issue ' || n.version = about AND n.state = 'queued' AND n.handoff = 0 AND n.trouble = '' AND n.kind <> 'chase'))`, []any{dayNumber(q.By)}
	and := func(what string, v any) {
		args = append(args, v)
		where += ` AND ` + what + ` = $` + itoa(len(args))
	}
	if q.Owner != "" {
		and(`owner`, q.Owner)
	}
	if q.Teams != nil {
		var marks []string
		for _, t := range q.Teams {
			args = append(args, t)
			marks = append(marks, "$"+itoa(len(args)))
		}
		where += ` AND team IN (` + strings.Join(marks, ", ") + `)`
	}
	if len(q.NotTeams) > 0 {
		where += ` AND team NOT IN ` + marked(&args, q.NotTeams)
	}
	if q.Area != nil {
		and(`area`, *q.Area)
	}
	if !q.From.IsZero() {
		args = append(args, dayNumber(q.From))
		where += ` AND due_day >= $` + itoa(len(args))
	}
	if len(q.Not) > 0 {
		ids, _ := json.Marshal(q.Not) // of strings, which cannot fail
		args = append(args, string(ids))
		where += ` AND case_id NOT IN (SELECT value FROM json_each($` + itoa(len(args)) + `))`
	}
	return where, args
}

// StepsDue are the open follow-ups of which a step of the ladder has come.
func (s *Store) StepsDue(ctx context.Context, day caseforms.Date, most int) ([]FollowUp, error) {
	return s.followUps(ctx, `state = 'open' AND step_day <= $1 ORDER BY step_day, id LIMIT $2`, dayNumber(day), most)
}

// FollowUpsOf are all follow-ups of a case, in the order in which they started.
func (s *Store) FollowUpsOf(ctx context.Context, id caseforms.CaseID) ([]FollowUp, error) {
	return s.followUps(ctx, `case_id = $1 ORDER BY id`, string(id))
}

// OpenOf is how many open follow-ups somebody owns.
func (s *Store) OpenOf(ctx context.Context, owner string) (n int, err error) {
	_, err = s.one(ctx, `SELECT count(*) FROM followups WHERE state = 'open' AND owner = $1`, []any{owner}, &n)
	return n, err
}

// CasesOf are the cases somebody owns.
func (s *Store) CasesOf(ctx context.Context, owner string) (ids []caseforms.CaseID, err error) {
	err = s.all(ctx, `SELECT id FROM cases WHERE owner = $1 AND erased_at IS NULL ORDER BY id`, []any{owner}, func(scan func(...any) error) error {
		var id caseforms.CaseID
		err := scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

const handOffColumns = `id, ref, version, case_id, form, area, team, channel, urgent, children, day, at, by_user, content, answer_by, state, outcome, answered_day, joined, elsewhere, changes`

func scanHandOff(scan func(...any) error) (HandOff, error) {
	var h HandOff
	var day, at, by, answered int64
	err := scan(&h.ID, &h.Ref, &h.Version, &h.Case, &h.Form, &h.Area, &h.Team, &h.Channel, &h.Urgent, &h.Children, &day, &at, &h.By, &h.content, &by, &h.State, &h.Outcome, &answered, &h.Joined, &h.Elsewhere, &h.changes)
	h.Day, h.At, h.AnswerBy, h.Answered = dayOf(day), fromMilli(at), dayOf(by), dayOf(answered)
	return h, err
}

// HandOffs are the hand-offs of a document or a case, oldest first.
func (s *Store) HandOffs(ctx context.Context, of any) (out []HandOff, err error) {
	where := `case_id = $1`
	if _, ok := of.(caseforms.Ref); ok {
		where = `ref = $1`
	}
	err = s.all(ctx, `SELECT `+handOffColumns+` FROM handoffs WHERE `+where+` ORDER BY id`, []any{fmt.Sprint(of)}, func(scan func(...any) error) error {
		h, err := scanHandOff(scan)
		out = append(out, h)
		return err
	})
	return out, err
}

// EachHandOff goes through the hand-offs of a span of days, of one area when area is not "*".
func (s *Store) EachHandOff(ctx context.Context, from, to caseforms.Date, area string, each func(HandOff) error) error {
	return s.all(ctx, `SELECT `+handOffColumns+` FROM handoffs WHERE day >= $1 AND day <= $2 AND ($3 = '*' OR area = $3) ORDER BY day, id`, []any{dayNumber(from), dayNumber(to), area},
		func(scan func(...any) error) error {
			h, err := scanHandOff(scan)
			if err != nil {
				return err
			}
			return each(h)
		})
}

// HandOffContent is what was written down about a hand-off: to whom, with whom.
func (s *Store) HandOffContent(ctx context.Context, h *HandOff) ([]byte, error) {
	return s.object(ctx, h.content, kindNote)
}

// Responses are the responses to a hand-off, oldest first.
func (s *Store) Responses(ctx context.Context, handoff int64) (out []Response, err error) {
	err = s.all(ctx, `SELECT id, handoff, kind, final, children, day, by_user, content FROM responses WHERE handoff = $1 ORDER BY id`, []any{handoff}, func(scan func(...any) error) error {
		var r Response
		var children string
		var day int64
		if err := scan(&r.ID, &r.HandOff, &r.Kind, &r.Final, &children, &day, &r.By, &r.content); err != nil {
			return err
		}
		r.Day = dayOf(day)
		for w := range strings.FieldsSeq(children) {
			var n int
			if _, err := fmt.Sscan(w, &n); err != nil {
				return err
			}
			r.Children = append(r.Children, n)
		}
		out = append(out, r)
		return nil
	})
	return out, err
}

// ResponseContent is what was written down about a response.
func (s *Store) ResponseContent(ctx context.Context, r *Response) ([]byte, error) {
	return s.object(ctx, r.content, kindNote)
}

func joinNumbers(ns []int) string {
	var out []string
	for _, n := range ns {
		out = append(out, fmt.Sprint(n))
	}
	return strings.Join(out, " ")
}
