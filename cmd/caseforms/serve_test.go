package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptrace"
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

	"caseforms/internal/postoffice"

	"github.com/pquerna/otp/totp"
)

// served is a running service.
type served struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	home string
	out  *lockedBuffer // but for the first line
	err  *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// serve starts the program in a home of its own and waits until it listens.
func serve(t *testing.T, home string, args ...string) *served {
	t.Helper()
	cmd := exec.Command("caseforms", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	s := &served{t: t, cmd: cmd, home: home, out: &lockedBuffer{}, err: &lockedBuffer{}}
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=")
	cmd.Stderr = s.err
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	said := bufio.NewReader(out)
	line, err := said.ReadString('\n')
	if err != nil {
		cmd.Wait()
		t.Fatal("it did not begin: ", s.err)
	}
	s.url = strings.TrimSpace(line)
	go io.Copy(s.out, said)
	return s
}

var firstLink = regexp.MustCompile(`https?://\S+/first/[A-Za-z0-9_-]{43}`)

// first is the link by which the first comes in.
func (s *served) first() string {
	s.t.Helper()
	for range 1000 {
		if link := firstLink.FindString(s.out.String()); link != "" {
			return link
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatal("no link: ", s.out, s.err)
	return ""
}

// end tells the program to end, and waits for it.
func (s *served) end() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Error(err, s.err)
	}
}

// appCode is what an app shows now that was given the key on a page.
func appCode(t *testing.T, page string) string {
	t.Helper()
	key := regexp.MustCompile(`Key: <strong class="app-token">([A-Z2-7 ]+)<`).FindStringSubmatch(page)
	if key == nil {
		t.Fatalf("no key for an app: %s", page)
	}
	code, err := totp.GenerateCode(strings.ReplaceAll(key[1], " ", ""), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// figures waits until there is a figure.
func (s *served) figures(name string) {
	s.t.Helper()
	text := ""
	for end := time.Now().Add(20 * time.Second); !strings.Contains(text, name); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("there is no %s: %s", name, text)
		}
		_, text = fetch(s.t, http.DefaultClient, s.url+"/metrics")
	}
}

func fetch(t *testing.T, c *http.Client, address string) (int, string) {
	t.Helper()
	r, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(b)
}

// The first start prints a link, by which the admin gets in; the next start prints none.
func TestServe(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	s := serve(t, home)
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 200, "/nowhere": 404} {
		if code, body := fetch(t, c, s.url+path); code != want {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	link := s.first()
	if !strings.HasPrefix(link, s.url) {
		t.Fatal(s.out)
	}
	r, err := c.PostForm(link, url.Values{"login": {"betty"}, "name": {"Betty Boss"}, "password": {"four horses read slowly"}, "again": {"four horses read slowly"}})
	if err != nil {
		t.Fatal(err)
	}
	page, _ := io.ReadAll(r.Body)
	r.Body.Close()
	// A password alone is not enough: the admin sets up an app.
	if r, err = c.PostForm(s.url+"/sign-in/second", url.Values{"code": {appCode(t, string(page))}}); err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if code, body := fetch(t, c, s.url+"/people"); code != 200 || !strings.Contains(body, "Betty Boss") {
		t.Error(code, body)
	}
	s.end()
	again := serve(t, home, "--metrics", "127.0.0.1:0")
	// Who was signed in still is: sessions outlive the program.
	u, _ := url.Parse(again.url)
	old, _ := url.Parse(s.url)
	jar.SetCookies(u, jar.Cookies(old))
	if code, body := fetch(t, c, again.url+"/people"); code != 200 || !strings.Contains(body, "Betty Boss") {
		t.Error(code, body)
	}
	again.end()
	if all := again.out.String() + again.err.String() + s.err.String(); firstLink.MatchString(all) {
		t.Error(all)
	}
}

func TestServeDemo(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	began := time.Now()
	s := serve(t, home, "--demo")
	if took := time.Since(began); took > 5*time.Second { // within a second on an idle machine; tests run beside others
		t.Errorf("it took %s to begin", took)
	}
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar}
	for _, login := range []string{"petra", "mary", "alex", "audrey"} {
		r, err := c.PostForm(s.url+"/sign-in/demo", url.Values{"login": {login}})
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != 200 || !strings.Contains(string(b), "Everybody here is invented") || !strings.Contains(string(b), "Your work") {
			t.Errorf("%s: %d %s", login, r.StatusCode, b)
		}
	}
	made, _ := filepath.Glob(filepath.Join(home, "caseforms-demo-*"))
	if len(made) != 1 {
		t.Error(made)
	}
	s.end()
	if left, _ := filepath.Glob(filepath.Join(home, "*")); len(left) != 0 {
		t.Error("left behind: ", left)
	}
}

// With a certificate everything is https, and a renewed certificate needs no restart.
func TestServeTLS(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	cert, key := filepath.Join(home, "cert.pem"), filepath.Join(home, "key.pem")
	pool := certify(t, cert, key)
	s := serve(t, home, "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(s.url, "https://") {
		t.Fatal(s.url)
	}
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	r, err := c.Get(s.url + "/sign-in")
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, r.Body)
	r.Body.Close()
	if r.ProtoMajor != 2 || r.StatusCode != 200 || r.Header.Get("Strict-Transport-Security") == "" {
		t.Error(r)
	}
	if _, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	for _, weak := range []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_GCM_SHA256} {
		if _, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{weak}}); err == nil {
			t.Errorf("%s is spoken", tls.CipherSuiteName(weak))
		}
	}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	// A renewed certificate is used as soon as it is whole. Who is connected stays so, and nobody is refused meanwhile.
	shows := func(pool *x509.CertPool) error {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.url, "https://"), &tls.Config{RootCAs: pool})
		if err == nil {
			conn.Close()
		}
		return err
	}
	if err := os.WriteFile(cert, []byte("-----BEGIN CERTIFICATE-----\nMIIB"), 0o600); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) { // it is looked at when somebody connects
		if err := shows(pool); err != nil {
			t.Fatal("half a certificate is used: ", err)
		}
		if strings.Contains(s.err.String(), "the renewed one or its key cannot be used") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("that it cannot be used is not told: ", s.err)
		}
	}
	renewed := certify(t, cert, key)
	for end := time.Now().Add(10 * time.Second); shows(renewed) != nil; time.Sleep(50 * time.Millisecond) {
		if err := shows(pool); err != nil && shows(renewed) != nil || time.Now().After(end) {
			t.Fatal("neither the one before nor the renewed one: ", err)
		}
	}
	stays := false
	req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { stays = i.Reused }}), "GET", s.url+"/sign-in", nil)
	if r, err = c.Do(req); err != nil || !stays {
		t.Fatal("who was connected is not any more: ", err)
	}
	r.Body.Close()
	s.end()
}

// What is under way when the program is told to end is finished.
func TestServeFinishes(t *testing.T) {
	t.Parallel()
	s := serve(t, t.TempDir(), "--demo")
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := "login=petra"
	io.WriteString(conn, "POST /sign-in/demo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n")
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") { // the body is being read
		t.Fatalf("%q %v", line, err)
	}
	if line, err := answers.ReadString('\n'); err != nil || line != "\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	io.WriteString(conn, body[:4])
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(end) {
			t.Fatal("it still takes new ones")
		}
	}
	io.WriteString(conn, body[4:])
	r, err := http.ReadResponse(answers, nil)
	if err != nil || r.StatusCode != 303 || r.Header.Get("Set-Cookie") == "" {
		t.Error(r, err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Error(err, s.err)
	}
}

func certify(t *testing.T, cert, key string) *x509.CertPool {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: b}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	parsed, _ := x509.ParseCertificate(der)
	pool.AddCert(parsed)
	return pool
}

// With e-mail in the configuration the service sends what is due and takes in what comes, with nobody running anything else.
func TestServeMail(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	p, err := postoffice.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if err := configured(p, home, ""); err != nil {
		t.Fatal(err)
	}
	samples, err := filepath.Abs("../../samples/cases")
	if err != nil {
		t.Fatal(err)
	}
	say := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("caseforms", append(args, "--config", "config.yaml")...)
		cmd.Dir, cmd.Env = home, append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=")
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, &complaint)
		}
		return string(out)
	}
	ref, _, _ := strings.Cut(say("record", "cp1", samples+"/01-simple.json"), "\n")
	say("recipient", "add", "front_door", "Northtown MASH", "--area", "Northtown Council", "--address", "mash@northtown.example", "--demonstrated", time.Now().Format(time.DateOnly), "--how", "TLS test")
	say("policy", "set", "northtown.example", "--means", "tls", "--why", "forced TLS tested")
	s := serve(t, home, "--config", "config.yaml")
	say("send", ref, "--to", "front_door", "--without", "not ready")
	wait := func(what string, done func() bool) {
		t.Helper()
		for range 300 {
			if done() {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Fatalf("%s: not within half a minute: %s", what, s.err)
	}
	wait("sending", func() bool { return len(p.All()) == 1 })
	if err := p.Put([]byte("From: stranger@elsewhere.example\r\nTo: safeguarding@probation.example\r\nSubject: hello\r\nMessage-ID: <x@elsewhere.example>\r\nDate: Wed, 25 Nov 2026 09:00:00 +0000\r\n\r\nIs this " + ref + "?\r\n")); err != nil {
		t.Fatal(err)
	}
	wait("taking in", func() bool { return strings.Contains(say("inbox"), "stranger@elsewhere.example") })
	s.end()
	if text := s.err.String(); strings.Contains(text, "northtown") || strings.Contains(text, "stranger") || strings.Contains(text, "Sampleson") {
		t.Error("the log tells who: ", text)
	}
}
