package casework

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"caseforms"
	"caseforms/internal/store"
)

// Parcel is something that is to be delivered.
type Parcel struct {
	store.Item
	Payload []byte
}

// Carrier takes parcels to where they go. It calls leaving at the last moment before the parcel could arrive, and not at all when it fails
// before; when leaving fails, it stops. What it returns as said is kept and shown.
//
// An error before leaving, and a [NotDelivered] after it, means that the parcel certainly did not arrive. Any other error after leaving
// means that nobody knows, and it is never tried again by itself.
type Carrier interface {
	Carry(ctx context.Context, p Parcel, leaving func() error) (said string, err error)
}

// NotDelivered says that a parcel certainly did not arrive.
type NotDelivered struct {
	Said  string // what the other side said
	Never bool   // trying again is of no use
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
// tells how many were taken up.
func (k *Desk) Deliver(ctx context.Context, c Carrier, workers int) (int, error) {
	taken := 0
	for ctx.Err() == nil {
		items, err := k.store.Claim(ctx, workers, k.lease)
		if err != nil || len(items) == 0 {
			return taken, err
		}
		taken += len(items)
		errs := make([]error, len(items))
		var all sync.WaitGroup
		for i := range items {
			all.Go(func() { errs[i] = k.carry(ctx, c, &items[i]) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return taken, err
		}
	}
	return taken, ctx.Err()
}

// carry delivers one item and records what came of it. What came of it is recorded even when the context has ended meanwhile.
func (k *Desk) carry(ctx context.Context, c Carrier, it *store.Item) error {
	done := context.WithoutCancel(ctx)
	payload, err := k.store.Payload(ctx, it)
	if err != nil {
		if ctx.Err() != nil {
			return nil // its lease runs out, and somebody takes it up again
		}
		_, err := k.store.GiveUp(done, it, "its content cannot be read")
		return err
	}
	left := false
	said, err := c.Carry(ctx, Parcel{*it, payload}, func() error {
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
		_, e := k.store.GiveUp(done, it, err.Error())
		return errors.Join(err, e)
	case err == nil:
		_, err = k.store.Delivered(done, it, said, nil)
		return err
	case left && !known:
		_, err = k.store.Unclear(done, it, "the connection broke before the other side had answered")
		return err
	case known && not.Never:
		_, err = k.store.GiveUp(done, it, not.Said)
		return err
	}
	said = "it could not be handed over"
	if not != nil {
		said = not.Said
	}
	if it.Attempt >= mostAttempts {
		_, err = k.store.GiveUp(done, it, said)
		return err
	}
	_, err = k.store.Retry(done, it, k.store.Now().Add(delay(it.Attempt)), said)
	return err
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
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "it is not uncertain whether this arrived: it is " + string(it.State)}
	}
	if why = strings.TrimSpace(why); why == "" && by == ByPerson {
		return needsReason("settling what was sent")
	}
	acts, what := []store.Act{store.Disclosure}, "uncertain send arrived"
	if !arrived {
		acts, what = nil, "uncertain send did not arrive"
	}
	return again(k.store.Settle(ctx, it, arrived, store.Entry{Acts: acts, What: what, Actor: a.ID, Case: it.Case, Ref: it.Ref, Version: it.Version, Detail: map[string]string{"by": string(by), "why": why}}))
}

// Outbox is what waits for somebody, of the cases the actor may see: uncertain, failed, or on its way.
func (k *Desk) Outbox(ctx context.Context, a caseforms.Actor) ([]store.Item, error) {
	if err := a.Need("see the outbox", caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin); err != nil {
		return nil, err
	}
	items, err := k.store.Items(ctx, "", store.Uncertain, store.Dead, store.InFlight, store.Leased, store.Ready)
	if err != nil {
		return nil, err
	}
	var out []store.Item
	for _, it := range items {
		c, err := k.store.FindCase(ctx, it.Case)
		if err != nil {
			return nil, err
		}
		if !c.Restricted || allowed(a, c.Access) {
			out = append(out, it)
		}
	}
	return out, nil
}
