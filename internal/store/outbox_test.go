package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"caseforms"
)

// oneItem is the only item of a document.
func oneItem(t testing.TB, s *Store, ref caseforms.Ref) *Item {
	t.Helper()
	items, err := s.Items(context.Background(), ref)
	must(t, err)
	if len(items) != 1 {
		t.Fatalf("%d items", len(items))
	}
	return &items[0]
}

// claimed takes the only item that is due.
func claimed(t testing.TB, s *Store, lease time.Duration) *Item {
	t.Helper()
	items, err := s.Claim(context.Background(), 10, lease)
	must(t, err)
	if len(items) != 1 {
		t.Fatalf("%d items are due", len(items))
	}
	return &items[0]
}

func nothingDue(t testing.TB, s *Store) {
	t.Helper()
	if items, err := s.Claim(context.Background(), 10, time.Minute); err != nil || len(items) > 0 {
		t.Errorf("%d items are due, %v", len(items), err)
	}
}

// told are the acts of a document as the ledger tells them.
func told(t testing.TB, s *Store, ref caseforms.Ref) (out []string) {
	t.Helper()
	rs, err := s.History(context.Background(), ref)
	must(t, err)
	for _, r := range rs {
		out = append(out, r.What)
	}
	return out
}

func TestDedupe(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	ctx := context.Background()
	i := issue(t, 100)
	twice := i
	twice.Send = append(slices.Clone(i.Send), i.Send[0])
	if err := s.Issue(ctx, twice); !errors.Is(err, ErrTaken) {
		t.Errorf("two of the same in one act: %v", err)
	}
	must(t, s.Issue(ctx, i))
	again := i.Send[0]
	again.Payload = []byte("to somebody else")
	must(t, s.Enqueue(ctx, i.Ref, 1, i.Case, again, Entry{What: "enqueued", Actor: "u-1", Case: i.Case, Ref: i.Ref}))
	other := issue(t, 100)
	other.Send = []NewItem{again}
	if err := s.Issue(ctx, other); !errors.Is(err, ErrTaken) {
		t.Errorf("an act whose item was not made: %v", err)
	}
	if got := told(t, s, i.Ref); !slices.Equal(got, []string{"document issued"}) {
		t.Errorf("the ledger says %q of what was put in once", got)
	}
	it := claimed(t, s, time.Minute)
	if payload, err := s.Payload(ctx, it); err != nil || string(payload) != "to somebody" {
		t.Errorf("the first item carries %q, %v", payload, err)
	}
	var n int
	_, err := s.one(ctx, `SELECT count(*) FROM objects WHERE kind = 'payload'`, nil, &n)
	must(t, err)
	if n != 1 {
		t.Errorf("%d payloads are kept of one item", n)
	}
	intact(t, s)
}

// However many take at once, through one process or two, each item is taken by one of them, and the longest due are the first.
func TestClaimers(t *testing.T) {
	t.Parallel()
	s, clock, o := clockStore(t)
	second, err := Open(context.Background(), o)
	must(t, err)
	defer second.Close()
	ctx := context.Background()
	const many = 150
	i := issue(t, 100)
	i.Send = nil
	for n := range many {
		i.Send = append(i.Send, NewItem{Kind: "mail", Dedupe: fmt.Sprint(n), Payload: []byte("x"), At: clock.now().Add(time.Duration(many-n) * time.Second)})
	}
	must(t, s.Issue(ctx, i))
	nothingDue(t, s)
	clock.add(10 * time.Second)
	items, err := s.Claim(ctx, 3, time.Hour)
	must(t, err)
	if len(items) != 3 {
		t.Fatalf("%d", len(items))
	}
	for _, it := range items {
		if it.Dedupe < "147" { // the last three are due first
			t.Errorf("%s was taken first", it.Dedupe)
		}
	}
	clock.add(time.Hour / 2)
	var mu sync.Mutex
	taken := map[int64]int{}
	var all sync.WaitGroup
	for n := range 8 {
		from := []*Store{s, second}[n%2]
		all.Go(func() {
			for range many { // and not for ever when something is wrong
				items, err := from.Claim(ctx, 3, time.Hour)
				if err != nil {
					t.Error(err)
				}
				if len(items) == 0 {
					return
				}
				mu.Lock()
				for _, it := range items {
					taken[it.ID]++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(taken) != many-3 {
		t.Errorf("%d of %d were taken", len(taken), many-3)
	}
	for id, n := range taken {
		if n != 1 {
			t.Errorf("item %d was taken %d times", id, n)
		}
	}
}

// Who lost a lease changes nothing any more.
func TestLease(t *testing.T) {
	t.Parallel()
	s, clock, _ := clockStore(t)
	ctx := context.Background()
	i := issue(t, 100)
	must(t, s.Issue(ctx, i))
	first := claimed(t, s, time.Minute)
	if first.Attempt != 1 {
		t.Errorf("attempt %d", first.Attempt)
	}
	clock.add(time.Minute)
	nothingDue(t, s)
	clock.add(time.Millisecond)
	second := claimed(t, s, time.Minute)
	if second.ID != first.ID || second.Attempt != 2 {
		t.Errorf("%+v", second)
	}
	late := map[string]func(*Item) (bool, error){
		"begin":     func(it *Item) (bool, error) { return s.Begin(ctx, it) },
		"delivered": func(it *Item) (bool, error) { return s.Delivered(ctx, it, "250", nil, nil) },
		"unclear":   func(it *Item) (bool, error) { return s.Unclear(ctx, it, "broke", nil) },
		"retry":     func(it *Item) (bool, error) { return s.Retry(ctx, it, clock.now(), "later") },
		"give up":   func(it *Item) (bool, error) { return s.GiveUp(ctx, it, "never", nil) },
	}
	nothing := func(who Item, why string) {
		t.Helper()
		before, records := *oneItem(t, s, i.Ref), len(told(t, s, i.Ref))
		for name, do := range late {
			it := who
			if moved, err := do(&it); err != nil || moved {
				t.Errorf("%s: %s moved it: %v", why, name, err)
			}
			if after := *oneItem(t, s, i.Ref); after != before || len(told(t, s, i.Ref)) != records {
				t.Errorf("%s: %s changed it to %+v", why, name, after)
			}
		}
	}
	nothing(*first, "its lease ran out")
	if ok, err := s.Begin(ctx, second); err != nil || !ok || second.State != InFlight {
		t.Fatal(ok, err)
	}
	inFlight := *first
	inFlight.State = InFlight
	nothing(inFlight, "it is in flight with somebody else")
	clock.add(time.Minute + time.Millisecond)
	nothingDue(t, s)
	if it := oneItem(t, s, i.Ref); it.State != Uncertain {
		t.Errorf("in flight past its lease it is %s", it.State)
	}
	if got := told(t, s, i.Ref); !slices.Equal(got, []string{"document issued", "send uncertain"}) {
		t.Errorf("the ledger tells %q", got)
	}
	nothing(*second, "it became uncertain")
	clock.add(10_000 * time.Hour)
	nothingDue(t, s) // it is never sent again by itself
	intact(t, s)
}

// TestStates goes every way an item may go, and tries those that it may not.
func TestStates(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	type step struct {
		name string
		do   func(*Store, *Item) (bool, error)
		to   map[State]State // from which state it leads where; others are refused
		says string          // in the ledger
	}
	later := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	settle := func(arrived bool) func(*Store, *Item) (bool, error) {
		return func(s *Store, it *Item) (bool, error) {
			err := s.Settle(ctx, it, arrived, nil, Entry{What: "settled", Actor: "u-1", Case: it.Case, Ref: it.Ref})
			if err == ErrChanged {
				return false, nil
			}
			return err == nil, err
		}
	}
	steps := []step{
		{"begin", func(s *Store, it *Item) (bool, error) { return s.Begin(ctx, it) }, map[State]State{Leased: InFlight}, ""},
		{"delivered", func(s *Store, it *Item) (bool, error) { return s.Delivered(ctx, it, "250 ok", nil, nil) }, map[State]State{InFlight: Sent}, "sent"},
		{"unclear", func(s *Store, it *Item) (bool, error) { return s.Unclear(ctx, it, "broke", nil) }, map[State]State{InFlight: Uncertain}, "send uncertain"},
		{"retry", func(s *Store, it *Item) (bool, error) { return s.Retry(ctx, it, later, "451 later") }, map[State]State{Ready: Ready, Leased: Ready, InFlight: Ready}, ""},
		{"give up", func(s *Store, it *Item) (bool, error) { return s.GiveUp(ctx, it, "550 no", nil) }, map[State]State{Ready: Dead, Leased: Dead, InFlight: Dead}, "send failed"},
		{"arrived", settle(true), map[State]State{Uncertain: Sent}, "settled"},
		{"did not arrive", settle(false), map[State]State{Uncertain: Dead}, "settled"},
	}
	reach := map[State][]int{Ready: {3}, Leased: {}, InFlight: {0}, Sent: {0, 1}, Uncertain: {0, 2}, Dead: {4}}
	s, clock, _ := clockStore(t)
	for from, way := range reach {
		for _, st := range steps {
			t.Run(string(from)+" "+st.name, func(t *testing.T) {
				i := issue(t, 10)
				must(t, s.Issue(ctx, i))
				it := claimed(t, s, time.Minute)
				for _, n := range way {
					if ok, err := steps[n].do(s, it); err != nil || !ok {
						t.Fatal(steps[n].name, ok, err)
					}
				}
				before, want := len(told(t, s, i.Ref)), st.to[from]
				moved, err := st.do(s, it)
				must(t, err)
				now := oneItem(t, s, i.Ref)
				acts := told(t, s, i.Ref)[before:]
				if want == "" {
					if moved || now.State != from || len(acts) > 0 {
						t.Errorf("it went from %s to %s, and the ledger tells %q", from, now.State, acts)
					}
				} else {
					if !moved || now.State != want {
						t.Errorf("it went from %s to %s, not %s", from, now.State, want)
					}
					if st.says == "" && len(acts) > 0 || st.says != "" && !slices.Equal(acts, []string{st.says}) {
						t.Errorf("the ledger tells %q", acts)
					}
				}
				if now.State == Ready {
					if !now.At.Equal(later) || now.Said != "451 later" {
						t.Errorf("%+v", now)
					}
					nothingDue(t, s)
					clock.ms.Store(later.UnixMilli())
					again := claimed(t, s, time.Minute)
					if again.ID != it.ID || again.Attempt != 2 {
						t.Errorf("%+v", again)
					}
					_, err := s.GiveUp(ctx, again, "over", nil)
					must(t, err)
					clock.add(-24 * time.Hour)
				} else if now.State == Leased {
					_, err := s.GiveUp(ctx, it, "over", nil)
					must(t, err)
				}
				nothingDue(t, s)
			})
		}
	}
	intact(t, s)
}

// Of a driver that takes $N by the order in which they first appear, $2 before $1 would silently swap the two.
func TestRebind(t *testing.T) {
	t.Parallel()
	if got := rebind(`a = $2 AND b = $1 AND c LIKE '$' AND d = $12`); got != `a = ?2 AND b = ?1 AND c LIKE '$' AND d = ?12` {
		t.Error(got)
	}
	s := testStore(t)
	var second, first, repeated string
	if _, err := s.one(context.Background(), `SELECT $2, $1, $2`, []any{"one", "two"}, &second, &first, &repeated); err != nil || first != "one" || second != "two" || repeated != "two" {
		t.Errorf("reading: %q, %q, %q, %v", first, second, repeated, err)
	}
	must(t, s.act(context.Background(), func(tx *tx) error {
		_, err := tx.row(`SELECT $2, $1, $2`, []any{"one", "two"}, &second, &first, &repeated)
		if first != "one" || second != "two" || repeated != "two" {
			t.Errorf("in an act: %q, %q, %q", first, second, repeated)
		}
		return err
	}))
}
