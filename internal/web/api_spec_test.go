package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"caseforms/internal/casework"
)

// The description is valid, has every route and nothing else, and needs no key.
func TestAPIDescription(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	r := (&program{h: h, header: http.Header{}}).get("/openapi.json").expect(t, 200)
	doc, err := openapi3.NewLoader().LoadFromData([]byte(r.body))
	h.must(err)
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Error(doc.OpenAPI)
	}
	h.must(doc.Validate(t.Context()))
	want := map[string]bool{}
	for _, rt := range h.routes {
		if !rt.API {
			continue
		}
		if rt.Spec == nil || rt.Spec.sum == "" || rt.Scope == "" && !rt.Who.anybody {
			t.Errorf("%s %s is not described, or has no scope", rt.Method, rt.Pattern)
			continue
		}
		path, _ := apiTemplate(rt.Pattern)
		want[rt.Method+" "+path] = true
		op := doc.Paths.Value(path).GetOperation(rt.Method)
		if op == nil || op.Extensions["x-scope"] != nil && op.Extensions["x-scope"] != string(rt.Scope) {
			t.Errorf("%s %s is not in the description, or with another scope", rt.Method, path)
			continue
		}
		if op.Responses == nil || op.Responses.Default() == nil || op.Responses.Len() < 2 || rt.Method == "POST" && op.RequestBody == nil {
			t.Errorf("%s %s: what is sent or answered is not described", rt.Method, path)
		}
	}
	seen, ids := 0, map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			seen++
			if !want[method+" "+path] || ids[op.OperationID] {
				t.Errorf("%s %s is described and no route, or has the name of another", method, path)
			}
			ids[op.OperationID] = true
		}
	}
	if seen != len(want) || seen < 20 {
		t.Errorf("%d are described, of %d", seen, len(want))
	}
	d, err := h.api.defs()
	h.must(err)
	for _, f := range d.Forms {
		if !strings.Contains(r.body, `"`+f.ID+`"`) {
			t.Errorf("form %s is not described", f.ID)
		}
	}
	if again := (&program{h: h, header: http.Header{}}).get("/openapi.json"); again.body != r.body {
		t.Error("it is another the second time")
	}
}

// apiDescribed checks answers against the description.
type apiDescribed struct {
	t *testing.T
	c *jsonschema.Compiler
	h *house
}

func newAPIDescribed(t *testing.T, h *house) *apiDescribed {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader((&program{h: h, header: http.Header{}}).get("/openapi.json").body))
	h.must(err)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	h.must(c.AddResource("urn:openapi", doc))
	return &apiDescribed{t, c, h}
}

func (d *apiDescribed) is(schema, body string) {
	d.t.Helper()
	s, err := d.c.Compile("urn:openapi#/components/schemas/" + schema)
	d.h.must(err)
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	d.h.must(err)
	if err := s.Validate(v); err != nil {
		d.t.Errorf("not a %s: %v: %.300s", schema, err, body)
	}
}

// What is answered is what the description says, and what it says may be sent is taken.
func TestAPIAnswersAreAsDescribed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p, d := h.program("petra"), newAPIDescribed(t, h)
	d.is("Case", string(sample(t, "02-full")))
	d.is("FormList", p.get("/forms").body)
	d.is("FormWhole", p.get("/forms/conference").body)
	d.is("Checked", p.ask("POST", "/forms/cp1/check", `{"children":[{}]}`).body)
	d.is("Failure", p.ask("POST", "/forms/cp1/render", `{}`).body)
	d.is("FoundList", p.get("/cases?ref="+string(h.ref)).body)
	d.is("FoundList", p.get("/cases?ref="+string(h.foreign)).body)
	d.is("Whole", p.get("/cases/"+string(h.of)).body)
	issue := `{"form":"cp1","record":` + string(sample(t, "04-many-children")) + `,"outputs":[{"format":"pdf"}]}`
	d.is("Issue", issue)
	d.is("Issued", p.with("Idempotency-Key", "x").ask("POST", "/documents", issue).expect(t, 201).body)
	at := "/documents/" + string(h.ref)
	post := `{"channel":"post","to":"Northtown MASH","at":"2026-11-25T08:00:00Z"}`
	d.is("HandOver", post)
	h.wait(60e9)
	d.is("Handed", p.ask("POST", at+"/hand-offs", post).body)
	d.is("Timeline", p.get(at).expect(t, 200).body)
	d.is("Timeline", h.program("aud").get(at).expect(t, 200).body)
	d.is("DueList", p.get("/due?days=30").expect(t, 200).body)
	d.is("Noted", p.ask("POST", at+"/notes", `{"kind":"call","text":"x"}`).expect(t, 201).body)
	r := p.ask("POST", "/drafts", `{"form":"cp1","record":{"children":[{"name":"A"}]}}`).expect(t, 201)
	d.is("Draft", r.body)
	var draft apiDraft
	r.into(t, &draft)
	d.is("Failure", p.with("If-Match", `"3"`).ask("PUT", "/drafts/"+draft.Draft, `{"record":{}}`).body)
	for scope := range strings.SplitSeq(fmt.Sprint(casework.Scopes), " ") {
		var doc map[string]any
		h.must(json.Unmarshal([]byte((&program{h: h, header: http.Header{}}).get("/openapi.json").body), &doc))
		if b, _ := json.Marshal(doc["info"]); !strings.Contains(string(b), strings.Trim(scope, "[]")) {
			t.Errorf("scope %s is not described", scope)
		}
	}
}
