package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
)

// What the templates in parts.html are made with: {{template "table" .Data.Table}}.

// Rows is a summary list: what, and how it stands.
type Rows []Row

// Row is one line of it. Change is where it can be changed.
type Row struct {
	Key    string
	Value  any // text, or a [Cell]
	Change *Link
	Hidden string // behind the words of Change, for who hears the page: "Change telephone"
}

// Table is a table with a caption. Every row has as many cells as there are heads.
type Table struct {
	Caption string
	Hide    bool // the caption is only heard
	Heads   []string
	Numeric map[int]bool // columns of numbers
	Rows    [][]Cell
	None    string // said instead when there are no rows
}

// Cell is one of its cells.
type Cell struct {
	Text  string
	Href  string // makes it a link
	Tag   string // the colour of a tag: red, orange, yellow, green, blue, grey; "" is no tag
	Sub   string // a second line, smaller
	Mark  string // a red tag behind the words, such as Urgent
	Pre   bool   // lines stay as they are
	Whole bool   // it is not broken across lines: a reference
}

// TextCell is a cell of words only.
func TextCell(s string) Cell { return Cell{Text: s} }

// LinkCell is a cell that leads somewhere.
func LinkCell(text, href string) Cell { return Cell{Text: text, Href: href} }

// TagCell is a cell with a tag.
func TagCell(text, colour string) Cell { return Cell{Text: text, Tag: colour} }

// Input is a text field with its label.
type Input struct {
	ID, Label, Hint, Value, Problem string
	Type                            string // "" is text
	Autocomplete                    string
	Width                           string // such as 10 or 20, in characters; "" is the whole
	Mode                            string // inputmode
	Lines                           int    // more than 1 makes it a text area
	Spell                           bool
	Large                           bool // the label is the heading of the page
}

// Choice is a question with one or several answers to choose from.
type Choice struct {
	ID, Legend, Hint, Problem string
	Several                   bool
	Large                     bool
	Options                   []Option
}

// Option is one of its answers.
type Option struct {
	Value, Label, Hint string
	Chosen             bool
}

// Button sends a form. Path is where to, by POST.
type Button struct {
	Text, Path string
	Kind       string // "", secondary, warning, link
	Fields     map[string]string
	Hidden     string // behind the words, for who hears the page
}

// Pages is where somebody is in a long list.
type Pages struct {
	Now, Last int // from 1
	href      func(int) string
}

// Paged cuts a list of n into pages. page is what was asked for; the rest of the query stays.
func Paged(r *Request, n, each int) (p Pages, from, to int) {
	p.Last = max((n+each-1)/each, 1)
	p.Now, _ = strconv.Atoi(r.URL.Query().Get("page"))
	p.Now = min(max(p.Now, 1), p.Last)
	path, query := r.URL.Path, r.URL.Query()
	p.href = func(n int) string {
		q := url.Values{}
		for k, v := range query {
			q[k] = v
		}
		q.Set("page", fmt.Sprint(n))
		return path + "?" + q.Encode()
	}
	from = (p.Now - 1) * each
	return p, from, min(from+each, n)
}

// Href is the address of a page.
func (p Pages) Href(n int) string { return p.href(n) }

// Previous and Next are the pages beside this one; 0 is none.
func (p Pages) Previous() int { return p.Now - 1 }

func (p Pages) Next() int {
	if p.Now == p.Last {
		return 0
	}
	return p.Now + 1
}

// Near are the pages that are shown by number; 0 stands for those left out.
func (p Pages) Near() (out []int) {
	for n := 1; n <= p.Last; n++ {
		switch {
		case n == 1 || n == p.Last || n >= p.Now-1 && n <= p.Now+1:
			out = append(out, n)
		case len(out) > 0 && out[len(out)-1] != 0:
			out = append(out, 0)
		}
	}
	return out
}

// Cell of a row's value.
func (r Row) Cell() Cell {
	switch v := r.Value.(type) {
	case Cell:
		return v
	case template.HTML: // never: what is shown is always escaped
		return Cell{Text: string(v)}
	case nil:
		return Cell{}
	}
	return Cell{Text: fmt.Sprint(r.Value)}
}

// described joins the ids of what describes a field.
func described(id, hint, problem string) string {
	switch {
	case hint != "" && problem != "":
		return id + "-hint " + id + "-error"
	case hint != "":
		return id + "-hint"
	case problem != "":
		return id + "-error"
	}
	return ""
}

// Described are the ids of what describes the field.
func (i Input) Described() string { return described(i.ID, i.Hint, i.Problem) }

// Described are the ids of what describes the question.
func (c Choice) Described() string { return described(c.ID, c.Hint, c.Problem) }

// OptionID is the id of an option. The first has the id of the question, so that the error summary leads to it.
func (c Choice) OptionID(i int) string {
	if i == 0 {
		return c.ID
	}
	return fmt.Sprintf("%s-%d", c.ID, i+1)
}

// Input is a short field with the message that belongs to it.
func (v *view) Input(id, label, value, autocomplete, width string) Input {
	return Input{ID: id, Label: label, Value: value, Autocomplete: autocomplete, Width: width, Problem: v.Problem(id)}
}

// InputHint is Input with a hint.
func (v *view) InputHint(id, label, hint, value, autocomplete, width string) Input {
	i := v.Input(id, label, value, autocomplete, width)
	i.Hint = hint
	return i
}

// Password is a field for a password. It is never filled in.
func (v *view) Password(id, label, autocomplete string) Input {
	return Input{ID: id, Label: label, Type: "password", Autocomplete: autocomplete, Width: "20", Problem: v.Problem(id)}
}
