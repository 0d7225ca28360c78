package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"caseforms"
	"caseforms/internal/casework"
)

// status is a failure of HTTP itself.
type status struct {
	code  int
	title string
	hint  string
}

func (e *status) Error() string { return e.title }

// failure is what is told of an error: a status, a title, what to do, and problems with their places.
type failure struct {
	code        int
	title, hint string
	problems    []caseforms.Problem
	more        *apiProblem // what else the API tells
}

// failureOf is the one place where an error becomes a status.
func failureOf(err error) failure {
	var http_ *status
	var large *http.MaxBytesError
	var throttled *casework.Throttled
	var refused *casework.Refused
	var ours *caseforms.Error
	var unattached *casework.Unattached
	var api *apiProblem
	switch {
	case errors.As(err, &api):
		return failure{code: api.code, title: sentence(api.msg), hint: hint(api.hint), problems: api.problems, more: api}
	case errors.As(err, &unattached):
		return failure{code: http.StatusUnprocessableEntity, title: sentence(unattached.Error()), problems: unattached.Problems}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return failure{code: http.StatusServiceUnavailable, title: "It took too long and was ended", hint: "Try again in a moment."}
	case errors.As(err, &http_):
		return failure{code: http_.code, title: http_.title, hint: http_.hint}
	case errors.As(err, &large):
		return failure{code: http.StatusRequestEntityTooLarge, title: "This is too large", hint: fmt.Sprintf("At most %d MB are taken here.", max(large.Limit>>20, 1))}
	case errors.As(err, &throttled):
		return failure{code: http.StatusTooManyRequests, title: "There were too many attempts to sign in", hint: "Try again in " + minutes(throttled) + "."}
	case errors.As(err, &refused):
		return failure{code: http.StatusUnprocessableEntity, title: sentence(refused.Error()), problems: refused.Problems}
	case errors.As(err, &ours):
		code := map[caseforms.ErrorKind]int{
			caseforms.Invalid: http.StatusUnprocessableEntity, caseforms.NotFound: http.StatusNotFound, caseforms.Forbidden: http.StatusForbidden,
			caseforms.Conflict: http.StatusConflict, caseforms.Held: http.StatusConflict, caseforms.Unavailable: http.StatusServiceUnavailable,
		}[ours.Kind]
		if code != 0 {
			return failure{code: code, title: sentence(ours.Msg), hint: hint(ours.Hint)}
		}
	}
	return failure{code: http.StatusInternalServerError, title: "Sorry, we made a mistake", hint: "Nothing you did is wrong. Try again; if it happens again, tell an admin the number below."}
}

func minutes(t *casework.Throttled) string {
	if n := int(math.Ceil(t.After.Minutes())); n > 1 {
		return fmt.Sprintf("%d minutes", n)
	}
	return "a minute"
}

// sentence begins with a capital, as pages do and the command line does not.
func sentence(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// hint leaves out what only helps on the command line.
func hint(s string) string {
	if s == "" || strings.Contains(s, "caseforms ") || strings.Contains(s, "--") {
		return ""
	}
	s = sentence(s)
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// fail answers with what went wrong. Details of our own mistakes go into the log and nowhere else.
func (s *Service) fail(w http.ResponseWriter, r *Request, err error) {
	st := stateOf(r.Request)
	if errors.Is(err, errSignIn) {
		s.sendToSignIn(w, r)
		return
	}
	if errors.Is(err, errProve) {
		s.sendToProve(w, r)
		return
	}
	f := failureOf(err)
	if f.code >= 500 {
		var ours *caseforms.Error
		kind, what := "other", fmt.Sprintf("%T", err)
		if errors.As(err, &ours) {
			kind, what = string(ours.Kind), ours.Msg
		}
		s.log.Error("failed", "request", st.number, "route", st.route, "kind", kind, "what", what)
	}
	var throttled *casework.Throttled
	if errors.As(err, &throttled) {
		w.Header().Set("Retry-After", fmt.Sprint(int(math.Ceil(throttled.After.Seconds()))))
	}
	if f.code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "10")
	}
	if ofAPI(r.Request) {
		problem(w, f, st.number)
		return
	}
	page := Page{Title: f.title, Status: f.code, Data: struct {
		Hint, Number string
		Ours         bool
		Problems     []caseforms.Problem
	}{f.hint, st.number, f.code >= 500, f.problems}}
	if err := s.page(w, r, "error", page); err != nil { // not even that; there is nothing left but plain words
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, "Sorry, we made a mistake. Its number is %s.\n", st.number)
	}
}
