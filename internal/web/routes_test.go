package web

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"caseforms/internal/store"
)

// visitors are those as whom every route is asked for, in the order of the columns below.
var visitors = []string{"nobody", "practitioner", "manager", "admin", "auditor", "office"}

// logins are the people of a house who have exactly one role.
var logins = map[string]string{"practitioner": "petra", "manager": "mary", "admin": "adam", "auditor": "aud", "office": "olga"}

// walk is what one route answers to everybody, by status, in the order of visitors. Path fills the variables of the pattern; foreign tells the same
// of a case that is restricted to somebody else, or of a thing that is somebody else's.
type walk struct {
	path        string
	form        []string
	header      map[string]string // beside the cookie, such as If-Match
	want        [6]int
	foreign     string
	foreignForm []string
	wantFor     [6]int
}

const in = http.StatusSeeOther // to sign in, or on after something was done

// walks are the walks of every route. A part of the service adds its own with a function here.
func walks(h *house) map[string]walk {
	all := map[string]walk{}
	for _, part := range []map[string]walk{foundationWalks(h), workWalks(h), formWalks(h), keyWalks(h)} {
		maps.Copy(all, part)
	}
	return all
}

func foundationWalks(h *house) map[string]walk {
	token := strings.Repeat("A", 43)
	petra := h.as("petra").ID
	return map[string]walk{
		"GET /":                        {want: [6]int{in, 200, 200, 200, 200, 200}},
		"GET /cases":                   {want: [6]int{in, 200, 200, 200, 200, 403}, path: "/cases?q=" + string(h.of), foreign: "/cases?q=" + string(h.foreignCase), wantFor: [6]int{in, 200, 200, 200, 200, 403}},
		"POST /cases":                  {want: [6]int{in, 200, 200, 200, 200, 403}, form: []string{"q", "Sampleson"}, foreignForm: []string{"q", string(h.foreign)}, foreign: "/cases", wantFor: [6]int{in, 200, 200, 200, 200, 403}},
		"GET /documents/" + refPattern: {want: [6]int{in, 200, 200, 403, 200, 403}, path: "/documents/" + string(h.ref), foreign: "/documents/" + string(h.foreign), wantFor: [6]int{in, 403, 403, 403, 200, 403}},

		"GET /documents/" + refPattern + "/looks": {want: [6]int{in, 200, 200, 403, 200, 403}, path: "/documents/" + string(h.ref) + "/looks?page=2", foreign: "/documents/" + string(h.foreign) + "/looks", wantFor: [6]int{in, 403, 403, 403, 200, 403}},

		"GET /people":  {want: [6]int{in, 403, 403, 200, 403, 403}},
		"POST /people": {want: [6]int{in, 403, 403, 422, 403, 403}},
		"POST /people/{user:u-[0-9a-f]{10}}/link":     {want: [6]int{in, 403, 403, 200, 403, 403}, path: "/people/" + petra + "/link", foreign: "/people/u-0000000000/link", wantFor: [6]int{in, 403, 403, 404, 403, 403}},
		"POST /people/{user:u-[0-9a-f]{10}}/sign-out": {want: [6]int{in, 403, 403, in, 403, 403}, path: "/people/" + petra + "/sign-out", foreign: "/people/u-0000000000/sign-out", wantFor: [6]int{in, 403, 403, 404, 403, 403}},

		"GET /confirm":                             {want: [6]int{in, 200, 200, 200, 200, 200}},
		"POST /confirm":                            {want: [6]int{in, 409, 409, 409, 409, 409}},  // they sign in without a password here
		"GET /sign-in/second":                      {want: [6]int{404, 404, 404, 404, 404, 404}}, // nobody is between password and code
		"POST /sign-in/second":                     {want: [6]int{404, 404, 404, 404, 404, 404}, form: []string{"code", "123456"}},
		"GET /sign-in/second/code.svg":             {want: [6]int{404, 404, 404, 404, 404, 404}},
		"GET /account/second-factor":               {want: [6]int{in, 200, 200, 200, 200, 200}},
		"GET /account/second-factor/code.svg":      {want: [6]int{in, 404, 404, 404, 404, 404}},
		"POST /account/second-factor":              {want: [6]int{in, 409, 409, 409, 409, 409}},
		"POST /account/second-factor/begin":        {want: [6]int{in, 409, 409, 409, 409, 409}},
		"POST /account/second-factor/codes":        {want: [6]int{in, 409, 409, 409, 409, 409}},
		"POST /account/second-factor/remove":       {want: [6]int{in, 409, 409, 409, 409, 409}},
		"POST /people/{user:u-[0-9a-f]{10}}/reset": {want: [6]int{in, 403, 403, 409, 403, 403}, path: "/people/" + petra + "/reset", foreign: "/people/u-0000000000/reset", wantFor: [6]int{in, 403, 403, 404, 403, 403}},

		"GET /account":                                        {want: [6]int{in, 200, 200, 200, 200, 200}},
		"POST /account/password":                              {want: [6]int{in, 409, 409, 409, 409, 409}}, // they sign in without a password here
		"POST /account/sessions/end-others":                   {want: [6]int{in, in, in, in, in, in}},
		"POST /account/sessions/{session:s-[0-9a-f]{12}}/end": {want: [6]int{in, 404, 404, 404, 404, 404}, path: "/account/sessions/" + h.session("sue") + "/end"}, // somebody else's

		"GET /sign-in":                {want: [6]int{200, in, in, in, in, in}},
		"POST /sign-in":               {want: [6]int{422, 422, 422, 422, 422, 422}},
		"POST /sign-in/demo":          {want: [6]int{404, 404, 404, 404, 404, 404}, form: []string{"login", "boss"}},
		"GET /sign-in/openid":         {want: [6]int{503, 503, 503, 503, 503, 503}}, // its provider does not answer here
		"GET /sign-in/openid/back":    {want: [6]int{403, 403, 403, 403, 403, 403}},
		"POST /sign-out":              {want: [6]int{in, in, in, in, in, in}},
		"GET /first/" + tokenPattern:  {want: [6]int{404, 404, 404, 404, 404, 404}, path: "/first/" + token},
		"POST /first/" + tokenPattern: {want: [6]int{404, 404, 404, 404, 404, 404}, path: "/first/" + token},
		"GET /time-nearly-over":       {want: [6]int{in, 200, 200, 200, 200, 200}},
		"POST /stay":                  {want: [6]int{in, in, in, in, in, in}},
		"GET /carry-on":               {want: [6]int{in, in, in, in, in, in}},
		"POST /carry-on":              {want: [6]int{in, in, in, in, in, in}},
		"POST /carry-on/drop":         {want: [6]int{in, in, in, in, in, in}},
		"GET /assets/{hash:[0-9a-f]{16}}/{name:[A-Za-z0-9/._-]+}": {want: [6]int{200, 200, 200, 200, 200, 200}, path: "/assets/" + h.assets.hash + "/app.css", foreign: "/assets/" + h.assets.hash + "/vendor/fetch", wantFor: [6]int{404, 404, 404, 404, 404, 404}},
	}
}

// session is the id of a session that somebody has.
func (h *house) session(login string) string {
	h.t.Helper()
	h.signedIn(login)
	all, err := h.desk.Sessions(h.t.Context(), h.as(login))
	h.must(err)
	return all[0].ID
}

// everything is a service with every route that there can be.
func everything(o *Options) {
	o.Demo = []DemoPerson{{"petra", "Petra Practitioner", "practitioner"}}
	o.OpenID = &OpenID{Issuer: "http://127.0.0.1:1/nobody", Client: "caseforms"}
	posted(nil)(o)
}

// Every route is asked for as everybody, and each gets what stands in the table: a route without a line in it fails.
func TestEveryRoute(t *testing.T) {
	t.Parallel()
	var log keptLog
	h := newHouse(t, everything, log.keep)
	defer log.tellsNobody(t, h)
	table := walks(h)
	for _, rt := range h.routes {
		if rt.API { // see TestAPIEveryRoute
			continue
		}
		key := rt.Method + " " + rt.Pattern
		w, ok := table[key]
		if !ok {
			t.Errorf("%s has no line in the table that says what everybody gets", key)
			continue
		}
		delete(table, key)
		if strings.Contains(rt.Pattern, "{") && w.path == "" {
			t.Errorf("%s needs a path", key)
			continue
		}
		if v := regexp.MustCompile(`\{[a-z]+\}`).FindString(rt.Pattern); v != "" {
			t.Errorf("%s: the variable %s takes anything", key, v)
		}
		if w.path == "" {
			w.path = rt.Pattern
		}
		h.walk(t, rt, w.path, w.form, w.header, w.want)
		if w.foreign != "" {
			h.walk(t, rt, w.foreign, w.foreignForm, w.header, w.wantFor)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		t.Errorf("%s is in the table and is no route", key)
	}
}

func (h *house) walk(t *testing.T, rt Route, path string, form []string, header map[string]string, want [6]int) {
	t.Helper()
	for i, who := range visitors {
		v := h.visitor()
		if who != "nobody" {
			v = h.signedIn(logins[who])
		}
		for k, x := range header {
			v.header.Set(k, x)
		}
		var r reply
		if rt.Method == "GET" {
			r = v.get(path)
		} else {
			r = v.do(rt.Method, path, formOf(form))
		}
		if r.StatusCode != want[i] {
			t.Errorf("%s %s as %s: %d, want %d", rt.Method, path, who, r.StatusCode, want[i])
		}
		if who == "nobody" && want[i] == in && !strings.HasPrefix(r.Header.Get("Location"), "/sign-in?") {
			t.Errorf("%s %s as nobody leads to %s", rt.Method, path, r.Header.Get("Location"))
		}
		if ps := strings.Join(r.Header["Content-Security-Policy"], "; "); !strings.Contains(ps, "default-src 'none'") {
			t.Errorf("%s %s as %s: policy %q", rt.Method, path, who, ps)
		}
		if strings.Contains(r.body, h.foreignName) {
			t.Errorf("%s %s as %s tells whom a restricted case is about", rt.Method, path, who)
		}
		// What a route does not take is refused with the same protection.
		if i == 1 {
			for _, m := range []string{"PUT", "DELETE", "PATCH", "TRACE", "FROB"} {
				if r := v.do(m, path, nil); r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") == "" || r.Header.Get("Content-Security-Policy") == "" {
					t.Errorf("%s %s: %d, Allow %q", m, path, r.StatusCode, r.Header.Get("Allow"))
				}
			}
		}
	}
}

// No GET changes anything: all that it may leave is that somebody looked.
func TestGetChangesNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, everything)
	table := walks(h)
	h.signedIn("petra").get("/") // a day's first look at what is due may climb the ladder
	for _, rt := range h.routes {
		if rt.API { // see TestAPIGetChangesNothing
			continue
		}
		w := table[rt.Method+" "+rt.Pattern]
		if w.path == "" {
			w.path = rt.Pattern
		}
		if rt.Method != "GET" {
			if !rt.API && rt.Method != "POST" {
				t.Errorf("%s %s: browsers send GET and POST only", rt.Method, rt.Pattern)
			}
			continue
		}
		for _, who := range visitors[1:] {
			v := h.signedIn(logins[who])
			before := h.ledger()
			v.get(w.path)
			for _, r := range h.ledger()[len(before):] {
				if len(r.Acts) != 1 || r.Acts[0] != store.Consultation {
					t.Errorf("GET %s as %s did: %s", w.path, who, r.What)
				}
			}
		}
	}
}

// ledger is everything that was done so far.
func (h *house) ledger() (out []store.Record) {
	h.t.Helper()
	for n := int64(0); ; n++ {
		r, err := h.store.Prove(h.t.Context(), n)
		if err != nil {
			return out
		}
		out = append(out, r)
	}
}

// did are the last acts of somebody but for looking, the latest last.
func (h *house) did(login string, n int) (out []string) {
	h.t.Helper()
	id := h.as(login).ID
	for _, r := range h.ledger() {
		if r.Actor == id && !slices.Contains(r.Acts, store.Consultation) {
			out = append(out, r.What)
		}
	}
	return out[max(0, len(out)-n):]
}

func formOf(pairs []string) map[string][]string {
	form := map[string][]string{}
	for i := 0; i < len(pairs); i += 2 {
		form[pairs[i]] = append(form[pairs[i]], pairs[i+1])
	}
	return form
}
