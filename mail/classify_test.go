package mail

import (
	"strings"
	"testing"
)

// What the samples of a class are counted as: nothing of one kind is taken for another.
func TestClassesAreExact(t *testing.T) {
	t.Parallel()
	got := map[string]map[Class]int{}
	for _, s := range incomingSamples(t) {
		want := s.want("class")
		if got[want] == nil {
			got[want] = map[Class]int{}
		}
		got[want][Read(s.raw).Class]++
	}
	for want, n := range got {
		if len(n) != 1 || n[Class(want)] == 0 {
			t.Errorf("of the class %s: %v", want, n)
		}
	}
	for class, least := range map[Class]int{DeliveryReport: 30, HumanReply: 30, AutomaticAnswer: 10, SecureNotice: 8, ReadReceipt: 4, CouldBeBounce: 4} {
		if n := got[string(class)][class]; n < least {
			t.Errorf("only %d samples of the class %s", n, class)
		}
	}
}

// A person's words stay a person's under every subject that a program could have chosen, and with the fields that mailing lists and case
// systems add.
func TestNoPersonIsTakenForAProgram(t *testing.T) {
	t.Parallel()
	var subjects, bodies []string
	for _, s := range incomingSamples(t) {
		in := Read(s.raw)
		if s.want("class") == string(HumanReply) {
			subjects = append(subjects, in.Subject)
			if in.Text != "" {
				bodies = append(bodies, in.Text)
			}
			continue
		}
		subjects = append(subjects, "RE: "+in.Subject, "FW: "+in.Subject)
	}
	for _, l := range [][]string{bounceSubjects, officeSubjects, absentSubjects} {
		for _, s := range l {
			subjects = append(subjects, "Re: "+s, s+" of the father in May")
		}
	}
	n := 0
	for _, extra := range []string{"", "In-Reply-To: <s7kq2v9d@probation.example>\n", "Precedence: bulk\nX-Auto-Response-Suppress: All\nX-Auto-Reply: no\n", "Return-Path: <jo@council.example>\nAuto-Submitted: no\nPrecedence: list\nList-Id: <mash.council.example>\n"} {
		for i, subject := range subjects {
			for k, body := range bodies {
				if (i+k+len(extra))%4 != 0 { // each subject with each quarter of the texts
					continue
				}
				n++
				in := Read([]byte("From: Jo Smith <jo@council.example>\nTo: safeguarding@probation.example\n" + extra + "Subject: " + subject + "\nContent-Type: text/plain; charset=utf-8\n\n" + body + "\n"))
				switch {
				case in.Class == HumanReply:
				case in.Class == CouldBeBounce && !strings.HasPrefix(subject, "R") && !strings.HasPrefix(subject, "F"): // unsure, and so a person looks
				default:
					t.Fatalf("%s, because %s, by the fields %q, the subject %q and the text\n%s", in.Class, in.Why, extra, subject, body)
				}
			}
		}
	}
	if n < 15_000 {
		t.Errorf("only %d combinations", n)
	}
}

// A report stays one with whatever a gateway puts before its subject, and without its own.
func TestReportsSurviveGateways(t *testing.T) {
	t.Parallel()
	for _, s := range incomingSamples(t) {
		if s.want("class") != string(DeliveryReport) {
			continue
		}
		for name, change := range map[string]func(string) string{
			"a tag":      func(raw string) string { return strings.Replace(raw, "\nSubject: ", "\nSubject: [EXTERNAL] ", 1) },
			"no subject": func(raw string) string { return strings.Replace(raw, "\nSubject: ", "\nX-Subject: ", 1) },
			"no return path": func(raw string) string {
				return strings.Replace(strings.Replace(raw, "Return-Path: <>", "X-Path: x", 1), "Return-path: <>", "X-Path: x", 1)
			},
		} {
			in := Read([]byte(change(string(s.raw))))
			if in.Class != DeliveryReport && in.Class != CouldBeBounce {
				t.Errorf("%s, with %s: %s, because %s", s.name, name, in.Class, in.Why)
			}
		}
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]bool{
		"out of office": true, "out of office: jo": true, "[external] out of office - jo": true, "out of office cover in may": false, "re: out of office": false,
		"out of office’s key": false, "": false, "[": false, "[unclosed out of office": false,
	} {
		if startsWith(subject, []string{"out of office"}) != want {
			t.Errorf("%q: %v", subject, !want)
		}
	}
}
