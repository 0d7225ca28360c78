package casework

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"regexp"
	"sync"
	"time"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/templates"
)

// Verdict is what the store says of a file or a document.
type Verdict struct {
	Issued   bool // it is byte for byte what was issued
	Ref      caseforms.Ref
	Version  int
	Form     string
	At       time.Time // when it was issued
	By       string    // by whom
	Entry    int64     // its record in the ledger
	Latest   int       // the version that holds now
	LatestAt time.Time
	Erased   time.Time // when the content was erased from the store; zero when it was not
	Mentions caseforms.Ref
	Problems []string // what is wrong with what the store itself has
}

// VerifyFile tells whether a file is exactly what was issued, when, by whom, and whether it still holds. The content is not kept. The
// answer says nothing that is not on the file or about the people of this store, and everybody who works here may ask.
func (k *Desk) VerifyFile(ctx context.Context, a caseforms.Actor, data []byte) (*Verdict, error) {
	if err := a.Need("verify documents", caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor); err != nil {
		return nil, err
	}
	ref, version, found, err := k.store.FileBySum(ctx, sha256.Sum256(data))
	if err != nil {
		return nil, err
	}
	if found {
		return k.verdict(ctx, ref, version)
	}
	v := &Verdict{}
	for _, m := range mentioned(data) {
		d, err := k.store.Document(ctx, m)
		var e *caseforms.Error
		switch {
		case errors.As(err, &e) && e.Kind == caseforms.NotFound:
			continue
		case err != nil:
			return nil, err
		}
		v.Mentions, v.Erased = m, d.Latest().Erased
		break
	}
	return v, nil
}

// VerifyRef checks the stored bytes of a document and their history against the ledger.
func (k *Desk) VerifyRef(ctx context.Context, a caseforms.Actor, ref caseforms.Ref) (*Verdict, error) {
	if err := a.Need("verify documents", caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor); err != nil {
		return nil, err
	}
	return k.verdict(ctx, ref, 0)
}

// verdict checks a document; of which version, 0 being the latest.
func (k *Desk) verdict(ctx context.Context, ref caseforms.Ref, version int) (*Verdict, error) {
	d, err := k.store.Document(ctx, ref)
	if err != nil {
		return nil, err
	}
	if version == 0 {
		version = d.Latest().Number
	}
	if version < 1 || version > len(d.Versions) {
		return nil, &caseforms.Error{Kind: caseforms.Internal, Msg: string(ref) + " has no version " + "that its file belongs to"}
	}
	ver := &d.Versions[version-1]
	var checked store.Verified
	if err := k.store.VerifyDocument(ctx, &checked, ref); err != nil {
		return nil, err
	}
	who, err := k.nameOf(ctx, ver.IssuedBy)
	if err != nil {
		return nil, err
	}
	return &Verdict{
		Issued: len(checked.Problems) == 0, Ref: ref, Version: version, Form: d.Form, At: ver.Issued, By: who, Entry: ver.Entry,
		Latest: d.Latest().Number, LatestAt: d.Latest().Issued, Erased: ver.Erased, Problems: checked.Problems,
	}, nil
}

var printedRef = regexp.MustCompile(`CF-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}`)

// mentioned are the references that can be read in a file, at most a few: in the metadata of a PDF, in the properties of a workbook, or
// anywhere in a file that is plain text.
func mentioned(data []byte) (out []caseforms.Ref) {
	const properties, most = "docProps/core.xml", 64 << 10
	if !fewMembers(data) {
		return nil
	}
	if z, err := zip.NewReader(bytes.NewReader(data), int64(len(data))); err == nil {
		data = nil
		if f, err := z.Open(properties); err == nil {
			data, _ = io.ReadAll(io.LimitReader(f, most))
			f.Close()
		}
	}
	for _, m := range printedRef.FindAll(data, 16) {
		if ref, ok := caseforms.ParseRef(string(m)); ok {
			out = append(out, ref)
		}
	}
	return out
}

// fewMembers tells whether a file, if it is a zip file at all, says of itself that it has no more members than a workbook may have. Its list
// is not read before that.
func fewMembers(data []byte) bool {
	at := bytes.LastIndex(data[max(0, len(data)-66<<10):], []byte("PK\x05\x06"))
	if at < 0 {
		return true
	}
	end := data[max(0, len(data)-66<<10)+at:]
	return len(end) >= 12 && int(end[10])|int(end[11])<<8 < 1000
}

// VerifyAll checks the whole ledger, against an older checkpoint when one is given, and everything in the store against the ledger.
func (k *Desk) VerifyAll(ctx context.Context, a caseforms.Actor, against string) (*store.Verified, error) {
	if err := a.Need("verify the ledger", caseforms.RoleAuditor, caseforms.RoleAdmin, caseforms.RoleManager); err != nil {
		return nil, err
	}
	v, err := k.store.VerifyLedger(ctx, against)
	if err == nil {
		err = k.store.VerifyContents(ctx, v, SameForm)
	}
	return v, err
}

// SameForm tells whether a kept definition is still the one of its hash.
func SameForm(hash string, bundle []byte) error {
	_, _, err := unbundle(hash, bundle)
	return err
}

// bundles has the definitions of the last few bundles, because reading them takes longer than most acts. It goes by their bytes: what was changed is read.
type bundles struct {
	mu   sync.Mutex
	last []unbundled
}

type unbundled struct {
	sum  [sha256.Size]byte
	defs *caseforms.Definitions
}

const bundlesMost = 8

// form is the form of a hash in a bundle.
func (b *bundles) form(hash string, bundle []byte) (*caseforms.Definitions, *caseforms.Form, error) {
	sum := sha256.Sum256(bundle)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, u := range b.last {
		if u.sum == sum {
			return formOf(u.defs, hash)
		}
	}
	d, f, err := unbundle(hash, bundle)
	if err == nil {
		b.last = append(b.last[max(0, len(b.last)-bundlesMost+1):], unbundled{sum, d})
	}
	return d, f, err
}

// unbundle loads the form of a hash from its kept source files.
func unbundle(hash string, bundle []byte) (*caseforms.Definitions, *caseforms.Form, error) {
	d, err := templates.Unbundle(bundle)
	if err != nil {
		return nil, nil, err
	}
	return formOf(d, hash)
}

func formOf(d *caseforms.Definitions, hash string) (*caseforms.Definitions, *caseforms.Form, error) {
	for _, f := range d.Forms {
		if f.Hash == hash {
			return d, f, nil
		}
	}
	return nil, nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "a kept definition is not what it was"}
}
