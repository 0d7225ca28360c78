package web

import (
	"fmt"
	"net/http"

	"caseforms"
	"caseforms/internal/casework"
)

func (s *Service) inboxRoutes() []Route {
	one := `/inbox/{message:[1-9][0-9]{0,11}}`
	return []Route{
		{Method: "GET", Pattern: "/inbox", Who: caseworkers(), Do: s.inbox, Nav: "Inbox"},
		{Method: "GET", Pattern: one, Who: caseworkers(), Do: s.message},
		{Method: "GET", Pattern: one + "/as-it-came.eml", Who: caseworkers(), Do: s.asItCame},
		{Method: "POST", Pattern: one + "/file", Who: caseworkers(), Do: s.fileMessage},
		{Method: "POST", Pattern: one + "/done", Who: caseworkers(), Do: s.messageDone},
		{Method: "POST", Pattern: one + "/throw", Who: caseworkers(), Do: s.throwMessage},
		{Method: "GET", Pattern: "/outbox", Who: Only(caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin), Do: s.outbox, Nav: "Outbox"},
	}
}

type listData struct {
	Table Table
	Pages Pages
	More  string
}

// onPage is how many lines of a long list stand on a page.
const onPage = 50

func (s *Service) inbox(w http.ResponseWriter, r *Request) error {
	list, all, err := r.Desk.Inbox(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	d := listData{Table: cameTable(nil)}
	if all > len(list) {
		d.More = fmt.Sprintf("There may be more than the %d that are shown; what belongs to a document comes first.", len(list))
	}
	var from, to int
	d.Pages, from, to = Paged(r, len(list), onPage)
	d.Table = cameTable(list[from:to])
	return s.page(w, r, "list", Page{Title: "Inbox", Wide: true, Data: d})
}

// cameTable is what has to be read.
func cameTable(list []casework.Came) Table {
	t := Table{Caption: "To be read", Heads: []string{"Message", "From", "Kind", "Belongs to", "Came"}, None: "Nothing is to be read."}
	for i := range list {
		c := &list[i]
		n := LinkCell(fmt.Sprintf("Message %d", c.Number), fmt.Sprintf("/inbox/%d", c.Number))
		ref := refCell(c.Ref)
		if c.Ref == "" {
			ref = TagCell("Nothing yet", "yellow")
		} else {
			ref.Sub = sureWords(c)
		}
		t.Rows = append(t.Rows, []Cell{n, {Text: c.From, Sub: c.Subject}, TextCell(sentence(c.Class)), ref, TextCell(clock(c.Came))})
	}
	return t
}

func (s *Service) message(w http.ResponseWriter, r *Request) error { return s.messagePage(w, r, nil) }

func (s *Service) messagePage(w http.ResponseWriter, r *Request, ps []FieldProblem) error {
	n := r.number("message")
	d, err := s.readMessage(r, n)
	if err != nil {
		return err
	}
	d.File = textField(r, ps, "ref", "Reference of the document", "Such as CF-7K3M-Q9ZQ", 0)
	if d.File.Width = "20"; d.File.Value == "" && len(d.Came.Refs) > 0 && d.Came.Ref == "" {
		d.File.Value, d.File.Hint = string(d.Came.Refs[0]), "The message names it. Compare before you file it."
	}
	d.Why = textField(r, ps, "why", "Why is nothing more to be done about it?", "", 0)
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	return s.page(w, r, "message", Page{Title: fmt.Sprintf("Message %d", n), Status: code, Problems: ps, Form: true, Wide: true, Crumbs: []Link{{"Your work", "/"}, {"Inbox", "/inbox"}}, Data: d})
}

// asItCame hands out a message with all its bytes, to be saved and not shown.
func (s *Service) asItCame(w http.ResponseWriter, r *Request) error {
	n := r.number("message")
	_, _, raw, err := r.Desk.ReadMail(r.Context(), r.Actor, n)
	if err != nil {
		return err
	}
	return download(w, fmt.Sprintf("message-%d.eml", n), raw)
}

// fileMessage says which document a message belongs to.
func (s *Service) fileMessage(w http.ResponseWriter, r *Request) error {
	n := r.number("message")
	ref, ok := caseforms.ParseRef(r.Field("ref"))
	if !ok {
		return s.messagePage(w, r, []FieldProblem{{"ref", "Enter a reference such as CF-7K3M-Q9ZQ, as it stands on the document"}})
	}
	if err := r.Desk.FileMail(r.Context(), r.Actor, n, ref); err != nil {
		ps, err := toldBeside(err, "ref", caseforms.NotFound)
		if err != nil {
			return err
		}
		return s.messagePage(w, r, ps)
	}
	s.notify(r, Notice{Good: true, Text: "It belongs to " + string(ref) + " now. Record what it says."})
	return seeOther(w, r, fmt.Sprintf("/inbox/%d", n))
}

func (s *Service) messageDone(w http.ResponseWriter, r *Request) error {
	return s.putAway(w, r, false, "It was put away. No follow-up ends by that.")
}

func (s *Service) throwMessage(w http.ResponseWriter, r *Request) error {
	return s.putAway(w, r, true, "It was thrown away.")
}

func (s *Service) putAway(w http.ResponseWriter, r *Request, throw bool, done string) error {
	why := r.Field("why")
	if throw && why == "" {
		why = r.Field("why-throw")
	}
	if err := r.Desk.DoneMail(r.Context(), r.Actor, r.number("message"), why, throw); err != nil {
		ps, err := toldBeside(err, "why")
		if err != nil {
			return err
		}
		return s.messagePage(w, r, ps)
	}
	s.notify(r, Notice{Good: true, Text: done})
	return seeOther(w, r, "/inbox")
}

func (s *Service) outbox(w http.ResponseWriter, r *Request) error {
	out, all, err := r.Desk.Outbox(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	d := listData{}
	if all > casework.MostOpen {
		d.More = fmt.Sprintf("%d are open; these are the %d that matter most.", all, casework.MostOpen)
	}
	var from, to int
	d.Pages, from, to = Paged(r, len(out), onPage)
	d.Table = outTable(out[from:to], works(r))
	return s.page(w, r, "list", Page{Title: "Outbox", Wide: true, Data: d})
}

// outTable is what is on its way, held or in trouble. works tells whether whoever looks may do something about it.
func outTable(out []casework.Outgoing, works bool) Table {
	t := Table{Caption: "On its way, held or in trouble", Heads: []string{"Document", "To", "How it stands", "What was said", "What to do"}, None: "Nothing is on its way, and nothing is held."}
	for i := range out {
		o := &out[i]
		ref, to := TextCell(string(o.Ref)), Cell{Text: o.Organisation, Sub: sendKind(o)}
		if works {
			ref, to.Href = refCell(o.Ref), documentPath(o.Ref, fmt.Sprintf("/sends/%d", o.ID))
		}
		t.Rows = append(t.Rows, []Cell{ref, to, standingCell(o), TextCell(forPages(o.Said)), TextCell(forPages(o.Do))})
	}
	return t
}
