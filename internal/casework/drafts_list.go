package casework

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"caseforms"
	"caseforms/internal/store"
)

// ListedDraft is a draft in a list.
type ListedDraft struct {
	Draft
	Urgent bool // it says so far that it cannot wait

	// What follows is told by [Desk.DraftDetails].
	Title string // of the form
	Card  Card   // whom it is about, as it says so far
}

// ListDrafts are [Desk.Drafts], the urgent ones first, and of these the last changed.
func (k *Desk) ListDrafts(ctx context.Context, a caseforms.Actor) ([]ListedDraft, error) {
	all, err := k.Drafts(ctx, a)
	if err != nil {
		return nil, err
	}
	var out []ListedDraft
	for _, d := range all {
		x := ListedDraft{Draft: d}
		if x.Urgent, err = k.urgentDraft(ctx, &d.Draft); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	slices.SortStableFunc(out, func(a, b ListedDraft) int { return urgentFirst(a.Urgent, b.Urgent) })
	return out, nil
}

// DraftDetails are drafts of a list with whom each is about. What the actor may not see any more, or was issued or thrown away meanwhile, is left out.
// That somebody looked is in the ledger.
func (k *Desk) DraftDetails(ctx context.Context, a caseforms.Actor, list []ListedDraft) (out []ListedDraft, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	for _, x := range list {
		d, content, err := k.draft(ctx, a, x.ID, "see whom this draft is about")
		var ours *caseforms.Error
		if errors.As(err, &ours) && (ours.Kind == caseforms.Forbidden || ours.Kind == caseforms.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		x.Title = d.Form
		if defs, f := k.formOf(d); f != nil {
			x.Title = f.Title.In(defs.Lang)
			if c, _ := defs.Decode(content, f); c != nil {
				x.Card = cardOf(c)
			}
		}
		out = append(out, x)
	}
	return out, k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "list of drafts read", Actor: a.ID, Detail: map[string]string{"lines": fmt.Sprint(len(out))}})
}

// CountDrafts is how many drafts there are that the actor began, or was handed, and how many of them are urgent.
func (k *Desk) CountDrafts(ctx context.Context, a caseforms.Actor) (all, urgent int, err error) {
	if err := a.Need("see drafts", caseforms.RolePractitioner, caseforms.RoleManager); err != nil {
		return 0, 0, err
	}
	own, err := k.store.DraftsOf(ctx, a.ID)
	if err != nil || len(own) == 0 {
		return 0, 0, err
	}
	restricted, err := k.store.Restricted(ctx)
	if err != nil {
		return 0, 0, err
	}
	for i := range own {
		if to, is := restricted[own[i].Case]; is && !allowed(a, to) {
			continue
		}
		is, err := k.urgentDraft(ctx, &own[i])
		if err != nil {
			return 0, 0, err
		}
		if all++; is {
			urgent++
		}
	}
	return all, urgent, nil
}

// formOf is the form of a draft; nil where the area has it no longer.
func (k *Desk) formOf(d *store.Draft) (*caseforms.Definitions, *caseforms.Form) {
	defs, err := k.load(d.Area)
	if err != nil {
		return nil, nil
	}
	f, err := defs.Form(d.Form)
	if err != nil {
		return nil, nil
	}
	return defs, f
}

// urgentDraft tells whether a draft says that it cannot wait. One that cannot be read, of a form of which there are urgent ones, is taken for one. Not every
// draft is read each time that somebody looks at their work: what a version says is remembered.
func (k *Desk) urgentDraft(ctx context.Context, d *store.Draft) (bool, error) {
	is, known := k.draftUrgent.get(fmt.Sprintf("%s %d", d.ID, d.Version))
	if known {
		return is, nil
	}
	now, content, err := k.store.Draft(ctx, d.ID)
	var ours *caseforms.Error
	switch {
	case errors.As(err, &ours) && ours.Kind == caseforms.NotFound: // it was issued or thrown away meanwhile
		return false, nil
	case err != nil:
		return false, err
	}
	if defs, f := k.formOf(now); f != nil && f.Urgent != nil {
		c, _ := defs.Decode(content, f)
		is = c == nil || defs.Urgent(f, c)
	}
	k.draftUrgent.put(fmt.Sprintf("%s %d", now.ID, now.Version), is)
	return is, nil
}
