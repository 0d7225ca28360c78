package intake

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"caseforms"
)

// Row is one case as it stands in the file.
type Row struct {
	Number int  // of the row, as its program shows it; of a text file the line
	First  int  // the row of the file that came first, when this one corrects rows of it; else Number
	Same   int  // an earlier row about the same person, 0 when there is none
	Shared bool // another row, earlier or later, is about the same person

	at  int64
	row *row
}

// Next is the next case; io.EOF after the last. It is for one goroutine; what [Cases.Read] makes of a row is for any.
func (c *Cases) Next() (*Row, error) {
	for {
		r, at, err := c.cur.next()
		if err != nil {
			return nil, err
		}
		main := c.sheets[0]
		if c.Format != "jsonl" && (!main.isCase(r) || c.isExample(main, r)) {
			continue
		}
		out := &Row{Number: r.number, First: r.number, Same: c.same[r.number], at: at, row: r}
		out.Shared = out.Same > 0 || c.shared[r.number]
		if main.row >= 0 {
			if v := r.at(main.row); v != nil {
				if n, err := strconv.ParseFloat(strings.TrimSpace(v.text), 64); err == nil && n >= 1 && n < 1<<31 && n == math.Trunc(n) {
					out.First = int(n)
				}
			}
		}
		return out, nil
	}
}

// Record is what was made of a row.
type Record struct {
	JSON     []byte              // the case record
	Problems []caseforms.Problem // cells that were not understood; the record lacks them
	DayFirst []string            // labels of columns with dates such as 3/5/2014, read with the day first

	cells []taken
	items map[string][]*row // by list: the rows of its sheet that are items of the case
	first map[string]int    // by list: how many items stand beside the case, before those
}

// taken is a cell that was read.
type taken struct {
	path string // with indexes as #00001, so that paths sort
	json []byte
}

// maxItems is how many items of one list a case may have.
const maxItems = 5000

// Read turns a row into a case record.
func (c *Cases) Read(r *Row) (*Record, error) {
	if c.Format == "jsonl" {
		return &Record{JSON: []byte(r.row.cells[0].text)}, nil
	}
	rec := &Record{items: map[string][]*row{}, first: map[string]int{}, cells: make([]taken, 0, len(r.row.cells)+32)}
	main := c.sheets[0]
	if r.row.wide {
		rec.Problems = append(rec.Problems, caseforms.Problem{Severity: caseforms.Blocking, Msg: "has more cells than there are headings",
			Hint: "a text with the separator in it must stand in quotation marks"})
	}
	// Items beside the case, such as children[0].name, come before those of a sheet; what is blank is no item.
	places := map[string]map[int]int{}
	for _, v := range r.row.cells {
		if v.col < len(main.columns) && main.columns[v.col].fact != nil && main.columns[v.col].list != "" {
			q := &main.columns[v.col]
			if places[q.list] == nil {
				places[q.list] = map[int]int{}
			}
			places[q.list][q.item] = 0
		}
	}
	for list, m := range places {
		var order []int
		for i := range m {
			order = append(order, i)
		}
		slices.Sort(order)
		for n, i := range order {
			m[i] = n
		}
		rec.first[list] = len(order)
	}
	for i := range r.row.cells {
		v := &r.row.cells[i]
		if v.col >= len(main.columns) || main.columns[v.col].fact == nil {
			continue
		}
		q := &main.columns[v.col]
		path := q.fact.Key
		if q.list != "" {
			path = q.list + indexed(places[q.list][q.item]) + q.fact.Key
		}
		c.take(rec, q, path, v)
	}
	ref := main.ref(r.row)
	for _, s := range c.sheets[1:] {
		if s.index == nil || s.index.n == 0 || ref == "" {
			continue
		}
		at, err := s.index.find(c.hash(ref))
		if err != nil {
			return nil, err
		}
		list := s.table.List
		for n, at := range at {
			if n >= maxItems {
				rec.Problems = append(rec.Problems, caseforms.Problem{Severity: caseforms.Blocking, Key: list, Label: s.table.Title, Msg: fmt.Sprintf("has more than %d rows", maxItems)})
				break
			}
			item, err := s.spool.row(at)
			if err != nil {
				return nil, err
			}
			i := rec.first[list] + len(rec.items[list])
			rec.items[list] = append(rec.items[list], item)
			for j := range item.cells {
				v := &item.cells[j]
				if v.col < len(s.columns) && s.columns[v.col].fact != nil {
					c.take(rec, &s.columns[v.col], list+indexed(i)+s.columns[v.col].fact.Key, v)
				}
			}
		}
	}
	slices.SortStableFunc(rec.cells, func(a, b taken) int { return cmp.Compare(a.path, b.path) })
	rec.JSON = c.assemble(rec)
	return rec, nil
}

// indexed stands for an index in a path. It sorts by number and before every key.
func indexed(i int) string { return "." + fmt.Sprintf("#%05d", i) + "." }

// plainPath is a path as problems name it.
func plainPath(path string) string {
	for {
		i := strings.Index(path, ".#")
		if i < 0 {
			return path
		}
		end := strings.IndexByte(path[i+1:], '.')
		n, rest := path[i+2:], ""
		if end >= 0 {
			n, rest = path[i+2:i+1+end], path[i+1+end:]
		}
		num, _ := strconv.Atoi(n)
		path = path[:i] + "[" + strconv.Itoa(num) + "]" + rest
	}
}

// take reads a cell into the record.
func (c *Cases) take(rec *Record, col *column, path string, v *cell) {
	q := col.fact
	wrong := func(msg, hint string) {
		rec.Problems = append(rec.Problems, caseforms.Problem{Severity: caseforms.Blocking, Key: plainPath(path), Label: q.Label, Msg: msg, Hint: hint})
	}
	text, msg, hint := textOf(q, v)
	if msg != "" {
		wrong(msg, hint)
		return
	}
	value, err := c.defs.ReadCell(q, text)
	switch {
	case err != nil:
		wrong(err.Error(), c.mayBe(q))
		return
	case value.JSON == nil:
		return
	}
	if value.DayFirst && col.monthFirst > 0 && !col.dayFirst {
		wrong(fmt.Sprintf("may have the month first, because the date in row %d of this column has", col.monthFirst), "write the month as a word, such as 2 March 1985, or the date as 1985-03-02")
		return
	}
	if value.DayFirst && !slices.Contains(rec.DayFirst, q.Label) {
		rec.DayFirst = append(rec.DayFirst, q.Label)
	}
	rec.cells = append(rec.cells, taken{path, value.JSON})
}

// mayBe tells what a cell may hold.
func (c *Cases) mayBe(q *caseforms.CaseColumn) string {
	if q.Kind == caseforms.KindList {
		return ""
	}
	all := c.defs.Choices(q)
	if len(all) == 0 {
		return ""
	}
	return "one of: " + strings.Join(all, "; ")
}

// textOf is the text of a cell as [caseforms.Definitions.ReadCell] understands it, or why there is none.
func textOf(q *caseforms.CaseColumn, v *cell) (text, wrong, hint string) {
	yesNo := q.Kind == caseforms.KindYesNo || q.Kind == caseforms.KindYesNoUnknown
	const untouched = "has FALSE, which a tick box that nobody touched has as well"
	dated := q.Kind == caseforms.KindDate || q.Kind == caseforms.KindPartialDate || q.Kind == caseforms.KindDateTime
	switch v.kind {
	case cellUnsolved:
		return "", "has a formula that was never worked out", "open the file in Excel or LibreOffice and save it, or write the value itself"
	case cellError:
		return "", "has " + v.text + ", which is what a formula came to and no answer", "write the value itself"
	case cellBool:
		switch {
		case len(q.Options) == 0 && !yesNo:
			return "", "has TRUE or FALSE, which is no answer here", "write the answer itself"
		case isTrue(v.text):
			return "yes", "", ""
		}
		return "", untouched, "write No, or what there is to say if it is not known"
	case cellDate, cellMoment, cellTime:
		return v.text, "", ""
	case cellNumber:
		f, err := strconv.ParseFloat(v.text, 64)
		if err != nil {
			return "", "is not a number that can be read", ""
		}
		if dated && !(q.Kind == caseforms.KindPartialDate && f < 3000) {
			return "", "is a number and not a date", "give the column a date format, or write the date as 3 May 2014"
		}
		if q.Kind == caseforms.KindTime {
			return "", "is a number and not a time", "write it as 14:30"
		}
		text = strconv.FormatFloat(f, 'f', -1, 64)
		if digits := strings.Trim(text, "-"); len(digits) > 15 && !strings.Contains(text, ".") {
			return "", "is a number of more than 15 digits, of which a workbook does not keep the last", "give the column the format Text and write it again"
		}
		if q.Kind == caseforms.KindPhone && len(text) == 10 && text[0] != '0' {
			return "", "is a number, so that its leading zero is lost", "give the column the format Text and write it again"
		}
		return text, "", ""
	}
	if yesNo && strings.EqualFold(strings.TrimSpace(v.text), "false") { // in a text file
		return "", untouched, "write No, or what there is to say if it is not known"
	}
	return v.text, "", ""
}

func isTrue(text string) bool { return text == "1" || strings.EqualFold(text, "true") }

// assemble writes the cells, which are in the order of their paths, as one JSON object.
func (c *Cases) assemble(rec *Record) []byte {
	a := assembler{c: c, rec: rec}
	a.out = make([]byte, 0, 4096)
	a.group(rec.cells, 0)
	return a.out
}

type assembler struct {
	c   *Cases
	rec *Record
	out []byte
}

// group writes what the cells have in common up to a place in their paths.
func (a *assembler) group(cells []taken, from int) {
	list := len(cells) > 0 && strings.HasPrefix(cells[0].path[from:], "#")
	if list {
		a.out = append(a.out, '[')
	} else {
		a.out = append(a.out, '{')
	}
	for i, n := 0, 0; i < len(cells); n++ {
		name, _, below := strings.Cut(cells[i].path[from:], ".")
		end := i + 1
		for end < len(cells) && cells[end].path[from:min(len(cells[end].path), from+len(name))] == name && (len(cells[end].path) == from+len(name) || cells[end].path[from+len(name)] == '.') {
			end++
		}
		if n > 0 {
			a.out = append(a.out, ',')
		}
		if !list {
			a.out = append(append(append(a.out, '"'), name...), `":`...)
		}
		switch {
		case !below && end == i+1:
			a.out = append(a.out, cells[i].json...)
		case !below: // why there are none, and some
			q := cells[i].path
			label := q
			if col := a.c.defs.Column(plainPath(q)); col != nil {
				label = col.Label
			}
			a.rec.Problems = append(a.rec.Problems, caseforms.Problem{Severity: caseforms.Blocking, Key: plainPath(q), Label: label, Msg: "says that there are none, but there are rows of them",
				Hint: "take out the one or the other"})
			a.group(cells[i+1:end], from+len(name)+1)
		case end == i+1 && cells[i].json[0] == '{' && strings.HasSuffix(cells[i].path, ".lines") && len(cells[i].path) == from+len(name)+len(".lines"):
			a.out = append(a.out, cells[i].json...) // why there is no address, and not why it has no lines
		default:
			a.group(cells[i:end], from+len(name)+1)
		}
		i = end
	}
	if list {
		a.out = append(a.out, ']')
	} else {
		a.out = append(a.out, '}')
	}
}

// BackSheet is a sheet on which rejected rows are given back, in the user's own columns.
type BackSheet struct {
	Name    string
	Table   *caseforms.CaseTable
	Columns []BackColumn
	Link    int // the column that says whose row it is, -1
}

// BackColumn is a column of a [BackSheet]. Fact is nil of one that is not read.
type BackColumn struct {
	Head  string
	Key   string // as a heading may name it; empty of a column that is not read
	Fact  *caseforms.CaseColumn
	Width float64 // in characters; 0 when it is not known
	from  int     // the column of the file, -1 of one that was added
}

// Back are the sheets as rejected rows are given back on them, the first that of the cases; of a file of records there are none. They have the user's own columns in their order, without those that are ours, and
// after them columns for the paths named, which are answers that rows lack and the file has no column for.
func (c *Cases) Back(lacking []string) []BackSheet {
	if c.Format == "jsonl" {
		return nil
	}
	var out []BackSheet
	for n, s := range c.sheets {
		b := BackSheet{Name: s.name, Table: s.table, Link: -1}
		for col := range s.columns {
			q := &s.columns[col]
			if q.ours {
				continue
			}
			sc := BackColumn{Head: s.heads[col], Fact: q.fact, from: col}
			if s.facts != nil {
				sc.Width = s.facts.widths[col]
			}
			if q.fact != nil {
				sc.Key = q.fact.Key
				if q.list != "" {
					sc.Key = q.list + "[" + strconv.Itoa(q.item) + "]." + q.fact.Key
				}
			}
			if col == s.link {
				b.Link = len(b.Columns)
			}
			b.Columns = append(b.Columns, sc)
		}
		if n == 0 {
			for _, p := range lacking {
				for i := range s.table.Columns {
					if q := &s.table.Columns[i]; q.Key == p {
						b.Columns = append(b.Columns, BackColumn{Head: q.Label, Key: q.Key, Fact: q, from: -1})
					}
				}
			}
		}
		out = append(out, b)
	}
	return out
}

// Lacking is the path of the question's column that the file does not have, empty when the problem has a cell or a column, or needs none.
func (c *Cases) Lacking(rec *Record, key string) string {
	if c.Format == "jsonl" || key == "" {
		return ""
	}
	if _, ok := c.Locate(rec, key); ok {
		return ""
	}
	for _, q := range c.sheets[0].table.Columns {
		if q.Key == key || strings.HasPrefix(q.Key, key+".") {
			return q.Key
		}
	}
	return ""
}

// Spot is a cell of a row: of the case, or of an item of it on another sheet.
type Spot struct {
	Sheet  int // among those of [Cases.Back]
	Item   int // on another sheet: which of the case's rows there, from 0
	Column int // of the file
}

// Locate finds the cell that a problem is about by its key path: the one whose value it is, else the one where it would be.
func (c *Cases) Locate(rec *Record, key string) (Spot, bool) {
	main := c.sheets[0]
	list, i, rest, inItem := splitIndex(key)
	if inItem {
		for n, s := range c.sheets[1:] {
			if s.table.List != list || i < rec.first[list] || i-rec.first[list] >= len(rec.items[list]) {
				continue
			}
			for col := range s.columns {
				if q := s.columns[col].fact; q != nil && (q.Key == rest || strings.HasPrefix(q.Key, rest+".") || rest == "") {
					return Spot{n + 1, i - rec.first[list], col}, true
				}
			}
			return Spot{n + 1, i - rec.first[list], max(0, s.link)}, true
		}
		for col, q := range main.columns {
			if q.fact != nil && q.list == list && q.item == i && (q.fact.Key == rest || strings.HasPrefix(q.fact.Key, rest+".")) {
				return Spot{Column: col}, true
			}
		}
		key = list
	}
	best, found := Spot{}, false
	for col, q := range main.columns {
		switch {
		case q.fact == nil:
		case q.list == "" && q.fact.Key == key:
			return Spot{Column: col}, true
		case !found && (q.list == "" && strings.HasPrefix(q.fact.Key, key+".") || q.list == key):
			best, found = Spot{Column: col}, true
		}
	}
	return best, found
}

func splitIndex(key string) (list string, i int, rest string, ok bool) {
	list, after, found := strings.Cut(key, "[")
	if !found {
		return "", 0, "", false
	}
	num, rest, found := strings.Cut(after, "]")
	i, err := strconv.Atoi(num)
	return list, i, strings.TrimPrefix(rest, "."), found && err == nil
}

// BackCell is one cell of a row that is given back. Text is what a person would read; of a date in ISO form.
type BackCell struct {
	Text   string
	Date   bool
	Number bool
	Bool   bool // true or false of the workbook
}

// BackRow gives the cells of a row, or of an item of it, for the columns of a sheet of [Cases.Back].
// Cells for which there is no heading stand behind them.
func (c *Cases) BackRow(s *BackSheet, r *Row) []BackCell {
	out := backCells(s, r.row)
	for _, v := range r.row.cells {
		if r.row.wide && v.col >= len(c.sheets[0].columns) {
			out = append(out, BackCell{Text: v.text})
		}
	}
	return out
}

// BackItems gives the rows that a case has on another sheet.
func (c *Cases) BackItems(s *BackSheet, rec *Record) (out [][]BackCell) {
	for _, item := range rec.items[s.Table.List] {
		out = append(out, backCells(s, item))
	}
	return out
}

func backCells(s *BackSheet, r *row) []BackCell {
	out := make([]BackCell, len(s.Columns))
	for i, col := range s.Columns {
		if col.from < 0 {
			continue
		}
		v := r.at(col.from)
		if v == nil {
			continue
		}
		out[i] = BackCell{Text: v.text, Date: v.kind == cellDate, Number: v.kind == cellNumber}
		switch v.kind {
		case cellBool:
			out[i].Bool, out[i].Text = true, strconv.FormatBool(isTrue(v.text))
		case cellUnsolved: // so that it is refused again until somebody writes the value
			out[i].Text = sheetErrors[0]
		}
	}
	return out
}

// Position is where a column of the file stands among those of a sheet of [Cases.Back], -1 when it is not there.
func (s *BackSheet) Position(column int) int {
	return slices.IndexFunc(s.Columns, func(c BackColumn) bool { return c.from == column })
}

// Forget leaves of a row only where it is; see [Cases.Recall].
func (r *Row) Forget() *Row {
	out := *r
	out.row = nil
	return &out
}

// Recall reads a row again that was forgotten.
func (c *Cases) Recall(r *Row) (*Row, error) {
	if r.row != nil {
		return r, nil
	}
	row, err := c.sheets[0].spool.row(r.at)
	if err != nil {
		return nil, err
	}
	out := *r
	out.row = row
	return &out, nil
}
