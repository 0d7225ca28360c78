package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
)

var recipientCommand = &command{
	name: "recipient", args: "list|add|import|check|close …", does: "the offices that documents go to: recipient add ROLE ORGANISATION, recipient import FILE.xlsx, recipient check",
	example: `caseforms recipient add front_door "Northtown MASH" --area "Northtown Council" --address mash@northtown.example --phone "01632 960200" --demonstrated 2026-11-01 --how "TLS test, MTA-STS"`, stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.StringVar(&inv.area, "area", "", "the authority or area it serves (default every one)")
		inv.set.StringVar(&o.channel, "channel", "", "email, hand, post, telephone or portal (default email when there is an address, else telephone)")
		inv.set.StringVar(&o.address, "address", "", "its e-mail address, postal address or portal")
		inv.set.StringVar(&o.phone, "phone", "", "its telephone number")
		inv.set.StringVar(&o.demonstrated, "demonstrated", "", "the day on which it was shown that the channel is secure")
		inv.set.StringVar(&o.how, "how", "", "how that was shown")
		inv.set.StringVar(&o.why, "why", "", "recipient close: the reason")
	},
	run: recipient,
}

func recipient(ctx context.Context, inv *invocation) error {
	words := map[string]int{"list": 1, "add": 3, "import": 2, "check": 1, "close": 2}
	if len(inv.args) == 0 || words[inv.args[0]] != len(inv.args) {
		return errUsage{"recipient list, recipient add ROLE ORGANISATION, recipient import FILE.xlsx, recipient check or recipient close ID"}
	}
	o := &inv.opt
	switch inv.args[0] {
	case "add":
		day, err := casework.ParseDay(o.demonstrated)
		if err != nil {
			return err
		}
		r := store.Recipient{Role: inv.args[1], Organisation: inv.args[2], Area: inv.area, Channel: o.channel, Address: o.address, Phone: o.phone, Demonstrated: day, How: o.how}
		return inv.putRecipients(ctx, []store.Recipient{r}, 0)
	case "import":
		data, err := inv.readFile(ctx, inv.args[1], 20<<20, "the workbook cannot be read")
		if err != nil {
			return err
		}
		rs, err := casework.ReadDirectory(data)
		if err != nil {
			return err
		}
		return inv.putRecipients(ctx, rs, 1)
	case "close":
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			return inv.done(k.CloseRecipient(ctx, a, inv.args[1], o.why), "closed: nothing more goes there")
		})
	case "check":
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			ps, err := k.CheckDirectory(ctx, a)
			if err != nil {
				return err
			}
			inv.problems(inv.stdout, ps)
			if len(ps) == 0 {
				fmt.Fprintln(inv.stderr, "nothing to complain of")
			}
			return nil
		})
	}
	return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		rs, err := k.Recipients(ctx, a)
		if err != nil {
			return err
		}
		tw := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
		for _, r := range rs {
			state := "open"
			if !r.Active {
				state = "closed"
			}
			shown := dayOrNothing(r.Demonstrated)
			if inv.json {
				inv.object(inv.stdout, "type", "recipient", "id", r.ID, "role", r.Role, "organisation", r.Organisation, "area", r.Area, "channel", r.Channel, "address", r.Address, "phone", r.Phone,
					"demonstrated", shown, "how", r.How, "state", state)
				continue
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Role, r.Organisation, r.Area, r.Channel, r.Address, r.Phone, state)
		}
		return tw.Flush()
	})
}

func dayOrNothing(d caseforms.Date) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

// putRecipients puts recipients into the directory; first is how many rows stood before them in a workbook.
func (inv *invocation) putRecipients(ctx context.Context, rs []store.Recipient, first int) error {
	for i := range rs {
		if r := &rs[i]; strings.TrimSpace(r.Channel) == "" {
			if r.Channel = "telephone"; r.Address != "" {
				r.Channel = "email"
			}
		}
	}
	return inv.at(ctx, true, func(k *casework.Desk, a caseforms.Actor) error {
		added, changed, ps, err := k.PutRecipients(ctx, a, rs)
		for _, p := range ps {
			if first > 0 {
				p.Problem.Label = fmt.Sprintf("row %d", p.Row+first)
			}
			inv.problems(inv.stderr, []caseforms.Problem{p.Problem})
		}
		if err != nil {
			return err
		}
		for _, r := range rs {
			if inv.json {
				inv.object(inv.stdout, "type", "recipient", "id", r.ID, "role", r.Role, "organisation", r.Organisation)
			} else {
				fmt.Fprintln(inv.stdout, r.ID)
			}
		}
		return inv.done(nil, fmt.Sprintf("%d added, %d changed", added, changed))
	})
}

var policyCommand = &command{
	name: "policy", args: "list|set|remove …", does: "how an address or a domain may be written to: policy set DOMAIN --means tls --why REASON. Where there is none, nothing is sent",
	example: `caseforms policy set northtown.gov.example --means tls --relay main --why "forced TLS agreed and tested on 1 November"`, stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.StringVar(&o.means, "means", "", "tls (a relay that forces TLS), cjsm, password (a sealed file, the password by telephone), hand, or none (nothing may be sent)")
		inv.set.StringVar(&o.relay, "relay", "", "the name of the relay in the configuration (default the first that will do)")
		inv.set.StringVar(&o.demonstrated, "demonstrated", "", "the day on which it was shown for all of them that the way is secure")
		inv.set.StringVar(&o.how, "how", "", "how that was shown")
		inv.set.StringVar(&o.why, "why", "", "the reason; where nothing may be sent, people are told it")
	},
	run: func(ctx context.Context, inv *invocation) error {
		words := map[string]int{"list": 1, "set": 2, "remove": 2}
		if len(inv.args) == 0 || words[inv.args[0]] != len(inv.args) {
			return errUsage{"policy list, policy set DOMAIN --means MEANS or policy remove DOMAIN"}
		}
		o := &inv.opt
		return inv.at(ctx, inv.args[0] == "set", func(k *casework.Desk, a caseforms.Actor) error {
			switch inv.args[0] {
			case "set":
				if o.means == "" {
					return errUsage{"policy set DOMAIN --means tls, cjsm, password, hand or none"}
				}
				day, err := casework.ParseDay(o.demonstrated)
				if err != nil {
					return err
				}
				return inv.done(k.SetPolicy(ctx, a, store.Policy{Pattern: inv.args[1], Means: o.means, Relay: o.relay, Demonstrated: day, How: o.how, Why: o.why}), "policy set")
			case "remove":
				return inv.done(k.SetPolicy(ctx, a, store.Policy{Pattern: inv.args[1], Why: o.why}), "policy removed: what is sent there is held")
			}
			ps, err := k.Policies(ctx, a)
			for _, p := range ps {
				if inv.json {
					inv.object(inv.stdout, "type", "policy", "pattern", p.Pattern, "means", p.Means, "relay", p.Relay, "demonstrated", dayOrNothing(p.Demonstrated), "how", p.How, "why", p.Why, "changed_at", stamp(p.Changed))
				} else {
					fmt.Fprintf(inv.stdout, "%s\n", strings.TrimRight(strings.Join([]string{p.Pattern, p.Means, p.Relay, p.Why}, "  "), " "))
				}
			}
			return err
		})
	},
}
