// Package web is the pages and the HTTP API. It hides routing, sessions as browsers have them, what a browser must be told so that it
// protects people, and how pages are made. It has no rules of its own: everything that is done is an act of internal/casework, which
// the command line has too.
//
// A page is three things: a [Route] in the list of its part of the service (see registry), a method of [Service] that does it, and a file in
// templates/pages that defines "content". The method gets a [Request], calls acts of its Desk with its Actor, and ends with page, seeOther or an
// error; errors become statuses and pages in one place, failureOf. Templates get a view; parts.html has the components, parts.go what they
// are made with. A line in a table of the tests says what everybody gets.
//
// What must hold of every answer, also of one that no route gives (404, 405), wraps the router from outside: guard.go.
package web

import (
	"context"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gorilla/mux"

	"caseforms"
	"caseforms/internal/casework"
)

// ServiceName is what the pages call themselves.
const ServiceName = "Caseforms"

// Options say what is served, and how browsers reach it.
type Options struct {
	Desk *casework.Desk
	Load func(area string) (*caseforms.Definitions, error) // the definitions of an area
	Area string                                            // whose forms are offered; "" is none

	// Secure tells that browsers come by https only: by our own TLS, or by a proxy's.
	Secure bool
	// Proxy tells that every request comes from a proxy of ours, which says in X-Forwarded-For and X-Forwarded-Proto who asked and how.
	// Otherwise these headers are not looked at: anybody can write them.
	Proxy bool
	// URL is the address that people type, such as https://caseforms.example. Requests for another host are refused. Without it only names of
	// this machine are answered to, unless AnyHost is set.
	URL     string
	AnyHost bool

	OpenID *OpenID      // nil: people sign in with a password only
	Demo   []DemoPerson // whom everybody may sign in as, in a demonstration
	Log    *slog.Logger // nil: nothing is logged

	// APIRate is how many requests a second a key may make, after a burst of twice as many; 0 is 100.
	APIRate float64
}

// DemoPerson is somebody invented, in a demonstration.
type DemoPerson struct{ Login, Name, Role string }

// Service answers requests. It is made by [New].
type Service struct {
	o       Options
	desk    *casework.Desk
	log     *slog.Logger
	host    string // the only one answered to; "" is any, or those of this machine
	routes  []Route
	router  *mux.Router
	pages   map[string]*template.Template
	assets  *assets
	metrics *metrics
	notices notices
	uploads uploads
	staged  staged
	batches batches
	openID  *openID
	api     api
	readers *limiter // by session
	csrf    *http.CrossOriginProtection
	closing atomic.Bool
	defs    sync.Map // area: *caseforms.Definitions
	asked   sync.Map // *caseforms.Form: *caseforms.Asked
	prints  prints
	busy    chan struct{}

	betweenRows func(context.Context) // of tests: before a row of a batch is tried or recorded
}

// New makes a service.
func New(o Options) (*Service, error) {
	s := &Service{o: o, desk: o.Desk, log: o.Log, csrf: http.NewCrossOriginProtection(), busy: make(chan struct{}, mostAtOnce)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.host, err = hostOf(o.URL); err != nil {
		return nil, err
	}
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.pages, err = s.loadPages(); err != nil {
		return nil, err
	}
	if _, err := s.definitions(""); err != nil {
		return nil, err
	}
	s.metrics = newMetrics()
	s.api.start(s)
	s.readers = newLimiter(pageRate, pageBurst)
	if o.OpenID != nil {
		if s.openID, err = newOpenID(*o.OpenID, o.URL); err != nil {
			return nil, err
		}
	}
	s.routes = s.registry()
	if err := s.route(); err != nil {
		return nil, err
	}
	return s, nil
}

// hostOf is the host of the address that people type; "" of none.
func hostOf(address string) (string, error) {
	if address == "" {
		return "", nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", &caseforms.Error{Kind: caseforms.Invalid, Msg: "the address of the service is not one", Hint: "write it as https://caseforms.example, without a path"}
	}
	return u.Host, nil
}

// CheckAddress tells what is wrong with an address of the service, and with what is to vouch for people, nil being nobody.
func CheckAddress(address string, o *OpenID) error {
	_, err := hostOf(address)
	if err == nil && o != nil {
		_, err = newOpenID(*o, address)
	}
	return err
}

// registry is every route there is. The parts of the service each have a list.
func (s *Service) registry() []Route {
	var all []Route
	for _, part := range [][]Route{
		s.homeRoutes(),
		s.caseRoutes(),
		s.documentRoutes(),
		s.dueRoutes(),
		s.inboxRoutes(),
		s.directoryRoutes(),
		s.reportRoutes(),
		s.batchRoutes(),
		s.formRoutes(),
		s.peopleRoutes(),
		s.accountRoutes(),
		s.keyRoutes(),
		s.factorRoutes(),
		s.signInRoutes(),
		s.assetRoutes(),
		s.apiRoutes(),
	} {
		all = append(all, part...)
	}
	return all
}

// Handler answers every request.
func (s *Service) Handler() http.Handler { return s.guard(s.router) }

// definitions are those of an area, read once; "" is the configured one.
func (s *Service) definitions(area string) (*caseforms.Definitions, error) {
	if area == "" {
		area = s.o.Area
	}
	if d, ok := s.defs.Load(area); ok {
		return d.(*caseforms.Definitions), nil
	}
	d, err := s.o.Load(area)
	if err == nil {
		s.defs.Store(area, d)
	}
	return d, err
}

// Closing makes /readyz say that no new requests are wanted, so that a proxy sends them elsewhere while those under way end.
// Batches end after the row that is under way.
func (s *Service) Closing() {
	s.closing.Store(true)
	s.stopBatches()
}

// route puts the registry into a router.
func (s *Service) route() error {
	s.router = mux.NewRouter().SkipClean(true) // a path is what it is: cleaning it would redirect to what somebody put behind ..%2f
	seen := map[string]bool{}
	for i := range s.routes {
		rt := &s.routes[i]
		if key := rt.Method + " " + rt.Pattern; seen[key] || rt.Do == nil || !rt.Who.said() {
			return fmt.Errorf("route %s is there twice, does nothing, or does not say who may use it", key)
		} else {
			seen[key] = true
		}
		methods := []string{rt.Method}
		if rt.Method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
		s.router.Handle(rt.Pattern, s.handle(rt)).Methods(methods...)
	}
	s.router.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, s.request(r), noPage(r))
	})
	s.router.MethodNotAllowedHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", strings.Join(s.allowed(r), ", "))
		if r.Method == http.MethodOptions && ofAPI(r) { // what may be done; no other site is let in by it
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s.fail(w, s.request(r), &status{http.StatusMethodNotAllowed, "This cannot be done with this address", ""})
	})
	return nil
}

func noPage(r *http.Request) error {
	if ofAPI(r) {
		return &caseforms.Error{Kind: caseforms.NotFound, Msg: "the API has no such address", Hint: apiBase + "/openapi.json describes those it has"}
	}
	return &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no such page", Hint: "if you typed the address, look whether it is right"}
}

// allowed are the methods that an address takes.
func (s *Service) allowed(r *http.Request) (out []string) {
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		other := r.Clone(r.Context())
		other.Method = m
		var match mux.RouteMatch
		if s.router.Match(other, &match) && match.MatchErr == nil && match.Route != nil {
			out = append(out, m)
		}
	}
	return out
}
