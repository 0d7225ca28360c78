package mail

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"caseforms"
)

func matchOf(t *testing.T, raw string) Match {
	t.Helper()
	m, err := us.Match(t.Context(), Read([]byte(raw)), &oneSend{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Wherever a server leaves the token, it is found; in nobody else's address it is none.
func TestTokenIsFound(t *testing.T) {
	t.Parallel()
	const to = "safeguarding+k3vq7xw2mabcd5fg@probation.example"
	for name, head := range map[string]string{
		"To": "To: <" + to + ">\n", "a list": "To: \"a, b\" <x@y.example>, Safeguarding <" + to + ">\n", "Cc": "To: x@y.example\nCc: " + to + "\n",
		"Delivered-To": "Delivered-To: " + to + "\n", "X-Original-To": "X-Original-To: " + to + "\n", "Original-Recipient": "Original-Recipient: rfc822;" + to + "\n",
		"capitals": "To: SAFEGUARDING+K3VQ7XW2MABCD5FG@Probation.EXAMPLE\n", "a broken list": "To: undisclosed <<" + to + "\n",
		"Received": "Received: from a.example (a.example [192.0.2.1])\n\tby b.example with ESMTPS id 1\n\tfor <" + to + ">; Mon, 2 Nov 2026 09:00:00 +0000\n",
	} {
		if m := matchOf(t, head+"From: jo@council.example\n\nx\n"); m.Send == nil || m.By != KeyToken || m.Sure != Certain {
			t.Errorf("%s: %+v", name, m)
		}
	}
	for name, head := range map[string]string{
		"another mailbox": "To: other+k3vq7xw2mabcd5fg@probation.example\n", "another domain": "To: safeguarding+k3vq7xw2mabcd5fg@probation.example.net\n",
		"no token": "To: safeguarding@probation.example\n", "another token": "To: safeguarding+k3vq7xw2mabcd5fa@probation.example\n", "longer": "To: safeguarding+k3vq7xw2mabcd5fgg@probation.example\n",
	} {
		if m := matchOf(t, head+"From: jo@council.example\n\nx\n"); m.Send != nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// Only what our own relay wrote, above everything foreign, is believed.
func TestTrust(t *testing.T) {
	t.Parallel()
	const ours = "Authentication-Results: relay.probation.example; "
	for name, c := range map[string]struct {
		head     string
		from     string
		verified bool
	}{
		"dmarc passed":              {head: ours + "dmarc=pass header.from=council.example\n", verified: true},
		"with a version":            {head: "Authentication-Results: relay.probation.example 1; dmarc=pass header.from=council.example\n", verified: true},
		"two of ours":               {head: ours + "spf=pass smtp.mailfrom=council.example\n" + ours + "dmarc=pass header.from=council.example\n", verified: true},
		"dkim of the organisation":  {head: ours + "dkim=pass header.d=council.example; dmarc=none\n", verified: true},
		"spf of the organisation":   {head: ours + "spf=pass smtp.mailfrom=bounce@mail.council.example\n", verified: true},
		"dkim of a provider":        {head: ours + "dkim=pass header.d=mailer.example; dmarc=none\n"},
		"dmarc failed, dkim passed": {head: ours + "dmarc=fail header.from=council.example; dkim=pass header.d=council.example\n"},
		"dmarc both":                {head: ours + "dmarc=pass header.from=council.example\n" + ours + "dmarc=fail header.from=council.example\n"},
		"none":                      {head: ""},
		"another relay":             {head: "Authentication-Results: mx.evil.example; dmarc=pass header.from=council.example\n"},
		"ours below a foreign one":  {head: "Authentication-Results: mx.evil.example; spf=none\n" + ours + "dmarc=pass header.from=council.example\n"},
		"of another sender":         {head: ours + "dmarc=pass header.from=evil.example\n"},
		"a result in a comment":     {head: ours + "spf=fail (x; dmarc=pass header.from=council.example) smtp.mailfrom=evil.example\n"},
		"a result in a quotation":   {head: ours + "spf=fail reason=\"x; dmarc=pass header.from=council.example\"\n"},
		"a comment never closed":    {head: ours + "spf=fail (x; dmarc=pass\n"},
		"a name that begins alike":  {head: "Authentication-Results: relay.probation.example.evil.example; dmarc=pass\n"},
		"no name":                   {head: "Authentication-Results: dmarc=pass header.from=council.example\n"},
		"two senders":               {head: ours + "dmarc=pass header.from=council.example\n", from: "From: jo@council.example, x@evil.example\n"},
		"two From fields":           {head: ours + "dmarc=pass header.from=council.example\n", from: "From: jo@council.example\nFrom: x@evil.example\n"},
		"another domain":            {head: ours + "dmarc=pass header.from=evil.example\n", from: "From: x@evil.example\n"},
		"a name like the address":   {head: ours + "dmarc=pass header.from=evil.example\n", from: "From: \"mash@council.example\" <x@evil.example>\n"},
		"a domain below":            {head: ours + "dmarc=pass header.from=x.council.example\n", from: "From: x@x.council.example\n"},
	} {
		from := c.from
		if from == "" {
			from = "From: jo@council.example\n"
		}
		m := matchOf(t, c.head+from+"To: safeguarding+k3vq7xw2mabcd5fg@probation.example\n\nNo further action.\n")
		if m.Send == nil || m.Verified != c.verified || c.verified != (len(m.Doubts) == 0) {
			t.Errorf("%s: verified %v, doubts %q", name, m.Verified, m.Doubts)
		}
	}
	unnamed := Ours{Mailboxes: us.Mailboxes, Unnamed: true}
	for head, want := range map[string]bool{
		"Authentication-Results: spf=pass (sender IP is 192.0.2.7)\n smtp.mailfrom=council.example; dkim=pass (signature was verified)\n header.d=council.example;dmarc=pass action=none\n header.from=council.example;compauth=pass reason=100\n": true,
		"Authentication-Results: spf=fail\nAuthentication-Results: dmarc=pass header.from=council.example\n":                                                                                                                                       false,
	} {
		m, err := unnamed.Match(t.Context(), Read([]byte(head+"From: jo@council.example\nTo: safeguarding+k3vq7xw2mabcd5fg@probation.example\n\nx\n")), &oneSend{})
		if err != nil || m.Verified != want {
			t.Errorf("%q: %+v, %v", head, m, err)
		}
	}
}

func TestParseAuthResults(t *testing.T) {
	t.Parallel()
	name, got := parseAuthResults(`Relay.Example (a (b) c; d) 1 ; DKIM = pass (ok; x=y) header.d = "a b" ; none; spf/1=fail smtp.mailfrom="x;y"@z.example;; ="`)
	want := []authResult{{method: "dkim", result: "pass", props: [][2]string{{"header.d", "a b"}}}, {method: "spf", result: "fail", props: [][2]string{{"smtp.mailfrom", "x;y@z.example"}}}, {}}
	if name != "relay.example" || !reflect.DeepEqual(got, want) {
		t.Errorf("%s, %+v", name, got)
	}
}

type manySends struct {
	oneSend
	err error
}

func (k *manySends) ByMessageID(_ context.Context, id string) (*Known, error) {
	k.looked++
	if k.err != nil {
		return nil, k.err
	}
	if n, ok := strings.CutSuffix(id, "@probation.example"); ok && n != "" {
		return &Known{ID: n, Ref: "CF-7K3M-Q9ZQ", To: "mash@council.example"}, nil
	}
	return nil, nil
}

// However much a message refers to, what is looked up is bounded; the beginning of a long thread is among it.
func TestLookUpsAreBounded(t *testing.T) {
	t.Parallel()
	var ids, tos, refs strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&ids, " <a%d@x.example>", i)
		fmt.Fprintf(&tos, "safeguarding+%s@probation.example, ", strings.Map(func(r rune) rune { return 'a' + r - '0' }, fmt.Sprintf("%016d", i)))
		fmt.Fprintf(&refs, "CF-%04d-%04d ", i, i)
	}
	raw := "From: a@b.example\nTo: " + tos.String() + "x@y.example\nReferences: <s7kq2v9d@probation.example>" + ids.String()[:40_000] + "\nIn-Reply-To:" + ids.String() + "\nSubject: " + refs.String() + "\n\n" + refs.String() + "\n"
	k := &manySends{}
	m, err := us.Match(t.Context(), Read([]byte(raw)), k)
	if err != nil {
		t.Fatal(err)
	}
	if m.Send == nil || m.Send.ID != "s7kq2v9d" || k.looked > 100 {
		t.Errorf("%d look-ups, %+v", k.looked, m)
	}
}

func TestMatchTellsOfSeveral(t *testing.T) {
	t.Parallel()
	m, err := us.Match(t.Context(), Read([]byte("From: a@council.example\nTo: safeguarding+k3vq7xw2mabcd5fg@probation.example\nIn-Reply-To: <other@probation.example>\n\nx\n")), &manySends{})
	if err != nil {
		t.Fatal(err)
	}
	if m.Send.ID != "s7kq2v9d" || len(m.Also) != 1 || m.Also[0].ID != "other" || !slices.Contains(m.Doubts, "it also points to something else that was sent") {
		t.Errorf("%+v", m)
	}
}

func TestKeysFail(t *testing.T) {
	t.Parallel()
	broken := errors.New("the store is away")
	for _, raw := range []string{"From: a@b.example\nIn-Reply-To: <a@b.example>\n\nx\n", "From: a@b.example\nMessage-ID: <a@b.example>\n\nx\n"} {
		if m, err := us.Match(t.Context(), Read([]byte(raw)), &manySends{err: broken}); !errors.Is(err, broken) || m.Send != nil {
			t.Errorf("%+v, %v", m, err)
		}
	}
}

func TestLoops(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"From: safeguarding@probation.example\nTo: mash@council.example\n\nx\n":                                                                           "it says that it comes from our own mailbox",
		"From: Safeguarding+k3vq7xw2mabcd5fg@PROBATION.example\n\nx\n":                                                                                    "it says that it comes from our own mailbox",
		"Delivered-To: safeguarding@probation.example\nDelivered-To: x@y.example\nDelivered-To: safeguarding@probation.example\nFrom: a@b.example\n\nx\n": "",
		"From: colleague@probation.example\nTo: safeguarding@probation.example\nSubject: FW: answer\n\nx\n":                                               "",
		"From: MAILER-DAEMON@relay.probation.example\nTo: safeguarding@probation.example\n\nx\n":                                                          "",
	} {
		if m := matchOf(t, raw); m.Loop != want {
			t.Errorf("%q: %q", raw, m.Loop)
		}
	}
}

// A reference is only ever a suggestion, also to the right document, and a wrong one is told.
func TestReferencesAreSuggested(t *testing.T) {
	t.Parallel()
	m := matchOf(t, "From: mash@council.example\nAuthentication-Results: relay.probation.example; dmarc=pass\nSubject: cf7k3mq9zq\n\nAnd CF-7K3M-Q9ZA is mistyped.\n")
	if m.Send != nil || m.Sure != Suggested || m.Verified || !slices.Equal(m.Refs, []caseforms.Ref{"CF-7K3M-Q9ZQ"}) {
		t.Errorf("%+v", m)
	}
}
