package casework

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

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

// What the ledger calls it when a manager endorses a document, and when they send it back. The words are the detail "why".
const (
	CountersignedAs = "countersigned"
	SentBack        = "sent back by a manager"
)

// Countersigning tells how it stands with the countersignature of the latest issue of a document.
func (k *Desk) Countersigning(ctx context.Context, a caseforms.Actor, ref caseforms.Ref) (Countersigning, error) {
	m, err := k.matter(ctx, a, ref, "look at this document")
	if err != nil {
		return Countersigning{}, err
	}
	return k.countersigning(ctx, m.defs, m.doc, m.doc.Latest().Number)
}

// Countersign says of an issue of a document that a manager who did not issue it endorses it, or sends it back with words. Nobody endorses what
// they issued themselves. issue is the one that they read; 0 is the latest. seen is [Countersigning.Mark] as they saw it: when another manager said
// something else of it by now, the error is [SaidMeanwhile] and nothing is changed.
func (k *Desk) Countersign(ctx context.Context, a caseforms.Actor, ref caseforms.Ref, issue int, endorse bool, words, seen string) error {
	m, err := k.matter(ctx, a, ref, "countersign this document")
	if err != nil {
		return err
	}
	if err := a.Need("countersign", caseforms.RoleManager); err != nil {
		return err
	}
	v := m.doc.Latest()
	if err := tidied(typed{&words, "what you say of it", mostNote}); err != nil {
		return err
	}
	if words == "" && !endorse {
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
	e := store.Entry{What: CountersignedAs, Actor: a.ID, Case: m.c.ID, Ref: ref, Version: v.Number, Detail: map[string]string{"why": words}}
	if !endorse {
		e.What = SentBack
	}
	for {
		now, err := k.store.Countersigned(ctx, ref, v.Number)
		switch {
		case err != nil:
			return err
		case now != nil && now.By == a.ID && now.Endorsed == endorse:
			return &caseforms.Error{Kind: caseforms.Conflict, Msg: "you have said so of this issue already", Hint: "write a note if there is more to say"}
		case now != nil && now.By != a.ID && markOf(now) != seen:
			return &SaidMeanwhile{*now}
		}
		err = k.store.Countersign(ctx, store.Countersignature{Ref: ref, Version: v.Number, Endorsed: endorse, By: a.ID}, now, e)
		if !errors.Is(err, store.ErrChanged) { // somebody was quicker
			return err
		}
	}
}

// SaidMeanwhile tells that another manager said something of an issue that was not seen.
type SaidMeanwhile struct{ Now store.Countersignature }

func (e *SaidMeanwhile) Error() string { return e.Unwrap().Error() }

func (e *SaidMeanwhile) Unwrap() error {
	did := "sent it back"
	if e.Now.Endorsed {
		did = "countersigned it"
	}
	return &caseforms.Error{Kind: caseforms.Conflict, Msg: "another manager " + did + " at " + longTime(e.Now.At) + "; yours was not recorded",
		Hint: "read what they said with caseforms show " + string(e.Now.Ref) + ", then say --seen " + markOf(&e.Now)}
}

// Mark stands for what was said; "" when nothing was.
func (c *Countersigning) Mark() string {
	if !c.Said {
		return ""
	}
	return markOf(&c.Countersignature)
}

func markOf(c *store.Countersignature) string {
	h := sha256.Sum256(fmt.Append(nil, c.Ref, c.Version, c.Endorsed, c.By, c.At.UnixMilli()))
	return hex.EncodeToString(h[:6])
}

// WantsCountersigning tells whether a form asks to be countersigned: its definition has the question.
func WantsCountersigning(f *caseforms.Form) bool { return f.Field(countersignedBy) != nil }

func wantsCountersigning(defs *caseforms.Definitions, form string) bool {
	f, err := defs.Form(form)
	return err == nil && WantsCountersigning(f)
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
