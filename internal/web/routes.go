package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"caseforms"
	"caseforms/internal/casework"
)

// Route is one thing that can be asked for. Routes are data, so that a test can walk every one as everybody.
type Route struct {
	Method  string
	Pattern string // as gorilla/mux takes it. Every variable has an expression: {ref:CF-[A-Z0-9]{4}-[A-Z0-9]{4}}
	Who     Who
	Do      func(http.ResponseWriter, *Request) error

	Nav   string // it stands in the navigation under this name, for whoever may use it
	Body  int64  // the most bytes that a request may have; 0 is 1 MiB
	Quiet bool   // asking for it does not count as doing something, and does not keep a session from ending
	// Secret tells that what is sent holds a password: it is not kept for somebody whose session was over.
	Secret bool
	// Proven tells that it changes who can get in, or where mail may go: whoever does it has to have proved a short while ago who they are.
	Proven bool
	// API is for programs: who asks is told by a key and not by a cookie, failures are problem+json, and nobody is sent to sign in.
	API bool

	Scope casework.Scope // of the API: what a key must be for
	Test  testKeys       // of the API: whether test keys will do
	Spec  *apiSpec       // of the API: what the description says of it
}

// Patterns of the ids in addresses. Addresses hold ids only, never a name.
const (
	refPattern   = `{ref:CF-[0-9A-Z]{4}-[0-9A-Z]{4}}`
	casePattern  = `{case:CS-[0-9A-Z]{4}-[0-9A-Z]{4}}`
	formPattern  = `{form:[a-z][a-z0-9-]{0,39}}`
	draftPattern = `{draft:DR-[0-9A-Z]{4}-[0-9A-Z]{4}}`
	tokenPattern = `{token:[A-Za-z0-9_-]{43}}`
)

// Who is who may use a route at all. What somebody may do with a certain case is decided by the act.
type Who struct {
	anybody bool
	key     bool
	roles   []caseforms.Role
}

func (w Who) said() bool { return w.anybody || w.key || len(w.roles) > 0 }

// ByKey are programs with a key of the route's scope. A session is nothing to the API, so that no other site can use it.
func ByKey() Who { return Who{key: true} }

// Anybody may use it, also without being signed in.
func Anybody() Who { return Who{anybody: true} }

// SignedIn is everybody who is signed in.
func SignedIn() Who {
	return Who{roles: []caseforms.Role{caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor, caseforms.RoleOffice}}
}

// Only are those who have one of the roles.
func Only(roles ...caseforms.Role) Who { return Who{roles: roles} }

// caseworkers are those who may see the content of cases.
func caseworkers() Who { return Only(caseforms.RolePractitioner, caseforms.RoleManager) }

// Request is a request with who makes it.
type Request struct {
	*http.Request
	Actor  caseforms.Actor
	Signed *casework.Signed // nil when nobody is signed in
	Key    *casework.Key    // of the API; nil when none was sent or needed
	Desk   *casework.Desk
	route  *Route
	sent   []byte // of the API: the body
}

// Var is a variable of the route's pattern.
func (r *Request) Var(name string) string { return mux.Vars(r.Request)[name] }

// Ref is the reference in the address. One that was mistyped is told as such.
func (r *Request) Ref() (caseforms.Ref, error) {
	ref, ok := caseforms.ParseRef(r.Var("ref"))
	if !ok {
		return "", &caseforms.Error{Kind: caseforms.NotFound, Msg: "this looks like a reference, but a letter in it is wrong", Hint: "the last letter checks the others; compare it with the document"}
	}
	return ref, nil
}

// CaseID is the case in the address.
func (r *Request) CaseID() (caseforms.CaseID, error) {
	id, ok := caseforms.ParseCaseID(r.Var("case"))
	if !ok {
		return "", &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no such case", Hint: "look whether the address is right"}
	}
	return id, nil
}

// Field is what was typed into a field of a form, without spaces around it.
func (r *Request) Field(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }

// request is a request outside of a route.
func (s *Service) request(r *http.Request) *Request {
	req := &Request{Request: r, Desk: s.desk}
	if st := stateOf(r); st.signed != nil {
		req.Signed, req.Actor = st.signed, st.signed.Actor
	}
	return req
}

const bodyMost = 1 << 20

// handle does a route: it lets in who may, and turns a failure into an answer.
func (s *Service) handle(rt *Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st := stateOf(r)
		st.route = rt.Pattern
		most := rt.Body
		if most == 0 {
			most = bodyMost
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		if rt.API {
			ctx, cancel := context.WithTimeout(r.Context(), apiTime)
			defer cancel()
			r = r.WithContext(ctx)
		}
		req := s.request(r)
		req.route = rt
		if err := s.admit(w, req); err != nil {
			s.fail(w, req, err)
			return
		}
		st.actor = req.Actor.ID
		if req.Signed != nil && !rt.Quiet && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			if wait := s.readers.allow(req.Signed.ID); wait > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(retryAfter(wait)))
				s.fail(w, req, &status{code: http.StatusTooManyRequests, title: "More pages were opened in this session than anybody reads", hint: "Wait a moment and open this one again. If it was not you, sign out and tell an admin."})
				return
			}
		}
		if req.Signed != nil && !rt.Quiet {
			if err := s.desk.Use(r.Context(), req.Signed); err != nil {
				s.fail(w, req, err)
				return
			}
		}
		if err := s.do(w, req); err != nil {
			s.fail(w, req, err)
		}
	})
}

func (s *Service) do(w http.ResponseWriter, r *Request) error {
	read := form
	if r.route.API {
		read = (*Request).read
	}
	if err := read(r); err != nil {
		return err
	}
	if !r.route.API && r.ContentLength != 0 && r.PostForm == nil || isMultipart(r) {
		w.Header().Set("Connection", "close") // else net/http waits for what nobody reads before it answers, and this for its turn to end
	}
	done, err := s.turn()
	if err != nil {
		return err
	}
	defer done()
	return r.route.Do(w, r)
}

// form reads a form that was sent, so that one that is too large or cut off is told and not taken for an empty one. One with files is read by the routes that
// ask for files, a few at a time ([Service.multipart]). Elsewhere it is empty: else it would be read by whoever first looks for a field, while others wait for a turn.
func form(r *Request) error {
	if isMultipart(r) {
		return r.ParseForm() // reads nothing, and nothing is read by PostFormValue after it
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return nil
	}
	err := r.ParseForm()
	var large *http.MaxBytesError
	if err == nil || errors.As(err, &large) {
		return err
	}
	return &caseforms.Error{Kind: caseforms.Invalid, Msg: "what was sent did not arrive as it should", Hint: "send it again"}
}

func isMultipart(r *Request) bool {
	return strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "multipart/")
}

// errSignIn says that somebody has to sign in first.
var errSignIn = errors.New("sign in first")

// admit lets somebody use a route, or says why not.
func (s *Service) admit(w http.ResponseWriter, r *Request) error {
	if r.route.API { // a page of somebody else can make a browser send cookies, and no key
		r.Signed, r.Actor = nil, caseforms.Actor{}
	}
	switch {
	case r.route.Who.anybody:
		return nil
	case r.route.Who.key:
		return s.bearer(w, r)
	case r.Actor.ID == "":
		return errSignIn
	}
	if err := r.Actor.Need("use this page", r.route.Who.roles...); err != nil {
		return err
	}
	if r.route.Proven && !s.desk.Proven(r.Signed) {
		return errProve
	}
	return nil
}

// seeOther sends the browser on after something was done, so that reloading does not do it again.
func seeOther(w http.ResponseWriter, r *Request, path string) error {
	http.Redirect(w, r.Request, path, http.StatusSeeOther)
	return nil
}

// inside gives back a path of ours that somebody was on the way to, or "/" when it is anything else.
func (s *Service) inside(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	var match mux.RouteMatch
	if probe, err := http.NewRequest(http.MethodGet, u.Path, nil); err != nil || !s.router.Match(probe, &match) || match.MatchErr != nil {
		return "/"
	}
	if slices.ContainsFunc([]string{"/sign-in", "/assets", "/first", "/confirm"}, func(p string) bool { return strings.HasPrefix(u.Path, p) }) {
		return "/"
	}
	return u.RequestURI()
}
