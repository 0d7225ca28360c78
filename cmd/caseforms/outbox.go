package main

import (
	"context"
	"fmt"
	"strconv"

	"caseforms"
	"caseforms/internal/casework"
)

var outboxCommand = &command{
	name: "outbox", args: "[settle ITEM arrived|lost]", does: "what is on its way, failed, or may or may not have arrived; settle says which, after somebody asked",
	example: `caseforms outbox`, stores: true,
	flags: func(inv *invocation) {
		inv.set.StringVar(&inv.opt.why, "why", "", "outbox settle: how that is known")
	},
	run: func(ctx context.Context, inv *invocation) error {
		switch {
		case len(inv.args) == 0:
			return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
				items, err := k.Outbox(ctx, a)
				if err != nil {
					return err
				}
				for _, it := range items {
					if inv.json {
						inv.object(inv.stdout, "type", "send", "item", strconv.FormatInt(it.ID, 10), "ref", string(it.Ref), "issue", it.Version, "kind", it.Kind, "state", string(it.State), "attempts", it.Attempt,
							"said", it.Said, "at", stamp(it.Changed))
						continue
					}
					fmt.Fprintf(inv.stdout, "%d  %s issue %d  %s (%s)\n", it.ID, it.Ref, it.Version, sends[it.State], clock(it.Changed))
					if it.Said != "" {
						fmt.Fprintf(inv.stdout, "     %s\n", it.Said)
					}
				}
				if len(items) == 0 && !inv.json {
					fmt.Fprintln(inv.stderr, "nothing is on its way")
				}
				return nil
			})
		case len(inv.args) == 3 && inv.args[0] == "settle" && (inv.args[2] == "arrived" || inv.args[2] == "lost"):
			item, err := strconv.ParseInt(inv.args[1], 10, 64)
			if err != nil {
				return errUsage{"an item is named by its number; caseforms outbox shows it"}
			}
			return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
				return inv.done(k.Settle(ctx, a, item, inv.args[2] == "arrived", casework.ByPerson, inv.opt.why), "settled: "+inv.args[2])
			})
		}
		return errUsage{"outbox, or outbox settle ITEM arrived, or outbox settle ITEM lost"}
	},
}
