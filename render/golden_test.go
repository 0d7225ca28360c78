package render_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"caseforms"
	"caseforms/render"
	"caseforms/templates"
)

var update = flag.Bool("update", false, "write the golden files anew; read them before you commit them")

// Golden files hold what a person can read and judge: text, the structure a screen reader goes by, and cells. One of each for every form,
// blank, minimal and full.
func TestGolden(t *testing.T) {
	t.Parallel()
	cases := samples(t)
	for _, area := range append(templates.Areas(), "") {
		d := load(t, area)
		for _, f := range own(d, area) {
			for name, data := range map[string][]byte{"blank": nil, "minimal": cases["03-urgent"], "full": cases["02-full"]} {
				doc := document(t, d, f.ID, data, caseforms.FillOptions{Draft: data != nil, Blank: data == nil})
				base := strings.TrimPrefix(area+"-"+f.ID+"-"+name, "-")
				golden(t, base+".txt", string(written(t, doc, render.FormatText)))
				golden(t, base+".html", strings.Replace(string(written(t, doc, render.FormatHTML)), css(t), "", 1))
				golden(t, base+".cells", cells(t, written(t, doc, render.FormatWorkbook)))
				t.Run(base, func(t *testing.T) {
					t.Parallel()
					file := filepath.Join(t.TempDir(), "x.pdf")
					if err := os.WriteFile(file, written(t, doc, render.FormatPDF), 0o600); err != nil {
						t.Fatal(err)
					}
					golden(t, base+".structure", outside(t, "pdfinfo", "-struct-text", file))
				})
			}
		}
	}
}

// css is the style sheet, which has no place in a golden file of each form.
func css(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for i := range min(len(g), len(w)) {
			if g[i] != w[i] {
				t.Errorf("%s, line %d:\n got %s\nwant %s", name, i+1, g[i], w[i])
				return
			}
		}
		t.Errorf("%s has %d lines, want %d", name, len(g), len(w))
	}
}

// cells is a workbook as a list of its cells, with merges, drop-downs and kinds.
func cells(t *testing.T, data []byte) string {
	t.Helper()
	x, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	var b strings.Builder
	for _, sheet := range x.GetSheetList() {
		visible, err := x.GetSheetVisible(sheet)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "sheet %s (visible: %v)\n", sheet, visible)
		layout, err := x.GetPageLayout(sheet)
		if err != nil {
			t.Fatal(err)
		}
		if hf, err := x.GetHeaderFooter(sheet); err == nil && hf != nil {
			fmt.Fprintf(&b, "paper %d, %s, %d wide; head %q, foot %q\n", *layout.Size, *layout.Orientation, *layout.FitToWidth, hf.OddHeader, hf.OddFooter)
		}
		rows, err := x.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for r := range rows {
			for c, v := range rows[r] {
				if v == "" {
					continue
				}
				at, _ := excelize.CoordinatesToCellName(c+1, r+1)
				kind, err := x.GetCellType(sheet, at)
				if err != nil {
					t.Fatal(err)
				}
				mark := ""
				if kind == excelize.CellTypeUnset {
					mark = " (date)"
				}
				id, err := x.GetCellStyle(sheet, at)
				if err != nil {
					t.Fatal(err)
				}
				if style, err := x.GetStyle(id); err == nil && style.NumFmt == 49 {
					mark = " @"
				} else if err == nil && style.NumFmt == 3 {
					mark = " (number)"
				}
				fmt.Fprintf(&b, "%s %q%s\n", at, v, mark)
			}
		}
		dvs, err := x.GetDataValidations(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for _, dv := range dvs {
			fmt.Fprintf(&b, "choice at %s from %s\n", dv.Sqref, dv.Formula1)
		}
	}
	return b.String()
}
