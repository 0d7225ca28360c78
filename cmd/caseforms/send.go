package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/mail"
)

var sendCommand = &command{
	name: "send", args: "REF [--to RECIPIENT]", does: "send a document by e-mail, or with --by say that it was handed over by hand, post, telephone or portal; its clocks run from then",
	example: "caseforms send CF-7K3M-Q9ZQ --dry-run", stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.StringSliceVar(&o.to, "to", nil, "whom: an id or a role of the directory, or an address (default: whoever the form goes to); with --by an office")
		inv.set.BoolVar(&o.now, "now", false, "try to hand it to the relay at once, as outbox run --once does, and tell what came of it")
		inv.set.BoolVar(&o.dryRun, "dry-run", false, "tell exactly what would go where, and do nothing")
		inv.set.StringArrayVar(&o.attach, "attach", nil, "a file that goes with it: KEY=FILE, with the key of the form's question, such as chronology=FILE")
		inv.set.StringVar(&o.without, "without", "", "why something that the form says is attached does not go with it")
		inv.set.StringVar(&o.again, "again", "", "why it is sent once more to somebody who has it")
		inv.set.StringVar(&o.confirm, "confirm", "", "of an address outside the directory: how you made sure that it is right")
		inv.set.BoolVar(&o.chase, "chase", false, "send the question what was decided, in place of the document")
		inv.set.Int64Var(&o.handOff, "hand-off", 0, "with --chase: of which hand-off, when it went to several")
		inv.set.StringVar(&o.by, "by", "", "hand, post, telephone or portal: how it was handed over")
		inv.set.StringVar(&o.with, "with", "", "with --by: whom it was handed to there, or who was spoken to")
		inv.set.StringVar(&o.as, "as", "", "with --by, of an office that is not in the directory: the role that it has (front_door, childrens_services …), or other for somebody whom the form is not for")
		inv.set.StringVar(&o.at, "at", "", "with --by: when: 2026-11-25 or 2026-11-25 14:30, on London's clock (default now)")
		inv.set.StringVar(&o.note, "note", "", "with --by: anything more")
	},
	run: func(ctx context.Context, inv *invocation) error {
		if err := inv.want(1, 1); err != nil {
			return err
		}
		ref, err := inv.ref(inv.args[0])
		if err != nil {
			return err
		}
		if inv.opt.by == "" {
			return inv.sendMail(ctx, ref)
		}
		return inv.handOver(ctx, ref)
	},
}

// handOver records what a person handed over.
func (inv *invocation) handOver(ctx context.Context, ref caseforms.Ref) error {
	o := &inv.opt
	if o.dryRun || o.now || o.chase || len(o.attach) > 0 || o.again != "" || o.without != "" || o.confirm != "" {
		return errUsage{"with --by it is recorded that you handed it over; nothing is sent"}
	}
	return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		at, err := inv.time(o.at)
		if err != nil {
			return err
		}
		h, err := k.HandOver(ctx, a, casework.HandOver{Ref: ref, Channel: casework.Channel(strings.ToLower(o.by)), To: strings.Join(o.to, ", "), As: o.as, With: o.with, At: at, Note: o.note})
		if err != nil {
			return err
		}
		if inv.json {
			inv.object(inv.stdout, "type", "handed_over", "ref", string(ref), "hand_off", h.Number, "by", o.by, "but", h.But)
		} else {
			fmt.Fprintf(inv.stderr, "handed over\n")
			if h.But != "" {
				fmt.Fprintf(inv.stderr, "warning: %s\n", h.But)
				if o.as == "" {
					fmt.Fprintf(inv.stderr, "  hint: say what they are with --as\n")
				}
			}
		}
		inv.due(h.Due)
		return nil
	})
}

func (inv *invocation) sendMail(ctx context.Context, ref caseforms.Ref) error {
	o := &inv.opt
	if o.with != "" || o.as != "" || o.at != "" || o.note != "" {
		return errUsage{"--with, --as, --at and --note go with --by"}
	}
	s := casework.Send{Ref: ref, To: o.to, Without: o.without, Again: o.again, Confirm: o.confirm, Chase: o.chase, HandOff: o.handOff, Dry: o.dryRun}
	var err error
	if s.Attach, err = inv.attachments(ctx); err != nil {
		return err
	}
	return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		out, ps, err := k.Send(ctx, a, s)
		if err != nil {
			return err
		}
		inv.problems(inv.stderr, ps)
		if o.now && !o.dryRun {
			return inv.sendNow(ctx, k, out)
		}
		return inv.sent(out, o.dryRun)
	})
}

// sendNow sends what is due, and tells what became of what was just put into the outbox.
func (inv *invocation) sendNow(ctx context.Context, k *casework.Desk, out []casework.Outgoing) error {
	c, err := k.Courier()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := k.Deliver(ctx, c, outboxWorkers); err != nil {
		return err
	}
	now, err := k.Standings(context.WithoutCancel(ctx), out)
	if err != nil {
		return err
	}
	err = inv.sent(now, true)
	for _, s := range now {
		if err == nil && s.Standing != casework.Relayed {
			err = errReported
		}
	}
	return err
}

// sent tells what was put into the outbox, or would be.
func (inv *invocation) sent(out []casework.Outgoing, dry bool) error {
	inv.outgoing(out)
	held := false
	for _, s := range out {
		held = held || s.Standing == casework.HeldBack
		if inv.json {
			continue
		}
		if dry && s.Text != "" {
			fmt.Fprintf(inv.stdout, "     subject: %s\n     by relay %s, %d kB%s\n", s.Subject, s.Relay, (s.Size+1023)>>10, answerDay(s.AnswerBy))
			for line := range strings.Lines(s.Text) {
				fmt.Fprintf(inv.stdout, "     | %s\n", strings.TrimRight(line, "\r\n"))
			}
		}
	}
	switch {
	case inv.opt.dryRun && !inv.json:
		fmt.Fprintln(inv.stderr, "nothing was sent: this was a dry run")
	case dry:
	case !held && !inv.json && len(out) > 0:
		fmt.Fprintln(inv.stderr, "in the outbox; caseforms outbox run sends what is there")
	}
	if held {
		return errHeld
	}
	return nil
}

func answerDay(d caseforms.Date) string {
	if d.IsZero() {
		return ""
	}
	return ", answer by " + d.Long()
}

// attachments reads what goes with a document. What a file is called is not sent: people call files after people.
func (inv *invocation) attachments(ctx context.Context) (out []mail.Attachment, err error) {
	others := 0
	for _, s := range inv.opt.attach {
		key, name, ok := strings.Cut(s, "=")
		if !ok {
			key, name = "other", s
			if others++; others > 1 {
				key = fmt.Sprintf("other%d", others)
			}
		}
		ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(name), "."))
		if ext == "jpeg" {
			ext = "jpg"
		}
		if !mail.Attachable(ext) {
			return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "--attach " + key + ": files of this kind cannot be sent", Hint: "pdf, docx, odt, xlsx, txt, csv, jpg or png"}
		}
		data, err := inv.readFile(ctx, name, 20<<20, "a file to be attached cannot be read")
		if err != nil {
			return nil, err
		}
		out = append(out, mail.Attachment{Key: strings.ToLower(strings.TrimSpace(key)), Ext: ext, Data: data})
	}
	return out, nil
}

// outgoing tells where sends stand: what was said, what was reported, and what to do.
func (inv *invocation) outgoing(out []casework.Outgoing) {
	for _, s := range out {
		kind := s.Kind
		if kind == "" {
			kind = "document"
		}
		if inv.json {
			inv.object(inv.stdout, "type", "send", "ref", string(s.Ref), "issue", s.Version, "kind", kind, "standing", string(s.Standing), "to", s.Organisation, "role", s.Role, "address", s.Address, "recipient", s.Recipient,
				"urgent", s.Urgent, "reason", s.Reason, "said", s.Said, "do", s.Do, "reported", s.Report, "item", number(s.Item), "attempts", s.Attempts, "relay", s.Relay, "subject", s.Subject, "files", strings.Join(s.Files, " "),
				"size", s.Size, "answer_by", dayOrNothing(s.AnswerBy), "password", s.Password, "at", stamp(s.At), "text", s.Text)
			continue
		}
		head := fmt.Sprintf("%s issue %d", s.Ref, s.Version)
		if s.Kind != "" {
			head += ", " + s.Kind
		}
		if s.Urgent {
			head += ", URGENT"
		}
		to := s.Organisation
		if s.Address != "" {
			to += " <" + s.Address + ">"
			if !s.Listed {
				to += " (not in the directory)"
			}
		}
		fmt.Fprintf(inv.stdout, "%s  to %s: %s", head, to, strings.ToUpper(string(s.Standing)))
		if !s.At.IsZero() {
			fmt.Fprintf(inv.stdout, " (%s)", clock(s.At))
		}
		fmt.Fprintln(inv.stdout)
		if s.Item != 0 && (s.Standing == casework.Doubtful || s.Standing == casework.Failed) {
			fmt.Fprintf(inv.stdout, "     item %d of the outbox, %d attempts\n", s.Item, s.Attempts)
		}
		for _, line := range []struct{ what, s string }{{"", s.Said}, {"a server reported: ", s.Report}, {"attached: ", strings.Join(s.Files, ", ")}, {"password, to be told by telephone: ", s.Password}, {"do: ", s.Do}} {
			if line.s != "" {
				fmt.Fprintf(inv.stdout, "     %s%s\n", line.what, line.s)
			}
		}
	}
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

var releaseCommand = &command{
	name: "release", args: "REF", does: "let go what policy held: by whoever works on the case once policy allows it, else by a manager with a reason",
	example: `caseforms release CF-7K3M-Q9ZQ --means tls --why "the council confirmed by telephone that TLS is forced"`, stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.StringSliceVar(&o.to, "to", nil, "of several that are held: which recipient")
		inv.set.StringVar(&o.means, "means", "", "where there is no policy: tls, cjsm or password")
		inv.set.StringVar(&o.why, "why", "", "the reason")
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
			s, err := k.Release(ctx, a, casework.Release{Ref: ref, To: strings.Join(inv.opt.to, ""), Means: mail.Channel(strings.ToLower(inv.opt.means)), Why: inv.opt.why})
			if err != nil {
				return err
			}
			return inv.sent([]casework.Outgoing{*s}, false)
		})
	},
}
