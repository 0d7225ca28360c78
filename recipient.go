package caseforms

import (
	"fmt"
	"slices"
	"strings"
)

// RecipientRole is what a recipient of documents is: the front door of children's services, the Public Protection Office. Who that is in an
// area stands in the directory of the store.
type RecipientRole struct {
	Role  string
	Label Text
	Forms []string // what may be sent to it (C.6)
	Line  int
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

// May tells whether a form may be sent to the role.
func (r *RecipientRole) May(form string) bool { return slices.Contains(r.Forms, form) }

// CheckEmail reads an e-mail address as it may stand in the directory: it is brought to its usual form, and refused when no server would take it.
func CheckEmail(s string) (string, error) {
	var e Email
	s = strings.TrimSpace(s)
	if doubt, err := e.parse(s); err != nil || doubt != "" {
		return "", fmt.Errorf("is not an e-mail address")
	}
	return e.String(), nil
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
	}
	return ps
}
