package caseforms

import "strings"

// rules are the tests that a definition can name. Each tells whether the rule is broken; words, place and severity are the
// definition's. A new one belongs here only when equals and one-of cannot say it.
var rules = map[string]func(x *filler, r *Rule) bool{
	"before":                      ruleBefore,
	"in_future":                   ruleInFuture,
	"under_ten":                   ruleUnderTen,
	"edd_too_far":                 ruleEDDTooFar,
	"child_dob_in_future":         ruleChildDOBInFuture,
	"edd_without_unborn":          ruleEDDWithoutUnborn,
	"child_at_release_address":    ruleChildAtReleaseAddress,
	"small_child_domestic_abuse":  ruleSmallChildDomesticAbuse,
	"other_authorities":           ruleOtherAuthorities,
	"child_without_authority":     ruleChildWithoutAuthority,
	"no_item_asked_for":           ruleNoItemAskedFor,
	"not_only":                    ruleNotOnly,
	"no_current_address":          ruleNoCurrentAddress,
	"information_only_but_urgent": ruleInformationOnlyButUrgent,
	"answered_without":            ruleAnsweredWithout,
	"not_all_yes":                 ruleNotAllYes,
	"review_too_late":             ruleReviewTooLate,
	"all_are":                     ruleAllAre,
	"level_changed":               ruleLevelChanged,
	"no_pp2_reference":            ruleNoPP2Reference,
	"too_few_months_before":       ruleTooFewMonthsBefore,
}

// arity is how many answers a rule looks at, at least. A rule that is not here looks at none.
var arity = map[string]int{"before": 2, "in_future": 1, "child_at_release_address": 1, "small_child_domestic_abuse": 1, "not_only": 1,
	"information_only_but_urgent": 1, "answered_without": 2, "not_all_yes": 1, "review_too_late": 3, "too_few_months_before": 3}

// date is the whole date at a path, when there is one.
func (x *filler) date(path string) (Date, bool) {
	switch v := x.find(path, nil).(type) {
	case *Of[Date]:
		return v.Value, v.Known()
	case *Of[PartialDate]:
		d, whole := v.Value.Date()
		return d, whole && v.Known()
	case *Of[Moment]:
		return v.Value.Date, v.Known()
	}
	return Date{}, false
}

// ruleBefore: the first date is earlier than the second.
func ruleBefore(x *filler, r *Rule) bool {
	a, ok1 := x.date(r.Of[0])
	b, ok2 := x.date(r.Of[1])
	return ok1 && ok2 && a.Before(b)
}

// ruleInFuture: the date lies after the day of the document.
func ruleInFuture(x *filler, r *Rule) bool {
	d, ok := x.date(r.Of[0])
	return ok && x.on.Before(d)
}

// ruleUnderTen: the person was under ten, the age of criminal responsibility, at an offence (Children and Young Persons Act 1933 s.50).
func ruleUnderTen(x *filler, _ *Rule) bool {
	if !x.c.Person.DOB.Known() {
		return false
	}
	for i := range x.c.Offences.Items {
		if d, whole := x.c.Offences.Items[i].OffenceDate.Value.Date(); whole {
			if years, _ := x.c.Person.DOB.Value.Age(d); years < 10 {
				return true
			}
		}
	}
	return false
}

// ruleEDDTooFar: a child is expected later than 42 weeks from the day of the document.
func ruleEDDTooFar(x *filler, _ *Rule) bool {
	for _, c := range x.here() {
		if d, whole := c.EDD.Value.Date(); whole && x.on.AddDays(42*7).Before(d) {
			return true
		}
	}
	return false
}

func ruleChildDOBInFuture(x *filler, _ *Rule) bool {
	for _, c := range x.here() {
		if d, whole := c.DOB.Value.Date(); whole && x.on.Before(d) {
			return true
		}
	}
	return false
}

func ruleEDDWithoutUnborn(x *filler, _ *Rule) bool {
	for _, c := range x.here() {
		if c.EDD.Known() && !c.isUnborn() {
			return true
		}
	}
	return false
}

func (c *Child) isUnborn() bool { return isYes(&c.Unborn) }

// here are the children this document is about.
func (x *filler) here() (out []*Child) {
	for i := range x.c.Children.Items {
		if c := &x.c.Children.Items[i]; x.theirs(x.form.theirs["children"], c) {
			out = append(out, c)
		}
	}
	return out
}

// ruleChildAtReleaseAddress: a child lives at the release address and a section 47 enquiry is not among what is asked at Of[0] (000:69; 001:41).
func ruleChildAtReleaseAddress(x *filler, r *Rule) bool {
	for _, c := range x.here() {
		if c.LivesAtRelease.Known() && bool(c.LivesAtRelease.Value.YesNo) {
			asked, ok := x.find(r.Of[0], nil).(*Of[Choices])
			return ok && !asked.Value.Has("section_47_enquiry")
		}
	}
	return false
}

// ruleSmallChildDomesticAbuse: domestic abuse is ticked at Of[0], a child is unborn, under one or of unknown age, and the kind of referral at
// Of[1] is none or information only (002:387).
func ruleSmallChildDomesticAbuse(x *filler, r *Rule) bool {
	ticked, ok := x.find(r.Of[0], nil).(*Of[Choices])
	if !ok || !ticked.Value.Has("domestic_abuse") {
		return false
	}
	if len(r.Of) > 1 {
		if t, ok := x.find(r.Of[1], nil).(*Of[Choice]); ok && t.Known() && t.Value != "information_only" {
			return false
		}
	}
	for _, c := range x.here() {
		years, ok := c.DOB.Value.MinAge(x.on)
		if ok = ok && c.DOB.Known(); c.isUnborn() || !ok || years < 1 {
			return true
		}
	}
	return false
}

func ruleOtherAuthorities(x *filler, _ *Rule) bool { return len(x.others) > 0 }

// ruleChildWithoutAuthority: it is not said which of the authorities a child belongs to, or the one that is said is none of them.
func ruleChildWithoutAuthority(x *filler, _ *Rule) bool {
	for i := range x.c.Children.Items {
		v := &x.c.Children.Items[i].LocalAuthority
		name := fold(string(v.Value))
		if !v.Known() && len(x.others) > 0 || v.Known() && x.addressee != nil && name != x.name && !x.others[name] {
			return true
		}
	}
	return false
}

// ruleNoItemAskedFor: there are children, but none of the addressee's.
func ruleNoItemAskedFor(x *filler, _ *Rule) bool {
	return len(x.c.Children.Items) > 0 && len(x.here()) == 0
}

// ruleNotOnly: of the boxes at Of[0] only the first option is ticked.
func ruleNotOnly(x *filler, r *Rule) bool {
	v, ok := x.find(r.Of[0], nil).(*Of[Choices])
	q := x.form.Field(r.At)
	return ok && q != nil && len(v.Value) == 1 && len(q.options) > 0 && v.Value[0] == q.options[0].Value
}

// ruleNoCurrentAddress: none of the person's addresses is the current one.
func ruleNoCurrentAddress(x *filler, _ *Rule) bool {
	for i := range x.c.Person.Addresses.Items {
		if x.c.Person.Addresses.Items[i].Type.Value == "current" {
			return false
		}
	}
	return len(x.c.Person.Addresses.Items) > 0
}

// ruleAnsweredWithout: the first answer is given, the second is not.
func ruleAnsweredWithout(x *filler, r *Rule) bool {
	return !x.blankAt(r.Of[0]) && x.blankAt(r.Of[1])
}

// blankAt tells whether nothing is answered at a path, not even a state.
func (x *filler) blankAt(path string) bool {
	for _, v := range x.values(path, nil) {
		if v != "" {
			return false
		}
	}
	return true
}

// ruleNotAllYes: not every item of the list has "yes" under the key that ends the path at Of[0], or there is none.
func ruleNotAllYes(x *filler, r *Rule) bool {
	i := strings.LastIndexByte(r.Of[0], '.')
	l, ok := x.find(r.Of[0][:i], nil).(list)
	if !ok {
		return false
	}
	for n := range l.Len() {
		if v, ok := walk(l.item(n), r.Of[0][i+1:]).(leaf); !ok || valueOf(v) != "yes" {
			return true
		}
	}
	return l.Len() == 0
}

// ruleReviewTooLate: the review at Of[0] is later after the day at Of[1] than the level at Of[2] allows: six months at level 2 (003:349),
// twelve at level 1 (003:351).
func ruleReviewTooLate(x *filler, r *Rule) bool {
	review, ok1 := x.date(r.Of[0])
	from, ok2 := x.date(r.Of[1])
	level, ok3 := x.find(r.Of[2], nil).(*Of[Choice])
	months := map[Choice]int{"1": 12, "2": 6, "3": 6}
	return ok1 && ok2 && ok3 && months[level.Value] > 0 && from.AddMonths(months[level.Value]).Before(review)
}

// ruleTooFewMonthsBefore: the person is in custody (Of[1]), and the day of the document is less than six months before the first date given
// in Of[2:], or twelve when the answer at Of[0] is yes (003:324-326).
func ruleTooFewMonthsBefore(x *filler, r *Rule) bool {
	if v := x.values(r.Of[1], nil); len(v) == 0 || v[0] != "in_custody" {
		return false
	}
	months := 6
	if v := x.values(r.Of[0], nil); len(v) > 0 && v[0] == "yes" {
		months = 12
	}
	first := Date{}
	for _, p := range r.Of[2:] {
		if d, ok := x.date(p); ok && !d.Before(x.on) && (first.IsZero() || d.Before(first)) {
			first = d
		}
	}
	return !first.IsZero() && first.Before(x.on.AddMonths(months))
}

// ruleAllAre: every one of the rule's conditions holds, and with Any one of the answers at Of is one of those.
func ruleAllAre(x *filler, r *Rule) bool {
	for _, c := range r.When {
		if !x.asked(c, nil) {
			return false
		}
	}
	if r.Any == nil {
		return true
	}
	for _, p := range r.Of {
		if x.asked(&Cond{Field: p, Is: r.Any}, nil) {
			return true
		}
	}
	return false
}

// ruleLevelChanged: the level agreed at the meeting is not the one the case has (003:318, 351).
func ruleLevelChanged(x *filler, _ *Rule) bool {
	agreed, before := x.values("level_agreed", nil), x.values("meeting_level", nil)
	if len(agreed) != 1 || agreed[0] == "" {
		return false
	}
	return x.c.MAPPA.Level.Known() && agreed[0] != string(x.c.MAPPA.Level.Value) || len(before) == 1 && before[0] != "" && agreed[0] != before[0]
}

// ruleNoPP2Reference: a PP3 that was not completed at a meeting belongs to a PP1 (003:128, 343).
func ruleNoPP2Reference(x *filler, _ *Rule) bool { return x.blankAt("completed_at") }

func ruleInformationOnlyButUrgent(x *filler, r *Rule) bool {
	v, ok := x.find(r.Of[0], nil).(*Of[Choice])
	return ok && x.urgent && v.Value == "information_only"
}
