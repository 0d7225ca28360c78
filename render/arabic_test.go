package render_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"

	"caseforms"
	"caseforms/render"
)

// arabicCase is a case with words in Arabic script: names, marks, numbers, brackets, and a word of 5,000 letters.
func arabicCase(t *testing.T) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"person": map[string]any{"family_name": "پرویز", "given_names": "چوہدری"},
		"children": []any{map[string]any{"name": "مُحَمَّد", "school": "مدرسة الأمل 12 (الابتدائية) في لندن"},
			map[string]any{"name": "Amina آمنة Smith", "relationship": strings.Repeat("عليمحمد", 30)}},
		"forms": map[string]any{"cp1": map[string]any{"urgency": "other_concern", "concern": "The child said محمد علي is her uncle.\n\n" + strings.Repeat("محمدعلي", 5000/7)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func arabicDocument(t *testing.T) *caseforms.Document {
	t.Helper()
	return document(t, load(t, ""), "cp1", arabicCase(t), caseforms.FillOptions{Draft: true})
}

// unmarked is text without the signs of direction that pdftotext adds, and with marks on one letter in one order.
func unmarked(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
	return norm.NFC.String(s)
}

// Names in Arabic script can be read and copied whole, in the order in which they are spoken, and nothing of them is missing.
func TestArabicIsPrinted(t *testing.T) {
	t.Parallel()
	doc := arabicDocument(t)
	var b bytes.Buffer
	rep, err := render.PDF(&b, doc, render.Options{})
	if err != nil || len(rep.Missing) > 0 {
		t.Fatalf("%v, missing %v", err, rep.Missing)
	}
	dir := t.TempDir()
	file, plain := filepath.Join(dir, "x.pdf"), filepath.Join(dir, "plain.pdf")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	text := unmarked(outside(t, "pdftotext", file, "-"))
	for _, want := range []string{"چوہدری پرویز", "مُحَمَّد", "آمنة", "محمد علي"} {
		if !strings.Contains(text, norm.NFC.String(want)) {
			t.Errorf("%s cannot be copied out of %.1500s", want, text)
		}
	}
	// the word without end goes on over lines; none of it is lost at their ends
	if n := strings.Count(squeeze(text), "محمدعلي"); n < 5000/7 {
		t.Errorf("the long word has %d of its %d parts", n, 5000/7)
	}
	// a letter in the page is worth its letter in the text, for a screen reader as well
	outside(t, "qpdf", "--stream-data=uncompress", "--object-streams=disable", file, plain)
	raw, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"چوہدری پرویز", "محمد علي", "مدرسة الأمل 12 (الابتدائية) في لندن"} {
		code := "feff"
		for _, u := range utf16.Encode([]rune(want)) {
			code += fmt.Sprintf("%04x", u)
		}
		if !bytes.Contains(raw, []byte("/ActualText <"+code+">")) {
			t.Errorf("no element says %s", want)
		}
	}
	for _, m := range regexp.MustCompile(`(?s)beginbfchar(.*?)endbfchar`).FindAllSubmatch(raw, -1) {
		for line := range strings.Lines(strings.TrimSpace(string(m[1]))) {
			if !regexp.MustCompile(`^<[0-9A-F]{2,4}> <([0-9A-F]{4})+>$`).MatchString(strings.TrimSpace(line)) || strings.Contains(line, "> <0000") || strings.Contains(line, "<FEFF") || strings.Contains(line, "<FFFE") {
				t.Errorf("a Unicode map says %s", line)
			}
		}
	}
	if out := outside(t, "qpdf", "--check", file); !strings.Contains(out, "No syntax or stream encoding errors") {
		t.Error(out)
	}
	if out := outside(t, "pdftoppm", "-r", "20", "-png", file, filepath.Join(dir, "page")); strings.TrimSpace(out) != "" {
		t.Errorf("drawing it says %s", out)
	}
}

// Within an English line the words from the right stand in their place, the first of them at the right.
func TestArabicStandsInItsPlace(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.pdf")
	if err := os.WriteFile(file, written(t, arabicDocument(t), render.FormatPDF), 0o600); err != nil {
		t.Fatal(err)
	}
	page := strings.Split(outside(t, "pdftotext", "-bbox", file, "-"), "<page ")[1]
	words := boxes(t, page, "word")
	at := map[string]box{}
	for i, w := range words {
		if w.text == "said" {
			for _, n := range words[i : i+4] {
				at[unmarked(n.text)] = n
			}
		}
		if w.xMax > 595.28-41 {
			t.Errorf("%s stands over the edge", w.text)
		}
	}
	// the tool gives the letters of a word as they stand, from the left
	said, first, second, is := at["said"], at["دمحم"], at["يلع"], at["is"]
	if first.text == "" {
		first, second = at["محمد"], at["علي"]
	}
	if !(said.xMax < second.xMin && second.xMax < first.xMin && first.xMax < is.xMin) || first.yMin != second.yMin {
		t.Errorf("said %v, محمد %v, علي %v, is %v", said, first, second, is)
	}
}

// Fonts are made for each document; nothing of one document gets into another, whichever worker writes it.
func TestArabicIsTheSameEveryTime(t *testing.T) {
	t.Parallel()
	doc := arabicDocument(t)
	other := document(t, load(t, ""), "check", []byte(`{"person":{"family_name":"خديجة"}}`), caseforms.FillOptions{})
	want, wantOther := written(t, doc, render.FormatPDF), written(t, other, render.FormatPDF)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				for _, j := range []struct {
					doc  *caseforms.Document
					want []byte
				}{{doc, want}, {other, wantOther}} {
					var b bytes.Buffer
					if _, err := render.PDF(&b, j.doc, render.Options{}); err != nil || !bytes.Equal(b.Bytes(), j.want) {
						t.Errorf("%s differs (%v)", j.doc.Form, err)
					}
				}
			}
		})
	}
	wg.Wait()
}

// A browser is told to find the direction of an answer only where there is one to find.
func TestDirectionInHTML(t *testing.T) {
	t.Parallel()
	html := string(written(t, arabicDocument(t), render.FormatHTML))
	for _, want := range []string{`<td dir="auto">چوہدری پرویز</td>`, `<td dir="auto">Amina آمنة Smith</td>`, `<p class="text" dir="auto">The child said`} {
		if !strings.Contains(html, want) {
			t.Errorf("no %s", want)
		}
	}
	if html = string(written(t, document(t, load(t, ""), "cp1", samples(t)["02-full"], caseforms.FillOptions{}), render.FormatHTML)); strings.Contains(html, "dir=") {
		t.Error("a document in English has a direction")
	}
}
