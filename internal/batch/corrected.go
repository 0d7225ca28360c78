package batch

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-json-experiment/json"

	"caseforms/internal/intake"
)

// correctedName is the file of the records of rows that were corrected in fix.xlsx. By it a run of the first file knows that they are done, and has
// them in its list.
const correctedName = "corrected.jsonl"

// openRow is a row that is in fix.xlsx, as the manifest remembers it: what it said in the first file, and who it is about.
type openRow struct {
	Row int      `json:"row"`
	Was string   `json:"was"`
	Who []string `json:"who,omitzero"`
}

// correction is a line of the file.
type correction struct {
	Was    string `json:"was"`
	Record string `json:"record"` // to the letter, because by its bytes it is recognised
}

// corrections are those of a folder. Records stay on the disk.
type corrections struct {
	name string
	f    *os.File // nil when there is none
	at   map[string][2]int64
	size int64 // of its whole lines
	// of this run
	spool *os.File
	new   []newCorrection
	rows  map[int]int // how often a row of the first file was corrected
}

type newCorrection struct {
	row  int
	was  string
	from int64
	size int
}

func openCorrections(dir string) (*corrections, error) {
	c := &corrections{name: filepath.Join(dir, correctedName), at: map[string][2]int64{}, rows: map[int]int{}}
	f, err := os.Open(c.name)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, writeError(err)
	}
	c.f = f
	for br := bufio.NewReaderSize(f, 64<<10); ; {
		line, err := br.ReadBytes('\n')
		if err == io.EOF {
			return c, nil // a line that was cut off is as if it were not there
		}
		if err != nil {
			c.close()
			return nil, writeError(err)
		}
		var x struct {
			Was string `json:"was"`
		}
		if json.Unmarshal(line, &x) == nil && x.Was != "" {
			c.at[x.Was] = [2]int64{c.size, int64(len(line))}
		}
		c.size += int64(len(line))
	}
}

func (c *corrections) close() {
	for _, f := range []*os.File{c.f, c.spool} {
		if f != nil {
			f.Close() // what is in it was synced, or is of no more use
		}
	}
}

// find is the record that a row was corrected to, nil when it was not. It is for several goroutines at once.
func (c *corrections) find(was string) []byte {
	at, ok := c.at[was]
	if !ok {
		return nil
	}
	line := make([]byte, at[1])
	if _, err := c.f.ReadAt(line, at[0]); err != nil {
		return nil
	}
	var x correction
	if json.Unmarshal(line, &x) != nil || x.Was != was {
		return nil
	}
	return []byte(x.Record)
}

// add notes a row that is done as it was corrected.
func (c *corrections) add(work string, row int, was string, record []byte) (err error) {
	c.rows[row]++
	if was == "" {
		return nil
	}
	if c.spool == nil {
		if c.spool, err = os.CreateTemp(work, "corrected-*"); err != nil {
			return writeError(err)
		}
	}
	line, err := json.Marshal(correction{was, string(record)})
	if err != nil {
		return err
	}
	from := int64(0)
	if n := len(c.new); n > 0 {
		from = c.new[n-1].from + int64(c.new[n-1].size)
	}
	if _, err := c.spool.Write(append(line, '\n')); err != nil {
		return writeError(err)
	}
	c.new = append(c.new, newCorrection{row, was, from, len(line) + 1})
	return nil
}

// keep writes what was noted. Of two rows with one number, as when one was copied to be a pattern for another, nobody can tell which is the row.
func (c *corrections) keep() (err error) {
	var out *os.File
	defer func() {
		if out != nil {
			if e := out.Close(); err == nil && e != nil {
				err = writeError(e)
			}
		}
	}()
	at := c.size
	for _, n := range c.new {
		if c.rows[n.row] > 1 {
			continue
		}
		if out == nil {
			if out, err = os.OpenFile(c.name, os.O_WRONLY|os.O_CREATE, 0o600); err != nil {
				return writeError(err)
			}
			if err := out.Truncate(at); err != nil {
				return writeError(err)
			}
		}
		line := make([]byte, n.size)
		if _, err := c.spool.ReadAt(line, n.from); err != nil {
			return writeError(err)
		}
		if _, err := out.WriteAt(line, at); err != nil {
			return writeError(err)
		}
		at += int64(n.size)
	}
	if out == nil {
		return nil
	}
	if err := out.Sync(); err != nil {
		return writeError(err)
	}
	return nil
}

// said is what a row says as it stands, whether it is understood or not.
func (r *run) said(row *intake.Row, rec *intake.Record) string {
	h := sha256.New()
	put := func(s string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		io.WriteString(h, s)
	}
	put(r.Form.ID)
	if r.cases.Format == "jsonl" {
		put(string(bytes.TrimSpace(rec.JSON)))
	}
	for n := range r.back {
		if n == 0 {
			for _, c := range r.cases.BackRow(&r.back[0], row) {
				put(c.Text)
			}
			continue
		}
		put(r.back[n].Table.List)
		for _, item := range r.cases.BackItems(&r.back[n], rec) {
			for _, c := range item {
				put(c.Text)
			}
			put("")
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// was is the row that one of a file of corrections is about, as it stood in the first file; "" when nobody can tell.
func (m *manifest) was(row int, who []string) string {
	open := m.open[row]
	if len(open) != 1 || len(open[0].Who) > 0 && !slices.ContainsFunc(open[0].Who, func(w string) bool { return slices.Contains(who, w) }) {
		return ""
	}
	return open[0].Was
}
