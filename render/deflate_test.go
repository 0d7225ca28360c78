package render

import (
	"bytes"
	"compress/zlib"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"caseforms"
	"caseforms/templates"
)

var retrain = flag.Bool("retrain", false, "find the codes of deflate_codes.go anew")

// TestCodes finds the codes of the streams of a document, from documents of all forms and samples, with -retrain. They are kept as they are
// otherwise, so that a new form does not change the bytes of the others.
func TestCodes(t *testing.T) {
	if !*retrain {
		t.Skip("-retrain finds the codes anew")
	}
	d, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	var samples [kindCount][][]byte
	seen := func(k kind, data []byte) { samples[k] = append(samples[k], bytes.Clone(data)) }
	files, err := filepath.Glob("../samples/cases/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range d.Forms {
			c, ps := d.Decode(data, f)
			if c == nil {
				t.Fatal(ps)
			}
			doc, err := d.Fill(f, c, caseforms.FillOptions{Today: caseforms.Date{Year: 2026, Month: 11, Day: 25}, Draft: true})
			if err != nil {
				continue
			}
			if _, err := PDF(io.Discard, doc, Options{seen: seen}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var b strings.Builder
	b.WriteString("package render\n\n// codeLengths are, by kind, the lengths of the codes of 286 literals and lengths and of 30 distances, a for none. Found by go test ./render -run TestCodes -retrain.\nvar codeLengths = [kindCount]string{\n")
	for k := range kindCount {
		lit, dist := train(samples[k])
		fmt.Fprintf(&b, "\t%q,\n", letters(lit)+letters(dist))
	}
	b.WriteString("}\n")
	if err := os.WriteFile("deflate_codes.go", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func letters(lengths []uint8) string {
	out := make([]byte, len(lengths))
	for i, l := range lengths {
		out[i] = 'a' + l
	}
	return string(out)
}

// train counts what the streams need, and gives everything else a code as well, because any stream must be possible.
func train(samples [][]byte) (lit, dist []uint8) {
	lf, df := make([]int, 286), make([]int, 30)
	for i := range lf {
		lf[i] = 1
	}
	for i := range df {
		df[i] = 1
	}
	for _, s := range samples {
		m := &matcher{}
		for i := 0; i+8 <= len(s); {
			before, ok := m.find(s, i)
			if !ok {
				lf[s[i]] += 8
				i++
				continue
			}
			n := 4 + alike(s[before+4:], s[i+4:i+min(258, len(s)-i)])
			lf[257+int(lengthSymbol[n])] += 8
			df[distanceSymbol(uint32(i-before)-1)] += 8
			i += n
		}
		lf[256] += 8
	}
	return huffman(lf, 15), huffman(df, 15)
}

// huffman gives code lengths for how often symbols come, none longer than most. All of them come.
func huffman(often []int, most int) []uint8 {
	for {
		type node struct{ often, left, right int }
		nodes := make([]node, len(often))
		var open []int
		for i, n := range often {
			nodes[i] = node{n, -1, -1}
			open = append(open, i)
		}
		for len(open) > 1 {
			slices.SortStableFunc(open, func(a, b int) int { return nodes[a].often - nodes[b].often })
			nodes = append(nodes, node{nodes[open[0]].often + nodes[open[1]].often, open[0], open[1]})
			open = append(open[2:], len(nodes)-1)
		}
		lengths := make([]uint8, len(often))
		longest := 0
		var walk func(n, depth int)
		walk = func(n, depth int) {
			if nodes[n].left < 0 {
				lengths[n] = uint8(depth)
				longest = max(longest, depth)
				return
			}
			walk(nodes[n].left, depth+1)
			walk(nodes[n].right, depth+1)
		}
		walk(open[0], 0)
		if longest <= most {
			return lengths
		}
		for i := range often { // flatter, until it fits
			often[i] = often[i]/2 + 1
		}
	}
}

// Whatever is compressed comes out of the standard library as it went in, and is the same whatever went before.
func TestZlib(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	m := &matcher{}
	for round := range 3000 {
		var src []byte
		for n := rnd.IntN(1 + round*20); len(src) < n; {
			switch rnd.IntN(4) {
			case 0:
				src = append(src, byte(rnd.IntN(256)))
			case 1:
				src = append(src, "0 0 0 rg BT /F 9 Tf 12.5 700 Td (Example) Tj ET\n"...)
			case 2:
				if len(src) > 0 {
					from := rnd.IntN(len(src))
					src = append(src, src[from:from+rnd.IntN(len(src)-from)]...)
				}
			case 3:
				src = append(src, bytes.Repeat([]byte{byte(rnd.IntN(256))}, rnd.IntN(400))...)
			}
			src = src[:min(len(src), 200_000)]
			if len(src) == 200_000 {
				break
			}
		}
		k := kind(round % int(kindCount))
		out := codes()[k].zlib(nil, m, src)
		if again := codes()[k].zlib(nil, &matcher{}, src); !bytes.Equal(out, again) {
			t.Fatalf("round %d: what went before shows", round)
		}
		r, err := zlib.NewReader(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		back, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(back, src) {
			t.Fatalf("round %d, %d bytes: %v", round, len(src), err)
		}
	}
}
