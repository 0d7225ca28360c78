package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/casework"
)

// mostAtOnce is how many requests are worked on at a time; more are asked to come again. One whose form is still on its way does not count, so
// that those who send slowly keep nobody out.
const mostAtOnce = 256

// turn waits for nothing: there is room for one more request, or there is not.
func (s *Service) turn() (done func(), err error) {
	select {
	case s.busy <- struct{}{}:
		return func() { <-s.busy }, nil
	default:
		return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "too much is asked of the service at this moment", Hint: "try again in a minute"}
	}
}

// state is what is known of a request while it is answered.
type state struct {
	number string // by which its lines in the log are found
	route  string // the pattern of the route that took it; "" is none
	actor  string // whom it was done as
	signed *casework.Signed
	ended  *casework.Ended
	token  string
}

type stateKey struct{}

func stateOf(r *http.Request) *state {
	if st, ok := r.Context().Value(stateKey{}).(*state); ok {
		return st
	}
	return &state{}
}

// answer remembers what was answered.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (a *answer) WriteHeader(code int) {
	if a.status == 0 {
		a.status = code
	}
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach what is below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// guard is what holds of every answer, whether a route gives it or not.
func (s *Service) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		var random [5]byte
		rand.Read(random[:])
		st := &state{number: hex.EncodeToString(random[:])}
		r = r.WithContext(context.WithValue(r.Context(), stateKey{}, st))
		a := &answer{ResponseWriter: w}
		s.headers(a.Header(), st)
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				s.metrics.panics.Inc()
				s.log.Error("panic", "request", st.number, "route", st.route, "what", panicked(v), "stack", string(debug.Stack()))
				if a.status == 0 {
					s.fail(a, s.request(r), &caseforms.Error{Kind: caseforms.Internal, Msg: "we made a mistake"})
				} else { // the rest of the answer must not look whole
					s.done(r, a, st, began)
					panic(http.ErrAbortHandler)
				}
			}
			s.done(r, a, st, began)
		}()
		s.let(a, r, st, next)
	})
}

// panicked tells what went wrong without telling what was being worked on.
func panicked(v any) string {
	if e, ok := v.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", v)
}

// let lets a request through to the routes, or refuses it.
func (s *Service) let(a *answer, r *http.Request, st *state, next http.Handler) {
	if s.probe(a, r) {
		return
	}
	if !s.ourHost(r) {
		s.fail(a, s.request(r), &status{http.StatusMisdirectedRequest, "This is not the address of the service", "Use the address that you were given."})
		return
	}
	if s.o.Proxy && s.o.Secure && r.Header.Get("X-Forwarded-Proto") != "https" {
		s.fail(a, s.request(r), &status{http.StatusForbidden, "The connection is not encrypted", "Use the address that begins with https."})
		return
	}
	if err := s.csrf.Check(r); err != nil {
		s.fail(a, s.request(r), &status{http.StatusForbidden, "This was asked for by another site", "Nothing was done. Open the page here and do it again."})
		return
	}
	if c, err := r.Cookie(s.cookieName()); err == nil && !ofAPI(r) {
		st.token = c.Value
		var err error
		if st.signed, st.ended, err = s.desk.Session(r.Context(), c.Value); err != nil {
			s.fail(a, s.request(r), err)
			return
		}
	}
	next.ServeHTTP(a, r)
}

// ourHost tells whether a request is for an address of ours. A page of somebody else whose name leads to this machine is not served.
func (s *Service) ourHost(r *http.Request) bool {
	if s.host != "" && strings.EqualFold(r.Host, s.host) || s.o.AnyHost {
		return true
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.Trim(r.Host, "[]")
	}
	ip, err := netip.ParseAddr(host)
	local := strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
	return local && (s.host == "" || !s.o.Secure)
}

// Scripts and styles come from here only, and none stands in a page; nothing is fetched from elsewhere; nobody puts our pages into theirs.
const policy = "default-src 'none'; object-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// headers are those of every answer.
func (s *Service) headers(h http.Header, st *state) {
	for k, v := range map[string]string{
		"Content-Security-Policy":      policy,
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "same-origin", // not no-referrer: forms would then be sent with the origin null
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()",
		"Cache-Control":                "no-store",
		"X-Request-Id":                 st.number,
	} {
		h.Set(k, v)
	}
	if s.o.Secure {
		h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
}

// Framed lets a page of ours show this answer in a frame, such as a PDF beside the form.
func Framed(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; object-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self'; frame-ancestors 'self'; base-uri 'none'")
	w.Header().Set("X-Frame-Options", "SAMEORIGIN")
}

// done writes the line of the log and counts.
func (s *Service) done(r *http.Request, a *answer, st *state, began time.Time) {
	took := time.Since(began)
	code := a.status
	if code == 0 {
		code = http.StatusOK
	}
	route := st.route
	if route == "" {
		route = "none"
	}
	s.metrics.answered(route, method(r.Method), code, took)
	level := slog.LevelInfo
	if code >= 500 {
		level = slog.LevelError
	}
	s.log.Log(r.Context(), level, "answered", "request", st.number, "method", method(r.Method), "route", route, "status", code, "ms", took.Milliseconds(), "bytes", a.bytes, "actor", st.actor)
}

// method is the method of a request, of those there are: anybody can send any word.
func method(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return m
	}
	return "other"
}

// address is where a request comes from.
func (s *Service) address(r *http.Request) string {
	if s.o.Proxy {
		// The last one was written by our proxy; those before it by anybody.
		all := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if a := strings.TrimSpace(all[len(all)-1]); a != "" {
			return a
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
