package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"caseforms"
	"caseforms/internal/casework"
)

var userCommand = &command{
	name: "user", args: "list|add|role|team|close|open|link …", does: "who works here and what they may do: user add LOGIN, user role LOGIN ROLES (in place of those they had), user team LOGIN TEAM; user link LOGIN makes a link by which they set a password for the pages, once",
	example: `caseforms user add petra --name "Petra Placeholder" --role practitioner --team North`, stores: true,
	flags: func(inv *invocation) {
		inv.set.StringVar(&inv.opt.name, "name", "", "user add: the person's name, as others know it")
		inv.set.StringVar(&inv.opt.role, "role", "", "user add: practitioner, manager, admin or auditor; several with commas")
		inv.set.StringSliceVar(&inv.opt.teams, "team", nil, "user add: the person's team")
	},
	run: people,
}

// done says on standard error that something was done, which shows nothing else.
func (inv *invocation) done(err error, what string) error {
	if err == nil && !inv.json {
		fmt.Fprintln(inv.stderr, what)
	}
	return err
}

func people(ctx context.Context, inv *invocation) error {
	words := map[string]int{"list": 1, "add": 2, "role": 3, "team": 3, "close": 2, "open": 2, "link": 2}
	if len(inv.args) == 0 || words[inv.args[0]] == 0 || words[inv.args[0]] != len(inv.args) {
		return errUsage{"user list, user add LOGIN, user role LOGIN ROLES, user team LOGIN TEAM, user close LOGIN, user open LOGIN or user link LOGIN"}
	}
	what, login := inv.args[0], ""
	if len(inv.args) > 1 {
		login = inv.args[1]
	}
	return inv.at(ctx, what == "add", func(k *casework.Desk, a caseforms.Actor) error {
		switch what {
		case "add":
			if inv.opt.role == "" {
				return errUsage{"user add LOGIN --name NAME --role ROLE"}
			}
			roles, err := caseforms.ParseRoles(inv.opt.role)
			if err != nil {
				return err
			}
			id, err := k.AddUser(ctx, a, login, inv.opt.name, strings.Join(inv.opt.teams, " "), roles)
			if err != nil {
				return err
			}
			if inv.json {
				inv.object(inv.stdout, "type", "user", "id", id, "login", login)
			} else {
				fmt.Fprintln(inv.stdout, id)
			}
			return nil
		case "link":
			token, until, err := k.MakeLink(ctx, a, login)
			if err != nil {
				return err
			}
			c, err := inv.config()
			if err != nil {
				return err
			}
			path := "/first/" + token
			if c.Serve != nil {
				path = strings.TrimRight(c.Serve.Url, "/") + path
			}
			if inv.json {
				inv.object(inv.stdout, "type", "link", "login", login, "link", path, "until", stamp(until))
				return nil
			}
			fmt.Fprintln(inv.stdout, path)
			fmt.Fprintf(inv.stderr, "it works once, until %s; give it to them in a way that nobody else reads\n", clock(until))
			return nil
		case "role":
			roles, err := caseforms.ParseRoles(inv.args[2])
			if err != nil {
				return err
			}
			return inv.done(k.ChangeUser(ctx, a, login, "", nil, roles, nil), "roles are now: "+inv.args[2])
		case "team":
			return inv.done(k.ChangeUser(ctx, a, login, "", &inv.args[2], nil, nil), "team changed")
		case "close", "open":
			active := what == "open"
			return inv.done(k.ChangeUser(ctx, a, login, "", nil, nil, &active), map[bool]string{true: "account opened", false: "account closed"}[active])
		}
		users, err := k.Users(ctx, a)
		if err != nil {
			return err
		}
		tw := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
		for _, u := range users {
			var roles []string
			for _, r := range u.Roles {
				roles = append(roles, string(r))
			}
			state := "open"
			if !u.Active {
				state = "closed"
			}
			if inv.json {
				inv.object(inv.stdout, "type", "user", "id", u.ID, "login", u.Login, "name", u.Name, "team", u.Team, "roles", strings.Join(roles, ","), "state", state)
				continue
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", u.Login, u.Name, strings.Join(roles, ","), u.Team, state)
		}
		return tw.Flush()
	})
}

var restrictCommand = &command{
	name: "restrict", args: "CASE", does: "let only some people and teams see a case, or everybody again",
	example: `caseforms restrict CS-7K3M-Q9ZQ --to petra --team North --why "relative of a member of staff"`, stores: true,
	flags: func(inv *invocation) {
		inv.set.StringSliceVar(&inv.opt.to, "to", nil, "login of a person who may see it; several with commas")
		inv.set.StringSliceVar(&inv.opt.teams, "team", nil, "team that may see it; several with commas")
		inv.set.BoolVar(&inv.opt.open, "open", false, "everybody may see it again whose role allows it")
		inv.set.StringVar(&inv.opt.why, "why", "", "the reason")
	},
	run: func(ctx context.Context, inv *invocation) error {
		if err := inv.want(1, 1); err != nil {
			return err
		}
		id, err := inv.caseID(inv.args[0])
		if err != nil {
			return err
		}
		if named := len(inv.opt.to)+len(inv.opt.teams) > 0; named == inv.opt.open {
			return errUsage{"say who may see it with --to and --team, or open it with --open"}
		}
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			what := "restricted"
			if inv.opt.open {
				what = "open to everybody again whose role allows it"
			}
			return inv.done(k.Restrict(ctx, a, id, inv.opt.to, inv.opt.teams, inv.opt.why), what)
		})
	},
}
