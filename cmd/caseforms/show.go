package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/render"
)

var showCommand = &command{
	name: "show", args: "REF", does: "tell all that happened with a document; -o writes it out as it was issued",
	example: "caseforms show CF-7K3M-Q9ZQ", stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.StringVarP(&o.output, "output", "o", "", "write the document here as it was issued, - for standard output")
		inv.set.StringVar(&o.format, "format", "", "with -o: which of its files (default by the file's ending, else the first)")
		inv.set.IntVar(&o.issue, "issue", 0, "with -o: which issue (default the latest)")
		inv.set.BoolVar(&o.force, "force", false, "overwrite the file if it is there")
	},
	run: show,
}

func show(ctx context.Context, inv *invocation) error {
	if err := inv.want(1, 1); err != nil {
		return err
	}
	ref, err := inv.ref(inv.args[0])
	if err != nil {
		return err
	}
	if inv.opt.output != "" {
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error { return inv.openFile(ctx, k, a, ref) })
	}
	return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		t, err := k.Show(ctx, a, ref)
		if err != nil {
			return err
		}
		inv.timeline(t)
		return nil
	})
}

// openFile writes a file of a document as it was issued.
func (inv *invocation) openFile(ctx context.Context, k *casework.Desk, a caseforms.Actor, ref caseforms.Ref) error {
	o := &inv.opt
	if err := inv.free(o.output, o.force); err != nil {
		return err
	}
	files, err := k.Open(ctx, a, ref, o.issue)
	if err != nil {
		return err
	}
	want := strings.ToLower(o.format)
	if want == "" {
		_, want, _ = strings.Cut(strings.ToLower(o.output[max(0, strings.LastIndexAny(o.output, "./")):]), ".")
	}
	at := slices.IndexFunc(files, func(f casework.Opened) bool { return f.Format == want })
	if at < 0 {
		if o.format != "" || slices.Contains(render.Formats, render.Format(want)) {
			var have []string
			for _, f := range files {
				have = append(have, f.Format)
			}
			return &caseforms.Error{Kind: caseforms.NotFound, Msg: "it was not issued as " + quoted(want), Hint: "it was issued as " + strings.Join(have, ", ")}
		}
		at = 0
	}
	return inv.put(o.output, files[at].Data, o.force)
}

func person(c casework.Card) string {
	s := c.Name
	if c.DOB != "" {
		born := c.DOB
		if t, err := time.Parse(time.DateOnly, c.DOB); err == nil {
			born = t.Format("2 January 2006")
		}
		s += ", born " + born
	}
	for _, id := range []string{c.CRN, c.PrisonNumber, c.PNC} {
		if id != "" {
			s += ", " + id
		}
	}
	return s
}

func (inv *invocation) timeline(t *casework.Timeline) {
	if inv.json {
		inv.object(inv.stdout, "type", "document", "ref", string(t.Ref), "case", string(t.Case), "form", t.Form, "copy", t.Copy, "issues", len(t.Versions))
		for _, v := range t.Versions {
			inv.object(inv.stdout, "type", "issue", "issue", v.Number, "form_version", v.FormVersion, "at", stamp(v.Issued), "by", v.By, "erased_at", stamp(v.Erased), "superseded", v.Number < len(t.Versions))
			for _, r := range v.Reasons {
				inv.object(inv.stdout, "type", "reason", "issue", v.Number, "key", r.Key, "warning", r.Says, "why", r.Why)
			}
		}
		for n, h := range t.HandOffs {
			inv.object(inv.stdout, "type", "hand_off", "hand_off", n+1, "issue", h.Version, "by", h.Channel, "to", h.To, "day", h.Day.String(), "state", string(h.State), "outcome", h.Outcome, "urgent", h.Urgent)
		}
		inv.due(t.Due)
		inv.outgoing(t.Sends)
		for i := range t.Mail {
			inv.came(&t.Mail[i])
		}
		for _, e := range t.Events {
			inv.object(inv.stdout, "type", "event", "at", stamp(e.At), "by", e.By, "what", e.What, "why", e.Detail["why"], "erased", e.Erased)
		}
		return
	}
	w := inv.stdout
	fmt.Fprintf(w, "%s  %s, copy %s\ncase %s  %s\n\n", t.Ref, t.Title, t.Copy, t.Case, person(t.Card))
	for _, v := range t.Versions {
		var files []string
		for _, f := range v.Files {
			files = append(files, fmt.Sprintf("%s (%d kB)", f.Format, (f.Size+1023)>>10))
		}
		state := "current"
		if v.Number < len(t.Versions) {
			state = "superseded"
		}
		if !v.Erased.IsZero() {
			state = "erased at " + clock(v.Erased)
		}
		fmt.Fprintf(w, "issue %d  %s  by %s, form version %s: %s  %s\n", v.Number, clock(v.Issued), v.By, v.FormVersion, strings.Join(files, ", "), state)
	}
	for n, h := range t.HandOffs {
		line := fmt.Sprintf("hand-off %d  issue %d by %s on %s", n+1, h.Version, h.Channel, h.Day.Long())
		if h.To != "" {
			line += " to " + h.To
		}
		switch {
		case h.Outcome != "":
			line += ": " + h.Outcome
			if h.State == store.HandOffPart {
				line += " (of some of the children)"
			}
		case h.State == store.HandOffOpen:
			line += ": not answered; due " + h.AnswerBy.Long()
		}
		fmt.Fprintln(w, line)
	}
	inv.due(t.Due)
	inv.outgoing(t.Sends)
	for i := range t.Mail {
		inv.came(&t.Mail[i])
	}
	fmt.Fprintln(w)
	for _, e := range t.Events {
		line := fmt.Sprintf("%s  %s: %s", clock(e.At), e.By, e.What)
		if rule := e.Detail["rule"]; rule != "" {
			line += " (" + rule + ")"
		}
		if label := e.Detail["label"]; label != "" {
			line += ": " + label
		}
		switch {
		case e.Erased:
			line += " (details erased)"
		case e.Detail["why"] != "":
			line += " – " + e.Detail["why"]
		case e.Detail["text"] != "":
			line += " – " + e.Detail["text"]
		case e.Detail["wanted"] != "":
			line += " to " + e.Detail["wanted"]
		}
		fmt.Fprintln(w, line)
		if words := e.Detail["reasons"]; words != "" && !e.Erased {
			fmt.Fprintln(w, "  "+strings.ReplaceAll(words, "\n", "\n  "))
		}
	}
}

var findCommand = &command{
	name: "find", args: "WORDS", does: "look for cases by name, date of birth, reference or identifier; - reads them from standard input",
	example: "caseforms find Placeholder 1990-01-31", stores: true,
	flags: func(*invocation) {},
	run: func(ctx context.Context, inv *invocation) error {
		if len(inv.args) == 0 {
			return errUsage{"too few words: find WORDS"}
		}
		if err := inv.typed(ctx); err != nil {
			return err
		}
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			found, more, err := k.Find(ctx, a, strings.Join(inv.args, " "))
			if err != nil {
				return err
			}
			inv.found(found, more)
			if len(found) == 0 {
				return &caseforms.Error{Kind: caseforms.NotFound, Msg: "nothing was found", Hint: "names are looked for by whole words, as they are spelt; dates as 2014-05-03 or 3/5/2014"}
			}
			return nil
		})
	},
}

// typed reads the words from standard input instead of - , so that a name need not stand where everybody on the machine can see it.
func (inv *invocation) typed(ctx context.Context) error {
	if len(inv.args) != 1 || inv.args[0] != "-" {
		return nil
	}
	b, err := inv.readFile(ctx, "-", 4<<10, "the words cannot be read")
	inv.args = strings.Fields(string(b))
	return err
}

func (inv *invocation) found(found []casework.Found, more bool) {
	for _, f := range found {
		var refs []string
		for _, r := range f.Documents {
			refs = append(refs, string(r))
		}
		if inv.json {
			inv.object(inv.stdout, "type", "case", "case", string(f.Case), "name", f.Card.Name, "dob", f.Card.DOB, "crn", f.Card.CRN, "prison_number", f.Card.PrisonNumber, "named_in", f.Named,
				"restricted", f.Restricted, "documents", strings.Join(refs, " "))
			continue
		}
		line := person(f.Card)
		if f.Named {
			line = "somebody named in the case of " + line
		}
		if f.Restricted {
			line = "you may not see this case; ask your manager or an admin if you need it"
		}
		if line == "" {
			line = "erased"
		}
		fmt.Fprintf(inv.stdout, "%s  %s\n", f.Case, line)
		for _, r := range refs {
			fmt.Fprintf(inv.stdout, "  %s\n", r)
		}
	}
	if more {
		fmt.Fprintln(inv.stderr, "there are more; say more of whom you look for")
	}
}

var verifyCommand = &command{
	name: "verify", args: "FILE|REF|ledger", does: "tell whether a file is exactly what was issued, or check a document, or the whole store",
	example: "caseforms verify cp1.pdf", stores: true,
	flags: func(inv *invocation) {
		inv.set.StringVar(&inv.opt.against, "against", "", "verify ledger: file with an older checkpoint, to show that nothing before it was changed")
		inv.set.StringVarP(&inv.opt.output, "output", "o", "", "verify ledger: file to write the signed checkpoint to; keep it elsewhere")
		inv.set.BoolVar(&inv.opt.force, "force", false, "overwrite the file if it is there")
	},
	run: verify,
}

// mostVerified bounds the file that is read to be verified.
const mostVerified = 256 << 20

func verify(ctx context.Context, inv *invocation) error {
	if err := inv.want(1, 1); err != nil {
		return err
	}
	if inv.args[0] == "ledger" {
		return inv.verifyLedger(ctx)
	}
	if inv.opt.against != "" || inv.opt.output != "" {
		return errUsage{"--against and -o go with: verify ledger"}
	}
	if ref, ok := caseforms.ParseRef(inv.args[0]); ok {
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			v, err := k.VerifyRef(ctx, a, ref)
			if err != nil {
				return err
			}
			return inv.verdict(v, "the stored document")
		})
	}
	if strings.HasPrefix(strings.ToUpper(inv.args[0]), "CF-") && !exists(inv.args[0]) {
		_, err := inv.ref(inv.args[0])
		return err
	}
	data, err := inv.readFile(ctx, inv.args[0], mostVerified, "the file cannot be read")
	if err != nil {
		return err
	}
	return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		v, err := k.VerifyFile(ctx, a, data)
		if err != nil {
			return err
		}
		return inv.verdict(v, "this file")
	})
}

// verdict tells what the store says of a file or a document.
func (inv *invocation) verdict(v *casework.Verdict, what string) error {
	superseded := v.Issued && v.Version < v.Latest
	if inv.json {
		inv.object(inv.stdout, "type", "verdict", "as_issued", v.Issued, "ref", string(v.Ref), "issue", v.Version, "form", v.Form, "at", stamp(v.At), "by", v.By, "ledger_record", int(v.Entry),
			"latest", v.Latest, "superseded", superseded, "erased_at", stamp(v.Erased), "mentions", string(v.Mentions), "problems", strings.Join(v.Problems, "; "))
	}
	say := func(format string, args ...any) {
		if !inv.json {
			fmt.Fprintf(inv.stdout, format+"\n", args...)
		}
	}
	switch {
	case len(v.Problems) > 0:
		say("%s, %s issue %d, is NOT as it was issued:", what, v.Ref, v.Version)
		for _, p := range v.Problems {
			say("  %s", p)
		}
	case !v.Issued && v.Mentions != "" && !v.Erased.IsZero():
		say("%s is not known here. It bears the reference %s, whose content was erased at %s, so it cannot be compared any more.", what, v.Mentions, clock(v.Erased))
	case !v.Issued && v.Mentions != "":
		say("%s is NOT what was issued. It bears the reference %s, but its bytes are others: it was changed, or another program saved it, or it was filled in.", what, v.Mentions)
	case !v.Issued:
		say("%s is NOT known here: no document with exactly these bytes was issued from this store. If a reference is printed on it: caseforms show REF.", what)
	case !v.Erased.IsZero():
		say("%s, issue %d, was issued at %s by %s; its content was erased at %s. Its history in the ledger is whole.", v.Ref, v.Version, clock(v.At), v.By, clock(v.Erased))
	default:
		say("%s is exactly what was issued: %s issue %d, form %s, at %s by %s (record %d of the ledger).", what, v.Ref, v.Version, v.Form, clock(v.At), v.By, v.Entry)
	}
	if superseded {
		say("It was SUPERSEDED by issue %d at %s.", v.Latest, clock(v.LatestAt))
	}
	if !v.Issued {
		return errReported
	}
	return nil
}

func (inv *invocation) verifyLedger(ctx context.Context) error {
	o := &inv.opt
	against := ""
	if o.against != "" {
		b, err := inv.readFile(ctx, o.against, 64<<10, "the checkpoint cannot be read")
		if err != nil {
			return err
		}
		against = string(b)
	}
	if err := inv.free(o.output, o.force); err != nil {
		return err
	}
	return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		v, err := k.VerifyAll(ctx, a, against)
		if err != nil {
			return err
		}
		if inv.json {
			inv.object(inv.stdout, "type", "ledger", "intact", len(v.Problems) == 0, "records", int(v.Records), "documents", v.Documents, "files", v.Files, "against", int(v.Against), "checkpoint", v.Checkpoint)
			for _, p := range v.Problems {
				inv.object(inv.stderr, "type", "problem", "severity", "error", "message", p)
			}
		} else if len(v.Problems) == 0 {
			fmt.Fprintf(inv.stdout, "intact: %d records in the ledger, %d documents, %d files\n", v.Records, v.Documents, v.Files)
			if v.Against > 0 {
				fmt.Fprintf(inv.stdout, "nothing of the first %d records was changed or removed since that checkpoint\n", v.Against)
			}
			fmt.Fprintf(inv.stdout, "\n%s", v.Checkpoint)
		} else {
			fmt.Fprintf(inv.stdout, "NOT intact:\n")
			for _, p := range v.Problems {
				fmt.Fprintf(inv.stdout, "  %s\n", p)
			}
			fmt.Fprintln(inv.stderr, "  hint: copy the data folder as it is and tell whoever is responsible for data protection")
		}
		if len(v.Problems) > 0 {
			return errReported
		}
		if o.output != "" {
			return inv.put(o.output, []byte(v.Checkpoint), o.force)
		}
		return nil
	})
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
