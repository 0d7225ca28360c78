package casework

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/intake"
	"caseforms/internal/store"
	"caseforms/mail"
)

// Incoming is a message as it lay in a mailbox of ours.
type Incoming struct {
	Mailbox string
	Raw     []byte
	Came    time.Time
	Place   store.Place
	Cut     bool // it is larger than what is taken
}

// Came is a message that came in, as people see it.
type Came struct {
	store.Received
	From     string
	Subject  string
	Why      string   // by what it was told to be what it is
	Doubts   []string // what speaks against the match, or the sender
	Warnings []string // what could not be read
	Refs     []caseforms.Ref
	Report   *Reported
	Files    []CameFile
	Forms    []Returned
	Date     time.Time
	MailID   string
}

// Reported is what a server said became of a send.
type Reported struct {
	Action, Recipient, Status, Said, Server string
}

// CameFile is a file that came with a message. Nothing in it was opened.
type CameFile struct {
	Name, Type string
	Size       int
	PDF        bool
}

// Returned is a form of ours that came back filled in. Its answers are proposals: a person records the response.
type Returned struct {
	File    string
	Form    string
	Ref     string
	Answers []intake.Proposed
	Problem string // why nothing could be read
}

// kept is what is written down about a message beside what can be counted.
type kept struct {
	From     string          `json:"from"`
	Subject  string          `json:"subject"`
	Why      string          `json:"why"`
	Doubts   []string        `json:"doubts,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
	Refs     []caseforms.Ref `json:"refs,omitempty"`
	Report   *Reported       `json:"report,omitempty"`
	Files    []CameFile      `json:"files,omitempty"`
	Forms    []Returned      `json:"forms,omitempty"`
	Date     time.Time       `json:"date"`
	MailID   string          `json:"message_id"`
}

// mostForms is how many returned forms of one message are read. Each is read by a process of its own.
const mostForms = 3

// ClassForm is the class of a returned form that somebody put in as a file.
const ClassForm = "returned form"

// mailboxOfFiles stands in the place of a mailbox for what somebody put in as a file.
const mailboxOfFiles = "file"

// knownSends answers the keys of messages from the store.
type knownSends struct{ k *Desk }

func (s knownSends) by(ctx context.Context, key, value string) (*mail.Known, error) {
	n, err := s.k.store.FindSend(ctx, key, value)
	if err != nil || n == nil {
		return nil, err
	}
	c, err := s.k.store.FindCase(ctx, n.Case)
	if err != nil || !c.Erased.IsZero() {
		return nil, err // what comes for an erased case belongs to nothing any more
	}
	p, err := s.k.posting(ctx, n)
	if err != nil {
		var e *caseforms.Error
		if errors.As(err, &e) && e.Kind == caseforms.NotFound {
			return nil, nil
		}
		return nil, err
	}
	return &mail.Known{ID: n.Message, Ref: n.Ref, To: mail.Address(p.Address)}, nil
}

func (s knownSends) ByToken(ctx context.Context, t mail.Token) (*mail.Known, error) {
	return s.by(ctx, store.ByToken, string(t))
}

func (s knownSends) ByID(ctx context.Context, id string) (*mail.Known, error) {
	return s.by(ctx, store.ByMessage, strings.ToLower(id))
}

func (s knownSends) ByMessageID(ctx context.Context, id string) (*mail.Known, error) {
	return s.by(ctx, store.ByMessageID, id)
}

func (s knownSends) HasRef(ctx context.Context, ref caseforms.Ref) (bool, error) {
	_, err := s.k.store.Document(ctx, ref)
	var e *caseforms.Error
	if errors.As(err, &e) && e.Kind == caseforms.NotFound {
		return false, nil
	}
	return err == nil, err
}

// Place is how far a mailbox was read.
func (k *Desk) Place(ctx context.Context, mailbox string) (store.Place, error) {
	return k.store.PlaceOf(ctx, mailbox)
}

// Receive takes a message in: it is kept as it came, matched with what was sent, and does what its kind does. A report of a server tells where
// a send stands; a reply of a person is to be read by one. Nothing that came by itself is ever a response (0.4 point 15). A message
// that was taken in before is not taken in twice; came is nil then. One that cannot be dealt with is kept for a person all the same, so
// that those behind it come in.
func (k *Desk) Receive(ctx context.Context, in Incoming) (came *Came, err error) {
	if err := k.noPost(); err != nil {
		return nil, err
	}
	if in.Came.IsZero() || in.Came.After(k.store.Now()) {
		in.Came = k.store.Now()
	}
	if came, err = k.receive(ctx, in); err == nil || ctx.Err() != nil {
		return came, err
	}
	c := &Came{Why: "it could not be dealt with", Warnings: []string{"something in it, or in what it belongs to, could not be read: look at it as it came"}}
	c.Received = store.Received{Class: string(mail.Unreadable), Mailbox: in.Mailbox, Came: in.Came, Size: int64(len(in.Raw)), State: store.ReceivedNew}
	t := store.TakeIn{Received: c.Received, Raw: in.Raw, Place: in.Place, Entry: k.cameEntry(&c.Received, in.Raw)}
	var e error
	if t.Content, e = json.Marshal(c.kept()); e == nil {
		c.Number, e = k.store.TakeIn(ctx, t)
	}
	if e != nil {
		return nil, errors.Join(err, e)
	}
	return c, nil
}

func (k *Desk) receive(ctx context.Context, in Incoming) (*Came, error) {
	m := mail.Read(in.Raw)
	match, err := k.post.Ours.Match(ctx, m, knownSends{k})
	if err != nil {
		return nil, err
	}
	var send *store.Send
	sendID := int64(0)
	if match.Send != nil {
		if send, err = k.store.FindSend(ctx, store.ByMessage, match.Send.ID); err != nil {
			return nil, err
		}
		if send != nil {
			sendID = send.ID
		}
	}
	words := k.words(m)
	same, twin, err := k.store.Already(ctx, in.Mailbox, in.Raw, words, sendID)
	if err != nil {
		return nil, err
	}
	if same {
		return nil, k.store.Reached(ctx, in.Mailbox, in.Place)
	}
	c, err := k.summary(ctx, m, &match, send)
	if err != nil {
		return nil, err
	}
	if in.Cut {
		c.Warnings = append(c.Warnings, "it is larger than what is taken in: the rest is in the mailbox only")
	}
	c.Class, c.Mailbox, c.Came, c.Size, c.State = string(m.Class), in.Mailbox, in.Came, int64(len(in.Raw)), store.ReceivedNew
	c.MatchedBy, c.Sure, c.Verified = string(match.By), string(match.Sure), match.Verified
	if m.Report != nil {
		c.Action = string(m.Report.Action)
	}
	if send != nil {
		c.Case, c.Ref, c.Send = send.Case, send.Ref, send.ID
	}
	troubled := false
	err = retried(func() error {
		t := store.TakeIn{Received: c.Received, Raw: in.Raw, Words: words, Place: in.Place}
		if err := k.effect(ctx, m, &match, send, twin, &t); err != nil {
			return err
		}
		t.Entry = k.cameEntry(&t.Received, in.Raw)
		if t.Content, err = json.Marshal(c.kept()); err != nil {
			return err
		}
		t.Number, err = k.store.TakeIn(ctx, t)
		c.Received, troubled = t.Received, t.Report != ""
		return err
	})
	if err != nil {
		return nil, err
	}
	if troubled {
		_ = k.watch(ctx) // it is in; what could not be told now is told by the next who looks
	}
	return c, nil
}

func (k *Desk) cameEntry(r *store.Received, raw []byte) *store.Entry {
	sum := sha256.Sum256(raw)
	e := &store.Entry{What: store.MailCame + ": " + r.Class, Actor: caseforms.Scheduler().ID, Case: r.Case, Ref: r.Ref, Detail: map[string]string{"mail": hex.EncodeToString(sum[:])}}
	for key, v := range map[string]string{"matched by": r.MatchedBy, "sure": r.Sure, "action": r.Action, "verified": map[bool]string{true: "yes"}[r.Verified]} {
		if v != "" {
			e.Detail[key] = v
		}
	}
	if r.Case != "" {
		e.Acts = []store.Act{store.Collection}
	}
	return e
}

// words is a keyed hash of who wrote what, by which a message that was delivered twice is told; nil when it does not say enough.
func (k *Desk) words(m *mail.Incoming) []byte {
	if m.MessageID == "" {
		return nil
	}
	return k.store.Term("mail", strings.Join([]string{m.MessageID, m.From.Address, m.Subject, m.Text, m.History, strconv.Itoa(len(m.Files))}, "\x00"))
}

// unattended are words by which an automatic answer says that nobody will read what was sent: that is a bounce in all but form.
var unattended = regexp.MustCompile(`(?i)no longer|not (being )?(monitored|read|checked|in use|attended)|unmonitored|unattended|never read|not be read|(is|was|been) (closed|disabled|deactivated|decommissioned)|does not exist|has (left|moved)|have moved`)

// effect is what a message does.
func (k *Desk) effect(ctx context.Context, m *mail.Incoming, match *mail.Match, send *store.Send, twin bool, t *store.TakeIn) error {
	sure := send != nil && match.Sure == mail.Certain
	switch {
	case twin:
		t.State, t.Outcome = store.ReceivedDone, "came before"
		return nil
	case sure && m.Class == mail.DeliveryReport: // whatever else is odd about it
		t.State, t.Outcome = store.ReceivedDone, "report"
		return k.reported(ctx, m, send, t)
	case match.Loop != "" && m.Class != mail.HumanReply && m.Class != mail.CouldBeBounce:
		t.State, t.Outcome = store.ReceivedDone, match.Loop
		return nil
	case send == nil || match.Loop != "":
		return nil
	}
	switch m.Class {
	case mail.AutomaticAnswer, mail.ReadReceipt:
		// That somebody is away matters where a child waits, and that nobody reads the mailbox matters always.
		if m.Class == mail.ReadReceipt || !send.Urgent && !unattended.MatchString(m.Subject+" "+m.Text) {
			t.State, t.Outcome = store.ReceivedDone, "automatic"
		}
		if sure {
			return k.proved(ctx, send, m, t)
		}
	case mail.CouldBeBounce:
		if !sure {
			return nil
		}
		if m.Report != nil && (m.Report.Action == mail.ActionFailed || m.Report.Action == "") && send.Reported == "" {
			t.Report = store.ReportedPerhaps
		}
		return k.replied(ctx, send.Ref, send.HandOff, t)
	case mail.SecureNotice:
		if sure {
			return k.replied(ctx, send.Ref, send.HandOff, t)
		}
	case mail.HumanReply:
		if sure {
			if err := k.proved(ctx, send, m, t); err != nil {
				return err
			}
		}
		return k.replied(ctx, send.Ref, send.HandOff, t)
	}
	return nil
}

// replied puts the clock off by a day at most, and starts the one for reading what came.
func (k *Desk) replied(ctx context.Context, ref caseforms.Ref, handOff int64, t *store.TakeIn) error {
	f, err := k.reply(ctx, ref, handOff)
	if err == nil {
		t.Follow.Start, t.Follow.Change = append(t.Follow.Start, f.Start...), append(t.Follow.Change, f.Change...)
		if t.Settle != nil && t.Settle.Follow != nil { // what starts with the hand-off is not changed in the same act
			t.Follow.Change = slices.DeleteFunc(t.Follow.Change, func(u store.FollowUp) bool { return changes(t.Settle.Follow, u.ID) })
		}
	}
	return err
}

// reply is what a reply that nobody has read does to follow-ups.
func (k *Desk) reply(ctx context.Context, ref caseforms.Ref, handOff int64) (f store.Follow, err error) {
	m, err := k.known(ctx, ref)
	if err != nil {
		return f, err
	}
	today := k.today()
	k.happened(m, caseforms.Happening{Noted: noteReply, On: today}, ref, &f)
	for i := range m.hands {
		if m.hands[i].ID == handOff {
			handOff = root(m.hands, &m.hands[i]).ID
			break
		}
	}
	for _, u := range m.runs {
		if d := m.defs.Duties.Rule(u.Rule); u.State == store.FollowUpOpen && d != nil && d.Chases && u.Ref == ref && handOff != 0 && u.HandOff == handOff && !changes(&f, u.ID) {
			m.defer1(&u, today, "a reply is to be read, and the response recorded")
			f.Change = append(f.Change, u)
		}
	}
	return f, nil
}

// reported is what the report of a server does. Reports come in any order, and of what a server says failed only a person says otherwise.
func (k *Desk) reported(ctx context.Context, m *mail.Incoming, send *store.Send, t *store.TakeIn) error {
	action := m.Report.Action
	rank := map[string]int{"": 0, store.ReportedPerhaps: 1, string(mail.ActionDelayed): 2, string(mail.ActionRelayed): 3, string(mail.ActionExpanded): 3, string(mail.ActionDelivered): 4, string(mail.ActionFailed): 5}
	switch {
	case action == "":
		t.State, t.Outcome = store.ReceivedNew, ""
		return nil
	case rank[string(action)] > rank[send.Reported]:
		t.Report = string(action)
	}
	return k.proved(ctx, send, m, t)
}

// proved settles an item of which nobody knew whether it arrived.
func (k *Desk) proved(ctx context.Context, send *store.Send, m *mail.Incoming, t *store.TakeIn) error {
	it, err := k.itemOf(ctx, send)
	if err != nil || it == nil || it.State != store.Uncertain {
		return err
	}
	action := mail.Action("")
	if m.Report != nil {
		action = m.Report.Action
	}
	arrived, by := proves(m.Class, action)
	t.Settle = &store.Settling{Item: it, Arrived: arrived, Entry: settled(it, arrived, caseforms.Scheduler().ID, by, "")}
	if arrived {
		t.Settle.Follow, err = k.arrival(ctx, it)
	}
	return err
}

// summary is what is told of a message.
func (k *Desk) summary(ctx context.Context, m *mail.Incoming, match *mail.Match, send *store.Send) (*Came, error) {
	c := &Came{From: m.From.Address, Subject: m.Subject, Why: m.Why, Doubts: match.Doubts, Warnings: m.Warnings, Refs: match.Refs, Date: m.Date, MailID: m.MessageID}
	if match.Loop != "" {
		c.Doubts = append(c.Doubts, match.Loop)
	}
	if r := m.Report; r != nil {
		c.Report = &Reported{Action: string(r.Action), Server: r.Server}
		if len(r.Recipients) > 0 {
			worst := r.Recipients[0]
			for _, x := range r.Recipients {
				if x.Action == r.Action {
					worst = x
				}
			}
			c.Report.Recipient, c.Report.Status, c.Report.Said = worst.Recipient, worst.Status, worst.Diagnostic
		}
	}
	password := ""
	if send != nil {
		if p, err := k.posting(ctx, send); err == nil {
			password = p.Password
		}
	}
	for i := range m.Files {
		f := &m.Files[i]
		c.Files = append(c.Files, CameFile{f.Name, f.Type, len(f.Bytes), f.PDF})
		if f.PDF && m.Class == mail.HumanReply && len(c.Forms) < mostForms {
			form, err := k.returned(ctx, f.Name, f.Bytes, password)
			if err != nil {
				return nil, err
			}
			if form != nil {
				c.Forms = append(c.Forms, *form)
			}
		}
	}
	return c, nil
}

// returned reads a form of ours that came back; nil when it is some other file.
func (k *Desk) returned(ctx context.Context, name string, data []byte, password string) (*Returned, error) {
	defs, err := k.load("")
	if err != nil {
		return nil, err
	}
	r, err := intake.ReadReply(ctx, data, password, defs)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	out := &Returned{File: name, Form: r.Form, Ref: r.Ref, Answers: r.Answers}
	if err != nil {
		var reason intake.Reason
		if errors.As(err, &reason) && reason == intake.NoForm {
			return nil, nil
		}
		out.Problem = err.Error()
	}
	return out, nil
}

func (c *Came) kept() *kept {
	return &kept{c.From, c.Subject, c.Why, c.Doubts, c.Warnings, c.Refs, c.Report, c.Files, c.Forms, c.Date, c.MailID}
}

func (k *Desk) came(ctx context.Context, r *store.Received) (*Came, error) {
	b, err := k.store.ReceivedContent(ctx, r)
	if err != nil {
		var e *caseforms.Error
		if errors.As(err, &e) && e.Kind == caseforms.NotFound { // it was thrown away, or erased
			return &Came{Received: *r}, nil
		}
		return nil, err
	}
	var x kept
	if err := json.Unmarshal(b, &x); err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "what was written down about a message is damaged"}
	}
	return &Came{*r, x.From, x.Subject, x.Why, x.Doubts, x.Warnings, x.Refs, x.Report, x.Files, x.Forms, x.Date, x.MailID}, nil
}

// mostShown is how many messages are listed at a time.
const mostShown = 500

// Inbox is what a person has still to look at: of the cases the actor may see, then what belongs to no case yet, each oldest first. all is how many
// there are.
func (k *Desk) Inbox(ctx context.Context, a caseforms.Actor) (out []Came, all int, err error) {
	if err := a.Need("read what came in", caseforms.RolePractitioner, caseforms.RoleManager); err != nil {
		return nil, 0, err
	}
	found, all, err := k.store.NewReceived(ctx, mostShown)
	if err != nil {
		return nil, 0, err
	}
	for i := range found {
		if id := found[i].Case; id != "" {
			c, err := k.store.FindCase(ctx, id)
			if err != nil {
				return nil, 0, err
			}
			if c.Restricted && !allowed(a, c.Access) {
				continue
			}
		}
		c, err := k.came(ctx, &found[i])
		if err != nil {
			return nil, 0, err
		}
		out = append(out, *c)
	}
	if len(out) > 0 {
		err = k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "inbox read", Actor: a.ID, Detail: map[string]string{"messages": strconv.Itoa(len(out))}})
	}
	return out, all, err
}

// message finds a message that the actor may see.
func (k *Desk) message(ctx context.Context, a caseforms.Actor, id int64, what string) (*store.Received, error) {
	r, err := k.store.ReceivedMail(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.Case == "" {
		return r, a.Need(what, caseforms.RolePractitioner, caseforms.RoleManager)
	}
	c, err := k.store.FindCase(ctx, r.Case)
	if err != nil {
		return nil, err
	}
	return r, k.see(ctx, a, c, what)
}

// ReadMail is a message whole: what was read of it, and its bytes as they came. Whoever reads it is in the ledger.
func (k *Desk) ReadMail(ctx context.Context, a caseforms.Actor, id int64) (*Came, *mail.Incoming, []byte, error) {
	r, err := k.message(ctx, a, id, "read this message")
	if err != nil {
		return nil, nil, nil, err
	}
	c, err := k.came(ctx, r)
	if err != nil {
		return nil, nil, nil, err
	}
	raw, err := k.store.RawMail(ctx, r)
	if err != nil {
		return nil, nil, nil, err
	}
	err = k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "message read", Actor: a.ID, Case: r.Case, Ref: r.Ref, Detail: map[string]string{"message": strconv.FormatInt(id, 10)}})
	if r.Class == ClassForm {
		return c, &mail.Incoming{}, raw, err
	}
	return c, mail.Read(raw), raw, err
}

// FileMail says that a message belongs to a document: a person saw it (0.4 point 13). It is then to be read like any reply. Out of a case that only some
// may see a manager takes it.
func (k *Desk) FileMail(ctx context.Context, a caseforms.Actor, id int64, ref caseforms.Ref) error {
	return retried(func() error {
		r, err := k.message(ctx, a, id, "file this message")
		if err != nil {
			return err
		}
		if _, err := k.store.RawMail(ctx, r); err != nil {
			return err // it was erased, or thrown away
		}
		m, err := k.matter(ctx, a, ref, "file messages with this document")
		if err != nil {
			return err
		}
		if r.Ref == ref {
			return &caseforms.Error{Kind: caseforms.Conflict, Msg: "it belongs to " + string(ref) + " already"}
		}
		from := *r
		var entries []store.Entry
		number := strconv.FormatInt(id, 10)
		if from.Case != "" && from.Case != m.c.ID {
			c, err := k.store.FindCase(ctx, from.Case)
			if err != nil {
				return err
			}
			if c.Restricted {
				if err := a.Need("take a message out of a restricted case", caseforms.RoleManager); err != nil {
					return err
				}
			}
		}
		if from.Case != "" {
			entries = append(entries, store.Entry{What: "mail filed elsewhere", Actor: a.ID, Case: from.Case, Ref: from.Ref, Detail: map[string]string{"message": number}})
		}
		r.Case, r.Ref, r.Send, r.MatchedBy, r.Sure, r.State, r.Outcome = m.c.ID, ref, 0, "person", "", store.ReceivedNew, ""
		sends, err := k.store.Sends(ctx, ref)
		if err != nil {
			return err
		}
		var handOff int64
		if len(sends) == 1 {
			r.Send, handOff = sends[0].ID, sends[0].HandOff
		}
		f := store.Follow{}
		if r.Class == string(mail.HumanReply) {
			if f, err = k.reply(ctx, ref, handOff); err != nil {
				return err
			}
		}
		f.Message = r
		f.Entries = append(entries, store.Entry{Acts: []store.Act{store.Collection}, What: "mail filed", Actor: a.ID, Case: m.c.ID, Ref: ref, Detail: map[string]string{"message": number}})
		return k.store.Follow(ctx, f)
	})
}

// DoneMail says that nothing more is to be done about a message, and why. It ends no follow-up. One that belongs to no case can be thrown
// away: then its content is destroyed.
func (k *Desk) DoneMail(ctx context.Context, a caseforms.Actor, id int64, why string, throw bool) error {
	r, err := k.message(ctx, a, id, "put this message away")
	if err != nil {
		return err
	}
	if why = strings.TrimSpace(why); why == "" {
		return needsReason("putting a message away")
	}
	e := store.Entry{What: "mail put away", Actor: a.ID, Case: r.Case, Ref: r.Ref, Detail: map[string]string{"message": strconv.FormatInt(id, 10), "why": why}}
	if throw {
		if r.Case != "" {
			return &caseforms.Error{Kind: caseforms.Conflict, Msg: "it belongs to " + string(r.Ref) + " and is kept with its case", Hint: "put it away without throwing it away"}
		}
		e.What, e.Acts, r.Outcome = "mail thrown away", []store.Act{store.Erasure}, store.ThrownAway
		return again(k.store.DropReceived(ctx, *r, e))
	}
	r.State, r.Outcome = store.ReceivedDone, "read"
	return again(k.store.Follow(ctx, store.Follow{Message: r, Entries: []store.Entry{e}}))
}

// Filed is a file that was put in with an answer.
type Filed struct {
	Message int64
	Forms   []Returned
	From    string
}

// PutFile takes in what came otherwise than through the mailbox: a message that somebody saved, or a form that came back on a stick. It belongs
// to a document because the actor says so.
func (k *Desk) PutFile(ctx context.Context, a caseforms.Actor, ref caseforms.Ref, data []byte) (*Filed, error) {
	m, err := k.matter(ctx, a, ref, "file messages with this document")
	if err != nil {
		return nil, err
	}
	c := &Came{Date: k.store.Now()}
	var words []byte
	if bytes.HasPrefix(data, []byte("%PDF-")) {
		c.Class = ClassForm
		form, err := k.returned(ctx, "", data, "")
		if err != nil {
			return nil, err
		}
		if form != nil {
			if form.Ref != "" && form.Ref != string(ref) {
				return nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "this form bears the reference " + form.Ref + ", not " + string(ref), Hint: "is it the right file?"}
			}
			c.Forms = []Returned{*form}
		}
	} else {
		in := mail.Read(data)
		if in.Class == mail.Unreadable || in.From.Address == "" {
			return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "this file is neither a saved message (.eml) nor a PDF", Hint: "save the message as a file from the mail program, or record the answer without --file"}
		}
		if c, err = k.summary(ctx, in, &mail.Match{}, nil); err != nil {
			return nil, err
		}
		c.Class, words = string(in.Class), k.words(in)
	}
	sends, err := k.store.Sends(ctx, ref)
	if err != nil {
		return nil, err
	}
	box := mailboxOfFiles + " " + string(ref) // the same letter may answer several documents
	c.Received = store.Received{Case: m.c.ID, Ref: ref, Class: c.Class, MatchedBy: "person", Mailbox: box, Came: k.store.Now(), Size: int64(len(data)), State: store.ReceivedNew}
	if len(sends) == 1 {
		c.Send = sends[0].ID
	}
	t := store.TakeIn{Received: c.Received, Raw: data, Words: words, Entry: k.cameEntry(&c.Received, data)}
	t.Entry.Actor = a.ID
	if t.Content, err = json.Marshal(c.kept()); err != nil {
		return nil, err
	}
	all, err := k.store.ReceivedOf(ctx, ref)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if raw, err := k.store.RawMail(ctx, &all[i]); err != nil || !bytes.Equal(raw, data) {
			continue
		}
		if all[i].State == store.ReceivedDone {
			return nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "this very file was put in before, and dealt with", Hint: "caseforms show " + string(ref) + " tells what came of it"}
		}
		return &Filed{Message: all[i].Number, Forms: c.Forms, From: c.From}, nil // the answer it was put in for was not recorded
	}
	number, err := k.store.TakeIn(ctx, t)
	return &Filed{Message: number, Forms: c.Forms, From: c.From}, again(err)
}

// fromMessage takes from the message who answered and when, and which hand-off it answers, where the actor did not say.
func (k *Desk) fromMessage(ctx context.Context, a caseforms.Actor, r *Answer) error {
	if r.Message == 0 {
		return nil
	}
	got, err := k.message(ctx, a, r.Message, "take an answer from this message")
	if err != nil {
		return err
	}
	if got.Ref != "" && got.Ref != r.Ref {
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "the message belongs to " + string(got.Ref) + ", not to " + string(r.Ref), Hint: "caseforms inbox file files it with another document"}
	}
	switch mail.Class(got.Class) {
	case mail.AutomaticAnswer, mail.ReadReceipt, mail.DeliveryReport:
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "the message is a " + got.Class + ": a program sent it, and nothing that a program sends is an answer", Hint: "if a person wrote it after all, record the answer without --message"}
	}
	if got.Outcome == answered || got.Outcome == store.ThrownAway || got.Outcome == store.Erased {
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "the message was dealt with already (" + got.Outcome + ")", Hint: "caseforms show " + string(r.Ref) + " tells what was recorded"}
	}
	c, err := k.came(ctx, got)
	if err != nil {
		return err
	}
	r.From = cmp.Or(r.From, c.From)
	if r.At.IsZero() && !strings.HasPrefix(got.Mailbox, mailboxOfFiles+" ") && !got.Came.After(k.store.Now()) {
		r.At = got.Came // the clock stops when it came, not when somebody came to read it
	}
	if r.HandOff != 0 || got.Send == 0 {
		return nil
	}
	n, err := k.store.FindSend(ctx, "id", got.Send)
	if err != nil || n == nil || n.HandOff == 0 {
		return err
	}
	all, err := k.store.HandOffs(ctx, r.Ref)
	for i := range all {
		if all[i].ID == n.HandOff {
			r.HandOff = int64(i + 1) // of one that joined another, that one is meant
		}
	}
	return err
}

// answered is the outcome of a message that an answer was taken from.
const answered = "answered"

// answeredBy is a message as it is when an answer was taken from it, with its entry.
func (k *Desk) answeredBy(ctx context.Context, a caseforms.Actor, id int64, m *matter, kind string, f *store.Follow) (*store.Received, error) {
	r, err := k.message(ctx, a, id, "take an answer from this message")
	if err != nil {
		return nil, err
	}
	f.Entries = append(f.Entries, store.Entry{What: "answer taken from a message", Actor: a.ID, Case: m.c.ID, Ref: m.doc.Ref, Detail: map[string]string{"message": strconv.FormatInt(id, 10), "kind": kind,
		"verified": map[bool]string{true: "yes", false: "no; the person who recorded it confirms it"}[r.Verified]}})
	if r.Case == "" {
		r.MatchedBy = "person"
	}
	r.Case, r.Ref, r.State, r.Outcome = m.c.ID, m.doc.Ref, store.ReceivedDone, answered
	return r, nil
}

// mailOf are the messages that came about a document.
func (k *Desk) mailOf(ctx context.Context, ref caseforms.Ref) (out []Came, err error) {
	all, err := k.store.ReceivedOf(ctx, ref)
	if err != nil {
		return nil, err
	}
	for i := range all {
		c, err := k.came(ctx, &all[i])
		if err != nil {
			return nil, err
		}
		out = append(out, *c)
	}
	slices.SortStableFunc(out, func(a, b Came) int { return cmp.Compare(a.Came.UnixMilli(), b.Came.UnixMilli()) })
	return out, nil
}
