package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/casework"
)

// warnBefore is how long before a session ends for want of use its owner is warned.
const warnBefore = 2 * time.Minute

func (s *Service) signInRoutes() []Route {
	routes := []Route{
		{Method: "GET", Pattern: "/sign-in", Who: Anybody(), Do: s.signInPage, Quiet: true},
		{Method: "POST", Pattern: "/sign-in", Who: Anybody(), Do: s.signIn, Body: 16 << 10},
		{Method: "POST", Pattern: "/sign-out", Who: SignedIn(), Do: s.signOut, Body: 16 << 10},
		{Method: "GET", Pattern: "/first/" + tokenPattern, Who: Anybody(), Do: s.firstPage, Quiet: true},
		{Method: "POST", Pattern: "/first/" + tokenPattern, Who: Anybody(), Do: s.first, Body: 16 << 10},
		{Method: "GET", Pattern: "/time-nearly-over", Who: SignedIn(), Do: s.warning, Quiet: true},
		{Method: "POST", Pattern: "/stay", Who: SignedIn(), Do: s.stay, Body: 16 << 10},
		{Method: "GET", Pattern: "/carry-on", Who: SignedIn(), Do: s.carryOn},
		{Method: "POST", Pattern: "/carry-on", Who: SignedIn(), Do: s.sendKept, Body: draftMost},
		{Method: "POST", Pattern: "/carry-on/drop", Who: SignedIn(), Do: s.dropKept, Body: draftMost},
	}
	if len(s.o.Demo) > 0 {
		routes = append(routes, Route{Method: "POST", Pattern: "/sign-in/demo", Who: Anybody(), Do: s.signInDemo, Body: 16 << 10})
	}
	if s.openID != nil {
		routes = append(routes, s.openIDRoutes()...)
	}
	return routes
}

// cookieName is that of the cookie with the session. With the prefix __Host- browsers take it only over https, for this host alone and the
// whole of it, so that no neighbour can set one. Browsers refuse that prefix on plain http, which is served on this machine only.
func (s *Service) cookieName() string { return s.cookie("session") }

func (s *Service) cookie(name string) string {
	if s.o.Secure {
		return "__Host-caseforms-" + name
	}
	return "caseforms-" + name
}

// setCookie sets a cookie until the browser is closed; "" takes it away.
func (s *Service) setCookie(w http.ResponseWriter, name, value string) {
	c := &http.Cookie{Name: s.cookie(name), Value: value, Path: "/", HttpOnly: true, Secure: s.o.Secure, SameSite: http.SameSiteLaxMode}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// signInData is what the page to sign in shows.
type signInData struct {
	Login, Next string
	Why         string // why somebody is here without having asked for it
	Demo        []DemoPerson
	OpenID      string // the words of the button; "" is none
}

func (s *Service) signInData(next, login, why string) signInData {
	d := signInData{Login: login, Next: next, Why: why, Demo: s.o.Demo}
	if s.openID != nil {
		d.OpenID = s.openID.o.Label
	}
	return d
}

func (s *Service) signInPage(w http.ResponseWriter, r *Request) error {
	next := s.inside(r.URL.Query().Get("next"))
	if r.Signed != nil && r.URL.Query().Get("why") == "idle" {
		// A page that was left open sent the browser here, and the session is in use elsewhere. Sending it on would count as doing something, and
		// pages left open would keep a session for ever.
		return seeOther(w, r, "/time-nearly-over?from="+url.QueryEscape(next))
	}
	if r.Signed != nil {
		return seeOther(w, r, next)
	}
	why := map[string]string{
		"idle":  "You were signed out because nothing was done for 20 minutes.",
		"kept":  "You were signed out because nothing was done for 20 minutes. What you sent was kept: sign in, and carry on where you were.",
		"over":  "You were signed out because you had been signed in for 12 hours.",
		"out":   "You are signed out.",
		"first": "Sign in to see this page.",
		"set":   "Your password is set. Sign in with it.",
	}[r.URL.Query().Get("why")]
	return s.page(w, r, "sign-in", Page{Title: "Sign in", Form: true, Data: s.signInData(next, "", why)})
}

// sendToSignIn sends somebody to sign in and back again. What was sent when the time was just over is kept for them.
func (s *Service) sendToSignIn(w http.ResponseWriter, r *Request) {
	st := stateOf(r.Request)
	q := url.Values{"why": {"first"}}
	if st.ended != nil {
		q.Set("why", "over")
		if st.ended.Idle {
			q.Set("why", "idle")
		}
	}
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		next := s.inside(r.URL.RequestURI())
		if r.URL.Path == "/time-nearly-over" {
			next = s.inside(r.URL.Query().Get("from"))
		}
		if next != "/" {
			q.Set("next", next)
		}
	case st.ended != nil && r.route != nil && !r.route.Who.anybody && !r.route.Secret && s.keep(r, st.ended.User, false):
		q.Set("why", "kept")
		q.Set("next", "/carry-on")
	}
	http.Redirect(w, r.Request, "/sign-in?"+q.Encode(), http.StatusSeeOther)
}

func (s *Service) signIn(w http.ResponseWriter, r *Request) error {
	login, password, next := r.Field("login"), r.PostFormValue("password"), s.inside(r.PostFormValue("next"))
	again := func(code int, ps ...FieldProblem) error {
		return s.page(w, r, "sign-in", Page{Title: "Sign in", Form: true, Status: code, Problems: ps, Data: s.signInData(next, login, "")})
	}
	var empty []FieldProblem
	if login == "" {
		empty = append(empty, FieldProblem{"login", "Enter your name for signing in"})
	}
	if password == "" {
		empty = append(empty, FieldProblem{"password", "Enter your password"})
	}
	if empty != nil {
		return again(http.StatusUnprocessableEntity, empty...)
	}
	signed, err := s.desk.SignIn(r.Context(), casework.SignIn{Login: login, Password: password, Address: s.address(r.Request), Browser: browser(r.UserAgent()), Before: stateOf(r.Request).token})
	s.metrics.signIn(casework.MeansPassword, err)
	var ours *caseforms.Error
	if errors.As(err, &ours) && ours.Kind == caseforms.Forbidden {
		return again(http.StatusForbidden, FieldProblem{"login", sentence(ours.Msg)})
	}
	if stepped, err := s.stepped(w, r, err, next); stepped || err != nil {
		return err
	}
	return s.begun(w, r, signed, next)
}

// begun gives the browser the session that has begun. Its token is a new one, whatever the browser had before.
func (s *Service) begun(w http.ResponseWriter, r *Request, signed *casework.Signed, next string) error {
	s.setCookie(w, "session", signed.Token)
	return seeOther(w, r, next)
}

func (s *Service) signInDemo(w http.ResponseWriter, r *Request) error {
	for _, p := range s.o.Demo {
		if p.Login == r.Field("login") {
			signed, err := s.desk.SignInBy(r.Context(), p.Login, casework.MeansDemo, browser(r.UserAgent()), stateOf(r.Request).token)
			s.metrics.signIn(casework.MeansDemo, err)
			if err != nil {
				return err
			}
			return s.begun(w, r, signed, s.inside(r.PostFormValue("next")))
		}
	}
	return &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is nobody of this name in the demonstration"}
}

func (s *Service) signOut(w http.ResponseWriter, r *Request) error {
	if err := s.desk.SignOut(r.Context(), r.Actor, r.Signed.ID); err != nil {
		return err
	}
	s.setCookie(w, "session", "")
	w.Header().Set("Clear-Site-Data", `"cache"`)
	return seeOther(w, r, "/sign-in?why=out")
}

// firstPage asks for a password. Looking at it does not use the link up: mail programs look at links too.
func (s *Service) firstPage(w http.ResponseWriter, r *Request) error {
	l, err := s.desk.Link(r.Context(), r.Var("token"))
	if err != nil {
		return err
	}
	return s.page(w, r, "first", Page{Title: "Set your password", Form: true, Data: l})
}

func (s *Service) first(w http.ResponseWriter, r *Request) error {
	l, err := s.desk.Link(r.Context(), r.Var("token"))
	if err != nil {
		return err
	}
	if l.First {
		l.Login, l.Name = r.Field("login"), r.Field("name")
	}
	again := func(p FieldProblem) error {
		return s.page(w, r, "first", Page{Title: "Set your password", Form: true, Status: http.StatusUnprocessableEntity, Problems: []FieldProblem{p}, Data: l})
	}
	password := r.PostFormValue("password")
	if password != r.PostFormValue("again") {
		return again(FieldProblem{"again", "The two passwords are not the same"})
	}
	login, err := s.desk.UseLink(r.Context(), r.Var("token"), l.Login, l.Name, password)
	var ours *caseforms.Error
	if errors.As(err, &ours) && ours.Kind == caseforms.Invalid {
		field := "password"
		if l.First && !strings.Contains(ours.Msg, "password") {
			field = "login"
		}
		return again(FieldProblem{field, sentence(ours.Msg) + ". " + hint(ours.Hint)})
	}
	if err != nil {
		return err
	}
	signed, err := s.desk.SignInBy(r.Context(), login, casework.MeansPassword, browser(r.UserAgent()), stateOf(r.Request).token)
	if stepped, err := s.stepped(w, r, err, "/"); stepped || err != nil {
		return err
	}
	return s.begun(w, r, signed, "/")
}

// warning says that the time is nearly over. Looking at it does not count as doing something.
func (s *Service) warning(w http.ResponseWriter, r *Request) error {
	return s.page(w, r, "time-nearly-over", Page{Title: "Do you need more time?", warns: true, Data: struct {
		Next string
		Left int
	}{s.inside(r.URL.Query().Get("from")), max(int(r.Signed.Until.Sub(s.desk.Now()).Seconds()), 0)}})
}

// stay does nothing but being asked for, which counts as doing something.
func (s *Service) stay(w http.ResponseWriter, r *Request) error {
	if r.Header.Get("Accept") == "text/plain" { // of our script
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return seeOther(w, r, s.inside(r.PostFormValue("next")))
}

// keptForm is what somebody sent when their time was just over, or before they had proved who they are. It waits, sealed in the store, for them to sign in again, and goes nowhere by itself.
type keptForm struct {
	Path  string
	Form  url.Values
	Proof bool // a proof was wanted; they were signed in
}

// keep keeps what was sent for a user; false when it is no form, or cannot be kept.
func (s *Service) keep(r *Request, user string, proof bool) bool {
	if strings.HasPrefix(r.route.Pattern, "/carry-on") { // it is kept already
		return true
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") || r.ParseForm() != nil || len(r.PostForm) == 0 {
		return false
	}
	b, err := json.Marshal(keptForm{r.URL.RequestURI(), r.PostForm, proof})
	if err == nil {
		err = s.desk.KeepForm(r.Context(), user, b)
	}
	if err != nil {
		s.log.Error("failed", "request", stateOf(r.Request).number, "what", "what was sent could not be kept")
	}
	return err == nil
}

// carryOn shows what was kept, to be sent again by whoever sent it.
func (s *Service) carryOn(w http.ResponseWriter, r *Request) error {
	f, at, err := s.kept(r)
	if err != nil {
		return err
	}
	if f == nil {
		return seeOther(w, r, "/")
	}
	return s.page(w, r, "carry-on", Page{Title: "Carry on where you were", Form: true, Data: struct {
		*keptForm
		Which int64
		At    time.Time
	}{f, at.UnixMilli(), at}})
}

// kept is what is kept for whoever asks; nil is nothing.
func (s *Service) kept(r *Request) (*keptForm, time.Time, error) {
	b, at, err := r.Desk.KeptForm(r.Context(), r.Actor)
	var f keptForm
	if err != nil || b == nil || json.Unmarshal(b, &f) != nil {
		return nil, at, err
	}
	return &f, at, nil
}

// sendKept lets the browser send what was kept to where it was meant for, and keeps it no more. What is kept by now in its place is shown first.
func (s *Service) sendKept(w http.ResponseWriter, r *Request) error {
	f, at, err := s.kept(r)
	if err != nil {
		return err
	}
	if f == nil || r.URL.Query().Get("which") != fmt.Sprint(at.UnixMilli()) {
		s.notify(r, Notice{Text: "Nothing was sent by this: it had been sent already, or was not kept any more. Look whether what you sent was taken."})
		return seeOther(w, r, "/carry-on")
	}
	if err := r.Desk.DropForm(r.Context(), r.Actor); err != nil {
		return err
	}
	http.Redirect(w, r.Request, f.Path, http.StatusTemporaryRedirect) // with which browsers send the same again
	return nil
}

func (s *Service) dropKept(w http.ResponseWriter, r *Request) error {
	if err := r.Desk.DropForm(r.Context(), r.Actor); err != nil {
		return err
	}
	s.notify(r, Notice{Good: true, Text: "It was not sent, and is not kept any more."})
	return seeOther(w, r, "/")
}

// browser is roughly which browser it is, for its owner to tell sessions apart.
func browser(agent string) string {
	find := func(names ...string) string {
		for _, n := range names {
			key, word, _ := strings.Cut(n, "=")
			if strings.Contains(agent, key) {
				return word
			}
		}
		return ""
	}
	b := find("Edg/=Edge", "OPR/=Opera", "Firefox/=Firefox", "Chrome/=Chrome", "Safari/=Safari", "curl/=curl")
	on := find("Windows=Windows", "Android=Android", "iPhone=iPhone", "iPad=iPad", "Mac OS X=Mac", "CrOS=ChromeOS", "Linux=Linux")
	switch {
	case b == "" && on == "":
		return "unknown browser"
	case on == "":
		return b
	case b == "":
		return on
	}
	return b + " on " + on
}

// signIn counts an attempt to sign in.
func (m *metrics) signIn(means string, err error) {
	result := "signed in"
	var throttled *casework.Throttled
	var ours *caseforms.Error
	var step *casework.SecondStep
	switch {
	case err == nil:
	case errors.As(err, &step):
		result = "asked for a code"
	case errors.As(err, &throttled):
		result = "throttled"
	case errors.As(err, &ours) && (ours.Kind == caseforms.Forbidden || ours.Kind == caseforms.Invalid):
		result = "refused"
	default:
		result = "failed"
	}
	m.signIns.WithLabelValues(means, result).Inc()
}
