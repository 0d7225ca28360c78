package caseforms

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Edit changes single answers of a case record that is JSON, and leaves all else as it is.
type Edit struct {
	d    *Definitions
	root map[string]any
}

// Edit begins to change a case record, which must be one that can be decoded. Items of lists in which nothing is answered are left out, as
// they are when the record is decoded, so that the places of items are the same.
func (d *Definitions) Edit(data []byte) (*Edit, error) {
	e := &Edit{d: d, root: map[string]any{}}
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	dec.UseNumber()
	if err := dec.Decode(&e.root); err != nil {
		return nil, &Error{Kind: Invalid, Op: "edit", Msg: "the case record is not a JSON object"}
	}
	tidy(e.root)
	return e, nil
}

// tidy takes items out of lists in which nothing is answered.
func tidy(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if l, ok := x.([]any); ok {
				l = slices.DeleteFunc(l, blankJSON)
				v[k] = l
			}
			tidy(v[k])
		}
	case []any:
		for _, x := range v {
			tidy(x)
		}
	}
}

func blankJSON(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return !slices.ContainsFunc(v, func(x any) bool { return !blankJSON(x) })
	case map[string]any:
		for _, x := range v {
			if !blankJSON(x) {
				return false
			}
		}
		return true
	}
	return false
}

// JSON is the record as it is now. The same answers are always the same bytes.
func (e *Edit) JSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(e.root)
	return b.Bytes(), err
}

// step is a part of a key path: a key, and the place of an item behind it, -1 for none.
type step struct {
	key  string
	item int
}

func steps(path string) (out []step) {
	for part := range strings.SplitSeq(path, ".") {
		s := step{part, -1}
		if key, n, ok := strings.Cut(part, "["); ok {
			s.key = key
			s.item, _ = strconv.Atoi(strings.TrimSuffix(n, "]"))
		}
		out = append(out, s)
	}
	return out
}

func stateOf(v any) (st State, why string, ok bool) {
	m, isMap := v.(map[string]any)
	if !isMap {
		return 0, "", false
	}
	name, ok := m["state"].(string)
	if !ok {
		return 0, "", false
	}
	st, ok = statedBy(name)
	why, _ = m["why"].(string)
	return st, strings.TrimSpace(why), ok
}

// at is what stands at a path; of what a state is given for as a whole, that state.
func (e *Edit) at(path string) any {
	var v any = e.root
	for _, s := range steps(path) {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		if _, _, stated := stateOf(m); stated {
			return m
		}
		v = m[s.key]
		if s.item >= 0 {
			l, ok := v.([]any)
			if !ok || s.item >= len(l) {
				return nil
			}
			v = l[s.item]
		}
	}
	return v
}

// Stated is what a record says of one fact: its values, or its state with the reason.
type Stated struct {
	Values []string
	State  State
	Why    string
	odd    []any // of several values, what stands there
}

// Get reads a fact at a key path such as children[1].dob. Of several values, one that has a state itself is given in words.
func (e *Edit) Get(path string) Stated {
	v := e.at(path)
	if st, why, ok := stateOf(v); ok {
		return Stated{State: st, Why: why}
	}
	if l, ok := v.([]any); ok {
		s := Stated{}
		for _, x := range l {
			if t := e.textOf(x); t != "" {
				s.Values, s.odd = append(s.Values, t), append(s.odd, x)
			}
		}
		if len(s.Values) > 0 {
			s.State = Answered
		}
		return s
	}
	t := e.textOf(v)
	if t == "" {
		return Stated{}
	}
	if t == "not_known" {
		if p := e.d.shape.at(indexes.ReplaceAllString(path, "")); p != nil && (p.Kind == KindYesNo || p.Kind == KindYesNoUnknown) {
			return Stated{State: NotKnown}
		}
	}
	return Stated{Values: []string{t}, State: Answered}
}

func (e *Edit) textOf(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case json.Number:
		return v.String()
	case map[string]any:
		if st, why, ok := stateOf(v); ok {
			if t := e.d.Word(st.String()); why != "" {
				return t + ": " + why
			} else {
				return t
			}
		}
	}
	return ""
}

// SetValue gives a fact one value.
func (e *Edit) SetValue(path, value string) { e.put(path, value) }

// SetValues gives a fact several values. One that was there stays as it was, also if it has a state.
func (e *Edit) SetValues(path string, values []string) {
	was := e.Get(path)
	all := make([]any, 0, len(values))
	for _, v := range values {
		if i := slices.Index(was.Values, v); i >= 0 && i < len(was.odd) {
			all = append(all, was.odd[i])
		} else {
			all = append(all, v)
		}
	}
	e.put(path, all)
}

// SetState gives a fact a state, with a reason or without.
func (e *Edit) SetState(path, state, why string) {
	v := map[string]any{"state": state}
	if why != "" {
		v["why"] = why
	}
	e.put(path, v)
}

// Clear makes a fact one that is not answered.
func (e *Edit) Clear(path string) {
	if e.at(path) == nil {
		return
	}
	e.put(path, nil)
}

// put writes a value, nil taking it out. What has a state as a whole is taken apart first.
func (e *Edit) put(path string, value any) {
	all := steps(path)
	m := e.root
	plain := ""
	for i, s := range all {
		plain = join(plain, s.key)
		if i == len(all)-1 && s.item < 0 {
			if value == nil {
				delete(m, s.key)
			} else {
				m[s.key] = value
			}
			return
		}
		next := m[s.key]
		if s.item >= 0 {
			l, _ := next.([]any)
			for len(l) <= s.item {
				l = append(l, map[string]any{})
			}
			m[s.key] = l
			if i == len(all)-1 {
				l[s.item] = value
				return
			}
			if x, ok := l[s.item].(map[string]any); ok {
				e.apart(x, plain)
				m = x
			} else {
				x := map[string]any{}
				l[s.item], m = x, x
			}
			continue
		}
		x, ok := next.(map[string]any)
		if !ok {
			x = map[string]any{}
			m[s.key] = x
		}
		e.apart(x, plain)
		m = x
	}
}

// apart gives what a record has as a whole, a state, to each of its facts.
func (e *Edit) apart(m map[string]any, plain string) {
	if _, _, ok := stateOf(m); !ok {
		return
	}
	state, why := m["state"], m["why"]
	delete(m, "state")
	delete(m, "why")
	s := e.d.shape.at(plain)
	if s == nil {
		return
	}
	if s.Kind == KindList {
		s = s.Item
	}
	for _, k := range s.Keys {
		each := map[string]any{"state": state}
		if why != nil {
			each["why"] = why
		}
		m[k.Name] = each
	}
}

// Items is the number of items of a list.
func (e *Edit) Items(list string) int {
	l, _ := e.at(list).([]any)
	return len(l)
}

// Remove takes an item out of a list.
func (e *Edit) Remove(list string, i int) {
	l, _ := e.at(list).([]any)
	if i < 0 || i >= len(l) {
		return
	}
	if l = slices.Delete(l, i, i+1); len(l) == 0 {
		e.put(list, nil)
		return
	}
	e.put(list, l)
}

// Blank tells whether nothing is answered at a path.
func (e *Edit) Blank(path string) bool { return blankJSON(e.at(path)) }

// Text is the values, one a line; empty where there is none.
func (s Stated) Text() string { return strings.Join(s.Values, "\n") }

// BeginAnew takes out what belongs to an earlier document of the case, so that nobody issues the signature and the reasons of that one again.
func (f *Form) BeginAnew(e *Edit) {
	for _, s := range f.Sections {
		for _, q := range s.Fields {
			if q.Anew && q.Kind != "" {
				e.Clear("forms." + f.ID + "." + q.Key)
			}
		}
	}
}
