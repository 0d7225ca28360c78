// Package batch makes a document of every row of a file of cases. It hides how a run of thousands stays whole: which rows are done already, in
// which order things reach the disk, and what becomes of the rows that cannot be done.
//
// [Run] reads the file by package intake, makes the documents on several workers, and puts them into a folder that it owns by a manifest. A
// document is written to a working file, and only when a group of them and their lines of the manifest are on the disk is each renamed to its
// place; so whatever is killed when, a file in the folder is whole and the next run does what is missing, by content and not by row. Rejected
// rows come back in fix.xlsx, in the user's own columns.
//
// It promises that the bytes of a document do not depend on the number of workers, that no file is replaced which the manifest does not
// list, and that memory does not grow with the rows. It needs no store: whoever issues the rows as well gives a [Maker].
package batch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"caseforms"
	"caseforms/internal/intake"
	"caseforms/render"
)

// Options say what is made of a file of cases.
type Options struct {
	Definitions *caseforms.Definitions
	Form        *caseforms.Form
	Input       string
	Dir         string
	Format      render.Format // "" is PDF
	Fill        caseforms.FillOptions
	Jobs        int  // workers; 0 is one
	Force       bool // a folder that has other files in it, and a fix.xlsx that was changed and not given back, are no reason to stop
	// Make makes the document of a case that may be issued. Nil fills in the form and renders it.
	Make Maker
	// Makes says in a word what Make does beside: rows that were done otherwise are done again.
	Makes string
	// Opened is told of the file once it was read: how many cases there are, and what is to be said of it.
	Opened func(cases int, notes []caseforms.Problem)
	// Contents has results come with their case and document; without it neither outlives the making.
	Contents bool
	// Beside are files that are made of all documents together, by who calls, and Finish puts them in their places when all rows were gone through. One
	// that is there is only replaced when it is as a run for this folder left it, or with Force: Finish asks before it puts a file in place of name.
	Beside []Beside
	Finish func(place func(temp, name string) (replace bool, err error)) error
	// Each is told of every row in the order of the file, when what was made of it is in its place. An error ends the run.
	Each func(Result) error
}

// Beside is a file that is asked for by an option.
type Beside struct{ Option, Name string }

// Row is a row that a document is to be made of.
type Row struct {
	Key  string // tells rows apart by content
	JSON []byte // the case record
	Case *caseforms.Case
}

// Maker makes the document of a row. Who issues documents must not issue one key twice, because a run that was killed makes a row again whose document
// had not reached its place. It is called by several goroutines at once. What is wrong with a row alone rejects it: an error of the kinds invalid,
// conflict, forbidden, held, notfound; any other ends the run.
type Maker func(context.Context, Row) (Made, error)

// Made is a document.
type Made struct {
	Doc    *caseforms.Document
	Bytes  []byte
	Report render.Report
	Ref    string // of one that was issued
}

// State is what became of a row.
type State string

const (
	Done     State = "done"
	Kept     State = "kept"     // was done by an earlier run, and its document is whole
	Rejected State = "rejected" // comes back in fix.xlsx
	Same     State = "same"     // says exactly what an earlier row says; there is one document of both
)

// Result is what became of one row.
type Result struct {
	Row       int // of the file
	State     State
	File      string // name of the document in the folder
	Ref       string
	Like      int // an earlier row about the same person, 0 when there is none
	Problems  []caseforms.Problem
	Corrected bool // it says what was given back in fix.xlsx for it
	Record    bool // the row is a case record as it stands, and not cells
	Pages     int
	// Case and Doc are what it was made of, when they are wanted; nil of a row that was not understood, and Doc of one that was kept.
	Case *caseforms.Case
	Doc  *caseforms.Document
}

// Summary is what a run came to.
type Summary struct {
	Rows, Done, Kept, Rejected, Same int
	Bytes                            int64
	Fix                              string         // name of the file with the rejected rows in the folder
	FixLeftOut                       int            // rejected rows for which it had no room
	Corrected                        int            // rows that were done as they were corrected in fix.xlsx
	Waiting                          []int          // rows of earlier runs that the file did not have, and that are in Fix as well
	Warnings                         map[string]int // by question: how often something was warned of
	DayFirst                         []string       // columns with dates such as 3/5/2014
	TakenOut                         []int          // rows that were taken out of Fix before it was given back
	Stale                            []string       // documents of rows that the file does not have
	Outdated                         []Outdated     // documents of rows that were done before and now are not
}

// Outdated is a document of what a row said before. The row says something else now, and that is not done.
type Outdated struct {
	Row  int
	File string
}

// Rest is how many rows a run did not come to.
func (s *Summary) Rest() int { return s.Rows - s.Done - s.Kept - s.Rejected - s.Same }

const (
	workDir   = ".caseforms"
	groupSize = 128
	// MaxFix is how many rejected rows come back at a time; the others come when these are done.
	MaxFix = 50_000
)

type run struct {
	Options
	cases   *intake.Cases
	m       *manifest
	work    string
	sum     Summary
	what    []byte         // what every key is made of beside the case
	keys    map[string]int // of rows about somebody whom another row is about as well
	bad     []badRow
	notDone map[int]string // who the rejected rows are about, by row of the first file; "" when nobody knows
	earlier *earlier
	back    []intake.BackSheet
	mended  *corrections
	given   bool                      // the file is fix.xlsx of the folder itself
	came    map[int]bool              // rows of the first file that a file of corrections has
	refused map[int]caseforms.Problem // of rows of which no document could be made although nothing is wrong with them by themselves
	lacking []string
	group   []*job
}

// job is one row on its way.
type job struct {
	row    *intake.Row
	done   chan struct{}
	result Result
	key    string
	who    string
	people []string // ways to tell who it is about, when that matters
	said   string   // what a row of the first file says that was rejected
	record []byte   // of a row of a file of corrections
	temp   string
	size   int64
	sum    string
	err    error    // ends the run
	lacks  []string // columns that the file does not have
	days   []string
	no     *caseforms.Problem
}

// Run makes the documents. Rows that cannot be done are no error. When the error is about writing or the context ended, the summary says how far
// it came; what was done is whole and stays.
func Run(ctx context.Context, o Options) (sum Summary, err error) {
	if o.Format == "" {
		o.Format = render.FormatPDF
	}
	r := &run{Options: o, keys: map[string]int{}, refused: map[int]caseforms.Problem{}, notDone: map[int]string{}, came: map[int]bool{}, work: filepath.Join(o.Dir, workDir)}
	r.sum.Warnings = map[string]int{}
	if r.Make == nil {
		r.Make = r.fill
	}
	unlock, err := r.open()
	if err != nil {
		return r.sum, err
	}
	defer unlock()
	defer func() {
		if full(err) { // whoever it was that wrote
			err = writeError(err)
		}
		if e := os.RemoveAll(r.work); err == nil && e != nil {
			err = writeError(e)
		}
	}()
	if err := r.beside(); err != nil {
		return r.sum, err
	}
	r.cases, err = intake.OpenCases(ctx, o.Input, r.work, o.Definitions, o.Form)
	if err != nil {
		return r.sum, err
	}
	defer r.cases.Close()
	defer func() { r.earlier.close() }()
	if err := r.wait(ctx); err != nil {
		return r.sum, err
	}
	if r.cases.Corrects() && len(r.Beside) > 0 {
		return r.sum, &caseforms.Error{Kind: caseforms.Invalid, Msg: "this file has the corrected rows only, and " + r.options() + " would have no others",
			Hint: "give it back without " + r.options() + "; then run the first file again with that: what was corrected is known, and all rows that are done are in it"}
	}
	if r.mended, err = openCorrections(r.Dir); err != nil {
		return r.sum, err
	}
	defer r.mended.close()
	r.back = r.cases.Back(nil)
	r.sum.Rows = r.cases.Count
	if r.Opened != nil {
		r.Opened(r.cases.Count, r.cases.Notes)
	}
	if err := r.rows(ctx); err != nil {
		return r.sum, err
	}
	if err := r.mended.keep(); err != nil {
		return r.sum, err
	}
	r.sum.Stale, r.sum.Outdated = r.m.stale(r.notDone)
	if r.cases.Corrects() {
		r.sum.Stale = nil
		for row := range r.m.open {
			if r.given && !r.came[row] {
				r.sum.TakenOut = append(r.sum.TakenOut, row)
			}
		}
		slices.Sort(r.sum.TakenOut)
	}
	if err := r.fix(); err != nil {
		return r.sum, err
	}
	if r.Finish != nil {
		return r.sum, r.Finish(r.place)
	}
	return r.sum, nil
}

// beside stops a run that would write over files which no run for this folder made.
func (r *run) beside() error {
	for _, b := range r.Beside {
		ours, err := r.ours(b.Name)
		if err != nil {
			return err
		}
		if !ours && !r.Force {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is a file " + b.Name + " already, which is not as a batch in this folder made it", Hint: "name another with " + b.Option + ", or overwrite it with --force"}
		}
	}
	return nil
}

// ours tells whether a file is not there, or is as a run for this folder left it.
func (r *run) ours(name string) (bool, error) {
	sum, _, err := sumOf(name)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the file " + name + " cannot be read", Err: plain(err)}
	}
	return r.m.made[sum], nil
}

// place notes a file before it is put in its place.
func (r *run) place(temp, name string) (replace bool, err error) {
	sum, _, err := sumOf(temp)
	if err != nil {
		return false, writeError(err)
	}
	if replace, err = r.ours(name); err != nil {
		return false, err
	}
	return replace || r.Force, r.m.setMade(sum)
}

func (r *run) options() string {
	var all []string
	for _, b := range r.Beside {
		all = append(all, b.Option)
	}
	return strings.Join(all, " and ")
}

// open makes the folder ours and opens its manifest.
func (r *run) open() (unlock func(), err error) {
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return nil, writeError(err)
	}
	_, err = os.Stat(filepath.Join(r.Dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) && !r.Force {
		entries, err := os.ReadDir(r.Dir)
		if err != nil {
			return nil, writeError(err)
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") {
				return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the folder has other files in it", Hint: "name a new or an empty folder with -o; with --force the documents are put beside what is there, and none of it is replaced"}
			}
		}
	}
	if err := os.MkdirAll(r.work, 0o700); err != nil {
		return nil, writeError(err)
	}
	release, err := lock(filepath.Join(r.Dir, lockName))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	if err := intake.CleanWork(r.work); err != nil {
		return nil, err
	}
	if r.m, err = openManifest(r.Dir, r.Form.ID); err != nil {
		return nil, err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %s %s %s %s %v %q %q\n", r.Form.ID, r.Form.Hash, r.Definitions.Area, r.Format, r.Fill.Copy, r.Fill.Draft, r.Fill.For, r.Makes)
	r.what = h.Sum(nil)
	return func() { r.m.close(); release() }, nil
}

// rows sends every row through the workers and takes them back in order.
func (r *run) rows(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs := max(1, r.Jobs)
	work := make(chan *job)
	ahead := groupSize // how many rows are made while a group is put onto the disk
	if !r.Contents {
		ahead *= 4
	}
	order := make(chan *job, ahead+4*jobs)
	var readErr error
	go func() {
		defer close(order)
		defer close(work)
		for {
			row, err := r.cases.Next()
			if err != nil {
				if err != io.EOF {
					readErr = err
				}
				return
			}
			j := &job{row: row, done: make(chan struct{})}
			select {
			case <-ctx.Done():
				return
			case order <- j:
			}
			work <- j // whoever is in the order is done
		}
	}()
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(func() {
			buf := &bytes.Buffer{}
			for j := range work {
				if ctx.Err() != nil {
					j.err = ctx.Err()
				} else {
					r.one(ctx, j, buf)
				}
				close(j.done)
			}
		})
	}
	var failed error
	for j := range order {
		<-j.done
		if failed != nil {
			cancel()
			continue
		}
		if j.err != nil {
			failed = j.err
			cancel()
			continue
		}
		r.alike(j)
		r.group = append(r.group, j)
		if len(r.group) >= groupSize {
			failed = r.commit()
		}
		if failed != nil {
			cancel()
		}
	}
	wg.Wait()
	if e := r.commit(); failed == nil || errors.Is(failed, context.Canceled) {
		if e != nil {
			failed = e
		}
	}
	if failed == nil {
		failed = readErr
	}
	if failed == nil && ctx.Err() != nil {
		failed = ctx.Err()
	}
	return failed
}

// one makes the document of a row.
func (r *run) one(ctx context.Context, j *job, buf *bytes.Buffer) {
	j.result = Result{Row: j.row.Number, Like: j.row.Same, Record: r.cases.Format == "jsonl"}
	rec, err := r.cases.Read(j.row)
	if err != nil {
		j.err = err
		return
	}
	j.days = rec.DayFirst
	if r.cases.Corrects() {
		j.record = rec.JSON
	}
	if j.record != nil || r.earlier.asks(j.row) {
		j.people = people(rec.JSON)
	}
	if j.record == nil && len(r.mended.at) > 0 {
		if better := r.mended.find(r.said(j.row, rec)); better != nil {
			j.result.Corrected, rec = true, &intake.Record{JSON: better}
		}
	}
	j.key = r.key(rec.JSON)
	if len(rec.Problems) == 0 {
		if e, ok := r.m.whole(j.key); ok {
			j.result.State, j.result.File, j.result.Ref = Kept, e.file, e.Ref
			c, ps, _ := r.judge(rec)
			j.result.Problems = slices.DeleteFunc(ps, func(p caseforms.Problem) bool { return p.Severity == caseforms.Blocking }) // what blocks today did not when it was made
			if r.Contents {
				j.result.Case = c
			}
			return
		}
	}
	c, ps, ok := r.judge(rec)
	j.result.Problems = ps
	if c != nil {
		j.who = identity(c)
	}
	if !ok {
		j.reject(r, rec, ps)
		return
	}
	made, err := r.Make(context.WithValue(ctx, bufferKey{}, buf), Row{j.key, rec.JSON, c})
	if err != nil {
		var ours *caseforms.Error
		if errors.As(err, &ours) && slices.Contains([]caseforms.ErrorKind{caseforms.Invalid, caseforms.Conflict, caseforms.Forbidden, caseforms.Held, caseforms.NotFound}, ours.Kind) {
			j.no = &caseforms.Problem{Severity: caseforms.Blocking, Msg: ours.Msg, Hint: ours.Hint}
			j.result.Problems = append(ps, *j.no)
			j.reject(r, rec, j.result.Problems)
			return
		}
		j.err = err
		return
	}
	seen := map[rune]bool{}
	for _, g := range made.Report.Missing {
		if !seen[g.Rune] {
			seen[g.Rune] = true
			j.result.Problems = append(j.result.Problems, caseforms.Problem{Severity: caseforms.Warning, Key: g.Key, Msg: fmt.Sprintf("has the letter U+%04X, which no embedded font has; it is printed as a question mark", g.Rune)})
		}
	}
	j.result.State, j.result.Ref, j.result.Pages = Done, made.Ref, made.Report.Pages
	if r.Contents {
		j.result.Case, j.result.Doc = c, made.Doc
	}
	sum := made.Report.Sum
	if sum == [sha256.Size]byte{} {
		sum = sha256.Sum256(made.Bytes)
	}
	j.sum, j.size = hex.EncodeToString(sum[:]), int64(len(made.Bytes))
	j.temp = filepath.Join(r.work, fmt.Sprintf("%d.part", j.row.Number))
	if err := os.WriteFile(j.temp, made.Bytes, 0o600); err != nil {
		os.Remove(j.temp)
		j.err = writeError(err)
	}
}

// judge makes a case of a record, nil when it is none, with everything that is to be said of it, and tells whether it can be done.
func (r *run) judge(rec *intake.Record) (*caseforms.Case, []caseforms.Problem, bool) {
	c, ps := r.Definitions.Decode(rec.JSON, r.Form)
	ps = append(slices.Clone(rec.Problems), ps...)
	if c == nil {
		return nil, ps, false
	}
	found, err := r.Definitions.Check(r.Form, c, r.Fill)
	if err != nil {
		return c, append(ps, problemOf(err)), false
	}
	for _, p := range found {
		// what was not understood is told already, and more exactly
		if slices.ContainsFunc(rec.Problems, func(q caseforms.Problem) bool { return q.Key == p.Key && q.Key != "" }) {
			continue
		}
		ps = append(ps, p)
	}
	return c, ps, !caseforms.Blocks(rec.Problems) && (r.Fill.Draft || !caseforms.Blocks(ps))
}

func problemOf(err error) caseforms.Problem {
	p := caseforms.Problem{Severity: caseforms.Blocking, Msg: err.Error()}
	var ours *caseforms.Error
	if errors.As(err, &ours) {
		p.Hint = ours.Hint
	}
	return p
}

func (j *job) reject(r *run, rec *intake.Record, ps []caseforms.Problem) {
	j.result.State = Rejected
	if j.record == nil && !j.result.Corrected {
		j.said, j.people = r.said(j.row, rec), people(rec.JSON)
	}
	for _, p := range ps {
		if p.Severity == caseforms.Blocking {
			if k := r.cases.Lacking(rec, p.Key); k != "" {
				j.lacks = append(j.lacks, k)
			}
		}
	}
}

// alike finds out whether an earlier row says exactly the same: then there is one document of both.
func (r *run) alike(j *job) {
	if !j.row.Shared || j.result.State != Done && j.result.State != Kept {
		return
	}
	if first, ok := r.keys[j.key]; ok {
		if j.temp != "" {
			os.Remove(j.temp)
		}
		j.result = Result{Row: j.row.Number, State: Same, Like: first}
		return
	}
	r.keys[j.key] = j.row.Number
}

type bufferKey struct{}

// fill is the Maker of a batch that does not record.
func (r *run) fill(ctx context.Context, row Row) (Made, error) {
	doc, err := r.Definitions.Fill(r.Form, row.Case, r.Fill)
	if err != nil {
		return Made{}, err
	}
	buf, _ := ctx.Value(bufferKey{}).(*bytes.Buffer)
	if buf == nil {
		buf = &bytes.Buffer{}
	}
	buf.Reset()
	rep, err := render.Write(buf, doc, r.Format, render.Options{})
	return Made{Doc: doc, Bytes: buf.Bytes(), Report: rep}, err
}

// key is what a row is recognised by: what its document is made of.
func (r *run) key(record []byte) string {
	h := sha256.New()
	h.Write(r.what)
	h.Write(record)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// identity tells by which person a row that was corrected replaces its document: the first identifier there is, else name and date of birth.
func identity(c *caseforms.Case) string {
	p := &c.Person
	id := ""
	switch {
	case p.CRN.Known():
		id = "crn " + p.CRN.Value.String()
	case p.PrisonNumber.Known():
		id = "prison " + p.PrisonNumber.Value.String()
	case p.PNC.Known():
		id = "pnc " + p.PNC.Value.String()
	case p.FamilyName.Known() && p.DOB.Known():
		id = strings.ToLower("name " + p.GivenNames.Value.String() + " " + p.FamilyName.Value.String() + " " + p.DOB.Value.String())
	default:
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:8])
}

// commit puts a group in its place: first all of it onto the disk, with what the manifest will say, then each file under its name.
func (r *run) commit() error {
	group := r.group
	r.group = nil
	var entries []entry
	var files []string
	for _, j := range group {
		if j.result.State == Done {
			e := entry{Row: j.row.First, Key: j.key, Who: j.who, Size: j.size, Sum: j.sum, Ref: j.result.Ref}
			if j.row.Shared {
				e.Who = "" // which of the two would replace which?
			}
			e.file = r.m.name(r.Form.ID, string(r.Format), &e, r.cases.Corrects())
			e.File = e.file
			j.result.File = e.file
			entries = append(entries, e)
			files = append(files, j.temp)
		}
	}
	if err := r.m.add(entries, files); err != nil {
		for _, f := range files {
			os.Remove(f)
		}
		return err
	}
	for _, j := range group {
		if j.result.State == Done {
			if err := os.Rename(j.temp, filepath.Join(r.Dir, j.result.File)); err != nil {
				return writeError(err)
			}
			r.sum.Bytes += j.size
		}
		if err := r.count(j); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) count(j *job) error {
	r.earlier.has(j, r.cases.Corrects())
	if j.record != nil {
		r.came[j.row.First] = true
	}
	switch j.result.State {
	case Done:
		r.sum.Done++
		r.m.seen(j.key)
	case Kept:
		r.sum.Kept++
		r.m.seen(j.key)
	case Same:
		r.sum.Same++
	case Rejected:
		r.sum.Rejected++
		b := badRow{from: r.cases, row: j.row.Forget()}
		if j.said != "" {
			b.said = openRow{j.row.First, j.said, j.people}
		}
		r.bad = append(r.bad, b)
		r.notDone[j.row.First] = j.who
		if j.no != nil {
			r.refused[j.row.Number] = *j.no
		}
		for _, k := range j.lacks {
			if !slices.Contains(r.lacking, k) {
				r.lacking = append(r.lacking, k)
			}
		}
	}
	if j.result.State == Done || j.result.State == Kept {
		if j.result.Corrected {
			r.sum.Corrected++
		}
		if j.record != nil {
			if err := r.mended.add(r.work, j.row.First, r.m.was(j.row.First, j.people), j.record); err != nil {
				return err
			}
		}
		for _, p := range j.result.Problems {
			if p.Severity == caseforms.Warning && (len(r.sum.Warnings) < 500 || r.sum.Warnings[Warned(p)] > 0) {
				r.sum.Warnings[Warned(p)]++
			}
		}
	}
	for _, d := range j.days {
		if !slices.Contains(r.sum.DayFirst, d) {
			r.sum.DayFirst = append(r.sum.DayFirst, d)
		}
	}
	if r.Each == nil {
		return nil
	}
	return r.Each(j.result)
}

var inItem = regexp.MustCompile(`^.* \d+: `)

// Warned is what a warning is counted under: its question and what was said, without which item it was.
func Warned(p caseforms.Problem) string {
	label := strings.TrimRight(inItem.ReplaceAllString(p.Label, ""), " :")
	if label == "" {
		return p.Msg
	}
	return label + ": " + p.Msg
}

// writeError tells why nothing can be written, without the path: a folder may bear a name.
func writeError(err error) error {
	var ours *caseforms.Error
	if errors.As(err, &ours) && !full(err) {
		return err
	}
	err = plain(err)
	e := &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the folder cannot be written to", Err: err, Hint: "what was done is whole; when this is put right the same command does the rest"}
	switch {
	case full(err):
		e.Msg, e.Err = "the disk is full", nil
		e.Hint = "make room; what was done is whole, and the same command then does the rest"
	case errors.Is(err, fs.ErrPermission):
		e.Msg, e.Err = "you may not write into the folder", nil
		e.Hint = "name another with -o"
	}
	return e
}

// plain is why something failed, without the path.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		err = l.Err
	}
	return err
}
