package caseforms

import (
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Shape is what a value of the case may look like: a leaf of some kind, a record with keys, or a list of items. The decoder, the JSON
// Schema and the empty case all follow it, so they cannot disagree.
type Shape struct {
	Kind    Kind // a leaf's kind, KindRecord or KindList
	Label   Text
	Hint    Text
	Options []Option
	Keys    []ShapeKey // of a record, in the order of the case record or the form
	One     Text       // of a list: what one item is called
	Item    *Shape     // of a list
	Printed []string   // of a record that prints as one answer: the keys it prints
}

// ShapeKey is one key of a record.
type ShapeKey struct {
	Name  string
	Shape *Shape
}

func (s *Shape) key(name string) *Shape {
	for _, k := range s.Keys {
		if k.Name == name {
			return k.Shape
		}
	}
	return nil
}

// at follows a dotted path through records and list items.
func (s *Shape) at(path string) *Shape {
	for name := range strings.SplitSeq(path, ".") {
		if s == nil {
			return nil
		}
		if s.Kind == KindList {
			s = s.Item
		}
		s = s.key(name)
	}
	return s
}

func ownShape(q *Field) (ShapeKey, bool) {
	if q.Kind == "" {
		return ShapeKey{}, false
	}
	s := &Shape{Kind: q.Kind, Label: q.Label, Hint: q.Hint, Options: q.Options}
	switch q.Kind {
	case KindList:
		s.Item, s.One = &Shape{Kind: KindRecord}, q.itemName()
		for _, c := range q.Fields {
			if k, ok := ownShape(c); ok {
				s.Item.Keys = append(s.Item.Keys, k)
			}
		}
	case KindAddress:
		s = (&Definitions{}).shapeOf(reflect.TypeFor[Address](), "", nil)
		s.Label, s.Hint = q.Label, q.Hint
	}
	return ShapeKey{q.Key, s}, true
}

func (d *Definitions) shapeOf(t reflect.Type, path string, used map[string]bool) *Shape {
	s := &Shape{}
	if w := d.Facts[path]; w != nil {
		s.Label, s.Options = w.Label, w.Options
		used[path] = true
	}
	v := reflect.New(t).Interface()
	switch v := v.(type) {
	case leaf:
		s.Kind = kindOf(v)
		return s
	case list:
		s.Kind, s.One = KindList, s.Label
		if w := d.Facts[path]; w != nil && !w.Item.IsZero() {
			s.One = w.Item
		}
		items, _ := t.FieldByName("Items")
		s.Item = d.shapeOf(items.Type.Elem(), path, used)
		return s
	}
	s.Kind = KindRecord
	if p, ok := v.(interface{ printed() []string }); ok {
		s.Printed = p.printed()
	}
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("json")
		if t.Field(i).Type.Kind() == reflect.Map {
			continue // Forms: its shape comes from the definitions
		}
		s.Keys = append(s.Keys, ShapeKey{name, d.shapeOf(t.Field(i).Type, join(path, name), used)})
	}
	return s
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// structPaths has for the type of a record, as a map, where each of its values stands: of "name", and through the records in it of "name.first".
var structPaths sync.Map // reflect.Type -> map[string][]int

func pathsOf(t reflect.Type) map[string][]int {
	if m, ok := structPaths.Load(t); ok {
		return m.(map[string][]int)
	}
	m := map[string][]int{}
	notePaths(m, t, "", nil)
	all, _ := structPaths.LoadOrStore(t, m)
	return all.(map[string][]int)
}

func notePaths(m map[string][]int, t reflect.Type, at string, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("json")
		if name == "" {
			continue // not of the case record
		}
		path, place := join(at, name), append(slices.Clone(index), i)
		m[path] = place
		if p := reflect.PointerTo(f.Type); f.Type.Kind() == reflect.Struct && !p.Implements(leafType) && !p.Implements(listType) {
			notePaths(m, f.Type, path, place)
		}
	}
}

var (
	leafType = reflect.TypeFor[leaf]()
	listType = reflect.TypeFor[list]()
)

// member is a pointer to what a record holds under a key, nil when it has no such key.
func member(record any, name string) any {
	switch r := record.(type) {
	case nil:
		return nil
	case Group:
		return r[name]
	case map[string]Group:
		return r[name]
	}
	return valueIn(reflect.ValueOf(record).Elem(), name)
}

// valueIn is a pointer to what a record holds under a path of records, nil when there is no such path.
func valueIn(v reflect.Value, path string) any {
	index := pathsOf(v.Type())[path]
	if index == nil {
		return nil
	}
	for _, i := range index {
		v = v.Field(i)
	}
	if v.Kind() == reflect.Map {
		return v.Interface()
	}
	return v.Addr().Interface()
}

// walk follows a dotted path through records; it stops at lists.
func walk(record any, path string) any {
	for path != "" && record != nil {
		if v := reflect.ValueOf(record); v.Kind() == reflect.Pointer {
			if found := valueIn(v.Elem(), path); found != nil {
				return found
			}
		}
		name, rest, _ := strings.Cut(path, ".")
		record, path = member(record, name), rest
	}
	return record
}

// newGroup makes a group in which every key of the shape holds an empty value.
func newGroup(s *Shape) Group {
	g := Group{}
	s.fill(g)
	return g
}

func (s *Shape) fill(g Group) {
	for _, k := range s.Keys {
		switch k.Shape.Kind {
		case KindList:
			g[k.Name] = new(List[Group])
		case KindRecord:
			g[k.Name] = new(Address)
		default:
			g[k.Name] = newLeaf(k.Shape.Kind)
		}
	}
}

// NewCase is a case in which nothing is answered.
func (d *Definitions) NewCase() *Case { return &Case{Forms: map[string]Group{}} }
