package web

import (
	"fmt"
	"net/http"
	"slices"

	"caseforms"
	"caseforms/internal/casework"
)

func (s *Service) homeRoutes() []Route {
	return []Route{{Method: "GET", Pattern: "/", Who: SignedIn(), Do: s.home, Nav: "Your work"}}
}

type homeData struct {
	Filter         Choice
	Over           Choice
	Due, Soon      Table
	Out, Came      Table
	MoreDue        int // how many more are due than are shown
	MoreOut, MoreC int
	Query          string
	Works          bool // whoever looks works on cases
	Waiting        []Link
	Told           Table // of a manager: the beginning of what they have to know
	Tolds          int
}

const (
	homeDays = 7  // how far the home page looks ahead
	homeMost = 15 // how many lines of each list it shows
	homeTold = 5  // and how many of what a manager has to know
)

// home is what waits for somebody: due, overdue, in trouble on its way, and come in to be read.
func (s *Service) home(w http.ResponseWriter, r *Request) error {
	if !works(r) {
		return s.page(w, r, "home", Page{Title: "Your work", Data: homeData{}})
	}
	asked := s.askedDue(r)
	asked.Days, asked.Team = homeDays, "" // it does not ask for a team
	due, err := r.Desk.DueHead(r.Context(), r.Actor, asked.filter(r), homeMost)
	if err != nil {
		return err
	}
	d := homeData{Works: true, Filter: asked.choice(r), Query: asked.query()}
	d.Over = Choice{ID: "overdue", Legend: "Only what is overdue?", Several: true, Options: []Option{{Value: "yes", Label: "Only what is overdue", Chosen: asked.Over}}}
	if asked.Over {
		due.Soon, due.Soons = nil, 0
	}
	cut := func(n int) int { return min(n, homeMost) }
	d.Due = dueTable("Overdue", due.Over, true)
	d.Due.None = "Nothing is overdue."
	d.Soon = dueTable(fmt.Sprintf("Due within %d days", homeDays), due.Soon, true)
	d.Soon.None = "Nothing falls due."
	d.MoreDue = due.Overs + due.Soons - len(due.Over) - len(due.Soon)
	if d.Waiting, err = s.draftsLink(r); err != nil {
		return err
	}
	waiting, err := s.waitingLinks(r)
	if err != nil {
		return err
	}
	d.Waiting = append(d.Waiting, waiting...)
	if r.Actor.Is(caseforms.RoleManager) {
		told, n, err := r.Desk.Told(r.Context(), r.Actor, homeTold)
		if err != nil {
			return err
		}
		if d.Tolds = n; n > 0 {
			d.Told = dueTable(count(n, "thing that you have to know as a manager", "things that you have to know as a manager"), told, true)
		}
	}
	if asked.Over {
		return s.page(w, r, "home", Page{Title: "Your work", Wide: true, Data: d})
	}
	out, _, err := r.Desk.Outbox(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	came, _, err := r.Desk.Inbox(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	var ids []caseforms.CaseID
	for i := range out {
		ids = append(ids, out[i].Case)
	}
	for i := range came {
		if came[i].Case != "" {
			ids = append(ids, came[i].Case)
		}
	}
	whose, err := r.Desk.Holders(r.Context(), r.Actor, ids)
	if err != nil {
		return err
	}
	mine := func(id caseforms.CaseID, by string) bool {
		h := whose[id]
		switch asked.Of {
		case "mine":
			return h.Owner == r.Actor.ID || by == r.Actor.ID
		case "team":
			return h.Team == r.Actor.Team
		}
		return true
	}
	out = slices.DeleteFunc(out, func(o casework.Outgoing) bool { return !mine(o.Case, o.By) })
	came = slices.DeleteFunc(came, func(c casework.Came) bool { return c.Case != "" && !mine(c.Case, "") }) // what belongs to nothing yet is everybody's
	d.Out, d.MoreOut = outTable(out[:cut(len(out))], true), len(out)-cut(len(out))
	d.Came, d.MoreC = cameTable(came[:cut(len(came))]), len(came)-cut(len(came))
	d.Came.Caption = "Came in, to be read"
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
