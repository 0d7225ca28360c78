package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"caseforms"
)

// Verified is what a check of the whole store found.
type Verified struct {
	Records    int64 // in the ledger
	Documents  int
	Files      int
	Checkpoint string   // the signed state that was checked
	Against    int64    // records of the older checkpoint it was compared with; 0 when there was none
	Problems   []string // what is wrong, in words without personal data; empty when all is as it was written
}

// mostProblems is how many are told.
const mostProblems = 100

func (v *Verified) add(format string, args ...any) {
	if len(v.Problems) < mostProblems {
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	}
}

// note takes an error for a problem when it is one of the content, and hands it back when the check cannot go on.
func (v *Verified) note(err error) error {
	var e *caseforms.Error
	if errors.As(err, &e) && e.Kind != caseforms.Unavailable {
		v.add("%s", e.Msg)
		return nil
	}
	return err
}

// VerifyLedger computes the whole ledger anew from its records and compares every hash, detail and checkpoint. An older checkpoint, which
// may be "", shows that nothing before it was changed or removed since. The error is one of reading; what is wrong is in the result.
func (s *Store) VerifyLedger(ctx context.Context, against string) (*Verified, error) {
	v := &Verified{}
	head, signed, _, err := s.head(ctx)
	if err != nil {
		return v, v.note(err)
	}
	if head.size == 0 {
		v.add("the ledger is empty")
		return v, nil
	}
	v.Checkpoint = signed
	marks := map[int64]tlog.Hash{head.size: head.root}
	if against != "" {
		old, err := s.readCheckpoint(against)
		if err != nil {
			return v, err
		}
		v.Against = old.size
		switch {
		case old.size > head.size:
			v.add("the ledger has %d records and had %d at the checkpoint of %s: records were removed, or an older backup was restored", head.size, old.size, old.at.Format("2 January 2006 15:04 MST"))
		case old.size == head.size && old.root != head.root:
			v.add("the ledger is another than at the checkpoint")
		default:
			marks[old.size] = old.root
		}
	}
	kept := map[int64]bool{} // the checkpoints of days that are over
	latest := head.size
	err = s.all(ctx, `SELECT size, at, checkpoint FROM ledger_checkpoints ORDER BY size`, nil, func(scan func(...any) error) error {
		var size, at int64
		var text string
		if err := scan(&size, &at, &text); err != nil {
			return err
		}
		c, err := s.readOwn(text)
		if err != nil || c.size != size || c.at.UnixMilli() != at {
			v.add("the checkpoint kept at %d records was changed", size)
			return nil
		}
		if latest = max(latest, size); size > head.size {
			return nil
		}
		if root, ok := marks[size]; ok && root != c.root {
			v.add("two checkpoints of %d records differ", size)
		}
		marks[size], kept[size] = c.root, true
		return nil
	})
	if err != nil {
		return v, v.note(err)
	}
	l := ledger{}
	var hashes hashPages
	var gone []Record // their details
	day := ""
	err = s.eachRecord(ctx, 0, head.size, func(r rawRecord) error {
		v.Records++
		if root, ok := marks[r.n]; ok {
			if err := v.matches(&l, r.n, root); err != nil {
				return err
			}
		}
		rec, err := s.readRecord(r)
		if err != nil {
			if err := v.note(err); err != nil {
				return err
			}
		} else {
			if rec.Erased {
				gone = append(gone, rec)
			}
			before := day
			if day = rec.At.Format(time.DateOnly); day != before && before != "" {
				if !kept[r.n] {
					v.add("the checkpoint at %d records, the last of a day, is missing", r.n)
				}
				delete(kept, r.n)
			}
		}
		made, err := tlog.StoredHashes(r.n, r.record, &l)
		if err != nil {
			return err
		}
		first := tlog.StoredHashIndex(0, r.n)
		known := append([]edgeHash{}, l.edge...)
		for i, h := range made {
			idx := first + int64(i)
			stored, err := hashes.at(ctx, s, idx)
			if err != nil {
				return err
			}
			if stored != h {
				v.add("record %d of the ledger, or a hash over it, was changed", r.n)
			}
			known = append(known, edgeHash{idx, h})
		}
		l.edge = l.edge[:0:0]
		for _, idx := range edgeIndexes(r.n + 1) {
			for _, k := range known {
				if k.idx == idx {
					l.edge = append(l.edge, k)
				}
			}
		}
		return nil
	})
	if err == nil {
		err = v.matches(&l, head.size, head.root)
	}
	if err != nil {
		return v, v.note(err)
	}
	for size := range kept {
		v.add("a checkpoint at %d records was added", size)
	}
	// What follows is compared with the ledger as it is by now: people go on working while it is checked.
	if len(gone) > 0 {
		erased, err := s.erasures(ctx)
		if err != nil {
			return v, v.note(err)
		}
		for _, rec := range gone {
			if len(erased[string(rec.Case)])+len(erased[string(rec.Ref)]) == 0 {
				v.add("the detail of record %d of the ledger is gone, and no erasure is recorded", rec.N)
			}
		}
	}
	var size, beyond, lowest, highest int64
	_, err = s.one(ctx, `SELECT h.size, (SELECT count(*) FROM ledger WHERE n >= h.size OR n < 0) + (SELECT count(*) FROM ledger_details WHERE n >= h.size OR n < 0),
		(SELECT min(idx) FROM ledger_hashes), (SELECT max(idx) FROM ledger_hashes) FROM ledger_head h`, nil, &size, &beyond, &lowest, &highest)
	if beyond > 0 || lowest != 0 || highest+1 != tlog.StoredHashCount(size) {
		v.add("the ledger has rows beyond its last record")
	}
	if latest > size {
		v.add("a checkpoint of %d records is kept and the ledger has %d: records were removed", latest, size)
	}
	return v, v.note(err)
}

// matches compares the hash over the first records with what was signed for so many.
func (v *Verified) matches(l *ledger, size int64, want tlog.Hash) error {
	if size == 0 {
		return nil
	}
	root, err := tlog.TreeHash(size, l)
	if err == nil && root != want {
		v.add("the first %d records of the ledger are not those that were signed", size)
	}
	return err
}

// hashPages reads the stored hashes in order, many at a time.
type hashPages struct {
	from int64
	page [][]byte
}

func (p *hashPages) at(ctx context.Context, s *Store, idx int64) (tlog.Hash, error) {
	const size = 10_000
	if p.page == nil || idx < p.from || idx >= p.from+size {
		p.from, p.page = idx-idx%size, make([][]byte, size)
		err := s.all(ctx, `SELECT idx, hash FROM ledger_hashes WHERE idx >= $1 AND idx < $2`, []any{p.from, p.from + size}, func(scan func(...any) error) error {
			var i int64
			var h []byte
			err := scan(&i, &h)
			p.page[i-p.from] = h
			return err
		})
		if err != nil {
			return tlog.Hash{}, err
		}
	}
	if h := p.page[idx-p.from]; len(h) == tlog.HashSize {
		return tlog.Hash(h), nil
	}
	return tlog.Hash{}, nil // no hash is all zeros
}

// erasures are the cases and documents of which the ledger says that they were erased, and when.
func (s *Store) erasures(ctx context.Context) (map[string][]time.Time, error) {
	out := map[string][]time.Time{}
	head, _, _, err := s.head(ctx)
	if err != nil {
		return nil, err
	}
	err = s.eachRecord(ctx, 0, head.size, func(r rawRecord) error {
		rec, err := s.readRecord(r)
		if err != nil {
			return nil // told by who reads it for its own sake
		}
		for _, a := range rec.Acts {
			if a != Erasure || rec.What != CaseErased && rec.What != DocumentErased {
				continue // of a draft that was thrown away nothing else is gone
			}
			if rec.Ref != "" {
				out[string(rec.Ref)] = append(out[string(rec.Ref)], rec.At)
			} else {
				out[string(rec.Case)] = append(out[string(rec.Case)], rec.At)
			}
		}
		return nil
	})
	var e *caseforms.Error
	if errors.As(err, &e) && e.Kind == caseforms.Internal {
		err = nil // a gap is told by who goes through the ledger for its own sake
	}
	return out, err
}

// VerifyContents checks everything else against the ledger: every document with its files, answers and case record, every sealed object,
// and the database itself. sameForm tells whether a bundle is the form of a hash.
func (s *Store) VerifyContents(ctx context.Context, v *Verified, sameForm func(hash string, bundle []byte) error) error {
	err := s.all(ctx, `PRAGMA integrity_check(10)`, nil, func(scan func(...any) error) error {
		var line string
		if err := scan(&line); err != nil {
			return err
		}
		if line != "ok" {
			v.add("the database is damaged")
		}
		return nil
	})
	if err != nil {
		return v.note(err)
	}
	checks := []func(context.Context, *Verified) error{s.verifyObjects, s.verifyDocuments, s.verifyCases, s.verifyReceived, s.verifyRest}
	for _, check := range checks {
		if err := v.note(check(ctx, v)); err != nil {
			return err
		}
	}
	return v.note(s.all(ctx, `SELECT hash, bundle FROM definitions`, nil, func(scan func(...any) error) error {
		var hash string
		var bundle []byte
		if err := scan(&hash, &bundle); err != nil {
			return err
		}
		if err := sameForm(hash, bundle); err != nil {
			v.add("the kept definition %.12s… is not what it was", hash)
		}
		return nil
	}))
}

// verifyObjects opens every sealed object.
func (s *Store) verifyObjects(ctx context.Context, v *Verified) error {
	var last int64 = -1 << 62
	for {
		n := 0
		err := s.all(ctx, `SELECT o.id, o.kind, o.sealed, coalesce(k.wrapped, $3), coalesce(k.kek, 0) FROM objects o LEFT JOIN object_keys k ON k.object = o.id
			WHERE o.id > $1 ORDER BY o.id LIMIT $2`, []any{last, 200, []byte{}}, func(scan func(...any) error) error {
			var kind string
			var sealed, wrapped []byte
			var k int
			if err := scan(&last, &kind, &sealed, &wrapped, &k); err != nil {
				return err
			}
			n++
			if _, err := s.unseal(last, kind, sealed, wrapped); err != nil || k != kek {
				v.add("the sealed content %d (%s) was changed", last, kind)
			}
			return nil
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// verifyDocuments compares every version of every document with what the ledger remembers of its issue.
func (s *Store) verifyDocuments(ctx context.Context, v *Verified) error {
	var refs []caseforms.Ref
	err := s.all(ctx, `SELECT ref FROM documents ORDER BY ref`, nil, func(scan func(...any) error) error {
		var r caseforms.Ref
		err := scan(&r)
		refs = append(refs, r)
		return err
	})
	if err != nil {
		return err
	}
	for _, ref := range refs {
		v.Documents++
		if err := v.note(s.VerifyDocument(ctx, v, ref)); err != nil {
			return err
		}
	}
	var missing int64
	_, err = s.one(ctx, `SELECT (SELECT count(*) FROM versions v WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.ref = v.ref))
		+ (SELECT count(*) FROM files f WHERE NOT EXISTS (SELECT 1 FROM versions v WHERE v.ref = f.ref AND v.version = f.version))`, nil, &missing)
	if missing > 0 {
		v.add("%d rows of documents belong to no document", missing)
	}
	if err != nil {
		return err
	}
	// What was issued must still be there.
	head, _, _, err := s.head(ctx)
	if err != nil {
		return err
	}
	return s.eachRecord(ctx, 0, head.size, func(r rawRecord) error {
		rec, err := s.readRecord(r)
		if err != nil || rec.Ref == "" || rec.Version == 0 {
			return nil
		}
		// Of an erased document it is not known any more which of its records is that of the issue, but there must be one.
		entry, n := int64(-1), int64(0)
		if rec.Detail["renderer"] != "" {
			entry = r.n
		}
		if _, err := s.one(ctx, `SELECT count(*) FROM versions WHERE ref = $1 AND version = $2 AND (entry = $3 OR $3 < 0)`, []any{string(rec.Ref), rec.Version, entry}, &n); err != nil {
			return err
		}
		if n == 0 {
			v.add("version %d of %s was issued and is gone", rec.Version, rec.Ref)
		}
		return nil
	})
}

// steadily checks something that takes several looks. What is found while somebody changes the store is looked at once more, because it may
// only have been changed in between.
func (s *Store) steadily(ctx context.Context, v *Verified, check func(*Verified) error) error {
	size := func() (n int64, err error) {
		_, err = s.one(ctx, `SELECT size FROM ledger_head`, nil, &n)
		return n, err
	}
	for try := 0; ; try++ {
		before, err := size()
		if err != nil {
			return err
		}
		found := &Verified{}
		err = found.note(check(found))
		if err == nil && len(found.Problems) > 0 && try < 8 {
			after, err := size()
			if err != nil {
				return err
			}
			if after != before {
				continue
			}
		}
		v.Files += found.Files
		for _, p := range found.Problems {
			v.add("%s", p)
		}
		return err
	}
}

// VerifyDocument compares one document with the ledger, and its contents with the sums there.
func (s *Store) VerifyDocument(ctx context.Context, v *Verified, ref caseforms.Ref) error {
	if _, err := s.Document(ctx, ref); err != nil {
		return err
	}
	return s.steadily(ctx, v, func(v *Verified) error { return s.verifyDocument(ctx, v, ref) })
}

func (s *Store) verifyDocument(ctx context.Context, v *Verified, ref caseforms.Ref) error {
	d, err := s.Document(ctx, ref)
	if err != nil {
		return err
	}
	var latest int64
	if _, err := s.one(ctx, `SELECT latest FROM documents WHERE ref = $1`, []any{string(ref)}, &latest); err != nil {
		return err
	}
	if int(latest) != len(d.Versions) || !d.Created.Equal(d.Versions[0].Issued) {
		v.add("%s: its versions are not those that were issued", ref)
	}
	for i := range d.Versions {
		ver := &d.Versions[i]
		where := fmt.Sprintf("%s version %d", ref, ver.Number)
		rec, err := s.Prove(ctx, ver.Entry)
		if err != nil {
			if err := v.note(err); err != nil {
				return err
			}
			v.add("%s: its record in the ledger cannot be proved", where)
			continue
		}
		v.Files += len(ver.Files)
		if rec.Ref != ref || rec.Version != ver.Number || ver.Number != i+1 || rec.Case != d.Case || rec.Actor != ver.IssuedBy || !rec.At.Equal(ver.Issued) {
			v.add("%s: who issued it, when, or of which case was changed", where)
		}
		if rec.Erased || !ver.Erased.IsZero() {
			whole := rec.Erased && !ver.Erased.IsZero() && ver.record == 0 && ver.answers == 0
			for j := range ver.Files {
				whole = whole && ver.Files[j].Sum == nil && ver.Files[j].object == 0
			}
			if !whole {
				v.add("%s: its erasure is not whole", where)
			} else if ok, err := s.erasedAt(ctx, ver.Erased, d.Case, ref); err != nil {
				return err
			} else if !ok {
				v.add("%s: the ledger tells of no erasure at that time", where)
			}
			continue
		}
		want := map[string]string{"form": d.Form, "copy": d.Copy, "form version": ver.FormVersion, "area": ver.Area, "definition": ver.Definition, "renderer": ver.Renderer}
		for key, have := range want {
			if rec.Detail[key] != have {
				v.add("%s: its %s was changed", where, key)
			}
		}
		s.verifyContent(ctx, v, where+": its case record", ver.record, kindRecord, d.Case, rec.Detail["record"], -1)
		s.verifyContent(ctx, v, where+": its answers", ver.answers, kindAnswers, d.Case, rec.Detail["answers"], -1)
		files := 0
		for key := range rec.Detail {
			if len(key) > 5 && key[:5] == "file " {
				files++
			}
		}
		if files != len(ver.Files) {
			v.add("%s: a file is missing or was added", where)
		}
		for j := range ver.Files {
			f := &ver.Files[j]
			sum := rec.Detail["file "+f.Format+" "+f.Profile]
			if hex.EncodeToString(f.Sum) != sum {
				v.add("%s: the sum of its %s was changed", where, f.Format)
			}
			s.verifyContent(ctx, v, where+": its "+f.Format, f.object, kindFile, d.Case, sum, f.Size)
		}
	}
	return nil
}

// verifyContent opens content and compares it with its sum, its size unless that is -1, and the case it belongs to.
func (s *Store) verifyContent(ctx context.Context, v *Verified, what string, id int64, kind string, of caseforms.CaseID, sum string, size int64) {
	data, err := s.object(ctx, id, kind)
	if err != nil {
		v.add("%s is missing or was changed", what)
		return
	}
	have := sha256.Sum256(data)
	if hex.EncodeToString(have[:]) != sum || size >= 0 && int64(len(data)) != size {
		v.add("%s is not what was issued", what)
	}
	var owner string
	if _, err := s.one(ctx, `SELECT coalesce(case_id, '') FROM objects WHERE id = $1`, []any{id}, &owner); err != nil || owner != string(of) {
		v.add("%s belongs to another case", what)
	}
}

// erasedAt tells whether the ledger has an erasure of a case, or of one of its documents unless that is "", of this time.
func (s *Store) erasedAt(ctx context.Context, at time.Time, of caseforms.CaseID, ref caseforms.Ref) (found bool, err error) {
	err = s.recordsOf(ctx, of, func(rec Record) {
		found = found || (rec.What == CaseErased || rec.What == DocumentErased && rec.Ref == ref) && rec.At.Equal(at)
	})
	return found, err
}

// recordsOf reads the records of a case. Those that were changed are told by who goes through the ledger for its own sake.
func (s *Store) recordsOf(ctx context.Context, id caseforms.CaseID, each func(Record)) error {
	return s.all(ctx, rawRecords+`l.case_id = $1 ORDER BY l.n`, []any{string(id)}, func(scan func(...any) error) error {
		r, err := scanRecord(scan)
		if err != nil {
			return err
		}
		if rec, err := s.readRecord(r); err == nil {
			each(rec)
		}
		return nil
	})
}

// verifyCases compares every case with the ledger: who made it and when, its record, and whether it was erased.
func (s *Store) verifyCases(ctx context.Context, v *Verified) error {
	last := ""
	for {
		var ids []string
		err := s.all(ctx, `SELECT id FROM cases WHERE id > $1 ORDER BY id LIMIT 1000`, []any{last}, func(scan func(...any) error) error {
			err := scan(&last)
			ids = append(ids, last)
			return err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := s.steadily(ctx, v, func(v *Verified) error { return s.verifyCase(ctx, v, caseforms.CaseID(id)) }); err != nil {
				return err
			}
		}
	}
}

func (s *Store) verifyCase(ctx context.Context, v *Verified, id caseforms.CaseID) error {
	c, err := s.FindCase(ctx, id)
	if err != nil {
		return err
	}
	var first *Record
	var sum string // of the record at the last issue
	erased := false
	err = s.recordsOf(ctx, id, func(rec Record) {
		if first == nil {
			first = &rec
		}
		if rec.Detail["renderer"] != "" {
			sum = rec.Detail["record"]
		} else if rec.Erased {
			sum = "" // it may have been the last issue
		}
		erased = erased || rec.What == CaseErased
	})
	if err != nil {
		return err
	}
	if first == nil || !first.At.Equal(c.Created) || first.Actor != c.CreatedBy {
		v.add("case %s: who made it, or when, was changed", id)
	}
	if erased || !c.Erased.IsZero() {
		if ok, err := s.erasedAt(ctx, c.Erased, id, ""); err != nil {
			return err
		} else if !ok || c.record != 0 || c.card != 0 || c.recordSum != nil {
			v.add("case %s: its erasure is not whole", id)
		}
		return nil
	}
	if sum == "" {
		sum = hex.EncodeToString(c.recordSum)
	}
	s.verifyContent(ctx, v, "case "+string(id)+": its record", c.record, kindRecord, id, sum, -1)
	if hex.EncodeToString(c.recordSum) != sum {
		v.add("case %s: the sum of its record was changed", id)
	}
	return nil
}

// verifyReceived checks that every message that came is there as it came, unless it was erased or thrown away.
func (s *Store) verifyReceived(ctx context.Context, v *Verified) error {
	head, _, _, err := s.head(ctx)
	if err != nil {
		return err
	}
	return s.eachRecord(ctx, 0, head.size, func(r rawRecord) error {
		rec, err := s.readRecord(r)
		if err != nil || !strings.HasPrefix(rec.What, MailCame) || rec.Erased {
			return nil // what cannot be read was told when the ledger was checked
		}
		sum, err := hex.DecodeString(rec.Detail["mail"])
		if err != nil {
			return nil
		}
		var id, size int64
		var of caseforms.CaseID
		var outcome string
		found, err := s.one(ctx, `SELECT id, size, coalesce(case_id, ''), outcome FROM received WHERE sum = $1`, []any{sum}, &id, &size, &of, &outcome)
		switch {
		case err != nil:
			return err
		case !found:
			v.add("a message came (record %d of the ledger) and is gone", r.n)
		case outcome != Erased && outcome != ThrownAway:
			s.verifyContent(ctx, v, fmt.Sprintf("the message of record %d of the ledger", r.n), id, kindMail, of, rec.Detail["mail"], size)
		}
		return nil
	})
}

// verifyRest checks that what belongs together is there.
func (s *Store) verifyRest(ctx context.Context, v *Verified) error {
	for _, c := range []struct{ what, query string }{
		{"the content of case %s is missing", `SELECT c.id FROM cases c WHERE erased_at IS NULL AND (NOT EXISTS (SELECT 1 FROM objects o WHERE o.id = c.record AND o.kind = 'record' AND o.case_id = c.id)
			OR NOT EXISTS (SELECT 1 FROM objects o WHERE o.id = c.card AND o.kind = 'card' AND o.case_id = c.id))`},
		{"case %s has no document", `SELECT c.id FROM cases c WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.case_id = c.id)`},
		{"the case of document %s is missing", `SELECT d.ref FROM documents d WHERE NOT EXISTS (SELECT 1 FROM cases c WHERE c.id = d.case_id)`},
		{"the content of draft %s is missing", `SELECT d.id FROM drafts d WHERE NOT EXISTS (SELECT 1 FROM objects o WHERE o.id = d.content AND o.kind = 'draft' AND o.case_id IS NOT DISTINCT FROM d.case_id)`},
		{"the reasons given in draft %s are missing", `SELECT d.id FROM drafts d WHERE d.reasons IS NOT NULL AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.id = d.reasons AND o.kind = 'reasons' AND o.case_id IS NOT DISTINCT FROM d.case_id)`},
		{"the content of an outbox item of %s is missing", `SELECT b.ref FROM outbox b JOIN cases c ON c.id = b.case_id WHERE c.erased_at IS NULL
			AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.id = b.payload AND o.kind = 'payload' AND o.case_id = b.case_id)
			AND EXISTS (SELECT 1 FROM versions v WHERE v.ref = b.ref AND v.version = b.version AND v.erased_at IS NULL)`},
		{"what was written down about a hand-off of %s is missing", `SELECT h.ref FROM handoffs h JOIN versions v ON v.ref = h.ref AND v.version = h.version AND v.erased_at IS NULL
			WHERE NOT EXISTS (SELECT 1 FROM objects o WHERE o.id = h.content AND o.kind = 'note' AND o.case_id = h.case_id)
			OR EXISTS (SELECT 1 FROM responses r WHERE r.handoff = h.id AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.id = r.content AND o.kind = 'note' AND o.case_id = h.case_id))`},
		{"the definition of %s is missing", `SELECT v.ref FROM versions v WHERE NOT EXISTS (SELECT 1 FROM definitions d WHERE d.hash = v.definition)`},
		{"the definition %.12s… belongs to no document", `SELECT hash FROM definitions WHERE hash NOT IN (SELECT definition FROM versions)`},
		{"the key of content %s is there and the content is not", `SELECT CAST(object AS TEXT) FROM object_keys WHERE object NOT IN (SELECT id FROM objects)`},
	} {
		err := s.all(ctx, c.query, nil, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			v.add(c.what, id)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
