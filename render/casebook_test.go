package render_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"caseforms"
	"caseforms/render"
)

// The template of every form is the same each time, has everything it should have, and a question added to a definition is in it.
func TestTemplate(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	for _, f := range d.Forms {
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			var first []byte
			for range 8 {
				var b bytes.Buffer
				if err := render.Template(&b, d, f); err != nil {
					t.Fatal(err)
				}
				if first == nil {
					first = b.Bytes()
				}
				if !bytes.Equal(first, b.Bytes()) {
					t.Fatal("differs from one time to the next")
				}
			}
			book, err := excelize.OpenReader(bytes.NewReader(first))
			if err != nil {
				t.Fatal(err)
			}
			defer book.Close()
			props, err := book.GetDocProps()
			if err != nil || props.Version != f.Version || props.Identifier != render.KeyMark+f.ID+":"+f.Version {
				t.Errorf("properties %+v, %v", props, err)
			}
			tables := d.Tables(f)
			rows, err := book.GetRows(tables[0].Title)
			if err != nil || len(rows) != 4 || len(rows[1]) != len(tables[0].Columns)+1 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			if visible, err := book.GetRowVisible(tables[0].Title, 3); err != nil || visible {
				t.Errorf("the keys are to be seen: %v", err)
			}
			if panes, err := book.GetPanes(tables[0].Title); err != nil || !panes.Freeze || panes.YSplit != 3 || panes.XSplit != 1 {
				t.Errorf("%+v %v", panes, err)
			}
			offered := map[string]bool{}
			dvs, err := book.GetDataValidations(tables[0].Title)
			if err != nil {
				t.Fatal(err)
			}
			for _, dv := range dvs {
				for at := range strings.FieldsSeq(dv.Sqref) {
					offered[strings.TrimRight(strings.Split(at, ":")[0], "0123456789")] = true
				}
			}
			for i, q := range tables[0].Columns {
				col, err := excelize.ColumnNumberToName(i + 2)
				if err != nil {
					t.Fatal(err)
				}
				if head := strings.TrimSuffix(rows[1][i+1], " *"); head != q.Label || rows[2][i+1] != q.Key {
					t.Errorf("column %s is %q, %q", col, rows[1][i+1], rows[2][i+1])
				}
				if offered[col] != (len(d.Choices(&q)) > 0) {
					t.Errorf("%s: a list of choices %v", q.Label, offered[col])
				}
				id, err := book.GetColStyle(tables[0].Title, col)
				if err != nil {
					t.Fatal(err)
				}
				s, err := book.GetStyle(id)
				if err != nil {
					t.Fatal(err)
				}
				if text := s.NumFmt == 49; text == (q.Kind == caseforms.KindDate) {
					t.Errorf("%s (%s): text %v", q.Label, q.Kind, text)
				}
			}
		})
	}
}

// LibreOffice takes the template and gives it back with the same cells, drop-downs and hidden row.
func TestTemplateInLibreOffice(t *testing.T) {
	t.Parallel()
	soffice, err := exec.LookPath("soffice")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("without LibreOffice it is not tried there")
	}
	d := load(t, "")
	f, err := d.Form("pp1")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "t.xlsx")
	w, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := render.Template(w, d, f); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	cmd := exec.Command(soffice, "-env:UserInstallation=file://"+filepath.Join(dir, "profile"), "--headless", "--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", out, name)
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	open := func(name string) *excelize.File {
		b, err := excelize.OpenFile(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}
	before, after := open(name), open(filepath.Join(out, "t.xlsx"))
	for _, s := range before.GetSheetList() {
		want, err := before.GetRows(s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := after.GetRows(s)
		if err != nil {
			t.Fatal(err)
		}
		for r := range want {
			for c := range want[r] {
				if r >= len(got) || want[r][c] != "" && (c >= len(got[r]) || got[r][c] != want[r][c]) {
					t.Errorf("%s, row %d, column %d: %q is lost or changed", s, r+1, c+1, want[r][c])
				}
			}
		}
	}
	if visible, err := after.GetRowVisible("Cases", 3); err != nil || visible {
		t.Errorf("the keys are to be seen: %v", err)
	}
	dvs, err := after.GetDataValidations("Cases")
	if err != nil || len(dvs) < 20 {
		t.Errorf("%d lists of choices, %v", len(dvs), err)
	}
	comments, err := after.GetComments("Cases")
	if err != nil || len(comments) < 100 {
		t.Errorf("%d comments, %v", len(comments), err)
	}
}
