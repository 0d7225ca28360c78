package web

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// What a manager has to know stands on top of their own page, and nobody else is told.
func TestManagersHomeTells(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mary, petra := h.signedIn("mary"), h.signedIn("petra")
	const known = "that you have to know as a manager"
	if page := mary.get("/").expect(t, 200); strings.Contains(page.body, known) {
		t.Error("a manager is told something while nothing is overdue")
	}
	urgent := h.recordForm("petra", "cp1", "03-urgent")
	page := mary.get("/").expect(t, 200, "1 thing "+known, "Send it now, or record that it was handed over", string(urgent), `href="/due?days=0&amp;of=told"`)
	if strings.Index(page.body, known) > strings.Index(page.body, "Overdue") {
		t.Error("it is not on top")
	}
	h.wait(3 * 24 * time.Hour)
	mary, petra = h.signedIn("mary"), h.signedIn("petra")
	page = mary.get("/").expect(t, 200, " things "+known, "The manager is told")
	list := mary.get("/due?of=told&days=0").expect(t, 200)
	if n := strings.Count(list.body, "<tr"); n < 2 || !strings.Contains(page.body, strconv.Itoa(n-1)+" things "+known) {
		t.Errorf("the list has %d lines", n-1)
	}
	if i := strings.Index(page.body, string(h.ref)); i >= 0 && i < strings.Index(page.body, string(urgent)) {
		t.Error("what cannot wait is not first")
	}
	if strings.Contains(petra.get("/").expect(t, 200).body, known) {
		t.Error("a practitioner is told")
	}
}
