package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"caseforms"
	"caseforms/internal/casework"
)

// The API is for programs: JSON in and out, a key that says who asks, and failures as problem details (RFC 9457). Its routes stand in the same
// registry as those of the pages, and its description (openapi.go) is made from there.
const (
	apiBase    = "/api/v1"
	apiTime    = time.Minute      // the most that a request takes
	renderWait = 20 * time.Second // the most that one waits for its turn to be rendered
	apiRate    = 100
)

func ofAPI(r *http.Request) bool {
	return r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/")
}

// testKeys says whether test keys will do for a route.
type testKeys int

const (
	testNever testKeys = iota
	testAlways
	testDry // when nothing but a dry run is asked for
)

// api is what the API remembers while the program runs.
type api struct {
	keys    *limiter
	defs    func() (*caseforms.Definitions, error)
	renders chan struct{} // so many documents are made at a time

	mu     sync.Mutex
	asking map[string]*turn
	spec   []byte
}

// turn lets requests of the same name come one after the other.
type turn struct {
	mu   sync.Mutex
	wait int
}

func (a *api) start(s *Service) {
	rate := cmp.Or(s.o.APIRate, apiRate)
	a.keys = newLimiter(rate, 2*rate)
	a.defs = func() (*caseforms.Definitions, error) { return s.definitions("") }
	a.renders = make(chan struct{}, 2*runtime.GOMAXPROCS(0))
	a.asking = map[string]*turn{}
}

// inTurn waits until nobody else asks under a name. What it gives back lets the next in.
func (a *api) inTurn(name string) func() {
	a.mu.Lock()
	t := a.asking[name]
	if t == nil {
		t = &turn{}
		a.asking[name] = t
	}
	t.wait++
	a.mu.Unlock()
	t.mu.Lock()
	return func() {
		t.mu.Unlock()
		a.mu.Lock()
		defer a.mu.Unlock()
		if t.wait--; t.wait == 0 {
			delete(a.asking, name)
		}
	}
}

func (s *Service) apiRoutes() (all []Route) {
	for _, part := range [][]Route{s.apiFormRoutes(), s.apiCaseRoutes(), s.apiDocumentRoutes(), s.apiSpecRoutes()} {
		all = append(all, part...)
	}
	for i := range all {
		all[i].API, all[i].Pattern = true, apiBase+all[i].Pattern
		if all[i].Scope != "" {
			all[i].Who = ByKey()
		}
	}
	return all
}

// bearer finds out who comes with a key, and whether the key will do for the route.
func (s *Service) bearer(w http.ResponseWriter, r *Request) error {
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		w.Header().Set("WWW-Authenticate", `Bearer realm="caseforms"`)
		return &apiProblem{code: http.StatusUnauthorized, kind: "no-key", msg: "this takes a key", hint: "send one as: Authorization: Bearer KEY"}
	}
	key, actor, found, err := s.desk.Bearer(r.Context(), strings.TrimSpace(secret))
	if err != nil {
		return err
	}
	if !found {
		w.Header().Set("WWW-Authenticate", `Bearer realm="caseforms", error="invalid_token"`)
		return &apiProblem{code: http.StatusUnauthorized, kind: "no-key", msg: "this key does not hold", hint: "it is mistyped, has expired or was revoked, or its person's account is closed; make a new one"}
	}
	r.Key, r.Actor = key, actor
	stateOf(r.Request).actor = actor.ID
	if key.Test {
		w.Header().Set("Caseforms-Key", "test")
	}
	if wait := s.api.keys.allow(key.ID); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter(wait)))
		return &apiProblem{code: http.StatusTooManyRequests, kind: "too-many", msg: fmt.Sprintf("a key may ask %g times a second", s.api.keys.rate), hint: "wait as long as Retry-After says"}
	}
	if !key.Has(r.route.Scope) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="caseforms", error="insufficient_scope", scope="%s"`, r.route.Scope))
		return &apiProblem{code: http.StatusForbidden, kind: "scope", msg: "this key is not for " + string(r.route.Scope), hint: "make one that is"}
	}
	if key.Test && r.route.Test == testNever {
		return errTestKey()
	}
	return nil
}

func errTestKey() error {
	return &apiProblem{code: http.StatusForbidden, kind: "test-key", msg: "a test key checks, renders and makes dry runs only", hint: "nothing was stored, and nothing left"}
}

// dry refuses a test key that asks for more than a dry run.
func (r *Request) dry(is bool) error {
	if r.Key.Test && !is {
		return errTestKey()
	}
	return nil
}

// apiProblem is a failure as the API tells it.
type apiProblem struct {
	code      int
	kind      string // the last part of its type
	msg, hint string
	problems  []caseforms.Problem

	pointer       string // where in the request it is
	base, current int    // of a draft: the version that was seen, and the one there is
	differ        []apiDifference
}

func (e *apiProblem) Error() string { return e.msg }

// problemKinds are the types of problems by status, where nothing closer is said, and what they are called.
var problemKinds = map[int][2]string{
	400: {"malformed", "The request cannot be read"}, 401: {"no-key", "A key is needed"}, 403: {"forbidden", "This may not be done"}, 404: {"not-found", "There is no such thing"},
	405: {"method", "This cannot be done with this address"}, 406: {"format", "There is no such format"}, 409: {"conflict", "Something stands against it"},
	412: {"changed", "It was changed meanwhile"}, 413: {"too-large", "The request is too large"}, 415: {"media-type", "The body is of the wrong type"}, 421: {"address", "This is not the address of the service"},
	422: {"invalid", "What was sent cannot be used"}, 428: {"no-version", "Say which version you have seen"}, 429: {"too-many", "Too many requests"},
	500: {"mistake", "We made a mistake"}, 503: {"unavailable", "This cannot be done now"},
}

var problemTitles = map[string]string{"scope": "The key is not for this", "test-key": "A test key will not do", "case": "The form cannot be issued from this case", "reasons": "It is not said why the form is issued all the same", "no-name": "Give the request a name"}

// apiCaseProblem is one thing that is wrong with a case, in the form's own words. It never holds what was answered.
type apiCaseProblem struct {
	Pointer  string `json:"pointer" doc:"where in the case record, as a JSON pointer (RFC 6901); empty is the whole of it"`
	Key      string `json:"key,omitempty" doc:"the same as a path, such as children[1].dob"`
	Label    string `json:"label,omitempty" doc:"the question as the form prints it"`
	Section  string `json:"section,omitempty" doc:"the section of the form"`
	Severity string `json:"severity" enum:"error,warning" doc:"an error keeps the form from being issued"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty" doc:"what to do"`
	Source   string `json:"source,omitempty" doc:"where the rule comes from"`
	Line     int    `json:"line,omitzero" doc:"in the body, from 1, where the JSON itself is wrong"`
	Reason   bool   `json:"wants_reason,omitzero" doc:"of a warning: to issue the form all the same takes a reason, unless it is urgent"`
}

type apiDifference struct {
	Pointer string `json:"pointer"`
	Label   string `json:"label,omitempty"`
}

// apiFailure is a failure as it is sent.
type apiFailure struct {
	Type     string           `json:"type"`
	Title    string           `json:"title"`
	Status   int              `json:"status"`
	Detail   string           `json:"detail,omitempty" doc:"what failed and what to do; nothing about anybody"`
	Instance string           `json:"instance" doc:"by which an admin finds the request in the log"`
	Pointer  string           `json:"pointer,omitempty" doc:"where in the request"`
	Problems []apiCaseProblem `json:"problems,omitempty" doc:"what is wrong with the case"`
	Seen     int              `json:"seen,omitzero" doc:"of a draft: the version that was named"`
	Current  int              `json:"current,omitzero" doc:"of a draft: the version there is"`
	Differ   []apiDifference  `json:"differences,omitempty" doc:"of a draft: where the two differ"`
}

func caseProblems(ps []caseforms.Problem) []apiCaseProblem {
	out := make([]apiCaseProblem, 0, len(ps))
	for _, p := range ps {
		out = append(out, apiCaseProblem{Pointer: pointer(p.Key), Key: p.Key, Label: strings.TrimRight(p.Label, " :"), Section: p.Section, Severity: string(p.Severity), Message: p.Msg, Hint: plainHint(p.Hint), Source: p.Source, Line: p.Line, Reason: p.WantsReason()})
	}
	return out
}

// plainHint leaves out what only helps on the command line.
func plainHint(s string) string {
	if strings.Contains(s, "caseforms ") || strings.Contains(s, "--") {
		return ""
	}
	return s
}

// problem answers a program with what went wrong.
func problem(w http.ResponseWriter, f failure, number string) {
	kind := problemKinds[f.code]
	if f.more != nil && f.more.kind != "" {
		kind[0] = f.more.kind
	} else if len(f.problems) > 0 {
		kind[0] = "case"
	}
	if t := problemTitles[kind[0]]; t != "" {
		kind[1] = t
	}
	out := apiFailure{Type: "urn:caseforms:problem:" + kind[0], Title: kind[1], Status: f.code, Detail: f.title + ".", Instance: "urn:request:" + number, Problems: caseProblems(f.problems)}
	if f.hint != "" {
		out.Detail += " " + f.hint
	}
	if m := f.more; m != nil {
		out.Pointer, out.Seen, out.Current, out.Differ = m.pointer, m.base, m.current, m.differ
	}
	b, err := json.Marshal(&out)
	if err != nil {
		b = fmt.Appendf(nil, `{"type":"about:blank","title":"We made a mistake","status":%d}`, f.code)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(f.code)
	_, _ = w.Write(append(b, '\n')) // a client that went away reads nothing
}

// pointer is a key path such as children[1].dob as a JSON pointer (RFC 6901).
func pointer(key string) string {
	key = strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
	key = strings.NewReplacer("[", ".", "]", "").Replace(key)
	if key == "" {
		return ""
	}
	return "/" + strings.ReplaceAll(key, ".", "/")
}

// answerJSON answers with JSON. It is made whole before anything is sent.
func answerJSON(w http.ResponseWriter, code int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return replyBytes(w, code, b)
}

func replyBytes(w http.ResponseWriter, code int, b []byte) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // a client that went away reads nothing
	return nil
}

// read reads what was sent before the request gets its turn, so that whoever sends slowly keeps nobody out.
func (r *Request) read() (err error) {
	r.sent, err = io.ReadAll(r.Body)
	var large *http.MaxBytesError
	if err != nil && !errors.As(err, &large) {
		err = &apiProblem{code: http.StatusBadRequest, msg: "what was sent did not arrive as it should", hint: "send it again"}
	}
	return err
}

// body is what was sent, which must be JSON.
func (r *Request) body() ([]byte, error) {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || t != "application/json" {
		return nil, &apiProblem{code: http.StatusUnsupportedMediaType, msg: "the body must be JSON", hint: "say so: Content-Type: application/json"}
	}
	return r.sent, nil
}

// take reads what was sent into a value, strictly. What it tells of a mistake is its place, never what stands there.
func (r *Request) take(into any) ([]byte, error) {
	b, err := r.body()
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(b, into, json.RejectUnknownMembers(true))
	var syntax *jsontext.SyntacticError
	var meaning *json.SemanticError
	switch {
	case err == nil:
		return b, nil
	case errors.As(err, &syntax):
		msg := "the body is not JSON"
		if errors.Is(err, jsontext.ErrDuplicateName) {
			msg = "a member of the body stands there twice"
		}
		return nil, &apiProblem{code: http.StatusBadRequest, msg: msg, pointer: string(syntax.JSONPointer), hint: fmt.Sprintf("look at byte %d", syntax.ByteOffset)}
	case errors.As(err, &meaning) && errors.Is(err, json.ErrUnknownName):
		return nil, &apiProblem{code: http.StatusUnprocessableEntity, msg: "the body has a member that is not known here", pointer: string(meaning.JSONPointer), hint: apiBase + "/openapi.json describes those there are"}
	case errors.As(err, &meaning):
		return nil, &apiProblem{code: http.StatusUnprocessableEntity, msg: "a member of the body is of the wrong type", pointer: string(meaning.JSONPointer), hint: apiBase + "/openapi.json describes it"}
	}
	return nil, &apiProblem{code: http.StatusBadRequest, msg: "the body cannot be read"}
}

// query are the parameters of the address. One that is not known, or stands there twice, is refused: it would be overlooked.
func (r *Request) query(known ...string) (map[string]string, error) {
	out := map[string]string{}
	all, err := url.ParseQuery(r.URL.RawQuery) // what is cut off must not be passed over: the full copy would go where the disclosable one was asked for
	if err != nil {
		return nil, &apiProblem{code: http.StatusUnprocessableEntity, msg: "the parameters of the address cannot be read", hint: "write % as %25 and ; as %3B in them"}
	}
	for name, values := range all {
		if !slices.Contains(known, name) || len(values) != 1 {
			return nil, &apiProblem{code: http.StatusUnprocessableEntity, msg: "a parameter of the address is not known here, or stands there twice", hint: "parameters: " + strings.Join(known, ", ")}
		}
		out[name] = values[0]
	}
	return out, nil
}

func apiFlag(q map[string]string, name string) (bool, error) {
	switch q[name] {
	case "", "false", "0":
		return false, nil
	case "true", "1":
		return true, nil
	}
	return false, &apiProblem{code: http.StatusUnprocessableEntity, msg: name + " is true or false"}
}

// once gives a request the name that stands in its header. What it gives back lets the next of the same name in.
func (s *Service) once(r *Request, what string, asked []byte, needed bool) (*casework.Once, func(), error) {
	name := r.Header.Get("Idempotency-Key")
	if name == "" && !needed {
		return nil, func() {}, nil
	}
	if name == "" {
		return nil, nil, &apiProblem{code: http.StatusBadRequest, kind: "no-name", msg: "this is done once however often it is asked for, and needs a name for that", hint: "send one that you draw at random, such as a UUID: Idempotency-Key: NAME"}
	}
	if len(name) > 200 || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return nil, nil, &apiProblem{code: http.StatusBadRequest, kind: "no-name", msg: "Idempotency-Key has at most 200 letters and no spaces"}
	}
	done := s.api.inTurn(r.Actor.ID + " " + what + " " + name)
	o, err := s.desk.AskOnce(r.Context(), r.Actor, what, name, asked)
	if err != nil {
		done()
		return nil, nil, err
	}
	return o, done, nil
}

// replayed says that a request was done before.
func replayed(w http.ResponseWriter) { w.Header().Set("Idempotency-Replayed", "true") }

// rendering waits for a turn to make a document, so that many who ask at once do not take all memory.
func (s *Service) rendering(ctx context.Context) (func(), error) {
	t := time.NewTimer(renderWait)
	defer t.Stop()
	select {
	case s.api.renders <- struct{}{}:
		if err := ctx.Err(); err != nil { // whoever asked went away while they waited
			<-s.api.renders
			return nil, err
		}
		return func() { <-s.api.renders }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-t.C:
		return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "too many documents are being made at this moment", Hint: "try again in a moment"}
	}
}
