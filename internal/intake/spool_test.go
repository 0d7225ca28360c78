package intake

import (
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// The rows of a case are found whatever the hashes are, over the bounds of blocks as well, and in their order.
func TestIndex(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, kinds := range []uint64{1, 2, 7, 500, 1 << 40} {
		for _, n := range []int{0, 1, indexBlock - 1, indexBlock, indexBlock + 1, 5*indexBlock + 3} {
			want := map[uint64][]int64{}
			var entries []entry
			for i := range n {
				e := entry{rnd.Uint64N(kinds) * 3, int64(i * 7)}
				entries = append(entries, e)
				want[e.hash] = append(want[e.hash], e.at)
			}
			rnd.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
			x, err := newIndex(t.TempDir(), entries)
			if err != nil {
				t.Fatal(err)
			}
			defer x.close()
			for h := range want {
				if got, err := x.find(h); err != nil || !slices.Equal(got, want[h]) {
					t.Fatalf("%d kinds, %d entries: %d found of %d, %v", kinds, n, len(got), len(want[h]), err)
				}
				if got, err := x.find(h + 1); err != nil || len(got) > 0 {
					t.Fatalf("found what is not there: %v, %v", got, err)
				}
			}
		}
	}
}

// Rows come back from a spool as they went in, one after the other and by their place.
func TestSpool(t *testing.T) {
	t.Parallel()
	s, err := newSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var at []int64
	rows := []row{{number: 1}, {number: 2, hidden: true, cells: []cell{{col: 3, kind: cellText, text: "a"}, {col: 16_000, kind: cellDate, text: ""}}}, {number: 1_048_576, wide: true, cells: []cell{{kind: cellError, text: strings.Repeat("long ", 200_000)}}}}
	for i := range rows {
		n, err := s.add(&rows[i])
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, n)
	}
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	same := func(a, b row) bool {
		return a.number == b.number && a.hidden == b.hidden && a.wide == b.wide && slices.Equal(a.cells, b.cells)
	}
	c := s.from(0)
	for i := range rows {
		r, n, err := c.next()
		if err != nil || n != at[i] || !same(*r, rows[i]) {
			t.Errorf("row %d: %v", i, err)
		}
		if r, err := s.row(at[i]); err != nil || !same(*r, rows[i]) {
			t.Errorf("row %d by its place: %v", i, err)
		}
	}
	if _, _, err := c.next(); err != io.EOF {
		t.Error(err)
	}
}

// A part that is too large is refused, and so is one that unpacks to many times its size.
func TestBounded(t *testing.T) {
	t.Parallel()
	for _, b := range []*bounded{
		{r: io.NopCloser(strings.NewReader(strings.Repeat("x", 1000))), packed: 900, most: 999},
		{r: io.NopCloser(io.LimitReader(zeros{}, minRatioBytes+1)), packed: 1000, most: maxPartBytes},
	} {
		if _, err := io.Copy(io.Discard, b); !errors.Is(err, errBomb) {
			t.Errorf("%v", err)
		}
	}
	fine := &bounded{r: io.NopCloser(io.LimitReader(zeros{}, minRatioBytes)), packed: 1000, most: maxPartBytes}
	if _, err := io.Copy(io.Discard, fine); err != nil {
		t.Error(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
