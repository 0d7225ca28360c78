package web

import (
	"strconv"
	"testing"

	"caseforms/internal/casework"
)

// What is counted has whole numbers at its axis, few of them, and the highest bar stays below the highest line.
func TestChartCountsWhole(t *testing.T) {
	t.Parallel()
	for _, most := range []int{0, 1, 2, 3, 4, 5, 7, 9, 10, 99, 1234} {
		c := charted([]casework.Group{{Name: "May 2026", Figures: casework.Figures{Made: most}}})
		last := -1
		for _, l := range c.Lines {
			n, err := strconv.Atoi(l.Text)
			if err != nil || n <= last {
				t.Errorf("%d: the axis has %q after %d", most, l.Text, last)
			}
			last = n
		}
		if len(c.Lines) < 2 || len(c.Lines) > 5 || last < most || c.Bars[0].Y < c.Lines[len(c.Lines)-1].Y {
			t.Errorf("%d: the axis is %v, and the bar begins at %d", most, c.Lines, c.Bars[0].Y)
		}
	}
}
