package casework

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"caseforms"
	"caseforms/internal/store"
)

// Timeline is one document with all that came of it.
type Timeline struct {
	Ref      caseforms.Ref
	Case     caseforms.CaseID
	Whose    // empty when the actor may only audit
	Form     string
	Title    string
	Copy     string
	Copies   []string // those that its form has
	Goes     bool     // this copy goes to somebody when nobody is named
	Versions []TimelineVersion
	HandOffs []TimelineHandOff
	Due      []Due // what is open of it
	Sends    []Outgoing
	Mail     []Came // what came about it
	Events   []Event
	Reached  []Reached // whom it went to, or is on its way to; nil when the actor may only audit
	Unsent   []Unsent  // whom it should go to and did not go to yet; the same
	Post     bool      // e-mail is configured at all

	Countersigning Countersigning // of the latest issue

	Looked int // how often somebody looked; an overview has the last few of them among its events
}

// Whose is whom something is about, and what is to be known of them before anything else.
type Whose struct {
	Card       Card
	Alerts     []string // see caseforms.Definitions.Alerts
	Restricted bool
	Urgent     bool // the latest issue of the document says that it cannot wait; not told of a case
}

func (k *Desk) about(ctx context.Context, c *store.Case) (w Whose, err error) {
	w.Restricted = c.Restricted
	if w.Card, err = k.card(ctx, c); err == nil {
		w.Alerts, err = k.alerts(ctx, c)
	}
	return w, err
}

// TimelineHandOff is one hand-off of it, and what was answered.
type TimelineHandOff struct {
	store.HandOff
	To      string // "" when the actor may only audit
	Outcome string // the last response, in words
}

// TimelineVersion is one issue of it.
type TimelineVersion struct {
	store.Version
	By      string             // a name
	Reasons []caseforms.Reason // why it was issued although warnings stood
}

// Event is one thing that happened, in words.
type Event struct {
	At     time.Time
	By     string // a name
	What   string
	Detail map[string]string // nil when there is none, or it was erased
	Erased bool
	Record int64 // its place in the ledger
	Looked bool  // somebody only looked

	reasons []caseforms.Reason // which Detail has in words
}

// Show is the timeline of a document, with everybody who looked. Whoever looks is in the ledger. An auditor sees what was done and not of whom.
func (k *Desk) Show(ctx context.Context, a caseforms.Actor, ref caseforms.Ref) (*Timeline, error) {
	return k.show(ctx, a, ref, store.AllLooks)
}

func (k *Desk) show(ctx context.Context, a caseforms.Actor, ref caseforms.Ref, looks int) (*Timeline, error) {
	d, err := k.store.Document(ctx, ref)
	if err != nil {
		return nil, err
	}
	c, err := k.store.FindCase(ctx, d.Case)
	if err != nil {
		return nil, err
	}
	t := &Timeline{Ref: ref, Case: d.Case, Form: d.Form, Title: d.Form, Copy: d.Copy, Post: k.post != nil}
	audits := a.Is(caseforms.RoleAuditor) && !a.Is(caseforms.RolePractitioner, caseforms.RoleManager)
	if !audits && c.Erased.IsZero() {
		if err := k.see(ctx, a, c, "look at this document"); err != nil {
			return nil, err
		}
		if t.Whose, err = k.about(ctx, c); err != nil {
			return nil, err
		}
	} else if err := a.Need("look at this document", caseforms.RoleAuditor, caseforms.RolePractitioner, caseforms.RoleManager); err != nil {
		return nil, err
	}
	if err := k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "timeline read", Actor: a.ID, Case: d.Case, Ref: ref}); err != nil {
		return nil, err
	}
	if defs, err := k.load(d.Latest().Area); err == nil {
		if f, err := defs.Form(d.Form); err == nil {
			t.Title, t.Copies, t.Goes = f.Title.In(defs.Lang), f.Copies, len(defs.RolesFor(d.Form, d.Copy, a)) > 0
			if !audits && c.Erased.IsZero() && d.Latest().Erased.IsZero() {
				if t.Urgent, err = k.urgent(ctx, &matter{doc: d, defs: defs}, d.Latest()); err != nil {
					return nil, err
				}
			}
		}
		if t.Countersigning, err = k.countersigning(ctx, defs, d, d.Latest().Number); err != nil {
			return nil, err
		}
	}
	who, err := k.names(ctx)
	if err != nil {
		return nil, err
	}
	if t.Countersigning.Said {
		t.Countersigning.By = who.of(t.Countersigning.Countersignature.By)
	}
	for _, v := range d.Versions {
		t.Versions = append(t.Versions, TimelineVersion{Version: v, By: who.of(v.IssuedBy)})
	}
	if err := k.handOffs(ctx, a, t, d, c, audits); err != nil {
		return nil, err
	}
	if c.Erased.IsZero() && d.Latest().Erased.IsZero() {
		if err := k.mailbox(ctx, a, t, d, audits); err != nil {
			return nil, err
		}
	}
	// What concerns the case as a whole, such as who may see it, concerns the document too.
	records, err := k.store.HistoryOf(ctx, ref, d.Case, looks)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		t.Events = append(t.Events, told(r, who))
	}
	if t.Looked, err = k.store.CountLooks(ctx, ref, d.Case); err != nil {
		return nil, err
	}
	for i := range t.Events {
		e := &t.Events[i]
		if audits { // what was done, and not of whom
			e.Detail, e.reasons = nil, nil
		}
		for j := range t.Versions {
			if v := &t.Versions[j]; e.reasons != nil && v.Entry == e.Record {
				v.Reasons = e.reasons
			}
		}
	}
	return t, nil
}

// mailbox puts what was sent and what came on the timeline of a document. An auditor sees that it was, and not to whom or in which words.
func (k *Desk) mailbox(ctx context.Context, a caseforms.Actor, t *Timeline, d *store.Document, audits bool) error {
	sends, err := k.store.Sends(ctx, t.Ref)
	if err != nil {
		return err
	}
	if t.Sends, err = k.outgoings(ctx, sends); err != nil {
		return err
	}
	if t.Mail, err = k.mailOf(ctx, t.Ref); err != nil {
		return err
	}
	if !audits {
		m := &matter{doc: d}
		if m.hands, err = k.store.HandOffs(ctx, t.Ref); err != nil {
			return err
		}
		if t.Reached, err = k.reachedBy(ctx, m, sends); err != nil {
			return err
		}
		if m.defs, err = k.load(d.Latest().Area); err != nil {
			return nil // the area is gone
		}
		if t.Unsent, err = k.unsent(ctx, a, m, t.Reached); err != nil {
			return err
		}
	}
	if audits {
		for i, o := range t.Sends {
			t.Sends[i] = Outgoing{Send: o.Send, Standing: o.Standing, At: o.At, Report: o.Report, Attempts: o.Attempts}
		}
		for i, c := range t.Mail {
			t.Mail[i] = Came{Received: c.Received}
		}
	}
	return nil
}

// handOffs puts the hand-offs of a document on its timeline, and what is open of it.
func (k *Desk) handOffs(ctx context.Context, a caseforms.Actor, t *Timeline, d *store.Document, c *store.Case, audits bool) error {
	hs, err := k.store.HandOffs(ctx, d.Ref)
	if err != nil {
		return err
	}
	for i := range hs {
		h := TimelineHandOff{HandOff: hs[i], Outcome: hs[i].Outcome}
		if defs, err := k.load(h.Area); err == nil {
			if r := defs.Duties.Response(h.Form, h.HandOff.Outcome); r != nil {
				h.Outcome = r.Label.In(defs.Lang)
			}
		}
		if !audits && c.Erased.IsZero() && d.Latest().Erased.IsZero() {
			words, err := k.handOffContent(ctx, &hs[i])
			if err != nil {
				return err
			}
			h.To = words.To
		}
		t.HandOffs = append(t.HandOffs, h)
	}
	t.Due, err = k.dueOf(ctx, a, d.Case, func(u store.FollowUp) bool { return u.Ref == d.Ref })
	return err
}

// events are what the ledger says of a case or a document.
func (k *Desk) events(ctx context.Context, of any, who names) (out []Event, err error) {
	records, err := k.store.History(ctx, of)
	for _, r := range records {
		out = append(out, told(r, who))
	}
	return out, err
}

func told(r store.Record, who names) Event {
	reasons := readReasons(r.Detail)
	if reasons != nil {
		r.Detail = maps.Clone(r.Detail)
		r.Detail[detailReasons] = ReasonWords(reasons)
	}
	return Event{reasons: reasons, At: r.At, By: who.of(r.Actor), What: r.What, Detail: r.Detail, Erased: r.Erased, Record: r.N, Looked: r.Looked()}
}

// Printed is an issue of a document as it was printed, to be read on a page; 0 is the latest. Whoever reads it is in the ledger.
func (k *Desk) Printed(ctx context.Context, a caseforms.Actor, ref caseforms.Ref, issue int) (*caseforms.Document, error) {
	m, err := k.matter(ctx, a, ref, "read this document")
	if err != nil {
		return nil, err
	}
	if issue == 0 {
		issue = m.doc.Latest().Number
	}
	if issue < 1 || issue > len(m.doc.Versions) {
		return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: string(ref) + " has no such issue"}
	}
	doc, _, _, err := k.refill(ctx, m.doc, &m.doc.Versions[issue-1])
	if err != nil {
		return nil, err
	}
	return doc, k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "document read", Actor: a.ID, Case: m.c.ID, Ref: ref, Version: issue})
}

// Opened is a file of an issued document, as it was issued.
type Opened struct {
	store.File
	Data []byte
}

// Open hands out the files of a version of a document, 0 being the latest. Whoever gets them is in the ledger.
func (k *Desk) Open(ctx context.Context, a caseforms.Actor, ref caseforms.Ref, version int) (out []Opened, err error) {
	d, err := k.store.Document(ctx, ref)
	if err != nil {
		return nil, err
	}
	c, err := k.store.FindCase(ctx, d.Case)
	if err != nil {
		return nil, err
	}
	if err := k.see(ctx, a, c, "open this document"); err != nil {
		return nil, err
	}
	if version == 0 {
		version = d.Latest().Number
	}
	if version < 1 || version > len(d.Versions) {
		return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: string(ref) + " has no such issue", Hint: fmt.Sprintf("it has issues 1 to %d", len(d.Versions))}
	}
	v := &d.Versions[version-1]
	if !v.Erased.IsZero() {
		return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: string(ref) + " was erased on " + longDate(v.Erased)}
	}
	for i := range v.Files {
		data, err := k.store.FileData(ctx, &v.Files[i])
		if err != nil {
			return nil, err
		}
		out = append(out, Opened{v.Files[i], data})
	}
	e := store.Entry{Acts: []store.Act{store.Consultation}, What: "document opened", Actor: a.ID, Case: d.Case, Ref: ref, Version: version}
	return out, k.store.Append(ctx, e)
}

// AlertsUnread stands in the place of the alerts of a case whose record cannot be read by the definitions there are: that nothing stands there would be taken
// for none.
const AlertsUnread = "Alerts cannot be shown: read the documents"

// alerts are what is to be known of a case before anything else. They are shared facts, which every area has alike: what forms ask beside them is not looked at.
func (k *Desk) alerts(ctx context.Context, c *store.Case) ([]string, error) {
	record, err := k.store.Record(ctx, c)
	if err != nil {
		return nil, err
	}
	defs, err := k.load(c.Area)
	if err != nil { // the area is not there any more; its documents are
		if defs, err = k.load(""); err != nil {
			return nil, err
		}
	}
	var shared map[string]json.RawMessage
	if err = json.Unmarshal(record, &shared); err == nil {
		delete(shared, "forms")
		record, err = json.Marshal(shared)
	}
	read, _ := defs.Decode(record, nil)
	if err != nil || read == nil {
		return []string{AlertsUnread}, nil
	}
	return defs.Alerts(read), nil
}
