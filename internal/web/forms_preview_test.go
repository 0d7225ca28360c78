package web

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

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
