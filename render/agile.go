package render

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
)

// A sealed workbook is a compound file ([MS-CFB]) that holds the encrypted workbook and how to decrypt it ([MS-OFFCRYPTO] 2.3.4.10, agile
// encryption). What excelize writes with a password is the older encryption: AES-128 in a mode that shows repetitions, no protection
// against changes.

const (
	spinCount = 100_000 // rounds of the password's hash; what Office writes
	segment   = 4096    // bytes of the package that are encrypted together
)

// Block keys ([MS-OFFCRYPTO] 2.3.4.11 to 2.3.4.14): what a key or vector is for.
const (
	forVerifierInput = "\xfe\xa7\xd2\x76\x3b\x4b\x9e\x79"
	forVerifierHash  = "\xd7\xaa\x0f\x6d\x30\x61\x34\x4e"
	forPackageKey    = "\x14\x6e\x0b\xe7\xab\xac\xd0\xd6"
	forHMACKey       = "\x5f\xb2\xad\x01\x0c\xb9\xe1\xf6"
	forHMACValue     = "\xa0\x67\x7f\x02\xb2\x2c\x84\x33"
)

// sealWorkbook encrypts a workbook with AES-256-CBC and SHA-512, and protects it against changes by an HMAC. Keys and salts are random.
func sealWorkbook(workbook []byte, password string) []byte {
	key, keySalt, salt, verifier, hmacKey := random(32), random(16), random(16), random(16), random(sha512.Size)
	vector := func(of string) []byte {
		h := sha512.Sum512(append(bytes.Clone(keySalt), of...))
		return h[:aes.BlockSize]
	}

	// [MS-OFFCRYPTO] 2.3.4.15: the size, then segments with a vector each, the last one padded.
	pkg := make([]byte, 8, 8+len(workbook)+segment)
	binary.LittleEndian.PutUint64(pkg, uint64(len(workbook)))
	block := newAES(key)
	for i := 0; i*segment < len(workbook); i++ {
		from := len(pkg)
		pkg = pad(append(pkg, workbook[i*segment:min(len(workbook), (i+1)*segment)]...), from)
		var number [4]byte
		binary.LittleEndian.PutUint32(number[:], uint32(i))
		cipher.NewCBCEncrypter(block, vector(string(number[:]))).CryptBlocks(pkg[from:], pkg[from:])
	}
	pkg = append(pkg, make([]byte, max(0, leastStream-len(pkg)))...) // readers go by the size
	mac := hmac.New(sha512.New, hmacKey)
	mac.Write(pkg)

	hash := spin(password, salt)
	wrap := func(purpose string, data []byte) string {
		k := sha512.Sum512(append(bytes.Clone(hash[:]), purpose...))
		return base64.StdEncoding.EncodeToString(cbc(k[:32], salt, data))
	}
	verifierHash := sha512.Sum512(verifier)
	b64 := base64.StdEncoding.EncodeToString
	const algorithms = `saltSize="16" blockSize="16" keyBits="256" hashSize="64" cipherAlgorithm="AES" cipherChaining="ChainingModeCBC" hashAlgorithm="SHA512"`
	const office = "http://schemas.microsoft.com/office/2006/"
	info := []byte{4, 0, 4, 0, 0x40, 0, 0, 0} // version 4.4, agile
	info = fmt.Appendf(info, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`+"\r\n"+
		`<encryption xmlns="`+office+`encryption" xmlns:p="`+office+`keyEncryptor/password" xmlns:c="`+office+`keyEncryptor/certificate">`+
		`<keyData `+algorithms+` saltValue="%s"/><dataIntegrity encryptedHmacKey="%s" encryptedHmacValue="%s"/>`+
		`<keyEncryptors><keyEncryptor uri="`+office+`keyEncryptor/password"><p:encryptedKey spinCount="%d" `+algorithms+
		` saltValue="%s" encryptedVerifierHashInput="%s" encryptedVerifierHashValue="%s" encryptedKeyValue="%s"/></keyEncryptor></keyEncryptors></encryption>`,
		b64(keySalt), b64(cbc(key, vector(forHMACKey), hmacKey)), b64(cbc(key, vector(forHMACValue), mac.Sum(nil))),
		spinCount, b64(salt), wrap(forVerifierInput, verifier), wrap(forVerifierHash, verifierHash[:]), wrap(forPackageKey, key))
	info = append(info, bytes.Repeat([]byte{' '}, max(0, leastStream-len(info)))...) // white space after XML means nothing
	return compoundFile(part{"EncryptionInfo", info}, part{"EncryptedPackage", pkg})
}

// spin is the slow hash of a password ([MS-OFFCRYPTO] 2.3.4.11), what sealing a workbook costs most of.
func spin(password string, salt []byte) [sha512.Size]byte {
	first := bytes.Clone(salt)
	for _, u := range utf16.Encode([]rune(password)) {
		first = binary.LittleEndian.AppendUint16(first, u)
	}
	h := sha512.Sum512(first)
	var b [4 + sha512.Size]byte
	for i := range uint32(spinCount) {
		binary.LittleEndian.PutUint32(b[:], i)
		copy(b[4:], h[:])
		h = sha512.Sum512(b[:])
	}
	return h
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails: it ends the program instead
	return b
}

// pad adds zeros until what stands behind from is whole blocks.
func pad(b []byte, from int) []byte {
	return append(b, make([]byte, -(len(b)-from)&(aes.BlockSize-1))...)
}

func cbc(key, vector, data []byte) []byte {
	out := make([]byte, len(data)) // all are whole blocks
	cipher.NewCBCEncrypter(newAES(key), vector).CryptBlocks(out, data)
	return out
}

// The parts of a compound file ([MS-CFB] 2.1). Version 3 with small sectors is the one that every reader takes.
const (
	sector      = 512
	perSector   = sector / 4 // sector numbers that one sector holds
	inHeader    = 109        // of the allocation table's sectors, named in the header; the others are named in sectors of their own
	leastStream = 4096       // smaller streams stand in a container of their own, which is not written here

	sectorDIFAT = 0xfffffffc
	sectorFAT   = 0xfffffffd
	sectorEnd   = 0xfffffffe
	sectorFree  = 0xffffffff
	noStream    = 0xffffffff
)

// part is a stream of a compound file, of at least leastStream bytes.
type part struct {
	name string
	data []byte
}

// compoundFile writes two streams, the one with the shorter name first, which is the order of the directory ([MS-CFB] 2.6.4). The file
// is the header, the allocation table (FAT), the sectors that name those of the table beyond inHeader (DIFAT), the directory, the streams.
func compoundFile(parts ...part) []byte {
	le := binary.LittleEndian
	sectors := func(n int) int { return (n + sector - 1) / sector }
	content := 1 // the directory
	for _, p := range parts {
		content += sectors(len(p.data))
	}
	fats, difats := 0, 0
	for fats*perSector < fats+difats+content {
		fats++
		difats = max(0, fats-inHeader+perSector-2) / (perSector - 1) // the last number of each names the next one
	}
	directory := fats + difats
	out := make([]byte, sector*(1+directory+content))
	at := func(s int) []byte { return out[sector*(1+s) : sector*(2+s)] }

	head := out[:sector]
	copy(head, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	le.PutUint16(head[24:], 0x3e)
	le.PutUint16(head[26:], 3) // version
	le.PutUint16(head[28:], 0xfffe)
	le.PutUint16(head[30:], 9) // sectors of 1<<9 bytes
	le.PutUint16(head[32:], 6)
	le.PutUint32(head[44:], uint32(fats))
	le.PutUint32(head[48:], uint32(directory))
	le.PutUint32(head[56:], leastStream)
	le.PutUint32(head[60:], sectorEnd) // no container of small streams
	le.PutUint32(head[68:], sectorEnd)
	if difats > 0 {
		le.PutUint32(head[68:], uint32(fats))
		le.PutUint32(head[72:], uint32(difats))
	}
	for i := range inHeader + difats*(perSector-1) {
		v := uint32(sectorFree)
		if i < fats {
			v = uint32(i)
		}
		if i < inHeader {
			le.PutUint32(head[76+4*i:], v)
		} else {
			k := i - inHeader
			le.PutUint32(at(fats + k/(perSector-1))[4*(k%(perSector-1)):], v)
		}
	}
	for i := range difats {
		next := uint32(fats + i + 1)
		if i == difats-1 {
			next = sectorEnd
		}
		le.PutUint32(at(fats + i)[sector-4:], next)
	}

	fat := out[sector : sector*(1+fats)]
	for i := range fats * perSector {
		v := uint32(sectorFree)
		switch {
		case i < fats:
			v = sectorFAT
		case i < directory:
			v = sectorDIFAT
		case i == directory:
			v = sectorEnd
		}
		le.PutUint32(fat[4*i:], v)
	}
	entry := func(i int, name string, kind byte, right, child, start uint32, size int) {
		e := at(directory)[128*i:]
		for k, c := range utf16.Encode([]rune(name)) {
			le.PutUint16(e[2*k:], c)
		}
		if name != "" {
			le.PutUint16(e[64:], uint16(2*len(name)+2)) // bytes, with the zero at the end
			e[66], e[67] = kind, 1                      // all are black, which the standard allows
		}
		le.PutUint32(e[68:], noStream)
		le.PutUint32(e[72:], right)
		le.PutUint32(e[76:], child)
		le.PutUint32(e[116:], start)
		le.PutUint64(e[120:], uint64(size))
	}
	entry(0, "Root Entry", 5, noStream, 1, sectorEnd, 0)
	start := directory + 1
	for i, p := range parts {
		right := uint32(noStream)
		if i+1 < len(parts) {
			right = uint32(i + 2)
		}
		entry(i+1, p.name, 2, right, noStream, uint32(start), len(p.data))
		copy(out[sector*(1+start):], p.data)
		n := sectors(len(p.data))
		for k := range n {
			next := uint32(start + k + 1)
			if k == n-1 {
				next = sectorEnd
			}
			le.PutUint32(fat[4*(start+k):], next)
		}
		start += n
	}
	entry(3, "", 0, noStream, noStream, 0, 0)
	return out
}
