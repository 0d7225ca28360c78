package store

import (
	"context"
	"encoding/hex"
	"io"
	"time"

	"caseforms"
)

// Recipient is an office that documents go to.
type Recipient struct {
	ID           string
	Role         string // what the definitions call it: mash, conference_chair
	Organisation string
	Area         string // the authority or area it serves; "" is every one
	Channel      string // email, hand, post, telephone, portal
	Address      string // an e-mail address, a postal address, the address of a portal
	Phone        string
	Demonstrated caseforms.Date // when it was shown that the channel is secure
	How          string         // how that was shown
	Active       bool
	Version      int
	Changed      time.Time
	ChangedBy    string
}

// Policy says how an address, or every address of a domain, may be written to.
type Policy struct {
	Pattern      string // an address, or a domain
	Means        string
	Relay        string
	Demonstrated caseforms.Date // when it was shown for all of them that the way is secure
	How          string
	Why          string
	Changed      time.Time
	ChangedBy    string
}

// NewRecipientID draws the id of a recipient.
func (s *Store) NewRecipientID() (string, error) {
	var b [4]byte
	if _, err := io.ReadFull(s.rand, b[:]); err != nil {
		return "", err
	}
	return "r-" + hex.EncodeToString(b[:]), nil
}

// PutRecipients adds recipients, whose Version is 0, and changes those that are there, all of them or none. The entry is one for each.
func (s *Store) PutRecipients(ctx context.Context, rs []Recipient, entry func(Recipient) Entry) error {
	return s.act(ctx, func(t *tx) error {
		for _, r := range rs {
			var n int64
			var err error
			e := entry(r)
			if r.Version == 0 {
				n, err = t.changed(`INSERT INTO recipients (id, role, organisation, area, channel, address, phone, demonstrated, how, active, version, changed_at, changed_by)
					VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $12) ON CONFLICT DO NOTHING`,
					r.ID, r.Role, r.Organisation, r.Area, r.Channel, r.Address, r.Phone, dayNumber(r.Demonstrated), r.How, number(r.Active), t.at.UnixMilli(), e.Actor)
				if err == nil && n == 0 {
					err = ErrTaken
				}
			} else {
				n, err = t.changed(`UPDATE recipients SET role = $1, organisation = $2, area = $3, channel = $4, address = $5, phone = $6, demonstrated = $7, how = $8, active = $9, version = version + 1,
					changed_at = $10, changed_by = $11 WHERE id = $12 AND version = $13`,
					r.Role, r.Organisation, r.Area, r.Channel, r.Address, r.Phone, dayNumber(r.Demonstrated), r.How, number(r.Active), t.at.UnixMilli(), e.Actor, r.ID, r.Version)
				if err == nil && n == 0 {
					err = ErrChanged
				}
			}
			if err != nil {
				return err
			}
			if err := t.append(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// Recipients are all recipients, by role, area and organisation.
func (s *Store) Recipients(ctx context.Context) (out []Recipient, err error) {
	err = s.all(ctx, `SELECT id, role, organisation, area, channel, address, phone, demonstrated, how, active, version, changed_at, changed_by FROM recipients ORDER BY role, area, organisation, id`, nil,
		func(scan func(...any) error) error {
			var r Recipient
			var shown, changed int64
			err := scan(&r.ID, &r.Role, &r.Organisation, &r.Area, &r.Channel, &r.Address, &r.Phone, &shown, &r.How, &r.Active, &r.Version, &changed, &r.ChangedBy)
			if shown != 0 {
				r.Demonstrated = dayOf(shown)
			}
			r.Changed = fromMilli(changed)
			out = append(out, r)
			return err
		})
	return out, err
}

// SetPolicy sets how a pattern may be written to; with no means nothing may be sent to it any more.
func (s *Store) SetPolicy(ctx context.Context, p Policy, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		var err error
		if p.Means == "" {
			err = t.exec(`DELETE FROM policies WHERE pattern = $1`, p.Pattern)
		} else {
			err = t.exec(`INSERT INTO policies (pattern, means, relay, demonstrated, how, why, changed_at, changed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
				ON CONFLICT (pattern) DO UPDATE SET means = excluded.means, relay = excluded.relay, demonstrated = excluded.demonstrated, how = excluded.how, why = excluded.why,
				changed_at = excluded.changed_at, changed_by = excluded.changed_by`,
				p.Pattern, p.Means, p.Relay, dayNumber(p.Demonstrated), p.How, p.Why, t.at.UnixMilli(), e.Actor)
		}
		if err != nil {
			return err
		}
		return t.append(e)
	})
}

// Policies are all policies, by pattern.
func (s *Store) Policies(ctx context.Context) (out []Policy, err error) {
	err = s.all(ctx, `SELECT pattern, means, relay, demonstrated, how, why, changed_at, changed_by FROM policies ORDER BY pattern`, nil, func(scan func(...any) error) error {
		var p Policy
		var shown, changed int64
		err := scan(&p.Pattern, &p.Means, &p.Relay, &shown, &p.How, &p.Why, &changed, &p.ChangedBy)
		if shown != 0 {
			p.Demonstrated = dayOf(shown)
		}
		p.Changed = fromMilli(changed)
		out = append(out, p)
		return err
	})
	return out, err
}
