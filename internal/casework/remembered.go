package casework

import "sync"

// remembered is what was found out and does not change, by a key that has everything that it hangs on. It is lost with the program, or when it is too much.
type remembered struct {
	mu sync.Mutex
	of map[string]bool
}

const rememberedMost = 100_000

func (r *remembered) get(key string) (is, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	is, known = r.of[key]
	return is, known
}

func (r *remembered) put(key string, is bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil || len(r.of) >= rememberedMost {
		r.of = map[string]bool{}
	}
	r.of[key] = is
}
