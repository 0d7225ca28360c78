package caseforms

import (
	"slices"
	"strings"
)

// Role is what a person may do. One person may have several.
type Role string

const (
	RolePractitioner Role = "practitioner" // works on cases: issues, sends, follows up
	RoleManager      Role = "manager"      // endorses what practitioners do and answers for their caseload
	RoleAdmin        Role = "admin"        // people, restrictions, erasure, backups; not the content of cases
	RoleAuditor      Role = "auditor"      // reads the ledger and verifies; changes nothing
	RoleOffice       Role = "office"       // works in the Public Protection Office, beside being a practitioner or manager: what they send goes on to others (003:312)
)

// roles are all there are.
var roles = []Role{RolePractitioner, RoleManager, RoleAdmin, RoleAuditor, RoleOffice}

// ParseRoles reads roles separated by commas.
func ParseRoles(s string) ([]Role, error) {
	var out []Role
	for name := range strings.SplitSeq(s, ",") {
		r := Role(strings.ToLower(strings.TrimSpace(name)))
		if !slices.Contains(roles, r) {
			return nil, &Error{Kind: Invalid, Msg: "there is no role " + quoteKey(string(r)), Hint: "roles: practitioner, manager, admin, auditor, office"}
		}
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out, nil
}

// Actor is who does something. Every act has one; the ledger keeps the ID, which is random and says nothing about the person.
type Actor struct {
	ID    string
	Name  string // for people to read; never in the ledger or a log
	Team  string
	Roles []Role
}

// Scheduler is the actor of what the program does by itself: delivering, reminding.
func Scheduler() Actor { return Actor{ID: "scheduler", Name: "the program itself"} }

// Is tells whether the actor has one of the roles.
func (a Actor) Is(any ...Role) bool {
	return slices.ContainsFunc(any, func(r Role) bool { return slices.Contains(a.Roles, r) })
}

// Need refuses an actor who has none of the roles. The act follows "may not": "issue documents".
func (a Actor) Need(act string, any ...Role) error {
	if a.Is(any...) {
		return nil
	}
	var names []string
	for _, r := range any {
		names = append(names, string(r))
	}
	return &Error{Kind: Forbidden, Msg: "you may not " + act, Hint: "it takes the role " + strings.Join(names, " or ") + "; an admin gives roles"}
}
