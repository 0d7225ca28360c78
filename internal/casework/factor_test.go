package casework

import (
	"strings"
	"testing"
	"time"
)

// The codes are those of RFC 6238, appendix B, of which six digits are used.
func TestCodes(t *testing.T) {
	t.Parallel()
	secret := []byte("12345678901234567890")
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		for off, want := range map[int64]bool{0: true, -30: true, 30: true, -60: false, 60: false} {
			step, ok, err := stepOf(secret, code, time.Unix(at+off, 0))
			if at+off >= 0 && (err != nil || ok != want || ok && step != at/30) {
				t.Errorf("%s at %d%+d: step %d, %t, %v", code, at, off, step, ok, err)
			}
		}
	}
	for _, code := range []string{"", "28708", "2870822", "287083", "-87082"} {
		if _, ok, _ := stepOf(secret, code, time.Unix(59, 0)); ok {
			t.Errorf("%q is taken", code)
		}
	}
}

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	codes, hashes := newRecoveryCodes()
	seen := map[string]bool{}
	for i, c := range codes {
		if len(c) != 29 || strings.ContainsAny(c, "ILOU") || seen[c] {
			t.Error(c)
		}
		seen[c] = true
		if string(tokenHash(plainCode(strings.ToLower(" "+strings.ReplaceAll(c, "0", "o"))))) != string(hashes[i]) {
			t.Errorf("%s as people type it is another", c)
		}
	}
}
