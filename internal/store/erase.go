package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"caseforms"
)

// CaseErased and DocumentErased are what the ledger calls an erasure of everything of a case, or of a document.
const (
	CaseErased     = "case erased"
	DocumentErased = "document erased"
)

// unsettled are the states of an item whose end is not known yet.
const unsettled = `('ready', 'leased', 'in_flight', 'uncertain')`

// Erase destroys the content of a case: its record, documents, drafts, what was sent, the details in the ledger, and what it could be found
// by. What stays are ids, times, and the records of the ledger, this erasure among them. It is refused while the case is held or
// something of it is still on its way (E.4).
func (s *Store) Erase(ctx context.Context, id caseforms.CaseID, e Entry) error {
	return s.erase(ctx, id, false, e)
}

// erase is Erase; again when it is known to have been erased before, so that nothing can stand against it.
func (s *Store) erase(ctx context.Context, id caseforms.CaseID, again bool, e Entry) error {
	e.Case, e.What = id, CaseErased
	err := s.act(ctx, func(t *tx) error {
		var held bool
		found, err := t.row(`SELECT held FROM cases WHERE id = $1 AND erased_at IS NULL`, []any{string(id)}, &held)
		if err != nil {
			return err
		}
		if !found {
			return &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no case " + string(id) + " in this store, or it was erased already"}
		}
		if held && !again {
			return &caseforms.Error{Kind: caseforms.Held, Msg: "the case is to be kept: a hold is set", Hint: "caseforms erase " + string(id) + " --release-hold, with the reason"}
		}
		if err := t.settled(`case_id = $1`, string(id), again); err != nil {
			return err
		}
		now := t.at.UnixMilli()
		for _, q := range []string{
			`DELETE FROM object_keys WHERE object IN (SELECT id FROM objects WHERE case_id = $1)`,
			`DELETE FROM objects WHERE case_id = $1`,
			`DELETE FROM terms WHERE case_id = $1`,
			`DELETE FROM drafts WHERE case_id = $1`,
			`DELETE FROM case_access WHERE case_id = $1`,
			`DELETE FROM ledger_details WHERE n IN (SELECT n FROM ledger WHERE case_id = $1)`,
			`UPDATE outbox SET said = '', dedupe = 'erased ' || id WHERE case_id = $1`,
			`UPDATE sends SET recipient = '', office = '', token = '', message = '', message_id = '' WHERE case_id = $1`,
			`UPDATE received SET state = 'done', outcome = 'erased', words = x'' WHERE case_id = $1`,
			`UPDATE followups SET state = 'void', ended = 'erased' WHERE case_id = $1 AND state = 'open'`,
			`UPDATE followups SET subject = 'erased ' || id, about = '', how = '', from_day = 0 WHERE case_id = $1`,
			`UPDATE handoffs SET state = 'closed', outcome = '' WHERE case_id = $1`,
			`DELETE FROM countersignatures WHERE ref IN (SELECT ref FROM documents WHERE case_id = $1)`,
			`UPDATE files SET sum = NULL, object = NULL WHERE ref IN (SELECT ref FROM documents WHERE case_id = $1)`,
		} {
			if err := t.exec(q, string(id)); err != nil {
				return err
			}
		}
		if err := t.exec(`UPDATE versions SET record = NULL, answers = NULL, erased_at = $1 WHERE erased_at IS NULL AND ref IN (SELECT ref FROM documents WHERE case_id = $2)`, now, string(id)); err != nil {
			return err
		}
		if err := t.dropKept(`substr(name, 1, length($1)) = $1`, KeptForms); err != nil {
			return err
		}
		if err := t.exec(`UPDATE cases SET record = NULL, record_sum = NULL, card = NULL, erased_at = $1 WHERE id = $2`, now, string(id)); err != nil {
			return err
		}
		return t.append(e)
	})
	if err != nil {
		return err
	}
	s.tidyLog()
	return nil
}

// EraseDocument destroys one document with all its versions; the case stays.
func (s *Store) EraseDocument(ctx context.Context, ref caseforms.Ref, e Entry) error {
	return s.eraseDocument(ctx, ref, false, e)
}

func (s *Store) eraseDocument(ctx context.Context, ref caseforms.Ref, again bool, e Entry) error {
	e.Ref, e.What = ref, DocumentErased
	err := s.act(ctx, func(t *tx) error {
		var held bool
		found, err := t.row(`SELECT c.held, c.id FROM documents d JOIN cases c ON c.id = d.case_id WHERE d.ref = $1`, []any{string(ref)}, &held, &e.Case)
		if err != nil {
			return err
		}
		if !found {
			return &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no document " + string(ref) + " in this store"}
		}
		if held && !again {
			return &caseforms.Error{Kind: caseforms.Held, Msg: "the case of this document is to be kept: a hold is set", Hint: "caseforms erase " + string(e.Case) + " --release-hold, with the reason"}
		}
		if err := t.settled(`ref = $1`, string(ref), again); err != nil {
			return err
		}
		// A case record is shared by what was issued from it, and by the case while it is the newest.
		const theirs = `SELECT object FROM files WHERE ref = $1 AND object IS NOT NULL
			UNION SELECT answers FROM versions WHERE ref = $1 AND answers IS NOT NULL
			UNION SELECT payload FROM outbox WHERE ref = $1
			UNION SELECT content FROM handoffs WHERE ref = $1
			UNION SELECT content FROM sends WHERE ref = $1
			UNION SELECT id FROM received WHERE ref = $1
			UNION SELECT content FROM received WHERE ref = $1
			UNION SELECT r.content FROM responses r JOIN handoffs h ON h.id = r.handoff WHERE h.ref = $1
			UNION SELECT record FROM versions v WHERE v.ref = $1 AND record IS NOT NULL
				AND NOT EXISTS (SELECT 1 FROM versions o WHERE o.record = v.record AND o.ref <> v.ref) AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.record = v.record)`
		for _, q := range []string{
			`DELETE FROM objects WHERE id IN (` + theirs + `)`,
			`DELETE FROM object_keys WHERE object IN (` + theirs + `)`,
			`DELETE FROM ledger_details WHERE n IN (SELECT n FROM ledger WHERE ref = $1)`,
			`UPDATE outbox SET said = '', dedupe = 'erased ' || id WHERE ref = $1`,
			`UPDATE sends SET recipient = '', office = '', token = '', message = '', message_id = '' WHERE ref = $1`,
			`UPDATE received SET state = 'done', outcome = 'erased', words = x'' WHERE ref = $1`,
			`UPDATE followups SET state = 'void', ended = 'erased' WHERE ref = $1 AND state = 'open'`,
			`UPDATE followups SET subject = 'erased ' || id, about = '', how = '', from_day = 0 WHERE ref = $1`,
			`UPDATE handoffs SET state = 'closed', outcome = '' WHERE ref = $1`,
			`DELETE FROM countersignatures WHERE ref = $1`,
			`UPDATE files SET sum = NULL, object = NULL WHERE ref = $1`,
		} {
			if err := t.exec(q, string(ref)); err != nil {
				return err
			}
		}
		if err := t.dropKept(`substr(name, 1, length($1)) = $1`, KeptForms); err != nil {
			return err
		}
		if err := t.exec(`UPDATE versions SET record = NULL, answers = NULL, erased_at = $1 WHERE ref = $2 AND erased_at IS NULL`, t.at.UnixMilli(), string(ref)); err != nil {
			return err
		}
		return t.append(e)
	})
	if err != nil {
		return err
	}
	s.tidyLog()
	return nil
}

// settled refuses while something is on its way. When it is erased again, it was settled once; how is not known any more.
func (t *tx) settled(where, id string, again bool) error {
	if again {
		where = strings.ReplaceAll(where, "$1", "$2")
		if err := t.exec(`UPDATE sends SET state = 'withdrawn', changed_at = $1 WHERE `+where+` AND state = 'held'`, t.at.UnixMilli(), id); err != nil {
			return err
		}
		return t.exec(`UPDATE outbox SET state = 'dead', changed_at = $1 WHERE `+where+` AND state IN `+unsettled, t.at.UnixMilli(), id)
	}
	var open, held int64
	_, err := t.row(`SELECT count(*) FROM outbox WHERE `+where+` AND state IN `+unsettled, []any{id}, &open)
	if err == nil {
		_, err = t.row(`SELECT count(*) FROM sends WHERE `+where+` AND state = 'held'`, []any{id}, &held)
	}
	if err == nil && open+held > 0 {
		err = &caseforms.Error{Kind: caseforms.Held, Msg: "something of it is held or still on its way, or it is not certain whether it arrived", Hint: "settle that first: caseforms outbox"}
	}
	return err
}

// tidyLog writes the database's own log back and empties it, so that what was erased does not stay there. Somebody who is reading hinders
// that: then it is tried again for a while, and after every later act until it is done. The erasure itself is done and does not fail by it.
func (s *Store) tidyLog() {
	s.untidy.Store(true)
	for range 20 {
		if s.alone(func() error { s.emptyLog(); return nil }) != nil || !s.untidy.Load() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// emptyLog is called while no act is under way. It does not wait for those who are reading, because acts would wait with it.
func (s *Store) emptyLog() {
	ctx := context.Background()
	if _, err := s.conn.ExecContext(ctx, `PRAGMA busy_timeout=0`); err != nil {
		return
	}
	defer s.conn.ExecContext(ctx, busyTimeout)
	var busy, pages, written int
	if err := s.conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &written); err == nil && busy == 0 {
		s.untidy.Store(false)
	}
}

// LastErasure is when a case or a document was erased last; zero when none was.
func (s *Store) LastErasure(ctx context.Context) (time.Time, error) {
	var at int64
	if _, err := s.one(ctx, `SELECT max(coalesce((SELECT max(erased_at) FROM cases), 0), coalesce((SELECT max(erased_at) FROM versions), 0))`, nil, &at); err != nil || at == 0 {
		return time.Time{}, err
	}
	return fromMilli(at), nil
}

// Erasures are the cases and documents that were erased, so that they can be erased again in a store restored from an older backup.
func (s *Store) Erasures(ctx context.Context) (cases []caseforms.CaseID, refs []caseforms.Ref, err error) {
	ids, err := s.erasures(ctx)
	for id := range ids {
		if c, ok := caseforms.ParseCaseID(id); ok {
			cases = append(cases, c)
		} else {
			refs = append(refs, caseforms.Ref(id))
		}
	}
	slices.Sort(cases)
	slices.Sort(refs)
	return cases, refs, err
}
