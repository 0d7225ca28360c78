package casework

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/mail"
)

// Parcel is something that is to be delivered.
type Parcel struct {
	store.Item
	Payload []byte
}

// Carrier takes parcels to where they go. It calls leaving at the last moment before the parcel could arrive, and not at all when it fails
// before; when leaving fails, it stops.
//
// An error before leaving, and a [NotDelivered] after it, means that the parcel certainly did not arrive. Any other error after leaving
// means that nobody knows, and it is never tried again by itself.
type Carrier interface {
	Carry(ctx context.Context, p Parcel, leaving func() error) (Carried, error)
}

// Carried is what there is to record of an attempt.
type Carried struct {
	Said   string            // the words of the other side, which are kept and shown
	Detail map[string]string // how it went, for the ledger: relay, TLS
}

// NotDelivered says that a parcel certainly did not arrive.
type NotDelivered struct {
	Said  string     // what the other side said
	Never bool       // trying again is of no use
	Held  *mail.Held // policy does not allow it any more
}

func (e *NotDelivered) Error() string { return "not delivered: " + e.Said }

// Delivery settings. A lease is longer than a delivery may take.
const (
	leaseTime    = 15 * time.Minute
	mostAttempts = 12
)

// delay is how long to wait after so many attempts: twice as long each time, from a minute to four hours, give or take a fifth, so that
// what failed together does not come back together.
func delay(attempt int) time.Duration {
	d := min(time.Minute<<min(max(attempt-1, 0), 10), 4*time.Hour)
	return d*4/5 + rand.N(d*2/5)
}

// errNotOurs says that the lease of a parcel ran out and somebody else has it.
var errNotOurs = errors.New("somebody else has it by now")

// Deliver takes what is due out of the outbox and has it carried, by so many workers at once, until nothing is due or the context ends. It
// tells how many were taken up. What did not get through is then somebody's duty.
func (k *Desk) Deliver(ctx context.Context, c Carrier, workers int) (taken int, err error) {
	for ctx.Err() == nil {
		var items []store.Item
		if items, err = k.store.Claim(ctx, workers, k.lease); err != nil || len(items) == 0 {
			break
		}
		taken += len(items)
		errs := make([]error, len(items))
		var all sync.WaitGroup
		for i := range items {
			all.Go(func() { errs[i] = k.carry(ctx, c, &items[i]) })
		}
		all.Wait()
		if err = errors.Join(errs...); err != nil {
			break
		}
	}
	done := context.WithoutCancel(ctx)
	return taken, errors.Join(err, k.settleProved(done), k.watch(done), ctx.Err())
}

// carry delivers one item and records what came of it. What came of it is recorded even when the context has ended meanwhile.
func (k *Desk) carry(ctx context.Context, c Carrier, it *store.Item) error {
	done := context.WithoutCancel(ctx)
	payload, err := k.store.Payload(ctx, it)
	if err != nil {
		if ctx.Err() != nil {
			return nil // its lease runs out, and somebody takes it up again
		}
		return k.failed(done, it, "its content cannot be read")
	}
	left := false
	got, err := c.Carry(ctx, Parcel{*it, payload}, func() error {
		ok, err := k.store.Begin(done, it)
		switch {
		case err != nil:
			return err
		case !ok:
			return errNotOurs
		}
		left = true
		return nil
	})
	var not *NotDelivered
	switch known := errors.As(err, &not); {
	case errors.Is(err, errNotOurs):
		return nil
	case err == nil && !left:
		err = errors.New("the carrier took it without saying that it leaves")
		return errors.Join(err, k.failed(done, it, err.Error()))
	case err == nil:
		return k.delivered(done, it, got)
	case left && !known:
		return k.unclear(done, it, "the connection broke before the other side had answered")
	case known && not.Held != nil:
		return k.holdItem(done, it, not.Held)
	case known && not.Never:
		return k.failed(done, it, not.Said)
	}
	said := "it could not be handed over"
	if not != nil {
		said = not.Said
	}
	if it.Attempt >= mostAttempts {
		return k.failed(done, it, said)
	}
	pause := delay(it.Attempt)
	if ctx.Err() != nil { // we stopped it; nothing is wrong with the other side
		pause = 0
	}
	_, err = k.store.Retry(done, it, k.store.Now().Add(pause), said)
	return err
}

// delivered records that an item was taken, and starts what that starts: the document is handed over, or its agency chased. That it was taken is
// recorded whatever else fails; a hand-off that could not be worked out is made up for by watch.
func (k *Desk) delivered(ctx context.Context, it *store.Item, got Carried) error {
	err := k.ended(ctx, it, true, func(f *store.Follow) error {
		_, err := k.store.Delivered(ctx, it, got.Said, got.Detail, f)
		return err
	})
	if err == nil {
		return nil
	}
	_, err = k.store.Delivered(ctx, it, got.Said, got.Detail, nil)
	return err
}

// unclear records that nobody knows whether an item arrived.
func (k *Desk) unclear(ctx context.Context, it *store.Item, said string) error {
	_, err := k.store.Unclear(ctx, it, said, nil)
	return err
}

// failed records that an item did not arrive and will not.
func (k *Desk) failed(ctx context.Context, it *store.Item, said string) error {
	_, err := k.store.GiveUp(ctx, it, said, nil)
	return err
}

// ended works out what it does to follow-ups that an item arrived, and does it. Somebody may change one of them at the same moment; then it is worked
// out again.
func (k *Desk) ended(ctx context.Context, it *store.Item, arrived bool, do func(*store.Follow) error) error {
	if !arrived {
		return again(do(nil))
	}
	return retried(func() error {
		f, err := k.arrival(ctx, it)
		if err != nil {
			return err
		}
		return do(f)
	})
}

// Proof is what settles an item of which nobody knew whether it arrived.
type Proof string

const (
	ByReceipt Proof = "receipt" // a report that it was delivered, or was not
	ByAnswer  Proof = "answer"  // somebody answered it
	ByPerson  Proof = "person"  // somebody asked
)

// Settle ends an uncertain item: it arrived, or it did not. It is never sent again by this.
func (k *Desk) Settle(ctx context.Context, a caseforms.Actor, item int64, arrived bool, by Proof, why string) error {
	it, err := k.store.Item(ctx, item)
	if err != nil {
		return err
	}
	if a.ID != caseforms.Scheduler().ID {
		c, err := k.store.FindCase(ctx, it.Case)
		if err != nil {
			return err
		}
		if err := k.see(ctx, a, c, "settle what was sent"); err != nil {
			return err
		}
	} else if by == ByPerson {
		return &caseforms.Error{Kind: caseforms.Forbidden, Msg: "the program itself settles nothing without a receipt or an answer"}
	}
	if it.State != store.Uncertain {
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "it is not uncertain whether this arrived: it " + Standing[it.State]}
	}
	if why = strings.TrimSpace(why); why == "" && by == ByPerson {
		return needsReason("settling what was sent")
	}
	return errors.Join(k.ended(ctx, it, arrived, func(f *store.Follow) error {
		return k.store.Settle(ctx, it, arrived, f, settled(it, arrived, a.ID, by, why))
	}), k.watch(ctx))
}

// UncertainOf is the item of a document of which nobody knows whether it arrived, to be settled; to says which of several.
func (k *Desk) UncertainOf(ctx context.Context, a caseforms.Actor, ref caseforms.Ref, to string) (int64, error) {
	if _, err := k.matter(ctx, a, ref, "settle what was sent"); err != nil {
		return 0, err
	}
	sends, err := k.store.Sends(ctx, ref)
	if err != nil {
		return 0, err
	}
	out, err := k.outgoings(ctx, sends)
	if err != nil {
		return 0, err
	}
	out = slices.DeleteFunc(out, func(o Outgoing) bool {
		return o.Standing != Doubtful || to != "" && to != o.Recipient && !strings.EqualFold(to, o.Organisation) && !strings.EqualFold(to, o.Address)
	})
	switch len(out) {
	case 0:
		return 0, &caseforms.Error{Kind: caseforms.NotFound, Msg: "nothing of " + string(ref) + " is uncertain", Hint: "caseforms outbox lists what is"}
	case 1:
		return out[0].Item, nil
	}
	return 0, &caseforms.Error{Kind: caseforms.Conflict, Msg: "several are uncertain", Hint: "say which with --to"}
}

// settleProved ends what is uncertain although something came that proves what became of it: it came before anybody knew that the outcome would not
// be known.
func (k *Desk) settleProved(ctx context.Context) error {
	items, err := k.store.Items(ctx, "", store.Uncertain)
	if err != nil {
		return err
	}
	for i := range items {
		it := &items[i]
		n, err := k.store.FindSend(ctx, store.ByItem, it.ID)
		if err != nil {
			return err
		}
		if n == nil {
			continue
		}
		mails, err := k.store.ReceivedOf(ctx, n.Ref)
		if err != nil {
			return err
		}
		arrived, by := false, Proof("")
		for _, r := range mails {
			if r.Send != n.ID || r.Sure != string(mail.Certain) {
				continue
			}
			switch a, p := proves(mail.Class(r.Class), mail.Action(r.Action)); {
			case p == "":
			case by == "", p == ByAnswer, by == ByReceipt && !a: // who answers has it; else the worst that was reported
				arrived, by = a, p
			}
		}
		if by == "" {
			continue
		}
		err = k.ended(ctx, it, arrived, func(f *store.Follow) error {
			return k.store.Settle(ctx, it, arrived, f, settled(it, arrived, caseforms.Scheduler().ID, by, ""))
		})
		var e *caseforms.Error
		if err != nil && !(errors.As(err, &e) && e.Kind == caseforms.Conflict) { // somebody else settled it
			return err
		}
	}
	return nil
}

// proves tells what a message of a kind proves about what it belongs to; nothing when by is "".
func proves(class mail.Class, action mail.Action) (arrived bool, by Proof) {
	switch class {
	case mail.HumanReply:
		return true, ByAnswer
	case mail.AutomaticAnswer, mail.ReadReceipt:
		return true, ByReceipt
	case mail.DeliveryReport:
		if action != "" {
			return action != mail.ActionFailed, ByReceipt
		}
	}
	return false, ""
}

func settled(it *store.Item, arrived bool, actor string, by Proof, why string) store.Entry {
	acts, what := []store.Act{store.Disclosure}, "uncertain send arrived"
	if !arrived {
		acts, what = nil, "uncertain send did not arrive"
	}
	return store.Entry{Acts: acts, What: what, Actor: actor, Case: it.Case, Ref: it.Ref, Version: it.Version, Detail: map[string]string{"by": string(by), "why": why}}
}

// Standing says in words where an item of the outbox stands.
var Standing = map[store.State]string{
	store.Ready: "waits to be sent", store.Leased: "is about to be sent", store.InFlight: "is being sent", store.Sent: "was sent",
	store.Uncertain: "may or may not have arrived: ask the recipient, it is not sent again by itself", store.Dead: "was not delivered",
}

// failedFor is how long what failed is shown among what waits for somebody, and made their duty, in days.
const failedFor = 30

// MostOpen is how many sends are shown at a time, urgent ones first.
const MostOpen = 2000

// Outbox is what waits for somebody, of the cases the actor may see: held, uncertain, failed, or on its way; what cannot wait comes first. What failed
// is there for a month. all is how many there are.
func (k *Desk) Outbox(ctx context.Context, a caseforms.Actor) (out []Outgoing, all int, err error) {
	if err := a.Need("see the outbox", caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin); err != nil {
		return nil, 0, err
	}
	sends, all, err := k.store.OpenSends(ctx, k.store.Now().AddDate(0, 0, -failedFor), MostOpen)
	if err != nil {
		return nil, 0, err
	}
	var mine []store.Send
	for _, n := range sends {
		c, err := k.store.FindCase(ctx, n.Case)
		if err != nil {
			return nil, 0, err
		}
		if !(c.Restricted && !allowed(a, c.Access)) && c.Erased.IsZero() {
			mine = append(mine, n)
		}
	}
	out, err = k.outgoings(ctx, mine)
	out = slices.DeleteFunc(out, func(o Outgoing) bool { return o.Standing == Replied })
	if !a.Is(caseforms.RolePractitioner, caseforms.RoleManager) {
		for i := range out {
			out[i].Password = ""
		}
	}
	return out, all, err
}

// How long something may wait in the outbox before somebody has to see to it: one that cannot wait, and another. Nothing may be running that
// sends, or the relay may be away. One that cannot wait is seen to after the first attempt that failed.
const (
	urgentWaits   = 15 * time.Minute
	ordinaryWaits = 4 * time.Hour
)

// waits tells whether a send has been in the outbox for too long by a time.
func waits(n *store.Send, now time.Time) bool {
	most := ordinaryWaits
	if n.Urgent {
		most = urgentWaits
	}
	return now.Sub(n.Created) > most
}

// watch makes every send in trouble somebody's duty, once for each trouble: held, uncertain, failed, reported as failed, waiting for too long. It
// also makes hand-offs of what the relay took when that could not be worked out at once. What fails for one send does not stop the others.
func (k *Desk) watch(ctx context.Context) error {
	var errs []error
	unhanded, err := k.store.Unhanded(ctx)
	if err != nil {
		return err
	}
	for i := range unhanded {
		errs = append(errs, retried(func() error {
			it, err := k.itemOf(ctx, &unhanded[i])
			if err != nil {
				return err
			}
			f, err := k.arrival(ctx, it)
			if err != nil || f == nil {
				return err
			}
			return k.store.HandSend(ctx, &unhanded[i], f)
		}))
	}
	now := k.store.Now()
	sends, why, err := k.store.Untold(ctx, now.Add(-urgentWaits), now.Add(-ordinaryWaits), now.AddDate(0, 0, -failedFor))
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for i := range sends {
		n := &sends[i]
		m, err := k.watched(ctx, n.Ref)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		f := store.Follow{}
		h := caseforms.Happening{Undelivered: caseforms.UndeliveredOrdinary, To: n.Office, On: k.today()}
		if n.Urgent {
			h.Undelivered = caseforms.UndeliveredUrgent
		}
		k.happened(m, h, n.Ref, &f)
		if err := k.store.Told(ctx, n, why[i], f); err != nil && !errors.Is(err, store.ErrChanged) { // else somebody else did, or will
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// watched reads what a duty about a send needs, also when the definitions of its area cannot be read any more.
func (k *Desk) watched(ctx context.Context, ref caseforms.Ref) (*matter, error) {
	m, err := k.known(ctx, ref)
	if err == nil {
		return m, nil
	}
	if m, err = k.whose(ctx, ref); err != nil {
		return nil, err
	}
	if m.defs, err = k.load(""); err != nil {
		return nil, err
	}
	m.cal = m.defs.Calendar(k.closed...)
	m.runs, err = k.store.FollowUpsOf(ctx, m.c.ID)
	return m, err
}

// Now is the time by the store's clock.
func (k *Desk) Now() time.Time { return k.store.Now() }

// Trouble is what did not get through since a time, what cannot wait first: it is told as it happens, to whoever runs the program. What somebody
// has to do about it is on their list.
func (k *Desk) Trouble(ctx context.Context, since time.Time) ([]Outgoing, error) {
	sends, _, err := k.store.OpenSends(ctx, since, MostOpen)
	if err != nil {
		return nil, err
	}
	out, err := k.outgoings(ctx, sends)
	return slices.DeleteFunc(out, func(o Outgoing) bool {
		return o.At.Before(since) || o.Standing != HeldBack && o.Standing != Doubtful && o.Standing != Failed && !(o.Standing == Delayed && o.Urgent)
	}), err
}
