package casework

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/templates"
)

// Paper is an issued document with which something has still to be done.
type Paper struct {
	store.Paper

	// What follows is told by [Desk.PaperDetails], but for the last two.
	Title  string // of the form
	Card   Card
	Author string // who issued it: a name
	Signer string // who said something of it: a name
	Days   int    // working days since it was issued or, where a manager said something of it, since then
	Urgent bool   // the form says that it cannot wait
	Due    *Due   // what is due next of it or of its case
	Words  string // with which it was sent back
	Untold string // why the rest of it cannot be told

	Older  []Reached // who has an older issue
	Unsent []Unsent  // whom it should go to and did not go to yet

	leaving bool // what is on its way to somebody has not arrived, or is held
}

// Papers are the documents that wait, each list with the oldest first. Theirs are those of their cases, and those that they issued.
type Papers struct {
	ToSign  []Paper // for the actor to countersign
	Back    []Paper // theirs, sent back by a manager
	Signing []Paper // theirs, waiting for a manager
	ToSend  []Paper // theirs, of which nobody has the latest issue
	Partly  []Paper // theirs, sent to some of those to whom they should go

	Leaving  int // how many of theirs that went to somebody are held, or have not arrived yet
	Unlooked int // how many of theirs that went to somebody were not looked at for Partly; the latest are
}

// The lists have what was issued within a year, and of what was not sent what was issued within three months: what is older was given up, or stays in
// the own file.
const (
	papersDays = 366
	toSendDays = 92
	partlyMost = 100 // of those that went to somebody and are not known to have gone to everybody, how many are looked at, the latest first
)

// Papers are what waits for the actor to countersign, of their team or of every team, and what waits of their own.
func (k *Desk) Papers(ctx context.Context, a caseforms.Actor, everywhere bool) (*Papers, error) {
	if err := a.Need("see which documents wait", caseforms.RolePractitioner, caseforms.RoleManager); err != nil {
		return nil, err
	}
	out := &Papers{}
	now := k.store.Now()
	year := now.AddDate(0, 0, -papersDays)
	forms := k.formsToSign()
	restricted, err := k.store.Restricted(ctx)
	if err != nil {
		return nil, err
	}
	may := func(p *store.Paper) bool {
		to, is := restricted[p.Case]
		return !is || allowed(a, to)
	}
	toSign := map[caseforms.Ref]bool{}
	if a.Is(caseforms.RoleManager) {
		var teams []string
		if !everywhere && a.Team != "" {
			if teams, err = k.teams(ctx, a.Team); err != nil {
				return nil, err
			}
			teams = append(teams, "") // what is no team's is everybody's
		}
		all, err := k.store.PapersUnsaid(ctx, a.ID, forms, teams, year)
		if err != nil {
			return nil, err
		}
		for _, p := range all {
			if k.toSign(&p) && may(&p) {
				toSign[p.Ref] = true
				out.ToSign = append(out.ToSign, Paper{Paper: p})
			}
		}
	}
	recent := now.AddDate(0, 0, -toSendDays)
	mine, err := k.store.PapersOf(ctx, a.ID, forms, year, recent)
	if err != nil {
		return nil, err
	}
	var went []Paper
	for _, p := range mine {
		switch signed := k.toSign(&p); {
		case !may(&p):
		case signed && p.Said && !p.Endorsed:
			out.Back = append(out.Back, Paper{Paper: p})
		case toSign[p.Ref]: // it is among those to countersign
		case signed && !p.Said:
			out.Signing = append(out.Signing, Paper{Paper: p})
		case p.Issued.Before(recent):
		case !p.Went:
			if k.goesSomewhere(a, &p) {
				out.ToSend = append(out.ToSend, Paper{Paper: p})
			}
		default:
			went = append(went, Paper{Paper: p})
		}
	}
	looked := 0
	for _, p := range slices.Backward(went) {
		if whole, _ := k.complete.get(completeKey(a, &p)); whole {
			continue
		}
		if looked++; looked > partlyMost {
			out.Unlooked++
			continue
		}
		if err := k.partly(ctx, a, &p); err != nil {
			return nil, err
		}
		if len(p.Older)+len(p.Unsent) > 0 {
			out.Partly = append(out.Partly, p)
		} else if p.leaving {
			out.Leaving++
		}
	}
	slices.Reverse(out.Partly)
	return out, nil
}

// partly tells to whom a document that went to somebody did not go, and who has an older issue.
func (k *Desk) partly(ctx context.Context, a caseforms.Actor, p *Paper) error {
	defs, err := k.load(p.Area)
	if err != nil {
		return nil // the area is gone
	}
	m := &matter{defs: defs}
	if m.doc, err = k.store.Document(ctx, p.Ref); err != nil {
		return err
	}
	if m.hands, err = k.store.HandOffs(ctx, p.Ref); err != nil {
		return err
	}
	sends, err := k.store.Sends(ctx, p.Ref)
	if err != nil {
		return err
	}
	reached, err := k.reachedBy(ctx, m, sends)
	if err != nil {
		return err
	}
	for _, r := range reached {
		if r.Issue < p.Version {
			p.Older = append(p.Older, r)
		}
	}
	if p.Unsent, err = k.officesUnsent(ctx, a, m, reached); err != nil {
		return err
	}
	others, alone, err := k.authoritiesUnsent(ctx, m)
	if err != nil {
		return err
	}
	p.Unsent = append(p.Unsent, others...)
	p.leaving = slices.ContainsFunc(reached, func(r Reached) bool { return r.Leaving })
	if alone && len(p.Unsent)+len(p.Older) == 0 && !p.leaving {
		k.complete.put(completeKey(a, p), true)
	}
	return nil
}

// completeKey names an issue that went to everybody it should go to, as far as somebody of this kind sends it. That changes only when a server reports that
// a message did not arrive, and need not be worked out each time that somebody looks at their work. A later change of the directory makes nobody send
// what was sent long ago.
func completeKey(a caseforms.Actor, p *Paper) string {
	return fmt.Sprintf("%s %d %d %t", p.Ref, p.Version, p.Bounced, a.Is(caseforms.RoleOffice))
}

// formsToSign are the forms that ask to be countersigned, anywhere.
func (k *Desk) formsToSign() (out []string) {
	for _, area := range append([]string{""}, templates.Areas()...) {
		defs, err := k.load(area)
		if err != nil {
			continue // it is told where it is used
		}
		for _, f := range defs.Forms {
			if WantsCountersigning(f) && !slices.Contains(out, f.ID) {
				out = append(out, f.ID)
			}
		}
	}
	return out
}

// toSign tells whether a document asks to be countersigned where it was issued.
func (k *Desk) toSign(p *store.Paper) bool {
	defs, err := k.load(p.Area)
	return err == nil && wantsCountersigning(defs, p.Form)
}

// goesSomewhere tells whether this copy goes to somebody when nobody is named.
func (k *Desk) goesSomewhere(a caseforms.Actor, p *store.Paper) bool {
	defs, err := k.load(p.Area)
	return err == nil && len(defs.RolesFor(p.Form, p.Copy, a)) > 0
}

// PaperDetails are the documents of a list with whom they are about, how long they have waited, what hangs on each, and with which words it was sent
// back. What the actor may not see any more is left out. That somebody looked is in the ledger.
func (k *Desk) PaperDetails(ctx context.Context, a caseforms.Actor, list []Paper) ([]Paper, error) {
	if len(list) == 0 {
		return nil, nil
	}
	var ids []caseforms.CaseID
	for _, p := range list {
		ids = append(ids, p.Case)
	}
	slices.Sort(ids)
	cards, err := k.store.Cards(ctx, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	who, err := k.names(ctx)
	if err != nil {
		return nil, err
	}
	var out []Paper
	for _, p := range list {
		c := cards[p.Case]
		if c == nil || c.Case.Restricted && !allowed(a, c.Case.Access) {
			continue
		}
		if json.Unmarshal(c.Card, &p.Card) != nil {
			return nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "the summary of case " + string(p.Case) + " is damaged"}
		}
		p.Title, p.Author = p.Form, who.of(p.IssuedBy)
		if p.Said {
			p.Signer = who.of(p.By)
		}
		if defs, err := k.load(p.Area); err == nil { // else the area is gone
			if f, err := defs.Form(p.Form); err == nil {
				p.Title = f.Title.In(defs.Lang)
			}
		}
		var ours *caseforms.Error
		switch err := k.hangs(ctx, a, &p); {
		case errors.As(err, &ours) && ours.Kind == caseforms.Forbidden:
			continue
		case errors.As(err, &ours) && ours.Kind == caseforms.NotFound: // it was erased, or the area is gone
			p.Untold = ours.Msg
		case err != nil:
			return nil, err
		}
		out = append(out, p)
	}
	return out, k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "list of what waits read", Actor: a.ID, Detail: map[string]string{"lines": fmt.Sprint(len(out))}})
}

func (k *Desk) hangs(ctx context.Context, a caseforms.Actor, p *Paper) error {
	m, err := k.matter(ctx, a, p.Ref, "see what hangs on this document")
	if err != nil {
		return err
	}
	then := p.Issued
	if p.Said {
		then = p.At
	}
	p.Days = m.cal.WorkingDaysBetween(caseforms.DateOf(caseforms.London(then)), k.today())
	due, err := k.dueOf(ctx, a, p.Case, func(u store.FollowUp) bool { return u.Ref == "" || u.Ref == p.Ref })
	if err != nil {
		return err
	}
	for i := range due {
		if p.Due == nil || due[i].Due.Before(p.Due.Due) {
			p.Due = &due[i]
		}
	}
	if p.Urgent, err = k.urgent(ctx, m, m.doc.Latest()); err != nil {
		return err
	}
	if !p.Said || p.Endorsed {
		return nil
	}
	records, err := k.store.History(ctx, p.Ref)
	for _, r := range records {
		if r.What == SentBack && r.Version == p.Version {
			p.Words = r.Detail["why"]
		}
	}
	return err
}
