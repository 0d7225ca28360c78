package store

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// Whoever reads a draft or a case while somebody saves it gets what was there before or what is there after, and is not told that it is gone.
func TestReadWhileSaving(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := testStore(t)
	i := issue(t, 10)
	i.Send = nil
	must(t, s.Issue(ctx, i))
	must(t, s.SaveDraft(ctx, Draft{ID: "d-1", Form: "cp1"}, []byte(`{}`), Entry{What: "draft saved", Actor: "u-1"}))
	stop := make(chan bool)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, content, err := s.Draft(ctx, "d-1"); err != nil || len(content) == 0 {
					t.Errorf("the draft: %q %v", content, err)
					return
				}
				c, err := s.FindCase(ctx, i.Case)
				if err != nil {
					t.Error(err)
					return
				}
				if data, err := s.Record(ctx, c); err != nil || len(data) == 0 {
					t.Errorf("the record: %q %v", data, err)
					return
				}
				if data, err := s.Card(ctx, c); err != nil || len(data) == 0 {
					t.Errorf("the card: %q %v", data, err)
					return
				}
			}
		})
	}
	again := i
	for n := 1; n == 1 || n < 240 && !t.Failed(); n++ {
		must(t, s.SaveDraft(ctx, Draft{ID: "d-1", Form: "cp1", Version: n}, fmt.Appendf(nil, `{"n":%d}`, n), Entry{What: "draft saved", Actor: "u-1"}))
		if n%4 == 0 {
			again.Version, again.CaseVersion = n/4+1, n/4
			again.Record, again.Card = fmt.Appendf(nil, `{"n":%d}`, n), fmt.Appendf(nil, `{"name":"%d"}`, n)
			must(t, s.Issue(ctx, again))
		}
		time.Sleep(time.Millisecond)
	}
	close(stop)
	all.Wait()

	// What is gone for good is told to be gone.
	c, err := s.FindCase(ctx, i.Case)
	must(t, err)
	must(t, s.Erase(ctx, i.Case, Entry{Acts: []Act{Erasure}, What: "case erased", Actor: "u-1"}))
	if _, err := s.Record(ctx, c); !missing(err) {
		t.Error(err)
	}
}
