package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"caseforms"
)

// The form's sheet is a grid of twelve equal columns on which labels and answers span as many as they need, so that label rows, pairs and
// tables share one page width.
const (
	gridColumns    = 12
	columnChars    = 7.9  // width of one of them, in characters of the default font
	columnCharsLie = 12.5 // on paper that lies on its long side
	rowPoints      = 15.0
	// maxLines keeps a row well under the 409 points that a spreadsheet can show: a longer answer goes on in the next row, so that
	// nothing is cut off on the screen or on paper.
	maxLines = 22
	// maxMerged is how many merged cells a workbook may have: each is compared with every other when it is written.
	maxMerged = 5000
	typeface  = "Arial" // every office suite has it or its metric twin
)

// Workbook writes the document as an .xlsx file: a sheet that reads and prints like the form, and one sheet for every repeating part
// that is too wide for it. Dates are dates, identifiers are text, and no cell holds anything a spreadsheet would run.
// With the secure profile it is sealed.
func Workbook(w io.Writer, doc *caseforms.Document, o Options) error {
	if err := checkCharts(doc); err != nil {
		return err
	}
	password, err := o.password(FormatWorkbook)
	if err != nil {
		return err
	}
	b := newBook(excelize.NewFile(), doc)
	defer b.f.Close()
	err = b.write()
	if err == nil && password == "" {
		err = b.f.Write(w)
	} else if err == nil {
		var open bytes.Buffer
		if err = b.f.Write(&open); err == nil {
			_, err = w.Write(sealWorkbook(open.Bytes(), password))
		}
	}
	if errors.Is(err, errMerged) {
		return &caseforms.Error{Kind: caseforms.Invalid, Op: "xlsx", Msg: "this has too many entries, or texts that are too long, for a workbook", Hint: "make a PDF of it"}
	}
	if err != nil {
		return &caseforms.Error{Kind: caseforms.Internal, Op: "xlsx", Msg: "the workbook cannot be written", Err: err}
	}
	return nil
}

var errMerged = errors.New("too many merged cells")

type book struct {
	f      *excelize.File
	doc    *caseforms.Document
	sheet  string
	wide   float64 // of a column of the grid, in characters
	row    int     // the next free row, from 1
	styles [styleCount]int
	names  map[string]bool
	lists  map[string]string // options, joined -> range on the sheet of lists
	used   int               // columns on the sheet of lists
	charts int
	merged int
	err    error
}

const (
	styleTitle = iota
	stylePlain
	styleHeading
	styleHeading3
	styleLabel
	styleValue
	styleDate
	styleMuted
	styleStrong
	styleMarking
	styleNumber
	styleCount
)

const (
	listSheet  = "Lists"
	spareSheet = "caseforms" // the one that a new file begins with, which goes when there is another
)

// newBook begins a workbook. The names of our own sheets are nobody else's: rows that come back to be corrected stand on sheets that are called as the user
// called them, and Sheet1 is what most are called.
func newBook(f *excelize.File, doc *caseforms.Document) *book {
	b := &book{f: f, doc: doc, names: map[string]bool{strings.ToLower(listSheet): true, spareSheet: true}, lists: map[string]string{}}
	b.check(f.SetSheetName(f.GetSheetName(0), spareSheet))
	return b
}

// check keeps the first error; the calls of excelize are many and fail only together.
func (b *book) check(err error) {
	if err != nil && b.err == nil {
		b.err = err
	}
}

func (b *book) write() error {
	b.check(b.f.SetDefaultFont(typeface))
	b.makeStyles()
	const epoch = "1980-01-01T00:00:00Z" // fixed, so that the same document gives the same bytes
	b.check(b.f.SetDocProps(&excelize.DocProperties{Title: b.doc.Title, Creator: producer, LastModifiedBy: producer, Created: epoch, Modified: epoch,
		Version: b.doc.Version, Language: b.doc.Lang, Identifier: b.doc.Ref}))
	b.sheet = b.newSheet(b.doc.Words("sheet_form"))
	form := b.sheet
	b.check(b.f.DeleteSheet(spareSheet))
	orientation := "portrait"
	b.wide = columnChars
	if b.doc.Landscape {
		orientation, b.wide = "landscape", columnCharsLie
	}
	for c := 1; c <= gridColumns; c++ {
		name := column(c)
		b.check(b.f.SetColWidth(form, name, name, b.wide))
	}
	b.page(form, orientation, 1)
	b.row = 1
	b.span(1, gridColumns, styleMarking, b.doc.Marking)
	b.row++
	if t := notice(b.doc); t != "" {
		b.span(1, gridColumns, styleMarking, t)
		b.row++
	}
	b.span(1, gridColumns, styleTitle, b.doc.Title)
	b.height(26 * float64(lineCount(b.doc.Title, 52)))
	b.row++
	if b.doc.Subtitle != "" {
		b.para(stylePlain, b.doc.Subtitle)
	}
	if t := about(b.doc); t != "" {
		b.para(stylePlain, t)
	}
	for _, bl := range b.blocks() {
		b.block(&bl)
	}
	b.span(1, gridColumns, styleMarking, b.doc.Marking)
	b.sheet = form
	if i, err := b.f.GetSheetIndex(form); err == nil {
		b.f.SetActiveSheet(i)
	}
	if b.used > 0 {
		b.check(b.f.SetSheetVisible(listSheet, false))
	}
	if types := b.f.ContentTypes; types != nil { // with a chart excelize lists the kinds of pictures there are, in any order
		sort.Slice(types.Defaults, func(i, j int) bool { return types.Defaults[i].Extension < types.Defaults[j].Extension })
	}
	return b.err
}

// blocks are the document's blocks with every card list as one table block: on a sheet of its own it is a table like any other.
func (b *book) blocks() []block {
	doc := *b.doc
	doc.Sections = append([]caseforms.DocSection(nil), b.doc.Sections...)
	for i := range doc.Sections {
		parts := append([]caseforms.Part(nil), doc.Sections[i].Parts...)
		for j, p := range parts {
			if p.Table != nil && p.Table.None == nil && p.Table.Layout == caseforms.LayoutCards {
				t := *p.Table
				t.Layout = ""
				parts[j].Table = &t
			}
		}
		doc.Sections[i].Parts = parts
	}
	return blocks(&doc)
}

func (b *book) makeStyles() {
	line := []excelize.Border{{Type: "left", Style: 1, Color: "8A9299"}, {Type: "right", Style: 1, Color: "8A9299"}, {Type: "top", Style: 1, Color: "8A9299"}, {Type: "bottom", Style: 1, Color: "8A9299"}}
	wrap := &excelize.Alignment{WrapText: true, Vertical: "top", Horizontal: "left"}
	// A date that is a number cannot wrap: in a narrow column it gets smaller instead of turning into ####.
	shrink := &excelize.Alignment{ShrinkToFit: true, Vertical: "top", Horizontal: "left"}
	ground := excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"EEF0F2"}}
	date := "d mmmm yyyy"
	const text = 49 // the number format "@": an answer that is edited stays text
	for i, s := range [styleCount]excelize.Style{
		styleTitle:    {Font: &excelize.Font{Family: typeface, Bold: true, Size: 18}, Alignment: wrap, NumFmt: text},
		stylePlain:    {Font: &excelize.Font{Family: typeface, Size: 11}, Alignment: wrap, NumFmt: text},
		styleHeading:  {Font: &excelize.Font{Family: typeface, Bold: true, Size: 13, Color: "1A4261"}, Alignment: wrap, NumFmt: text, Border: []excelize.Border{{Type: "bottom", Style: 2, Color: "1A4261"}}},
		styleHeading3: {Font: &excelize.Font{Family: typeface, Bold: true, Size: 12, Color: "1A4261"}, Alignment: wrap, NumFmt: text},
		styleLabel:    {Font: &excelize.Font{Family: typeface, Bold: true, Size: 11}, Alignment: wrap, Fill: ground, Border: line, NumFmt: text},
		styleValue:    {Font: &excelize.Font{Family: typeface, Size: 11}, Alignment: wrap, Border: line, NumFmt: text},
		styleDate:     {Font: &excelize.Font{Family: typeface, Size: 11}, Alignment: shrink, Border: line, CustomNumFmt: &date},
		styleMuted:    {Font: &excelize.Font{Family: typeface, Size: 11, Color: "505A5F", Italic: true}, Alignment: wrap, Border: line, NumFmt: text},
		styleStrong:   {Font: &excelize.Font{Family: typeface, Size: 13, Bold: true}, Alignment: wrap, Border: []excelize.Border{{Type: "left", Style: 5, Color: "000000"}, {Type: "right", Style: 2, Color: "000000"}, {Type: "top", Style: 2, Color: "000000"}, {Type: "bottom", Style: 2, Color: "000000"}}, NumFmt: text},
		styleNumber:   {Font: &excelize.Font{Family: typeface, Size: 11}, Alignment: &excelize.Alignment{Vertical: "top", Horizontal: "right"}, Border: line, NumFmt: 3}, // #,##0
		styleMarking:  {Font: &excelize.Font{Family: typeface, Bold: true, Size: 11}, Alignment: &excelize.Alignment{Horizontal: "center"}, NumFmt: text},
	} {
		id, err := b.f.NewStyle(&s)
		b.check(err)
		b.styles[i] = id
	}
}

func column(c int) string {
	name, err := excelize.ColumnNumberToName(c)
	if err != nil {
		panic(err) // columns are counted here, never read
	}
	return name
}

func (b *book) cell(c int) string { return fmt.Sprintf("%s%d", column(c), b.row) }

// newSheet adds a sheet with a name as near as allowed to the one wanted.
func (b *book) newSheet(want string) string {
	name := sheetName(b.names, want)
	_, err := b.f.NewSheet(name)
	b.check(err)
	return name
}

// page sets a sheet up for printing on A4, as many pages wide as can be read, with marking and page number.
func (b *book) page(sheet, orientation string, wide int) {
	size, high, fit, grid := 9, 0, true, false
	b.check(b.f.SetPageLayout(sheet, &excelize.PageLayoutOptions{Size: &size, Orientation: &orientation, FitToHeight: &high, FitToWidth: &wide}))
	b.check(b.f.SetSheetProps(sheet, &excelize.SheetPropsOptions{FitToPage: &fit}))
	b.check(b.f.SetSheetView(sheet, 0, &excelize.ViewOptions{ShowGridLines: &grid}))
	m := 0.5
	wider := 0.75
	b.check(b.f.SetPageMargins(sheet, &excelize.PageLayoutMarginsOptions{Left: &m, Right: &m, Top: &wider, Bottom: &wider}))
	marking := strings.ReplaceAll(b.doc.Marking, "&", "&&")
	name := strings.ToUpper(b.doc.Form) + " " + b.doc.Version
	if b.doc.Version == "" {
		r := []rune(oneLine(b.doc.Title)) // beside marking and page number, all three in no more than the 255 signs a footer may have
		name = strings.ReplaceAll(string(r[:min(len(r), 40)]), "&", "&&")
	}
	b.check(b.f.SetHeaderFooter(sheet, &excelize.HeaderFooterOptions{
		OddHeader: "&C&B" + marking,
		OddFooter: "&L" + name + "&C&B" + marking + "&R" + b.doc.Words("page") + " &P " + b.doc.Words("of") + " &N",
	}))
}

// span writes text over columns from to to of the current row.
func (b *book) span(from, to, style int, text string) {
	if b.style(from, to, style); b.err == nil {
		b.check(b.f.SetCellStr(b.sheet, b.cell(from), clean(text)))
	}
}

func (b *book) style(from, to, style int) {
	if b.merged > maxMerged {
		b.check(errMerged)
		return
	}
	if to > from {
		b.merged++
		b.check(b.f.MergeCell(b.sheet, b.cell(from), b.cell(to)))
	}
	b.check(b.f.SetCellStyle(b.sheet, b.cell(from), b.cell(to), b.styles[style]))
}

func (b *book) height(points float64) {
	b.check(b.f.SetRowHeight(b.sheet, b.row, min(max(points, rowPoints), 409)))
}

// units is the width of a letter in thousandths of a typical one, by the embedded bold face: what is wide there is wide in any typeface.
func units(r rune) int {
	fs, err := faces()
	if err != nil || r == '\n' {
		return 0
	}
	if int(r) < len(fs[bold].code) && fs[bold].code[r] != 0 {
		return int(fs[bold].adv[fs[bold].code[r]]) * 1000 / 570
	}
	if w, ok := fs[bold].further().glyph[r]; ok {
		return int(w.adv) * 1000 / 570
	}
	return 2000
}

// lines cuts text into the lines it will take at most at a width given in typical letters; put together they are the text again. It wraps
// between words as an office suite does, and breaks a word that is longer than a line.
func lines(text string, chars float64) (out []string) {
	eachLine(text, chars, func(line string) { out = append(out, line) })
	return out
}

func eachLine(text string, chars float64, line func(string)) {
	limit := int(chars * 1000 * 0.92) // a margin for typefaces that run wider
	start, space, width, sinceSpace := 0, -1, 0, 0
	for i, r := range text {
		if r == '\n' {
			line(text[start : i+1])
			start, space, width = i+1, -1, 0
			continue
		}
		u := units(r)
		if width+u > limit && i > start && r != ' ' {
			cut := i
			if space > start {
				cut = space
			} else {
				sinceSpace = 0
			}
			line(text[start:cut])
			start, space, width = cut, -1, sinceSpace
			if cut == i {
				width = 0
			}
		}
		width += u
		sinceSpace += u
		if r == ' ' {
			space, sinceSpace = i+1, 0
		}
	}
	line(text[start:])
}

func lineCount(text string, chars float64) (n int) {
	eachLine(text, chars, func(string) { n++ })
	return n
}

// pieces splits text into parts of at most maxLines lines. Put together they are the text again.
func pieces(text string, chars float64) []string {
	var out []string
	for part := range slices.Chunk(lines(text, chars), maxLines) {
		out = append(out, strings.Join(part, ""))
	}
	return out
}

func (b *book) chars(columns int) float64 { return float64(columns) * b.wide * 1.05 }

// gridCell is one cell of a row on the form's grid.
type gridCell struct {
	from, to int
	text     string
	style    int
	answer   *caseforms.Answer
	number   *int // stands as a number
	repeat   bool // stands again in each further row of a long answer, so that the rows stay together when they are sorted
}

// put writes a row of cells, going on in further rows where a text is too long for one.
func (b *book) put(cells []gridCell, width func(c gridCell) float64) {
	rest := make([][]string, len(cells))
	rows := 1
	for i, c := range cells {
		rest[i] = pieces(clean(c.text), width(c))
		rows = max(rows, len(rest[i]))
	}
	for r := range rows {
		most := 1
		for i, c := range cells {
			b.style(c.from, c.to, c.style)
			text := ""
			switch {
			case r < len(rest[i]):
				text = rest[i][r]
			case c.repeat:
				text = rest[i][0]
			default:
				continue
			}
			most = max(most, lineCount(text, width(c)))
			b.value(c, text, r == 0)
		}
		b.height(float64(most)*rowPoints + 3)
		b.row++
	}
}

// value writes one cell: a date as a date, everything else as text that is never read as a formula.
func (b *book) value(c gridCell, text string, first bool) {
	at := b.cell(c.from)
	a := c.answer
	if c.number != nil {
		b.check(b.f.SetCellInt(b.sheet, at, int64(*c.number)))
		return
	}
	if a == nil {
		b.check(b.f.SetCellStr(b.sheet, at, text))
		return
	}
	if d, ok := wholeDate(a); ok {
		b.check(b.f.SetCellValue(b.sheet, at, d))
		b.style(c.from, c.to, styleDate)
	} else {
		b.check(b.f.SetCellStr(b.sheet, at, text))
	}
	if first && len(a.Boxes) > 0 && a.Kind != caseforms.KindChecks {
		b.dropDown(at, a.Label, a.Boxes)
	}
}

// wholeDate is the date an answer is, when it is one and prints as nothing else.
func wholeDate(a *caseforms.Answer) (time.Time, bool) {
	if a.State != caseforms.Answered || a.Kind != caseforms.KindDate && a.Kind != caseforms.KindPartialDate {
		return time.Time{}, false
	}
	t, err := time.Parse(time.DateOnly, a.Value)
	return t, err == nil && t.Format(time.DateOnly) >= "1900-03-01" // spreadsheets disagree about the days before
}

// dropDown offers the options of a question. They stand on a sheet of their own, because a list inside the cell's rule may have only 255
// characters.
func (b *book) dropDown(cells, label string, options []caseforms.Box) {
	var all []string
	for _, o := range options {
		all = append(all, o.Label)
	}
	key := strings.Join(all, "\n")
	ref, ok := b.lists[key]
	if !ok {
		if b.used == 0 {
			_, err := b.f.NewSheet(listSheet)
			b.check(err)
		}
		b.used++
		c := column(b.used)
		for i, o := range all {
			b.check(b.f.SetCellStr(listSheet, fmt.Sprintf("%s%d", c, i+1), clean(o)))
		}
		ref = fmt.Sprintf("%s!$%s$1:$%s$%d", listSheet, c, c, len(all))
		b.lists[key] = ref
	}
	dv := excelize.NewDataValidation(true)
	dv.Sqref = cells
	dv.SetSqrefDropList(ref)
	// "Not known: why" must stay possible, so the list only offers.
	dv.ShowErrorMessage = false
	b.check(b.f.AddDataValidation(b.sheet, dv))
}

func (b *book) gridWidth(c gridCell) float64 { return b.chars(c.to - c.from + 1) }

func (b *book) answerCell(a *caseforms.Answer, from, to int) gridCell {
	c := gridCell{from: from, to: to, text: a.Text, style: styleValue, answer: a}
	if muted(a) {
		c.style = styleMuted
	}
	return c
}

func (b *book) para(style int, text string) {
	b.put([]gridCell{{from: 1, to: gridColumns, text: text, style: style}}, b.gridWidth)
}

func (b *book) block(bl *block) {
	switch bl.kind {
	case blockHeading:
		b.row++
		style := styleHeading
		if bl.level == 3 {
			style = styleHeading3
		}
		b.span(1, gridColumns, style, bl.text)
		b.height(19 * float64(lineCount(bl.text, 78)))
		b.row++
	case blockPara, blockNote:
		b.para(stylePlain, bl.text)
	case blockBanner:
		a := bl.answers[0]
		b.put([]gridCell{{from: 1, to: gridColumns, text: a.Label, style: stylePlain}}, b.gridWidth)
		c := b.answerCell(a, 1, gridColumns)
		c.style = styleStrong
		b.put([]gridCell{c}, func(gridCell) float64 { return 72 })
	case blockRows, blockSignature:
		for _, a := range bl.answers {
			b.put([]gridCell{{from: 1, to: 4, text: a.Label, style: styleLabel}, b.answerCell(a, 5, gridColumns)}, b.gridWidth)
		}
	case blockPairs:
		b.pairs(bl.answers)
	case blockGrid:
		n := gridColumns / len(bl.answers)
		var head, body []gridCell
		for i, a := range bl.answers {
			from := i*n + 1
			head = append(head, gridCell{from: from, to: from + n - 1, text: a.Label, style: styleLabel})
			body = append(body, b.answerCell(a, from, from+n-1))
		}
		b.put(head, b.gridWidth)
		b.put(body, b.gridWidth)
	case blockNarrative:
		a := bl.answers[0]
		b.put([]gridCell{{from: 1, to: gridColumns, text: a.Label, style: styleLabel}}, b.gridWidth)
		c := b.answerCell(a, 1, gridColumns)
		if c.text == "" {
			c.text = strings.Repeat("\n", max(3, a.Rows))
		}
		b.put([]gridCell{c}, b.gridWidth)
	case blockTicks:
		a := bl.answers[0]
		b.put([]gridCell{{from: 1, to: gridColumns, text: a.Label, style: styleLabel}}, b.gridWidth)
		for i := 0; i < len(a.Boxes); i += 2 {
			cells := []gridCell{{from: 1, to: 6, text: boxed(a.Boxes[i]), style: styleValue}}
			if i+1 < len(a.Boxes) {
				cells = append(cells, gridCell{from: 7, to: gridColumns, text: boxed(a.Boxes[i+1]), style: styleValue})
			}
			b.put(cells, b.gridWidth)
		}
	case blockTable:
		b.table(bl)
	case blockChart:
		b.chart(bl)
	case blockLetter:
		b.para(stylePlain, letterText(bl.runs))
	}
}

func (b *book) pairs(answers []*caseforms.Answer) {
	for i := 0; i < len(answers); {
		var cells []gridCell
		put := func(a *caseforms.Answer, from int) {
			cells = append(cells, gridCell{from: from, to: from + 1, text: a.Label, style: styleLabel}, b.answerCell(a, from+2, from+5))
		}
		a := answers[i]
		i++
		if a.Column == 2 {
			put(a, 7)
		} else {
			put(a, 1)
			if i < len(answers) && answers[i].Column == 2 {
				put(answers[i], 7)
				i++
			}
		}
		b.put(cells, b.gridWidth)
	}
}

// table writes a repeating part: on the form's grid when its columns have room there, else on a sheet of its own.
func (b *book) table(bl *block) {
	t := bl.table
	if len(t.Columns) > 6 {
		b.ownSheet(t)
		return
	}
	total := 0
	for _, c := range t.Columns {
		total += c.Width
	}
	if bl.text != "" {
		b.span(1, gridColumns, styleHeading3, bl.text)
		b.height(17 * float64(lineCount(bl.text, 84)))
		b.row++
	}
	edges := make([]int, len(t.Columns)+1)
	sum := 0
	for i, c := range t.Columns {
		sum += c.Width
		edges[i+1] = max(edges[i]+1, min(gridColumns-(len(t.Columns)-1-i), (sum*gridColumns+total/2)/total))
	}
	edges[len(t.Columns)] = gridColumns
	var head []gridCell
	for i, c := range t.Columns {
		head = append(head, gridCell{from: edges[i] + 1, to: edges[i+1], text: c.Label, style: styleLabel})
	}
	b.put(head, b.gridWidth)
	for r := range t.Rows {
		var cells []gridCell
		for i := range t.Rows[r].Cells {
			cells = append(cells, b.answerCell(&t.Rows[r].Cells[i], edges[i]+1, edges[i+1]))
		}
		b.put(cells, b.gridWidth)
	}
}

// ownSheet writes a wide repeating part as a table of its own that can be sorted and filtered, and points to it from the form.
func (b *book) ownSheet(t *caseforms.Table) {
	form, row := b.sheet, b.row
	name := b.newSheet(t.Label)
	b.sheet, b.row = name, 1
	b.page(name, "landscape", (len(t.Columns)+8)/9)
	lead := 0 // columns before those of the table: of what a row is called
	if slices.ContainsFunc(t.Rows, func(r caseforms.Row) bool { return r.Heading != "" }) {
		lead = 1
	}
	last := column(lead + len(t.Columns))
	const typical, narrowest = 19, 10
	b.check(b.f.SetColWidth(name, "A", last, typical))
	width := func(gridCell) float64 { return typical - 1 }
	total := 0
	for _, c := range t.Columns {
		total += c.Width
	}
	if t.Layout == caseforms.LayoutTable && total > 0 {
		ws := make([]float64, lead+len(t.Columns))
		for i := range ws {
			ws[i] = typical
			if i >= lead {
				ws[i] = max(narrowest, float64(typical*len(t.Columns)*t.Columns[i-lead].Width/total))
			}
			b.check(b.f.SetColWidth(name, column(i+1), column(i+1), ws[i]))
		}
		width = func(c gridCell) float64 { return ws[c.from-1] - 1 }
	}
	var head []gridCell
	seen := map[string]bool{}
	if lead > 0 {
		head = append(head, gridCell{from: 1, to: 1, text: t.Label, style: styleLabel})
		seen[strings.ToLower(t.Label)] = true
	}
	for i, c := range t.Columns {
		label := c.Label
		for seen[strings.ToLower(label)] {
			label += " "
		}
		seen[strings.ToLower(label)] = true
		head = append(head, gridCell{from: lead + i + 1, to: lead + i + 1, text: label, style: styleLabel})
	}
	b.put(head, width)
	for r := range t.Rows {
		at := map[string]*caseforms.Answer{}
		for a := range t.Rows[r].Answers {
			at[a.Key[strings.LastIndexByte(a.Key, '.')+1:]] = a
		}
		var cells []gridCell
		if lead > 0 {
			cells = append(cells, gridCell{from: 1, to: 1, text: t.Rows[r].Heading, style: styleLabel, repeat: true})
		}
		for i, c := range t.Columns {
			a := at[c.Key]
			if t.Layout == caseforms.LayoutTable && i < len(t.Rows[r].Cells) { // a cell for each column, as the other writers take them
				a = &t.Rows[r].Cells[i]
			}
			if n := lead + i + 1; a != nil {
				cells = append(cells, b.answerCell(a, n, n))
			} else {
				cells = append(cells, gridCell{from: n, to: n, style: styleValue})
			}
		}
		b.put(cells, width)
	}
	b.check(b.f.AddTable(name, &excelize.Table{Range: fmt.Sprintf("A1:%s%d", last, max(b.row-1, 2)), Name: fmt.Sprintf("Table%d", len(b.names)), StyleName: ""}))
	b.check(b.f.SetPanes(name, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}))
	b.check(b.f.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: "'" + name + "'!$A:$A,'" + name + "'!$1:$1", Scope: name}))
	b.sheet, b.row = form, row
	b.para(stylePlain, fmt.Sprintf("%s: %d, %s \"%s\"", t.Label, len(t.Rows), b.doc.Words("see_sheet"), name))
}

// The fills of bars as excelize takes them, and those of the other writers that stand in their place in the end: it has neither a pattern
// nor an outline.
var barFills = [...]struct{ colour, fill string }{
	fullBar:    {"1A4261", `<a:solidFill><a:srgbClr val="1A4261"/></a:solidFill>`},
	hatchedBar: {"1A4262", `<a:pattFill prst="wdUpDiag"><a:fgClr><a:srgbClr val="1A4261"/></a:fgClr><a:bgClr><a:srgbClr val="FFFFFF"/></a:bgClr></a:pattFill>`},
	emptyBar:   {"1A4263", `<a:solidFill><a:srgbClr val="FFFFFF"/></a:solidFill>`},
}

const barOutline = `<a:ln w="9525"><a:solidFill><a:srgbClr val="1A4261"/></a:solidFill></a:ln>`

// chart writes a chart under its caption, and under that its numbers, from which it is drawn.
func (b *book) chart(bl *block) {
	c := bl.chart
	if bl.text != "" {
		b.span(1, gridColumns, styleHeading3, bl.text)
		b.height(17 * float64(lineCount(bl.text, 84)))
		b.row++
	}
	const rowPixels = 20 // rowPoints on a screen
	at := b.cell(1)
	pixels := 50 + 30*min(len(c.Series)-1, 1)
	for _, g := range c.Groups {
		pixels += max(len(c.Series)*16+8, 14*lineCount(oneLine(g.Label), b.chars(4)))
	}
	page := 900 // what a page has room for
	if b.doc.Landscape {
		page = 560
	}
	pixels = min(pixels, page)
	for range (pixels + rowPixels - 1) / rowPixels {
		b.height(rowPoints)
		b.row++
	}
	edges := []int{gridColumns - 2*len(c.Series)}
	head := []gridCell{{from: 1, to: edges[0], style: styleLabel}}
	for i, s := range c.Series {
		edges = append(edges, edges[i]+2)
		head = append(head, gridCell{from: edges[i] + 1, to: edges[i+1], text: s, style: styleLabel})
	}
	headRow := b.row
	b.put(head, b.gridWidth)
	first := b.row
	for _, g := range c.Groups {
		cells := []gridCell{{from: 1, to: edges[0], text: g.Label, style: styleLabel}}
		for i := range g.Values {
			cells = append(cells, gridCell{from: edges[i] + 1, to: edges[i+1], number: &g.Values[i], style: styleNumber})
		}
		b.put(cells, b.gridWidth)
	}
	sheet := "'" + strings.ReplaceAll(b.sheet, "'", "''") + "'!"
	numbers := func(col int) string {
		return fmt.Sprintf("%s$%s$%d:$%s$%d", sheet, column(col), first, column(col), b.row-1)
	}
	varied, gap, overlap := false, uint(40), 0
	zero, end := 0.0, max(1, float64(most(c))*1.15) // room for the number behind the longest bar
	font := excelize.Font{Family: typeface, Size: 9, Color: "000000"}
	x := &excelize.Chart{
		Type: excelize.Bar, VaryColors: &varied, GapWidth: &gap, Overlap: &overlap,
		Format:    excelize.GraphicOptions{AltText: inWords(c, c.Groups), Name: oneLine(c.Label), Positioning: "oneCell"},
		Dimension: excelize.ChartDimension{Width: uint(gridColumns * (int(b.wide*7) + 5)), Height: uint(pixels)},
		Legend:    excelize.ChartLegend{Position: "none", Font: &font},
		XAxis:     excelize.ChartAxis{ReverseOrder: true, Font: font},
		YAxis:     excelize.ChartAxis{None: true, Minimum: &zero, Maximum: &end, Font: font},
		PlotArea:  excelize.ChartPlotArea{ShowVal: true, NumFmt: excelize.ChartNumFmt{CustomNumFmt: "#,##0"}},
		Border:    excelize.LineOptions{Type: excelize.LineNone},
	}
	if len(c.Series) > 1 {
		x.Legend.Position = "top"
	}
	for i := range c.Series {
		x.Series = append(x.Series, excelize.ChartSeries{
			Name:       fmt.Sprintf("%s$%s$%d", sheet, column(edges[i]+1), headRow),
			Categories: numbers(1), Values: numbers(edges[i] + 1),
			Fill:      excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{barFills[i].colour}},
			DataLabel: excelize.ChartDataLabel{Font: font}, DataLabelPosition: excelize.ChartDataLabelsPositionOutsideEnd,
		})
	}
	b.check(b.f.AddChart(b.sheet, at, x))
	b.charts++
	b.finishChart(fmt.Sprintf("xl/charts/chart%d.xml", b.charts))
	b.row++
}

// finishChart gives a chart what excelize has no setting for: the fills and outlines of its bars, and numbers that are not broken into lines.
func (b *book) finishChart(part string) {
	raw, ok := b.f.Pkg.Load(part)
	if !ok {
		b.check(errors.New("there is no " + part))
		return
	}
	s := string(raw.([]byte))
	for _, f := range barFills {
		s = strings.ReplaceAll(s, `<a:solidFill><a:srgbClr val="`+f.colour+`"></a:srgbClr></a:solidFill>`, f.fill+barOutline)
	}
	const numbers = ` spcFirstLastPara="false"></a:bodyPr>`
	s = strings.ReplaceAll(s, numbers, ` wrap="none"`+numbers)
	b.f.Pkg.Store(part, []byte(s))
}
