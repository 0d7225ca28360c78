package caseforms

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// FillOptions say which document is made of a case.
type FillOptions struct {
	Today Date   // used for ages when the form's own date is not answered
	For   string // which of several addressees it is for; "" is the first
	Ref   string
	Issue int    // which issue under the reference it is, from 1; 0 when it was not recorded
	Copy  string // "" is full
	Draft bool
	Blank bool // the empty printable form; the case is not looked at and may be nil
	// Marked is for subject access: what the disclosable copy withholds is marked visibly even on forms that withhold silently (0.4 point 6).
	Marked bool
}

// Fill prints a form's answers from a case. It does not judge them: see [Definitions.Check].
func (d *Definitions) Fill(f *Form, c *Case, o FillOptions) (*Document, error) {
	if o.Copy == "" {
		o.Copy = CopyFull
	}
	if c == nil {
		c = d.NewCase()
	}
	x, err := d.filler(f, c, o)
	if err != nil {
		return nil, err
	}
	doc, err := x.document(o)
	if err != nil {
		return nil, err
	}
	if x.copy == CopyFull && !f.Outside {
		return doc, nil // what it tells is a warning of Check
	}
	if ps := x.leakProblems(doc); len(ps) > 0 {
		var all []string
		for _, p := range ps {
			all = append(all, p.String())
		}
		return nil, &Error{Kind: Invalid, Msg: "this copy is not made: " + strings.Join(all, "; "), Hint: ps[0].Hint}
	}
	return doc, nil
}

// document prints the form. It does not ask whether the copy tells what it withholds: see leakProblems.
func (x *filler) document(o FillOptions) (*Document, error) {
	d, f := x.d, x.form
	title, subtitle := f.Title, f.Subtitle
	for _, c := range f.Called {
		if !x.blank && x.asked(c.When, nil) {
			title, subtitle = c.Title, c.Subtitle
		}
	}
	doc := &Document{
		For:  x.called,
		Form: f.ID, Version: f.Version, Definition: f.Hash, Date: x.on, Area: d.Area, Lang: "en-GB", Title: d.say(title), Subtitle: d.say(subtitle),
		Marking: f.Marking, Notice: d.say(f.Notices[x.copy]), Ref: o.Ref, Issue: o.Issue, Copy: x.copy, Draft: o.Draft, Blank: o.Blank, Words: d.Word,
	}
	if d.Lang == "cy" {
		doc.Lang = "cy"
	}
	if o.Blank {
		doc.Marking, doc.Notice = f.MarkingBlank, ""
	}
	if x.silent {
		doc.Copy = "" // that there are copies is not told either
	}
	x.fill(doc)
	if f.Schedule && x.copy != CopyDisclosable && !o.Blank {
		s, err := x.schedule(o)
		if err != nil {
			return nil, err
		}
		if s != nil {
			at := slices.IndexFunc(doc.Sections, func(s DocSection) bool { return s.Layout == LayoutSignature })
			if at < 0 {
				at = len(doc.Sections)
			}
			doc.Sections = slices.Insert(doc.Sections, at, *s)
		}
	}
	doc.LeftOut = x.leftOut
	return doc, nil
}

// fill prints the sections that stand on this copy.
func (x *filler) fill(doc *Document) {
	doc.Sections = make([]DocSection, 0, len(x.form.Sections)+1)
	for _, s := range x.form.Sections {
		if !x.stands(s) {
			x.noteSection(s)
		} else if x.asked(s.When, nil) || x.blank || x.anyAnswered(s) {
			doc.Sections = append(doc.Sections, x.section(s))
		}
	}
}

// Word is a fixed word in the language of the definitions.
func (d *Definitions) Word(key string) string {
	t, ok := d.Words[key]
	if !ok {
		return "⟨" + key + "⟩" // Bind checks the words that are used, so this is seen only while a new one is written
	}
	return t.In(d.Lang)
}

// say puts the settings into a text: {organisation} and the like. What is no setting is left for the letter it stands in.
func (d *Definitions) say(t Text) string {
	s := t.In(d.Lang)
	if strings.IndexByte(s, '{') < 0 {
		return s
	}
	return inBraces.ReplaceAllStringFunc(s, func(m string) string {
		if v, ok := d.Settings[m[1:len(m)-1]]; ok {
			return v.In(d.Lang)
		}
		return m
	})
}

// filler is one form being filled from one case.
type filler struct {
	d         *Definitions
	form      *Form
	c         *Case
	own       Group
	addressee any             // the item of the addressees' list, nil when there is none
	name      string          // the addressee's, folded
	called    string          // the same as it was given
	at        int             // its place in the list
	others    map[string]bool // the names of the other addressees, folded
	on        Date
	urgent    bool
	blank     bool
	copy      string
	silent    bool            // withheld facts are as if not answered
	marked    bool            // withheld facts are marked, also those that are withheld silently
	in        *Section        // the section being filled
	title     string          // its printed title
	secrets   []secret        // what this document must not tell
	leftOut   []LeftOut       // the answers it leaves out
	listed    []LeftOut       // those its schedule lists
	noted     map[string]bool // their keys
}

func (d *Definitions) filler(f *Form, c *Case, o FillOptions) (*filler, error) {
	if o.Copy == "" {
		o.Copy = CopyFull
	}
	if !slices.Contains(f.Copies, o.Copy) {
		return nil, &Error{Kind: Invalid, Msg: f.ID + " has no copy called " + quoteKey(o.Copy), Hint: "it has: " + strings.Join(f.Copies, ", ")}
	}
	x := &filler{d: d, form: f, c: c, own: c.Forms[f.ID], on: o.Today, blank: o.Blank, copy: o.Copy, noted: map[string]bool{}}
	x.marked = o.Marked && x.copy == CopyDisclosable
	x.silent = f.Silent && x.copy == CopyDisclosable && !x.marked
	if err := x.address(o.For); err != nil {
		return nil, err
	}
	if x.own == nil {
		x.own = Group{}
	}
	if f.DatedBy != "" {
		switch v := x.find(f.DatedBy, nil).(type) {
		case *Of[Date]:
			if v.Known() {
				x.on = v.Value
			}
		case *Of[Moment]:
			if v.Known() {
				x.on = v.Value.Date
			}
		}
	}
	if f.Urgent != nil && !x.blank {
		x.urgent = x.asked(f.Urgent.When, nil)
	}
	x.noteAddresses()
	x.noteOthers()
	return x, nil
}

// address settles whom the document is for: the one wanted, else the first that has a name, else the first.
func (x *filler) address(want string) error {
	unknown := &Error{Kind: Invalid, Msg: "the case names no such addressee"}
	if x.form.Addressee == nil {
		if want != "" {
			unknown.Msg = x.form.ID + " is not made for one of several addressees"
			return unknown
		}
		return nil
	}
	l, _ := walk(x.c, x.form.Addressee.List).(list)
	if l == nil {
		return nil
	}
	number, _ := strconv.Atoi(want)
	seen := map[string]bool{}
	for i := range l.Len() {
		name := ""
		if v, ok := walk(l.item(i), x.form.Addressee.By).(leaf); ok {
			name = v.fact().Value
		}
		seen[fold(name)] = true
		if x.addressee == nil && (want == "" || number == i+1 || name != "" && fold(name) == fold(want)) {
			x.addressee, x.name, x.called, x.at = l.item(i), fold(name), name, i
		}
	}
	if want != "" && x.addressee == nil {
		unknown.Hint = "it must be one of " + x.form.Addressee.List + "[]." + x.form.Addressee.By + ", or its number in that list"
		return unknown
	}
	delete(seen, x.name)
	delete(seen, "")
	x.others = seen
	return nil
}

// fold brings a name to the form in which two spellings of it are compared.
func fold(name string) string { return strings.ToLower(strings.Join(strings.Fields(name), " ")) }

// find resolves a key: of the item, of the form, or the path of a shared fact.
func (x *filler) find(path string, item any) any {
	if item != nil {
		if v := walk(item, path); v != nil {
			return v
		}
	}
	if v := walk(x.own, path); v != nil {
		return v
	}
	if rest, ok := strings.CutPrefix(path, "addressee."); ok {
		return walk(x.addressee, rest)
	}
	if q := x.form.Field(path); q != nil && item == nil && len(q.From) == 1 && q.From[0] != path {
		return x.find(q.From[0], nil)
	}
	return walk(x.c, path)
}

// values are the values a condition looks at: of a list, those of every item.
func (x *filler) values(path string, item any) []string {
	v := x.find(path, item)
	if v == nil {
		// list.key: any item
		if i := strings.LastIndexByte(path, '.'); i > 0 {
			if l, ok := x.find(path[:i], nil).(list); ok {
				var all []string
				for n := range l.Len() {
					if lf, ok := walk(l.item(n), path[i+1:]).(leaf); ok && x.theirs(x.form.theirs[path[:i]], l.item(n)) {
						all = append(all, valueOf(lf))
					}
				}
				return all
			}
		}
		return []string{""}
	}
	switch v := v.(type) {
	case leaf:
		return strings.Split(valueOf(v), "\n")
	case list:
		if st, _ := v.state(); v.Len() == 0 && st == NotAnswered {
			return []string{""}
		} else if v.Len() == 0 {
			return []string{st.String()}
		}
	}
	return nil
}

// valueOf is what a condition compares: the value, the name of a state, "" for not answered.
func valueOf(l leaf) string {
	switch f := l.fact(); f.State {
	case Answered:
		return f.Value
	case NotAnswered:
		return ""
	default:
		return f.State.String()
	}
}

// asked tells whether a condition holds; without one it does.
func (x *filler) asked(c *Cond, item any) bool {
	if c == nil {
		return true
	}
	if l, ok := x.find(c.Field, item).(leaf); ok { // nearly always; nothing is made for it
		for v := range strings.SplitSeq(valueOf(l), "\n") {
			if slices.Contains(c.Is, v) {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(x.values(c.Field, item), func(v string) bool { return slices.Contains(c.Is, v) })
}

func (x *filler) anyAnswered(s *Section) bool {
	return slices.ContainsFunc(s.Fields, func(q *Field) bool { return x.answered(q, nil) })
}

func (x *filler) answered(q *Field, item any) bool {
	if q.Fields != nil && item == nil {
		t := x.table(q)
		return t != nil && (len(t.Rows) > 0 || t.None.State != NotAnswered)
	}
	a := x.answer(q, item, "")
	return a.State != NotAnswered
}

func (x *filler) section(s *Section) DocSection {
	out := DocSection{Key: s.Key, Title: x.d.say(s.Title), Intro: x.d.say(s.Intro), Layout: s.Layout}
	x.in, x.title = s, out.Title
	if s.Layout == LayoutLetter {
		out.Parts = append(out.Parts, Part{Letter: x.letter(s)})
		return out
	}
	out.Parts = make([]Part, 0, len(s.Fields))
	answers := make([]Answer, len(s.Fields)) // at once, because there are many
	for i, q := range s.Fields {
		if q.Internal {
			continue
		}
		if q.Fields != nil {
			if t := x.table(q); t != nil {
				if t.None != nil && x.folds(q, nil, t.None, s.Layout) {
					out.Folded = append(out.Folded, t.None)
				} else {
					out.Parts = append(out.Parts, Part{Table: t})
				}
			}
			continue
		}
		a := &answers[i]
		*a = x.answer(q, nil, "")
		if !x.blank && a.State == NotAnswered && !x.asked(q.When, nil) || x.untold(q, a) {
			continue
		}
		if s.Layout == LayoutReply && a.State == NotAnswered {
			a.Text, a.Reply = "", true
		}
		if x.folds(q, nil, a, s.Layout) {
			out.Folded = append(out.Folded, a)
			continue
		}
		out.Parts = append(out.Parts, Part{Answer: a})
	}
	return out
}

// folds tells whether an unanswered question is named in the closing line of its section instead of having a row.
func (x *filler) folds(q *Field, item any, a *Answer, l Layout) bool {
	if !x.form.FoldBlanks || x.blank || a.State != NotAnswered || l == LayoutReply || l == LayoutSignature {
		return false
	}
	return x.urgent || !x.needed(q.Required, item) && !x.needed(q.Warn, item)
}

// needed tells whether an answer is wanted now.
func (x *filler) needed(n *Need, item any) bool {
	switch {
	case n == nil:
		return false
	case n.Rule != "":
		return rules[n.Rule](x, &Rule{})
	}
	for _, c := range n.Any {
		if x.asked(c, item) {
			return true
		}
	}
	return n.Always || n.When != nil && x.asked(n.When, item)
}

func (x *filler) letter(s *Section) []Run {
	text := x.d.say(s.Text)
	var runs []Run
	for text != "" {
		i := strings.IndexByte(text, '{')
		n := strings.IndexByte(text, '}')
		if i < 0 || n < i {
			runs = append(runs, Run{Text: text})
			break
		}
		if i > 0 {
			runs = append(runs, Run{Text: text[:i]})
		}
		for _, q := range s.Fields {
			if q.Key == text[i+1:n] {
				a := x.answer(q, nil, "")
				runs = append(runs, Run{Answer: &a})
			}
		}
		text = text[n+1:]
	}
	return runs
}

// lists are the lists a question prints as one table, with the path of each.
func (x *filler) lists(q *Field) (ls []list, paths []string) {
	from := q.From
	if len(from) == 0 {
		from = []string{q.Key}
	}
	for _, path := range from {
		if l, ok := x.find(path, nil).(list); ok {
			ls = append(ls, l)
			paths = append(paths, path)
		}
	}
	return ls, paths
}

// entry is one item of a table, with its place in the case record.
type entry struct {
	item any
	list string
	i    int
}

// entries are the items a question prints. Without any, the state of the list says why.
func (x *filler) entries(q *Field) (all []entry, st State, why string) {
	ls, paths := x.lists(q)
	for n, l := range ls {
		if s, w := l.state(); s != NotAnswered && s != Answered && l.Len() == 0 && !(s == Withheld && x.silent) {
			st, why = s, w
		}
		for _, i := range x.items(q, l) {
			all = append(all, entry{l.item(i), paths[n], i})
		}
	}
	return all, st, why
}

// items are the places of the items that the field prints of a list.
func (x *filler) items(q *Field, l list) (index []int) {
	for i := range l.Len() {
		item := l.item(i)
		if q.Only != nil && !x.asked(q.Only, item) || !x.theirs(q.Theirs, item) {
			continue
		}
		index = append(index, i)
		if q.First {
			break
		}
	}
	return index
}

// theirs tells whether an item belongs in a document for this addressee: when it is the addressee's, or of nobody among the addressees.
// Leaving a child out of a referral is the greater danger, so a name that matches none leaves the child in.
func (x *filler) theirs(key string, item any) bool {
	v, ok := walk(item, key).(leaf)
	if key == "" || !ok || x.form.Addressee == nil {
		return true
	}
	name := fold(v.fact().Value)
	if x.form.Addressee.Only {
		return name == x.name
	}
	return name == "" || name == x.name || !x.others[name]
}

func (x *filler) table(q *Field) *Table {
	t := &Table{Key: q.Key, Label: x.d.say(q.Label), Hint: x.d.say(q.Hint), Layout: q.Layout}
	for _, c := range q.Fields {
		if !c.Internal {
			t.Columns = append(t.Columns, Column{Key: c.Key, Label: x.d.say(c.Label), Kind: c.shapeKind, Boxes: x.boxes(c, ""), Width: max(1, c.Width)})
		}
	}
	if x.blank {
		for i := range max(1, q.Rows) {
			row := Row{Key: fmt.Sprintf("%s[%d]", q.Key, i), Heading: x.cardTitle(q, i, nil)}
			for _, c := range q.Fields {
				if !c.Internal {
					row.Cells = append(row.Cells, x.answer(c, Group{}, row.Key+"."))
				}
			}
			t.Rows = append(t.Rows, row)
		}
		return t
	}
	if why := x.withheldHere(q, nil); why != "" {
		x.noteWithheld(q, nil, why, q.Key, t.Label, x.listText(q))
		if x.silent {
			return nil
		}
		t.None = &Answer{Key: q.Key, Label: t.Label, Kind: KindList, State: Withheld, Layout: q.Layout, Text: x.stateText(q, Withheld, "")}
		return t
	}
	all, st, why := x.entries(q)
	if len(all) == 0 {
		if st == NotAnswered && !x.asked(q.When, nil) {
			return nil
		}
		a := Answer{Key: q.Key, Label: t.Label, Kind: KindList, State: st, Layout: q.Layout, Text: x.stateText(q, st, why)}
		t.None = &a
		return t
	}
	for i, e := range all {
		n := len(t.Rows)
		if x.itemWithheld(q, e.item) {
			x.noteItem(q, e, i)
			continue
		}
		row := Row{Key: q.Key + "[" + strconv.Itoa(n) + "]", Heading: x.cardTitle(q, n, e.item), Cells: make([]Answer, 0, len(q.Fields))}
		for _, c := range q.Fields {
			if c.Internal {
				continue
			}
			a := x.answer(c, e.item, q.Key+"["+strconv.Itoa(n)+"].")
			if a.State == NotAnswered && !x.asked(c.When, e.item) && q.Layout == LayoutCards {
				continue
			}
			if q.Layout == LayoutCards && x.folds(c, e.item, &a, LayoutRows) {
				folded := a
				row.Folded = append(row.Folded, &folded)
				continue
			}
			row.Cells = append(row.Cells, a)
		}
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) == 0 { // all of them are left out: as if there were none
		t.None = &Answer{Key: q.Key, Label: t.Label, Kind: KindList, State: NotAnswered, Layout: q.Layout, Text: x.stateText(q, NotAnswered, "")}
	}
	return t
}

// cardTitle heads a card: the label with a number, and what the definition takes as its name.
func (x *filler) cardTitle(q *Field, n int, item any) string {
	if q.Layout != LayoutCards {
		return ""
	}
	title := itemLabel(x.d.say(q.itemName()), n)
	for _, k := range q.Heading {
		if lf, ok := walk(item, k).(leaf); ok && lf.fact().State == Answered {
			return title + ": " + lf.fact().Value
		}
	}
	return title
}

// boxes are the options of a question as boxes, ticked where the value, a line for each, says so.
func (x *filler) boxes(q *Field, value string) []Box {
	opts := x.d.Options(q)
	if opts == nil {
		return nil
	}
	ticked := strings.Split(value, "\n")
	out := make([]Box, len(opts))
	for i := range opts {
		out[i] = Box{Value: opts[i].Value, Label: x.d.say(opts[i].Label), Ticked: slices.Contains(ticked, opts[i].Value)}
	}
	return out
}

// answer prints one question. The item is the one of the list it stands in, nil outside lists.
func (x *filler) answer(q *Field, item any, prefix string) Answer {
	a := Answer{
		Key: prefix + q.Key, Label: x.d.say(q.Label), Hint: x.d.say(q.Hint), Kind: q.shapeKind, Layout: q.Layout, Column: q.Column, Columns: q.Columns, Rows: q.Rows,
	}
	if !q.Fixed.IsZero() {
		a.State, a.Text = Answered, x.d.say(q.Fixed)
		return a
	}
	if x.blank {
		a.Boxes = x.boxes(q, "")
		return a
	}
	if why := x.withheldHere(q, item); why != "" {
		x.noteWithheld(q, item, why, a.Key, a.Label, x.opened().answer(q, item, prefix).Text)
		a.State = Withheld
		if x.silent {
			a.State = NotAnswered
		}
		a.Text, a.Boxes = x.stateText(q, a.State, ""), x.boxes(q, "")
		return a
	}
	ticked := ""
	switch {
	case q.Computed != "":
		a.State, a.Text = computations[q.Computed](x)
	case q.As != "":
		a.State, a.Text = presenters[q.As](x, item)
	case len(q.From) > 1:
		a.State, a.Text = x.joined(q, item)
	default:
		path := q.Key
		if len(q.From) == 1 {
			path = q.From[0]
		}
		var why string
		v := x.find(path, item)
		if l, ok := v.(list); ok {
			a.State, a.Text, why = x.printList(q, l)
		} else {
			a.State, a.Text, why = x.print(v, q.options)
		}
		if lf, ok := v.(leaf); ok && a.State == Answered {
			a.Value = lf.fact().Value
			ticked = a.Value
		} else if a.State == NotKnown {
			ticked = NotKnown.String()
		}
		if a.State != Answered {
			a.Text = x.stateText(q, a.State, why)
			if !x.reticent(a.State) {
				a.Why = why
			}
		}
	}
	if a.State == NotAnswered && a.Text == "" {
		a.Text = x.stateText(q, NotAnswered, "")
	}
	a.Boxes = x.boxes(q, ticked)
	return a
}

// said is the state of an answer and its reason, as [filler.answer] finds them; of a single fact without making what is printed.
func (x *filler) said(q *Field, item any) (State, string) {
	if q.Fixed.IsZero() && q.Computed == "" && q.As == "" && len(q.From) <= 1 && x.withheldHere(q, item) == "" {
		path := q.Key
		if len(q.From) == 1 {
			path = q.From[0]
		}
		if l, ok := x.find(path, item).(leaf); ok {
			switch st, why := l.state(); {
			case st == Withheld && x.silent:
				return NotAnswered, ""
			case st == Answered || x.reticent(st):
				return st, ""
			default:
				return st, why
			}
		}
	}
	a := x.answer(q, item, "")
	return a.State, a.Why
}

// stateText is what is printed where there is no value.
func (x *filler) stateText(q *Field, s State, why string) string {
	if s == NotAnswered && x.urgent && q != nil && (q.Required != nil || q.Warn != nil) {
		return x.d.say(x.form.Urgent.Blank)
	}
	text := x.d.Word(s.String())
	if q != nil && !q.States[s.String()].IsZero() {
		text = x.d.say(q.States[s.String()])
	}
	if why != "" && !x.reticent(s) {
		text += ": " + why
	}
	return text
}

// joined prints several facts as one answer. When none has a value, its state is that of the first that has one.
func (x *filler) joined(q *Field, item any) (State, string) {
	var parts []string
	said := map[string]bool{}
	known, st, why := false, NotAnswered, ""
	for i, path := range q.From {
		var opts []Option
		if i < len(q.partOptions) {
			opts = q.partOptions[i]
		}
		v := x.find(path, item)
		if x.copy == CopyDisclosable && slices.Contains(q.Parts, path) && x.sensitive(q, item) != "" {
			x.secretsIn(v, secret{key: path, label: x.d.say(q.Label)}, nil)
			continue
		}
		s, text, w := x.print(v, opts)
		if l, ok := v.(list); ok {
			s, text, w = x.printList(&Field{Join: ", ", options: opts}, l)
		}
		before := ""
		if i < len(q.Before) {
			before = x.d.say(q.Before[i])
		}
		switch {
		case s == Answered:
			known = true
			parts = append(parts, before+text)
			continue
		case s == NotAnswered:
			continue
		case before != "":
			parts = append(parts, before+x.lower(s, w))
		case s != NotApplicable: // that a companion question does not arise need not be said
			parts = append(parts, x.stateText(q, s, w))
		}
		said[x.stateText(q, s, w)] = true
		if st == NotAnswered {
			st, why = s, w
		}
	}
	switch {
	case known:
		return Answered, strings.Join(parts, q.Join)
	case len(said) > 1:
		return st, strings.Join(parts, q.Join)
	}
	return st, x.stateText(q, st, why)
}

func (x *filler) printList(q *Field, l list) (State, string, string) {
	var parts []string
	for _, i := range x.items(q, l) {
		st, text, why := x.print(l.item(i), q.options)
		if st == NotAnswered {
			continue
		}
		if st != Answered {
			text = x.stateText(nil, st, why)
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		st, why := l.state()
		if st == Answered || st == Withheld && x.silent {
			return NotAnswered, "", "" // there are items, but none the question asks for, or none that is told
		}
		return st, "", why
	}
	sep := "\n"
	if q.Join != "" {
		sep = q.Join
	}
	return Answered, strings.Join(parts, sep), ""
}

// The records that print as one answer, and the keys they print.
func (*Address) printed() []string {
	return []string{"lines", "postcode", "no_fixed_abode", "closest_area"}
}
func (*PersonAddress) printed() []string { return []string{"address", "address_confidential"} }
func (*Professional) printed() []string  { return []string{"name", "role", "agency", "phone", "email"} }
func (*Offence) printed() []string       { return []string{"description", "offence_date"} }

// print is the printed text of a fact or of a record that prints as one, with its state.
func (x *filler) print(v any, opts []Option) (State, string, string) {
	switch v := v.(type) {
	case leaf:
		f := v.fact()
		if f.State == Withheld && x.silent {
			return NotAnswered, "", ""
		}
		if f.State != Answered {
			return f.State, "", f.Why
		}
		return Answered, x.printLeaf(v, f.Value, opts), ""
	case *Address:
		return x.printAddress(v)
	case *PersonAddress:
		st, text := x.markedAddress(&v.Address, &v.AddressConfidential)
		if st == Answered {
			return st, text, ""
		}
		st2, _, why := x.printAddress(&v.Address)
		if st2 != st {
			why = "" // withheld because it is confidential
		}
		return st, "", why
	case *Professional:
		return x.printParts(", ", part{"", &v.Name}, part{"part_role", &v.Role}, part{"part_agency", &v.Agency}, part{"part_phone", &v.Phone}, part{"part_email", &v.Email})
	case *Offence:
		st, text, why := x.print(&v.Description, nil)
		if x.unsaid(&v.OffenceDate) {
			return st, text, why
		}
		if st != Answered {
			text = x.stateText(nil, st, why)
		}
		date := v.OffenceDate.fact()
		if date.State == Answered {
			return Answered, text + " (" + x.partialDate(v.OffenceDate.Value) + ")", ""
		}
		return Answered, text + " (" + x.d.Word("part_date") + " " + x.lower(date.State, date.Why) + ")", ""
	}
	return NotAnswered, "", ""
}

// part is one of the facts that print as one answer, and the word that names it where it has no value.
type part struct {
	word string
	leaf leaf
}

// unsaid tells whether there is nothing to tell of a fact: it is not answered, or does not arise.
func (x *filler) unsaid(l leaf) bool {
	f := l.fact()
	return f.State == NotAnswered || f.State == Withheld && x.silent || f.State == NotApplicable && f.Why == ""
}

// lower is a state within a sentence: "withheld: she asked us to".
func (x *filler) lower(st State, why string) string {
	text := strings.ToLower(x.d.Word(st.String()))
	if why != "" && !x.reticent(st) {
		text += ": " + why
	}
	return text
}

// printParts joins facts; one that has a state instead of a value says so, unless none has a value and they print their state as one.
func (x *filler) printParts(sep string, facts ...part) (State, string, string) {
	var parts []string
	known := false
	st, why := NotAnswered, ""
	for _, p := range facts {
		s, text, w := x.print(p.leaf, nil)
		switch {
		case s == Answered:
			known = true
			parts = append(parts, text)
		case !x.unsaid(p.leaf):
			word := ""
			if p.word != "" {
				word = x.d.Word(p.word) + " "
			}
			parts = append(parts, word+x.lower(s, w))
			fallthrough
		default:
			if st == NotAnswered {
				st, why = s, w
			}
		}
	}
	if known {
		return Answered, strings.Join(parts, sep), ""
	}
	return st, "", why
}

func (x *filler) printAddress(a *Address) (State, string, string) {
	st, text, why := x.addressLines(a)
	area := ""
	if f := a.ClosestArea.fact(); f.State == Answered {
		area = x.d.Word("closest_area") + " " + f.Value
	} else if !x.unsaid(&a.ClosestArea) {
		area = x.d.Word("closest_area") + ": " + x.lower(f.State, f.Why)
	}
	abode := a.NoFixedAbode.fact()
	switch {
	case isYes(&a.NoFixedAbode):
		all := []string{x.d.Word("no_fixed_abode")}
		if area != "" {
			all = append(all, area)
		}
		if st == Answered {
			all = append(all, text)
		} else if st != NotAnswered && st != NotApplicable {
			all = append(all, x.lower(st, why))
		}
		return Answered, strings.Join(all, "; "), ""
	case st == Answered && area != "" && a.ClosestArea.Known():
		return Answered, text + "; " + area, ""
	case st == NotAnswered && a.ClosestArea.Known():
		return Answered, area, ""
	case st == NotAnswered && abode.State != Answered:
		return abode.State, "", abode.Why
	}
	return st, text, why
}

func (x *filler) addressLines(a *Address) (State, string, string) {
	var facts []part
	for i := range a.Lines.Items {
		facts = append(facts, part{"", &a.Lines.Items[i]})
	}
	st, text, why := x.printParts(", ", append(facts, part{"part_postcode", &a.Postcode})...)
	if ls, w := a.Lines.state(); a.Lines.Len() == 0 && ls != NotAnswered && !(ls == Withheld && x.silent) {
		if st != Answered {
			return ls, "", w
		}
		text = x.d.Word("part_lines") + " " + x.lower(ls, w) + ", " + text
	}
	return st, strings.ReplaceAll(text, ",, ", ", "), why
}

func (x *filler) printLeaf(l leaf, value string, opts []Option) string {
	switch v := l.(type) {
	case *Of[Date]:
		return x.longDate(v.Value)
	case *Of[PartialDate]:
		return x.partialDate(v.Value)
	case *Of[Moment]:
		if v.Value.HasTime {
			return x.longDate(v.Value.Date) + ", " + v.Value.Time.String()
		}
		return x.longDate(v.Value.Date)
	case *Of[YesNo], *Of[YesNoUnknown]:
		return x.d.Word(value)
	case *Of[Choice], *Of[Choices]:
		var labels []string
		chosen := strings.Split(value, "\n")
		for _, o := range opts {
			if slices.Contains(chosen, o.Value) {
				labels = append(labels, x.d.say(o.Label))
			}
		}
		return strings.Join(labels, "\n")
	}
	return value
}

func (x *filler) longDate(d Date) string {
	return strconv.Itoa(d.Day) + " " + x.d.Word("month_"+strconv.Itoa(d.Month)) + " " + fmt.Sprintf("%04d", d.Year)
}

func (x *filler) partialDate(p PartialDate) string {
	if d, ok := p.Date(); ok {
		return x.longDate(d)
	}
	switch {
	case p.Month > 0:
		return x.d.Word("month_"+strconv.Itoa(p.Month)) + " " + strconv.Itoa(p.Year)
	case p.Year > 0:
		return strconv.Itoa(p.Year)
	}
	return p.Typed
}
