package web

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/mail"
)

// staged are sends that somebody has put together and not confirmed yet. What is confirmed is exactly what was shown. They are lost when the program
// ends, and after a while; then nothing was sent.
type staged struct {
	mu sync.Mutex
	of map[string]stagedSend
}

type stagedSend struct {
	actor string
	send  casework.Send
	issue int // the one that was shown
	at    time.Time
	size  int
}

const (
	stagedFor  = 30 * time.Minute
	stagedMost = 256 << 20 // of all files together
)

func (g *staged) put(actor string, send casework.Send, issue int, now time.Time) string {
	var b [32]byte
	rand.Read(b[:])
	token := base64.RawURLEncoding.EncodeToString(b[:])
	n := stagedSend{actor, send, issue, now, 0}
	for _, f := range send.Attach {
		n.size += len(f.Data)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of == nil {
		g.of = map[string]stagedSend{}
	}
	all := n.size
	for k, x := range g.of {
		if now.Sub(x.at) > stagedFor {
			delete(g.of, k)
			continue
		}
		all += x.size
	}
	for all > stagedMost && len(g.of) > 0 { // the oldest goes
		oldest := ""
		for k, x := range g.of {
			if oldest == "" || x.at.Before(g.of[oldest].at) {
				oldest = k
			}
		}
		all -= g.of[oldest].size
		delete(g.of, oldest)
	}
	g.of[token] = n
	return token
}

// look is what somebody has put together; take also takes it away, so that it is done once.
func (g *staged) look(token, actor string, ref caseforms.Ref, issue int, now time.Time, take bool) (*casework.Send, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	x, ok := g.of[token]
	if !ok || x.actor != actor || x.send.Ref != ref || now.Sub(x.at) > stagedFor {
		return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "this was confirmed already, or it was put together too long ago", Hint: "the page of the document tells what was sent; if it was not, choose the recipients again"}
	}
	if x.issue != issue {
		return nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "there is a later issue by now, and nothing was sent", Hint: "look at it, and choose the recipients again"}
	}
	if take {
		delete(g.of, token)
	}
	return &x.send, nil
}

// back puts back what was taken and could not be done.
func (g *staged) back(token, actor string, send casework.Send, issue int, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, there := g.of[token]; !there {
		g.of[token] = stagedSend{actor, send, issue, now, 0}
	}
}

type sendData struct {
	Ref     caseforms.Ref
	Choices *casework.Choices
	Facts   Rows
	To      Choice
	Missing []string
	Signing string // what is to be said of its countersignature before it goes
	Attach  []casework.Attached
	Address Input
	Confirm Input
	Without Input
	Again   Input
}

// send is the page on which somebody chooses whom a document goes to, and what goes with it.
func (s *Service) send(w http.ResponseWriter, r *Request) error { return s.sendPage(w, r, nil) }

func (s *Service) sendPage(w http.ResponseWriter, r *Request, ps []FieldProblem) error {
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	c, err := r.Desk.Choices(r.Context(), r.Actor, ref)
	if err != nil {
		return err
	}
	sug, err := r.Desk.Suggest(r.Context(), r.Actor, ref)
	if err != nil {
		return err
	}
	d := sendData{Ref: ref, Choices: c, Missing: sug.Missing}
	d.Facts = Rows{{Key: "What", Value: fmt.Sprintf("%s, issue %d", c.Title, c.Latest)}, {Key: "Copy", Value: copyWords[sug.Copy]}}
	if sug.For != "" {
		d.Facts = append(d.Facts, Row{Key: "Made for", Value: sug.For})
	}
	if len(c.Unasked) > 0 {
		d.Facts = append(d.Facts, Row{Key: "By the rules it goes to", Value: strings.Join(c.Unasked, ", ")})
	}
	if d.Signing, err = s.signing(r, ref); err != nil {
		return err
	}
	if d.Attach, err = r.Desk.Attachments(r.Context(), r.Actor, ref); err != nil {
		return err
	}
	d.To, d.Address = s.whom(r, ps, c, sug)
	in := func(id, label, hint string) Input {
		return Input{ID: id, Label: label, Hint: hint, Value: r.Field(id), Problem: problemOf(ps, id), Autocomplete: "off", Spell: id != "address"}
	}
	d.Confirm = in("confirm", "How did you make sure that the address is right?", "Of an address that is not in the directory, or an office that serves another authority")
	d.Without = in("without", "If something that is ticked as attached does not go with it: why?", "")
	d.Again = in("again", "If they have it already and it must go once more: why?", "")
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	return s.page(w, r, "send", Page{Title: "Send " + string(ref), Whose: identityOf(&c.Whose), Status: code, Problems: ps, Form: true, Crumbs: documentCrumbs(ref), Data: d})
}

// choose puts a send together and shows it. Nothing leaves by it.
func (s *Service) choose(w http.ResponseWriter, r *Request) error {
	if err := s.multipart(r); err != nil {
		return err
	}
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	c, err := r.Desk.Choices(r.Context(), r.Actor, ref) // whoever may not see it is refused before anything is said
	if err != nil {
		return err
	}
	send := casework.Send{Ref: ref, Without: r.Field("without"), Again: r.Field("again"), Confirm: r.Field("confirm"), Dry: true}
	for _, id := range r.PostForm["to"] {
		if !slices.ContainsFunc(c.To, func(o casework.Office) bool { return o.ID == id }) {
			return s.sendPage(w, r, []FieldProblem{{"to", "Choose offices that are listed"}})
		}
		send.To = append(send.To, id)
	}
	if len(send.To) == 0 && r.Field("address") == "" {
		return s.sendPage(w, r, []FieldProblem{{"to", "Choose whom it goes to, or enter an address"}})
	}
	if a := r.Field("address"); a != "" {
		if _, err := mail.ParseAddress(a); err != nil {
			return s.sendPage(w, r, []FieldProblem{{"address", "Enter an e-mail address such as desk@council.example"}})
		}
		send.To = append(send.To, a)
	}
	ticked, err := r.Desk.Attachments(r.Context(), r.Actor, ref)
	if err != nil {
		return err
	}
	for _, t := range ticked {
		field := "file-" + t.Key
		data, ext, err := r.file(field)
		if err != nil {
			return err
		}
		if len(data) == 0 {
			continue
		}
		if ext == "jpeg" {
			ext = "jpg"
		}
		if !mail.Attachable(ext) {
			return s.sendPage(w, r, []FieldProblem{{field, "Choose a file of a kind that can be sent: pdf, docx, odt, xlsx, txt, csv, jpg or png"}})
		}
		if !mail.Fits(ext, data) {
			return s.sendPage(w, r, []FieldProblem{{field, "This file is not what its name says. Open it, save it again as what it is, and choose that"}})
		}
		send.Attach = append(send.Attach, mail.Attachment{Key: t.Key, Ext: ext, Data: data})
	}
	out, _, err := r.Desk.Send(r.Context(), r.Actor, send)
	var un *casework.Unattached
	if errors.As(err, &un) {
		var ps []FieldProblem
		for _, p := range un.Problems {
			ps = append(ps, FieldProblem{"without", p.Label + ": " + p.Msg + ". Attach it, or say why it does not go with it"})
		}
		return s.sendPage(w, r, ps)
	}
	if err != nil {
		field := "to"
		if ours := (*caseforms.Error)(nil); errors.As(err, &ours) && strings.Contains(ours.Hint, "--again") {
			field = "again"
		} else if ours != nil && strings.Contains(ours.Hint, "--confirm") {
			field = "confirm"
		}
		ps, err := toldBeside(err, field, caseforms.NotFound, caseforms.Forbidden)
		if err != nil {
			return err
		}
		return s.sendPage(w, r, ps)
	}
	return s.stage(w, r, send, out, c.Latest)
}

// stage keeps what was put together. The offices are those that a dry run found: they are not looked for again.
func (s *Service) stage(w http.ResponseWriter, r *Request, send casework.Send, found []casework.Outgoing, issue int) error {
	send.Dry, send.To = false, nil
	for i := range found {
		to := found[i].Recipient
		if to == "" {
			to = found[i].Address
		}
		send.To = append(send.To, to)
	}
	return seeOther(w, r, documentPath(send.Ref, "/send/"+s.staged.put(r.Actor.ID, send, issue, s.desk.Now())))
}

// chase puts the question what was decided together, for one hand-off.
func (s *Service) chase(w http.ResponseWriter, r *Request) error {
	c, err := s.choices(r)
	if err != nil {
		return err
	}
	send := casework.Send{Ref: c.Ref, Chase: true, HandOff: r.whole("hand_off"), Dry: true}
	out, _, err := r.Desk.Send(r.Context(), r.Actor, send)
	if err != nil {
		return err
	}
	return s.stage(w, r, send, out, c.Latest)
}

type previewData struct {
	Ref   caseforms.Ref
	Path  string
	Chase bool
	Warn  []caseforms.Problem
	Sends []previewed
	Held  bool // some of it would be held
	All   bool // all of it
}

type previewed struct {
	Rows Rows
	Text string
	Held bool
}

// preview shows exactly what would go where.
func (s *Service) preview(w http.ResponseWriter, r *Request) error {
	c, err := s.choices(r)
	if err != nil {
		return err
	}
	ref := c.Ref
	send, err := s.staged.look(r.Var("token"), r.Actor.ID, ref, c.Latest, s.desk.Now(), false)
	if err != nil {
		return err
	}
	send.Dry = true
	out, warn, err := r.Desk.Send(r.Context(), r.Actor, *send)
	if err != nil {
		return err
	}
	d := previewData{Ref: ref, Path: r.URL.Path, Warn: warn, Chase: send.Chase, All: true}
	for i := range out {
		o := &out[i]
		p := previewed{Text: o.Text, Held: o.Standing == casework.HeldBack}
		d.Held, d.All = d.Held || p.Held, d.All && p.Held
		to := Cell{Text: o.Organisation, Sub: o.Address}
		if !o.Listed {
			to.Sub += ", not in the directory"
		}
		p.Rows = Rows{{Key: "To", Value: to}}
		if p.Held {
			p.Rows = append(p.Rows, Row{Key: "It would be held", Value: TagCell("Held", "yellow")}, Row{Key: "Because", Value: forPages(o.Said)}, Row{Key: "What to do", Value: forPages(o.Do)})
		} else {
			p.Rows = append(p.Rows, Row{Key: "What policy says", Value: mayGo(o.Means)}, Row{Key: "Subject", Value: o.Subject}, Row{Key: "Files", Value: strings.Join(o.Files, ", ")}, Row{Key: "By", Value: fmt.Sprintf("relay %s, %d kB", o.Relay, (o.Size+1023)>>10)})
			if o.Password != "" {
				p.Rows = append(p.Rows, Row{Key: "Sealed", Value: "with a password, which you see after sending and tell them by telephone"})
			}
			if !o.AnswerBy.IsZero() {
				p.Rows = append(p.Rows, Row{Key: "Answer by", Value: o.AnswerBy.Long()})
			}
		}
		d.Sends = append(d.Sends, p)
	}
	return s.page(w, r, "preview", Page{Title: "Check what goes where", Whose: identityOf(&c.Whose), Crumbs: documentCrumbs(ref), Form: true, Data: d})
}

// sendNow puts what was shown into the outbox.
func (s *Service) sendNow(w http.ResponseWriter, r *Request) error {
	c, err := s.choices(r)
	if err != nil {
		return err
	}
	ref := c.Ref
	send, err := s.staged.look(r.Var("token"), r.Actor.ID, ref, c.Latest, s.desk.Now(), true)
	if err != nil {
		return err
	}
	out, warn, err := r.Desk.Send(r.Context(), r.Actor, *send)
	if err != nil {
		s.staged.back(r.Var("token"), r.Actor.ID, *send, c.Latest, s.desk.Now())
		return err
	}
	for _, o := range out {
		if o.Standing == casework.HeldBack {
			s.notify(r, Notice{Text: "To " + o.Organisation + " it is held and was not sent: " + forPages(o.Said) + ". " + forPages(o.Do) + "."})
		} else {
			s.notify(r, Notice{Good: true, Text: "To " + o.Organisation + " it is in the outbox and goes in a moment."})
		}
	}
	for _, p := range warn {
		s.notify(r, Notice{Text: p.String()})
	}
	return seeOther(w, r, documentPath(ref, ""))
}

type oneSendData struct {
	Ref                       caseforms.Ref
	Path                      string
	Rows                      Rows
	Held, Withdrawable, Doubt bool
	Manager                   bool
	Means                     Choice
	Why                       Input
}

// oneOf is the send in the address, of the document in the address.
func (s *Service) oneOf(r *Request) (*casework.Timeline, *casework.Outgoing, error) {
	ref, err := r.Ref()
	if err != nil {
		return nil, nil, err
	}
	t, err := r.Desk.Overview(r.Context(), r.Actor, ref)
	if err != nil {
		return nil, nil, err
	}
	id := r.number("send")
	for i := range t.Sends {
		if t.Sends[i].ID == id {
			return t, &t.Sends[i], nil
		}
	}
	return nil, nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no such send of this document", Hint: "the page of the document lists them"}
}

func (s *Service) oneSend(w http.ResponseWriter, r *Request) error { return s.oneSendPage(w, r, nil) }

func (s *Service) oneSendPage(w http.ResponseWriter, r *Request, ps []FieldProblem) error {
	t, o, err := s.oneOf(r)
	if err != nil {
		return err
	}
	d := oneSendData{Ref: t.Ref, Path: documentPath(t.Ref, fmt.Sprintf("/sends/%d", o.ID)), Manager: r.Actor.Is(caseforms.RoleManager),
		Held: o.Standing == casework.HeldBack, Doubt: o.Standing == casework.Doubtful, Withdrawable: o.State == store.SendHeld || o.Standing == casework.Queued || o.Standing == casework.Delayed && o.Report == ""}
	to := Cell{Text: o.Organisation, Sub: o.Address}
	d.Rows = Rows{{Key: "To", Value: to}, {Key: "What", Value: sentence(sendKind(o))}, {Key: "How it stands", Value: standingCell(o)}}
	for _, x := range []struct{ key, value string }{
		{"What was said", forPages(o.Said)}, {"A server reported", o.Report}, {"Answer", responseTo(t, o)}, {"What to do", forPages(o.Do)}, {"Telephone", o.Phone}, {"Subject", o.Subject}, {"Files", strings.Join(o.Files, ", ")},
		{"Relay", o.Relay}, {"Password, to be told by telephone", o.Password}, {"Attempts", strconv.Itoa(o.Attempts)},
	} {
		if x.value != "" && x.value != "0" {
			d.Rows = append(d.Rows, Row{Key: x.key, Value: x.value})
		}
	}
	d.Means = Choice{ID: "means", Legend: "By which means, if there is no policy?", Problem: problemOf(ps, "means"), Options: []Option{
		{Value: "tls", Label: "TLS", Hint: "by a relay that passes mail on over verified TLS or not at all"},
		{Value: "cjsm", Label: "CJSM"},
		{Value: "password", Label: "A sealed file", Hint: "the password is told by telephone"},
	}}
	for i, m := range d.Means.Options {
		d.Means.Options[i].Chosen = m.Value == r.Field("means")
	}
	d.Why = Input{ID: "why", Label: "Why?", Value: r.Field("why"), Problem: problemOf(ps, "why"), Spell: true, Autocomplete: "off"}
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	return s.page(w, r, "one-send", Page{Title: fmt.Sprintf("Send %d of %s", o.ID, t.Ref), Whose: identityOf(&t.Whose), Status: code, Problems: ps, Form: true, Crumbs: documentCrumbs(t.Ref), Data: d})
}

// acted tells what came of an act on one send.
func (s *Service) acted(w http.ResponseWriter, r *Request, t *casework.Timeline, err error, done string) error {
	if err != nil {
		ps, err := toldBeside(err, "why")
		if err != nil {
			return err
		}
		return s.oneSendPage(w, r, ps)
	}
	s.notify(r, Notice{Good: true, Text: done})
	return seeOther(w, r, documentPath(t.Ref, ""))
}

func (s *Service) release(w http.ResponseWriter, r *Request) error {
	t, o, err := s.oneOf(r)
	if err != nil {
		return err
	}
	_, err = r.Desk.Release(r.Context(), r.Actor, casework.Release{Ref: t.Ref, To: casework.SendName(o.ID), Means: mail.Channel(r.Field("means")), Why: r.Field("why")})
	return s.acted(w, r, t, err, "It was let go, and goes in a moment.")
}

func (s *Service) withdraw(w http.ResponseWriter, r *Request) error {
	t, o, err := s.oneOf(r)
	if err != nil {
		return err
	}
	why := r.Field("why")
	if why == "" {
		why = r.Field("why-withdraw")
	}
	return s.acted(w, r, t, r.Desk.Withdraw(r.Context(), r.Actor, t.Ref, casework.SendName(o.ID), why), "It was withdrawn: it is not sent.")
}

func (s *Service) settle(w http.ResponseWriter, r *Request) error {
	t, o, err := s.oneOf(r)
	if err != nil {
		return err
	}
	what := r.Field("arrived")
	if what != "yes" && what != "no" {
		return s.oneSendPage(w, r, []FieldProblem{{"why", "Say whether it arrived"}})
	}
	if o.Item == 0 {
		return s.oneSendPage(w, r, []FieldProblem{{"why", "It is not uncertain whether this arrived"}})
	}
	return s.acted(w, r, t, r.Desk.Settle(r.Context(), r.Actor, o.Item, what == "yes", casework.ByPerson, r.Field("why")), "It was recorded what became of it.")
}
