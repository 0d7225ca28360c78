package caseforms

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// AccessForm stands in the place of a form's id in what is made for a subject-access request, and the other two in that of a copy.
const (
	AccessForm  = "access"
	AccessOwn   = "own"
	AccessApart = "apart"
)

const accessVersion = "1" // another one when the same record would be told differently

// othersFacts are the parts of the case record that are about other people as a whole. officialsFacts say how the officials whom the person
// deals with are reached at work; they stay with what is about the person.
var (
	othersFacts    = []string{"children", "adults", "victims", "professionals"}
	officialsFacts = []string{"practitioner", "other_practitioner", "manager", "childrens_services"}
)

// InWords tells everything that is held about a person, for a subject-access request (DPA 2018 s.45, UK GDPR Art 15; E.4 points 5 and 6). It
// goes through the whole record, internal answers too, and prints words where the record has codes. Every answer and every state stands in one
// of the two documents and not in the other: own is about the person; apart is for somebody to review before anything of it is disclosed. It
// has what is about other people, what is at a confidential address, what a form marks as sensitive, and the answers that tell a protected
// source, a confidential address or what is sensitive by their words (0.4 points 5 to 8).
//
// Reasons for a state stand beside it, also those for withholding: they are held too. The documents have neither date nor reference; who
// makes them puts those in.
func (d *Definitions) InWords(c *Case) (own, apart *Document) {
	if c == nil {
		c = d.NewCase()
	}
	w := &accessWriter{
		d: d, x: &filler{d: d, form: &Form{ID: AccessForm, Outside: true}, c: c, copy: CopyFull, noted: map[string]bool{}},
		apart: d.apartFacts(), telling: map[string]bool{},
	}
	own = w.document(AccessOwn)
	w.x.noteAddresses()
	w.x.noteOthers()
	all := w.x.phrases(own)
	own.Answers(func(_ *DocSection, a *Answer) {
		if told(all, a) != nil {
			w.telling[a.Key] = true
		}
	})
	if len(w.telling) > 0 {
		own = w.document(AccessOwn)
	}
	return own, w.document(AccessApart)
}

// apartFacts are the paths, without indexes, of what is not about the person alone. Whether an answer is sensitive in this case is not asked:
// a person looks at it.
func (d *Definitions) apartFacts() map[string]bool {
	out := map[string]bool{}
	for _, path := range othersFacts {
		out[path] = true
	}
	for _, f := range d.Forms {
		mark := func(q *Field, list string) (paths []string) {
			from := q.From
			if q.Kind != "" {
				from = []string{q.Key}
			}
			for _, p := range from {
				at := d.stored(f, list, p)
				paths = append(paths, at)
				if len(q.Sensitive) > 0 && (len(q.Parts) == 0 || slices.Contains(q.Parts, p)) {
					out[at] = true
				}
			}
			return paths
		}
		for g := f; g != nil; g = g.Replaces { // the record has what only the general form asks, too
			for _, s := range g.Sections {
				for _, q := range s.Fields {
					for _, list := range mark(q, "") {
						for _, c := range q.Fields {
							mark(c, list)
						}
					}
				}
			}
		}
	}
	return out
}

// stored is the path under which the record holds what a question of a form, or a column of a list, calls by a shorter one.
func (d *Definitions) stored(f *Form, list, path string) string {
	for _, full := range []string{join(list, path), "forms." + f.ID + "." + path} {
		if (list != "" || full != path) && d.shape.at(full) != nil {
			return full
		}
	}
	return f.plain(path)
}

// accessWriter writes one of the two documents after the other.
type accessWriter struct {
	d       *Definitions
	x       *filler
	apart   map[string]bool // paths of facts that stand apart
	telling map[string]bool // keys of answers that stand apart for what their words tell
	doc     *Document
	parts   []Part     // of the section being written
	lists   []heldItem // the items of its lists, which have sections of their own
}

// heldAt is where in the record something stands.
type heldAt struct {
	path   string // without indexes
	key    string
	title  string // of the form it stands in, before the headings of its lists
	before string // the label of the record it stands in, before its own
	apart  bool
}

type heldItem struct {
	title string
	shape *Shape
	value any
	at    heldAt
}

func (w *accessWriter) document(name string) *Document {
	w.doc = w.d.NewReport(w.d.Word("access_" + name))
	w.doc.Form, w.doc.Version, w.doc.Notice, w.doc.Copy = AccessForm, accessVersion, w.d.Word("access_"+name+"_notice"), name
	for _, k := range w.d.shape.Keys {
		if k.Name != "forms" {
			w.section(w.label(k.Shape, k.Name), k.Shape, member(w.x.c, k.Name), heldAt{path: k.Name, key: k.Name})
			continue
		}
		for _, f := range k.Shape.Keys {
			if g := w.x.c.Forms[f.Name]; g != nil {
				title := w.formTitle(f.Name)
				w.section(title, f.Shape, g, heldAt{path: join(k.Name, f.Name), key: join(k.Name, f.Name), title: title + ": "})
			}
		}
	}
	if w.doc.Sections == nil {
		a := Answer{Key: "nothing", Label: w.d.Word("access_held"), Kind: KindText, State: Answered, Text: w.d.Word("access_nothing")}
		w.doc.Sections = []DocSection{{Key: "nothing", Title: w.d.Word("access_held"), Layout: LayoutRows, Parts: []Part{{Answer: &a}}}}
	}
	return w.doc
}

func (w *accessWriter) formTitle(id string) string {
	f, err := w.d.Form(id)
	if err != nil {
		return id
	}
	return w.d.say(f.Title)
}

// section writes a record and then, under headings of their own, the items of the lists in it.
func (w *accessWriter) section(title string, s *Shape, v any, at heldAt) {
	w.parts, w.lists = nil, nil
	at.apart = at.apart || w.isApart(v, at.path)
	if s.Kind == KindRecord {
		for _, k := range s.Keys {
			w.value(k.Shape, member(v, k.Name), heldAt{path: join(at.path, k.Name), key: join(at.key, k.Name), title: at.title, apart: at.apart})
		}
	} else {
		w.value(s, v, at)
	}
	if w.parts != nil {
		w.doc.Sections = append(w.doc.Sections, DocSection{Key: at.key, Title: title, Layout: LayoutRows, Parts: w.parts})
	}
	for _, l := range w.lists {
		w.section(l.title, l.shape, l.value, l.at)
	}
}

// isApart tells whether a part of the record stands apart: by what it is, or because it is at a confidential address. What leads to such an
// address, as who lives there does, goes with it.
func (w *accessWriter) isApart(v any, path string) bool {
	if w.apart[path] {
		return true
	}
	if a, ok := v.(*Address); ok {
		return w.x.isConfidentialAddress(a, new(Of[YesNo]))
	}
	if a, ok := v.(*PersonAddress); ok {
		return w.x.isConfidentialAddress(&a.Address, &a.AddressConfidential)
	}
	return false
}

func (w *accessWriter) value(s *Shape, v any, at heldAt) {
	at.apart = at.apart || w.isApart(v, at.path)
	a := Answer{Key: at.key, Label: at.before + w.label(s, at.path), Kind: KindText}
	switch v := v.(type) {
	case leaf:
		a.State, a.Text, a.Why = w.x.print(v, s.Options)
		switch {
		case a.State != Answered:
		case s.Kind == KindDate, s.Kind == KindPartialDate:
			a.Kind, a.Value = s.Kind, v.fact().Value
		case s.Kind == KindLongText:
			a.Kind = s.Kind
		}
		w.answer(a, at)
	case list:
		if s.Item.Kind != KindRecord || v.Len() == 0 {
			a.State, a.Text, a.Why = w.x.printList(&Field{options: s.Item.Options}, v)
			w.answer(a, at)
			return
		}
		for i := range v.Len() {
			item := at
			item.key += "[" + strconv.Itoa(i) + "]"
			w.lists = append(w.lists, heldItem{at.title + itemLabel(cmp.Or(w.d.say(s.One), w.label(s, at.path)), i), s.Item, v.item(i), item})
		}
	default:
		for _, k := range s.Keys {
			w.value(k.Shape, member(v, k.Name), heldAt{path: join(at.path, k.Name), key: join(at.key, k.Name), title: at.title, before: a.Label + ": ", apart: at.apart})
		}
	}
}

func (w *accessWriter) answer(a Answer, at heldAt) {
	part, _, _ := strings.Cut(at.path, ".")
	apart := (at.apart || w.telling[a.Key]) && !slices.Contains(officialsFacts, part)
	if a.State == NotAnswered || apart != (w.doc.Copy == AccessApart) {
		return
	}
	if a.State != Answered {
		a.Text = w.x.stateText(nil, a.State, a.Why)
	}
	w.parts = append(w.parts, Part{Answer: &a})
}

// label is what a fact is called: by facts.yaml or by the form whose own it is, else by the words for what has the same name everywhere, else
// by a form that prints it. One that nobody has given words yet is called by its key, so that it is told all the same.
func (w *accessWriter) label(s *Shape, path string) string {
	label := w.d.say(s.Label)
	name := path[strings.LastIndexByte(path, '.')+1:]
	if _, ok := w.d.Words["fact_"+name]; ok && label == "" {
		label = w.d.Word("fact_" + name)
	}
	for _, f := range w.d.Forms {
		if q := f.asks(path); label == "" && q != nil && len(q.From) == 1 {
			label = w.d.say(q.Label)
		}
	}
	return strings.TrimRight(cmp.Or(label, strings.ReplaceAll(name, "_", " ")), " :")
}
