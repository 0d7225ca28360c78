package caseforms

import (
	"fmt"
	"strings"
)

// Reference is a page in Markdown that lists every form with its questions and rules and where they come from.
func (d *Definitions) Reference() string {
	var b strings.Builder
	cell := func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ") }
	for _, f := range d.Forms {
		fmt.Fprintf(&b, "\n## %s – %s\n\nVersion %s, to %s. Source: %s.\n", f.ID, d.say(f.Title), f.Version, d.say(f.GoesTo), f.Source)
		for _, s := range f.Sections {
			title := d.say(s.Title)
			if title == "" {
				title = s.Key
			}
			if s.Takes != "" {
				title += " (from " + s.Takes + ")"
			}
			fmt.Fprintf(&b, "\n### %s\n\n", title)
			if len(s.Fields) == 0 {
				fmt.Fprintf(&b, "Fixed words: “%s”\n", cell(d.say(s.Text)))
				continue
			}
			b.WriteString("| key | printed as | kind or fact | needed | source |\n|---|---|---|---|---|\n")
			for _, q := range s.Fields {
				d.referenceRow(&b, q, "", cell)
				for _, c := range q.Fields {
					d.referenceRow(&b, c, "– ", cell)
				}
			}
		}
		d.referenceRegister(&b, f, cell)
		if len(f.Rules) > 0 {
			b.WriteString("\n### Rules\n\n| rule | at | severity | says | source |\n|---|---|---|---|---|\n")
			d.referenceRules(&b, f.Rules, cell)
		}
	}
	b.WriteString("\n## Rules of every form that prints the facts they are about\n\n| rule | at | severity | says | source |\n|---|---|---|---|---|\n")
	d.referenceRules(&b, d.Rules, cell)
	return b.String()
}

func (d *Definitions) referenceRow(b *strings.Builder, q *Field, indent string, cell func(string) string) {
	what := string(q.Kind)
	switch {
	case q.Computed != "":
		what = "computed"
	case !q.Fixed.IsZero():
		what = "fixed"
	case len(q.From) > 0:
		what = "`" + strings.Join(q.From, "`, `") + "`"
	}
	var opts []string
	for _, o := range q.Options {
		opts = append(opts, d.say(o.Label))
	}
	if opts != nil {
		what += ": " + strings.Join(opts, "; ")
	}
	need := func(n *Need, word string) string {
		switch {
		case n == nil:
			return ""
		case n.Always:
			return word
		case n.Rule != "":
			return word + " by rule " + n.Rule
		}
		var conds []string
		for _, c := range append([]*Cond{n.When}, n.Any...) {
			if c != nil {
				is := strings.Join(c.Is, " or ")
				if is == "" {
					is = "not answered"
				}
				conds = append(conds, c.Field+" is "+is)
			}
		}
		return word + " when " + strings.Join(conds, ", or ")
	}
	var needed []string
	for _, s := range []string{need(q.Required, "required"), need(q.Warn, "warned about")} {
		if s != "" {
			needed = append(needed, s)
		}
	}
	if q.Internal {
		needed = append(needed, "never printed")
	}
	for _, why := range q.Sensitive {
		switch {
		case why == SensitiveSource && (q.Fields != nil || indent != ""):
			needed = append(needed, "sensitive where the source is protected")
		case why == SensitiveAddress:
			needed = append(needed, "sensitive where the address is confidential")
		default:
			needed = append(needed, "sensitive: "+strings.ReplaceAll(string(why), "_", " "))
		}
	}
	fmt.Fprintf(b, "| %s%s | %s | %s | %s | %s |\n", indent, q.Key, cell(d.say(q.Label)), cell(what), cell(strings.Join(needed, "; ")), cell(q.Source))
}

// referenceRegister tells the columns of the form's register and what is counted in it.
func (d *Definitions) referenceRegister(b *strings.Builder, f *Form, cell func(string) string) {
	r, err := d.CaseRegister(f)
	if err != nil {
		return
	}
	b.WriteString("\n### Register\n\nColumns: ")
	for i, c := range r.Columns {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(cell(c.Label) + " (" + c.Key + ")")
	}
	b.WriteString(".")
	for i, t := range r.Totals {
		if i == 0 {
			b.WriteString(" Totals: ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(cell(t.Title))
	}
	if len(r.Totals) > 0 {
		b.WriteString(".")
	}
	b.WriteString("\n")
}

func (d *Definitions) referenceRules(b *strings.Builder, rs []*Rule, cell func(string) string) {
	for _, r := range rs {
		at := r.At
		if at == "" {
			at = strings.Join(r.Of, ", ")
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", r.Rule, at, r.Level, cell(d.say(r.Say)), cell(r.Source))
	}
}
