package intake

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"caseforms"
)

// Cases are the cases of a file that somebody hands in: a workbook with a row a case, a text file with separators, or one with a case record
// a line. The file is read once, by [OpenCases], which finds everything that is wrong with it as a whole; its rows are then had one
// by one, in order, each turned into a case record for [caseforms.Definitions.Decode]. Memory does not grow with the rows: they lie in working
// files of the folder given.
type Cases struct {
	Format string              // "xlsx", "csv" or "jsonl"
	Count  int                 // of cases
	Notes  []caseforms.Problem // what is to be told of the file: warnings, each once

	defs   *caseforms.Definitions
	form   *caseforms.Form
	tables []caseforms.CaseTable
	sheets []*sheet // the first is that of the cases
	lists  map[string]*sheet
	same   map[int]int  // row -> an earlier row with the same person
	shared map[int]bool // those earlier rows
	seed   maphash.Seed
	cur    *cursor
}

// sheet is one sheet of the file and what its columns are.
type sheet struct {
	name    string
	table   *caseforms.CaseTable
	heads   []string // of every column, as they stand there
	columns []column // by column; those that stand for nothing have no fact
	link    int      // the column that says whose row it is, -1 when there is none
	row     int      // the column with the row of the first file, -1
	facts   *sheetFacts
	spool   *spool
	start   int64 // where the rows below the headings begin
	index   *index
}

// column is what one column of a sheet stands for.
type column struct {
	fact *caseforms.CaseColumn
	list string // of a column such as children[0].name beside those of the case
	item int
	ours bool // ours to write, such as what is wrong with the row
	// monthFirst is a row in which the date can only have the month first; 0 when there is none, or another can only have the day first.
	monthFirst int
	dayFirst   bool
}

// path is where the column's value stands in the case record, in which i is its item.
func (s *sheet) path(c *column, i int) string {
	switch {
	case s.table.List != "":
		return s.table.List + "[" + strconv.Itoa(i) + "]." + c.fact.Key
	case c.list != "":
		return c.list + "[" + strconv.Itoa(c.item) + "]." + c.fact.Key
	}
	return c.fact.Key
}

func unwritable(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "a working file cannot be written", Err: err, Hint: "is there room on the disk, and may you write into the folder?"}
}

func unreadable(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the file cannot be read", Err: err}
}

// OpenCases reads a file of cases for a form. Its working files are in the folder, which must be there and nobody else's; see [CleanWork].
// An error says what is wrong with the file as a whole: nothing can be made of any row then.
func OpenCases(ctx context.Context, name, dir string, d *caseforms.Definitions, f *caseforms.Form) (_ *Cases, err error) {
	in, err := os.Open(name)
	if err != nil {
		return nil, unreadable(err)
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "this is not a file", Hint: "give an Excel workbook (.xlsx), a .csv or a file with one case record a line (.jsonl)"}
	}
	head := make([]byte, 8)
	n, _ := io.ReadFull(in, head) // a short file has a short beginning
	head = head[:n]
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return nil, unreadable(err)
	}
	c := &Cases{defs: d, form: f, tables: d.Tables(f), lists: map[string]*sheet{}, seed: maphash.MakeSeed(), same: map[int]int{}, shared: map[int]bool{}}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		c.Format = "xlsx"
		err = c.workbook(ctx, name, dir)
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return nil, compound(in)
	case bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n"), []byte("{")):
		c.Format = "jsonl"
		err = c.records(ctx, in, dir)
	default:
		c.Format = "csv"
		err = c.separated(ctx, in, dir)
	}
	if err != nil {
		return nil, err
	}
	if c.Format != "jsonl" {
		if err := c.survey(ctx, dir); err != nil {
			return nil, err
		}
	}
	if c.Count == 0 {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is no case in the file", Hint: "write the cases below the headings; the row marked " + d.Word("example_row") + " is none"}
	}
	c.cur = c.sheets[0].spool.from(c.sheets[0].start)
	return c, nil
}

// Close takes the working files away.
func (c *Cases) Close() {
	for _, s := range c.sheets {
		s.spool.close()
		s.index.close()
	}
}

func (c *Cases) note(msg, hint string) {
	c.Notes = append(c.Notes, caseforms.Problem{Severity: caseforms.Warning, Msg: msg, Hint: hint})
}

// compound says what a compound file is: an old workbook, or one sealed with a password (MS-OFFCRYPTO 2.3).
func compound(r io.Reader) error {
	name := []byte{}
	for _, c := range "EncryptedPackage" {
		name = append(name, byte(c), 0)
	}
	data, err := io.ReadAll(io.LimitReader(r, 64<<20))
	if err != nil {
		return unreadable(err)
	}
	if bytes.Contains(data, name) {
		return badBook("the workbook is protected with a password", "open it and save it without one; keep it where only you can read it")
	}
	return badBook("this is a workbook of the old kind (.xls), whatever its name says", "open it and save it as an Excel workbook (.xlsx)")
}

func (c *Cases) workbook(ctx context.Context, name, dir string) error {
	w, err := openWorkbook(name, dir)
	if err != nil {
		return err
	}
	defer w.close()
	if said, ours := strings.CutPrefix(w.said, keyMark); ours {
		if id, _, _ := strings.Cut(said, ":"); id != c.form.ID {
			return c.otherForm(id)
		}
	}
	if w.from1904 {
		c.note("the workbook counts its dates from 1904; they are read so", "")
	}
	var ignored []string
	for _, part := range w.sheets {
		s, head, err := c.readSheet(ctx, w, part, dir)
		if err != nil {
			return err
		}
		if s.spool.rows == 0 {
			s.spool.close()
			continue
		}
		ok, err := c.place(s, head, part)
		if err != nil {
			s.spool.close()
			return err
		}
		if !ok {
			s.spool.close()
			if !c.isOurs(part) {
				ignored = append(ignored, strconv.Quote(clipped(part.name)))
			}
			continue
		}
		if part.hidden {
			c.note(s.where()+" is hidden; it is read all the same", "")
		}
		if len(s.facts.merges) > 0 {
			if err := c.unmerge(s, dir); err != nil {
				return err
			}
		}
		for _, col := range sortedKeys(s.facts.formulas) {
			if col < len(s.columns) && s.columns[col].fact != nil {
				c.note(fmt.Sprintf("%s is worked out by formulas in %s; the values they had when the file was saved are used", s.column(col), count(s.facts.formulas[col], "row")), "")
			}
		}
	}
	if len(c.sheets) == 0 || c.sheets[0].table.List != "" {
		return c.noHeadings()
	}
	if len(ignored) > 0 {
		c.note("not read, because "+plural(len(ignored), "it is", "they are")+" no part of the form: the "+plural(len(ignored), "sheet ", "sheets ")+strings.Join(ignored[:min(len(ignored), 8)], ", "), "")
	}
	return nil
}

func (c *Cases) noHeadings() error {
	var some []string
	for _, q := range c.tables[0].Columns {
		if q.Required && len(some) < 4 {
			some = append(some, strconv.Quote(q.Label))
		}
	}
	return &caseforms.Error{Kind: caseforms.Invalid, Msg: "none of the first rows has a heading that is known", Hint: "the headings are the labels printed on the form, such as " + strings.Join(some, ", ") +
		"; caseforms template " + c.form.ID + " writes a workbook with all of them"}
}

const headRows = 20 // among them the headings are looked for

// readSheet puts the rows of a sheet into a spool; the first of them it returns as well.
func (c *Cases) readSheet(ctx context.Context, w *workbook, part sheetPart, dir string) (*sheet, []placed, error) {
	sp, err := newSpool(dir)
	if err != nil {
		return nil, nil, err
	}
	s := &sheet{name: part.name, spool: sp, link: -1, row: -1}
	var head []placed
	s.facts, err = w.rows(part.part, func(r *row) error {
		if sp.rows&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		at, err := sp.add(r)
		if len(head) < headRows {
			head = append(head, placed{row{number: r.number, cells: slices.Clone(r.cells)}, at})
		}
		return err
	})
	if err == nil {
		err = sp.flush()
	}
	if err != nil {
		sp.close()
		return nil, nil, err
	}
	return s, head, nil
}

type placed struct {
	row
	at int64
}

const keyMark = "caseforms:"

// place finds out what a sheet is and where its headings are; false when it is no part of the form.
func (c *Cases) place(s *sheet, head []placed, part sheetPart) (bool, error) {
	// the hidden row of keys of a workbook of ours says it all
	for i, r := range head {
		if len(r.cells) == 0 || !strings.HasPrefix(r.cells[0].text, keyMark) {
			continue
		}
		said := strings.SplitN(strings.TrimPrefix(r.cells[0].text, keyMark), ":", 3)
		if len(said) < 2 || said[0] != c.form.ID {
			return false, c.otherForm(said[0])
		}
		if said[1] != c.form.Version && len(c.sheets) == 0 {
			c.note("the workbook was made for version "+clipped(said[1])+" of the form; it is read for version "+c.form.Version, "a new one is made by caseforms template "+c.form.ID)
		}
		list := ""
		if len(said) == 3 {
			list = said[2]
		}
		s.table = c.table(list)
		if s.table == nil {
			return false, nil
		}
		if list == "" && len(c.sheets) > 0 && c.sheets[0].table.List == "" || c.lists[list] != nil {
			return false, twoSheets(part)
		}
		var labels *row
		most := -1
		for n := range head[:i] {
			if found := c.known(s.table, &head[n].row); found >= most {
				labels, most = &head[n].row, found
			}
		}
		for n := range head[:i] {
			if r := &head[n].row; r != labels && !c.isBand(s.table, r) {
				return false, &caseforms.Error{Kind: caseforms.Invalid, Msg: fmt.Sprintf("row %d of the sheet %q stands above the row of keys, which is row %d and hidden; it would not be read", r.number, clipped(part.name), head[i].number),
					Hint: "put the headings and the hidden row below them back to the top, and sort or insert only below them"}
			}
		}
		if err := c.match(s, labels, &r.row); err != nil {
			return false, err
		}
		c.begin(s, head, i+1)
		return true, nil
	}
	best, most := -1, 0
	for i := range head {
		if n := c.known(&c.tables[0], &head[i].row); n > most {
			best, most = i, n
		}
	}
	for i := range c.tables[1:] {
		t := &c.tables[i+1]
		if !called(part.name, t) || c.lists[t.List] != nil {
			continue
		}
		s.table = t
		best, most = -1, 0
		for i := range head {
			if n := c.known(t, &head[i].row); n > most {
				best, most = i, n
			}
		}
		break
	}
	if best < 0 {
		return false, nil
	}
	if s.table == nil && len(c.sheets) > 0 && c.sheets[0].table.List == "" {
		read := 0
		for _, col := range c.sheets[0].columns {
			if col.fact != nil {
				read++
			}
		}
		if most > 1 && 2*most >= read && best+1 < len(head) && !c.isOurs(part) { // no list of names beside the cases, but cases
			return false, twoSheets(part)
		}
		return false, nil
	}
	if s.table == nil {
		s.table = &c.tables[0]
	}
	if best > 0 && c.keysAlone(s.table, &head[best].row) {
		best--
	}
	labels, first, keys := &head[best].row, best+1, (*row)(nil)
	if first < len(head) && c.keysAlone(s.table, &head[first].row) {
		keys, first = &head[first].row, first+1
	}
	if err := c.match(s, labels, keys); err != nil {
		return false, err
	}
	c.begin(s, head, first)
	return true, nil
}

// isBand tells whether a row above the headings is one of titles: of the sheet, or of the sections of the form. Cases that were sorted to there are not.
func (c *Cases) isBand(t *caseforms.CaseTable, r *row) bool {
	if len(r.cells) < 2 {
		return true
	}
	return r.cells[0].col > 0 && slices.ContainsFunc(r.cells, func(v cell) bool {
		return slices.ContainsFunc(t.Columns, func(q caseforms.CaseColumn) bool {
			return q.Section != "" && caseforms.Heading(q.Section) == caseforms.Heading(v.text)
		})
	})
}

// isOurs tells whether a sheet is one that a template has beside those of the cases.
func (c *Cases) isOurs(part sheetPart) bool {
	name := caseforms.Heading(part.name)
	return part.hidden || name == caseforms.Heading(c.defs.Word("sheet_guidance")) || name == "lists"
}

func twoSheets(part sheetPart) error {
	return &caseforms.Error{Kind: caseforms.Invalid, Msg: fmt.Sprintf("the sheet %q has the same headings as one before it; its rows would not be read", clipped(part.name)),
		Hint: "put the rows onto one sheet, or save this sheet as a workbook of its own"}
}

func (c *Cases) otherForm(id string) error {
	return &caseforms.Error{Kind: caseforms.Invalid, Msg: "this workbook was made for the form " + strconv.Quote(clipped(id)) + ", not for " + c.form.ID,
		Hint: "name that form, or copy the rows into a workbook made by caseforms template " + c.form.ID}
}

// called tells whether a sheet has the name of a list. A spreadsheet lets a name have 31 letters.
func called(name string, t *caseforms.CaseTable) bool {
	h := caseforms.Heading(name)
	for _, n := range []string{t.Title, t.List, t.List[strings.LastIndexByte(t.List, '.')+1:]} {
		if n = caseforms.Heading(n); h == n || len([]rune(name)) > 25 && strings.HasPrefix(n, h) {
			return true
		}
	}
	return false
}

// begin takes a sheet in; its rows begin at the one given.
func (c *Cases) begin(s *sheet, head []placed, first int) {
	s.start = s.spool.size
	if first < len(head) {
		s.start = head[first].at
	}
	if s.table.List != "" {
		c.lists[s.table.List] = s
		c.sheets = append(c.sheets, s)
		return
	}
	c.sheets = slices.Insert(c.sheets, 0, s)
}

func (c *Cases) table(list string) *caseforms.CaseTable {
	for i := range c.tables {
		if c.tables[i].List == list {
			return &c.tables[i]
		}
	}
	return nil
}

// known counts the headings of a row that are known.
func (c *Cases) known(t *caseforms.CaseTable, r *row) int {
	n := 0
	for _, cell := range r.cells {
		if cell.kind != cellText || len(cell.text) > 300 {
			continue
		}
		if fact, list, _, err := c.find(t, cell.text); fact != nil || list != "" || err != nil {
			n++
		}
	}
	return n
}

var errSeveral = errors.New("several columns of the form are called so")

// find is the column of the form that a heading means. Of a heading such as "Child 2: Name" or children[1].name it is the column of the list, and
// which item.
func (c *Cases) find(t *caseforms.CaseTable, head string) (fact *caseforms.CaseColumn, list string, item int, err error) {
	h := caseforms.Heading(head)
	if h == "" {
		return nil, "", 0, nil
	}
	var byName []*caseforms.CaseColumn
	for i := range t.Columns {
		q := &t.Columns[i]
		if h == caseforms.Heading(q.Key) || t.List != "" && h == caseforms.Heading(t.List+q.Key) {
			return q, "", 0, nil
		}
	}
	for i := range t.Columns {
		q := &t.Columns[i]
		if h == caseforms.Heading(q.Label) {
			return q, "", 0, nil
		}
		for _, n := range q.Names {
			if h == caseforms.Heading(n) && !slices.Contains(byName, q) {
				byName = append(byName, q)
			}
		}
	}
	if len(byName) == 1 {
		return byName[0], "", 0, nil
	}
	if len(byName) > 1 {
		return nil, "", 0, errSeveral
	}
	if t.List == "" {
		if name, n, rest, ok := numbered(head); ok {
			for i := range c.tables[1:] {
				l := &c.tables[i+1]
				key := strings.Contains(head, "[")
				if key && caseforms.Heading(name) != caseforms.Heading(l.List) || !key && caseforms.Heading(name) != caseforms.Heading(l.Item) {
					continue
				}
				if !key {
					n--
				}
				if q, _, _, err := c.find(l, rest); q != nil && n >= 0 && n < 100 {
					return q, l.List, n, err
				}
			}
		}
		// a fact of the case record that this form does not print
		if key := strings.TrimSpace(head); strings.Contains(key, ".") || strings.Contains(key, "_") {
			if q := c.defs.Column(key); q != nil && q.Kind != caseforms.KindList {
				return q, "", 0, nil
			}
		}
	}
	return nil, "", 0, nil
}

// numbered takes "children[1].name" and "Child 2: Name" apart.
func numbered(head string) (name string, n int, rest string, ok bool) {
	var num string
	if before, after, found := strings.Cut(head, "["); found {
		if num, rest, found = strings.Cut(after, "]"); !found {
			return "", 0, "", false
		}
		name, rest = before, strings.TrimLeft(rest, ". ")
	} else {
		before, after, found := strings.Cut(head, ":")
		i := strings.LastIndexAny(strings.TrimSpace(before), " _")
		if !found || i < 0 {
			return "", 0, "", false
		}
		before = strings.TrimSpace(before)
		name, num, rest = before[:i], before[i+1:], strings.TrimSpace(after)
	}
	n, err := strconv.Atoi(strings.TrimSpace(num))
	return name, n, rest, err == nil && name != "" && rest != ""
}

// match finds out what the columns of a sheet stand for. Keys, where there are any, go before labels.
func (c *Cases) match(s *sheet, labels, keys *row) error {
	width := 0
	for _, r := range []*row{labels, keys} {
		if r != nil && len(r.cells) > 0 {
			width = max(width, r.cells[len(r.cells)-1].col+1)
		}
	}
	s.columns, s.heads = make([]column, width), make([]string, width)
	ours := map[string]bool{}
	for _, w := range []string{"column_problem", "column_what_to_do", "column_row"} {
		for _, word := range []string{c.defs.Word(w), c.defs.Words[w].En, c.defs.Words[w].Cy} {
			ours[caseforms.Heading(word)] = true
		}
	}
	links := []string{c.defs.Word("column_case"), c.defs.Words["column_case"].En, c.defs.Words["column_case"].Cy, "case number", "case no", "row"}
	isRow := []string{c.defs.Word("column_row"), c.defs.Words["column_row"].En, c.defs.Words["column_row"].Cy}
	same := func(head string, words []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return caseforms.Heading(w) == caseforms.Heading(head) })
	}
	at := map[string]int{}
	var unknown []int
	var wrong []error
	for col := range width {
		head, key := "", ""
		if labels != nil {
			if cell := labels.at(col); cell != nil {
				head = strings.TrimSpace(cell.text)
			}
		}
		if keys != nil {
			if cell := keys.at(col); cell != nil {
				key = strings.TrimSpace(cell.text)
			}
		}
		s.heads[col] = head
		name := head
		if key != "" {
			name = key
		}
		switch {
		case name == "", strings.HasPrefix(name, "#"):
			continue
		case same(head, isRow):
			s.row, s.columns[col].ours = col, true
			continue
		case ours[caseforms.Heading(head)]:
			s.columns[col].ours = true
			continue
		case strings.HasPrefix(key, keyMark), s.link < 0 && same(name, links):
			s.link = col
			continue
		}
		fact, list, item, err := c.find(s.table, name)
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Errorf("%s: %w", s.column(col), err))
			continue
		case fact == nil:
			unknown = append(unknown, col)
			continue
		}
		s.columns[col].fact, s.columns[col].list, s.columns[col].item = fact, list, item
		p := s.path(&s.columns[col], 0)
		if before, twice := at[p]; twice {
			wrong = append(wrong, fmt.Errorf("%s and %s are both %s", s.column(before), s.column(col), p))
		}
		at[p] = col
	}
	for _, col := range unknown {
		name := s.heads[col]
		if keys != nil && keys.at(col) != nil {
			name = strings.TrimSpace(keys.at(col).text)
		}
		if word, ok := c.anItem(s, name); ok {
			wrong = append(wrong, fmt.Errorf("%s: a question of one %s has a heading such as %q", s.column(col), strings.ToLower(word.Item), word.Item+" 2: "+word.Columns[0].Label))
			continue
		}
		near := c.nearest(s.table, name)
		if _, there := at[pathOf(s, near)]; near != nil && !there {
			// almost one of the form's, which is missing: its answers would be lost without a word
			wrong = append(wrong, fmt.Errorf("%s: did you mean %q?", s.column(col), near.Label))
		} else if len(s.columns) < 512 {
			c.note(s.column(col)+" is no question of this form; it is not read", "")
		}
	}
	if len(wrong) > 0 {
		var all []string
		for _, e := range wrong {
			all = append(all, e.Error())
		}
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the headings cannot be used as they stand: " + strings.Join(all, "; "),
			Hint: "rename or remove the column; one whose heading begins with # is left out without a word"}
	}
	if s.table.List == "" {
		if c.lostRows(s, keys) {
			return c.NoRows()
		}
		c.missing(s)
	}
	return nil
}

// anItem tells whether a heading that is not understood means an item of a list, such as "Child 2 Name": what stands under it must not be passed over.
func (c *Cases) anItem(s *sheet, head string) (t *caseforms.CaseTable, ok bool) {
	if s.table.List != "" {
		return nil, false
	}
	h := caseforms.Heading(head)
	for i := range c.tables[1:] {
		t := &c.tables[i+1]
		for _, name := range []string{t.Title, t.List, t.Item} {
			if rest, ok := strings.CutPrefix(h, caseforms.Heading(name)); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
				return t, true
			}
		}
	}
	return nil, false
}

// nearest is the column of the form whose heading is most like one that is unknown.
func (c *Cases) nearest(t *caseforms.CaseTable, name string) *caseforms.CaseColumn {
	var known []string
	by := map[string]*caseforms.CaseColumn{}
	for i := range t.Columns {
		q := &t.Columns[i]
		for _, n := range append([]string{q.Label, q.Key}, q.Names...) {
			known = append(known, n)
			by[n] = q
		}
	}
	return by[caseforms.NearestHeading(name, known)]
}

func pathOf(s *sheet, q *caseforms.CaseColumn) string {
	if q == nil {
		return ""
	}
	return s.path(&column{fact: q}, 0)
}

// missing tells which questions that must be answered have no column at all.
func (c *Cases) missing(s *sheet) {
	asked := map[string]bool{}
	for _, col := range s.columns {
		switch {
		case col.list != "":
			asked[col.list] = true
		case col.fact != nil:
			asked[col.fact.Key], asked["?"+col.fact.Question] = true, true
		}
	}
	var none []string
	for _, q := range s.table.Columns {
		if !q.Required || asked[q.Key] || q.Question != "" && asked["?"+q.Question] {
			continue
		}
		if q.Kind == caseforms.KindList {
			continue // its rows may stand on a sheet that comes later
		}
		none = append(none, strconv.Quote(q.Label))
	}
	if len(none) > 0 {
		more := ""
		if len(none) > 12 {
			more = fmt.Sprintf(" and %d more", len(none)-12)
			none = none[:12]
		}
		c.note("there is no column for "+strings.Join(none, ", ")+more+", which must always be answered", "add the columns; rows that lack an answer come back with room for it")
	}
}

// where names a sheet, for people.
func (s *sheet) where() string {
	if s.name == "" {
		return "the file"
	}
	return "the sheet " + strconv.Quote(clipped(s.name))
}

// column names a column of a sheet, for people.
func (s *sheet) column(col int) string {
	text := "column " + columnName(col)
	if col < len(s.heads) && s.heads[col] != "" {
		text += " (" + clipped(s.heads[col]) + ")"
	}
	if s.table != nil && s.table.List != "" {
		text = s.where() + ", " + text
	}
	return text
}

func columnName(col int) string {
	name := ""
	for n := col + 1; n > 0; n = (n - 1) / 26 {
		name = string(rune('A'+(n-1)%26)) + name
	}
	return name
}

func clipped(s string) string {
	r := []rune(strings.Join(strings.Fields(s), " "))
	if len(r) > 48 {
		return string(r[:48]) + "…"
	}
	return string(r)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

func sortedKeys(m map[int]int) []int {
	var keys []int
	for k := range m {
		keys = append(keys, k)
	}
	sort.Ints(keys)
	return keys
}

// unmerge gives the value of cells that are merged over several rows to each of them.
func (c *Cases) unmerge(s *sheet, dir string) error {
	ms := slices.Clone(s.facts.merges)
	sort.Slice(ms, func(i, j int) bool { return ms[i].row < ms[j].row })
	down := 0
	for _, m := range ms {
		if m.lastRow > m.row {
			down++
		}
	}
	across := len(ms) - down
	first := 0
	if r, _, err := s.spool.from(s.start).next(); err == nil {
		first = r.number - 1
	}
	ms = slices.DeleteFunc(ms, func(m merged) bool { return m.lastRow == m.row || m.lastRow < first })
	if len(ms) > 0 {
		c.note(fmt.Sprintf("%s has cells merged over several rows; what they say holds for each of these rows", s.where()), "")
	} else if across > 0 {
		for _, m := range s.facts.merges {
			if m.row >= first {
				c.note(fmt.Sprintf("%s has merged cells; what they say stands in the first column of each", s.where()), "")
				break
			}
		}
	}
	if len(ms) == 0 {
		return nil
	}
	out, err := newSpool(dir)
	if err != nil {
		return err
	}
	type active struct {
		merged
		cell cell
	}
	var now []active
	in := s.spool.from(0)
	start := int64(-1)
	for {
		r, at, err := in.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			out.close()
			return err
		}
		n := r.number - 1
		for len(ms) > 0 && ms[0].row <= n {
			if ms[0].row == n {
				if v := r.at(ms[0].col); v != nil {
					now = append(now, active{ms[0], *v})
				}
			}
			ms = ms[1:]
		}
		now = slices.DeleteFunc(now, func(a active) bool { return a.lastRow < n })
		if len(now) > 10_000 {
			out.close()
			return damaged(errXML)
		}
		for _, a := range now {
			if a.row < n && r.at(a.col) == nil {
				r.cells = append(r.cells, a.cell)
			}
		}
		slices.SortFunc(r.cells, func(a, b cell) int { return a.col - b.col })
		put, err := out.add(r)
		if err != nil {
			out.close()
			return err
		}
		if at == s.start {
			start = put
		}
	}
	if err := out.flush(); err != nil {
		out.close()
		return err
	}
	if start < 0 {
		start = out.size
	}
	s.spool.close()
	s.spool, s.start = out, start
	return nil
}

func (c *Cases) separated(ctx context.Context, in *os.File, dir string) error {
	var facts textFacts
	r, err := plainReader(in, &facts)
	if err != nil {
		return err
	}
	t, err := newCSV(r)
	if err != nil {
		return err
	}
	t.stray = func(line int) {
		if len(facts.stray) < 5 && !slices.Contains(facts.stray, line) {
			facts.stray = append(facts.stray, line)
		}
	}
	sp, err := newSpool(dir)
	if err != nil {
		return err
	}
	s := &sheet{spool: sp, link: -1, row: -1, facts: &sheetFacts{}}
	defer func() {
		if len(c.sheets) == 0 {
			sp.close()
		}
	}()
	var head []placed
	width := 0
	cur := &row{}
	for {
		fields, line, err := t.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if sp.rows&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		cur.number, cur.cells, cur.wide = line, cur.cells[:0], false
		for i, f := range fields {
			if strings.TrimSpace(f) != "" {
				v := textCell(f)
				v.col = i
				cur.cells = append(cur.cells, v)
				cur.wide = cur.wide || i >= width && len(head) == headRows
			}
		}
		at, err := sp.add(cur)
		if err != nil {
			return err
		}
		if len(head) < headRows {
			head = append(head, placed{row{number: line, cells: slices.Clone(cur.cells)}, at})
			for _, p := range head {
				width = max(width, len(fields), p.cells[len(p.cells)-1].col+1)
			}
		}
	}
	if err := sp.flush(); err != nil {
		return err
	}
	ok, err := c.place(s, head, sheetPart{})
	if err != nil {
		return err
	}
	if !ok {
		return c.noHeadings()
	}
	switch {
	case facts.windows1252:
		c.note("the file is not UTF-8; it is read as Windows-1252, as Excel saves it", "look at letters such as £, é and ŵ in the first documents")
	case facts.utf16:
		c.note("the file is UTF-16 and is read so", "")
	}
	if names := map[byte]string{';': "semicolons", '\t': "tabs", '|': "upright bars"}; names[t.separator] != "" {
		c.note("the cells are separated by "+names[t.separator], "")
	}
	if len(facts.stray) > 0 {
		var lines []string
		for _, l := range facts.stray {
			lines = append(lines, strconv.Itoa(l))
		}
		c.note("there are quotation marks within cells that should be doubled, in line "+strings.Join(lines, ", ")+"; they are taken as they stand", "")
	}
	return nil
}

// records reads a file with a case record a line.
func (c *Cases) records(ctx context.Context, in *os.File, dir string) error {
	sp, err := newSpool(dir)
	if err != nil {
		return err
	}
	s := &sheet{spool: sp, link: -1, row: -1, table: &c.tables[0], facts: &sheetFacts{}}
	c.sheets = append(c.sheets, s)
	br := bufio.NewReaderSize(in, 256<<10)
	var people []entry
	for line := 1; ; line++ {
		b, err := longLine(br)
		if err == io.EOF && len(b) == 0 {
			break
		}
		if err != nil && err != io.EOF {
			return err
		}
		if line&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if line == 1 {
			b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
		}
		if len(bytes.TrimSpace(b)) == 0 {
			continue
		}
		if line == 1 && bytes.Equal(bytes.TrimSpace(b), []byte("{")) {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: "this is one case record over several lines", Hint: "a batch has one record a line; for a single one: caseforms fill " + c.form.ID + " CASE"}
		}
		first, b := unmark(b)
		cells := []cell{{kind: cellText, text: string(bytes.TrimRight(b, "\r\n"))}}
		if first != "" {
			s.row = 1
			cells = append(cells, cell{col: 1, kind: cellNumber, text: first})
		}
		if _, err := sp.add(&row{number: line, cells: cells}); err != nil {
			return err
		}
		c.Count++
		people = append(people, entry{c.personIn(b), int64(line)})
	}
	c.findSame(people)
	return sp.flush()
}

// longLine reads a line of any length up to what a case record may have; of a longer one only so much that it is refused for it.
func longLine(br *bufio.Reader) ([]byte, error) {
	var out []byte
	for {
		b, err := br.ReadSlice('\n')
		if len(out) <= caseforms.MaxCaseBytes {
			out = append(out, b...)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil && err != io.EOF {
			return nil, unreadable(err)
		}
		return out, err
	}
}

// personIn is the hash of who a record is about: of the first identifier it has, else of all of it.
func (c *Cases) personIn(record []byte) uint64 {
	dec := jsontext.NewDecoder(bytes.NewBuffer(record), jsontext.AllowDuplicateNames(true))
	ids := map[string]string{}
	if dec.PeekKind() == '{' {
		_, _ = dec.ReadToken()
	walk:
		for dec.PeekKind() == '"' {
			name, err := dec.ReadToken()
			if err != nil {
				break
			}
			if name.String() != "person" || dec.PeekKind() != '{' {
				if dec.SkipValue() != nil {
					break
				}
				continue
			}
			_, _ = dec.ReadToken()
			for dec.PeekKind() == '"' {
				key, err := dec.ReadToken()
				if err != nil {
					break walk
				}
				k := key.String()
				if dec.PeekKind() == '"' && slices.Contains(identifiers, k) {
					v, err := dec.ReadToken()
					if err != nil {
						break walk
					}
					ids[k] = v.String()
				} else if dec.SkipValue() != nil {
					break walk
				}
			}
			break
		}
	}
	for _, k := range identifiers {
		if v := tight(ids[k]); v != "" {
			return maphash.String(c.seed, k+v)
		}
	}
	return maphash.Bytes(c.seed, record)
}

// identifiers tell people apart, the first that there is.
var identifiers = []string{"crn", "prison_number", "pnc", "cro"}

func tight(s string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if r == ' ' || r == '/' || r == '-' {
			return -1
		}
		return r
	}, s))
}

// findSame notes the rows about somebody whom an earlier row is about as well.
func (c *Cases) findSame(people []entry) {
	slices.SortFunc(people, func(a, b entry) int {
		switch {
		case a.hash < b.hash:
			return -1
		case a.hash > b.hash:
			return 1
		}
		return int(a.at - b.at)
	})
	for i := 1; i < len(people) && len(c.same) < 100_000; i++ {
		first := i - 1
		for ; i < len(people) && people[i].hash == people[first].hash; i++ {
			c.same[int(people[i].at)] = int(people[first].at)
			c.shared[int(people[first].at)] = true
		}
	}
}

func (c *Cases) hash(ref string) uint64 { return maphash.String(c.seed, ref) }

// ref is the word by which the rows of other sheets name a case.
func (s *sheet) ref(r *row) string {
	if s.link < 0 {
		return ""
	}
	v := r.at(s.link)
	if v == nil {
		return ""
	}
	t := strings.ToLower(strings.TrimSpace(v.text))
	if f, err := strconv.ParseFloat(t, 64); err == nil && f == float64(int64(f)) {
		t = strconv.FormatInt(int64(f), 10) // 7 and 7.0
	}
	return t
}

// isExample tells whether a row is the example of a template: it says so, and nobody has written over it. Choices do not decide, because they differ
// between versions of a form.
func (c *Cases) isExample(s *sheet, r *row) bool {
	v := r.at(s.link)
	if s.link < 0 || v == nil || !c.says(v.text, "example_row") {
		return false
	}
	for i := range r.cells {
		v := &r.cells[i]
		if v.col >= len(s.columns) || s.columns[v.col].fact == nil {
			continue
		}
		q := s.columns[v.col].fact
		text, date := c.defs.Example(q)
		switch {
		case q.Several:
			for line := range strings.SplitSeq(v.text, "\n") {
				if !c.says(strings.TrimRight(line, " 12"), "example_text") {
					return false
				}
			}
		case q.Kind == caseforms.KindText || q.Kind == caseforms.KindLongText:
			if len(c.defs.Choices(q)) == 0 && !c.says(v.text, "example_text") {
				return false
			}
		case date || q.Kind == caseforms.KindPartialDate || q.Kind == caseforms.KindDateTime:
			if !sameNumbers(v.text, text) {
				return false
			}
		case len(c.defs.Choices(q)) == 0 && q.Kind != caseforms.KindTime && tight(v.text) != tight(text):
			return false
		}
	}
	return true
}

// says tells whether a cell has one of our words, in either language.
func (c *Cases) says(text, word string) bool {
	text = strings.TrimSpace(text)
	w := c.defs.Words[word]
	return strings.EqualFold(text, c.defs.Word(word)) || strings.EqualFold(text, w.En) || w.Cy != "" && strings.EqualFold(text, w.Cy)
}

// sameNumbers tells whether two dates are made of the same numbers, in whatever order they stand; a time behind them does not matter.
func sameNumbers(a, b string) bool {
	of := func(s string) []string {
		parts := strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		parts = parts[:min(len(parts), 3)]
		for i := range parts {
			parts[i] = strings.TrimLeft(parts[i], "0")
		}
		slices.Sort(parts)
		return parts
	}
	return slices.Equal(of(a), of(b))
}

// survey goes through all rows once: it counts the cases, finds people who stand there twice, and joins the rows of the lists to theirs.
func (c *Cases) survey(ctx context.Context, dir string) error {
	main := c.sheets[0]
	var people []entry
	var refs []uint64
	idCols := make([]int, len(identifiers))
	for i, id := range identifiers {
		idCols[i] = -1
		for col, q := range main.columns {
			if q.fact != nil && q.list == "" && q.fact.Key == "person."+id {
				idCols[i] = col
			}
		}
	}
	headless, hidden := map[int]int{}, 0
	whole := main.spool.from(main.start)
	var h maphash.Hash
	h.SetSeed(c.seed)
	for n := 0; ; n++ {
		r, _, err := whole.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if n&1023 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if !main.isCase(r) || c.isExample(main, r) {
			continue
		}
		c.Count++
		if r.hidden {
			hidden++
		}
		for _, v := range r.cells {
			main.dated(r, &v)
			if !r.wide && (v.col >= len(main.heads) || main.heads[v.col] == "" && main.columns[v.col].fact == nil) && len(headless) < 8 {
				headless[v.col]++
			}
		}
		if ref := main.ref(r); ref != "" {
			refs = append(refs, c.hash(ref))
		}
		id := uint64(0)
		for i, col := range idCols {
			if col >= 0 {
				if v := r.at(col); v != nil && tight(v.text) != "" {
					id = maphash.String(c.seed, identifiers[i]+tight(v.text))
					break
				}
			}
		}
		if id == 0 {
			h.Reset()
			var b [4]byte
			for _, v := range r.cells {
				if v.col != main.link && v.col < len(main.columns) && main.columns[v.col].fact != nil {
					binary.BigEndian.PutUint32(b[:], uint32(v.col))
					h.Write(b[:])
					h.WriteString(v.text)
				}
			}
			id = h.Sum64()
		}
		people = append(people, entry{id, int64(r.number)})
	}
	c.hidden(main, hidden)
	for _, col := range sortedKeys(headless) {
		c.note(fmt.Sprintf("column %s has no heading, although something stands in it; it is not read", columnName(col)), "")
	}
	c.findSame(people)
	people = nil
	if len(c.sheets) == 1 {
		return nil
	}
	slices.Sort(refs)
	doubled := map[uint64]bool{}
	for i := 1; i < len(refs); i++ {
		if refs[i] == refs[i-1] {
			doubled[refs[i]] = true
		}
	}
	var wrong []string
	for _, s := range c.sheets[1:] {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.join(s, dir, refs, doubled, &wrong); err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		more := ""
		if len(wrong) > 10 {
			more = fmt.Sprintf("; and %d more", len(wrong)-10)
			wrong = wrong[:10]
		}
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "nobody can tell whose these rows are: " + strings.Join(wrong, "; ") + more,
			Hint: "in the column " + strconv.Quote(c.defs.Word("column_case")) + " of both sheets stands the same number, and every case has one of its own"}
	}
	return nil
}

// dated notes of a date that is written with figures whether it can only have its month first, or only its day.
func (s *sheet) dated(r *row, v *cell) {
	if v.kind != cellText || v.col >= len(s.columns) || s.columns[v.col].fact == nil || len(v.text) > 30 {
		return
	}
	col := &s.columns[v.col]
	switch col.fact.Kind {
	case caseforms.KindDate, caseforms.KindPartialDate, caseforms.KindDateTime:
	default:
		return
	}
	parts := strings.FieldsFunc(v.text, func(r rune) bool { return r == '/' || r == '.' || r == '-' || r == ' ' })
	if len(parts) < 3 || len(parts[0]) > 2 {
		return
	}
	first, err1 := strconv.Atoi(parts[0])
	second, err2 := strconv.Atoi(parts[1])
	switch {
	case err1 != nil || err2 != nil:
	case first > 12 && second <= 12:
		col.dayFirst = true
	case first <= 12 && second > 12 && second <= 31 && col.monthFirst == 0:
		col.monthFirst = r.number
	}
}

// isCase tells whether a row has anything in a column that is read.
func (s *sheet) isCase(r *row) bool {
	for _, v := range r.cells {
		if v.col < len(s.columns) && s.columns[v.col].fact != nil || v.col >= len(s.columns) && len(s.columns) > 0 && r.wide {
			return true
		}
	}
	return false
}

// join finds the case of each row of a list.
func (c *Cases) join(s *sheet, dir string, refs []uint64, doubled map[uint64]bool, wrong *[]string) error {
	var entries []entry
	hidden := 0
	in := s.spool.from(s.start)
	for {
		r, at, err := in.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if !s.isCase(r) || c.isExample(s, r) {
			continue
		}
		if r.hidden {
			hidden++
		}
		for i := range r.cells {
			s.dated(r, &r.cells[i])
		}
		ref := s.ref(r)
		h := c.hash(ref)
		switch _, there := slices.BinarySearch(refs, h); {
		case s.link < 0:
			*wrong = append(*wrong, s.where()+" has no column "+strconv.Quote(c.defs.Word("column_case")))
			return nil
		case c.sheets[0].link < 0:
			*wrong = append(*wrong, c.sheets[0].where()+" has no column "+strconv.Quote(c.defs.Word("column_case")))
			return nil
		case ref == "":
			*wrong = append(*wrong, fmt.Sprintf("%s, row %d, names no case", s.where(), r.number))
		case !there:
			*wrong = append(*wrong, fmt.Sprintf("%s, row %d, names a case that is not there", s.where(), r.number))
		case doubled[h]:
			*wrong = append(*wrong, fmt.Sprintf("%s, row %d, names a case that is there twice", s.where(), r.number))
		}
		if len(*wrong) > 10_000 {
			return nil
		}
		entries = append(entries, entry{h, at})
	}
	c.hidden(s, hidden)
	var err error
	s.index, err = newIndex(dir, entries)
	return err
}

// hidden tells of rows that somebody hid or filtered away, perhaps to leave them out.
func (c *Cases) hidden(s *sheet, n int) {
	if n > 0 {
		c.note(fmt.Sprintf("%s has %s hidden or filtered away; %s done like the others", s.where(), count(n, "row"), plural(n, "it is", "they are")), "delete them in the file if they are not wanted")
	}
}
