package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// keptLog is a log that is looked at afterwards.
type keptLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *keptLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *keptLog) keep(o *Options) { o.Log = NewLog(l) }

// secrets are the names, numbers, days of birth and addresses of everybody in the samples, of those who work in a house and of where they come from.
func secrets(t *testing.T) []string {
	t.Helper()
	all := map[string]bool{"192.0.2": true, "Sampleson": true}
	for _, p := range people {
		all[p.login], all[p.name] = true, true
	}
	personal := []string{"crn", "prison_number", "pnc", "cro", "visor_ref", "nhs_number", "nino", "family_name", "given_names", "name", "aliases", "nicknames", "dob", "lines", "postcode", "phone", "email"}
	var walk func(key string, v any)
	walk = func(key string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(k, x)
			}
		case []any:
			for _, x := range v {
				walk(key, x)
			}
		case string:
			if !slices.Contains(personal, key) {
				return
			}
			all[v] = true
			for _, word := range regexp.MustCompile(`[\s,]+`).Split(v, -1) {
				if len(word) > 5 { // names and places, not every Flat and Road
					all[word] = true
				}
			}
		}
	}
	files, err := filepath.Glob("../../samples/cases/*.json")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		walk("", v)
	}
	var out []string
	for s := range all {
		if len(s) > 2 && strings.Trim(s, "0123456789") != "" { // figures alone may be a number of bytes
			out = append(out, s)
		}
	}
	if len(out) < 200 {
		t.Fatalf("only %d things that nobody is to be told", len(out))
	}
	return out
}

// tellsNobody checks that every line of the log is JSON with what may stand there, that neither log nor figures have anything about anybody, and that
// promtool finds nothing wrong with the figures.
func (l *keptLog) tellsNobody(t *testing.T, h *house) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var told strings.Builder
	lines := 0
	for line := range strings.Lines(l.b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("a line of the log is not JSON: %v: %s", err, line)
		}
		for k, v := range m {
			if k == "time" || k == "level" || k == "msg" {
				continue
			}
			if !slices.Contains(logged, k) {
				t.Errorf("the log has %s", k)
			}
			b, _ := json.Marshal(v)
			told.Write(append(b, '\n'))
		}
		lines++
	}
	w := httptest.NewRecorder()
	h.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	figures := w.Body.String()
	if lines < len(h.routes) || !strings.Contains(figures, "caseforms_http_requests_total") {
		t.Errorf("%d lines, figures %.200s", lines, figures)
	}
	for what, text := range map[string]string{"log": told.String(), "figures": figures} {
		text = strings.ToLower(text)
		letter := func(i int) bool { return i >= 0 && i < len(text) && text[i] >= 'a' && text[i] <= 'z' }
		for _, s := range secrets(t) {
			s = strings.ToLower(s)
			for from, i := 0, 0; i >= 0; from += i + len(s) {
				if i = strings.Index(text[from:], s); i >= 0 && !letter(from+i-1) && !letter(from+i+len(s)) { // "sue" is in "issue"
					t.Errorf("the %s has %q: %.60s", what, s, text[from+i:])
					break
				}
			}
		}
	}
	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI needs promtool: apt-get install prometheus")
		}
		t.Log("promtool is not here: apt-get install prometheus")
		return
	}
	cmd := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(figures)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v %s", err, out)
	}
}
