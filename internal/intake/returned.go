package intake

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"caseforms"
)

// What tells of a row that was given back which row of the first file it is: a column of a workbook, and a member that no case record has.
const (
	lineMember = "line_in_first_file"
	noRecord   = "not_a_record" // holds a line that is no JSON object
)

// Corrects tells whether the file is one of rejected rows that were given back.
func (c *Cases) Corrects() bool { return c.sheets[0].row >= 0 }

// NoRows is what is wrong with a file of rejected rows that does not tell which rows of the first file they are.
func (c *Cases) NoRows() error {
	if c.Format == "jsonl" {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the lines have no " + strconv.Quote(lineMember) + " any more, so that nobody can tell which lines of the first file they correct",
			Hint: "put it back into each line, with the number of the line in the first file"}
	}
	return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the column " + strconv.Quote(c.defs.Word("column_row")) + " is missing, so that nobody can tell which rows these correct",
		Hint: "put it back: a column with this heading, and in it the number that each row has in the first file"}
}

// lostRows tells whether a sheet is one of rejected rows, as the mark below the heading of its first column says, and does not tell which rows they are.
func (c *Cases) lostRows(s *sheet, keys *row) bool {
	return s.row < 0 && keys != nil && slices.ContainsFunc(keys.cells, func(v cell) bool { return strings.HasPrefix(v.text, keyMark) && s.columns[v.col].ours })
}

// keysAlone tells whether a row is that of the keys, of a sheet whose column with the mark was deleted.
func (c *Cases) keysAlone(t *caseforms.CaseTable, r *row) bool {
	keys := 0
	for _, v := range r.cells {
		if slices.ContainsFunc(t.Columns, func(q caseforms.CaseColumn) bool { return q.Key == v.text }) {
			keys++
		}
	}
	return keys > 1 && 2*keys > len(r.cells)
}

// BackLine is a row of a file of records as it is given back: as it stands there, with its line.
func (c *Cases) BackLine(r *Row) string {
	mark := `{"` + lineMember + `":` + strconv.Itoa(r.First)
	line := strings.TrimSpace(r.row.cells[0].text)
	rest, object := strings.CutPrefix(line, "{")
	if !object {
		text, err := jsontext.AppendQuote(nil, strings.ToValidUTF8(line, "\ufffd"))
		if err != nil {
			panic(err) // what is valid UTF-8 can be quoted
		}
		return mark + `,"` + noRecord + `":` + string(text) + "}"
	}
	if !strings.HasPrefix(strings.TrimSpace(rest), "}") {
		mark += ","
	}
	return mark + rest
}

var marked = regexp.MustCompile(`^\s*\{\s*"` + lineMember + `"\s*:\s*([1-9][0-9]{0,8})\s*(,|(\}))`)

// unmark takes the line of the first file from a record; "" when it has none.
func unmark(b []byte) (line string, record []byte) {
	if !bytes.Contains(b, []byte(lineMember)) {
		return "", b
	}
	if m := marked.FindSubmatch(b); m != nil { // as we write it; the rest need not be JSON
		return string(m[1]), slices.Concat([]byte("{"), m[3], b[len(m[0]):])
	}
	dec := jsontext.NewDecoder(bytes.NewReader(b), jsontext.AllowDuplicateNames(true))
	if dec.PeekKind() != '{' {
		return "", b
	}
	_, _ = dec.ReadToken()
	out := []byte("{")
	for dec.PeekKind() == '"' {
		name, err := dec.ReadValue()
		if err != nil {
			return "", b
		}
		name = slices.Clone(name)
		value, err := dec.ReadValue()
		if err != nil {
			return "", b
		}
		if string(name) == `"`+lineMember+`"` && value.Kind() == '0' {
			line = string(value)
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	if _, err := dec.ReadToken(); err != nil || line == "" {
		return "", b
	}
	return line, append(out, '}')
}
