package web

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"caseforms/internal/casework"
	"caseforms/internal/store"
)

// keyOf makes a key for somebody and says its id.
func (h *house) keyOf(login string) string {
	h.t.Helper()
	_, k, err := h.desk.MakeKey(h.t.Context(), h.as(login), casework.MakeKey{Login: login, Scopes: []string{"forms:read"}})
	h.must(err)
	return k.ID
}

func keyWalks(h *house) map[string]walk {
	const none, one = "/k-0000000000/revoke", "/{key:k-[0-9a-f]{10}}/revoke"
	return map[string]walk{
		"GET /account/keys":        {want: [6]int{in, 200, 200, 200, 200, 200}},
		"POST /account/keys":       {want: [6]int{in, 422, 422, 422, 422, 422}},
		"POST /account/keys" + one: {path: "/account/keys" + none, want: [6]int{in, 403, 403, 404, 403, 403}, foreign: "/account/keys/" + h.keyOf("sue") + "/revoke", wantFor: [6]int{in, 403, 403, in, 403, 403}},
		"GET /keys":                {want: [6]int{in, 403, 403, 200, 403, 403}},
		"POST /keys":               {want: [6]int{in, 403, 403, 422, 403, 403}, form: []string{"login", "sue", "days", "30"}},
		"POST /keys" + one:         {path: "/keys" + none, want: [6]int{in, 403, 403, 404, 403, 403}, foreign: "/keys/" + h.keyOf("sue") + "/revoke", wantFor: [6]int{in, 403, 403, in, 403, 403}},
	}
}

var shownKey = regexp.MustCompile(`value="(caseforms_(?:test_)?[A-Za-z0-9_-]{43})"`)

// A key is made by whoever proved a short while ago who they are, is shown once, works, is listed with all that is to be known of it, and is revoked.
func TestKeysByPages(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.password("petra")
	v := h.visitor()
	v.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303)
	v.get("/account").expect(t, 200, "/account/keys")
	if page := v.get("/account/keys").expect(t, 200, "There are none yet", "forms:read"); strings.Contains(page.body, `name="login"`) {
		t.Error("somebody may say for whom the key is")
	}
	v.post("/account/keys", "days", "1").expect(t, 422, "Say what it is for", "Say whether it is a test key", "Say how long it works")
	ask := []string{"scopes", "forms:read", "scopes", "cases:read", "kind", "real", "days", "30", "login", "sue"}
	v.post("/account/keys", append(ask[:10:10], "scopes", "everything")...).expect(t, 422, "There is no scope of this name")
	// A session that was left open is not enough.
	for range 3 {
		h.wait(15 * time.Minute)
		v.get("/").expect(t, 200)
	}
	v.post("/account/keys", ask...).expect(t, 303, "/confirm?")
	if slices.ContainsFunc(h.ledger(), func(r store.Record) bool { return r.What == "key made" }) {
		t.Fatal("a key was made")
	}
	v.post("/confirm", "password", "wrong horses write slowly").expect(t, 422)
	v.post("/account/keys", ask...).expect(t, 303, "/confirm?")
	v.post("/confirm", "password", goodPassword).expect(t, 303)
	page := v.post("/account/keys", ask...).expect(t, 200, "A new API key", "petra", "It is not shown again")
	if len(shownKey.FindAllString(page.body, -1)) != 1 {
		t.Fatal("the key is not shown once")
	}
	secret := shownKey.FindStringSubmatch(page.body)[1]
	id := regexp.MustCompile(`k-[0-9a-f]{10}`).FindString(page.body)
	if got := h.did("petra", 1); got[0] != "key made" {
		t.Error(got)
	}
	program := h.visitor()
	program.header.Set("Authorization", "Bearer "+secret)
	program.get("/api/v1/forms").expect(t, 200)
	list := v.get("/account/keys").expect(t, 200, id, "forms:read", "cases:read", "by Petra Practitioner", "25 November 2026 at 9", "25 December 2026", "works")
	if strings.Contains(list.body, secret) {
		t.Error("the key is shown again")
	}
	// An admin sees everybody's and whose they are, and makes them for others; everybody else sees and revokes their own.
	adam, mary := h.signedIn("adam"), h.signedIn("mary")
	adam.get("/keys").expect(t, 200, id, "petra", "by Petra Practitioner")
	adam.post("/keys", "login", "nobody", "scopes", "cases:read", "kind", "test", "days", "90").expect(t, 422, "There is a problem")
	if page := adam.post("/keys", "login", "sue", "scopes", "cases:read", "kind", "test", "days", "90").expect(t, 200, "nothing is stored or sent"); !strings.Contains(page.body, `value="caseforms_test_`) {
		t.Error("it is no test key")
	}
	h.signedIn("sue").get("/account/keys").expect(t, 200, "by Adam Admin", "test key", "never")
	if r := mary.get("/account/keys").expect(t, 200); strings.Contains(r.body, id) {
		t.Error("somebody else's key is listed")
	}
	mary.post("/account/keys/"+id+"/revoke").expect(t, 403)
	program.get("/api/v1/forms").expect(t, 200)
	v.post("/account/keys/"+id+"/revoke").expect(t, 303, "/account/keys")
	v.get("/account/keys").expect(t, 200, "does not work any more", "revoked")
	program.get("/api/v1/forms").expect(t, 401)
	if got := h.did("petra", 1); got[0] != "key revoked" {
		t.Error(got)
	}
}
