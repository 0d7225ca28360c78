package templates

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"caseforms"
)

const (
	maxFile  = 1 << 20
	maxNodes = 200_000 // aliases count each time they are used, so that a few lines cannot blow up to gigabytes
)

// Decode reads a file strictly into dst, a pointer to a struct or a map, with the rules that definitions are read by: see decode. The
// configuration is read with it, so that a misspelt key there is an error with file and line too.
func Decode(file string, data []byte, dst any) []caseforms.Problem { return decode(file, data, dst) }

// decode reads a definition file strictly into Go values. Keys are the Go names in snake case (Form.ID is "form"). Every scalar is text
// until the field it goes to says otherwise, so that a bare no stays "no"; unknown and doubled keys are problems with file and line.
func decode(file string, data []byte, dst any) []caseforms.Problem {
	d := &decoder{file: file}
	if len(data) > maxFile {
		d.add(nil, "", fmt.Sprintf("a definition file may have %d kB", maxFile>>10), "")
		return d.problems
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		line, msg := 1, strings.TrimPrefix(err.Error(), "yaml: ")
		if rest, ok := strings.CutPrefix(msg, "line "); ok {
			n, after, _ := strings.Cut(rest, ": ")
			if v, err := strconv.Atoi(n); err == nil {
				line, msg = v, after
			}
		}
		d.add(&yaml.Node{Line: line, Column: 1}, "", "is not readable as YAML: "+msg, "")
		return d.problems
	}
	if len(doc.Content) != 1 {
		d.add(nil, "", "the file is empty", "")
		return d.problems
	}
	d.value(doc.Content[0], reflect.ValueOf(dst).Elem(), "")
	return d.problems
}

type decoder struct {
	file     string
	nodes    int
	problems []caseforms.Problem
}

func (d *decoder) add(n *yaml.Node, key, msg, hint string) {
	p := caseforms.Problem{Severity: caseforms.Blocking, File: d.file, Line: 1, Column: 1, Key: key, Msg: msg, Hint: hint}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	if len(d.problems) < 200 {
		d.problems = append(d.problems, p)
	}
}

func (d *decoder) value(n *yaml.Node, v reflect.Value, key string) {
	if d.nodes++; d.nodes > maxNodes {
		if d.nodes == maxNodes+1 {
			d.add(n, key, "the file is too large once its aliases are followed", "")
		}
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch p := v.Addr().Interface().(type) {
	case *caseforms.Text:
		d.text(n, p, key)
		return
	case *[]caseforms.Option:
		d.options(n, p, key)
		return
	case **caseforms.Need:
		d.need(n, p, key)
		return
	case *caseforms.RegisterColumn:
		if n.Kind == yaml.ScalarNode { // a key alone
			*p = caseforms.RegisterColumn{Key: n.Value, Line: n.Line}
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), key)
	case reflect.Struct:
		d.record(n, v, key)
	case reflect.Map:
		d.mapping(n, v, key)
	case reflect.Slice:
		items := n.Content
		if n.Kind == yaml.ScalarNode && (v.Type().Elem().Kind() == reflect.String || v.Type().Elem() == reflect.TypeFor[caseforms.Text]()) {
			items = []*yaml.Node{n} // one word stands for a list of one
		} else if n.Kind != yaml.SequenceNode {
			d.add(n, key, "must be a list", "")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
		for i, c := range items {
			d.value(c, v.Index(i), key)
		}
	default:
		if n.Kind != yaml.ScalarNode {
			d.add(n, key, "must be a single value", "")
			return
		}
		d.scalar(n, v, key)
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, key string) {
	switch v.Kind() {
	case reflect.String:
		if allowed, ok := closedSets[v.Type()]; ok && !slices.Contains(allowed, n.Value) {
			d.add(n, key, "is none of: "+strings.Join(allowed, ", "), "")
			return
		}
		v.SetString(n.Value)
	case reflect.Bool:
		if n.Value != "true" && n.Value != "false" {
			d.add(n, key, "must be true or false", "")
			return
		}
		v.SetBool(n.Value == "true")
	case reflect.Int:
		i, err := strconv.Atoi(n.Value)
		if err != nil || i < 0 || i > 1000 {
			d.add(n, key, "must be a whole number up to 1000", "")
			return
		}
		v.SetInt(int64(i))
	}
}

// closedSets are the types of which a file may use only these values.
var closedSets = map[reflect.Type][]string{
	reflect.TypeFor[caseforms.Severity](): {string(caseforms.Blocking), string(caseforms.Warning)},
	reflect.TypeFor[caseforms.Sensitivity](): {string(caseforms.SensitiveAddress), string(caseforms.SensitiveThirdParty), string(caseforms.SensitiveVictim), string(caseforms.SensitiveSource),
		string(caseforms.SensitivePrivilege)},
	reflect.TypeFor[caseforms.Layout](): {string(caseforms.LayoutRows), string(caseforms.LayoutPairs), string(caseforms.LayoutGrid),
		string(caseforms.LayoutLetter), string(caseforms.LayoutSignature), string(caseforms.LayoutReply), string(caseforms.LayoutTable),
		string(caseforms.LayoutCards), string(caseforms.LayoutTicks), string(caseforms.LayoutNarrative), string(caseforms.LayoutBanner)},
}

func (d *decoder) pairs(n *yaml.Node, key string, each func(k, v *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.add(n, key, "must have keys and values", "")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case k.Kind != yaml.ScalarNode:
			d.add(k, key, "a key must be a word", "")
		case seen[k.Value]:
			d.add(k, k.Value, "this key stands twice", "")
		default:
			seen[k.Value] = true
			each(k, n.Content[i+1])
		}
	}
}

func (d *decoder) record(n *yaml.Node, v reflect.Value, key string) {
	fields := map[string]int{}
	var names []string
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() || f.Name == "File" || f.Name == "Hash" || f.Name == "Sources" || f.Name == "Replaces" {
			continue
		}
		if f.Name == "Line" {
			v.Field(i).SetInt(int64(n.Line))
			continue
		}
		name := snake(f.Name)
		if f.Name == "ID" {
			name = "form"
		}
		fields[name] = i
		names = append(names, name)
	}
	d.pairs(n, key, func(k, val *yaml.Node) {
		i, ok := fields[k.Value]
		if !ok {
			d.add(k, k.Value, "there is no such key", "known here: "+strings.Join(names, ", "))
			return
		}
		d.value(val, v.Field(i), k.Value)
	})
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, key string) {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	d.pairs(n, key, func(k, val *yaml.Node) {
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(val, e, k.Value)
		v.SetMapIndex(reflect.ValueOf(k.Value), e)
	})
}

func (d *decoder) text(n *yaml.Node, t *caseforms.Text, key string) {
	if n.Kind == yaml.ScalarNode {
		t.En = n.Value
		return
	}
	d.pairs(n, key, func(k, v *yaml.Node) {
		switch {
		case v.Kind != yaml.ScalarNode:
			d.add(v, key, "must be words", "")
		case k.Value == "en":
			t.En = v.Value
		case k.Value == "cy":
			t.Cy = v.Value
		default:
			d.add(k, k.Value, "a text has en and cy", "")
		}
	})
}

// options are written as value: label, in printed order.
func (d *decoder) options(n *yaml.Node, o *[]caseforms.Option, key string) {
	d.pairs(n, key, func(k, v *yaml.Node) {
		opt := caseforms.Option{Value: k.Value}
		d.text(v, &opt.Label, k.Value)
		*o = append(*o, opt)
	})
}

// need is true, or a condition, or a named rule.
func (d *decoder) need(n *yaml.Node, p **caseforms.Need, key string) {
	need := &caseforms.Need{}
	switch {
	case n.Kind == yaml.ScalarNode && n.Value == "true":
		need.Always = true
	case n.Kind == yaml.ScalarNode && n.Value == "false":
		return
	case n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Value == "rule":
		need.Rule = n.Content[1].Value
	case n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[0].Value == "any":
		d.value(n.Content[1], reflect.ValueOf(&need.Any).Elem(), key)
	case n.Kind == yaml.MappingNode:
		need.When = &caseforms.Cond{}
		d.record(n, reflect.ValueOf(need.When).Elem(), key)
	default:
		d.add(n, key, "must be true, a condition {field: …, is: …} or {rule: …}", "")
		return
	}
	*p = need
}

func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) {
			if i > 0 {
				b.WriteByte('_')
			}
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}
