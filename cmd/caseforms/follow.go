package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/render"
)

// time reads a day, or a day and a time on London's clock. "" is now.
func (inv *invocation) time(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", time.RFC3339, time.DateOnly} {
		t, err := time.ParseInLocation(layout, s, caseforms.London(inv.now()).Location())
		if err != nil {
			continue
		}
		if layout == time.DateOnly { // some time on that day, and not later than now
			t = t.Add(12 * time.Hour)
			if now := inv.now(); t.After(now) && caseforms.DateOf(caseforms.London(now)) == caseforms.DateOf(t) {
				t = now
			}
		}
		return t, nil
	}
	return time.Time{}, errUsage{"the time is written as 2026-11-25 or 2026-11-25 14:30"}
}

var answerCommand = &command{
	name: "answer", args: "REF OUTCOME", does: "record what an agency answered; this, and nothing else, ends its follow-up",
	example: `caseforms answer CF-7K3M-Q9ZQ assessment --from "J. Placeholder, Northtown MASH"`, stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.StringVar(&o.from, "from", "", "who answered")
		inv.set.StringVar(&o.note, "note", "", "what they said")
		inv.set.StringVar(&o.at, "at", "", "when: 2026-11-25 or 2026-11-25 14:30, on London's clock (default now)")
		inv.set.IntSliceVar(&o.children, "child", nil, "of which children only, by their number on the form; the others stay open")
		inv.set.Int64Var(&o.handOff, "hand-off", 0, "of which hand-off, when it went to several (caseforms show lists them)")
		inv.set.Int64Var(&o.message, "message", 0, "the message of the inbox that it is taken from")
		inv.set.StringVar(&o.file, "file", "", "a saved message (.eml) or a form that came back (.pdf), which is kept with the answer")
	},
	run: func(ctx context.Context, inv *invocation) error {
		if err := inv.want(2, 2); err != nil {
			return err
		}
		ref, err := inv.ref(inv.args[0])
		if err != nil {
			return err
		}
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			at, err := inv.time(inv.opt.at)
			if err != nil {
				return err
			}
			message := inv.opt.message
			if inv.opt.file != "" {
				if message, err = inv.putFile(ctx, k, a, ref); err != nil {
					return err
				}
			}
			r, err := k.Answer(ctx, a, casework.Answer{Message: message, Ref: ref, HandOff: inv.opt.handOff, Kind: outcome(inv.args[1]), From: inv.opt.from, Note: inv.opt.note, Children: inv.opt.children, At: at})
			if err != nil {
				return err
			}
			if inv.json {
				inv.object(inv.stdout, "type", "answered", "ref", string(ref), "kind", inv.args[1], "ends", r.Ends, "open_children", len(r.Open))
			} else {
				fmt.Fprintf(inv.stderr, "recorded: %s\n", r.Label)
				switch {
				case len(r.Open) > 0:
					fmt.Fprintf(inv.stderr, "still open: %s\n", childNumbers(r.Open))
				case !r.Ends:
					fmt.Fprintln(inv.stderr, "the follow-up goes on: this is not a response that ends it")
				}
			}
			inv.due(r.Due)
			return nil
		})
	},
}

// outcome reads a kind of response as it is written, or in words: "No further action".
func outcome(s string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(s)))
}

func childNumbers(ns []int) string {
	var out []string
	for _, n := range ns {
		out = append(out, fmt.Sprintf("child %d", n))
	}
	return strings.Join(out, ", ")
}

var noteCommand = &command{
	name: "note", args: "REF|CASE TEXT", does: "enter a call, a visit, a decision or something that happened; it starts and ends what the procedures say",
	example: `caseforms note CF-7K3M-Q9ZQ "Told the duty desk" --kind spoken --with "duty social worker"`, stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.StringVar(&o.kind, "kind", "", "what it is, such as call, visit, decision; docs/duties.md lists the kinds. chase, reply and pause are about follow-ups")
		inv.set.StringVar(&o.with, "with", "", "whom it was with")
		inv.set.StringSliceVar(&o.to, "to", nil, "of a call about a document that has not arrived at several offices: which of them was rung")
		inv.set.StringVar(&o.at, "at", "", "when: 2026-11-25 or 2026-11-25 14:30, on London's clock (default now)")
		inv.set.Int64Var(&o.handOff, "hand-off", 0, "of a chase, reply or pause: which hand-off, when the document went to several")
		inv.set.StringVar(&o.until, "until", "", "of a pause: the day until which nothing can be expected")
		inv.set.StringVar(&o.doneRule, "done", "", "the rule whose duty is done with it, such as C53")
	},
	run: func(ctx context.Context, inv *invocation) error {
		if err := inv.want(2, 2); err != nil {
			return err
		}
		if inv.opt.kind == "" {
			return errUsage{"say what it is with --kind: call, visit, meeting, decision, chase, reply, pause, oversight …; docs/duties.md lists all kinds"}
		}
		n := casework.Note{Kind: strings.ToLower(inv.opt.kind), To: strings.Join(inv.opt.to, ""), HandOff: inv.opt.handOff, Text: inv.args[1], With: inv.opt.with, Done: inv.opt.doneRule}
		if ref, ok := caseforms.ParseRef(inv.args[0]); ok {
			n.Ref = ref
		} else {
			var err error
			if n.Case, err = inv.caseID(inv.args[0]); err != nil {
				return err
			}
		}
		if inv.opt.until != "" {
			t, err := time.Parse(time.DateOnly, inv.opt.until)
			if err != nil {
				return errUsage{"the end of a pause is a day such as 2026-12-04"}
			}
			n.Until = caseforms.DateOf(t)
		}
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			var err error
			if n.At, err = inv.time(inv.opt.at); err != nil {
				return err
			}
			due, err := k.Note(ctx, a, n)
			if err != nil {
				return err
			}
			if !inv.json {
				fmt.Fprintln(inv.stderr, "noted")
			}
			inv.due(due)
			return nil
		})
	},
}

var dueCommand = &command{
	name: "due", does: "what is due or overdue, the most overdue first; exit code 5 when something is overdue",
	example: "caseforms due --mine", stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.BoolVar(&o.mine, "mine", false, "of my caseload only")
		inv.set.BoolVar(&o.told, "told", false, "what a manager has to know: what went up to them, and what is theirs to do")
		inv.set.StringSliceVar(&o.teams, "team", nil, "of one team only")
		inv.areaFlag()
		inv.set.IntVar(&o.days, "days", 7, "also what falls due within so many days")
		inv.set.StringVar(&o.register, "register", "", "write it as a workbook")
		inv.set.StringVar(&o.ics, "ics", "", "write it as a calendar file, with references and no names")
		inv.set.StringVar(&o.digest, "digest", "", "write it as a document (pdf, html, txt by the file's ending)")
		inv.set.BoolVar(&o.force, "force", false, "overwrite files that are there")
	},
	run: due,
}

func due(ctx context.Context, inv *invocation) error {
	if err := inv.want(0, 0); err != nil {
		return err
	}
	o := &inv.opt
	if len(o.teams) > 1 {
		return errUsage{"one team at a time"}
	}
	filter := casework.DueFilter{Mine: o.mine, Told: o.told, Team: strings.Join(o.teams, ""), Days: o.days}
	if inv.set.Changed("area") {
		filter.Area = &inv.area
	}
	for _, f := range []string{o.register, o.ics, o.digest} {
		if err := inv.free(f, o.force); err != nil {
			return err
		}
	}
	overdue := false
	err := inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		list, err := k.Due(ctx, a, filter)
		if err != nil {
			return err
		}
		for _, d := range list {
			overdue = overdue || d.Over > 0
		}
		files := []struct {
			name string
			make func() ([]byte, error)
		}{
			{o.register, func() ([]byte, error) { return k.DueRegister(list) }},
			{o.ics, func() ([]byte, error) { return k.Calendar(list) }},
			{o.digest, func() ([]byte, error) { return k.Digest(ctx, a, list, formatOf(o.digest)) }},
		}
		for _, f := range files {
			if f.name == "" {
				continue
			}
			data, err := f.make()
			if err != nil {
				return err
			}
			if err := inv.put(f.name, data, o.force); err != nil {
				return err
			}
		}
		inv.due(list)
		if len(list) == 0 && !inv.json {
			fmt.Fprintln(inv.stderr, "nothing is due")
		}
		if len(list) == casework.MostDue {
			inv.problems(inv.stderr, []caseforms.Problem{{Severity: caseforms.Warning, Msg: "these are the most overdue; there are more", Hint: "look at one team at a time with --team, or at your own with --mine"}})
		}
		if w := k.CalendarWarning(); w != "" {
			inv.problems(inv.stderr, []caseforms.Problem{{Severity: caseforms.Warning, Msg: w, Hint: "a newer caseforms has them; until then add days on which offices are shut to the configuration (closed)"}})
		}
		return nil
	})
	if err == nil && overdue {
		return errOverdue
	}
	return err
}

// due prints what is to be done.
func (inv *invocation) due(list []casework.Due) {
	for _, d := range list {
		if inv.json {
			inv.object(inv.stdout, "type", "due", "rule", d.Rule, "says", d.Says, "due", d.Due.String(), "working_days_over", d.Over, "how", d.How, "default", d.Default, "source", d.Source,
				"ref", string(d.Ref), "case", string(d.Case), "form", d.Form, "who", d.Who, "owner", d.OwnerName, "team", d.Team, "area", d.Area, "round", d.Round, "step", d.Step, "name", d.Card.Name, "chase", d.Chase)
			continue
		}
		when := "by " + d.Due.Long()
		if d.Over > 0 {
			when = fmt.Sprintf("OVERDUE by %d working day%s, since %s", d.Over, plural(d.Over), d.Due.Long())
		}
		about := string(d.Case)
		if d.Ref != "" {
			about = string(d.Ref) + " (" + d.Form + ")"
		}
		fmt.Fprintf(inv.stdout, "%s  %s  %s\n", d.Rule, when, about)
		who := ""
		if d.Who != "" && d.Who != "practitioner" {
			who = " (" + d.Who + ")"
		}
		fmt.Fprintf(inv.stdout, "     %s%s\n", d.Says, who)
		line := d.OwnerName
		if d.Card.Name != "" {
			line = strings.TrimRight(d.Card.Name+" "+d.Card.CRN, " ") + "; " + line
		}
		fmt.Fprintf(inv.stdout, "     %s; %s\n", line, d.How)
		if d.First != d.Due && d.Round > 1 {
			fmt.Fprintf(inv.stdout, "     round %d; an answer was first due on %s\n", d.Round, d.First.Long())
		} else if d.First.Before(d.Due) {
			fmt.Fprintf(inv.stdout, "     first due on %s\n", d.First.Long())
		}
		if d.Step != "" {
			fmt.Fprintf(inv.stdout, "     %s\n", d.Step)
		}
		if d.Chase != "" {
			fmt.Fprintf(inv.stdout, "     chase: %s\n", d.Chase)
		}
	}
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

var countersignCommand = &command{
	name: "countersign", args: "REF", does: "a manager who did not issue it endorses the latest issue of a document, or with --back sends it back with words",
	example: "caseforms countersign CF-7K3M-Q9ZQ", stores: true,
	flags: func(inv *invocation) {
		inv.set.BoolVar(&inv.opt.back, "back", false, "send it back; --why says what is missing")
		inv.set.StringVar(&inv.opt.why, "why", "", "words that stand on the timeline")
		inv.set.IntVar(&inv.opt.issue, "issue", 0, "the issue that was read (default the latest)")
		inv.set.StringVar(&inv.opt.seen, "seen", "", "what another manager said of it was read; the refusal has the value")
	},
	run: func(ctx context.Context, inv *invocation) error {
		if err := inv.want(1, 1); err != nil {
			return err
		}
		ref, err := inv.ref(inv.args[0])
		if err != nil {
			return err
		}
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			err := k.Countersign(ctx, a, ref, inv.opt.issue, !inv.opt.back, inv.opt.why, inv.opt.seen)
			return inv.done(err, map[bool]string{false: "countersigned", true: "sent back"}[inv.opt.back])
		})
	},
}

var handoverCommand = &command{
	name: "handover", args: "FROM TO", does: "give somebody's caseload, or some of its cases, to somebody else: leave, transfer",
	example: `caseforms handover petra paul --why "maternity leave"`, stores: true,
	flags: func(inv *invocation) {
		inv.set.StringSliceVar(&inv.opt.cases, "case", nil, "only these cases")
		inv.set.StringVar(&inv.opt.why, "why", "", "the reason")
	},
	run: func(ctx context.Context, inv *invocation) error {
		if err := inv.want(2, 2); err != nil {
			return err
		}
		var only []caseforms.CaseID
		for _, c := range inv.opt.cases {
			id, err := inv.caseID(c)
			if err != nil {
				return err
			}
			only = append(only, id)
		}
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			n, err := k.Transfer(ctx, a, inv.args[0], inv.args[1], only, inv.opt.why)
			return inv.done(err, fmt.Sprintf("%d case%s handed over, with what is open of them", n, plural(n)))
		})
	},
}

var inspectCommand = &command{
	name: "inspect", args: "[CASE] -o FILE", does: "the pack inspectors ask for: every request, chase, reply and manager's note, with figures and a chart; --log prints the entries for the case system",
	example: "caseforms inspect --since 2026-01-01 -o pack.pdf", stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.StringVarP(&o.output, "output", "o", "", "file to write: pdf, xlsx, html or txt by its ending")
		inv.set.StringVar(&o.since, "since", "", "of an area: from this day (default a year ago)")
		inv.set.StringVar(&o.until, "until", "", "of an area: to this day (default today)")
		inv.set.BoolVar(&o.list, "log", false, "of a case or a document: what was done, with its contact entries, to paste")
		inv.set.BoolVar(&o.force, "force", false, "overwrite the file if it is there")
		inv.areaFlag()
	},
	run: inspect,
}

func inspect(ctx context.Context, inv *invocation) error {
	if err := inv.want(0, 1); err != nil {
		return err
	}
	o := &inv.opt
	if err := inv.free(o.output, o.force); err != nil {
		return err
	}
	if o.list {
		return inv.log(ctx)
	}
	if o.output == "" {
		return errUsage{"name the file to write with -o"}
	}
	if _, err := inv.storeOptions(); err != nil { // a store of tests has a clock of its own
		return err
	}
	today := inv.today()
	q := casework.Inspection{Area: "*", From: today.AddMonths(-12), To: today}
	for _, d := range []struct {
		s  string
		to *caseforms.Date
	}{{o.since, &q.From}, {o.until, &q.To}} {
		if d.s == "" {
			continue
		}
		t, err := time.Parse(time.DateOnly, d.s)
		if err != nil {
			return errUsage{"a day is written as 2026-11-25"}
		}
		*d.to = caseforms.DateOf(t)
	}
	if inv.set.Changed("area") {
		q.Area = inv.area
	}
	if len(inv.args) == 1 {
		var err error
		if q.Case, err = inv.caseID(inv.args[0]); err != nil {
			return err
		}
	}
	return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		data, err := k.Inspect(ctx, a, q, formatOf(o.output))
		if err != nil {
			return err
		}
		return inv.put(o.output, data, o.force)
	})
}

// log prints what was done with its entries for the case system, or writes it as a file.
func (inv *invocation) log(ctx context.Context) error {
	if len(inv.args) != 1 {
		return errUsage{"name a case or a document: inspect CASE|REF --log"}
	}
	var of any
	if ref, ok := caseforms.ParseRef(inv.args[0]); ok {
		of = ref
	} else {
		id, err := inv.caseID(inv.args[0])
		if err != nil {
			return err
		}
		of = id
	}
	return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		l, err := k.Log(ctx, a, of)
		if err != nil {
			return err
		}
		if inv.opt.output != "" {
			data, err := k.LogFile(l, formatOf(inv.opt.output))
			if err != nil {
				return err
			}
			return inv.put(inv.opt.output, data, inv.opt.force)
		}
		for _, c := range l.Contacts {
			if inv.json {
				inv.object(inv.stdout, "type", "contact", "at", stamp(c.At), "contact", c.Type, "by", c.By, "ref", string(c.Ref), "text", c.Text)
				continue
			}
			fmt.Fprintf(inv.stdout, "%s  %s\n%s (%s)\n\n", caseforms.London(c.At).Format("02/01/2006 15:04"), c.Type, c.Text, c.By)
		}
		for _, r := range l.Registers {
			if inv.json {
				inv.object(inv.stdout, "type", "register", "register", r)
			} else {
				fmt.Fprintf(inv.stdout, "register  %s\n", r)
			}
		}
		return nil
	})
}

// formatOf is the format that a file's ending says; pdf when it says none.
func formatOf(name string) render.Format {
	f := render.Format(strings.ToLower(strings.TrimPrefix(filepath.Ext(name), ".")))
	if slices.Contains(render.Formats, f) {
		return f
	}
	return render.FormatPDF
}
