package web

import (
	"regexp"
	"strings"
	"testing"
)

// ticked tells whether an option of a page is ticked.
func ticked(page reply, value string) bool {
	tag := regexp.MustCompile(`<input[^>]*value="` + regexp.QuoteMeta(value) + `"[^>]*>`).FindString(page.body)
	return strings.Contains(tag, " checked")
}

// After a form is issued the way leads on to sending it: the office of the rules is ticked, of each it is said what policy says, and the message
// is seen before it goes.
func TestIssueGoesOnToSend(t *testing.T) {
	t.Parallel()
	h, m := mailHouse(t)
	mash, held := h.office("Northtown MASH", "mash@council.example"), h.office("Southtown MASH", "mash@south.example")
	petra := h.signedIn("petra")
	d := h.draft("petra", "cp1", sampleCases(t)["03-urgent"])
	s := petra.open("/drafts/" + string(d.ID) + "/issue")
	if !strings.Contains(s.body, "Issue it, and go on to send") {
		t.Fatal(s.text)
	}
	r := petra.send(s, "looked", "yes", "then", "send").expect(t, 303, "/send")
	at := strings.TrimSuffix(r.location(), "/send")
	page := petra.get(r.location()).expect(t, 200, "Full copy", "by a relay that passes mail on over verified TLS", "It would be held, because there is no policy for south.example", "several have this role")
	if ticked(page, mash) || ticked(page, held) {
		t.Error("of two offices with the same role one is ticked")
	}
	h.must(h.desk.CloseRecipient(h.t.Context(), h.as("adam"), held, "a test"))
	page = petra.get(r.location()).expect(t, 200, "Those whom the rules name are ticked")
	if !ticked(page, mash) {
		t.Error("the office that the rules name is not ticked")
	}
	petra.post(at+"/send", "without", "none").expect(t, 422, "Choose whom it goes to")
	r = petra.post(at+"/send", "to", mash, "without", "none").expect(t, 303, "/send/")
	petra.get(r.location()).expect(t, 200, "What policy says", "It may go, by a relay", "What the message says")
	petra.get(at).expect(t, 200, "Next: send it")
	petra.post(r.location()).expect(t, 303, at)
	h.carryAll()
	if n := len(m.All()); n != 1 {
		t.Fatalf("%d arrived", n)
	}
	if page := petra.get(at).expect(t, 200); strings.Contains(page.body, "Next: send it") {
		t.Error("what was sent is to be sent next")
	}
	page = petra.get(at+"/send").expect(t, 200, "They have this issue already")
	if ticked(page, mash) {
		t.Error("who has it already is ticked")
	}
}

// A form that asks to be countersigned leads to that first; it can be sent without, with a warning.
func TestIssueToBeCountersigned(t *testing.T) {
	t.Parallel()
	h, _ := mailHouse(t)
	petra := h.signedIn("petra")
	d := h.draft("petra", "pp1", sampleCases(t)["07-level-3"])
	s := petra.open("/drafts/" + string(d.ID) + "/issue")
	if !strings.Contains(s.body, "Issue it, to be countersigned") {
		t.Fatal(s.text)
	}
	at := petra.send(s, "looked", "yes").expect(t, 303, "/documents/").location()
	petra.get(at).expect(t, 200, "Next: a manager countersigns it")
	petra.get(at+"/send").expect(t, 200, "No manager has countersigned it yet")
	mary := h.signedIn("mary")
	mary.post(at+"/countersign", "issue", "1", "say", "back", "why", "the level is missing").expect(t, 303)
	petra.get(at).expect(t, 200, "It was sent back", "Mary Manager says: the level is missing")
	petra.get(at+"/send").expect(t, 200, "A manager sent it back")
	mary.post(at+"/countersign", "issue", "1", "say", "endorse").expect(t, 303)
	petra.get(at).expect(t, 200, "Next: send it")
	if page := petra.get(at + "/send").expect(t, 200); strings.Contains(page.body, "ountersigned it yet") {
		t.Error("sending it still warns")
	}
}
