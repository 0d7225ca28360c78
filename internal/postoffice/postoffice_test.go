package postoffice

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

func letter(to, subject string) []byte {
	return []byte("From: " + Council + "\r\nTo: " + to + "\r\nSubject: " + subject + "\r\n\r\nhello\r\n")
}

func TestOfficesSideBySide(t *testing.T) {
	t.Parallel()
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			o := Open(t)
			for n := range 5 {
				o.Inject(t, Council, "safeguarding+abc@probation.example", letter(Ours, fmt.Sprintf("office %d letter %d", i, n)))
			}
			got := o.Arrived(t, Ours, 5)
			if len(got) != 5 {
				t.Fatalf("there are %d letters", len(got))
			}
			for n, raw := range got {
				for _, want := range []string{fmt.Sprintf("\r\nSubject: office %d letter %d\r\n", i, n), "Delivered-To: safeguarding+abc@probation.example\r\n", "\r\nAuthentication-Results: " + Name + "; dmarc=pass header.from=council.example\r\n"} {
					if !bytes.Contains(raw, []byte(want)) {
						t.Errorf("letter %d lacks %q:\n%s", n, want, raw)
					}
				}
			}
		})
	}
}

// signIn is a connection to the relay as somebody.
func signIn(t *testing.T, o *Office, who, password string) (*smtp.Client, error) {
	t.Helper()
	c, err := smtp.DialTLS(o.SubmissionTLS, &tls.Config{ServerName: Name, RootCAs: o.CAs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, c.Auth(sasl.NewPlainClient("", who, password))
}

// What a relay refuses in earnest is refused here too.
func TestRelayRefuses(t *testing.T) {
	t.Parallel()
	o := Open(t)
	if _, err := signIn(t, o, Ours, "wrong"); err == nil {
		t.Error("a wrong password was taken")
	}
	for name, c := range map[string]struct{ from, to, refusal string }{
		"another's name":       {Council, Council, "553"},
		"nobody there":         {Ours, "nobody@council.example", "550"},
		"another's name, tag":  {"mash+x@council.example", Council, "553"},
		"our own name":         {Ours, Council, ""},
		"our own name and tag": {"safeguarding+k3vq7xw2mabcd5fg@probation.example", Council, ""},
		"a domain elsewhere":   {Ours, Refused, ""}, // the next server refuses it, later
	} {
		s, err := signIn(t, o, Ours, Password)
		if err != nil {
			t.Fatal(err)
		}
		err = s.SendMail(c.from, []string{c.to}, bytes.NewReader(letter(c.to, name)))
		if (err == nil) != (c.refusal == "") || err != nil && !strings.Contains(err.Error(), c.refusal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stranger, err := smtp.Dial(o.Incoming)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if err := stranger.SendMail("x@elsewhere.example", []string{Refused}, bytes.NewReader(letter(Refused, "x"))); err == nil {
		t.Error("the relay carries for strangers")
	}
	open, err := smtp.Dial(o.Submission)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := open.Mail(Ours, nil); err == nil {
		t.Error("the relay takes mail without TLS")
	}
}

// What the relay has when it is stopped it brings later.
func TestStoppedRelayKeeps(t *testing.T) {
	t.Parallel()
	o := Open(t)
	c, err := signIn(t, o, Ours, Password)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SendMail(Ours, []string{Delayed}, bytes.NewReader(letter(Delayed, "x"))); err != nil {
		t.Fatal(err)
	}
	o.StopRelay(t)
	if _, err := smtp.Dial(o.Incoming); err == nil {
		t.Fatal("it still takes mail")
	}
	o.StartRelay(t)
	notice := o.Arrived(t, Ours, 1)
	if !bytes.Contains(notice[0], []byte("Action: delayed")) {
		t.Errorf("there came\n%s", notice[0])
	}
}

func TestNothingIsLeft(t *testing.T) {
	var o *Office
	t.Run("office", func(t *testing.T) { o = Open(t) })
	if o == nil {
		t.Skip("there was no office")
	}
	if _, err := os.Stat(o.dir); err == nil {
		t.Errorf("%s is still there", o.dir)
	}
	for range 50 {
		if _, err := smtp.Dial(o.Submission); err != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the relay still runs")
}
