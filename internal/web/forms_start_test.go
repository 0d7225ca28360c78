package web

import (
	"strings"
	"testing"

	"caseforms"
)

// A form for a new person begins with a number and a name. Where there may be a case already it is said, and nobody gets a second one unnoticed.
func TestFormsStart(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.signedIn("petra")
	v.open("/").reply.expect(t, 200, `href="/forms"`)
	count := func() int {
		t.Helper()
		all, err := h.desk.Drafts(t.Context(), h.as("petra"))
		h.must(err)
		return len(all)
	}
	start := func(pairs ...string) reply {
		t.Helper()
		return v.send(v.open("/forms"), append([]string{"form", "pp1", "area", "general"}, pairs...)...)
	}
	// of nobody there is
	s := v.follow(start("case", "x654321", "given", "Nova", "family", "Unheard").expect(t, 303, "/drafts/DR-"))
	if !strings.Contains(s.text, "Nova Unheard") || !strings.Contains(s.text, "CRN: X654321") || strings.Contains(s.text, ", case CS-") {
		t.Errorf("%.500s", s.text)
	}
	s = v.follow(start("case", "A9876ZZ").expect(t, 303, "/drafts/DR-"))
	if !strings.Contains(s.text, "Prison number: A9876ZZ") {
		t.Errorf("%.500s", s.text)
	}
	start().expect(t, 303, "/drafts/DR-")
	start("case", "Sampleson").expect(t, 422, "Enter a case")

	// a number that a case has: nothing is begun before it is said
	n := count()
	asked := start("case", "X000001", "given", "Alex").expect(t, 422, "There is a case with this number already", `href="#existing"`, string(h.of), "Alex Sampleson").sheet(t)
	if asked.fields.Get("case") != "X000001" || asked.fields.Get("given") != "Alex" || asked.fields.Get("form") != "pp1" || strings.Contains(asked.text, "another person") {
		t.Error(asked.fields)
	}
	if count() != n {
		t.Error("a draft was made before it was said whose it is")
	}
	v.send(asked).expect(t, 422, "There is a case with this number already")
	v.send(asked, "existing", "CS-0000-0000").expect(t, 422, "There is a case with this number already")
	s = v.follow(v.send(asked, "existing", string(h.of)).expect(t, 303, "/drafts/DR-"))
	if !strings.Contains(s.text, "Alex Sampleson") || !strings.Contains(s.text, "case "+string(h.of)) {
		t.Errorf("%.500s", s.text)
	}
	// what belongs to the document before is asked anew, all else is taken over
	r := v.send(v.open("/forms"), "form", "cp1", "area", "general", "case", string(h.of)).expect(t, 303, "/drafts/DR-")
	content, _ := h.content(caseforms.DraftID(strings.TrimPrefix(r.location(), "/drafts/")))
	before, err := h.desk.CaseRecord(t.Context(), h.as("petra"), h.of)
	h.must(err)
	cp1, _ := content["forms"].(map[string]any)["cp1"].(map[string]any)
	if !strings.Contains(string(before), `"signature"`) || cp1["signature"] != nil || cp1["refer_date"] != nil || cp1["why_now"] != nil || len(cp1) == 0 || content["children"] == nil {
		t.Errorf("begun with %v", cp1)
	}
	// a name that somebody has
	asked = start("given", "Alex", "family", "Sampleson").expect(t, 422, "somebody of this name already", "born 27/03/1988", "No, it is another person").sheet(t)
	s = v.follow(v.send(asked, "existing", "new").expect(t, 303, "/drafts/DR-"))
	if !strings.Contains(s.text, "Alex Sampleson") || strings.Contains(s.text, ", case CS-") {
		t.Errorf("%.500s", s.text)
	}
	// a restricted one is told to whoever has its number, in words, and to nobody else
	shown, err := h.desk.CaseRecord(t.Context(), h.as("sue"), h.foreignCase)
	h.must(err)
	defs, err := h.desk.Definitions("")
	h.must(err)
	ed, err := defs.Edit(shown)
	h.must(err)
	if r := start("case", ed.Get("person.crn").Text()).expect(t, 403, "restricted"); strings.Contains(r.body, h.foreignName) {
		t.Error("it tells whose it is")
	}
	// by the name alone a number is asked for, and nothing is told of the case
	n = count()
	asked = start("given", ed.Get("person.given_names").Text(), "family", ed.Get("person.family_name").Text()).expect(t, 422, "Enter the person’s CRN", `href="#case"`, "No, I have none").sheet(t)
	for _, told := range []string{string(h.foreignCase), ed.Get("person.crn").Text(), bornOn(ed.Get("person.dob").Text())} {
		if strings.Contains(asked.text, told) {
			t.Errorf("it tells %q", told)
		}
	}
	v.send(asked).expect(t, 422, "Enter the person’s CRN")
	if other := start("given", "Nobody", "family", "Unheardof").expect(t, 422, "Enter the person’s CRN", "No, I have none"); strings.Contains(other.body, "restricted") || strings.Contains(asked.text, "restricted") {
		t.Error("a name tells that there is a restricted case")
	}
	if count() != n {
		t.Error("a second case of somebody is begun unnoticed")
	}
	v.send(asked, "case", ed.Get("person.crn").Text()).expect(t, 403, "restricted")
	v.send(asked, "existing", "new").expect(t, 303, "/drafts/DR-")
}
