package store

import (
	"context"
	"time"

	"caseforms"
)

// Countersignature is what a manager said of an issue of a document. The words are in the ledger.
type Countersignature struct {
	Ref      caseforms.Ref
	Version  int
	Endorsed bool // else it was sent back
	By       string
	At       time.Time
}

// Countersign records what a manager said; it takes the place of what was said of the same issue before. The same from the same manager once more is [ErrTaken].
func (s *Store) Countersign(ctx context.Context, c Countersignature, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		n, err := t.changed(`INSERT INTO countersignatures (ref, version, endorsed, by_id, at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (ref, version) DO UPDATE SET endorsed = excluded.endorsed, by_id = excluded.by_id, at = excluded.at WHERE endorsed <> excluded.endorsed OR by_id <> excluded.by_id`,
			string(c.Ref), c.Version, c.Endorsed, c.By, t.at.UnixMilli())
		if err == nil && n == 0 {
			err = ErrTaken
		}
		if err != nil {
			return err
		}
		return t.append(e)
	})
}

// Countersigned is what was said of an issue of a document; nil when nobody said anything.
func (s *Store) Countersigned(ctx context.Context, ref caseforms.Ref, version int) (*Countersignature, error) {
	c := &Countersignature{Ref: ref, Version: version}
	var at int64
	found, err := s.one(ctx, `SELECT endorsed, by_id, at FROM countersignatures WHERE ref = $1 AND version = $2`, []any{string(ref), version}, &c.Endorsed, &c.By, &at)
	if err != nil || !found {
		return nil, err
	}
	c.At = time.UnixMilli(at).UTC()
	return c, nil
}
