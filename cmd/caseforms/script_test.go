package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/xuri/excelize/v2"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"caseforms": main})
}

// The scripts are the contract of the command line: what they show is what users and other programs may rely on.
func TestScripts(t *testing.T) {
	t.Parallel()
	samples, err := filepath.Abs("../../samples/cases")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("SAMPLES", samples)
			e.Setenv("BATCHES", filepath.Join(filepath.Dir(samples), "batch"))
			e.Setenv("HOME", filepath.Join(e.WorkDir, ".home"))
			u, err := user.Current()
			if err != nil {
				return err
			}
			e.Setenv("ME", u.Username)
			return nil
		},
		Cmds: with(postCommands, map[string]func(*testscript.TestScript, bool, []string){
			// nofiles: the folder is as empty as the script left it
			"nofiles": func(ts *testscript.TestScript, _ bool, args []string) {
				entries, err := os.ReadDir(ts.MkAbs("."))
				ts.Check(err)
				for _, e := range entries {
					if !strings.HasSuffix(e.Name(), ".json") && !e.IsDir() {
						ts.Fatalf("left behind: %s", e.Name())
					}
				}
			},
			// mode: the permissions of a file
			"mode": func(ts *testscript.TestScript, _ bool, args []string) {
				info, err := os.Stat(ts.MkAbs(args[1]))
				ts.Check(err)
				if got := info.Mode().Perm().String(); got != args[0] {
					ts.Fatalf("%s is %s", args[1], got)
				}
			},
			// keep: puts the first line that the last command printed, or the first of its words that begins so, into a variable
			"keep": func(ts *testscript.TestScript, _ bool, args []string) {
				first, _, _ := strings.Cut(ts.ReadFile("stdout"), "\n")
				if len(args) > 1 {
					for _, w := range strings.Fields(ts.ReadFile("stdout") + " " + ts.ReadFile("stderr")) {
						if w = strings.Trim(w, "(),"); strings.HasPrefix(w, args[1]) {
							first = w
						}
					}
				}
				ts.Setenv(args[0], first)
			},
			// keep-message: puts the number of the last message that was listed as JSON into a variable
			"keep-message": func(ts *testscript.TestScript, _ bool, args []string) {
				if m := regexp.MustCompile(`"message":"([0-9]+)"`).FindAllStringSubmatch(ts.ReadFile("stdout"), -1); len(m) > 0 {
					ts.Setenv(args[0], m[len(m)-1][1])
				} else {
					ts.Fatalf("no message was listed")
				}
			},
			// identity: makes an age identity, and the file of its recipient
			"identity": func(ts *testscript.TestScript, _ bool, args []string) {
				id, err := age.GenerateX25519Identity()
				ts.Check(err)
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(id.String()+"\n"), 0o600))
				ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(id.Recipient().String()+"\n"), 0o600))
			},
			// sheet: makes a workbook of a file with tabs between the cells
			"sheet": func(ts *testscript.TestScript, _ bool, args []string) {
				f := excelize.NewFile()
				for i, line := range strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n") {
					for j, cell := range strings.Split(line, "|") {
						name, err := excelize.CoordinatesToCellName(j+1, i+1)
						ts.Check(err)
						if day, err := time.Parse(time.DateOnly, cell); err == nil {
							ts.Check(f.SetCellValue("Sheet1", name, day))
						} else {
							ts.Check(f.SetCellStr("Sheet1", name, cell))
						}
					}
				}
				ts.Check(f.SaveAs(ts.MkAbs(args[1])))
			},
			// put: writes text into the cell of a column, by its heading, and a row of a workbook
			"put": func(ts *testscript.TestScript, _ bool, args []string) {
				f, err := excelize.OpenFile(ts.MkAbs(args[0]))
				ts.Check(err)
				defer f.Close()
				rows, err := f.GetRows(args[1])
				ts.Check(err)
				for i, row := range rows {
					if col := slices.Index(row, args[2]); col >= 0 && i < 3 {
						n, err := strconv.Atoi(args[3])
						ts.Check(err)
						at, err := excelize.CoordinatesToCellName(col+1, n)
						ts.Check(err)
						ts.Check(f.SetCellStr(args[1], at, args[4]))
						ts.Check(f.Save())
						return
					}
				}
				ts.Fatalf("no column %s on %s", args[2], args[1])
			},
			// cells: prints the cells of a sheet, a row on a line
			"cells": func(ts *testscript.TestScript, _ bool, args []string) {
				f, err := excelize.OpenFile(ts.MkAbs(args[0]))
				ts.Check(err)
				defer f.Close()
				rows, err := f.GetRows(args[1])
				ts.Check(err)
				for _, row := range rows {
					fmt.Fprintln(ts.Stdout(), strings.ReplaceAll(strings.Join(row, "|"), "\n", " / "))
				}
			},
			// spoil: changes the byte in the middle of a file
			"spoil": func(ts *testscript.TestScript, _ bool, args []string) {
				b, err := os.ReadFile(ts.MkAbs(args[0]))
				ts.Check(err)
				b[len(b)/2] ^= 1
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
			},
			// zipped: the names in a zip file, or the text of one of them
			"zipped": func(ts *testscript.TestScript, _ bool, args []string) {
				z, err := zip.OpenReader(ts.MkAbs(args[0]))
				ts.Check(err)
				defer z.Close()
				for _, f := range z.File {
					if len(args) == 1 {
						fmt.Fprintln(ts.Stdout(), f.Name)
					} else if strings.HasPrefix(f.Name, args[1]) && strings.HasSuffix(f.Name, args[2]) {
						r, err := f.Open()
						ts.Check(err)
						_, err = io.Copy(ts.Stdout(), r)
						ts.Check(err)
					}
				}
			},
			// bigcase: a case record of so many megabytes
			"bigcase": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(`{"person":{"family_name":"`+strings.Repeat("x", 30<<20)+`"}}`), 0o600))
			},
		}),
	})
}

func with[K comparable, V any](a, b map[K]V) map[K]V {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// A reader that is cut off is told, and nothing is written.
func TestInterruptLeavesNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	in, w := io.Pipe() // its other end never comes to an end
	go func() {
		io.WriteString(w, `{"person":`)
		cancel()
	}()
	var stderr strings.Builder
	out := filepath.Join(dir, "x.pdf")
	if code := run(ctx, []string{"fill", "check", "-", "--draft", "-o", out}, in, io.Discard, &stderr); code != exitInterrupted {
		t.Errorf("exit code %d, %s", code, stderr.String())
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("no room") }

// A full disk behind a pipe is a failure, not a success without output.
func TestFailingOutputFails(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	for _, args := range [][]string{{"forms"}, {"new", "cp1"}, {"fill", "check", "--blank", "-o", "-"}, {"check", "cp1", "../../samples/cases/04-many-children.json"}, {"check", "--json", "cp1", "../../samples/cases/01-simple.json"}} {
		if code := run(context.Background(), args, strings.NewReader(""), brokenWriter{}, &stderr); code != exitFailed {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	const simple, urgent = "../../samples/cases/01-simple.json", "../../samples/cases/03-urgent.json"
	for want, calls := range map[int][][]string{
		exitDone:   {{}, {"--help"}, {"help"}, {"fill", "--help"}, {"check", "cp1", simple}, {"check", "cp1", urgent}, {"fill", "cp1", simple, "-o", "-"}},
		exitFailed: {{"check", "check", urgent}, {"fill", "check", urgent, "-o", "-"}, {"fill", "cp9", simple}, {"check", "cp1", "nowhere"}, {"forms", "--area", "x"}, {"fill", "cp1", simple, "--profile", "secure", "--password-file", "nowhere", "-o", "-"}},
		exitUsage:  {{"--json"}, {"nothing"}, {"fill"}, {"fill", "cp1"}, {"check", "cp1", "a", "b"}, {"fill", "cp1", simple, "--profile", "secure"}, {"fill", "cp1", simple, "--password-file", "x"}, {"fill", "cp1", simple, "--password-file", "x", "--profile", "reply"}, {"fill", "cp1", simple, "--profile", "open"}, {"fill", "cp1", "--blank", "--draft"}},
	} {
		for _, args := range calls {
			var stderr strings.Builder
			code := run(context.Background(), args, strings.NewReader(""), io.Discard, &stderr)
			if code != want {
				t.Errorf("%v: exit code %d, want %d: %s", args, code, want, stderr.String())
			}
		}
	}
}

// BenchmarkColdStart is the first document of a process that has just begun: program start, definitions, case, four to five pages of PDF.
func BenchmarkColdStart(b *testing.B) {
	for b.Loop() {
		cmd := &exec.Cmd{Path: os.Args[0], Args: []string{"caseforms", "fill", "pp1", "../../samples/cases/03-urgent.json", "--draft", "-o", "-"}}
		if out, err := cmd.Output(); err != nil || !bytes.HasPrefix(out, []byte("%PDF")) {
			b.Fatal(err)
		}
	}
}
