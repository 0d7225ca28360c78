package batch

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rogpeppe/go-internal/lockedfile"

	"caseforms"
)

const (
	manifestName = "manifest.jsonl"
	lockName     = ".caseforms.lock"
)

// manifest is the list of what a folder owes to its runs. A line is written before the file it names is put in its place, so that no file of ours
// is ever there unlisted; whether a listed one is there and whole is seen by looking. It holds no personal data, but what a person could be
// found out by who already has the documents.
type manifest struct {
	dir    string
	f      *os.File
	size   int64
	byKey  map[string]*entry
	byRow  map[int][]*entry
	names  map[string]bool
	hit    map[string]bool // keys that a row of this run had
	taken  map[int]uint64  // names of this run, as bits: row*8+suffix
	fix    string
	fixSum string
	open   map[int][]openRow // of the rows in it, by row of the first file
	made   map[string]bool   // sums of files beside the folder
}

// entry is a line of the manifest: a document, or with Fix the file of rejected rows.
type entry struct {
	Row  int       `json:"row,omitzero"`
	Key  string    `json:"key,omitzero"`
	Who  string    `json:"who,omitzero"`
	File string    `json:"file,omitzero"`
	Size int64     `json:"size,omitzero"`
	Sum  string    `json:"sha256,omitzero"`
	Ref  string    `json:"ref,omitzero"`
	Fix  *string   `json:"fix,omitzero"`
	Open []openRow `json:"open,omitzero"`
	Made string    `json:"made,omitzero"` // the sum of a file beside the folder
	// of the first line
	Batch string `json:"caseforms_batch,omitzero"`

	file string
}

func lock(name string) (func(), error) {
	type held struct {
		unlock func()
		err    error
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, writeError(err)
	}
	f.Close()
	got := make(chan held, 1)
	go func() {
		unlock, err := lockedfile.MutexAt(name).Lock()
		got <- held{unlock, err}
	}()
	select {
	case h := <-got:
		if h.err != nil {
			return nil, writeError(h.err)
		}
		return h.unlock, nil
	case <-time.After(2 * time.Second):
		go func() { // whenever it comes, it is let go
			if h := <-got; h.err == nil {
				h.unlock()
			}
		}()
		return nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "another batch is working in this folder", Hint: "wait until it is done"}
	}
}

func openManifest(dir, form string) (*manifest, error) {
	m := &manifest{dir: dir, byKey: map[string]*entry{}, byRow: map[int][]*entry{}, names: map[string]bool{}, hit: map[string]bool{}, taken: map[int]uint64{}, made: map[string]bool{}}
	f, err := os.OpenFile(filepath.Join(dir, manifestName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, writeError(err)
	}
	m.f = f
	if err := m.read(form); err != nil {
		f.Close()
		return nil, err
	}
	if m.size == 0 {
		if err := m.append([]entry{{Batch: form}}, nil); err != nil {
			f.Close()
			return nil, err
		}
	}
	return m, nil
}

func (m *manifest) close() { m.f.Close() }

// read takes in what earlier runs wrote. A last line that was cut off is as if it were not there.
func (m *manifest) read(form string) error {
	br := bufio.NewReaderSize(m.f, 64<<10)
	bad := func(n int) error {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: fmt.Sprintf("%s in the folder is damaged in line %d", manifestName, n), Hint: "name another folder with -o"}
	}
	for n := 1; ; n++ {
		line, err := br.ReadBytes('\n')
		if err == io.EOF {
			return m.truncate()
		}
		if err != nil {
			return writeError(err)
		}
		e := &entry{}
		if err := json.Unmarshal(line, e, json.RejectUnknownMembers(true)); err != nil || n == 1 && e.Batch == "" {
			return bad(n)
		}
		m.size += int64(len(line))
		switch {
		case n == 1 && e.Batch != form:
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: "this folder is of a batch of " + strconv.Quote(clip(e.Batch)), Hint: "name another with -o"}
		case n == 1:
		case e.Made != "":
			m.made[e.Made] = true
		case e.Fix != nil:
			m.fix, m.fixSum, m.open = *e.Fix, e.Sum, byRow(e.Open)
			if m.fix != "" && !plainName(m.fix) {
				return bad(n)
			}
		case !plainName(e.File):
			return bad(n)
		default:
			e.file = e.File
			m.put(e)
		}
	}
}

func clip(s string) string { return s[:min(len(s), 40)] }

// plainName tells whether a name is that of a file in the folder itself.
func plainName(s string) bool {
	return s != "" && s == filepath.Base(s) && !strings.HasPrefix(s, ".") && s != manifestName && !strings.ContainsAny(s, `/\`)
}

// put takes a line in; a later one for the same file is in place of it.
func (m *manifest) put(e *entry) {
	for i, old := range m.byRow[e.Row] {
		if old.file == e.file {
			if m.byKey[old.Key] == old {
				delete(m.byKey, old.Key)
			}
			m.byRow[e.Row][i] = e
			m.byKey[e.Key] = e
			return
		}
	}
	m.byRow[e.Row] = append(m.byRow[e.Row], e)
	m.byKey[e.Key] = e
	m.names[e.file] = true
}

func (m *manifest) truncate() error {
	if err := m.f.Truncate(m.size); err != nil {
		return writeError(err)
	}
	_, err := m.f.Seek(m.size, io.SeekStart)
	if err != nil {
		return writeError(err)
	}
	return nil
}

// whole is the document that an earlier run made of the same, when it is there as it was written. It is for several goroutines at once.
func (m *manifest) whole(key string) (*entry, bool) {
	e := m.byKey[key]
	if e == nil {
		return nil, false
	}
	sum, size, err := sumOf(filepath.Join(m.dir, e.file))
	return e, err == nil && size == e.Size && sum == e.Sum
}

func sumOf(name string) (string, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// name is what the document of a row is called: by form and row, never by a person. Of a row that was corrected it is the name of the document it
// replaces; what belongs to somebody else, or is not ours, is never replaced. With again a row may come again in one run.
func (m *manifest) name(form, format string, e *entry, again bool) string {
	ending := "." + format
	for n := 1; ; n++ {
		name := fmt.Sprintf("%s-%05d%s", form, e.Row, ending)
		if n > 1 {
			name = fmt.Sprintf("%s-%05d-%d%s", form, e.Row, n, ending)
		}
		if n < 64 && m.taken[e.Row]&(1<<n) != 0 {
			continue
		}
		var old *entry
		for _, o := range m.byRow[e.Row] {
			if o.file == name {
				old = o
			}
		}
		switch {
		case old != nil && (old.Key == e.Key || e.Who != "" && old.Who == e.Who && !m.hit[old.Key]):
			m.hit[old.Key] = true
		case old != nil || m.names[name]:
			continue
		default:
			if _, err := os.Lstat(filepath.Join(m.dir, name)); !errors.Is(err, fs.ErrNotExist) {
				continue
			}
		}
		if again {
			m.taken[e.Row] |= 1 << min(n, 63)
		}
		return name
	}
}

// add writes the lines of a group, and sees to it that they and the files they are about are on the disk.
func (m *manifest) add(es []entry, files []string) error {
	if len(es) == 0 {
		return nil
	}
	return m.append(es, files)
}

func (m *manifest) append(es []entry, files []string) error {
	var b bytes.Buffer
	for i := range es {
		line, err := json.Marshal(&es[i])
		if err != nil {
			return &caseforms.Error{Kind: caseforms.Internal, Msg: "the manifest cannot be written", Err: err}
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	_, err := m.f.Write(b.Bytes())
	if err == nil {
		err = toDisk(m.f, files)
	}
	if err != nil {
		_ = m.truncate() // half a line would be taken for none; this is only tidier
		return writeError(err)
	}
	m.size += int64(b.Len())
	return nil
}

// setFix notes the file of rejected rows, or that there is none.
func (m *manifest) setFix(name, sum string, open []openRow) error {
	if name == m.fix && sum == m.fixSum {
		return nil
	}
	if err := m.append([]entry{{Fix: &name, Sum: sum, Open: open}}, nil); err != nil {
		return err
	}
	m.fix, m.fixSum, m.open = name, sum, byRow(open)
	return nil
}

// setMade notes a file beside the folder, so that another run may replace it.
func (m *manifest) setMade(sum string) error {
	if m.made[sum] {
		return nil
	}
	m.made[sum] = true
	return m.append([]entry{{Made: sum}}, nil)
}

func byRow(open []openRow) map[int][]openRow {
	out := map[int][]openRow{}
	for _, o := range open {
		out[o.Row] = append(out[o.Row], o)
	}
	return out
}

// seen notes that a row of this run is about a document there is.
func (m *manifest) seen(key string) {
	if m.byKey[key] != nil {
		m.hit[key] = true
	}
}

// stale are the documents that no row of this run was about. Of rows that are not done, and are not about somebody else now, they are what the row said before.
func (m *manifest) stale(notDone map[int]string) (names []string, outdated []Outdated) {
	for _, es := range m.byRow {
		for _, e := range es {
			who, not := notDone[e.Row]
			switch {
			case m.hit[e.Key]:
			case not && (who == "" || e.Who == "" || who == e.Who):
				outdated = append(outdated, Outdated{e.Row, e.file})
			default:
				names = append(names, e.file)
			}
		}
	}
	slices.Sort(names)
	slices.SortFunc(outdated, func(a, b Outdated) int { return cmp.Or(a.Row-b.Row, strings.Compare(a.File, b.File)) })
	return names, outdated
}
