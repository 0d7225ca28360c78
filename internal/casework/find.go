package casework

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"caseforms"
	"caseforms/internal/store"
)

// Card is the few facts by which people tell cases apart in a list.
type Card struct {
	Name         string `json:"name"`
	DOB          string `json:"dob,omitempty"`
	CRN          string `json:"crn,omitempty"`
	PrisonNumber string `json:"prison_number,omitempty"`
	PNC          string `json:"pnc,omitempty"`
}

func cardOf(c *caseforms.Case) Card {
	p := &c.Person
	return Card{
		Name: strings.TrimSpace(known(&p.GivenNames) + " " + known(&p.FamilyName)),
		DOB:  known(&p.DOB), CRN: known(&p.CRN), PrisonNumber: known(&p.PrisonNumber), PNC: known(&p.PNC),
	}
}

// known is a fact as text, "" when it is not known.
func known[T any, P interface {
	*T
	String() string
}](o *caseforms.Of[T]) string {
	if !o.Known() {
		return ""
	}
	return P(&o.Value).String()
}

func (k *Desk) card(ctx context.Context, c *store.Case) (Card, error) {
	var card Card
	b, err := k.store.Card(ctx, c)
	if err == nil && json.Unmarshal(b, &card) != nil {
		err = &caseforms.Error{Kind: caseforms.Internal, Msg: "the summary of case " + string(c.ID) + " is damaged"}
	}
	return card, err
}

// The kinds of terms a case can be found by.
const (
	termName   = "name"
	termDOB    = "dob"
	termNumber = "number"
)

// terms are what a case can be found by: the names, dates of birth and identifiers of the person, and the names and dates of birth of children
// and adults named in it, so that for a child every case that names the child can be shown (E.5 point 5).
func (k *Desk) terms(c *caseforms.Case) []store.Term {
	seen := map[string]bool{}
	var out []store.Term
	add := func(part store.Part, kind, value string) {
		if value == "" {
			return
		}
		h := k.store.Term(kind, value)
		if key := string(h) + string(rune(part)); !seen[key] {
			seen[key] = true
			out = append(out, store.Term{Hash: h, Part: part})
		}
	}
	name := func(part store.Part, s string) {
		for _, w := range words(s) {
			add(part, termName, w)
		}
	}
	p := &c.Person
	name(store.ThePerson, known(&p.FamilyName))
	name(store.ThePerson, known(&p.GivenNames))
	for _, l := range [][]caseforms.Of[caseforms.Line]{p.Aliases.Items, p.Nicknames.Items} {
		for i := range l {
			name(store.ThePerson, known(&l[i]))
		}
	}
	add(store.ThePerson, termDOB, known(&p.DOB))
	for _, n := range []string{known(&p.CRN), known(&p.PrisonNumber), known(&p.PNC), known(&p.CRO), known(&p.ViSORRef)} {
		add(store.ThePerson, termNumber, tight(n))
	}
	for i := range c.Children.Items {
		ch := &c.Children.Items[i]
		name(store.Named, known(&ch.Name))
		add(store.Named, termDOB, known(&ch.DOB))
		add(store.Named, termNumber, tight(known(&ch.NHSNumber)))
	}
	for i := range c.Adults.Items {
		name(store.Named, known(&c.Adults.Items[i].Name))
		add(store.Named, termDOB, known(&c.Adults.Items[i].DOB))
	}
	return out
}

// words are the words of a name as they are looked for: without marks on letters, in small letters, without apostrophes.
func words(s string) []string {
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r) || r == '\'' || r == '’' || r == '`':
		case plainLetters[r] != "":
			b.WriteString(plainLetters[r])
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Fields(b.String())
}

// plainLetters are letters that Unicode does not take apart and that people type plainly.
var plainLetters = map[rune]string{'ł': "l", 'Ł': "l", 'ø': "o", 'Ø': "o", 'đ': "d", 'Đ': "d", 'ß': "ss", 'æ': "ae", 'Æ': "ae", 'œ': "oe", 'Œ': "oe", 'ı': "i"}

func tight(s string) string {
	return strings.ToUpper(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s))
}

// caseOf finds the case of a person by the first identifier that is known of a case already. Names and dates of birth are not enough: two
// people may share them. A case with another CRN is another case, even if a number is the same; the problem then says so. nobody are the
// identifiers under which there is no case at all.
func (k *Desk) caseOf(ctx context.Context, c *caseforms.Case) (id caseforms.CaseID, nobody [][]byte, doubts []caseforms.Problem, err error) {
	card := cardOf(c)
	for _, n := range []struct{ value, key, what string }{{card.CRN, "person.crn", "CRN"}, {card.PrisonNumber, "person.prison_number", "prison number"}, {card.PNC, "person.pnc", "PNC ID"}} {
		if n.value == "" {
			continue
		}
		term := k.store.Term(termNumber, tight(n.value))
		found, err := k.store.Find(ctx, 10, term)
		if err != nil {
			return "", nil, nil, err
		}
		if !slices.ContainsFunc(found, func(f store.Found) bool { return f.Part == store.ThePerson }) {
			nobody = append(nobody, term)
			continue
		}
		var ids []string
		for _, f := range found {
			if f.Part != store.ThePerson {
				continue
			}
			have, err := k.store.FindCase(ctx, f.Case)
			if err != nil {
				return "", nil, nil, err
			}
			old, err := k.card(ctx, have)
			if err != nil {
				return "", nil, nil, err
			}
			if old.CRN != "" && card.CRN != "" && old.CRN != card.CRN {
				doubts = append(doubts, caseforms.Problem{Severity: caseforms.Warning, Key: n.key, Msg: "case " + string(f.Case) + " has the same " + n.what + " and another CRN; it is taken for another person",
					Hint: "look for a wrong number in one of the two; caseforms record --case says that it is the same person"})
				continue
			}
			ids = append(ids, string(f.Case))
		}
		switch len(ids) {
		case 0:
			continue
		case 1:
			return caseforms.CaseID(ids[0]), nil, doubts, nil
		}
		return "", nil, nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "several cases have this person's " + n.what + ": " + strings.Join(ids, ", "), Hint: "say which with --case"}
	}
	return "", nobody, doubts, nil
}

// Found is a case that was looked for.
type Found struct {
	Case       caseforms.CaseID
	Card       Card // empty when the actor may not see the case
	Named      bool // somebody named in the case was looked for, not the person it is about
	Restricted bool // the actor may not see it
	Documents  []caseforms.Ref
	File       *CaseFile // of a case that was looked for by its number, or by the reference of a document; nil when the actor may not see it
}

// mostFound is how many cases a search shows.
const mostFound = 50

var isoDate = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)

// Find looks for cases by reference, case id, identifier, date of birth and names, all of which must fit the same person. A restricted case
// is told only to whoever named its reference or a number of the person, and then only that it is there. Everything that was found is in
// the ledger, also for whoever may not see it.
func (k *Desk) Find(ctx context.Context, a caseforms.Actor, query string) (out []Found, more bool, err error) {
	if err := a.Need("look for cases", caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor); err != nil {
		return nil, false, err
	}
	hits, exact, err := k.hits(ctx, query)
	if err != nil {
		return nil, false, err
	}
	if len(hits) > mostFound {
		hits, more = hits[:mostFound], true
	}
	var entries []store.Entry
	for _, h := range hits {
		c, err := k.store.FindCase(ctx, h.Case)
		if err != nil {
			return nil, false, err
		}
		f := Found{Case: h.Case, Named: h.Part == store.Named}
		e := store.Entry{Acts: []store.Act{store.Consultation}, What: store.CaseFound, Actor: a.ID, Case: c.ID}
		switch {
		case !c.Erased.IsZero():
		case c.Restricted && !allowed(a, c.Access) || !a.Is(caseforms.RolePractitioner, caseforms.RoleManager):
			e.What = "refused"
			e.Detail = map[string]string{"wanted": "find this case"}
			f.Restricted = true
			if !exact {
				entries = append(entries, e)
				continue
			}
			f.Named = false
		default:
			if f.Card, err = k.card(ctx, c); err != nil {
				return nil, false, err
			}
			if f.Documents, err = k.store.DocumentsOf(ctx, h.Case); err != nil {
				return nil, false, err
			}
			_, byCase := caseforms.ParseCaseID(query)
			if _, byRef := caseforms.ParseRef(query); byCase || byRef {
				if f.File, err = k.file(ctx, a, c, f.Documents); err != nil {
					return nil, false, err
				}
			}
		}
		entries = append(entries, e)
		out = append(out, f)
	}
	return out, more, k.store.Append(ctx, entries...)
}

// mostWords is how many words somebody may look for at once.
const mostWords = 20

// hits are the cases that a query finds. exact tells that it named a reference, a case or a number.
func (k *Desk) hits(ctx context.Context, query string) (hits []store.Found, exact bool, err error) {
	looksLike := func(prefix string) bool {
		return strings.HasPrefix(strings.ToUpper(strings.TrimSpace(query)), prefix) && strings.ContainsAny(query, "0123456789-")
	}
	if ref, ok := caseforms.ParseRef(query); ok {
		d, err := k.store.Document(ctx, ref)
		if err != nil {
			return nil, false, err
		}
		return []store.Found{{Case: d.Case, Part: store.ThePerson}}, true, nil
	}
	if id, ok := caseforms.ParseCaseID(query); ok {
		if _, err := k.store.FindCase(ctx, id); err != nil {
			return nil, false, err
		}
		return []store.Found{{Case: id, Part: store.ThePerson}}, true, nil
	}
	if looksLike("CF-") || looksLike("CS-") {
		return nil, false, &caseforms.Error{Kind: caseforms.Invalid, Msg: "this looks like a reference, but a letter in it is wrong", Hint: "the last letter checks the others; compare it with the document"}
	}
	terms, numbers := k.queryTerms(query)
	switch {
	case len(terms) == 0:
		return nil, false, &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is nothing to look for", Hint: "a reference, an identifier, a date of birth or whole words of a name"}
	case len(terms) > mostWords:
		return nil, false, &caseforms.Error{Kind: caseforms.Invalid, Msg: "these are too many words to look for", Hint: "a name and a date of birth are enough"}
	}
	if hits, err = k.store.Find(ctx, mostFound+1, terms...); err != nil || len(hits) > 0 {
		return hits, numbers, err
	}
	// A number may be written with spaces or in an older form.
	for _, n := range caseforms.Identifiers(query) {
		if hits, err = k.store.Find(ctx, mostFound+1, k.store.Term(termNumber, tight(n))); err != nil || len(hits) > 0 {
			return hits, true, err
		}
	}
	return nil, false, nil
}

// alike warns of a case of somebody with the same names and date of birth, when a new one is made.
func (k *Desk) alike(ctx context.Context, c *caseforms.Case, doubts *[]caseforms.Problem) error {
	card := cardOf(c)
	names := words(card.Name)
	if card.DOB == "" || len(names) == 0 {
		return nil
	}
	terms := [][]byte{k.store.Term(termDOB, card.DOB)}
	for _, w := range names {
		terms = append(terms, k.store.Term(termName, w))
	}
	found, err := k.store.Find(ctx, 3, terms...)
	for _, f := range found {
		if f.Part == store.ThePerson {
			*doubts = append(*doubts, caseforms.Problem{Severity: caseforms.Warning, Key: "person", Msg: "case " + string(f.Case) + " is of somebody with the same name and date of birth; a new case was made all the same",
				Hint: "if it is the same person, issue under that case: caseforms record --case " + string(f.Case)})
		}
	}
	return err
}

var (
	aDate     = regexp.MustCompile(`^(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})$`)
	longMonth = regexp.MustCompile(`(?i)\b(\d{1,2})(?:st|nd|rd|th)? (jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* (\d{4})\b`)
	leadWords = map[string]bool{"dob": true, "born": true, "crn": true, "pnc": true, "nhs": true}
)

// queryTerms are the terms of what somebody typed: dates as people write them, numbers, and words of names. numbers tells that a number of
// a person is among them.
func (k *Desk) queryTerms(query string) (out [][]byte, numbers bool) {
	query = longMonth.ReplaceAllStringFunc(query, func(s string) string {
		m := longMonth.FindStringSubmatch(s)
		month := strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", strings.ToLower(m[2]))/3 + 1
		return fmt.Sprintf("%s-%02d-%02s", m[3], month, m[1])
	})
	for _, w := range strings.Fields(query) {
		switch m := aDate.FindStringSubmatch(w); {
		case leadWords[strings.ToLower(strings.TrimRight(w, ":"))]:
		case isoDate.MatchString(w):
			out = append(out, k.store.Term(termDOB, w))
		case m != nil:
			year := m[3]
			if len(year) == 2 { // of the last hundred years
				century := "20"
				if year > fmt.Sprintf("%02d", k.today().Year%100) {
					century = "19"
				}
				year = century + year
			}
			out = append(out, k.store.Term(termDOB, fmt.Sprintf("%s-%02s-%02s", year, m[2], m[1])))
		case strings.ContainsAny(w, "0123456789"):
			numbers = true
			n := tight(w)
			if ids := caseforms.Identifiers(w); len(ids) > 0 {
				n = tight(ids[0])
			}
			out = append(out, k.store.Term(termNumber, n))
		default:
			for _, n := range words(w) {
				out = append(out, k.store.Term(termName, n))
			}
		}
	}
	return out, numbers
}
