package render_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/go-pdf/fpdf"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/unicode/norm"

	"caseforms"
	"caseforms/render"
	"caseforms/templates"
)

// The same document gives the same bytes, in whatever order and on however many workers it is written.
func TestSameInputSameBytes(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	type job struct {
		doc    *caseforms.Document
		format render.Format
		o      render.Options
		want   []byte
	}
	write := func(j job) []byte {
		var b bytes.Buffer
		rep, err := render.Write(&b, j.doc, j.format, j.o)
		if err != nil {
			t.Error(err)
		}
		if j.format == render.FormatPDF && rep.Sum != sha256.Sum256(b.Bytes()) {
			t.Errorf("%s: the sum of the file is told wrongly", j.doc.Form)
		}
		return b.Bytes()
	}
	var jobs []job
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(samples(t))) {
		for _, f := range d.Forms {
			doc := document(t, d, f.ID, samples(t)[name], caseforms.FillOptions{Draft: true})
			for _, format := range render.Formats {
				for _, profile := range []render.Profile{render.ProfileArchive, render.ProfileReply} {
					if profile == render.ProfileReply && format != render.FormatPDF {
						continue
					}
					j := job{doc: doc, format: format, o: render.Options{Profile: profile}}
					j.want = write(j)
					sum.Write(j.want)
					jobs = append(jobs, j)
				}
			}
		}
	}
	const key = "CASEFORMS_SAME_BYTES"
	if os.Getenv(key) != "" { // the other process
		fmt.Printf("sum %x\n", sum.Sum(nil))
		return
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range jobs {
				j := jobs[(i*7+w*13)%len(jobs)]
				if !bytes.Equal(write(j), j.want) {
					t.Errorf("worker %d: %s of %s differs", w, j.format, j.doc.Form)
				}
			}
		})
	}
	wg.Wait()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestSameInputSameBytes$")
	cmd.Env = append(os.Environ(), key+"=1")
	if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), fmt.Sprintf("sum %x", sum.Sum(nil))) {
		t.Errorf("another process writes other bytes (%v): %s", err, out)
	}
}

// The files are sound to programs that are not ours, and so are the blank forms.
func TestOutsideCheckersAcceptTheFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var files []string
	for _, area := range append(templates.Areas(), "") {
		d := load(t, area)
		cases := samples(t)
		cases["blank"] = nil
		for name, data := range cases {
			for _, f := range own(d, area) {
				// every copy, and each as an archive or a reply in turn; which of them does not depend on the order of anything
				cp := f.Copies[(len(name)+len(f.ID))%len(f.Copies)]
				doc := document(t, d, f.ID, data, caseforms.FillOptions{Draft: data != nil, Blank: data == nil, Copy: cp})
				profile := render.ProfileArchive
				if len(name)%2 == 0 {
					profile = render.ProfileReply
				}
				var b bytes.Buffer
				if _, err := render.PDF(&b, doc, render.Options{Profile: profile}); err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(dir, fmt.Sprintf("%s-%s-%s-%s-%s.pdf", area, name, f.ID, cp, profile))
				if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
				if out := outside(t, "qpdf", "--check", file); !strings.Contains(out, "No syntax or stream encoding errors") {
					t.Errorf("%s: %s", file, out)
				}
				info := outside(t, "pdfinfo", file)
				for _, want := range []string{"Tagged:          yes", "Page size:       595.28 x 841.89 pts (A4)"} {
					if !strings.Contains(info, want) {
						t.Errorf("%s: no %q in %s", file, want, info)
					}
				}
				for line := range strings.Lines(outside(t, "pdffonts", file)) {
					if f := strings.Fields(line); strings.HasPrefix(line, "---") || strings.HasPrefix(line, "name") {
						continue
					} else if emb := f[len(f)-5]; emb != "yes" && !strings.Contains(line, "Type 3") {
						t.Errorf("%s: a font is not embedded: %s", file, line)
					} else if uni := f[len(f)-3]; uni != "yes" {
						t.Errorf("%s: a font has no Unicode map: %s", file, line)
					}
				}
				if out := outside(t, "pdftoppm", "-r", "20", "-png", file, filepath.Join(dir, fmt.Sprint("page", len(files)))); strings.TrimSpace(out) != "" {
					t.Errorf("%s: drawing it says %s", file, out)
				}
				if out := outside(t, "mutool", "draw", "-q", "-N", "-r", "10", "-o", filepath.Join(dir, "mutool%d.png"), file); strings.TrimSpace(out) != "" {
					t.Errorf("%s: mutool says %s", file, out)
				}
				files = append(files, file)
			}
		}
	}
	if out := outside(t, "gs", append([]string{"-q", "-dNOPAUSE", "-dBATCH", "-dPDFSTOPONWARNING", "-sDEVICE=nullpage"}, files...)...); strings.TrimSpace(out) != "" {
		t.Errorf("Ghostscript says %s", out)
	}
	if _, err := exec.LookPath("verapdf"); err != nil {
		t.Log("veraPDF is not on the path: the claims to be PDF/UA-1 and PDF/A-3a are checked by our own reading alone")
		return
	}
	for _, flavour := range []string{"ua1", "3a"} {
		if out := outside(t, "verapdf", append([]string{"--flavour", flavour, "--format", "text"}, files...)...); strings.Contains(out, "FAIL") || !strings.Contains(out, "PASS") {
			t.Errorf("veraPDF says %s", out)
		}
	}
}

// A letter no embedded font has is marked on the page, reported with its answer, and the letter meant can still be copied out.
func TestMissingLettersAreReported(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	doc := document(t, d, "check", []byte(`{"person":{"family_name":"Smile😀","given_names":"李"},"children":[{"name":"שלום"}]}`), caseforms.FillOptions{Draft: true})
	var b bytes.Buffer
	rep, err := render.PDF(&b, doc, render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range rep.Missing {
		got = append(got, fmt.Sprintf("%s %c", g.Key, g.Rune))
	}
	want := "offender_name 李, offender_name 😀, children[0].name ש, children[0].name ל, children[0].name ו, children[0].name ם"
	if strings.Join(got, ", ") != want {
		t.Errorf("reported %s\nwant %s", strings.Join(got, ", "), want)
	}
	text := squeeze(extract(t, render.FormatPDF, b.Bytes())[1])
	// the tool puts letters written from the right into an order of its own, so these are looked for one by one
	for _, w := range []string{"李Smile😀", "ש", "ל", "ם"} {
		if !strings.Contains(text, w) {
			t.Errorf("%s cannot be copied out of %.300s", w, text)
		}
	}
}

// Welsh and Polish letters are letters, not question marks.
func TestLettersOfTheseIslands(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	name := "ŵŷẁẃẅỳŴŶẀẂẄỲ âêîôû äëïöü àèìòù áéíóúý łŁńśźżćęąó ňřšžťďůě ăîșț ğışİ ßÆØåñçœ ’‘“”–—…€£½ Ђёжя αβγΩ"
	doc := document(t, d, "check", []byte(`{"person":{"family_name":"`+name+`"}}`), caseforms.FillOptions{Draft: true})
	var b bytes.Buffer
	rep, err := render.PDF(&b, doc, render.Options{})
	if err != nil || len(rep.Missing) > 0 {
		t.Errorf("%v %v", err, rep.Missing)
	}
	for _, text := range extract(t, render.FormatPDF, b.Bytes()) {
		if !strings.Contains(squeeze(text), squeeze(name)) {
			t.Errorf("%s is not in %.200s", name, text)
		}
	}
}

// What services in daily use got wrong, for every form: see the comment of each.
func TestMistakesOfOthers(t *testing.T) {
	t.Parallel()
	noes := regexp.MustCompile(`(?m)(^|[^\pL])No($|\n|\.|: |, )`) // as an answer, not as the first word of a label
	nothing := regexp.MustCompile(`(?i)<nil>|%!|\bundefined\b|\bnull\b|\bNaN\b|map\[|⟨`)
	for _, area := range append(templates.Areas(), "") {
		d := load(t, area)
		for _, f := range own(d, area) {
			empty := document(t, d, f.ID, []byte(`{}`), caseforms.FillOptions{Draft: true})
			for _, format := range files {
				data := readable(t, empty, format)
				text := strings.Join(extract(t, format, data), "\n")
				// a blank reads as "No"; a missing value is printed as null
				for _, label := range noes.FindAllString(text, -1) {
					t.Errorf("%s %s: an empty case prints No: %q", f.ID, format, label)
				}
				if m := nothing.FindString(text); m != "" {
					t.Errorf("%s %s prints %s", f.ID, format, m)
				}
				if !strings.Contains(squeeze(text), squeeze("Not answered")) {
					t.Errorf("%s %s: not answered is not said", f.ID, format)
				}
			}
			for name, data := range samples(t) {
				doc := document(t, d, f.ID, data, caseforms.FillOptions{Draft: true})
				for _, format := range files {
					raw := readable(t, doc, format)
					text := strings.Join(extract(t, format, raw), "\n")
					if m := nothing.FindString(text); m != "" {
						t.Errorf("%s %s %s prints %s", name, f.ID, format, m)
					}
					// apostrophes reach the paper as &#39;
					if strings.Contains(text, "&#") || strings.Contains(text, "&amp;") {
						t.Errorf("%s %s %s prints an escape", name, f.ID, format)
					}
					// headings get lost
					for _, s := range doc.Sections {
						if !strings.Contains(squeeze(text), squeeze(s.Title)) {
							t.Errorf("%s %s %s: the heading %q is missing", name, f.ID, format, s.Title)
						}
					}
					// marking and reference are missing on the page that is photographed
					if !strings.Contains(text, doc.Marking) && format != render.FormatPDF {
						t.Errorf("%s %s %s: no marking", name, f.ID, format)
					}
				}
				// signed by somebody else
				for _, a := range answers(t, doc) {
					if a.Key == "sent_by" && a.Text != "Robin Sample" {
						t.Errorf("%s %s is sent by %s", name, f.ID, a.Text)
					}
				}
			}
		}
	}
}

// Every option of every question can be chosen and is then printed in every format; on the blank form its box is there.
func TestEveryOptionIsReachable(t *testing.T) {
	t.Parallel()
	for _, area := range append(templates.Areas(), "") {
		d := load(t, area)
		for _, f := range own(d, area) {
			blank := written(t, document(t, d, f.ID, nil, caseforms.FillOptions{Blank: true}), render.FormatText)
			for _, s := range f.Sections {
				for _, q := range s.Fields {
					path := "forms." + f.ID + "." + q.Key
					if len(q.From) == 1 {
						path = q.From[0]
					}
					for _, c := range q.Fields { // in a list: one item with each option in turn
						key, options := c.Key, c.Options
						if len(c.From) == 1 && d.Facts[path+"."+c.From[0]] != nil {
							key, options = c.From[0], d.Facts[path+"."+c.From[0]].Options
						}
						for _, o := range options {
							value := fmt.Sprintf(`[{%q:%q}]`, key, o.Value)
							for keys := strings.Split(path, "."); len(keys) > 0; keys = keys[:len(keys)-1] {
								value = fmt.Sprintf("{%q:%s}", keys[len(keys)-1], value)
							}
							text := string(written(t, document(t, d, f.ID, []byte(value), caseforms.FillOptions{Draft: true}), render.FormatText))
							if !strings.Contains(squeeze(text), squeeze(o.Label.En)) {
								t.Errorf("%s: %s of %s = %s is not printed", f.ID, c.Key, q.Key, o.Value)
							}
						}
					}
					options := q.Options
					if len(q.From) == 1 && q.Fields == nil && q.As == "" && d.Facts[q.From[0]] != nil {
						path, options = q.From[0], d.Facts[q.From[0]].Options
					}
					if q.Internal || options == nil {
						continue
					}
					for _, o := range options {
						value := fmt.Sprintf("%q", o.Value)
						mark := ""
						if q.Kind == caseforms.KindChecks {
							value, mark = "["+value+"]", "☒"
						}
						for keys := strings.Split(path, "."); len(keys) > 0; keys = keys[:len(keys)-1] {
							value = fmt.Sprintf("{%q:%s}", keys[len(keys)-1], value)
						}
						doc := document(t, d, f.ID, []byte(value), caseforms.FillOptions{Draft: true})
						for _, format := range []render.Format{render.FormatHTML, render.FormatText, render.FormatWorkbook, render.FormatPDF} {
							if format == render.FormatPDF && (testing.Short() || len(options) > 20) {
								continue
							}
							text := squeeze(strings.Join(extract(t, format, readable(t, doc, format)), " "))
							if !strings.Contains(text, squeeze(mark+o.Label.En)) {
								t.Errorf("%s %s: %s = %s is not printed", f.ID, format, q.Key, o.Value)
							}
						}
						if !strings.Contains(squeeze(string(blank)), squeeze("☐"+o.Label.En)) {
							t.Errorf("%s: no box for %s = %s on the blank form", f.ID, q.Key, o.Value)
						}
					}
				}
			}
		}
	}
}

// DRAFT stands on every page, marking at the head and foot of every page, and the last page knows how many there are.
func TestEveryPageIsMarked(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	doc := document(t, d, "cp1", samples(t)["04-many-children"], caseforms.FillOptions{Draft: true})
	name := filepath.Join(t.TempDir(), "x.pdf")
	var b bytes.Buffer
	rep, err := render.PDF(&b, doc, render.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	pages := strings.Split(strings.TrimSuffix(outside(t, "pdftotext", "-raw", name, "-"), "\f"), "\f")
	if len(pages) != rep.Pages || len(pages) < 5 {
		t.Fatalf("%d pages, reported %d", len(pages), rep.Pages)
	}
	for i, p := range pages {
		for _, want := range []string{"DRAFT – not to be sent", "Reference: not issued", "CP1 – Referral to children's services, version 2026-11", fmt.Sprintf("Page %d of %d", i+1, len(pages))} {
			if !strings.Contains(p, want) {
				t.Errorf("page %d has no %q", i+1, want)
			}
		}
		if n := strings.Count(squeeze(p), "DRAFT"); n != 2 {
			t.Errorf("page %d has DRAFT %d times, want it at the head and across the page", i+1, n)
		}
		if n := strings.Count(p, "OFFICIAL-SENSITIVE"); n != 2 {
			t.Errorf("page %d is marked %d times", i+1, n)
		}
	}
	// the head of a table that goes on stands on the next page again
	if p := squeeze(pages[1]); !strings.Contains(p[:min(len(p), 400)], "NameDateofbirth(age)") {
		t.Errorf("page two begins %.400s", p)
	}
	// page one of a CP1: the children, why now, what is asked, whom to ring (0.4 point 21)
	for _, want := range []string{"Abi Bigfamily", "Release on 12 February 2027 to a household", "☒ Child protection (section 47) enquiry", "01632 960101"} {
		if !strings.Contains(squeeze(pages[0]), squeeze(want)) {
			t.Errorf("page one has no %q", want)
		}
	}
}

// Nothing is drawn over anything else, over the footer, or beyond the edge, and no heading stands alone at the foot of a page, whatever the
// length of the answers.
func TestPagesAreLaidOutSoundly(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	dir := t.TempDir()
	words := func(n int) string { return strings.TrimSpace(strings.Repeat("reason ", n)) }
	cases := samples(t)
	for n := range 24 {
		cases[fmt.Sprint("why", n)] = []byte(fmt.Sprintf(`{"mappa":{"state":"not_known","why":%[1]q},"risk":{"rosh_children":{"state":"not_known","why":%[2]q}},"professionals":[{"agency":%[3]q}],"children":[{"name":"C","contact_pattern":%[1]q},{"name":%[2]q}],
		 "forms":{"cp1":{"concern":%[1]q,"urgency":{"state":"not_known","why":%[3]q},"home_visit_date":{"state":"not_known","why":%[1]q},"risk_factors":["gang","animal_cruelty","non_cooperation","internet_use","mental_health"]}}}`,
			words(n*17), words(n*3), words(n*29)))
	}
	cases["blank"] = nil
	for name, data := range cases {
		for _, fm := range d.Forms {
			f := fm.ID
			if strings.HasPrefix(name, "why") && f != "cp1" && f != "check" && f != "conference" {
				continue
			}
			file := filepath.Join(dir, name+f+".pdf")
			doc := document(t, d, f, data, caseforms.FillOptions{Blank: data == nil}) // not as a draft, whose watermark lies under everything
			if err := os.WriteFile(file, written(t, doc, render.FormatPDF), 0o600); err != nil {
				t.Fatal(err)
			}
			titles := map[string]bool{}
			for _, s := range doc.Sections {
				titles[s.Title] = s.Title != ""
			}
			for i, page := range strings.Split(outside(t, "pdftotext", "-bbox-layout", file, "-"), "<page ")[1:] {
				words, lines := boxes(t, page, "word"), boxes(t, page, "line")
				for j, a := range words {
					if a.yMax > 800 && !strings.HasPrefix(a.text, "OFFICIAL") && a.xMin < 490 || a.xMax > 560 || a.xMin < 30 {
						t.Errorf("%s %s, page %d: %q stands at %v", name, f, i+1, a.text, a)
					}
					for _, b := range words[:j] {
						if a.xMin < b.xMax-1 && b.xMin < a.xMax-1 && a.yMin < b.yMax-4.5 && b.yMin < a.yMax-4.5 {
							t.Errorf("%s %s, page %d: %q over %q", name, f, i+1, a.text, b.text)
						}
					}
				}
				last := box{}
				for _, a := range lines {
					if a.yMin > last.yMin && a.yMax < 790 {
						last = a
					}
				}
				if titles[last.text] && last.xMin < 44 { // a label stands further in
					t.Errorf("%s %s, page %d ends with the heading %q", name, f, i+1, last.text)
				}
			}
		}
	}
}

type box struct {
	xMin, yMin, xMax, yMax float64
	text                   string
}

// boxes are the words or lines of a page as poppler sees them.
func boxes(t *testing.T, page, what string) (out []box) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?s)<`+what+` xMin="([^"]*)" yMin="([^"]*)" xMax="([^"]*)" yMax="([^"]*)">(.*?)</`+what+`>`).FindAllStringSubmatch(page, -1) {
		var b box
		for i, v := range []*float64{&b.xMin, &b.yMin, &b.xMax, &b.yMax} {
			if _, err := fmt.Sscan(m[i+1], v); err != nil {
				t.Fatal(err)
			}
		}
		b.text = html.UnescapeString(strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(m[5], " ")), " "))
		if strings.Trim(b.text, "☐☒ ") != "" { // a lone box is reported larger than it is drawn
			out = append(out, b)
		}
	}
	return out
}

// A text that a spreadsheet would run stays text, dates are dates, identifiers keep their zeros, and choices can be chosen.
func TestWorkbookCells(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	doc := document(t, d, "cp1", []byte(`{"person":{"family_name":"=cmd|' /C calc'!A0","dob":"1988-03-27","pnc":"033Y","crn":"x000001"},
	 "practitioner":{"name":"+1","phone":"01632 960101","role":"duty_officer"},"manager":{"name":"@SUM(A1)"},
	 "forms":{"cp1":{"concern":"-2+3\ttab","urgency":"other_concern","refer_date":"2026-11-20","manager_consulted":"yes"}}}`), caseforms.FillOptions{Draft: true})
	data := written(t, doc, render.FormatWorkbook)
	x, err := excelize.OpenReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	kinds := map[string]excelize.CellType{}
	sheet := x.GetSheetName(0)
	rows, err := x.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	for r := range rows {
		for c := range rows[r] {
			at, _ := excelize.CoordinatesToCellName(c+1, r+1)
			k, err := x.GetCellType(sheet, at)
			if err != nil {
				t.Fatal(err)
			}
			kinds[rows[r][c]] = k
			if f, _ := x.GetCellFormula(sheet, at); f != "" {
				t.Errorf("%s holds a formula", at)
			}
		}
	}
	for text, want := range map[string]excelize.CellType{
		"=cmd|' /C calc'!A0": excelize.CellTypeSharedString, "+1": excelize.CellTypeSharedString, "@SUM(A1)": excelize.CellTypeSharedString,
		"-2+3\ttab": excelize.CellTypeSharedString, "2003/0000003Y": excelize.CellTypeSharedString, "01632 960101": excelize.CellTypeSharedString,
		"20 November 2026": excelize.CellTypeUnset, "27 March 1988": excelize.CellTypeUnset, // a number with a date format
	} {
		if got, ok := kinds[text]; !ok || got != want {
			t.Errorf("%q: found %v, type %v, want %v", text, ok, got, want)
		}
	}
	dvs, err := x.GetDataValidations(sheet)
	if err != nil || len(dvs) == 0 {
		t.Fatalf("no drop-downs: %v", err)
	}
	lists, err := x.GetCols("Lists")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(fmt.Sprint(lists), "Duty Officer") {
		t.Errorf("the roles cannot be chosen: %v", lists)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		if strings.Contains(f.Name, "vba") || strings.Contains(f.Name, "externalLink") {
			t.Errorf("%s does not belong in a document", f.Name)
		}
	}
}

// A question and a repeating part added to a definition stand in the empty case, in the schema, in the checks and in every output,
// without a line of Go.
func TestAddingAQuestionNeedsNoGo(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"cp1", "check"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			fsys := fstest.MapFS{}
			for _, name := range []string{"words.yaml", "settings.yaml", "facts.yaml", "forms/cp1/2026-11.yaml", "forms/check/2026-11.yaml"} {
				f, err := templates.FS().Open(name)
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(f)
				if err != nil {
					t.Fatal(err)
				}
				if name == "forms/"+form+"/2026-11.yaml" {
					b = bytes.Replace(b, []byte("\nsections:\n"), []byte(`
sections:
  - key: added
    title: A section that was added
    layout: rows
    fields:
      - {key: pets, label: "Which animals live there?", kind: text, required: true}
      - {key: mood, label: "How was the mood?", kind: choice, options: {calm: Calm and friendly, tense: Tense}}
      - key: visits_made
        label: Visits made to the home
        item: Visit
        kind: list
        layout: table
        fields:
          - {key: day, label: Day of the visit, kind: date, required: true}
          - {key: seen, label: Who was seen, kind: text}
`), 1)
					b = bytes.Replace(b, []byte("\nregister:\n  columns:\n"), []byte("\nregister:\n  columns:\n    - pets\n    - {key: mood, label: Mood}\n"), 1)
					b = bytes.Replace(b, []byte("\n  totals:\n"), []byte("\n  totals:\n    - {of: mood, title: Visits by mood}\n"), 1)
				}
				fsys[name] = &fstest.MapFile{Data: b}
			}
			d, err := templates.LoadFS(fsys, "")
			if err != nil {
				t.Fatal(err)
			}
			f, err := d.Form(form)
			if err != nil {
				t.Fatal(err)
			}
			for what, of := range map[string]func(*caseforms.Form) ([]byte, error){"schema": d.Schema, "empty case": d.Empty} {
				b, err := of(f)
				if err != nil {
					t.Fatal(err)
				}
				for _, key := range []string{`"pets"`, `"mood"`, `"visits_made"`, `"day"`, `"seen"`} {
					if !bytes.Contains(b, []byte(key)) {
						t.Errorf("the %s has no %s", what, key)
					}
				}
			}
			in := []byte(fmt.Sprintf(`{"forms":{%q:{"pets":"A parrot called Example","mood":"tense","visits_made":[{"day":"2026-10-01","seen":"Granny Sample"},{"seen":"Nobody at all"}]}}}`, form))
			c, ps := d.Decode(in, f)
			if c == nil {
				t.Fatal(ps)
			}
			doc := document(t, d, form, in, caseforms.FillOptions{Draft: true})
			for _, format := range files {
				text := squeeze(strings.Join(extract(t, format, readable(t, doc, format)), " "))
				for _, want := range []string{"A section that was added", "Which animals live there?", "A parrot called Example", "Tense", "Visits made to the home", "1 October 2026", "Granny Sample", "Nobody at all"} {
					if !strings.Contains(text, squeeze(want)) {
						t.Errorf("%s has no %q", format, want)
					}
				}
			}
			var j struct{ Answers []printed }
			if err := json.Unmarshal(written(t, doc, render.FormatJSON), &j); err != nil || j.Answers[0].Key != "pets" {
				t.Errorf("JSON: %v %v", err, j.Answers[:1])
			}
			ps, err = d.Check(f, c, caseforms.FillOptions{Today: on})
			if err != nil || !strings.Contains(ps[0].String(), "Visit 2: Day of the visit (forms."+form+".visits_made[1].day): is not answered") {
				t.Errorf("check: %v %v", err, ps[0])
			}
			c, _ = d.Decode([]byte(`{}`), f)
			ps, _ = d.Check(f, c, caseforms.FillOptions{Today: on})
			if !strings.Contains(ps[0].String(), "Which animals live there? (forms."+form+".pets): is not answered and must be") {
				t.Errorf("check of nothing: %v", ps[0])
			}
			x := openRegister(t, registerOf(t, caseRegister(t, d, form), doc))
			if got := x.row(t, 0, 1); got["Which animals live there?"] != "A parrot called Example" || got["Mood"] != "Tense" {
				t.Errorf("register: %v", got)
			}
			if got := x.total(t, 1, "Visits by mood"); got["Tense"][0] != "1" || got["Calm and friendly"][0] != "0" {
				t.Errorf("totals of the register: %v", got)
			}
			if _, ps = d.Decode([]byte(fmt.Sprintf(`{"forms":{%q:{"pet":"x"}}}`, form)), f); len(ps) != 1 || !strings.Contains(ps[0].Hint, "pets") {
				t.Errorf("a misspelt key: %v", ps)
			}
		})
	}
}

// Whatever stands in an answer, no writer panics, and nothing is lost without a report.
func FuzzWriters(f *testing.F) {
	d := load(f, "")
	for _, s := range []string{"plain", "a\x00b", "\xff\xfe", strings.Repeat("long", 3000), "e\u0301\u0301\u0301", "😀‍👩", "مرحبا abc 123", "a\tb\n\n\nc", "\u202eabc", "]]>&<>\"'", "{organisation}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		data, err := json.Marshal(map[string]any{"person": map[string]any{"family_name": s}, "children": []any{map[string]any{"name": s, "school": s}}, "forms": map[string]any{"cp1": map[string]any{"concern": s}}})
		if err != nil {
			t.Fatal(err)
		}
		fm, _ := d.Form("cp1")
		c, _ := d.Decode(data, fm)
		if c == nil {
			return
		}
		doc, err := d.Fill(fm, c, caseforms.FillOptions{Today: on, Draft: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range render.Formats {
			var b bytes.Buffer
			o := render.Options{}
			if format == render.FormatPDF {
				o.Profile = render.ProfileReply
			}
			if _, err := render.Write(&b, doc, format, o); err != nil {
				t.Fatalf("%s: %v", format, err)
			}
			if format == render.FormatPDF && len(s) < 2000 {
				if found := lint(parsePDF(t, b.Bytes()), true); len(found) > 0 {
					t.Fatal(found)
				}
			}
			if format == render.FormatText || format == render.FormatHTML {
				doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) {
					if a.Key == "concern" && !strings.Contains(squeeze(extract(t, format, b.Bytes())[0]), squeeze(norm.NFC.String(a.Text))) {
						t.Fatalf("%s lost the answer", format)
					}
				})
			}
		}
		// in a list and in a print job, which do not ask where a document comes from
		raw := changed(doc, func(a *caseforms.Answer) {
			if a.Key == "p_name" && a.State == caseforms.Answered {
				a.Text = s
			}
		})
		x := openRegister(t, registerOf(t, caseRegister(t, d, "cp1"), raw))
		got, err := x.GetCellValue(x.sheets[0], "C2", excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		if got == "" && strings.Trim(s, "\r") != "" {
			t.Fatalf("the register lost %q", s)
		}
		if b, _ := merged(t, []*caseforms.Document{raw, raw}, []string{s, "two"}); len(s) < 2000 {
			if found := lintPrintJob(parsePDF(t, b)); len(found) > 0 {
				t.Fatal(found)
			}
		}
	})
}

// BenchmarkFill is one document from the bytes of a case to the bytes of a file, fonts and definitions parsed once.
func BenchmarkFill(b *testing.B) {
	d := load(b, "")
	all := samples(b)
	for _, form := range []string{"cp1", "check"} {
		f, err := d.Form(form)
		if err != nil {
			b.Fatal(err)
		}
		for _, format := range render.Formats {
			b.Run(form+"/"+string(format), func(b *testing.B) {
				data := all["01-simple"]
				size, pages := 0, 0
				for b.Loop() {
					c, ps := d.Decode(data, f)
					if c == nil {
						b.Fatal(ps)
					}
					o := caseforms.FillOptions{Today: on}
					if ps, err := d.Check(f, c, o); err != nil || len(ps) > 0 {
						b.Fatal(err, ps)
					}
					doc, err := d.Fill(f, c, o)
					if err != nil {
						b.Fatal(err)
					}
					var w counter
					rep, err := render.Write(&w, doc, format, render.Options{})
					if err != nil {
						b.Fatal(err)
					}
					size, pages = int(w), rep.Pages
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "docs/s")
				b.ReportMetric(float64(size), "bytes/doc")
				b.ReportMetric(float64(pages), "pages")
			})
		}
	}
}

// BenchmarkPDF is the rendering alone, for comparison with BenchmarkPlainFpdf.
func BenchmarkPDF(b *testing.B) {
	d := load(b, "")
	for _, form := range []string{"cp1", "check", "pp1"} {
		data := samples(b)["01-simple"]
		if form == "pp1" {
			data = samples(b)["03-urgent"] // four pages
		}
		doc := document(b, d, form, data, caseforms.FillOptions{Draft: form == "pp1"})
		for _, profile := range []render.Profile{render.ProfileArchive, render.ProfileReply, render.ProfileSecure} {
			b.Run(form+"/"+string(profile), func(b *testing.B) {
				o := render.Options{Profile: profile}
				if profile == render.ProfileSecure {
					o.Password = secret
				}
				var w counter
				pages := 0
				for b.Loop() {
					w = 0
					rep, err := render.PDF(&w, doc, o)
					if err != nil {
						b.Fatal(err)
					}
					pages = rep.Pages
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "docs/s")
				b.ReportMetric(float64(w), "bytes/doc")
				b.ReportMetric(float64(pages), "pages")
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.Sys>>20), "MB-of-process") // flat, however many documents
			})
		}
	}
}

// BenchmarkPlainFpdf is the yardstick: the same answers by fpdf as its documentation shows it, with its own embedded fonts and cells,
// without tags, tables that break or rows that grow.
func BenchmarkPlainFpdf(b *testing.B) {
	d := load(b, "")
	fonts := map[string][]byte{}
	for style, name := range map[string]string{"": "Regular", "B": "Bold"} {
		ttf, err := os.ReadFile("fonts/NotoSans-" + name + ".ttf")
		if err != nil {
			b.Fatal(err)
		}
		fonts[style] = ttf
	}
	for _, form := range []string{"cp1", "check"} {
		doc := document(b, d, form, samples(b)["01-simple"], caseforms.FillOptions{})
		b.Run(form, func(b *testing.B) {
			for b.Loop() {
				plainFpdf(b, fonts, doc)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "docs/s")
		})
	}
}

func plainFpdf(b *testing.B, fonts map[string][]byte, doc *caseforms.Document) {
	p := fpdf.New("P", "pt", "A4", "")
	for style, ttf := range fonts {
		p.AddUTF8FontFromBytes("Noto", style, bytes.Clone(ttf))
	}
	p.SetHeaderFunc(func() { p.SetFont("Noto", "B", 11); p.CellFormat(0, 14, doc.Marking, "", 1, "C", false, 0, "") })
	p.SetFooterFunc(func() {
		p.SetY(-40)
		p.SetFont("Noto", "", 9)
		p.CellFormat(0, 14, fmt.Sprint("Page ", p.PageNo()), "", 0, "R", false, 0, "")
	})
	p.AddPage()
	doc.Answers(func(_ *caseforms.DocSection, a *caseforms.Answer) {
		p.SetFont("Noto", "B", 11)
		p.MultiCell(0, 14, a.Label, "1", "L", false)
		p.SetFont("Noto", "", 11)
		p.MultiCell(0, 14, a.Text, "1", "L", false)
	})
	if err := p.Output(io.Discard); err != nil {
		b.Fatal(err)
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// A Professionals Meeting outside MAPPA is called a MAPPA case nowhere (0.4 point 23).
func TestProfessionalsMeetingIsNotMAPPA(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	data := []byte(`{"person":{"given_names":"A","family_name":"B"},"forms":{"pp1":{"notification_type":"professionals_meeting"},"pp2":{"meeting_kind":"professionals_meeting"}}}`)
	for _, f := range []string{"pp1", "pp2", "pp2-summary", "pp2-actions"} {
		doc := document(t, d, f, data, caseforms.FillOptions{})
		for _, format := range render.Formats {
			raw := readable(t, doc, format)
			text := string(raw)
			if format == render.FormatPDF || format == render.FormatWorkbook {
				text = strings.Join(extract(t, format, raw), " ")
			}
			for _, word := range []string{"MAPPA", "MARMM", "MAPPP", "Multi-Agency Public Protection"} {
				if strings.Contains(text, word) {
					t.Errorf("%s as %s says %s", f, format, word)
				}
			}
		}
	}
}

// The fourteen sources stand in the three columns of the original (002:1093-1100).
func TestSourcesStandInThreeColumns(t *testing.T) {
	t.Parallel()
	d := load(t, "london")
	doc := document(t, d, "conference", nil, caseforms.FillOptions{Blank: true})
	file := filepath.Join(t.TempDir(), "x.pdf")
	if err := os.WriteFile(file, written(t, doc, render.FormatPDF), 0o600); err != nil {
		t.Fatal(err)
	}
	place := map[string]box{}
	for _, page := range strings.Split(outside(t, "pdftotext", "-bbox", file, "-"), "<page ")[1:] {
		for _, w := range boxes(t, page, "word") {
			if _, ok := place[w.text]; !ok {
				place[w.text] = w
			}
		}
	}
	columns := [][]string{{"Interview", "Alcohol", "Approved", "Family", "Crown", "Pre-convictions"}, {"Prison", "records", "Victim", "Medical", "Drug", "S"}, {"Police", "G"}}
	for c, words := range columns {
		for r, w := range words {
			b, ok := place[w]
			if !ok {
				t.Fatalf("%s is not printed: %v", w, place)
			}
			if first := place[columns[c][0]]; w != "records" && (b.xMin-first.xMin > 1 || first.xMin-b.xMin > 1) {
				t.Errorf("%s is not in column %d", w, c+1)
			}
			if row := place[columns[0][r]]; b.yMin-row.yMin > 1 || row.yMin-b.yMin > 1 {
				t.Errorf("%s is not in row %d", w, r+1)
			}
		}
	}
}

// A megabyte in one answer, five hundred children, and letters of every kind: everything is in the file, whole, and what has no glyph is
// reported with its place.
func TestHugeCasesAreWhole(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	var story strings.Builder
	count := 0
	for ; story.Len() < 1<<20; count++ {
		fmt.Fprintf(&story, "Word%d, ", count)
	}
	story.WriteString("e\u0301\u0302 o\u0323\u0307 محمد 12 (علي) 👶 " + strings.Repeat("unbroken", 625))
	var children []any
	for i := range 500 {
		children = append(children, map[string]any{"name": fmt.Sprintf("Child Number%d", i), "school": "School of All"})
	}
	data, err := json.Marshal(map[string]any{"children": children, "forms": map[string]any{"cp1": map[string]any{"concern": story.String()}}})
	if err != nil {
		t.Fatal(err)
	}
	doc := document(t, d, "cp1", data, caseforms.FillOptions{Draft: true})
	var b bytes.Buffer
	rep, err := render.PDF(&b, doc, render.Options{})
	if err != nil || len(rep.Missing) != 1 || rep.Missing[0].Rune != '👶' || rep.Missing[0].Key != "concern" {
		t.Errorf("%v %v", rep.Missing, err)
	}
	if found := lint(parsePDF(t, b.Bytes()), true); len(found) > 0 {
		t.Errorf("%.500q", found)
	}
	text := squeeze(outside(t, "pdftotext", "-raw", filed(t, "huge.pdf", b.Bytes()), "-"))
	in := map[string]bool{}
	for _, w := range regexp.MustCompile(`Word\d+,|Number\d+`).FindAllString(text, -1) {
		in[w] = true
	}
	for i := range 500 {
		if !in[fmt.Sprintf("Number%d", i)] {
			t.Errorf("child %d is lost", i)
		}
	}
	lost := 0
	for i := range count {
		if !in[fmt.Sprintf("Word%d,", i)] {
			lost++
		}
	}
	// a page break sets the page's head into a line; at most one word in each is torn
	if lost > rep.Pages || rep.Pages < 200 {
		t.Errorf("%d words are lost on %d pages", lost, rep.Pages)
	}
	for _, format := range render.Formats {
		if _, err := render.Write(io.Discard, doc, format, render.Options{}); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
}
