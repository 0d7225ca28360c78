//go:build unix

package web

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/render"
)

// crowd records so many cases of other people, with a document each: forty for each of those who work on them. Every third document was handed over
// and waits for an answer.
func (h *house) crowd(n int) {
	h.t.Helper()
	b, err := os.ReadFile("../../samples/cases/01-simple.json")
	h.must(err)
	boss := h.as("boss")
	workers := []caseforms.Actor{h.as("petra")}
	for len(workers) < (n+39)/40 {
		login := fmt.Sprint("worker", len(workers))
		_, err := h.desk.AddUser(context.Background(), boss, login, "Worker "+fmt.Sprint(len(workers)), "North", []caseforms.Role{caseforms.RolePractitioner})
		h.must(err)
		workers = append(workers, h.as(login))
	}
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := w; i < n; i += 8 {
				a := workers[i/40]
				out, _, err := h.desk.Record(context.Background(), a, casework.Record{Unasked: true, Form: "cp1", Case: anotherPerson(b, i), Outputs: []casework.Output{{Format: render.FormatPDF}}})
				if err == nil && i%3 == 0 {
					_, err = h.desk.HandOver(context.Background(), a, casework.HandOver{Ref: out.Ref, Channel: casework.Channels[0], To: "Northtown MASH"})
				}
				if err != nil {
					h.t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if h.t.Failed() {
		h.t.FailNow()
	}
}

// anotherPerson is a case record of somebody else with the same answers.
func anotherPerson(record []byte, n int) []byte {
	var c map[string]any
	if json.Unmarshal(record, &c) != nil {
		panic("the sample is not JSON")
	}
	p := c["person"].(map[string]any)
	p["crn"], p["family_name"] = fmt.Sprintf("Y%06d", n+10), "Bench"+strings.Repeat(string(rune('a'+n%26)), 1+n/26%20)
	delete(p, "prison_number")
	delete(p, "pnc")
	b, _ := json.Marshal(c)
	return b
}

// BenchmarkPages is what one page takes, from the request to its last byte, of everything that is looked at all day, in a store with 200 cases;
// CASEFORMS_BENCH_CASES says how many. read=N is a document that was looked at so often before.
func BenchmarkPages(b *testing.B) {
	cases := 200
	if n, err := strconv.Atoi(os.Getenv("CASEFORMS_BENCH_CASES")); err == nil {
		cases = n
	}
	ctx := context.Background()
	h := newHouse(b, func(o *Options) { o.APIRate = 1e6 })
	h.crowd(cases)
	petra := h.as("petra")
	sample, err := os.ReadFile("../../samples/cases/01-simple.json")
	h.must(err)
	readOften := func(n int) caseforms.Ref {
		out, _, err := h.desk.Record(ctx, petra, casework.Record{Unasked: true, Form: "cp1", Case: anotherPerson(sample, cases+n), Outputs: []casework.Output{{Format: render.FormatPDF}}})
		h.must(err)
		looks := make([]store.Entry, n)
		for i := range looks {
			looks[i] = store.Entry{Acts: []store.Act{store.Consultation}, What: "timeline read", Actor: petra.ID, Case: out.Case, Ref: out.Ref}
		}
		h.must(h.store.Append(ctx, looks...))
		return out.Ref
	}
	draft, err := h.desk.SaveDraft(ctx, petra, casework.SaveDraft{Form: "cp1", Content: anotherPerson(sample, cases+1)})
	h.must(err)
	at := "/drafts/" + string(draft.ID)
	rarely, often, everywhere := readOften(0), readOften(300), readOften(3000)
	v := h.signedIn("petra")
	run := func(name string, do func(b *testing.B)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			began := processorTime()
			n := 0
			for b.Loop() {
				do(b)
				n++
			}
			b.ReportMetric(float64((processorTime()-began).Microseconds())/float64(n)/1000, "cpu-ms/op")
		})
	}
	get := func(name, path string) { run(name, func(b *testing.B) { v.get(path).expect(b, 200) }) }
	get("home", "/")
	get("cases", "/cases")
	get("case", "/cases?q="+string(h.of))
	get("document/read=0", documentPath(h.ref, ""))
	get("document/read=300", documentPath(often, ""))
	get("document/read=3000", documentPath(everywhere, ""))
	get("document/looks", documentPath(everywhere, "/looks?page=7"))
	get("file", documentPath(rarely, "/issues/1/1"))
	get("drafts", "/drafts")
	get("tasks", at)
	get("part", at+"/part/referral")
	get("answers", at+"/answers")
	get("preview", at+"/preview")
	page := v.open(at + "/part/referral")
	version := 1
	run("save", func(b *testing.B) {
		v.send(page, "base", fmt.Sprint(version), "forms.cp1.why_now", fmt.Sprint("For the benchmark ", version)).expect(b, 303)
		version++
	})
	program := h.program("petra")
	for _, format := range []string{"pdf", "json"} {
		run("api/render/"+format, func(b *testing.B) {
			program.ask("POST", "/forms/cp1/render?draft=true&format="+format, sample).expect(b, 200)
		})
	}
}

// processorTime is what this process has used, also in the background. Beside others it tells more than the time on the clock.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
