package store

import (
	"context"
	"io"
	"time"
)

// Factor is what somebody proves beside their password.
type Factor struct {
	Secret []byte
	Step   int64 // of the last code that was taken
	Set    time.Time
	Left   int // recovery codes
}

func factorBinding(user string) []byte { return []byte("second factor of " + user) }

// SecondFactor is that of a user; found is false when they have none.
func (s *Store) SecondFactor(ctx context.Context, user string) (f Factor, found bool, err error) {
	var sealed []byte
	var set int64
	found, err = s.one(ctx, `SELECT sealed, step, set_at, (SELECT count(*) FROM recovery_codes c WHERE c.user_id = f.user_id) FROM second_factors f WHERE user_id = $1`, []any{user}, &sealed, &f.Step, &set, &f.Left)
	if err != nil || !found {
		return f, found, err
	}
	f.Set = fromMilli(set)
	if len(sealed) < 12 {
		return f, true, errTampered
	}
	if f.Secret, err = s.key.details.Open(nil, sealed[:12], sealed[12:], factorBinding(user)); err != nil {
		return f, true, errTampered
	}
	return f, true, nil
}

// SetSecondFactor gives a user a factor and recovery codes in place of those they had, and ends their sessions but the one of an id. The first of
// a user is not set when they have one by now, which is [ErrChanged].
func (s *Store) SetSecondFactor(ctx context.Context, user, but string, first bool, f Factor, codes [][]byte, e Entry) error {
	nonce := make([]byte, 12)
	if _, err := io.ReadFull(s.rand, nonce); err != nil {
		return err
	}
	sealed := s.key.details.Seal(nonce, nonce, f.Secret, factorBinding(user))
	return s.act(ctx, func(t *tx) error {
		n, err := t.changed(`INSERT INTO second_factors (user_id, sealed, step, set_at) VALUES ($1, $2, $3, $4) ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, step = excluded.step, set_at = excluded.set_at WHERE $5 = 0`,
			user, sealed, f.Step, t.at.UnixMilli(), number(first))
		if err != nil || n == 0 {
			return changedUnless(err)
		}
		if err := t.recoveryCodes(user, codes); err != nil {
			return err
		}
		if err := t.exec(`DELETE FROM sessions WHERE user_id = $1 AND id <> $2`, user, but); err != nil {
			return err
		}
		return t.append(e)
	})
}

// SetRecoveryCodes gives a user codes in place of those they had. Without a factor it is [ErrChanged].
func (s *Store) SetRecoveryCodes(ctx context.Context, user string, codes [][]byte, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		var n int
		if found, err := t.row(`SELECT 1 FROM second_factors WHERE user_id = $1`, []any{user}, &n); err != nil || !found {
			return changedUnless(err)
		}
		if err := t.recoveryCodes(user, codes); err != nil {
			return err
		}
		return t.append(e)
	})
}

func (t *tx) recoveryCodes(user string, codes [][]byte) error {
	if err := t.exec(`DELETE FROM recovery_codes WHERE user_id = $1`, user); err != nil {
		return err
	}
	for _, c := range codes {
		if err := t.exec(`INSERT INTO recovery_codes (user_id, hash) VALUES ($1, $2)`, user, c); err != nil {
			return err
		}
	}
	return nil
}

// TakeStep takes a code of a step. One that was taken, or is older than one that was, is [ErrChanged].
func (s *Store) TakeStep(ctx context.Context, user string, step int64) error {
	return s.act(ctx, func(t *tx) error {
		n, err := t.changed(`UPDATE second_factors SET step = $2 WHERE user_id = $1 AND step < $2`, user, step)
		if err != nil || n == 0 {
			return changedUnless(err)
		}
		return nil
	})
}

// TakeRecoveryCode uses a recovery code up by its hash; none is [ErrChanged].
func (s *Store) TakeRecoveryCode(ctx context.Context, user string, hash []byte, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		n, err := t.changed(`DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2`, user, hash)
		if err != nil || n == 0 {
			return changedUnless(err)
		}
		return t.append(e)
	})
}

// DropSecondFactor takes a user's factor and its codes away and ends their sessions but the one of an id. With password it takes that away too, links that
// were made, and API keys. Nothing to take away is [ErrChanged].
func (s *Store) DropSecondFactor(ctx context.Context, user, but string, password bool, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		n, err := t.changed(`DELETE FROM second_factors WHERE user_id = $1`, user)
		if err != nil || n == 0 {
			return changedUnless(err)
		}
		tables := []string{"recovery_codes"}
		if password {
			tables = append(tables, "passwords", "sign_in_links")
			if err := t.revokeKeys(user); err != nil {
				return err
			}
		}
		for _, table := range tables {
			if err := t.exec(`DELETE FROM `+table+` WHERE user_id = $1`, user); err != nil {
				return err
			}
		}
		if err := t.exec(`DELETE FROM sessions WHERE user_id = $1 AND id <> $2`, user, but); err != nil {
			return err
		}
		return t.append(e)
	})
}
