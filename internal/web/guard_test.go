package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Every answer has the headers that protect people, whether a route gave it or not.
func TestHeaders(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *Options) { o.Secure, o.URL = true, "https://caseforms.example" })
	h.breaks("/breaks", func() { panic("Sampleson must not be told") })
	h.breaks("/fails", nil)
	v := h.signedIn("petra")
	for _, c := range []struct {
		method, path string
		code         int
	}{
		{"GET", "/", 200}, {"HEAD", "/", 200}, {"GET", "/nowhere", 404}, {"DELETE", "/cases", 405}, {"GET", "/breaks", 500}, {"GET", "/fails", 500}, {"GET", "/people", 403}, {"POST", "/cases", 422},
		{"GET", "/assets/0000000000000000/app.css", 404}, {"GET", "/healthz", 200}, {"GET", "/readyz", 200}, {"POST", "/healthz", 405}, {"GET", "/metrics", 403},
	} {
		r := v.do(c.method, c.path, nil)
		if r.StatusCode != c.code {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, r.StatusCode, c.code)
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q", c.method, c.path, name, got)
			}
		}
		if c.code >= 500 && strings.Contains(r.body, "Sampleson") || strings.Contains(r.body, "goroutine") || strings.Contains(r.body, "guard.go") {
			t.Errorf("%s %s tells details: %s", c.method, c.path, r.body)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "http") {
		t.Error(policy)
	}
}

// breaks adds a route that panics, or fails with an error that is none of ours.
func (h *house) breaks(path string, do func()) {
	h.router.Handle(path, h.handle(&Route{Pattern: path, Who: Anybody(), Do: func(http.ResponseWriter, *Request) error {
		if do != nil {
			do()
		}
		return url.InvalidHostError("Sampleson")
	}}))
}

func TestFailureHasANumber(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newHouse(t, func(o *Options) { o.Log = NewLog(&log) })
	h.breaks("/breaks", func() { panic("Sampleson must not be told") })
	r := h.signedIn("petra").get("/breaks").expect(t, 500, "Sorry, we made a mistake")
	number := r.Header.Get("X-Request-Id")
	if !strings.Contains(r.body, number) || len(number) < 8 {
		t.Error("the page has no number")
	}
	if !strings.Contains(log.String(), number) || strings.Contains(log.String(), "Sampleson") {
		t.Error(log.String())
	}
	h.signedIn("petra").get("/").expect(t, 200) // it goes on
}

// The log tells what was done by ids, and nothing that anybody typed or is called.
func TestLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newHouse(t, func(o *Options) { o.Log = NewLog(&log) })
	v := h.signedIn("petra")
	v.header.Set("User-Agent", "Agent Sampleson")
	v.header.Set("X-Request-Id", "Sampleson")
	v.post("/cases", "q", "Sampleson")
	v.get("/cases?q=Sampleson")
	v.get("/Sampleson")
	v.do("SAMPLESON", "/", nil)
	h.visitor().post("/sign-in", "login", "Sampleson", "password", "Sampleson Sampleson")
	h.Worked("outbox", nil)
	lines := 0
	for line := range strings.Lines(log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		for k := range m {
			if !slices.Contains(logged, k) && k != "time" && k != "level" && k != "msg" {
				t.Errorf("the log has %s", k)
			}
		}
		lines++
	}
	if lines < 5 {
		t.Errorf("%d lines", lines)
	}
	own := h.visitor()
	own.from = "127.0.0.1:5"
	figures := own.get("/metrics").expect(t, 200, `caseforms_http_requests_total{code="200",method="POST",route="/cases"} 1`, `route="none"`).body
	for what, text := range map[string]string{"log": log.String(), "figures": figures} {
		for _, word := range []string{"Sampleson", "sampleson", "SAMPLESON", "Petra", "petra", "192.0.2", string(h.ref)} {
			if strings.Contains(text, word) {
				t.Errorf("the %s has %s: %s", what, word, text)
			}
		}
	}
	quiet := NewLog(&log).With("name", "Sampleson").WithGroup("Sampleson")
	quiet.Info("x", "person", "Sampleson", "what", "fine")
	if strings.Contains(log.String(), "Sampleson") || !strings.Contains(log.String(), "fine") {
		t.Error(log.String())
	}
}

// What another site makes a browser send is refused, and nothing is done.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for name, header := range map[string][2]string{
		"fetch metadata": {"Sec-Fetch-Site", "cross-site"}, "a neighbour": {"Sec-Fetch-Site", "same-site"}, "origin": {"Origin", "https://elsewhere.example"}, "no origin": {"Origin", "null"},
	} {
		for _, path := range []string{"/sign-out", "/stay", "/people", "/account/sessions/end-others", "/sign-in"} {
			v := h.signedIn("adam")
			v.header.Set(header[0], header[1])
			r := v.post(path, "login", "x", "name", "X", "roles", "admin")
			r.expect(t, 403, "another site")
			if len(r.Cookies()) > 0 {
				t.Errorf("%s: %s sets a cookie", name, path)
			}
			v.header.Del(header[0])
			v.get("/").expect(t, 200) // still signed in
		}
	}
	if users, _ := h.desk.Users(t.Context(), h.as("adam")); len(users) != len(people)+1 {
		t.Error("somebody was added")
	}
	v := h.signedIn("adam")
	v.header.Set("Sec-Fetch-Site", "same-origin")
	v.post("/stay").expect(t, 303)
	for _, name := range []string{"Access-Control-Allow-Origin"} {
		if v.get("/").Header.Get(name) != "" {
			t.Error(name)
		}
	}
}

// Only the address of the service is answered to: a name of somebody else's that leads here is not.
func TestHost(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	local := newHouse(t, func(o *Options) { o.URL = "" })
	secure := newHouse(t, func(o *Options) { o.URL, o.Secure, o.Proxy = "https://caseforms.example", true, true })
	for _, c := range []struct {
		h     *house
		host  string
		proto string
		code  int
	}{
		{h, "caseforms.example", "", 200}, {h, "elsewhere.example", "", 421}, {h, "127.0.0.1:8080", "", 200},
		{local, "127.0.0.1:8080", "", 200}, {local, "localhost:8080", "", 200}, {local, "[::1]:8080", "", 200}, {local, "elsewhere.example", "", 421}, {local, "127.0.0.1.elsewhere.example:8080", "", 421}, {local, "", "", 421},
		{secure, "caseforms.example", "https", 200}, {secure, "caseforms.example", "http", 403}, {secure, "caseforms.example", "", 403}, {secure, "127.0.0.1", "https", 421},
	} {
		r, _ := http.NewRequest("GET", "http://x/sign-in", nil)
		r.Host = c.host
		if c.proto != "" {
			r.Header.Set("X-Forwarded-Proto", c.proto)
		}
		if got := answerTo(c.h, r); got.StatusCode != c.code {
			t.Errorf("%s by %q: %d, want %d", c.host, c.proto, got.StatusCode, c.code)
		}
	}
}

// Paths that are meant to lead elsewhere lead nowhere.
func TestPaths(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	base := "/assets/" + h.assets.hash + "/"
	for _, path := range []string{
		base + "../web.go", base + "..%2fweb.go", base + "%2e%2e/web.go", base + "..%5cweb.go", base + "vendor/../../web.go", base + "/etc/passwd", base + "//etc/passwd", base + "vendor", base + "vendor/", base, base + "app.css%00.js",
		"/documents/CF-0000-0000%2f..%2f..", "/documents/../../etc/passwd", "/documents/cf-7k3m-q9zd", "/documents/" + string(h.ref) + "/", "/documents/CF-OOOO-OOOO", "/..%2f..%2fetc/passwd", "//elsewhere.example", "/first/../people",
	} {
		if r := h.signedIn("petra").get(path); r.StatusCode != 404 || strings.Contains(r.body, "package web") || strings.Contains(r.body, "root:") {
			t.Errorf("%s: %d %.100s", path, r.StatusCode, r.body)
		}
	}
	h.visitor().get(base+"vendor/govuk/govuk-frontend.min.css").expect(t, 200, "govuk-button")
	h.visitor().get(base+"vendor/govuk/LICENSE.txt").expect(t, 200, "MIT")
}

// What is next is ours, or it is the start.
func TestNext(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for next, want := range map[string]string{
		"/cases": "/cases", "/documents/" + string(h.ref): "/documents/" + string(h.ref), "/cases?q=x&page=2": "/cases?q=x&page=2",
		"": "/", "https://elsewhere.example": "/", "//elsewhere.example": "/", "/\\elsewhere.example": "/", "/%5celsewhere.example": "/", "javascript:alert(1)": "/", "cases": "/", "/nowhere": "/", "/cases\r\nX: y": "/",
		"/sign-in?next=/sign-in": "/", "/first/" + strings.Repeat("A", 43): "/", "http:///cases": "/", "///cases": "/", "/account/sessions/end-others": "/",
	} {
		if got := h.inside(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

// Too much is refused without being read.
func TestLimits(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.signedIn("petra")
	v.post("/cases", "q", strings.Repeat("x", 2<<20)).expect(t, 413, "too large")
	v.post("/account/password", "old", strings.Repeat("x", 64<<10)).expect(t, 413)
	h.visitor().post("/sign-in", "login", "x", "password", strings.Repeat("x", 64<<10)).expect(t, 413)
	for range mostAtOnce {
		h.busy <- struct{}{}
	}
	if r := v.get("/").expect(t, 503, "at this moment"); r.Header.Get("Retry-After") == "" {
		t.Error("it is not said when to come again")
	}
	v.get("/healthz").expect(t, 200)
	<-h.busy
	v.get("/").expect(t, 200)
	v.get("/").expect(t, 200) // it is given back
}

// Whatever people are called and wrote stands on pages as text.
func TestEscaping(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	adam := h.signedIn("adam")
	adam.post("/people", "login", "x<script>", "name", `"><script>alert(1)</script>`, "roles", "practitioner", "team", "' onload='").expect(t, 303)
	for _, r := range []reply{adam.get("/people"), adam.post("/people", "login", `"><script>`, "name", ""), h.signedIn("petra").post("/cases", "q", `CF-"><script>alert(1)</script>`)} {
		if strings.Contains(r.body, "<script>") || strings.Contains(r.body, "' onload='") {
			t.Error(r.body)
		}
	}
	odd := h.signedIn("petra").get(`/x';url=https://elsewhere.example"><script>alert(1)</script>`).expect(t, 404)
	if !strings.Contains(odd.body, `from=%2Fx%27%3Burl%3Dhttps%3A%2F%2Felsewhere.example%22`) || strings.Contains(odd.body, "<script>alert") {
		t.Error(odd.body)
	}
	// Nothing of a page is a script or a style, so that the policy never gets in the way.
	for _, path := range []string{"/", "/cases", "/account", "/documents/" + string(h.ref), "/time-nearly-over", "/nowhere"} {
		r := h.signedIn("petra").get(path)
		for _, bad := range []string{"<style", " style=", " onclick=", "javascript:", "http://", "https://", "<script>"} {
			if strings.Contains(strings.ReplaceAll(r.body, "http://www.w3.org/", ""), bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
	}
}
