package casework

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"caseforms"
	"caseforms/internal/store"
)

// Unsent is somebody whom a document should go to and did not go to yet.
type Unsent struct {
	Who       string        // an office, a role that nobody in the directory has, or an authority
	Authority bool          // it is another authority, or agency, concerned: it gets a document of its own
	Ref       caseforms.Ref // of an authority: the document that was made for it; "" when none was made
}

// unsent are those whom a document should go to and did not go to yet: offices that the rules name, and other authorities that are concerned. Of a
// document that went to nobody at all that is everybody.
func (k *Desk) unsent(ctx context.Context, a caseforms.Actor, m *matter, reached []Reached) ([]Unsent, error) {
	out, err := k.officesUnsent(ctx, a, m, reached)
	if err != nil {
		return nil, err
	}
	others, _, err := k.authoritiesUnsent(ctx, m)
	return append(out, others...), err
}

func (k *Desk) officesUnsent(ctx context.Context, a caseforms.Actor, m *matter, reached []Reached) (out []Unsent, err error) {
	roles := m.defs.RolesFor(m.doc.Form, m.doc.Copy, a)
	if len(roles) == 0 || len(roles) == 1 && roles[0].Authority && len(reached) > 0 { // one office gets it: by day or out of hours, in the directory or not
		return nil, nil
	}
	all, err := k.store.Recipients(ctx)
	if err != nil {
		return nil, err
	}
	x := &sending{k: k, a: a, m: m, v: m.doc.Latest(), doc: &caseforms.Document{}, s: &Send{}}
	if slices.ContainsFunc(roles, func(r *caseforms.RecipientRole) bool { return r.Authority }) {
		if x.doc.For, err = k.forWhom(ctx, m, x.v); err != nil {
			return nil, err
		}
	}
	had := func(r store.Recipient) bool {
		return slices.ContainsFunc(reached, func(h Reached) bool { return h.Office == r.ID || strings.EqualFold(h.To, r.Organisation) })
	}
	rules, err := x.byRule(all)
	if err != nil {
		return nil, err
	}
	for _, rule := range rules {
		if slices.ContainsFunc(reached, func(h Reached) bool { return h.Role == rule.role.Role }) {
			continue // an office that is not in the directory
		}
		if rule.missing != "" { // nobody can be told by name
			if !slices.ContainsFunc(all, func(r store.Recipient) bool { return r.Role == rule.role.Role && had(r) }) && (len(roles) > 1 || len(reached) == 0) {
				out = append(out, Unsent{Who: rule.role.Label.In(m.defs.Lang)})
			}
			continue
		}
		for _, r := range rule.offices {
			if !had(r) {
				out = append(out, Unsent{Who: r.Organisation})
			}
		}
	}
	return out, nil
}

// addressees are the names of those that a form can be made for by the record of a version, and the one that this version was made for.
func (k *Desk) addressees(ctx context.Context, defs *caseforms.Definitions, f *caseforms.Form, v *store.Version) (names []string, this string, err error) {
	record, err := k.store.RecordOf(ctx, v)
	if err != nil {
		return nil, "", err
	}
	ed, err := defs.Edit(record)
	if err != nil {
		return nil, "", err
	}
	wanted, err := k.addresseeOf(ctx, v)
	if err != nil {
		return nil, "", err
	}
	for i := range ed.Items(f.Addressee.List) {
		at := f.Addressee.List + "[" + strconv.Itoa(i) + "]." + f.Addressee.By
		name := strings.TrimSpace(ed.Get(at).Text())
		if this == "" && (wanted == "" || wanted == strconv.Itoa(i+1) || strings.EqualFold(name, strings.TrimSpace(wanted))) {
			this = name
		}
		if name != "" && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			names = append(names, name)
		}
	}
	return names, this, nil
}

// authoritiesUnsent are the other authorities, or agencies, concerned to whom nothing went yet. alone tells that there are none at all.
func (k *Desk) authoritiesUnsent(ctx context.Context, m *matter) (out []Unsent, alone bool, err error) {
	f, err := m.defs.Form(m.doc.Form)
	if err != nil || f.Addressee == nil {
		return nil, true, nil // it is for nobody in particular, or the area has the form no longer
	}
	names, this, err := k.addressees(ctx, m.defs, f, m.doc.Latest())
	if err != nil || len(names) < 2 {
		return nil, true, err
	}
	type other struct {
		ref  caseforms.Ref
		went bool
	}
	made := map[string]other{} // the documents for the others, by name
	refs, err := k.store.DocumentsOf(ctx, m.doc.Case)
	if err != nil {
		return nil, false, err
	}
	for _, ref := range refs {
		d, err := k.store.Document(ctx, ref)
		if err != nil {
			return nil, false, err
		}
		if ref == m.doc.Ref || d.Form != m.doc.Form || d.Copy != m.doc.Copy || !d.Latest().Erased.IsZero() {
			continue
		}
		_, whom, err := k.addressees(ctx, m.defs, f, d.Latest())
		if err != nil {
			return nil, false, err
		}
		sends, err := k.store.Sends(ctx, ref)
		if err != nil {
			return nil, false, err
		}
		theirs := &matter{doc: d}
		if theirs.hands, err = k.store.HandOffs(ctx, ref); err != nil {
			return nil, false, err
		}
		reached, err := k.reachedBy(ctx, theirs, sends)
		if err != nil {
			return nil, false, err
		}
		if key := strings.ToLower(whom); !made[key].went {
			made[key] = other{ref, len(reached) > 0}
		}
	}
	for _, name := range names {
		if o := made[strings.ToLower(name)]; !strings.EqualFold(name, this) && !o.went {
			out = append(out, Unsent{Who: name, Authority: true, Ref: o.ref})
		}
	}
	return out, false, nil
}
