package templates

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing/fstest" // for its file system in memory; package testing does not come with it

	"caseforms"
)

// MaxBundle is the most bytes a bundle may have.
const MaxBundle = 16 << 20

const (
	bundleHead = "caseforms bundle 1"
	bundleTail = len("end \n") + 2*sha256.Size
)

// Bundle is all that a form is made of (see [caseforms.Form]'s Hash) as one file, so that a document can be understood for as long as it is
// kept, whatever is changed since. It is text for people to read: lines that say what follows, each file as it was, and a check sum.
//
//	caseforms bundle 1
//	area london
//	form check
//	hash 5f0c…
//	file 1204 areas/london/forms/check/2014-11-london.yaml
//	(1204 bytes, and a line break)
//	…
//	end 91ab…
//
// The area is empty where the general definitions hold; the files are in the order of their names; end has the SHA-256 of all that is before
// it. The same form gives the same bytes.
func Bundle(d *caseforms.Definitions, formID string) ([]byte, error) {
	f, err := d.Form(formID)
	if err != nil {
		return nil, err
	}
	fail := func(msg string) ([]byte, error) {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Op: "bundle " + f.ID, Msg: msg}
	}
	if len(f.Sources) == 0 {
		return fail("the files that the form is made of are not known: it was not loaded from files")
	}
	if !oneLine(d.Area) || !oneLine(f.ID) {
		return fail("its name or that of its area has a line break")
	}
	sources := slices.SortedFunc(slices.Values(f.Sources), func(a, b caseforms.Source) int { return strings.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\narea %s\nform %s\nhash %s\n", bundleHead, d.Area, f.ID, f.Hash)
	for _, s := range sources {
		if !oneLine(s.Name) {
			return fail("the name of one of its files has a line break")
		}
		fmt.Fprintf(&b, "file %d %s\n", len(s.Data), s.Name)
		b.Write(s.Data)
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "end %x\n", sha256.Sum256(b.Bytes()))
	if b.Len() > MaxBundle {
		return fail(fmt.Sprintf("it is larger than %d MB", MaxBundle>>20))
	}
	return b.Bytes(), nil
}

func oneLine(s string) bool { return !strings.ContainsAny(s, "\r\n") }

// Unbundle loads the definitions of a bundle: the form it was made of, those that this one takes sections from, and what they share. The
// form has the hash it had. A bundle that was damaged is an error, never another form.
func Unbundle(data []byte) (*caseforms.Definitions, error) {
	fail := func(msg string, err error) (*caseforms.Definitions, error) {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Op: "open the bundle", Msg: msg, Hint: "take another copy of it, such as that of a backup", Err: err}
	}
	if len(data) > MaxBundle {
		return fail(fmt.Sprintf("it is larger than %d MB", MaxBundle>>20), nil)
	}
	r := &bundleReader{rest: data}
	if r.line() != bundleHead {
		return fail("it does not begin as a bundle of a version that is known here", nil)
	}
	end := len(data) - bundleTail
	if end < 0 || string(data[end:]) != fmt.Sprintf("end %x\n", sha256.Sum256(data[:end])) {
		return fail("its check sum does not agree: it was damaged or is not whole", nil)
	}
	r.rest = r.rest[:max(0, len(r.rest)-bundleTail)]
	area, id, hash := r.value("area"), r.value("form"), r.value("hash")
	if area != "" && (strings.Contains(area, "/") || !oneLine(area) || !fs.ValidPath("areas/"+area)) {
		r.bad = true
	}
	files := fstest.MapFS{}
	for last := ""; len(r.rest) > 0 && !r.bad; {
		size, name, _ := strings.Cut(r.value("file"), " ")
		n, err := strconv.Atoi(size)
		content := r.bytes(n)
		if err != nil || strconv.Itoa(n) != size || !fs.ValidPath(name) || name <= last {
			r.bad = true
			break
		}
		files[name], last = &fstest.MapFile{Data: content}, name
	}
	if r.bad {
		return fail("what stands in it is not in the order of a bundle", nil)
	}
	d, err := load(files, area)
	if err != nil {
		return fail("its definitions cannot be used by this version of the program", err)
	}
	f, err := d.Form(id)
	if err != nil {
		return fail("the form it was made of is not in it", err)
	}
	if h, err := hex.DecodeString(hash); err != nil || len(h) != sha256.Size || f.Hash != hash || len(f.Sources) != len(files) {
		return fail("its files are not those that the form was made of", nil)
	}
	return d, nil
}

// bundleReader takes a bundle apart from its beginning. What is not as it must be makes it bad.
type bundleReader struct {
	rest []byte
	bad  bool
}

func (r *bundleReader) line() string {
	line, rest, ok := bytes.Cut(r.rest, []byte("\n"))
	r.rest, r.bad = rest, r.bad || !ok
	return string(line)
}

func (r *bundleReader) value(key string) string {
	v, ok := strings.CutPrefix(r.line(), key+" ")
	r.bad = r.bad || !ok
	return v
}

// bytes takes the next n and the line break behind them.
func (r *bundleReader) bytes(n int) []byte {
	if n < 0 || n >= len(r.rest) || r.rest[n] != '\n' {
		r.bad = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n+1:]
	return b
}
