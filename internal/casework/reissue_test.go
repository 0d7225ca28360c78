package casework

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/mail"
	"caseforms/render"
)

// What a server reported not to have arrived did not reach anybody.
func TestReachedNotWhenItCameBack(t *testing.T) {
	t.Parallel()
	o, _ := posted(t)
	d := o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple"), Outputs: []Output{{Format: render.FormatText}}})
	_, err := o.HandOver(o.ctx, o.as("petra"), HandOver{Ref: d.Ref, Channel: ByHand, To: "Northtown MASH"})
	o.must(err)
	m, err := o.known(o.ctx, d.Ref)
	o.must(err)
	if got, err := o.reachedBy(o.ctx, m, nil); err != nil || len(got) != 1 || got[0].Issue != 1 || got[0].To != "Northtown MASH" {
		t.Errorf("it reached %v: %v", got, err)
	}
	n := store.Send{Ref: d.Ref, Version: 1, State: store.SendQueued, HandOff: m.hands[0].ID, Reported: string(mail.ActionFailed)}
	if got, err := o.reachedBy(o.ctx, m, []store.Send{n}); err != nil || len(got) != 0 {
		t.Errorf("it reached %v although it came back: %v", got, err)
	}
}

// A new version that was begun as a draft is the next issue of its document: in the same copy, for the same authority, also when the order of the
// authorities has changed, and for the one there is when its name is what was corrected.
func TestReissue(t *testing.T) {
	t.Parallel()
	o, _ := posted(t)
	text := []Output{{Format: render.FormatText}}
	first := o.record("petra", Record{Form: "cp1", Case: sample(t, "04-many-children"), For: "Southtown Council", Outputs: text})
	again := func(ref caseforms.Ref, change func([]byte) []byte) *Issued {
		t.Helper()
		d, err := o.Reissue(o.ctx, o.as("petra"), Reissue{Ref: ref, Why: "a test"})
		o.must(err)
		if content := change(d.Content); string(content) != string(d.Content) {
			d, err = o.SaveDraft(o.ctx, o.as("petra"), SaveDraft{ID: d.ID, Base: d.Version, Content: content})
			o.must(err)
		}
		out, _, err := o.Record(o.ctx, o.as("petra"), Record{Draft: d.ID, Base: d.Version, Outputs: text, Unasked: true})
		o.must(err)
		return out
	}
	if _, err := o.Reissue(o.ctx, o.as("petra"), Reissue{Ref: first.Ref, Why: " "}); err == nil {
		t.Error("a new version was begun without a reason")
	}
	if same := again(first.Ref, func(b []byte) []byte { return b }); same.Version != 2 || same.Document.For != "Southtown Council" {
		t.Errorf("it is issue %d for %q", same.Version, same.Document.For)
	}
	swapped := again(first.Ref, func(b []byte) []byte {
		s := strings.NewReplacer("Northtown Council", "Southtown Council", "Southtown Council", "Northtown Council").Replace(string(b))
		if s == string(b) {
			t.Fatal("nothing was changed")
		}
		return []byte(s)
	})
	if swapped.Ref != first.Ref || swapped.Version != 3 || swapped.Document.For != "Southtown Council" {
		t.Errorf("it is issue %d of %s for %q", swapped.Version, swapped.Ref, swapped.Document.For)
	}
	one := o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple"), Outputs: text})
	renamed := again(one.Ref, func(b []byte) []byte {
		return []byte(strings.ReplaceAll(string(b), "Northtown Council", "Northtown City Council"))
	})
	if renamed.Version != 2 || renamed.Document.For != "Northtown City Council" {
		t.Errorf("it is issue %d for %q", renamed.Version, renamed.Document.For)
	}
	shared := o.record("petra", Record{Form: "conference", Case: sample(t, "08-conference-confidential"), Copy: caseforms.CopyDisclosable, Outputs: text})
	if next := again(shared.Ref, func(b []byte) []byte { return b }); next.Version != 2 || next.Document.Copy != shared.Document.Copy {
		t.Errorf("it is issue %d in the copy %q", next.Version, next.Document.Copy)
	}
	// A draft of a new version makes no version of anything else.
	d, err := o.Reissue(o.ctx, o.as("petra"), Reissue{Ref: one.Ref, Why: "a test"})
	o.must(err)
	if _, _, err := o.Record(o.ctx, o.as("petra"), Record{Draft: d.ID, Base: d.Version, Again: first.Ref, Why: "x"}); err == nil || !strings.Contains(err.Error(), "not of") {
		t.Errorf("it became a version of another document: %v", err)
	}
	if _, err := o.Reissue(o.ctx, o.as("boss"), Reissue{Ref: one.Ref, Why: "a test"}); err == nil {
		t.Error("a second new version was begun")
	}
	// What somebody else issued meanwhile has to have been seen.
	o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple"), Again: one.Ref, Why: "a test", Outputs: text})
	if _, _, err := o.Record(o.ctx, o.as("petra"), Record{Draft: d.ID, Base: d.Version, Outputs: text, Unasked: true}); err == nil || !strings.Contains(err.Error(), "yours was not recorded") {
		t.Errorf("it took the place of an issue that nobody saw: %v", err)
	}
	out, _, err := o.Record(o.ctx, o.as("petra"), Record{Draft: d.ID, Base: d.Version, Seen: 3, Outputs: text})
	o.must(err)
	if out.Version != 4 {
		t.Errorf("it is issue %d", out.Version)
	}
	o.intact()
}

// guessable is a conference report of which the copy that is shared lets it be guessed who spoke: no other copy has that warning.
func guessable(t testing.TB) []byte {
	t.Helper()
	s := string(sample(t, "08-conference-confidential"))
	return []byte(strings.Replace(s, `"case_records",`, `"case_records", "victim",`, 1))
}

const guessableKey = "forms.conference.sources"

// Of a new version of the shared copy the warnings of that copy are asked for, kept in the draft, and go with it into the record.
func TestReissueReasonsOfItsCopy(t *testing.T) {
	t.Parallel()
	o, _ := posted(t)
	petra := o.as("petra")
	shared := o.record("petra", Record{Form: "conference", Case: sample(t, "08-conference-confidential"), Copy: caseforms.CopyDisclosable})
	d, err := o.Reissue(o.ctx, petra, Reissue{Ref: shared.Ref, Why: "a test"})
	o.must(err)
	d, err = o.SaveDraft(o.ctx, petra, SaveDraft{ID: d.ID, Base: d.Version, Content: guessable(t)})
	o.must(err)
	_, _, err = o.Record(o.ctx, petra, Record{Draft: d.ID, Base: d.Version})
	var u *Unexplained
	if !errors.As(err, &u) || !slices.ContainsFunc(u.Problems, func(p caseforms.Problem) bool { return p.Key == guessableKey }) {
		t.Fatalf("got %v", err)
	}
	var given []caseforms.Reason
	for _, p := range u.Problems {
		given = append(given, caseforms.Reason{Key: p.Key, Why: "She agreed to it"})
	}
	o.must(o.GiveReasons(o.ctx, petra, d.ID, "", given))
	out, _, err := o.Record(o.ctx, petra, Record{Draft: d.ID, Base: d.Version})
	o.must(err)
	tl, err := o.Show(o.ctx, petra, out.Ref)
	o.must(err)
	if out.Version != 2 || !slices.ContainsFunc(tl.Versions[1].Reasons, func(r caseforms.Reason) bool { return r.Key == guessableKey && r.Why == "She agreed to it" }) {
		t.Errorf("issue %d: %+v", out.Version, tl.Versions[1].Reasons)
	}
	o.intact()
}

// The document for the second authority is made although the first was erased meanwhile.
func TestForAnotherWhenTheFirstIsErased(t *testing.T) {
	t.Parallel()
	o, _ := posted(t)
	petra := o.as("petra")
	first := o.record("petra", Record{Form: "cp1", Case: sample(t, "04-many-children"), For: "Northtown Council"})
	d, err := o.ForAnother(o.ctx, petra, first.Ref, "Southtown Council")
	o.must(err)
	o.must(o.Erase(o.ctx, o.as("boss"), "", first.Ref, "sent in error"))
	b, err := o.Begun(o.ctx, petra, d)
	o.must(err)
	if b == nil || !b.Another || b.Copy != caseforms.CopyFull {
		t.Errorf("%+v", b)
	}
	// For whom it is was erased with the first: it is not made for whoever stands first.
	_, _, err = o.Record(o.ctx, petra, Record{Draft: d.ID, Base: d.Version, Unasked: true})
	refused(t, err, caseforms.Invalid, "for whom")
	out, _, err := o.Record(o.ctx, petra, Record{Draft: d.ID, Base: d.Version, For: "Southtown Council", Unasked: true})
	o.must(err)
	if out.Ref == first.Ref || out.Document.For != "Southtown Council" {
		t.Errorf("it is %s for %q", out.Ref, out.Document.For)
	}
	o.intact()
}
