//go:build !race

package chromium

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const good = `<!DOCTYPE html><html lang="en"><head><title>Page</title><style>:focus { outline: 3px solid #000 }</style></head><body>%s<main><h1>A page</h1>
<p id="said"></p>
<form action="/next"><label for="a">Name</label><input id="a" name="a">
<fieldset><legend>Colour</legend><label><input type="radio" name="c" value="r">Red</label><label><input type="radio" name="c" value="g">Green</label></fieldset>
<label for="s">Size</label><select id="s" name="s"><option></option><option>Small</option><option>Large</option></select>
<label><input type="checkbox" name="t" value="yes">Agreed</label>
<button>Send</button></form></main></body></html>`

func pages(t *testing.T) string {
	mux := http.NewServeMux()
	put := func(path, format string, args ...any) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Security-Policy", "script-src 'self'")
			fmt.Fprintf(w, format, args...)
		})
	}
	put("/", good, "")
	put("/contrast", good, `<p style="color: #ccc; background: #fff">hard to read</p>`)
	put("/elsewhere", good, `<img src="http://elsewhere.example/x.png" alt="x">`)
	put("/inline", good, `<script>document.title = 'x'</script>`)
	put("/wide", good, `<p style="width: 500px">wide</p>`)
	put("/cut", good, `<p style="width: 100px; height: 10px; overflow: hidden">much more than fits in it</p>`)
	put("/fails", good, `<script src="/fails.js"></script>`)
	put("/scripts", good, `<script src="/says.js" defer></script>`)
	put("/dark", good, `<style>a:focus { outline: none }</style><a href="/">somewhere</a>`)
	put("/trap", good, `<button id="trap">trap</button><script src="/trap.js"></script>`)
	mux.HandleFunc("GET /fails.js", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "nothing.at.all()") })
	mux.HandleFunc("GET /trap.js", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "document.getElementById('trap').addEventListener('keydown', (e) => e.preventDefault())")
	})
	mux.HandleFunc("GET /says.js", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "document.getElementById('said').textContent = 'scripts run'")
	})
	mux.HandleFunc("GET /next", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "<p>got %s</p>", r.URL.RawQuery) })
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) {})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL
}

// recorder is a test that is expected to fail.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); panic(r) }

// fails is what a test that does something fails with.
func fails(p *Page, do func()) (said string) {
	r := &recorder{TB: p.t}
	p.t = r
	defer func() {
		if x := recover(); x != nil && x != any(r) {
			panic(x)
		}
		p.t, said = r.TB, strings.Join(r.said, "\n")
	}()
	do()
	return ""
}

// A person gets to the same with the mouse, with the keyboard alone and without scripts; and whatever is wrong with a page is told.
func TestBrowser(t *testing.T) {
	t.Parallel()
	b := Open(t)
	base := pages(t)
	for name, way := range map[string]Way{"mouse": {}, "keyboard": {Keyboard: true}, "no scripts": {NoScripts: true}} {
		p := b.Page(t, base, way)
		p.Go("/")
		p.Fill("Name", "Ann & Bob")
		p.Choose("Colour > Green")
		p.Fill("Size", "Large")
		p.Choose("Agreed")
		p.Follow("Send")
		if got := p.Text(); got != "got a=Ann+%26+Bob&c=g&s=Large&t=yes" {
			t.Errorf("%s: %s", name, got)
		}
		p.Go("/scripts")
		if ran := strings.Contains(p.Text(), "scripts run"); ran == way.NoScripts {
			t.Errorf("%s: that scripts run is %t", name, ran)
		}
		if f := p.Faults(); f != nil {
			t.Errorf("%s: %q", name, f)
		}
	}

	p := b.Page(t, base, Way{})
	p.Screen(320, 256, 4)
	p.Go("/")
	if got := append(append(p.Faults(), p.Misfits()...), p.Axe(nil)...); got != nil {
		t.Errorf("of a page that is as it should be: %q", got)
	}
	for path, want := range map[string]string{"/contrast": "axe: color-contrast", "/elsewhere": "asks for http://elsewhere.example/", "/inline": "Content Security Policy", "/wide": "wide on a screen of 320", "/cut": "cuts off",
		"/fails": "a script fails"} {
		p.Go(path)
		got := strings.Join(append(p.Faults(), p.Misfits()...), "\n")
		if strings.HasPrefix(want, "axe:") {
			if !b.Axe() {
				continue
			}
			got = strings.Join(p.Axe(nil), "\n")
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q is not told: %s", path, want, got)
		}
		p.Faults()
	}
	keys := b.Page(t, base, Way{Keyboard: true})
	keys.Go("/dark")
	if said := fails(keys, func() { keys.Follow("Send") }); !strings.Contains(said, "the focus is not seen on <a> somewhere") {
		t.Errorf("that the focus is not seen is not told: %s", said)
	}
	keys.Go("/trap")
	if said := fails(keys, func() { keys.Follow("Send") }); !strings.Contains(said, "does not get away from <button id=trap>") {
		t.Errorf("that the keyboard is caught is not told: %s", said)
	}
	if said := fails(p, func() { p.Follow("Nothing of the kind") }); !strings.Contains(said, "has no link") || !strings.Contains(said, "Send") {
		t.Error(said)
	}
}

// When the browser or a page ends by itself, the test says so at once and does not wait.
func TestCrash(t *testing.T) {
	t.Parallel()
	b := Open(t)
	base := pages(t)
	p := b.Page(t, base, Way{})
	p.Go("/")
	began := time.Now()
	if said := fails(p, func() { p.Go("chrome://crash") }); !strings.Contains(said, "crashed") {
		t.Errorf("it said: %s", said)
	}
	p = b.Page(t, base, Way{})
	p.Go("/")
	b.kill()
	if said := fails(p, func() { p.Follow("Send") }); !strings.Contains(said, "the browser has ended") {
		t.Errorf("it said: %s", said)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
}

// The browser ends with a test that is killed, too.
func TestKilled(t *testing.T) {
	if os.Getenv("CASEFORMS_BROWSER_WAITS") != "" {
		Open(t)
		fmt.Println("open")
		time.Sleep(time.Minute)
		return
	}
	t.Parallel()
	Open(t) // or skip
	cmd := exec.Command(os.Args[0], "-test.run", "^TestKilled$")
	dir := t.TempDir() // of all that it leaves, and in the arguments of each of its processes
	cmd.Env = append(os.Environ(), "CASEFORMS_BROWSER_WAITS=1", "TMPDIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fscanf(out, "open\n")
	before := processes(dir)
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil || before == 0 {
		t.Fatal(before, err)
	}
	for range 1000 {
		if processes(dir) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d processes of the browser go on", processes(dir))
}

// processes counts those that have something in their arguments.
func processes(what string) (n int) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		if b, err := os.ReadFile(name); err == nil && strings.Contains(string(b), what) {
			n++
		}
	}
	return n
}

// kill ends the browser as a crash does.
func (b *Browser) kill() { chromedp.FromContext(b.ctx).Browser.Process().Kill() }
