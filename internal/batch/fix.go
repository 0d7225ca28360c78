package batch

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"caseforms"
	"caseforms/internal/intake"
	"caseforms/render"
)

const (
	fixName      = "fix.xlsx"
	fixLinesName = "fix.jsonl"
)

func (r *run) fixName() string {
	if r.cases.Format == "jsonl" {
		return fixLinesName
	}
	return fixName
}

// fix gives the rejected rows back, with those that wait on, or takes the file of an earlier run away when nothing is left to correct.
func (r *run) fix() error {
	name, left := r.fixName(), r.earlier.left()
	r.sum.Waiting = rowNumbers(left)
	if len(r.bad)+len(left) == 0 {
		if r.m.fix == "" {
			return nil
		}
		old := r.m.fix
		if err := r.m.setFix("", "", nil); err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(r.Dir, old)); err != nil && !os.IsNotExist(err) {
			return writeError(err)
		}
		return nil
	}
	if _, err := os.Lstat(filepath.Join(r.Dir, name)); err == nil && r.m.fix != name && !r.Force {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is a file " + name + " in the folder that is not ours", Hint: "move it away; the same command then writes the rejected rows"}
	}
	rows := r.bad[:min(len(r.bad), max(0, MaxFix-len(left)))]
	r.sum.FixLeftOut = len(r.bad) - len(rows)
	rows = append(rows, left...)
	if len(left) > 0 {
		slices.SortStableFunc(rows, func(a, b badRow) int { return a.row.First - b.row.First })
	}
	var data []byte
	var err error
	if name == fixName {
		data, err = r.fixBook(rows)
	} else {
		data, err = r.fixLines(rows)
	}
	if err != nil {
		return err
	}
	temp := filepath.Join(r.work, name)
	if err := writeSynced(temp, data); err != nil {
		return writeError(err)
	}
	sum, _, err := sumOf(temp)
	if err != nil {
		return writeError(err)
	}
	if r.m.fix != "" && r.m.fix != name {
		_ = os.Remove(filepath.Join(r.Dir, r.m.fix)) // of another kind of input; its rows are in this one
	}
	if err := r.m.setFix(name, sum, r.opened(rows)); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(r.Dir, name)); err != nil {
		return writeError(err)
	}
	r.sum.Fix = name
	return nil
}

// opened are the rows of fix.xlsx as the manifest remembers them. What they said in the first file only a run of that knows; another hands it on.
func (r *run) opened(rows []badRow) (open []openRow) {
	handed := map[int]bool{}
	for _, b := range rows {
		switch row := b.row.First; {
		case b.said.Was != "":
			open = append(open, b.said)
		case !handed[row]:
			handed[row] = true
			open = append(open, r.m.open[row]...)
		}
	}
	return open
}

func writeSynced(name string, data []byte) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

func (r *run) fixLines(rows []badRow) ([]byte, error) {
	var b bytes.Buffer
	for _, bad := range rows {
		row, err := bad.from.Recall(bad.row)
		if err != nil {
			return nil, err
		}
		b.WriteString(bad.from.BackLine(row))
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

// fixLayout says where the columns of a file stand in the workbook of rejected rows.
type fixLayout struct {
	back  []intake.BackSheet
	sheet []int   // of the workbook
	to    [][]int // by sheet and column
}

// fixBook is a workbook of the rejected rows: in their order, in the user's own columns, with what is wrong before them. Rows that wait on since another run
// may have columns more.
func (r *run) fixBook(rows []badRow) ([]byte, error) {
	d := r.Definitions
	mark := render.KeyMark + r.Form.ID + ":" + r.Form.Version
	var sheets []render.BookSheet
	layouts := map[*intake.Cases]*fixLayout{}
	for _, from := range []*intake.Cases{r.cases, r.earlier.of()} {
		if !slices.ContainsFunc(rows, func(b badRow) bool { return b.from == from }) {
			continue
		}
		l := &fixLayout{back: from.Back(r.lacking)}
		for _, s := range l.back {
			n := slices.IndexFunc(sheets, func(b render.BookSheet) bool { return b.List == s.Table.List })
			if n < 0 {
				n = len(sheets)
				sheets = append(sheets, r.fixSheet(s, mark))
			}
			b, to := &sheets[n], make([]int, len(s.Columns))
			for i, c := range s.Columns {
				col := render.BookColumn{Head: c.Head, Key: c.Key, Fact: c.Fact, Width: c.Width}
				switch {
				case i == s.Link:
					col.Key = d.Words["column_case"].En
				case c.Key == "":
					col.Key = "#"
				}
				to[i] = slices.IndexFunc(b.Columns, func(x render.BookColumn) bool {
					return x.Key == col.Key && (x.Key != "#" || x.Head == col.Head)
				})
				if to[i] < 0 || slices.Contains(to[:i], to[i]) {
					to[i] = len(b.Columns)
					b.Columns = append(b.Columns, col)
				}
			}
			l.sheet, l.to = append(l.sheet, n), append(l.to, to)
		}
		layouts[from] = l
	}
	book, err := render.NewCaseBook(d, r.Form, sheets, r.work)
	if err != nil {
		return nil, err
	}
	defer book.Close()
	numbers := map[string]bool{}
	for _, bad := range rows {
		if err := r.fixRow(book, sheets, layouts[bad.from], bad, numbers); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	if err := book.Write(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// fixSheet is a sheet with our own columns.
func (r *run) fixSheet(s intake.BackSheet, mark string) render.BookSheet {
	d := r.Definitions
	b := render.BookSheet{Name: s.Name, List: s.Table.List, Columns: []render.BookColumn{{Head: d.Word("column_problem"), Key: mark, Width: 46, Wide: true}}}
	if b.Name == "" {
		b.Name = d.Word("sheet_cases")
	}
	if b.List == "" {
		b.Columns = append(b.Columns, render.BookColumn{Head: d.Word("column_what_to_do"), Width: 40, Wide: true}, render.BookColumn{Head: d.Word("column_row"), Width: 10, Wide: true})
	} else {
		b.Columns[0].Key += ":" + b.List
	}
	return b
}

func (e *earlier) of() *intake.Cases {
	if e == nil {
		return nil
	}
	return e.cases
}

// cells puts the cells of a row of a sheet into the columns of the workbook. What had no heading stands behind them.
func (l *fixLayout) cells(n, width int, from []intake.BackCell) []render.BookCell {
	out := make([]render.BookCell, width)
	for i, c := range from {
		cell := render.BookCell{Text: c.Text, Date: c.Date, Number: c.Number, Bool: c.Bool}
		if i < len(l.to[n]) {
			out[l.to[n][i]] = cell
		} else {
			out = append(out, cell)
		}
	}
	return out
}

func (r *run) fixRow(book *render.CaseBook, sheets []render.BookSheet, l *fixLayout, bad badRow, numbers map[string]bool) error {
	row, err := bad.from.Recall(bad.row)
	if err != nil {
		return err
	}
	rec, err := bad.from.Read(row)
	if err != nil {
		return err
	}
	_, ps, _ := r.judge(rec)
	if p, ok := r.refused[row.Number]; ok && bad.from == r.cases {
		ps = append(ps, p)
	}
	cells := make([][][]render.BookCell, len(l.back)) // by sheet of the file
	for n := range l.back {
		width := len(sheets[l.sheet[n]].Columns)
		if n == 0 {
			cells[0] = [][]render.BookCell{l.cells(0, width, bad.from.BackRow(&l.back[0], row))}
			continue
		}
		for _, item := range bad.from.BackItems(&l.back[n], rec) {
			cells[n] = append(cells[n], l.cells(n, width, item))
		}
	}
	l.renumber(cells, numbers)
	var problems, todo []string
	more := 0
	for _, p := range ps {
		if p.Severity != caseforms.Blocking {
			continue
		}
		if len(problems) >= 12 {
			more++
			continue
		}
		say := sentence(p)
		hint := inWords(r.Definitions, p.Hint)
		problems = append(problems, say)
		if hint != "" {
			do := hint
			if p.Label != "" {
				do = strings.TrimRight(p.Label, " :") + ": " + hint
			}
			if !slices.Contains(todo, do) {
				todo = append(todo, do)
			}
		}
		at, ok := bad.from.Locate(rec, p.Key)
		col := -1
		if ok {
			col = l.back[at.Sheet].Position(at.Column)
		} else if k := bad.from.Lacking(rec, p.Key); k != "" {
			col = slices.IndexFunc(l.back[0].Columns, func(c intake.BackColumn) bool { return c.Key == k })
		}
		if col < 0 || at.Item >= len(cells[at.Sheet]) {
			continue
		}
		cell := &cells[at.Sheet][at.Item][l.to[at.Sheet][col]]
		cell.Bad = true
		note := p.Msg
		if hint != "" {
			note += ". " + hint
		}
		cell.Note = strings.TrimSpace(cell.Note + "\n" + note)
		if at.Sheet > 0 {
			mine := &cells[at.Sheet][at.Item][0]
			mine.Text = strings.TrimSpace(mine.Text + "\n" + say)
		}
	}
	if len(problems) == 0 { // it waits since a run before, which knew why
		problems = append(problems, "was not done")
		todo = append(todo, "give it back, and it is tried again")
	}
	if more > 0 {
		problems = append(problems, fmt.Sprintf("… and %d more", more))
	}
	main := cells[0][0]
	main[0].Text, main[1].Text = strings.Join(problems, "\n"), strings.Join(todo, "\n")
	main[2].Text, main[2].Number = strconv.Itoa(row.First), true
	for n := range cells {
		for _, row := range cells[n] {
			if err := book.Row(l.sheet[n], row); err != nil {
				return err
			}
		}
	}
	return nil
}

// renumber gives a case another number when one before it has the same, so that its rows on other sheets stay its own.
func (l *fixLayout) renumber(cells [][][]render.BookCell, numbers map[string]bool) {
	if l.back[0].Link < 0 {
		return
	}
	number := cells[0][0][l.to[0][l.back[0].Link]].Text
	if number == "" {
		return
	}
	if !numbers[strings.ToLower(number)] {
		numbers[strings.ToLower(number)] = true
		return
	}
	n := len(numbers) + 1
	for numbers[strconv.Itoa(n)] {
		n++
	}
	numbers[strconv.Itoa(n)] = true
	for s := range cells {
		for _, row := range cells[s] {
			if link := l.back[s].Link; link >= 0 {
				row[l.to[s][link]] = render.BookCell{Text: strconv.Itoa(n), Number: true}
			}
		}
	}
}

// Say tells a problem, and what to do about it, to people who see the sheet and not the record.
func Say(d *caseforms.Definitions, p caseforms.Problem) (problem, todo string) {
	return sentence(p), inWords(d, p.Hint)
}

// sentence is a problem for people who see the sheet and not the record.
func sentence(p caseforms.Problem) string {
	if p.Label == "" {
		return p.Msg
	}
	return strings.TrimRight(p.Label, " :") + ": " + p.Msg
}

var stated = regexp.MustCompile(`\{"state": ?"(\w+)"(?:, ?"why": ?"…")?\}`)

// inWords is a hint for somebody who writes into cells and not JSON.
func inWords(d *caseforms.Definitions, hint string) string {
	return stated.ReplaceAllStringFunc(hint, func(m string) string {
		state := stated.FindStringSubmatch(m)[1]
		if strings.Contains(m, "why") {
			return d.Word(state) + ": …"
		}
		return d.Word(state)
	})
}
