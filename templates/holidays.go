package templates

import (
	"encoding/json"
	"io/fs"
	"time"

	"caseforms"
)

// Holidays are the bank holidays of England and Wales, laid out as GOV.UK publishes them (gov.uk/bank-holidays.json), so that the file can be
// replaced by the published one when it has grown. A test compares it with the rule the days follow.
func Holidays() ([]caseforms.Holiday, error) {
	data, err := fs.ReadFile(builtin, "bank-holidays.json")
	if err != nil {
		return nil, err
	}
	var feed map[string]struct {
		Events []struct {
			Title string `json:"title"`
			Date  string `json:"date"`
		} `json:"events"`
	}
	if err := json.Unmarshal(data, &feed); err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "the list of bank holidays cannot be read", Err: err}
	}
	var out []caseforms.Holiday
	for _, e := range feed["england-and-wales"].Events {
		t, err := time.Parse(time.DateOnly, e.Date)
		if err != nil {
			return nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "the list of bank holidays has a wrong date", Err: err}
		}
		out = append(out, caseforms.Holiday{On: caseforms.DateOf(t), Name: e.Title})
	}
	return out, nil
}
