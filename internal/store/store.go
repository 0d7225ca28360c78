// Package store keeps what must not be lost: cases, drafts, issued documents, the outbox and the ledger. It hides SQL, encryption and
// keys. What its callers get are whole acts, such as [Store.Issue]: each happens altogether or not at all, together with its entries
// in the ledger, and no transaction leaks out. It has no rules about who may do what: see internal/casework.
//
// The store is one folder with an SQLite database, encrypted as a whole (Adiantum) and written with synchronous=FULL, so that what an
// act acknowledged survives a crash. Documents, case records and other contents are sealed once more, each with a key of its own
// (AES-256-GCM): destroying that key destroys the content. The secret from which all keys come is not in the folder, see [Keys].
//
// Several processes may use one store at once. The folder must be on a local disk: SQLite's locks do not hold on network shares.
package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	_ "github.com/ncruces/go-sqlite3/vfs/adiantum" // registers the encrypting file system
	"github.com/pressly/goose/v3"
	"github.com/rogpeppe/go-internal/lockedfile"

	"caseforms"
)

//go:embed migrations
var migrations embed.FS

// The files of a store.
const (
	databaseFile = "store.db"
	makingFile   = "store.new.db" // a database that is being made
	labelFile    = "store.json"
	lockFile     = "store.lock"
)

// Options say which store, and with what.
type Options struct {
	Dir  string
	Keys Keys
	Now  func() time.Time // nil is time.Now
	Rand io.Reader        // nil is crypto/rand.Reader
	// Clock tells that Now is not the real time. Only a store made so may be used so, and it is a test store for ever.
	Clock bool
}

// Store is an open store. Its methods may be called at the same time.
type Store struct {
	dir   string
	label label
	key   *keyring
	now   func() time.Time
	rand  io.Reader

	write *sql.DB // one connection, on which the acts are done one behind the other
	conn  *sql.Conn
	stmts map[string]*sql.Stmt // of conn; used by whoever leads the queue
	queue queue

	own    atomic.Pointer[ownCheckpoint] // the last one of ours whose signature was made or checked
	untidy atomic.Bool                   // the database's log still holds what was erased

	read   *sql.DB // several connections that cannot write
	reads  map[string]*sql.Stmt
	readMu sync.Mutex

	zip        *zstd.Encoder
	unzip      *zstd.Decoder
	lastObject atomic.Int64 // the last object id this process gave out
}

// label is what stands in the folder in plain text. It tells nothing but which store it is.
type label struct {
	Format  int    `json:"format"`
	Store   string `json:"store"`
	Check   string `json:"check"`   // tells whether a secret is the right one, without giving it away
	Test    bool   `json:"test"`    // made under a clock that is not real: never sends beyond this machine
	Program string `json:"program"` // so that whoever finds the folder knows what it is of
}

const labelFormat = 1

// ID is the random name of the store.
func (s *Store) ID() string { return s.label.Store }

// Test tells whether the store was made under a clock that is not real. It must never send anything beyond this machine.
func (s *Store) Test() bool { return s.label.Test }

// Dir is the folder of the store.
func (s *Store) Dir() string { return s.dir }

// Now is the store's clock.
func (s *Store) Now() time.Time { return s.now() }

// Exists tells whether there is a store in a folder.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, labelFile))
	return err == nil
}

// Open opens a store that is there. It brings its tables up to date, and checks the end of the ledger.
func Open(ctx context.Context, o Options) (*Store, error) { return open(ctx, o, false) }

// OpenOrCreate opens the store of a folder, and makes one where there is none.
func OpenOrCreate(ctx context.Context, o Options) (*Store, error) { return open(ctx, o, true) }

func open(ctx context.Context, o Options, create bool) (_ *Store, err error) {
	s := &Store{dir: o.Dir, now: o.Now, rand: o.Rand, stmts: map[string]*sql.Stmt{}, reads: map[string]*sql.Stmt{}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.compressors(); err != nil {
		return nil, err
	}
	if !Exists(o.Dir) {
		if !create {
			return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no store in the data folder yet", Hint: "it is made when the first document is recorded; --data names another folder"}
		}
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, unavailable("the data folder cannot be made", err)
		}
	}
	// One process at a time looks whether there is a store, makes it, or changes its tables.
	unlock, err := lockedfile.MutexAt(filepath.Join(o.Dir, lockFile)).Lock()
	if err != nil {
		return nil, unavailable("the data folder cannot be used", err)
	}
	defer unlock()
	if !Exists(o.Dir) {
		if err := s.create(ctx, o); err != nil {
			return nil, err
		}
	}
	if err := s.readLabel(); err != nil {
		return nil, err
	}
	switch {
	case o.Clock && !s.label.Test:
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "this store was made under the real time and takes no other clock", Hint: "unset CASEFORMS_NOW, or name another folder with --data"}
	}
	secret, err := o.Keys.find(s.label.Store)
	if err != nil {
		return nil, err
	}
	if s.key, err = newKeyring(secret, s.label); err != nil {
		return nil, err
	}
	if s.key.check != s.label.Check {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the key found is not the key of this store, or its label was changed; nothing was changed by us", Hint: "the key file of store " + s.label.Store + " is needed; caseforms config check says where it is looked for"}
	}
	path := filepath.Join(s.dir, databaseFile)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// A store whose making was interrupted after its label was written.
		if err := os.Rename(filepath.Join(s.dir, makingFile), path); err != nil {
			return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the database is missing from the data folder", Hint: "put it back, or restore a backup into another folder"}
		}
	case err == nil && info.Size() == 0: // SQLite would begin a new one in it
		return nil, damaged()
	}
	if err := s.connect(ctx, path); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, err
	}
	if err := s.verifyTail(ctx); err != nil {
		return nil, err
	}
	s.clearLeftovers()
	return s, nil
}

// clearLeftovers removes the copies of backups that were killed in the middle. One that is being made is younger.
func (s *Store) clearLeftovers() {
	names, _ := filepath.Glob(filepath.Join(s.dir, "backup-*"))
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			os.Remove(name)
		}
	}
}

// create makes a store: the key first, then the whole database under another name, then the label, and last the database's name. Whatever
// is interrupted, a store with a label has a key and a database, and a folder without a label has no store.
func (s *Store) create(ctx context.Context, o Options) error {
	if _, err := os.Stat(filepath.Join(o.Dir, databaseFile)); err == nil {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the data folder has a database but no " + labelFile, Hint: "put " + labelFile + " back, or name another folder with --data"}
	}
	for _, left := range []string{makingFile, makingFile + "-wal", makingFile + "-shm"} {
		if err := os.Remove(filepath.Join(o.Dir, left)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unavailable("the data folder cannot be used", err)
		}
	}
	var id [8]byte
	if _, err := io.ReadFull(s.rand, id[:]); err != nil {
		return err
	}
	s.label = label{Format: labelFormat, Store: hex.EncodeToString(id[:]), Test: o.Clock, Program: "caseforms"}
	secret, err := o.Keys.make(s.label.Store, s.rand)
	if err != nil {
		return err
	}
	if s.key, err = newKeyring(secret, s.label); err != nil {
		return err
	}
	s.label.Check = s.key.check
	making := filepath.Join(o.Dir, makingFile)
	f, err := os.OpenFile(making, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // SQLite gives its log and shared memory the same mode
	if err != nil {
		return unavailable("the data folder cannot be written", err)
	}
	if err := f.Close(); err != nil {
		return unavailable("the data folder cannot be written", err)
	}
	if err := s.connect(ctx, making); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	err = s.act(ctx, func(t *tx) error {
		return t.append(Entry{What: StoreMade, Actor: caseforms.Scheduler().ID})
	})
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil { // writes everything from the log into the database
		return err
	}
	b, err := json.MarshalIndent(s.label, "", "  ")
	if err != nil {
		return err
	}
	if err := WriteFile(filepath.Join(o.Dir, labelFile), append(b, '\n')); err != nil {
		return unavailable("the data folder cannot be written", err)
	}
	if err := os.Rename(making, filepath.Join(o.Dir, databaseFile)); err != nil {
		return unavailable("the data folder cannot be written", err)
	}
	return syncDir(o.Dir)
}

func (s *Store) readLabel() error {
	b, err := os.ReadFile(filepath.Join(s.dir, labelFile))
	if err != nil {
		return unavailable("the store's label "+labelFile+" cannot be read", err)
	}
	bad := &caseforms.Error{Kind: caseforms.Invalid, Msg: "the store's label " + labelFile + " is damaged", Hint: "restore it from a backup of the data folder"}
	if json.Unmarshal(b, &s.label) != nil || s.label.Store == "" {
		return bad
	}
	if id, err := hex.DecodeString(s.label.Store); err != nil || len(id) != 8 {
		return bad
	}
	if s.label.Format > labelFormat {
		return newer()
	}
	return nil
}

func newer() error {
	return &caseforms.Error{Kind: caseforms.Invalid, Msg: "this store was written by a newer caseforms; nothing was changed", Hint: "use that version or a later one"}
}

// busyTimeout says how long one process waits for another, in milliseconds.
const busyTimeout = "PRAGMA busy_timeout=10000"

// connect opens the database: one connection that writes, several that cannot.
func (s *Store) connect(ctx context.Context, path string) error {
	prepare := func(readOnly bool) func(*sqlite3.Conn) error {
		return func(c *sqlite3.Conn) error {
			for _, p := range []string{
				"PRAGMA hexkey='" + hex.EncodeToString(s.key.database) + "'",
				busyTimeout, // before journal_mode: two processes may open a new store at once
				"PRAGMA temp_store=memory",
				"PRAGMA page_size=8192", // a page in the log lies across the cipher's blocks of 4096 bytes; larger ones are enciphered less often
				"PRAGMA journal_mode=wal",
				"PRAGMA synchronous=full",
				"PRAGMA secure_delete=on", // what is erased is overwritten
				"PRAGMA cache_size=-16384",
				"PRAGMA wal_autocheckpoint=4000",
			} {
				if err := c.Exec(p); err != nil {
					return err
				}
			}
			if readOnly {
				return c.Exec("PRAGMA query_only=on")
			}
			return nil
		}
	}
	name := "file:" + uriPath(path) + "?vfs=adiantum"
	var err error
	if s.write, err = driver.Open(name, prepare(false)); err != nil {
		return failed(err)
	}
	s.write.SetMaxOpenConns(1)
	if s.conn, err = s.write.Conn(ctx); err != nil {
		return failed(err)
	}
	var mode string
	var sync int
	if err := s.conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return failed(err)
	}
	if err := s.conn.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&sync); err != nil {
		return failed(err)
	}
	if mode != "wal" || sync != 2 {
		return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the data folder is on a disk that cannot keep a store safely", Hint: "use a local disk"}
	}
	if s.read, err = driver.Open(name, prepare(true)); err != nil {
		return failed(err)
	}
	s.read.SetMaxOpenConns(4)
	s.read.SetMaxIdleConns(4)
	s.queue.begin()
	return nil
}

// migrate brings the tables up to date. A store of a newer program is left as it is.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	// The migrations run on the writing connection, which the acts hold.
	s.conn.Close()
	defer func() {
		if c, err := s.write.Conn(ctx); err == nil {
			s.conn = c
		}
	}()
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return failed(err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return failed(err)
	}
	if have > want {
		return newer()
	}
	if have < want {
		if _, err := p.Up(ctx); err != nil {
			return failed(err)
		}
	}
	return nil
}

// Close waits for the acts that are under way and closes the store.
func (s *Store) Close() error {
	s.queue.close()
	var first error
	if s.conn != nil {
		for _, st := range s.stmts {
			st.Close()
		}
		s.conn.Close()
	}
	s.stmts = map[string]*sql.Stmt{}
	s.readMu.Lock() // whoever comes to read from now on is told that the store is closed
	defer s.readMu.Unlock()
	s.reads = map[string]*sql.Stmt{}
	for _, db := range []*sql.DB{s.read, s.write} { // the one that can write is the last, so that it can tidy the log up
		if db != nil {
			if err := db.Close(); err != nil && first == nil {
				first = failed(err)
			}
		}
	}
	s.read, s.write, s.conn = nil, nil, nil
	return first
}

// WriteFile puts a whole file in place or none, readable by its owner only, and on the disk before it returns.
func WriteFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".caseforms-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = cmp.Or(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return syncDir(filepath.Dir(name))
}

// syncDir makes the names in a folder last. Where folders cannot be synced, as on Windows, there is nothing to do.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	_ = d.Sync()
	return nil
}

// plain is a file error without the path, which may hold a name.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}

func unavailable(msg string, err error) error {
	return &caseforms.Error{Kind: caseforms.Unavailable, Msg: msg, Err: plain(err)}
}

// failed is an error of the database in words. What SQLite itself says is kept out of it: it may quote what was to be stored.
func failed(err error) error {
	var ours *caseforms.Error
	if err == nil || errors.As(err, &ours) || errors.Is(err, ErrTaken) || errors.Is(err, ErrChanged) || errors.Is(err, ErrDone) || errors.Is(err, ErrOther) || errors.Is(err, errSameID) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := &caseforms.Error{Kind: caseforms.Unavailable}
	switch {
	case errors.Is(err, sqlite3.FULL), errors.Is(err, syscall.ENOSPC):
		e.Msg, e.Hint = "the disk with the data folder is full; nothing of this act was kept", "make room and do it again"
	case errors.Is(err, sqlite3.READONLY), errors.Is(err, sqlite3.CANTOPEN), errors.Is(err, sqlite3.PERM):
		e.Msg, e.Hint = "the data folder cannot be written; nothing of this act was kept", "look at its permissions, and whether the disk is read-only"
	case errors.Is(err, sqlite3.BUSY), errors.Is(err, sqlite3.LOCKED):
		e.Msg, e.Hint = "another process kept the store busy for too long; nothing of this act was kept", "do it again"
	case errors.Is(err, sqlite3.NOTADB), errors.Is(err, sqlite3.CORRUPT):
		return damaged()
	case errors.Is(err, sqlite3.IOERR):
		// The driver tells a full disk apart only when it grows the file otherwise than by writing.
		e.Msg, e.Hint = "the disk with the data folder is full or failed; nothing of this act was kept", "make room, look whether it is damaged, and do it again"
	default:
		e.Kind, e.Msg, e.Err = caseforms.Internal, "the store failed", code(err)
	}
	return e
}

func damaged() error {
	return &caseforms.Error{Kind: caseforms.Internal, Msg: "the database is damaged", Hint: "copy the data folder as it is, then restore the last backup into another folder"}
}

// code is what may be told of an error of the database: its code, never its words.
func code(err error) error {
	var c sqlite3.ErrorCode
	if errors.As(err, &c) {
		return fmt.Errorf("SQLite error %d", c)
	}
	return err
}

// uriPath is a path as SQLite takes it in an address.
func uriPath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
}
