package web

import (
	"fmt"
	"strings"
	"testing"

	"caseforms/internal/store"
)

// A document that is read all day shows what was done with it and who looked lately; all who looked are in a list of pages of its own.
func TestMuchReadDocument(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mary := h.as("mary")
	for range onPage + 20 {
		h.must(h.store.Append(t.Context(), store.Entry{Acts: []store.Act{store.Consultation}, What: "timeline read", Actor: mary.ID, Case: h.of, Ref: h.ref}))
	}
	h.must(h.store.Append(t.Context(), store.Entry{Acts: []store.Act{store.Consultation}, What: "record read", Actor: mary.ID, Case: h.of}))
	petra, at := h.signedIn("petra"), "/documents/"+string(h.ref)
	page := petra.get(at).expect(t, 200, fmt.Sprintf("Looked at %d times", onPage+22), "Record read by Mary Manager", at+"/looks", "Document issued")
	if n := strings.Count(page.body, "Timeline read"); n != 19 {
		t.Errorf("%d looks are listed", n)
	}
	first := petra.get(at+"/looks").expect(t, 200, "List of who looked read", "Petra Practitioner", "?page=2")
	if n := strings.Count(first.body, "Timeline read"); n != onPage-2 {
		t.Errorf("%d on the first page", n)
	}
	if strings.Contains(first.body, "Document issued") {
		t.Error("what was done stands among those who looked")
	}
	second := petra.get(at+"/looks?page=2").expect(t, 200)
	if n := strings.Count(second.body, "Timeline read"); n < 20 {
		t.Errorf("%d on the second page", n)
	}
	petra.get(at+"/looks?page=99999999999999999999").expect(t, 200)

	// Whoever may not see the case may not see who looked at it, and that they asked is in the ledger.
	petra.get("/documents/"+string(h.foreign)+"/looks").expect(t, 403, "restricted")
	records, err := h.store.History(t.Context(), h.foreignCase)
	h.must(err)
	if last := records[len(records)-1]; last.What != "refused" || last.Actor != h.as("petra").ID {
		t.Errorf("%+v", last)
	}
	// An auditor sees who looked, and nobody's name who is concerned.
	audit := h.signedIn("aud").get("/documents/"+string(h.foreign)+"/looks").expect(t, 200, "Sue South")
	if strings.Contains(audit.body, h.foreignName) {
		t.Error("an auditor is told whose document it is")
	}
}
