package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/render"
)

func (s *Service) reportRoutes() []Route {
	who := Only(caseforms.RoleManager, caseforms.RoleAuditor)
	movers := Only(caseforms.RoleManager, caseforms.RoleAdmin)
	return []Route{
		{Method: "GET", Pattern: "/figures", Who: who, Do: s.figures, Nav: "Figures"},
		{Method: "GET", Pattern: "/figures/inspection.{format:pdf|xlsx}", Who: who, Do: s.inspection},
		{Method: "GET", Pattern: "/caseloads", Who: movers, Do: s.caseloads, Nav: "Caseloads"},
		{Method: "POST", Pattern: "/caseloads", Who: movers, Do: s.caseloads},
	}
}

// everywhere is the area of a filter that is every area.
const everywhere = "*"

// areaAsked is the area that the address says, as the acts take it; everywhere when it says none, or one that there is not.
func (s *Service) areaAsked(r *Request) string {
	switch a := r.URL.Query().Get("area"); {
	case a == "general":
		return ""
	case a != "" && slices.Contains(s.areas(), a):
		return a
	}
	return everywhere
}

// areaFilter lets one area be chosen, or none for everywhere.
func (s *Service) areaFilter(chosen string) selection {
	d := selection{ID: "area", Label: "Area", Hint: "Leave it empty for everywhere"}
	for _, a := range s.areas() {
		o := Option{Value: a, Label: sentence(strings.ReplaceAll(a, "-", " ")), Chosen: a == chosen}
		if a == "" {
			o.Value, o.Label = "general", "Areas without a name of their own"
		}
		d.Options = append(d.Options, o)
	}
	return d
}

// areaQuery is an area as it stands in an address.
func areaQuery(area string) string {
	switch area {
	case everywhere:
		return ""
	case "":
		return "general"
	}
	return area
}

// span is the span of days and the area that the address says; what is no day is left out.
func (s *Service) span(r *Request) (q casework.Inspection) {
	q.Area = s.areaAsked(r)
	for _, x := range []struct {
		name string
		to   *caseforms.Date
	}{{"since", &q.From}, {"until", &q.To}} {
		if d, err := casework.ParseDay(r.URL.Query().Get(x.name)); err == nil {
			*x.to = d
		}
	}
	return q
}

type figuresData struct {
	Since, Until Input
	Area         selection
	Span         string
	Query        string
	All          Table
	Months       Table
	Chart        *chart
	Forms, Teams Table
}

// chart is a picture of bars, made here. The table beside it says the same.
type chart struct {
	Width, Height int
	Base          int // where the bars stand
	Bars          []bar
	Labels        []label
	Lines         []label
}

type bar struct {
	X, Y, Width, Height int
	Class               string
	Says                string
}

type label struct {
	X, Y int
	Text string
}

// charted makes a chart by month of what was made, answered, and answered in time.
func charted(groups []casework.Group) *chart {
	if len(groups) == 0 {
		return nil
	}
	const barWide, gap, high, left, top = 18, 26, 200, 44, 16
	most := 1
	for _, g := range groups {
		most = max(most, g.Made)
	}
	step := (most + 3) / 4 // things are counted: four lines at most, at whole numbers, the highest at the top
	most = (most + step - 1) / step * step
	c := &chart{Height: high + top + 40, Base: high + top}
	x := left
	for _, g := range groups {
		for i, v := range []int{g.Made, g.Answered, g.InTime} {
			h := v * high / most
			c.Bars = append(c.Bars, bar{x + i*barWide, c.Base - h, barWide - 2, h, []string{"made", "answered", "in-time"}[i], fmt.Sprintf("%s: %d %s", g.Name, v, []string{"made", "answered", "in time"}[i])})
		}
		month, year, _ := strings.Cut(g.Name, " ")
		c.Labels = append(c.Labels, label{x, c.Base + 18, month[:min(3, len(month))]}, label{x, c.Base + 34, year})
		x += 3*barWide + gap
	}
	for n := 0; n <= most; n += step {
		c.Lines = append(c.Lines, label{left - 8, c.Base - n*high/most, strconv.Itoa(n)})
	}
	c.Width = x
	return c
}

func figuresTable(caption, head string, groups []casework.Group) Table {
	t := Table{Caption: caption, Heads: []string{head, "Made", "Answered", "In time", "Open", "Overdue", "Median days"}, Numeric: map[int]bool{1: true, 2: true, 3: true, 4: true, 5: true, 6: true}, None: "Nothing that wants an answer was handed over."}
	share := func(n, of int) Cell {
		c := Cell{Text: fmt.Sprint(n)}
		if of > 0 {
			c.Sub = fmt.Sprintf("%d %%", (100*n+of/2)/of)
		}
		return c
	}
	for i := range groups {
		g := &groups[i]
		median := "–"
		if m := g.Median(); m >= 0 {
			median = strconv.FormatFloat(m, 'f', -1, 64)
		}
		t.Rows = append(t.Rows, []Cell{TextCell(g.Name), TextCell(fmt.Sprint(g.Made)), share(g.Answered, g.Made), share(g.InTime, g.Made), TextCell(fmt.Sprint(g.Open)), TextCell(fmt.Sprint(g.Over)), TextCell(median)})
	}
	return t
}

// figures are what a manager asks of what was handed over.
func (s *Service) figures(w http.ResponseWriter, r *Request) error {
	c, err := r.Desk.Count(r.Context(), r.Actor, s.span(r))
	if err != nil {
		return err
	}
	d := figuresData{Span: fmt.Sprintf("Handed over from %s to %s. Counted are requests that want an answer. In time is by the first deadline.", c.From.Long(), c.To.Long()), Query: "since=" + c.From.String() + "&until=" + c.To.String() + "&area=" + areaQuery(c.Area), Area: s.areaFilter(c.Area),
		Since: Input{ID: "since", Label: "From", Hint: "Such as 2026-01-31", Value: c.From.String(), Width: "10", Autocomplete: "off"}, Until: Input{ID: "until", Label: "To", Hint: "Such as 2026-12-31", Value: c.To.String(), Width: "10", Autocomplete: "off"}}
	var all []casework.Group
	if c.All.Made > 0 {
		all = []casework.Group{{Name: "All", Figures: c.All}}
	}
	d.All, d.Months = figuresTable("Altogether", "Of", all), figuresTable("By month", "Month", c.ByMonth)
	d.Forms, d.Teams, d.Chart = figuresTable("By form", "Form", c.ByForm), figuresTable("By team", "Team", c.ByTeam), charted(c.ByMonth)
	return s.page(w, r, "figures", Page{Title: "Figures", Wide: true, Data: d})
}

// inspection is the pack of everywhere for inspectors.
func (s *Service) inspection(w http.ResponseWriter, r *Request) error {
	c, err := r.Desk.Count(r.Context(), r.Actor, s.span(r)) // a span that was left out is the last twelve months
	if err != nil {
		return err
	}
	data, err := r.Desk.Inspect(r.Context(), r.Actor, c.Inspection, render.Format(r.Var("format")))
	if err != nil {
		return err
	}
	return download(w, "inspection."+r.Var("format"), data)
}

type caseloadData struct {
	From, To selection
	Why      Input
	Cases    Input
}

// selection is a list to choose one from.
type selection struct {
	ID, Label, Hint, Problem string
	Options                  []Option
}

// Described are the ids of what describes it.
func (c selection) Described() string { return described(c.ID, c.Hint, c.Problem) }

// caseloads gives a caseload, or some of its cases, to somebody else.
func (s *Service) caseloads(w http.ResponseWriter, r *Request) error {
	users, err := r.Desk.Users(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	var ps []FieldProblem
	if r.Method == http.MethodPost {
		login := map[string]string{}
		for _, u := range users {
			login[u.ID] = u.Login
		}
		from, to := login[r.Field("from")], login[r.Field("to")]
		if from == "" {
			ps = append(ps, FieldProblem{"from", "Choose whose caseload it is"})
		}
		if to == "" {
			ps = append(ps, FieldProblem{"to", "Choose who gets it"})
		}
		var only []caseforms.CaseID
		for _, word := range strings.FieldsFunc(r.Field("cases"), func(c rune) bool { return c == ' ' || c == ',' || c == ';' || c == '\n' || c == '\r' }) {
			id, ok := caseforms.ParseCaseID(word)
			if !ok {
				ps = append(ps, FieldProblem{"cases", "Enter the ids of cases, such as CS-7K3M-Q9ZQ, or leave it empty"})
				break
			}
			only = append(only, id)
		}
		if ps == nil {
			n, err := r.Desk.Transfer(r.Context(), r.Actor, from, to, only, r.Field("why"))
			if err == nil {
				s.notify(r, Notice{Good: true, Text: fmt.Sprintf("Handed over, with what is open of them: cases %d.", n)})
				return seeOther(w, r, "/caseloads")
			}
			at := "from"
			if r.Field("why") == "" {
				at = "why"
			}
			if ps, err = toldBeside(err, at, caseforms.NotFound); err != nil {
				return err
			}
		}
	}
	d := caseloadData{From: selection{ID: "from", Label: "Whose caseload", Problem: problemOf(ps, "from")}, To: selection{ID: "to", Label: "Who gets it", Problem: problemOf(ps, "to")},
		Why: textField(r, ps, "why", "Why?", "Such as: leave, change of team", 0), Cases: textField(r, ps, "cases", "Only these cases", "Their ids. Leave it empty for all of them, with drafts.", 2)}
	for _, u := range users {
		o := Option{Value: u.ID, Label: u.Name}
		if u.Team != "" {
			o.Label += ", " + u.Team
		}
		if !u.Active {
			o.Label += " (closed)"
		}
		o.Chosen = r.Field("from") == o.Value
		d.From.Options = append(d.From.Options, o)
		if u.Active && slices.ContainsFunc(u.Roles, func(x caseforms.Role) bool { return x == caseforms.RolePractitioner || x == caseforms.RoleManager }) {
			o.Chosen = r.Field("to") == o.Value
			d.To.Options = append(d.To.Options, o)
		}
	}
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	return s.page(w, r, "caseloads", Page{Title: "Hand a caseload over", Status: code, Problems: ps, Form: true, Data: d})
}
