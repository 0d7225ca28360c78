package casework

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"caseforms"
	"caseforms/internal/store"
)

// Due is something that has to be done.
type Due struct {
	store.FollowUp
	Says      string // what to do
	Source    string // of the rule
	Default   bool   // the procedures give no time; this one is ours
	Who       string // whose duty it is by the rule: practitioner, manager
	OwnerName string
	Form      string // of the document it is about
	Over      int    // working days overdue; 0 when it is not
	Step      string // the last rung of the ladder that was climbed, in words
	Chase     string // a chase to the agency that is ready, with references only
	Card      Card   // empty when the actor may not see the case
}

// DueFilter says what of it somebody wants to see.
type DueFilter struct {
	Mine bool
	Team string // "" is every team
	Area *string
	Days int // also what falls due within so many days
}

// MostDue is how many lines are shown, the most overdue first.
const MostDue = 5000

// Due is what is due or overdue, the most overdue first. The ladder is climbed before, so that it is right whether or not anything ran.
func (k *Desk) Due(ctx context.Context, a caseforms.Actor, filter DueFilter) ([]Due, error) {
	if err := a.Need("see what is due", caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor); err != nil {
		return nil, err
	}
	if _, err := k.Tick(ctx); err != nil {
		return nil, err
	}
	q := store.DueQuery{By: k.today().AddDays(filter.Days), Team: filter.Team, Area: filter.Area, Most: MostDue}
	if filter.Mine {
		q.Owner = a.ID
	}
	open, err := k.store.DueBy(ctx, q)
	if err != nil {
		return nil, err
	}
	out, err := k.tell(ctx, a, open)
	if err == nil && len(out) > 0 {
		err = k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "list of what is due read", Actor: a.ID, Detail: map[string]string{"lines": fmt.Sprint(len(out))}})
	}
	return out, err
}

// dueOf is what is open of one case.
func (k *Desk) dueOf(ctx context.Context, a caseforms.Actor, id caseforms.CaseID, which func(store.FollowUp) bool) ([]Due, error) {
	all, err := k.store.FollowUpsOf(ctx, id)
	if err != nil {
		return nil, err
	}
	return k.tell(ctx, a, slices.DeleteFunc(all, func(u store.FollowUp) bool { return u.State != store.FollowUpOpen || !which(u) }))
}

// tell puts follow-ups into words.
func (k *Desk) tell(ctx context.Context, a caseforms.Actor, us []store.FollowUp) ([]Due, error) {
	who, err := k.names(ctx)
	if err != nil {
		return nil, err
	}
	today := k.today()
	areas := map[string]*matter{}
	cards, forms, err := k.listed(ctx, a, us)
	if err != nil {
		return nil, err
	}
	var out []Due
	for _, u := range us {
		m := areas[u.Area]
		if m == nil {
			defs, err := k.load(u.Area)
			if err != nil {
				return nil, err
			}
			m = &matter{defs: defs, cal: defs.Calendar(k.closed...)}
			areas[u.Area] = m
		}
		d := Due{FollowUp: u, OwnerName: who.of(u.Owner), Says: u.Rule}
		rule := m.defs.Duties.Rule(u.Rule)
		if rule != nil {
			d.Says, d.Source, d.Default, d.Who = rule.Says.In(m.defs.Lang), rule.Source, rule.Default, rule.Who
		}
		if u.Due.Before(today) {
			d.Over = m.cal.WorkingDaysBetween(u.Due, today)
			d.Over = max(d.Over, 1)
		}
		if steps := m.steps(&u); u.Stepped > 0 && u.Stepped <= len(steps) {
			d.Step = steps[u.Stepped-1].Says.In(m.defs.Lang)
		}
		if u.Ref != "" {
			d.Form = forms[u.Ref]
			if rule != nil && rule.Chases && u.Stepped > 0 {
				d.Chase = chaseText(m.defs, &u, d.Form)
			}
		}
		d.Card = cards[u.Case]
		out = append(out, d)
	}
	return out, nil
}

// listed are the cards of the cases that the actor may see, and the forms of the documents, of many follow-ups at once.
func (k *Desk) listed(ctx context.Context, a caseforms.Actor, us []store.FollowUp) (map[caseforms.CaseID]Card, map[caseforms.Ref]string, error) {
	ids, refs := map[caseforms.CaseID]bool{}, map[caseforms.Ref]bool{}
	for _, u := range us {
		ids[u.Case] = true
		if u.Ref != "" {
			refs[u.Ref] = true
		}
	}
	forms, err := k.store.FormsOf(ctx, slices.Collect(maps.Keys(refs)))
	if err != nil {
		return nil, nil, err
	}
	out := map[caseforms.CaseID]Card{}
	if !a.Is(caseforms.RolePractitioner, caseforms.RoleManager) {
		return out, forms, nil
	}
	cards, err := k.store.Cards(ctx, slices.Collect(maps.Keys(ids)))
	if err != nil {
		return nil, nil, err
	}
	for id, c := range cards {
		if c.Case.Restricted && !allowed(a, c.Case.Access) {
			continue
		}
		var card Card
		if json.Unmarshal(c.Card, &card) != nil {
			return nil, nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "the summary of case " + string(id) + " is damaged"}
		}
		out[id] = card
	}
	return out, forms, nil
}

// chaseText is what the agency is asked. It has the reference and no name.
func chaseText(defs *caseforms.Definitions, u *store.FollowUp, form string) string {
	title := form
	if f, err := defs.Form(form); err == nil {
		title = f.Title.In(defs.Lang)
	}
	return fmt.Sprintf("On %s we sent you %s, reference %s, and have had no answer. Please tell us what you have decided, or when you will, quoting the reference.", u.From.Long(), title, u.Ref)
}

// Transfer gives somebody's caseload, or some of its cases, to somebody else: cases, open follow-ups and drafts (0.4 point 18).
func (k *Desk) Transfer(ctx context.Context, a caseforms.Actor, from, to string, only []caseforms.CaseID, why string) (int, error) {
	if err := a.Need("hand a caseload over", caseforms.RoleManager, caseforms.RoleAdmin); err != nil {
		return 0, err
	}
	if why = strings.TrimSpace(why); why == "" {
		return 0, needsReason("handing over a caseload")
	}
	users, err := k.store.Users(ctx)
	if err != nil {
		return 0, err
	}
	find := func(login string) (*store.User, error) {
		i := slices.IndexFunc(users, func(u store.User) bool { return strings.EqualFold(u.Login, login) })
		if i < 0 {
			return nil, noUser(login)
		}
		return &users[i], nil
	}
	f, err := find(from)
	if err != nil {
		return 0, err
	}
	t, err := find(to)
	if err != nil {
		return 0, err
	}
	if !t.Active || !t.Is(caseforms.RolePractitioner, caseforms.RoleManager) {
		return 0, &caseforms.Error{Kind: caseforms.Invalid, Msg: "a caseload goes to somebody with an open account who works on cases"}
	}
	cases, err := k.store.CasesOf(ctx, f.ID)
	if err != nil {
		return 0, err
	}
	if only != nil {
		for _, id := range only {
			if !slices.Contains(cases, id) {
				return 0, &caseforms.Error{Kind: caseforms.NotFound, Msg: "case " + string(id) + " is not in that caseload"}
			}
		}
		cases = only
	}
	o := &store.OwnerOfCases{Cases: cases, From: f.ID, To: t.ID, Team: t.Team}
	drafts, err := k.store.Drafts(ctx, "")
	if err != nil {
		return 0, err
	}
	for _, d := range drafts {
		if d.CreatedBy == f.ID && (only == nil || slices.Contains(only, d.Case)) {
			o.Drafts = append(o.Drafts, d.ID)
		}
	}
	var entries []store.Entry
	for _, id := range cases {
		entries = append(entries, store.Entry{What: "caseload handed over", Actor: a.ID, Case: id, Detail: map[string]string{"from": f.ID, "to": t.ID, "why": why}})
	}
	if len(cases)+len(o.Drafts) == 0 {
		return 0, &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is nothing to hand over"}
	}
	if len(entries) == 0 {
		entries = append(entries, store.Entry{What: "drafts handed over", Actor: a.ID, Detail: map[string]string{"from": f.ID, "to": t.ID, "why": why}})
	}
	return len(cases), again(k.store.Follow(ctx, store.Follow{Owner: o, Entries: entries}))
}
