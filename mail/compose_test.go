package mail

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"caseforms"
	"caseforms/render"
	"caseforms/templates"
)

var update = flag.Bool("update", false, "write the golden files anew")

var definitions = sync.OnceValue(func() *caseforms.Definitions {
	d, err := templates.Load("")
	if err != nil {
		panic(err)
	}
	return d
})

var house = House{Mailbox: "safeguarding@probation.example", Name: "Probation Service, safeguarding"}

// chance is a source that is the same each time.
func chance() io.Reader { return rand.NewChaCha8([32]byte{7}) }

// letter is one that can be sent.
func letter(change func(*Letter)) Letter {
	l := Letter{
		ID: "send-81", Token: "k3v5x7q2m4aabbcc", Date: time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC),
		Route: Allowed{Channel: TLS, Relay: "forced", To: "mash@council.example"},
		Form:  "cp1", Ref: "CF-7K3M-Q9ZD", Marking: "OFFICIAL-SENSITIVE", AnswerBy: caseforms.Date{Year: 2026, Month: 12, Day: 4},
		To: "MASH, Northtown Council", Contact: "the safeguarding team", Phone: "01632 960 001",
		Attachments: []Attachment{{Ext: "pdf", Data: []byte("%PDF-1.7 a form")}},
	}
	r, err := caseforms.NewRef(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		panic(err)
	}
	l.Ref = r
	if change != nil {
		change(&l)
	}
	return l
}

func compose(t testing.TB, change func(*Letter)) *Message {
	t.Helper()
	m, err := Compose(definitions(), house, letter(change), chance())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// letters are one of each kind of message that there is.
func letters() map[string]Letter {
	out := map[string]Letter{}
	for _, lang := range []string{"en", "cy"} {
		for _, f := range definitions().Forms {
			out[f.ID+"-"+lang] = letter(func(l *Letter) { l.Form, l.Lang = f.ID, lang })
			out[f.ID+"-chase-"+lang] = letter(func(l *Letter) {
				l.Form, l.Lang, l.Kind, l.Attachments = f.ID, lang, caseforms.MailChase, nil
				l.Sent, l.AnswerBy = caseforms.Date{Year: 2026, Month: 11, Day: 26}, caseforms.Date{}
				l.Follows, l.Automatic = []string{"send-12@probation.example"}, true
			})
			out[f.ID+"-correction-"+lang] = letter(func(l *Letter) {
				l.Form, l.Lang, l.Kind, l.Issue, l.Follows = f.ID, lang, caseforms.MailCorrection, 2, []string{"send-12@probation.example", "send-13@probation.example"}
			})
		}
		out["sealed-"+lang] = letter(func(l *Letter) {
			l.Form, l.Lang, l.Route.Channel, l.Route.Sealed = "check", lang, Password, true
			l.Attachments[0].Data = []byte("%PDF-1.7 trailer<</Encrypt 1 0 R>>")
		})
		out["information-"+lang] = letter(func(l *Letter) { l.Form, l.Lang, l.NoAnswer = "", lang, true })
	}
	return out
}

func TestComposedMessages(t *testing.T) {
	t.Parallel()
	golden := []string{"cp1-en", "cp1-cy", "check-en", "conference-en", "pp1-en", "pp3-en", "cp1-chase-en", "check-chase-cy", "check-correction-en", "pp1-correction-cy", "sealed-en", "sealed-cy", "information-en"}
	all := letters()
	for _, name := range golden {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, ok := all[name]
			if !ok {
				t.Fatal("there is no such letter")
			}
			m, err := Compose(definitions(), house, l, chance())
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "composed", name+".eml")
			got := bytes.ReplaceAll(m.Raw, []byte("\r\n"), []byte("\n"))
			if *update {
				os.MkdirAll(filepath.Dir(file), 0o755)
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("not as in %s (%v):\n%s", file, err, got)
			}
		})
	}
}

// opened is a message as the standard library reads it, which is not what it was written with.
type opened struct {
	head        netmail.Header
	plain, html string
	files       map[string][]byte
	partHeads   string
}

func open1(t testing.TB, raw []byte) opened {
	t.Helper()
	msg, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	o := opened{head: msg.Header, files: map[string][]byte{}}
	var walk func(kind string, body io.Reader)
	walk = func(kind string, body io.Reader) {
		_, params, err := mime.ParseMediaType(kind)
		if err != nil {
			t.Fatal(err)
		}
		r := multipart.NewReader(body, params["boundary"])
		for {
			p, err := r.NextRawPart()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			o.partHeads += fmt.Sprintln(p.Header)
			kind := p.Header.Get("Content-Type")
			if strings.HasPrefix(kind, "multipart/") {
				walk(kind, p)
				continue
			}
			var body []byte
			if p.Header.Get("Content-Transfer-Encoding") == "base64" {
				body, err = io.ReadAll(base64.NewDecoder(base64.StdEncoding, p))
			} else {
				body, err = io.ReadAll(quotedprintable.NewReader(p))
			}
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case p.FileName() != "":
				o.files[p.FileName()] = body
			case strings.HasPrefix(kind, "text/plain"):
				if o.html != "" {
					t.Error("the plain text is not first")
				}
				o.plain = string(body)
			case strings.HasPrefix(kind, "text/html"):
				o.html = string(body)
			}
		}
	}
	walk(msg.Header.Get("Content-Type"), msg.Body)
	return o
}

func TestEveryMessage(t *testing.T) {
	t.Parallel()
	tags := regexp.MustCompile(`<[^>]*>`)
	for name, l := range letters() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := Compose(definitions(), house, l, chance())
			if err != nil {
				t.Fatal(err)
			}
			o := open1(t, m.Raw)
			subject, err := new(mime.WordDecoder).DecodeHeader(o.head.Get("Subject"))
			if err != nil || subject != m.Subject || !strings.HasPrefix(subject, "OFFICIAL-SENSITIVE: ") || !strings.Contains(subject, string(l.Ref)) {
				t.Errorf("subject %q, %v", subject, err)
			}
			if strings.ContainsAny(m.Subject+o.plain, "{}⟨⟩") || strings.Contains(o.plain, "%!") || strings.Contains(o.plain, "  ") {
				t.Errorf("a place was not filled in:\n%s\n%s", m.Subject, o.plain)
			}
			for header, want := range map[string]string{
				"From": `"Probation Service, safeguarding" <safeguarding@probation.example>`, "To": "<mash@council.example>", "Cc": "", "Bcc": "", "Sender": "",
				"Reply-To":   `"Probation Service, safeguarding" <safeguarding+k3v5x7q2m4aabbcc@probation.example>`,
				"Message-Id": "<send-81@probation.example>", "Date": "Tue, 01 Dec 2026 09:30:00 +0000", "Mime-Version": "1.0", "Content-Language": l.Lang,
			} {
				if got := strings.Join(o.head[header], "|"); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
			if l.Automatic != (o.head.Get("Auto-Submitted") == "auto-generated") || !l.Automatic && o.head["Auto-Submitted"] != nil {
				t.Errorf("Auto-Submitted is %q", o.head.Get("Auto-Submitted"))
			}
			if n := len(l.Follows); n > 0 && (o.head.Get("In-Reply-To") != "<"+l.Follows[n-1]+">" || strings.Count(o.head.Get("References"), "<") != n) {
				t.Errorf("does not follow what was sent before: %v", o.head)
			}
			// The order: what is wanted, by when, how to answer, the reference, whom to telephone.
			last := -1
			order := []string{"safeguarding+k3v5x7q2m4aabbcc@probation.example", string(l.Ref), "01632 960 001"}
			if l.NoAnswer {
				order = order[1:]
			} else if !l.AnswerBy.IsZero() {
				day := "Friday 4 December 2026"
				if l.Lang == "cy" {
					day = "dydd Gwener 4 Rhagfyr 2026"
				}
				order = append([]string{day}, order...)
			}
			for _, s := range order {
				if i := strings.LastIndex(o.plain, s); i <= last {
					t.Errorf("%s is missing or not in its place:\n%s", s, o.plain)
				} else {
					last = i
				}
			}
			for _, f := range m.Files {
				if !strings.Contains(o.plain, f) || o.files[f] == nil {
					t.Errorf("%s is not told or not there", f)
				}
			}
			if len(o.files) != len(l.Attachments) {
				t.Errorf("%d files", len(o.files))
			}
			// The twin says the same words and fetches nothing.
			body := o.html[strings.Index(o.html, "<body>"):]
			words := func(s string) string {
				s = strings.NewReplacer("&#39;", "'", "&#34;", `"`, "&amp;", "&", "&lt;", "<", "&gt;", ">").Replace(s)
				return strings.Join(strings.Fields(s), " ")
			}
			if words(tags.ReplaceAllString(body, " ")) != words(o.plain) {
				t.Errorf("the two texts differ:\n%s\n%s", words(tags.ReplaceAllString(body, " ")), words(o.plain))
			}
			for _, bad := range []string{"src=", "href=", "url(", "http", "<script", "<style", "<link", "<img", "onload", "<iframe"} {
				if strings.Contains(strings.ToLower(o.html), bad) {
					t.Errorf("the HTML has %s", bad)
				}
			}
			if !strings.Contains(o.html, `<html lang="`+l.Lang+`">`) {
				t.Error("the HTML does not say its language")
			}
			// What every relay passes on unchanged: seven bits, short lines, CRLF.
			for line := range bytes.Lines(m.Raw) {
				if !bytes.HasSuffix(line, []byte("\r\n")) || len(line) > 100 && !bytes.HasPrefix(line, []byte("Subject:")) || len(line) > 998 || bytes.Count(line, []byte("\r")) != 1 || slices.Max(line) > 126 {
					t.Errorf("line %q", line)
				}
			}
		})
	}
}

// secrets are the words of the samples that say who somebody is: names, numbers, birthdays, addresses, telephone numbers.
func secrets(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	files, _ := filepath.Glob("../samples/cases/*.json")
	if len(files) < 5 {
		t.Fatal("where are the samples?")
	}
	var walk func(key string, v any)
	walk = func(key string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(k, x)
			}
		case []any:
			for _, x := range v {
				walk(key, x)
			}
		case string:
			for _, k := range []string{"name", "alias", "crn", "prison_number", "pnc", "cro", "nhs", "visor", "dob", "postcode", "phone", "email", "lines", "establishment", "court"} {
				if strings.Contains(key, k) {
					for _, w := range strings.Fields(v) {
						if w = strings.Trim(w, ".,;:()"); len(w) > 2 {
							out[strings.ToLower(w)] = true
						}
					}
				}
			}
		}
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		walk("", v)
	}
	// Words that are in our texts for other reasons.
	for _, w := range []string{"the", "and", "for", "our", "team", "service", "services", "council", "children", "housing", "children's", "safeguarding", "probation", "northtown", "mash", "police", "office", "protection", "public",
		"conference", "information", "may", "not", "example", "jobcentre", "with", "mappa", "child", "form", "january", "december", "01632", "960", "panel", "meeting", "report"} {
		delete(out, w)
	}
	if !out["sampleson"] || !out["x000001"] || len(out) < 100 {
		t.Fatalf("only %d words found", len(out))
	}
	return out
}

// Nothing of the samples stands in a message, in any language, of any form: neither in the subject and what is shown before it is
// opened, nor in names of files, the Message-ID, an address, or a text. What is attached is the form itself.
func TestNothingPersonal(t *testing.T) {
	t.Parallel()
	words := secrets(t)
	split := regexp.MustCompile(`[^\pL\pN'@.+/-]+`)
	for name, l := range letters() {
		m, err := Compose(definitions(), house, l, chance())
		if err != nil {
			t.Fatal(err)
		}
		o := open1(t, m.Raw)
		for where, text := range map[string]string{
			"headers": fmt.Sprint(o.head), "subject": m.Subject, "text": o.plain, "HTML": o.html, "parts": o.partHeads, "files": strings.Join(m.Files, " "),
			"ids": m.ID + " " + m.MessageID + " " + string(m.Token),
		} {
			for _, w := range split.Split(text, -1) {
				for _, w := range append(strings.FieldsFunc(w, func(r rune) bool { return strings.ContainsRune("-@.+/", r) }), strings.Trim(w, ".,")) {
					if words[strings.ToLower(w)] {
						t.Errorf("%s: %s has %q", name, where, w)
					}
				}
			}
		}
		// Before it is opened: the form and the reference, whatever the wording.
		preview := []rune(o.plain)
		for _, s := range []string{l.To, l.Contact, l.Phone, "@"} {
			if strings.Contains(string(preview[:150]), s) || strings.Contains(m.Subject, s) {
				t.Errorf("%s: %q is shown before it is opened", name, s)
			}
		}
		for _, f := range m.Files {
			if !regexp.MustCompile(`^[a-z0-9-]+-CF-[0-9A-Z]{4}-[0-9A-Z]{4}(-2)?\.pdf$`).MatchString(f) {
				t.Errorf("a file is called %s", f)
			}
		}
	}
}

// What is attached is what was rendered, and what must be sealed is.
func TestSampleDocuments(t *testing.T) {
	t.Parallel()
	d := definitions()
	raw, err := os.ReadFile("../samples/cases/01-simple.json")
	if err != nil {
		t.Fatal(err)
	}
	f, err := d.Form("check")
	if err != nil {
		t.Fatal(err)
	}
	c, ps := d.Decode(raw, f)
	if c == nil {
		t.Fatal(ps)
	}
	doc, err := d.Fill(f, c, caseforms.FillOptions{Today: today, Ref: "CF-7K3M-Q9ZQ"})
	if err != nil {
		t.Fatal(err)
	}
	file := func(o render.Options) []byte {
		var b bytes.Buffer
		if _, err := render.PDF(&b, doc, o); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	open, locked := file(render.Options{}), file(render.Options{Profile: render.ProfileSecure, Password: "a-long-enough-password-7"})
	m := compose(t, func(l *Letter) { l.Form, l.Attachments = "check", []Attachment{{Ext: "pdf", Data: open}} })
	if got := open1(t, m.Raw).files["check-"+string(letter(nil).Ref)+".pdf"]; !bytes.Equal(got, open) {
		t.Error("what is attached is not what was rendered")
	}
	for sealed, data := range map[bool][]byte{true: locked, false: open} {
		_, err := Compose(d, house, letter(func(l *Letter) {
			l.Form, l.Route.Sealed, l.Attachments = "check", true, []Attachment{{Ext: "pdf", Data: data}}
		}), chance())
		if (err == nil) != sealed {
			t.Errorf("sealed %v: %v", sealed, err)
		}
	}
}

func TestBytesAreMadeOnce(t *testing.T) {
	t.Parallel()
	a, b := compose(t, nil), compose(t, nil)
	if !bytes.Equal(a.Raw, b.Raw) || a.SHA256 != b.SHA256 {
		t.Error("the same chance makes other bytes")
	}
	c, err := Compose(definitions(), house, letter(nil), rand.NewChaCha8([32]byte{9}))
	if err != nil || bytes.Equal(a.Raw, c.Raw) {
		t.Error("the boundaries are not drawn from the source that is given", err)
	}
	stored, err := a.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var back Message
	if err := back.UnmarshalBinary(stored); err != nil || !bytes.Equal(back.Raw, a.Raw) || back.MessageID != a.MessageID || back.Route != a.Route || back.Token != a.Token || back.Mailbox != a.Mailbox {
		t.Errorf("%+v, %v", back, err)
	}
	for _, i := range []int{len(stored) - 3, bytes.IndexByte(stored, '\n') + 5} {
		bad := bytes.Clone(stored)
		bad[i] ^= 1
		if err := new(Message).UnmarshalBinary(bad); err == nil {
			t.Error("changed bytes are taken")
		}
	}
	for _, bad := range [][]byte{nil, stored[:len(stored)-1], []byte("{}"), []byte("\n\n"), append(bytes.Clone(stored), 'x')} {
		if err := new(Message).UnmarshalBinary(bad); err == nil {
			t.Error("damaged bytes are taken")
		}
	}
	if _, err := Compose(definitions(), house, letter(nil), iotest.ErrReader(io.ErrUnexpectedEOF)); err == nil {
		t.Error("composed without chance")
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, sizes := range [][]int{{1}, {2, 3}, {100_000}, {57, 58, 59}, {1 << 20, 5}, {7 << 20}} {
		m := compose(t, func(l *Letter) {
			l.Attachments = nil
			for i, n := range sizes {
				l.Attachments = append(l.Attachments, Attachment{Key: fmt.Sprint("a", i), Ext: "pdf", Data: bytes.Repeat([]byte{'x'}, n)})
			}
		})
		if said := EncodedSize(sizes...); said < len(m.Raw) || said > len(m.Raw)+20_000 {
			t.Errorf("%v: said %d, is %d", sizes, said, len(m.Raw))
		}
	}
	_, err := Compose(definitions(), house, letter(func(l *Letter) { l.Attachments[0].Data = make([]byte, 8<<20) }), chance())
	if e, ok := errors.AsType[*caseforms.Error](err); !ok || e.Kind != caseforms.Invalid || !strings.Contains(e.Msg, "may have 10.5 MB") {
		t.Error(err)
	}
	h := house
	h.MaxBytes = 30_000
	for size, fits := range map[int]bool{1000: true, 30_000: false} {
		if _, err := Compose(definitions(), h, letter(func(l *Letter) { l.Attachments[0].Data = make([]byte, size) }), chance()); (err == nil) != fits {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestUnfitLetters(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Letter){
		"no id":                     func(l *Letter) { l.ID = "" },
		"id with a line break":      func(l *Letter) { l.ID = "a\r\nBcc: x@y.com" },
		"id with a name's space":    func(l *Letter) { l.ID = "Alex Sampleson" },
		"id with an @":              func(l *Letter) { l.ID = "a@b" },
		"no token":                  func(l *Letter) { l.Token = "" },
		"a name for a token":        func(l *Letter) { l.Token = "sampleson" },
		"no date":                   func(l *Letter) { l.Date = time.Time{} },
		"no address":                func(l *Letter) { l.Route.To = "" },
		"two addresses":             func(l *Letter) { l.Route.To = "a@b.example, c@d.example" },
		"address not read":          func(l *Letter) { l.Route.To = "mash@Council.example" },
		"no reference":              func(l *Letter) { l.Ref = "" },
		"a name for a reference":    func(l *Letter) { l.Ref = "CF-SAMP-LESO" },
		"reference as typed":        func(l *Letter) { l.Ref = caseforms.Ref(strings.ToLower(string(l.Ref))) },
		"no marking":                func(l *Letter) { l.Marking = " " },
		"marking with a line break": func(l *Letter) { l.Marking = "OFFICIAL\r\nBcc: x@y.com" },
		"no telephone":              func(l *Letter) { l.Phone = "" },
		"no contact":                func(l *Letter) { l.Contact = "" },
		"nobody":                    func(l *Letter) { l.To = "" },
		"bad text":                  func(l *Letter) { l.To = "\xff" },
		"no document":               func(l *Letter) { l.Attachments = nil },
		"empty document":            func(l *Letter) { l.Attachments[0].Data = nil },
		"a program":                 func(l *Letter) { l.Attachments[0].Ext = "exe" },
		"a path":                    func(l *Letter) { l.Attachments[0].Ext = "pdf/../x" },
		"a name for a key":          func(l *Letter) { l.Attachments[0].Key = "Alex Sampleson" },
		"two of a name":             func(l *Letter) { l.Attachments = append(l.Attachments, l.Attachments[0]) },
		"unknown form":              func(l *Letter) { l.Form = "cp9" },
		"unknown kind":              func(l *Letter) { l.Kind = "reminder" },
		"correction of nothing":     func(l *Letter) { l.Kind = caseforms.MailCorrection },
		"chase with a file":         func(l *Letter) { l.Kind, l.Sent = caseforms.MailChase, today },
		"chase of nothing":          func(l *Letter) { l.Kind, l.Attachments = caseforms.MailChase, nil },
		"open where sealed":         func(l *Letter) { l.Route.Sealed = true },
		"text where sealed":         func(l *Letter) { l.Route.Sealed, l.Attachments[0].Ext = true, "txt" },
		"earlier id with a break":   func(l *Letter) { l.Follows = []string{"a@b>\r\nBcc: <x@y.com"} },
		"earlier id with brackets":  func(l *Letter) { l.Follows = []string{"<a@b>"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := Compose(definitions(), house, letter(change), chance())
			if e, ok := errors.AsType[*caseforms.Error](err); m != nil || !ok || e.Msg == "" || e.Kind == caseforms.Internal {
				t.Errorf("%v", err)
			}
		})
	}
	for name, h := range map[string]House{
		"no mailbox": {}, "mailbox too long for a token": {Mailbox: Address(strings.Repeat("x", 50) + "@a.example")}, "name with a line break": {Mailbox: house.Mailbox, Name: "a\nb"},
		"domain": {Mailbox: house.Mailbox, Domain: "a b"},
	} {
		if _, err := Compose(definitions(), h, letter(nil), chance()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A mailbox that takes no addresses with a plus is answered to as it is.
func TestUntagged(t *testing.T) {
	t.Parallel()
	h := house
	h.Untagged, h.Domain = true, "mail.probation.example"
	m, err := Compose(definitions(), h, letter(nil), chance())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(m.Raw, []byte("k3v5x7")) || m.MessageID != "send-81@mail.probation.example" {
		t.Error("the token is told, or the domain is not the one set")
	}
	if many := open1(t, compose(t, func(l *Letter) { l.Follows = slices.Repeat([]string{"a@b.example"}, 50) }).Raw).head.Get("References"); strings.Count(many, "<") != 20 {
		t.Errorf("References: %s", many)
	}
}

// A date is London's, with its offset, on both sides of the change of the clocks.
func TestDate(t *testing.T) {
	t.Parallel()
	for at, want := range map[time.Time]string{
		time.Date(2026, 10, 24, 23, 30, 0, 0, time.UTC): "Sun, 25 Oct 2026 00:30:00 +0100",
		time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC):  "Sun, 25 Oct 2026 01:30:00 +0000",
	} {
		if got := open1(t, compose(t, func(l *Letter) { l.Date = at }).Raw).head.Get("Date"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	box := func(v string, on bool) caseforms.Box {
		return caseforms.Box{Value: v, Label: strings.ToUpper(v), Ticked: on}
	}
	doc := func(as ...caseforms.Answer) *caseforms.Document {
		s := caseforms.DocSection{Title: "Attached"}
		for i := range as {
			s.Parts = append(s.Parts, caseforms.Part{Answer: &as[i]})
		}
		return &caseforms.Document{Sections: []caseforms.DocSection{s}}
	}
	ticks := caseforms.Answer{Key: "attachments", Label: "Attached to this form", State: caseforms.Answered, Boxes: []caseforms.Box{box("pp3", true), box("licence", false), box("other", true)}}
	words := caseforms.Answer{Key: "attachments_other", State: caseforms.Answered, Text: "A letter of Alex Sampleson"}
	yesno := caseforms.Answer{Key: "pp3_attached", State: caseforms.Answered, Value: "yes"}
	no := caseforms.Answer{Key: "pp3_attached", State: caseforms.Answered, Value: "no"}
	blank := caseforms.Answer{Key: "attachments", State: caseforms.NotAnswered, Boxes: ticks.Boxes}
	have := func(keys ...string) (out []Attachment) {
		for _, k := range keys {
			out = append(out, Attachment{Key: k})
		}
		return out
	}
	for name, c := range map[string]struct {
		doc  *caseforms.Document
		have []Attachment
		want int
	}{
		"all there":       {doc(ticks, yesno), have("", "pp3", "other_letter"), 0},
		"one missing":     {doc(ticks, no), have("", "other"), 1},
		"both missing":    {doc(ticks), have("", "licence"), 2},
		"in words":        {doc(words), have(""), 1},
		"in words, there": {doc(words), have("", "other"), 0},
		"yes":             {doc(yesno), have(""), 1},
		"not answered":    {doc(blank), have(""), 0},
	} {
		ps := Missing(c.doc, c.have)
		if len(ps) != c.want || len(ps) > 0 && (!caseforms.Blocks(ps) || ps[0].Msg == "" || ps[0].Hint == "" || ps[0].Section != "Attached") {
			t.Errorf("%s: %v", name, ps)
		}
		if strings.Contains(fmt.Sprint(ps), "Sampleson") {
			t.Errorf("%s: tells the value", name)
		}
	}
	// Every form that asks about attachments asks so that it is found.
	d := definitions()
	raw, err := os.ReadFile("../samples/cases/02-full.json")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{"cp1": true, "pp1": true, "check": false} {
		f, err := d.Form(id)
		if err != nil {
			t.Fatal(err)
		}
		c, ps := d.Decode(raw, f)
		if c == nil {
			t.Fatal(ps)
		}
		filled, err := d.Fill(f, c, caseforms.FillOptions{Today: today, Draft: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(Missing(filled, nil)) > 0; got != want {
			t.Errorf("%s: attachments are missed: %v", id, got)
		}
	}
}
