package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"caseforms"
	"caseforms/internal/batch"
	"caseforms/internal/casework"
	"caseforms/internal/intake"
	"caseforms/render"
)

// collection is what is made of all documents of a batch together: a register, a file to print, a zip file. Each is written in a folder of its own beside its
// place, which only its owner may look into, and put there when all of it is done. The next run for the same file takes away what one left that was killed.
type collection struct {
	*batch.Together
	inv    *invocation
	zip    render.ZipOptions
	beside []batch.Beside
	open   []*os.File // written to, in the order in which they were asked for
	names  []string   // where each goes
}

// collection begins what the options ask for.
func (inv *invocation) collection(ctx context.Context, options batch.Options) (_ *collection, err error) {
	o := &inv.opt
	c := &collection{inv: inv}
	defer func() {
		if err != nil {
			c.drop()
		}
	}()
	for _, x := range []struct{ option, name, ending string }{{"--register", o.register, ".xlsx"}, {"--merge", o.merge, ".pdf"}, {"--zip", o.zip, ".zip"}} {
		if x.name == "" {
			continue
		}
		if !strings.EqualFold(filepath.Ext(x.name), x.ending) {
			return nil, errUsage{"--register is a FILE.xlsx, --merge a FILE.pdf, --zip a FILE.zip"}
		}
		if !exists(filepath.Dir(x.name)) {
			return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the folder of " + x.name + " is not there", Hint: "make it, or name another with " + x.option}
		}
		c.beside = append(c.beside, batch.Beside{Option: x.option, Name: x.name})
	}
	if o.zip != "" && o.passwordFile != "" {
		if c.zip.Password, err = inv.password(ctx); err != nil {
			return nil, err
		}
		if err := c.zip.Check(); err != nil {
			return nil, err
		}
	}
	var register, merge io.Writer
	if o.register != "" {
		if register, err = c.begin(o.register); err != nil {
			return nil, err
		}
	}
	if o.merge != "" {
		if merge, err = c.begin(o.merge); err != nil {
			return nil, err
		}
	}
	c.Together, err = batch.NewTogether(options, register, merge, workFolder(o.register))
	return c, err
}

// workFolder is where a file is made until it is whole.
func workFolder(name string) string {
	return filepath.Join(filepath.Dir(name), ".caseforms-"+filepath.Base(name))
}

func (c *collection) begin(name string) (io.Writer, error) {
	fail := func(err error) error {
		return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the file " + name + " cannot be written", Err: plain(err)}
	}
	dir := workFolder(name)
	if info, err := os.Lstat(dir); err == nil && !info.IsDir() { // what a link leads to is not ours to empty
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: dir + " is in the way", Hint: "remove it; working files are put into a folder of this name"}
	}
	if err := intake.CleanWork(dir); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "*")
	if err != nil {
		return nil, fail(err)
	}
	c.open, c.names = append(c.open, f), append(c.names, name)
	return f, nil
}

// finish puts everything in its place. With no documents there is nothing to print and nothing to pack.
func (c *collection) finish(allow func(temp, name string) (bool, error)) (err error) {
	o := &c.inv.opt
	files := c.Files()
	if len(files) == 0 {
		return nil // there is nothing to list, print or pack
	}
	if err := c.Close(); err != nil {
		return err
	}
	if o.zip != "" {
		w, err := c.begin(o.zip)
		if err != nil {
			return err
		}
		if err := render.Zip(w, os.DirFS(o.output), files, c.zip); err != nil {
			return err
		}
	}
	for len(c.open) > 0 {
		f, name := c.open[0], c.names[0]
		replace, err := allow(f.Name(), name)
		if err != nil {
			return err
		}
		if err := place(f, name, replace); err != nil {
			return err
		}
		os.Remove(workFolder(name))
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
	if c.Together != nil {
		_ = c.Close() // it removes what waited
	}
	for i, f := range c.open {
		f.Close()
		os.RemoveAll(workFolder(c.names[i]))
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
		out, _, err := k.RecordRow(ctx, a, casework.Row{Form: o.Form, Area: o.Definitions.Area, Copy: o.Fill.Copy, For: o.Fill.For, Case: row.JSON, Format: o.Format, Mail: send})
		if err != nil {
			return batch.Made{}, err
		}
		f := out.File(o.Format)
		return batch.Made{Doc: out.Document, Bytes: f.Data, Report: f.Report, Ref: string(out.Ref)}, nil
	}
}
