package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"caseforms"
	"caseforms/internal/casework"
)

//go:embed templates
var templateFiles embed.FS

// Page is what a template is made into a page with. Title and addresses hold ids, never names.
type Page struct {
	Title    string // also the heading, unless the template makes its own
	Status   int    // 0 is 200
	Crumbs   []Link // the way here, from the start; the page itself is not among them
	Back     string // of the pages of a form, instead of Crumbs: the page before
	Problems []FieldProblem
	Data     any // the template's own

	// Whose is whom the page is about; it stands above everything else.
	Whose *identity

	// Form tells that something is typed here: the page is not left by itself when the time is nearly over.
	Form bool
	// Wide uses the whole width, for tables.
	Wide bool
	// OwnHeading tells that the template makes its heading.
	OwnHeading bool

	warns bool // it is the page that says that the time is nearly over
}

// Link is a link.
type Link struct{ Text, Href string }

// FieldProblem is one line of the error summary, and the message beside its field. Field is the id of the field.
type FieldProblem struct{ Field, Msg string }

// Notice is told on the next page that somebody sees, after something was done.
type Notice struct {
	Title string // "" is "Success" or "Important"
	Text  string
	Good  bool
}

// view is what templates get: the page, and what every page shows.
type view struct {
	Page
	Service string
	Demo    bool
	Actor   *caseforms.Actor
	Nav     []navItem
	Notices []Notice
	Until   string // when the session ends if nothing is done
	Leave   int    // seconds after which a page without a form goes to the warning; 0 never
	Whole   int    // the same, from when something was done
	Here    string // the path of this page
}

type navItem struct {
	Link
	Active bool
}

// Problem is the message of a field, "" when there is none.
func (v *view) Problem(field string) string {
	for _, p := range v.Problems {
		if p.Field == field {
			return p.Msg
		}
	}
	return ""
}

// loadPages reads every template once: a mistake in one is found at the start.
func (s *Service) loadPages() (map[string]*template.Template, error) {
	base, err := template.New("").Option("missingkey=error").Funcs(s.words()).ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(templateFiles, "templates/pages/*.html")
	if err != nil {
		return nil, err
	}
	out := map[string]*template.Template{}
	for _, name := range names {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, name)
		}
		if err != nil {
			return nil, err
		}
		out[strings.TrimSuffix(path.Base(name), ".html")] = t
	}
	return out, nil
}

// words are what templates can say.
func (s *Service) words() template.FuncMap {
	return template.FuncMap{
		"asset": func(name string) (string, error) { return s.assets.url(name) },
		"day": func(d caseforms.Date) string {
			if d == (caseforms.Date{}) {
				return ""
			}
			return d.Long()
		},
		"clock":    clock,
		"sentence": sentence,
		"plural": func(n int, one, many string) string {
			if n == 1 {
				return "1 " + one
			}
			return fmt.Sprintf("%d %s", n, many)
		},
		"join": strings.Join,
		// A whole address with its query: put into a part of one, a query would be escaped as a single value.
		"under": func(path, query string) string { return path + "?" + query },
		"list":  func(v ...any) []any { return v },
		"uploadOf": func(v []any) Input {
			return Input{ID: fmt.Sprint(v[0]), Label: fmt.Sprint(v[1]), Problem: fmt.Sprint(v[2])}
		},
		"renamed": func(i Input, rename bool, id string) Input {
			if rename {
				i.ID, i.Problem = id, ""
			}
			return i
		},
	}
}

// clock is a time as people here write it.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	l := caseforms.London(t)
	return l.Format("2 January 2006") + " at " + strings.ToLower(l.Format("3:04PM"))
}

// page answers with a page. It is made whole before anything is sent, so that one that fails is never seen in part.
func (s *Service) page(w http.ResponseWriter, r *Request, name string, p Page) error {
	t := s.pages[name]
	if t == nil {
		return fmt.Errorf("there is no page %s", name)
	}
	v := view{Page: p, Service: ServiceName, Demo: len(s.o.Demo) > 0, Here: r.URL.Path}
	if r.Signed != nil {
		v.Actor = &r.Actor
		v.Until = strings.ToLower(caseforms.London(r.Signed.Until).Format("3:04PM"))
		v.Notices = s.notices.take(r.Signed.ID)
		left := r.Signed.Until.Sub(s.desk.Now()) - warnBefore
		if p.warns {
			left += warnBefore + 2*time.Second // when it is over, and this page leads to the one to sign in
		}
		v.Leave = max(int(left.Seconds()), 1)
		v.Whole = int((casework.SessionIdle - warnBefore).Seconds())
		for _, rt := range s.routes {
			if rt.Nav != "" && r.Actor.Is(rt.Who.roles...) {
				v.Nav = append(v.Nav, navItem{Link{rt.Nav, rt.Pattern}, rt.Pattern == r.URL.Path || rt.Pattern != "/" && strings.HasPrefix(r.URL.Path, rt.Pattern+"/")})
			}
		}
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", &v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if p.Status != 0 {
		w.WriteHeader(p.Status)
	}
	_, _ = w.Write(b.Bytes()) // a browser that went away reads nothing
	return nil
}

// notices are what is to be told on the next page of a session. They are lost when the program ends, which loses nothing.
type notices struct {
	mu sync.Mutex
	of map[string][]Notice
}

const noticesMost = 10_000

// notify tells something on the next page that somebody sees.
func (s *Service) notify(r *Request, n Notice) {
	if r.Signed == nil {
		return
	}
	s.notices.mu.Lock()
	defer s.notices.mu.Unlock()
	if s.notices.of == nil || len(s.notices.of) > noticesMost {
		s.notices.of = map[string][]Notice{}
	}
	if all := s.notices.of[r.Signed.ID]; len(all) < 10 {
		s.notices.of[r.Signed.ID] = append(all, n)
	}
}

func (n *notices) take(session string) []Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := n.of[session]
	delete(n.of, session)
	return out
}
