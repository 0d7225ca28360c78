package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/casework"
)

var outboxCommand = &command{
	name: "outbox", args: "[run | settle REF arrived|lost | withdraw REF]", does: "what is held, on its way, failed, or may or may not have arrived; run sends what is due; settle says what became of an uncertain item, after somebody asked",
	example: `caseforms outbox run --once`, stores: true,
	flags: func(inv *invocation) {
		inv.set.BoolVar(&inv.opt.once, "once", false, "outbox run: send what is due and end")
		inv.set.StringSliceVar(&inv.opt.to, "to", nil, "outbox settle, withdraw: of several, which recipient")
		inv.set.StringVar(&inv.opt.why, "why", "", "outbox settle, withdraw: how that is known, or the reason")
	},
	run: func(ctx context.Context, inv *invocation) error {
		o := &inv.opt
		switch {
		case len(inv.args) == 0:
			return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
				out, all, err := k.Outbox(ctx, a)
				if err != nil {
					return err
				}
				inv.outgoing(out)
				if all > casework.MostOpen {
					inv.problems(inv.stderr, []caseforms.Problem{{Severity: caseforms.Warning, Msg: fmt.Sprintf("%d are open; these are the %d that matter most", all, casework.MostOpen)}})
				}
				if len(out) == 0 && !inv.json {
					fmt.Fprintln(inv.stderr, "nothing is on its way, and nothing is held")
				}
				return nil
			})
		case len(inv.args) == 1 && inv.args[0] == "run":
			return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error { return inv.runOutbox(ctx, k) })
		case len(inv.args) == 2 && inv.args[0] == "withdraw":
			ref, err := inv.ref(inv.args[1])
			if err != nil {
				return err
			}
			return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
				return inv.done(k.Withdraw(ctx, a, ref, strings.Join(o.to, ""), o.why), "withdrawn: it is not sent")
			})
		case len(inv.args) == 3 && inv.args[0] == "settle" && (inv.args[2] == "arrived" || inv.args[2] == "lost"):
			ref, isRef := caseforms.ParseRef(inv.args[1])
			item, err := strconv.ParseInt(inv.args[1], 10, 64)
			if err != nil && !isRef {
				return errUsage{"say which: the reference, or the number of the item that caseforms outbox shows"}
			}
			return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
				if isRef {
					var err error
					if item, err = k.UncertainOf(ctx, a, ref, strings.Join(o.to, "")); err != nil {
						return err
					}
				}
				return inv.done(k.Settle(ctx, a, item, inv.args[2] == "arrived", casework.ByPerson, o.why), "settled: "+inv.args[2])
			})
		}
		return errUsage{"outbox, outbox run, outbox settle REF arrived, outbox settle REF lost, or outbox withdraw REF"}
	},
}

const (
	outboxWorkers = 4
	outboxPause   = 5 * time.Second // between two looks for what is due

	outboxPauseLong = time.Minute // after something failed
)

// runOutbox sends what is due, and goes on doing so unless it is to be done once. What is in trouble is told as it happens.
func (inv *invocation) runOutbox(ctx context.Context, k *casework.Desk) error {
	c, err := k.Courier()
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		since := k.Now()
		n, err := k.Deliver(ctx, c, outboxWorkers)
		if e := inv.trouble(context.WithoutCancel(ctx), k, since); err == nil {
			err = e
		}
		if inv.opt.once {
			if err == nil && !inv.json {
				fmt.Fprintf(inv.stderr, "%d taken up\n", n)
			}
			return err
		}
		if ctx.Err() != nil {
			return nil // it was told to end, and what was being sent has ended
		}
		pause := outboxPause
		if err != nil { // what fails for one must not stop the others for ever
			inv.complain(err)
			pause = outboxPauseLong
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// trouble tells at once what did not get through since a time, what cannot wait first. With references only: it may go into a log.
func (inv *invocation) trouble(ctx context.Context, k *casework.Desk, since time.Time) error {
	out, err := k.Trouble(ctx, since)
	for _, s := range out {
		if inv.json {
			inv.object(inv.stderr, "type", "alert", "ref", string(s.Ref), "standing", string(s.Standing), "urgent", s.Urgent, "to", s.Organisation, "telephone", s.Phone, "reason", s.Reason, "do", s.Do)
			continue
		}
		word := "alert"
		if s.Urgent {
			word = "ALERT, urgent"
		}
		fmt.Fprintf(inv.stderr, "%s: %s to %s: %s\n", word, s.Ref, s.Organisation, s.Standing)
		if s.Do != "" {
			fmt.Fprintf(inv.stderr, "  do: %s\n", s.Do)
		}
	}
	return err
}
