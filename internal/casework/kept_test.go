package casework

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"caseforms/templates"
)

// A program that begins anew has not forgotten who guesses, takes no more room however many try, and forgets after an hour.
func TestThrottleOutlivesTheProgram(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.must(o.SaveThrottles(o.ctx))
	guess := func(k *Desk, login, address string) error {
		_, err := k.SignIn(o.ctx, SignIn{Login: login, Password: "wrong", Address: address})
		return err
	}
	var throttled *Throttled
	for range triesTogether {
		if err := guess(o.Desk, "petra", "192.0.2.1"); errors.As(err, &throttled) {
			t.Fatal("too early")
		}
	}
	guess(o.Desk, "sue", "192.0.2.9")
	o.must(o.SaveThrottles(o.ctx))
	anew := New(o.store, templates.Load)
	guess(anew, "sue", "192.0.2.9") // before what was kept is taken in: both count
	o.must(anew.SaveThrottles(o.ctx))
	if err := guess(anew, "petra", "192.0.2.1"); !errors.As(err, &throttled) || throttled.After > time.Minute {
		t.Errorf("it forgot: %v", err)
	}
	for i := range triesTogether - 2 {
		if err := guess(anew, "sue", "192.0.2.9"); errors.As(err, &throttled) {
			t.Errorf("too early, at %d", i)
		}
	}
	if err := guess(anew, "sue", "192.0.2.9"); !errors.As(err, &throttled) {
		t.Errorf("what was tried before and after does not count together: %v", err)
	}
	now := o.clock.Add(-10 * time.Minute)
	for i := range triesMost + 500 {
		if err := anew.door.throttle.begin(fmt.Sprint("name", i), fmt.Sprintf("2001:db8:%x::1", i), now); err != nil {
			t.Fatal(err)
		}
	}
	o.must(anew.SaveThrottles(o.ctx))
	third := New(o.store, templates.Load)
	o.must(third.SaveThrottles(o.ctx))
	if n := len(third.door.throttle.tries); n > triesMost {
		t.Errorf("%d are kept", n)
	}
	if err := guess(third, "petra", "192.0.2.1"); !errors.As(err, &throttled) {
		t.Error("older ones stayed, and those of late were forgotten")
	}
	o.clock = o.clock.Add(triesForget + time.Minute)
	fourth := New(o.store, templates.Load)
	o.must(fourth.SaveThrottles(o.ctx))
	if n := len(fourth.door.throttle.tries); n != 0 {
		t.Errorf("%d are kept after an hour", n)
	}
	o.intact()
}

// What somebody sent in vain is theirs alone, stays until it is dropped, outlives the program, and is gone after an hour.
func TestFormIsKept(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	petra, sue := o.as("petra"), o.as("sue")
	taken := func(k *Desk, as string) string {
		t.Helper()
		b, _, err := k.KeptForm(o.ctx, o.as(as))
		o.must(err)
		return string(b)
	}
	o.must(o.KeepForm(o.ctx, petra.ID, []byte("first")))
	o.must(o.KeepForm(o.ctx, petra.ID, []byte("second")))
	o.must(o.KeepForm(o.ctx, sue.ID, []byte("hers")))
	if got := taken(o.Desk, "mary"); got != "" {
		t.Errorf("somebody else has %q", got)
	}
	anew := New(o.store, templates.Load)
	if got := taken(anew, "petra"); got != "second" {
		t.Errorf("%q", got)
	}
	if got := taken(anew, "petra"); got != "second" {
		t.Errorf("looking at it took it away: %q", got)
	}
	o.must(o.DropForm(o.ctx, petra))
	if got := taken(anew, "petra"); got != "" {
		t.Errorf("it was dropped: %q", got)
	}
	o.clock = o.clock.Add(FormKept)
	if got := taken(o.Desk, "sue"); got != "" {
		t.Errorf("after an hour: %q", got)
	}
	o.must(o.KeepForm(o.ctx, petra.ID, []byte("third")))
	o.clock = o.clock.Add(FormKept)
	o.must(o.SweepSessions(o.ctx))
	if b, _, err := o.store.Kept(o.ctx, keptForm+petra.ID); err != nil || b != nil {
		t.Errorf("what nobody came for is left: %q, %v", b, err)
	}
	o.intact()
}
