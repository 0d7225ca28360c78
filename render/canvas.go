package render

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// role is a standard structure type (ISO 32000-1, 14.8.4).
type role uint8

const (
	roleDocument role = iota
	roleH1
	roleH2
	roleH3
	roleP
	roleTable
	roleTR
	roleTH
	roleTD
	roleL
	roleLI
	roleLBody
	roleLbl
	roleForm
	roleSpan
	roleFigure  // its id is its place among the figures
	roleContent // a leaf: a run of page content
	roleObject  // a leaf: a field
)

var roleNames = [...]string{"Document", "H1", "H2", "H3", "P", "Table", "TR", "TH", "TD", "L", "LI", "LBody", "Lbl", "Form", "Span", "Figure"}

type scope uint8

const (
	scopeNone scope = iota
	scopeRow
	scopeColumn
)

// element is a node of the structure tree, linked by index in one slice. A roleContent leaf has the page and the marked-content id.
type element struct {
	role                      role
	scope                     scope
	parent, first, last, next int32
	page, id                  int32
	actual                    string // ActualText: what a stand-in glyph means
	spelled                   bool   // the glyphs mean the same, and only the structure says so as well
}

// canvas collects page contents and the structure they belong to. Everything is drawn between begin and end of an element, or as an
// artifact; nothing else is possible, so a page cannot have untagged content.
type canvas struct {
	paper
	faces    [2]*face
	pages    [][]byte  // content streams of finished pages
	heads    [][]byte  // what stands before them: marking, title, page number
	spare    [][]byte  // buffers of earlier documents
	tagged   [][]int32 // by page: the element of each marked-content id
	buf      []byte    // content of the page being drawn
	marks    []int32   // of the page being drawn
	elems    []element
	stack    []int32
	open     bool
	usedWide [2]map[rune]bool // letters of the two-byte fonts
	usedBox  bool
	font     int // currently set: face*4 + which font of it; -1 none
	size     float64
	missing  []Glyph
	figures  []figure
	key      string    // of the answer being drawn, for reports
	glyphs   []glyph   // of the block being drawn; shape hands out parts of it
	wrapped  [][]glyph // the lines of its cells; wrap hands out parts of it
	arabic   arabic
}

const (
	simpleGlyph uint8 = iota
	wideGlyph
	boxGlyph
	missingGlyph // drawn as a question mark, with the letter meant as ActualText
	arabicGlyph  // a cluster of Arabic letters
)

type glyph struct {
	code  uint16
	adv   uint16
	kind  uint8
	level uint8 // of bidirectional text: odd where it is written from the right
	r     rune  // the letter; of an arabicGlyph the complement of its cluster's number, which is no letter
}

const (
	regular = 0
	bold    = 1
)

func (c *canvas) reset() {
	c.spare = append(append(c.spare, c.pages...), c.heads...)
	if c.buf != nil {
		c.spare = append(c.spare, c.buf)
	}
	c.pages, c.heads, c.tagged = c.pages[:0], c.heads[:0], c.tagged[:0]
	c.elems = append(c.elems[:0], element{role: roleDocument, parent: -1, first: -1, last: -1, next: -1})
	c.stack = append(c.stack[:0], 0)
	clear(c.usedWide[regular])
	clear(c.usedWide[bold])
	c.usedBox, c.open = false, false
	c.figures = c.figures[:0]
	c.missing, c.key = nil, ""
	c.arabic.reset()
	c.startPage()
}

func (c *canvas) startPage() {
	c.buf = nil
	if n := len(c.spare) - 1; n >= 0 {
		c.buf, c.spare = c.spare[n][:0], c.spare[:n]
	}
	c.marks = nil
	c.font, c.size = -1, 0
}

func (c *canvas) endPage() {
	c.pages = append(c.pages, c.buf)
	c.tagged = append(c.tagged, c.marks)
	c.buf = nil
}

func (c *canvas) push(r role) *element {
	i := c.child(element{role: r})
	c.stack = append(c.stack, i)
	return &c.elems[i]
}

func (c *canvas) pop() { c.stack = c.stack[:len(c.stack)-1] }

func (c *canvas) child(e element) int32 {
	p := c.stack[len(c.stack)-1]
	i := int32(len(c.elems))
	e.parent, e.first, e.last, e.next = p, -1, -1, -1
	c.elems = append(c.elems, e)
	if last := c.elems[p].last; last >= 0 {
		c.elems[last].next = i
	} else {
		c.elems[p].first = i
	}
	c.elems[p].last = i
	return i
}

// begin opens a run of content that belongs to the element on top of the stack.
func (c *canvas) begin() {
	p := c.stack[len(c.stack)-1]
	id := int32(len(c.marks))
	c.marks = append(c.marks, p)
	c.child(element{role: roleContent, page: int32(len(c.pages)), id: id})
	c.buf = append(c.buf, '/')
	c.buf = append(c.buf, roleNames[c.elems[p].role]...)
	c.buf = append(c.buf, "<</MCID "...)
	c.buf = strconv.AppendInt(c.buf, int64(id), 10)
	if a := c.elems[p].actual; a != "" && !c.elems[p].spelled {
		// here as well as in the structure tree, because most programs that copy text look only here
		c.buf = append(append(c.buf, "/ActualText"...), textString(a)...)
	}
	c.buf = append(c.buf, ">>BDC\n"...)
	c.open = true
}

func (c *canvas) end() {
	c.buf = append(c.buf, "EMC\n"...)
	c.open = false
}

// artifact draws decoration: what carries no meaning of its own and is not read out.
func (c *canvas) artifact(draw func()) {
	c.buf = append(c.buf, "/Artifact BMC\n"...)
	draw()
	c.buf = append(c.buf, "EMC\n"...)
}

// number writes a coordinate with two decimals at most.
func number(b []byte, v float64) []byte {
	if v < 0 {
		b = append(b, '-')
		v = -v
	}
	n := int(v*100 + 0.5)
	b = appendInt(b, n/100)
	if f := n % 100; f != 0 {
		b = append(b, '.', byte('0'+f/10))
		if f%10 != 0 {
			b = append(b, byte('0'+f%10))
		}
	}
	return b
}

// appendInt does what strconv.AppendInt does, in half the time for the small numbers that a file is full of.
func appendInt(b []byte, n int) []byte {
	switch {
	case n < 0 || n > 9999:
		return strconv.AppendInt(b, int64(n), 10)
	case n > 999:
		return append(b, byte('0'+n/1000), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10))
	case n > 99:
		return append(b, byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
	case n > 9:
		return append(b, byte('0'+n/10), byte('0'+n%10))
	}
	return append(b, byte('0'+n))
}

func (c *canvas) op(name string, args ...float64) {
	for _, a := range args {
		c.buf = append(number(c.buf, a), ' ')
	}
	c.buf = append(append(c.buf, name...), '\n')
}

// fill draws a filled rectangle in a grey; y is measured from the top of the page, as everywhere here.
func (c *canvas) fill(x, y, w, h, grey float64) {
	c.op("g", grey)
	c.op("re", x, c.pageHeight-y-h, w, h)
	c.op("f")
	c.op("g", 0)
}

// line draws a hairline.
func (c *canvas) line(x1, y1, x2, y2, width, gray float64) {
	c.op("w", width)
	c.op("G", gray)
	c.op("m", x1, c.pageHeight-y1)
	c.op("l", x2, c.pageHeight-y2)
	c.op("S")
}

// invisible tells the marks that have no shape of their own. They join and separate letters and are left out of the page.
func invisible(r rune) bool {
	return r == 0x00ad || r >= 0x200b && r <= 0x200f || r == 0x2060 || r == 0xfeff || r >= 0xfe00 && r <= 0xfe0f
}

// shape turns text into glyphs, which are good until the next block. What no font has becomes a question mark that stands for it.
func (c *canvas) shape(f int, s string) []glyph {
	fc := c.faces[f]
	from := len(c.glyphs)
	g := c.glyphs
	turned := false
	for i := 0; i < len(s); {
		if s[i] < 0x80 { // most text: all of it that follows at once
			end := i + 1
			for end < len(s) && s[end] < 0x80 {
				end++
			}
			n := len(g)
			g = slices.Grow(g, end-i)[:n+end-i]
			for k := range g[n:] {
				b := max(s[i+k], ' ')
				g[n+k] = glyph{code: uint16(b), adv: fc.adv[b], r: rune(b)}
			}
			i = end
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if invisible(r) {
			continue
		}
		if int(r) < len(fc.code) && fc.code[r] != 0 {
			k := fc.code[r]
			g = append(g, glyph{code: uint16(k), adv: fc.adv[k], r: r})
		} else if r == boxEmpty || r == boxTicked {
			c.usedBox = true
			code := uint16(1)
			if r == boxTicked {
				code = 2
			}
			g = append(g, glyph{code: code, adv: boxAdv, kind: boxGlyph, r: r})
		} else if w, ok := fc.further().glyph[r]; ok {
			c.useWide(f, r)
			g = append(g, glyph{code: w.gid, adv: w.adv, kind: wideGlyph, r: r})
		} else if with, length := c.shapeArabic(f, s[i-n:], g); length > 0 {
			g, i, turned = with, i-n+length, true
		} else {
			g = append(g, glyph{code: '?', adv: fc.adv['?'], kind: missingGlyph, r: r})
		}
	}
	if turned {
		c.resolve(f, s, g[from:])
	}
	c.glyphs = g
	return g[from:len(g):len(g)]
}

func (c *canvas) useWide(f int, r rune) {
	if c.usedWide[f] == nil {
		c.usedWide[f] = map[rune]bool{}
	}
	c.usedWide[f][r] = true
}

// clean is text as it is drawn. Cases are decoded into this form already; labels and words of definitions may not be.
func clean(s string) string {
	if isASCII(s) {
		return s
	}
	if norm.NFC.IsNormalString(s) && utf8.ValidString(s) {
		return s
	}
	return norm.NFC.String(string([]rune(s)))
}

// isASCII looks at eight bytes at a time: most text is.
func isASCII(s string) bool {
	for ; len(s) >= 8; s = s[8:] {
		first := uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24 // one load each
		second := uint32(s[4]) | uint32(s[5])<<8 | uint32(s[6])<<16 | uint32(s[7])<<24
		if (first|second)&0x80808080 != 0 {
			return false
		}
	}
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func width(g []glyph, size float64) float64 {
	n := 0
	for _, x := range g {
		n += int(x.adv)
	}
	return float64(n) * size / 1000
}

func breakAfter(r rune) bool { return r == '-' || r == '/' || r == '–' || r == '—' || r == '@' }

// nextLine is how many glyphs go on a line of a width in 1/1000 em, and how many the break itself takes away.
func nextLine(g []glyph, limit int) (take, skip int) {
	acc, space, after := 0, -1, -1
	for i, x := range g {
		acc += int(x.adv)
		if x.r == ' ' {
			space, after = i, -1
			continue // a space may hang over the edge
		}
		if acc > limit && i > 0 {
			switch {
			case after > 0:
				return after, 0
			case space > 0:
				return space, 1
			}
			return i, 0 // a word longer than the line is broken where the line ends
		}
		if breakAfter(x.r) && i+1 < len(g) {
			after = i + 1
		}
	}
	return len(g), 0
}

func appendEscaped(b []byte, ch byte) []byte {
	switch ch {
	case '(', ')', '\\':
		return append(b, '\\', ch)
	case '\r':
		return append(b, '\\', 'r')
	case '\n':
		return append(b, '\\', 'n')
	}
	return append(b, ch)
}

func (c *canvas) setFont(key int, name string, size float64) {
	if key == c.font && size == c.size {
		return
	}
	c.font, c.size = key, size
	c.buf = append(append(c.buf, '/'), name...)
	c.buf = append(number(append(c.buf, ' '), size), " Tf "...)
}

// draw writes glyphs in one line with the base line at y.
func (c *canvas) draw(f int, size, x, y float64, g []glyph) {
	if c.arabic.words != nil && turned(g) {
		c.drawTurned(f, size, x, y, g)
		return
	}
	c.drawRun(f, size, x, y, g)
}

// drawRun writes glyphs in the order they are given. Runs of one font are one operation.
func (c *canvas) drawRun(f int, size, x, y float64, g []glyph) {
	fc := c.faces[f]
	for i := 0; i < len(g); {
		kind := g[i].kind
		j, adv := i+1, int(g[i].adv)
		for j < len(g) && g[j].kind == kind && kind != missingGlyph {
			adv += int(g[j].adv)
			j++
		}
		// The letter meant goes into an element of its own: nested marked content makes readers lose what follows it.
		stand := kind == missingGlyph && c.open
		if kind == missingGlyph {
			c.missing = append(c.missing, Glyph{g[i].r, c.key})
		}
		if stand {
			c.end()
			c.push(roleSpan).actual = string(g[i].r)
			c.begin()
		}
		c.buf = append(c.buf, "BT "...)
		switch kind {
		case wideGlyph:
			c.setFont(f*4+1, fc.name+"W", size)
		case boxGlyph:
			c.setFont(8, "FB", size)
		case arabicGlyph:
			c.setFont(f*4+2, naskhs[f]().name, size*naskhScale)
		default:
			c.setFont(f*4, fc.name, size)
		}
		c.buf = append(number(c.buf, x), ' ')
		c.buf = append(number(c.buf, c.pageHeight-y), " Td ("...)
		for _, q := range g[i:j] {
			if kind == arabicGlyph {
				q.code = c.arabicCode(f, q)
			}
			if kind == wideGlyph || kind == arabicGlyph {
				c.buf = appendEscaped(c.buf, byte(q.code>>8))
			}
			c.buf = appendEscaped(c.buf, byte(q.code))
		}
		c.buf = append(c.buf, ") Tj ET\n"...)
		if stand {
			c.end()
			c.pop()
			c.begin()
		}
		x += float64(adv) * size / 1000
		i = j
	}
}

// text draws one line, left-aligned.
func (c *canvas) text(f int, size, x, y float64, s string) { c.draw(f, size, x, y, c.shape(f, s)) }
