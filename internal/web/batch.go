package web

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"caseforms"
	"caseforms/internal/batch"
	"caseforms/render"
)

func (s *Service) batchRoutes() []Route {
	return []Route{
		{Method: "GET", Pattern: "/batch", Who: caseworkers(), Do: s.batchForm, Nav: "Batch"},
		{Method: "POST", Pattern: "/batch", Who: caseworkers(), Do: s.startBatch, Body: uploadMost, Files: true},
		{Method: "GET", Pattern: "/batch/run", Who: caseworkers(), Do: s.batchRun, Quiet: true}, // it asks for itself again, which is nobody doing something
		{Method: "GET", Pattern: "/batch/run/documents.zip", Who: caseworkers(), Do: s.batchFile},
		{Method: "GET", Pattern: "/batch/run/fix.xlsx", Who: caseworkers(), Do: s.batchFile},
		{Method: "POST", Pattern: "/batch/run/delete", Who: caseworkers(), Do: s.deleteBatch},
	}
}

// batches are the batches that people have running, or have not taken away yet: one each. What they are made of and what they make is in a temporary
// folder that only this program's user can read, and goes an hour after it is done, or when the program ends.
type batches struct {
	mu sync.Mutex
	of map[string]*batchJob
}

const (
	batchKept    = time.Hour
	batchesAtMax = 2 // that run at the same moment
	batchWorkers = 1 // of each: pages go first
)

type batchJob struct {
	dir, form  string
	cancel     context.CancelFunc
	ended      chan struct{}
	rows, seen atomic.Int64
	zipped     bool // set, as what follows, before ended is closed
	sum        batch.Summary
	err        error
	rejected   []rejectedRow
}

type rejectedRow struct {
	row  int
	says string
}

// mostRejected is how many rows that could not be done a page tells one by one; all of them are in the workbook.
const mostRejected = 100

// running tells whether it has not ended.
func (j *batchJob) running() bool {
	select {
	case <-j.ended:
		return false
	default:
		return true
	}
}

// drop ends it and takes everything away.
func (j *batchJob) drop() {
	j.cancel()
	<-j.ended
	os.RemoveAll(j.dir)
}

// Close ends what runs, and deletes what was left in temporary folders.
func (s *Service) Close() {
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	for who, j := range s.batches.of {
		j.drop()
		delete(s.batches.of, who)
	}
}

// job is what somebody has; nil is nothing.
func (b *batches) job(who string) *batchJob {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.of[who]
}

type batchFormData struct {
	Form selection
	Has  bool // there is one already
}

func (s *Service) batchForm(w http.ResponseWriter, r *Request) error { return s.batchPage(w, r, nil) }

func (s *Service) batchPage(w http.ResponseWriter, r *Request, ps []FieldProblem) error {
	defs, err := s.o.Load(s.o.Area)
	if err != nil {
		return err
	}
	d := batchFormData{Has: s.batches.job(r.Actor.ID) != nil, Form: selection{ID: "form", Label: "Which form?", Problem: problemOf(ps, "form")}}
	for _, f := range defs.Forms {
		d.Form.Options = append(d.Form.Options, Option{Value: f.ID, Label: f.Title.In(defs.Lang), Chosen: r.Field("form") == f.ID})
	}
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	return s.page(w, r, "batch", Page{Title: "Fill a form for many cases", Status: code, Problems: ps, Form: true, Data: d})
}

// startBatch begins a batch. What somebody had before goes.
func (s *Service) startBatch(w http.ResponseWriter, r *Request) error {
	if err := s.multipart(r); err != nil {
		return err
	}
	defs, err := s.o.Load(s.o.Area)
	if err != nil {
		return err
	}
	data, _, err := r.file("cases")
	if err != nil {
		return err
	}
	var ps []FieldProblem
	form, err := defs.Form(r.Field("form"))
	if err != nil {
		ps = append(ps, FieldProblem{"form", "Choose a form"})
	}
	if len(data) == 0 {
		ps = append(ps, FieldProblem{"cases", "Choose a workbook (.xlsx) or a table (.csv)"})
	}
	if ps != nil {
		return s.batchPage(w, r, ps)
	}
	o := batch.Options{Definitions: defs, Form: form, Format: render.FormatPDF, Jobs: batchWorkers, Fill: caseforms.FillOptions{Today: caseforms.DateOf(caseforms.London(s.desk.Now())), Copy: form.Copies[0]}}
	if err := s.begin(context.WithoutCancel(r.Context()), r.Actor.ID, data, o); err != nil {
		ps, err := toldBeside(err, "cases")
		if err != nil {
			return err
		}
		return s.batchPage(w, r, ps)
	}
	return seeOther(w, r, "/batch/run")
}

// begin begins a batch of somebody. One that they have and that has ended goes.
func (s *Service) begin(ctx context.Context, who string, data []byte, o batch.Options) error {
	b := &s.batches
	b.mu.Lock()
	defer b.mu.Unlock()
	if j := b.of[who]; j != nil {
		if j.running() {
			return &caseforms.Error{Kind: caseforms.Conflict, Msg: "yours is still running", Hint: "wait for it, or delete it"}
		}
		j.drop()
		delete(b.of, who)
	}
	running := 0
	for _, j := range b.of {
		if j.running() {
			running++
		}
	}
	if running >= batchesAtMax {
		return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "others have batches running at this moment", Hint: "try again in a few minutes"}
	}
	dir, err := os.MkdirTemp("", "caseforms-batch-") // 0700
	if err != nil {
		return err
	}
	o.Input, o.Dir = filepath.Join(dir, "cases"), filepath.Join(dir, "out")
	if err := os.WriteFile(o.Input, data, 0o600); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	ctx, cancel := context.WithCancel(ctx)
	j := &batchJob{dir: dir, form: o.Form.ID, cancel: cancel, ended: make(chan struct{})}
	o.Opened, o.Each = func(cases int, _ []caseforms.Problem) { j.rows.Store(int64(cases)) }, j.each
	if b.of == nil {
		b.of = map[string]*batchJob{}
	}
	b.of[who] = j
	go func() {
		defer close(j.ended)
		j.run(ctx, o)
		time.AfterFunc(batchKept, func() { s.forget(who, j) })
	}()
	return nil
}

// forget takes away what nobody came for.
func (s *Service) forget(who string, j *batchJob) {
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	if s.batches.of[who] == j {
		delete(s.batches.of, who)
		j.drop()
	}
}

// each is told of every row.
func (j *batchJob) each(r batch.Result) error {
	j.seen.Add(1)
	if r.State != batch.Rejected || len(j.rejected) == mostRejected {
		return nil
	}
	for _, p := range r.Problems {
		if p.Severity == caseforms.Blocking {
			p.Line, p.Column = 0, 0
			j.rejected = append(j.rejected, rejectedRow{r.Row, p.String()})
			break
		}
	}
	return nil
}

// run makes the documents and puts them into one file.
func (j *batchJob) run(ctx context.Context, o batch.Options) {
	defer func() {
		if v := recover(); v != nil { // nothing above catches it here
			j.err = &caseforms.Error{Kind: caseforms.Internal, Msg: "the batch ended because of a mistake of ours: " + panicked(v)}
		}
	}()
	if j.sum, j.err = batch.Run(ctx, o); j.err == nil && j.sum.Done > 0 {
		j.err = zipped(ctx, filepath.Join(j.dir, "documents.zip"), o.Dir)
		j.zipped = j.err == nil
	}
}

// zipped puts the documents of a folder into one file.
func zipped(ctx context.Context, to, dir string) (err error) {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	z := zip.NewWriter(f)
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if filepath.Ext(e.Name()) != ".pdf" || !e.Type().IsRegular() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		in, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		out, err := z.CreateHeader(&zip.FileHeader{Name: e.Name(), Method: zip.Store}) // a PDF is compressed already
		if err == nil {
			_, err = io.Copy(out, in)
		}
		in.Close()
		if err != nil {
			return err
		}
	}
	return z.Close()
}

type batchRunData struct {
	Form       string
	Running    bool
	Seen, Rows int64
	Failed     string
	Facts      Rows
	Zip, Fix   bool
	Rejected   Table
}

var errNoBatch = &caseforms.Error{Kind: caseforms.NotFound, Msg: "you have no batch here", Hint: "it goes an hour after it is done, and when the service is started anew; begin another"}

// batchRun tells how a batch goes, and what came of it. While it runs the page asks for itself again.
func (s *Service) batchRun(w http.ResponseWriter, r *Request) error {
	j := s.batches.job(r.Actor.ID)
	if j == nil {
		return errNoBatch
	}
	d := batchRunData{Form: j.form, Running: j.running(), Seen: j.seen.Load(), Rows: j.rows.Load()}
	if d.Running {
		w.Header().Set("Refresh", "2")
		return s.page(w, r, "batch-run", Page{Title: "Your batch is running", Form: true, Data: d})
	}
	if j.err != nil {
		d.Failed = "It ended before it was done"
		if ours := (*caseforms.Error)(nil); errors.As(j.err, &ours) && ours.Kind != caseforms.Internal {
			d.Failed = sentence(ours.Msg)
			if h := hint(ours.Hint); h != "" {
				d.Failed += ". " + h
			}
		}
	}
	d.Zip, d.Fix = j.zipped, j.sum.Fix != ""
	for _, x := range []struct {
		key string
		n   int
	}{{"Rows", j.sum.Rows}, {"Documents made", j.sum.Done}, {"Same as another row", j.sum.Same}, {"Not done", j.sum.Rejected}} {
		d.Facts = append(d.Facts, Row{Key: x.key, Value: fmt.Sprint(x.n)})
	}
	if len(j.sum.DayFirst) > 0 {
		d.Facts = append(d.Facts, Row{Key: "Dates such as 3/5/2014 were read with the day first", Value: strings.Join(j.sum.DayFirst, ", ")})
	}
	d.Rejected = Table{Caption: "Rows that were not done", Heads: []string{"Row", "Why"}}
	for _, x := range j.rejected {
		d.Rejected.Rows = append(d.Rejected.Rows, []Cell{TextCell(fmt.Sprint(x.row)), TextCell(x.says)})
	}
	return s.page(w, r, "batch-run", Page{Title: "Your batch is done", Data: d})
}

// batchFile hands out the documents, or the rows that were not done.
func (s *Service) batchFile(w http.ResponseWriter, r *Request) error {
	j := s.batches.job(r.Actor.ID)
	name := strings.TrimPrefix(r.route.Pattern, "/batch/run/")
	switch {
	case j == nil || j.running():
		return errNoBatch
	case name == "documents.zip" && !j.zipped, name == "fix.xlsx" && j.sum.Fix == "":
		return &caseforms.Error{Kind: caseforms.NotFound, Msg: "your batch has no such file"}
	}
	if name == "fix.xlsx" {
		data, err := os.ReadFile(filepath.Join(j.dir, "out", j.sum.Fix))
		if err != nil {
			return err
		}
		return download(w, name, data)
	}
	f, err := os.Open(filepath.Join(j.dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="`+j.form+`-documents.zip"`)
	_, _ = io.Copy(w, f) // a browser that went away reads nothing
	return nil
}

func (s *Service) deleteBatch(w http.ResponseWriter, r *Request) error {
	j := s.batches.job(r.Actor.ID)
	if j == nil {
		return errNoBatch
	}
	s.forget(r.Actor.ID, j)
	s.notify(r, Notice{Good: true, Text: "It was deleted, with everything that it was made of."})
	return seeOther(w, r, "/batch")
}
