package casework

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"caseforms"
)

// Of another copy the warnings are asked for that the document did not have; what was said of those it had holds.
func TestOtherCopyReasons(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	petra := o.as("petra")
	_, _, err := o.Record(o.ctx, petra, Record{Form: "conference", Case: guessable(t)})
	var u *Unexplained
	var given []caseforms.Reason
	if errors.As(err, &u) {
		for _, p := range u.Problems {
			given = append(given, caseforms.Reason{Key: p.Key, Why: "said of the document"})
		}
	}
	full, _, err := o.Record(o.ctx, petra, Record{Form: "conference", Case: guessable(t), Reasons: given})
	o.must(err)
	_, _, err = o.IssueCopy(o.ctx, petra, full.Ref, caseforms.CopyDisclosable, 1, nil)
	if !errors.As(err, &u) || len(u.Problems) == 0 || slices.ContainsFunc(u.Problems, func(p caseforms.Problem) bool { return p.Key != guessableKey }) {
		t.Fatalf("got %v: %v", err, u)
	}
	out, _, err := o.IssueCopy(o.ctx, petra, full.Ref, caseforms.CopyDisclosable, 1, []caseforms.Reason{{Key: guessableKey, Why: "She agreed to it"}})
	o.must(err)
	tl, err := o.Show(o.ctx, petra, out.Ref)
	o.must(err)
	if !slices.ContainsFunc(tl.Versions[0].Reasons, func(r caseforms.Reason) bool { return r.Key == guessableKey && r.Why == "She agreed to it" }) {
		t.Errorf("%+v", tl.Versions[0].Reasons)
	}
	o.intact()
}

// However often and at once a copy is asked for, there is one document of it; and none of a case that says something else by then.
func TestOtherCopyOnce(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	petra := o.as("petra")
	full := o.record("petra", Record{Form: "conference", Case: sample(t, "08-conference-confidential")})
	c, err := o.OtherCopy(o.ctx, petra, full.Ref, caseforms.CopyDisclosable)
	o.must(err)
	var given []caseforms.Reason
	for _, p := range c.Problems {
		if p.WantsReason() {
			given = append(given, caseforms.Reason{Key: p.Key, Why: "a test"})
		}
	}
	refs := make([]caseforms.Ref, 4)
	var all sync.WaitGroup
	for i := range refs {
		all.Go(func() {
			out, _, err := o.IssueCopy(o.ctx, petra, full.Ref, caseforms.CopyDisclosable, 1, given)
			if err == nil {
				refs[i] = out.Ref
			} else if !strings.Contains(err.Error(), "issued already") {
				t.Error(err)
			}
		})
	}
	all.Wait()
	docs, err := o.store.DocumentsOf(o.ctx, full.Case)
	o.must(err)
	if len(docs) != 2 {
		t.Errorf("there are %d documents: %v", len(docs), refs)
	}
	// Between the look and the act somebody else issued of the case.
	o.record("petra", Record{Form: "conference", Case: with(t, sample(t, "08-conference-confidential"), "A new name", "practitioner", "name"), CaseID: full.Case})
	now, err := o.store.FindCase(o.ctx, full.Case)
	o.must(err)
	_, _, err = o.Record(o.ctx, petra, Record{Form: "conference", Case: c.Record, CaseID: full.Case, Copy: caseforms.CopyAnnex, copied: true, Unasked: true})
	refused(t, err, caseforms.Conflict, "the case has changed")
	if after, err := o.store.FindCase(o.ctx, full.Case); err != nil || after.Version != now.Version {
		t.Errorf("the case went back to what it said before: %v", err)
	}
	o.intact()
}
