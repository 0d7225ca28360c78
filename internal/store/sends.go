package store

import (
	"context"
	"time"

	"caseforms"
)

// Send is a document that goes to one recipient by e-mail, or a chase of it.
type Send struct {
	ID        int64
	Ref       caseforms.Ref
	Version   int
	Case      caseforms.CaseID
	Form      string
	Kind      string // "" for a document; chase, correction
	Recipient string // its id in the directory; "" when it is not there
	State     SendState
	Reason    string // of one that is held: why, in a word
	Urgent    bool
	Message   string // what the message is called in the Message-ID and in reports; "" while it was never composed
	Token     string // in the address that is answered to
	MessageID string
	Item      int64 // of the outbox; 0 while it is held
	HandOff   int64 // 0 until the relay has taken it
	Reported  string
	Report    time.Time // when that was reported
	By        string
	Created   time.Time
	Changed   time.Time

	content int64
	changes int
}

// SendState says whether a send is on its way. What became of it then, its item of the outbox tells.
type SendState string

const (
	SendHeld      SendState = "held"   // policy does not allow it
	SendQueued    SendState = "queued" // it has an item of the outbox
	SendWithdrawn SendState = "withdrawn"
)

// NewSend is a send as it is put in: with what is known of it beside its columns, and with the item of the outbox unless it is held.
type NewSend struct {
	Send
	Content []byte
	Item    *NewItem
	Entry   Entry
}

type sealedSend struct {
	*NewSend
	content *object
	item    *sealedItem
}

func (s *Store) sealSends(sends []NewSend) ([]sealedSend, error) {
	out := make([]sealedSend, len(sends))
	for i := range sends {
		n := &sends[i]
		content, err := s.seal(kindNote, n.Content)
		if err != nil {
			return nil, err
		}
		out[i] = sealedSend{n, content, nil}
		if n.Item != nil {
			items, err := s.sealItems([]NewItem{*n.Item})
			if err != nil {
				return nil, err
			}
			out[i].item = &items[0]
		}
	}
	return out, nil
}

// putSend writes a send. One whose message is in the outbox already is ErrTaken.
func (t *tx) putSend(n *sealedSend) error {
	item, err := t.queueSend(n)
	if err != nil {
		return err
	}
	n.ID, n.Send.Item = n.content.id, item
	if err := t.put(n.content, n.Case); err != nil {
		return err
	}
	if err := t.exec(`INSERT INTO sends (id, ref, version, case_id, form, kind, recipient, state, reason, urgent, message, token, message_id, item, handoff, content, by_user, created_at, changed_at, changes)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, $1, $15, $16, $16, 1)`,
		n.ID, string(n.Ref), n.Version, string(n.Case), n.Form, n.Kind, n.Recipient, string(n.State), n.Reason, number(n.Urgent), n.Message, n.Token, n.MessageID, item, n.By, t.at.UnixMilli()); err != nil {
		return err
	}
	return t.append(n.Entry)
}

func (t *tx) queueSend(n *sealedSend) (int64, error) {
	if n.item == nil {
		return 0, nil
	}
	isNew, err := t.enqueue(*n.item, n.Ref, n.Version, n.Case)
	if err == nil && !isNew {
		err = ErrTaken
	}
	return n.item.object.id, err
}

// PutSends puts sends in, all of them or none, with what they do to follow-ups. ErrTaken when one of them was sent already.
func (s *Store) PutSends(ctx context.Context, sends []NewSend, f Follow) error {
	return s.distinct(func() error {
		sealed, err := s.sealSends(sends)
		if err != nil {
			return err
		}
		return s.act(ctx, func(t *tx) error {
			for i := range sealed {
				if err := t.unerased(sealed[i].Case); err != nil {
					return err
				}
				if err := t.putSend(&sealed[i]); err != nil {
					return err
				}
			}
			return t.follow(&f, nil)
		})
	})
}

// ChangeSend makes a send what it is to be, with what it does to follow-ups: a held one goes, is withdrawn, or stays held for another reason.
// ErrChanged when it is another by now.
func (s *Store) ChangeSend(ctx context.Context, n NewSend, f Follow) error {
	return s.distinct(func() error {
		sealed, err := s.sealSends([]NewSend{n})
		if err != nil {
			return err
		}
		return s.act(ctx, func(t *tx) error {
			if err := t.changeSend(&sealed[0]); err != nil {
				return err
			}
			return t.follow(&f, nil)
		})
	})
}

func (t *tx) changeSend(n *sealedSend) error {
	item, err := t.queueSend(n)
	if err != nil {
		return err
	}
	changed, err := t.changed(`UPDATE sends SET state = $1, reason = $2, message = $3, token = $4, message_id = $5, item = $6, recipient = $7, content = $8, changed_at = $9, changes = changes + 1 WHERE id = $10 AND changes = $11`,
		string(n.State), n.Reason, n.Message, n.Token, n.MessageID, item, n.Recipient, n.content.id, t.at.UnixMilli(), n.ID, n.changes)
	if err == nil && changed == 0 {
		err = ErrChanged
	}
	if err != nil {
		return err
	}
	if err := t.put(n.content, n.Case); err != nil {
		return err
	}
	if err := t.destroy(n.Send.content); err != nil {
		return err
	}
	return t.append(n.Entry)
}

// HoldSend takes an item out of the outbox whose message policy does not allow any more, and holds its send. moved is false when the item is
// somebody else's by now.
func (s *Store) HoldSend(ctx context.Context, it *Item, n NewSend, f Follow) (moved bool, err error) {
	err = s.distinct(func() error {
		sealed, err := s.sealSends([]NewSend{n})
		if err != nil {
			return err
		}
		moved, err = s.move(ctx, it, it.State, Dead, time.Time{}, "held", func(t *tx) error {
			if err := t.changeSend(&sealed[0]); err != nil {
				return err
			}
			return t.follow(&f, nil)
		})
		return err
	})
	return moved, err
}

const sendColumns = `id, ref, version, case_id, form, kind, recipient, state, reason, urgent, message, token, message_id, item, handoff, reported, reported_at, content, by_user, created_at, changed_at, changes`

func scanSend(scan func(...any) error) (Send, error) {
	var n Send
	var report, created, changed int64
	err := scan(&n.ID, &n.Ref, &n.Version, &n.Case, &n.Form, &n.Kind, &n.Recipient, &n.State, &n.Reason, &n.Urgent, &n.Message, &n.Token, &n.MessageID, &n.Item, &n.HandOff, &n.Reported, &report,
		&n.content, &n.By, &created, &changed, &n.changes)
	n.Report, n.Created, n.Changed = fromMilli(report), fromMilli(created), fromMilli(changed)
	return n, err
}

func (s *Store) sends(ctx context.Context, where string, args ...any) (out []Send, err error) {
	err = s.all(ctx, `SELECT `+sendColumns+` FROM sends WHERE `+where+` ORDER BY id`, args, func(scan func(...any) error) error {
		n, err := scanSend(scan)
		out = append(out, n)
		return err
	})
	return out, err
}

// Sends are the sends of a document or of a case, oldest first.
func (s *Store) Sends(ctx context.Context, of any) ([]Send, error) {
	switch id := of.(type) {
	case caseforms.Ref:
		return s.sends(ctx, `ref = $1`, string(id))
	case caseforms.CaseID:
		return s.sends(ctx, `case_id = $1`, string(id))
	}
	return nil, nil
}

// HeldSends are those that policy does not allow.
func (s *Store) HeldSends(ctx context.Context) ([]Send, error) { return s.sends(ctx, `state = 'held'`) }

// ReportedSends are those of which a report says so, since a time.
func (s *Store) ReportedSends(ctx context.Context, what string, since time.Time) ([]Send, error) {
	return s.sends(ctx, `reported = $1 AND reported_at >= $2`, what, since.UnixMilli())
}

// The keys by which a send is found.
const (
	ByItem      = "item"
	ByToken     = "token"
	ByMessage   = "message"
	ByMessageID = "message_id"
)

// FindSend finds a send by one of its keys; nil when there is none. When a message was sent again under the same name, it is the last.
func (s *Store) FindSend(ctx context.Context, key string, value any) (*Send, error) {
	where, ok := map[string]string{ByItem: `item = $1 AND item <> 0`, ByToken: `token = $1 AND token <> ''`, ByMessage: `message = $1 AND message <> ''`, ByMessageID: `message_id = $1 AND message_id <> ''`, "id": `id = $1`}[key]
	if !ok {
		return nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "a send has no key " + key}
	}
	found, err := s.sends(ctx, where, value)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[len(found)-1], nil
}

// SendContent is what is known of a send beside its columns.
func (s *Store) SendContent(ctx context.Context, n *Send) ([]byte, error) {
	return s.object(ctx, n.content, kindNote)
}
