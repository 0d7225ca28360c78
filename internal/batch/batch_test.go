package batch_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
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

// What cannot be had back whole, or is no answer, is refused again when it is given back as it is: a text that no cell can hold, what a formula came to,
// and the FALSE of a tick box that nobody touched, which must not become a No.
func TestFixLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	heads := []string{"CRN", "Given names", "Family name", "Date of birth", "Why this level: the criteria met and the evidence", "Is there a strong risk of serious violent or sexual offending after release?"}
	write := func(name string, rows ...[]any) string {
		t.Helper()
		f := excelize.NewFile()
		defer f.Close()
		for i, row := range append([][]any{{heads[0], heads[1], heads[2], heads[3], heads[4], heads[5]}}, rows...) {
			if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.SaveAs(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	csv := filepath.Join(dir, "in.csv")
	long := strings.Repeat("words ", 6000) + "ENDMARK"
	if err := os.WriteFile(csv, []byte(strings.Join(heads, ",")+"\nX000001,Alex,Sampleson,1985-05-03,"+long+",\nX000002,#N/A,Sampleson,1985-05-03,x,FALSE\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string][]string{
		csv: {heads[4] + ": has #VALUE!", "Given names: has #N/A", heads[5] + ": has FALSE"},
		write("in.xlsx", []any{"X000001", "Alex", "Sampleson", "1985-05-03", "x", false}, []any{"X000002", true, "Sampleson", "1985-05-03", "x", true}): {heads[5] + ": has FALSE", "Given names: has TRUE or FALSE"},
	} {
		out := filepath.Join(dir, "out of "+filepath.Base(in))
		sum, err := runIt(t, in, out)
		if err != nil || sum.Rejected != 2 {
			t.Fatal(filepath.Base(in), sum, err)
		}
		var said []string
		sum, err = runIt(t, filepath.Join(out, sum.Fix), out, func(o *batch.Options) {
			o.Each = func(r batch.Result) error {
				for _, p := range r.Problems {
					said = append(said, p.Label+": "+p.Msg)
				}
				return nil
			}
		})
		all := strings.Join(said, "\n")
		if err != nil || sum.Rejected != 2 {
			t.Fatal(sum, err, all)
		}
		for _, w := range want {
			if !strings.Contains(all, w) {
				t.Errorf("%s: given back as it was, it is not told that %q:\n%s", filepath.Base(in), w, all)
			}
		}
	}
}

// A process of its own that the tests kill.
func TestMain(m *testing.M) {
	if in := os.Getenv("CASEFORMS_TEST_BATCH"); in != "" {
		d, f := pp1(&testing.B{})
		sum, err := batch.Run(context.Background(), batch.Options{Definitions: d, Form: f, Input: in, Dir: os.Getenv("CASEFORMS_TEST_DIR"), Jobs: 2, Fill: caseforms.FillOptions{Today: today}})
		fmt.Println(sum.Done, sum.Kept, err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type setting func(*batch.Options)

func runIt(t *testing.T, input, dir string, set ...setting) (batch.Summary, error) {
	t.Helper()
	d, f := pp1(t)
	o := batch.Options{Definitions: d, Form: f, Input: input, Dir: dir, Jobs: 2, Fill: caseforms.FillOptions{Today: today}}
	for _, s := range set {
		s(&o)
	}
	return batch.Run(context.Background(), o)
}

// contents are the files of a folder by name, those that begin with a point left out.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = fmt.Sprintf("%x", sha256.Sum256(b))
	}
	return out
}

func documents(all map[string]string) map[string]string {
	out := maps.Clone(all)
	delete(out, "manifest.jsonl")
	delete(out, "fix.xlsx")
	delete(out, "corrected.jsonl")
	return out
}

func cases(t *testing.T, n int, change func(i int, cells map[string]string, items map[string][]map[string]string)) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "cases.xlsx")
	workbook(t, name, n, change)
	return name
}

// What is made does not depend on how many work on it, and running it again makes nothing.
func TestSameBytesWhateverTheJobs(t *testing.T) {
	t.Parallel()
	in := cases(t, 40, nil)
	var first map[string]string
	for _, jobs := range []int{1, 2, 7} {
		dir := filepath.Join(t.TempDir(), "out")
		sum, err := runIt(t, in, dir, func(o *batch.Options) { o.Jobs = jobs })
		if err != nil || sum.Done != 40 {
			t.Fatal(filepath.Base(in), sum, err)
		}
		got := contents(t, dir)
		if first == nil {
			first = got
		}
		if !maps.Equal(got, first) {
			t.Errorf("%d workers make other bytes, names or lines of the manifest", jobs)
		}
		sum, err = runIt(t, in, dir)
		if err != nil || sum.Done != 0 || sum.Kept != 40 || !maps.Equal(contents(t, dir), first) {
			t.Errorf("again: %+v, %v", sum, err)
		}
	}
}

// A document that was changed or deleted is made again, and so is one whose row was corrected, under its name.
func TestOnlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "out")
	if sum, err := runIt(t, cases(t, 6, nil), dir); err != nil || sum.Done != 6 {
		t.Fatal(sum, err)
	}
	before := contents(t, dir)
	if err := os.Remove(filepath.Join(dir, "pp1-00004.pdf")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pp1-00005.pdf"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if sum, err := runIt(t, cases(t, 6, nil), dir); err != nil || sum.Done != 2 || sum.Kept != 4 {
		t.Fatal(sum, err)
	}
	if !maps.Equal(documents(contents(t, dir)), documents(before)) {
		t.Error("is not as it was")
	}
	corrected := cases(t, 6, func(i int, cells map[string]string, _ map[string][]map[string]string) {
		if i == 3 {
			cells["person.nationality"] = "Irish"
		}
	})
	sum, err := runIt(t, corrected, dir)
	if err != nil || sum.Done != 1 || sum.Kept != 5 || len(sum.Stale) != 0 {
		t.Fatalf("%+v %v", sum, err)
	}
	after := contents(t, dir)
	for name := range documents(before) {
		if (after[name] == before[name]) != (name != "pp1-00005.pdf") {
			t.Errorf("%s", name)
		}
	}
	// Other people in the same rows replace nobody's document.
	others := cases(t, 2, func(i int, cells map[string]string, _ map[string][]map[string]string) {
		cells["person.crn"] = fmt.Sprintf("Y%06d", i)
	})
	sum, err = runIt(t, others, dir)
	if err != nil || sum.Done != 2 || len(sum.Stale) != 6 {
		t.Fatalf("%+v %v", sum, err)
	}
	now := contents(t, dir)
	for name := range documents(after) {
		if now[name] != after[name] {
			t.Errorf("%s was replaced by somebody else's", name)
		}
	}
	if now["pp1-00003-2.pdf"] == "" || now["pp1-00004-2.pdf"] == "" {
		t.Errorf("%v", slices.Sorted(maps.Keys(now)))
	}
}

// Rejected rows come back in the user's own columns; corrected there, they are done, and nothing else is.
func TestFix(t *testing.T) {
	t.Parallel()
	in := cases(t, 9, func(i int, cells map[string]string, items map[string][]map[string]string) {
		switch i {
		case 2:
			cells["forms.pp1.area"] = ""
		case 4:
			items["offences"][0]["description"] = ""
			items["children"] = append(items["children"], map[string]string{"name": "=cmd|' /C calc'!A0", "dob": "x"})
		case 7:
			cells["person.dob"] = "3/5/84"
			cells["practitioner.name"] = "@SUM(1)"
		}
	})
	dir := filepath.Join(t.TempDir(), "out")
	sum, err := runIt(t, in, dir)
	if err != nil || sum.Done != 6 || sum.Rejected != 3 || sum.Fix != "fix.xlsx" {
		t.Fatalf("%+v %v", sum, err)
	}
	before := documents(contents(t, dir))
	fix := filepath.Join(dir, "fix.xlsx")
	book, err := excelize.OpenFile(fix)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	rows, err := book.GetRows("Cases")
	if err != nil || len(rows) != 5 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if rows[0][0] != "Problem" || rows[0][1] != "What to do" || rows[0][3] != "Case" || rows[0][4] != "Given names" {
		t.Errorf("headings %q", rows[0][:6])
	}
	for i, want := range []struct{ row, number, says string }{{"4", "2", "Area: is not answered"}, {"6", "4", "Offence 1: Offence: is not answered"}, {"9", "7", "Date of birth: has a year of two digits"}} {
		if r := rows[2+i]; r[2] != want.row || r[3] != want.number || !strings.Contains(r[0], want.says) {
			t.Errorf("row %d: %q", i, r[:4])
		}
	}
	column := func(sheet, head string) int {
		all, err := book.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		n := slices.Index(all[0], head)
		if n < 0 {
			t.Fatalf("%s has no %s: %q", sheet, head, all[0])
		}
		return n + 1
	}
	cell := func(sheet, head string, row int) string {
		name, err := excelize.CoordinatesToCellName(column(sheet, head), row)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	red := func(sheet, at string) bool {
		id, err := book.GetCellStyle(sheet, at)
		if err != nil {
			t.Fatal(err)
		}
		s, err := book.GetStyle(id)
		return err == nil && len(s.Fill.Color) > 0 && s.Fill.Color[0] == "FBC7C7"
	}
	offence := cell("Offences", "Offence", 4)
	for _, bad := range []struct{ sheet, at string }{{"Cases", cell("Cases", "Area", 3)}, {"Cases", cell("Cases", "Date of birth", 5)}, {"Offences", offence}} {
		if !red(bad.sheet, bad.at) {
			t.Errorf("%s %s is not filled", bad.sheet, bad.at)
		}
		cs, err := book.GetComments(bad.sheet)
		if err != nil || !slices.ContainsFunc(cs, func(c excelize.Comment) bool { return c.Cell == bad.at }) {
			t.Errorf("%s %s has no comment: %v", bad.sheet, bad.at, err)
		}
	}
	if red("Cases", cell("Cases", "Area", 4)) {
		t.Error("a cell in order is filled")
	}
	// What looks like a formula stayed text.
	for _, c := range []struct{ sheet, at, want string }{{"Children", cell("Children", "Name", 5), "=cmd|' /C calc'!A0"}, {"Cases", cell("Cases", "Notifying agency: Name", 5), "@SUM(1)"}} {
		v, err := book.GetCellValue(c.sheet, c.at)
		kind, _ := book.GetCellType(c.sheet, c.at)
		formula, _ := book.GetCellFormula(c.sheet, c.at)
		if err != nil || v != c.want || formula != "" || kind != excelize.CellTypeInlineString && kind != excelize.CellTypeSharedString {
			t.Errorf("%s %s: %q %q %v %v", c.sheet, c.at, v, formula, kind, err)
		}
	}
	// Until it is given back, a run of the first file does not write over what was corrected.
	for _, c := range []struct{ sheet, at, v string }{{"Cases", cell("Cases", "Area", 3), "Northtown"}, {"Offences", offence, "Theft"}, {"Cases", cell("Cases", "Date of birth", 5), "3/5/1984"}} {
		if err := book.SetCellStr(c.sheet, c.at, c.v); err != nil {
			t.Fatal(err)
		}
	}
	if err := book.SetCellStr("Children", cell("Children", "Date of birth or age", 5), "2015"); err != nil {
		t.Fatal(err)
	}
	if err := book.Save(); err != nil {
		t.Fatal(err)
	}
	if _, err := runIt(t, in, dir); err == nil || !strings.Contains(err.Error(), "was corrected and not given back") {
		t.Errorf("%v", err)
	}
	sum, err = runIt(t, fix, dir)
	if err != nil || sum.Rows != 3 || sum.Done != 3 || len(sum.Stale) != 0 {
		t.Fatalf("%+v %v", sum, err)
	}
	after := documents(contents(t, dir))
	if len(after) != 9 {
		t.Errorf("%v", slices.Sorted(maps.Keys(after)))
	}
	for name, sum := range before {
		if after[name] != sum {
			t.Errorf("%s was made again", name)
		}
	}
	if _, err := os.Stat(fix); !errors.Is(err, fs.ErrNotExist) {
		t.Error("fix.xlsx is still there")
	}
	for _, name := range []string{"pp1-00004.pdf", "pp1-00006.pdf", "pp1-00009.pdf"} {
		if after[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
}

// A column that the user's file lacks comes back behind the others, and is read again.
func TestFixAddsWhatLacks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cells, _ := invented(1)
	delete(cells, "forms.pp1.area")
	name := filepath.Join(dir, "in.csv")
	writeCSV(t, name, cells, 1)
	out := filepath.Join(dir, "out")
	sum, err := runIt(t, name, out)
	if err != nil || sum.Rejected != 1 {
		t.Fatalf("%+v %v", sum, err)
	}
	book, err := excelize.OpenFile(filepath.Join(out, "fix.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	rows, err := book.GetRows("Cases")
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range rows[0] {
		v := map[string]string{"Area": "Northtown", "Addresses": "Not known", "Children": "None known", "Offences": "Not known"}[h]
		if v == "" {
			continue
		}
		at, err := excelize.CoordinatesToCellName(i+1, 3)
		if err == nil {
			err = book.SetCellStr("Cases", at, v)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := book.Save(); err != nil {
		t.Fatal(err)
	}
	sum, err = runIt(t, filepath.Join(out, "fix.xlsx"), out)
	if err != nil || sum.Done != 1 {
		t.Errorf("%+v %v, headings %q", sum, err, rows[0])
	}
}

func writeCSV(t *testing.T, name string, cells map[string]string, n int) {
	t.Helper()
	keys := slices.Sorted(maps.Keys(cells))
	q := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	var b strings.Builder
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(q(k))
	}
	for range n {
		b.WriteByte('\n')
		for i, k := range keys {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(q(cells[k]))
		}
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A process killed at any moment leaves whole documents only, and the runs after it come to what one run would have.
func TestKilled(t *testing.T) {
	t.Parallel()
	const rows = 400
	in := cases(t, rows, nil)
	clean := filepath.Join(t.TempDir(), "clean")
	if sum, err := runIt(t, in, clean); err != nil || sum.Done != rows {
		t.Fatal(sum, err)
	}
	want := documents(contents(t, clean))
	dir := filepath.Join(t.TempDir(), "out")
	kills := 0
	for i := range 40 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CASEFORMS_TEST_BATCH="+in, "CASEFORMS_TEST_DIR="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(60+i*23) * time.Millisecond)
		if cmd.Process.Kill() == nil {
			kills++
		}
		if cmd.Wait() == nil {
			break // it was done before it was killed
		}
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		for name, sum := range documents(contents(t, dir)) {
			if want[name] != sum {
				t.Fatalf("after kill %d, %s is not what it should be", i, name)
			}
		}
	}
	sum, err := runIt(t, in, dir)
	if err != nil || sum.Done+sum.Kept != rows {
		t.Fatalf("%+v %v", sum, err)
	}
	if got := documents(contents(t, dir)); !maps.Equal(got, want) {
		t.Errorf("%d files after %d kills, want %d", len(got), kills, len(want))
	}
	t.Logf("%d kills; the last run made %d and kept %d", kills, sum.Done, sum.Kept)
	if _, err := os.Stat(filepath.Join(dir, ".caseforms")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("working files are left")
	}
}

// An interruption ends in order: what was made is in its place, and the rest is told.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	in := cases(t, 600, nil)
	dir := filepath.Join(t.TempDir(), "out")
	ctx, cancel := context.WithCancel(context.Background())
	d, f := pp1(t)
	sum, err := batch.Run(ctx, batch.Options{Definitions: d, Form: f, Input: in, Dir: dir, Jobs: 2, Fill: caseforms.FillOptions{Today: today}, Each: func(batch.Result) error { cancel(); return nil }})
	if !errors.Is(err, context.Canceled) || sum.Done == 0 || sum.Rest() == 0 || sum.Done != len(documents(contents(t, dir))) {
		t.Fatalf("%+v %v, %d documents", sum, err, len(documents(contents(t, dir))))
	}
	again, err := runIt(t, in, dir)
	if err != nil || again.Kept != sum.Done || again.Done != 600-sum.Done {
		t.Errorf("%+v %v", again, err)
	}
}

// smallDisk is a disk with room for so much. Where none can be made the test is skipped; with CI=true it fails.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	disk := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", disk).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no small disk can be made: %v: %s", err, out)
		}
		t.Skipf("only root on Linux can make a small disk: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", disk).Run() })
	return disk
}

// A full disk is told in words; the rows before it are whole, and with room the rest is done.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "12m")
	in := cases(t, 400, nil)
	dir := filepath.Join(disk, "out")
	sum, err := runIt(t, in, dir)
	var ours *caseforms.Error
	if !errors.As(err, &ours) || !strings.Contains(ours.Msg, "the disk is full") || sum.Done == 0 || sum.Rest() == 0 {
		t.Fatalf("%+v %v", sum, err)
	}
	clean := filepath.Join(t.TempDir(), "clean")
	if _, err := runIt(t, in, clean); err != nil {
		t.Fatal(err)
	}
	want := documents(contents(t, clean))
	for name, sum := range documents(contents(t, dir)) {
		if want[name] != sum {
			t.Errorf("%s is not whole", name)
		}
	}
	if out, err := exec.Command("mount", "-o", "remount,size=200m", disk).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	again, err := runIt(t, in, dir)
	if err != nil || again.Kept < sum.Done || again.Done+again.Kept != 400 || !maps.Equal(documents(contents(t, dir)), want) {
		t.Errorf("%+v %v", again, err)
	}
	if out, err := exec.Command("mount", "-o", "remount,ro", disk).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := runIt(t, in, dir); !errors.As(err, &ours) || ours.Kind != caseforms.Unavailable || strings.Contains(err.Error(), disk) {
		t.Errorf("of a disk that may not be written to: %v", err)
	}
}

// A disk that has no room for the working files is told in the same words.
func TestFullDiskAtOnce(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "300k")
	_, err := runIt(t, cases(t, 300, nil), filepath.Join(disk, "out"))
	var ours *caseforms.Error
	if !errors.As(err, &ours) || err.Error() != "the disk is full" || !strings.HasPrefix(ours.Hint, "make room") {
		t.Errorf("%v", err)
	}
}

// A folder with other things in it is left alone, and so is a manifest that is not ours.
func TestFolderOfOthers(t *testing.T) {
	t.Parallel()
	in := cases(t, 2, nil)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pp1-00003.pdf"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := runIt(t, in, dir); err == nil || !strings.Contains(err.Error(), "other files in it") {
		t.Errorf("%v", err)
	}
	sum, err := runIt(t, in, dir, func(o *batch.Options) { o.Force = true })
	if err != nil || sum.Done != 2 {
		t.Fatalf("%+v %v", sum, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "pp1-00003.pdf")); err != nil || string(b) != "mine" {
		t.Errorf("%q %v", b, err)
	}
	for name, manifest := range map[string]string{
		"another form":    `{"caseforms_batch":"cp1"}` + "\n",
		"no manifest":     "{}\n",
		"a way out":       `{"caseforms_batch":"pp1"}` + "\n" + `{"row":3,"key":"x","file":"../../etc/passwd"}` + "\n",
		"a hidden file":   `{"caseforms_batch":"pp1"}` + "\n" + `{"row":3,"key":"x","file":".bashrc"}` + "\n",
		"the fix a way":   `{"caseforms_batch":"pp1"}` + "\n" + `{"fix":"../x"}` + "\n",
		"not JSON within": `{"caseforms_batch":"pp1"}` + "\nx\n" + `{"fix":""}` + "\n",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "manifest.jsonl"), []byte(manifest), 0o600); err != nil {
			t.Fatal(err)
		}
		if sum, err := runIt(t, in, dir); err == nil {
			t.Errorf("%s is taken: %+v", name, sum)
		}
	}
	// A last line that was cut off is as if it were not there.
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "manifest.jsonl"), []byte(`{"caseforms_batch":"pp1"}`+"\n"+`{"row":3,"ke`), 0o600); err != nil {
		t.Fatal(err)
	}
	if sum, err := runIt(t, in, dir); err != nil || sum.Done != 2 {
		t.Errorf("%+v %v", sum, err)
	}
	if sum, err := runIt(t, in, dir); err != nil || sum.Kept != 2 {
		t.Errorf("after that: %+v %v", sum, err)
	}
}

// A cell that is not understood is not as if it were blank: a row that was done without it is not taken for done.
func TestNotUnderstoodIsNotBlank(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "out")
	blank := func(v string) string {
		return cases(t, 1, func(_ int, cells map[string]string, _ map[string][]map[string]string) {
			cells["forms.pp1.strong_risk"] = v
		})
	}
	if sum, err := runIt(t, blank(""), dir); err != nil || sum.Done != 1 {
		t.Fatalf("%+v %v", sum, err)
	}
	if sum, err := runIt(t, blank("Perhaps"), dir); err != nil || sum.Kept != 0 || sum.Rejected != 1 {
		t.Errorf("%+v %v", sum, err)
	}
}

// The same person twice is told; the same row twice makes one document.
func TestTwice(t *testing.T) {
	t.Parallel()
	in := cases(t, 5, func(i int, cells map[string]string, items map[string][]map[string]string) {
		if i == 4 || i == 5 {
			first, list := invented(1)
			clear(cells)
			maps.Copy(cells, first)
			clear(items)
			maps.Copy(items, list)
		}
		if i == 5 {
			cells["person.crn"] = "x 000001"
			cells["person.nationality"] = "Irish"
		}
	})
	likes := map[int]batch.Result{}
	dir := filepath.Join(t.TempDir(), "out")
	sum, err := runIt(t, in, dir, func(o *batch.Options) {
		o.Each = func(r batch.Result) error {
			if r.Like > 0 {
				likes[r.Row] = r
			}
			return nil
		}
	})
	if err != nil || sum.Done != 4 || sum.Same != 1 || len(documents(contents(t, dir))) != 4 {
		t.Fatalf("%+v %v", sum, err)
	}
	if len(likes) != 2 || likes[6].State != batch.Same || likes[6].Like != 3 || likes[7].State != batch.Done || likes[7].Like != 3 {
		t.Errorf("%+v", likes)
	}
	if sum, err := runIt(t, in, dir); err != nil || sum.Kept != 4 || sum.Same != 1 {
		t.Errorf("again: %+v %v", sum, err)
	}
}

// Every format, copies and drafts; a folder may hold several.
func TestFormats(t *testing.T) {
	t.Parallel()
	in := cases(t, 2, nil)
	dir := filepath.Join(t.TempDir(), "out")
	for _, format := range render.Formats {
		if sum, err := runIt(t, in, dir, func(o *batch.Options) { o.Format = format }); err != nil || sum.Done != 2 {
			t.Errorf("%s: %+v %v", format, sum, err)
		}
	}
	if n := len(documents(contents(t, dir))); n != 2*len(render.Formats) {
		t.Errorf("%d documents", n)
	}
	bad := cases(t, 2, func(_ int, cells map[string]string, _ map[string][]map[string]string) { cells["forms.pp1.area"] = "" })
	draft := filepath.Join(t.TempDir(), "draft")
	sum, err := runIt(t, bad, draft, func(o *batch.Options) { o.Format, o.Fill.Draft = render.FormatText, true })
	if err != nil || sum.Done != 2 {
		t.Fatalf("%+v %v", sum, err)
	}
	if b, err := os.ReadFile(filepath.Join(draft, "pp1-00003.txt")); err != nil || !strings.Contains(string(b), "DRAFT") {
		t.Error(err)
	}
}

// A Maker that issues documents is called once for a row, with a key that is the same in the next run.
func TestMaker(t *testing.T) {
	t.Parallel()
	in := cases(t, 3, nil)
	var keys [][]string
	for range 2 {
		var all []string
		sum, err := runIt(t, in, filepath.Join(t.TempDir(), "out"), func(o *batch.Options) {
			o.Jobs = 1
			o.Make = func(_ context.Context, r batch.Row) (batch.Made, error) {
				all = append(all, r.Key)
				return batch.Made{Bytes: []byte(r.Key + r.Case.Person.CRN.Value.String()), Ref: "CF-TEST"}, nil
			}
		})
		if err != nil || sum.Done != 3 {
			t.Fatalf("%+v %v", sum, err)
		}
		keys = append(keys, all)
	}
	if !slices.Equal(keys[0], keys[1]) || len(slices.Compact(slices.Sorted(slices.Values(keys[0])))) != 3 {
		t.Errorf("%v", keys)
	}
}

func TestOneAtATime(t *testing.T) {
	t.Parallel()
	in := cases(t, 2, nil)
	dir := filepath.Join(t.TempDir(), "out")
	held := false
	sum, err := runIt(t, in, dir, func(o *batch.Options) {
		o.Each = func(batch.Result) error {
			if !held {
				held = true
				if _, err := runIt(t, in, dir); err == nil || !strings.Contains(err.Error(), "another batch") {
					t.Errorf("two at once: %v", err)
				}
			}
			return nil
		}
	})
	if err != nil || sum.Done != 2 {
		t.Errorf("%+v %v", sum, err)
	}
}
