package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/render"
	"caseforms/templates"
)

var recordCommand = &command{
	name: "record", args: "FORM CASE", does: "issue a form: fill it, keep it for good, print its reference",
	example: "caseforms record cp1 samples/cases/01-simple.json -o cp1.pdf", stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.StringVarP(&o.output, "output", "o", "", "write the first file here as well, - for standard output")
		inv.set.StringSliceVar(&o.formats, "format", []string{"pdf"}, "pdf, xlsx, html, txt or json; several with commas")
		inv.set.StringVar(&o.profile, "profile", "archive", "of a PDF: archive, or reply (filled in by the recipient)")
		inv.copyFlag()
		inv.forFlag()
		inv.areaFlag()
		inv.set.StringVar(&o.again, "again", "", "reference of the document of which this is a new version (with --why)")
		inv.set.StringVar(&o.why, "why", "", "the reason for a new version")
		inv.set.StringArrayVar(&o.reasons, "reason", nil, "KEY=WHY: why it is issued although this answer has a warning; WHY alone: for all that are not answered, and of an urgent form for everything")
		inv.set.StringVar(&o.caseID, "case", "", "the case it belongs to (default: found by CRN, prison number or PNC ID, else a new one)")
		inv.set.StringVar(&o.draftID, "draft", "", "issue this draft, which then goes; without FORM and CASE")
		inv.set.IntVar(&o.base, "base", 0, "with --draft or --again: the version, or issue, that you have seen")
		inv.set.IntVar(&o.seenIssue, "seen-issue", 0, "with --draft of a new version: the latest issue that you have seen, where it is not the one that the draft was begun from")
		inv.set.BoolVar(&o.samePerson, "same-person", false, "with --case: it is the same person although the name is quite another")
		inv.set.BoolVar(&o.force, "force", false, "overwrite the file if it is there")
	},
	run: record,
}

func record(ctx context.Context, inv *invocation) error {
	o := &inv.opt
	r := casework.Record{Copy: o.copy, For: o.addressee, Why: o.why, Base: o.base, Seen: o.seenIssue, SamePerson: o.samePerson}
	for _, s := range o.reasons {
		r.Reasons = append(r.Reasons, reason(s))
	}
	var err error
	if o.draftID != "" {
		if err := inv.want(0, 0); err != nil {
			return err
		}
		var ok bool
		if r.Draft, ok = caseforms.ParseDraftID(o.draftID); !ok {
			return errUsage{quoted(o.draftID) + " is not the name of a draft"}
		}
	} else {
		if err := inv.want(2, 2); err != nil {
			return err
		}
		r.Form = inv.args[0]
		if r.Area, err = inv.areaName(); err != nil {
			return err
		}
	}
	for _, f := range o.formats {
		out := casework.Output{Format: render.Format(strings.ToLower(f))}
		if !slices.Contains(render.Formats, out.Format) {
			return errUsage{"there is no format " + quoted(f) + ": pdf, xlsx, html, txt or json"}
		}
		if out.Format == render.FormatPDF {
			if out.Profile = render.Profile(o.profile); out.Profile != render.ProfileArchive && out.Profile != render.ProfileReply {
				return errUsage{"a document is recorded as archive or reply; a sealed file is made when it is sent"}
			}
		}
		r.Outputs = append(r.Outputs, out)
	}
	if o.again != "" {
		if r.Again, err = inv.ref(o.again); err != nil {
			return err
		}
	}
	if o.caseID != "" {
		if r.CaseID, err = inv.caseID(o.caseID); err != nil {
			return err
		}
	}
	if r.Draft == "" {
		if r.Case, err = inv.read(ctx, inv.args[1]); err != nil {
			return err
		}
	}
	if err := inv.free(o.output, o.force); err != nil {
		return err
	}
	if err := inv.firstStore(r); err != nil {
		return err
	}
	return inv.at(ctx, true, func(k *casework.Desk, a caseforms.Actor) error {
		out, ps, err := k.Record(ctx, a, r)
		var refused *casework.Refused
		if errors.As(err, &refused) {
			refused.Problems = inv.from(refused.Problems)
		}
		var unexplained *casework.Unexplained
		if errors.As(err, &unexplained) {
			unexplained.Problems = inv.from(unexplained.Problems)
		}
		if err != nil {
			return err
		}
		if inv.json {
			inv.object(inv.stdout, "type", "recorded", "ref", string(out.Ref), "issue", out.Version, "case", string(out.Case), "new_case", out.NewCase, "form", out.Document.Form, "files", len(out.Files))
		} else {
			fmt.Fprintln(inv.stdout, out.Ref)
		}
		inv.summary(inv.from(ps), r)
		inv.missing(out.Document, out.Files[0].Report)
		if !inv.json {
			what := "case " + string(out.Case)
			if out.NewCase {
				what = "new " + what
			}
			if out.Version > 1 {
				what = fmt.Sprintf("issue %d, %s", out.Version, what)
			}
			fmt.Fprintf(inv.stderr, "recorded %s (%s)\n", out.Ref, what)
		}
		if o.output == "" {
			return nil
		}
		if err := inv.put(o.output, out.Files[0].Data, o.force); err != nil {
			var e *caseforms.Error
			if errors.As(err, &e) {
				e.Hint = "the document is recorded all the same: caseforms show " + string(out.Ref) + " -o FILE writes it elsewhere"
			}
			return err
		}
		return nil
	})
}

// keyBefore is the key path that a reason begins with.
var keyBefore = regexp.MustCompile(`^([a-z][a-z0-9_]*(?:\[[0-9]+\])?(?:\.[a-z0-9_]+(?:\[[0-9]+\])?)*)=`)

func reason(s string) caseforms.Reason {
	if m := keyBefore.FindStringSubmatch(s); m != nil {
		return caseforms.Reason{Key: m[1], Why: s[len(m[0]):]}
	}
	return caseforms.Reason{Why: s}
}

// summary tells the problems that did not stand against it. Of an urgent referral there may be a great many, and what matters is the reference.
func (inv *invocation) summary(ps []caseforms.Problem, r casework.Record) {
	const most = 8
	if inv.json || len(ps) <= most {
		inv.problems(inv.stderr, ps)
		return
	}
	var about []caseforms.Problem // those about the case and the store come whatever their number
	for _, p := range ps {
		if p.Label == "" {
			about = append(about, p)
		}
	}
	inv.problems(inv.stderr, about)
	fmt.Fprintf(inv.stderr, "warning: %d answers are missing or look odd; it was issued all the same\n  hint: caseforms check %s lists them\n", len(ps)-len(about), r.Form)
}

// firstStore makes sure that a store is not made for a form that is refused, and tells where one is made: whoever mistyped a folder should see
// it, and the key has to be kept.
func (inv *invocation) firstStore(r casework.Record) error {
	o, err := inv.storeOptions()
	if err != nil || store.Exists(o.Dir) || r.Case == nil {
		return err
	}
	d, err := templates.Load(r.Area)
	if err != nil {
		return err
	}
	f, err := d.Form(r.Form)
	if err != nil {
		return err
	}
	c, ps := d.Decode(r.Case, f)
	if c != nil {
		if ps, err = d.Check(f, c, caseforms.FillOptions{Today: inv.today(), For: r.For, Copy: r.Copy}); err != nil {
			return err
		}
	}
	if caseforms.Blocks(ps) {
		return &casework.Refused{Problems: inv.from(ps)}
	}
	if _, missing, err := caseforms.Reasons(r.Case, ps, d.Urgent(f, c), nil, r.Reasons); err != nil {
		return err
	} else if len(missing) > 0 {
		return &casework.Unexplained{Problems: inv.from(missing)}
	}
	if !inv.json {
		fmt.Fprintf(inv.stderr, "a new store is made in %s; keep a copy of its key where the data is not (caseforms config check tells where it is)\n", o.Dir)
	}
	return nil
}

// from names the file that problems come from, where there is one.
func (inv *invocation) from(ps []caseforms.Problem) []caseforms.Problem {
	if len(inv.args) < 2 {
		return ps
	}
	return inv.placed(ps)
}

// free refuses an output that is there already, before anything is done that cannot be undone.
func (inv *invocation) free(name string, force bool) error {
	if name == "" || name == "-" || force {
		return nil
	}
	if exists(name) {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is a file of this name already", Hint: "choose another with -o, or overwrite it with --force"}
	}
	if !exists(filepath.Dir(name)) {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the folder of the file is not there", Hint: "make it, or choose another with -o"}
	}
	return nil
}

// put writes a result to a file, or to standard output.
func (inv *invocation) put(name string, data []byte, force bool) error {
	if name == "-" {
		_, err := inv.stdout.Write(data)
		return err
	}
	if err := writeFile(name, data, force); err != nil {
		return err
	}
	if inv.json {
		inv.object(inv.stdout, "type", "file", "file", name)
	} else {
		fmt.Fprintf(inv.stderr, "wrote %s\n", name)
	}
	return nil
}

// ref reads a reference that was typed.
func (inv *invocation) ref(s string) (caseforms.Ref, error) {
	ref, ok := caseforms.ParseRef(s)
	if !ok {
		return "", &caseforms.Error{Kind: caseforms.Invalid, Msg: word(s) + " is not a reference of ours", Hint: "a reference looks like CF-7K3M-Q9ZQ; its last letter checks the others, so look for a wrong one"}
	}
	return ref, nil
}

func (inv *invocation) caseID(s string) (caseforms.CaseID, error) {
	id, ok := caseforms.ParseCaseID(s)
	if !ok {
		return "", &caseforms.Error{Kind: caseforms.Invalid, Msg: word(s) + " is not the name of a case", Hint: "it looks like CS-7K3M-Q9ZQ; caseforms find looks for one"}
	}
	return id, nil
}

// word is something that was typed where one word belongs. What has spaces in it may be a name and is not repeated.
func word(s string) string {
	if strings.ContainsAny(strings.TrimSpace(s), " \t") {
		return "this"
	}
	return quoted(s)
}

// clock is how a time is shown to people.
func clock(t time.Time) string { return caseforms.London(t).Format("15:04 on 2 January 2006") }

// stamp is how a time is given to programs.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

var draftCommand = &command{
	name: "draft", args: "save|list|show|drop …", does: "keep a form that is not finished: draft save FORM CASE, draft save DRAFT CASE --base N, draft show DRAFT",
	example: "caseforms draft save cp1 samples/cases/03-urgent.json", stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.IntVar(&o.base, "base", 0, "of a draft that is there: the version that you have seen (draft save, draft drop)")
		inv.set.StringVar(&o.caseID, "case", "", "the case it belongs to (default: found by its numbers)")
		inv.set.StringVarP(&o.output, "output", "o", "-", "draft show: file to write the case record to")
		inv.set.BoolVar(&o.force, "force", false, "overwrite the file if it is there")
		inv.areaFlag()
	},
	run: draft,
}

func draft(ctx context.Context, inv *invocation) error {
	if len(inv.args) == 0 {
		return errUsage{"draft save, draft list, draft show or draft drop"}
	}
	words := map[string]int{"save": 3, "list": 1, "show": 2, "drop": 2}
	n, ok := words[inv.args[0]]
	if !ok || len(inv.args) != n {
		return errUsage{"draft save FORM CASE, draft save DRAFT CASE --base N, draft list, draft show DRAFT, draft drop DRAFT"}
	}
	var id caseforms.DraftID
	if n > 1 {
		id, ok = caseforms.ParseDraftID(inv.args[1])
		if !ok && inv.args[0] != "save" {
			return errUsage{quoted(inv.args[1]) + " is not the name of a draft"}
		}
	}
	switch inv.args[0] {
	case "save":
		return inv.saveDraft(ctx, id)
	case "show":
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			d, err := k.Draft(ctx, a, id)
			if err != nil {
				return err
			}
			if inv.json {
				inv.draft(d)
			} else {
				fmt.Fprintf(inv.stderr, "version %d, saved by %s at %s\n", d.Version, d.ChangedByName, clock(d.Changed))
			}
			return inv.put(inv.opt.output, append(d.Content, '\n'), inv.opt.force)
		})
	case "drop":
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			return inv.done(k.DropDraft(ctx, a, id, inv.opt.base), "thrown away")
		})
	}
	return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		ds, err := k.Drafts(ctx, a)
		for i := range ds {
			inv.draft(&ds[i])
		}
		return err
	})
}

func (inv *invocation) draft(d *casework.Draft) {
	if inv.json {
		inv.object(inv.stdout, "type", "draft", "draft", string(d.ID), "version", d.Version, "form", d.Form, "case", string(d.Case), "changed_at", stamp(d.Changed), "changed_by", d.ChangedByName)
		return
	}
	fmt.Fprintf(inv.stdout, "%s  %s, version %d, saved by %s at %s  %s\n", d.ID, d.Form, d.Version, d.ChangedByName, clock(d.Changed), d.Case)
}

func (inv *invocation) saveDraft(ctx context.Context, id caseforms.DraftID) error {
	r := casework.SaveDraft{ID: id, Base: inv.opt.base}
	var err error
	if id == "" {
		if strings.HasPrefix(strings.ToUpper(inv.args[1]), "DR-") {
			return errUsage{word(inv.args[1]) + " is not the name of a draft: a letter in it is wrong"}
		}
		r.Form = inv.args[1]
		if r.Area, err = inv.areaName(); err != nil {
			return err
		}
	} else if r.Base == 0 {
		return errUsage{"a draft that is there is saved with --base N, the version that you have seen"}
	}
	if inv.opt.caseID != "" {
		if r.Case, err = inv.caseID(inv.opt.caseID); err != nil {
			return err
		}
	}
	file := inv.args[2]
	if r.Content, err = inv.read(ctx, file); err != nil {
		return err
	}
	inv.args = []string{inv.args[0], file} // where problems are said to come from
	return inv.at(ctx, true, func(k *casework.Desk, a caseforms.Actor) error {
		d, err := k.SaveDraft(ctx, a, r)
		var c *casework.DraftConflict
		var refused *casework.Refused
		switch {
		case errors.As(err, &refused):
			inv.problems(inv.stderr, inv.from(refused.Problems))
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the case record cannot be read; nothing was saved", Hint: "put right what is told above; anything that can be read may be saved"}
		case errors.As(err, &c):
			inv.conflict(c)
			return errReported
		case err != nil:
			return err
		}
		if inv.json {
			inv.draft(d)
		} else {
			fmt.Fprintln(inv.stdout, d.ID)
			fmt.Fprintf(inv.stderr, "saved version %d\n", d.Version)
		}
		return nil
	})
}

// conflict shows both versions of a draft where they differ.
func (inv *invocation) conflict(c *casework.DraftConflict) {
	hint := fmt.Sprintf("put the two together, then save with --base %d; caseforms draft show %s has theirs", c.Theirs.Version, c.Theirs.ID)
	inv.complain(&caseforms.Error{Kind: caseforms.Conflict, Msg: c.Error(), Hint: hint})
	for _, d := range c.Differences {
		if inv.json {
			inv.object(inv.stderr, "type", "difference", "key", d.Key, "label", d.Label, "theirs", d.Theirs, "yours", d.Yours)
			continue
		}
		fmt.Fprintf(inv.stderr, "%s (%s)\n  theirs: %s\n  yours:  %s\n", strings.TrimRight(d.Label, " :"), d.Key, orNothing(d.Theirs), orNothing(d.Yours))
	}
}

func orNothing(s string) string {
	if s == "" {
		return "(not answered)"
	}
	return s
}
