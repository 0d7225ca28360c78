package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"caseforms"
	"caseforms/internal/batch"
	"caseforms/internal/casework"
	"caseforms/render"
)

// batches are the batches that people have, one each. The workbook, and what is made of it, is in a temporary folder that only this program's user can
// read. It goes an hour after the last thing was done with it, when a case or a document is erased, and when the program ends; what a program left that was
// killed goes when the next one runs. Nothing is lost by it: a row that was recorded is in the store, and is not recorded twice.
type batches struct {
	mu sync.Mutex
	of map[string]*batchJob
}

const (
	batchPrefix  = "caseforms-batch-"
	batchKept    = time.Hour
	batchLeft    = 10 * time.Minute // a folder that nobody has touched for so long was left by a program that was killed
	batchesAtMax = 2                // that run at the same moment
	batchWorkers = 1                // of each: pages go first
	batchRows    = 5000             // the most of one; the command line has no limit
)

// batchJob is a workbook that somebody has put in.
type batchJob struct {
	dir   string
	o     batch.Options
	began time.Time
	stage *batchStage // the one that runs, or ran last; under the lock of all batches

	// Set by choosing, before the stage begins that needs it.
	mail *casework.Send // nil: recorded and not sent
	pins map[string]pin
}

// pin is what was shown of a row: to whom it goes, or why it cannot be recorded.
type pin struct {
	to []string
	no error
}

// The stages of a batch. Each goes through all rows.
const (
	batchChecks  = "checks"  // what is wrong with the rows by themselves
	batchTries   = "tries"   // what would be recorded, and what would go where
	batchRecords = "records" // and does it
)

// batchStage is one time through all rows. What stands below ended is set before it is closed.
type batchStage struct {
	n                int
	does             string
	dir              string
	cancel           context.CancelFunc
	rows, seen, made atomic.Int64
	ended            chan struct{}

	at       time.Time // when it ended
	sum      batch.Summary
	err      error
	rejected []rowSays
	doubts   []rowSays
	warned   map[string][]int // the rows of which the form warns, by question; how many there are is in sum
	docs     []rowMade
	files    []string // of its folder, that go into a zip file
}

type rowSays struct {
	row  int
	says string
}

// rowMade is a row of which a document was issued, or would be.
type rowMade struct {
	row     int
	ref     string
	before  bool // it was issued before
	sent    []casework.Outgoing
	sentNow bool // of one that was issued before: it was not sent then
}

// mostRejected is how many rows that could not be done a page tells one by one; all of them are in the workbook.
const mostRejected = 100

// mostWarned is how many rows are named beside a question of which the form warns.
const mostWarned = 10

func (t *batchStage) running() bool {
	select {
	case <-t.ended:
		return false
	default:
		return true
	}
}

// drop ends it and takes everything away.
func (j *batchJob) drop() {
	j.stage.cancel()
	<-j.stage.ended
	os.RemoveAll(j.dir)
}

// Close ends what runs, and deletes what was left in temporary folders.
func (s *Service) Close() {
	s.stopBatches()
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	for who, j := range s.batches.of {
		j.drop()
		delete(s.batches.of, who)
	}
}

// stopBatches ends what runs after the row that is under way.
func (s *Service) stopBatches() {
	s.batches.mu.Lock()
	defer s.batches.mu.Unlock()
	for _, j := range s.batches.of {
		j.stage.cancel()
	}
}

// job is what somebody has, and its stage.
func (b *batches) job(who string) (*batchJob, *batchStage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if j := b.of[who]; j != nil {
		return j, j.stage
	}
	return nil, nil
}

// TidyBatches takes away what nobody came for, what may hold something that was erased, and what a program left that was killed. It is called every minute.
func (s *Service) TidyBatches(ctx context.Context) error {
	b := &s.batches
	b.mu.Lock()
	defer b.mu.Unlock()
	now := s.desk.Now()
	for who, j := range b.of {
		real := time.Now()
		err := os.Chtimes(j.dir, real, real)
		gone := errors.Is(err, fs.ErrNotExist) // somebody who cleans up temporary files took it
		if gone {
			j.stage.cancel()
		}
		if err != nil && !gone || j.stage.running() {
			continue
		}
		erased, err := s.desk.ErasedSince(ctx, j.began)
		if err != nil {
			return err
		}
		if gone || erased || now.Sub(j.stage.at) >= batchKept {
			j.drop()
			delete(b.of, who)
		}
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), batchPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range left {
		if st, err := os.Lstat(dir); err == nil && st.IsDir() && time.Since(st.ModTime()) > batchLeft {
			_ = os.RemoveAll(dir) // somebody else's stays
		}
	}
	return nil
}

// put begins with a workbook of somebody. One that they have and that has ended goes.
func (s *Service) put(ctx context.Context, a caseforms.Actor, data []byte, o batch.Options) error {
	b := &s.batches
	b.mu.Lock()
	defer b.mu.Unlock()
	if j := b.of[a.ID]; j != nil {
		if j.stage.running() {
			return &caseforms.Error{Kind: caseforms.Conflict, Msg: "yours is still running", Hint: "wait for it, or stop it"}
		}
		j.drop()
		delete(b.of, a.ID)
	}
	if err := s.roomForBatch(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", batchPrefix) // 0700
	if err != nil {
		return err
	}
	o.Input = filepath.Join(dir, "cases")
	if err := os.WriteFile(o.Input, data, 0o600); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	if b.of == nil {
		b.of = map[string]*batchJob{}
	}
	j := &batchJob{dir: dir, o: o, began: s.desk.Now()}
	b.of[a.ID] = j
	s.begin(ctx, a, j, batchChecks)
	return nil
}

// next goes on to another stage after the one that was shown. A stage that was not shown, because somebody was quicker on another page, is told.
func (s *Service) next(ctx context.Context, a caseforms.Actor, shown int, does string, change func(*batchJob)) error {
	b := &s.batches
	b.mu.Lock()
	defer b.mu.Unlock()
	j := b.of[a.ID]
	if j == nil {
		return errNoBatch
	}
	if j.stage.running() || j.stage.n != shown {
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "your batch has gone on since this page was shown; nothing was done by it", Hint: "look at it again"}
	}
	if err := s.roomForBatch(); err != nil {
		return err
	}
	change(j)
	s.begin(ctx, a, j, does)
	return nil
}

func (s *Service) roomForBatch() error {
	running := 0
	for _, j := range s.batches.of {
		if j.stage.running() {
			running++
		}
	}
	if running >= batchesAtMax || s.closing.Load() {
		return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "others have batches running at this moment", Hint: "try again in a few minutes"}
	}
	return nil
}

// begin begins a stage. It goes on when its owner closes the page, and signs out.
func (s *Service) begin(ctx context.Context, a caseforms.Actor, j *batchJob, does string) {
	t := &batchStage{n: 1, does: does, ended: make(chan struct{})}
	old := ""
	if j.stage != nil {
		t.n, old = j.stage.n+1, j.stage.dir
	}
	t.dir = filepath.Join(j.dir, fmt.Sprint(t.n))
	ctx, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
	j.stage = t
	go func() {
		defer close(t.ended)
		defer func() {
			if v := recover(); v != nil { // nothing above catches it here
				t.err = &caseforms.Error{Kind: caseforms.Internal, Msg: "the batch ended because of a mistake of ours: " + panicked(v)}
			}
			t.at = s.desk.Now()
		}()
		if old != "" {
			os.RemoveAll(old)
		}
		t.err = s.through(ctx, a, j, t)
	}()
}

// through goes through all rows once.
func (s *Service) through(ctx context.Context, a caseforms.Actor, j *batchJob, t *batchStage) error {
	if err := os.Mkdir(t.dir, 0o700); err != nil {
		return err
	}
	o := j.o
	o.Dir = filepath.Join(t.dir, "out")
	o.Fill.Today = caseforms.DateOf(caseforms.London(s.desk.Now()))
	told := &tellings{of: map[string]rowTold{}}
	pinned := map[string]pin{}
	if t.does != batchChecks {
		o.Makes = "recorded"
		o.Make = s.rows(a, j, t, told, pinned)
	}
	var both *batch.Together
	if t.does != batchTries {
		register, err := os.OpenFile(filepath.Join(t.dir, "register.xlsx"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer register.Close()
		merged, err := os.OpenFile(filepath.Join(t.dir, "merged.pdf"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer merged.Close()
		if both, err = batch.NewTogether(o, register, merged, t.dir); err != nil {
			return err
		}
		defer both.Close()
		o.Contents = both.Wants()
	}
	o.Opened = func(cases int, _ []caseforms.Problem) { t.rows.Store(int64(cases)) }
	o.Each = func(r batch.Result) error {
		if t.rows.Load() > batchRows {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: fmt.Sprintf("a batch has at most %d rows here", batchRows), Hint: "put in a part of it at a time"}
		}
		t.seen.Add(1)
		t.take(o.Definitions, r, told)
		if both == nil {
			return nil
		}
		return both.Add(r)
	}
	var err error
	t.sum, err = batch.Run(ctx, o)
	if both != nil {
		if e := both.Close(); e != nil {
			return cmp.Or(err, e)
		}
		if err == nil || t.does == batchRecords {
			t.files = both.Files()
		}
	}
	if t.does == batchTries && err == nil {
		j.pins = pinned
	}
	return err
}

// tellings are what came of rows, from who makes them to who is told of them in order.
type tellings struct {
	mu sync.Mutex
	of map[string]rowTold // by reference
}

type rowTold struct {
	made   rowMade
	doubts []caseforms.Problem
}

// rows tries or records rows. A row that is under way when the batch is stopped is done whole. What is recorded is what was shown: a row that was not is
// refused, and each goes to whom it was shown to go.
func (s *Service) rows(a caseforms.Actor, j *batchJob, t *batchStage, told *tellings, pinned map[string]pin) batch.Maker {
	return func(ctx context.Context, row batch.Row) (batch.Made, error) {
		if s.betweenRows != nil {
			s.betweenRows(ctx)
		}
		if err := ctx.Err(); err != nil {
			return batch.Made{}, err
		}
		ctx = context.WithoutCancel(ctx)
		now, err := s.desk.Present(ctx, a)
		if err != nil {
			return batch.Made{}, err
		}
		q := casework.Row{Form: j.o.Form, Area: j.o.Definitions.Area, Copy: j.o.Fill.Copy, Case: row.JSON, Format: j.o.Format, Dry: t.does == batchTries}
		if j.mail != nil {
			mail := *j.mail
			q.Mail = &mail
		}
		if t.does == batchRecords {
			p, shown := j.pins[row.Key]
			if !shown {
				p.no = &caseforms.Error{Kind: caseforms.Conflict, Msg: "it was not among the rows that were shown", Hint: "put it in again"}
			}
			if p.no != nil {
				return batch.Made{}, p.no
			}
			if q.Mail != nil && len(p.to) > 0 {
				q.Mail.To = p.to
			}
		}
		out, ps, err := s.desk.RecordRow(ctx, now, q)
		if err != nil {
			told.mu.Lock()
			defer told.mu.Unlock()
			pinned[row.Key] = pin{no: err}
			return batch.Made{}, err
		}
		t.made.Add(1)
		x := rowTold{rowMade{ref: string(out.Ref), before: out.Before, sent: out.Sent}, ps}
		var to []string
		for i := range out.Sent {
			n := &out.Sent[i]
			to = append(to, cmp.Or(n.Recipient, n.Address))
			x.made.sentNow = x.made.sentNow || out.Before && q.Dry && n.ID == 0
			n.Text, n.Password = "", "" // it is not needed here, and need not stay
		}
		told.mu.Lock()
		defer told.mu.Unlock()
		told.of[x.made.ref] = x
		pinned[row.Key] = pin{to: to}
		made := batch.Made{Doc: out.Document, Ref: x.made.ref}
		if f := out.File(j.o.Format); !q.Dry {
			made.Bytes, made.Report = f.Data, f.Report
		}
		return made, nil
	}
}

// take notes what came of a row.
func (t *batchStage) take(d *caseforms.Definitions, r batch.Result, told *tellings) {
	switch r.State {
	case batch.Rejected:
		if len(t.rejected) < mostRejected {
			t.rejected = append(t.rejected, rowSays{r.Row, says(d, r.Problems, caseforms.Blocking)})
		}
	case batch.Done:
		for _, p := range r.Problems {
			if p.Severity != caseforms.Warning {
				continue
			}
			if t.warned == nil {
				t.warned = map[string][]int{}
			}
			key := batch.Warned(p)
			if rows := t.warned[key]; len(rows) <= mostWarned && !slices.Contains(rows, r.Row) {
				t.warned[key] = append(rows, r.Row)
			}
		}
		told.mu.Lock()
		defer told.mu.Unlock()
		x, ok := told.of[r.Ref]
		if !ok {
			return
		}
		delete(told.of, r.Ref)
		x.made.row = r.Row
		t.docs = append(t.docs, x.made)
		doubts := slices.DeleteFunc(x.doubts, func(p caseforms.Problem) bool { // what the form itself says of a row is told by checking it
			return slices.ContainsFunc(r.Problems, func(q caseforms.Problem) bool { return p.Key == q.Key && p.Msg == q.Msg })
		})
		if len(doubts) > 0 && len(t.doubts) < mostRejected {
			t.doubts = append(t.doubts, rowSays{r.Row, says(d, doubts, caseforms.Warning)})
		}
	}
}

// says tells the problems of a row in the words of the form, each on a line.
func says(d *caseforms.Definitions, ps []caseforms.Problem, of caseforms.Severity) string {
	var lines []string
	for _, p := range ps {
		if p.Severity != of {
			continue
		}
		say, do := batch.Say(d, p)
		say = forPages(say)
		if do = forPages(do); do != "" {
			say += ". " + do
		}
		lines = append(lines, say)
	}
	const most = 6
	if n := len(lines) - most; n > 0 {
		lines = append(lines[:most], fmt.Sprintf("… and %d more", n))
	}
	return strings.Join(lines, "\n")
}

// zipped puts files of a stage into one file, which is left for whoever reads it, and goes by itself.
func (t *batchStage) zipped(password string) (*os.File, error) {
	f, err := os.CreateTemp(t.dir, "zip-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	err = render.Zip(f, os.DirFS(filepath.Join(t.dir, "out")), t.files, render.ZipOptions{Password: password})
	if err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// goes is how many documents would go to one office, or be held for it.
type goes struct {
	organisation, address, why string
	listed, held               bool
	n                          int
}

// whither counts what goes where.
func whither(docs []rowMade) []*goes {
	at := map[string]*goes{}
	for _, d := range docs {
		if d.before && !d.sentNow {
			continue
		}
		for i := range d.sent {
			o := &d.sent[i]
			g := goes{organisation: o.Organisation, address: o.Address, listed: o.Listed, held: o.Standing == casework.HeldBack}
			if g.held {
				g.why = o.Said
			}
			key := fmt.Sprintf("%v", g)
			if at[key] == nil {
				at[key] = &g
			}
			at[key].n++
		}
	}
	out := slices.Collect(maps.Values(at))
	slices.SortFunc(out, func(a, b *goes) int {
		return cmp.Or(cmp.Compare(a.organisation, b.organisation), cmp.Compare(a.address, b.address), cmp.Compare(a.why, b.why))
	})
	return out
}

// tableOf is a table of rows with what is to be said of each.
func tableOf(caption string, rows []rowSays) Table {
	t := Table{Caption: caption, Heads: []string{"Row", "What it is"}}
	for _, x := range rows {
		t.Rows = append(t.Rows, []Cell{TextCell(fmt.Sprint(x.row)), {Text: x.says, Pre: true}})
	}
	return t
}

// looks is a table of what the form warns of in rows that can be done, what concerns most rows first.
func (t *batchStage) looks() Table {
	out := Table{Caption: "Look at these answers: they can be right, and the documents are made all the same", Heads: []string{"What it is", "How often", "Rows"}, Numeric: map[int]bool{1: true}}
	keys := slices.SortedFunc(maps.Keys(t.sum.Warnings), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.sum.Warnings[b], t.sum.Warnings[a]), strings.Compare(a, b))
	})
	for _, key := range keys {
		var rows []string
		for _, n := range t.warned[key] {
			rows = append(rows, fmt.Sprint(n))
		}
		if len(rows) > mostWarned {
			rows[mostWarned] = "…"
		}
		out.Rows = append(out.Rows, []Cell{TextCell(forPages(key)), TextCell(fmt.Sprint(t.sum.Warnings[key])), TextCell(strings.Join(rows, ", "))})
	}
	return out
}

// endedBadly tells why a stage ended before it was done; "" when it did not.
func (t *batchStage) endedBadly() string {
	var ours *caseforms.Error
	switch {
	case t.err == nil:
		return ""
	case errors.Is(t.err, context.Canceled):
		return "It was stopped before it was done"
	case errors.As(t.err, &ours) && ours.Kind != caseforms.Internal:
		said := sentence(ours.Msg)
		if h := hint(ours.Hint); h != "" {
			said += ". " + h
		}
		return said
	}
	return "It ended before it was done, because of a mistake of ours"
}

// fixed is the workbook of the rows that were not done; nil when there is none.
func (t *batchStage) fixed() ([]byte, error) {
	if t.sum.Fix == "" {
		return nil, nil
	}
	return fs.ReadFile(os.DirFS(filepath.Join(t.dir, "out")), t.sum.Fix)
}

// batchFile hands out one of the files that a stage left.
func (s *Service) batchFile(w http.ResponseWriter, r *Request) error {
	j, t, err := s.batchOf(r)
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(r.route.Pattern, "/batch/run/")
	none := &caseforms.Error{Kind: caseforms.NotFound, Msg: "your batch has no such file"}
	if name == "fix.xlsx" {
		data, err := t.fixed()
		if err == nil && data == nil {
			err = none
		}
		if err != nil {
			return err
		}
		return download(w, t.sum.Fix, data)
	}
	if len(t.files) == 0 {
		return none
	}
	if name == "documents.zip" {
		password := r.PostFormValue("password")
		if err := (render.ZipOptions{Password: password}).Check(); err != nil {
			ps, err := toldBeside(err, "password")
			if err != nil {
				return err
			}
			return s.batchShown(w, r, ps)
		}
	}
	if err := t.takenAway(r, name); err != nil {
		return err
	}
	kind := kinds[strings.TrimPrefix(filepath.Ext(name), ".")]
	var f *os.File
	if name == "documents.zip" {
		kind = "application/zip"
		f, err = t.zipped(r.PostFormValue("password"))
	} else {
		f, err = os.Open(filepath.Join(t.dir, name))
	}
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+j.o.Form.ID+"-"+name+`"`)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = f.WriteTo(w) // a browser that went away reads nothing
	return nil
}

// takenAway enters it when documents that were recorded are taken away. Whoever may no longer see one of them gets none.
func (t *batchStage) takenAway(r *Request, how string) error {
	if t.does != batchRecords {
		return nil
	}
	var refs []caseforms.Ref
	for _, d := range t.docs {
		refs = append(refs, caseforms.Ref(d.ref))
	}
	return r.Desk.TakeAway(r.Context(), r.Actor, refs, how)
}
