package mail

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const relayName = "relay.example.test"

// authority is a certificate authority made for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

var testAuthority = sync.OnceValue(newAuthority)

func newAuthority() *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		panic(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

// issue makes a certificate for a name that ends so far from now.
func (a *authority) issue(name string, ends time.Duration) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(ends),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

var testCertificate = sync.OnceValue(func() tls.Certificate { return testAuthority().issue(relayName, time.Hour) })

// scripted is a relay that speaks as it is told to. At each step it answers as usual unless the script has something else for it: an answer,
// "cut" to close the connection, or "stall" to say nothing more.
//
// Steps: greeting, EHLO, STARTTLS, handshake, EHLO2 (that within TLS), AUTH, MAIL, RCPT, DATA, body (in the middle of it), dot, RSET, QUIT.
type scripted struct {
	script   map[string]string
	once     bool // each of the script's answers is given on the first connection alone
	offers   []string
	conf     *tls.Config
	implicit bool

	addr  string
	conns atomic.Int32 // ever
	open  atomic.Int32 // now
	mu    sync.Mutex
	log   []string // the commands it got
	took  [][]byte // the messages it took, as they came over the wire
	ended []bool   // of each message that began: whether its dot came

	stalled chan struct{} // closed when it says nothing more
	stall   func()
}

func (s *scripted) start(t testing.TB) *scripted {
	t.Helper()
	if s.conf == nil {
		s.conf = &tls.Config{Certificates: []tls.Certificate{testCertificate()}}
	}
	if s.offers == nil {
		s.offers = []string{"8BITMIME", "SIZE 30000000", "DSN", "AUTH PLAIN LOGIN XOAUTH2"}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr, s.stalled = l.Addr().String(), make(chan struct{})
	s.stall = sync.OnceFunc(func() { close(s.stalled) })
	done := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(s.conns.Add(1))
			s.open.Add(1)
			all.Go(func() {
				defer s.open.Add(-1)
				defer c.Close()
				go func() { <-done; c.Close() }()
				s.talk(c, n, done)
			})
		}
	})
	t.Cleanup(func() { close(done); l.Close(); all.Wait() })
	return s
}

var errCut = errors.New("cut")

func (s *scripted) talk(c net.Conn, n int, done chan struct{}) {
	secure := false
	r := bufio.NewReader(c)
	// say answers at a step; it fails when the script ends the conversation there.
	say := func(step, usual string) error {
		s.mu.Lock()
		what, told := s.script[step]
		s.mu.Unlock()
		if !told || s.once && n > 1 {
			what = usual
		}
		switch what {
		case "cut":
			return errCut
		case "stall":
			s.stall()
			<-done
			return errCut
		}
		if rest, cut := strings.CutSuffix(what, " and cut"); cut {
			io.WriteString(c, rest+"\r\n")
			return errCut
		}
		_, err := io.WriteString(c, what+"\r\n")
		return err
	}
	handshake := func() error {
		s.mu.Lock()
		what := s.script["handshake"]
		s.mu.Unlock()
		if what == "cut" {
			return errCut
		} else if what == "stall" {
			s.stall()
			<-done
			return errCut
		}
		tc := tls.Server(c, s.conf)
		if err := tc.Handshake(); err != nil {
			return err
		}
		c, r, secure = tc, bufio.NewReader(tc), true
		return nil
	}
	if s.implicit && handshake() != nil {
		return
	}
	if say("greeting", "220 "+relayName+" ESMTP") != nil {
		return
	}
	for {
		text, err := r.ReadString('\n')
		if err != nil {
			return
		}
		text = strings.TrimRight(text, "\r\n")
		s.mu.Lock()
		s.log = append(s.log, text)
		s.mu.Unlock()
		verb, _, _ := strings.Cut(strings.ToUpper(text), " ")
		switch verb {
		case "EHLO":
			step, offers := "EHLO2", s.offers
			if !secure {
				step, offers = "EHLO", []string{"STARTTLS"}
			}
			usual := "250-" + relayName
			for _, o := range offers {
				usual += "\r\n250-" + o
			}
			err = say(step, usual+"\r\n250 HELP")
		case "STARTTLS":
			if err = say("STARTTLS", "220 go ahead"); err == nil {
				err = handshake()
			}
		case "AUTH":
			err = s.auth(r, text, say)
		case "DATA":
			s.mu.Lock()
			refuses := s.script["DATA"] != ""
			s.mu.Unlock()
			if err = say("DATA", "354 go on"); err == nil && !refuses {
				err = s.message(r, say)
			}
		case "QUIT":
			say("QUIT", "221 bye")
			return
		default:
			err = say(verb, "250 2.0.0 ok")
		}
		if err != nil {
			return
		}
	}
}

func (s *scripted) auth(r *bufio.Reader, text string, say func(step, usual string) error) error {
	ask := func(q string) (string, error) {
		if err := say("challenge", "334 "+base64.StdEncoding.EncodeToString([]byte(q))); err != nil {
			return "", err
		}
		a, err := r.ReadString('\n')
		b, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(a))
		return string(b), err
	}
	words := strings.Fields(text)
	good := false
	switch {
	case words[1] == "PLAIN":
		b, _ := base64.StdEncoding.DecodeString(words[2])
		good = string(b) == "\x00us\x00secret"
	case words[1] == "LOGIN" && len(words) == 2:
		user, err := ask("User Name\x00")
		if err != nil {
			return err
		}
		pass, err := ask("Password:")
		if err != nil {
			return err
		}
		good = user == "us" && pass == "secret"
	case words[1] == "XOAUTH2":
		b, _ := base64.StdEncoding.DecodeString(words[2])
		good = string(b) == "user=us\x01auth=Bearer fresh\x01\x01"
		if !good {
			a, err := ask(`{"status":"401","schemes":"bearer"}`)
			if err != nil || a != "" {
				return errors.Join(err, errCut)
			}
		}
	}
	if !good {
		return say("AUTH", "535 5.7.8 no")
	}
	return say("AUTH", "235 2.7.0 welcome")
}

func (s *scripted) message(r *bufio.Reader, say func(step, usual string) error) error {
	s.mu.Lock()
	at := len(s.ended)
	s.ended = append(s.ended, false)
	what, told := s.script["body"]
	s.mu.Unlock()
	if told {
		io.CopyN(io.Discard, r, 100)
		return say("body", what)
	}
	var raw bytes.Buffer
	for {
		text, err := r.ReadBytes('\n')
		if err != nil {
			return err
		}
		if string(text) == ".\r\n" {
			break
		}
		raw.Write(bytes.TrimPrefix(text, []byte(".")))
	}
	s.mu.Lock()
	s.ended[at] = true
	s.took = append(s.took, raw.Bytes())
	s.mu.Unlock()
	return say("dot", "250 2.0.0 Ok: queued as 4XyZ")
}

// now changes the script.
func (s *scripted) now(script map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// got are the messages it took, and of each that began whether it ended.
func (s *scripted) got() (took [][]byte, ended []bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.took), slices.Clone(s.ended)
}

func (s *scripted) commands() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, "\n")
}

func (s *scripted) relay() Relay {
	return Relay{Name: "forced", Address: s.addr, ServerName: relayName, CAs: testAuthority().pool, ImplicitTLS: s.implicit, Guarantees: TLS, Login: password}
}

func password(context.Context) (Login, error) { return Login{User: "us", Password: "secret"}, nil }

// yes is a policy that allows every message as it was made.
func yes(_ context.Context, m *Message) (Decision, error) { return Decision{Allowed: &m.Route}, nil }

var quick = Patience{Dial: 2 * time.Second, Command: time.Second / 2, Write: time.Second / 2, Answer: time.Second / 2, Grace: 100 * time.Millisecond, Idle: time.Minute, Total: 20 * time.Second}

func courier(t testing.TB, rs ...Relay) *Courier {
	c := &Courier{Relays: rs, Hello: "app.probation.example", Recheck: yes, Patience: quick, LoopbackOnly: true}
	t.Cleanup(c.Close)
	return c
}

func message1(t testing.TB, size int) *Message {
	t.Helper()
	pdf := make([]byte, size)
	rand.Read(pdf)
	return compose(t, func(l *Letter) { l.Attachments = []Attachment{{Ext: "pdf", Data: pdf}} })
}

func TestEveryFailureIsToldApart(t *testing.T) {
	t.Parallel()
	type want struct {
		result string // delivered, again, never, unclear
		step   string
		said   string
		left   bool
	}
	again := func(step, said string) want { return want{"again", step, said, false} }
	never := func(step, said string) want { return want{"never", step, said, false} }
	for name, c := range map[string]struct {
		at, does string
		want     want
	}{
		"nothing":                       {"", "", want{"delivered", "", "2.0.0 Ok: queued as 4XyZ", true}},
		"greeting refused for now":      {"greeting", "421 busy", again("tls", "421 busy")},
		"greeting refused":              {"greeting", "554 no", again("tls", "554 no")},
		"greeting cut":                  {"greeting", "cut", again("tls", "failed at securing")},
		"greeting stalls":               {"greeting", "stall", again("tls", "in time at securing")},
		"greeting is no SMTP":           {"greeting", "SSH-2.0-OpenSSH", again("tls", "in time at securing")},
		"EHLO refused":                  {"EHLO", "502 no", again("tls", "502 no")},
		"EHLO cut":                      {"EHLO", "cut", again("tls", "failed")},
		"EHLO stalls":                   {"EHLO", "stall", again("tls", "in time")},
		"no STARTTLS":                   {"EHLO", "250-" + relayName + "\r\n250-AUTH PLAIN\r\n250 HELP", again("tls", "does not offer TLS")},
		"STARTTLS in another word":      {"EHLO", "250-" + relayName + "\r\n250 XSTARTTLS", again("tls", "does not offer TLS")},
		"STARTTLS refused":              {"STARTTLS", "454 4.7.0 not now", again("tls", "454 4.7.0 not now")},
		"STARTTLS cut":                  {"STARTTLS", "cut", again("tls", "failed")},
		"STARTTLS stalls":               {"STARTTLS", "stall", again("tls", "in time")},
		"words put in before TLS":       {"STARTTLS", "220 go ahead\r\n250-x\r\n250 AUTH PLAIN", again("tls", "somebody spoke before TLS")},
		"handshake cut":                 {"handshake", "cut", again("tls", "failed")},
		"handshake stalls":              {"handshake", "stall", again("tls", "in time")},
		"EHLO within TLS refused":       {"EHLO2", "550 no", again("tls", "550 no")},
		"EHLO within TLS cut":           {"EHLO2", "cut", again("tls", "failed")},
		"EHLO within TLS stalls":        {"EHLO2", "stall", again("tls", "in time")},
		"no way to sign in":             {"EHLO2", "250-x\r\n250 AUTH GSSAPI", again("sign in", "offers no way to sign in")},
		"sign in refused":               {"AUTH", "535 5.7.8 wrong", again("sign in", "535 5.7.8 wrong")},
		"sign in refused for ever":      {"AUTH", "550 5.7.1 closed", again("sign in", "550 5.7.1 closed")},
		"sign in refused for now":       {"AUTH", "454 4.7.0 later", again("sign in", "454 4.7.0 later")},
		"sign in cut":                   {"AUTH", "cut", again("sign in", "failed")},
		"sign in stalls":                {"AUTH", "stall", again("sign in", "in time")},
		"sender refused for now":        {"MAIL", "451 4.3.0 later", again("mail", "451 4.3.0 later")},
		"sender refused":                {"MAIL", "550 5.7.60 cannot send as this sender", never("mail", "550 5.7.60 cannot send")},
		"sender refused without login":  {"MAIL", "530 5.7.0 sign in first", again("mail", "530 5.7.0")},
		"sender cut":                    {"MAIL", "cut", again("mail", "failed")},
		"sender stalls":                 {"MAIL", "stall", again("mail", "in time")},
		"recipient refused for now":     {"RCPT", "450 4.2.1 greylisted", again("rcpt", "450 4.2.1 greylisted")},
		"recipient refused":             {"RCPT", "550 5.1.1 unknown", never("rcpt", "550 5.1.1 unknown")},
		"recipient refused in lines":    {"RCPT", "550-5.1.1 The account\r\n550-5.1.1 does not\r\n550 5.1.1 exist", never("rcpt", "550 5.1.1 The account does not exist")},
		"recipient passed on":           {"RCPT", "251 will forward", want{"delivered", "", "queued", true}},
		"recipient cut":                 {"RCPT", "cut", again("rcpt", "failed")},
		"recipient stalls":              {"RCPT", "stall", again("rcpt", "in time")},
		"relay goes away":               {"RCPT", "421 4.3.2 shutting down and cut", again("rcpt", "421 4.3.2")},
		"DATA refused for now":          {"DATA", "451 later", again("data", "451 later")},
		"DATA refused":                  {"DATA", "554 5.5.1 no", never("data", "554 5.5.1 no")},
		"DATA cut":                      {"DATA", "cut", again("data", "failed")},
		"DATA stalls":                   {"DATA", "stall", again("data", "in time")},
		"message cut before dot":        {"body", "cut", again("data", "failed at handing")},
		"message stalls":                {"body", "stall", again("data", "in time at handing")},
		"message refused for now":       {"dot", "452 4.3.1 full", want{"again", "message", "452 4.3.1 full", true}},
		"message refused":               {"dot", "554 5.7.1 spam", want{"never", "message", "554 5.7.1 spam", true}},
		"message refused, gone":         {"dot", "421 4.3.2 bye and cut", want{"again", "message", "421 4.3.2 bye", true}},
		"taken with another 2xx":        {"dot", "252 2.0.0 perhaps", want{"delivered", "", "252 2.0.0 perhaps", true}},
		"taken in lines":                {"dot", "250-2.0.0 first\r\n250 2.0.0 queued as 77", want{"delivered", "", "2.0.0 first 2.0.0 queued as 77", true}},
		"cut after dot":                 {"dot", "cut", want{"unclear", "", "", true}},
		"stalls after dot":              {"dot", "stall", want{"unclear", "", "", true}},
		"nonsense after dot":            {"dot", "hello", want{"unclear", "", "", true}},
		"half an answer after dot":      {"dot", "250-2.0.0 fir and cut", want{"unclear", "", "", true}},
		"asks for more after dot":       {"dot", "354 more", want{"unclear", "", "", true}},
		"leave taking stalls":           {"QUIT", "stall", want{"delivered", "", "queued", true}},
		"control characters in answers": {"dot", "250 2.0.0 \x1b[31mred\x00\xff queued", want{"delivered", "", "2.0.0 [31mred? queued", true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := (&scripted{script: map[string]string{c.at: c.does}}).start(t)
			size := 20_000
			if c.at == "body" {
				size = 6 << 20 // more than the system takes for a relay that does not read
			}
			m := message1(t, size)
			left := false
			del, err := courier(t, s.relay()).Carry(t.Context(), m, func() error {
				left = true
				if _, ended := s.got(); slices.Contains(ended, true) || !strings.HasSuffix(s.commands(), "\nDATA") {
					t.Error("leaving was called before the message was on its way or after it had arrived")
				}
				return nil
			})
			got := want{left: left}
			var not *NotDelivered
			var unclear *Unclear
			switch {
			case err == nil:
				got.result, got.said = "delivered", del.Said
			case errors.As(err, &not):
				got.result, got.step, got.said = "again", not.Step, not.Said
				if not.Never {
					got.result = "never"
				}
			case errors.As(err, &unclear):
				got.result = "unclear"
			}
			if !strings.Contains(got.said, c.want.said) {
				t.Errorf("said %q, want %q in it", got.said, c.want.said)
			}
			got.said = c.want.said
			if got != c.want {
				t.Errorf("got %+v, want %+v (%v)", got, c.want, err)
			}
			took, _ := s.got()
			if arrived := len(took) > 0; arrived != (c.at == "dot" || got.result == "delivered") {
				t.Errorf("%s, and the relay had a whole message: %v", got.result, arrived)
			}
			if len(took) > 0 && !bytes.Equal(took[0], m.Raw) {
				t.Error("the relay got other bytes")
			}
			for l := range strings.Lines(s.commands()) {
				if (strings.HasPrefix(l, "AUTH") || strings.HasPrefix(l, "MAIL")) && del.Certificate == "" {
					t.Error("it spoke of secrets without TLS")
				}
			}
		})
	}
}

func TestOnlyVerifiedTLS(t *testing.T) {
	t.Parallel()
	ours := testAuthority()
	for name, c := range map[string]struct {
		conf     *tls.Config
		implicit bool
		version  string // "" is refused
		want     string
	}{
		"STARTTLS":            {&tls.Config{Certificates: []tls.Certificate{testCertificate()}}, false, "TLS 1.3", ""},
		"from the first byte": {&tls.Config{Certificates: []tls.Certificate{testCertificate()}}, true, "TLS 1.3", ""},
		"TLS 1.2":             {&tls.Config{Certificates: []tls.Certificate{testCertificate()}, MaxVersion: tls.VersionTLS12}, false, "TLS 1.2", ""},
		"TLS 1.1 only":        {&tls.Config{Certificates: []tls.Certificate{testCertificate()}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false, "", "protocol version"},
		"TLS 1.1, implicit":   {&tls.Config{Certificates: []tls.Certificate{testCertificate()}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, true, "", "protocol version"},
		"wrong name":          {&tls.Config{Certificates: []tls.Certificate{ours.issue("other.example.test", time.Hour)}}, false, "", "cannot be trusted"},
		"wrong name, implicit": {&tls.Config{Certificates: []tls.Certificate{ours.issue("other.example.test", time.Hour)}}, true, "",
			"cannot be trusted"},
		"unknown authority": {&tls.Config{Certificates: []tls.Certificate{newAuthority().issue(relayName, time.Hour)}}, false, "", "unknown authority"},
		"expired":           {&tls.Config{Certificates: []tls.Certificate{ours.issue(relayName, -time.Hour)}}, false, "", "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := (&scripted{conf: c.conf, implicit: c.implicit}).start(t)
			del, err := courier(t, s.relay()).Carry(t.Context(), message1(t, 1000), func() error { return nil })
			if c.version != "" {
				sum := sha256.Sum256(c.conf.Certificates[0].Certificate[0])
				if err != nil || del.TLS != c.version || del.Certificate != hex.EncodeToString(sum[:]) || del.Cipher == "" {
					t.Errorf("%+v, %v", del, err)
				}
				return
			}
			not, ok := errors.AsType[*NotDelivered](err)
			if !ok || not.Never || not.Step != "tls" || !strings.Contains(not.Said, c.want) {
				t.Errorf("%v", err)
			}
			if cmds := s.commands(); strings.Contains(cmds, "AUTH") || strings.Contains(cmds, "MAIL") {
				t.Errorf("went on without a verified relay: %s", cmds)
			}
		})
	}
	// The authorities of the system do not know the test's.
	s := (&scripted{}).start(t)
	r := s.relay()
	r.CAs = nil
	if _, err := courier(t, r).Carry(t.Context(), message1(t, 10), nil); err == nil {
		t.Error("the system's authorities are not asked")
	}
}

// There is no switch against TLS or its verification anywhere in the package.
func TestNoSwitchAgainstTLS(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("*.go")
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"Insecure" + "SkipVerify", "VerifyPeer" + "Certificate", "Debug" + "Writer", "smtp." + "Dial", "smtp.SendMail", "NewClient" + "StartTLS", "VersionTLS10", "VersionTLS11"} {
			if bytes.Contains(b, []byte(word)) {
				t.Errorf("%s has %s", name, word)
			}
		}
	}
}

func TestWhatTheRelayIsTold(t *testing.T) {
	t.Parallel()
	s := (&scripted{}).start(t)
	m := message1(t, 1000)
	del, err := courier(t, s.relay()).Carry(t.Context(), m, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"EHLO app.probation.example", "STARTTLS", "EHLO app.probation.example", "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00us\x00secret")),
		fmt.Sprintf("MAIL FROM:<safeguarding+%s@probation.example> BODY=8BITMIME SIZE=%d RET=HDRS ENVID=send-81", m.Token, len(m.Raw)),
		"RCPT TO:<mash@council.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=RFC822;mash@council.example", "DATA",
	}
	if got := s.commands(); got != strings.Join(want, "\n") {
		t.Errorf("said\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if !del.Reports || del.Detail()["delivery_reports"] != "asked for" || del.Sender != m.Mailbox.Tagged(m.Token) {
		t.Errorf("%+v", del)
	}

	// A relay that offers nothing is asked for nothing, and that no report will come is told.
	s = (&scripted{offers: []string{"AUTH PLAIN"}}).start(t)
	r := s.relay()
	r.PlainSender = true
	if del, err = courier(t, r).Carry(t.Context(), m, func() error { return nil }); err != nil || del.Reports {
		t.Errorf("%+v, %v", del, err)
	}
	if got := s.commands(); !strings.Contains(got, "MAIL FROM:<safeguarding@probation.example>\nRCPT TO:<mash@council.example>\nDATA") {
		t.Errorf("said %s", got)
	}
	if took, _ := s.got(); !bytes.Equal(took[0], m.Raw) || slices.Max(m.Raw) > 127 {
		t.Error("the message needs 8BITMIME")
	}
}

func TestSizeIsCompared(t *testing.T) {
	t.Parallel()
	s := (&scripted{offers: []string{"SIZE 5000", "AUTH PLAIN"}}).start(t)
	_, err := courier(t, s.relay()).Carry(t.Context(), message1(t, 9000), func() error { t.Error("left"); return nil })
	not, ok := errors.AsType[*NotDelivered](err)
	if !ok || !not.Never || !strings.Contains(not.Said, "the relay takes 0.0 MB") || strings.Contains(s.commands(), "MAIL") {
		t.Errorf("%v\n%s", err, s.commands())
	}
	s = (&scripted{offers: []string{"SIZE 0", "AUTH PLAIN"}}).start(t) // no limit
	if _, err := courier(t, s.relay()).Carry(t.Context(), message1(t, 9000), func() error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestRequireTLS(t *testing.T) {
	t.Parallel()
	for _, offered := range []bool{true, false} {
		s := &scripted{}
		if offered {
			s.offers = []string{"REQUIRETLS", "AUTH PLAIN"}
		}
		s.start(t)
		r := s.relay()
		r.RequireTLS = true
		_, err := courier(t, r).Carry(t.Context(), message1(t, 10), func() error { return nil })
		if asked := strings.Contains(s.commands(), " REQUIRETLS"); asked != offered || (err == nil) != offered {
			t.Errorf("offered %v, asked %v, %v", offered, asked, err)
		}
		if err != nil && !strings.Contains(err.Error(), "does not offer to require TLS on every hop") {
			t.Error(err)
		}
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(content string, mode os.FileMode) LoginFunc {
		name := filepath.Join(dir, fmt.Sprintf("%x", sha256.Sum256([]byte(content))))
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		return LoginFile(name)
	}
	for name, c := range map[string]struct {
		offers string
		login  LoginFunc
		want   string
	}{
		"plain":                   {"AUTH PLAIN LOGIN", password, ""},
		"login":                   {"AUTH LOGIN", password, ""},
		"login, wrong":            {"AUTH LOGIN", file("user us\npassword wrong\n", 0o600), "535"},
		"from a file":             {"AUTH PLAIN", file("user us\npassword secret\n", 0o600), ""},
		"token":                   {"AUTH XOAUTH2", file("user us\ntoken fresh\n", 0o640), ""},
		"token that ran out":      {"AUTH XOAUTH2", file("user us\ntoken stale\n", 0o600), "535 5.7.8 no"},
		"token, no such way":      {"AUTH PLAIN LOGIN", file("user us\ntoken fresh2\n", 0o600), "offers no way"},
		"password, no such way":   {"AUTH XOAUTH2", password, "offers no way"},
		"no way at all":           {"SIZE", password, "offers no way"},
		"file for everybody":      {"AUTH PLAIN", file("user us\npassword secret\n\n", 0o644), "everybody on this machine"},
		"file not there":          {"AUTH PLAIN", LoginFile(filepath.Join(dir, "none")), "cannot be read"},
		"file with another line":  {"AUTH PLAIN", file("user us\npasswd secret\n", 0o600), "neither user, password nor token"},
		"file without a password": {"AUTH PLAIN", file("user us\n", 0o600), "needs a user"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := (&scripted{offers: []string{c.offers}}).start(t)
			r := s.relay()
			r.Login = c.login
			_, err := courier(t, r).Carry(t.Context(), message1(t, 10), func() error { return nil })
			not, _ := errors.AsType[*NotDelivered](err)
			switch {
			case c.want == "" && err != nil, c.want != "" && (not == nil || not.Never || !strings.Contains(not.Said, c.want)):
				t.Errorf("%v", err)
			case c.want != "" && strings.Contains(s.commands(), "MAIL"):
				t.Error("went on without signing in")
			case not != nil && (strings.Contains(not.Said, "secret") || strings.Contains(not.Said, "fresh") || strings.Contains(not.Said, "stale")):
				t.Errorf("tells the secret: %s", not.Said)
			}
		})
	}
}

// A login is asked for anew for each connection, so that a token that was renewed is used.
func TestLoginIsRefreshed(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "login")
	write := func(token string) {
		if err := os.WriteFile(name, []byte("user us\ntoken "+token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := (&scripted{}).start(t)
	r := s.relay()
	r.Login = LoginFile(name)
	c := courier(t, r)
	write("stale")
	if _, err := c.Carry(t.Context(), message1(t, 10), func() error { return nil }); err == nil {
		t.Error("a stale token is taken")
	}
	write("fresh")
	if _, err := c.Carry(t.Context(), message1(t, 10), func() error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestConnectionIsUsedAgain(t *testing.T) {
	t.Parallel()
	send := func(c *Courier) error {
		_, err := c.Carry(t.Context(), message1(t, 10), func() error { return nil })
		return err
	}
	t.Run("one connection", func(t *testing.T) {
		t.Parallel()
		s := (&scripted{}).start(t)
		c := courier(t, s.relay())
		for range 3 {
			if err := send(c); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.conns.Load(); n != 1 || strings.Count(s.commands(), "RSET") != 2 || strings.Count(s.commands(), "AUTH") != 1 {
			t.Errorf("%d connections\n%s", n, s.commands())
		}
		c.Close()
		if !strings.HasSuffix(s.commands(), "QUIT") {
			t.Error("it does not take leave")
		}
		if err := send(c); err != nil || s.conns.Load() != 2 || len(c.kept) != 0 {
			t.Error("closed, it keeps a connection", err)
		}
	})
	t.Run("after a refusal", func(t *testing.T) {
		t.Parallel()
		s := (&scripted{script: map[string]string{"RCPT": "550 5.1.1 unknown"}}).start(t)
		c := courier(t, s.relay())
		send(c)
		send(c)
		if n := s.conns.Load(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
	t.Run("the relay closed it", func(t *testing.T) {
		t.Parallel()
		for _, step := range []string{"RSET", "MAIL"} {
			for _, how := range []string{"cut", "421 4.4.2 idle and cut"} {
				s := (&scripted{once: true}).start(t)
				c := courier(t, s.relay())
				if err := send(c); err != nil {
					t.Fatal(err)
				}
				s.now(map[string]string{step: how})
				if err := send(c); err != nil || s.conns.Load() != 2 {
					t.Errorf("%s %s: %d connections, %v", step, how, s.conns.Load(), err)
				}
			}
		}
	})
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		s := (&scripted{}).start(t)
		c := courier(t, s.relay())
		c.Patience.Idle = 20 * time.Millisecond
		send(c)
		for range 100 {
			if time.Sleep(20 * time.Millisecond); strings.HasSuffix(s.commands(), "QUIT") {
				break
			}
		}
		if err := send(c); err != nil || s.conns.Load() != 2 {
			t.Errorf("%d connections, %v", s.conns.Load(), err)
		}
	})
	t.Run("after leaving nothing is tried again", func(t *testing.T) {
		t.Parallel()
		s := (&scripted{}).start(t)
		c := courier(t, s.relay())
		send(c)
		s.now(map[string]string{"dot": "cut"})
		err := send(c)
		if took, _ := s.got(); err == nil || len(took) != 2 {
			t.Errorf("%d messages, %v", len(took), err)
		}
	})
	t.Run("several at once", func(t *testing.T) {
		t.Parallel()
		s := (&scripted{}).start(t)
		c := courier(t, s.relay())
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 5 {
					if err := send(c); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if took, _ := s.got(); len(took) != 40 || len(c.kept) != 1 {
			t.Errorf("%d messages, %d connections kept", len(took), len(c.kept))
		}
		for i := 0; s.open.Load() != 1 && i < 200; i++ {
			time.Sleep(10 * time.Millisecond)
		}
		if n := s.open.Load(); n != 1 {
			t.Errorf("%d connections are open", n)
		}
	})
}

func TestLeavingThatFailsStopsEverything(t *testing.T) {
	t.Parallel()
	s := (&scripted{}).start(t)
	notOurs := errors.New("somebody else has it by now")
	c := courier(t, s.relay())
	_, err := c.Carry(t.Context(), message1(t, 100000), func() error { return notOurs })
	if took, ended := s.got(); !errors.Is(err, notOurs) || len(took) != 0 || slices.Contains(ended, true) || len(c.kept) != 0 {
		t.Errorf("%v, %d taken", err, len(took))
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"greeting", "EHLO", "handshake", "EHLO2", "AUTH", "MAIL", "RCPT", "DATA", "body", "dot"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := (&scripted{script: map[string]string{step: "stall"}}).start(t)
			c := courier(t, s.relay())
			c.Patience = Patience{Grace: 50 * time.Millisecond, Write: time.Minute}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var start time.Time
			go func() {
				<-s.stalled
				time.Sleep(100 * time.Millisecond)
				start = time.Now()
				cancel()
			}()
			size := 20_000
			if step == "body" {
				size = 6 << 20
			}
			_, err := c.Carry(ctx, message1(t, size), func() error { return nil })
			<-ctx.Done()
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
			if _, unclear := errors.AsType[*Unclear](err); unclear != (step == "dot") || err == nil {
				t.Errorf("%v", err)
			}
		})
	}
	// An answer that comes while everything is to stop is still heard.
	s := (&scripted{}).start(t)
	ctx, cancel := context.WithCancel(t.Context())
	c := courier(t, s.relay())
	c.Patience.Grace = 5 * time.Second
	if _, err := c.Carry(ctx, message1(t, 10), func() error { cancel(); return nil }); err != nil {
		t.Error(err)
	}
}

// A relay that answers a byte at a time is not waited for longer than one that says nothing.
func TestSlowAnswers(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer a.Close()
	go func(b net.Conn) {
		for {
			if _, err := b.Write([]byte("2")); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}(b)
	c := &deadlineConn{Conn: a, pause: time.Minute}
	c.SetDeadline(time.Now().Add(200 * time.Millisecond))
	start := time.Now()
	if _, err := io.Copy(io.Discard, c); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) > 2*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	// Neither read nor write waits for ever when no deadline was set.
	c.SetDeadline(time.Time{})
	b.Close()
	a, b = net.Pipe()
	defer b.Close()
	c = &deadlineConn{Conn: a, pause: 50 * time.Millisecond}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if _, err := c.Write(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestPolicyIsAskedBeforeDialling(t *testing.T) {
	t.Parallel()
	s := (&scripted{}).start(t)
	m := message1(t, 10)
	other := m.Route
	other.To = "else@council.example"
	for name, recheck := range map[string]func(context.Context, *Message) (Decision, error){
		"nobody to ask": nil,
		"held": func(context.Context, *Message) (Decision, error) {
			return Decision{Held: &Held{Reason: NoPolicy, Why: "x"}}, nil
		},
		"no answer":     func(context.Context, *Message) (Decision, error) { return Decision{}, nil },
		"cannot answer": func(context.Context, *Message) (Decision, error) { return Decision{}, errors.New("store") },
		"another":       func(context.Context, *Message) (Decision, error) { return Decision{Allowed: &other}, nil },
		"no such relay": func(context.Context, *Message) (Decision, error) {
			return Decision{Allowed: &Allowed{To: m.Route.To, Relay: "x"}}, nil
		},
	} {
		c := courier(t, s.relay())
		c.Recheck = recheck
		_, err := c.Carry(t.Context(), m, func() error { t.Error("left"); return nil })
		if not, ok := errors.AsType[*NotDelivered](err); err == nil || ok && (not.Never || (not.Held != nil) != (name == "held")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.conns.Load() != 0 {
		t.Error("it dialled")
	}
}

func TestTestStoreStaysOnThisMachine(t *testing.T) {
	t.Parallel()
	c := courier(t, Relay{Name: "forced", Address: "192.0.2.1"})
	_, err := c.Carry(t.Context(), message1(t, 10), nil)
	if err == nil || !strings.Contains(err.Error(), "beyond this machine") {
		t.Error(err)
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]Relay{"relay.x:587": {Address: "relay.x"}, "relay.x:465": {Address: "relay.x", ImplicitTLS: true}, "relay.x:25": {Address: "relay.x:25"}, "[::1]:587": {Address: "::1"}} {
		if _, got := r.hostPort(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// library is a relay made of go-smtp's server: not our own reading of the protocol.
type library struct {
	mu   sync.Mutex
	took [][]byte
	from []string
	mail []*smtp.MailOptions
	rcpt []*smtp.RcptOptions
	drop bool
}

func (b *library) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{b: b}, nil }

type session struct {
	b  *library
	in bool
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }
func (s *session) Mail(from string, o *smtp.MailOptions) error {
	if !s.in {
		return smtp.ErrAuthRequired
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.from, s.b.mail = append(s.b.from, from), append(s.b.mail, o)
	return nil
}
func (s *session) Rcpt(to string, o *smtp.RcptOptions) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.rcpt = append(s.b.rcpt, o)
	return nil
}
func (s *session) Data(r io.Reader) error {
	if s.b.drop {
		_, err := io.Copy(io.Discard, r)
		return err
	}
	raw, err := io.ReadAll(r)
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.took = append(s.b.took, raw)
	return err
}
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, pass string) error {
		if s.in = user == "us" && pass == "secret"; !s.in {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (b *library) start(t testing.TB, implicit bool) Relay {
	t.Helper()
	srv := smtp.NewServer(b)
	srv.Domain, srv.EnableDSN, srv.EnableREQUIRETLS, srv.MaxMessageBytes = relayName, true, true, 20<<20
	srv.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{testCertificate()}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if implicit {
		l = tls.NewListener(l, srv.TLSConfig)
	}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return Relay{Name: "forced", Address: l.Addr().String(), ServerName: relayName, CAs: testAuthority().pool, ImplicitTLS: implicit, Guarantees: TLS, Login: password}
}

func TestAgainstTheLibrarysServer(t *testing.T) {
	t.Parallel()
	for _, implicit := range []bool{false, true} {
		b := &library{}
		r := b.start(t, implicit)
		r.RequireTLS = true
		c := courier(t, r)
		c.Patience = Patience{}
		for i := range 3 {
			m := message1(t, 100000)
			del, err := c.Carry(t.Context(), m, func() error { return nil })
			if err != nil || del.TLS != "TLS 1.3" || !del.Reports || del.Said == "" {
				t.Fatalf("%+v, %v", del, err)
			}
			b.mu.Lock()
			if !bytes.Equal(b.took[i], m.Raw) || b.from[i] != string(m.Mailbox.Tagged(m.Token)) {
				t.Error("the relay got something else")
			}
			o, to := b.mail[i], b.rcpt[i]
			if o.EnvelopeID != m.ID || o.Return != smtp.DSNReturnHeaders || !o.RequireTLS || o.Size != int64(len(m.Raw)) || len(to.Notify) != 3 || to.OriginalRecipient != "mash@council.example" {
				t.Errorf("%+v %+v", o, to)
			}
			b.mu.Unlock()
		}
	}
}

// In casework the courier is a Carrier by three lines; this is one, to see that it is.
func ExampleCourier() {
	type Parcel struct{ Payload []byte }
	type notDelivered struct {
		error
		Said  string
		Never bool
	}
	c := &Courier{Recheck: func(context.Context, *Message) (Decision, error) {
		return Decision{Held: &Held{NoPolicy, "there is no policy for council.example", ""}}, nil
	}}
	carry := func(ctx context.Context, p Parcel, leaving func() error) (string, error) {
		m := &Message{}
		if err := m.UnmarshalBinary(p.Payload); err != nil {
			return "", err
		}
		d, err := c.Carry(ctx, m, leaving)
		if n, ok := errors.AsType[*NotDelivered](err); ok {
			err = &notDelivered{n, n.Said, n.Never}
		}
		return d.Said, err
	}
	m := &Message{SHA256: hex.EncodeToString(sha256.New().Sum(nil))}
	payload, _ := m.MarshalBinary()
	_, err := carry(context.Background(), Parcel{payload}, nil)
	fmt.Println(err)
	// Output: not delivered: held: there is no policy for council.example
}

// BenchmarkCarry sends messages of 400 kB on one connection to a relay in the same process. Wanted are 50 a second.
func BenchmarkCarry(b *testing.B) {
	r := (&library{drop: true}).start(b, false)
	c := courier(b, r)
	c.Patience = Patience{}
	m := message1(b, 290_000) // 400 kB encoded
	b.SetBytes(int64(len(m.Raw)))
	for b.Loop() {
		if _, err := c.Carry(b.Context(), m, func() error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
