package casework

import (
	"context"
	"slices"
	"time"

	"caseforms"
	"caseforms/internal/store"
)

// CaseFile is what there is of one case.
type CaseFile struct {
	Whose
	Documents []OfCase      // the one that was issued last first
	Drafts    []ListedDraft // the one that was saved last first
}

// OfCase is one document of a case, by its latest issue, and how it stands.
type OfCase struct {
	Ref    caseforms.Ref
	Title  string // of the form
	Copy   string
	Issue  int
	Issued time.Time
	By     string // a name
	Erased time.Time
	// What follows is not told of what was erased.
	Urgent         bool // the form says that it cannot wait
	Countersigning Countersigning
	Reached        []Reached
	Goes           bool   // this copy goes to somebody when nobody is named
	Answer         string // the last response to it, in words
	Awaited        bool   // an answer is awaited still
}

// file reads what there is of a case that the actor may see.
func (k *Desk) file(ctx context.Context, a caseforms.Actor, c *store.Case, refs []caseforms.Ref) (*CaseFile, error) {
	out := &CaseFile{}
	var err error
	if out.Whose, err = k.about(ctx, c); err != nil {
		return nil, err
	}
	who, err := k.names(ctx)
	if err != nil {
		return nil, err
	}
	drafts, err := k.store.Drafts(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	for i := range drafts {
		d := &drafts[i]
		x := ListedDraft{Draft: Draft{Draft: *d, ChangedByName: who.of(d.ChangedBy)}, Title: d.Form}
		if defs, f := k.formOf(d); f != nil {
			x.Title = f.Title.In(defs.Lang)
		}
		if x.Urgent, err = k.urgentDraft(ctx, d); err != nil {
			return nil, err
		}
		out.Drafts = append(out.Drafts, x)
	}
	hands, err := k.store.HandOffs(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		d, err := k.store.Document(ctx, ref)
		if err != nil {
			return nil, err
		}
		v := d.Latest()
		x := OfCase{Ref: ref, Title: d.Form, Copy: d.Copy, Issue: v.Number, Issued: v.Issued, By: who.of(v.IssuedBy), Erased: v.Erased}
		if x.Erased.IsZero() {
			if err := k.stands(ctx, a, &x, &matter{doc: d, c: c, hands: hands}, who); err != nil {
				return nil, err
			}
		}
		out.Documents = append(out.Documents, x)
	}
	slices.SortStableFunc(out.Documents, func(a, b OfCase) int { return b.Issued.Compare(a.Issued) })
	return out, nil
}

// stands tells how a document stands.
func (k *Desk) stands(ctx context.Context, a caseforms.Actor, x *OfCase, m *matter, who names) error {
	sends, err := k.store.Sends(ctx, x.Ref)
	if err != nil {
		return err
	}
	if x.Reached, err = k.reachedBy(ctx, m, sends); err != nil {
		return err
	}
	if m.defs, err = k.load(m.doc.Latest().Area); err != nil {
		return nil // the area is gone
	}
	f, err := m.defs.Form(m.doc.Form)
	if err != nil {
		return nil // the area has the form no longer
	}
	x.Title, x.Goes = f.Title.In(m.defs.Lang), len(m.defs.RolesFor(m.doc.Form, m.doc.Copy, a)) > 0
	if x.Urgent, err = k.urgent(ctx, m, m.doc.Latest()); err != nil {
		return err
	}
	if x.Countersigning, err = k.countersigning(ctx, m.defs, m.doc, x.Issue); err != nil {
		return err
	}
	x.Countersigning.By = who.of(x.Countersigning.Countersignature.By)
	for i := range m.hands {
		h := &m.hands[i]
		if h.Ref != x.Ref {
			continue
		}
		if h.Outcome != "" {
			x.Answer = h.Outcome
			if r := m.defs.Duties.Response(h.Form, h.Outcome); r != nil {
				x.Answer = r.Label.In(m.defs.Lang)
			}
		}
		x.Awaited = x.Awaited || h.Joined == 0 && !h.AnswerBy.IsZero() && (h.State == store.HandOffOpen || h.State == store.HandOffPart)
	}
	return nil
}
