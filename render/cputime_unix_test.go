//go:build unix

package render_test

import (
	"syscall"
	"testing"
)

// processorTime is what this process has used so far, in seconds.
func processorTime(t testing.TB) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	s := func(v syscall.Timeval) float64 { return float64(v.Sec) + float64(v.Usec)/1e6 }
	return s(u.Utime) + s(u.Stime)
}
