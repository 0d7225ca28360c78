package casework

import (
	"context"
	"errors"
	"slices"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/mail"
)

// Suggestions are the offices that a document may go to, and what would become of it there. Nothing is sent by asking.
type Suggestions struct {
	Copy    string
	For     string // the authority, or agency, that it is made for; "" is none in particular
	Offices []Suggested
	Missing []string // whom it goes to by the rules and who cannot be found in the directory: why, and what to do
	Reached []Reached
}

// Suggested is an office of the directory that is reached by e-mail.
type Suggested struct {
	Office
	Goes  bool // the rules say that it goes there
	Issue int  // the latest issue that it has, or that is on its way there; 0 is none
	mail.Decision
}

// Suggest tells whom a document should go to by the rules, and what policy says of each office, before anything is put together.
func (k *Desk) Suggest(ctx context.Context, a caseforms.Actor, ref caseforms.Ref) (*Suggestions, error) {
	c, err := k.Choices(ctx, a, ref)
	if err != nil {
		return nil, err
	}
	m, err := k.known(ctx, ref)
	if err != nil {
		return nil, err
	}
	x := &sending{k: k, a: a, m: m, v: m.doc.Latest(), s: &Send{Ref: ref}}
	if err := x.load(ctx); err != nil {
		return nil, err
	}
	out := &Suggestions{Copy: m.doc.Copy, For: x.doc.For}
	if out.Reached, err = k.reachedBy(ctx, m, x.earlier); err != nil {
		return nil, err
	}
	all, err := k.store.Recipients(ctx)
	if err != nil {
		return nil, err
	}
	rules, err := x.byRule(all)
	if err != nil {
		return nil, err
	}
	goes := map[string]bool{}
	for _, r := range rules {
		if r.missing != "" {
			out.Missing = append(out.Missing, r.role.Label.In(m.defs.Lang)+": "+r.missing)
		}
		for _, o := range r.offices {
			goes[o.ID] = true
		}
	}
	var sizes []int
	for _, f := range x.files {
		if mail.Attachable(string(f.Format)) {
			sizes = append(sizes, len(f.Data))
		}
	}
	for _, o := range c.To {
		if !o.ByEmail {
			continue
		}
		s := Suggested{Office: o, Goes: goes[o.ID]}
		for _, r := range out.Reached {
			if r.Office == o.ID {
				s.Issue = r.Issue
			}
		}
		if k.post != nil {
			q, moved, err := k.question(ctx, &posting{Organisation: o.Organisation, Role: o.Role, Address: o.Address, Listed: true, Phone: o.Phone}, o.ID, x.urgent, mail.EncodedSize(sizes...))
			if err != nil {
				return nil, err
			}
			if s.Decision = mail.Decide(q); moved != nil {
				s.Decision = mail.Decision{Held: moved}
			}
		}
		out.Offices = append(out.Offices, s)
	}
	return out, nil
}

// ruled is a role that a document goes to when nobody is named.
type ruled struct {
	role    *caseforms.RecipientRole
	offices []store.Recipient // that have it
	missing string            // why none can be told
}

// byRule are the roles that the document goes to when nobody is named, with their offices in a directory.
func (x *sending) byRule(directory []store.Recipient) (out []ruled, err error) {
	active := slices.DeleteFunc(slices.Clone(directory), func(r store.Recipient) bool { return !r.Active })
	for _, role := range x.m.defs.RolesFor(x.m.doc.Form, x.m.doc.Copy, x.a) {
		r := ruled{role: role}
		var ours *caseforms.Error
		switch r.offices, err = x.offices(role, active); {
		case errors.As(err, &ours) && ours.Kind != caseforms.Internal:
			r.missing = ours.Msg
		case err != nil:
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}
