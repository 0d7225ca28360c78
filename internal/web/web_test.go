package web

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/render"
	"caseforms/templates"
)

// house is a service with the people who use it, and a clock that is moved by hand.
type house struct {
	*Service
	t    testing.TB
	desk *casework.Desk
	mu   sync.Mutex
	now  time.Time
	ref  caseforms.Ref    // a document of a case of Petra's
	of   caseforms.CaseID // its case
	// foreign is a document of a case that is restricted to Sue.
	foreign     caseforms.Ref
	foreignCase caseforms.CaseID
	foreignName string // of the person it is about
	store       *store.Store
}

// The people of a house: login and roles. Admin is the first, who is a practitioner too.
var people = []struct{ login, name, team, roles string }{
	{"petra", "Petra Practitioner", "North", "practitioner"},
	{"sue", "Sue South", "South", "practitioner"},
	{"mary", "Mary Manager", "North", "manager"},
	{"adam", "Adam Admin", "", "admin"},
	{"aud", "Audrey Auditor", "", "auditor"},
	{"olga", "Olga Office", "", "office"},
}

// newEmptyHouse is a service on a store in which nobody is yet.
func newEmptyHouse(t testing.TB, change ...func(*Options)) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{t: t, now: time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)}
	var err error
	h.store, err = store.OpenOrCreate(t.Context(), store.Options{Dir: filepath.Join(dir, "data"), Keys: store.Keys{Config: filepath.Join(dir, "keys")}, Now: h.clock, Clock: true})
	h.must(err)
	t.Cleanup(func() { h.store.Close() })
	h.desk = casework.New(h.store, templates.Load)
	o := Options{Desk: h.desk, Load: templates.Load, URL: "http://caseforms.example"}
	for _, c := range change {
		c(&o)
	}
	h.Service, err = New(o)
	h.must(err)
	h.readers.burst, h.readers.rate = 1e9, 1e9 // tests read faster than people
	t.Cleanup(func() { h.Service.Close() })
	return h
}

func newHouse(t testing.TB, change ...func(*Options)) *house {
	t.Helper()
	h := newEmptyHouse(t, change...)
	ctx := context.Background()
	boss, err := h.desk.Actor(ctx, "boss", "Betty Boss")
	h.must(err)
	h.wait(time.Second)
	for _, p := range people {
		roles, err := caseforms.ParseRoles(p.roles)
		h.must(err)
		_, err = h.desk.AddUser(ctx, boss, p.login, p.name, p.team, roles)
		h.must(err)
	}
	h.ref, h.of = h.record("petra", "01-simple")
	h.foreign, h.foreignCase = h.record("sue", "02-full")
	shown, err := h.desk.Show(ctx, h.as("sue"), h.foreign)
	h.must(err)
	if h.foreignName = shown.Card.Name; h.foreignName == "" {
		t.Fatal("the restricted case has no name to be told")
	}
	h.must(h.desk.Restrict(ctx, boss, h.foreignCase, []string{"sue"}, nil, "for the tests"))
	return h
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) wait(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) as(login string) caseforms.Actor {
	h.t.Helper()
	a, err := h.desk.Actor(context.Background(), login, "")
	h.must(err)
	return a
}

// recordForm issues a form of a case that is new, or that one person has already.
func (h *house) recordForm(login, form, sample string) caseforms.Ref {
	h.t.Helper()
	b, err := os.ReadFile("../../samples/cases/" + sample + ".json")
	h.must(err)
	out, _, err := h.desk.Record(context.Background(), h.as(login), casework.Record{Form: form, Case: b, Unasked: true, Outputs: []casework.Output{{Format: render.FormatPDF}}})
	h.must(err)
	return out.Ref
}

func (h *house) record(login, sample string) (caseforms.Ref, caseforms.CaseID) {
	h.t.Helper()
	b, err := os.ReadFile("../../samples/cases/" + sample + ".json")
	h.must(err)
	out, _, err := h.desk.Record(context.Background(), h.as(login), casework.Record{Form: "cp1", Case: b, Outputs: []casework.Output{{Format: render.FormatPDF}}})
	h.must(err)
	return out.Ref, out.Case
}

// visitor is somebody's browser. It follows no redirects.
type visitor struct {
	h       *house
	cookies map[string]*http.Cookie
	header  http.Header
	from    string
}

func (h *house) visitor() *visitor {
	return &visitor{h: h, cookies: map[string]*http.Cookie{}, header: http.Header{}, from: "192.0.2.1:1234"}
}

// signedIn is a visitor who is signed in, without a password being checked.
func (h *house) signedIn(login string) *visitor {
	h.t.Helper()
	v := h.visitor()
	signed, err := h.desk.SignInBy(context.Background(), login, casework.MeansOpenID, "Firefox on Linux", "")
	h.must(err)
	v.cookies[h.cookieName()] = &http.Cookie{Name: h.cookieName(), Value: signed.Token}
	return v
}

type reply struct {
	*http.Response
	body string
}

func (v *visitor) do(method, path string, form url.Values) reply {
	v.h.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, "http://caseforms.example"+path, body)
	r.URL.Scheme, r.URL.Host = "", "" // as a server has it
	r.RemoteAddr = v.from
	for k, vs := range v.header {
		r.Header[k] = vs
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range v.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	v.h.Handler().ServeHTTP(w, r)
	res := w.Result()
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		} else {
			v.cookies[c.Name] = c
		}
	}
	b, _ := io.ReadAll(res.Body)
	return reply{res, string(b)}
}

func (v *visitor) get(path string) reply { v.h.t.Helper(); return v.do("GET", path, nil) }

func (v *visitor) post(path string, pairs ...string) reply {
	v.h.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return v.do("POST", path, form)
}

// expect checks a status and that the page has some words.
func (r reply) expect(t testing.TB, code int, words ...string) reply {
	t.Helper()
	if r.StatusCode != code {
		t.Errorf("got %d to %s, want %d: %.2000s", r.StatusCode, r.Header.Get("Location"), code, r.body)
		return r
	}
	for _, w := range words {
		if !strings.Contains(r.body+"\n"+r.Header.Get("Location"), w) {
			t.Errorf("%q is missing in %s %s", w, r.Header.Get("Location"), r.body)
		}
	}
	return r
}
