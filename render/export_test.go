package render

import "bytes"

// SealWorkbook is tested with more bytes than a workbook of a form ever has.
var SealWorkbook = sealWorkbook

// PasswordHash is tested with hashes that another program made.
var PasswordHash = passwordHash

// SealedFor is a file without pages whose owner's password is known, which it is of no file that is written. Its streams are the objects
// from 4.
func SealedFor(user, owner string, streams ...[]byte) []byte {
	f := finishers.Get().(*finisher)
	defer finishers.Put(f)
	f.reset()
	f.seal = newSeal(user, owner)
	f.out = append(f.out, "%PDF-1.7\n"...)
	catalog, pages, info := f.alloc(), f.alloc(), f.alloc()
	f.begin(catalog)
	f.str("<</Type/Catalog" + sealExtensions + "/Pages ").ref(pages).str(">>")
	f.end()
	f.put(pages, "<</Type/Pages/Kids[]/Count 0>>")
	f.put(info, "<</Title(x)>>")
	for _, b := range streams {
		f.stream(f.alloc(), "", b)
	}
	f.flushObjects()
	f.trailer(catalog, info, make([]byte, 16))
	return bytes.Clone(f.out)
}

// Colourless are options for a file that is archival but for its output intent.
func Colourless() Options { return Options{colourless: true} }

// SheetRows lowers what a sheet can have until the function it gives is called.
func SheetRows(n int) (restore func()) {
	old := mostSheetRows
	mostSheetRows = n
	return func() { mostSheetRows = old }
}
