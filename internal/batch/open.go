package batch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"caseforms"
	"caseforms/internal/intake"
)

// earlier are the rows that wait in the folder to be corrected, in the fix.xlsx of the run before: it is where they are remembered.
type earlier struct {
	cases *intake.Cases
	rows  []*waiting
	first map[int][]*waiting // by row of the first file
	key   map[string]*waiting
	lists map[string]bool // that have rows on sheets of their own
}

// waiting is one of them. It waits on unless the file of this run has it.
type waiting struct {
	row    *intake.Row
	people []string
	had    bool
}

// badRow is a row for the next fix.xlsx.
type badRow struct {
	from *intake.Cases
	row  *intake.Row
	said openRow // of a row of the first file
}

// wait reads what waits in the folder, and stops a run that would write over corrections which were not given back.
func (r *run) wait(ctx context.Context) error {
	if r.m.fix == "" {
		return nil
	}
	name := filepath.Join(r.Dir, r.m.fix)
	sum, _, err := sumOf(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody deleted it: nothing waits any more
	}
	if err != nil {
		return &caseforms.Error{Kind: caseforms.Unavailable, Msg: r.m.fix + " in the folder cannot be read", Err: plain(err), Hint: "close it where it is open; the same command then goes on"}
	}
	if r.given, err = r.gives(name, sum); err != nil {
		return err
	}
	if r.given {
		if !r.cases.Corrects() {
			return r.cases.NoRows()
		}
		return nil
	}
	back := "caseforms batch " + r.Form.ID + " " + name + " -o " + r.Dir
	if sum != r.m.fixSum && !r.Force {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: r.m.fix + " in the folder was corrected and not given back; it would be written anew", Hint: "give it back first: " + back + "; or begin anew with --force"}
	}
	if r.m.fix != r.fixName() {
		if r.Force {
			return nil
		}
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: r.m.fix + " in the folder still has rows to correct, of a file of another kind", Hint: "correct them and give it back first: " + back + "; or name another folder with -o"}
	}
	e := &earlier{first: map[int][]*waiting{}, key: map[string]*waiting{}, lists: map[string]bool{}}
	if e.cases, err = intake.OpenCases(ctx, name, r.work, r.Definitions, r.Form); err == nil {
		err = e.read(r)
	}
	if err != nil {
		e.close()
		if r.Force && ctx.Err() == nil {
			return nil
		}
		return err
	}
	r.earlier = e
	if lost := e.sheets(r.cases); lost != "" && r.cases.Corrects() {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the file has no sheet " + strconv.Quote(lost) + ", and " + r.m.fix + " in the folder has rows on it that belong to these cases; they would be lost",
			Hint: "give back the whole workbook"}
	}
	return nil
}

// sheets is a sheet with rows of cases that another file does not have at all, as when one sheet was saved as .csv.
func (e *earlier) sheets(other *intake.Cases) string {
	has := map[string]bool{}
	for _, s := range other.Back(nil) {
		has[s.Table.List] = true
	}
	for _, s := range e.cases.Back(nil) {
		if !has[s.Table.List] && e.lists[s.Table.List] {
			return s.Table.Title
		}
	}
	return ""
}

// gives tells whether the file in the folder is itself what is given back, or says the same.
func (r *run) gives(name, sum string) (bool, error) {
	there, err1 := os.Stat(name)
	input, err2 := os.Stat(r.Input)
	if err := errors.Join(err1, err2); err != nil {
		return false, writeError(err)
	}
	if os.SameFile(there, input) {
		return true, nil
	}
	got, _, err := sumOf(r.Input)
	if err != nil {
		return false, writeError(err)
	}
	return got == sum, nil
}

func (e *earlier) close() {
	if e != nil && e.cases != nil {
		e.cases.Close()
	}
}

func (e *earlier) read(r *run) error {
	back := e.cases.Back(nil)
	for {
		row, err := e.cases.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		rec, err := e.cases.Read(row)
		if err != nil {
			return err
		}
		for i := range back {
			if i > 0 && len(e.cases.BackItems(&back[i], rec)) > 0 {
				e.lists[back[i].Table.List] = true
			}
		}
		w := &waiting{row: row.Forget(), people: people(rec.JSON)}
		e.rows = append(e.rows, w)
		e.first[row.First] = append(e.first[row.First], w)
		e.key[r.key(rec.JSON)] = w
	}
}

// asks tells whether it matters who a row is about.
func (e *earlier) asks(row *intake.Row) bool { return e != nil && len(e.first[row.First]) > 0 }

// has notes that the file of this run has a row, corrected or not: it says the same, or it is the same row and about the same person. Of a row that names
// nobody only a file of corrections can tell that it is the same.
func (e *earlier) has(j *job, corrects bool) {
	if e == nil {
		return
	}
	if w := e.key[j.key]; w != nil && (len(w.people) > 0 || w.row.First == j.row.First) {
		w.had = true
	}
	for _, w := range e.first[j.row.First] {
		if slices.ContainsFunc(w.people, func(p string) bool { return slices.Contains(j.people, p) }) || corrects && len(w.people) == 0 {
			w.had = true
		}
	}
}

// left are the rows that wait on.
func (e *earlier) left() (rows []badRow) {
	if e == nil {
		return nil
	}
	for _, w := range e.rows {
		if !w.had {
			rows = append(rows, badRow{from: e.cases, row: w.row})
		}
	}
	return rows
}

// people are the ways in which a record says who it is about. Whoever corrects one of them leaves another as it is.
func people(record []byte) (who []string) {
	var c struct {
		Person map[string]any `json:"person"`
	}
	if json.Unmarshal(record, &c) != nil {
		return nil
	}
	of := func(keys ...string) string {
		all := ""
		for _, k := range keys {
			s, _ := c.Person[k].(string)
			if s = strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(" \t\n/-", r) }), ""); s == "" {
				return ""
			}
			all += " " + s
		}
		return keys[0] + all
	}
	for _, id := range []string{of("crn"), of("prison_number"), of("pnc"), of("cro"), of("family_name", "given_names")} {
		if id != "" {
			sum := sha256.Sum256([]byte(id))
			who = append(who, hex.EncodeToString(sum[:8]))
		}
	}
	return who
}

// rowNumbers names rows, for people.
func rowNumbers(rows []badRow) []int {
	var out []int
	for _, b := range rows {
		out = append(out, b.row.First)
	}
	slices.Sort(out)
	return out
}

// Rows names rows for people: "row 6", "rows 6, 9 and 4 more".
func Rows(rows []int) string {
	const most = 10
	var all []string
	for _, n := range rows[:min(len(rows), most)] {
		all = append(all, strconv.Itoa(n))
	}
	switch n := len(rows) - most; {
	case len(rows) == 1:
		return "row " + all[0]
	case n > 0:
		return "rows " + strings.Join(all, ", ") + " and " + strconv.Itoa(n) + " more"
	}
	return "rows " + strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}
