package caseforms

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Uses are the key paths of all facts that a form prints, asks about or looks at, the form's own included, without indexes.
func (d *Definitions) Uses(f *Form) map[string]bool {
	u := map[string]bool{}
	own := "forms." + f.ID + "."
	note := func(base, path string) {
		if rest, ok := strings.CutPrefix(path, "addressee."); ok {
			base, path = "", f.Addressee.List+"."+rest
		}
		full := join(base, path)
		if d.shape.at(full) == nil {
			if q := f.Field(path); q != nil && q.Kind != "" {
				full = own + path
			} else if d.shape.at(path) != nil {
				full = path
			} else {
				return
			}
		}
		for p := full; ; {
			u[p] = true
			i := strings.LastIndexByte(p, '.')
			if i < 0 {
				break
			}
			p = p[:i]
		}
		d.markBelow(u, full)
	}
	var field func(q *Field, base string)
	field = func(q *Field, base string) {
		at := join(base, q.Key)
		if q.Kind != "" {
			u[at] = true
			u[strings.TrimSuffix(own, ".")], u["forms"] = true, true
			d.markBelow(u, at)
		}
		for _, p := range q.From {
			if q.Fields == nil {
				note(base, p)
			} else {
				u[p] = true
			}
			at = join(base, p)
		}
		for _, c := range []*Cond{q.When, q.Only} {
			if c != nil {
				if c == q.Only {
					note(at, c.Field)
				} else {
					note(base, c.Field)
				}
			}
		}
		for _, n := range []*Need{q.Required, q.Warn} {
			if n == nil {
				continue
			}
			for _, c := range append(slices.Clone(n.Any), n.When) {
				if c != nil {
					note(base, c.Field)
				}
			}
		}
		for _, h := range append(slices.Clone(q.Heading), q.Theirs) {
			if h != "" {
				note(at, h)
			}
		}
		for _, c := range q.Fields {
			field(c, at)
		}
	}
	if f.Addressee != nil {
		note("", f.Addressee.List+"."+f.Addressee.By)
	}
	for _, s := range f.Sections {
		if s.When != nil {
			note("", s.When.Field)
		}
		for _, q := range s.Fields {
			base := ""
			if q.Kind != "" {
				base = strings.TrimSuffix(own, ".")
			}
			field(q, base)
		}
	}
	for _, r := range f.Rules {
		for _, p := range r.Of {
			note("", p)
		}
	}
	return u
}

// markBelow marks what a record, or a list of records, prints as one answer, such as an address.
func (d *Definitions) markBelow(u map[string]bool, path string) {
	s := d.shape.at(path)
	if s == nil {
		return
	}
	if s.Kind == KindList {
		s = s.Item
	}
	for _, k := range s.Printed {
		p := join(path, k)
		u[p] = true
		d.markBelow(u, p)
	}
}

// jsonWriter writes JSON by tokens. Its errors cannot happen on a bytes.Buffer with sound tokens, so the first is kept for the end.
type jsonWriter struct {
	buf bytes.Buffer
	enc *jsontext.Encoder
	err error
}

func newJSONWriter() *jsonWriter {
	w := &jsonWriter{}
	w.enc = jsontext.NewEncoder(&w.buf, jsontext.WithIndent("  "))
	return w
}

func (w *jsonWriter) put(tokens ...any) {
	for _, t := range tokens {
		var tok jsontext.Token
		switch t := t.(type) {
		case string:
			tok = jsontext.String(t)
		case jsontext.Token:
			tok = t
		case bool:
			tok = jsontext.Bool(t)
		}
		if err := w.enc.WriteToken(tok); err != nil && w.err == nil {
			w.err = err
		}
	}
}

var (
	open      = jsontext.BeginObject
	shut      = jsontext.EndObject
	openList  = jsontext.BeginArray
	shutList  = jsontext.EndArray
	jsonNull  = jsontext.Null
	statesDef = "#/$defs/state"
)

// Empty is a case record as JSON in which every key the form uses stands once and nothing is answered; for all forms when f is nil.
// A list shows one empty item, which counts as no item when it is read.
func (d *Definitions) Empty(f *Form) ([]byte, error) {
	u := d.usedBy(f)
	w := newJSONWriter()
	var value func(s *Shape, path string)
	value = func(s *Shape, path string) {
		switch s.Kind {
		case KindRecord:
			w.put(open)
			for _, k := range s.Keys {
				if p := join(path, k.Name); u[p] {
					w.put(k.Name)
					value(k.Shape, p)
				}
			}
			w.put(shut)
		case KindList:
			w.put(openList)
			value(s.Item, path)
			w.put(shutList)
		case KindChecks:
			w.put(openList, shutList)
		default:
			w.put("")
		}
	}
	value(d.shape, "")
	return w.buf.Bytes(), w.err
}

func (d *Definitions) usedBy(f *Form) map[string]bool {
	if f != nil {
		return d.Uses(f)
	}
	all := map[string]bool{}
	for _, f := range d.Forms {
		for p := range d.Uses(f) {
			all[p] = true
		}
	}
	return all
}

// Schema is the JSON Schema (2020-12) of a case record with all it may hold; the own answers of other forms than f are left open. With
// f nil they are all spelled out. It says what can be decoded; what must be there before a form is issued is [Definitions.Check]'s.
func (d *Definitions) Schema(f *Form) ([]byte, error) {
	w := newJSONWriter()
	w.put(open, "$schema", "https://json-schema.org/draft/2020-12/schema")
	title := "case record"
	if f != nil {
		title += " for " + f.ID + ", version " + f.Version
	}
	w.put("title", title)
	w.put("$defs", open)
	w.put("state", open, "type", "object", "properties", open)
	w.put("state", open, "enum", openList, "not_known", "not_applicable", "withheld", shutList, shut)
	w.put("why", open, "type", openList, "string", "null", shutList, shut)
	w.put(shut, "required", openList, "state", shutList, "additionalProperties", false, shut)
	w.put("none", open, "type", "object", "properties", open)
	w.put("state", open, "enum", openList, "not_known", "not_applicable", "withheld", "none_known", shutList, shut)
	w.put("why", open, "type", openList, "string", "null", shutList, shut)
	w.put(shut, "required", openList, "state", shutList, "additionalProperties", false, shut)
	w.put(shut)
	d.schemaOf(w, d.shape, "", f)
	w.put(shut)
	return w.buf.Bytes(), w.err
}

// schemaOf writes the members of a schema object that is already open.
func (d *Definitions) schemaOf(w *jsonWriter, s *Shape, path string, f *Form) {
	if !s.Label.IsZero() {
		w.put("title", strings.TrimRight(d.say(s.Label), " :"))
	}
	if !s.Hint.IsZero() {
		w.put("description", d.say(s.Hint))
	}
	if s.Kind == KindRecord && path == "" {
		d.objectSchema(w, s, path, f)
		return
	}
	ref := statesDef
	if s.Kind == KindList || s.Kind == KindChecks {
		ref = "#/$defs/none"
	}
	w.put("anyOf", openList)
	w.put(open)
	switch s.Kind {
	case KindRecord:
		d.objectSchema(w, s, path, f)
	case KindList:
		w.put("type", "array", "items", open)
		d.schemaOf(w, s.Item, path, f)
		w.put(shut)
	case KindChecks:
		w.put("type", "array", "items", open, "enum", openList)
		for _, o := range s.Options {
			w.put(o.Value)
		}
		w.put("", jsonNull, shutList, shut)
	case KindChoice:
		w.put("enum", openList)
		for _, o := range s.Options {
			w.put(o.Value)
		}
		w.put("", shutList)
	case KindYesNo, KindYesNoUnknown:
		w.put("enum", openList, "yes", "no", "not_known", true, false, "", shutList)
	case KindNumber:
		w.put("type", openList, "integer", "string", shutList, "pattern", `^\s*(-?[0-9]+)?\s*$`)
	case KindDate:
		w.put("type", "string", "pattern", `^\s*([0-9]{4}-[0-9]{2}-[0-9]{2})?\s*$`)
	case KindDateTime:
		w.put("type", "string", "pattern", `^\s*([0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}.*)?)?\s*$`)
	case KindTime:
		w.put("type", "string", "pattern", `^\s*([0-9]{1,2}:[0-9]{2})?\s*$`)
	default:
		w.put("type", "string")
	}
	w.put(shut, open, "type", "null", shut, open, "$ref", ref, shut, shutList)
}

func (d *Definitions) objectSchema(w *jsonWriter, s *Shape, path string, f *Form) {
	w.put("type", "object", "properties", open)
	for _, k := range s.Keys {
		w.put(k.Name, open)
		if path == "forms" && f != nil && k.Name != f.ID {
			w.put("type", "object")
		} else {
			d.schemaOf(w, k.Shape, join(path, k.Name), f)
		}
		w.put(shut)
	}
	w.put(shut, "additionalProperties", false)
}
