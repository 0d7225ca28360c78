package store

import (
	"context"
	"errors"
	"testing"

	"caseforms"
)

// Reasons are kept beside the draft without another version of it, follow it into its case, and go with it without a trace.
func TestReasons(t *testing.T) {
	t.Parallel()
	s, _, _ := clockStore(t)
	ctx := context.Background()
	e := Entry{What: "a test", Actor: "u-1"}
	left := func(want int) {
		t.Helper()
		var n int
		_, err := s.one(ctx, `SELECT count(*) FROM objects WHERE kind IN ('reasons', 'draft')`, nil, &n)
		must(t, err)
		if n != want {
			t.Errorf("%d objects are left, not %d", n, want)
		}
		intact(t, s)
	}
	i := issue(t, 50)
	i.Send = nil
	must(t, s.Issue(ctx, i))
	draft := func() *Draft {
		t.Helper()
		d, _, err := s.Draft(ctx, "d-1")
		must(t, err)
		return d
	}
	must(t, s.SaveDraft(ctx, Draft{ID: "d-1", Form: "cp1"}, []byte(`{}`), e))
	first := draft()
	if b, err := s.Reasons(ctx, first); b != nil || err != nil {
		t.Error(b, err)
	}
	must(t, s.SaveReasons(ctx, first, []byte("one"), e))
	if err := s.SaveReasons(ctx, first, []byte("of another"), e); !errors.Is(err, ErrChanged) {
		t.Errorf("somebody's reasons are overwritten: %v", err)
	}
	must(t, s.SaveReasons(ctx, draft(), []byte("two"), e))
	left(2)
	must(t, s.SaveDraft(ctx, Draft{ID: "d-1", Form: "cp1", Case: i.Case, Version: 1}, []byte(`{"a":"b"}`), e))
	d := draft()
	if b, err := s.Reasons(ctx, d); string(b) != "two" || err != nil || d.Version != 2 {
		t.Errorf("%q %v, version %d", b, err, d.Version)
	}
	left(2)
	must(t, s.SaveReasons(ctx, d, []byte("three"), e))
	must(t, s.DropDraft(ctx, d, e)) // as it was read before
	left(0)
	must(t, s.SaveDraft(ctx, Draft{ID: "d-2", Form: "cp1", Case: i.Case}, []byte(`{}`), e))
	two, _, err := s.Draft(ctx, caseforms.DraftID("d-2"))
	must(t, err)
	must(t, s.SaveReasons(ctx, two, []byte("of it"), e))
	must(t, s.Erase(ctx, i.Case, Entry{Acts: []Act{Erasure}, Actor: "u-1"}))
	left(0)
}
