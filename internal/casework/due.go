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
	Urgent    bool   // it cannot wait: by its rule, or because the document that was handed over cannot
	Over      int    // working days overdue; 0 when it is not
	ToManager bool   // a manager has been told, or it is theirs to do
	Step      string // the last rung of the ladder that was climbed, in words
	Chase     string // a chase to the agency that is ready, with references only
	Card      Card   // empty when the actor may not see the case
}

// DueFilter says what of it somebody wants to see.
type DueFilter struct {
	Mine bool
	Told bool   // what a manager has to know: rungs that reached them, and duties that are theirs
	Team string // "" is every team; of what a manager has to know, theirs and those that no manager leads
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
	q, err := k.dueQuery(ctx, a, filter)
	if err != nil {
		return nil, err
	}
	open, err := k.store.DueBy(ctx, q)
	if err != nil {
		return nil, err
	}
	out, err := k.tell(ctx, a, open)
	if filter.Told {
		out = slices.DeleteFunc(out, func(d Due) bool { return !d.ToManager })
	}
	if err != nil {
		return nil, err
	}
	return out, k.dueRead(ctx, a, len(out))
}

// Told is the beginning of what a manager has to know today, what cannot wait first, and how many there are.
func (k *Desk) Told(ctx context.Context, a caseforms.Actor, most int) ([]Due, int, error) {
	all, err := k.Due(ctx, a, DueFilter{Told: true})
	slices.SortStableFunc(all, func(a, b Due) int { return urgentFirst(a.Urgent, b.Urgent) })
	return all[:min(most, len(all))], len(all), err
}

// urgentFirst compares two things of a list by whether they can wait.
func urgentFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// dueQuery climbs the ladder, and says which follow-ups somebody wants to see.
func (k *Desk) dueQuery(ctx context.Context, a caseforms.Actor, filter DueFilter) (store.DueQuery, error) {
	q := store.DueQuery{By: k.today().AddDays(filter.Days), Area: filter.Area, Most: MostDue}
	_ = k.watch(ctx) // what fails there is told by whoever sends; the list is of use without it
	if _, err := k.Tick(ctx); err != nil {
		return q, err
	}
	if filter.Team != "" {
		var err error
		if q.Teams, err = k.teams(ctx, filter.Team); err != nil {
			return q, err
		}
	}
	if filter.Told && filter.Team == "" && a.Team != "" {
		var err error
		if q.NotTeams, err = k.ledByOthers(ctx, a); err != nil {
			return q, err
		}
	}
	if filter.Mine {
		q.Owner = a.ID
	}
	return q, nil
}

func (k *Desk) dueRead(ctx context.Context, a caseforms.Actor, lines int) error {
	if lines == 0 {
		return nil
	}
	return k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "list of what is due read", Actor: a.ID, Detail: map[string]string{"lines": fmt.Sprint(lines)}})
}

// DueHead is the beginning of what is due: what is overdue and what is not yet, a few lines of each, and how many there are.
type DueHead struct {
	Over, Soon   []Due
	Overs, Soons int
}

// DueHead is the beginning of [Desk.Due], for a page that is opened all day: of somebody's four hundred duties it reads no more than it shows. What
// belongs to cases that the actor may not see is neither shown nor counted.
func (k *Desk) DueHead(ctx context.Context, a caseforms.Actor, filter DueFilter, most int) (*DueHead, error) {
	if filter.Told { // which reached a manager, only the words of each tell
		all, err := k.Due(ctx, a, filter)
		if err != nil {
			return nil, err
		}
		h := &DueHead{}
		for h.Overs < len(all) && all[h.Overs].Over > 0 {
			h.Overs++
		}
		h.Soons = len(all) - h.Overs
		h.Over, h.Soon = all[:min(h.Overs, most)], all[h.Overs:h.Overs+min(h.Soons, most)]
		return h, nil
	}
	if err := a.Need("see what is due", caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor); err != nil {
		return nil, err
	}
	soon, err := k.dueQuery(ctx, a, filter)
	if err != nil {
		return nil, err
	}
	restricted, err := k.store.Restricted(ctx)
	if err != nil {
		return nil, err
	}
	for id, to := range restricted {
		if !allowed(a, to) {
			soon.Not = append(soon.Not, id)
		}
	}
	over := soon
	over.By, soon.From, over.Most, soon.Most = k.today().AddDays(-1), k.today(), most, most
	h := &DueHead{}
	for _, part := range []struct {
		q    *store.DueQuery
		list *[]Due
		n    *int
	}{{&over, &h.Over, &h.Overs}, {&soon, &h.Soon, &h.Soons}} {
		open, err := k.store.DueBy(ctx, *part.q)
		if err != nil {
			return nil, err
		}
		if *part.list, err = k.tell(ctx, a, open); err != nil {
			return nil, err
		}
		if *part.n = len(open); len(open) == most {
			if *part.n, err = k.store.CountDue(ctx, *part.q); err != nil {
				return nil, err
			}
		}
	}
	return h, k.dueRead(ctx, a, len(h.Over)+len(h.Soon))
}

// teams are the teams of a name, however it is written. A name that no team has is refused: nothing would be found, which looks as if all was well.
func (k *Desk) teams(ctx context.Context, name string) (out []string, err error) {
	users, err := k.store.Users(ctx)
	for _, u := range users {
		if strings.EqualFold(u.Team, name) && !slices.Contains(out, u.Team) {
			out = append(out, u.Team)
		}
	}
	if err == nil && out == nil {
		err = &caseforms.Error{Kind: caseforms.NotFound, Msg: "nobody is in a team of this name", Hint: "caseforms user list shows people and teams"}
	}
	return out, err
}

// ledByOthers are the teams that have a manager who is at work, but for the manager's own: what is left is theirs to know, or nobody's.
func (k *Desk) ledByOthers(ctx context.Context, a caseforms.Actor) (out []string, err error) {
	users, err := k.store.Users(ctx)
	for _, u := range users {
		if u.Active && u.Is(caseforms.RoleManager) && u.Team != "" && !strings.EqualFold(u.Team, a.Team) && !slices.Contains(out, u.Team) {
			out = append(out, u.Team)
		}
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
	cards, hidden, forms, err := k.listed(ctx, a, us)
	if err != nil {
		return nil, err
	}
	var handed []caseforms.Ref
	for _, u := range us {
		if u.HandOff != 0 {
			handed = append(handed, u.Ref)
		}
	}
	urgent, err := k.store.UrgentOf(ctx, handed)
	if err != nil {
		return nil, err
	}
	var out []Due
	for _, u := range us {
		if hidden[u.Case] { // not even that there is something is told
			continue
		}
		m := areas[u.Area]
		if m == nil {
			defs, err := k.load(u.Area)
			if err != nil {
				return nil, err
			}
			m = &matter{defs: defs, cal: defs.Calendar(k.closed...)}
			areas[u.Area] = m
		}
		d := Due{FollowUp: u, OwnerName: who.of(u.Owner), Says: u.Rule, Urgent: u.HandOff != 0 && urgent[u.Ref]}
		rule := m.defs.Duties.Rule(u.Rule)
		if rule != nil {
			d.Says, d.Source, d.Default, d.Who = rule.Says.In(m.defs.Lang), rule.Source, rule.Default, rule.Who
			d.Urgent = d.Urgent || rule.Urgent
		}
		if u.Due.Before(today) {
			d.Over = m.cal.WorkingDaysBetween(u.Due, today)
			d.Over = max(d.Over, 1)
		}
		d.ToManager = strings.Contains(d.Who, "manager")
		for i, s := range m.steps(&u) {
			if i < max(u.Stepped, u.Told) {
				d.Step = s.Says.In(m.defs.Lang)
				d.ToManager = d.ToManager || s.Step == "manager" || s.Step == "escalate"
			}
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
// hidden are the cases that are restricted, and not to them.
func (k *Desk) listed(ctx context.Context, a caseforms.Actor, us []store.FollowUp) (out map[caseforms.CaseID]Card, hidden map[caseforms.CaseID]bool, forms map[caseforms.Ref]string, err error) {
	ids, refs := map[caseforms.CaseID]bool{}, map[caseforms.Ref]bool{}
	for _, u := range us {
		ids[u.Case] = true
		if u.Ref != "" {
			refs[u.Ref] = true
		}
	}
	if forms, err = k.store.FormsOf(ctx, slices.Collect(maps.Keys(refs))); err != nil {
		return nil, nil, nil, err
	}
	out, hidden = map[caseforms.CaseID]Card{}, map[caseforms.CaseID]bool{}
	cards, err := k.store.Cards(ctx, slices.Collect(maps.Keys(ids)))
	if err != nil {
		return nil, nil, nil, err
	}
	for id, c := range cards {
		if c.Case.Restricted && !allowed(a, c.Case.Access) {
			hidden[id] = true
			continue
		}
		if !a.Is(caseforms.RolePractitioner, caseforms.RoleManager) {
			continue
		}
		var card Card
		if json.Unmarshal(c.Card, &card) != nil {
			return nil, nil, nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "the summary of case " + string(id) + " is damaged"}
		}
		out[id] = card
	}
	return out, hidden, forms, nil
}

// chaseText is what the agency is asked, in the words of the message that caseforms send --chase sends. It has the reference and no name.
func chaseText(defs *caseforms.Definitions, u *store.FollowUp, form string) string {
	w := defs.MailFor(form, caseforms.MailChase)
	facts := map[string]string{"name": w.Name.In(defs.Lang), "reference": string(u.Ref), "sent": u.From.Long()}
	return defs.SayMail(w.Opening, defs.Lang, facts) + " " + defs.SayMail(w.Wanted, defs.Lang, facts)
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
	if t.ID == f.ID {
		return 0, &caseforms.Error{Kind: caseforms.Invalid, Msg: "a caseload goes to somebody else"}
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
	for _, id := range cases {
		c, err := k.store.FindCase(ctx, id)
		if err != nil {
			return 0, err
		}
		if c.Restricted && !allowed(t.Actor, c.Access) {
			return 0, &caseforms.Error{Kind: caseforms.Conflict, Msg: "case " + string(id) + " is restricted, and they may not see it; nothing was handed over", Hint: "let them see it first: caseforms restrict " + string(id) + " --to " + t.Login}
		}
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
