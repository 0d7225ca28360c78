package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"caseforms"
)

// Act is a kind of processing that must be logged (Data Protection Act 2018 s.62(1)).
type Act string

const (
	Collection   Act = "collection"
	Alteration   Act = "alteration"
	Consultation Act = "consultation"
	Disclosure   Act = "disclosure"
	Combination  Act = "combination"
	Erasure      Act = "erasure"
)

// StoreMade is the first entry of every ledger.
const StoreMade = "store made"

// Entry is what the ledger is to remember of an act. Everything but Detail stays for ever: ids, never words about anybody.
type Entry struct {
	Acts    []Act
	What    string // such as "document issued"
	Actor   string // a user's id, or "scheduler"
	Case    caseforms.CaseID
	Ref     caseforms.Ref
	Version int
	// Detail may be erased. The record commits to it by SHA-256 of a random salt and the detail, so that it can be shown not to have been
	// changed, and cannot be guessed once it is gone.
	Detail map[string]string

	// Once is the name of a request that is done with this entry, see [Store.Ask]: what was done before is not done again, which is [ErrDone].
	// It does not stand in the ledger.
	Once []byte
}

// Record is an entry as it stands in the ledger.
type Record struct {
	N  int64 // its place, from 0
	At time.Time
	Entry
	Erased bool // its detail was erased
}

// recorded is the form that is hashed. Its bytes are made once and stored as they are.
type recorded struct {
	V       int    `json:"v"`
	At      int64  `json:"at"`
	Acts    []Act  `json:"acts,omitempty"`
	What    string `json:"what"`
	Actor   string `json:"actor"`
	Case    string `json:"case,omitempty"`
	Ref     string `json:"ref,omitempty"`
	Version int    `json:"version,omitempty"`
	Commit  string `json:"commit,omitempty"`
}

// ledger is the state of the log during a transaction: its size, and the hashes of the whole subtrees at its right edge, from which the
// next hashes and the root follow without reading anything.
type ledger struct {
	size    int64
	edge    []edgeHash
	added   int64     // records appended in this transaction
	at      time.Time // of the last record before
	signed  string    // the checkpoint before
	stamped bool      // whether one was there
}

type edgeHash struct {
	idx  int64
	hash tlog.Hash
}

// ReadHashes makes the edge a [tlog.HashReader].
func (l *ledger) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, idx := range indexes {
		at := slices.IndexFunc(l.edge, func(e edgeHash) bool { return e.idx == idx })
		if at < 0 {
			return nil, fmt.Errorf("hash %d is not at the edge", idx)
		}
		out[i] = l.edge[at].hash
	}
	return out, nil
}

// edgeIndexes are the indexes of the whole subtrees that make up a log of n records, from the left.
func edgeIndexes(n int64) (out []int64) {
	var from int64
	for level := 62; level >= 0; level-- {
		if n&(1<<level) != 0 {
			out = append(out, tlog.StoredHashIndex(level, from>>level))
			from += 1 << level
		}
	}
	return out
}

func (t *tx) loadLedger() error {
	var edge []byte
	l := &t.ledger
	found, err := t.row(`SELECT size, edge, checkpoint FROM ledger_head WHERE one = 1`, nil, &l.size, &edge, &l.signed)
	if err != nil || !found {
		return err
	}
	l.stamped = true
	for i, idx := range edgeIndexes(l.size) {
		if len(edge) < 32*(i+1) {
			return tampered("the head of the ledger is damaged")
		}
		l.edge = append(l.edge, edgeHash{idx, tlog.Hash(edge[32*i : 32*i+32])})
	}
	return nil
}

// append adds an entry to the ledger, in the transaction of the act it is about.
func (t *tx) append(e Entry) error {
	_, err := t.appended(e)
	return err
}

// appended is append, and tells the place of the entry.
func (t *tx) appended(e Entry) (int64, error) {
	if e.Once != nil {
		if err := t.once(e.Once); err != nil {
			return 0, err
		}
	}
	l := &t.ledger
	at := t.at
	r := recorded{V: 1, At: at.UnixMilli(), Acts: e.Acts, What: e.What, Actor: e.Actor, Case: string(e.Case), Ref: string(e.Ref), Version: e.Version}
	n := l.size
	if e.Detail != nil {
		detail, err := json.Marshal(e.Detail) // sorts the keys
		if err != nil {
			return 0, err
		}
		var random [16 + 12]byte
		if _, err := io.ReadFull(t.s.rand, random[:]); err != nil {
			return 0, err
		}
		salt, nonce := random[:16], random[16:]
		r.Commit = commitment(salt, detail)
		sealed := t.s.key.details.Seal(nonce, nonce, append(slices.Clone(salt), detail...), detailBinding(n))
		if err := t.exec(`INSERT INTO ledger_details (n, sealed) VALUES ($1, $2)`, n, sealed); err != nil {
			return 0, err
		}
	}
	record, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	hashes, err := tlog.StoredHashes(n, record, l)
	if err != nil {
		return 0, err
	}
	if err := t.exec(`INSERT INTO ledger (n, at, case_id, ref, record) VALUES ($1, $2, $3, $4, $5)`, n, r.At, nullable(r.Case), nullable(r.Ref), record); err != nil {
		return 0, err
	}
	first := tlog.StoredHashIndex(0, n)
	known := slices.Clone(l.edge)
	for i, h := range hashes {
		idx := first + int64(i)
		if err := t.exec(`INSERT INTO ledger_hashes (idx, hash) VALUES ($1, $2)`, idx, h[:]); err != nil {
			return 0, err
		}
		known = append(known, edgeHash{idx, h})
	}
	l.edge = nil
	for _, idx := range edgeIndexes(n + 1) {
		l.edge = append(l.edge, known[slices.IndexFunc(known, func(e edgeHash) bool { return e.idx == idx })])
	}
	l.size++
	l.added++
	l.at = at
	return n, nil
}

func commitment(salt, detail []byte) string {
	h := sha256.New()
	h.Write(salt)
	h.Write(detail)
	return hex.EncodeToString(h.Sum(nil))
}

func detailBinding(n int64) []byte {
	return binary.BigEndian.AppendUint64([]byte("detail "), uint64(n))
}

// storeLedger signs the log as it is now. It is done once a transaction.
func (t *tx) storeLedger() error {
	l := &t.ledger
	if l.added == 0 {
		return nil
	}
	root, err := tlog.TreeHash(l.size, l)
	if err != nil {
		return err
	}
	if l.stamped {
		// The last checkpoint of a day is kept for good.
		old, err := t.s.readCheckpoint(l.signed)
		if err != nil {
			return err
		}
		if old.at.Format(time.DateOnly) != l.at.Format(time.DateOnly) {
			err := t.exec(`INSERT INTO ledger_checkpoints (size, at, checkpoint) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, old.size, old.at.UnixMilli(), l.signed)
			if err != nil {
				return err
			}
		}
	}
	signed, err := note.Sign(&note.Note{Text: checkpointText(t.s.label.Store, l.size, root, l.at)}, t.s.key.signer)
	if err != nil {
		return err
	}
	t.s.own.Store(&ownCheckpoint{string(signed), checkpoint{l.size, root, l.at.Truncate(time.Second)}})
	edge := make([]byte, 0, 32*len(l.edge))
	for _, e := range l.edge {
		edge = append(edge, e.hash[:]...)
	}
	return t.exec(`INSERT INTO ledger_head (one, size, edge, checkpoint) VALUES (1, $1, $2, $3)
		ON CONFLICT (one) DO UPDATE SET size = excluded.size, edge = excluded.edge, checkpoint = excluded.checkpoint`, l.size, edge, string(signed))
}

// checkpointText is what is signed: whose ledger, how many records, their root hash, when. Its first three lines are those of a tree head
// of the Go checksum database, so that other programs can read it.
func checkpointText(store string, size int64, root tlog.Hash, at time.Time) string {
	return fmt.Sprintf("%s\n%d\n%s\n%s\n", logName(store), size, root, at.UTC().Format(time.RFC3339))
}

type checkpoint struct {
	size int64
	root tlog.Hash
	at   time.Time
}

// ownCheckpoint is a checkpoint that is known to be signed by this store, to the letter. Only the signature is not computed again: the ledger is
// compared with it as with any other.
type ownCheckpoint struct {
	signed string
	checkpoint
}

func tampered(msg string) error {
	return &caseforms.Error{Kind: caseforms.Internal, Op: "ledger", Msg: msg, Hint: "copy the data folder as it is and tell whoever is responsible for data protection; caseforms verify ledger says more"}
}

// readCheckpoint checks the signature of a checkpoint and reads it.
func (s *Store) readCheckpoint(signed string) (checkpoint, error) {
	var c checkpoint
	if own := s.own.Load(); own != nil && own.signed == signed {
		return own.checkpoint, nil
	}
	bad := &caseforms.Error{Kind: caseforms.Invalid, Op: "ledger", Msg: "the checkpoint was not signed for this ledger, or was changed"}
	n, err := note.Open([]byte(signed), note.VerifierList(s.key.verifier))
	if err != nil {
		return c, bad
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != logName(s.label.Store) {
		return c, bad
	}
	if c.size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.size < 1 {
		return c, bad
	}
	if c.root, err = tlog.ParseHash(lines[2]); err != nil {
		return c, bad
	}
	if c.at, err = time.Parse(time.RFC3339, lines[3]); err != nil {
		return c, bad
	}
	return c, nil
}

// readOwn is readCheckpoint of one that this store keeps: it must be to the letter what the store wrote. The encoding of a signature leaves
// some bits open, and somebody else's signatures may stand below it; what is kept elsewhere may differ in that.
func (s *Store) readOwn(signed string) (checkpoint, error) {
	c, err := s.readCheckpoint(signed)
	if own := s.own.Load(); err != nil || own != nil && own.signed == signed {
		return c, err
	}
	text, _, _ := strings.Cut(signed, "\n\n")
	again, err := note.Sign(&note.Note{Text: text + "\n"}, s.key.signer)
	if err == nil && string(again) != signed {
		err = tampered("a checkpoint of the ledger was changed")
	}
	if err == nil {
		s.own.Store(&ownCheckpoint{signed, c})
	}
	return c, err
}

// hashReader reads stored hashes.
func (s *Store) hashReader(ctx context.Context) tlog.HashReaderFunc {
	return func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		found := make(map[int64]tlog.Hash, len(indexes))
		err := chunked(ctx, s, `SELECT idx, hash FROM ledger_hashes WHERE idx`, indexes, func(scan func(...any) error) error {
			var idx int64
			var b []byte
			err := scan(&idx, &b)
			if err == nil && len(b) == tlog.HashSize {
				found[idx] = tlog.Hash(b)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		for i, idx := range indexes {
			h, ok := found[idx]
			if !ok {
				return nil, tampered("a hash of the ledger is missing")
			}
			out[i] = h
		}
		return out, nil
	}
}

// head reads the head of the ledger and checks that its edge is what was signed.
func (s *Store) head(ctx context.Context) (checkpoint, string, []tlog.Hash, error) {
	var c checkpoint
	var size int64
	var edge []byte
	var signed string
	found, err := s.one(ctx, `SELECT size, edge, checkpoint FROM ledger_head WHERE one = 1`, nil, &size, &edge, &signed)
	if err != nil || !found {
		return c, "", nil, err
	}
	if c, err = s.readOwn(signed); err != nil {
		return c, "", nil, tampered("the head of the ledger is not signed with this store's key")
	}
	l := ledger{}
	for i, idx := range edgeIndexes(size) {
		if len(edge) >= 32*(i+1) {
			l.edge = append(l.edge, edgeHash{idx, tlog.Hash(edge[32*i : 32*i+32])})
		}
	}
	var hashes []tlog.Hash
	for _, e := range l.edge {
		hashes = append(hashes, e.hash)
	}
	root, err := tlog.TreeHash(size, &l)
	if size != c.size || len(edge) != 32*len(l.edge) || err != nil || root != c.root {
		return c, "", nil, tampered("the head of the ledger does not match its signature")
	}
	return c, signed, hashes, nil
}

// tail is how many of the last records are checked at the start.
const tail = 64

// verifyTail checks the head of the ledger and its last records. It is quick, and done whenever a store is opened.
func (s *Store) verifyTail(ctx context.Context) error {
	head, _, edge, err := s.head(ctx)
	if err != nil {
		return err
	}
	if head.size == 0 {
		return tampered("the ledger has no head") // its first record is made with the store
	}
	stored, err := s.hashReader(ctx)(edgeIndexes(head.size))
	if err != nil {
		return err
	}
	if !slices.Equal(stored, edge) {
		return tampered("the hashes of the ledger do not match its head")
	}
	return s.eachRecord(ctx, max(0, head.size-tail), head.size, func(r rawRecord) error {
		h, err := s.hashReader(ctx)([]int64{tlog.StoredHashIndex(0, r.n)})
		if err != nil {
			return err
		}
		if h[0] != tlog.RecordHash(r.record) {
			return tampered(fmt.Sprintf("record %d of the ledger was changed", r.n))
		}
		return nil
	})
}

type rawRecord struct {
	n, at   int64
	caseID  string
	ref     string
	record  []byte
	sealed  []byte // its detail; nil when there is none
	decoded recorded
}

const rawRecords = `SELECT l.n, l.at, coalesce(l.case_id, ''), coalesce(l.ref, ''), l.record, d.sealed FROM ledger l LEFT JOIN ledger_details d ON d.n = l.n WHERE `

func scanRecord(scan func(...any) error) (r rawRecord, err error) {
	err = scan(&r.n, &r.at, &r.caseID, &r.ref, &r.record, &r.sealed)
	return r, err
}

// eachRecord reads the records from one place to before another and finds gaps.
func (s *Store) eachRecord(ctx context.Context, from, to int64, each func(rawRecord) error) error {
	next := from
	for next < to { // in pieces, so that a long check does not hold up the log of the database
		start := next
		err := s.all(ctx, rawRecords+`l.n >= $1 AND l.n < $2 ORDER BY l.n`,
			[]any{next, min(to, next+10_000)}, func(scan func(...any) error) error {
				r, err := scanRecord(scan)
				if err != nil {
					return err
				}
				if r.n != next {
					return tampered(fmt.Sprintf("record %d of the ledger is missing", next))
				}
				next++
				return each(r)
			})
		if err != nil {
			return err
		}
		if next == start {
			return tampered(fmt.Sprintf("record %d of the ledger is missing", next))
		}
	}
	return nil
}

// detail opens the detail of a record and checks it against the commitment.
func (s *Store) detail(r *rawRecord) (map[string]string, error) {
	changed := tampered(fmt.Sprintf("the detail of record %d of the ledger was changed", r.n))
	if r.sealed == nil {
		return nil, nil
	}
	if len(r.sealed) < 12 {
		return nil, changed
	}
	b, err := s.key.details.Open(nil, r.sealed[:12], r.sealed[12:], detailBinding(r.n))
	if err != nil || len(b) < 16 || commitment(b[:16], b[16:]) != r.decoded.Commit {
		return nil, changed
	}
	var d map[string]string
	if json.Unmarshal(b[16:], &d) != nil {
		return nil, changed
	}
	return d, nil
}

// read is a record with its detail.
func (s *Store) readRecord(r rawRecord) (Record, error) {
	changed := tampered(fmt.Sprintf("record %d of the ledger was changed", r.n))
	dec := json.NewDecoder(bytes.NewReader(r.record))
	dec.DisallowUnknownFields()
	if dec.Decode(&r.decoded) != nil {
		return Record{}, changed
	}
	d := r.decoded
	if d.At != r.at || d.Case != r.caseID || d.Ref != r.ref {
		return Record{}, tampered(fmt.Sprintf("what record %d of the ledger is found by was changed", r.n))
	}
	if d.Commit == "" && r.sealed != nil {
		return Record{}, changed
	}
	detail, err := s.detail(&r)
	if err != nil {
		return Record{}, err
	}
	return Record{N: r.n, At: time.UnixMilli(d.At).UTC(), Erased: d.Commit != "" && r.sealed == nil, Entry: Entry{Acts: d.Acts, What: d.What, Actor: d.Actor,
		Case: caseforms.CaseID(d.Case), Ref: caseforms.Ref(d.Ref), Version: d.Version, Detail: detail}}, nil
}

// Looked tells whether a record is only of somebody who looked, as the column of the same name has it.
func (r *Record) Looked() bool {
	return len(r.Acts) == 1 && r.Acts[0] == Consultation && r.What != "refused"
}

// CaseFound is the entry of a case that a search found.
const CaseFound = "case found"

// History is what the ledger says about a case or a document, oldest first. Each record is proved as it is read, see [Store.proved].
func (s *Store) History(ctx context.Context, of any) ([]Record, error) {
	switch of.(type) {
	case caseforms.Ref:
		return s.history(ctx, `l.ref = $1 ORDER BY l.n`, fmt.Sprint(of))
	case caseforms.CaseID:
		return s.history(ctx, `l.case_id = $1 ORDER BY l.n`, fmt.Sprint(of))
	}
	return nil, fmt.Errorf("history of a %T", of)
}

// HistoryOf is what the ledger says about a document and about its case as a whole, oldest first: all that was done, and the last so many looks, or
// all of them when looks is [AllLooks]. The searches that found the case are not among it.
func (s *Store) HistoryOf(ctx context.Context, ref caseforms.Ref, id caseforms.CaseID, looks int) ([]Record, error) {
	return s.history(ctx, `l.n IN (SELECT n FROM ledger WHERE ref = $1 AND looked = 0 UNION ALL SELECT n FROM ledger WHERE case_id = $2 AND ref IS NULL AND looked = 0
		UNION ALL SELECT n FROM (`+looksAt+`)) ORDER BY l.n`, string(ref), string(id), looks, 0)
}

// AllLooks asks for everybody who looked.
const AllLooks = 1 << 30

const looksAt = `SELECT n FROM ledger WHERE ref = $1 AND looked = 1 UNION ALL SELECT n FROM ledger WHERE case_id = $2 AND ref IS NULL AND looked = 1 ORDER BY n DESC LIMIT $3 OFFSET $4`

// CountLooks is how often somebody looked at a document or at its case as a whole. It is counted and not proved.
func (s *Store) CountLooks(ctx context.Context, ref caseforms.Ref, id caseforms.CaseID) (n int, err error) {
	_, err = s.one(ctx, `SELECT (SELECT count(*) FROM ledger WHERE ref = $1 AND looked = 1) + (SELECT count(*) FROM ledger WHERE case_id = $2 AND ref IS NULL AND looked = 1)`,
		[]any{string(ref), string(id)}, &n)
	return n, err
}

// Looks are those at a document and at its case as a whole, the latest first: most of them after some are left out.
func (s *Store) Looks(ctx context.Context, ref caseforms.Ref, id caseforms.CaseID, out, most int) ([]Record, error) {
	rs, err := s.history(ctx, `l.n IN (`+looksAt+`) ORDER BY l.n`, string(ref), string(id), most, out)
	slices.Reverse(rs)
	return rs, err
}

func (s *Store) history(ctx context.Context, where string, args ...any) ([]Record, error) {
	var raw []rawRecord
	err := s.all(ctx, rawRecords+where, args, func(scan func(...any) error) error {
		r, err := scanRecord(scan)
		raw = append(raw, r)
		return err
	})
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	head, _, _, err := s.head(ctx)
	if err != nil {
		return nil, err
	}
	return s.proved(ctx, head, raw)
}

// proved reads records, which stand in the order of the ledger, and proves that all of them are in the log that was signed: its root is computed from
// their bytes and from the stored hashes of everything between them. It is one proof for all, as strong as one for each. That no other record
// belongs to them, [Store.VerifyLedger] alone can tell.
func (s *Store) proved(ctx context.Context, head checkpoint, raw []rawRecord) ([]Record, error) {
	out := make([]Record, len(raw))
	for i, r := range raw {
		var err error
		if out[i], err = s.readRecord(r); err != nil {
			return nil, err
		}
	}
	err := s.proveAll(ctx, head, raw)
	if err == nil {
		return out, nil
	}
	var ours *caseforms.Error
	if !errors.As(err, &ours) || ours.Kind != caseforms.Internal {
		return nil, err
	}
	for _, r := range raw { // which of them it is
		if _, err := s.prove(ctx, head, r); err != nil {
			return nil, err
		}
	}
	return nil, err
}

func (s *Store) proveAll(ctx context.Context, head checkpoint, raw []rawRecord) error {
	changed := tampered("the ledger does not match its signature")
	if raw[0].n < 0 || raw[len(raw)-1].n >= head.size {
		return changed
	}
	var between []int64
	span(0, head.size, raw, func(idx int64) (h tlog.Hash) { between = append(between, idx); return h })
	hashes, err := s.hashReader(ctx)(between)
	if err != nil {
		return err
	}
	next := 0
	if span(0, head.size, raw, func(int64) tlog.Hash { next++; return hashes[next-1] }) != head.root {
		return changed
	}
	return nil
}

// span is the hash over the records from one place to before another (RFC 6962, 2.1). Those that are at hand are in records; what lies between
// them is asked for by the index of its hash, from left to right. No record may be from elsewhere: it would be passed over.
func span(from, to int64, records []rawRecord, stored func(idx int64) tlog.Hash) tlog.Hash {
	n := to - from
	switch {
	case len(records) == 0 && n&(n-1) == 0:
		level := bits.TrailingZeros64(uint64(n))
		return stored(tlog.StoredHashIndex(level, from>>level))
	case n == 1:
		return tlog.RecordHash(records[0].record)
	}
	half := from + 1<<(bits.Len64(uint64(n-1))-1)
	right, _ := slices.BinarySearchFunc(records, half, func(r rawRecord, n int64) int { return cmp.Compare(r.n, n) })
	left := span(from, half, records[:right], stored)
	return tlog.NodeHash(left, span(half, to, records[right:], stored))
}

// prove reads a record and proves that it is in the log that was signed.
func (s *Store) prove(ctx context.Context, head checkpoint, r rawRecord) (Record, error) {
	rec, err := s.readRecord(r)
	if err != nil {
		return rec, err
	}
	p, err := tlog.ProveRecord(head.size, r.n, s.hashReader(ctx))
	if err == nil {
		err = tlog.CheckRecord(p, head.size, head.root, r.n, tlog.RecordHash(r.record))
	}
	if err != nil {
		return rec, tampered(fmt.Sprintf("record %d of the ledger was changed", r.n))
	}
	return rec, nil
}

// Prove reads one record and proves that it is in the log that was signed.
func (s *Store) Prove(ctx context.Context, n int64) (Record, error) {
	var raw []rawRecord
	err := s.eachRecord(ctx, n, n+1, func(r rawRecord) error { raw = append(raw, r); return nil })
	if err != nil {
		return Record{}, err
	}
	head, _, _, err := s.head(ctx)
	if err != nil {
		return Record{}, err
	}
	return s.prove(ctx, head, raw[0])
}

// Append puts entries into the ledger that belong to no other change, such as that somebody looked at a document.
func (s *Store) Append(ctx context.Context, es ...Entry) error {
	return s.act(ctx, func(t *tx) error {
		for _, e := range es {
			if err := t.append(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// Checkpoint is the signed state of the ledger. Whoever keeps one where the store's own people cannot change it can tell later whether
// anything before it was changed or removed.
func (s *Store) Checkpoint(ctx context.Context) (string, error) {
	_, signed, _, err := s.head(ctx)
	return signed, err
}

// VerifierKey is the public key of the ledger (golang.org/x/mod/sumdb/note). With it anybody can check a checkpoint's signature.
func (s *Store) VerifierKey() string {
	k, err := note.NewEd25519VerifierKey(logName(s.label.Store), s.key.signer.private.Public().(ed25519.PublicKey))
	if err != nil {
		return ""
	}
	return k
}
