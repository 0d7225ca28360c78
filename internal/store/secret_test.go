package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/ncruces/go-sqlite3/driver"

	"caseforms"
)

// samples are the sample cases as they are in their files.
func samples(t testing.TB) (out [][]byte) {
	t.Helper()
	found, err := filepath.Glob("../../samples/cases/*.json")
	if err != nil || len(found) == 0 {
		t.Fatal("no samples")
	}
	for _, name := range found {
		b, err := os.ReadFile(name)
		must(t, err)
		out = append(out, b)
	}
	return out
}

// secrets are the texts of a case of which none may be readable: what has five letters in a row and is no code, whole, and each such word
// of a name.
func secrets(t testing.TB, record []byte) (out []string) {
	t.Helper()
	var v any
	must(t, json.Unmarshal(record, &v))
	long := func(s string) bool {
		n := 0
		for _, r := range s {
			if n++; !unicode.IsLetter(r) {
				n = 0
			}
			if n == 5 {
				return true
			}
		}
		return false
	}
	var walk func(key string, v any)
	walk = func(key string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(k, x)
			}
		case []any:
			for _, x := range v {
				walk(key, x)
			}
		case string:
			if long(v) && strings.ContainsFunc(v, func(r rune) bool { return unicode.IsUpper(r) || unicode.IsSpace(r) }) {
				out = append(out, v)
			}
			if strings.Contains(key, "name") {
				for _, w := range strings.Fields(v) {
					if long(w) {
						out = append(out, w)
					}
				}
			}
		}
	}
	walk("", v)
	slices.Sort(out)
	return slices.Compact(out)
}

// readable tells which of the texts stand in some bytes, in UTF-8 or UTF-16.
func readable(in []byte, texts []string) (out []string) {
	for _, s := range texts {
		var little, big []byte
		for _, u := range utf16.Encode([]rune(s)) {
			little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
		}
		if bytes.Contains(in, []byte(s)) || bytes.Contains(in, little) || bytes.Contains(in, big) {
			out = append(out, s)
		}
	}
	return out
}

// decrypted is the database of a store page by page, those that are free too, without the cipher.
func decrypted(t testing.TB, s *Store) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "plain.db")
	must(t, s.alone(func() error {
		return s.conn.Raw(func(dc any) error { return dc.(driver.Conn).Raw().Backup("main", "file:"+uriPath(name)) })
	}))
	b, err := os.ReadFile(name)
	must(t, err)
	if !bytes.HasPrefix(b, []byte("SQLite format 3\x00")) {
		t.Fatal("it is not decrypted")
	}
	return b
}

// sampleIssue issues a sample case with its words wherever words can be.
func sampleIssue(t testing.TB, s *Store, record []byte, texts []string) Issue {
	t.Helper()
	i := issue(t, 10)
	all := strings.Join(texts, "\n")
	i.Record, i.Answers, i.Card = record, record, record
	i.Files = []NewFile{{"text", "archive", []byte(all)}}
	i.Send = []NewItem{{Kind: "mail", Dedupe: string(i.Ref), Payload: []byte(all)}}
	i.Entry.Detail = map[string]string{"for": all}
	for _, x := range texts {
		i.Terms = append(i.Terms, Term{s.Term("name", x), ThePerson})
	}
	return i
}

// Nothing of what is stored can be read in any of the files without the key.
func TestNoPlaintext(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	o := testOptions(t.TempDir())
	s, err := OpenOrCreate(ctx, o)
	must(t, err)
	defer func() { s.Close() }()
	texts := []string{"Wilhelmina Userperson", "userperson.login", "Department of Northmoor"}
	must(t, s.AddUser(ctx, User{Actor: caseforms.Actor{ID: "u-1", Name: texts[0], Team: texts[2]}, Login: texts[1]}, Entry{What: "user added", Actor: "u-1", Detail: map[string]string{"name": texts[0]}}))
	copies := map[string][]byte{} // by what is in them
	var mu sync.Mutex
	collect := func(dir string) {
		for _, name := range names(t, dir) {
			if b, err := os.ReadFile(name); err == nil {
				mu.Lock()
				copies[hexSum(b)] = b
				mu.Unlock()
			}
		}
	}
	stop := make(chan bool)
	var copier sync.WaitGroup
	copier.Go(func() { // somebody copies the folder while people work
		for range 5 {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
				collect(o.Dir)
			}
		}
	})
	const said = "550 mailbox of Wilhelmina Wilkins unknown"
	texts = append(texts, said)
	for n, record := range samples(t) {
		words := secrets(t, record)
		texts = append(texts, words...)
		must(t, s.SaveDraft(ctx, Draft{ID: caseforms.DraftID("d-" + itoa(n)), Form: "cp1"}, record, Entry{What: "draft saved", Actor: "u-1", Detail: map[string]string{"x": words[0]}}))
		must(t, s.Issue(ctx, sampleIssue(t, s, record, words)))
		it := claimed(t, s, time.Minute)
		_, err := s.GiveUp(ctx, it, said, nil)
		must(t, err)
		time.Sleep(20 * time.Millisecond)
	}
	slices.Sort(texts)
	texts = slices.Compact(texts)
	if len(texts) < 100 {
		t.Fatalf("only %d texts to look for", len(texts))
	}
	if info, err := os.Stat(filepath.Join(o.Dir, databaseFile+"-wal")); err != nil || info.Size() == 0 {
		t.Errorf("there is no log to look into: %v", err)
	}
	collect(o.Dir)
	id := backupIdentity(t)
	copies["backup"] = backup(t, s, id.Recipient())
	plain := decrypted(t, s)
	must(t, s.Close())
	close(stop)
	copier.Wait()
	collect(o.Dir)
	for n, b := range copies {
		if found := readable(b, texts); len(found) > 0 {
			t.Errorf("in file %.8s of %d bytes %d texts can be read, such as %q", n, len(b), len(found), found[0])
		}
	}

	// The search finds what is there: without the cipher the columns, and in a plain database everything.
	if found := readable(plain, texts); !slices.Contains(found, texts[slices.Index(texts, "Wilhelmina Userperson")]) || !slices.Contains(found, said) {
		t.Errorf("without the cipher only %q are found", found)
	} else if len(found) > 5 {
		t.Errorf("sealed content can be read without the cipher of the database: %d texts, such as %q", len(found), found[:5])
	}
	for _, encoding := range []string{"UTF-8", "UTF-16le", "UTF-16be"} {
		name := filepath.Join(t.TempDir(), "plain.db")
		db, err := sql.Open("sqlite3", "file:"+uriPath(name))
		must(t, err)
		db.SetMaxOpenConns(1)
		_, err = db.Exec(`PRAGMA encoding = '` + encoding + `'; CREATE TABLE x (y TEXT)`)
		must(t, err)
		for _, x := range texts {
			_, err := db.Exec(`INSERT INTO x VALUES (?)`, x)
			must(t, err)
		}
		must(t, db.Close())
		b, err := os.ReadFile(name)
		must(t, err)
		if found := readable(b, texts); len(found) < len(texts)*9/10 { // a long one is cut in pieces by the pages
			t.Errorf("%s: the search finds %d of %d texts that are there", encoding, len(found), len(texts))
		}
	}
}

// traces are bytes that must be nowhere any more once a case is erased: the wrapped keys, the beginnings of sealed contents and details, and
// the hashes it was found by.
func traces(t testing.TB, s *Store, id caseforms.CaseID) (out map[string][]byte) {
	t.Helper()
	out = map[string][]byte{}
	for what, query := range map[string]string{
		"key":     `SELECT k.object, k.wrapped FROM object_keys k JOIN objects o ON o.id = k.object WHERE o.case_id = $1`,
		"content": `SELECT id, substr(sealed, 1, 24) FROM objects WHERE case_id = $1`,
		"detail":  `SELECT n, substr(sealed, 1, 24) FROM ledger_details WHERE n IN (SELECT n FROM ledger WHERE case_id = $1)`,
		"term":    `SELECT rank() OVER (ORDER BY term), term FROM terms t WHERE case_id = $1 AND NOT EXISTS (SELECT 1 FROM terms o WHERE o.term = t.term AND o.case_id <> t.case_id)`,
		"sum":     `SELECT object, sum FROM files WHERE ref IN (SELECT ref FROM documents WHERE case_id = $1)`,
		"said":    `SELECT id, CAST(said AS BLOB) FROM outbox WHERE case_id = $1`,
	} {
		must(t, s.all(context.Background(), query, []any{string(id)}, func(scan func(...any) error) error {
			var n int64
			var b []byte
			err := scan(&n, &b)
			out[what+" "+itoa(int(n))] = b
			return err
		}))
	}
	return out
}

// What was erased cannot be had back from the files, not even by somebody who has the key: neither the keys nor the contents are left over
// anywhere, and the ledger still proves that nothing else is missing.
func TestErased(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{true, false} {
		s := testStore(t)
		ctx := context.Background()
		var is []Issue
		for _, record := range samples(t) {
			i := sampleIssue(t, s, record, secrets(t, record))
			i.Files = append(i.Files, issue(t, 30_000).Files...)
			i.Files[1].Format = "pdf"
			must(t, s.Issue(ctx, i))
			is = append(is, i)
			it := claimed(t, s, time.Minute)
			_, err := s.GiveUp(ctx, it, "550 no mailbox of "+string(i.Ref)+" is known here", nil)
			must(t, err)
		}
		gone, kept := is[1], is[2]
		must(t, s.SaveDraft(ctx, Draft{ID: "d-1", Form: "cp1", Case: gone.Case}, gone.Record, Entry{What: "draft saved", Actor: "u-1", Case: gone.Case, Detail: map[string]string{"draft": "d-1"}}))
		before := traces(t, s, gone.Case)
		others := traces(t, s, kept.Case)
		if !whole { // the case stays with its record, card, draft and terms
			for name := range before {
				if what, _, _ := strings.Cut(name, " "); what == "term" || what == "key" || what == "content" || what == "detail" {
					delete(before, name)
				}
			}
			d, err := s.Document(ctx, gone.Ref)
			must(t, err)
			ids := []int64{d.Latest().answers, d.Latest().Files[0].object, d.Latest().Files[1].object}
			all := traces(t, s, gone.Case)
			for _, id := range ids {
				for _, what := range []string{"key ", "content "} {
					before[what+itoa(int(id))] = all[what+itoa(int(id))]
				}
			}
		}
		if len(before) < 8 {
			t.Fatalf("only %d traces to look for", len(before))
		}
		pages := decrypted(t, s)
		for what, b := range before {
			if len(b) < 8 || !bytes.Contains(pages, b) {
				t.Errorf("before the erasure the search does not find %s", what)
			}
		}
		e := Entry{Acts: []Act{Erasure}, What: "erased", Actor: "u-1", Detail: map[string]string{"why": "kept long enough"}}
		if whole {
			must(t, s.Erase(ctx, gone.Case, e))
		} else {
			must(t, s.EraseDocument(ctx, gone.Ref, e))
		}
		if info, err := os.Stat(filepath.Join(s.Dir(), databaseFile+"-wal")); err == nil && info.Size() > 0 {
			t.Errorf("the log of the database still holds %d bytes", info.Size())
		}
		pages = decrypted(t, s)
		for what, b := range before {
			if bytes.Contains(pages, b) {
				t.Errorf("whole case: %v: %s is still in the pages of the database", whole, what)
			}
		}
		for what, b := range others {
			if !bytes.Contains(pages, b) {
				t.Errorf("of another case %s is gone", what)
			}
		}

		gonefor := func(err error) bool {
			var e *caseforms.Error
			return errors.As(err, &e) && e.Kind == caseforms.NotFound
		}
		d, err := s.Document(ctx, gone.Ref)
		must(t, err)
		v := d.Latest()
		if v.Erased.IsZero() || len(v.Files) != 2 {
			t.Errorf("%+v", v)
		}
		for _, f := range v.Files {
			if _, err := s.FileData(ctx, &f); !gonefor(err) {
				t.Errorf("a file can be read: %v", err)
			}
		}
		if _, err := s.AnswersOf(ctx, v); !gonefor(err) {
			t.Errorf("the answers can be read: %v", err)
		}
		c, err := s.FindCase(ctx, gone.Case)
		must(t, err)
		if _, err := s.Record(ctx, c); gonefor(err) != whole {
			t.Errorf("the record: %v", err)
		}
		if found, err := s.Find(ctx, 10, gone.Terms[0].Hash); err != nil || (len(found) == 0) != whole {
			t.Errorf("it is found: %v, %v", found, err)
		}
		if _, _, err := s.Draft(ctx, "d-1"); gonefor(err) != whole {
			t.Errorf("the draft: %v", err)
		}
		for _, i := range is {
			rs, err := s.History(ctx, i.Ref)
			must(t, err)
			for _, r := range rs {
				erased := i.Ref == gone.Ref && r.What != CaseErased && r.What != DocumentErased
				if r.Erased != erased || erased && r.Detail != nil {
					t.Errorf("record %d, %s: erased is %v", r.N, r.What, r.Erased)
				}
			}
			if i.Ref != gone.Ref {
				held(t, s, i)
			}
		}
		intact(t, s)
		// It can neither be erased twice nor issued of.
		if whole {
			refused(t, s.Erase(ctx, gone.Case, e), caseforms.NotFound, "erased already")
			again := issue(t, 10)
			again.Case, again.CaseVersion = gone.Case, c.Version
			if err := s.Issue(ctx, again); !errors.Is(err, ErrChanged) {
				t.Errorf("%v", err)
			}
		}
	}
}

// Somebody who reads at the moment of an erasure hinders the emptying of the database's log. It is emptied when they have done.
func TestErasedWhileReading(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	ctx := context.Background()
	i := issue(t, 5000)
	i.Send = nil
	must(t, s.Issue(ctx, i))
	c, err := s.read.Conn(ctx)
	must(t, err)
	defer c.Close()
	_, err = c.ExecContext(ctx, `BEGIN`)
	must(t, err)
	var n int
	must(t, c.QueryRowContext(ctx, `SELECT count(*) FROM cases`).Scan(&n))
	size := func() int64 {
		info, err := os.Stat(filepath.Join(s.Dir(), databaseFile+"-wal"))
		must(t, err)
		return info.Size()
	}
	must(t, s.Erase(ctx, i.Case, Entry{Acts: []Act{Erasure}, What: "erased", Actor: "u-1"}))
	if size() == 0 {
		t.Error("nobody was hindered, so this test shows nothing")
	}
	_, err = c.ExecContext(ctx, `ROLLBACK`)
	must(t, err)
	must(t, s.Append(ctx, Entry{What: "something else", Actor: "u-1"}))
	waited := time.Now()
	for size() > 0 && time.Since(waited) < 5*time.Second {
		time.Sleep(5 * time.Millisecond)
	}
	if size() > 0 {
		t.Errorf("the log still holds %d bytes", size())
	}
}

// What is held, or on its way, is not erased.
func TestEraseRefuses(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	ctx := context.Background()
	i := issue(t, 10)
	must(t, s.Issue(ctx, i))
	e := Entry{Acts: []Act{Erasure}, What: "erased", Actor: "u-1"}
	both := func(words string) {
		t.Helper()
		refused(t, s.Erase(ctx, i.Case, e), caseforms.Held, words)
		refused(t, s.EraseDocument(ctx, i.Ref, e), caseforms.Held, words)
		held(t, s, i)
	}
	both("on its way")
	it := claimed(t, s, time.Minute)
	both("on its way")
	_, err := s.Begin(ctx, it)
	must(t, err)
	both("on its way")
	_, err = s.Unclear(ctx, it, "broke", nil)
	must(t, err)
	both("on its way")
	must(t, s.Settle(ctx, it, true, nil, Entry{What: "settled", Actor: "u-1"}))
	must(t, s.Hold(ctx, i.Case, true, Entry{What: "held", Actor: "u-1", Case: i.Case}))
	both("hold")
	must(t, s.Hold(ctx, i.Case, false, Entry{What: "released", Actor: "u-1", Case: i.Case}))
	must(t, s.Erase(ctx, i.Case, e))
	intact(t, s)
}
