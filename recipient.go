package caseforms

import (
	"fmt"
	"slices"
	"strings"
)

// RecipientRole is what a recipient of documents is: the front door of children's services, the Public Protection Office. Who that is in an
// area stands in the directory of the store.
type RecipientRole struct {
	Role   string
	Label  Text
	Forms  []string // what may be sent to it (C.6)
	Copies []string // which copies of them; none named is the full one
	// Unasked are those of Forms that go to it when nobody is named, once per office of the area, in the order in which the roles stand.
	Unasked []string
	By      []Role   // who may send to it; none named is everybody who may issue (0.4 point 10)
	After   []string // roles that must have had the document before (0.4 point 5)
	// Authority says that it serves one local authority: a document that is made for one goes to the office of that one alone (0.4 point 9).
	Authority bool
	Line      int
}

// RecipientRole finds a role.
func (d *Definitions) RecipientRole(role string) *RecipientRole {
	for i := range d.Roles {
		if d.Roles[i].Role == role {
			return &d.Roles[i]
		}
	}
	return nil
}

// May tells whether a copy of a form may be sent to the role, by somebody; the error says why not.
func (r *RecipientRole) May(form, copy string, a Actor, lang string) error {
	copies := r.Copies
	if len(copies) == 0 {
		copies = []string{CopyFull}
	}
	label := r.Label.In(lang)
	switch {
	case !slices.Contains(r.Forms, form):
		return &Error{Kind: Forbidden, Msg: fmt.Sprintf("a %s does not go to a recipient of this role (%s)", form, label), Hint: "caseforms forms tells who each form goes to"}
	case !slices.Contains(copies, copy):
		return &Error{Kind: Forbidden, Msg: fmt.Sprintf("the copy %s does not go to a recipient of this role (%s)", copy, label), Hint: "what goes there: " + strings.Join(copies, ", ") + "; record that copy and send it"}
	case len(r.By) > 0 && !a.Is(r.By...):
		var names []string
		for _, x := range r.By {
			names = append(names, string(x))
		}
		return &Error{Kind: Forbidden, Msg: fmt.Sprintf("you may not send to a recipient of this role (%s)", label), Hint: "it takes the role " + strings.Join(names, " or ") + "; what you send goes to the Public Protection Office, which sends it on"}
	}
	return nil
}

// RolesFor are the roles that a copy of a form goes to when nobody is named, in the order in which they get it. What the Public Protection Office
// sends goes on to others, not to itself.
func (d *Definitions) RolesFor(form, copy string, a Actor) (out []*RecipientRole) {
	for _, office := range []bool{true, false} {
		for i := range d.Roles {
			r := &d.Roles[i]
			if slices.Contains(r.Unasked, form) && r.May(form, copy, a, d.Lang) == nil && slices.Contains(r.By, RoleOffice) == office && (!office || a.Is(RoleOffice)) {
				out = append(out, r)
			}
		}
		if len(out) > 0 {
			break
		}
	}
	return out
}

// Takers are the roles that a copy of a form may go to, whoever sends it: those whom it is for.
func (d *Definitions) Takers(form, copy string) (out []*RecipientRole) {
	for i := range d.Roles {
		if r := &d.Roles[i]; r.takes(form, copy) {
			out = append(out, r)
		}
	}
	return out
}

func (r *RecipientRole) takes(form, copy string) bool {
	return slices.Contains(r.Forms, form) && (slices.Contains(r.Copies, copy) || len(r.Copies) == 0 && copy == CopyFull)
}

// bindRoles checks the roles.
func (d *Definitions) bindRoles() (ps []Problem) {
	seen := map[string]bool{}
	for _, r := range d.Roles {
		bad := func(msg string) {
			ps = append(ps, Problem{Severity: Blocking, File: "recipients.yaml", Line: max(r.Line, 1), Column: 1, Key: r.Role, Msg: msg})
		}
		if seen[r.Role] {
			bad("this role stands twice")
		}
		seen[r.Role] = true
		if r.Role == "" || r.Label.IsZero() || len(r.Forms) == 0 {
			bad("a role has a name, a label and the forms that may be sent to it")
		}
		for _, f := range r.Forms {
			if _, err := d.Form(f); err != nil {
				bad("there is no form " + quoteKey(f))
			}
		}
		for _, f := range r.Unasked {
			if !slices.Contains(r.Forms, f) {
				bad("what goes to it unasked may be sent to it: " + quoteKey(f) + " is not among forms")
			}
		}
		for _, c := range r.Copies {
			if !slices.Contains([]string{CopyFull, CopyDisclosable, CopyAnnex}, c) {
				bad("there is no copy " + quoteKey(c))
			}
		}
		for _, by := range r.By {
			if !slices.Contains(roles, by) {
				bad("there is no role " + quoteKey(string(by)) + " of people")
			}
		}
		for _, before := range r.After {
			if !seen[before] {
				bad("a role that comes before stands before it: " + quoteKey(before))
			}
		}
	}
	return ps
}
