package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"caseforms/internal/postoffice"
	"caseforms/mail"
)

// loop is a person at the command line, with a real relay and a real mailbox.
type loop struct {
	t      *testing.T
	office *postoffice.Office
	dir    string
	now    time.Time
}

func newLoop(t *testing.T) *loop {
	l := &loop{t: t, office: postoffice.Open(t), dir: t.TempDir(), now: time.Now().UTC().Truncate(time.Second)}
	posted(t, l.office, l.dir, "")
	l.ok("record", "check", simple, "--format", "txt") // makes the store
	for _, d := range []string{"council.example", "county.example", "bounce.example", "delay.example", "plain.example"} {
		l.ok("policy", "set", d, "--means", "tls", "--demonstrated", l.now.Format(time.DateOnly), "--how", "a test", "--why", "a test")
	}
	return l
}

// posted writes a configuration with the relay and the mailbox of an office into a folder, and more settings.
func posted(t *testing.T, o *postoffice.Office, dir, settings string) {
	t.Helper()
	for name, text := range map[string]string{
		"login": "user " + postoffice.Ours + "\npassword " + postoffice.Password + "\n",
		"config.yaml": fmt.Sprintf(`mail:
  mailbox: %s
  name: Probation Service, safeguarding
  telephone: {whom: the safeguarding desk, number: 01632 960100}
  authserv: [%s]
  relays:
    - {name: main, server: "%s", server_name: %s, ca: %s, login: login, guarantees: tls}
  inbox: {server: "%s", server_name: %s, ca: %s, login: login}
`, postoffice.Ours, postoffice.Name, o.Submission, postoffice.Name, o.CAFile, o.IMAPS, postoffice.Name, o.CAFile) + settings,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const simple = "../../samples/cases/01-simple.json"

// do runs a command, and gives what it printed and its exit code.
func (l *loop) do(args ...string) (string, int) {
	l.t.Helper()
	cmd := &exec.Cmd{Path: os.Args[0], Args: append([]string{"caseforms", "--config", filepath.Join(l.dir, "config.yaml"), "--data", filepath.Join(l.dir, "data")}, args...)}
	cmd.Env = append(os.Environ(), "HOME="+l.dir, "XDG_CONFIG_HOME="+filepath.Join(l.dir, "keys"), "CASEFORMS_NOW="+l.now.Format(time.RFC3339))
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		l.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (l *loop) ok(args ...string) string {
	l.t.Helper()
	out, code := l.do(args...)
	if code != 0 {
		l.t.Fatalf("%s: exit code %d: %s", strings.Join(args, " "), code, out)
	}
	return out
}

// says checks what a command prints.
func (l *loop) says(pattern string, args ...string) string {
	l.t.Helper()
	out, _ := l.do(args...)
	if !regexp.MustCompile(pattern).MatchString(out) {
		l.t.Fatalf("%s does not say %q:\n%s", strings.Join(args, " "), pattern, out)
	}
	return out
}

// sent is a document that was recorded and sent to an address.
func (l *loop) sent(to string) string {
	l.t.Helper()
	ref, _, _ := strings.Cut(l.ok("record", "check", simple, "--format", "txt"), "\n")
	l.says("QUEUED", "send", ref, "--to", to, "--confirm", "a test")
	return ref
}

// comes waits until our mailbox has something new, and takes it in.
func (l *loop) comes(pattern string) {
	l.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		out, _ := l.do("inbox", "run", "--once")
		if regexp.MustCompile(pattern).MatchString(out) {
			return
		}
		if time.Now().After(end) {
			l.t.Fatalf("%q did not come; the last said:\n%s", pattern, out)
		}
	}
}

// From the command line through Postfix and Dovecot and back: what the program promises of mail, with servers that we did not write.
func TestMailThroughRealServers(t *testing.T) {
	t.Parallel()
	l := newLoop(t)
	o := l.office

	// It arrives, and its answer comes back.
	ref := l.sent(postoffice.Council)
	l.ok("outbox", "run", "--once")
	l.says("SENT", "show", ref)
	got := mail.Read(o.Arrived(t, postoffice.Council, 1)[0])
	if len(got.Files) != 1 || got.Files[0].Name != "check-"+ref+".txt" || !strings.Contains(got.Subject, ref) {
		t.Fatalf("what arrived is %q with %v", got.Subject, got.Files)
	}
	replyTo := regexp.MustCompile(`safeguarding\+[a-z2-7]{16}@`).FindString(got.Text) + strings.Split(postoffice.Ours, "@")[1]
	o.Inject(t, postoffice.Council, replyTo, []byte("From: "+postoffice.Council+"\r\nTo: "+replyTo+"\r\nSubject: Re: your check\r\nMessage-ID: <1@council.example>\r\n\r\nNothing is known here.\r\n"))
	l.comes("reply " + ref)
	out := l.says("reply, matched, verified", "inbox")
	number := regexp.MustCompile(`message (\d+)`).FindStringSubmatch(out)[1]
	l.ok("answer", ref, "no_concerns", "--message", number)
	l.says("ANSWERED", "show", ref)

	// It bounces, and that is seen.
	ref = l.sent(postoffice.Refused)
	l.ok("outbox", "run", "--once")
	l.comes("delivery report " + ref)
	l.says(ref+`.*FAILED`, "outbox")
	l.says(`M02 .*`+ref, "due")

	// A server that is away delays it, and so does one without TLS, to which the relay passes nothing on.
	for _, to := range []string{postoffice.Delayed, postoffice.NoTLS} {
		ref = l.sent(to)
		l.ok("outbox", "run", "--once")
		l.comes("delivery report " + ref)
		l.says(ref+`.*DELAYED`, "outbox")
	}

	// An out-of-office notice is no answer.
	ref = l.sent(postoffice.Away)
	l.ok("outbox", "run", "--once")
	l.comes("automatic answer " + ref)
	if out := l.says("automatic answer", "show", ref); !strings.Contains(out, "not answered") {
		t.Errorf("an out-of-office notice counts as an answer: %s", out)
	}

	// The relay is down for an hour; nothing is lost, and nothing goes twice.
	o.StopRelay(t)
	before := len(o.Seen(postoffice.Council))
	ref = l.sent(postoffice.Council)
	l.ok("outbox", "run", "--once")
	l.says(ref+`.*DELAYED`, "outbox")
	o.StartRelay(t)
	l.now = l.now.Add(time.Hour)
	l.ok("outbox", "run", "--once")
	l.ok("outbox", "run", "--once")
	l.says("SENT", "show", ref)
	o.Arrived(t, postoffice.Council, before+1)

	// The mailbox is made anew with the same mail in it: nothing is taken in twice.
	raw := o.Arrived(t, postoffice.Ours, 1)
	o.Recreate(t, postoffice.Ours)
	for _, m := range raw {
		o.Inject(t, postoffice.Council, postoffice.Ours, m)
	}
	if out := l.ok("inbox", "run", "--once"); strings.Contains(out, "reply "+ref) {
		t.Errorf("an old reply was matched with something new: %s", out)
	}
	l.ok("verify", "ledger")
}

// A relay that cannot show who it is gets nothing.
func TestImpostorGetsNothing(t *testing.T) {
	t.Parallel()
	l := newLoop(t)
	name := filepath.Join(l.dir, "config.yaml")
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(b), l.office.Submission, l.office.Impostor, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	ref := l.sent(postoffice.Council)
	l.ok("outbox", "run", "--once")
	l.says(ref+`.*DELAYED`, "outbox")
	l.says("certificate", "outbox")
	if n := len(l.office.Seen(postoffice.Council)); n != 0 {
		t.Errorf("%d arrived", n)
	}
}
