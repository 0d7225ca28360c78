package render_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/xuri/excelize/v2"

	"caseforms"
	"caseforms/render"
	"caseforms/templates"
)

// outside runs a checker that is not ours. On a laptop without it the test says what it skipped; in CI it fails.
func outside(t testing.TB, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("CI needs %s", name)
		}
		t.Skipf("%s is not installed; what it would check is not checked", name)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func load(t testing.TB, area string) *caseforms.Definitions {
	t.Helper()
	d, err := templates.Load(area)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var on = caseforms.Date{Year: 2026, Month: 11, Day: 20}

func document(t testing.TB, d *caseforms.Definitions, form string, data []byte, o caseforms.FillOptions) *caseforms.Document {
	t.Helper()
	f, err := d.Form(form)
	if err != nil {
		t.Fatal(err)
	}
	var c *caseforms.Case
	if data != nil {
		var ps []caseforms.Problem
		if c, ps = d.Decode(data, f); c == nil {
			t.Fatal(ps)
		}
	}
	o.Today = on
	doc, err := d.Fill(f, c, o)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func written(t testing.TB, doc *caseforms.Document, f render.Format) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := render.Write(&b, doc, f, render.Options{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readable is a file that outside programs read soon; see [render.Colourless].
func readable(t testing.TB, doc *caseforms.Document, f render.Format) []byte {
	t.Helper()
	if f != render.FormatPDF {
		return written(t, doc, f)
	}
	var b bytes.Buffer
	if _, err := render.PDF(&b, doc, render.Colourless()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func samples(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../samples/cases/*.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		if out[strings.TrimSuffix(filepath.Base(f), ".json")], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// squeeze takes out what a line break may add or remove.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == 0xa0 {
			return -1
		}
		return r
	}, s)
}

// extract is the text of a file as other programs read it.
func extract(t testing.TB, f render.Format, data []byte) []string {
	t.Helper()
	switch f {
	case render.FormatText:
		return []string{string(data)}
	case render.FormatHTML:
		body := regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAllString(string(data), "")
		body = regexp.MustCompile(`<span class="hidden">[^<]*</span>`).ReplaceAllString(body, "")
		return []string{html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, ""))}
	case render.FormatWorkbook:
		x, err := excelize.OpenReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		var byRow, byColumn strings.Builder
		for _, sheet := range x.GetSheetList() {
			rows, err := x.GetRows(sheet)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				byRow.WriteString(strings.Join(r, " ") + " ")
			}
			cols, err := x.GetCols(sheet)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range cols {
				byColumn.WriteString(strings.Join(c, " ") + " ")
			}
		}
		return []string{byRow.String(), byColumn.String()}
	}
	name := filepath.Join(t.TempDir(), "x.pdf")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	// The structure tree is what a screen reader reads: headers and footers are not in it, and a cell that goes on over pages is one.
	var tree strings.Builder
	for line := range strings.Lines(outside(t, "pdfinfo", "-struct-text", name)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, `"`) {
			tree.WriteString(strings.TrimSuffix(line[1:], `"`))
		}
	}
	return []string{tree.String(), outside(t, "pdftotext", "-raw", name, "-")}
}

type printed struct{ Section, Key, Label, State, Text string }

func answers(t testing.TB, doc *caseforms.Document) []printed {
	t.Helper()
	var out struct{ Answers []printed }
	if err := json.Unmarshal(written(t, doc, render.FormatJSON), &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Answers) < 3 {
		t.Fatalf("only %d answers", len(out.Answers))
	}
	return out.Answers
}

// found tells which answers are not in a text whole.
//
// "Yes" and "No" are on every page, so a short answer is looked for right beside its label where the tool that reads the file keeps the two
// together.
func found(texts []string, all []printed, beside bool) (lost []string) {
	for i := range texts {
		texts[i] = squeeze(texts[i])
	}
	in := func(s string) bool {
		for _, t := range texts {
			if strings.Contains(t, squeeze(s)) {
				return true
			}
		}
		return false
	}
	for _, a := range all {
		whole := in(a.Text)
		if !whole && a.State == "answered" {
			// ticked boxes are printed one by one, each behind its mark
			whole = true
			for l := range strings.SplitSeq(a.Text, "\n") {
				whole = whole && in("☒"+l)
			}
		}
		label := strings.TrimRight(a.Label, " :")
		// in tables, grids and letters the label stands elsewhere
		if beside && whole && len(a.Text) < 20 && a.State == "answered" && !strings.Contains(a.Key, "[") && !strings.HasPrefix(a.Key, "rosh_") && !strings.Contains(a.Label, "e-mail to") && !strings.Contains(a.Label, "fax to") {
			whole = in(label+a.Text) || in(label+":"+a.Text) || in(a.Label+a.Text) || in(label+"☒"+a.Text) || strings.Contains(a.Label, "attention") || ticked(texts, label, a.Text)
		}
		if !whole {
			lost = append(lost, fmt.Sprintf("%s: %.60q", a.Key, a.Text))
		}
		// a section without any answer is named as a whole
		named := in(strings.TrimRight(a.Label, " :")) || a.State == "not_answered" && in(a.Section)
		if !named && !strings.Contains(a.Label, "attention") {
			lost = append(lost, a.Key+": the label "+a.Label)
		}
	}
	return lost
}

// ticked tells whether an answer stands as a ticked box somewhere behind its question.
func ticked(texts []string, label, text string) bool {
	for _, t := range texts {
		if _, behind, ok := strings.Cut(t, squeeze(label)); ok && strings.Contains(behind, "☒"+squeeze(strings.Split(text, "\n")[0])) {
			return true
		}
	}
	return false
}

var files = []render.Format{render.FormatPDF, render.FormatWorkbook, render.FormatHTML, render.FormatText}

// Every answer that --format json prints is found again, whole, in every format, for every sample and form.
func TestEveryAnswerIsInEveryFormat(t *testing.T) {
	t.Parallel()
	for _, area := range append(templates.Areas(), "") {
		d := load(t, area)
		for name, data := range samples(t) {
			for _, f := range own(d, area) {
				for _, addressee := range addressees(t, d, f, data) {
					doc := document(t, d, f.ID, data, caseforms.FillOptions{Draft: true, For: addressee})
					all := answers(t, doc)
					for _, format := range files {
						t.Run(strings.Join([]string{area, name, f.ID, addressee, string(format)}, "/"), func(t *testing.T) {
							t.Parallel()
							for _, l := range found(extract(t, format, readable(t, doc, format)), all, true) {
								t.Error(l)
							}
						})
					}
				}
			}
		}
	}
}

// own are the forms that an area has of its own; everywhere else ("") it is all of them.
func own(d *caseforms.Definitions, area string) (out []*caseforms.Form) {
	for _, f := range d.Forms {
		if area == "" || strings.Contains(f.File, "/"+area+"/") {
			out = append(out, f)
		}
	}
	return out
}

// addressees are all whom a form is made for from a case.
func addressees(t testing.TB, d *caseforms.Definitions, f *caseforms.Form, data []byte) []string {
	t.Helper()
	c, ps := d.Decode(data, f)
	if c == nil {
		t.Fatal(ps)
	}
	var out []string
	if f.Addressee != nil && f.Addressee.List == "childrens_services" {
		for _, s := range c.ChildrensServices.Items {
			out = append(out, string(s.Authority.Value))
		}
	}
	if out == nil {
		out = []string{""}
	}
	return out
}

// long is a text of 20,000 letters in paragraphs.
func long(seed string) string {
	var b strings.Builder
	for i := 0; b.Len() < 20_000; i++ {
		fmt.Fprintf(&b, "%s-%04d said so on that day. ", seed, i)
		if i%40 == 39 {
			b.WriteString("\n\n")
		}
	}
	return strings.TrimSpace(b.String())
}

// An answer of 20,000 letters, one long word, and long cells side by side are printed whole as well.
func TestLongAnswersAreWhole(t *testing.T) {
	t.Parallel()
	child := map[string]any{"name": "C " + long("name"), "relationship": long("relation"), "school": strings.Repeat("schoolwithoutanend", 300),
		"address": map[string]any{"lines": []string{long("address")}}, "contact_pattern": long("contact"), "with_whom_now": "Mother", "gp": long("gp")}
	data, err := json.Marshal(map[string]any{
		"person":   map[string]any{"family_name": "O'" + strings.Repeat("Neverending", 500), "disability": long("need")},
		"children": []any{child, map[string]any{"name": "D"}}, "release": map[string]any{"conditions": long("condition")},
		"offences": []any{map[string]any{"description": long("offence"), "victim_relationship": long("victim")}},
		"forms":    map[string]any{"cp1": map[string]any{"urgency": "other_concern", "concern": long("concern"), "why_now": long("now")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	d := load(t, "")
	for _, f := range d.Forms {
		doc := document(t, d, f.ID, data, caseforms.FillOptions{Draft: true})
		all := answers(t, doc)
		for _, format := range files {
			t.Run(f.ID+"/"+string(format), func(t *testing.T) {
				t.Parallel()
				for _, l := range found(extract(t, format, readable(t, doc, format)), all, true) {
					t.Error(l)
				}
			})
		}
	}
}

// The workbook as LibreOffice prints it: no row is too low for its text.
func TestWorkbookPrintsWhole(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	dir := t.TempDir()
	want := map[string][]printed{}
	var names []string
	cases := samples(t)
	// capitals are wider than what an estimate by number of letters allows for
	cases["capitals"] = []byte(fmt.Sprintf(`{"professionals":[{"name":"MOHAMMED MUHAMMAD WILLIAMS-MACDONALD MCWILLIAMS ENDNAME","role":%q}],"risk":{"statements":{"who":%q}}}`,
		strings.Repeat("MANAGEMENT WOMEN ", 12)+"END", strings.Repeat("WWWWMWWWMW ", 150)+"END"))
	cases["long"] = []byte(fmt.Sprintf(`{"person":{"disability":%q},"forms":{"cp1":{"concern":%q}}}`, long("need"), long("concern")))
	for name, data := range cases {
		for _, f := range d.Forms {
			doc := document(t, d, f.ID, data, caseforms.FillOptions{Draft: true})
			base := name + "-" + f.ID
			want[base] = answers(t, doc)
			names = append(names, filepath.Join(dir, base+".xlsx"))
			if err := os.WriteFile(names[len(names)-1], written(t, doc, render.FormatWorkbook), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	outside(t, "soffice", append([]string{"-env:UserInstallation=file://" + dir + "/profile", "--headless", "--convert-to", "pdf", "--outdir", dir}, names...)...)
	for base, all := range want {
		if base == "long-check" {
			continue // it prints neither of the long answers
		}
		text := outside(t, "pdftotext", "-raw", filepath.Join(dir, base+".pdf"), "-")
		// header and footer of a page stand between the halves of a text that goes on
		text = regexp.MustCompile(`(?m)^.*(OFFICIAL|Page \d+ of|^[A-Z0-9]+ 2026-11).*\n`).ReplaceAllString(text, "")
		// LibreOffice draws the cells of a page in an order of its own, so a text that goes on over a page is looked for word by word.
		squeezed := squeeze(text)
		var short []printed
		for _, a := range all {
			if len(a.Text) < 400 {
				short = append(short, a)
				continue
			}
			count := map[string]int{}
			for w := range strings.FieldsSeq(a.Text) {
				count[w]++
			}
			for w, n := range count {
				if got := strings.Count(squeezed, w); got < n {
					t.Errorf("%s: %s has the word %s %d times, want %d", base, a.Key, w, got, n)
				}
			}
		}
		all = short
		for _, l := range found([]string{text, strings.ReplaceAll(text, "\f", "")}, all, false) {
			t.Errorf("%s: %s", base, l)
		}
	}
}
