package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"caseforms"
	"caseforms/internal/batch"
	"caseforms/internal/casework"
	"caseforms/render"
)

var templateCommand = &command{
	name: "template", args: "FORM -o FILE.xlsx", does: "write the workbook in which cases are written down, one a row, for batch",
	example: "caseforms template pp1 -o pp1.xlsx",
	flags: func(inv *invocation) {
		inv.set.StringVarP(&inv.opt.output, "output", "o", "", "file to write, - for standard output (default FORM.xlsx here)")
		inv.set.BoolVar(&inv.opt.force, "force", false, "overwrite the file if it is there")
		inv.areaFlag()
	},
	run: func(ctx context.Context, inv *invocation) error {
		if err := inv.want(1, 1); err != nil {
			return err
		}
		d, err := inv.definitions()
		if err != nil {
			return err
		}
		f, err := d.Form(inv.args[0])
		if err != nil {
			return err
		}
		o := &inv.opt
		if o.output == "" {
			o.output = f.ID + ".xlsx"
		}
		if o.output != "-" && !strings.EqualFold(filepath.Ext(o.output), ".xlsx") {
			return errUsage{"a workbook is named FILE.xlsx"}
		}
		var out bytes.Buffer
		if err := render.Template(&out, d, f); err != nil {
			return err
		}
		if o.output == "-" {
			_, err := inv.stdout.Write(out.Bytes())
			return err
		}
		if err := writeFile(o.output, out.Bytes(), o.force); err != nil {
			return err
		}
		if inv.json {
			inv.object(inv.stdout, "type", "file", "file", o.output, "form", f.ID, "version", f.Version, "format", "xlsx")
		} else {
			fmt.Fprintf(inv.stderr, "wrote %s\n", o.output)
		}
		return nil
	},
}

var batchCommand = &command{
	name: "batch", args: "FORM INPUT -o DIR", does: "make a document of every row of a workbook, a .csv or a .jsonl; rows that cannot be done come back in DIR/fix.xlsx",
	example: "caseforms batch pp1 samples/batch/pp1.xlsx -o out",
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.StringVarP(&o.output, "output", "o", "", "folder for the documents; it is made if it is not there")
		inv.set.StringVar(&o.format, "format", "pdf", "pdf, xlsx, html, txt or json")
		inv.set.BoolVar(&o.draft, "draft", false, "make documents although answers are missing, marked DRAFT on every page")
		inv.copyFlag()
		inv.forFlag()
		inv.set.StringVar(&o.register, "register", "", "write the list of all rows as a workbook, with totals")
		inv.set.StringVar(&o.merge, "merge", "", "write all documents as one PDF to print, each beginning on an odd page")
		inv.set.StringVar(&o.zip, "zip", "", "write all documents as one zip file; with --password-file it is sealed")
		inv.set.StringVar(&o.passwordFile, "password-file", "", "file whose first line is the password of the zip file")
		inv.set.BoolVar(&o.record, "record", false, "issue each row: it gets a reference and is kept, once however often this is run")
		inv.set.StringSliceVar(&o.to, "to", nil, "with --record: send each by e-mail to this role, office or address as well")
		inv.set.StringVar(&o.without, "without", "", "with --to: why something that the forms say is attached does not go with them")
		inv.set.StringVar(&o.confirm, "confirm", "", "with --to: how you made sure that an address outside the directory is right")
		inv.set.IntVar(&o.jobs, "jobs", runtime.NumCPU(), "documents made at the same time")
		inv.set.BoolVar(&o.force, "force", false, "use a folder that has other files in it, write a changed fix.xlsx anew, and overwrite --register, --merge and --zip files")
		inv.areaFlag()
	},
	run: runBatch,
}

// errPartly ends a command of which some rows or items were not done; it has told which.
var errPartly = errors.New("partly done")

func runBatch(ctx context.Context, inv *invocation) error {
	if err := inv.want(2, 2); err != nil {
		return err
	}
	o := &inv.opt
	switch {
	case o.output == "":
		return errUsage{"batch needs the folder for the documents: -o DIR"}
	case o.jobs < 1 || o.jobs > 256:
		return errUsage{"--jobs is a number from 1 to 256"}
	case o.record && o.draft:
		return errUsage{"a draft is not issued: leave out --record or --draft"}
	case !o.record && (len(o.to) > 0 || o.without != "" || o.confirm != ""):
		return errUsage{"--to, --without and --confirm go with --record"}
	case o.passwordFile != "" && o.zip == "":
		return errUsage{"--password-file is for the zip file: --zip FILE"}
	}
	format := render.Format(strings.ToLower(o.format))
	if !slices.Contains(render.Formats, format) {
		return errUsage{"there is no format " + quoted(o.format) + ": pdf, xlsx, html, txt or json"}
	}
	d, err := inv.definitions()
	if err != nil {
		return err
	}
	f, err := d.Form(inv.args[0])
	if err != nil {
		return err
	}
	if !slices.Contains(f.Copies, o.copy) {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: f.ID + " has no copy called " + quoted(o.copy), Hint: "it has: " + strings.Join(f.Copies, ", ")}
	}
	// Documents are made by the thousand from little that stays: so it is the limit that says when to collect, and memory is the same for any number of rows.
	defer debug.SetGCPercent(debug.SetGCPercent(2000))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(80 << 20))
	options := batch.Options{
		Definitions: d, Form: f, Input: inv.args[1], Dir: o.output, Format: format, Jobs: o.jobs, Force: o.force,
		Fill: caseforms.FillOptions{Today: inv.today(), Copy: o.copy, Draft: o.draft, For: o.addressee},
	}
	if !o.record {
		return inv.batch(ctx, options)
	}
	debug.SetMemoryLimit(512 << 20) // the store has its share
	return inv.at(ctx, true, func(k *casework.Desk, a caseforms.Actor) error {
		options.Fill.Today = caseforms.DateOf(caseforms.London(k.Now()))
		options.Make, options.Makes = inv.recorder(k, a, options), "recorded "+strings.Join(o.to, " ")
		return inv.batch(ctx, options)
	})
}

// batch runs a batch with what is made of all its documents together.
func (inv *invocation) batch(ctx context.Context, options batch.Options) error {
	out, err := inv.collection(ctx, options)
	if err != nil {
		return err
	}
	defer out.drop()
	options.Contents, options.Beside = out.Wants(), out.beside
	talk := &batchTalk{inv: inv, defs: options.Definitions, start: time.Now()}
	options.Opened = talk.opened
	options.Each = func(r batch.Result) error {
		if err := out.Add(r); err != nil {
			return err
		}
		return talk.each(r)
	}
	options.Finish = func(allow func(temp, name string) (bool, error)) error {
		talk.end()
		return out.finish(allow)
	}
	sum, err := batch.Run(ctx, options)
	talk.end()
	return talk.summary(ctx, sum, err)
}

// batchTalk tells how a batch goes: on a terminal by a bar, to programs by events, and in the end in words.
type batchTalk struct {
	inv   *invocation
	defs  *caseforms.Definitions
	start time.Time
	bar   *progressbar.ProgressBar
	rows  int
	seen  int
	told  int // rejected rows told one by one
	last  time.Time
}

// How many rejected rows are told one by one to a person, and how much of each; all of it is in the workbook.
const (
	mostTold = 10
	mostSaid = 5
)

func (t *batchTalk) opened(cases int, notes []caseforms.Problem) {
	t.rows, t.last = cases, time.Now()
	if t.inv.json {
		t.inv.object(t.inv.stdout, "type", "input", "form", t.inv.args[0], "rows", cases)
	}
	t.inv.problems(t.inv.stderr, notes)
	if f, ok := t.inv.stderr.(*os.File); ok && !t.inv.json && term.IsTerminal(int(f.Fd())) {
		t.bar = progressbar.NewOptions(cases, progressbar.OptionSetWriter(f), progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("rows"),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth(),
			progressbar.OptionEnableColorCodes(false)) // NO_COLOR asks for no more than that
	}
}

func (t *batchTalk) each(r batch.Result) error {
	inv := t.inv
	t.seen++
	if t.bar != nil {
		_ = t.bar.Add(1) // a bar that cannot be drawn is no failure of the batch
	}
	like := r.Like
	if inv.json {
		inv.object(inv.stdout, "type", "row", "row", r.Row, "state", string(r.State), "file", r.File, "ref", r.Ref, "like", like)
		if now := time.Now(); now.Sub(t.last) >= time.Second {
			t.last = now
			rate := float64(t.seen) / max(now.Sub(t.start).Seconds(), 0.001)
			inv.object(inv.stdout, "type", "progress", "seen", t.seen, "rows", t.rows, "rows_a_second", int(rate), "seconds_left", int(float64(t.rows-t.seen)/max(rate, 0.001)))
		}
	}
	if like > 0 {
		what := "is about the same person as"
		if r.State == batch.Same {
			what = "says the same as"
		}
		t.tell(r.Row, caseforms.Problem{Severity: caseforms.Warning, Msg: fmt.Sprintf("%s row %d", what, like)})
	}
	severity := caseforms.Warning // in words they are counted at the end
	if r.State == batch.Rejected {
		t.told++
		severity = caseforms.Blocking
	}
	if !inv.json && (severity == caseforms.Warning || t.told > mostTold) {
		return nil
	}
	said := 0
	for _, p := range r.Problems {
		if p.Severity != severity {
			continue
		}
		if said++; !inv.json && said > mostSaid {
			continue
		}
		p.Line, p.Column = 0, 0
		if !inv.json && !r.Record {
			_, p.Hint = batch.Say(t.defs, p)
		}
		t.tell(r.Row, p)
	}
	if !inv.json && said > mostSaid {
		fmt.Fprintf(inv.stderr, "row %d: and %d more\n", r.Row, said-mostSaid)
	}
	return nil
}

// tell tells something of a row.
func (t *batchTalk) tell(row int, p caseforms.Problem) {
	if t.inv.json {
		t.inv.object(t.inv.stderr, "type", "problem", "severity", string(p.Severity), "row", row, "key", p.Key, "label", p.Label, "section", p.Section, "message", p.Msg, "hint", p.Hint, "source", p.Source)
		return
	}
	if t.bar != nil {
		_ = t.bar.Clear()
	}
	fmt.Fprintf(t.inv.stderr, "row %d: %s: %s\n", row, p.Severity, p)
	if p.Hint != "" {
		fmt.Fprintf(t.inv.stderr, "  hint: %s\n", p.Hint)
	}
}

func (t *batchTalk) end() {
	if t.bar != nil {
		_ = t.bar.Clear()
		_ = t.bar.Exit()
	}
}

func (t *batchTalk) summary(ctx context.Context, sum batch.Summary, err error) error {
	inv := t.inv
	if sum.Rows == 0 {
		return err
	}
	made := sum.Done + sum.Kept + sum.Same
	dir := filepath.Clean(inv.opt.output)
	if inv.json {
		inv.object(inv.stdout, "type", "batch", "form", inv.args[0], "rows", sum.Rows, "done", sum.Done, "kept", sum.Kept, "same", sum.Same, "corrected", sum.Corrected, "rejected", sum.Rejected, "not_reached", sum.Rest(), "waiting", len(sum.Waiting), "taken_out", len(sum.TakenOut), "fix", sum.Fix)
		for _, name := range sum.Stale {
			inv.object(inv.stdout, "type", "stale", "file", name)
		}
		for _, o := range sum.Outdated {
			inv.object(inv.stdout, "type", "outdated", "row", o.Row, "file", o.File)
		}
	} else {
		t.words(inv.stdout, sum, dir)
	}
	interrupted := ctx.Err() != nil && sum.Rest() > 0
	switch {
	case interrupted:
		if !inv.json {
			fmt.Fprintf(inv.stderr, "caseforms: interrupted; %d of %d rows are done and whole\n  hint: the same command does the rest\n", made, sum.Rows)
		} else {
			inv.object(inv.stderr, "type", "error", "kind", "interrupted", "message", "interrupted", "hint", "the same command does the rest")
		}
		return errInterrupted
	case err != nil && made > 0:
		inv.complain(err)
		return errPartly
	case err != nil:
		return err
	case sum.Rejected+len(sum.Waiting)+len(sum.TakenOut) == 0:
		return nil
	case made == 0:
		return errReported
	}
	return errPartly
}

// words says in words what was done, and what to do next.
func (t *batchTalk) words(w io.Writer, sum batch.Summary, dir string) {
	of := func(n int, one string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %ss", n, one)
	}
	fmt.Fprintf(w, "%s: %s made", of(sum.Rows, "row"), of(sum.Done, "document"))
	if sum.Kept > 0 {
		fmt.Fprintf(w, ", %d were there already", sum.Kept)
	}
	if sum.Same > 0 {
		fmt.Fprintf(w, ", %d said the same as another row", sum.Same)
	}
	if sum.Corrected > 0 {
		fmt.Fprintf(w, ", %d as corrected before", sum.Corrected)
	}
	if sum.Rejected > 0 {
		fmt.Fprintf(w, ", %d not done", sum.Rejected)
	}
	if n := sum.Rest(); n > 0 {
		fmt.Fprintf(w, ", %d not reached", n)
	}
	if s := time.Since(t.start).Seconds(); sum.Done >= 100 {
		fmt.Fprintf(w, " (%.0f a second)", float64(sum.Done)/s)
	}
	fmt.Fprintf(w, "; the documents are in %s\n", dir)
	if t.told > mostTold {
		fmt.Fprintf(w, "%s more are not told here one by one\n", of(t.told-mostTold, "row"))
	}
	if len(sum.DayFirst) > 0 {
		fmt.Fprintf(w, "dates such as 3/5/2014 were read with the day first: %s\n", strings.Join(sum.DayFirst, ", "))
	}
	if len(sum.Warnings) > 0 {
		keys := slices.SortedFunc(maps.Keys(sum.Warnings), func(a, b string) int {
			return cmp.Or(cmp.Compare(sum.Warnings[b], sum.Warnings[a]), strings.Compare(a, b))
		})
		const most = 8
		fmt.Fprintln(w, "worth a look, although the documents were made:")
		for _, k := range keys[:min(len(keys), most)] {
			fmt.Fprintf(w, "  %s (%s)\n", k, of(sum.Warnings[k], "row"))
		}
		if len(keys) > most {
			fmt.Fprintf(w, "  and %d other questions; --json tells all, row by row\n", len(keys)-most)
		}
	}
	const mostFiles = 5
	for _, o := range sum.Outdated[:min(len(sum.Outdated), mostFiles)] {
		fmt.Fprintf(w, "row %d is not done; %s is of what it said before\n", o.Row, o.File)
	}
	if n := len(sum.Outdated) - mostFiles; n > 0 {
		fmt.Fprintf(w, "%s of what rows said before that are not done now\n", of(n, "more document"))
	}
	if n := len(sum.Stale); n > 0 {
		fmt.Fprintf(w, "also in the folder, of rows that this file does not have: %s", strings.Join(sum.Stale[:min(n, mostFiles)], ", "))
		if n > mostFiles {
			fmt.Fprintf(w, " and %d more", n-mostFiles)
		}
		fmt.Fprintln(w)
	}
	if len(sum.Waiting) > 0 {
		fmt.Fprintf(w, "still to be corrected from before, and not in this file: %s\n", batch.Rows(sum.Waiting))
	}
	if len(sum.TakenOut) > 0 {
		fmt.Fprintf(w, "taken out of the file with the rows to correct, and not done: %s; a run of the first file brings back what is wanted\n", batch.Rows(sum.TakenOut))
	}
	switch {
	case sum.Fix != "":
		fix := filepath.Join(dir, sum.Fix)
		fmt.Fprintf(w, "the rows that were not done are in %s, with what is wrong; correct them there and then run:\n  caseforms batch %s %s -o %s\n", fix, t.inv.args[0], fix, dir)
		if sum.FixLeftOut > 0 {
			fmt.Fprintf(w, "it has the first %d of them; the other %d come when the same command is run again\n", batch.MaxFix, sum.FixLeftOut)
		}
	case sum.Rest() == 0 && sum.Rejected+len(sum.TakenOut) == 0:
		fmt.Fprintln(w, "everything is done")
	}
}
