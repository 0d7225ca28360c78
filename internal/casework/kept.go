package casework

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"caseforms"
	"caseforms/internal/store"
)

const (
	keptForm  = store.KeptForms  // before the id of whoever sent it
	keptTries = "sign-in tries " // before which throttle it is
	FormKept  = time.Hour        // how long what somebody sent in vain is kept for them
	triesMost = triesKept / 5    // of each kind that outlive the program: those of late
)

// KeepForm keeps what a user sent when their session had ended, sealed, until they are there again; the last of each.
func (k *Desk) KeepForm(ctx context.Context, user string, content []byte) error {
	return k.store.Keep(ctx, keptForm+user, content)
}

// KeptForm is what was kept for somebody, and when; nil is nothing. It stays until it is dropped, or its hour is over.
func (k *Desk) KeptForm(ctx context.Context, a caseforms.Actor) (content []byte, at time.Time, err error) {
	content, at, err = k.store.Kept(ctx, keptForm+a.ID)
	if k.store.Now().Sub(at) >= FormKept {
		content = nil
	}
	return content, at, err
}

// DropForm destroys what was kept for somebody.
func (k *Desk) DropForm(ctx context.Context, a caseforms.Actor) error {
	return k.store.DropKept(ctx, keptForm+a.ID)
}

// keptThrottle is a throttle as it is kept.
type keptThrottle struct {
	Tries map[string]keptTry
	Known map[string]time.Time
}

type keptTry struct {
	N           int
	Last, Until time.Time
}

// SaveThrottles keeps how often whom tried to sign in, so that a program that begins anew does not forget it, and first takes in what the one before kept. It
// writes one thing in place of another, however many try: that takes no more room. What happens between two calls is lost when the program is killed.
func (k *Desk) SaveThrottles(ctx context.Context) error {
	for name, d := range map[string]*throttle{"passwords": &k.door.throttle, "codes": &k.door.codes} {
		if err := d.save(ctx, k.store, keptTries+name); err != nil {
			return err
		}
	}
	return nil
}

// latest are the keys of those that are kept: those of late.
func latest[T any](m map[string]T, at func(T) time.Time) []string {
	keys := slices.Collect(maps.Keys(m))
	if len(keys) > triesMost {
		slices.SortFunc(keys, func(a, b string) int { return at(m[b]).Compare(at(m[a])) })
		keys = keys[:triesMost]
	}
	return keys
}

func (d *throttle) save(ctx context.Context, s *store.Store, name string) error {
	now := s.Now()
	d.mu.Lock()
	taken, changed := d.taken, d.changed
	d.mu.Unlock()
	if !taken {
		content, _, err := s.Kept(ctx, name)
		if err != nil {
			return err
		}
		var was keptThrottle
		if content != nil && json.Unmarshal(content, &was) != nil {
			was = keptThrottle{} // of another version of the program
		}
		d.mu.Lock()
		d.taken = true
		for key, t := range was.Tries {
			if now.Sub(t.Last) > triesForget {
				continue
			}
			have := d.tries[key]
			if have == nil {
				have = &tries{}
				d.tries[key] = have
			}
			have.n += t.N // what was tried since the program began comes to it
			if have.last.Before(t.Last) {
				have.last = t.Last
			}
			if have.until.Before(t.Until) {
				have.until = t.Until
			}
		}
		for key, at := range was.Known {
			if d.known == nil {
				d.known = map[string]time.Time{}
			}
			if d.known[key].Before(at) {
				d.known[key] = at
			}
		}
		d.mu.Unlock()
	}
	if !changed {
		return nil
	}
	d.mu.Lock()
	is := keptThrottle{map[string]keptTry{}, map[string]time.Time{}}
	for _, key := range latest(d.tries, func(t *tries) time.Time { return t.last }) {
		if t := d.tries[key]; now.Sub(t.last) <= triesForget {
			is.Tries[key] = keptTry{t.n, t.last, t.until}
		}
	}
	for _, key := range latest(d.known, func(at time.Time) time.Time { return at }) {
		if at := d.known[key]; now.Sub(at) <= knownLasts {
			is.Known[key] = at
		}
	}
	d.changed = false
	d.mu.Unlock()
	content, err := json.Marshal(is)
	if err == nil {
		err = s.Keep(ctx, name, content)
	}
	if err != nil {
		d.mu.Lock()
		d.changed = true
		d.mu.Unlock()
	}
	return err
}
