package render_test

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/richardlehane/mscfb"
	"github.com/xuri/excelize/v2"

	"caseforms"
	"caseforms/render"
)

const secret = "Ŵyn-Żółć-cariad"

func sealed(t testing.TB, doc *caseforms.Document, f render.Format, password string) []byte {
	t.Helper()
	var b bytes.Buffer
	rep, err := render.Write(&b, doc, f, render.Options{Profile: render.ProfileSecure, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	if f == render.FormatPDF && rep.Sum != sha256.Sum256(b.Bytes()) {
		t.Error("the sum of the file is told wrongly")
	}
	return b.Bytes()
}

// unsealed is the document as it should come out again.
func unsealed(t testing.TB, doc *caseforms.Document, f render.Format) []byte {
	t.Helper()
	var b bytes.Buffer
	o := render.Options{}
	if f == render.FormatPDF {
		o.Profile = render.ProfileReply // as in a sealed file
	}
	if _, err := render.Write(&b, doc, f, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func filed(t testing.TB, name string, data []byte) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// refused tells when a program that should have said no opened a file.
func refused(t *testing.T, says, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), says) {
		t.Errorf("%s %s: %v, %.300s", name, strings.Join(args, " "), err, out)
	}
}

// Programs that are not ours open a sealed PDF with its password, find in it what the open one has, and refuse any other password.
func TestSealedPDFOpensWithItsPasswordOnly(t *testing.T) {
	t.Parallel()
	doc := document(t, load(t, ""), "cp1", samples(t)["01-simple"], caseforms.FillOptions{})
	all := answers(t, doc)
	open := extract(t, render.FormatPDF, unsealed(t, doc, render.FormatPDF))
	longest := strings.Repeat("ż", 63) + "!"
	for _, c := range []struct{ name, given, typed string }{
		{"letters of these islands and others", secret, secret},
		{"letters typed as two", "\ufeffW\u0302yn-Żółć.cariad", "Ŵyn-Żółć.cariad"},
		{"127 bytes", longest, longest},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := filed(t, "sealed.pdf", sealed(t, doc, render.FormatPDF, c.given))
			wrong := "?" + c.typed
			check := outside(t, "qpdf", "--password="+c.typed, "--check", file)
			for _, want := range []string{"PDF Version: 1.7 extension level 8", "R = 6", "Supplied password is user password",
				"extract for accessibility: allowed", "extract for any purpose: allowed", "print low resolution: allowed", "print high resolution: allowed",
				"modify forms: allowed", "modify document assembly: not allowed", "modify annotations: not allowed", "modify other: not allowed",
				"stream encryption method: AESv3", "string encryption method: AESv3", "No syntax or stream encoding errors"} {
				if !strings.Contains(check, want+"\n") && !strings.Contains(check, want+" ") {
					t.Errorf("qpdf does not say %q but\n%s", want, check)
				}
			}
			if strings.Contains(check, "is owner password") {
				t.Error("the recipient's password lifts the restrictions")
			}
			refused(t, "invalid password", "qpdf", "--check", file)
			refused(t, "invalid password", "qpdf", "--password="+wrong, "--check", file)

			plain := filepath.Join(t.TempDir(), "plain.pdf")
			outside(t, "qpdf", "--password="+c.typed, "--decrypt", file, plain)
			data, err := os.ReadFile(plain)
			if err != nil {
				t.Fatal(err)
			}
			if got := extract(t, render.FormatPDF, data); strings.Join(got, "\f") != strings.Join(open, "\f") {
				t.Error("decrypted, its text is not that of the open file")
			}

			if len(c.typed) <= 32 { // pdftotext takes no more of a password from its command line
				if text := outside(t, "pdftotext", "-raw", "-upw", c.typed, file, "-"); text != open[1] {
					t.Error("poppler reads another text")
				}
			}
			refused(t, "Incorrect password", "pdftotext", file, "-")
			refused(t, "Incorrect password", "pdftotext", "-upw", wrong, file, "-")

			t.Run("MuPDF", func(t *testing.T) {
				text := outside(t, "mutool", "draw", "-q", "-p", c.typed, "-F", "txt", file)
				for _, l := range found([]string{text}, short(all), false) {
					t.Error(l)
				}
				refused(t, "cannot authenticate password", "mutool", "draw", "-F", "txt", file)
				refused(t, "cannot authenticate password", "mutool", "draw", "-p", wrong, "-F", "txt", file)
			})
			t.Run("Ghostscript", func(t *testing.T) {
				args := []string{"-q", "-dNOPAUSE", "-dBATCH", "-sDEVICE=txtwrite", "-sOutputFile=-"}
				text := outside(t, "gs", append(args, "-sPDFPassword="+c.typed, file)...)
				if name := "Aisha Placeholder"; !strings.Contains(text, name) {
					t.Errorf("no %s in %.300s", name, text)
				}
				// With a wrong password the Ghostscript of Debian 12 crashes; without one it says so and goes on to its end.
				if text := outside(t, "gs", append(args, file)...); !strings.Contains(text, "requires a password") || len(text) > 1000 {
					t.Errorf("without a password: %.300s", text)
				}
			})
		})
	}
}

// The owner's password of a file is thrown away. Its entries are valid all the same: with a known one the file opens and may be changed.
func TestOwnersEntriesAreValid(t *testing.T) {
	t.Parallel()
	file := filed(t, "sealed.pdf", render.SealedFor(secret, "the owner's own"))
	out := outside(t, "qpdf", "--password=the owner's own", "--show-encryption", file)
	if !strings.Contains(out, "Supplied password is owner password") {
		t.Error(out)
	}
	// The key comes from OE: an object can be read.
	if out := outside(t, "qpdf", "--password=the owner's own", "--show-object=3", file); !strings.Contains(out, "/Title (x)") {
		t.Error(out)
	}
}

// The hash of the password is that of qpdf. These are U entries of files it wrote, chosen from many because an error by one round shows in
// them: in most hashes it does not.
func TestPasswordHash(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{
		"f3268a657ce304ef7a41108e706f64fe64e6cd24579d589f8eec49ee2796133d1fa82062d86762b8efb1dddf21dd30c3",
		"28442d252cf74e9304ffcfb781a637fdc8d17b2ddf61460976519b0f1feea3eeb9137908009b85eecde98ece0a245d8b",
	} {
		u, err := hex.DecodeString(entry)
		if err != nil {
			t.Fatal(err)
		}
		if h := render.PasswordHash([]byte("otter kettle April"), u[32:40], nil); !bytes.Equal(h[:], u[:32]) {
			t.Errorf("%x, want %x", h, u[:32])
		}
	}
}

// Streams of all lengths come out as they went in. Without the padding that a whole last block needs, a reader takes the end for it.
func TestSealedStreamsOfAllLengths(t *testing.T) {
	t.Parallel()
	var streams [][]byte
	for n := range 34 {
		streams = append(streams, bytes.Repeat([]byte{1}, n))
	}
	file := filed(t, "sealed.pdf", render.SealedFor(secret, "the owner's own", streams...))
	for n, want := range streams {
		out := outside(t, "qpdf", "--password="+secret, fmt.Sprintf("--show-object=%d", n+4), "--raw-stream-data", file)
		if out != string(want) {
			t.Errorf("%d bytes come out as %q", n, out)
		}
	}
}

// short are the answers that stand on one page for certain.
func short(all []printed) (out []printed) {
	for _, a := range all {
		if len(a.Text) < 80 {
			out = append(out, a)
		}
	}
	return out
}

type pdfStream struct{ dict, data string }

// pdfStreams are a file's streams as they stand in it, the cross-reference stream apart.
func pdfStreams(t *testing.T, file []byte) (streams []pdfStream, xref pdfStream) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?s)\d+ 0 obj\n<<([^\n]*)>>stream\n(.*?)\nendstream\nendobj\n`).FindAllSubmatch(file, -1) {
		s := pdfStream{string(m[1]), string(m[2])}
		if strings.Contains(s.dict, "/Type/XRef") {
			xref = s
		} else {
			streams = append(streams, s)
		}
	}
	if xref.dict == "" || len(streams) < 5 {
		t.Fatalf("%d streams, cross-reference stream %q", len(streams), xref.dict)
	}
	return streams, xref
}

// Nothing of the contents stands open in a sealed file, nothing follows from the contents, and no two files have a thing in common.
func TestSealedPDFShowsNothing(t *testing.T) {
	t.Parallel()
	doc := document(t, load(t, ""), "cp1", samples(t)["01-simple"], caseforms.FillOptions{})
	one, two := sealed(t, doc, render.FormatPDF, secret), sealed(t, doc, render.FormatPDF, secret)
	open := unsealed(t, doc, render.FormatPDF)
	a, xref := pdfStreams(t, one)
	b, other := pdfStreams(t, two)
	plain, _ := pdfStreams(t, open)
	if len(a) != len(b) || len(a) != len(plain)-1 { // the open file has a colour profile
		t.Fatalf("%d, %d and %d streams", len(a), len(b), len(plain))
	}
	vectors := map[string]int{}
	for i := range a {
		if a[i].data == b[i].data {
			t.Errorf("stream %s is the same in both files", a[i].dict)
		}
		for _, s := range []pdfStream{a[i], b[i]} {
			vectors[s.data[:aes.BlockSize]]++
			if d := strings.NewReplacer("<<", "", ">>", "").Replace(s.dict); strings.ContainsAny(d, "(<") {
				t.Errorf("a string in the dictionary of a stream is not sealed: %s", s.dict)
			}
			if len(s.data)%aes.BlockSize != 0 {
				t.Errorf("stream %s has %d bytes", s.dict, len(s.data))
			}
			if r, err := zlib.NewReader(strings.NewReader(s.data)); err == nil {
				if _, err := io.Copy(io.Discard, r); err == nil {
					t.Errorf("stream %s is open", s.dict)
				}
			}
		}
	}
	for _, p := range plain {
		if n := min(48, len(p.data)); bytes.Contains(one, []byte(p.data[:n])) {
			t.Errorf("stream %s stands in the sealed file as it is", p.dict)
		}
	}
	for v, n := range vectors {
		if n > 1 {
			t.Errorf("the vector %x was used %d times", v, n)
		}
	}
	texts := []string{doc.Title}
	for _, a := range answers(t, doc) {
		if len(a.Text) > 5 {
			texts = append(texts, a.Text)
		}
	}
	for _, text := range texts {
		if bytes.Contains(one, []byte(text)) {
			t.Errorf("%q stands open in the file", text)
		}
	}
	if bytes.Contains(one, []byte(secret)) {
		t.Error("the password stands in the file")
	}
	// An identifier made from the contents would prove a guess at them.
	id := regexp.MustCompile(`/ID\[<(\w{32})><(\w{32})>\]`)
	x, y, z := id.FindStringSubmatch(xref.dict), id.FindStringSubmatch(other.dict), id.FindSubmatch(open)
	if x == nil || y == nil || z == nil || x[1] == y[1] || x[1] == string(z[1]) {
		t.Errorf("identifiers %v, %v; of the open file %s", x, y, z)
	}
	entries := regexp.MustCompile(`/(U|UE|O|OE|Perms)<(\w+)>`)
	m, n := entries.FindAllSubmatch(one, -1), entries.FindAllSubmatch(two, -1)
	if len(m) != 5 || len(n) != 5 {
		t.Fatalf("entries of the encryption dictionary: %s", m)
	}
	for i := range m {
		if bytes.Equal(m[i][2], n[i][2]) {
			t.Errorf("%s is the same in both files", m[i][1])
		}
	}
	key := func(file []byte) string {
		out := outside(t, "qpdf", "--password="+secret, "--show-encryption", "--show-encryption-key", filed(t, "x.pdf", file))
		m := regexp.MustCompile(`Encryption key = ([0-9a-f]{64})\n`).FindStringSubmatch(out)
		if m == nil {
			t.Fatal(out)
		}
		return m[1]
	}
	if key(one) == key(two) {
		t.Error("both files have the same key")
	}
}

// LibreOffice and excelize open a sealed workbook with its password, and find in it what the open one has.
func TestSealedWorkbookOpensWithItsPasswordOnly(t *testing.T) {
	t.Parallel()
	doc := document(t, load(t, ""), "cp1", samples(t)["01-simple"], caseforms.FillOptions{})
	data, open := sealed(t, doc, render.FormatWorkbook, secret), unsealed(t, doc, render.FormatWorkbook)
	plain, err := excelize.Decrypt(data, &excelize.Options{Password: secret})
	if err != nil {
		t.Fatal(err)
	}
	if cells(t, plain) != cells(t, open) {
		t.Error("decrypted by excelize, its cells are not those of the open workbook")
	}
	for _, password := range []string{"", secret + "?"} {
		if x, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{Password: password}); err == nil {
			x.Close()
			t.Errorf("excelize opens it with %q", password)
		}
	}

	dir := t.TempDir()
	changed := bytes.Clone(data)
	changed[len(changed)-3*512] ^= 1 // in the middle of the encrypted package
	large := render.SealWorkbook(enlarged(t, open), secret)
	for name, b := range map[string][]byte{"open": open, "sealed": data, "changed": changed, "large": large} {
		if err := os.WriteFile(filepath.Join(dir, name+".xlsx"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	profile := "-env:UserInstallation=file://" + dir + "/profile"
	outside(t, "soffice", profile, "--headless", "--convert-to", "csv", "--outdir", dir, filepath.Join(dir, "open.xlsx"))
	// A file's password can only be given by a program: a macro in the profile that the first call has made.
	macro := fmt.Sprintf(openMacro, secret, secret, secret, secret, "file://"+dir)
	for name, text := range map[string]string{"script.xlb": openLibrary, "Open.xba": macro} {
		if err := os.WriteFile(filepath.Join(dir, "profile/user/basic/Standard", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	outside(t, "soffice", profile, "--headless", "macro:///Standard.Open.Main")
	want, err := os.ReadFile(filepath.Join(dir, "open.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(want, []byte("Aisha Placeholder")) {
		t.Errorf("LibreOffice reads %.300s", want)
	}
	for _, name := range []string{"right", "big"} {
		if got, err := os.ReadFile(filepath.Join(dir, name+".csv")); err != nil || !bytes.Equal(got, want) {
			t.Errorf("LibreOffice reads it otherwise: %s, %v, %.300s", name, err, got)
		}
	}
	for _, name := range []string{"wrong", "none", "changed"} {
		if _, err := os.Stat(filepath.Join(dir, name+".csv")); err == nil {
			t.Errorf("LibreOffice opens it: %s", name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "done.csv")); err != nil {
		t.Error("the macro did not come to its end")
	}
}

// enlarged is a workbook with eight megabytes that cannot be compressed and that nothing in it speaks of.
func enlarged(t *testing.T, workbook []byte) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(workbook), int64(len(workbook)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range r.File {
		if err := w.Copy(f); err != nil {
			t.Fatal(err)
		}
	}
	extra, err := w.Create("xl/extra.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(extra, rand.Reader, 8<<20); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const openLibrary = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE library:library PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "library.dtd">
<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard" library:readonly="false" library:passwordprotected="false">
 <library:element library:name="Open"/>
</library:library>`

const openMacro = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Open" script:language="StarBasic">
Sub Main
  Convert "sealed", "%s?", "wrong"
  Convert "sealed", "", "none"
  Convert "changed", "%s", "changed"
  Convert "sealed", "%s", "right"
  Convert "large", "%s", "big"
  Convert "open", "", "done"
  StarDesktop.terminate
End Sub
Sub Convert(file, password, result)
  On Error GoTo Refused
  Dim how(1) As New com.sun.star.beans.PropertyValue
  how(0).Name = "Hidden"
  how(0).Value = True
  how(1).Name = "Password"
  how(1).Value = password
  Const folder = "%s/"
  doc = StarDesktop.loadComponentFromURL(folder &amp; file &amp; ".xlsx", "_blank", 0, how)
  Dim into(0) As New com.sun.star.beans.PropertyValue
  into(0).Name = "FilterName"
  into(0).Value = "Text - txt - csv (StarCalc)"
  doc.storeToURL(folder &amp; result &amp; ".csv", into)
  doc.close(True)
Refused:
End Sub
</script:module>`

// agileInfo is what the test reads of [MS-OFFCRYPTO] 2.3.4.10.
type agileInfo struct {
	KeyData struct {
		Salt string `xml:"saltValue,attr"`
	} `xml:"keyData"`
	Integrity struct {
		Key   string `xml:"encryptedHmacKey,attr"`
		Value string `xml:"encryptedHmacValue,attr"`
	} `xml:"dataIntegrity"`
	Encrypted struct {
		Spin   uint32 `xml:"spinCount,attr"`
		Salt   string `xml:"saltValue,attr"`
		Key    string `xml:"encryptedKeyValue,attr"`
		Cipher string `xml:"cipherAlgorithm,attr"`
		Bits   int    `xml:"keyBits,attr"`
		Hash   string `xml:"hashAlgorithm,attr"`
	} `xml:"keyEncryptors>keyEncryptor>encryptedKey"`
}

func parts(t *testing.T, file []byte) (info, pkg []byte) {
	t.Helper()
	doc, err := mscfb.New(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for e, err := doc.Next(); err == nil; e, err = doc.Next() {
		b, err := io.ReadAll(e)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) < 4096 {
			t.Errorf("the stream %s has %d bytes and would have to stand elsewhere", e.Name, len(b))
		}
		switch e.Name {
		case "EncryptionInfo":
			info = b
		case "EncryptedPackage":
			pkg = b
		}
	}
	if info == nil || pkg == nil {
		t.Fatal("not the two streams")
	}
	return info, pkg
}

// integrity are the HMAC that the file states and the one that its package has ([MS-OFFCRYPTO] 2.3.4.14).
func integrity(t *testing.T, info, pkg []byte, password string) (stated, real []byte, read agileInfo) {
	t.Helper()
	if err := xml.Unmarshal(info[8:], &read); err != nil {
		t.Fatal(err)
	}
	raw := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sum := func(pieces ...[]byte) []byte { h := sha512.Sum512(bytes.Join(pieces, nil)); return h[:] }
	decrypt := func(key, vector, data []byte) []byte {
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]byte, len(data))
		cipher.NewCBCDecrypter(block, vector[:16]).CryptBlocks(out, data)
		return out
	}
	var typed []byte
	for _, u := range utf16.Encode([]rune(password)) {
		typed = append(typed, byte(u), byte(u>>8))
	}
	salt := raw(read.Encrypted.Salt)
	h := sum(salt, typed)
	for i := range read.Encrypted.Spin {
		h = sum(binary.LittleEndian.AppendUint32(nil, i), h)
	}
	key := decrypt(sum(h, []byte{0x14, 0x6e, 0x0b, 0xe7, 0xab, 0xac, 0xd0, 0xd6})[:32], salt, raw(read.Encrypted.Key))
	keySalt := raw(read.KeyData.Salt)
	mac := hmac.New(sha512.New, decrypt(key, sum(keySalt, []byte{0x5f, 0xb2, 0xad, 0x01, 0x0c, 0xb9, 0xe1, 0xf6}), raw(read.Integrity.Key)))
	mac.Write(pkg)
	return decrypt(key, sum(keySalt, []byte{0xa0, 0x67, 0x7f, 0x02, 0xb2, 0x2c, 0x84, 0x33}), raw(read.Integrity.Value)), mac.Sum(nil), read
}

// The HMAC covers the whole package, so that a changed byte is found out. Nothing is shared by two files.
func TestSealedWorkbookShowsChanges(t *testing.T) {
	t.Parallel()
	doc := document(t, load(t, ""), "check", samples(t)["01-simple"], caseforms.FillOptions{})
	info, pkg := parts(t, sealed(t, doc, render.FormatWorkbook, secret))
	stated, real, a := integrity(t, info, pkg, secret)
	if !bytes.Equal(stated, real) {
		t.Error("the HMAC is not that of the package")
	}
	if e := a.Encrypted; e.Spin != 100_000 || e.Cipher != "AES" || e.Bits != 256 || e.Hash != "SHA512" {
		t.Errorf("encrypted with %+v", e)
	}
	for _, at := range []int{0, 8, len(pkg) / 2, len(pkg) - 1} {
		changed := bytes.Clone(pkg)
		changed[at] ^= 1
		if stated, real, _ := integrity(t, info, changed, secret); bytes.Equal(stated, real) {
			t.Errorf("a change of byte %d goes unnoticed", at)
		}
	}
	info, other := parts(t, sealed(t, doc, render.FormatWorkbook, secret))
	_, _, b := integrity(t, info, other, secret)
	if a.KeyData.Salt == b.KeyData.Salt || a.Encrypted.Salt == b.Encrypted.Salt || a.Encrypted.Key == b.Encrypted.Key || a.Integrity == b.Integrity || bytes.Equal(pkg[8:24], other[8:24]) {
		t.Error("two files have salts or keys in common")
	}
}

// A compound file names 109 sectors of its allocation table in the header, enough for 7 MB; others are named in sectors of their own.
func TestSealedWorkbooksOfAnySize(t *testing.T) {
	t.Parallel()
	random := make([]byte, 17<<20)
	rand.Read(random)
	// Readers do not look how the table marks the sectors that name its own; [MS-CFB] 2.5 says.
	file := render.SealWorkbook(random, secret)
	le := binary.LittleEndian
	first, n := le.Uint32(file[68:]), le.Uint32(file[72:])
	if n != 2 {
		t.Errorf("%d sectors name those of the table", n)
	}
	for s := first; s < first+n; s++ {
		in := le.Uint32(file[76+4*(s/128):])
		if mark := le.Uint32(file[512*(1+in)+4*(s%128):]); mark != 0xfffffffc {
			t.Errorf("sector %d is marked %x", s, mark)
		}
	}
	for _, size := range []int{1, 4096, 4097, 7_050_000, 7_110_000, 9_000_001, len(random)} {
		got, err := excelize.Decrypt(render.SealWorkbook(random[:size], secret), &excelize.Options{Password: secret})
		if err != nil || len(got) < size || !bytes.Equal(got[:size], random[:size]) {
			t.Errorf("%d bytes come back as %d, %v", size, len(got), err)
		}
	}
}

// What cannot be done is refused with a reason, and no reason holds the password.
func TestSealedOrRefused(t *testing.T) {
	t.Parallel()
	doc := document(t, load(t, ""), "check", nil, caseforms.FillOptions{Blank: true})
	secure := func(password string) render.Options {
		return render.Options{Profile: render.ProfileSecure, Password: password}
	}
	for _, c := range []struct {
		format render.Format
		o      render.Options
		want   string // "" when it is written
	}{
		{render.FormatPDF, secure("Ŵyn-Żół"), "too short"},
		{render.FormatPDF, secure("Ŵyn-Żółć"), ""},
		{render.FormatWorkbook, secure("a-b-c-d\u00ad\u200d"), "cannot be seen"},
		{render.FormatPDF, secure(strings.Repeat("ż", 64)), "too long"},
		{render.FormatWorkbook, secure(strings.Repeat("ż", 64)), "too long"},
		{render.FormatPDF, secure("tab\tulator"), "control character"},
		{render.FormatPDF, secure("not-\xff\xfe-UTF-8"), "not UTF-8"},
		{render.FormatWorkbook, secure("area-12-m²"), "read differently"},
		{render.FormatPDF, secure("private-\ue000-use"), "cannot be typed everywhere"},
		{render.FormatPDF, secure("otter kettle April"), "has a space"},
		{render.FormatPDF, secure("otter\u00a0kettle\u00a0April"), "has a space"},
		{render.FormatPDF, secure("zero\u200bwidth"), "cannot be typed everywhere"},
		{render.FormatPDF, secure("مرحبا-و-سهلا"), ""},
		{render.FormatPDF, secure("mixed-مرحبا"), "right to left"},
		{render.FormatPDF, secure("مرحبا-سهلا-1"), "right to left"},
		{render.FormatPDF, secure(""), "needs a password"},
		{render.FormatWorkbook, secure(""), "needs a password"},
		{render.FormatHTML, secure(secret), "cannot be sealed"},
		{render.FormatText, secure(secret), "cannot be sealed"},
		{render.FormatJSON, secure(secret), "cannot be sealed"},
		{render.FormatPDF, render.Options{Password: secret}, "secure only"},
		{render.FormatJSON, render.Options{Password: secret}, "secure only"},
		{render.FormatPDF, render.Options{Profile: render.ProfileReply, Password: secret}, "secure only"},
		{render.FormatWorkbook, render.Options{Profile: render.ProfileReply}, "only a PDF"},
		{render.FormatPDF, render.Options{Profile: "open"}, "no profile"},
	} {
		var b bytes.Buffer
		_, err := render.Write(&b, doc, c.format, c.o)
		var e *caseforms.Error
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s, %q: %v", c.format, c.o.Password, err)
		case c.want == "":
		case !errors.As(err, &e) || e.Kind != caseforms.Invalid || e.Hint == "" || !strings.Contains(e.Msg, c.want) || b.Len() > 0:
			t.Errorf("%s, %q: %v with %d bytes, want %q", c.format, c.o.Password, err, b.Len(), c.want)
		case c.o.Password != "" && strings.Contains(e.Error()+e.Hint, c.o.Password):
			t.Errorf("the password is in %q", e.Error()+e.Hint)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(verb, secure(secret)); strings.Contains(s, secret) {
			t.Errorf("the password is in %s", s)
		}
	}
	if b, err := json.Marshal(secure(secret)); err != nil || bytes.Contains(b, []byte(secret)) {
		t.Errorf("the password is in %s, %v", b, err)
	}
	// The writers do not rely on being called by Write.
	if _, err := render.PDF(io.Discard, doc, render.Options{Profile: render.ProfileSecure}); err == nil {
		t.Error("a PDF is written unsealed")
	}
	if err := render.Workbook(io.Discard, doc, render.Options{Profile: render.ProfileSecure}); err == nil {
		t.Error("a workbook is written unsealed")
	}
}

// BenchmarkSeal is what a seal costs beside an open file. Most of it is the hash of the password, which is slow on purpose and, as all
// salts are random, anew for every file.
func BenchmarkSeal(b *testing.B) {
	doc := document(b, load(b, ""), "cp1", samples(b)["01-simple"], caseforms.FillOptions{})
	for _, f := range []render.Format{render.FormatPDF, render.FormatWorkbook} {
		for _, o := range []render.Options{{Profile: render.ProfileArchive}, {Profile: render.ProfileSecure, Password: secret}} {
			b.Run(string(f)+"/"+string(o.Profile), func(b *testing.B) {
				for b.Loop() {
					if _, err := render.Write(io.Discard, doc, f, o); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
