package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"caseforms/internal/postoffice"
)

// A batch that issues and sends is killed again and again, and begun in another folder at times: each row is issued once and queued once.
func TestBatchIsIssuedOnceThoughKilled(t *testing.T) {
	t.Parallel()
	const rows = 60
	dir := t.TempDir()
	m, err := postoffice.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := configured(m, dir, ""); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../../samples/cases/07-level-3.json")
	if err != nil {
		t.Fatal(err)
	}
	var in bytes.Buffer
	for i := range rows {
		var c map[string]any
		if err := json.Unmarshal(data, &c); err != nil {
			t.Fatal(err)
		}
		p := c["person"].(map[string]any)
		p["crn"], p["family_name"] = fmt.Sprintf("X%06d", i+1), "Sample"+strings.Repeat("a", i%7)
		for _, id := range []string{"prison_number", "pnc", "cro", "visor_ref"} {
			delete(p, id)
		}
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	input := filepath.Join(dir, "in.jsonl")
	if err := os.WriteFile(input, in.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) *exec.Cmd {
		cmd := &exec.Cmd{Path: os.Args[0], Args: append([]string{"caseforms", "--config", filepath.Join(dir, "config.yaml"), "--data", filepath.Join(dir, "data")}, args...)}
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+filepath.Join(dir, "keys"))
		return cmd
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := command(args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run("recipient", "add", "public_protection_office", "Northtown PPO", "--address", "ppo@police.example", "--demonstrated", "2026-11-01", "--how", "tested")
	run("policy", "set", "police.example", "--means", "tls", "--why", "agreed")
	batch := func(i int) []string {
		return []string{"batch", "pp1", input, "-o", filepath.Join(dir, fmt.Sprint("out", i%2)), "--format", "txt", "--record", "--to", "public_protection_office", "--without", "a test"}
	}
	for i := range 8 {
		cmd := command(batch(i)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50*time.Millisecond + rand.N(500*time.Millisecond))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for i := range 2 {
		run(batch(i)...)
	}
	out := run("outbox", "--json")
	refs := map[string]bool{}
	for line := range strings.Lines(out) {
		var s struct{ Ref string }
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		refs[s.Ref] = true
	}
	if n := strings.Count(out, `"type":"send"`); n != rows || len(refs) != rows {
		t.Errorf("%d sends of %d documents, want %d of each", n, len(refs), rows)
	}
	for i := range 2 {
		files, err := filepath.Glob(filepath.Join(dir, fmt.Sprint("out", i), "pp1-*.txt"))
		if err != nil || len(files) != rows {
			t.Errorf("%d files in the folder, %v", len(files), err)
		}
	}
	if out := run("verify", "ledger"); !strings.Contains(out, fmt.Sprintf("%d documents", rows)) {
		t.Errorf("the store has another number of documents: %s", out)
	}
}

// What a killed batch had of a list, a print file and a zip file nobody else could read, and the next run for the same files takes it away.
func TestKilledBatchLeavesNothingBeside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, err := os.ReadFile("../../samples/cases/07-level-3.json")
	if err != nil {
		t.Fatal(err)
	}
	var one bytes.Buffer
	if err := json.Compact(&one, data); err != nil {
		t.Fatal(err)
	}
	one.WriteByte('\n')
	command := func(rows int, out string) *exec.Cmd {
		in := filepath.Join(dir, fmt.Sprint(rows, ".jsonl"))
		lines := strings.ReplaceAll(strings.Repeat(one.String(), rows), "\n", " \n")
		if err := os.WriteFile(in, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := &exec.Cmd{Path: os.Args[0], Args: []string{"caseforms", "batch", "pp1", in, "-o", filepath.Join(dir, out), "--jobs", "1",
			"--register", filepath.Join(dir, "list.xlsx"), "--merge", filepath.Join(dir, "all.pdf"), "--zip", filepath.Join(dir, "all.zip")}}
		cmd.Env = append(os.Environ(), "HOME="+dir)
		return cmd
	}
	hidden := func() []string {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(dir, ".*"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	cmd := command(20_000, "killed")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); len(hidden()) < 2 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	left := hidden()
	if len(left) == 0 {
		t.Fatal("it was not killed while it wrote")
	}
	for _, name := range left {
		if info, err := os.Stat(name); err != nil || info.Mode() != os.ModeDir|0o700 {
			t.Errorf("%s can be read by others: %v %v", filepath.Base(name), info.Mode(), err)
		}
	}
	if out, err := command(2, "next").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if left := hidden(); len(left) > 0 {
		t.Errorf("%q", left)
	}
	// What a link leads to is not emptied.
	for _, name := range []string{"list.xlsx", "all.pdf", "all.zip"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "next"), filepath.Join(dir, ".caseforms-all.pdf")); err != nil {
		t.Fatal(err)
	}
	if out, err := command(2, "third").CombinedOutput(); err == nil || !strings.Contains(string(out), "is in the way") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "next", "manifest.jsonl")); err != nil {
		t.Error(err)
	}
}
