package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"filippo.io/age"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/templates"
)

// config is the configuration file. Every key may be left out. Who works with the store and what they may do is in the store.
type config struct {
	Data   string            // folder of the store
	Area   string            // whose forms and words are used
	People map[string]string // name of a user of the operating system: login of the person in the store; else they are the same
	Backup []string          // recipients that backups are encrypted to: age1…
	Closed map[string]string // days beside the bank holidays on which the offices are shut, and why
	Mail   *mailConfig       // nil: nothing goes by e-mail
	Serve  *serveConfig      // nil: the service is known by its address only, and people sign in with passwords

	file string // where it was read from; "" when there is none
}

// config reads the configuration: the file that --config names, else the one in the user's configuration folder if it is there.
func (inv *invocation) config() (*config, error) {
	if inv.configured != nil {
		return inv.configured, nil
	}
	c := &config{}
	name := inv.configFile
	if name == "" {
		if dir, err := os.UserConfigDir(); err == nil {
			name = filepath.Join(dir, "caseforms", "config.yaml")
		}
	}
	data, err := os.ReadFile(name)
	switch {
	case err == nil:
		if ps := templates.Decode(filepath.Base(name), data, c); len(ps) > 0 && len(data) > 0 {
			return nil, &templates.Invalid{Problems: ps}
		}
		c.file = name
	case inv.configFile != "" || !errors.Is(err, fs.ErrNotExist) && name != "":
		return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the configuration cannot be read", Err: plain(err)}
	}
	inv.configured = c
	return c, nil
}

// closedDays are the days on which the offices are shut.
func (c *config) closedDays() (out []caseforms.Holiday, err error) {
	for day, why := range c.Closed {
		t, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the configuration has a closed day that is not a day", Hint: "write it as 2026-12-24: Office shut"}
		}
		out = append(out, caseforms.Holiday{On: caseforms.DateOf(t), Name: why})
	}
	return out, nil
}

// dataDir is the folder of the store: --data, else the configured one, else the user's own.
func (inv *invocation) dataDir() (string, error) {
	if inv.data != "" {
		return inv.data, nil
	}
	c, err := inv.config()
	if err != nil {
		return "", err
	}
	if c.Data != "" {
		if filepath.IsAbs(c.Data) {
			return c.Data, nil
		}
		return filepath.Join(filepath.Dir(c.file), c.Data), nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "caseforms"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", &caseforms.Error{Kind: caseforms.Unavailable, Msg: "there is no home folder to keep a store in", Hint: "name a folder with --data"}
	}
	switch runtime.GOOS {
	case "windows":
		return filepath.Join(home, "AppData", "Local", "caseforms", "data"), nil
	case "darwin":
		return filepath.Join(home, "Library", "Application Support", "caseforms", "data"), nil
	}
	return filepath.Join(home, ".local", "share", "caseforms"), nil
}

func keys() store.Keys {
	k := store.Keys{Credentials: os.Getenv("CREDENTIALS_DIRECTORY"), File: os.Getenv("CASEFORMS_KEY_FILE")}
	if dir, err := os.UserConfigDir(); err == nil {
		k.Config = filepath.Join(dir, "caseforms")
	}
	return k
}

// storeOptions say which store, and under which clock: CASEFORMS_NOW stands for the real time in test stores.
func (inv *invocation) storeOptions() (store.Options, error) {
	dir, err := inv.dataDir()
	o := store.Options{Dir: dir, Keys: keys(), Now: inv.now}
	if s := os.Getenv("CASEFORMS_NOW"); s != "" && err == nil {
		t, bad := time.Parse(time.RFC3339, s)
		if bad != nil {
			return o, &caseforms.Error{Kind: caseforms.Invalid, Msg: "CASEFORMS_NOW is not a time", Hint: "write it as 2026-11-25T09:00:00Z, or unset it: it is for tests only"}
		}
		inv.now = func() time.Time { return t }
		o.Now, o.Clock = inv.now, true
	}
	return o, err
}

// openDesk opens the store. It is made when it is not there only if make is set. The caller closes it.
func (inv *invocation) openDesk(ctx context.Context, make bool) (*casework.Desk, func() error, error) {
	o, err := inv.storeOptions()
	if err != nil {
		return nil, nil, err
	}
	open := store.Open
	if make {
		open = store.OpenOrCreate
	}
	s, err := open(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	k := casework.New(s, templates.Load)
	c, err := inv.config()
	if err == nil {
		var days []caseforms.Holiday
		if days, err = c.closedDays(); err == nil {
			k.Close(days...)
		}
	}
	if err == nil && c.Mail != nil {
		var p *casework.Post
		if p, err = c.post(); err == nil {
			k.Mail(p)
		}
	}
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	return k, s.Close, nil
}

// desk is openDesk, and tells who is at work: the user of the operating system, as the configuration and the store know them.
func (inv *invocation) desk(ctx context.Context, make bool) (*casework.Desk, caseforms.Actor, func() error, error) {
	k, done, err := inv.openDesk(ctx, make)
	if err != nil {
		return nil, caseforms.Actor{}, nil, err
	}
	login, name, err := inv.login()
	if err == nil {
		var a caseforms.Actor
		if a, err = k.Actor(ctx, login, name); err == nil {
			return k, a, done, nil
		}
	}
	done()
	return nil, caseforms.Actor{}, nil, err
}

// at does an act at the desk and closes the store.
func (inv *invocation) at(ctx context.Context, make bool, do func(*casework.Desk, caseforms.Actor) error) error {
	k, a, done, err := inv.desk(ctx, make)
	if err != nil {
		return err
	}
	err = do(k, a)
	if e := done(); err == nil {
		err = e
	}
	return err
}

// login is the login of whoever runs the program, and a name for people to read.
func (inv *invocation) login() (login, name string, err error) {
	c, err := inv.config()
	if err != nil {
		return "", "", err
	}
	u, err := user.Current()
	if err != nil {
		return "", "", &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the operating system does not say who you are", Err: err}
	}
	if runtime.GOOS != "windows" { // without an entry for it, the name is taken from the environment, which anybody may set
		if _, err := user.LookupId(u.Uid); err != nil {
			return "", "", &caseforms.Error{Kind: caseforms.Forbidden, Msg: "the operating system has no user of this number, so nobody knows who you are"}
		}
	}
	login = u.Username
	if i := strings.LastIndexByte(login, '\\'); i >= 0 {
		login = login[i+1:] // DOMAIN\user
	}
	if mapped := c.People[login]; mapped != "" {
		login = mapped
	}
	if name = strings.TrimSpace(u.Name); name == "" {
		name = login
	}
	return login, name, nil
}

var configCommand = &command{
	name: "config", args: "check", does: "tell what is configured, where store and key are, and what is wrong with them",
	example: "caseforms config check", stores: true,
	flags: func(*invocation) {},
	run: func(ctx context.Context, inv *invocation) error {
		if len(inv.args) != 1 || inv.args[0] != "check" {
			return errUsage{"there is only: config check"}
		}
		return inv.checkConfig(ctx)
	},
}

// checkConfig tells everything, also when something is wrong before the end.
func (inv *invocation) checkConfig(ctx context.Context) error {
	failed := false
	say := func(what, value string) {
		if inv.json {
			inv.object(inv.stdout, "type", "setting", "name", what, "value", value)
		} else {
			fmt.Fprintf(inv.stdout, "%-14s %s\n", what, value)
		}
	}
	wrong := func(err error) {
		failed = true
		inv.complain(err)
	}
	c, err := inv.config()
	if err != nil {
		wrong(err)
		c = &config{}
		inv.configured = c
	}
	file := c.file
	if file == "" {
		file = "none; everything is as it comes"
	}
	say("configuration", file)
	area := c.Area
	if area == "" {
		area = "none"
	}
	say("area", area)
	if _, err := templates.Load(c.Area); err != nil {
		wrong(err)
	}
	if len(c.Backup) == 0 {
		say("backup", "no recipient; a backup has to name one with --to")
	}
	for _, r := range c.Backup {
		say("backup", r)
		if _, err := recipients([]string{r}); err != nil {
			wrong(err)
		}
	}
	if _, err := c.closedDays(); err != nil {
		wrong(err)
	}
	c.checkMail(say, wrong)
	c.checkServe(say, wrong)
	if login, _, err := inv.login(); err != nil {
		wrong(err)
	} else {
		say("you are", login)
	}
	o, err := inv.storeOptions()
	if err != nil {
		wrong(err)
	}
	say("data", o.Dir)
	switch {
	case o.Dir == "":
	case !store.Exists(o.Dir):
		say("store", "not made yet")
	default:
		s, err := store.Open(ctx, o)
		if err != nil {
			wrong(err)
			break
		}
		say("store", s.ID())
		if s.Test() {
			say("kind", "a test store; it sends nothing beyond this machine")
		}
		say("ledger key", s.VerifierKey())
		inv.checkKey(o, s, say)
		if err := s.Close(); err != nil {
			wrong(err)
		}
	}
	if failed {
		return errReported
	}
	return nil
}

// checkKey tells where the key is, and what is wrong with that place.
func (inv *invocation) checkKey(o store.Options, s *store.Store, say func(string, string)) {
	file := o.Keys.Where(s.ID())
	say("key", file)
	warn := func(msg, hint string) {
		inv.problems(inv.stderr, []caseforms.Problem{{Severity: caseforms.Warning, Msg: msg, Hint: hint}})
	}
	if runtime.GOOS != "windows" {
		for name, what := range map[string]string{file: "the key can be read by other people", o.Dir: "the data folder can be read by other people"} {
			if info, err := os.Stat(name); err == nil && info.Mode().Perm()&0o077 != 0 {
				warn(what, "chmod go= keeps it to you")
			}
		}
	}
	dir, err1 := filepath.Abs(o.Dir)
	key, err2 := filepath.Abs(file)
	if rel, err := filepath.Rel(dir, key); err1 == nil && err2 == nil && err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		warn("the key is in the data folder: whoever copies the folder has both", "move it to one of the other places and set CASEFORMS_KEY_FILE")
	}
}

// recipients are those a backup is encrypted to.
func recipients(lines []string) ([]age.Recipient, error) {
	out, err := age.ParseRecipients(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "this is not a recipient of backups", Hint: "a recipient begins with age1; age-keygen prints it beside the identity it makes"}
	}
	return out, nil
}
