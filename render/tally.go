package render

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"caseforms"
)

// mostGroups is how many different answers a total tells apart. Those that come up later are counted together, so that a question
// that everybody answers otherwise does not fill the memory.
const mostGroups = 1000

// mostBars is how many bars of a chart can be read.
const mostBars = 24

// tally counts cases as they come.
type tally struct {
	total   caseforms.CaseTotal
	of, by  *caseforms.ListColumn // by may be nil
	words   func(string) string
	states  *[notAsked + 1]string
	groups  []*tallyGroup
	options []*tallyGroup // of the question's options, in their order
	stated  [notAsked + 1]*tallyGroup
	exact   map[string]*spelling   // by what is printed
	folded  map[string]*tallyGroup // the same whatever its case and spacing
	others  *tallyGroup
	all     tallyGroup
	months  bool
}

// tallyGroup is a line of a total.
type tallyGroup struct {
	label string
	order string // of months
	rank  int    // options by their order, other answers, all others, states
	n     int
	by    []int // of each option of by, then of each state
}

// spelling is an answer in words as it was written; the group goes by the one that most have.
type spelling struct {
	group *tallyGroup
	n     int
}

const (
	rankAnswers = 1 << 10
	rankOthers  = 1 << 11
	rankStates  = 1 << 12
)

func newTally(l *caseforms.CaseRegister, t caseforms.CaseTotal, states *[notAsked + 1]string) *tally {
	y := &tally{total: t, of: &l.Columns[t.Of], words: l.Words, states: states, exact: map[string]*spelling{}, folded: map[string]*tallyGroup{}}
	if t.By >= 0 {
		y.by = &l.Columns[t.By]
	}
	y.all = tallyGroup{label: l.Words("register_all"), by: y.counts()}
	for i, o := range y.of.Options {
		y.options = append(y.options, y.group(optionLabel(y.of, o), i))
	}
	switch y.of.Kind {
	case caseforms.KindDate, caseforms.KindDateTime, caseforms.KindPartialDate:
		y.months = true
	}
	return y
}

func (y *tally) counts() []int {
	if y.by == nil {
		return nil
	}
	return make([]int, len(y.by.Options)+len(y.states))
}

func (y *tally) group(label string, rank int) *tallyGroup {
	g := &tallyGroup{label: label, rank: rank, by: y.counts()}
	y.groups = append(y.groups, g)
	return g
}

// stateOf is the state in which a question is counted: as an option when "not known" is one of its own.
func stateOf(c *caseforms.ListColumn, a *caseforms.Answer) (option int, state caseforms.State) {
	switch {
	case a == nil:
		return -1, notAsked
	case a.State == caseforms.Answered:
		return slices.IndexFunc(c.Options, func(o caseforms.Box) bool { return o.Value == a.Value }), a.State
	case a.State == caseforms.NotKnown:
		return slices.IndexFunc(c.Options, func(o caseforms.Box) bool { return o.Value == "not_known" }), a.State
	}
	return -1, a.State
}

// add counts a case by its answers.
func (y *tally) add(found []*caseforms.Answer) {
	g := y.find(found[y.total.Of])
	g.n++
	y.all.n++
	if y.by == nil {
		return
	}
	i, state := stateOf(y.by, found[y.total.By])
	if i < 0 {
		i = len(y.by.Options) + int(state)
	}
	g.by[i]++
	y.all.by[i]++
}

// find is the group of an answer.
func (y *tally) find(a *caseforms.Answer) *tallyGroup {
	i, state := stateOf(y.of, a)
	switch {
	case i >= 0:
		return y.options[i]
	case state != caseforms.Answered:
		if y.stated[state] == nil {
			y.stated[state] = y.group(y.states[state], rankStates+int(state))
		}
		return y.stated[state]
	}
	key := a.Text
	if y.months && len(a.Value) >= len("2026-11") && a.Value[4] == '-' {
		key = a.Value[:7]
	}
	if e := y.exact[key]; e != nil {
		e.n++
		return e.group
	}
	fold := strings.ToLower(oneLine(key))
	g := y.folded[fold]
	switch {
	case g != nil:
	case len(y.folded) < mostGroups:
		g = y.group(oneLine(key), rankAnswers)
		if y.months && len(key) == 7 && key[4] == '-' {
			y.month(g, key)
		}
		y.folded[fold] = g
	case y.others == nil:
		y.others = y.group(y.words("register_others"), rankOthers)
		fallthrough
	default:
		g = y.others
	}
	if len(y.exact) < 2*mostGroups {
		y.exact[key] = &spelling{g, 1}
	}
	return g
}

// month calls a group by the month that its cases are of.
func (y *tally) month(g *tallyGroup, key string) {
	if n, err := strconv.Atoi(key[5:]); err == nil && n >= 1 && n <= 12 {
		g.label, g.order = y.words("month_"+strconv.Itoa(n))+" "+key[:4], key
	}
}

// fillMonths adds the months in which there was nothing, unless they are too many: a gap that is not shown would not be seen.
func (y *tally) fillMonths() {
	var months []string
	for _, g := range y.groups {
		if g.order != "" {
			months = append(months, g.order)
		}
	}
	if len(months) == 0 {
		return
	}
	from, err := time.Parse("2006-01", slices.Min(months))
	to, err2 := time.Parse("2006-01", slices.Max(months))
	if err != nil || err2 != nil || to.After(from.AddDate(5, 0, 0)) {
		return
	}
	for m := from; m.Before(to); m = m.AddDate(0, 1, 0) {
		if key := m.Format("2006-01"); !slices.Contains(months, key) {
			y.month(y.group(key, rankAnswers), key)
		}
	}
}

// optionLabel is what an option is called where its question is not beside it: "MAPPA level 2".
func optionLabel(c *caseforms.ListColumn, o caseforms.Box) string {
	if len(o.Label) <= 2 {
		return c.Label + " " + o.Label
	}
	return o.Label
}

// spell calls each group by the spelling that most answers in it have.
func (y *tally) spell() {
	most := map[*tallyGroup]int{}
	for _, key := range slices.Sorted(maps.Keys(y.exact)) {
		if e := y.exact[key]; e.group.rank == rankAnswers && e.group.order == "" && e.n > most[e.group] {
			most[e.group], e.group.label = e.n, oneLine(key)
		}
	}
}

// lines are the groups in the order in which they are told, and which of them the chart shows. Answers in words come by their number.
func (y *tally) lines() (all []*tallyGroup, from, to int, shown string) {
	y.spell()
	y.fillMonths()
	all = slices.Clone(y.groups)
	slices.SortStableFunc(all, func(a, b *tallyGroup) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.order, b.order), cmp.Compare(b.n, a.n), strings.Compare(a.label, b.label))
	})
	if len(all) <= mostBars {
		return all, 0, len(all), ""
	}
	answers := 0
	for answers < len(all) && all[answers].rank < rankOthers {
		answers++
	}
	answers = max(answers, mostBars) // as long as there are so many, states are not shown
	if y.months {
		return all, answers - mostBars, answers, y.words("register_latest")
	}
	return all, 0, mostBars, y.words("register_largest")
}

// series are the columns of the table that divide the cases: all options, and the states that came up.
func (y *tally) series() (labels []string, at []int) {
	if y.by == nil {
		return []string{y.words("register_cases")}, nil
	}
	for i, o := range y.by.Options {
		labels, at = append(labels, optionLabel(y.by, o)), append(at, i)
	}
	for st, n := range y.all.by[len(y.by.Options):] {
		if n > 0 {
			labels, at = append(labels, y.states[st]), append(at, len(y.by.Options)+st)
		}
	}
	return labels, at
}

const (
	totalLabelWidth = 34
	totalCountWidth = 13
	totalRow        = 15.0 // points
	chartWidth      = 900  // pixels
	emuPerPixel     = 9525
)

// totals writes the sheet with the totals of a list: each as a chart, and under it its numbers.
func (b *sheetBook) totals(s *registerSheet) (file string, err error) {
	var charts []totalChart
	e, err := b.entry(false)
	if err != nil {
		return "", err
	}
	l := s.list
	most := 0
	for _, y := range s.tallies {
		labels, _ := y.series()
		most = max(most, len(labels)+1)
	}
	e.str(xmlHead + `<worksheet xmlns="` + nsMain + `" xmlns:r="` + nsOffice + `"><sheetViews><sheetView showGridLines="0" workbookViewId="0"/></sheetViews>`)
	e.str(fmt.Sprintf(`<sheetFormatPr defaultRowHeight="%g"/><cols><col min="1" max="1" width="%d" customWidth="1"/><col min="2" max="%d" width="%d" customWidth="1"/></cols><sheetData>`,
		totalRow, totalLabelWidth, max(9, most+1), totalCountWidth))
	wide := (float64(totalLabelWidth)*7+5)*0.75 + float64(most+1)*(totalCountWidth*7+5)*0.75
	scale := min(1, 780/max(wide, chartWidth*0.75)) // of the paper's width, in points
	page, left := 480/scale, 480/scale
	var breaks []int
	row := 0
	var digits [20]byte
	line := func(height float64, cells ...registerCell) {
		row++
		left -= height
		n := strconv.AppendInt(digits[:0], int64(row), 10)
		e.str(`<row r="`).str(string(n)).str(fmt.Sprintf(`" ht="%g" customHeight="1">`, height))
		for i, c := range cells {
			e.cell(column(i+1), n, c)
		}
		e.str("</row>")
	}
	line(totalRow, registerCell{text: l.Marking, style: cellMarking})
	line(24, registerCell{text: l.Title, style: cellTitle})
	line(totalRow, registerCell{text: l.Words("version") + " " + l.Version + " · " + l.Words("register_all") + ": " + count(s.count), style: cellMarking})
	sheet := quotedSheet(s.totals)
	for _, y := range s.tallies {
		groups, from, to, shown := y.lines()
		labels, at := y.series()
		title := y.total.Title
		if shown != "" {
			title += fmt.Sprintf(" (%s %d)", shown, to-from)
		}
		c := totalChart{title: y.total.Title, stacked: y.by != nil, series: labels, sheet: sheet}
		if to > from {
			c.pixels = 40 + 22*(to-from)
			if c.stacked {
				c.pixels += 26
			}
		}
		chartRows := (c.pixels*3/4 + int(totalRow) - 1) / int(totalRow)
		row++ // an empty one
		if need := 20 + totalRow*float64(chartRows+len(groups)+3); need > left && left < page-100 {
			breaks = append(breaks, row)
			left = page
		}
		line(20, registerCell{text: title, style: cellCaption})
		c.row = row
		row += chartRows
		left -= totalRow * float64(chartRows)
		head := []registerCell{{text: y.of.Label, style: cellHead}}
		high := lineCount(y.of.Label, totalLabelWidth)
		last := l.Words("register_share")
		if y.by != nil {
			last = l.Words("register_cases")
		}
		for _, t := range append(slices.Clone(labels), last) {
			head = append(head, registerCell{text: t, style: cellHead})
			high = max(high, lineCount(t, totalCountWidth))
		}
		line(float64(high)*registerLead+4, head...)
		c.head = row
		numbers := func(g *tallyGroup, label, number, share int) {
			cells := []registerCell{{text: g.label, style: label}}
			if y.by == nil {
				part := 0.0
				if y.all.n > 0 {
					part = float64(g.n) / float64(y.all.n)
				}
				cells = append(cells, registerCell{value: float64(g.n), style: number}, registerCell{value: part, style: share})
			} else {
				for _, i := range at {
					cells = append(cells, registerCell{value: float64(g.by[i]), style: number})
				}
				cells = append(cells, registerCell{value: float64(g.n), style: number})
			}
			line(float64(lineCount(g.label, totalLabelWidth))*totalRow, cells...)
		}
		for i, g := range groups {
			numbers(g, cellLabel, cellCount, cellShare)
			if i == from {
				c.first = row
			}
			if i >= from && i < to {
				bar := totalBar{label: oneLine(g.label)}
				if y.by == nil {
					bar.values = []int{g.n}
				} else {
					for _, k := range at {
						bar.values = append(bar.values, g.by[k])
					}
				}
				c.bars = append(c.bars, bar)
			}
		}
		numbers(&y.all, cellLabelAll, cellCountAll, cellShareAll)
		for left < 0 { // it goes on over pages
			left += page
		}
		if len(c.bars) > 0 {
			charts = append(charts, c)
		}
	}
	e.str(`</sheetData>`).page(l, fmt.Sprintf(`scale="%d"`, int(scale*100)))
	if len(breaks) > 0 {
		e.str(fmt.Sprintf(`<rowBreaks count="%d" manualBreakCount="%d">`, len(breaks), len(breaks)))
		for _, at := range breaks {
			e.str(fmt.Sprintf(`<brk id="%d" max="16383" man="1"/>`, at))
		}
		e.str("</rowBreaks>")
	}
	if len(charts) > 0 {
		b.draws++
		e.str(`<drawing r:id="rId1"/>`)
	}
	e.str("</worksheet>")
	if err := b.end(e); err != nil || len(charts) == 0 {
		return e.file, err
	}
	return e.file, b.drawing(e.file, charts)
}
