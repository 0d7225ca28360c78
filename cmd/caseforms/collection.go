package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"caseforms"
	"caseforms/internal/batch"
	"caseforms/internal/casework"
	"caseforms/render"
)

// collection is what is made of all documents of a batch together: a register, a file to print, a zip file. Each is written beside its place and
// put there when all of it is done.
type collection struct {
	inv      *invocation
	options  batch.Options
	register *render.Register
	merge    *render.Merge
	zip      render.ZipOptions
	open     []*os.File // written to, in the order in which they were asked for
	names    []string   // where each goes
	files    []string   // of the documents
	count    int
}

// collection begins what the options ask for.
func (inv *invocation) collection(ctx context.Context, options batch.Options) (_ *collection, err error) {
	o := &inv.opt
	c := &collection{inv: inv, options: options}
	defer func() {
		if err != nil {
			c.drop()
		}
	}()
	for _, x := range []struct{ name, ending string }{{o.register, ".xlsx"}, {o.merge, ".pdf"}, {o.zip, ".zip"}} {
		if x.name != "" && !strings.EqualFold(filepath.Ext(x.name), x.ending) {
			return nil, errUsage{"--register is a FILE.xlsx, --merge a FILE.pdf, --zip a FILE.zip"}
		}
		if err := inv.free(x.name, o.force); err != nil {
			return nil, err
		}
	}
	if o.zip != "" && o.passwordFile != "" {
		if c.zip.Password, err = inv.password(ctx); err != nil {
			return nil, err
		}
		if err := c.zip.Check(); err != nil {
			return nil, err
		}
	}
	if o.register != "" {
		list, err := options.Definitions.CaseRegister(options.Form)
		if err != nil {
			return nil, err
		}
		w, err := c.begin(o.register)
		if err != nil {
			return nil, err
		}
		if c.register, err = render.NewRegister(w, render.RegisterOptions{Dir: filepath.Dir(o.register)}, list); err != nil {
			return nil, err
		}
	}
	if o.merge != "" {
		w, err := c.begin(o.merge)
		if err != nil {
			return nil, err
		}
		c.merge = render.NewMerge(w, render.MergeOptions{Title: options.Form.Title.In(options.Definitions.Lang)})
	}
	return c, nil
}

func (c *collection) begin(name string) (io.Writer, error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".caseforms-*")
	if err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the file cannot be written", Err: plain(err)}
	}
	c.open, c.names = append(c.open, f), append(c.names, name)
	return f, nil
}

// wants tells whether what the documents say is wanted, and not only their files.
func (c *collection) wants() bool { return c.register != nil || c.merge != nil }

// add takes the document of a row. One that was there already is filled in again for it.
func (c *collection) add(r batch.Result) error {
	if r.State != batch.Done && r.State != batch.Kept {
		return nil
	}
	if c.count++; c.inv.opt.zip != "" {
		c.files = append(c.files, r.File)
	}
	if !c.wants() {
		return nil
	}
	doc := r.Doc
	if doc == nil && r.Case != nil {
		fill := c.options.Fill
		if fill.Ref = r.Ref; r.Ref != "" {
			fill.Issue = 1
		}
		var err error
		if doc, err = c.options.Definitions.Fill(c.options.Form, r.Case, fill); err != nil {
			return err
		}
	}
	if doc == nil {
		return &caseforms.Error{Kind: caseforms.Internal, Msg: fmt.Sprintf("row %d has a document and no case", r.Row)}
	}
	if c.register != nil {
		if err := c.register.Add(doc, render.RegisterRow{Row: r.Row, File: r.File}); err != nil {
			return err
		}
	}
	if c.merge != nil {
		label := r.Ref
		if label == "" {
			label = strings.TrimSuffix(r.File, filepath.Ext(r.File))
		}
		if _, err := c.merge.Add(doc, label); err != nil {
			return err
		}
	}
	return nil
}

// finish puts everything in its place. With no documents there is nothing to print and nothing to pack.
func (c *collection) finish() (err error) {
	o := &c.inv.opt
	if c.count == 0 {
		return nil // there is nothing to list, print or pack
	}
	register, merge := c.register, c.merge
	c.register, c.merge = nil, nil
	var errs []error
	if register != nil {
		errs = append(errs, register.Close())
	}
	if merge != nil {
		errs = append(errs, merge.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if o.zip != "" {
		w, err := c.begin(o.zip)
		if err != nil {
			return err
		}
		slices.Sort(c.files)
		if err := render.Zip(w, os.DirFS(o.output), c.files, c.zip); err != nil {
			return err
		}
	}
	for len(c.open) > 0 {
		f, name := c.open[0], c.names[0]
		if err := place(f, name, o.force); err != nil {
			return err
		}
		c.open, c.names = c.open[1:], c.names[1:]
		if c.inv.json {
			c.inv.object(c.inv.stdout, "type", "file", "file", name)
		} else {
			fmt.Fprintf(c.inv.stderr, "wrote %s\n", name)
		}
	}
	return nil
}

// drop takes back what was not finished.
func (c *collection) drop() {
	if c.register != nil {
		_ = c.register.Close() // it removes what waited
	}
	for _, f := range c.open {
		f.Close()
		os.Remove(f.Name())
	}
	c.open = nil
}

// recorder issues the document of a row, and with --to puts it into the outbox in the same act. A row that was issued before, by an earlier run or into another
// folder, is not issued again.
func (inv *invocation) recorder(k *casework.Desk, a caseforms.Actor, o batch.Options) batch.Maker {
	var send *casework.Send
	if len(inv.opt.to) > 0 {
		send = &casework.Send{To: inv.opt.to, Without: inv.opt.without, Confirm: inv.opt.confirm}
	}
	return func(ctx context.Context, row batch.Row) (batch.Made, error) {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %s %q %s", o.Form.Hash, o.Definitions.Area, o.Fill.Copy, o.Fill.For, row.JSON))
		out, _, err := k.Record(ctx, a, casework.Record{
			Form: o.Form.ID, Area: o.Definitions.Area, Case: row.JSON, Copy: o.Fill.Copy, For: o.Fill.For, Outputs: []casework.Output{{Format: o.Format}}, Row: hex.EncodeToString(sum[:]), Mail: send,
		})
		if err == nil && send != nil && len(out.Sent) == 0 { // it was issued by a run that did not send
			again := *send
			again.Ref = out.Ref
			_, _, err = k.Send(ctx, a, again)
		}
		if err != nil {
			return batch.Made{}, rowError(err)
		}
		at := slices.IndexFunc(out.Files, func(f casework.IssuedFile) bool { return f.Format == o.Format })
		if at < 0 {
			return batch.Made{}, &caseforms.Error{Kind: caseforms.Conflict, Msg: "it was issued before as " + string(out.Ref) + ", in another format", Hint: "caseforms show " + string(out.Ref) + " writes it out as it was issued"}
		}
		return batch.Made{Doc: out.Document, Bytes: out.Files[at].Data, Report: out.Files[at].Report, Ref: string(out.Ref)}, nil
	}
}

// rowError is an error about one row as a batch takes it.
func rowError(err error) error {
	var refused *casework.Refused
	var unattached *casework.Unattached
	switch {
	case errors.As(err, &refused) && len(refused.Problems) > 0:
		p := refused.Problems[0]
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: p.String(), Hint: p.Hint}
	case errors.As(err, &unattached):
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: unattached.Problems[0].String(), Hint: "take the tick away, or say for all of them why it does not go with them: --without"}
	}
	return err
}
