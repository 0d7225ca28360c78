package batch_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"caseforms"
	"caseforms/internal/batch"
	"caseforms/render"
)

var update = flag.Bool("update", false, "write samples/batch anew")

const sample = "../../samples/batch/pp1.xlsx"

// filled is the template of pp1 as admin staff hand it in: rows below the example, written as a spreadsheet writes them.
func filled(t *testing.T, cases int, change func(i int, cells map[string]string, items map[string][]map[string]string)) *excelize.File {
	t.Helper()
	d, f := pp1(t)
	var b bytes.Buffer
	if err := render.Template(&b, d, f); err != nil {
		t.Fatal(err)
	}
	book, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { book.Close() })
	next := map[string]int{}
	put := func(table caseforms.CaseTable, number int, from map[string]string) {
		sheet := table.Title
		if next[sheet] == 0 {
			next[sheet] = 5 // bands, headings, keys, the example
		}
		row := next[sheet]
		next[sheet]++
		set := func(col int, v any) {
			name, err := excelize.CoordinatesToCellName(col, row)
			if err == nil {
				err = book.SetCellValue(sheet, name, v)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		set(1, number)
		for i, q := range table.Columns {
			v := from[q.Key]
			if v == "" {
				continue
			}
			if day, err := time.Parse(time.DateOnly, v); err == nil && q.Kind == caseforms.KindDate {
				set(i+2, day)
				continue
			}
			set(i+2, v)
		}
	}
	tables := d.Tables(f)
	for i := 1; i <= cases; i++ {
		cells, items := invented(i)
		if change != nil {
			change(i, cells, items)
		}
		put(tables[0], i, cells)
		for _, tb := range tables[1:] {
			for _, item := range items[tb.List] {
				put(tb, i, item)
			}
		}
	}
	return book
}

// TestSample keeps samples/batch/pp1.xlsx what a filled template is: good rows and a bad one. -update writes it.
func TestSample(t *testing.T) {
	t.Parallel()
	book := filled(t, 8, func(i int, cells map[string]string, items map[string][]map[string]string) {
		switch i {
		case 3:
			cells["person.dob"] = "3/5/1984"
			items["children"] = nil
			cells["children"] = "None known"
		case 5: // the bad one
			cells["person.dob"] = "31/02/1984"
			cells["forms.pp1.area"] = ""
			cells["risk.rosh_public"] = "Huge"
		case 6:
			cells["person.gender"] = "Not known: not recorded at court"
		}
	})
	if *update {
		if err := os.MkdirAll(filepath.Dir(sample), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := book.SaveAs(sample); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := excelize.OpenFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if got, want := dump(t, kept), dump(t, book); got != want {
		t.Errorf("samples/batch/pp1.xlsx is not what the template gives today; go test ./internal/batch -run TestSample -update")
	}
	dir := t.TempDir()
	d, f := pp1(t)
	var bad []batch.Result
	sum, err := batch.Run(context.Background(), batch.Options{Definitions: d, Form: f, Input: sample, Dir: filepath.Join(dir, "out"), Jobs: 2, Fill: caseforms.FillOptions{Today: today},
		Each: func(r batch.Result) error {
			if r.State == batch.Rejected {
				bad = append(bad, r)
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Done != 7 || sum.Rejected != 1 || sum.Fix != "fix.xlsx" || !slices.Equal(sum.DayFirst, []string{"Date of birth"}) {
		t.Errorf("%+v", sum)
	}
	if len(bad) != 1 || bad[0].Row != 9 {
		t.Fatalf("%+v", bad)
	}
	var said []string
	for _, p := range bad[0].Problems {
		if p.Severity == caseforms.Blocking {
			said = append(said, p.String())
		}
	}
	want := []string{"Date of birth (person.dob): is not a date: write it as 3 May 2014, 3/5/2014 or 2014-05-03",
		"Public (risk.rosh_public): is none of the answers that may be given",
		"Area (forms.pp1.area): is not answered and must be before this form is issued"}
	if !slices.Equal(said, want) {
		t.Errorf("says\n%s", strings.Join(said, "\n"))
	}
}

// dump is a workbook as text: every cell of every sheet.
func dump(t *testing.T, f *excelize.File) string {
	t.Helper()
	var b strings.Builder
	for _, s := range f.GetSheetList() {
		rows, err := f.GetRows(s, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		for r, row := range rows {
			for c, v := range row {
				if v != "" {
					fmt.Fprintf(&b, "%s %d,%d %q\n", s, r+1, c+1, v)
				}
			}
		}
	}
	return b.String()
}
