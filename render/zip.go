package render

import (
	"archive/zip"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"io/fs"
	"path"
	"strings"

	"caseforms"
)

// ZipOptions say how files are put together.
type ZipOptions struct {
	// Password seals every file with AES-256 as WinZip does (AE-2), which 7-Zip and WinZip open and the Explorer of Windows does not. The names of
	// the files stay open to everybody. "" leaves the files open.
	Password string `json:"-"`
}

// String and GoString keep the password out of what is logged.
func (o ZipOptions) String() string {
	if o.Password == "" {
		return "open"
	}
	return "sealed"
}
func (o ZipOptions) GoString() string { return o.String() }

// Check tells whether files can be put together with the options. No error holds the password.
func (o ZipOptions) Check() error {
	_, err := o.password()
	return err
}

// password is the password as it is used. It may have only what every program writes with the same bytes, because the format does not say
// which they are.
func (o ZipOptions) password() (string, error) {
	if o.Password == "" {
		return "", nil
	}
	p, msg := preparePassword(o.Password)
	if msg == "" && strings.ContainsFunc(p, func(r rune) bool { return r > 0x7e }) {
		msg = "has a letter that programs write differently in a zip file: use English letters, digits and signs"
	}
	if msg != "" {
		return "", &caseforms.Error{Kind: caseforms.Invalid, Op: "zip", Msg: "the password " + msg, Hint: passwordHint}
	}
	return p, nil
}

// Zip puts files of a folder into one, in the order of the names, or all there are when names is nil. What is no regular file is left out
// of all there are and refused where it is named. Open, the same files give the same bytes; sealed, never. Memory does not grow with the files.
func Zip(w io.Writer, folder fs.FS, names []string, o ZipOptions) error {
	password, err := o.password()
	if err != nil {
		return err
	}
	if names == nil {
		if names, err = regularFiles(folder); err != nil {
			return zipFailed("the folder cannot be read", err)
		}
	}
	z := newZip(w)
	seen := map[string]bool{}
	for _, name := range names {
		if !fs.ValidPath(name) || strings.ContainsAny(name, `\:`) || seen[name] {
			return &caseforms.Error{Kind: caseforms.Internal, Op: "zip", Msg: "a file is named twice or in a way that cannot be unpacked everywhere: " + name}
		}
		seen[name] = true
		if err := zipFile(z, folder, name, password); err != nil {
			return zipFailed("the file "+name+" cannot be put into the zip file", err)
		}
	}
	if err := z.Close(); err != nil {
		return zipFailed("the zip file cannot be written", err)
	}
	return nil
}

func zipFailed(msg string, err error) error {
	return &caseforms.Error{Kind: caseforms.Internal, Op: "zip", Msg: msg, Err: err}
}

func regularFiles(folder fs.FS) (names []string, err error) {
	err = fs.WalkDir(folder, ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

func zipFile(z *zip.Writer, folder fs.FS, name, password string) error {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: epoch}
	h.SetMode(0o600)
	switch path.Ext(name) {
	case ".pdf", ".xlsx", ".zip": // they are compressed
		h.Method = zip.Store
	}
	in, err := openRegular(folder, name)
	if err != nil {
		return err
	}
	defer in.Close()
	if password == "" {
		out, err := z.CreateHeader(h)
		if err == nil {
			_, err = io.Copy(out, in)
		}
		return err
	}
	return sealFile(z, h, in, func() (io.ReadCloser, error) { return openRegular(folder, name) }, password)
}

func openRegular(folder fs.FS, name string) (io.ReadCloser, error) {
	in, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := in.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// How WinZip encrypts with AES-256: the file's own key and that of its seal are made from the password and a random salt by 1,000 rounds of
// PBKDF2 with HMAC-SHA1, which is little, so that only the password's length keeps a thief out. The data is encrypted in counter mode with a
// counter that begins at 1 and has its lowest byte first, and sealed by half an HMAC-SHA1. The check sum of the plain file is left out, because
// it would let a guess at a short file be proved (AE-2). The specification is at https://www.winzip.com/aes_info.htm.
const (
	aesMethod     = 99
	aesSalt       = 16
	aesKey        = 32
	aesRounds     = 1000
	aesSeal       = 10
	aesVersion    = 51 // of the ZIP format
	flagEncrypted = 0x1
	flagUTF8      = 0x800
)

// sealFile reads the file twice: its size stands before it, because not every program finds it behind what is encrypted.
func sealFile(z *zip.Writer, h *zip.FileHeader, first io.Reader, again func() (io.ReadCloser, error), password string) error {
	pack := func(to io.Writer, from io.Reader) (int64, error) {
		if h.Method == zip.Store {
			return io.Copy(to, from)
		}
		f := newDeflate(to)
		n, err := io.Copy(f, from)
		if err == nil {
			err = f.Close()
		}
		return n, err
	}
	var packed counter
	n, err := pack(&packed, first)
	if err != nil {
		return err
	}
	in, err := again()
	if err != nil {
		return err
	}
	defer in.Close()

	head := *h
	head.Extra = binary.LittleEndian.AppendUint16([]byte{0x01, 0x99, 7, 0, 2, 0, 'A', 'E', 3}, h.Method)
	head.Method, head.Flags = aesMethod, flagEncrypted|flagUTF8
	head.ReaderVersion, head.CreatorVersion = aesVersion, h.CreatorVersion|aesVersion
	head.UncompressedSize64, head.CompressedSize64 = uint64(n), aesSalt+2+uint64(packed)+aesSeal
	//lint:ignore SA1019 a file that is written raw has no other date
	head.ModifiedDate = 1<<5 | 1 // 1 January 1980, as everything else
	out, err := z.CreateRaw(&head)
	if err != nil {
		return err
	}
	var salt [aesSalt]byte
	rand.Read(salt[:]) // never fails: it ends the program instead
	keys, err := pbkdf2.Key(sha1.New, password, salt[:], aesRounds, 2*aesKey+2)
	if err != nil {
		return err
	}
	if _, err := out.Write(append(salt[:], keys[2*aesKey:]...)); err != nil { // the last two bytes tell a wrong password quickly
		return err
	}
	e := &aesWriter{w: out, block: newAES(keys[:aesKey]), mac: hmac.New(sha1.New, keys[aesKey:2*aesKey])}
	m, err := pack(e, in)
	if err == nil && (m != n || e.written != uint64(packed)) {
		err = errors.New("it was changed while it was read")
	}
	if err == nil {
		_, err = out.Write(e.mac.Sum(nil)[:aesSeal])
	}
	return err
}

// counter counts what is written to it.
type counter uint64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// aesWriter encrypts what is written to it.
type aesWriter struct {
	w     io.Writer
	block cipher.Block
	mac   hash.Hash
	count uint64
	key   [4096]byte // key stream
	left  int        // of it, at its end
	buf   []byte

	written uint64
}

func (e *aesWriter) Write(p []byte) (int, error) {
	e.buf = append(e.buf[:0], p...)
	for b := e.buf; len(b) > 0; {
		if e.left == 0 {
			clear(e.key[:])
			for i := 0; i < len(e.key); i += aes.BlockSize {
				e.count++
				binary.LittleEndian.PutUint64(e.key[i:], e.count)
				e.block.Encrypt(e.key[i:], e.key[i:])
			}
			e.left = len(e.key)
		}
		n := subtle.XORBytes(b, b, e.key[len(e.key)-e.left:])
		e.left -= n
		b = b[n:]
	}
	e.mac.Write(e.buf)
	e.written += uint64(len(p))
	if n, err := e.w.Write(e.buf); err != nil {
		return n, err
	}
	return len(p), nil
}
