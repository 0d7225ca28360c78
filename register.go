package caseforms

import (
	"fmt"
	"slices"
	"strings"
)

// RegisterPlan says what the list of a form's cases has: which answers stand in it, and what is counted. It is an index for the office that
// sends the forms, so what is long, sensitive or an address has no place in it, and Bind refuses it.
type RegisterPlan struct {
	Columns []RegisterColumn
	Totals  []RegisterTotal
}

// RegisterColumn is a question that stands in the register. In a definition its key alone will do.
type RegisterColumn struct {
	Key   string
	Label Text // where the question's own does not say enough without its section
	Line  int
}

// RegisterTotal is a count of the cases: by the answers to one question, or to one and then to another. Dates are counted by the month.
type RegisterTotal struct {
	Of    string
	By    string // a question with options; each of them is a column of the table and a part of the bar
	Title Text
	Line  int
}

// CaseRegister is the register of one version of a form, in the words it is written in.
type CaseRegister struct {
	Form       string
	Version    string
	Definition string // as of [Document]
	Title      string
	Marking    string
	Lang       string
	Columns    []ListColumn
	Totals     []CaseTotal
	Words      func(key string) string
}

// ListColumn is a column of a register: the answer with a key.
type ListColumn struct {
	Key     string
	Label   string
	Kind    Kind // empty where several facts are joined
	Options []Box
}

// CaseTotal is a count. Of and By are places among the columns; By is -1 where there is none.
type CaseTotal struct {
	Title  string
	Of, By int
}

// CaseRegister is what the register of a form is written from, as [Definitions.Fill] gives what its documents are written from.
func (d *Definitions) CaseRegister(f *Form) (*CaseRegister, error) {
	if f.Register == nil || len(f.Register.Columns) == 0 {
		return nil, &Error{Kind: Invalid, Msg: "the form " + f.ID + " has no register: its definition names no columns for one", Hint: "add the key register to " + f.File + ", see docs/definitions.md"}
	}
	r := &CaseRegister{Form: f.ID, Version: f.Version, Definition: f.Hash, Title: d.say(f.Title), Marking: f.Marking, Lang: "en-GB", Words: d.Word}
	if d.Lang == "cy" {
		r.Lang = "cy"
	}
	at := func(key string) int {
		return slices.IndexFunc(r.Columns, func(c ListColumn) bool { return c.Key == key })
	}
	for _, c := range f.Register.Columns {
		q := f.fields[c.Key]
		col := ListColumn{Key: c.Key, Label: d.say(c.Label), Kind: q.shapeKind}
		if col.Label == "" {
			col.Label = strings.TrimRight(d.say(q.Label), " :")
		}
		for _, o := range d.Options(q) {
			col.Options = append(col.Options, Box{Value: o.Value, Label: d.say(o.Label)})
		}
		r.Columns = append(r.Columns, col)
	}
	for _, t := range f.Register.Totals {
		c := CaseTotal{Title: d.say(t.Title), Of: at(t.Of), By: -1}
		if t.By != "" {
			c.By = at(t.By)
		}
		if c.Title == "" {
			c.Title = r.Columns[c.Of].Label
			if c.By >= 0 {
				c.Title += " – " + r.Columns[c.By].Label
			}
		}
		r.Totals = append(r.Totals, c)
	}
	return r, nil
}

// The most there may be: so many columns can still be looked through, and so many totals are still looked at.
const (
	mostRegisterColumns = 100
	mostRegisterTotals  = 8
	mostTotalColumns    = 12 // options of what a total is divided by
)

func (b *binder) register(f *Form, own *Shape) {
	p := f.Register
	if p == nil {
		return
	}
	if len(p.Columns) == 0 || len(p.Columns) > mostRegisterColumns || len(p.Totals) > mostRegisterTotals {
		b.add(f.File, 1, "register", fmt.Sprintf("a register has one to %d columns and no more than %d totals", mostRegisterColumns, mostRegisterTotals), "")
		return
	}
	seen := map[string]bool{}
	for _, c := range p.Columns {
		q := f.fields[c.Key]
		switch {
		case q == nil:
			b.add(f.File, c.Line, "register", "there is no question "+quoteKey(c.Key), b.nearQuestion(f, c.Key))
			continue
		case seen[c.Key]:
			b.add(f.File, c.Line, "register", quoteKey(c.Key)+" stands twice", "")
		}
		seen[c.Key] = true
		b.texts(f, c.Line, "register", c.Label)
		if why := b.unregistered(f, q, own); why != "" {
			b.add(f.File, c.Line, "register", quoteKey(c.Key)+" cannot be a column: "+why, "")
		}
	}
	for _, t := range p.Totals {
		b.texts(f, t.Line, "register", t.Title)
		for _, key := range []string{t.Of, t.By} {
			if q := f.fields[key]; key != "" && (!seen[key] || q == nil) || key == "" && t.Of == "" {
				b.add(f.File, t.Line, "register", "a total is of a column: "+quoteKey(key)+" is none", "so that whoever doubts a number can count for themselves")
			} else if q != nil && (q.shapeKind == KindChecks || q.shapeKind == KindList) {
				b.add(f.File, t.Line, "register", quoteKey(key)+" may have several answers, and a case is counted once", "")
			}
		}
		if q := f.fields[t.By]; q != nil {
			if n := len(b.d.Options(q)); n == 0 || n > mostTotalColumns {
				b.add(f.File, t.Line, "register", fmt.Sprintf("a total is divided by a question with options, no more than %d", mostTotalColumns), "")
			}
		}
	}
}

func (b *binder) nearQuestion(f *Form, key string) string {
	var all []string
	for _, s := range f.Sections {
		for _, q := range s.Fields {
			all = append(all, q.Key)
		}
	}
	if n := nearest(key, all); n != "" {
		return "did you mean " + n + "?"
	}
	return ""
}

// unregistered says why a question cannot stand in a register.
func (b *binder) unregistered(f *Form, q *Field, own *Shape) string {
	section := f.Sections[slices.IndexFunc(f.Sections, func(s *Section) bool { return slices.Contains(s.Fields, q) })]
	switch {
	case q.Internal:
		return "it is in no output"
	case len(q.Sensitive) > 0 || q.Names:
		return "it is sensitive"
	case q.Fields != nil:
		return "it has several rows"
	case section.Layout == LayoutReply:
		return "the recipient answers it"
	case !section.on(CopyFull):
		return "it is not on the full copy"
	case q.shapeKind == KindLongText || q.Layout == LayoutNarrative:
		return "it is a narrative"
	case q.shapeKind == KindAddress || q.shapeKind == KindRecord:
		return "it is a record of several facts, such as an address"
	}
	for _, path := range q.From {
		s := b.source(f, path, own, nil)
		if s != nil && s.Kind == KindList {
			s = s.Item
		}
		switch {
		case s == nil: // told elsewhere
		case s.Kind == KindLongText:
			return "it has a narrative in it"
		case s.Kind == KindRecord || s.Kind == KindAddress:
			return "it is a record of several facts, such as an address"
		}
	}
	return ""
}
