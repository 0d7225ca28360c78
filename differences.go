package caseforms

import (
	"encoding/json"
	"slices"
	"strconv"
)

// Difference is one key at which two case records differ, with what each of them has there; "" is nothing.
type Difference struct {
	Key    string // children[1].dob
	Label  string // as the form prints it, or as the fact is called
	Theirs string
	Yours  string
}

// Differences are the keys at which two case records differ, in the order of their names. The form gives the labels.
func (d *Definitions) Differences(f *Form, theirs, yours []byte) ([]Difference, error) {
	out, err := differing(theirs, yours)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].Label = d.labelOf(f, out[i].Key)
	}
	return out, nil
}

// ChangedFacts are the keys at which two case records differ, without labels.
func ChangedFacts(before, after []byte) ([]Difference, error) { return differing(before, after) }

func differing(theirs, yours []byte) ([]Difference, error) {
	a, b := map[string]string{}, map[string]string{}
	for _, x := range []struct {
		data []byte
		to   map[string]string
	}{{theirs, a}, {yours, b}} {
		var v any
		if err := json.Unmarshal(x.data, &v); err != nil {
			return nil, &Error{Kind: Invalid, Msg: "the case record is not JSON"}
		}
		leaves(v, "", x.to)
	}
	var out []Difference
	for key, v := range a {
		if b[key] != v {
			out = append(out, Difference{Key: key, Theirs: v, Yours: b[key]})
		}
	}
	for key, v := range b {
		if _, both := a[key]; !both {
			out = append(out, Difference{Key: key, Yours: v})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int { return compareKeys(a.Key, b.Key) })
	return out, nil
}

// compareKeys keeps the second child before the tenth.
func compareKeys(a, b string) int {
	num := func(s string) (int, int) {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		v, _ := strconv.Atoi(s[:n])
		return v, n
	}
	for a != "" && b != "" {
		x, n := num(a)
		y, m := num(b)
		if n > 0 && m > 0 {
			if x != y {
				return x - y
			}
			a, b = a[n:], b[m:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

// leaves gathers the values of a record by key path. What counts as not answered is left out, so that it is no difference.
func leaves(v any, path string, to map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			at := k
			if path != "" {
				at = path + "." + k
			}
			leaves(x, at, to)
		}
	case []any:
		for i, x := range v {
			leaves(x, path+"["+strconv.Itoa(i)+"]", to)
		}
	case string:
		if v != "" {
			to[path] = v
		}
	case bool:
		to[path] = map[bool]string{true: "yes", false: "no"}[v]
	case float64:
		to[path] = strconv.FormatFloat(v, 'f', -1, 64)
	}
}

// labelOf is what a key of the case record is called.
func (d *Definitions) labelOf(f *Form, key string) string {
	if q := f.asks(key); q != nil {
		return d.say(q.Label)
	}
	if s := d.shape.at(indexes.ReplaceAllString(key, "")); s != nil {
		return s.Label.In(d.Lang)
	}
	return ""
}
