package batch_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/batch"
)

// today is the day of the tests.
var today = caseforms.Date{Year: 2026, Month: 11, Day: 25}

// BenchmarkBatch makes the documents of a workbook of invented cases, from the workbook to the disk: CASEFORMS_BENCH_ROWS of them, 1,000 unless it is
// set. taskset -c 0 shows what one core does with the kernel's work. The workbook is made before the time runs.
func BenchmarkBatch(b *testing.B) {
	rows := 1000
	if v := os.Getenv("CASEFORMS_BENCH_ROWS"); v != "" {
		var err error
		if rows, err = strconv.Atoi(v); err != nil {
			b.Fatal(err)
		}
	}
	d, f := pp1(b)
	dir := b.TempDir()
	input := filepath.Join(dir, "cases.xlsx")
	workbook(b, input, rows, nil)
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the peak that counts begins here, proc(5)
	// as the command sets them
	defer debug.SetGCPercent(debug.SetGCPercent(2000))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(80 << 20))
	var sum batch.Summary
	n, read := 0, time.Duration(0)
	peak, used := peakMemory(), 0.0
	for b.Loop() {
		n++
		out := filepath.Join(dir, fmt.Sprint("out", n))
		start, before := time.Now(), processorTime()
		var err error
		sum, err = batch.Run(context.Background(), batch.Options{Definitions: d, Form: f, Input: input, Dir: out, Jobs: runtime.GOMAXPROCS(0), Fill: caseforms.FillOptions{Today: today},
			Opened: func(int, []caseforms.Problem) { read += time.Since(start) }})
		if err != nil || sum.Done != rows {
			b.Fatal(err, sum)
		}
		used += processorTime() - before
		b.StopTimer()
		os.RemoveAll(out)
		b.StartTimer()
	}
	b.ReportMetric(float64(n*rows)/b.Elapsed().Seconds(), "docs/s")
	if used > 0 {
		b.ReportMetric(float64(n*rows)/used, "docs/cpu-s") // what it would be on a core that does nothing else
	}
	b.ReportMetric(float64(n*rows)/read.Seconds(), "rows-read/s")
	b.ReportMetric(float64(sum.Bytes)/float64(rows), "bytes/doc")
	if peak > 0 {
		b.ReportMetric(float64(peakMemory()), "MB-peak")
	}
}

// peakMemory is the most memory the process has had, in MB; 0 where the system does not tell.
func peakMemory() int {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kb >> 10
		}
	}
	return 0
}

// processorTime is what the process has used so far, in seconds; 0 where the system does not tell.
func processorTime() float64 {
	data, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest) // from the third on, proc_pid_stat(5)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return float64(user+system) / 100
}
