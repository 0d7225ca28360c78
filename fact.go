package caseforms

import (
	"slices"
	"strings"
)

// State says how far a question is answered. The states look different in data, on screen, on paper and in columns;
// a blank is never a "No".
type State uint8

const (
	NotAnswered   State = iota // absent, null or ""
	Answered                   // there is a value
	NotKnown                   // asked, and nobody knows
	NotApplicable              // the question does not arise
	Withheld                   // known, and kept out on purpose
	NoneKnown                  // lists and tick boxes only: asked, and there are none
)

var stateNames = [...]string{"not_answered", "answered", "not_known", "not_applicable", "withheld", "none_known"}

// String is the state as it stands in a case record and in JSON output.
func (s State) String() string { return stateNames[s] }

// statedBy are the states a person may write in place of a value.
func statedBy(name string) (State, bool) {
	for s := NotKnown; s <= NoneKnown; s++ {
		if stateNames[s] == name {
			return s, true
		}
	}
	return 0, false
}

// Of is one fact of the case: a value, or the reason why there is none.
type Of[T any] struct {
	Value T
	State State
	Why   string // what the writer gave as reason for a state
	Doubt string // what looks wrong with the value; it is kept as typed all the same
	Line  int    // where it stands in the input, 1-based, 0 when it came from elsewhere
}

// Known tells whether there is a value.
func (o *Of[T]) Known() bool { return o.State == Answered }

// scalar is what a kind of value has to offer. parse takes trimmed text that is not empty; an error refuses it, a doubt keeps it.
type scalar interface {
	parse(text string) (doubt string, err error)
	String() string
}

// fact is one leaf of the case as the engine sees it, whatever its type.
type fact struct {
	State State
	Why   string
	Doubt string
	Line  int
	Value string // canonical text: ISO date, option value, normalised identifier, or the words typed
}

// leaf is implemented by *Of[T].
type leaf interface {
	fact() fact
	doubt() string // of the fact
	state() (State, string)
	put(text string) error
	putState(s State, why string)
	at(line int)
}

func (o *Of[T]) fact() fact {
	f := fact{State: o.State, Why: o.Why, Doubt: o.Doubt, Line: o.Line}
	if o.State == Answered {
		f.Value = any(&o.Value).(scalar).String()
	}
	return f
}

func (o *Of[T]) state() (State, string) { return o.State, o.Why }

func (o *Of[T]) doubt() string { return o.Doubt }

func (o *Of[T]) put(text string) error {
	text = strings.TrimSpace(text)
	if text == "" {
		*o = Of[T]{Line: o.Line}
		return nil
	}
	doubt, err := any(&o.Value).(scalar).parse(text)
	if err != nil {
		return err
	}
	o.State, o.Doubt = Answered, doubt
	return nil
}

func (o *Of[T]) putState(s State, why string) { *o = Of[T]{State: s, Why: why, Line: o.Line} }

func (o *Of[T]) at(line int) { o.Line = line }

// List is a repeating part of the case. An empty list is not answered; "none known" is an answer.
type List[T any] struct {
	Items []T
	State State // Answered when there are items
	Why   string
}

// list is what the engine needs of a List[T].
type list interface {
	Len() int
	item(i int) any // a pointer to the item, or the item itself when it is a Group
	room(n int)     // for so many items more
	grow() any
	drop() // takes the last item away again
	state() (State, string)
	putState(s State, why string)
}

// Len is the number of items.
func (l *List[T]) Len() int { return len(l.Items) }

func (l *List[T]) item(i int) any {
	if g, ok := any(&l.Items[i]).(*Group); ok {
		return *g
	}
	return &l.Items[i]
}

func (l *List[T]) room(n int) { l.Items = slices.Grow(l.Items, n) }

func (l *List[T]) grow() any {
	var v T
	if g, ok := any(&v).(*Group); ok {
		*g = Group{}
	}
	l.Items = append(l.Items, v)
	l.State = Answered
	return l.item(len(l.Items) - 1)
}

func (l *List[T]) drop() {
	l.Items = l.Items[:len(l.Items)-1]
	if len(l.Items) == 0 {
		l.State = NotAnswered
	}
}

func (l *List[T]) state() (State, string) { return l.State, l.Why }

func (l *List[T]) putState(s State, why string) { *l = List[T]{State: s, Why: why} }

// Group holds what is particular to one form, under the keys its definition gives. A value is a fact, a list of facts or of groups.
type Group map[string]any
