package main

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"caseforms/internal/postoffice"
)

// The examples of docs/api.md are run in the order in which they stand, against the program; each prints what is said below it.
func TestAPIExamples(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"curl", "bash"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(name + " is not here: the examples of docs/api.md were not run")
		}
	}
	doc, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```(?:\n\n```text\n(.*?)```)?").FindAllStringSubmatch(string(doc), -1)
	if len(blocks) < 8 || strings.Count(string(doc), "```sh") != len(blocks) {
		t.Fatalf("%d examples", len(blocks))
	}
	home := t.TempDir()
	m, err := postoffice.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if err := configured(m, home, ""); err != nil {
		t.Fatal(err)
	}
	samples, err := filepath.Abs("../../samples")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(samples, filepath.Join(home, "samples")); err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(home, "config.yaml")
	first := exec.Command("caseforms", "--config", config, "policy", "set", "council.example", "--means", "tls", "--demonstrated", "2026-01-01", "--how", "a test", "--why", "a test")
	first.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=")
	if out, err := first.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := serve(t, home, "--config", config)
	// One shell runs them all, so that what one example sets is there in the next.
	script := "set -euo pipefail\ncaseforms() { command caseforms --config " + config + " \"$@\"; }\n"
	for _, b := range blocks {
		script += b[1] + "printf '\\n=====\\n'\n"
	}
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "URL="+s.url, "LOGIN="+me.Username)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, out, s.err)
	}
	parts := strings.Split(string(out), "\n=====\n")
	for i, b := range blocks {
		for line := range strings.Lines(b[2]) {
			if line = strings.TrimSpace(line); !strings.Contains(strings.ReplaceAll(parts[i], "\r", ""), line) {
				t.Errorf("example %d does not print %q: %.1500s", i+1, line, parts[i])
			}
		}
	}
	s.end()
}
