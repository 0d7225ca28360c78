package render_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"caseforms"
	"caseforms/render"
)

// A workbook that would take minutes to write is refused with what to do; of the same a PDF is made.
func TestWorkbookThatIsTooLong(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(map[string]any{"forms": map[string]any{"cp1": map[string]any{"concern": strings.Repeat("x\n", 200_000)}}})
	if err != nil {
		t.Fatal(err)
	}
	doc := document(t, load(t, ""), "cp1", data, caseforms.FillOptions{Draft: true})
	var e *caseforms.Error
	if err := render.Workbook(io.Discard, doc, render.Options{}); !errors.As(err, &e) || e.Kind != caseforms.Invalid || !strings.Contains(e.Hint, "PDF") {
		t.Errorf("the workbook: %v", err)
	}
	if _, err := render.PDF(io.Discard, doc, render.Options{}); err != nil {
		t.Errorf("the PDF: %v", err)
	}
}
