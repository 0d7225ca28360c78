package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/net/html"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/templates"
)

// sheet is a page as a browser has it: the fields of the form that is sent to a path of ours, and the links.
type sheet struct {
	reply
	action string
	fields url.Values
	inputs []*html.Node // in the order of the page
	hrefs  []string
	text   string
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func val(n *html.Node, name string) string { v, _ := attr(n, name); return v }

func words(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(words(c))
	}
	return b.String()
}

func (r reply) sheet(t testing.TB) *sheet {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	s := &sheet{reply: r, fields: url.Values{}}
	var walk func(n *html.Node, in, main bool)
	walk = func(n *html.Node, in, main bool) {
		if n.Type == html.ElementNode {
			main = main || n.Data == "main"
			name := val(n, "name")
			switch n.Data {
			case "form":
				in = main
				if in {
					s.action = val(n, "action")
				}
			case "button": // those of a list save the page and open an entry
				if rest, ok := strings.CutPrefix(val(n, "value"), "go:"); ok && in {
					s.hrefs = append(s.hrefs, s.action+"/"+rest)
				}
			case "a":
				if main {
					s.hrefs = append(s.hrefs, val(n, "href"))
				}
			case "input", "textarea", "select":
				if !in || name == "" {
					break
				}
				s.inputs = append(s.inputs, n)
				_, checked := attr(n, "checked")
				switch kind := val(n, "type"); {
				case n.Data == "textarea":
					s.fields.Add(name, strings.ReplaceAll(strings.TrimPrefix(words(n), "\n"), "\n", "\r\n"))
				case n.Data == "select":
					chosen := ""
					for _, o := range options(n) {
						if _, ok := attr(o, "selected"); ok {
							chosen = val(o, "value")
						}
					}
					s.fields.Add(name, chosen)
				case (kind == "radio" || kind == "checkbox") && !checked:
				default:
					s.fields.Add(name, val(n, "value"))
				}
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, in, main)
		}
		if n.Type == html.ElementNode && n.Data == "main" {
			s.text = words(n)
		}
	}
	walk(doc, false, false)
	return s
}

func options(n *html.Node) (out []*html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Data == "option" {
			out = append(out, c)
		}
	}
	return out
}

// send sends a form as it stands, with some fields changed. A value of "" is sent as an empty field.
func (v *visitor) send(s *sheet, pairs ...string) reply {
	v.h.t.Helper()
	form := url.Values{}
	for k, vs := range s.fields {
		form[k] = slices.Clone(vs)
	}
	set := map[string]bool{}
	for i := 0; i < len(pairs); i += 2 {
		if !set[pairs[i]] {
			form.Del(pairs[i])
			set[pairs[i]] = true
		}
		form.Add(pairs[i], pairs[i+1])
	}
	if s.action == "" {
		v.h.t.Fatalf("this page has no form: %.1500s", s.body)
	}
	return v.do("POST", s.action, form)
}

// open reads a page as a browser does.
func (v *visitor) open(path string) *sheet {
	v.h.t.Helper()
	path, _, _ = strings.Cut(path, "#")
	r := v.get(path)
	if r.StatusCode != 200 {
		v.h.t.Fatalf("GET %s: %d %.1500s", path, r.StatusCode, r.body)
	}
	return r.sheet(v.h.t)
}

// follow goes where a page sends the browser.
func (v *visitor) follow(r reply) *sheet {
	v.h.t.Helper()
	if r.StatusCode != 303 {
		v.h.t.Fatalf("got %d, not sent on: %s", r.StatusCode, problemsOf(r))
	}
	return v.open(r.Header.Get("Location"))
}

// problemsOf is a page in words, for the message of a test.
func problemsOf(r reply) string {
	doc, err := html.Parse(strings.NewReader(r.body))
	if err != nil {
		return r.body
	}
	return strings.Join(strings.Fields(words(doc)), " ")
}

// formHouse is a house in which only people are, so that samples are nobody's yet.
func formHouse(t testing.TB, change ...func(*Options)) *house {
	t.Helper()
	h := newEmptyHouse(t, change...)
	boss, err := h.desk.Actor(t.Context(), "boss", "Betty Boss")
	h.must(err)
	for _, p := range people {
		roles, err := caseforms.ParseRoles(p.roles)
		h.must(err)
		_, err = h.desk.AddUser(t.Context(), boss, p.login, p.name, p.team, roles)
		h.must(err)
	}
	return h
}

func (h *house) draft(login, form string, content []byte) *casework.Draft {
	h.t.Helper()
	d, err := h.desk.SaveDraft(h.t.Context(), h.as(login), casework.SaveDraft{Form: form, Content: content})
	h.must(err)
	return d
}

func (h *house) content(id caseforms.DraftID) (content map[string]any, version int) {
	h.t.Helper()
	d, err := h.desk.Draft(h.t.Context(), h.as("petra"), id)
	h.must(err)
	h.must(json.Unmarshal(d.Content, &content))
	return content, d.Version
}

func sampleCases(t testing.TB) map[string][]byte {
	t.Helper()
	files, _ := filepath.Glob("../../samples/cases/*.json")
	out := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(f), ".json")] = b
	}
	return out
}

var partHref = regexp.MustCompile(`^/drafts/[^/]+/part/`)

// pagesOf are all pages of a draft on which something is typed.
func (v *visitor) pagesOf(id caseforms.DraftID) (out []string) {
	v.h.t.Helper()
	for _, href := range v.open("/drafts/" + string(id)).hrefs {
		if !partHref.MatchString(href) {
			continue
		}
		out = append(out, href)
		for _, item := range v.open(href).hrefs {
			item, _, _ = strings.Cut(item, "#")
			if strings.HasPrefix(item, href+"/") && !strings.HasSuffix(item, "/remove") && !strings.HasSuffix(item, "/new") && !slices.Contains(out, item) {
				out = append(out, item)
			}
		}
	}
	return out
}

// Every page of every form with a full sample, and of the longest with every sample: saved as it is shown, the record is what it was.
func TestFormsSavedUnchanged(t *testing.T) {
	t.Parallel()
	defs, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for name, sample := range sampleCases(t) {
		for _, f := range defs.Forms {
			if name != "02-full" && f.ID != "cp1" && !(f.ID == "pp2" && name == "07-level-3") && !(f.ID == "conference" && name == "08-conference-confidential") {
				continue
			}
			t.Run(f.ID+" "+name, func(t *testing.T) {
				t.Parallel()
				h := formHouse(t)
				v := h.signedIn("petra")
				ed, err := defs.Edit(sample)
				h.must(err)
				tidied, err := ed.JSON()
				h.must(err)
				d := h.draft("petra", f.ID, tidied)
				for _, p := range v.pagesOf(d.ID) {
					if r := v.send(v.open(p)); r.StatusCode != 303 {
						t.Errorf("%s: %d %s", p, r.StatusCode, problemsOf(r))
					}
				}
				now, version := h.content(d.ID)
				if version != d.Version {
					t.Errorf("version %d, was %d", version, d.Version)
				}
				if diff, err := caseforms.ChangedFacts(sample, mustJSON(now)); err != nil || len(diff) > 0 {
					t.Errorf("%v %v", diff, err)
				}
			})
		}
	}
}

func mustJSON(v any) []byte { b, _ := json.Marshal(v); return b }

// madeUp makes up an answer for a field.
func madeUp(n *html.Node, try int) string {
	name, id := val(n, "name"), val(n, "id")
	switch {
	case strings.HasSuffix(name, "-day"):
		return "3"
	case strings.HasSuffix(name, "-month"):
		return "5"
	case strings.HasSuffix(name, "-year"):
		return "2026"
	case strings.HasSuffix(name, "-time"), strings.HasSuffix(id, "_time"), strings.HasSuffix(id, ".time"):
		return "14:30"
	case strings.HasSuffix(name, "-words"), strings.HasSuffix(name, "-why"), strings.HasSuffix(name, "-state"):
		return ""
	case val(n, "inputmode") == "email":
		return "team@example.gov.uk"
	case val(n, "inputmode") == "tel":
		return "020 7946 0958"
	case val(n, "inputmode") == "numeric":
		return "4"
	case strings.HasSuffix(id, "crn"):
		return "X123456"
	case strings.HasSuffix(id, "prison_number"):
		return "A1234BC"
	case strings.HasSuffix(id, "postcode"):
		return "SW1A 2AA"
	case strings.HasSuffix(id, "nhs_number"), strings.HasSuffix(id, "pnc"), strings.HasSuffix(id, "cro"):
		return ""
	}
	return "Made up for " + strings.TrimSuffix(id, ".") + strings.Repeat(".", try)
}

// answered is what is sent to answer a field, or with "" every field of the page.
func answered(s *sheet, field string, try int) (pairs []string) {
	radios := map[string][]string{}
	for _, n := range s.inputs {
		name, kind := val(n, "name"), val(n, "type")
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "-day"), "-month"), "-year"), "-time")
		if field != "" && base != field && !strings.HasPrefix(base, field+".") || kind == "hidden" || strings.HasSuffix(name, "-state") || strings.HasSuffix(name, "-why") {
			continue
		}
		switch {
		case kind == "radio" || kind == "checkbox":
			if v := val(n, "value"); v != "" {
				radios[name] = append(radios[name], v)
			}
		case n.Data == "select":
			if o := options(n); len(o) > 1 {
				pairs = append(pairs, name, val(o[1+try%(len(o)-1)], "value"))
			}
		default:
			if v := madeUp(n, try); v != "" && s.fields.Get(name) == "" {
				pairs = append(pairs, name, v)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(radios)) {
		if s.fields.Get(name) == "" || field != "" {
			pairs = append(pairs, name, radios[name][try%len(radios[name])])
		}
	}
	return pairs
}

// Every form can be filled from nothing, following only what its pages say is missing, and is issued.
func TestFormsFromScratch(t *testing.T) {
	t.Parallel()
	defs, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range defs.Forms {
		t.Run(f.ID, func(t *testing.T) {
			t.Parallel()
			h := formHouse(t)
			v := h.signedIn("petra")
			r := v.send(v.open("/forms"), "form", f.ID, "area", "general").expect(t, 303)
			draft := r.Header.Get("Location")
			v.open(draft)
			tried := map[string]int{}
			for round := 0; round < 200; round++ {
				s := v.open(draft + "/issue")
				var wrong []string
				for _, href := range s.hrefs {
					if partHref.MatchString(href) {
						wrong = append(wrong, href)
					}
				}
				if !strings.Contains(s.text, "cannot be issued yet") {
					out := v.send(s, reasonsFor(s)...).expect(t, 303, "/documents/CF-")
					v.follow(out).reply.expect(t, 200, "Document issued", "The document was issued as")
					v.get(draft).expect(t, 404)
					return
				}
				if len(wrong) == 0 {
					t.Fatalf("no link leads to what is wrong: %s", s.text)
				}
				path, field, _ := strings.Cut(wrong[0], "#")
				path, _, _ = strings.Cut(path, "?") // it would lead back here; see TestFormsBack
				try := tried[wrong[0]]
				tried[wrong[0]]++
				if try > 12 {
					t.Fatalf("%s cannot be put right: %s", wrong[0], strings.Join(strings.Fields(s.text), " "))
				}
				page := v.open(path)
				if i := slices.Index(page.hrefs, path+"/"+field+"/new"); i >= 0 {
					item := v.open(page.hrefs[i])
					v.follow(v.send(item, answered(item, "", try)...))
					continue
				}
				v.follow(v.send(page, append(answered(page, field, try), "then", "list")...))
			}
			t.Fatal("it does not come to an end")
		})
	}
}

const simple = `{"person":{"given_names":"Sam","family_name":"Sampleson","dob":"1988-03-27","crn":"X234567"},"children":[{"name":"Ann","dob":"2019-05-03"},{"name":"Ben"}]}`

func part(d *casework.Draft, rest string) string { return "/drafts/" + string(d.ID) + "/part/" + rest }

// What was typed wrongly is shown again as it was typed, with the way to its field.
func TestFormsTypedWrongly(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	v := h.signedIn("petra")
	d := h.draft("petra", "cp1", []byte(simple))
	s := v.open(part(d, "referral"))
	id := "forms.cp1.refer_date"
	for _, c := range []struct {
		day, month, year, want string
	}{
		{"31", "2", "2026", "Date: must be a real date"}, {"", "2", "2026", "must include a day"}, {"3", "", "", "must include a month and a year"},
		{"3", "13", "2026", "the month must be"}, {"3", "5", "26", "four digits"}, {"<script>", "5", "2026", "must be a real date"},
	} {
		r := v.send(s, id+"-day", c.day, id+"-month", c.month, id+"-year", c.year, "forms.cp1.why_now", `"><script>typed`).expect(t, 422, c.want, `href="#`+id+`"`, "Error: ")
		again := r.sheet(t)
		if got := again.fields.Get(id + "-day"); got != c.day || again.fields.Get("forms.cp1.why_now") != `"><script>typed` {
			t.Errorf("%q is shown again as %q", c.day, got)
		}
		if strings.Contains(r.body, `"><script>`) {
			t.Error("it is not escaped")
		}
	}
	for _, c := range []struct {
		pairs []string
		want  string
	}{
		{[]string{"forms.cp1.refer_time", "half past"}, "Time"},
		{[]string{"forms.cp1.refer_time", "14:30", "forms.cp1.refer_time-state", "not_known"}, "but not both"},
		{[]string{"forms.cp1.refer_time-why", "the clock stood"}, "a reason alone"},
		{[]string{"forms.cp1.refer_time-state", "none_known"}, "that are offered"},
		{[]string{"forms.cp1.urgency", "made_up"}, "none of the answers"},
		{[]string{"forms.cp1.why_now", "a\u202eb"}, "turns the direction"},
		{[]string{"person.given_names", "a\x01b"}, "control character"},
	} {
		again := v.send(s, c.pairs...).expect(t, 422, c.want, `class="govuk-error-summary"`).sheet(t)
		for i := 0; i < len(c.pairs); i += 2 {
			if got := again.fields.Get(c.pairs[i]); got != c.pairs[i+1] && c.pairs[i+1] != "none_known" && c.pairs[i+1] != "made_up" && !strings.Contains(c.pairs[i+1], "\x01") {
				t.Errorf("%q is shown again as %q", c.pairs[i+1], got)
			}
		}
	}
	if _, version := h.content(d.ID); version != d.Version {
		t.Error("something was saved")
	}
	v.send(s, "base", "x").expect(t, 422)
	v.follow(v.send(s, id+"-day", "3", id+"-month", "May", id+"-year", "2026", "forms.cp1.refer_time-state", "withheld", "forms.cp1.refer_time-why", "asked to"))
	own := func() map[string]any {
		c, _ := h.content(d.ID)
		return c["forms"].(map[string]any)["cp1"].(map[string]any)
	}
	if got := own(); got["refer_date"] != "2026-05-03" || !reflect.DeepEqual(got["refer_time"], map[string]any{"state": "withheld", "why": "asked to"}) {
		t.Error(got)
	}
	// An answer over a reason takes its place, and a reason over an answer.
	v.follow(v.send(v.open(part(d, "referral")), "forms.cp1.refer_time", "9:05", id+"-state", "not_known"))
	if got := own(); got["refer_time"] != "9:05" || !reflect.DeepEqual(got["refer_date"], map[string]any{"state": "not_known"}) {
		t.Error(got)
	}
	v.follow(v.send(v.open(part(d, "referral")), "forms.cp1.refer_time", ""))
	if got := own(); got["refer_time"] != nil {
		t.Error(got)
	}
}

// Entries of a list are added, changed and removed, each on a page of its own.
func TestFormsLists(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	v := h.signedIn("petra")
	d := h.draft("petra", "cp1", []byte(simple))
	var list string
	for _, href := range v.open("/drafts/" + string(d.ID)).hrefs {
		if partHref.MatchString(href) && list == "" && slices.Contains(v.open(href).hrefs, href+"/children/new") {
			list = href
		}
	}
	names := func() (out []string) {
		c, _ := h.content(d.ID)
		l, _ := c["children"].([]any)
		for _, x := range l {
			out = append(out, fmt.Sprint(x.(map[string]any)["name"]))
		}
		return out
	}
	v.open(list).reply.expect(t, 200, "Ann", "Ben", "Add another")
	// What was typed on the page itself is saved before an entry is opened.
	v.send(v.open(list), "then", "go:children/new").expect(t, 303, list+"/children/new")
	v.send(v.open(list), "then", "go:children/0/remove").expect(t, 303, list+"/children/0/remove")
	v.send(v.open(part(d, "referral")), "forms.cp1.why_now", "Typed", "then", "go:childrens_services/new").expect(t, 303, "/part/referral/childrens_services/new")
	if s := v.open(part(d, "referral")); s.fields.Get("forms.cp1.why_now") != "Typed" {
		t.Error("what was typed on the page is lost")
	}
	v.send(v.open(list), "then", "go://elsewhere.example").expect(t, 303, "/drafts/"+string(d.ID))
	r := v.send(v.open(list+"/children/new"), "name", "Cai", "dob-year", "2020", "address.lines", "1 High Street\r\nTown", "address.postcode", "SW1A 2AA").expect(t, 303, list+"#children")
	v.follow(r).reply.expect(t, 200, "Cai")
	v.send(v.open(list+"/children/new")).expect(t, 303) // nothing was typed: no entry
	v.follow(v.send(v.open(list+"/children/0"), "name", "Anna", "dob-words", "age 7", "dob-day", "", "dob-month", "", "dob-year", ""))
	if got := names(); !slices.Equal(got, []string{"Anna", "Ben", "Cai"}) {
		t.Fatal(got)
	}
	c, _ := h.content(d.ID)
	kids := c["children"].([]any)
	if kids[0].(map[string]any)["dob"] != "age 7" || kids[2].(map[string]any)["dob"] != "2020" {
		t.Error(kids)
	}
	if a := kids[2].(map[string]any)["address"].(map[string]any); !reflect.DeepEqual(a["lines"], []any{"1 High Street", "Town"}) {
		t.Error(a)
	}
	s := v.open(list + "/children/1/remove")
	s.reply.expect(t, 200, "Ben", "Keep it")
	v.follow(v.send(s)).reply.expect(t, 200, "was removed")
	if got := names(); !slices.Equal(got, []string{"Anna", "Cai"}) {
		t.Error(got)
	}
	v.send(s).expect(t, 409) // an old page removes nothing
	v.get(list+"/children/2").expect(t, 404)
	v.get(list+"/nothing/0").expect(t, 404)
	v.get(list+"/person/0").expect(t, 404)
	v.get(part(d, "nothing")).expect(t, 404)
	for range 2 {
		v.follow(v.send(v.open(list + "/children/0/remove")))
	}
	none := v.open(list)
	none.reply.expect(t, 200, "None was added yet")
	v.follow(v.send(none, "children-state", "none_known", "children-why", "asked twice"))
	if c, _ := h.content(d.ID); !reflect.DeepEqual(c["children"], map[string]any{"state": "none_known", "why": "asked twice"}) {
		t.Error(c["children"])
	}
	v.follow(v.send(v.open(list+"/children/new"), "name", "Dot"))
	if got := names(); !slices.Equal(got, []string{"Dot"}) {
		t.Error(got)
	}
}

// A question with a condition is shown while it may arise, with the condition in words; not when the answers say that it does not; and it
// comes back when they say that it does.
func TestFormsConditions(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	v := h.signedIn("petra")
	d := h.draft("petra", "cp1", []byte(`{"childrens_services":[{"authority":"Anywhere"}]}`))
	page := part(d, "referral")
	has := func(s *sheet) bool { return s.fields.Has("was.forms.cp1.why_now") }
	if !has(v.open(page)) {
		t.Error("the question is asked when nothing is answered")
	}
	v.follow(v.send(v.open(page), "forms.cp1.urgency", "immediate_danger"))
	if s := v.open(page); has(s) || !strings.Contains(s.text, "1 question does not arise") {
		t.Error("the question does not arise, and is shown")
	}
	// It arises by what is answered on its own page: that page is shown again.
	r := v.send(v.open(page), "forms.cp1.urgency", "other_concern", "then", "next").expect(t, 303, page)
	s := v.follow(r)
	s.reply.expect(t, 200, "More questions arise")
	if !has(s) {
		t.Error("the question arises, and is not shown")
	}
	v.follow(v.send(s, "forms.cp1.why_now", "Because"))
	// One that is answered stays to be seen although it does not arise.
	v.follow(v.send(v.open(page), "forms.cp1.urgency", "immediate_danger"))
	if s := v.open(page); !has(s) || s.fields.Get("forms.cp1.why_now") != "Because" {
		t.Error("an answer is hidden")
	} else {
		s.reply.expect(t, 200, "Answer this only if", "Other concern about a child", "it is answered and is printed all the same")
	}
}

// Why there are no children is not asked of a form that has some.
func TestFormsWhyNone(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	v := h.signedIn("petra")
	for content, want := range map[string]bool{simple: false, `{}`: true, `{"children":{"state":"not_known","why":"x"}}`: true} {
		d := h.draft("petra", "cp1", []byte(content))
		if got := v.open(part(d, "children")).fields.Has("was.forms.cp1.no_child_identified_reason"); got != want {
			t.Errorf("%s: it is asked: %v", content, got)
		}
	}
}

// Two people at one draft: both versions are shown, and what was typed stays.
func TestFormsConflict(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	petra, mary := h.signedIn("petra"), h.signedIn("mary")
	d := h.draft("petra", "cp1", []byte(simple))
	page := part(d, "referral")
	mine, theirs := petra.open(page), mary.open(page)
	mary.follow(mary.send(theirs, "forms.cp1.why_now", "Mary writes", "forms.cp1.refer_time", "09:00"))
	r := petra.send(mine, "forms.cp1.why_now", "Petra writes").expect(t, 409, "Mary Manager saved this draft", "Mary writes", "Petra writes", "Save mine")
	s := r.sheet(t)
	if s.fields.Get("forms.cp1.why_now") != "Petra writes" || s.fields.Get("forms.cp1.refer_time") != "09:00" {
		t.Error(s.fields)
	}
	own := func() map[string]any {
		c, _ := h.content(d.ID)
		return c["forms"].(map[string]any)["cp1"].(map[string]any)
	}
	if own()["why_now"] != "Mary writes" {
		t.Error("it was overwritten")
	}
	// With a mistake in it as well.
	petra.send(mine, "forms.cp1.why_now", "Petra writes", "forms.cp1.refer_date-day", "99").expect(t, 409, "Mary Manager saved this draft", "must include")
	petra.follow(petra.send(s))
	if got := own(); got["why_now"] != "Petra writes" || got["refer_time"] != "09:00" {
		t.Error(got)
	}
	// Who changed nothing has nothing to decide.
	mary.send(theirs).expect(t, 303)

	// An entry that was taken out meanwhile: what was typed of it does not go to another.
	list := part(d, "")
	for _, href := range petra.open("/drafts/" + string(d.ID)).hrefs {
		if partHref.MatchString(href) && slices.Contains(petra.open(href).hrefs, href+"/children/new") {
			list = href
			break
		}
	}
	ben := petra.open(list + "/children/1")
	mary.follow(mary.send(mary.open(list + "/children/0/remove")))
	moved := petra.send(ben, "school", "Hill School").expect(t, 409, "are not the same any more").sheet(t)
	if moved.fields.Get("name") != "Ben" || moved.fields.Get("school") != "Hill School" || !strings.HasSuffix(moved.action, "/children/new") {
		t.Error(moved.action, moved.fields)
	}
	if c, _ := h.content(d.ID); len(c["children"].([]any)) != 1 {
		t.Error(c["children"])
	}
	// Issuing, removing and throwing away take the version that was seen.
	petra.post("/drafts/"+string(d.ID)+"/issue", "base", "1").expect(t, 409)
	petra.post("/drafts/"+string(d.ID)+"/drop", "base", "1").expect(t, 409)
	petra.post("/drafts/"+string(d.ID)+"/issue").expect(t, 422)
	petra.post("/drafts/"+string(d.ID)+"/drop").expect(t, 422)
}

// What was sent when the time was over is there after signing in again, also when somebody else saved the draft meanwhile.
func TestFormsLostSession(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	petra := h.signedIn("petra")
	d := h.draft("petra", "cp1", []byte(simple))
	for _, other := range []bool{false, true} {
		page := petra.open(part(d, "referral"))
		text := fmt.Sprintf("Typed for an hour\r\nand more %v", other)
		h.wait(casework.SessionIdle + time.Minute)
		if other {
			mary := h.signedIn("mary")
			mary.follow(mary.send(mary.open(part(d, "referral")), "forms.cp1.why_now", "Mary writes"))
		}
		petra.send(page, "forms.cp1.why_now", text).expect(t, 303, "/sign-in?", "why=kept", "next=%2Fcarry-on")
		petra = h.signedIn("petra")
		kept := petra.open("/carry-on")
		if !strings.HasPrefix(kept.action, "/carry-on?which=") || plain(kept.fields.Get("forms.cp1.why_now")) != plain(text) {
			t.Fatal(kept.action, kept.fields)
		}
		r := petra.send(kept).expect(t, 307)
		if r.location() != part(d, "referral") {
			t.Fatal(r.location())
		}
		kept.action = r.location()
		r = petra.send(kept)
		if other {
			s := r.expect(t, 409, "Mary writes", "Typed for an hour").sheet(t)
			r = petra.send(s)
		}
		petra.follow(r)
		c, _ := h.content(d.ID)
		if got := c["forms"].(map[string]any)["cp1"].(map[string]any)["why_now"]; got != plain(text) {
			t.Errorf("%q", got)
		}
	}
}

// The answers are checked in printed order, empty ones too, beside the print.
func TestFormsAnswersAndPreview(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	defs, err := templates.Load("")
	h.must(err)
	v := h.signedIn("petra")
	for _, f := range defs.Forms {
		d := h.draft("petra", f.ID, []byte(simple))
		path := "/drafts/" + string(d.ID)
		s := v.open(path + "/answers")
		at := 0
		for _, sec := range f.Sections {
			if sec.Layout == caseforms.LayoutReply {
				continue
			}
			i := strings.Index(s.body[at:], `id="section-`+sec.Key+`"`)
			if i < 0 {
				t.Errorf("%s: section %s is not where it is printed", f.ID, sec.Key)
				continue
			}
			at += i
			for _, q := range sec.Fields {
				label := html.EscapeString(strings.TrimRight(defs.Label(q), " :"))
				if i := strings.Index(html.UnescapeString(s.body[at:]), html.UnescapeString(label)); i < 0 {
					t.Errorf("%s: %s is missing", f.ID, label)
				}
			}
		}
		if !strings.Contains(s.text, notAnswered) || !strings.Contains(s.text, "Sam Sampleson") || !strings.Contains(s.text, "27 March 1988") || !strings.Contains(s.text, "X234567") {
			t.Errorf("%s: %.500s", f.ID, s.text)
		}
		for _, href := range s.hrefs {
			if partHref.MatchString(href) {
				page, id, _ := strings.Cut(href, "#")
				r := v.get(page)
				if r.StatusCode != 200 || id != "" && !strings.Contains(r.body, `id="`+id+`"`) && !strings.Contains(r.body, "not shown") {
					t.Errorf("%s leads nowhere", href)
				}
			}
		}
		if title := s.body[:strings.Index(s.body, "</title>")]; strings.Contains(title, "Sampleson") {
			t.Error("the title tells who it is about")
		}
		p := v.get(path+"/preview").expect(t, 200, "%PDF-")
		for name, want := range map[string]string{"Content-Type": "application/pdf", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "SAMEORIGIN"} {
			if p.Header.Get(name) != want {
				t.Errorf("%s: %s", name, p.Header.Get(name))
			}
		}
		if !strings.HasPrefix(p.Header.Get("Content-Disposition"), "inline;") || !strings.Contains(p.Header.Get("Content-Security-Policy"), "frame-ancestors 'self'") {
			t.Error(p.Header)
		}
	}
}

// reasonsFor are reasons for all warnings of a page.
func reasonsFor(s *sheet) (pairs []string) {
	for name := range s.fields {
		if name == "why" || strings.HasPrefix(name, "why.") {
			pairs = append(pairs, name, "Because")
		}
	}
	return pairs
}

// What is urgent is shown with all that is missing or odd, and is issued at once.
func TestFormsUrgent(t *testing.T) {
	t.Parallel()
	h := formHouse(t)
	v := h.signedIn("petra")
	d := h.draft("petra", "cp1", sampleCases(t)["03-urgent"])
	path := "/drafts/" + string(d.ID)
	s := v.open(path + "/issue")
	if !strings.Contains(s.text, "Look at these") || !strings.Contains(s.text, "nothing here holds it up") || strings.Count(s.body, "<textarea") != 1 {
		t.Fatal(s.text)
	}
	issued := v.send(s).expect(t, 303, "/documents/CF-")
	if did := h.did("petra", 1); !slices.Equal(did, []string{"document issued"}) {
		t.Error(did)
	}
	v.get(path).expect(t, 404)

	// Another form begins with the answers of the case; who may not see the case may not begin one.
	again := h.signedIn("mary")
	doc, _ := caseforms.ParseRef(strings.TrimPrefix(issued.Header.Get("Location"), "/documents/"))
	shown, err := h.desk.Show(t.Context(), h.as("mary"), doc)
	h.must(err)
	of := string(shown.Case)
	r := again.send(again.open("/forms?case="+of), "form", "check").expect(t, 303)
	s = again.follow(r)
	if !strings.Contains(s.text, shown.Card.Name) || !strings.Contains(s.text, of) {
		t.Errorf("%.600s", s.text)
	}
	again.send(again.open("/forms"), "form", "nothing").expect(t, 422, "Choose a form")
	again.send(again.open("/forms"), "form", "check", "area", "nowhere").expect(t, 422, "Choose one of the areas")
	again.send(again.open("/forms"), "form", "check", "case", string(doc)).expect(t, 303)
	again.send(again.open("/forms"), "form", "check", "case", "Sampleson").expect(t, 422, "Enter a case")
	again.send(again.open("/forms"), "form", "check", "area", "london").expect(t, 303)
	again.open("/drafts").reply.expect(t, 200, "DR-", "Mary Manager")
	drop := again.open(r.Header.Get("Location") + "/drop")
	again.follow(again.send(drop)).reply.expect(t, 200, "was thrown away")
}

// A form that an area adds in its folder is there with no code, in that area alone: every kind of question, a condition, a list.
func TestFormsAddedAsData(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"areas/valley/forms/visit/1.yaml": &fstest.MapFile{Data: []byte(visitForm)}}
	load := func(area string) (*caseforms.Definitions, error) {
		all := fstest.MapFS{}
		maps.Copy(all, files)
		err := copyFS(all, templates.FS())
		if err != nil {
			return nil, err
		}
		return templates.LoadFS(all, area)
	}
	h := formHouse(t)
	desk := casework.New(h.store, load)
	var err error
	h.Service, err = New(Options{Desk: desk, Load: load, Area: "valley", URL: "http://caseforms.example"})
	h.must(err)
	h.desk = desk
	v := h.signedIn("petra")
	v.open("/forms").reply.expect(t, 200, "Record of a home visit", "Valley")
	v.send(v.open("/forms"), "form", "visit", "area", "general").expect(t, 422, "Choose a form that this area has")
	draft := v.send(v.open("/forms"), "form", "visit", "area", "valley").expect(t, 303).Header.Get("Location")
	v.open(draft).reply.expect(t, 200, "What was seen", "3 answers are missing without which it cannot be issued", "Incomplete")
	s := v.open(draft + "/part/seen")
	own := "forms.visit."
	v.follow(v.send(s, own+"note", "All well", own+"story", "A long\r\n\r\nstory", own+"when-day", "3", own+"when-month", "5", own+"when-year", "2026",
		own+"since-year", "2019", own+"at", "14:30", own+"met-day", "4", own+"met-month", "5", own+"met-year", "2026", own+"met-time", "10:00",
		own+"mood", "calm", own+"rooms", "kitchen", own+"rooms", "hall", own+"dog", "yes", own+"safe", "not_known", own+"people", "3",
		own+"mail", "a@example.gov.uk", own+"ring", "020 7946 0958", own+"code", "SW1A 2AA", own+"place.lines", "1 High Street", own+"place.postcode", "SW1A 2AA",
		"person.given_names", "Sam", "person.family_name", "Sampleson")).reply.expect(t, 200)
	v.follow(v.send(v.open(draft+"/part/seen"), own+"breed", "Terrier"))
	v.follow(v.send(v.open(draft+"/part/seen/forms.visit.things/new"), "what", "A broken door", "risk", "no"))
	v.open(draft).reply.expect(t, 200, "Complete")
	v.open(draft+"/answers").reply.expect(t, 200, "A broken door", "Terrier", "Calm", "Kitchen", "3 May 2026", "2019", "Sam Sampleson")
	v.get(draft+"/preview").expect(t, 200, "%PDF-")
	id, _ := caseforms.ParseDraftID(strings.TrimPrefix(draft, "/drafts/"))
	c, _ := h.content(id)
	want := map[string]any{"note": "All well", "story": "A long\n\nstory", "when": "2026-05-03", "since": "2019", "at": "14:30", "met": "2026-05-04 10:00", "mood": "calm", "rooms": []any{"kitchen", "hall"},
		"dog": "yes", "breed": "Terrier", "safe": map[string]any{"state": "not_known"}, "people": "3", "mail": "a@example.gov.uk", "ring": "020 7946 0958", "code": "SW1A 2AA",
		"place": map[string]any{"lines": []any{"1 High Street"}, "postcode": "SW1A 2AA"}, "things": []any{map[string]any{"what": "A broken door", "risk": "no"}}}
	if got := c["forms"].(map[string]any)["visit"]; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	issue := v.open(draft + "/issue")
	v.send(issue, reasonsFor(issue)...).expect(t, 303, "/documents/CF-")
}
