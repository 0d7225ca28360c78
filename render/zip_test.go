package render_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"caseforms/render"
)

// folder is what a batch leaves: documents that are compressed, others that are not, a folder in it, an empty file, one over several buffers.
func folder() fstest.MapFS {
	files := fstest.MapFS{
		"pp1-00002.pdf":       {Data: bytes.Repeat([]byte("%PDF not really "), 3)},
		"pp1-00003.txt":       {Data: bytes.Repeat([]byte("OFFICIAL-SENSITIVE\n"), 5000)},
		"more/pp1-00004.html": {Data: []byte("<p>Siân Ŵyn-Żółć</p>")},
		"empty.txt":           {},
		"one.txt":             {Data: []byte("x")},
		"ŵyl.txt":             {Data: []byte("name of a file")},
	}
	big := make([]byte, 300_001)
	for i := range big {
		big[i] = byte(i * i >> 3)
	}
	files["big.xlsx"] = &fstest.MapFile{Data: big}
	return files
}

func zipped(t testing.TB, o render.ZipOptions, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := render.Zip(&b, folder(), names, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestZip(t *testing.T) {
	t.Parallel()
	data := zipped(t, render.ZipOptions{})
	if !bytes.Equal(data, zipped(t, render.ZipOptions{})) {
		t.Error("the same files give other bytes")
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		if err != nil || !bytes.Equal(got, folder()[f.Name].Data) {
			t.Errorf("%s differs: %v", f.Name, err)
		}
		if f.Mode() != 0o600 || f.Modified.Year() != 1980 {
			t.Errorf("%s: %v %v", f.Name, f.Mode(), f.Modified)
		}
		if (f.Method == zip.Store) != (strings.HasSuffix(f.Name, ".pdf") || strings.HasSuffix(f.Name, ".xlsx")) {
			t.Errorf("%s has the method %d", f.Name, f.Method)
		}
	}
	if got := fmt.Sprint(names); got != "[big.xlsx empty.txt more/pp1-00004.html one.txt pp1-00002.pdf pp1-00003.txt ŵyl.txt]" {
		t.Error(got)
	}
	z, err = zip.NewReader(bytes.NewReader(zipped(t, render.ZipOptions{}, "one.txt", "big.xlsx")), int64(len(zipped(t, render.ZipOptions{}, "one.txt", "big.xlsx"))))
	if err != nil || len(z.File) != 2 || z.File[0].Name != "one.txt" {
		t.Errorf("not the files named: %v", err)
	}
}

// zipPassword is for tests.
const zipPassword = "correct-horse-battery"

// Other programs open a sealed zip file with the password and get every byte; without it, with a wrong one or with a changed byte they do not.
func TestSealedZipIsOpenedByOthers(t *testing.T) {
	t.Parallel()
	data := zipped(t, render.ZipOptions{Password: zipPassword})
	for _, f := range folder() {
		if len(f.Data) > 10 && bytes.Contains(data, f.Data[:10]) {
			t.Errorf("%.10q stands open in it", f.Data)
		}
	}
	if bytes.Equal(data, zipped(t, render.ZipOptions{Password: zipPassword})) {
		t.Error("two sealed files are the same")
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		if f.Method != 99 || f.CRC32 != 0 || f.Flags&1 == 0 {
			t.Errorf("%s: method %d, check sum %x, flags %x", f.Name, f.Method, f.CRC32, f.Flags)
		}
	}
	file := filed(t, "sealed.zip", data)
	same := func(dir, by string) {
		t.Helper()
		for name, f := range folder() {
			if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, f.Data) {
				t.Errorf("%s: %s differs: %v", by, name, err)
			}
		}
	}
	seven := "7zz"
	if _, err := exec.LookPath(seven); err != nil {
		seven = "7z"
	}
	dir := t.TempDir()
	outside(t, seven, "x", "-y", "-p"+zipPassword, "-o"+dir, file)
	same(dir, "7-Zip")
	if out := outside(t, seven, "l", "-slt", file); !strings.Contains(out, "Method = AES-256") || strings.Contains(out, "Warning") || strings.Contains(out, "Error") {
		t.Error(out)
	}
	if out, err := exec.Command(seven, "t", "-pcorrect-horse-batterie", file).CombinedOutput(); err == nil {
		t.Errorf("a wrong password opens it: %s", out)
	}
	dir = t.TempDir()
	outside(t, "bsdtar", "-x", "--passphrase", zipPassword, "-C", dir, "-f", file)
	same(dir, "libarchive")
	for _, f := range z.File {
		at, err := f.DataOffset()
		if err != nil {
			t.Fatal(err)
		}
		if f.UncompressedSize64 == 0 {
			continue
		}
		harmed := bytes.Clone(data)
		harmed[at+int64(f.CompressedSize64)-11] ^= 1 // the last byte of the data
		if out, err := exec.Command(seven, "t", "-p"+zipPassword, filed(t, "harmed.zip", harmed)).CombinedOutput(); err == nil {
			t.Errorf("%s: a changed byte is not noticed: %s", f.Name, out)
		}
	}
}

func TestZipRefuses(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"../secret"}, {"/etc/passwd"}, {`a\b`}, {"C:x"}, {"one.txt", "one.txt"}, {"more"}, {"nothing.pdf"}} {
		if err := render.Zip(io.Discard, folder(), names, render.ZipOptions{}); err == nil {
			t.Errorf("%q is taken", names)
		}
	}
	for _, p := range []string{"fewfew", "with a space in it", "contraseña-larga", "tab\tulator-1"} {
		o := render.ZipOptions{Password: p}
		err := render.Zip(io.Discard, folder(), nil, o)
		if err == nil || strings.Contains(err.Error(), p) || o.Check() == nil {
			t.Errorf("%q: %v", p, err)
		}
		if s := fmt.Sprintf("%v %+v %#v", o, o, o); strings.Contains(s, p) {
			t.Errorf("the password is told: %s", s)
		}
	}
	if err := render.Zip(&full{50_000}, folder(), nil, render.ZipOptions{Password: zipPassword}); err == nil {
		t.Error("a full disk is not noticed")
	}
	if err := render.Zip(io.Discard, &fickle{folder(), 0}, []string{"one.txt"}, render.ZipOptions{Password: zipPassword}); err == nil || !strings.Contains(err.Error(), "one.txt") {
		t.Errorf("a file that was changed while it was read: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.pdf"), []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "link.pdf")); err == nil {
		var b bytes.Buffer
		if err := render.Zip(&b, os.DirFS(dir), nil, render.ZipOptions{}); err != nil || bytes.Contains(b.Bytes(), []byte("link.pdf")) {
			t.Errorf("what a link leads to is put in: %v", err)
		}
	}
}

// fickle is a folder whose files are longer every time they are opened.
type fickle struct {
	fstest.MapFS
	n int
}

func (f *fickle) Open(name string) (fs.File, error) {
	f.n++
	return fstest.MapFS{name: {Data: bytes.Repeat(f.MapFS[name].Data, f.n)}}.Open(name)
}

// A thousand documents of 48 kB.
func BenchmarkZip(b *testing.B) {
	files := fstest.MapFS{}
	data := make([]byte, 48_000)
	for i := range data {
		data[i] = byte(i * i >> 5)
	}
	for i := range 1000 {
		files[fmt.Sprintf("pp1-%05d.pdf", i)] = &fstest.MapFile{Data: data}
	}
	for name, o := range map[string]render.ZipOptions{"open": {}, "sealed": {Password: zipPassword}} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				if err := render.Zip(io.Discard, files, nil, o); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "files/s")
		})
	}
}
