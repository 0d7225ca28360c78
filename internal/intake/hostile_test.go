package intake

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
	"golang.org/x/text/unicode/norm"
)

// bomb is a zlib stream that inflates to so many megabytes of zeros behind a start. One block is made and repeated, to be quick.
func bomb(start string, megabytes int) []byte {
	const chunk = 32 << 20
	var one bytes.Buffer
	w, _ := flate.NewWriter(&one, flate.BestSpeed)
	_, _ = w.Write([]byte(start))
	_ = w.Flush()
	head := bytes.Clone(one.Bytes())
	one.Reset()
	w.Reset(&one)
	_, _ = w.Write(make([]byte, chunk))
	_ = w.Flush()
	out := append([]byte{0x78, 0x01}, head...)
	sum := uint64(adler32.Checksum([]byte(start)))
	low, high := sum&0xffff, sum>>16
	for n := 0; n < megabytes<<20; n += chunk {
		out = append(out, one.Bytes()...)
		high = (high + low*chunk) % 65521
	}
	return binary.BigEndian.AppendUint32(append(out, 1, 0, 0, 0xff, 0xff), uint32(high<<16|low))
}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	w, _ := zlib.NewWriterLevel(&b, zlib.BestSpeed)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

// inStream is a file whose form stands in an object stream with the dictionary and data given.
func inStream(dict string, data []byte) []byte {
	p := pdf{"<</Type/Catalog/Pages 2 0 R/AcroForm 9 0 R>>", "<</Type/Pages/Kids[]/Count 0>>"}
	p.stream("/Type/ObjStm"+dict, data)
	return p.packed([][3]int{{9, 3, 0}})
}

type hostile struct {
	data []byte
	want []Reason // "" is that the answers are read
}

var hostiles = sync.OnceValue(func() map[string]hostile {
	whole := returned(root, map[string]string{"reply_position": "/V(Clerk)"}, "").bytes()
	const clerk = "<</T(reply_position)/V(Clerk)>>"
	ours := func(kids string, objects ...string) pdf {
		return bare("3 0 R", append([]string{"<</T(" + root + ")/FT/Tx/Kids[" + kids + "]>>"}, objects...)...)
	}
	garbage := make([]byte, 1<<20)
	r := rand.NewChaCha8([32]byte{})
	_, _ = r.Read(garbage)
	small := bomb("9 0 <<>>", 2100)
	// Objects that take ten times as much room in memory as in their stream, each of them looked at.
	var index, body, kids strings.Builder
	var inside [][3]int
	for i := range 1800 {
		fmt.Fprintf(&index, "%d %d ", 100+i, body.Len())
		fmt.Fprintf(&kids, "%d 0 R ", 100+i)
		inside = append(inside, [3]int{100 + i, 4, i})
		body.WriteString("[" + strings.Repeat("0 ", 16_000) + "]")
	}
	many := ours(kids.String())
	many.stream(fmt.Sprintf("/Type/ObjStm/N 1800/First %d/Filter/FlateDecode", index.Len()), deflate([]byte(index.String()+body.String())))
	valueBomb := ours("<</T(reply_position)/V 4 0 R>>")
	valueBomb.stream("/Filter/FlateDecode", small)
	predictor := ours("<</T(reply_position)/V 4 0 R>>")
	predictor.stream("/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 2147483647/Colors 32/BitsPerComponent 16>>", deflate([]byte("Clerk")))
	fields := func(n int) []byte {
		var refs strings.Builder
		p := ours("")
		for i := range n {
			fmt.Fprintf(&refs, "%d 0 R ", p.add("<</T(f%d)/V(x)>>", i))
		}
		p[2] = strings.Replace(p[2], "Kids[", "Kids["+refs.String(), 1)
		return p.bytes()
	}
	deep := func(n int) []byte {
		p := ours("4 0 R")
		for range n {
			p.add("<</T(a)/Kids[%d 0 R]>>", len(p)+2)
		}
		p.add("<</T(b)/V(x)>>")
		return p.bytes()
	}
	parents := bare("3 0 R")
	for range 100 {
		parents.add("<</T(a)/Parent %d 0 R>>", len(parents)+2)
	}
	replace := func(old, with string) []byte { return bytes.Replace(whole, []byte(old), []byte(with), 1) }
	longer := returned(root, map[string]string{"reply_position": "/V(Clerk)"}, "")
	longer.add("<</Length 99999999999>>\nstream\nx\nendstream")
	xref := func(dict string) []byte {
		b, _ := ours(clerk).body()
		start := b.Len()
		fmt.Fprintf(b, "9 0 obj\n<</Type/XRef/Root 1 0 R/W[1 4 2]%s/Length 7>>\nstream\n\x01\x00\x00\x00\x0f\x00\x00\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n", dict, start)
		return b.Bytes()
	}
	wholeOrNot := []Reason{"", Damaged}
	complex := []Reason{TooComplex}
	heavy := []Reason{TooComplex, TooSlow} // which of the two depends on the machine
	return map[string]hostile{
		"half of it":             {whole[:len(whole)/2], []Reason{Damaged}},
		"half of what was added": {append(whole[:len(whole):len(whole)], "9 0 obj\n<</T(reply_position)/V(Cl"...), []Reason{Damaged}},
		"without its end":        {whole[:len(whole)-20], []Reason{Damaged}},
		"something behind it":    {append(whole[:len(whole):len(whole)], "\r\n--\r\nThis message was checked."...), []Reason{""}},
		"garbage":                {append(append([]byte("%PDF-1.7\n"), garbage...), "\n%%EOF"...), []Reason{Damaged}},
		"only a header":          {[]byte("%PDF-1.7\n%%EOF"), []Reason{Damaged, NotPDF}},
		"PostScript":             {[]byte("%!PS-Adobe-3.0\n%PDF-1.7\n%%EOF"), []Reason{NotPDF}},
		"zip bomb":               {inStream("/N 1/First 4/Filter/FlateDecode", small), complex},
		"chained filters":        {inStream("/N 1/First 4/Filter[/FlateDecode/FlateDecode/FlateDecode]", deflate(deflate(small))), complex},
		"bomb in hexadecimal":    {inStream("/N 1/First 4/Filter[/ASCIIHexDecode/FlateDecode]", fmt.Appendf(nil, "%x>", small)), heavy},
		"bomb of objects":        {many.packed(inside), heavy},
		"bomb as a value":        {valueBomb.bytes(), complex},
		"absurd predictor":       {predictor.bytes(), []Reason{Damaged, TooComplex, Empty}},
		"stream of objects, /N":  {inStream("/N 2000000000/First 4", []byte("9 0 <<>>")), []Reason{TooComplex, Damaged}},
		"stream, /First":         {inStream("/N 1/First 2000000000", []byte("9 0 <<>>")), []Reason{TooComplex, Damaged}},
		"stream, /N below 0":     {inStream("/N -1/First -4", []byte("9 0 <<>>")), []Reason{TooComplex, Damaged}},
		"stream of itself":       {pdf{"<</Type/Catalog/AcroForm 9 0 R>>"}.packed([][3]int{{9, 9, 0}}), []Reason{Damaged, NoForm}},
		"/Parent of itself":      {bare("3 0 R", "<</T("+root+")/Parent 3 0 R/FT/Tx/Kids["+clerk+"]>>").bytes(), []Reason{Empty}},
		"/Parent in a ring":      {bare("3 0 R", "<</T(a)/Parent 4 0 R>>", "<</T(b)/Parent 3 0 R>>").bytes(), []Reason{NoForm}},
		"/Parent without end":    {parents.bytes(), complex},
		"/Kids of itself":        {ours("3 0 R " + clerk).bytes(), []Reason{""}},
		"/Kids in a ring":        {ours("4 0 R "+clerk, "<</T(a)/Kids[5 0 R]>>", "<</T(b)/Kids[3 0 R 4 0 R]>>").bytes(), []Reason{""}},
		"/Kids shared":           {ours(strings.Repeat("4 0 R ", 1000)+clerk, "<</T(a)/Kids["+strings.Repeat("5 0 R ", 1000)+"]>>", "<</V(b)>>").bytes(), []Reason{""}},
		"reference to itself":    {ours("4 0 R "+clerk, "4 0 R").bytes(), []Reason{"", Damaged}},
		"100,000 fields":         {fields(100_000), heavy},
		"100,000 fields at once": {ours(strings.Repeat("<</T(a)>>", 100_000)).bytes(), complex},
		"110,000 objects":        {append(ours(clerk), slices.Repeat([]string{"null"}, 110_000)...).bytes(), heavy},
		"deep fields":            {deep(40), complex},
		"very deep fields":       {deep(10_000), heavy},
		"deep arrays":            {ours(clerk, strings.Repeat("[", 1_000_000)).bytes(), wholeOrNot},
		"deep dictionaries":      {ours(clerk, strings.Repeat("<</A", 1_000_000)).bytes(), wholeOrNot},
		"deep parentheses":       {ours(clerk, strings.Repeat("(", 5_000_000)).bytes(), wholeOrNot},
		"a key a million times":  {ours(clerk, "<<"+strings.Repeat("/A 1", 1_000_000)+">>").bytes(), []Reason{"", Damaged, TooSlow, TooComplex}},
		"comments":               {ours(clerk, strings.Repeat("%\n", 2_000_000)+"null").bytes(), []Reason{"", Damaged, TooSlow, TooComplex}},
		"/Size":                  {ours(clerk).with("/Size 2147483647"), []Reason{"", Damaged, TooComplex}},
		"/Size below 0":          {ours(clerk).with("/Size -1"), wholeOrNot},
		"/Size beyond numbers":   {ours(clerk).with("/Size 99999999999999999999999"), wholeOrNot},
		"/Size of a stream":      {xref("/Size 2147483647"), []Reason{Damaged, TooComplex, ""}},
		"/Index of a stream":     {xref("/Size 9/Index[0 2147483647]"), []Reason{Damaged, TooComplex, ""}},
		"/W of a stream":         {xref("/Size 9/W[2147483647 2147483647 2147483647]"), []Reason{Damaged, TooComplex, ""}},
		"/Length":                {longer.bytes(), []Reason{"", Damaged, TooComplex}},
		"/Length of itself":      {bytes.Replace(longer.bytes(), []byte("99999999999"), fmt.Appendf(nil, "%d 0 R    ", len(longer))[:11], 1), []Reason{"", Damaged, TooComplex}},
		"table of 2^31":          {replace("xref\n0 ", "xref\n0 21474836"), []Reason{"", Damaged, TooComplex}},
		"/Prev to itself":        {ours(clerk).with("/Prev HERE"), wholeOrNot},
		"/Prev to nowhere":       {ours(clerk).with("/Prev 999999999999"), wholeOrNot},
		"/Prev below 0":          {ours(clerk).with("/Prev -5"), wholeOrNot},
		"/Encrypt of nothing":    {ours(clerk, "<</Filter/Standard/V 5/R 6>>").with("/Encrypt 4 0 R"), []Reason{Damaged, Sealed, Encrypted}},
		"/Encrypt by another":    {ours(clerk, "<</Filter/Adobe.PubSec/V 4>>").with("/Encrypt 4 0 R"), []Reason{Damaged, Sealed}},
		"/Root is a string":      {replace("<</Type/Catalog", "(<</Type/Catalog"), []Reason{Damaged}},
		"fields are a number":    {pdf{"<</Type/Catalog/AcroForm<</Fields 7>>>>"}.bytes(), []Reason{NoForm}},
		"field is a stream":      {ours("4 0 R "+clerk, "<</T(reply_date)/Length 1>>\nstream\nx\nendstream").bytes(), wholeOrNot},
		"points in names":        {ours("<</T(.)/V(x)>><</T(reply.position)/V(x)>><</T(reply_position.)/V(x)>>" + clerk).bytes(), []Reason{""}},
		"nothing in names":       {ours(`<</T(reply_position\000)/V(x)>><</T()/V(x)>><</T<00>/V(x)>>` + clerk).bytes(), []Reason{""}},
		"a million in a name":    {ours("<</T(" + strings.Repeat("reply_position.", 70_000) + ")/V(x)>>" + clerk).bytes(), []Reason{""}},
		"null in a PDF name":     {ours("<</T(reply_date)/V/a#00b>>" + clerk).bytes(), []Reason{"", NoForm}},
		"10 MB value":            {ours("<</T(contact_nature)/V(" + strings.Repeat("word ", 2_000_000) + ")>>" + clerk).bytes(), []Reason{""}},
		"10 MB of nothing":       {ours("<</T(contact_nature)/V(" + strings.Repeat(" ", 10_000_000) + ")>>" + clerk).bytes(), []Reason{""}},
		"many large values":      {ours(strings.Repeat("<</T(contact_nature)/V("+strings.Repeat("x", maxValue)+")>>", 50)).bytes(), heavy},
		"100,000 values":         {ours("<</T(known_to_csc)/V[" + strings.Repeat("(x)", 100_000) + "]>>" + clerk).bytes(), []Reason{""}},
		"scripts and files": {returned(root, map[string]string{"reply_position": "/V(Clerk)/AA<</K<</S/JavaScript/JS(event.value='Judge')>>>>"},
			"/OpenAction<</S/Launch/F(calc.exe)>>/Names<</JavaScript<</Names[(a)<</S/JavaScript/JS(while\\(1\\);)>>]>>/EmbeddedFiles<</Names[(a)<</Type/Filespec/F(a.exe)>>]>>>>").bytes(), []Reason{""}},
	}
})

// Every one of these ends in time, with its reason, and never with the calling process.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	for what, h := range hostiles() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			reader := &Reader{env: atOnce}
			if slices.Equal(h.want, []Reason{""}) {
				reader = patient // these are to be read
			}
			start := time.Now()
			r, err := reader.ReadReply(context.Background(), h.data, "", d)
			var why Reason
			if err != nil {
				why = reason(t, err)
			}
			if !slices.Contains(h.want, why) {
				t.Errorf("%q, want one of %q", why, h.want)
			}
			if took := time.Since(start); reader.Time == 0 && took > 9*time.Second {
				t.Errorf("took %s", took)
			}
			if err == nil && !slices.ContainsFunc(r.Answers, func(p Proposed) bool { return p.Key == "reply_position" && p.Value == "Clerk" }) {
				t.Errorf("read wrongly: %+v", r)
			}
			for _, p := range r.Answers {
				if p.Key != "reply_position" && p.Value != "" {
					t.Errorf("%s is answered", p.Key)
				}
			}
			t.Logf("%q in %s from %d kB", why, time.Since(start).Round(time.Millisecond), len(h.data)>>10)
		})
	}
}

// The limits on the process hold whatever the parser lets pass.
func TestConfined(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for what, codes := range map[string][]int{"use-memory": {exitMemory}, "use-memory-at-once": {exitMemory, 2}, "use-stack": {2}} {
		codes = append(codes, 66) // so ends the race detector, which finds no memory for itself
		err := exec.Command(self, what).Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || !slices.Contains(codes, exit.ExitCode()) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What a bomb makes of memory, it makes in the other process. Not parallel, so that only this test's memory is measured.
func TestMemoryStaysSmall(t *testing.T) {
	d := definitions(t)
	all := hostiles()
	for _, what := range []string{"zip bomb", "chained filters", "10 MB value"} {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, _ = (&Reader{env: atOnce}).ReadReply(context.Background(), all[what].data, "", d)
		runtime.ReadMemStats(&after)
		if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 32<<20 {
			t.Errorf("%s: the calling process allocated %d MB", what, grown>>20)
		}
		if took := time.Since(start); took > 7*time.Second {
			t.Errorf("%s took %s", what, took)
		}
	}
}

// sound holds for every reply, whatever the file.
func sound(t *testing.T, r Reply) {
	t.Helper()
	for _, p := range r.Answers {
		for _, s := range []string{p.Typed, p.Value} {
			if !utf8.ValidString(s) || !norm.NFC.IsNormalString(s) || len([]rune(s)) > 9*MaxTextLength {
				t.Errorf("%s: not clean text: %q", p.Key, s)
			}
			if strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 && r != '\n' }) {
				t.Errorf("%s: control characters: %q", p.Key, s)
			}
		}
		if blank(p.Typed) || p.Value == "" && p.State.String() == "answered" {
			t.Errorf("%+v", p)
		}
	}
}

// The child's answer is not trusted: it may be anything.
func FuzzAnswerOfChild(f *testing.F) {
	d := definitions(f)
	for _, s := range []string{
		`{}`, `{"failed":"password"}`, `{"failed":"x"}`, `{"fields":[{"name":["` + root + `","known_to_csc"],"type":"Ch","values":["Not known"]}]}`,
		`{"fields":[{"name":["` + root + `.steps.visit"],"type":"Btn","on":true},{"name":[]}]}`, `{"fields":[{"name":["` + root + `","contact_nature"],"type":"Tx","values":["a\u0000\r\n\u2028\u202eb","c"],"cut":true}]}`,
		`{"failed":"damaged","fields":[]}`, `{"fields":null} {}`, `[`, `{"fields":[{"nam":1}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := decode(data)
		if err != nil {
			return
		}
		r, err := propose(found.Fields, d)
		if err != nil {
			reason(t, err)
		}
		sound(t, r)
	})
}

// The walk comes to an end on any graph of objects, within its limits, and what it finds can be told.
func FuzzWalk(f *testing.F) {
	d := definitions(f)
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09"))
	f.Add([]byte("AcroForm Fields Kids Parent T V FT AS"))
	f.Add(bytes.Repeat([]byte{1, 0, 3, 7, 2, 200, 5}, 40))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<12 {
			return
		}
		next := func() int {
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return int(b)
		}
		keys := []string{"AcroForm", "Fields", "Kids", "Parent", "T", "V", "FT", "AS"}
		const objects = 24
		var object func(depth int) types.Object
		object = func(depth int) types.Object {
			switch k := next() % 12; {
			case k < 4 || depth > 4 && k < 8:
				return *types.NewIndirectRef(next()%objects, 0)
			case k < 6:
				d := types.Dict{}
				for range 1 + next()%5 {
					d[keys[next()%len(keys)]] = object(depth + 1)
				}
				return d
			case k < 8:
				var a types.Array
				for range next() % 6 {
					a = append(a, object(depth+1))
				}
				return a
			case k == 8:
				return types.StringLiteral([]string{root, "reply_position", "reply_date", "steps", "visit", "a\\", "\\12\\r\\", "\xfe\xff\xd8"}[next()%8])
			case k == 9:
				return types.HexLiteral([]string{"FEFF0041", "FEFFD800", "4", "zz", ""}[next()%5])
			case k == 10:
				return types.Name([]string{"Tx", "Ch", "Btn", "Off", "Yes", ""}[next()%6])
			}
			return types.Integer(next())
		}
		table := make([]types.Object, objects)
		for i := range table {
			table[i] = object(0)
		}
		w := &walker{seen: map[types.IndirectRef]bool{}, follow: func(o types.Object) (types.Object, error) {
			if r, ok := o.(types.IndirectRef); ok {
				return table[r.ObjectNumber.Value()%objects], nil
			}
			return o, nil
		}}
		catalog, _ := table[0].(types.Dict)
		if err := w.form(catalog); err != nil {
			if whyNot(err) == "" {
				t.Errorf("no reason for %v", err)
			}
			return
		}
		if len(w.fields) > maxNodes {
			t.Errorf("%d fields", len(w.fields))
		}
		out, err := json.Marshal(found{Fields: w.fields})
		if err != nil {
			t.Fatal(err)
		}
		f, err := decode(out)
		if err != nil {
			t.Fatalf("not what was agreed: %v: %s", err, out)
		}
		r, _ := propose(f.Fields, d)
		sound(t, r)
	})
}

// The parser as a whole, as the child calls it, on files a little different from a good one.
func TestChangedFiles(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	whole := returned(root, map[string]string{"reply_position": "/V(Clerk)", "contact_nature": "/V" + utf16hex(prose)}, "").bytes()
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		data := bytes.Clone(whole)
		for range 1 + r.IntN(20) {
			data[9+r.IntN(len(data)-9)] = "0123456789 <>[]()/\x00\xff\n"[r.IntN(21)]
		}
		reply, err := patient.ReadReply(context.Background(), data, "", d)
		if err != nil {
			reason(t, err)
		}
		sound(t, reply)
	}
}
