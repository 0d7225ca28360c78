package casework

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"caseforms"
)

// earlyPP1 is a PP1 of which one warning wants a reason, and where it is.
const earlyPP1, earlyKey = "01-simple", "sentence.release_date"

// A form with warnings is issued with the reasons why; they go with it into the record, and hold for the next issue while the answer is the same.
func TestReasons(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	petra := o.as("petra")
	why := []caseforms.Reason{{Key: earlyKey, Why: " Moved here a week ago "}}
	unexplained := func(err error, keys ...string) {
		t.Helper()
		var u *Unexplained
		if !errors.As(err, &u) {
			t.Fatalf("got %v", err)
		}
		var got []string
		for _, p := range u.Problems {
			got = append(got, p.Key)
		}
		if !slices.Equal(got, keys) {
			t.Errorf("wanted are %q", got)
		}
	}
	_, _, err := o.Record(o.ctx, petra, Record{Form: "pp1", Case: sample(t, earlyPP1)})
	unexplained(err, earlyKey)
	for _, r := range []caseforms.Reason{{Key: "person.dob", Why: "another"}, {Why: "all that is not answered"}, {Key: earlyKey, Why: " "}} {
		_, _, err = o.Record(o.ctx, petra, Record{Form: "pp1", Case: sample(t, earlyPP1), Reasons: []caseforms.Reason{r}})
		unexplained(err, earlyKey)
	}
	_, _, err = o.Record(o.ctx, petra, Record{Form: "pp1", Case: sample(t, earlyPP1), Reasons: []caseforms.Reason{{Key: earlyKey, Why: strings.Repeat("x", caseforms.MaxReason+1)}}})
	refused(t, err, caseforms.Invalid, "at most")
	if n := len(all(o)); n != 0 {
		t.Fatalf("%d were issued", n)
	}
	out, _, err := o.Record(o.ctx, petra, Record{Form: "pp1", Case: sample(t, earlyPP1), Reasons: why})
	o.must(err)
	shown := func(login string) *Timeline {
		t.Helper()
		tl, err := o.Show(o.ctx, o.as(login), out.Ref)
		o.must(err)
		return tl
	}
	tl := shown("petra")
	r := tl.Versions[0].Reasons
	if len(r) != 1 || r[0].Key != earlyKey || r[0].Why != "Moved here a week ago" || !strings.Contains(r[0].Says, "is nearer than the notice wanted") {
		t.Fatalf("%+v", r)
	}
	if e := tl.Events[slices.IndexFunc(tl.Events, func(e Event) bool { return e.What == "document issued" })]; !strings.Contains(e.Detail["reasons"], "is nearer than the notice wanted, six months") || !strings.Contains(e.Detail["reasons"], "reason: Moved here a week ago") {
		t.Error(e.Detail)
	}
	if a := shown("aud"); a.Versions[0].Reasons != nil || a.Events[0].Detail != nil {
		t.Error("an auditor reads reasons")
	}
	// The next issue has the reason while the answer is what it was.
	_, _, err = o.Record(o.ctx, petra, Record{Form: "pp1", Case: sample(t, earlyPP1), Again: out.Ref, Why: "x"})
	o.must(err)
	if r := shown("petra").Versions[1].Reasons; len(r) != 1 || r[0].Why != "Moved here a week ago" {
		t.Errorf("%+v", r)
	}
	sooner := with(t, sample(t, earlyPP1), "2026-12-20", "sentence", "release_date")
	_, _, err = o.Record(o.ctx, petra, Record{Form: "pp1", Case: sooner, Again: out.Ref, Why: "x"})
	unexplained(err, earlyKey)
	// What only informs wants none.
	_, ps, err := o.Record(o.ctx, petra, Record{Form: "check", Case: sample(t, "04-many-children")})
	o.must(err)
	if len(ps) == 0 {
		t.Error("there is no warning that only informs")
	}
	// Of a batch nobody is asked.
	_, _, err = o.Record(o.ctx, petra, Record{Form: "pp1", Case: sample(t, earlyPP1), Unasked: true})
	o.must(err)
	o.intact()
}

func all(o *office) []caseforms.Ref {
	found, _, err := o.Find(o.ctx, o.as("petra"), "Sampleson")
	var ours *caseforms.Error
	if errors.As(err, &ours) && ours.Kind == caseforms.NotFound {
		return nil
	}
	o.must(err)
	var out []caseforms.Ref
	for _, f := range found {
		out = append(out, f.Documents...)
	}
	return out
}

// An urgent referral is never held up for want of a reason. One line does for all of its warnings; without, the record says so.
func TestReasonsUrgent(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for _, given := range [][]caseforms.Reason{nil, {{Why: "The mother rang; nothing more is known"}}} {
		out, _, err := o.Record(o.ctx, o.as("petra"), Record{Form: "cp1", Case: sample(t, "03-urgent"), Reasons: given})
		o.must(err)
		tl, err := o.Show(o.ctx, o.as("petra"), out.Ref)
		o.must(err)
		rs := tl.Versions[0].Reasons
		if len(rs) < 50 {
			t.Fatalf("%d reasons", len(rs))
		}
		want, words := "", "urgent, issued without a reason"
		if given != nil {
			want, words = given[0].Why, "reason: "+given[0].Why
		}
		for _, r := range rs {
			if r.Why != want {
				t.Errorf("%+v", r)
			}
		}
		if d := tl.Events[slices.IndexFunc(tl.Events, func(e Event) bool { return e.What == "document issued" })].Detail["reasons"]; strings.Count(d, words) != 1 {
			t.Error(d)
		}
	}
}

// Reasons are kept with a draft, whose version stays; they are asked again only when the answer changes, are not taken as said of another
// child, and go with the issue.
func TestReasonsOfDraft(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	petra := o.as("petra")
	save := func(d *Draft, content []byte) *Draft {
		t.Helper()
		q := SaveDraft{Form: "pp1", Content: content}
		if d != nil {
			q.ID, q.Base = d.ID, d.Version
		}
		d, err := o.SaveDraft(o.ctx, petra, q)
		o.must(err)
		return d
	}
	missing := func(d *Draft) (keys []string) {
		t.Helper()
		defs, err := o.Definitions("")
		o.must(err)
		f, err := defs.Form(d.Form)
		o.must(err)
		c, _ := defs.Decode(d.Content, f)
		ps, err := defs.Check(f, c, caseforms.FillOptions{Today: o.today()})
		o.must(err)
		_, ms, err := caseforms.Reasons(d.Content, ps, false, d.Reasons, nil)
		o.must(err)
		for _, p := range ms {
			keys = append(keys, p.Key)
		}
		return keys
	}
	d := save(nil, sample(t, earlyPP1))
	if m := missing(d); !slices.Equal(m, []string{earlyKey}) {
		t.Fatal(m)
	}
	o.must(o.GiveReasons(o.ctx, petra, d.ID, "", []caseforms.Reason{{Key: earlyKey, Why: "Moved here"}, {Key: "nothing", Why: "of nothing"}}))
	read := func() *Draft {
		t.Helper()
		now, err := o.Draft(o.ctx, petra, d.ID)
		o.must(err)
		return now
	}
	now := read()
	if len(now.Reasons) != 1 || now.Version != d.Version || missing(now) != nil {
		t.Fatalf("%+v", now)
	}
	// Another answer changes: the reason stays, also when it is saved by somebody else.
	d = save(now, with(t, sample(t, earlyPP1), "A new name", "practitioner", "name"))
	if missing(read()) != nil {
		t.Error("it is asked again although its answer is the same")
	}
	d = save(read(), with(t, sample(t, earlyPP1), "2026-12-20", "sentence", "release_date"))
	if m := missing(read()); !slices.Equal(m, []string{earlyKey}) {
		t.Error(m)
	}
	d = save(read(), sample(t, earlyPP1)) // and back
	if missing(read()) != nil {
		t.Error("the reason is gone")
	}
	stranger := o.as("aud")
	refused(t, o.GiveReasons(o.ctx, stranger, d.ID, "", nil), caseforms.Forbidden, "you may not give reasons")
	o.intact()
	out, _, err := o.Record(o.ctx, petra, Record{Draft: d.ID, Base: d.Version})
	o.must(err)
	tl, err := o.Show(o.ctx, petra, out.Ref)
	o.must(err)
	if r := tl.Versions[0].Reasons; len(r) != 1 || r[0].Why != "Moved here" {
		t.Errorf("%+v", r)
	}
	o.intact()

	// A child is removed: what was said of it is not said of the one that stands in its place.
	kids := func(names ...string) []byte {
		var l []any
		for _, n := range names {
			l = append(l, map[string]any{"name": n, "dob": "31/31/2020"})
		}
		return with(t, sample(t, "01-simple"), l, "children")
	}
	q, err := o.SaveDraft(o.ctx, petra, SaveDraft{Form: "cp1", Content: kids("Ann", "Ben", "Cai")})
	o.must(err)
	d = q
	before := len(missing(q))
	if before < 3 {
		t.Fatalf("there are %d warnings", before)
	}
	o.must(o.GiveReasons(o.ctx, petra, d.ID, "", []caseforms.Reason{{Key: "children[1].dob", Why: "As Ben's school has it"}}))
	if m := missing(read()); len(m) != before-1 || slices.Contains(m, "children[1].dob") {
		t.Error(m)
	}
	d, err = o.SaveDraft(o.ctx, petra, SaveDraft{ID: d.ID, Base: d.Version, Content: kids("Ben", "Cai")})
	o.must(err)
	if m := missing(read()); slices.Contains(m, "children[0].dob") || !slices.Contains(m, "children[1].dob") {
		t.Errorf("the reason went to another child: %q", m)
	}
	other := strings.Replace(string(kids("Ben", "Cai")), "31/31/2020", "32/31/2020", 1)
	d, err = o.SaveDraft(o.ctx, petra, SaveDraft{ID: d.ID, Base: d.Version, Content: []byte(other)})
	o.must(err)
	if m := missing(read()); !slices.Contains(m, "children[0].dob") {
		t.Errorf("another date is not asked of: %q", m)
	}
	o.must(o.DropDraft(o.ctx, petra, d.ID, d.Version))
	o.intact()
}

// What is to be known before anything else is told whatever became of the area that the case was begun in, and whatever its forms ask.
func TestAlertsOfAnyArea(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	out := o.record("petra", Record{Form: "pp1", Case: sample(t, "07-level-3")})
	c, err := o.store.FindCase(o.ctx, out.Case)
	o.must(err)
	want, err := o.alerts(o.ctx, c)
	if o.must(err); len(want) < 2 || slices.Contains(want, AlertsUnread) {
		t.Fatalf("the alerts are %q", want)
	}
	c.Area = "gone"
	if got, err := o.alerts(o.ctx, c); err != nil || !slices.Equal(got, want) {
		t.Errorf("of an area that is gone they are %q, %v", got, err)
	}
}
