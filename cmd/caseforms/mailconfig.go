package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/mail"
)

// mailConfig says how e-mail is sent and taken in (docs/mail.md). Files are named relative to the configuration.
type mailConfig struct {
	Mailbox      string // ours, to which all answers come
	Name         string // shown beside it
	Domain       string // of Message-IDs, and what we call ourselves to a relay; "" is that of the mailbox
	PlainAddress bool   // the mailbox cannot take addresses with a plus
	MaxMb        int    // of a message as it is sent; 0 is 10
	Telephone    telephone
	Teams        map[string]telephone
	Months       int // how long a demonstration holds; 0 is 12
	Relays       []relayConfig
	Inbox        *inboxConfig
	Authserv     []string // what our own relay calls itself in Authentication-Results
	AuthservNone bool     // it does not call itself anything, as Microsoft 365
}

type telephone struct{ Whom, Number string }

type relayConfig struct {
	Name        string
	Server      string // host or host:port
	Tls         string // starttls (default) or implicit. There is no way without
	ServerName  string
	Ca          string // file with the certificates that may have signed the server's; "" are the system's
	Guarantees  string // tls or cjsm, when its operator answers for how it passes mail on
	Login       string // file with user and password or token
	PlainSender bool
	RequireTls  bool
	MaxMb       int
}

type inboxConfig struct {
	Server     string
	Tls        string // implicit (default) or starttls
	ServerName string
	Ca         string
	Login      string
	Folder     string
}

func (c *config) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(c.file), name)
}

// pool reads certificates; nil are the system's.
func (c *config) pool(name string) (*x509.CertPool, error) {
	if name == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.path(name))
	pool := x509.NewCertPool()
	if err == nil && pool.AppendCertsFromPEM(pem) {
		return pool, nil
	}
	return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the file with certificates in the configuration (ca) cannot be used", Err: plain(err), Hint: "it holds certificates as PEM"}
}

func (c *config) login(name string) mail.LoginFunc {
	if name == "" {
		return nil
	}
	return mail.LoginFile(c.path(name))
}

func wrongMail(msg, hint string) error {
	return &caseforms.Error{Kind: caseforms.Invalid, Msg: "mail in the configuration: " + msg, Hint: hint}
}

// post is what the configuration says of e-mail, for the desk.
func (c *config) post() (*casework.Post, error) {
	m := c.Mail
	box, err := mail.ParseAddress(m.Mailbox)
	if err != nil {
		return nil, wrongMail("mailbox is not an e-mail address of ours", "the one that is watched: safeguarding@probation.example")
	}
	if m.Telephone.Whom == "" || m.Telephone.Number == "" {
		return nil, wrongMail("telephone is missing", "telephone: {whom: Safeguarding desk, number: 01632 960100}; every message says whom to ring")
	}
	p := &casework.Post{
		House:  mail.House{Mailbox: box, Name: m.Name, Domain: m.Domain, MaxBytes: m.MaxMb << 20, Untagged: m.PlainAddress},
		Ours:   mail.Ours{Mailboxes: []mail.Address{box}, Relays: m.Authserv, Unnamed: m.AuthservNone},
		Months: m.Months, Ring: casework.Telephone(m.Telephone), Teams: map[string]casework.Telephone{},
	}
	for team, t := range m.Teams {
		p.Teams[team] = casework.Telephone(t)
	}
	seen := map[string]bool{}
	for _, r := range m.Relays {
		if r.Name == "" || seen[r.Name] || r.Server == "" {
			return nil, wrongMail("a relay has a name of its own and a server", "{name: main, server: smtp.example:587, guarantees: tls, login: relay.login}")
		}
		seen[r.Name] = true
		implicit, err := implicitTLS(cmp.Or(r.Tls, "starttls"))
		if err != nil {
			return nil, err
		}
		if g := mail.Channel(r.Guarantees); g != "" && g != mail.TLS && g != mail.CJSM {
			return nil, wrongMail("relay "+r.Name+": guarantees is tls or cjsm, or left out", "")
		}
		cas, err := c.pool(r.Ca)
		if err != nil {
			return nil, err
		}
		p.Relays = append(p.Relays, mail.Relay{Name: r.Name, Address: r.Server, ImplicitTLS: implicit, ServerName: r.ServerName, CAs: cas, Guarantees: mail.Channel(r.Guarantees), Login: c.login(r.Login),
			PlainSender: r.PlainSender, RequireTLS: r.RequireTls, MaxBytes: r.MaxMb << 20})
	}
	return p, nil
}

func implicitTLS(s string) (bool, error) {
	switch s {
	case "implicit":
		return true, nil
	case "starttls":
		return false, nil
	}
	return false, wrongMail("tls is starttls or implicit", "there is no way to send or read mail without TLS")
}

// inbox is the mailbox that is read, and what the store calls it.
func (c *config) inbox(test bool) (name string, box *mail.IMAP, err error) {
	if c.Mail == nil || c.Mail.Inbox == nil || c.Mail.Inbox.Server == "" {
		return "", nil, wrongMail("there is no inbox", "inbox: {server: imap.example, login: inbox.login}")
	}
	i := c.Mail.Inbox
	implicit, err := implicitTLS(cmp.Or(i.Tls, "implicit"))
	if err != nil {
		return "", nil, err
	}
	cas, err := c.pool(i.Ca)
	if err != nil {
		return "", nil, err
	}
	if i.Login == "" {
		return "", nil, wrongMail("the inbox has no login", "login: FILE, with a line user and a line password or token")
	}
	name = strings.ToLower(c.Mail.Mailbox) + " " + cmp.Or(i.Folder, "INBOX")
	return name, &mail.IMAP{Address: i.Server, ImplicitTLS: implicit, ServerName: i.ServerName, CAs: cas, Login: c.login(i.Login), Folder: i.Folder, LoopbackOnly: test}, nil
}

// checkMail tells what is configured of e-mail. Nothing is connected to.
func (c *config) checkMail(say func(string, string), wrong func(error)) {
	if c.Mail == nil {
		say("mail", "none; nothing goes by e-mail")
		return
	}
	p, err := c.post()
	if err != nil {
		wrong(err)
		return
	}
	say("mailbox", string(p.House.Mailbox))
	for _, r := range p.Relays {
		what := r.Name + ", " + r.Address
		if r.Guarantees != "" {
			what += ", guarantees " + string(r.Guarantees)
		}
		say("relay", what)
		if r.Login != nil {
			if _, err := r.Login(context.Background()); err != nil {
				wrong(fmt.Errorf("relay %s: %w", r.Name, err))
			}
		}
	}
	if len(p.Relays) == 0 {
		say("relay", "none; everything is held")
	}
	if c.Mail.Inbox == nil {
		say("inbox", "none; answers are recorded by hand")
		return
	}
	_, box, err := c.inbox(false)
	if err != nil {
		wrong(err)
		return
	}
	say("inbox", box.Address)
	if _, err := box.Login(context.Background()); err != nil {
		wrong(fmt.Errorf("inbox: %w", err))
	}
}
