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

// fix gives the rejected rows back, or takes the file of an earlier run away when nothing is left to correct.
func (r *run) fix() error {
	name := fixName
	if r.cases.Format == "jsonl" {
		name = fixLinesName
	}
	if len(r.bad) == 0 {
		if r.m.fix == "" {
			return nil
		}
		old := r.m.fix
		if err := r.m.setFix("", ""); err != nil {
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
	rows := r.bad[:min(len(r.bad), MaxFix)]
	r.sum.FixLeftOut = len(r.bad) - len(rows)
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
	if err := r.m.setFix(name, sum); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(r.Dir, name)); err != nil {
		return writeError(err)
	}
	r.sum.Fix = name
	return nil
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

func (r *run) fixLines(rows []*intake.Row) ([]byte, error) {
	var b bytes.Buffer
	for _, row := range rows {
		row, err := r.cases.Recall(row)
		if err != nil {
			return nil, err
		}
		b.WriteString(r.cases.Line(row))
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

const lead = 3 // columns of ours before the user's: what is wrong, what to do, the row of the first file

// fixBook is a workbook of the rejected rows: in their order, in the user's own columns, with what is wrong before them.
func (r *run) fixBook(rows []*intake.Row) ([]byte, error) {
	d := r.Definitions
	back := r.cases.Back(r.lacking)
	mark := render.KeyMark + r.Form.ID + ":" + r.Form.Version
	var sheets []render.BookSheet
	for n, s := range back {
		b := render.BookSheet{Name: s.Name, List: s.Table.List}
		if b.Name == "" {
			b.Name = d.Word("sheet_cases")
		}
		b.Columns = append(b.Columns, render.BookColumn{Head: d.Word("column_problem"), Key: mark, Width: 46, Wide: true})
		if n == 0 {
			b.Columns = append(b.Columns, render.BookColumn{Head: d.Word("column_what_to_do"), Width: 40, Wide: true}, render.BookColumn{Head: d.Word("column_row"), Width: 10, Wide: true})
		} else {
			b.Columns[0].Key += ":" + s.Table.List
		}
		for i, c := range s.Columns {
			col := render.BookColumn{Head: c.Head, Key: c.Key, Fact: c.Fact, Width: c.Width}
			if c.Key == "" {
				col.Key = "#"
			}
			if i == s.Link {
				col.Key = d.Words["column_case"].En
			}
			b.Columns = append(b.Columns, col)
		}
		sheets = append(sheets, b)
	}
	book, err := render.NewCaseBook(d, r.Form, sheets, r.work)
	if err != nil {
		return nil, err
	}
	defer book.Close()
	for _, row := range rows {
		if err := r.fixRow(book, back, row); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	if err := book.Write(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (r *run) fixRow(book *render.CaseBook, back []intake.BackSheet, row *intake.Row) error {
	row, err := r.cases.Recall(row)
	if err != nil {
		return err
	}
	rec, err := r.cases.Read(row)
	if err != nil {
		return err
	}
	_, ps := r.judge(rec)
	if p, ok := r.refused[row.Number]; ok {
		ps = append(ps, p)
	}
	cells := make([][][]render.BookCell, len(back))
	for n := range back {
		s := &back[n]
		if n == 0 {
			cells[0] = [][]render.BookCell{append(make([]render.BookCell, lead), bookCells(r.cases.BackRow(s, row))...)}
			continue
		}
		for _, item := range r.cases.BackItems(s, rec) {
			cells[n] = append(cells[n], append(make([]render.BookCell, 1), bookCells(item)...))
		}
	}
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
		at, ok := r.cases.Locate(rec, p.Key)
		first, col := lead, -1
		if ok {
			if at.Sheet > 0 {
				first = 1
			}
			col = back[at.Sheet].Position(at.Column)
		} else if k := r.cases.Lacking(rec, p.Key); k != "" {
			for i := range back[0].Columns {
				if back[0].Columns[i].Key == k {
					col = i
				}
			}
		}
		if col < 0 || at.Item >= len(cells[at.Sheet]) {
			continue
		}
		cell := &cells[at.Sheet][at.Item][first+col]
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
	if more > 0 {
		problems = append(problems, fmt.Sprintf("… and %d more", more))
	}
	main := cells[0][0]
	main[0].Text, main[1].Text = strings.Join(problems, "\n"), strings.Join(todo, "\n")
	main[2].Text, main[2].Number = strconv.Itoa(row.First), true
	for n := range cells {
		for _, row := range cells[n] {
			if err := book.Row(n, row); err != nil {
				return err
			}
		}
	}
	return nil
}

func bookCells(cells []intake.BackCell) []render.BookCell {
	out := make([]render.BookCell, len(cells))
	for i, c := range cells {
		out[i] = render.BookCell{Text: c.Text, Date: c.Date, Number: c.Number}
	}
	return out
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
