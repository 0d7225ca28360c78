package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

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
	Case  *caseData // the one case that was looked for by its number, or by the reference of a document
}

type caseData struct {
	ID        caseforms.CaseID
	Documents Table
	Drafts    Table
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
	if len(found) == 1 && found[0].File != nil {
		d.Case, d.Query = fileOf(&found[0]), ""
		page.Crumbs = []Link{{"Your work", "/"}, {"Find a case", "/cases"}}
		page.Title, page.Whose, page.Data = "Case "+string(found[0].Case), identityOf(&found[0].File.Whose), d
		return s.page(w, r, "cases", page)
	}
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
	who := caseCell(f.Case, f.Card)
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
	switch n := len(f.Documents); n {
	case 0:
	case 1:
		docs = refCell(f.Documents[0])
	default:
		docs = LinkCell(count(n, "document", "documents"), who.Href)
	}
	return []Cell{who, TextCell(f.Card.DOB), TextCell(numbers), docs}
}

// fileOf shows the documents of a case.
func fileOf(f *casework.Found) *caseData {
	c := &caseData{ID: f.Case, Documents: Table{Caption: "Documents", Heads: []string{"Document", "Form", "Issued", "How it stands"}, None: "Nothing was issued of this case yet."}}
	for i := range f.File.Documents {
		d := &f.File.Documents[i]
		ref := refCell(d.Ref)
		ref.Sub = fmt.Sprintf("issue %d", d.Issue)
		if d.Urgent {
			ref.Mark = "Urgent"
		}
		c.Documents.Rows = append(c.Documents.Rows, []Cell{ref, {Text: d.Title, Sub: cmp.Or(copyWords[d.Copy], d.Copy)}, {Text: clock(d.Issued), Sub: "by " + d.By}, standsCell(d)})
	}
	c.Drafts = Table{Caption: "Drafts", Heads: []string{"Draft", "Form", "Last saved"}}
	for i := range f.File.Drafts {
		d := &f.File.Drafts[i]
		id := Cell{Text: string(d.ID), Href: "/drafts/" + string(d.ID), Whole: true}
		if d.Urgent {
			id.Mark = "Urgent"
		}
		c.Drafts.Rows = append(c.Drafts.Rows, []Cell{id, TextCell(d.Title), {Text: clock(d.Changed), Sub: "by " + d.ChangedByName}})
	}
	return c
}

// standsCell says how a document of a case stands.
func standsCell(d *casework.OfCase) Cell {
	if !d.Erased.IsZero() {
		return TextCell("Erased on " + clock(d.Erased))
	}
	var lines []string
	switch c := &d.Countersigning; {
	case c.Said && c.Endorsed:
		lines = append(lines, "Countersigned by "+c.By)
	case c.Said:
		lines = append(lines, "Sent back by "+c.By)
	case c.Wanted:
		lines = append(lines, "Not countersigned yet")
	}
	for _, r := range d.Reached {
		says := "Went to " + r.To
		if r.Held {
			says = "Held, not sent to " + r.To
		} else if r.Leaving {
			says = "On its way to " + r.To
		}
		if r.Issue != d.Issue {
			says += fmt.Sprintf(", issue %d only", r.Issue)
		}
		lines = append(lines, says)
	}
	switch {
	case len(d.Reached) > 0:
	case d.Goes:
		lines = append(lines, "Not sent to anybody yet")
	default:
		lines = append(lines, "For the own file")
	}
	if d.Answer != "" {
		lines = append(lines, "Answer: "+d.Answer)
	}
	if d.Awaited {
		lines = append(lines, "An answer is awaited")
	}
	return Cell{Text: strings.Join(lines, "\n"), Pre: true}
}
