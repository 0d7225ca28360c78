package main

import (
	"bytes"
	"encoding/base64"
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

// returnedForm is a form of ours in which one question was answered, as small as such a file can be.
func returnedForm(root, question, answer string) []byte {
	objects := []string{
		"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[5 0 R]/DA(/Helv 0 Tf 0 g)/DR<</Font<</Helv 4 0 R>>>>>>>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<<>>/Annots[6 0 R]>>", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
		"<</T(" + root + ")/Kids[6 0 R]>>", "<</Type/Annot/Subtype/Widget/P 3 0 R/F 4/Rect[50 700 400 720]/Parent 5 0 R/T(" + question + ")/FT/Tx/DA(/Helv 10 Tf 0 g)/V(" + answer + ")>>",
	}
	b := bytes.NewBufferString("%PDF-1.7\n")
	table := "xref\n0 7\n0000000000 65535 f \n"
	for i, o := range objects {
		table += fmt.Sprintf("%010d 00000 n \n", b.Len())
		fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := b.Len()
	fmt.Fprintf(b, "%strailer\n<</Root 1 0 R/Size 7>>\nstartxref\n%d\n%%%%EOF\n", table, start)
	return b.Bytes()
}

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
	// filled: makes a form that came back with one answer: ROOT QUESTION ANSWER FILE
	"filled": func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(os.WriteFile(ts.MkAbs(args[3]), returnedForm(args[0], args[1], args[2]), 0o600))
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
		for before, rest, ok := strings.Cut(text, "{file:"); ok; before, rest, ok = strings.Cut(text, "{file:") {
			name, after, _ := strings.Cut(rest, "}")
			text = before + base64.StdEncoding.EncodeToString([]byte(ts.ReadFile(name))) + after
		}
		ts.Check(p.Put([]byte(strings.ReplaceAll(text, "\n", "\r\n"))))
	},
}
