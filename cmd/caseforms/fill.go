package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"caseforms"
	"caseforms/render"
)

var checkCommand = &command{
	name: "check", args: "FORM CASE", does: "tell every problem of a case in the order of the form; write nothing",
	example: "caseforms check cp1 samples/cases/01-simple.json",
	flags: func(inv *invocation) {
		inv.copyFlag()
		inv.areaFlag()
		inv.forFlag()
	},
	run: func(ctx context.Context, inv *invocation) error {
		if err := inv.want(2, 2); err != nil {
			return err
		}
		j, err := inv.load(ctx)
		if err != nil {
			return err
		}
		ps, err := j.check(inv)
		if err != nil {
			return err
		}
		blocks := caseforms.Blocks(ps)
		if inv.json {
			inv.problems(inv.stderr, ps)
			inv.object(inv.stdout, "type", "check", "form", j.form.ID, "version", j.form.Version, "issuable", !blocks, "problems", len(ps))
		} else {
			inv.problems(inv.stdout, ps)
			if len(ps) == 0 {
				fmt.Fprintln(inv.stderr, "nothing to complain of")
			}
		}
		if blocks {
			return errReported
		}
		return nil
	},
}

var fillCommand = &command{
	name: "fill", args: "FORM CASE -o FILE", does: "fill a form from a case and write it as a document",
	example: "caseforms fill cp1 samples/cases/01-simple.json -o cp1.pdf",
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.StringVarP(&o.output, "output", "o", "", "file to write, - for standard output (default FORM.pdf here)")
		inv.set.StringVar(&o.format, "format", "", "pdf, xlsx, html, txt or json (default by the file's ending, else pdf)")
		inv.set.BoolVar(&o.draft, "draft", false, "print it although answers are missing, marked DRAFT on every page")
		inv.set.BoolVar(&o.blank, "blank", false, "the empty printable form; no CASE")
		inv.copyFlag()
		inv.set.StringVar(&o.profile, "profile", "archive", "what it is for: archive, reply (filled in by the recipient) or secure (sealed with a password; pdf and xlsx)")
		inv.set.StringVar(&o.passwordFile, "password-file", "", "file whose first line is the password of a secure document")
		inv.set.BoolVar(&o.force, "force", false, "overwrite the file if it is there")
		inv.areaFlag()
		inv.forFlag()
	},
	run: fill,
}

func (inv *invocation) copyFlag() {
	inv.set.StringVar(&inv.opt.copy, "copy", caseforms.CopyFull, "which copy: full, disclosable or annex, as the form has them")
}

func (inv *invocation) forFlag() {
	inv.set.StringVar(&inv.opt.addressee, "for", "", "of several authorities or agencies, the one it is for (default the first)")
}

// job is a form and the case it is to be filled from.
type job struct {
	d    *caseforms.Definitions
	form *caseforms.Form
	c    *caseforms.Case
}

func (j *job) options(inv *invocation) caseforms.FillOptions {
	return caseforms.FillOptions{Today: inv.today(), For: inv.opt.addressee, Copy: inv.opt.copy, Draft: inv.opt.draft, Blank: inv.opt.blank}
}

// load reads the form and, unless a blank one is wanted, the case. Problems of the case are told before it returns.
func (inv *invocation) load(ctx context.Context) (*job, error) {
	d, err := inv.definitions()
	if err != nil {
		return nil, err
	}
	f, err := d.Form(inv.args[0])
	if err != nil {
		return nil, err
	}
	j := &job{d: d, form: f}
	if inv.opt.blank {
		return j, nil
	}
	data, err := inv.read(ctx, inv.args[1])
	if err != nil {
		return nil, err
	}
	c, ps := d.Decode(data, f)
	if c == nil {
		inv.problems(inv.stderr, inv.placed(ps))
		return nil, errReported
	}
	j.c = c
	return j, nil
}

// check judges the case; problems with a line get the file's name.
func (j *job) check(inv *invocation) ([]caseforms.Problem, error) {
	ps, err := j.d.Check(j.form, j.c, j.options(inv))
	return inv.placed(ps), err
}

func (inv *invocation) placed(ps []caseforms.Problem) []caseforms.Problem {
	for i := range ps {
		ps[i].File = filepath.Base(inv.args[1])
		if inv.args[1] == "-" {
			ps[i].File = "standard input"
		}
	}
	return ps
}

// read takes a case from a file or standard input.
func (inv *invocation) read(ctx context.Context, name string) ([]byte, error) {
	return interruptible(ctx, "the case cannot be read", func() ([]byte, error) {
		r := inv.stdin
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			r = f
		}
		return io.ReadAll(io.LimitReader(r, caseforms.MaxCaseBytes+1))
	})
}

// interruptible reads something. Whoever waits at the other end of a pipe can be interrupted.
func interruptible(ctx context.Context, failed string, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := read()
		done <- result{data, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		if r.err != nil {
			return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: failed, Err: plain(r.err)}
		}
		return r.data, nil
	}
}

// password is the first line of the password file, without its ending. A file that others can read is told of.
func (inv *invocation) password(ctx context.Context) (string, error) {
	const most = 1 << 10 // of a password; one that is longer is refused for its length
	var mode fs.FileMode
	data, err := interruptible(ctx, "the password file cannot be read", func() ([]byte, error) {
		f, err := os.Open(inv.opt.passwordFile)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			mode = info.Mode()
		}
		return io.ReadAll(io.LimitReader(f, most))
	})
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return "", &caseforms.Error{Kind: caseforms.Invalid, Msg: "the first line of the password file is empty", Hint: "write the password there and nothing else"}
	}
	if runtime.GOOS != "windows" && mode.IsRegular() && mode.Perm()&0o044 != 0 { // elsewhere the bits say nothing
		inv.problems(inv.stderr, []caseforms.Problem{{Severity: caseforms.Warning, Msg: "the password file can be read by other people", Hint: "chmod 600 keeps it to you"}})
	}
	return string(line), nil
}

// plain is a file error without the path: the person typed it, and it may hold a name.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}

func fill(ctx context.Context, inv *invocation) error {
	o := &inv.opt
	words := 2
	if o.blank {
		words = 1
	}
	if err := inv.want(words, words); err != nil {
		return err
	}
	switch o.profile {
	case "archive", "reply":
		if o.passwordFile != "" {
			return errUsage{"a password goes with the profile secure only"}
		}
	case "secure":
		if o.passwordFile == "" {
			return errUsage{"the profile secure needs a password: --password-file FILE"}
		}
	default:
		return errUsage{"there is no profile " + quoted(o.profile) + ": archive, reply or secure"}
	}
	if o.blank && o.draft {
		return errUsage{"a blank form is no draft"}
	}
	format, err := inv.format()
	if err != nil {
		return err
	}
	if o.output == "" {
		o.output = inv.args[0] + "." + string(format)
	}
	options := render.Options{Profile: render.Profile(o.profile)}
	if o.passwordFile != "" {
		if options.Password, err = inv.password(ctx); err != nil {
			return err
		}
	}
	if err := options.Check(format); err != nil {
		return err
	}
	j, err := inv.load(ctx)
	if err != nil {
		return err
	}
	if !o.blank {
		ps, err := j.check(inv)
		if err != nil {
			return err
		}
		inv.problems(inv.stderr, ps)
		if caseforms.Blocks(ps) && !o.draft {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the form cannot be issued yet; nothing was written", Hint: "answer what is missing, or print it with --draft"}
		}
	}
	doc, err := j.d.Fill(j.form, j.c, j.options(inv))
	if err != nil {
		return err
	}
	var out bytes.Buffer
	rep, err := render.Write(&out, doc, format, options)
	if err != nil {
		return err
	}
	inv.missing(doc, rep)
	inv.leftOut(j, doc)
	if o.profile == string(render.ProfileReply) && !answerable(doc) {
		inv.problems(inv.stderr, []caseforms.Problem{{Severity: caseforms.Warning, Msg: "this copy has nothing that the recipient could fill in", Hint: "the forms check, cp1, pp1 and pp3 have a part for the recipient on their full copy"}})
	}
	if err := ctx.Err(); err != nil {
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
		inv.object(inv.stdout, "type", "file", "file", o.output, "form", j.form.ID, "version", j.form.Version, "format", string(format), "pages", rep.Pages)
	} else {
		fmt.Fprintf(inv.stderr, "wrote %s\n", o.output)
	}
	return nil
}

// answerable tells whether the recipient finds something to fill in.
func answerable(doc *caseforms.Document) bool {
	found := false
	doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) { found = found || a.Reply })
	return found
}

// leftOut tells what a copy for others withholds, to whoever makes it: by label and reason, never what it says.
func (inv *invocation) leftOut(j *job, doc *caseforms.Document) {
	if inv.opt.copy == caseforms.CopyFull {
		return
	}
	for _, l := range doc.LeftOut {
		why := j.d.Word("sensitive_" + string(l.Why))
		if inv.json {
			inv.object(inv.stderr, "type", "left_out", "key", l.Key, "label", l.Label, "section", l.Section, "why", string(l.Why))
		} else {
			fmt.Fprintf(inv.stderr, "left out: %s (%s): %s\n", strings.TrimRight(l.Label, " :"), l.Key, strings.ToLower(why))
		}
	}
}

// missing reports letters that no embedded font has, by answer, each once.
func (inv *invocation) missing(doc *caseforms.Document, rep render.Report) {
	seen := map[render.Glyph]bool{}
	var ps []caseforms.Problem
	for _, g := range rep.Missing {
		if seen[g] {
			continue
		}
		seen[g] = true
		p := caseforms.Problem{Severity: caseforms.Warning, Msg: fmt.Sprintf("has the letter U+%04X, which no embedded font has; it is printed as a question mark", g.Rune),
			Hint: "the letter itself can be copied from the file; write it another way if it must be read on paper"}
		doc.Answers(func(s *caseforms.DocSection, a *caseforms.Answer) {
			if a.Key == g.Key {
				p.Label, p.Section = a.Label, s.Title
			}
		})
		ps = append(ps, p)
	}
	inv.problems(inv.stderr, ps)
}

func (inv *invocation) format() (render.Format, error) {
	if f := render.Format(strings.ToLower(inv.opt.format)); f != "" {
		if !slices.Contains(render.Formats, f) {
			return "", errUsage{"there is no format " + quoted(inv.opt.format) + ": pdf, xlsx, html, txt or json"}
		}
		return f, nil
	}
	ending := render.Format(strings.ToLower(strings.TrimPrefix(filepath.Ext(inv.opt.output), ".")))
	if slices.Contains(render.Formats, ending) {
		return ending, nil
	}
	return render.FormatPDF, nil
}

// writeFile puts a whole file in place or none: it is written beside its place and then renamed. Only the owner may read it.
func writeFile(name string, data []byte, force bool) (err error) {
	fail := func(err error) error {
		return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the file cannot be written", Err: plain(err)}
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "this is a folder; a file is needed", Hint: "name the file in it with -o"}
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".caseforms-*")
	if err != nil {
		return fail(err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(data); err != nil {
		return fail(err)
	}
	return place(f, name, force)
}

// place puts a file that was written beside its place there, on the disk and whole.
func place(f *os.File, name string, force bool) error {
	fail := func(err error) error {
		return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the file cannot be written", Err: plain(err)}
	}
	if err := f.Sync(); err != nil {
		return fail(err)
	}
	if err := f.Close(); err != nil {
		return fail(err)
	}
	if !force {
		// A link refuses to replace what is there, also when it came to be there a moment ago. Where links do not exist, looking has to do.
		switch err := os.Link(f.Name(), name); {
		case err == nil:
			return removed(os.Remove(f.Name()), fail)
		case errors.Is(err, fs.ErrExist):
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is a file of this name already", Hint: "choose another with -o, or overwrite it with --force"}
		}
		if _, err := os.Lstat(name); err == nil {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is a file of this name already", Hint: "choose another with -o, or overwrite it with --force"}
		}
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return fail(err)
	}
	return nil
}

func removed(err error, fail func(error) error) error {
	if err != nil {
		return fail(err)
	}
	return nil
}
