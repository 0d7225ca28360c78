// Package render writes a filled form as a file: PDF, workbook, HTML, text or JSON. It knows documents, not forms: what a form asks and
// in which order is settled before it gets here.
//
// All writers walk the same blocks, made from the document in one place, so that no output can show what another leaves out. No value
// is ever cut off: rows grow, tables go on over pages, and a letter that no embedded font has is marked and reported.
//
// The same document gives the same bytes in every process and on every machine that runs the same binary. A sealed file is the exception:
// its keys are random, and no two files have any in common.
package render

import (
	"crypto/sha256"
	"io"
	"slices"
	"strings"

	"caseforms"
)

// Format is a kind of output file.
type Format string

const (
	FormatPDF      Format = "pdf"
	FormatWorkbook Format = "xlsx"
	FormatHTML     Format = "html"
	FormatText     Format = "txt"
	FormatJSON     Format = "json"
)

// Formats are all formats there are.
var Formats = []Format{FormatPDF, FormatWorkbook, FormatHTML, FormatText, FormatJSON}

// Report tells what the reader of a file should know about how it came out.
type Report struct {
	Pages   int               // of a PDF
	Sum     [sha256.Size]byte // SHA-256 of a PDF as it was written; zero of another format
	Missing []Glyph           // letters that could not be printed and are marked in the file

	// Sections are, of a PDF, the pages from 1 on which the sections begin, by their titles without a colon at the end; of two with the same title the first.
	Sections map[string]int
}

// Glyph is a letter no embedded font has, and the answer it stands in.
type Glyph struct {
	Rune rune
	Key  string
}

// Profile is what a file is made for. Only a PDF knows the difference between archive and reply; a workbook can be sealed as well, and
// the other formats cannot.
type Profile string

const (
	ProfileArchive Profile = "archive" // to be kept: PDF/A-3a
	ProfileReply   Profile = "reply"   // what the recipient fills in is a form; else as the archive profile
	ProfileSecure  Profile = "secure"  // sealed with a password; else as the reply profile
)

// Options say how a document is written.
type Options struct {
	Profile    Profile            // "" is archive
	colourless bool               // for tests: without the output intent, with which poppler takes ten times as long to walk through the structure
	seen       func(kind, []byte) // for the test that finds the codes: streams as they are before they are compressed
	Password   string             `json:"-"` // of the secure profile, and of no other; see Check
}

// String and GoString keep the password out of what is logged.
func (o Options) String() string   { return "profile " + string(o.Profile) }
func (o Options) GoString() string { return o.String() }

// Write writes the document in a format.
func Write(w io.Writer, doc *caseforms.Document, format Format, o Options) (Report, error) {
	if !slices.Contains(Formats, format) {
		return Report{}, &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is no format " + string(format), Hint: "pdf, xlsx, html, txt or json"}
	}
	switch format {
	case FormatPDF:
		return PDF(w, doc, o)
	case FormatWorkbook:
		return Report{}, Workbook(w, doc, o)
	}
	if err := o.Check(format); err != nil {
		return Report{}, err
	}
	switch format {
	case FormatHTML:
		return Report{}, HTML(w, doc)
	case FormatText:
		return Report{}, Text(w, doc)
	}
	return Report{}, JSON(w, doc)
}

// notice is what a document says of itself on every page: that it is a draft, which copy it is.
func notice(d *caseforms.Document) string {
	switch {
	case d.Draft && d.Notice != "":
		return d.Words("draft_notice") + " · " + d.Notice
	case d.Draft:
		return d.Words("draft_notice")
	}
	return d.Notice
}

// version says which version of a form a document is. A report is none.
func version(d *caseforms.Document) string {
	if d.Version == "" {
		return ""
	}
	return d.Words("version") + " " + d.Version
}

// about says in one line which document it is.
func about(d *caseforms.Document) string {
	if d.Blank {
		return version(d)
	}
	return strings.Trim(reference(d)+" · "+version(d), " ·")
}

// blockKind says what a block is. It is all a writer goes by.
type blockKind uint8

const (
	blockHeading   blockKind = iota // text, level 2 or 3
	blockPara                       // text
	blockNote                       // text in small weight: questions without an answer
	blockBanner                     // answers[0], what must be seen first
	blockRows                       // answers, label beside answer
	blockPairs                      // answers, by column
	blockGrid                       // answers side by side under their labels
	blockNarrative                  // answers[0], label above, text across the page
	blockTicks                      // answers[0], boxes side by side
	blockTable                      // table
	blockLetter                     // runs
	blockSignature                  // answers
	blockChart                      // chart, text its caption
)

type block struct {
	kind    blockKind
	level   int
	whole   bool // of a heading: what follows it is not divided between pages if it can be helped
	text    string
	key     string
	answers []*caseforms.Answer
	table   *caseforms.Table
	runs    []caseforms.Run
	chart   *caseforms.Chart
}

// blocks lays a document out as a sequence of blocks, without any measure.
func blocks(doc *caseforms.Document) []block {
	var out []block
	var empty []*caseforms.Answer
	for i := range doc.Sections {
		s := &doc.Sections[i]
		if s.Layout == caseforms.LayoutReply {
			out = append(out, notes(empty)...) // what the recipient fills in comes last
			empty = nil
		}
		if s.Empty() {
			if len(s.Folded) > 0 {
				empty = append(empty, &caseforms.Answer{Label: s.Title, Text: s.Folded[0].Text})
			}
			continue
		}
		if s.Title != "" {
			out = append(out, block{kind: blockHeading, level: 2, text: s.Title, key: s.Key, whole: s.Layout == caseforms.LayoutReply})
		}
		if s.Intro != "" {
			out = append(out, block{kind: blockPara, text: s.Intro})
		}
		for _, p := range s.Parts {
			switch {
			case p.Letter != nil:
				out = append(out, block{kind: blockLetter, runs: p.Letter})
			case p.Table != nil:
				out = append(out, tableBlocks(s, p.Table)...)
			case p.Chart != nil:
				out = append(out, chartBlock(doc, s, p.Chart))
			default:
				out = appendAnswer(out, s, p.Answer)
			}
		}
		out = append(out, notes(s.Folded)...)
	}
	out = append(out, notes(empty)...)
	last := 1
	for i := range out {
		if out[i].kind == blockHeading {
			out[i].level = min(out[i].level, last+1) // cards in a section without a title; headings go down by one step
			last = out[i].level
		}
	}
	return out
}

// notes name the questions that have no answer, one line for each thing that is said of them.
func notes(folded []*caseforms.Answer) (out []block) {
	labels := map[string][]string{}
	var texts []string
	for _, a := range folded {
		if labels[a.Text] == nil {
			texts = append(texts, a.Text)
		}
		labels[a.Text] = append(labels[a.Text], a.Label)
	}
	for _, t := range texts {
		out = append(out, block{kind: blockNote, text: t + ": " + strings.Join(labels[t], "; ")})
	}
	return out
}

// appendAnswer puts an answer into the block it belongs to: the one before it, when both are of the same kind.
func appendAnswer(out []block, s *caseforms.DocSection, a *caseforms.Answer) []block {
	kind := blockRows
	switch {
	case a.Layout == caseforms.LayoutBanner:
		kind = blockBanner
	case a.Layout == caseforms.LayoutGrid:
		kind = blockGrid
	case a.Layout == caseforms.LayoutRows:
	case s.Layout == caseforms.LayoutPairs:
		kind = blockPairs
	case s.Layout == caseforms.LayoutSignature:
		kind = blockSignature
		if a.Text == "" {
			line := *a // signed by hand: room to write, not boxes
			line.Boxes, line.Rows = nil, max(2, a.Rows)
			a = &line
		}
	case len(a.Boxes) > 4 && a.Text == "":
		kind = blockTicks
	case a.Kind == caseforms.KindChecks && (a.State == caseforms.Answered || a.Text == ""):
		kind = blockTicks
	case a.Layout == caseforms.LayoutNarrative, a.Kind == caseforms.KindLongText:
		kind = blockNarrative
	}
	if n := len(out) - 1; n >= 0 && out[n].kind == kind && slices.Contains([]blockKind{blockRows, blockPairs, blockGrid, blockSignature}, kind) {
		out[n].answers = append(out[n].answers, a)
		return out
	}
	return append(out, block{kind: kind, answers: []*caseforms.Answer{a}})
}

// chartBlock is a chart with its caption, which is that of a section as it is of a table.
func chartBlock(doc *caseforms.Document, s *caseforms.DocSection, c *caseforms.Chart) block {
	if len(c.Groups) == 0 {
		return block{kind: blockNote, text: c.Label + ": " + doc.Words("access_nothing")}
	}
	b := block{kind: blockChart, chart: c, text: c.Label}
	if c.Label == s.Title {
		b.text = ""
	}
	return b
}

// tableBlocks are the blocks of a repeating part. Its label is a caption of its own unless the section's title says the same.
func tableBlocks(s *caseforms.DocSection, t *caseforms.Table) []block {
	if t.None != nil {
		return []block{{kind: blockRows, answers: []*caseforms.Answer{t.None}}}
	}
	if t.Layout != caseforms.LayoutCards {
		b := block{kind: blockTable, table: t, text: t.Label}
		if t.Label == s.Title {
			b.text = ""
		}
		return []block{b}
	}
	var out []block
	for i := range t.Rows {
		r := &t.Rows[i]
		out = append(out, block{kind: blockHeading, level: 3, text: r.Heading, key: r.Key})
		sec := &caseforms.DocSection{Layout: caseforms.LayoutRows}
		for j := range r.Cells {
			out = appendAnswer(out, sec, &r.Cells[j])
		}
		out = append(out, notes(r.Folded)...)
	}
	return out
}
