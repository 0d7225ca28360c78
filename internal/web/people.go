package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"caseforms"
)

func (s *Service) peopleRoutes() []Route {
	admin := Only(caseforms.RoleAdmin)
	return []Route{
		{Method: "GET", Pattern: "/people", Who: admin, Do: s.people, Nav: "People"},
		{Method: "POST", Pattern: "/people", Who: admin, Do: s.addPerson, Proven: true},
		{Method: "POST", Pattern: "/people/{user:u-[0-9a-f]{10}}/link", Who: admin, Do: s.makeLink, Proven: true},
		{Method: "POST", Pattern: "/people/{user:u-[0-9a-f]{10}}/sign-out", Who: admin, Do: s.signOutPerson, Proven: true},
	}
}

type peopleData struct {
	Login, Name, Team string
	Roles             Choice
	People            []personLine
}

type personLine struct {
	ID, Login, Name, Team, Roles string
	Active                       bool
}

func roleNames(rs []caseforms.Role) string {
	var out []string
	for _, r := range rs {
		out = append(out, string(r))
	}
	return strings.Join(out, ", ")
}

func (s *Service) people(w http.ResponseWriter, r *Request) error { return s.peoplePage(w, r, 0) }

func (s *Service) peoplePage(w http.ResponseWriter, r *Request, code int, ps ...FieldProblem) error {
	users, err := r.Desk.Users(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	d := peopleData{Login: r.Field("login"), Name: r.Field("name"), Team: r.Field("team"), Roles: Choice{ID: "roles", Legend: "What they may do", Several: true, Options: []Option{
		{Value: "practitioner", Label: "Practitioner", Hint: "works on cases"},
		{Value: "manager", Label: "Manager", Hint: "endorses what practitioners do"},
		{Value: "admin", Label: "Admin", Hint: "people, restrictions and erasure, not the content of cases"},
		{Value: "auditor", Label: "Auditor", Hint: "verifies, and changes nothing"},
		{Value: "office", Label: "Public Protection Office", Hint: "beside being a practitioner or manager"},
	}}}
	for i, o := range d.Roles.Options {
		d.Roles.Options[i].Chosen = slices.Contains(r.PostForm["roles"], o.Value)
	}
	for _, p := range ps {
		if p.Field == "roles" {
			d.Roles.Problem = p.Msg
		}
	}
	for _, u := range users {
		d.People = append(d.People, personLine{u.ID, u.Login, u.Name, u.Team, roleNames(u.Roles), u.Active})
	}
	return s.page(w, r, "people", Page{Title: "People", Status: code, Problems: ps, Form: true, Wide: true, Data: d})
}

func (s *Service) addPerson(w http.ResponseWriter, r *Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	var ps []FieldProblem
	for _, f := range []struct{ id, msg string }{{"login", "Enter a name for signing in"}, {"name", "Enter the person’s name"}} {
		if r.Field(f.id) == "" {
			ps = append(ps, FieldProblem{f.id, f.msg})
		}
	}
	roles, err := caseforms.ParseRoles(strings.Join(r.PostForm["roles"], ","))
	if err != nil {
		ps = append(ps, FieldProblem{"roles", "Say what they may do"})
	}
	if ps != nil {
		return s.peoplePage(w, r, http.StatusUnprocessableEntity, ps...)
	}
	_, err = r.Desk.AddUser(r.Context(), r.Actor, r.Field("login"), r.Field("name"), r.Field("team"), roles)
	var ours *caseforms.Error
	if errors.As(err, &ours) && (ours.Kind == caseforms.Invalid || ours.Kind == caseforms.Conflict) {
		return s.peoplePage(w, r, http.StatusUnprocessableEntity, FieldProblem{"login", sentence(ours.Msg)})
	}
	if err != nil {
		return err
	}
	s.notify(r, Notice{Good: true, Text: "They are added. Now make a link for them, so that they can set a password."})
	return seeOther(w, r, "/people")
}

// login is the login of the person in the address.
func (s *Service) login(r *Request) (string, error) {
	users, err := r.Desk.Users(r.Context(), r.Actor)
	if err != nil {
		return "", err
	}
	for _, u := range users {
		if u.ID == r.Var("user") {
			return u.Login, nil
		}
	}
	return "", &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no such person"}
}

// makeLink shows the link once, on the answer itself: it is kept nowhere.
func (s *Service) makeLink(w http.ResponseWriter, r *Request) error {
	login, err := s.login(r)
	if err != nil {
		return err
	}
	token, until, err := r.Desk.MakeLink(r.Context(), r.Actor, login)
	if err != nil {
		return err
	}
	base := strings.TrimRight(s.o.URL, "/")
	if base == "" {
		base = "http://" + r.Host
		if s.o.Secure {
			base = "https://" + r.Host
		}
	}
	return s.page(w, r, "link", Page{Title: "A link to set a password", Crumbs: []Link{{"People", "/people"}}, Data: struct{ Login, Link, Until string }{login, base + "/first/" + token, clock(until)}})
}

func (s *Service) signOutPerson(w http.ResponseWriter, r *Request) error {
	login, err := s.login(r)
	if err != nil {
		return err
	}
	if _, err := r.Desk.EndSessionsOf(r.Context(), r.Actor, login); err != nil {
		return err
	}
	s.notify(r, Notice{Good: true, Text: "They are signed out everywhere."})
	return seeOther(w, r, "/people")
}
