package store

import (
	"context"
	"time"

	"caseforms"
)

// Session is somebody's being signed in. The token that proves it is with the browser; here is its hash.
type Session struct {
	Hash    []byte
	ID      string // names it to its owner
	User    string
	Means   string // by which they signed in
	Browser string // roughly which, for its owner to tell sessions apart
	Began   time.Time
	Seen    time.Time // at most a minute before the last request
	Proven  time.Time // when its owner proved in it who they are; zero is never, such as when a provider remembered them
}

// SignInLink is a link by which somebody sets a password, once. User is "" for the first admin of a store in which nobody is yet.
type SignInLink struct {
	Hash    []byte
	User    string
	By      string
	Expires time.Time
}

// UserByID is a user; found is false when there is none.
func (s *Store) UserByID(ctx context.Context, id string) (User, bool, error) {
	return s.user(ctx, `SELECT id, login, name, team, roles, active, created_at FROM users WHERE id = $1`, id)
}

// UserByLogin is the user of a login, however it is written; found is false when there is none.
func (s *Store) UserByLogin(ctx context.Context, login string) (User, bool, error) {
	return s.user(ctx, `SELECT id, login, name, team, roles, active, created_at FROM users WHERE lower(login) = lower($1)`, login)
}

func (s *Store) user(ctx context.Context, query, key string) (u User, found bool, err error) {
	var roles string
	var created int64
	found, err = s.one(ctx, query, []any{key}, &u.ID, &u.Login, &u.Name, &u.Team, &roles, &u.Active, &created)
	u.Created = fromMilli(created)
	for _, r := range splitRoles(roles) {
		u.Roles = append(u.Roles, caseforms.Role(r))
	}
	return u, found, err
}

// PasswordHash is the hash of somebody's password; "" when they have none.
func (s *Store) PasswordHash(ctx context.Context, user string) (hash string, err error) {
	_, err = s.one(ctx, `SELECT hash FROM passwords WHERE user_id = $1`, []any{user}, &hash)
	return hash, err
}

// HavePasswords tells whether anybody has a password.
func (s *Store) HavePasswords(ctx context.Context) (bool, error) {
	var n int
	_, err := s.one(ctx, `SELECT count(*) FROM passwords`, nil, &n)
	return n > 0, err
}

// PutSignInLink keeps a link. Earlier ones for the same user do not work any more.
func (s *Store) PutSignInLink(ctx context.Context, l SignInLink, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		if err := t.exec(`DELETE FROM sign_in_links WHERE user_id = $1`, l.User); err != nil {
			return err
		}
		err := t.exec(`INSERT INTO sign_in_links (hash, user_id, made_by, made_at, expires_at) VALUES ($1, $2, $3, $4, $5)`, l.Hash, l.User, l.By, t.at.UnixMilli(), l.Expires.UnixMilli())
		if err != nil {
			return err
		}
		return t.append(e)
	})
}

// FindSignInLink is the link of a hash; found is false when there is none, or it has expired.
func (s *Store) FindSignInLink(ctx context.Context, hash []byte) (l SignInLink, found bool, err error) {
	var expires int64
	found, err = s.one(ctx, `SELECT user_id, made_by, expires_at FROM sign_in_links WHERE hash = $1`, []any{hash}, &l.User, &l.By, &expires)
	l.Hash, l.Expires = hash, fromMilli(expires)
	return l, found && l.Expires.After(s.now()), err
}

// SetPassword is the password that a user gets.
type SetPassword struct {
	User User // made first when Make is set
	Make bool
	Hash string // of the password
	Link []byte // the hash of the link that is used up by it; nil is none
	Was  string // without a link: the hash of the password that it replaces
}

// SetPassword gives a user a password, uses the link up, and ends their sessions. A link that is used up or expired, or a password that
// is another by now, is [ErrChanged]; a login that is in use is [ErrTaken].
func (s *Store) SetPassword(ctx context.Context, p SetPassword, es ...Entry) error {
	return s.act(ctx, func(t *tx) error {
		if p.Link != nil {
			n, err := t.changed(`DELETE FROM sign_in_links WHERE hash = $1 AND expires_at > $2`, p.Link, t.at.UnixMilli())
			if err != nil || n == 0 {
				return changedUnless(err)
			}
		} else {
			var was string
			if found, err := t.row(`SELECT hash FROM passwords WHERE user_id = $1`, []any{p.User.ID}, &was); err != nil || !found || was != p.Was {
				return changedUnless(err)
			}
		}
		if p.Make {
			n, err := t.changed(`INSERT INTO users (id, login, name, team, roles, active, created_at) SELECT $1, $2, $3, $4, $5, 1, $6 WHERE NOT EXISTS (SELECT 1 FROM users)`,
				p.User.ID, p.User.Login, p.User.Name, p.User.Team, joinRoles(p.User.Roles), t.at.UnixMilli())
			if err != nil {
				return err
			}
			if n == 0 {
				return ErrTaken
			}
		}
		err := t.exec(`INSERT INTO passwords (user_id, hash, set_at) VALUES ($1, $2, $3) ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, set_at = excluded.set_at`, p.User.ID, p.Hash, t.at.UnixMilli())
		if err != nil {
			return err
		}
		if err := t.exec(`DELETE FROM sessions WHERE user_id = $1`, p.User.ID); err != nil {
			return err
		}
		for _, e := range es {
			if err := t.append(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func changedUnless(err error) error {
	if err != nil {
		return err
	}
	return ErrChanged
}

// BeginSession keeps a session and ends the one it follows, nil being none.
func (s *Store) BeginSession(ctx context.Context, n Session, before []byte, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		if before != nil {
			if err := t.exec(`DELETE FROM sessions WHERE hash = $1`, before); err != nil {
				return err
			}
		}
		var proven int64
		if !n.Proven.IsZero() {
			proven = n.Proven.UnixMilli()
		}
		err := t.exec(`INSERT INTO sessions (hash, id, user_id, means, browser, began_at, seen_at, proven_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $7)`, n.Hash, n.ID, n.User, n.Means, n.Browser, n.Began.UnixMilli(), proven)
		if err != nil {
			return err
		}
		return t.append(e)
	})
}

const sessionColumns = `SELECT hash, id, user_id, means, browser, began_at, seen_at, proven_at FROM sessions `

func scanSession(scan func(...any) error) (n Session, err error) {
	var began, seen, proven int64
	err = scan(&n.Hash, &n.ID, &n.User, &n.Means, &n.Browser, &began, &seen, &proven)
	n.Began, n.Seen, n.Proven = fromMilli(began), fromMilli(seen), fromMilli(proven)
	return n, err
}

// FindSession is the session of a hash, whether or not its time is over; found is false when there is none.
func (s *Store) FindSession(ctx context.Context, hash []byte) (n Session, found bool, err error) {
	err = s.all(ctx, sessionColumns+`WHERE hash = $1`, []any{hash}, func(scan func(...any) error) error {
		n, err = scanSession(scan)
		found = true
		return err
	})
	return n, found, err
}

// Sessions are the sessions of a user, the latest first.
func (s *Store) Sessions(ctx context.Context, user string) (out []Session, err error) {
	err = s.all(ctx, sessionColumns+`WHERE user_id = $1 ORDER BY began_at DESC, id`, []any{user}, func(scan func(...any) error) error {
		n, err := scanSession(scan)
		out = append(out, n)
		return err
	})
	return out, err
}

// SeeSession notes that a session is in use.
func (s *Store) SeeSession(ctx context.Context, hash []byte, at time.Time) error {
	return s.act(ctx, func(t *tx) error {
		return t.exec(`UPDATE sessions SET seen_at = max(seen_at, $2) WHERE hash = $1`, hash, at.UnixMilli())
	})
}

// EndSession ends a session of a user by its id; none is [ErrChanged].
func (s *Store) EndSession(ctx context.Context, user, id string, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		n, err := t.changed(`DELETE FROM sessions WHERE user_id = $1 AND id = $2`, user, id)
		if err != nil || n == 0 {
			return changedUnless(err)
		}
		return t.append(e)
	})
}

// EndSessions ends all sessions of a user but the one of an id, and tells how many there were.
func (s *Store) EndSessions(ctx context.Context, user, but string, e Entry) (n int64, err error) {
	err = s.act(ctx, func(t *tx) error {
		var err error
		if n, err = t.changed(`DELETE FROM sessions WHERE user_id = $1 AND id <> $2`, user, but); err != nil || n == 0 {
			return err
		}
		return t.append(e)
	})
	return n, err
}

// SweepSessions takes away what is over: sessions that began or were last seen before the times given, and links that have expired.
func (s *Store) SweepSessions(ctx context.Context, began, seen time.Time) error {
	return s.act(ctx, func(t *tx) error {
		if err := t.exec(`DELETE FROM sessions WHERE began_at <= $1 OR seen_at <= $2`, began.UnixMilli(), seen.UnixMilli()); err != nil {
			return err
		}
		return t.exec(`DELETE FROM sign_in_links WHERE expires_at <= $1`, t.at.UnixMilli())
	})
}
