package caseforms

import (
	"fmt"
	"slices"
	"strings"
)

// Check judges a case for one form: what must be there before it may be issued, what looks odd, in the order of the form. Problems that
// are Blocking stop it from being issued; warnings do not.
func (d *Definitions) Check(f *Form, c *Case, o FillOptions) ([]Problem, error) {
	x, err := d.filler(f, c, o)
	if err != nil {
		return nil, err
	}
	k := &checker{filler: x, at: map[string][]Problem{}, doubted: map[leaf]bool{}, missed: map[string]bool{}}
	for _, r := range append(slices.Clone(f.Rules), d.Rules...) {
		k.rule(r)
	}
	for _, s := range f.Sections {
		k.section = d.say(s.Title)
		if s.Layout == LayoutReply || !x.asked(s.When, nil) {
			continue
		}
		for _, q := range s.Fields {
			k.field(q)
		}
	}
	return k.problems, nil
}

type checker struct {
	*filler
	section  string
	problems []Problem
	at       map[string][]Problem // rules, by the key of the question they belong to
	doubted  map[leaf]bool
	missed   map[string]bool // key paths that are told already: a fact may be printed in several places
}

func (k *checker) rule(r *Rule) {
	at := r.At
	if at == "" {
		// a rule about shared facts belongs to the first question of the form that prints one of them
		for _, p := range r.Of {
			if q := k.form.asks(p); q != nil {
				at = q.Key
				break
			}
		}
		if at == "" {
			return
		}
	}
	if !rules[r.Rule](k.filler, r) {
		return
	}
	sev := r.Level
	if k.urgent {
		sev = Warning
	}
	k.at[at] = append(k.at[at], Problem{Severity: sev, Msg: k.d.say(r.Say), Hint: k.d.say(r.Hint), Source: r.Source})
}

func (k *checker) field(q *Field) {
	label := k.d.say(q.Label)
	switch {
	case q.Fields != nil:
		k.list(q, label)
	case k.answer(q, nil, "").State == NotAnswered:
		k.missing(q, nil, label, k.keyOf(q, ""))
	default:
		k.doubts(q, nil, label, "")
	}
	for _, p := range k.at[q.Key] {
		p.Key, p.Label, p.Section = k.keyOf(q, ""), label, k.section
		k.problems = append(k.problems, p)
	}
	delete(k.at, q.Key)
}

// keyOf is where the answer is to be written in the case record; item is the place of the item a column belongs to.
func (k *checker) keyOf(q *Field, item string) string {
	switch {
	case len(q.From) > 0:
		return k.pathOf(q.From[0], item)
	case q.Kind == "":
		return ""
	case item != "":
		return item + "." + q.Key
	}
	return "forms." + k.form.ID + "." + q.Key
}

func (k *checker) pathOf(path, item string) string {
	if item != "" {
		return item + "." + path
	}
	if rest, ok := strings.CutPrefix(path, "addressee."); ok {
		n := 0
		for i := range k.c.ChildrensServices.Items {
			if &k.c.ChildrensServices.Items[i] == k.addressee {
				n = i
			}
		}
		return fmt.Sprintf("%s[%d].%s", k.form.Addressee, n, rest)
	}
	return path
}

func (k *checker) list(q *Field, label string) {
	key := k.keyOf(q, "")
	l := k.filler.list(q)
	index := k.items(q, l)
	if len(index) == 0 {
		if l != nil {
			if st, _ := l.state(); st != NotAnswered && l.Len() == 0 {
				return
			}
		}
		k.missing(q, nil, label, key)
		return
	}
	for n, i := range index {
		item := l.item(i)
		at := fmt.Sprintf("%s[%d]", key, i)
		for _, c := range q.Fields {
			cl := itemLabel(k.d.say(q.itemName()), n) + ": " + k.d.say(c.Label)
			if k.answer(c, item, "").State == NotAnswered {
				k.missing(c, item, cl, k.keyOf(c, at))
			} else {
				k.doubts(c, item, cl, at)
			}
		}
	}
}

func (k *checker) missing(q *Field, item any, label, key string) {
	if !k.asked(q.When, item) || k.missed[key] {
		return
	}
	p := Problem{Key: key, Label: label, Section: k.section, Source: q.Source}
	switch {
	case k.needed(q.Required, item):
		p.Severity = Blocking
		p.Msg = "is not answered and must be before this form is issued"
		p.Hint = `give the answer, or say why there is none: {"state":"not_known","why":"…"}`
		if k.urgent && !slices.Contains(k.form.Urgent.Needs, q.Key) {
			p.Severity = Warning
			p.Msg = "is not answered; the referral is urgent and goes without it"
		}
	case k.needed(q.Warn, item):
		p.Severity = Warning
		p.Msg = "is not answered"
		p.Hint = `give the answer, or say why there is none: {"state":"not_known","why":"…"}`
	default:
		return
	}
	k.missed[key] = true
	k.problems = append(k.problems, p)
}

func (k *checker) needed(n *Need, item any) bool {
	switch {
	case n == nil:
		return false
	case n.Rule != "":
		return rules[n.Rule](k.filler, &Rule{})
	}
	return n.Always || k.asked(n.When, item)
}

// doubts tells of values that are printed as typed although they look wrong.
func (k *checker) doubts(q *Field, item any, label, at string) {
	if len(q.From) == 0 {
		k.doubt(k.find(q.Key, item), q, label, k.keyOf(q, at))
	}
	for _, path := range q.From {
		k.doubt(k.find(path, item), q, label, k.pathOf(path, at))
	}
}

func (k *checker) doubt(v any, q *Field, label, key string) {
	switch v := v.(type) {
	case nil:
	case leaf:
		if f := v.fact(); f.Doubt != "" && !k.doubted[v] {
			k.doubted[v] = true
			k.problems = append(k.problems, Problem{Severity: Warning, Key: key, Label: label, Section: k.section, Line: f.Line, Msg: f.Doubt,
				Hint: "it is printed as typed"})
		}
	case list:
		for _, i := range k.items(q, v) {
			k.doubt(v.item(i), &Field{}, label, fmt.Sprintf("%s[%d]", key, i))
		}
	default:
		if p, ok := v.(interface{ printed() []string }); ok {
			for _, name := range p.printed() {
				k.doubt(member(v, name), &Field{}, label, key+"."+name)
			}
		}
	}
}
