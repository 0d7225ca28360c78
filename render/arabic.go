package render

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/harfbuzz"
	"github.com/go-text/typesetting/language"
	"golang.org/x/image/font/sfnt"
)

//go:embed fonts/NotoNaskhArabic-Regular.ttf
var naskhRegular []byte

//go:embed fonts/NotoNaskhArabic-Bold.ttf
var naskhBold []byte

// naskhScale is how much larger Naskh is set than the letters around it: at the same size its letters look a sixth smaller.
const naskhScale = 1.15

// A naskh is the Arabic companion of a face. It is read when the first Arabic letter is met and never changes after that.
type naskh struct {
	name       string // resource name
	postscript string
	stem       int
	font       *font.Font
	metrics    *metrics
	tables     map[string][]byte
}

var naskhs = [2]func() *naskh{
	sync.OnceValue(func() *naskh { return loadNaskh("FA", "NotoNaskhArabic-Regular", naskhRegular, 80) }),
	sync.OnceValue(func() *naskh { return loadNaskh("FAB", "NotoNaskhArabic-Bold", naskhBold, 140) }),
}

func loadNaskh(name, postscript string, ttf []byte, stem int) *naskh {
	n := &naskh{name: name, postscript: postscript, stem: stem, tables: sfntTables(ttf)}
	fc, err := font.ParseTTF(bytes.NewReader(ttf))
	if err != nil {
		panic(err) // the font is part of the program
	}
	n.font = fc.Font
	full, err := sfnt.Parse(ttf)
	if err != nil {
		panic(err)
	}
	if n.metrics, err = measure(full); err != nil {
		panic(err)
	}
	return n
}

// cluster is what is joined into one shape that no line break divides: a letter with its marks, or several that make one sign. In the
// document's font it is one glyph, however many the typeface makes it of, so that it is placed by nothing but its advance and stands for
// exactly its letters. (In the typeface, dots are glyphs of their own, and the same stroke serves several letters.)
type cluster struct {
	text  string
	adv   uint16
	code  uint16 // in the document's font; 0 until it is drawn
	parts []stroke
}

// stroke is a glyph of the typeface and its place in the cluster, in 1/1000 em.
type stroke struct {
	gid  uint16
	x, y int16
}

type arabicWord struct {
	face int
	text string
}

// arabic holds the Arabic words of a document. glyphs refer to its clusters, so it is emptied only between documents.
type arabic struct {
	shapers  [2]*harfbuzz.Font
	buffer   *harfbuzz.Buffer
	clusters []cluster
	index    [2]map[string]int32    // clusters by what they are
	words    map[arabicWord][]int32 // clusters of words, in the order they are read
	drawn    [2][]int32             // clusters by their code - 1
	key      []byte                 // scratch
	letters  []letter               // scratch
	line     []glyph                // scratch
}

func (a *arabic) reset() {
	if a.words == nil {
		return
	}
	a.words, a.clusters = nil, a.clusters[:0]
	a.index, a.drawn = [2]map[string]int32{}, [2][]int32{}
}

// Codes have 16 bits. No honest document comes near these limits; letters beyond them are reported as missing.
const (
	mostClusters = 1 << 15
	longestWord  = 1 << 14 // in bytes
)

// arabicLetter tells whether a letter may be one of the Arabic typeface.
func arabicLetter(r rune) bool {
	return r >= 0x600 && r <= 0x6ff && r != 0x61c || r >= 0x750 && r <= 0x77f || r >= 0x870 && r <= 0x8ff || r >= 0xfb50 && r <= 0xfdff || r >= 0xfe70 && r <= 0xfefc
}

// shapeArabic appends the glyphs of the Arabic word that s begins with and tells how long it is: 0 if it begins with none that can be
// printed.
func (c *canvas) shapeArabic(f int, s string, g []glyph) ([]glyph, int) {
	if r, _ := utf8.DecodeRuneInString(s); !arabicLetter(r) {
		return g, 0
	}
	a := &c.arabic
	if a.shapers[f] == nil {
		a.shapers[f] = harfbuzz.NewFont(font.NewFace(naskhs[f]().font))
	}
	if a.buffer == nil {
		a.buffer = harfbuzz.NewBuffer()
	}
	face := a.shapers[f].Face()
	n := 0
	for i, r := range s {
		// signs that join and separate letters have no glyph, but shape those beside them
		if _, ok := face.NominalGlyph(r); !(arabicLetter(r) && ok || i > 0 && invisible(r)) || i > longestWord {
			break
		}
		n = i + utf8.RuneLen(r)
	}
	word, known := a.words[arabicWord{f, s[:n]}]
	if !known && n > 0 && len(a.clusters) < mostClusters {
		word = a.shape(f, s[:n])
	}
	if len(word) == 0 {
		return g, 0
	}
	for _, k := range word {
		g = append(g, glyph{adv: uint16(float64(a.clusters[k].adv) * naskhScale), kind: arabicGlyph, r: ^k})
	}
	return g, n
}

func (a *arabic) shape(f int, s string) []int32 {
	b := a.buffer
	b.Clear()
	b.Props.Direction, b.Props.Script = harfbuzz.RightToLeft, language.Arabic
	b.ClusterLevel = harfbuzz.MonotoneCharacters
	b.Flags = harfbuzz.RemoveDefaultIgnorables | harfbuzz.DoNotinsertDottedCircle
	for i, r := range s {
		b.AddRune(r, i)
	}
	b.Shape(a.shapers[f], nil)
	if slices.ContainsFunc(b.Info, func(i harfbuzz.GlyphInfo) bool { return i.Glyph == 0 }) {
		return nil // never the typeface's own sign for a letter it does not have
	}
	var word []int32
	from := 0 // of the text of the cluster
	for end := len(b.Info); end > 0; {
		start := end - 1
		for start > 0 && b.Info[start-1].Cluster == b.Info[start].Cluster {
			start--
		}
		to := len(s)
		if start > 0 {
			to = b.Info[start-1].Cluster
		}
		x := 0
		cl := cluster{text: s[from:to]}
		for i := start; i < end; i++ {
			p := b.Pos[i]
			cl.parts = append(cl.parts, stroke{uint16(b.Info[i].Glyph), int16(x + int(p.XOffset)), int16(p.YOffset)})
			x += int(p.XAdvance)
		}
		cl.adv = uint16(max(x, 0))
		word = append(word, a.number(f, cl))
		from, end = to, start
	}
	if a.words == nil {
		a.words = map[arabicWord][]int32{}
	}
	a.words[arabicWord{f, s}] = word
	return word
}

// number gives the number of a cluster, the same for all that are the same.
func (a *arabic) number(f int, cl cluster) int32 {
	k := binary.BigEndian.AppendUint16(a.key[:0], cl.adv)
	for _, p := range cl.parts {
		k = binary.BigEndian.AppendUint16(k, p.gid)
		k = binary.BigEndian.AppendUint16(k, uint16(p.x))
		k = binary.BigEndian.AppendUint16(k, uint16(p.y))
	}
	k = append(append(k, 0xff), cl.text...)
	a.key = k
	if i, ok := a.index[f][string(k)]; ok {
		return i
	}
	if a.index[f] == nil {
		a.index[f] = map[string]int32{}
	}
	i := int32(len(a.clusters))
	a.index[f][string(k)] = i
	a.clusters = append(a.clusters, cl)
	return i
}

// arabicCode is the code of a glyph in the document's font.
func (c *canvas) arabicCode(f int, g glyph) uint16 {
	a := &c.arabic
	i := ^g.r
	cl := &a.clusters[i]
	if cl.code == 0 {
		a.drawn[f] = append(a.drawn[f], i)
		cl.code = uint16(len(a.drawn[f]))
	}
	return cl.code
}

// arabicFonts writes the fonts of the Arabic words and gives their entries in the resources.
func (f *finisher) arabicFonts(s *sheet) string {
	var b strings.Builder
	for i, drawn := range s.arabic.drawn {
		if len(drawn) > 0 {
			n := naskhs[i]()
			fmt.Fprintf(&b, "/%s %d 0 R", n.name, f.font(n.fontOf(s.arabic.clusters, drawn)))
		}
	}
	return b.String()
}

// fontOf is a font of which each glyph is one cluster.
func (n *naskh) fontOf(clusters []cluster, drawn []int32) fontObj {
	program := n.program(clusters, drawn)
	base := subsetTag(program) + "+" + n.postscript
	var widths strings.Builder
	meant := make([]codeText, len(drawn))
	for i, k := range drawn {
		fmt.Fprintf(&widths, "%d ", clusters[k].adv)
		meant[i] = codeText{i + 1, meaning(clusters[k].text)}
	}
	return fontObj{
		{dict: fmt.Sprintf("<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[@1]/ToUnicode @4>>", base)},
		{dict: fmt.Sprintf("<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/CIDToGIDMap/Identity/DW 600/W[1[%s]]/FontDescriptor @2>>", base, strings.TrimSpace(widths.String()))},
		n.metrics.descriptor(base, 4, n.stem, 3),
		{dict: fmt.Sprintf("/Length1 %d", len(program)), data: deflated(program)},
		{data: toUnicodeText(4, meant)},
	}
}

// meaning is a cluster's text in a Unicode map, which has room for 512 bytes and no use for signs that only shape letters.
func meaning(text string) []rune {
	r := slices.DeleteFunc([]rune(text), invisible)
	return r[:min(len(r), 250)]
}

// program is a TrueType program with the clusters as its glyphs 1 and up, and behind them the pieces that several of them are made of.
func (n *naskh) program(clusters []cluster, drawn []int32) []byte {
	be := binary.BigEndian
	p := program{naskh: n, first: len(drawn) + 1, pieces: map[uint16]uint16{}}
	p.add(p.renumbered(0), be.Uint16(n.tables["hmtx"]))
	for _, k := range drawn {
		cl := &clusters[k]
		if q := cl.parts[0]; len(cl.parts) == 1 && q.x == 0 && q.y == 0 {
			p.add(p.renumbered(q.gid), cl.adv)
		} else {
			p.add(p.composite(cl.parts), cl.adv)
		}
	}
	for i := 0; i < len(p.order); i++ {
		g := p.order[i]
		p.add(p.renumbered(g), be.Uint16(n.tables["hmtx"][4*int(g):]))
	}
	p.loca = be.AppendUint32(p.loca, uint32(len(p.glyf)))
	head, hhea, maxp := bytes.Clone(n.tables["head"]), bytes.Clone(n.tables["hhea"]), bytes.Clone(n.tables["maxp"])
	count := uint16(len(p.hmtx) / 4)
	be.PutUint16(head[50:], 1) // loca has 32-bit offsets
	be.PutUint16(hhea[34:], count)
	be.PutUint16(maxp[4:], count)
	be.PutUint16(maxp[10:], uint16(min(p.points, 0xffff)))
	be.PutUint16(maxp[12:], uint16(min(p.contours, 0xffff)))
	be.PutUint16(maxp[26:], 0) // no instructions
	be.PutUint16(maxp[28:], uint16(min(p.components, 0xffff)))
	be.PutUint16(maxp[30:], uint16(p.depth))
	return sfntFile(0x00010000, map[string][]byte{"head": head, "hhea": hhea, "maxp": maxp, "hmtx": p.hmtx, "loca": p.loca, "glyf": p.glyf})
}

type program struct {
	*naskh
	first                               int               // number of the first piece
	pieces                              map[uint16]uint16 // glyphs of the typeface by their number here
	order                               []uint16
	glyf, loca, hmtx                    []byte
	points, contours, components, depth int // the most that a composite glyph has
}

func (p *program) add(data []byte, adv uint16) {
	be := binary.BigEndian
	p.loca = be.AppendUint32(p.loca, uint32(len(p.glyf)))
	p.glyf = append(p.glyf, data...)
	for len(p.glyf)%4 != 0 {
		p.glyf = append(p.glyf, 0)
	}
	p.hmtx = be.AppendUint16(p.hmtx, adv)
	var bearing uint16
	if len(data) > 0 {
		bearing = be.Uint16(data[2:]) // the outline stays where it is
	}
	p.hmtx = be.AppendUint16(p.hmtx, bearing)
}

func (p *program) source(gid uint16) []byte { return outline(p.tables, int(gid)) }

func (p *program) piece(gid uint16) uint16 {
	n, ok := p.pieces[gid]
	if !ok {
		n = uint16(p.first + len(p.order))
		p.pieces[gid] = n
		p.order = append(p.order, gid)
	}
	return n
}

// renumbered is a glyph of the typeface with the pieces it is made of numbered as they are here.
func (p *program) renumbered(gid uint16) []byte {
	d := p.source(gid)
	if len(d) == 0 {
		return nil
	}
	be := binary.BigEndian
	d = withoutInstructions(d)
	if int16(be.Uint16(d)) < 0 {
		points, contours, depth := p.size(gid)
		elements := 0
		for at := range components(d) {
			be.PutUint16(d[at+2:], p.piece(be.Uint16(d[at+2:])))
			elements++
		}
		p.most(points, contours, elements, depth)
	}
	return d
}

func (p *program) most(points, contours, elements, depth int) {
	p.points, p.contours = max(p.points, points), max(p.contours, contours)
	p.components, p.depth = max(p.components, elements), max(p.depth, depth)
}

// size is how much a glyph of the typeface has: points, contours, and levels of pieces.
func (p *program) size(gid uint16) (points, contours, depth int) {
	be := binary.BigEndian
	d := p.source(gid)
	if len(d) == 0 {
		return 0, 0, 0
	}
	if n := int(int16(be.Uint16(d))); n >= 0 {
		if n > 0 {
			points = int(be.Uint16(d[10+2*(n-1):])) + 1
		}
		return points, n, 0
	}
	for at := range components(d) {
		a, b, c := p.size(be.Uint16(d[at+2:]))
		points, contours, depth = points+a, contours+b, max(depth, c+1)
	}
	return points, contours, depth
}

// composite is a glyph made of others at their places.
func (p *program) composite(parts []stroke) []byte {
	be := binary.BigEndian
	parts = slices.DeleteFunc(slices.Clone(parts), func(q stroke) bool { return len(p.source(q.gid)) == 0 })
	if len(parts) == 0 {
		return nil
	}
	var points, contours, depth int
	box := [4]int{0x7fff, 0x7fff, -0x8000, -0x8000}
	d := make([]byte, 10)
	for i, q := range parts {
		s := p.source(q.gid)
		for k, by := range [4]int16{q.x, q.y, q.x, q.y} {
			v := int(int16(be.Uint16(s[2+2*k:]))) + int(by)
			if k < 2 {
				box[k] = min(box[k], v)
			} else {
				box[k] = max(box[k], v)
			}
		}
		a, b, c := p.size(q.gid)
		points, contours, depth = points+a, contours+b, max(depth, c+1)
		flags := uint16(3) // the places are numbers of 16 bits
		if i+1 < len(parts) {
			flags |= 0x20 // MORE_COMPONENTS
		}
		for _, v := range []uint16{flags, p.piece(q.gid), uint16(q.x), uint16(q.y)} {
			d = be.AppendUint16(d, v)
		}
	}
	be.PutUint16(d, 0xffff) // a composite
	for k, v := range box {
		be.PutUint16(d[2+2*k:], uint16(int16(v)))
	}
	p.most(points, contours, len(parts), depth)
	return d
}
