package render

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"strconv"
)

// A sealed PDF is encrypted with AES-256 by the standard security handler, revision 6 (ISO 32000-2, 7.6.4). Revision 5, which Adobe had
// before the standard, hashes the password once, so that it is guessed far quicker; fpdf's own protection is RC4 with 40 bits. Neither is used.

// permissions are the bits of ISO 32000-2, table 22: print, also in full quality (3, 12); copy, because the recipient has to get the
// answers into a system of their own (5); fill in form fields (9); screen readers, always (10). Not: modify (4), annotate (6), assemble (11).
// The reserved bits 7, 8 and 13 to 32 are 1; 1 and 2 are 0.
const permissions int32 = -1<<12 /* 13 to 32 */ | 1<<2 | 1<<4 | 1<<6 | 1<<7 | 1<<8 | 1<<9 | 1<<11

// sealExtensions tell that revision 6 is no part of PDF 1.7. It came to 1.7 as Adobe's extension
// level 8. The header stays at 1.7 because PDF/UA-1 stands on that version, and 2.0 would give up the title in the information dictionary.
const sealExtensions = "/Extensions<</ADBE<</BaseVersion/1.7/ExtensionLevel 8>>>>"

// seal is the encryption of one file. Its key, salts and vectors are random, and so no two files have a thing in common.
type seal struct {
	block cipher.Block
	dict  string // the encryption dictionary
	buf   []byte
}

// nobodysPassword is the owner's password of a file. Whoever has it can lift the restrictions, so it is thrown away. It is as hard to guess
// as the key.
func nobodysPassword() string { return rand.Text() + rand.Text() }

func newSeal(user, owner string) *seal {
	var key [32]byte
	rand.Read(key[:]) // never fails: it ends the program instead
	s := &seal{block: newAES(key[:])}
	u, ue := passwordEntries([]byte(user), nil, key[:])
	o, oe := passwordEntries([]byte(owner), u, key[:])
	perms := make([]byte, 16) // ISO 32000-2, Algorithm 10
	p := permissions
	binary.LittleEndian.PutUint32(perms, uint32(p))
	copy(perms[4:], "\xff\xff\xff\xffTadb") // T: metadata is encrypted as well
	rand.Read(perms[12:])
	s.block.Encrypt(perms, perms)
	s.dict = fmt.Sprintf("<</Filter/Standard/V 5/R 6/Length 256/CF<</StdCF<</CFM/AESV3/AuthEvent/DocOpen/Length 32>>>>/StmF/StdCF/StrF/StdCF"+
		"/U<%x>/UE<%x>/O<%x>/OE<%x>/P %d/Perms<%x>/EncryptMetadata true>>", u, ue, o, oe, p, perms)
	return s
}

// passwordEntries are U and UE for the user's password, or O and OE for the owner's, which goes by the user's entry u as well
// (ISO 32000-2, Algorithms 8 and 9).
func passwordEntries(password, u, key []byte) (verify, wrapped []byte) {
	var salts [16]byte
	rand.Read(salts[:])
	check := passwordHash(password, salts[:8], u)
	verify = append(check[:], salts[:]...)
	wrap := passwordHash(password, salts[8:], u)
	wrapped = make([]byte, len(key))
	cipher.NewCBCEncrypter(newAES(wrap[:]), make([]byte, aes.BlockSize)).CryptBlocks(wrapped, key)
	return verify, wrapped
}

// passwordHash is ISO 32000-2, Algorithm 2.B. It is slow on purpose: about a millisecond, and there are four in a file.
func passwordHash(password, salt, u []byte) [32]byte {
	h := sha256.New()
	h.Write(password)
	h.Write(salt)
	h.Write(u)
	k := h.Sum(nil)
	e := make([]byte, 0, 64*(len(password)+sha512.Size+len(u)))
	for round := 1; ; round++ {
		e = e[:0]
		for range 64 {
			e = append(append(append(e, password...), k...), u...)
		}
		cipher.NewCBCEncrypter(newAES(k[:16]), k[16:32]).CryptBlocks(e, e)
		rest := 0 // of the first 16 bytes as one number, divided by 3; 256 leaves 1, so the sum of the bytes leaves the same
		for _, c := range e[:16] {
			rest += int(c)
		}
		switch rest % 3 {
		case 0:
			sum := sha256.Sum256(e)
			k = append(k[:0], sum[:]...)
		case 1:
			sum := sha512.Sum384(e)
			k = append(k[:0], sum[:]...)
		default:
			sum := sha512.Sum512(e)
			k = append(k[:0], sum[:]...)
		}
		if round >= 64 && int(e[len(e)-1]) <= round-32 {
			return [32]byte(k[:32])
		}
	}
}

func newAES(key []byte) cipher.Block {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the sizes of the keys are constants
	}
	return b
}

// data is a stream's data as it stands in the file: a random vector, then AES-256-CBC with padding (ISO 32000-2, 7.6.3, Algorithm 1.A). Without a seal
// it is what it was. The result is valid until the next call.
func (s *seal) data(b []byte) []byte {
	if s == nil {
		return b
	}
	pad := aes.BlockSize - len(b)%aes.BlockSize
	s.buf = append(s.buf[:0], make([]byte, aes.BlockSize)...)
	rand.Read(s.buf)
	s.buf = append(s.buf, b...)
	for range pad {
		s.buf = append(s.buf, byte(pad))
	}
	cipher.NewCBCEncrypter(s.block, s.buf[:aes.BlockSize]).CryptBlocks(s.buf[aes.BlockSize:], s.buf[aes.BlockSize:])
	return s.buf
}

// endSeal comes after the last stream that is sealed: of the cross-reference stream nothing is, and the encryption dictionary stands in
// no object stream (ISO 32000-2, 7.5.7 and 7.5.8.2). It gives what the file's trailer says of the seal, and the identifier. That one is
// open to everybody, and made from the contents it would let a guess at them be proved without the password; so it is random.
func (f *finisher) endSeal(id []byte) (string, []byte) {
	if f.seal == nil {
		return "", id
	}
	n := f.alloc()
	f.set(n, f.flushed+len(f.out))
	f.out = strconv.AppendInt(f.out, int64(n), 10)
	f.out = append(append(append(f.out, " 0 obj\n"...), f.seal.dict...), "\nendobj\n"...)
	f.seal = nil
	random := make([]byte, len(id))
	rand.Read(random)
	return fmt.Sprintf("/Encrypt %d 0 R", n), random
}
