package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"caseforms"
	"caseforms/internal/casework"
)

// What waits for somebody to do something with it, and the page on which it is countersigned.

type waitingData struct {
	Of    Choice // of a manager: whose
	List  string // the one that is shown alone
	Lists []waitingList
	Note  string
}

type waitingList struct {
	Table Table
	Pages Pages
	All   Link // to the whole list, when it is longer than what is shown
}

const waitingMost = 20 // how many lines of each list the page shows that has all of them

func (s *Service) waiting(w http.ResponseWriter, r *Request) error {
	q := r.URL.Query()
	d := waitingData{List: q.Get("list")}
	everywhere := q.Get("of") == "all" || r.Actor.Team == ""
	p, err := r.Desk.Papers(r.Context(), r.Actor, everywhere)
	if err != nil {
		return err
	}
	manager := r.Actor.Is(caseforms.RoleManager)
	if manager && r.Actor.Team != "" {
		d.Of = Choice{ID: "of", Legend: "Whose?", Options: []Option{{Value: "team", Label: "My team’s", Chosen: !everywhere}, {Value: "all", Label: "Everybody’s that I may see", Chosen: everywhere}}}
	}
	none := "Everything that you sent went to everybody it should go to."
	switch {
	case len(p.ToSend)+len(p.Back)+len(p.Signing) > 0:
		none = "Nothing that you sent is known to have gone to some and not to others. What nobody has yet is in the other lists."
	case p.Leaving > 0:
		none = "Nothing is known to be missing but what has not arrived yet: " + count(p.Leaving, "document is held or on its way", "documents are held or on their way") + ". The outbox says how it stands."
	case p.Unlooked > 0:
		none = "What you sent last went to everybody it should go to."
	}
	if p.Unlooked > 0 && (d.List == "" || d.List == "partly") {
		d.Note = "It was not looked at who is missing of " + count(p.Unlooked, "older document of yours that was sent", "older documents of yours that were sent") + ". The page of each document says to whom it is still to be sent."
	}
	own := func(last string, cell func(*casework.Paper) Cell) ([]string, func(*casework.Paper) []Cell) {
		return []string{"Document", "Person", "Since", last}, func(x *casework.Paper) []Cell {
			since := Cell{Text: waited(x.Days), Sub: clock(x.Issued)}
			if x.Said {
				since.Sub = clock(x.At)
			}
			return []Cell{paperCell(x, ""), caseCell(x.Case, x.Card), since, cell(x)}
		}
	}
	add := func(key string, all []casework.Paper, caption, none string, heads []string, row func(*casework.Paper) []Cell) {
		if err != nil || d.List != "" && d.List != key {
			return
		}
		l := waitingList{Table: Table{Caption: caption, Heads: heads, None: none}}
		from, to := 0, min(len(all), waitingMost)
		if d.List == key {
			l.Pages, from, to = Paged(r, len(all), onPage)
		} else if to < len(all) {
			ask := url.Values{"list": {key}}
			if of := q.Get("of"); of != "" {
				ask.Set("of", of)
			}
			l.All = Link{fmt.Sprintf("See all %d of “%s”", len(all), caption), "/waiting?" + ask.Encode()}
		}
		var shown []casework.Paper
		shown, err = r.Desk.PaperDetails(r.Context(), r.Actor, all[from:to])
		for i := range shown {
			cells := row(&shown[i])
			if why := shown[i].Untold; why != "" {
				cells[len(cells)-2], cells[len(cells)-1] = TextCell(clock(shown[i].Issued)), TextCell("What it waits for cannot be told: "+why)
			}
			l.Table.Rows = append(l.Table.Rows, cells)
		}
		d.Lists = append(d.Lists, l)
	}
	if manager {
		add("sign", p.ToSign, "For you to countersign", "Nothing waits for you to be countersigned.", []string{"Document", "Person", "Issued by", "It has waited", "What hangs on it"}, func(x *casework.Paper) []Cell {
			return []Cell{paperCell(x, "/countersign"), caseCell(x.Case, x.Card), {Text: x.Author, Sub: clock(x.Issued)}, TextCell(waited(x.Days)), hangsCell(x)}
		})
	}
	heads, row := own("What the manager says", func(x *casework.Paper) Cell { return Cell{Text: x.Words, Sub: x.Signer, Pre: true} })
	add("back", p.Back, "Sent back to you", "Nothing was sent back to you.", heads, row)
	heads, row = own("What hangs on it", hangsCell)
	add("signing", p.Signing, "Yours that wait for a manager", "Nothing of yours waits to be countersigned.", heads, row)
	heads, row = own("Next", func(x *casework.Paper) Cell {
		if !r.Desk.Posts() {
			return LinkCell("Hand over "+string(x.Ref), documentPath(x.Ref, "/hand-over"))
		}
		return LinkCell("Send "+string(x.Ref), documentPath(x.Ref, "/send"))
	})
	add("send", p.ToSend, "Yours that are still to be sent", "Nothing that you issued is still to be sent.", heads, row)
	heads, row = own("Who is missing", missingCell)
	add("partly", p.Partly, "Yours that did not go to everybody yet", none, heads, row)
	if err != nil {
		return err
	}
	if d.Lists == nil {
		return &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no such list"}
	}
	page := Page{Title: "Documents that wait", Wide: true, Data: d}
	if d.List != "" {
		page.Crumbs = []Link{{"Your work", "/"}, {"Documents that wait", "/waiting"}}
	}
	return s.page(w, r, "waiting", page)
}

// paperCell leads to a document that waits, or to what is to be done with it.
func paperCell(x *casework.Paper, below string) Cell {
	c := Cell{Text: string(x.Ref), Href: documentPath(x.Ref, below), Whole: true, Sub: fmt.Sprintf("%s, issue %d", x.Title, x.Version)}
	if x.Urgent {
		c.Mark = "Urgent"
	}
	return c
}

// waited says how long something has waited.
func waited(days int) string {
	if days == 0 {
		return "Since today"
	}
	return count(days, "working day", "working days")
}

// hangsCell says what hangs on a document that waits.
func hangsCell(p *casework.Paper) Cell {
	c := Cell{Text: "Nothing is due"}
	if p.Due != nil {
		c.Text, c.Sub = sentence(p.Due.Says), "by "+p.Due.Due.Long()
		if p.Due.Over > 0 {
			c.Mark = sentence(overdue(p.Due.Over))
		}
		if p.Due.Ref == "" {
			c.Sub += ", whichever document of the case it is done by"
		}
	}
	return c
}

// missingCell says to whom a document did not go yet, and who has an older issue.
func missingCell(p *casework.Paper) Cell {
	var lines []string
	for _, u := range p.Unsent {
		lines = append(lines, "Not yet sent to: "+u.Who)
	}
	for _, r := range p.Older {
		lines = append(lines, fmt.Sprintf("%s has issue %d", r.To, r.Issue))
	}
	return Cell{Text: strings.Join(lines, "\n"), Pre: true}
}

// waitingLinks are counted links to what waits, for the home page. The names of the lists stand on the page they lead to.
func (s *Service) waitingLinks(r *Request) (out []Link, err error) {
	p, err := r.Desk.Papers(r.Context(), r.Actor, false)
	if err != nil {
		return nil, err
	}
	add := func(n int, one, many string) {
		if n > 0 {
			out = append(out, Link{count(n, one, many), "/waiting"})
		}
	}
	add(len(p.Back), "document of yours was sent back by a manager", "documents of yours were sent back by a manager")
	add(len(p.ToSign), "document waits for you to countersign it", "documents wait for you to countersign them")
	add(len(p.Signing), "document of yours waits to be countersigned", "documents of yours wait to be countersigned")
	add(len(p.ToSend), "document of yours is still to be sent", "documents of yours are still to be sent")
	add(len(p.Partly), "document of yours did not go to everybody yet", "documents of yours did not go to everybody yet")
	return out, nil
}

type countersignData struct {
	Ref      caseforms.Ref
	Issue    int
	Facts    Rows
	Reasons  Table
	May      bool
	Own      bool   // whoever looks issued it
	Seen     string // a mark of what was said of it so far
	Why      Input
	Sections []readSection
	Unread   string // why its answers cannot be shown beside the print
}

type readSection struct {
	Title string
	Rows  Rows
}

// countersignPage shows a document as it was issued, beside its answers, to be countersigned or sent back.
func (s *Service) countersignPage(w http.ResponseWriter, r *Request) error {
	return s.countersignPageOf(w, r, 0, nil)
}

func (s *Service) countersignPageOf(w http.ResponseWriter, r *Request, code int, ps []FieldProblem) error {
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	t, err := r.Desk.Overview(r.Context(), r.Actor, ref)
	if err != nil {
		return err
	}
	if !t.Countersigning.Wanted {
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "this form is not countersigned", Hint: "write a note instead"}
	}
	v := &t.Versions[len(t.Versions)-1]
	d := countersignData{Ref: ref, Issue: v.Number, May: mayCountersign(t, &r.Actor), Own: v.IssuedBy == r.Actor.ID, Seen: t.Countersigning.Mark()}
	d.Facts = Rows{{Key: "Form", Value: t.Title}, {Key: "Person", Value: caseCell(t.Case, t.Card)}, {Key: "Issued", Value: Cell{Text: "by " + v.By, Sub: clock(v.Issued)}}}
	if c := &t.Countersigning; c.Said {
		said := "Sent back by "
		if c.Endorsed {
			said = "Countersigned by "
		}
		d.Facts = append(d.Facts, Row{Key: "So far", Value: Cell{Text: said + c.By, Sub: clock(c.At)}})
		if words := saidWords(t); words != "" {
			d.Facts = append(d.Facts, Row{Key: "Their words", Value: Cell{Text: words, Pre: true}})
		}
	}
	d.Reasons = reasonsTable(t)
	d.Why = textField(r, ps, "why", "What do you say of it?", "It stands on the timeline. If you send it back, say what is to be put right.", 4)
	doc, err := r.Desk.Printed(r.Context(), r.Actor, ref, v.Number)
	var ours *caseforms.Error
	switch {
	case errors.As(err, &ours) && ours.Kind == caseforms.Conflict:
		d.Unread = sentence(ours.Msg)
	case err != nil:
		return err
	default:
		d.Sections = readSections(doc)
	}
	return s.page(w, r, "countersign", Page{Title: "Countersign " + string(ref), Whose: identityOf(&t.Whose), Status: code, Problems: ps, Form: d.May, Wide: true, Crumbs: documentCrumbs(ref), Data: d})
}

// saidWords are the words of what a manager said last.
func saidWords(t *casework.Timeline) string {
	for _, e := range slices.Backward(t.Events) {
		if e.What == casework.SentBack || e.What == casework.CountersignedAs {
			return e.Detail["why"]
		}
	}
	return ""
}

// readSections are the printed answers of a document, to be read on a page.
func readSections(doc *caseforms.Document) (out []readSection) {
	row := func(a *caseforms.Answer) Row {
		text := a.Text
		if a.State == caseforms.NotAnswered {
			text = notAnswered
		}
		return Row{Key: strings.TrimRight(a.Label, " :"), Value: Cell{Text: text, Pre: true}}
	}
	for i := range doc.Sections {
		sec := &doc.Sections[i]
		s := readSection{Title: sec.Title}
		for _, p := range sec.Parts {
			switch {
			case p.Answer != nil:
				s.Rows = append(s.Rows, row(p.Answer))
			case p.Table != nil && p.Table.None != nil:
				s.Rows = append(s.Rows, row(p.Table.None))
			case p.Table != nil:
				for n := range p.Table.Rows {
					tr := &p.Table.Rows[n]
					var lines []string
					for a := range tr.Answers {
						if a.State != caseforms.NotAnswered {
							lines = append(lines, strings.TrimRight(a.Label, " :")+": "+a.Text)
						}
					}
					key := tr.Heading
					if key == "" {
						key = strings.TrimSpace(p.Table.Label + " " + strconv.Itoa(n+1))
					}
					s.Rows = append(s.Rows, Row{Key: key, Value: Cell{Text: strings.Join(lines, "\n"), Pre: true}})
				}
			default:
				for _, run := range p.Letter {
					if run.Answer != nil {
						s.Rows = append(s.Rows, row(run.Answer))
					}
				}
			}
		}
		for _, a := range sec.Folded {
			s.Rows = append(s.Rows, row(a))
		}
		if len(s.Rows) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// countersign endorses a document, or sends it back.
func (s *Service) countersign(w http.ResponseWriter, r *Request) error {
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	say, done := r.Field("say"), string(ref)+" is countersigned."
	switch {
	case say == "back":
		done = string(ref) + " was sent back. The home page of whoever issued it counts it, and leads to “Documents that wait”, where your words are."
	case say != "endorse":
		err = &caseforms.Error{Kind: caseforms.Invalid, Msg: "say whether you countersign it or send it back"}
	}
	if issue := r.whole("issue"); err == nil {
		err = r.Desk.Countersign(r.Context(), r.Actor, ref, int(max(issue, 1)), say == "endorse", r.Field("why"), r.Field("seen"))
	}
	var other *casework.SaidMeanwhile
	if errors.As(err, &other) {
		did := "sent it back"
		if other.Now.Endorsed {
			did = "countersigned it"
		}
		return s.countersignPageOf(w, r, http.StatusConflict, []FieldProblem{{"why", "Another manager " + did + " at " + clock(other.Now.At) + ", while you had this page. Yours is not recorded. Read what they said above, then say again what you say of it"}})
	}
	if err != nil {
		ps, err := toldBeside(err, "why")
		if err != nil {
			return err
		}
		return s.countersignPageOf(w, r, http.StatusUnprocessableEntity, ps)
	}
	s.notify(r, Notice{Good: true, Text: done})
	return seeOther(w, r, "/waiting")
}

// print shows the PDF of an issue inside of a page.
func (s *Service) print(w http.ResponseWriter, r *Request) error {
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	issue := int(r.number("issue"))
	files, err := r.Desk.Open(r.Context(), r.Actor, ref, issue)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Format == "pdf" {
			return showPDF(w, fmt.Sprintf("%s-%d", ref, issue), f.Data)
		}
	}
	return &caseforms.Error{Kind: caseforms.NotFound, Msg: "it was not issued as a PDF", Hint: "the page of the document has its files"}
}

// showPDF shows a PDF of ours inside of a page of ours. name is made of ids.
func showPDF(w http.ResponseWriter, name string, data []byte) error {
	Framed(w)
	h := w.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `inline; filename="`+name+`.pdf"`)
	h.Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data) // a browser that went away reads nothing
	return nil
}
