package caseforms

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// CaseTable is a table in which cases are written down by the hundred: a row a case, or a row an item of a list such as the children.
// Together the tables of a form have a column for every fact that the form prints or looks at; see [Definitions.Tables].
type CaseTable struct {
	List    string // key path of the list whose items are the rows; empty where a row is a case
	Title   string
	Item    string // what a row is called
	Columns []CaseColumn
}

// CaseColumn is one column of a [CaseTable].
type CaseColumn struct {
	Key      string   // key path in the case record, or in the item of the table's list
	Section  string   // printed title of the section of the form that asks first
	Label    string   // its heading; no other column of the table has the same
	Names    []string // what else somebody may call it, such as the printed label alone; others may be called so too
	Hint     string
	Kind     Kind // of one value. KindList: the column only says why the table of that list has no rows of the case
	Options  []Option
	Several  bool   // a list of values: one a line, or parted by semicolons
	Question string // key of the question that asks first; several columns may belong to one
	Required bool   // the question must always be answered, and this is its first column

	states map[string]Text
	said   []stateWord // the words by which a cell gives a state
}

type stateWord struct {
	state State
	word  string
}

// Tables are the tables of a form, in the order of its questions; the first is the one with a row a case. What a recipient fills in is
// not among their columns.
func (d *Definitions) Tables(f *Form) []CaseTable {
	t := &tabler{d: d, form: f, seen: map[string]bool{}, at: map[string]*CaseTable{}}
	t.table("", d.Word("sheet_cases"), d.Word("column_case"))
	for _, s := range f.Sections {
		if s.Layout == LayoutReply {
			continue
		}
		t.section = strings.TrimRight(d.say(s.Title), " :")
		for _, q := range s.Fields {
			t.question(q)
		}
	}
	t.section = ""
	t.rest(d.shape, "", d.Uses(f))
	var out []CaseTable
	for _, c := range t.order {
		if c.List == "" || len(c.Columns) > 0 {
			c.distinct(d)
			for i := range c.Columns {
				c.Columns[i].said = d.words(&c.Columns[i])
			}
			out = append(out, *c)
		}
	}
	return out
}

type tabler struct {
	d       *Definitions
	form    *Form
	section string
	seen    map[string]bool
	asked   *Field // the question whose column was made last
	at      map[string]*CaseTable
	order   []*CaseTable
}

func (t *tabler) table(list, title, item string) *CaseTable {
	if c := t.at[list]; c != nil {
		return c
	}
	c := &CaseTable{List: list, Title: strings.TrimRight(title, " :"), Item: item}
	t.at[list] = c
	t.order = append(t.order, c)
	return c
}

// question makes columns of the facts that a question prints.
func (t *tabler) question(q *Field) {
	own := "forms." + t.form.ID + "."
	from := q.From
	if q.Kind != "" {
		from = []string{own + q.Key}
	}
	for _, p := range from {
		base := t.form.plain(p)
		s := t.d.shape.at(base)
		if s == nil && t.d.shape.at(own+p) != nil {
			base = own + p
			s = t.d.shape.at(base)
		}
		if s == nil {
			continue
		}
		if q.Fields == nil {
			t.fact(q, len(from) == 1, base, base, s)
			continue
		}
		t.list(q, base, s)
		for _, c := range q.Fields {
			below := c.From
			if c.Kind != "" {
				below = []string{c.Key}
			}
			for _, p := range below {
				if s := t.d.shape.at(base + "." + p); s != nil {
					t.fact(c, len(below) == 1, base+"."+p, base+"."+p, s)
				}
			}
		}
	}
}

// list makes the table of a list, and in the table of the cases the column in which it is said why there are no items.
func (t *tabler) list(q *Field, path string, s *Shape) {
	if t.at[path] != nil {
		return
	}
	title := t.d.say(s.Label)
	if title == "" && q != nil {
		title = t.d.say(q.Label)
	}
	t.table(path, cmp.Or(title, t.d.factLabel(s, path)), t.d.say(s.One))
	c := CaseColumn{Key: path, Kind: KindList, Section: t.section, Label: cmp.Or(title, t.d.factLabel(s, path))}
	c.ask(t.d, q, true, true)
	t.at[""].Columns = append(t.at[""].Columns, c)
}

// fact makes a column of a single fact, and of a record or the items of a list one for each that they print.
func (t *tabler) fact(q *Field, alone bool, base, path string, s *Shape) {
	switch {
	case s.Kind == KindList && s.Item.Kind == KindRecord:
		if t.d.inList(path) != "" {
			return // a list in an item has no place in a table
		}
		t.list(q, path, s)
		for _, k := range s.Item.Printed {
			t.fact(nil, false, path, join(path, k), s.Item.key(k))
		}
	case s.Kind == KindRecord:
		for _, k := range s.Printed {
			t.fact(q, alone, base, join(path, k), s.key(k))
		}
	default:
		t.column(q, alone, base, path, s)
	}
}

func (t *tabler) column(q *Field, alone bool, base, path string, s *Shape) {
	if t.seen[path] {
		return
	}
	t.seen[path] = true
	list := t.d.inList(path)
	if list != "" && t.at[list] == nil {
		t.list(nil, list, t.d.shape.at(list))
	}
	c := CaseColumn{Key: path, Kind: s.Kind, Options: s.Options, Section: t.section, Hint: t.d.say(s.Hint)}
	if list != "" {
		c.Key = path[len(list)+1:]
	}
	if s.Kind == KindList {
		c.Several, c.Kind, c.Options = true, s.Item.Kind, s.Item.Options
	}
	fact := t.d.factLabel(s, path)
	c.Label = fact
	if parent, name, ok := cutLast(path); ok && base != path {
		of := t.d.factLabel(t.d.shape.at(parent), parent)
		if q != nil && alone && parent == base {
			of = strings.TrimRight(t.d.say(q.Label), " :")
		}
		switch {
		case parent == list: // the item itself
		case name == "lines":
			c.Label = of
		default:
			c.Label = of + ": " + fact
		}
	} else if q != nil && alone {
		c.Label = strings.TrimRight(t.d.say(q.Label), " :")
	}
	if c.Label != fact && base == path {
		c.Names = append(c.Names, fact)
	}
	c.ask(t.d, q, base == path || alone, q != t.asked)
	t.asked = q
	if own, ok := strings.CutPrefix(path, "forms."+t.form.ID+"."); ok && list == "" {
		c.Names = append(c.Names, own)
	}
	if list == "" {
		c.Names = append(c.Names, alsoCalled[path]...)
	}
	at := t.at[list]
	at.Columns = append(at.Columns, c)
}

// ask takes from the question what is to be said of its column.
func (c *CaseColumn) ask(d *Definitions, q *Field, whole, first bool) {
	if q == nil {
		return
	}
	c.Question = q.Key
	if h := d.say(q.Hint); h != "" {
		c.Hint = h
	}
	if whole {
		c.states = q.States
	}
	c.Required = first && q.Required != nil && q.Required.Always && q.When == nil
}

// rest makes columns of the facts that are only looked at, in the order of the case record.
func (t *tabler) rest(s *Shape, path string, used map[string]bool) {
	for _, k := range s.Keys {
		p := join(path, k.Name)
		if !used[p] || path == "forms" && k.Name != t.form.ID {
			continue
		}
		switch ks := k.Shape; {
		case ks.Kind == KindRecord:
			t.rest(ks, p, used)
		case ks.Kind == KindList && ks.Item.Kind == KindRecord:
			if t.d.inList(p) == "" {
				t.rest(ks.Item, p, used)
			}
		case path == "forms."+t.form.ID && t.form.Field(k.Name) != nil && slices.Contains(t.form.ReplyFields(), t.form.Field(k.Name)):
		default:
			t.column(nil, false, p, p, ks)
		}
	}
}

// distinct makes the headings of a table differ. A heading that is only a word such as Name says whose.
func (c *CaseTable) distinct(d *Definitions) {
	count := map[string]int{}
	for i := range c.Columns {
		count[Heading(c.Columns[i].Label)]++
	}
	bare := map[string]bool{}
	for _, k := range []string{"name", "role", "agency", "phone", "email", "address", "date", "fax"} {
		bare[Heading(d.Word("fact_"+k))] = true
	}
	seen := map[string]bool{}
	for i := range c.Columns {
		q := &c.Columns[i]
		plain := q.Label
		first, _, _ := strings.Cut(plain, ": ")
		if c.List == "" && q.Section != "" && (count[Heading(plain)] > 1 || bare[Heading(first)]) {
			q.Label = q.Section + ": " + plain
		}
		if seen[Heading(q.Label)] {
			q.Label += " (" + q.Key + ")"
		}
		seen[Heading(q.Label)] = true
		if plain != q.Label {
			q.Names = append(q.Names, plain)
		} else if q.Section != "" {
			q.Names = append(q.Names, q.Section+": "+plain)
		}
	}
}

// Heading is a heading as two of them are compared: without regard to case, spaces, underscores and points.
func Heading(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '#' {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// NearestHeading is the heading most like the one given, "" when none is like it.
func NearestHeading(given string, known []string) string { return nearest(given, known) }

// factLabel is what a fact is called when no question names it alone.
func (d *Definitions) factLabel(s *Shape, path string) string {
	label := ""
	if s != nil {
		label = d.say(s.Label)
	}
	_, name, ok := cutLast(path)
	if !ok {
		name = path
	}
	if _, there := d.Words["fact_"+name]; there && label == "" {
		label = d.Word("fact_" + name)
	}
	if label == "" {
		label = strings.ReplaceAll(name, "_", " ")
		label = strings.ToUpper(label[:1]) + label[1:]
	}
	return strings.TrimRight(label, " :")
}

func cutLast(path string) (before, name string, ok bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// Column is the column that a key path of the case record would have, as the item of a list when it leads into one; nil when the record has
// no such fact. It is for records that hold more than a form asks.
func (d *Definitions) Column(path string) *CaseColumn {
	s := d.shape.at(path)
	if s == nil || s.Kind == KindRecord {
		return nil
	}
	c := &CaseColumn{Key: path, Label: d.factLabel(s, path), Kind: s.Kind, Options: s.Options}
	if s.Kind == KindList && s.Item.Kind != KindRecord {
		c.Several, c.Kind, c.Options = true, s.Item.Kind, s.Item.Options
	}
	c.said = d.words(c)
	return c
}

// IsRecord tells whether a key path leads to a record, which has no value of its own but may have a state.
func (d *Definitions) IsRecord(path string) bool {
	s := d.shape.at(path)
	return s != nil && s.Kind == KindRecord
}

// CellValue is what was understood of a cell.
type CellValue struct {
	JSON     []byte // the value as it stands in a case record; nil when the cell says nothing
	State    bool   // it is the reason why there is no value
	DayFirst bool   // a date such as 3/5/2014 was read with the day first, although the month could be meant
}

// ReadCell understands the text of a cell: a state by its words ("Not known: moved away"), an option by its label, a date as people write
// it, several values one a line. The error follows the label of the column and holds nothing of the text. What a value must be like
// is otherwise left to [Definitions.Decode].
func (d *Definitions) ReadCell(c *CaseColumn, text string) (CellValue, error) {
	text = strings.TrimSpace(strings.TrimLeft(text, "\ufeff"))
	if text == "" || strings.EqualFold(text, d.Words["not_answered"].En) || strings.EqualFold(text, d.Word("not_answered")) {
		return CellValue{}, nil
	}
	options := c.options(d)
	if options == nil || c.Kind == KindChecks {
		if js := d.stated(c, text); js != nil {
			return CellValue{JSON: js, State: true}, nil
		}
	}
	switch {
	case c.Kind == KindList:
		if Heading(text) == Heading(d.Word("see_sheet")) {
			return CellValue{}, nil
		}
		return CellValue{}, errors.New("only says why there are none, such as \"" + d.Word("none_known") + "\"; those that there are stand on a sheet of their own")
	case c.Kind == KindChecks:
		var all []string
		for line := range strings.SplitSeq(text, "\n") {
			if v, ok := d.option(options, line); ok {
				all = append(all, v)
				continue
			}
			for part := range strings.SplitSeq(line, ";") {
				if strings.TrimSpace(part) == "" {
					continue
				}
				v, ok := d.option(options, part)
				if !ok {
					return CellValue{}, errors.New("has an answer that is none of those that may be ticked")
				}
				all = append(all, v)
			}
		}
		return CellValue{JSON: appendList(all)}, nil
	case options != nil:
		if v, ok := d.option(options, text); ok {
			return CellValue{JSON: quote(v)}, nil
		}
		if js := d.stated(c, text); js != nil {
			return CellValue{JSON: js, State: true}, nil
		}
		if c.Kind == KindYesNo || c.Kind == KindYesNoUnknown {
			switch strings.ToLower(text) {
			case "y", "true":
				return CellValue{JSON: quote("yes")}, nil
			case "n", "false":
				return CellValue{JSON: quote("no")}, nil
			}
		}
		return CellValue{}, errors.New("is none of the answers that may be given")
	case c.Several:
		var all []string
		for line := range strings.SplitSeq(text, "\n") {
			for part := range strings.SplitSeq(line, ";") {
				if part = strings.TrimSpace(part); part != "" {
					all = append(all, part)
				}
			}
		}
		return CellValue{JSON: appendList(all)}, nil
	}
	var v CellValue
	switch c.Kind {
	case KindDate, KindPartialDate:
		date, unsure, err := d.cellDate(text)
		switch {
		case err != nil && c.Kind == KindDate:
			return v, err
		case err == nil:
			text, v.DayFirst = date, unsure
		}
	case KindDateTime:
		day, clock, _ := strings.Cut(strings.Replace(text, "T", " ", 1), " ")
		date, unsure, err := d.cellDate(day)
		if err != nil { // a month in words has spaces as well
			if i := strings.LastIndexByte(text, ' '); i > 0 && strings.Contains(text[i:], ":") {
				day, clock = text[:i], text[i+1:]
			} else {
				day, clock = text, ""
			}
			if date, unsure, err = d.cellDate(day); err != nil {
				return v, errors.New("is not a date and time: write 3/5/2014 14:30, or the date alone")
			}
		}
		if len(text) > 10 && text[10] == 'T' && strings.ContainsAny(text[11:], "Z+") {
			break // a machine wrote it, with its offset
		}
		if text = date; strings.TrimSpace(clock) != "" {
			text += " " + minutes(clock)
		}
		v.DayFirst = unsure
	case KindTime:
		text = minutes(text)
	}
	v.JSON = quote(text)
	return v, nil
}

// options are those a cell may name: of yes or no the words.
func (c *CaseColumn) options(d *Definitions) []Option {
	switch c.Kind {
	case KindYesNo, KindYesNoUnknown:
		return []Option{{Value: "yes", Label: d.Words["yes"]}, {Value: "no", Label: d.Words["no"]}}
	case KindChoice, KindChecks:
		if c.Options == nil {
			return []Option{}
		}
	}
	return c.Options
}

// Choices are what a cell of the column may be chosen from, as printed: the options and the states; nil where it is answered in words.
func (d *Definitions) Choices(c *CaseColumn) (out []string) {
	word := func(s State) {
		if t := c.states[s.String()]; !t.IsZero() {
			out = append(out, d.say(t))
		} else {
			out = append(out, d.Word(s.String()))
		}
	}
	if c.Kind == KindList {
		for _, s := range []State{NoneKnown, NotKnown, NotApplicable, Withheld} {
			word(s)
		}
		return append(out, d.Word("see_sheet"))
	}
	options := c.options(d)
	if options == nil {
		return nil
	}
	for _, o := range options {
		out = append(out, strings.TrimSpace(d.say(o.Label)))
	}
	if c.Kind == KindChecks {
		word(NoneKnown)
	}
	word(NotKnown)
	word(NotApplicable)
	return out
}

// words are those by which a cell of the column gives a state.
func (d *Definitions) words(c *CaseColumn) (all []stateWord) {
	lists := c.Kind == KindList || c.Kind == KindChecks || c.Several
	for s := NotKnown; s <= NoneKnown; s++ {
		if s == NoneKnown && !lists {
			continue
		}
		name := s.String()
		words := []string{d.Words[name].En, d.Words[name].Cy, d.Word(name), name, d.say(c.states[name])}
		if s == NotApplicable {
			words = append(words, "n/a")
		}
		for _, w := range words {
			if w != "" && !slices.Contains(all, stateWord{s, w}) {
				all = append(all, stateWord{s, w})
			}
		}
	}
	return all
}

// stated is the state that a cell gives in words, as JSON; nil when it gives none.
func (d *Definitions) stated(c *CaseColumn, text string) []byte {
	for _, w := range c.said {
		if len(text) < len(w.word) || !strings.EqualFold(text[:len(w.word)], w.word) {
			continue
		}
		rest := strings.TrimSpace(text[len(w.word):])
		if rest != "" {
			cut := false
			for _, sign := range []string{":", "–", "—", "- "} {
				if rest, cut = strings.CutPrefix(rest, sign); cut {
					break
				}
			}
			if !cut {
				continue
			}
		}
		js := append([]byte(`{"state":"`), w.state.String()...)
		if rest = strings.TrimSpace(rest); rest != "" {
			js = append(append(js, `","why":`...), quote(rest)...)
			return append(js, '}')
		}
		return append(js, `"}`...)
	}
	return nil
}

var errCellDate = errors.New("is not a date: write it as 3 May 2014, 3/5/2014 or 2014-05-03")

// cellDate is a date in ISO form. A time of midnight behind it, as programs export it, is nothing.
func (d *Definitions) cellDate(text string) (iso string, unsure bool, err error) {
	for _, zero := range []string{"T00:00:00Z", "T00:00:00", " 00:00:00", " 00:00", " 0:00"} {
		if day, ok := strings.CutSuffix(text, zero); ok {
			text = strings.TrimSpace(day)
			break
		}
	}
	var date Date
	if _, err := date.parse(text); err == nil {
		return date.String(), false, nil
	}
	if m := dayMonthYear.FindStringSubmatch(text); m != nil && len(m[3]) == 2 {
		return "", false, errors.New("has a year of two digits: write all four")
	}
	date, unsure, ok := d.writtenDate(text)
	if !ok {
		return "", false, errCellDate
	}
	return date.String(), unsure, nil
}

// minutes is a time of day without its seconds.
func minutes(clock string) string {
	clock = strings.TrimSpace(clock)
	if strings.Count(clock, ":") == 2 {
		clock = clock[:strings.LastIndexByte(clock, ':')]
	}
	return clock
}

func quote(s string) []byte {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil { // not UTF-8: whoever reads bytes has made it so
		b, _ = jsontext.AppendQuote(nil, strings.ToValidUTF8(s, "\ufffd"))
	}
	return b
}

func appendList(values []string) []byte {
	b := []byte{'['}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quote(v)...)
	}
	return append(b, ']')
}

// Example is what stands under a column in the row of a template that is an example: nobody's data, and seen to be. Of a date it is in ISO form.
func (d *Definitions) Example(q *CaseColumn) (text string, date bool) {
	if q.Several {
		return d.Word("example_text") + " 1\n" + d.Word("example_text") + " 2", false
	}
	if choices := d.Choices(q); len(choices) > 0 {
		if q.Kind == KindList {
			return d.Word("see_sheet"), false
		}
		return choices[0], false
	}
	switch q.Kind {
	case KindDate:
		return "2014-05-03", true
	case KindText, KindLongText:
		return d.Word("example_text"), false
	}
	return map[Kind]string{
		KindPartialDate: "03/05/2014", KindTime: "14:30", KindDateTime: "03/05/2014 14:30", KindNumber: "3",
		KindEmail: "name@example.org", KindPhone: "01632 960001", KindPostcode: "SW1A 1AA", KindCRN: "X000001",
		KindPrisonNumber: "A1234BC", KindPNC: "2005/0000042W", KindCRO: "SF99/1B", KindNHSNumber: "943 476 5919",
	}[q.Kind], false
}

// alsoCalled are the names that the lists of other systems have for facts of the person.
var alsoCalled = map[string][]string{
	"person.family_name":   {"surname", "last name", "family"},
	"person.given_names":   {"forename", "forenames", "first name", "first names", "given name"},
	"person.dob":           {"dob", "date of birth", "born"},
	"person.crn":           {"crn", "case reference number"},
	"person.prison_number": {"prison number", "noms", "noms number", "noms id", "nomis number"},
	"person.pnc":           {"pnc", "pnc id", "pnc number"},
	"person.cro":           {"cro", "cro number"},
}
