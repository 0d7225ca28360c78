package store

import (
	"archive/tar"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"
	"github.com/ncruces/go-sqlite3/driver"

	"caseforms"
)

// What a backup is made of: a tar of these members in this order, encrypted with age to one or more recipients. It holds the store's key,
// so that whoever has the recipient's identity needs nothing else to restore it.
const (
	memberAbout = "backup.json"
	memberKey   = "store.key"
)

// About says what a backup is of.
type About struct {
	Format     int       `json:"format"`
	Store      string    `json:"store"`
	At         time.Time `json:"at"`
	Checkpoint string    `json:"checkpoint"` // the signed state of the ledger
}

const backupFormat = 1

// Backup writes the whole store, as it is at one moment, encrypted to the recipients. People go on working meanwhile.
func (s *Store) Backup(ctx context.Context, w io.Writer, to ...age.Recipient) (*About, error) {
	if len(to) == 0 {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "a backup is encrypted to a recipient, and there is none", Hint: "name one: age-keygen makes an identity and prints its recipient, age1…"}
	}
	// The copy is encrypted with the store's own key, so nothing is readable on the disk at any time.
	var random [6]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	name := filepath.Join(s.dir, "backup-"+hex.EncodeToString(random[:])+".db")
	defer func() {
		for _, end := range []string{"", "-wal", "-shm", "-journal"} {
			os.Remove(name + end)
		}
	}()
	s.readMu.Lock()
	db := s.read
	s.readMu.Unlock()
	if db == nil {
		return nil, closed()
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, failed(err)
	}
	defer c.Close()
	// The copy and the checkpoint are of the same moment: acts go on meanwhile, and a later checkpoint would tell of records that the copy
	// does not have.
	about := &About{Format: backupFormat, Store: s.label.Store}
	if _, err := c.ExecContext(ctx, "BEGIN"); err != nil {
		return nil, failed(err)
	}
	err = c.QueryRowContext(ctx, `SELECT checkpoint FROM ledger_head WHERE one = 1`).Scan(&about.Checkpoint)
	if about.At = s.now().UTC().Truncate(time.Second); err == nil {
		err = c.Raw(func(dc any) error {
			raw, ok := dc.(driver.Conn)
			if !ok {
				return errors.New("not an SQLite connection")
			}
			return raw.Raw().Backup("main", "file:"+uriPath(name)+"?vfs=adiantum&hexkey="+hex.EncodeToString(s.key.database))
		})
	}
	if _, e := c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err == nil {
		err = e
	}
	if err != nil {
		return nil, failed(err)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		return nil, unavailable("the copy cannot be made", err)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, unavailable("the copy cannot be read", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, unavailable("the copy cannot be read", err)
	}
	out := &watchedWriter{w: w}
	enc, err := age.Encrypt(out, to...)
	if err != nil && out.err != nil {
		return nil, unavailable("the backup cannot be written", out.err)
	}
	if err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the backup cannot be encrypted to these recipients", Err: err}
	}
	t := tar.NewWriter(enc)
	aboutJSON, err := json.Marshal(about)
	if err != nil {
		return nil, err
	}
	labelJSON, err := json.Marshal(s.label)
	if err != nil {
		return nil, err
	}
	for _, m := range []struct {
		name string
		data []byte
	}{{memberAbout, aboutJSON}, {memberKey, formatSecret(s.key.secret)}, {labelFile, labelJSON}} {
		if err = t.WriteHeader(&tar.Header{Name: m.name, Mode: 0o600, Size: int64(len(m.data))}); err == nil {
			_, err = t.Write(m.data)
		}
		if err != nil {
			return nil, unavailable("the backup cannot be written", err)
		}
	}
	if err = t.WriteHeader(&tar.Header{Name: databaseFile, Mode: 0o600, Size: info.Size()}); err == nil {
		if _, err = io.Copy(t, contextReader{ctx, f}); err == nil {
			if err = t.Close(); err == nil {
				err = enc.Close()
			}
		}
	}
	if err != nil {
		return nil, unavailable("the backup cannot be written", err)
	}
	return about, nil
}

// watchedWriter remembers why writing failed.
type watchedWriter struct {
	w   io.Writer
	err error
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// contextReader stops reading when a context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// clearRestores removes what restores left that were killed in the middle. One that is at work is younger.
func clearRestores(dir string) {
	names, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Clean(dir)), "."+filepath.Base(dir)+"-restoring-*"))
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			os.RemoveAll(name)
		}
	}
}

// Again is what is to be erased again in a restored store, because it was erased after the backup was made.
type Again struct {
	Cases []caseforms.CaseID
	Refs  []caseforms.Ref
}

// Restore makes a store from a backup in the folder of the options, which must not have one. The whole store is checked before it is put
// in its place: a backup that was cut short or changed leaves nothing behind. The key is put where keys are looked for unless it is
// there already.
func Restore(ctx context.Context, r io.Reader, o Options, again Again, sameForm func(string, []byte) error, with ...age.Identity) (_ *About, _ *Verified, err error) {
	if abs, err := filepath.Abs(o.Dir); err == nil {
		o.Dir = abs
	}
	if entries, err := os.ReadDir(o.Dir); err == nil && len(entries) > 0 {
		return nil, nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the data folder is not empty; a backup is restored into a new one", Hint: "name another folder with --data, or move this one away"}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, unavailable("the data folder cannot be used", err)
	}
	unreadable := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "this is not a whole backup that this identity can open; nothing was restored", Err: err, Hint: "is it the right file, and the identity whose recipient it was made for?"}
	}
	dec, err := age.Decrypt(contextReader{ctx, r}, with...)
	if err != nil {
		return nil, nil, unreadable(errors.New("it cannot be decrypted"))
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(o.Dir)), 0o700); err != nil {
		return nil, nil, unavailable("the data folder cannot be made", err)
	}
	clearRestores(o.Dir)
	dir, err := os.MkdirTemp(filepath.Dir(filepath.Clean(o.Dir)), "."+filepath.Base(o.Dir)+"-restoring-") // 0700
	if err != nil {
		return nil, nil, unavailable("the data folder cannot be made", err)
	}
	defer os.RemoveAll(dir)
	t := tar.NewReader(dec)
	small := map[string][]byte{}
	for _, want := range []string{memberAbout, memberKey, labelFile} {
		h, err := t.Next()
		if err != nil || h.Name != want || h.Size > 64<<10 {
			return nil, nil, unreadable(nil)
		}
		if small[want], err = io.ReadAll(t); err != nil {
			return nil, nil, unreadable(nil)
		}
	}
	about := &About{}
	if json.Unmarshal(small[memberAbout], about) != nil {
		return nil, nil, unreadable(nil)
	}
	if about.Format > backupFormat {
		return nil, nil, newer()
	}
	secret, err := parseSecret(small[memberKey])
	if err != nil {
		return nil, nil, unreadable(nil)
	}
	h, err := t.Next()
	if err != nil || h.Name != databaseFile {
		return nil, nil, unreadable(nil)
	}
	f, err := os.OpenFile(filepath.Join(dir, databaseFile), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return nil, nil, unavailable("the database cannot be written", err)
	}
	if _, err = io.Copy(f, t); err == nil {
		// To the very end: only there is it certain that nothing was cut off.
		if _, end := t.Next(); end != io.EOF {
			err = fmt.Errorf("it goes on")
		} else if _, err = io.Copy(io.Discard, dec); err == nil {
			err = f.Sync()
		}
	}
	if e := f.Close(); err == nil {
		err = e
	}
	var onDisk *fs.PathError
	switch {
	case errors.As(err, &onDisk):
		return nil, nil, unavailable("the database cannot be written", err)
	case err != nil:
		return nil, nil, unreadable(nil)
	}
	if err := WriteFile(filepath.Join(dir, labelFile), small[labelFile]); err != nil {
		return nil, nil, unavailable("the database cannot be written", err)
	}
	v, err := check(ctx, Options{Dir: dir, Keys: Keys{secret: secret}, Now: o.Now, Rand: o.Rand, Clock: o.Clock}, about, again, sameForm)
	if err != nil {
		return nil, v, err
	}
	if err := o.Keys.keep(about.Store, secret); err != nil {
		return nil, v, err
	}
	if err := os.Remove(o.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, v, unavailable("the data folder cannot be used", err)
	}
	if err := os.Rename(dir, o.Dir); err != nil {
		return nil, v, unavailable("the data folder cannot be made", err)
	}
	return about, v, syncDir(filepath.Dir(filepath.Clean(o.Dir)))
}

// check opens a restored store, checks all of it, erases again what was erased since, and notes in the ledger that it was restored.
func check(ctx context.Context, o Options, about *About, again Again, sameForm func(string, []byte) error) (*Verified, error) {
	s, err := Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if s.ID() != about.Store {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the backup holds another store than it says; nothing was restored"}
	}
	v, err := s.VerifyLedger(ctx, about.Checkpoint)
	if err == nil {
		err = s.VerifyContents(ctx, v, sameForm)
	}
	if err != nil {
		return v, err
	}
	if v.Checkpoint != about.Checkpoint {
		v.add("its ledger is not that of the moment of the backup")
	}
	if len(v.Problems) > 0 {
		return v, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the store in the backup is not as it was written; nothing was restored: " + v.Problems[0], Hint: "an older backup may be whole"}
	}
	detail := map[string]string{"backup of": about.At.Format(time.RFC3339)}
	if err := s.Append(ctx, Entry{What: "restored from a backup", Actor: caseforms.Scheduler().ID, Detail: detail}); err != nil {
		return v, err
	}
	gone := func(err error) error { // what the backup does not have, or has as erased, needs no erasing
		var e *caseforms.Error
		if errors.As(err, &e) && e.Kind == caseforms.NotFound {
			return nil
		}
		return err
	}
	for _, id := range again.Cases {
		if err := gone(s.erase(ctx, id, true, Entry{Acts: []Act{Erasure}, Actor: caseforms.Scheduler().ID})); err != nil {
			return v, err
		}
	}
	for _, ref := range again.Refs {
		if err := gone(s.eraseDocument(ctx, ref, true, Entry{Acts: []Act{Erasure}, Actor: caseforms.Scheduler().ID})); err != nil {
			return v, err
		}
	}
	if err := s.doubt(ctx); err != nil {
		return v, err
	}
	return v, s.Close()
}

// doubt makes uncertain what waited to be sent when the backup was made: it may have been sent since, and nothing is sent twice.
func (s *Store) doubt(ctx context.Context) error {
	const said = "it was waiting when the backup was made that was restored"
	return s.act(ctx, func(t *tx) error {
		var open []Item
		err := t.rows(`UPDATE outbox SET state = 'uncertain', said = $1, changed_at = $2 WHERE state IN ('ready', 'leased', 'in_flight') RETURNING `+itemColumns,
			[]any{said, t.at.UnixMilli()}, func(scan func(...any) error) error {
				it, err := scanItem(scan)
				open = append(open, it)
				return err
			})
		for i := 0; i < len(open) && err == nil; i++ {
			err = t.append(open[i].entry("send uncertain", caseforms.Scheduler().ID, withSaid(nil, said)))
		}
		if err == nil { // what was held may have been released and sent since
			err = t.exec(`UPDATE sends SET reason = $1, trouble = '', changes = changes + 1 WHERE state = 'held'`, ReasonRestored)
		}
		return err
	})
}
