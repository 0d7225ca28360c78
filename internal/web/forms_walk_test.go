package web

import (
	"strings"
	"testing"

	"caseforms"
	"caseforms/internal/casework"
)

// formWalks: drafts are for those who work on cases, and of a restricted case for those alone who may see it.
func formWalks(h *house) map[string]walk {
	draft := func(login, sample string, of caseforms.CaseID) string {
		d, err := h.desk.SaveDraft(h.t.Context(), h.as(login), casework.SaveDraft{Form: "cp1", Case: of, Content: sampleCases(h.t)[sample]})
		h.must(err)
		return "/drafts/" + string(d.ID)
	}
	own, foreign := draft("petra", "01-simple", h.of), draft("sue", "02-full", h.foreignCase)
	read, refused := [6]int{in, 200, 200, 403, 403, 403}, [6]int{in, 403, 403, 403, 403, 403}
	sent := [6]int{in, 422, 422, 403, 403, 403} // without the version that was seen
	out := map[string]walk{
		"GET /forms":  {want: read, path: "/forms?case=" + string(h.of), foreign: "/forms?case=" + string(h.foreignCase), wantFor: read}, // only the number, which was typed
		"POST /forms": {want: [6]int{in, in, in, 403, 403, 403}, form: []string{"form", "check", "area", "general", "case", string(h.of)}, foreign: "/forms", foreignForm: []string{"form", "check", "area", "general", "case", string(h.foreignCase)}, wantFor: refused},
		"GET /drafts": {want: read},
	}
	for pattern, rest := range map[string]string{
		draftPath: "", draftPath + "/answers": "/answers", draftPath + "/preview": "/preview", draftPath + "/preview/" + topicPattern: "/preview/referral", draftPath + "/issue": "/issue", draftPath + "/drop": "/drop",
		partPath: "/part/referral", itemPath: "/part/children/children/0", itemPath + "/remove": "/part/children/children/0/remove", partPath + "/warnings": "/part/referral/warnings",
	} {
		out["GET "+pattern] = walk{want: read, path: own + rest, foreign: foreign + rest, wantFor: refused}
		if pattern != draftPath && !strings.HasSuffix(pattern, "/answers") && !strings.Contains(pattern, "/preview") {
			out["POST "+pattern] = walk{want: sent, path: own + rest, foreign: foreign + rest, foreignForm: []string{"base", "1", "was.person.given_names", "x", "person.given_names", "Changed"}, wantFor: refused}
		}
	}
	goesOn := [6]int{in, in, in, 403, 403, 403} // there is nothing odd; to the page of the part
	for _, route := range []string{"GET " + partPath + "/warnings", "POST " + partPath + "/warnings", "GET " + draftPath + "/preview/" + topicPattern} {
		w := out[route]
		w.want = goesOn
		out[route] = w
	}
	return out
}

// Nothing of a draft of a restricted case is told or done for somebody who may not see it, whichever way they come; and a draft of
// nobody's case is for its team.
func TestFormsOfOthers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d, err := h.desk.SaveDraft(t.Context(), h.as("sue"), casework.SaveDraft{Form: "cp1", Case: h.foreignCase, Content: sampleCases(t)["02-full"]})
	h.must(err)
	lone := h.draft("sue", "cp1", []byte(`{"person":{"family_name":"Nobodyson"}}`))
	for _, login := range []string{"petra", "mary"} {
		v := h.signedIn(login)
		for _, id := range []caseforms.DraftID{d.ID, lone.ID} {
			path := "/drafts/" + string(id)
			for _, p := range []string{path, path + "/answers", path + "/preview", path + "/issue", path + "/drop", path + "/part/referral", path + "/part/nothing"} {
				r := v.get(p).expect(t, 403)
				if strings.Contains(r.body, h.foreignName) || strings.Contains(r.body, "Nobodyson") {
					t.Errorf("%s tells who it is about", p)
				}
			}
			for _, p := range []string{path + "/issue", path + "/drop", path + "/part/referral"} {
				v.post(p, "base", "1").expect(t, 403)
			}
		}
		r := v.get("/drafts").expect(t, 200)
		if strings.Contains(r.body, string(d.ID)) || strings.Contains(r.body, string(lone.ID)) {
			t.Error("the list tells of them")
		}
		v.post("/forms", "form", "check", "area", "general", "case", string(h.foreignCase)).expect(t, 403)
		v.post("/forms", "form", "check", "area", "general", "case", string(h.foreign)).expect(t, 403)
	}
	for _, what := range h.did("mary", 99) {
		if what != "signed in" {
			t.Error(what)
		}
	}
	// Who types the numbers of a restricted case into a draft of theirs is refused, and what they typed is not joined to it.
	mine := h.draft("petra", "pp1", []byte(`{}`))
	v := h.signedIn("petra")
	for _, href := range v.open("/drafts/" + string(mine.ID)).hrefs {
		if partHref.MatchString(href) {
			if s := v.open(href); s.fields.Has("person.crn") {
				shown, err := h.desk.Draft(t.Context(), h.as("sue"), d.ID)
				h.must(err)
				defs, _ := h.desk.Definitions("")
				ed, err := defs.Edit(shown.Content)
				h.must(err)
				v.send(s, "person.crn", ed.Get("person.crn").Text()).expect(t, 403, "restricted")
				return
			}
		}
	}
	t.Error("no page asks for the CRN")
}

// The bar on every page of a form says whose it is, and what is to be known before anything else.
func TestFormsBar(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	sue := h.signedIn("sue")
	d, err := h.desk.SaveDraft(t.Context(), h.as("sue"), casework.SaveDraft{Form: "cp1", Case: h.foreignCase, Content: sampleCases(t)["02-full"]})
	h.must(err)
	path := "/drafts/" + string(d.ID)
	for _, p := range []string{path, path + "/answers", path + "/issue", path + "/drop", path + "/part/referral", path + "/part/children/children/0", path + "/part/children/children/new"} {
		sue.get(p).expect(t, 200, "app-identity", h.foreignName, "Date of birth:", "CRN: ", "Restricted case", "MAPPA category 2", "MAPPA level 2", "Risk of serious harm: children", "Child protection plan")
	}
	// The pages of a document bear it too.
	for _, p := range []string{"", "/send", "/hand-over", "/answer", "/note", "/new-version"} {
		sue.get("/documents/"+string(h.foreign)+p).expect(t, 200, "app-identity", h.foreignName, "Restricted case", "MAPPA level 2", "Child protection plan")
	}
	aud := h.signedIn("aud").get("/documents/"+string(h.foreign)).expect(t, 200)
	if strings.Contains(aud.body, "app-identity") || strings.Contains(aud.body, "MAPPA level") {
		t.Error("an auditor reads whose it is")
	}
	urgent := h.draft("petra", "cp1", sampleCases(t)["03-urgent"])
	h.signedIn("petra").get("/drafts/"+string(urgent.ID)).expect(t, 200, "Urgent")
}
