package render_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"caseforms"
	"caseforms/render"
	"caseforms/templates"
)

// registerOf is a register of some documents, the n-th from row n+1.
func registerOf(t testing.TB, l *caseforms.CaseRegister, docs ...*caseforms.Document) []byte {
	t.Helper()
	var b bytes.Buffer
	writeRegister(t, &b, l, docs, len(docs))
	return b.Bytes()
}

// readRegister is a register as excelize reads it.
type readRegister struct {
	*excelize.File
	sheets []string
	parts  map[string]string
}

func openRegister(t testing.TB, data []byte) *readRegister {
	t.Helper()
	x, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	r := &readRegister{File: x, sheets: x.GetSheetList(), parts: map[string]string{}}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		r.parts[f.Name] = string(b)
	}
	return r
}

// row is a row of a sheet by the headings of its columns.
func (r *readRegister) row(t testing.TB, sheet, n int) map[string]string {
	t.Helper()
	rows, err := r.GetRows(r.sheets[sheet])
	if err != nil || n >= len(rows) {
		t.Fatalf("row %d of %d: %v", n, len(rows), err)
	}
	out := map[string]string{}
	for i, h := range rows[0] {
		if i < len(rows[n]) {
			out[h] = rows[n][i]
		}
	}
	return out
}

// total is the table of a total: by its lines, the numbers behind them. The head stands under "".
func (r *readRegister) total(t testing.TB, sheet int, title string) map[string][]string {
	t.Helper()
	rows, err := r.GetRows(r.sheets[sheet])
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	in, head := false, false
	for _, row := range rows {
		switch {
		case len(row) == 1 && strings.HasPrefix(row[0], title):
			in = true
		case !in || len(row) < 2:
		case !head:
			out[""], head = row[1:], true
		default:
			out[row[0]] = row[1:]
			if row[0] == "All cases" {
				return out
			}
		}
	}
	t.Fatalf("there is no total %q", title)
	return nil
}

// Every register of every form says of every answer what the document says, and of a state its word.
func TestRegisterSaysWhatTheDocumentsSay(t *testing.T) {
	t.Parallel()
	for _, area := range append(templates.Areas(), "") {
		d := load(t, area)
		for _, f := range own(d, area) {
			l := caseRegister(t, d, f.ID)
			var docs []*caseforms.Document
			for _, data := range samples(t) {
				docs = append(docs, document(t, d, f.ID, data, caseforms.FillOptions{Draft: true}))
			}
			docs = append(docs, document(t, d, f.ID, []byte(`{}`), caseforms.FillOptions{Draft: true}))
			x := openRegister(t, registerOf(t, l, docs...))
			for i, doc := range docs {
				got := x.row(t, 0, i+1)
				said := map[string]*caseforms.Answer{}
				doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) {
					if said[a.Key] == nil {
						said[a.Key] = a
					}
				})
				for _, c := range l.Columns {
					a, want := said[c.Key], "Not asked"
					switch {
					case a == nil:
					case a.State != caseforms.Answered:
						want = d.Word(a.State.String())
					default:
						want = strings.ReplaceAll(a.Text, "\n", "; ")
						if v, err := time.Parse(time.DateOnly, a.Value); err == nil {
							want = v.Format("2 Jan 2006")
						} else if v, err := time.Parse("2006-01-02 15:04", a.Value); err == nil {
							want = v.Format("2 Jan 2006 15:04")
						}
					}
					if got[c.Label] != want {
						t.Errorf("%s %s, row %d: %s is %q, want %q", area, f.ID, i, c.Key, got[c.Label], want)
					}
				}
				if got["Reference"] != "DRAFT" || got["Marking"] != doc.Marking || got["Form version"] != f.Version || got["Row"] != strconv.Itoa(i+2) || got["File"] == "" {
					t.Errorf("%s, row %d: %v", f.ID, i, got)
				}
			}
			// nothing was answered, and nothing says no
			for h, v := range x.row(t, 0, len(docs)) {
				if v == "No" || v == "" {
					t.Errorf("%s: a case without answers says %q for %s", f.ID, v, h)
				}
			}
		}
	}
}

// nasty are texts that programs take for something else.
var nasty = []string{
	"=1+1", "+44 20 7946 0000", "-1", "@SUM(A1)", "\t=1+1", "=cmd|' /C calc'!A0", "0012345", "1E5", "1999/1234567B", "00:30", "2026-11-20", "1/2", "TRUE", "#N/A", "'quoted", "_x0041_ is no A",
	"_x005F_x0041_", "a_xb", "<b>&amp;\"bold\"</b>", "]]>", " led by a space", "Siân Ŵyn-Żółć", "محمد علي", "𝒳 emoji 🙂", "NUL \x00 BEL \x07 DEL \x7f", "bad \xff bytes", "nonchar \uffff \ufffe C1 \u0085",
	"A123456789012345678901234567890", "9999999999999999999",
}

// nastyDocs are documents with such texts, and what must come of them.
func nastyDocs(t testing.TB, d *caseforms.Definitions) (docs []*caseforms.Document, want []string) {
	doc := document(t, d, "check", samples(t)["01-simple"], caseforms.FillOptions{Draft: true})
	for _, s := range nasty {
		docs = append(docs, changed(doc, func(a *caseforms.Answer) {
			if a.Key == "offender_name" {
				a.State, a.Text, a.Value = caseforms.Answered, s, ""
			}
		}))
		w := strings.ToValidUTF8(s, "\ufffd")
		want = append(want, strings.NewReplacer("\x00", "\ufffd", "\x07", "\ufffd", "\x7f", "\ufffd", "\uffff", "\ufffd", "\ufffe", "\ufffd", "\u0085", "\ufffd").Replace(w))
	}
	return docs, want
}

// What a spreadsheet would run or turn into a number stays text, letter for letter, to excelize and to LibreOffice.
func TestRegisterKeepsTextText(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	docs, want := nastyDocs(t, d)
	l := caseRegister(t, d, "check")
	data := registerOf(t, l, docs...)
	x := openRegister(t, data)
	for i, w := range want {
		at := "C" + strconv.Itoa(i+2)
		got, err := x.GetCellValue(x.sheets[0], at, excelize.Options{RawCellValue: true})
		kind, err2 := x.GetCellType(x.sheets[0], at)
		formula, err3 := x.GetCellFormula(x.sheets[0], at)
		if err := errors.Join(err, err2, err3); err != nil || got != w || formula != "" || kind != excelize.CellTypeInlineString {
			t.Errorf("%q is read as %q, formula %q, type %v, %v", w, got, formula, kind, err)
		}
		if style, err := x.GetCellStyle(x.sheets[0], at); err != nil {
			t.Error(err)
		} else if s, err := x.GetStyle(style); err != nil || s.NumFmt != 49 {
			t.Errorf("%q would not stay text when it is edited: %+v %v", w, s, err)
		}
	}
	if strings.Contains(x.parts["xl/worksheets/sheet1.xml"], "<f>") {
		t.Error("there is a formula in the register")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "r.xlsx"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	// 44: commas, 34: quotes, 76: UTF-8, every text quoted so that a number would show
	outside(t, "soffice", "-env:UserInstallation=file://"+dir+"/profile", "--headless", "--convert-to", `csv:Text - txt - csv (StarCalc):44,34,76,1,,0,true,true`, "--outdir", dir, filepath.Join(dir, "r.xlsx"))
	raw, err := os.ReadFile(filepath.Join(dir, "r.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil || len(rows) != len(want)+1 {
		t.Fatalf("LibreOffice reads %d rows of %d: %v", len(rows), len(want)+1, err)
	}
	for i, w := range want {
		if got := rows[i+1][2]; got != w {
			t.Errorf("LibreOffice reads %q as %q", w, got)
		}
		if !bytes.Contains(raw, []byte(`,"`+strings.ReplaceAll(w, `"`, `""`)+`",`)) {
			t.Errorf("to LibreOffice %q is no text", w)
		}
		if rows[i+1][3] != "27 Mar 1988" || bytes.Contains(raw, []byte(`"27 Mar 1988"`)) {
			t.Errorf("to LibreOffice the date of birth is %q and a text", rows[i+1][3])
		}
	}
}

// Dates are numbers that spreadsheets count with, the same as their own.
func TestRegisterDates(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	doc := document(t, d, "check", samples(t)["01-simple"], caseforms.FillOptions{Draft: true})
	values := []string{"1900-02-28", "1900-03-01", "1988-03-27", "2000-02-29", "2026-12-31", "2026-11-20 14:30", "2024-02", "2024", "aged 4", "2026-13-01", "9999-12-31"}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		values = append(values, time.Date(1900, 3, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rng.IntN(80000)).Format(time.DateOnly))
	}
	var docs []*caseforms.Document
	for _, v := range values {
		docs = append(docs, changed(doc, func(a *caseforms.Answer) {
			if a.Key == "dob" {
				a.State, a.Kind, a.Value, a.Text = caseforms.Answered, caseforms.KindPartialDate, v, "as printed: "+v
			}
		}))
	}
	x := openRegister(t, registerOf(t, caseRegister(t, d, "check"), docs...))
	for i, v := range values {
		raw, err := x.GetCellValue(x.sheets[0], "D"+strconv.Itoa(i+2), excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		want := "as printed: " + v
		for _, layout := range []string{time.DateOnly, "2006-01-02 15:04"} {
			at, err := time.Parse(layout, v)
			if err != nil || at.Before(time.Date(1900, 3, 1, 0, 0, 0, 0, time.UTC)) {
				continue
			}
			n, err := strconv.ParseFloat(raw, 64)
			if err != nil {
				t.Fatalf("%s is %q", v, raw)
			}
			got, err := excelize.ExcelDateToTime(n, false)
			if err != nil || !got.Equal(at) {
				t.Errorf("%s is read as %v", v, got)
			}
			want = raw
		}
		if raw != want {
			t.Errorf("%s is %q", v, raw)
		}
	}
}

// The head stays in sight, is filtered by and printed on every page, and the sheets fit A4.
func TestRegisterIsSetUp(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	l := caseRegister(t, d, "pp1")
	x := openRegister(t, registerOf(t, l, registerCases(t, d, 150)...))
	if !slices.Equal(x.sheets, []string{"PP1 2026-11", "Totals"}) {
		t.Fatalf("sheets %q", x.sheets)
	}
	panes, err := x.GetPanes(x.sheets[0])
	if err != nil || !panes.Freeze || panes.YSplit != 1 || panes.XSplit != 3 {
		t.Errorf("panes %+v %v", panes, err)
	}
	last, _ := excelize.ColumnNumberToName(len(l.Columns) + 5)
	var names []string
	for _, n := range x.GetDefinedName() {
		names = append(names, n.Scope+" "+n.Name+" "+n.RefersTo)
	}
	for _, want := range []string{"PP1 2026-11 _xlnm._FilterDatabase 'PP1 2026-11'!$A$1:$" + last + "$151", "PP1 2026-11 _xlnm.Print_Titles 'PP1 2026-11'!$A:$C,'PP1 2026-11'!$1:$1"} {
		if !slices.Contains(names, want) {
			t.Errorf("defined names %q, want %q", names, want)
		}
	}
	sheet := x.parts["xl/worksheets/sheet1.xml"]
	for _, want := range []string{`<autoFilter ref="A1:` + last + `151"/>`, "<oddHeader>&amp;C&amp;BOFFICIAL-SENSITIVE</oddHeader>", `numberStoredAsText="1"`} {
		if !strings.Contains(sheet, want) {
			t.Errorf("the sheet has no %s", want)
		}
	}
	layout, err := x.GetPageLayout(x.sheets[0])
	if err != nil || *layout.Size != 9 || *layout.Orientation != "landscape" {
		t.Errorf("paper %+v %v", layout, err)
	}
	for i := range l.Columns {
		col, _ := excelize.ColumnNumberToName(i + 3)
		if w, err := x.GetColWidth(x.sheets[0], col); err != nil || w < 9 || w > 38 {
			t.Errorf("column %s is %v wide, %v", col, w, err)
		}
	}
	props, err := x.GetDocProps()
	if err != nil || props.Title != "Register: PP1 – MAPPA notification" || props.Created != "1980-01-01T00:00:00Z" {
		t.Errorf("properties %+v %v", props, err)
	}
}

// All parts are sound XML, every part that is named is there, and every part there is has a type.
func TestRegisterIsAWholeWorkbook(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	docs, _ := nastyDocs(t, d)
	for name, data := range map[string][]byte{
		"nasty": registerOf(t, caseRegister(t, d, "check"), docs...),
		"pp1":   registerOf(t, caseRegister(t, d, "pp1"), registerCases(t, d, 20)...),
		"none":  registerOf(t, caseRegister(t, d, "cp1")),
	} {
		x := openRegister(t, data)
		types := x.parts["[Content_Types].xml"]
		for part, body := range x.parts {
			dec := xml.NewDecoder(strings.NewReader(body))
			for {
				if _, err := dec.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Errorf("%s: %s is no XML: %v", name, part, err)
					break
				}
			}
			if !strings.HasSuffix(part, ".rels") && part != "[Content_Types].xml" && strings.Count(types, `PartName="/`+part+`"`) != 1 {
				t.Errorf("%s: %s has no type", name, part)
			}
			if !strings.HasSuffix(part, ".rels") {
				continue
			}
			base := path.Dir(path.Dir(part))
			for _, m := range regexp.MustCompile(`Target="([^"]*)"`).FindAllStringSubmatch(body, -1) {
				if _, ok := x.parts[path.Join(base, m[1])]; !ok {
					t.Errorf("%s: %s names %s, which is not there", name, part, m[1])
				}
			}
		}
		for _, m := range regexp.MustCompile(`PartName="/([^"]*)"`).FindAllStringSubmatch(types, -1) {
			if _, ok := x.parts[m[1]]; !ok {
				t.Errorf("%s: %s has a type and is not there", name, m[1])
			}
		}
	}
}

// The totals are those that somebody counts who filters the list, and the charts show them.
func TestRegisterTotalsAreTheList(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	l := caseRegister(t, d, "pp1")
	docs := registerCases(t, d, 240)
	for i := range docs {
		if i%10 == 3 {
			docs[i] = changed(docs[i], func(a *caseforms.Answer) {
				switch a.Key {
				case "proposed_level":
					a.State, a.Value, a.Text = caseforms.NotKnown, "", "Not known: asked the police"
				case "area":
					a.Text = strings.ToUpper(a.Text) + " "
				case "sign_date":
					a.State, a.Value, a.Text = caseforms.NotAnswered, "", "Not answered"
				}
			})
		}
	}
	x := openRegister(t, registerOf(t, l, docs...))
	rows, err := x.GetRows(x.sheets[0])
	if err != nil {
		t.Fatal(err)
	}
	column := func(label string) int { return slices.Index(rows[0], label) }
	level, area, signed := column("MAPPA level"), column("Area"), column("Signed on")
	counted := map[string]map[string]int{}
	months := map[string]int{}
	for _, row := range rows[1:] {
		a := strings.ToLower(strings.TrimSpace(row[area]))
		if counted[a] == nil {
			counted[a] = map[string]int{}
		}
		counted[a][row[level]]++
		month := row[signed]
		if at, err := time.Parse("2 Jan 2006", month); err == nil {
			month = at.Format("January 2006")
		}
		months[month]++
	}
	if len(counted) < 4 {
		t.Fatalf("the cases are too alike: %v", counted)
	}
	byArea := x.total(t, 1, "Cases by area and MAPPA level")
	if want := []string{"MAPPA level 1", "MAPPA level 2", "MAPPA level 3", "Not known", "Cases"}; !slices.Equal(byArea[""], want) {
		t.Errorf("head %q", byArea[""])
	}
	if len(byArea) != len(counted)+2 {
		t.Errorf("areas %v, want %v", byArea, counted)
	}
	for label, numbers := range byArea {
		c := counted[strings.ToLower(label)]
		if c == nil {
			continue
		}
		if label == strings.ToUpper(label) {
			t.Errorf("an area goes by a spelling that few have: %s", label)
		}
		sum := 0
		for i, of := range []string{"1", "2", "3", "Not known"} {
			if numbers[i] != strconv.Itoa(c[of]) {
				t.Errorf("%s, level %s: %s, want %d", label, of, numbers[i], c[of])
			}
			sum += c[of]
		}
		if numbers[4] != strconv.Itoa(sum) {
			t.Errorf("%s: %s, want %d", label, numbers[4], sum)
		}
	}
	if all := byArea["All cases"]; all[len(all)-1] != "240" {
		t.Errorf("all are %q", all)
	}
	byMonth := x.total(t, 1, "Cases by month")
	for m, n := range months {
		if got := byMonth[m]; got == nil || got[len(got)-1] != strconv.Itoa(n) {
			t.Errorf("%s: %v, want %d", m, got, n)
		}
	}
	// every number of a chart stands in the cell it is drawn from
	read := func(ref string) (out []string) {
		sheet, cells, _ := strings.Cut(strings.NewReplacer("'", "", "$", "").Replace(ref), "!")
		from, to, found := strings.Cut(cells, ":")
		if !found {
			to = from
		}
		col, row, err := excelize.CellNameToCoordinates(from)
		_, last, err2 := excelize.CellNameToCoordinates(to)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(ref, err)
		}
		for ; row <= last; row++ {
			at, _ := excelize.CoordinatesToCellName(col, row)
			v, err := x.GetCellValue(sheet, at, excelize.Options{RawCellValue: true})
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, v)
		}
		return out
	}
	charts := 0
	for part, body := range x.parts {
		if !strings.HasPrefix(part, "xl/charts/") {
			continue
		}
		charts++
		refs := 0
		for _, m := range regexp.MustCompile(`(?s)<c:f>([^<]*)</c:f><c:(?:str|num)Cache>(.*?)</c:(?:str|num)Cache>`).FindAllStringSubmatch(body, -1) {
			refs++
			var cached []string
			for _, v := range regexp.MustCompile(`<c:v>([^<]*)</c:v>`).FindAllStringSubmatch(m[2], -1) {
				cached = append(cached, v[1])
			}
			if got := read(m[1]); !slices.Equal(got, cached) {
				t.Errorf("%s: %s is %q, and the chart has %q", part, m[1], got, cached)
			}
		}
		if refs < 3 {
			t.Errorf("%s shows nothing", part)
		}
	}
	if charts != len(l.Totals) {
		t.Errorf("%d charts for %d totals", charts, len(l.Totals))
	}
	if n := strings.Count(x.parts["xl/drawings/drawing1.xml"], ` descr="Cases by`); n != len(l.Totals) {
		t.Errorf("who does not see the charts is told of %d", n)
	}
	// LibreOffice draws them: what only a chart has, the name of a part in its legend, is on the page once more than in tables
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "r.xlsx"), registerOf(t, l, docs...), 0o600); err != nil {
		t.Fatal(err)
	}
	outside(t, "soffice", "-env:UserInstallation=file://"+dir+"/profile", "--headless", "--convert-to", "pdf", "--outdir", dir, filepath.Join(dir, "r.xlsx"))
	text := outside(t, "pdftotext", "-layout", filepath.Join(dir, "r.pdf"), "-")
	_, text, _ = strings.Cut(text, "Cases by area and MAPPA level")
	chart, table, found := strings.Cut(text, "Area ")
	if !found || !strings.Contains(chart, "MAPPA level 2") || !strings.Contains(chart, "Eastwick") || !strings.Contains(table, "Eastwick") {
		t.Errorf("LibreOffice shows no chart: %.600s", text)
	}
}

// A month without cases is shown among the others, and years of them are not.
func TestRegisterShowsEmptyMonths(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	doc := document(t, d, "check", samples(t)["01-simple"], caseforms.FillOptions{Draft: true})
	for last, want := range map[string]int{"2026-02-01": 4, "2046-02-01": 2} {
		var docs []*caseforms.Document
		for _, v := range []string{last, "2025-11-30"} {
			docs = append(docs, changed(doc, func(a *caseforms.Answer) {
				if a.Key == "sent_date" {
					a.State, a.Value = caseforms.Answered, v
				}
			}))
		}
		got := openRegister(t, registerOf(t, caseRegister(t, d, "check"), docs...)).total(t, 1, "Checks by month")
		if len(got) != want+2 || got["November 2025"][0] != "1" || want == 4 && got["December 2025"][0] != "0" {
			t.Errorf("to %s: %v", last, got)
		}
	}
}

// A question that everybody answers otherwise does not fill the memory, and nothing is lost of the sum.
func TestRegisterCountsTheRestTogether(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	l := caseRegister(t, d, "pp1")
	doc := document(t, d, "pp1", samples(t)["01-simple"], caseforms.FillOptions{Draft: true})
	var docs []*caseforms.Document
	for i := range 1300 {
		docs = append(docs, changed(doc, func(a *caseforms.Answer) {
			if a.Key == "area" {
				a.State, a.Text = caseforms.Answered, fmt.Sprintf("Area %d", min(i, 1250))
			}
		}))
	}
	x := openRegister(t, registerOf(t, l, docs...))
	areas := x.total(t, 1, "Cases by area and MAPPA level (the largest 24)")
	if got := areas["All others"]; got == nil || got[len(got)-1] != "300" {
		t.Errorf("all others are %v", got)
	}
	if got := areas["All cases"]; got[len(got)-1] != "1,300" || len(areas) != 1003 {
		t.Errorf("%d lines, all cases %v", len(areas), got)
	}
}

// Versions never share a sheet, and what a register has no sheet for is refused and changes nothing.
func TestRegisterKeepsVersionsApart(t *testing.T) {
	t.Parallel()
	d, london := load(t, ""), load(t, "london")
	lists := []*caseforms.CaseRegister{caseRegister(t, d, "check"), caseRegister(t, london, "check"), caseRegister(t, d, "pp1")}
	dir := t.TempDir()
	var b bytes.Buffer
	r, err := render.NewRegister(&b, render.RegisterOptions{Dir: dir}, lists...)
	if err != nil {
		t.Fatal(err)
	}
	of := func(d *caseforms.Definitions, form string) *caseforms.Document {
		return document(t, d, form, samples(t)["02-full"], caseforms.FillOptions{Draft: true})
	}
	for i := range 150 {
		for _, doc := range []*caseforms.Document{of(london, "check"), of(d, "pp1"), of(d, "check")} {
			if err := r.Add(doc, render.RegisterRow{Row: i + 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Add(of(d, "cp1"), render.RegisterRow{}); err == nil || !strings.Contains(err.Error(), "no list for cp1") {
		t.Errorf("a form without a list: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v %v", entries, err)
	}
	if info, err := entries[0].Info(); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("what waits can be read by others: %v %v", info.Mode(), err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
	x := openRegister(t, b.Bytes())
	if want := []string{"CHECK 2026-11", "CHECK 2026-11 Totals", "CHECK 2014-11-london", "CHECK 2014-11-london Totals", "PP1 2026-11", "PP1 2026-11 Totals"}; !slices.Equal(x.sheets, want) {
		t.Fatalf("sheets %q", x.sheets)
	}
	for i, l := range lists {
		rows, err := x.GetRows(x.sheets[2*i])
		if err != nil || len(rows) != 151 {
			t.Fatalf("%d rows: %v", len(rows), err)
		}
		for _, row := range rows[1:] {
			if row[len(row)-1] != l.Version {
				t.Fatalf("on the sheet of %s stands one of %s", l.Version, row[len(row)-1])
			}
		}
	}
}

// A list that is longer than a sheet goes on in another.
func TestRegisterIsLongerThanASheet(t *testing.T) {
	defer render.SheetRows(400)()
	d := load(t, "")
	x := openRegister(t, registerOf(t, caseRegister(t, d, "pp1"), registerCases(t, d, 1000)...))
	if want := []string{"PP1 2026-11", "PP1 2026-11 2", "PP1 2026-11 3", "Totals"}; !slices.Equal(x.sheets, want) {
		t.Fatalf("sheets %q", x.sheets)
	}
	n := 1
	for _, s := range x.sheets[:3] {
		rows, err := x.GetRows(s)
		if err != nil || len(rows) > 400 || rows[0][0] != "Row" {
			t.Fatalf("%s has %d rows: %v", s, len(rows), err)
		}
		for _, row := range rows[1:] {
			if n++; row[0] != strconv.Itoa(n) {
				t.Fatalf("row %d follows %d", n, n-1)
			}
		}
	}
	if n != 1001 {
		t.Errorf("the last row is %d", n)
	}
}

// A text that a row cannot show whole is not shown in part.
func TestRegisterCutsNothingOff(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	doc := document(t, d, "check", samples(t)["01-simple"], caseforms.FillOptions{Draft: true})
	texts := []string{strings.Repeat("word ", 100) + "END", strings.Repeat("word ", 400) + "END", strings.Repeat("x", 40000)}
	var docs []*caseforms.Document
	for _, s := range texts {
		docs = append(docs, changed(doc, func(a *caseforms.Answer) {
			if a.Key == "offender_name" {
				a.Text = s
			}
		}))
	}
	x := openRegister(t, registerOf(t, caseRegister(t, d, "check"), docs...))
	for i, want := range []string{texts[0], "Too long for a list – see the document", "Too long for a list – see the document"} {
		if got := x.row(t, 0, i+1)["Name of the offender"]; got != want {
			t.Errorf("%.80s…", got)
		}
	}
	if h, err := x.GetRowHeight(x.sheets[0], 2); err != nil || h < 14*12 || h > 409 {
		t.Errorf("the row of a long text is %v high, %v", h, err)
	}
}

// The same rows give the same bytes, wherever they wait.
func TestRegisterIsReproducible(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	l := caseRegister(t, d, "pp1")
	docs := registerCases(t, d, 700)
	first := registerOf(t, l, docs...)
	for range 3 {
		if !bytes.Equal(registerOf(t, l, docs...), first) {
			t.Fatal("other bytes")
		}
	}
}

// What is kept does not grow with the rows.
func TestRegisterKeepsNothing(t *testing.T) {
	d := load(t, "")
	docs := registerCases(t, d, 500)
	r, err := render.NewRegister(io.Discard, render.RegisterOptions{}, caseRegister(t, d, "pp1"))
	if err != nil {
		t.Fatal(err)
	}
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var after uint64
	for i := range 20000 {
		if err := r.Add(docs[i%len(docs)], render.RegisterRow{Row: i, File: fmt.Sprintf("pp1-%d.pdf", i)}); err != nil {
			t.Fatal(err)
		}
		if i == 1000 {
			after = used()
		}
	}
	if now := used(); now > after+1<<20 {
		t.Errorf("after 20,000 rows %d kB are kept, after 1,000 %d kB", now>>10, after>>10)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

// A full disk is told, whenever it is full, and leaves nothing behind.
func TestRegisterOnAFullDisk(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	l, other := caseRegister(t, d, "pp1"), caseRegister(t, d, "check")
	docs := registerCases(t, d, 300)
	for _, room := range []int{0, 100, 10_000, 60_000} {
		dir := t.TempDir()
		r, err := render.NewRegister(&full{room}, render.RegisterOptions{Dir: dir}, l, other)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2000 {
			if err = r.Add(docs[i%len(docs)], render.RegisterRow{}); err != nil {
				break
			}
		}
		again := r.Close()
		if again == nil || err != nil && again.Error() != err.Error() || !strings.Contains(again.Error(), "cannot be written") {
			t.Errorf("room for %d: %v, then %v", room, err, again)
		}
		if r.Close() == nil {
			t.Error("closed once more it is whole")
		}
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("left behind: %v", entries)
		}
	}
}
