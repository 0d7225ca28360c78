package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/mail"
)

func issueBody(t testing.TB, form, record string, more ...string) string {
	t.Helper()
	return `{"form":"` + form + `","record":` + string(sample(t, record)) + strings.Join(more, "") + `}`
}

// The same name and body is one document, and one answer, however often and in however many at once it is asked for.
func TestAPIIssueOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra")
	body := issueBody(t, "cp1", "04-many-children", `,"outputs":[{"format":"pdf"},{"format":"txt"}]`)
	p.ask("POST", "/documents", body).expect(t, 400, "urn:caseforms:problem:no-name")
	p.with("Idempotency-Key", "a b").ask("POST", "/documents", body).expect(t, 400)
	replies := make([]reply, 8)
	var all sync.WaitGroup
	for i := range replies {
		all.Go(func() { replies[i] = p.with("Idempotency-Key", "one").ask("POST", "/documents", body) })
	}
	all.Wait()
	fresh := 0
	for _, r := range replies {
		r.expect(t, 201)
		if r.body != replies[0].body || r.Header.Get("Location") != replies[0].Header.Get("Location") {
			t.Errorf("two answers:\n%s\n%s", r.body, replies[0].body)
		}
		if r.Header.Get("Idempotency-Replayed") == "" {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("%d of them say that they did it", fresh)
	}
	var out apiIssued
	replies[0].into(t, &out)
	if n := h.issued(out.Case); n != 1 {
		t.Errorf("%d documents", n)
	}
	if r := p.with("Idempotency-Key", "one").ask("POST", "/documents", issueBody(t, "cp1", "04-many-children")).expect(t, 422); !strings.Contains(r.body, "used before") {
		t.Error(r.body)
	}
	// The name is the person's: with another key of theirs it is the same, and another person's is another.
	if r := h.program("petra").with("Idempotency-Key", "one").ask("POST", "/documents", body).expect(t, 201); r.body != replies[0].body {
		t.Error(r.body)
	}
	var other apiIssued
	h.program("mary").with("Idempotency-Key", "one").ask("POST", "/documents", body).expect(t, 201).into(t, &other)
	if other.Ref == out.Ref || other.Case != out.Case {
		t.Error(other, out)
	}

	// The files are what was issued.
	for _, f := range out.Files {
		r := p.get(strings.TrimPrefix(f.Href, apiBase)).expect(t, 200)
		sum := sha256.Sum256([]byte(r.body))
		if int64(len(r.body)) != f.Size || r.Header.Get("Caseforms-SHA256") != hex.EncodeToString(sum[:]) || !strings.Contains(r.Header.Get("Content-Disposition"), strings.ToLower(out.Ref)) {
			t.Error(f, r.Header)
		}
	}
	at := "/documents/" + out.Ref
	p.get(at+"/files/xlsx").expect(t, 404, "pdf (archive), txt (archive)")
	p.get(at+"/files/pdf?issue=2").expect(t, 404)
	p.get(at+"/files/pdf?issue=-1").expect(t, 422)
	p.get(at+"/files/exe").expect(t, 404)
	p.get("/documents/CF-0000-0001").expect(t, 404)
}

func (h *house) issued(of string) int {
	h.t.Helper()
	found, _, err := h.desk.Find(h.t.Context(), h.as("petra"), of)
	h.must(err)
	return len(found[0].Documents)
}

// The program ends after a document was issued and before the answer was kept, or before anything was done: whoever asks again gets the document,
// and there is one.
func TestAPIIssueAfterCrash(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra")
	body := issueBody(t, "cp1", "04-many-children")
	name := "after a crash"
	once, err := h.desk.AskOnce(t.Context(), h.as("petra"), "issue", strings.ReplaceAll(name, " ", "-"), []byte(body)) // and it ends
	h.must(err)
	out, _, err := h.desk.Record(t.Context(), h.as("petra"), casework.Record{Form: "cp1", Case: sample(t, "04-many-children"), Row: once.Row()}) // and it ends
	h.must(err)
	var got, again apiIssued
	r := p.with("Idempotency-Key", strings.ReplaceAll(name, " ", "-")).ask("POST", "/documents", body).expect(t, 201)
	r.into(t, &got)
	if got.Ref != string(out.Ref) || r.Header.Get("Idempotency-Replayed") == "" || h.issued(got.Case) != 1 || len(got.Files) != 1 {
		t.Errorf("%+v, issued was %s", got, out.Ref)
	}
	p.with("Idempotency-Key", strings.ReplaceAll(name, " ", "-")).ask("POST", "/documents", body).expect(t, 201).into(t, &again)
	if again.Ref != got.Ref || h.issued(got.Case) != 1 {
		t.Error(again)
	}

	// A draft is gone once it was issued, and who asks again gets the document all the same.
	var d apiDraft
	p.ask("POST", "/drafts", issueBody(t, "check", "04-many-children")).expect(t, 201).into(t, &d)
	body = fmt.Sprintf(`{"draft":%q,"draft_version":1}`, d.Draft)
	once, err = h.desk.AskOnce(t.Context(), h.as("petra"), "issue", "draft", []byte(body))
	h.must(err)
	out, _, err = h.desk.Record(t.Context(), h.as("petra"), casework.Record{Draft: caseforms.DraftID(d.Draft), Base: 1, Row: once.Row()})
	h.must(err)
	p.with("Idempotency-Key", "draft").ask("POST", "/documents", body).expect(t, 201, string(out.Ref))
	p.get("/drafts/"+d.Draft).expect(t, 404)
}

func TestAPIIssue(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra")
	n := 0
	issue := func(body string) reply {
		t.Helper()
		n++
		return p.with("Idempotency-Key", fmt.Sprint("n", n)).ask("POST", "/documents", body)
	}
	before := len(h.ledger())
	p.ask("POST", "/documents", issueBody(t, "cp1", "04-many-children", `,"dry_run":true`)).expect(t, 200, `"dry_run":true`, `"may_issue":true`)
	p.ask("POST", "/documents", `{"form":"cp1","record":{},"dry_run":true}`).expect(t, 200, `"may_issue":false`)
	test := &program{h: h, key: h.key(casework.MakeKey{Login: "petra", Test: true}), header: p.header}
	entries := len(h.ledger())
	test.ask("POST", "/documents", issueBody(t, "cp1", "04-many-children", `,"dry_run":true`)).expect(t, 200)
	test.with("Idempotency-Key", "x").ask("POST", "/documents", issueBody(t, "cp1", "04-many-children")).expect(t, 403, "urn:caseforms:problem:test-key")
	test.ask("POST", "/documents", fmt.Sprintf(`{"form":"cp1","case":%q,"dry_run":true}`, h.of)).expect(t, 403)
	if len(h.ledger()) != entries || entries != before+1 { // the key
		t.Error("a dry run stored something")
	}
	f := issue(`{"form":"cp1","record":{}}`).expect(t, 422).problem(t)
	if len(f.Problems) < 3 || f.Problems[0].Pointer == "" {
		t.Errorf("%+v", f)
	}
	issue(`{"form":"cp1"}`).expect(t, 422)
	issue(`{"form":"nothing","record":{}}`).expect(t, 404)
	issue(issueBody(t, "cp1", "01-simple", `,"again":"x"`)).expect(t, 422, `"/again"`)
	issue(issueBody(t, "cp1", "01-simple", `,"outputs":[{"format":"pdf"},{"format":"docx"}]`)).expect(t, 422, `"/outputs/1"`)
	issue(`{"draft":"x","draft_version":1}`).expect(t, 422, `"/draft"`)
	issue(`{"draft":"DR-0000-0000"}`).expect(t, 422, `"/draft_version"`)

	// From a case, and again with a reason.
	var first, second apiIssued
	issue(fmt.Sprintf(`{"form":"cp1","case":%q}`, h.of)).expect(t, 201).into(t, &first)
	if first.Case != string(h.of) || first.Issue != 1 {
		t.Errorf("%+v", first)
	}
	issue(fmt.Sprintf(`{"form":"cp1","case":%q,"again":%q}`, h.of, first.Ref)).expect(t, 422)
	issue(fmt.Sprintf(`{"form":"cp1","case":%q,"again":%q,"base":1,"why":"a wrong date"}`, h.of, first.Ref)).expect(t, 201).into(t, &second)
	if second.Ref != first.Ref || second.Issue != 2 {
		t.Errorf("%+v", second)
	}
	issue(fmt.Sprintf(`{"form":"cp1","case":%q,"again":%q,"base":1,"why":"a wrong date"}`, h.of, first.Ref)).expect(t, 409)
	if late := issue(fmt.Sprintf(`{"form":"cp1","case":%q,"again":%q,"base":-5,"why":"a wrong date"}`, h.of, first.Ref)).expect(t, 409, string(first.Ref)); strings.Contains(late.body, "Petra") || strings.Contains(late.body, "Practitioner") {
		t.Errorf("a problem names somebody: %s", late.body)
	}

	// From a draft of which somebody else saved a version that was not seen.
	var d apiDraft
	p.ask("POST", "/drafts", issueBody(t, "cp1", "04-many-children")).expect(t, 201).into(t, &d)
	h.program("mary").with("If-Match", `"1"`).ask("PUT", "/drafts/"+d.Draft, `{"record":`+strings.Replace(string(sample(t, "04-many-children")), "{", `{"victims":[],`, 1)+`}`).expect(t, 200)
	issue(fmt.Sprintf(`{"draft":%q,"draft_version":1}`, d.Draft)).expect(t, 409)
	issue(fmt.Sprintf(`{"draft":%q,"draft_version":2}`, d.Draft)).expect(t, 201)
}

// A dry run says what issuing says: with the reasons of the issue before, for the copy and the addressee of a draft of a new version. Of such a draft the
// issue that was seen can be told.
func TestAPIIssueNewVersion(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra")
	n := 0
	issue := func(body string) reply {
		t.Helper()
		n++
		return p.with("Idempotency-Key", fmt.Sprint("v", n)).ask("POST", "/documents", body)
	}
	both := func(body string, may bool) (out apiIssued) {
		t.Helper()
		p.ask("POST", "/documents", strings.Replace(body, "{", `{"dry_run":true,`, 1)).expect(t, 200, fmt.Sprintf(`"may_issue":%v`, may)).into(t, &out)
		if r := issue(body); (r.StatusCode == 201) != may {
			t.Errorf("the dry run said %v: %d %.300s", may, r.StatusCode, r.body)
		} else if may {
			r.into(t, &out)
		}
		return out
	}
	var first apiIssued
	issue(issueBody(t, "pp1", "01-simple", `,"reasons":[{"key":"sentence.release_date","why":"Moved here"}]`)).expect(t, 201).into(t, &first)
	both(issueBody(t, "pp1", "01-simple", fmt.Sprintf(`,"again":%q,"base":1,"why":"a test"`, first.Ref)), true)

	shared, _, err := h.desk.Record(t.Context(), h.as("petra"), casework.Record{Unasked: true, Form: "conference", Case: guessable(t), Copy: caseforms.CopyDisclosable})
	h.must(err)
	d, err := h.desk.Reissue(t.Context(), h.as("petra"), casework.Reissue{Ref: shared.Ref, Why: "a test"})
	h.must(err)
	draft := fmt.Sprintf(`{"draft":%q,"draft_version":1`, d.ID)
	both(draft+"}", false)
	var f apiIssued
	r := issue(draft+"}").expect(t, 422, "/forms/conference/sources")
	var reasons []string
	for _, x := range r.problem(t).Problems {
		reasons = append(reasons, fmt.Sprintf(`{"key":%q,"why":"a test"}`, x.Key))
	}
	draft += `,"reasons":[` + strings.Join(reasons, ",") + "]"
	_, _, err = h.desk.Record(t.Context(), h.as("mary"), casework.Record{Unasked: true, Form: "conference", Case: guessable(t), Copy: caseforms.CopyDisclosable, Again: shared.Ref, Why: "another"})
	h.must(err)
	issue(draft+"}").expect(t, 409, "as issue 2")
	f = both(draft+`,"seen_issue":2}`, true)
	if f.Ref != string(shared.Ref) || f.Issue != 3 || f.Copy != caseforms.CopyDisclosable {
		t.Errorf("%+v", f)
	}
}

// The name of a request that was refused for what it says is free for what is put right; that of one that was done is not.
func TestAPIIssueNameIsFree(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra").with("Idempotency-Key", "one")
	p.ask("POST", "/documents", `{"form":"pp1","record":{}}`).expect(t, 422, "/person/")
	p.ask("POST", "/documents", issueBody(t, "pp1", "01-simple")).expect(t, 422, "urn:caseforms:problem:reasons")
	good := issueBody(t, "pp1", "01-simple", `,"reasons":[{"key":"sentence.release_date","why":"Moved here"}]`)
	p.ask("POST", "/documents", good).expect(t, 201)
	if r := p.ask("POST", "/documents", good).expect(t, 201); r.Header.Get("Idempotency-Replayed") == "" {
		t.Error("it was issued twice")
	}
	p.ask("POST", "/documents", issueBody(t, "pp1", "01-simple")).expect(t, 422, "used before")
}

func TestAPIFollowUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra")
	at := "/documents/" + string(h.ref)
	var handed apiHanded
	post := `{"channel":"post","to":"Northtown MASH","note":"by courier"}`
	r := p.with("Idempotency-Key", "post").ask("POST", at+"/hand-offs", post).expect(t, 201)
	r.into(t, &handed)
	if handed.Number != 1 || len(handed.Due) == 0 {
		t.Errorf("%+v", handed)
	}
	if r := p.with("Idempotency-Key", "post").ask("POST", at+"/hand-offs", post).expect(t, 201, `"number":1`); r.Header.Get("Idempotency-Replayed") == "" {
		t.Error(r.Header)
	}
	p.with("Idempotency-Key", "post").ask("POST", at+"/hand-offs", `{"channel":"hand","to":"Northtown MASH"}`).expect(t, 422)
	p.ask("POST", at+"/hand-offs", `{"channel":"pigeon","to":"x"}`).expect(t, 422)
	p.ask("POST", at+"/hand-offs", `{"channel":"post","to":"x","at":"yesterday"}`).expect(t, 422, `"/at"`)
	p.get("/due?days=30").expect(t, 200, string(h.ref))
	p.get("/due?days=30&mine=true").expect(t, 200, string(h.ref))
	p.get("/due?team=Nowhere").expect(t, 404)
	p.get("/due?days=x").expect(t, 422)

	var form apiFormWhole
	p.get("/forms/cp1").expect(t, 200).into(t, &form)
	if len(form.Responses) == 0 {
		t.Fatal("nothing can be answered to cp1")
	}
	kind := form.Responses[0].Kind
	for _, x := range form.Responses {
		if x.Ends {
			kind = x.Kind
		}
	}
	p.ask("POST", at+"/responses", `{"kind":"perhaps"}`).expect(t, 422)
	answer := fmt.Sprintf(`{"kind":%q,"from":"Duty desk"}`, kind)
	p.with("Idempotency-Key", "a").ask("POST", at+"/responses", answer).expect(t, 201, `"ends":true`)
	p.with("Idempotency-Key", "a").ask("POST", at+"/responses", answer).expect(t, 201, `"ends":true`)
	p.ask("POST", at+"/notes", `{"kind":"call","text":"rang the duty desk"}`).expect(t, 201)
	p.ask("POST", at+"/notes", `{"kind":"call"}`).expect(t, 422)
	p.ask("POST", at+"/notes", `{"kind":"call","text":"x","until":"soon"}`).expect(t, 422)
	var tl apiTimeline
	p.get(at).expect(t, 200).into(t, &tl)
	if len(tl.HandOffs) != 1 || tl.HandOffs[0].State != "answered" || tl.HandOffs[0].To != "Northtown MASH" || tl.Person == nil || len(tl.Issues) != 1 {
		t.Errorf("%+v", tl)
	}
	answers := 0
	for _, e := range tl.Events {
		if e.What == "response recorded" {
			answers++
		}
	}
	if answers != 1 {
		t.Errorf("%d responses", answers)
	}
	if r := h.program("aud").get(at).expect(t, 200); strings.Contains(r.body, "Northtown") || strings.Contains(r.body, tl.Person.Name) || strings.Contains(r.body, "courier") {
		t.Error("an auditor sees of whom it is", r.body)
	}
}

// What is done once is marked in the act itself: a second that comes by another way finds it done and does nothing.
func TestAPIOnceInTheStore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	petra := h.as("petra")
	once, err := h.desk.AskOnce(t.Context(), petra, "note", "n", []byte("x"))
	h.must(err)
	note := casework.Note{Ref: h.ref, Kind: "call", Text: "rang", Once: once}
	var done, before int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			_, err := h.desk.Note(t.Context(), petra, note)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				done++
			case casework.DoneBefore(err):
				before++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if done != 1 || before != 5 {
		t.Error(done, before)
	}
	got, err := h.desk.AskOnce(t.Context(), petra, "note", "n", []byte("x"))
	if err != nil || !got.Done {
		t.Error(got, err)
	}
	if _, err := h.desk.AskOnce(t.Context(), petra, "note", "n", []byte("y")); err == nil || errors.Is(err, store.ErrOther) {
		t.Error(err)
	}
}

// No problem, whatever it is about, tells a name or a value of the case.
func TestAPIProblemsTellNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.program("petra")
	var record map[string]any
	h.must(json.Unmarshal(sample(t, "02-full"), &record))
	person := record["person"].(map[string]any)
	person["family_name"], person["given_names"] = "Quuxley", "Zyzzyva"
	person["dob"] = "Quuxley"
	person["crn"] = "Quuxley"
	b, _ := json.Marshal(map[string]any{"form": "cp1", "record": record})
	for _, r := range []reply{
		p.with("Idempotency-Key", "1").ask("POST", "/documents", b),
		p.ask("POST", "/drafts", b),
		p.ask("POST", "/drafts", bytes.ReplaceAll(b, []byte(`"record"`), []byte(`"Quuxley"`))),
	} {
		if r.StatusCode != 422 || strings.Contains(strings.ReplaceAll(r.body, `"pointer":"/Quuxley"`, ""), "Quuxley") || strings.Contains(r.body, "Zyzzyva") {
			t.Error(r.StatusCode, r.body)
		}
	}
}

// A document is sent once however often it is asked for, and a dry run sends nothing, also with a test key.
func TestAPISend(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.desk.Mail(&casework.Post{House: mail.House{Mailbox: "safeguarding@probation.example", Name: "Probation Service"}, Relays: []mail.Relay{{Name: "main", Address: "127.0.0.1:1", ServerName: "localhost", Guarantees: mail.TLS}},
		Ours: mail.Ours{Mailboxes: []mail.Address{"safeguarding@probation.example"}}, Ring: casework.Telephone{Whom: "the desk", Number: "01632 960100"}})
	today := caseforms.DateOf(h.clock())
	boss, err := h.desk.Actor(t.Context(), "boss", "")
	h.must(err)
	h.must(h.desk.SetPolicy(t.Context(), boss, store.Policy{Pattern: "council.example", Means: "tls", Demonstrated: today, How: "a test", Why: "a test"}))
	p := h.program("petra")
	at := "/documents/" + string(h.ref) + "/send"
	body := `{"to":["desk@council.example"],"confirm":"rang them","without":"by post"}`
	dry := strings.Replace(body, "{", `{"dry_run":true,`, 1)
	sends := func() int {
		t.Helper()
		out, err := h.desk.SendsOf(t.Context(), h.as("petra"), h.ref)
		h.must(err)
		return len(out)
	}
	test := &program{h: h, key: h.key(casework.MakeKey{Login: "petra", Test: true}), header: p.header}
	for _, x := range []*program{p, test} {
		x.ask("POST", at, dry).expect(t, 200, `"dry_run":true`, "desk@council.example", `"text":"`)
	}
	test.with("Idempotency-Key", "x").ask("POST", at, body).expect(t, 403, "urn:caseforms:problem:test-key")
	p.ask("POST", at, body).expect(t, 400)
	f := p.with("Idempotency-Key", "y").ask("POST", at, `{"to":["desk@council.example"],"confirm":"x"}`).expect(t, 422).problem(t)
	if len(f.Problems) == 0 {
		t.Errorf("%+v", f)
	}
	h.program("mary").ask("POST", "/documents/"+string(h.foreign)+"/send", dry).expect(t, 403)
	h.program("adam").ask("POST", at, dry).expect(t, 403)
	if sends() != 0 {
		t.Fatal("something was sent")
	}
	replies := make([]reply, 6)
	var all sync.WaitGroup
	for i := range replies {
		all.Go(func() { replies[i] = p.with("Idempotency-Key", "one").ask("POST", at, body) })
	}
	all.Wait()
	for _, r := range replies {
		r.expect(t, 202, `"standing":"queued"`, "desk@council.example")
	}
	if n := sends(); n != 1 {
		t.Errorf("%d sends", n)
	}
	p.with("Idempotency-Key", "one").ask("POST", at, dry[:len(dry)-1]+`,"chase":true}`).expect(t, 404)
	p.with("Idempotency-Key", "one").ask("POST", at, `{"to":["other@council.example"],"confirm":"x","without":"x"}`).expect(t, 422)
	p.with("Idempotency-Key", "two").ask("POST", at, body).expect(t, 409) // they have it already

	// It was sent and the program ended before it could say so.
	again := `{"to":["desk@council.example"],"confirm":"rang them","without":"by post","again":"lost"}`
	once, err := h.desk.AskOnce(t.Context(), h.as("petra"), "send "+string(h.ref), "crash", []byte(again))
	h.must(err)
	send := casework.Send{Ref: h.ref, To: []string{"desk@council.example"}, Confirm: "rang them", Without: "by post", Again: "lost", Once: once}
	_, _, err = h.desk.Send(t.Context(), h.as("petra"), send)
	h.must(err)
	if _, _, err = h.desk.Send(t.Context(), h.as("petra"), send); !casework.DoneBefore(err) {
		t.Error(err)
	}
	if r := p.with("Idempotency-Key", "crash").ask("POST", at, again).expect(t, 202, "desk@council.example"); r.Header.Get("Idempotency-Replayed") == "" || sends() != 2 {
		t.Error(r.Header, sends())
	}
}
