package web

import (
	"errors"
	"net/http"

	"caseforms"
	"caseforms/internal/casework"
)

func (s *Service) accountRoutes() []Route {
	return []Route{
		{Method: "GET", Pattern: "/account", Who: SignedIn(), Do: s.account},
		{Method: "POST", Pattern: "/account/password", Who: SignedIn(), Do: s.changePassword, Body: 16 << 10, Secret: true},
		{Method: "POST", Pattern: "/account/sessions/{session:s-[0-9a-f]{12}}/end", Who: SignedIn(), Do: s.endSession, Body: 16 << 10, Proven: true},
		{Method: "POST", Pattern: "/account/sessions/end-others", Who: SignedIn(), Do: s.endOthers, Body: 16 << 10, Proven: true},
	}
}

type accountData struct {
	Login    string
	Password bool // they sign in with one of ours
	Details  Rows
	Sessions []sessionLine
}

type sessionLine struct {
	ID, Browser, Means, Began, Seen string
	This                            bool
}

func (s *Service) account(w http.ResponseWriter, r *Request) error { return s.accountPage(w, r, 0) }

func (s *Service) accountPage(w http.ResponseWriter, r *Request, code int, ps ...FieldProblem) error {
	all, err := r.Desk.Sessions(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	d := accountData{Login: r.Signed.Login, Password: r.Signed.Means == casework.MeansPassword, Details: Rows{
		{Key: "Name", Value: r.Actor.Name}, {Key: "Signs in as", Value: r.Signed.Login}, {Key: "Team", Value: r.Actor.Team}, {Key: "Roles", Value: roleNames(r.Actor.Roles)},
	}}
	for _, n := range all {
		d.Sessions = append(d.Sessions, sessionLine{n.ID, n.Browser, n.Means, clock(n.Began), clock(n.Seen), n.ID == r.Signed.ID})
	}
	return s.page(w, r, "account", Page{Title: "Your account", Status: code, Form: true, Problems: ps, Data: d})
}

func (s *Service) changePassword(w http.ResponseWriter, r *Request) error {
	if r.PostFormValue("password") != r.PostFormValue("again") {
		return s.accountPage(w, r, http.StatusUnprocessableEntity, FieldProblem{"again", "The two passwords are not the same"})
	}
	err := r.Desk.ChangePassword(r.Context(), r.Actor, s.address(r.Request), r.PostFormValue("old"), r.PostFormValue("password"))
	var ours *caseforms.Error
	if errors.As(err, &ours) && ours.Kind == caseforms.Invalid {
		field := "password"
		if ours.Hint == "" {
			field = "old"
		}
		return s.accountPage(w, r, http.StatusUnprocessableEntity, FieldProblem{field, sentence(ours.Msg) + "."})
	}
	if err != nil {
		return err
	}
	signed, err := r.Desk.SignInBy(r.Context(), r.Signed.Login, casework.MeansPassword, browser(r.UserAgent()), "")
	if stepped, err := s.stepped(w, r, err, "/account"); stepped || err != nil {
		return err
	}
	r.Signed = signed
	s.notify(r, Notice{Good: true, Text: "Your password is changed. You are signed out everywhere else."})
	return s.begun(w, r, signed, "/account")
}

func (s *Service) endSession(w http.ResponseWriter, r *Request) error {
	if err := r.Desk.EndSession(r.Context(), r.Actor, r.Var("session")); err != nil {
		return err
	}
	s.notify(r, Notice{Good: true, Text: "You are signed out there."})
	return seeOther(w, r, "/account")
}

func (s *Service) endOthers(w http.ResponseWriter, r *Request) error {
	if _, err := r.Desk.EndOtherSessions(r.Context(), r.Actor, r.Signed.ID); err != nil {
		return err
	}
	s.notify(r, Notice{Good: true, Text: "You are signed out everywhere else."})
	return seeOther(w, r, "/account")
}
