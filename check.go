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
	x.silent = false // what is withheld without a word is not missing
	k := &checker{filler: x, rules: map[string][]Problem{}, doubted: map[leaf]bool{}, missed: map[string]Severity{}}
	for _, r := range append(slices.Clone(f.Rules), d.Rules...) {
		if r.Copies == nil || slices.Contains(r.Copies, x.copy) {
			k.rule(r)
		}
	}
	for _, s := range f.Sections {
		k.section = d.say(s.Title)
		if s.Layout == LayoutReply || !x.asked(s.When, nil) {
			continue
		}
		for _, q := range s.Fields {
			if s.on(x.copy) || q.Internal {
				k.field(q)
			}
		}
	}
	if len(x.secrets) > 0 || x.copy != CopyFull {
		y, err := d.filler(f, c, o)
		if err != nil {
			return nil, err
		}
		doc, err := y.document(o)
		if err != nil {
			return nil, err
		}
		k.problems = append(k.problems, y.leakProblems(doc)...)
	}
	for _, u := range f.unasked() {
		if f.asked["forms."+f.ID+"."+u.Name] == nil && !isBlank(x.own[u.Name], u.Shape) {
			k.problems = append(k.problems, Problem{Severity: Warning, Key: "forms." + f.ID + "." + u.Name, Label: d.say(u.Shape.Label),
				Msg: "is answered, but version " + f.Version + " does not ask it and does not print it", Hint: "say it where this version asks for it"})
		}
	}
	return k.problems, nil
}

type checker struct {
	*filler
	section  string
	problems []Problem
	rules    map[string][]Problem // rules, by the key of the question they belong to
	doubted  map[leaf]bool
	missed   map[string]Severity // key paths that are told already: a fact may be printed in several places
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
	k.rules[at] = append(k.rules[at], Problem{Severity: sev, Msg: k.d.say(r.Say), Hint: k.d.say(r.Hint), Source: r.Source})
}

// spot is where a question stands: at the top of the form, or in an item of a list. Its words are made only when there is something to tell.
type spot struct {
	k    *checker
	q    *Field
	list *Field // nil at the top
	n    int    // which of the printed items, from 0
	in   string // the path of its list in the case record
	i    int    // its place in that list
}

func (s spot) label() string {
	label := s.k.d.say(s.q.Label)
	if s.list != nil {
		return itemLabel(s.k.d.say(s.list.itemName()), s.n) + ": " + label
	}
	return label
}

// key is where the answer is to be written in the case record.
func (s spot) key() string {
	switch {
	case len(s.q.From) > 0:
		return s.path(s.q.From[0])
	case s.q.Kind == "":
		return ""
	case s.list != nil:
		return s.path(s.q.Key)
	}
	return "forms." + s.k.form.ID + "." + s.q.Key
}

// path is the key path of one of the facts the question prints.
func (s spot) path(fact string) string {
	if s.list != nil {
		return fmt.Sprintf("%s[%d].%s", s.in, s.i, fact)
	}
	if rest, ok := strings.CutPrefix(fact, "addressee."); ok {
		return fmt.Sprintf("%s[%d].%s", s.k.form.Addressee.List, s.k.filler.at, rest)
	}
	return fact
}

func (k *checker) field(q *Field) {
	at := spot{k: k, q: q}
	if q.Fields != nil {
		k.list(at)
	} else {
		k.question(at, nil)
	}
	for _, p := range k.rules[q.Key] {
		p.Key, p.Label, p.Section = at.key(), at.label(), k.section
		k.problems = append(k.problems, p)
	}
	delete(k.rules, q.Key)
}

func (k *checker) list(at spot) {
	all, st, why := k.entries(at.q)
	switch {
	case len(all) == 0 && (st == NotAnswered || st == Answered):
		k.missing(at, nil)
	case len(all) == 0 && at.q.Definite:
		k.indefinite(at)
	case len(all) == 0 && at.q.Reasons && why == "":
		k.unreasoned(at, st)
	}
	for n, e := range all {
		for _, c := range at.q.Fields {
			in := e.list
			if len(at.q.From) == 0 {
				in = at.key()
			}
			k.question(spot{k: k, q: c, list: at.q, n: n, in: in, i: e.i}, e.item)
		}
	}
}

// question judges one answer: is it there, does it give its reason, does it look right.
func (k *checker) question(at spot, item any) {
	st, why := k.said(at.q, item)
	switch {
	case st == NotAnswered:
		k.missing(at, item)
		if at.q.As == "" {
			return
		}
	case k.urgent && item == nil && st != Answered && slices.Contains(k.form.Urgent.Needs, at.q.Key):
		k.problems = append(k.problems, Problem{Severity: Blocking, Key: at.key(), Label: at.label(), Section: k.section,
			Msg: "must be given even when the referral is urgent", Hint: "say as much as is known, such as \"man at flat 3\""})
	case at.q.Definite && st != Answered && k.needed(at.q.Required, item):
		k.indefinite(at)
	case at.q.When != nil && st == Answered && at.q.Fixed.IsZero() && !k.asked(at.q.When, item):
		k.problems = append(k.problems, Problem{Severity: Warning, Key: at.key(), Label: at.label(), Section: k.section,
			Msg: "is answered, although other answers say that the question does not arise; it is printed all the same", Hint: "take it out, or correct the other answer"})
	case at.q.Reasons && st != Answered && why == "":
		k.unreasoned(at, st)
	}
	k.doubts(at, item)
}

func (k *checker) indefinite(at spot) {
	k.problems = append(k.problems, Problem{Severity: Blocking, Key: at.key(), Label: at.label(), Section: k.section, Source: at.q.Source,
		Msg: "must be answered; a state in its place will not do"})
}

func (k *checker) unreasoned(at spot, st State) {
	k.problems = append(k.problems, Problem{Severity: Blocking, Key: at.key(), Label: at.label(), Section: k.section, Source: at.q.Source,
		Msg: "needs the reason", Hint: `{"state":"` + st.String() + `","why":"…"}`})
}

func (k *checker) missing(at spot, item any) {
	q := at.q
	required := k.needed(q.Required, item)
	if !required && !k.needed(q.Warn, item) || !k.asked(q.When, item) {
		return
	}
	key := at.key()
	p := Problem{Severity: Warning, Key: key, Label: at.label(), Section: k.section, Source: q.Source, Msg: "is not answered",
		Hint: `give the answer, or say why there is none: {"state":"not_known","why":"…"}`}
	switch {
	case required && k.urgent && !slices.Contains(k.form.Urgent.Needs, q.Key):
		p.Msg = "is not answered; the referral is urgent and goes without it"
	case required:
		p.Severity, p.Msg = Blocking, "is not answered and must be before this form is issued"
	}
	if q.Only != nil {
		key += " " + q.Key // several questions ask for different items of one list
	}
	if told := k.missed[key]; told == Blocking || told == p.Severity {
		return
	}
	k.missed[key] = p.Severity
	k.problems = append(k.problems, p)
}

// doubts tells of values that are printed as typed although they look wrong.
func (k *checker) doubts(at spot, item any) {
	if len(at.q.From) == 0 {
		if v := k.find(at.q.Key, item); doubtful(v) {
			k.doubt(at, v, at.q, at.key)
		}
	}
	for _, path := range at.q.From {
		if v := k.find(path, item); doubtful(v) {
			k.doubt(at, v, at.q, func() string { return at.path(path) })
		}
	}
}

// doubtful tells whether there may be something to doubt, so that nothing is made ready for the many answers of which there is nothing.
func doubtful(v any) bool {
	l, ok := v.(leaf)
	return v != nil && (!ok || l.doubt() != "")
}

var noField = &Field{} // selects nothing

func (k *checker) doubt(at spot, v any, q *Field, key func() string) {
	switch v := v.(type) {
	case nil:
	case leaf:
		if f := v.fact(); f.Doubt != "" && !k.doubted[v] {
			k.doubted[v] = true
			k.problems = append(k.problems, Problem{Severity: Warning, Key: key(), Label: at.label(), Section: k.section, Line: f.Line, Msg: f.Doubt,
				Hint: "it is printed as typed"})
		}
	case list:
		for _, i := range k.items(q, v) {
			k.doubt(at, v.item(i), noField, func() string { return fmt.Sprintf("%s[%d]", key(), i) })
		}
	case interface{ printed() []string }:
		for _, name := range v.printed() {
			if m := member(v, name); doubtful(m) {
				k.doubt(at, m, noField, func() string { return key() + "." + name })
			}
		}
	}
}

// Urgent tells whether a case makes a form urgent, so that it goes without what is not known (0.4 point 1).
func (d *Definitions) Urgent(f *Form, c *Case) bool {
	x, err := d.filler(f, c, FillOptions{})
	return err == nil && x.urgent
}
