package web

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// asvs are the requirements of levels 1 and 2 of OWASP ASVS 5.0.0: how many each section has from its first number on. Those of level 3 come last in a section.
var asvs = map[string]int{
	"1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2,
	"2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1,
	"3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2,
	"4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4,
	"5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3,
	"6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
	"7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2,
	"8.1": 2, "8.2": 3, "8.3": 1, "8.4": 1,
	"9.1": 3, "9.2": 4,
	"10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3,
	"11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1,
	"12.1": 3, "12.2": 2, "12.3": 4,
	"13.1": 1, "13.2": 5, "13.3": 2, "13.4": 5,
	"14.1": 2, "14.2": 4, "14.3": 3,
	"15.1": 3, "15.2": 3, "15.3": 7,
	"16.1": 1, "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3,
	"17.1": 1, "17.2": 4, "17.3": 2,
}

var (
	asvsRow  = regexp.MustCompile(`(?m)^\| V([0-9.]+) \| ([^|]+) \| ([^|]+) \|$`)
	testName = regexp.MustCompile("`((?:Test|Fuzz)\\w+)`(?: \\(([\\w./-]+)\\))?")
	fileName = regexp.MustCompile("`((?:cmd|docs|internal|mail|render|templates|\\.ci)/[\\w./-]+)`")
)

// docs/asvs.md has every requirement once, and what it names is there.
func TestASVS(t *testing.T) {
	t.Parallel()
	root := "../.."
	b, err := os.ReadFile(filepath.Join(root, "docs/asvs.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for section, n := range asvs {
		for i := range n {
			want[fmt.Sprintf("%s.%d", section, i+1)] = true
		}
	}
	if len(want) != 253 {
		t.Errorf("the list has %d numbers", len(want))
	}
	read := map[string]string{}
	for _, row := range asvsRow.FindAllStringSubmatch(string(b), -1) {
		number, here := row[1], row[3]
		if !want[number] {
			t.Errorf("V%s is in no list, or stands twice", number)
		}
		delete(want, number)
		tests := testName.FindAllStringSubmatch(here, -1)
		files := fileName.FindAllStringSubmatch(here, -1)
		answered := strings.HasPrefix(here, "Does not apply") || strings.HasPrefix(here, "**NOT MET") || strings.HasPrefix(here, "Documented: ") || len(tests) > 0 || strings.HasPrefix(here, "Code: ") && len(files) > 0
		if !answered {
			t.Errorf("V%s names no test, no place and no reason: %s", number, here)
		}
		for _, x := range files {
			if _, err := os.Stat(filepath.Join(root, x[1])); err != nil {
				t.Errorf("V%s: there is no %s", number, x[1])
			}
		}
		for _, x := range tests {
			if !strings.HasSuffix(x[2], "_test.go") {
				t.Errorf("V%s does not say where %s is", number, x[1])
				continue
			}
			if read[x[2]] == "" {
				b, err := os.ReadFile(filepath.Join(root, x[2]))
				if err != nil {
					t.Errorf("V%s: there is no %s", number, x[2])
				}
				read[x[2]] = string(b) + " "
			}
			if !strings.Contains(read[x[2]], "\nfunc "+x[1]+"(") {
				t.Errorf("V%s: there is no %s in %s", number, x[1], x[2])
			}
		}
	}
	for number := range want {
		t.Errorf("V%s is missing", number)
	}
}

// Every library that the program is built of directly has its line in docs/dependencies.md.
func TestLibrariesAreListed(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	listed, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(mod)) {
		f := strings.Fields(line)
		if len(f) != 2 || !strings.HasPrefix(line, "\t") {
			continue
		}
		if n++; !regexp.MustCompile(regexp.QuoteMeta(f[0]) + `\b`).Match(listed) {
			t.Errorf("%s has no line", f[0])
		}
	}
	if n < 20 {
		t.Errorf("%d libraries were found", n)
	}
}
