package mail

import (
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"caseforms"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + "." + strings.Repeat("c", 60) + ".gov.uk"
	for in, want := range map[string]Address{
		"mash@council.gov.uk":                           "mash@council.gov.uk",
		" MASH@Council.GOV.uk\t":                        "MASH@council.gov.uk",
		"ma\u200bsh@council.gov.uk\u00a0":               "mash@council.gov.uk",
		"\ufeffmash@council.gov.uk":                     "mash@council.gov.uk",
		"o'brien.team+x@a-b.c1.nhs.net":                 "o'brien.team+x@a-b.c1.nhs.net",
		"a!#$%&'*+/=?^_`{|}~-b@x.police.uk":             "a!#$%&'*+/=?^_`{|}~-b@x.police.uk",
		"x@xn--cardydd-0ua.cymru":                       "x@xn--cardydd-0ua.cymru",
		"x@llyw.xn--p1ai":                               "x@llyw.xn--p1ai",
		"x@" + long:                                     Address("x@" + long),
		strings.Repeat("x", 64) + "@a.gov.uk":           Address(strings.Repeat("x", 64) + "@a.gov.uk"),
		"":                                              "",
		"mash":                                          "",
		"mash@":                                         "",
		"@council.gov.uk":                               "",
		"a@b@council.gov.uk":                            "",
		"mash@council":                                  "",
		"mash@localhost":                                "",
		"mash@council..gov.uk":                          "",
		"ma..sh@council.gov.uk":                         "",
		".mash@council.gov.uk":                          "",
		"mash.@council.gov.uk":                          "",
		"mash@.council.gov.uk":                          "",
		"mash@council.gov.uk.":                          "",
		"mash@-council.gov.uk":                          "",
		"mash@council-.gov.uk":                          "",
		"mash@coun_cil.gov.uk":                          "",
		"mash@council.u":                                "",
		"mash@council.123":                              "",
		"mash@[192.0.2.1]":                              "",
		"mash@192.0.2.1":                                "",
		`"ma sh"@council.gov.uk`:                        "",
		"MASH <mash@council.gov.uk>":                    "",
		"mash@council.gov.uk, b@c.gov.uk":               "",
		"mash@council.gov.uk;b@c.gov.uk":                "",
		"mash@council.gov.uk\r\nBcc: x@y.com":           "",
		"mash\r\n@council.gov.uk":                       "",
		"mash@council.gov.uk>":                          "",
		"<mash@council.gov.uk":                          "",
		"a@b>, <evil@x.com":                             "",
		"mash\x00@council.gov.uk":                       "",
		"mäsh@council.gov.uk":                           "",
		"mash@cöuncil.gov.uk":                           "",
		"ma sh@council.gov.uk":                          "",
		strings.Repeat("x", 65) + "@a.gov.uk":           "",
		"x@" + strings.Repeat("a", 64) + ".gov.uk":      "",
		"x@" + long + "." + long:                        "",
		"mash@council.gov.uk ORCPT=rfc822;x@y.com":      "",
		"mash@сouncil.gov.uk":                           "", // a Cyrillic letter
		"mash@" + strings.Repeat("a.", 140) + "gov.uk":  "",
		"mash(comment)@council.gov.uk":                  "",
		"mash@council.gov.uk\u202e":                     "",
		"mash@council.gov.\u0000uk":                     "",
		"mash@council.gov.uk\u00a0, second@example.com": "",
	} {
		got, err := ParseAddress(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, want %q (%v)", in, got, want, err)
		}
		if err == nil {
			continue
		}
		if e, ok := errors.AsType[*caseforms.Error](err); !ok || e.Kind != caseforms.Invalid || e.Hint == "" || len(in) > 4 && strings.Contains(e.Error(), in) {
			t.Errorf("%q: told %v", in, err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	f.Add("mash@council.gov.uk")
	f.Add("a@b>\r\nRCPT TO:<x@y.com>")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if b, err := ParseAddress(string(a)); err != nil || a != b {
			t.Errorf("%q is read as %q, and that as %q", s, a, b)
		}
		if strings.ContainsAny(string(a), "<>\r\n \",;:()[]\\\x00") || strings.Count(string(a), "@") != 1 {
			t.Errorf("%q cannot be written into a header", a)
		}
	})
}

func TestTokens(t *testing.T) {
	t.Parallel()
	seen := map[Token]bool{}
	const ours = Address("Safeguarding@probation.example")
	for range 1000 {
		tok, err := NewToken(rand.Reader)
		if err != nil || seen[tok] || len(tok) != 16 {
			t.Fatalf("%q, %v", tok, err)
		}
		seen[tok] = true
		a := ours.Tagged(tok)
		if _, err := ParseAddress(string(a)); err != nil {
			t.Fatal(err)
		}
		for _, back := range []string{string(a), strings.ToUpper(string(a)), strings.ToLower(string(a))} {
			if got, ok := Address(back).Tag(ours); !ok || got != tok {
				t.Errorf("%s: %q", back, got)
			}
		}
		if _, ok := a.Tag("safeguarding@probation.example.org"); ok {
			t.Error("another domain's token is taken")
		}
	}
	for _, a := range []Address{ours, "safeguarding+@probation.example", "safeguarding+short@probation.example", "else+aaaaaaaaaaaaaaaa@probation.example", "safeguarding+aaaaaaaaaaaaaaa1@probation.example", ""} {
		if tok, ok := a.Tag(ours); ok {
			t.Errorf("%s has the token %s", a, tok)
		}
	}
	if _, err := NewToken(iotest.ErrReader(io.ErrUnexpectedEOF)); err == nil {
		t.Error("a token without chance")
	}
}
