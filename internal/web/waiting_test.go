package web

import (
	"regexp"
	"strings"
	"testing"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
)

var rows = regexp.MustCompile(`(?s)<(?:tr|li)[ >].*?</(?:tr|li)>`)

// row is the row of a table or a list of a page that has some words.
func (r reply) row(words string) string {
	for _, row := range rows.FindAllString(r.body, -1) {
		if strings.Contains(row, words) {
			return row
		}
	}
	return ""
}

const urgentTag = `<strong class="govuk-tag govuk-tag--red">Urgent</strong>`

// What is urgent is marked on every page of the document after it was issued, and where it waits; what is not is not, whatever else of the case is due.
func TestUrgentAfterIssue(t *testing.T) {
	t.Parallel()
	h, _ := mailHouse(t)
	urgent := h.recordForm("petra", "cp1", "03-urgent")
	petra := h.signedIn("petra")
	for _, rest := range []string{"", "/send", "/hand-over", "/answer", "/note", "/new-version", "/copies/disclosable"} {
		petra.get("/documents/"+string(urgent)+rest).expect(t, 200, "app-identity", urgentTag)
		if page := petra.get("/documents/" + string(h.ref) + rest); page.StatusCode != 200 || strings.Contains(page.body, urgentTag) {
			t.Errorf("%d, or what is not urgent is marked: %s", page.StatusCode, rest)
		}
	}
	pp1 := h.recordForm("petra", "pp1", "07-level-3")
	today := caseforms.DateOf(caseforms.London(h.clock()))
	h.must(h.store.Follow(t.Context(), store.Follow{Start: []store.FollowUp{{Case: h.caseOf(pp1), Subject: "a test", State: store.FollowUpOpen, First: today, Rule: "C01", Due: today, From: today, Owner: h.as("petra").ID}}, Entries: []store.Entry{{What: "a test", Actor: h.as("petra").ID, Case: h.caseOf(pp1)}}}))
	page := petra.get("/waiting").expect(t, 200)
	if row := page.row(string(urgent)); !strings.Contains(row, urgentTag) {
		t.Error("what is still to be sent and urgent is not marked:", row)
	}
	if row := page.row(string(pp1)); !strings.Contains(row, "safeguarding check") || strings.Contains(row, "Urgent") {
		t.Error("a document is called urgent because of another duty, which is not named:", row)
	}
}

// That everything went to everybody is said only when it is so.
func TestWaitingSaysWhatIsSo(t *testing.T) {
	t.Parallel()
	h, _ := mailHouse(t)
	petra := h.signedIn("petra")
	const everything = "Everything that you sent went to everybody it should go to"
	if page := petra.get("/waiting").expect(t, 200, "Send "+string(h.ref), "What nobody has yet is in the other lists"); strings.Contains(page.body, everything) {
		t.Error("it says so while something is to be sent")
	}
	mash := h.office("Northtown MASH", "mash@council.example")
	_, _, err := h.desk.Send(t.Context(), h.as("petra"), casework.Send{Ref: h.ref, To: []string{mash}, Without: "none"})
	h.must(err)
	if page := petra.get("/waiting").expect(t, 200, "1 document is held or on its way"); strings.Contains(page.body, everything) {
		t.Error("it says so while something is on its way")
	}
	h.carryAll()
	petra.get("/waiting").expect(t, 200, everything)
}

// Without a mailbox nothing is offered that goes by e-mail, and it is said what to do instead.
func TestNoMailIsNotOffered(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	petra := h.signedIn("petra")
	at := "/documents/" + string(h.ref)
	offers := func(page reply) {
		t.Helper()
		for _, words := range []string{"Send by e-mail", ">Send it<", "Chase ", "go on to send", at + "/send", ">Send CF-", "On the next page you see"} {
			if strings.Contains(page.body, words) {
				t.Errorf("%q is offered", words)
			}
		}
	}
	offers(petra.get(at).expect(t, 200, noMail, at+"/hand-over"))
	h.must2(h.desk.HandOver(t.Context(), h.as("petra"), casework.HandOver{Ref: h.ref, Channel: casework.ByHand, To: "Northtown MASH"}))
	offers(petra.get(at).expect(t, 200, noMail))
	offers(petra.get("/waiting").expect(t, 200))
	d := h.draft("petra", "cp1", sampleCases(t)["03-urgent"])
	offers(petra.get("/drafts/"+string(d.ID)+"/issue").expect(t, 200, "Issue it"))
	offers(petra.get(at+"/copies/disclosable").expect(t, 200, "Issue it"))
	petra.get(at+"/send").expect(t, 200, "E-mail is not configured here", at+"/hand-over")
}

// Whoever hands over what a manager sent back is told so.
func TestHandOverOfWhatWasSentBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	pp1 := h.recordForm("petra", "pp1", "07-level-3")
	at := "/documents/" + string(pp1)
	petra := h.signedIn("petra")
	petra.get(at+"/hand-over").expect(t, 200, "No manager has countersigned it yet")
	h.must(h.desk.Countersign(t.Context(), h.as("mary"), pp1, 1, false, "the level is missing", ""))
	petra.get(at+"/hand-over").expect(t, 200, "A manager sent it back")
	h.must(h.desk.Countersign(t.Context(), h.as("mary"), pp1, 1, true, "", ""))
	if page := petra.get(at+"/hand-over").expect(t, 200); strings.Contains(page.body, "govuk-warning-text") {
		t.Error("it still warns")
	}
}

// What is open and who got it stand before the many warnings of an urgent document, which are folded.
func TestWarningsAreFolded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	urgent := h.recordForm("petra", "cp1", "03-urgent")
	page := h.signedIn("petra").get("/documents/"+string(urgent)).expect(t, 200, "None: it was urgent", "urgent, issued without a reason")
	first := strings.Index(page.body, "None: it was urgent")
	for _, words := range []string{"What is open", "Who got it", "Handed over"} {
		if i := strings.Index(page.body, words); i < 0 || i > first {
			t.Errorf("%q stands below the warnings", words)
		}
	}
	for rest := page.body; ; {
		open, after, _ := strings.Cut(rest, "<details")
		if strings.Contains(open, "it was urgent") || strings.Contains(open, "issued without a reason") {
			t.Error("a warning is not folded")
		}
		_, after, more := strings.Cut(after, "</details>")
		if rest = after; !more {
			break
		}
	}
}
