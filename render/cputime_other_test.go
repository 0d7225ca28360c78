//go:build !unix

package render_test

import "testing"

func processorTime(t testing.TB) float64 {
	if b, ok := t.(*testing.B); ok {
		b.Skip("processor time is measured on Unix only")
	}
	return 0
}
