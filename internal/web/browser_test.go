//go:build !race

package web

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"caseforms/internal/casework"
	"caseforms/internal/chromium"
)

// sight is something that somebody sees in a browser.
type sight struct {
	name, who string
	path      string
	form      []string // sent to the path
	sent      bool     // by POST
	then      string   // what is done on the page before it is looked at
	want      int
}

// noSights are the routes that answer GET with no page that the walk could show, and why.
var noSights = map[string]string{
	"GET /sign-in/openid":                           "leads to the provider; that it is away is among the failures",
	"GET /batch/run/fix.xlsx":                       "a file",
	"GET /batch/run/merged.pdf":                     "a file",
	"GET /batch/run/register.xlsx":                  "a file",
	"GET " + draftPath + "/preview/" + topicPattern: "leads to the print",
	"GET /sign-in/second":                           "see the codes of TestPagesInABrowser",
	"GET /sign-in/second/code.svg":                  "a picture of that page",
	"GET /account/second-factor/code.svg":           "a picture of that page",
}

// notAxe are rules of axe-core that a page does not have to keep, and why.
var notAxe = map[string]string{}

// sights are every page of the service with something on it, as everybody who may see it; what it looks like when something is wrong with what was
// sent; and the pages that tell of a failure. tell is told of routes for which there is none.
func sights(h *house, tell func(string)) (out []sight) {
	t := h.t
	table := walks(h)
	for _, rt := range h.routes {
		key := rt.Method + " " + rt.Pattern
		if rt.API || noSights[key] != "" {
			continue
		}
		w, seen := table[key], false
		if w.path == "" {
			w.path = rt.Pattern
		}
		for i, who := range visitors {
			s := sight{name: key, who: who, path: w.path, want: w.want[i]}
			switch {
			case rt.Method == "POST" && s.want == 422:
				if seen { // once
					continue
				}
				s.sent, s.form = true, w.form
			case rt.Method != "GET" || s.want != 200:
				continue
			default:
				v := h.visitor()
				if who != "nobody" {
					v = h.signedIn(logins[who])
				}
				if !strings.HasPrefix(v.get(w.path).Header.Get("Content-Type"), "text/html") {
					seen = true // a file
					continue
				}
			}
			seen = true
			out = append(out, s)
		}
		if !seen && rt.Method == "GET" {
			if s, ok := special(h, key); ok {
				out = append(out, s)
			} else {
				tell(key)
			}
		}
	}
	doc, other, draft := "/documents/"+string(h.ref), "/documents/"+string(h.foreign), h.draft("petra", "cp1", sampleCases(t)["03-urgent"])
	h.breaks("/breaks", nil)
	return append(out,
		sight{name: "no such page", who: "practitioner", path: "/nowhere", want: 404},
		sight{name: "no such page", who: "nobody", path: "/nowhere", want: 404},
		sight{name: "a restricted case", who: "practitioner", path: other, want: 403},
		sight{name: "not for this role", who: "auditor", path: "/people", want: 403},
		sight{name: "not by GET", who: "practitioner", path: "/stay", want: 405},
		sight{name: "our mistake", who: "practitioner", path: "/breaks", want: 500},
		sight{name: "the provider is away", who: "nobody", path: "/sign-in/openid", want: 503},
		sight{name: "time is nearly over", who: "practitioner", path: doc, want: 200, then: `document.getElementById("time-nearly-over").showModal()`},
		sight{name: "everything is unfolded", who: "practitioner", path: "/drafts/" + string(draft.ID) + "/part/children", want: 200, then: `document.querySelectorAll("details").forEach((d) => { d.open = true })`},
		sight{name: "found", who: "manager", path: "/cases", sent: true, form: []string{"q", "Sampleson"}, want: 200},
		sight{name: "nothing found", who: "manager", path: "/cases", sent: true, form: []string{"q", "Nobodyson"}, want: 200},
		sight{name: "something to look at before it is issued", who: "practitioner", path: "/drafts/" + string(draft.ID) + "/issue", want: 200},
		sight{name: "figures with a chart", who: "manager", path: "/figures?since=2026-01-01&until=2026-12-31", want: 200},
	)
}

// special are pages that nobody sees as long as nothing was prepared for them.
func special(h *house, key string) (s sight, ok bool) {
	t, doc := h.t, "/documents/"+string(h.ref)
	s = sight{name: key, who: "practitioner", want: 200}
	petra := h.signedIn("petra")
	switch key {
	case "GET /documents/" + refPattern + "/send/" + tokenPattern:
		s.path = petra.post(doc+"/send", "address", "desk@council.example", "confirm", "they told me", "without", "none").expect(t, 303).location()
	case "GET /first/" + tokenPattern:
		token, err := h.desk.FirstLink(t.Context(), false)
		h.must(err)
		s.who, s.path = "nobody", "/first/"+token
	case "GET /batch/run":
		petra.putIn("petra", sampleBook(t))
		s.path = "/batch/run"
	case "GET /batch/run/send":
		h.signedIn("mary").putIn("mary", sampleBook(t))
		s.who, s.path = "manager", "/batch/run/send"
	case "GET /documents/" + refPattern + "/countersign":
		s.who, s.path = "manager", "/documents/"+string(h.recordForm("petra", "pp1", "07-level-3"))+"/countersign"
	case "GET " + partPath + "/warnings":
		for _, p := range petra.pagesOf(h.draft("petra", "pp1", sampleCases(t)["01-simple"]).ID) {
			if petra.open(p).fields.Has("was.sentence.release_date") { // which is nearer than the notice that is wanted
				s.path = p + "/warnings"
			}
		}
	case "GET /carry-on":
		b, err := json.Marshal(keptForm{Path: "/cases", Form: map[string][]string{"q": {"Sampleson"}}})
		h.must(err)
		h.must(h.desk.KeepForm(t.Context(), h.as("petra").ID, b))
		s.path = "/carry-on"
	case "GET /sign-in/openid/back":
		s.who, s.path, s.want = "nobody", "/sign-in/openid/back", 403
	default:
		return s, false
	}
	return s, true
}

// opened is a house that browsers reach.
func opened(t *testing.T, h *house) string {
	h.host, h.o.AnyHost = "", true // it is on a port of this machine
	srv := httptest.NewServer(h.Handler())
	t.Cleanup(srv.Close)
	return srv.URL
}

// busy is a house in which there is something on every page.
func busy(t *testing.T) *house {
	h := newHouse(t, everything, func(o *Options) { o.Demo = nil })
	h.office("Northtown MASH", "mash@council.example")
	h.allow("council.example")
	petra := h.as("petra")
	for i, what := range [][2]string{{"cp1", "04-many-children"}, {"pp1", "07-level-3"}, {"check", "05-welsh-polish-names"}} {
		ref := h.recordForm("petra", what[0], what[1])
		h.must2(h.desk.HandOver(t.Context(), petra, casework.HandOver{Ref: ref, Channel: casework.ByHand, To: "the duty desk"}))
		if i == 0 {
			h.must2(h.desk.Answer(t.Context(), petra, casework.Answer{Ref: ref, Kind: "assessment"}))
		}
	}
	return h
}

// tabs are the pages of one who looks at everything, one for each role.
type tabs struct {
	t    *testing.T
	h    *house
	b    *chromium.Browser
	base string
	of   map[string]*chromium.Page
}

func (x *tabs) as(who string) *chromium.Page {
	if p := x.of[who]; p != nil {
		return p
	}
	p := x.b.Page(x.t, x.base, chromium.Way{})
	if login := logins[who]; login != "" {
		p.Cookie(x.h.signedIn(login).cookies[x.h.cookieName()])
	}
	x.of[who] = p
	return p
}

// look opens what is to be seen and says whatever is wrong with it: for axe-core, on a small screen, in the console, for the keyboard.
func (x *tabs) look(s sight) {
	x.t.Helper()
	p := x.as(s.who)
	if s.sent {
		p.Go("/sign-in")
		p.Send(s.path, s.form...)
	} else {
		p.Go(s.path)
	}
	if got := p.Status(); got != int64(s.want) {
		x.t.Errorf("%s as %s: %d, want %d: %.300s", s.name, s.who, got, s.want, p.Text())
	}
	if s.then != "" {
		p.Do(s.then)
	}
	x.judge(p, s.name+" as "+s.who)
}

// judge says whatever is wrong with a page, by axe-core with all of it or with what some selectors name.
func (x *tabs) judge(p *chromium.Page, name string, of ...string) {
	x.t.Helper()
	problems := append(p.Faults(), p.Axe(slices.Collect(maps.Keys(notAxe)), of...)...)
	problems = append(problems, p.Astray()...)
	p.Screen(320, 256, 4) // what a screen 1280 pixels wide shows at 400 %, and as wide as a small telephone
	problems = append(problems, p.Misfits()...)
	p.Screen(1264, 1024, 1)
	slices.Sort(problems)
	for _, s := range slices.Compact(problems) {
		x.t.Errorf("%s, %s: %s", name, p.Path(), s)
	}
}

// Every page there is is looked at in a browser, by everybody who may see it.
func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	b := chromium.Open(t)
	t.Run("pages", func(t *testing.T) {
		t.Parallel()
		h := busy(t)
		all := sights(h, func(key string) {
			t.Errorf("%s is looked at by nobody: put it into special, or into noSights with the reason", key)
		})
		x := &tabs{t, h, b, opened(t, h), map[string]*chromium.Page{}}
		began := time.Now()
		for _, sent := range []bool{false, true} { // what changes something is last
			for _, s := range all {
				if s.sent == sent {
					x.look(s)
				}
			}
		}
		t.Logf("%d pages, %s", len(all), time.Since(began).Round(time.Second))
	})
	t.Run("codes", func(t *testing.T) {
		t.Parallel()
		h := needing(t)
		h.password("petra")
		x := &tabs{t, h, b, opened(t, h), map[string]*chromium.Page{}}
		p := x.as("nobody")
		p.Go("/sign-in")
		p.Fill("Name for signing in", "petra")
		p.Fill("Password", goodPassword)
		p.Follow("Sign in")
		p.See("Set up an app")
		x.judge(p, "an app is set up")
		p.Fill("Code", h.app(strings.ReplaceAll(regexp.MustCompile(`Key: ([A-Z2-7 ]+)`).FindStringSubmatch(p.Text())[1], " ", ""), 0))
		p.Follow("Continue")
		p.See("Keep your recovery codes")
		x.judge(p, "recovery codes")
		p.Follow("I have kept them")
		p.Follow("Sign out")
		p.Fill("Name for signing in", "petra")
		p.Fill("Password", goodPassword)
		p.Follow("Sign in")
		x.judge(p, "a code is asked for")
	})
	t.Run("parts of forms", func(t *testing.T) {
		t.Parallel()
		h := formHouse(t, everything)
		x := &tabs{t, h, b, opened(t, h), map[string]*chromium.Page{}}
		x.look(sight{name: "a demonstration", who: "nobody", path: "/sign-in", want: 200})
		x.conflict("/drafts/" + string(h.draft("petra", "cp1", []byte(simple)).ID) + "/part/referral")
		all, began := h.parts(t), time.Now()
		for _, path := range all {
			x.part(path)
		}
		t.Logf("%d parts, %s", len(all), time.Since(began).Round(time.Second))
	})
}

// entry is the address of an entry of a list.
var entry = regexp.MustCompile(`/[0-9]+$`)

// parts are every part of every form, with the entries of its lists.
func (h *house) parts(t *testing.T) (out []string) {
	defs, err := h.desk.Definitions("")
	h.must(err)
	v, samples := h.signedIn("petra"), sampleCases(t)
	for _, f := range defs.Forms {
		sample := samples["02-full"]
		if f.ID == "pp2" {
			sample = samples["07-level-3"]
		}
		ed, err := defs.Edit(sample)
		h.must(err)
		content, err := ed.JSON()
		h.must(err)
		d := h.draft("petra", f.ID, content)
		for _, path := range v.pagesOf(d.ID) {
			if !entry.MatchString(path) || strings.HasSuffix(path, "/0") { // one entry of each list
				out = append(out, path)
			}
		}
	}
	return out
}

// part looks at a part of a form, and at what it says when what was typed is wrong.
func (x *tabs) part(path string) {
	x.t.Helper()
	x.look(sight{name: "a part", who: "practitioner", path: path, want: 200})
	p := x.as("practitioner")
	if !p.Spoil() {
		return
	}
	save := "Save and continue"
	if entry.MatchString(path) {
		save = "Save"
	}
	p.Follow(save)
	if p.Status() != 422 {
		x.t.Errorf("%s: what is no date is answered with %d", path, p.Status())
		return
	}
	p.Focuses("There is a problem")
	x.judge(p, "a part with something wrong", ".govuk-error-summary", ".govuk-form-group--error") // the rest was judged before
}

// conflict looks at what a part says that two have changed at the same time.
func (x *tabs) conflict(path string) {
	petra, mary := x.as("practitioner"), x.as("manager")
	for name, p := range map[string]*chromium.Page{"Petra": petra, "Mary": mary} {
		p.Go(path)
		p.Fill("Why now", name+" writes")
	}
	mary.Follow("Save and continue")
	petra.Follow("Save and continue")
	petra.See("Where the two differ")
	x.judge(petra, "a conflict")
}
