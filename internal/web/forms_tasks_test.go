package web

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The list of parts tells of every answer for which the page to issue the form refuses it, at the part in which it is given; no such part is complete.
func TestTasksTellWhatKeepsItFromBeingIssued(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	petra := h.signedIn("petra")
	defs, err := h.desk.Definitions("")
	h.must(err)
	samples := sampleCases(t)
	samples["nothing"] = []byte("{}")
	part := regexp.MustCompile(`/part/([a-z0-9_]+)`)
	numbers := regexp.MustCompile(`(\d+) (things? to put right|answers? (?:is|are) missing without)`)
	blocked := 0
	for _, f := range defs.Forms {
		for _, name := range []string{"nothing", "01-simple", "03-urgent", "04-many-children"} {
			d := h.draft("petra", f.ID, samples[name])
			path := "/drafts/" + string(d.ID)
			issue, tasks := petra.get(path+"/issue").expect(t, 200), petra.get(path).expect(t, 200)
			refused, _, _ := strings.Cut(issue.body, "Also to look at")
			_, refused, stops := strings.Cut(refused, "This form cannot be issued yet")
			if !stops {
				refused = ""
			}
			head, _, _ := strings.Cut(tasks.body, "govuk-task-list")
			all := 0
			for _, m := range numbers.FindAllStringSubmatch(head, -1) {
				n, _ := strconv.Atoi(m[1])
				all += n
			}
			if want := strings.Count(refused, "<li>"); all != want {
				t.Errorf("%s of %s: the list of parts says that %d things keep it from being issued, and the page to issue it says %d", f.ID, name, all, want)
			}
			for _, m := range part.FindAllStringSubmatch(refused, -1) {
				blocked++
				item := tasks.row(`/part/` + m[1] + `"`)
				if !numbers.MatchString(item) || strings.Contains(item, ">"+statusComplete) || strings.Contains(item, statusNot) {
					t.Errorf("%s of %s: the part %s does not say that it keeps the form from being issued: %s", f.ID, name, m[1], item)
				}
			}
		}
	}
	if blocked < 50 {
		t.Errorf("only %d answers kept a form from being issued", blocked)
	}
}

// A part with something to look at is not complete.
func TestTasksWithSomethingToLookAt(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	var record map[string]any
	h.must(json.Unmarshal(sampleCases(t)["02-full"], &record))
	record["children"].([]any)[0].(map[string]any)["dob"] = "2030-01-01"
	content, err := json.Marshal(record)
	h.must(err)
	d := h.draft("petra", "cp1", content)
	page := h.signedIn("petra").get("/drafts/"+string(d.ID)).expect(t, 200)
	if item := page.row(`/part/children"`); !strings.Contains(item, "to look at") || strings.Contains(item, statusComplete) {
		t.Error("the children are complete, with one who is born in years:", item)
	}
	// What to do is said in the words of the form.
	h.signedIn("petra").get("/drafts/"+string(d.ID)+"/issue").expect(t, 200, "has a child whose date of birth lies in the future", "For an unborn child, answer “Unborn” and “Expected date of delivery”")
}
