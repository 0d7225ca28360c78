package caseforms

// Document is a form filled from a case: sections and answers with their states, in printed order, without coordinates. Every output
// is written from it, and nothing that is not in it is in any output.
type Document struct {
	Form    string // id
	Version string
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
	Draft      bool
	Blank      bool // the empty printable form
	Sections   []DocSection
	Words      func(key string) string // fixed words in the document's language

	// LeftOut are the answers this copy withholds. No writer prints them; they are for whoever makes the copy.
	LeftOut []LeftOut
}

// DocSection is a printed section.
type DocSection struct {
	Key    string
	Title  string
	Intro  string
	Layout Layout
	Parts  []Part
	Folded []Answer // optional questions without an answer, printed as one line that names them
}

// Empty tells whether nothing in the section is answered, so that it is named in the closing line and has no heading of its own.
func (s *DocSection) Empty() bool { return len(s.Parts) == 0 }

// Part is one thing in a section: exactly one of the three is set.
type Part struct {
	Answer *Answer
	Table  *Table
	Letter []Run
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
	Folded  []Answer
}

// Answers calls f for every answer of the document in printed order, with the section it stands in.
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
					for k := range p.Table.Rows[j].Cells {
						f(s, &p.Table.Rows[j].Cells[k])
					}
					for k := range p.Table.Rows[j].Folded {
						f(s, &p.Table.Rows[j].Folded[k])
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
		for j := range s.Folded {
			f(s, &s.Folded[j])
		}
	}
}
