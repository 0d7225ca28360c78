package render_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"caseforms"
	"caseforms/render"
)

// registerCases are PP1s as an office has them, each of another person.
func registerCases(t testing.TB, d *caseforms.Definitions, n int) []*caseforms.Document {
	var templates []*caseforms.Document
	for _, name := range []string{"01-simple", "02-full", "06-care-leaver", "07-level-3"} {
		templates = append(templates, document(t, d, "pp1", samples(t)[name], caseforms.FillOptions{Draft: true}))
	}
	areas := []string{"Northtown and Westbury", "Eastwick", "Southmere", "Lower Vale", "Hill Districts", "Coast and Estuary"}
	family := []string{"Sampleson", "Wholecase", "Younger", "Threelevel", "O'Example", "Placeholder & Co", "Ŵyn-Żółć"}
	docs := make([]*caseforms.Document, n)
	for i := range docs {
		docs[i] = changed(templates[i%len(templates)], func(a *caseforms.Answer) {
			say := func(value, text string) { a.State, a.Value, a.Text = caseforms.Answered, value, text }
			switch a.Key {
			case "person_name", "name":
				say("", fmt.Sprintf("Person%d %s", i, family[i%len(family)]))
			case "crn":
				say(fmt.Sprintf("X%06d", i), fmt.Sprintf("X%06d", i))
			case "prison_number":
				if i%3 > 0 {
					say("", fmt.Sprintf("A%04dAA", i%10000))
				}
			case "pnc":
				say("", fmt.Sprintf("1999/%07dB", i))
			case "dob":
				say(fmt.Sprintf("19%02d-%02d-%02d", 50+i%50, 1+i%12, 1+i%28), "")
			case "area":
				say("", areas[i*i%len(areas)])
			case "proposed_level":
				v := strconv.Itoa(1 + (i*7%11)/4)
				say(v, v)
			case "sign_date":
				say(fmt.Sprintf("2026-%02d-%02d", 1+i%12, 1+i%28), "")
			}
		})
		docs[i].Draft, docs[i].Ref = false, fmt.Sprintf("CF-%04X-%04X", i*7919%65536, i)
	}
	return docs
}

// changed is a document with some answers changed.
func changed(doc *caseforms.Document, change func(a *caseforms.Answer)) *caseforms.Document {
	c := *doc
	c.Sections = append([]caseforms.DocSection(nil), doc.Sections...)
	for i := range c.Sections {
		s := &c.Sections[i]
		s.Parts = append([]caseforms.Part(nil), s.Parts...)
		for j, p := range s.Parts {
			if p.Answer != nil {
				a := *p.Answer
				change(&a)
				s.Parts[j].Answer = &a
			}
		}
	}
	return &c
}

func caseRegister(t testing.TB, d *caseforms.Definitions, form string) *caseforms.CaseRegister {
	t.Helper()
	f, err := d.Form(form)
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.CaseRegister(f)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// writeRegister writes a register of so many rows, with the documents over and over.
func writeRegister(t testing.TB, w io.Writer, l *caseforms.CaseRegister, docs []*caseforms.Document, rows int) {
	t.Helper()
	r, err := render.NewRegister(w, render.RegisterOptions{}, l)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := r.Add(docs[i%len(docs)], render.RegisterRow{Row: i + 2, File: fmt.Sprintf("pp1-%06d.pdf", i+2)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// The rows of PP1's 40 columns, and five of the register's own, from filled forms to a file's bytes.
func BenchmarkRegister(b *testing.B) {
	d := load(b, "")
	l := caseRegister(b, d, "pp1")
	docs := registerCases(b, d, 500)
	var n counter
	b.ReportAllocs()
	b.ResetTimer()
	writeRegister(b, &n, l, docs, b.N)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(n)/float64(b.N), "B/row")
	reportMemory(b)
}

// reportMemory tells what the process has taken from the system, test and definitions included.
func reportMemory(b *testing.B) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys>>20), "MB-of-process")
}

// What excelize's StreamWriter takes for the same cells.
func BenchmarkRegisterByExcelize(b *testing.B) {
	cells := registerCells(b)
	b.ResetTimer()
	excelizeRegister(b, io.Discard, cells, b.N)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	reportMemory(b)
}

func excelizeRegister(b *testing.B, w io.Writer, cells [][]string, rows int) {
	x := excelize.NewFile(excelize.Options{TmpDir: b.TempDir()})
	defer x.Close()
	format := "d mmm yyyy"
	date, err := x.NewStyle(&excelize.Style{CustomNumFmt: &format})
	if err != nil {
		b.Fatal(err)
	}
	text, err := x.NewStyle(&excelize.Style{NumFmt: 49})
	if err != nil {
		b.Fatal(err)
	}
	s, err := x.NewStreamWriter("Sheet1")
	if err != nil {
		b.Fatal(err)
	}
	row := make([]any, len(cells[0]))
	for i := range rows {
		for j, c := range cells[1+i%(len(cells)-1)] {
			switch v, _ := strconv.Atoi(c[1:]); c[0] {
			case 'd':
				row[j] = excelize.Cell{StyleID: date, Value: v}
			case 'n':
				row[j] = v
			default:
				row[j] = excelize.Cell{StyleID: text, Value: c[1:]}
			}
		}
		if err := s.SetRow("A"+strconv.Itoa(i+2), row); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := x.Write(w); err != nil {
		b.Fatal(err)
	}
}

// registerCells are the cells of a register of 500 rows, as the program in C reads them: with what they are before each.
func registerCells(t testing.TB) [][]string {
	t.Helper()
	d := load(t, "")
	var buf bytes.Buffer
	writeRegister(t, &buf, caseRegister(t, d, "pp1"), registerCases(t, d, 500), 500)
	x, err := excelize.OpenReader(&buf)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	sheet := x.GetSheetList()[0]
	rows, err := x.GetRows(sheet, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		for j := range row {
			at, err := excelize.CoordinatesToCellName(j+1, i+1)
			if err != nil {
				t.Fatal(err)
			}
			kind, err := x.GetCellType(sheet, at)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case kind == excelize.CellTypeInlineString:
				row[j] = "t" + row[j]
			case j == 0:
				row[j] = "n" + row[j]
			default:
				row[j] = "d" + row[j]
			}
		}
	}
	return rows
}

// The target: no more than 1.3 times the processor time of libxlsxwriter in constant-memory mode, for 50,000 rows of the same cells in a file
// on the disk (Debian: gcc and libxlsxwriter-dev). Ours writes the totals as well, and looks its cells up in documents.
//
//	go test -run '^$' -bench RegisterAgainstC -benchtime 5x -cpu 1 ./render
func BenchmarkRegisterAgainstC(b *testing.B) {
	const rows = 50_000
	dir := b.TempDir()
	program := filepath.Join(dir, "register")
	if out, err := exec.Command("cc", "-O2", "-o", program, "testdata/libxlsxwriter/register.c", "-lxlsxwriter").CombinedOutput(); err != nil {
		b.Skipf("there is no compiler or no libxlsxwriter: %v %s", err, out)
	}
	var lines strings.Builder
	for _, row := range registerCells(b) {
		lines.WriteString(strings.Join(row, "\t") + "\n")
	}
	cells := filepath.Join(dir, "cells")
	if err := os.WriteFile(cells, []byte(lines.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	d := load(b, "")
	l := caseRegister(b, d, "pp1")
	docs := registerCases(b, d, 500)
	var ours, theirs float64
	b.ResetTimer()
	for range b.N {
		cmd := exec.Command(program, cells, strconv.Itoa(rows), filepath.Join(dir, "c.xlsx"))
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v %s", err, out)
		}
		theirs += (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
		runtime.GC()
		from := processorTime(b)
		f, err := os.Create(filepath.Join(dir, "go.xlsx"))
		if err != nil {
			b.Fatal(err)
		}
		writeRegister(b, f, l, docs, rows)
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
		ours += processorTime(b) - from
	}
	b.ReportMetric(ours/float64(b.N), "s/ours")
	b.ReportMetric(theirs/float64(b.N), "s/theirs")
	b.ReportMetric(ours/theirs, "ratio")
	for _, f := range []string{"go", "c"} {
		if st, err := os.Stat(filepath.Join(dir, f+".xlsx")); err == nil {
			b.ReportMetric(float64(st.Size())/1e6, "MB/"+f)
		}
	}
}
