package store

import (
	"context"
	"strings"
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
	Office    string // tells offices apart: the id, or a keyed hash of the address
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
	Trouble   Trouble   // the last one that was made somebody's duty
	By        string
	Created   time.Time
	Changed   time.Time

	content int64
	changes int
}

// ReasonRestored is the reason of what was held when the backup was made that was restored: nobody knows whether it was released since.
const ReasonRestored = "restored"

// SendState says whether a send is on its way. What became of it then, its item of the outbox tells.
type SendState string

const (
	SendHeld      SendState = "held"   // policy does not allow it
	SendQueued    SendState = "queued" // it has an item of the outbox
	SendWithdrawn SendState = "withdrawn"
)

// Trouble is why a send has to be seen to.
type Trouble string

const (
	TroubleHeld      Trouble = "held"
	TroubleUncertain Trouble = "uncertain"
	TroubleFailed    Trouble = "failed"   // refused, or given up
	TroubleReported  Trouble = "reported" // a server says that it did not arrive
	TroublePerhaps   Trouble = "perhaps"  // a message may say so
	TroubleWaiting   Trouble = "waiting"  // it has been in the outbox for too long
)

// ReportedPerhaps is what is reported of a send when a message may say that it did not arrive.
const ReportedPerhaps = "perhaps"

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
	put, err := t.changed(`INSERT INTO sends (id, ref, version, case_id, form, kind, recipient, office, state, reason, urgent, message, token, message_id, item, handoff, content, by_user, created_at, changed_at, changes)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0, $1, $16, $17, $17, 1) ON CONFLICT DO NOTHING`,
		n.ID, string(n.Ref), n.Version, string(n.Case), n.Form, n.Kind, n.Recipient, n.Office, string(n.State), n.Reason, number(n.Urgent), n.Message, n.Token, n.MessageID, item, n.By, t.at.UnixMilli())
	if err == nil && put == 0 {
		err = ErrTaken // the same is held for the same office already
	}
	if err != nil {
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

// PutSends puts sends in, all of them or none, and withdraws those that they replace, which are held or have not been taken up yet; one that is about to leave is left alone. ErrTaken
// when one of them was sent, or is held, already.
func (s *Store) PutSends(ctx context.Context, sends, replaced []NewSend) error {
	return s.distinct(func() error {
		sealed, err := s.sealSends(sends)
		if err != nil {
			return err
		}
		gone, err := s.sealSends(replaced)
		if err != nil {
			return err
		}
		return s.act(ctx, func(t *tx) error { return t.putSends(sealed, gone) })
	})
}

func (t *tx) putSends(sends, replaced []sealedSend) error {
	for i := range replaced {
		if err := t.withdraw(&replaced[i]); err != nil && err != ErrChanged {
			return err
		}
	}
	for i := range sends {
		if err := t.unerased(sends[i].Case); err != nil {
			return err
		}
		if err := t.putSend(&sends[i]); err != nil {
			return err
		}
	}
	return nil
}

// withdraw takes a send back that is held or has not been taken up; ErrChanged when it has.
func (t *tx) withdraw(n *sealedSend) error {
	if n.Send.Item != 0 {
		stopped, err := t.changed(`UPDATE outbox SET state = 'dead', said = 'withdrawn', changed_at = $1 WHERE id = $2 AND state = 'ready'`, t.at.UnixMilli(), n.Send.Item)
		if err == nil && stopped == 0 {
			err = ErrChanged
		}
		if err != nil {
			return err
		}
	}
	return t.changeSend(n)
}

// Withdraw takes a send back, with what that does to follow-ups. ErrChanged when it is about to leave, or has left.
func (s *Store) Withdraw(ctx context.Context, n NewSend, f Follow) error {
	return s.distinct(func() error {
		sealed, err := s.sealSends([]NewSend{n})
		if err != nil {
			return err
		}
		return s.act(ctx, func(t *tx) error {
			if err := t.withdraw(&sealed[0]); err != nil {
				return err
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
	changed, err := t.changed(`UPDATE sends SET state = $1, reason = $2, message = $3, token = $4, message_id = $5, item = $6, recipient = $7, content = $8, trouble = '', changed_at = $9, changes = changes + 1 WHERE id = $10 AND changes = $11`,
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
func (s *Store) HoldSend(ctx context.Context, it *Item, n NewSend) (moved bool, err error) {
	err = s.distinct(func() error {
		sealed, err := s.sealSends([]NewSend{n})
		if err != nil {
			return err
		}
		moved, err = s.move(ctx, it, it.State, Dead, time.Time{}, "held", func(t *tx) error { return t.changeSend(&sealed[0]) })
		return err
	})
	return moved, err
}

const sendColumns = `id, ref, version, case_id, form, kind, recipient, office, state, reason, urgent, message, token, message_id, item, handoff, reported, reported_at, trouble, content, by_user, created_at, changed_at, changes`

func scanSend(scan func(...any) error) (Send, error) {
	var n Send
	var report, created, changed int64
	err := scan(&n.ID, &n.Ref, &n.Version, &n.Case, &n.Form, &n.Kind, &n.Recipient, &n.Office, &n.State, &n.Reason, &n.Urgent, &n.Message, &n.Token, &n.MessageID, &n.Item, &n.HandOff, &n.Reported, &report, &n.Trouble,
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

// troubled are the sends that are in trouble, with the outbox as o: $1 is since when an urgent one may wait in it and $2 another, $3 since when
// what failed is of interest.
const troubled = `CASE WHEN s.state = 'held' THEN 'held' WHEN o.state = 'uncertain' THEN 'uncertain' WHEN o.state = 'dead' AND o.changed_at >= $3 THEN 'failed'
	WHEN o.state = 'sent' AND s.reported = 'failed' AND s.reported_at >= $3 THEN 'reported' WHEN o.state = 'sent' AND s.reported = 'perhaps' AND s.urgent = 1 AND s.reported_at >= $3 THEN 'perhaps'
	WHEN o.state IN ('ready', 'leased') AND (s.urgent = 1 AND (s.created_at < $1 OR o.said <> '') OR s.urgent = 0 AND s.created_at < $2) THEN 'waiting' ELSE '' END`

// candidates are the ids of sends that may be in trouble, by the indexes there are; since is the parameter that says since when what failed is of
// interest.
func candidates(since string) string {
	return `SELECT id FROM sends WHERE state = 'held'
	UNION SELECT s.id FROM outbox o JOIN sends s ON s.item = o.id AND s.item <> 0 WHERE o.state IN ('ready', 'leased', 'in_flight', 'uncertain')
	UNION SELECT s.id FROM outbox o JOIN sends s ON s.item = o.id AND s.item <> 0 WHERE o.state = 'dead' AND o.changed_at >= ` + since + `
	UNION SELECT id FROM sends WHERE reported <> '' AND reported_at >= ` + since
}

// Untold are the sends in trouble that nobody was made to see to yet, with what it is. urgent and other are since when those may be in the
// outbox, since is since when what failed is of interest.
func (s *Store) Untold(ctx context.Context, urgent, other, since time.Time) (out []Send, why []Trouble, err error) {
	err = s.all(ctx, `SELECT `+prefixed("s.", sendColumns)+`, `+troubled+` AS now FROM sends s LEFT JOIN outbox o ON o.id = s.item AND s.item <> 0
		WHERE s.id IN (`+candidates("$3")+`) AND s.state <> 'withdrawn' AND now <> '' AND now <> s.trouble ORDER BY s.urgent DESC, s.id`, []any{urgent.UnixMilli(), other.UnixMilli(), since.UnixMilli()},
		func(scan func(...any) error) error {
			var now Trouble
			n, err := scanSend(func(into ...any) error { return scan(append(into, &now)...) })
			out, why = append(out, n), append(why, now)
			return err
		})
	return out, why, err
}

// Told records that a trouble was made somebody's duty, in the act that does so.
func (s *Store) Told(ctx context.Context, n *Send, why Trouble, f Follow) error {
	return s.act(ctx, func(t *tx) error {
		changed, err := t.changed(`UPDATE sends SET trouble = $1, changes = changes + 1 WHERE id = $2 AND changes = $3`, string(why), n.ID, n.changes)
		if err == nil && changed == 0 {
			err = ErrChanged
		}
		if err != nil {
			return err
		}
		return t.follow(&f, nil)
	})
}

// OpenSends are the sends that are of interest to whoever watches the outbox: held, not yet sent, uncertain, or failed since a time; urgent ones first, at
// most so many. all is how many there are.
func (s *Store) OpenSends(ctx context.Context, since time.Time, most int) (out []Send, all int, err error) {
	which := ` FROM sends s LEFT JOIN outbox o ON o.id = s.item AND s.item <> 0 WHERE s.id IN (` + candidates("$1") + `) AND s.state <> 'withdrawn'
		AND (s.state = 'held' OR o.state IN ('ready', 'leased', 'in_flight', 'uncertain') OR o.state = 'dead' OR s.reported IN ('failed', 'delayed', 'perhaps'))`
	if _, err = s.one(ctx, `SELECT count(*)`+which, []any{since.UnixMilli()}, &all); err != nil {
		return nil, 0, err
	}
	err = s.all(ctx, `SELECT `+prefixed("s.", sendColumns)+which+` ORDER BY s.urgent DESC, s.id DESC LIMIT $2`, []any{since.UnixMilli(), most}, func(scan func(...any) error) error {
		n, err := scanSend(scan)
		out = append(out, n)
		return err
	})
	return out, all, err
}

// Unhanded are the sends that the relay has taken and that are no hand-offs yet.
func (s *Store) Unhanded(ctx context.Context) ([]Send, error) {
	return s.sends(ctx, `state = 'queued' AND handoff = 0 AND kind <> 'chase' AND item <> 0 AND EXISTS (SELECT 1 FROM outbox o WHERE o.id = sends.item AND o.state = 'sent')`)
}

// HandSend makes a send a hand-off that was not one yet.
func (s *Store) HandSend(ctx context.Context, n *Send, f *Follow) error {
	return s.distinct(func() error {
		content, err := s.sealFollow(f)
		if err != nil {
			return err
		}
		return s.act(ctx, func(t *tx) error {
			var handoff int64
			if _, err := t.row(`SELECT handoff FROM sends WHERE id = $1`, []any{n.ID}, &handoff); err != nil {
				return err
			}
			if handoff != 0 {
				return nil
			}
			return t.arrived(&Item{ID: n.Item}, f, content)
		})
	})
}

func prefixed(with, columns string) string {
	return with + strings.ReplaceAll(columns, ", ", ", "+with)
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
