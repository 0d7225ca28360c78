package web

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"caseforms/internal/casework"
	"caseforms/templates"
)

// Beside each part stands its page of the print, and it says as of when. Every part of every form has one, also the longest.
func TestFormsPreviewOfParts(t *testing.T) {
	t.Parallel()
	defs, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	h := formHouse(t)
	v := h.signedIn("petra")
	page := regexp.MustCompile(`/preview#page=([1-9][0-9]*)$`)
	for _, f := range defs.Forms {
		d := h.draft("petra", f.ID, sampleCases(t)["02-full"])
		path := "/drafts/" + string(d.ID)
		last := 0
		for _, href := range v.open(path).hrefs {
			topic, ok := strings.CutPrefix(href, path+"/part/")
			if !ok {
				continue
			}
			v.open(href).reply.expect(t, 200, `src="`+path+"/preview/"+topic+`"`, "As it was saved on")
			r := v.get(path+"/preview/"+topic).expect(t, 303, path+"/preview")
			if a := defs.Asked(f).Topic(topic); a.Section == nil || a.Title == "" || a.Section.Copies != nil {
				continue
			}
			m := page.FindStringSubmatch(r.Header.Get("Location"))
			if m == nil {
				t.Errorf("%s: the page of %s is not known", f.ID, topic)
				continue
			}
			n, _ := strconv.Atoi(m[1])
			if n < last {
				t.Errorf("%s: %s is on page %d, before the part before it", f.ID, topic, n)
			}
			last = n
		}
		if f.ID == "cp1" && last < 3 {
			t.Errorf("the last part of a CP1 is on page %d", last)
		}
		v.get(path+"/preview/nothing").expect(t, 404)
	}
}

// What was printed to find the page of a part is what the browser then gets, once, and only as long as the draft is what it was.
func TestFormsPreviewPrintedOnce(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	v := h.signedIn("petra")
	d := h.draft("petra", "cp1", sampleCases(t)["02-full"])
	path := "/drafts/" + string(d.ID)
	v.get(path+"/preview/children").expect(t, 303)
	if len(h.prints.all) != 1 {
		t.Fatalf("%d prints are kept", len(h.prints.all))
	}
	was := h.prints.all[0].pdf
	if h.signedIn("olga").get(path+"/preview").StatusCode == 200 || len(h.prints.all) != 1 {
		t.Error("somebody who may not got it")
	}
	if r := v.get(path+"/preview").expect(t, 200); r.body != string(was) || len(h.prints.all) != 0 {
		t.Error("it is printed twice")
	}
	v.get(path+"/preview/children").expect(t, 303)
	_, err := h.desk.SaveDraft(t.Context(), h.as("petra"), casework.SaveDraft{ID: d.ID, Base: d.Version, Content: sampleCases(t)["01-simple"]})
	h.must(err)
	if r := v.get(path+"/preview").expect(t, 200); r.body == string(was) {
		t.Error("it shows what the draft was")
	}
	for range printsMost + 2 {
		h.prints.put(&printed{})
	}
	if n := len(h.prints.all); n != printsMost {
		t.Errorf("%d prints are kept", n)
	}
}
