package caseforms

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bind ties the definitions to the case record and to the named rules, once, by whoever loads them. What does not fit (a fact that does
// not exist, a condition on an answer that cannot be given, a rule without Go) comes back with its place in the definition.
func (d *Definitions) Bind() []Problem {
	b := &binder{d: d}
	used := map[string]bool{}
	d.shape = d.shapeOf(reflect.TypeFor[Case](), "", used)
	for _, name := range slices.Sorted(maps.Keys(d.Facts)) {
		if !used[name] {
			b.add("facts.yaml", d.Facts[name].Line, name, "the case record has no such fact", "")
		}
	}
	b.needOptions(d.shape, "")
	for _, w := range fixedWords {
		if d.Words[w].IsZero() {
			b.add("words.yaml", 1, w, "this word is needed", "")
		}
	}
	forms := &Shape{Kind: KindRecord}
	for _, f := range d.Forms {
		b.takeOver(f)
	}
	for _, f := range d.Forms {
		f.fields, f.asked, f.theirs = map[string]*Field{}, map[string]*Field{}, map[string]string{}
		own := &Shape{Kind: KindRecord}
		for _, s := range f.Sections {
			for _, q := range s.Fields {
				if f.fields[q.Key] != nil {
					b.add(f.File, q.Line, q.Key, "this key stands twice in the form", "")
				}
				f.fields[q.Key] = q
				if k, ok := ownShape(q); ok {
					own.Keys = append(own.Keys, k)
				}
			}
		}
		own.Keys = append(own.Keys, f.unasked()...)
		forms.Keys = append(forms.Keys, ShapeKey{f.ID, own})
	}
	d.shape.Keys = append(d.shape.Keys, ShapeKey{"forms", forms})
	for _, f := range d.Forms {
		b.form(f, forms.key(f.ID))
	}
	b.problems = append(b.problems, d.bindDuties()...)
	b.problems = append(b.problems, d.bindRoles()...)
	b.problems = append(b.problems, d.bindMail()...)
	for _, r := range d.Rules {
		b.copies(&Form{File: "facts.yaml"}, r.Line, r.Rule, r.Copies, []string{CopyFull, CopyDisclosable, CopyAnnex})
		b.rule(&Form{File: "facts.yaml"}, r, nil)
	}
	return b.problems
}

// unasked are the answers of the general form that an area's form does not ask for. A case that has them is no less sound.
func (f *Form) unasked() (out []ShapeKey) {
	if f.Replaces == nil {
		return nil
	}
	for _, s := range f.Replaces.Sections {
		for _, q := range s.Fields {
			if k, ok := ownShape(q); ok && f.fields[q.Key] == nil {
				out = append(out, k)
			}
		}
	}
	return out
}

// takeOver fills the sections that print another form's questions. What that form asks for itself is read where it was answered, so that
// nothing is typed twice (minutes repeat the notification; a variant shows a part of it).
func (b *binder) takeOver(f *Form) {
	for _, s := range f.Sections {
		if s.Takes == "" {
			continue
		}
		id, key, _ := strings.Cut(s.Takes, ".")
		i := slices.IndexFunc(b.d.Forms, func(o *Form) bool { return o.ID == id })
		if i < 0 || b.d.Forms[i] == f {
			b.add(f.File, s.Line, s.Key, "there is no form "+quoteKey(id)+" to take a section from", "")
			continue
		}
		from := b.d.Forms[i]
		j := slices.IndexFunc(from.Sections, func(o *Section) bool { return o.Key == key })
		if j < 0 || from.Sections[j].Takes != "" {
			b.add(f.File, s.Line, s.Key, "the form "+id+" has no section "+quoteKey(key)+" of its own", "")
			continue
		}
		src := from.Sections[j]
		own := map[string]bool{}
		for _, o := range from.Sections {
			for _, q := range o.Fields {
				if q.Kind != "" {
					own[q.Key] = true
				}
			}
		}
		if s.Title.IsZero() {
			s.Title = src.Title
		}
		if s.Layout == "" {
			s.Layout = src.Layout
		}
		if s.When == nil {
			s.When = src.When.takenFrom("forms."+id+".", own)
		}
		for _, k := range s.Keep {
			if !slices.ContainsFunc(src.Fields, func(q *Field) bool { return q.Key == k }) {
				b.add(f.File, s.Line, s.Key, "the section "+s.Takes+" has no question "+quoteKey(k), "")
			}
		}
		var taken []*Field
		for _, q := range src.Fields {
			if len(s.Keep) == 0 || slices.Contains(s.Keep, q.Key) {
				taken = append(taken, q.takenFrom("forms."+id+".", own, true))
			}
		}
		s.Fields = append(taken, s.Fields...)
	}
}

// takenFrom is a question of another form as it stands in this one: what was asked there under a key of its own is a fact here.
func (q *Field) takenFrom(base string, own map[string]bool, outer bool) *Field {
	c := *q
	if c.Kind != "" {
		c.From, c.Kind, c.Options = []string{c.Key}, "", nil
		if outer {
			c.From[0] = base + c.Key
		}
	}
	need := func(o *Need) *Need {
		if o == nil {
			return nil
		}
		n := *o
		n.When, n.Any = o.When.takenFrom(base, own), nil
		for _, c := range o.Any {
			n.Any = append(n.Any, c.takenFrom(base, own))
		}
		return &n
	}
	c.When, c.Required, c.Warn = q.When.takenFrom(base, own), need(q.Required), need(q.Warn)
	c.Fields = nil
	for _, f := range q.Fields {
		c.Fields = append(c.Fields, f.takenFrom(base, own, false))
	}
	return &c
}

func (c *Cond) takenFrom(base string, own map[string]bool) *Cond {
	if c == nil || !own[c.Field] {
		return c
	}
	n := *c
	n.Field = base + c.Field
	return &n
}

// fixedWords are the words that documents print of themselves.
var fixedWords = strings.Fields(`not_answered not_known not_applicable withheld none_known yes no draft draft_notice page of version reference
	not_issued continued ticked not_ticked no_fixed_abode closest_area confidential_address unborn unborn_child expected child aged month months
	age_not_known sheet_form see_sheet part_role part_agency part_phone part_email part_postcode part_lines part_date adult person_address schedule schedule_intro schedule_what schedule_why
	schedule_content date_hint victim professional sensitive_address sensitive_third_party sensitive_victim sensitive_source sensitive_privilege month_1 month_2 month_3 month_4
	month_5 month_6 month_7 month_8 month_9 month_10 month_11 month_12 access_own access_own_notice access_apart access_apart_notice access_held access_nothing register register_row register_file
	register_marking register_version register_not_asked register_long register_totals register_cases register_share register_all register_others register_largest register_latest`)

type binder struct {
	d        *Definitions
	problems []Problem
}

func (b *binder) add(file string, line int, key, msg, hint string) {
	b.problems = append(b.problems, Problem{Severity: Blocking, File: file, Line: line, Column: 1, Key: key, Msg: msg, Hint: hint})
}

func (b *binder) needOptions(s *Shape, path string) {
	if (s.Kind == KindChoice || s.Kind == KindChecks) && s.Options == nil {
		b.add("facts.yaml", 1, path, "this fact needs options", "")
	}
	if s.Item != nil {
		b.needOptions(s.Item, path)
	}
	for _, k := range s.Keys {
		b.needOptions(k.Shape, join(path, k.Name))
	}
}

func (b *binder) form(f *Form, own *Shape) {
	if f.Addressee != nil {
		if l := b.source(f, f.Addressee.List, nil, nil); l == nil || l.Kind != KindList || l.Item.at(f.Addressee.By) == nil {
			b.add(f.File, f.Addressee.Line, "addressee", "this must be a list and a key of its items", "")
			f.Addressee = nil
		}
	}
	b.texts(f, 1, "title", f.Title, f.Subtitle, f.GoesTo)
	b.copies(f, 1, "copies", f.Copies, []string{CopyFull, CopyDisclosable, CopyAnnex})
	b.copies(f, 1, "notices", slices.Sorted(maps.Keys(f.Notices)), f.Copies)
	for _, c := range slices.Sorted(maps.Keys(f.Notices)) {
		b.texts(f, 1, "notices", f.Notices[c])
	}
	if f.Schedule && !slices.Contains(f.Copies, CopyDisclosable) {
		b.add(f.File, 1, "schedule", "there is no disclosable copy to list the gaps of", "")
	}
	if !slices.Contains(f.Copies, CopyFull) {
		b.add(f.File, 1, "copies", "every form has the copy full", "")
	}
	for _, s := range f.Sections {
		b.copies(f, s.Line, s.Key, s.Copies, f.Copies)
		b.cond(f, s.When, own, nil)
		b.texts(f, s.Line, s.Key, s.Title, s.Intro)
		grid := 0
		for _, q := range s.Fields {
			b.field(f, q, own, nil)
			if q.Layout == LayoutGrid {
				grid++
			}
			if s.Layout == LayoutLetter && q.Fields != nil {
				b.add(f.File, q.Line, q.Key, "a list cannot stand in a letter", "")
			}
		}
		if grid > 6 {
			b.add(f.File, s.Line, s.Key, "a grid has room for six answers", "")
		}
		if s.Layout == LayoutLetter {
			b.letter(f, s)
		}
	}
	if q := f.fields[f.DatedBy]; f.DatedBy != "" && (q == nil || q.shapeKind != KindDate && q.shapeKind != KindDateTime) {
		b.add(f.File, 1, "dated_by", "this must be a question with a date", "")
	}
	if f.Urgent != nil {
		b.cond(f, f.Urgent.When, own, nil)
		for _, k := range f.Urgent.Needs {
			if f.fields[k] == nil {
				b.add(f.File, 1, "urgent.needs", "there is no question "+quoteKey(k), "")
			}
		}
	}
	for _, r := range f.Rules {
		b.copies(f, r.Line, r.Rule, r.Copies, f.Copies)
		b.rule(f, r, own)
	}
	b.register(f, own)
}

// copies makes sure that the copies named are copies there are.
func (b *binder) copies(f *Form, line int, key string, named, there []string) {
	for _, c := range named {
		if !slices.Contains(there, c) {
			b.add(f.File, line, key, "there is no copy "+quoteKey(c), "there are: "+strings.Join(there, ", "))
		}
	}
}

var keyRule = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// texts makes sure that every {name} in a text is a setting.
func (b *binder) texts(f *Form, line int, key string, texts ...Text) {
	for _, t := range texts {
		for _, words := range []string{t.En, t.Cy} {
			for _, m := range inBraces.FindAllStringSubmatch(words, -1) {
				if _, ok := b.d.Settings[m[1]]; !ok {
					b.add(f.File, line, key, "the text has {"+m[1]+"}, but there is no such setting", "")
				}
			}
		}
	}
}

var inBraces = regexp.MustCompile(`\{([^}]*)\}`)

func (b *binder) letter(f *Form, s *Section) {
	text := b.d.say(s.Text)
	for _, m := range inBraces.FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(s.Fields, func(q *Field) bool { return q.Key == m[1] }) {
			b.add(f.File, s.Line, s.Key, "the text has {"+m[1]+"}, but there is no such question in the section and no such setting", "")
		}
	}
	for _, q := range s.Fields {
		if strings.Count(text, "{"+q.Key+"}") != 1 {
			b.add(f.File, q.Line, q.Key, "the text of the letter must have {"+q.Key+"} once", "")
		}
	}
}

// source is the shape a path leads to, from the item, the form's own answers or the case.
func (b *binder) source(f *Form, path string, own, item *Shape) *Shape {
	if item != nil {
		return item.at(path)
	}
	if own != nil {
		if s := own.at(path); s != nil {
			return s
		}
	}
	if rest, ok := strings.CutPrefix(path, "addressee."); ok && f.Addressee != nil {
		return b.d.shape.at(f.Addressee.List + "." + rest)
	}
	return b.d.shape.at(path)
}

func (b *binder) field(f *Form, q *Field, own, item *Shape) {
	if !keyRule.MatchString(q.Key) || q.Key == "state" {
		b.add(f.File, q.Line, q.Key, "a key is made of small letters, digits and _, and is not state", "")
	}
	if item != nil && q.Fields != nil {
		b.add(f.File, q.Line, q.Key, "a list cannot stand in a list", "")
		return
	}
	b.texts(f, q.Line, q.Key, q.Label, q.Hint, q.Item, q.Fixed)
	if q.Label.IsZero() {
		b.add(f.File, q.Line, q.Key, "a question needs a label", "")
	}
	given := 0
	for _, is := range []bool{q.Kind != "", len(q.From) > 0, q.Computed != "", !q.Fixed.IsZero()} {
		if is {
			given++
		}
	}
	if given != 1 {
		b.add(f.File, q.Line, q.Key, "a question has exactly one of kind, from, fixed and computed", "")
		return
	}
	switch {
	case q.Computed != "":
		if computations[q.Computed] == nil {
			b.add(f.File, q.Line, q.Key, "there is no computation "+quoteKey(q.Computed), known(computations))
		}
	case !q.Fixed.IsZero():
	case q.Kind != "":
		b.ownField(f, q, own, item)
	default:
		b.sharedField(f, q, own, item)
		if q.As != "" && presenters[q.As] == nil {
			b.add(f.File, q.Line, q.Key, "there is no way to print called "+quoteKey(q.As), known(presenters))
		}
	}
	for _, n := range []*Need{q.Required, q.Warn} {
		if n != nil {
			b.cond(f, n.When, own, item)
			for _, c := range n.Any {
				b.cond(f, c, own, item)
			}
			if arity[n.Rule] > 0 {
				b.add(f.File, q.Line, q.Key, "the rule "+n.Rule+" looks at answers that cannot be named here", "")
			}
			if n.Rule != "" && rules[n.Rule] == nil {
				b.add(f.File, q.Line, q.Key, "there is no rule "+quoteKey(n.Rule), known(rules))
			}
		}
	}
	b.cond(f, q.When, own, item)
}

func (b *binder) ownField(f *Form, q *Field, own, item *Shape) {
	from := own
	if item != nil {
		from = item
	}
	s := from.key(q.Key)
	if s == nil {
		b.add(f.File, q.Line, q.Key, "a question of the form's own cannot stand in a list of shared facts", "use from")
		return
	}
	q.shapeKind, q.options = q.Kind, q.Options
	switch q.Kind {
	case KindList:
		if len(q.Fields) == 0 {
			b.add(f.File, q.Line, q.Key, "a list needs fields", "")
		}
	case KindAddress:
	case KindChoice, KindChecks:
		if len(q.Options) == 0 {
			b.add(f.File, q.Line, q.Key, "a choice needs options", "")
		}
	default:
		if newLeaf(q.Kind) == nil {
			b.add(f.File, q.Line, q.Key, "there is no kind "+quoteKey(string(q.Kind)), "")
		}
	}
	f.asked["forms."+f.ID+"."+q.Key] = q
	b.columns(f, q, own, s, "forms."+f.ID+"."+q.Key)
}

// merged is the shape of a table that joins several lists: its items have the keys of all of them.
func (b *binder) merged(f *Form, q *Field, own *Shape) *Shape {
	all := &Shape{Kind: KindList, Item: &Shape{Kind: KindRecord}}
	for _, path := range q.From {
		if s := b.source(f, path, own, nil); s != nil && s.Kind == KindList {
			for _, k := range s.Item.Keys {
				if all.Item.key(k.Name) == nil {
					all.Item.Keys = append(all.Item.Keys, k)
				}
			}
		}
	}
	return all
}

func (b *binder) sharedField(f *Form, q *Field, own, item *Shape) {
	for _, path := range q.From {
		s := b.source(f, path, own, item)
		if s == nil {
			b.add(f.File, q.Line, q.Key, "the case record has no fact "+quoteKey(path), "caseforms new prints every fact")
			return
		}
		opts := s.Options
		one := s
		if s.Kind == KindList {
			one = s.Item
			opts = one.Options
		}
		if one.Kind == KindRecord && one.Printed == nil && q.Fields == nil {
			b.add(f.File, q.Line, q.Key, quoteKey(path)+" is a record and does not print as one answer", "name the facts in it")
		}
		q.partOptions = append(q.partOptions, opts)
		if item == nil && f.asked[f.plain(path)] == nil {
			f.asked[f.plain(path)] = q
		}
		if q.Fields != nil {
			q.shapeKind = KindList
			if q.Theirs != "" {
				for _, p := range q.From {
					f.theirs[p] = q.Theirs
				}
			}
			b.cond(f, q.Only, own, s.Item)
			if len(q.From) > 1 {
				s = b.merged(f, q, own)
			}
			b.columns(f, q, own, s, path)
			for _, other := range q.From[1:] {
				f.columnsAsk(q, other)
			}
			return
		} else if len(q.From) == 1 && q.As == "" {
			q.shapeKind, q.options = s.Kind, opts
			b.cond(f, q.Only, own, s.Item)
		}
	}
}

func (b *binder) columns(f *Form, q *Field, own, s *Shape, base string) {
	if q.Fields == nil {
		return
	}
	if s.Kind != KindList {
		b.add(f.File, q.Line, q.Key, "only a list has fields", "")
		return
	}
	seen := map[string]bool{}
	for _, c := range q.Fields {
		if seen[c.Key] {
			b.add(f.File, c.Line, c.Key, "this key stands twice in the list", "")
		}
		seen[c.Key] = true
		b.field(f, c, own, s.Item)
		if c.Kind != "" {
			f.asked[base+"."+c.Key] = c
		}
		for _, why := range c.Sensitive {
			key := map[Sensitivity]string{SensitiveSource: "source_protected", SensitiveAddress: "address_confidential"}[why]
			if key != "" && s.Item.key(key) == nil {
				b.add(f.File, c.Line, c.Key, "the items do not say "+key, "another kind of sensitive, or leave it to the list")
			}
		}
		for _, p := range c.Parts {
			if !slices.Contains(c.From, p) {
				b.add(f.File, c.Line, c.Key, "does not print "+quoteKey(p), "")
			}
		}
	}
	f.columnsAsk(q, base)
	for _, h := range append(slices.Clone(q.Heading), q.Theirs) {
		if h != "" && s.Item.at(h) == nil {
			b.add(f.File, q.Line, q.Key, "the items have no "+quoteKey(h), "")
		}
	}
}

// columnsAsk notes which facts the columns of a list print.
func (f *Form) columnsAsk(q *Field, base string) {
	for _, c := range q.Fields {
		for _, p := range c.From {
			if f.asked[base+"."+p] == nil {
				f.asked[base+"."+p] = c
			}
		}
	}
}

func (b *binder) cond(f *Form, c *Cond, own, item *Shape) {
	if c == nil {
		return
	}
	var s *Shape
	if item != nil {
		s = item.at(c.Field)
	}
	if s == nil {
		s = b.source(f, c.Field, own, nil)
	}
	if q := f.fields[c.Field]; s == nil && q != nil && len(q.From) == 1 {
		s = b.source(f, q.From[0], own, nil)
	}
	if s == nil {
		b.add(f.File, c.Line, c.Field, "a condition looks at something that is not there", "")
		return
	}
	for _, v := range c.Is {
		if !s.mayCome(v) {
			b.add(f.File, c.Line, c.Field, "a condition waits for "+quoteKey(v)+", which cannot be answered", s.mayBe(v))
		}
	}
}

func (b *binder) rule(f *Form, r *Rule, own *Shape) {
	if rules[r.Rule] == nil {
		b.add(f.File, r.Line, r.Rule, "there is no rule of this name", known(rules))
	}
	if len(r.Of) < arity[r.Rule] {
		b.add(f.File, r.Line, r.Rule, fmt.Sprintf("this rule looks at %d answers: of", arity[r.Rule]), "")
	}
	for _, p := range r.Of {
		if b.source(f, p, own, nil) == nil && f.fields[p] == nil {
			b.add(f.File, r.Line, r.Rule, "the case record has no fact "+quoteKey(p), "")
		}
	}
	for _, c := range r.When {
		b.cond(f, c, own, nil)
	}
	if own != nil && f.fields[r.At] == nil {
		b.add(f.File, r.Line, r.Rule, "there is no question "+quoteKey(r.At), "")
	}
	if r.Say.IsZero() {
		b.add(f.File, r.Line, r.Rule, "a rule needs words: say", "")
	}
}

func known[T any](m map[string]T) string {
	return "there are: " + strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}

// plain is the path of a fact as it stands in the case record.
func (f *Form) plain(path string) string {
	if rest, ok := strings.CutPrefix(path, "addressee."); ok && f.Addressee != nil {
		return f.Addressee.List + "." + rest
	}
	return path
}

var indexes = regexp.MustCompile(`\[\d+\]`)

// asks finds the question that prints a fact, by its key path with or without indexes.
func (f *Form) asks(path string) *Field { return f.asked[indexes.ReplaceAllString(path, "")] }

// itemLabel tells which item of a list is meant, in words: "Child 2".
func itemLabel(list string, i int) string { return fmt.Sprintf("%s %s", list, strconv.Itoa(i+1)) }
