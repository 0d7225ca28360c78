package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mostExposed is the exposure of the unit that systemd works out, from 0 to 100. What is left is the network, which the service is for.
const mostExposed = "11"

// systemd finds nothing wrong with the unit, and what it starts starts: with the store and key that were made by hand, the key as a credential.
func TestUnit(t *testing.T) {
	t.Parallel()
	outside(t, "systemd-analyze", "systemd")
	b, err := os.ReadFile("../../docs/caseforms.service")
	if err != nil {
		t.Fatal(err)
	}
	program, err := exec.LookPath("caseforms")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	unit := filepath.Join(home, "caseforms.service")
	text := strings.ReplaceAll(string(b), "/usr/local/bin/caseforms", program)
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// It also tells of what it cannot look at in a container; that names no unit.
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	if err != nil || strings.Contains(string(out), "caseforms") {
		t.Errorf("verify: %v %s", err, regexp.MustCompile(`(?m)^.*/proc/1/fd/.*\n`).ReplaceAll(out, nil))
	}
	if out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+mostExposed, unit).CombinedOutput(); err != nil {
		t.Errorf("security: %v %s", err, out)
	}

	line := regexp.MustCompile(`(?m)^ExecStart=` + regexp.QuoteMeta(program) + ` serve (.*)$`).FindStringSubmatch(text)
	credential := regexp.MustCompile(`(?m)^LoadCredential=([a-z.]+):`).FindStringSubmatch(text)
	if line == nil || credential == nil {
		t.Fatal(text)
	}
	args := strings.Fields(strings.NewReplacer("/etc/caseforms", home, "/var/lib/caseforms", filepath.Join(home, "data"), "127.0.0.1:8080", "127.0.0.1:0").Replace(line[1]))
	if err := os.WriteFile(filepath.Join(home, "config.yaml"), []byte("serve: {url: https://caseforms.example}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(home, credential[1])
	for _, env := range []string{"CASEFORMS_KEY_FILE=" + key, "CREDENTIALS_DIRECTORY=" + home} {
		cmd := exec.Command(program, append([]string{"serve"}, args...)...)
		cmd.Env = append(os.Environ(), "HOME=/nonexistent", "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", env)
		var complaint lockedBuffer
		cmd.Stderr = &complaint
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(out).ReadString('\n')
		s := &served{t: t, cmd: cmd, err: &complaint}
		s.end()
		if line != "https://caseforms.example\n" {
			t.Errorf("%s: %q %s", env, line, &complaint)
		}
	}
	if _, err := os.Stat(key); err != nil {
		t.Error(err)
	}
}
