package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"caseforms"
)

// testOptions are those of a store in a folder of the test, with its key beside the folder.
func testOptions(dir string) Options {
	return Options{Dir: filepath.Join(dir, "data"), Keys: Keys{Config: filepath.Join(dir, "config")}}
}

func testStore(t testing.TB) *Store {
	t.Helper()
	s, err := OpenOrCreate(context.Background(), testOptions(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func issue(t testing.TB, size int) Issue {
	t.Helper()
	i, err := newIssue(size)
	must(t, err)
	return i
}

func newIssue(size int) (Issue, error) {
	id, err := caseforms.NewCaseID(nil)
	if err != nil {
		return Issue{}, err
	}
	ref, err := caseforms.NewRef(nil)
	if err != nil {
		return Issue{}, err
	}
	file := make([]byte, size)
	rand.Read(file)
	return Issue{
		Case: id, Record: []byte(`{"person":{"family_name":"Placeholder"}}`), Card: []byte(`{"name":"Placeholder"}`),
		Ref: ref, Version: 1, Form: "cp1", FormVersion: "2026-11", Copy: "full", Definition: hexSum([]byte("bundle")), Bundle: []byte("bundle"), Renderer: "r",
		Answers: []byte(`{"answers":[]}`), Files: []NewFile{{"pdf", "archive", file}},
		Send:  []NewItem{{Kind: "mail", Dedupe: string(ref), Payload: []byte("to somebody")}},
		Entry: Entry{Acts: []Act{Collection, Combination}, What: "document issued", Actor: "u-1"},
	}, nil
}

// testForm takes what sameForm is to be in these tests: a definition's hash is the sum of its bundle.
func testForm(hash string, bundle []byte) error {
	if hexSum(bundle) != hash {
		return errors.New("another bundle")
	}
	return nil
}

// problems are what a check of the whole store finds.
func problems(t testing.TB, s *Store, against string) []string {
	t.Helper()
	v, err := s.VerifyLedger(context.Background(), against)
	if err == nil {
		err = s.VerifyContents(context.Background(), v, testForm)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v.Problems
}

func intact(t testing.TB, s *Store) {
	t.Helper()
	if ps := problems(t, s, ""); len(ps) > 0 {
		t.Errorf("the store is not intact: %s", strings.Join(ps, "; "))
	}
}

// held checks that what was issued is there with its files.
func held(t testing.TB, s *Store, i Issue) {
	t.Helper()
	d, err := s.Document(context.Background(), i.Ref)
	if err != nil {
		t.Errorf("%s: %v", i.Ref, err)
		return
	}
	if i.Version > len(d.Versions) || len(d.Versions[i.Version-1].Files) != len(i.Files) {
		t.Errorf("%s: a version or a file is missing", i.Ref)
		return
	}
	for _, f := range d.Versions[i.Version-1].Files {
		n := slices.IndexFunc(i.Files, func(g NewFile) bool { return g.Format == f.Format && g.Profile == f.Profile })
		data, err := s.FileData(context.Background(), &f)
		if err != nil || n < 0 || !bytes.Equal(data, i.Files[n].Data) {
			t.Errorf("%s: its %s is not what was issued: %v", i.Ref, f.Format, err)
		}
	}
}

// refused checks that something failed for a reason of this kind, and that the words say so.
func refused(t testing.TB, err error, kind caseforms.ErrorKind, words string) {
	t.Helper()
	var e *caseforms.Error
	if !errors.As(err, &e) || e.Kind != kind || !strings.Contains(err.Error()+" "+e.Hint, words) {
		t.Errorf("got %v, want %s about %q", err, kind, words)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testClock is a clock that a test moves.
type testClock struct{ ms atomic.Int64 }

func (c *testClock) now() time.Time      { return time.UnixMilli(c.ms.Load()).UTC() }
func (c *testClock) add(d time.Duration) { c.ms.Add(d.Milliseconds()) }
func (c *testClock) options(o Options) Options {
	o.Now, o.Clock = c.now, true
	return o
}

// clockStore is a store whose clock the test moves.
func clockStore(t testing.TB) (*Store, *testClock, Options) {
	t.Helper()
	c := &testClock{}
	c.ms.Store(time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC).UnixMilli())
	o := c.options(testOptions(t.TempDir()))
	s, err := OpenOrCreate(context.Background(), o)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s, c, o
}

func TestOpenAgain(t *testing.T) {
	t.Parallel()
	o := testOptions(t.TempDir())
	s, err := OpenOrCreate(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	i := issue(t, 1000)
	if err := s.Issue(context.Background(), i); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v, err := s.VerifyLedger(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.VerifyContents(context.Background(), v, testForm); err != nil {
		t.Fatal(err)
	}
	if len(v.Problems) > 0 || v.Records != 2 || v.Documents != 1 || v.Files != 1 {
		t.Errorf("%+v", v)
	}
}

// snapshot are the files below a folder with their contents.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range names(t, dir) {
		info, err := os.Lstat(name)
		must(t, err)
		content := ""
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(name)
			must(t, err)
			content = hexSum(b)
		}
		out[strings.TrimPrefix(name, dir)] = info.Mode().String() + " " + content
	}
	return out
}

// changes says what is different between two snapshots; "" when nothing is.
func changes(before, after map[string]string) string {
	var out []string
	for name, was := range before {
		switch now, ok := after[name]; {
		case !ok:
			out = append(out, name+" is gone")
		case now != was:
			out = append(out, name+" changed")
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			out = append(out, name+" is new")
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
