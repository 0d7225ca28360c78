package store

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"caseforms"
)

func contentProblems(t *testing.T, s *Store) string {
	t.Helper()
	v, err := s.VerifyLedger(context.Background(), "")
	must(t, err)
	must(t, s.VerifyContents(context.Background(), v, func(string, []byte) error { return nil }))
	return strings.Join(v.Problems, "; ")
}

func taking(i Issue, raw string) TakeIn {
	sum := hexSum([]byte(raw))
	return TakeIn{
		Received: Received{Case: i.Case, Ref: i.Ref, Class: "reply", Mailbox: "m", Came: time.UnixMilli(5000), State: ReceivedNew, Send: 5}, Raw: []byte(raw), Content: []byte("{}"), Words: []byte(raw),
		Place: Place{1, 7}, Entry: &Entry{What: MailCame + ": reply", Actor: "scheduler", Case: i.Case, Ref: i.Ref, Detail: map[string]string{"mail": sum}},
	}
}

// A message is taken in once, with how far its mailbox was read, and stays as it came.
func TestTakeIn(t *testing.T) {
	t.Parallel()
	s, ctx := testStore(t), context.Background()
	i := issue(t, 100)
	i.Send = nil
	must(t, s.Issue(ctx, i))
	id, err := s.TakeIn(ctx, taking(i, "one"))
	must(t, err)
	again := taking(i, "one")
	again.Place.UID = 8
	if n, err := s.TakeIn(ctx, again); err != nil || n != 0 {
		t.Errorf("it was taken in twice: %d, %v", n, err)
	}
	if p, err := s.PlaceOf(ctx, "m"); err != nil || p != (Place{1, 8}) {
		t.Errorf("the place is %v, %v", p, err)
	}
	must(t, s.Reached(ctx, "m", Place{1, 3})) // somebody else is behind
	must(t, s.Reached(ctx, "other", Place{9, 9}))
	if p, _ := s.PlaceOf(ctx, "m"); p != (Place{1, 8}) {
		t.Errorf("the place went back to %v", p)
	}
	must(t, s.Reached(ctx, "m", Place{2, 1})) // the mailbox was made anew
	if p, _ := s.PlaceOf(ctx, "m"); p != (Place{2, 1}) {
		t.Errorf("the place is %v in the new mailbox", p)
	}
	same, twin, err := s.Already(ctx, "m", []byte("one"), []byte("one"), 5)
	if err != nil || !same || twin {
		t.Errorf("same %v, twin %v, %v", same, twin, err)
	}
	if same, twin, err = s.Already(ctx, "m", []byte("one with other trace fields"), []byte("one"), 5); err != nil || same || !twin {
		t.Errorf("same %v, twin %v, %v", same, twin, err)
	}
	r, err := s.ReceivedMail(ctx, id)
	must(t, err)
	if raw, err := s.RawMail(ctx, r); err != nil || !bytes.Equal(raw, []byte("one")) {
		t.Errorf("it is %q, %v", raw, err)
	}
	if ps := contentProblems(t, s); ps != "" {
		t.Errorf("problems: %s", ps)
	}
	// Whoever changes or removes it is found out.
	must(t, s.act(ctx, func(t *tx) error { return t.exec(`UPDATE received SET size = 4 WHERE number = $1`, id) }))
	if ps := contentProblems(t, s); !strings.Contains(ps, "the message of record") {
		t.Errorf("a changed message gives %q", ps)
	}
	must(t, s.act(ctx, func(t *tx) error { return t.exec(`DELETE FROM received WHERE number = $1`, id) }))
	if ps := contentProblems(t, s); !strings.Contains(ps, "a message came (record") {
		t.Errorf("a removed message gives %q", ps)
	}
}

// A message that belongs to nothing can be filed or thrown away; one of a case goes with the case.
func TestReceivedIsFiledAndErased(t *testing.T) {
	t.Parallel()
	s, ctx := testStore(t), context.Background()
	i := issue(t, 100)
	i.Send = nil
	must(t, s.Issue(ctx, i))
	stray := taking(i, "stray")
	stray.Case, stray.Ref, stray.Entry.Case, stray.Entry.Ref = "", "", "", ""
	id, err := s.TakeIn(ctx, stray)
	must(t, err)
	advert := taking(i, "advert")
	advert.Case, advert.Ref, advert.Entry.Case, advert.Entry.Ref = "", "", "", ""
	other, err := s.TakeIn(ctx, advert)
	must(t, err)

	r, err := s.ReceivedMail(ctx, id)
	must(t, err)
	old := *r
	r.Case, r.Ref = i.Case, i.Ref
	must(t, s.Follow(ctx, Follow{Message: r, Entries: []Entry{{What: "filed", Actor: "u-1", Case: i.Case, Ref: i.Ref}}}))
	if err := s.Follow(ctx, Follow{Message: &old}); !errors.Is(err, ErrChanged) {
		t.Errorf("it was filed twice at once: %v", err)
	}
	if err := s.DropReceived(ctx, *r, Entry{What: "thrown away", Actor: "u-1"}); !errors.Is(err, ErrChanged) {
		t.Errorf("a message of a case was thrown away: %v", err)
	}
	r, err = s.ReceivedMail(ctx, other)
	must(t, err)
	r.Outcome = ThrownAway
	must(t, s.DropReceived(ctx, *r, Entry{Acts: []Act{Erasure}, What: "thrown away", Actor: "u-1"}))
	gone := func(id int64) {
		t.Helper()
		r, err := s.ReceivedMail(ctx, id)
		must(t, err)
		if _, err := s.RawMail(ctx, r); err == nil {
			t.Error("its bytes are still there")
		}
	}
	gone(other)
	if ps := contentProblems(t, s); ps != "" {
		t.Errorf("problems: %s", ps)
	}
	must(t, s.Erase(ctx, i.Case, Entry{Acts: []Act{Erasure}, Actor: "u-1"}))
	gone(id)
	if same, _, err := s.Already(ctx, "m", []byte("stray"), nil, 0); err != nil || !same {
		t.Errorf("what was erased would be taken in again: %v", err)
	}
	late := taking(i, "late")
	if _, err := s.TakeIn(ctx, late); !errors.Is(err, ErrChanged) {
		t.Errorf("something was put into an erased case: %v", err)
	}
	if ps := contentProblems(t, s); ps != "" {
		t.Errorf("problems: %s", ps)
	}
}

// A send changes with its item, or not at all; what is held stands against an erasure.
func TestSends(t *testing.T) {
	t.Parallel()
	s, ctx := testStore(t), context.Background()
	i := issue(t, 100)
	i.Send = nil
	must(t, s.Issue(ctx, i))
	send := func(dedupe string) NewSend {
		n := NewSend{Send: Send{Ref: i.Ref, Version: 1, Case: i.Case, Form: "cp1", State: SendHeld, Reason: "no_policy", By: "u-1"}, Content: []byte("to whom"), Entry: Entry{What: "asked for", Actor: "u-1", Case: i.Case, Ref: i.Ref}}
		if dedupe != "" {
			n.State, n.Reason, n.Message, n.Token, n.MessageID, n.Item = SendQueued, "", "m-"+dedupe, "t-"+dedupe, "i-"+dedupe, &NewItem{Kind: "mail", Dedupe: dedupe, Payload: []byte(dedupe)}
		}
		return n
	}
	must(t, s.PutSends(ctx, []NewSend{send(""), send("a")}, nil))
	if err := s.PutSends(ctx, []NewSend{send("b"), send("a")}, nil); !errors.Is(err, ErrTaken) {
		t.Errorf("the same was queued twice: %v", err)
	}
	if err := s.PutSends(ctx, []NewSend{send("")}, nil); !errors.Is(err, ErrTaken) {
		t.Errorf("the same is held twice: %v", err)
	}
	if n, err := s.FindSend(ctx, ByToken, "t-b"); err != nil || n != nil {
		t.Errorf("half of an act is there: %v, %v", n, err)
	}
	all, err := s.Sends(ctx, i.Ref)
	must(t, err)
	if len(all) != 2 {
		t.Fatalf("%d sends", len(all))
	}
	must(t, s.Settle(ctx, doubtful(t, s), true, &Follow{HandOff: &HandOff{Ref: i.Ref, Version: 1, Case: i.Case, Form: "cp1", Channel: "email", State: HandOffOpen}, Content: []byte("to whom")}, Entry{What: "settled", Actor: "u-1"}))
	queued, err := s.FindSend(ctx, ByMessageID, "i-a")
	must(t, err)
	if queued.HandOff == 0 {
		t.Error("what was sent is no hand-off")
	}
	var e *caseforms.Error
	if err := s.Erase(ctx, i.Case, Entry{Actor: "u-1"}); !errors.As(err, &e) || e.Kind != caseforms.Held {
		t.Errorf("erased while something is held: %v", err)
	}
	next := NewSend{Send: all[0], Content: []byte("other"), Entry: Entry{What: "withdrawn", Actor: "u-1", Case: i.Case, Ref: i.Ref}}
	next.State = SendWithdrawn
	must(t, s.ChangeSend(ctx, next, Follow{}))
	if err := s.ChangeSend(ctx, next, Follow{}); !errors.Is(err, ErrChanged) {
		t.Errorf("changed twice: %v", err)
	}
	must(t, s.Erase(ctx, i.Case, Entry{Acts: []Act{Erasure}, Actor: "u-1"}))
	if _, err := s.SendContent(ctx, queued); err == nil {
		t.Error("to whom it went is still there")
	}
}

// doubtful is the one item that is due, as if it had left and nobody knew what became of it.
func doubtful(t *testing.T, s *Store) *Item {
	t.Helper()
	ctx := context.Background()
	items, err := s.Claim(ctx, 10, time.Minute)
	must(t, err)
	if len(items) != 1 {
		t.Fatalf("%d items are due", len(items))
	}
	it := &items[0]
	if ok, err := s.Begin(ctx, it); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if ok, err := s.Unclear(ctx, it, "broke", nil); err != nil || !ok {
		t.Fatal(ok, err)
	}
	return it
}
