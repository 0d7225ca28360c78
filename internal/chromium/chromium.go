// Package chromium is for tests. It hides how a headless Chromium is run and steered, so that a test says what a person does:
//
//	b := chromium.Open(t)
//	p := b.Page(t, "http://127.0.0.1:8080", chromium.Way{})
//	p.Go("/sign-in")
//	p.Fill("Name for signing in", "petra")
//	p.Follow("Sign in")
//	p.See("Your work")
//
// What is acted on is found by the role and the name that the browser tells assistive technology. A [Way] makes the same test be done with the
// keyboard alone, without scripts, or on a small screen. [Page.Faults] tells what is wrong with a page: for axe-core, for a screen 320 pixels
// wide, in the console, and what it asked of other hosts.
//
// Everything has a time-out, and the browser ends with the test, also when the test is killed. A page is used by one goroutine; several pages
// may be used at a time.
package chromium

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	startTime = time.Minute      // for the browser to start, on a busy machine
	actTime   = 20 * time.Second // for anything that is done with a page
)

// Browser is a running Chromium. It is made by [Open].
type Browser struct {
	ctx  context.Context
	axe  string // the source of axe-core
	said *said
}

// said keeps the end of what the browser says, to be shown when it ends too soon.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.b.Len() > 1<<16 {
		s.b.Reset()
	}
	return s.b.Write(p)
}

func (s *said) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

// Open starts a Chromium, which ends with the test. Where there is none the test is skipped; with CI=true it fails.
func Open(t testing.TB) *Browser {
	t.Helper()
	lack := t.Skip
	if os.Getenv("CI") == "true" {
		lack = t.Fatal
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		lack("no browser: apt-get install chromium")
	}
	b := &Browser{said: &said{}}
	if dir := os.Getenv("CASEFORMS_AXE"); dir != "" {
		source, err := os.ReadFile(filepath.Join(dir, "node_modules/axe-core/axe.min.js"))
		if err != nil {
			t.Fatal(err)
		}
		b.axe = string(source)
	} else if os.Getenv("CI") == "true" {
		t.Fatal("CI needs CASEFORMS_AXE, a folder in which npm has installed axe-core")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.CombinedOutput(b.said), chromedp.WindowSize(1280, 1024),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"), chromedp.Flag("hide-scrollbars", true))
	all, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(all, chromedp.WithErrorf(func(string, ...any) {})) // what a newer browser says and the library does not know
	t.Cleanup(func() { cancel(); end() })
	b.ctx = ctx
	guard := time.AfterFunc(startTime, cancel)
	defer guard.Stop()
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("the browser does not start: %v\n%s", err, b.said)
	}
	return b
}

// Axe tells whether axe-core is there.
func (b *Browser) Axe() bool { return b.axe != "" }

// Way is how somebody uses the pages.
type Way struct {
	Keyboard  bool // nothing is clicked: Tab, Enter, Space and arrows only, and it must be seen where the focus is
	NoScripts bool
}

// Page is a tab of its own, with cookies of its own.
type Page struct {
	t    testing.TB
	b    *Browser
	ctx  context.Context
	base *url.URL
	way  Way

	mu     sync.Mutex
	loads  int
	status int64    // of the page that is shown
	faults []string // since they were last asked for
	died   bool
}

// Page opens a page of the service at an address, in a profile of its own.
func (b *Browser) Page(t testing.TB, base string, way Way) *Page {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	p := &Page{t: t, b: b, base: u, way: way}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.hear))
	p.ctx = ctx
	t.Cleanup(cancel)
	guard := time.AfterFunc(startTime, cancel)
	defer guard.Stop()
	if err := chromedp.Do(ctx); err != nil {
		p.fatal("the browser opens no page", err)
	}
	send(p, "the network", network.Enable, network.EnableParams{})
	send(p, "the log", log.Enable, cdp.Empty{})
	send(p, "crashes", inspector.Enable, cdp.Empty{})
	send(p, "the focus", emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}) // several pages are used at a time
	send(p, "scripts", emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: way.NoScripts})
	p.Screen(1264, 1024, 1) // from 1280 on every part of a form has its print beside it, which is another program each time
	return p
}

// hear notes what the browser tells of a page. It must not wait for anything.
func (p *Page) hear(ev any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fault := func(format string, args ...any) { p.faults = append(p.faults, fmt.Sprintf(format, args...)) }
	switch e := ev.(type) {
	case *page.EventLoadEventFired:
		p.loads++
	case *inspector.EventTargetCrashed:
		p.died = true
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err != nil || u.Host != p.base.Host && u.Scheme != "data" && u.Scheme != "blob" && u.Scheme != "about" && u.Scheme != "chrome-extension" && u.Scheme != "chrome" {
			fault("it asks for %s", e.Request.URL)
		}
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument && e.Response.MimeType == "text/html" && strings.HasPrefix(e.Response.URL, p.base.Scheme) { // not what shows a PDF in a frame
			p.status = e.Response.Status
		} else if e.Response.Status >= 400 {
			fault("%s is answered with %d", e.Response.URL, e.Response.Status)
		}
	case *runtime.EventExceptionThrown:
		fault("a script fails: %s", (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" {
			var text []string
			for _, a := range e.Args {
				text = append(text, string(a.Value)+a.Description)
			}
			fault("console: %s", strings.Join(text, " "))
		}
	case *log.EventEntryAdded:
		// That a page itself is answered with an error is for the test to say.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork || e.Entry.Level == log.EntryLevelWarning {
			fault("console: %s", e.Entry.Text)
		}
	}
}

// send sends the browser a command about the page, and ends the test when it fails or takes too long.
func send[P, R any](p *Page, what string, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	r, err := try(p, command, params)
	if err != nil {
		p.fatal(what, err)
	}
	return r
}

func try[P, R any](p *Page, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(p.ctx, actTime)
	defer cancel()
	return chromedp.Call(ctx, command, params)
}

// run does something with the page, and ends the test when it fails or takes too long.
func run[T any](p *Page, what string, a chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, actTime)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		p.fatal(what, err)
	}
	return v
}

func (p *Page) fatal(what string, err error) {
	p.t.Helper()
	died := false
	for range 50 { // that it ended is told a little later than what failed by it
		p.mu.Lock()
		died = p.died
		p.mu.Unlock()
		if died || p.b.ctx.Err() != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	switch {
	case p.b.ctx.Err() != nil:
		p.t.Fatalf("%s: the browser has ended: %v\n%s", what, err, p.b.said)
	case died:
		p.t.Fatalf("%s: the page has crashed: %v", what, err)
	}
	p.t.Fatalf("%s: %v", what, err)
}

// until waits until something is so.
func (p *Page) until(what string, so func() bool) {
	p.t.Helper()
	for end := time.Now().Add(actTime); !so(); time.Sleep(5 * time.Millisecond) {
		if p.ctx.Err() != nil || time.Now().After(end) {
			p.fatal(what, fmt.Errorf("not within %s, at %s", actTime, p.Path()))
		}
	}
}

// load does what leads to another page, and waits until that is there.
func (p *Page) load(what string, act func()) {
	p.t.Helper()
	p.mu.Lock()
	before := p.loads
	p.mu.Unlock()
	act()
	p.until(what+" leads to no page", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.loads > before || p.died
	})
	if u := p.URL(); !strings.HasPrefix(u, p.base.String()+"/") {
		p.fatal(what, fmt.Errorf("leads to %s", u))
	}
}

// Go opens a page by its address, which begins with a stroke or is a whole one.
func (p *Page) Go(path string) {
	p.t.Helper()
	address := path
	if strings.HasPrefix(path, "/") {
		address = p.base.String() + path
	}
	p.load(path, func() {
		p.t.Helper()
		if r := send(p, path, page.Navigate, page.NavigateParams{URL: address}); r.ErrorText != "" {
			p.fatal(path, errors.New(r.ErrorText))
		}
	})
}

// Cookie gives the page a cookie, such as that of somebody who is signed in.
func (p *Page) Cookie(c *http.Cookie) {
	p.t.Helper()
	send(p, "the cookie", network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: p.base.String()})
}

// Screen makes the screen so many CSS pixels large, each of so many pixels wide.
func (p *Page) Screen(wide, high int64, scale float64) {
	p.t.Helper()
	send(p, "the screen", emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: wide, Height: high, DeviceScaleFactor: scale})
}

// URL is the address of the page that is shown.
func (p *Page) URL() string { p.t.Helper(); return run(p, "its address", chromedp.Location()) }

// Path is what stands behind the host.
func (p *Page) Path() string {
	u, err := url.Parse(p.URL())
	if err != nil {
		return ""
	}
	return u.RequestURI()
}

// Status is what the page was answered with.
func (p *Page) Status() int64 { p.mu.Lock(); defer p.mu.Unlock(); return p.status }

// Faults are what the browser found wrong since it was last asked: scripts that fail, errors in the console, what the content security policy
// stopped, what was asked of other hosts.
func (p *Page) Faults() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.faults
	p.faults = nil
	return out
}

// Picture writes what is shown as a PNG, so many pixels wide and high at most from the top.
func (p *Page) Picture(name string, wide, high int64) {
	p.t.Helper()
	p.Screen(wide, high, 1)
	time.Sleep(200 * time.Millisecond)
	png := run(p, "the picture", chromedp.CaptureScreenshot())
	if err := os.WriteFile(name, png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
