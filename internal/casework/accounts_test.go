package casework

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"caseforms"
)

// How often somebody may try: an account from one address, an account from many, one network with many accounts.
func TestThrottle(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	try := func(d *door, n int, login, address func(int) string) (let int) {
		for i := range n {
			if d.begin(login(i), address(i), now) == nil {
				let++
			}
		}
		return let
	}
	same := func(s string) func(int) string { return func(int) string { return s } }
	many := func(format string) func(int) string { return func(i int) string { return fmt.Sprintf(format, i) } }
	for name, c := range map[string]struct {
		login, address func(int) string
		want           int
	}{
		"one account from one address":   {same("petra"), same("192.0.2.1"), triesTogether},
		"however it is written":          {func(i int) string { return []string{"petra", "PETRA", "ｐetra"}[i%3] }, same("192.0.2.1"), triesTogether},
		"one account from many":          {same("petra"), many("192.0.2.%d"), triesAccount},
		"many accounts from one":         {many("name%d"), same("192.0.2.1"), triesAddress},
		"many accounts from one network": {many("name%d"), many("2001:db8:ff:1::%x"), triesAddress},
		"written as IPv6":                {same("petra"), func(i int) string { return []string{"192.0.2.1", "::ffff:192.0.2.1"}[i%2] }, triesTogether},
		"no address":                     {same("petra"), same("@"), triesTogether},
	} {
		if got := try(newDoor(), 200, c.login, c.address); got != c.want {
			t.Errorf("%s: %d let in, want %d", name, got, c.want)
		}
	}
	// Waiting grows, to a quarter of an hour at most; after an hour it is forgotten.
	d := newDoor()
	try(d, 5, same("petra"), same("192.0.2.1"))
	for _, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		err := d.begin("petra", "192.0.2.1", now)
		over, ok := err.(*Throttled)
		if !ok || over.After != want {
			t.Fatalf("%v, want %s", err, want)
		}
		now = now.Add(want)
		if err := d.begin("petra", "192.0.2.1", now); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(2 * time.Hour)
	if got := try(d, 10, same("petra"), same("192.0.2.1")); got != triesTogether {
		t.Errorf("after an hour: %d", got)
	}
	d.passed("petra", "192.0.2.1", now)
	if got := try(d, 10, same("petra"), same("192.0.2.1")); got != triesTogether {
		t.Errorf("after it was right: %d", got)
	}
	// It stays small.
	try(d, triesKept+1000, many("name%d"), many("10.0.%d.1"))
	if len(d.tries) > triesKept+3 {
		t.Errorf("%d are remembered", len(d.tries))
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	for password, words := range map[string]string{
		"": "at least 12", "elevenchars": "at least 12", "ééééééééééé": "at least 12", strings.Repeat("long words ", 30): "too long", "aaaaaaaaaaaaaaa": "guessed early", "abababababab": "guessed early",
		"petra.petra.1": "guessed early", "Password12345": "guessed early", "qwertyuiop12": "guessed early",
	} {
		if err := checkPassword(password, "petra"); err == nil {
			t.Errorf("%q is taken", password)
		} else {
			refused(t, err, caseforms.Invalid, words)
		}
	}
	for _, password := range []string{"four horses read slowly", "correcthorsebattery", "pedwar ceffyl yn darllen", "Ł9#kd8!Qp2vX", "twelve chars"} {
		if err := checkPassword(password, "petra"); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
	if len(common()) != 10_000 {
		t.Errorf("%d common passwords", len(common()))
	}
	for _, password := range []string{"1qaz2wsx3edc", "Motherfucker", "LEAVEMEALONE", "sonyericsson"} {
		if err := checkPassword(password, "petra"); err == nil {
			t.Errorf("%q is taken", password)
		}
	}
	for _, password := range []string{strings.Repeat("four horses ", 6) + "1", "only small letters here", "ΑΒΓΔ ΕΖΗΘ ΙΚΛΜ", "😀 horse 😀 battery"} { // 64 and more, of whatever letters
		if err := checkPassword(password, "petra"); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
	d := newDoor()
	one, err := d.hash(t.Context(), "four horses read slowly é")
	if err != nil {
		t.Fatal(err)
	}
	two, _ := d.hash(t.Context(), "four horses read slowly é")
	if one == two || !strings.HasPrefix(one, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Error(one, two)
	}
	for password, want := range map[string]bool{"four horses read slowly é": true, "four horses read slowly e\u0301": true, "Four horses read slowly é": false, "": false} {
		if got, err := d.check(t.Context(), one, password); got != want || err != nil {
			t.Errorf("%q: %t %v", password, got, err)
		}
	}
	if got, err := d.check(t.Context(), "", strings.Repeat("\x00", argonKey)); got || err != nil {
		t.Error("nobody's password is right", err)
	}
	for _, bad := range []string{"x", "$argon2id$v=19$m=19456,t=2,p=1$$", strings.Replace(one, "m=19456", "m=99999999", 1), strings.Replace(one, "t=2", "t=0", 1)} {
		if _, err := d.check(t.Context(), bad, "x"); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// Accounts are acts like others: who may, and what the ledger says.
func TestAccounts(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for _, login := range []string{"petra", "mary", "aud"} {
		_, _, err := o.MakeLink(o.ctx, o.as(login), "petra")
		refused(t, err, caseforms.Forbidden, "it takes the role admin")
		_, err = o.EndSessionsOf(o.ctx, o.as(login), "petra")
		refused(t, err, caseforms.Forbidden, "it takes the role admin")
	}
	_, _, err := o.MakeLink(o.ctx, o.as("boss"), "nobody")
	refused(t, err, caseforms.NotFound, "no user of this login")
	link, _, err := o.MakeLink(o.ctx, o.as("boss"), "petra")
	o.must(err)
	_, err = o.UseLink(o.ctx, link, "eve", "Eve", "four horses read slowly") // who it is for is not asked again
	o.must(err)
	signed, err := o.SignIn(o.ctx, SignIn{Login: "petra", Password: "four horses read slowly", Address: "192.0.2.1"})
	o.must(err)
	if signed.Actor.Name != "Petra Practitioner" || len(signed.Token) != 43 {
		t.Error(signed)
	}
	now, ended, err := o.Session(o.ctx, signed.Token)
	o.must(err)
	if now == nil || ended != nil || now.Token != "" {
		t.Error("the session is not there, or tells its token")
	}
	if other, _, _ := o.Session(o.ctx, strings.ToUpper(signed.Token)); other != nil {
		t.Error("another token is taken")
	}
	no := false
	o.must(o.ChangeUser(o.ctx, o.as("boss"), "petra", "", nil, nil, &no))
	if now, ended, _ := o.Session(o.ctx, signed.Token); now != nil || ended != nil {
		t.Error("a closed account is signed in")
	}
	_, _, err = o.MakeLink(o.ctx, o.as("boss"), "petra")
	refused(t, err, caseforms.Conflict, "closed")
	_, err = o.SignInBy(o.ctx, "petra", MeansOpenID, "", "")
	refused(t, err, caseforms.Forbidden, "no open account")
	o.intact()
}
