package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"

	"caseforms"
)

// rebind turns $1 into ?1. The texts are written with $N, which PostgreSQL takes as it is; SQLite would bind $N by the order in which they
// first appear, so that $2 before $1 silently swaps the two.
func rebind(query string) string {
	var b strings.Builder
	for i := 0; i < len(query); i++ {
		if query[i] == '$' && i+1 < len(query) && query[i+1] >= '1' && query[i+1] <= '9' {
			b.WriteByte('?')
			continue
		}
		b.WriteByte(query[i])
	}
	return b.String()
}

// queue gathers acts that wait at the same time into one transaction, so that many of them share one wait for the disk. Each is in a
// savepoint of its own: one that fails undoes nothing of the others.
type queue struct {
	mu      sync.Mutex
	waiting []*request
	leading bool
	open    bool
	idle    sync.Cond
}

type request struct {
	ctx   context.Context
	do    func(*tx) error
	alone func() error // instead of do: something that cannot be done in a transaction
	done  chan error
}

// most acts in one transaction: what a crash in the middle undoes is short, and nobody waits long for the first.
const batch = 64

// close takes no more acts and waits until nobody is at work.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.idle.L = &q.mu
	q.open = false
	for q.leading {
		q.idle.Wait()
	}
}

// begin lets acts in.
func (q *queue) begin() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open = true
}

// act does something in a transaction. When it returns nil, everything is on the disk; when it returns an error, nothing was done.
func (s *Store) act(ctx context.Context, do func(*tx) error) error {
	return s.wait(&request{ctx: ctx, do: do})
}

// alone does something on the writing connection while no act is under way.
func (s *Store) alone(do func() error) error {
	return s.wait(&request{ctx: context.Background(), alone: do})
}

func (s *Store) wait(r *request) error {
	r.done = make(chan error, 1)
	q := &s.queue
	q.mu.Lock()
	if !q.open {
		q.mu.Unlock()
		return closed()
	}
	q.waiting = append(q.waiting, r)
	if !q.leading {
		q.leading = true
		go s.lead()
	}
	q.mu.Unlock()
	return failed(<-r.done)
}

func closed() error {
	return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the store is closed"}
}

// lead works through the queue until it is empty.
func (s *Store) lead() {
	q := &s.queue
	for {
		q.mu.Lock()
		n := min(len(q.waiting), batch)
		if n == 0 {
			q.leading = false
			if q.idle.L != nil {
				q.idle.Broadcast()
			}
			q.mu.Unlock()
			return
		}
		if first := q.waiting[0]; first.alone != nil {
			q.waiting = q.waiting[1:]
			q.mu.Unlock()
			first.done <- first.alone()
			continue
		}
		if i := slices.IndexFunc(q.waiting[:n], func(r *request) bool { return r.alone != nil }); i > 0 {
			n = i
		}
		rs := q.waiting[:n:n]
		q.waiting = q.waiting[n:]
		q.mu.Unlock()
		s.together(rs)
	}
}

// together does several acts in one transaction and answers them.
func (s *Store) together(rs []*request) {
	errs := make([]error, len(rs))
	err := s.transact(func(t *tx) error {
		for i, r := range rs {
			if errs[i] = r.ctx.Err(); errs[i] != nil {
				continue
			}
			before := t.ledger
			if err := t.exec("SAVEPOINT act"); err != nil {
				return err
			}
			errs[i] = s.safely(t, r.do)
			if errs[i] != nil {
				if broken(errs[i]) {
					return errs[i]
				}
				t.ledger = before
				if err := t.exec("ROLLBACK TO act"); err != nil {
					return err
				}
			}
			if err := t.exec("RELEASE act"); err != nil {
				return err
			}
		}
		return nil
	})
	for i, r := range rs {
		if err != nil {
			errs[i] = err
		}
		r.done <- errs[i]
	}
	if s.untidy.Load() {
		s.emptyLog()
	}
}

// safely keeps a mistake in one act from taking the program down in the middle of the others.
func (s *Store) safely(t *tx, do func(*tx) error) (err error) {
	defer func() {
		if recover() != nil {
			err = &caseforms.Error{Kind: caseforms.Internal, Msg: "the store failed in the middle of an act; nothing of it was kept"}
		}
	}()
	return do(t)
}

// broken tells whether the transaction cannot go on: SQLite may have undone it already.
func broken(err error) bool {
	for _, c := range []sqlite3.ErrorCode{sqlite3.FULL, sqlite3.IOERR, sqlite3.NOMEM, sqlite3.CORRUPT, sqlite3.NOTADB, sqlite3.READONLY, sqlite3.INTERRUPT, sqlite3.BUSY} {
		if errors.Is(err, c) {
			return true
		}
	}
	return false
}

// tx is a transaction under way. It is not handed out of the package.
type tx struct {
	s      *Store
	at     time.Time // when it is done: one time for all that is written
	ledger ledger
}

func (s *Store) transact(do func(*tx) error) error {
	t := &tx{s: s}
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	t.at = s.now().UTC().Truncate(time.Millisecond)
	err := t.loadLedger()
	if err == nil {
		err = do(t)
	}
	if err == nil {
		err = t.storeLedger()
	}
	if err == nil {
		err = t.exec("COMMIT")
	}
	if err != nil {
		_ = t.exec("ROLLBACK") // SQLite may have done it already
	}
	return err
}

// Acts are not interrupted in the middle: a context that ends is looked at before an act begins.
func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if st := t.s.stmts[query]; st != nil {
		return st, nil
	}
	st, err := t.s.conn.PrepareContext(context.Background(), rebind(query))
	if err == nil {
		t.s.stmts[query] = st
	}
	return st, err
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.changed(query, args...)
	return err
}

// changed is exec, and tells how many rows it changed.
func (t *tx) changed(query string, args ...any) (int64, error) {
	st, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	r, err := st.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row reads one row; found is false when there is none.
func (t *tx) row(query string, args []any, into ...any) (found bool, err error) {
	st, err := t.stmt(query)
	if err != nil {
		return false, err
	}
	return scanned(st.QueryRowContext(context.Background(), args...), into)
}

func (t *tx) rows(query string, args []any, each func(scan func(...any) error) error) error {
	st, err := t.stmt(query)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(context.Background(), args...)
	return scanRows(rows, err, each)
}

// one reads one row outside of acts.
func (s *Store) one(ctx context.Context, query string, args []any, into ...any) (found bool, err error) {
	st, err := s.reading(ctx, query)
	if err != nil {
		return false, failed(err)
	}
	found, err = scanned(st.QueryRowContext(ctx, args...), into)
	return found, failed(err)
}

// all reads rows outside of acts.
func (s *Store) all(ctx context.Context, query string, args []any, each func(scan func(...any) error) error) error {
	st, err := s.reading(ctx, query)
	if err != nil {
		return failed(err)
	}
	rows, err := st.QueryContext(ctx, args...)
	return failed(scanRows(rows, err, each))
}

func (s *Store) reading(ctx context.Context, query string) (*sql.Stmt, error) {
	s.readMu.Lock()
	defer s.readMu.Unlock()
	if st := s.reads[query]; st != nil {
		return st, nil
	}
	if s.read == nil {
		return nil, closed()
	}
	st, err := s.read.PrepareContext(ctx, rebind(query))
	if err == nil {
		s.reads[query] = st
	}
	return st, err
}

func scanned(r *sql.Row, into []any) (bool, error) {
	err := r.Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func scanRows(rows *sql.Rows, err error, each func(scan func(...any) error) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// fromMilli reads a time as it is stored, an integer because that means the same in every database; 0 is no time.
func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// nullable stores the zero value as NULL.
func nullable[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}
