package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/mail"
	"caseforms/render"
)

// What somebody hostile tries, from outside or with an account of their own. What each part of the service refuses to the wrong people is in its own tests,
// and TestEveryRoute walks all of it; here is what goes across.

// An account that was closed is signed out for good: opening it again does not bring back sessions and links of before.
func TestClosingEndsEverything(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.signedIn("aud")
	link, _, err := h.desk.MakeLink(t.Context(), h.as("adam"), "aud")
	h.must(err)
	no, yes := false, true
	h.must(h.desk.ChangeUser(t.Context(), h.as("adam"), "aud", "", nil, nil, &no))
	v.get("/").expect(t, 303)
	h.must(h.desk.ChangeUser(t.Context(), h.as("adam"), "aud", "", nil, nil, &yes))
	v.get("/").expect(t, 303)
	h.visitor().get("/first/"+link).expect(t, 404)
}

// What somebody may do changes at once, also in the sessions they have.
func TestRolesHoldAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mary := h.signedIn("mary")
	mary.get("/figures").expect(t, 200)
	h.must(h.desk.ChangeUser(t.Context(), h.as("adam"), "mary", "", nil, []caseforms.Role{caseforms.RolePractitioner}, nil))
	mary.get("/figures").expect(t, 403)
	mary.get("/cases").expect(t, 200)
	h.must(h.desk.Restrict(t.Context(), h.as("boss"), h.of, []string{"sue"}, nil, "for the test"))
	mary.get("/documents/"+string(h.ref)).expect(t, 403)
}

// A stranger who knows somebody's login cannot keep them out: where they signed in before, guesses from elsewhere do not count.
func TestNobodyIsLockedOutByStrangers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.password("petra")
	from := func(address, password string) int {
		v := h.visitor()
		v.from = address
		return v.post("/sign-in", "login", "petra", "password", password).StatusCode
	}
	if got := from("192.0.2.1:1", goodPassword); got != 303 {
		t.Fatal(got)
	}
	for hour := range 3 {
		for i := range 30 {
			from(fmt.Sprintf("203.0.%d.%d:1", 113+hour, i), "wrong")
		}
		if got := from("198.51.100.1:1", goodPassword); got != 429 {
			t.Errorf("guessing from many addresses is not slowed down: %d", got)
		}
		if got := from("192.0.2.1:1", goodPassword); got != 303 {
			t.Errorf("she is kept out where she signed in before: %d", got)
		}
		h.wait(20 * time.Minute)
	}
	for range 5 { // guessing from there is slowed down as anywhere
		from("192.0.2.1:1", "wrong")
	}
	if got := from("192.0.2.1:1", goodPassword); got != 429 {
		t.Errorf("after five from where she signed in: %d", got)
	}
}

// slow sends the beginning of a form and then nothing, until the test ends.
func slow(t *testing.T, server, path, kind string, cookie *http.Cookie) {
	t.Helper()
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); w.Close() })
	req, err := http.NewRequestWithContext(ctx, "POST", server+path, r)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "caseforms.example"
	req.Header.Set("Content-Type", kind)
	req.ContentLength = 10_000
	if cookie != nil {
		req.AddCookie(cookie)
	}
	go func() {
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
		}
	}()
	go io.WriteString(w, "--x\r\nContent-Disposition: form-data; name=\"login\"\r\n\r\n")
}

// Those who send slowly keep nobody out: neither strangers at the page to sign in, nor one person with many files.
func TestSlowSenders(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	server := httptest.NewServer(h.Handler())
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	const files = "multipart/form-data; boundary=x"
	for i := range 4 * mostAtOnce {
		slow(t, server.URL, "/sign-in", []string{files, "text/plain", "application/x-www-form-urlencoded", "application/octet-stream"}[i%4], nil)
	}
	petra, sue := h.signedIn("petra"), h.signedIn("sue")
	for range uploadsAtOnce + 2 {
		slow(t, server.URL, "/documents/"+string(h.ref)+"/answer/file", files, petra.cookies[h.cookieName()])
	}
	time.Sleep(2 * time.Second) // so that those that would get a turn have it
	h.visitor().get("/sign-in").expect(t, 200)
	sue.upload("/documents/"+string(h.foreign)+"/answer/file", map[string][2]string{"file": {"x.eml", "nonsense"}}).expect(t, 422)
	petra.get("/").expect(t, 200)
}

// A form with files is read only where files are asked for: elsewhere it would be read while others wait for a turn.
func TestFilesOnlyWhereTheyAreAsked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.signedIn("adam").upload("/people", map[string][2]string{"file": {"x.txt", "x"}}, "login", "nora", "name", "Nora New", "roles", "admin").expect(t, 422, "Enter a name for signing in")
	h.visitor().upload("/sign-in", nil, "login", "petra", "password", "x").expect(t, 422, "Enter your password")
}

// One click too many issues one document: of many requests at the same moment for the same version of a draft one issues it.
func TestDoubleClickIssuesOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d, err := h.desk.SaveDraft(t.Context(), h.as("petra"), casework.SaveDraft{Form: "cp1", Case: h.of, Content: sampleCases(t)["01-simple"]})
	h.must(err)
	path := "/drafts/" + string(d.ID) + "/issue"
	v := h.signedIn("petra")
	page := v.open(path)
	before := len(h.issues())
	codes := chanOf(6, func() string {
		r := h.signedIn("petra").post(path, append(reasonsFor(page), "base", "1")...)
		return fmt.Sprint(r.StatusCode, " ", r.location())
	})
	got := map[string]int{}
	for range 6 {
		got[<-codes]++
	}
	if len(h.issues()) != before+1 {
		t.Fatalf("%v, %d documents", got, len(h.issues())-before)
	}
	ref := h.issues()[before].Ref
	if at := documentPath(ref, ""); got["303 "+at] != 6 {
		t.Errorf("not all are led to %s: %v", at, got)
	}
	// Whoever comes back to a page of the draft is led there, and told that what they typed was not saved.
	draft := "/drafts/" + string(d.ID)
	v.get(draft).expect(t, 404, "This draft was issued as "+string(ref), "on 25 November 2026 at 9:00am", `href="/documents/`+string(ref)+`"`)
	v.get(path).expect(t, 404, "This draft was issued as "+string(ref))
	v.post(draft+"/part/referral", "base", "1").expect(t, 404, "What you typed since was not saved")
	v.post(draft+"/drop", "base", "1").expect(t, 404, "This draft was issued as "+string(ref))
	v.post(path, "base", "1").expect(t, 303, documentPath(ref, ""))
	v.get(documentPath(ref, "")).expect(t, 200, "It was issued already")
	h.must(h.desk.Restrict(t.Context(), h.as("boss"), h.of, []string{"sue"}, nil, "a test"))
	if page := v.get(draft).expect(t, 403); strings.Contains(page.body, string(ref)) {
		t.Error("who may not see the case is told what was issued")
	}
}

// issues are the entries of documents that were issued.
func (h *house) issues() (out []store.Record) {
	return slices.DeleteFunc(h.ledger(), func(r store.Record) bool { return r.What != "document issued" })
}

// A manager countersigns an issue once, however often it is asked for.
func TestDoubleCountersign(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ref := h.recordForm("petra", "pp1", "07-level-3")
	path := "/documents/" + string(ref) + "/countersign"
	codes := chanOf(6, func() int { return h.signedIn("mary").post(path, "issue", "1", "say", "endorse").StatusCode })
	got := map[int]int{}
	for range 6 {
		got[<-codes]++
	}
	n := 0
	for _, r := range h.ledger() {
		if r.What == "countersigned" {
			n++
		}
	}
	if n != 1 || got[303] != 1 {
		t.Errorf("%d countersignatures, %v", n, got)
	}
	h.signedIn("mary").post(path, "issue", "1", "say", "back", "why", "the level is missing").expect(t, 303) // another word is another word
	h.signedIn("mary").post(path, "issue", "1", "say", "endorse").expect(t, 303)
}

// Ids of other people's things are of no use in addresses of one's own, and fields that a page does not have are not looked at.
func TestIDsOfOthers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, posted(nil))
	petra := h.signedIn("petra")
	sent, _, err := h.desk.Send(t.Context(), h.as("sue"), casework.Send{Ref: h.foreign, To: []string{"desk@council.example"}, Confirm: "a test", Without: "a test"})
	h.must(err)
	own := "/documents/" + string(h.ref)
	for _, rest := range []string{"", "/release", "/withdraw", "/settle"} {
		path := fmt.Sprintf("%s/sends/%d%s", own, sent[0].ID, rest)
		method := "POST"
		if rest == "" {
			method = "GET"
		}
		if r := petra.do(method, path, formOf([]string{"why", "x", "means", "tls", "arrived", "yes"})); r.StatusCode != 404 {
			t.Errorf("%s %s: %d", method, path, r.StatusCode)
		}
	}
	// What somebody has put together to be sent, another cannot confirm.
	h.must(h.desk.Restrict(t.Context(), h.as("boss"), h.foreignCase, nil, nil, "for the test"))
	sue := h.signedIn("sue")
	at := sue.upload(own+"/send", nil, "address", "desk@council.example", "confirm", "a test", "without", "a test").expect(t, 303).location()
	sue.get(at).expect(t, 200)
	petra.get(at).expect(t, 404)
	petra.post(at).expect(t, 404)
	// A program that is called a PDF does not go out.
	choices, err := h.desk.Attachments(t.Context(), h.as("petra"), h.ref)
	h.must(err)
	for _, c := range choices {
		petra.upload(own+"/send", map[string][2]string{"file-" + c.Key: {"report.pdf", "MZ\x90\x00"}}, "address", "desk@council.example", "confirm", "a test").expect(t, 422, "not what its name says")
	}
	if _, _, err := h.desk.Send(t.Context(), h.as("petra"), casework.Send{Ref: h.ref, To: []string{"desk@council.example"}, Confirm: "a test", Attach: []mail.Attachment{{Key: "oasys", Ext: "pdf", Data: []byte("MZ")}}, Dry: true}); err == nil {
		t.Error("a program is attached as a PDF")
	}
	// A draft has the author, team, case and form it has, whatever is sent along.
	id := h.draft("petra", "cp1", []byte(`{}`)).ID
	petra.post("/drafts/"+string(id)+"/part/referral", "base", "1", "id", "DR-0000-0000", "case", string(h.foreignCase), "team", "South", "form", "pp1", "created_by", h.as("sue").ID, "person.family_name", "X").expect(t, 303)
	d, err := h.desk.Draft(t.Context(), h.as("petra"), id)
	h.must(err)
	if d.CreatedBy != h.as("petra").ID || d.Team != "North" || d.Case != "" || d.Form != "cp1" || bytes.Contains(d.Content, []byte("created_by")) {
		t.Errorf("%+v %s", d.Draft, d.Content)
	}
	// Nobody gives themselves a role.
	petra.post("/account/password", "old", "x", "password", goodPassword, "again", goodPassword, "roles", "admin")
	petra.post("/people", "login", "eve", "name", "Eve", "roles", "admin").expect(t, 403)
	if !slices.Equal(h.as("petra").Roles, []caseforms.Role{caseforms.RolePractitioner}) {
		t.Error(h.as("petra").Roles)
	}
}

// What comes down is saved and not shown, whatever it holds, and its name is ours.
func TestDownloads(t *testing.T) {
	t.Parallel()
	h := newHouse(t, posted(nil))
	b := sampleCases(t)["03-urgent"]
	out, _, err := h.desk.Record(context.Background(), h.as("petra"), casework.Record{Form: "cp1", Case: b, Outputs: []casework.Output{{Format: render.FormatPDF}, {Format: render.FormatHTML}}})
	h.must(err)
	petra := h.signedIn("petra")
	paths := []string{"/inbox/" + h.message("") + "/as-it-came.eml"}
	for n := range 2 {
		paths = append(paths, fmt.Sprintf("/documents/%s/issues/1/%d", out.Ref, n+1))
	}
	for _, path := range paths {
		r := petra.get(path).expect(t, 200)
		if d := r.Header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment; filename=") || strings.ContainsAny(d, "\r\n") || r.Header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(r.Header.Get("Content-Security-Policy"), "sandbox") || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, r.Header)
		}
	}
	w := httptest.NewRecorder()
	h.must(download(w, "x\r\nSet-Cookie: a=b\".pdf", nil))
	if len(w.Header()["Set-Cookie"]) > 0 || strings.ContainsAny(w.Header().Get("Content-Disposition"), "\r\n") {
		t.Error(w.Header())
	}
}

// Wherever a sign-in or a proof leads next, it is ours.
func TestNextAfterSteps(t *testing.T) {
	t.Parallel()
	h := needing(t)
	secret, _ := h.enrolled("petra")
	for _, next := range []string{"https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "/sign-in/openid?next=x"} {
		h.wait(time.Minute)
		v := h.visitor()
		v.post("/sign-in", "login", "petra", "password", goodPassword, "next", next).expect(t, 303, "/sign-in/second?next=%2F")
		if r := v.post("/sign-in/second", "code", h.app(secret, 0), "next", next).expect(t, 303); r.Header.Get("Location") != "/" {
			t.Error(r.Header.Get("Location"))
		}
		h.wait(time.Minute)
		if r := v.post("/confirm", "password", goodPassword, "code", h.app(secret, 0), "next", next).expect(t, 303); r.Header.Get("Location") != "/" {
			t.Error(r.Header.Get("Location"))
		}
	}
}

// Whatever has a body says what it is, and in which letters where it is text.
func TestContentTypes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, everything)
	table := walks(h)
	n := 0
	for _, rt := range h.routes {
		if rt.API || rt.Method != "GET" {
			continue
		}
		path := table["GET "+rt.Pattern].path
		if path == "" {
			path = rt.Pattern
		}
		for _, login := range []string{"petra", "adam", "mary"} {
			r := h.signedIn(login).get(path)
			kind, rest, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
			text := strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+xml")
			if r.body != "" && kind == "" || text && strings.TrimSpace(rest) != "charset=utf-8" {
				t.Errorf("GET %s: %q", path, r.Header.Get("Content-Type"))
			}
			n++
		}
	}
	if n < 100 {
		t.Errorf("%d answers", n)
	}
}
