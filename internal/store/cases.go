package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"caseforms"
)

// Case is what the store knows of a case beside its content.
type Case struct {
	ID         caseforms.CaseID
	Version    int // grows with every change of its record
	Created    time.Time
	CreatedBy  string
	Changed    time.Time
	ChangedBy  string
	Owner      string // whose caseload it is in: a user's id
	Team       string
	Area       string
	Restricted bool // only people and teams in Access may see it
	Held       bool // it must not be erased
	Erased     time.Time
	Access     []Access // of a restricted case

	record, card int64
	recordSum    []byte
}

// SameRecord tells whether the case's record is these bytes.
func (c *Case) SameRecord(record []byte) bool {
	sum := sha256.Sum256(record)
	return c.record != 0 && string(c.recordSum) == string(sum[:])
}

// RecordOf tells whether a version was made from the case record as it is now.
func (c *Case) RecordOf(v *Version) bool { return c.record != 0 && c.record == v.record }

// Access lets a person or a team see a restricted case.
type Access struct {
	Kind string // "person": Who is a user's id; "team": its name
	Who  string
}

// Part says whether somebody is the person a case is about, or named in it.
type Part int

const (
	ThePerson Part = 1
	Named     Part = 2
)

// Term is something a case can be found by.
type Term struct {
	Hash []byte // see [Store.Term]
	Part Part
}

// Document is an issued document with all its versions.
type Document struct {
	Ref      caseforms.Ref
	Case     caseforms.CaseID
	Form     string
	Copy     string
	Created  time.Time
	Versions []Version // oldest first
}

// Latest is the version that holds.
func (d *Document) Latest() *Version { return &d.Versions[len(d.Versions)-1] }

// Version is one issue of a document.
type Version struct {
	Number      int
	FormVersion string
	Area        string
	Definition  string // the hash of the form as it was
	Renderer    string // the program that wrote the files
	Issued      time.Time
	IssuedBy    string
	Entry       int64 // its record in the ledger
	Erased      time.Time
	Files       []File

	record, answers int64
}

// File is a file of an issued document.
type File struct {
	Format  string
	Profile string
	Sum     []byte // SHA-256; nil when erased
	Size    int64

	object int64
}

// Issue is the act of issuing a document: the case as it is, the document and its files, what is to be sent, and the entry in the ledger.
type Issue struct {
	Case        caseforms.CaseID
	CaseVersion int      // the version of the case that the caller has seen; 0 makes the case
	Nobody      [][]byte // of a new case: terms by which no case was found; when one is there by now, somebody else made it
	Record      []byte   // the case record; nil leaves the case as it is
	Card        []byte
	Terms       []Term

	Ref         caseforms.Ref
	Version     int // 1 makes the document; else one more than its latest
	Form        string
	FormVersion string
	Area        string
	Row         []byte // keyed hash of the row of a batch, or of the draft, it is made from; ErrTaken when that was issued already
	Team        string // of a new case: whose it is, with the actor
	Copy        string
	Definition  string
	Bundle      []byte
	Renderer    string
	Answers     []byte
	Files       []NewFile

	Send   []NewItem
	Sends  []NewSend // by e-mail
	Gone   []NewSend // what those replace
	Follow Follow    // the follow-ups that start, change or end with it
	Draft  *Draft    // the draft it was made from, which goes
	Entry  Entry     // its Detail gets what was issued beside what the caller put there
}

// NewFile is a file to be kept.
type NewFile struct {
	Format  string
	Profile string
	Data    []byte
}

// Why an act was refused that the caller can do again after another look.
var (
	// ErrTaken: the reference is in use already. Another one has to be drawn.
	ErrTaken = errors.New("the reference is taken")
	// ErrChanged: somebody changed the case, the document or the draft meanwhile.
	ErrChanged = errors.New("it was changed meanwhile")
)

// Issue does it, altogether or not at all.
func (s *Store) Issue(ctx context.Context, i Issue) error {
	return s.distinct(func() error { return s.issue(ctx, i) })
}

func (s *Store) issue(ctx context.Context, i Issue) error {
	record, err := s.sealSome(kindRecord, i.Record)
	if err != nil {
		return err
	}
	card, err := s.sealSome(kindCard, i.Card)
	if err != nil {
		return err
	}
	answers, err := s.seal(kindAnswers, i.Answers)
	if err != nil {
		return err
	}
	files := make([]*object, len(i.Files))
	for n, f := range i.Files {
		if files[n], err = s.seal(kindFile, f.Data); err != nil {
			return err
		}
	}
	items, err := s.sealItems(i.Send)
	if err != nil {
		return err
	}
	sends, err := s.sealSends(i.Sends)
	if err != nil {
		return err
	}
	gone, err := s.sealSends(i.Gone)
	if err != nil {
		return err
	}
	detail := map[string]string{
		"form": i.Form, "form version": i.FormVersion, "area": i.Area, "copy": i.Copy, "definition": i.Definition, "renderer": i.Renderer,
		"answers": hexSum(i.Answers),
	}
	if i.Record != nil {
		detail["record"] = hexSum(i.Record)
	}
	for k, v := range i.Entry.Detail {
		detail[k] = v
	}
	sums := make([][]byte, len(i.Files))
	for n, f := range i.Files {
		sum := sha256.Sum256(f.Data)
		sums[n] = sum[:]
		detail["file "+f.Format+" "+f.Profile] = hex.EncodeToString(sum[:])
	}
	return s.act(ctx, func(t *tx) error {
		recordID, err := t.putCase(i, record, card, detail)
		if err != nil {
			return err
		}
		e := i.Entry
		e.Case, e.Ref, e.Version, e.Detail = i.Case, i.Ref, i.Version, detail
		n, err := t.appended(e)
		if err != nil {
			return err
		}
		if err := t.exec(`INSERT INTO definitions (hash, bundle) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING`, i.Definition, i.Bundle); err != nil {
			return err
		}
		if err := t.putDocument(i); err != nil {
			return err
		}
		if i.Row != nil {
			n, err := t.changed(`INSERT INTO issued_rows (key, ref, version) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, i.Row, string(i.Ref), i.Version)
			if err == nil && n == 0 {
				err = ErrTaken
			}
			if err != nil {
				return err
			}
		}
		if err := t.put(answers, i.Case); err != nil {
			return err
		}
		if err := t.exec(`INSERT INTO versions (ref, version, form_version, area, definition, renderer, record, answers, issued_at, issued_by, entry)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			string(i.Ref), i.Version, i.FormVersion, i.Area, i.Definition, i.Renderer, recordID, answers.id, t.at.UnixMilli(), i.Entry.Actor, n); err != nil {
			return err
		}
		for n, f := range i.Files {
			if err := t.put(files[n], i.Case); err != nil {
				return err
			}
			if err := t.exec(`INSERT INTO files (ref, version, format, profile, sum, size, object) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
				string(i.Ref), i.Version, f.Format, f.Profile, sums[n], len(f.Data), files[n].id); err != nil {
				return err
			}
		}
		if i.Draft != nil {
			if err := t.dropDraft(i.Draft); err != nil {
				return err
			}
		}
		for _, it := range items {
			isNew, err := t.enqueue(it, i.Ref, i.Version, i.Case)
			if err != nil {
				return err
			}
			if !isNew {
				return ErrTaken // what was to be sent with this document is another's already
			}
		}
		if err := t.putSends(sends, gone); err != nil {
			return err
		}
		return t.follow(&i.Follow, nil)
	})
}

func (s *Store) sealSome(kind string, data []byte) (*object, error) {
	if data == nil {
		return nil, nil
	}
	return s.seal(kind, data)
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// putCase makes or changes the case, and tells which record the document is of.
func (t *tx) putCase(i Issue, record, card *object, detail map[string]string) (int64, error) {
	now := t.at.UnixMilli()
	if i.CaseVersion == 0 {
		for _, term := range i.Nobody {
			var one int64
			found, err := t.row(`SELECT 1 FROM terms WHERE term = $1 AND part = $2 LIMIT 1`, []any{term, int(ThePerson)}, &one)
			if err != nil {
				return 0, err
			}
			if found {
				return 0, ErrChanged
			}
		}
		n, err := t.changed(`INSERT INTO cases (id, version, created_at, created_by, changed_at, changed_by, owner, team, area) VALUES ($1, 0, $2, $3, $2, $3, $3, $4, $5) ON CONFLICT DO NOTHING`,
			string(i.Case), now, i.Entry.Actor, i.Team, i.Area)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, ErrTaken
		}
	}
	var old, oldCard, version int64
	found, err := t.row(`SELECT version, coalesce(record, 0), coalesce(card, 0) FROM cases WHERE id = $1 AND erased_at IS NULL`, []any{string(i.Case)}, &version, &old, &oldCard)
	if err != nil {
		return 0, err
	}
	if !found || version != int64(i.CaseVersion) {
		return 0, ErrChanged
	}
	if record == nil {
		if old == 0 {
			return 0, ErrChanged
		}
		sum, err := t.recordSum(i.Case)
		detail["record"] = sum
		return old, err
	}
	for _, o := range []*object{record, card} {
		if err := t.put(o, i.Case); err != nil {
			return 0, err
		}
	}
	if oldCard != 0 {
		if err := t.destroy(oldCard); err != nil {
			return 0, err
		}
		// The record before stays with the documents that were made from it. If they were erased, it goes.
		var used int64
		if found, err := t.row(`SELECT 1 FROM versions WHERE record = $1 LIMIT 1`, []any{old}, &used); err != nil {
			return 0, err
		} else if !found {
			if err := t.destroy(old); err != nil {
				return 0, err
			}
		}
	}
	// What the case could be found by before stays: its earlier documents name the same people (E.5 point 5).
	for _, term := range i.Terms {
		if err := t.exec(`INSERT INTO terms (term, case_id, part) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, term.Hash, string(i.Case), int(term.Part)); err != nil {
			return 0, err
		}
	}
	sum := sha256.Sum256(i.Record)
	return record.id, t.exec(`UPDATE cases SET version = version + 1, record = $1, record_sum = $2, card = $3, changed_at = $4, changed_by = $5 WHERE id = $6`,
		record.id, sum[:], card.id, now, i.Entry.Actor, string(i.Case))
}

func (t *tx) recordSum(of caseforms.CaseID) (string, error) {
	var sum []byte
	_, err := t.row(`SELECT record_sum FROM cases WHERE id = $1`, []any{string(of)}, &sum)
	return hex.EncodeToString(sum), err
}

func (t *tx) putDocument(i Issue) error {
	if i.Version == 1 {
		n, err := t.changed(`INSERT INTO documents (ref, case_id, form, copy, latest, created_at) VALUES ($1, $2, $3, $4, 1, $5) ON CONFLICT DO NOTHING`,
			string(i.Ref), string(i.Case), i.Form, i.Copy, t.at.UnixMilli())
		if err == nil && n == 0 {
			err = ErrTaken
		}
		return err
	}
	n, err := t.changed(`UPDATE documents SET latest = $1 WHERE ref = $2 AND latest = $3 AND case_id = $4`, i.Version, string(i.Ref), i.Version-1, string(i.Case))
	if err == nil && n == 0 {
		err = ErrChanged
	}
	return err
}

// IssuedRow is what was issued from the row of a batch, or from the draft, with this key.
func (s *Store) IssuedRow(ctx context.Context, key []byte) (ref caseforms.Ref, version int, found bool, err error) {
	found, err = s.one(ctx, `SELECT ref, version FROM issued_rows WHERE key = $1`, []any{key}, &ref, &version)
	return ref, version, found, err
}

// FindCase reads what the store knows of a case.
func (s *Store) FindCase(ctx context.Context, id caseforms.CaseID) (*Case, error) {
	c := &Case{ID: id}
	var created, changed, erased, record, card int64
	found, err := s.one(ctx, `SELECT version, coalesce(record, 0), record_sum, coalesce(card, 0), created_at, created_by, changed_at, changed_by, restricted, held, coalesce(erased_at, 0), owner, team, area
		FROM cases WHERE id = $1`, []any{string(id)}, &c.Version, &record, &c.recordSum, &card, &created, &c.CreatedBy, &changed, &c.ChangedBy, &c.Restricted, &c.Held, &erased, &c.Owner, &c.Team, &c.Area)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no case " + string(id) + " in this store"}
	}
	c.Created, c.Changed, c.Erased, c.record, c.card = fromMilli(created), fromMilli(changed), fromMilli(erased), record, card
	if c.Restricted {
		err = s.all(ctx, `SELECT kind, who FROM case_access WHERE case_id = $1 ORDER BY kind, who`, []any{string(id)}, func(scan func(...any) error) error {
			var a Access
			err := scan(&a.Kind, &a.Who)
			c.Access = append(c.Access, a)
			return err
		})
	}
	return c, err
}

// Record is the case's record as it is now.
func (s *Store) Record(ctx context.Context, c *Case) ([]byte, error) {
	return s.ofCase(ctx, c, kindRecord, func(c *Case) int64 { return c.record })
}

// Card is what a list shows of a case.
func (s *Store) Card(ctx context.Context, c *Case) ([]byte, error) {
	return s.ofCase(ctx, c, kindCard, func(c *Case) int64 { return c.card })
}

// ofCase reads a content of a case. What was there when the case was read may have been replaced since; then the one that is there now is read.
func (s *Store) ofCase(ctx context.Context, c *Case, kind string, which func(*Case) int64) ([]byte, error) {
	for {
		data, err := s.object(ctx, which(c), kind)
		if !missing(err) {
			return data, err
		}
		now, again := s.FindCase(ctx, c.ID)
		if again != nil || which(now) == which(c) {
			return nil, err
		}
		c = now
	}
}

// Restricted are the cases that only some may see, and who may.
func (s *Store) Restricted(ctx context.Context) (map[caseforms.CaseID][]Access, error) {
	out := map[caseforms.CaseID][]Access{}
	err := s.all(ctx, `SELECT c.id, coalesce(a.kind, ''), coalesce(a.who, '') FROM cases c LEFT JOIN case_access a ON a.case_id = c.id WHERE c.restricted = 1`, nil, func(scan func(...any) error) error {
		var id caseforms.CaseID
		var a Access
		err := scan(&id, &a.Kind, &a.Who)
		out[id] = append(out[id], a)
		return err
	})
	return out, err
}

// Document reads an issued document.
func (s *Store) Document(ctx context.Context, ref caseforms.Ref) (*Document, error) {
	d := &Document{Ref: ref}
	var created int64
	found, err := s.one(ctx, `SELECT case_id, form, copy, created_at FROM documents WHERE ref = $1`, []any{string(ref)}, &d.Case, &d.Form, &d.Copy, &created)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no document " + string(ref) + " in this store"}
	}
	d.Created = fromMilli(created)
	err = s.all(ctx, `SELECT version, form_version, area, definition, renderer, coalesce(record, 0), coalesce(answers, 0), issued_at, issued_by, entry, coalesce(erased_at, 0)
		FROM versions WHERE ref = $1 ORDER BY version`, []any{string(ref)}, func(scan func(...any) error) error {
		var v Version
		var issued, erased int64
		err := scan(&v.Number, &v.FormVersion, &v.Area, &v.Definition, &v.Renderer, &v.record, &v.answers, &issued, &v.IssuedBy, &v.Entry, &erased)
		v.Issued, v.Erased = fromMilli(issued), fromMilli(erased)
		d.Versions = append(d.Versions, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = s.all(ctx, `SELECT version, format, profile, sum, size, coalesce(object, 0) FROM files WHERE ref = $1 ORDER BY version, format, profile`, []any{string(ref)},
		func(scan func(...any) error) error {
			var of int
			var f File
			if err := scan(&of, &f.Format, &f.Profile, &f.Sum, &f.Size, &f.object); err != nil {
				return err
			}
			for i := range d.Versions {
				if d.Versions[i].Number == of {
					d.Versions[i].Files = append(d.Versions[i].Files, f)
				}
			}
			return nil
		})
	if err == nil && len(d.Versions) == 0 {
		err = tampered("a document has no version")
	}
	return d, err
}

// DocumentsOf are the references of a case's documents, oldest first.
func (s *Store) DocumentsOf(ctx context.Context, id caseforms.CaseID) (refs []caseforms.Ref, err error) {
	err = s.all(ctx, `SELECT ref FROM documents WHERE case_id = $1 ORDER BY created_at, ref`, []any{string(id)}, func(scan func(...any) error) error {
		var r caseforms.Ref
		err := scan(&r)
		refs = append(refs, r)
		return err
	})
	return refs, err
}

// FileData are the bytes of a file as it was issued.
func (s *Store) FileData(ctx context.Context, f *File) ([]byte, error) {
	return s.object(ctx, f.object, kindFile)
}

// RecordOf is the case record a version was filled from.
func (s *Store) RecordOf(ctx context.Context, v *Version) ([]byte, error) {
	return s.object(ctx, v.record, kindRecord)
}

// AnswersOf are the printed answers of a version.
func (s *Store) AnswersOf(ctx context.Context, v *Version) ([]byte, error) {
	return s.object(ctx, v.answers, kindAnswers)
}

// Bundle are the source files of a form as it was, by its hash.
func (s *Store) Bundle(ctx context.Context, hash string) ([]byte, error) {
	var b []byte
	found, err := s.one(ctx, `SELECT bundle FROM definitions WHERE hash = $1`, []any{hash}, &b)
	if err == nil && !found {
		err = tampered("the definition of a form is missing")
	}
	return b, err
}

// FileBySum finds the document that has a file with these bytes.
func (s *Store) FileBySum(ctx context.Context, sum [32]byte) (ref caseforms.Ref, version int, found bool, err error) {
	found, err = s.one(ctx, `SELECT ref, version FROM files WHERE sum = $1`, []any{sum[:]}, &ref, &version)
	return ref, version, found, err
}

// Find are the cases that have all of the terms, newest first, at most so many.
func (s *Store) Find(ctx context.Context, most int, terms ...[]byte) (ids []Found, err error) {
	if len(terms) == 0 {
		return nil, nil
	}
	query := `SELECT t.case_id, min(t.part) FROM terms t JOIN cases c ON c.id = t.case_id WHERE t.term = $1`
	args := []any{terms[0]}
	for _, h := range terms[1:] {
		args = append(args, h)
		query += ` AND EXISTS (SELECT 1 FROM terms x WHERE x.case_id = t.case_id AND x.term = $` + itoa(len(args)) + ` AND x.part = t.part)`
	}
	args = append(args, most)
	query += ` GROUP BY t.case_id, c.changed_at ORDER BY c.changed_at DESC, t.case_id LIMIT $` + itoa(len(args))
	err = s.all(ctx, query, args, func(scan func(...any) error) error {
		var f Found
		err := scan(&f.Case, &f.Part)
		ids = append(ids, f)
		return err
	})
	return ids, err
}

// Found is a case that was looked for.
type Found struct {
	Case caseforms.CaseID
	Part Part
}

// Restrict lets only some see a case, or everybody again.
func (s *Store) Restrict(ctx context.Context, id caseforms.CaseID, restricted bool, to []Access, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		n, err := t.changed(`UPDATE cases SET restricted = $1, version = version + 1 WHERE id = $2 AND erased_at IS NULL`, number(restricted), string(id))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrChanged
		}
		if err := t.exec(`DELETE FROM case_access WHERE case_id = $1`, string(id)); err != nil {
			return err
		}
		for _, a := range to {
			if err := t.exec(`INSERT INTO case_access (case_id, kind, who) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, string(id), a.Kind, a.Who); err != nil {
				return err
			}
		}
		return t.append(e)
	})
}

// Hold keeps a case from being erased, or lets it be erased again.
func (s *Store) Hold(ctx context.Context, id caseforms.CaseID, held bool, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		n, err := t.changed(`UPDATE cases SET held = $1 WHERE id = $2 AND erased_at IS NULL`, number(held), string(id))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrChanged
		}
		return t.append(e)
	})
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
