package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"caseforms"
)

// open makes a store in a folder of the test, with its key beside the folder.
func testOptions(dir string) Options {
	return Options{Dir: filepath.Join(dir, "data"), Keys: Keys{Config: filepath.Join(dir, "config")}}
}

func testStore(t testing.TB) *Store {
	t.Helper()
	s, err := OpenOrCreate(context.Background(), testOptions(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func issue(t testing.TB, size int) Issue {
	t.Helper()
	id, err := caseforms.NewCaseID(nil)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := caseforms.NewRef(nil)
	if err != nil {
		t.Fatal(err)
	}
	file := make([]byte, size)
	rand.Read(file)
	return Issue{
		Case: id, Record: []byte(`{"person":{"family_name":"Placeholder"}}`), Card: []byte(`{"name":"Placeholder"}`),
		Ref: ref, Version: 1, Form: "cp1", FormVersion: "2026-11", Copy: "full", Definition: "d", Bundle: []byte("bundle"), Renderer: "r",
		Answers: []byte(`{"answers":[]}`), Files: []NewFile{{"pdf", "archive", file}},
		Send:  []NewItem{{Kind: "mail", Dedupe: string(ref), Payload: []byte("to somebody")}},
		Entry: Entry{Acts: []Act{Collection, Combination}, What: "document issued", Actor: "u-1"},
	}
}

func TestOpenAgain(t *testing.T) {
	t.Parallel()
	o := testOptions(t.TempDir())
	s, err := OpenOrCreate(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	i := issue(t, 1000)
	if err := s.Issue(context.Background(), i); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v, err := s.VerifyLedger(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.VerifyContents(context.Background(), v, func(string, []byte) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if len(v.Problems) > 0 || v.Records != 2 || v.Documents != 1 || v.Files != 1 {
		t.Errorf("%+v", v)
	}
}

// BenchmarkIssue is the record-and-enqueue act of a case that is new, by as many people at once as there are.
func BenchmarkIssue(b *testing.B) {
	for _, size := range []int{1 << 10, 48 << 10} {
		for _, people := range []int{1, 8} {
			b.Run(fmt.Sprintf("%dkB/%d", size>>10, people), func(b *testing.B) {
				s := testStore(b)
				work := make(chan Issue, 8)
				b.SetParallelism(people)
				_ = work
				b.ResetTimer()
				start := time.Now()
				if people == 1 {
					for range b.N {
						if err := s.Issue(context.Background(), issue(b, size)); err != nil {
							b.Fatal(err)
						}
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if err := s.Issue(context.Background(), issue(b, size)); err != nil {
								b.Error(err)
							}
						}
					})
				}
				b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "acts/s")
			})
		}
	}
}
