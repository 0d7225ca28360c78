package templates

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"caseforms"
)

func bundle(t testing.TB, d *caseforms.Definitions, form string) []byte {
	t.Helper()
	b, err := Bundle(d, form)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What was issued from a form is the same when it is filled from the bundle of that form.
func TestBundledFormsAreTheSame(t *testing.T) {
	t.Parallel()
	samples := map[string][]byte{}
	for _, name := range []string{"01-simple.json", "02-full.json", "08-conference-confidential.json"} {
		var err error
		if samples[name], err = os.ReadFile("../samples/cases/" + name); err != nil {
			t.Fatal(err)
		}
	}
	for _, area := range append(Areas(), "") {
		d, err := Load(area)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Load(area)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range d.Forms {
			data := bundle(t, d, f.ID)
			if !bytes.Equal(data, bundle(t, again, f.ID)) {
				t.Errorf("%s %s: two bundles differ", area, f.ID)
			}
			old, err := Unbundle(data)
			if err != nil {
				t.Errorf("%s %s: %v", area, f.ID, err)
				continue
			}
			g, err := old.Form(f.ID)
			if err != nil || g.Hash != f.Hash || old.Area != area || g.Version != f.Version {
				t.Errorf("%s %s: loaded again as %s %s of %q (%v)", area, f.ID, g.Version, g.Hash, old.Area, err)
				continue
			}
			if !bytes.Equal(data, bundle(t, old, f.ID)) {
				t.Errorf("%s %s: the bundle of what was bundled differs", area, f.ID)
			}
			filled := 0
			for name, c := range samples {
				for _, cp := range f.Copies {
					var docs [2]*caseforms.Document
					for i, x := range []struct {
						d *caseforms.Definitions
						f *caseforms.Form
					}{{d, f}, {old, g}} {
						// The case is read by the definitions of today; those of the bundle know this form's own questions only.
						c, ps := d.Decode(c, f)
						if c == nil {
							t.Fatal(ps)
						}
						doc, err := x.d.Fill(x.f, c, caseforms.FillOptions{Today: caseforms.Date{Year: 2026, Month: 11, Day: 20}, Copy: cp, Draft: true})
						if err == nil {
							doc.Words = nil
							docs[i] = doc
						}
					}
					if docs[0] != nil {
						filled++
					}
					if !reflect.DeepEqual(docs[0], docs[1]) {
						t.Errorf("%s %s %s of %s differs", area, f.ID, cp, name)
					}
				}
			}
			if filled == 0 {
				t.Errorf("%s %s: nothing was filled", area, f.ID)
			}
		}
	}
	d, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Bundle(d, "nothing"); err == nil {
		t.Error("a form that is not there is bundled")
	}
	if _, err := Bundle(&caseforms.Definitions{Forms: []*caseforms.Form{{ID: "x"}}}, "x"); err == nil {
		t.Error("a form without files is bundled")
	}
}

// A bundle keeps its area, though the area has nothing of its own for the form.
func TestBundleOfAnAreaWithoutFiles(t *testing.T) {
	t.Parallel()
	all, ok := files(t, "words.yaml", "", "").(fstest.MapFS)
	if !ok {
		t.Fatal("not a file system in memory")
	}
	all["areas/farville/about.txt"] = &fstest.MapFile{Data: []byte("nothing of its own")}
	d, err := LoadFS(all, "farville")
	if err != nil {
		t.Fatal(err)
	}
	old, err := Unbundle(bundle(t, d, "cp1"))
	if err != nil || old.Area != "farville" {
		t.Errorf("%v", err)
	}
}

// A bundle can be read by a person, and holds the files as they are.
func TestBundleIsReadable(t *testing.T) {
	t.Parallel()
	d, err := Load("london")
	if err != nil {
		t.Fatal(err)
	}
	text := string(bundle(t, d, "check"))
	for _, name := range []string{"forms/check/2026-11.yaml", "areas/london/forms/check/2014-11-london.yaml", "areas/london/settings.yaml", "words.yaml", "facts.yaml"} {
		b, err := builtin.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, fmt.Sprintf("\nfile %d %s\n%s\n", len(b), name, b)) {
			t.Errorf("%s is not in it", name)
		}
	}
	if !strings.HasPrefix(text, "caseforms bundle 1\narea london\nform check\nhash ") || strings.Contains(text, "forms/cp1/") {
		t.Errorf("begins %q, or has a form it does not need", text[:60])
	}
}

// sum makes the check sum of a changed bundle agree again.
func sum(body string) []byte {
	return fmt.Appendf(nil, "%send %x\n", body, sha256.Sum256([]byte(body)))
}

func TestDamagedBundlesAreRefused(t *testing.T) {
	t.Parallel()
	d, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	sound := bundle(t, d, "pp2-summary")
	refused := func(what string, data []byte) {
		t.Helper()
		d, err := Unbundle(data)
		var e *caseforms.Error
		if d != nil || !errors.As(err, &e) || e.Kind != caseforms.Invalid || e.Msg == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	flip := func(i int) {
		b := bytes.Clone(sound)
		b[i] ^= 1 << (i % 8)
		refused(fmt.Sprintf("byte %d flipped", i), b)
	}
	for i := range min(400, len(sound)) {
		flip(i)
		flip(len(sound) - 1 - i)
	}
	for i := 0; i < len(sound); i += 997 {
		flip(i)
		refused(fmt.Sprintf("the first %d bytes", i), sound[:i])
	}
	refused("nothing", nil)
	refused("more at the end", append(bytes.Clone(sound), '\n'))
	refused("too large", make([]byte, MaxBundle+1))
	body := string(sound[:len(sound)-bundleTail])
	for name, c := range map[string]struct{ old, with string }{
		"another version":      {"bundle 1", "bundle 2"},
		"another form":         {"form pp2-summary", "form pp2"},
		"a form not there":     {"form pp2-summary", "form cp1"},
		"another hash":         {"hash ", "hash 0"},
		"no hash":              {"hash ", "hush "},
		"an area that is none": {"area ", "area .."},
		"an area of a path":    {"area ", "area a/b"},
		"another area":         {"area \n", "area london\n#"},
		"a negative size":      {"file ", "file -"},
		"a huge size":          {"file ", "file 99999999999999999999"},
		"a large size":         {"file ", "file 9"},
		"a size of two forms":  {"file ", "file 0"},
		"no size":              {"file ", "file x"},
		"a file outside":       {" facts.yaml\n", " ../facts.yaml\n"},
		"a changed file":       {"Date of birth", "Date of death"},
		"a file that is bad":   {"facts:\n", "facts;\n"},
		"a further file":       {"file ", "file 1 aaa\nx\nfile "},
		"a file twice":         {"file ", "file 1 words.yaml\nx\nfile "},
	} {
		if !strings.Contains(body, c.old) {
			t.Fatalf("the bundle has no %q", c.old)
		}
		refused(name, sum(strings.Replace(body, c.old, c.with, 1)))
	}
	i := strings.LastIndex(body, "\nfile ")
	refused("no break behind a file", sum(body[:i]+"#"+body[i+1:]))
	if _, err := Unbundle(sum(body)); err != nil {
		t.Errorf("a sound one is refused: %v", err)
	}
}

// Whatever is read as a bundle: no panic, and what is accepted is what was bundled.
func FuzzUnbundle(f *testing.F) {
	d, err := Load("")
	if err != nil {
		f.Fatal(err)
	}
	sound := string(bundle(f, d, "pp2-summary"))
	sound = sound[:len(sound)-bundleTail]
	f.Add(sound)
	f.Add("")
	f.Add(bundleHead + "\narea \nform x\nhash 0\nfile 3 words.yaml\na: \n")
	f.Fuzz(func(t *testing.T, body string) {
		for _, data := range [][]byte{[]byte(body), sum(body)} {
			d, err := Unbundle(data)
			if err != nil {
				continue
			}
			_, rest, _ := strings.Cut(body, "\nform ")
			id, _, _ := strings.Cut(rest, "\n")
			if again, err := Bundle(d, id); err != nil || !bytes.Equal(again, data) {
				t.Errorf("%s is bundled in another way (%v)", id, err)
			}
		}
	})
}
