package web

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"caseforms"
)

// What the pages of daily work share.

// works tells whether somebody works on cases, and so may do more than look at what was done.
func works(r *Request) bool { return r.Actor.Is(caseforms.RolePractitioner, caseforms.RoleManager) }

// toldBeside is what somebody can put right, as the message beside a field. Anything else stays an error.
func toldBeside(err error, field string, kinds ...caseforms.ErrorKind) ([]FieldProblem, error) {
	var ours *caseforms.Error
	if !errors.As(err, &ours) {
		return nil, err
	}
	for _, k := range append(kinds, caseforms.Invalid, caseforms.Conflict, caseforms.Held) {
		if ours.Kind == k {
			msg := sentence(ours.Msg)
			if h := hint(ours.Hint); h != "" {
				msg += ". " + h
			}
			return []FieldProblem{{field, msg}}, nil
		}
	}
	return nil, err
}

// forPages takes out of advice what only helps on the command line.
func forPages(s string) string {
	s = strings.NewReplacer(
		", then: caseforms outbox settle", ", then say here what became of", " arrived or lost;", ";",
		"see that caseforms outbox run is running", "ask whoever runs the service whether it sends",
	).Replace(s)
	s = asides.ReplaceAllString(s, "")
	if i := strings.Index(s, "caseforms "); i >= 0 {
		s = strings.TrimRight(s[:i], " ,;:(")
	}
	s = flags.ReplaceAllString(s, "")
	if s == "" {
		return ""
	}
	return sentence(s)
}

var (
	asides = regexp.MustCompile(`\s*\(caseforms [^)]*\)`)
	flags  = regexp.MustCompile(`\s+(with|by|and say why with)?\s*--[a-z-]+`)
)

// number is a whole number in the address.
func (r *Request) number(name string) int64 {
	n, _ := strconv.ParseInt(r.Var(name), 10, 64) // the pattern lets nothing else in
	return n
}

// whole is a whole number that was sent; 0 when there is none.
func (r *Request) whole(name string) int64 {
	n, _ := strconv.ParseInt(r.Field(name), 10, 64)
	return n
}

// moment is a day in three fields, and a time of that day, on London's clock.
type moment struct {
	ID, Legend, Hint, Problem, Day, Month, Year, Time string
	Clock                                             bool // it has a time
}

// Described are the ids of what describes it.
func (m moment) Described() string { return described(m.ID, m.Hint, m.Problem) }

// askMoment is what was typed before, or nothing.
func askMoment(r *Request, id, legend, hint string, clock bool, ps []FieldProblem) moment {
	m := moment{ID: id, Legend: legend, Hint: hint, Clock: clock, Day: r.Field(id + "-day"), Month: r.Field(id + "-month"), Year: r.Field(id + "-year"), Time: r.Field(id + "-time")}
	m.Problem = problemOf(ps, id+"-day")
	return m
}

func problemOf(ps []FieldProblem, field string) string {
	for _, p := range ps {
		if p.Field == field {
			return p.Msg
		}
	}
	return ""
}

// day reads a day; zero when nothing was typed.
func (r *Request) day(id string) (caseforms.Date, []FieldProblem) {
	d, m, y := r.Field(id+"-day"), r.Field(id+"-month"), r.Field(id+"-year")
	if d+m+y == "" {
		return caseforms.Date{}, nil
	}
	t, err := time.Parse("2006-1-2", y+"-"+m+"-"+d)
	if err != nil {
		return caseforms.Date{}, []FieldProblem{{id + "-day", "Enter a day that there is, such as 25 11 2026"}}
	}
	return caseforms.DateOf(t), nil
}

// moment reads a day and a time; zero, which is now, when nothing was typed.
func (s *Service) moment(r *Request, id string) (time.Time, []FieldProblem) {
	d, ps := r.day(id)
	clock := r.Field(id + "-time")
	now := s.desk.Now()
	switch {
	case ps != nil:
		return time.Time{}, ps
	case d.IsZero() && clock == "":
		return time.Time{}, nil
	case d.IsZero():
		return time.Time{}, []FieldProblem{{id + "-day", "Enter the day too"}}
	}
	at := "12:00"
	if clock != "" {
		at = strings.Replace(clock, ".", ":", 1)
	}
	t, err := time.ParseInLocation("2006-01-02 15:04", d.String()+" "+at, caseforms.London(now).Location())
	if err != nil {
		return time.Time{}, []FieldProblem{{id + "-day", "Enter the time as 14:30"}}
	}
	if clock == "" && t.After(now) && caseforms.DateOf(caseforms.London(now)) == d { // some time today, and not later than now
		t = now
	}
	return t, nil
}

// uploads counts the uploads that are being read: each is held in memory, because what comes in must not lie in a temporary folder.
type uploads struct {
	mu  sync.Mutex
	now int
	of  map[string]int // by person, so that nobody keeps out the others
}

const (
	uploadsAtOnce = 6
	uploadsEach   = 2
	uploadMost    = 24 << 20 // of a whole form with its files
)

// multipart reads a form with files, all of it in memory.
func (s *Service) multipart(r *Request) error {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		return r.ParseForm()
	}
	if err := s.uploads.begin(r.Actor.ID); err != nil {
		return err
	}
	defer s.uploads.end(r.Actor.ID)
	err := r.ParseMultipartForm(uploadMost + 1<<20)
	var large *http.MaxBytesError
	if err == nil || errors.As(err, &large) {
		return err
	}
	return &caseforms.Error{Kind: caseforms.Invalid, Msg: "what was sent did not arrive as it should", Hint: "send it again"}
}

func (u *uploads) begin(who string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.of[who] >= uploadsEach:
		return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "files of yours are still being put in", Hint: "try again in a minute"}
	case u.now >= uploadsAtOnce:
		return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "others are putting in files at this moment", Hint: "try again in a minute"}
	case u.of == nil:
		u.of = map[string]int{}
	}
	u.now++
	u.of[who]++
	return nil
}

func (u *uploads) end(who string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.now--
	if u.of[who]--; u.of[who] == 0 {
		delete(u.of, who)
	}
}

// file is a file that was put in; nil when there is none. What it was called says only of what kind it is.
func (r *Request) file(field string) (data []byte, ext string, err error) {
	if r.MultipartForm == nil || len(r.MultipartForm.File[field]) == 0 {
		return nil, "", nil
	}
	h := r.MultipartForm.File[field][0]
	f, err := h.Open()
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	data = make([]byte, h.Size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, "", fmt.Errorf("a file that was put in cannot be read")
	}
	return data, strings.ToLower(strings.TrimPrefix(filepath.Ext(h.Filename), ".")), nil
}

// kinds of files that are handed out.
var kinds = map[string]string{
	"pdf": "application/pdf", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "html": "text/html; charset=utf-8", "txt": "text/plain; charset=utf-8",
	"json": "application/json", "ics": "text/calendar; charset=utf-8", "eml": "message/rfc822",
}

// download hands a file out, to be saved and not shown. name is made of ids.
func download(w http.ResponseWriter, name string, data []byte) error {
	kind := kinds[strings.TrimPrefix(filepath.Ext(name), ".")]
	if kind == "" {
		kind = "application/octet-stream"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = w.Write(data) // a browser that went away reads nothing
	return nil
}
