package casework

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/store"
)

// Reissue asks for a draft of a new version of a document: of what was issued, or of what the case says by now.
type Reissue struct {
	Ref caseforms.Ref
	Why string // the reason for a new version; it is asked for again when it is issued
	Now bool   // from what the case says now, where it has changed since the document was issued
}

// Begun says of which document a draft makes a new version.
type Begun struct {
	Ref      caseforms.Ref
	Issue    int // the one it was begun from
	Latest   int // the latest by now
	LatestBy string
	LatestAt time.Time
	Copy     string
	For      string // of several addressees, the one that the document is for
	Why      string
	Another  bool // it makes none: it makes a document of its own for another addressee, who is For, or "" when the first document was erased meanwhile
}

// What the ledger calls the beginning of such a draft. It names the document, the issue and the reason, or the addressee, and the draft names it.
const (
	begunAs  = "new version begun"
	begunFor = "document for another begun"
)

// Reissuable tells what somebody should know before they begin a new version of a document.
type Reissuable struct {
	Changed   bool // the case has changed since the document was issued
	ChangedBy string
	ChangedAt time.Time
	Draft     *Draft // of a new version that somebody has begun; nil when nobody has
}

// Reissuable looks at a document of which a new version is to be begun.
func (k *Desk) Reissuable(ctx context.Context, a caseforms.Actor, ref caseforms.Ref) (*Reissuable, error) {
	m, err := k.matter(ctx, a, ref, "correct or update this document")
	if err != nil {
		return nil, err
	}
	out := &Reissuable{Changed: !m.c.RecordOf(m.doc.Latest()), ChangedAt: m.c.Changed}
	who, err := k.names(ctx)
	if err != nil {
		return nil, err
	}
	out.ChangedBy = who.of(m.c.ChangedBy)
	drafts, err := k.store.Drafts(ctx, m.c.ID)
	if err != nil {
		return nil, err
	}
	for _, d := range drafts {
		b, err := k.begun(ctx, &d)
		if err != nil {
			return nil, err
		}
		if b != nil && b.Ref == ref && !b.Another {
			out.Draft = &Draft{Draft: d, ChangedByName: who.of(d.ChangedBy)}
		}
	}
	return out, nil
}

// Reissue begins a draft of a new version of a document. When it is issued, it is the next issue of that document, in the same copy.
func (k *Desk) Reissue(ctx context.Context, a caseforms.Actor, r Reissue) (*Draft, error) {
	if r.Why = strings.TrimSpace(r.Why); r.Why == "" {
		return nil, needsReason("a new version of a document")
	}
	m, err := k.matter(ctx, a, r.Ref, "correct or update this document")
	if err != nil {
		return nil, err
	}
	now, err := k.Reissuable(ctx, a, r.Ref)
	if err != nil {
		return nil, err
	}
	if now.Draft != nil {
		return nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: fmt.Sprintf("a new version of it is being written already: %s, last saved by %s", now.Draft.ID, now.Draft.ChangedByName), Hint: "go on with that one, or throw it away first"}
	}
	v := m.doc.Latest()
	content, err := k.store.RecordOf(ctx, v)
	if r.Now {
		content, err = k.store.Record(ctx, m.c)
	}
	if err != nil {
		return nil, err
	}
	if m.defs, err = k.load(v.Area); err != nil {
		return nil, err
	}
	ed, err := m.defs.Edit(content)
	if err != nil {
		return nil, err
	}
	if content, err = ed.JSON(); err != nil {
		return nil, err
	}
	return k.SaveDraft(ctx, a, SaveDraft{Case: m.c.ID, Form: m.doc.Form, Area: v.Area, Content: content, begun: &store.Entry{What: begunAs, Ref: r.Ref, Version: v.Number, Detail: map[string]string{"why": r.Why}}})
}

// ForAnother begins a draft of the same form for another authority, or agency, that is concerned: each gets a document of its own (0.4 point 9).
func (k *Desk) ForAnother(ctx context.Context, a caseforms.Actor, ref caseforms.Ref, name string) (*Draft, error) {
	m, err := k.matter(ctx, a, ref, "make this document for another authority")
	if err != nil {
		return nil, err
	}
	unsent, _, err := k.authoritiesUnsent(ctx, m)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(unsent, func(u Unsent) bool { return u.Who == name })
	switch {
	case i < 0:
		return nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "it is not one of those for whom a document is to be made still", Hint: "look at the page of the document"}
	case unsent[i].Ref != "":
		return nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "the document for them was made already, as " + string(unsent[i].Ref), Hint: "send that one"}
	}
	content, err := k.store.Record(ctx, m.c) // of today: it is a document of its own
	if err != nil {
		return nil, err
	}
	v := m.doc.Latest()
	return k.SaveDraft(ctx, a, SaveDraft{Case: m.c.ID, Form: m.doc.Form, Area: v.Area, Content: content, begun: &store.Entry{What: begunFor, Ref: ref, Version: v.Number, Detail: map[string]string{"for": name}}})
}

// begun reads of which document a draft makes a new version; nil when it makes one of its own. It says what the ledger says, and no more.
func (k *Desk) begun(ctx context.Context, d *store.Draft) (*Begun, error) {
	if d.Entry == 0 {
		return nil, nil
	}
	r, err := k.store.Prove(ctx, d.Entry)
	if err != nil || r.What != begunAs && r.What != begunFor {
		return nil, err
	}
	return &Begun{Ref: r.Ref, Issue: r.Version, Why: r.Detail["why"], For: r.Detail["for"], Another: r.What == begunFor}, nil
}

// Begun tells of which document a draft makes a new version; nil when it makes one of its own.
func (k *Desk) Begun(ctx context.Context, a caseforms.Actor, d *Draft) (*Begun, error) {
	b, err := k.begun(ctx, &d.Draft)
	if b == nil || err != nil {
		return nil, err
	}
	if b.Another { // the first document may be erased by now: this one is made without it
		m, err := k.whose(ctx, b.Ref)
		if err != nil {
			return nil, err
		}
		b.Copy = m.doc.Copy
		return b, k.see(ctx, a, m.c, "issue this document")
	}
	m, err := k.matter(ctx, a, b.Ref, "issue this document again")
	if err != nil {
		return nil, err
	}
	v := m.doc.Latest()
	b.Latest, b.LatestAt, b.Copy = v.Number, v.Issued, m.doc.Copy
	if b.LatestBy, err = k.nameOf(ctx, v.IssuedBy); err != nil {
		return nil, err
	}
	b.For, err = k.forWhom(ctx, m, v)
	return b, err
}

// amongSeveral is whom it is for when a record has several addressees; else it is for the one there is, whose name may be what is corrected.
func (b *Begun) amongSeveral(d *caseforms.Definitions, f *caseforms.Form, record []byte) (string, error) {
	if b == nil || f.Addressee == nil {
		return "", nil
	}
	ed, err := d.Edit(record)
	if err != nil || ed.Items(f.Addressee.List) < 2 {
		return "", err
	}
	if b.Another && b.For == "" {
		return "", &caseforms.Error{Kind: caseforms.Invalid, Msg: "the document that this was begun from was erased, and with it for whom this one is", Hint: "say for whom: --for NAME"}
	}
	return b.For, nil
}

// forWhom is the addressee that a version was made for, by name; "" when it is for none in particular.
func (k *Desk) forWhom(ctx context.Context, m *matter, v *store.Version) (string, error) {
	doc, _, _, err := k.refill(ctx, m.doc, v)
	var ours *caseforms.Error
	switch {
	case err == nil:
		return doc.For, nil
	case errors.As(err, &ours) && ours.Kind == caseforms.Conflict: // it would be printed otherwise by now
		return k.addresseeOf(ctx, v)
	}
	return "", err
}

// goesOn makes what is issued from a draft of a new version the next issue of its document.
func (k *Desk) goesOn(ctx context.Context, a caseforms.Actor, r *Record, d *store.Draft) (*Begun, error) {
	b, err := k.Begun(ctx, a, &Draft{Draft: *d})
	if b == nil || err != nil {
		return nil, err
	}
	if b.Another {
		if r.Copy == "" {
			r.Copy = b.Copy
		}
		return b, nil
	}
	if r.Again != "" && r.Again != b.Ref {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "this draft makes a new version of " + string(b.Ref) + ", not of " + string(r.Again)}
	}
	r.Again, r.Copy, r.Base = b.Ref, b.Copy, b.Issue
	if r.Seen != 0 {
		r.Base = r.Seen
	}
	if r.Why == "" {
		r.Why = b.Why
	}
	return b, nil
}
