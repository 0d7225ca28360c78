package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// outside tells that a program of somebody else is here. Without it a test is skipped; with CI=true it fails.
func outside(t *testing.T, name, pack string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI needs %s: apt-get install %s", name, pack)
		}
		t.Skipf("%s is not here: apt-get install %s", name, pack)
	}
}

// freePort is one that nobody listens on at this moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// proxy is an nginx that runs.
type proxy struct {
	dir, plain, secure string // plain leads to secure, which has https
	pool               *x509.CertPool
}

// left tells of files that nginx holds of what goes through it. They have no names any more; their descriptors tell.
func (p *proxy) left(t *testing.T) {
	t.Helper()
	open, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil || len(open) == 0 {
		t.Fatal("it is not known which files are open: ", err)
	}
	for _, fd := range open {
		if file, _ := os.Readlink(fd); strings.HasPrefix(file, p.dir+"/held/") {
			t.Errorf("on the disk of nginx: %s", file)
		}
	}
}

// nginx runs as docs/service.md says, in a folder of its own, before a service that listens at backend.
func nginx(t *testing.T, backend string) *proxy {
	t.Helper()
	outside(t, "nginx", "nginx-light")
	doc, err := os.ReadFile("../../docs/service.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindSubmatch(doc)
	if block == nil {
		t.Fatal("docs/service.md says nothing of nginx")
	}
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	p := &proxy{dir: dir, plain: freePort(t), secure: freePort(t), pool: certify(t, cert, key)}
	site := string(block[1])
	for old, put := range map[string]string{
		"server 127.0.0.1:8080;": "server " + backend + ";", "listen 80;": "listen " + p.plain + ";", "listen 443 ssl;": "listen " + p.secure + " ssl;",
		"/etc/caseforms/tls/fullchain.pem": cert, "/etc/caseforms/tls/key.pem": key,
	} {
		if strings.Count(site, old) != 1 {
			t.Fatalf("%q does not stand once in what docs/service.md says of nginx", old)
		}
		site = strings.Replace(site, old, put, 1)
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // the folder is ours alone
	}
	if err := os.Mkdir(filepath.Join(dir, "held"), 0o700); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; %s pid %[2]s/pid; error_log stderr;
events {}
http {
client_body_temp_path %[2]s/held/body; proxy_temp_path %[2]s/held/proxy; fastcgi_temp_path %[2]s/held/f; uwsgi_temp_path %[2]s/held/u; scgi_temp_path %[2]s/held/s;
%s}
`, user, dir, site)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nginx", "-p", dir, "-e", "stderr", "-c", conf)
	var complaint lockedBuffer
	cmd.Stderr = &complaint
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("nginx: %s", &complaint)
		}
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", p.secure)
		if err == nil {
			c.Close()
			return p
		}
		if time.Now().After(end) {
			t.Fatal("nginx does not start: ", &complaint)
		}
	}
}

// caller is somebody with an address of this machine, by which they reach the proxy whatever the name.
func caller(from, to string, pool *x509.CertPool) *http.Client {
	jar, _ := cookiejar.New(nil)
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "tcp", to) },
			TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"},
		}}
}

// Behind nginx, set up as the documentation says, everything is as without it.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	backend := freePort(t)
	p := nginx(t, backend)
	plain, secure, pool := p.plain, p.secure, p.pool
	_, port, _ := net.SplitHostPort(secure)
	base := "https://caseforms.example:" + port
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "config.yaml"), []byte("serve: {url: \""+base+"\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func() *served {
		return serve(t, home, "--config", "config.yaml", "--behind-proxy", "--listen", backend)
	}
	s := run()
	do := func(c *http.Client, method, address string, body io.Reader, header ...string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequest(method, address, body)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
				r.Host = header[i+1]
			}
		}
		a, err := c.Do(r)
		if err != nil {
			t.Fatal(method, " ", address, ": ", err)
		}
		defer a.Body.Close()
		b, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		return a, string(b)
	}
	form := func(pairs ...string) io.Reader {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return strings.NewReader(v.Encode())
	}
	const urlencoded = "application/x-www-form-urlencoded"
	betty := caller("127.0.0.1", secure, pool)

	// Whoever comes without encryption is led to where there is.
	if a, _ := do(caller("127.0.0.1", plain, pool), "GET", "http://caseforms.example/sign-in?why=out", nil, "X-Forwarded-Proto", "https"); a.StatusCode != 301 || a.Header.Get("Location") != "https://caseforms.example/sign-in?why=out" {
		t.Error(a.StatusCode, a.Header)
	}
	if a, _ := do(caller("127.0.0.1", backend, pool), "GET", "http://caseforms.example:"+port+"/sign-in", nil); a.StatusCode != 403 {
		t.Error("past the proxy: ", a.StatusCode)
	}
	// Every header stands there once.
	for path, want := range map[string]int{"/sign-in": 200, "/nowhere": 404, "/api/v1/openapi.json": 200, "/api/v1/forms": 401, "/healthz": 200, "/readyz": 200, "/metrics": 403} {
		a, _ := do(betty, "GET", base+path, nil)
		if a.StatusCode != want {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
		for k, v := range a.Header {
			if len(v) != 1 {
				t.Errorf("%s: %s stands there %d times", path, k, len(v))
			}
		}
		for _, k := range []string{"Content-Security-Policy", "Strict-Transport-Security", "X-Content-Type-Options", "Referrer-Policy", "Cache-Control"} {
			if a.Header.Get(k) == "" {
				t.Errorf("%s: no %s", path, k)
			}
		}
		if a.Header.Get("Server") != "nginx" {
			t.Errorf("the server is told as %q", a.Header.Get("Server"))
		}
	}
	// Only our own address is answered to, whatever else is said of it.
	for _, h := range [][]string{{"Host", "elsewhere.example"}, {"Host", "127.0.0.1"}, {"Host", "elsewhere.example", "X-Forwarded-Host", "caseforms.example:" + port}} {
		if a, body := do(betty, "GET", base+"/sign-in", nil, h...); a.StatusCode != 421 || !strings.Contains(body, "not the address of the service") {
			t.Errorf("%v: %d", h, a.StatusCode)
		}
	}
	if a, _ := do(betty, "GET", base+"/sign-in", nil, "X-Forwarded-Host", "elsewhere.example"); a.StatusCode != 200 {
		t.Error("X-Forwarded-Host is believed: ", a.StatusCode)
	}

	// The first comes in, with a cookie that only https has.
	link := s.first()
	if !strings.HasPrefix(link, base) {
		t.Fatal(link)
	}
	a, body := do(betty, "POST", link, form("login", "betty", "name", "Betty Boss", "password", "four horses read slowly", "again", "four horses read slowly"), "Content-Type", urlencoded, "Origin", base)
	if a.StatusCode != 303 {
		t.Fatal(a.StatusCode, body)
	}
	_, body = do(betty, "GET", base+a.Header.Get("Location"), nil)
	a, body = do(betty, "POST", base+"/sign-in/second", form("code", appCode(t, body)), "Content-Type", urlencoded, "Origin", base)
	if c := strings.Join(a.Header["Set-Cookie"], "\n"); a.StatusCode > 303 || !strings.Contains(c, "__Host-caseforms-session=") || !strings.Contains(c, "; Secure") {
		t.Fatal(a.StatusCode, c, body)
	}
	if a, body := do(betty, "GET", base+"/people", nil); a.StatusCode != 200 || !strings.Contains(body, "Betty Boss") {
		t.Error(a.StatusCode, body)
	}
	if a, _ := do(betty, "POST", base+"/account/sessions/end-others", nil, "Origin", "https://elsewhere.example"); a.StatusCode != 403 {
		t.Error("of another site: ", a.StatusCode)
	}

	// Who guesses is slowed down by the address that nginx saw, not by one that they say.
	guess := func(c *http.Client, says string) int {
		t.Helper()
		a, _ := do(c, "POST", base+"/sign-in", form("login", "betty", "password", "not the right one"), "Content-Type", urlencoded, "X-Forwarded-For", says)
		return a.StatusCode
	}
	guesser, other := caller("127.0.0.2", secure, pool), caller("127.0.0.3", secure, pool)
	for i := range 5 {
		if code := guess(guesser, fmt.Sprintf("192.0.2.%d", i)); code != 403 {
			t.Errorf("guess %d: %d", i, code)
		}
	}
	if code := guess(guesser, "127.0.0.3"); code != 429 {
		t.Errorf("saying to be another helps who guesses: %d", code)
	}
	if code := guess(other, "127.0.0.2"); code != 403 {
		t.Errorf("who does not guess is slowed down: %d", code)
	}

	// Too much is told as that: by our page, and beyond what nginx lets through by nginx. Each a few times, because the answer comes while the
	// rest is still being sent.
	upload := func(size int) (io.Reader, string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		f, err := w.CreateFormFile("file", "x.xlsx")
		if err != nil {
			t.Fatal(err)
		}
		f.Write(make([]byte, size))
		w.Close()
		return &b, w.FormDataContentType()
	}
	for _, x := range []struct {
		size int
		says string
	}{{5 << 20, "At most 4 MB are taken here"}, {30 << 20, "At most 4 MB are taken here"}, {41 << 20, "413 Request Entity Too Large"}} {
		for range 4 {
			data, kind := upload(x.size)
			if a, body := do(betty, "POST", base+"/directory/import", data, "Content-Type", kind); a.StatusCode != 413 || !strings.Contains(body, x.says) {
				t.Errorf("%d MB: %d %.300s", x.size>>20, a.StatusCode, body)
			}
		}
	}
	data, kind := upload(3 << 20)
	if a, body := do(betty, "POST", base+"/directory/import", data, "Content-Type", kind); a.StatusCode != 422 {
		t.Errorf("an upload that is no workbook: %d %.300s", a.StatusCode, body)
	}

	// It ends while nginx holds connections open, and finishes what is under way.
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			r, err := betty.Get(base + "/sign-in")
			if err == nil {
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
			}
		})
	}
	all.Wait()
	data, kind = upload(3 << 20)
	large, _ := io.ReadAll(data)
	r, w := io.Pipe()
	answered := make(chan string, 1)
	go func() {
		req, _ := http.NewRequest("POST", base+"/directory/import", r)
		req.Header.Set("Content-Type", kind)
		a, err := betty.Do(req)
		if err != nil {
			answered <- err.Error()
			return
		}
		a.Body.Close()
		answered <- a.Status
	}()
	w.Write(large[:1<<20])
	time.Sleep(300 * time.Millisecond) // until it is there; nothing tells
	p.left(t)
	began := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		if a, _ := do(betty, "GET", base+"/sign-in", nil); a.StatusCode == 502 {
			break
		}
		if time.Since(began) > 20*time.Second {
			t.Fatal("it still takes new ones")
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.Write(large[1<<20:])
	w.Close()
	if says := <-answered; !strings.HasPrefix(says, "422 ") { // it was read to its end, and is no workbook
		t.Errorf("what was under way: %s", says)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Error(err, s.err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s to end", took)
	}
	s = run()
	if a, body := do(betty, "GET", base+"/people", nil); a.StatusCode != 200 || !strings.Contains(body, "Betty Boss") {
		t.Error("started anew: ", a.StatusCode, body)
	}
	s.end()
}
