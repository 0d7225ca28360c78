package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
)

// apiWalk is what a route answers to everybody: to a test key, and to real ones of those in apiPeople; foreign is the same of a case that is
// restricted to somebody else, to the same people. Without a key, and with one that does not hold or is for something else, all are the same.
type apiWalk struct {
	path, foreign string
	body          any
	foreignBody   any
	header        []string
	test          int
	want          [5]int
	wantForeign   [5]int
}

var apiPeople = []string{"petra", "mary", "adam", "aud", "olga"}

func apiWalks(h *house) map[string]apiWalk {
	doc, foreign := "/documents/"+string(h.ref), "/documents/"+string(h.foreign)
	none := [5]int{403, 403, 403, 403, 403}
	work := func(code int) [5]int { return [5]int{code, code, 403, 403, 403} }
	all := func(code int) [5]int { return [5]int{code, code, code, code, code} }
	own, err := h.desk.SaveDraft(h.t.Context(), h.as("petra"), casework.SaveDraft{Form: "cp1", Case: h.of, Content: sample(h.t, "01-simple")})
	h.must(err)
	theirs, err := h.desk.SaveDraft(h.t.Context(), h.as("sue"), casework.SaveDraft{Form: "cp1", Case: h.foreignCase, Content: sample(h.t, "02-full")})
	h.must(err)
	simple, full := string(sample(h.t, "01-simple")), string(sample(h.t, "02-full"))
	once := []string{"Idempotency-Key", "one"}
	seen := []string{"If-Match", `"9"`}
	return map[string]apiWalk{
		"GET /forms":                             {test: 200, want: all(200)},
		"GET /forms/" + formPattern:              {path: "/forms/cp1", test: 200, want: all(200), foreign: "/forms/nothing", wantForeign: all(404)},
		"GET /forms/" + formPattern + "/schema":  {path: "/forms/cp1/schema", test: 200, want: all(200)},
		"POST /forms/" + formPattern + "/check":  {path: "/forms/cp1/check", body: simple, test: 200, want: all(200)},
		"POST /forms/" + formPattern + "/render": {path: "/forms/cp1/render?format=txt", body: simple, test: 200, want: all(200)},
		"GET /cases":                             {path: "/cases?ref=" + string(h.ref), test: 403, want: [5]int{200, 200, 200, 200, 403}, foreign: "/cases?ref=" + string(h.foreign), wantForeign: [5]int{200, 200, 200, 200, 403}},
		"POST /cases/search":                     {body: `{"query":"Sampleson"}`, test: 403, want: [5]int{200, 200, 200, 200, 403}, foreign: "/cases/search", foreignBody: fmt.Sprintf(`{"query":%q}`, h.foreign), wantForeign: [5]int{200, 200, 200, 200, 403}},
		"GET /cases/" + casePattern:              {path: "/cases/" + string(h.of), test: 403, want: work(200), foreign: "/cases/" + string(h.foreignCase), wantForeign: none},
		"POST /drafts":                           {body: `{"form":"cp1","record":` + simple + `}`, test: 403, want: work(201), foreign: "/drafts", foreignBody: `{"form":"cp1","record":` + full + `}`, wantForeign: none},
		"GET /drafts/" + draftPattern:            {path: "/drafts/" + string(own.ID), test: 403, want: work(200), foreign: "/drafts/" + string(theirs.ID), wantForeign: none},
		"PUT /drafts/" + draftPattern:            {path: "/drafts/" + string(own.ID), body: `{"record":{}}`, header: seen, test: 403, want: work(412), foreign: "/drafts/" + string(theirs.ID), foreignBody: `{"record":{}}`, wantForeign: none},
		"DELETE /drafts/" + draftPattern:         {path: "/drafts/" + string(own.ID), header: seen, test: 403, want: work(412), foreign: "/drafts/" + string(theirs.ID), wantForeign: none},
		"POST /documents":                        {body: `{"form":"cp1","record":` + simple + `}`, header: once, test: 403, want: work(201), foreign: "/documents", foreignBody: `{"form":"cp1","record":` + full + `}`, wantForeign: none},
		"GET /documents/" + refPattern:           {path: doc, test: 403, want: [5]int{200, 200, 403, 200, 403}, foreign: foreign, wantForeign: [5]int{403, 403, 403, 200, 403}},
		"GET /documents/" + refPattern + "/files/{format:pdf|xlsx|html|txt|json}": {path: doc + "/files/pdf", test: 403, want: work(200), foreign: foreign + "/files/pdf", wantForeign: none},
		"POST /documents/" + refPattern + "/send":                                 {path: doc + "/send", body: `{}`, header: once, test: 403, want: all(503), foreign: foreign + "/send", foreignBody: `{"dry_run":true}`, wantForeign: all(503)}, // no e-mail is configured here: see TestAPISend
		"POST /documents/" + refPattern + "/hand-offs":                            {path: doc + "/hand-offs", body: `{"channel":"post","to":"Northtown MASH"}`, test: 403, want: work(201), foreign: foreign + "/hand-offs", foreignBody: `{"channel":"post","to":"Northtown MASH"}`, wantForeign: none},
		"POST /documents/" + refPattern + "/responses":                            {path: doc + "/responses", body: `{"kind":"nothing"}`, test: 403, want: work(422), foreign: foreign + "/responses", foreignBody: `{"kind":"nothing"}`, wantForeign: none},
		"POST /documents/" + refPattern + "/notes":                                {path: doc + "/notes", body: `{"kind":"nothing","text":"x"}`, test: 403, want: work(422), foreign: foreign + "/notes", foreignBody: `{"kind":"nothing","text":"x"}`, wantForeign: none},
		"GET /due": {test: 403, want: [5]int{200, 200, 200, 200, 403}},
	}
}

// Every route is asked for with every kind of key, as everybody, and with a case that is not theirs to see.
func TestAPIEveryRoute(t *testing.T) {
	t.Parallel()
	var log keptLog
	h := newHouse(t, log.keep)
	defer log.tellsNobody(t, h)
	table := apiWalks(h)
	keys := map[string]*program{"nobody": {h: h, header: http.Header{}}}
	for _, who := range apiPeople {
		keys[who] = h.program(who)
	}
	test := &program{h: h, key: h.key(casework.MakeKey{Login: "petra", Test: true}), header: http.Header{}}
	revoked := h.program("petra")
	all, err := h.desk.Keys(t.Context(), h.as("petra"), "petra")
	h.must(err)
	for _, k := range all {
		if (&program{h: h, key: revoked.key, header: http.Header{}}).get("/forms").StatusCode == 200 && k.ID == idOf(h, revoked.key) {
			h.must(h.desk.RevokeKey(t.Context(), h.as("petra"), k.ID))
		}
	}
	expired := &program{h: h, key: h.key(casework.MakeKey{Login: "petra", Expires: caseforms.Date{Year: 2026, Month: 11, Day: 25}}), header: http.Header{}}
	for _, rt := range h.routes {
		if !rt.API {
			continue
		}
		key := rt.Method + " " + strings.TrimPrefix(rt.Pattern, apiBase)
		if rt.Who.anybody {
			if key != "GET /openapi.json" {
				t.Errorf("%s is open to anybody", key)
			}
			continue
		}
		w, ok := table[key]
		if !ok {
			t.Errorf("%s has no line in the table", key)
			continue
		}
		delete(table, key)
		if w.path == "" {
			w.path = strings.TrimPrefix(rt.Pattern, apiBase)
		}
		ask := func(p *program, path string, body any, want int, who string) {
			t.Helper()
			if len(w.header) == 2 {
				p = p.with(w.header[0], w.header[1]+map[bool]string{true: who}[w.header[0] == "Idempotency-Key"])
				p.header.Set(w.header[0], strings.ReplaceAll(p.header.Get(w.header[0]), " ", "-"))
			}
			r := p.ask(rt.Method, path, body)
			if r.StatusCode != want {
				t.Errorf("%s %s as %s: %d, want %d: %.300s", rt.Method, path, who, r.StatusCode, want, r.body)
			}
			if r.StatusCode >= 400 {
				r.problem(t)
			}
			if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Access-Control-Allow-Origin") != "" || r.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s %s: %v", rt.Method, path, r.Header)
			}
			if path == w.foreign && strings.Contains(r.body, h.foreignName) {
				t.Errorf("%s %s as %s tells whom a restricted case is about", rt.Method, path, who)
			}
		}
		var others []casework.Scope
		for _, s := range casework.Scopes {
			if s != rt.Scope {
				others = append(others, s)
			}
		}
		ask(keys["nobody"], w.path, w.body, 401, "nobody")
		ask(revoked, w.path, w.body, 401, "revoked")
		ask(h.program("petra", others...), w.path, w.body, 403, "wrong scope")
		ask(test, w.path, w.body, w.test, "test")
		for i, who := range apiPeople {
			ask(keys[who], w.path, w.body, w.want[i], who)
			if w.foreign != "" {
				ask(keys[who], w.foreign, w.foreignBody, w.wantForeign[i], who+" foreign")
			}
		}
		// A session is nothing here.
		v := h.signedIn("petra")
		if r := v.do(rt.Method, apiBase+w.path, nil); r.StatusCode != 401 {
			t.Errorf("%s %s with a session: %d", rt.Method, w.path, r.StatusCode)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		t.Errorf("%s is in the table and is no route", key)
	}
	h.wait(24 * time.Hour)
	for _, rt := range h.routes {
		if w := apiWalks(h)[rt.Method+" "+strings.TrimPrefix(rt.Pattern, apiBase)]; rt.API && !rt.Who.anybody {
			if w.path == "" {
				w.path = strings.TrimPrefix(rt.Pattern, apiBase)
			}
			if r := expired.ask(rt.Method, w.path, w.body); r.StatusCode != 401 {
				t.Errorf("%s %s with an expired key: %d", rt.Method, w.path, r.StatusCode)
			}
		}
	}
}

// idOf is the id of a key.
func idOf(h *house, secret string) string {
	h.t.Helper()
	k, _, found, err := h.desk.Bearer(h.t.Context(), secret)
	h.must(err)
	if !found {
		h.t.Fatal("no key")
	}
	return k.ID
}

// No GET changes anything: all that it may leave is that somebody looked.
func TestAPIGetChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	table := apiWalks(h)
	p := h.program("petra")
	p.get("/due") // a day's first look at what is due may climb the ladder
	for _, rt := range h.routes {
		if !rt.API || rt.Method != "GET" || rt.Who.anybody {
			continue
		}
		w := table[rt.Method+" "+strings.TrimPrefix(rt.Pattern, apiBase)]
		if w.path == "" {
			w.path = strings.TrimPrefix(rt.Pattern, apiBase)
		}
		before := h.ledger()
		p.get(w.path).expect(t, 200)
		for _, r := range h.ledger()[len(before):] {
			if len(r.Acts) != 1 || r.Acts[0] != store.Consultation {
				t.Errorf("GET %s did: %s", w.path, r.What)
			}
		}
	}
}

func TestAPICases(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra")
	var out apiFoundList
	p.ask("POST", "/cases/search", `{"query":"Sampleson"}`).expect(t, 200).into(t, &out)
	if len(out.Cases) != 1 || out.Cases[0].Case != string(h.of) || out.Cases[0].Person == nil {
		t.Fatalf("%+v", out)
	}
	crn := out.Cases[0].Person.CRN
	p.get("/cases?crn="+crn).expect(t, 200, string(h.of))
	p.get("/cases?crn=X999999").expect(t, 200, `"cases":[]`)
	p.get("/cases?ref=CF-0000-0000").expect(t, 200, `"cases":[]`)
	for _, q := range []string{"", "?crn=Sampleson", "?ref=Sampleson", "?name=Sampleson", "?q=Sampleson", "?crn=" + crn + "&ref=" + string(h.ref), "?crn=" + crn + "&crn=" + crn, "?pnc=Sampleson%202001/1234"} {
		if r := p.get("/cases"+q).expect(t, 422); strings.Contains(r.body, "Sampleson") {
			t.Error("what was asked for is repeated")
		}
	}
	p.ask("POST", "/cases/search", `{"query":""}`).expect(t, 422)
	p.ask("POST", "/cases/search", `{"qeury":"x"}`).expect(t, 422, `"pointer":"/qeury"`)
	p.ask("POST", "/cases/search", `{"query":"x","query":"y"}`).expect(t, 400)
	p.ask("POST", "/cases/search", `{"query":7}`).expect(t, 422, `"pointer":"/query"`)
	p.ask("POST", "/cases/search", `{"query"`).expect(t, 400)
	p.ask("POST", "/cases/search", `{"query":"`+strings.Repeat("x", 17<<10)+`"}`).expect(t, 413)
	var w apiWhole
	p.get("/cases/"+string(h.of)).expect(t, 200).into(t, &w)
	if w.Person.CRN != crn || len(w.Documents) != 1 || !strings.Contains(string(w.Record), crn) {
		t.Errorf("%+v", w)
	}
	p.get("/cases/CS-0000-0001").expect(t, 404)
}

func TestAPIDrafts(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p, mary := h.program("petra"), h.program("mary")
	r := p.ask("POST", "/drafts", `{"form":"cp1","record":{"person":{"family_name":"Quux"}}}`).expect(t, 201)
	var d apiDraft
	r.into(t, &d)
	at := "/drafts/" + d.Draft
	if r.Header.Get("ETag") != `"1"` || r.Header.Get("Location") != apiBase+at || d.Version != 1 {
		t.Error(r.Header, d)
	}
	if r := mary.get(at).expect(t, 200, "Quux"); r.Header.Get("ETag") != `"1"` {
		t.Error(r.Header)
	}
	if r := p.with("If-None-Match", `"1"`).get(at).expect(t, 304); r.body != "" {
		t.Error(r.body)
	}
	p.ask("PUT", at, `{"record":{}}`).expect(t, 428)
	p.with("If-Match", "*").ask("PUT", at, `{"record":{}}`).expect(t, 428)
	for _, m := range []string{`1`, `W/"1"`, `"1", "2"`, `"0"`, `"7"`, `"x"`} {
		p.with("If-Match", m).ask("PUT", at, `{"record":{}}`).expect(t, 412)
	}
	if r := mary.with("If-Match", `"1"`).ask("PUT", at, `{"record":{"person":{"family_name":"Xyzzy"}}}`).expect(t, 200); r.Header.Get("ETag") != `"2"` {
		t.Error(r.Header)
	}
	r = p.with("If-Match", `"1"`).ask("PUT", at, `{"record":{"person":{"family_name":"Plugh"}}}`).expect(t, 412)
	f := r.problem(t)
	if f.Seen != 1 || f.Current != 2 || len(f.Differ) != 1 || f.Differ[0].Pointer != "/person/family_name" || f.Type != "urn:caseforms:problem:changed" {
		t.Errorf("%+v", f)
	}
	if strings.Contains(r.body, "Xyzzy") || strings.Contains(r.body, "Plugh") || strings.Contains(r.body, "Mary") {
		t.Error("a problem tells what stands in the draft", r.body)
	}
	p.with("If-Match", `"2"`).ask("PUT", at, `{"record":{"nothing":1}}`).expect(t, 422, `"/nothing"`)
	p.ask("DELETE", at, nil).expect(t, 428)
	if f := p.with("If-Match", `"1"`).ask("DELETE", at, nil).expect(t, 412).problem(t); f.Current != 2 {
		t.Errorf("%+v", f)
	}
	p.with("If-Match", `"2"`).ask("DELETE", at, nil).expect(t, 204)
	p.get(at).expect(t, 404)
	p.ask("POST", "/drafts", `{"form":"nothing","record":{}}`).expect(t, 404)
	p.ask("POST", "/drafts", `{"form":"cp1"}`).expect(t, 422)
	p.ask("POST", "/drafts", `{"form":"cp1","record":{},"case":"x"}`).expect(t, 422, `"pointer":"/case"`)
}

// Of many who save the same version of a draft at once, one does.
func TestAPIDraftRace(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra")
	var d apiDraft
	p.ask("POST", "/drafts", `{"form":"cp1","record":{}}`).expect(t, 201).into(t, &d)
	codes := make([]int, 8)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() {
			codes[i] = p.with("If-Match", `"1"`).ask("PUT", "/drafts/"+d.Draft, fmt.Sprintf(`{"record":{"person":{"family_name":"N%d"}}}`, i)).StatusCode
		})
	}
	all.Wait()
	slices.Sort(codes)
	if !slices.Equal(codes, []int{200, 412, 412, 412, 412, 412, 412, 412}) {
		t.Error(codes)
	}
	p.get("/drafts/"+d.Draft).expect(t, 200, `"version":2`)
}
