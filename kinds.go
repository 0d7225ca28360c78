package caseforms

import (
	"errors"
	"fmt"
	"net/mail"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// Kind is the sort of value a question takes.
type Kind string

const (
	KindText         Kind = "text"
	KindLongText     Kind = "longtext"
	KindDate         Kind = "date"
	KindPartialDate  Kind = "partial_date"
	KindTime         Kind = "time"
	KindDateTime     Kind = "datetime"
	KindChoice       Kind = "choice" // one of the options
	KindChecks       Kind = "checks" // any of the options
	KindYesNo        Kind = "yes_no"
	KindYesNoUnknown Kind = "yes_no_unknown"
	KindNumber       Kind = "number"
	KindEmail        Kind = "email"
	KindPhone        Kind = "phone"
	KindPostcode     Kind = "postcode"
	KindCRN          Kind = "crn"
	KindPrisonNumber Kind = "prison_number"
	KindPNC          Kind = "pnc"
	KindCRO          Kind = "cro"
	KindNHSNumber    Kind = "nhs_number"
	KindAddress      Kind = "address"
	KindRecord       Kind = "record" // shared facts only: a group of values that prints as one answer
	KindList         Kind = "list"
)

// kinds tie each kind to the type of its values.
var kinds = []struct {
	kind Kind
	make func() leaf
}{
	{KindText, func() leaf { return new(Of[Line]) }},
	{KindLongText, func() leaf { return new(Of[Prose]) }},
	{KindDate, func() leaf { return new(Of[Date]) }},
	{KindPartialDate, func() leaf { return new(Of[PartialDate]) }},
	{KindTime, func() leaf { return new(Of[TimeOfDay]) }},
	{KindDateTime, func() leaf { return new(Of[Moment]) }},
	{KindChoice, func() leaf { return new(Of[Choice]) }},
	{KindChecks, func() leaf { return new(Of[Choices]) }},
	{KindYesNo, func() leaf { return new(Of[YesNo]) }},
	{KindYesNoUnknown, func() leaf { return new(Of[YesNoUnknown]) }},
	{KindNumber, func() leaf { return new(Of[Number]) }},
	{KindEmail, func() leaf { return new(Of[Email]) }},
	{KindPhone, func() leaf { return new(Of[Phone]) }},
	{KindPostcode, func() leaf { return new(Of[Postcode]) }},
	{KindCRN, func() leaf { return new(Of[CRN]) }},
	{KindPrisonNumber, func() leaf { return new(Of[PrisonNumber]) }},
	{KindPNC, func() leaf { return new(Of[PNC]) }},
	{KindCRO, func() leaf { return new(Of[CRO]) }},
	{KindNHSNumber, func() leaf { return new(Of[NHSNumber]) }},
}

// newLeaf makes an empty fact of a kind, for what is particular to a form.
func newLeaf(k Kind) leaf {
	for i := range kinds {
		if kinds[i].kind == k {
			return kinds[i].make()
		}
	}
	return nil
}

// kindOf is the kind of a fact.
func kindOf(l leaf) Kind {
	for i := range kinds {
		if reflect.TypeOf(kinds[i].make()) == reflect.TypeOf(l) {
			return kinds[i].kind
		}
	}
	return ""
}

// Line is a short text.
type Line string

func (v *Line) parse(s string) (string, error) { *v = Line(s); return "", nil }
func (v *Line) String() string                 { return string(*v) }

// Prose is a text that may run over paragraphs and pages.
type Prose string

func (v *Prose) parse(s string) (string, error) { *v = Prose(s); return "", nil }
func (v *Prose) String() string                 { return string(*v) }

// Choice is the value of one of a question's options; the decoder checks it against them.
type Choice string

func (v *Choice) parse(s string) (string, error) { *v = Choice(s); return "", nil }
func (v *Choice) String() string                 { return string(*v) }

// Choices are the values of the ticked options, in the order of the options.
type Choices []string

// Has tells whether an option is ticked.
func (v Choices) Has(value string) bool {
	for _, c := range v {
		if c == value {
			return true
		}
	}
	return false
}

func (v *Choices) parse(s string) (string, error) { *v = strings.Split(s, "\n"); return "", nil }
func (v *Choices) String() string                 { return strings.Join(*v, "\n") }

// YesNo is a question with two answers. "Not known" is a state, not an answer.
type YesNo bool

func (v *YesNo) parse(s string) (string, error) {
	switch s {
	case "yes":
		*v = true
	case "no":
		*v = false
	default:
		return "", errors.New(`must be "yes" or "no"`)
	}
	return "", nil
}

func (v *YesNo) String() string {
	if *v {
		return "yes"
	}
	return "no"
}

// YesNoUnknown is a YesNo whose form prints "Not known" as a third answer of its own.
type YesNoUnknown struct{ YesNo }

// Number is a whole number.
type Number int

func (v *Number) parse(s string) (string, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return "", errors.New("must be a whole number")
	}
	*v = Number(n)
	return "", nil
}
func (v *Number) String() string { return strconv.Itoa(int(*v)) }

// Email is an address as typed; an odd one is kept and doubted.
type Email string

// The rule is GOV.UK Notify's, see docs/sources.md: ASCII local part, a dotted host, no doubled dots, at most 254 characters.
var emailRule = regexp.MustCompile(`^[a-zA-Z0-9.!#$%&'*+/=?^_` + "`" + `{|}~-]+@([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+([a-zA-Z]{2,63}|xn--[a-zA-Z0-9-]+)$`)

// unseen is what is pasted in with an address.
var unseen = strings.NewReplacer("\u200b", "", "\u200c", "", "\u200d", "", "\u2060", "", "\ufeff", "", "\u00a0", "")

func (v *Email) parse(s string) (string, error) {
	s = unseen.Replace(s)
	*v = Email(s)
	if _, err := mail.ParseAddress(s); err != nil || !emailRule.MatchString(s) || strings.Contains(s, "..") || len(s) > 254 {
		return "this does not look like an e-mail address", nil
	}
	return "", nil
}
func (v *Email) String() string { return string(*v) }

// Phone is a telephone number as typed; an odd one is kept and doubted.
type Phone string

var phoneExtension = regexp.MustCompile(`(?i)\s*(ext\.?|extension|x)\s*\d+$`)

var aroundDigits = strings.NewReplacer(" ", "", "(", "", ")", "", "-", "", ".", "", "\u00a0", "")

func (v *Phone) parse(s string) (string, error) {
	*v = Phone(s)
	digits := s
	if strings.ContainsAny(s, "xX") { // every way of writing an extension has one
		digits = phoneExtension.ReplaceAllString(s, "")
	}
	digits = aroundDigits.Replace(digits)
	digits = strings.TrimPrefix(strings.Replace(digits, "+440", "+44", 1), "+")
	for _, r := range digits {
		if r < '0' || r > '9' {
			return "this does not look like a telephone number", nil
		}
	}
	switch n := len(digits); {
	case n <= 3:
		return "an emergency or short number is not one to be rung back on", nil
	case n < 9 || n > 15:
		return fmt.Sprintf("a telephone number has 9 to 15 digits, this has %d", n), nil
	case strings.HasPrefix(digits, "09"):
		return "this is a premium-rate number", nil
	}
	return "", nil
}
func (v *Phone) String() string { return string(*v) }
