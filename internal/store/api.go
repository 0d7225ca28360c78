package store

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"
)

// APIKey is a key by which a program acts for a person. The key itself is with the program; here is its hash.
type APIKey struct {
	Hash    []byte
	ID      string // names it to people, and is no secret
	User    string
	Scopes  []string
	Test    bool
	By      string // who made it
	Made    time.Time
	Expires time.Time
	Used    time.Time // at most a minute before it was last used; zero when it never was
	Revoked time.Time // zero while it holds
}

// PutAPIKey keeps a key.
func (s *Store) PutAPIKey(ctx context.Context, k APIKey, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		err := t.exec(`INSERT INTO api_keys (hash, id, user_id, scopes, test, made_by, made_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			k.Hash, k.ID, k.User, strings.Join(k.Scopes, " "), number(k.Test), k.By, t.at.UnixMilli(), k.Expires.UnixMilli())
		if err != nil {
			return err
		}
		return t.append(e)
	})
}

const apiKeyColumns = `SELECT hash, id, user_id, scopes, test, made_by, made_at, expires_at, coalesce(used_at, 0), coalesce(revoked_at, 0) FROM api_keys `

func scanAPIKey(scan func(...any) error) (k APIKey, err error) {
	var scopes string
	var made, expires, used, revoked int64
	err = scan(&k.Hash, &k.ID, &k.User, &scopes, &k.Test, &k.By, &made, &expires, &used, &revoked)
	k.Scopes, k.Made, k.Expires = strings.Fields(scopes), fromMilli(made), fromMilli(expires)
	if used != 0 {
		k.Used = fromMilli(used)
	}
	if revoked != 0 {
		k.Revoked = fromMilli(revoked)
	}
	return k, err
}

// FindAPIKey is the key of a hash, whether or not it still holds; found is false when there is none.
func (s *Store) FindAPIKey(ctx context.Context, hash []byte) (k APIKey, found bool, err error) {
	err = s.all(ctx, apiKeyColumns+`WHERE hash = $1`, []any{hash}, func(scan func(...any) error) error {
		k, err = scanAPIKey(scan)
		found = true
		return err
	})
	return k, found, err
}

// APIKeys are the keys of a user, or of everybody when it is "", the latest first.
func (s *Store) APIKeys(ctx context.Context, user string) (out []APIKey, err error) {
	err = s.all(ctx, apiKeyColumns+`WHERE user_id = $1 OR $1 = '' ORDER BY made_at DESC, id`, []any{user}, func(scan func(...any) error) error {
		k, err := scanAPIKey(scan)
		out = append(out, k)
		return err
	})
	return out, err
}

// UseAPIKey notes that a key is in use.
func (s *Store) UseAPIKey(ctx context.Context, hash []byte, at time.Time) error {
	return s.act(ctx, func(t *tx) error {
		return t.exec(`UPDATE api_keys SET used_at = max(coalesce(used_at, 0), $2) WHERE hash = $1`, hash, at.UnixMilli())
	})
}

// revokeKeys ends every key of a user.
func (t *tx) revokeKeys(user string) error {
	return t.exec(`UPDATE api_keys SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL`, user, t.at.UnixMilli())
}

// RevokeAPIKey ends a key by its id; one that was ended already, or is none, is [ErrChanged].
func (s *Store) RevokeAPIKey(ctx context.Context, id string, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		n, err := t.changed(`UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL`, id, t.at.UnixMilli())
		if err != nil || n == 0 {
			return changedUnless(err)
		}
		return t.append(e)
	})
}

var (
	// ErrDone: what has a name was done before, and is not done again.
	ErrDone = errors.New("it was done before")
	// ErrOther: the name was given to something else.
	ErrOther = errors.New("the name was given to something else")
)

// Asked is a request that is to be done once.
type Asked struct {
	Done   bool
	Answer []byte // nil when none was kept
}

// Ask gives a request its name, or tells what became of it: key is its name and body what is asked, both as keyed hashes. With another body the
// name is [ErrOther].
func (s *Store) Ask(ctx context.Context, key, body []byte) (a Asked, err error) {
	err = s.act(ctx, func(t *tx) error {
		if err := t.exec(`INSERT INTO api_requests (key, body, asked_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, key, body, t.at.UnixMilli()); err != nil {
			return err
		}
		var was []byte
		if _, err := t.row(`SELECT body, done, answer FROM api_requests WHERE key = $1`, []any{key}, &was, &a.Done, &a.Answer); err != nil {
			return err
		}
		if !bytes.Equal(was, body) {
			return ErrOther
		}
		return nil
	})
	return a, err
}

// once marks a request as done; [ErrDone] when it is.
func (t *tx) once(key []byte) error {
	n, err := t.changed(`UPDATE api_requests SET done = 1 WHERE key = $1 AND done = 0`, key)
	if err == nil && n == 0 {
		err = ErrDone
	}
	return err
}

// Forget takes its name back from a request that was not done.
func (s *Store) Forget(ctx context.Context, key []byte) error {
	return s.act(ctx, func(t *tx) error { return t.exec(`DELETE FROM api_requests WHERE key = $1 AND done = 0`, key) })
}

// Answered keeps what was answered to a request. The first answer stays.
func (s *Store) Answered(ctx context.Context, key, answer []byte) error {
	return s.act(ctx, func(t *tx) error {
		return t.exec(`UPDATE api_requests SET answer = $2, done = 1 WHERE key = $1 AND answer IS NULL`, key, answer)
	})
}
