package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"caseforms"
)

// helperFolder tells a copy of this test program that it is another process on a store.
const helperFolder = "CASEFORMS_TEST_STORE_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperFolder); dir != "" {
		if err := anotherProcess(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// smallDisk is a folder on a disk of its own of so many bytes, or skips the test. Where it is promised to work, it must.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no small disk can be made: %v: %s", err, out)
		}
		t.Skipf("only root on Linux can make a small disk: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	return dir
}

// TestDiskFull fills the disk under people who work: what was acknowledged stays, what was not is not there by half, and with room again
// the work goes on.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	t.Run("small disk", func(t *testing.T) {
		t.Parallel()
		dir := smallDisk(t, "8m")
		o := Options{Dir: filepath.Join(dir, "data"), Keys: Keys{Config: t.TempDir()}}
		ballast := filepath.Join(dir, "ballast")
		must(t, os.WriteFile(ballast, make([]byte, 4<<20), 0o600))
		untilFull(t, o, func(*Store) {}, func(*Store) { must(t, os.Remove(ballast)) })
	})
	t.Run("no more pages", func(t *testing.T) {
		t.Parallel()
		pages := func(n int) func(*Store) {
			return func(s *Store) {
				must(t, s.alone(func() error {
					_, err := s.conn.ExecContext(context.Background(), fmt.Sprint("PRAGMA max_page_count = ", n))
					return err
				}))
			}
		}
		untilFull(t, testOptions(t.TempDir()), pages(500), pages(1<<30))
	})
}

func untilFull(t *testing.T, o Options, limit, room func(*Store)) {
	ctx := context.Background()
	s, err := OpenOrCreate(ctx, o)
	must(t, err)
	defer func() { s.Close() }()
	limit(s)
	var mu sync.Mutex
	var done, failed []Issue
	work := func(people, most, size int) {
		var all sync.WaitGroup
		for range people {
			all.Go(func() {
				for range most {
					i := issue(t, size)
					err := s.Issue(ctx, i)
					mu.Lock()
					if err == nil {
						done = append(done, i)
					} else {
						failed = append(failed, i)
						refused(t, err, caseforms.Unavailable, "the disk with the data folder is full")
						refused(t, err, caseforms.Unavailable, "nothing of this act was kept")
						refused(t, err, caseforms.Unavailable, "make room")
						if strings.Contains(err.Error(), o.Dir) {
							t.Errorf("the message tells the path: %v", err)
						}
					}
					mu.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
		all.Wait()
	}
	check := func(when string) {
		t.Helper()
		for _, i := range done {
			held(t, s, i)
		}
		for _, i := range failed {
			if _, err := s.Document(ctx, i.Ref); err == nil {
				t.Errorf("%s: a document is there of an act that failed", when)
			}
			if _, err := s.FindCase(ctx, i.Case); err == nil {
				t.Errorf("%s: a case is there of an act that failed", when)
			}
			if h, err := s.History(ctx, i.Ref); err != nil || len(h) > 0 {
				t.Errorf("%s: the ledger tells of an act that failed: %v", when, err)
			}
			if items, err := s.Items(ctx, i.Ref); err != nil || len(items) > 0 {
				t.Errorf("%s: something is to be sent of an act that failed: %v", when, err)
			}
		}
		intact(t, s)
	}
	work(3, 1000, 60_000)
	work(1, 1000, 60_000)
	if len(failed) == 0 || len(done) < 5 {
		t.Fatalf("%d acts were done and %d failed", len(done), len(failed))
	}
	check("while it is full")
	room(s)
	n := len(failed)
	work(2, 5, 30_000)
	if len(failed) > n {
		t.Error("with room again acts fail")
	}
	check("with room again")
	must(t, s.Close())
	s, err = Open(ctx, o)
	must(t, err)
	check("opened again")
}

// A store on a disk that is read-only is not opened, and left as it is.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := smallDisk(t, "8m")
	o := Options{Dir: filepath.Join(dir, "data"), Keys: Keys{Config: t.TempDir()}}
	remount := func(how string) {
		t.Helper()
		if out, err := exec.Command("mount", "-o", "remount,"+how, dir).CombinedOutput(); err != nil {
			t.Fatalf("%s: %s", err, out)
		}
	}
	remount("ro")
	_, err := OpenOrCreate(ctx, o)
	refused(t, err, caseforms.Unavailable, "cannot be made")
	remount("rw")
	must(t, os.Mkdir(o.Dir, 0o700))
	remount("ro")
	_, err = OpenOrCreate(ctx, o)
	refused(t, err, caseforms.Unavailable, "cannot be used")
	remount("rw")
	s, err := OpenOrCreate(ctx, o)
	must(t, err)
	i := issue(t, 1000)
	must(t, s.Issue(ctx, i))
	must(t, s.Close())
	before := snapshot(t, dir)
	remount("ro")
	_, err = Open(ctx, o)
	refused(t, err, caseforms.Unavailable, "cannot be")
	if err != nil && strings.Contains(err.Error(), dir) {
		t.Errorf("the message tells the path: %v", err)
	}
	if diff := changes(before, snapshot(t, dir)); diff != "" {
		t.Error(diff)
	}
	remount("rw")
	s, err = Open(ctx, o)
	must(t, err)
	defer s.Close()
	held(t, s, i)
	intact(t, s)
}

// TestRefusesToOpen: what cannot be opened is left byte for byte as it is, and the message says what to do.
func TestRefusesToOpen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	key := func(o Options) string {
		found, _ := filepath.Glob(filepath.Join(o.Keys.Config, "keys", "*.key"))
		if len(found) != 1 {
			t.Fatalf("%d keys", len(found))
		}
		return found[0]
	}
	in := func(o Options, name string) string { return filepath.Join(o.Dir, name) }
	label := func(t *testing.T, o Options, from, to string) {
		t.Helper()
		b, err := os.ReadFile(in(o, labelFile))
		must(t, err)
		changed := strings.Replace(string(b), from, to, 1)
		if changed == string(b) {
			t.Fatal("the label has no " + from)
		}
		must(t, os.WriteFile(in(o, labelFile), []byte(changed), 0o600))
	}
	for _, c := range []struct {
		name  string
		harm  func(t *testing.T, o *Options)
		kind  caseforms.ErrorKind
		words []string
	}{
		{"another key", func(t *testing.T, o *Options) { must(t, os.WriteFile(key(*o), formatSecret(make([]byte, 32)), 0o600)) }, caseforms.Invalid, []string{"not the key of this store", "nothing was changed", "the key file of store"}},
		{"another key before the right one", func(t *testing.T, o *Options) {
			o.Keys.File = filepath.Join(t.TempDir(), "k")
			must(t, os.WriteFile(o.Keys.File, formatSecret(make([]byte, 32)), 0o600))
		}, caseforms.Invalid, []string{"not the key of this store"}},
		{"no key", func(t *testing.T, o *Options) { must(t, os.Remove(key(*o))) }, caseforms.Unavailable, []string{"was not found", "CREDENTIALS_DIRECTORY", "CASEFORMS_KEY_FILE", "keys/"}},
		{"a key file without a key", func(t *testing.T, o *Options) { must(t, os.WriteFile(key(*o), []byte("# my keys\n"), 0o600)) }, caseforms.Invalid, []string{"holds no key", keyPrefix}},
		{"an empty key file", func(t *testing.T, o *Options) { must(t, os.WriteFile(key(*o), nil, 0o600)) }, caseforms.Invalid, []string{"holds no key"}},
		{"a key cut short", func(t *testing.T, o *Options) {
			b, err := os.ReadFile(key(*o))
			must(t, err)
			must(t, os.WriteFile(key(*o), b[:len(b)-10], 0o600))
		}, caseforms.Invalid, []string{"holds no key"}},
		{"a folder in place of the key", func(t *testing.T, o *Options) { o.Keys.File = t.TempDir() }, caseforms.Unavailable, []string{"cannot be read"}},
		{"a later schema", func(t *testing.T, o *Options) {
			s, err := Open(ctx, *o)
			must(t, err)
			must(t, s.alone(func() error {
				_, err := s.conn.ExecContext(ctx, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
				return err
			}))
			must(t, s.Close())
		}, caseforms.Invalid, []string{"newer caseforms", "nothing was changed"}},
		{"a later format", func(t *testing.T, o *Options) { label(t, *o, `"format": 1`, `"format": 2`) }, caseforms.Invalid, []string{"newer caseforms"}},
		{"no database", func(t *testing.T, o *Options) { must(t, os.Remove(in(*o, databaseFile))) }, caseforms.Unavailable, []string{"database is missing", "restore a backup"}},
		{"no label", func(t *testing.T, o *Options) { must(t, os.Remove(in(*o, labelFile))) }, caseforms.Invalid, []string{"no " + labelFile, "put " + labelFile + " back"}},
		{"half a label", func(t *testing.T, o *Options) { must(t, os.Truncate(in(*o, labelFile), 20)) }, caseforms.Invalid, []string{"is damaged"}},
		{"an empty label", func(t *testing.T, o *Options) { must(t, os.Truncate(in(*o, labelFile), 0)) }, caseforms.Invalid, []string{"is damaged"}},
		{"a label that names a file", func(t *testing.T, o *Options) {
			b, err := os.ReadFile(key(*o))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(o.Keys.Config, "x.key"), b, 0o600))
			label(t, *o, `"store": "`, `"store": "../x", "was": "`)
		}, caseforms.Invalid, []string{"is damaged"}},
		{"an empty database", func(t *testing.T, o *Options) { must(t, os.Truncate(in(*o, databaseFile), 0)) }, caseforms.Internal, []string{"damaged"}},
		{"half a database", func(t *testing.T, o *Options) {
			info, err := os.Stat(in(*o, databaseFile))
			must(t, err)
			must(t, os.Truncate(in(*o, databaseFile), info.Size()/8192*4096))
		}, caseforms.Internal, nil},
		{"a database of something else", func(t *testing.T, o *Options) {
			must(t, os.WriteFile(in(*o, databaseFile), bytes.Repeat([]byte("SQLite format 3\x00"), 4096), 0o600))
		}, caseforms.Internal, []string{"damaged"}},
		{"another clock", func(t *testing.T, o *Options) { o.Clock, o.Now = true, time.Now }, caseforms.Invalid, []string{"takes no other clock", "CASEFORMS_NOW"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := testOptions(dir)
			s, err := OpenOrCreate(ctx, o)
			must(t, err)
			must(t, s.Issue(ctx, issue(t, 20_000)))
			must(t, s.Close())
			c.harm(t, &o)
			before := snapshot(t, dir)
			for _, open := range []func(context.Context, Options) (*Store, error){Open, OpenOrCreate} {
				s, err := open(ctx, o)
				if err == nil {
					s.Close()
					t.Fatal("it was opened")
				}
				if strings.Contains(c.name, "no label") && !strings.Contains(err.Error(), "no "+labelFile) && strings.Contains(err.Error(), "no store") {
					continue // Open sees no store there
				}
				if len(c.words) == 0 {
					var e *caseforms.Error
					if !errors.As(err, &e) {
						t.Errorf("%v", err)
					}
				}
				for _, w := range c.words {
					refused(t, err, c.kind, w)
				}
				if strings.Contains(err.Error(), dir) {
					t.Errorf("the message tells the path: %v", err)
				}
				if diff := changes(before, snapshot(t, dir)); diff != "" {
					t.Errorf("it was refused, and %s", diff)
				}
			}
		})
	}
}

// A folder in which the making of a store was interrupted, wherever that was, becomes a store the next time.
func TestInterruptedCreation(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, harm := range map[string]func(t *testing.T, o Options){
		"nothing but the folder": func(t *testing.T, o Options) {
			must(t, os.RemoveAll(o.Dir))
			must(t, os.Mkdir(o.Dir, 0o700))
			must(t, os.RemoveAll(o.Keys.Config))
		},
		"the lock": func(t *testing.T, o Options) {
			must(t, os.Remove(filepath.Join(o.Dir, databaseFile)))
			must(t, os.Remove(filepath.Join(o.Dir, labelFile)))
			must(t, os.RemoveAll(o.Keys.Config))
		},
		"the key": func(t *testing.T, o Options) {
			must(t, os.Remove(filepath.Join(o.Dir, databaseFile)))
			must(t, os.Remove(filepath.Join(o.Dir, labelFile)))
		},
		"part of the database and its log": func(t *testing.T, o Options) {
			must(t, os.Rename(filepath.Join(o.Dir, databaseFile), filepath.Join(o.Dir, makingFile)))
			must(t, os.Truncate(filepath.Join(o.Dir, makingFile), 5000))
			must(t, os.WriteFile(filepath.Join(o.Dir, makingFile+"-wal"), []byte("half"), 0o600))
			must(t, os.WriteFile(filepath.Join(o.Dir, makingFile+"-shm"), []byte("half"), 0o600))
			must(t, os.Remove(filepath.Join(o.Dir, labelFile)))
		},
		"the database without the label": func(t *testing.T, o Options) {
			must(t, os.Rename(filepath.Join(o.Dir, databaseFile), filepath.Join(o.Dir, makingFile)))
			must(t, os.Rename(filepath.Join(o.Dir, labelFile), filepath.Join(o.Dir, ".caseforms-1")))
		},
		"all but the database's name": func(t *testing.T, o Options) {
			must(t, os.Rename(filepath.Join(o.Dir, databaseFile), filepath.Join(o.Dir, makingFile)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := testOptions(t.TempDir())
			s, err := OpenOrCreate(ctx, o)
			must(t, err)
			must(t, s.Close())
			harm(t, o)
			for range 2 {
				s, err = OpenOrCreate(ctx, o)
				must(t, err)
				i := issue(t, 100)
				must(t, s.Issue(ctx, i))
				held(t, s, i)
				intact(t, s)
				must(t, s.Close())
			}
			v := func() *Verified {
				s, err := Open(ctx, o)
				must(t, err)
				defer s.Close()
				v, err := s.VerifyLedger(ctx, "")
				must(t, err)
				return v
			}()
			if v.Records != 3 {
				t.Errorf("%d records", v.Records)
			}
			if left, _ := filepath.Glob(filepath.Join(o.Dir, makingFile+"*")); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// anotherProcess opens or makes a store and works in it.
func anotherProcess(dir string) error {
	ctx := context.Background()
	s, err := OpenOrCreate(ctx, testOptions(dir))
	if err != nil {
		return err
	}
	for range 5 {
		i, err := newIssue(1000)
		if err == nil {
			err = s.Issue(ctx, i)
		}
		if err == nil {
			_, err = s.Document(ctx, i.Ref)
		}
		if err != nil {
			return err
		}
		fmt.Println(i.Ref)
	}
	return s.Close()
}

// Several processes make one store at the same moment and work in it at once.
func TestProcessesAtOnce(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	must(t, err)
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	for range rounds {
		dir := t.TempDir()
		const processes = 3
		var out, said [processes]bytes.Buffer
		var all sync.WaitGroup
		for n := range processes {
			all.Go(func() {
				cmd := exec.Command(exe)
				cmd.Env = append(os.Environ(), helperFolder+"="+dir)
				cmd.Stdout, cmd.Stderr = &out[n], &said[n]
				if err := cmd.Run(); err != nil {
					t.Errorf("%v: %s", err, &said[n])
				}
			})
		}
		all.Wait()
		s, err := Open(context.Background(), testOptions(dir))
		must(t, err)
		refs := 0
		for n := range processes {
			for _, ref := range strings.Fields(out[n].String()) {
				refs++
				if _, err := s.Document(context.Background(), caseforms.Ref(ref)); err != nil {
					t.Error(err)
				}
			}
		}
		if refs != 5*processes {
			t.Errorf("%d documents", refs)
		}
		intact(t, s)
		must(t, s.Close())
		if keys, _ := filepath.Glob(filepath.Join(dir, "config", "keys", "*")); len(keys) != 1 {
			t.Errorf("%d keys of one store", len(keys))
		}
	}
}

// A store that was made under another clock is a test store for ever, also when it is opened under the real one.
func TestClock(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, clock, o := clockStore(t)
	if !s.Test() || testStore(t).Test() {
		t.Error("which store is a test store")
	}
	must(t, s.Close())
	o.Clock, o.Now = false, nil
	s, err := Open(ctx, o)
	must(t, err)
	if !s.Test() {
		t.Error("it is no test store any more")
	}
	if time.Since(s.Now()) > time.Minute {
		t.Error("it does not go by the real time")
	}
	must(t, s.Issue(ctx, issue(t, 10)))
	must(t, s.Close())
	s, err = Open(ctx, clock.options(o))
	must(t, err)
	defer s.Close()
	if !s.Test() {
		t.Error("it is no test store any more")
	}
}

// busy keeps a store from beginning any act until it is let go, so that acts wait together.
func busy(t testing.TB, s *Store) (let func()) {
	t.Helper()
	begun, end := make(chan bool), make(chan bool)
	go func() { _ = s.alone(func() error { close(begun); <-end; return nil }) }()
	<-begun
	return func() { close(end) }
}

// waiting waits until so many acts wait.
func waiting(s *Store, n int) {
	for {
		s.queue.mu.Lock()
		have := len(s.queue.waiting)
		s.queue.mu.Unlock()
		if have == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// Acts that wait together are written together, and yet one that fails, or breaks down in the middle, takes nothing of the others with it.
func TestTogether(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := testStore(t)
	let := busy(t, s)
	const acts = 30
	user := func(n int) User {
		return User{Actor: caseforms.Actor{ID: fmt.Sprint("u-", n), Name: "x"}, Login: fmt.Sprint("login ", n)}
	}
	errs := make([]error, acts)
	var all sync.WaitGroup
	for n := range acts {
		all.Go(func() {
			errs[n] = s.act(ctx, func(tx *tx) error {
				u := user(n)
				if err := tx.exec(`INSERT INTO users (id, login, name, team, roles, active, created_at) VALUES ($1, $2, $3, '', '', 1, 0)`, u.ID, u.Login, u.Name); err != nil {
					return err
				}
				if err := tx.append(Entry{What: "user added", Actor: u.ID, Detail: map[string]string{"user": u.ID}}); err != nil {
					return err
				}
				switch n % 5 {
				case 1:
					return ErrChanged
				case 2:
					var none *Item
					return errors.New(none.Dedupe) // a mistake in the program
				case 3:
					return tx.exec(`INSERT INTO users (id, login, name, team, roles, active, created_at) VALUES ($1, 'twice', 'x', '', '', 1, 0)`, u.ID)
				}
				return nil
			})
		})
	}
	waiting(s, acts)
	let()
	all.Wait()
	have := map[string]bool{}
	users, err := s.Users(ctx)
	must(t, err)
	for _, u := range users {
		have[u.ID] = true
	}
	for n, err := range errs {
		switch n % 5 {
		case 1:
			if err != ErrChanged {
				t.Errorf("act %d: %v", n, err)
			}
		case 2:
			refused(t, err, caseforms.Internal, "in the middle of an act; nothing of it was kept")
		case 3:
			refused(t, err, caseforms.Internal, "the store failed")
		default:
			must(t, err)
		}
		if have[user(n).ID] != (err == nil) {
			t.Errorf("act %d ended with %v, and is there: %v", n, err, have[user(n).ID])
		}
	}
	v, err := s.VerifyLedger(ctx, "")
	must(t, err)
	if v.Records != 1+acts*2/5 || len(v.Problems) > 0 {
		t.Errorf("%+v", v)
	}
	i := issue(t, 10)
	must(t, s.Issue(ctx, i))
	held(t, s, i)
}

// An act whose context has ended before its turn is not begun.
func TestContexts(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	before, stopBefore := context.WithCancel(context.Background())
	stopBefore()
	first := issue(t, 10)
	if err := s.Issue(before, first); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	let := busy(t, s)
	while, stopWhile := context.WithCancel(context.Background())
	second, third := issue(t, 10), issue(t, 10)
	ends := make(chan error, 2)
	go func() { ends <- s.Issue(while, second) }()
	waiting(s, 1)
	others := make(chan error, 1)
	go func() { others <- s.Issue(context.Background(), third) }()
	waiting(s, 2)
	stopWhile()
	let()
	if err := <-ends; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	must(t, <-others)
	held(t, s, third)
	for _, i := range []Issue{first, second} {
		if _, err := s.Document(context.Background(), i.Ref); err == nil {
			t.Error("an act was done whose context had ended")
		}
	}
	if _, err := s.Document(before, third.Ref); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	intact(t, s)
}

// Closing waits for the acts that were taken; afterwards the store says that it is closed.
func TestClose(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for range 10 {
		o := testOptions(t.TempDir())
		s, err := OpenOrCreate(ctx, o)
		must(t, err)
		let := busy(t, s)
		const acts = 40
		is, errs := make([]Issue, acts), make([]error, acts)
		for n := range is {
			is[n] = issue(t, 100)
		}
		var all sync.WaitGroup
		for n := range acts {
			all.Go(func() { errs[n] = s.Issue(ctx, is[n]) })
			if n == acts/2 {
				waiting(s, acts/2+1)
				all.Go(func() {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
				time.Sleep(time.Millisecond)
			}
		}
		time.AfterFunc(5*time.Millisecond, let)
		all.Wait()
		err = s.Issue(ctx, issue(t, 10))
		refused(t, err, caseforms.Unavailable, "closed")
		_, err = s.Document(ctx, is[0].Ref)
		refused(t, err, caseforms.Unavailable, "closed")
		_, err = s.Backup(ctx, &bytes.Buffer{}, backupIdentity(t).Recipient())
		refused(t, err, caseforms.Unavailable, "closed")
		must(t, s.Close())
		s, err = Open(ctx, o)
		must(t, err)
		done := 0
		for n, err := range errs {
			if err == nil {
				done++
				held(t, s, is[n])
				continue
			}
			refused(t, err, caseforms.Unavailable, "closed")
			if _, err := s.Document(ctx, is[n].Ref); err == nil {
				t.Error("an act was refused and done")
			}
		}
		if done <= acts/2 {
			t.Errorf("%d acts were done", done)
		}
		intact(t, s)
		must(t, s.Close())
	}
}
