package casework

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/intake"
	"caseforms/internal/store"
	"caseforms/mail"
)

// channelEmail is the channel of a recipient beside those that a person uses themselves.
const channelEmail = string(ByEmail)

// Recipients are the offices that documents go to.
func (k *Desk) Recipients(ctx context.Context, a caseforms.Actor) ([]store.Recipient, error) {
	if err := a.Need("see the directory", caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor); err != nil {
		return nil, err
	}
	return k.store.Recipients(ctx)
}

// RecipientProblem is what is wrong with one of several recipients.
type RecipientProblem struct {
	Row     int // from 1, as they were given
	Problem caseforms.Problem
}

// PutRecipients adds recipients, and changes those whose role, organisation, area and channel are there already: what is given last holds. With
// a problem in any of them nothing is done.
func (k *Desk) PutRecipients(ctx context.Context, a caseforms.Actor, rs []store.Recipient) (added, changed int, ps []RecipientProblem, err error) {
	if err := a.Need("change the directory", caseforms.RoleAdmin, caseforms.RoleManager); err != nil {
		return 0, 0, nil, err
	}
	defs, err := k.load("")
	if err != nil {
		return 0, 0, nil, err
	}
	have, err := k.store.Recipients(ctx)
	if err != nil {
		return 0, 0, nil, err
	}
	today := k.today()
	for i := range rs {
		r := &rs[i]
		bad := func(key, msg, hint string) {
			ps = append(ps, RecipientProblem{i + 1, caseforms.Problem{Severity: caseforms.Blocking, Key: key, Msg: msg, Hint: hint}})
		}
		r.Role, r.Channel, r.Active = strings.ToLower(strings.TrimSpace(r.Role)), strings.ToLower(strings.TrimSpace(r.Channel)), true
		for _, s := range []*string{&r.Organisation, &r.Area, &r.Address, &r.Phone, &r.How} {
			*s = strings.Join(strings.Fields(*s), " ")
		}
		if defs.RecipientRole(r.Role) == nil {
			var roles []string
			for _, x := range defs.Roles {
				roles = append(roles, x.Role)
			}
			bad("role", "there is no role of this name", "one of: "+strings.Join(roles, ", "))
		}
		if r.Organisation == "" {
			bad("organisation", "is missing", "what the office is called")
		}
		if r.Channel != channelEmail && !slices.Contains(Channels, Channel(r.Channel)) {
			bad("channel", "is none that there is", "email, hand, post, telephone or portal")
		}
		switch {
		case r.Channel == channelEmail:
			if address, err := mail.ParseAddress(r.Address); err != nil {
				var e *caseforms.Error
				errors.As(err, &e)
				bad("address", e.Msg, e.Hint)
			} else {
				r.Address = string(address)
			}
		case r.Channel == string(ByTelephone) && r.Phone == "":
			bad("phone", "is missing", "an office that is reached by telephone has a number")
		}
		if today.Before(r.Demonstrated) {
			bad("demonstrated", "is in the future", "the day on which it was shown that the channel is secure")
		}
		if !r.Demonstrated.IsZero() && r.How == "" {
			bad("how", "is missing", "how it was shown that the channel is secure")
		}
		at := slices.IndexFunc(have, func(h store.Recipient) bool {
			return h.Role == r.Role && strings.EqualFold(h.Organisation, r.Organisation) && strings.EqualFold(h.Area, r.Area) && h.Channel == r.Channel
		})
		if at >= 0 {
			r.ID, r.Version = have[at].ID, have[at].Version
			changed++
			continue
		}
		if r.ID, err = k.store.NewRecipientID(); err != nil {
			return 0, 0, nil, err
		}
		added++
	}
	if len(ps) > 0 {
		return 0, 0, ps, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the directory was not changed", Hint: "put right what is told above"}
	}
	err = k.store.PutRecipients(ctx, rs, func(r store.Recipient) store.Entry {
		what := "recipient added"
		if r.Version > 0 {
			what = "recipient changed"
		}
		return store.Entry{What: what, Actor: a.ID, Detail: map[string]string{"recipient": r.ID, "role": r.Role, "organisation": r.Organisation, "area": r.Area, "channel": r.Channel, "address": r.Address,
			"demonstrated": r.Demonstrated.String(), "how": r.How}}
	})
	return added, changed, nil, again(err)
}

// CloseRecipient takes a recipient out of the directory; what was sent there stays known.
func (k *Desk) CloseRecipient(ctx context.Context, a caseforms.Actor, id, why string) error {
	if err := a.Need("change the directory", caseforms.RoleAdmin, caseforms.RoleManager); err != nil {
		return err
	}
	if why = strings.TrimSpace(why); why == "" {
		return needsReason("closing a recipient")
	}
	r, err := k.recipient(ctx, id)
	if err != nil {
		return err
	}
	r.Active = false
	return again(k.store.PutRecipients(ctx, []store.Recipient{*r}, func(store.Recipient) store.Entry {
		return store.Entry{What: "recipient closed", Actor: a.ID, Detail: map[string]string{"recipient": id, "why": why}}
	}))
}

func (k *Desk) recipient(ctx context.Context, id string) (*store.Recipient, error) {
	rs, err := k.store.Recipients(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(rs, func(r store.Recipient) bool { return r.ID == id }); i >= 0 {
		return &rs[i], nil
	}
	return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no such recipient in the directory", Hint: "caseforms recipient list"}
}

// CheckDirectory tells what of the directory could not be sent to today, and why.
func (k *Desk) CheckDirectory(ctx context.Context, a caseforms.Actor) ([]caseforms.Problem, error) {
	rs, err := k.Recipients(ctx, a)
	if err != nil {
		return nil, err
	}
	policies, err := k.policies(ctx)
	if err != nil {
		return nil, err
	}
	defs, err := k.load("")
	if err != nil {
		return nil, err
	}
	var ps []caseforms.Problem
	served := map[string]bool{}
	for _, r := range rs {
		if !r.Active {
			continue
		}
		served[r.Role] = true
		warn := func(msg, hint string) {
			ps = append(ps, caseforms.Problem{Severity: caseforms.Warning, Key: r.ID, Label: r.Organisation, Msg: msg, Hint: hint})
		}
		if r.Channel == channelEmail {
			q := mail.Question{To: mail.Recipient{Listed: true, Address: mail.Address(r.Address), Demonstrated: mail.Demonstration{How: r.How, On: r.Demonstrated}}, Policies: policies, Today: k.today()}
			if k.post != nil {
				q.Relays, q.Months = k.post.Relays, k.post.Months
			}
			if d := mail.Decide(q); d.Held != nil && (d.Held.Reason != mail.NoRelay || k.post != nil) {
				warn("what is sent there is held: "+d.Held.Why, d.Held.Do)
			}
		}
		if r.Phone == "" {
			warn("it has no telephone number, which is what is needed when something is urgent and cannot be sent", "add it with --phone")
		}
	}
	for _, role := range defs.Roles {
		if !served[role.Role] {
			ps = append(ps, caseforms.Problem{Severity: caseforms.Warning, Key: role.Role, Label: role.Label.In(defs.Lang), Msg: "nobody in the directory has this role", Hint: "caseforms recipient add " + role.Role + " ORGANISATION"})
		}
	}
	return ps, nil
}

// SetPolicy says how an address or a domain may be written to; with no means there is no policy, and what is sent there is held.
func (k *Desk) SetPolicy(ctx context.Context, a caseforms.Actor, p store.Policy) error {
	if err := a.Need("say how an address may be written to", caseforms.RoleAdmin); err != nil {
		return err
	}
	p.Pattern = strings.ToLower(strings.TrimSpace(p.Pattern))
	what := "policy removed"
	if p.Means != "" {
		what = "policy set"
		if err := (&mail.Policy{For: p.Pattern, Channel: mail.Channel(p.Means)}).Check(); err != nil {
			return err
		}
		if k.post != nil && p.Relay != "" && !slices.ContainsFunc(k.post.Relays, func(r mail.Relay) bool { return r.Name == p.Relay }) {
			return &caseforms.Error{Kind: caseforms.NotFound, Msg: "the configuration has no relay " + strconv.Quote(p.Relay), Hint: "caseforms config check lists the relays"}
		}
	}
	if k.today().Before(p.Demonstrated) {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the day on which it was shown is in the future"}
	}
	if p.Why = strings.TrimSpace(p.Why); p.Why == "" {
		return needsReason("a policy")
	}
	p.ChangedBy = a.ID
	return k.store.SetPolicy(ctx, p, store.Entry{What: what, Actor: a.ID, Detail: map[string]string{"pattern": p.Pattern, "means": p.Means, "relay": p.Relay, "why": p.Why, "demonstrated": p.Demonstrated.String(), "how": p.How}})
}

// Policies are all policies.
func (k *Desk) Policies(ctx context.Context, a caseforms.Actor) ([]store.Policy, error) {
	if err := a.Need("see the policies", caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor); err != nil {
		return nil, err
	}
	return k.store.Policies(ctx)
}

// addressed finds who is meant by a recipient that was named, and which office that is: its id in the directory, a role that one office has for this
// document, or the name of an office. Anything else is taken as it is, because what is handed over by hand may go to somebody nobody entered.
func (k *Desk) addressed(ctx context.Context, a caseforms.Actor, m *matter, to string) (name, office string, err error) {
	role := m.defs.RecipientRole(to)
	if !strings.HasPrefix(to, "r-") && role == nil {
		return k.officeNamed(ctx, m.doc.Ref, to)
	}
	rs, err := k.store.Recipients(ctx)
	if err != nil {
		return "", "", err
	}
	var found []store.Recipient
	for _, r := range rs {
		if r.Active && (r.ID == to || role != nil && r.Role == to) {
			found = append(found, r)
		}
	}
	switch {
	case len(found) == 0:
		return "", "", &caseforms.Error{Kind: caseforms.NotFound, Msg: "nobody in the directory is " + to, Hint: "caseforms recipient list"}
	case len(found) > 1:
		var ids []string
		for _, r := range found {
			ids = append(ids, r.ID+" ("+r.Organisation+")")
		}
		return "", "", &caseforms.Error{Kind: caseforms.Conflict, Msg: "several have this role: " + strings.Join(ids, ", "), Hint: "name one of them"}
	}
	r := found[0]
	if x := m.defs.RecipientRole(r.Role); x != nil && m.doc != nil {
		if err := x.May(m.doc.Form, m.doc.Copy, a, m.defs.Lang); err != nil {
			return "", "", err
		}
	}
	return r.Organisation, r.ID, nil
}

// officeNamed finds the office that somebody means by a name or an address: one that the document was sent to, or is to be, before one of the
// directory. office is "" when there is none, or several.
func (k *Desk) officeNamed(ctx context.Context, ref caseforms.Ref, to string) (name, office string, err error) {
	to = strings.TrimSpace(to)
	sends, err := k.store.Sends(ctx, ref)
	if err != nil {
		return "", "", err
	}
	found := map[string]bool{}
	for i := range sends {
		p, err := k.posting(ctx, &sends[i])
		if err != nil {
			return "", "", err
		}
		if strings.EqualFold(p.Organisation, to) || strings.EqualFold(p.Address, to) || sends[i].Recipient == to {
			found[sends[i].Office] = true
		}
	}
	if len(found) == 0 {
		rs, err := k.store.Recipients(ctx)
		if err != nil {
			return "", "", err
		}
		for _, r := range rs {
			if r.Active && (strings.EqualFold(r.Organisation, to) || strings.EqualFold(r.Address, to) || r.ID == to) {
				found[r.ID] = true
			}
		}
	}
	if len(found) == 1 {
		for office = range found {
		}
	}
	return to, office, nil
}

// officeOf tells offices apart: by the id in the directory, else by a keyed hash of the address, so that no column has one.
func (k *Desk) officeOf(recipient, address string) string {
	if recipient != "" {
		return recipient
	}
	return "x-" + hex.EncodeToString(k.store.Term("office", strings.ToLower(address))[:6])
}

// ParseDay reads a day that somebody typed.
func ParseDay(s string) (caseforms.Date, error) {
	if s == "" {
		return caseforms.Date{}, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return caseforms.Date{}, &caseforms.Error{Kind: caseforms.Invalid, Msg: "a day is written as 2026-11-25"}
	}
	return caseforms.DateOf(t), nil
}

// ReadDirectory reads a workbook of recipients whose first row names the columns, in any order.
func ReadDirectory(data []byte) ([]store.Recipient, error) {
	list, err := intake.Sheet(data)
	if err != nil {
		return nil, err
	}
	rows := list.Rows
	known := []string{"role", "organisation", "area", "channel", "address", "phone", "demonstrated", "how"}
	at := map[string]int{}
	if len(rows) > 0 {
		for i, c := range rows[0] {
			name := strings.ToLower(strings.NewReplacer(" ", "", "_", "").Replace(c))
			if name == "" {
				continue
			}
			if !slices.Contains(known, name) {
				return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the workbook has a column that is not known, column " + fmt.Sprint(i+1), Hint: "the first row names the columns: " + strings.Join(known, ", ")}
			}
			at[name] = i
		}
	}
	for _, need := range known[:2] {
		if _, ok := at[need]; !ok {
			return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the workbook has no column " + need, Hint: "the first row names the columns: " + strings.Join(known, ", ")}
		}
	}
	var out []store.Recipient
	for n, row := range rows[min(1, len(rows)):] {
		cell := func(name string) string {
			if i, ok := at[name]; ok && i < len(row) {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		if strings.TrimSpace(strings.Join(row, "")) == "" {
			continue
		}
		day, ok := list.Day(cell("demonstrated"))
		if !ok && cell("demonstrated") != "" {
			return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: fmt.Sprintf("row %d, demonstrated: a day is written as 2026-11-25", n+2)}
		}
		out = append(out, store.Recipient{Role: cell("role"), Organisation: cell("organisation"), Area: cell("area"), Channel: cell("channel"), Address: cell("address"), Phone: cell("phone"), Demonstrated: day, How: cell("how")})
	}
	if len(out) == 0 {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the workbook has no rows below the first"}
	}
	return out, nil
}
