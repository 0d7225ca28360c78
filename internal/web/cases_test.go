package web

import (
	"strings"
	"testing"

	"caseforms"
	"caseforms/internal/casework"
)

// The page of a case has every document of it, not the latest alone, with how each stands, and leads to the next form. That it was looked at is one act.
func TestCaseListsItsDocuments(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var of caseforms.CaseID
	record := func(form, copy string) caseforms.Ref {
		out, _, err := h.desk.Record(t.Context(), h.as("petra"), casework.Record{Unasked: true, Form: form, Case: sampleCases(t)["03-urgent"], CaseID: of, Copy: copy})
		h.must(err)
		of = out.Case
		return out.Ref
	}
	urgent, shared, other := record("cp1", ""), record("cp1", caseforms.CopyDisclosable), record("cp1", "")
	h.must2(h.desk.HandOver(t.Context(), h.as("petra"), casework.HandOver{Ref: other, Channel: casework.ByHand, To: "Northtown MASH"}))
	petra := h.signedIn("petra")
	draft, err := h.desk.SaveDraft(t.Context(), h.as("petra"), casework.SaveDraft{Form: "cp1", Case: of, Content: sampleCases(t)["03-urgent"]})
	h.must(err)
	before := len(h.ledger())
	page := petra.get("/cases?q="+string(of)).expect(t, 200, "Case "+string(of), "app-identity", "Went to Northtown MASH", "Disclosable copy", "Not sent to anybody yet", "by Petra Practitioner", `href="/forms?case=`+string(of))
	if did := h.ledger()[before:]; len(did) != 1 || did[0].What != "case found" {
		t.Error(did)
	}
	for _, ref := range []caseforms.Ref{urgent, shared, other} {
		if n := strings.Count(page.body, `href="/documents/`+string(ref)+`"`); n != 1 {
			t.Errorf("%s is linked %d times", ref, n)
		}
	}
	if row := page.row(string(urgent)); !strings.Contains(row, "Urgent") {
		t.Error("the urgent one is not marked:", row)
	}
	if row := page.row(string(draft.ID)); !strings.Contains(row, "Urgent") {
		t.Error("the draft is not there, or not marked:", row)
	}
	petra.post("/cases", "q", string(shared)).expect(t, 200, "Case "+string(of), string(urgent))
	petra.post("/cases", "q", "Unknown-Sample").expect(t, 200, "3 documents", `href="/cases?q=`+string(of))
	petra.post("/cases", "q", string(h.recordForm("petra", "pp1", "07-level-3"))).expect(t, 200, "Not countersigned yet")
	// Nobody is told of the documents of a case that they may not see.
	for _, who := range []string{"petra", "adam"} {
		if page := h.signedIn(who).get("/cases?q="+string(h.foreignCase)).expect(t, 200, "You may not see this case"); strings.Contains(page.body, string(h.foreign)) || strings.Contains(page.body, "Start a form for this case") || strings.Contains(page.body, h.foreignName) {
			t.Error(who, "is told of a restricted case")
		}
	}
}
