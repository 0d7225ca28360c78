package intake

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sort"
)

// cellKind is what a cell of a table holds.
type cellKind byte

const (
	cellText     cellKind = 's'
	cellNumber   cellKind = 'n'
	cellDate     cellKind = 'd' // a number that is shown as a date
	cellMoment   cellKind = 'm' // … as date and time
	cellTime     cellKind = 't' // … as a time
	cellBool     cellKind = 'b'
	cellError    cellKind = 'e' // what a formula came to
	cellUnsolved cellKind = 'f' // a formula without its value
)

// cell is one cell that is not blank.
type cell struct {
	col  int // from 0
	kind cellKind
	text string
}

// row is one row of a table that is not blank.
type row struct {
	number int // as its program shows it, from 1; of a text file the line it begins on
	hidden bool
	wide   bool // a text file's row with more cells than there are headings
	cells  []cell
}

func (r *row) at(col int) *cell {
	for i := range r.cells {
		if r.cells[i].col == col {
			return &r.cells[i]
		}
	}
	return nil
}

// spool keeps the rows of a table in a file of ours, so that a table of any length takes up no memory, is parsed only once, and its rows
// can be had again. Rows are read from it by several goroutines at once.
type spool struct {
	f    *os.File
	w    *bufio.Writer
	size int64
	rows int
	buf  []byte
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "rows-*")
	if err != nil {
		return nil, unwritable(err)
	}
	return &spool{f: f, w: bufio.NewWriterSize(f, 256<<10)}, nil
}

func (s *spool) close() {
	if s != nil && s.f != nil {
		s.f.Close() // what is in it is of no more use
		os.Remove(s.f.Name())
	}
}

// add writes a row and returns where it stands.
func (s *spool) add(r *row) (int64, error) {
	b := s.buf[:0]
	b = binary.AppendUvarint(b, uint64(r.number))
	flags := byte(0)
	if r.hidden {
		flags |= 1
	}
	if r.wide {
		flags |= 2
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(len(r.cells)))
	for _, c := range r.cells {
		b = binary.AppendUvarint(b, uint64(c.col))
		b = append(b, byte(c.kind))
		b = binary.AppendUvarint(b, uint64(len(c.text)))
		b = append(b, c.text...)
	}
	s.buf = b
	at := s.size
	head := binary.AppendUvarint(nil, uint64(len(b)))
	for _, part := range [][]byte{head, b} {
		n, err := s.w.Write(part)
		s.size += int64(n)
		if err != nil {
			return 0, unwritable(err)
		}
	}
	s.rows++
	return at, nil
}

func (s *spool) flush() error {
	if err := s.w.Flush(); err != nil {
		return unwritable(err)
	}
	return nil
}

var errSpool = errors.New("a working file is not as it was written")

func decodeRow(b []byte) (*row, error) {
	bad := false
	number := func() int {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > 1<<40 {
			bad = true
			return 0
		}
		b = b[n:]
		return int(v)
	}
	r := &row{number: number()}
	if bad || len(b) == 0 {
		return nil, errSpool
	}
	r.hidden, r.wide = b[0]&1 != 0, b[0]&2 != 0
	b = b[1:]
	n := number()
	if n > len(b) {
		return nil, errSpool
	}
	r.cells = make([]cell, n)
	// One string for all texts of the row: a cell is a part of it.
	all := string(b)
	from := len(b)
	for i := range r.cells {
		r.cells[i].col = number()
		if bad || len(b) == 0 {
			return nil, errSpool
		}
		r.cells[i].kind = cellKind(b[0])
		b = b[1:]
		size := number()
		if bad || size > len(b) {
			return nil, errSpool
		}
		at := from - len(b)
		r.cells[i].text = all[at : at+size]
		b = b[size:]
	}
	return r, nil
}

// cursor reads rows one after the other.
type cursor struct {
	r   *bufio.Reader
	at  int64
	buf []byte
}

func (s *spool) from(offset int64) *cursor {
	return &cursor{r: bufio.NewReaderSize(io.NewSectionReader(s.f, offset, s.size-offset), 256<<10), at: offset}
}

// next is the next row and where it stands; io.EOF after the last.
func (c *cursor) next() (*row, int64, error) {
	n, err := binary.ReadUvarint(c.r)
	if err == io.EOF {
		return nil, 0, io.EOF
	}
	if err != nil || n > 1<<30 {
		return nil, 0, errSpool
	}
	if uint64(cap(c.buf)) < n {
		c.buf = make([]byte, n)
	}
	b := c.buf[:n]
	if _, err := io.ReadFull(c.r, b); err != nil {
		return nil, 0, errSpool
	}
	at := c.at
	c.at += int64(len(binary.AppendUvarint(nil, n))) + int64(n)
	r, err := decodeRow(b)
	return r, at, err
}

// row is the row that stands at an offset.
func (s *spool) row(offset int64) (*row, error) {
	var first [1024]byte
	n, err := s.f.ReadAt(first[:], offset)
	if err != nil && err != io.EOF {
		return nil, errSpool
	}
	size, used := binary.Uvarint(first[:n])
	if used <= 0 || size > 1<<30 {
		return nil, errSpool
	}
	if used+int(size) <= n {
		return decodeRow(first[used : used+int(size)])
	}
	b := make([]byte, size)
	if _, err := s.f.ReadAt(b, offset+int64(used)); err != nil {
		return nil, errSpool
	}
	return decodeRow(b)
}

// index finds the rows of a list by the case they belong to. It lies on the disk, in the order of its hashes and then of the rows; in memory
// there is only the first hash of every block.
type index struct {
	f      *os.File
	n      int
	fences []uint64
}

type entry struct {
	hash uint64
	at   int64
}

const (
	entryBytes = 16
	indexBlock = 128 // entries
)

func newIndex(dir string, entries []entry) (*index, error) {
	sort.Slice(entries, func(i, j int) bool {
		if entries[i].hash != entries[j].hash {
			return entries[i].hash < entries[j].hash
		}
		return entries[i].at < entries[j].at
	})
	f, err := os.CreateTemp(dir, "index-*")
	if err != nil {
		return nil, unwritable(err)
	}
	x := &index{f: f, n: len(entries)}
	w := bufio.NewWriter(f)
	for i, e := range entries {
		if i%indexBlock == 0 {
			x.fences = append(x.fences, e.hash)
		}
		var b [entryBytes]byte
		binary.BigEndian.PutUint64(b[:], e.hash)
		binary.BigEndian.PutUint64(b[8:], uint64(e.at))
		if _, err := w.Write(b[:]); err != nil {
			return x, unwritable(err)
		}
	}
	if err := w.Flush(); err != nil {
		return x, unwritable(err)
	}
	return x, nil
}

func (x *index) close() {
	if x != nil && x.f != nil {
		x.f.Close()
		os.Remove(x.f.Name())
	}
}

// find are the places of the rows with a hash, in their order.
func (x *index) find(hash uint64) (at []int64, err error) {
	// the block before the first that begins with the hash may end with it
	block := max(0, sort.Search(len(x.fences), func(i int) bool { return x.fences[i] >= hash })-1)
	var b [entryBytes * indexBlock]byte
	for ; block < len(x.fences); block++ {
		n := min(indexBlock, x.n-block*indexBlock)
		if _, err := x.f.ReadAt(b[:n*entryBytes], int64(block)*indexBlock*entryBytes); err != nil {
			return nil, errSpool
		}
		for i := range n {
			e := b[i*entryBytes:]
			switch h := binary.BigEndian.Uint64(e); {
			case h > hash:
				return at, nil
			case h == hash:
				at = append(at, int64(binary.BigEndian.Uint64(e[8:])))
			}
		}
	}
	return at, nil
}

// CleanWork empties a folder of working files that an earlier run may have left, and makes it: only its owner may look into it.
func CleanWork(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unwritable(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return unwritable(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return unwritable(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return unwritable(err)
		}
	}
	return nil
}
