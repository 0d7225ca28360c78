//go:build !race

package web

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/chromium"
	"caseforms/internal/postoffice"
)

// The pictures in the documentation, of invented people. They are made when somebody asks for them by naming a folder.
func TestPictures(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("CASEFORMS_PICTURES")
	if dir == "" {
		t.Skip("CASEFORMS_PICTURES names no folder for the pictures")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join("../..", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := chromium.Open(t)
	m, err := postoffice.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	h := newHouse(t, posted(m))
	base := opened(t, h)
	h.allow("council.example")
	h.office("Northtown MASH", "mash@council.example")
	petra := h.as("petra")
	sent := func(form, sample, answer string) (ref caseforms.Ref) {
		ref = h.recordForm("petra", form, sample)
		h.must2(h.desk.HandOver(t.Context(), petra, casework.HandOver{Ref: ref, Channel: casework.ByTelephone, To: map[string]string{"cp1": "Northtown MASH", "check": "Northtown Council", "pp1": "Northtown MAPPA unit"}[form]}))
		h.wait(30 * time.Hour)
		if answer != "" {
			h.must2(h.desk.Answer(t.Context(), petra, casework.Answer{Ref: ref, Kind: answer}))
		}
		return ref
	}
	for _, month := range [][][3]string{
		{{"cp1", "04-many-children", "assessment"}, {"check", "05-welsh-polish-names", "no_concerns"}},
		{{"check", "06-care-leaver", "no_concerns"}, {"cp1", "07-level-3", ""}, {"check", "04-many-children", "no_concerns"}, {"pp1", "05-welsh-polish-names", ""}},
		{{"cp1", "01-simple", "assessment"}, {"check", "08-conference-confidential", ""}},
	} {
		for _, x := range month {
			sent(x[0], x[1], x[2])
		}
		h.wait(20 * 24 * time.Hour)
	}
	ref := h.recordForm("petra", "check", "01-simple")
	h.must2(h.desk.HandOver(t.Context(), petra, casework.HandOver{Ref: ref, Channel: casework.ByHand, To: "Northtown Council"}))
	h.wait(time.Hour)
	h.message(ref)
	level := h.recordForm("petra", "pp1", "07-level-3")
	draft := h.draft("petra", "cp1", sampleCases(t)["04-many-children"])
	begun := h.draft("petra", "cp1", []byte(`{"person":{"given_names":"Chris","family_name":"Sampleson","dob":"1985-02-03","crn":"X000001"},"forms":{"cp1":{"why_now":"He moves in with his partner on Friday"}}}`))

	as := func(login string) *chromium.Page {
		p := b.Page(t, base, chromium.Way{})
		p.Cookie(h.signedIn(login).cookies[h.cookieName()])
		return p
	}
	p, mary := as("petra"), as("mary")
	take := func(p *chromium.Page, name string, high int64) {
		t.Helper()
		p.Picture(filepath.Join(dir, name+".png"), 1000, high)
		for _, f := range p.Faults() {
			t.Errorf("%s: %s", name, f)
		}
	}
	p.Go("/")
	take(p, "home", 1200)
	p.Go("/drafts/" + string(begun.ID))
	take(p, "parts", 900)
	p.Go("/drafts/" + string(begun.ID) + "/part/person")
	p.Fill("Date of birth > Month", "13")
	p.Follow("Save and continue")
	take(p, "mistake", 1150)
	p.Go("/drafts/" + string(draft.ID) + "/answers")
	p.Screen(1000, 1200, 1)
	p.Printed("The form as it will be printed, marked as a draft")
	p.Do("scrollTo(0, 0)")
	take(p, "answers", 1200)
	mary.Go(fmt.Sprintf("/documents/%s", level))
	take(mary, "document", 1200)
	mary.Go("/figures?since=2026-11-01&until=2027-03-31")
	take(mary, "figures", 1400)
}
