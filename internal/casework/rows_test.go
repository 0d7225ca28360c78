package casework

import (
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/store"
)

// Documents that are taken away together are one act, which is entered whole or not at all; each is in the ledger.
func TestTakeAwayIsOneAct(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var refs []caseforms.Ref
	for _, form := range []string{"cp1", "check", "pp1"} {
		refs = append(refs, o.record("petra", Record{Form: form, Case: sample(t, "01-simple")}).Ref)
	}
	o.tick = time.Second
	o.must(o.TakeAway(o.ctx, o.as("petra"), refs, "merged.pdf"))
	o.tick = 0
	var taken []store.Record
	for n := int64(0); ; n++ {
		r, err := o.store.Prove(o.ctx, n)
		if err != nil {
			break
		}
		if r.What == "document taken away" {
			taken = append(taken, r)
		}
	}
	if len(taken) != len(refs) || !taken[0].At.Equal(taken[2].At) {
		t.Errorf("%+v", taken)
	}
	o.intact()
}
