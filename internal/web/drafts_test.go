package web

import (
	"strings"
	"testing"
	"time"

	"caseforms/internal/casework"
)

// A draft is told by whom it is about, an urgent one is first and marked, and the home page counts one's own. Of a case that is not theirs to see nobody
// is told a draft.
func TestDraftsTellWhoAndHowUrgent(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	petra := h.signedIn("petra")
	if page := petra.get("/").expect(t, 200); strings.Contains(page.body, "of yours, ") || strings.Contains(page.body, "draft of yours") {
		t.Error("drafts are counted when there are none")
	}
	urgent := h.draft("petra", "cp1", sampleCases(t)["03-urgent"])
	petra.get("/").expect(t, 200, `<a class="govuk-link" href="/drafts">1 draft of yours, urgent</a>`)
	h.wait(time.Minute)
	simple := h.draft("petra", "cp1", sampleCases(t)["01-simple"])
	sues, err := h.desk.SaveDraft(t.Context(), h.as("sue"), casework.SaveDraft{Form: "cp1", Case: h.foreignCase, Content: sampleCases(t)["02-full"]})
	h.must(err)
	petra.get("/").expect(t, 200, "2 drafts of yours, one of them urgent")
	before := len(h.ledger())
	page := petra.get("/drafts").expect(t, 200, "Chris Unknown-Sample", "Alex Sampleson", "by Petra Practitioner")
	if did := h.ledger()[before:]; len(did) != 1 || did[0].What != "list of drafts read" {
		t.Error(did)
	}
	if i, j := strings.Index(page.body, string(urgent.ID)), strings.Index(page.body, string(simple.ID)); i < 0 || j < i {
		t.Error("the urgent one, which was saved before, is not first")
	}
	if !strings.Contains(page.row(string(urgent.ID)), urgentTag) || strings.Contains(page.row(string(simple.ID)), urgentTag) {
		t.Error("the urgent one is not marked, or the other is")
	}
	if strings.Contains(page.body, string(sues.ID)) || strings.Contains(page.body, h.foreignName) {
		t.Error("a draft of a restricted case is listed")
	}
	h.signedIn("sue").get("/drafts").expect(t, 200, string(sues.ID), h.foreignName)
	h.signedIn("sue").get("/").expect(t, 200, "1 draft of yours</a>")

	// What has become urgent since is counted as such.
	_, err = h.desk.SaveDraft(t.Context(), h.as("petra"), casework.SaveDraft{ID: simple.ID, Base: simple.Version, Content: sampleCases(t)["03-urgent"]})
	h.must(err)
	petra.get("/").expect(t, 200, "2 drafts of yours, all of them urgent")
	// Who may not see a case any more is not told of a draft of it that they began.
	h.must(h.desk.Restrict(t.Context(), h.as("boss"), h.of, []string{"sue"}, nil, "a test"))
	petra.get("/").expect(t, 200, "1 draft of yours, urgent")
}
