package web

import (
	"archive/zip"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"caseforms"
	"caseforms/internal/store"
)

// ppo puts an office that pp1 goes to into the directory.
func (h *house) ppo() string {
	h.t.Helper()
	rs := []store.Recipient{{Role: "public_protection_office", Organisation: "Northtown PPO", Channel: "email", Address: "ppo@council.example"}}
	_, _, _, err := h.desk.PutRecipients(h.t.Context(), h.as("adam"), rs)
	h.must(err)
	return rs[0].ID
}

// sampleBook is the workbook of the samples: of its eight rows one is wrong. One is about the person whose case is restricted to Sue, and one has the numbers of
// somebody else, so that five can be recorded by Petra.
func sampleBook(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("../../samples/batch/pp1.xlsx")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// putIn puts a workbook in and waits until it was checked.
func (v *visitor) putIn(login, book string) {
	v.h.t.Helper()
	v.upload("/batch", map[string][2]string{"cases": {"Alex Sampleson.xlsx", book}}, "form", "pp1").expect(v.h.t, 303, "/batch/run")
	v.h.stageOf(login)
}

// stageOf waits until the stage of somebody's batch has ended.
func (h *house) stageOf(login string) *batchStage {
	h.t.Helper()
	_, t := h.batches.job(h.as(login).ID)
	if t == nil {
		h.t.Fatal("there is no batch")
	}
	select {
	case <-t.ended:
	case <-time.After(time.Minute):
		h.t.Fatal("the batch does not end")
	}
	return t
}

func stageIn(page reply) string {
	if m := regexp.MustCompile(`name="stage" value="(\d+)"`).FindStringSubmatch(page.body); m != nil {
		return m[1]
	}
	return ""
}

// issuedRows is how many documents of a form there are in the ledger.
func (h *house) issuedOf(form string) (n int) {
	h.t.Helper()
	for _, r := range h.ledger() {
		if r.What == "document issued" {
			d, err := h.store.Document(h.t.Context(), r.Ref)
			h.must(err)
			if d.Form == form {
				n++
			}
		}
	}
	return n
}

// tried says what is to be done and waits for what would come of it.
func (v *visitor) tried(login string, pairs ...string) reply {
	v.h.t.Helper()
	page := v.get("/batch/run/send").expect(v.h.t, 200)
	v.post("/batch/run/send", append([]string{"stage", stageIn(page)}, pairs...)...).expect(v.h.t, 303, "/batch/run")
	v.h.stageOf(login)
	return v.get("/batch/run").expect(v.h.t, 200)
}

// From the empty workbook to what was sent: checked, tried, confirmed, recorded once, taken away; and put in again nothing is done twice.
func TestBatchFromWorkbookToOutbox(t *testing.T) {
	t.Parallel()
	h, m := mailHouse(t)
	h.ppo()
	petra := h.signedIn("petra")
	page := petra.get("/batch").expect(t, 200, "Save the empty workbook", "Check it")
	if !strings.Contains(page.body, `name="empty-area"`) {
		t.Error("the area cannot be chosen")
	}
	attached(t, petra.get("/batch/template.xlsx?empty-form=pp1&empty-area=general").expect(t, 200, "PK"))
	petra.get("/batch/template.xlsx?empty-form=nothing").expect(t, 422, "Choose a form", "empty-form")
	petra.upload("/batch", nil).expect(t, 422, "Choose a form", "Choose a workbook")

	petra.putIn("petra", sampleBook(t))
	was := len(h.ledger())
	page = petra.get("/batch/run").expect(t, 200, "Your workbook was checked", "Rows in the workbook", "Rows that have a problem", "Public: is none of the answers that may be given", "Save the rows that have a problem", "Record and send the good rows")
	const warned = "Serious community concern or media interest: is not answered"
	page.expect(t, 200, "Look at these answers", warned, "5, 6, 7, 8, 10")
	if strings.Contains(page.body, "person.dob") || strings.Contains(page.body, "Sampleson.xlsx") {
		t.Error("a problem is told by its key, or the name of the file is told")
	}
	attached(t, petra.get("/batch/run/fix.xlsx").expect(t, 200, "PK"))
	attached(t, petra.get("/batch/run/merged.pdf").expect(t, 200, "%PDF"))
	attached(t, petra.get("/batch/run/register.xlsx").expect(t, 200, "PK"))
	if n := len(h.ledger()); n != was || h.issuedOf("pp1") != 0 {
		t.Errorf("checking did something: %d records, %d before", n, was)
	}
	petra.post("/batch/run/record", "stage", "1").expect(t, 409, "not shown yet")

	// Chosen: what is missing is told beside it.
	petra.get("/batch/run/send").expect(t, 200, "Northtown PPO", "Public Protection", "Are they sent by e-mail?")
	petra.post("/batch/run/send", "stage", "1").expect(t, 422, "Say whether they are sent")
	petra.post("/batch/run/send", "stage", "1", "how", "send", "to", "r-00000000").expect(t, 422, "Choose offices that are listed")
	petra.post("/batch/run/send", "stage", "1", "how", "send", "address", "nonsense").expect(t, 422, "Enter an e-mail address")
	petra.post("/batch/run/send", "stage", "7", "how", "record").expect(t, 409, "gone on since")

	page = petra.tried("petra", "how", "send", "without", "they go apart").expect(t, 200, "Nothing was recorded or sent yet", "Documents that will be issued", "Northtown PPO", "ppo@council.example", "go by e-mail", "Record and send 5 documents")
	page.expect(t, 200, "Look at these answers", warned)
	if h.issuedOf("pp1") != 0 {
		t.Fatal("trying it recorded something")
	}
	h.carryAll()
	if n := len(m.All()); n != 0 {
		t.Fatalf("trying it sent %d", n)
	}
	petra.post("/batch/run/record", "stage", stageIn(page)).expect(t, 303, "/batch/run")
	petra.post("/batch/run/record", "stage", stageIn(page)) // pressed twice
	done := h.stageOf("petra")
	if done.err != nil || len(done.docs) != 5 {
		t.Fatalf("%v, %d documents", done.err, len(done.docs))
	}
	page = petra.get("/batch/run").expect(t, 200, "Your batch is recorded", "Documents that were recorded", "Northtown PPO: queued", "Save one PDF to print", "Were not recorded")
	if n := h.issuedOf("pp1"); n != 5 {
		t.Errorf("%d were issued", n)
	}
	refs := regexp.MustCompile(`href="(/documents/CF-[0-9A-Z-]+)"`).FindAllStringSubmatch(page.body, -1)
	if len(refs) != 5 {
		t.Fatalf("%d documents are linked", len(refs))
	}
	petra.get(refs[0][1]).expect(t, 200, "Northtown PPO")
	h.carryAll()
	if n := len(m.All()); n != 5 {
		t.Errorf("%d arrived", n)
	}

	// Taken away, each is in the ledger; the password is of the kind that other programs know.
	was = len(h.ledger())
	open := zipOf(t, petra.post("/batch/run/documents.zip"))
	if len(open.File) != 5 || open.File[0].Flags&1 != 0 || regexp.MustCompile(`[^a-z0-9.-]`).MatchString(open.File[0].Name) {
		t.Errorf("%d files, %+v", len(open.File), open.File[0].FileHeader)
	}
	if n := len(h.ledger()) - was; n != 5 {
		t.Errorf("%d records of five documents that were taken away", n)
	}
	sealed := zipOf(t, petra.post("/batch/run/documents.zip", "password", "three-random-words"))
	if len(sealed.File) != 5 || sealed.File[0].Flags&1 == 0 || sealed.File[0].Method != 99 {
		t.Errorf("it is not sealed: %+v", sealed.File[0].FileHeader)
	}
	petra.post("/batch/run/documents.zip", "password", "x").expect(t, 422, "There is a problem", "password")

	// The same again: nothing is issued or sent twice, and it is told.
	petra.putIn("petra", sampleBook(t))
	petra.tried("petra", "how", "send", "without", "they go apart").expect(t, 200, "Recorded before; will be left as they are", "There is nothing to record or send")
	h.carryAll()
	if n := len(m.All()); n != 5 || h.issuedOf("pp1") != 5 {
		t.Errorf("%d arrived, %d issued", n, h.issuedOf("pp1"))
	}
	h.Close()
}

func zipOf(t *testing.T, r reply) *zip.Reader {
	t.Helper()
	r.expect(t, 200, "PK")
	z, err := zip.NewReader(bytes.NewReader([]byte(r.body)), int64(len(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// What policy does not let go is told before it is recorded, with the reason; what was recorded only is sent by a later run.
func TestBatchTellsWhatIsHeld(t *testing.T) {
	t.Parallel()
	h := newHouse(t, posted(nil))
	petra := h.signedIn("petra")
	petra.putIn("petra", sampleBook(t))
	page := petra.tried("petra", "how", "record").expect(t, 200, "nothing is sent", "Record 5 documents")
	petra.post("/batch/run/record", "stage", stageIn(page)).expect(t, 303)
	h.stageOf("petra")
	petra.get("/batch/run").expect(t, 200, "nobody yet")
	// The form goes to a role that nobody in the directory has.
	petra.putIn("petra", sampleBook(t))
	petra.tried("petra", "how", "send", "without", "x").expect(t, 200, "There is nothing to record or send", "Nobody in the directory is public_protection_office")
	fix := petra.get("/batch/run/fix.xlsx").expect(t, 200)
	book, err := excelize.OpenReader(strings.NewReader(fix.body))
	h.must(err)
	rows, err := book.GetRows(book.GetSheetList()[0])
	h.must(err)
	if !slices.ContainsFunc(rows, func(r []string) bool { return len(r) > 0 && strings.Contains(r[0], "nobody in the directory") }) {
		t.Error("the workbook of the rows does not say what is wrong with them")
	}
	h.ppo()
	page = petra.tried("petra", "how", "send", "without", "x").expect(t, 200, "Recorded before; will only be sent", "are held", "All of them are held by policy", "Send 5 documents")
	// Another office is put into the directory before it is confirmed: it gets nothing, because it was not shown.
	_, _, _, err = h.desk.PutRecipients(t.Context(), h.as("adam"), []store.Recipient{{Role: "public_protection_office", Organisation: "Southtown PPO", Channel: "email", Address: "ppo@south.example"}})
	h.must(err)
	petra.post("/batch/run/record", "stage", stageIn(page)).expect(t, 303)
	h.stageOf("petra")
	if page = petra.get("/batch/run").expect(t, 200, "recorded before", "Northtown PPO: held"); strings.Contains(page.body, "Southtown") {
		t.Error("it went to an office that was not shown")
	}
	if n := h.issuedOf("pp1"); n != 5 {
		t.Errorf("%d were issued", n)
	}
}

// A batch is its owner's. A row about somebody whose case they may not see is refused, the attempt is in the ledger, and the others are done.
func TestBatchIsOnesOwn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	petra, mary := h.signedIn("petra"), h.signedIn("mary")
	boss, err := h.desk.Actor(t.Context(), "boss", "")
	h.must(err)
	petra.putIn("petra", sampleBook(t))
	for _, path := range []string{"/batch/run", "/batch/run/fix.xlsx", "/batch/run/merged.pdf", "/batch/run/register.xlsx", "/batch/run/send"} {
		mary.get(path).expect(t, 404, "You have no batch here")
	}
	mary.post("/batch/run/documents.zip").expect(t, 404)
	mary.post("/batch/run/stop").expect(t, 404)
	mary.post("/batch/run/delete").expect(t, 404)
	page := petra.tried("petra", "how", "record").expect(t, 200, "is restricted", "of somebody with quite another name", "Record 5 documents")
	if !slices.ContainsFunc(h.ledger(), func(r store.Record) bool {
		return r.What == "refused" && r.Actor == h.as("petra").ID && r.Case == h.foreignCase
	}) {
		t.Error("the attempt is not in the ledger")
	}
	petra.post("/batch/run/record", "stage", stageIn(page)).expect(t, 303)
	h.stageOf("petra")
	petra.get("/batch/run").expect(t, 200, "Your batch is recorded", "is restricted", "of somebody with quite another name")
	// One of them is restricted now: none is handed out, and it is told why.
	mine := h.stageOf("petra").docs[0]
	shown, err := h.desk.Show(t.Context(), h.as("petra"), caseforms.Ref(mine.ref))
	h.must(err)
	h.must(h.desk.Restrict(t.Context(), boss, shown.Case, []string{"sue"}, nil, "a test"))
	for _, r := range []reply{petra.post("/batch/run/documents.zip"), petra.get("/batch/run/merged.pdf"), petra.get("/batch/run/register.xlsx")} {
		r.expect(t, 403, "is restricted")
	}
}

// batchOnly records the first rows of what was tried, and is stopped then.
func (h *house) batchOnly(rows int, login, stage string) {
	h.t.Helper()
	a := h.as(login)
	h.betweenRows = func(ctx context.Context) {
		if _, t := h.batches.job(a.ID); t.made.Load() >= int64(rows) {
			<-ctx.Done()
		}
	}
	defer func() { h.betweenRows = nil }()
	n, err := strconv.Atoi(stage)
	h.must(err)
	h.must(h.next(h.t.Context(), a, n, batchRecords, func(*batchJob) {}))
	_, t := h.batches.job(a.ID)
	for end := time.Now().Add(20 * time.Second); t.made.Load() < int64(rows) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	h.stopBatches() // as at the end of the program
	h.stageOf(login)
}

// A batch that a shutdown, or its owner, stops is whole up to a row. Another program on the same store does only what is missing.
func TestBatchGoesOnAfterRestart(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	petra := h.signedIn("petra")
	petra.putIn("petra", sampleBook(t))
	page := petra.tried("petra", "how", "record")
	h.batchOnly(3, "petra", stageIn(page))
	petra.get("/batch/run").expect(t, 200, "Your batch was not recorded to the end", "It was stopped before it was done", "Not reached", "Go on with the rest", "put the same workbook in again")
	if n := h.issuedOf("pp1"); n != 3 || len(h.stageOf("petra").docs) != 3 {
		t.Fatalf("%d were issued, %d are told", n, len(h.stageOf("petra").docs))
	}
	j, _ := h.batches.job(h.as("petra").ID)
	h.Closing()
	h.Close()
	if _, err := os.Stat(j.dir); !os.IsNotExist(err) {
		t.Error("the folder is left when the program ends")
	}
	o := h.Service.o
	again, err := New(o)
	h.must(err)
	h.Service = again
	petra.get("/batch/run").expect(t, 404, "Put the same workbook in again", "not recorded twice")
	petra.putIn("petra", sampleBook(t))
	page = petra.tried("petra", "how", "record").expect(t, 200, "Recorded before; will be left as they are", "Record 2 documents")
	petra.post("/batch/run/record", "stage", stageIn(page)).expect(t, 303)
	h.stageOf("petra")
	petra.get("/batch/run").expect(t, 200, "Your batch is recorded", "Had been recorded before, and were not again")
	if n := h.issuedOf("pp1"); n != 5 {
		t.Errorf("%d were issued", n)
	}
	h.Close()
}

// While one runs, the page asks for itself again, and no second one begins. An account that is closed ends its batch.
func TestBatchRunsAlone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	mary := h.signedIn("mary")
	mary.putIn("mary", sampleBook(t))
	page := mary.tried("mary", "how", "record")
	gate, there := make(chan struct{}), make(chan struct{}, 100)
	h.betweenRows = func(ctx context.Context) {
		there <- struct{}{}
		select {
		case <-gate:
		case <-ctx.Done():
		}
	}
	mary.post("/batch/run/record", "stage", stageIn(page)).expect(t, 303)
	<-there
	if r := mary.get("/batch/run").expect(t, 200, "Your batch is being recorded", "0 of 8 rows", "You may close it"); r.Header.Get("Refresh") != "2" {
		t.Error("the page does not ask for itself again")
	}
	mary.get("/batch/run/merged.pdf").expect(t, 409, "still running")
	mary.post("/batch/run/delete").expect(t, 409, "still running")
	mary.upload("/batch", map[string][2]string{"cases": {"x.xlsx", sampleBook(t)}}, "form", "pp1").expect(t, 422, "still running")
	no := false
	_, st := h.batches.job(h.as("mary").ID)
	boss, err := h.desk.Actor(t.Context(), "boss", "")
	h.must(err)
	h.must(h.desk.ChangeUser(t.Context(), boss, "mary", "", nil, nil, &no))
	close(gate)
	<-st.ended
	if st.err == nil || h.issuedOf("pp1") > 0 {
		t.Errorf("it went on after the account was closed: %v, %d", st.err, h.issuedOf("pp1"))
	}
	h.Close()
}

// What is kept of a batch can be read by nobody else, has no names in its paths, and goes: an hour after it is done, when something is erased, and when it
// was left by a program that was killed.
func TestBatchIsTakenAway(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	petra := h.signedIn("petra")
	gone := func(dir, when string) {
		t.Helper()
		h.must(h.TidyBatches(t.Context()))
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("the folder is left %s", when)
		}
	}
	petra.putIn("petra", sampleBook(t))
	j, _ := h.batches.job(h.as("petra").ID)
	h.must(filepath.WalkDir(j.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err == nil && st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v", d.Name(), st.Mode())
		}
		if !regexp.MustCompile(`^([0-9]+|out|cases|(pp1-[0-9]{5}|merged)\.pdf|(fix|register)\.xlsx|manifest\.jsonl|\.caseforms\.lock|` + batchPrefix + `[0-9]+)$`).MatchString(d.Name()) {
			t.Errorf("a file is called %s", d.Name())
		}
		return err
	}))
	h.wait(batchKept - time.Minute)
	h.must(h.TidyBatches(t.Context()))
	petra = h.signedIn("petra")
	petra.get("/batch/run").expect(t, 200)
	h.wait(time.Minute)
	gone(j.dir, "after an hour")

	petra.putIn("petra", sampleBook(t))
	j, _ = h.batches.job(h.as("petra").ID)
	h.wait(time.Second)
	h.must(h.TidyBatches(t.Context()))
	petra.get("/batch/run").expect(t, 200)
	boss, err := h.desk.Actor(t.Context(), "boss", "")
	h.must(err)
	h.must(h.desk.Erase(t.Context(), boss, h.of, "", "a test"))
	gone(j.dir, "when a case was erased")

	left, err := os.MkdirTemp("", batchPrefix)
	h.must(err)
	h.must(os.WriteFile(filepath.Join(left, "cases"), nil, 0o600))
	h.must(h.TidyBatches(t.Context()))
	if _, err := os.Stat(left); err != nil {
		t.Error("what another program may be at work in is taken away")
	}
	old := time.Now().Add(-batchLeft - time.Minute)
	h.must(os.Chtimes(left, old, old))
	gone(left, "when a program was killed")

	// A folder that somebody took away who cleans up does not leave its batch in memory.
	petra.putIn("petra", sampleBook(t))
	j, _ = h.batches.job(h.as("petra").ID)
	h.must(os.RemoveAll(j.dir))
	h.must(h.TidyBatches(t.Context()))
	if j, _ := h.batches.job(h.as("petra").ID); j != nil {
		t.Error("a batch without its folder is left")
	}

	petra.upload("/batch", map[string][2]string{"cases": {"x.xlsx", "nonsense\x00"}}, "form", "pp1").expect(t, 303)
	h.stageOf("petra")
	petra.get("/batch/run").expect(t, 200, "govuk-warning-text")
	j, _ = h.batches.job(h.as("petra").ID)
	petra.post("/batch/run/delete").expect(t, 303, "/batch")
	gone(j.dir, "when it was deleted")
}
