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
	about := doc.Words("version") + " " + doc.Version
	if !doc.Blank {
		about = reference(doc) + " · " + about
	}
	h.el("p", "about", about)
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
