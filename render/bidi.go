package render

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/bidi"
)

// Text is laid out from the left to the right; words written from the right are turned round in it by the Unicode bidirectional
// algorithm (UAX #9). There are no embeddings to unwind, because a case with signs that turn the direction of writing is refused, so a
// paragraph is one level run. golang.org/x/text has the classes of letters, but its own ordering puts numbers between words written from the
// right into the wrong place.

// letter is a letter of a paragraph, with its class while it is being resolved.
type letter struct {
	r     rune
	class bidi.Class
	entry int // the glyph it is drawn by, -1 if by none
}

// resolve gives every glyph of a paragraph its level and turns round the brackets that stand between words written from the right.
func (c *canvas) resolve(f int, s string, g []glyph) {
	t := c.arabic.letters[:0]
	add := func(r rune, entry int) {
		p, _ := bidi.LookupRune(r)
		class := p.Class()
		switch {
		case r < 0x20:
			class = bidi.WS // as it is drawn
		case class == bidi.BN:
			return
		}
		t = append(t, letter{r, class, entry})
	}
	for i, e := 0, 0; i < len(s); {
		if e < len(g) && g[e].kind == arabicGlyph {
			// signs that are not drawn may stand before a word, and are then none of its clusters'
			if text := c.arabic.clusters[^g[e].r].text; strings.HasPrefix(s[i:], text) {
				for _, r := range text {
					add(r, e)
				}
				i += len(text)
				e++
				continue
			}
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if invisible(r) || e == len(g) {
			add(r, -1) // the marks of direction among them count, though they are not drawn
			continue
		}
		add(r, e)
		e++
	}
	c.arabic.letters = t
	resolveWeak(t)
	resolveBrackets(t)
	resolveNeutral(t)
	done := -1
	for _, l := range t {
		if l.entry <= done {
			continue // a mark goes with its letter
		}
		done = l.entry
		x := &g[l.entry]
		switch l.class {
		case bidi.R:
			x.level = 1
			if m := mirrored(x.r); x.kind != arabicGlyph && m != x.r {
				if q, ok := c.latin(f, m); ok {
					x.code, x.adv, x.kind = q.code, q.adv, q.kind
				}
			}
		case bidi.EN, bidi.AN:
			x.level = 2
		}
	}
}

// latin is the glyph of a letter in the document's main typeface.
func (c *canvas) latin(f int, r rune) (glyph, bool) {
	fc := c.faces[f]
	if int(r) < len(fc.code) && fc.code[r] != 0 {
		k := fc.code[r]
		return glyph{code: uint16(k), adv: fc.adv[k], r: r}, true
	}
	w, ok := fc.further().glyph[r]
	if ok {
		c.useWide(f, r)
	}
	return glyph{code: w.gid, adv: w.adv, kind: wideGlyph, r: r}, ok
}

// mirrored is the sign that a sign is drawn as between words written from the right.
func mirrored(r rune) rune {
	if p, _ := bidi.LookupRune(r); p.IsBracket() {
		m, _ := utf8.DecodeRuneInString(bidi.ReverseString(string(r)))
		return m
	}
	pairs := []rune("<>«»‹›")
	if i := slices.Index(pairs, r); i >= 0 {
		return pairs[i^1]
	}
	return r
}

// resolveWeak is rules W1 to W7: what numbers, signs beside them and marks count as.
func resolveWeak(t []letter) {
	before, strong := bidi.L, bidi.L
	for i := range t {
		if t[i].class == bidi.NSM {
			t[i].class = before
		}
		before = t[i].class
		switch before {
		case bidi.L, bidi.R, bidi.AL:
			strong = before
		case bidi.EN:
			if strong == bidi.AL {
				t[i].class = bidi.AN
			}
		}
	}
	for i := range t {
		if t[i].class == bidi.AL {
			t[i].class = bidi.R
		}
		if k := t[i].class; (k == bidi.ES || k == bidi.CS) && i > 0 && i+1 < len(t) {
			// the number behind is still as it was written; the letters before it decide what it counts as
			if a, b := t[i-1].class, t[i+1].class; a == b && (a == bidi.EN || a == bidi.AN && k == bidi.CS) {
				t[i].class = a
			}
		}
	}
	for i := 0; i < len(t); {
		j := i
		for j < len(t) && t[j].class == bidi.ET {
			j++
		}
		if i > 0 && t[i-1].class == bidi.EN || j > i && j < len(t) && t[j].class == bidi.EN {
			for k := i; k < j; k++ {
				t[k].class = bidi.EN
			}
		}
		i = max(j, i+1)
	}
	strong = bidi.L
	for i := range t {
		switch t[i].class {
		case bidi.ES, bidi.CS, bidi.ET:
			t[i].class = bidi.ON
		case bidi.L, bidi.R:
			strong = t[i].class
		case bidi.EN:
			if strong == bidi.L {
				t[i].class = bidi.L
			}
		}
	}
}

// direction is what a class counts as among neutral signs: numbers as written from the right.
func direction(k bidi.Class) bidi.Class {
	switch k {
	case bidi.L, bidi.R:
		return k
	case bidi.EN, bidi.AN:
		return bidi.R
	}
	return bidi.ON
}

// resolveBrackets is rule N0: both brackets of a pair go the same way.
func resolveBrackets(t []letter) {
	var open []int
	var pairs [][2]int
	for i := range t {
		p, _ := bidi.LookupRune(t[i].r)
		if t[i].class != bidi.ON || !p.IsBracket() {
			continue
		}
		if p.IsOpeningBracket() {
			if len(open) == 63 {
				break // the algorithm's own limit
			}
			open = append(open, i)
			continue
		}
		for k := len(open) - 1; k >= 0; k-- {
			if mirrored(t[open[k]].r) == t[i].r {
				pairs = append(pairs, [2]int{open[k], i})
				open = open[:k]
				break
			}
		}
	}
	slices.SortFunc(pairs, func(a, b [2]int) int { return a[0] - b[0] })
	before, at := bidi.L, 0 // the last strong class before t[at]
	for _, p := range pairs {
		for ; at < p[0]; at++ {
			if d := direction(t[at].class); d != bidi.ON {
				before = d
			}
		}
		inside := bidi.ON
		for _, l := range t[p[0]+1 : p[1]] {
			if d := direction(l.class); d == bidi.L {
				inside = bidi.L
				break
			} else if d == bidi.R {
				inside = bidi.R
			}
		}
		if inside == bidi.R {
			inside = before
		}
		if inside != bidi.ON {
			t[p[0]].class, t[p[1]].class = inside, inside
		}
	}
}

// resolveNeutral is rules N1 and N2: spaces and signs go with the words on both sides of them, else from the left.
func resolveNeutral(t []letter) {
	before := bidi.L
	for i := 0; i < len(t); {
		j := i
		for j < len(t) && direction(t[j].class) == bidi.ON {
			j++
		}
		after := bidi.L
		if j < len(t) {
			after = direction(t[j].class)
		}
		to := bidi.L
		if before == after {
			to = before
		}
		for ; i < j; i++ {
			t[i].class = to
		}
		if j < len(t) {
			before = after
			i = j + 1
		}
	}
}

// visual puts the glyphs of a run into the order in which they stand on the page (rule L2).
func visual(dst, run []glyph) []glyph {
	dst = append(dst[:0], run...)
	for level := uint8(2); level > 0; level-- {
		for i := 0; i < len(dst); {
			j := i
			for j < len(dst) && dst[j].level >= level {
				j++
			}
			slices.Reverse(dst[i:j])
			i = max(j, i+1)
		}
	}
	return dst
}

// turned tells whether any of a line is written from the right.
func turned(line []glyph) bool {
	return slices.ContainsFunc(line, func(g glyph) bool { return g.level > 0 })
}

// drawTurned draws a line that has words written from the right. Each run of them is an element with the letters in the order they are
// read, for screen readers. Programs that copy text go by the places of letters; some of them turn an ActualText in the page round as if
// its letters stood on the page from the left, so it has none there unless a letter is missing from the page.
func (c *canvas) drawTurned(f int, size, x, y float64, g []glyph) {
	end := len(g)
	for end > 0 && g[end-1].r == ' ' {
		end-- // spaces at the end of a line stay there (rule L1)
	}
	for i := 0; i < len(g); {
		j := i
		for j < end && g[j].level > 0 {
			j++
		}
		if j == i {
			for j < len(g) && (j >= end || g[j].level == 0) {
				j++
			}
			c.drawRun(f, size, x, y, g[i:j])
		} else {
			element := c.open
			if element {
				c.end()
				e := c.push(roleSpan)
				e.actual = c.spelled(g[i:j])
				e.spelled = !slices.ContainsFunc(g[i:j], func(q glyph) bool { return q.kind == missingGlyph })
				c.begin()
				c.open = false // a letter that is missing has no place of its own in here
			}
			c.arabic.line = visual(c.arabic.line, g[i:j])
			c.drawRun(f, size, x, y, c.arabic.line)
			if element {
				c.end()
				c.pop()
				c.begin()
			}
		}
		x += width(g[i:j], size)
		i = j
	}
}

// spelled is the text that glyphs stand for.
func (c *canvas) spelled(g []glyph) string {
	var b strings.Builder
	for _, q := range g {
		if q.kind == arabicGlyph {
			b.WriteString(c.arabic.clusters[^q.r].text)
		} else {
			b.WriteRune(q.r)
		}
	}
	return b.String()
}

// rightToLeft tells whether a text has letters that are written from the right.
func rightToLeft(s string) bool {
	for i := 0; i < len(s); {
		if s[i] < 0x80 {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r < 0x590 {
			continue
		}
		if p, _ := bidi.LookupRune(r); p.Class() == bidi.R || p.Class() == bidi.AL {
			return true
		}
	}
	return false
}
