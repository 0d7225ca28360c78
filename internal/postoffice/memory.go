package postoffice

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
	"io"
	"log"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Memory is a relay and a mailbox in this process, for tests that need no real servers. What an address begins with says what becomes of
// what is sent to it: refuse, busy, break (it is taken, and the connection ends before the answer).
type Memory struct {
	RelayAddress   string // STARTTLS, user us, password secret
	MailboxAddress string // implicit TLS, the same user
	CA             []byte // the certificate of both, as PEM; its name is localhost

	// Taken is called for each message that the relay has taken, before it answers.
	Taken func(Posted)

	mu   sync.Mutex
	took []Posted
	user *imapmemserver.User
	smtp *smtp.Server
	imap *imapserver.Server
}

// Posted is a message that the relay has taken.
type Posted struct {
	From, Envelope, To string
	Raw                []byte
}

// OpenMemory starts it. The caller closes it.
func OpenMemory() (*Memory, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	m := &Memory{user: imapmemserver.NewUser("us", "secret"), CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	if err := m.user.Create("INBOX", nil); err != nil {
		return nil, err
	}
	relay, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mailbox, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, relay.Close())
	}
	m.RelayAddress, m.MailboxAddress = relay.Addr().String(), mailbox.Addr().String()
	m.smtp = smtp.NewServer(m)
	m.smtp.TLSConfig, m.smtp.EnableDSN, m.smtp.MaxMessageBytes = conf, true, 30<<20
	m.smtp.ErrorLog = log.New(io.Discard, "", 0)
	go m.smtp.Serve(relay)
	users := imapmemserver.New()
	users.AddUser(m.user)
	m.imap = imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return users.NewSession(), nil, nil
		},
		TLSConfig: conf, Logger: log.New(io.Discard, "", 0),
	})
	go m.imap.Serve(tls.NewListener(mailbox, conf))
	return m, nil
}

// Close ends it.
func (m *Memory) Close() {
	m.smtp.Close()
	m.imap.Close()
}

// Put puts a message into the mailbox.
func (m *Memory) Put(raw []byte) error {
	_, err := m.user.Append("INBOX", memoryLiteral{bytes.NewReader(raw)}, &imap.AppendOptions{Time: time.Now()})
	return err
}

// Recreate makes the mailbox anew and empty: its validity is another.
func (m *Memory) Recreate() error {
	if err := m.user.Delete("INBOX"); err != nil {
		return err
	}
	return m.user.Create("INBOX", nil)
}

// All are the messages that the relay has taken, in their order.
func (m *Memory) All() []Posted {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.took)
}

// Last is what was sent last to an address that begins so.
func (m *Memory) Last(to string) (Posted, bool) {
	for _, p := range slices.Backward(m.All()) {
		if strings.HasPrefix(p.To, to) {
			return p, true
		}
	}
	return Posted{}, false
}

type memoryLiteral struct{ *bytes.Reader }

func (l memoryLiteral) Size() int64 { return l.Reader.Size() }

// NewSession makes it a backend of the library's relay.
func (m *Memory) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &memorySession{memory: m, conn: c}, nil
}

type memorySession struct {
	memory *Memory
	conn   *smtp.Conn
	now    Posted
}

func (s *memorySession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *memorySession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "us" || password != "secret" {
			return errors.New("who is that")
		}
		return nil
	}), nil
}

func (s *memorySession) Reset()        { s.now = Posted{} }
func (s *memorySession) Logout() error { return nil }

func (s *memorySession) Mail(from string, o *smtp.MailOptions) error {
	s.now = Posted{From: from, Envelope: o.EnvelopeID}
	return nil
}

func (s *memorySession) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasPrefix(to, "refuse"):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox here"}
	case strings.HasPrefix(to, "busy"):
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "come back later"}
	}
	s.now.To = to
	return nil
}

func (s *memorySession) Data(r io.Reader) (err error) {
	if s.now.Raw, err = io.ReadAll(r); err != nil {
		return err
	}
	m := s.memory
	m.mu.Lock()
	m.took = append(m.took, s.now)
	m.mu.Unlock()
	if m.Taken != nil {
		m.Taken(s.now)
	}
	if strings.HasPrefix(s.now.To, "break") {
		s.conn.Conn().Close()
	}
	return nil
}
