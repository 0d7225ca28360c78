package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"caseforms/internal/casework"
)

var (
	keyOnPage  = regexp.MustCompile(`Key: <strong class="app-token">([A-Z2-7 ]+)</strong>`)
	codeOnPage = regexp.MustCompile(`(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}`)
)

// app makes the codes of a secret as an app does, by the clock of the house.
func (h *house) app(secret string, later time.Duration) string {
	h.t.Helper()
	code, err := totp.GenerateCode(secret, h.clock().Add(later))
	h.must(err)
	return code
}

// needing is a house in which nobody signs in with a password alone.
func needing(t *testing.T, change ...func(*Options)) *house {
	h := newHouse(t, change...)
	h.desk.RequireFactor()
	return h
}

// enrolled gives somebody a password and an app: what is given back is its secret and the recovery codes.
func (h *house) enrolled(login string) (secret string, codes []string) {
	h.t.Helper()
	h.password(login)
	v := h.visitor()
	v.post("/sign-in", "login", login, "password", goodPassword).expect(h.t, 303, "/sign-in/second?next=%2F")
	secret = strings.ReplaceAll(keyOnPage.FindStringSubmatch(v.get("/sign-in/second").expect(h.t, 200, "Set up an app").body)[1], " ", "")
	return secret, codeOnPage.FindAllString(v.post("/sign-in/second", "code", h.app(secret, 0)).expect(h.t, 200, "Keep your recovery codes").body, -1)
}

// Where a code is needed, nobody is signed in before it is given, and it is taken once.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	h := needing(t)
	h.password("petra")
	v := h.visitor()
	v.post("/sign-in", "login", "petra", "password", goodPassword, "next", "/cases").expect(t, 303, "/sign-in/second?next=%2Fcases")
	v.get("/cases").expect(t, 303, "why=first") // not yet
	if v.cookies[h.cookieName()] != nil {
		t.Error("a session begins before the code")
	}
	page := v.get("/sign-in/second?next=/cases").expect(t, 200, "Set up an app", `src="/sign-in/second/code.svg"`).body
	secret := strings.ReplaceAll(keyOnPage.FindStringSubmatch(page)[1], " ", "")
	if len(secret) != 32 {
		t.Errorf("the secret has %d letters", len(secret))
	}
	picture := v.get("/sign-in/second/code.svg").expect(t, 200, "<svg")
	if picture.Header.Get("Content-Type") != "image/svg+xml; charset=utf-8" || strings.Contains(picture.body, "style") || picture.Header.Get("Cache-Control") != "no-store" {
		t.Error(picture)
	}
	h.visitor().get("/sign-in/second/code.svg").expect(t, 404) // of another browser
	v.post("/sign-in/second", "code", "").expect(t, 422, "Enter a code")
	v.post("/sign-in/second", "code", "000000").expect(t, 422, "The code is wrong")
	r := v.post("/sign-in/second", "code", h.app(secret, 0), "next", "/cases").expect(t, 200, "Keep your recovery codes", `href="/cases"`, "Petra Practitioner")
	codes := codeOnPage.FindAllString(r.body, -1)
	if len(codes) != 10 {
		t.Fatal(codes)
	}
	v.get("/account").expect(t, 200)
	v.get("/account/second-factor").expect(t, 200, "10 recovery codes")
	if strings.Contains(v.get("/account/second-factor").body, secret) {
		t.Error("the secret is shown again")
	}

	begin := func(from string) *visitor {
		v := h.visitor()
		v.from = from
		v.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303, "/sign-in/second")
		return v
	}
	v = begin("192.0.2.1:1")
	if strings.Contains(v.get("/sign-in/second").expect(t, 200, "Enter a code").body, "Key:") {
		t.Error("the page for a code offers another secret")
	}
	v.get("/sign-in/second/code.svg").expect(t, 404)
	v.post("/sign-in/second", "code", h.app(secret, 0)).expect(t, 422, "was used before") // the one it was set up with
	h.wait(time.Minute)
	now := h.app(secret, 0)
	v.post("/sign-in/second", "code", h.app(secret, time.Minute)).expect(t, 422) // two steps ahead
	v.post("/sign-in/second", "code", " "+now[:3]+" "+now[3:]).expect(t, 303)
	v.get("/").expect(t, 200, "Petra Practitioner")
	v.post("/sign-in/second", "code", now).expect(t, 404) // that step is over
	begin("192.0.2.1:1").post("/sign-in/second", "code", now).expect(t, 422)
	begin("192.0.2.1:1").post("/sign-in/second", "code", h.app(secret, -30*time.Second)).expect(t, 422) // older than one that was taken
	h.wait(time.Minute)
	begin("192.0.2.1:1").post("/sign-in/second", "code", h.app(secret, -30*time.Second)).expect(t, 303) // a clock that is half a minute slow
	begin("192.0.2.1:1").post("/sign-in/second", "code", h.app(secret, 30*time.Second)).expect(t, 303)  // or fast

	// Each recovery code once, however it is typed.
	typed := strings.ToLower(strings.ReplaceAll(codes[0], "-", " "))
	results := map[int]int{}
	at := []*visitor{begin("192.0.2.7:1"), begin("192.0.2.7:1"), begin("192.0.2.7:1")}
	done := chanOf(1, func() int { return at[0].post("/sign-in/second", "code", typed).StatusCode })
	more := chanOf(1, func() int { return at[1].post("/sign-in/second", "code", typed).StatusCode })
	third := chanOf(1, func() int { return at[2].post("/sign-in/second", "code", codes[0]).StatusCode })
	for _, c := range []chan int{done, more, third} {
		results[<-c]++
	}
	if results[303] != 1 || results[422] != 2 {
		t.Error(results)
	}
	if got := strings.Join(h.did("petra", 100), ", "); !strings.Contains(got, "second factor set, signed in") || !strings.Contains(got, "recovery code used") || !strings.Contains(got, "code refused") {
		t.Error(got)
	}
	for _, r := range h.ledger() {
		if r.What == "signed in" && r.Detail["second"] == "" {
			t.Errorf("signed in without a code: %+v", r)
		}
	}
}

// The same code at the same moment in many browsers is taken once.
func TestCodeOnce(t *testing.T) {
	t.Parallel()
	h := needing(t)
	secret, _ := h.enrolled("petra")
	h.wait(time.Minute)
	code := h.app(secret, 0)
	var at []*visitor
	for range 4 {
		v := h.visitor()
		v.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303)
		at = append(at, v)
	}
	codes := make(chan int, len(at))
	for _, v := range at {
		go func() { codes <- v.post("/sign-in/second", "code", code).StatusCode }()
	}
	got := map[int]int{}
	for range at {
		got[<-codes]++
	}
	if got[303] != 1 || got[422] != 3 {
		t.Error(got)
	}
}

// Codes are guessed no faster than passwords: knowing the password forgives nothing, and a new sign-in neither.
func TestCodesThrottled(t *testing.T) {
	t.Parallel()
	h := needing(t)
	secret, codes := h.enrolled("petra")
	h.wait(time.Minute)
	for i := range 5 {
		v := h.visitor()
		v.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303)
		v.post("/sign-in/second", "code", "000000").expect(t, 422)
		if i == 4 {
			v.post("/sign-in/second", "code", h.app(secret, 0)).expect(t, 429)
			v.post("/sign-in/second", "code", codes[0]).expect(t, 429)
			h.wait(2 * time.Minute)
			v.post("/sign-in/second", "code", h.app(secret, 0)).expect(t, 303)
		}
	}
}

// What stands between password and code is this browser's, short, and over when the password is another or the account is closed.
func TestBetweenPasswordAndCode(t *testing.T) {
	t.Parallel()
	h := needing(t)
	secret, _ := h.enrolled("petra")
	begin := func() *visitor {
		v := h.visitor()
		v.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303)
		return v
	}
	v := begin()
	token := v.cookies[h.cookie("second")].Value
	h.wait(11 * time.Minute)
	v.post("/sign-in/second", "code", h.app(secret, 0)).expect(t, 404, "took too long")
	v = begin()
	if v.cookies[h.cookie("second")].Value == token {
		t.Error("the token is the same")
	}
	v.cookies[h.cookieName()] = &http.Cookie{Name: h.cookieName(), Value: v.cookies[h.cookie("second")].Value} // it is no session
	v.get("/").expect(t, 303, "why=first")
	v = begin()
	link, _, err := h.desk.MakeLink(t.Context(), h.as("adam"), "petra")
	h.must(err)
	// A link sets a password; it does not stand in for the app.
	other := h.visitor()
	other.post("/first/"+link, "password", "five zebras hum loudly", "again", "five zebras hum loudly").expect(t, 303, "/sign-in/second")
	other.get("/").expect(t, 303, "why=first")
	if strings.Contains(other.get("/sign-in/second").body, "Key:") {
		t.Error("a link lets whoever has it set up another app")
	}
	v.post("/sign-in/second", "code", h.app(secret, 0)).expect(t, 404) // the password it began with is gone
	other.post("/sign-in/second", "code", h.app(secret, 0)).expect(t, 303)
	// A new password by oneself asks for a code too.
	other.post("/account/password", "old", "five zebras hum loudly", "password", goodPassword, "again", goodPassword).expect(t, 303, "/sign-in/second?next=%2Faccount")
	h.wait(time.Minute)
	other.post("/sign-in/second", "code", h.app(secret, 0)).expect(t, 303)

	closed, no := h.visitor(), false
	secret, _ = h.enrolled("olga")
	closed.post("/sign-in", "login", "olga", "password", goodPassword).expect(t, 303)
	h.must(h.desk.ChangeUser(t.Context(), h.as("adam"), "olga", "", nil, nil, &no))
	h.wait(time.Minute)
	closed.post("/sign-in/second", "code", h.app(secret, 0)).expect(t, 404)
	// Two browsers that set up an app for the same person do not see each other's secret.
	h.password("mary")
	one, two := h.visitor(), h.visitor()
	one.post("/sign-in", "login", "mary", "password", goodPassword).expect(t, 303)
	two.post("/sign-in", "login", "mary", "password", goodPassword).expect(t, 303)
	if a, b := keyOnPage.FindString(one.get("/sign-in/second").body), keyOnPage.FindString(two.get("/sign-in/second").body); a == "" || a == b {
		t.Errorf("%q and %q", a, b)
	}
	// When one of them is done, the other cannot put another app in its place.
	secretOf := func(v *visitor) string {
		return strings.ReplaceAll(keyOnPage.FindStringSubmatch(v.get("/sign-in/second").expect(t, 200).body)[1], " ", "")
	}
	mine, others := secretOf(one), secretOf(two)
	one.post("/sign-in/second", "code", h.app(mine, 0)).expect(t, 200, "Keep your recovery codes")
	two.get("/sign-in/second").expect(t, 404)
	two.post("/sign-in/second", "code", h.app(others, 0)).expect(t, 404)
	one.get("/").expect(t, 200, "Mary Manager")
}

// Both steps of signing in say the same whoever it is, and whether or not a code would be asked for.
func TestStepsTellNothing(t *testing.T) {
	t.Parallel()
	h := needing(t)
	h.enrolled("petra")
	h.password("sue") // without an app yet; olga has no password
	var first string
	for _, login := range []string{"petra", "sue", "olga", "nobody"} {
		r := h.visitor().post("/sign-in", "login", login, "password", "wrong wrong wrong")
		got := strings.ReplaceAll(r.body, login, "") + r.Header.Get("Location")
		if first == "" {
			first = got
		}
		if got != first || r.StatusCode != 403 || len(r.Cookies()) > 0 {
			t.Errorf("%s can be told apart", login)
		}
	}
}

// Somebody may set it up, and away with it where it is not needed; other sessions end.
func TestOwnFactor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.password("petra")
	v, elsewhere := h.visitor(), h.visitor()
	for _, x := range []*visitor{v, elsewhere} {
		x.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303)
		x.get("/").expect(t, 200)
	}
	v.post("/account/second-factor/codes").expect(t, 409, "no second factor")
	v.post("/account/second-factor", "code", "123456").expect(t, 404, "took too long")
	v.get("/account/second-factor").expect(t, 200, "Set it up")
	v.post("/account/second-factor/begin").expect(t, 303)
	page := v.get("/account/second-factor").expect(t, 200, `src="/account/second-factor/code.svg"`).body
	if elsewhere.get("/account/second-factor").expect(t, 200); strings.Contains(elsewhere.get("/account/second-factor").body, "Key:") {
		t.Error("another session sees the secret")
	}
	secret := strings.ReplaceAll(keyOnPage.FindStringSubmatch(page)[1], " ", "")
	v.get("/account/second-factor/code.svg").expect(t, 200, "<svg")
	v.post("/account/second-factor", "code", "000000").expect(t, 422, "The code is wrong")
	first := codeOnPage.FindAllString(v.post("/account/second-factor", "code", h.app(secret, 0)).expect(t, 200, "Keep your recovery codes").body, -1)
	elsewhere.get("/").expect(t, 303)
	v.get("/").expect(t, 200)
	second := codeOnPage.FindAllString(v.post("/account/second-factor/codes").expect(t, 200).body, -1)
	if len(second) != 10 || second[0] == first[0] {
		t.Error(second)
	}
	in := h.visitor()
	in.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303, "/sign-in/second")
	in.post("/sign-in/second", "code", first[0]).expect(t, 422) // replaced
	in.post("/sign-in/second", "code", second[0]).expect(t, 303)
	v.post("/account/second-factor/remove").expect(t, 303)
	in.get("/").expect(t, 303)
	h.visitor().post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303, "/")
	h.desk.RequireFactor()
	v.post("/account/second-factor/remove").expect(t, 403, "password alone")
}

// An admin resets what somebody has lost. They come in by a link only, so that the password alone gains nothing.
func TestResetFactor(t *testing.T) {
	t.Parallel()
	h := needing(t)
	secret, codes := h.enrolled("petra")
	h.wait(time.Minute)
	v := h.visitor()
	v.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303)
	v.post("/sign-in/second", "code", h.app(secret, 0)).expect(t, 303)
	path := "/people/" + h.as("petra").ID + "/reset"
	for _, login := range []string{"petra", "mary", "aud", "olga"} {
		h.signedIn(login).post(path).expect(t, 403)
	}
	v.get("/").expect(t, 200)
	program := h.visitor() // with a key that somebody made who had got in
	key, _, err := h.desk.MakeKey(t.Context(), h.as("petra"), casework.MakeKey{Login: "petra", Scopes: []string{"forms:read"}})
	h.must(err)
	program.header.Set("Authorization", "Bearer "+key)
	program.get("/api/v1/forms").expect(t, 200)
	adam := h.signedIn("adam")
	adam.post(path).expect(t, 303, "/people")
	program.get("/api/v1/forms").expect(t, 401)
	adam.get("/people").expect(t, 200, "When you are sure who they are")
	v.get("/").expect(t, 303)
	out := h.visitor()
	out.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 403)
	out.post("/sign-in/second", "code", codes[0]).expect(t, 404)
	adam.post(path).expect(t, 409, "no second factor")
	all := h.ledger()
	for i := len(all) - 1; ; i-- {
		if all[i].What == "second factor reset" {
			if all[i].Actor != h.as("adam").ID || all[i].Detail["user"] != h.as("petra").ID {
				t.Errorf("%+v", all[i])
			}
			break
		}
	}
	again, _ := h.enrolled("petra") // by a link
	if again == secret {
		t.Error("the same secret again")
	}
}

// Who can get in is changed only by somebody who showed a short while ago who they are.
func TestProven(t *testing.T) {
	t.Parallel()
	h := needing(t)
	secret, _ := h.enrolled("adam")
	h.wait(time.Minute)
	v := h.visitor()
	v.post("/sign-in", "login", "adam", "password", goodPassword).expect(t, 303)
	v.post("/sign-in/second", "code", h.app(secret, 0)).expect(t, 303)
	link := "/people/" + h.as("petra").ID + "/link"
	v.post(link).expect(t, 200, "/first/")
	h.wait(9 * time.Minute)
	v.get("/people").expect(t, 200)
	h.wait(2 * time.Minute)
	before := len(h.ledger())
	v.post(link).expect(t, 303, "/confirm?")
	v.post("/people", "login", "new", "name", "Nora New", "roles", "admin").expect(t, 303, "/confirm?next=%2Fcarry-on")
	for _, path := range []string{"/people/" + h.as("petra").ID + "/reset", "/people/" + h.as("petra").ID + "/sign-out", "/policies", "/policies/remove", "/directory", "/directory/import", "/directory/r-00000000/close", "/account/second-factor/begin", "/account/second-factor/codes", "/account/second-factor/remove", "/account/second-factor", "/account/sessions/end-others", "/account/sessions/s-000000000000/end"} {
		v.post(path).expect(t, 303, "/confirm?")
	}
	for _, r := range h.ledger()[before:] {
		t.Errorf("something was done: %s", r.What)
	}
	v.header.Set("Referer", "http://caseforms.example/account?x=1")
	v.post("/account/sessions/end-others").expect(t, 303, "/confirm?next=%2Faccount%3Fx%3D1") // nothing was typed: back to where it was clicked
	v.header.Set("Referer", "http://elsewhere.example/account")
	v.post("/account/sessions/end-others").expect(t, 303, "/confirm?")
	v.header.Del("Referer")
	page := v.get("/confirm?next=/carry-on").expect(t, 200, "Show that it is you", `name="code"`, `name="password"`)
	if strings.Contains(page.body, "Nora New") {
		t.Error("the page to confirm tells what was sent")
	}
	v.post("/confirm", "password", "wrong wrong wrong", "code", h.app(secret, 0)).expect(t, 422, "This is not your password")
	v.post("/confirm", "password", goodPassword, "code", "000000").expect(t, 422, "The code is wrong")
	v.post(link).expect(t, 303, "/confirm?")
	old := v.cookies[h.cookieName()].Value
	v.post("/people", "login", "new", "name", "Nora New", "roles", "admin").expect(t, 303)
	v.post("/confirm", "password", goodPassword, "code", h.app(secret, 0), "next", "/carry-on").expect(t, 303, "/carry-on")
	if v.cookies[h.cookieName()].Value == old {
		t.Error("the session stayed the same")
	}
	stale := h.visitor()
	stale.cookies[h.cookieName()] = &http.Cookie{Name: h.cookieName(), Value: old}
	stale.get("/").expect(t, 303)
	kept := v.get("/carry-on").expect(t, 200, `value="Nora New"`, "you had to show first that it is you")
	if strings.Contains(kept.body, "signed out,") || strings.Contains(kept.body, "you had been signed out") {
		t.Error("it says that somebody was signed out who was not")
	}
	v.carryOn("login", "new", "name", "Nora New", "roles", "admin").expect(t, 303, "/people")
	h.wait(11 * time.Minute)
	for range 5 {
		v.post("/confirm", "password", "wrong wrong wrong").expect(t, 422)
	}
	v.post("/confirm", "password", goodPassword, "code", h.app(secret, 0)).expect(t, 429) // guessing by somebody else's session
}

// Whoever signs in elsewhere proves it there. A provider that remembered them is not enough, and what it says of the time counts.
func TestProvenElsewhere(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	h := needing(t, p.options)
	sign := func(v *visitor, query string, at any) url.Values {
		p.mu.Lock()
		p.claims = map[string]any{"email": "adam", "auth_time": at}
		p.mu.Unlock()
		location := v.get("/sign-in/openid"+query).expect(t, 303).Header.Get("Location")
		v.get("/sign-in/openid/back?"+p.authorize(t, location).Encode()).expect(t, 303)
		u, _ := url.Parse(location)
		return u.Query()
	}
	path := "/people/" + h.as("petra").ID + "/link"
	v := h.visitor()
	sign(v, "", nil)
	v.get("/people").expect(t, 200)
	v.post(path).expect(t, 303, "/confirm?") // it does not say when
	v.get("/confirm").expect(t, 200, "/sign-in/openid?again=1")
	v.post("/confirm", "password", goodPassword).expect(t, 409)
	if q := sign(v, "?again=1&next=/people", nil); q.Get("prompt") != "login" || q.Get("max_age") != "0" {
		t.Error(q)
	}
	v.post(path).expect(t, 200, "/first/")
	h.wait(11 * time.Minute)
	sign(v, "?again=1", time.Now().Add(-time.Hour).Unix()) // it was not asked again, whatever was in the address
	v.post(path).expect(t, 303, "/confirm?")
	sign(v, "", time.Now().Unix())
	v.post(path).expect(t, 200, "/first/")
	if strings.Contains(v.get("/account").body, "/account/second-factor") {
		t.Error("an app is offered to somebody who signs in elsewhere")
	}
}
