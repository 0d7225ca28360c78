package caseforms

import (
	"cmp"
	"fmt"
	"strings"
)

// ErrorKind says what sort of failure an [Error] is. Exit codes and HTTP statuses follow from it, each in one place.
type ErrorKind string

const (
	Invalid     ErrorKind = "invalid"     // what was given cannot be used as it stands
	NotFound    ErrorKind = "notfound"    // there is no such thing
	Forbidden   ErrorKind = "forbidden"   // this actor may not do it
	Conflict    ErrorKind = "conflict"    // somebody else changed it meanwhile
	Held        ErrorKind = "held"        // a policy or a duty stands against it
	Unavailable ErrorKind = "unavailable" // a file or service cannot be reached now
	Internal    ErrorKind = "internal"    // a mistake of ours
)

// Error is a failure a person can act on. Msg is lower case, says what failed and holds no personal data; Hint says what to do.
type Error struct {
	Kind ErrorKind
	Op   string // what was being done, such as "fill"
	Msg  string
	Hint string
	Err  error
}

func (e *Error) Error() string {
	s := e.Msg
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// Severity tells a problem that stops a form from being issued from one that only wants attention.
type Severity string

const (
	Blocking Severity = "error"
	Warning  Severity = "warning"
)

// Problem is one thing wrong with a case or a definition, with its place. It never holds the value itself.
type Problem struct {
	Severity Severity
	Key      string // key path in the case, such as children[1].dob
	Label    string // the field's printed label, when it has one
	Section  string // the printed title of the section it stands in
	Msg      string
	Hint     string
	Source   string // the rule's source: seed and line, statute
	File     string // where the input came from, when known
	Line     int    // 1-based; 0 when the problem has no place in a file
	Column   int    // 1-based, in bytes; 0 when only the line is known

	blank   bool   // nothing is answered there
	informs bool   // it only tells something
	by      string // the facts that it goes by beside the answer, with a space between
}

// String is the one-line form shown to a person.
func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "%s:%d:", cmp.Or(p.File, "case"), p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, "%d:", p.Column)
		}
		b.WriteByte(' ')
	}
	switch {
	case p.Label != "" && p.Key != "":
		fmt.Fprintf(&b, "%s (%s): ", strings.TrimRight(p.Label, " :"), p.Key)
	case p.Key != "":
		b.WriteString(p.Key + ": ")
	case p.Label != "":
		b.WriteString(strings.TrimRight(p.Label, " :") + ": ")
	}
	b.WriteString(p.Msg)
	return b.String()
}

// Blocks tells whether any of the problems stops the form from being issued.
func Blocks(ps []Problem) bool {
	for _, p := range ps {
		if p.Severity == Blocking {
			return true
		}
	}
	return false
}
