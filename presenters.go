package caseforms

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// presenters are the ways to print that a definition can name under "as". The item is the one of the list.
var presenters = map[string]func(x *filler, item any) (State, string){
	"birth_and_age":          presentBirth,
	"child_name":             presentChildName,
	"child_address":          presentChildAddress,
	"child_name_and_address": presentChildNameAndAddress,
	"adult_address":          presentAdultAddress,
	"person_address":         presentPersonAddress,
	"children_names":         presentChildrenNames,
	"name_and_open_address":  presentNameAndOpenAddress,
	"open_address":           presentOpenAddress,
	"is_mappa":               presentIsMAPPA,
}

// presentBirth prints a date of birth with the age on the day of the document, or the expected date of an unborn child.
func presentBirth(x *filler, item any) (State, string) {
	var dob *Of[PartialDate]
	unborn := ""
	switch p := item.(type) {
	case *Child:
		dob = &p.DOB
		if p.isUnborn() {
			unborn = x.d.Word("unborn")
		}
		if f := p.EDD.fact(); f.State == Answered {
			unborn = strings.TrimPrefix(unborn+", ", ", ") + x.d.Word("expected") + " " + x.partialDate(p.EDD.Value)
		} else if p.isUnborn() && !x.unsaid(&p.EDD) {
			unborn += ", " + x.d.Word("expected") + ": " + x.lower(f.State, f.Why)
		}
	case *Adult:
		dob = &p.DOB
	default:
		return NotAnswered, ""
	}
	st, text, why := x.print(dob, nil)
	if unborn != "" {
		if st == Answered {
			unborn += "; " + text
		}
		return Answered, unborn
	}
	if st != Answered {
		return st, x.stateText(nil, st, why)
	}
	if _, whole := dob.Value.Date(); whole {
		if years, months, ok := dob.Value.Age(x.on); ok {
			text += " (" + x.age(years, months) + ")"
		}
	}
	return Answered, text
}

// age is told in months under two, where every month matters (002:387).
func (x *filler) age(years, months int) string {
	if years < 2 {
		n := years*12 + months
		if n == 1 {
			return "1 " + x.d.Word("month")
		}
		return strconv.Itoa(n) + " " + x.d.Word("months")
	}
	return fmt.Sprintf("%s %d", x.d.Word("aged"), years)
}

func presentChildName(x *filler, item any) (State, string) {
	c, ok := item.(*Child)
	if !ok {
		return NotAnswered, ""
	}
	st, text, why := x.print(&c.Name, nil)
	switch {
	case st == Answered:
		return st, text
	case c.isUnborn():
		return Answered, x.d.Word("unborn_child")
	}
	return st, x.stateText(nil, st, why)
}

func presentChildAddress(x *filler, item any) (State, string) {
	c, ok := item.(*Child)
	if !ok {
		return NotAnswered, ""
	}
	return x.markedAddress(&c.Address, &c.AddressConfidential)
}

// presentChildNameAndAddress serves forms whose heading asks for addresses and whose columns have no place for them (002:992-995).
func presentChildNameAndAddress(x *filler, item any) (State, string) {
	c, ok := item.(*Child)
	if !ok {
		return NotAnswered, ""
	}
	st, name := presentChildName(x, item)
	switch ast, address := x.markedAddress(&c.Address, &c.AddressConfidential); ast {
	case NotAnswered, NotApplicable:
	case Answered:
		name += "\n" + address
	default:
		name += "\n" + x.d.Word("part_lines") + ": " + address
	}
	return st, name
}

// presentIsMAPPA answers "is this a MAPPA case?" by whether there is a category.
func presentIsMAPPA(x *filler, _ any) (State, string) {
	switch st, _, why := x.print(&x.c.MAPPA.Category, nil); st {
	case Answered:
		return Answered, x.d.Word("yes")
	case NotApplicable:
		return Answered, x.d.Word("no")
	default:
		return st, x.stateText(nil, st, why)
	}
}

func presentChildrenNames(x *filler, _ any) (State, string) {
	var names []string
	for _, c := range x.here() {
		_, name := presentChildName(x, c)
		names = append(names, name)
	}
	if names == nil {
		st, _, why := x.printList(&Field{}, &x.c.Children)
		return st, x.stateText(nil, st, why)
	}
	return Answered, strings.Join(names, "; ")
}

// presentNameAndOpenAddress leaves a confidential address out of a shared report without a word: a gap that shows would tell a reader that
// there is one (0.4 points 6 and 7).
func presentNameAndOpenAddress(x *filler, item any) (State, string) {
	var st State
	var name, address string
	var addressState State
	switch p := item.(type) {
	case *Child:
		st, name = presentChildName(x, p)
		addressState, address = x.openAddress(&p.Address, &p.AddressConfidential)
	case *Adult:
		var why string
		st, name, why = x.print(&p.Name, nil)
		if st != Answered {
			name = x.stateText(nil, st, why)
		}
		addressState, address = x.openAddress(&p.Address, &p.AddressConfidential)
	}
	if addressState == Answered {
		return Answered, name + "\n" + address
	}
	return st, name
}

// openAddress is an address unless it is confidential: then nothing where withholding is silent, else the word for it.
func (x *filler) openAddress(a *Address, confidential *Of[YesNo]) (State, string) {
	st, text, _ := x.printAddress(a)
	if !x.hidden(a, confidential) {
		return st, text
	}
	if x.silent || st == NotAnswered {
		return NotAnswered, ""
	}
	return Answered, x.d.Word("part_lines") + ": " + x.lower(Withheld, "")
}

// presentOpenAddress prints the person's current address. One that is confidential is withheld.
func presentOpenAddress(x *filler, _ any) (State, string) {
	found := NotAnswered
	for i := range x.c.Person.Addresses.Items {
		a := &x.c.Person.Addresses.Items[i]
		if a.Type.Value != "current" {
			continue
		}
		if x.hidden(&a.Address, &a.AddressConfidential) {
			found = Withheld
			continue
		}
		st, text, why := x.printAddress(&a.Address)
		if st != Answered {
			text = x.stateText(nil, st, why)
		}
		return st, text
	}
	return found, x.d.Word(found.String())
}

func isYes(v *Of[YesNo]) bool { return v.Known() && bool(v.Value) }

// isConfidential takes an address of which nobody knows whether it is confidential for one that is.
func isConfidential(v *Of[YesNo]) bool {
	return isYes(v) || v.State == NotKnown || v.State == Withheld
}

func presentPersonAddress(x *filler, item any) (State, string) {
	a, ok := item.(*PersonAddress)
	if !ok {
		return NotAnswered, ""
	}
	return x.markedAddress(&a.Address, &a.AddressConfidential)
}

func presentAdultAddress(x *filler, item any) (State, string) {
	a, ok := item.(*Adult)
	if !ok {
		return NotAnswered, ""
	}
	return x.markedAddress(&a.Address, &a.AddressConfidential)
}

// markedAddress prints an address with a mark when it is confidential, or withholds it on a form that goes to others than Children's
// Social Care.
func (x *filler) markedAddress(a *Address, confidential *Of[YesNo]) (State, string) {
	st, text, why := x.printAddress(a)
	secret := st != NotAnswered && x.isConfidentialAddress(a, confidential)
	switch {
	case secret && !x.tellsAddresses():
		return Withheld, x.stateText(nil, Withheld, "") // and not the reason why there is none
	case st != Answered:
		return st, x.stateText(nil, st, why)
	case secret:
		text += " " + x.d.Word("confidential_address")
	}
	return st, text
}

// hidden tells whether an address must not be told here: it is confidential, or a part of it is withheld.
func (x *filler) hidden(a *Address, confidential *Of[YesNo]) bool {
	if a.Postcode.State == Withheld || a.Lines.State == Withheld {
		return true
	}
	for i := range a.Lines.Items {
		if a.Lines.Items[i].State == Withheld {
			return true
		}
	}
	return x.isConfidentialAddress(a, confidential)
}

// isConfidentialAddress tells whether an address is confidential, be it because somebody else's at the same place is said to be. In a copy for the person
// it is where nobody has said so, unless it is an address of theirs: a blank must not be taken for No.
func (x *filler) isConfidentialAddress(a *Address, confidential *Of[YesNo]) bool {
	if isConfidential(confidential) {
		return true
	}
	if x.copy == CopyDisclosable && confidential.State == NotAnswered && !slices.ContainsFunc(x.c.Person.Addresses.Items, func(own PersonAddress) bool { return a.sameAs(&own.Address) }) {
		return true
	}
	found := false
	x.c.addresses(func(_ string, _ int, b *Address, c *Of[YesNo]) { found = found || isYes(c) && a.sameAs(b) })
	return found
}

// addresses calls f for every address of the case that may be confidential, with the list and the place in it.
func (c *Case) addresses(f func(list string, i int, a *Address, confidential *Of[YesNo])) {
	for i := range c.Children.Items {
		f("children", i, &c.Children.Items[i].Address, &c.Children.Items[i].AddressConfidential)
	}
	for i := range c.Adults.Items {
		f("adults", i, &c.Adults.Items[i].Address, &c.Adults.Items[i].AddressConfidential)
	}
	for i := range c.Person.Addresses.Items {
		f("person.addresses", i, &c.Person.Addresses.Items[i].Address, &c.Person.Addresses.Items[i].AddressConfidential)
	}
}

// sameAs tells whether two addresses are of one place: the same lines, or the same postcode where one has nothing else or both have the same
// line with a number.
func (a *Address) sameAs(b *Address) bool {
	here, there := a.written(), b.written()
	if here != "" && here == there {
		return true
	}
	if !a.Postcode.Known() || a.Postcode.Value != b.Postcode.Value {
		return false
	}
	if here == "" || there == "" {
		return true
	}
	for _, p := range a.pieces() {
		for _, q := range b.pieces() {
			if slices.Equal(p, q) && !flat(p) && (hasDigit(p[0]) || len(p) > 1) {
				return true
			}
		}
	}
	return false
}

// written are the letters and digits of the lines of an address, by which two ways of writing one are known to be the same: with a postcode
// or without, with commas or not.
func (a *Address) written() string {
	var b strings.Builder
	for i := range a.Lines.Items {
		for _, r := range strings.ToLower(string(a.Lines.Items[i].Value)) {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				b.WriteRune(r)
			}
		}
	}
	return b.String()
}

// computations are the answers the program works out, named by a definition under "computed".
var computations = map[string]func(x *filler) (State, string){
	"children_under_1": func(x *filler) (State, string) { return x.childrenUnder(1) },
	"children_under_7": func(x *filler) (State, string) { return x.childrenUnder(7) },
}

// childrenUnder names the children unborn or under an age (002:387-389). A child of unknown age is told, never counted as older.
func (x *filler) childrenUnder(age int) (State, string) {
	var young, unknown []string
	children := x.here()
	for i, c := range children {
		_, name := presentChildName(x, c)
		if !c.Name.Known() && !c.isUnborn() {
			name = itemLabel(x.d.Word("child"), i)
		}
		if c.isUnborn() {
			young = append(young, name)
			continue
		}
		years, ok := c.DOB.Value.MinAge(x.on)
		switch {
		case !c.DOB.Known() || !ok:
			unknown = append(unknown, name)
		case years < age:
			young = append(young, name)
		}
	}
	switch {
	case len(children) == 0:
		return NotAnswered, ""
	case young != nil && unknown != nil:
		return Answered, x.d.Word("yes") + ": " + strings.Join(young, ", ") + "; " + x.d.Word("age_not_known") + ": " + strings.Join(unknown, ", ")
	case young != nil:
		return Answered, x.d.Word("yes") + ": " + strings.Join(young, ", ")
	case unknown != nil:
		return NotKnown, x.d.Word("not_known") + ": " + x.d.Word("age_not_known") + " (" + strings.Join(unknown, ", ") + ")"
	}
	return Answered, x.d.Word("no")
}
