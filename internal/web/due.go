package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/render"
)

func (s *Service) dueRoutes() []Route {
	who := Only(caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor)
	return []Route{
		{Method: "GET", Pattern: "/due", Who: who, Do: s.due, Nav: "Due"},
		{Method: "GET", Pattern: "/due/register.xlsx", Who: who, Do: s.dueFile},
		{Method: "GET", Pattern: "/due/due.ics", Who: who, Do: s.dueFile},
		{Method: "GET", Pattern: "/due/digest.pdf", Who: who, Do: s.dueFile},
		{Method: "GET", Pattern: "/cases/" + casePattern + "/inspection.{format:pdf|xlsx}", Who: caseworkers(), Do: s.caseInspection},
		{Method: "GET", Pattern: "/cases/" + casePattern + "/log.{format:pdf|xlsx}", Who: caseworkers(), Do: s.caseLog},
	}
}

// dueAsked is what somebody wants to see of what is due. It stands in the address, and has no names in it.
type dueAsked struct {
	Of   string // mine, team, told or all
	Over bool   // overdue only
	Team string // "" is every team
	Area string
	Days int
}

const dueDaysMost = 366

func (s *Service) askedDue(r *Request) dueAsked {
	q := r.URL.Query()
	a := dueAsked{Of: q.Get("of"), Over: q.Get("overdue") != "", Team: strings.TrimSpace(q.Get("team")), Area: s.areaAsked(r), Days: homeDays}
	switch {
	case a.Of == "told" && r.Actor.Is(caseforms.RoleManager), a.Of == "team" && r.Actor.Team != "", a.Of == "all", a.Of == "mine" && works(r):
	case works(r):
		a.Of = "mine"
	default:
		a.Of = "all"
	}
	if n, err := strconv.Atoi(q.Get("days")); err == nil && n >= 0 && n <= dueDaysMost {
		a.Days = n
	}
	return a
}

func (a dueAsked) query() string {
	q := url.Values{"of": {a.Of}, "days": {fmt.Sprint(a.Days)}}
	if a.Over {
		q.Set("overdue", "yes")
	}
	for k, v := range map[string]string{"team": a.Team, "area": areaQuery(a.Area)} {
		if v != "" {
			q.Set(k, v)
		}
	}
	return q.Encode()
}

// filter is what was asked for, whether overdue or not.
func (a dueAsked) filter(r *Request) casework.DueFilter {
	f := casework.DueFilter{Mine: a.Of == "mine", Told: a.Of == "told", Team: a.Team, Days: a.Days}
	if a.Of == "team" {
		f.Team = r.Actor.Team
	}
	if a.Area != everywhere {
		f.Area = &a.Area
	}
	return f
}

// list is what is due as it was asked for.
func (a dueAsked) list(r *Request) ([]casework.Due, error) {
	f := a.filter(r)
	if a.Over {
		f.Days = 0
	}
	all, err := r.Desk.Due(r.Context(), r.Actor, f)
	if err != nil || !a.Over {
		return all, err
	}
	var out []casework.Due
	for _, d := range all {
		if d.Over > 0 {
			out = append(out, d)
		}
	}
	return out, nil
}

// choices are the filters, as choices on a page.
func (a dueAsked) choice(r *Request) Choice {
	c := Choice{ID: "of", Legend: "Whose?"}
	add := func(value, label string) {
		c.Options = append(c.Options, Option{Value: value, Label: label, Chosen: a.Of == value})
	}
	if works(r) {
		add("mine", "Mine")
	}
	if r.Actor.Team != "" {
		add("team", "My team’s")
	}
	if r.Actor.Is(caseforms.RoleManager) {
		add("told", "What I have to know as a manager")
	}
	add("all", "Everybody’s that I may see")
	return c
}

type dueData struct {
	Of    Choice
	Over  Choice
	Team  Input
	Area  selection
	Days  Input
	Table Table
	Pages Pages
	Query string
	Warn  []string
}

func (s *Service) due(w http.ResponseWriter, r *Request) error {
	asked := s.askedDue(r)
	list, err := asked.list(r)
	var ps []FieldProblem
	if err != nil {
		if asked.Team == "" || asked.Of == "team" {
			return err
		}
		if ps, err = toldBeside(err, "team", caseforms.NotFound); err != nil { // a team that nobody is in
			return err
		}
	}
	d := dueData{Of: asked.choice(r), Query: asked.query(), Area: s.areaFilter(asked.Area), Team: Input{ID: "team", Label: "Only of this team", Value: asked.Team, Problem: problemOf(ps, "team"), Width: "20", Autocomplete: "off"}, Days: Input{ID: "days", Label: "And what falls due within so many days", Value: fmt.Sprint(asked.Days), Width: "3", Mode: "numeric", Autocomplete: "off"}}
	d.Over = Choice{ID: "overdue", Legend: "Only what is overdue?", Several: true, Options: []Option{{Value: "yes", Label: "Only what is overdue", Chosen: asked.Over}}}
	if len(list) == casework.MostDue {
		d.Warn = append(d.Warn, "These are the most overdue; there are more.")
	}
	if text := r.Desk.CalendarWarning(); text != "" {
		d.Warn = append(d.Warn, sentence(text)+".")
	}
	var from, to int
	d.Pages, from, to = Paged(r, len(list), onPage)
	d.Table = dueTable("What is due", list[from:to], works(r))
	code := 0
	if ps != nil {
		d.Table.None, d.Query, code = "Nothing was looked for.", "", http.StatusUnprocessableEntity
	}
	return s.page(w, r, "due", Page{Title: "What is due", Status: code, Wide: true, Problems: ps, Data: d})
}

// dueTable is what is due, with whose it is and how the day came about.
func dueTable(caption string, list []casework.Due, works bool) Table {
	t := Table{Caption: caption, Heads: []string{"What to do", "Case", "Document", "Whose", "Due"}, None: "Nothing is due."}
	for i := range list {
		u := &list[i]
		what := Cell{Text: sentence(u.Says), Sub: strings.Join(nonEmpty(u.Step, u.How), "; ")}
		who, ref := TextCell(string(u.Case)), TextCell(string(u.Ref))
		if works {
			who, ref = caseCell(u.Case, u.Card), refCell(u.Ref)
		}
		t.Rows = append(t.Rows, []Cell{what, who, ref, TextCell(u.OwnerName), dueCell(u)})
	}
	return t
}

func nonEmpty(all ...string) (out []string) {
	for _, s := range all {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// dueFile is the same list as a file: a workbook for the weekly meeting, a calendar without names, a document to be printed.
func (s *Service) dueFile(w http.ResponseWriter, r *Request) error {
	list, err := s.askedDue(r).list(r)
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(r.route.Pattern, "/due/")
	var data []byte
	switch name {
	case "register.xlsx":
		data, err = r.Desk.DueRegister(list)
	case "due.ics":
		data, err = r.Desk.Calendar(list)
	default:
		data, err = r.Desk.Digest(r.Context(), r.Actor, list, render.FormatPDF)
	}
	if err != nil {
		return err
	}
	return download(w, name, data)
}

// caseInspection is the pack of one case for inspectors.
func (s *Service) caseInspection(w http.ResponseWriter, r *Request) error {
	id, err := r.CaseID()
	if err != nil {
		return err
	}
	data, err := r.Desk.Inspect(r.Context(), r.Actor, casework.Inspection{Case: id}, render.Format(r.Var("format")))
	if err != nil {
		return err
	}
	return download(w, string(id)+"-inspection."+r.Var("format"), data)
}

// caseLog are the entries for the case system.
func (s *Service) caseLog(w http.ResponseWriter, r *Request) error {
	id, err := r.CaseID()
	if err != nil {
		return err
	}
	log, err := r.Desk.Log(r.Context(), r.Actor, id)
	if err != nil {
		return err
	}
	data, err := r.Desk.LogFile(log, render.Format(r.Var("format")))
	if err != nil {
		return err
	}
	return download(w, string(id)+"-log."+r.Var("format"), data)
}
