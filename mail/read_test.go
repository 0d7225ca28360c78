package mail

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"caseforms"
)

// sent is the one send that all samples are about.
var sent = Known{ID: "s7kq2v9d", Ref: "CF-7K3M-Q9ZQ", To: "mash@council.example"}

type oneSend struct{ looked int }

func (k *oneSend) when(is bool) (*Known, error) {
	if k.looked++; is {
		return &sent, nil
	}
	return nil, nil
}

func (k *oneSend) ByToken(_ context.Context, t Token) (*Known, error) {
	return k.when(t == "k3vq7xw2mabcd5fg")
}
func (k *oneSend) ByID(_ context.Context, id string) (*Known, error) { return k.when(id == sent.ID) }
func (k *oneSend) ByMessageID(_ context.Context, id string) (*Known, error) {
	return k.when(id == sent.ID+"@probation.example")
}
func (k *oneSend) HasRef(_ context.Context, ref caseforms.Ref) (bool, error) {
	k.looked++
	return ref == sent.Ref, nil
}

var us = Ours{Mailboxes: []Address{"safeguarding@probation.example"}, Relays: []string{"relay.probation.example"}}

// incomingSample is a message of testdata/incoming, and what its first lines expect of it.
type incomingSample struct {
	name   string
	expect [][2]string
	raw    []byte
}

func (s *incomingSample) want(key string) string {
	for _, e := range s.expect {
		if e[0] == key {
			return e[1]
		}
	}
	return ""
}

func incomingSamples(t testing.TB) []incomingSample {
	t.Helper()
	files, _ := filepath.Glob("testdata/incoming/*/*.eml")
	var out []incomingSample
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		s := incomingSample{name: strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(f), "testdata/incoming/"), ".eml")}
		for bytes.HasPrefix(b, []byte("# ")) {
			var line []byte
			line, b = cutLine(b)
			k, v, ok := strings.Cut(string(line[2:]), ":")
			if !ok {
				t.Fatalf("%s: %q expects nothing", f, line)
			}
			s.expect = append(s.expect, [2]string{k, strings.TrimSpace(v)})
		}
		s.raw = bytes.TrimPrefix(b, []byte("\n"))
		out = append(out, s)
	}
	if len(out) < 100 {
		t.Fatalf("only %d samples", len(out))
	}
	return out
}

// Every sample is of the class it should be, and says what it should.
func TestIncomingSamples(t *testing.T) {
	t.Parallel()
	for _, s := range incomingSamples(t) {
		for ending, raw := range map[string][]byte{"LF": s.raw, "CRLF": bytes.ReplaceAll(s.raw, []byte("\n"), []byte("\r\n"))} {
			t.Run(s.name+"/"+ending, func(t *testing.T) {
				t.Parallel()
				in := Read(raw)
				m, err := us.Match(t.Context(), in, &oneSend{})
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range s.expect {
					if problem := unmet(in, &m, e[0], e[1]); problem != "" {
						t.Errorf("%s: %s", e[0], problem)
					}
				}
				if t.Failed() {
					t.Logf("why: %s\nreport: %+v\nmatch: %+v\ntext: %q\nhistory: %q\nwarnings: %q", in.Why, in.Report, m, in.Text, in.History, in.Warnings)
				}
			})
		}
	}
}

func unmet(in *Incoming, m *Match, key, want string) string {
	got := ""
	switch r := in.Report; key {
	case "class":
		got = string(in.Class)
	case "action", "status", "recipient", "diagnostic", "remote", "server", "original", "envid", "arrived", "disposition":
		switch {
		case in.Receipt != nil:
			got = map[string]string{"recipient": in.Receipt.Recipient, "original": in.Receipt.OriginalID, "disposition": in.Receipt.Disposition}[key]
		case r == nil:
			return "there is no report"
		case key == "recipient":
			var all []string
			for _, x := range r.Recipients {
				all = append(all, x.Recipient)
			}
			got = strings.Join(all, ", ")
		case key == "arrived":
			got = r.Arrived.UTC().Format(time.RFC3339)
		case key == "action" || key == "server" || key == "original" || key == "envid":
			got = map[string]string{"action": string(r.Action), "server": r.Server, "original": r.OriginalID, "envid": r.EnvelopeID}[key]
		case len(r.Recipients) == 0:
			return "it tells of nobody"
		default:
			x := r.Recipients[0]
			got = map[string]string{"status": x.Status, "diagnostic": x.Diagnostic, "remote": x.Remote}[key]
		}
		if key == "diagnostic" && strings.Contains(got, want) {
			return ""
		}
	case "text", "history", "warning", "doubt", "loop":
		got = map[string]string{"text": in.Text, "history": in.History, "warning": strings.Join(in.Warnings, "; "), "doubt": strings.Join(m.Doubts, "; "), "loop": m.Loop}[key]
		if want != "" && strings.Contains(got, want) {
			return ""
		}
	case "not-text":
		if !strings.Contains(in.Text, want) {
			return ""
		}
		got = in.Text
	case "files":
		var all []string
		for _, f := range in.Files {
			all = append(all, f.Name)
		}
		got = strings.Join(all, ", ")
	case "match":
		if got = string(m.By); got == "" {
			got = "none"
		}
	case "verified":
		if got = "no"; m.Verified {
			got = "yes"
		}
	default:
		return "nothing is known of it"
	}
	if got == want {
		return ""
	}
	return fmt.Sprintf("got %q, want %q", got, want)
}

func TestReadSurvivesWhatIsHostile(t *testing.T) {
	t.Parallel()
	const head = "From: jo@council.example\nTo: safeguarding+k3vq7xw2mabcd5fg@probation.example\nSubject: hello\n"
	nested := func(n int) string {
		var b strings.Builder
		b.WriteString(head)
		for i := range n {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
		}
		b.WriteString("Content-Type: text/plain\n\ndeep\n")
		return b.String()
	}
	messages := head + strings.Repeat("Content-Type: message/rfc822\n\n", 5000) + "\ndeep\n"
	for name, c := range map[string]struct {
		raw     string
		class   Class
		warning string
		check   func(*Incoming) bool
	}{
		"nothing":           {"", Unreadable, "", nil},
		"line ends":         {"\r\n\r\n\n", Unreadable, "", nil},
		"zeros":             {strings.Repeat("\x00", 1000), Unreadable, "", nil},
		"no empty line":     {head + "Yes, we know the child.\nGreetings", HumanReply, "", func(in *Incoming) bool { return in.Text == "Yes, we know the child.\nGreetings" }},
		"a line in between": {"From: jo@council.example\nbroken line\nSubject: hello\n\ntext", HumanReply, "header is damaged", func(in *Incoming) bool { return in.Subject == "hello" && in.Text == "text" }},
		"mailbox line":      {"From jo Mon Nov  2\n" + head + "\ntext", HumanReply, "", func(in *Incoming) bool { return in.Subject == "hello" }},
		"5,000 deep":        {nested(5000), Unreadable, "nested too deep", nil},
		"5,000 messages":    {messages, HumanReply, "nested too deep", func(in *Incoming) bool { return len(in.Files) == 1 }},
		"11 deep":           {nested(11), HumanReply, "", func(in *Incoming) bool { return in.Text == "deep" }},
		"100,000 parts":     {head + "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 100_000), HumanReply, "more than 200 parts", func(in *Incoming) bool { return in.parts <= mostParts }},
		"huge header":       {head + strings.Repeat("X-A: "+strings.Repeat("y", 1000)+"\n", 3000) + "\ntext", HumanReply, "header is damaged or too long", func(in *Incoming) bool { return in.Text == "text" }},
		"huge part header":  {head + "Content-Type: multipart/mixed; boundary=b\n\n--b\n" + strings.Repeat("X-A: b\n", 50_000) + "\ntext\n--b--", HumanReply, "header is damaged or too long", func(in *Incoming) bool { return in.Text == "text" && len(in.root.kids[0].head) <= mostFields }},
		"long text":         {head + "\n" + strings.Repeat("x", 3*mostText), HumanReply, "very long", func(in *Incoming) bool { return len(in.Text) == mostText }},
		"bad base64":        {head + "Content-Transfer-Encoding: base64\n\n" + "WWVzLCBrbm93bg==\n!!! not base64", HumanReply, "damaged", func(in *Incoming) bool { return strings.HasPrefix(in.Text, "Yes, known") }},
		"uuencode":          {head + "Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n", HumanReply, "encoding that is not known", nil},
		"quoted-printable":  {head + "Content-Transfer-Encoding: quoted-printable\n\na=3D=\n=C3=A9 =ZZ =", HumanReply, "", func(in *Incoming) bool { return in.Text == "a=é =ZZ " }},
		"no boundary found": {head + "Content-Type: multipart/mixed; boundary=other\n\n--b\n\ntext\n--b--", HumanReply, "none was found", func(in *Incoming) bool { return strings.Contains(in.Text, "text") }},
		"like a boundary":   {head + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--bc\ntwo\n--b--\nafter", HumanReply, "", func(in *Incoming) bool { return in.Text == "one\n--bc\ntwo" }},
		"UTF-7":             {head + "Content-Type: text/plain; charset=utf-7\n\n+ADw-script+AD4-", HumanReply, "not known", func(in *Incoming) bool { return in.Text == "+ADw-script+AD4-" }},
		"UTF-16":            {head + "Content-Type: text/plain; charset=utf-16le\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte("h\x00i\x00w\x01")), HumanReply, "", func(in *Incoming) bool { return in.Text == "hiŷ"[:2]+"ŷ" }},
		"bad UTF-8":         {head + "Content-Type: text/plain; charset=utf-8\n\ncaf\xe9", HumanReply, "windows-1252", func(in *Incoming) bool { return in.Text == "café" }},
		"folded subject":    {"From: a@b.example\nSubject: =?utf-8?Q?a=0D=0ABcc:_x?=\n b\n\nx", HumanReply, "", func(in *Incoming) bool { return in.Subject == "a Bcc: x b" }},
		"turned name":       {head + "Content-Type: application/pdf; name=\"a\u202efdp.exe\"\n\nx", HumanReply, "", func(in *Incoming) bool { return in.Files[0].Name == "afdp.exe" }},
		"winmail":           {head + "Content-Type: application/ms-tnef; name=winmail.dat\n\nx", HumanReply, "only Outlook opens", nil},
		"attached text":     {head + "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Disposition: attachment; filename=two.txt\n\ntwo\n--b--", HumanReply, "", func(in *Incoming) bool { return in.Text == "one" && string(in.Files[0].Bytes) == "two" }},
		"an empty plain form": {head + "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n \n--b\nContent-Type: text/html\n\n<p>one\n--b--", HumanReply, "", func(in *Incoming) bool {
			return in.Text == "one" && in.HTML
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			in := Read([]byte(c.raw))
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			if in.Class != c.class || c.warning != "" && !strings.Contains(strings.Join(in.Warnings, "; "), c.warning) || c.check != nil && !c.check(in) {
				t.Errorf("%s because %s; warnings %q, files %d, subject %q, text %.200q", in.Class, in.Why, in.Warnings, len(in.Files), in.Subject, in.Text)
			}
		})
	}
}

// A reply of 50 MB is read, with what is attached; of a larger one the beginning.
func TestReadBoundsSize(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 200 MB")
	}
	var b bytes.Buffer
	b.WriteString("From: jo@council.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\nContent-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0x\n")
	b.Write(bytes.Repeat([]byte(strings.Repeat("QUJD", 19)+"\n"), mostRead/77))
	b.WriteString("\n--b--\n")
	begin := time.Now()
	in := Read(b.Bytes())
	if len(in.Files) != 1 || !in.Files[0].PDF || len(in.Files[0].Bytes) < 38e6 || in.Text != "text" || !slices.Contains(in.Warnings, "it is larger than 50 MB: only the beginning was read") {
		t.Errorf("%d files, text %q, warnings %q", len(in.Files), in.Text, in.Warnings)
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestNamesOfFilesAreSafe(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"cp1.pdf": "cp1.pdf", "../../etc/passwd": "passwd", `C:\\Windows\\x.exe`: "x.exe", "..": "attachment-7.pdf", "": "attachment-7.pdf", ".bashrc": "bashrc", "a\x00b.pdf": "ab.pdf",
		"CON": "_CON", "com1.txt": "_com1.txt", "a/": "a", "a<b>|?*.pdf": "a_b____.pdf", "Ŵyr ŷ.docx": "Ŵyr ŷ.docx", "a\u202egpj.exe": "agpj.exe", "x. . .": "x", "-rf": "rf", "a\n\nb": "a b",
		strings.Repeat("é", 300) + ".pdf": strings.Repeat("é", 96) + ".pdf", "$(rm -rf).pdf": "_(rm -rf).pdf", "///": "attachment-7.pdf",
	} {
		if got := safeName(in, "application/pdf", 7); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range incomingSamples(f) {
		f.Add(s.raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<20 {
			return
		}
		begin := time.Now()
		in := Read(raw)
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("reading took %v", took)
		}
		if in.Class == "" || in.Why == "" {
			t.Error("it is of no class")
		}
		if (in.Class == DeliveryReport || in.Class == CouldBeBounce) != (in.Report != nil) || (in.Class == ReadReceipt) != (in.Receipt != nil) {
			t.Errorf("%s has report %v, receipt %v", in.Class, in.Report, in.Receipt)
		}
		if in.parts > mostParts || len(in.whole) > mostText || len(in.Warnings) > mostWarnings || !utf8.ValidString(in.Text) || !utf8.ValidString(in.History) || !utf8.ValidString(in.Subject) {
			t.Error("more than may be, or no text")
		}
		for _, file := range in.Files {
			if file.Name == "" || strings.ContainsAny(file.Name, "/\\\x00\n") || file.Name == ".." || !utf8.ValidString(file.Name) || utf8.RuneCountInString(file.Name) > mostName+1 {
				t.Errorf("a file is called %q", file.Name)
			}
		}
		if in.Report != nil {
			for _, r := range in.Report.Recipients {
				if r.Status != "" && enhanced(r.Status) != r.Status {
					t.Errorf("the status is %q", r.Status)
				}
			}
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("relay.probation.example; dmarc=pass header.from=council.example", "<a@b.example> <s7kq2v9d@probation.example>", "safeguarding+k3vq7xw2mabcd5fg@probation.example", "CF-7K3M-Q9ZQ")
	f.Add(`relay.probation.example 1; spf=fail (a; "b) dmarc=pass`, "x", "\"a+b\"@c", "cf 7k3m q9zq")
	f.Fuzz(func(t *testing.T, results, ids, to, words string) {
		k := &oneSend{}
		in := Read([]byte("Authentication-Results: " + results + "\nFrom: jo@council.example\nTo: " + to + "\nReferences: " + ids + "\nIn-Reply-To: " + ids + "\nSubject: " + words + "\n\n" + words))
		m, err := us.Match(t.Context(), in, k)
		if err != nil {
			t.Fatal(err)
		}
		if k.looked > 120 {
			t.Errorf("%d look-ups", k.looked)
		}
		if m.Verified && (m.Send == nil || len(m.Doubts) > 0 && m.Sure == Suggested || m.Loop != "") || m.Send == nil && m.Sure != "" && m.Sure != Suggested {
			t.Errorf("%+v", m)
		}
		name, rs := parseAuthResults(results)
		if strings.Contains(name, "=") || len(rs) > len(results) {
			t.Errorf("%q, %d results", name, len(rs))
		}
	})
}

// The samples, with what real mail carries: 30 kB of header fields, disclaimers and HTML, and in every tenth a form of 400 kB.
func BenchmarkIncoming(b *testing.B) {
	var raws [][]byte
	pdf := base64.StdEncoding.EncodeToString(append([]byte("%PDF-1.7\n"), bytes.Repeat([]byte("caseforms"), 400_000/9)...))
	var lines strings.Builder
	for s := pdf; s != ""; s = s[min(76, len(s)):] {
		lines.WriteString(s[:min(76, len(s))] + "\r\n")
	}
	hops := strings.Repeat("Received: from a.example (a.example [192.0.2.1]) by b.example (Postfix) with ESMTPS id 1; Mon, 2 Nov 2026 09:00:00 +0000\r\nX-Filter: "+strings.Repeat("x", 400)+"\r\n", 8)
	disclaimer := strings.Repeat("This message is for the person to whom it is addressed. If you are somebody else, please tell us and delete it.\r\n", 60)
	for i, s := range incomingSamples(b) {
		raw := append([]byte(hops), bytes.ReplaceAll(s.raw, []byte("\n"), []byte("\r\n"))...)
		if s.want("class") == string(HumanReply) && !bytes.Contains(raw, []byte("multipart/")) && !bytes.Contains(raw, []byte("text/html")) {
			head, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
			head = bytes.Replace(head, []byte("Content-Type:"), []byte("X-Type:"), 1)
			text := string(body) + disclaimer
			raw = []byte(string(head) + "\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\nContent-Type: multipart/alternative; boundary=cc\r\n\r\n--cc\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text +
				"\r\n--cc\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><style>" + strings.Repeat("p{margin:0}", 400) + "</style><p>" + strings.ReplaceAll(text, "\r\n", "</p><p class=MsoNormal style='margin:0'>") + "</body></html>\r\n--cc--\r\n")
			if i%10 == 0 {
				raw = append(raw, "--bb\r\nContent-Type: application/pdf; name=cp1.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"+lines.String()...)
			}
			raw = append(raw, "--bb--\r\n"...)
		}
		raws = append(raws, raw)
	}
	size := 0
	for _, r := range raws {
		size += len(r)
	}
	b.SetBytes(int64(size / len(raws)))
	k := &oneSend{}
	i := 0
	for b.Loop() {
		if _, err := us.Match(context.Background(), Read(raws[i%len(raws)]), k); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
