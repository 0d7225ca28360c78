package caseforms

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// What a copy withholds must not be told by the words of another answer: the name of a protected source or the address of a refuge in a
// narrative (0.4 points 5 to 7). Names, addresses, numbers, dates and sentences are looked for, not single common words.

// secret is something a document must not tell: a fact, or an address as a whole.
type secret struct {
	leaf  leaf
	place *Address
	key   string // of the fact in the case
	names bool   // it names somebody or something
	label string // of the answer that is withheld
}

// nameKeys are the keys under which shared facts name somebody or something. Of a form's own questions the definition says it.
var nameKeys = map[string]bool{"name": true, "given_names": true, "family_name": true, "aliases": true, "nicknames": true, "reference": true}

// birthKeys are the keys of dates that tell who somebody is.
var birthKeys = map[string]bool{"dob": true, "edd": true}

// secretsIn notes every fact in a part of the case; like has what is known of all of them. Of a form's own list, columns are those to note.
func (x *filler) secretsIn(v any, like secret, columns []*Field) {
	switch v := v.(type) {
	case nil:
	case leaf:
		if v.fact().State == Answered {
			like.leaf = v
			like.names = like.names || nameKeys[like.key]
			x.secrets = append(x.secrets, like)
		}
	case *Address:
		if !v.empty() {
			like.place = v
			x.secrets = append(x.secrets, like)
		}
	case list:
		for i := range v.Len() {
			x.secretsIn(v.item(i), like, columns)
		}
	case Group:
		for _, c := range columns {
			one := like
			one.key, one.names = c.Key, c.Names
			x.secretsIn(v[c.Key], one, nil)
		}
	default:
		r := reflect.ValueOf(v).Elem()
		for i := range r.NumField() {
			one := like
			one.key = r.Type().Field(i).Tag.Get("json")
			x.secretsIn(r.Field(i).Addr().Interface(), one, nil)
		}
	}
}

// leakProblems tells of the answers that tell what is withheld, in the form's own words.
func (x *filler) leakProblems(doc *Document) (ps []Problem) {
	sev := Blocking
	if x.copy == CopyFull && !x.form.Outside {
		sev = Warning // what is sent to an agency is not held up by it
	}
	if len(x.secrets) == 0 {
		return nil
	}
	all := x.phrases(doc)
	doc.Answers(func(s *DocSection, a *Answer) {
		p := told(all, a)
		if p == nil {
			return
		}
		leak := Problem{Severity: sev, Key: a.Key, Label: a.Label, Section: s.Title, Source: "0.4(5-7)",
			Msg:  "tells something that this copy withholds (" + strings.TrimRight(p.label, " :?") + ")",
			Hint: "word it without the name, address, number or sentence, or let the answer itself be withheld"}
		if rest, ok := strings.CutPrefix(a.Key, "schedule["); ok { // the answer it was made from
			n, _ := strconv.Atoi(rest[:strings.IndexByte(rest, ']')])
			leak.Key, leak.Label, leak.Section = x.listed[n].Key, x.listed[n].Label, x.listed[n].Section
		}
		ps = append(ps, leak)
	})
	return ps
}

// phrase is something to look for: words between spaces, or letters and digits however they are spaced.
type phrase struct {
	words     string
	tight     bool
	name      bool // a single name, which must be written with a capital
	narrative bool // only in running text
	label     string
}

// told is the first phrase an answer tells, nil when it tells none.
func told(all []phrase, a *Answer) *phrase {
	if a.Text == "" {
		return nil
	}
	text := wordsOf(a.Text)
	tight := strings.Join(text, "")
	spaced := " " + strings.Join(text, " ") + " "
	narrative := slices.Contains([]Kind{KindLongText, KindText, KindList, ""}, a.Kind)
	for i := range all {
		p := &all[i]
		switch {
		case p.narrative && !narrative:
		case p.tight && strings.Contains(tight, p.words):
			return p
		case !p.tight && strings.Contains(spaced, " "+p.words+" ") && (!p.name || namesSomebody(a.Text, p.words)):
			return p
		}
	}
	return nil
}

// searcher collects phrases.
type searcher struct {
	open map[string]bool // what the document may tell, see openFacts
	seen map[string]bool
	out  []phrase
}

func (s *searcher) add(p phrase) {
	if key := fmt.Sprint(p.words, p.tight, p.narrative); len(p.words) >= 2 && !s.seen[key] {
		s.seen[key] = true
		s.out = append(s.out, p)
	}
}

// phrases are what to look for in a document.
func (x *filler) phrases(doc *Document) []phrase {
	s := &searcher{open: x.openFacts(doc), seen: map[string]bool{}}
	for _, c := range x.secrets {
		if c.place != nil {
			s.address(c.place, c.label)
			continue
		}
		value := c.leaf.fact().Value
		words := wordsOf(value)
		if len(words) == 0 {
			continue
		}
		date := func(d Date) {
			if !birthKeys[c.key] || s.open["text "+strings.Join(wordsOf(x.longDate(d)), "")] {
				return // the day of a visit tells nobody; or another answer has the same date openly
			}
			for _, w := range x.writtenDates(d) {
				s.add(phrase{words: strings.Join(wordsOf(w), " "), narrative: true, label: c.label})
			}
		}
		switch v := c.leaf.(type) {
		case *Of[YesNo], *Of[YesNoUnknown], *Of[Choice], *Of[Choices], *Of[Number], *Of[TimeOfDay], *Of[Moment]:
		case *Of[Date]:
			date(v.Value)
		case *Of[PartialDate]:
			if d, whole := v.Value.Date(); whole {
				date(d)
			}
		case *Of[Phone]:
			s.phone(value, c.label)
		case *Of[Email]:
			s.add(phrase{words: strings.Join(words, " "), label: c.label})
		case *Of[Postcode]:
			s.postcode(value, c.label)
		case *Of[CRN], *Of[PrisonNumber], *Of[PNC], *Of[CRO], *Of[NHSNumber]:
			if w := strings.Join(words, ""); len(w) >= 6 {
				s.add(phrase{words: w, tight: true, label: c.label})
			}
		case *Of[Prose]:
			s.prose(value, c.label)
		default:
			switch joined := strings.Join(words, ""); {
			case c.names:
				s.name(value, words, nameKeys[c.key], c.label)
			case s.open["text "+joined]:
			case len(nameParts(value)) > 1 || hasDigit(joined) && len(words) > 1:
				s.add(phrase{words: strings.Join(words, " "), narrative: true, label: c.label})
			}
		}
	}
	return s.out
}

// phone looks for the digits of a telephone number, with or without the code of the country, without an extension.
func (s *searcher) phone(value, label string) {
	value, _, _ = strings.Cut(strings.ToLower(value), "x") // ext, x
	digits := strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, strings.TrimSuffix(value, "e"))
	for _, code := range []string{"0044", "44", "0"} {
		if rest, ok := strings.CutPrefix(digits, code); ok {
			digits = rest
			break
		}
	}
	if len(digits) >= 9 && !s.open["phone 0"+digits] {
		s.add(phrase{words: digits, tight: true, label: label})
	}
}

// postcode looks for both ways of writing one, as words of its own.
func (s *searcher) postcode(value, label string) {
	words := wordsOf(value)
	joined := strings.Join(words, "")
	if len(joined) < 5 || s.open["postcode "+joined] {
		return
	}
	s.add(phrase{words: joined, label: label})
	s.add(phrase{words: joined[:len(joined)-3] + " " + joined[len(joined)-3:], label: label})
}

var (
	phoneIn    = regexp.MustCompile(`(?:\+|\b0)[\d ()-]{9,16}\d`)
	postcodeIn = regexp.MustCompile(`(?i)\b[a-z]{1,2}\d[a-z\d]? ?\d[a-z]{2}\b`)
	namesIn    = regexp.MustCompile(`\p{Lu}[\p{L}'’-]+(?: \p{Lu}[\p{L}'’-]+)+`)
)

// prose looks for the sentences of a text, and for the telephones, postcodes and names in it.
func (s *searcher) prose(value, label string) {
	for sentence := range strings.FieldsFuncSeq(value, func(r rune) bool { return strings.ContainsRune(".!?;\n", r) }) {
		if w := wordsOf(sentence); len(w) >= 6 {
			s.add(phrase{words: strings.Join(w, " "), label: label})
		}
	}
	for _, m := range phoneIn.FindAllString(value, -1) {
		s.phone(m, label)
	}
	for _, m := range postcodeIn.FindAllString(value, -1) {
		s.postcode(m, label)
	}
	for _, m := range namesIn.FindAllString(value, -1) {
		words := wordsOf(m)
		if len(nameParts(m)) > 1 && !s.open["name "+strings.Join(words, "")] && !s.open["text "+strings.Join(words, "")] {
			s.add(phrase{words: strings.Join(words, " "), narrative: true, label: label})
		}
	}
}

// address looks for the lines of an address and its postcode. The last of several lines is a town or a county and gives nothing away, as
// "Flat 2" does not; a street does without its number too. Where somebody has no fixed abode, the area is what is secret.
func (s *searcher) address(a *Address, label string) {
	pieces := a.pieces()
	found := false
	for i, words := range pieces {
		joined := strings.Join(words, " ")
		if flat(words) || s.open["lines "+joined] || plain(words) || i == len(pieces)-1 && found && !hasDigit(joined) && !street(words) {
			continue
		}
		found = true
		s.add(phrase{words: joined, name: len(words) == 1, label: label})
		if rest := withoutNumber(words); len(rest) > 1 && !plain(rest) && !s.open["lines "+strings.Join(rest, " ")] {
			s.add(phrase{words: strings.Join(rest, " "), narrative: true, label: label})
		}
	}
	if words := wordsOf(string(a.ClosestArea.Value)); a.ClosestArea.Known() && len(words) > 0 {
		s.add(phrase{words: strings.Join(words, " "), name: len(words) == 1, narrative: true, label: label})
	}
	if a.Postcode.Known() {
		s.postcode(a.Postcode.fact().Value, label)
	}
}

// plain tells words that are all of every day: "High Street".
func plain(words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !everyday[w] })
}

func street(words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return streets[w] })
}

// name looks for a name as a whole, for the parts of it that are names by themselves, and for the last of them behind a title. A shared fact
// that is a name is one however it is written; an answer in which a name may stand is looked through for what is written as one.
func (s *searcher) name(value string, words []string, whole bool, label string) {
	joined := strings.Join(words, "")
	if s.open["name "+joined] {
		return
	}
	parts := nameParts(value)
	if len(words) > 1 && !plain(words) && (whole || len(parts) > 0) || hasDigit(joined) && len(joined) > 2 {
		s.add(phrase{words: strings.Join(words, " "), label: label})
	}
	for _, w := range parts {
		if !s.open["word "+w] {
			s.add(phrase{words: w, name: true, narrative: len(words) > 1, label: label})
		}
	}
	if n := len(parts) - 1; n >= 0 && !s.open["grown "+parts[n]] {
		for _, title := range []string{"mr", "mrs", "ms", "miss", "dr"} {
			s.add(phrase{words: title + " " + parts[n], narrative: true, label: label})
		}
	}
}

// nameParts are the words of a text that are names by themselves: written with a capital beside another that is, or alone between commas or
// brackets. Titles and words of every day are none: "May" is looked for as a part of "May Brown" and not by itself.
func nameParts(value string) (out []string) {
	for piece := range strings.FieldsFuncSeq(value, func(r rune) bool { return isBreak(r) || strings.ContainsRune("()/:.", r) }) {
		var words []string
		var capital []bool
		for w := range strings.FieldsFuncSeq(piece, func(r rune) bool { return !isNameLetter(r) && !unicode.IsDigit(r) }) {
			for _, folded := range wordsOf(w) {
				words = append(words, folded)
				capital = append(capital, unicode.IsLetter([]rune(w)[0]) && !unicode.IsLower([]rune(w)[0]))
			}
		}
		for i, w := range words {
			beside := len(words) == 1 || i > 0 && capital[i-1] || i+1 < len(words) && capital[i+1]
			if capital[i] && beside && len([]rune(w)) >= 2 && !everyday[w] && !hasDigit(w) {
				out = append(out, w)
			}
		}
	}
	return out
}

func wordSet(all string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(all) {
		m[w] = true
	}
	return m
}

var streets = wordSet("lane road street close avenue drive terrace court way gardens place square crescent hill grove row mews house cottage farm lodge villas")

// everyday are titles, names that are words as well, and words that places and people are often called by.
var everyday = wordSet(`mr mrs ms miss mx dr sir dame rev father mother brother sister son daughter pc dc ds di dci sgt aunt auntie uncle gran granny grandma grandad
	nan nana mum mummy mam dad daddy partner wife husband neighbour relative friend carer teacher doctor nurse worker officer manager the a an of and by to from at in
	on he she they his her their no not known none de la van von al el bin binti ap ab with for
	january february march april may june july august september october november december monday tuesday wednesday thursday friday saturday sunday
	will hope grace mark rose joy faith dawn summer art bill rob pat sue young king long white black green brown gray grey day case child children person adult victim
	house street road lane court close avenue drive way high main north south east west park hill wood field church station school primary academy nursery social
	service services council police prison probation team unit hospital surgery centre approved premises agency health records family home`)

// openFacts are what a document may tell, as the letters of it under a word: the names of those who stand in it openly and the words of their
// names, other short answers that stand in it whole, and the lines of addresses, telephones and e-mails that it prints and that are not
// withheld where somebody else has them too.
func (x *filler) openFacts(doc *Document) map[string]bool {
	out, printed := map[string]bool{}, map[string]bool{}
	doc.Answers(func(_ *DocSection, a *Answer) {
		if a.Kind != KindLongText && a.State == Answered {
			for piece := range strings.FieldsFuncSeq(a.Text, isBreak) {
				w := strings.Join(wordsOf(piece), "")
				printed[w] = true
				out["text "+w] = true
			}
		}
	})
	closed := map[any]bool{}
	for _, s := range x.secrets {
		closed[s.leaf], closed[s.place] = true, true
	}
	all := &filler{}
	r := reflect.ValueOf(x.c).Elem()
	for i := range r.NumField() {
		if r.Field(i).Kind() != reflect.Map { // what a form asks for itself names nobody openly
			all.secretsIn(r.Field(i).Addr().Interface(), secret{label: r.Type().Field(i).Name}, nil)
		}
	}
	for _, s := range all.secrets {
		if s.place != nil {
			if !closed[s.place] {
				for _, words := range s.place.pieces() {
					if joined := strings.Join(words, " "); printed[strings.Join(words, "")] {
						out["lines "+joined] = true
						out["lines "+strings.Join(withoutNumber(words), " ")] = true
					}
				}
				if w := strings.Join(wordsOf(string(s.place.Postcode.Value)), ""); printed[w] {
					out["postcode "+w] = true
				}
			}
			continue
		}
		words := wordsOf(s.leaf.fact().Value)
		joined := strings.Join(words, "")
		if closed[s.leaf] || !printed[joined] && !s.names {
			continue
		}
		if p, ok := s.leaf.(*Of[Phone]); ok {
			out["phone "+strings.Join(wordsOf(p.fact().Value), "")] = true
		}
		if s.names {
			if printed[joined] {
				out["name "+joined] = true // who is named openly is no secret; what they said may be
			}
			for _, w := range words {
				out["word "+w] = true
				if s.label != "Children" {
					out["grown "+w] = true // "Mrs Brown" may be somebody else than the child's mother
				}
			}
		}
	}
	return out
}

func isBreak(r rune) bool { return r == '\n' || r == ';' || r == ',' }

func (a *Address) empty() bool {
	return a.written() == "" && !a.Postcode.Known() && !a.ClosestArea.Known()
}

// pieces are the words of the lines of an address, also of those that were written into one.
func (a *Address) pieces() (out [][]string) {
	for i := range a.Lines.Items {
		for piece := range strings.FieldsFuncSeq(string(a.Lines.Items[i].Value), isBreak) {
			words := wordsOf(piece)
			if n := len(out) - 1; n >= 0 && len(out[n]) == 1 && hasDigit(out[n][0]) {
				out[n] = append(out[n], words...) // "1, Hidden Lane"
			} else if len(words) > 0 {
				out = append(out, words)
			}
		}
	}
	return out
}

func hasDigit(s string) bool { return strings.ContainsFunc(s, unicode.IsDigit) }

// flat tells lines that many addresses have: "Flat 2", "Room B".
func flat(words []string) bool {
	return len(words) == 2 && slices.Contains([]string{"flat", "unit", "room", "apartment", "floor", "block"}, words[0]) && (hasDigit(words[1]) || len(words[1]) == 1)
}

func withoutNumber(words []string) []string {
	if len(words) > 0 && hasDigit(words[0]) {
		return words[1:]
	}
	return words
}

var (
	possessive = regexp.MustCompile(`['’]s(\P{L}|$)`)
	strokes    = strings.NewReplacer("ł", "l", "ø", "o", "đ", "d", "ħ", "h", "ı", "i", "ß", "ss", "æ", "ae", "œ", "oe")
)

// wordsOf are the words and numbers of a text, without capitals, marks and punctuation.
func wordsOf(s string) []string {
	s = strokes.Replace(possessive.ReplaceAllString(strings.ToLower(norm.NFKD.String(s)), " "))
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) || r == '\'' || r == '’' {
			return -1
		}
		return r
	}, s)
	words := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		if long, ok := abbreviated[w]; ok && i > 0 {
			words[i] = long
		}
	}
	return words
}

var abbreviated = map[string]string{"ln": "lane", "rd": "road", "st": "street", "ave": "avenue"}

func isNameLetter(r rune) bool {
	return unicode.IsLetter(r) || unicode.Is(unicode.Mn, r) || r == '\'' || r == '’'
}

// namesSomebody tells whether a single word stands in a text with a capital, as a name does.
func namesSomebody(text, want string) bool {
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return !isNameLetter(r) }) {
		if first := []rune(w)[0]; !unicode.IsLower(first) && slices.Equal(wordsOf(w), []string{want}) {
			return true
		}
	}
	return false
}

func (x *filler) writtenDates(d Date) []string {
	month := x.d.Word("month_" + strconv.Itoa(d.Month))
	return []string{
		fmt.Sprintf("%d %s %d", d.Day, month, d.Year), fmt.Sprintf("%d%s %s %d", d.Day, ordinal(d.Day), month, d.Year),
		fmt.Sprintf("%d%s of %s %d", d.Day, ordinal(d.Day), month, d.Year), fmt.Sprintf("%s %d, %d", month, d.Day, d.Year),
		fmt.Sprintf("%d %s %02d", d.Day, month, d.Year%100), fmt.Sprintf("%02d/%02d/%02d", d.Day, d.Month, d.Year%100),
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
