package intake

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"caseforms"
)

// patient gives the child time on a machine that is busy with other tests; the limit itself has a test of its own.
var patient = &Reader{Time: time.Minute, env: atOnce}

// atOnce lets a child that is built with the race detector end when it ends, and not a second later.
var atOnce = []string{"GORACE=atexit_sleep_ms=0"}

func read(t testing.TB, d *caseforms.Definitions, data []byte) Reply {
	t.Helper()
	r, err := patient.ReadReply(context.Background(), data, "", d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// short is a reply in few words: key, state, value, and whether there is a problem.
func short(r Reply) (out []string) {
	for _, a := range r.Answers {
		s := fmt.Sprintf("%s %s %q", a.Key, a.State, a.Value)
		if a.Problem != "" {
			s += fmt.Sprintf(" typed %q: %s", a.Typed, a.Problem)
		}
		out = append(out, s)
	}
	return out
}

func equal(t testing.TB, got, want []string) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

const name, prose = "Siân Ŵyn-Żółć", "Siân Ŵyn-Żółć, first line\nsecond (with \\ and ) in it\n\nafter a gap – “quoted” €5"

// asFilled is what is read back whichever program filled the form in.
var asFilled = []string{
	`known_to_csc answered "child_or_care_leaver"`,
	`children_known not_known ""`,
	fmt.Sprintf("contact_nature answered %q", prose),
	`steps answered "visit\nnone"`,
	fmt.Sprintf("reply_sent_by answered %q", name),
	`reply_date answered "2026-11-20"`,
}

func TestFilledByPdftk(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	x := func(s string) string {
		var b strings.Builder
		_ = xml.EscapeText(&b, []byte(s))
		return strings.ReplaceAll(b.String(), "&#xA;", "\n")
	}
	in := write(t, returned(root, nil, "").bytes())
	out, data := in+".out.pdf", in+".xfdf"
	xfdf := `<?xml version="1.0" encoding="UTF-8"?><xfdf xmlns="http://ns.adobe.com/xfdf/"><fields><field name="` + root + `">
<field name="known_to_csc"><value>Known – as child / care leaver</value></field><field name="children_known"><value>Not known</value></field>
<field name="contact_nature"><value>` + x(prose) + `</value></field><field name="steps"><field name="visit"><value>Yes</value></field><field name="none"><value>Yes</value></field></field>
<field name="reply_sent_by"><value>` + x(name) + `</value></field><field name="reply_date"><value>2026-11-20</value></field></field></fields></xfdf>`
	if err := os.WriteFile(data, []byte(xfdf), 0o600); err != nil {
		t.Fatal(err)
	}
	outside(t, "pdftk", in, "fill_form", data, "output", out)
	r := read(t, d, load(t, out))
	equal(t, short(r), asFilled)
	if r.Form != "check" || r.Version != "2026-11" || r.Current != "2026-11" || r.Ref != ref || r.Ignored != 0 {
		t.Errorf("%+v", r)
	}
	if l := r.Answers[0].Label; !strings.HasPrefix(l, "Is the defendant known") {
		t.Errorf("label %q", l)
	}
}

// pdf-lib writes values as UTF-16 in hexadecimal and objects into streams.
func TestFilledByPdfLib(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	lib := os.Getenv("CASEFORMS_PDF_LIB")
	if lib == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("CI needs CASEFORMS_PDF_LIB, a folder in which npm has installed pdf-lib")
		}
		t.Skip("CASEFORMS_PDF_LIB is not set; what pdf-lib would fill in is not read")
	}
	in := write(t, returned(root, nil, "").bytes())
	out, script := in+".out.pdf", filepath.Join(filepath.Dir(in), "fill.cjs")
	values, err := json.Marshal(map[string]string{"lib": filepath.Join(lib, "node_modules", "pdf-lib"), "in": in, "out": out, "root": root, "name": name, "prose": prose})
	if err != nil {
		t.Fatal(err)
	}
	js := "const v = " + string(values) + `;
const fs = require('fs'), { PDFDocument } = require(v.lib);
(async () => {
  const doc = await PDFDocument.load(fs.readFileSync(v.in)), form = doc.getForm();
  form.getDropdown(v.root + '.known_to_csc').select('Known – as child / care leaver');
  form.getDropdown(v.root + '.children_known').select('Not known');
  form.getTextField(v.root + '.contact_nature').setText(v.prose);
  form.getCheckBox(v.root + '.steps.visit').check();
  form.getCheckBox(v.root + '.steps.meeting').check();
  form.getCheckBox(v.root + '.steps.meeting').uncheck();
  form.getCheckBox(v.root + '.steps.none').check();
  form.getTextField(v.root + '.reply_sent_by').setText(v.name);
  form.getTextField(v.root + '.reply_date').setText('2026-11-20');
  fs.writeFileSync(v.out, await doc.save({ updateFieldAppearances: false }));
})().catch(e => { console.error(e); process.exit(1); });`
	if err := os.WriteFile(script, []byte(js), 0o600); err != nil {
		t.Fatal(err)
	}
	outside(t, "node", script)
	r := read(t, d, load(t, out))
	equal(t, short(r), asFilled)
	if r.Ref != ref || r.Ignored != 0 {
		t.Errorf("%+v", r)
	}
}

// The ways in which programs write one and the same answer.
func TestHowValuesAreWritten(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	one := func(key, v string) []byte { return returned(root, map[string]string{key: v}, "").bytes() }
	kid := func(field, widget string) []byte {
		return bare("3 0 R", "<</T("+root+")/Kids[4 0 R]>>", "<</T(reply_position)/Parent 3 0 R"+field+"/Kids[5 0 R 6 0 R]>>",
			"<</Subtype/Widget/Parent 4 0 R"+widget+">>", "<</Subtype/Widget/Parent 4 0 R>>").bytes()
	}
	stream := bare("3 0 R", "<</T("+root+")/Kids[4 0 R]>>", "<</T(reply_position)/FT/Tx/V 5 0 R>>")
	stream.stream("", []byte("Team manager"))
	incremental := func() []byte {
		old := bare("3 0 R", "<</T("+root+")/Kids[4 0 R]>>", "<</T(reply_position)/FT/Tx/V(Clerk)>>").bytes()
		prev := strings.LastIndex(string(old), "xref\n0 ")
		at := len(old)
		more := "4 0 obj\n<</T(reply_position)/FT/Tx/V(Team manager)>>\nendobj\n"
		return append(old, fmt.Sprintf("%sxref\n4 1\n%010d 00000 n \ntrailer\n<</Root 1 0 R/Size 5/Prev %d>>\nstartxref\n%d\n%%%%EOF\n", more, at, prev, at+len(more))...)
	}
	const manager = `reply_position answered "Team manager"`
	for what, c := range map[string]struct {
		data []byte
		want string
	}{
		"literal":               {one("reply_position", "/V(Team manager)"), manager},
		"escapes":               {one("reply_position", `/V(T\145am\040manage\162)`), manager},
		"line continued":        {one("reply_position", "/V(Team \\\nmanager)"), manager},
		"PDFDocEncoding":        {one("reply_sent_by", "/V(Si\xe2n \x95\xa0 \x9b)"), `reply_sent_by answered "Siân Ł€ ł"`},
		"UTF-8 unmarked":        {one("reply_sent_by", "/V(Siân)"), `reply_sent_by answered "Siân"`},
		"UTF-8 marked":          {one("reply_sent_by", "/V(\xef\xbb\xbfSiân)"), `reply_sent_by answered "Siân"`},
		"UTF-16 little-endian":  {one("reply_sent_by", "/V<fffe53006900e2006e00>"), `reply_sent_by answered "Siân"`},
		"UTF-16 broken":         {one("reply_sent_by", "/V<feff0053d8000069d8>"), `reply_sent_by answered "S` + "\ufffd" + `i"`},
		"UTF-16 with a tongue":  {one("reply_sent_by", "/V<feff001b00650043001b005300690061006e>"), `reply_sent_by answered "Sian"`},
		"hex with a backslash":  {one("reply_position", "/V<415c6e42>"), `reply_position answered "A\\nB"`},
		"decomposed":            {one("reply_sent_by", "/V"+utf16hex("Sia\u0302n")), `reply_sent_by answered "Siân"`},
		"control characters":    {one("reply_position", `/V(Te\000am\033 manager\177\t)`), manager},
		"turned round":          {one("reply_position", "/V"+utf16hex("\u202eTeam\u2069 manager")), manager},
		"line ends":             {one("contact_nature", `/V(a\r\nb\rc\nd)`), `contact_nature answered "a\nb\nc\nd"`},
		"name":                  {one("known_to_csc", "/V/other"), `known_to_csc answered "other"`},
		"array":                 {one("known_to_csc", "/V[(other)]"), `known_to_csc answered "other"`},
		"stream":                {stream.bytes(), manager},
		"value in a place":      {kid("/FT/Tx", "/V(Team manager)"), manager},
		"kind and value there":  {kid("", "/FT/Tx/V(Team manager)"), manager},
		"value above a place":   {kid("/FT/Tx/V(Team manager)", ""), manager},
		"label carelessly":      {one("known_to_csc", "/V"+utf16hex(" KNOWN  – as Parent / Carer ")), `known_to_csc answered "parent_or_carer"`},
		"yes":                   {one("children_known", "/V(Yes)"), `children_known answered "yes"`},
		"no such option":        {one("known_to_csc", "/V(Perhaps)"), `known_to_csc not_answered "" typed "Perhaps": is none of the answers that may be chosen`},
		"no date":               {one("reply_date", "/V(next week)"), `reply_date not_answered "" typed "next week": is not a date: write year-month-day, such as 2014-05-03`},
		"box by its look":       {one("meeting", "/AS/On#20it"), `steps answered "meeting"`},
		"box with another name": {one("meeting", "/V/1"), `steps answered "meeting"`},
		"box as text":           {one("meeting", "/V(On)"), `steps answered "meeting"`},
		"full names": {bare("3 0 R 4 0 R", "<</T("+root+".reply_position)/FT/Tx/V(Team manager)>>", "<</T("+root+".steps.visit)/FT/Btn/V/Yes>>").bytes(),
			"steps answered \"visit\"\n" + manager},
		"names in UTF-16":     {bare("3 0 R", "<</T"+utf16hex(root)+"/FT/Tx/Kids[<</T"+utf16hex("reply_position")+"/V(Team manager)>>]>>").bytes(), manager},
		"listed at the top":   {bare("4 0 R", "<</T("+root+")/FT/Tx/Kids[4 0 R]>>", "<</T(reply_position)/Parent 3 0 R/V(Team manager)>>").bytes(), manager},
		"saved again":         {incremental(), manager},
		"twice the same":      {bare("3 0 R", "<</T("+root+")/FT/Tx/Kids[4 0 R 5 0 R]>>", "<</T(reply_position)/V(Team manager)>>", "<</T(reply_position)/V(Team manager)>>").bytes(), manager},
		"twice, one blank":    {bare("3 0 R", "<</T("+root+")/FT/Tx/Kids[4 0 R 5 0 R]>>", "<</T(reply_position)/V( )>>", "<</T(reply_position)/V(Team manager)>>").bytes(), manager},
		"twice, differently":  {bare("3 0 R", "<</T("+root+")/FT/Tx/Kids[4 0 R 5 0 R]>>", "<</T(reply_position)/V(A)>>", "<</T(reply_position)/V(B)>>").bytes(), `reply_position not_answered "" typed "A\nB": stands in the file more than once, and differently`},
		"twice, ticked or no": {bare("3 0 R", "<</T("+root+")/FT/Btn/Kids[4 0 R 5 0 R]>>", "<</T(steps.visit)/V/Yes>>", "<</T(steps.visit)/V/Off>>").bytes(), `steps not_answered "" typed "Home visit": has a box that stands in the file more than once, and differently`},
		"junk before it":      {append([]byte("From: x\r\n\r\n"), one("reply_position", "/V(Team manager)")...), manager},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			equal(t, short(read(t, d, c.data)), strings.Split(c.want, "\n"))
		})
	}
}

// What is not asked is counted and not taken; what the file says of itself is told.
func TestOnlyQuestionsAreAnswered(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	file := func(name, fields string) []byte {
		return bare("3 0 R 4 0 R", "<</T("+name+")/FT/Tx/Kids["+fields+"]>>", "<</T(other)/FT/Tx/V(x)>>").bytes()
	}
	r := read(t, d, file("check:2024-02:", "<</T(reply_position)/V(x)>><</T(offender_name)/V(x)>><</T(purpose)/V(check)>><</T(steps.fly)/FT/Btn/V/Yes>><</T(reply_date)/FT/Btn/V/Yes>><</V(x)>>"))
	equal(t, short(r), []string{`reply_position answered "x"`})
	if r.Ref != "" || r.Version != "2024-02" || r.Current != "2026-11" || r.Ignored != 5 {
		t.Errorf("%+v", r)
	}
	long := read(t, d, file(root, "<</T(contact_nature)/V("+strings.Repeat("é", MaxTextLength+1)+")>>"))
	if a := long.Answers[0]; a.Problem == "" || a.Value != "" || a.State != caseforms.NotAnswered || len([]rune(a.Typed)) != MaxTextLength {
		t.Errorf("too long: %q, %s, %d characters", a.Problem, a.State, len([]rune(a.Typed)))
	}
}

func reason(t testing.TB, err error) Reason {
	t.Helper()
	var e *caseforms.Error
	var r Reason
	if err != nil && !errors.As(err, &e) {
		t.Errorf("not an error of ours: %v", err)
	}
	if !errors.As(err, &r) {
		t.Errorf("no reason: %v", err)
	}
	return r
}

func TestReasons(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	blank := returned(root, nil, "").bytes()
	filled := bare("3 0 R", "<</T("+root+")/FT/Tx/Kids[<</T(reply_position)/V(Clerk)>>]>>").bytes()
	named := func(name string) []byte {
		return bare("3 0 R", "<</T("+name+")/FT/Tx/Kids[<</T(reply_position)/V(Clerk)>>]>>").bytes()
	}
	for what, c := range map[string]struct {
		data []byte
		want Reason
	}{
		"nothing at all":     {nil, NotPDF},
		"a scan":             {[]byte("\xff\xd8\xff\xe0 JFIF"), NotPDF},
		"no form":            {pdf{"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[]/Count 0>>"}.bytes(), NoForm},
		"another's form":     {named("Form1"), NoForm},
		"no such form":       {named("letter:2026-11:" + ref), NoForm},
		"form without reply": {named("conference:2026-11:" + ref), NoForm},
		"odd reference":      {named("check:2026-11:Aisha Placeholder"), NoForm},
		"two of ours": {bare("3 0 R 4 0 R", "<</T("+root+")/FT/Tx/Kids[<</T(reply_position)/V(Clerk)>>]>>",
			"<</T(check:2026-11:CF-0000-0000)/FT/Tx/Kids[<</T(reply_position)/V(Clerk)>>]>>").bytes(), SeveralForms},
		"blank":           {blank, Empty},
		"spaces only":     {returned(root, map[string]string{"known_to_csc": "/V( )", "reply_position": "/V" + utf16hex("\u00a0\u200b\n")}, "").bytes(), Empty},
		"too large":       {append(filled[:len(filled):len(filled)], make([]byte, MaxPDFBytes)...), TooLarge},
		"truncated early": {filled[:60], Damaged},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r, err := patient.ReadReply(context.Background(), c.data, "", d)
			if got := reason(t, err); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if (r.Ref == ref) != (c.want == Empty) {
				t.Errorf("%+v", r)
			}
		})
	}
	if _, err := (&Reader{Time: time.Nanosecond}).ReadReply(context.Background(), filled, "", d); reason(t, err) != TooSlow {
		t.Error(err)
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if _, err := patient.ReadReply(stopped, filled, "", d); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, exe := range []string{"/nowhere/caseforms", "/bin/false", "/bin/echo"} {
		_, err := (&Reader{Executable: exe}).ReadReply(context.Background(), filled, "", d)
		var e *caseforms.Error
		if !errors.As(err, &e) || strings.Contains(err.Error(), "nowhere") {
			t.Errorf("%s: %v", exe, err)
		}
	}
}

func TestEncrypted(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	in := write(t, returned(root, map[string]string{"reply_sent_by": "/V" + utf16hex(name), "contact_nature": "/V(a\\nb)", "visit": "/V/Yes"}, "").bytes())
	want := []string{`contact_nature answered "a\nb"`, `steps answered "visit"`, fmt.Sprintf("reply_sent_by answered %q", name)}
	const right, wrong = "Röd-häst-1", "Röd-häst-2"
	for _, c := range []struct {
		password string
		args     []string
	}{
		{right, []string{"--encrypt", right, "owner", "256", "--extract=n", "--modify=form", "--", "--object-streams=generate"}},
		{right, []string{"--encrypt", right, "owner", "256", "--"}},
		{"horse", []string{"--allow-weak-crypto", "--encrypt", "horse", "owner", "128", "--use-aes=y", "--"}},
		{"horse", []string{"--allow-weak-crypto", "--encrypt", "horse", "owner", "128", "--use-aes=n", "--"}},
		{"", []string{"--encrypt", "", "owner", "256", "--"}},
	} {
		out := write(t, nil)
		outside(t, "qpdf", append(c.args, in, out)...)
		data := load(t, out)
		for _, password := range []string{c.password, "owner"} {
			r, err := patient.ReadReply(context.Background(), data, password, d)
			if err != nil {
				t.Errorf("%v with %q: %v", c.args, password, err)
				continue
			}
			equal(t, short(r), want)
		}
		if c.password == "" {
			continue
		}
		for password, want := range map[string]Reason{"": Encrypted, wrong: BadPassword, strings.Repeat("x", maxPassword+1): BadPassword} {
			_, err := patient.ReadReply(context.Background(), data, password, d)
			if got := reason(t, err); got != want {
				t.Errorf("%v with %q: %q, want %q", c.args, password, got, want)
			}
		}
	}
	// The parser takes no spaces in passwords. That is told apart from a wrong one.
	out := write(t, nil)
	outside(t, "qpdf", "--encrypt", "two words", "owner", "256", "--", in, out)
	if _, err := patient.ReadReply(context.Background(), load(t, out), "two words", d); reason(t, err) != Sealed {
		t.Error(err)
	}
}

// A program that is no reader says nothing about the file, and the recipient is not accused.
func TestNotTheReader(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"true", "false"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skip(err)
		}
		_, err = (&Reader{Executable: path, Time: time.Minute}).ReadReply(t.Context(), returned(root, nil, "").bytes(), "", definitions(t))
		var e *caseforms.Error
		if !errors.As(err, &e) || e.Kind != caseforms.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}
