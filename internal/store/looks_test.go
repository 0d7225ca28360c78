package store

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"caseforms"
)

// The column that tells looking from doing says what the record itself says, whatever words stand in it.
func TestLookedColumn(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, _, _ := filled(t)
	for _, what := range []string{"timeline read", "refused", CaseFound, `"what":"refused"`, `x","acts":["consultation"],"what":"y`, `"acts":["consultation"],"what":"refused"`, `"what":"case found"`, "<b>&"} {
		for _, acts := range [][]Act{nil, {Consultation}, {Disclosure}, {Consultation, Disclosure}, {Disclosure, Consultation}} {
			must(t, s.Append(ctx, Entry{Acts: acts, What: what, Actor: `"what":"refused"`, Case: "CS-1", Ref: `"what":"case found"`}))
		}
	}
	seen := map[int]int{}
	must(t, s.all(ctx, `SELECT l.n, l.at, coalesce(l.case_id, ''), coalesce(l.ref, ''), l.record, d.sealed, l.looked FROM ledger l LEFT JOIN ledger_details d ON d.n = l.n`, nil, func(scan func(...any) error) error {
		var r rawRecord
		var looked int
		must(t, scan(&r.n, &r.at, &r.caseID, &r.ref, &r.record, &r.sealed, &looked))
		rec, err := s.readRecord(r)
		must(t, err)
		want := 0
		if rec.Looked() {
			want = 1
			if rec.What == CaseFound {
				want = 2
			}
		}
		if looked != want {
			t.Errorf("%s is %d, want %d", r.record, looked, want)
		}
		seen[looked]++
		return nil
	}))
	if len(seen) != 3 {
		t.Errorf("%v", seen)
	}
}

// Acts and looks together are the whole history, and looks come in pages.
func TestLooks(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := testStore(t)
	one, other := issue(t, 10), issue(t, 10)
	must(t, s.Issue(ctx, one))
	must(t, s.Issue(ctx, other))
	look := func(i Issue, what string, whole bool) Entry {
		e := Entry{Acts: []Act{Consultation}, What: what, Actor: "u-1", Case: i.Case, Ref: i.Ref}
		if whole {
			e.Ref = ""
		}
		return e
	}
	must(t, s.Append(ctx, look(one, CaseFound, true), look(one, "refused", true), look(other, "timeline read", false)))
	for n := range 25 {
		must(t, s.Append(ctx, look(one, fmt.Sprint("look ", n), n == 7)))
	}
	whole, err := s.HistoryOf(ctx, one.Ref, one.Case, AllLooks)
	must(t, err)
	if len(whole) != 27 {
		t.Errorf("%d records", len(whole))
	}
	few, err := s.HistoryOf(ctx, one.Ref, one.Case, 2)
	must(t, err)
	if n := len(few); n != 4 || few[2].What != "look 23" || few[3].What != "look 24" {
		t.Errorf("%+v", few)
	}
	if n, err := s.CountLooks(ctx, one.Ref, one.Case); n != 25 || err != nil {
		t.Error(n, err)
	}
	done, err := s.HistoryOf(ctx, one.Ref, one.Case, 0)
	must(t, err)
	if len(done) != 2 || done[1].What != "refused" {
		t.Errorf("%+v", done)
	}
	var got []string
	for out := 0; out < 30; out += 10 {
		rs, err := s.Looks(ctx, one.Ref, one.Case, out, 10)
		must(t, err)
		for _, r := range rs {
			got = append(got, r.What)
		}
	}
	for n := range 25 {
		if len(got) != 25 || got[n] != fmt.Sprint("look ", 24-n) {
			t.Fatalf("%q", got)
		}
	}

	// A page finds a change of what it tells. A change of a look that it only counts, and a row that is gone, are found by a check of the whole.
	change := func(what string, n int64) (done, looks error) {
		t.Helper()
		var was []byte
		_, err := s.one(ctx, `SELECT record FROM ledger WHERE n = $1`, []any{n}, &was)
		must(t, err)
		put := func(record []byte) {
			must(t, s.alone(func() error {
				_, err := s.conn.ExecContext(ctx, `UPDATE ledger SET record = $1 WHERE n = $2`, record, n)
				return err
			}))
		}
		put(bytes.Replace(was, []byte(`"u-1"`), []byte(`"u-2"`), 1))
		_, done = s.HistoryOf(ctx, one.Ref, one.Case, 0)
		_, looks = s.Looks(ctx, one.Ref, one.Case, 0, 5)
		if len(problems(t, s, "")) == 0 {
			t.Errorf("%s was changed, and the check of the whole does not find it", what)
		}
		put(was)
		return done, looks
	}
	if done, looks := change("the issue", 1); done == nil || looks != nil {
		t.Error(done, looks)
	}
	if done, looks := change("the last look", 29); done != nil || looks == nil {
		t.Error(done, looks)
	}
	if done, looks := change("an early look", 7); done != nil || looks != nil {
		t.Error(done, looks)
	}
	intact(t, s)
}

// One proof of many records finds whatever a proof of each finds: a changed record, a changed hash between them, a record that was never there.
func TestProvedTogether(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := testStore(t)
	const size = 61 // with the first record of the store
	for range size - 1 {
		must(t, s.Append(ctx, Entry{What: "note: call", Actor: "u-1"}))
	}
	head, _, _, err := s.head(ctx)
	must(t, err)
	var all []rawRecord
	must(t, s.eachRecord(ctx, 0, size, func(r rawRecord) error { all = append(all, r); return nil }))
	for try := range 300 {
		var some []rawRecord
		every := 1 + rand.N(20)
		for _, r := range all {
			if rand.N(every) == 0 {
				some = append(some, r)
			}
		}
		if len(some) == 0 {
			continue
		}
		if rs, err := s.proved(ctx, head, some); err != nil || len(rs) != len(some) {
			t.Fatalf("%d records: %d, %v", len(some), len(rs), err)
		}
		changed := append([]rawRecord{}, some...)
		r := &changed[rand.N(len(changed))]
		switch try % 3 {
		case 0:
			r.record = append([]byte(" "), r.record...)
		case 1: // another's words in its place
			r.record = all[(r.n+1+rand.Int64N(size-1))%size].record
			if string(r.record) == string(all[r.n].record) {
				continue
			}
		case 2: // behind the end, beside the last or not
			extra := *r
			extra.n = size + rand.Int64N(5)
			changed = append(changed, extra)
		}
		if _, err := s.proved(ctx, head, changed); err == nil {
			t.Fatalf("change %d of %d records is not found", try%3, len(some))
		}
	}
	// Every stored hash that a proof needs is one that it finds changed.
	few := []rawRecord{all[3], all[40]}
	var needs []int64
	span(0, size, few, func(idx int64) (h tlog.Hash) { needs = append(needs, idx); return h })
	if len(needs) < 8 {
		t.Errorf("%d hashes are needed", len(needs))
	}
	for _, idx := range needs {
		var was []byte
		_, err := s.one(ctx, `SELECT hash FROM ledger_hashes WHERE idx = $1`, []any{idx}, &was)
		must(t, err)
		for _, do := range []string{`UPDATE ledger_hashes SET hash = zeroblob(32) WHERE idx = $1`, `DELETE FROM ledger_hashes WHERE idx = $1`} {
			must(t, s.alone(func() error { _, err := s.conn.ExecContext(ctx, do, idx); return err }))
			if _, err := s.proved(ctx, head, few); err == nil {
				t.Errorf("hash %d was changed and is not missed", idx)
			} else {
				refused(t, err, caseforms.Internal, "was changed")
			}
			must(t, s.alone(func() error {
				_, err := s.conn.ExecContext(ctx, `INSERT OR REPLACE INTO ledger_hashes (idx, hash) VALUES ($1, $2)`, idx, was)
				return err
			}))
		}
	}
	_, err = s.proved(ctx, head, few)
	must(t, err)
}
