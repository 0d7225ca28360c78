package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"caseforms"
)

// realistic is an issue as large as real ones are: a file of 48 kB, a case record of 6 kB, ten terms, names that differ.
func realistic(b testing.TB, s *Store) Issue {
	i := issue(b, 48<<10)
	name := rand.Text()[:8]
	record, err := json.Marshal(map[string]string{"family_name": name, "text": text(6 << 10)})
	must(b, err)
	i.Record, i.Card, i.Answers = record, []byte(`{"name":"`+name+`"}`), record
	i.Terms = terms(s, name)
	i.Entry.Detail = map[string]string{"for": "children's services"}
	return i
}

func text(size int) string {
	var out []byte
	for len(out) < size {
		out = append(out, rand.Text()[:3+mrand.N(8)]...)
		out = append(out, " and this "...)
	}
	return string(out)
}

func terms(s *Store, name string) (out []Term) {
	for n := range 10 {
		out = append(out, Term{s.Term("name", name+strconv.Itoa(n)), ThePerson})
	}
	return out
}

// BenchmarkIssue is the record-and-enqueue act of a case that is new, by as many people at once as there are.
func BenchmarkIssue(b *testing.B) {
	for _, people := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("people=%d", people), func(b *testing.B) {
			s := testStore(b)
			ready := make([]Issue, b.N) // what is to be issued is no part of it
			for n := range ready {
				ready[n] = realistic(b, s)
			}
			var next atomic.Int64
			var all sync.WaitGroup
			b.ResetTimer()
			for range people {
				all.Go(func() {
					for n := next.Add(1) - 1; n < int64(b.N); n = next.Add(1) - 1 {
						if err := s.Issue(context.Background(), ready[n]); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acts/s")
		})
	}
}

// BenchmarkAppend is an entry in the ledger by itself, such as that somebody looked at a document.
func BenchmarkAppend(b *testing.B) {
	for _, people := range []int{1, 32} {
		b.Run(fmt.Sprintf("people=%d", people), func(b *testing.B) {
			s := testStore(b)
			e := Entry{Acts: []Act{Consultation}, What: "document opened", Actor: "u-0123456789", Case: "CASE-1", Ref: "CF-1", Version: 1, Detail: map[string]string{"wanted": "see it"}}
			var next atomic.Int64
			var all sync.WaitGroup
			b.ResetTimer()
			for range people {
				all.Go(func() {
					for next.Add(1) <= int64(b.N) {
						if err := s.Append(context.Background(), e); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkLarge looks things up, and proves them, in a store with many documents; CASEFORMS_BENCH_DOCUMENTS says how many.
func BenchmarkLarge(b *testing.B) {
	many := 5000
	if n, err := strconv.Atoi(os.Getenv("CASEFORMS_BENCH_DOCUMENTS")); err == nil {
		many = n
	}
	ctx := context.Background()
	s := testStore(b)
	start := time.Now()
	type known struct {
		ref  caseforms.Ref
		term []byte
		sum  [32]byte
	}
	docs := make([]known, many)
	var next atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for n := next.Add(1) - 1; n < int64(many); n = next.Add(1) - 1 {
				var i Issue
				for err := ErrTaken; errors.Is(err, ErrTaken); { // among very many a reference is drawn twice
					i = issue(b, 16)
					i.Send, i.Terms = nil, terms(s, rand.Text())
					if err = s.Issue(ctx, i); err != nil && !errors.Is(err, ErrTaken) {
						b.Error(err)
						return
					}
				}
				docs[n] = known{i.Ref, i.Terms[0].Hash, sha256.Sum256(i.Files[0].Data)}
				if n > 0 && n%100_000 == 0 {
					b.Logf("%d documents after %s", n, time.Since(start).Round(time.Second))
				}
			}
		})
	}
	all.Wait()
	if b.Failed() {
		return
	}
	info, err := os.Stat(s.Dir() + "/" + databaseFile)
	must(b, err)
	b.Logf("%d documents in %s, %d MB", many, time.Since(start).Round(time.Second), info.Size()>>20)
	for _, c := range []struct {
		name string
		do   func(known, int64) error
	}{
		{"document", func(k known, _ int64) error {
			d, err := s.Document(ctx, k.ref)
			if err == nil && len(d.Latest().Files) != 1 {
				err = fmt.Errorf("%d files", len(d.Latest().Files))
			}
			return err
		}},
		{"find", func(k known, _ int64) error {
			found, err := s.Find(ctx, 50, k.term)
			if err == nil && len(found) != 1 {
				err = fmt.Errorf("%d cases", len(found))
			}
			return err
		}},
		{"file-by-sum", func(k known, _ int64) error {
			ref, _, found, err := s.FileBySum(ctx, k.sum)
			if err == nil && (!found || ref != k.ref) {
				err = fmt.Errorf("not found")
			}
			return err
		}},
		{"history", func(k known, _ int64) error {
			rs, err := s.History(ctx, k.ref)
			if err == nil && len(rs) != 1 {
				err = fmt.Errorf("%d records", len(rs))
			}
			return err
		}},
		{"prove", func(_ known, n int64) error { _, err := s.Prove(ctx, n); return err }},
		{"open", func(known, int64) error {
			again, err := Open(ctx, Options{Dir: s.Dir(), Keys: Keys{secret: s.key.secret}})
			if err == nil {
				err = again.Close()
			}
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				n := mrand.N(many)
				if err := c.do(docs[n], int64(n)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	if os.Getenv("CASEFORMS_BENCH_VERIFY") != "" { // it takes long in a large store
		b.Run("verify-ledger", func(b *testing.B) {
			for range b.N {
				if v, err := s.VerifyLedger(ctx, ""); err != nil || len(v.Problems) > 0 {
					b.Fatal(err, v.Problems)
				}
			}
		})
	}
}
