package web

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"caseforms"
)

// take puts what was typed on a page into the record. Only what is not as it was shown is taken, so that what somebody else saved meanwhile
// and what a page cannot show stay as they are. all takes everything: the page is that of another entry now.
func (x *filling) take(p *place, form url.Values, all bool) (ps []FieldProblem) {
	one := func(f *caseforms.AskedFact, path string) {
		was := form.Get("was." + f.Path)
		if !form.Has("was." + f.Path) {
			return // it was not asked
		}
		t := fromForm(form, f.Path)
		wasValue, wasState, _ := strings.Cut(was, ".")
		value, state := t.marks()
		newValue, newState := value != wasValue, state != wasState
		if all {
			newValue, newState = !t.empty(), t.state != ""
		}
		if !newValue && !newState {
			return
		}
		if msg := x.put(f, path, t, newValue, newState); msg != "" {
			ps = append(ps, FieldProblem{f.Path, msg})
		}
	}
	for _, q := range p.questions() {
		for i := range q.Facts {
			one(&q.Facts[i], p.prefix()+q.Facts[i].Path)
		}
		for _, l := range q.Lists {
			if list := x.asked.List(l); x.edit.Items(l) == 0 {
				one(&list.None, l)
			}
		}
	}
	return ps
}

// put writes one fact; the answer is what is wrong with what was typed.
func (x *filling) put(f *caseforms.AskedFact, path string, t typed, newValue, newState bool) string {
	label := f.Label
	if t.state != "" {
		known := false
		for _, s := range f.States {
			known = known || s.Value == t.state
		}
		switch {
		case !known:
			return label + ": choose one of the reasons that are offered"
		case newValue && newState && !t.empty():
			return label + ": give the answer, or say why there is none, but not both"
		case newState || t.empty():
			x.edit.SetState(path, t.state, t.why)
			return ""
		}
		// the answer was typed over a reason that stood there before
	} else if t.why != "" {
		return label + ": choose why there is no answer; a reason alone is not enough"
	}
	if f.Kind == caseforms.KindList {
		x.edit.Clear(path)
		return ""
	}
	value, wrong := valueOf(f, t)
	switch {
	case wrong != "":
		return label + ": " + wrong
	case f.Kind == caseforms.KindChecks:
		if len(t.values[""]) == 0 {
			x.edit.Clear(path)
		} else {
			x.edit.SetValues(path, t.values[""])
		}
	case value == "":
		x.edit.Clear(path)
	case f.Several:
		var all []string
		for line := range strings.SplitSeq(value, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				all = append(all, line)
			}
		}
		x.edit.SetValues(path, all)
	case f.Kind == caseforms.KindYesNoUnknown && value == "not_known":
		x.edit.SetState(path, "not_known", "")
	default:
		x.edit.SetValue(path, value)
	}
	return ""
}

// valueOf is a value as the record has it.
func valueOf(f *caseforms.AskedFact, t typed) (value, wrong string) {
	switch f.Kind {
	case caseforms.KindDate, caseforms.KindPartialDate, caseforms.KindDateTime:
		if f.Several {
			return t.one("-words"), ""
		}
		return dateOf(f.Kind, t)
	}
	return t.one(""), ""
}

// dateOf puts a date together from its fields.
func dateOf(k caseforms.Kind, t typed) (value, wrong string) {
	day, month, year, words, clock := t.one("-day"), t.one("-month"), t.one("-year"), t.one("-words"), t.one("-time")
	if day+month+year == "" {
		switch {
		case words != "" && k == caseforms.KindPartialDate:
			return words, ""
		case clock != "":
			return "", "must have a date with the time"
		}
		return "", ""
	}
	if words != "" && k == caseforms.KindPartialDate {
		return "", "give the date, or say it in words, but not both"
	}
	var missing []string
	for _, f := range []struct{ v, name string }{{day, "day"}, {month, "month"}, {year, "year"}} {
		if f.v == "" && (k != caseforms.KindPartialDate || f.name == "year" || f.name == "month" && day != "") {
			missing = append(missing, f.name)
		}
	}
	if missing != nil {
		return "", "must include a " + strings.Join(missing, " and a ")
	}
	y, err := strconv.Atoi(year)
	if err != nil || len(year) != 4 || y < 1000 {
		return "", "the year must have four digits"
	}
	if month == "" {
		return year, ""
	}
	m := monthOf(month)
	if m == 0 {
		return "", "the month must be a number from 1 to 12, or its name"
	}
	if day == "" {
		return fmt.Sprintf("%04d-%02d", y, m), ""
	}
	n, err := strconv.Atoi(day)
	d := time.Date(y, time.Month(m), n, 0, 0, 0, 0, time.UTC)
	if err != nil || d.Day() != n || int(d.Month()) != m {
		return "", "must be a real date"
	}
	value = d.Format(time.DateOnly)
	if k == caseforms.KindDateTime && clock != "" {
		value += " " + clock
	}
	return value, ""
}

func monthOf(s string) int {
	if n, err := strconv.Atoi(s); err == nil && n >= 1 && n <= 12 {
		return n
	}
	for m := time.January; m <= time.December; m++ {
		if len(s) >= 3 && len(s) <= len(m.String()) && strings.EqualFold(s, m.String()[:len(s)]) {
			return int(m)
		}
	}
	return 0
}
