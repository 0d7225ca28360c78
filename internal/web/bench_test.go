package web

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/render"
)

// crowd records so many cases of other people, with a document each; every third was handed over and waits for an answer.
func (h *house) crowd(n int) {
	h.t.Helper()
	b, err := os.ReadFile("../../samples/cases/01-simple.json")
	h.must(err)
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := w; i < n; i += 8 {
				a := h.as([]string{"petra", "mary", "sue"}[i%3])
				out, _, err := h.desk.Record(context.Background(), a, casework.Record{Form: "cp1", Case: anotherPerson(b, i), Outputs: []casework.Output{{Format: render.FormatPDF}}})
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

// BenchmarkPages is what one page takes, from the request to its last byte, of everything that is looked at all day, in a store with 1,000 cases;
// CASEFORMS_BENCH_CASES says how many. read=N is a document that was looked at so often before.
func BenchmarkPages(b *testing.B) {
	cases := 1000
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
		out, _, err := h.desk.Record(ctx, petra, casework.Record{Form: "cp1", Case: anotherPerson(sample, cases+n), Outputs: []casework.Output{{Format: render.FormatPDF}}})
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
	get := func(path string) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.get(path).expect(b, 200)
			}
		}
	}
	b.Run("home", get("/"))
	b.Run("cases", get("/cases"))
	b.Run("case", get("/cases?q="+string(h.of)))
	b.Run("document/read=0", func(b *testing.B) { // each is looked at once
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			ref, _ := h.record("petra", "01-simple")
			b.StartTimer()
			v.get(documentPath(ref, "")).expect(b, 200)
		}
	})
	b.Run("document/read=300", get(documentPath(often, "")))
	b.Run("document/read=3000", get(documentPath(everywhere, "")))
	b.Run("file", get(documentPath(rarely, "/issues/1/1")))
	b.Run("drafts", get("/drafts"))
	b.Run("tasks", get(at))
	b.Run("part", get(at+"/part/referral"))
	b.Run("answers", get(at+"/answers"))
	b.Run("preview", get(at+"/preview"))
	b.Run("save", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			page := v.open(at + "/part/referral")
			b.StartTimer()
			v.send(page, "forms.cp1.why_now", fmt.Sprint("For the benchmark ", i)).expect(b, 303)
		}
	})
	program := h.program("petra")
	for _, format := range []string{"pdf", "json"} {
		b.Run("api/render/"+format, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				program.ask("POST", "/forms/cp1/render?draft=true&format="+format, sample).expect(b, 200)
			}
		})
	}
}
