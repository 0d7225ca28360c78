package render

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"

	"caseforms"
)

// CaseBook is a workbook in which cases stand one a row, to be filled in or corrected by people and read again: see [Template] and
// [NewCaseBook]. Rows are written as they come and do not stay in memory; cells are text unless they are said to be dates or numbers, so that
// identifiers keep their zeros and nothing is run.
type CaseBook struct {
	f      *excelize.File
	b      *book // for its lists, sheet names and first error
	d      *caseforms.Definitions
	form   *caseforms.Form
	styles [bookStyleCount]int
	sheets []*bookSheet
	notes  int // comments so far
}

// BookSheet is one sheet of a [CaseBook]. The first is that of the cases.
type BookSheet struct {
	Name    string
	List    string // key path of the list whose items are its rows
	Columns []BookColumn
}

// BookColumn is one column. Fact may be nil: a column that is only carried along.
type BookColumn struct {
	Head  string
	Key   string // in the hidden row of keys
	Hint  string
	Fact  *caseforms.CaseColumn
	Width float64 // in characters; 0 leaves it to the heading
	Wide  bool    // words, such as what is wrong
}

// BookCell is one cell. Text of a date is in ISO form.
type BookCell struct {
	Text   string
	Date   bool
	Number bool
	Bool   bool   // the text is true or false, and the cell is of that kind
	Bad    bool   // what is wrong with the row is wrong here
	Note   string // a comment on it
	strong bool
}

type bookSheet struct {
	BookSheet
	sw    *excelize.StreamWriter
	row   int
	first int // row of the first case
}

const (
	bookBand = iota
	bookHead
	bookMust
	bookKey
	bookText
	bookDate
	bookNumber
	bookExample
	bookExampleDate
	bookBad
	bookBadDate
	bookProblem
	bookWords
	bookTitle
	bookStrong
	bookStyleCount
)

// cellTooLong stands for a text that a cell cannot hold: it would be cut off without a word. It is no answer, and is refused when it is given back.
const cellTooLong = "#VALUE!"

// maxNotes is how many cells get a comment. Each costs a drawing; what is wrong is told in words on every row anyway.
const maxNotes = 500

// KeyMark begins the hidden row of keys. The form's id and version follow, and on the sheet of a list its key path.
const KeyMark = "caseforms:"

func newCaseBook(d *caseforms.Definitions, form *caseforms.Form, tmp string) *CaseBook {
	c := &CaseBook{f: excelize.NewFile(excelize.Options{TmpDir: tmp}), d: d, form: form}
	c.b = newBook(c.f, &caseforms.Document{Form: form.ID, Version: form.Version, Marking: form.Marking, Words: d.Word})
	b := c.b
	b.check(c.f.SetDefaultFont(typeface))
	const epoch = "1980-01-01T00:00:00Z"
	b.check(c.f.SetDocProps(&excelize.DocProperties{Title: form.ID + " " + form.Version, Subject: "caseforms " + form.ID, Creator: producer, LastModifiedBy: producer, Created: epoch, Modified: epoch,
		Version: form.Version, Identifier: KeyMark + form.ID + ":" + form.Version}))
	line := []excelize.Border{{Type: "left", Style: 1, Color: "C4CACE"}, {Type: "right", Style: 1, Color: "C4CACE"}, {Type: "top", Style: 1, Color: "C4CACE"}, {Type: "bottom", Style: 1, Color: "C4CACE"}}
	wrap := &excelize.Alignment{WrapText: true, Vertical: "top", Horizontal: "left"}
	flat := &excelize.Alignment{Vertical: "top", Horizontal: "left"}
	fill := func(colour string) excelize.Fill {
		return excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{colour}}
	}
	date := "dd/mm/yyyy"
	const text = 49
	for i, s := range [bookStyleCount]excelize.Style{
		bookBand:        {Font: &excelize.Font{Family: typeface, Bold: true, Size: 11, Color: "FFFFFF"}, Fill: fill("1A4261"), Alignment: flat, NumFmt: text},
		bookHead:        {Font: &excelize.Font{Family: typeface, Bold: true, Size: 10}, Fill: fill("EEF0F2"), Border: line, Alignment: wrap, NumFmt: text},
		bookMust:        {Font: &excelize.Font{Family: typeface, Bold: true, Size: 10, Color: "0B2A42"}, Fill: fill("CFE0EE"), Border: line, Alignment: wrap, NumFmt: text},
		bookKey:         {Font: &excelize.Font{Family: typeface, Size: 8, Color: "505A5F"}, Alignment: flat, NumFmt: text},
		bookText:        {Font: &excelize.Font{Family: typeface, Size: 10}, Border: line, Alignment: wrap, NumFmt: text},
		bookDate:        {Font: &excelize.Font{Family: typeface, Size: 10}, Border: line, Alignment: flat, CustomNumFmt: &date},
		bookNumber:      {Font: &excelize.Font{Family: typeface, Size: 10}, Border: line, Alignment: flat},
		bookExample:     {Font: &excelize.Font{Family: typeface, Size: 10, Italic: true, Color: "505A5F"}, Fill: fill("F6F1DC"), Border: line, Alignment: wrap, NumFmt: text},
		bookExampleDate: {Font: &excelize.Font{Family: typeface, Size: 10, Italic: true, Color: "505A5F"}, Fill: fill("F6F1DC"), Border: line, Alignment: flat, CustomNumFmt: &date},
		bookBad:         {Font: &excelize.Font{Family: typeface, Size: 10}, Fill: fill("FBC7C7"), Border: line, Alignment: wrap, NumFmt: text},
		bookBadDate:     {Font: &excelize.Font{Family: typeface, Size: 10}, Fill: fill("FBC7C7"), Border: line, Alignment: flat, CustomNumFmt: &date},
		bookProblem:     {Font: &excelize.Font{Family: typeface, Size: 10, Color: "8C1515"}, Fill: fill("FDF0F0"), Border: line, Alignment: wrap, NumFmt: text},
		bookWords:       {Font: &excelize.Font{Family: typeface, Size: 11}, Alignment: wrap, NumFmt: text},
		bookTitle:       {Font: &excelize.Font{Family: typeface, Bold: true, Size: 16}, Alignment: flat, NumFmt: text},
		bookStrong:      {Font: &excelize.Font{Family: typeface, Bold: true, Size: 11}, Alignment: wrap, NumFmt: text},
	} {
		id, err := c.f.NewStyle(&s)
		b.check(err)
		c.styles[i] = id
	}
	return c
}

// NewCaseBook begins a workbook of cases that come back to be corrected. Its heading is followed by a hidden row of keys, by which it is read
// again whatever the headings say. Working files are in the folder tmp.
func NewCaseBook(d *caseforms.Definitions, form *caseforms.Form, sheets []BookSheet, tmp string) (*CaseBook, error) {
	c := newCaseBook(d, form, tmp)
	for _, s := range sheets {
		c.sheet(s, false)
	}
	return c, c.failed()
}

func (c *CaseBook) failed() error {
	if c.b.err != nil {
		return &caseforms.Error{Kind: caseforms.Internal, Op: "xlsx", Msg: "the workbook cannot be written", Err: c.b.err}
	}
	return nil
}

// sheet begins a sheet: its heading, the keys, the choices of its columns.
func (c *CaseBook) sheet(s BookSheet, bands bool) *bookSheet {
	b := c.b
	name := b.newSheet(s.Name)
	sw, err := c.f.NewStreamWriter(name)
	if err != nil {
		b.check(err)
		return nil
	}
	t := &bookSheet{BookSheet: s, sw: sw, row: 1}
	b.sheet = name
	c.sheets = append(c.sheets, t)
	lead := 0 // columns that stay when one goes to the right
	for i, col := range s.Columns {
		width := col.Width
		if width == 0 {
			width = 14
			if n := float64(len([]rune(col.Head))); n > 20 {
				width = min(14+(n-20)*0.5, 32)
			}
			if col.Fact != nil && (col.Fact.Kind == caseforms.KindLongText || col.Fact.Kind == caseforms.KindChecks) {
				width = max(width, 36)
			}
		}
		b.check(sw.SetColWidth(i+1, i+1, width))
		style := bookText
		switch {
		case col.Wide:
			style = bookProblem
			lead = i + 1
		case col.Fact != nil && (col.Fact.Kind == caseforms.KindDate):
			style = bookDate
		}
		b.check(sw.SetColStyle(i+1, i+1, c.styles[style]))
	}
	lead = max(lead, 1)
	above := 2 // rows over those of the cases
	if bands {
		above = 3
	}
	b.check(sw.SetPanes(&excelize.Panes{Freeze: true, XSplit: lead, YSplit: above, TopLeftCell: fmt.Sprintf("%s%d", column(lead+1), above+1), ActivePane: "bottomRight"}))
	if bands {
		row := make([]any, len(s.Columns))
		last := ""
		for i, col := range s.Columns {
			section := ""
			if col.Fact != nil {
				section = col.Fact.Section
			}
			text := ""
			if section != last {
				text, last = section, section
			}
			row[i] = excelize.Cell{StyleID: c.styles[bookBand], Value: clean(text)}
		}
		b.check(sw.SetRow("A1", row, excelize.RowOpts{Height: 18}))
		t.row++
	}
	heads, keys := make([]any, len(s.Columns)), make([]any, len(s.Columns))
	tall := 1
	for i, col := range s.Columns {
		style, head := bookHead, col.Head
		if bands && col.Fact != nil && col.Fact.Required {
			style, head = bookMust, head+" *"
		}
		heads[i] = excelize.Cell{StyleID: c.styles[style], Value: clean(head)}
		keys[i] = excelize.Cell{StyleID: c.styles[bookKey], Value: clean(col.Key)}
		width := col.Width
		if width == 0 {
			width = 14
		}
		tall = max(tall, lineCount(head, width))
	}
	b.check(sw.SetRow(fmt.Sprintf("A%d", t.row), heads, excelize.RowOpts{Height: min(float64(tall)*13.5+6, 96)}))
	head := t.row
	b.check(sw.SetRow(fmt.Sprintf("A%d", t.row+1), keys, excelize.RowOpts{Hidden: true}))
	t.row += 2
	t.first = t.row
	const last = 1_048_576
	for i, col := range s.Columns {
		if col.Hint != "" {
			c.note(name, fmt.Sprintf("%s%d", column(i+1), head), col.Hint)
		}
		if col.Fact == nil {
			continue
		}
		cells := fmt.Sprintf("%s%d:%s%d", column(i+1), t.first, column(i+1), last)
		if choices := c.d.Choices(col.Fact); len(choices) > 0 {
			var boxes []caseforms.Box
			for _, o := range choices {
				boxes = append(boxes, caseforms.Box{Label: o})
			}
			b.sheet = name
			b.dropDown(cells, col.Head, boxes)
		}
	}
	c.page(name, 0)
	return t
}

// page sets a sheet up for paper, which lies on its long side.
func (c *CaseBook) page(name string, wide int) {
	b := c.b
	b.page(name, "landscape", wide)
	grid := true
	b.check(c.f.SetSheetView(name, 0, &excelize.ViewOptions{ShowGridLines: &grid}))
}

func (c *CaseBook) note(sheet, cell, text string) {
	r := []rune(text)
	width, height := uint(300), uint(34+18*min(12, (len(r)+39)/40+strings.Count(text, "\n")))
	c.b.check(c.f.AddComment(sheet, excelize.Comment{Cell: cell, Author: producer, Width: width, Height: height,
		Paragraph: []excelize.RichTextRun{{Text: clean(text), Font: &excelize.Font{Family: typeface, Size: 9}}}}))
}

// Row adds a row to a sheet, a cell for each column and perhaps more behind them.
func (c *CaseBook) Row(sheet int, cells []BookCell) error { return c.write(sheet, cells, false) }

func (c *CaseBook) write(sheet int, cells []BookCell, example bool) error {
	t := c.sheets[sheet]
	row := make([]any, len(cells))
	lines := 1
	for i, v := range cells {
		style, date := bookText, bookDate
		wide := i < len(t.Columns) && t.Columns[i].Wide
		switch {
		case example:
			style, date = bookExample, bookExampleDate
		case v.Bad:
			style, date = bookBad, bookBadDate
		case wide:
			style = bookProblem
		}
		if len(v.Text) > excelize.TotalCellChars && len(utf16.Encode([]rune(v.Text))) > excelize.TotalCellChars {
			v.Text, v.Note = cellTooLong, fmt.Sprintf("This text has more than %d letters, which a cell cannot hold. Correct this row in the file it came from, and give that again.", excelize.TotalCellChars)
		}
		var value any = clean(v.Text)
		if v.Text == "" {
			value = nil
		}
		if v.Date {
			if day, err := time.Parse(time.DateOnly, v.Text); err == nil && v.Text >= "1900-03-01" {
				value, style = day, date
			}
		}
		if v.Bool {
			value = v.Text == "true"
		}
		if v.Number && !v.Bad {
			style = bookNumber
		}
		if value == nil && i < len(t.Columns) && t.Columns[i].Fact != nil && t.Columns[i].Fact.Kind == caseforms.KindDate {
			style = date
		}
		if wide {
			lines = max(lines, lineCount(v.Text, t.Columns[i].Width))
		}
		row[i] = excelize.Cell{StyleID: c.styles[style], Value: value}
		if v.Note != "" && c.notes < maxNotes {
			c.notes++
			c.note(t.sw.Sheet, fmt.Sprintf("%s%d", column(i+1), t.row), v.Note)
		}
	}
	opts := excelize.RowOpts{}
	if example {
		lines = 3
	}
	if lines > 1 {
		opts.Height = min(float64(lines)*13.5+3, 400)
	}
	c.b.check(t.sw.SetRow(fmt.Sprintf("A%d", t.row), row, opts))
	t.row++
	return c.failed()
}

// Write finishes the workbook and writes it. It is of no more use after.
func (c *CaseBook) Write(w io.Writer) error {
	defer c.f.Close()
	for _, s := range c.sheets {
		c.b.check(s.sw.Flush())
	}
	c.b.check(c.f.DeleteSheet(spareSheet))
	if c.b.used > 0 {
		c.b.check(c.f.SetSheetVisible(listSheet, false))
	}
	if len(c.sheets) > 0 {
		if i, err := c.f.GetSheetIndex(c.sheets[0].sw.Sheet); err == nil {
			c.f.SetActiveSheet(i)
		}
	}
	if types := c.f.ContentTypes; types != nil {
		sort.Slice(types.Defaults, func(i, j int) bool { return types.Defaults[i].Extension < types.Defaults[j].Extension })
	}
	if err := c.failed(); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := c.f.Write(&b); err != nil {
		return &caseforms.Error{Kind: caseforms.Internal, Op: "xlsx", Msg: "the workbook cannot be written", Err: err}
	}
	return inOrder(w, b.Bytes())
}

// inOrder writes a workbook with its parts in an order of their own: excelize writes sheets that were streamed in any.
func inOrder(w io.Writer, book []byte) error {
	r, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		return &caseforms.Error{Kind: caseforms.Internal, Op: "xlsx", Msg: "the workbook cannot be written", Err: err}
	}
	slices.SortFunc(r.File, func(a, b *zip.File) int {
		const first = "[Content_Types].xml" // where programs look for it
		if (a.Name == first) != (b.Name == first) {
			return map[bool]int{true: -1, false: 1}[a.Name == first]
		}
		return strings.Compare(a.Name, b.Name)
	})
	z := zip.NewWriter(w)
	for _, f := range r.File {
		if err := z.Copy(f); err != nil {
			return err
		}
	}
	return z.Close()
}

// Close lets a workbook go that is not written.
func (c *CaseBook) Close() { c.f.Close() }

// Template writes the workbook that cases are written down in by the hundred, from the form's definition: headings as printed, their keys in a
// hidden row, choices, formats, a row that is an example, the lists on sheets of their own, and how all this is filled in.
func Template(w io.Writer, d *caseforms.Definitions, form *caseforms.Form) error {
	c := newCaseBook(d, form, "")
	tables := d.Tables(form)
	for n, t := range tables {
		s := BookSheet{Name: t.Title, List: t.List}
		mark := KeyMark + form.ID + ":" + form.Version
		if t.List != "" {
			mark += ":" + t.List
		}
		hint := d.Word("hint_case")
		if n > 0 {
			hint = d.Word("hint_case_of_item")
		}
		s.Columns = append(s.Columns, BookColumn{Head: d.Word("column_case"), Key: mark, Width: 11, Hint: hint})
		example := []BookCell{{Text: d.Word("example_row")}}
		for i := range t.Columns {
			q := &t.Columns[i]
			s.Columns = append(s.Columns, BookColumn{Head: q.Label, Key: q.Key, Fact: q, Hint: columnHint(d, q)})
			text, date := d.Example(q)
			example = append(example, BookCell{Text: text, Date: date})
		}
		if c.sheet(s, true) == nil {
			break
		}
		if err := c.write(n, example, true); err != nil {
			return err
		}
	}
	c.guidance(tables)
	if err := c.failed(); err != nil {
		c.Close()
		return err
	}
	return c.Write(w)
}

// columnHint is what the comment on a heading says.
func columnHint(d *caseforms.Definitions, q *caseforms.CaseColumn) string {
	var parts []string
	if q.Hint != "" {
		parts = append(parts, q.Hint)
	}
	parts = append(parts, how(d, q))
	if q.Required {
		parts = append(parts, d.Word("hint_must"))
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "\n")
}

// how says how a column is filled in.
func how(d *caseforms.Definitions, q *caseforms.CaseColumn) string {
	word := "hint_" + string(q.Kind)
	if q.Several {
		word = "hint_several"
	}
	if d.Words[word].IsZero() {
		return ""
	}
	return d.Word(word)
}

// guidance is the sheet that says how the others are filled in, and lists every column.
func (c *CaseBook) guidance(tables []caseforms.CaseTable) {
	b, d := c.b, c.d
	name := b.newSheet(d.Word("sheet_guidance"))
	sw, err := c.f.NewStreamWriter(name)
	if err != nil {
		b.check(err)
		return
	}
	b.check(sw.SetColWidth(1, 1, 30))
	b.check(sw.SetColWidth(2, 2, 46))
	b.check(sw.SetColWidth(3, 3, 44))
	b.check(sw.SetColWidth(4, 4, 44))
	row := 1
	put := func(height float64, cells ...BookCell) {
		out := make([]any, len(cells))
		for i, v := range cells {
			style := bookWords
			if v.strong {
				style = bookStrong
			}
			if row == 1 {
				style = bookTitle
			}
			out[i] = excelize.Cell{StyleID: c.styles[style], Value: clean(v.Text)}
		}
		b.check(sw.SetRow(fmt.Sprintf("A%d", row), out, excelize.RowOpts{Height: height}))
		row++
	}
	title := c.form.Title.In(d.Lang)
	put(24, BookCell{Text: title})
	put(18, BookCell{Text: d.Word("guide_form"), strong: true}, BookCell{Text: c.form.ID + ", " + d.Word("version") + " " + c.form.Version})
	put(18, BookCell{Text: d.Word("guide_marking"), strong: true}, BookCell{Text: c.form.Marking})
	row++
	var merges []int
	for i := 1; ; i++ {
		w := fmt.Sprintf("guide_%d", i)
		if d.Words[w].IsZero() {
			break
		}
		text := strings.ReplaceAll(d.Word(w), "{form}", c.form.ID)
		merges = append(merges, row)
		put(float64(lineCount(text, 150))*15+4, BookCell{Text: text})
	}
	row++
	put(20, BookCell{Text: d.Word("guide_sheet"), strong: true}, BookCell{Text: d.Word("guide_column"), strong: true}, BookCell{Text: d.Word("guide_how"), strong: true}, BookCell{Text: d.Word("guide_key"), strong: true})
	for _, t := range tables {
		for i := range t.Columns {
			q := &t.Columns[i]
			label := q.Label
			if q.Required {
				label += " *"
			}
			key := q.Key
			if t.List != "" {
				key = t.List + "[]." + key
			}
			h := how(d, q)
			if q.Hint != "" {
				h = strings.TrimSpace(q.Hint + "\n" + h)
			}
			lines := max(lineCount(label, 44), lineCount(h, 42), lineCount(key, 42))
			put(float64(lines)*15+3, BookCell{Text: t.Title}, BookCell{Text: label}, BookCell{Text: h}, BookCell{Text: key})
		}
	}
	for _, r := range merges {
		b.check(sw.MergeCell(fmt.Sprintf("A%d", r), fmt.Sprintf("D%d", r)))
	}
	c.page(name, 1)
	b.check(sw.Flush())
}
