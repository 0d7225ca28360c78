package web

import (
	"errors"
	"fmt"
	"net/http"

	"caseforms"
	"caseforms/internal/casework"
)

func (s *Service) caseRoutes() []Route {
	readers := Only(caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor)
	return []Route{
		{Method: "GET", Pattern: "/cases", Who: readers, Do: s.search, Nav: "Find a case"},
		{Method: "POST", Pattern: "/cases", Who: readers, Do: s.search},
	}
}

type searchData struct {
	Query string
	Done  bool
	Found Table
	More  bool
}

// search looks for cases. What people look for is sent by POST, because it may be a name, which must not stand in an address; an id may.
func (s *Service) search(w http.ResponseWriter, r *Request) error {
	page := Page{Title: "Find a case", Form: true, Wide: true}
	d := searchData{Query: r.Field("q")}
	if r.Method != http.MethodPost {
		d.Query = r.URL.Query().Get("q")
		_, isRef := caseforms.ParseRef(d.Query)
		if _, isCase := caseforms.ParseCaseID(d.Query); !isRef && !isCase {
			d.Query = ""
		}
	}
	if d.Query == "" && r.Method != http.MethodPost {
		page.Data = d
		return s.page(w, r, "cases", page)
	}
	d.Done = true
	found, more, err := r.Desk.Find(r.Context(), r.Actor, d.Query)
	var ours *caseforms.Error
	switch {
	case errors.As(err, &ours) && ours.Kind == caseforms.Invalid:
		page.Status, d.Done = http.StatusUnprocessableEntity, false
		page.Problems = []FieldProblem{{"q", sentence(ours.Msg) + ". " + hint(ours.Hint)}}
	case errors.As(err, &ours) && ours.Kind == caseforms.NotFound:
		found = nil
	case err != nil:
		return err
	}
	d.More = more
	d.Found = Table{Caption: "Cases", Heads: []string{"Person", "Born", "Numbers", "Documents"}, None: "No case was found. Names are found by whole words as they are spelt."}
	for i := range found {
		d.Found.Rows = append(d.Found.Rows, foundRow(&found[i]))
	}
	page.Data = d
	return s.page(w, r, "cases", page)
}

func foundRow(f *casework.Found) []Cell {
	if f.Restricted {
		return []Cell{{Text: string(f.Case), Sub: "You may not see this case. That you looked is recorded; if you need it for your work, ask your manager or an admin."}, {}, {}, {}}
	}
	who := Cell{Text: f.Card.Name, Sub: string(f.Case)}
	if who.Text == "" {
		who = Cell{Text: string(f.Case)}
	}
	if f.Named {
		who.Sub += ": somebody named in this case was found"
	}
	numbers := f.Card.CRN
	for _, n := range []string{f.Card.PrisonNumber, f.Card.PNC} {
		if n != "" {
			if numbers != "" {
				numbers += ", "
			}
			numbers += n
		}
	}
	docs := Cell{Text: "None"}
	if n := len(f.Documents); n > 0 {
		docs = refCell(f.Documents[n-1])
		if n > 1 {
			docs.Sub = fmt.Sprintf("the latest of %d", n)
		}
	}
	return []Cell{who, TextCell(f.Card.DOB), TextCell(numbers), docs}
}
