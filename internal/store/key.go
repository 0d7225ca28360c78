package store

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"caseforms"
)

// Keys say where the secret of a store is looked for, in this order. It is never beside the data.
type Keys struct {
	Credentials string // folder of $CREDENTIALS_DIRECTORY: a file caseforms.key in it; never written
	File        string // CASEFORMS_KEY_FILE; made when it is not there
	Config      string // the user's configuration folder: keys/STORE.key in it; made when it is not there

	secret []byte // of a store that is being restored
}

const (
	keyPrefix  = "caseforms-key-1:"
	credential = "caseforms.key"
)

// places are the files in which the secret of a store may be, in order.
func (k Keys) places(store string) (out []string) {
	if k.Credentials != "" {
		out = append(out, filepath.Join(k.Credentials, credential))
	}
	if k.File != "" {
		out = append(out, k.File)
	}
	if k.Config != "" {
		out = append(out, filepath.Join(k.Config, "keys", store+".key"))
	}
	return out
}

// find reads the secret of a store from the first place that has one.
func (k Keys) find(store string) ([]byte, error) {
	if k.secret != nil {
		return k.secret, nil
	}
	for _, name := range k.places(store) {
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, unavailable("the key file cannot be read", err)
		}
		return parseSecret(b)
	}
	return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the key of store " + store + " was not found; without it nothing in the store can be read",
		Hint: "it is looked for as " + credential + " in $CREDENTIALS_DIRECTORY, in the file that CASEFORMS_KEY_FILE names, then in the configuration folder as keys/" + store + ".key"}
}

// Where is the file that the key of a store is read from; "" when there is none.
func (k Keys) Where(store string) string {
	for _, name := range k.places(store) {
		if _, err := os.Stat(name); err == nil {
			return name
		}
	}
	return ""
}

// make finds a secret for a new store in the first two places, which may serve several stores, or makes one.
func (k Keys) make(store string, random io.Reader) ([]byte, error) {
	for _, name := range k.places(store) {
		b, err := os.ReadFile(name)
		switch {
		case err == nil:
			return parseSecret(b)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, unavailable("the key file cannot be read", err)
		}
	}
	secret := make([]byte, 32)
	if _, err := io.ReadFull(random, secret); err != nil {
		return nil, err
	}
	return secret, k.write(store, secret)
}

// write puts a secret into the first place that the program may write.
func (k Keys) write(store string, secret []byte) error {
	to := k.File
	if to == "" && k.Config != "" {
		to = filepath.Join(k.Config, "keys", store+".key")
	}
	if to == "" {
		return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "there is no place for the key of the store", Hint: "name one with CASEFORMS_KEY_FILE"}
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return unavailable("the folder for the key cannot be made", err)
	}
	if err := WriteFile(to, formatSecret(secret)); err != nil {
		return unavailable("the key file cannot be written", err)
	}
	return nil
}

// keep makes sure that the secret of a restored store is found. A place that has another key is left alone.
func (k Keys) keep(store string, secret []byte) error {
	for _, name := range k.places(store) {
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var have []byte
		if err == nil {
			have, err = parseSecret(b)
		}
		if err == nil && !bytes.Equal(have, secret) {
			err = &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is another key where this store's key would be looked for; nothing was restored", Hint: "name a place for its key with CASEFORMS_KEY_FILE"}
		}
		return err
	}
	return k.write(store, secret)
}

func formatSecret(secret []byte) []byte {
	return []byte("# Without this key the store cannot be read, by anybody. Keep a copy where the data is not.\n" + keyPrefix + base64.RawURLEncoding.EncodeToString(secret) + "\n")
}

func parseSecret(b []byte) ([]byte, error) {
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), keyPrefix); ok {
			if secret, err := base64.RawURLEncoding.DecodeString(v); err == nil && len(secret) == 32 {
				return secret, nil
			}
		}
	}
	return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the key file holds no key", Hint: "it has a line that begins with " + keyPrefix}
}

// keyring are the keys of one store, all derived from its secret by HKDF-SHA256 (RFC 5869) with the store's id as salt.
type keyring struct {
	secret   []byte
	database []byte // of the file
	check    string
	objects  cipher.AEAD // wraps the keys of objects
	details  cipher.AEAD // seals the details of the ledger and what is kept with the outbox
	search   []byte
	signer   signer
	verifier note.Verifier
}

// kek is the version of the key that wraps the objects' keys.
const kek = 1

// newKeyring derives the keys of a store. The check is of what the label says too, so that nobody makes a real store a test store for a while
// to write into it under another date.
func newKeyring(secret []byte, l label) (*keyring, error) {
	store := l.Store
	derive := func(what string) ([]byte, error) {
		return hkdf.Key(sha256.New, secret, []byte(store), "caseforms store 1 "+what, 32)
	}
	k := &keyring{secret: secret}
	var check, objects, details, ledger []byte
	for _, d := range []struct {
		what string
		to   *[]byte
	}{{"database", &k.database}, {fmt.Sprintf("check format=%d test=%t", l.Format, l.Test), &check}, {"objects", &objects}, {"details", &details}, {"search", &k.search}, {"ledger", &ledger}} {
		b, err := derive(d.what)
		if err != nil {
			return nil, err
		}
		*d.to = b
	}
	k.check = hex.EncodeToString(check[:8])
	var err error
	if k.objects, err = aead(objects); err != nil {
		return nil, err
	}
	if k.details, err = aead(details); err != nil {
		return nil, err
	}
	private := ed25519.NewKeyFromSeed(ledger)
	vkey, err := note.NewEd25519VerifierKey(logName(store), private.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	if k.verifier, err = note.NewVerifier(vkey); err != nil {
		return nil, err
	}
	k.signer = signer{k.verifier, private}
	return k, nil
}

func logName(store string) string { return "caseforms/" + store }

func aead(key []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

// signer signs checkpoints as notes (golang.org/x/mod/sumdb/note).
type signer struct {
	note.Verifier
	private ed25519.PrivateKey
}

func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.private, msg), nil }

// Term is the keyed hash by which something can be found again without being readable. kind keeps a name apart from a number that looks
// like it.
func (s *Store) Term(kind, value string) []byte {
	h := hmac.New(sha256.New, s.key.search)
	fmt.Fprintf(h, "%s\x00%s", kind, value)
	return h.Sum(nil)[:12]
}

// sealing is how an object is sealed: a random key of its own, which the keyring wraps, bound to the object's id and kind.
func (s *Store) sealObject(id int64, kind string, data []byte) (sealed, wrapped []byte, err error) {
	var random [32 + 12]byte
	if _, err := io.ReadFull(s.rand, random[:]); err != nil {
		return nil, nil, err
	}
	key, nonce := random[:32], random[32:]
	a, err := aead(key)
	if err != nil {
		return nil, nil, err
	}
	bind := objectBinding(id, kind)
	sealed = a.Seal(nil, make([]byte, 12), data, bind) // the key is used once, so the nonce need not differ
	wrapped = s.key.objects.Seal(nonce, nonce, key, bind)
	return sealed, wrapped, nil
}

var errTampered = errors.New("it was changed, or its key was")

func (s *Store) openObject(id int64, kind string, sealed, wrapped []byte) ([]byte, error) {
	bind := objectBinding(id, kind)
	if len(wrapped) < 12 {
		return nil, errTampered
	}
	key, err := s.key.objects.Open(nil, wrapped[:12], wrapped[12:], bind)
	if err != nil {
		return nil, errTampered
	}
	a, err := aead(key)
	if err != nil {
		return nil, err
	}
	data, err := a.Open(nil, make([]byte, 12), sealed, bind)
	if err != nil {
		return nil, errTampered
	}
	return data, nil
}

func objectBinding(id int64, kind string) []byte {
	return append(binary.BigEndian.AppendUint64([]byte("object "), uint64(id)), kind...)
}
