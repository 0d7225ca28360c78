package web

import (
	"fmt"
	"net/http"

	"caseforms"
	"caseforms/internal/casework"
)

func (s *Service) homeRoutes() []Route {
	return []Route{{Method: "GET", Pattern: "/", Who: SignedIn(), Do: s.home, Nav: "Your work"}}
}

type homeData struct {
	Due, Soon, Out Table
	Works          bool // whoever looks works on cases
}

// homeDays is how far the home page looks ahead.
const homeDays = 7

// homeMost is how many lines of each kind it shows, those that matter most.
const homeMost = 100

func (s *Service) home(w http.ResponseWriter, r *Request) error {
	if !r.Actor.Is(caseforms.RolePractitioner, caseforms.RoleManager) {
		return s.page(w, r, "home", Page{Title: "Your work", Data: homeData{}})
	}
	due, err := r.Desk.Due(r.Context(), r.Actor, casework.DueFilter{Mine: true, Days: homeDays})
	if err != nil {
		return err
	}
	d := homeData{Works: true,
		Due:  Table{Caption: "Overdue", Heads: []string{"What to do", "Case", "Document", "Due"}, None: "Nothing is overdue."},
		Soon: Table{Caption: fmt.Sprintf("Due within %d days", homeDays), Heads: []string{"What to do", "Case", "Document", "Due"}, None: "Nothing falls due."},
		Out:  Table{Caption: "On its way, held or in trouble", Heads: []string{"Document", "To", "How it stands", "What to do"}, None: "Nothing is on its way, and nothing is held."},
	}
	for i := range due {
		u := &due[i]
		to := &d.Soon
		when := Cell{Text: u.Due.Long()}
		if u.Over > 0 {
			to = &d.Due
			when = Cell{Text: overdue(u.Over), Tag: "red", Sub: u.Due.Long()}
		}
		to.Rows = append(to.Rows, []Cell{{Text: sentence(u.Says), Sub: u.Step}, caseCell(u.Case, u.Card), refCell(u.Ref), when})
	}
	out, _, err := r.Desk.Outbox(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	for i := range out {
		o := &out[i]
		d.Out.Rows = append(d.Out.Rows, []Cell{refCell(o.Ref), TextCell(o.Organisation), {Text: sentence(string(o.Standing)), Tag: standingColour(o.Standing), Sub: o.Said}, TextCell(o.Do)})
	}
	for _, t := range []*Table{&d.Due, &d.Soon, &d.Out} {
		t.cut(homeMost)
	}
	return s.page(w, r, "home", Page{Title: "Your work", Wide: true, Data: d})
}

func overdue(days int) string {
	if days == 1 {
		return "1 working day overdue"
	}
	return fmt.Sprintf("%d working days overdue", days)
}

// refCell leads to a document.
func refCell(ref caseforms.Ref) Cell {
	if ref == "" {
		return Cell{}
	}
	return Cell{Text: string(ref), Href: "/documents/" + string(ref), Whole: true}
}

// caseCell names a case by the person, with its id below. The name stands on the page only, never in an address or a title.
func caseCell(id caseforms.CaseID, c casework.Card) Cell {
	cell := LinkCell(string(id), "/cases?q="+string(id))
	if c.Name != "" {
		cell.Text, cell.Sub = c.Name, string(id)
	}
	return cell
}

// standingColour is the colour of the tag that says where a send stands.
func standingColour(o casework.Outcome) string {
	switch o {
	case casework.HeldBack, casework.Delayed:
		return "yellow"
	case casework.Failed:
		return "red"
	case casework.Doubtful:
		return "orange"
	case casework.Arrived, casework.Replied:
		return "green"
	case casework.Relayed:
		return "blue"
	}
	return "grey"
}
