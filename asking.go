package caseforms

import (
	"slices"
	"strings"
)

// Asked is a form as it is asked on pages: its topics in printed order, and what is asked of the items of each list.
type Asked struct {
	Topics []Topic
	Lists  []*AskedList
}

// Topic is a section as it is asked. What the recipient fills in is none.
type Topic struct {
	Key       string
	Title     string // empty of the facts that no question prints, and that the form looks at all the same
	Intro     string
	Section   *Section // nil of those facts
	Questions []Asking
}

// MoreTopic is the key of the topic with the facts that no question prints.
const MoreTopic = "more"

// Asking is one question: single facts to be typed, or lists whose items have pages of their own. Without either it is printed only.
type Asking struct {
	Field *Field // nil of a fact that no question prints
	Key   string
	Label string
	Hint  string
	When  *Cond
	Facts []AskedFact
	Lists []string // paths of lists
}

// AskedFact is one fact to be typed.
type AskedFact struct {
	Path    string // in the case record, or in the item of its list
	Label   string
	Kind    Kind // of one value; KindList: only why the list of that path has no items
	Options []AskedOption
	Several bool // a list of values
	Lines   int  // of a text: in how many lines it is typed; 0 is one
	States  []AskedOption
}

// AskedOption is an answer to choose, or a state by its name.
type AskedOption struct{ Value, Label string }

// AskedList is a list of records, and what is asked of each of its items.
type AskedList struct {
	Path      string
	Title     string
	Item      string // what one item is called
	Questions []Asking
	Heading   []string // keys of the item that name it
	None      AskedFact
}

// List finds a list by its path.
func (a *Asked) List(path string) *AskedList {
	for _, l := range a.Lists {
		if l.Path == path {
			return l
		}
	}
	return nil
}

// Topic finds a topic by its key.
func (a *Asked) Topic(key string) *Topic {
	for i := range a.Topics {
		if a.Topics[i].Key == key {
			return &a.Topics[i]
		}
	}
	return nil
}

// TopicOf is the topic in which a key path is answered, and what asks for it there: a fact's path, or that of a list. The title of a
// section goes before others that ask the same.
func (a *Asked) TopicOf(path, title string) (topic *Topic, at string) {
	plain := indexes.ReplaceAllString(path, "")
	for i := range a.Topics {
		t := &a.Topics[i]
		if topic != nil && t.Title != title {
			continue
		}
		if at2 := t.asks(plain); at2 != "" && (topic == nil || topic.Title != title) {
			topic, at = t, at2
		}
	}
	return topic, at
}

func (t *Topic) asks(path string) string {
	for i := range t.Questions {
		q := &t.Questions[i]
		for j := range q.Facts {
			if p := q.Facts[j].Path; p == path || strings.HasPrefix(p, path+".") || strings.HasPrefix(path, p+".") {
				return p
			}
		}
		for _, l := range q.Lists {
			if l == path || strings.HasPrefix(path, l+".") {
				return l
			}
		}
	}
	return ""
}

// Asked lays out what a form asks.
func (d *Definitions) Asked(f *Form) *Asked {
	a := &asker{d: d, form: f, out: &Asked{}, own: "forms." + f.ID + ".", reply: map[string]bool{}, seen: map[string]bool{}, at: map[string]*Asking{}}
	for _, q := range f.ReplyFields() {
		a.reply[a.own+q.Key] = true
		for _, p := range q.From {
			a.reply[f.plain(p)] = true
		}
	}
	for _, s := range f.Sections {
		if s.Layout == LayoutReply {
			continue
		}
		a.topic = &Topic{Key: s.Key, Title: strings.TrimRight(d.say(s.Title), " :"), Intro: d.say(s.Intro), Section: s}
		a.here = map[string]bool{}
		for _, q := range s.Fields {
			a.question(q)
		}
		a.out.Topics = append(a.out.Topics, *a.topic)
	}
	a.topic, a.here = &Topic{Key: MoreTopic}, map[string]bool{}
	a.rest(d.shape, "", d.Uses(f))
	if len(a.topic.Questions) > 0 {
		a.out.Topics = append(a.out.Topics, *a.topic)
	}
	return a.out
}

type asker struct {
	d     *Definitions
	form  *Form
	own   string
	out   *Asked
	topic *Topic
	reply map[string]bool
	here  map[string]bool    // paths that the topic asks already
	seen  map[string]bool    // paths that any topic asks
	at    map[string]*Asking // of the items of lists, by full path
}

// resolve finds the shape of what a question names, as the case record has it.
func (a *asker) resolve(p string) (string, *Shape) {
	base := a.form.plain(p)
	s := a.d.shape.at(base)
	if s == nil {
		if o := a.d.shape.at(a.own + p); o != nil {
			base, s = a.own+p, o
		}
	}
	return base, s
}

func (a *asker) question(q *Field) {
	from := q.From
	if q.Kind != "" {
		from = []string{a.own + q.Key}
	}
	ask := Asking{Field: q, Key: q.Key, Label: a.label(a.d.say(q.Label)), Hint: a.d.say(q.Hint), When: q.When}
	for _, p := range from {
		base, s := a.resolve(p)
		if s == nil {
			continue
		}
		list := base
		if s.Kind != KindList || s.Item.Kind != KindRecord {
			list = a.d.inList(base)
		}
		if list == "" {
			a.facts(&ask, q, len(from) == 1, base, base, s)
			continue
		}
		l := a.list(list, q)
		if q.Fields != nil {
			for _, c := range q.Fields {
				a.column(l, c)
			}
			if len(l.Heading) == 0 {
				l.Heading = q.Heading
			}
		} else if base == list {
			for _, k := range s.Item.Printed {
				a.item(l, nil, k)
			}
		} else {
			a.item(l, q, base[len(list)+1:])
		}
		if !a.here[list] {
			a.here[list] = true
			ask.Lists = append(ask.Lists, list)
		}
	}
	if len(ask.Facts)+len(ask.Lists) > 0 {
		a.topic.Questions = append(a.topic.Questions, ask)
	}
}

func (a *asker) label(s string) string { return strings.TrimRight(s, " :") }

// list begins a list, or finds it.
func (a *asker) list(path string, q *Field) *AskedList {
	a.seen[path] = true
	if l := a.out.List(path); l != nil {
		return l
	}
	s := a.d.shape.at(path)
	l := &AskedList{Path: path, Title: a.label(a.d.say(s.Label)), Item: a.label(a.d.say(s.One))}
	if l.Title == "" && q != nil {
		l.Title = a.label(a.d.say(q.Label))
	}
	if l.Title == "" {
		l.Title = a.d.factLabel(s, path)
	}
	if l.Item == "" {
		l.Item = l.Title
	}
	l.None = AskedFact{Path: path, Label: l.Title, Kind: KindList, States: a.d.statesOf(nil, KindList, false)}
	a.out.Lists = append(a.out.Lists, l)
	return l
}

// column asks of the items what a column of a list prints.
func (a *asker) column(l *AskedList, c *Field) {
	from := c.From
	if c.Kind != "" {
		from = []string{c.Key}
	}
	base := a.d.shape.at(l.Path)
	ask := Asking{Field: c, Key: c.Key, Label: a.label(a.d.say(c.Label)), Hint: a.d.say(c.Hint), When: c.When}
	for _, p := range from {
		if s := base.Item.at(p); s != nil {
			a.facts(&ask, c, len(from) == 1, l.Path+"."+p, l.Path+"."+p, s)
		}
	}
	a.into(l, ask)
}

// item asks of the items a fact by its key.
func (a *asker) item(l *AskedList, q *Field, key string) {
	s := a.d.shape.at(l.Path).Item.at(key)
	if s == nil {
		return
	}
	ask := Asking{Key: key, Label: a.d.factLabel(s, l.Path+"."+key), Hint: a.d.say(s.Hint)}
	if q != nil && len(q.From) == 1 {
		ask.Label, ask.Hint = a.label(a.d.say(q.Label)), a.d.say(q.Hint)
	}
	a.facts(&ask, q, true, l.Path+"."+key, l.Path+"."+key, s)
	a.into(l, ask)
}

// into adds a question about items, without the facts that another asks already. A fact that is asked without a condition elsewhere is
// asked without one.
func (a *asker) into(l *AskedList, ask Asking) {
	ask.Facts = slices.DeleteFunc(ask.Facts, func(f AskedFact) bool {
		for i := range l.Questions {
			for _, g := range l.Questions[i].Facts {
				if g.Path == f.Path {
					if ask.When == nil {
						l.Questions[i].When = nil
					}
					return true
				}
			}
		}
		return false
	})
	if len(ask.Facts) > 0 {
		l.Questions = append(l.Questions, ask)
	}
}

// facts adds the facts under a path: itself, or of a record those that it prints.
func (a *asker) facts(ask *Asking, q *Field, alone bool, base, path string, s *Shape) {
	switch {
	case s.Kind == KindList && s.Item.Kind == KindRecord:
		return // a list in an item has no page
	case s.Kind == KindRecord:
		for _, k := range s.Printed {
			a.facts(ask, q, alone, base, join(path, k), s.key(k))
		}
		return
	}
	list := a.d.inList(path)
	a.seen[path] = true
	if list == "" {
		if a.here[path] {
			return
		}
		a.here[path] = true
	}
	f := AskedFact{Path: path, Kind: s.Kind, Label: a.d.factLabel(s, path)}
	if list != "" {
		f.Path = path[len(list)+1:]
	}
	if w := a.d.Facts[path]; w != nil {
		f.Lines = w.Lines
	}
	options := s.Options
	if s.Kind == KindList {
		f.Several, f.Kind, options = true, s.Item.Kind, s.Item.Options
	}
	if alone && base == path {
		f.Label = ask.Label
		f.States = a.d.statesOf(q, f.Kind, f.Several)
		if q != nil {
			f.Lines = max(f.Lines, q.Lines)
		}
	} else {
		f.States = a.d.statesOf(nil, f.Kind, f.Several)
	}
	switch f.Kind {
	case KindYesNo, KindYesNoUnknown:
		f.Options = []AskedOption{{"yes", a.d.Word("yes")}, {"no", a.d.Word("no")}}
		if f.Kind == KindYesNoUnknown {
			f.Options = append(f.Options, AskedOption{"not_known", a.d.Word("not_known")})
		}
	default:
		for _, o := range options {
			f.Options = append(f.Options, AskedOption{o.Value, a.label(a.d.say(o.Label))})
		}
	}
	ask.Facts = append(ask.Facts, f)
}

// statesOf are the states that may stand in place of a value.
func (d *Definitions) statesOf(q *Field, k Kind, several bool) (out []AskedOption) {
	if q != nil && q.Definite && q.Required != nil && q.Required.Always {
		return nil
	}
	states := []State{NotKnown, NotApplicable, Withheld}
	if k == KindList || k == KindChecks || several {
		states = append([]State{NoneKnown}, states...)
	}
	for _, s := range states {
		word := d.Word(s.String())
		if q != nil && !q.States[s.String()].IsZero() {
			word = d.say(q.States[s.String()])
		}
		out = append(out, AskedOption{s.String(), word})
	}
	return out
}

// rest asks for the facts that are only looked at, in the order of the case record.
func (a *asker) rest(s *Shape, path string, used map[string]bool) {
	for _, k := range s.Keys {
		p := join(path, k.Name)
		if !used[p] || path == "forms" && k.Name != a.form.ID || a.reply[p] {
			continue
		}
		switch ks := k.Shape; {
		case ks.Kind == KindRecord:
			a.rest(ks, p, used)
		case ks.Kind == KindList && ks.Item.Kind == KindRecord:
			if a.d.inList(p) != "" {
				continue
			}
			fresh := !a.seen[p]
			a.rest(ks.Item, p, used)
			if l := a.out.List(p); fresh && l != nil {
				a.topic.Questions = append(a.topic.Questions, Asking{Key: p, Label: l.Title, Lists: []string{p}})
			}
		case a.seen[p]:
		default:
			if list := a.d.inList(p); list != "" {
				a.item(a.list(list, nil), nil, p[len(list)+1:])
				continue
			}
			ask := Asking{Key: p, Label: a.d.factLabel(ks, p), Hint: a.d.say(ks.Hint)}
			a.facts(&ask, nil, true, p, p, ks)
			if parent, _, ok := cutLast(p); ok {
				if of := a.d.shape.at(parent); of != nil && !of.Label.IsZero() {
					ask.Label = a.label(a.d.say(of.Label)) + ": " + ask.Label
				}
			}
			a.topic.Questions = append(a.topic.Questions, ask)
		}
	}
}

// inList is the path of the list of records in whose items a fact stands.
func (d *Definitions) inList(path string) string {
	for i, r := range path {
		if r == '.' {
			if s := d.shape.at(path[:i]); s != nil && s.Kind == KindList {
				return path[:i]
			}
		}
	}
	return ""
}

// Title is the form's title in the language of the definitions.
func (d *Definitions) Title(f *Form) string { return d.say(f.Title) }

// Say is a text in the language of the definitions, with the settings filled in.
func (d *Definitions) Say(t Text) string { return d.say(t) }

// Arising tells whether a question is to be answered, as far as the other answers say.
type Arising int

const (
	Arises       Arising = iota // it is to be answered, or has no condition
	MayArise                    // what decides it is not answered yet
	DoesNotArise                // the other answers say that it does not
)

// View looks at a case through a form.
type View struct {
	x *filler
}

// View looks at a case through a form. o is as for [Definitions.Fill].
func (d *Definitions) View(f *Form, c *Case, o FillOptions) (*View, error) {
	x, err := d.filler(f, c, o)
	if err != nil {
		return nil, err
	}
	return &View{x}, nil
}

// Arises tells whether a condition holds: at the top of the form, or with a list for an item of it. An item that is not there yet is an empty one.
func (v *View) Arises(c *Cond, list string, i int) Arising {
	if c == nil {
		return Arises
	}
	var item any
	if list != "" {
		if l, ok := walk(v.x.c, list).(interface {
			Len() int
			item(i int) any
		}); ok && i < l.Len() {
			item = l.item(i)
		} else if s := v.x.d.shape.at(list); s != nil && s.Item.at(c.Field) != nil {
			if slices.Contains(c.Is, "") {
				return Arises
			}
			return MayArise
		}
	}
	if v.x.asked(c, item) {
		return Arises
	}
	if l, ok := v.x.find(c.Field, item).(interface{ Len() int }); ok && l.Len() > 0 {
		return DoesNotArise // it asks why there are none
	}
	for _, s := range v.x.values(c.Field, item) {
		if s != "" {
			return DoesNotArise
		}
	}
	return MayArise
}

// Condition says a condition in words: the question, and the answers of which one must be given.
func (d *Definitions) Condition(f *Form, c *Cond, list string) (label string, answers []string) {
	path := c.Field
	q := f.fields[c.Field]
	var s *Shape
	if list != "" {
		if s = d.shape.at(list + "." + c.Field); s != nil {
			path = list + "." + c.Field
			q = f.asked[path]
		}
	}
	if s == nil {
		if q != nil && q.Kind == "" && len(q.From) == 1 {
			path = f.plain(q.From[0])
		} else if q != nil {
			path = "forms." + f.ID + "." + c.Field
		} else {
			path = f.plain(c.Field)
		}
		s = d.shape.at(path)
	}
	if q == nil {
		q = f.asked[path]
	}
	label = d.factLabel(s, path)
	if q != nil && (q.Kind != "" || len(q.From) == 1) {
		label = strings.TrimRight(d.say(q.Label), " :")
	}
	var options []Option
	if s != nil {
		if options = s.Options; s.Kind == KindList {
			options = s.Item.Options
		}
	}
	for _, v := range c.Is {
		word := v
		switch _, state := statedBy(v); {
		case v == "":
			word = d.Word("not_answered")
		case state || v == "yes" || v == "no":
			word = d.Word(v)
		}
		for _, o := range options {
			if o.Value == v {
				word = strings.TrimRight(d.say(o.Label), " :")
			}
		}
		answers = append(answers, word)
	}
	return label, answers
}

// PrintedQuestion is a question as it is printed: an answer, or the rows of a list.
type PrintedQuestion struct {
	Field  *Field
	Answer Answer
	Table  *Table // of a list with items
}

// Printed are the questions of a section as they are printed on this copy, all of them, also those without an answer.
func (v *View) Printed(s *Section) (out []PrintedQuestion) {
	x := v.x
	x.in, x.title = s, x.d.say(s.Title)
	for _, q := range s.Fields {
		p := PrintedQuestion{Field: q}
		if q.Fields != nil {
			t := x.table(q)
			switch {
			case t == nil:
				p.Answer = Answer{Key: q.Key, Label: x.d.say(q.Label), Kind: KindList, Text: x.stateText(q, NotAnswered, "")}
			case t.None != nil:
				p.Answer = *t.None
			default:
				p.Table = t
			}
		} else {
			p.Answer = x.answer(q, nil, "")
		}
		out = append(out, p)
	}
	return out
}
