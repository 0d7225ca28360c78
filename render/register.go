package render

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"caseforms"
)

// A Register writes the list of the cases that documents were made of, as a workbook: a sheet with one row for each, and one with totals and
// charts. Rows go out as they come, so that a hundred thousand take no more memory than a hundred.
//
// Every sheet is of one version of one form. Nothing in it runs: all but dates and numbers is text, whatever it begins with. It is used by one
// goroutine at a time.
type Register struct {
	book   *sheetBook
	sheets []*registerSheet
	err    error
}

// RegisterOptions say where a register may put what it cannot write yet.
type RegisterOptions struct {
	// Dir is the folder in which a folder of its own, which only its owner can read, is made for the sheets after the first: they have to wait until
	// that one is complete. With one list nothing is put anywhere. "" is the system's folder for temporary files.
	Dir string
}

// RegisterRow is what the register tells of a row beside the answers.
type RegisterRow struct {
	Row  int    // in what the cases were read from, from 1; 0 leaves it empty
	File string // the name of the document's file
}

// NewRegister begins a register in w with a sheet for each list. It is complete when Close has returned without an error.
func NewRegister(w io.Writer, o RegisterOptions, lists ...*caseforms.CaseRegister) (*Register, error) {
	if len(lists) == 0 {
		return nil, &caseforms.Error{Kind: caseforms.Internal, Op: "register", Msg: "a register needs a list"}
	}
	r := &Register{book: newSheetBook(w, o.Dir)}
	names := map[string]bool{}
	for i, l := range lists {
		s := newRegisterSheet(l, names, lists)
		for _, other := range r.sheets {
			if other.is(l.Form, l.Version, l.Definition) {
				return nil, &caseforms.Error{Kind: caseforms.Internal, Op: "register", Msg: "the register has the same list twice"}
			}
		}
		s.book, s.spooled = r.book, i > 0
		r.sheets = append(r.sheets, s)
	}
	return r, nil
}

// Add writes the row of a document. One of a form or version that the register has no list for is refused, and the register is as it was.
// It keeps nothing of the document.
func (r *Register) Add(doc *caseforms.Document, row RegisterRow) error {
	if r.err != nil {
		return r.err
	}
	i := slices.IndexFunc(r.sheets, func(s *registerSheet) bool { return s.is(doc.Form, doc.Version, doc.Definition) })
	if i < 0 {
		return &caseforms.Error{Kind: caseforms.Internal, Op: "register", Msg: "the register has no list for " + doc.Form + " " + doc.Version}
	}
	r.err = registerFailed(r.sheets[i].add(doc, row))
	return r.err
}

// Close writes the totals and what else makes the sheets a workbook. It has to be called in any case, because it removes what waited for
// being written; after an error of Add it gives that error again.
func (r *Register) Close() error {
	if r.book == nil {
		return r.err
	}
	for _, s := range r.sheets {
		if r.err == nil {
			r.err = registerFailed(s.finish())
		}
	}
	if r.err == nil {
		r.err = registerFailed(r.book.finish(r.sheets))
	}
	if err := r.book.discard(); r.err == nil {
		r.err = registerFailed(err)
	}
	r.book = nil
	return r.err
}

func registerFailed(err error) error {
	if err == nil {
		return nil
	}
	return &caseforms.Error{Kind: caseforms.Internal, Op: "register", Msg: "the register cannot be written", Err: err}
}

// notAsked is the state of a question that the document does not have: it was not asked, because a condition did not hold.
const notAsked = caseforms.NoneKnown + 1

type registerSheet struct {
	list     *caseforms.CaseRegister
	book     *sheetBook
	spooled  bool
	name     string
	columns  []sheetColumn
	lead     int        // columns before those of the form
	index    [256][]int // of the form's columns, by keyHash
	found    []*caseforms.Answer
	states   [notAsked + 1]string
	unissued string
	tooLong  string
	tallies  []*tally
	count    int // rows in all
	rows     int // rows of the part that is being written, its head included
	part     *sheetEntry
	parts    []sheetPart
	sample   [][]registerCell // the first rows, until the widths of the columns are settled by them
	sampled  int              // their bytes
	names    map[string]bool
	totals   string // name of the sheet with the totals
}

// sheetColumn is a column as it is written.
type sheetColumn struct {
	label string
	name  string // AB
	width int    // in characters
}

// sheetPart is a sheet that was written.
type sheetPart struct {
	name string
	file string
	rows int
}

// registerCell is a value and how it is shown.
type registerCell struct {
	text  string
	style int
	value float64 // of a date or number
}

func newRegisterSheet(l *caseforms.CaseRegister, names map[string]bool, lists []*caseforms.CaseRegister) *registerSheet {
	s := &registerSheet{list: l, names: names, found: make([]*caseforms.Answer, len(l.Columns)), unissued: l.Words("not_issued"), tooLong: l.Words("register_long")}
	s.name = sheetName(names, strings.ToUpper(l.Form)+" "+l.Version)
	s.totals = l.Words("register_totals")
	if len(lists) > 1 {
		s.totals = s.name + " " + s.totals
	}
	s.totals = sheetName(names, s.totals)
	labels := []string{l.Words("register_row"), l.Words("reference")}
	s.lead = len(labels)
	for i, c := range l.Columns {
		labels = append(labels, c.Label)
		h := keyHash(c.Key)
		s.index[h] = append(s.index[h], i)
	}
	labels = append(labels, l.Words("register_file"), l.Words("register_marking"), l.Words("register_version"))
	for i, label := range labels {
		s.columns = append(s.columns, sheetColumn{label: clean(label), name: column(i + 1)})
	}
	for st := caseforms.NotAnswered; st <= caseforms.NoneKnown; st++ {
		if st != caseforms.Answered {
			s.states[st] = l.Words(st.String())
		}
	}
	s.states[notAsked] = l.Words("register_not_asked")
	for _, t := range l.Totals {
		s.tallies = append(s.tallies, newTally(l, t, &s.states))
	}
	return s
}

func (s *registerSheet) is(form, version, definition string) bool {
	return s.list.Form == form && s.list.Version == version && s.list.Definition == definition
}

// keyHash tells keys apart quickly; a document has some two hundred answers and a register looks for a part of them.
func keyHash(key string) uint8 {
	n := len(key)
	if n == 0 {
		return 0
	}
	return uint8(n*31) + key[0]*7 + key[n/2]*3 + key[n-1]
}

func (s *registerSheet) see(a *caseforms.Answer) {
	for _, i := range s.index[keyHash(a.Key)] {
		if s.list.Columns[i].Key == a.Key && s.found[i] == nil {
			s.found[i] = a
		}
	}
}

// find notes the answers that stand in the register.
func (s *registerSheet) find(doc *caseforms.Document) {
	clear(s.found)
	for i := range doc.Sections {
		sec := &doc.Sections[i]
		for j := range sec.Parts {
			switch p := &sec.Parts[j]; {
			case p.Answer != nil:
				s.see(p.Answer)
			case p.Letter != nil:
				for _, run := range p.Letter {
					if run.Answer != nil {
						s.see(run.Answer)
					}
				}
			}
		}
		for _, a := range sec.Folded {
			s.see(a)
		}
	}
}

func (s *registerSheet) add(doc *caseforms.Document, row RegisterRow) error {
	if s.rows == mostSheetRows {
		if err := s.endPart(); err != nil {
			return err
		}
	}
	s.find(doc)
	cells := s.book.cells[:0]
	first := registerCell{style: cellText}
	if row.Row > 0 {
		first = registerCell{style: cellNumber, value: float64(row.Row)}
	}
	ref := registerCell{text: doc.Ref, style: cellText}
	switch {
	case doc.Ref == "":
		ref = registerCell{text: s.unissued, style: cellState}
		if doc.Draft {
			ref.text = s.list.Words("draft")
		}
	case doc.Issue > 1:
		ref.text += " · " + s.list.Words("issue") + " " + strconv.Itoa(doc.Issue)
	}
	cells = append(cells, first, ref)
	for _, a := range s.found {
		cells = append(cells, s.cell(a))
	}
	cells = append(cells, registerCell{text: row.File, style: cellText}, registerCell{text: doc.Marking, style: cellText}, registerCell{text: doc.Version, style: cellText})
	s.book.cells = cells
	for _, t := range s.tallies {
		t.add(s.found)
	}
	s.count++
	if s.part == nil {
		s.sample = append(s.sample, slices.Clone(cells))
		for i := range cells {
			s.sampled += len(cells[i].text)
		}
		if len(s.sample) < 100 && s.sampled < 1<<20 {
			return nil
		}
		return s.begin()
	}
	return s.write(cells)
}

// cell is an answer as it stands in the register. A state is told in its fixed word, whatever the form calls it and whatever reason was
// given, so that the column can be filtered by it; a reason is a narrative.
func (s *registerSheet) cell(a *caseforms.Answer) registerCell {
	if a == nil {
		return registerCell{text: s.states[notAsked], style: cellState}
	}
	if a.State != caseforms.Answered {
		return registerCell{text: s.states[a.State], style: cellState}
	}
	switch a.Kind {
	case caseforms.KindDate, caseforms.KindPartialDate, caseforms.KindDateTime:
		if v, style, ok := serial(a.Value); ok {
			return registerCell{value: v, style: style}
		}
	case caseforms.KindNumber:
		if n, err := strconv.Atoi(a.Value); err == nil {
			return registerCell{value: float64(n), style: cellNumber}
		}
	}
	return registerCell{text: a.Text, style: cellText}
}

// serial is a date, or a date and time, as spreadsheets count: days since the end of 1899. What is not a whole date is none, and neither is
// one of the days before 1900-03-01, about which they disagree.
func serial(v string) (days float64, style int, ok bool) {
	if len(v) != len("2026-11-20") && len(v) != len("2026-11-20 14:30") {
		return 0, 0, false
	}
	number := func(from, to int) int {
		n := 0
		for _, c := range []byte(v[from:to]) {
			if c < '0' || c > '9' {
				return -1
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	y, m, d := number(0, 4), number(5, 7), number(8, 10)
	if v[4] != '-' || v[7] != '-' || y < 1900 || m < 1 || m > 12 || d < 1 || d > 31 {
		return 0, 0, false
	}
	// The day's number from the calendar's own arithmetic: years begin in March, so that a leap day is a year's last.
	if m < 3 {
		y, m = y-1, m+12
	}
	n := 365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d - 693900
	if n < 61 {
		return 0, 0, false
	}
	if len(v) == 10 {
		return float64(n), cellDate, true
	}
	hour, minute := number(11, 13), number(14, 16)
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 || v[13] != ':' {
		return 0, 0, false
	}
	return float64(n) + float64(hour*60+minute)/1440, cellMoment, true
}

const (
	narrowestColumn = 9
	widestColumn    = 38
	registerLead    = 12.75 // of a line, in points
	mostCellLines   = 30    // a row can be 409 points high; what needs more is not shown whole
	mostCellUnits   = 32767 // a cell cannot hold more, counted in UTF-16
)

// mostSheetRows is what a sheet can have. The list goes on in another. A test has it lower.
var mostSheetRows = 1 << 20

// begin settles the widths of the columns by what the first rows have and writes the sheet's head and those rows.
func (s *registerSheet) begin() error {
	if len(s.parts) == 0 {
		for i := range s.columns {
			c := &s.columns[i]
			for word := range strings.FieldsSeq(c.label) {
				c.width = max(c.width, utf8.RuneCountInString(word)+4) // the button of the filter stands beside it
			}
			c.width = max(c.width, utf8.RuneCountInString(c.label)/3)
			for _, row := range s.sample {
				switch row[i].style {
				case cellDate:
					c.width = max(c.width, 13)
				case cellMoment:
					c.width = max(c.width, 18)
				default:
					c.width = max(c.width, utf8.RuneCountInString(row[i].text)*11/10+2)
				}
			}
			c.width = min(max(c.width, narrowestColumn), widestColumn)
		}
		s.columns[0].width = min(s.columns[0].width, 9)
	}
	part, err := s.book.entry(s.spooled)
	if err != nil {
		return err
	}
	s.part, s.rows = part, 0
	s.head()
	sample := s.sample
	s.sample, s.sampled = nil, 0
	for _, row := range sample {
		if err := s.write(row); err != nil {
			return err
		}
	}
	return nil
}

// head writes what stands before the rows, and the row of headings.
func (s *registerSheet) head() {
	p := s.part
	freeze := column(s.lead + 2)
	p.str(xmlHead + `<worksheet xmlns="` + nsMain + `"><sheetPr><pageSetUpPr fitToPage="1"/></sheetPr><sheetViews><sheetView workbookViewId="0"`)
	if len(s.parts) == 0 && !s.spooled {
		p.str(` tabSelected="1"`)
	}
	p.str(fmt.Sprintf(`><pane xSplit="%d" ySplit="1" topLeftCell="%s2" activePane="bottomRight" state="frozen"/><selection pane="topRight"/><selection pane="bottomLeft"/><selection pane="bottomRight" activeCell="%s2" sqref="%s2"/></sheetView></sheetViews><sheetFormatPr defaultRowHeight="%g"/><cols>`,
		s.lead+1, freeze, freeze, freeze, registerLead))
	lines := 1
	for i, c := range s.columns {
		p.str(fmt.Sprintf(`<col min="%d" max="%d" width="%d" customWidth="1"/>`, i+1, i+1, c.width))
		lines = max(lines, lineCount(c.label, float64(c.width-3)))
	}
	p.str(fmt.Sprintf(`</cols><sheetData><row r="1" ht="%g" customHeight="1">`, float64(lines)*registerLead+4))
	for _, c := range s.columns {
		p.cell(c.name, []byte("1"), registerCell{text: c.label, style: cellHead})
	}
	p.str("</row>")
	s.rows = 1
}

// write writes a row.
func (s *registerSheet) write(cells []registerCell) error {
	p := s.part
	s.rows++
	most := 1
	for i := range cells {
		c := &cells[i]
		// Most cells are clearly of one line, which their length tells; only of the others the letters are measured.
		if w := s.columns[i].width; len(c.text) > w*3/5 {
			if utf16Length(c.text) > mostCellUnits {
				c.text, c.style = s.tooLong, cellState
			}
			n := lineCount(strings.ReplaceAll(clean(c.text), "\n", "; "), float64(w))
			if n > mostCellLines {
				c.text, c.style = s.tooLong, cellState
				n = lineCount(c.text, float64(w))
			}
			most = max(most, n)
		}
	}
	var digits [20]byte
	row := strconv.AppendInt(digits[:0], int64(s.rows), 10)
	p.buf = append(append(append(p.buf, `<row r="`...), row...), '"')
	if most > 1 {
		p.buf = append(p.buf, ` ht="`...)
		p.buf = strconv.AppendFloat(p.buf, float64(most)*registerLead, 'f', -1, 64)
		p.buf = append(p.buf, `" customHeight="1"`...)
	}
	p.buf = append(p.buf, '>')
	for i := range cells {
		p.cell(s.columns[i].name, row, cells[i])
	}
	p.buf = append(p.buf, "</row>"...)
	return p.flush(64 << 10)
}

func utf16Length(s string) int {
	if len(s) <= mostCellUnits {
		return len(s)
	}
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(cmp.Or(r, 1))
	}
	return n
}

// endPart ends the sheet that is being written.
func (s *registerSheet) endPart() error {
	if s.part == nil {
		if err := s.begin(); err != nil { // there are fewer rows than would settle the widths
			return err
		}
	}
	p := s.part
	last := s.columns[len(s.columns)-1].name
	p.str(fmt.Sprintf(`</sheetData><autoFilter ref="A1:%s%d"/>`, last, s.rows))
	wide := 0
	for _, c := range s.columns {
		wide += c.width
	}
	p.page(s.list, fmt.Sprintf(`fitToWidth="%d" fitToHeight="0"`, max(1, (wide+75)/150)))
	if s.rows > 1 { // else spreadsheets mark every identifier as a number that was written as text
		p.str(fmt.Sprintf(`<ignoredErrors><ignoredError sqref="A2:%s%d" numberStoredAsText="1"/></ignoredErrors>`, last, s.rows))
	}
	p.str("</worksheet>")
	name := s.name
	if n := len(s.parts); n > 0 {
		name = sheetName(s.names, s.name)
	}
	s.parts = append(s.parts, sheetPart{name: name, file: p.file, rows: s.rows})
	s.part, s.rows = nil, 0
	return s.book.end(p)
}

// finish ends the list and writes its totals.
func (s *registerSheet) finish() error {
	if s.part != nil || s.sample != nil || len(s.parts) == 0 {
		return s.endPart()
	}
	return nil
}
