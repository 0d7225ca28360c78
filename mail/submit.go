package mail

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"caseforms"
)

// Relay is a mail server that takes our messages and passes them on.
type Relay struct {
	Name        string
	Address     string         // host, or host:port; the port is 587, with ImplicitTLS 465
	ImplicitTLS bool           // TLS from the first byte (RFC 8314), in place of STARTTLS
	ServerName  string         // the name its certificate must have; "" is the host
	CAs         *x509.CertPool // who may have signed that; nil are those of the system
	Guarantees  Channel        // TLS or CJSM when its operator answers for how it passes mail on; "" is neither
	Login       LoginFunc      // nil: it knows us by where we come from
	PlainSender bool           // it refuses a token in the envelope sender, as Microsoft 365 may
	RequireTLS  bool           // ask that every hop have TLS (RFC 8689); such a relay must offer it
	MaxBytes    int            // what it takes; 0 is 10 MB
}

func (r *Relay) most() int { return cmp.Or(r.MaxBytes, maxMessage) }

func (r *Relay) hostPort() (host, address string) {
	host, port, err := net.SplitHostPort(r.Address)
	if err != nil {
		host, port = r.Address, "587"
		if r.ImplicitTLS {
			port = "465"
		}
	}
	return host, net.JoinHostPort(host, port)
}

// Login is how we sign in to a relay: with a password, or with a token of OAuth 2.
type Login struct{ User, Password, Token string }

// LoginFunc gives what to sign in with. It is asked before each connection, because tokens run out.
type LoginFunc func(context.Context) (Login, error)

// LoginFile reads a login from a file at each use, so that whoever renews a token or changes a password only writes the file. It has the lines
// "user NAME" and "password WORD" or "token WORD", and must not be readable by everybody.
func LoginFile(name string) LoginFunc {
	return func(context.Context) (l Login, err error) {
		fail := func(msg, hint string, err error) (Login, error) {
			return Login{}, &caseforms.Error{Kind: caseforms.Unavailable, Op: "sign in to the relay", Msg: msg, Hint: hint, Err: err}
		}
		st, err := os.Stat(name)
		if err != nil {
			return fail("the file with the login cannot be read", "", err)
		}
		if os.PathSeparator == '/' && st.Mode()&0o007 != 0 {
			return fail("everybody on this machine can read the file with the login", "chmod 600 it", nil)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return fail("the file with the login cannot be read", "", err)
		}
		for line := range strings.Lines(string(b)) {
			key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
			switch key {
			case "user":
				l.User = value
			case "password":
				l.Password = value
			case "token":
				l.Token = value
			case "":
			default:
				return fail("the file with the login has a line that is neither user, password nor token", "", nil)
			}
		}
		if l.User == "" || (l.Password == "") == (l.Token == "") {
			return fail("the file with the login needs a user, and a password or a token", "", nil)
		}
		return l, nil
	}
}

// Patience says how long the other side is waited for. A zero value is the one named.
type Patience struct {
	Dial    time.Duration // 30 s: for a connection
	Command time.Duration // 1 min: for the answer to a command
	Write   time.Duration // 1 min: for each piece of a message to be taken
	Answer  time.Duration // 5 min: for the answer to a whole message
	Grace   time.Duration // 10 s: for that answer when everything is to stop
	Idle    time.Duration // 30 s: how long a connection is kept for the next message
	Total   time.Duration // 12 min: for a message from dial to answer. It is less than the lease of an outbox item
}

func (p Patience) orDefault() Patience {
	return Patience{
		Dial: cmp.Or(p.Dial, 30*time.Second), Command: cmp.Or(p.Command, time.Minute), Write: cmp.Or(p.Write, time.Minute), Answer: cmp.Or(p.Answer, 5*time.Minute),
		Grace: cmp.Or(p.Grace, 10*time.Second), Idle: cmp.Or(p.Idle, 30*time.Second), Total: cmp.Or(p.Total, 12*time.Minute),
	}
}

// Courier takes messages to relays. It may be used by several at once; after use it is closed. One connection to each relay is kept for a
// while for the next message.
type Courier struct {
	Relays []Relay
	Hello  string // our own name as the internet knows it: relay.probation.example
	// Recheck asks policy, as it is now, about a message that is about to be sent; see [Recheck]. Nothing is sent without it.
	Recheck  func(context.Context, *Message) (Decision, error)
	Patience Patience
	// LoopbackOnly lets nothing leave this machine: that of a test store, whose clock is not the real one.
	LoopbackOnly bool

	mu     sync.Mutex
	kept   map[string]*line // by relay
	closed bool
}

// Delivery is what there is to record of an attempt, as far as it came.
type Delivery struct {
	Relay       string
	Server      string // host and port
	TLS         string // TLS 1.3
	Cipher      string
	Certificate string  // SHA-256 of the relay's, in hexadecimal
	Sender      Address // of the envelope
	To          Address
	Reports     bool   // a report of delivery was asked for; else the relay does not offer any, and none will come
	Said        string // the relay's answer, in which it names the message in its queue
}

// Detail is a delivery as the ledger has it.
func (d *Delivery) Detail() map[string]string {
	reports := "asked for"
	if !d.Reports {
		reports = "not offered by the relay"
	}
	return map[string]string{"relay": d.Relay, "server": d.Server, "tls": d.TLS, "cipher": d.Cipher, "certificate": d.Certificate, "delivery_reports": reports}
}

// NotDelivered says that a message certainly did not arrive.
type NotDelivered struct {
	Step  string // where it failed: "dial", "tls", "sign in", "mail", "rcpt", "data", "message"
	Said  string // for people: what failed, and the relay's answer when it gave one
	Code  int    // of that answer (RFC 5321, 4.2); 0 when there is none
	Never bool   // trying again is of no use
	Held  *Held  // policy does not allow it any more
	Err   error
}

func (e *NotDelivered) Error() string { return "not delivered: " + e.Said }
func (e *NotDelivered) Unwrap() error { return e.Err }

// Unclear says that nobody knows whether a message arrived: it was handed over, and no answer came that says so or the contrary. It must
// not be sent again by itself.
type Unclear struct{ Err error }

func (e *Unclear) Error() string {
	return "the message was handed over and the relay did not say whether it took it: " + e.Err.Error()
}
func (e *Unclear) Unwrap() error { return e.Err }

// Carry takes a message to the relay that policy says and hands it over. It calls leaving at the last moment before the message could
// arrive: the relay has taken the recipient and all of the message but its last line. It does not call it when it fails before; when leaving
// fails, it stops and returns that error.
//
// A [NotDelivered] means that the message certainly did not arrive, an [Unclear] that nobody knows. What came of TLS is in the delivery also when
// there is an error, as soon as there was a connection.
func (c *Courier) Carry(ctx context.Context, m *Message, leaving func() error) (*Delivery, error) {
	del := &Delivery{}
	if c.Recheck == nil {
		return del, &caseforms.Error{Kind: caseforms.Internal, Op: "send", Msg: "there is no policy to ask"}
	}
	d, err := c.Recheck(ctx, m)
	switch {
	case err != nil:
		return del, err
	case d.Held != nil:
		return del, &NotDelivered{Step: "policy", Said: d.Held.Error(), Held: d.Held}
	case d.Allowed == nil || !d.Allowed.To.Same(m.Route.To) || d.Allowed.Sealed && !m.Route.Sealed:
		return del, &caseforms.Error{Kind: caseforms.Internal, Op: "send", Msg: "policy answered about another message"}
	}
	var relay *Relay
	for i := range c.Relays {
		if c.Relays[i].Name == d.Allowed.Relay {
			relay = &c.Relays[i]
		}
	}
	if relay == nil {
		return del, &NotDelivered{Step: "policy", Said: "the relay " + d.Allowed.Relay + " is not set up"}
	}
	p := c.Patience.orDefault()
	ctx, cancel := context.WithTimeout(ctx, p.Total)
	defer cancel()
	l := c.take(relay)
	kept := l != nil
	for {
		if l == nil {
			if l, err = dial(ctx, relay, c.Hello, c.LoopbackOnly, p, del); err != nil {
				return del, err
			}
		}
		*del = l.about
		left := false
		err := l.send(ctx, m, relay, p, del, func() error { left = true; return leaving() })
		lost := !l.good
		c.keep(l, p)
		if kept && lost && !left && ctx.Err() == nil {
			l, kept = nil, false // the relay had closed the connection meanwhile
			continue
		}
		return del, err
	}
}

// line is a connection to a relay, signed in.
type line struct {
	relay  string
	client *smtp.Client
	conn   *deadlineConn
	about  Delivery
	used   bool // something was sent on it
	good   bool // something more can be
	timer  *time.Timer
}

// take gives the connection to a relay that was kept, if there is one.
func (c *Courier) take(r *Relay) *line {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.kept[r.Name]
	if l == nil {
		return nil
	}
	delete(c.kept, r.Name)
	if !l.timer.Stop() {
		return nil // it is just being closed
	}
	return l
}

// keep puts a connection by for the next message, or closes it.
func (c *Courier) keep(l *line, p Patience) {
	c.mu.Lock()
	spare := !l.good || c.closed || c.kept[l.relay] != nil
	if !spare {
		if c.kept == nil {
			c.kept = map[string]*line{}
		}
		c.kept[l.relay] = l
		l.timer = time.AfterFunc(p.Idle, func() {
			c.mu.Lock()
			if c.kept[l.relay] == l {
				delete(c.kept, l.relay)
			}
			c.mu.Unlock()
			l.close()
		})
	}
	c.mu.Unlock()
	if spare {
		l.close()
	}
}

// Close ends the connections that were kept. What is being sent goes on.
func (c *Courier) Close() {
	c.mu.Lock()
	c.closed = true
	var all []*line
	for _, l := range c.kept {
		if l.timer.Stop() {
			all = append(all, l)
		}
	}
	c.kept = nil
	c.mu.Unlock()
	for _, l := range all {
		l.close()
	}
}

// close takes leave of the relay if it is still there.
func (l *line) close() {
	if l.good {
		l.conn.limit(time.Now().Add(5 * time.Second))
		_ = l.client.Quit()
	}
	_ = l.client.Close()
}

// dial connects to a relay, makes the connection secure, and signs in. Everything that fails here may be tried again: none of it is about
// the message.
func dial(ctx context.Context, r *Relay, hello string, loopback bool, p Patience, del *Delivery) (*line, error) {
	host, address := r.hostPort()
	del.Relay, del.Server = r.Name, address
	d := net.Dialer{Timeout: p.Dial}
	if loopback {
		d.Control = loopbackOnly
	}
	nc, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, failed(ctx, "dial", err)
	}
	conn := &deadlineConn{Conn: nc, pause: p.Write}
	stop := context.AfterFunc(ctx, func() { conn.limit(longAgo) })
	l, err := open(ctx, conn, r, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cmp.Or(r.ServerName, host), RootCAs: r.CAs}, hello, p, del)
	if !stop() && err == nil {
		err = failed(ctx, "sign in", ctx.Err())
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	l.about = *del
	return l, nil
}

// loopbackOnly lets a dialer reach nothing beyond this machine.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	ip, _, _ := net.SplitHostPort(address)
	if !net.ParseIP(ip).IsLoopback() {
		return errors.New("a test store reaches nothing beyond this machine")
	}
	return nil
}

func open(ctx context.Context, conn *deadlineConn, r *Relay, conf *tls.Config, hello string, p Patience, del *Delivery) (*line, error) {
	_ = conn.SetDeadline(time.Now().Add(p.Command))
	var secure net.Conn
	tc := tls.Client(conn, conf)
	if !r.ImplicitTLS {
		if err := startTLS(conn, hello); err != nil {
			return nil, failed(ctx, "tls", err)
		}
		// The library wants to be greeted, and was before TLS.
		secure = &greetedConn{Conn: tc, rest: "220 secure\r\n"}
	} else {
		secure = tc
	}
	_ = conn.SetDeadline(time.Now().Add(p.Command))
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, failed(ctx, "tls", err)
	}
	_ = conn.SetDeadline(time.Time{})
	st := tc.ConnectionState()
	if st.Version < tls.VersionTLS12 || len(st.VerifiedChains) == 0 {
		return nil, failed(ctx, "tls", errors.New("the relay was not verified"))
	}
	sum := sha256.Sum256(st.PeerCertificates[0].Raw)
	del.TLS, del.Cipher, del.Certificate = tls.VersionName(st.Version), tls.CipherSuiteName(st.CipherSuite), hex.EncodeToString(sum[:])

	client := smtp.NewClient(secure)
	client.CommandTimeout, client.SubmissionTimeout = p.Command, p.Answer
	if err := client.Hello(hello); err != nil {
		return nil, failed(ctx, "tls", err)
	}
	if r.Login != nil {
		if err := signIn(ctx, client, r.Login); err != nil {
			return nil, err
		}
	}
	return &line{relay: r.Name, client: client, conn: conn}, nil
}

var errNoTLS = errors.New("the relay does not offer TLS")

// startTLS asks for TLS (RFC 3207). It is not the library's, because that calls itself localhost here and does not notice when somebody put
// words of their own between the answer and TLS.
func startTLS(conn net.Conn, hello string) error {
	in := bufio.NewReader(io.LimitReader(conn, 64<<10))
	text := textproto.NewReader(in)
	answer := func(want int, command string) (string, error) {
		if command != "" {
			if _, err := io.WriteString(conn, command+"\r\n"); err != nil {
				return "", err
			}
		}
		_, said, err := text.ReadResponse(want)
		if e, ok := errors.AsType[*textproto.Error](err); ok {
			return "", &smtp.SMTPError{Code: e.Code, Message: e.Msg}
		}
		return said, err
	}
	if _, err := answer(220, ""); err != nil {
		return err
	}
	said, err := answer(250, "EHLO "+hello)
	if err != nil {
		return err
	}
	offered := false
	for line := range strings.Lines(said) {
		offered = offered || strings.EqualFold(strings.TrimSpace(line), "STARTTLS")
	}
	if !offered {
		return errNoTLS
	}
	if _, err := answer(220, "STARTTLS"); err != nil {
		return err
	}
	if in.Buffered() > 0 {
		return errors.New("somebody spoke before TLS began")
	}
	return nil
}

// greetedConn is a connection that begins with a greeting.
type greetedConn struct {
	net.Conn
	rest string
}

func (g *greetedConn) Read(b []byte) (int, error) {
	if g.rest == "" {
		return g.Conn.Read(b)
	}
	n := copy(b, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

func signIn(ctx context.Context, client *smtp.Client, login LoginFunc) error {
	l, err := login(ctx)
	if err != nil {
		return &NotDelivered{Step: "sign in", Said: "there is nothing to sign in to the relay with: " + err.Error(), Err: err}
	}
	var how sasl.Client
	switch {
	case l.Token != "" && client.SupportsAuth("XOAUTH2"):
		how = &xoauth2{l}
	case l.Token != "":
	case client.SupportsAuth(sasl.Plain):
		how = sasl.NewPlainClient("", l.User, l.Password)
	case client.SupportsAuth(sasl.Login):
		how = &loginClient{answers: []string{l.User, l.Password}}
	}
	if how == nil {
		return &NotDelivered{Step: "sign in", Said: "the relay offers no way to sign in that fits what we have"}
	}
	if err := client.Auth(how); err != nil {
		return failed(ctx, "sign in", err)
	}
	return nil
}

// xoauth2 signs in with a token, as Google and Microsoft have it. A token that is refused comes back as a challenge with the reason,
// to which the answer is an empty line; the refusal follows. A nil answer would be taken for success by the library.
type xoauth2 struct{ Login }

func (x *xoauth2) Start() (string, []byte, error) {
	return "XOAUTH2", []byte("user=" + x.User + "\x01auth=Bearer " + x.Token + "\x01\x01"), nil
}
func (x *xoauth2) Next([]byte) ([]byte, error) { return []byte{}, nil }

// loginClient answers the two questions of LOGIN in their order. They have no standard words, and not every relay takes the name with the command.
type loginClient struct{ answers []string }

func (l *loginClient) Start() (string, []byte, error) { return sasl.Login, nil, nil }
func (l *loginClient) Next([]byte) ([]byte, error) {
	if len(l.answers) == 0 {
		return nil, sasl.ErrUnexpectedServerChallenge
	}
	a := l.answers[0]
	l.answers = l.answers[1:]
	return []byte(a), nil
}

// send hands one message over to one recipient. It sets whether the connection can be used again.
func (l *line) send(ctx context.Context, m *Message, r *Relay, p Patience, del *Delivery, leaving func() error) (err error) {
	l.good = false
	// Locked, so that nothing is cut between the last line and the dot, which would make it uncertain for nothing.
	var limits sync.Mutex
	gone := false
	stop := context.AfterFunc(ctx, func() {
		limits.Lock()
		defer limits.Unlock()
		if gone {
			l.conn.limit(time.Now().Add(p.Grace))
		} else {
			l.conn.limit(longAgo)
		}
	})
	defer func() {
		if !stop() {
			l.good = false
		}
	}()
	fail := func(step string, err error) error {
		if e, ok := errors.AsType[*smtp.SMTPError](err); ok && e.Code != 421 {
			l.good = true
		}
		return failed(ctx, step, err)
	}

	if l.used {
		if err := l.client.Reset(); err != nil {
			return failed(ctx, "mail", err)
		}
	}
	l.used = true
	if most, told := l.client.MaxMessageSize(); told && most > 0 && len(m.Raw) > most {
		l.good = true
		return &NotDelivered{Step: "mail", Never: true, Said: fmt.Sprintf("the message has %s and the relay takes %s", megabytes(len(m.Raw)), megabytes(most))}
	}
	if offered, _ := l.client.Extension("REQUIRETLS"); r.RequireTLS && !offered {
		l.good = true
		return &NotDelivered{Step: "mail", Said: "the relay does not offer to require TLS on every hop (REQUIRETLS), which its set-up asks for"}
	}
	del.To, del.Sender = m.Route.To, m.Mailbox.Tagged(m.Token)
	if r.PlainSender {
		del.Sender = m.Mailbox
	}
	del.Reports, _ = l.client.Extension("DSN")
	err = l.client.Mail(string(del.Sender), &smtp.MailOptions{Size: int64(len(m.Raw)), RequireTLS: r.RequireTLS, Return: smtp.DSNReturnHeaders, EnvelopeID: m.ID})
	if err != nil {
		return fail("mail", err)
	}
	err = l.client.Rcpt(string(del.To), &smtp.RcptOptions{
		Notify:                []smtp.DSNNotify{smtp.DSNNotifySuccess, smtp.DSNNotifyFailure, smtp.DSNNotifyDelayed},
		OriginalRecipientType: smtp.DSNAddressTypeRFC822, OriginalRecipient: string(del.To),
	})
	if err != nil {
		return fail("rcpt", err)
	}
	w, err := l.client.Data()
	if err != nil {
		return fail("data", err)
	}
	// The last line is held back, so that even a relay that takes a broken connection for the end has no whole message before leaving.
	cut := bytes.LastIndex(bytes.TrimSuffix(m.Raw, []byte("\r\n")), []byte("\r\n")) + 2
	if _, err := w.Write(m.Raw[:cut]); err != nil {
		return failed(ctx, "data", err)
	}
	if ctx.Err() != nil {
		return failed(ctx, "data", ctx.Err())
	}
	if err := leaving(); err != nil {
		return err
	}
	limits.Lock()
	gone = true
	limits.Unlock()
	if _, err := w.Write(m.Raw[cut:]); err != nil {
		return failed(ctx, "data", err) // the dot that ends it is written by what follows, and by nothing before
	}
	res, err := w.CloseWithResponse()
	var e *smtp.SMTPError
	switch {
	case err == nil:
		l.good = true
		del.Said = relaysWords(res.StatusText)
		return nil
	case !errors.As(err, &e) || e.Code/100 == 1 || e.Code/100 == 3 || e.Code/100 > 5:
		return &Unclear{err}
	case e.Code/100 == 2: // any of them says that it was taken (RFC 5321, 4.3.2)
		l.good = true
		del.Said = answerOf(e)
		return nil
	}
	return fail("message", err)
}

// failed says what failed before a relay had taken a message. The answers that begin with 5 are final where they are about the message or its recipient;
// those about us, such as a login that ran out, are not.
func failed(ctx context.Context, step string, err error) error {
	n := &NotDelivered{Step: step, Err: err}
	var e *smtp.SMTPError
	var timeout net.Error
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &e):
		n.Code, n.Said = e.Code, "the relay said at "+stepWords[step]+": "+answerOf(e)
		switch {
		case step == "tls", step == "sign in", e.Code == 530, e.Code == 534, e.Code == 535, e.Code == 538:
		default:
			n.Never = e.Code/100 == 5
		}
	case ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		n.Said = "it was stopped before the relay had it"
	case errors.As(err, &cert):
		n.Said = "the relay's certificate cannot be trusted: " + relaysWords(cert.Err.Error())
	case errors.Is(err, errNoTLS):
		n.Said = "the relay does not offer TLS, and nothing is sent without"
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		n.Said = "the relay did not answer in time at " + stepWords[step]
	default:
		n.Said = "the connection to the relay failed at " + stepWords[step] + ": " + relaysWords(err.Error())
	}
	return n
}

var stepWords = map[string]string{
	"dial": "connecting", "tls": "securing the connection", "sign in": "signing in", "mail": "naming the sender", "rcpt": "naming the recipient",
	"data": "handing the message over", "message": "taking the message",
}

// answerOf is the answer of a relay as it is shown and recorded.
func answerOf(e *smtp.SMTPError) string {
	s := fmt.Sprintf("%d ", e.Code)
	if e.EnhancedCode != (smtp.EnhancedCode{}) {
		s += fmt.Sprintf("%d.%d.%d ", e.EnhancedCode[0], e.EnhancedCode[1], e.EnhancedCode[2])
	}
	return relaysWords(s + e.Message)
}

// relaysWords makes one line of what another program said.
func relaysWords(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(s); len(r) > 500 {
		s = string(r[:500]) + "…"
	}
	return strings.TrimSpace(s)
}

// longAgo is a deadline that ends what is being waited for at once.
var longAgo = time.Unix(1, 0)

// deadlineConn gives every read and write a deadline: the one that was set for it, and for a write never more than pause. The library sets
// none while a message is written, so that a relay that stops reading would hold us for ever. What limit sets holds before all others.
type deadlineConn struct {
	net.Conn
	pause time.Duration

	mu          sync.Mutex
	read, write time.Time // as they were set; zero is none
	last        time.Time
}

func (c *deadlineConn) Read(b []byte) (int, error) {
	c.mu.Lock()
	t := c.read
	if t.IsZero() {
		t = time.Now().Add(c.pause)
	}
	_ = c.Conn.SetReadDeadline(earliest(t, c.last))
	c.mu.Unlock()
	return c.Conn.Read(b)
}

func (c *deadlineConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	_ = c.Conn.SetWriteDeadline(earliest(time.Now().Add(c.pause), c.write, c.last))
	c.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *deadlineConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *deadlineConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = t
	return c.Conn.SetReadDeadline(earliest(t, c.last))
}

func (c *deadlineConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = t
	return c.Conn.SetWriteDeadline(earliest(t, c.last))
}

// limit ends everything at t, what is being waited for too.
func (c *deadlineConn) limit(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = t
	_ = c.Conn.SetDeadline(t)
}

// earliest leaves out what is not set.
func earliest(ts ...time.Time) (out time.Time) {
	for _, t := range ts {
		if !t.IsZero() && (out.IsZero() || t.Before(out)) {
			out = t
		}
	}
	return out
}
