package casework

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/mail"
	"caseforms/render"
)

// Send asks for a document to be sent by e-mail.
type Send struct {
	Ref     caseforms.Ref
	To      []string          // ids, roles or addresses; none is whoever the form goes to
	Attach  []mail.Attachment // what goes with it, beside the document
	Without string            // why something that the form says is attached does not go with it
	Again   string            // why it is sent once more to somebody who has it
	Confirm string            // how somebody made sure that an address outside the directory is right
	Chase   bool              // not the document, but the question what was decided
	HandOff int64             // of a chase: which hand-off, by its number on the timeline; 0 is the only one that is open
	Dry     bool              // tell what would go where, and do nothing
	Once    *Once             // it is done once, however often it is asked for
}

// Outgoing is a send as people see it.
type Outgoing struct {
	store.Send
	Organisation string
	Role         string
	Address      string
	Phone        string
	Listed       bool
	Relay        string
	Subject      string
	Files        []string
	Size         int
	Password     string // that opens sealed files; it is told by telephone
	AnswerBy     caseforms.Date
	Text         string       // of a dry run: what the message says
	Means        mail.Channel // of a dry run: by which means policy lets it go

	Standing Outcome
	At       time.Time // of Standing
	Said     string    // what the other side said, or why it is held
	Do       string    // what to do now; "" is nothing
	Report   string    // what a server reported
	Attempts int
}

// Outcome is where a send stands, in a word that people understand.
type Outcome string

const (
	Queued    Outcome = "queued"
	HeldBack  Outcome = "held"
	Relayed   Outcome = "sent"
	Delayed   Outcome = "delayed"
	Failed    Outcome = "failed"
	Doubtful  Outcome = "uncertain"
	Arrived   Outcome = "delivered"
	Replied   Outcome = "answered"
	Withdrawn Outcome = "withdrawn"
)

// Send puts a document into the outbox, one message for each recipient, or holds it where policy does not let it go. The problems are what
// somebody should know although it was sent. Nothing is sent while any of the recipients cannot be made out.
func (k *Desk) Send(ctx context.Context, a caseforms.Actor, s Send) ([]Outgoing, []caseforms.Problem, error) {
	if err := k.noPost(); err != nil {
		return nil, nil, err
	}
	m, err := k.matter(ctx, a, s.Ref, "send this document")
	if err != nil {
		return nil, nil, err
	}
	x := &sending{k: k, a: a, m: m, v: m.doc.Latest(), s: &s}
	if s.Chase {
		if err := k.chasing(ctx, m, &s); err != nil {
			return nil, nil, err
		}
	}
	if err := x.load(ctx); err != nil {
		return nil, nil, err
	}
	out, err := x.all(ctx)
	if err != nil || s.Dry {
		return x.out, x.problems, err
	}
	if s.Once != nil && len(out) > 0 {
		out[0].Entry.Once = s.Once.key
	}
	if err := k.store.PutSends(ctx, out, x.replaced); err != nil {
		return nil, nil, again(err)
	}
	for i := range out {
		x.out[i].ID, x.out[i].Item = out[i].ID, out[i].Send.Item
	}
	return x.out, x.problems, k.watch(ctx)
}

// sending is a document on its way to its recipients.
type sending struct {
	k        *Desk
	a        caseforms.Actor
	m        *matter
	v        *store.Version
	doc      *caseforms.Document
	files    []IssuedFile
	earlier  []store.Send
	s        *Send
	urgent   bool
	replaced []store.NewSend // what goes to the same offices as an earlier issue, and has not left
	problems []caseforms.Problem
	out      []Outgoing
}

// load reads the document that is to be sent.
func (x *sending) load(ctx context.Context) (err error) {
	if x.doc, x.files, x.urgent, err = x.k.refill(ctx, x.m.doc, x.v); err != nil {
		return err
	}
	x.earlier, err = x.k.store.Sends(ctx, x.m.doc.Ref)
	return err
}

// all makes what is to be sent.
func (x *sending) all(ctx context.Context) (out []store.NewSend, err error) {
	if err := x.missing(); err != nil {
		return nil, err
	}
	if err := x.uncountersigned(ctx); err != nil {
		return nil, err
	}
	to, err := x.route(ctx)
	if err != nil {
		return nil, err
	}
	for i := range to {
		n, o, err := x.one(ctx, &to[i])
		if err != nil {
			return nil, err
		}
		out = append(out, *n)
		x.out = append(x.out, *o)
	}
	return out, nil
}

// missing tells what the form says is attached and is not. It stops nothing that cannot wait (0.4 points 1 and 26).
func (x *sending) missing() error {
	if x.s.Chase {
		return nil
	}
	for _, f := range x.s.Attach {
		if mail.Attachable(f.Ext) && !mail.Fits(f.Ext, f.Data) {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the file attached as " + f.Key + " is not what its name says (." + f.Ext + ")", Hint: "open it, save it again as what it is, and attach that"}
		}
	}
	ps := mail.Missing(x.doc, x.s.Attach)
	if len(ps) > 0 && !x.urgent && strings.TrimSpace(x.s.Without) == "" {
		return &Unattached{ps}
	}
	for _, p := range ps {
		p.Severity = caseforms.Warning
		x.problems = append(x.problems, p)
	}
	return nil
}

// Unattached says that a document names attachments that are not there.
type Unattached struct{ Problems []caseforms.Problem }

func (e *Unattached) Error() string {
	return "the document says that something is attached which is not; nothing was sent"
}

// destination is one office that a document goes to.
type destination struct {
	posting
	recipient string
}

// route finds who the document goes to (0.4 points 5 to 14).
func (x *sending) route(ctx context.Context) ([]destination, error) {
	k, m := x.k, x.m
	all, err := k.store.Recipients(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(r store.Recipient) bool { return !r.Active })
	var found []store.Recipient
	var out []destination
	to := x.s.To
	if len(to) == 0 {
		for _, r := range m.defs.RolesFor(m.doc.Form, m.doc.Copy, x.a) {
			to = append(to, r.Role)
		}
		if len(to) == 0 {
			return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: fmt.Sprintf("a %s in the copy %s goes to nobody unless it is said to whom", m.doc.Form, m.doc.Copy), Hint: "name the recipient with --to, and look whether it is the right copy: caseforms forms"}
		}
	}
	for _, name := range to {
		if role := m.defs.RecipientRole(name); role != nil {
			of, err := x.offices(role, all)
			if err != nil {
				return nil, err
			}
			found = append(found, of...)
			continue
		}
		at := func(r store.Recipient) bool {
			return r.ID == name || r.Channel == channelEmail && strings.EqualFold(r.Address, strings.TrimSpace(name))
		}
		i := slices.IndexFunc(all, at)
		if j := slices.IndexFunc(all, func(r store.Recipient) bool {
			role := m.defs.RecipientRole(r.Role)
			return at(r) && role != nil && role.May(m.doc.Form, m.doc.Copy, x.a, m.defs.Lang) == nil
		}); j >= 0 {
			i = j // an office may have several roles
		}
		if i >= 0 {
			found = append(found, all[i])
			continue
		}
		address, err := mail.ParseAddress(name)
		if err != nil {
			return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no recipient, role or address " + quoted(name), Hint: "caseforms recipient list shows the directory, or write the address whole"}
		}
		if err := x.unlisted(ctx, address); err != nil {
			return nil, err
		}
		out = append(out, destination{posting: posting{Organisation: address.Domain(), Address: string(address)}})
	}
	for _, r := range found {
		d, err := x.listed(ctx, &r)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(d destination) bool { // an office of two roles gets it once
		key := strings.ToLower(d.Address)
		was := seen[key]
		seen[key] = true
		return was
	}), nil
}

// unlisted refuses an address outside the directory for what may go to nobody, or not by this sender, and for an office that was taken out of it.
func (x *sending) unlisted(ctx context.Context, to mail.Address) error {
	var why error
	may := false
	for i := range x.m.defs.Roles {
		err := x.m.defs.Roles[i].May(x.m.doc.Form, x.m.doc.Copy, x.a, x.m.defs.Lang)
		may = may || err == nil
		if slices.Contains(x.m.defs.Roles[i].Forms, x.m.doc.Form) && why == nil {
			why = err
		}
	}
	if !may && why != nil {
		return why
	}
	all, err := x.k.store.Recipients(ctx)
	if err != nil {
		return err
	}
	for _, r := range all {
		if !r.Active && to.Same(mail.Address(r.Address)) {
			return &caseforms.Error{Kind: caseforms.Conflict, Msg: "this address was taken out of the directory on " + longDate(r.Changed), Hint: "if it is right after all, put it in again: caseforms recipient add"}
		}
	}
	return nil
}

// offices are those of a role that the document is for: of a role that serves one authority the office of that authority alone.
func (x *sending) offices(role *caseforms.RecipientRole, all []store.Recipient) (out []store.Recipient, err error) {
	for _, r := range all {
		serves := r.Area == "" || strings.EqualFold(r.Area, x.v.Area) || x.v.Area == "" && x.doc.For == ""
		if role.Authority && x.doc.For != "" {
			serves = r.Area == "" || sameName(r.Area, x.doc.For)
		}
		if r.Role == role.Role && serves {
			out = append(out, r)
		}
	}
	if role.Authority && x.doc.For != "" && slices.ContainsFunc(out, func(r store.Recipient) bool { return r.Area != "" }) {
		out = slices.DeleteFunc(out, func(r store.Recipient) bool { return r.Area == "" }) // its own office before one for everybody
	}
	label := role.Label.In(x.m.defs.Lang)
	switch {
	case role.Authority && x.doc.For == "" && len(out) > 0:
		var ids []string
		for _, r := range out {
			ids = append(ids, r.ID+" ("+r.Organisation+")")
		}
		return nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "the document does not say which authority it is for", Hint: "name the office with --to: " + strings.Join(ids, ", ")}
	case len(out) == 0:
		e := &caseforms.Error{Kind: caseforms.NotFound, Msg: "nobody in the directory is " + role.Role + " (" + label + ")", Hint: "caseforms recipient add " + role.Role + " ORGANISATION …, or name the address with --to"}
		if role.Authority && x.doc.For != "" {
			e.Msg += " of the authority this document is for"
			e.Hint = "its area in the directory must be written as the form says; " + e.Hint
		}
		return nil, e
	case len(out) > 1 && role.Authority:
		var ids []string
		for _, r := range out {
			ids = append(ids, r.ID+" ("+r.Organisation+")")
		}
		return nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "several have this role: " + strings.Join(ids, ", "), Hint: "name one of them with --to"}
	}
	return out, nil
}

// sameName tells whether two names of an authority are the same but for the words that all have. City and county stay: they are two authorities.
func sameName(a, b string) bool {
	fold := func(s string) string {
		words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' })
		words = slices.DeleteFunc(words, func(w string) bool {
			return slices.Contains([]string{"council", "borough", "metropolitan", "royal", "unitary", "authority", "the", "of"}, w)
		})
		if len(words) > 1 && words[0] == "london" { // London Borough of Hackney
			words = words[1:]
		}
		return strings.Join(words, " ")
	}
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) || fold(a) != "" && fold(a) == fold(b)
}

// listed is an office of the directory as a destination, when the document may go there.
func (x *sending) listed(ctx context.Context, r *store.Recipient) (destination, error) {
	d := destination{posting{Organisation: r.Organisation, Role: r.Role, Address: r.Address, Listed: true, Phone: r.Phone}, r.ID}
	role := x.m.defs.RecipientRole(r.Role)
	if role == nil {
		return d, &caseforms.Error{Kind: caseforms.Invalid, Msg: r.Organisation + " has a role in the directory that there is no longer: " + r.Role, Hint: "caseforms recipient add with another role"}
	}
	if err := role.May(x.m.doc.Form, x.m.doc.Copy, x.a, x.m.defs.Lang); err != nil && !x.s.Chase {
		return d, err
	}
	if r.Channel != channelEmail {
		return d, &caseforms.Error{Kind: caseforms.Invalid, Msg: r.Organisation + " is not reached by e-mail but by " + r.Channel, Hint: "caseforms send " + string(x.m.doc.Ref) + " --to " + r.ID + " --by " + r.Channel + ", when it was done"}
	}
	if role.Authority && x.doc.For != "" && r.Area != "" && !sameName(r.Area, x.doc.For) && strings.TrimSpace(x.s.Confirm) == "" && !x.s.Chase {
		return d, &caseforms.Error{Kind: caseforms.Forbidden, Msg: fmt.Sprintf("the document is made for %s, with its children, and %s serves %s (0.4 point 9)", x.doc.For, r.Organisation, r.Area),
			Hint: "make one for that authority with --for; or if it is to go there all the same, say why with --confirm"}
	}
	return d, x.before(ctx, role)
}

// before refuses to send to somebody who gets a document only after others (0.4 point 5), and warns while the person has not seen it.
func (x *sending) before(ctx context.Context, role *caseforms.RecipientRole) error {
	if len(role.After) == 0 || x.s.Chase {
		return nil
	}
	all, err := x.k.store.Recipients(ctx)
	if err != nil {
		return err
	}
	had := map[string]bool{}
	for i := range x.m.hands { // this issue must have left
		h := &x.m.hands[i]
		if h.Ref != x.m.doc.Ref || h.Version != x.v.Number {
			continue
		}
		c, err := x.k.handOffContent(ctx, h)
		if err != nil {
			return err
		}
		for _, r := range all {
			had[r.Role] = had[r.Role] || c.Office == r.ID
		}
		had[c.Role] = had[c.Role] || c.Role != "" && !h.Elsewhere
	}
	for _, first := range role.After {
		if !had[first] {
			label := x.m.defs.RecipientRole(first).Label.In(x.m.defs.Lang)
			return &caseforms.Error{Kind: caseforms.Conflict, Msg: "it goes to the " + strings.ToLower(label[:1]) + label[1:] + " first (002:272), and has not left for there yet", Hint: "caseforms send " + string(x.m.doc.Ref) + " --to " + first + ", and look what became of it: caseforms outbox"}
		}
	}
	for _, u := range x.m.runs {
		if d := x.m.defs.Duties.Rule(u.Rule); u.State == store.FollowUpOpen && d != nil && slices.Contains(d.Ends, "note:report_shared") {
			x.problems = append(x.problems, caseforms.Problem{Severity: caseforms.Warning, Key: "report_shared", Msg: "nobody has noted that the person has seen the report; it goes to them before the conference and before its members (002:272)",
				Hint: "caseforms note … --kind report_shared, or report_not_shared with the reason"})
			break
		}
	}
	return nil
}

// one makes what goes to one destination.
func (x *sending) one(ctx context.Context, d *destination) (*store.NewSend, *Outgoing, error) {
	m, s := x.m, x.s
	p := d.posting
	p.Again, p.Attach = strings.TrimSpace(s.Again), s.Attach
	if !p.Listed {
		p.Confirmed = strings.TrimSpace(s.Confirm)
	}
	n := &store.NewSend{Send: store.Send{Ref: m.doc.Ref, Version: x.v.Number, Case: m.c.ID, Form: m.doc.Form, Recipient: d.recipient, Office: x.k.officeOf(d.recipient, p.Address), By: x.a.ID, Urgent: x.urgent}}
	if s.Chase {
		n.Kind, p.HandOff = caseforms.MailChase, s.HandOff
	}
	times, follows, err := x.history(ctx, n, &p)
	if err != nil {
		return nil, nil, err
	}
	x.mismatch(&p)
	o, err := x.compose(ctx, n, &p, times, follows)
	if err != nil {
		return nil, nil, err
	}
	n.Entry = store.Entry{What: "sending asked for", Actor: x.a.ID, Case: n.Case, Ref: n.Ref, Version: n.Version, Detail: map[string]string{"to": p.Organisation, "address": p.Address, "recipient": d.recipient, "kind": n.Kind}}
	for key, v := range map[string]string{"held": n.Reason, "why": p.Again, "confirmed": p.Confirmed, "without": strings.TrimSpace(s.Without)} {
		if v != "" {
			n.Entry.Detail[key] = v
		}
	}
	return n, o, nil
}

// history looks at what went to the same address before: the same version does not go twice without a reason, a later one is a correction.
func (x *sending) history(ctx context.Context, n *store.NewSend, p *posting) (times int, follows []string, err error) {
	for i := range x.earlier {
		e := &x.earlier[i]
		before, err := x.k.posting(ctx, e)
		if err != nil {
			return 0, nil, err
		}
		if !strings.EqualFold(before.Address, p.Address) {
			continue
		}
		times++
		item, err := x.k.itemOf(ctx, e)
		if err != nil {
			return 0, nil, err
		}
		gone := e.State == store.SendQueued && item != nil && item.State != store.Dead
		if e.Version < n.Version && n.Kind != caseforms.MailChase && (e.State == store.SendHeld || gone && item.State == store.Ready) {
			if err := x.replace(e, before); err != nil {
				return 0, nil, err
			}
			continue
		}
		if gone && e.MessageID != "" {
			follows = append(follows, e.MessageID)
		}
		switch {
		case e.Kind == caseforms.MailChase, n.Kind == caseforms.MailChase:
		case e.State == store.SendHeld && e.Version == n.Version:
			return 0, nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "it is held for " + before.Organisation + " already: " + before.Why, Hint: "let it go with caseforms release " + string(n.Ref) + ", or hand it over"}
		case gone && e.Version == n.Version && e.Reported != string(mail.ActionFailed) && p.Again == "":
			return 0, nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: fmt.Sprintf("%s was sent to %s already, on %s; it %s", n.Ref, before.Organisation, longDate(e.Created), Standing[item.State]), Hint: "if it must go once more, say why with --again"}
		case gone && e.Version < n.Version:
			n.Kind = caseforms.MailCorrection
		}
	}
	return times, follows, nil
}

// replace withdraws what was to go to the same office as an earlier issue: the older one must not arrive after the newer.
func (x *sending) replace(e *store.Send, p *posting) error {
	old := store.NewSend{Send: *e}
	old.State, p.Why, p.Do, p.Attach = store.SendWithdrawn, fmt.Sprintf("issue %d goes in its place", x.v.Number), "", nil
	var err error
	if old.Content, err = json.Marshal(p); err != nil {
		return err
	}
	old.Entry = store.Entry{What: "send replaced by a later issue", Actor: x.a.ID, Case: e.Case, Ref: e.Ref, Version: e.Version, Detail: map[string]string{"to": p.Organisation}}
	x.replaced = append(x.replaced, old)
	return nil
}

// mismatch warns when the form names another address than the one it goes to.
func (x *sending) mismatch(p *posting) {
	x.doc.Answers(func(s *caseforms.DocSection, a *caseforms.Answer) {
		if a.Key == "to_email" && a.State == caseforms.Answered && !strings.EqualFold(a.Value, p.Address) {
			x.problems = append(x.problems, caseforms.Problem{Severity: caseforms.Warning, Key: a.Key, Label: a.Label, Section: s.Title, Msg: "is another address than the one it is sent to (" + p.Address + ", " + p.Organisation + ")",
				Hint: "look which of the two is right"})
		}
	})
}

// compose decides how it may go and makes the message, or holds it.
func (x *sending) compose(ctx context.Context, n *store.NewSend, p *posting, times int, follows []string) (*Outgoing, error) {
	k, m := x.k, x.m
	var sizes []int
	attach := slices.Clone(p.Attach)
	if n.Kind != caseforms.MailChase {
		for _, f := range x.files {
			if mail.Attachable(string(f.Format)) {
				sizes = append(sizes, len(f.Data))
			}
		}
		if len(sizes) == 0 {
			return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "it was issued in no format that can be sent", Hint: "issue it as pdf or xlsx"}
		}
	} else {
		attach = nil
	}
	for _, f := range attach {
		sizes = append(sizes, len(f.Data))
	}
	q, moved, err := k.question(ctx, p, n.Recipient, n.Urgent, mail.EncodedSize(sizes...))
	if err != nil {
		return nil, err
	}
	n.Item, n.Message, n.Token, n.MessageID, n.Reason, p.Why, p.Do = nil, "", "", "", "", "", ""
	d := decide(q, p.Released, mail.Decide)
	if moved != nil {
		d = mail.Decision{Held: moved}
	}
	if d.Held == nil && d.Allowed.Sealed && len(attach) > 0 {
		d = mail.Decision{Held: &mail.Held{Reason: mail.ByHand, Why: "only sealed files may go there, and what is attached to the document cannot be sealed here", Do: "hand it over and record that, or send it without what is attached"}}
	}
	if d.Held != nil {
		n.State, n.Reason, p.Why, p.Do = store.SendHeld, string(d.Held.Reason), d.Held.Why, d.Held.Do
		return x.told(n, p, nil, caseforms.Date{})
	}
	docs, password, err := x.documents(n, d.Allowed.Sealed)
	if err != nil {
		return nil, err
	}
	id, token, err := newMessage()
	if err != nil {
		return nil, err
	}
	ring := k.post.ring(m.c.Team)
	l := mail.Letter{
		ID: id, Token: token, Date: k.store.Now(), Route: *d.Allowed, Form: m.doc.Form, Kind: n.Kind, Ref: n.Ref, Issue: n.Version, Marking: x.doc.Marking, Lang: m.defs.Lang,
		To: p.Organisation, Contact: ring.Whom, Phone: ring.Number, Attachments: append(docs, attach...), Follows: follows,
	}
	if n.Kind == caseforms.MailChase {
		l.Sent = x.chased(p).Day
	} else if l.AnswerBy, err = x.answerBy(ctx, n.Office, p.Organisation); err != nil {
		return nil, err
	} else if l.AnswerBy.IsZero() {
		l.NoAnswer = true
	}
	msg, err := mail.Compose(m.defs, k.post.House, l, rand.Reader)
	if err != nil {
		return nil, err
	}
	payload, err := msg.MarshalBinary()
	if err != nil {
		return nil, err
	}
	n.State, n.Message, n.Token, n.MessageID = store.SendQueued, id, string(token), msg.MessageID
	n.Item = &store.NewItem{Kind: itemMail, Payload: payload, Urgent: n.Urgent, Dedupe: fmt.Sprintf("mail|%s|%d|%s|%s|%d", n.Ref, n.Version, n.Kind, n.Office, times)}
	p.AnswerBy = l.AnswerBy
	p.Password, p.Relay, p.Subject, p.Files, p.Size = password, d.Allowed.Relay, msg.Subject, msg.Files, len(msg.Raw)
	o, err := x.told(n, p, msg, l.AnswerBy)
	if err == nil {
		o.Means = d.Allowed.Channel
	}
	return o, err
}

// itemMail is the kind of an outbox item that is a message.
const itemMail = "mail"

// told seals what is known of a send, and tells it.
func (x *sending) told(n *store.NewSend, p *posting, msg *mail.Message, by caseforms.Date) (*Outgoing, error) {
	var err error
	if n.Content, err = json.Marshal(p); err != nil {
		return nil, err
	}
	o := outgoing(&n.Send, p, nil, nil, x.k.store.Now())
	o.AnswerBy = by
	if msg != nil {
		o.Text = mail.Read(msg.Raw).Text
	}
	return &o, nil
}

// documents are the files of the document as they go: as they were issued, or sealed with a password that is drawn now.
func (x *sending) documents(n *store.NewSend, sealed bool) (out []mail.Attachment, password string, err error) {
	if n.Kind == caseforms.MailChase {
		return nil, "", nil
	}
	if sealed {
		if password, err = newPassword(); err != nil {
			return nil, "", err
		}
	}
	for _, f := range x.files {
		if !mail.Attachable(string(f.Format)) {
			continue
		}
		data := f.Data
		if sealed {
			if f.Format != render.FormatPDF && f.Format != render.FormatWorkbook {
				continue
			}
			var b bytes.Buffer
			if _, err := render.Write(&b, x.doc, f.Format, render.Options{Profile: render.ProfileSecure, Password: password}); err != nil {
				return nil, "", err
			}
			data = b.Bytes()
		}
		if slices.ContainsFunc(out, func(a mail.Attachment) bool { return a.Ext == string(f.Format) }) {
			continue // the archived one goes before the one to be filled in
		}
		out = append(out, mail.Attachment{Ext: string(f.Format), Data: data})
	}
	if len(out) == 0 {
		return nil, "", &caseforms.Error{Kind: caseforms.Invalid, Msg: "it was issued in no format that can be sealed", Hint: "issue it as pdf or xlsx"}
	}
	return out, password, nil
}

// newPassword draws a password that can be told by telephone: fifteen letters and digits of which none is taken for another, some 74 bits.
func newPassword() (string, error) {
	const letters = "abcdefghjkmnpqrstuvwxyz23456789"
	var b strings.Builder
	for i := range 15 {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return "", err
		}
		if i > 0 && i%5 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(letters[n.Int64()])
	}
	return b.String(), nil
}

// answerBy is when an answer will be due if the document goes today; zero when none is asked for. An office that has it already is asked for the day that
// its clock says.
func (x *sending) answerBy(ctx context.Context, office, name string) (caseforms.Date, error) {
	joined, err := x.k.joins(ctx, x.m, &HandOver{Ref: x.m.doc.Ref, To: name, Office: office})
	if err != nil {
		return caseforms.Date{}, err
	}
	today := x.k.today()
	for _, u := range x.m.runs {
		if d := x.m.defs.Duties.Rule(u.Rule); joined != 0 && u.HandOff == joined && u.State == store.FollowUpOpen && d != nil && d.Chases && !u.Due.Before(today) {
			return u.Due, nil
		}
	}
	for _, r := range x.m.defs.Start(caseforms.Happening{Handed: x.m.doc.Form, On: today}, x.m.record, x.m.cal) {
		if r.Duty.Chases {
			return r.On, nil
		}
	}
	return caseforms.Date{}, nil
}

// refill prints an issued document again from what was kept, and reads its files. urgent tells whether it cannot wait.
func (k *Desk) refill(ctx context.Context, d *store.Document, v *store.Version) (doc *caseforms.Document, files []IssuedFile, urgent bool, err error) {
	changed := &caseforms.Error{Kind: caseforms.Conflict, Msg: "this program would print the document otherwise than it was issued, so it is not sent by it", Hint: "issue it again: caseforms record … --again " + string(d.Ref)}
	bundle, err := k.store.Bundle(ctx, v.Definition)
	if err != nil {
		return nil, nil, false, err
	}
	defs, form, err := k.bundles.form(v.Definition, bundle)
	if err != nil {
		return nil, nil, false, err
	}
	record, err := k.store.RecordOf(ctx, v)
	if err != nil {
		return nil, nil, false, err
	}
	if record, err = onlyForms(defs, record); err != nil {
		return nil, nil, false, err
	}
	c, _ := defs.Decode(record, form)
	if c == nil {
		return nil, nil, false, changed
	}
	addressee, err := k.addresseeOf(ctx, v)
	if err != nil {
		return nil, nil, false, err
	}
	doc, err = defs.Fill(form, c, caseforms.FillOptions{Today: caseforms.DateOf(caseforms.London(v.Issued)), For: addressee, Copy: d.Copy, Ref: string(d.Ref), Issue: v.Number})
	if err != nil {
		return nil, nil, false, err
	}
	var answers bytes.Buffer
	if err := render.JSON(&answers, doc); err != nil {
		return nil, nil, false, err
	}
	was, err := k.store.AnswersOf(ctx, v)
	if err != nil {
		return nil, nil, false, err
	}
	if !bytes.Equal(was, answers.Bytes()) {
		return nil, nil, false, changed
	}
	for i := range v.Files {
		f := &v.Files[i]
		data, err := k.store.FileData(ctx, f)
		if err != nil {
			return nil, nil, false, err
		}
		files = append(files, IssuedFile{Output: Output{render.Format(f.Format), render.Profile(f.Profile)}, Data: data})
	}
	return doc, files, defs.Urgent(form, c), nil
}

// onlyForms is a case record without what it has for forms that the definitions do not know: those that were kept are of one form.
func onlyForms(defs *caseforms.Definitions, record []byte) ([]byte, error) {
	var whole, forms map[string]json.RawMessage
	if err := json.Unmarshal(record, &whole); err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "a kept case record is not JSON"}
	}
	if json.Unmarshal(whole["forms"], &forms) != nil {
		return record, nil
	}
	for id := range forms {
		if _, err := defs.Form(id); err != nil {
			delete(forms, id)
		}
	}
	rest, err := json.Marshal(forms)
	if err != nil {
		return nil, err
	}
	whole["forms"] = rest
	return json.Marshal(whole)
}

// addresseeOf is which of several authorities, or agencies, a version was made for; "" when it is for none in particular.
func (k *Desk) addresseeOf(ctx context.Context, v *store.Version) (string, error) {
	r, err := k.store.Prove(ctx, v.Entry)
	return r.Detail["for"], err
}

// chasing settles which hand-off is chased, and to whom the chase goes.
func (k *Desk) chasing(ctx context.Context, m *matter, s *Send) error {
	h, err := k.handOff(ctx, s.Ref, s.HandOff)
	if err != nil {
		return err
	}
	if h.State != store.HandOffOpen && h.State != store.HandOffPart {
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "nothing is awaited of it any more", Hint: "caseforms show " + string(s.Ref) + " tells what was answered"}
	}
	s.HandOff = h.ID
	if len(s.To) > 0 {
		return nil
	}
	sends, err := k.store.Sends(ctx, s.Ref)
	if err != nil {
		return err
	}
	for i := range sends {
		if n := &sends[i]; n.HandOff == h.ID {
			p, err := k.posting(ctx, n)
			s.To = []string{cmp.Or(n.Recipient, p.Address)}
			return err
		}
	}
	c, err := k.handOffContent(ctx, h)
	if err != nil {
		return err
	}
	rs, err := k.store.Recipients(ctx)
	if err != nil {
		return err
	}
	var found []string
	for _, r := range rs {
		role := m.defs.RecipientRole(r.Role)
		may := role != nil && slices.Contains(role.Forms, m.doc.Form)
		if r.Active && r.Channel == channelEmail && (r.ID == c.Office || c.Office == "" && may && strings.EqualFold(r.Organisation, c.To)) {
			found = append(found, r.ID)
		}
	}
	switch len(found) {
	case 1:
		s.To = found
		return nil
	case 0:
		return &caseforms.Error{Kind: caseforms.NotFound, Msg: "it was handed over by " + h.Channel + ", and the directory has no e-mail address of that office", Hint: "name it with --to, or telephone and note it: caseforms note " + string(s.Ref) + " TEXT --kind chase"}
	}
	return &caseforms.Error{Kind: caseforms.Conflict, Msg: "several offices of the directory have that name", Hint: "name the one that is chased with --to: " + strings.Join(found, ", ")}
}

// chased is the hand-off that a chase is about.
func (x *sending) chased(p *posting) store.HandOff {
	if i := slices.IndexFunc(x.m.hands, func(h store.HandOff) bool { return h.ID == p.HandOff }); i >= 0 {
		return x.m.hands[i]
	}
	return store.HandOff{Day: x.k.today()}
}

// Release lets a held send go. Where policy allows it by now, whoever works on the case may; where policy says nothing, a manager decides by
// which means, with a reason; what policy forbids nobody lets go.
type Release struct {
	Ref   caseforms.Ref
	To    string       // of several that are held: to whom, as the directory has it
	Means mail.Channel // where there is no policy: tls, cjsm or password
	Why   string
}

// Release does it.
func (k *Desk) Release(ctx context.Context, a caseforms.Actor, r Release) (*Outgoing, error) {
	if err := k.noPost(); err != nil {
		return nil, err
	}
	m, err := k.matter(ctx, a, r.Ref, "release what is held of this document")
	if err != nil {
		return nil, err
	}
	n, p, err := k.heldOf(ctx, r.Ref, r.To)
	if err != nil {
		return nil, err
	}
	if n.Version != m.doc.Latest().Number {
		return nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: fmt.Sprintf("what is held is issue %d, and there is issue %d by now", n.Version, m.doc.Latest().Number), Hint: "withdraw it (caseforms outbox withdraw) and send the latest"}
	}
	x := &sending{k: k, a: a, m: m, v: m.doc.Latest(), s: &Send{Ref: r.Ref, Chase: n.Kind == caseforms.MailChase}}
	if err := x.load(ctx); err != nil {
		return nil, err
	}
	if n.Reason == store.ReasonRestored && strings.TrimSpace(r.Why) == "" {
		return nil, &caseforms.Error{Kind: caseforms.Held, Msg: "this store was restored from a backup: it may have been released and sent since", Hint: "ask the recipient whether they have it; if they have not, release it and say with --why how that is known"}
	}
	times := len(x.earlier)
	next := &store.NewSend{Send: *n}
	o, err := x.compose(ctx, next, p, times, nil)
	if err != nil {
		return nil, err
	}
	if next.State == store.SendHeld {
		reason := mail.Reason(next.Reason)
		if !releasable(reason) {
			return nil, &caseforms.Error{Kind: caseforms.Held, Msg: "it is still held: " + p.Why, Hint: p.Do}
		}
		if !a.Is(caseforms.RoleManager) {
			return nil, &caseforms.Error{Kind: caseforms.Held, Msg: "it is still held: " + p.Why, Hint: p.Do + "; or a manager lets it go, with a reason"}
		}
		if r.Why = strings.TrimSpace(r.Why); r.Why == "" {
			return nil, needsReason("letting go what policy does not allow")
		}
		policies, err := k.policies(ctx)
		if err != nil {
			return nil, err
		}
		there := mail.Channel("")
		if policy := mail.PolicyFor(policies, mail.Address(p.Address)); policy != nil {
			there = policy.Channel
		}
		if there != "" && r.Means != "" && r.Means != there && r.Means != mail.Password {
			return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the policy for this address says " + string(there), Hint: "it goes by that, or as a file sealed with a password; another policy is for an admin to set"}
		}
		if r.Means == "" {
			if r.Means = there; r.Means == "" {
				return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is no policy for this address, so somebody has to say how it goes", Hint: "--means tls (a relay that forces TLS), cjsm or password (a sealed file, the password by telephone)"}
			}
		}
		if !slices.Contains([]mail.Channel{mail.TLS, mail.CJSM, mail.Password}, r.Means) {
			return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is no such means to send by", Hint: "tls, cjsm or password"}
		}
		p.Released = &released{Means: r.Means, Why: r.Why, By: a.ID, On: k.today()}
		if !p.Listed && p.Confirmed == "" {
			p.Confirmed = r.Why
		}
		if o, err = x.compose(ctx, next, p, times, nil); err != nil {
			return nil, err
		}
		if next.State == store.SendHeld {
			return nil, &caseforms.Error{Kind: caseforms.Held, Msg: "it is still held: " + p.Why, Hint: p.Do}
		}
	}
	next.Entry = store.Entry{What: "held send released", Actor: a.ID, Case: n.Case, Ref: n.Ref, Version: n.Version, Detail: map[string]string{"held": n.Reason, "why": r.Why, "means": string(r.Means), "to": p.Organisation}}
	return o, again(k.store.ChangeSend(ctx, *next, store.Follow{}))
}

// Withdraw takes back what is held or has not been taken up yet: it does not go, and somebody has said why.
func (k *Desk) Withdraw(ctx context.Context, a caseforms.Actor, ref caseforms.Ref, to, why string) error {
	if why = strings.TrimSpace(why); why == "" {
		return needsReason("withdrawing what was to be sent")
	}
	return retried(func() error {
		m, err := k.matter(ctx, a, ref, "withdraw what was to be sent of this document")
		if err != nil {
			return err
		}
		n, p, err := k.stillHere(ctx, ref, to)
		if err != nil {
			return err
		}
		next := store.NewSend{Send: *n}
		next.State, p.Why, p.Do, p.Attach = store.SendWithdrawn, why, "", nil
		if next.Content, err = json.Marshal(p); err != nil {
			return err
		}
		next.Entry = store.Entry{What: "send withdrawn", Actor: a.ID, Case: n.Case, Ref: ref, Version: n.Version, Detail: map[string]string{"held": n.Reason, "why": why, "to": p.Organisation}}
		f := store.Follow{}
		k.reached(m, ref, n.Office, "withdrawn", k.today(), &f)
		return k.store.Withdraw(ctx, next, f)
	})
}

// stillHere finds the send that is meant among those that are held or have not been taken up.
func (k *Desk) stillHere(ctx context.Context, ref caseforms.Ref, to string) (*store.Send, *posting, error) {
	return k.sendOf(ctx, ref, to, "nothing of "+string(ref)+" is held or waits to be sent", func(n *store.Send) (bool, error) {
		it, err := k.itemOf(ctx, n)
		return n.State == store.SendHeld || n.State == store.SendQueued && it != nil && it.State == store.Ready, err
	})
}

// heldOf finds the held send that is meant.
func (k *Desk) heldOf(ctx context.Context, ref caseforms.Ref, to string) (*store.Send, *posting, error) {
	return k.sendOf(ctx, ref, to, "nothing of "+string(ref)+" is held", func(n *store.Send) (bool, error) { return n.State == store.SendHeld, nil })
}

// sendOf finds the one send of a document that is meant.
func (k *Desk) sendOf(ctx context.Context, ref caseforms.Ref, to, none string, which func(*store.Send) (bool, error)) (*store.Send, *posting, error) {
	sends, err := k.store.Sends(ctx, ref)
	if err != nil {
		return nil, nil, err
	}
	var found []*store.Send
	var ps []*posting
	var names []string
	for i := range sends {
		n := &sends[i]
		if ok, err := which(n); err != nil {
			return nil, nil, err
		} else if !ok {
			continue
		}
		p, err := k.posting(ctx, n)
		if err != nil {
			return nil, nil, err
		}
		if to == "" || to == SendName(n.ID) || n.Recipient == to || strings.EqualFold(p.Organisation, to) || strings.EqualFold(p.Address, to) || p.Role == to {
			found, ps, names = append(found, n), append(ps, p), append(names, p.Organisation+" <"+p.Address+">")
		}
	}
	switch len(found) {
	case 0:
		return nil, nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: none, Hint: "caseforms outbox lists what is there"}
	case 1:
		return found[0], ps[0], nil
	}
	return nil, nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "several are meant: " + strings.Join(names, ", "), Hint: "say which with --to, by its address"}
}

// holdItem holds what policy does not allow any more.
func (k *Desk) holdItem(ctx context.Context, it *store.Item, h *mail.Held) error {
	n, err := k.store.FindSend(ctx, store.ByItem, it.ID)
	if err != nil {
		return err
	}
	if n == nil || n.State != store.SendQueued {
		return k.failed(ctx, it, h.Why)
	}
	p, err := k.posting(ctx, n)
	if err != nil {
		return err
	}
	next := store.NewSend{Send: *n}
	next.State, next.Reason, next.Message, next.Token, next.MessageID, next.Send.Item = store.SendHeld, string(h.Reason), "", "", "", 0
	p.Why, p.Do, p.Released = h.Why, h.Do, nil
	if next.Content, err = json.Marshal(p); err != nil {
		return err
	}
	next.Entry = store.Entry{What: "held before sending", Actor: caseforms.Scheduler().ID, Case: n.Case, Ref: n.Ref, Version: n.Version, Detail: map[string]string{"held": next.Reason, "to": p.Organisation}}
	_, err = k.store.HoldSend(ctx, it, next)
	return err
}

// arrival is what it does to follow-ups that an item arrived: the document is handed over, or its agency chased; nil when it is no send.
func (k *Desk) arrival(ctx context.Context, it *store.Item) (*store.Follow, error) {
	n, err := k.store.FindSend(ctx, store.ByItem, it.ID)
	if err != nil || n == nil {
		return nil, err
	}
	p, err := k.posting(ctx, n)
	if err != nil {
		return nil, err
	}
	m, err := k.known(ctx, n.Ref)
	if err != nil {
		return nil, err
	}
	at := it.Left // also when it becomes known much later
	if at.IsZero() {
		at = it.Changed
	}
	f := &store.Follow{}
	day := caseforms.DateOf(caseforms.London(at))
	if n.Kind != caseforms.MailChase {
		v := m.doc.Latest()
		if i := n.Version - 1; i >= 0 && i < len(m.doc.Versions) {
			v = &m.doc.Versions[i]
		}
		*f, err = k.handing(ctx, m, &HandOver{Ref: n.Ref, Channel: ByEmail, To: p.Organisation, Office: n.Office, With: p.Address, At: at}, v, n.Urgent, toOffice, n.By, caseforms.Scheduler().ID)
		return f, err
	}
	note := &Note{Ref: n.Ref, Kind: noteChase}
	number := int64(0)
	for _, h := range m.hands {
		if h.Ref == n.Ref {
			if number++; h.ID == p.HandOff {
				note.HandOff = number
			}
		}
	}
	k.happened(m, caseforms.Happening{Noted: noteChase, On: day}, n.Ref, f)
	k.reached(m, n.Ref, n.Office, "chased", day, f)
	var e *caseforms.Error
	if err := k.special(ctx, caseforms.Scheduler(), m, note, day, f); err != nil && !errors.As(err, &e) { // it may have been answered meanwhile
		return nil, err
	}
	return f, nil
}

// itemOf is the outbox item of a send; nil when it has none.
func (k *Desk) itemOf(ctx context.Context, n *store.Send) (*store.Item, error) {
	if n.Item == 0 {
		return nil, nil
	}
	return k.store.Item(ctx, n.Item)
}

// outgoing puts a send into words.
func outgoing(n *store.Send, p *posting, it *store.Item, h *store.HandOff, now time.Time) Outgoing {
	o := Outgoing{Send: *n, Organisation: p.Organisation, Role: p.Role, Address: p.Address, Phone: p.Phone, Listed: p.Listed, Relay: p.Relay, Subject: p.Subject, Files: p.Files, Size: p.Size, Password: p.Password,
		At: n.Changed, Report: n.Reported}
	ring := "ask the recipient"
	if p.Phone != "" {
		ring += " on " + p.Phone
	}
	if n.Urgent {
		ring = strings.Replace(ring, "ask the recipient", "ring the recipient now", 1)
	}
	switch n.State {
	case store.SendHeld:
		o.Standing, o.Said, o.Do = HeldBack, p.Why, p.Do
		return o
	case store.SendWithdrawn:
		o.Standing, o.Said = Withdrawn, p.Why
		return o
	}
	o.Standing, o.Said = Queued, "waits to be sent"
	if it == nil {
		return o
	}
	o.At, o.Said, o.Attempts = it.Changed, cmp.Or(it.Said, Standing[it.State]), it.Attempt
	switch it.State {
	case store.Uncertain:
		o.Standing, o.Do = Doubtful, ring+" whether it arrived, then: caseforms outbox settle "+string(n.Ref)+" arrived or lost; it is not sent again by itself"
	case store.Dead:
		o.Standing, o.Do = Failed, ring+", and send it again or hand it over; record what was done"
	case store.Sent:
		o.Standing = Relayed
		if !n.Report.IsZero() {
			o.At = n.Report
		}
		switch {
		case h != nil && h.State == store.HandOffAnswered:
			o.Standing, o.At = Replied, h.At
		case n.Reported == string(mail.ActionFailed):
			o.Standing, o.Do = Failed, ring+": a server reported that it did not arrive. Send it again or hand it over; record what was done"
		case n.Reported == store.ReportedPerhaps:
			o.Standing, o.Do = Delayed, "a message may say that it did not arrive: read it (caseforms inbox), and if in doubt "+ring
		case n.Reported == string(mail.ActionDelayed):
			o.Standing, o.Do = Delayed, "a server goes on trying; if it is urgent, "+ring
		case n.Reported == string(mail.ActionDelivered):
			o.Standing = Arrived
		}
	default:
		if it.Attempt > 0 && it.Said != "" {
			o.Standing, o.Said = Delayed, it.Said+"; it is tried again at "+longTime(it.At)
			if n.Urgent {
				o.Do = ring + ", and do not wait for it"
			}
		} else if waits(n, now) {
			o.Standing, o.Said = Delayed, "it has waited since "+longTime(n.Created)+", and nothing has taken it up"
			o.Do = "see that caseforms outbox run is running"
			if n.Urgent {
				o.Do = ring + ", and do not wait for it; " + o.Do
			}
		}
	}
	return o
}

// outgoings are sends in words.
func (k *Desk) outgoings(ctx context.Context, sends []store.Send) (out []Outgoing, err error) {
	for i := range sends {
		n := &sends[i]
		p, err := k.posting(ctx, n)
		var gone *caseforms.Error
		if errors.As(err, &gone) && gone.Kind == caseforms.NotFound {
			continue // its document was erased
		}
		if err != nil {
			return nil, err
		}
		it, err := k.itemOf(ctx, n)
		if err != nil {
			return nil, err
		}
		var of *store.HandOff
		if n.HandOff != 0 {
			hs, err := k.store.HandOffs(ctx, n.Ref)
			if err != nil {
				return nil, err
			}
			if j := slices.IndexFunc(hs, func(h store.HandOff) bool { return h.ID == n.HandOff }); j >= 0 {
				of = root(hs, &hs[j])
			}
		}
		out = append(out, outgoing(n, p, it, of, k.store.Now()))
	}
	return out, nil
}

// Standings tells where sends stand by now that were asked for a moment ago.
func (k *Desk) Standings(ctx context.Context, of []Outgoing) ([]Outgoing, error) {
	var now []store.Send
	for _, o := range of {
		n, err := k.store.FindSend(ctx, "id", o.ID)
		if err != nil {
			return nil, err
		}
		if n != nil {
			now = append(now, *n)
		}
	}
	return k.outgoings(ctx, now)
}

func quoted(s string) string {
	if strings.ContainsAny(s, " \t@") {
		return "of this name"
	}
	return "“" + s + "”"
}
