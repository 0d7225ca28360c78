package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	openIDBack   = "http://caseforms.example/sign-in/openid/back"
	openIDSecret = "a:s+e/c%r=e t&" + "0123456789abcdef"
)

// realProvider is a certified provider of OpenID Connect, which we did not write, in a process of its own.
type realProvider struct {
	t      *testing.T
	in     io.Writer
	out    *bufio.Reader
	issuer string
	is     provided
}

// provided is what the provider is.
type provided struct {
	Back    string         `json:"back"`
	Kid     string         `json:"kid"`
	Secret  string         `json:"secret"`
	Skew    int            `json:"skew"`    // seconds by which its clock is ahead of ours
	Lasts   int            `json:"lasts"`   // seconds for which its tokens are good
	Account map[string]any `json:"account"` // what it says of whoever signs in
	Thick   bool           `json:"thick"`   // it tells that in the token too, and not only when it is asked for it
}

func newRealProvider(t *testing.T) *realProvider {
	t.Helper()
	lib := os.Getenv("CASEFORMS_OIDC_PROVIDER")
	if lib == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI needs CASEFORMS_OIDC_PROVIDER, a folder in which npm has installed oidc-provider")
		}
		t.Skip("CASEFORMS_OIDC_PROVIDER is not set; nobody signs in by a real provider")
	}
	cmd := exec.CommandContext(t.Context(), "node", "testdata/provider.mjs", lib)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Wait() // the context of the test has ended it
		if t.Failed() {
			t.Logf("the provider said: %s", &complaint)
		}
	})
	p := &realProvider{t: t, in: in, out: bufio.NewReader(out)}
	p.is = provided{Back: openIDBack, Kid: "1", Secret: openIDSecret, Lasts: 3600, Account: map[string]any{"email": "Petra", "email_verified": true, "preferred_username": "petra"}}
	p.change(func(*provided) {})
	return p
}

// change makes the provider another; who was signed in there is not any more.
func (p *realProvider) change(how func(*provided)) {
	p.t.Helper()
	how(&p.is)
	b, err := json.Marshal(p.is)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.in.Write(append(b, '\n')); err != nil {
		p.t.Fatal(err)
	}
	for {
		line, err := p.out.ReadString('\n')
		if err != nil {
			p.t.Fatal("the provider does not start: ", err)
		}
		if issuer, ok := strings.CutPrefix(line, "ready "); ok {
			p.issuer = strings.TrimSpace(issuer)
			return
		}
	}
}

// signIn does what somebody does at the provider, and gives what it sends the browser back with.
func (p *realProvider) signIn(location string, cancel bool) url.Values {
	p.t.Helper()
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	action := regexp.MustCompile(`<form[^>]* action="([^"]+)"`)
	prompt := regexp.MustCompile(`name="prompt" value="([a-z]+)"`)
	r, err := c.Get(location)
	for range 12 {
		if err != nil {
			p.t.Fatal(err)
		}
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		to := r.Header.Get("Location")
		switch form, asks := action.FindSubmatch(b), prompt.FindSubmatch(b); {
		case strings.HasPrefix(to, p.is.Back+"?"):
			u, err := url.Parse(to)
			if err != nil {
				p.t.Fatal(err)
			}
			return u.Query()
		case to != "":
			u, err := r.Request.URL.Parse(to)
			if err != nil {
				p.t.Fatal(err)
			}
			r, err = c.Get(u.String())
			if err != nil {
				p.t.Fatal(err)
			}
		case form == nil || asks == nil:
			p.t.Fatalf("the provider does not know what to do with us: %d %s", r.StatusCode, b)
		case cancel:
			r, err = c.Get(string(form[1]) + "/abort")
		default:
			r, err = c.PostForm(string(form[1]), url.Values{"prompt": {string(asks[1])}, "login": {"subject-1"}, "password": {"any"}})
		}
	}
	p.t.Fatal("the provider does not send us back")
	return nil
}

// People sign in by a provider that we did not write, and are kept out for every reason that there is.
func TestRealProvider(t *testing.T) {
	t.Parallel()
	p := newRealProvider(t)
	var log, all bytes.Buffer
	with := func(change func(*OpenID)) *house {
		o := &OpenID{Issuer: p.issuer, Client: "confidential", Secret: openIDSecret}
		change(o)
		return newHouse(t, func(opts *Options) { opts.OpenID, opts.Log = o, NewLog(io.MultiWriter(&log, &all)) })
	}
	h := with(func(*OpenID) {})
	begin := func(h *house) (*visitor, string) {
		t.Helper()
		v := h.visitor()
		return v, v.get("/sign-in/openid?next=/cases").expect(t, 303).Header.Get("Location")
	}
	// through goes there and back, and tells what came of it.
	through := func(h *house, change func(url.Values)) (*visitor, reply) {
		t.Helper()
		v, there := begin(h)
		q := p.signIn(there, false)
		change(q)
		return v, v.get("/sign-in/openid/back?" + q.Encode())
	}
	asIs := func(url.Values) {}
	in := func(what string, h *house) {
		t.Helper()
		v, r := through(h, asIs)
		if r.StatusCode != 303 || r.Header.Get("Location") != "/cases" {
			t.Errorf("%s: %d %s %s", what, r.StatusCode, r.body, &log)
			return
		}
		v.get("/").expect(t, 200, "Petra Practitioner")
	}
	out := func(what string, why string, v *visitor, r reply) {
		t.Helper()
		if r.StatusCode != 403 || v.cookies[h.cookieName()] != nil {
			t.Errorf("%s: %d, session %v", what, r.StatusCode, v.cookies[h.cookieName()])
		}
		if lines := strings.Split(strings.TrimSpace(log.String()), "\n"); len(lines) < 2 || !strings.Contains(lines[len(lines)-2], `"what":"openid: `+why) {
			t.Errorf("%s: the log does not say %q: %s", what, why, lines[max(0, len(lines)-2):])
		}
		log.Reset()
	}

	in("a client with a secret", h)
	in("again", h)
	public := with(func(o *OpenID) { o.Client, o.Secret = "public", "" })
	in("a public client", public)
	in("the name of the account", with(func(o *OpenID) { o.Claim = "preferred_username" }))
	bad, r := through(with(func(o *OpenID) { o.Secret = "another" }), asIs)
	out("the wrong secret", "code", bad, r)

	// What comes back is of use once, to the browser that began, in time, and from this provider.
	v, there := begin(h)
	q := p.signIn(there, false)
	if q.Get("iss") != p.issuer {
		t.Errorf("the provider does not name itself: %v", q)
	}
	other, _ := begin(h)
	out("another browser", "state", other, other.get("/sign-in/openid/back?"+q.Encode()))
	sealed := *v.cookies[h.cookie("openid")]
	v.get("/sign-in/openid/back?"+q.Encode()).expect(t, 303)
	thief := h.visitor()
	thief.cookies[sealed.Name] = &sealed // even with the cookie of whom it was meant for
	out("a second time", "code", thief, thief.get("/sign-in/openid/back?"+q.Encode()))
	v, there = begin(h)
	q = p.signIn(there, false)
	h.wait(11 * time.Minute)
	out("too late", "not begun here", v, v.get("/sign-in/openid/back?"+q.Encode()))
	v, r = through(h, func(q url.Values) { q.Del("iss") })
	out("an answer that does not say whose it is", "issuer", v, r)
	v, r = through(h, func(q url.Values) { q.Set("iss", "https://elsewhere.example") })
	out("another's answer", "issuer", v, r)
	v, there = begin(h)
	q = p.signIn(there, true)
	if q.Get("error") != "access_denied" {
		t.Errorf("cancelled: %v", q)
	}
	r = v.get("/sign-in/openid/back?"+q.Encode()).expect(t, 403, "it was cancelled", "Begin again")
	out("cancelled", "cancelled", v, r)

	// The provider draws a new key; the one before signs nothing any more.
	p.change(func(is *provided) { is.Kid = "2" })
	in("another key", h)

	// What it says of somebody comes in the token, or when it is asked.
	p.change(func(is *provided) { is.Thick = true })
	in("all in the token", h)
	for _, thick := range []bool{true, false} {
		p.change(func(is *provided) { is.Thick, is.Account["email_verified"] = thick, false })
		v, r = through(h, asIs)
		out("not verified", "claim", v, r)
		p.change(func(is *provided) { delete(is.Account, "email_verified") })
		v, r = through(h, asIs)
		out("not said to be verified", "claim", v, r)
	}
	p.change(func(is *provided) { is.Account["email_verified"] = "true" }) // as some write it
	in("verified, as text", h)
	p.change(func(is *provided) { is.Account["email"] = "stranger" })
	if v, r = through(h, asIs); r.StatusCode != 403 || v.cookies[h.cookieName()] != nil {
		t.Errorf("a stranger: %d", r.StatusCode)
	}

	// Its clock may be somewhat wrong. A token that is over by ours is not taken.
	for _, skew := range []int{-240, 240} {
		p.change(func(is *provided) { is.Skew, is.Account["email"] = skew, "petra" })
		in("a clock that is somewhat wrong", h)
	}
	p.change(func(is *provided) { is.Skew, is.Lasts = -240, 60 })
	v, r = through(h, asIs)
	out("a clock that is too wrong for its tokens", "token expired", v, r)
	p.change(func(is *provided) { is.Skew, is.Lasts = 0, 3600 })

	// An issuer that is not written as the provider writes it is a mistake of the configuration, and told as that.
	slash := with(func(o *OpenID) { o.Issuer += "/" })
	slash.visitor().get("/sign-in/openid").expect(t, 503, "not called what the configuration says", "to the last slash")
	in("and after all that", h)
	for _, word := range []string{"petra", "Petra", "stranger", "subject-1", openIDSecret} {
		if strings.Contains(all.String(), word) {
			t.Errorf("the log has %s", word)
		}
	}
}
