package main

import (
	"bytes"
	"fmt"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"caseforms/internal/postoffice"
	"caseforms/mail"
)

// configured writes the configuration that leads to a post office.
func configured(p *postoffice.Memory, dir, settings string) error {
	for name, text := range map[string]string{
		"ca.pem": string(p.CA),
		"login":  "user us\npassword secret\n",
		"config.yaml": fmt.Sprintf(`mail:
  mailbox: safeguarding@probation.example
  name: Probation Service, safeguarding
  telephone: {whom: the safeguarding desk, number: 01632 960100}
  authserv: [mx.probation.example]
  relays:
    - {name: main, server: "%s", server_name: localhost, ca: ca.pem, login: login, guarantees: tls}
  inbox: {server: "%s", server_name: localhost, ca: ca.pem, login: login}
%s`, p.RelayAddress, p.MailboxAddress, settings),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
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
		p, err := postoffice.OpenMemory()
		ts.Check(err)
		ts.Defer(p.Close)
		ts.Check(configured(p, ts.MkAbs("."), more))
		postOffices.Store(ts.Getenv("WORK"), p)
	},
	// arrived: prints how many messages arrived; with an address the last that arrived there, what it says
	"arrived": func(ts *testscript.TestScript, _ bool, args []string) {
		v, _ := postOffices.Load(ts.Getenv("WORK"))
		p := v.(*postoffice.Memory)
		if len(args) == 0 {
			fmt.Fprintf(ts.Stdout(), "%d arrived\n", len(p.All()))
			return
		}
		m, ok := p.Last(args[0])
		if !ok {
			ts.Fatalf("nothing arrived at %s", args[0])
		}
		in := mail.Read(m.Raw)
		head, _, _ := strings.Cut(string(m.Raw), "\r\n\r\n")
		fmt.Fprintf(ts.Stdout(), "MAIL FROM:<%s> ENVID=%s RCPT TO:<%s>\n%s\nsubject: %s\n%s\n", m.From, m.Envelope, m.To, strings.ReplaceAll(head, "\r\n", "\n"), in.Subject, in.Text)
		for _, f := range in.Files {
			fmt.Fprintf(ts.Stdout(), "file: %s %s\n", f.Name, f.Type)
		}
	},
	// comes: puts a message into our mailbox, a file in which the facts of what arrived last at an address stand in braces
	"comes": func(ts *testscript.TestScript, _ bool, args []string) {
		v, _ := postOffices.Load(ts.Getenv("WORK"))
		p := v.(*postoffice.Memory)
		text := ts.ReadFile(args[0])
		if len(args) > 1 {
			m, ok := p.Last(args[1])
			if !ok {
				ts.Fatalf("nothing arrived at %s", args[1])
			}
			in, err := netmail.ReadMessage(bytes.NewReader(m.Raw))
			ts.Check(err)
			reply, err := in.Header.AddressList("Reply-To")
			ts.Check(err)
			text = strings.NewReplacer("{reply-to}", reply[0].Address, "{message-id}", in.Header.Get("Message-ID"), "{sender}", m.From, "{envid}", m.Envelope, "{to}", m.To).Replace(text)
		}
		for _, name := range []string{"REF", "OTHER"} {
			text = strings.ReplaceAll(text, "{"+name+"}", ts.Getenv(name))
		}
		ts.Check(p.Put([]byte(strings.ReplaceAll(text, "\n", "\r\n"))))
	},
}
