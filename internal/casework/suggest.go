package casework

import (
	"context"
	"errors"

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
	goes, missing, err := x.byRule(ctx)
	if err != nil {
		return nil, err
	}
	out.Missing = missing
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

// byRule are the offices that the document goes to when nobody is named, and why others are not found.
func (x *sending) byRule(ctx context.Context) (goes map[string]bool, missing []string, err error) {
	all, err := x.k.store.Recipients(ctx)
	if err != nil {
		return nil, nil, err
	}
	var active []store.Recipient
	for _, r := range all {
		if r.Active {
			active = append(active, r)
		}
	}
	goes = map[string]bool{}
	for _, role := range x.m.defs.RolesFor(x.m.doc.Form, x.m.doc.Copy, x.a) {
		of, err := x.offices(role, active)
		var ours *caseforms.Error
		switch {
		case errors.As(err, &ours) && ours.Kind != caseforms.Internal:
			missing = append(missing, role.Label.In(x.m.defs.Lang)+": "+ours.Msg)
		case err != nil:
			return nil, nil, err
		}
		for _, r := range of {
			goes[r.ID] = true
		}
	}
	return goes, missing, nil
}
