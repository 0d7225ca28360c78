package intake

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"caseforms"
	"caseforms/templates"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == ChildArg {
		os.Exit(Child(os.Stdin, os.Stdout))
	}
	if len(os.Args) == 2 && strings.HasPrefix(os.Args[1], "use-") {
		use(os.Args[1])
	}
	os.Exit(m.Run())
}

// use is what a process does that has been confined and then goes wrong.
func use(what string) {
	confine()
	switch what {
	case "use-memory":
		for held := [][]byte{}; ; {
			held = append(held, bytes.Repeat([]byte{1}, 1<<20))
		}
	case "use-memory-at-once":
		held := make([]byte, 64<<30)
		for i := 0; i < len(held); i += 4096 {
			held[i] = 1
		}
	case "use-stack":
		var down func(n int) int
		down = func(n int) int { return down(n+1) + n }
		down(0)
	}
	os.Exit(0)
}

// outside runs a program that is not ours. Where it is missing the test is skipped and says so; in CI that is a failure.
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

// definitions are the built-in ones with tick boxes among the questions of the check's reply, of which there are none yet.
func definitions(t testing.TB) *caseforms.Definitions {
	t.Helper()
	const file, before = "forms/check/2026-11.yaml", "      - {key: reply_sent_by,"
	files := fstest.MapFS{}
	err := fs.WalkDir(templates.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(templates.FS(), name)
		if name == file {
			if !bytes.Contains(b, []byte(before)) {
				t.Fatalf("%s has changed", file)
			}
			b = bytes.Replace(b, []byte(before), []byte("      - {key: steps, label: Next steps, kind: checks, source: test, options: {visit: Home visit, meeting: Strategy meeting, none: Nothing further}}\n"+before), 1)
		}
		files[name] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := templates.LoadFS(files, "")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const ref, root = "CF-7K3M-Q9ZQ", "check:2026-11:CF-7K3M-Q9ZQ"

// pdf is a file being made: the bodies of its objects, the first of which has the number 1 and is the catalog.
type pdf []string

func (p *pdf) add(format string, args ...any) int {
	*p = append(*p, fmt.Sprintf(format, args...))
	return len(*p)
}

func (p *pdf) stream(dict string, data []byte) int {
	return p.add("<<%s/Length %d>>\nstream\n%s\nendstream", dict, len(data), data)
}

// body writes the objects and tells where each of them is.
func (p pdf) body() (*bytes.Buffer, []int) {
	b := bytes.NewBufferString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	at := make([]int, len(p)+1)
	for i, o := range p {
		at[i+1] = b.Len()
		fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	return b, at
}

// bytes is the file with a classic table.
func (p pdf) bytes() []byte { return p.with("") }

// with is the file with more in its trailer.
func (p pdf) with(trailer string) []byte {
	b, at := p.body()
	start := b.Len()
	fmt.Fprintf(b, "xref\n0 %d\n0000000000 65535 f \n", len(at))
	for _, o := range at[1:] {
		fmt.Fprintf(b, "%010d 00000 n \n", o)
	}
	if !strings.Contains(trailer, "/Size") {
		trailer += fmt.Sprintf("/Size %d", len(at))
	}
	trailer = strings.ReplaceAll(trailer, "HERE", fmt.Sprint(start))
	fmt.Fprintf(b, "trailer\n<</Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n", trailer, start)
	return b.Bytes()
}

// packed is the file with a table in a stream, in which the objects named come out of object streams: number, stream, index.
func (p pdf) packed(inside [][3]int) []byte {
	b, at := p.body()
	start := b.Len()
	n := len(at)
	for _, o := range inside {
		n = max(n, o[0]+1)
	}
	table := make([]byte, 7*(n+1))
	entry := func(i int, kind byte, a uint32, c uint16) {
		table[7*i] = kind
		binary.BigEndian.PutUint32(table[7*i+1:], a)
		binary.BigEndian.PutUint16(table[7*i+5:], c)
	}
	for i, o := range at[1:] {
		entry(i+1, 1, uint32(o), 0)
	}
	for _, o := range inside {
		entry(o[0], 2, uint32(o[1]), uint16(o[2]))
	}
	entry(n, 1, uint32(start), 0)
	fmt.Fprintf(b, "%d 0 obj\n<</Type/XRef/Size %d/W[1 4 2]/Root 1 0 R/Length %d>>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n", n, n+1, len(table), table, start)
	return b.Bytes()
}

func utf16hex(s string) string {
	b := []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return "<" + hex.EncodeToString(b) + ">"
}

// returned is a form as the program sends it out: a root field named after the document, under it the questions. Values are put into the
// fields by their names; more goes into the catalog.
func returned(root string, values map[string]string, more string) pdf {
	d := &pdf{}
	d.add("<</Type/Catalog/Pages 2 0 R/AcroForm 3 0 R%s>>", more)
	d.add("<</Type/Pages/Kids[4 0 R]/Count 1>>")
	d.add("") // the form
	d.add("") // the page
	font := d.add("<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>")
	tick := d.stream("/Type/XObject/Subtype/Form/BBox[0 0 12 12]", []byte("0 0 12 12 re f"))
	empty := d.stream("/Type/XObject/Subtype/Form/BBox[0 0 12 12]", nil)
	top := d.add("")
	var kids, shown []string
	y := 780
	widget := func(parent int, name, rest string) string {
		y -= 40
		n := d.add("<</Type/Annot/Subtype/Widget/P 4 0 R/F 4/Rect[50 %d 400 %d]/Parent %d 0 R/T(%s)%s%s>>", y, y+20, parent, name, rest, values[name])
		shown = append(shown, fmt.Sprintf("%d 0 R", n))
		return shown[len(shown)-1]
	}
	const da = "/DA(/Helv 10 Tf 0 g)"
	opt := func(labels ...string) string {
		var b strings.Builder
		for _, l := range labels {
			b.WriteString(utf16hex(l))
		}
		return "/FT/Ch/Ff 131072/Opt[" + b.String() + "]" + da
	}
	kids = append(kids, widget(top, "known_to_csc", opt(" ", "Not known", "Known – as parent/carer", "Known – as child / care leaver", "Known – as person of concern", "Known – other")))
	kids = append(kids, widget(top, "children_known", opt(" ", "Yes", "No", "Not known")))
	kids = append(kids, widget(top, "contact_nature", "/FT/Tx/Ff 4096"+da))
	group := d.add("")
	kids = append(kids, fmt.Sprintf("%d 0 R", group))
	var boxes []string
	for _, o := range []string{"visit", "meeting", "none"} {
		boxes = append(boxes, widget(group, o, fmt.Sprintf("/FT/Btn/AS/Off/AP<</N<</Yes %d 0 R/Off %d 0 R>>>>", tick, empty)))
	}
	(*d)[group-1] = fmt.Sprintf("<</T(steps)/Parent %d 0 R/Kids[%s]>>", top, strings.Join(boxes, " "))
	for _, k := range []string{"reply_sent_by", "reply_position", "reply_signature", "reply_date"} {
		kids = append(kids, widget(top, k, "/FT/Tx"+da))
	}
	(*d)[top-1] = fmt.Sprintf("<</T(%s)/Kids[%s]>>", root, strings.Join(kids, " "))
	(*d)[2] = fmt.Sprintf("<</Fields[%d 0 R]/DA(/Helv 0 Tf 0 g)/DR<</Font<</Helv %d 0 R>>>>>>", top, font)
	(*d)[3] = fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<<>>/Annots[%s]>>", strings.Join(shown, " "))
	return *d
}

// bare is a file with just a catalog and the fields given, which the caller adds from object 3 on.
func bare(fields string, objects ...string) pdf {
	p := pdf{"<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[" + fields + "]>>>>", "<</Type/Pages/Kids[]/Count 0>>"}
	return append(p, objects...)
}

func write(t testing.TB, data []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "in.pdf")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func load(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
