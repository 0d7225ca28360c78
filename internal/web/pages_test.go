package web

import "testing"

func TestPages(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	petra := h.signedIn("petra")
	petra.get("/").expect(t, 200, "Petra Practitioner", "Your work", "Sign out")
	petra.get("/cases").expect(t, 200, "Find a case")
	petra.post("/cases", "q", "Sampleson").expect(t, 200, string(h.ref))
	petra.get("/documents/"+string(h.ref)).expect(t, 200, string(h.ref), "Document issued")
	petra.get("/documents/"+string(h.ref)).expect(t, 200, "Looked at 2 times", "Timeline read by Petra Practitioner")
	petra.get("/account").expect(t, 200, "Firefox on Linux")
	petra.get("/nowhere").expect(t, 404, "There is no such page", "Petra")
	h.signedIn("adam").get("/people").expect(t, 200, "Make a link")
	h.visitor().get("/sign-in").expect(t, 200, "Name for signing in")
}
