package web

import (
	"regexp"
	"testing"

	"caseforms"
)

// A manager who countersigns from a page on which it does not stand that another sent the document back is shown that, and nothing is changed; from
// the page that they are shown then they can.
func TestCountersignFromAnOldPage(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := h.desk.AddUser(t.Context(), h.as("boss"), "mia", "Mia Manager", "North", []caseforms.Role{caseforms.RoleManager})
	h.must(err)
	at := "/documents/" + string(h.recordForm("petra", "pp1", "07-level-3"))
	mary, mia := h.signedIn("mary"), h.signedIn("mia")
	seen := func(page string) string {
		t.Helper()
		m := regexp.MustCompile(`name="seen" value="([^"]*)"`).FindStringSubmatch(page)
		if m == nil {
			t.Fatal("the page does not say what was seen")
		}
		return m[1]
	}
	old := seen(mia.get(at+"/countersign").expect(t, 200).body)
	mary.post(at+"/countersign", "issue", "1", "seen", old, "say", "back", "why", "the level is missing").expect(t, 303)
	page := mia.post(at+"/countersign", "issue", "1", "seen", old, "say", "endorse", "why", "all is well").expect(t, 409, "Another manager sent it back at", "Mary Manager", "the level is missing", "all is well")
	mia.get(at).expect(t, 200, "Sent back")
	mia.post(at+"/countersign", "issue", "1", "seen", seen(page.body), "say", "endorse").expect(t, 303)
	mia.get(at).expect(t, 200, ">Countersigned<", "Mia Manager")
}
