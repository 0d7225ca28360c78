package web

import (
	"bytes"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"caseforms"
	"caseforms/internal/casework"
)

// apiSpec is what the description of the API says of a route.
type apiSpec struct {
	id, sum  string
	query    []apiParam
	in       any    // of the body: a struct
	caseBody bool   // the body is a case record
	out      any    // of the answer: a struct
	code     int    // of the answer; 0 is 200
	media    string // of the answer, when it is no JSON of ours
	files    bool   // the answer is a file in one of the formats
	etag     bool   // the answer has an ETag
	match    bool   // If-Match is needed
	name     string // of the Idempotency-Key: needed or optional
}

type apiParam struct{ name, doc string }

func (s *Service) apiSpecRoutes() []Route {
	return []Route{{Method: "GET", Pattern: "/openapi.json", Who: Anybody(), Do: s.apiDescription, Spec: &apiSpec{id: "openapi", sum: "This description", media: "application/json"}}}
}

// apiDescription answers with the description of the API. It has nothing that must not be known, and needs no key.
func (s *Service) apiDescription(w http.ResponseWriter, r *Request) error {
	s.api.mu.Lock()
	b := s.api.spec
	s.api.mu.Unlock()
	if b == nil {
		var err error
		if b, err = s.describe(); err != nil {
			return err
		}
		s.api.mu.Lock()
		s.api.spec = b
		s.api.mu.Unlock()
	}
	return replyBytes(w, http.StatusOK, b)
}

type apiObject = map[string]any

func apiSchemaRef(name string) apiObject { return apiObject{"$ref": "#/components/schemas/" + name} }

// describe makes the description (OpenAPI 3.1) from the registry of routes, the types of what is sent and answered, and the definitions of forms.
func (s *Service) describe() ([]byte, error) {
	d, err := s.api.defs()
	if err != nil {
		return nil, err
	}
	schemas, err := caseSchemas(d)
	if err != nil {
		return nil, err
	}
	g := &apiSchemas{schemas}
	var forms []any
	for _, f := range d.Forms {
		forms = append(forms, f.ID)
	}
	paths := apiObject{}
	for i := range s.routes {
		rt := &s.routes[i]
		if !rt.API {
			continue
		}
		path, vars := apiTemplate(rt.Pattern)
		item, _ := paths[path].(apiObject)
		if item == nil {
			item = apiObject{}
			paths[path] = item
			var ps []any
			for _, v := range vars {
				schema := apiObject{"type": "string", "pattern": "^(" + v.pattern + ")$"}
				if v.name == "form" {
					schema = apiObject{"type": "string", "enum": forms}
				}
				ps = append(ps, apiObject{"name": v.name, "in": "path", "required": true, "schema": schema})
			}
			if ps != nil {
				item["parameters"] = ps
			}
		}
		item[strings.ToLower(rt.Method)] = g.operation(rt)
	}
	scopes := make([]string, len(casework.Scopes))
	for i, x := range casework.Scopes {
		scopes[i] = string(x)
	}
	doc := apiObject{
		"openapi": "3.1.0",
		"info": apiObject{"title": ServiceName, "version": "1", "description": "Fills the forms of one case, issues and sends them, and follows them up. Every failure is a problem (RFC 9457); what is wrong with a case stands in it in the words of the form. " +
			"Keys are made with caseforms user key and have scopes: " + strings.Join(scopes, ", ") + "."},
		"servers":  []any{apiObject{"url": apiBase}},
		"security": []any{apiObject{"key": []any{}}},
		"paths":    paths,
		"components": apiObject{"schemas": schemas, "securitySchemes": apiObject{"key": apiObject{"type": "http", "scheme": "bearer", "description": "A key of caseforms. With a test key cases are checked, forms rendered and dry runs made, and nothing is stored or leaves; its answers have the header Caseforms-Key: test."}},
			"responses": apiObject{"Problem": apiObject{"description": "What failed, and what to do", "content": apiObject{"application/problem+json": apiObject{"schema": g.of(reflect.TypeFor[apiFailure](), false)}}}}},
	}
	return json.Marshal(doc, json.Deterministic(true))
}

// caseSchemas are the schemas of a case record, and of the states an answer may have.
func caseSchemas(d *caseforms.Definitions) (apiObject, error) {
	b, err := d.Schema(nil)
	if err != nil {
		return nil, err
	}
	b = bytes.ReplaceAll(b, []byte(`"#/$defs/state"`), []byte(`"#/components/schemas/AnswerState"`))
	b = bytes.ReplaceAll(b, []byte(`"#/$defs/none"`), []byte(`"#/components/schemas/ListState"`))
	var c apiObject
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, err
	}
	defs, _ := c["$defs"].(apiObject)
	delete(c, "$defs")
	delete(c, "$schema")
	return apiObject{"Case": c, "AnswerState": defs["state"], "ListState": defs["none"]}, nil
}

type pathVar struct{ name, pattern string }

var varPattern = regexp.MustCompile(`\{([a-z]+):((?:[^{}]|\{[^{}]*\})*)\}`)

// apiTemplate is a pattern as the description has it, and its variables.
func apiTemplate(pattern string) (path string, vars []pathVar) {
	for _, m := range varPattern.FindAllStringSubmatch(pattern, -1) {
		vars = append(vars, pathVar{m[1], m[2]})
	}
	return strings.TrimPrefix(varPattern.ReplaceAllString(pattern, "{$1}"), apiBase), vars
}

// apiSchemas makes schemas of Go types. What has a name is made once.
type apiSchemas struct{ schemas apiObject }

func (g *apiSchemas) operation(rt *Route) apiObject {
	x := rt.Spec
	op := apiObject{"operationId": x.id, "summary": x.sum}
	var ps []any
	for _, q := range x.query {
		ps = append(ps, apiObject{"name": q.name, "in": "query", "description": q.doc, "schema": apiObject{"type": "string"}})
	}
	if x.match {
		ps = append(ps, apiObject{"name": "If-Match", "in": "header", "required": true, "description": "the ETag of the version that you have seen", "schema": apiObject{"type": "string"}})
	}
	if x.name != "" {
		ps = append(ps, apiObject{"name": "Idempotency-Key", "in": "header", "description": x.name + map[string]string{"needed": " unless it is a dry run", "optional": ""}[x.name] + ": a name for the request, drawn at random. Asked again with the same name and body it is done once; with another body it is refused",
			"schema": apiObject{"type": "string", "maxLength": 200}})
	}
	if ps != nil {
		op["parameters"] = ps
	}
	switch {
	case x.caseBody:
		op["requestBody"] = apiObject{"required": true, "content": apiObject{"application/json": apiObject{"schema": apiSchemaRef("Case")}}}
	case x.in != nil:
		op["requestBody"] = apiObject{"required": true, "content": apiObject{"application/json": apiObject{"schema": g.of(reflect.TypeOf(x.in), true)}}}
	}
	code := x.code
	if code == 0 {
		code = http.StatusOK
	}
	done := apiObject{"description": "Done"}
	switch {
	case x.files:
		content := apiObject{}
		for _, m := range apiMedia {
			content[m.media] = apiObject{}
		}
		done["content"] = content
	case x.media != "":
		done["content"] = apiObject{x.media: apiObject{"schema": apiObject{"type": "object"}}}
	case x.out != nil:
		done["content"] = apiObject{"application/json": apiObject{"schema": g.of(reflect.TypeOf(x.out), false)}}
	}
	headers := apiObject{}
	if x.etag {
		headers["ETag"] = apiObject{"description": "the version, for If-Match", "schema": apiObject{"type": "string"}}
	}
	if x.name != "" {
		headers["Idempotency-Replayed"] = apiObject{"description": "true when it was done before", "schema": apiObject{"type": "string"}}
	}
	if len(headers) > 0 {
		done["headers"] = headers
	}
	answers := apiObject{strconv.Itoa(code): done, "default": apiObject{"$ref": "#/components/responses/Problem"}}
	if code != http.StatusOK && rt.Test == testDry {
		answers["200"] = apiObject{"description": "Of a dry run: what would be done", "content": done["content"]}
	}
	op["responses"] = answers
	if rt.Scope == "" {
		op["security"] = []any{}
	} else {
		op["description"] = "Scope: " + string(rt.Scope) + "." + map[testKeys]string{testNever: "", testAlways: " Test keys may use it.", testDry: " Test keys may use it for dry runs."}[rt.Test]
		op["x-scope"] = string(rt.Scope)
	}
	return op
}

// of is the schema of a type. What is sent has no members that are not known.
func (g *apiSchemas) of(t reflect.Type, sent bool) apiObject {
	switch t {
	case reflect.TypeFor[time.Time]():
		return apiObject{"type": "string", "format": "date-time"}
	case reflect.TypeFor[jsontext.Value]():
		return apiSchemaRef("Case")
	case reflect.TypeFor[[]byte]():
		return apiObject{"type": "string", "contentEncoding": "base64"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.of(t.Elem(), sent)
	case reflect.String:
		return apiObject{"type": "string"}
	case reflect.Bool:
		return apiObject{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return apiObject{"type": "integer"}
	case reflect.Slice:
		return apiObject{"type": "array", "items": g.of(t.Elem(), sent)}
	case reflect.Map:
		return apiObject{"type": "object", "additionalProperties": g.of(t.Elem(), sent)}
	case reflect.Struct:
	default:
		panic(fmt.Sprintf("the API cannot describe a %s", t))
	}
	name := strings.TrimPrefix(t.Name(), "api")
	if g.schemas[name] == nil {
		schema := apiObject{"type": "object"}
		g.schemas[name] = schema // before its members: a type may have itself inside
		props, required := apiObject{}, []any{}
		g.members(t, sent, props, &required)
		schema["properties"] = props
		if len(required) > 0 {
			schema["required"] = required
		}
		if sent {
			schema["additionalProperties"] = false
		}
	}
	return apiSchemaRef(name)
}

func (g *apiSchemas) members(t reflect.Type, sent bool, props apiObject, required *[]any) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			g.members(f.Type, sent, props, required)
			continue
		}
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		schema := g.of(f.Type, sent)
		if doc := f.Tag.Get("doc"); doc != "" {
			schema["description"] = doc
		}
		if enum := f.Tag.Get("enum"); enum != "" {
			var all []any
			for v := range strings.SplitSeq(enum, ",") {
				all = append(all, v)
			}
			schema["enum"] = all
		}
		props[name] = schema
		if !strings.Contains(rest, "omit") {
			*required = append(*required, name)
		}
	}
}
