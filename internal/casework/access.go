package casework

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/render"
)

// Exported is one file of what is held about a person.
type Exported struct {
	Name string // in the folders own and apart; no personal data
	Data []byte
}

// Subject is a case that is exported, and whether the one who asks is only named in it. Then everything is about somebody else, and apart.
type Subject struct {
	Case  caseforms.CaseID
	Named bool
}

// The folders of an export: what may go to the person once somebody has read it, and what is about others and must be reviewed first.
const (
	folderOwn   = "own/"
	folderApart = "apart/"
)

// Export is everything that is held about the people of the cases, for a subject-access request: in words rather than codes, with what is
// about other people apart (Data Protection Act 2018 s.45; UK GDPR Article 15; E.4 points 5 and 6). Files are given to add one by one,
// so that a large export need not fit into memory. It is a disclosure, and in the ledger of each case.
func (k *Desk) Export(ctx context.Context, a caseforms.Actor, about []Subject, add func(Exported) error) error {
	if err := a.Need("export what is held about a person", caseforms.RoleManager, caseforms.RoleAdmin); err != nil {
		return err
	}
	var cases []*store.Case
	for _, subject := range about {
		c, err := k.store.FindCase(ctx, subject.Case)
		if err != nil {
			return err
		}
		if c.Restricted && !allowed(a, c.Access) || !c.Erased.IsZero() {
			reader := a
			reader.Roles = []caseforms.Role{caseforms.RoleManager} // whether the role suffices is settled above
			if err := k.see(ctx, reader, c, "export this case"); err != nil {
				return err
			}
		}
		cases = append(cases, c)
	}
	who, err := k.names(ctx)
	if err != nil {
		return err
	}
	readme := fmt.Sprintf(exportReadme, longTime(k.store.Now()))
	if err := add(Exported{"READ-THIS-FIRST.txt", []byte(readme)}); err != nil {
		return err
	}
	for i, c := range cases {
		if err := ctx.Err(); err != nil {
			return err
		}
		put := add
		if about[i].Named {
			put = func(e Exported) error { // of somebody else's case nothing is theirs without review
				if rest, own := strings.CutPrefix(e.Name, folderOwn); own {
					e.Name = folderApart + "of-the-person-" + rest
				}
				return add(e)
			}
		}
		if err := k.exportCase(ctx, c, who, put); err != nil {
			return err
		}
		e := store.Entry{Acts: []store.Act{store.Disclosure}, What: "everything held exported", Actor: a.ID, Case: c.ID}
		if err := k.store.Append(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

const exportReadme = `Everything held about a person, exported %s.

own/    what is about the person, in words. Read it before it is handed over: a sentence may
        tell something of somebody else that no program recognises.
apart/  what is about other people, sensitive, or not for the person: the documents as they
        were sent, and the facts about children, adults, victims and professionals. It must be
        reviewed by somebody entitled before any of it is disclosed. What is kept back, and why,
        has to be written down (Data Protection Act 2018, section 45).

Where the person is only named in the case of somebody else, everything is in apart/.

Documents in own/ are printed again from the facts they were made from, without what is
sensitive; what is left out is marked. One that is missing there could not be made without
telling what it withholds: see the original in apart/.
`

// exportCase adds what is held of one case.
func (k *Desk) exportCase(ctx context.Context, c *store.Case, who names, add func(Exported) error) error {
	record, err := k.store.Record(ctx, c)
	if err != nil {
		return err
	}
	defs, err := k.load("")
	if err != nil {
		return err
	}
	refs, err := k.store.DocumentsOf(ctx, c.ID)
	if err != nil {
		return err
	}
	var docs []*store.Document
	for _, ref := range refs {
		d, err := k.store.Document(ctx, ref)
		if err != nil {
			return err
		}
		docs = append(docs, d)
	}
	// The record may use the questions of an area's form.
	read, ps := defs.Decode(record, nil)
	for i := len(docs) - 1; i >= 0 && read == nil; i-- {
		if local, err := k.load(docs[i].Latest().Area); err == nil {
			if read, _ = local.Decode(record, nil); read != nil {
				defs = local
			}
		}
	}
	if read == nil {
		return &Refused{ps}
	}
	own, apart := defs.InWords(read)
	acts, err := k.events(ctx, c.ID, who)
	if err != nil {
		return err
	}
	own.Sections = append(own.Sections, documentsSection(defs, docs, who), actsSection(acts, false))
	apart.Sections = append(apart.Sections, actsSection(acts, true)) // the reasons may tell of others
	for _, part := range []struct {
		folder string
		doc    *caseforms.Document
	}{{folderOwn, own}, {folderApart, apart}} {
		part.doc.Date, part.doc.Ref = k.today(), string(c.ID)
		for _, f := range []render.Format{render.FormatPDF, render.FormatText} {
			var b bytes.Buffer
			if _, err := render.Write(&b, part.doc, f, render.Options{}); err != nil {
				return err
			}
			if err := add(Exported{part.folder + string(c.ID) + "." + string(f), b.Bytes()}); err != nil {
				return err
			}
		}
	}
	if err := add(Exported{folderApart + string(c.ID) + ".json", record}); err != nil {
		return err
	}
	for _, d := range docs {
		if err := k.exportDocument(ctx, d, add); err != nil {
			return err
		}
	}
	messages, err := k.store.ReceivedOf(ctx, c.ID)
	if err != nil {
		return err
	}
	for i := range messages {
		raw, err := k.store.RawMail(ctx, &messages[i])
		var gone *caseforms.Error
		if errors.As(err, &gone) && gone.Kind == caseforms.NotFound {
			continue // it was erased with its document
		}
		if err != nil {
			return err
		}
		ending := ".eml"
		if messages[i].Class == ClassForm {
			ending = ".pdf"
		}
		if err := add(Exported{fmt.Sprintf("%s%s-message-%d%s", folderApart, messages[i].Ref, i+1, ending), raw}); err != nil {
			return err
		}
	}
	drafts, err := k.store.Drafts(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, d := range drafts {
		draft, content, err := k.store.Draft(ctx, d.ID)
		if err != nil {
			return err
		}
		if err := add(Exported{folderApart + string(d.ID) + ".json", content}); err != nil {
			return err
		}
		reasons, err := k.store.Reasons(ctx, draft)
		if err != nil {
			return err
		}
		if reasons != nil {
			if err := add(Exported{folderApart + string(d.ID) + ".reasons.json", reasons}); err != nil {
				return err
			}
		}
	}
	return nil
}

// exportDocument adds the documents as they were issued, and a copy of the latest for the person.
func (k *Desk) exportDocument(ctx context.Context, d *store.Document, add func(Exported) error) error {
	for i := range d.Versions {
		v := &d.Versions[i]
		if !v.Erased.IsZero() {
			continue
		}
		for j := range v.Files {
			f := &v.Files[j]
			data, err := k.store.FileData(ctx, f)
			if err != nil {
				return err
			}
			name := fmt.Sprintf("%s%s-issue-%d", folderApart, d.Ref, v.Number)
			if f.Profile != string(render.ProfileArchive) {
				name += "-" + f.Profile
			}
			if err := add(Exported{name + "." + f.Format, data}); err != nil {
				return err
			}
		}
	}
	v := d.Latest()
	if !v.Erased.IsZero() {
		return nil
	}
	record, err := k.store.RecordOf(ctx, v)
	if err != nil {
		return err
	}
	// Printed by the forms of today: they know of every other form what is sensitive there, which the kept definition does not.
	defs, err := k.load(v.Area)
	if err != nil {
		return nil // the area is gone; the original is there
	}
	form, err := defs.Form(d.Form)
	if err != nil || !slices.Contains(form.Copies, caseforms.CopyDisclosable) {
		return nil
	}
	c, _ := defs.Decode(record, form)
	if c == nil {
		return nil
	}
	rec, err := k.store.Prove(ctx, v.Entry)
	if err != nil {
		return err
	}
	doc, err := defs.Fill(form, c, caseforms.FillOptions{Today: caseforms.DateOf(caseforms.London(v.Issued)), For: rec.Detail["for"], Ref: string(d.Ref), Issue: v.Number,
		Copy: caseforms.CopyDisclosable, Marked: true})
	if err != nil {
		return nil // it would tell what it withholds
	}
	var b bytes.Buffer
	if _, err := render.Write(&b, doc, render.FormatPDF, render.Options{}); err != nil {
		return err
	}
	return add(Exported{folderOwn + string(d.Ref) + ".pdf", b.Bytes()})
}

// documentsSection lists what was issued.
func documentsSection(defs *caseforms.Definitions, docs []*store.Document, who names) caseforms.DocSection {
	t := &caseforms.Table{Key: "documents", Label: "Documents issued", Layout: caseforms.LayoutTable, Columns: columns("Reference", "Issue", "When", "By", "Form*2")}
	for _, d := range docs {
		title := d.Form
		if f, err := defs.Form(d.Form); err == nil {
			title = f.Title.In(defs.Lang)
		}
		for _, v := range d.Versions {
			t.Rows = append(t.Rows, row("documents", len(t.Rows), string(d.Ref), fmt.Sprint(v.Number), longTime(v.Issued), who.of(v.IssuedBy), title))
		}
	}
	return section("documents", "Documents issued", t)
}

const actsTitle = "What was done with the record, when and by whom"

// actsSection lists who did what with the record, and why if that is to be told.
func actsSection(events []Event, reasons bool) caseforms.DocSection {
	t := &caseforms.Table{Key: "acts", Label: actsTitle, Layout: caseforms.LayoutTable, Columns: columns("When", "By", "What*3")}
	for _, e := range events {
		what := e.What
		if reasons {
			for _, key := range []string{"why", "wanted", "text", detailReasons} {
				if v := e.Detail[key]; v != "" {
					what += ": " + v
				}
			}
		}
		t.Rows = append(t.Rows, row("acts", len(t.Rows), longTime(e.At), e.By, what))
	}
	return section("acts", actsTitle, t)
}

func section(key, title string, t *caseforms.Table) caseforms.DocSection {
	s := caseforms.DocSection{Key: key, Title: title, Layout: caseforms.LayoutTable}
	if len(t.Rows) == 0 {
		t.None = &caseforms.Answer{Key: key + ".none", Label: title, State: caseforms.Answered, Text: "None"}
	}
	for i := range t.Rows {
		for j := range t.Rows[i].Cells {
			t.Rows[i].Cells[j].Label = t.Columns[j].Label
		}
	}
	s.Parts = []caseforms.Part{{Table: t}}
	return s
}

// columns are the columns of a table. One that is wider than the others says how many times: "Text*3".
func columns(labels ...string) (out []caseforms.Column) {
	for _, l := range labels {
		label, wide, _ := strings.Cut(l, "*")
		width := 1
		if n, err := strconv.Atoi(wide); err == nil {
			width = n
		}
		out = append(out, caseforms.Column{Key: strings.ToLower(label), Label: label, Kind: caseforms.KindText, Width: width})
	}
	return out
}

func row(table string, n int, texts ...string) caseforms.Row {
	r := caseforms.Row{Key: fmt.Sprintf("%s[%d]", table, n)}
	for i, t := range texts {
		a := caseforms.Answer{Key: fmt.Sprintf("%s.%d", r.Key, i), Kind: caseforms.KindText, State: caseforms.Answered, Text: t}
		if _, err := time.Parse(time.DateOnly, t); err == nil {
			a.Kind, a.Value = caseforms.KindDate, t // a real date in a workbook
		}
		r.Cells = append(r.Cells, a)
	}
	return r
}

// Erase destroys the content of a case, or of one document when ref is given. What stays are ids, times and the ledger's records.
func (k *Desk) Erase(ctx context.Context, a caseforms.Actor, id caseforms.CaseID, ref caseforms.Ref, why string) error {
	if err := a.Need("erase", caseforms.RoleAdmin); err != nil {
		return err
	}
	if why = strings.TrimSpace(why); why == "" {
		return needsReason("an erasure")
	}
	e := store.Entry{Acts: []store.Act{store.Erasure}, Actor: a.ID, Detail: map[string]string{"why": why}}
	if ref != "" {
		return k.store.EraseDocument(ctx, ref, e)
	}
	return k.store.Erase(ctx, id, e)
}

// Hold keeps a case from being erased, such as for an inquiry, or lets it be erased again (E.4 point 2).
func (k *Desk) Hold(ctx context.Context, a caseforms.Actor, id caseforms.CaseID, held bool, why string) error {
	if err := a.Need("set or release a hold", caseforms.RoleAdmin, caseforms.RoleManager); err != nil {
		return err
	}
	if why = strings.TrimSpace(why); why == "" {
		return needsReason("setting or releasing a hold")
	}
	what := "hold set"
	if !held {
		what = "hold released"
	}
	c, err := k.store.FindCase(ctx, id)
	if err != nil {
		return err
	}
	if !c.Erased.IsZero() {
		return erased(c)
	}
	return again(k.store.Hold(ctx, id, held, store.Entry{What: what, Actor: a.ID, Case: id, Detail: map[string]string{"why": why}}))
}

// Erasures are the cases and documents that were erased, and when.
func (k *Desk) Erasures(ctx context.Context, a caseforms.Actor) (store.Again, error) {
	if err := a.Need("see what was erased", caseforms.RoleAdmin, caseforms.RoleAuditor, caseforms.RoleManager); err != nil {
		return store.Again{}, err
	}
	cases, refs, err := k.store.Erasures(ctx)
	return store.Again{Cases: cases, Refs: refs}, err
}

// Backup copies the whole store, encrypted to the recipients, while people go on working. It is noted in the ledger.
func (k *Desk) Backup(ctx context.Context, a caseforms.Actor, w io.Writer, to ...age.Recipient) (*store.About, error) {
	if err := a.Need("make backups", caseforms.RoleAdmin); err != nil {
		return nil, err
	}
	about, err := k.store.Backup(ctx, w, to...)
	if err != nil {
		return nil, err
	}
	detail := map[string]string{"of": about.At.Format(time.RFC3339)}
	for i, r := range to {
		if s, ok := r.(fmt.Stringer); ok {
			detail[fmt.Sprintf("to %d", i+1)] = s.String()
		}
	}
	return about, k.store.Append(ctx, store.Entry{What: "backup made", Actor: a.ID, Detail: detail})
}
