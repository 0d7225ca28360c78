package web

import (
	"slices"
	"strings"
	"testing"

	"caseforms"
	"caseforms/internal/casework"
)

// oddPP1 is a PP1 of which one answer is odd: the release is too near.
func oddPP1(t *testing.T, h *house) *casework.Draft {
	return h.draft("petra", "pp1", sampleCases(t)["01-simple"])
}

// Saving a part with an odd answer is interrupted: the answer is saved, and a reason is taken that is asked again only when it changes.
func TestFormsInterruption(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	v := h.signedIn("petra")
	d := oddPP1(t, h)
	var page string
	for _, p := range v.pagesOf(d.ID) {
		if v.open(p).fields.Has("was.sentence.release_date") {
			page = p
		}
	}
	r := v.send(v.open(page), "then", "next", "sentence.commencement_date-year", "2019").expect(t, 303, page+"/warnings?next=")
	s := v.follow(r)
	if !strings.Contains(s.text, "Expected release: is nearer than the notice wanted") || !slices.Contains(s.hrefs, page+"#sentence.release_date") || strings.Contains(s.text, "is not answered") {
		t.Fatal(s.text, s.hrefs)
	}
	c, version := h.content(d.ID)
	if !strings.HasPrefix(c["sentence"].(map[string]any)["commencement_date"].(string), "2019") {
		t.Error("what was typed is not saved before the interruption")
	}
	// Without a reason it asks; it may be said later, and the part is left by that.
	again := v.send(s).expect(t, 422, "Say why you go on with this answer, or change it: Expected release", `href="#why-1"`, `id="why-1"`).sheet(t)
	next := again.fields.Get("next")
	if next == "" || !slices.Contains(again.hrefs, next) {
		t.Error(next, again.hrefs)
	}
	v.send(again, "why.sentence.release_date", strings.Repeat("x", caseforms.MaxReason+1)).expect(t, 422, "at most 4000 letters")
	v.open("/drafts/"+string(d.ID)).reply.expect(t, 200, "1 thing to look at")
	v.send(again, "why.sentence.release_date", "Moved here <a week ago>").expect(t, 303, next)
	if s := v.open("/drafts/" + string(d.ID)); strings.Contains(s.text, "thing to look at") {
		t.Error("the list of parts asks for what was said")
	}
	if _, now := h.content(d.ID); now != version {
		t.Error("a reason makes another version of the draft")
	}
	v.send(v.open(page), "then", "next", "sentence.commencement_date-year", "2018").expect(t, 303, next)
	// At the end it stands with its reason, and what is not answered is asked for with one reason.
	s = v.open("/drafts/" + string(d.ID) + "/issue")
	if s.fields.Get("why.sentence.release_date") != "Moved here <a week ago>" {
		t.Error(s.fields)
	}
	// Another answer: it is asked again.
	v.send(v.open(page), "then", "list", "sentence.release_date-day", "20", "sentence.release_date-month", "12", "sentence.release_date-year", "2026").expect(t, 303, page+"/warnings?next=")
	v.send(v.open(page+"?from=answers"), "then", "next").expect(t, 303, page+"/warnings?next=")
	v.get(page+"/warnings?next=/drafts/"+string(d.ID)+"/answers").expect(t, 200, page+"?from=answers#sentence.release_date")
	// No way out of the draft, nor of the service.
	for _, out := range []string{"https://elsewhere.example/", "//elsewhere.example", "/drafts", "/drafts/" + string(d.ID) + "x"} {
		if s := v.get(page+"/warnings?next="+out).expect(t, 200).sheet(t); s.fields.Get("next") != "/drafts/"+string(d.ID) {
			t.Errorf("it goes on to %q", s.fields.Get("next"))
		}
	}
	// To open an entry of a list is not interrupted.
	v.send(v.open(page), "then", "go:offences/new").expect(t, 303, "/offences/new")
}

// What stands when the form is issued takes reasons, which go with the document: onto its page, the timeline and to whoever countersigns.
func TestFormsReasons(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	v := h.signedIn("petra")
	d := oddPP1(t, h)
	// and one that is not answered
	s := v.open(part(d, "offender"))
	v.send(s, "person.nationality", "").expect(t, 303)
	path := "/drafts/" + string(d.ID) + "/issue"
	s = v.open(path)
	if !s.fields.Has("why") || !s.fields.Has("why.sentence.release_date") || strings.Contains(s.text, "elsewhere") {
		t.Fatal(s.text)
	}
	one := v.send(s, "why", "He has not said").expect(t, 422, "Say why you go on with this answer, or change it: Expected release", `href="#why-1"`).sheet(t)
	if one.fields.Get("why") != "He has not said" {
		t.Error("what was typed is lost")
	}
	if got := v.open(path).fields.Get("why"); got != "He has not said" {
		t.Errorf("%q is kept", got)
	}
	v.send(one, "why", "", "why.sentence.release_date", "Moved here").expect(t, 422, "Say why the form goes without these answers", `href="#why"`)
	r := v.send(v.open(path), "why", "He has not said").expect(t, 303, "/documents/CF-")
	doc := r.Header.Get("Location")
	for _, login := range []string{"petra", "mary"} {
		s := h.signedIn(login).open(doc)
		for _, want := range []string{"Issued although these warnings stood", "Expected release: is nearer than the notice wanted", "Moved here", "Nationality: is not answered", "He has not said", "reason: Moved here"} {
			if !strings.Contains(s.text, want) {
				t.Errorf("%s does not see %q", login, want)
			}
		}
	}
	// The manager who is asked to countersign reads them before.
	asked := h.signedIn("mary").open(doc + "/countersign").text
	if at := strings.Index(asked, "Moved here"); at < 0 || at > strings.Index(asked, "Countersign issue 1") {
		t.Error("the reasons do not stand before what the manager is asked")
	}
	if s := h.signedIn("aud").open(doc); strings.Contains(s.text, "Moved here") {
		t.Error("an auditor reads the reasons")
	}
	v.get(doc+"/issues/1/1").expect(t, 200, "%PDF-")
}

// A part that was opened from the answers, or from what stands against the form, leads back there.
func TestFormsBack(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	v := h.signedIn("petra")
	d := h.draft("petra", "cp1", []byte(simple))
	path := "/drafts/" + string(d.ID)
	for _, from := range []string{"answers", "issue"} {
		s := v.open(path + "/" + from)
		i := slices.IndexFunc(s.hrefs, func(h string) bool { return strings.HasPrefix(h, path+"/part/referral?from="+from+"#") })
		if i < 0 {
			t.Fatalf("%s: %q", from, s.hrefs)
		}
		s = v.open(s.hrefs[i])
		s.reply.expect(t, 200, "Save and go back")
		if !slices.Contains(s.hrefs, path+"/"+from) {
			t.Errorf("leaving without saving leads elsewhere: %q", s.hrefs)
		}
		v.send(s, "then", "next", "forms.cp1.why_now", "From "+from).expect(t, 303, path+"/"+from)
		again := v.send(v.open(path+"/part/referral?from="+from), "then", "next", "forms.cp1.refer_time", "half past").expect(t, 422).sheet(t)
		v.send(again, "then", "next", "forms.cp1.refer_time", "9:05").expect(t, 303, path+"/"+from)
		// through a list and back
		list := v.open(path + "/part/children?from=" + from)
		r := v.send(list, "then", "go:children/0").expect(t, 303, "/part/children/children/0?from="+from)
		r = v.send(v.follow(r)).expect(t, 303, path+"/part/children?from="+from+"#children")
		v.send(v.follow(r), "then", "next").expect(t, 303, path+"/"+from)
		r = v.send(v.open(path+"/part/children?from="+from), "then", "go:children/0/remove").expect(t, 303, "/remove?from="+from)
		v.follow(r).reply.expect(t, 200, path+"/part/children?from="+from)
	}
	if s := v.open(path + "/part/referral?from=elsewhere"); s.fields.Has("from") {
		t.Error("it leads back to anywhere")
	}
}

// The API wants the same reasons: it tells which warnings want one, issues with them, and does not hold up what is urgent.
func TestAPIReasons(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	p := h.program("petra")
	name := 0
	issue := func(record, more string) reply {
		name++
		return p.with("Idempotency-Key", "reasons-"+strings.Repeat("x", name)).ask("POST", "/documents", issueBody(t, "pp1", record, more))
	}
	reasons := `,"reasons":[{"key":"forms.pp1.early_warning","why":"The unit was told"},{"key":"sentence.release_date","why":"Moved here"}]`
	r := issue("02-full", "").expect(t, 422, `"type":"urn:caseforms:problem:reasons"`, `"pointer":"/sentence/release_date"`, `"wants_reason":true`, "give for the key of each a reason")
	if strings.Count(r.body, `"wants_reason":true`) != 2 {
		t.Error(r.body)
	}
	issue("02-full", `,"reasons":[{"why":"for everything"}]`).expect(t, 422, "urn:caseforms:problem:reasons")
	issue("02-full", `,"dry_run":true`).expect(t, 200, `"may_issue":false`)
	issue("02-full", reasons+`,"dry_run":true`).expect(t, 200, `"may_issue":true`)
	var out apiIssued
	issue("02-full", reasons).expect(t, 201).into(t, &out)
	p.get("/documents/"+out.Ref).expect(t, 200, `"reasons":[{"key":"forms.pp1.early_warning","warning":"Early-warning triggers: and a strong risk`, `"why":"Moved here"`)
	p.with("Idempotency-Key", "urgent").ask("POST", "/documents", issueBody(t, "cp1", "03-urgent")).expect(t, 201)
	// of a draft, those that were given in it
	d, err := h.desk.SaveDraft(t.Context(), h.as("petra"), casework.SaveDraft{Form: "pp1", Content: sampleCases(t)["01-simple"]})
	h.must(err)
	draft := `{"draft":"` + string(d.ID) + `","draft_version":1`
	p.with("Idempotency-Key", "draft1").ask("POST", "/documents", draft+"}").expect(t, 422, "urn:caseforms:problem:reasons")
	h.must(h.desk.GiveReasons(t.Context(), h.as("petra"), d.ID, "", []caseforms.Reason{{Key: "sentence.release_date", Why: "Moved here"}}))
	p.get("/drafts/"+string(d.ID)).expect(t, 200, `"reasons":[{"key":"sentence.release_date"`, `"why":"Moved here"`)
	p.with("Idempotency-Key", "draft2").ask("POST", "/documents", draft+`,"dry_run":true}`).expect(t, 200, `"may_issue":true`)
	p.with("Idempotency-Key", "draft3").ask("POST", "/documents", draft+"}").expect(t, 201)
}
