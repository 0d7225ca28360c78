package batch

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"caseforms"
	"caseforms/render"
)

// Together is what is made of all documents of a batch together: a register of the rows, and one PDF to print. It is given every [Result] in order.
type Together struct {
	o        Options
	register *render.Register
	merge    *render.Merge
	files    []string
}

// NewTogether begins them; a nil writer is not wanted. In dir, which is not readable for others, what has to wait is kept.
func NewTogether(o Options, register, merge io.Writer, dir string) (*Together, error) {
	t := &Together{o: o}
	if register != nil {
		list, err := o.Definitions.CaseRegister(o.Form)
		if err != nil {
			return nil, err
		}
		if t.register, err = render.NewRegister(register, render.RegisterOptions{Dir: dir}, list); err != nil {
			return nil, err
		}
	}
	if merge != nil {
		t.merge = render.NewMerge(merge, render.MergeOptions{Title: o.Form.Title.In(o.Definitions.Lang)})
	}
	return t, nil
}

// Wants tells whether what the documents say is wanted, and not only their files: see Contents of the options.
func (t *Together) Wants() bool { return t.register != nil || t.merge != nil }

// Add takes the document of a row. One that was there already is filled in again for it.
func (t *Together) Add(r Result) error {
	if r.State != Done && r.State != Kept {
		return nil
	}
	t.files = append(t.files, r.File)
	if !t.Wants() {
		return nil
	}
	doc := r.Doc
	if doc == nil && r.Case != nil {
		fill := t.o.Fill
		if fill.Ref = r.Ref; r.Ref != "" {
			fill.Issue = 1
		}
		var err error
		if doc, err = t.o.Definitions.Fill(t.o.Form, r.Case, fill); err != nil {
			return err
		}
	}
	if doc == nil {
		return &caseforms.Error{Kind: caseforms.Internal, Msg: fmt.Sprintf("row %d has a document and no case", r.Row)}
	}
	if t.register != nil {
		if err := t.register.Add(doc, render.RegisterRow{Row: r.Row, File: r.File}); err != nil {
			return err
		}
	}
	if t.merge != nil {
		label := r.Ref
		if label == "" {
			label = strings.TrimSuffix(r.File, filepath.Ext(r.File))
		}
		if _, err := t.merge.Add(doc, label); err != nil {
			return err
		}
	}
	return nil
}

// Files are the names of the documents in the folder.
func (t *Together) Files() []string { return slices.Sorted(slices.Values(t.files)) }

// Close ends what was begun and gives back what waited. What had no documents is not whole.
func (t *Together) Close() error {
	var errs []error
	if t.register != nil {
		errs = append(errs, t.register.Close())
	}
	if t.merge != nil && len(t.files) > 0 {
		errs = append(errs, t.merge.Close())
	}
	t.register, t.merge = nil, nil
	return errors.Join(errs...)
}
