package store

import (
	"context"
	"slices"

	"caseforms"
)

// unsettled are the states of an item whose end is not known yet.
const unsettled = `('ready', 'leased', 'in_flight', 'uncertain')`

// Erase destroys the content of a case: its record, documents, drafts, what was sent, the details in the ledger, and what it could be found
// by. What stays are ids, times, and the records of the ledger, this erasure among them. It is refused while the case is held or
// something of it is still on its way (E.4).
func (s *Store) Erase(ctx context.Context, id caseforms.CaseID, e Entry) error {
	e.Case = id
	err := s.act(ctx, func(t *tx) error {
		var held bool
		found, err := t.row(`SELECT held FROM cases WHERE id = $1 AND erased_at IS NULL`, []any{string(id)}, &held)
		if err != nil {
			return err
		}
		if !found {
			return &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no case " + string(id) + " in this store, or it was erased already"}
		}
		if held {
			return &caseforms.Error{Kind: caseforms.Held, Msg: "the case is to be kept: a hold is set", Hint: "caseforms erase " + string(id) + " --release-hold, with the reason"}
		}
		if err := t.refuseUnsettled(`case_id = $1`, string(id)); err != nil {
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
			`UPDATE outbox SET said = '' WHERE case_id = $1`,
			`UPDATE files SET sum = NULL, object = NULL WHERE ref IN (SELECT ref FROM documents WHERE case_id = $1)`,
		} {
			if err := t.exec(q, string(id)); err != nil {
				return err
			}
		}
		if err := t.exec(`UPDATE versions SET record = NULL, answers = NULL, erased_at = $1 WHERE erased_at IS NULL AND ref IN (SELECT ref FROM documents WHERE case_id = $2)`, now, string(id)); err != nil {
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
	return s.tidyLog(ctx)
}

// EraseDocument destroys one document with all its versions; the case stays.
func (s *Store) EraseDocument(ctx context.Context, ref caseforms.Ref, e Entry) error {
	e.Ref = ref
	err := s.act(ctx, func(t *tx) error {
		var held bool
		found, err := t.row(`SELECT c.held, c.id FROM documents d JOIN cases c ON c.id = d.case_id WHERE d.ref = $1`, []any{string(ref)}, &held, &e.Case)
		if err != nil {
			return err
		}
		if !found {
			return &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no document " + string(ref) + " in this store"}
		}
		if held {
			return &caseforms.Error{Kind: caseforms.Held, Msg: "the case of this document is to be kept: a hold is set", Hint: "caseforms erase " + string(e.Case) + " --release-hold, with the reason"}
		}
		if err := t.refuseUnsettled(`ref = $1`, string(ref)); err != nil {
			return err
		}
		// A case record is shared by what was issued from it, and by the case while it is the newest.
		const theirs = `SELECT object FROM files WHERE ref = $1 AND object IS NOT NULL
			UNION SELECT answers FROM versions WHERE ref = $1 AND answers IS NOT NULL
			UNION SELECT payload FROM outbox WHERE ref = $1
			UNION SELECT record FROM versions v WHERE v.ref = $1 AND record IS NOT NULL
				AND NOT EXISTS (SELECT 1 FROM versions o WHERE o.record = v.record AND o.ref <> v.ref) AND NOT EXISTS (SELECT 1 FROM cases c WHERE c.record = v.record)`
		for _, q := range []string{
			`DELETE FROM objects WHERE id IN (` + theirs + `)`,
			`DELETE FROM object_keys WHERE object IN (` + theirs + `)`,
			`DELETE FROM ledger_details WHERE n IN (SELECT n FROM ledger WHERE ref = $1)`,
			`UPDATE outbox SET said = '' WHERE ref = $1`,
			`UPDATE files SET sum = NULL, object = NULL WHERE ref = $1`,
		} {
			if err := t.exec(q, string(ref)); err != nil {
				return err
			}
		}
		if err := t.exec(`UPDATE versions SET record = NULL, answers = NULL, erased_at = $1 WHERE ref = $2 AND erased_at IS NULL`, t.at.UnixMilli(), string(ref)); err != nil {
			return err
		}
		return t.append(e)
	})
	if err != nil {
		return err
	}
	return s.tidyLog(ctx)
}

func (t *tx) refuseUnsettled(where, id string) error {
	var open int64
	_, err := t.row(`SELECT count(*) FROM outbox WHERE `+where+` AND state IN `+unsettled, []any{id}, &open)
	if err == nil && open > 0 {
		err = &caseforms.Error{Kind: caseforms.Held, Msg: "something of it is still on its way, or it is not certain whether it arrived", Hint: "settle that first: caseforms outbox"}
	}
	return err
}

// tidyLog writes the database's own log back and empties it, so that what was erased does not stay there.
func (s *Store) tidyLog(ctx context.Context) error {
	return s.alone(func() error {
		_, err := s.conn.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
		return err
	})
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
