package caseforms

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"
)

// Limits of a case record. They are far above any real case and far below what would hurt.
const (
	MaxCaseBytes = 8 << 20
	MaxItems     = 500 // of one list
	maxValues    = 200_000
	maxDepth     = 32
	maxProblems  = 1000 // when there are as many, reading ends
)

// Decode reads a case record strictly: unknown, doubled and wrongly typed keys are problems, all of them collected with their place.
// The form, which may be nil, gives the labels that problems are told with. The case is nil when any problem is Blocking.
//
// What is odd but readable is not a problem here: see [Definitions.Check].
func (d *Definitions) Decode(data []byte, form *Form) (*Case, []Problem) {
	dec := &caseDecoder{defs: d, form: form, data: data}
	if len(data) > MaxCaseBytes {
		return nil, []Problem{{Severity: Blocking, Msg: fmt.Sprintf("this is larger than %d MB, the most a case record may have", MaxCaseBytes>>20),
			Hint: "is it the right file?"}}
	}
	dec.repairUTF8()
	root := dec.parse()
	if root == nil {
		return nil, dec.problems
	}
	c := d.NewCase()
	if root.kind != '{' {
		dec.add(root, "", nil, "a case record is a JSON object", "start from: caseforms new")
		return nil, dec.problems
	}
	dec.record(root, d.shape, c, "")
	if len(dec.problems) > 0 {
		return nil, dec.problems
	}
	return c, nil
}

// node is a JSON value with its place. Text keeps numbers and literals as written.
type node struct {
	kind   byte // '{' '[' '"' '0' 't' 'f' 'n'
	offset int
	text   string
	names  []*node // of an object
	values []*node // of an object or array
}

type caseDecoder struct {
	defs     *Definitions
	form     *Form
	data     []byte
	lines    []int // where each line begins
	problems []Problem
}

func (d *caseDecoder) place(offset int) (line, column int) {
	if d.lines == nil {
		d.lines = []int{0}
		for i, b := range d.data {
			if b == '\n' {
				d.lines = append(d.lines, i+1)
			}
		}
	}
	n := sort.SearchInts(d.lines, offset+1)
	return n, offset - d.lines[n-1] + 1
}

// full tells that no more problems are told, so that none need be looked for.
func (d *caseDecoder) full() bool { return len(d.problems) >= maxProblems }

func (d *caseDecoder) add(n *node, path string, s *Shape, msg, hint string) {
	if d.full() {
		return
	}
	p := Problem{Severity: Blocking, Key: path, Msg: msg, Hint: hint}
	p.Line, p.Column = d.place(n.offset)
	if s != nil {
		p.Label = s.Label.In(d.defs.Lang)
	}
	if d.form != nil {
		if q := d.form.asks(path); q != nil {
			p.Label = d.defs.say(q.Label)
		}
	}
	d.problems = append(d.problems, p)
}

// repairUTF8 reports every byte that is not UTF-8 and puts a question mark in its place, so that reading can go on.
func (d *caseDecoder) repairUTF8() {
	if utf8.Valid(d.data) {
		return
	}
	d.data = bytes.Clone(d.data)
	for i := 0; i < len(d.data); {
		r, n := utf8.DecodeRune(d.data[i:])
		if r == utf8.RuneError && n == 1 {
			if !d.full() {
				d.add(&node{offset: i}, "", nil, fmt.Sprintf("byte 0x%02x is not UTF-8 text", d.data[i]), "save the file as UTF-8")
			}
			d.data[i] = '?'
		}
		i += n
	}
}

var errValues = fmt.Errorf("this has more than %d keys and values, the most a case record may have", maxValues)

// parse reads the bytes into nodes; nil means that reading could not go on.
func (d *caseDecoder) parse() *node {
	data := d.data
	skipped := 0
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		data, skipped = data[3:], 3
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true))
	fail := func(err error) *node {
		var syn *jsontext.SyntacticError
		n := &node{offset: int(dec.InputOffset()) + skipped}
		msg, hint := "is not readable as JSON", ""
		switch {
		case errors.Is(err, errValues):
			msg, hint = err.Error(), "is it the right file?"
		case errors.As(err, &syn):
			n.offset = int(syn.ByteOffset) + skipped
			msg += ": " + strings.TrimPrefix(syn.Err.Error(), "jsontext: ")
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			n.offset = len(d.data)
			msg = "the file ends too early"
			if len(bytes.TrimSpace(d.data)) == 0 {
				msg = "the file is empty"
			}
		}
		d.add(n, "", nil, msg, hint)
		return nil
	}
	whole := string(data) // what has no escapes is a part of it
	var spare []node
	fresh := func() *node {
		if len(spare) == 0 {
			spare = make([]node, 64)
		}
		n := &spare[0]
		spare = spare[1:]
		return n
	}
	values := 0
	var value func(depth int) (*node, error)
	value = func(depth int) (*node, error) {
		if values++; values > maxValues {
			return nil, errValues
		}
		dec.PeekKind() // moves past white space and commas
		tok, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		n := fresh()
		n.kind = byte(tok.Kind())
		end := int(dec.InputOffset())
		n.offset = end + skipped
		switch n.kind {
		case '"':
			n.offset = d.stringStart(n.offset)
			if n.text = whole[n.offset-skipped+1 : end-1]; strings.IndexByte(n.text, '\\') >= 0 {
				n.text = tok.String()
			}
		case '0', 't', 'f', 'n':
			n.text = tok.String()
			n.offset -= len(n.text)
		case '{', '[':
			n.offset--
			if depth >= maxDepth {
				return nil, &jsontext.SyntacticError{ByteOffset: int64(n.offset - skipped), Err: fmt.Errorf("nested deeper than %d levels", maxDepth)}
			}
			for dec.PeekKind() != '}' && dec.PeekKind() != ']' {
				if n.kind == '{' {
					name, err := value(depth + 1)
					if err != nil {
						return nil, err
					}
					n.names = append(n.names, name)
				}
				v, err := value(depth + 1)
				if err != nil {
					return nil, err
				}
				n.values = append(n.values, v)
			}
			if _, err := dec.ReadToken(); err != nil {
				return nil, err
			}
		}
		return n, nil
	}
	root, err := value(0)
	if err != nil {
		return fail(err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		d.add(&node{offset: int(dec.InputOffset()) + skipped}, "", nil, "there is more after the end of the case record", "one file holds one case")
	}
	return root
}

// stringStart finds where a string token began, from where it ended.
func (d *caseDecoder) stringStart(end int) int {
	for i := end - 2; i >= 0; i-- {
		if d.data[i] != '"' {
			continue
		}
		slashes := 0
		for j := i - 1; j >= 0 && d.data[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
	return end
}

func (d *caseDecoder) record(n *node, s *Shape, dst any, path string) {
	seen := make(map[string]bool, len(n.names))
	for i, name := range n.names {
		if d.full() {
			return
		}
		at := join(path, name.text)
		if seen[name.text] {
			d.add(name, at, s.key(name.text), "this key stands here twice", "keep one of them")
			continue
		}
		seen[name.text] = true
		ks := s.key(name.text)
		if ks == nil {
			d.unknownKey(name, s, path)
			continue
		}
		if forms, ok := dst.(map[string]Group); ok {
			forms[name.text] = newGroup(ks)
		}
		d.value(n.values[i], ks, member(dst, name.text), at)
	}
}

func (d *caseDecoder) unknownKey(name *node, s *Shape, path string) {
	var known []string
	for _, k := range s.Keys {
		known = append(known, k.Name)
	}
	hint := "known here: " + strings.Join(known, ", ")
	if near := nearest(name.text, known); near != "" {
		hint = "did you mean " + near + "?"
	} else if len(known) > 24 {
		hint = "caseforms new prints every key"
	}
	d.add(name, join(path, clip(name.text)), nil, "there is no such key", hint)
}

func (d *caseDecoder) value(n *node, s *Shape, dst any, path string) {
	if n.kind == 'n' || d.full() {
		return
	}
	if n.kind == '{' && hasName(n, "state") {
		d.state(n, s, dst, path)
		return
	}
	switch s.Kind {
	case KindRecord:
		if n.kind != '{' {
			d.add(n, path, s, "must be a JSON object with keys, not "+jsonType(n), "")
			return
		}
		d.record(n, s, dst, path)
	case KindList:
		if n.kind != '[' {
			d.add(n, path, s, "must be a list in [ ], not "+jsonType(n), `to say that there are none, write {"state":"none_known"}`)
			return
		}
		if len(n.values) > MaxItems {
			d.add(n, path, s, fmt.Sprintf("has %d entries, and at most %d may be in one list", len(n.values), MaxItems), "leave out what stands there twice; is it the right file?")
			return
		}
		l := dst.(list)
		l.room(min(len(n.values), 16)) // an item that is blank is dropped again
		for i, v := range n.values {
			item := l.grow()
			if g, ok := item.(Group); ok {
				s.Item.fill(g)
			}
			d.value(v, s.Item, item, path+"["+strconv.Itoa(i)+"]")
			if isBlank(item, s.Item) {
				l.drop()
			}
		}
	case KindChecks:
		d.checks(n, s, dst.(leaf), path)
	default:
		d.leaf(n, s, dst.(leaf), path)
	}
}

func hasName(n *node, name string) bool {
	return slices.ContainsFunc(n.names, func(k *node) bool { return k.text == name })
}

func (d *caseDecoder) state(n *node, s *Shape, dst any, path string) {
	var st State
	var why string
	ok := true
	seen := map[string]bool{}
	for i, name := range n.names {
		if d.full() {
			return
		}
		v := n.values[i]
		if seen[name.text] {
			d.add(name, path, s, "this key stands here twice", "keep one of them")
			ok = false
		}
		seen[name.text] = true
		switch name.text {
		case "state":
			known := false
			if st, known = statedBy(v.text); !known || v.kind != '"' {
				d.add(v, path, s, "a state is not_known, not_applicable, withheld, or for a list none_known", "")
				ok = false
			} else if st == NoneKnown && s.Kind != KindList && s.Kind != KindChecks {
				d.add(v, path, s, "only a list or tick boxes can be none_known", `write "not_known" or "not_applicable"`)
				ok = false
			}
		case "why":
			if v.kind != '"' && v.kind != 'n' {
				d.add(v, path, s, "the reason must be text, not "+jsonType(v), "")
				ok = false
			} else if v.kind == '"' {
				why, _ = d.clean(v, s, path)
			}
		default:
			d.add(name, path, s, "beside a state there is only why", "a value is either given or has a state")
			ok = false
		}
	}
	if ok {
		line, _ := d.place(n.offset)
		putState(dst, s, st, strings.TrimSpace(why), line)
	}
}

// putState gives a whole value the state; of a record, every value in it.
func putState(dst any, s *Shape, st State, why string, line int) {
	switch v := dst.(type) {
	case leaf:
		v.at(line)
		v.putState(st, why)
	case list:
		v.putState(st, why)
	default:
		for _, k := range s.Keys {
			putState(member(dst, k.Name), k.Shape, st, why, line)
		}
	}
}

func (d *caseDecoder) leaf(n *node, s *Shape, dst leaf, path string) {
	line, _ := d.place(n.offset)
	dst.at(line)
	text := n.text
	switch {
	case n.kind == '"':
		var ok bool
		if text, ok = d.clean(n, s, path); !ok {
			return
		}
	case n.kind == '0' && s.Kind == KindNumber:
	case (n.kind == 't' || n.kind == 'f') && (s.Kind == KindYesNo || s.Kind == KindYesNoUnknown):
		text = map[byte]string{'t': "yes", 'f': "no"}[n.kind]
	default:
		hint := ""
		if n.kind == '0' {
			hint = "put it in quotes: a number loses its leading zeros"
		}
		d.add(n, path, s, "must be "+wanted(s.Kind)+", not "+jsonType(n), hint)
		return
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return
	}
	if (s.Kind == KindYesNo || s.Kind == KindYesNoUnknown) && text == "not_known" {
		dst.putState(NotKnown, "")
		return
	}
	if s.Kind == KindChoice && !s.has(text) {
		d.add(n, path, s, "this is none of the answers that may be given", s.mayBe(text))
		return
	}
	if err := dst.put(text); err != nil {
		d.add(n, path, s, err.Error(), "")
	}
}

func (d *caseDecoder) checks(n *node, s *Shape, dst leaf, path string) {
	line, _ := d.place(n.offset)
	dst.at(line)
	if n.kind != '[' {
		d.add(n, path, s, "must be a list in [ ] of the ticked answers, not "+jsonType(n), `to say that none applies, write {"state":"none_known"}`)
		return
	}
	ticked := map[string]bool{}
	for i, v := range n.values {
		if d.full() {
			return
		}
		at := path + "[" + strconv.Itoa(i) + "]"
		switch {
		case v.kind == 'n' || v.kind == '"' && strings.TrimSpace(v.text) == "":
		case v.kind != '"':
			d.add(v, at, s, "must be text, not "+jsonType(v), "")
		case !s.has(v.text):
			d.add(v, at, s, "this is none of the answers that may be ticked", s.mayBe(v.text))
		default:
			ticked[v.text] = true
		}
	}
	var chosen []string
	for _, o := range s.Options {
		if ticked[o.Value] {
			chosen = append(chosen, o.Value)
		}
	}
	if err := dst.put(strings.Join(chosen, "\n")); err != nil {
		d.add(n, path, s, err.Error(), "")
	}
}

func (s *Shape) has(value string) bool {
	return slices.ContainsFunc(s.Options, func(o Option) bool { return o.Value == value })
}

// mayCome tells whether a condition that waits for the value can come true: it is one that can be answered, a stated unknown, or nothing.
func (s *Shape) mayCome(value string) bool {
	if _, state := statedBy(value); value == "" || state {
		return true
	}
	switch s.Kind {
	case KindChoice, KindChecks:
		return s.has(value)
	case KindYesNo, KindYesNoUnknown:
		return value == "yes" || value == "no"
	}
	return true
}

func (s *Shape) mayBe(given string) string {
	var all []string
	for _, o := range s.Options {
		all = append(all, o.Value)
	}
	if n := nearest(given, all); n != "" {
		return "did you mean " + n + "?"
	}
	return "one of: " + strings.Join(all, ", ")
}

// clean brings text to one form (NFC, one kind of line end) and refuses what cannot be printed faithfully: control characters, and
// marks that turn the direction of writing round, with which a name can be made to read as another.
func (d *caseDecoder) clean(n *node, s *Shape, path string) (string, bool) {
	text := n.text
	if strings.ContainsRune(text, '\r') {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	if msg, hint := Unprintable(text); msg != "" {
		d.add(n, path, s, msg, hint)
		return "", false
	}
	return norm.NFC.String(text), true
}

// Unprintable tells what text holds that cannot be printed faithfully, and what to do: a control character, other than the end of a line and a tab,
// or a mark that turns the direction of writing round. msg is "" when there is none.
func Unprintable(text string) (msg, hint string) {
	for _, r := range text {
		switch {
		case r < 0x20 && r != '\n' && r != '\t', r >= 0x7f && r < 0xa0:
			return fmt.Sprintf("holds the control character U+%04X", r), "take it out; it was probably pasted in"
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return fmt.Sprintf("holds the mark U+%04X, which turns the direction of writing round", r), "take it out"
		}
	}
	return "", ""
}

func isBlank(v any, s *Shape) bool {
	switch v := v.(type) {
	case leaf:
		return v.fact().State == NotAnswered
	case list:
		st, _ := v.state()
		return v.Len() == 0 && st == NotAnswered
	}
	for _, k := range s.Keys {
		if !isBlank(member(v, k.Name), k.Shape) {
			return false
		}
	}
	return true
}

func jsonType(n *node) string {
	switch n.kind {
	case '{':
		return "a JSON object"
	case '[':
		return "a list"
	case '"':
		return "text"
	case '0':
		return "a number"
	}
	return n.text
}

func wanted(k Kind) string {
	switch k {
	case KindNumber:
		return "a whole number"
	case KindYesNo, KindYesNoUnknown:
		return `"yes" or "no"`
	case KindDate:
		return "a date in quotes, such as \"2014-05-03\""
	}
	return "text in quotes"
}

// nearest is the known word closest to what was written, "" when none is close.
func nearest(given string, known []string) string {
	if len(given) > 64 {
		return ""
	}
	best, least := "", 1+max(2, len(given)/3)
	same := strings.NewReplacer("-", "_", " ", "_")
	fold := func(s string) string { return same.Replace(strings.ToLower(s)) }
	given = fold(given)
	for _, k := range known {
		if n := distance(given, fold(k)); n < least {
			best, least = k, n
		}
	}
	return best
}

// distance is the Levenshtein distance of two short words.
func distance(a, b string) int {
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		diag := prev[0]
		prev[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost = 1 + min(diag, prev[j], prev[j+1])
			}
			diag, prev[j+1] = prev[j+1], cost
		}
	}
	return prev[len(b)]
}

// clip keeps an unknown key short enough to be told.
func clip(s string) string {
	if len(s) <= 40 {
		return s
	}
	return strings.ToValidUTF8(s[:40], "") + "…"
}

func quoteKey(s string) string { return strconv.Quote(clip(s)) }
