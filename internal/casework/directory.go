package casework

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/store"
)

// The channels of a recipient beside those that a person uses themselves.
const channelEmail = "email"

// The means by which an address may be written to (E.1, issue of the hand-offs by e-mail). Where there is none, nothing is sent.
var means = []string{"tls", "cjsm", "password", "hand"}

// demonstrationLasts is how long a demonstration that a channel is secure is relied upon, in months. The procedures ask for a demonstrated
// means and give no time (003:332); this one is ours.
const demonstrationLasts = 12

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
			if address, err := caseforms.CheckEmail(r.Address); err != nil {
				bad("address", err.Error(), "look for a missing @ or a space in it")
			} else {
				r.Address = address
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
	policies, err := k.store.Policies(ctx)
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
			if p := policyFor(policies, r.Address); p == nil {
				warn("there is no policy for its address: what is sent there is held", "caseforms policy set "+domainOf(r.Address)+" --means tls")
			}
			switch {
			case r.Demonstrated.IsZero():
				warn("nobody has shown that its address is secure", "caseforms recipient add … --demonstrated DAY --how TEXT")
			case r.Demonstrated.AddMonths(demonstrationLasts).Before(k.today()):
				warn("that its address is secure was shown on "+r.Demonstrated.Long()+", more than a year ago", "show it again")
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

func domainOf(address string) string {
	_, domain, _ := strings.Cut(address, "@")
	return strings.ToLower(domain)
}

// policyFor is the policy of an address: its own, else that of its domain, else that of the nearest domain above it.
func policyFor(ps []store.Policy, address string) *store.Policy {
	address = strings.ToLower(address)
	patterns := []string{address}
	for d := domainOf(address); strings.Contains(d, "."); _, d, _ = strings.Cut(d, ".") {
		patterns = append(patterns, d)
	}
	for _, want := range patterns {
		if i := slices.IndexFunc(ps, func(p store.Policy) bool { return p.Pattern == want }); i >= 0 {
			return &ps[i]
		}
	}
	return nil
}

// SetPolicy says how an address or a domain may be written to; with no means nothing may be sent there any more.
func (k *Desk) SetPolicy(ctx context.Context, a caseforms.Actor, pattern, by, relay, why string) error {
	if err := a.Need("say how an address may be written to", caseforms.RoleAdmin); err != nil {
		return err
	}
	pattern = strings.ToLower(strings.TrimSpace(pattern))
	if strings.Contains(pattern, "@") {
		if _, err := caseforms.CheckEmail(pattern); err != nil {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: "a policy is for an address or a domain, and this is neither"}
		}
	} else if _, err := caseforms.CheckEmail("a@" + pattern); err != nil {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "a policy is for an address or a domain, and this is neither"}
	}
	if by != "" && !slices.Contains(means, by) {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is no such means", Hint: "tls (a relay that forces TLS), cjsm, password (a sealed file, the password by telephone) or hand"}
	}
	if why = strings.TrimSpace(why); why == "" {
		return needsReason("a policy")
	}
	what := "policy set"
	if by == "" {
		what = "policy removed"
	}
	return k.store.SetPolicy(ctx, store.Policy{Pattern: pattern, Means: by, Relay: relay, ChangedBy: a.ID},
		store.Entry{What: what, Actor: a.ID, Detail: map[string]string{"pattern": pattern, "means": by, "relay": relay, "why": why}})
}

// Policies are all policies.
func (k *Desk) Policies(ctx context.Context, a caseforms.Actor) ([]store.Policy, error) {
	if err := a.Need("see the policies", caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor); err != nil {
		return nil, err
	}
	return k.store.Policies(ctx)
}

// addressed finds who is meant by a recipient that was named: its id in the directory, or a role that one office has for this document. Anything
// else is taken as it is, because what is handed over by hand may go to somebody nobody entered.
func (k *Desk) addressed(ctx context.Context, m *matter, to string) (string, error) {
	role := m.defs.RecipientRole(to)
	if !strings.HasPrefix(to, "r-") && role == nil {
		return to, nil
	}
	rs, err := k.store.Recipients(ctx)
	if err != nil {
		return "", err
	}
	var found []store.Recipient
	for _, r := range rs {
		if r.Active && (r.ID == to || role != nil && r.Role == to) {
			found = append(found, r)
		}
	}
	switch {
	case len(found) == 0:
		return "", &caseforms.Error{Kind: caseforms.NotFound, Msg: "nobody in the directory is " + to, Hint: "caseforms recipient list"}
	case len(found) > 1:
		var ids []string
		for _, r := range found {
			ids = append(ids, r.ID+" ("+r.Organisation+")")
		}
		return "", &caseforms.Error{Kind: caseforms.Conflict, Msg: "several have this role: " + strings.Join(ids, ", "), Hint: "name one of them"}
	}
	r := found[0]
	if x := m.defs.RecipientRole(r.Role); x != nil && m.doc != nil && !x.May(m.doc.Form) {
		return "", &caseforms.Error{Kind: caseforms.Forbidden, Msg: fmt.Sprintf("a %s does not go to a recipient of this role (%s)", m.doc.Form, x.Label.In(m.defs.Lang)), Hint: "caseforms forms tells who each form goes to"}
	}
	return r.Organisation, nil
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
