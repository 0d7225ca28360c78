package caseforms

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The copies a form may have (0.4 points 5 and 6).
const (
	CopyFull        = "full"        // for the own file and for whom the form is made
	CopyDisclosable = "disclosable" // for the person, and for those the person shares it with: without what is sensitive
	CopyAnnex       = "annex"       // for the chair of a conference alone: what the disclosable copy leaves out
)

// Sensitivity says why an answer is left out of a disclosable copy.
type Sensitivity string

const (
	SensitiveAddress    Sensitivity = "address"     // of a refuge, a foster home, a victim who has moved; not declared, it follows from the case
	SensitiveThirdParty Sensitivity = "third_party" // about somebody else, or from another agency
	SensitiveVictim     Sensitivity = "victim"
	SensitiveSource     Sensitivity = "source"    // would tell who gave information; in a list, of the items that say source_protected
	SensitivePrivilege  Sensitivity = "privilege" // legal advice: in the own file alone
)

// LeftOut is an answer that a copy leaves out and that the case has.
type LeftOut struct {
	Key     string
	Label   string
	Section string
	Why     Sensitivity
	Text    string // what it would have printed

	in *Section
}

// on tells whether a section stands on a copy. An annex has only what says so.
func (s *Section) on(name string) bool {
	if s.Copies == nil {
		return name != CopyAnnex
	}
	return slices.Contains(s.Copies, name)
}

// keepsBack tells whether this copy leaves an answer out, and why.
func (x *filler) keepsBack(q *Field, item any) Sensitivity {
	if x.copy != CopyDisclosable || x.blank {
		return ""
	}
	if q.Sensitive == SensitiveSource && item != nil && !sourceProtected(item) {
		return ""
	}
	if q.Sensitive == SensitiveSource && item == nil && q.Fields != nil {
		return "" // item by item
	}
	return q.Sensitive
}

// passOver notes what stands in a section that is not on this copy and must not be told elsewhere on it.
func (x *filler) passOver(s *Section) {
	if x.blank || x.copy == CopyFull {
		return
	}
	x.in, x.title = s, x.d.say(s.Title)
	open := *x
	open.copy = CopyFull
	for _, q := range s.Fields {
		if q.Sensitive == "" || q.Internal || x.copy == CopyAnnex && q.Sensitive != SensitivePrivilege {
			continue
		}
		if q.Fields != nil {
			if told := open.told(q); told != "" {
				x.withhold(q, nil, q.Sensitive, q.Key, x.d.say(q.Label), told)
			}
		} else if a := open.answer(q, nil, ""); a.State != NotAnswered {
			x.withhold(q, nil, q.Sensitive, a.Key, a.Label, a.Text)
		}
	}
}

// sourceProtected takes an item of which nobody knows whether it is protected for one that is.
func sourceProtected(item any) bool {
	v, ok := member(item, "source_protected").(*Of[YesNo])
	return ok && isConfidential(v)
}

// leavesOut tells whether an item of a list is left out whole. A child never is: missing a child is the greater danger.
func (x *filler) leavesOut(q *Field, item any) bool {
	_, child := item.(*Child)
	return x.copy == CopyDisclosable && q.Sensitive == SensitiveSource && !child && sourceProtected(item)
}

// withhold notes an answer that is left out, with every fact that would have told it.
func (x *filler) withhold(q *Field, item any, why Sensitivity, key, label, text string) {
	if x.noted[key] {
		return
	}
	x.noted[key] = true
	from := q.From
	if len(from) == 0 {
		from = []string{q.Key}
	}
	for _, path := range from {
		x.secretsIn(x.find(path, item), last(path))
	}
	x.leftOut = append(x.leftOut, LeftOut{Key: key, Label: label, Section: x.title, Why: why, Text: text, in: x.in})
}

// withholdItem notes an item of a list that is left out whole.
func (x *filler) withholdItem(q *Field, e entry, r *Row, n int) {
	if x.noted[r.Key] {
		return
	}
	x.noted[r.Key] = true
	x.secretsIn(e.item, "")
	var told []string
	for i := range r.Cells {
		told = append(told, r.Cells[i].Label+": "+r.Cells[i].Text)
	}
	x.leftOut = append(x.leftOut, LeftOut{Key: r.Key, Label: itemLabel(x.d.say(q.itemName()), n), Section: x.title, Why: q.Sensitive, Text: strings.Join(told, "; "), in: x.in})
}

func last(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// secret is a fact that must not be told, under the key it has in the case.
type secret struct {
	leaf leaf
	key  string
}

func (x *filler) secretsIn(v any, key string) {
	switch v := v.(type) {
	case nil:
	case leaf:
		if v.fact().State == Answered {
			x.secrets = append(x.secrets, secret{v, key})
		}
	case list:
		for i := range v.Len() {
			x.secretsIn(v.item(i), key)
		}
	case Group:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			x.secretsIn(v[k], k)
		}
	default:
		r := reflect.ValueOf(v).Elem()
		for i := range r.NumField() {
			x.secretsIn(r.Field(i).Addr().Interface(), r.Type().Field(i).Tag.Get("json"))
		}
	}
}

// confidentialAddresses notes the addresses this document may not tell: all that are confidential, unless it goes to Children's Social Care.
func (x *filler) confidentialAddresses() {
	if x.tellsAddresses() || x.blank {
		return
	}
	words := map[string]string{"children": "child", "adults": "adult", "person.addresses": "person_address"}
	x.c.addresses(func(list string, i int, a *Address, confidential *Of[YesNo]) {
		before := len(x.secrets)
		if x.isConfidentialAddress(a, confidential) {
			x.secretsIn(a, "address")
		}
		if len(x.secrets) > before && x.form.asks(list+".address_confidential") != nil {
			x.leftOut = append(x.leftOut, LeftOut{Key: fmt.Sprintf("%s[%d].address", list, i), Label: itemLabel(x.d.Word(words[list]), i) + ": " + x.d.Word("part_lines"), Why: SensitiveAddress})
		}
	})
}

// tellsAddresses: confidential addresses go to Children's Social Care alone, and in no copy for the person (0.4 point 7).
func (x *filler) tellsAddresses() bool { return x.form.Confidential && x.copy != CopyDisclosable }

// leak is a place where a document would tell what it withholds.
type leak struct {
	section *DocSection
	answer  *Answer
}

// leaks looks for withheld facts in the words of other answers: the name of a protected source or the address of a refuge in a narrative.
// Names, addresses, numbers and sentences are looked for, not single common words.
func (x *filler) leaks(doc *Document) (found []leak) {
	if len(x.secrets) == 0 {
		return nil
	}
	all := x.phrases(doc)
	doc.Answers(func(s *DocSection, a *Answer) {
		if a.Text == "" || a.State == Withheld {
			return
		}
		text := wordsOf(a.Text)
		tight := strings.Join(text, "")
		padded := " " + strings.Join(text, " ") + " "
		narrative := a.Kind == KindLongText || a.Kind == KindText
		for _, p := range all {
			if !narrative && p.narrative {
				continue
			}
			if p.tight && strings.Contains(tight, p.words) || !p.tight && strings.Contains(padded, p.words) && (!p.name || namesSomebody(a.Text, p.words)) {
				found = append(found, leak{s, a})
				return
			}
		}
	})
	return found
}

// leakProblems tells of the leaks, in the form's own words.
func (x *filler) leakProblems(doc *Document) (ps []Problem) {
	sev := Blocking
	if x.copy == CopyFull {
		sev = Warning // what is sent to an agency is not held up by it
	}
	for _, l := range x.leaks(doc) {
		ps = append(ps, Problem{Severity: sev, Key: l.answer.Key, Label: l.answer.Label, Section: l.section.Title, Source: "0.4(5-7)",
			Msg:  "tells something that this copy withholds: a name, an address, a number or words of a withheld answer",
			Hint: "word it without, or let the answer itself be withheld"})
	}
	return ps
}

// phrase is something to look for: words between spaces, or letters and digits however they are spaced.
type phrase struct {
	words     string
	tight     bool
	name      bool // a single name, which must be written with a capital
	narrative bool // only in running text
}

func (x *filler) phrases(doc *Document) (out []phrase) {
	open := x.openFacts(doc)
	seen := map[phrase]bool{}
	add := func(p phrase) {
		if len(p.words) >= 3 && !seen[p] {
			seen[p] = true
			out = append(out, p)
		}
	}
	spaced := func(words []string) string { return " " + strings.Join(words, " ") + " " }
	for _, s := range x.secrets {
		value := s.leaf.fact().Value
		words := wordsOf(value)
		key := s.key
		if nameKeys[key] {
			key = "name"
		} else if !contactKeys[key] {
			key = "text"
		}
		if len(words) == 0 || open[key+" "+strings.Join(words, "")] {
			continue
		}
		switch v := s.leaf.(type) {
		case *Of[YesNo], *Of[YesNoUnknown], *Of[Choice], *Of[Choices], *Of[Number], *Of[TimeOfDay], *Of[Moment]:
		case *Of[Date]:
			for _, w := range writtenDates(x, v.Value) {
				add(phrase{words: spaced(wordsOf(w)), narrative: true})
			}
		case *Of[PartialDate]:
			if d, whole := v.Value.Date(); whole {
				for _, w := range writtenDates(x, d) {
					add(phrase{words: spaced(wordsOf(w)), narrative: true})
				}
			}
		case *Of[Phone], *Of[Email], *Of[Postcode], *Of[CRN], *Of[PrisonNumber], *Of[PNC], *Of[CRO], *Of[NHSNumber]:
			if w := strings.Join(words, ""); len(w) >= 5 {
				add(phrase{words: w, tight: true})
			}
		case *Of[Prose]:
			for sentence := range strings.FieldsFuncSeq(value, func(r rune) bool { return strings.ContainsRune(".!?;\n", r) }) {
				if w := wordsOf(sentence); len(w) >= 4 || len(w) == len(words) && len(w) > 1 {
					add(phrase{words: spaced(w)})
				}
			}
		default:
			switch {
			case s.key == "lines" && generic(words), isTown(x, s):
			case len(words) > 1 && (s.key == "lines" || nameKeys[s.key] || telling(words)):
				add(phrase{words: spaced(words), narrative: !nameKeys[s.key] && s.key != "lines"})
			case s.key == "lines", nameKeys[s.key], strings.ContainsFunc(value, unicode.IsDigit):
				add(phrase{words: spaced(words), name: nameKeys[s.key] && !strings.ContainsFunc(value, unicode.IsDigit)})
			}
			if nameKeys[s.key] && len(words) > 1 {
				for _, w := range words {
					if len(w) >= 3 && !open["word "+w] {
						add(phrase{words: spaced([]string{w}), name: true, narrative: true})
					}
				}
			}
		}
	}
	return out
}

// nameKeys are the keys under which a case names somebody or something.
var nameKeys = map[string]bool{"name": true, "given_names": true, "family_name": true, "aliases": true, "nicknames": true, "reference": true}

// contactKeys are the keys under which a case says where somebody can be found.
var contactKeys = map[string]bool{"postcode": true, "lines": true, "phone": true, "email": true}

// openFacts are what this document may tell, as the letters of it under a key: the names of those who stand in it openly and the words of
// their names, other short answers that stand in it whole, and every postcode, line of an address, telephone and e-mail that is not withheld
// where somebody else has it too.
func (x *filler) openFacts(doc *Document) map[string]bool {
	out := map[string]bool{}
	printed := map[string]bool{}
	doc.Answers(func(_ *DocSection, a *Answer) {
		if a.Kind != KindLongText && a.State == Answered {
			for piece := range strings.FieldsFuncSeq(a.Text, func(r rune) bool { return r == '\n' || r == ';' || r == ',' }) {
				printed[strings.Join(wordsOf(piece), "")] = true
			}
		}
	})
	for w := range printed {
		out["text "+w] = true
	}
	closed := map[leaf]bool{}
	for _, s := range x.secrets {
		closed[s.leaf] = true
	}
	all := &filler{}
	all.secretsIn(x.c.caseWithoutForms(), "")
	for _, s := range all.secrets {
		if closed[s.leaf] {
			continue
		}
		words := wordsOf(s.leaf.fact().Value)
		switch {
		case nameKeys[s.key] && printed[strings.Join(words, "")]:
			out["name "+strings.Join(words, "")] = true // who is named openly is no secret; what they said may be
			for _, w := range words {
				out["word "+w] = true
			}
		case contactKeys[s.key]:
			out[s.key+" "+strings.Join(words, "")] = true
		}
	}
	return out
}

// caseWithoutForms are the parts of the case that several forms share.
func (c *Case) caseWithoutForms() Group {
	g := Group{}
	r := reflect.ValueOf(c).Elem()
	for i := range r.NumField() {
		if r.Field(i).Kind() != reflect.Map {
			g[r.Type().Field(i).Tag.Get("json")] = r.Field(i).Addr().Interface()
		}
	}
	return g
}

// generic tells lines of an address that many addresses have: "Flat 2".
func generic(words []string) bool {
	return len(words) <= 2 && slices.Contains([]string{"flat", "unit", "room", "apartment", "floor", "house", "c", "the"}, words[0])
}

// telling tells words that say something from "the partner": two of more than three letters, or a number.
func telling(words []string) bool {
	n := 0
	for _, w := range words {
		if len(w) > 3 {
			n++
		}
		if strings.ContainsFunc(w, unicode.IsDigit) {
			n += 2
		}
	}
	return n >= 2
}

// isTown tells the last line of an address of several, which is a town or a county and gives no address away.
func isTown(x *filler, s secret) bool {
	if s.key != "lines" || strings.ContainsFunc(s.leaf.fact().Value, unicode.IsDigit) {
		return false
	}
	i := slices.IndexFunc(x.secrets, func(o secret) bool { return o.leaf == s.leaf })
	before := i > 0 && x.secrets[i-1].key == "lines"
	after := i+1 < len(x.secrets) && x.secrets[i+1].key == "lines"
	return before && !after
}

// wordsOf are the words and numbers of a text, without capitals, marks and punctuation.
func wordsOf(s string) []string {
	s = possessive.ReplaceAllString(strings.ToLower(norm.NFKD.String(s)), " ")
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || r == '\'' || r == '’' {
			return -1
		}
		return r
	}, s)
	return strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

var possessive = regexp.MustCompile(`['’]s(\P{L}|$)`)

// namesSomebody tells whether a single word stands in a text with a capital, as a name does.
func namesSomebody(text, padded string) bool {
	want := strings.TrimSpace(padded)
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.Is(unicode.Mn, r) && r != '\'' && r != '’'
	}) {
		if first := []rune(w)[0]; !unicode.IsLower(first) && slices.Equal(wordsOf(w), []string{want}) {
			return true
		}
	}
	return false
}

func writtenDates(x *filler, d Date) []string {
	month := x.d.Word("month_" + strconv.Itoa(d.Month))
	return []string{
		fmt.Sprintf("%d %s %d", d.Day, month, d.Year), fmt.Sprintf("%d%s %s %d", d.Day, ordinal(d.Day), month, d.Year),
		fmt.Sprintf("%02d/%02d/%d", d.Day, d.Month, d.Year), fmt.Sprintf("%d/%d/%d", d.Day, d.Month, d.Year), fmt.Sprintf("%d-%02d-%02d", d.Year, d.Month, d.Day),
	}
}

func ordinal(n int) string {
	if n/10 == 1 {
		return "th"
	}
	switch n % 10 {
	case 1:
		return "st"
	case 2:
		return "nd"
	case 3:
		return "rd"
	}
	return "th"
}

// schedule lists what the disclosable copy leaves out, for the own file and the annex; nil when that is nothing. The annex tells it; but confidential addresses go to
// Children's Social Care alone, and legal advice to nobody.
func (x *filler) schedule(o FillOptions) (*DocSection, error) {
	o.Copy = CopyDisclosable
	other, err := x.d.filler(x.form, x.c, o)
	if err != nil {
		return nil, err
	}
	other.fill(&Document{})
	s := &DocSection{Key: "schedule", Title: x.d.Word("schedule"), Intro: x.d.Word("schedule_intro"), Layout: LayoutRows}
	t := &Table{Key: "schedule", Label: s.Title, Layout: LayoutTable, Columns: []Column{{Key: "what", Label: x.d.Word("schedule_what"), Kind: KindText, Width: 4}, {Key: "why", Label: x.d.Word("schedule_why"), Kind: KindText, Width: 4}}}
	if x.copy == CopyAnnex {
		t.Columns = append(t.Columns, Column{Key: "content", Label: x.d.Word("schedule_content"), Kind: KindLongText, Width: 8})
	}
	for i, w := range other.leftOut {
		if x.copy == CopyAnnex && (w.in != nil && w.in.on(CopyAnnex) || w.Why == SensitivePrivilege) {
			continue // it says so itself, or nobody is told
		}
		key := fmt.Sprintf("schedule[%d]", i)
		cell := func(name, text string) Answer {
			return Answer{Key: key + "." + name, Label: x.d.Word("schedule_" + name), Kind: KindLongText, State: Answered, Text: text}
		}
		r := Row{Key: key, Cells: []Answer{cell("what", w.Label), cell("why", x.d.Word("sensitive_"+string(w.Why)))}}
		if x.copy == CopyAnnex {
			if w.Why == SensitiveAddress {
				w.Text = x.d.Word(Withheld.String())
			}
			r.Cells = append(r.Cells, cell("content", w.Text))
		}
		t.Rows = append(t.Rows, r)
	}
	if len(t.Rows) == 0 {
		return nil, nil
	}
	s.Parts = []Part{{Table: t}}
	return s, nil
}
