package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"caseforms"
)

var formsCommand = &command{
	name: "forms", does: "list the forms: id, title, version, who it goes to",
	example: "caseforms forms",
	flags:   func(inv *invocation) { inv.areaFlag() },
	run: func(_ context.Context, inv *invocation) error {
		if err := inv.want(0, 0); err != nil {
			return err
		}
		d, err := inv.definitions()
		if err != nil {
			return err
		}
		tw := tabwriter.NewWriter(inv.stdout, 0, 0, 2, ' ', 0)
		for _, f := range d.Forms {
			if inv.json {
				inv.object(inv.stdout, "type", "form", "form", f.ID, "title", f.Title.In(d.Lang), "version", f.Version, "goes_to", f.GoesTo.In(d.Lang))
				continue
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", f.ID, f.Title.In(d.Lang), f.Version, f.GoesTo.In(d.Lang))
		}
		return tw.Flush()
	},
}

var newCommand = &command{
	name: "new", args: "[FORM]", does: "print an empty case with every key the form uses",
	example: "caseforms new cp1 > case.json",
	flags:   func(inv *invocation) { inv.areaFlag() },
	run: func(_ context.Context, inv *invocation) error {
		return inv.print((*caseforms.Definitions).Empty)
	},
}

var schemaCommand = &command{
	name: "schema", args: "[FORM]", does: "print the JSON Schema (2020-12) of a case",
	example: "caseforms schema cp1 > cp1.schema.json",
	flags:   func(inv *invocation) { inv.areaFlag() },
	run: func(_ context.Context, inv *invocation) error {
		return inv.print((*caseforms.Definitions).Schema)
	},
}

// print writes what the definitions say of one form, or of all when none is named.
func (inv *invocation) print(of func(*caseforms.Definitions, *caseforms.Form) ([]byte, error)) error {
	if err := inv.want(0, 1); err != nil {
		return err
	}
	d, err := inv.definitions()
	if err != nil {
		return err
	}
	var f *caseforms.Form
	if len(inv.args) == 1 {
		if f, err = d.Form(inv.args[0]); err != nil {
			return err
		}
	}
	b, err := of(d, f)
	if err != nil {
		return err
	}
	_, err = inv.stdout.Write(b)
	return err
}
