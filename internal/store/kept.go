package store

import (
	"context"
	"time"
)

// KeptForms is what the names of forms begin with that somebody sent in vain. They may be about anybody, and go when anything is erased.
const KeptForms = "form "

// Keep keeps something sealed under a name, in place of what was kept under it. It is no record: it stands in no ledger, and goes by [Store.DropKept].
func (s *Store) Keep(ctx context.Context, name string, content []byte) error {
	return s.distinct(func() error {
		o, err := s.seal(kindKept, content)
		if err != nil {
			return err
		}
		return s.act(ctx, func(t *tx) error {
			if err := t.dropKept(`name = $1`, name); err != nil {
				return err
			}
			if err := t.put(o, ""); err != nil {
				return err
			}
			return t.exec(`INSERT INTO kept (name, kept_at, content) VALUES ($1, $2, $3)`, name, t.at.UnixMilli(), o.id)
		})
	})
}

// Kept is what is kept under a name, and since when; nil is nothing.
func (s *Store) Kept(ctx context.Context, name string) (content []byte, at time.Time, err error) {
	var id, ms int64
	found, err := s.one(ctx, `SELECT content, kept_at FROM kept WHERE name = $1`, []any{name}, &id, &ms)
	if err != nil || !found {
		return nil, at, err
	}
	content, err = s.object(ctx, id, kindKept)
	return content, fromMilli(ms), err
}

// DropKept destroys what is kept under a name.
func (s *Store) DropKept(ctx context.Context, name string) error {
	return s.act(ctx, func(t *tx) error { return t.dropKept(`name = $1`, name) })
}

// SweepKept destroys everything whose name begins with a prefix and that was kept at a time or before it.
func (s *Store) SweepKept(ctx context.Context, prefix string, until time.Time) error {
	return s.act(ctx, func(t *tx) error {
		return t.dropKept(`substr(name, 1, length($1)) = $1 AND kept_at <= $2`, prefix, until.UnixMilli())
	})
}

func (t *tx) dropKept(where string, args ...any) error {
	for _, q := range []string{
		`DELETE FROM object_keys WHERE object IN (SELECT content FROM kept WHERE ` + where + `)`,
		`DELETE FROM objects WHERE id IN (SELECT content FROM kept WHERE ` + where + `)`,
		`DELETE FROM kept WHERE ` + where,
	} {
		if err := t.exec(q, args...); err != nil {
			return err
		}
	}
	return nil
}
