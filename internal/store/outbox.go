package store

import (
	"context"
	"encoding/binary"
	"io"
	"time"

	"caseforms"
)

// State is where an outbox item stands.
type State string

const (
	Ready     State = "ready"     // waits for its time
	Leased    State = "leased"    // somebody is about to deliver it; if they vanish, somebody else will
	InFlight  State = "in_flight" // it may be leaving right now: nobody else touches it
	Sent      State = "sent"
	Uncertain State = "uncertain" // nobody knows whether it left; a person, a receipt or an answer says
	Dead      State = "dead"      // it cannot be delivered, or was given up
)

// NewItem is something to be delivered. Dedupe is its identity: a second item with the same one is not made.
type NewItem struct {
	Kind    string
	Dedupe  string
	Payload []byte
	At      time.Time // not before; zero is at once
	Urgent  bool      // it leaves before others
}

// Item is something that is being delivered, or was.
type Item struct {
	ID      int64
	Ref     caseforms.Ref
	Version int
	Case    caseforms.CaseID
	Kind    string
	Dedupe  string
	State   State
	Attempt int // how often somebody took it up, this time included
	At      time.Time
	Said    string // what the other side said last
	Created time.Time
	Changed time.Time
	Left    time.Time // when it was about to leave; zero while it was not

	payload int64
	token   int64
}

type sealedItem struct {
	NewItem
	object *object
}

func (s *Store) sealItems(items []NewItem) ([]sealedItem, error) {
	out := make([]sealedItem, len(items))
	for i, it := range items {
		o, err := s.seal(kindPayload, it.Payload)
		if err != nil {
			return nil, err
		}
		out[i] = sealedItem{it, o}
	}
	return out, nil
}

// enqueue puts an item into the outbox; it is not new when something of the same identity was put there before.
func (t *tx) enqueue(it sealedItem, ref caseforms.Ref, version int, of caseforms.CaseID) (isNew bool, err error) {
	now := t.at.UnixMilli()
	at := now
	if !it.At.IsZero() {
		at = it.At.UnixMilli()
	}
	n, err := t.changed(`INSERT INTO outbox (id, ref, version, case_id, kind, dedupe, payload, state, run_at, created_at, changed_at, urgent)
		VALUES ($1, $2, $3, $4, $5, $6, $1, 'ready', $7, $8, $8, $9) ON CONFLICT (dedupe) DO NOTHING`,
		it.object.id, string(ref), version, string(of), it.Kind, it.Dedupe, at, now, number(it.Urgent))
	if err != nil || n == 0 {
		return false, err
	}
	return true, t.put(it.object, of)
}

// Enqueue puts something more about an issued document into the outbox, with its entry in the ledger.
func (s *Store) Enqueue(ctx context.Context, ref caseforms.Ref, version int, of caseforms.CaseID, it NewItem, e Entry) error {
	return s.distinct(func() error { return s.enqueueOnce(ctx, ref, version, of, it, e) })
}

func (s *Store) enqueueOnce(ctx context.Context, ref caseforms.Ref, version int, of caseforms.CaseID, it NewItem, e Entry) error {
	sealed, err := s.sealItems([]NewItem{it})
	if err != nil {
		return err
	}
	return s.act(ctx, func(t *tx) error {
		if err := t.unerased(of); err != nil {
			return err
		}
		isNew, err := t.enqueue(sealed[0], ref, version, of)
		if err != nil || !isNew {
			return err
		}
		return t.append(e)
	})
}

const itemColumns = `id, ref, version, case_id, kind, dedupe, state, attempt, run_at, said, created_at, changed_at, left_at, payload, lease_token`

func scanItem(scan func(...any) error) (Item, error) {
	var it Item
	var at, created, changed, left int64
	err := scan(&it.ID, &it.Ref, &it.Version, &it.Case, &it.Kind, &it.Dedupe, &it.State, &it.Attempt, &at, &it.Said, &created, &changed, &left, &it.payload, &it.token)
	it.At, it.Created, it.Changed, it.Left = fromMilli(at), fromMilli(created), fromMilli(changed), fromMilli(left)
	return it, err
}

// Claim takes up to so many items that are due, for so long. What was in flight under a lease that ran out becomes uncertain: whoever had
// it died in the middle.
func (s *Store) Claim(ctx context.Context, most int, lease time.Duration) (out []Item, err error) {
	var b [8]byte
	if _, err := io.ReadFull(s.rand, b[:]); err != nil {
		return nil, err
	}
	token := int64(binary.BigEndian.Uint64(b[:]) >> 1)
	err = s.act(ctx, func(t *tx) error {
		out = nil
		now := t.at.UnixMilli()
		var lost []Item
		err := t.rows(`UPDATE outbox SET state = 'uncertain', changed_at = $1 WHERE state = 'in_flight' AND lease_until < $1 RETURNING `+itemColumns,
			[]any{now}, func(scan func(...any) error) error {
				it, err := scanItem(scan)
				lost = append(lost, it)
				return err
			})
		if err != nil {
			return err
		}
		for _, it := range lost {
			if err := t.append(it.entry("send uncertain", caseforms.Scheduler().ID, nil)); err != nil {
				return err
			}
		}
		return t.rows(`UPDATE outbox SET state = 'leased', attempt = attempt + 1, lease_until = $1, lease_token = $2, changed_at = $3
			WHERE id IN (SELECT id FROM outbox WHERE run_at <= $3 AND state IN ('ready', 'leased') AND (state = 'ready' OR lease_until < $3) ORDER BY urgent DESC, run_at, id LIMIT $4)
			RETURNING `+itemColumns,
			[]any{now + lease.Milliseconds(), token, now, most}, func(scan func(...any) error) error {
				it, err := scanItem(scan)
				out = append(out, it)
				return err
			})
	})
	return out, err
}

// entry is what the ledger is to know of a step of an item.
func (it *Item) entry(what, actor string, detail map[string]string, acts ...Act) Entry {
	return Entry{Acts: acts, What: what, Actor: actor, Case: it.Case, Ref: it.Ref, Version: it.Version, Detail: detail}
}

// Payload is what an item carries.
func (s *Store) Payload(ctx context.Context, it *Item) ([]byte, error) {
	return s.object(ctx, it.payload, kindPayload)
}

// move changes the state of an item that is still whose it was, with what goes with it; moved is false when the lease ran out and it is
// somebody else's by now.
func (s *Store) move(ctx context.Context, it *Item, from, to State, at time.Time, said string, with func(*tx) error) (moved bool, err error) {
	err = s.act(ctx, func(t *tx) error {
		run := it.At
		if !at.IsZero() {
			run = at
		}
		n, err := t.changed(`UPDATE outbox SET state = $1, run_at = $2, said = $3, changed_at = $4 WHERE id = $5 AND state = $6 AND lease_token = $7`,
			string(to), run.UnixMilli(), said, t.at.UnixMilli(), it.ID, string(from), it.token)
		if err != nil {
			return err
		}
		if moved = n == 1; moved && with != nil {
			return with(t)
		}
		return nil
	})
	if err == nil && moved {
		it.State = to
	}
	return moved && err == nil, err
}

// ends moves an item with its entry in the ledger and what it does to follow-ups; f may be nil. ErrChanged when one of those is another by now.
func (s *Store) ends(ctx context.Context, it *Item, from, to State, said string, f *Follow, e Entry) (moved bool, err error) {
	err = s.distinct(func() error {
		content, err := s.sealFollow(f)
		if err != nil {
			return err
		}
		moved, err = s.move(ctx, it, from, to, time.Time{}, said, func(t *tx) error {
			if f != nil {
				if err := t.arrived(it, f, content); err != nil {
					return err
				}
			}
			return t.append(e)
		})
		return err
	})
	return moved, err
}

// arrived does what an item does to follow-ups. A hand-off that comes of it is that of its send.
func (t *tx) arrived(it *Item, f *Follow, content *object) error {
	if err := t.follow(f, content); err != nil || f.HandOff == nil {
		return err
	}
	return t.exec(`UPDATE sends SET handoff = $1, changes = changes + 1 WHERE item = $2`, f.HandOff.ID, it.ID)
}

// Begin marks a leased item as leaving. From then on only its outcome ends it, and if that never comes it is uncertain. It is called at
// the last moment before it could arrive, so that everything that fails before is simply tried again.
func (s *Store) Begin(ctx context.Context, it *Item) (bool, error) {
	return s.move(ctx, it, Leased, InFlight, time.Time{}, it.Said, func(t *tx) error {
		it.Left = t.at
		return t.exec(`UPDATE outbox SET left_at = $1 WHERE id = $2`, t.at.UnixMilli(), it.ID)
	})
}

// Delivered records that the other side took an item, what it said, and what that does to follow-ups.
func (s *Store) Delivered(ctx context.Context, it *Item, said string, detail map[string]string, f *Follow) (bool, error) {
	return s.ends(ctx, it, InFlight, Sent, said, f, it.entry("sent", caseforms.Scheduler().ID, withSaid(detail, said), Disclosure))
}

// Unclear records that nobody can tell whether an item arrived.
func (s *Store) Unclear(ctx context.Context, it *Item, said string, f *Follow) (bool, error) {
	return s.ends(ctx, it, InFlight, Uncertain, said, f, it.entry("send uncertain", caseforms.Scheduler().ID, withSaid(nil, said)))
}

// open tells whether an item has not come to its end. One of which nobody knows whether it arrived is ended by [Store.Settle] alone.
func (it *Item) open() bool {
	return it.State == Ready || it.State == Leased || it.State == InFlight
}

// Retry puts an item back that certainly did not arrive.
func (s *Store) Retry(ctx context.Context, it *Item, at time.Time, said string) (bool, error) {
	if !it.open() {
		return false, nil
	}
	return s.move(ctx, it, it.State, Ready, at, said, nil)
}

// GiveUp records that an item certainly did not arrive and will not.
func (s *Store) GiveUp(ctx context.Context, it *Item, said string, f *Follow) (bool, error) {
	if !it.open() {
		return false, nil
	}
	return s.ends(ctx, it, it.State, Dead, said, f, it.entry("send failed", caseforms.Scheduler().ID, withSaid(nil, said)))
}

func withSaid(detail map[string]string, said string) map[string]string {
	out := map[string]string{"said": said}
	for k, v := range detail {
		out[k] = v
	}
	return out
}

// Settle ends an uncertain item: it arrived, or it did not. It is never sent again by this; a new item would be.
func (s *Store) Settle(ctx context.Context, it *Item, arrived bool, f *Follow, e Entry) error {
	to := Dead
	if arrived {
		to = Sent
	}
	moved, err := s.ends(ctx, it, Uncertain, to, it.Said, f, e)
	if err == nil && !moved {
		err = ErrChanged
	}
	return err
}

// Items are the outbox items of a document, or when ref is "" those in one of the states, oldest first.
func (s *Store) Items(ctx context.Context, ref caseforms.Ref, states ...State) (out []Item, err error) {
	each := func(scan func(...any) error) error {
		it, err := scanItem(scan)
		out = append(out, it)
		return err
	}
	if ref != "" {
		return out, s.all(ctx, `SELECT `+itemColumns+` FROM outbox WHERE ref = $1 ORDER BY id`, []any{string(ref)}, each)
	}
	for _, st := range states {
		if err := s.all(ctx, `SELECT `+itemColumns+` FROM outbox WHERE state = $1 ORDER BY id LIMIT 1000`, []any{string(st)}, each); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Item reads one item.
func (s *Store) Item(ctx context.Context, id int64) (*Item, error) {
	var it *Item
	err := s.all(ctx, `SELECT `+itemColumns+` FROM outbox WHERE id = $1`, []any{id}, func(scan func(...any) error) error {
		v, err := scanItem(scan)
		it = &v
		return err
	})
	if err == nil && it == nil {
		err = &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no such item in the outbox"}
	}
	return it, err
}
