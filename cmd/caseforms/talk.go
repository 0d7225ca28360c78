package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/mail"
	"caseforms/templates"
)

// complain tells why a command failed.
func (inv *invocation) complain(err error) {
	var bad *templates.Invalid
	if errors.As(err, &bad) {
		inv.problems(inv.stderr, bad.Problems)
		return
	}
	var refused *casework.Refused
	if errors.As(err, &refused) {
		inv.problems(inv.stderr, refused.Problems)
		err = &caseforms.Error{Kind: caseforms.Invalid, Msg: refused.Error(), Hint: "answer what is missing, or keep it as a draft: caseforms draft save FORM CASE"}
	}
	var unexplained *casework.Unexplained
	if errors.As(err, &unexplained) {
		inv.problems(inv.stderr, unexplained.Problems)
		err = &caseforms.Error{Kind: caseforms.Invalid, Msg: unexplained.Error(), Hint: "change the answers, or say for each why: --reason KEY=WHY with its key; --reason WHY for all that are not answered"}
	}
	var unattached *casework.Unattached
	if errors.As(err, &unattached) {
		inv.problems(inv.stderr, unattached.Problems)
		err = &caseforms.Error{Kind: caseforms.Invalid, Msg: unattached.Error(), Hint: "--attach KEY=FILE with the key of what is ticked, such as --attach oasys=FILE; or say why it does not go with it: --without REASON"}
	}
	var e *caseforms.Error
	hint, kind := "", caseforms.Internal
	if errors.As(err, &e) {
		hint, kind = e.Hint, e.Kind
	}
	var not *mail.NotTaken
	if errors.As(err, &not) {
		hint, kind = not.Hint, caseforms.Unavailable
	}
	if inv.json {
		inv.object(inv.stderr, "type", "error", "kind", string(kind), "message", err.Error(), "hint", hint)
		return
	}
	fmt.Fprintf(inv.stderr, "caseforms: %s\n", err)
	if hint != "" {
		fmt.Fprintf(inv.stderr, "  hint: %s\n", hint)
	}
}

// problems tells what is wrong with a case, in the order given.
func (inv *invocation) problems(w io.Writer, ps []caseforms.Problem) {
	for _, p := range ps {
		if inv.json {
			members := []any{"type", "problem", "severity", string(p.Severity), "key", p.Key, "label", p.Label, "section", p.Section,
				"message", p.Msg, "hint", p.Hint, "source", p.Source, "file", p.File, "line", p.Line, "column", p.Column}
			if p.WantsReason() {
				members = append(members, "wants_reason", true)
			}
			inv.object(w, members...)
			continue
		}
		fmt.Fprintf(w, "%s: %s\n", p.Severity, p)
		if p.Hint != "" {
			fmt.Fprintf(w, "  hint: %s\n", p.Hint)
		}
	}
}

// object writes one JSON object on a line: names and values in turn. Values that are empty or 0 are left out.
func (inv *invocation) object(w io.Writer, members ...any) {
	var b strings.Builder
	enc := jsontext.NewEncoder(&b)
	put := func(t jsontext.Token) { _ = enc.WriteToken(t) } // a strings.Builder does not fail
	put(jsontext.BeginObject)
	for i := 0; i < len(members); i += 2 {
		name := members[i].(string)
		switch v := members[i+1].(type) {
		case string:
			if v != "" {
				put(jsontext.String(name))
				put(jsontext.String(strings.ToValidUTF8(v, "\ufffd")))
			}
		case int:
			if v != 0 {
				put(jsontext.String(name))
				put(jsontext.Int(int64(v)))
			}
		case bool:
			put(jsontext.String(name))
			put(jsontext.Bool(v))
		}
	}
	put(jsontext.EndObject)
	io.WriteString(w, b.String())
}
