package web

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/casework"
)

func (s *Service) keyRoutes() []Route {
	admin := Only(caseforms.RoleAdmin)
	const one = "/{key:k-[0-9a-f]{10}}/revoke"
	return []Route{
		{Method: "GET", Pattern: "/account/keys", Who: SignedIn(), Do: s.keys},
		{Method: "POST", Pattern: "/account/keys", Who: SignedIn(), Do: s.makeKey, Body: 16 << 10, Proven: true},
		{Method: "POST", Pattern: "/account/keys" + one, Who: SignedIn(), Do: s.revokeKey, Body: 16 << 10},
		{Method: "GET", Pattern: "/keys", Who: admin, Do: s.keys, Nav: "API keys"},
		{Method: "POST", Pattern: "/keys", Who: admin, Do: s.makeKey, Body: 16 << 10, Proven: true},
		{Method: "POST", Pattern: "/keys" + one, Who: admin, Do: s.revokeKey, Body: 16 << 10},
	}
}

// scopeWords are the scopes as people choose them.
var scopeWords = map[casework.Scope]string{
	casework.ScopeForms:     "Read which forms there are, and what a case is made of",
	casework.ScopeRender:    "Check a case and fill forms from it; nothing is stored",
	casework.ScopeCases:     "Find and read cases",
	casework.ScopeDrafts:    "Read and write drafts",
	casework.ScopeDocuments: "Read documents and what came of them",
	casework.ScopeIssue:     "Issue documents",
	casework.ScopeSend:      "Send documents by e-mail",
	casework.ScopeFollowUp:  "Record hand-overs, responses and notes",
	casework.ScopeDue:       "Read what is due",
}

var keyDays = []int{30, 90, 365}

type keysData struct {
	Path   string
	All    bool // everybody's
	Keys   []keyLine
	Login  Input
	Scopes Choice
	Kind   Choice
	Days   Choice
}

type keyLine struct {
	ID, Whose, Maker, Made, Used, Until, State, Colour string
	Scopes                                             []string
	Test, Holds                                        bool
}

// keysPath is the list that a request is about: everybody's keys, or one's own.
func keysPath(r *Request) string {
	if strings.HasPrefix(r.route.Pattern, "/keys") {
		return "/keys"
	}
	return "/account/keys"
}

func (s *Service) keys(w http.ResponseWriter, r *Request) error { return s.keysPage(w, r, nil) }

func (s *Service) keysPage(w http.ResponseWriter, r *Request, ps []FieldProblem) error {
	d := keysData{Path: keysPath(r)}
	d.All = d.Path == "/keys"
	of := r.Signed.Login
	if d.All {
		of = ""
	}
	all, err := r.Desk.Keys(r.Context(), r.Actor, of)
	if err != nil {
		return err
	}
	for _, k := range all {
		l := keyLine{ID: k.ID, Whose: k.Login, Maker: k.Maker, Made: clock(k.Made), Used: clock(k.Used), Until: lastDay(k), Scopes: k.Scopes, Test: k.Test, Holds: k.Holds, State: "works", Colour: "green"}
		switch {
		case !k.Revoked.IsZero():
			l.State, l.Colour = "revoked", "grey"
		case !k.Holds && !s.desk.Now().Before(k.Expires):
			l.State, l.Colour = "expired", "grey"
		case !k.Holds:
			l.State, l.Colour = "account closed", "grey"
		}
		if l.Used == "" {
			l.Used = "never"
		}
		d.Keys = append(d.Keys, l)
	}
	d.Login = textField(r, ps, "login", "For whom?", "The name for signing in. What the person may do, programs with the key may do as far as its scopes go.", 0)
	d.Login.Spell, d.Login.Width = false, "20"
	d.Scopes = Choice{ID: "scopes", Legend: "What is it for?", Hint: "As little as will do.", Several: true, Problem: problemOf(ps, "scopes")}
	for _, x := range casework.Scopes {
		d.Scopes.Options = append(d.Scopes.Options, Option{Value: string(x), Label: scopeWords[x], Hint: string(x), Chosen: slices.Contains(r.PostForm["scopes"], string(x))})
	}
	d.Kind = Choice{ID: "kind", Legend: "Is it for trying things out?", Problem: problemOf(ps, "kind"), Options: []Option{
		{Value: "test", Label: "Yes, a test key", Hint: "With it nothing is stored or sent.", Chosen: r.Field("kind") == "test"}, {Value: "real", Label: "No, for real work", Chosen: r.Field("kind") == "real"}}}
	d.Days = Choice{ID: "days", Legend: "How long does it work?", Problem: problemOf(ps, "days")}
	for _, n := range keyDays {
		v := strconv.Itoa(n)
		d.Days.Options = append(d.Days.Options, Option{Value: v, Label: v + " days", Chosen: r.Field("days") == v || r.Field("days") == "" && n == 90})
	}
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	title, crumbs := "API keys", []Link(nil)
	if !d.All {
		title, crumbs = "Your API keys", []Link{{"Your account", "/account"}}
	}
	return s.page(w, r, "keys", Page{Title: title, Status: code, Problems: ps, Form: true, Wide: true, Crumbs: crumbs, Data: d})
}

// lastDay is the last day on which a key works.
func lastDay(k casework.Key) string {
	return "the end of " + caseforms.DateOf(caseforms.London(k.Expires.Add(-time.Second))).Long()
}

// makeKey makes a key and shows it once, on the answer itself: it is kept nowhere.
func (s *Service) makeKey(w http.ResponseWriter, r *Request) error {
	m := casework.MakeKey{Login: r.Signed.Login, Scopes: r.PostForm["scopes"], Test: r.Field("kind") == "test"}
	var ps []FieldProblem
	if keysPath(r) == "/keys" {
		if m.Login = r.Field("login"); m.Login == "" {
			ps = append(ps, FieldProblem{"login", "Enter for whom it is"})
		}
	}
	if len(m.Scopes) == 0 {
		ps = append(ps, FieldProblem{"scopes", "Say what it is for"})
	}
	if k := r.Field("kind"); k != "test" && k != "real" {
		ps = append(ps, FieldProblem{"kind", "Say whether it is a test key"})
	}
	days, _ := strconv.Atoi(r.Field("days"))
	if !slices.Contains(keyDays, days) {
		ps = append(ps, FieldProblem{"days", "Say how long it works"})
	}
	if ps != nil {
		return s.keysPage(w, r, ps)
	}
	m.Expires = caseforms.DateOf(caseforms.London(s.desk.Now())).AddDays(days)
	secret, k, err := r.Desk.MakeKey(r.Context(), r.Actor, m)
	if err != nil {
		field := "scopes"
		if keysPath(r) == "/keys" {
			field = "login"
		}
		if ps, err = toldBeside(err, field, caseforms.NotFound); err != nil {
			return err
		}
		return s.keysPage(w, r, ps)
	}
	return s.page(w, r, "key", Page{Title: "A new API key", Crumbs: []Link{{"API keys", keysPath(r)}}, Data: struct {
		Path, Whose, Secret, Until, ID string
		Test                           bool
	}{keysPath(r), k.Login, secret, lastDay(*k), k.ID, k.Test}})
}

func (s *Service) revokeKey(w http.ResponseWriter, r *Request) error {
	if err := r.Desk.RevokeKey(r.Context(), r.Actor, r.Var("key")); err != nil {
		return err
	}
	s.notify(r, Notice{Good: true, Text: "The key " + r.Var("key") + " does not work any more."})
	return seeOther(w, r, keysPath(r))
}
