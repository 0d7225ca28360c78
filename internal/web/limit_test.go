package web

import (
	"testing"
	"time"
)

// Who opens pages faster than anybody reads has to wait; others do not, and what is sent by a form is taken.
func TestTooManyPages(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	now := time.Unix(0, 0)
	h.readers.rate, h.readers.burst, h.readers.now = 2, 5, func() time.Time { return now }
	v, other := h.signedIn("petra"), h.signedIn("petra")
	for i := range 50 {
		r := v.get("/cases")
		if r.StatusCode == 200 {
			continue
		}
		if i < 3 || i > 5 {
			t.Errorf("after %d pages", i)
		}
		break
	}
	r := v.get("/cases").expect(t, 429, "Wait a moment")
	if r.Header.Get("Retry-After") != "1" {
		t.Error(r.Header)
	}
	if r := v.do("HEAD", "/cases", nil); r.StatusCode != 429 {
		t.Error(r.Status)
	}
	other.get("/cases").expect(t, 200)
	v.post("/cases", "q", "X123456").expect(t, 200)
	now = now.Add(500 * time.Millisecond)
	v.get("/cases").expect(t, 200)
	v.get("/cases").expect(t, 429)
}
