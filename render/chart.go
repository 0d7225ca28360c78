package render

import (
	"strconv"
	"strings"

	"caseforms"
)

// Bars are told apart by what is inside them, never by colour alone: the first of a group is full, the second hatched, the third empty. All
// have the same dark outline (contrast 9:1 on white), and stand in the order of the legend.
const (
	fullBar = iota
	hatchedBar
	emptyBar
)

// checkCharts finds the chart that cannot be written, before anything is.
func checkCharts(doc *caseforms.Document) error {
	for i := range doc.Sections {
		for _, p := range doc.Sections[i].Parts {
			if p.Chart == nil {
				continue
			}
			if err := p.Chart.Check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// count is a number as people write it: 1,000,000.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// most is the longest bar.
func most(c *caseforms.Chart) int {
	n := 0
	for _, g := range c.Groups {
		for _, v := range g.Values {
			n = max(n, v)
		}
	}
	return n
}

// barLength is the length of a bar where the longest has full; what is not nothing can be seen.
func barLength(v, most int, full, least float64) float64 {
	if v == 0 {
		return 0
	}
	return max(least, full*float64(v)/float64(most))
}

// hatch gives the slanting lines inside a bar from its lower left corner, each cut off where the bar ends.
func hatch(w, h, apart float64, line func(x1, y1, x2, y2 float64)) {
	for o := apart - h; o < w; o += apart { // from (o, 0) to (o+h, h)
		a, b := max(0, -o), min(h, w-o)
		line(o+a, a, o+b, b)
	}
}

// inWords is a chart for those who cannot see it: what there is to see, then the numbers of some of its groups.
func inWords(c *caseforms.Chart, groups []caseforms.BarGroup) string {
	var b strings.Builder
	b.WriteString(strings.TrimRight(clean(c.Alt), " ."))
	b.WriteByte('.')
	for _, g := range groups {
		b.WriteString(" " + oneLine(g.Label) + ": ")
		for i, v := range g.Values {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(oneLine(c.Series[i]) + " " + count(v))
		}
		b.WriteByte('.')
	}
	return b.String()
}

// oneLine is text with every white space in it as one space.
func oneLine(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// figure is what the structure says of a drawing.
type figure struct {
	alt                    string
	left, top, right, foot float64 // from the top of the page
}

// chartLook is how a chart is set: in letters of the body, or smaller and closer when it would take too much of a page.
type chartLook struct {
	size, lead float64
	pitch      float64 // from one bar of a group to the next
	gap        float64 // between groups
	label      float64 // width of the groups' labels
	value      float64 // width of the longest number
	labels     [][][]glyph
	heights    []float64 // of the groups
	legend     float64   // its height
	height     float64   // of it all
	most       float64   // part of a page
}

// chartLooks are tried in turn; each is for charts up to a part of the page.
var chartLooks = [...]chartLook{
	{size: bodySize, lead: bodyLead, pitch: 14, gap: 7, most: 0.5},
	{size: smallSize, lead: 11.5, pitch: 10.5, gap: 6, most: 0.75},
	{size: smallSize, lead: 11, pitch: 9.5, gap: 3.5, most: 0.85},
}

const (
	swatch   = 20.0 // width of a bar in the legend
	axisGap  = 6.0  // between labels and bars, bars and numbers
	barSpace = 1.5  // between the bars of a group

	captionSpace = 5.0
)

// lay measures a chart. One that is divided in any case has its bars not as close as can be.
func (s *sheet) lay(c *caseforms.Chart) (l chartLook) {
	for _, i := range []int{0, 1, 2, 1} {
		l = chartLooks[i]
		for _, g := range c.Groups {
			l.label = max(l.label, s.wide(regular, l.size, oneLine(g.Label)))
			for _, v := range g.Values {
				l.value = max(l.value, s.wide(regular, l.size, count(v)))
			}
		}
		l.label = min(l.label+1, s.textWidth*0.38)
		for _, g := range c.Groups {
			lines := s.linesOf(regular, l.size, l.label, g.Label)
			l.labels = append(l.labels, lines)
			h := max(float64(len(c.Series))*l.pitch, float64(len(lines))*l.lead) + l.gap
			l.heights = append(l.heights, h)
			l.height += h
		}
		if len(c.Series) > 1 {
			for _, line := range s.legend(c, &l) {
				l.legend = line.y + l.lead
			}
			l.legend += l.gap
		}
		l.height += l.legend
		if l.height <= (s.bottom-top)*l.most {
			break
		}
	}
	return l
}

// linesOf is text in lines.
func (s *sheet) linesOf(f int, size, w float64, t string) (out [][]glyph) {
	g := s.shape(f, oneLine(t)+" ") // the space keeps words apart for readers
	for len(g) > 0 {
		n, skip := nextLine(g, lineLimit(w, size))
		out = append(out, g[:n+skip])
		g = g[n+skip:]
	}
	return out
}

// legendLine is a line of the legend; only the first of a name has a bar before it.
type legendLine struct {
	bar  int // -1 none
	x, y float64
	text []glyph
}

// legend sets the names of the series side by side, or one below the other when they are too long for that.
func (s *sheet) legend(c *caseforms.Chart, l *chartLook) (out []legendLine) {
	x := 0.0
	for i, name := range c.Series {
		g := s.shape(regular, oneLine(name)+" ")
		out = append(out, legendLine{bar: i, x: x, text: g})
		x += swatch + axisGap + width(g, l.size) + 15
	}
	if x-15 <= s.textWidth {
		return out
	}
	out = out[:0]
	y := 0.0
	for i, name := range c.Series {
		bar := i
		for _, g := range s.linesOf(regular, l.size, s.textWidth-swatch-axisGap, name) {
			out = append(out, legendLine{bar: bar, y: y, text: g})
			bar = -1
			y += l.lead
		}
	}
	return out
}

// chartCaption is the height of a chart's caption.
func (s *sheet) chartCaption(text string) float64 {
	if text == "" {
		return 0
	}
	return s.height(bold, bodySize, bodyLead, s.textWidth, text) + captionSpace
}

// chartStart is the room a chart wants before it is begun: all of it, unless it is one for which a page with a heading has not room enough.
func (s *sheet) chartStart(b *block) float64 {
	h := s.lay(b.chart).height
	if h > (s.bottom-top)*chartLooks[len(chartLooks)-1].most {
		return (s.bottom - top) / 2
	}
	return h + s.chartCaption(b.text)
}

// chart draws a chart as one figure. Only one that has more groups than a page is divided, between groups, and each part is a figure with
// the caption again.
func (s *sheet) chart(b *block) {
	c := b.chart
	s.need(s.chartStart(b))
	s.key = c.Key
	l := s.lay(c)
	for from, caption := 0, b.text; from < len(c.Groups); caption = c.Label + " (" + s.doc.Words("continued") + ")" {
		if from > 0 {
			s.newPage()
		}
		if caption != "" {
			s.push(roleP)
			s.begin()
			s.lines(bold, bodySize, bodyLead, left, s.textWidth, caption)
			s.end()
			s.pop()
			s.y += captionSpace
		}
		to, h := s.part(&l, from)
		s.push(roleFigure).id = int32(len(s.figures))
		s.figures = append(s.figures, figure{inWords(c, c.Groups[from:to]), left, s.y, s.right, s.y + h})
		s.begin()
		s.drawChart(c, &l, from, to)
		s.end()
		s.pop()
		from = to
	}
	s.y += 6
}

// part is where the part of a chart that begins with a group ends, and its height. Parts are about as long as one another.
func (s *sheet) part(l *chartLook, from int) (to int, height float64) {
	fill := func(from int, room float64) (to int) {
		h := l.legend
		for to = from; to < len(l.heights) && (to == from || h+l.heights[to] <= room); to++ {
			h += l.heights[to]
		}
		return to
	}
	first := fill(from, s.bottom-s.y)
	parts := 1
	for i := first; i < len(l.heights); i = fill(i, s.bottom-top-2*bodyLead) {
		parts++
	}
	to = min(first, from+(len(l.heights)-from+parts-1)/parts)
	height = l.legend
	for _, h := range l.heights[from:to] {
		height += h
	}
	return to, height
}

// drawChart draws the legend and some of the groups.
func (s *sheet) drawChart(c *caseforms.Chart, l *chartLook, from, to int) {
	if len(c.Series) > 1 {
		for _, n := range s.legend(c, l) {
			y := s.y + n.y
			if n.bar >= 0 {
				s.bar(n.bar, left+n.x, y+(l.lead-l.pitch+barSpace)/2, swatch, l.pitch-barSpace)
			}
			s.draw(regular, l.size, left+n.x+swatch+axisGap, y+l.lead/2+l.size*0.36, n.text)
		}
		s.y += l.legend
	}
	axis := left + l.label + axisGap
	full := s.right - axis - axisGap - l.value
	longest := most(c)
	begin := s.y - min(l.gap/2, l.legend) // without a legend the drawing begins with the axis
	for i := from; i < to; i++ {
		inner := l.heights[i] - l.gap
		y := s.y + (inner-float64(len(l.labels[i]))*l.lead)/2
		for _, g := range l.labels[i] {
			s.draw(regular, l.size, left, y+l.lead/2+l.size*0.36, g)
			y += l.lead
		}
		y = s.y + (inner-float64(len(c.Series))*l.pitch)/2
		for k, v := range c.Groups[i].Values {
			w := barLength(v, longest, full, 1)
			if w > 0 {
				s.bar(k, axis, y, w, l.pitch-barSpace)
			}
			s.text(regular, l.size, axis+w+axisGap, y+(l.pitch-barSpace)/2+l.size*0.36, count(v)+" ")
			y += l.pitch
		}
		s.y += l.heights[i]
	}
	s.line(axis, begin, axis, s.y-l.gap/2, 1, 0)
}

// bar draws a bar of a series.
func (s *sheet) bar(series int, x, y, w, h float64) {
	foot := s.pageHeight - y - h
	s.op("rg", accentR, accentG, accentB)
	if series != fullBar {
		s.op("g", 1)
	}
	s.op("re", x, foot, w, h)
	s.op("f")
	s.op("RG", accentR, accentG, accentB)
	if series == hatchedBar {
		s.op("w", 1)
		hatch(w, h, 4, func(x1, y1, x2, y2 float64) {
			s.op("m", x+x1, foot+y1)
			s.op("l", x+x2, foot+y2)
		})
		s.op("S")
	}
	s.op("w", 0.8)
	s.op("re", x, foot, w, h)
	s.op("S")
	s.op("g", 0)
}
