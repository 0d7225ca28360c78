package casework

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/render"
)

// Row asks for the document of a row of a batch to be issued. It is issued once, by whomever, from wherever and however often it is asked for.
type Row struct {
	Form   *caseforms.Form
	Area   string
	Copy   string
	For    string
	Case   []byte // the case record as JSON
	Format render.Format
	Mail   *Send // it is put into the outbox in the same act; nil is not sent
	Dry    bool  // tell what would come of it, and do nothing
}

// name tells rows apart by all that goes into their documents.
func (r *Row) name() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %q %s", r.Form.Hash, r.Area, r.Copy, r.For, r.Case))
	return hex.EncodeToString(sum[:])
}

// RecordRow issues the document of a row, or gives back the one that was issued of it. Of one that was issued and not sent, it is sent.
func (k *Desk) RecordRow(ctx context.Context, a caseforms.Actor, r Row) (*Issued, []caseforms.Problem, error) {
	out, ps, err := k.Record(ctx, a, Record{Form: r.Form.ID, Area: r.Area, Case: r.Case, Copy: r.Copy, For: r.For, Outputs: []Output{{Format: r.Format}}, Row: r.name(), Mail: r.Mail, Dry: r.Dry, Unasked: true})
	if err == nil && out.Before && r.Mail != nil && len(out.Sent) == 0 { // it was issued by a run that did not send
		again := *r.Mail
		again.Ref, again.Dry = out.Ref, r.Dry
		out.Sent, ps, err = k.Send(ctx, a, again)
	}
	if err != nil {
		return nil, nil, rowError(err)
	}
	if !slices.ContainsFunc(out.Files, func(f IssuedFile) bool { return f.Format == r.Format }) {
		return nil, nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "it was issued before as " + string(out.Ref) + ", in another format", Hint: "caseforms show " + string(out.Ref) + " writes it out as it was issued"}
	}
	return out, ps, nil
}

// File is the file of a format, nil when there is none.
func (i *Issued) File(f render.Format) *IssuedFile {
	if at := slices.IndexFunc(i.Files, func(x IssuedFile) bool { return x.Format == f }); at >= 0 {
		return &i.Files[at]
	}
	return nil
}

// rowError is an error about one row as a batch takes it.
func rowError(err error) error {
	var refused *Refused
	var unattached *Unattached
	switch {
	case errors.As(err, &refused) && len(refused.Problems) > 0:
		p := refused.Problems[0]
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: p.String(), Hint: p.Hint}
	case errors.As(err, &unattached):
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: unattached.Problems[0].String(), Hint: "take the tick away, or say for all of them with --without why it does not go with them"}
	}
	return err
}

// Destinations are whom documents of a form may be sent to, before there is one: offices of the directory, and in words the roles that they go to when
// nobody is named.
func (k *Desk) Destinations(ctx context.Context, a caseforms.Actor, form, area, copy string) (to []Office, unasked []string, err error) {
	if err := a.Need("send documents", caseforms.RolePractitioner, caseforms.RoleManager); err != nil {
		return nil, nil, err
	}
	d, err := k.load(area)
	if err != nil {
		return nil, nil, err
	}
	return k.destinations(ctx, a, d, form, copy)
}

func (k *Desk) destinations(ctx context.Context, a caseforms.Actor, d *caseforms.Definitions, form, copy string) (to []Office, unasked []string, err error) {
	goes := map[string]bool{}
	for _, r := range d.RolesFor(form, copy, a) {
		goes[r.Role] = true
		unasked = append(unasked, r.Label.In(d.Lang))
	}
	rs, err := k.store.Recipients(ctx)
	for _, r := range rs {
		role := d.RecipientRole(r.Role)
		if !r.Active || role == nil || role.May(form, copy, a, d.Lang) != nil {
			continue
		}
		to = append(to, Office{r.ID, r.Organisation, role.Label.In(d.Lang), r.Area, r.Address, r.Phone, r.Channel == channelEmail, goes[r.Role]})
	}
	return to, unasked, err
}

// Posts tells whether anything goes by e-mail at all.
func (k *Desk) Posts() bool { return k.post != nil }

// TakeAway lets somebody have documents in one file together: each of a case that they may see now. Each is in the ledger.
func (k *Desk) TakeAway(ctx context.Context, a caseforms.Actor, refs []caseforms.Ref, how string) error {
	var es []store.Entry
	for _, ref := range refs {
		m, err := k.whose(ctx, ref)
		if err != nil {
			return err
		}
		if err := k.see(ctx, a, m.c, "take this document away"); err != nil {
			return err
		}
		es = append(es, store.Entry{Acts: []store.Act{store.Consultation}, What: "document taken away", Actor: a.ID, Case: m.c.ID, Ref: ref, Detail: map[string]string{"in": how}})
	}
	return k.store.Append(ctx, es...)
}

// ErasedSince tells whether any case or document was erased at a moment or after it, so that what is kept beside the store can go too.
func (k *Desk) ErasedSince(ctx context.Context, t time.Time) (bool, error) {
	last, err := k.store.LastErasure(ctx)
	return !last.IsZero() && !last.Before(t), err
}

// Present is somebody as they are at this moment: what goes on for long asks again whether they still may. An account that was closed is refused.
func (k *Desk) Present(ctx context.Context, a caseforms.Actor) (caseforms.Actor, error) {
	u, found, err := k.store.UserByID(ctx, a.ID)
	if err == nil && (!found || !u.Active) {
		err = &caseforms.Error{Kind: caseforms.Unavailable, Msg: "this account was closed meanwhile", Hint: "ask an admin"}
	}
	return u.Actor, err
}
