package caseforms

import (
	"cmp"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ReplyFields are the questions that the recipient of the form fills in, in printed order.
func (f *Form) ReplyFields() []*Field {
	var out []*Field
	for _, s := range f.Sections {
		if s.Layout == LayoutReply {
			out = append(out, s.Fields...)
		}
	}
	return out
}

// Options are the answers that can be chosen for a question, in printed order; none where it is answered in words. "Not known" is one
// of them where the form prints it as an answer.
func (d *Definitions) Options(q *Field) []Option {
	switch {
	case q.options != nil:
		return q.options
	case q.shapeKind == KindYesNo:
		return []Option{{Value: "yes", Label: d.Words["yes"]}, {Value: "no", Label: d.Words["no"]}}
	case q.shapeKind == KindYesNoUnknown:
		return []Option{{Value: "yes", Label: d.Words["yes"]}, {Value: "no", Label: d.Words["no"]}, {Value: "not_known", Label: d.Words["not_known"]}}
	}
	return nil
}

// Label is what is printed for a question, in the language of the definitions.
func (d *Definitions) Label(q *Field) string { return d.say(q.Label) }

// Typed is what was understood of an answer that somebody wrote on the form itself and not into a case record.
type Typed struct {
	State State
	Value string // canonical, as a case record holds it; of tick boxes the values of the ticked options, one a line
	Doubt string // what looks wrong with the value
}

// ReadTyped understands an answer as it stands on the form: an option by its label, in either language and however it is spaced, or by
// its value; anything else as the question's kind reads it. Tick boxes are given one a line. The error says why it is not understood,
// in words that follow the label, and never holds the answer.
func (d *Definitions) ReadTyped(q *Field, typed string) (Typed, error) {
	typed = strings.TrimSpace(typed)
	l := newLeaf(q.shapeKind)
	if l == nil {
		return Typed{}, errors.New("is not a question that can be answered in one field")
	}
	if typed == "" {
		return Typed{}, nil
	}
	value := typed
	switch options := d.Options(q); {
	case q.shapeKind == KindChecks:
		ticked := map[string]bool{}
		for line := range strings.Lines(typed) {
			if strings.TrimSpace(line) == "" {
				continue
			}
			v, ok := d.option(options, line)
			if !ok {
				return Typed{}, errors.New("is none of the answers that may be ticked")
			}
			ticked[v] = true
		}
		var chosen []string
		for _, o := range options {
			if ticked[o.Value] {
				chosen = append(chosen, o.Value)
			}
		}
		value = strings.Join(chosen, "\n")
	case options != nil:
		v, ok := d.option(options, typed)
		if !ok {
			return Typed{}, errors.New("is none of the answers that may be chosen")
		}
		if q.shapeKind == KindYesNoUnknown && v == "not_known" {
			return Typed{State: NotKnown}, nil
		}
		value = v
	case q.shapeKind == KindChoice:
		return Typed{}, errors.New("is none of the answers that may be chosen")
	}
	doubt := ""
	if q.shapeKind == KindDate {
		if date, unsure, ok := d.writtenDate(typed); ok {
			value = date.String()
			if unsure {
				doubt = "is read as " + value
			}
		}
	}
	if err := l.put(value); err != nil {
		return Typed{}, err
	}
	f := l.fact()
	return Typed{State: f.State, Value: f.Value, Doubt: cmp.Or(f.Doubt, doubt)}, nil
}

var (
	dayMonthYear = regexp.MustCompile(`^(\d{1,2})[./ -](\d{1,2})[./ -](\d{4}|\d\d)$`)
	dayNameYear  = regexp.MustCompile(`^(?:\p{L}+,? )?(\d{1,2})(?:st|nd|rd|th|ain|af|il|ydd|fed|eg)? (?:of )?(\p{L}{3,})\.?,? (\d{4})$`)
)

// writtenDate reads a date as people here write it on a form: 20/11/2026, 20 November 2026, Friday 20th Nov 2026, also in Welsh. It is
// unsure where the day could be taken for the month, and where the century is not written.
func (d *Definitions) writtenDate(s string) (date Date, unsure, ok bool) {
	number := func(t string) int { n, _ := strconv.Atoi(t); return n }
	s = strings.Join(strings.Fields(s), " ")
	if m := dayMonthYear.FindStringSubmatch(s); m != nil {
		date = Date{number(m[3]), number(m[2]), number(m[1])}
		unsure = date.Day <= 12 && date.Month != date.Day
		if date.Year < 100 {
			date.Year += 2000
			unsure = true
		}
	} else if m := dayNameYear.FindStringSubmatch(s); m != nil {
		date = Date{Year: number(m[3]), Day: number(m[1])}
		for i := 1; i <= 12; i++ {
			t := d.Words["month_"+strconv.Itoa(i)]
			for _, name := range []string{t.En, t.Cy} {
				if len(name) >= len(m[2]) && strings.EqualFold(name[:len(m[2])], m[2]) {
					date.Month = i
				}
			}
		}
	}
	return date, unsure, date.Month > 0 && DateOf(time.Date(date.Year, time.Month(date.Month), date.Day, 0, 0, 0, 0, time.UTC)) == date
}

// option is the value of the option that somebody means. A label as printed goes before one that only looks like it.
func (d *Definitions) option(options []Option, typed string) (string, bool) {
	typed = strings.TrimSpace(typed)
	for _, o := range options {
		if typed == d.say(o.Label) || typed == o.Value {
			return o.Value, true
		}
	}
	tight := func(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), "")) }
	for _, o := range options {
		for _, s := range []string{d.say(o.Label), o.Label.En, o.Label.Cy, o.Value} {
			if s != "" && tight(typed) == tight(s) {
				return o.Value, true
			}
		}
	}
	return "", false
}
