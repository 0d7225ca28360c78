// Command caseforms fills the forms that probation owes other agencies from one case record. See docs and caseforms --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // Europe/London on machines that have no zone data

	"github.com/spf13/pflag"

	"caseforms"
	"caseforms/internal/intake"
	"caseforms/templates"
)

// Exit codes, part of the command line's contract (docs/cli.md).
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitPartly      = 3
	exitHeld        = 4
	exitOverdue     = 5
	exitInterrupted = 130
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == intake.ChildArg {
		os.Exit(intake.Child(os.Stdin, os.Stdout)) // not a command: the program starts itself so to read a file it does not trust
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// command is one command of the program. Its flags are registered on a set of its own and may stand anywhere.
type command struct {
	name    string
	args    string
	does    string
	example string
	stores  bool // it uses the store
	flags   func(*invocation)
	run     func(context.Context, *invocation) error
}

func commands() []*command {
	return []*command{
		formsCommand, newCommand, schemaCommand, checkCommand, fillCommand, templateCommand, batchCommand,
		recordCommand, sendCommand, releaseCommand, outboxCommand, inboxCommand, answerCommand, noteCommand, dueCommand, inspectCommand, countersignCommand, handoverCommand, showCommand, findCommand, verifyCommand, draftCommand,
		recipientCommand, policyCommand, userCommand, restrictCommand, exportCommand, eraseCommand, backupCommand, restoreCommand, serveCommand, configCommand,
	}
}

// invocation is one call of a command: its words, its streams, the flags it shares with others, and its own in opt.
type invocation struct {
	cmd    *command
	set    *pflag.FlagSet
	args   []string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	now    func() time.Time

	json       bool
	area       string
	data       string
	configFile string
	opt        options
	configured *config // once it was read
}

// options are the flags of single commands.
type options struct {
	output, format, copy, profile, passwordFile, addressee string
	draft, blank, force                                    bool

	channel, address, phone, demonstrated, how, means, relay string

	by, with, as, at, note, from, kind, until, doneRule, register, ics, digest, since string
	cases                                                                             []string
	children                                                                          []int
	handOff                                                                           int64
	days                                                                              int
	mine, told, back                                                                  bool

	again, why, caseID, draftID, against, identity, erasures, name, role string
	to, teams, formats, scopes, reasons                                  []string
	test                                                                 bool
	expires                                                              string
	issue, base, jobs                                                    int
	once, chase, dryRun, now, record                                     bool
	confirm, file, without, merge, zip                                   string
	attach                                                               []string
	listen, tlsCert, tlsKey, metrics                                     string
	demo, behindProxy                                                    bool
	message                                                              int64
	seenIssue                                                            int
	seen                                                                 string
	hold, releaseHold, list, yes, open, samePerson, named                bool
}

// errUsage is a call that was worded wrongly.
type errUsage struct{ msg string }

func (e errUsage) Error() string { return e.msg }

// errOverdue ends a command that found something overdue.
var errOverdue = errors.New("overdue")

// errHeld ends a command that sent what it could: policy holds something.
var errHeld = errors.New("held")

// errInterrupted ends a command that was interrupted and has told how far it came.
var errInterrupted = errors.New("interrupted")

// errReported ends a command that has already told what was wrong.
var errReported = errors.New("reported")

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := &sticky{w: stdout}
	inv := &invocation{stdin: stdin, stdout: out, stderr: stderr, now: time.Now, json: slices.Contains(args, "--json")}
	err := inv.dispatch(ctx, args)
	if err == nil && out.err != nil {
		err = &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the result cannot be written", Err: plain(out.err)}
	}
	var usage errUsage
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case errors.Is(err, errPartly):
		return exitPartly
	case ctx.Err() != nil:
		inv.complain(&caseforms.Error{Kind: caseforms.Unavailable, Msg: "interrupted; nothing was written"})
		return exitInterrupted
	case errors.As(err, &usage):
		hint := "caseforms --help"
		if inv.cmd != nil {
			hint = "caseforms " + inv.cmd.name + " --help"
		}
		inv.complain(&caseforms.Error{Kind: caseforms.Invalid, Msg: usage.msg, Hint: hint})
		return exitUsage
	case errors.Is(err, errOverdue):
		return exitOverdue
	case errors.Is(err, errHeld):
		return exitHeld
	case errors.Is(err, errReported):
	default:
		inv.complain(err)
	}
	if ours, ok := errors.AsType[*caseforms.Error](err); ok && ours.Kind == caseforms.Held {
		return exitHeld
	}
	return exitFailed
}

// sticky keeps the first error of writing results, so that a full disk behind a pipe is not taken for success.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}

// dispatch finds the command among the words, wherever it stands, and calls it.
func (inv *invocation) dispatch(ctx context.Context, args []string) error {
	for i, a := range args {
		if i > 0 && slices.Contains([]string{"--data", "--config", "--area"}, args[i-1]) {
			continue // the value of a flag, whatever it is called
		}
		for _, c := range commands() {
			if c.name == a {
				return inv.call(ctx, c, append(slices.Clone(args[:i]), args[i+1:]...))
			}
		}
	}
	for _, a := range args {
		if !strings.HasPrefix(a, "-") && a != "help" {
			return errUsage{"there is no command " + quoted(a)}
		}
	}
	if len(args) > 0 && !slices.Contains(args, "--help") && !slices.Contains(args, "-h") && !slices.Contains(args, "help") {
		return errUsage{"there is no command"}
	}
	return inv.help()
}

func (inv *invocation) call(ctx context.Context, c *command, args []string) error {
	inv.cmd = c
	inv.set = pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	inv.set.SetOutput(io.Discard)
	inv.set.SortFlags = false
	c.flags(inv)
	inv.set.BoolVar(&inv.json, "json", false, "results and problems as one JSON object a line")
	data := "folder of the store"
	if !c.stores {
		data += " (this command uses none)"
	}
	inv.set.StringVar(&inv.data, "data", "", data)
	inv.set.StringVar(&inv.configFile, "config", "", "configuration file")
	if err := inv.set.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return inv.commandHelp()
		}
		inv.json = slices.Contains(args, "--json")
		return errUsage{err.Error()}
	}
	inv.args = inv.set.Args()
	return c.run(ctx, inv)
}

func quoted(s string) string {
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}

func (inv *invocation) help() error {
	var b strings.Builder
	b.WriteString("caseforms: one case record fills every form, and what is issued is kept.\n\n  caseforms fill cp1 samples/cases/01-simple.json -o cp1.pdf\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-26s %s\n", c.name+" "+c.args, c.does)
	}
	b.WriteString("\nA CASE is a JSON file; - is standard input. caseforms COMMAND --help says more.\n")
	_, err := io.WriteString(inv.stdout, b.String())
	return err
}

func (inv *invocation) commandHelp() error {
	_, err := fmt.Fprintf(inv.stdout, "  %s\n\ncaseforms %s %s\n%s\n\nOptions:\n%s", inv.cmd.example, inv.cmd.name, inv.cmd.args, inv.cmd.does, inv.set.FlagUsages())
	return err
}

func (inv *invocation) areaFlag() {
	inv.set.StringVar(&inv.area, "area", "", "area whose forms and words are used ("+strings.Join(templates.Areas(), ", ")+")")
}

// definitions are those of the area that was named, else of the configured one.
func (inv *invocation) definitions() (*caseforms.Definitions, error) {
	area, err := inv.areaName()
	if err != nil {
		return nil, err
	}
	return templates.Load(area)
}

func (inv *invocation) areaName() (string, error) {
	if inv.area != "" {
		return inv.area, nil
	}
	c, err := inv.config()
	if err != nil {
		return "", err
	}
	return c.Area, nil
}

// want checks the number of words behind the command.
func (inv *invocation) want(least, most int) error {
	switch n := len(inv.args); {
	case n < least:
		return errUsage{"too few words: " + inv.cmd.name + " " + inv.cmd.args}
	case n > most:
		return errUsage{"too many words: " + inv.cmd.name + " " + inv.cmd.args}
	}
	return nil
}

// today is the day in London, which the forms go by.
func (inv *invocation) today() caseforms.Date { return caseforms.DateOf(caseforms.London(inv.now())) }
