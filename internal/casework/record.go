package casework

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/render"
	"caseforms/templates"
)

// Output is a file that is made of a document.
type Output struct {
	Format  render.Format
	Profile render.Profile // "" is archive
}

// Record asks for a document to be issued: filled, rendered, kept for good and entered in the ledger.
type Record struct {
	Form string
	Area string
	Case []byte // the case record as JSON; with a Draft it may be nil and is the draft's

	CaseID     caseforms.CaseID  // whose case it is; "" finds it by CRN, prison number or PNC ID, and else makes one
	SamePerson bool              // it is the person of that case although the name is quite another
	Again      caseforms.Ref     // the document of which this is a new version
	Why        string            // the reason for a new version
	Draft      caseforms.DraftID // the draft it is issued from, which goes
	Base       int               // the version of the draft, or of the document, that was seen
	Seen       int               // of a draft of a new version: the latest issue that was seen, where it is not the one that the draft was begun from

	Copy    string // "" is full
	For     string // of several addressees, whom it is for
	Outputs []Output
	Send    []store.NewItem // what is to be delivered, entered in the same act

	// Reasons are why it is issued although warnings stand, beside those that were given in the draft and those that it had before. Unasked issues it without: nobody looks at each row of a batch.
	Reasons []caseforms.Reason
	Unasked bool
	had     []caseforms.Reason

	copied bool // it is another copy of what a document says: it is refused when the case says something else by now

	// Row tells the row of a batch that it is made from, by all that goes into the document, or what else it is to be the only document of: the same row is issued once, and what was issued is given back.
	Row string

	// Mail sends it by e-mail in the same act: to whom, or to nobody in particular, which is whoever the form goes to. Ref, Chase and Dry are not looked at.
	Mail *Send

	Dry bool // tell what would be issued and sent, and do nothing
}

// Issued is a document that was issued.
type Issued struct {
	Ref      caseforms.Ref
	Version  int
	Case     caseforms.CaseID
	NewCase  bool
	Copy     string // which copy it is; the document itself does not tell
	Document *caseforms.Document
	Files    []IssuedFile
	Sent     []Outgoing
	Before   bool // it was issued before, from the same row of a batch
}

// IssuedFile is one of its files.
type IssuedFile struct {
	Output
	Data   []byte
	Report render.Report
}

// Refused says that a form cannot be issued, and everything that stands against it.
type Refused struct{ Problems []caseforms.Problem }

func (e *Refused) Error() string { return "the form cannot be issued yet; nothing was recorded" }

// Record issues a document. The problems are those that did not stand against it; when it cannot be issued, the error is a [Refused], or an
// [Unexplained] when nothing but reasons is missing.
func (k *Desk) Record(ctx context.Context, a caseforms.Actor, r Record) (*Issued, []caseforms.Problem, error) {
	if err := a.Need("issue documents", caseforms.RolePractitioner, caseforms.RoleManager); err != nil {
		return nil, nil, err
	}
	if r.Row != "" {
		if out, err := k.issuedBefore(ctx, a, r.Row); out != nil || err != nil {
			return out, nil, err
		}
	}
	var draft *store.Draft
	var begun *Begun
	had := r.had
	if r.Draft != "" {
		d, content, err := k.draft(ctx, a, r.Draft, "issue this draft")
		if err != nil {
			return nil, nil, err
		}
		if err := seen(d, a, r.Base); err != nil {
			return nil, nil, err
		}
		if had, err = k.reasonsOf(ctx, d); err != nil {
			return nil, nil, err
		}
		r.Base = 0
		if begun, err = k.goesOn(ctx, a, &r, d); err != nil {
			return nil, nil, err
		}
		if r.Case == nil {
			r.Case = content
		}
		draft, r.Form = d, d.Form
		r.Area = d.Area
		if r.CaseID == "" {
			r.CaseID = d.Case
		}
		if d.Case != "" && r.CaseID != d.Case {
			return nil, nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the draft belongs to case " + string(d.Case), Hint: "leave --case out"}
		}
	}
	d, err := k.load(r.Area)
	if err != nil {
		return nil, nil, err
	}
	f, err := d.Form(r.Form)
	if err != nil {
		return nil, nil, err
	}
	c, ps := d.Decode(r.Case, f)
	if c == nil {
		return nil, nil, &Refused{ps}
	}
	if r.For == "" {
		if r.For, err = begun.amongSeveral(d, f, r.Case); err != nil {
			return nil, nil, err
		}
	}
	o := caseforms.FillOptions{Today: k.today(), For: r.For, Copy: r.Copy}
	if o.Copy == "" {
		o.Copy = caseforms.CopyFull
	}
	if ps, err = d.Check(f, c, o); err != nil {
		return nil, nil, err
	}
	if caseforms.Blocks(ps) {
		return nil, nil, &Refused{ps}
	}
	reasons, err := k.reasons(ctx, &r, d.Urgent(f, c), ps, had)
	if err != nil {
		return nil, ps, err
	}
	if len(r.Outputs) == 0 {
		r.Outputs = []Output{{Format: render.FormatPDF}}
	}
	renderer, err := k.renderer()
	if err != nil {
		return nil, nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "the program cannot read itself", Err: err}
	}
	bundle, err := templates.Bundle(d, f.ID)
	if err != nil {
		return nil, nil, err
	}
	record, err := compact(r.Case)
	if err != nil {
		return nil, nil, err
	}
	// Somebody else may issue of the same case at the same moment, and a reference drawn may be taken: then all is looked at once more.
	for try := 0; ; try++ {
		out := &Issued{Ref: r.Again, Copy: o.Copy}
		i := store.Issue{
			Form: f.ID, FormVersion: f.Version, Area: r.Area, Copy: o.Copy, Definition: f.Hash, Bundle: bundle, Renderer: renderer, Send: r.Send, Draft: draft,
			Entry: store.Entry{Acts: []store.Act{store.Combination}, What: "document issued", Actor: a.ID, Detail: map[string]string{}},
		}
		if r.For != "" {
			i.Entry.Detail["for"] = r.For
		}
		if r.Draft != "" {
			i.Entry.Detail["draft"] = string(r.Draft)
		}
		if reasons != "" {
			i.Entry.Detail[detailReasons] = reasons
		}
		if err := k.chooseDocument(ctx, a, &r, f, o.Copy, out, &i); err != nil {
			return nil, nil, err
		}
		var doubts []caseforms.Problem
		if err := k.chooseCase(ctx, a, &r, c, record, out, &i, &doubts); err != nil {
			return nil, nil, err
		}
		o.Ref, o.Issue = string(out.Ref), out.Version
		if out.Document, err = d.Fill(f, c, o); err != nil {
			return nil, nil, err
		}
		if err := write(out, r.Outputs, &i); err != nil {
			return nil, nil, err
		}
		if err := k.issued(ctx, a, &r, d, d.Urgent(f, c), out, &i); err != nil {
			return nil, nil, err
		}
		if r.Mail != nil {
			if err := k.mailed(ctx, a, &r, d, c, out, &i, &doubts); err != nil {
				return nil, nil, err
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if r.Dry {
			return out, append(ps, doubts...), nil
		}
		switch {
		case r.Row != "":
			i.Row = k.store.Term(termRow, r.Row)
		case draft != nil:
			i.Row = k.store.Term(termDraft, string(draft.ID))
		}
		err := k.store.Issue(ctx, i)
		if errors.Is(err, store.ErrTaken) && r.Row != "" { // somebody else may have issued the same row at the same moment
			if out, e := k.issuedBefore(ctx, a, r.Row); out != nil || e != nil {
				return out, nil, e
			}
		}
		if (errors.Is(err, store.ErrTaken) || errors.Is(err, store.ErrChanged)) && try < 5 {
			if draft != nil {
				if now, _, err := k.store.Draft(ctx, draft.ID); err != nil || now.Version != draft.Version {
					return nil, nil, again(store.ErrChanged)
				}
			}
			continue
		}
		if err != nil {
			return nil, nil, again(err)
		}
		if r.Mail != nil {
			_ = k.watch(ctx) // it is recorded; what could not be told now is told by the next who looks
		}
		return out, append(ps, doubts...), nil
	}
}

// The kinds of terms of what a document is made from: a row of a batch, and a draft.
const (
	termRow   = "row"
	termDraft = "draft"
)

// issuedBefore is what was issued from a row of a batch; nil when nothing was.
func (k *Desk) issuedBefore(ctx context.Context, a caseforms.Actor, row string) (*Issued, error) {
	ref, version, found, err := k.store.IssuedRow(ctx, k.store.Term(termRow, row))
	if err != nil || !found {
		return nil, err
	}
	m, err := k.matter(ctx, a, ref, "issue this document")
	if err != nil {
		return nil, err
	}
	out := &Issued{Ref: ref, Version: version, Case: m.c.ID, Copy: m.doc.Copy, Before: true}
	if out.Document, out.Files, _, err = k.refill(ctx, m.doc, &m.doc.Versions[version-1]); err != nil {
		return nil, err
	}
	sends, err := k.store.Sends(ctx, ref)
	if err != nil {
		return nil, err
	}
	out.Sent, err = k.outgoings(ctx, sends)
	return out, err
}

// mailed puts what is to be sent of a document into the act that issues it.
func (k *Desk) mailed(ctx context.Context, a caseforms.Actor, r *Record, d *caseforms.Definitions, c *caseforms.Case, out *Issued, i *store.Issue, doubts *[]caseforms.Problem) error {
	if err := k.noPost(); err != nil {
		return err
	}
	s := *r.Mail
	s.Ref, s.Chase, s.Dry = out.Ref, false, false
	m := &matter{
		doc: &store.Document{Ref: out.Ref, Case: i.Case, Form: i.Form, Copy: i.Copy, Versions: []store.Version{{Number: out.Version, Area: r.Area}}},
		c:   &store.Case{ID: i.Case, Area: r.Area, Owner: a.ID, Team: a.Team}, defs: d, cal: d.Calendar(k.closed...), record: c,
	}
	if !out.NewCase {
		var err error
		if m.c, err = k.store.FindCase(ctx, i.Case); err != nil {
			return err
		}
		if m.runs, err = k.store.FollowUpsOf(ctx, i.Case); err != nil {
			return err
		}
		if m.hands, err = k.store.HandOffs(ctx, i.Case); err != nil {
			return err
		}
	}
	f, err := d.Form(i.Form)
	if err != nil {
		return err
	}
	x := &sending{k: k, a: a, m: m, v: m.doc.Latest(), doc: out.Document, files: out.Files, s: &s, urgent: d.Urgent(f, c)}
	if x.earlier, err = k.store.Sends(ctx, out.Ref); err != nil {
		return err
	}
	if i.Sends, err = x.all(ctx); err != nil {
		return err
	}
	out.Sent, i.Gone = x.out, x.replaced
	*doubts = append(*doubts, x.problems...)
	return nil
}

// chooseDocument settles which document it is: a new one, or the next version of one there is.
func (k *Desk) chooseDocument(ctx context.Context, a caseforms.Actor, r *Record, f *caseforms.Form, copy string, out *Issued, i *store.Issue) error {
	i.Version = 1
	if r.Again == "" {
		ref, err := caseforms.NewRef(nil)
		if err != nil {
			return err
		}
		out.Ref = ref
	} else {
		doc, err := k.store.Document(ctx, r.Again)
		if err != nil {
			return err
		}
		of, err := k.store.FindCase(ctx, doc.Case)
		if err != nil {
			return err
		}
		if err := k.see(ctx, a, of, "issue this document again"); err != nil {
			return err
		}
		if now := doc.Latest(); r.Base != 0 && r.Base != now.Number {
			flag := "--base "
			if r.Draft != "" {
				flag = "--seen-issue "
			}
			return &caseforms.Error{Kind: caseforms.Conflict, Msg: fmt.Sprintf("%s was issued at %s as issue %d, which you have not seen; yours was not recorded", r.Again, longTime(now.Issued), now.Number),
				Hint: "look at it first, then say " + flag + strconv.Itoa(now.Number)}
		}
		r.Base = doc.Latest().Number // when the act is tried once more, nobody else may have issued it meanwhile
		if strings.TrimSpace(r.Why) == "" {
			return needsReason("a new version of a document")
		}
		if doc.Form != f.ID || doc.Copy != copy {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: string(r.Again) + " is a " + doc.Form + " in the copy " + doc.Copy + "; a new version is of the same form and copy",
				Hint: "caseforms record " + doc.Form + " CASE --copy " + doc.Copy + " --again " + string(r.Again)}
		}
		if r.CaseID != "" && r.CaseID != doc.Case {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: string(r.Again) + " belongs to case " + string(doc.Case)}
		}
		if !doc.Latest().Erased.IsZero() {
			return &caseforms.Error{Kind: caseforms.NotFound, Msg: string(r.Again) + " was erased"}
		}
		r.CaseID = doc.Case
		i.Version = doc.Latest().Number + 1
		i.Entry.What, i.Entry.Detail["why"] = "document issued again", strings.TrimSpace(r.Why)
	}
	i.Ref, out.Version = out.Ref, i.Version
	return nil
}

// chooseCase settles which case it is, and whether its record changes.
func (k *Desk) chooseCase(ctx context.Context, a caseforms.Actor, r *Record, c *caseforms.Case, record []byte, out *Issued, i *store.Issue, doubts *[]caseforms.Problem) error {
	id := r.CaseID
	if id == "" {
		var err error
		if id, i.Nobody, *doubts, err = k.caseOf(ctx, c); err != nil {
			return err
		}
	}
	m := &matter{c: &store.Case{Area: r.Area, Owner: a.ID, Team: a.Team}, record: c}
	var changed, removed []string
	if id == "" {
		var err error
		if id, err = caseforms.NewCaseID(nil); err != nil {
			return err
		}
		out.NewCase = true
		m.c.ID, i.Team = id, a.Team
		if err := k.alike(ctx, c, doubts); err != nil {
			return err
		}
		i.Entry.Acts = append([]store.Act{store.Collection}, i.Entry.Acts...)
	} else {
		have, err := k.store.FindCase(ctx, id)
		if err != nil {
			return err
		}
		if err := k.see(ctx, a, have, "issue documents of this case"); err != nil {
			return err
		}
		i.CaseVersion = have.Version
		if have.SameRecord(record) {
			i.Case, out.Case = id, id
			return k.twice(ctx, r, i, have, doubts)
		}
		if r.copied {
			return errCopyChanged
		}
		if err := k.samePerson(ctx, r.SamePerson, have, c, doubts); err != nil {
			return err
		}
		i.Entry.Acts = append([]store.Act{store.Alteration}, i.Entry.Acts...)
		if changed, removed, err = k.changes(ctx, have, record, doubts); err != nil {
			return err
		}
		m.c = have
		if m.runs, err = k.store.FollowUpsOf(ctx, id); err != nil {
			return err
		}
		if m.hands, err = k.store.HandOffs(ctx, id); err != nil {
			return err
		}
	}
	var err error
	if m.defs, err = k.load(m.c.Area); err != nil {
		return err
	}
	m.cal = m.defs.Calendar(k.closed...)
	k.following(m, out.NewCase, changed, removed, a.ID, &i.Follow)
	card, err := json.Marshal(cardOf(c))
	if err != nil {
		return err
	}
	i.Case, i.Record, i.Card, i.Terms = id, record, card, k.terms(c)
	out.Case = id
	return nil
}

// issued begins what has to be done because a document was issued.
func (k *Desk) issued(ctx context.Context, a caseforms.Actor, r *Record, d *caseforms.Definitions, urgent bool, out *Issued, i *store.Issue) error {
	m := &matter{c: &store.Case{ID: i.Case, Area: r.Area, Owner: a.ID, Team: a.Team}, defs: d, cal: d.Calendar(k.closed...)}
	if !out.NewCase {
		var err error
		if m.c, err = k.store.FindCase(ctx, i.Case); err != nil {
			return err
		}
	}
	if r.Again != "" {
		var err error
		if m.runs, err = k.store.FollowUpsOf(ctx, i.Case); err != nil {
			return err
		}
	}
	k.issuing(m, a, i.Form, i.Copy, i.Ref, i.Version, urgent, &i.Follow)
	return nil
}

// twice says so when the same form was issued from the same record a moment ago: somebody may not have seen that it worked.
func (k *Desk) twice(ctx context.Context, r *Record, i *store.Issue, have *store.Case, doubts *[]caseforms.Problem) error {
	if r.Again != "" {
		return nil
	}
	refs, err := k.store.DocumentsOf(ctx, have.ID)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		d, err := k.store.Document(ctx, ref)
		if err != nil {
			return err
		}
		v := d.Latest()
		if d.Form != i.Form || d.Copy != i.Copy || !have.RecordOf(v) || k.store.Now().Sub(v.Issued) > 24*time.Hour {
			continue
		}
		if rec, err := k.store.Prove(ctx, v.Entry); err != nil || rec.Detail["for"] != r.For {
			continue
		}
		*doubts = append(*doubts, caseforms.Problem{Severity: caseforms.Warning, Msg: "the same was recorded as " + string(ref) + " at " + longTime(v.Issued) + " already; now there are two",
			Hint: "if one is too many: caseforms erase " + string(i.Ref) + ", by an admin"})
	}
	return nil
}

// changes are the paths of the facts of a case that a new record changes, and of those that it does not have any more. The latter are told:
// the writer may have had an older record in hand.
func (k *Desk) changes(ctx context.Context, have *store.Case, record []byte, doubts *[]caseforms.Problem) (changed, removed []string, err error) {
	old, err := k.store.Record(ctx, have)
	if err != nil {
		return nil, nil, err
	}
	diff, err := caseforms.ChangedFacts(old, record)
	if err != nil {
		return nil, nil, err
	}
	stated := func(key string) bool { // a value gave way to a reason why there is none: that is an answer
		return slices.ContainsFunc(diff, func(x caseforms.Difference) bool { return x.Key == key+".state" && x.Yours != "" })
	}
	for _, x := range diff {
		if x.Yours == "" && !stated(x.Key) {
			removed = append(removed, x.Key)
		} else {
			changed = append(changed, x.Key)
		}
	}
	if gone := len(removed); gone > 0 {
		*doubts = append(*doubts, caseforms.Problem{Severity: caseforms.Warning, Msg: fmt.Sprintf("this record lacks %d answers that case %s had, last changed at %s; the earlier record is kept with its documents, and no deadline ends for it", gone, have.ID, longTime(have.Changed)),
			Hint: "was an older file used? put the answers back and issue it again"})
	}
	return changed, removed, nil
}

// samePerson refuses a record that gives another number, or quite another name, than the case it is to belong to.
func (k *Desk) samePerson(ctx context.Context, sure bool, have *store.Case, c *caseforms.Case, doubts *[]caseforms.Problem) error {
	old, err := k.card(ctx, have)
	if err != nil {
		return err
	}
	now := cardOf(c)
	for _, x := range []struct{ old, now, what string }{{old.CRN, now.CRN, "CRN"}, {old.PrisonNumber, now.PrisonNumber, "prison number"}, {old.PNC, now.PNC, "PNC ID"}} {
		if x.old != "" && x.now != "" && x.old != x.now {
			return &caseforms.Error{Kind: caseforms.Conflict, Msg: "this record has another " + x.what + " than case " + string(have.ID) + "; nothing was recorded",
				Hint: "is it the right case? without --case it is looked for by its numbers"}
		}
		if x.now == "" || x.old == x.now {
			continue
		}
		found, err := k.store.Find(ctx, 10, k.store.Term(termNumber, tight(x.now)))
		if err != nil {
			return err
		}
		for _, f := range found {
			if f.Part == store.ThePerson && f.Case != have.ID {
				return &caseforms.Error{Kind: caseforms.Conflict, Msg: "the " + x.what + " of this record belongs to case " + string(f.Case) + ", not to " + string(have.ID) + "; nothing was recorded",
					Hint: "leave --case out, and it goes to that case"}
			}
		}
	}
	before := words(old.Name)
	if slices.ContainsFunc(words(now.Name), func(w string) bool { return slices.Contains(before, w) }) {
		return nil
	}
	if !sure {
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "case " + string(have.ID) + " is of somebody with quite another name; nothing was recorded", Hint: "if it is the same person, say --same-person"}
	}
	*doubts = append(*doubts, caseforms.Problem{Severity: caseforms.Warning, Key: "person", Msg: "case " + string(have.ID) + " has had quite another name until now"})
	return nil
}

// write renders the outputs.
func write(out *Issued, outputs []Output, i *store.Issue) error {
	var answers bytes.Buffer
	if err := render.JSON(&answers, out.Document); err != nil {
		return err
	}
	i.Answers = answers.Bytes()
	out.Files, i.Files = nil, nil
	for _, o := range outputs {
		if o.Profile == "" {
			o.Profile = render.ProfileArchive
		}
		if o.Profile == render.ProfileSecure {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: "a sealed file is made when it is sent, not when the document is recorded", Hint: "record it as archive or reply"}
		}
		if slices.ContainsFunc(out.Files, func(f IssuedFile) bool { return f.Output == o }) {
			continue
		}
		var b bytes.Buffer
		report, err := render.Write(&b, out.Document, o.Format, render.Options{Profile: o.Profile})
		if err != nil {
			return err
		}
		out.Files = append(out.Files, IssuedFile{o, b.Bytes(), report})
		i.Files = append(i.Files, store.NewFile{Format: string(o.Format), Profile: string(o.Profile), Data: b.Bytes()})
	}
	return nil
}

// compact is a case record without the space between its parts, so that the same record is the same bytes.
func compact(data []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, bytes.TrimPrefix(data, []byte("\ufeff"))); err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the case record is not JSON"}
	}
	return b.Bytes(), nil
}
