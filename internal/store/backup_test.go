package store

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"caseforms"
)

// backupIdentity is somebody who can restore backups.
func backupIdentity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	must(t, err)
	return id
}

func backup(t testing.TB, s *Store, to ...age.Recipient) []byte {
	t.Helper()
	var b bytes.Buffer
	_, err := s.Backup(context.Background(), &b, to...)
	must(t, err)
	return b.Bytes()
}

// names are all names below a folder.
func names(t testing.TB, dir string) (out []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		out = append(out, path)
		return err
	}))
	return out
}

// TestRestoreDrill is what an office does when its machine has burnt: a backup that was made while people worked, and an identity.
func TestRestoreDrill(t *testing.T) {
	t.Parallel()
	classic := backupIdentity(t)
	hybrid, err := age.GenerateHybridIdentity()
	must(t, err)
	for _, c := range []struct {
		name string
		with age.Identity
		to   age.Recipient
	}{{"x25519", classic, classic.Recipient()}, {"post-quantum", hybrid, hybrid.Recipient()}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := testStore(t)
			ctx := context.Background()
			const people = 4
			var mu sync.Mutex
			var begun, done [people][]Issue
			stop := make(chan bool)
			var all sync.WaitGroup
			for n := range people {
				all.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						i := issue(t, 1+rand.N(20_000))
						mu.Lock()
						begun[n] = append(begun[n], i)
						mu.Unlock()
						if err := s.Issue(ctx, i); err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						done[n] = append(done[n], i)
						mu.Unlock()
					}
				})
			}
			for { // until there is something
				time.Sleep(20 * time.Millisecond)
				mu.Lock()
				n := len(done[0])
				mu.Unlock()
				if n > 20 {
					break
				}
			}
			for drill := range 4 {
				mu.Lock()
				before := [people]int{}
				for n := range done {
					before[n] = len(done[n])
				}
				mu.Unlock()
				data := backup(t, s, c.to)
				if !strings.HasPrefix(string(data), "age-encryption.org/v1\n") {
					t.Error("it is not an age file")
				}
				mu.Lock()
				after := [people][]Issue{}
				for n := range begun {
					after[n] = slices.Clone(begun[n])
				}
				mu.Unlock()

				o := testOptions(t.TempDir())
				about, v, err := Restore(ctx, bytes.NewReader(data), o, Again{}, testForm, c.with)
				if err != nil {
					t.Fatalf("drill %d: %v", drill, err)
				}
				if about.Store != s.ID() || v.Documents == 0 || len(v.Problems) > 0 {
					t.Errorf("%+v, %+v", about, v)
				}
				r, err := Open(ctx, o)
				must(t, err)
				intact(t, r)
				if ps := problems(t, r, about.Checkpoint); len(ps) > 0 {
					t.Errorf("against the backup's own checkpoint: %q", ps)
				}
				total := 0
				for n := range after {
					have := 0
					for at, i := range after[n] {
						if _, err := r.Document(ctx, i.Ref); err != nil {
							continue
						}
						if have != at {
							t.Errorf("document %d is there and %d is not: it is no state that ever was", at, have)
							break
						}
						have++
						held(t, r, i)
					}
					if have < before[n] {
						t.Errorf("%d documents were acknowledged before the backup began and %d are in it", before[n], have)
					}
					total += have
				}
				if total != v.Documents {
					t.Errorf("%d documents of %d", total, v.Documents)
				}
				// One goes on working with it.
				next := issue(t, 100)
				must(t, r.Issue(ctx, next))
				held(t, r, next)
				must(t, r.Close())
			}
			close(stop)
			all.Wait()
			if left, _ := filepath.Glob(filepath.Join(s.Dir(), "backup-*")); len(left) > 0 {
				t.Errorf("left in the data folder: %q", left)
			}
			intact(t, s)
		})
	}
}

// rebuilt is a backup with its members changed, encrypted as somebody could who knows the recipient.
func rebuilt(t testing.TB, data []byte, id *age.X25519Identity, change func(name string, body []byte) (string, []byte), more ...string) []byte {
	t.Helper()
	dec, err := age.Decrypt(bytes.NewReader(data), id)
	must(t, err)
	in := tar.NewReader(dec)
	var b bytes.Buffer
	enc, err := age.Encrypt(&b, id.Recipient())
	must(t, err)
	out := tar.NewWriter(enc)
	put := func(name string, body []byte) {
		must(t, out.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(body))}))
		_, err := out.Write(body)
		must(t, err)
	}
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		body, err := io.ReadAll(in)
		must(t, err)
		if name, body := change(h.Name, body); name != "" {
			put(name, body)
		}
	}
	for _, name := range more {
		put(name, []byte("more"))
	}
	must(t, out.Close())
	must(t, enc.Close())
	return b.Bytes()
}

// What is not a whole backup for this identity is refused, and nothing of it stays.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := testStore(t)
	for range 20 {
		must(t, s.Issue(ctx, issue(t, 5000)))
	}
	id := backupIdentity(t)
	data := backup(t, s, id.Recipient())
	other := testStore(t)
	must(t, other.Issue(ctx, issue(t, 500)))
	var otherDatabase, otherLabel []byte
	rebuilt(t, backup(t, other, id.Recipient()), id, func(name string, body []byte) (string, []byte) {
		switch name {
		case databaseFile:
			otherDatabase = body
		case labelFile:
			otherLabel = body
		}
		return name, body
	})
	about := func(change func(*About)) []byte {
		return rebuilt(t, data, id, func(name string, body []byte) (string, []byte) {
			if name == memberAbout {
				var a About
				must(t, json.Unmarshal(body, &a))
				change(&a)
				body, _ = json.Marshal(a)
			}
			return name, body
		})
	}
	in := func(member string, change func([]byte) []byte) []byte {
		return rebuilt(t, data, id, func(name string, body []byte) (string, []byte) {
			if name == member {
				body = change(body)
			}
			return name, body
		})
	}
	type trial struct {
		name  string
		data  []byte
		with  age.Identity
		words string
	}
	const notWhole = "not a whole backup"
	trials := []trial{
		{"nothing", nil, id, notWhole},
		{"a text", []byte("Dear all, here is the backup."), id, notWhole},
		{"another identity", data, backupIdentity(t), notWhole},
		{"something after it", append(slices.Clone(data), 'x'), id, notWhole},
		{"another order", rebuilt(t, data, id, func(name string, b []byte) (string, []byte) {
			if name == memberAbout {
				return memberKey, b
			}
			return name, b
		}), id, notWhole},
		{"a member is missing", rebuilt(t, data, id, func(name string, b []byte) (string, []byte) {
			if name == labelFile {
				return "", nil
			}
			return name, b
		}), id, notWhole},
		{"a member more", rebuilt(t, data, id, func(name string, b []byte) (string, []byte) { return name, b }, "more"), id, notWhole},
		{"a member elsewhere", rebuilt(t, data, id, func(name string, b []byte) (string, []byte) {
			if name == databaseFile {
				return "../" + databaseFile, b
			}
			return name, b
		}), id, notWhole},
		{"a later format", about(func(a *About) { a.Format = 2 }), id, "newer"},
		{"it says another store", about(func(a *About) { a.Store = other.ID() }), id, "another store"},
		{"a later checkpoint of another store", about(func(a *About) { a.Checkpoint, _ = other.Checkpoint(ctx) }), id, "not signed"},
		{"no checkpoint", about(func(a *About) { a.Checkpoint = "" }), id, "moment"},
		{"no key", in(memberKey, func([]byte) []byte { return []byte("none") }), id, notWhole},
		{"another key", in(memberKey, func([]byte) []byte { return formatSecret(other.key.secret) }), id, "not the key of this store"},
		{"another label", in(labelFile, func([]byte) []byte { return otherLabel }), id, "not the key of this store"},
		{"another database", in(databaseFile, func([]byte) []byte { return otherDatabase }), id, "damaged"},
		{"a database cut short", in(databaseFile, func(b []byte) []byte { return b[:len(b)/8192*4096] }), id, ""},
		{"no database in it", in(databaseFile, func([]byte) []byte { return nil }), id, ""},
	}
	flip := func(b []byte, at int) []byte {
		b = slices.Clone(b)
		b[at] ^= 1 << rand.N(8)
		return b
	}
	for n := range 8 {
		trials = append(trials, trial{fmt.Sprint("a byte of the database ", n), in(databaseFile, func(b []byte) []byte { return flip(b, rand.N(len(b))) }), id, "-"})
	}
	for _, n := range []int{1, 20, 100, 200, 300, len(data) / 2, len(data) - 64<<10, len(data) - 1000, len(data) - 17, len(data) - 16, len(data) - 1} {
		trials = append(trials, trial{fmt.Sprint("cut off at ", n), data[:n], id, notWhole})
	}
	for range 30 {
		n := rand.N(len(data))
		trials = append(trials, trial{fmt.Sprint("cut off at ", n), data[:n], id, notWhole})
		n = rand.N(len(data))
		trials = append(trials, trial{fmt.Sprint("a byte at ", n), flip(data, n), id, notWhole})
	}
	for n := range 30 {
		trials = append(trials, trial{fmt.Sprint("a byte at the start ", n), flip(data, n*7), id, notWhole})
	}
	for _, c := range trials {
		dir := t.TempDir()
		before := names(t, dir)
		o := testOptions(dir)
		_, v, err := Restore(ctx, bytes.NewReader(c.data), o, Again{}, testForm, c.with)
		if err == nil && c.words == "-" {
			// A byte of the database that is not in use makes no difference: then everything else must be as it was.
			if len(v.Problems) > 0 {
				t.Errorf("%s: restored with problems", c.name)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: it was restored", c.name)
			continue
		}
		if c.words != "-" && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", c.name, err)
		}
		if strings.Contains(err.Error(), dir) {
			t.Errorf("%s: the message tells the path: %v", c.name, err)
		}
		if after := names(t, dir); !slices.Equal(before, after) {
			t.Errorf("%s: left behind: %q", c.name, after)
		}
	}
	if _, err := s.Backup(ctx, io.Discard); err == nil {
		t.Error("a backup for nobody")
	}
	gone, stop := context.WithCancel(ctx)
	stop()
	if _, err := s.Backup(gone, io.Discard, id.Recipient()); err == nil {
		t.Error("a backup of a context that has ended")
	}
	if _, err := s.Backup(ctx, fullDisk{}, id.Recipient()); err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("onto a full disk: %v", err)
	}
	dir := t.TempDir()
	if _, _, err := Restore(gone, bytes.NewReader(data), testOptions(dir), Again{}, testForm, id); err == nil || len(names(t, dir)) > 1 {
		t.Errorf("restored under a context that has ended: %v, %q", err, names(t, dir))
	}
	if left, _ := filepath.Glob(filepath.Join(s.Dir(), "backup-*")); len(left) > 0 {
		t.Errorf("left in the data folder: %q", left)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestRestoreWhere(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := testStore(t)
	i := issue(t, 100)
	must(t, s.Issue(ctx, i))
	id := backupIdentity(t)
	data := backup(t, s, id.Recipient())
	restore := func(o Options) error {
		_, _, err := Restore(ctx, bytes.NewReader(data), o, Again{}, testForm, id)
		return err
	}
	works := func(o Options) {
		t.Helper()
		r, err := Open(ctx, o)
		must(t, err)
		defer r.Close()
		held(t, r, i)
		if r.ID() != s.ID() {
			t.Error("another id")
		}
	}
	keyFile := func(o Options) string { return filepath.Join(o.Keys.Config, "keys", s.ID()+".key") }

	o := testOptions(t.TempDir()) // an empty folder, and the key is there already
	must(t, os.MkdirAll(o.Dir, 0o700))
	must(t, os.MkdirAll(filepath.Dir(keyFile(o)), 0o700))
	must(t, os.WriteFile(keyFile(o), formatSecret(s.key.secret), 0o600))
	must(t, restore(o))
	works(o)

	o = testOptions(t.TempDir()) // deep in folders that are not there
	o.Dir = filepath.Join(o.Dir, "a", "b")
	must(t, restore(o))
	works(o)
	if info, err := os.Stat(o.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v", info.Mode())
	}
	if info, err := os.Stat(keyFile(o)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is %v", info.Mode())
	}

	for name, prepare := range map[string]func(Options){
		"another key in its place": func(o Options) {
			must(t, os.MkdirAll(filepath.Dir(keyFile(o)), 0o700))
			must(t, os.WriteFile(keyFile(o), formatSecret(make([]byte, 32)), 0o600))
		},
		"something else in its place": func(o Options) {
			must(t, os.MkdirAll(filepath.Dir(keyFile(o)), 0o700))
			must(t, os.WriteFile(keyFile(o), []byte("not a key"), 0o600))
		},
		"a file in the folder": func(o Options) {
			must(t, os.MkdirAll(o.Dir, 0o700))
			must(t, os.WriteFile(filepath.Join(o.Dir, "something"), nil, 0o600))
		},
		"a store in the folder": func(o Options) {
			r, err := OpenOrCreate(ctx, o)
			must(t, err)
			must(t, r.Close())
		},
	} {
		dir := t.TempDir()
		o := testOptions(dir)
		prepare(o)
		before := snapshot(t, dir)
		if err := restore(o); err == nil {
			t.Errorf("%s: it was restored", name)
		}
		if diff := changes(before, snapshot(t, dir)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}

	o = testOptions(t.TempDir()) // nowhere to put the key
	o.Keys = Keys{}
	refused(t, restore(o), caseforms.Unavailable, "CASEFORMS_KEY_FILE")
	if Exists(o.Dir) {
		t.Error("restored without a place for its key")
	}
}

// What was erased after the backup was made is erased again, whatever stood against it when the backup was made; and what waited to be sent
// may have been sent since.
func TestRestoreAgain(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := testStore(t)
	var is []Issue
	for range 6 {
		i := issue(t, 100)
		must(t, s.Issue(ctx, i))
		is = append(is, i)
	}
	kept, erased, held1, document, waiting, sent := is[0], is[1], is[2], is[3], is[4], is[5]
	must(t, s.Hold(ctx, held1.Case, true, Entry{What: "held", Actor: "u-1", Case: held1.Case}))
	settle := func(keep ...caseforms.Ref) {
		items, err := s.Claim(ctx, 100, time.Minute)
		must(t, err)
		for _, it := range items {
			if slices.Contains(keep, it.Ref) {
				_, err = s.Retry(ctx, &it, time.Now(), "")
				must(t, err)
				continue
			}
			_, err = s.Begin(ctx, &it)
			must(t, err)
			_, err = s.Delivered(ctx, &it, "250", nil, nil)
			must(t, err)
		}
	}
	settle(kept.Ref, erased.Ref, document.Ref, waiting.Ref, held1.Ref)
	id := backupIdentity(t)
	data := backup(t, s, id.Recipient())
	// After the backup: what waited was sent, two cases and a document were erased, one that is not in the backup too.
	settle()
	must(t, s.Hold(ctx, held1.Case, false, Entry{What: "released", Actor: "u-1", Case: held1.Case}))
	later := issue(t, 100)
	later.Send = nil
	must(t, s.Issue(ctx, later))
	for _, c := range []caseforms.CaseID{erased.Case, held1.Case, later.Case} {
		must(t, s.Erase(ctx, c, Entry{Acts: []Act{Erasure}, What: "case erased", Actor: "u-1"}))
	}
	must(t, s.EraseDocument(ctx, document.Ref, Entry{Acts: []Act{Erasure}, What: "document erased", Actor: "u-1"}))
	cases, refs, err := s.Erasures(ctx)
	must(t, err)
	if len(cases) != 3 || !slices.Equal(refs, []caseforms.Ref{document.Ref}) {
		t.Fatalf("%q, %q", cases, refs)
	}

	o := testOptions(t.TempDir())
	_, _, err = Restore(ctx, bytes.NewReader(data), o, Again{cases, refs}, testForm, id)
	must(t, err)
	r, err := Open(ctx, o)
	must(t, err)
	defer r.Close()
	intact(t, r)
	for _, i := range []Issue{kept, waiting, sent} {
		held(t, r, i)
	}
	for _, i := range []Issue{erased, held1, document} {
		d, err := r.Document(ctx, i.Ref)
		must(t, err)
		if d.Latest().Erased.IsZero() {
			t.Errorf("%s is back", i.Ref)
		}
		if _, err := r.FileData(ctx, &d.Latest().Files[0]); err == nil {
			t.Errorf("the file of %s can be read again", i.Ref)
		}
	}
	if c, err := r.FindCase(ctx, document.Case); err != nil || !c.Erased.IsZero() {
		t.Errorf("of the case whose document was erased: %v", err)
	}
	nothingDue(t, r)
	for _, c := range []struct {
		ref  caseforms.Ref
		want State
	}{{kept.Ref, Uncertain}, {waiting.Ref, Uncertain}, {sent.Ref, Sent}, {erased.Ref, Dead}, {held1.Ref, Dead}, {document.Ref, Dead}} {
		if it := oneItem(t, r, c.ref); it.State != c.want {
			t.Errorf("%s is %s, not %s", c.ref, it.State, c.want)
		}
	}
	again, _, err := r.Erasures(ctx)
	must(t, err)
	if len(again) != 2 {
		t.Errorf("%q", again)
	}
}

// A copy that a killed backup left is cleared away, one that is being made is not.
func TestBackupLeftovers(t *testing.T) {
	t.Parallel()
	o := testOptions(t.TempDir())
	s, err := OpenOrCreate(context.Background(), o)
	must(t, err)
	must(t, s.Close())
	old, young := filepath.Join(o.Dir, "backup-00.db"), filepath.Join(o.Dir, "backup-01.db")
	for _, name := range []string{old, young} {
		must(t, os.WriteFile(name, []byte("x"), 0o600))
	}
	must(t, os.Chtimes(old, time.Time{}, time.Now().Add(-25*time.Hour)))
	s, err = Open(context.Background(), o)
	must(t, err)
	defer s.Close()
	if _, err := os.Stat(old); err == nil {
		t.Error("the old copy is still there")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("the copy that is being made is gone")
	}
}
