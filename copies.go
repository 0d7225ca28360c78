package caseforms

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The copies a form may have (0.4 points 5 and 6).
const (
	CopyFull        = "full"        // for the own file and for whom the form is made
	CopyDisclosable = "disclosable" // for the person, and for those the person shares it with: without what is sensitive
	CopyAnnex       = "annex"       // for the chair of a conference alone: what the disclosable copy leaves out
)

// Sensitivity says why an answer is left out of a disclosable copy.
type Sensitivity string

const (
	SensitiveAddress    Sensitivity = "address"     // of a refuge, a foster home, a victim who has moved; on a column: what leads there
	SensitiveThirdParty Sensitivity = "third_party" // about somebody else, or from another agency
	SensitiveVictim     Sensitivity = "victim"
	SensitiveSource     Sensitivity = "source"    // would tell who gave information; in a list, of the items that say source_protected
	SensitivePrivilege  Sensitivity = "privilege" // legal advice: in the own file alone
)

// LeftOut is an answer that a copy leaves out and that the case has.
type LeftOut struct {
	Key     string
	Label   string
	Section string
	Why     Sensitivity
	Text    string // what it would have printed

	in *Section
}

// on tells whether a section stands on a copy. An annex has only what says so.
func (s *Section) on(name string) bool {
	if s.Copies == nil {
		return name != CopyAnnex
	}
	return slices.Contains(s.Copies, name)
}

// stands tells whether a section stands on this document. An empty form with an own file is printed without the parts of the own file.
func (x *filler) stands(s *Section) bool {
	if x.blank && x.copy == CopyFull && x.form.Schedule {
		return s.on(CopyDisclosable)
	}
	return s.on(x.copy)
}

// withheldHere tells whether this copy leaves an answer out, and why. It does not ask whether there is an answer: what is told of a question
// must not show whether there was something to withhold.
func (x *filler) withheldHere(q *Field, item any) Sensitivity {
	if x.copy != CopyDisclosable || x.blank || len(q.Parts) > 0 {
		return ""
	}
	return x.sensitive(q, item)
}

// sensitive is the first reason for which a question, of an item, is sensitive.
func (x *filler) sensitive(q *Field, item any) Sensitivity {
	for _, why := range q.Sensitive {
		switch {
		case why == SensitiveSource && item == nil && q.Fields != nil: // item by item, see itemWithheld
		case why == SensitiveSource && item != nil && !x.sourceAmong(item):
		case why == SensitiveAddress && !x.addressConfidential(item):
		default:
			return why
		}
	}
	return ""
}

// itemWithheld tells whether an item of a list is left out whole. A child never is: missing a child is the greater danger.
func (x *filler) itemWithheld(q *Field, item any) bool {
	_, child := item.(*Child)
	return x.copy == CopyDisclosable && slices.Contains(q.Sensitive, SensitiveSource) && !child && sourceProtected(item)
}

// sourceProtected takes an item of which nobody knows whether it is protected for one that is.
func sourceProtected(item any) bool {
	v, ok := member(item, "source_protected").(*Of[YesNo])
	return ok && isConfidential(v)
}

// sourceAmong tells whether an item, or another like it, is a protected source. If only one child's answers were withheld, everybody could
// see which child spoke.
func (x *filler) sourceAmong(item any) bool {
	switch item.(type) {
	case *Child:
		return slices.ContainsFunc(x.c.Children.Items, func(c Child) bool { return sourceProtected(&c) })
	case *Adult:
		return slices.ContainsFunc(x.c.Adults.Items, func(a Adult) bool { return sourceProtected(&a) })
	}
	return sourceProtected(item)
}

// addressConfidential tells whether where an item lives is confidential, and with it what leads there, such as a school.
func (x *filler) addressConfidential(item any) bool {
	v, ok := member(item, "address_confidential").(*Of[YesNo])
	if !ok || isConfidential(v) {
		return ok
	}
	a, ok := member(item, "address").(*Address)
	return ok && !a.empty() && x.isConfidentialAddress(a, v)
}

// untold tells whether a question is left out without a word.
func (x *filler) untold(q *Field, a *Answer) bool {
	if x.silent && x.withheldHere(q, nil) != "" {
		return true
	}
	return q.Silent && a.State == Withheld && !x.marked && (x.silent || !x.form.Silent)
}

// reticent: a copy for the person says that something is withheld, never why.
func (x *filler) reticent(s State) bool { return s == Withheld && x.copy == CopyDisclosable }

// opened prints what the full copy would. On a full copy nothing is withheld, so it notes nothing in what it shares with x.
func (x *filler) opened() *filler {
	open := *x
	open.copy, open.silent = CopyFull, false
	return &open
}

// noteSection notes what stands in a section that is not on this copy and must not be told elsewhere on it.
func (x *filler) noteSection(s *Section) {
	if x.blank || x.copy == CopyFull {
		return
	}
	x.in, x.title = s, x.d.say(s.Title)
	for _, q := range s.Fields {
		why := x.anySensitive(q)
		if why == "" || q.Internal || x.copy == CopyAnnex && why != SensitivePrivilege {
			continue
		}
		if q.Fields != nil {
			x.noteWithheld(q, nil, why, q.Key, x.d.say(q.Label), x.listText(q))
		} else {
			a := x.opened().answer(q, nil, "")
			x.noteWithheld(q, nil, why, a.Key, a.Label, a.Text)
		}
	}
}

// anySensitive is the first reason for which a question or one of its columns is sensitive.
func (x *filler) anySensitive(q *Field) Sensitivity {
	why := x.sensitive(q, nil)
	for _, c := range q.Fields {
		if why == "" && len(c.Sensitive) > 0 {
			why = c.Sensitive[0]
		}
	}
	return why
}

// columns are the columns of a list that must not be told: all of them when the list itself is sensitive.
func (x *filler) columns(q *Field) []*Field {
	if x.sensitive(q, nil) != "" {
		return q.Fields
	}
	return slices.DeleteFunc(slices.Clone(q.Fields), func(c *Field) bool { return len(c.Sensitive) == 0 })
}

// noteWithheld notes an answer that is left out, with every fact that would have told it. An answer that is not there is not noted.
func (x *filler) noteWithheld(q *Field, item any, why Sensitivity, key, label, text string) {
	if x.noted[key] {
		return
	}
	before := len(x.secrets)
	from := q.From
	if len(from) == 0 {
		from = []string{q.Key}
	}
	for _, path := range from {
		x.secretsIn(x.find(path, item), secret{key: path[strings.LastIndexByte(path, '.')+1:], names: q.Names, label: label}, x.columns(q))
	}
	if len(x.secrets) > before {
		x.noted[key] = true
		x.leftOut = append(x.leftOut, LeftOut{Key: key, Label: label, Section: x.title, Why: why, Text: text, in: x.in})
	}
}

// noteItem notes an item of a list that is left out whole. No row says so: it would tell that there is somebody who must not be named.
func (x *filler) noteItem(q *Field, e entry, i int) {
	key := e.list + "[" + strconv.Itoa(e.i) + "]"
	if x.noted[key] {
		return
	}
	x.noted[key] = true
	var told []Answer
	for _, c := range q.Fields {
		if !c.Internal {
			told = append(told, x.opened().answer(c, e.item, ""))
		}
	}
	label := itemLabel(x.d.say(q.itemName()), i)
	x.secretsIn(e.item, secret{label: label}, nil)
	x.leftOut = append(x.leftOut, LeftOut{Key: key, Label: label, Section: x.title, Why: SensitiveSource, Text: cellText(told), in: x.in})
}

// listText is what a list would have printed if the copy did not leave it out.
func (x *filler) listText(q *Field) string {
	t := x.opened().table(q)
	if t == nil {
		return ""
	}
	var all []string
	for _, r := range t.Rows {
		all = append(all, cellText(r.Cells))
	}
	return strings.Join(all, "\n")
}

func cellText(cells []Answer) string {
	var all []string
	for i := range cells {
		all = append(all, cells[i].Label+": "+cells[i].Text)
	}
	return strings.Join(all, "; ")
}

// noteAddresses notes the addresses this document may not tell: all that are confidential, unless it goes to Children's Social Care.
func (x *filler) noteAddresses() {
	if x.tellsAddresses() || x.blank {
		return
	}
	words := map[string]string{"children": "child", "adults": "adult", "person.addresses": "person_address"}
	x.c.addresses(func(list string, i int, a *Address, confidential *Of[YesNo]) {
		if a.empty() || !x.isConfidentialAddress(a, confidential) {
			return
		}
		label := itemLabel(x.d.Word(words[list]), i) + ": " + x.d.Word("part_lines")
		x.secrets = append(x.secrets, secret{place: a, label: label})
		if x.form.asks(list+".address_confidential") != nil {
			x.leftOut = append(x.leftOut, LeftOut{Key: fmt.Sprintf("%s[%d].address", list, i), Label: label, Why: SensitiveAddress})
		}
	})
}

// noteOthers notes what this document must not tell although it does not ask for it: protected adults, victims and professionals, and what is
// sensitive on another form. A form for outsiders is a shared copy by itself.
func (x *filler) noteOthers() {
	if x.blank || x.copy == CopyAnnex || x.copy == CopyFull && !x.form.Outside {
		return
	}
	for i := range x.c.Adults.Items {
		if a := &x.c.Adults.Items[i]; sourceProtected(a) {
			x.secretsIn(a, secret{label: itemLabel(x.d.Word("adult"), i)}, nil)
		}
	}
	for i := range x.c.Victims.Items {
		if v := &x.c.Victims.Items[i]; sourceProtected(v) {
			x.secretsIn(v, secret{label: itemLabel(x.d.Word("victim"), i)}, nil)
		}
	}
	for i := range x.c.Professionals.Items {
		if p := &x.c.Professionals.Items[i]; sourceProtected(p) {
			x.secretsIn(p, secret{label: itemLabel(x.d.Word("professional"), i)}, nil)
		}
	}
	for _, f := range x.d.Forms {
		if f == x.form {
			continue
		}
		for _, s := range f.Sections {
			for _, q := range s.Fields {
				if q.Kind != "" && x.anySensitive(q) != "" && x.form.asks("forms."+f.ID+"."+q.Key) == nil {
					x.secretsIn(x.c.Forms[f.ID][q.Key], secret{key: q.Key, names: q.Names, label: f.ID + ": " + x.d.say(q.Label)}, x.columns(q))
				}
			}
		}
	}
}

// tellsAddresses: confidential addresses go to Children's Social Care alone, and in no copy for the person (0.4 point 7).
func (x *filler) tellsAddresses() bool { return x.form.Confidential && x.copy != CopyDisclosable }

// schedule lists what the disclosable copy leaves out, for the own file and the annex; nil when that is nothing. The annex tells it; but
// confidential addresses go to Children's Social Care alone, and legal advice to nobody.
func (x *filler) schedule(o FillOptions) (*DocSection, error) {
	o.Copy = CopyDisclosable
	other, err := x.d.filler(x.form, x.c, o)
	if err != nil {
		return nil, err
	}
	other.fill(&Document{})
	s := &DocSection{Key: "schedule", Title: x.d.Word("schedule"), Intro: x.d.Word("schedule_intro"), Layout: LayoutRows}
	t := &Table{Key: "schedule", Label: s.Title, Layout: LayoutTable, Columns: []Column{
		{Key: "what", Label: x.d.Word("schedule_what"), Kind: KindText, Width: 4},
		{Key: "why", Label: x.d.Word("schedule_why"), Kind: KindText, Width: 4},
	}}
	if x.copy == CopyAnnex {
		t.Columns = append(t.Columns, Column{Key: "content", Label: x.d.Word("schedule_content"), Kind: KindLongText, Width: 8})
	}
	for _, w := range other.leftOut {
		if x.copy == CopyAnnex && (w.in != nil && w.in.on(CopyAnnex) || w.Why == SensitivePrivilege) {
			continue // it says so itself, or nobody is told
		}
		key := fmt.Sprintf("schedule[%d]", len(t.Rows))
		x.listed = append(x.listed, w)
		cell := func(name, text string) Answer {
			return Answer{Key: key + "." + name, Label: x.d.Word("schedule_" + name), Kind: KindLongText, State: Answered, Text: text}
		}
		r := Row{Key: key, Cells: []Answer{cell("what", w.Label), cell("why", x.d.Word("sensitive_"+string(w.Why)))}}
		if x.copy == CopyAnnex {
			if w.Why == SensitiveAddress {
				w.Text = x.d.Word(Withheld.String())
			}
			r.Cells = append(r.Cells, cell("content", w.Text))
		}
		t.Rows = append(t.Rows, r)
	}
	if len(t.Rows) == 0 {
		return nil, nil
	}
	s.Parts = []Part{{Table: t}}
	return s, nil
}
