package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/rogpeppe/go-internal/testscript"

	"caseforms/mail"
)

// postOffice is a relay and a mailbox in this process, for scripts. What an address begins with says what becomes of what is sent to it:
// refuse, busy, break.
type postOffice struct {
	mu      sync.Mutex
	took    []posted
	dialled int
	user    *imapmemserver.User
	smtp    *smtp.Server
	imap    *imapserver.Server
}

type posted struct {
	from, envid string
	to          []string
	raw         []byte
}

// openPostOffice starts it and writes the configuration that leads to it.
func openPostOffice(dir string, settings string) (*postOffice, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	p := &postOffice{user: imapmemserver.NewUser("us", "secret")}
	p.smtp = smtp.NewServer(p)
	p.smtp.TLSConfig, p.smtp.EnableDSN, p.smtp.MaxMessageBytes = conf, true, 30<<20
	ls, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go p.smtp.Serve(ls)
	all := imapmemserver.New()
	all.AddUser(p.user)
	if err := p.user.Create("INBOX", nil); err != nil {
		return nil, err
	}
	p.imap = imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return all.NewSession(), nil, nil
		},
		TLSConfig: conf, Logger: log.New(io.Discard, "", 0),
	})
	li, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go p.imap.Serve(tls.NewListener(li, conf))
	for name, text := range map[string]string{
		"ca.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"login":  "user us\npassword secret\n",
		"config.yaml": fmt.Sprintf(`mail:
  mailbox: safeguarding@probation.example
  name: Probation Service, safeguarding
  telephone: {whom: the safeguarding desk, number: 01632 960100}
  authserv: [mx.probation.example]
  relays:
    - {name: main, server: "%s", server_name: localhost, ca: ca.pem, login: login, guarantees: tls}
  inbox: {server: "%s", server_name: localhost, ca: ca.pem, login: login}
%s`, ls.Addr(), li.Addr(), settings),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *postOffice) close() {
	p.smtp.Close()
	p.imap.Close()
}

func (p *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialled++
	return &postSession{p: p, conn: c}, nil
}

type postSession struct {
	p    *postOffice
	conn *smtp.Conn
	now  posted
}

func (s *postSession) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *postSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "us" || password != "secret" {
			return errors.New("who is that")
		}
		return nil
	}), nil
}
func (s *postSession) Reset()        { s.now = posted{} }
func (s *postSession) Logout() error { return nil }
func (s *postSession) Mail(from string, o *smtp.MailOptions) error {
	s.now = posted{from: from, envid: o.EnvelopeID}
	return nil
}
func (s *postSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasPrefix(to, "refuse"):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox here"}
	case strings.HasPrefix(to, "busy"):
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "come back later"}
	}
	s.now.to = append(s.now.to, to)
	return nil
}
func (s *postSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.now.raw = b
	s.p.mu.Lock()
	s.p.took = append(s.p.took, s.now)
	s.p.mu.Unlock()
	if strings.HasPrefix(s.now.to[0], "break") {
		s.conn.Conn().Close()
	}
	return nil
}

type mailLiteral struct{ *bytes.Reader }

func (l mailLiteral) Size() int64 { return l.Reader.Size() }

// put puts a message into our mailbox.
func (p *postOffice) put(raw []byte) error {
	_, err := p.user.Append("INBOX", mailLiteral{bytes.NewReader(raw)}, &imap.AppendOptions{Time: time.Now()})
	return err
}

// last is what arrived last at addresses that begin so.
func (p *postOffice) last(to string) (posted, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range slices.Backward(p.took) {
		if strings.HasPrefix(m.to[0], to) {
			return m, true
		}
	}
	return posted{}, false
}

var postOffices sync.Map // by the folder of the script

// postCommands are the words of scripts about mail.
var postCommands = map[string]func(*testscript.TestScript, bool, []string){
	// postoffice: starts a relay and a mailbox, and writes config.yaml. A file with more settings may be named
	"postoffice": func(ts *testscript.TestScript, _ bool, args []string) {
		more := ""
		if len(args) > 0 {
			more = ts.ReadFile(args[0])
		}
		p, err := openPostOffice(ts.MkAbs("."), more)
		ts.Check(err)
		postOffices.Store(ts.Getenv("WORK"), p)
		ts.Defer(p.close)
	},
	// arrived: prints how many messages arrived; with an address the last that arrived there, what it says
	"arrived": func(ts *testscript.TestScript, _ bool, args []string) {
		v, _ := postOffices.Load(ts.Getenv("WORK"))
		p := v.(*postOffice)
		if len(args) == 0 {
			p.mu.Lock()
			defer p.mu.Unlock()
			fmt.Fprintf(ts.Stdout(), "%d arrived\n", len(p.took))
			return
		}
		m, ok := p.last(args[0])
		if !ok {
			ts.Fatalf("nothing arrived at %s", args[0])
		}
		in := mail.Read(m.raw)
		head, _, _ := strings.Cut(string(m.raw), "\r\n\r\n")
		fmt.Fprintf(ts.Stdout(), "MAIL FROM:<%s> ENVID=%s RCPT TO:<%s>\n%s\nsubject: %s\n%s\n", m.from, m.envid, m.to[0], strings.ReplaceAll(head, "\r\n", "\n"), in.Subject, in.Text)
		for _, f := range in.Files {
			fmt.Fprintf(ts.Stdout(), "file: %s %s\n", f.Name, f.Type)
		}
	},
	// comes: puts a message into our mailbox, a file in which the facts of what arrived last at an address stand in braces
	"comes": func(ts *testscript.TestScript, _ bool, args []string) {
		v, _ := postOffices.Load(ts.Getenv("WORK"))
		p := v.(*postOffice)
		text := ts.ReadFile(args[0])
		if len(args) > 1 {
			m, ok := p.last(args[1])
			if !ok {
				ts.Fatalf("nothing arrived at %s", args[1])
			}
			in, err := netmail.ReadMessage(bytes.NewReader(m.raw))
			ts.Check(err)
			reply, err := in.Header.AddressList("Reply-To")
			ts.Check(err)
			text = strings.NewReplacer("{reply-to}", reply[0].Address, "{message-id}", in.Header.Get("Message-ID"), "{sender}", m.from, "{envid}", m.envid, "{to}", m.to[0]).Replace(text)
		}
		for _, name := range []string{"REF", "OTHER"} {
			text = strings.ReplaceAll(text, "{"+name+"}", ts.Getenv(name))
		}
		ts.Check(p.put([]byte(strings.ReplaceAll(text, "\n", "\r\n"))))
	},
}
