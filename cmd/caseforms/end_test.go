package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"caseforms/internal/postoffice"
)

// station is a folder with a store and a configuration, and a relay.
type station struct {
	t    *testing.T
	home string
	me   string // the login of whoever runs the tests
	post *postoffice.Memory
}

func newStation(t *testing.T, change func(*postoffice.Memory)) *station {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	p, err := postoffice.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	change(p)
	st := &station{t, t.TempDir(), me.Username, p}
	if err := configured(p, st.home, "serve: {second_factor: optional}\n"); err != nil {
		t.Fatal(err)
	}
	st.say("policy", "set", "northtown.example", "--means", "tls", "--demonstrated", time.Now().Format(time.DateOnly), "--how", "a test", "--why", "a test")
	return st
}

// say runs a command and gives what it prints.
func (st *station) say(args ...string) string {
	st.t.Helper()
	cmd := exec.Command("caseforms", append(args, "--config", "config.yaml")...)
	cmd.Dir, cmd.Env = st.home, append(os.Environ(), "HOME="+st.home, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		st.t.Fatalf("%v: %v: %s", args, err, &complaint)
	}
	return string(out)
}

func (st *station) serve() *served { return serve(st.t, st.home, "--config", "config.yaml") }

// term tells the program to end, and gives what waits for it: it must end well and in time.
func (s *served) term(least, most time.Duration) (wait func()) {
	s.t.Helper()
	began := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		s.t.Helper()
		if err := s.cmd.Wait(); err != nil {
			s.t.Error(err, s.err)
		}
		if took := time.Since(began); took < least || took > most {
			s.t.Errorf("it took %s to end", took)
		}
	}
}

// A message that is being sent when the program is told to end has left, has not, or is uncertain, and is told as that; it is never sent twice.
func TestEndWhileSending(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers     time.Duration // the relay, after the end was asked for; 0 is never
		deaf        bool          // the relay does not even greet
		says        string
		least, most time.Duration
	}{
		"the relay answers":         {answers: 2 * time.Second, says: "SENT", least: time.Second, most: 10 * time.Second},
		"the relay does not answer": {says: "UNCERTAIN", least: 9 * time.Second, most: 20 * time.Second},
		"the relay has nothing yet": {deaf: true, says: "DELAYED", most: 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			there, answer := make(chan bool, 10), make(chan bool)
			st := newStation(t, func(p *postoffice.Memory) {
				p.Taken = func(postoffice.Posted) { there <- true; <-answer }
				if !c.deaf {
					return
				}
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				p.RelayAddress = l.Addr().String()
				go func() {
					for {
						conn, err := l.Accept()
						if err != nil {
							return
						}
						t.Cleanup(func() { conn.Close() })
						there <- true
					}
				}()
			})
			close_ := sync.OnceFunc(func() { close(answer) })
			t.Cleanup(close_) // before the relay is closed, which waits for it
			samples, err := filepath.Abs("../../samples/cases")
			if err != nil {
				t.Fatal(err)
			}
			ref, _, _ := strings.Cut(st.say("record", "cp1", samples+"/01-simple.json"), "\n")
			st.say("recipient", "add", "front_door", "Northtown MASH", "--area", "Northtown Council", "--address", "mash@northtown.example", "--demonstrated", time.Now().Format(time.DateOnly), "--how", "TLS test")
			st.say("send", ref, "--to", "front_door", "--without", "not ready")
			s := st.serve()
			select {
			case <-there:
			case <-time.After(30 * time.Second):
				t.Fatal("nothing is sent: ", s.err)
			}
			if c.answers > 0 {
				time.AfterFunc(c.answers, close_)
			}
			s.term(c.least, c.most)()
			if out := st.say("show", ref); !strings.Contains(out, c.says) {
				t.Errorf("it does not say %s: %s", c.says, out)
			}
			close_()
			taken := len(st.post.All())
			again := st.serve()
			if c.deaf { // what was stopped is taken up at once, and not after a pause as for a relay that is away
				select {
				case <-there:
				case <-time.After(20 * time.Second):
					t.Fatal("it is not tried again: ", again.err)
				}
			}
			if !c.deaf { // it looks into the outbox at once, and the figures tell when it has
				again.figures(`caseforms_background_last_success_seconds{job="outbox"}`)
			}
			again.end()
			if n := len(st.post.All()); n != taken {
				t.Errorf("it was sent %d times", n)
			}
		})
	}
}

// Whoever asks while the program is told to end is answered or gets nothing, and whatever was answered is there afterwards; what was not can be asked again
// under the same name. A form that is still on its way is read to its end, and a batch ends without leaving anything behind.
func TestEndUnderLoad(t *testing.T) {
	t.Parallel()
	st := newStation(t, func(*postoffice.Memory) {})
	key := strings.TrimSpace(st.say("user", "key", st.me, "--scope", "forms:render,documents:read,documents:issue,drafts:write"))
	record, err := os.ReadFile("../../samples/cases/01-simple.json")
	if err != nil {
		t.Fatal(err)
	}
	s := st.serve()
	link := strings.TrimSpace(st.say("user", "link", st.me))
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}

	// A batch that takes longer than the rest of this.
	r, err := c.PostForm(s.url+link, url.Values{"password": {"four horses read slowly"}, "again": {"four horses read slowly"}})
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	var rows, form bytes.Buffer
	for i := range 1200 {
		var x map[string]any
		if err := json.Unmarshal(record, &x); err != nil {
			t.Fatal(err)
		}
		x["person"].(map[string]any)["crn"] = fmt.Sprintf("X%06d", i+100)
		line, _ := json.Marshal(x)
		rows.Write(append(line, '\n'))
	}
	w := multipart.NewWriter(&form)
	w.WriteField("form", "cp1")
	f, _ := w.CreateFormFile("cases", "cases.jsonl")
	f.Write(rows.Bytes())
	w.Close()
	if r, err = c.Post(s.url+"/batch", w.FormDataContentType(), &form); err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if !strings.Contains(string(page), "Your workbook is being checked") {
		t.Fatalf("%d %s", r.StatusCode, page)
	}

	// Documents are issued by several at once.
	issue := func(base, name string) (ref string, code int) {
		req, _ := http.NewRequest("POST", base+"/api/v1/documents", strings.NewReader(`{"form":"cp1","outputs":[{"format":"txt"}],"record":`+string(record)+`}`))
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", name)
		r, err := c.Do(req)
		if err != nil {
			return "", 0
		}
		defer r.Body.Close()
		var got struct{ Ref string }
		if json.NewDecoder(r.Body).Decode(&got) != nil {
			return "", 0
		}
		return got.Ref, r.StatusCode
	}
	var mu sync.Mutex
	answered, open := map[string]string{}, []string{}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				name := rand.Text()
				switch ref, code := issue(s.url, name); code {
				case 201:
					mu.Lock()
					answered[name] = ref
					mu.Unlock()
				case 0:
					mu.Lock()
					open = append(open, name)
					mu.Unlock()
					return
				default:
					t.Errorf("issuing: %d", code)
					return
				}
			}
		})
	}
	// And one sends slowly.
	slow, in := io.Pipe()
	checked := make(chan int, 1)
	go func() {
		req, _ := http.NewRequest("POST", s.url+"/api/v1/forms/cp1/check", slow)
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Content-Type", "application/json")
		r, err := c.Do(req)
		if err != nil {
			checked <- 0
			return
		}
		r.Body.Close()
		checked <- r.StatusCode
	}()
	in.Write(record[:len(record)/2])
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		mu.Lock()
		n := len(answered)
		mu.Unlock()
		if n > 20 || time.Now().After(end) {
			break
		}
	}
	wait := s.term(time.Second, 20*time.Second)
	all.Wait()
	time.Sleep(time.Second)
	in.Write(record[len(record)/2:])
	in.Close()
	if code := <-checked; code != 200 {
		t.Errorf("what was still on its way: %d", code)
	}
	wait()
	if len(answered) < 10 {
		t.Fatalf("only %d were issued", len(answered))
	}
	if left, _ := filepath.Glob(filepath.Join(st.home, "caseforms-*")); len(left) > 0 {
		t.Error("left behind: ", left)
	}

	again := st.serve()
	refs := map[string]bool{}
	for name, ref := range answered {
		if got, code := issue(again.url, name); code != 201 || got != ref || refs[ref] {
			t.Errorf("%s was answered, and is now %q %d", ref, got, code)
		}
		refs[ref] = true
	}
	for _, name := range open {
		ref, code := issue(again.url, name)
		if code != 201 || refs[ref] {
			t.Errorf("what was not answered: %q %d", ref, code)
		}
		refs[ref] = true
	}
	again.end()
	issued := 0
	for line := range strings.Lines(st.say("find", "X000001")) {
		if strings.Contains(line, "CF-") {
			issued++
		}
	}
	if issued != len(refs) {
		t.Errorf("%d documents for %d requests", issued, len(refs))
	}
	for what, text := range map[string]string{"log": s.err.String() + again.err.String()} {
		for _, word := range []string{"Sampleson", "X000001", "1988-03-27", "Example Road", key, link, st.home} {
			if strings.Contains(text, word) {
				t.Errorf("the %s has %s", what, word)
			}
		}
		for line := range strings.Lines(text) {
			if !json.Valid([]byte(line)) {
				t.Errorf("the %s has a line that is not JSON: %s", what, line)
			}
		}
	}
}

// Whoever never ends what they send keeps the program from ending for half a minute, and no longer.
func TestEndStuck(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	s := serve(t, t.TempDir(), "--demo")
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	if _, err := conn.Read(make([]byte, 100)); err != nil { // it is read
		t.Fatal(err)
	}
	s.term(closeTime-time.Second, closeTime+8*time.Second)()
}
