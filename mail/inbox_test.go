package mail

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"caseforms"
)

// memory is a mail server in memory, with one user.
type memory struct {
	user *imapmemserver.User
	addr string
}

func newMemory(t testing.TB, implicit bool) *memory {
	t.Helper()
	m := &memory{user: imapmemserver.NewUser("us", "secret")}
	m.make(t)
	all := imapmemserver.New()
	all.AddUser(m.user)
	conf := &tls.Config{Certificates: []tls.Certificate{testCertificate()}}
	s := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return all.NewSession(), nil, nil
		},
		TLSConfig: conf, Logger: log.New(io.Discard, "", 0),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = l.Addr().String()
	if implicit {
		l = tls.NewListener(l, conf)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return m
}

func (m *memory) make(t testing.TB) {
	t.Helper()
	if err := m.user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
}

type literal struct{ *bytes.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

func (m *memory) put(t testing.TB, raw string) {
	t.Helper()
	if _, err := m.user.Append("INBOX", literal{bytes.NewReader([]byte(raw))}, &imap.AppendOptions{Time: time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("", 3600))}); err != nil {
		t.Fatal(err)
	}
}

func inboxAt(t testing.TB, addr string) *IMAP {
	b := &IMAP{Address: addr, ServerName: relayName, CAs: testAuthority().pool, Login: password, LoopbackOnly: true}
	t.Cleanup(func() { b.Close() })
	return b
}

// all takes everything behind a place.
func all(t testing.TB, b Inbox, from Place) []Taken {
	t.Helper()
	var out []Taken
	if err := b.Take(t.Context(), from, func(x Taken) error { out = append(out, x); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func texts(l []Taken) string {
	var out []string
	for _, x := range l {
		out = append(out, fmt.Sprintf("%d/%d:%s", x.Validity, x.UID, x.Raw))
	}
	return strings.Join(out, " ")
}

func notTakenAt(t testing.TB, err error, step string) *NotTaken {
	t.Helper()
	n, ok := errors.AsType[*NotTaken](err)
	if !ok || n.Step != step {
		t.Fatalf("got %#v (%v), want it not to be taken at %q", err, err, step)
	}
	if strings.Contains(n.Error(), "secret") || strings.ContainsAny(n.Error(), "\n\r") {
		t.Errorf("the error tells too much: %v", n)
	}
	return n
}

func TestIMAPTake(t *testing.T) {
	for name, implicit := range map[string]bool{"STARTTLS": false, "implicit TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMemory(t, implicit)
			b := inboxAt(t, m.addr)
			b.ImplicitTLS = implicit
			if got := all(t, b, Place{}); len(got) != 0 {
				t.Fatalf("an empty mailbox gave %s", texts(got))
			}
			for _, s := range []string{"A: 1\r\n\r\none", "A: 2\r\n\r\ntwo\x00\xff", "A: 3\r\n\r\nthree"} {
				m.put(t, s)
			}
			got := all(t, b, Place{})
			if want := "1/1:A: 1\r\n\r\none 1/2:A: 2\r\n\r\ntwo\x00\xff 1/3:A: 3\r\n\r\nthree"; texts(got) != want {
				t.Fatalf("got %q, want %q", texts(got), want)
			}
			if at := got[0].At; !at.Equal(time.Date(2026, 3, 4, 4, 6, 7, 0, time.UTC)) || at.Location() != time.UTC {
				t.Errorf("it came at %v", at)
			}
			for i, want := range []string{"1/1 1/2 1/3", "1/2 1/3", "1/3", ""} {
				var ids []string
				for _, x := range all(t, b, Place{1, uint32(i)}) {
					ids = append(ids, fmt.Sprintf("%d/%d", x.Validity, x.UID))
				}
				if s := strings.Join(ids, " "); s != want {
					t.Errorf("behind %d there is %q, want %q", i, s, want)
				}
			}
			st, err := m.user.Status("INBOX", &imap.StatusOptions{NumUnseen: true, NumMessages: true})
			if err != nil || *st.NumUnseen != 3 || *st.NumMessages != 3 {
				t.Errorf("the mailbox was changed: %+v, %v", st, err)
			}
		})
	}
}

func TestIMAPStopsWhereTheCallerFails(t *testing.T) {
	t.Parallel()
	m := newMemory(t, false)
	b := inboxAt(t, m.addr)
	for _, s := range []string{"A: 1\r\n\r\n", "A: 2\r\n\r\n", "A: 3\r\n\r\n"} {
		m.put(t, s)
	}
	full := errors.New("disk full")
	var from Place
	err := b.Take(t.Context(), from, func(x Taken) error {
		if x.UID == 2 {
			return full
		}
		from = x.Place
		return nil
	})
	if err != full || from != (Place{1, 1}) {
		t.Fatalf("got %v at %v", err, from)
	}
	if got := all(t, b, from); len(got) != 2 || got[0].UID != 2 {
		t.Errorf("afterwards there is %s", texts(got))
	}
}

func TestIMAPValidity(t *testing.T) {
	t.Parallel()
	m := newMemory(t, false)
	b := inboxAt(t, m.addr)
	m.put(t, "A: 1\r\n\r\n")
	m.put(t, "A: 2\r\n\r\n")
	got := all(t, b, Place{})
	last := got[1].Place
	if err := m.user.Delete("INBOX"); err != nil {
		t.Fatal(err)
	}
	m.make(t)
	if got := all(t, b, last); len(got) != 0 {
		t.Errorf("the new mailbox is empty and gave %s", texts(got))
	}
	m.put(t, "A: 2\r\n\r\n")
	m.put(t, "A: 3\r\n\r\n")
	again := all(t, b, last)
	if texts(again) != "2/1:A: 2\r\n\r\n 2/2:A: 3\r\n\r\n" {
		t.Fatalf("of the new mailbox came %q", texts(again))
	}
	if sha256.Sum256(again[0].Raw) != sha256.Sum256(got[1].Raw) {
		t.Error("the message that was there before is not the same any more")
	}
	if got := all(t, b, again[1].Place); len(got) != 0 {
		t.Errorf("it was read to the end and gave %s", texts(got))
	}
}

func TestIMAPLarge(t *testing.T) {
	t.Parallel()
	m := newMemory(t, false)
	b := inboxAt(t, m.addr)
	large := "A: 1\r\n\r\n" + strings.Repeat("0123456789abcdef", 50<<20/16)
	m.put(t, large)
	got := all(t, b, Place{})
	if len(got) != 1 || got[0].Cut || sha256.Sum256(got[0].Raw) != sha256.Sum256([]byte(large)) {
		t.Fatalf("a message of 50 MB did not come whole: %d, cut %v", len(got[0].Raw), got[0].Cut)
	}
	m.put(t, "A: 2\r\n\r\nsmall")
	b.MaxBytes = 1 << 20
	b.line = nil
	got = all(t, b, Place{})
	if len(got) != 2 || !got[0].Cut || string(got[0].Raw) != large[:1<<20] || got[1].Cut || got[1].UID != 2 {
		t.Fatalf("of a message that is too large came %d bytes, cut %v", len(got[0].Raw), got[0].Cut)
	}
}

func TestIMAPWait(t *testing.T) {
	t.Parallel()
	m := newMemory(t, false)
	b := inboxAt(t, m.addr)
	if err := b.Wait(t.Context(), time.Hour); err != nil { // a new connection: something may be there
		t.Fatal(err)
	}
	all(t, b, Place{})
	begin := time.Now()
	if err := b.Wait(t.Context(), 50*time.Millisecond); err != nil || time.Since(begin) < 50*time.Millisecond || time.Since(begin) > 10*time.Second {
		t.Fatalf("with nothing new it returned %v after %v", err, time.Since(begin))
	}
	time.AfterFunc(100*time.Millisecond, func() { m.put(t, "A: 1\r\n\r\n") })
	if err := b.Wait(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := all(t, b, Place{}); len(got) != 1 {
		t.Errorf("after the wait there is %s", texts(got))
	}
	// What comes while messages are being taken is not waited for.
	from := Place{}
	if err := b.Take(t.Context(), from, func(x Taken) error { from = x.Place; m.put(t, "A: 2\r\n\r\n"); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := b.Wait(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := all(t, b, from); len(got) != 1 || got[0].UID != 2 {
		t.Errorf("there is %s", texts(got))
	}
}

// imapScript is a mail server that speaks as it is told to. At each step it answers as usual unless the script has something else for it:
// an answer, "cut" to close the connection, "stall" to say nothing more; or an answer with one of these behind an "and". TAG is the tag.
//
// Steps: greeting, STARTTLS, handshake, CAPABILITY, signin, challenge, EXAMINE, list, again (whether one message is there), fetch, IDLE, DONE, NOOP.
type imapScript struct {
	script   map[string]string
	once     bool // the script is for the first connection alone
	caps     string
	conf     *tls.Config
	implicit bool
	validity uint32
	next     uint32
	box      map[uint32]string
	sizes    map[uint32]int // what it says they have, where it is not so

	addr  string
	conns atomic.Int32
	mu    sync.Mutex
	log   []string
	done  chan struct{}
}

func (s *imapScript) start(t testing.TB) *imapScript {
	t.Helper()
	if s.conf == nil {
		s.conf = &tls.Config{Certificates: []tls.Certificate{testCertificate()}}
	}
	if s.caps == "" {
		s.caps = "AUTH=PLAIN AUTH=XOAUTH2 SASL-IR IDLE"
	}
	if s.validity == 0 {
		s.validity = 7
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr, s.done = l.Addr().String(), make(chan struct{})
	var every sync.WaitGroup
	every.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(s.conns.Add(1))
			every.Go(func() {
				defer c.Close()
				go func() { <-s.done; c.Close() }()
				s.talk(c, n)
			})
		}
	})
	t.Cleanup(func() { close(s.done); l.Close(); every.Wait() })
	return s
}

func (s *imapScript) put(uid uint32, raw string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.box[uid] = raw
}

func (s *imapScript) now(step, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script[step] = what
}

func (s *imapScript) commands() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, "\n")
}

func (s *imapScript) talk(c net.Conn, n int) {
	var tag string
	say := func(step, usual string) error {
		s.mu.Lock()
		what, told := s.script[step]
		s.mu.Unlock()
		if !told || s.once && n > 1 {
			what = usual
		}
		what = strings.ReplaceAll(what, "TAG", tag)
		end := ""
		for _, e := range []string{"cut", "stall"} {
			if what == e {
				what, end = "", e
			} else if rest, ok := strings.CutSuffix(what, " and "+e); ok {
				what, end = rest, e
			}
		}
		if what != "" {
			if _, err := io.WriteString(c, what); err != nil {
				return err
			}
		}
		switch end {
		case "stall":
			<-s.done
			return errCut
		case "cut":
			return errCut
		}
		_, err := io.WriteString(c, "\r\n")
		return err
	}
	r := bufio.NewReader(c)
	secure := false
	handshake := func() error {
		s.mu.Lock()
		what := s.script["handshake"]
		s.mu.Unlock()
		if what == "stall" && (!s.once || n == 1) {
			<-s.done
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
	if say("greeting", "* OK ready") != nil {
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
		var verb, rest string
		tag, rest, _ = strings.Cut(text, " ")
		verb, rest, _ = strings.Cut(rest, " ")
		if verb == "UID" {
			verb, rest, _ = strings.Cut(rest, " ")
		}
		switch verb {
		case "STARTTLS":
			if err = say("STARTTLS", "TAG OK go ahead"); err == nil {
				err = handshake()
			}
		case "CAPABILITY":
			caps := "IMAP4rev1 STARTTLS LOGINDISABLED"
			if secure {
				caps = "IMAP4rev1 " + s.caps
			}
			err = say("CAPABILITY", "* CAPABILITY "+caps+"\r\nTAG OK")
		case "LOGIN":
			if rest == `"us" "secret"` {
				err = say("signin", "TAG OK welcome")
			} else {
				err = say("signin", "TAG NO [AUTHENTICATIONFAILED] no")
			}
		case "AUTHENTICATE":
			err = s.authenticate(r, rest, say)
		case "EXAMINE":
			s.mu.Lock()
			last := s.next
			for uid := range s.box {
				last = max(last, uid+1)
			}
			usual := fmt.Sprintf("* FLAGS (\\Seen)\r\n* %d EXISTS\r\n* OK [UIDVALIDITY %d] it\r\n* OK [UIDNEXT %d] next\r\nTAG OK [READ-ONLY] open", len(s.box), s.validity, max(last, 1))
			s.mu.Unlock()
			err = say("EXAMINE", usual)
		case "FETCH":
			err = s.fetch(rest, say)
		case "IDLE":
			s.mu.Lock()
			refuses := strings.HasPrefix(s.script["IDLE"], "TAG")
			s.mu.Unlock()
			if err = say("IDLE", "+ idling"); err == nil && !refuses {
				if text, err = r.ReadString('\n'); err == nil && text == "DONE\r\n" {
					err = say("DONE", "TAG OK done")
				}
			}
		case "LOGOUT":
			say("LOGOUT", "* BYE\r\nTAG OK bye")
			return
		default:
			err = say(verb, "TAG OK")
		}
		if err != nil {
			return
		}
	}
}

func (s *imapScript) authenticate(r *bufio.Reader, rest string, say func(step, usual string) error) error {
	how, first, _ := strings.Cut(rest, " ")
	if first == "" {
		if err := say("ready", "+ "); err != nil {
			return err
		}
		text, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		first = strings.TrimSpace(text)
	}
	b, _ := base64.StdEncoding.DecodeString(first)
	switch {
	case how == "PLAIN" && string(b) == "\x00us\x00secret", how == "XOAUTH2" && string(b) == "user=us\x01auth=Bearer fresh\x01\x01":
		return say("signin", "TAG OK welcome")
	case how == "XOAUTH2":
		if err := say("challenge", "+ "+base64.StdEncoding.EncodeToString([]byte(`{"status":"401","schemes":"bearer"}`))); err != nil {
			return err
		}
		if _, err := r.ReadString('\n'); err != nil {
			return err
		}
	}
	return say("signin", "TAG NO [AUTHENTICATIONFAILED] no")
}

// fetch answers both: what there is, and one message.
func (s *imapScript) fetch(rest string, say func(step, usual string) error) error {
	s.mu.Lock()
	var low, high uint32
	set, items, _ := strings.Cut(rest, " ")
	switch n, _ := fmt.Sscanf(set, "%d:%d", &low, &high); {
	case strings.HasSuffix(set, ":*"):
		high = 1<<32 - 1
	case n < 2:
		high = low
	}
	var uids []uint32
	for uid := range s.box {
		uids = append(uids, uid)
	}
	slices.Sort(uids)
	if strings.HasSuffix(set, ":*") && len(uids) > 0 { // the last is always in it
		low = min(low, uids[len(uids)-1])
	}
	out := ""
	for i, uid := range uids {
		if uid < low || uid > high {
			continue
		}
		raw := s.box[uid]
		if !strings.Contains(items, "BODY") {
			size, told := s.sizes[uid]
			if !told {
				size = len(raw)
			}
			out += fmt.Sprintf("* %d FETCH (UID %d RFC822.SIZE %d)\r\n", i+1, uid, size)
			continue
		}
		section := "BODY[]"
		if _, part, ok := strings.Cut(items, "<0."); ok {
			most := 0
			fmt.Sscanf(part, "%d>", &most)
			section, raw = "BODY[]<0>", raw[:min(len(raw), most)]
		}
		out += fmt.Sprintf("* %d FETCH (UID %d INTERNALDATE \"04-Mar-2026 05:06:07 +0100\" %s {%d}\r\n%s)\r\n", i+1, uid, section, len(raw), raw)
	}
	s.mu.Unlock()
	if strings.Contains(items, "BODY") {
		return say("fetch", out+"TAG OK")
	}
	if !strings.HasSuffix(set, ":*") {
		return say("again", out+"TAG OK")
	}
	return say("list", out+"TAG OK")
}

// quickInbox waits for nobody.
var quickInbox = InboxPatience{Dial: 5 * time.Second, Command: 500 * time.Millisecond, Message: time.Second, Idle: 100 * time.Millisecond, Poll: 50 * time.Millisecond}

func TestIMAPSilent(t *testing.T) {
	t.Parallel()
	halfway := "* 1 FETCH (UID 1 BODY[] {9}\r\nA: 1 and stall"
	for _, c := range []struct{ name, step, what, at, said string }{
		{"greeting", "greeting", "stall", "tls", "in time"},
		{"STARTTLS", "STARTTLS", "stall", "tls", "in time"},
		{"handshake", "handshake", "stall", "tls", "in time"},
		{"capability", "CAPABILITY", "stall", "sign in", "in time"},
		{"half a capability", "CAPABILITY", "* CAPABILITY IMAP4rev1 AU and stall", "sign in", "in time"},
		{"sign in", "signin", "stall", "sign in", "in time"},
		{"folder", "EXAMINE", "stall", "folder", "in time"},
		{"half a folder", "EXAMINE", "* 1 EXISTS\r\n* OK [UIDVALIDITY 7] it\r\n and stall", "folder", "in time"},
		{"list", "list", "stall", "list", "in time"},
		{"half a list", "list", "* 1 FETCH (UID 1 RFC822.SI and stall", "list", "in time"},
		{"message", "fetch", "stall", "message", "in time"},
		{"half a message", "fetch", halfway, "message", "in time"},
		{"whole message and no end", "fetch", "* 1 FETCH (UID 1 BODY[] {8}\r\nA: 1\r\n\r\n)\r\n and stall", "message", "in time"},
		{"idle", "IDLE", "stall", "wait", "in time"},
		{"end of idle", "DONE", "stall", "wait", "in time"},
		{"noop", "NOOP", "stall", "wait", "in time"},
		{"folder, unwell", "EXAMINE", "TAG NO [SERVERBUG] see the log", "folder", "[SERVERBUG]"},
		{"list, unwell", "list", "TAG NO [SERVERBUG] see the log", "list", "[SERVERBUG]"},
		{"cut at greeting", "greeting", "cut", "tls", "failed at securing"},
		{"cut at sign in", "signin", "cut", "sign in", "failed at signing in"},
		{"cut at folder", "EXAMINE", "cut", "folder", "failed at opening"},
		{"cut in a list", "list", "* 1 FETCH (UID 1 and cut", "list", "failed at listing"},
		{"cut in a message", "fetch", "* 1 FETCH (UID 1 BODY[] {9}\r\nA: 1 and cut", "message", "failed at handing"},
		{"cut in idle", "IDLE", "+ idling\r\n and cut", "wait", "failed at waiting"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := (&imapScript{script: map[string]string{c.step: c.what}, once: true, box: map[uint32]string{1: "A: 1\r\n\r\n"}}).start(t)
			b := inboxAt(t, s.addr)
			b.Patience = quickInbox
			begin := time.Now()
			err := b.Take(t.Context(), Place{}, func(Taken) error { return nil })
			if err == nil {
				err = b.Wait(t.Context(), 300*time.Millisecond)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
			n := notTakenAt(t, err, c.at)
			if !strings.Contains(n.Said, c.said) {
				t.Errorf("it says %q, want %q", n.Said, c.said)
			}
			if n.Hint != "" {
				t.Errorf("nobody has to do anything, and it says %q", n.Hint)
			}
			if c.at == "message" && n.At != (Place{7, 1}) {
				t.Errorf("it was at %v", n.At)
			}
			b.Patience.Command = 10 * time.Second // for slow machines
			if got := all(t, b, Place{}); texts(got) != "7/1:A: 1\r\n\r\n" || s.conns.Load() != 2 {
				t.Errorf("the next call got %q on connection %d", texts(got), s.conns.Load())
			}
		})
	}
}

// A server that says a little now and then is not waited for beyond all measure.
func TestIMAPTrickle(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "* OK")
		for {
			if _, err := io.WriteString(c, " ."); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	b := inboxAt(t, l.Addr().String())
	b.Patience = quickInbox
	notTakenAt(t, b.Take(t.Context(), Place{}, func(Taken) error { return nil }), "tls")
}

func TestIMAPStrange(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 4<<20)
	for _, c := range []struct{ name, step, what, at string }{
		{"another protocol", "greeting", "220 relay.example.test ESMTP", "tls"},
		{"bye", "greeting", "* BYE too many of you", "tls"},
		{"greeting without end", "greeting", long, "tls"},
		{"empty folder answer", "EXAMINE", "", "folder"},
		{"empty line", "list", "\r\n\r\n", "list"},
		{"no validity", "EXAMINE", "* 1 EXISTS\r\nTAG OK", "folder"},
		{"validity of nothing", "EXAMINE", "* 1 EXISTS\r\n* OK [UIDVALIDITY 0] it\r\nTAG OK", "folder"},
		{"validity of letters", "EXAMINE", "* 1 EXISTS\r\n* OK [UIDVALIDITY x] it\r\nTAG OK", "folder"},
		{"foreign tag", "EXAMINE", "Z9 OK", "folder"},
		{"continuation nobody asked for", "EXAMINE", "+ go on", "folder"},
		{"nothing in the list", "list", "TAG OK", "list"},
		{"list refused", "list", "TAG BAD what", "list"},
		{"size of letters", "list", "* 1 FETCH (UID 1 RFC822.SIZE x)\r\nTAG OK", "list"},
		{"list of nothing", "list", "* 1 FETCH ()\r\nTAG OK", "list"},
		{"list too deep", "list", "* 1 FETCH (FLAGS " + strings.Repeat("(", 5000), "list"},
		{"list without end", "list", "* 1 FETCH (FLAGS (" + long, "list"},
		{"UID of nothing", "list", "* 1 FETCH (UID 0 RFC822.SIZE 5)\r\nTAG OK", "list"},
		{"UID too large", "list", "* 1 FETCH (UID 99999999999 RFC822.SIZE 5)\r\nTAG OK", "list"},
		{"no message", "fetch", "TAG OK", "message"},
		{"message of NIL", "fetch", "* 1 FETCH (UID 1 BODY[] NIL)\r\nTAG OK", "message"},
		{"empty message", "fetch", "* 1 FETCH (UID 1 BODY[] {0}\r\n)\r\nTAG OK", "message"},
		{"message refused", "fetch", "TAG NO [SERVERBUG] see the log", "message"},
		{"message of minus one", "fetch", "* 1 FETCH (UID 1 BODY[] {-1}\r\n)\r\nTAG OK", "message"},
		{"message of another section", "fetch", "* 1 FETCH (UID 1 BODY[1.2.3 {3}\r\nabc)\r\nTAG OK", "message"},
		{"date of letters", "fetch", "* 1 FETCH (UID 1 INTERNALDATE \"yesterday\" BODY[] {3}\r\nabc)\r\nTAG OK", "message"},
		{"unknown item", "fetch", "* 1 FETCH (UID 1 X-NEWS (a b))\r\nTAG OK", "message"},
		{"sudden closing of the folder", "list", "* OK [CLOSED] x\r\n* 5 EXISTS\r\n* FLAGS (x)\r\n* 5 EXPUNGE\r\n* 0 EXPUNGE\r\nTAG OK", "list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := (&imapScript{script: map[string]string{c.step: c.what}, box: map[uint32]string{1: "A: 1\r\n\r\n"}}).start(t)
			b := inboxAt(t, s.addr)
			b.Patience = quickInbox
			b.Patience.Command = time.Second
			n := notTakenAt(t, b.Take(t.Context(), Place{}, func(x Taken) error { t.Errorf("%q was taken", x.Raw); return nil }), c.at)
			if len(n.Said) > 800 {
				t.Errorf("it says too much: %q", n.Said)
			}
			if len(c.what) > 1<<20 && c.at == "list" && !strings.Contains(n.Said, "more than was asked for") {
				t.Errorf("it says %q", n.Said)
			}
		})
	}
}

func TestIMAPAnswersInBetween(t *testing.T) {
	t.Parallel()
	two := map[uint32]string{3: "A: 3\r\n\r\n", 5: "A: 5\r\n\r\n"}
	for _, c := range []struct {
		name   string
		server *imapScript
		from   Place
		want   string
	}{
		{"the last one is always listed", &imapScript{box: two}, Place{7, 5}, ""},
		{"from the greatest UID", &imapScript{box: two, next: 1<<32 - 1}, Place{7, 1<<32 - 2}, ""},
		{"not in order", &imapScript{box: two, script: map[string]string{"list": "* 2 FETCH (UID 5 RFC822.SIZE 8)\r\n* 1 FETCH (UID 3 RFC822.SIZE 8)\r\nTAG OK"}}, Place{}, "7/3:A: 3\r\n\r\n 7/5:A: 5\r\n\r\n"},
		{"flags in place of sizes", &imapScript{box: two, script: map[string]string{"list": "* 1 FETCH (UID 3 FLAGS (\\Seen))\r\n* 1 FETCH (UID 3 RFC822.SIZE 8)\r\n* 2 FETCH (UID 5 RFC822.SIZE 8)\r\nTAG OK"}}, Place{}, "7/3:A: 3\r\n\r\n 7/5:A: 5\r\n\r\n"},
		{"one vanished", &imapScript{box: two, script: map[string]string{"list": "* 1 FETCH (UID 3 RFC822.SIZE 8)\r\n* 2 FETCH (UID 4 RFC822.SIZE 8)\r\n* 3 FETCH (UID 5 RFC822.SIZE 8)\r\nTAG OK"}}, Place{}, "7/3:A: 3\r\n\r\n 7/5:A: 5\r\n\r\n"},
		{"size that is too small", &imapScript{box: two, sizes: map[uint32]int{3: 1}}, Place{}, "7/3:A: 3\r\n\r\n 7/5:A: 5\r\n\r\n"},
		{"size that is too large", &imapScript{box: two, sizes: map[uint32]int{3: 1 << 40}}, Place{}, "7/3:A: 3\r\n\r\n 7/5:A: 5\r\n\r\n"},
		{"an empty message", &imapScript{box: map[uint32]string{3: "", 5: "A: 5\r\n\r\n"}}, Place{}, "7/3: 7/5:A: 5\r\n\r\n"},
		{"a backup was put back", &imapScript{box: two}, Place{7, 100}, "7/3:A: 3\r\n\r\n 7/5:A: 5\r\n\r\n"},
		{"challenge before the first word", &imapScript{box: two, caps: "AUTH=PLAIN"}, Place{7, 3}, "7/5:A: 5\r\n\r\n"},
		{"LOGIN only", &imapScript{box: two, caps: "IDLE"}, Place{7, 3}, "7/5:A: 5\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := inboxAt(t, c.server.start(t).addr)
			if got := texts(all(t, b, c.from)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// While a message is fetched somebody marks it as read: the server tells that first, and the library takes it for the answer.
func TestIMAPFlagsInBetween(t *testing.T) {
	t.Parallel()
	s := (&imapScript{box: map[uint32]string{1: "A: 1\r\n\r\n"}, script: map[string]string{
		"fetch": "* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n* 1 FETCH (UID 1 BODY[] {8}\r\nA: 1\r\n\r\n)\r\nTAG OK"}}).start(t)
	b := inboxAt(t, s.addr)
	n := notTakenAt(t, b.Take(t.Context(), Place{}, func(x Taken) error { t.Errorf("%q was taken", x.Raw); return nil }), "message")
	if n.At != (Place{7, 1}) || n.Hint == "" {
		t.Errorf("it says %+v", n)
	}
	s.mu.Lock()
	delete(s.script, "fetch")
	s.mu.Unlock()
	if got := all(t, b, Place{}); texts(got) != "7/1:A: 1\r\n\r\n" || s.conns.Load() != 2 {
		t.Errorf("then came %q on connection %d", texts(got), s.conns.Load())
	}
}

// A message that is much larger than the server said is cut, and what is behind it comes nevertheless.
func TestIMAPSizeLies(t *testing.T) {
	t.Parallel()
	s := (&imapScript{box: map[uint32]string{1: "A: 1\r\n\r\n" + strings.Repeat("x", 8<<20), 2: "A: 2\r\n\r\n"}, sizes: map[uint32]int{1: 10}}).start(t)
	b := inboxAt(t, s.addr)
	b.MaxBytes = 1000
	got := all(t, b, Place{})
	if len(got) != 2 || !got[0].Cut || len(got[0].Raw) != 1000 || got[1].Cut || string(got[1].Raw) != "A: 2\r\n\r\n" {
		t.Errorf("got %d messages, the first with %d bytes", len(got), len(got[0].Raw))
	}
}

// More messages than are listed at a time come all the same, in order.
func TestIMAPMany(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	for uid := 3*mostListed + 5; uid > 0; uid-- {
		fmt.Fprintf(&list, "* %d FETCH (UID %d RFC822.SIZE 8)\r\n", uid, uid)
	}
	s := (&imapScript{script: map[string]string{
		"EXAMINE": fmt.Sprintf("* %d EXISTS\r\n* OK [UIDVALIDITY 7] it\r\nTAG OK", 3*mostListed+5),
		"list":    list.String() + "TAG OK"}}).start(t)
	b := inboxAt(t, s.addr)
	l, err := b.ready(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	box, err := l.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var from uint32
	for i := range 4 {
		got, more, err := l.list(t.Context(), from, box)
		if err != nil || more != (i < 3) || more && len(got) != mostListed || got[0].uid != from+1 || !slices.IsSortedFunc(got, func(a, b listed) int { return int(a.uid) - int(b.uid) }) {
			t.Fatalf("list %d has %d, more %v, %v", i, len(got), more, err)
		}
		from = got[len(got)-1].uid
	}
	if from != 3*mostListed+5 {
		t.Errorf("it ends at %d", from)
	}
}

func TestIMAPWithoutIdle(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*imapScript{
		"not offered":         {caps: "AUTH=PLAIN", script: map[string]string{}, box: map[uint32]string{}},
		"offered and refused": {script: map[string]string{"IDLE": "TAG NO not today"}, box: map[uint32]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.start(t)
			b := inboxAt(t, s.addr)
			b.Patience.Poll = 20 * time.Millisecond
			all(t, b, Place{})
			begin := time.Now()
			if err := b.Wait(t.Context(), 100*time.Millisecond); err != nil || time.Since(begin) < 100*time.Millisecond {
				t.Fatalf("it returned %v after %v", err, time.Since(begin))
			}
			if n := strings.Count(s.commands(), "NOOP"); n < 2 {
				t.Errorf("it looked %d times", n)
			}
			s.put(1, "A: 1\r\n\r\n")
			s.now("NOOP", "* 1 EXISTS\r\nTAG OK")
			if err := b.Wait(t.Context(), time.Hour); err != nil {
				t.Fatal(err)
			}
			if got := all(t, b, Place{}); len(got) != 1 {
				t.Errorf("there is %s", texts(got))
			}
		})
	}
}

func TestIMAPIdleBeginsAnew(t *testing.T) {
	t.Parallel()
	s := (&imapScript{box: map[uint32]string{}}).start(t)
	b := inboxAt(t, s.addr)
	b.Patience.Idle = 30 * time.Millisecond
	all(t, b, Place{})
	if err := b.Wait(t.Context(), 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if log := s.commands(); strings.Count(log, "IDLE") < 2 || strings.Count(log, "NOOP") < 2 {
		t.Errorf("the commands were\n%s", log)
	}
}

func TestIMAPNotTrusted(t *testing.T) {
	t.Parallel()
	foreign := newAuthority()
	old := &tls.Config{Certificates: []tls.Certificate{testCertificate()}, MaxVersion: tls.VersionTLS11}
	for name, c := range map[string]struct {
		server *imapScript
		name   string
		said   string
	}{
		"foreign authority":      {&imapScript{conf: &tls.Config{Certificates: []tls.Certificate{foreign.issue(relayName, time.Hour)}}}, relayName, "cannot be trusted"},
		"foreign, implicit":      {&imapScript{implicit: true, conf: &tls.Config{Certificates: []tls.Certificate{foreign.issue(relayName, time.Hour)}}}, relayName, "cannot be trusted"},
		"another name":           {&imapScript{}, "imap.example.test", "cannot be trusted"},
		"expired":                {&imapScript{conf: &tls.Config{Certificates: []tls.Certificate{testAuthority().issue(relayName, -time.Hour)}}}, relayName, "cannot be trusted"},
		"TLS 1.1":                {&imapScript{conf: old}, relayName, "failed at securing"},
		"no STARTTLS":            {&imapScript{script: map[string]string{"STARTTLS": "TAG BAD what is that"}}, relayName, "does not offer TLS"},
		"let in before TLS":      {&imapScript{script: map[string]string{"greeting": "* PREAUTH welcome"}}, relayName, "does not offer TLS"},
		"words put before TLS":   {&imapScript{script: map[string]string{"STARTTLS": "TAG OK go\r\n* OK [ALERT] x"}}, relayName, "before TLS"},
		"no answer to STARTTLS":  {&imapScript{script: map[string]string{"STARTTLS": "hello"}}, relayName, "something else"},
		"implicit where it isnt": {&imapScript{implicit: false}, "", "failed at securing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := c.server.start(t)
			b := inboxAt(t, s.addr)
			b.ServerName, b.ImplicitTLS = c.name, s.implicit || c.name == ""
			b.Login = func(context.Context) (Login, error) { t.Error("the login was asked for"); return Login{}, nil }
			n := notTakenAt(t, b.Take(t.Context(), Place{}, nil), "tls")
			if !strings.Contains(n.Said, c.said) {
				t.Errorf("it says %q, want %q", n.Said, c.said)
			}
			if log := s.commands(); strings.Contains(log, "us") {
				t.Errorf("it was told who we are: %s", log)
			}
		})
	}
}

func TestIMAPSignIn(t *testing.T) {
	t.Parallel()
	with := func(l Login) LoginFunc { return func(context.Context) (Login, error) { return l, nil } }
	file := filepath.Join(t.TempDir(), "login")
	if err := os.WriteFile(file, []byte("user us\npassword secret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		server     *imapScript
		login      LoginFunc
		said, hint string // said is "" when it works
	}{
		"PLAIN":                    {&imapScript{}, password, "", ""},
		"LOGIN":                    {&imapScript{caps: "IDLE"}, password, "", ""},
		"token":                    {&imapScript{}, with(Login{User: "us", Token: "fresh"}), "", ""},
		"token, asked for":         {&imapScript{caps: "AUTH=XOAUTH2"}, with(Login{User: "us", Token: "fresh"}), "", ""},
		"wrong password":           {&imapScript{}, with(Login{User: "us", Password: "wrong"}), "NO [AUTHENTICATIONFAILED] no", "check user and password"},
		"wrong password of LOGIN":  {&imapScript{caps: "IDLE"}, with(Login{User: "us", Password: "wrong"}), "NO [AUTHENTICATIONFAILED] no", "check user and password"},
		"token that ran out":       {&imapScript{}, with(Login{User: "us", Token: "old"}), "401", "token was refused or has run out"},
		"token, no challenge":      {&imapScript{script: map[string]string{"challenge": "TAG NO [EXPIRED] ran out"}}, with(Login{User: "us", Token: "old"}), "[EXPIRED] ran out", "token was refused or has run out"},
		"no way for a token":       {&imapScript{caps: "AUTH=PLAIN"}, with(Login{User: "us", Token: "fresh"}), "offers no way", "XOAUTH2"},
		"no way for a password":    {&imapScript{caps: "LOGINDISABLED AUTH=XOAUTH2"}, password, "offers no way", "PLAIN or LOGIN"},
		"server is unwell":         {&imapScript{script: map[string]string{"signin": "TAG NO [UNAVAILABLE] later"}}, password, "[UNAVAILABLE] later", ""},
		"no login":                 {&imapScript{}, nil, "nothing to sign in", "set-up"},
		"file for everybody":       {&imapScript{}, LoginFile(file), "everybody", "chmod 600"},
		"answers with a challenge": {&imapScript{script: map[string]string{"signin": "+ bm8="}}, password, "failed at signing in", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := inboxAt(t, c.server.start(t).addr)
			b.Login = c.login
			err := b.Take(t.Context(), Place{}, func(Taken) error { return nil })
			if c.said == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			n := notTakenAt(t, err, "sign in")
			if !strings.Contains(n.Said, c.said) || !strings.Contains(n.Hint, c.hint) || c.hint == "" && n.Hint != "" {
				t.Errorf("it says %q with the hint %q; want %q, %q", n.Said, n.Hint, c.said, c.hint)
			}
		})
	}
}

func TestIMAPFolder(t *testing.T) {
	t.Parallel()
	m := newMemory(t, false)
	b := inboxAt(t, m.addr)
	b.Folder = "Atebion & Ymholiadau ŵ"
	n := notTakenAt(t, b.Take(t.Context(), Place{}, nil), "folder")
	if !strings.Contains(n.Said, "NONEXISTENT") || !strings.Contains(n.Hint, b.Folder) {
		t.Errorf("it says %q with the hint %q", n.Said, n.Hint)
	}
	if err := m.user.Create(b.Folder, nil); err != nil {
		t.Fatal(err)
	}
	if got := all(t, b, Place{}); len(got) != 0 {
		t.Errorf("there is %s", texts(got))
	}
}

func TestIMAPStopped(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"greeting", "handshake", "signin", "EXAMINE", "list", "fetch"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			s := (&imapScript{script: map[string]string{step: "stall"}, box: map[uint32]string{1: "A: 1\r\n\r\n"}}).start(t)
			b := inboxAt(t, s.addr)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			begin := time.Now()
			err := b.Take(ctx, Place{}, func(Taken) error { return nil })
			if n, ok := errors.AsType[*NotTaken](err); !ok || !errors.Is(err, context.Canceled) || n.Said != "it was stopped" || time.Since(begin) > 10*time.Second {
				t.Errorf("got %v after %v", err, time.Since(begin))
			}
		})
	}
	t.Run("between messages", func(t *testing.T) {
		t.Parallel()
		m := newMemory(t, false)
		b := inboxAt(t, m.addr)
		m.put(t, "A: 1\r\n\r\n")
		m.put(t, "A: 2\r\n\r\n")
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		if err := b.Take(ctx, Place{}, func(Taken) error { n++; cancel(); return nil }); !errors.Is(err, context.Canceled) || n != 1 {
			t.Errorf("got %v after %d", err, n)
		}
	})
	t.Run("wait", func(t *testing.T) {
		t.Parallel()
		b := inboxAt(t, newMemory(t, false).addr)
		all(t, b, Place{})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := b.Wait(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		all(t, b, Place{})
	})
	t.Run("close", func(t *testing.T) {
		t.Parallel()
		b := inboxAt(t, newMemory(t, false).addr)
		all(t, b, Place{})
		time.AfterFunc(100*time.Millisecond, func() { b.Close() })
		if err := b.Wait(t.Context(), time.Hour); err == nil {
			t.Error("the wait went on")
		}
		if e, ok := errors.AsType[*caseforms.Error](b.Take(t.Context(), Place{}, nil)); !ok || e.Kind != caseforms.Internal {
			t.Errorf("after it was closed it gave %v", e)
		}
		b.Close()
	})
	t.Run("close takes leave", func(t *testing.T) {
		t.Parallel()
		s := (&imapScript{box: map[uint32]string{}}).start(t)
		b := inboxAt(t, s.addr)
		all(t, b, Place{})
		b.Close()
		if log := s.commands(); !strings.HasSuffix(log, "LOGOUT") {
			t.Errorf("the commands were\n%s", log)
		}
	})
}

func TestIMAPLoopbackOnly(t *testing.T) {
	t.Parallel()
	b := &IMAP{Address: "192.0.2.1:993", Login: password, LoopbackOnly: true}
	n := notTakenAt(t, b.Take(t.Context(), Place{}, nil), "dial")
	if !strings.Contains(n.Said, "beyond this machine") {
		t.Errorf("it says %q", n.Said)
	}
}

// What was given up leaves nothing behind.
func TestIMAPLeavesNothing(t *testing.T) {
	begin := runtime.NumGoroutine()
	for _, step := range []string{"greeting", "signin", "EXAMINE", "list", "fetch", "IDLE", "DONE"} {
		t.Run(step, func(t *testing.T) {
			what := "stall"
			if step == "fetch" {
				what = "* 1 FETCH (UID 1 BODY[] {9}\r\nA: 1 and stall"
			}
			s := (&imapScript{script: map[string]string{step: what}, box: map[uint32]string{1: "A: 1\r\n\r\n"}}).start(t)
			b := inboxAt(t, s.addr)
			b.Patience = quickInbox
			err := b.Take(t.Context(), Place{}, func(Taken) error { return nil })
			if err == nil {
				err = b.Wait(t.Context(), 300*time.Millisecond)
			}
			if err == nil {
				t.Error("it went through")
			}
		})
	}
	end := 0
	for range 100 {
		if end = runtime.NumGoroutine(); end <= begin {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines more than before:\n%s", end-begin, buf[:runtime.Stack(buf, true)])
}
