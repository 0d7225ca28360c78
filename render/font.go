package render

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"

	"github.com/go-pdf/fpdf"
	"github.com/klauspost/compress/zlib"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

//go:embed fonts/NotoSans-Regular.ttf
var notoRegular []byte

//go:embed fonts/NotoSans-Bold.ttf
var notoBold []byte

// A face is one weight of the document's typeface, as two fonts: a simple one-byte font with the letters nearly every document needs
// (WinAnsi with the Welsh and Polish letters WinAnsi lacks), and a two-byte font with the rest, which is embedded only where it is used.
// A face never changes once it is made, so that all documents share it.
type face struct {
	code       [0x2200]uint8          // simple font: code of a rune, 0 when it has none
	adv        [256]uint16            // simple font: advance of a code, in 1/1000 em
	simple     func() fontObj         // the simple font's PDF objects
	further    func() *furtherLetters // of the two-byte font
	metrics    *metrics
	postscript string
	stem       int
	name       string // resource name of the simple font; the two-byte font's has a W behind it
}

type wide struct{ gid, adv uint16 }

// fontObj is a font as PDF objects, of which the first is the font dictionary. @n in a body stands for a reference to object n of it.
type fontObj []pdfBody

// pdfBody is the body of an indirect object: a value, or with data a stream whose dictionary is dict and whose data is deflated.
type pdfBody struct {
	dict string
	data []byte
	raw  bool // the data is still to be deflated
}

// winAnsiHigh are the WinAnsi codes 0x80 to 0x9f that are used as they stand (ISO 32000-1, annex D.2).
var winAnsiHigh = map[byte]rune{0x80: '€', 0x85: '…', 0x8A: 'Š', 0x8C: 'Œ', 0x8E: 'Ž', 0x91: '‘', 0x92: '’', 0x93: '“', 0x94: '”', 0x95: '•',
	0x96: '–', 0x97: '—', 0x99: '™', 0x9A: 'š', 0x9C: 'œ', 0x9E: 'ž', 0x9F: 'Ÿ'}

// differences put letters into the codes WinAnsi leaves for rarer signs. The names are those of the Adobe Glyph List.
var differences = []struct {
	code byte
	r    rune
	name string
}{
	{0x81, 'Ŵ', "Wcircumflex"}, {0x82, 'ŵ', "wcircumflex"}, {0x83, 'Ŷ', "Ycircumflex"}, {0x84, 'ŷ', "ycircumflex"},
	{0x86, 'Ẁ', "Wgrave"}, {0x87, 'ẁ', "wgrave"}, {0x88, 'Ẃ', "Wacute"}, {0x89, 'ẃ', "wacute"},
	{0x8B, 'Ẅ', "Wdieresis"}, {0x8D, 'ẅ', "wdieresis"}, {0x8F, 'Ỳ', "Ygrave"}, {0x90, 'ỳ', "ygrave"},
	{0x98, 'ł', "lslash"}, {0x9B, 'Ł', "Lslash"}, {0x9D, 'ń', "nacute"},
}

// furtherRunes are the ranges the two-byte font covers as far as the typeface has them: Latin, Greek and Cyrillic with their marks.
var furtherRunes = [][2]rune{{0x100, 0x24F}, {0x2B0, 0x2FF}, {0x300, 0x36F}, {0x370, 0x3FF}, {0x400, 0x52F}, {0x1E00, 0x1EFF},
	{0x2010, 0x2027}, {0x2030, 0x205E}, {0x2070, 0x209F}, {0x20A0, 0x20C0}, {0x2100, 0x214F}}

// faces are the regular and the bold face.
var faces = sync.OnceValues(func() ([2]*face, error) {
	var out [2]*face
	for i, f := range []struct {
		name, postscript string
		ttf              []byte
		stem             int
	}{{"F1", "NotoSans-Regular", notoRegular, 80}, {"F2", "NotoSans-Bold", notoBold, 140}} {
		fc, err := loadFace(f.name, f.postscript, f.ttf, f.stem)
		if err != nil {
			return out, fmt.Errorf("font %s: %w", f.postscript, err)
		}
		out[i] = fc
	}
	return out, nil
})

func loadFace(name, postscript string, ttf []byte, stem int) (*face, error) {
	codes := map[rune]byte{}
	for c := rune(0x20); c <= 0xff; c++ {
		if c <= 0x7e || c >= 0xa0 && c != 0xad {
			codes[c] = byte(c)
		}
	}
	for c, r := range winAnsiHigh {
		codes[r] = c
	}
	for _, d := range differences {
		codes[d.r] = d.code
	}
	full, err := sfnt.Parse(ttf)
	if err != nil {
		return nil, err
	}
	m, err := measure(full)
	if err != nil {
		return nil, err
	}
	f := &face{name: name, metrics: m, postscript: postscript, stem: stem}
	for r, c := range codes {
		gid, err := full.GlyphIndex(&m.buf, r)
		if err != nil || gid == 0 {
			return nil, fmt.Errorf("no glyph for U+%04X", r)
		}
		f.code[r], f.adv[c] = c, m.advance(gid)
	}
	f.simple = sync.OnceValue(func() fontObj { return simpleFont(f, codes, m, postscript, ttf, stem) })
	f.further = sync.OnceValue(func() *furtherLetters { return cutFurther(full, m, codes, ttf) })
	return f, nil
}

type metrics struct {
	buf          sfnt.Buffer
	font         *sfnt.Font
	upm          sfnt.Units
	ascent, desc int
	box          string
}

func measure(f *sfnt.Font) (*metrics, error) {
	m := &metrics{font: f, upm: f.UnitsPerEm()}
	ppem := fixed.Int26_6(m.upm) << 6
	fm, err := f.Metrics(&m.buf, ppem, font.HintingNone)
	if err != nil {
		return nil, err
	}
	b, err := f.Bounds(&m.buf, ppem, font.HintingNone)
	if err != nil {
		return nil, err
	}
	s := func(v fixed.Int26_6) int { return int(int64(v) * 1000 / (int64(m.upm) * 64)) }
	m.ascent, m.desc = s(fm.Ascent), -s(fm.Descent)
	m.box = fmt.Sprintf("[%d %d %d %d]", s(b.Min.X), -s(b.Max.Y), s(b.Max.X), -s(b.Min.Y))
	return m, nil
}

func (m *metrics) advance(g sfnt.GlyphIndex) uint16 {
	a, err := m.font.GlyphAdvance(&m.buf, g, fixed.Int26_6(m.upm)<<6, font.HintingNone)
	if err != nil {
		return 0
	}
	return uint16((int64(a)*1000 + int64(m.upm)*32) / (int64(m.upm) * 64))
}

// subset cuts the font down to some letters. fpdf's cutter writes into the slice it is given, so it gets a copy of its own.
func subset(ttf []byte, runes []rune) []byte {
	return strip(fpdf.UTF8CutFont(bytes.Clone(ttf), string(runes)))
}

// furtherLetters are the letters of the two-byte font. They are prepared when the first of them is met, which most processes never do.
type furtherLetters struct {
	glyph  map[rune]wide
	tables map[string][]byte // of the font with all of them
}

func cutFurther(full *sfnt.Font, m *metrics, codes map[rune]byte, ttf []byte) *furtherLetters {
	l := &furtherLetters{glyph: map[rune]wide{}}
	var buf sfnt.Buffer
	var runes []rune
	for _, rg := range furtherRunes {
		for r := rg[0]; r <= rg[1]; r++ {
			if gid, err := full.GlyphIndex(&buf, r); err == nil && gid != 0 && codes[r] == 0 {
				runes = append(runes, r)
				l.glyph[r] = wide{adv: m.advance(gid)}
			}
		}
	}
	// fpdf's cutter numbers glyphs in the order it meets them; reading the cut font back is the only sure way to know them.
	cut := subset(ttf, runes)
	l.tables = sfntTables(cut)
	sub, err := sfnt.Parse(cut)
	if err != nil {
		panic(err) // the typeface is part of the program
	}
	for _, r := range runes {
		gid, err := sub.GlyphIndex(&buf, r)
		if err != nil || gid == 0 {
			delete(l.glyph, r)
			continue
		}
		l.glyph[r] = wide{gid: uint16(gid), adv: l.glyph[r].adv}
	}
	return l
}

func subsetTag(b []byte) string {
	h := sha256.Sum256(b)
	var t [6]byte
	for i := range t {
		t[i] = 'A' + h[i]%26
	}
	return string(t[:])
}

func (m *metrics) descriptor(base string, flags, stem, file int) pdfBody {
	return pdfBody{dict: fmt.Sprintf("<</Type/FontDescriptor/FontName/%s/Flags %d/FontBBox%s/ItalicAngle 0/Ascent %d/Descent %d/CapHeight 714/StemV %d/FontFile2 @%d>>",
		base, flags, m.box, m.ascent, m.desc, stem, file)}
}

func simpleFont(f *face, codes map[rune]byte, m *metrics, postscript string, ttf []byte, stem int) fontObj {
	cut := subset(ttf, slices.Sorted(maps.Keys(codes)))
	base := subsetTag(cut) + "+" + postscript
	var widths, diffs strings.Builder
	for c := 32; c < 256; c++ {
		fmt.Fprintf(&widths, "%d ", f.adv[c])
	}
	for _, d := range differences {
		fmt.Fprintf(&diffs, " %d/%s", d.code, d.name)
	}
	var pairs []codeRune
	for r, c := range codes {
		pairs = append(pairs, codeRune{int(c), r})
	}
	return fontObj{
		{dict: fmt.Sprintf("<</Type/Font/Subtype/TrueType/BaseFont/%s/FirstChar 32/LastChar 255/Widths[%s]/FontDescriptor @1/ToUnicode @3/Encoding<</Type/Encoding/BaseEncoding/WinAnsiEncoding/Differences[%s]>>>>",
			base, strings.TrimSpace(widths.String()), diffs.String())},
		m.descriptor(base, 32, stem, 2),
		{dict: fmt.Sprintf("/Length1 %d", len(cut)), data: deflated(cut)},
		{data: toUnicode(2, pairs)},
	}
}

// wideFont is the two-byte font with the letters a document uses. The other glyphs keep their numbers and are empty.
func (f *face) wideFont(runes []rune) fontObj {
	cut := keepGlyphs(f.further().tables, runes, f.further().glyph)
	base := subsetTag(cut) + "+" + f.postscript
	var pairs []codeRune
	adv := map[int]uint16{}
	for _, r := range runes {
		g := f.further().glyph[r]
		pairs = append(pairs, codeRune{int(g.gid), r})
		adv[int(g.gid)] = g.adv
	}
	var widths strings.Builder
	for _, g := range slices.Sorted(maps.Keys(adv)) {
		fmt.Fprintf(&widths, "%d[%d]", g, adv[g])
	}
	return fontObj{
		{dict: fmt.Sprintf("<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[@1]/ToUnicode @4>>", base)},
		{dict: fmt.Sprintf("<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/CIDToGIDMap/Identity/DW 600/W[%s]/FontDescriptor @2>>", base, widths.String())},
		f.metrics.descriptor(base, 4, f.stem, 3),
		{dict: fmt.Sprintf("/Length1 %d", len(cut)), data: cut, raw: true},
		{data: toUnicode(4, pairs)},
	}
}

// keepGlyphs is a font in which only the glyphs of some letters, and those they are made of, have an outline.
func keepGlyphs(tables map[string][]byte, runes []rune, glyphs map[rune]wide) []byte {
	be := binary.BigEndian
	keep := map[int]bool{0: true}
	var add func(g int)
	add = func(g int) {
		keep[g] = true
		if d := outline(tables, g); len(d) > 0 && int16(be.Uint16(d)) < 0 {
			for p := range components(d) {
				add(int(be.Uint16(d[p+2:])))
			}
		}
	}
	for _, r := range runes {
		add(int(glyphs[r].gid))
	}
	out := maps.Clone(tables)
	head := bytes.Clone(tables["head"])
	be.PutUint16(head[50:], 1)
	var newGlyf, newLoca []byte
	for g := range int(be.Uint16(tables["maxp"][4:])) {
		newLoca = be.AppendUint32(newLoca, uint32(len(newGlyf)))
		if keep[g] {
			newGlyf = append(newGlyf, outline(tables, g)...)
			for len(newGlyf)%4 != 0 {
				newGlyf = append(newGlyf, 0)
			}
		}
	}
	out["head"], out["glyf"], out["loca"] = head, newGlyf, be.AppendUint32(newLoca, uint32(len(newGlyf)))
	delete(out, "cmap") // glyphs are named by number
	delete(out, "post")
	return sfntFile(0x00010000, out)
}

type codeRune struct {
	code int
	r    rune
}

// toUnicode is a font's ToUnicode map (ISO 32000-1, 9.10.3), deflated. digits is the number of hexadecimal digits of a code.
func toUnicode(digits int, pairs []codeRune) []byte {
	slices.SortFunc(pairs, func(a, b codeRune) int { return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(a.r, b.r)) })
	texts := make([]codeText, len(pairs))
	for i, p := range pairs {
		texts[i] = codeText{p.code, []rune{p.r}}
	}
	return toUnicodeText(digits, texts)
}

type codeText struct {
	code int
	text []rune
}

// toUnicodeText is the same for codes that stand for several letters, in the order of the codes.
func toUnicodeText(digits int, pairs []codeText) []byte {
	var s strings.Builder
	s.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n")
	fmt.Fprintf(&s, "<%0*X> <%0*X>\nendcodespacerange\n", digits, 0, digits, 1<<(4*digits)-1)
	for chunk := range slices.Chunk(pairs, 100) {
		fmt.Fprintf(&s, "%d beginbfchar\n", len(chunk))
		for _, p := range chunk {
			fmt.Fprintf(&s, "<%0*X> <", digits, p.code)
			for _, u := range utf16.Encode(p.text) {
				fmt.Fprintf(&s, "%04X", u)
			}
			s.WriteString(">\n")
		}
		s.WriteString("endbfchar\n")
	}
	s.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend")
	return deflated([]byte(s.String()))
}

// boxFont draws the tick boxes. As glyphs with a Unicode meaning they are read and copied like letters; a drawing would not be.
// Its codes: 1 an empty box, 2 a ticked one.
func boxFont() fontObj {
	const box = "60 w 70 -40 700 700 re S"
	return fontObj{
		{dict: "<</Type/Font/Subtype/Type3/FontBBox[0 -100 900 800]/FontMatrix[.001 0 0 .001 0 0]/FirstChar 1/LastChar 2/Widths[900 900]/CharProcs<</e @1/t @2>>/Encoding<</Type/Encoding/Differences[1/e/t]>>/Resources<<>>/ToUnicode @3>>"},
		{data: deflated([]byte("900 0 0 -100 900 800 d1 " + box))},
		{data: deflated([]byte("900 0 0 -100 900 800 d1 " + box + " 100 w 200 90 m 640 530 l S 200 530 m 640 90 l S"))},
		{data: toUnicode(2, []codeRune{{1, boxEmpty}, {2, boxTicked}})},
	}
}

const (
	boxEmpty  = '☐'
	boxTicked = '☒'
	boxAdv    = 900
)

// deflated compresses what is compressed once and kept.
func deflated(b []byte) []byte {
	var o bytes.Buffer
	w, err := zlib.NewWriterLevel(&o, zlib.BestCompression)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a bytes.Buffer does not fail
	}
	return o.Bytes()
}

// strip takes the hinting and naming tables and the glyph instructions out of a TrueType font: no PDF viewer needs them, and they are
// nearly half of it.
func strip(b []byte) []byte {
	be := binary.BigEndian
	tables := sfntTables(b)
	for _, name := range []string{"fpgm", "prep", "cvt ", "gasp", "name", "OS/2", "DSIG"} {
		delete(tables, name)
	}
	long := be.Uint16(tables["head"][50:]) == 1
	var newGlyf, newLoca []byte
	offset := func() {
		if long {
			newLoca = be.AppendUint32(newLoca, uint32(len(newGlyf)))
		} else {
			newLoca = be.AppendUint16(newLoca, uint16(len(newGlyf)/2))
		}
	}
	offset()
	for g := range int(be.Uint16(tables["maxp"][4:])) {
		if d := outline(tables, g); len(d) > 0 {
			newGlyf = append(newGlyf, withoutInstructions(d)...)
			for len(newGlyf)%4 != 0 {
				newGlyf = append(newGlyf, 0)
			}
		}
		offset()
	}
	tables["glyf"], tables["loca"] = newGlyf, newLoca
	return sfntFile(be.Uint32(b), tables)
}

// sfntTables are the tables of a font file.
func sfntTables(b []byte) map[string][]byte {
	be := binary.BigEndian
	tables := map[string][]byte{}
	for i := range int(be.Uint16(b[4:])) {
		e := b[12+16*i:]
		off, n := be.Uint32(e[8:]), be.Uint32(e[12:])
		tables[string(e[:4])] = b[off : off+n]
	}
	return tables
}

// sfntFile is a font file of some tables.
func sfntFile(version uint32, tables map[string][]byte) []byte {
	be := binary.BigEndian
	names := slices.Sorted(maps.Keys(tables))
	out := make([]byte, 12+16*len(names))
	be.PutUint32(out, version)
	be.PutUint16(out[4:], uint16(len(names)))
	for i, k := range names {
		e := out[12+16*i:]
		copy(e, k)
		be.PutUint32(e[8:], uint32(len(out)))
		be.PutUint32(e[12:], uint32(len(tables[k])))
		out = append(out, tables[k]...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	return out
}

// outline is the description of a glyph (OpenType, glyf and loca), empty for one that has none.
func outline(tables map[string][]byte, g int) []byte {
	be := binary.BigEndian
	loca, glyf := tables["loca"], tables["glyf"]
	if be.Uint16(tables["head"][50:]) == 1 {
		return glyf[be.Uint32(loca[4*g:]):be.Uint32(loca[4*g+4:])]
	}
	return glyf[2*int(be.Uint16(loca[2*g:])) : 2*int(be.Uint16(loca[2*g+2:]))]
}

// withoutInstructions is a glyph description (OpenType, glyf table) with its instructions left out.
func withoutInstructions(d []byte) []byte {
	be := binary.BigEndian
	out := bytes.Clone(d)
	if contours := int(int16(be.Uint16(d))); contours >= 0 {
		p := 10 + 2*contours
		n := int(be.Uint16(d[p:]))
		return append(append(out[:p:p], 0, 0), d[p+2+n:]...)
	}
	end := 10
	for p := range components(out) {
		flags := be.Uint16(out[p:])
		be.PutUint16(out[p:], flags&^0x100) // WE_HAVE_INSTRUCTIONS
		end = p + componentSize(flags)
	}
	return out[:end]
}

// components are the places of the component records in the description of a composite glyph.
func components(d []byte) iter.Seq[int] {
	return func(yield func(int) bool) {
		for p := 10; ; {
			flags := binary.BigEndian.Uint16(d[p:])
			if !yield(p) || flags&0x20 == 0 { // MORE_COMPONENTS
				return
			}
			p += componentSize(flags)
		}
	}
}

func componentSize(flags uint16) int {
	n := 6
	if flags&1 != 0 { // ARG_1_AND_2_ARE_WORDS
		n += 2
	}
	switch {
	case flags&8 != 0: // WE_HAVE_A_SCALE
		n += 2
	case flags&0x40 != 0: // WE_HAVE_AN_X_AND_Y_SCALE
		n += 4
	case flags&0x80 != 0: // WE_HAVE_A_TWO_BY_TWO
		n += 8
	}
	return n
}
