package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"

	"caseforms"
)

// The kinds of sealed objects.
const (
	kindRecord  = "record"  // a case record as it was
	kindCard    = "card"    // the few facts a list of cases shows
	kindAnswers = "answers" // the printed answers of an issued document
	kindFile    = "file"    // the bytes of an issued document
	kindDraft   = "draft"
	kindPayload = "payload" // what an outbox item carries
	kindNote    = "note"    // what was written down about a hand-off, a response, a send or a message
	kindMail    = "mail"    // a message as it came
)

// squeezed are the kinds that are compressed before they are sealed. Documents are compressed already.
var squeezed = map[string]bool{kindRecord: true, kindAnswers: true, kindDraft: true}

// maxObject bounds what an object may grow to when it is opened.
const maxObject = 256 << 20

func (s *Store) compressors() (err error) {
	if s.zip, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(2), zstd.WithEncoderLevel(zstd.SpeedFastest)); err == nil {
		s.unzip, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(maxObject))
	}
	return err
}

// object is sealed content that waits to be written in an act.
type object struct {
	id              int64
	kind            string
	sealed, wrapped []byte
}

// seal seals content. It is done before the act, so that acts are short.
func (s *Store) seal(kind string, data []byte) (*object, error) {
	id, err := s.nextObject()
	if err != nil {
		return nil, err
	}
	if squeezed[kind] {
		data = s.zip.EncodeAll(data, nil)
	}
	o := &object{id: id, kind: kind}
	o.sealed, o.wrapped, err = s.sealObject(id, kind, data)
	return o, err
}

// nextObject gives out an id: milliseconds and random bits, so that ids grow with time and several processes seldom meet. When they do, the
// act is done once more with others, see distinct.
func (s *Store) nextObject() (int64, error) {
	var b [3]byte
	if _, err := io.ReadFull(s.rand, b[:]); err != nil {
		return 0, err
	}
	id := time.Now().UnixMilli()<<20 | int64(b[0])<<12 | int64(b[1])<<4 | int64(b[2])>>4
	for {
		last := s.lastObject.Load()
		if s.lastObject.CompareAndSwap(last, max(last+1, id)) {
			return max(last+1, id), nil
		}
	}
}

// distinct does an act that seals contents, and once more when another process gave one of them the same id.
func (s *Store) distinct(act func() error) error {
	for try := 0; ; try++ {
		if err := act(); try == 3 || !errors.Is(err, errSameID) {
			return err
		}
	}
}

// errSameID says that an object's id is in use.
var errSameID = errors.New("an id was given twice")

// put writes a sealed object.
func (t *tx) put(o *object, of caseforms.CaseID) error {
	n, err := t.changed(`INSERT INTO objects (id, case_id, kind, sealed) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING`, o.id, nullable(string(of)), o.kind, o.sealed)
	if err == nil && n == 0 {
		err = errSameID
	}
	if err != nil {
		return err
	}
	return t.exec(`INSERT INTO object_keys (object, kek, wrapped) VALUES ($1, $2, $3)`, o.id, kek, o.wrapped)
}

// destroy erases an object: its key, then its bytes.
func (t *tx) destroy(id int64) error {
	if err := t.exec(`DELETE FROM object_keys WHERE object = $1`, id); err != nil {
		return err
	}
	return t.exec(`DELETE FROM objects WHERE id = $1`, id)
}

// object reads sealed content. An object that was erased is not found.
func (s *Store) object(ctx context.Context, id int64, kind string) ([]byte, error) {
	var sealed, wrapped []byte
	found, err := s.one(ctx, `SELECT o.sealed, k.wrapped FROM objects o JOIN object_keys k ON k.object = o.id WHERE o.id = $1`, []any{id}, &sealed, &wrapped)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "its content was erased"}
	}
	return s.unseal(id, kind, sealed, wrapped)
}

// missing tells that a content was not there.
func missing(err error) bool {
	var e *caseforms.Error
	return errors.As(err, &e) && e.Kind == caseforms.NotFound
}

func (s *Store) unseal(id int64, kind string, sealed, wrapped []byte) ([]byte, error) {
	data, err := s.openObject(id, kind, sealed, wrapped)
	if err == nil && squeezed[kind] {
		data, err = s.unzip.DecodeAll(data, nil)
	}
	if err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Internal, Msg: fmt.Sprintf("the sealed content %d cannot be opened", id), Err: errTampered, Hint: "copy the data folder as it is; a backup has it as it was"}
	}
	return data, nil
}
