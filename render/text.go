package render

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"caseforms"
)

// textColumns is the width of plain text; a longer word stands on a line of its own, whole.
const textColumns = 78

// Text writes the document as plain text in UTF-8.
func Text(w io.Writer, doc *caseforms.Document) error {
	if err := checkCharts(doc); err != nil {
		return err
	}
	t := &textWriter{w: bufio.NewWriter(w), doc: doc}
	t.line(doc.Marking)
	if n := notice(doc); n != "" {
		t.line(n)
	}
	t.line("")
	t.wrap("", "", doc.Title)
	if doc.Subtitle != "" {
		t.wrap("", "", doc.Subtitle)
	}
	if v := version(doc); v != "" {
		t.line(v)
	}
	if r := reference(doc); r != "" && !doc.Blank {
		t.line(r)
	}
	for _, b := range blocks(doc) {
		t.block(&b)
	}
	t.line("")
	t.line(doc.Marking)
	return t.w.Flush()
}

// reference is the printed reference of the document. A report without one has nothing to say of it.
func reference(doc *caseforms.Document) string {
	if doc.Ref == "" && doc.Version == "" {
		return ""
	}
	if doc.Ref == "" {
		return doc.Words("reference") + ": " + doc.Words("not_issued")
	}
	if doc.Issue > 1 {
		return doc.Words("reference") + ": " + doc.Ref + ", " + doc.Words("issue") + " " + strconv.Itoa(doc.Issue)
	}
	return doc.Words("reference") + ": " + doc.Ref
}

type textWriter struct {
	w   *bufio.Writer
	doc *caseforms.Document
}

func (t *textWriter) line(s string) {
	t.w.WriteString(strings.TrimRight(s, " "))
	t.w.WriteByte('\n')
}

// wrap writes text in lines; the first begins with first, the others with rest.
func (t *textWriter) wrap(first, rest, s string) {
	for para := range strings.SplitSeq(clean(s), "\n") {
		line := first
		empty := true
		for word := range strings.SplitSeq(para, " ") {
			if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > textColumns {
				t.line(line)
				line, empty = rest, true
			}
			if !empty {
				line += " "
			}
			line += word
			empty = false
		}
		t.line(line)
		first = rest
	}
}

func (t *textWriter) block(b *block) {
	switch b.kind {
	case blockHeading:
		t.line("")
		t.wrap("", "", b.text)
		if b.level == 2 {
			t.line(strings.Repeat("=", min(textColumns, utf8.RuneCountInString(b.text))))
		} else {
			t.line(strings.Repeat("-", min(textColumns, utf8.RuneCountInString(b.text))))
		}
	case blockPara, blockNote:
		t.wrap("", "", b.text)
	case blockTable:
		if b.text != "" {
			t.line("")
			t.wrap("", "", b.text)
		}
		for i := range b.table.Rows {
			for j := range b.table.Rows[i].Cells {
				a := b.table.Rows[i].Cells[j]
				if a.Label == "" {
					a.Label = b.table.Columns[j].Label // as it stands at the head of the column
				}
				mark := "    "
				if j == 0 {
					mark = "  * "
				}
				t.answer(mark, "      ", &a)
			}
		}
	case blockChart:
		t.chart(b)
	case blockLetter:
		t.line("")
		t.wrap("", "", letterText(b.runs))
		t.line("")
	case blockNarrative, blockBanner:
		t.line("")
		t.wrap("", "", b.answers[0].Label)
		t.value("  ", b.answers[0])
	case blockTicks:
		t.wrap("", "", b.answers[0].Label)
		for _, o := range b.answers[0].Boxes {
			t.wrap("  ", "    ", boxed(o))
		}
	case blockPairs:
		// one column after the other, so that each address and telephone stands under its own head
		for _, column := range []int{1, 2} {
			for _, a := range b.answers {
				if a.Column == column || column == 1 && a.Column == 0 {
					t.answer("", "    ", a)
				}
			}
		}
	default:
		for _, a := range b.answers {
			t.answer("", "    ", a)
		}
	}
}

// letterText is a letter in one piece, with a line to write on where an answer is left open.
func letterText(runs []caseforms.Run) string {
	var s strings.Builder
	for _, r := range runs {
		switch {
		case r.Answer == nil:
			s.WriteString(r.Text)
		case r.Answer.Text == "":
			s.WriteString(strings.Repeat("_", 26))
		default:
			s.WriteString(strings.ReplaceAll(r.Answer.Text, "\n", " "))
		}
	}
	return s.String()
}

func (t *textWriter) answer(first, rest string, a *caseforms.Answer) {
	label := strings.TrimRight(a.Label, " :") + ": "
	if strings.HasSuffix(a.Label, "?") {
		label = a.Label + " "
	}
	text := a.Text
	if text == "" {
		text = boxText(a)
	}
	if text == "" {
		text = strings.Repeat("_", 30)
	}
	t.wrap(first, rest, label+text)
}

func (t *textWriter) value(indent string, a *caseforms.Answer) {
	if a.Text != "" {
		t.wrap(indent, indent, a.Text)
		return
	}
	if len(a.Boxes) > 0 {
		for _, o := range a.Boxes {
			t.wrap(indent, indent+"  ", boxed(o))
		}
		return
	}
	for range max(3, a.Rows) {
		t.line(indent + strings.Repeat("_", textColumns-len(indent)))
	}
}

// chart draws bars of signs, each behind its number. Names that have room stand in the same line.
func (t *textWriter) chart(b *block) {
	c := b.chart
	t.line("")
	if b.text != "" {
		t.wrap("", "", b.text)
	}
	longest := most(c)
	number := utf8.RuneCountInString(count(longest))
	name := 0
	names := c.Series
	if len(c.Series) == 1 {
		names = nil
		for _, g := range c.Groups {
			names = append(names, g.Label)
		}
	}
	for _, s := range names {
		name = max(name, utf8.RuneCountInString(oneLine(s)))
	}
	line := func(indent, s string, v int) {
		s = oneLine(s)
		if name > textColumns/2 {
			t.wrap(indent, indent, s)
			s = ""
		}
		if name <= textColumns/2 {
			s += strings.Repeat(" ", name-utf8.RuneCountInString(s)+2)
		}
		n := count(v)
		line := indent + s + strings.Repeat(" ", number-len(n)) + n + " "
		t.line(line + strings.Repeat("#", int(barLength(v, longest, float64(textColumns-utf8.RuneCountInString(line)), 1))))
	}
	for _, g := range c.Groups {
		if len(c.Series) == 1 {
			line("  ", g.Label, g.Values[0])
			continue
		}
		t.wrap("  ", "  ", oneLine(g.Label))
		for i, v := range g.Values {
			line("    ", c.Series[i], v)
		}
	}
}
