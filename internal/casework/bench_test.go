package casework

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/store"
)

// region is a store with a year of a region in it: so many hand-offs in a twentieth as many cases, ten times as many entries in the ledger, one
// in thirty not answered.
// CASEFORMS_BENCH_HANDOFFS says how many; the year of a region has 100,000.
func region(b *testing.B) *office {
	b.Helper()
	n := 2_000
	if s := os.Getenv("CASEFORMS_BENCH_HANDOFFS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	o := newOffice(b)
	a := o.as("petra")
	var templates []Issued // of each its names only: the documents of five thousand cases are a great deal of memory
	for i := range max(1, n/20) {
		data := with(b, sample(b, "01-simple"), fmt.Sprintf("X%06d", i+10), "person", "crn")
		data = with(b, with(b, data, "", "person", "prison_number"), "", "person", "pnc")
		out := o.record("petra", Record{Form: "cp1", Case: data, Outputs: []Output{{Format: "txt"}}})
		templates = append(templates, Issued{Ref: out.Ref, Case: out.Case})
	}
	day := func(i int) caseforms.Date { return caseforms.DateOf(o.clock).AddDays(-i * 360 / n) }
	work := make(chan int, 64)
	done := make(chan error, 16)
	ctx := context.Background()
	for range 16 {
		go func() {
			for i := range work {
				on, template := day(i), templates[i%len(templates)]
				f := store.Follow{Content: []byte(`{"to":"Northtown MASH"}`), HandOff: &store.HandOff{Ref: template.Ref, Version: 1, Case: template.Case, Form: "cp1", Team: "North", Channel: "hand", Children: 2,
					Day: on, At: o.clock, By: a.ID, AnswerBy: on.AddDays(5), State: store.HandOffOpen}}
				f.Start = []store.FollowUp{{Subject: fmt.Sprint("bench|", i), Rule: "C06", Case: template.Case, Ref: template.Ref, Owner: a.ID, Team: "North", From: on, First: on.AddDays(5), Due: on.AddDays(5), How: "within three working days",
					StepDay: on.AddDays(5)}}
				if i%30 != 0 {
					f.HandOff.State, f.HandOff.Answered, f.Start = store.HandOffAnswered, on.AddDays(i%20), nil
				}
				for j := range 10 {
					f.Entries = append(f.Entries, store.Entry{What: "note: call", Actor: a.ID, Case: template.Case, Ref: template.Ref, Detail: map[string]string{"text": fmt.Sprint("call ", j)}})
				}
				if err := o.store.Follow(ctx, f); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for i := range n {
		work <- i
	}
	close(work)
	for range 16 {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	return o
}

// BenchmarkRegion is what is due of a region's year, and the scan that runs every minute.
func BenchmarkRegion(b *testing.B) {
	o := region(b)
	a := o.as("mary")
	if _, err := o.Tick(o.ctx); err != nil { // the first scan climbs everything that was missed
		b.Fatal(err)
	}
	b.Run("scan", func(b *testing.B) {
		for b.Loop() {
			if _, err := o.Tick(o.ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("due", func(b *testing.B) {
		lines := 0
		for b.Loop() {
			list, err := o.Due(o.ctx, a, DueFilter{Days: 7})
			if err != nil {
				b.Fatal(err)
			}
			lines = len(list)
		}
		b.ReportMetric(float64(lines), "lines")
	})
	b.Run("pack", func(b *testing.B) {
		today := caseforms.DateOf(o.clock)
		for b.Loop() {
			if _, err := o.Inspect(o.ctx, a, Inspection{Area: "*", From: today.AddMonths(-12), To: today}, "xlsx"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkScanAfterAWeek is the scan of a region in which nothing ran for a week.
func BenchmarkScanAfterAWeek(b *testing.B) {
	o := region(b)
	for b.Loop() {
		b.StopTimer()
		o.clock = o.clock.Add(7 * 24 * time.Hour)
		b.StartTimer()
		if _, err := o.Tick(o.ctx); err != nil {
			b.Fatal(err)
		}
	}
}
