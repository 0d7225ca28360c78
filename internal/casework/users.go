package casework

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/store"
)

// longDate and longTime are how people here write a day and a time.
func longDate(t time.Time) string { return caseforms.London(t).Format("2 January 2006") }
func longTime(t time.Time) string { return caseforms.London(t).Format("15:04 on 2 January 2006") }

// names are the names of the users by id.
type names map[string]string

// of is the name of whoever did something; of somebody unknown it is the id.
func (n names) of(id string) string {
	if name, ok := n[id]; ok {
		return name
	}
	return id
}

func (k *Desk) names(ctx context.Context) (names, error) {
	out, err := k.store.Names(ctx)
	if err == nil {
		out[caseforms.Scheduler().ID] = caseforms.Scheduler().Name
	}
	return out, err
}

func (k *Desk) nameOf(ctx context.Context, id string) (string, error) {
	if id == caseforms.Scheduler().ID {
		return caseforms.Scheduler().Name, nil
	}
	u, _, err := k.store.UserByID(ctx, id)
	return names{u.ID: u.Name}.of(id), err
}

func noUser(login string) error {
	return &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no user of this login", Hint: "an admin adds people: caseforms user add LOGIN --name NAME --role ROLE"}
}

// Actor is who somebody is that signed in under a login. In a store without users whoever comes first is made its practitioner and admin,
// so that one person can begin without anybody's help; from then on an admin adds people.
func (k *Desk) Actor(ctx context.Context, login, name string) (caseforms.Actor, error) {
	users, err := k.store.Users(ctx)
	if err != nil {
		return caseforms.Actor{}, err
	}
	if len(users) == 0 {
		u := store.User{Login: login, Actor: caseforms.Actor{Name: name, Roles: []caseforms.Role{caseforms.RolePractitioner, caseforms.RoleAdmin}}}
		if u.ID, err = k.store.NewUserID(); err != nil {
			return caseforms.Actor{}, err
		}
		err := k.store.AddUser(ctx, u, store.Entry{What: "first user", Actor: u.ID, Detail: map[string]string{"user": u.ID, "roles": "practitioner, admin"}})
		if err != nil && !errors.Is(err, store.ErrTaken) {
			return caseforms.Actor{}, err
		}
		if users, err = k.store.Users(ctx); err != nil {
			return caseforms.Actor{}, err
		}
	}
	for _, u := range users {
		if !strings.EqualFold(u.Login, login) {
			continue
		}
		if !u.Active {
			return caseforms.Actor{}, &caseforms.Error{Kind: caseforms.Forbidden, Msg: "your account is closed", Hint: "an admin opens it: caseforms user open LOGIN"}
		}
		return u.Actor, nil
	}
	return caseforms.Actor{}, &caseforms.Error{Kind: caseforms.Forbidden, Msg: "you are not among the people of this store", Hint: "an admin adds you: caseforms user add LOGIN --name NAME --role ROLE"}
}

// Users are the people of the store.
func (k *Desk) Users(ctx context.Context, a caseforms.Actor) ([]store.User, error) {
	if err := a.Need("see who works here", caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor); err != nil {
		return nil, err
	}
	return k.store.Users(ctx)
}

// AddUser adds a person.
func (k *Desk) AddUser(ctx context.Context, a caseforms.Actor, login, name, team string, roles []caseforms.Role) (string, error) {
	if err := a.Need("add people", caseforms.RoleAdmin); err != nil {
		return "", err
	}
	login, name, team = strings.TrimSpace(login), strings.TrimSpace(name), strings.TrimSpace(team)
	if login == "" || strings.ContainsAny(login, " \t\r\n") || name == "" || len(roles) == 0 {
		return "", &caseforms.Error{Kind: caseforms.Invalid, Msg: "a person has a login without spaces, a name and at least one role", Hint: "caseforms user add LOGIN --name NAME --role practitioner --team TEAM"}
	}
	users, err := k.store.Users(ctx)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(users, func(u store.User) bool { return strings.EqualFold(u.Login, login) }) {
		return "", &caseforms.Error{Kind: caseforms.Conflict, Msg: "somebody has this login already", Hint: "caseforms user list"}
	}
	u := store.User{Login: login, Actor: caseforms.Actor{Name: name, Team: team, Roles: roles}}
	if u.ID, err = k.store.NewUserID(); err != nil {
		return "", err
	}
	return u.ID, again(k.store.AddUser(ctx, u, store.Entry{What: "user added", Actor: a.ID, Detail: map[string]string{"user": u.ID, "roles": roleNames(roles), "team": team}}))
}

// ChangeUser changes what is given of a person: "" and nil leave it as it is. The last admin stays one.
func (k *Desk) ChangeUser(ctx context.Context, a caseforms.Actor, login, name string, team *string, roles []caseforms.Role, active *bool) error {
	if err := a.Need("change what people may do", caseforms.RoleAdmin); err != nil {
		return err
	}
	users, err := k.store.Users(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(users, func(u store.User) bool { return strings.EqualFold(u.Login, login) })
	if i < 0 {
		return noUser(login)
	}
	u := users[i]
	if name != "" {
		u.Name = name
	}
	if team != nil {
		u.Team = *team
	}
	if roles != nil {
		u.Roles = roles
	}
	if active != nil && !*active || roles != nil && !u.Is(caseforms.RolePractitioner, caseforms.RoleManager) {
		open, err := k.burden(ctx, u.ID)
		if err != nil {
			return err
		}
		if open > 0 {
			return &caseforms.Error{Kind: caseforms.Conflict, Msg: fmt.Sprintf("this account still owns %d cases, follow-ups and drafts", open), Hint: "hand it over first: caseforms handover " + u.Login + " TO --why …"}
		}
	}
	what := "user changed"
	if active != nil {
		u.Active = *active
		if what = "user opened"; !u.Active {
			what = "user closed"
		}
	}
	others := slices.ContainsFunc(users, func(o store.User) bool { return o.ID != u.ID && o.Active && o.Is(caseforms.RoleAdmin) })
	if !others && (!u.Active || !u.Is(caseforms.RoleAdmin)) {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "nobody would be left who is an admin", Hint: "make somebody else an admin first"}
	}
	return again(k.store.SetUser(ctx, u, store.Entry{What: what, Actor: a.ID, Detail: map[string]string{"user": u.ID, "roles": roleNames(u.Roles), "team": u.Team}}))
}

// burden is how much somebody owns: cases, open follow-ups, drafts. Nothing is ever owned by a closed account (0.4 point 18).
func (k *Desk) burden(ctx context.Context, id string) (int, error) {
	n, err := k.store.OpenOf(ctx, id)
	if err != nil {
		return 0, err
	}
	cases, err := k.store.CasesOf(ctx, id)
	if err != nil {
		return 0, err
	}
	drafts, err := k.store.Drafts(ctx, "")
	for _, d := range drafts {
		if d.CreatedBy == id {
			n++
		}
	}
	return n + len(cases), err
}

func roleNames(rs []caseforms.Role) string {
	var out []string
	for _, r := range rs {
		out = append(out, string(r))
	}
	return strings.Join(out, ", ")
}
