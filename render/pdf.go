package render

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"caseforms"
)

// Measures in points, from the top left corner of the page.
const (
	a4Short = 595.28
	a4Long  = 841.89
	left    = 42.0
	top     = 62.0

	bodySize             = 12.0 // E.3(1): the least for a document to be read by everybody
	bodyLead             = 15.0
	smallSize            = 9.5
	titleSize, titleLead = 20.0, 25.0
	headSize, headLead   = 14.0, 18.0
	cardSize, cardLead   = 12.5, 16.5
	padX                 = 5.0
	padY                 = 2.5
	labelPart            = 0.34 // of a row
)

// The one accent colour is dark enough for text (contrast 9:1 on white) and prints as a dark grey.
const accentR, accentG, accentB = 0.10, 0.26, 0.38

// tint is the ground of labels and column heads; black on it has a contrast of 17:1.
const tint = 0.935

// paper is the measures of a page that depend on how it lies.
type paper struct{ pageWidth, pageHeight, right, bottom, textWidth float64 }

func a4(landscape bool) paper {
	w, h := a4Short, a4Long
	if landscape {
		w, h = h, w
	}
	return paper{pageWidth: w, pageHeight: h, right: w - 42, bottom: h - 54, textWidth: w - 42 - left}
}

// sheet is a document being laid out as pages.
type sheet struct {
	canvas
	doc     *caseforms.Document
	options Options
	y       float64
	widths  map[*caseforms.Table][]float64

	fields    []field
	bookmarks []bookmark
	attached  []byte
}

// bookmark is a heading and where it stands.
type bookmark struct {
	level int
	title string
	page  int
	y     float64
	card  bool // of an item of a list, whose heading may name somebody
}

var sheets = sync.Pool{New: func() any { return new(sheet) }}

// PDF writes the document as a tagged PDF on A4, with embedded fonts.
func PDF(w io.Writer, doc *caseforms.Document, o Options) (Report, error) {
	var err error
	if o.Password, err = o.password(FormatPDF); err != nil {
		return Report{}, err
	}
	s, err := compose(doc, o)
	if err != nil {
		return Report{}, err
	}
	defer s.release()
	rep := s.report()
	if rep.Sum, err = s.finish(w); err != nil {
		return rep, &caseforms.Error{Kind: caseforms.Internal, Op: "pdf", Msg: "the file cannot be written", Err: err}
	}
	return rep, nil
}

// compose lays a document out as pages. Whoever takes the sheet releases it.
func compose(doc *caseforms.Document, o Options) (*sheet, error) {
	if err := checkCharts(doc); err != nil {
		return nil, err
	}
	fs, err := faces()
	if err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Internal, Op: "pdf", Msg: "the fonts cannot be read", Err: err}
	}
	s := sheets.Get().(*sheet)
	s.faces, s.doc, s.options, s.widths = fs, doc, o, nil
	s.paper = a4(doc.Landscape)
	s.reset()
	s.bookmarks, s.fields = s.bookmarks[:0], s.fields[:0]
	s.y = top
	s.title()
	all := blocks(doc)
	for i := range all {
		s.block(&all[i], all[i+1:])
	}
	s.endPage()
	s.furniture()
	return s, nil
}

func (s *sheet) report() Report {
	r := Report{Pages: len(s.pages), Missing: s.missing, Sections: map[string]int{}}
	for _, m := range s.bookmarks {
		title := strings.TrimRight(m.title, " :")
		if _, before := r.Sections[title]; !before && m.level <= 2 {
			r.Sections[title] = m.page + 1
		}
	}
	return r
}

// release gives the sheet back with nothing of the case and no password in what it points to.
func (s *sheet) release() {
	s.doc, s.options, s.widths = nil, Options{}, nil
	clear(s.fields)
	clear(s.bookmarks)
	clear(s.figures)
	clear(s.attached)
	sheets.Put(s)
}

// furniture puts marking, title, reference and page number on every page. It comes last because only now is the number of pages known,
// and stands first in each page's content so that the text of the page follows on from it unbroken.
func (s *sheet) furniture() {
	d := s.doc
	ref := reference(d)
	if d.Blank {
		ref = ""
	}
	name := d.Title
	if v := version(d); v != "" {
		name += ", " + v
	}
	for i := range s.pages {
		s.startPage()
		s.glyphs = s.glyphs[:0]
		s.buf = append(s.buf, "/Artifact<</Type/Pagination>>BDC\n"...)
		if d.Draft {
			s.watermark(d.Words("draft"))
		}
		s.centred(bold, bodySize, 21, d.Marking)
		s.text(regular, smallSize, left, 45, s.fit(regular, smallSize, name, s.textWidth-s.wide(regular, smallSize, ref)-20))
		s.rightAligned(regular, smallSize, 45, ref)
		s.line(left, 50, s.right, 50, 0.75, 0.35)
		if t := notice(d); t != "" {
			s.rightAligned(bold, smallSize, 33, t)
		}
		s.line(left, s.pageHeight-46, s.right, s.pageHeight-46, 0.75, 0.35)
		s.centred(bold, bodySize, s.pageHeight-22, d.Marking)
		s.rightAligned(regular, smallSize, s.pageHeight-34, d.Words("page")+" "+strconv.Itoa(i+1)+" "+d.Words("of")+" "+strconv.Itoa(len(s.pages)))
		s.buf = append(s.buf, "EMC\n"...)
		s.heads = append(s.heads, s.buf)
		s.buf = nil
	}
}

func (s *sheet) wide(f int, size float64, t string) float64 { return width(s.shape(f, t), size) }

// fit shortens the repeated title of a page, never an answer: the whole title stands at the head of the document.
func (s *sheet) fit(f int, size float64, t string, w float64) string {
	if s.wide(f, size, t) <= w {
		return t
	}
	r := []rune(t)
	for len(r) > 0 && s.wide(f, size, string(r)+"…") > w {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

func (s *sheet) centred(f int, size, y float64, t string) {
	g := s.shape(f, t)
	s.draw(f, size, (s.pageWidth-width(g, size))/2, y, g)
}

func (s *sheet) rightAligned(f int, size, y float64, t string) {
	g := s.shape(f, t)
	s.draw(f, size, s.right-width(g, size), y, g)
}

// watermark lies under the text, light enough to read everything on it and dark enough to survive a copier.
func (s *sheet) watermark(word string) {
	g := s.shape(bold, word)
	size := 150.0
	s.op("q")
	s.op("g", 0.88)
	cos, sin := 0.5736, 0.8192 // 55 degrees, along the page's diagonal
	if s.doc.Landscape {
		cos, sin = sin, cos
	}
	s.op("cm", cos, sin, -sin, cos, s.pageWidth/2, s.pageHeight/2)
	s.draw(bold, size, -width(g, size)/2, s.pageHeight+size*0.35, g)
	s.op("Q")
	s.font = -1
}

func (s *sheet) newPage() {
	open := s.open
	if open {
		s.end()
	}
	s.endPage()
	s.startPage()
	s.y = top
	if open {
		s.begin()
	}
}

// need starts a new page unless h points are left on this one.
func (s *sheet) need(h float64) {
	if s.y+h > s.bottom && s.y > top {
		s.newPage()
	}
}

func (s *sheet) title() {
	s.key = ""
	s.push(roleH1)
	s.begin()
	s.lines(bold, titleSize, titleLead, left, s.textWidth, s.doc.Title)
	s.end()
	s.pop()
	if s.doc.Subtitle != "" {
		s.push(roleP)
		s.begin()
		s.lines(regular, bodySize, bodyLead, left, s.textWidth, s.doc.Subtitle)
		s.end()
		s.pop()
	}
	s.y += 4
}

// lines sets text in lines from s.y down, going on over pages; it stays in the element that is open.
func (s *sheet) lines(f int, size, lead, x, w float64, t string) {
	for para := range strings.SplitAfterSeq(clean(t), "\n") {
		g := s.shape(f, para)
		if len(g) == 0 || para == "\n" {
			s.y += lead * 0.6
			continue
		}
		limit := lineLimit(w, size)
		for len(g) > 0 {
			n, skip := nextLine(g, limit)
			if s.y+lead > s.bottom {
				s.newPage()
			}
			s.draw(f, size, x, s.y+size*1.02, g[:n+skip]) // with the space at its end, which keeps words apart for readers
			s.y += lead
			g = g[n+skip:]
		}
	}
}

// lineLimit is the width of a line in 1/1000 em.
func lineLimit(w, size float64) int { return int(w * 1000 / size) }

// height is what lines would take.
func (s *sheet) height(f int, size, lead, w float64, t string) float64 {
	h := 0.0
	limit := lineLimit(w, size)
	for para := range strings.SplitAfterSeq(clean(t), "\n") {
		g := s.shape(f, para)
		if len(g) == 0 || para == "\n" {
			h += lead * 0.6
			continue
		}
		for len(g) > 0 {
			n, skip := nextLine(g, limit)
			h += lead
			g = g[n+skip:]
		}
	}
	return h
}

func (s *sheet) block(b *block, following []block) {
	s.glyphs, s.wrapped = s.glyphs[:0], s.wrapped[:0]
	switch b.kind {
	case blockHeading:
		s.heading(b, following)
	case blockPara:
		s.para(regular, b.text)
	case blockNote:
		s.need(bodyLead)
		s.op("g", 0.35)
		s.para(regular, b.text)
		s.op("g", 0)
	case blockBanner:
		s.banner(b.answers[0])
	case blockRows:
		s.rows(b.answers)
	case blockPairs:
		s.pairs(b.answers)
	case blockGrid:
		s.grid(b.answers)
	case blockNarrative:
		s.narrative(b.answers[0])
	case blockTicks:
		s.ticks(b.answers[0])
	case blockTable:
		s.table(b)
	case blockChart:
		s.chart(b)
	case blockLetter:
		s.letter(b.runs)
	case blockSignature:
		s.signature(b.answers)
	}
}

// least is the height below which a block is not begun on a page, so that a heading is never left alone at its foot.
func (s *sheet) least(following []block) float64 {
	if len(following) == 0 {
		return 0
	}
	switch b := &following[0]; b.kind {
	case blockHeading:
		return 30 + s.height(bold, headSize, headLead, s.textWidth, b.text) + s.least(following[1:])
	case blockTable:
		return s.tableStart(b)
	case blockChart:
		return s.chartStart(b)
	case blockBanner:
		return 60
	case blockSignature:
		return s.signatureHeight(b.answers)
	case blockRows:
		lw := s.textWidth * labelPart
		h := s.rowStart([]string{b.answers[0].Label, s.shown(b.answers[0])}, []float64{lw, s.textWidth - lw})
		if b.answers[0].Text == "" {
			h = max(h, writable(b.answers[0]))
		}
		return h
	case blockNarrative:
		return s.height(bold, bodySize, bodyLead, s.textWidth, b.answers[0].Label) + 3*bodyLead
	case blockGrid:
		return s.gridStart(b.answers)
	case blockTicks:
		return s.height(bold, bodySize, bodyLead, s.textWidth, b.answers[0].Label) + float64(min(len(b.answers[0].Boxes), 9))*(bodyLead+2)
	case blockPara:
		if len(following) > 1 && following[1].kind == blockChart {
			return s.height(regular, bodySize, bodyLead, s.textWidth, b.text) + 3 + s.chartStart(&following[1]) // it says what the chart is of
		}
		return 3 * bodyLead
	case blockNote, blockLetter:
		return 3 * bodyLead
	}
	return 60
}

// rowStart is the room a row wants before it is begun: all of it, unless it is one that is split.
func (s *sheet) rowStart(texts []string, widths []float64) float64 {
	h := bodyLead
	for i, t := range texts {
		f := bold // the wider face, to be on the safe side
		h = max(h, s.height(f, bodySize, bodyLead, widths[i]-2*padX, t))
	}
	if h += 2 * padY; h > (s.bottom-top)*0.5 {
		return 5 * bodyLead
	}
	return h
}

func (s *sheet) tableStart(b *block) float64 {
	ws := s.columns(b.table)
	h := s.tableHead(b.table, ws)
	if b.text != "" {
		h += s.height(bold, bodySize, bodyLead, s.textWidth, b.text) + 2
	}
	if len(b.table.Rows) > 0 {
		var texts []string
		for i := range b.table.Rows[0].Cells {
			texts = append(texts, s.shown(&b.table.Rows[0].Cells[i]))
		}
		h += s.rowStart(texts, ws)
	}
	return h
}

func (s *sheet) gridStart(answers []*caseforms.Answer) float64 {
	var labels, texts []string
	var ws []float64
	for _, a := range answers {
		labels, texts = append(labels, a.Label), append(texts, s.shown(a))
		ws = append(ws, s.textWidth/float64(len(answers)))
	}
	return s.rowStart(labels, ws) + s.rowStart(texts, ws)
}

func (s *sheet) heading(b *block, following []block) {
	size, lead, before := headSize, headLead, 8.0
	r := roleH2
	if b.level == 3 {
		size, lead, before, r = cardSize, cardLead, 6, roleH3
	}
	h := s.height(bold, size, lead, s.textWidth, b.text)
	rest := s.least(following)
	if b.whole {
		rest = s.replyHeight(following)
	}
	s.need(before + h + 6 + rest)
	if s.y > top {
		s.y += before
	}
	s.key = b.key
	s.bookmarks = append(s.bookmarks, bookmark{b.level, b.text, len(s.pages), s.y, strings.Contains(b.key, "[")})
	s.push(r)
	s.begin()
	s.op("rg", accentR, accentG, accentB)
	s.lines(bold, size, lead, left, s.textWidth, b.text)
	s.op("g", 0)
	s.end()
	s.pop()
	if b.level == 2 {
		s.artifact(func() {
			s.op("RG", accentR, accentG, accentB)
			s.op("w", 1)
			s.op("m", left, s.pageHeight-s.y-1)
			s.op("l", s.right, s.pageHeight-s.y-1)
			s.op("S")
		})
		s.y += 5
	} else {
		s.y += 2
	}
}

func (s *sheet) para(f int, t string) {
	s.need(bodyLead)
	s.push(roleP)
	s.begin()
	s.lines(f, bodySize, bodyLead, left, s.textWidth, t)
	s.end()
	s.pop()
	s.y += 3
}

// banner frames what must be seen first. Its weight, not its colour, carries the meaning.
func (s *sheet) banner(a *caseforms.Answer) {
	s.key = a.Key
	if a.Text == "" {
		s.ticks(a)
		return
	}
	inner := s.textWidth - 24
	h := s.height(regular, bodySize, bodyLead, inner, a.Label) + s.height(bold, headSize, headLead, inner, a.Text) + 14
	if h > s.bottom-top {
		s.narrative(a) // no frame is as high as that
		return
	}
	s.need(h + 4)
	y := s.y
	s.artifact(func() {
		s.fill(left, y, 6, h, 0)
		s.op("w", 1)
		s.op("G", 0)
		s.op("re", left, s.pageHeight-y-h, s.textWidth, h)
		s.op("S")
	})
	s.y += 6
	s.push(roleP)
	s.begin()
	s.lines(regular, bodySize, bodyLead, left+16, inner, a.Label)
	s.end()
	s.pop()
	s.push(roleP)
	s.begin()
	s.lines(bold, headSize, headLead, left+16, inner, a.Text)
	s.end()
	s.pop()
	s.y = y + h + 6
}

// muted tells whether an answer is printed in grey because it is none. The words carry the meaning; grey only lets the eye pass on.
func muted(a *caseforms.Answer) bool {
	return a.State == caseforms.NotAnswered && a.Text != ""
}

// cell is one cell of a row being laid out.
type cell struct {
	answer *caseforms.Answer
	text   string
	face   int
	role   role
	scope  scope
	x, w   float64
	muted  bool
	lines  [][]glyph // left to draw; an empty line is a paragraph break
}

func (s *sheet) wrap(c *cell) {
	limit := lineLimit(c.w-2*padX, bodySize)
	c.lines = nil
	if c.text == "" {
		return
	}
	from := len(s.wrapped)
	for para := range strings.SplitAfterSeq(clean(c.text), "\n") {
		g := s.shape(c.face, para)
		for len(g) > 0 {
			n, skip := nextLine(g, limit)
			s.wrapped = append(s.wrapped, g[:n+skip])
			g = g[n+skip:]
		}
	}
	c.lines = s.wrapped[from:len(s.wrapped):len(s.wrapped)]
}

// rowOptions say how a row of cells is drawn.
type rowOptions struct {
	least float64 // height at least, for writing on a blank form
	again func()  // draws the table's head again after a page break
}

// row lays out cells side by side. A row that does not fit on the page goes on the next one; one that fits on no page is split between
// lines, with the labels and the table's head printed again as decoration.
func (s *sheet) row(cells []cell, o rowOptions) {
	longest := 0
	for i := range cells {
		s.wrap(&cells[i])
		longest = max(longest, len(cells[i].lines))
	}
	full := max(float64(max(longest, 1))*bodyLead+2*padY, o.least)
	if s.y+full > s.bottom && s.y > top && (full <= (s.bottom-top)*0.5 || s.y+4*bodyLead > s.bottom) {
		s.newPage()
		if o.again != nil {
			o.again()
		}
	}
	s.push(roleTR)
	tr := s.stack[len(s.stack)-1]
	ids := make([]int32, len(cells))
	for first := true; ; first = false {
		room := int((s.bottom - s.y - 2*padY) / bodyLead)
		n := 0
		for i := range cells {
			n = max(n, min(len(cells[i].lines), room))
		}
		h := float64(max(n, 1))*bodyLead + 2*padY
		if first {
			h = max(h, min(o.least, s.bottom-s.y))
		}
		s.ground(cells, h)
		more := false
		for i := range cells {
			c := &cells[i]
			s.key = ""
			if c.answer != nil {
				s.key = c.answer.Key
			}
			if first {
				s.push(c.role).scope = c.scope
				ids[i] = s.stack[len(s.stack)-1]
			} else {
				s.stack = append(s.stack, ids[i])
			}
			take := min(n, len(c.lines))
			if take > 0 {
				s.begin()
				s.drawLines(c, take)
				s.end()
			} else if c.answer != nil && c.role == roleTD && first && s.fillable(c.answer) {
				s.field(c.answer, -1, c.x+2, s.y+2, c.w-4, min(h-4, fieldHeight(c.answer)))
			} else if !first && c.role == roleTH {
				s.artifact(func() { s.text(regular, smallSize, c.x+padX, s.y+padY+bodySize, "("+s.doc.Words("continued")+")") })
			}
			s.pop()
			c.lines = c.lines[take:]
			more = more || len(c.lines) > 0
		}
		s.y += h
		if !more {
			break
		}
		s.newPage()
		if o.again != nil {
			s.pop()
			o.again()
			s.stack = append(s.stack, tr)
		}
	}
	s.pop()
}

func (s *sheet) drawLines(c *cell, n int) {
	if c.muted {
		s.op("g", 0.35)
	}
	y := s.y + padY + bodySize*1.02
	for _, l := range c.lines[:n] {
		s.draw(c.face, bodySize, c.x+padX, y, l)
		y += bodyLead
	}
	if c.muted {
		s.op("g", 0)
	}
}

// ground draws tints and rules of a row.
func (s *sheet) ground(cells []cell, h float64) {
	s.artifact(func() {
		for _, c := range cells {
			if c.role == roleTH {
				s.fill(c.x, s.y, c.w, h, tint)
			}
		}
		s.op("w", 0.5)
		s.op("G", 0.6)
		end := cells[len(cells)-1].x + cells[len(cells)-1].w
		s.op("re", cells[0].x, s.pageHeight-s.y-h, end-cells[0].x, h)
		for _, c := range cells[1:] {
			s.op("m", c.x, s.pageHeight-s.y)
			s.op("l", c.x, s.pageHeight-s.y-h)
		}
		s.op("S")
	})
}

// writable is the height of an answer on a blank form.
func writable(a *caseforms.Answer) float64 {
	rows := max(1, a.Rows)
	if a.Kind == caseforms.KindRecord || a.Kind == caseforms.KindAddress || a.Kind == caseforms.KindList {
		rows = max(rows, 3) // addresses and the like
	}
	return bodyLead*float64(rows) + 3*padY
}

// shown is what an answer prints in a cell: its text, or on a blank form its boxes. A field shows for itself.
func (s *sheet) shown(a *caseforms.Answer) string {
	if a.Text != "" || s.fillable(a) {
		return a.Text
	}
	return boxText(a)
}

// boxText is the options of a question as a line of tick boxes.
func boxText(a *caseforms.Answer) string {
	var b strings.Builder
	for i, o := range a.Boxes {
		if i > 0 {
			b.WriteString("   ")
		}
		b.WriteString(boxed(o))
	}
	return b.String()
}

func boxed(o caseforms.Box) string {
	// The space does not break: a box stays with its label.
	if o.Ticked {
		return string(boxTicked) + "\u00a0" + o.Label
	}
	return string(boxEmpty) + "\u00a0" + o.Label
}

func (s *sheet) rows(answers []*caseforms.Answer) {
	s.push(roleTable)
	lw := s.textWidth * labelPart
	for _, a := range answers {
		o := rowOptions{}
		if a.Text == "" {
			o.least = writable(a)
		}
		s.row([]cell{
			{answer: a, text: a.Label, face: bold, role: roleTH, scope: scopeRow, x: left, w: lw},
			{answer: a, text: s.shown(a), role: roleTD, x: left + lw, w: s.textWidth - lw, muted: muted(a)},
		}, o)
	}
	s.pop()
	s.y += 6
}

// pairs sets two columns of label and answer side by side, read row by row.
func (s *sheet) pairs(answers []*caseforms.Answer) {
	s.push(roleTable)
	half := s.textWidth / 2
	lw := half * 0.33
	for i := 0; i < len(answers); {
		var cells []cell
		o := rowOptions{}
		put := func(a *caseforms.Answer, x float64) {
			if a.Text == "" {
				o.least = max(o.least, writable(a))
			}
			cells = append(cells,
				cell{answer: a, text: a.Label, face: bold, role: roleTH, scope: scopeRow, x: x, w: lw},
				cell{answer: a, text: s.shown(a), role: roleTD, x: x + lw, w: half - lw, muted: muted(a)})
		}
		a := answers[i]
		i++
		if a.Column == 2 {
			cells = append(cells, cell{role: roleTD, x: left, w: lw}, cell{role: roleTD, x: left + lw, w: half - lw})
			put(a, left+half)
		} else {
			put(a, left)
			if i < len(answers) && answers[i].Column == 2 {
				put(answers[i], left+half)
				i++
			} else {
				cells = append(cells, cell{role: roleTD, x: left + half, w: lw}, cell{role: roleTD, x: left + half + lw, w: half - lw})
			}
		}
		s.row(cells, o)
	}
	s.pop()
	s.y += 6
}

// grid sets short answers side by side under their labels.
func (s *sheet) grid(answers []*caseforms.Answer) {
	s.push(roleTable)
	w := s.textWidth / float64(len(answers))
	var head, body []cell
	o := rowOptions{}
	for i, a := range answers {
		x := left + w*float64(i)
		head = append(head, cell{answer: a, text: a.Label, face: bold, role: roleTH, scope: scopeColumn, x: x, w: w})
		body = append(body, cell{answer: a, text: s.shown(a), role: roleTD, x: x, w: w, muted: muted(a)})
		if a.Text == "" {
			o.least = max(o.least, writable(a))
		}
	}
	s.need(s.gridStart(answers))
	s.row(head, rowOptions{})
	o.again = func() { s.again(head) }
	s.row(body, o)
	s.pop()
	s.y += 6
}

// narrative sets a label above text that may run over pages; a bar at its left holds the text together.
func (s *sheet) narrative(a *caseforms.Answer) {
	s.key = a.Key
	s.need(s.height(bold, bodySize, bodyLead, s.textWidth, a.Label) + 3*bodyLead)
	s.push(roleP)
	s.begin()
	s.lines(bold, bodySize, bodyLead, left, s.textWidth, a.Label)
	s.end()
	s.pop()
	s.y += 1
	switch {
	case s.fillable(a):
		s.wideField(a)
	case a.Text == "":
		s.writingLines(max(3, a.Rows))
	default:
		s.push(roleP)
		s.begin()
		if muted(a) {
			s.op("g", 0.35)
		}
		s.bars(func() { s.lines(regular, bodySize, bodyLead, left+12, s.textWidth-12, a.Text) })
		if muted(a) {
			s.op("g", 0)
		}
		s.end()
		s.pop()
	}
	s.y += 6
}

// bars draws text and then, on every page it came to stand on, a bar beside it.
func (s *sheet) bars(draw func()) {
	from, page := s.y, len(s.pages)
	draw()
	bar := func(y1, y2 float64) []byte {
		b := append([]byte(nil), "/Artifact BMC\n"...)
		b = append(number(append(b, "q "...), tint-0.2), " g "...)
		for _, v := range []float64{left + 2, s.pageHeight - y2, 2.5, y2 - y1} {
			b = append(number(b, v), ' ')
		}
		return append(b, "re f Q\nEMC\n"...)
	}
	// Marked content does not nest, so the bars wait until the text is closed.
	for p := page; p < len(s.pages); p++ {
		s.pages[p] = append(s.pages[p], bar(from, s.bottom)...)
		from = top
	}
	y := s.y
	end := s.open
	if end {
		s.end()
	}
	s.buf = append(s.buf, bar(from, y)...)
	if end {
		s.begin()
	}
}

// wideField is a field across the page.
func (s *sheet) wideField(a *caseforms.Answer) {
	h := fieldHeight(a)
	s.need(h)
	s.push(roleP)
	s.field(a, -1, left, s.y+1, s.textWidth, h)
	s.pop()
	s.y += h + 3
}

func (s *sheet) writingLines(n int) {
	for range n {
		s.need(22)
		s.y += 22
		s.artifact(func() { s.line(left, s.y-2, s.right, s.y-2, 0.5, 0.5) })
	}
}

// ticks sets the boxes of a question in columns.
func (s *sheet) ticks(a *caseforms.Answer) {
	s.key = a.Key
	columns := 2
	widest := 0.0
	for _, b := range a.Boxes {
		widest = max(widest, s.wide(bold, bodySize, boxed(b))) // a ticked one is bold
	}
	switch n := len(a.Boxes); {
	case widest < s.textWidth/3-14 && n != 4:
		columns = min(3, n)
	case widest > s.textWidth/2-14 && n <= 4:
		columns = 1
	}
	// Boxes are read row by row, or as the original prints them: so many in each column.
	at := func(r, c int) int { return r*columns + c }
	per := (len(a.Boxes) + columns - 1) / columns
	if len(a.Columns) > 0 {
		columns, per = len(a.Columns), slices.Max(a.Columns)
		at = func(r, c int) int {
			if r >= a.Columns[c] {
				return len(a.Boxes)
			}
			for _, n := range a.Columns[:c] {
				r += n
			}
			return r
		}
	}
	h := s.height(bold, bodySize, bodyLead, s.textWidth, a.Label)
	choice := s.fillable(a) && a.Kind != caseforms.KindChecks
	if choice {
		per = 2
	}
	s.need(h + min(float64(per), 9)*(bodyLead+2) + 4)
	s.push(roleP)
	s.begin()
	s.lines(bold, bodySize, bodyLead, left, s.textWidth, a.Label)
	s.end()
	s.pop()
	s.y += 1
	if choice {
		s.wideField(a)
		s.y += 6
		return
	}
	s.push(roleL)
	w := s.textWidth / float64(columns)
	for r := range per {
		lowest := bodyLead
		for c := range columns {
			if i := at(r, c); i < len(a.Boxes) {
				f := regular
				if a.Boxes[i].Ticked {
					f = bold
				}
				lowest = max(lowest, s.height(f, bodySize, bodyLead, w-26, a.Boxes[i].Label))
			}
		}
		s.need(lowest + 2)
		y := s.y
		for c := range columns {
			i := at(r, c)
			if i >= len(a.Boxes) {
				continue
			}
			b := a.Boxes[i]
			mark, f := string(boxEmpty), regular
			if b.Ticked {
				mark, f = string(boxTicked), bold
			}
			x := left + w*float64(c) + 4
			s.push(roleLI)
			if s.fillable(a) {
				s.push(roleLbl)
				s.field(a, i, x-1, y+1, 12, 12)
				s.pop()
			}
			s.push(roleLBody)
			s.begin()
			if !s.fillable(a) {
				s.text(regular, bodySize+1, x, y+bodySize*1.02, mark)
			}
			s.y = y
			s.lines(f, bodySize, bodyLead, x+16, w-26, b.Label)
			s.end()
			s.pop()
			s.pop()
		}
		s.y = y + lowest + 2
	}
	s.pop()
	s.y += 6
}

// columns are the widths of a table's columns: their shares, but none so narrow that a word in it has to be broken while another column
// has room to give.
func (s *sheet) columns(t *caseforms.Table) []float64 {
	if ws := s.widths[t]; ws != nil {
		return ws
	}
	n := len(t.Columns)
	out, least := make([]float64, n), make([]float64, n)
	total := 0
	for _, c := range t.Columns {
		total += c.Width
	}
	for i, c := range t.Columns {
		out[i] = s.textWidth * float64(c.Width) / float64(total)
		least[i] = s.widestWord(bold, c.Label)
	}
	for i := range t.Rows {
		for j := range t.Rows[i].Cells {
			least[j] = max(least[j], s.widestWord(regular, s.shown(&t.Rows[i].Cells[j])))
		}
	}
	var missing, spare float64
	for i := range out {
		least[i] = min(least[i]+2*padX+1, s.textWidth*0.4)
		missing += max(0, least[i]-out[i])
		spare += max(0, out[i]-least[i])
	}
	give := min(1, missing/max(spare, 1))
	take := min(1, spare/max(missing, 1))
	for i := range out {
		if d := out[i] - least[i]; d > 0 {
			out[i] -= d * give
		} else {
			out[i] -= d * take
		}
	}
	if s.widths == nil {
		s.widths = map[*caseforms.Table][]float64{}
	}
	s.widths[t] = out
	return out
}

func (s *sheet) widestWord(f int, text string) float64 {
	w, n := 0, 0
	for _, g := range s.shape(f, clean(text)) {
		if n += int(g.adv); g.r == ' ' {
			n = 0
		} else if w = max(w, n); breakAfter(g.r) {
			n = 0
		}
	}
	return float64(w) * bodySize / 1000
}

func (s *sheet) headCells(t *caseforms.Table, ws []float64) []cell {
	cells := make([]cell, len(ws))
	x := left
	for i, w := range ws {
		cells[i] = cell{text: t.Columns[i].Label, face: bold, role: roleTH, scope: scopeColumn, x: x, w: w}
		x += w
	}
	return cells
}

// tableHead is the height of a table's head.
func (s *sheet) tableHead(t *caseforms.Table, ws []float64) float64 {
	cells := s.headCells(t, ws)
	return s.headHeight(cells)
}

func (s *sheet) headHeight(cells []cell) float64 {
	n := 1
	for i := range cells {
		s.wrap(&cells[i])
		n = max(n, len(cells[i].lines))
	}
	return float64(n)*bodyLead + 2*padY
}

// again draws a head row on a further page, as decoration.
func (s *sheet) again(cells []cell) {
	h := s.headHeight(cells)
	s.ground(cells, h)
	s.artifact(func() {
		for i := range cells {
			s.drawLines(&cells[i], len(cells[i].lines))
		}
	})
	s.y += h
}

func (s *sheet) table(b *block) {
	t := b.table
	ws := s.columns(t)
	s.key = t.Key
	s.need(s.tableStart(b))
	if b.text != "" {
		s.push(roleP)
		s.begin()
		s.lines(bold, bodySize, bodyLead, left, s.textWidth, b.text)
		s.end()
		s.pop()
		s.y += 2
	}
	s.push(roleTable)
	s.row(s.headCells(t, ws), rowOptions{})
	for i := range t.Rows {
		r := &t.Rows[i]
		cells := make([]cell, len(ws))
		x := left
		o := rowOptions{again: func() { s.again(s.headCells(t, ws)) }}
		for j := range r.Cells {
			a := &r.Cells[j]
			cells[j] = cell{answer: a, text: s.shown(a), role: roleTD, x: x, w: ws[j], muted: muted(a)}
			x += ws[j]
			if a.Text == "" {
				o.least = max(o.least, writable(a)+8)
			}
		}
		s.row(cells, o)
	}
	s.pop()
	s.y += 6
}

// letter sets running text; the answers in it are bold, on a blank form a line to write on.
func (s *sheet) letter(runs []caseforms.Run) {
	s.need(3 * bodyLead)
	type styled struct {
		glyph
		face int
	}
	var all []styled
	for _, r := range runs {
		t, f := r.Text, regular
		if r.Answer != nil {
			s.key = r.Answer.Key
			t, f = r.Answer.Text, bold
			if t == "" {
				t, f = strings.Repeat("_", 26), regular
			}
		}
		for _, g := range s.shape(f, strings.ReplaceAll(clean(t), "\n", " ")) {
			all = append(all, styled{g, f})
		}
	}
	s.push(roleP)
	s.begin()
	plain := make([]glyph, len(all))
	for i := range all {
		plain[i] = all[i].glyph
	}
	limit := lineLimit(s.textWidth, bodySize)
	for at := 0; at < len(all); {
		n, skip := nextLine(plain[at:], limit)
		if s.y+bodyLead > s.bottom {
			s.newPage()
		}
		x := left
		for i := at; i < at+n+skip; {
			j := i
			for j < at+n+skip && all[j].face == all[i].face {
				j++
			}
			s.draw(all[i].face, bodySize, x, s.y+bodySize*1.02, plain[i:j])
			x += width(plain[i:j], bodySize)
			i = j
		}
		s.y += bodyLead
		at += n + skip
	}
	s.end()
	s.pop()
	s.y += 8
}

// signature sets who signs and when, with room to sign by hand on a blank form.
func (s *sheet) signature(answers []*caseforms.Answer) {
	s.need(s.signatureHeight(answers))
	s.rows(answers)
}

// signatureHeight is the room for signing, which is not divided between pages.
func (s *sheet) signatureHeight(answers []*caseforms.Answer) float64 {
	h := 0.0
	for _, a := range answers {
		if a.Text == "" {
			h += writable(a)
		} else {
			h += s.rowStart([]string{a.Label, a.Text}, []float64{s.textWidth * labelPart, s.textWidth * (1 - labelPart)})
		}
	}
	return h
}
