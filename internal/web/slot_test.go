package web

import (
	"context"
	"errors"
	"testing"
)

// Whoever went away while they waited for a document to be made takes nobody's turn.
func TestNobodyRendersForWhoeverWentAway(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // with both possible, either may be taken
		if done, err := h.rendering(gone); !errors.Is(err, context.Canceled) {
			done()
			t.Fatalf("a turn was given: %v", err)
		}
	}
	if n := len(h.api.renders); n != 0 {
		t.Errorf("%d turns are not given back", n)
	}
}
