package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"caseforms"
	"caseforms/internal/casework"
)

var userCommand = &command{
	name: "user", args: "list|add|role|team|close|open|link|reset|key|keys …", does: "who works here and what they may do: user add LOGIN, user role LOGIN ROLES (in place of those they had), user team LOGIN TEAM; user link LOGIN makes a link by which they set a password for the pages, once; user reset LOGIN takes away the app for codes and the password of somebody who has lost them; user key LOGIN makes a key by which a program acts for them, user keys [LOGIN] lists keys, user key revoke KEY ends one",
	example: `caseforms user add petra --name "Petra Placeholder" --role practitioner --team North`, stores: true,
	flags: func(inv *invocation) {
		inv.set.StringVar(&inv.opt.name, "name", "", "user add: the person's name, as others know it")
		inv.set.StringVar(&inv.opt.role, "role", "", "user add: practitioner, manager, admin or auditor; several with commas")
		inv.set.StringSliceVar(&inv.opt.teams, "team", nil, "user add: the person's team")
		inv.set.StringSliceVar(&inv.opt.scopes, "scope", nil, "user key: what it is for; several with commas: "+scopeNames())
		inv.set.BoolVar(&inv.opt.test, "test", false, "user key: a key with which nothing is stored and nothing leaves")
		inv.set.StringVar(&inv.opt.expires, "expires", "", "user key: the last day on which it works, such as 2027-03-31 (default in 90 days)")
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
	if len(inv.args) > 0 && (inv.args[0] == "key" || inv.args[0] == "keys") {
		return apiKeys(ctx, inv)
	}
	words := map[string]int{"list": 1, "add": 2, "role": 3, "team": 3, "close": 2, "open": 2, "link": 2, "reset": 2}
	if len(inv.args) == 0 || words[inv.args[0]] == 0 || words[inv.args[0]] != len(inv.args) {
		return errUsage{"user list, user add LOGIN, user role LOGIN ROLES, user team LOGIN TEAM, user close LOGIN, user open LOGIN, user link LOGIN, user reset LOGIN, user key LOGIN, user keys or user key revoke KEY"}
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
		case "reset":
			return inv.done(k.ResetFactor(ctx, a, login), "the app and the password do not work any more, and they are signed out. When you are sure who they are: caseforms user link "+login)
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

func scopeNames() string {
	var out []string
	for _, s := range casework.Scopes {
		out = append(out, string(s))
	}
	return strings.Join(out, ", ")
}

// apiKeys makes, lists and ends the keys of programs.
func apiKeys(ctx context.Context, inv *invocation) error {
	wrong := errUsage{"user key LOGIN --scope SCOPE, user keys [LOGIN] or user key revoke KEY"}
	n := len(inv.args)
	switch {
	case inv.args[0] == "keys" && n <= 2:
		login := ""
		if n == 2 {
			login = inv.args[1]
		}
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			all, err := k.Keys(ctx, a, login)
			if err != nil {
				return err
			}
			tw := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
			for _, x := range all {
				inv.key(tw, &x)
			}
			return tw.Flush()
		})
	case inv.args[0] == "key" && n == 3 && inv.args[1] == "revoke":
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			return inv.done(k.RevokeKey(ctx, a, inv.args[2]), "the key does not work any more")
		})
	case inv.args[0] != "key" || n != 2:
		return wrong
	}
	m := casework.MakeKey{Login: inv.args[1], Scopes: inv.opt.scopes, Test: inv.opt.test}
	if inv.opt.expires != "" {
		var err error
		if m.Expires, err = casework.ParseDay(inv.opt.expires); err != nil {
			return err
		}
	}
	return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		secret, x, err := k.MakeKey(ctx, a, m)
		if err != nil {
			return err
		}
		if inv.json {
			inv.object(inv.stdout, "type", "key", "id", x.ID, "login", x.Login, "key", secret, "scopes", strings.Join(x.Scopes, ","), "until", stamp(x.Expires))
			return nil
		}
		fmt.Fprintln(inv.stdout, secret)
		fmt.Fprintf(inv.stderr, "key %s works until %s. It is shown this once: whoever has it acts as %s\n", x.ID, clock(x.Expires), x.Login)
		return nil
	})
}

// key tells of a key in a list.
func (inv *invocation) key(tw io.Writer, x *casework.Key) {
	kind, state, used := "real", "holds", "never used"
	if x.Test {
		kind = "test"
	}
	switch {
	case !x.Revoked.IsZero():
		state = "revoked"
	case !x.Holds:
		state = "ended"
	}
	if !x.Used.IsZero() {
		used = "used " + clock(x.Used)
	}
	if inv.json {
		inv.object(inv.stdout, "type", "key", "id", x.ID, "login", x.Login, "kind", kind, "state", state, "scopes", strings.Join(x.Scopes, ","), "until", stamp(x.Expires), "used", stamp(x.Used))
		return
	}
	fmt.Fprintf(tw, "%s\t%s\t%s\t%s until %s\t%s\t%s\n", x.ID, x.Login, kind, state, clock(x.Expires), used, strings.Join(x.Scopes, ","))
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
