package caseforms

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The identifiers below are normalised when they are right. A doubtful one is kept as typed and warned about, never dropped: on a
// printed referral a number with one wrong letter still finds the person.

// CRN is an nDelius case reference number: one letter and six digits, no check digit.
type CRN string

var crnRule = regexp.MustCompile(`^[A-Z]\d{6}$`)

func (v *CRN) parse(s string) (string, error) {
	n := strings.ToUpper(strings.ReplaceAll(s, " ", ""))
	if !crnRule.MatchString(n) {
		*v = CRN(s)
		return "a CRN is one letter and six digits, such as X000001", nil
	}
	*v = CRN(n)
	return "", nil
}
func (v *CRN) String() string { return string(*v) }

// PrisonNumber is a prison (NOMS) number: a letter, four digits and two letters, no check digit.
type PrisonNumber string

var prisonRule = regexp.MustCompile(`^[A-Z]\d{4}[A-Z]{2}$`)

func (v *PrisonNumber) parse(s string) (string, error) {
	n := strings.ToUpper(strings.ReplaceAll(s, " ", ""))
	if !prisonRule.MatchString(n) {
		*v = PrisonNumber(s)
		return "a prison number is a letter, four digits and two letters, such as A1234BC", nil
	}
	*v = PrisonNumber(n)
	return "", nil
}
func (v *PrisonNumber) String() string { return string(*v) }

// checkLetters serve PNC and CRO numbers alike: 23 letters, without I, O and S.
const checkLetters = "ZABCDEFGHJKLMNPQRTUVWXY"

func checkLetter(digits string) byte {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return checkLetters[n%23]
}

// PNC is a Police National Computer ID, kept as YYYY/NNNNNNNL.
type PNC string

var pncRule = regexp.MustCompile(`^(\d{2,4})/(\d{1,7})([A-Z])$|^(\d{2,12})([A-Z])$`)

func (v *PNC) parse(s string) (string, error) {
	*v = PNC(s)
	m := pncRule.FindStringSubmatch(strings.ToUpper(strings.ReplaceAll(s, " ", "")))
	if m == nil {
		return "a PNC ID is a year, a slash, up to seven digits and a letter, such as 2005/0000042W", nil
	}
	year, serial, letter := m[1], m[2], m[3]
	if year == "" {
		// Without a slash the length decides: twelve characters have the year in full.
		year, serial, letter = m[4][:2], m[4][2:], m[5]
		if len(m[4]) == 11 {
			year, serial = m[4][:4], m[4][4:]
		}
	}
	if len(year) == 3 || serial == "" || len(serial) > 7 {
		return "a PNC ID starts with a year of two or four digits, such as 2005/0000042W", nil
	}
	if len(year) == 2 {
		// The source compares with the running year; a fixed pivot gives the same answer for everybody alive and the same bytes
		// in every year. No record was made before 1950.
		century := "20"
		if year >= "50" {
			century = "19"
		}
		year = century + year
	}
	serial = strings.Repeat("0", 7-len(serial)) + serial
	if checkLetter(year[2:]+serial) != letter[0] {
		return "the check letter of this PNC ID does not match: look for a wrong digit", nil
	}
	*v = PNC(year + "/" + serial + letter)
	return "", nil
}
func (v *PNC) String() string { return string(*v) }

// CRO is a Criminal Records Office number: NNNNNN/YYL, or SFYY/NL for a file held elsewhere.
type CRO string

var (
	croRule   = regexp.MustCompile(`^(\d{1,6})/(\d{2})([A-Z])$`)
	croSFRule = regexp.MustCompile(`^SF(\d{2})/(\d{1,6})([A-Z])$`)
)

func (v *CRO) parse(s string) (string, error) {
	*v = CRO(s)
	n := strings.ToUpper(strings.ReplaceAll(s, " ", ""))
	const wrong = "the check letter of this CRO number does not match: look for a wrong digit"
	if m := croRule.FindStringSubmatch(n); m != nil {
		serial := strings.Repeat("0", 6-len(m[1])) + m[1]
		if checkLetter(m[2]+serial) != m[3][0] {
			return wrong, nil
		}
		*v = CRO(serial + "/" + m[2] + m[3])
		return "", nil
	}
	if m := croSFRule.FindStringSubmatch(n); m != nil {
		if checkLetter(m[1]+m[2]) != m[3][0] {
			return wrong, nil
		}
		*v = CRO(n)
		return "", nil
	}
	return "a CRO number looks like 123456/08T or SF99/1B", nil
}
func (v *CRO) String() string { return string(*v) }

// NHSNumber is ten digits of which the last is a modulus-11 check, kept as "943 476 5919".
type NHSNumber string

var digitGroups = strings.NewReplacer(" ", "", "-", "")

func (v *NHSNumber) parse(s string) (string, error) {
	*v = NHSNumber(s)
	n := digitGroups.Replace(s)
	if len(n) != 10 || strings.Trim(n, "0123456789") != "" {
		return "an NHS number has ten digits", nil
	}
	sum := 0
	for i := range 9 {
		sum += int(n[i]-'0') * (10 - i)
	}
	if check := (11 - sum%11) % 11; check != int(n[9]-'0') {
		return "the check digit of this NHS number does not match: look for a wrong digit", nil
	}
	*v = NHSNumber(fmt.Sprintf("%s %s %s", n[:3], n[3:6], n[6:]))
	return "", nil
}
func (v *NHSNumber) String() string { return string(*v) }

// Postcode is a UK postcode, in capitals with one space before the last three characters.
type Postcode string

// The areas are those GOV.UK Notify accepts, Crown dependencies, BX and GIR included.
var postcodeRule = regexp.MustCompile(`^(AB|AL|B|BA|BB|BD|BF|BH|BL|BN|BR|BS|BT|BX|CA|CB|CF|CH|CM|CO|CR|CT|CV|CW|DA|DD|DE|DG|DH|DL|DN|DT|DY|E|EC|EH|EN|EX|FK|FY|G|GL|GU|GY|HA|HD|HG|HP|HR|HS|HU|HX|IG|IM|IP|IV|JE|KA|KT|KW|KY|L|GIR|LA|LD|LE|LL|LN|LS|LU|M|ME|MK|ML|N|NE|NG|NN|NP|NR|NW|OL|OX|PA|PE|PH|PL|PO|PR|RG|RH|RM|S|SA|SE|SG|SK|SL|SM|SN|SO|SP|SR|SS|ST|SW|SY|TA|TD|TF|TN|TQ|TR|TS|TW|UB|W|WA|WC|WD|WF|WN|WR|WS|WV|YO|ZE)[0-9][0-9A-Z]?[0-9][A-BD-HJLNP-UW-Z]{2}$`)

func (v *Postcode) parse(s string) (string, error) {
	n := strings.ToUpper(strings.Join(strings.Fields(s), ""))
	if !postcodeRule.MatchString(n) {
		*v = Postcode(s)
		return "this is not a UK postcode", nil
	}
	*v = Postcode(n[:len(n)-3] + " " + n[len(n)-3:])
	return "", nil
}
func (v *Postcode) String() string { return string(*v) }

// Identifiers are the identifiers that something typed may be, each in its usual form: a PNC ID with its year in full, an NHS number.
func Identifiers(typed string) (out []string) {
	typed = strings.TrimSpace(typed)
	var crn CRN
	var prison PrisonNumber
	var pnc PNC
	var cro CRO
	var nhs NHSNumber
	for _, v := range []interface {
		parse(string) (string, error)
		String() string
	}{&crn, &prison, &pnc, &cro, &nhs} {
		if doubt, err := v.parse(typed); err == nil && doubt == "" {
			out = append(out, v.String())
		}
	}
	return out
}
