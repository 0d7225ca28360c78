package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"caseforms"
	"caseforms/internal/casework"
)

func (s *Service) caseRoutes() []Route {
	readers := Only(caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor)
	return []Route{
		{Method: "GET", Pattern: "/cases", Who: readers, Do: s.search, Nav: "Find a case"},
		{Method: "POST", Pattern: "/cases", Who: readers, Do: s.search},
		{Method: "GET", Pattern: "/documents/" + refPattern, Who: Only(caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAuditor), Do: s.document},
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

type documentData struct {
	*casework.Timeline
	Facts    Rows
	Versions Table
	HandOffs Table
	Sends    Table
	Mail     Table
	Due      Table
	Events   []eventLine
	Looks    []eventLine // who looked, the latest first, of so many
	Looked   int
}

// looksMost is how many looks at a document its page lists. The ledger has all of them.
const looksMost = 20

type eventLine struct {
	What, By, At string
	Why          string
}

func (s *Service) document(w http.ResponseWriter, r *Request) error {
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	t, err := r.Desk.Show(r.Context(), r.Actor, ref)
	if err != nil {
		return err
	}
	return s.page(w, r, "document", Page{Title: "Document " + string(ref), Wide: true, OwnHeading: true, Crumbs: []Link{{"Your work", "/"}, {"Case " + string(t.Case), "/cases?q=" + string(t.Case)}}, Data: timelineOf(t)})
}

func timelineOf(t *casework.Timeline) documentData {
	d := documentData{Timeline: t, Facts: Rows{{Key: "Form", Value: t.Title}, {Key: "Reference", Value: string(t.Ref)}, {Key: "Case", Value: caseCell(t.Case, t.Card)}}}
	if t.Copy != "" {
		d.Facts = append(d.Facts, Row{Key: "Copy", Value: t.Copy})
	}
	d.Versions = Table{Caption: "Issues", Heads: []string{"Issue", "When", "By"}}
	for _, v := range t.Versions {
		n := Cell{Text: fmt.Sprint(v.Number)}
		if !v.Erased.IsZero() {
			n.Sub = "erased " + clock(v.Erased)
		}
		d.Versions.Rows = append(d.Versions.Rows, []Cell{n, TextCell(clock(v.Issued)), TextCell(v.By)})
	}
	d.Due = Table{Caption: "What is open", Heads: []string{"What to do", "Whose", "Due"}, None: "Nothing is open."}
	for i := range t.Due {
		u := &t.Due[i]
		when := Cell{Text: u.Due.Long()}
		if u.Over > 0 {
			when = Cell{Text: overdue(u.Over), Tag: "red", Sub: u.Due.Long()}
		}
		d.Due.Rows = append(d.Due.Rows, []Cell{{Text: sentence(u.Says), Sub: u.Step}, TextCell(u.OwnerName), when})
	}
	d.HandOffs = Table{Caption: "Handed over", Heads: []string{"To", "By", "When", "Answer"}, None: "It was not handed to anybody yet."}
	for _, h := range t.HandOffs {
		answer := h.Outcome
		if answer == "" {
			answer = "None yet"
		}
		d.HandOffs.Rows = append(d.HandOffs.Rows, []Cell{TextCell(h.To), TextCell(string(h.Channel)), TextCell(clock(h.At)), TextCell(answer)})
	}
	d.Sends = Table{Caption: "Sent by e-mail", Heads: []string{"To", "How it stands", "Since", "What to do"}, None: "It was not sent by e-mail."}
	for i := range t.Sends {
		o := &t.Sends[i]
		d.Sends.Rows = append(d.Sends.Rows, []Cell{TextCell(o.Organisation), {Text: sentence(string(o.Standing)), Tag: standingColour(o.Standing), Sub: o.Said}, TextCell(clock(o.At)), TextCell(o.Do)})
	}
	d.Mail = Table{Caption: "What came back", Heads: []string{"From", "Kind", "When"}, None: "Nothing came back by e-mail."}
	for i := range t.Mail {
		m := &t.Mail[i]
		d.Mail.Rows = append(d.Mail.Rows, []Cell{{Text: m.From, Sub: m.Outcome}, TextCell(m.Class), TextCell(clock(m.Came))})
	}
	for _, e := range t.Events {
		if !e.Looked {
			d.Events = append(d.Events, eventLine{sentence(e.What), e.By, clock(e.At), e.Detail["why"]})
		}
	}
	for _, e := range slices.Backward(t.Events) {
		if e.Looked {
			if d.Looked++; d.Looked <= looksMost {
				d.Looks = append(d.Looks, eventLine{sentence(e.What), e.By, clock(e.At), ""})
			}
		}
	}
	return d
}
