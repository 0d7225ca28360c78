//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/html"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/render"
	"caseforms/samples"
	"caseforms/templates"
)

// TestLoad asks a service, which is a process of its own on a store of some size, for pages and PDFs at a steady rate, and tells how long they took. The
// requests are begun when their time has come, whatever became of those before, and their time counts from then. docs/service.md says how to run it.
func TestLoad(t *testing.T) {
	lasts, err := time.ParseDuration(os.Getenv("CASEFORMS_LOAD"))
	if err != nil {
		t.Skip("CASEFORMS_LOAD=10m says for how long; see docs/service.md")
	}
	l := &load{t: t, of: map[string]*measured{}, people: loadNumber("CASEFORMS_LOAD_PEOPLE", 20), cases: loadNumber("CASEFORMS_LOAD_CASES", 3000)}
	pages, renders := loadNumber("CASEFORMS_LOAD_PAGES", 200), loadNumber("CASEFORMS_LOAD_RENDERS", 100)
	l.build()
	l.fill()
	started := l.start()
	defer l.cmd.Process.Kill()
	for i := range l.people {
		l.signIn(i)
	}
	// What each kind costs: one after the other, so that the processor time of the server is theirs.
	l.does = l.kinds()
	for _, name := range slices.Sorted(maps.Keys(l.does)) {
		before, n := l.used(), min(100, 5*l.people)
		for range n {
			l.ask(name, time.Now())
		}
		l.of[name].cost = (l.used() - before) / time.Duration(n)
	}
	if t.Failed() {
		return
	}
	for _, m := range l.of {
		m.took = m.took[:0]
	}
	t.Logf("%d cases, %d people; from exec to ready %s; memory then %d MB, after signing in and trying everything %d MB", l.cases, l.people, started.Round(time.Millisecond), l.rss, l.memory())
	before, own, began := l.used(), ownTime(), time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	var all sync.WaitGroup
	for _, part := range []struct {
		rate int
		mix  []string
	}{
		{pages, []string{"home", "home", "home", "find", "case", "case", "case", "document", "document", "document", "document", "document", "part", "part", "part", "part", "save", "save", "answers", "tasks"}},
		{renders, []string{"preview", "api render"}},
	} {
		all.Go(func() { l.steady(ctx, part.rate, part.mix) })
	}
	all.Go(func() {
		for n := 1; ctx.Err() == nil; n++ {
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
				t.Logf("after %2d min: memory %d MB, processor %.2f cores", n, l.memory(), (l.used()-before).Seconds()/time.Since(began).Seconds())
			}
		}
	})
	all.Wait()
	l.asked.Wait()
	took := time.Since(began).Seconds()
	t.Logf("at the end: memory %d MB; %.2f cores used by the server and %.2f by the test; %d requests did not begin because %d were under way",
		l.memory(), (l.used()-before).Seconds()/took, (ownTime()-own).Seconds()/took, l.over, loadAtOnce)
	if l.over > 0 && os.Getenv("CI") == "" {
		t.Errorf("%d requests did not begin", l.over)
	}
	l.report()
	l.check()
}

func loadNumber(name string, or int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return or
}

const (
	loadPassword  = "four horses read slowly"
	loadAtOnce    = 400 // requests under way
	loadDocuments = 300 // documents that are looked at, of all there are
)

type load struct {
	t             *testing.T
	home, program string
	people, cases int
	cmd           *exec.Cmd
	url           string
	log           lockedBuffer
	rss           int // MB, at the start
	users         []*loader
	docs          []loadDocument
	read          int // how often they were looked at before
	record        []byte

	mu    sync.Mutex
	of    map[string]*measured
	over  int // requests that did not begin
	asked sync.WaitGroup
	busy  chan struct{}
	does  map[string]func(*loader) error
}

type loadDocument struct {
	Case caseforms.CaseID
	Ref  caseforms.Ref
}

// measured is one kind of request.
type measured struct {
	took   []time.Duration
	cost   time.Duration // of the server's processor
	failed int
}

// loader is somebody at work, in a browser of theirs and with a program of theirs.
type loader struct {
	login  string
	client *http.Client
	key    string
	draft  caseforms.DraftID

	saving  sync.Mutex // of the draft: whoever saves second would be told of a conflict, which is another page
	form    url.Values
	version int
	said    string // what was saved last
}

func (l *load) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// build makes the program that people run.
func (l *load) build() {
	l.home = l.t.TempDir()
	l.program = filepath.Join(l.home, "caseforms-under-load")
	out, err := exec.Command("go", "build", "-o", l.program, ".").CombinedOutput()
	if err != nil {
		l.t.Fatalf("%v %s", err, out)
	}
	// A store that is made takes a while; it is kept where CASEFORMS_LOAD_STORE says, and used again.
	if dir := os.Getenv("CASEFORMS_LOAD_STORE"); dir != "" {
		l.home = dir
	}
}

func (l *load) open() (*store.Store, *casework.Desk) {
	s, err := store.OpenOrCreate(l.t.Context(), store.Options{Dir: filepath.Join(l.home, "data"), Keys: store.Keys{File: filepath.Join(l.home, "key")}})
	l.must(err)
	return s, casework.New(s, templates.Load)
}

// fill makes the people, their cases and drafts, through the acts that people do.
func (l *load) fill() {
	ctx, began := l.t.Context(), time.Now()
	made := store.Exists(filepath.Join(l.home, "data"))
	s, k := l.open()
	defer func() { l.must(s.Close()) }()
	var err error
	l.record, err = samples.Cases.ReadFile("cases/01-simple.json")
	l.must(err)
	boss, err := k.Actor(ctx, "boss", "Betty Boss")
	l.must(err)
	actors := make([]caseforms.Actor, l.people)
	for i := range actors {
		u := &loader{login: fmt.Sprint("load", i)}
		if !made {
			_, err := k.AddUser(ctx, boss, u.login, fmt.Sprint("Loader ", i), fmt.Sprint("Team ", i/5), []caseforms.Role{caseforms.RolePractitioner})
			l.must(err)
			token, _, err := k.MakeLink(ctx, boss, u.login)
			l.must(err)
			_, err = k.UseLink(ctx, token, "", "", loadPassword)
			l.must(err)
		}
		actors[i], err = k.Actor(ctx, u.login, "")
		l.must(err)
		u.key, _, err = k.MakeKey(ctx, actors[i], casework.MakeKey{Login: u.login, Scopes: []string{string(casework.ScopeRender)}})
		l.must(err)
		l.users = append(l.users, u)
	}
	if !made {
		var all sync.WaitGroup
		for w := range 16 {
			all.Go(func() {
				for i := w; i < l.cases && !l.t.Failed(); i += 16 {
					a := actors[i%l.people]
					out, _, err := k.Record(ctx, a, casework.Record{Unasked: true, Form: "cp1", Case: l.person(i), Outputs: []casework.Output{{Format: render.FormatPDF}}})
					if err == nil && i%10 == 0 { // it waits for an answer
						_, err = k.HandOver(ctx, a, casework.HandOver{Ref: out.Ref, Channel: casework.Channels[0], To: "Northtown MASH"})
					}
					if err != nil {
						l.t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if l.t.Failed() {
			l.t.FailNow()
		}
	}
	for i, u := range l.users {
		d, err := k.SaveDraft(ctx, actors[i], casework.SaveDraft{Form: "cp1", Content: l.person(1_000_000 - 100 - i)})
		l.must(err)
		u.draft = d.ID
	}
	for _, a := range actors {
		of, err := s.CasesOf(ctx, a.ID)
		l.must(err)
		for _, id := range of[:min(len(of), loadDocuments/l.people)] {
			refs, err := s.DocumentsOf(ctx, id)
			l.must(err)
			l.docs = append(l.docs, loadDocument{id, refs[0]})
		}
	}
	l.read = l.looks(s)
	l.t.Logf("filled in %s", time.Since(began).Round(time.Second))
}

// looks is how often the ledger says that the documents were looked at.
func (l *load) looks(s *store.Store) (all int) {
	for _, d := range l.docs {
		n, err := s.CountLooks(context.Background(), d.Ref, d.Case)
		l.must(err)
		all += n
	}
	return all
}

// person is the record of one person out of many.
func (l *load) person(n int) []byte {
	var c map[string]any
	l.must(json.Unmarshal(l.record, &c))
	p := c["person"].(map[string]any)
	p["crn"], p["family_name"] = fmt.Sprintf("Y%06d", n), "Load"+strings.Repeat(string(rune('a'+n%26)), 1+n/26%20)
	delete(p, "prison_number")
	delete(p, "pnc")
	b, err := json.Marshal(c)
	l.must(err)
	return b
}

// start starts the service, and tells how long it took until it was ready.
func (l *load) start() time.Duration {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	l.must(err)
	address := free.Addr().String()
	free.Close()
	l.url = "http://" + address
	l.busy = make(chan struct{}, loadAtOnce)
	config := filepath.Join(l.home, "config.yaml")
	l.must(os.WriteFile(config, []byte("serve: {second_factor: optional}\n"), 0o600)) // nobody is at hand with an app
	l.cmd = exec.Command(l.program, "serve", "--listen", address, "--data", filepath.Join(l.home, "data"), "--config", config)
	l.cmd.Dir, l.cmd.Stderr = l.home, &l.log
	l.cmd.Env = append(os.Environ(), "HOME="+l.home, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "CASEFORMS_KEY_FILE="+filepath.Join(l.home, "key"))
	began := time.Now()
	l.must(l.cmd.Start())
	for time.Since(began) < time.Minute {
		r, err := http.Get(l.url + "/readyz")
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				took := time.Since(began)
				l.rss = l.memory()
				return took
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	l.t.Fatal("it does not begin: ", l.log.String())
	return 0
}

var loadBase = regexp.MustCompile(`name="base" value="(\d+)"`)

func (l *load) signIn(i int) {
	u := l.users[i]
	jar, err := cookiejar.New(nil)
	l.must(err)
	u.client = &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := u.client.PostForm(l.url+"/sign-in", url.Values{"login": {u.login}, "password": {loadPassword}})
	l.must(err)
	r.Body.Close()
	if r.StatusCode != http.StatusSeeOther {
		l.t.Fatalf("signing in: %d", r.StatusCode)
	}
	_, body, err := l.get(u, "/drafts/"+string(u.draft)+"/part/referral")
	l.must(err)
	u.form = formOf(body)
	if m := loadBase.FindSubmatch(body); m != nil {
		u.version, _ = strconv.Atoi(string(m[1]))
	} else {
		l.t.Fatalf("the page of a draft has no version: %.500s", body)
	}
}

// formOf is what a browser would send of the form of a page.
func formOf(body []byte) url.Values {
	out := url.Values{}
	z := html.NewTokenizer(bytes.NewReader(body))
	area := ""
	for {
		switch z.Next() {
		case html.ErrorToken:
			return out
		case html.TextToken:
			if area != "" {
				out.Set(area, strings.TrimPrefix(string(z.Text()), "\n"))
			}
		case html.EndTagToken:
			area = ""
		case html.StartTagToken, html.SelfClosingTagToken:
			tok := z.Token()
			a := map[string]string{}
			for _, x := range tok.Attr {
				a[x.Key] = x.Val
			}
			_, checked := a["checked"]
			switch {
			case tok.Data == "textarea":
				area = a["name"]
			case tok.Data != "input" || a["name"] == "" || (a["type"] == "radio" || a["type"] == "checkbox") && !checked:
			default:
				out.Add(a["name"], a["value"])
			}
		}
	}
}

func (l *load) get(u *loader, path string) (int, []byte, error) {
	r, err := u.client.Get(l.url + path)
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r.StatusCode, b, err
}

// kinds are what is asked for. Each tells what is wrong with the answer.
func (l *load) kinds() map[string]func(u *loader) error {
	page := func(path func(u *loader) (string, string)) func(*loader) error {
		return func(u *loader) error {
			p, has := path(u)
			code, body, err := l.get(u, p)
			if err == nil && (code != http.StatusOK || !bytes.Contains(body, []byte(has)) || !bytes.HasSuffix(bytes.TrimSpace(body), []byte("</html>"))) {
				err = fmt.Errorf("%d, %d bytes", code, len(body))
			}
			return err
		}
	}
	pdf := func(code int, body []byte) error {
		if code != http.StatusOK || !bytes.HasPrefix(body, []byte("%PDF-")) || !bytes.HasSuffix(bytes.TrimSpace(body), []byte("%%EOF")) {
			return fmt.Errorf("%d, %d bytes that are no PDF", code, len(body))
		}
		return nil
	}
	draft := func(rest, has string) func(u *loader) error {
		return page(func(u *loader) (string, string) { return "/drafts/" + string(u.draft) + rest, has })
	}
	return map[string]func(*loader) error{
		"home": page(func(u *loader) (string, string) { return "/", "Your work" }),
		"find": page(func(u *loader) (string, string) { return "/cases", "Find a case" }),
		"case": page(func(u *loader) (string, string) {
			d := l.docs[rand.N(len(l.docs))]
			return "/cases?q=" + string(d.Case), string(d.Ref)
		}),
		"document": page(func(u *loader) (string, string) {
			d := l.docs[rand.N(len(l.docs))]
			return "/documents/" + string(d.Ref), "Document issued"
		}),
		"part":    draft("/part/referral", "forms.cp1.why_now"),
		"answers": draft("/answers", "Check your answers"),
		"tasks":   draft("", "/part/referral"),
		"save": func(u *loader) error {
			u.saving.Lock()
			defer u.saving.Unlock()
			said := fmt.Sprint("Saved for the ", u.version, "th time")
			u.form.Set("forms.cp1.why_now", said)
			u.form.Set("base", fmt.Sprint(u.version))
			r, err := u.client.PostForm(l.url+"/drafts/"+string(u.draft)+"/part/referral", u.form)
			if err != nil {
				return err
			}
			defer r.Body.Close()
			if body, err := io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusSeeOther {
				return fmt.Errorf("%d %v, %d bytes", r.StatusCode, err, len(body))
			}
			u.version++
			u.said = said
			return nil
		},
		"preview": func(u *loader) error {
			code, body, err := l.get(u, "/drafts/"+string(u.draft)+"/preview")
			if err == nil {
				err = pdf(code, body)
			}
			return err
		},
		"api render": func(u *loader) error {
			r, err := http.NewRequest("POST", l.url+"/api/v1/forms/cp1/render", bytes.NewReader(l.record))
			if err != nil {
				return err
			}
			r.Header.Set("Authorization", "Bearer "+u.key)
			r.Header.Set("Content-Type", "application/json")
			res, err := u.client.Do(r)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err == nil {
				err = pdf(res.StatusCode, body)
			}
			return err
		},
	}
}

// ask asks for one thing as somebody. It was due at a time, and how long it took counts from then.
func (l *load) ask(name string, due time.Time) {
	u := l.users[rand.N(len(l.users))]
	if name == "save" { // as somebody who is not saving at this moment
		for range l.users {
			if u.saving.TryLock() {
				u.saving.Unlock()
				break
			}
			u = l.users[rand.N(len(l.users))]
		}
	}
	err := l.does[name](u)
	took := time.Since(due)
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.of[name]
	if m == nil {
		m = &measured{}
		l.of[name] = m
	}
	m.took = append(m.took, took)
	if err != nil {
		if m.failed++; m.failed <= 3 {
			l.t.Errorf("%s: %v", name, err)
		}
	}
}

// steady asks so many times a second until the context ends.
func (l *load) steady(ctx context.Context, rate int, mix []string) {
	every := time.Second / time.Duration(rate)
	for due := time.Now(); ctx.Err() == nil; due = due.Add(every) {
		time.Sleep(time.Until(due))
		select {
		case l.busy <- struct{}{}:
		default:
			l.mu.Lock()
			l.over++
			l.mu.Unlock()
			continue
		}
		l.asked.Go(func() {
			defer func() { <-l.busy }()
			l.ask(mix[rand.N(len(mix))], due)
		})
	}
}

// used is the processor time of the server until now.
func (l *load) used() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.cmd.Process.Pid))
	l.must(err)
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * (time.Second / 100) // of clock ticks, which are hundredths on every Linux there is
}

func ownTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory is the resident memory of the server in MB.
func (l *load) memory() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.cmd.Process.Pid))
	l.must(err)
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n >> 10
		}
	}
	return 0
}

func (l *load) report() {
	l.t.Logf("%-11s %8s %8s %8s %8s %8s %7s %10s", "", "requests", "p50 ms", "p95 ms", "p99 ms", "max ms", "failed", "processor")
	var pages, renders []time.Duration
	line := func(name string, took []time.Duration, failed int, cost string) {
		if len(took) == 0 {
			return
		}
		slices.Sort(took)
		at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) / 1000 }
		l.t.Logf("%-11s %8d %8.1f %8.1f %8.1f %8.1f %7d %10s", name, len(took), at(.5), at(.95), at(.99), at(1), failed, cost)
	}
	for _, name := range slices.Sorted(maps.Keys(l.of)) {
		m := l.of[name]
		if name == "preview" || name == "api render" {
			renders = append(renders, m.took...)
		} else {
			pages = append(pages, m.took...)
		}
		line(name, m.took, m.failed, fmt.Sprintf("%.1f ms", float64(m.cost.Microseconds())/1000))
	}
	line("all pages", pages, 0, "")
	line("all PDFs", renders, 0, "")
}

// check looks whether everything that was acknowledged is there: what was saved last, and who read what.
func (l *load) check() {
	for _, u := range l.users {
		code, body, err := l.get(u, "/drafts/"+string(u.draft)+"/part/referral")
		if err != nil || code != http.StatusOK || u.said != "" && !bytes.Contains(body, []byte(u.said)) {
			l.t.Errorf("%q was saved and is not there: %d %v", u.said, code, err)
		}
	}
	l.must(l.cmd.Process.Signal(syscall.SIGTERM))
	if err := l.cmd.Wait(); err != nil {
		l.t.Error(err)
	}
	for line := range strings.Lines(l.log.String()) { // what was too much at a time was told by whoever asked for it
		if (strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, `"level":"WARN"`)) && !strings.Contains(line, `"status":503`) && !strings.Contains(line, `"kind":"unavailable"`) {
			l.t.Errorf("%.500s", line)
			break
		}
	}
	s, k := l.open()
	defer s.Close()
	boss, err := k.Actor(context.Background(), "boss", "")
	l.must(err)
	v, err := k.VerifyAll(context.Background(), boss, "")
	if err != nil || len(v.Problems) > 0 {
		l.t.Error(err, v.Problems)
	}
	m := l.of["document"]
	if read, want := l.looks(s)-l.read, len(m.took)-m.failed; read < want {
		l.t.Errorf("documents were read %d times, and the ledger has %d", want, read)
	}
	l.t.Logf("%d records in the ledger, all of them verified", v.Records)
}
