package web

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"caseforms"
	"caseforms/internal/batch"
	"caseforms/internal/casework"
	"caseforms/mail"
	"caseforms/render"
)

func (s *Service) batchRoutes() []Route {
	return []Route{
		{Method: "GET", Pattern: "/batch", Who: caseworkers(), Do: s.batchForm, Nav: "Batch"},
		{Method: "POST", Pattern: "/batch", Who: caseworkers(), Do: s.startBatch, Body: uploadMost},
		{Method: "GET", Pattern: "/batch/template.xlsx", Who: caseworkers(), Do: s.batchTemplate},
		{Method: "GET", Pattern: "/batch/run", Who: caseworkers(), Do: s.batchRun, Quiet: true}, // it asks for itself again, which is nobody doing something
		{Method: "GET", Pattern: "/batch/run/send", Who: caseworkers(), Do: s.batchSend},
		{Method: "POST", Pattern: "/batch/run/send", Who: caseworkers(), Do: s.tryBatch},
		{Method: "POST", Pattern: "/batch/run/record", Who: caseworkers(), Do: s.recordBatch},
		{Method: "POST", Pattern: "/batch/run/documents.zip", Who: caseworkers(), Do: s.batchFile, Secret: true},
		{Method: "GET", Pattern: "/batch/run/merged.pdf", Who: caseworkers(), Do: s.batchFile},
		{Method: "GET", Pattern: "/batch/run/register.xlsx", Who: caseworkers(), Do: s.batchFile},
		{Method: "GET", Pattern: "/batch/run/fix.xlsx", Who: caseworkers(), Do: s.batchFile},
		{Method: "POST", Pattern: "/batch/run/stop", Who: caseworkers(), Do: s.stopBatch},
		{Method: "POST", Pattern: "/batch/run/delete", Who: caseworkers(), Do: s.deleteBatch},
	}
}

var errNoBatch = &caseforms.Error{Kind: caseforms.NotFound, Msg: "you have no batch here",
	Hint: "it goes an hour after it is done, when something is erased, and when the service is started anew. Put the same workbook in again: rows that were recorded are recognised, and are not recorded twice"}

// batchOf is the batch of whoever asks, when it does not run.
func (s *Service) batchOf(r *Request) (*batchJob, *batchStage, error) {
	j, t := s.batches.job(r.Actor.ID)
	if j == nil {
		return nil, nil, errNoBatch
	}
	if t.running() {
		return nil, nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "your batch is still running", Hint: "wait for it, or stop it"}
	}
	return j, t, nil
}

type batchFormData struct {
	Form, Area   selection
	EmptyForm    selection
	EmptyArea    selection
	Has, Several bool // there is one already; there is more than one area
}

func (s *Service) batchForm(w http.ResponseWriter, r *Request) error { return s.batchPage(w, r, nil) }

func (s *Service) batchPage(w http.ResponseWriter, r *Request, ps []FieldProblem) error {
	j, _ := s.batches.job(r.Actor.ID)
	d := batchFormData{Has: j != nil}
	for _, x := range []struct {
		form, area *selection
		prefix     string
	}{{&d.Form, &d.Area, ""}, {&d.EmptyForm, &d.EmptyArea, emptyPrefix}} {
		start, err := s.starting(r, r.FormValue(x.prefix+"form"), cmp.Or(r.FormValue(x.prefix+"area"), s.o.Area), "")
		if err != nil {
			return err
		}
		*x.form = selection{ID: x.prefix + "form", Label: "Which form?", Problem: problemOf(ps, x.prefix+"form"), Options: start.Form.Options}
		*x.area = selection{ID: x.prefix + "area", Label: "Whose forms?", Problem: problemOf(ps, x.prefix+"area"), Options: start.Areas.Options}
	}
	d.Several = len(d.Area.Options) > 1
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	return s.page(w, r, "batch", Page{Title: "One form for many cases", Status: code, Problems: ps, Form: true, Data: d})
}

// emptyPrefix is before the names of the fields by which an empty workbook is chosen.
const emptyPrefix = "empty-"

// chosen is the form that was chosen, with the definitions of its area.
func (s *Service) chosen(r *Request, prefix string) (*caseforms.Definitions, *caseforms.Form, []FieldProblem, error) {
	area := r.FormValue(prefix + "area")
	switch area {
	case "general":
		area = ""
	case "":
		area = s.o.Area
	}
	if !slices.Contains(s.areas(), area) {
		return nil, nil, []FieldProblem{{prefix + "area", "Choose one of the areas"}}, nil
	}
	d, err := s.desk.Definitions(area)
	if err != nil {
		return nil, nil, nil, err
	}
	f, err := d.Form(r.FormValue(prefix + "form"))
	if err != nil {
		return nil, nil, []FieldProblem{{prefix + "form", "Choose a form that this area has"}}, nil
	}
	return d, f, nil, nil
}

// batchTemplate is the workbook in which cases are written down.
func (s *Service) batchTemplate(w http.ResponseWriter, r *Request) error {
	d, f, ps, err := s.chosen(r, emptyPrefix)
	if err != nil {
		return err
	}
	if ps != nil {
		return s.batchPage(w, r, ps)
	}
	var b bytes.Buffer
	if err := render.Template(&b, d, f); err != nil {
		return err
	}
	return download(w, f.ID+".xlsx", b.Bytes())
}

// startBatch checks a workbook. What somebody had before goes.
func (s *Service) startBatch(w http.ResponseWriter, r *Request) error {
	if err := s.multipart(r); err != nil {
		return err
	}
	d, f, ps, err := s.chosen(r, "")
	if err != nil {
		return err
	}
	data, _, err := r.file("cases")
	if err != nil {
		return err
	}
	if len(data) == 0 {
		ps = append(ps, FieldProblem{"cases", "Choose a workbook (.xlsx) or a table (.csv)"})
	}
	if ps == nil {
		o := batch.Options{Definitions: d, Form: f, Format: render.FormatPDF, Jobs: batchWorkers, Fill: caseforms.FillOptions{Copy: f.Copies[0]}}
		if err := s.put(r.Context(), r.Actor, data, o); err != nil {
			if ps, err = toldBeside(err, "cases"); err != nil {
				return err
			}
		}
	}
	if ps != nil {
		return s.batchPage(w, r, ps)
	}
	return seeOther(w, r, "/batch/run")
}

type batchRunData struct {
	Form       string
	Does       string
	Running    bool
	Stop       bool
	Seen, Rows int64
	Stage      int
	Failed     string
	Facts      Rows
	Fix        bool
	Files      bool
	Password   Input
	Rejected   Table
	Doubts     Table
	Looks      Table
	Goes       Table
	Docs       Table
	Pages      Pages
	Again      bool   // the rest can be done
	Record     bool   // it can be recorded
	Button     string // of what is confirmed
	Says       string
}

// batchRun tells how a batch goes, and what came of it. While it runs the page asks for itself again.
func (s *Service) batchRun(w http.ResponseWriter, r *Request) error { return s.batchShown(w, r, nil) }

func (s *Service) batchShown(w http.ResponseWriter, r *Request, ps []FieldProblem) error {
	j, t := s.batches.job(r.Actor.ID)
	if j == nil {
		return errNoBatch
	}
	d := batchRunData{Form: j.o.Definitions.Title(j.o.Form), Does: t.does, Running: t.running(), Seen: max(t.seen.Load(), t.made.Load()), Rows: t.rows.Load(), Stage: t.n}
	if d.Running {
		w.Header().Set("Refresh", "2")
		title := map[string]string{batchChecks: "Your workbook is being checked", batchTries: "What would be recorded is being looked at", batchRecords: "Your batch is being recorded"}[t.does]
		return s.page(w, r, "batch-run", Page{Title: title, Form: true, Data: d})
	}
	d.Failed, d.Fix, d.Files = t.endedBadly(), t.sum.Fix != "", len(t.files) > 0
	d.Rejected = tableOf("Rows that have a problem", t.rejected)
	d.Password = Input{ID: "password", Label: "A password for the zip file", Type: "password", Hint: "If you leave it empty the files in it are not encrypted. Encrypted ones open with 7-Zip or WinZip, not with the Explorer of Windows.", Width: "20", Autocomplete: "new-password", Problem: problemOf(ps, "password")}
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	title := ""
	switch t.does {
	case batchChecks:
		title = s.checked(&d, t)
	case batchTries:
		title = s.tried(&d, j, t)
	case batchRecords:
		title = s.recorded(&d, r, t)
	}
	if len(t.sum.DayFirst) > 0 {
		d.Facts = append(d.Facts, Row{Key: "Dates such as 3/5/2014 were read with the day first", Value: strings.Join(t.sum.DayFirst, ", ")})
	}
	return s.page(w, r, "batch-run", Page{Title: title, Status: code, Problems: ps, Wide: true, Data: d})
}

// counts are figures as facts; those that are nought and need not be told are left out.
func (d *batchRunData) counts(pairs ...any) {
	for i := 0; i < len(pairs); i += 2 {
		if n := pairs[i+1].(int); n != 0 || i < 4 {
			d.Facts = append(d.Facts, Row{Key: pairs[i].(string), Value: fmt.Sprint(n)})
		}
	}
}

func (s *Service) checked(d *batchRunData, t *batchStage) string {
	good := t.sum.Done
	d.Looks = t.looks()
	d.counts("Rows in the workbook", t.sum.Rows, "Good", good, "Say the same as another row", t.sum.Same, "Have a problem", t.sum.Rejected, "Not reached", t.sum.Rest())
	d.Record = t.err == nil && good > 0
	return "Your workbook was checked"
}

func (s *Service) tried(d *batchRunData, j *batchJob, t *batchStage) string {
	issue, before, late := 0, 0, 0
	for _, x := range t.docs {
		switch {
		case x.sentNow:
			late++
		case x.before:
			before++
		default:
			issue++
		}
	}
	d.counts("Rows in the workbook", t.sum.Rows, "Documents that will be issued", issue, "Recorded before; will only be sent", late, "Recorded before; will be left as they are", before,
		"Say the same as another row", t.sum.Same, "Cannot be recorded", t.sum.Rejected, "Not reached", t.sum.Rest())
	d.Looks = t.looks()
	d.Doubts = tableOf("Look at these before you go on", t.doubts)
	d.Goes = Table{Caption: "Whom they go to", Heads: []string{"Office", "Documents", "What becomes of them"}, Numeric: map[int]bool{1: true}, None: "Nothing is sent by e-mail."}
	held, sent := 0, 0
	for _, g := range whither(t.docs) {
		to := Cell{Text: g.organisation, Sub: g.address}
		if !g.listed {
			to.Sub += ", not in the directory"
		}
		what := TagCell("go by e-mail", "green")
		if sent += g.n; g.held {
			held += g.n
			what = Cell{Text: "are held", Tag: "yellow", Sub: forPages(g.why)}
		}
		d.Goes.Rows = append(d.Goes.Rows, []Cell{to, TextCell(fmt.Sprint(g.n)), what})
	}
	docs := func(n int) string {
		if n == 1 {
			return "1 document"
		}
		return fmt.Sprintf("%d documents", n)
	}
	d.Record = t.err == nil && issue+late > 0
	switch {
	case j.mail == nil:
		d.Button, d.Says = "Record "+docs(issue), "They are recorded and nothing is sent."
	case issue == 0:
		d.Button = "Send " + docs(late)
	default:
		d.Button = "Record and send " + docs(issue+late)
	}
	if held > 0 {
		d.Says = fmt.Sprintf("Of what is sent, %d of %d are held by policy until somebody lets them go: they are in the outbox then.", held, sent)
		if held == sent {
			d.Says = "All of them are held by policy until somebody lets them go: they are in the outbox then."
		}
	}
	return "Before anything is recorded"
}

func (s *Service) recorded(d *batchRunData, r *Request, t *batchStage) string {
	now, before := 0, 0
	for _, x := range t.docs {
		if x.before {
			before++
		} else {
			now++
		}
	}
	d.counts("Rows in the workbook", t.sum.Rows, "Documents that were recorded", now, "Had been recorded before, and were not again", before, "Say the same as another row", t.sum.Same, "Were not recorded", t.sum.Rejected, "Not reached", t.sum.Rest())
	d.Again = t.err != nil
	var from, to int
	d.Pages, from, to = Paged(r, len(t.docs), mostRejected)
	d.Docs = Table{Caption: "The documents", Heads: []string{"Row", "Reference", "Sent to"}, None: "None."}
	for _, x := range t.docs[from:to] {
		ref := LinkCell(x.ref, documentPath(caseforms.Ref(x.ref), ""))
		ref.Whole = true
		if x.before {
			ref.Sub = "recorded before"
		}
		sent := TextCell("nobody yet")
		var whom []string
		for i := range x.sent {
			o := &x.sent[i]
			whom = append(whom, o.Organisation+": "+string(o.Standing))
		}
		if whom != nil {
			sent = Cell{Text: strings.Join(whom, "\n"), Pre: true}
		}
		d.Docs.Rows = append(d.Docs.Rows, []Cell{TextCell(fmt.Sprint(x.row)), ref, sent})
	}
	if d.Again {
		return "Your batch was not recorded to the end"
	}
	return "Your batch is recorded"
}

type batchSendData struct {
	Form     string
	Stage    int
	Post     bool
	How      Choice
	To       Choice
	Unasked  string
	Address  Input
	Confirm  Input
	Without  Input
	Problems []FieldProblem
}

// batchSend is the page on which somebody chooses whether the documents are sent, and to whom.
func (s *Service) batchSend(w http.ResponseWriter, r *Request) error {
	return s.batchSendPage(w, r, nil)
}

func (s *Service) batchSendPage(w http.ResponseWriter, r *Request, ps []FieldProblem) error {
	j, t, err := s.batchOf(r)
	if err != nil {
		return err
	}
	if t.does == batchRecords {
		return seeOther(w, r, "/batch/run")
	}
	to, unasked, err := r.Desk.Destinations(r.Context(), r.Actor, j.o.Form.ID, j.o.Definitions.Area, j.o.Fill.Copy)
	if err != nil {
		return err
	}
	d := batchSendData{Form: j.o.Definitions.Title(j.o.Form), Stage: t.n, Post: r.Desk.Posts(), Unasked: strings.Join(unasked, ", ")}
	how := r.Field("how")
	d.How = Choice{ID: "how", Legend: "Are they sent by e-mail?", Problem: problemOf(ps, "how"), Options: []Option{
		{Value: "send", Label: "Yes, record them and put each into the outbox", Chosen: how == "send"},
		{Value: "record", Label: "No, only record them", Hint: "Each can be sent or handed over later, on its own page.", Chosen: how == "record"}}}
	d.To = Choice{ID: "to", Legend: "To whom?", Several: true, Problem: problemOf(ps, "to"), Hint: "If you tick none and write no address, each goes to whoever the form goes to."}
	if d.Unasked != "" {
		d.To.Hint = "If you tick none and write no address, each goes to: " + d.Unasked + "."
	}
	for _, o := range to {
		if !o.ByEmail {
			continue
		}
		about := o.Role + ", " + o.Address
		if o.Area != "" {
			about += ", for " + o.Area
		}
		d.To.Options = append(d.To.Options, Option{Value: o.ID, Label: o.Organisation, Hint: about, Chosen: slices.Contains(r.PostForm["to"], o.ID)})
	}
	d.Address = textField(r, ps, "address", "Another e-mail address", "Only if the office is not in the directory", 0)
	d.Address.Spell = false
	d.Confirm = textField(r, ps, "confirm", "How did you make sure that the address is right?", "Of an address that is not in the directory, or an office that serves another authority", 0)
	d.Without = textField(r, ps, "without", "If something that the forms say is attached does not go with them: why?", "Nothing can be attached to a batch", 0)
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	return s.page(w, r, "batch-send", Page{Title: "Record and send", Status: code, Problems: ps, Form: true, Crumbs: []Link{{"Batch", "/batch"}, {"Your workbook", "/batch/run"}}, Data: d})
}

// tryBatch looks at what would be recorded and what would go where. Nothing is.
func (s *Service) tryBatch(w http.ResponseWriter, r *Request) error {
	j, _, err := s.batchOf(r)
	if err != nil {
		return err
	}
	var send *casework.Send
	switch r.Field("how") {
	case "record":
	case "send":
		send = &casework.Send{Without: r.Field("without"), Confirm: r.Field("confirm")}
		to, unasked, err := r.Desk.Destinations(r.Context(), r.Actor, j.o.Form.ID, j.o.Definitions.Area, j.o.Fill.Copy)
		if err != nil {
			return err
		}
		for _, id := range r.PostForm["to"] {
			if !slices.ContainsFunc(to, func(o casework.Office) bool { return o.ID == id }) {
				return s.batchSendPage(w, r, []FieldProblem{{"to", "Choose offices that are listed"}})
			}
			send.To = append(send.To, id)
		}
		if a := r.Field("address"); a != "" {
			if _, err := mail.ParseAddress(a); err != nil {
				return s.batchSendPage(w, r, []FieldProblem{{"address", "Enter an e-mail address such as desk@council.example"}})
			}
			send.To = append(send.To, a)
		}
		if len(send.To) == 0 && len(unasked) == 0 {
			return s.batchSendPage(w, r, []FieldProblem{{"to", "Choose an office, or write an address: this form goes to nobody by itself"}})
		}
	default:
		return s.batchSendPage(w, r, []FieldProblem{{"how", "Say whether they are sent by e-mail"}})
	}
	err = s.next(r.Context(), r.Actor, s.shown(r), batchTries, func(j *batchJob) { j.mail, j.pins = send, nil })
	return s.goneOn(w, r, err)
}

// shown is the number of the stage that the page was about.
func (s *Service) shown(r *Request) int {
	n, _ := strconv.Atoi(r.Field("stage"))
	return n
}

func (s *Service) goneOn(w http.ResponseWriter, r *Request, err error) error {
	if err != nil {
		return err
	}
	return seeOther(w, r, "/batch/run")
}

// recordBatch does what was shown. Of one that ended before it was done, it does the rest.
func (s *Service) recordBatch(w http.ResponseWriter, r *Request) error {
	_, t, err := s.batchOf(r)
	if err != nil {
		return err
	}
	if t.does == batchChecks || t.does == batchTries && t.err != nil {
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "it was not shown yet what would be recorded", Hint: "say first whether the documents are sent, and to whom"}
	}
	return s.goneOn(w, r, s.next(r.Context(), r.Actor, s.shown(r), batchRecords, func(*batchJob) {}))
}

// stopBatch ends one that runs, after the row that is under way.
func (s *Service) stopBatch(w http.ResponseWriter, r *Request) error {
	j, t := s.batches.job(r.Actor.ID)
	if j == nil {
		return errNoBatch
	}
	t.cancel()
	select {
	case <-t.ended:
	case <-r.Context().Done():
		return context.Cause(r.Context())
	}
	return seeOther(w, r, "/batch/run")
}

func (s *Service) deleteBatch(w http.ResponseWriter, r *Request) error {
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	j := s.batches.of[r.Actor.ID]
	if j == nil {
		return errNoBatch
	}
	if j.stage.running() {
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "your batch is still running", Hint: "wait for it, or stop it"}
	}
	j.drop()
	delete(s.batches.of, r.Actor.ID)
	s.notify(r, Notice{Good: true, Text: "It was deleted here. What was recorded stays recorded."})
	return seeOther(w, r, "/batch")
}
