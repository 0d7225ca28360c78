package web

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/render"
)

// program is a program that asks with a key.
type program struct {
	h      *house
	key    string
	header http.Header
}

// program is one that has a key of a person's, for some scopes or for all.
func (h *house) program(login string, scopes ...casework.Scope) *program {
	h.t.Helper()
	return &program{h: h, key: h.key(casework.MakeKey{Login: login}, scopes...), header: http.Header{}}
}

func (h *house) key(m casework.MakeKey, scopes ...casework.Scope) string {
	h.t.Helper()
	if scopes == nil {
		scopes = casework.Scopes
	}
	for _, s := range scopes {
		m.Scopes = append(m.Scopes, string(s))
	}
	secret, _, err := h.desk.MakeKey(h.t.Context(), h.as(m.Login), m)
	h.must(err)
	return secret
}

// with is the same program with one more header.
func (p *program) with(name, value string) *program {
	out := &program{p.h, p.key, p.header.Clone()}
	out.header.Set(name, value)
	return out
}

// ask sends a body: nil, bytes, or anything that is made into JSON.
func (p *program) ask(method, path string, body any) reply {
	p.h.t.Helper()
	var b io.Reader
	switch v := body.(type) {
	case nil:
	case []byte:
		b = bytes.NewReader(v)
	case string:
		b = strings.NewReader(v)
	default:
		j, err := json.Marshal(v)
		p.h.must(err)
		b = bytes.NewReader(j)
	}
	r := httptest.NewRequest(method, "http://caseforms.example"+apiBase+path, b)
	r.URL.Scheme, r.URL.Host = "", ""
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if p.key != "" {
		r.Header.Set("Authorization", "Bearer "+p.key)
	}
	for k, vs := range p.header {
		r.Header[k] = vs
	}
	w := httptest.NewRecorder()
	p.h.Handler().ServeHTTP(w, r)
	res := w.Result()
	got, _ := io.ReadAll(res.Body)
	if t := res.Header.Get("Content-Type"); res.StatusCode >= 400 && t != "application/problem+json" {
		p.h.t.Errorf("%s %s: %d as %q: %.300s", method, path, res.StatusCode, t, got)
	}
	if res.StatusCode >= 500 && res.StatusCode != 503 {
		p.h.t.Errorf("%s %s: %d %.300s", method, path, res.StatusCode, got)
	}
	return reply{res, string(got)}
}

func (p *program) get(path string) reply { p.h.t.Helper(); return p.ask("GET", path, nil) }

// into reads an answer.
func (r reply) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), v); err != nil {
		t.Fatalf("%v: %.500s", err, r.body)
	}
}

func (r reply) problem(t testing.TB) (f apiFailure) {
	t.Helper()
	r.into(t, &f)
	if f.Status != r.StatusCode || f.Type == "" || f.Title == "" || f.Instance == "" {
		t.Errorf("problem %s", r.body)
	}
	return f
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../samples/cases/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAPIForms(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra")
	var all apiFormList
	p.get("/forms").expect(t, 200).into(t, &all)
	if len(all.Forms) < 8 {
		t.Fatal(all)
	}
	for _, f := range all.Forms {
		var whole apiFormWhole
		p.get("/forms/"+f.Form).expect(t, 200).into(t, &whole)
		if len(whole.Sections) == 0 || whole.Form != f.Form {
			t.Error(f, whole)
		}
		if r := p.get("/forms/"+f.Form+"/schema").expect(t, 200, "2020-12"); r.Header.Get("Content-Type") != "application/schema+json" {
			t.Error(r.Header)
		}
	}
	p.get("/forms/nothing").expect(t, 404)
	p.get("/forms/../cases").expect(t, 404)
	p.get("/forms?area=london").expect(t, 422)
	if r := p.ask("HEAD", "/forms", nil).expect(t, 200); r.Header.Get("Content-Type") != "application/json" {
		t.Error(r.Header)
	}
}

func TestAPICheck(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra")
	before := len(h.ledger())
	var out apiChecked
	p.ask("POST", "/forms/cp1/check", sample(t, "01-simple")).expect(t, 200).into(t, &out)
	if !out.MayIssue || out.Copy != "full" {
		t.Error(out)
	}
	p.ask("POST", "/forms/cp1/check", `{"children":[{"name":"Zebedee"}]}`).expect(t, 200, `"may_issue":false`).into(t, &out)
	if out.MayIssue || len(out.Problems) < 3 {
		t.Error(out)
	}
	for _, x := range out.Problems {
		if x.Label == "" || x.Message == "" || !strings.HasPrefix(x.Pointer, "/") {
			t.Errorf("%+v", x)
		}
	}
	// What cannot be read has a place, and what stands there is not repeated.
	r := p.ask("POST", "/forms/cp1/check", `{"person":{"dob":"Zebedee Quux","shoe_size":"9"},"children":[{},{"dob":[]}]}`).expect(t, 200, `"/person/dob"`, `"/person/shoe_size"`, `"/children/1/dob"`)
	if strings.Contains(r.body, "Quux") {
		t.Error(r.body)
	}
	p.ask("POST", "/forms/cp1/check", `{`).expect(t, 200, `"may_issue":false`, `"line":1`)
	p.ask("POST", "/forms/cp1/check?copy=nothing", sample(t, "01-simple")).expect(t, 422)
	p.ask("POST", "/forms/cp1/check?cpoy=full", sample(t, "01-simple")).expect(t, 422)
	p.with("Content-Type", "text/plain").ask("POST", "/forms/cp1/check", `{}`).expect(t, 415)
	p.with("Content-Type", "application/x-www-form-urlencoded").ask("POST", "/forms/cp1/check", `a=b`).expect(t, 415)
	p.ask("POST", "/forms/cp1/check", `"`+strings.Repeat("x", caseforms.MaxCaseBytes)+`"`).expect(t, 413)
	if n := len(h.ledger()); n != before {
		t.Errorf("checking put %d entries into the ledger", n-before)
	}
}

// Every form is rendered in every format, and nothing is stored by it.
func TestAPIRender(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra")
	before := len(h.ledger())
	starts := map[render.Format]string{render.FormatPDF: "%PDF-", render.FormatWorkbook: "PK", render.FormatHTML: "<!DOCTYPE html>", render.FormatText: "", render.FormatJSON: "{"}
	d, err := h.api.defs()
	h.must(err)
	for _, f := range d.Forms {
		for _, m := range apiMedia {
			r := p.ask("POST", "/forms/"+f.ID+"/render?draft=true&format="+string(m.format), sample(t, "02-full")).expect(t, 200)
			if !strings.HasPrefix(strings.ToLower(r.body), strings.ToLower(starts[m.format])) || len(r.body) < 100 || !strings.HasPrefix(r.Header.Get("Content-Type"), m.media) {
				t.Errorf("%s as %s: %s %.60q", f.ID, m.format, r.Header.Get("Content-Type"), r.body)
			}
			if !strings.Contains(r.Header.Get("Content-Disposition"), `"`+f.ID+"."+string(m.format)+`"`) {
				t.Error(r.Header)
			}
		}
	}
	for accept, want := range map[string]string{
		"": "application/pdf", "*/*": "application/pdf", "text/html": "text/html; charset=utf-8", "text/*;q=0.5, application/json": "application/json", "application/pdf;q=0, text/plain": "text/plain; charset=utf-8",
	} {
		if r := p.with("Accept", accept).ask("POST", "/forms/cp1/render", sample(t, "01-simple")).expect(t, 200); r.Header.Get("Content-Type") != want {
			t.Errorf("%q gives %s", accept, r.Header.Get("Content-Type"))
		}
	}
	p.with("Accept", "image/png").ask("POST", "/forms/cp1/render", sample(t, "01-simple")).expect(t, 406)
	p.ask("POST", "/forms/cp1/render?format=docx", sample(t, "01-simple")).expect(t, 406)
	p.ask("POST", "/forms/cp1/render?profile=secure", sample(t, "01-simple")).expect(t, 422)
	p.ask("POST", "/forms/cp1/render?draft=perhaps", sample(t, "01-simple")).expect(t, 422)
	p.ask("POST", "/forms/cp1/render?profile=reply&format=pdf", sample(t, "01-simple")).expect(t, 200)
	f := p.ask("POST", "/forms/cp1/render", `{}`).expect(t, 422).problem(t)
	if len(f.Problems) == 0 || f.Type != "urn:caseforms:problem:case" {
		t.Errorf("%+v", f)
	}
	if r := p.ask("POST", "/forms/cp1/render?draft=1&format=txt", `{}`).expect(t, 200, "DRAFT"); strings.Contains(r.body, "CF-") {
		t.Error("a draft has a reference")
	}
	p.ask("POST", "/forms/cp1/render?draft=1", `{"nothing":1}`).expect(t, 422)
	if r := p.ask("POST", "/forms/conference/render?copy=disclosable&draft=1&format=txt", sample(t, "02-full")).expect(t, 200); len(r.body) == 0 {
		t.Error("no disclosable copy")
	}
	if n := len(h.ledger()); n != before {
		t.Errorf("rendering put %d entries into the ledger", n-before)
	}
}

// A key is the only way in, and does not work longer than it should.
func TestAPIKeys(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra", casework.ScopeForms)
	if r := (&program{h: h, header: http.Header{}}).get("/forms").expect(t, 401); !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") {
		t.Error(r.Header)
	}
	if c := h.signedIn("petra").get(apiBase + "/forms"); c.StatusCode != 401 {
		t.Error("a session is taken for a key")
	}
	v := h.signedIn("petra") // nor does the API keep a session from ending
	h.wait(15 * time.Minute)
	v.get(apiBase+"/openapi.json").expect(t, 200)
	h.wait(6 * time.Minute)
	v.get("/").expect(t, 303, "/sign-in")
	for _, bad := range []string{"x", p.key + "x", p.key[:len(p.key)-1], strings.ToUpper(p.key), "caseforms_", strings.Repeat("A", 10000)} {
		if r := (&program{h: h, key: bad, header: http.Header{}}).get("/forms").expect(t, 401); len(bad) > 20 && strings.Contains(r.body, bad) {
			t.Error("the key is repeated")
		}
	}
	p.with("Authorization", "Basic "+p.key).get("/forms").expect(t, 401)
	p.with("Authorization", "bearer "+p.key).get("/forms").expect(t, 200)
	if r := p.ask("POST", "/forms/cp1/check", `{}`).expect(t, 403); !strings.Contains(r.Header.Get("WWW-Authenticate"), `scope="forms:render"`) || r.problem(t).Type != "urn:caseforms:problem:scope" {
		t.Error(r.Header, r.body)
	}

	// The store has no key, and it is told when one was used.
	keys, err := h.desk.Keys(t.Context(), h.as("petra"), "petra")
	h.must(err)
	if len(keys) != 1 || keys[0].Used.IsZero() || !keys[0].Holds || bytes.Contains(keys[0].Hash, []byte(p.key)) || keys[0].Test {
		t.Fatalf("%+v", keys)
	}
	for _, x := range h.did("petra", 10) {
		if strings.Contains(x, p.key) {
			t.Error("the ledger has the key")
		}
	}
	if _, err := h.desk.Keys(t.Context(), h.as("petra"), "sue"); err == nil {
		t.Error("petra sees sue's keys")
	}
	if _, _, err := h.desk.MakeKey(t.Context(), h.as("petra"), casework.MakeKey{Login: "sue", Scopes: []string{"forms:read"}}); err == nil {
		t.Error("petra makes a key for sue")
	}
	if err := h.desk.RevokeKey(t.Context(), h.as("sue"), keys[0].ID); err == nil {
		t.Error("sue ends petra's key")
	}
	for _, m := range []casework.MakeKey{{Scopes: nil}, {Scopes: []string{"everything"}}, {Scopes: []string{"forms:read"}, Expires: caseforms.Date{Year: 2026, Month: 11, Day: 24}}, {Scopes: []string{"forms:read"}, Expires: caseforms.Date{Year: 2028, Month: 1, Day: 1}}} {
		m.Login = "petra"
		if _, _, err := h.desk.MakeKey(t.Context(), h.as("petra"), m); err == nil {
			t.Errorf("%+v is a key", m)
		}
	}

	// Revoked, expired, and of somebody whose account is closed.
	h.must(h.desk.RevokeKey(t.Context(), h.as("adam"), keys[0].ID))
	p.get("/forms").expect(t, 401)
	if err := h.desk.RevokeKey(t.Context(), h.as("adam"), keys[0].ID); err == nil {
		t.Error("a key is revoked twice")
	}
	short := &program{h: h, key: h.key(casework.MakeKey{Login: "petra", Expires: caseforms.Date{Year: 2026, Month: 11, Day: 25}}), header: http.Header{}}
	short.get("/forms").expect(t, 200)
	h.wait(14*time.Hour + 38*time.Minute) // 23:59 of that day
	short.get("/forms").expect(t, 200)
	h.wait(time.Minute)
	short.get("/forms").expect(t, 401)
	aud := h.program("aud")
	aud.get("/forms").expect(t, 200)
	no := false
	h.must(h.desk.ChangeUser(t.Context(), h.as("adam"), "aud", "", nil, nil, &no))
	aud.get("/forms").expect(t, 401)
}

func TestAPITestKey(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := &program{h: h, key: h.key(casework.MakeKey{Login: "petra", Test: true}), header: http.Header{}}
	before := len(h.ledger())
	if r := p.ask("POST", "/forms/cp1/render", sample(t, "01-simple")).expect(t, 200); r.Header.Get("Caseforms-Key") != "test" {
		t.Error(r.Header)
	}
	p.ask("POST", "/forms/cp1/check", sample(t, "01-simple")).expect(t, 200)
	if n := len(h.ledger()); n != before {
		t.Error("a test key stored something")
	}
	if r := h.program("petra").get("/forms"); r.Header.Get("Caseforms-Key") != "" {
		t.Error("a real key is told to be a test")
	}
}

func TestAPIRate(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *Options) { o.APIRate = 2 })
	now := time.Unix(0, 0)
	h.api.keys.now = func() time.Time { return now }
	p, other := h.program("petra"), h.program("petra")
	for range 4 {
		p.get("/forms").expect(t, 200)
	}
	if r := p.get("/forms").expect(t, 429); r.Header.Get("Retry-After") != "1" {
		t.Error(r.Header)
	}
	other.get("/forms").expect(t, 200)
	now = now.Add(500 * time.Millisecond)
	p.get("/forms").expect(t, 200)
	p.get("/forms").expect(t, 429)
}

// What there is not is told as the API tells things, and no other site is let in.
func TestAPINotThere(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra")
	for _, path := range []string{"/nothing", "", "/forms/", "/forms/cp1/"} {
		p.get(path).expect(t, 404)
	}
	if r := p.ask("DELETE", "/forms", nil).expect(t, 405); r.Header.Get("Allow") != "GET, HEAD" {
		t.Error(r.Header)
	}
	r := p.with("Origin", "https://elsewhere.example").ask("OPTIONS", "/forms/cp1/check", nil).expect(t, 204)
	for name := range r.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Error(name)
		}
	}
	if r.Header.Get("Allow") != "POST" {
		t.Error(r.Header)
	}
	p.with("Origin", "https://elsewhere.example").ask("POST", "/forms/cp1/check", `{}`).expect(t, 403)
	if r := h.visitor().get("/api"); r.StatusCode != 404 || r.Header.Get("Content-Type") != "application/problem+json" {
		t.Error(r.StatusCode, r.Header)
	}
	if r := h.visitor().do("POST", "/nothing", nil); r.Header.Get("Content-Type") == "application/problem+json" {
		t.Error("a page is told as the API tells things")
	}
}

// Whatever is sent to be checked, the answer is one that can be read, and names no value.
func FuzzAPICheck(f *testing.F) {
	h := newHouse(f, func(o *Options) { o.APIRate = 1e9 })
	key := h.key(casework.MakeKey{Login: "petra"})
	f.Add([]byte(`{}`), "cp1")
	f.Add(sample(f, "01-simple"), "pp1")
	f.Add([]byte(`{"person":{"dob":"1980-13-41"},"children":[{"dob":{"state":"not_known"}}]}`), "conference")
	f.Fuzz(func(t *testing.T, body []byte, form string) {
		if strings.ContainsAny(form, "/?#%\x00 ") || form == "" || strings.ContainsFunc(form, func(r rune) bool { return r < ' ' || r > '~' }) {
			form = "cp1"
		}
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.URL.Path, r.Host = apiBase+"/forms/"+form+"/check", "caseforms.example"
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.Handler().ServeHTTP(w, r)
		var out map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code >= 500 {
			t.Fatal(w.Code, err, w.Body)
		}
	})
}
