package web

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/mail"
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
	r := petra.send(s, append(reasonsFor(s), "then", "send")...).expect(t, 303, "/send")
	at := strings.TrimSuffix(r.location(), "/send")
	page := petra.get(r.location()).expect(t, 200, "Full copy", "by a relay that passes mail on over verified TLS", "It would be held, because there is no policy for south.example", "several have this role")
	if ticked(page, mash) || ticked(page, held) {
		t.Error("of two offices with the same role one is ticked")
	}
	h.must(h.desk.CloseRecipient(h.t.Context(), h.as("adam"), held, "a test"))
	page = petra.get(r.location()).expect(t, 200, "Those whom the rules name, and those who have an older issue, are ticked")
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
	at := petra.send(s, reasonsFor(s)...).expect(t, 303, "/documents/").location()
	petra.get(at).expect(t, 200, "Next: a manager countersigns it")
	petra.get(at+"/send").expect(t, 200, "No manager has countersigned it yet")
	mary := h.signedIn("mary")
	mary.post(at+"/countersign", "issue", "1", "say", "back", "why", "the level is missing").expect(t, 303)
	petra.get(at).expect(t, 200, "It was sent back", "Mary Manager says: the level is missing")
	petra.get(at+"/send").expect(t, 200, "A manager sent it back")
	mary.post(at+"/countersign", "issue", "1", "say", "endorse").expect(t, 303)
	petra.get(at).expect(t, 200, "Next: send it")
	if page := petra.get(at+"/send").expect(t, 200); strings.Contains(page.body, "ountersigned it yet") {
		t.Error("sending it still warns")
	}
}

// What waits to be countersigned is counted on the home page and listed, the oldest first, for the manager and for the author; what was sent back is told
// to its author with the words, until they issue it again.
func TestWaiting(t *testing.T) {
	t.Parallel()
	h, _ := mailHouse(t)
	first := h.recordForm("petra", "pp1", "07-level-3")
	h.wait(48 * time.Hour)
	second := h.recordForm("petra", "pp1", "05-welsh-polish-names")
	petra, mary, sue := h.signedIn("petra"), h.signedIn("mary"), h.signedIn("sue")
	own := h.recordForm("mary", "pp1", "06-care-leaver")
	sues := h.recordForm("sue", "pp1", "04-many-children")
	mary.get("/").expect(t, 200, "2 documents wait for you to countersign them", "1 document of yours waits to be countersigned")
	petra.get("/").expect(t, 200, "2 documents of yours wait to be countersigned")
	page := mary.get("/waiting").expect(t, 200, "Petra Practitioner", "2 working days", "What hangs on it")
	signing, rest, _ := strings.Cut(page.body, "Sent back to you")
	if i, j := strings.Index(signing, string(first)), strings.Index(signing, string(second)); i < 0 || j < i {
		t.Errorf("the oldest is not first: %d, %d", i, j)
	}
	if strings.Contains(signing, string(own)) || !strings.Contains(rest, string(own)) {
		t.Error("what a manager issued is theirs to countersign, or is not among what waits of theirs")
	}
	if strings.Contains(page.body, string(sues)) {
		t.Error("another team’s is listed")
	}
	mary.get("/waiting?of=all").expect(t, 200, string(sues))
	if page := petra.get("/waiting?of=all").expect(t, 200, string(first)); strings.Contains(page.body, "For you to countersign") || strings.Contains(page.body, string(sues)) {
		t.Error("a practitioner is shown what managers countersign")
	}

	at := "/documents/" + string(first)
	mary.get(at+"/countersign").expect(t, 200, at+"/issues/1/print", "Countersign it", "Send it back", "level 3", "Threelevel")
	if r := mary.get(at+"/issues/1/print").expect(t, 200, "%PDF"); !strings.HasPrefix(r.Header.Get("Content-Disposition"), "inline") || !strings.Contains(r.Header.Get("Content-Security-Policy"), "frame-ancestors 'self'") {
		t.Errorf("the print is not shown in a page: %v", r.Header)
	}
	if page := mary.get("/documents/"+string(own)+"/countersign").expect(t, 200, "You issued it yourself"); strings.Contains(page.body, `value="endorse"`) {
		t.Error("somebody is offered to countersign what they issued")
	}
	mary.post(at+"/countersign", "issue", "1", "say", "back", "why", "the level is missing").expect(t, 303, "/waiting")
	mary.get("/waiting").expect(t, 200, "leads to “Documents that wait”, where your words are")
	mary.post("/documents/"+string(second)+"/countersign", "issue", "1", "say", "endorse").expect(t, 303, "/waiting")
	if page := mary.get("/").expect(t, 200, "is countersigned"); strings.Contains(page.body, "for you to countersign") {
		t.Error("what was said is still counted")
	}
	petra.get("/").expect(t, 200, "1 document of yours was sent back", "2 documents of yours are still to be sent")
	petra.get("/waiting").expect(t, 200, "the level is missing", "Mary Manager", "Send "+string(second))

	// What somebody else issued of a case of theirs is theirs too.
	out, _, err := h.desk.Record(t.Context(), h.as("sue"), casework.Record{Unasked: true, Form: "check", Case: sampleCases(t)["01-simple"], CaseID: h.of})
	h.must(err)
	petra.get("/waiting").expect(t, 200, "Send "+string(out.Ref))

	// A restricted case is nobody's to see who is not among those who may.
	h.must(h.desk.Restrict(h.t.Context(), h.as("boss"), h.caseOf(sues), []string{"sue"}, nil, "a test"))
	if page := mary.get("/waiting?of=all").expect(t, 200); strings.Contains(page.body, string(sues)) {
		t.Error("a document of a restricted case is listed")
	}
	sue.get("/waiting").expect(t, 200, string(sues))
	petra.get("/documents/"+string(sues)+"/issues/1/print").expect(t, 403)
}

// A long list is cut on the page that has all lists, which says so and leads to the whole of it, in pages.
func TestWaitingOfMany(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var last caseforms.Ref
	for i := range onPage + 1 {
		h.wait(time.Minute)
		out, _, err := h.desk.Record(t.Context(), h.as("petra"), casework.Record{Unasked: true, Form: "cp1", Case: anotherPerson(sampleCases(t)["01-simple"], i)})
		h.must(err)
		last = out.Ref
	}
	petra := h.signedIn("petra")
	all := fmt.Sprintf("See all %d of “Yours that are still to be sent”", onPage+2)
	page := petra.get("/waiting?of=all").expect(t, 200, all, `href="/waiting?list=send&amp;of=all"`, "Hand over "+string(h.ref))
	if n := strings.Count(page.body, ">Hand over CF-"); n != waitingMost || strings.Contains(page.body, string(last)) {
		t.Errorf("%d are shown", n)
	}
	if page := petra.get("/waiting?list=send").expect(t, 200, "Hand over "+string(h.ref), "page=2"); strings.Contains(page.body, "Sent back to you") || strings.Contains(page.body, "See all") || strings.Count(page.body, ">Hand over CF-") != onPage {
		t.Error("the whole list has other lists, or is cut")
	}
	petra.get("/waiting?list=send&page=2").expect(t, 200, "Hand over "+string(last))
	petra.get("/waiting?list=sign").expect(t, 404)
	h.signedIn("mary").get("/waiting?list=sign").expect(t, 200, "Nothing waits for you to be countersigned", `name="list" value="sign"`)
}

// The page does not say that everything went to everybody while there is something of which it does not know.
func TestWaitingSaysWhatWasNotLookedAt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.must2(h.desk.HandOver(t.Context(), h.as("petra"), casework.HandOver{Ref: h.ref, Channel: casework.ByHand, To: "Northtown MASH"})) // else it is still to be sent
	for i := range 100 {
		out, _, err := h.desk.Record(t.Context(), h.as("petra"), casework.Record{Unasked: true, Form: "cp1", Case: anotherPerson(sampleCases(t)["01-simple"], i)})
		h.must(err)
		h.must2(h.desk.HandOver(t.Context(), h.as("petra"), casework.HandOver{Ref: out.Ref, Channel: casework.ByHand, To: "Northtown MASH"}))
	}
	petra := h.signedIn("petra")
	const everything, note = "Everything that you sent went to everybody", "It was not looked at who is missing of 1 older document of yours"
	if page := petra.get("/waiting").expect(t, 200, note); strings.Contains(page.body, everything) {
		t.Error("it says that everything went to everybody")
	}
	if page := petra.get("/waiting").expect(t, 200, everything); strings.Contains(page.body, note) {
		t.Error("it says that something was not looked at")
	}
}

func (h *house) caseOf(ref caseforms.Ref) caseforms.CaseID {
	h.t.Helper()
	d, err := h.store.Document(h.t.Context(), ref)
	h.must(err)
	return d.Case
}

// A document is corrected from its page: a draft with the reason, which is issued as its next issue; the page says who still has the older one, and
// offers to send the newer to the same offices.
func TestNewVersion(t *testing.T) {
	t.Parallel()
	h, m := mailHouse(t)
	mash := h.office("Northtown MASH", "mash@council.example")
	petra, mary := h.signedIn("petra"), h.signedIn("mary")
	at := "/documents/" + string(h.ref)
	send := func(to ...string) {
		t.Helper()
		r := petra.post(at+"/send", append(to, "without", "none")...).expect(t, 303, "/send/")
		petra.post(r.location()).expect(t, 303, at)
		h.carryAll()
	}
	send("to", mash)
	send("address", "desk@council.example", "confirm", "they told me")
	night := []store.Recipient{{Role: "emergency_duty_team", Organisation: "Northtown at night", Channel: "email", Address: "night@council.example"}}
	_, _, _, err := h.desk.PutRecipients(t.Context(), h.as("adam"), night)
	h.must(err)
	send("to", night[0].ID) // whom the rules do not name
	h.must2(h.desk.HandOver(t.Context(), h.as("petra"), casework.HandOver{Ref: h.ref, Channel: casework.ByHand, To: "The school"}))

	petra.get(at).expect(t, 200, at+"/new-version", "Northtown MASH, by e-mail on")
	petra.get(at+"/new-version").expect(t, 200, "Northtown MASH, by e-mail on")
	petra.post(at+"/new-version").expect(t, 422, "Write why there is to be a new version")
	draft := petra.post(at+"/new-version", "why", "The school was wrong").expect(t, 303, "/drafts/DR-").location()
	mary.get(at+"/new-version").expect(t, 200, "being written already", draft)
	mary.post(at+"/new-version", "why", "Mine too").expect(t, 422, "being written already")

	s := petra.open(draft + "/issue")
	if !strings.Contains(s.text, "new version of "+string(h.ref)) || !strings.Contains(s.text, "The school was wrong") {
		t.Error(s.text)
	}
	petra.send(s, append(reasonsFor(s), "why-new", "")...).expect(t, 422, "Write why there is a new version")
	petra.send(s, append(reasonsFor(s), "then", "send")...).expect(t, 303, at+"/send")
	petra.get(at).expect(t, 200, "as issue 2", "They still have an older one: Northtown MASH (issue 1); council.example (issue 1); Northtown at night (issue 1)", "The school (issue 1), by hand", "The school was wrong")
	if did := strings.Join(h.did("petra", 2), "; "); did != "new version begun; document issued again" {
		t.Errorf("the ledger has %s", did)
	}
	page := petra.get(at+"/send").expect(t, 200, "They have issue 1", `value="desk@council.example"`)
	if !ticked(page, mash) || !ticked(page, night[0].ID) {
		t.Error("who has the older issue is not ticked")
	}
	send("to", mash)
	last, _ := m.Last("mash@")
	if got := mail.Read(last.Raw); len(m.All()) != 4 || !strings.Contains(strings.ToLower(got.Subject+got.Text), "correct") {
		t.Errorf("%d arrived, and the last does not say that it is a correction: %s", len(m.All()), got.Text)
	}
	if page := petra.get(at).expect(t, 200, "council.example (issue 1)"); strings.Contains(page.body, "Northtown MASH (issue 1)") {
		t.Error("who has the newer is said to have the older")
	}

	// What somebody else issued meanwhile has to be looked at first.
	draft = petra.post(at+"/new-version", "why", "The telephone number was wrong").expect(t, 303, "/drafts/DR-").location()
	out, _, err := h.desk.Record(t.Context(), h.as("mary"), casework.Record{Unasked: true, Form: "cp1", Case: sampleCases(t)["01-simple"], Again: h.ref, Why: "another reason"})
	h.must(err)
	if out.Version != 3 {
		t.Fatalf("issue %d", out.Version)
	}
	s = petra.open(draft + "/issue")
	petra.send(s, reasonsFor(s)...).expect(t, 422, "Look at issue 3 first", "Mary Manager issued it again")
	petra.send(s, append(reasonsFor(s), "seen-issue", "3")...).expect(t, 303, at)
	petra.get(at).expect(t, 200, "as issue 4")

	// When the case has changed since, it is asked what the new version begins with.
	changed := bytes.Replace(sampleCases(t)["01-simple"], []byte("Sampleson"), []byte("Sampleson-Newname"), 1)
	h.must2(func() (any, error) {
		out, _, err := h.desk.Record(t.Context(), h.as("petra"), casework.Record{Unasked: true, Form: "check", Case: changed, CaseID: h.of, SamePerson: true})
		return out, err
	}())
	petra.get(at+"/new-version").expect(t, 200, "What does the new version begin with?", "What issue 4 says")
	petra.post(at+"/new-version", "why", "x").expect(t, 422, "Choose what the new version begins with")
	draft = petra.post(at+"/new-version", "why", "x", "from", "case").expect(t, 303).location()
	petra.get(draft).expect(t, 200, "Sampleson-Newname")
	id, _ := caseforms.ParseDraftID(strings.TrimPrefix(draft, "/drafts/"))
	h.must(h.desk.DropDraft(t.Context(), h.as("petra"), id, 1))
	draft = petra.post(at+"/new-version", "why", "x", "from", "document").expect(t, 303).location()
	if page := petra.get(draft).expect(t, 200, "Sampleson"); strings.Contains(page.body, "Newname") {
		t.Error("it begins with the case of today")
	}
}

// From the page of a document its other copies are read, with what they withhold, issued and sent; one that would tell what it withholds is not made, and
// the words say where to look.
func TestOtherCopies(t *testing.T) {
	t.Parallel()
	h, _ := mailHouse(t)
	rs := []store.Recipient{{Role: "conference_chair", Organisation: "Conference Service", Channel: "email", Address: "chair@council.example"}}
	_, _, _, err := h.desk.PutRecipients(t.Context(), h.as("adam"), rs)
	h.must(err)
	petra := h.signedIn("petra")
	full := h.recordForm("petra", "conference", "08-conference-confidential")
	at := "/documents/" + string(full)
	petra.get(at).expect(t, 200, "Next: make the copy that is shared", at+"/copies/disclosable", at+"/copies/annex")
	petra.get(at+"/send").expect(t, 200, "Look whether it is the right copy")
	petra.get(at+"/copies/full").expect(t, 404)

	page := petra.get(at+"/copies/disclosable").expect(t, 200, "What this copy withholds", "Confidential address", "Legal advice")
	if strings.Contains(page.body, "Overhear") || strings.Contains(page.body, "SECRETHAVEN") {
		t.Error("the list of what is withheld tells what it says")
	}
	print := petra.get(at+"/copies/disclosable/print").expect(t, 200, "%PDF")
	if !strings.HasPrefix(print.Header.Get("Content-Disposition"), "inline") {
		t.Error("the print is not shown in a page")
	}
	issue := func(copy string, more ...string) reply {
		t.Helper()
		s := petra.open(at + "/copies/" + copy)
		return petra.send(s, append(reasonsFor(s), more...)...)
	}
	petra.post(at+"/copies/disclosable", "issue", "2").expect(t, 422, "later issue")
	r := issue("disclosable", "then", "send").expect(t, 303, "/send")
	page = petra.get(r.location()).expect(t, 200, "Disclosable copy", "Conference Service")
	if !ticked(page, rs[0].ID) {
		t.Error("the chair is not ticked")
	}
	shared, _ := caseforms.ParseRef(strings.TrimSuffix(strings.TrimPrefix(r.location(), "/documents/"), "/send"))
	if d, err := h.store.Document(t.Context(), shared); err != nil || d.Copy != caseforms.CopyDisclosable || shared == full {
		t.Errorf("it is %s: %v", d.Copy, err)
	}
	petra.get(at+"/copies/disclosable").expect(t, 200, "It was issued as", string(shared))
	petra.post(at+"/copies/disclosable", "issue", "1").expect(t, 422, "issued already")
	issue("annex").expect(t, 303, "/documents/CF-")
	petra.get("/documents/"+string(shared)+"/copies/annex").expect(t, 200, "It was issued as")

	// It would tell where the children are: it is not made.
	h.leaks(full)
	petra.get(at+"/copies/disclosable").expect(t, 200, "This copy cannot be made yet", "tells something that this copy withholds", "Offender Manager Assessment, Assessment: tells", at+"/new-version")
	petra.get(at+"/copies/disclosable/print").expect(t, 422, "tells something")
	petra.post(at+"/copies/disclosable", "issue", "2").expect(t, 422, "cannot be issued yet")

	// Put right, it is the next issue of the copy there is.
	out, _, err := h.desk.Record(t.Context(), h.as("petra"), casework.Record{Unasked: true, Form: "conference", Case: bytes.Replace(sampleCases(t)["08-conference-confidential"], []byte("He keeps his appointments"), []byte("He kept his appointments"), 1), Again: full, Why: "a test"})
	h.must(err)
	petra.get(at+"/copies/disclosable").expect(t, 200, "what the case said before", "Issue it again")
	issue("disclosable").expect(t, 303, "/documents/"+string(shared))
	petra.get("/documents/"+string(shared)).expect(t, 200, "issue 2", string(full)+" was issued again, as issue 3")
	if out.Version != 3 {
		t.Errorf("issue %d", out.Version)
	}
}

// guessable is a conference report of which the copy that is shared lets it be guessed who spoke: no other copy has that warning.
func guessable(t *testing.T) []byte {
	return bytes.Replace(sampleCases(t)["08-conference-confidential"], []byte(`"case_records",`), []byte(`"case_records", "victim",`), 1)
}

// A new version of the copy that is shared asks why what it alone tells stands, and is issued with what was said.
func TestNewVersionOfSharedCopy(t *testing.T) {
	t.Parallel()
	h, _ := mailHouse(t)
	petra := h.signedIn("petra")
	out, _, err := h.desk.Record(t.Context(), h.as("petra"), casework.Record{Unasked: true, Form: "conference", Case: guessable(t), Copy: caseforms.CopyDisclosable})
	h.must(err)
	at := "/documents/" + string(out.Ref)
	draft := petra.post(at+"/new-version", "why", "x").expect(t, 303).location()
	s := petra.open(draft + "/issue")
	if !s.fields.Has("why.forms.conference.sources") || !strings.Contains(s.text, "it can be guessed who spoke") {
		t.Fatal(s.text)
	}
	petra.send(s, reasonsFor(s)...).expect(t, 303, at)
	petra.get(at).expect(t, 200, "issue 2", "it can be guessed who spoke")
}

// A copy that tells what the document does not is issued only with a reason, which stands on its page.
func TestOtherCopiesReasons(t *testing.T) {
	t.Parallel()
	h, _ := mailHouse(t)
	petra := h.signedIn("petra")
	full, _, err := h.desk.Record(t.Context(), h.as("petra"), casework.Record{Unasked: true, Form: "conference", Case: guessable(t)})
	h.must(err)
	at := "/documents/" + string(full.Ref) + "/copies/disclosable"
	s := petra.open(at)
	if !s.fields.Has("why.forms.conference.sources") || !strings.Contains(s.text, "it can be guessed who spoke") {
		t.Fatal(s.text)
	}
	s = petra.send(s).expect(t, 422, "Say why you go on with this answer, or change it", `href="#why-1"`).sheet(t)
	petra.send(s, append([]string{"why.forms.conference.sources", strings.Repeat("x", caseforms.MaxReason+1)}, reasonsFor(s)...)...).expect(t, 422, "at most 4000 letters")
	r := petra.send(s, append([]string{"why.forms.conference.sources", "She agreed to it"}, reasonsFor(s)...)...).expect(t, 303, "/documents/CF-")
	petra.get(r.location()).expect(t, 200, "Disclosable copy", "it can be guessed who spoke", "She agreed to it")
}

// leaks issues a conference report again of which an answer tells where the children are.
func (h *house) leaks(ref caseforms.Ref) {
	h.t.Helper()
	b := bytes.Replace(sampleCases(h.t)["08-conference-confidential"], []byte("He keeps his appointments"), []byte("They are at 1 Hidden Lane, Farville. He keeps his appointments"), 1)
	_, _, err := h.desk.Record(h.t.Context(), h.as("petra"), casework.Record{Unasked: true, Form: "conference", Case: b, Again: ref, Why: "a test"})
	h.must(err)
}

// A document for one of two authorities tells that the other one has none yet, on its page and on the home page, until the one made for it was sent;
// each has a follow-up of its own.
func TestNotYetSentToTheOther(t *testing.T) {
	t.Parallel()
	h, _ := mailHouse(t)
	rs := []store.Recipient{
		{Role: "front_door", Organisation: "Northtown MASH", Channel: "email", Address: "north@council.example", Area: "Northtown Council"},
		{Role: "front_door", Organisation: "Southtown MASH", Channel: "email", Address: "south@council.example", Area: "Southtown Council"},
	}
	_, _, _, err := h.desk.PutRecipients(t.Context(), h.as("adam"), rs)
	h.must(err)
	sue := h.signedIn("sue")
	issued, _, err := h.desk.Record(t.Context(), h.as("sue"), casework.Record{Unasked: true, Form: "cp1", Case: sampleCases(t)["04-many-children"], For: "Northtown Council"})
	h.must(err)
	at := "/documents/" + string(issued.Ref)
	send := func(at, to string) {
		t.Helper()
		r := sue.post(at+"/send", "to", to, "without", "none").expect(t, 303, "/send/")
		sue.post(r.location()).expect(t, 303, at)
		h.carryAll()
	}
	sue.get("/").expect(t, 200, "2 documents of yours are still to be sent") // the other is the foreign one of the house
	page := sue.get(at+"/send").expect(t, 200, "Northtown Council")
	if !ticked(page, rs[0].ID) || ticked(page, rs[1].ID) {
		t.Error("the office of the authority that it is for is not ticked, or the other is")
	}
	send(at, rs[0].ID)
	sue.get(at).expect(t, 200, "Not yet sent to: Southtown Council", "Make the one for Southtown Council")
	sue.get("/").expect(t, 200, "1 document of yours did not go to everybody yet")
	sue.get("/waiting").expect(t, 200, "Not yet sent to: Southtown Council")
	h.signedIn("petra").get("/waiting").expect(t, 200, "Nothing that you sent is known to have gone to some and not to others")

	sue.post(at+"/for-another", "who", "Westtown Council").expect(t, 409, "not one of those")
	draft := sue.post(at+"/for-another", "who", "Southtown Council").expect(t, 303, "/issue").location()
	s := sue.open(draft)
	r := sue.send(s, append(reasonsFor(s), "then", "send")...).expect(t, 303, "/send")
	second := strings.TrimSuffix(r.location(), "/send")
	if second == at {
		t.Fatal("it became an issue of the same document")
	}
	page = sue.get(r.location()).expect(t, 200, "Southtown Council")
	if ticked(page, rs[0].ID) || !ticked(page, rs[1].ID) {
		t.Error("the other authority’s document does not go to its office")
	}
	sue.get(at).expect(t, 200, "The document for them was made", second+"/send")
	sue.post(at+"/for-another", "who", "Southtown Council").expect(t, 409, "was made already")
	send(second, rs[1].ID)
	for _, at := range []string{at, second} {
		if page := sue.get(at).expect(t, 200, "Follow the referral up until"); strings.Contains(page.body, "Not yet sent to") {
			t.Error("what was sent to both is still to be sent to one")
		}
	}
	if page := sue.get("/").expect(t, 200); strings.Contains(page.body, "did not go to everybody") {
		t.Error("the home page still counts it")
	}
}

// The document for the second authority is made although the first was erased meanwhile; whom it is for has to be said then.
func TestForAnotherAfterErasure(t *testing.T) {
	t.Parallel()
	h, _ := mailHouse(t)
	sue := h.signedIn("sue")
	issued, _, err := h.desk.Record(t.Context(), h.as("sue"), casework.Record{Unasked: true, Form: "cp1", Case: sampleCases(t)["04-many-children"], For: "Northtown Council"})
	h.must(err)
	draft := sue.post("/documents/"+string(issued.Ref)+"/for-another", "who", "Southtown Council").expect(t, 303, "/issue").location()
	sue.open(draft).reply.expect(t, 200, "its page leads to the document for the next")
	h.must(h.desk.Erase(t.Context(), h.as("adam"), "", issued.Ref, "sent in error"))
	sue.get(strings.TrimSuffix(draft, "/issue")+"/preview").expect(t, 200, "%PDF")
	s := sue.open(draft)
	if s.fields.Has("for") {
		t.Errorf("it is for number %s", s.fields.Get("for"))
	}
	sue.send(s, reasonsFor(s)...).expect(t, 422, "Choose who this document is for")
	r := sue.send(s, append(reasonsFor(s), "for", "2")...).expect(t, 303, "/documents/CF-")
	sue.get(r.location()+"/send").expect(t, 200, "Southtown Council")
}

// A new version is for the authority that its document is for; when that is not among those of the form any more, nobody is chosen for it.
func TestNewVersionIsForTheSame(t *testing.T) {
	t.Parallel()
	h, _ := mailHouse(t)
	sue := h.signedIn("sue")
	issued, _, err := h.desk.Record(t.Context(), h.as("sue"), casework.Record{Unasked: true, Form: "cp1", Case: sampleCases(t)["04-many-children"], For: "Southtown Council"})
	h.must(err)
	at := "/documents/" + string(issued.Ref)
	draft := sue.post(at+"/new-version", "why", "x").expect(t, 303).location()
	if s := sue.open(draft + "/issue"); s.fields.Get("for") != "2" {
		t.Errorf("it is for number %s", s.fields.Get("for"))
	}
	id, _ := caseforms.ParseDraftID(strings.TrimPrefix(draft, "/drafts/"))
	d, err := h.desk.Draft(t.Context(), h.as("sue"), id)
	h.must(err)
	_, err = h.desk.SaveDraft(t.Context(), h.as("sue"), casework.SaveDraft{ID: id, Base: d.Version, Content: bytes.ReplaceAll(d.Content, []byte("Southtown Council"), []byte("Westtown Council"))})
	h.must(err)
	s := sue.open(draft + "/issue")
	if s.fields.Has("for") {
		t.Errorf("it is for number %s although the document’s authority is not there", s.fields.Get("for"))
	}
	sue.send(s, reasonsFor(s)...).expect(t, 422, "Choose who this document is for")
}

// Of several recipients of one document each has a follow-up of its own, and a form that goes to two offices tells which of them has not got it.
func TestNotYetSentToTheOtherOffice(t *testing.T) {
	t.Parallel()
	h, _ := mailHouse(t)
	rs := []store.Recipient{
		{Role: "public_protection_office", Organisation: "Protection Office", Channel: "email", Address: "ppo@council.example"},
		{Role: "housing_needs_team", Organisation: "Housing Needs", Channel: "email", Address: "housing@council.example"},
	}
	_, _, _, err := h.desk.PutRecipients(t.Context(), h.as("adam"), rs)
	h.must(err)
	petra := h.signedIn("petra")
	ref := h.recordForm("petra", "pp3", "07-level-3")
	at := "/documents/" + string(ref)
	send := func(to string) {
		t.Helper()
		r := petra.post(at+"/send", "to", to, "without", "none").expect(t, 303, "/send/")
		petra.post(r.location()).expect(t, 303, at)
		h.carryAll()
	}
	send(rs[0].ID)
	petra.get(at).expect(t, 200, "Not yet sent to: Housing Needs")
	page := petra.get(at+"/send").expect(t, 200)
	if ticked(page, rs[0].ID) || !ticked(page, rs[1].ID) {
		t.Error("who has not got it is not ticked, or who has it is")
	}
	send(rs[1].ID)
	if page := petra.get(at).expect(t, 200); strings.Contains(page.body, "Not yet sent to") {
		t.Error("it is still to be sent to somebody")
	}
	at = "/documents/" + string(h.ref)
	send(h.office("Northtown MASH", "mash@council.example"))
	r := petra.post(at+"/send", "address", "night@council.example", "confirm", "they told me", "without", "none").expect(t, 303, "/send/")
	petra.post(r.location()).expect(t, 303, at)
	h.carryAll()
	shown, err := h.desk.Show(t.Context(), h.as("petra"), h.ref)
	h.must(err)
	chased := map[int64]bool{}
	for _, u := range shown.Due {
		if u.Rule == "C06" {
			chased[u.HandOff] = true
		}
	}
	if len(shown.HandOffs) != 2 || len(chased) != 2 {
		t.Errorf("%d hand-offs have %d follow-ups", len(shown.HandOffs), len(chased))
	}
}
