package casework

import (
	"context"
	"fmt"
	"slices"

	"caseforms"
	"caseforms/internal/store"
)

// OtherCopy is another copy of what a document says: the one for the person, the annex for the chair, the one for the own file.
type OtherCopy struct {
	Whose
	Ref      caseforms.Ref // of the document it is a copy of
	Issue    int           // its latest, which the copy is made of
	Copy     string
	For      string // of several addressees, the one it is for
	LeftOut  []LeftOut
	Problems []caseforms.Problem
	Record   []byte              // the case record it is made of
	Reasons  []caseforms.Reason  // with which the document was issued, and this copy before
	Document *caseforms.Document // nil while something stands against it: it would tell what it withholds, or an answer is missing
	Changed  bool                // the case has changed since: a copy would not say the same as what was issued

	Issued caseforms.Ref // the document that is this copy, when it was issued; "" when it was not
	Latest int           // its latest issue
	Old    bool          // which says what the case said before
	row    string        // that it would be the one issue of; see Record.Row
}

var errCopyChanged = &caseforms.Error{Kind: caseforms.Conflict, Msg: "the case has changed since this was issued, and a copy has to say the same as the document and the case", Hint: "correct or update the document first, and make the copy of that"}

// LeftOut is what a copy withholds and the case has, by label and reason, never what it says.
type LeftOut struct{ Section, Label, Why string }

// OtherCopy makes another copy of the latest issue of a document, to be read. Nothing is recorded but that somebody looked.
func (k *Desk) OtherCopy(ctx context.Context, a caseforms.Actor, ref caseforms.Ref, name string) (*OtherCopy, error) {
	c, m, err := k.otherCopy(ctx, a, ref, name)
	if err != nil {
		return nil, err
	}
	return c, k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "copy looked at", Actor: a.ID, Case: m.c.ID, Ref: ref, Version: c.Issue, Detail: map[string]string{"copy": name}})
}

func (k *Desk) otherCopy(ctx context.Context, a caseforms.Actor, ref caseforms.Ref, name string) (*OtherCopy, *matter, error) {
	m, err := k.matter(ctx, a, ref, "make another copy of this document")
	if err != nil {
		return nil, nil, err
	}
	v := m.doc.Latest()
	f, err := m.defs.Form(m.doc.Form)
	if err != nil {
		return nil, nil, err
	}
	if !slices.Contains(f.Copies, name) || name == m.doc.Copy {
		return nil, nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "this form has no such copy, or it is this document", Hint: "the page of the document lists the copies"}
	}
	out := &OtherCopy{Ref: ref, Issue: v.Number, Copy: name, Changed: !m.c.RecordOf(v)}
	if out.Whose, err = k.about(ctx, m.c); err != nil {
		return nil, nil, err
	}
	if out.For, err = k.forWhom(ctx, m, v); err != nil {
		return nil, nil, err
	}
	// By the forms of today: they know of every other form what is sensitive there, which the kept definition does not.
	if out.Record, err = k.store.RecordOf(ctx, v); err != nil {
		return nil, nil, err
	}
	c, ps := m.defs.Decode(out.Record, f)
	if c == nil {
		return nil, nil, &Refused{ps}
	}
	out.Urgent = m.defs.Urgent(f, c)
	o := caseforms.FillOptions{Today: k.today(), For: out.For, Copy: name}
	if out.Problems, err = m.defs.Check(f, c, o); err != nil {
		return nil, nil, err
	}
	if !caseforms.Blocks(out.Problems) {
		if out.Document, err = m.defs.Fill(f, c, o); err != nil {
			return nil, nil, err
		}
		if name != caseforms.CopyFull {
			for _, l := range out.Document.LeftOut {
				out.LeftOut = append(out.LeftOut, LeftOut{l.Section, l.Label, m.defs.Word("sensitive_" + string(l.Why))})
			}
		}
	}
	if out.Reasons, err = k.reasonsIn(ctx, v); err != nil {
		return nil, nil, err
	}
	return out, m, k.issuedCopy(ctx, m, out)
}

// issuedCopy finds the document of the same case that is this copy already, the latest if there are several, and the reasons with which it was issued.
func (k *Desk) issuedCopy(ctx context.Context, m *matter, out *OtherCopy) error {
	refs, err := k.store.DocumentsOf(ctx, m.c.ID)
	if err != nil {
		return err
	}
	var latest *store.Version
	before := 0
	for _, r := range refs {
		d, err := k.store.Document(ctx, r)
		if err != nil {
			return err
		}
		v := d.Latest()
		if d.Form != m.doc.Form || d.Copy != out.Copy {
			continue
		}
		if before++; !v.Erased.IsZero() {
			continue
		}
		whom, err := k.forWhom(ctx, &matter{doc: d}, v)
		if err != nil {
			return err
		}
		if whom == out.For {
			out.Issued, out.Latest, out.Old, latest = r, v.Number, !m.c.RecordOf(v), v
		}
	}
	out.row = fmt.Sprintf("copy\x00%s\x00%s\x00%s\x00%s\x00%d", m.c.ID, m.doc.Form, out.Copy, out.For, before)
	if latest != nil {
		said, err := k.reasonsIn(ctx, latest)
		if err != nil {
			return err
		}
		out.Reasons = append(said, out.Reasons...)
	}
	return nil
}

// IssueCopy issues another copy of the latest issue of a document: as a document of its own, or as the next issue of the one that was this copy before.
// issue is the one of which the copy was read, and given are the reasons why it is issued although warnings stand, beside those of the document.
func (k *Desk) IssueCopy(ctx context.Context, a caseforms.Actor, ref caseforms.Ref, name string, issue int, given []caseforms.Reason) (*Issued, []caseforms.Problem, error) {
	c, m, err := k.otherCopy(ctx, a, ref, name)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case issue != c.Issue:
		return nil, nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "there is a later issue by now", Hint: "read the copy of that one first"}
	case caseforms.Blocks(c.Problems):
		return nil, nil, &Refused{c.Problems}
	case c.Changed:
		return nil, nil, errCopyChanged
	case c.Issued != "" && !c.Old:
		return nil, nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "this copy was issued already, as " + string(c.Issued), Hint: "send that one"}
	}
	r := Record{Form: m.doc.Form, Area: m.doc.Latest().Area, Case: c.Record, CaseID: m.c.ID, Copy: name, For: c.For, Reasons: given, had: c.Reasons, copied: true}
	if c.Issued == "" {
		r.Row = c.row
	} else {
		r.Again, r.Base, r.Why = c.Issued, c.Latest, fmt.Sprintf("%s was issued again, as issue %d", ref, c.Issue)
	}
	return k.Record(ctx, a, r)
}
