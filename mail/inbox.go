package mail

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"caseforms"
)

// Place is how far a mailbox was read: the message with this UID and all before it (RFC 9051 2.3.1.1). The zero Place is before everything.
type Place struct{ Validity, UID uint32 }

// Taken is a message as it lay in the mailbox.
type Taken struct {
	Place
	At  time.Time // when it came into the mailbox, as its server noted it; zero when it did not say
	Raw []byte
	Cut bool // it is larger than what is taken: Raw is only the beginning
}

// Inbox is where what comes back lies. It is used by one at a time.
type Inbox interface {
	// Take hands each message behind a place to each, in order of UID, until none is left; an error of each stops it and is returned as it is.
	// Whoever takes stores the place of a message together with it. When the mailbox is another than it was, by its validity, all of it
	// is handed over again: what was taken before is recognised by its bytes.
	Take(ctx context.Context, from Place, each func(Taken) error) error
	// Wait returns when something new may be there, after at most d.
	Wait(ctx context.Context, d time.Duration) error
	Close() error
}

// NotTaken says why nothing, or nothing more, could be taken from a mailbox. What was handed over before is not touched by it.
type NotTaken struct {
	Step string // where it failed: "dial", "tls", "sign in", "folder", "list", "message", "wait"
	Said string // for people: what failed, and the mail server's answer when it gave one
	Hint string // what somebody has to do; "" when it may be better at the next try
	At   Place  // at step "message", that which could not be taken: to take from here is to pass over it
	Err  error
}

func (e *NotTaken) Error() string { return "mail was not taken in: " + e.Said }
func (e *NotTaken) Unwrap() error { return e.Err }

// IMAP is a mailbox on a server that speaks IMAP (RFC 9051, and RFC 3501 before it). It is only ever read: nothing in it is moved, deleted
// or marked as seen, because people read it too.
//
// A connection is kept from call to call; one that broke is replaced at the next. To wait before that call is for the caller.
type IMAP struct {
	Address      string         // host, or host:port; the port is 143, with ImplicitTLS 993
	ImplicitTLS  bool           // TLS from the first byte (RFC 8314), in place of STARTTLS
	ServerName   string         // the name its certificate must have; "" is the host
	CAs          *x509.CertPool // who may have signed that; nil are those of the system
	Login        LoginFunc
	Folder       string // "" is INBOX
	MaxBytes     int    // what is taken of one message; 0 is 64 MiB
	LoopbackOnly bool   // reach nothing beyond this machine, as [Courier] has it
	Patience     InboxPatience

	use  sync.Mutex // held by whoever uses the connection
	line *imapLine

	mu     sync.Mutex
	stop   context.CancelFunc // ends what is going on
	closed bool
}

var _ Inbox = (*IMAP)(nil)

// InboxPatience says how long a mail server is waited for. A zero value is the one named.
type InboxPatience struct {
	Dial    time.Duration // 30 s: for a connection
	Command time.Duration // 1 min: for the answer to a command, and for each piece of a message
	Message time.Duration // 15 min: for a whole message, and for the list of those that are new
	Idle    time.Duration // 5 min: for news; then the server is asked whether it is still there
	Poll    time.Duration // 1 min: between two looks, where the server cannot tell of news by itself
}

func (p InboxPatience) orDefault() InboxPatience {
	return InboxPatience{
		Dial: cmp.Or(p.Dial, 30*time.Second), Command: cmp.Or(p.Command, time.Minute), Message: cmp.Or(p.Message, 15*time.Minute),
		Idle: cmp.Or(p.Idle, 5*time.Minute), Poll: cmp.Or(p.Poll, time.Minute),
	}
}

const (
	mostTaken  = 64 << 20
	mostListed = 10_000  // messages that are known of at a time
	mostAnswer = 1 << 20 // what a server may say to a command, in bytes; messages are on top of it
	perListed  = 1 << 10 // what it may say of each message in a list
	mostTries  = 3       // to fetch a message that is there
)

// begin makes the caller the one who uses the connection, until done. Close ends the context.
func (b *IMAP) begin(ctx context.Context) (_ context.Context, done func(), err error) {
	b.use.Lock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		b.use.Unlock()
		return nil, nil, &caseforms.Error{Kind: caseforms.Internal, Op: "take in mail", Msg: "the mailbox was closed"}
	}
	ctx, b.stop = context.WithCancel(ctx)
	return ctx, func() { b.stop(); b.use.Unlock() }, nil
}

// Close ends the connection, and what is going on with it.
func (b *IMAP) Close() error {
	b.mu.Lock()
	b.closed = true
	if b.stop != nil {
		b.stop()
	}
	b.mu.Unlock()
	b.use.Lock()
	defer b.use.Unlock()
	if l := b.line; l != nil {
		b.line = nil
		if !l.dead() {
			_ = l.step(context.Background(), "wait", 5*time.Second, func() error { return l.client.Logout().Wait() })
		}
		l.cut()
	}
	return nil
}

// Take is that of [Inbox]. Its errors are those of each, and [NotTaken].
func (b *IMAP) Take(ctx context.Context, from Place, each func(Taken) error) error {
	ctx, done, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	for {
		l, err := b.ready(ctx)
		if err != nil {
			return err
		}
		l.heard()
		box, err := l.look(ctx)
		if err != nil {
			return err
		}
		// With a next UID that was given before, the server lost its memory and did not say so: a backup was put back.
		if box.validity != from.Validity || box.next != 0 && box.next <= from.UID {
			from = Place{Validity: box.validity}
		}
		list, more, err := l.list(ctx, from.UID, box)
		if err != nil {
			return err
		}
		for _, x := range list {
			t, err := l.take(ctx, box, x)
			if err != nil {
				return err
			}
			from.UID = x.uid
			if t != nil {
				if err := each(*t); err != nil {
					return err
				}
			}
			if l.dead() { // a message was larger than it should be, and the rest of it would still come
				more = true
				break
			}
		}
		if !more {
			return nil
		}
	}
}

// Wait is that of [Inbox]. On a new connection it returns at once: nobody knows what came while there was none.
func (b *IMAP) Wait(ctx context.Context, d time.Duration) error {
	ctx, done, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	l, err := b.ready(ctx)
	if err != nil {
		return err
	}
	if !l.looked {
		_, err := l.look(ctx)
		return err
	}
	idles := false
	if err := l.step(ctx, "wait", l.patience.Command, func() error {
		c := l.client.Caps()
		idles = c.Has(imap.CapIdle) || c.Has(imap.CapIMAP4rev2)
		return nil
	}); err != nil {
		return err
	}
	for end := time.Now().Add(d); ; {
		// Also before the first wait: what came since the last command is not told by every server when IDLE begins.
		if err := l.step(ctx, "wait", l.patience.Command, func() error { return l.client.Noop().Wait() }); err != nil {
			return err
		}
		left := time.Until(end)
		if l.heard() || left <= 0 {
			return nil
		}
		var news bool
		if idles {
			news, err = l.idle(ctx, min(left, l.patience.Idle))
		} else {
			news, err = l.sleep(ctx, min(left, l.patience.Poll))
		}
		if _, refused := errors.AsType[*imap.Error](err); refused && idles {
			idles = false // it does not do what it offers
			continue
		}
		if news || err != nil {
			return err
		}
	}
}

// ready gives a connection that is signed in: the one there is, or a new one.
func (b *IMAP) ready(ctx context.Context) (*imapLine, error) {
	if l := b.line; l != nil {
		if !l.dead() {
			return l, nil
		}
		l.cut()
		b.line = nil
	}
	l, err := b.dial(ctx)
	if err != nil {
		return nil, err
	}
	b.line = l
	return l, nil
}

func (b *IMAP) dial(ctx context.Context) (*imapLine, error) {
	p := b.Patience.orDefault()
	host, port, err := net.SplitHostPort(b.Address)
	if err != nil {
		host, port = b.Address, "143"
		if b.ImplicitTLS {
			port = "993"
		}
	}
	d := net.Dialer{Timeout: p.Dial, KeepAlive: 30 * time.Second}
	if b.LoopbackOnly {
		d.Control = loopbackOnly
	}
	nc, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, notTaken(ctx, "dial", err)
	}
	l := &imapLine{conn: &meteredConn{Conn: nc}, news: make(chan struct{}, 1), patience: p, folder: cmp.Or(b.Folder, "INBOX"), most: int64(cmp.Or(b.MaxBytes, mostTaken))}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cmp.Or(b.ServerName, host), RootCAs: b.CAs}
	err = l.step(ctx, "tls", p.Command, func() error { return l.secure(ctx, conf, b.ImplicitTLS) })
	if err == nil {
		err = l.signIn(ctx, b.Login)
	}
	if err != nil {
		l.cut()
		return nil, err
	}
	return l, nil
}

// imapLine is a connection to a mail server.
type imapLine struct {
	conn     *meteredConn
	client   *imapclient.Client // nil until it is secure
	news     chan struct{}      // the server told that there are other messages than before
	patience InboxPatience
	folder   string
	most     int64
	looked   bool // the folder is open
	broken   bool
}

// step does one thing with the server. The library has no deadlines: on a connection that leads nowhere it waits for ever. So when the server
// says nothing for as long as quiet, the connection is closed, which ends whatever waits for it. Were that not to end it, it would be
// left behind; so f must not touch what the caller uses after an error.
//
// After any error but a refusal in the protocol's own words the connection is not used again.
func (l *imapLine) step(ctx context.Context, name string, quiet time.Duration, f func() error) error {
	if ctx.Err() != nil {
		return notTaken(ctx, name, ctx.Err())
	}
	l.conn.allow(mostAnswer)
	ended := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				ended <- fmt.Errorf("the library gave up: %v", v)
			}
		}()
		ended <- f()
	}()
	begin := time.Now()
	got, since := l.conn.got.Load(), begin
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for {
		var why error
		select {
		case err := <-ended:
			if err == nil {
				return nil
			}
			if _, refused := errors.AsType[*imap.Error](err); !refused {
				l.cut()
			}
			return notTaken(ctx, name, err)
		case <-ctx.Done():
			why = ctx.Err()
		case now := <-timer.C:
			if n := l.conn.got.Load(); n != got && now.Sub(begin) < l.patience.Message {
				got, since = n, now
			}
			if left := quiet - now.Sub(since); left > 0 {
				timer.Reset(left)
				continue
			}
			why = errSilent
		}
		l.cut()
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
		}
		return notTaken(ctx, name, why)
	}
}

var errSilent = errors.New("no answer in time")

// cut closes the connection. It is the bare one, because to take leave in TLS may block.
func (l *imapLine) cut() {
	l.broken = true
	l.conn.Close()
}

// dead tells whether the connection is of no more use.
func (l *imapLine) dead() bool {
	if l.broken || l.client == nil {
		return true
	}
	select {
	case <-l.client.Closed():
		return true
	default:
		return false
	}
}

// tell notes that the server told of news, and heard whether it did.
func (l *imapLine) tell() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

func (l *imapLine) heard() bool {
	select {
	case <-l.news:
		return true
	default:
		return false
	}
}

// secure makes the connection secure and hands it to the library. STARTTLS is not the library's, which does not tell what came of TLS.
func (l *imapLine) secure(ctx context.Context, conf *tls.Config, implicit bool) error {
	tc := tls.Client(l.conn, conf)
	var secure net.Conn = tc
	if !implicit {
		if err := imapStartTLS(l.conn); err != nil {
			return err
		}
		secure = &greetedConn{Conn: tc, rest: "* OK secure\r\n"} // the library wants to be greeted, and was before TLS
	}
	if err := tc.HandshakeContext(ctx); err != nil {
		return err
	}
	if st := tc.ConnectionState(); st.Version < tls.VersionTLS12 || len(st.VerifiedChains) == 0 {
		return errors.New("the mail server was not verified")
	}
	l.client = imapclient.New(secure, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				l.tell()
			}
		},
	}})
	return l.client.WaitGreeting()
}

var errNoIMAPTLS = errors.New("the mail server does not offer TLS")

// imapStartTLS asks for TLS (RFC 9051 6.2.1) without asking first whether it is offered: a server that does not offer it says no.
func imapStartTLS(conn net.Conn) error {
	in := bufio.NewReader(io.LimitReader(conn, 64<<10))
	line := func() (tag, kind, all string, err error) {
		s, err := in.ReadString('\n')
		s = strings.TrimSpace(s)
		tag, rest, _ := strings.Cut(s, " ")
		kind, _, _ = strings.Cut(rest, " ")
		return tag, strings.ToUpper(kind), s, err
	}
	tag, kind, all, err := line()
	switch {
	case err != nil:
		return err
	case tag == "*" && kind == "OK":
	case tag == "*" && kind == "BYE":
		return &imap.Error{Type: imap.StatusResponseTypeBye, Text: strings.TrimSpace(all[min(len(all), len("* BYE")):])}
	case tag == "*" && kind == "PREAUTH":
		return errNoIMAPTLS // it would let us in without, and then there is no way to TLS
	default:
		return errors.New("it does not greet as a mail server does")
	}
	if _, err := io.WriteString(conn, "a STARTTLS\r\n"); err != nil {
		return err
	}
	for {
		tag, kind, _, err := line()
		switch {
		case err != nil:
			return err
		case tag == "*":
			continue
		case tag == "a" && kind == "OK":
			if in.Buffered() > 0 {
				return errors.New("somebody spoke before TLS began")
			}
			return nil
		case tag == "a":
			return errNoIMAPTLS
		}
		return errors.New("it answers something else than was asked")
	}
}

// signIn asks for the login before each connection, because tokens run out.
func (l *imapLine) signIn(ctx context.Context, login LoginFunc) error {
	if login == nil {
		return &NotTaken{Step: "sign in", Said: "there is nothing to sign in to the mail server with", Hint: "name a file with the login in the set-up"}
	}
	in, err := login(ctx)
	if err != nil {
		n := &NotTaken{Step: "sign in", Said: "there is nothing to sign in to the mail server with: " + err.Error(), Err: err}
		if e, ok := errors.AsType[*caseforms.Error](err); ok {
			n.Hint = e.Hint
		}
		return n
	}
	err = l.step(ctx, "sign in", l.patience.Command, func() error {
		caps := l.client.Caps()
		switch {
		case in.Token != "" && caps.Has("AUTH=XOAUTH2"):
			return l.client.Authenticate(&imapToken{xoauth2{in}})
		case in.Token != "":
		case caps.Has("AUTH=PLAIN"):
			return l.client.Authenticate(sasl.NewPlainClient("", in.User, in.Password))
		case !caps.Has(imap.CapLoginDisabled):
			return l.client.Login(in.User, in.Password).Wait()
		}
		return errNoWayIn
	})
	n, ok := errors.AsType[*NotTaken](err)
	if !ok {
		return err
	}
	refusal, refused := errors.AsType[*imap.Error](err)
	if refused {
		refused = !passing(refusal)
	}
	switch {
	case !refused:
	case in.Token != "":
		n.Hint = "the token was refused or has run out: whoever renews it has to write a new one, for this user and with the right to read mail"
	default:
		n.Hint = "check user and password in the file with the login; many services want a password made for programs, or a token"
	}
	return n
}

// passing tells a refusal that is about the server and its day, not about what was asked (RFC 5530).
func passing(e *imap.Error) bool {
	switch e.Code {
	case imap.ResponseCodeUnavailable, imap.ResponseCodeInUse, imap.ResponseCodeLimit, imap.ResponseCodeServerBug:
		return true
	}
	return e.Type == imap.StatusResponseTypeBye
}

var errNoWayIn = errors.New("the mail server offers no way to sign in that fits what we have")

// imapToken signs in with a token. One that is refused comes back as a challenge with the reason; the conversation ends there, because the
// library would not answer it with the empty line that it wants.
type imapToken struct{ xoauth2 }

func (x *imapToken) Next(challenge []byte) ([]byte, error) {
	return nil, &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeAuthenticationFailed, Text: string(challenge)}
}

// mailbox is a folder as the server describes it.
type mailbox struct{ validity, next, count uint32 }

// look opens the folder for reading only, so that nothing that is done here changes it. It is done each time anew: so the validity is that
// of what is read, and the server tells of all there is.
func (l *imapLine) look(ctx context.Context) (mailbox, error) {
	var d *imap.SelectData
	err := l.step(ctx, "folder", l.patience.Command, func() (err error) {
		d, err = l.client.Select(l.folder, &imap.SelectOptions{ReadOnly: true}).Wait()
		return err
	})
	if err != nil {
		l.cut() // a server that stumbles over the folder as it has it open may not over a new opening
		n, ok := errors.AsType[*NotTaken](err)
		if e, refused := errors.AsType[*imap.Error](err); ok && refused && !passing(e) {
			n.Hint = "see whether the mail server has the folder " + l.folder + " and lets this user read it"
		}
		return mailbox{}, err
	}
	if d.UIDValidity == 0 { // then nothing that is kept of it means anything
		l.cut()
		return mailbox{}, &NotTaken{Step: "folder", Said: "the mail server does not say which mailbox it is (UIDVALIDITY)", Hint: "use a mail server that keeps UIDs from session to session (RFC 9051 2.3.1.1)"}
	}
	l.looked = true
	return mailbox{d.UIDValidity, uint32(d.UIDNext), d.NumMessages}, nil
}

// listed is a message that is there.
type listed struct {
	uid  uint32
	size int64 // -1 when the server did not say
}

// list gives the messages behind a UID, at most so many, and whether there are more.
func (l *imapLine) list(ctx context.Context, from uint32, box mailbox) (out []listed, more bool, err error) {
	if from+1 == 0 || box.count == 0 {
		return nil, false, nil
	}
	var set imap.UIDSet
	set.AddRange(imap.UID(from+1), 0)
	all, more, err := l.sizes(ctx, set, from, int64(box.count))
	if err == nil && len(all) == 0 && from == 0 {
		err = &NotTaken{Step: "list", Said: fmt.Sprintf("the mail server says that there are messages (%d) and names none", box.count)}
	}
	return all, more, err
}

// sizes asks which messages of a set there are. It keeps those behind from: a range without end always has the last message of the mailbox,
// however low its UID is (RFC 9051, seq-range).
func (l *imapLine) sizes(ctx context.Context, set imap.UIDSet, from uint32, count int64) ([]listed, bool, error) {
	var all []listed
	more := false
	keep := func() {
		slices.SortFunc(all, func(a, b listed) int { return cmp.Compare(a.uid, b.uid) })
		if len(all) > mostListed {
			all, more = all[:mostListed], true
		}
	}
	err := l.step(ctx, "list", l.patience.Command, func() error {
		l.conn.allow(mostAnswer + count*perListed)
		cmd := l.client.Fetch(set, &imap.FetchOptions{UID: true, RFC822Size: true})
		defer cmd.Close()
		for m := cmd.Next(); m != nil; m = cmd.Next() {
			x := listed{size: -1}
			for item := m.Next(); item != nil; item = m.Next() {
				switch item := item.(type) {
				case imapclient.FetchItemDataUID:
					x.uid = uint32(item.UID)
				case imapclient.FetchItemDataRFC822Size:
					x.size = item.Size
				}
			}
			if x.uid > from {
				if all = append(all, x); len(all) >= 2*mostListed {
					keep()
				}
			}
		}
		return cmd.Close()
	})
	if err != nil {
		l.cut()
		return nil, false, err
	}
	keep()
	return all, more, nil
}

// take fetches a message; nil when it is not there any more.
//
// A server may answer with something else than was asked: with flags that somebody changed just then, which the library takes for the
// answer; with nothing, or a refusal, when the message was deleted meanwhile. So whatever is no message is asked about again.
func (l *imapLine) take(ctx context.Context, box mailbox, x listed) (*Taken, error) {
	for try := 1; ; try++ {
		t, err := l.fetch(ctx, x)
		if n, ok := errors.AsType[*NotTaken](err); ok && l.broken {
			n.At = Place{box.validity, x.uid}
			return nil, n
		}
		if t != nil {
			t.Place = Place{box.validity, x.uid}
			return t, nil
		}
		l.tell() // what is new by now is not in the list
		now, lookErr := l.look(ctx)
		if lookErr != nil {
			return nil, lookErr
		}
		if now.validity != box.validity {
			return nil, &NotTaken{Step: "message", Said: "the mailbox was replaced by another while it was read"}
		}
		there, _, listErr := l.sizes(ctx, imap.UIDSetNum(imap.UID(x.uid)), x.uid-1, 1)
		if listErr != nil {
			return nil, listErr
		}
		if len(there) == 0 {
			return nil, nil
		}
		if try == mostTries {
			l.cut()
			n := &NotTaken{Step: "message", Said: fmt.Sprintf("the mail server has message %d and does not give it", x.uid), At: Place{box.validity, x.uid}, Err: err,
				Hint: "look at it with another mail program; what is behind it can be taken without it"}
			if refusal, ok := errors.AsType[*imap.Error](err); ok {
				n.Said += ": " + serversWords(refusal)
			}
			return nil, n
		}
		x = there[0]
	}
}

// fetch asks for one message; nil when the answer has none. A message that is larger than what is taken is asked for in part; so is one whose
// size is not known.
func (l *imapLine) fetch(ctx context.Context, x listed) (*Taken, error) {
	section := &imap.FetchItemBodySection{Peek: true}
	if x.size < 0 || x.size > l.most {
		section.Partial = &imap.SectionPartial{Size: l.most + 1}
	}
	var out *Taken
	open := false // the answer was not read to its end
	err := l.step(ctx, "message", l.patience.Command, func() error {
		l.conn.allow(mostAnswer + l.most + l.most/16) // TLS adds to each piece
		cmd := l.client.Fetch(imap.UIDSetNum(imap.UID(x.uid)), &imap.FetchOptions{UID: true, InternalDate: true, BodySection: []*imap.FetchItemBodySection{section}})
		defer func() {
			if !open {
				cmd.Close()
			}
		}()
		t, found := &Taken{}, false
		for m := cmd.Next(); m != nil; m = cmd.Next() {
			for item := m.Next(); item != nil; item = m.Next() {
				switch item := item.(type) {
				case imapclient.FetchItemDataInternalDate:
					t.At = item.Time.UTC()
				case imapclient.FetchItemDataBodySection:
					if item.Literal == nil || found {
						continue
					}
					size := item.Literal.Size()
					t.Raw, t.Cut = make([]byte, min(size, l.most)), size > l.most
					if _, err := io.ReadFull(item.Literal, t.Raw); err != nil {
						open = true // after an error the library reads on by itself, and to close would read beside it
						return fmt.Errorf("in the middle of a message: %w", err)
					}
					found = size > 0 || x.size == 0
					if t.Cut && section.Partial == nil { // more than it said, and nobody knows how much
						out, open = t, true
						l.conn.Close()
						_, _ = io.Copy(io.Discard, item.Literal) // up to the error that lets the library go
						return nil
					}
				}
			}
		}
		if err := cmd.Close(); err != nil {
			return err
		}
		if found {
			out = t
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if open {
		l.cut()
	}
	return out, nil
}

// idle waits until the server tells of news, at most d.
func (l *imapLine) idle(ctx context.Context, d time.Duration) (news bool, err error) {
	var cmd *imapclient.IdleCommand
	err = l.step(ctx, "wait", l.patience.Command, func() (err error) {
		cmd, err = l.client.Idle()
		return err
	})
	if err != nil {
		return false, err
	}
	news, err = l.sleep(ctx, d)
	if err != nil {
		return false, err
	}
	err = l.step(ctx, "wait", l.patience.Command, func() error {
		if err := cmd.Close(); err != nil {
			return err
		}
		return cmd.Wait()
	})
	return news, err
}

// sleep waits for news without asking for them.
func (l *imapLine) sleep(ctx context.Context, d time.Duration) (news bool, err error) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-l.news:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-l.client.Closed():
		l.cut()
		return false, notTaken(ctx, "wait", io.ErrUnexpectedEOF)
	case <-ctx.Done():
		l.cut()
		return false, notTaken(ctx, "wait", ctx.Err())
	}
}

// notTaken says what failed.
func notTaken(ctx context.Context, step string, err error) error {
	n := &NotTaken{Step: step, Err: err}
	var cert *tls.CertificateVerificationError
	var timeout net.Error
	refusal, refused := errors.AsType[*imap.Error](err)
	switch {
	case ctx.Err() != nil:
		n.Said, n.Err = "it was stopped", ctx.Err()
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			n.Said = "there was no time left"
		}
	case refused:
		n.Said = "the mail server said at " + imapSteps[step] + ": " + serversWords(refusal)
	case errors.As(err, &cert):
		n.Said = "the mail server's certificate cannot be trusted: " + relaysWords(cert.Err.Error())
		n.Hint = "the set-up must have the name that stands in the certificate, and who signed it; nothing is read without"
	case errors.Is(err, errNoIMAPTLS):
		n.Said = "the mail server does not offer TLS, and nothing is read without"
		n.Hint = "use its port for TLS from the first byte, which is 993 as a rule, or let its operator switch STARTTLS on"
	case errors.Is(err, errNoWayIn):
		n.Said = err.Error()
		n.Hint = "ask its operator for PLAIN or LOGIN with a password, or for XOAUTH2 with a token"
	case err == errSilent, errors.As(err, &timeout) && timeout.Timeout():
		n.Said = "the mail server did not answer in time at " + imapSteps[step]
	default:
		s, _, _ := strings.Cut(err.Error(), "\n") // where the library caught a panic of its own it shows its stack
		n.Said = "the connection to the mail server failed at " + imapSteps[step] + ": " + relaysWords(s)
	}
	return n
}

var imapSteps = map[string]string{
	"dial": "connecting", "tls": "securing the connection", "sign in": "signing in", "folder": "opening the folder", "list": "listing what is new",
	"message": "handing a message over", "wait": "waiting for news",
}

// serversWords is a refusal as it is shown.
func serversWords(e *imap.Error) string {
	s := string(e.Type)
	if e.Code != "" {
		s += " [" + string(e.Code) + "]"
	}
	return relaysWords(s + " " + e.Text)
}

// meteredConn counts what is read, and ends it when the server sends more than there is reason for: the library keeps a line of any length.
// It leaves out the deadlines that the library sets, which are none where it matters.
type meteredConn struct {
	net.Conn
	got, most atomic.Int64
}

var errTooMuch = errors.New("the mail server sends more than was asked for")

func (c *meteredConn) allow(n int64) { c.most.Store(c.got.Load() + n) }

func (c *meteredConn) Read(b []byte) (int, error) {
	if c.got.Load() >= c.most.Load() {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(b)
	c.got.Add(int64(n))
	return n, err
}

func (c *meteredConn) SetDeadline(time.Time) error      { return nil }
func (c *meteredConn) SetReadDeadline(time.Time) error  { return nil }
func (c *meteredConn) SetWriteDeadline(time.Time) error { return nil }
