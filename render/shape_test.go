package render

import (
	"testing"

	"github.com/go-text/typesetting/font"
)

func shaped(t *testing.T, s string) (*canvas, []glyph) {
	t.Helper()
	fs, err := faces()
	if err != nil {
		t.Fatal(err)
	}
	c := &canvas{faces: fs}
	c.reset()
	return c, c.shape(regular, s)
}

// Letters inside a word have other shapes than letters alone. The dotted ones are looked at each by itself, because a typeface makes them
// in another way.
func TestArabicLettersAreJoined(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"محمد", "بيت", "نجف", "شغظ", "ٹپچ", "گھن", "فثق", "ضخة"} {
		c, g := shaped(t, word)
		if want := len([]rune(word)); len(g) != want {
			t.Fatalf("%s has %d glyphs, want %d", word, len(g), want)
		}
		face := font.NewFace(naskhs[regular]().font)
		for i, q := range g {
			cl := c.arabic.clusters[^q.r]
			alone, gAlone := shaped(t, cl.text)
			a := alone.arabic.clusters[^gAlone[0].r]
			nominal, _ := face.NominalGlyph([]rune(cl.text)[0])
			if own := cl.parts[len(cl.parts)-1].gid; own == a.parts[len(a.parts)-1].gid || own == uint16(nominal) {
				t.Errorf("%s: letter %d, %s, has the shape it has alone", word, i+1, cl.text)
			}
		}
	}
}

// The order on the page, from the left to the right, of texts in an English paragraph.
func TestOrderOnTheLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain (text) 12":         "plain (text) 12",
		"the boy با and":          "the boy اب and",
		"a با تد b":               "a دت اب b",
		"با 12 تد b":              "دت 12 اب b",
		"با 12, 13 b":             "13 ,12 اب b", // numbers behind a word belong to it
		"12 با":                   "12 اب",
		"با ١٢٣ b":                "١٢٣ اب b",
		"a با (تد) خ b":           "a خ (دت) اب b",
		"a (با) b":                "a (اب) b",
		"با (x) تد":               "اب (x) دت",
		"«با» b":                  "«اب» b",
		"با، «تد» خ":              "خ «دت» ،اب",
		"با.":                     "اب.",
		"با 5% تد":                "دت %5 اب",
		"با x\u200f, تد":          "اب xدت ,",
		"مُد x":                   "دُم x",
		"با ש b":                  "ש اب b",
		"tel. ٠٧٧-٠٠ b":           "tel. ٠٠-٠٧٧ b",
		"با ab-12 تد":             "اب ab-12 دت",
		"12 شارع b ":              "12 عراش b ",
		"با [تد (خ)] ب":           "ب [(خ) دت] اب",
		"\u200fبا\u200c\u200dدx":  "دابx",
		"(با (تد":                 "(دت) اب",
		"mail با@example.com now": "mail اب@example.com now",
	} {
		c, g := shaped(t, text)
		got := ""
		end := len(g)
		for end > 0 && g[end-1].r == ' ' {
			end--
		}
		for i := 0; i < len(g); {
			j := i
			for j < end && g[j].level > 0 {
				j++
			}
			if j == i {
				j++
			}
			for _, q := range visual(nil, g[i:j]) {
				switch {
				case q.kind == arabicGlyph:
					got += string(meaning(c.arabic.clusters[^q.r].text))
				case q.kind == simpleGlyph && q.code < 0x80 || q.code == 0xab || q.code == 0xbb:
					got += string(rune(q.code)) // what is drawn: brackets are turned round
				default:
					got += string(q.r)
				}
			}
			i = j
		}
		if got != want {
			t.Errorf("%q (%x)\n got %q\nwant %q", text, text, got, want)
		}
	}
}
