package casework

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/render"
)

// carrier does with a parcel what the test says.
type carrier func(p Parcel, leaving func() error) (string, error)

func (c carrier) Carry(_ context.Context, p Parcel, leaving func() error) (Carried, error) {
	said, err := c(p, leaving)
	return Carried{Said: said}, err
}

// then is a carrier that lets a parcel leave and ends so.
func then(said string, err error) carrier {
	return func(_ Parcel, leaving func() error) (string, error) {
		if err := leaving(); err != nil {
			return "", err
		}
		return said, err
	}
}

// sending is a document with one item to be delivered.
func (o *office) sending(name string) *Issued {
	o.t.Helper()
	return o.record("petra", Record{Form: "cp1", Case: sample(o.t, "01-simple"), Outputs: []Output{{Format: render.FormatText}}, Send: []store.NewItem{{Kind: "mail", Dedupe: name, Payload: []byte("to " + name)}}})
}

func (o *office) item(ref caseforms.Ref) *store.Item {
	o.t.Helper()
	items, err := o.store.Items(o.ctx, ref)
	o.must(err)
	if len(items) != 1 {
		o.t.Fatalf("%d items", len(items))
	}
	return &items[0]
}

// deliver has what is due delivered, and checks how many that were.
func (o *office) deliver(c Carrier, want int) {
	o.t.Helper()
	n, err := o.Deliver(o.ctx, c, 3)
	o.must(err)
	if n != want {
		o.t.Errorf("%d were taken up, not %d", n, want)
	}
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	broke := errors.New("the connection broke")
	for _, c := range []struct {
		name  string
		do    carrier
		state store.State
		said  string
		again bool // it is taken up again later
		acts  string

		mistake bool // of the carrier: Deliver fails
	}{
		{"it arrives", then("250 taken", nil), store.Sent, "250 taken", false, "sent", false},
		{"it fails before it leaves", func(Parcel, func() error) (string, error) { return "", broke }, store.Ready, "it could not be handed over", true, "", false},
		{"it is put off before it leaves", func(Parcel, func() error) (string, error) { return "", &NotDelivered{Said: "421 busy"} }, store.Ready, "421 busy", true, "", false},
		{"it is put off", then("", &NotDelivered{Said: "451 later"}), store.Ready, "451 later", true, "", false},
		{"it is refused for good", then("", &NotDelivered{Said: "550 no", Never: true}), store.Dead, "550 no", false, "send failed", false},
		{"it is refused for good before it leaves", func(Parcel, func() error) (string, error) { return "", &NotDelivered{Said: "550 no", Never: true} }, store.Dead, "550 no", false, "send failed", false},
		{"it breaks after it left", then("", broke), store.Uncertain, "the connection broke before the other side had answered", false, "send uncertain", false},
		{"the carrier never says that it leaves", func(Parcel, func() error) (string, error) { return "250 taken", nil }, store.Dead, "the carrier took it without saying that it leaves", false, "send failed", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			out := o.sending("x")
			n, err := o.Deliver(o.ctx, carrier(func(p Parcel, leaving func() error) (string, error) {
				if string(p.Payload) != "to x" || p.Ref != out.Ref || p.Version != 1 || p.Attempt != 1 {
					t.Errorf("%+v", p)
				}
				return c.do(p, leaving)
			}), 3)
			if n != 1 || (err != nil) != (c.mistake) {
				t.Errorf("%d were taken up, %v", n, err)
			}
			it := o.item(out.Ref)
			if it.State != c.state || it.Said != c.said {
				t.Errorf("it is %s, %q", it.State, it.Said)
			}
			acts := o.acts(out.Ref)
			if got := strings.Join(acts[1:], ", "); got != c.acts {
				t.Errorf("the ledger tells %q", acts)
			}
			never := carrier(func(Parcel, func() error) (string, error) { t.Error("it was carried again"); return "", nil })
			o.deliver(never, 0)
			o.clock = o.clock.Add(45 * time.Second)
			o.deliver(never, 0)
			o.clock = o.clock.Add(30 * time.Second)
			if c.again {
				o.deliver(then("250", nil), 1)
				if it := o.item(out.Ref); it.State != store.Sent {
					t.Errorf("the second time it is %s", it.State)
				}
			}
			o.clock = o.clock.Add(1000 * time.Hour)
			o.deliver(never, 0)
			o.intact()
		})
	}
}

// A delivery that takes longer than its lease is nobody's any more: its outcome changes nothing, and it is not sent a second time.
func TestDeliverTooLong(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	out := o.sending("slow")
	twice := 0
	o.deliver(carrier(func(_ Parcel, leaving func() error) (string, error) {
		o.clock = o.clock.Add(leaseTime + time.Second)
		o.deliver(carrier(func(p Parcel, leaving func() error) (string, error) {
			if p.Attempt != 2 {
				t.Errorf("attempt %d", p.Attempt)
			}
			twice++
			return "250 by the second", leaving()
		}), 1)
		if err := leaving(); err == nil {
			t.Error("who lost the lease may let it leave")
		} else {
			return "", err
		}
		twice++
		return "250 by the first", nil
	}), 1)
	if it := o.item(out.Ref); it.State != store.Sent || it.Said != "250 by the second" || twice != 1 {
		t.Errorf("%+v", it)
	}
	out = o.sending("slower")
	o.deliver(carrier(func(_ Parcel, leaving func() error) (string, error) {
		err := leaving()
		o.clock = o.clock.Add(leaseTime + time.Second)
		o.deliver(then("250 a second time", nil), 0)
		return "250 late", err
	}), 1)
	if it := o.item(out.Ref); it.State != store.Uncertain {
		t.Errorf("%+v", it)
	}
	o.intact()
}

// The outcome of a delivery is recorded even when the context ends while it is under way.
func TestDeliverStopped(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	out := o.sending("x")
	ctx, stop := context.WithCancel(o.ctx)
	_, err := o.Deliver(ctx, carrier(func(_ Parcel, leaving func() error) (string, error) {
		stop()
		return "250 taken", leaving()
	}), 1)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if it := o.item(out.Ref); it.State != store.Sent {
		t.Errorf("it arrived and is %s", it.State)
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	for attempt, want := range map[int]time.Duration{0: time.Minute, 1: time.Minute, 2: 2 * time.Minute, 5: 16 * time.Minute, 8: 128 * time.Minute, 9: 4 * time.Hour, 12: 4 * time.Hour, 1000: 4 * time.Hour} {
		least, most := want*4/5, want*6/5
		low, high := most, least
		for range 2000 {
			d := delay(attempt)
			low, high = min(low, d), max(high, d)
		}
		if low < least || high > most {
			t.Errorf("after attempt %d: %s to %s", attempt, low, high)
		}
		if high-low < (most-least)*9/10 {
			t.Errorf("after attempt %d: hardly spread, %s to %s", attempt, low, high)
		}
	}
}

func TestDeadAfterTwelve(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	out := o.sending("x")
	for n := 1; n <= 12; n++ {
		if it := o.item(out.Ref); it.State != store.Ready {
			t.Fatalf("before attempt %d it is %s", n, it.State)
		}
		o.deliver(then("", &NotDelivered{Said: "451 later"}), 1)
		o.clock = o.clock.Add(5 * time.Hour)
	}
	if it := o.item(out.Ref); it.State != store.Dead || it.Attempt != 12 || it.Said != "451 later" {
		t.Errorf("%+v", it)
	}
	o.deliver(then("250", nil), 0)
	o.intact()
}

func TestSettle(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	scheduler := caseforms.Scheduler()
	uncertain := func(name string) *store.Item {
		t.Helper()
		out := o.sending(name)
		o.deliver(then("", errors.New("broke")), 1)
		return o.item(out.Ref)
	}
	for _, c := range []struct {
		name    string
		who     caseforms.Actor
		by      Proof
		arrived bool
	}{
		{"receipt", scheduler, ByReceipt, true}, {"failure report", scheduler, ByReceipt, false}, {"answer", scheduler, ByAnswer, true},
		{"somebody asked", o.as("petra"), ByPerson, true}, {"somebody asked in vain", o.as("mary"), ByPerson, false},
	} {
		it := uncertain(c.name)
		o.must(o.Settle(o.ctx, c.who, it.ID, c.arrived, c.by, "because"))
		want, what := store.Dead, "uncertain send did not arrive"
		if c.arrived {
			want, what = store.Sent, "uncertain send arrived"
		}
		if now := o.item(it.Ref); now.State != want {
			t.Errorf("%s: it is %s", c.name, now.State)
		}
		rs, err := o.store.History(o.ctx, it.Ref)
		o.must(err)
		last := rs[len(rs)-1]
		if last.What != what || last.Actor != c.who.ID || last.Detail["by"] != string(c.by) || last.Detail["why"] != "because" || slices.Contains(last.Acts, store.Disclosure) != c.arrived {
			t.Errorf("%s: the ledger tells %+v", c.name, last)
		}
		refused(t, o.Settle(o.ctx, c.who, it.ID, true, ByReceipt, ""), caseforms.Conflict, "not uncertain")
	}
	it := uncertain("more")
	refused(t, o.Settle(o.ctx, scheduler, it.ID, true, ByPerson, ""), caseforms.Forbidden, "without a receipt")
	refused(t, o.Settle(o.ctx, o.as("aud"), it.ID, true, ByPerson, ""), caseforms.Forbidden, "practitioner")
	refused(t, o.Settle(o.ctx, scheduler, it.ID+1, true, ByReceipt, ""), caseforms.NotFound, "outbox")
	if now := o.item(it.Ref); now.State != store.Uncertain {
		t.Errorf("it is %s", now.State)
	}
	o.intact()
}
