package casework

import (
	"context"
	"errors"
	"strings"

	"caseforms"
	"caseforms/internal/store"
)

// countersignedBy is the question by which a form asks to be countersigned (P20).
const countersignedBy = "countersigned_by"

// Countersigning is how it stands with the countersignature of the latest issue of a document.
type Countersigning struct {
	Wanted   bool // the form asks for one
	Said     bool // a manager said something
	Endorsed bool // and that is that they endorse it
	By       string
	store.Countersignature
}

// Countersign says of an issue of a document that a manager who did not issue it endorses it, or sends it back with words. Nobody endorses what
// they issued themselves. issue is the one that they read; 0 is the latest.
func (k *Desk) Countersign(ctx context.Context, a caseforms.Actor, ref caseforms.Ref, issue int, endorse bool, words string) error {
	m, err := k.matter(ctx, a, ref, "countersign this document")
	if err != nil {
		return err
	}
	if err := a.Need("countersign", caseforms.RoleManager); err != nil {
		return err
	}
	v := m.doc.Latest()
	if words = strings.TrimSpace(words); words == "" && !endorse {
		return needsReason("sending a document back")
	}
	switch {
	case !wantsCountersigning(m.defs, m.doc.Form):
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "this form is not countersigned", Hint: "write a note instead"}
	case issue != 0 && issue != v.Number:
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "there is a later issue by now", Hint: "read that one first"}
	case v.IssuedBy == a.ID:
		return &caseforms.Error{Kind: caseforms.Forbidden, Msg: "you issued it yourself, so somebody else countersigns it", Hint: "ask another manager"}
	}
	e := store.Entry{What: "countersigned", Actor: a.ID, Case: m.c.ID, Ref: ref, Version: v.Number, Detail: map[string]string{"why": words}}
	if !endorse {
		e.What = "sent back by a manager"
	}
	err = k.store.Countersign(ctx, store.Countersignature{Ref: ref, Version: v.Number, Endorsed: endorse, By: a.ID}, e)
	if errors.Is(err, store.ErrTaken) {
		err = &caseforms.Error{Kind: caseforms.Conflict, Msg: "you have said so of this issue already", Hint: "write a note if there is more to say"}
	}
	return err
}

// wantsCountersigning tells whether a form asks to be countersigned: its definition has the question.
func wantsCountersigning(defs *caseforms.Definitions, form string) bool {
	f, err := defs.Form(form)
	return err == nil && f.Field(countersignedBy) != nil
}

// countersigning is how it stands with an issue of a document.
func (k *Desk) countersigning(ctx context.Context, defs *caseforms.Definitions, d *store.Document, version int) (c Countersigning, err error) {
	c.Wanted = wantsCountersigning(defs, d.Form)
	said, err := k.store.Countersigned(ctx, d.Ref, version)
	if err == nil && said != nil {
		c.Said, c.Endorsed, c.Countersignature = true, said.Endorsed, *said
	}
	return c, err
}

// uncountersigned warns of a document that goes without the countersignature that its form asks for. It stops nothing.
func (x *sending) uncountersigned(ctx context.Context) error {
	if x.s.Chase {
		return nil
	}
	c, err := x.k.countersigning(ctx, x.m.defs, x.m.doc, x.v.Number)
	if err != nil || !c.Wanted || c.Endorsed {
		return err
	}
	p := caseforms.Problem{Severity: caseforms.Warning, Key: countersignedBy, Label: "Countersigned", Msg: "no manager has countersigned it", Hint: "a manager who did not issue it does"}
	if c.Said {
		p.Msg = "a manager sent it back"
		p.Hint = "the timeline has the words; issue it again"
	}
	x.problems = append(x.problems, p)
	return nil
}
