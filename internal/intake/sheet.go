package intake

import (
	"bytes"
	"errors"
	"strconv"
	"time"

	"github.com/xuri/excelize/v2"

	"caseforms"
)

// MaxSheetRows is how many rows of a list, such as a directory, are read.
const MaxSheetRows = 10_000

// List is the first sheet of a small workbook: its rows as text, dates as the numbers they are in the file.
type List struct {
	Rows     [][]string
	from1904 bool
}

// Day reads a cell that holds a day: a date of the workbook, or one that was typed as 2026-11-25 or 25/11/2026.
func (l *List) Day(cell string) (caseforms.Date, bool) {
	if n, err := strconv.ParseFloat(cell, 64); err == nil && n >= 1 && n < 3_000_000 {
		t, err := excelize.ExcelDateToTime(n, l.from1904)
		return caseforms.DateOf(t), err == nil
	}
	for _, layout := range []string{time.DateOnly, "02/01/2006", "2/1/2006"} {
		if t, err := time.Parse(layout, cell); err == nil {
			return caseforms.DateOf(t), true
		}
	}
	return caseforms.Date{}, false
}

// Sheet reads a list that an administrator hands in as a workbook. It is bounded in size.
func Sheet(data []byte) (*List, error) {
	bad := func(msg string, err error) error {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: msg, Hint: "save it as an Excel workbook (.xlsx) without a password", Err: err}
	}
	const most = 64 << 20
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{UnzipSizeLimit: most, UnzipXMLSizeLimit: most, RawCellValue: true})
	if err != nil {
		if errors.Is(err, excelize.ErrWorkbookFileFormat) {
			return nil, bad("this is not a workbook", nil)
		}
		return nil, bad("this workbook cannot be read", nil)
	}
	defer f.Close()
	rows, err := f.Rows(f.GetSheetName(0))
	if err != nil {
		return nil, bad("this workbook has no sheet that can be read", nil)
	}
	defer rows.Close()
	out := &List{}
	if p, err := f.GetWorkbookProps(); err == nil && p.Date1904 != nil {
		out.from1904 = *p.Date1904
	}
	for rows.Next() {
		if len(out.Rows) > MaxSheetRows {
			return nil, bad("this workbook has too many rows", nil)
		}
		cells, err := rows.Columns()
		if err != nil {
			return nil, bad("this workbook cannot be read to its end", nil)
		}
		out.Rows = append(out.Rows, cells)
	}
	if rows.Error() != nil {
		return nil, bad("this workbook cannot be read to its end", nil)
	}
	return out, nil
}
