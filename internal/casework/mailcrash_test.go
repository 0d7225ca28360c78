package casework

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/postoffice"
	"caseforms/internal/store"
	"caseforms/mail"
	"caseforms/render"
	"caseforms/templates"
)

// crashPost is the file that tells a worker where the post office is.
const crashPost = "post"

type postAt struct{ Relay, Mailbox, CA string }

// post is the configuration that leads to a post office in memory.
func (p postAt) post() (*Post, *mail.IMAP) {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(p.CA))
	login := func(context.Context) (mail.Login, error) { return mail.Login{User: "us", Password: "secret"}, nil }
	return &Post{
		House:  mail.House{Mailbox: "safeguarding@probation.example", Name: "Probation Service"},
		Relays: []mail.Relay{{Name: "main", Address: p.Relay, ServerName: "localhost", CAs: pool, Guarantees: mail.TLS, Login: login}},
		Ours:   mail.Ours{Mailboxes: []mail.Address{"safeguarding@probation.example"}, Relays: []string{"mx.probation.example"}},
		Ring:   Telephone{"the safeguarding desk", "01632 960100"},
	}, &mail.IMAP{Address: p.Mailbox, ImplicitTLS: true, ServerName: "localhost", CAs: pool, Login: login}
}

func memoryPost(t testing.TB) (*postoffice.Memory, postAt) {
	t.Helper()
	m, err := postoffice.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m, postAt{m.RelayAddress, m.MailboxAddress, string(m.CA)}
}

const crashMailbox = "safeguarding@probation.example INBOX"

// take takes in what is new in the mailbox.
func take(ctx context.Context, k *Desk, box *mail.IMAP) error {
	at, err := k.Place(ctx, crashMailbox)
	if err != nil {
		return err
	}
	return box.Take(ctx, mail.Place(at), func(x mail.Taken) error {
		_, err := k.Receive(ctx, Incoming{Mailbox: crashMailbox, Raw: x.Raw, Came: x.At, Place: store.Place(x.Place)})
		return err
	})
}

// mailWorker records, sends and takes in until it is killed.
func mailWorker(dir string) error {
	ctx := context.Background()
	b, err := os.ReadFile(filepath.Join(dir, crashPost))
	if err != nil {
		return err
	}
	var at postAt
	if err := json.Unmarshal(b, &at); err != nil {
		return err
	}
	s, err := store.Open(ctx, crashOptions(dir))
	if err != nil {
		return err
	}
	defer s.Close()
	acks, err := appendTo(dir, crashAcks)
	if err != nil {
		return err
	}
	simple, err := os.ReadFile("../../samples/cases/01-simple.json")
	if err != nil {
		return err
	}
	k := New(s, templates.Load)
	k.lease = crashLease
	post, box := at.post()
	k.Mail(post)
	c, err := k.Courier()
	if err != nil {
		return err
	}
	fmt.Println("ready")
	failed := make(chan error, 8)
	forever := func(do func() error) {
		go func() {
			for {
				if err := do(); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	for range 2 {
		forever(func() error { return mailOne(ctx, k, simple, acks) })
	}
	for range 2 {
		forever(func() error {
			n, err := k.Deliver(ctx, c, crashAtOnce)
			if n == 0 {
				time.Sleep(5 * time.Millisecond)
			}
			return err
		})
	}
	forever(func() error {
		time.Sleep(10 * time.Millisecond)
		return take(ctx, k, box)
	})
	return <-failed
}

// mailOne issues a referral of somebody new, and sends it in the same act or after. One of six goes where the connection breaks after
// it was taken.
func mailOne(ctx context.Context, k *Desk, simple []byte, acks lines) error {
	a, err := k.Actor(ctx, "crash", "Crash Test")
	if err != nil {
		return err
	}
	var c map[string]any
	if err := json.Unmarshal(simple, &c); err != nil {
		return err
	}
	person := c["person"].(map[string]any)
	for _, id := range []string{"crn", "prison_number", "pnc", "cro"} {
		delete(person, id)
	}
	person["family_name"] = "Sample" + strings.ToLower(rand.Text())
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	to := "desk@council.example"
	if mrand.N(6) == 0 {
		to = "break@council.example"
	}
	send := Send{To: []string{to}, Confirm: "a test", Without: "a test"}
	r := Record{Form: "cp1", Case: data, Unasked: true, Outputs: []Output{{Format: render.FormatText}}}
	together := mrand.N(2) == 0
	if together {
		r.Mail = &send
	}
	out, _, err := k.Record(ctx, a, r)
	if err != nil {
		return err
	}
	if !together {
		send.Ref = out.Ref
		if _, _, err := k.Send(ctx, a, send); err != nil {
			return err
		}
	}
	return acks.acknowledge(ack{Ref: out.Ref})
}

// TestMailCrash kills the program in the middle of sending and of taking in what comes back, again and again. Afterwards every document whose sending was
// acknowledged has left at most once, what the relay took is a hand-off or is not certain, and every message that came is there once.
// CASEFORMS_CRASH_ROUNDS says how often.
func TestMailCrash(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	if _, err := fmt.Sscan(os.Getenv("CASEFORMS_CRASH_ROUNDS"), &rounds); err != nil && os.Getenv("CASEFORMS_CRASH_ROUNDS") != "" {
		t.Fatal(err)
	}
	dir, ctx := t.TempDir(), context.Background()
	office, at := memoryPost(t)
	var came atomic.Int64
	var reports sync.Map // by envelope: what was reported of it
	office.Taken = func(p postoffice.Posted) {
		put := func(what, text string) {
			came.Add(1)
			reports.Store(p.Envelope, what)
			if err := office.Put([]byte(strings.ReplaceAll(text, "\n", "\r\n"))); err != nil {
				t.Error(err)
			}
		}
		report := func(action, status string) string {
			return fmt.Sprintf("Return-Path: <>\nFrom: MAILER-DAEMON@mx.council.example\nTo: %s\nSubject: Report\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"+
				"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.council.example\nOriginal-Envelope-Id: %s\n\nFinal-Recipient: rfc822; %s\nAction: %s\nStatus: %s\n\n--b--\n", p.From, p.Envelope, p.To, action, status)
		}
		switch mrand.N(5) {
		case 0, 1:
			put("delivered", report("delivered", "2.0.0"))
		case 2:
			put("failed", report("failed", "5.1.1"))
		case 3:
			in := mail.Read(p.Raw)
			put("reply", fmt.Sprintf("From: %s\nTo: %s\nSubject: Re: %s\nIn-Reply-To: <%s>\nMessage-ID: <%s@council.example>\n\nWe will look at it.\n", p.To, strings.Replace(p.From, "<", "", 1), in.Subject, in.MessageID, rand.Text()))
		}
	}
	b, err := json.Marshal(at)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, crashPost), b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.OpenOrCreate(ctx, crashOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	k := New(s, templates.Load)
	a, err := k.Actor(ctx, "crash", "Crash Test")
	if err == nil {
		err = k.SetPolicy(ctx, a, store.Policy{Pattern: "council.example", Means: "tls", Demonstrated: k.today(), How: "a test", Why: "a test"})
	}
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	kills := 0
	for round := 0; round < rounds || round < 50 && len(crashLines(t, dir, crashAcks)) < 8; round++ { // on a busy machine many are killed before they do anything
		var all sync.WaitGroup
		for range 1 + round%2 {
			all.Go(func() { killWorker(t, dir) })
			kills++
		}
		all.Wait()
		if t.Failed() {
			t.FailNow()
		}
	}

	s, err = store.Open(ctx, crashOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	k = New(s, templates.Load)
	k.lease = crashLease
	post, box := at.post()
	defer box.Close()
	k.Mail(post)
	c, err := k.Courier()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for end := time.Now().Add(30 * time.Second); ; { // those who were killed had leases
		if _, err := k.Deliver(ctx, c, 4); err != nil {
			t.Fatal(err)
		}
		left, err := s.Items(ctx, "", store.Ready, store.Leased, store.InFlight)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 || time.Now().After(end) {
			if len(left) > 0 {
				t.Errorf("%d are left, the first %s: %s", len(left), left[0].State, left[0].Said)
			}
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := take(ctx, k, box); err != nil {
		t.Fatal(err)
	}

	took := map[string]int{} // by envelope
	for _, p := range office.All() {
		took[p.Envelope]++
	}
	for id, n := range took {
		if n > 1 {
			t.Errorf("%s was sent %d times", id, n)
		}
	}
	states, received := map[store.State]int{}, 0
	acked := crashLines(t, dir, crashAcks)
	refs := map[caseforms.Ref]bool{}
	for _, line := range acked {
		var x ack
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		refs[x.Ref] = true
	}
	known := 0
	items, err := s.Items(ctx, "", store.Sent, store.Uncertain, store.Dead)
	if err != nil {
		t.Fatal(err)
	}
	for i := range items {
		refs[items[i].Ref] = true
	}
	for ref := range refs {
		sends, err := s.Sends(ctx, ref)
		if err != nil || len(sends) != 1 {
			t.Fatalf("%s has %d sends, %v", ref, len(sends), err)
		}
		n := &sends[0]
		it, err := k.itemOf(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		hands, err := s.HandOffs(ctx, ref)
		if err != nil {
			t.Fatal(err)
		}
		mails, err := s.ReceivedOf(ctx, ref)
		if err != nil {
			t.Fatal(err)
		}
		received += len(mails)
		known += took[n.Message]
		states[it.State]++
		said, _ := reports.Load(n.Message)
		switch it.State {
		case store.Sent:
			if took[n.Message] != 1 || len(hands) != 1 || n.HandOff != hands[0].ID {
				t.Errorf("%s: sent, taken %d times, %d hand-offs", ref, took[n.Message], len(hands))
			}
		case store.Uncertain:
			if said != nil || len(hands) != 0 {
				t.Errorf("%s: uncertain, and %v came of it; %d hand-offs", ref, said, len(hands))
			}
		case store.Dead: // nobody knew, and then a server said so
			if said != "failed" || len(hands) != 0 {
				t.Errorf("%s: failed, and %v came of it; %d hand-offs", ref, said, len(hands))
			}
		}
	}
	if known != len(took) {
		t.Errorf("%d were sent of which %d are known", len(took), known)
	}
	if want := int(came.Load()); received != want {
		t.Errorf("%d messages came and %d are there", want, received)
	}
	if states[store.Sent] == 0 || received == 0 {
		t.Errorf("nothing was tried: %v", states)
	}
	v, err := k.VerifyAll(ctx, caseforms.Actor{ID: "u", Roles: []caseforms.Role{caseforms.RoleAuditor}}, "")
	if err != nil || len(v.Problems) > 0 {
		t.Errorf("%v, %q", err, v.Problems)
	}
	t.Logf("%d kills: %d acknowledged, %v, %d messages came", kills, len(acked), states, received)
	slices.Sort(acked)
	for i := 1; i < len(acked); i++ {
		if acked[i] == acked[i-1] {
			t.Error("one was acknowledged twice")
		}
	}
}

// BenchmarkReceive takes in replies of 6 kB to a thousand sends: read, classified, matched by their address, sealed, recorded, with the follow-up
// of reading them.
func BenchmarkReceive(b *testing.B) {
	o := newOffice(b)
	_, at := memoryPost(b)
	post, _ := at.post()
	o.Mail(post)
	i := o.record("petra", Record{Form: "cp1", Case: sample(b, "01-simple"), Outputs: []Output{{Format: render.FormatText}}, Mail: &Send{To: []string{"desk@council.example"}, Without: "a test"}})
	n := store.NewSend{Send: store.Send{Ref: i.Ref, Version: 1, Case: i.Case, Form: "cp1", State: store.SendQueued, By: "u"}, Content: []byte(`{"address":"desk@council.example"}`), Entry: store.Entry{What: "x", Actor: "u", Case: i.Case, Ref: i.Ref}}
	var tokens []mail.Token
	for range 1000 {
		id, token, err := newMessage()
		o.must(err)
		n.Message, n.Token, n.MessageID, n.Item = id, string(token), id+"@probation.example", nil
		o.must(o.store.PutSends(o.ctx, []store.NewSend{n}, nil))
		tokens = append(tokens, token)
	}
	text := strings.Repeat("We have looked at your referral and will say more tomorrow.\r\n", 100)
	uid := uint32(0)
	for b.Loop() {
		uid++
		raw := fmt.Sprintf("From: desk@council.example\r\nTo: safeguarding+%s@probation.example\r\nSubject: Re: referral\r\nMessage-ID: <%d@council.example>\r\n\r\n%s", tokens[int(uid)%len(tokens)], uid, text)
		c, err := o.Receive(o.ctx, Incoming{Mailbox: "m", Raw: []byte(raw), Place: store.Place{Validity: 1, UID: uid}})
		if err != nil || c == nil || c.Ref != i.Ref {
			b.Fatal(c, err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
