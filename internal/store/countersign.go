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

// Countersign records what a manager said; it takes the place of what was said of the same issue before, which is seen; nil when nothing was. [ErrChanged]
// when by now it is something else.
func (s *Store) Countersign(ctx context.Context, c Countersignature, seen *Countersignature, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		query, args := `INSERT INTO countersignatures (ref, version, endorsed, by_id, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			[]any{string(c.Ref), c.Version, c.Endorsed, c.By, t.at.UnixMilli()}
		if seen != nil {
			query = `UPDATE countersignatures SET endorsed = $3, by_id = $4, at = $5 WHERE ref = $1 AND version = $2 AND endorsed = $6 AND by_id = $7 AND at = $8`
			args = append(args, seen.Endorsed, seen.By, seen.At.UnixMilli())
		}
		n, err := t.changed(query, args...)
		if err == nil && n == 0 {
			err = ErrChanged
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
