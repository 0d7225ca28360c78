package render

import (
	"bufio"
	_ "embed"
	"html"
	"io"
	"strconv"
	"strings"

	"caseforms"
)

//go:embed page.css
var pageCSS string

// HTML writes the document as one page that needs nothing beside it: no script, no outside file. Headings, tables and lists are marked up
// as what they are.
func HTML(w io.Writer, doc *caseforms.Document) error {
	if err := checkCharts(doc); err != nil {
		return err
	}
	h := &htmlWriter{w: bufio.NewWriter(w), doc: doc}
	h.raw("<!DOCTYPE html>\n<html lang=\"", html.EscapeString(doc.Lang), "\">\n<head>\n<meta charset=\"utf-8\">\n")
	h.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>", esc(doc.Title), "</title>\n<style>\n", pageCSS, "</style>\n</head>\n<body>\n")
	h.raw("<header>\n")
	h.el("p", "marking", doc.Marking)
	if t := notice(doc); t != "" {
		h.el("p", "draft", t)
	}
	h.raw("</header>\n<main>\n")
	h.el("h1", "", doc.Title)
	if doc.Subtitle != "" {
		h.el("p", "about", doc.Subtitle)
	}
	if t := about(doc); t != "" {
		h.el("p", "about", t)
	}
	for _, b := range blocks(doc) {
		h.block(&b)
	}
	h.raw("</main>\n<footer>\n")
	h.el("p", "marking", doc.Marking)
	h.raw("</footer>\n</body>\n</html>\n")
	return h.w.Flush()
}

type htmlWriter struct {
	w     *bufio.Writer
	doc   *caseforms.Document
	heads int
	drawn int // charts
}

func esc(s string) string { return html.EscapeString(clean(s)) }

// dir lets the browser find the direction of an answer that has words written from the right, apart from the text around it.
func dir(s string) string {
	if rightToLeft(s) {
		return ` dir="auto"`
	}
	return ""
}

func (h *htmlWriter) raw(parts ...string) {
	for _, p := range parts {
		h.w.WriteString(p)
	}
}

func (h *htmlWriter) el(name, class, text string) {
	h.raw("<", name)
	if class != "" {
		h.raw(` class="`, class, `"`)
	}
	h.raw(dir(text), ">", esc(text), "</", name, ">\n")
}

func (h *htmlWriter) block(b *block) {
	switch b.kind {
	case blockHeading:
		h.heads++
		l := strconv.Itoa(b.level)
		h.raw("<h", l, ` id="s`, strconv.Itoa(h.heads), `"`, dir(b.text), ">", esc(b.text), "</h", l, ">\n")
	case blockPara:
		h.el("p", "", b.text)
	case blockNote:
		h.el("p", "none", b.text)
	case blockBanner:
		a := b.answers[0]
		if a.Text == "" {
			h.ticks(a)
			return
		}
		h.raw(`<div class="banner"><span>`, esc(a.Label), "</span> <strong", dir(a.Text), ">", esc(a.Text), "</strong></div>\n")
	case blockRows, blockSignature:
		h.raw("<table>\n")
		for _, a := range b.answers {
			h.raw(`<tr><th scope="row">`, esc(a.Label), "</th>")
			h.td(a)
			h.raw("</tr>\n")
		}
		h.raw("</table>\n")
	case blockPairs:
		h.pairs(b.answers)
	case blockGrid:
		h.raw("<table>\n<tr>")
		for _, a := range b.answers {
			h.raw(`<th scope="col">`, esc(a.Label), "</th>")
		}
		h.raw("</tr>\n<tr>")
		for _, a := range b.answers {
			h.td(a)
		}
		h.raw("</tr>\n</table>\n")
	case blockNarrative:
		a := b.answers[0]
		h.el("p", "label", a.Label)
		if a.Text == "" {
			for range max(3, a.Rows) {
				h.raw("<span class=\"blank\"></span>\n")
			}
			return
		}
		class := "text"
		if muted(a) {
			class += " none"
		}
		h.el("p", class, a.Text)
	case blockTicks:
		h.ticks(b.answers[0])
	case blockTable:
		h.table(b)
	case blockChart:
		h.chart(b)
	case blockLetter:
		h.raw("<p>")
		for _, r := range b.runs {
			switch {
			case r.Answer == nil:
				h.raw(esc(r.Text))
			case r.Answer.Text == "":
				h.raw(strings.Repeat("_", 26))
			default:
				h.raw("<strong", dir(r.Answer.Text), ">", esc(r.Answer.Text), "</strong>")
			}
		}
		h.raw("</p>\n")
	}
}

func (h *htmlWriter) td(a *caseforms.Answer) {
	switch {
	case a.Text == "":
		h.raw("<td>", esc(boxText(a)), "</td>")
	case muted(a):
		h.raw(`<td class="none"`, dir(a.Text), ">", esc(a.Text), "</td>")
	default:
		h.raw("<td", dir(a.Text), ">", esc(a.Text), "</td>")
	}
}

func (h *htmlWriter) pairs(answers []*caseforms.Answer) {
	h.raw("<table class=\"pairs\">\n")
	put := func(a *caseforms.Answer) {
		h.raw(`<th scope="row">`, esc(a.Label), "</th>")
		h.td(a)
	}
	for i := 0; i < len(answers); {
		h.raw("<tr>")
		if answers[i].Column == 2 {
			h.raw("<td></td><td></td>")
			put(answers[i])
			i++
		} else {
			put(answers[i])
			i++
			if i < len(answers) && answers[i].Column == 2 {
				put(answers[i])
				i++
			} else {
				h.raw("<td></td><td></td>")
			}
		}
		h.raw("</tr>\n")
	}
	h.raw("</table>\n")
}

func (h *htmlWriter) ticks(a *caseforms.Answer) {
	h.el("p", "label", a.Label)
	h.raw("<ul class=\"ticks\">\n")
	for _, b := range a.Boxes {
		mark, word, class := string(boxEmpty), "not_ticked", ""
		if b.Ticked {
			mark, word, class = string(boxTicked), "ticked", ` class="ticked"`
		}
		h.raw("<li", class, `><span aria-hidden="true">`, mark, `</span><span class="hidden">`, esc(h.doc.Words(word)), ": </span> ", esc(b.Label), "</li>\n")
	}
	h.raw("</ul>\n")
}

func (h *htmlWriter) table(b *block) {
	t := b.table
	h.raw("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"", esc(t.Label), "\">\n<table>\n")
	if b.text != "" {
		h.raw("<caption>", esc(b.text), "</caption>\n")
	}
	h.raw("<tr>")
	for _, c := range t.Columns {
		h.raw(`<th scope="col">`, esc(c.Label), "</th>")
	}
	h.raw("</tr>\n")
	for i := range t.Rows {
		h.raw("<tr>")
		for j := range t.Rows[i].Cells {
			h.td(&t.Rows[i].Cells[j])
		}
		h.raw("</tr>\n")
	}
	h.raw("</table>\n</div>\n")
}

// Measures of a chart on the screen: it is drawn for the width of the page and gets smaller or larger with it.
const (
	svgWidth = 856
	svgInk   = "#1a4261"
	svgSize  = 16 // of its letters
	svgLead  = 20
	svgPitch = 18
	svgGap   = 12
	svgSpace = 8
	svgBar   = svgPitch - 3

	swatchWidth = 32 // of a bar in the legend
)

// svgWide is the width of text at most.
func svgWide(s string) int {
	n := 0
	for _, r := range s {
		n += units(r)
	}
	return n*svgSize*570/1_000_000 + 1
}

// svgLines is text in lines of a width.
func svgLines(s string, w int) []string { return lines(oneLine(s), float64(w)/(svgSize*0.57)) }

// chart draws a chart. Who does not see it is told the numbers.
func (h *htmlWriter) chart(b *block) {
	c := b.chart
	h.drawn++
	id := "c" + strconv.Itoa(h.drawn)
	label, value := 0, 0
	for _, g := range c.Groups {
		label = max(label, svgWide(oneLine(g.Label))*11/10)
		for _, v := range g.Values {
			value = max(value, svgWide(count(v)))
		}
	}
	label = min(label, svgWidth*2/5)
	axis := label + svgSpace
	full := float64(svgWidth - axis - svgSpace - value)
	longest := most(c)

	var s strings.Builder
	put := func(parts ...any) {
		for _, p := range parts {
			switch p := p.(type) {
			case string:
				s.WriteString(p)
			case int:
				s.WriteString(strconv.Itoa(p))
			case float64:
				s.WriteString(strconv.FormatFloat(p, 'f', 1, 64))
			}
		}
	}
	text := func(x any, y int, t string) { // with the middle of its letters at y
		put(`<text x="`, x, `" y="`, y+svgSize*36/100, `">`, esc(strings.TrimRight(t, " ")), "</text>\n")
	}
	bar := func(series, x, y int, w float64) {
		fill := "#fff"
		if series == fullBar {
			fill = svgInk
		}
		put(`<rect x="`, x, `" y="`, y, `" width="`, w, `" height="`, svgBar, `" fill="`, fill, `" stroke="`+svgInk+`" stroke-width="1.5"/>`, "\n")
		if series == hatchedBar {
			put(`<path stroke="` + svgInk + `" stroke-width="1.5" d="`)
			hatch(w, svgBar, 6, func(x1, y1, x2, y2 float64) {
				put("M", float64(x)+x1, " ", float64(y+svgBar)-y1, "L", float64(x)+x2, " ", float64(y+svgBar)-y2)
			})
			put(`"/>`, "\n")
		}
	}
	y := 2
	if len(c.Series) > 1 {
		x := 1
		for i, name := range c.Series {
			ls := svgLines(name, svgWidth-swatchWidth-svgSpace)
			w := swatchWidth + svgSpace + svgWide(oneLine(name)) + 24
			if x > 1 && x+w > svgWidth+24 {
				x = 1
				y += svgLead + 4
			}
			bar(i, x, y, swatchWidth)
			for j, l := range ls {
				if j > 0 {
					y += svgLead
				}
				text(x+swatchWidth+svgSpace, y+svgBar/2, l)
			}
			x += w
		}
		y += svgLead + svgGap
	}
	begin := max(0, y-svgGap/2)
	for _, g := range c.Groups {
		ls := svgLines(g.Label, label)
		bars := len(c.Series) * svgPitch
		inner := max(bars, len(ls)*svgLead)
		at := y + (inner-len(ls)*svgLead)/2
		for _, l := range ls {
			text(0, at+svgLead/2, l)
			at += svgLead
		}
		at = y + (inner-bars)/2
		for i, v := range g.Values {
			w := barLength(v, longest, full, 1)
			if v > 0 {
				bar(i, axis, at, w)
			}
			text(float64(axis)+w+svgSpace, at+svgBar/2, count(v))
			at += svgPitch
		}
		y += inner + svgGap
	}
	put(`<path stroke="#0b0c0c" stroke-width="1.5" d="M`, axis, " ", begin, "V", y-svgGap/2, "\"/>\n")

	h.raw("<figure>\n")
	if b.text != "" {
		h.el("figcaption", "", b.text)
	}
	h.raw(`<div class="wide" tabindex="0" role="region" aria-label="`, esc(c.Label), "\">\n")
	h.raw(`<svg class="chart" role="img" aria-labelledby="`, id, `t" aria-describedby="`, id, `d" font-size="`, strconv.Itoa(svgSize), `" viewBox="0 0 `, strconv.Itoa(svgWidth), " ", strconv.Itoa(y), "\">\n")
	h.raw(`<title id="`, id, `t">`, esc(c.Label), "</title>\n", `<desc id="`, id, `d">`, esc(inWords(c, c.Groups)), "</desc>\n")
	h.raw(s.String(), "</svg>\n</div>\n</figure>\n")
}
