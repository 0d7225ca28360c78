package store

import (
	"context"
	"crypto/sha256"
	"time"

	"caseforms"
)

// Received is a message that came in.
type Received struct {
	ID        int64
	Number    int64            // by which people name it, from 1
	Case      caseforms.CaseID // "" while it belongs to none
	Ref       caseforms.Ref
	Send      int64 // what it belongs to; 0 is nothing yet
	Class     string
	Action    string // of a delivery report
	MatchedBy string
	Sure      string
	Verified  bool
	Mailbox   string
	Came      time.Time // as the mailbox says
	Taken     time.Time
	Size      int64
	State     ReceivedState
	Outcome   string // what was done with it

	content int64
	changes int
}

// ReceivedState says whether a person has still to look at a message.
type ReceivedState string

const (
	ReceivedNew  ReceivedState = "new"
	ReceivedDone ReceivedState = "done"
)

// MailCame is how the ledger's word begins for a message that was taken in; the sum of its bytes is in the detail, as "mail".
const MailCame = "mail came"

// The outcomes of messages whose bytes are gone.
const (
	Erased     = "erased"
	ThrownAway = "thrown away"
)

// Place is how far a mailbox was read.
type Place struct{ Validity, UID uint32 }

// TakeIn is the act of taking a message in: it, how far its mailbox was read with it, and what it does.
type TakeIn struct {
	Received
	Raw     []byte
	Content []byte // what was read of it
	Words   []byte // keyed hash of who wrote what; nil when it cannot be told
	Place   Place
	Report  string // what becomes of the send by it; "" is nothing
	Settle  *Settling
	Follow  Follow
	Entry   *Entry // nil when it belongs to nothing
}

// Settling ends an uncertain item by what came in.
type Settling struct {
	Item    *Item
	Arrived bool
	Entry   Entry
	Follow  *Follow // with the hand-off that it then is
}

// Already tells whether a message was taken in before: by its bytes, or by who wrote what in it about the same send.
func (s *Store) Already(ctx context.Context, mailbox string, raw, words []byte, send int64) (same, twin bool, err error) {
	var id int64
	sum := sha256.Sum256(raw)
	if same, err = s.one(ctx, `SELECT id FROM received WHERE mailbox = $1 AND sum = $2`, []any{mailbox, sum[:]}, &id); err != nil || same || len(words) == 0 || send == 0 {
		return same, false, err
	}
	twin, err = s.one(ctx, `SELECT id FROM received WHERE words = $1 AND send = $2 LIMIT 1`, []any{words, send}, &id)
	return false, twin, err
}

// TakeIn does it, altogether or not at all, and tells the number of the message; 0 when the same bytes are there already, and only the place is moved.
// ErrChanged when something it does was changed meanwhile.
func (s *Store) TakeIn(ctx context.Context, in TakeIn) (n int64, err error) {
	sum := sha256.Sum256(in.Raw)
	err = s.distinct(func() error {
		raw, err := s.seal(kindMail, in.Raw)
		if err != nil {
			return err
		}
		content, err := s.seal(kindNote, in.Content)
		if err != nil {
			return err
		}
		var handoff *object
		if in.Settle != nil {
			if handoff, err = s.sealFollow(in.Settle.Follow); err != nil {
				return err
			}
		}
		return s.act(ctx, func(t *tx) error {
			if in.Case != "" {
				if err := t.unerased(in.Case); err != nil {
					return err
				}
			}
			n, err := t.changed(`INSERT INTO received (id, number, case_id, ref, send, class, action, matched_by, sure, verified, mailbox, came_at, taken_at, size, sum, words, state, outcome, content, changes)
				VALUES ($1, (SELECT coalesce(max(number), 0) + 1 FROM received), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 1) ON CONFLICT (mailbox, sum) DO NOTHING`,
				raw.id, nullable(string(in.Case)), string(in.Ref), in.Send, in.Class, in.Action, in.MatchedBy, in.Sure, number(in.Verified), in.Mailbox, in.Came.UnixMilli(), t.at.UnixMilli(),
				len(in.Raw), sum[:], in.Words, string(in.State), in.Outcome, content.id)
			if err != nil {
				return err
			}
			if err := t.reached(in.Mailbox, in.Place); err != nil || n == 0 {
				return err
			}
			in.ID = raw.id
			if _, err := t.row(`SELECT number FROM received WHERE id = $1`, []any{in.ID}, &in.Number); err != nil {
				return err
			}
			for _, o := range []*object{raw, content} {
				if err := t.put(o, in.Case); err != nil {
					return err
				}
			}
			if in.Report != "" {
				if err := t.exec(`UPDATE sends SET reported = $1, reported_at = $2, changed_at = $2, changes = changes + 1 WHERE id = $3`, in.Report, t.at.UnixMilli(), in.Send); err != nil {
					return err
				}
			}
			if err := t.settle(in.Settle, handoff); err != nil {
				return err
			}
			if err := t.follow(&in.Follow, nil); err != nil {
				return err
			}
			if in.Entry != nil {
				return t.append(*in.Entry)
			}
			return nil
		})
	})
	return in.Number, err
}

func (t *tx) settle(g *Settling, handoff *object) error {
	if g == nil {
		return nil
	}
	to := Dead
	if g.Arrived {
		to = Sent
	}
	n, err := t.changed(`UPDATE outbox SET state = $1, changed_at = $2 WHERE id = $3 AND state = 'uncertain'`, string(to), t.at.UnixMilli(), g.Item.ID)
	if err == nil && n == 0 {
		err = ErrChanged
	}
	if err != nil {
		return err
	}
	if g.Follow != nil {
		if err := t.arrived(g.Item, g.Follow, handoff); err != nil {
			return err
		}
	}
	return t.append(g.Entry)
}

// reached moves the place of a mailbox. Another process may be further already.
func (t *tx) reached(mailbox string, p Place) error {
	return t.exec(`INSERT INTO mailboxes (name, validity, uid) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET uid = CASE WHEN mailboxes.validity = excluded.validity THEN max(mailboxes.uid, excluded.uid) ELSE excluded.uid END, validity = excluded.validity`,
		mailbox, int64(p.Validity), int64(p.UID))
}

// PlaceOf is how far a mailbox was read.
func (s *Store) PlaceOf(ctx context.Context, mailbox string) (p Place, err error) {
	_, err = s.one(ctx, `SELECT validity, uid FROM mailboxes WHERE name = $1`, []any{mailbox}, &p.Validity, &p.UID)
	return p, err
}

// fileReceived makes a message what it is to be: what it belongs to, what was done with it. ErrChanged when it is another by now.
func (t *tx) fileReceived(r *Received) error {
	if err := t.unerased(r.Case); err != nil {
		return err
	}
	n, err := t.changed(`UPDATE received SET case_id = $1, ref = $2, send = $3, matched_by = $4, sure = $5, verified = $6, state = $7, outcome = $8, changes = changes + 1 WHERE id = $9 AND changes = $10`,
		nullable(string(r.Case)), string(r.Ref), r.Send, r.MatchedBy, r.Sure, number(r.Verified), string(r.State), r.Outcome, r.ID, r.changes)
	if err == nil && n == 0 {
		err = ErrChanged
	}
	if err != nil {
		return err
	}
	return t.exec(`UPDATE objects SET case_id = $1 WHERE id IN ($2, $3)`, nullable(string(r.Case)), r.ID, r.content)
}

// DropReceived destroys a message that belongs to nothing; that it came stays known, so that it is not taken in again.
func (s *Store) DropReceived(ctx context.Context, r Received, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		n, err := t.changed(`UPDATE received SET state = 'done', outcome = $1, changes = changes + 1 WHERE id = $2 AND changes = $3 AND case_id IS NULL`, r.Outcome, r.ID, r.changes)
		if err == nil && n == 0 {
			err = ErrChanged
		}
		if err != nil {
			return err
		}
		for _, id := range []int64{r.ID, r.content} {
			if err := t.destroy(id); err != nil {
				return err
			}
		}
		return t.append(e)
	})
}

const receivedColumns = `id, number, coalesce(case_id, ''), ref, send, class, action, matched_by, sure, verified, mailbox, came_at, taken_at, size, state, outcome, content, changes`

func (s *Store) received(ctx context.Context, where string, args ...any) (out []Received, err error) {
	err = s.all(ctx, `SELECT `+receivedColumns+` FROM received WHERE `+where+` ORDER BY id`, args, func(scan func(...any) error) error {
		var r Received
		var came, taken int64
		err := scan(&r.ID, &r.Number, &r.Case, &r.Ref, &r.Send, &r.Class, &r.Action, &r.MatchedBy, &r.Sure, &r.Verified, &r.Mailbox, &came, &taken, &r.Size, &r.State, &r.Outcome, &r.content, &r.changes)
		r.Came, r.Taken = fromMilli(came), fromMilli(taken)
		out = append(out, r)
		return err
	})
	return out, err
}

// ReceivedOf are the messages that came about a document or a case, oldest first.
func (s *Store) ReceivedOf(ctx context.Context, of any) ([]Received, error) {
	switch id := of.(type) {
	case caseforms.Ref:
		return s.received(ctx, `ref = $1`, string(id))
	case caseforms.CaseID:
		return s.received(ctx, `case_id = $1`, string(id))
	}
	return nil, nil
}

// NewReceived are those that a person has still to look at, at most so many: what belongs to a document before the rest, oldest first. all is how
// many there are.
func (s *Store) NewReceived(ctx context.Context, most int) (out []Received, all int, err error) {
	if _, err = s.one(ctx, `SELECT count(*) FROM received WHERE state = 'new'`, nil, &all); err != nil {
		return nil, 0, err
	}
	out, err = s.received(ctx, `id IN (SELECT id FROM received WHERE state = 'new' ORDER BY case_id IS NULL, id LIMIT $1)`, most)
	return out, all, err
}

// ReceivedMail reads one by its number.
func (s *Store) ReceivedMail(ctx context.Context, number int64) (*Received, error) {
	found, err := s.received(ctx, `number = $1`, number)
	if err == nil && len(found) == 0 {
		err = &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no such message in the inbox", Hint: "caseforms inbox lists them"}
	}
	if err != nil {
		return nil, err
	}
	return &found[0], nil
}

// RawMail is a message as it came.
func (s *Store) RawMail(ctx context.Context, r *Received) ([]byte, error) {
	return s.object(ctx, r.ID, kindMail)
}

// ReceivedContent is what was read of a message.
func (s *Store) ReceivedContent(ctx context.Context, r *Received) ([]byte, error) {
	return s.object(ctx, r.content, kindNote)
}

// Reached moves the place of a mailbox past a message that is there already.
func (s *Store) Reached(ctx context.Context, mailbox string, p Place) error {
	return s.act(ctx, func(t *tx) error { return t.reached(mailbox, p) })
}
