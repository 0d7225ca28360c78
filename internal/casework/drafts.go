package casework

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/store"
)

// Draft is a form that somebody is filling in.
type Draft struct {
	store.Draft
	ChangedByName string
	Content       []byte             // a case record as JSON; nil in lists
	Reasons       []caseforms.Reason // why its warnings are let stand; nil in lists
}

// SaveDraft asks for a draft to be saved.
type SaveDraft struct {
	ID      caseforms.DraftID // "" makes a new one
	Base    int               // the version the writer has seen; 0 of a new one
	Case    caseforms.CaseID  // whose it is, when that is known
	Form    string
	Area    string
	Content []byte

	begun *store.Entry // of a new draft of a new version: which document and why, see Reissue
}

// DraftConflict says that somebody else saved the draft since it was read. It has both, and where they differ; nothing was overwritten.
type DraftConflict struct {
	Theirs      Draft
	Yours       []byte
	Differences []caseforms.Difference
}

func (e *DraftConflict) Error() string {
	return fmt.Sprintf("%s saved this draft at %s, after you had read it; yours was not saved", e.Theirs.ChangedByName, longTime(e.Theirs.Changed))
}

// SaveDraft saves anything that can be read as a case record, however incomplete. A [DraftConflict] is returned when somebody else saved
// it meanwhile.
func (k *Desk) SaveDraft(ctx context.Context, a caseforms.Actor, r SaveDraft) (*Draft, error) {
	if err := a.Need("save drafts", caseforms.RolePractitioner, caseforms.RoleManager); err != nil {
		return nil, err
	}
	s := store.Draft{ID: r.ID, Case: r.Case, Form: r.Form, Area: r.Area, Version: r.Base, Team: a.Team}
	e := store.Entry{Acts: []store.Act{store.Alteration}, What: "draft saved", Actor: a.ID}
	var old []byte
	var d *store.Draft
	var err error
	if r.ID == "" {
		if s.ID, err = caseforms.NewDraftID(nil); err != nil {
			return nil, err
		}
		s.Version, s.Case = 0, ""
		e.Acts = []store.Act{store.Collection}
	} else {
		if d, old, err = k.draft(ctx, a, r.ID, "save this draft"); err != nil {
			return nil, err
		}
		s.Form, s.Area, s.Case, s.Team = d.Form, d.Area, d.Case, d.Team
	}
	defs, err := k.load(s.Area)
	if err != nil {
		return nil, err
	}
	f, err := defs.Form(s.Form)
	if err != nil {
		return nil, err
	}
	c, ps := defs.Decode(r.Content, f)
	if c == nil {
		return nil, &Refused{ps}
	}
	// A draft joins the case of its person as soon as a number tells whose it is, so that what holds of the case holds of the draft.
	if s.Case == "" {
		if s.Case = r.Case; s.Case == "" {
			if s.Case, _, _, err = k.caseOf(ctx, c); err != nil {
				return nil, err
			}
		}
		if s.Case != "" {
			of, err := k.store.FindCase(ctx, s.Case)
			if err != nil {
				return nil, err
			}
			if err := k.see(ctx, a, of, "save a draft of this case"); err != nil {
				return nil, err
			}
		}
	} else if r.Case != "" && r.Case != s.Case {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the draft belongs to case " + string(s.Case), Hint: "leave --case out"}
	}
	conflict := func() error {
		now, theirs, err := k.draft(ctx, a, r.ID, "save this draft")
		if err != nil {
			return err
		}
		name, err := k.nameOf(ctx, now.ChangedBy)
		if err != nil {
			return err
		}
		diff, err := defs.Differences(f, theirs, r.Content)
		if err != nil {
			return err
		}
		if r.Base > now.Version {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: fmt.Sprintf("the draft has no version %d yet", r.Base), Hint: "caseforms draft show " + string(r.ID) + " tells the version"}
		}
		if err := k.store.Append(ctx, k.draftRead(a, now)); err != nil {
			return err
		}
		return &DraftConflict{Theirs: Draft{Draft: *now, ChangedByName: name, Content: theirs}, Yours: r.Content, Differences: diff}
	}
	if d != nil && d.Version != r.Base {
		return nil, conflict()
	}
	e.Case, e.Detail = s.Case, map[string]string{"draft": string(s.ID), "form": s.Form}
	if r.begun != nil {
		e.What, e.Ref, e.Version = r.begun.What, r.begun.Ref, r.begun.Version
		maps.Copy(e.Detail, r.begun.Detail)
	}
	if string(old) == string(r.Content) && d != nil {
		return k.withReasons(ctx, &Draft{Draft: *d, ChangedByName: a.Name, Content: r.Content})
	}
	err = k.store.SaveDraft(ctx, s, r.Content, e)
	if errors.Is(err, store.ErrChanged) && d != nil {
		return nil, conflict()
	}
	if err != nil {
		return nil, again(err)
	}
	saved, _, err := k.store.Draft(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	return k.withReasons(ctx, &Draft{Draft: *saved, ChangedByName: a.Name, Content: r.Content})
}

// draft reads a draft that the actor may see: of a case they may see, or without a case their own or their team's.
func (k *Desk) draft(ctx context.Context, a caseforms.Actor, id caseforms.DraftID, what string) (*store.Draft, []byte, error) {
	if err := a.Need(what, caseforms.RolePractitioner, caseforms.RoleManager); err != nil {
		return nil, nil, err
	}
	d, content, err := k.store.Draft(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if d.Case != "" {
		c, err := k.store.FindCase(ctx, d.Case)
		if err != nil {
			return nil, nil, err
		}
		return d, content, k.see(ctx, a, c, what)
	}
	if !ownDraft(a, d) {
		e := store.Entry{Acts: []store.Act{store.Consultation}, What: "refused", Actor: a.ID, Detail: map[string]string{"wanted": what, "draft": string(id)}}
		if err := k.store.Append(ctx, e); err != nil {
			return nil, nil, err
		}
		return nil, nil, &caseforms.Error{Kind: caseforms.Forbidden, Msg: "draft " + string(id) + " is another team's; that you asked is recorded", Hint: "ask whoever is writing it to save it under its case"}
	}
	return d, content, nil
}

func ownDraft(a caseforms.Actor, d *store.Draft) bool {
	return d.CreatedBy == a.ID || d.ChangedBy == a.ID || a.Team != "" && strings.EqualFold(a.Team, d.Team)
}

// Draft reads one draft. That somebody read it is in the ledger.
func (k *Desk) Draft(ctx context.Context, a caseforms.Actor, id caseforms.DraftID) (*Draft, error) {
	d, content, err := k.draft(ctx, a, id, "read this draft")
	if err != nil {
		return nil, err
	}
	if err := k.store.Append(ctx, k.draftRead(a, d)); err != nil {
		return nil, err
	}
	name, err := k.nameOf(ctx, d.ChangedBy)
	if err != nil {
		return nil, err
	}
	return k.withReasons(ctx, &Draft{Draft: *d, ChangedByName: name, Content: content})
}

func (k *Desk) draftRead(a caseforms.Actor, d *store.Draft) store.Entry {
	return store.Entry{Acts: []store.Act{store.Consultation}, What: "draft read", Actor: a.ID, Case: d.Case, Detail: map[string]string{"draft": string(d.ID)}}
}

// seen refuses to end a draft of which somebody else saved a version that the actor has not said to have seen.
func seen(d *store.Draft, a caseforms.Actor, base int) error {
	if base == d.Version || base == 0 && d.ChangedBy == a.ID {
		return nil
	}
	return &caseforms.Error{Kind: caseforms.Conflict, Msg: "somebody else saved this draft; nothing was done", Hint: fmt.Sprintf("look at it, then say which version you have seen: --base %d", d.Version)}
}

// Drafts are the drafts the actor may see, the last changed first, without their content.
func (k *Desk) Drafts(ctx context.Context, a caseforms.Actor) ([]Draft, error) {
	if err := a.Need("see drafts", caseforms.RolePractitioner, caseforms.RoleManager); err != nil {
		return nil, err
	}
	all, err := k.store.Drafts(ctx, "")
	if err != nil {
		return nil, err
	}
	names, err := k.names(ctx)
	if err != nil {
		return nil, err
	}
	var out []Draft
	for _, d := range all {
		if d.Case == "" && !ownDraft(a, &d) {
			continue
		}
		if d.Case != "" {
			c, err := k.store.FindCase(ctx, d.Case)
			if err != nil {
				return nil, err
			}
			if c.Restricted && !allowed(a, c.Access) {
				continue
			}
		}
		out = append(out, Draft{Draft: d, ChangedByName: names.of(d.ChangedBy)})
	}
	return out, nil
}

// DropDraft throws a draft away. base is the version that was seen; 0 is enough when nobody else saved it.
func (k *Desk) DropDraft(ctx context.Context, a caseforms.Actor, id caseforms.DraftID, base int) error {
	d, _, err := k.draft(ctx, a, id, "throw this draft away")
	if err != nil {
		return err
	}
	if err := seen(d, a, base); err != nil {
		return err
	}
	e := store.Entry{Acts: []store.Act{store.Erasure}, What: "draft thrown away", Actor: a.ID, Case: d.Case, Detail: map[string]string{"draft": string(id)}}
	return again(k.store.DropDraft(ctx, d, e))
}

// FromDraft is the issue of a document that was made from a draft.
type FromDraft struct {
	Ref   caseforms.Ref
	Issue int
	At    time.Time
}

// IssuedFrom is what was issued from a draft that there is no more; nil when nothing was, or it was erased, or issued by a program that did not keep that.
func (k *Desk) IssuedFrom(ctx context.Context, a caseforms.Actor, id caseforms.DraftID) (*FromDraft, error) {
	ref, issue, found, err := k.store.IssuedRow(ctx, k.store.Term(termDraft, string(id)))
	if err != nil || !found {
		return nil, err
	}
	m, err := k.whose(ctx, ref)
	if err != nil || !m.c.Erased.IsZero() {
		return nil, err
	}
	if err := k.see(ctx, a, m.c, "see what was issued from this draft"); err != nil {
		return nil, err
	}
	v := &m.doc.Versions[issue-1]
	if !v.Erased.IsZero() {
		return nil, nil
	}
	return &FromDraft{ref, issue, v.Issued}, nil
}
