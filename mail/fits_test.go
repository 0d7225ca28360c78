package mail

import "testing"

// A file that is something else than its name says is told.
func TestFits(t *testing.T) {
	t.Parallel()
	begins := map[string]string{"pdf": "%PDF-1.7 x", "docx": "PK\x03\x04x", "xlsx": "PK\x03\x04x", "odt": "PK\x03\x04x", "jpg": "\xff\xd8\xff\xe0x", "png": "\x89PNG\r\n\x1a\nx", "txt": "caf\xe9", "csv": "a,b\n"}
	for ext := range attachable {
		if !Fits(ext, []byte(begins[ext])) {
			t.Errorf("%s is refused", ext)
		}
		for name, other := range map[string]string{"a program": "MZ\x90\x00\x03\x00", "nothing": "", "a script": "#!/bin/sh\n"} {
			if (ext != "txt" && ext != "csv" || name != "a script") && Fits(ext, []byte(other)) {
				t.Errorf("%s is taken as %s", name, ext)
			}
		}
	}
}
