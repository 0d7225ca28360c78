package render

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"caseforms"
)

// totalChart is a chart of a total: one bar for each group, in parts where it is divided, fed from the cells of the table under it.
type totalChart struct {
	title   string
	stacked bool
	sheet   string // quoted
	row     int    // that it stands under, from 1
	pixels  int    // its height
	head    int    // row of the table's head
	first   int    // row of the first bar's numbers
	series  []string
	bars    []totalBar
}

type totalBar struct {
	label  string
	values []int
}

// partFills tell the parts of a bar apart by what is in them, as the fills of other charts do.
var partFills = []string{
	barFills[fullBar].fill,
	barFills[hatchedBar].fill,
	barFills[emptyBar].fill,
	solid("B9CBD9"), pattern("dkHorz"), solid("7396B2"), pattern("lgCheck"), pattern("wdDnDiag"), pattern("smGrid"), pattern("pct25"), pattern("dkVert"),
	pattern("trellis"), pattern("horzBrick"), pattern("zigZag"), pattern("plaid"), pattern("shingle"), pattern("weave"), pattern("sphere"), pattern("wave"),
}

func solid(colour string) string {
	return `<a:solidFill><a:srgbClr val="` + colour + `"/></a:solidFill>`
}

func pattern(name string) string {
	return `<a:pattFill prst="` + name + `"><a:fgClr><a:srgbClr val="1A4261"/></a:fgClr><a:bgClr><a:srgbClr val="FFFFFF"/></a:bgClr></a:pattFill>`
}

const (
	nsDraw  = "http://schemas.openxmlformats.org/drawingml/2006/main"
	nsChart = "http://schemas.openxmlformats.org/drawingml/2006/chart"
)

// drawing writes the charts of a sheet and what ties them to it.
func (b *sheetBook) drawing(sheet string, charts []totalChart) error {
	var d, rels strings.Builder
	d.WriteString(`<xdr:wsDr xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing" xmlns:a="` + nsDraw + `">`)
	rels.WriteString(`<Relationships xmlns="` + nsRels + `">`)
	for i := range charts {
		c := &charts[i]
		b.charts++
		fmt.Fprintf(&d, `<xdr:oneCellAnchor><xdr:from><xdr:col>0</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>%d</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:ext cx="%d" cy="%d"/>`, c.row, chartWidth*emuPerPixel, c.pixels*emuPerPixel)
		fmt.Fprintf(&d, `<xdr:graphicFrame macro=""><xdr:nvGraphicFramePr><xdr:cNvPr id="%d" name="%s" descr="%s"/><xdr:cNvGraphicFramePr/></xdr:nvGraphicFramePr><xdr:xfrm><a:off x="0" y="0"/><a:ext cx="0" cy="0"/></xdr:xfrm><a:graphic><a:graphicData uri="%s"><c:chart xmlns:c="%s" xmlns:r="%s" r:id="rId%d"/></a:graphicData></a:graphic></xdr:graphicFrame><xdr:clientData/></xdr:oneCellAnchor>`,
			i+2, xmlText(c.title), xmlText(c.words()), nsChart, nsChart, nsOffice, i+1)
		fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="%s/chart" Target="../charts/chart%d.xml"/>`, i+1, nsOffice, b.charts)
		if err := b.put(fmt.Sprintf("xl/charts/chart%d.xml", b.charts), c.xml()); err != nil {
			return err
		}
	}
	d.WriteString(`</xdr:wsDr>`)
	rels.WriteString(`</Relationships>`)
	drawing := fmt.Sprintf("drawing%d.xml", b.draws)
	if err := b.put("xl/drawings/"+drawing, d.String()); err != nil {
		return err
	}
	if err := b.put("xl/drawings/_rels/"+drawing+".rels", rels.String()); err != nil {
		return err
	}
	return b.put("xl/worksheets/_rels/"+path.Base(sheet)+".rels", `<Relationships xmlns="`+nsRels+`"><Relationship Id="rId1" Type="`+nsOffice+`/drawing" Target="../drawings/`+drawing+`"/></Relationships>`)
}

// words are the chart for those who cannot see it.
func (c *totalChart) words() string {
	chart := caseforms.Chart{Alt: c.title, Series: c.series}
	for _, b := range c.bars {
		chart.Groups = append(chart.Groups, caseforms.BarGroup{Label: b.label, Values: b.values})
	}
	return inWords(&chart, chart.Groups)
}

// xml is the chart itself (ECMA-376, part 1, 21.2). The numbers stand in it as well as in the cells, for programs that only show it.
func (c *totalChart) xml() string {
	var b strings.Builder
	const font = `<a:bodyPr/><a:lstStyle/><a:p><a:pPr><a:defRPr sz="900" b="0"><a:solidFill><a:srgbClr val="000000"/></a:solidFill><a:latin typeface="Arial"/></a:defRPr></a:pPr><a:endParaRPr lang="en-GB"/></a:p>`
	b.WriteString(`<c:chartSpace xmlns:c="` + nsChart + `" xmlns:a="` + nsDraw + `" xmlns:r="` + nsOffice + `"><c:roundedCorners val="0"/><c:chart><c:autoTitleDeleted val="1"/><c:plotArea><c:layout/><c:barChart><c:barDir val="bar"/>`)
	grouping := "clustered"
	if c.stacked {
		grouping = "stacked"
	}
	b.WriteString(`<c:grouping val="` + grouping + `"/><c:varyColors val="0"/>`)
	last := c.first + len(c.bars) - 1
	ref := func(col, from, to int) string {
		s := fmt.Sprintf("%s!$%s$%d", xmlText(c.sheet), column(col), from)
		if to != from {
			s += fmt.Sprintf(":$%s$%d", column(col), to)
		}
		return s
	}
	fill := 0
	for i, name := range c.series {
		if c.stacked && !slices.ContainsFunc(c.bars, func(b totalBar) bool { return b.values[i] > 0 }) {
			continue // the table says that there are none
		}
		fmt.Fprintf(&b, `<c:ser><c:idx val="%d"/><c:order val="%d"/><c:tx><c:strRef><c:f>%s</c:f><c:strCache><c:ptCount val="1"/><c:pt idx="0"><c:v>%s</c:v></c:pt></c:strCache></c:strRef></c:tx>`, i, i, ref(i+2, c.head, c.head), xmlText(name))
		b.WriteString(`<c:spPr>` + partFills[fill%len(partFills)] + barOutline + `</c:spPr><c:invertIfNegative val="0"/>`)
		fill++
		b.WriteString(`<c:dLbls><c:numFmt formatCode="#,##0;;" sourceLinked="0"/>`)
		if c.stacked { // on white, because it stands on the bar
			b.WriteString(`<c:spPr><a:solidFill><a:srgbClr val="FFFFFF"/></a:solidFill></c:spPr>`)
		} else {
			b.WriteString(`<c:spPr><a:noFill/></c:spPr>`)
		}
		b.WriteString(`<c:txPr>` + strings.Replace(font, `<a:bodyPr/>`, `<a:bodyPr wrap="none" lIns="18288" tIns="0" rIns="18288" bIns="0"/>`, 1) + `</c:txPr>`)
		if c.stacked {
			b.WriteString(`<c:dLblPos val="ctr"/>`)
		} else {
			b.WriteString(`<c:dLblPos val="outEnd"/>`)
		}
		b.WriteString(`<c:showLegendKey val="0"/><c:showVal val="1"/><c:showCatName val="0"/><c:showSerName val="0"/><c:showPercent val="0"/><c:showBubbleSize val="0"/></c:dLbls>`)
		fmt.Fprintf(&b, `<c:cat><c:strRef><c:f>%s</c:f><c:strCache><c:ptCount val="%d"/>`, ref(1, c.first, last), len(c.bars))
		for k, bar := range c.bars {
			fmt.Fprintf(&b, `<c:pt idx="%d"><c:v>%s</c:v></c:pt>`, k, xmlText(bar.label))
		}
		fmt.Fprintf(&b, `</c:strCache></c:strRef></c:cat><c:val><c:numRef><c:f>%s</c:f><c:numCache><c:formatCode>#,##0</c:formatCode><c:ptCount val="%d"/>`, ref(i+2, c.first, last), len(c.bars))
		for k, bar := range c.bars {
			fmt.Fprintf(&b, `<c:pt idx="%d"><c:v>%d</c:v></c:pt>`, k, bar.values[i])
		}
		b.WriteString(`</c:numCache></c:numRef></c:val></c:ser>`)
	}
	b.WriteString(`<c:gapWidth val="40"/>`)
	if c.stacked {
		b.WriteString(`<c:overlap val="100"/>`)
	}
	b.WriteString(`<c:axId val="1"/><c:axId val="2"/></c:barChart>`)
	b.WriteString(`<c:catAx><c:axId val="1"/><c:scaling><c:orientation val="maxMin"/></c:scaling><c:delete val="0"/><c:axPos val="l"/><c:numFmt formatCode="General" sourceLinked="0"/><c:majorTickMark val="none"/><c:minorTickMark val="none"/><c:tickLblPos val="low"/><c:spPr>` + barOutline + `</c:spPr><c:txPr>` + font + `</c:txPr><c:crossAx val="2"/><c:crosses val="autoZero"/><c:auto val="0"/><c:lblAlgn val="ctr"/><c:lblOffset val="100"/><c:noMultiLvlLbl val="1"/></c:catAx>`)
	b.WriteString(`<c:valAx><c:axId val="2"/><c:scaling><c:orientation val="minMax"/><c:max val="` + strconv.FormatFloat(c.scale(), 'f', -1, 64) + `"/><c:min val="0"/></c:scaling><c:delete val="1"/><c:axPos val="b"/><c:numFmt formatCode="#,##0" sourceLinked="0"/><c:majorTickMark val="none"/><c:minorTickMark val="none"/><c:tickLblPos val="nextTo"/><c:crossAx val="1"/><c:crosses val="max"/></c:valAx>`)
	b.WriteString(`<c:spPr><a:noFill/></c:spPr></c:plotArea>`)
	if c.stacked {
		b.WriteString(`<c:legend><c:legendPos val="t"/><c:overlay val="0"/><c:txPr>` + font + `</c:txPr></c:legend>`)
	}
	b.WriteString(`<c:plotVisOnly val="1"/><c:dispBlanksAs val="gap"/></c:chart><c:spPr><a:solidFill><a:srgbClr val="FFFFFF"/></a:solidFill><a:ln><a:noFill/></a:ln></c:spPr></c:chartSpace>`)
	return b.String()
}

// scale is where the axis ends: at the longest bar, with room for the number behind it.
func (c *totalChart) scale() float64 {
	most := 0
	for _, b := range c.bars {
		n := 0
		for _, v := range b.values {
			n += v
		}
		most = max(most, n)
	}
	if c.stacked {
		return float64(max(most, 1))
	}
	return max(1, float64(most)*1.1)
}
