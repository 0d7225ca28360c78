package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"caseforms"
)

// filled is a store of three days with everything in it: cases, documents in several versions, and one case and one document erased.
func filled(t testing.TB) (s *Store, clock *testClock, o Options) {
	t.Helper()
	s, clock, o = clockStore(t)
	ctx := context.Background()
	must(t, s.AddUser(ctx, User{Actor: caseforms.Actor{ID: "u-1", Name: "Petra"}, Login: "petra"}, Entry{What: "user added", Actor: "u-1", Detail: map[string]string{"user": "u-1"}}))
	var is []Issue
	for n := range 5 {
		i := issue(t, 300)
		i.Record = fmt.Appendf(nil, `{"person":{"family_name":"Placeholder %d"}}`, n)
		i.Answers = fmt.Appendf(nil, `{"answers":[%d]}`, n)
		i.Card = fmt.Appendf(nil, `{"name":"Placeholder %d"}`, n)
		i.Area = fmt.Sprint("area ", n)
		i.Files = append(i.Files, NewFile{"workbook", "archive", fmt.Appendf(nil, "workbook %d", n)})
		i.Terms = []Term{{s.Term("name", fmt.Sprint(n)), ThePerson}}
		if n%2 == 1 {
			i.Bundle = []byte("another bundle")
			i.Definition = hexSum(i.Bundle)
			i.Copy = "disclosable"
		}
		must(t, s.Issue(ctx, i))
		is = append(is, i)
		clock.add(11 * time.Hour)
	}
	again := is[0] // a new version with a changed record
	again.Version, again.CaseVersion, again.Send = 2, 1, nil
	again.Record, again.Files = []byte(`{"person":{"family_name":"Changed"}}`), []NewFile{{"pdf", "archive", []byte("second")}}
	must(t, s.Issue(ctx, again))
	second := issue(t, 50) // another document of the same record
	second.Case, second.CaseVersion, second.Record, second.Card, second.Form = is[1].Case, 1, nil, nil, "check"
	must(t, s.Issue(ctx, second))
	must(t, s.SaveDraft(ctx, Draft{ID: "d-1", Form: "cp1"}, []byte(`{}`), Entry{What: "draft saved", Actor: "u-1"}))
	items, err := s.Claim(ctx, 100, time.Minute)
	must(t, err)
	for _, it := range items {
		_, err = s.Begin(ctx, &it)
		must(t, err)
		_, err = s.Delivered(ctx, &it, "250", nil, nil)
		must(t, err)
	}
	clock.add(time.Hour)
	must(t, s.Erase(ctx, is[3].Case, Entry{Acts: []Act{Erasure}, What: "case erased", Actor: "u-1"}))
	must(t, s.EraseDocument(ctx, is[4].Ref, Entry{Acts: []Act{Erasure}, What: "document erased", Actor: "u-1"}))
	must(t, s.Append(ctx, Entry{Acts: []Act{Consultation}, What: "document opened", Actor: "u-1", Case: is[0].Case, Ref: is[0].Ref, Version: 1}))
	intact(t, s)
	return s, clock, o
}

// unproven are the tables and columns that no check of contents covers, each with the reason.
var unproven = map[string]string{
	"users":            "people change; every change is in the ledger, and what they may do now is not compared with it",
	"case_access":      "who may see a case changes; every change is in the ledger, and the present state is not compared with it",
	"terms":            "what a case is found by is made of its record by internal/casework; here only the hashes are known",
	"drafts":           "a draft is nobody's record yet; that its content is there and was not changed is checked",
	"outbox":           "the state of a delivery changes; what was sent is in the ledger, and that a payload is there and was not changed is checked",
	"handoffs":         "what became of a hand-off changes; every act is in the ledger, and the present state is not compared with it",
	"sends":            "where a send stands changes; every act is in the ledger, and the present state is not compared with it",
	"received":         "what a message belongs to changes; that it came is in the ledger, with the sum of its bytes",
	"passwords":        "how people sign in is no evidence; every change is in the ledger",
	"sign_in_links":    "as with passwords",
	"second_factors":   "as with passwords; a secret that was changed does not open",
	"recovery_codes":   "as with passwords",
	"sessions":         "who is signed in is no evidence; that they signed in is in the ledger",
	"issued_rows":      "which row of a workbook a document was made from is no evidence",
	"api_keys":         "as with passwords",
	"api_requests":     "that a request was done once is no evidence; what was done is in the ledger",
	"mailboxes":        "how far a mailbox was read is no evidence: what is read again is known by its bytes",
	"responses":        "as with hand-offs",
	"followups":        "a duty changes with time; every step is in the ledger, and the present state is not compared with it",
	"recipients":       "an office moves; every change is in the ledger, and the present state is not compared with it",
	"policies":         "as with recipients",
	"goose_db_version": "tells which tables there are; a wrong one fails when the store is opened or used",
	"sqlite_sequence":  "SQLite's own, of goose's table",
	"cases.version":    "counts changes, for people who change a case at the same moment",
	"cases.changed_at": "only sorts what was found", "cases.changed_by": "the ledger tells it",
	"cases.restricted": "changes; every change is in the ledger, and the present state is not compared with it",
	"cases.owner":      "changes; every change is in the ledger, and the present state is not compared with it",
	"cases.team":       "as with the owner", "cases.area": "as with the owner",
	"cases.held": "changes; every change is in the ledger, and the present state is not compared with it",

	"countersignatures": "the last word of a manager holds; every one is in the ledger, and the present state is not compared with it",
}

// Of what was erased the ledger has no detail any more with which these could be compared.
var unprovenErased = []string{"versions.form_version", "versions.area", "versions.definition", "versions.renderer", "documents.form", "documents.copy", "files.format", "files.profile", "files.size"}

type column struct {
	name, kind string
	notNull    bool
	key        int
}

type table struct {
	name    string
	columns []column
}

func (tb table) names() string {
	out := []string{"rowid"}
	for _, c := range tb.columns {
		out = append(out, c.name)
	}
	return strings.Join(out, ", ")
}

func tables(t testing.TB, s *Store) (out []table) {
	t.Helper()
	ctx := context.Background()
	must(t, s.all(ctx, `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`, nil, func(scan func(...any) error) error {
		var tb table
		err := scan(&tb.name)
		out = append(out, tb)
		return err
	}))
	for i := range out {
		must(t, s.all(ctx, `PRAGMA table_info(`+out[i].name+`)`, nil, func(scan func(...any) error) error {
			var c column
			var cid int
			var dflt any
			err := scan(&cid, &c.name, &c.kind, &c.notNull, &dflt, &c.key)
			out[i].columns = append(out[i].columns, c)
			return err
		}))
	}
	return out
}

// read gives the rows of a table with their rowids.
func (tb table) read(t testing.TB, s *Store) (rows [][]any) {
	t.Helper()
	must(t, s.all(context.Background(), `SELECT `+tb.names()+` FROM `+tb.name+` ORDER BY rowid`, nil, func(scan func(...any) error) error {
		row := make([]any, len(tb.columns)+1)
		into := make([]any, len(row))
		for i := range row {
			into[i] = &row[i]
		}
		err := scan(into...)
		rows = append(rows, row)
		return err
	}))
	return rows
}

// write puts these rows into a table in place of what it has, behind the store's back.
func (tb table) write(s *Store, rows [][]any) error {
	return s.alone(func() error {
		ctx := context.Background()
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(tb.columns)+1), ", ")
		if _, err := s.conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
			return err
		}
		_, err := s.conn.ExecContext(ctx, `DELETE FROM `+tb.name)
		for i := 0; i < len(rows) && err == nil; i++ {
			_, err = s.conn.ExecContext(ctx, `INSERT INTO `+tb.name+` (`+tb.names()+`) VALUES (`+marks+`)`, rows[i]...)
		}
		end := `COMMIT`
		if err != nil {
			end = `ROLLBACK`
		}
		if _, e := s.conn.ExecContext(ctx, end); err == nil {
			err = e
		}
		return err
	})
}

// altered is a value with one byte, or a number, changed.
func altered(v any, kind string) any {
	switch v := v.(type) {
	case int64:
		return v + 1
	case string:
		if v == "" {
			return "x"
		}
		b, at := []byte(v), rand.N(len(v))
		if b[at]++; b[at] >= 0x7f {
			b[at] = '!'
		}
		return string(b)
	case []byte:
		if len(v) == 0 {
			return []byte{1}
		}
		b := slices.Clone(v)
		b[rand.N(len(b))] ^= 1 << rand.N(8)
		return b
	case nil:
		switch kind {
		case "INTEGER":
			return int64(1)
		case "TEXT":
			return "x"
		}
		return []byte{1}
	}
	panic(fmt.Sprintf("a %T", v))
}

func copied(rows [][]any) [][]any {
	out := make([][]any, len(rows))
	for i, r := range rows {
		out[i] = slices.Clone(r)
	}
	return out
}

// TestEveryCell changes every value of every row of the tables that hold what was issued, takes rows away, adds some and swaps them, and each
// time looks whether the checks find it.
func TestEveryCell(t *testing.T) {
	t.Parallel()
	s, _, _ := filled(t)
	ctx := context.Background()
	erased := map[string]bool{}
	must(t, s.all(ctx, `SELECT ref FROM versions WHERE erased_at IS NOT NULL`, nil, func(scan func(...any) error) error {
		var ref string
		err := scan(&ref)
		erased[ref] = true
		return err
	}))
	tried, refusedByDatabase := 0, 0
	for _, tb := range tables(t, s) {
		if unproven[tb.name] != "" {
			continue
		}
		rows := tb.read(t, s)
		if len(rows) < 1 {
			t.Errorf("%s has no rows to change", tb.name)
		}
		try := func(what string, changed [][]any) {
			t.Helper()
			if err := tb.write(s, changed); err != nil {
				refusedByDatabase++ // the database has a rule against it
				return
			}
			tried++
			if ps := problems(t, s, ""); len(ps) == 0 {
				t.Errorf("%s: %s is not found", tb.name, what)
			}
			must(t, tb.write(s, rows))
		}
		for at, row := range rows {
			if testing.Short() && at%4 != 0 {
				continue
			}
			ofErased := slices.ContainsFunc(row, func(v any) bool { ref, ok := v.(string); return ok && erased[ref] })
			for c, col := range tb.columns {
				full := tb.name + "." + col.name
				if unproven[full] != "" || ofErased && slices.Contains(unprovenErased, full) {
					continue
				}
				changed := copied(rows)
				changed[at][c+1] = altered(row[c+1], col.kind)
				if col.kind == "INTEGER" && col.key == 1 { // it is the rowid
					changed[at][0] = changed[at][c+1]
				}
				try(fmt.Sprintf("row %d, %s from %.40v to %.40v", at, col.name, row[c+1], changed[at][c+1]), changed)
				if row[c+1] != nil && !col.notNull && col.key == 0 {
					changed := copied(rows)
					changed[at][c+1] = nil
					try(fmt.Sprintf("row %d, no %s", at, col.name), changed)
				}
			}
			if ofErased && tb.name == "files" {
				continue // how many files there were is not known any more
			}
			try(fmt.Sprintf("row %d away", at), slices.Delete(copied(rows), at, at+1))
			for _, high := range []bool{true, false} {
				more := slices.Clone(row)
				for c, col := range tb.columns {
					switch {
					case col.key == 0:
					case col.kind == "INTEGER" && high:
						more[c+1] = more[c+1].(int64) + 1_000_000
					case col.kind == "INTEGER":
						more[c+1] = -1 - more[c+1].(int64)
					default:
						more[c+1] = altered(more[c+1], col.kind)
					}
					if col.key == 1 && col.kind == "INTEGER" {
						more[0] = more[c+1]
					}
				}
				if more[0] == row[0] {
					more[0] = int64(1_000_000)
				}
				try(fmt.Sprintf("row %d once more under another key", at), append(copied(rows), more))
			}
		}
		for range 6 { // two rows swapped: the keys stay, all else changes place
			if len(rows) < 2 {
				break
			}
			p := rand.Perm(len(rows))
			a, b := p[0], p[1]
			changed := copied(rows)
			same := true
			for c, col := range tb.columns {
				full := tb.name + "." + col.name
				if col.key == 0 && unproven[full] == "" && !slices.Contains(unprovenErased, full) && fmt.Sprint(rows[a][c+1]) != fmt.Sprint(rows[b][c+1]) {
					changed[a][c+1], changed[b][c+1] = rows[b][c+1], rows[a][c+1]
					same = false
				}
			}
			if !same {
				try(fmt.Sprintf("rows %d and %d swapped", a, b), changed)
			}
		}
	}
	intact(t, s)
	t.Logf("%d changes were tried; of %d more the database has rules against it", tried, refusedByDatabase)
	if tried < 300 {
		t.Error("hardly anything was tried")
	}
}

// A checkpoint of an earlier day that was signed with the store's key is no place for another one, and an older head is seen.
func TestOldCheckpoints(t *testing.T) {
	t.Parallel()
	s, _, _ := filled(t)
	ctx := context.Background()
	intact(t, s)
	head, err := s.Checkpoint(ctx)
	must(t, err)
	c, err := s.readCheckpoint(head)
	must(t, err)
	must(t, s.alone(func() error {
		_, err := s.conn.ExecContext(ctx, `INSERT INTO ledger_checkpoints (size, at, checkpoint) VALUES (?, ?, ?)`, c.size, c.at.UnixMilli(), head)
		return err
	}))
	if ps := problems(t, s, ""); len(ps) == 0 {
		t.Error("a checkpoint that was added is not found")
	}
}

// TestRollback takes the last records away and puts everything back as it was signed then. That is the one thing nobody can see who has not
// kept a later checkpoint; with one it is seen.
func TestRollback(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, clock, o := clockStore(t)
	must(t, s.Issue(ctx, issue(t, 100)))
	clock.add(time.Minute)
	early, err := s.Checkpoint(ctx)
	must(t, err)
	must(t, s.Close())
	copyStore(t, o.Dir, o.Dir+"-old")
	s, err = Open(ctx, o)
	must(t, err)
	last := issue(t, 100)
	must(t, s.Issue(ctx, last))
	late, err := s.Checkpoint(ctx)
	must(t, err)
	for _, against := range []string{"", early, late} {
		if ps := problems(t, s, against); len(ps) > 0 {
			t.Errorf("nothing was done and %q is found", ps)
		}
	}
	must(t, s.Close())
	older := o
	older.Dir = o.Dir + "-old"
	s, err = Open(ctx, older)
	must(t, err)
	defer s.Close()
	for _, against := range []string{"", early} {
		if ps := problems(t, s, against); len(ps) > 0 {
			t.Errorf("an older store is whole in itself, and %q is found", ps)
		}
	}
	if ps := problems(t, s, late); len(ps) != 1 || !strings.Contains(ps[0], "records were removed") {
		t.Errorf("records are gone since the checkpoint, and %q is found", ps)
	}
	// As many records, but others.
	clock.add(time.Minute)
	must(t, s.Issue(ctx, issue(t, 100)))
	if ps := problems(t, s, late); len(ps) != 1 || !strings.Contains(ps[0], "another than at the checkpoint") {
		t.Errorf("history was written anew, and %q is found", ps)
	}
	must(t, s.Issue(ctx, issue(t, 100)))
	if ps := problems(t, s, late); len(ps) == 0 {
		t.Error("history was written anew and went on, and nothing is found")
	}

	// Checkpoints that are not of this store are refused, they are no finding about it.
	other := testStore(t)
	foreign, err := other.Checkpoint(ctx)
	must(t, err)
	for name, against := range map[string]string{"of another store": foreign, "changed": strings.Replace(early, "\n2\n", "\n1\n", 1), "nonsense": "x", "without a signature": strings.Split(early, "\n\n")[0] + "\n\n"} {
		if _, err := s.VerifyLedger(ctx, against); err == nil {
			t.Errorf("a checkpoint %s is taken", name)
		} else {
			refused(t, err, caseforms.Invalid, "not signed for this ledger")
		}
	}
}

func copyStore(t testing.TB, from, to string) {
	t.Helper()
	must(t, os.MkdirAll(to, 0o700))
	entries, err := os.ReadDir(from)
	must(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(to, e.Name()), b, 0o600))
	}
}

// Whoever reads a record sees that it was changed, also when the hashes over it were computed anew.
func TestProofs(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := testStore(t)
	var is []Issue
	for range 40 {
		i := issue(t, 10)
		must(t, s.Issue(ctx, i))
		is = append(is, i)
	}
	rec, err := s.Prove(ctx, 17)
	must(t, err)
	if rec.Ref != is[16].Ref || rec.Detail["form"] != "cp1" {
		t.Errorf("%+v", rec)
	}
	for _, beyond := range []int64{-1, 41, 1 << 40} {
		if _, err := s.Prove(ctx, beyond); err == nil {
			t.Errorf("record %d is proved", beyond)
		}
	}
	for n, c := range map[int64]struct{ name, do string }{
		3:  {"the record", `UPDATE ledger SET record = CAST(replace(CAST(record AS TEXT), 'u-1', 'u-2') AS BLOB) WHERE n = $1`},
		9:  {"its time", `UPDATE ledger SET at = at + 1 WHERE n = $1`},
		14: {"its detail", `UPDATE ledger_details SET sealed = (SELECT sealed FROM ledger_details WHERE n = $1 + 1) WHERE n = $1`},
		22: {"its hash", `UPDATE ledger_hashes SET hash = zeroblob(32) WHERE idx = ` + fmt.Sprint(tlog.StoredHashIndex(0, 23)) + ` + 0 * $1`}, // its neighbour's, which its proof needs
		27: {"the record and its hash", `UPDATE ledger SET record = (SELECT record FROM ledger WHERE n = $1 + 2) WHERE n = $1`},
	} {
		of := is[n-1]
		if _, err := s.History(ctx, of.Ref); err != nil {
			t.Fatalf("before %s was changed: %v", c.name, err)
		}
		must(t, s.alone(func() error { _, err := s.conn.ExecContext(ctx, c.do, n); return err }))
		if n == 27 {
			raw := []byte(nil)
			_, err := s.one(ctx, `SELECT record FROM ledger WHERE n = $1`, []any{n}, &raw)
			must(t, err)
			h := tlog.RecordHash(raw)
			must(t, s.alone(func() error {
				_, err := s.conn.ExecContext(ctx, `UPDATE ledger_hashes SET hash = ? WHERE idx = ?`, h[:], tlog.StoredHashIndex(0, n))
				return err
			}))
		}
		if _, err := s.Prove(ctx, n); err == nil {
			t.Errorf("%s was changed and record %d is proved", c.name, n)
		}
		if _, err := s.History(ctx, of.Ref); err == nil {
			t.Errorf("%s was changed and the document has a history", c.name)
		}
		if _, err := s.History(ctx, of.Case); err == nil {
			t.Errorf("%s was changed and the case has a history", c.name)
		}
		if _, err := s.History(ctx, is[39].Ref); err != nil {
			t.Errorf("%s was changed, and a document that is not near has no history: %v", c.name, err)
		}
	}
}

// dump is everything in the tables, or what stands against reading it.
func dump(t testing.TB, s *Store) (string, error) {
	t.Helper()
	var b strings.Builder
	for _, tb := range tables(t, s) {
		order := "rowid"
		if tb.name == "terms" {
			order = "term, case_id, part"
		}
		cols := strings.TrimPrefix(tb.names(), "rowid, ")
		err := s.all(context.Background(), `SELECT `+cols+` FROM `+tb.name+` ORDER BY `+order, nil, func(scan func(...any) error) error {
			row := make([]any, len(tb.columns))
			into := make([]any, len(row))
			for i := range row {
				into[i] = &row[i]
			}
			err := scan(into...)
			fmt.Fprintf(&b, "%s %v\n", tb.name, row)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return hexSum([]byte(b.String())), nil
}

// TestEveryByte changes bytes of the database file itself. The cipher has no check of its own: a changed byte spoils a whole page. Either
// that is found, or nothing that is in use was on the page.
func TestEveryByte(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, _, o := filled(t)
	for range 20 {
		must(t, s.Issue(ctx, issue(t, 20_000)))
	}
	before, err := dump(t, s)
	must(t, err)
	must(t, s.Close())
	path := filepath.Join(o.Dir, databaseFile)
	whole, err := os.ReadFile(path)
	must(t, err)
	if _, err := os.Stat(path + "-wal"); err == nil {
		t.Fatal("the log is still there")
	}
	times := 150
	if testing.Short() {
		times = 30
	}
	var offsets []int
	for n := range 10 { // the first pages, then anywhere
		offsets = append(offsets, n*500)
	}
	for range times {
		offsets = append(offsets, rand.N(len(whole)))
	}
	opening, verifying, without := 0, 0, 0
	for _, at := range offsets {
		b := slices.Clone(whole)
		b[at] ^= 1 << rand.N(8)
		must(t, os.WriteFile(path, b, 0o600))
		s, err := Open(ctx, o)
		if err != nil {
			opening++
			continue
		}
		var v *Verified
		if v, err = s.VerifyLedger(ctx, ""); err == nil {
			err = s.VerifyContents(ctx, v, testForm)
		}
		if err != nil || len(v.Problems) > 0 {
			verifying++
		} else if after, err := dump(t, s); err != nil || after != before {
			t.Errorf("the byte at %d was changed, what is stored is different, and nothing is found: %v", at, err)
		} else {
			without++
		}
		must(t, s.Close())
	}
	t.Logf("of %d changed bytes %d were found on opening, %d on verifying, %d made no difference", len(offsets), opening, verifying, without)
	if opening == 0 || verifying == 0 {
		t.Error("too few bytes were tried")
	}
}

// The checks find nothing wrong with a store in which people are working.
func TestVerifyWhileWorking(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := testStore(t)
	stop := make(chan bool)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				time.Sleep(2 * time.Millisecond)
				i := issue(t, 100)
				i.Send = nil
				if err := s.Issue(ctx, i); err != nil {
					t.Error(err)
					return
				}
				again := i
				again.Version, again.CaseVersion = 2, 1
				again.Record = []byte(`{"person":{"family_name":"Changed"}}`)
				if err := s.Issue(ctx, again); err != nil {
					t.Error(err)
					return
				}
				var err error
				switch n % 4 {
				case 0:
					err = s.Erase(ctx, i.Case, Entry{Acts: []Act{Erasure}, What: "case erased", Actor: "u-1"})
				case 1:
					err = s.EraseDocument(ctx, i.Ref, Entry{Acts: []Act{Erasure}, What: "document erased", Actor: "u-1"})
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for begun := time.Now(); time.Since(begun) < 3*time.Second; {
		early, err := s.Checkpoint(ctx)
		must(t, err)
		for _, against := range []string{"", early} {
			if ps := problems(t, s, against); len(ps) > 0 {
				t.Errorf("%d problems, such as %s", len(ps), ps[0])
			}
		}
	}
	close(stop)
	all.Wait()
	intact(t, s)
}
