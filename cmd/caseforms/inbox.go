package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/mail"
)

var inboxCommand = &command{
	name: "inbox", args: "[run | show N | file N REF | done N | throw N]", does: "what came in and has to be looked at; run takes in replies and bounces; file says which document a message belongs to",
	example: "caseforms inbox run --once", stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.BoolVar(&o.once, "once", false, "inbox run: take in what is there and end")
		inv.set.StringVarP(&o.output, "output", "o", "", "inbox show: write the message here as it came (.eml)")
		inv.set.BoolVar(&o.force, "force", false, "overwrite the file if it is there")
		inv.set.StringVar(&o.why, "why", "", "inbox done, throw: why nothing more is to be done about it")
	},
	run: inbox,
}

func inbox(ctx context.Context, inv *invocation) error {
	words := map[string]int{"run": 1, "show": 2, "file": 3, "done": 2, "throw": 2}
	if len(inv.args) == 0 {
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			list, all, err := k.Inbox(ctx, a)
			for i := range list {
				inv.came(&list[i])
			}
			switch {
			case err == nil && len(list) == 0 && !inv.json:
				fmt.Fprintln(inv.stderr, "nothing is to be looked at")
			case all > len(list):
				inv.problems(inv.stderr, []caseforms.Problem{{Severity: caseforms.Warning, Msg: fmt.Sprintf("%d messages are to be looked at; %d are shown, what belongs to a document first", all, len(list))}})
			}
			return err
		})
	}
	if words[inv.args[0]] != len(inv.args) {
		return errUsage{"inbox, inbox run, inbox show N, inbox file N REF, inbox done N or inbox throw N"}
	}
	if inv.args[0] == "run" {
		return inv.runInbox(ctx)
	}
	id, err := strconv.ParseInt(inv.args[1], 10, 64)
	if err != nil {
		return errUsage{"a message is named by its number; caseforms inbox lists them"}
	}
	switch inv.args[0] {
	case "show":
		if err := inv.free(inv.opt.output, inv.opt.force); err != nil {
			return err
		}
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error { return inv.showMail(ctx, k, a, id) })
	case "file":
		ref, err := inv.ref(inv.args[2])
		if err != nil {
			return err
		}
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			return inv.done(k.FileMail(ctx, a, id, ref), "it belongs to "+string(ref)+" now; record what it says with caseforms answer --message")
		})
	}
	throw := inv.args[0] == "throw"
	return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		return inv.done(k.DoneMail(ctx, a, id, inv.opt.why, throw), map[bool]string{false: "put away; no follow-up ends by it", true: "thrown away"}[throw])
	})
}

// showMail shows a message to a person: what was written, and nothing of it is opened or fetched.
func (inv *invocation) showMail(ctx context.Context, k *casework.Desk, a caseforms.Actor, id int64) error {
	c, in, raw, err := k.ReadMail(ctx, a, id)
	if err != nil {
		return err
	}
	if inv.opt.output != "" {
		return inv.put(inv.opt.output, raw, inv.opt.force)
	}
	inv.came(c)
	if inv.json {
		inv.object(inv.stdout, "type", "text", "text", in.Text, "history", in.History)
		return nil
	}
	fmt.Fprintf(inv.stdout, "\n%s\n", in.Text)
	if in.History != "" {
		fmt.Fprintf(inv.stdout, "\n--- quoted or forwarded below it\n%s\n", in.History)
	}
	return nil
}

// came tells of a message that came in.
func (inv *invocation) came(c *casework.Came) {
	var refs []string
	for _, r := range c.Refs {
		refs = append(refs, string(r))
	}
	var files []string
	for _, f := range c.Files {
		files = append(files, f.Name)
	}
	sure := "matched, verified"
	switch {
	case c.Ref == "":
		sure = "belongs to nothing yet"
	case c.MatchedBy == "person":
		sure = "filed by a person"
	case !c.Verified && c.Class == string(mail.HumanReply):
		sure = "matched, unverified"
	case !c.Verified:
		sure = "matched"
	}
	if inv.json {
		inv.object(inv.stdout, "type", "message", "message", number(c.Number), "ref", string(c.Ref), "class", c.Class, "state", string(c.State), "outcome", c.Outcome, "from", c.From, "subject", c.Subject, "came", stamp(c.Came),
			"matched_by", c.MatchedBy, "sure", c.Sure, "verified", c.Verified, "suggested", strings.Join(refs, " "), "doubts", strings.Join(c.Doubts, "; "), "warnings", strings.Join(c.Warnings, "; "), "action", c.Action, "why", c.Why,
			"files", strings.Join(files, " "))
		for _, f := range c.Forms {
			inv.object(inv.stdout, "type", "returned_form", "message", number(c.Number), "file", f.File, "form", f.Form, "ref", f.Ref, "problem", f.Problem)
			for _, p := range f.Answers {
				inv.object(inv.stdout, "type", "proposed", "message", number(c.Number), "key", p.Key, "label", p.Label, "typed", p.Typed, "value", p.Value, "problem", p.Problem)
			}
		}
		return
	}
	w := inv.stdout
	about := string(c.Ref)
	if about == "" {
		about = "?"
	}
	fmt.Fprintf(w, "message %d  %s  %s, %s (%s)\n", c.Number, about, c.Class, sure, clock(c.Came))
	if c.From != "" || c.Subject != "" {
		fmt.Fprintf(w, "     from %s: %s\n", c.From, c.Subject)
	}
	if c.Outcome != "" {
		fmt.Fprintf(w, "     %s\n", c.Outcome)
	}
	if r := c.Report; r != nil {
		fmt.Fprintf(w, "     a server reported: %s\n", strings.Join(strings.Fields(strings.Join([]string{r.Action, r.Recipient, r.Status, r.Said}, " ")), " "))
	}
	for _, d := range c.Doubts {
		fmt.Fprintf(w, "     but %s\n", d)
	}
	for _, d := range c.Warnings {
		fmt.Fprintf(w, "     note: %s\n", d)
	}
	if len(refs) > 0 {
		fmt.Fprintf(w, "     it names %s: if it belongs there, caseforms inbox file %d %s\n", strings.Join(refs, ", "), c.Number, refs[0])
	}
	if len(files) > 0 {
		fmt.Fprintf(w, "     files: %s\n", strings.Join(files, ", "))
	}
	for _, f := range c.Forms {
		inv.returned(&f)
	}
	if c.State == store.ReceivedNew && c.Class == string(mail.HumanReply) && c.Ref != "" {
		fmt.Fprintf(w, "     do: read it (caseforms inbox show %d) and record what it says: caseforms answer %s OUTCOME --message %d, or inbox done\n", c.Number, c.Ref, c.Number)
	}
}

// returned tells what a form says that came back: proposals, which a person takes over.
func (inv *invocation) returned(f *casework.Returned) {
	w := inv.stdout
	fmt.Fprintf(w, "     a %s of ours came back", f.Form)
	if f.Ref != "" {
		fmt.Fprintf(w, " (%s)", f.Ref)
	}
	if f.Problem != "" {
		fmt.Fprintf(w, ", but %s", f.Problem)
	}
	fmt.Fprintln(w, "; it proposes:")
	for _, p := range f.Answers {
		line := p.Label + " " + p.Typed
		if p.Problem != "" {
			line += " (" + p.Problem + ")"
		}
		fmt.Fprintf(w, "       %s\n", strings.Join(strings.Fields(line), " "))
	}
}

// putFile takes in the file that an answer was taken from, and tells what it proposes.
func (inv *invocation) putFile(ctx context.Context, k *casework.Desk, a caseforms.Actor, ref caseforms.Ref) (int64, error) {
	if inv.opt.message != 0 {
		return 0, errUsage{"an answer is taken from a message or from a file"}
	}
	data, err := inv.readFile(ctx, inv.opt.file, 64<<20, "the file cannot be read")
	if err != nil {
		return 0, err
	}
	f, err := k.PutFile(ctx, a, ref, data)
	if err != nil {
		return 0, err
	}
	for _, form := range f.Forms {
		if !inv.json {
			inv.returned(&form)
		}
	}
	return f.Message, nil
}

const (
	inboxWait     = 5 * time.Minute // for news at a time
	inboxPause    = 10 * time.Second
	inboxPauseMax = 5 * time.Minute
)

// runInbox takes in what is new, and goes on doing so unless it is to be done once. A mail server that is away is waited for.
func (inv *invocation) runInbox(ctx context.Context) error {
	c, err := inv.config()
	if err != nil {
		return err
	}
	o, err := inv.storeOptions()
	if err != nil {
		return err
	}
	name, box, err := c.inbox(o.Clock)
	if err != nil {
		return err
	}
	defer box.Close()
	return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		pause := inboxPause
		for {
			since := k.Now()
			taken, err := inv.takeIn(ctx, k, box, name)
			if e := inv.trouble(context.WithoutCancel(ctx), k, since); err == nil {
				err = e
			}
			if inv.opt.once {
				if err == nil && !inv.json {
					fmt.Fprintf(inv.stderr, "%d taken in\n", taken)
				}
				return err
			}
			if ctx.Err() != nil {
				return nil
			}
			if err == nil {
				if err = box.Wait(ctx, inboxWait); err == nil {
					pause = inboxPause
					continue
				}
			}
			if ctx.Err() != nil {
				return nil
			}
			inv.complain(err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
				pause = min(2*pause, inboxPauseMax)
			}
		}
	})
}

// takeIn takes in what is behind the place that was reached. A message that cannot be taken out of the mailbox at all is told and passed over, so
// that those behind it come in.
func (inv *invocation) takeIn(ctx context.Context, k *casework.Desk, box mail.Inbox, name string) (taken int, err error) {
	at, err := k.Place(ctx, name)
	if err != nil {
		return 0, err
	}
	from := mail.Place(at)
	for {
		err = box.Take(ctx, from, func(t mail.Taken) error {
			c, err := k.Receive(ctx, casework.Incoming{Mailbox: name, Raw: t.Raw, Came: t.At, Place: store.Place(t.Place), Cut: t.Cut})
			if err != nil {
				return err
			}
			from = t.Place
			if c != nil {
				taken++
				if inv.json {
					inv.object(inv.stdout, "type", "taken_in", "message", number(c.Number), "ref", string(c.Ref), "class", c.Class, "action", c.Action, "state", string(c.State), "sure", c.Sure, "verified", c.Verified)
				} else {
					fmt.Fprintf(inv.stderr, "message %d: %s %s\n", c.Number, c.Class, c.Ref)
				}
			}
			return nil
		})
		var not *mail.NotTaken
		if !errors.As(err, &not) || not.Step != "message" || not.At == (mail.Place{}) || not.At == from {
			return taken, err
		}
		inv.complain(&caseforms.Error{Kind: caseforms.Unavailable, Msg: fmt.Sprintf("message %d of the mailbox cannot be taken in: %s", not.At.UID, not.Said), Hint: "read it in the mailbox itself; those behind it are taken in"})
		// Something stands in the inbox for it, so that a person looks.
		note := fmt.Sprintf("Message %d (%d) of the mailbox could not be taken in. Read it there.", not.At.UID, not.At.Validity)
		if _, err := k.Receive(ctx, casework.Incoming{Mailbox: name, Raw: []byte(note), Place: store.Place(not.At), Cut: true}); err != nil {
			return taken, err
		}
		from = not.At
	}
}
