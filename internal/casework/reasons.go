package casework

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"caseforms"
	"caseforms/internal/store"
)

// detailReasons is where the ledger has the reasons for which a document was issued although warnings stood: beside the act that issued it.
const detailReasons = "reasons"

// Unexplained says that warnings stand of which nobody said why the form is to be issued all the same.
type Unexplained struct{ Problems []caseforms.Problem }

func (e *Unexplained) Error() string {
	return "warnings stand, and it is not said why the form is issued all the same; nothing was recorded"
}

// reasonsOf are those that were given in a draft, and after them those with which the document was issued that it makes a new version of.
func (k *Desk) reasonsOf(ctx context.Context, d *store.Draft) (out []caseforms.Reason, err error) {
	b, err := k.store.Reasons(ctx, d)
	if err != nil {
		return nil, err
	}
	if b != nil && json.Unmarshal(b, &out) != nil {
		return nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "the reasons given in draft " + string(d.ID) + " are damaged"}
	}
	of, err := k.begun(ctx, d)
	if of == nil || err != nil {
		return out, err
	}
	doc, err := k.store.Document(ctx, of.Ref)
	if err != nil || of.Issue < 1 || of.Issue > len(doc.Versions) {
		return out, err
	}
	said, err := k.reasonsIn(ctx, &doc.Versions[of.Issue-1])
	return append(out, said...), err
}

// reasonsIn are those with which a version was issued.
func (k *Desk) reasonsIn(ctx context.Context, v *store.Version) ([]caseforms.Reason, error) {
	rec, err := k.store.Prove(ctx, v.Entry)
	if err != nil {
		return nil, err
	}
	return readReasons(rec.Detail), nil
}

func (k *Desk) withReasons(ctx context.Context, d *Draft) (_ *Draft, err error) {
	if d.Reasons, err = k.reasonsOf(ctx, &d.Draft); err != nil {
		return nil, err
	}
	return d, nil
}

// GiveReasons says of warnings of a draft why they are let stand: those of the copy that it makes, and of whoever it is for among several. What was
// said before and is about the same answers stays. The version of the draft stays what it is.
func (k *Desk) GiveReasons(ctx context.Context, a caseforms.Actor, id caseforms.DraftID, to string, given []caseforms.Reason) error {
	for try := 0; ; try++ {
		d, content, err := k.draft(ctx, a, id, "give reasons in this draft")
		if err != nil {
			return err
		}
		defs, err := k.load(d.Area)
		if err != nil {
			return err
		}
		f, err := defs.Form(d.Form)
		if err != nil {
			return err
		}
		c, ps := defs.Decode(content, f)
		if c == nil {
			return &Refused{ps}
		}
		o := caseforms.FillOptions{Today: k.today(), For: to}
		b, err := k.Begun(ctx, a, &Draft{Draft: *d})
		if err != nil {
			return err
		}
		if b != nil { // as it will be issued
			o.Copy = b.Copy
			if o.For == "" && b.For != "" {
				if o.For, err = b.amongSeveral(defs, f, content); err != nil {
					return err
				}
			}
		}
		ps, err = defs.Check(f, c, o)
		if err != nil && to == "" && o.For != "" { // whom it was made for is not among them any more, and whom it is for is said later
			o.For = ""
			ps, err = defs.Check(f, c, o)
		}
		if err != nil {
			return err
		}
		had, err := k.reasonsOf(ctx, d)
		if err != nil {
			return err
		}
		all, _, err := caseforms.Reasons(content, ps, defs.Urgent(f, c), had, given)
		if err != nil {
			return err
		}
		of := map[string]bool{}
		for _, r := range all {
			of[r.Of] = true
		}
		for _, h := range had { // of a warning that does not stand now, or is another addressee's
			if !of[h.Of] {
				all = append(all, h)
			}
		}
		all = slices.DeleteFunc(all, func(r caseforms.Reason) bool { return r.Why == "" })
		if slices.Equal(all, had) {
			return nil
		}
		said, err := json.Marshal(all)
		if err != nil {
			return err
		}
		e := store.Entry{Acts: []store.Act{store.Alteration}, What: "reasons given in a draft", Actor: a.ID, Case: d.Case, Detail: map[string]string{"draft": string(id)}}
		if err = k.store.SaveReasons(ctx, d, said, e); err == nil || !errors.Is(err, store.ErrChanged) || try == 5 {
			return again(err)
		}
	}
}

// reasons are those with which a form goes into the record, as the ledger has them. When one is missing, the error is [Unexplained].
func (k *Desk) reasons(ctx context.Context, r *Record, urgent bool, ps []caseforms.Problem, had []caseforms.Reason) (string, error) {
	if r.Again != "" { // what was said of the issue before, where the answers are the same
		doc, err := k.store.Document(ctx, r.Again)
		if err != nil {
			return "", err
		}
		said, err := k.reasonsIn(ctx, doc.Latest())
		if err != nil {
			return "", err
		}
		had = append(had, said...)
	}
	all, missing, err := caseforms.Reasons(r.Case, ps, urgent, had, r.Reasons)
	switch {
	case err != nil:
		return "", err
	case len(missing) > 0 && !r.Unasked:
		return "", &Unexplained{missing}
	case len(all) == 0:
		return "", nil
	}
	b, err := json.Marshal(all)
	return string(b), err
}

// readReasons reads what the ledger has; nil when there are none, or they were erased.
func readReasons(detail map[string]string) (out []caseforms.Reason) {
	if json.Unmarshal([]byte(detail[detailReasons]), &out) != nil {
		return nil
	}
	return out
}

// ReasonWords are reasons in words, a line for each; the warnings that have the same one stand on one.
func ReasonWords(all []caseforms.Reason) string {
	var lines []string
	for i, r := range all {
		if slices.ContainsFunc(all[:i], func(b caseforms.Reason) bool { return b.Why == r.Why }) {
			continue
		}
		var says []string
		for _, b := range all[i:] {
			if b.Why == r.Why {
				says = append(says, b.Says)
			}
		}
		why := "reason: " + r.Why
		if r.Why == "" {
			why = "urgent, issued without a reason"
		}
		lines = append(lines, strings.Join(says, "; ")+" – "+why)
	}
	return strings.Join(lines, "\n")
}
