package caseforms

import (
	"fmt"
	"slices"
	"strings"
)

// Document is a form filled from a case, or a report that is no form (see [Definitions.NewReport]): sections and answers with their states, in printed order, without coordinates. Every output
// is written from it, and nothing that is not in it is in any output.
type Document struct {
	Form    string // id
	Version string // empty: a report. It is no version of a form and is never issued, and says neither
	// Definition is the SHA-256 of the definition it was filled by, see [Form].
	Definition string
	Date       Date // the document's own date, else the day it was filled
	Area       string
	Lang       string // BCP 47: "en-GB" or "cy"
	Title      string
	Subtitle   string
	Marking    string
	Notice     string // says which copy it is, where it may be told: "Own file – not to be shared"
	Ref        string // empty: the document was not recorded and prints "not issued"
	Issue      int    // from 2 on it is printed beside the reference, so that an earlier one can be told from it
	Copy       string
	For        string // of several addressees the one it is for, by name; "" is none in particular. It is for whoever sends it and is not printed
	Draft      bool
	Blank      bool // the empty printable form
	Landscape  bool // printed on the long side of the paper: for tables with many columns
	Sections   []DocSection
	Words      func(key string) string // fixed words in the document's language

	// LeftOut are the answers this copy withholds. No writer prints them; they are for whoever makes the copy.
	LeftOut []LeftOut
}

// ReportForm stands in the place of a form's id in a report.
const ReportForm = "report"

const outsideForms = "OFFICIAL-SENSITIVE" // the marking of what no form has a marking for

// NewReport is a document to be filled with figures or lists, in the language of the definitions. It has no date; who makes it puts that and
// the sections in.
func (d *Definitions) NewReport(title string) *Document {
	doc := &Document{Form: ReportForm, Area: d.Area, Lang: "en-GB", Title: title, Marking: outsideForms, Words: d.Word}
	if d.Lang == "cy" {
		doc.Lang = "cy"
	}
	return doc
}

// DocSection is a printed section.
type DocSection struct {
	Key    string
	Title  string
	Intro  string
	Layout Layout
	Parts  []Part
	Folded []*Answer // optional questions without an answer, printed as one line that names them
}

// Empty tells whether nothing in the section is answered, so that it is named in the closing line and has no heading of its own.
func (s *DocSection) Empty() bool { return len(s.Parts) == 0 }

// Part is one thing in a section: exactly one of the four is set.
type Part struct {
	Answer *Answer
	Table  *Table
	Letter []Run
	Chart  *Chart
}

// Chart is figures as bars: groups one below the other and in each of them a bar for every series, with its number. All bars are of one
// scale, from zero. A page of a PDF has room for some twenty groups; up to forty can be read on a sheet of a workbook.
type Chart struct {
	Key    string
	Label  string     // the caption
	Alt    string     // what there is to see, for those who cannot see it: "More were made each month". Writers add the numbers to it
	Series []string   // what is counted, one to three: "made", "answered"
	Groups []BarGroup // in printed order. With none of them the document says that there is nothing to show
}

// BarGroup is one place on a chart's axis.
type BarGroup struct {
	Label  string // "January 2026"
	Values []int  // one for each series, none below zero
}

// maxSeries is how many kinds of bar can be told apart without colour.
const maxSeries = 3

// Check tells why a chart cannot be written. The error is an internal one: whoever makes a chart sees to it that it can be.
func (c *Chart) Check() error {
	fail := func(format string, args ...any) error {
		return &Error{Kind: Internal, Op: "chart", Msg: fmt.Sprintf(format, args...)}
	}
	switch blank := func(s string) bool { return strings.TrimSpace(s) == "" }; {
	case blank(c.Label):
		return fail("a chart has no caption")
	case blank(c.Alt):
		return fail("the chart %q does not say in words what it shows", c.Label)
	case len(c.Series) == 0 || len(c.Series) > maxSeries:
		return fail("the chart %q has %d series and must have one to %d", c.Label, len(c.Series), maxSeries)
	case slices.ContainsFunc(c.Series, blank):
		return fail("the chart %q has a series without a name", c.Label)
	}
	for _, g := range c.Groups {
		if len(g.Values) != len(c.Series) {
			return fail("in the chart %q %q has %d values for %d series", c.Label, g.Label, len(g.Values), len(c.Series))
		}
		for _, v := range g.Values {
			if v < 0 {
				return fail("in the chart %q %q has the value %d, which no bar can show", c.Label, g.Label, v)
			}
		}
	}
	return nil
}

// Run is a piece of a letter: fixed words, or an answer that stands in the sentence.
type Run struct {
	Text   string
	Answer *Answer
}

// Answer is one question with what is printed for it.
type Answer struct {
	Key     string // children[1].dob; unique in the document
	Label   string
	Hint    string
	Kind    Kind
	State   State
	Why     string // the reason given for a state
	Text    string // printed; empty only where somebody is to write: on a blank form and in what the recipient fills in
	Value   string // canonical value of a single fact: ISO date, option value
	Boxes   []Box  // of choices and tick boxes: every option
	Layout  Layout
	Column  int
	Columns []int // of tick boxes: how many stand in each column
	Rows    int
	Reply   bool // left to the recipient, who may fill it in on the file
}

// Box is an option as it stands on the form.
type Box struct {
	Value  string
	Label  string
	Ticked bool
}

// Table is a repeating part: its items as rows of a table or as cards.
type Table struct {
	Key     string
	Label   string
	Hint    string
	Layout  Layout // LayoutTable or LayoutCards
	Columns []Column
	Rows    []Row
	None    *Answer // when there are no rows: the state of the list as an answer
}

// Column is a column of a table.
type Column struct {
	Key   string
	Label string
	Kind  Kind
	Boxes []Box
	Width int // its share of the width
}

// Row is one item.
type Row struct {
	Key     string // children[1]
	Heading string // of a card
	Cells   []Answer
	Folded  []*Answer
}

// Answers are all answers of the item, those that are folded at the end.
func (r *Row) Answers(yield func(*Answer) bool) {
	for i := range r.Cells {
		if !yield(&r.Cells[i]) {
			return
		}
	}
	for _, a := range r.Folded {
		if !yield(a) {
			return
		}
	}
}

// Answers calls f for every answer of the document in printed order, with the section it stands in. A chart has none.
func (d *Document) Answers(f func(s *DocSection, a *Answer)) {
	for i := range d.Sections {
		s := &d.Sections[i]
		for _, p := range s.Parts {
			switch {
			case p.Answer != nil:
				f(s, p.Answer)
			case p.Table != nil && p.Table.None != nil:
				f(s, p.Table.None)
			case p.Table != nil:
				for j := range p.Table.Rows {
					for a := range p.Table.Rows[j].Answers {
						f(s, a)
					}
				}
			default:
				for _, r := range p.Letter {
					if r.Answer != nil {
						f(s, r.Answer)
					}
				}
			}
		}
		for _, a := range s.Folded {
			f(s, a)
		}
	}
}
