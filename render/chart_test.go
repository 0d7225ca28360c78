package render_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
	"github.com/xuri/excelize/v2"

	"caseforms"
	"caseforms/render"
)

// monthly is a chart of some months with the made-up figures of an inspection.
func monthly(d *caseforms.Definitions, months int, series ...string) *caseforms.Chart {
	c := &caseforms.Chart{Key: "monthly", Label: "Enquiries by month", Alt: "Enquiries rise through the year, answers in time do not", Series: series}
	for m := range months {
		g := caseforms.BarGroup{Label: fmt.Sprintf("%s %d", d.Word(fmt.Sprintf("month_%d", m%12+1)), 2025+m/12)}
		for k := range series {
			g.Values = append(g.Values, max(0, 1100+m*37-k*(401+m*29)))
		}
		c.Groups = append(c.Groups, g)
	}
	return c
}

// charts are charts as they come, and as they hardly ever do.
func charts(d *caseforms.Definitions) map[string]*caseforms.Chart {
	three := []string{"made", "answered", "answered in time"}
	one := func(label string, values ...int) *caseforms.Chart {
		c := &caseforms.Chart{Key: "c", Label: label, Alt: label + ", in words", Series: []string{"days open"}}
		for i, v := range values {
			c.Groups = append(c.Groups, caseforms.BarGroup{Label: fmt.Sprintf("CP%d", i+1), Values: []int{v}})
		}
		return c
	}
	long := &caseforms.Chart{Key: "long", Label: "Answers by form, and a caption that is so long that it does not go into one line of the page as most captions do",
		Alt: "Most were made with the first form", Series: []string{"made before the end of the month that is told of, all together", "answered by whoever was asked or by somebody else for them"}}
	for i := range 6 {
		long.Groups = append(long.Groups, caseforms.BarGroup{Label: fmt.Sprintf("CP%d – Referral to children's services & <others> of \"the area\"", i), Values: []int{1_000_000 / (i + 1), i * 7}})
	}
	return map[string]*caseforms.Chart{
		"year": monthly(d, 12, three...), "two years": monthly(d, 24, three...), "two of two": monthly(d, 24, three[:2]...), "months": monthly(d, 24, "made"), "few": monthly(d, 4, three[:2]...),
		"single": one("One group", 17), "nothing": one("All zeros", 0, 0, 0), "zero": one("A zero among others", 3, 0, 1_000_000, 1), "long": long,
		"letters": {Key: "l", Label: "Llwyddiant – ŵ, مدينة", Alt: "Welsh and Arabic", Series: []string{"gwnaed ŵ", "مجموع"}, Groups: []caseforms.BarGroup{{Label: "Tŷ 😀 a", Values: []int{4, 2}}, {Label: "مدينة 12", Values: []int{2, 3}}}},
	}
}

// report is a report with charts, a section each.
func report(d *caseforms.Definitions, all ...*caseforms.Chart) *caseforms.Document {
	doc := d.NewReport("Figures for inspectors")
	doc.Subtitle, doc.Date = "Made on 20 November 2026", on
	for i, c := range all {
		doc.Sections = append(doc.Sections, caseforms.DocSection{Key: fmt.Sprint("s", i), Title: strings.ToUpper(c.Key[:1]) + c.Key[1:], Intro: "What is counted, and how.", Parts: []caseforms.Part{{Chart: c}}})
	}
	return doc
}

// thousands is a number as it is printed.
func thousands(n int) string {
	s := strconv.Itoa(n)
	return regexp.MustCompile(`\B(\d{3})+$`).ReplaceAllStringFunc(s, func(t string) string { return regexp.MustCompile(`\d{3}`).ReplaceAllString(t, ",$0") })
}

// unseen takes out of a page what is not drawn.
func unseen(page []byte) []byte {
	return regexp.MustCompile(`(?s)<(title|desc) id=.*?</(title|desc)>`).ReplaceAll(page, nil)
}

// Every group stands in every format with its numbers right behind it, in the order of the series, and every series is named.
func TestChartsAreInEveryFormat(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	for name, c := range charts(d) {
		doc := report(d, c)
		for _, format := range files {
			t.Run(name+"/"+string(format), func(t *testing.T) {
				t.Parallel()
				data := readable(t, doc, format)
				if format == render.FormatHTML {
					data = unseen(data)
				}
				texts := extract(t, format, data)
				for i := range texts {
					texts[i] = squeeze(texts[i])
				}
				want := []string{c.Label}
				if len(c.Series) > 1 || format == render.FormatWorkbook {
					want = append(want, c.Series...)
				}
				for _, g := range c.Groups {
					row := g.Label
					for i, v := range g.Values {
						if format == render.FormatText && len(c.Series) > 1 {
							row += c.Series[i]
						}
						row += thousands(v)
						if format == render.FormatText && v > 0 {
							if name == "letters" {
								row = ""
							}
							row += "#"
							want, row = append(want, row), ""
						}
					}
					want = append(want, row)
				}
				for _, w := range want {
					if name == "letters" && format == render.FormatPDF {
						continue // the tool puts letters written from the right into an order of its own; see below
					}
					if !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, squeeze(w)) }) {
						t.Errorf("there is no %q in %.600q", w, texts)
					}
				}
				if name == "letters" && format == render.FormatPDF && !strings.Contains(texts[1], "Tŷ😀a42") {
					t.Errorf("the letters are not there: %q", texts)
				}
			})
		}
		t.Run(name+"/json", func(t *testing.T) {
			t.Parallel()
			var got struct {
				Charts []struct {
					Section, Key, Label, Alt string
					Series                   []string
					Groups                   []caseforms.BarGroup
				}
			}
			if err := json.Unmarshal(written(t, doc, render.FormatJSON), &got); err != nil || len(got.Charts) != 1 {
				t.Fatal(got, err)
			}
			if g := got.Charts[0]; g.Key != c.Key || g.Label != c.Label || g.Alt != c.Alt || !reflect.DeepEqual(g.Series, c.Series) || !reflect.DeepEqual(g.Groups, c.Groups) || g.Section != doc.Sections[0].Title {
				t.Errorf("%+v", g)
			}
		})
	}
}

// figuresOf are the figures of a file with their words, in reading order.
func figuresOf(t *testing.T, f *pdfFile) (alts []string) {
	t.Helper()
	l := &linter{f: f}
	for _, num := range slices.Sorted(maps.Keys(f.Table)) {
		if d := l.dict(*types.NewIndirectRef(num, 0)); d["P"] != nil && l.name(d["S"]) == "Figure" {
			alts = append(alts, l.text(d["Alt"]))
		}
	}
	return alts
}

// Whatever stands before it, a chart is one figure on one page, no heading and no introduction is left alone before it, and the file keeps to
// the standards; one with more groups than a page has room for goes on under its caption.
func TestChartsAreWhole(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	for name, c := range charts(d) {
		for _, landscape := range []bool{false, true} {
			for n := range 12 {
				doc := report(d, c)
				doc.Landscape = landscape
				before := caseforms.Answer{Key: "x", Label: "Before", Kind: caseforms.KindLongText, State: caseforms.Answered, Text: strings.Repeat("Line\n", n*4) + "End"}
				doc.Sections = append([]caseforms.DocSection{{Key: "before", Title: "Before", Layout: caseforms.LayoutRows, Parts: []caseforms.Part{{Answer: &before}}}}, doc.Sections...)
				data := written(t, doc, render.FormatPDF)
				f := parsePDF(t, data)
				if found := lint(f, true); len(found) > 0 {
					t.Fatalf("%s after %d: %q", name, n, found)
				}
				alts := figuresOf(t, f)
				divided := name == "two years" || landscape && len(c.Groups) > 8
				if len(alts) != 1 && !divided || len(alts) == 1 && name == "two years" || len(alts) > 4 {
					t.Fatalf("%s after %d (landscape: %v) is %d figures", name, n, landscape, len(alts))
				}
				all := strings.Join(alts, " ")
				for _, g := range c.Groups {
					want := g.Label + ": " + c.Series[0] + " " + thousands(g.Values[0])
					if !strings.Contains(all, want) || !strings.HasPrefix(all, c.Alt+".") {
						t.Fatalf("%s: who does not see the chart is not told %q but %.400q", name, want, alts)
					}
				}
				if landscape || n%4 > 0 {
					continue // the rest asks an outside program
				}
				pages := strings.Split(outside(t, "pdftotext", "-raw", filed(t, "x.pdf", data), "-"), "\f")
				if got := strings.Count(squeeze(strings.Join(pages, "")), squeeze(c.Label+" (continued)")); got != len(alts)-1 {
					t.Errorf("%s goes on %d times and says so %d times", name, len(alts)-1, got)
				}
				for _, p := range pages {
					p = squeeze(p)
					if strings.Contains(p, squeeze(doc.Sections[1].Intro)) && !strings.Contains(p, squeeze(c.Groups[0].Label+thousands(c.Groups[0].Values[0]))) && name != "letters" {
						t.Errorf("%s after %d: the introduction stands without the chart: %.300s", name, n, p)
					}
				}
			}
		}
	}
}

// Nothing of a chart is drawn over anything else or beyond the edge.
func TestChartsAreLaidOutSoundly(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	for name, c := range charts(d) {
		file := filed(t, "x.pdf", readable(t, report(d, c), render.FormatPDF))
		for i, page := range strings.Split(outside(t, "pdftotext", "-bbox", file, "-"), "<page ")[1:] {
			words := boxes(t, page, "word")
			for j, a := range words {
				if a.xMin < 41 || a.xMax > 554 || a.yMax > 792 && a.yMin < 780 {
					t.Errorf("%s, page %d: %q stands at %v", name, i+1, a.text, a)
				}
				for _, b := range words[:j] {
					if a.xMin < b.xMax-1 && b.xMin < a.xMax-1 && a.yMin < b.yMax-4.5 && b.yMin < a.yMax-4.5 {
						t.Errorf("%s, page %d: %q over %q", name, i+1, a.text, b.text)
					}
				}
			}
		}
	}
}

// The length of a bar is its number: all of one scale, from zero, nothing without a bar unless it is zero.
func TestBarsAreAsLongAsTheirNumbers(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	for name, c := range charts(d) {
		var want []float64
		longest := 0.0
		for _, g := range c.Groups {
			for _, v := range g.Values {
				if v > 0 {
					want = append(want, float64(v))
				}
				longest = max(longest, float64(v))
			}
		}
		check := func(format string, got []float64, legends int) {
			t.Helper()
			perPage := 0
			if len(c.Series) > 1 {
				perPage = len(c.Series)
			}
			if len(got) != len(want)+perPage*legends {
				t.Errorf("%s %s: %d bars, want %d", format, name, len(got), len(want)+perPage*legends)
				return
			}
			got = got[perPage:]
			if legends > 1 {
				return // the second legend stands among them
			}
			full := 0.0
			if len(got) > 0 {
				full = slices.Max(got)
			}
			for i, w := range want {
				if d := got[i] - max(1, full*w/longest); d > 0.1 || d < -0.1 {
					t.Errorf("%s %s: the bar of %.0f is %.1f long of %.1f", format, name, w, got[i], full)
				}
			}
		}
		number := func(s string) float64 { v, _ := strconv.ParseFloat(s, 64); return v }
		var got []float64
		for _, m := range regexp.MustCompile(`<rect [^>]*? width="([\d.]+)"`).FindAllStringSubmatch(string(written(t, report(d, c), render.FormatHTML)), -1) {
			got = append(got, number(m[1]))
		}
		check("html", got, 1)
		f := parsePDF(t, written(t, report(d, c), render.FormatPDF))
		l := &linter{f: f}
		l.cat, _ = f.Catalog()
		got = nil
		for _, num := range l.pageNumbers() {
			content := string(l.stream(l.dict(*types.NewIndirectRef(num, 0))["Contents"]))
			for _, m := range regexp.MustCompile(`[\d.]+ [\d.]+ ([\d.]+) [\d.]+ re\nf\n`).FindAllStringSubmatch(content, -1) {
				got = append(got, number(m[1]))
			}
		}
		check("pdf", got, len(l.pageNumbers()))
	}
}

// The chart of a workbook is drawn from cells that hold the numbers as numbers, and says what it shows.
func TestWorkbookChartsAreFedFromCells(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	all := charts(d)
	names := slices.Sorted(maps.Keys(all))
	var list []*caseforms.Chart
	for _, n := range names {
		list = append(list, all[n])
	}
	data := written(t, report(d, list...), render.FormatWorkbook)
	x, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	parts := map[string]string{}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		parts[f.Name] = string(b)
	}
	read := func(ref string) (out []string) {
		sheet, cells, _ := strings.Cut(strings.NewReplacer("'", "", "&#39;", "", "$", "").Replace(ref), "!")
		from, to, _ := strings.Cut(cells, ":")
		col, row, err := excelize.CellNameToCoordinates(from)
		if err != nil {
			t.Fatal(ref, err)
		}
		last := row
		if to != "" {
			_, last, _ = excelize.CellNameToCoordinates(to)
		}
		for ; row <= last; row++ {
			at, _ := excelize.CoordinatesToCellName(col, row)
			v, err := x.GetCellValue(sheet, at)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, v)
		}
		return out
	}
	for i, c := range list {
		xml := parts[fmt.Sprintf("xl/charts/chart%d.xml", i+1)]
		tx := regexp.MustCompile(`<tx><strRef><f>(.*?)</f>`).FindAllStringSubmatch(xml, -1)
		cat := regexp.MustCompile(`<cat><strRef><f>(.*?)</f>`).FindAllStringSubmatch(xml, -1)
		val := regexp.MustCompile(`<val><numRef><f>(.*?)</f>`).FindAllStringSubmatch(xml, -1)
		if len(tx) != len(c.Series) || len(cat) != len(c.Series) || len(val) != len(c.Series) {
			t.Fatalf("%s has %d series: %.300s", names[i], len(val), xml)
		}
		for k, s := range c.Series {
			var labels, values []string
			for _, g := range c.Groups {
				labels, values = append(labels, g.Label), append(values, thousands(g.Values[k]))
			}
			if got := read(tx[k][1]); got[0] != s {
				t.Errorf("%s: the series %q is called %q", names[i], s, got)
			}
			if got := read(cat[k][1]); !slices.Equal(got, labels) {
				t.Errorf("%s: groups %q, want %q", names[i], got, labels)
			}
			if got := read(val[k][1]); !slices.Equal(got, values) {
				t.Errorf("%s: values %q, want %q", names[i], got, values)
			}
		}
		if len(c.Series) > 1 && !strings.Contains(xml, `<a:pattFill prst="wdUpDiag">`) || strings.Count(xml, `<a:ln w="9525"><a:solidFill><a:srgbClr val="1A4261"/>`) != len(c.Series) {
			t.Errorf("%s: the bars are told apart by colour alone", names[i])
		}
		if n := strings.Count(parts["xl/drawings/drawing1.xml"], ` descr="`+c.Alt+`. `); n == 0 {
			t.Errorf("%s: who does not see the chart is told nothing", names[i])
		}
	}
	dir := t.TempDir()
	for name, c := range map[string]*caseforms.Chart{"year": all["year"], "long": all["long"], "zero": all["zero"]} {
		file := filepath.Join(dir, name+".xlsx")
		if err := os.WriteFile(file, written(t, report(d, c), render.FormatWorkbook), 0o600); err != nil {
			t.Fatal(err)
		}
		outside(t, "soffice", "-env:UserInstallation=file://"+dir+"/profile", "--headless", "--convert-to", "pdf", "--outdir", dir, file)
		text := strings.Fields(outside(t, "pdftotext", "-raw", filepath.Join(dir, name+".pdf"), "-"))
		for _, g := range c.Groups {
			for _, v := range g.Values {
				n := 0
				for _, w := range text {
					if w == thousands(v) {
						n++
					}
				}
				if n < 2 { // in the chart and in the table
					t.Errorf("%s: LibreOffice shows %s %d times", name, thousands(v), n)
				}
			}
		}
	}
}

// A chart that cannot be told in words or whose numbers do not fit together is refused, and nothing is written.
func TestChartsThatCannotBeWrittenAreRefused(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	for want, spoil := range map[string]func(c *caseforms.Chart){
		"does not say in words": func(c *caseforms.Chart) { c.Alt = " " },
		"no caption":            func(c *caseforms.Chart) { c.Label = "" },
		"0 series":              func(c *caseforms.Chart) { c.Series = nil },
		"without a name":        func(c *caseforms.Chart) { c.Series[1] = "" },
		"4 series":              func(c *caseforms.Chart) { c.Series = []string{"a", "b", "c", "d"} },
		"2 values for 3":        func(c *caseforms.Chart) { c.Groups[1].Values = []int{1, 2} },
		"the value -1":          func(c *caseforms.Chart) { c.Groups[1].Values = []int{1, -1, 2} },
	} {
		c := monthly(d, 3, "a", "b", "c")
		spoil(c)
		for _, format := range render.Formats {
			var b bytes.Buffer
			if _, err := render.Write(&b, report(d, c), format, render.Options{}); err == nil || !strings.Contains(err.Error(), want) || b.Len() > 0 {
				t.Errorf("%s: %v, want %s; %d bytes", format, err, want, b.Len())
			}
		}
	}
	nothing := monthly(d, 0, "made")
	for _, format := range files {
		if text := squeeze(strings.Join(extract(t, format, readable(t, report(d, nothing), format)), "")); !strings.Contains(text, "Enquiriesbymonth:Nothing") {
			t.Errorf("%s: a chart of nothing does not say so: %s", format, text)
		}
	}
}

// wideReport is a report with a table of more columns than a page that stands has room for.
func wideReport(d *caseforms.Definitions, rows int) *caseforms.Document {
	doc := report(d)
	doc.Landscape = true
	t := &caseforms.Table{Key: "t", Label: "Enquiries", Layout: caseforms.LayoutTable}
	for i, l := range strings.Fields("Ref Made Form Asked Whom Sent Answered Days Outcome") {
		t.Columns = append(t.Columns, caseforms.Column{Key: strings.ToLower(l), Label: l, Kind: caseforms.KindText, Width: 1 + i/8})
	}
	for r := range rows {
		row := caseforms.Row{Key: fmt.Sprintf("t[%d]", r)}
		for i, c := range t.Columns {
			row.Cells = append(row.Cells, caseforms.Answer{Key: fmt.Sprintf("%s.%d", row.Key, i), Kind: caseforms.KindText, State: caseforms.Answered, Text: fmt.Sprintf("%s-%d.", c.Label, r)})
		}
		t.Rows = append(t.Rows, row)
	}
	doc.Sections = append(doc.Sections, caseforms.DocSection{Key: "t", Title: "Enquiries", Layout: caseforms.LayoutTable, Parts: []caseforms.Part{{Table: t}}})
	return doc
}

// A report is no version of a form and is not issued, and says neither. A wide table is whole in every format, on paper that lies.
func TestReports(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	doc := wideReport(d, 60)
	for _, format := range files {
		data := readable(t, doc, format)
		text := squeeze(strings.Join(extract(t, format, data), " "))
		for _, w := range []string{"version", "Reference:", "notissued"} {
			if strings.Contains(text, w) {
				t.Errorf("%s says %s", format, w)
			}
		}
		if !strings.Contains(text, "OFFICIAL-SENSITIVE") {
			t.Errorf("%s is not marked", format)
		}
		doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) {
			if !strings.Contains(text, a.Text) {
				t.Errorf("%s has no %s", format, a.Text)
			}
		})
	}
	pdf := written(t, doc, render.FormatPDF)
	if info := outside(t, "pdfinfo", filed(t, "x.pdf", pdf)); !strings.Contains(info, "841.89 x 595.28 pts (A4)") {
		t.Error(info)
	}
	if found := lint(parsePDF(t, pdf), true); len(found) > 0 {
		t.Error(found)
	}
	book := cells(t, written(t, doc, render.FormatWorkbook))
	if n := strings.Count(book, "paper 9, landscape"); n != 2 {
		t.Errorf("%d sheets lie", n)
	}
	if !strings.Contains(book, `A1 "Ref"`) || strings.Count(book, `foot "&LFigures for inspectors&C`) != 2 {
		t.Errorf("%.600s", book)
	}
}

// The same report gives the same bytes.
func TestReportsAreReproducible(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	all := charts(d)
	doc := report(d, all["year"], all["few"], all["letters"])
	for _, format := range render.Formats {
		want := written(t, doc, format)
		for range 8 {
			if !bytes.Equal(written(t, doc, format), want) {
				t.Errorf("%s differs", format)
				break
			}
		}
	}
}

func TestGoldenReport(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	all := charts(d)
	doc := report(d, all["few"], all["zero"], monthly(d, 2, "made", "answered", "answered in time"))
	doc.Sections = append(doc.Sections, wideReport(d, 2).Sections...)
	golden(t, "report.txt", string(written(t, doc, render.FormatText)))
	golden(t, "report.html", strings.Replace(string(written(t, doc, render.FormatHTML)), css(t), "", 1))
	golden(t, "report.cells", cells(t, written(t, doc, render.FormatWorkbook)))
	golden(t, "report.json", string(written(t, doc, render.FormatJSON)))
	golden(t, "report.structure", outside(t, "pdfinfo", "-struct-text", filed(t, "x.pdf", written(t, doc, render.FormatPDF))))
}
