package batch_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"caseforms/internal/batch"
)

// edited writes a copy of a workbook with something changed in it; under its own name it is changed in place.
func edited(t *testing.T, from, to string, change func(*excelize.File)) string {
	t.Helper()
	book, err := excelize.OpenFile(from)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	change(book)
	if err := book.SaveAs(to); err != nil {
		t.Fatal(err)
	}
	return to
}

// rowsOf are the rows of a sheet below its headings and its keys.
func rowsOf(t *testing.T, name, sheet string) [][]string {
	t.Helper()
	book, err := excelize.OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	rows, err := book.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	return rows[2:]
}

// column is where a heading stands, and the letters of its column.
func column(t *testing.T, book *excelize.File, sheet, head string) (int, string) {
	t.Helper()
	rows, err := book.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	n := slices.Index(rows[0], head)
	if n < 0 {
		t.Fatalf("%s has no %s: %q", sheet, head, rows[0])
	}
	name, err := excelize.ColumnNumberToName(n + 1)
	if err != nil {
		t.Fatal(err)
	}
	return n, name
}

// only takes all rows but that of a row of the first file out of fix.xlsx, and answers what it lacks.
func only(t *testing.T, row, area string) func(*excelize.File) {
	return func(book *excelize.File) {
		at, number := "", ""
		rows, err := book.GetRows("Cases")
		if err != nil {
			t.Fatal(err)
		}
		for n := len(rows); n > 2; n-- {
			if rows[n-1][2] == row {
				number = rows[n-1][3]
			} else if err := book.RemoveRow("Cases", n); err != nil {
				t.Fatal(err)
			}
		}
		for _, sheet := range []string{"Children", "Offences", "Addresses"} {
			rows, err := book.GetRows(sheet)
			if err != nil {
				t.Fatal(err)
			}
			for n := len(rows); n > 2; n-- {
				if rows[n-1][1] != number {
					if err := book.RemoveRow(sheet, n); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		_, at = column(t, book, "Cases", "Area")
		if err := book.SetCellStr("Cases", at+"3", area); err != nil {
			t.Fatal(err)
		}
	}
}

// threeBad are nine rows; those of the cases 2, 4 and 7, which are the rows 4, 6 and 9, are rejected.
func threeBad(t *testing.T) string {
	return cases(t, 9, func(i int, cells map[string]string, _ map[string][]map[string]string) {
		if i == 2 || i == 4 || i == 7 {
			cells["forms.pp1.area"] = ""
		}
	})
}

// What was rejected and not given back stays open, with its rows of other sheets.
func TestHalfGivenBack(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "out")
	if sum, err := runIt(t, threeBad(t), dir); err != nil || sum.Rejected != 3 {
		t.Fatalf("%+v %v", sum, err)
	}
	fix := filepath.Join(dir, "fix.xlsx")
	children, all := rowsOf(t, fix, "Children"), rowsOf(t, fix, "Cases")
	half := edited(t, fix, filepath.Join(t.TempDir(), "half.xlsx"), only(t, "6", "Northtown"))
	sum, err := runIt(t, half, dir)
	if err != nil || sum.Done != 1 || sum.Rejected != 0 || !slices.Equal(sum.Waiting, []int{4, 9}) || sum.Fix != "fix.xlsx" {
		t.Fatalf("%+v %v", sum, err)
	}
	left := rowsOf(t, fix, "Cases")
	if len(left) != 2 || !slices.Equal(left[0], all[0]) || !slices.Equal(left[1], all[2]) {
		t.Errorf("%q", left)
	}
	mine := slices.DeleteFunc(children, func(r []string) bool { return r[1] == "4" })
	if got := rowsOf(t, fix, "Children"); fmt.Sprint(got) != fmt.Sprint(mine) {
		t.Errorf("children %q, want %q", got, mine)
	}
	// What is rejected again stands among them, in the order of the first file; a case number that is taken is changed, with that of its rows.
	half = edited(t, fix, filepath.Join(t.TempDir(), "half.xlsx"), only(t, "9", ""))
	edited(t, half, half, func(book *excelize.File) {
		for _, sheet := range []string{"Cases", "Children", "Offences", "Addresses"} {
			_, at := column(t, book, sheet, "Case")
			for n := 3; n < 9; n++ {
				if v, err := book.GetCellValue(sheet, fmt.Sprint(at, n)); err == nil && v != "" {
					if err := book.SetCellStr(sheet, fmt.Sprint(at, n), "2"); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	})
	sum, err = runIt(t, half, dir)
	if err != nil || sum.Rejected != 1 || !slices.Equal(sum.Waiting, []int{4}) {
		t.Fatalf("%+v %v", sum, err)
	}
	if got := rowsOf(t, fix, "Cases"); len(got) != 2 || got[0][2] != "4" || got[1][2] != "9" || got[0][3] == got[1][3] {
		t.Errorf("%q", got)
	}
	edited(t, fix, fix, func(book *excelize.File) {
		_, at := column(t, book, "Cases", "Area")
		for _, n := range []string{"3", "4"} {
			if err := book.SetCellStr("Cases", at+n, "Northtown"); err != nil {
				t.Fatal(err)
			}
		}
	})
	sum, err = runIt(t, fix, dir)
	if err != nil || sum.Done != 2 || len(sum.Waiting) != 0 || sum.Fix != "" {
		t.Fatalf("%+v %v", sum, err)
	}
	clean := filepath.Join(t.TempDir(), "clean")
	if _, err := runIt(t, cases(t, 9, func(i int, cells map[string]string, _ map[string][]map[string]string) {
		if i == 2 || i == 4 || i == 7 {
			cells["forms.pp1.area"] = "Northtown"
		}
	}), clean); err != nil {
		t.Fatal(err)
	}
	if got, want := documents(contents(t, dir)), documents(contents(t, clean)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the documents are not those of a file without mistakes: %v, want %v", got, want)
	}
}

// A file of other cases in the same folder leaves what waits there; the first file, corrected, does not.
func TestOtherFileInFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "out")
	if sum, err := runIt(t, threeBad(t), dir); err != nil || sum.Rejected != 3 {
		t.Fatalf("%+v %v", sum, err)
	}
	other := cases(t, 9, func(i int, cells map[string]string, _ map[string][]map[string]string) {
		cells["person.crn"], cells["person.family_name"] = fmt.Sprintf("Y%06d", i), fmt.Sprintf("Other-%d", i)
		if i == 5 {
			cells["forms.pp1.area"] = ""
		}
	})
	sum, err := runIt(t, other, dir)
	if err != nil || sum.Done != 8 || sum.Rejected != 1 || !slices.Equal(sum.Waiting, []int{4, 6, 9}) {
		t.Fatalf("%+v %v", sum, err)
	}
	if got := rowsOf(t, filepath.Join(dir, "fix.xlsx"), "Cases"); len(got) != 4 || got[1][2] != "6" || got[2][2] != "7" {
		t.Errorf("%q", got)
	}
	corrected := cases(t, 9, func(i int, cells map[string]string, _ map[string][]map[string]string) {
		if i == 2 {
			cells["person.crn"] = "Z000002" // was mistyped
		}
	})
	sum, err = runIt(t, corrected, dir)
	if err != nil || sum.Done != 3 || sum.Kept != 6 || !slices.Equal(sum.Waiting, []int{7}) {
		t.Fatalf("%+v %v", sum, err)
	}
}

// Corrections in the folder are not written over by an older copy of the file.
func TestOlderCopy(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "out")
	if sum, err := runIt(t, threeBad(t), dir); err != nil || sum.Rejected != 3 {
		t.Fatalf("%+v %v", sum, err)
	}
	fix, old := filepath.Join(dir, "fix.xlsx"), filepath.Join(t.TempDir(), "old.xlsx")
	edited(t, fix, old, func(*excelize.File) {})
	edited(t, fix, fix, only(t, "6", "Northtown"))
	before := contents(t, dir)
	if _, err := runIt(t, old, dir); err == nil || !strings.Contains(err.Error(), "was corrected and not given back") {
		t.Errorf("%v", err)
	}
	if after := contents(t, dir); after["fix.xlsx"] != before["fix.xlsx"] {
		t.Error("the corrections are gone")
	}
	edited(t, fix, old, func(*excelize.File) {})
	if sum, err := runIt(t, fix, dir); err != nil || sum.Done != 1 {
		t.Errorf("%+v %v", sum, err)
	}
}

// Lines of a .jsonl are given back as those of a workbook are, and know which line they were.
func TestLinesGivenBack(t *testing.T) {
	t.Parallel()
	made := filepath.Join(t.TempDir(), "records")
	d, f := pp1(t)
	sum, err := batch.Run(t.Context(), batch.Options{Definitions: d, Form: f, Input: cases(t, 5, nil), Dir: made, Jobs: 1, Make: func(_ context.Context, r batch.Row) (batch.Made, error) {
		return batch.Made{Bytes: r.JSON}, nil
	}})
	if err != nil || sum.Done != 5 {
		t.Fatalf("%+v %v", sum, err)
	}
	var lines []string
	for n := 3; n < 8; n++ {
		b, err := os.ReadFile(filepath.Join(made, fmt.Sprintf("pp1-%05d.pdf", n)))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(b))
	}
	good := slices.Clone(lines)
	lines[1] = strings.Replace(lines[1], `"rosh_public":"`, `"rosh_public":"no `, 1)
	lines[3] = "no record at all"
	lines[4] = strings.Replace(lines[4], `{`, `{ "crm": 1,`, 1)
	name := filepath.Join(t.TempDir(), "cases.jsonl")
	write := func(name string, lines ...string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(name, lines...)
	dir := filepath.Join(t.TempDir(), "out")
	fix := filepath.Join(dir, "fix.jsonl")
	sum, err = runIt(t, name, dir)
	if err != nil || sum.Done != 2 || sum.Rejected != 3 || sum.Fix != "fix.jsonl" {
		t.Fatalf("%+v %v", sum, err)
	}
	b, err := os.ReadFile(fix)
	if err != nil {
		t.Fatal(err)
	}
	back := strings.Split(strings.TrimSpace(string(b)), "\n")
	want := []string{`{"line_in_first_file":2,` + lines[1][1:], `{"line_in_first_file":4,"not_a_record":"no record at all"}`, `{"line_in_first_file":5,` + lines[4][1:]}
	if !slices.Equal(back, want) {
		t.Fatalf("%.60q, want %.60q", back, want)
	}
	// Given back as they are they come back as they are, not marked twice.
	if sum, err = runIt(t, fix, dir); err != nil || sum.Rejected != 3 {
		t.Fatalf("%+v %v", sum, err)
	}
	if again, err := os.ReadFile(fix); err != nil || string(again) != string(b) {
		t.Errorf("%.60q %v", again, err)
	}
	// A program may put the member elsewhere, and somebody may give back a part.
	part := filepath.Join(t.TempDir(), "part.jsonl")
	write(part, strings.TrimSuffix(good[4], "}")+`,"line_in_first_file": 5}`)
	if sum, err = runIt(t, part, dir); err != nil || sum.Done != 1 || !slices.Equal(sum.Waiting, []int{2, 4}) {
		t.Fatalf("%+v %v", sum, err)
	}
	write(fix, good[1], good[3])
	if _, err = runIt(t, fix, dir); err == nil || !strings.Contains(err.Error(), "line_in_first_file") {
		t.Errorf("of lines that do not tell which they are: %v", err)
	}
	write(fix, `{"line_in_first_file":2,  `+good[1][1:], `{"line_in_first_file":4,`+good[3][1:])
	if sum, err = runIt(t, fix, dir); err != nil || sum.Done != 2 || sum.Fix != "" {
		t.Fatalf("%+v %v", sum, err)
	}
	for n := 1; n < 6; n++ {
		if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("pp1-%05d.pdf", n))); err != nil {
			t.Error(err)
		}
	}
	if n := len(documents(contents(t, dir))); n != 5 {
		t.Errorf("%d documents", n)
	}
	if sum, err = runIt(t, name, dir); err != nil || sum.Kept != 5 || sum.Corrected != 3 {
		t.Errorf("the first file again: %+v %v", sum, err)
	}
}

// A file that lacks what tells which rows it corrects is told so; its keys are never taken for a case.
func TestFixWithoutOurColumns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, says string
		heads      []string
	}{
		{"the row", `the column "Row in the first file" is missing`, []string{"Row in the first file"}},
		{"all of ours", `the column "Row in the first file" is missing`, []string{"Row in the first file", "What to do", "Problem"}},
		{"the problem", "", []string{"Problem"}},
		{"the problem and what to do", "", []string{"What to do", "Problem"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "out")
			if sum, err := runIt(t, threeBad(t), dir); err != nil || sum.Rejected != 3 {
				t.Fatalf("%+v %v", sum, err)
			}
			fix := filepath.Join(dir, "fix.xlsx")
			edited(t, fix, fix, func(book *excelize.File) {
				_, at := column(t, book, "Cases", "Area")
				for _, n := range []string{"3", "4", "5"} {
					if err := book.SetCellStr("Cases", at+n, "Northtown"); err != nil {
						t.Fatal(err)
					}
				}
				for _, head := range c.heads {
					_, at := column(t, book, "Cases", head)
					if err := book.RemoveCol("Cases", at); err != nil {
						t.Fatal(err)
					}
				}
			})
			sum, err := runIt(t, fix, dir)
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%+v %v", sum, err)
				}
				return
			}
			if err != nil || sum.Rows != 3 || sum.Done != 3 || sum.Fix != "" {
				t.Errorf("%+v %v", sum, err)
			}
			if after := contents(t, dir); after["pp1-00004.pdf"] == "" || after["pp1-00006.pdf"] == "" || after["pp1-00009.pdf"] == "" {
				t.Errorf("%v", after)
			}
		})
	}
}

// A document of a row that was done, and now is not, is not called one that nobody needs.
func TestDoneBeforeAndNotNow(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "out")
	if sum, err := runIt(t, cases(t, 4, nil), dir); err != nil || sum.Done != 4 {
		t.Fatalf("%+v %v", sum, err)
	}
	turned := cases(t, 3, func(i int, cells map[string]string, _ map[string][]map[string]string) {
		switch i {
		case 1:
			cells["risk.rosh_public"] = "Perhaps"
		case 2:
			cells["forms.pp1.area"], cells["person.crn"] = "", "Y000002" // somebody else
		}
	})
	sum, err := runIt(t, turned, dir)
	if err != nil || sum.Rejected != 2 {
		t.Fatalf("%+v %v", sum, err)
	}
	if want := []batch.Outdated{{Row: 3, File: "pp1-00003.pdf"}}; !slices.Equal(sum.Outdated, want) || !slices.Equal(sum.Stale, []string{"pp1-00004.pdf", "pp1-00006.pdf"}) {
		t.Errorf("outdated %v, stale %v", sum.Outdated, sum.Stale)
	}
}

// What was corrected in fix.xlsx is known to a run of the first file: it is done as it was corrected, and does not come back once more.
func TestFirstFileAfterCorrections(t *testing.T) {
	t.Parallel()
	dir, in := filepath.Join(t.TempDir(), "out"), threeBad(t)
	if sum, err := runIt(t, in, dir); err != nil || sum.Rejected != 3 {
		t.Fatalf("%+v %v", sum, err)
	}
	fix := filepath.Join(dir, "fix.xlsx")
	// In two rounds, in the second of which another case was written over a copy of a row.
	edited(t, fix, fix, func(book *excelize.File) {
		_, area := column(t, book, "Cases", "Area")
		if err := book.SetCellStr("Cases", area+"4", "Northtown"); err != nil {
			t.Fatal(err)
		}
	})
	if sum, err := runIt(t, fix, dir); err != nil || sum.Done != 1 || sum.Rejected != 2 {
		t.Fatalf("%+v %v", sum, err)
	}
	edited(t, fix, fix, func(book *excelize.File) {
		_, area := column(t, book, "Cases", "Area")
		for _, n := range []string{"3", "4"} {
			if err := book.SetCellStr("Cases", area+n, "Northtown"); err != nil {
				t.Fatal(err)
			}
		}
		if err := book.DuplicateRow("Cases", 4); err != nil {
			t.Fatal(err)
		}
		for _, sheet := range []string{"Children", "Offences", "Addresses"} {
			rows, err := book.GetRows(sheet)
			if err != nil {
				t.Fatal(err)
			}
			n := slices.IndexFunc(rows, func(r []string) bool { return len(r) > 1 && r[1] == "7" }) + 1
			if err := book.DuplicateRow(sheet, n); err != nil {
				t.Fatal(err)
			}
			if err := book.SetCellStr(sheet, fmt.Sprint("B", n), "77"); err != nil {
				t.Fatal(err)
			}
		}
		for head, v := range map[string]string{"Family name": "Copied", "CRN": "Y000001", "Case": "77"} {
			_, at := column(t, book, "Cases", head)
			if err := book.SetCellStr("Cases", at+"5", v); err != nil {
				t.Fatal(err)
			}
		}
	})
	if sum, err := runIt(t, fix, dir); err != nil || sum.Done != 3 || sum.Fix != "" {
		t.Fatalf("%+v %v", sum, err)
	}
	before := documents(contents(t, dir))
	var rows []int
	sum, err := runIt(t, in, dir, func(o *batch.Options) {
		o.Contents = true
		o.Each = func(r batch.Result) error {
			if r.State == batch.Kept && r.Corrected && r.Case != nil && r.Case.Forms["pp1"] != nil {
				rows = append(rows, r.Row)
			}
			return nil
		}
	})
	// Of row 9 nobody can tell which of the two corrected it.
	if err != nil || sum.Kept != 8 || sum.Corrected != 2 || sum.Rejected != 1 || !slices.Equal(rows, []int{4, 6}) {
		t.Fatalf("%+v %v, corrected %v", sum, err, rows)
	}
	if after := documents(contents(t, dir)); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%v, was %v", after, before)
	}
	// A document that was lost is made as it was corrected; a row that says something else in the first file now is not as it was.
	if err := os.Remove(filepath.Join(dir, "pp1-00006.pdf")); err != nil {
		t.Fatal(err)
	}
	if sum, err := runIt(t, in, dir); err != nil || sum.Done != 1 || sum.Kept != 7 || documents(contents(t, dir))["pp1-00006.pdf"] != before["pp1-00006.pdf"] {
		t.Fatalf("%+v %v", sum, err)
	}
	changed := cases(t, 9, func(i int, cells map[string]string, _ map[string][]map[string]string) {
		if i == 2 || i == 4 || i == 7 {
			cells["forms.pp1.area"] = ""
		}
		if i == 4 {
			cells["person.nationality"] = "Irish"
		}
	})
	if sum, err := runIt(t, changed, dir); err != nil || sum.Corrected != 1 || sum.Rejected != 2 {
		t.Fatalf("%+v %v", sum, err)
	}
}

// Rows that were taken out of fix.xlsx are told as not done.
func TestTakenOut(t *testing.T) {
	t.Parallel()
	dir, in := filepath.Join(t.TempDir(), "out"), threeBad(t)
	if sum, err := runIt(t, in, dir); err != nil || sum.Rejected != 3 {
		t.Fatalf("%+v %v", sum, err)
	}
	fix := filepath.Join(dir, "fix.xlsx")
	edited(t, fix, fix, only(t, "6", "Northtown"))
	if sum, err := runIt(t, fix, dir); err != nil || sum.Done != 1 || sum.Fix != "" || !slices.Equal(sum.TakenOut, []int{4, 9}) {
		t.Fatalf("%+v %v", sum, err)
	}
	if sum, err := runIt(t, in, dir); err != nil || sum.Kept != 7 || sum.Corrected != 1 || sum.Rejected != 2 {
		t.Fatalf("%+v %v", sum, err)
	}
}

// One sheet of fix.xlsx, saved as .csv, does not have the children; without any it can be given back.
func TestFixAsCSV(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ sheets, says string }{{"yes", `no sheet "`}, {"", ""}} {
		dir := filepath.Join(t.TempDir(), "out")
		in := cases(t, 2, func(i int, cells map[string]string, items map[string][]map[string]string) {
			cells["forms.pp1.area"] = ""
			if c.sheets == "" {
				clear(items)
			}
		})
		if sum, err := runIt(t, in, dir); err != nil || sum.Rejected != 2 {
			t.Fatalf("%+v %v", sum, err)
		}
		book, err := excelize.OpenFile(filepath.Join(dir, "fix.xlsx"))
		if err != nil {
			t.Fatal(err)
		}
		defer book.Close()
		rows, err := book.GetRows("Cases")
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		w := csv.NewWriter(&b)
		area, _ := column(t, book, "Cases", "Area")
		for i, r := range rows {
			if i > 1 {
				r[area] = "Northtown"
			}
			for h, v := range map[string]string{"Children": "None known", "Addresses": "Not known", "Offences": "Not known"} {
				if n := slices.Index(rows[0], h); n >= 0 && i > 1 && n < len(r) {
					r[n] = v
				}
			}
			if err := w.Write(r); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		name := filepath.Join(t.TempDir(), "fix.csv")
		if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		sum, err := runIt(t, name, dir)
		if c.says != "" {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v %v", sum, err)
			}
			continue
		}
		if err != nil || sum.Rows != 2 || len(sum.Waiting) != 0 {
			t.Errorf("%+v %v", sum, err)
		}
	}
}
