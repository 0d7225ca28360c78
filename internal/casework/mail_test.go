package casework

import (
	"strings"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/postoffice"
	"caseforms/internal/store"
	"caseforms/render"
)

// posted is an office with a relay, to which council.example may be written.
func posted(t *testing.T) (*office, *postoffice.Memory) {
	o := newOffice(t)
	m, at := memoryPost(t)
	post, _ := at.post()
	o.Mail(post)
	o.must(o.SetPolicy(o.ctx, o.as("boss"), store.Policy{Pattern: "council.example", Means: "tls", Demonstrated: o.today(), How: "a test", Why: "a test"}))
	return o, m
}

// mails issues a referral and puts it into the outbox in one act.
func (o *office) mails(name, to string) *Issued {
	o.t.Helper()
	return o.record("petra", Record{Form: "cp1", Case: sample(o.t, name), Outputs: []Output{{Format: render.FormatText}}, Mail: &Send{To: []string{to}, Confirm: "a test", Without: "a test"}})
}

func (o *office) carryAll() {
	o.t.Helper()
	c, err := o.Courier()
	o.must(err)
	defer c.Close()
	_, err = o.Deliver(o.ctx, c, 3)
	o.must(err)
}

// due tells which rules are due of a document on somebody's list.
func (o *office) dueOn(login string, ref caseforms.Ref, told bool) string {
	o.t.Helper()
	list, err := o.Due(o.ctx, o.as(login), DueFilter{Told: told})
	o.must(err)
	var out []string
	for _, d := range list {
		if d.Ref == ref {
			out = append(out, d.Rule)
		}
	}
	return strings.Join(out, " ")
}

// What waits in the outbox because nothing sends is seen, what cannot wait sooner, and no more when it has left.
func TestWhatWaitsIsSeen(t *testing.T) {
	t.Parallel()
	o, m := posted(t)
	urgent, other := o.mails("03-urgent", "desk@council.example"), o.mails("01-simple", "duty@council.example")
	look := func(wantUrgent, wantOther string) {
		t.Helper()
		for ref, want := range map[caseforms.Ref]string{urgent.Ref: wantUrgent, other.Ref: wantOther} {
			if got := o.dueOn("petra", ref, false); got != want {
				t.Errorf("due of %s at %s: %q, want %q", ref, o.clock.Format("15:04"), got, want)
			}
		}
	}
	look("", "")
	o.clock = o.clock.Add(20 * time.Minute)
	look("M03 M01", "")
	if got := o.dueOn("mary", urgent.Ref, true); got != "M03 M01" {
		t.Errorf("the manager sees %q", got)
	}
	o.clock = o.clock.Add(4 * time.Hour)
	look("M03 M01", "M02")
	out, _, err := o.Outbox(o.ctx, o.as("petra"))
	o.must(err)
	if len(out) != 2 || !out[0].Urgent || out[0].Standing != Delayed || !strings.Contains(out[0].Do, "outbox run is running") {
		t.Errorf("the outbox has %+v", out)
	}
	o.carryAll()
	if n := len(m.All()); n != 2 {
		t.Errorf("%d arrived", n)
	}
	for _, ref := range []caseforms.Ref{urgent.Ref, other.Ref} {
		if got := o.dueOn("petra", ref, false); strings.Contains(got, "M0") {
			t.Errorf("due of %s after it left: %q", ref, got)
		}
	}
	o.intact()
}

// A document that goes to two offices and reaches one is still to be delivered to the other.
func TestOneOfTwoIsMissing(t *testing.T) {
	t.Parallel()
	o, _ := posted(t)
	i := o.mails("01-simple", "refuse@council.example")
	_, _, err := o.Send(o.ctx, o.as("petra"), Send{Ref: i.Ref, To: []string{"somebody@nowhere.example"}, Confirm: "x", Without: "x"})
	o.must(err) // held: there is no policy
	o.carryAll()
	if got := o.dueOn("petra", i.Ref, false); got != "M02 M02" {
		t.Errorf("due: %q", got)
	}
	// Handed over to the one: the other is still without it.
	_, err = o.HandOver(o.ctx, o.as("petra"), HandOver{Ref: i.Ref, Channel: ByHand, To: "council.example"})
	o.must(err)
	if got := o.dueOn("petra", i.Ref, false); !strings.Contains(got, "M02") || strings.Contains(got, "M02 M02") {
		t.Errorf("due after one has it: %q", got)
	}
	_, err = o.HandOver(o.ctx, o.as("petra"), HandOver{Ref: i.Ref, Channel: ByPost, To: "nowhere.example"})
	o.must(err)
	if got := o.dueOn("petra", i.Ref, false); strings.Contains(got, "M02") {
		t.Errorf("due when both have it: %q", got)
	}
	o.intact()
}

// A row of a batch is issued and sent once, however often and by however many it is done.
func TestRowIsIssuedOnce(t *testing.T) {
	t.Parallel()
	o, m := posted(t)
	r := Record{Form: "cp1", Case: sample(t, "01-simple"), Outputs: []Output{{Format: render.FormatText}}, Row: "a row", Mail: &Send{To: []string{"desk@council.example"}, Confirm: "a test", Without: "a test"}}
	type one struct {
		out *Issued
		err error
	}
	all := make(chan one, 6)
	for range cap(all) {
		go func() {
			out, _, err := o.Record(o.ctx, o.as("petra"), r)
			all <- one{out, err}
		}()
	}
	first := (<-all)
	o.must(first.err)
	before := 0
	for range cap(all) - 1 {
		x := <-all
		o.must(x.err)
		if x.out.Ref != first.out.Ref || string(x.out.Files[0].Data) != string(first.out.Files[0].Data) || len(x.out.Sent) != 1 {
			t.Errorf("another was issued: %s and %s", x.out.Ref, first.out.Ref)
		}
		if x.out.Before {
			before++
		}
	}
	if !first.out.Before && before != cap(all)-1 {
		t.Errorf("%d were issued before", before)
	}
	o.carryAll()
	if n := len(m.All()); n != 1 {
		t.Errorf("%d arrived", n)
	}
	r.Row = "another row"
	out, _, err := o.Record(o.ctx, o.as("petra"), r)
	o.must(err)
	if out.Ref == first.out.Ref {
		t.Error("another row has the same document")
	}
	o.intact()
}

// What would come of a row is told without doing anything, and the row that is then done is that one. Done by another act than batch with a store, it is
// not done again.
func TestRowIsTriedFirst(t *testing.T) {
	t.Parallel()
	o, m := posted(t)
	defs, err := o.Definitions("")
	o.must(err)
	f, err := defs.Form("cp1")
	o.must(err)
	r := Row{Form: f, Copy: caseforms.CopyFull, Case: sample(t, "01-simple"), Format: render.FormatText, Mail: &Send{To: []string{"desk@council.example"}, Confirm: "a test", Without: "a test"}, Dry: true}
	events := func() (n int64) {
		for ; ; n++ {
			if _, err := o.store.Prove(o.ctx, n); err != nil {
				return n
			}
		}
	}
	before := events()
	out, _, err := o.RecordRow(o.ctx, o.as("petra"), r)
	o.must(err)
	if out.Before || !out.NewCase || len(out.Sent) != 1 || out.Sent[0].Standing != Queued {
		t.Errorf("%s before %t, new case %t, sent %d", out.Ref, out.Before, out.NewCase, len(out.Sent))
	}
	if after := events(); after != before {
		t.Errorf("trying it did something: %d events, %d before", after, before)
	}
	if _, _, err := o.RecordRow(o.ctx, o.as("aud"), r); err == nil {
		t.Error("an auditor may issue rows")
	}
	r.Dry, r.Mail = false, nil
	first, _, err := o.RecordRow(o.ctx, o.as("petra"), r)
	o.must(err)
	r.Mail = &Send{To: []string{"desk@council.example"}, Confirm: "a test", Without: "a test"} // it was recorded and not sent
	r.Dry = true
	out, _, err = o.RecordRow(o.ctx, o.as("petra"), r)
	o.must(err)
	if !out.Before || out.Ref != first.Ref || len(out.Sent) != 1 {
		t.Errorf("%s before %t, new case %t, sent %d", out.Ref, out.Before, out.NewCase, len(out.Sent))
	}
	r.Dry = false
	for range 2 {
		out, _, err = o.RecordRow(o.ctx, o.as("petra"), r)
		o.must(err)
		if out.Ref != first.Ref || len(out.Sent) != 1 || out.File(render.FormatText) == nil {
			t.Errorf("%s before %t, new case %t, sent %d", out.Ref, out.Before, out.NewCase, len(out.Sent))
		}
	}
	o.carryAll()
	if n := len(m.All()); n != 1 {
		t.Errorf("%d arrived", n)
	}
	o.intact()
}
