package web

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/postoffice"
	"caseforms/internal/store"
	"caseforms/mail"
	"caseforms/render"
)

// posted gives a service a relay; m is nil when it leads to nowhere.
func posted(m *postoffice.Memory) func(*Options) {
	return func(o *Options) {
		pool, address := x509.NewCertPool(), "127.0.0.1:1"
		if m != nil {
			pool.AppendCertsFromPEM(m.CA)
			address = m.RelayAddress
		}
		o.Desk.Mail(&casework.Post{
			House: mail.House{Mailbox: "safeguarding@probation.example", Name: "Probation Service"},
			Relays: []mail.Relay{{Name: "main", Address: address, ServerName: "localhost", CAs: pool, Guarantees: mail.TLS,
				Login: func(context.Context) (mail.Login, error) { return mail.Login{User: "us", Password: "secret"}, nil }}},
			Ours: mail.Ours{Mailboxes: []mail.Address{"safeguarding@probation.example"}, Relays: []string{"mx.probation.example"}},
			Ring: casework.Telephone{Whom: "the safeguarding desk", Number: "01632 960100"},
		})
	}
}

// mailHouse is a house from which council.example may be written to.
func mailHouse(t *testing.T) (*house, *postoffice.Memory) {
	t.Helper()
	m, err := postoffice.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	h := newHouse(t, posted(m))
	h.allow("council.example")
	return h, m
}

func (h *house) allow(domain string) {
	h.t.Helper()
	today := caseforms.DateOf(caseforms.London(h.clock()))
	h.must(h.desk.SetPolicy(h.t.Context(), h.as("adam"), store.Policy{Pattern: domain, Means: "tls", Demonstrated: today, How: "a test", Why: "a test"}))
}

// office puts an office into the directory.
func (h *house) office(name, address string) string {
	h.t.Helper()
	rs := []store.Recipient{{Role: "front_door", Organisation: name, Channel: "email", Address: address, Phone: "01632 960200"}}
	_, _, _, err := h.desk.PutRecipients(h.t.Context(), h.as("adam"), rs)
	h.must(err)
	return rs[0].ID
}

func (h *house) carryAll() {
	h.t.Helper()
	c, err := h.desk.Courier()
	h.must(err)
	defer c.Close()
	_, err = h.desk.Deliver(h.t.Context(), c, 2)
	h.must(err)
}

func (h *house) comes(raw string) *casework.Came {
	h.t.Helper()
	c, err := h.desk.Receive(h.t.Context(), casework.Incoming{Mailbox: "safeguarding@probation.example INBOX", Raw: []byte(strings.ReplaceAll(raw, "\n", "\r\n"))})
	h.must(err)
	return c
}

// message puts a message into the inbox and says its number.
func (h *house) message(ref caseforms.Ref) string {
	h.t.Helper()
	c := h.comes(fmt.Sprintf("From: desk@council.example\nTo: safeguarding@probation.example\nSubject: about it\nMessage-ID: <%d@council.example>\nDate: Wed, 25 Nov 2026 08:00:00 +0000\n\nWe have a question.\n", h.store.Now().UnixNano()))
	if ref != "" {
		as := "petra"
		if ref == h.foreign {
			as = "sue"
		}
		h.must(h.desk.FileMail(h.t.Context(), h.as(as), c.Number, ref))
	}
	h.wait(1e9)
	return fmt.Sprint(c.Number)
}

// upload is a form with files.
func (v *visitor) upload(path string, files map[string][2]string, pairs ...string) reply {
	v.h.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		v.h.must(m.WriteField(pairs[i], pairs[i+1]))
	}
	for field, f := range files {
		w, err := m.CreateFormFile(field, f[0])
		v.h.must(err)
		_, err = io.WriteString(w, f[1])
		v.h.must(err)
	}
	v.h.must(m.Close())
	r := httptest.NewRequest("POST", "http://caseforms.example"+path, &b)
	r.URL.Scheme, r.URL.Host = "", ""
	r.RemoteAddr = v.from
	r.Header.Set("Content-Type", m.FormDataContentType())
	for _, c := range v.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	v.h.Handler().ServeHTTP(w, r)
	res := w.Result()
	body, _ := io.ReadAll(res.Body)
	return reply{res, string(body)}
}

func (r reply) location() string { return r.Header.Get("Location") }

func workWalks(h *house) map[string]walk {
	doc, other := "/documents/"+string(h.ref), "/documents/"+string(h.foreign)
	at := "/documents/" + refPattern
	token := strings.Repeat("A", 43)
	caseworkers := func(code int) [6]int { return [6]int{in, code, code, 403, 403, 403} }
	refused := caseworkers(403)
	held := func(ref caseforms.Ref, as string) string {
		out, _, err := h.desk.Send(h.t.Context(), h.as(as), casework.Send{Ref: ref, To: []string{"desk@nowhere.example"}, Confirm: "a test", Without: "a test"})
		h.must(err)
		return fmt.Sprintf("/sends/%d", out[0].ID)
	}
	send, theirs := held(h.ref, "petra"), held(h.foreign, "sue")
	h.must2(h.desk.HandOver(h.t.Context(), h.as("petra"), casework.HandOver{Ref: h.ref, Channel: casework.ByHand, To: "Council"}))
	mine, foreign, loose := h.message(h.ref), h.message(h.foreign), h.message("")
	one := `/inbox/{message:[1-9][0-9]{0,11}}`
	return map[string]walk{
		"GET " + at + "/issues/{issue:[1-9][0-9]{0,3}}/{file:[1-9][0-9]?}": {path: doc + "/issues/1/1", want: caseworkers(200), foreign: other + "/issues/1/1", wantFor: refused},

		"GET " + at + "/send":                                 {path: doc + "/send", want: caseworkers(200), foreign: other + "/send", wantFor: refused},
		"POST " + at + "/send":                                {path: doc + "/send", want: caseworkers(422), foreign: other + "/send", wantFor: refused}, // nobody in the directory
		"GET " + at + "/send/" + tokenPattern:                 {path: doc + "/send/" + token, want: caseworkers(404), foreign: other + "/send/" + token, wantFor: refused},
		"POST " + at + "/send/" + tokenPattern:                {path: doc + "/send/" + token, want: caseworkers(404), foreign: other + "/send/" + token, wantFor: refused},
		"GET " + at + "/issues/{issue:[1-9][0-9]{0,3}}/print": {path: doc + "/issues/1/print", want: caseworkers(200), foreign: other + "/issues/1/print", wantFor: refused},
		"GET " + at + "/new-version":                          {path: doc + "/new-version", want: caseworkers(200), foreign: other + "/new-version", wantFor: refused},
		"POST " + at + "/new-version":                         {path: doc + "/new-version", want: caseworkers(422), foreign: other + "/new-version", foreignForm: []string{"why", "x"}, wantFor: refused},
		"GET " + at + "/copies/" + copyPattern:                {path: doc + "/copies/disclosable", want: caseworkers(200), foreign: other + "/copies/disclosable", wantFor: refused},
		"GET " + at + "/copies/" + copyPattern + "/print":     {path: doc + "/copies/disclosable/print", want: caseworkers(200), foreign: other + "/copies/disclosable/print", wantFor: refused},
		"POST " + at + "/copies/" + copyPattern:               {path: doc + "/copies/disclosable", want: caseworkers(422), foreign: other + "/copies/disclosable", foreignForm: []string{"issue", "1"}, wantFor: refused}, // without the issue that was read
		"POST " + at + "/for-another":                         {path: doc + "/for-another", form: []string{"who", "Nobody"}, want: caseworkers(409), foreign: other + "/for-another", foreignForm: []string{"who", "Nobody"}, wantFor: refused},
		"GET /waiting":                                        {want: caseworkers(200)},
		"GET " + at + "/countersign":                          {path: doc + "/countersign", want: [6]int{in, 403, 409, 403, 403, 403}, foreign: other + "/countersign", wantFor: refused},                                                                                                        // this form wants none
		"POST " + at + "/countersign":                         {path: doc + "/countersign", form: []string{"issue", "1", "say", "endorse"}, want: [6]int{in, 403, 409, 403, 403, 403}, foreign: other + "/countersign", foreignForm: []string{"issue", "1", "say", "endorse"}, wantFor: refused}, // this form wants none
		"POST " + at + "/chase":                               {path: doc + "/chase", want: caseworkers(404), foreign: other + "/chase", wantFor: refused},                                                                                                                                       // it was handed over by hand
		"GET " + at + "/sends/" + sendPattern:                 {path: doc + send, want: caseworkers(200), foreign: other + theirs, wantFor: refused},
		"POST " + at + "/sends/" + sendPattern + "/release":   {path: doc + send + "/release", want: caseworkers(422), foreign: other + theirs + "/release", wantFor: refused},
		"POST " + at + "/sends/" + sendPattern + "/withdraw":  {path: doc + send + "/withdraw", want: caseworkers(422), foreign: other + theirs + "/withdraw", wantFor: refused},
		"POST " + at + "/sends/" + sendPattern + "/settle":    {path: doc + send + "/settle", want: caseworkers(422), foreign: other + theirs + "/settle", wantFor: refused},
		"GET " + at + "/hand-over":                            {path: doc + "/hand-over", want: caseworkers(200), foreign: other + "/hand-over", wantFor: refused},
		"POST " + at + "/hand-over":                           {path: doc + "/hand-over", want: caseworkers(422), foreign: other + "/hand-over", wantFor: refused, foreignForm: []string{"to", "Council", "by", "hand"}},
		"GET " + at + "/answer":                               {path: doc + "/answer", want: caseworkers(200), foreign: other + "/answer", wantFor: refused},
		"POST " + at + "/answer":                              {path: doc + "/answer", want: caseworkers(422), foreign: other + "/answer", wantFor: refused, foreignForm: []string{"kind", "assessment"}},
		"POST " + at + "/answer/file":                         {path: doc + "/answer/file", want: caseworkers(422), foreign: other + "/answer/file", wantFor: refused},
		"GET " + at + "/note":                                 {path: doc + "/note", want: caseworkers(200), foreign: other + "/note", wantFor: refused},
		"POST " + at + "/note":                                {path: doc + "/note", want: caseworkers(422), foreign: other + "/note", wantFor: refused, foreignForm: []string{"kind", "call", "text", "x"}},

		"GET /inbox":                     {want: caseworkers(200)},
		"GET " + one:                     {path: "/inbox/" + mine, want: caseworkers(200), foreign: "/inbox/" + foreign, wantFor: refused},
		"GET " + one + "/as-it-came.eml": {path: "/inbox/" + mine + "/as-it-came.eml", want: caseworkers(200), foreign: "/inbox/" + foreign + "/as-it-came.eml", wantFor: refused},
		// Into a document of a case that somebody may not see nothing is filed.
		"POST " + one + "/file":  {path: "/inbox/" + loose + "/file", form: []string{"ref", string(h.foreign)}, want: caseworkers(403), foreign: "/inbox/" + foreign + "/file", foreignForm: []string{"ref", string(h.ref)}, wantFor: refused},
		"POST " + one + "/done":  {path: "/inbox/" + mine + "/done", want: caseworkers(422), foreign: "/inbox/" + foreign + "/done", foreignForm: []string{"why", "x"}, wantFor: refused},
		"POST " + one + "/throw": {path: "/inbox/" + loose + "/throw", want: caseworkers(422), foreign: "/inbox/" + foreign + "/throw", foreignForm: []string{"why", "x"}, wantFor: refused},
		"GET /outbox":            {want: [6]int{in, 200, 200, 200, 403, 403}},

		"GET /due":               {want: [6]int{in, 200, 200, 200, 200, 403}, path: "/due?of=all&days=30"},
		"GET /due/register.xlsx": {want: [6]int{in, 200, 200, 200, 200, 403}},
		"GET /due/due.ics":       {want: [6]int{in, 200, 200, 200, 200, 403}},
		"GET /due/digest.pdf":    {want: [6]int{in, 200, 200, 200, 200, 403}},
		"GET /cases/" + casePattern + "/inspection.{format:pdf|xlsx}": {path: "/cases/" + string(h.of) + "/inspection.pdf", want: caseworkers(200), foreign: "/cases/" + string(h.foreignCase) + "/inspection.xlsx", wantFor: refused},
		"GET /cases/" + casePattern + "/log.{format:pdf|xlsx}":        {path: "/cases/" + string(h.of) + "/log.xlsx", want: caseworkers(200), foreign: "/cases/" + string(h.foreignCase) + "/log.pdf", wantFor: refused},

		"GET /figures": {want: [6]int{in, 403, 200, 403, 200, 403}},
		"GET /figures/inspection.{format:pdf|xlsx}": {path: "/figures/inspection.xlsx", want: [6]int{in, 403, 200, 403, 200, 403}},
		"GET /caseloads":  {want: [6]int{in, 403, 200, 200, 403, 403}},
		"POST /caseloads": {want: [6]int{in, 403, 422, 422, 403, 403}},

		"GET /batch":                    {want: caseworkers(200)},
		"POST /batch":                   {want: caseworkers(422)},
		"GET /batch/template.xlsx":      {path: "/batch/template.xlsx?empty-form=pp1", want: caseworkers(200)},
		"GET /batch/run":                {want: caseworkers(404)}, // everybody has their own, and nobody has one here; see TestBatchIsOnesOwn
		"GET /batch/run/send":           {want: caseworkers(404)},
		"POST /batch/run/send":          {want: caseworkers(404)},
		"POST /batch/run/record":        {want: caseworkers(404)},
		"POST /batch/run/documents.zip": {want: caseworkers(404)},
		"GET /batch/run/merged.pdf":     {want: caseworkers(404)},
		"GET /batch/run/register.xlsx":  {want: caseworkers(404)},
		"GET /batch/run/fix.xlsx":       {want: caseworkers(404)},
		"POST /batch/run/stop":          {want: caseworkers(404)},
		"POST /batch/run/delete":        {want: caseworkers(404)},

		"GET /directory":         {want: [6]int{in, 200, 200, 200, 200, 403}},
		"POST /directory":        {want: [6]int{in, 403, 422, 422, 403, 403}},
		"POST /directory/import": {want: [6]int{in, 403, 422, 422, 403, 403}},
		"POST /directory/{recipient:r-[0-9a-f]{6,16}}/close": {path: "/directory/r-00000000/close", form: []string{"why", "x"}, want: [6]int{in, 403, 404, 404, 403, 403}},
		"GET /policies":         {want: [6]int{in, 200, 200, 200, 200, 403}},
		"POST /policies":        {want: [6]int{in, 403, 403, 422, 403, 403}},
		"POST /policies/remove": {want: [6]int{in, 403, 403, 422, 403, 403}},
	}
}

func (h *house) must2(_ any, err error) { h.t.Helper(); h.must(err) }

// From a recorded document to the answer, by pages: chosen, looked at, sent, taken by the relay, answered by a letter, the answer recorded from it.
func TestFromSendToAnswer(t *testing.T) {
	t.Parallel()
	h, m := mailHouse(t)
	id := h.office("Northtown MASH", "mash@council.example")
	petra := h.signedIn("petra")
	at := "/documents/" + string(h.ref)
	petra.get(at).expect(t, 200, "Send by e-mail", "It was not handed to anybody yet")
	petra.get(at+"/send").expect(t, 200, "Northtown MASH", "mash@council.example", `value="`+id+`"`)

	// What the form says is attached and is not is told beside its field; nothing is lost.
	r := petra.upload(at+"/send", nil, "to", id, "again", "typed before")
	if r.StatusCode == 422 {
		r.expect(t, 422, "Attach it, or say why", "typed before", "checked")
		r = petra.upload(at+"/send", nil, "to", id, "without", "it follows by post")
	}
	r.expect(t, 303, at+"/send/")
	if n := len(m.All()); n != 0 {
		t.Fatalf("%d left before anybody confirmed it", n)
	}
	check := r.location()
	shown := petra.get(check).expect(t, 200, "Nothing was sent yet", "mash@council.example", string(h.ref), "Send it")
	if _, message, _ := strings.Cut(shown.body, "Nothing was sent yet"); strings.Contains(message, "Sampleson") { // above it stands whom it is about
		t.Error("the message names the person")
	}
	if h.outboxLen() != 0 {
		t.Error("looking at it put something into the outbox")
	}
	// Somebody else has nothing of what was put together here, and it is sent once.
	h.signedIn("mary").get(check).expect(t, 404)
	h.signedIn("mary").post(check).expect(t, 404)
	petra.post(check).expect(t, 303, at)
	petra.get(at).expect(t, 200, "it is in the outbox", "Queued")
	petra.post(check).expect(t, 404)
	petra.get("/outbox").expect(t, 200, "Northtown MASH")

	h.carryAll()
	if n := len(m.All()); n != 1 {
		t.Fatalf("%d arrived", n)
	}
	petra.get(at).expect(t, 200, ">Sent<", "None yet", "Chase Northtown MASH")
	p, _ := m.Last("mash@")
	sent := mail.Read(p.Raw)
	h.wait(600e9)
	came := h.comes("From: Duty Desk <mash@council.example>\nTo: " + replyTo(p.Raw) + "\nSubject: Re: " + sent.Subject + "\nMessage-ID: <a@council.example>\nIn-Reply-To: <" + sent.MessageID +
		">\nDate: Wed, 25 Nov 2026 09:10:00 +0000\nContent-Type: text/plain; charset=utf-8\n\nWe will assess. <script>alert(1)</script>\n")
	if came.Ref != h.ref {
		t.Fatalf("the reply was matched with %q", came.Ref)
	}
	petra.get("/").expect(t, 200)
	petra.get("/inbox").expect(t, 200, fmt.Sprintf("/inbox/%d", came.Number), "mash@council.example")
	page := petra.get(fmt.Sprintf("/inbox/%d", came.Number)).expect(t, 200, "We will assess.", "&lt;script&gt;", "Record what it says")
	if strings.Contains(page.body, "<script>alert") {
		t.Error("what somebody wrote is not escaped")
	}
	eml := petra.get(fmt.Sprintf("/inbox/%d/as-it-came.eml", came.Number)).expect(t, 200, "We will assess.")
	attached(t, eml)
	petra.get(fmt.Sprintf("%s/answer?message=%d", at, came.Number)).expect(t, 200, "We will assess.", `name="message" value="`, "mash@council.example")
	petra.post(at+"/answer", "message", fmt.Sprint(came.Number)).expect(t, 422, "Say what they answered")
	petra.post(at+"/answer", "message", fmt.Sprint(came.Number), "kind", "assessment", "from", "Duty Desk").expect(t, 303, at)
	petra.get(at).expect(t, 200, "It is recorded", "Answered")
	petra.get("/inbox").expect(t, 200, "Nothing is to be read.")
	if got := strings.Join(h.did("petra", 9), "; "); !strings.Contains(got, "response recorded") {
		t.Errorf("the ledger has: %s", got)
	}
}

func replyTo(raw []byte) string {
	m := regexp.MustCompile(`(?im)^Reply-To:\s*(?:.*<)?([^<>\s]+@[^<>\s]+)`).FindSubmatch(raw)
	if m == nil {
		return "safeguarding@probation.example"
	}
	return string(m[1])
}

func (h *house) outboxLen() int {
	h.t.Helper()
	out, _, err := h.desk.Outbox(h.t.Context(), h.as("petra"))
	h.must(err)
	return len(out)
}

// attached checks that an answer is saved and never shown.
func attached(t *testing.T, r reply) {
	t.Helper()
	if d := r.Header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment;") || r.Header.Get("X-Content-Type-Options") != "nosniff" || strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		t.Errorf("a download is %q as %q", d, r.Header.Get("Content-Type"))
	}
}

// What is confirmed is what was shown: not a later issue, and not an office that the directory has by then.
func TestConfirmedIsWhatWasShown(t *testing.T) {
	t.Parallel()
	h, m := mailHouse(t)
	h.office("Northtown MASH", "mash@council.example")
	petra := h.signedIn("petra")
	at := "/documents/" + string(h.ref)
	c, err := h.desk.Choices(t.Context(), h.as("petra"), h.ref)
	h.must(err)
	first := petra.post(at+"/send", "to", c.To[0].ID, "without", "none").expect(t, 303)
	second := petra.post(at+"/send", "address", "duty@council.example", "confirm", "they told me", "without", "none").expect(t, 303)
	// Of another document the same address leads nowhere, and neither does it as somebody else.
	own, _ := h.record("petra", "03-urgent")
	petra.post(strings.Replace(first.location(), string(h.ref), string(own), 1)).expect(t, 404)
	h.signedIn("sue").post(first.location()).expect(t, 404)
	petra.post(first.location()).expect(t, 303)
	b, err := os.ReadFile("../../samples/cases/01-simple.json")
	h.must(err)
	_, _, err = h.desk.Record(t.Context(), h.as("petra"), casework.Record{Form: "cp1", Case: b, Again: h.ref, Why: "a test", Outputs: []casework.Output{{Format: render.FormatPDF}}})
	h.must(err)
	petra.get(second.location()).expect(t, 409, "later issue")
	petra.post(second.location()).expect(t, 409, "later issue")
	h.carryAll()
	for _, p := range m.All() {
		if strings.HasPrefix(p.To, "duty@") {
			t.Error("a later issue left than the one that was shown")
		}
	}
	// An answer is not taken from a message of a case that somebody may not see.
	petra.get(at+"/answer?message="+h.message(h.foreign)).expect(t, 403)
}

// The files of a document come as they were issued.
func TestIssuedFiles(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	petra := h.signedIn("petra")
	r := petra.get("/documents/"+string(h.ref)+"/issues/1/1").expect(t, 200, "%PDF-")
	attached(t, r)
	want, err := h.desk.Open(t.Context(), h.as("petra"), h.ref, 1)
	h.must(err)
	if r.body != string(want[0].Data) {
		t.Error("it is not the file as it was issued")
	}
	petra.get("/documents/"+string(h.ref)+"/issues/1/9").expect(t, 404)
	petra.get("/documents/"+string(h.ref)+"/issues/7/1").expect(t, 404)
}

// What policy holds is seen, withdrawn by whoever works on it, let go by a manager with a reason, and by nobody without.
func TestHeld(t *testing.T) {
	t.Parallel()
	h, m := mailHouse(t)
	petra, mary := h.signedIn("petra"), h.signedIn("mary")
	at := "/documents/" + string(h.ref)
	r := petra.post(at+"/send", "address", "desk@nowhere.example", "confirm", "they told me", "without", "none").expect(t, 303, at+"/send/")
	petra.get(r.location()).expect(t, 200, "would be held", "no policy")
	petra.post(r.location()).expect(t, 303)
	page := petra.get(at).expect(t, 200, ">Held<", "was not sent")
	send := regexp.MustCompile(`/sends/\d+`).FindString(page.body)
	petra.get(at+send).expect(t, 200, "Let it go")
	petra.post(at+send+"/release", "why", "please").expect(t, 422, "still held")
	mary.post(at+send+"/release", "means", "tls").expect(t, 422, "needs a reason")
	h.carryAll()
	if n := len(m.All()); n != 0 {
		t.Fatalf("%d left although it is held", n)
	}
	mary.post(at+send+"/release", "means", "tls", "why", "they force TLS, I rang them").expect(t, 303, at)
	h.carryAll()
	if n := len(m.All()); n != 1 {
		t.Errorf("%d arrived after it was let go", n)
	}
	petra.post(at+send+"/withdraw", "why", "too late").expect(t, 404)
	// A send of another document is not reached by way of this one.
	out, _, err := h.desk.Send(t.Context(), h.as("sue"), casework.Send{Ref: h.foreign, To: []string{"desk@nowhere.example"}, Confirm: "a test", Without: "a test"})
	h.must(err)
	petra.get(at+fmt.Sprintf("/sends/%d", out[0].ID)).expect(t, 404)
	petra.post(at+fmt.Sprintf("/sends/%d/withdraw", out[0].ID), "why", "x").expect(t, 404)
}

// What nobody knows of is settled by a person who asked, and only then.
func TestUncertain(t *testing.T) {
	t.Parallel()
	h, _ := mailHouse(t)
	petra := h.signedIn("petra")
	at := "/documents/" + string(h.ref)
	r := petra.post(at+"/send", "address", "break@council.example", "confirm", "they told me", "without", "none").expect(t, 303)
	petra.post(r.location()).expect(t, 303)
	h.carryAll()
	page := petra.get(at).expect(t, 200, ">Uncertain<", "say here what became of")
	send := regexp.MustCompile(`/sends/\d+`).FindString(page.body)
	petra.post(at+send+"/settle", "why", "they have it").expect(t, 422, "Say whether it arrived")
	petra.post(at+send+"/settle", "arrived", "yes").expect(t, 422, "needs a reason")
	petra.post(at+send+"/settle", "arrived", "yes", "why", "they have it").expect(t, 303, at)
	petra.get(at).expect(t, 200, "It was recorded what became of it", "Uncertain send arrived")
}

// A hand-over starts the clocks, a note is taken, an answer about one child leaves the other open.
func TestHandOverNoteAnswer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	sue := h.signedIn("sue")
	at := "/documents/" + string(h.foreign)
	sue.post(at+"/hand-over", "to", "Northtown MASH").expect(t, 422, "Say how it was handed over", "Northtown MASH")
	sue.post(at+"/hand-over", "to", "Northtown MASH", "by", "telephone", "at-day", "31", "at-month", "2", "at-year", "2026").expect(t, 422, "Enter a day that there is", `value="31"`)
	sue.post(at+"/hand-over", "to", "Northtown MASH", "as", "front_door", "by", "hand", "at-day", "1", "at-month", "1", "at-year", "2030").expect(t, 422, "future")
	// Whom an office that is not listed is has to be said; what went to somebody else is still to be sent, and nobody is chased for it.
	sue.post(at+"/hand-over", "to", "Grandma", "by", "telephone").expect(t, 422, "Say who they are", `value="front_door"`, `value="other"`)
	sue.post(at+"/hand-over", "to", "Grandma", "by", "telephone", "as", "other").expect(t, 303, at)
	if page := sue.get(at).expect(t, 200, "It went to nobody whom this form is for", "or record that it was handed over"); strings.Contains(page.body, "Follow the referral up") || strings.Contains(page.body, "Chase Grandma") {
		t.Error("somebody is to be chased")
	}
	sue.post(at+"/hand-over", "to", "Northtown MASH", "as", "front_door", "by", "hand", "with", "J. Placeholder").expect(t, 303, at)
	page := sue.get(at).expect(t, 200, "Northtown MASH", "None yet", "Handed over by hand")
	if !strings.Contains(page.body, "Answer by") {
		t.Error("the clock is not shown")
	}
	sue.post(at+"/note", "kind", "call").expect(t, 422, "Write what was done")
	sue.post(at+"/note", "kind", "call", "text", "Rang the <b>duty</b> desk").expect(t, 303, at)
	sue.get(at).expect(t, 200, "Rang the &lt;b&gt;duty")
	c, err := h.desk.Choices(t.Context(), h.as("sue"), h.foreign)
	h.must(err)
	if len(c.Children) < 2 {
		t.Fatalf("the sample has %d children", len(c.Children))
	}
	sue.get(at+"/answer").expect(t, 200, "About which children?", "child 1 on the form")
	sue.post(at+"/answer", "kind", "assessment", "child", "1").expect(t, 303, at)
	sue.get(at).expect(t, 200, "of some of the children only", "more nothing was said yet")
	sue.post(at+"/answer", "kind", "nonsense").expect(t, 422, "There is no response")
	sue.post(at+"/answer", "kind", "assessment").expect(t, 303, at)
	// What a manager enters themselves nobody else does.
	sue.post(at+"/note", "kind", "oversight", "text", "seen").expect(t, 403)
}

// A returned form is put in as a file; what is not one is told.
func TestAnswerFromFile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	petra := h.signedIn("petra")
	at := "/documents/" + string(h.ref)
	h.must2(h.desk.HandOver(t.Context(), h.as("petra"), casework.HandOver{Ref: h.ref, Channel: casework.ByHand, To: "Council"}))
	petra.upload(at+"/answer/file", map[string][2]string{"file": {"x.eml", "nonsense"}}).expect(t, 422, "neither a saved message")
	r := petra.upload(at+"/answer/file", map[string][2]string{"file": {"x.eml", "From: a@council.example\r\nTo: b@probation.example\r\nSubject: Re\r\nMessage-ID: <1@x>\r\nDate: Wed, 25 Nov 2026 08:00:00 +0000\r\n\r\nNo further action.\r\n"}}).expect(t, 303, "/answer?message=")
	petra.get(r.location()).expect(t, 200, "No further action.")
	petra.upload(at+"/answer/file", map[string][2]string{"file": {"x.eml", strings.Repeat("x", uploadMost+1)}}).expect(t, http.StatusRequestEntityTooLarge)
}

// A message that belongs to nothing is filed by a person, or thrown away with a reason.
func TestInbox(t *testing.T) {
	t.Parallel()
	h := newHouse(t, posted(nil))
	petra := h.signedIn("petra")
	one, two := h.message(""), h.message("")
	petra.get("/inbox/"+one).expect(t, 200, "We have a question.", "To nothing yet")
	petra.post("/inbox/"+one+"/file", "ref", "CF-0000-0001").expect(t, 422, "Enter a reference")
	petra.post("/inbox/"+one+"/file", "ref", string(h.ref)).expect(t, 303)
	petra.get("/documents/"+string(h.ref)).expect(t, 200, "Message "+one, "To be read")
	petra.post("/inbox/"+two+"/throw").expect(t, 422, "needs a reason")
	petra.post("/inbox/"+two+"/throw", "why-throw", "advertising").expect(t, 303, "/inbox")
	petra.post("/inbox/"+one+"/throw", "why", "x").expect(t, 422, "is kept with its case")
	petra.post("/inbox/"+one+"/done", "why", "received, thanks").expect(t, 303, "/inbox")
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"ask the recipient whether it arrived, then: caseforms outbox settle CF-1 arrived or lost; it is not sent again by itself": "Ask the recipient whether it arrived, then say here what became of CF-1; it is not sent again by itself",
		"withdraw it (caseforms outbox withdraw) and send it again":                                                                "Withdraw it and send it again",
		"see that caseforms outbox run is running":                                                                                 "Ask whoever runs the service whether it sends",
		"an admin sets one: caseforms policy set x":                                                                                "An admin sets one",
		"": "",
	} {
		if got := forPages(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// What is due is shown, filtered, and taken along as files. Of a restricted case not even that there is something is told.
func TestDue(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	petra, sue, mary := h.signedIn("petra"), h.signedIn("sue"), h.signedIn("mary")
	for who, ref := range map[string]caseforms.Ref{"petra": h.ref, "sue": h.foreign} {
		h.must2(h.desk.HandOver(t.Context(), h.as(who), casework.HandOver{Ref: ref, Channel: casework.ByHand, To: "Northtown MASH"}))
	}
	petra.get("/due?of=all&days=30").expect(t, 200, string(h.ref), "Petra Practitioner", `href="/due/register.xlsx?days=30&amp;of=all"`)
	for _, v := range []*visitor{petra, mary} {
		for _, path := range []string{"/?of=all", "/due?of=all&days=300", "/due/due.ics?of=all&days=300"} {
			if r := v.get(path).expect(t, 200); strings.Contains(r.body, string(h.foreign)) || strings.Contains(r.body, string(h.foreignCase)) || strings.Contains(r.body, h.foreignName) {
				t.Errorf("%s tells of a restricted case", path)
			}
		}
	}
	sue.get("/due?of=mine&days=300").expect(t, 200, string(h.foreign))
	// The same filters as on the command line, and the files have them too.
	mary.get("/due?of=all&days=30&team=north&area=general").expect(t, 200, string(h.ref), `href="/due/register.xlsx?area=general&amp;days=30&amp;of=all&amp;team=north"`)
	mary.get("/due?of=all&team=nroth").expect(t, 422, "Nobody is in a team of this name", `id="team-error"`, `value="nroth"`)
	mary.get("/?of=all&team=nroth").expect(t, 200)
	for _, q := range []string{"team=South", "area=london"} {
		if r := mary.get("/due?of=all&days=30&"+q).expect(t, 200); strings.Contains(r.body, string(h.ref)) {
			t.Errorf("with %s it is shown what is not asked for", q)
		}
		if r := mary.get("/due/due.ics?of=all&days=30&"+q).expect(t, 200); strings.Contains(r.body, string(h.ref)) {
			t.Errorf("with %s the file has what is not asked for", q)
		}
	}
	if r := petra.get("/due?of=mine&overdue=yes"); strings.Contains(r.body, string(h.ref)) {
		t.Error("what is not overdue is shown as overdue")
	}
	for path, begins := range map[string]string{"/due/register.xlsx?of=all": "PK", "/due/digest.pdf?of=all": "%PDF-", "/due/due.ics?of=all&days=30": "BEGIN:VCALENDAR"} {
		r := petra.get(path).expect(t, 200)
		attached(t, r)
		if !strings.HasPrefix(r.body, begins) {
			t.Errorf("%s begins with %.20q", path, r.body)
		}
	}
	if r := petra.get("/due/due.ics?of=all&days=30"); !strings.Contains(r.body, string(h.ref)) || strings.Contains(r.body, "Sampleson") {
		t.Error("the calendar has no reference, or a name")
	}
	h.wait(40 * 24 * 3600e9)
	petra = h.signedIn("petra")
	petra.get("/").expect(t, 200, "working days overdue", string(h.ref))
	petra.get("/due?overdue=yes").expect(t, 200, string(h.ref))
	// What the program did is told with the duty it was about.
	page := petra.get("/documents/"+string(h.ref)).expect(t, 200, "Follow-up: ")
	if !regexp.MustCompile(`Follow-up: [^<]*</h3> <p[^>]*>by the program itself</p></div><p[^>]*>[^<]*</p><div[^>]*>Follow the referral up`).MatchString(page.body) {
		t.Error("the reminders do not say of what")
	}
	h.signedIn("mary").get("/due?of=told").expect(t, 200, string(h.ref))
	h.signedIn("mary").get("/?of=team").expect(t, 200, string(h.ref))
}

// The directory and the policies are kept by pages; what is wrong is told beside its field, of a workbook with its row.
func TestDirectory(t *testing.T) {
	t.Parallel()
	h := newHouse(t, posted(nil))
	adam, petra := h.signedIn("adam"), h.signedIn("petra")
	adam.post("/directory", "role", "front_door", "organisation", "Northtown MASH", "address", "not an address", "channel", "email").expect(t, 422, "Address", "not an address")
	adam.post("/directory", "role", "front_door", "organisation", "Northtown MASH", "address", "mash@council.example", "phone", "01632 960200").expect(t, 303, "/directory")
	page := petra.get("/directory").expect(t, 200, "Northtown MASH", "mash@council.example", "is held")
	if strings.Contains(page.body, "Take an office out") {
		t.Error("a practitioner is offered to change the directory")
	}
	adam.upload("/directory/import", map[string][2]string{"workbook": {"x.xlsx", "nonsense"}}).expect(t, 422)
	adam.upload("/directory/import", map[string][2]string{"workbook": {"x.xlsx", strings.Repeat("x", directoryMost+1)}}).expect(t, http.StatusRequestEntityTooLarge)
	adam.post("/policies", "pattern", "council.example", "means", "tls", "why", "agreed", "how", "a test", "demonstrated-day", "1", "demonstrated-month", "11", "demonstrated-year", "2026").expect(t, 303)
	petra.get("/policies").expect(t, 200, "council.example", "agreed", "1 November 2026")
	adam.post("/policies", "pattern", "council.example", "means", "none").expect(t, 422, "Say why")
	adam.post("/policies/remove", "remove", "council.example").expect(t, 422, "needs a reason")
	adam.post("/policies/remove", "remove", "council.example", "remove-why", "over").expect(t, 303)
	petra.get("/policies").expect(t, 200, "There is no policy yet")
	rs, err := h.desk.Recipients(t.Context(), h.as("adam"))
	h.must(err)
	adam.post("/directory/"+rs[0].ID+"/close").expect(t, 422, "needs a reason")
	adam.post("/directory/"+rs[0].ID+"/close", "why", "it moved").expect(t, 303)
	petra.get("/directory").expect(t, 200, "Offices that were taken out")
}

// A manager sees what was made, answered and in time, and gives a caseload to somebody else.
func TestFiguresAndCaseloads(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mary := h.signedIn("mary")
	mary.get("/figures").expect(t, 200, "Nothing that wants an answer was handed over.")
	h.must2(h.desk.HandOver(t.Context(), h.as("petra"), casework.HandOver{Ref: h.ref, Channel: casework.ByHand, To: "Northtown MASH"}))
	h.must2(h.desk.Answer(t.Context(), h.as("petra"), casework.Answer{Ref: h.ref, Kind: "assessment"}))
	page := mary.get("/figures?since=2026-01-01&until=2026-12-31").expect(t, 200, "<svg", "November 2026: 1 in time", "100 %", "/figures/inspection.pdf?since=2026-01-01&amp;until=2026-12-31")
	if strings.Contains(page.body, "style=") {
		t.Error("the policy of the pages forbids styles in them")
	}
	mary.get("/figures?since=2026-12-31&until=2026-01-01").expect(t, 422)
	mary.get("/figures?area=general").expect(t, 200, "<svg", "&amp;area=general")
	mary.get("/figures?area=london").expect(t, 200, "Nothing that wants an answer was handed over.", "/figures/inspection.xlsx?since=2025-11-25&amp;until=2026-11-25&amp;area=london")
	attached(t, mary.get("/figures/inspection.xlsx?area=london").expect(t, 200, "PK"))
	attached(t, mary.get("/figures/inspection.pdf").expect(t, 200, "%PDF-"))
	petra, sue := h.as("petra"), h.as("sue")
	mary.post("/caseloads", "from", petra.ID, "to", sue.ID).expect(t, 422, "needs a reason")
	mary.post("/caseloads", "from", petra.ID, "to", sue.ID, "cases", "x", "why", "leave").expect(t, 422, "Enter the ids of cases")
	mary.post("/caseloads", "from", petra.ID, "to", sue.ID, "why", "leave").expect(t, 303, "/caseloads")
	mary.get("/caseloads").expect(t, 200, "Handed over")
	h.wait(60e9)
	if r := h.signedIn("sue").get("/?of=mine"); r.StatusCode != 200 {
		t.Errorf("got %d", r.StatusCode)
	}
}

// A document that wants it is countersigned by a manager who did not issue it. Until then sending it warns, and goes on.
func TestCountersign(t *testing.T) {
	t.Parallel()
	h, _ := mailHouse(t)
	ref := h.recordForm("petra", "pp1", "07-level-3")
	at := "/documents/" + string(ref)
	petra, mary := h.signedIn("petra"), h.signedIn("mary")
	if page := petra.get(at).expect(t, 200, "Not countersigned yet"); strings.Contains(page.body, `value="endorse"`) {
		t.Error("a practitioner is offered to countersign")
	}
	petra.post(at+"/countersign", "issue", "1", "say", "endorse").expect(t, 403)
	r := petra.post(at+"/send", "address", "desk@council.example", "confirm", "they told me", "without", "none").expect(t, 303)
	petra.get(r.location()).expect(t, 200, "no manager has countersigned it", "Send it")
	mary.get(at).expect(t, 200, "Countersign issue 1", at+"/countersign")
	mary.post(at+"/countersign", "issue", "1", "say", "back").expect(t, 422, "needs a reason")
	mary.post(at+"/countersign", "issue", "1").expect(t, 422, "Say whether")
	mary.post(at+"/countersign", "issue", "2", "say", "endorse").expect(t, 422, "later issue")
	mary.post(at+"/countersign", "issue", "1", "say", "back", "why", "the level is missing").expect(t, 303, "/waiting")
	petra.get(at).expect(t, 200, "Sent back", "the level is missing", "Mary Manager")
	mary.post(at+"/countersign", "issue", "1", "say", "endorse").expect(t, 303, "/waiting")
	petra.get(at).expect(t, 200, ">Countersigned<", "Mary Manager")
	if page := petra.get(r.location()).expect(t, 200); strings.Contains(page.body, "countersigned it") {
		t.Error("sending it still warns")
	}
	// Nobody endorses what they issued themselves.
	own := h.recordForm("mary", "pp1", "07-level-3")
	mary.post("/documents/"+string(own)+"/countersign", "issue", "1", "say", "endorse").expect(t, 403, "issued it yourself")
}
