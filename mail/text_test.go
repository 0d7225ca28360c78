package mail

import (
	"strings"
	"testing"
	"time"
)

func TestHTMLAsText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`<p>One <b>two</b>&nbsp;three</p><p>Four<br>five`:                                          "One two three\n\nFour\nfive",
		`<div>a</div><div><br></div><div>b</div>`:                                                  "a\n\nb",
		`<ul><li>a<li>b</ul>c`:                                                                     "* a\n* b\n\nc",
		`<table><tr><td>Outcome<td>Accepted</tr><tr><td>When</td><td>Now</td></table>`:             "Outcome Accepted\nWhen Now",
		`<script>x</script><style>y</style><title>z</title>a<script>unclosed`:                      "a",
		`<head><title>z</title><meta><body>a`:                                                      "a",
		`<p hidden>a<p>b`:                                                                          "b",
		`<div style="DISPLAY : none">a<div>b</div>c</div>d`:                                        "d",
		`<span style="font-size:0px">a</span><span style="font-size:0.9em">b</span>`:               "b",
		`<img style="display:none" src=x>a<input type=hidden value=y>`:                             "a",
		`<div style="display:none">never closed, so shown`:                                         "never closed, so shown",
		`<svg><text>a</text></svg><template>b</template>c`:                                         "c",
		`<a href="https://x.example/y">read</a> <a href="https://x.example">https://x.example</a>`: "read <https://x.example/y> https://x.example",
		`<a href="mailto:a@b.example?subject=x">Jo</a> <a href="javascript:x()">z</a>`:             "Jo <a@b.example> z",
		`<a href="https://x.example/` + strings.Repeat("y", 400) + `">read</a>`:                    "read <https://x.example/…>",
		`a<blockquote type="cite"><p>b</p><blockquote type=cite>c</blockquote></blockquote>d`:      "a\n\n> b\n\n> > c\n\nd",
		`a<blockquote style="margin-left:40px">my answer</blockquote>`:                             "a\n\nmy answer",
		"<pre>a\n  b\n\nc</pre>":                                                                   "a\n  b\n\nc",
		`<!--[if mso]><p>mso</p><![endif]-->a<!-- -->`:                                             "a",
		`a &lt;b&gt; &amp;amp; &#8203;&#x202e;c`:                                                   "a <b> &amp; c",
		`</p></a></blockquote></div>a`:                                                             "a",
	} {
		m := Read([]byte("From: a@b.example\nContent-Type: text/html; charset=utf-8\n\n" + in))
		if got := m.whole; got != want {
			t.Errorf("%s\ngot  %q\nwant %q", in, got, want)
		}
	}
}

func TestHistoryIsCutOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string][3]string{
		"none":            {"a\nb", "a\nb", ""},
		"only quoted":     {"> a\n> b", "", "> a\n> b"},
		"below":           {"a\n\nOn 3 May 2026, x wrote:\n\n> b", "a", "On 3 May 2026, x wrote:\n\n> b"},
		"wrapped":         {"a\n\nOn Monday, 3 May 2026 at 10:00, Probation Service\n<x@y.example> wrote:\n> b", "a", "On Monday, 3 May 2026 at 10:00, Probation Service\n<x@y.example> wrote:\n> b"},
		"unmarked":        {"a\n\nOn 3 May 2026, x@y.example wrote:\nb", "a", "On 3 May 2026, x@y.example wrote:\nb"},
		"a sentence":      {"a\nOn the day she wrote:\n\nI am well.", "a\nOn the day she wrote:\n\nI am well.", ""},
		"between":         {"a\n> b\nc\n> d", "a\n> b\nc", "> d"},
		"above":           {"On 3 May 2026, x wrote:\n> b\n\na", "On 3 May 2026, x wrote:\n> b\n\na", ""},
		"outlook":         {"a\n\n________________________________\nFrom: x\nSent: y\nTo: z\nSubject: s\n\nb", "a", "________________________________\nFrom: x\nSent: y\nTo: z\nSubject: s\n\nb"},
		"outlook welsh":   {"a\n\nOddi wrth: x\nAnfonwyd: y\nAt: z\nPwnc: s\n\nb", "a", "Oddi wrth: x\nAnfonwyd: y\nAt: z\nPwnc: s\n\nb"},
		"outlook bold":    {"a\n\n*From:* x\n*Sent:* y\n*To:* z\n\nb", "a", "*From:* x\n*Sent:* y\n*To:* z\n\nb"},
		"from by itself":  {"a\nFrom: the school\nb\nc", "a\nFrom: the school\nb\nc", ""},
		"a line":          {"a\n-----Original Message-----\nb", "a", "-----Original Message-----\nb"},
		"forwarded":       {"---------- Forwarded message ---------\nb", "", "---------- Forwarded message ---------\nb"},
		"german":          {"a\n\nAm 3. Mai 2026 um 10:00 schrieb x <x@y.example>:\n> b", "a", "Am 3. Mai 2026 um 10:00 schrieb x <x@y.example>:\n> b"},
		"french":          {"a\n\nLe lun. 3 mai 2026 à 10:00, x <x@y.example> a écrit :\n> b", "a", "Le lun. 3 mai 2026 à 10:00, x <x@y.example> a écrit :\n> b"},
		"server was told": {"a\n>>> RCPT TO:<x@y.example>", "a\n>>> RCPT TO:<x@y.example>", ""},
	} {
		text, history := splitHistory(c[0])
		if text != c[1] || history != c[2] {
			t.Errorf("%s: got %q and %q", name, text, history)
		}
	}
}

func TestFlowedText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"one \ntwo\nthree\n":     "one two\nthree\n",
		"> a \n> b\nc \n> d\n":   "> a b\nc \n> d\n",
		" >from\n-- \nsignature": ">from\n-- \nsignature\n",
	} {
		if got := unflow(in, false); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := unflow("one \ntwo\n", true); got != "onetwo\n" {
		t.Errorf("%q", got)
	}
}

// What takes work to read does not take ever more of it the longer it is: that would be minutes. The limit is wide for the race detector.
func TestTextIsReadInTime(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"deep HTML":      "Content-Type: text/html\n\n" + strings.Repeat("<div><blockquote type=cite>", 200_000) + "x",
		"hidden HTML":    "Content-Type: text/html\n\n" + strings.Repeat("<p hidden>", 300_000) + "x",
		"links":          "Content-Type: text/html\n\n" + strings.Repeat("<a href=https://x.example/y>x", 200_000) + strings.Repeat("</a>", 100_000),
		"attributes":     "Content-Type: text/html\n\n<p" + strings.Repeat(" a=b", 500_000) + ">x",
		"quotes":         "Content-Type: text/plain\n\n" + strings.Repeat("On 3 May 2026, x wrote:\n", 40_000),
		"headers":        "Content-Type: text/plain\n\n" + strings.Repeat("From: x\nTo: y\n", 40_000),
		"one line":       "Content-Type: text/plain\n\n" + strings.Repeat("On x wrote ", 100_000),
		"addresses":      "Return-Path: <>\nSubject: undeliverable\nContent-Type: text/plain\n\n" + strings.Repeat("<a@b.example>:\n", 60_000),
		"codes":          "Return-Path: <>\nSubject: undeliverable\nContent-Type: text/plain\n\n" + strings.Repeat("550 5.1.1 ", 100_000),
		"folded":         "Subject: x\n" + strings.Repeat(" y\n", 300_000) + "\nx",
		"encoded words":  "Subject: " + strings.Repeat("=?utf-8?q?x?= ", 60_000) + "\n\nx",
		"address groups": "From: " + strings.Repeat("a:", 5_000) + "\n\nx",
		"comments":       "From: " + strings.Repeat("(", 16_000) + "\n\nx",
		"literals":       "From: x@" + strings.Repeat("[", 15_000) + "\n\nx",
		"results":        "Authentication-Results: relay.probation.example; " + strings.Repeat("dkim=pass header.d=x.example; ", 30_000) + "\n\nx",
		"parameters":     "Content-Type: multipart/mixed; " + strings.Repeat("a*0*=x; ", 30_000) + "\n\nx",
		"statuses":       "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n" + strings.Repeat("Final-Recipient: rfc822;a@b.example\nAction: failed\n\n", 20_000) + "--b--",
	} {
		begin := time.Now()
		in := Read([]byte("To: safeguarding@probation.example\n" + raw))
		if _, err := us.Match(t.Context(), in, &oneSend{}); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > time.Minute {
			t.Errorf("%s took %v", name, took)
		} else {
			t.Logf("%s took %v", name, took)
		}
	}
}
