package casework

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"caseforms/render"
)

// Hand-offs that are recorded at the same moment have numbers of their own, by which an answer finds them.
func TestHandOffNumbers(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ref := o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple"), Outputs: []Output{{Format: render.FormatText}}}).Ref
	const n = 8
	a := o.as("petra")
	var wg sync.WaitGroup
	got := make([]string, n)
	for i := range n {
		wg.Go(func() {
			to := fmt.Sprintf("Office %d", i)
			h, err := o.HandOver(o.ctx, a, HandOver{Ref: ref, Channel: ByHand, To: to})
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = fmt.Sprintf("%d %s", h.Number, to)
		})
	}
	wg.Wait()
	hs, err := o.store.HandOffs(o.ctx, ref)
	o.must(err)
	var want []string
	for i := range hs {
		c, err := o.handOffContent(o.ctx, &hs[i])
		o.must(err)
		want = append(want, fmt.Sprintf("%d %s", i+1, c.To))
	}
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("told %q, and there are %q", got, want)
	}
}
