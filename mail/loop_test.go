package mail_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"mime/quotedprintable"
	netmail "net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/postoffice"
	"caseforms/mail"
	"caseforms/templates"
)

// TestLoop sends by a real relay and reads what comes back from a real mailbox. Each of its tests has a post office of its own.
func TestLoop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *loop){
		"STARTTLS, byte for byte": func(t *testing.T, l *loop) { l.arrivesAsItWas(t) },
		"implicit TLS, byte for byte": func(t *testing.T, l *loop) {
			l.relays[0].Address, l.relays[0].ImplicitTLS = l.office.SubmissionTLS, true
			l.arrivesAsItWas(t)
		},
		"relay's report":                        relaysReport,
		"reply to Reply-To":                     replyToReplyTo,
		"reply to the plain address":            replyToPlainAddress,
		"new mail with the reference":           newMail,
		"reply above HTML, as Outlook writes":   replyInHTML,
		"forwarded, a colleague answers below":  forwarded,
		"forged reply":                          forged,
		"large reply":                           largeReply,
		"bounce":                                bounce,
		"bounce to the plain sender":            plainSender,
		"delay: come again":                     func(t *testing.T, l *loop) { l.delay(t, postoffice.Delayed, "4.3.0") },
		"delay: nobody there":                   func(t *testing.T, l *loop) { l.delay(t, postoffice.Down, "4.4.1") },
		"TLS refused by the next hop":           func(t *testing.T, l *loop) { l.delay(t, postoffice.NoTLS, "4.7.4") },
		"out of office":                         outOfOffice,
		"wrong certificate of the relay":        wrongCertificate,
		"wrong password":                        wrongPassword,
		"relay down, then up":                   relayDown,
		"the same mail twice":                   twice,
		"mailbox made anew":                     madeAnew,
		"read by others meanwhile":              untouched,
		"news are told of":                      news,
		"relay knows nobody of that name there": unknown,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newLoop(t))
		})
	}
}

var loopDefinitions = sync.OnceValue(func() *caseforms.Definitions {
	d, err := templates.Load("")
	if err != nil {
		panic(err)
	}
	return d
})

// loop is our side of it.
type loop struct {
	office  *postoffice.Office
	relays  []mail.Relay
	courier *mail.Courier
	inbox   *mail.IMAP
	ours    mail.Ours

	sends []send
	place mail.Place
	known map[[32]byte]bool // what was taken, by its bytes
	taken []got
	again int // how many came that were known
}

type send struct {
	mail.Known
	token     mail.Token
	messageID string
}

// got is a message that was taken in.
type got struct {
	*mail.Incoming
	mail.Match
	raw []byte
}

func signIn(user string) mail.LoginFunc {
	return func(context.Context) (mail.Login, error) {
		return mail.Login{User: user, Password: postoffice.Password}, nil
	}
}

func newLoop(t *testing.T) *loop {
	o := postoffice.Open(t)
	l := &loop{office: o, known: map[[32]byte]bool{}, ours: mail.Ours{Mailboxes: []mail.Address{postoffice.Ours}, Relays: []string{postoffice.Name}}}
	l.relays = []mail.Relay{{Name: "relay", Address: o.Submission, ServerName: postoffice.Name, CAs: o.CAs, Guarantees: mail.TLS, Login: signIn(postoffice.Ours)}}
	l.courier = &mail.Courier{Hello: "app.probation.example", LoopbackOnly: true, Recheck: func(_ context.Context, m *mail.Message) (mail.Decision, error) {
		return mail.Recheck(m.Route, l.question(m.Route.To)), nil
	}}
	t.Cleanup(func() { l.courier.Close() })
	l.inbox = &mail.IMAP{Address: o.IMAP, ServerName: postoffice.Name, CAs: o.CAs, Login: signIn(postoffice.Ours), LoopbackOnly: true}
	t.Cleanup(func() { l.inbox.Close() })
	return l
}

var today = caseforms.DateOf(time.Now())

// question is what policy is asked: there is one for each domain of the post office.
func (l *loop) question(to mail.Address) mail.Question {
	shown := mail.Demonstration{How: "TLS test", On: today}
	return mail.Question{To: mail.Recipient{Listed: true, Address: to}, Policies: []mail.Policy{{For: to.Domain(), Channel: mail.TLS, Demonstrated: shown}}, Relays: l.relays, Today: today}
}

func (l *loop) compose(t testing.TB, to string) *mail.Message {
	t.Helper()
	d := mail.Decide(l.question(mail.Address(to)))
	if d.Held != nil {
		t.Fatal(d.Held)
	}
	token, err := mail.NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := caseforms.NewRef(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m, err := mail.Compose(loopDefinitions(), mail.House{Mailbox: postoffice.Ours, Name: "Probation Service, safeguarding"}, mail.Letter{
		ID: fmt.Sprintf("send-%d", len(l.sends)+1), Token: token, Date: time.Now(), Route: *d.Allowed, Form: "cp1", Ref: ref, Marking: "OFFICIAL-SENSITIVE",
		To: "MASH, Northtown Council", Contact: "the safeguarding team", Phone: "01632 960 001",
		Attachments: []mail.Attachment{{Ext: "pdf", Data: append([]byte("%PDF-1.7\n"), bytes.Repeat([]byte("a form with every byte \x00\xff\r\n.\r\n"), 3000)...)}},
	}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l.sends = append(l.sends, send{mail.Known{ID: m.ID, Ref: ref, To: m.Route.To}, token, m.MessageID})
	return m
}

func (l *loop) carry(t testing.TB, m *mail.Message) (left bool, err error) {
	t.Helper()
	l.courier.Relays = l.relays
	del, err := l.courier.Carry(t.Context(), m, func() error { left = true; return nil })
	if err == nil && (!left || !del.Reports || !strings.HasPrefix(del.TLS, "TLS 1.") || !strings.Contains(del.Said, "queued as")) {
		t.Errorf("the delivery was %+v", del)
	}
	return left, err
}

// send sends a referral, and gives it.
func (l *loop) send(t testing.TB, to string) *mail.Message {
	t.Helper()
	m := l.compose(t, to)
	if _, err := l.carry(t, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func (l *loop) find(is func(send) bool) (*mail.Known, error) {
	if i := slices.IndexFunc(l.sends, is); i >= 0 {
		k := l.sends[i].Known
		return &k, nil
	}
	return nil, nil
}

func (l *loop) ByToken(_ context.Context, t mail.Token) (*mail.Known, error) {
	return l.find(func(s send) bool { return s.token == t })
}

func (l *loop) ByID(_ context.Context, id string) (*mail.Known, error) {
	return l.find(func(s send) bool { return strings.EqualFold(s.ID, id) })
}

func (l *loop) ByMessageID(_ context.Context, id string) (*mail.Known, error) {
	return l.find(func(s send) bool { return s.messageID == id })
}

func (l *loop) HasRef(_ context.Context, ref caseforms.Ref) (bool, error) {
	return slices.ContainsFunc(l.sends, func(s send) bool { return s.Ref == ref }), nil
}

// take takes in what there is.
func (l *loop) take(t testing.TB) {
	t.Helper()
	if err := l.takeIn(t); err != nil {
		t.Fatal(err)
	}
}

// takeIn takes in what there is, as the program does: what is known by its bytes is not looked at again.
func (l *loop) takeIn(t testing.TB) error {
	t.Helper()
	return l.inbox.Take(t.Context(), l.place, func(x mail.Taken) error {
		if x.Cut || time.Since(x.At) > time.Hour || time.Since(x.At) < -time.Minute {
			t.Errorf("message %d came at %v, cut %v", x.UID, x.At, x.Cut)
		}
		l.place = x.Place
		sum := sha256.Sum256(x.Raw)
		if l.known[sum] {
			l.again++
			return nil
		}
		l.known[sum] = true
		in := mail.Read(x.Raw)
		m, err := l.ours.Match(t.Context(), in, l)
		if err != nil {
			return err
		}
		l.taken = append(l.taken, got{in, m, x.Raw})
		return nil
	})
}

// wait takes in until a message of a class comes, reports of success left out, and takes it off what was taken.
func (l *loop) wait(t testing.TB, c mail.Class) got {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		l.take(t)
		for i, g := range l.taken {
			if g.Class == c && (g.Report == nil || g.Report.Action != mail.ActionRelayed) {
				l.taken = slices.Delete(l.taken, i, i+1)
				return g
			}
		}
		if err := l.inbox.Wait(t.Context(), 2*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range l.taken {
		t.Logf("taken: %s, %s, %q", g.Class, g.Why, g.Subject)
	}
	t.Fatalf("no %s came", c)
	return got{}
}

// arrived are the messages in somebody else's mailbox, as a mail program reads them.
func (l *loop) arrived(t testing.TB, address string, n int) [][]byte {
	t.Helper()
	l.office.Arrived(t, address, n)
	b := &mail.IMAP{Address: l.office.IMAPS, ImplicitTLS: true, ServerName: postoffice.Name, CAs: l.office.CAs, Login: signIn(address), LoopbackOnly: true}
	defer b.Close()
	var out [][]byte
	if err := b.Take(t.Context(), mail.Place{}, func(x mail.Taken) error { out = append(out, x.Raw); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(out) != n {
		t.Fatalf("to %s came %d messages, want %d", address, len(out), n)
	}
	return out
}

// untraced takes off what servers put on top of a message on its way.
func untraced(raw []byte) []byte {
	for {
		line, rest, _ := bytes.Cut(raw, []byte("\r\n"))
		name, _, _ := bytes.Cut(line, []byte(":"))
		switch string(name) {
		case "Return-Path", "Delivered-To", "Received", "Authentication-Results":
		default:
			return raw
		}
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
			_, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		}
		raw = rest
	}
}

func (l *loop) arrivesAsItWas(t *testing.T) {
	first := l.send(t, postoffice.Council)
	second := l.send(t, postoffice.Council) // on the connection that was kept
	all := l.arrived(t, postoffice.Council, 2)
	slices.SortFunc(all, func(a, b []byte) int { return bytes.Compare(untraced(a), untraced(b)) })
	want := [][]byte{first.Raw, second.Raw}
	slices.SortFunc(want, bytes.Compare)
	for i, raw := range all {
		if !bytes.Equal(untraced(raw), want[i]) {
			t.Errorf("what was sent:\n%.2000s\n\nwhat arrived:\n%.2000s", want[i], raw)
		}
	}
}

// matched says how a message is to be matched.
func matched(t *testing.T, g got, m *mail.Message, by mail.Key, sure mail.Sure) {
	t.Helper()
	if g.Send == nil || g.Send.ID != m.ID || g.By != by || g.Sure != sure || g.Loop != "" {
		t.Errorf("it was matched by %q, %q, loop %q with %+v; want %s by %q\n%.3000s", g.By, g.Sure, g.Loop, g.Send, m.ID, by, g.raw)
	}
}

func relaysReport(t *testing.T, l *loop) {
	l.send(t, postoffice.Council)
	m := l.send(t, postoffice.Council)
	for end := time.Now().Add(30 * time.Second); ; {
		l.take(t)
		if i := slices.IndexFunc(l.taken, func(g got) bool { return g.Send != nil && g.Send.ID == m.ID }); i >= 0 {
			g := l.taken[i]
			matched(t, g, m, mail.KeyToken, mail.Certain)
			if g.Class != mail.DeliveryReport || g.Report.Action != mail.ActionRelayed || !g.Report.Machine || g.Report.EnvelopeID != m.ID || g.Verified {
				t.Errorf("it is %s: %+v", g.Class, g.Report)
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("no report came")
		}
		if err := l.inbox.Wait(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
	}
}

// received is a referral as the council has it.
type received struct {
	raw                                    []byte
	from, replyTo, messageID, subject, ref string
}

func (l *loop) received(t *testing.T, m *mail.Message) received {
	t.Helper()
	raw := l.arrived(t, postoffice.Council, 1)[0]
	msg, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	to, err := netmail.ParseAddress(msg.Header.Get("Reply-To"))
	if err != nil {
		t.Fatal(err)
	}
	from, err := netmail.ParseAddress(msg.Header.Get("From"))
	if err != nil {
		t.Fatal(err)
	}
	return received{raw, from.Address, to.Address, msg.Header.Get("Message-Id"), msg.Header.Get("Subject"), string(l.sends[0].Ref)}
}

func reply(fields, body string) []byte {
	return []byte(strings.ReplaceAll("Date: "+time.Now().Format(time.RFC1123Z)+"\nMIME-Version: 1.0\n"+fields+"\n\n"+body, "\n", "\r\n"))
}

func replyToReplyTo(t *testing.T, l *loop) {
	m := l.send(t, postoffice.Council)
	r := l.received(t, m)
	l.office.Inject(t, postoffice.Council, r.replyTo, reply("From: MASH <"+postoffice.Council+">\nTo: "+r.replyTo+"\nSubject: RE: "+r.subject+"\nMessage-ID: <1@council.example>\nIn-Reply-To: "+r.messageID+"\nReferences: "+r.messageID,
		"We accept the referral.\n"))
	g := l.wait(t, mail.HumanReply)
	matched(t, g, m, mail.KeyToken, mail.Certain)
	if !g.Verified || len(g.Doubts) > 0 || len(g.Also) > 0 || strings.TrimSpace(g.Text) != "We accept the referral." {
		t.Errorf("verified %v, doubts %q, text %q", g.Verified, g.Doubts, g.Text)
	}
}

func replyToPlainAddress(t *testing.T, l *loop) {
	m := l.send(t, postoffice.Council)
	r := l.received(t, m)
	l.office.Inject(t, postoffice.Council, r.from, reply("From: "+postoffice.Council+"\nTo: "+r.from+"\nSubject: Re: your letter\nMessage-ID: <1@council.example>\nIn-Reply-To: "+r.messageID, "We accept.\n"))
	g := l.wait(t, mail.HumanReply)
	matched(t, g, m, mail.KeyReplyTo, mail.Likely)
	if !g.Verified || len(g.Doubts) > 0 {
		t.Errorf("verified %v, doubts %q", g.Verified, g.Doubts)
	}
}

func newMail(t *testing.T, l *loop) {
	m := l.send(t, postoffice.Council)
	r := l.received(t, m)
	l.office.Inject(t, postoffice.Council, r.from, reply("From: "+postoffice.Council+"\nTo: "+r.from+"\nSubject: your ref "+strings.ToLower(r.ref)+"\nMessage-ID: <1@council.example>", "We accept.\n"))
	g := l.wait(t, mail.HumanReply)
	if g.Send != nil || g.Sure != mail.Suggested || g.Verified || len(g.Refs) != 1 || string(g.Refs[0]) != r.ref {
		t.Errorf("it was matched with %+v, %q, %v", g.Send, g.Sure, g.Refs)
	}
}

func replyInHTML(t *testing.T, l *loop) {
	m := l.send(t, postoffice.Council)
	r := l.received(t, m)
	html := `<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"><style>p.MsoNormal {margin:0cm;}</style></head>
<body lang="EN-GB"><div class="WordSection1"><p class="MsoNormal">Good morning,<o:p></o:p></p><p class="MsoNormal">We will hold a strategy discussion on Thursday.<o:p></o:p></p></div>
<div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal"><b>From:</b> Probation Service, safeguarding &lt;` + r.from + `&gt;<br><b>Sent:</b> 01 December 2026 09:30<br><b>To:</b> MASH<br><b>Subject:</b> ` + r.subject + `<o:p></o:p></p></div></div>
<p class="MsoNormal">The Probation Service refers children to your service. Our reference is ` + r.ref + `.</p></body></html>`
	var qp bytes.Buffer
	w := quotedprintable.NewWriter(&qp)
	w.Write([]byte(html))
	w.Close()
	l.office.Inject(t, postoffice.Council, r.replyTo, reply("From: \"MASH (Northtown)\" <"+postoffice.Council+">\nTo: \"Probation Service, safeguarding\"\n\t<"+r.replyTo+">\nSubject: RE: "+r.subject+
		"\nThread-Topic: x\nThread-Index: AQHbQ1\nMessage-ID: <1@council.example>\nReferences: "+r.messageID+"\nIn-Reply-To: "+r.messageID+"\nX-MS-Has-Attach:\nContent-Type: text/html; charset=\"utf-8\"\nContent-Transfer-Encoding: quoted-printable",
		strings.ReplaceAll(qp.String(), "\r\n", "\n")))
	g := l.wait(t, mail.HumanReply)
	matched(t, g, m, mail.KeyToken, mail.Certain)
	if !g.Verified || !strings.Contains(g.Text, "strategy discussion on Thursday") || strings.Contains(g.Text, "refers children") || !strings.Contains(g.History, "refers children") || !g.HTML {
		t.Errorf("verified %v, doubts %q, text %q, history %q", g.Verified, g.Doubts, g.Text, g.History)
	}
}

func forwarded(t *testing.T, l *loop) {
	m := l.send(t, postoffice.Council)
	r := l.received(t, m)
	l.office.Inject(t, postoffice.Colleague, r.replyTo, reply("From: Team <"+postoffice.Colleague+">\nTo: "+r.replyTo+"\nCc: "+postoffice.Council+"\nSubject: Re: Fwd: "+r.subject+"\nMessage-ID: <9@county.example>\nIn-Reply-To: <8@council.example>\nReferences: "+r.messageID+" <8@council.example>",
		"On Tue, 1 Dec 2026 at 10:00, MASH <"+postoffice.Council+"> wrote:\n> For you, I think.\n>\n> > The Probation Service refers children to your service.\n> > Our reference is "+r.ref+".\n\nWe have closed the case in March.\n"))
	g := l.wait(t, mail.HumanReply)
	matched(t, g, m, mail.KeyToken, mail.Certain)
	if g.Verified || !slices.Contains(g.Doubts, "it comes from another domain than it was sent to") || !strings.Contains(g.Text, "closed the case in March") {
		t.Errorf("verified %v, doubts %q, text %q", g.Verified, g.Doubts, g.Text)
	}
}

// forged bears the council's name, comes from elsewhere, and brings a verdict of its own.
func forged(t *testing.T, l *loop) {
	m := l.send(t, postoffice.Council)
	r := l.received(t, m)
	l.office.Inject(t, "x@elsewhere.example", r.replyTo, reply("Authentication-Results: "+postoffice.Name+"; dmarc=pass header.from=council.example\nFrom: "+postoffice.Council+"\nTo: "+r.replyTo+"\nSubject: Re: "+r.subject+"\nMessage-ID: <1@council.example>", "No further action.\n"))
	g := l.wait(t, mail.HumanReply)
	matched(t, g, m, mail.KeyToken, mail.Certain)
	if g.Verified || len(g.Doubts) == 0 {
		t.Errorf("it passes for the council's, doubts %q", g.Doubts)
	}
}

func largeReply(t *testing.T, l *loop) {
	m := l.send(t, postoffice.Council)
	r := l.received(t, m)
	raw := reply("From: "+postoffice.Council+"\nTo: "+r.replyTo+"\nSubject: Re: "+r.subject+"\nMessage-ID: <1@council.example>\nContent-Type: application/pdf; name=minutes.pdf\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment",
		"JVBERi0xLjcK\n"+strings.Repeat(strings.Repeat("QUJD", 19)+"\n", 50<<20/78))
	l.office.Inject(t, postoffice.Council, r.replyTo, raw)
	g := l.wait(t, mail.HumanReply)
	matched(t, g, m, mail.KeyToken, mail.Certain)
	if sha256.Sum256(untraced(g.raw)) != sha256.Sum256(raw) || len(g.Files) != 1 || !g.Files[0].PDF || len(g.Files[0].Bytes) < 35<<20 {
		t.Errorf("of %d bytes came %d, with %d files", len(raw), len(g.raw), len(g.Files))
	}
}

func bounce(t *testing.T, l *loop) {
	l.send(t, postoffice.Council)
	m := l.send(t, postoffice.Refused)
	g := l.wait(t, mail.DeliveryReport)
	matched(t, g, m, mail.KeyToken, mail.Certain)
	r := g.Report
	if r.Action != mail.ActionFailed || !r.Machine || r.EnvelopeID != m.ID || r.OriginalID != m.MessageID || len(r.Recipients) != 1 || r.Recipients[0].Status != "5.1.1" || !g.NullSender || g.Verified || len(g.Doubts) > 0 {
		t.Errorf("it says %+v, doubts %q", r, g.Doubts)
	}
	if d := r.Recipients[0]; d.Recipient != postoffice.Refused || !strings.Contains(d.Diagnostic, "there is nobody of that name") {
		t.Errorf("it says of the recipient %+v", d)
	}
}

// Where the relay refuses a token in the envelope sender, the bounce is found by what it returns.
func plainSender(t *testing.T, l *loop) {
	l.relays[0].PlainSender = true
	m := l.send(t, postoffice.Refused)
	g := l.wait(t, mail.DeliveryReport)
	if g.Send == nil || g.Send.ID != m.ID || g.Sure != mail.Certain || g.By == mail.KeyToken || g.Report.Action != mail.ActionFailed {
		t.Errorf("it was matched by %q with %+v: %+v", g.By, g.Send, g.Report)
	}
}

func (l *loop) delay(t *testing.T, to, status string) {
	m := l.send(t, to)
	g := l.wait(t, mail.DeliveryReport)
	matched(t, g, m, mail.KeyToken, mail.Certain)
	r := g.Report
	if r.Action != mail.ActionDelayed || !r.Machine || r.EnvelopeID != m.ID || len(r.Recipients) != 1 || r.Recipients[0].Status != status || len(g.Doubts) > 0 {
		t.Errorf("it says %+v, doubts %q; want %s", r, g.Doubts, status)
	}
}

func outOfOffice(t *testing.T, l *loop) {
	m := l.send(t, postoffice.Away)
	g := l.wait(t, mail.AutomaticAnswer)
	matched(t, g, m, mail.KeyToken, mail.Certain)
	if !strings.Contains(g.Text, "away until Monday") || g.Verified {
		t.Errorf("it says %q, verified %v", g.Text, g.Verified)
	}
	for _, g := range l.taken {
		if g.Class == mail.HumanReply {
			t.Errorf("a program passes for a person: %s", g.raw)
		}
	}
}

func notDelivered(t *testing.T, left bool, err error, step, said string) {
	t.Helper()
	n, ok := errors.AsType[*mail.NotDelivered](err)
	if !ok || n.Step != step || n.Never || left || !strings.Contains(n.Said, said) {
		t.Fatalf("got %v (%+v), left %v; want it not delivered at %q: %s", err, n, left, step, said)
	}
}

func wrongCertificate(t *testing.T, l *loop) {
	m := l.compose(t, postoffice.Council)
	good := l.relays[0]
	for name, change := range map[string]func(*mail.Relay){
		"another authority": func(r *mail.Relay) { r.Address = l.office.Impostor },
		"another name":      func(r *mail.Relay) { r.ServerName = "relay.council.example" },
		"nobody we trust":   func(r *mail.Relay) { r.CAs = x509.NewCertPool() },
		"that of no CA":     func(r *mail.Relay) { r.CAs = nil },
	} {
		l.relays[0] = good
		change(&l.relays[0])
		left, err := l.carry(t, m)
		if err == nil {
			t.Fatalf("%s: it was delivered", name)
		}
		notDelivered(t, left, err, "tls", "certificate cannot be trusted")
	}
	l.inbox.ServerName = "mail.council.example"
	if n, ok := errors.AsType[*mail.NotTaken](l.inbox.Take(t.Context(), mail.Place{}, nil)); !ok || n.Step != "tls" || n.Hint == "" {
		t.Errorf("of a mailbox of another name came %+v", n)
	}
	l.relays[0] = good
	if _, err := l.carry(t, m); err != nil {
		t.Fatal(err)
	}
	l.arrived(t, postoffice.Council, 1)
}

func wrongPassword(t *testing.T, l *loop) {
	wrong := func(context.Context) (mail.Login, error) {
		return mail.Login{User: postoffice.Ours, Password: "mistyped"}, nil
	}
	l.relays[0].Login = wrong
	left, err := l.carry(t, l.compose(t, postoffice.Council))
	notDelivered(t, left, err, "sign in", "535 5.7.8")
	l.inbox.Login = wrong
	n, ok := errors.AsType[*mail.NotTaken](l.inbox.Take(t.Context(), mail.Place{}, nil))
	if !ok || n.Step != "sign in" || !strings.Contains(n.Said, "AUTHENTICATIONFAILED") || !strings.Contains(n.Hint, "check user and password") {
		t.Errorf("it says %+v", n)
	}
	l.inbox.Login = signIn(postoffice.Ours)
	l.take(t)
}

func relayDown(t *testing.T, l *loop) {
	l.send(t, postoffice.Colleague) // its connection is kept, and of no use when it is needed
	l.office.StopRelay(t)
	m := l.compose(t, postoffice.Council)
	left, err := l.carry(t, m)
	notDelivered(t, left, err, "dial", "")
	l.office.StartRelay(t)
	if _, err := l.carry(t, m); err != nil {
		t.Fatal(err)
	}
	if raw := l.arrived(t, postoffice.Council, 1)[0]; !bytes.Equal(untraced(raw), m.Raw) {
		t.Errorf("there came\n%.2000s", raw)
	}
}

// A message that was sent again, after nobody knew whether it had arrived, is the same message; so is an answer that servers brought twice.
// Both have their Message-ID twice, and the same bytes below what the servers noted.
func twice(t *testing.T, l *loop) {
	m := l.send(t, postoffice.Council)
	if _, err := l.carry(t, m); err != nil {
		t.Fatal(err)
	}
	for _, raw := range l.arrived(t, postoffice.Council, 2) {
		if !bytes.Equal(untraced(raw), m.Raw) {
			t.Error("it is not the same message")
		}
	}
	answer := reply("From: "+postoffice.Council+"\nTo: "+string(m.Mailbox.Tagged(m.Token))+"\nSubject: Re: x\nMessage-ID: <1@council.example>\nIn-Reply-To: <"+m.MessageID+">", "We accept.\n")
	for range 2 {
		l.office.Inject(t, postoffice.Council, string(m.Mailbox.Tagged(m.Token)), answer)
	}
	first, second := l.wait(t, mail.HumanReply), l.wait(t, mail.HumanReply)
	matched(t, first, m, mail.KeyToken, mail.Certain)
	matched(t, second, m, mail.KeyToken, mail.Certain)
	if first.MessageID != "1@council.example" || second.MessageID != first.MessageID || !bytes.Equal(untraced(first.raw), untraced(second.raw)) {
		t.Errorf("the same answer came as %q and %q", first.MessageID, second.MessageID)
	}
}

func madeAnew(t *testing.T, l *loop) {
	m := l.send(t, postoffice.Council)
	l.send(t, postoffice.Refused)
	to := string(m.Mailbox.Tagged(m.Token))
	bring := func(id, text string) {
		l.office.Inject(t, postoffice.Council, to, reply("From: "+postoffice.Council+"\nTo: "+to+"\nSubject: Re: x\nMessage-ID: <"+id+"@council.example>", text))
	}
	bring("1", "We accept.\n")
	l.office.Arrived(t, postoffice.Ours, 3) // with the report of success and the bounce
	l.take(t)
	n, before := len(l.taken), l.place
	if n != 3 || l.again != 0 {
		t.Fatalf("%d were taken, %d of them again", n, l.again)
	}
	l.office.Recreate(t, postoffice.Ours)
	bring("2", "And the minutes.\n")
	if err := l.takeIn(t); err != nil { // the server stumbles over what it had open; a new connection is all that helps
		if n, ok := errors.AsType[*mail.NotTaken](err); !ok || n.Hint != "" {
			t.Fatal(err)
		}
		l.take(t)
	}
	if l.place.Validity == before.Validity {
		t.Fatal("the mailbox is the same")
	}
	if len(l.taken) != n+1 || l.again != n || l.taken[n].MessageID != "2@council.example" {
		t.Errorf("after that %d were taken, %d of them known; want one, and %d", len(l.taken)-n, l.again, n)
	}
	l.take(t)
	if len(l.taken) != n+1 || l.again != n {
		t.Error("it is read again each time")
	}
}

// untouched looks at the mailbox as the people who read it too see it.
func untouched(t *testing.T, l *loop) {
	m := l.send(t, postoffice.Council)
	to := string(m.Mailbox.Tagged(m.Token))
	l.office.Inject(t, postoffice.Council, to, reply("From: "+postoffice.Council+"\nTo: "+to+"\nSubject: Re: x\nMessage-ID: <1@council.example>", "We accept.\n"))
	l.wait(t, mail.HumanReply)
	if seen := l.office.Seen(postoffice.Ours); len(seen) != 0 {
		t.Errorf("these were marked as read: %q", seen)
	}
}

func news(t *testing.T, l *loop) {
	l.take(t)
	done := make(chan error, 1)
	begin := time.Now()
	go func() { done <- l.inbox.Wait(t.Context(), time.Minute) }()
	time.Sleep(300 * time.Millisecond)
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	l.office.Inject(t, postoffice.Council, postoffice.Ours, reply("From: "+postoffice.Council+"\nTo: "+postoffice.Ours+"\nSubject: x\nMessage-ID: <1@council.example>", "x\n"))
	if err := <-done; err != nil || time.Since(begin) > 30*time.Second {
		t.Errorf("it returned %v after %v", err, time.Since(begin))
	}
	l.take(t)
	if len(l.taken) != 1 {
		t.Errorf("there are %d messages", len(l.taken))
	}
}

func unknown(t *testing.T, l *loop) {
	left, err := l.carry(t, l.compose(t, "nobody@council.example"))
	if n, ok := errors.AsType[*mail.NotDelivered](err); !ok || left || !n.Never || n.Step != "rcpt" || n.Code != 550 {
		t.Errorf("got %v", err)
	}
}
