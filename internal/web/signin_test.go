package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"caseforms/internal/casework"
)

func answerTo(h *house, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.Handler().ServeHTTP(w, r)
	return w.Result()
}

const goodPassword = "four horses read slowly"

// password gives somebody a password by a link, as an admin does.
func (h *house) password(login string) {
	h.t.Helper()
	token, _, err := h.desk.MakeLink(h.t.Context(), h.as("adam"), login)
	h.must(err)
	_, err = h.desk.UseLink(h.t.Context(), token, "", "", goodPassword)
	h.must(err)
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.password("petra")
	v := h.visitor()
	v.get("/cases").expect(t, 303, "/sign-in?next=%2Fcases&why=first")
	v.post("/sign-in", "login", "petra", "password", "four horses read slowlx", "next", "/cases").expect(t, 403, "The name or the password is wrong", "Error: Sign in")
	v.post("/sign-in", "login", "", "password", "").expect(t, 422, "Enter your password")
	r := v.post("/sign-in", "login", "PETRA", "password", goodPassword, "next", "/cases")
	r.expect(t, 303, "/cases")
	c := r.Cookies()[0]
	if c.Name != "caseforms-session" || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 0 || !c.Expires.IsZero() {
		t.Error(c)
	}
	v.get("/").expect(t, 200, "Petra Practitioner")
	old := c.Value
	v.post("/sign-out").expect(t, 303, "/sign-in?why=out")
	v.get("/").expect(t, 303)
	v.cookies[c.Name] = &http.Cookie{Name: c.Name, Value: old} // somebody had copied it
	v.get("/").expect(t, 303)
	if got := strings.Join(h.did("petra", 3), ", "); got != "sign-in refused, signed in, signed out" {
		t.Error(got)
	}
	// A closed account gets the same answer.
	no := false
	h.must(h.desk.ChangeUser(t.Context(), h.as("adam"), "sue", "", nil, nil, nil))
	h.password("olga")
	h.must(h.desk.ChangeUser(t.Context(), h.as("adam"), "olga", "", nil, nil, &no))
	closed := h.visitor().post("/sign-in", "login", "olga", "password", goodPassword)
	unknown := h.visitor().post("/sign-in", "login", "nobody", "password", goodPassword)
	without := h.visitor().post("/sign-in", "login", "sue", "password", goodPassword) // she has no password
	strip := func(r reply, login string) string { return strings.ReplaceAll(r.body, login, "") }
	if a, b, c := strip(closed, "olga"), strip(unknown, "nobody"), strip(without, "sue"); a != b || b != c || closed.StatusCode != unknown.StatusCode || unknown.StatusCode != 403 {
		t.Error("accounts can be told apart")
	}
}

func TestSecureCookie(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(o *Options) { o.Secure, o.URL = true, "https://caseforms.example" })
	h.password("petra")
	c := h.visitor().post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303).Cookies()[0]
	if c.Name != "__Host-caseforms-session" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Error(c)
	}
}

// A session that somebody else put into the browser before is not the one in which people sign in, and it ends.
func TestFixation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.password("petra")
	attacker := h.signedIn("sue")
	planted := attacker.cookies[h.cookieName()].Value
	v := h.visitor()
	v.cookies[h.cookieName()] = &http.Cookie{Name: h.cookieName(), Value: planted}
	v.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303)
	if v.cookies[h.cookieName()].Value == planted {
		t.Error("the token stayed")
	}
	attacker.get("/").expect(t, 303)
	// One that was made up is not taken over either.
	v = h.visitor()
	v.cookies[h.cookieName()] = &http.Cookie{Name: h.cookieName(), Value: strings.Repeat("A", 43)}
	v.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303)
	if v.cookies[h.cookieName()].Value == strings.Repeat("A", 43) {
		t.Error("a token that was made up stands")
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.signedIn("petra")
	for range 6 { // doing something keeps it
		h.wait(casework.SessionIdle - time.Second)
		v.get("/").expect(t, 200)
	}
	h.wait(casework.SessionIdle - time.Second)
	v.get("/time-nearly-over").expect(t, 200, "Stay signed in") // looking at the warning does not
	v.get("/assets/"+h.assets.hash+"/app.css").expect(t, 200)
	h.wait(time.Second)
	v.get("/cases").expect(t, 303, "why=idle", "next=%2Fcases")
	v.get("/").expect(t, 303)
	h.signedIn("petra").get("/sign-in?why=idle&next=/cases").expect(t, 303, "/time-nearly-over?from=%2Fcases") // a page that was left open must not keep it
	h.visitor().get("/sign-in?why=idle").expect(t, 200, "nothing was done for 20 minutes")

	v = h.signedIn("petra")
	h.wait(casework.SessionIdle - time.Second)
	v.post("/stay").expect(t, 303, "/")
	h.wait(casework.SessionIdle - time.Second)
	v.get("/").expect(t, 200)

	// Pages that are left open, with scripts or without, do not keep a session: what they ask for by themselves is quiet.
	v = h.signedIn("petra")
	for range 39 {
		h.wait(30 * time.Second)
		v.get("/sign-in?why=idle&next=/cases").expect(t, 303, "/time-nearly-over")
		if r := v.get("/time-nearly-over?from=/cases").expect(t, 200); strings.Contains(r.body, `content="1;`) {
			t.Error("the warning loads itself again and again")
		}
	}
	h.wait(30 * time.Second)
	v.get("/time-nearly-over?from=/cases").expect(t, 303, "why=idle", "next=%2Fcases")

	v = h.signedIn("petra") // twelve hours are the end, whatever is done
	for range 47 {
		h.wait(15 * time.Minute)
		v.get("/").expect(t, 200)
	}
	h.wait(15 * time.Minute)
	v.get("/").expect(t, 303, "why=over")
	h.must(h.desk.SweepSessions(t.Context()))
	v.get("/").expect(t, 303, "why=first")
}

// Another process sees a session that is in use as in use, and one whose time is over as over.
func TestSessionIsStored(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.signedIn("petra")
	h.wait(15 * time.Minute)
	v.get("/").expect(t, 200)
	h.wait(15 * time.Minute)
	other, err := New(Options{Desk: casework.New(h.store, h.o.Load), Load: h.o.Load, URL: h.o.URL})
	h.must(err)
	mine := h.Service
	h.Service = other
	v.get("/").expect(t, 200)
	h.Service = mine
	h.wait(15 * time.Minute)
	v.get("/").expect(t, 200)
}

var keptOnPage = regexp.MustCompile(`/carry-on\?which=\d+`)

// carryOn sends what was kept, as a browser does.
func (v *visitor) carryOn(pairs ...string) reply {
	v.h.t.Helper()
	r := v.post(keptOnPage.FindString(v.get("/carry-on").expect(v.h.t, 200).body), pairs...).expect(v.h.t, 307)
	return v.post(r.location(), pairs...)
}

// What somebody sends when their time is just over is kept for them, and for nobody else.
func TestCarryOn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.password("petra")
	v := h.visitor()
	v.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303)
	h.wait(time.Hour)
	v.post("/cases", "q", "Sampleson <b>").expect(t, 303, "why=kept", "next=%2Fcarry-on")
	h.signedIn("sue").get("/carry-on").expect(t, 303)
	v.post("/sign-in", "login", "petra", "password", goodPassword, "next", "/carry-on").expect(t, 303, "/carry-on")
	r := v.get("/carry-on").expect(t, 200, `value="Sampleson &lt;b&gt;"`, "you had been signed out")
	if strings.Contains(r.body, "<b>") {
		t.Error("not escaped")
	}
	v.get("/carry-on").expect(t, 200, `value="Sampleson &lt;b&gt;"`) // looking at it takes nothing away
	v.post("/carry-on?which=1", "q", "Sampleson <b>").expect(t, 303, "/carry-on")
	v.carryOn("q", "Sampleson <b>").expect(t, 200)
	v.get("/carry-on").expect(t, 303) // once
	v.post("/carry-on?which=1", "q", "x").expect(t, 303, "/carry-on")
	v.get("/").expect(t, 200, "Nothing was sent by this")
	// Over once more while it is sent, it is still kept as it was; and it need not be sent.
	h.wait(time.Hour)
	v.post("/cases", "q", "Sampleson").expect(t, 303, "why=kept")
	v.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303)
	which := keptOnPage.FindString(v.get("/carry-on").body)
	h.wait(25 * time.Minute)
	v.post(which, "q", "Sampleson").expect(t, 303, "why=kept", "next=%2Fcarry-on")
	v.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303)
	v.get("/carry-on").expect(t, 200, which)
	v.post("/carry-on/drop").expect(t, 303, "/")
	v.get("/").expect(t, 200, "It was not sent")
	v.get("/carry-on").expect(t, 303)
	// A password is not kept.
	h.wait(time.Hour)
	v.post("/account/password", "old", goodPassword, "password", "five zebras hum loudly", "again", "five zebras hum loudly").expect(t, 303, "why=idle")
	// Of somebody who was never signed in nothing is kept.
	h.visitor().post("/cases", "q", "x").expect(t, 303, "why=first")
}

func TestSessionsAreRevoked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.password("petra")
	here, there, third := h.visitor(), h.visitor(), h.visitor()
	for _, v := range []*visitor{here, there, third} {
		v.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303)
		h.wait(time.Second)
	}
	ids := regexp.MustCompile(`/account/sessions/(s-[0-9a-f]{12})/end`).FindAllStringSubmatch(here.get("/account").body, -1)
	if len(ids) != 2 {
		t.Fatal(ids)
	}
	h.signedIn("sue").post(ids[0][0]).expect(t, 404) // not hers
	here.post(ids[0][0]).expect(t, 303)
	third.get("/").expect(t, 303)
	there.get("/").expect(t, 200)
	here.post("/account/sessions/end-others").expect(t, 303)
	there.get("/").expect(t, 303)
	here.get("/account").expect(t, 200, "signed out everywhere else")

	// A new password ends everything, and begins anew here.
	there.post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 303)
	was := here.cookies[h.cookieName()].Value
	here.post("/account/password", "old", "wrong wrong wrong", "password", "five zebras hum loudly", "again", "five zebras hum loudly").expect(t, 422, "not the password you have now")
	here.post("/account/password", "old", goodPassword, "password", "short", "again", "short").expect(t, 422, "at least 12")
	here.post("/account/password", "old", goodPassword, "password", "five zebras hum loudly", "again", "five zebras hum").expect(t, 422, "not the same")
	here.post("/account/password", "old", goodPassword, "password", "five zebras hum loudly", "again", "five zebras hum loudly").expect(t, 303)
	if here.cookies[h.cookieName()].Value == was {
		t.Error("the token stayed")
	}
	here.get("/").expect(t, 200)
	there.get("/").expect(t, 303)
	h.visitor().post("/sign-in", "login", "petra", "password", goodPassword).expect(t, 403)

	// An admin signs somebody out; roles and closing hold at once.
	h.signedIn("adam").post("/people/"+h.as("petra").ID+"/sign-out").expect(t, 303)
	here.get("/").expect(t, 303)
	v, no := h.signedIn("aud"), false
	v.get("/").expect(t, 200)
	h.must(h.desk.ChangeUser(t.Context(), h.as("adam"), "aud", "", nil, nil, &no))
	v.get("/").expect(t, 303)
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.password("petra")
	try := func(from, login, password string) int {
		v := h.visitor()
		v.from = from
		return v.post("/sign-in", "login", login, "password", password).StatusCode
	}
	for _, login := range []string{"petra", "nobody-of-this-name"} { // whether or not there is such an account
		for i := range 5 {
			if got := try("192.0.2.1:1", login, "wrong"); got != 403 {
				t.Errorf("%s, try %d: %d", login, i+1, got)
			}
		}
		if got := try("192.0.2.1:2", login, goodPassword); got != 429 {
			t.Errorf("%s after five: %d", login, got)
		}
	}
	if got := try("192.0.2.99:2", "petra", goodPassword); got != 303 {
		t.Errorf("from elsewhere: %d", got)
	}
	v := h.visitor()
	v.post("/sign-in", "login", "petra", "password", goodPassword)
	h.wait(2 * time.Minute)
	if got := try("192.0.2.1:1", "petra", goodPassword); got != 303 {
		t.Errorf("after having waited: %d", got)
	}
	// Many at once gain nothing.
	codes := make(chan int, 30)
	for range 30 {
		go func() { codes <- try("198.51.100.1:1", "petra", "wrong") }()
	}
	n := 0
	for range 30 {
		if <-codes == 403 {
			n++
		}
	}
	if n != 5 {
		t.Errorf("%d tries at once", n)
	}
}

// Only a proxy of ours says who asked.
func TestAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		proxy   bool
		forward []string
		want    string
	}{
		{false, nil, "192.0.2.1"}, {false, []string{"203.0.113.9"}, "192.0.2.1"}, {true, []string{"203.0.113.9"}, "203.0.113.9"}, {true, nil, "192.0.2.1"},
		{true, []string{"10.0.0.1, 203.0.113.9"}, "203.0.113.9"}, {true, []string{"10.0.0.1", "203.0.113.9"}, "203.0.113.9"},
	} {
		s := &Service{o: Options{Proxy: c.proxy}}
		r, _ := http.NewRequest("GET", "/", nil)
		r.RemoteAddr = "192.0.2.1:99"
		for _, f := range c.forward {
			r.Header.Add("X-Forwarded-For", f)
		}
		if got := s.address(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	link := regexp.MustCompile(`/first/[A-Za-z0-9_-]{43}`)
	adam := h.signedIn("adam")
	make := func() string {
		return link.FindString(adam.post("/people/"+h.as("petra").ID+"/link").expect(t, 200, "http://caseforms.example/first/").body)
	}
	first := make()
	second := make()
	h.visitor().get(first).expect(t, 404, "used before, has been replaced") // replaced
	v := h.visitor()
	for range 3 { // looking at it uses nothing up
		v.get(second).expect(t, 200, "Petra Practitioner")
	}
	v.post(second, "password", "short", "again", "short").expect(t, 422, "at least 12")
	v.post(second, "password", goodPassword, "again", "x").expect(t, 422, "not the same")
	for _, bad := range []string{"petrapetrapetra", "aaaaaaaaaaaa", "Password1234", "qwertyqwerty"} {
		v.post(second, "password", bad, "again", bad).expect(t, 422, "guessed early")
	}
	v.post(second, "password", goodPassword, "again", goodPassword).expect(t, 303)
	v.get("/").expect(t, 200, "Petra Practitioner")
	h.visitor().get(second).expect(t, 404)
	h.visitor().post(second, "password", goodPassword, "again", goodPassword).expect(t, 404)

	// Two at once: one of them.
	third := make()
	codes := map[int]int{}
	results := chanOf(8, func() int { return h.visitor().post(third, "password", goodPassword, "again", goodPassword).StatusCode })
	for range 8 {
		codes[<-results]++
	}
	if codes[303] != 1 || codes[404] != 7 {
		t.Error(codes)
	}
	// Old ones do not work.
	fourth := make()
	h.wait(49 * time.Hour)
	h.visitor().get(fourth).expect(t, 404)
	h.visitor().post(fourth, "password", goodPassword, "again", goodPassword).expect(t, 404)
	// In the database is no token.
	if got := strings.Join(h.did("petra", 2), ", "); got != "password set by a link, signed in" {
		t.Error(got)
	}
}

func chanOf[T any](n int, do func() T) chan T {
	out := make(chan T, n)
	for range n {
		go func() { out <- do() }()
	}
	return out
}

// In a store in which nobody is yet, whoever has the link becomes the admin.
func TestFirstAdmin(t *testing.T) {
	t.Parallel()
	h := newEmptyHouse(t)
	token, err := h.desk.FirstLink(t.Context(), false)
	h.must(err)
	again, err := h.desk.FirstLink(t.Context(), true) // the next start prints another, and the first does not work any more
	h.must(err)
	h.visitor().get("/first/"+token).expect(t, 404)
	v := h.visitor()
	v.get("/first/"+again).expect(t, 200, "You are the first here")
	v.post("/first/"+again, "login", "", "name", "", "password", goodPassword, "again", goodPassword).expect(t, 422, "a login without spaces")
	v.post("/first/"+again, "login", "betty", "name", "Betty Boss", "password", goodPassword, "again", goodPassword).expect(t, 303)
	v.get("/people").expect(t, 200, "Betty Boss", "practitioner, admin")
	h.visitor().post("/first/"+again, "login", "eve", "name", "Eve", "password", goodPassword, "again", goodPassword).expect(t, 404)
	if token, err := h.desk.FirstLink(t.Context(), false); err != nil || token != "" {
		t.Error("there is another first link", err)
	}
	full := newHouse(t)
	if token, err := full.desk.FirstLink(t.Context(), true); err != nil || token != "" {
		t.Error("people can sign in elsewhere", err)
	}
	token, err = full.desk.FirstLink(t.Context(), false)
	h.must(err)
	full.visitor().get("/first/"+token).expect(t, 200, "Betty Boss") // the admin who was first
}
