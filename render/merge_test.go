package render_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"caseforms"
	"caseforms/render"
)

// bundle are documents of many kinds, with their labels: short and long ones, lying ones, letters from several scripts.
func bundle(t testing.TB, d *caseforms.Definitions) (docs []*caseforms.Document, labels []string) {
	for i, name := range []string{"01-simple", "02-full", "03-urgent", "05-welsh-polish-names", "04-many-children"} {
		for _, form := range []string{"check", "cp1", "pp1"} {
			docs = append(docs, document(t, d, form, samples(t)[name], caseforms.FillOptions{Draft: i%2 == 0}))
			labels = append(labels, fmt.Sprintf("%s, row %d", strings.ToUpper(form), len(docs)+1))
		}
	}
	docs = append(docs, wideReport(d, 30), report(d, charts(d)["year"]),
		document(t, d, "cp1", []byte(`{"person":{"given_names":"محمد","family_name":"Жук ŵż"},"adults":[{"name":"Amina \u0639\u0644\u064a"}]}`), caseforms.FillOptions{Draft: true}),
		document(t, d, "check", []byte(`{"person":{"given_names":"\u0641\u0627\u0637\u0645\u0629","family_name":"Ελλάδα"}}`), caseforms.FillOptions{Draft: true}),
		document(t, d, "check", nil, caseforms.FillOptions{Blank: true}))
	labels = append(labels, "A list", "A chart", "CP1, row 50", "CHECK, row 51", "CHECK, empty")
	return docs, labels
}

func merged(t testing.TB, docs []*caseforms.Document, labels []string) ([]byte, []render.Report) {
	t.Helper()
	var b bytes.Buffer
	m := render.NewMerge(&b, render.MergeOptions{Title: "Forms to print"})
	var reports []render.Report
	for i, doc := range docs {
		rep, err := m.Add(doc, labels[i])
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, rep)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), reports
}

// Every document is in the file as it is by itself: its pages, its words, its structure, on a front, under a bookmark of its own.
func TestMergePrintsEveryDocumentAsItIs(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	docs, labels := bundle(t, d)
	data, reports := merged(t, docs, labels)
	file := filed(t, "all.pdf", data)
	if out := outside(t, "qpdf", "--check", file); !strings.Contains(out, "No syntax or stream encoding errors") {
		t.Error(out)
	}
	f := parsePDF(t, data)
	for _, finding := range lintPrintJob(f) {
		t.Error(finding)
	}
	if len(lint(parsePDF(t, data), false)) == 0 {
		t.Error("a print job passes for a PDF/UA")
	}
	pages := strings.Split(strings.TrimSuffix(outside(t, "pdftotext", "-layout", file, "-"), "\f"), "\f")
	page := 0
	var starts []int
	for i, doc := range docs {
		if page%2 == 1 {
			if s := strings.TrimSpace(pages[page]); s != "" {
				t.Errorf("before %s the back is not empty: %s", labels[i], s)
			}
			page++
		}
		alone := filed(t, "one.pdf", written(t, doc, render.FormatPDF))
		want := strings.Split(strings.TrimSuffix(outside(t, "pdftotext", "-layout", alone, "-"), "\f"), "\f")
		if len(want) != reports[i].Pages {
			t.Errorf("%s: %d pages are reported of %d", labels[i], reports[i].Pages, len(want))
		}
		starts = append(starts, page+1)
		for k, text := range want {
			if pages[page+k] != text {
				t.Errorf("%s: page %d differs:\n%.300s\n---\n%.300s", labels[i], k+1, pages[page+k], text)
			}
			if !strings.Contains(text, fmt.Sprintf("Page %d of %d", k+1, len(want))) {
				t.Errorf("%s: page %d has no number", labels[i], k+1)
			}
		}
		page += len(want)
	}
	if len(pages) != page {
		t.Errorf("%d pages, want %d", len(pages), page)
	}
	// how the pages look does not change either
	dir := t.TempDir()
	for _, i := range []int{1, 9, 15, 17, 18} {
		alone := filepath.Join(dir, "alone.pdf")
		if err := os.WriteFile(alone, written(t, docs[i], render.FormatPDF), 0o600); err != nil {
			t.Fatal(err)
		}
		for k := range reports[i].Pages {
			one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
			outside(t, "pdftoppm", "-r", "40", "-gray", "-singlefile", "-f", strconv.Itoa(k+1), alone, one)
			outside(t, "pdftoppm", "-r", "40", "-gray", "-singlefile", "-f", strconv.Itoa(starts[i]+k), file, two)
			a, err := os.ReadFile(one + ".pgm")
			b, err2 := os.ReadFile(two + ".pgm")
			if err := errors.Join(err, err2); err != nil || !bytes.Equal(a, b) {
				t.Errorf("%s: page %d looks different, %v", labels[i], k+1, err)
			}
		}
	}
	for _, c := range [][]string{{"mutool", "info", file}, {"gs", "-q", "-dNOPAUSE", "-dBATCH", "-sDEVICE=nullpage", file}} {
		if out := outside(t, c[0], c[1:]...); strings.Contains(strings.ToLower(out), "error") || strings.Contains(out, "warning") {
			t.Errorf("%s: %.500s", c[0], out)
		}
	}
	// bookmarks: one a document, which leads to its first page; those of sections below; no names
	var top []string
	for line := range strings.Lines(outside(t, "mutool", "show", file, "outline")) {
		m := regexp.MustCompile(`^(\S)(\t+)"(.*)"\s+#page=(\d+)`).FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("a bookmark %q", line)
		}
		if len(m[2]) == 1 {
			top = append(top, m[3]+" on "+m[4])
		}
		for _, name := range []string{"Sampleson", "Wholecase", "Placeholder", "Amina"} {
			if strings.Contains(m[3], name) {
				t.Errorf("a bookmark has a name: %s", m[3])
			}
		}
	}
	for i := range docs {
		if want := fmt.Sprintf("%s on %d", labels[i], starts[i]); i >= len(top) || top[i] != want {
			t.Fatalf("bookmarks %q, want %q", top, want)
		}
	}
	for _, key := range []string{"EmbeddedFiles", "AcroForm", "AF", "OutputIntents"} {
		if c, err := f.Catalog(); err != nil || c[key] != nil {
			t.Errorf("a print job has %s, %v", key, err)
		}
	}
	if info := outside(t, "pdfinfo", file); !strings.Contains(info, "Title:           Forms to print") || !strings.Contains(info, "Tagged:          yes") {
		t.Error(info)
	}
}

func TestMergeIsReproducible(t *testing.T) {
	t.Parallel()
	docs, labels := bundle(t, load(t, ""))
	first, _ := merged(t, docs, labels)
	again, _ := merged(t, docs, labels)
	if !bytes.Equal(first, again) {
		t.Error("other bytes")
	}
	if other, _ := merged(t, docs[:3], labels); bytes.Equal(other[len(other)-200:], first[len(first)-200:]) {
		t.Error("other documents have the same identifier")
	}
}

// A document that cannot be written leaves the file as it was, and a full disk is told.
func TestMergeThatFails(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	docs, labels := bundle(t, d)
	bad := report(d, &caseforms.Chart{Key: "bad", Label: "No words", Series: []string{"made"}, Groups: []caseforms.BarGroup{{Label: "a", Values: []int{1}}}})
	var b bytes.Buffer
	m := render.NewMerge(&b, render.MergeOptions{Title: "Forms to print"})
	if _, err := m.Add(bad, "bad"); err == nil {
		t.Fatal("a chart that cannot be written is taken")
	}
	for i := range 4 {
		if _, err := m.Add(docs[i], labels[i]); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Add(bad, "bad"); err == nil {
			t.Fatal("a chart that cannot be written is taken")
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if want, _ := merged(t, docs[:4], labels); !bytes.Equal(b.Bytes(), want) {
		t.Error("what was refused left something")
	}
	for _, room := range []int{0, 1000, 60_000} {
		m := render.NewMerge(&full{room}, render.MergeOptions{})
		var err error
		for i := 0; i < len(docs) && err == nil; i++ {
			_, err = m.Add(docs[i], labels[i])
		}
		if again := m.Close(); err == nil || again == nil || again.Error() != err.Error() {
			t.Errorf("room for %d: %v, then %v", room, err, again)
		}
	}
	b.Reset()
	if err := render.NewMerge(&b, render.MergeOptions{}).Close(); err == nil || b.Len() > 0 || !strings.Contains(err.Error(), "no document") {
		t.Errorf("nothing to print: %v, %d bytes", err, b.Len())
	}
}

// Groups of the page tree, and more documents than one of them has.
func TestMergeOfMany(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	var docs []*caseforms.Document
	var labels []string
	for i := range 120 {
		docs = append(docs, document(t, d, "pp1-jobcentre", samples(t)["02-full"], caseforms.FillOptions{}))
		labels = append(labels, fmt.Sprint("row ", i+1))
	}
	data, _ := merged(t, docs, labels)
	f := parsePDF(t, data)
	for _, finding := range lintPrintJob(f) {
		t.Error(finding)
	}
	l := &linter{f: f}
	l.catalog()
	if n := len(l.pageNumbers()); n != 239 { // of one page each
		t.Errorf("%d pages", n)
	}
	if limit := 120 * 4000; len(data) > limit {
		t.Errorf("%d bytes: the fonts are not shared", len(data))
	}
}

// The documents of a print job, one after another; B/doc is what stands in the file, B/kept what stays in memory.
func BenchmarkMerge(b *testing.B) {
	d := load(b, "")
	var docs []*caseforms.Document
	for _, name := range []string{"01-simple", "02-full", "06-care-leaver", "07-level-3"} {
		docs = append(docs, document(b, d, "pp1", samples(b)[name], caseforms.FillOptions{Draft: true}))
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var n counter
	m := render.NewMerge(&n, render.MergeOptions{})
	before := heap()
	b.ResetTimer()
	for i := range b.N {
		if _, err := m.Add(docs[i%len(docs)], "row "+strconv.Itoa(i+1)); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	kept := int64(heap() - before)
	b.StartTimer()
	if err := m.Close(); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "docs/s")
	b.ReportMetric(float64(n)/float64(b.N), "B/doc")
	b.ReportMetric(float64(kept)/float64(b.N), "kept-B/doc")
	reportMemory(b)
}
