package store

import (
	"context"
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"time"

	"caseforms"
)

func itoa(n int) string { return strconv.Itoa(n) }

// User is a person who works with the store.
type User struct {
	caseforms.Actor
	Login   string // how the person is known to the system they sign in to
	Active  bool
	Created time.Time
}

// NewUserID draws the id of a user. It says nothing about the person, so that the ledger can keep it for ever.
func (s *Store) NewUserID() (string, error) {
	var b [5]byte
	if _, err := io.ReadFull(s.rand, b[:]); err != nil {
		return "", err
	}
	return "u-" + hex.EncodeToString(b[:]), nil
}

// AddUser makes a user. A login that is in use is refused.
func (s *Store) AddUser(ctx context.Context, u User, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		n, err := t.changed(`INSERT INTO users (id, login, name, team, roles, active, created_at) VALUES ($1, $2, $3, $4, $5, 1, $6) ON CONFLICT DO NOTHING`,
			u.ID, u.Login, u.Name, u.Team, joinRoles(u.Roles), t.at.UnixMilli())
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrTaken
		}
		return t.append(e)
	})
}

// SetUser changes the name, team, roles and state of a user. Closing an account ends its sessions, and links for it.
func (s *Store) SetUser(ctx context.Context, u User, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		n, err := t.changed(`UPDATE users SET name = $1, team = $2, roles = $3, active = $4 WHERE id = $5`, u.Name, u.Team, joinRoles(u.Roles), number(u.Active), u.ID)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrChanged
		}
		if !u.Active { // when it is opened again, nothing of before comes back
			for _, table := range []string{"sessions", "sign_in_links"} {
				if err := t.exec(`DELETE FROM `+table+` WHERE user_id = $1`, u.ID); err != nil {
					return err
				}
			}
			if err := t.revokeKeys(u.ID); err != nil {
				return err
			}
		}
		return t.append(e)
	})
}

// Users are all users, by login.
func (s *Store) Users(ctx context.Context) (out []User, err error) {
	err = s.all(ctx, `SELECT id, login, name, team, roles, active, created_at FROM users ORDER BY login`, nil, func(scan func(...any) error) error {
		var u User
		var roles string
		var created int64
		err := scan(&u.ID, &u.Login, &u.Name, &u.Team, &roles, &u.Active, &created)
		u.Created = fromMilli(created)
		for _, r := range splitRoles(roles) {
			u.Roles = append(u.Roles, caseforms.Role(r))
		}
		out = append(out, u)
		return err
	})
	return out, err
}

// Names are the names of everybody, by id.
func (s *Store) Names(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	err := s.all(ctx, `SELECT id, name FROM users`, nil, func(scan func(...any) error) error {
		var id, name string
		err := scan(&id, &name)
		out[id] = name
		return err
	})
	return out, err
}

func joinRoles(rs []caseforms.Role) string {
	var names []string
	for _, r := range rs {
		names = append(names, string(r))
	}
	return strings.Join(names, ",")
}

func splitRoles(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}
