package mail

import (
	"fmt"
	"strings"
	"testing"

	"caseforms"
)

var (
	today  = caseforms.Date{Year: 2026, Month: 12, Day: 1}
	shown  = Demonstration{"TLS test", caseforms.Date{Year: 2026, Month: 3, Day: 1}}
	relays = []Relay{{Name: "open"}, {Name: "forced", Guarantees: TLS}, {Name: "cjsm", Guarantees: CJSM, MaxBytes: 5 << 20}, {Name: "other", Guarantees: TLS, MaxBytes: 1 << 20}}
)

// question is one that is allowed, changed by change.
func question(change func(*Question)) Question {
	q := Question{
		To:       Recipient{ID: "mash-ox", Listed: true, Role: "mash", Organisation: "Oxfordshire", Address: "mash@council.gov.uk", Phone: "01865 000000", Demonstrated: shown},
		Policies: []Policy{{For: "council.gov.uk", Channel: TLS}},
		Relays:   relays, Size: 400_000, Today: today,
	}
	if change != nil {
		change(&q)
	}
	return q
}

func TestDecide(t *testing.T) {
	t.Parallel()
	set := func(ps ...Policy) func(*Question) { return func(q *Question) { q.Policies = ps } }
	forced := Allowed{TLS, "forced", "mash@council.gov.uk", false}
	for name, c := range map[string]struct {
		change func(*Question)
		want   Allowed
		held   Reason
	}{
		"forced TLS":             {nil, forced, ""},
		"nothing known":          {func(q *Question) { *q = Question{} }, Allowed{}, BadAddress},
		"no policy":              {set(), Allowed{}, NoPolicy},
		"policy for another":     {set(Policy{For: "council.gov.uk.example", Channel: TLS}, Policy{For: "ouncil.gov.uk", Channel: TLS}, Policy{For: "sub.council.gov.uk", Channel: TLS}, Policy{Channel: TLS}, Policy{For: ".", Channel: TLS}, Policy{For: "mash2@council.gov.uk", Channel: TLS}), Allowed{}, NoPolicy},
		"policy with no channel": {set(Policy{For: "council.gov.uk"}), Allowed{}, NoPolicy},
		"unknown channel":        {set(Policy{For: "council.gov.uk", Channel: "plain"}), Allowed{}, NoPolicy},
		"domains below":          {set(Policy{For: "gov.uk", Channel: TLS}), forced, ""},
		"one label":              {set(Policy{For: "uk", Channel: TLS}), Allowed{}, NoPolicy},
		"below the domain":       {func(q *Question) { q.To.Address = "mash@sub.council.gov.uk" }, Allowed{TLS, "forced", "mash@sub.council.gov.uk", false}, ""},
		"all strangers":          {func(q *Question) { q.To.Address = "x@y.co.uk"; q.Policies = []Policy{{For: "co.uk", Channel: TLS}} }, Allowed{}, NoPolicy},
		"address before domain":  {set(Policy{For: "council.gov.uk", Channel: TLS}, Policy{For: "MASH@council.gov.uk", Channel: Hand}, Policy{For: "gov.uk", Channel: TLS}), Allowed{}, ByHand},
		"domain before above":    {set(Policy{For: "gov.uk", Channel: TLS}, Policy{For: "Council.gov.uk", Channel: None}), Allowed{}, Blocked},
		"longer above":           {set(Policy{For: "gov.uk", Channel: TLS}, Policy{For: "uk.example", Channel: None}, Policy{For: "x@council.gov.uk", Channel: None}), forced, ""},
		"longest above": {func(q *Question) {
			q.To.Address = "m@a.b.gov.uk"
			q.Policies = []Policy{{For: "b.gov.uk", Channel: Hand}, {For: "gov.uk", Channel: TLS}}
		}, Allowed{}, ByHand},
		"two that disagree":        {set(Policy{For: "council.gov.uk", Channel: TLS}, Policy{For: "council.gov.uk", Channel: Password}), Allowed{}, Ambiguous},
		"two on the relay":         {set(Policy{For: "council.gov.uk", Channel: TLS}, Policy{For: "council.gov.uk", Channel: TLS, Relay: "other"}), Allowed{}, Ambiguous},
		"two that agree":           {set(Policy{For: "council.gov.uk", Channel: TLS}, Policy{For: "council.gov.uk", Channel: TLS}), forced, ""},
		"two less exact":           {set(Policy{For: "gov.uk", Channel: TLS}, Policy{For: "gov.uk", Channel: None}, Policy{For: "council.gov.uk", Channel: TLS}), forced, ""},
		"named relay":              {set(Policy{For: "council.gov.uk", Channel: TLS, Relay: "other"}), Allowed{TLS, "other", "mash@council.gov.uk", false}, ""},
		"relay that may not":       {set(Policy{For: "council.gov.uk", Channel: TLS, Relay: "open"}), Allowed{}, NoRelay},
		"relay that is gone":       {set(Policy{For: "council.gov.uk", Channel: TLS, Relay: "gone"}), Allowed{}, NoRelay},
		"no relay with forced TLS": {func(q *Question) { q.Relays = []Relay{{Name: "open"}, {Name: "cjsm", Guarantees: CJSM}} }, Allowed{}, NoRelay},
		"CJSM":                     {set(Policy{For: "council.gov.uk", Channel: CJSM}), Allowed{CJSM, "cjsm", "mash@council.gov.uk.cjsm.net", false}, ""},
		"already CJSM": {func(q *Question) {
			q.To.Address = "m@x.cjsm.net"
			q.Policies = []Policy{{For: "cjsm.net", Channel: CJSM}}
		}, Allowed{CJSM, "cjsm", "m@x.cjsm.net", false}, ""},
		"CJSM, too long": {func(q *Question) {
			q.To.Address = Address("m@" + strings.Repeat("abcdefghi.", 24) + "gov.uk")
			q.Policies = []Policy{{For: "gov.uk", Channel: CJSM}}
		}, Allowed{}, BadAddress},
		"sealed":                  {set(Policy{For: "council.gov.uk", Channel: Password}), Allowed{Password, "open", "mash@council.gov.uk", true}, ""},
		"sealed needs no showing": {func(q *Question) { q.To.Demonstrated = Demonstration{}; q.Policies[0].Channel = Password }, Allowed{Password, "open", "mash@council.gov.uk", true}, ""},
		"sealed, not by CJSM":     {func(q *Question) { q.Policies[0].Channel = Password; q.Relays = relays[2:3] }, Allowed{}, NoRelay},
		"by hand":                 {set(Policy{For: "council.gov.uk", Channel: Hand}), Allowed{}, ByHand},
		"blocked":                 {set(Policy{For: "council.gov.uk", Channel: None}), Allowed{}, Blocked},
		"never shown":             {func(q *Question) { q.To.Demonstrated = Demonstration{} }, Allowed{}, NotDemonstrated},
		"shown, not how":          {func(q *Question) { q.To.Demonstrated.How = " " }, Allowed{}, NotDemonstrated},
		"shown tomorrow":          {func(q *Question) { q.To.Demonstrated.On = today.AddDays(1) }, Allowed{}, NotDemonstrated},
		"shown today":             {func(q *Question) { q.To.Demonstrated.On = today }, forced, ""},
		"a year to the day":       {func(q *Question) { q.To.Demonstrated.On = today.AddMonths(-12) }, forced, ""},
		"a year and a day":        {func(q *Question) { q.To.Demonstrated.On = today.AddMonths(-12).AddDays(-1) }, Allowed{}, Expired},
		"longer by setting":       {func(q *Question) { q.To.Demonstrated.On = today.AddMonths(-23); q.Months = 24 }, forced, ""},
		"shorter by setting":      {func(q *Question) { q.To.Demonstrated.On = today.AddMonths(-4); q.Months = 3 }, Allowed{}, Expired},
		"CJSM, expired":           {func(q *Question) { q.Policies[0].Channel = CJSM; q.To.Demonstrated.On = today.AddMonths(-13) }, Allowed{}, Expired},
		"shown for the domain":    {func(q *Question) { q.To.Demonstrated = Demonstration{}; q.Policies[0].Demonstrated = shown }, forced, ""},
		"shown again for domain":  {func(q *Question) { q.To.Demonstrated.On = today.AddMonths(-20); q.Policies[0].Demonstrated = shown }, forced, ""},
		"outside the directory":   {func(q *Question) { q.To.Listed = false }, Allowed{}, Unconfirmed},
		"outside, confirmed":      {func(q *Question) { q.To.Listed, q.Confirmed = false, true }, forced, ""},
		"confirmed, no policy":    {func(q *Question) { q.To.Listed, q.Confirmed, q.Policies = false, true, nil }, Allowed{}, NoPolicy},
		"10 MB":                   {func(q *Question) { q.Size = 10 << 20 }, forced, ""},
		"more than 10 MB":         {func(q *Question) { q.Size = 10<<20 + 1 }, Allowed{}, TooLarge},
		"more than the relay has": {func(q *Question) { q.Size = 6 << 20; q.Policies[0].Channel = CJSM }, Allowed{}, TooLarge},
		"bad address":             {func(q *Question) { q.To.Address = "mash" }, Allowed{}, BadAddress},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, urgent := range []bool{false, true} {
				q := question(c.change)
				q.Urgent = urgent
				d := Decide(q)
				switch {
				case (d.Allowed == nil) == (d.Held == nil):
					t.Fatalf("%+v", d)
				case c.held == "" && (d.Held != nil || *d.Allowed != c.want):
					t.Errorf("got %+v %+v, want %+v", d.Allowed, d.Held, c.want)
				case c.held != "" && (d.Held == nil || d.Held.Reason != c.held || d.Held.Why == "" || d.Held.Do == ""):
					t.Errorf("got %+v %+v, want held: %s", d.Allowed, d.Held, c.held)
				}
				if d.Held == nil {
					continue
				}
				// An urgent one says first what to do at once.
				if first := strings.HasPrefix(d.Held.Do, "ring the service now"); first != urgent || urgent && q.To.Phone != "" && !strings.Contains(d.Held.Do, q.To.Phone) {
					t.Errorf("urgent %v: %s", urgent, d.Held.Do)
				}
				if q.To.Address != "" && strings.Contains(d.Held.Why+d.Held.Do, string(q.To.Address)) {
					t.Errorf("tells the address: %s", d.Held.Why)
				}
			}
		})
	}
}

// Policy is asked when a message is queued and again before it is sent. The bytes are those of the first time.
func TestPolicyChangedMeanwhile(t *testing.T) {
	t.Parallel()
	channel := func(c Channel) func(*Question) { return func(q *Question) { q.Policies[0].Channel = c } }
	for name, c := range map[string]struct {
		then, now func(*Question)
		want      Allowed
		held      Reason
	}{
		"nothing":                {nil, nil, Allowed{TLS, "forced", "mash@council.gov.uk", false}, ""},
		"policy removed":         {nil, func(q *Question) { q.Policies = nil }, Allowed{}, NoPolicy},
		"by hand now":            {nil, channel(Hand), Allowed{}, ByHand},
		"blocked now":            {nil, channel(None), Allowed{}, Blocked},
		"must be sealed now":     {nil, channel(Password), Allowed{}, PolicyChanged},
		"need not be sealed now": {channel(Password), channel(TLS), Allowed{TLS, "forced", "mash@council.gov.uk", true}, ""},
		"by CJSM now":            {nil, channel(CJSM), Allowed{}, PolicyChanged},
		"not by CJSM now":        {channel(CJSM), channel(TLS), Allowed{}, PolicyChanged},
		"another relay":          {nil, func(q *Question) { q.Policies[0].Relay = "other" }, Allowed{TLS, "other", "mash@council.gov.uk", false}, ""},
		"a smaller relay":        {nil, func(q *Question) { q.Policies[0].Relay = "other"; q.Size = 2 << 20 }, Allowed{}, TooLarge},
		"relay removed":          {nil, func(q *Question) { q.Relays = nil }, Allowed{}, NoRelay},
		"address changed":        {nil, func(q *Question) { q.To.Address = "mash2@council.gov.uk" }, Allowed{}, PolicyChanged},
		"address in capitals":    {nil, func(q *Question) { q.To.Address = "MASH@council.gov.uk" }, Allowed{TLS, "forced", "mash@council.gov.uk", false}, ""},
		"showing ran out":        {nil, func(q *Question) { q.Today = today.AddMonths(6) }, Allowed{}, Expired},
		"left the directory":     {nil, func(q *Question) { q.To.Listed = false }, Allowed{}, Unconfirmed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			then := Decide(question(c.then))
			if then.Held != nil {
				t.Fatal(then.Held)
			}
			d := Recheck(*then.Allowed, question(c.now))
			switch {
			case c.held == "" && (d.Held != nil || *d.Allowed != c.want):
				t.Errorf("got %+v %+v, want %+v", d.Allowed, d.Held, c.want)
			case c.held != "" && (d.Held == nil || d.Held.Reason != c.held || d.Allowed != nil):
				t.Errorf("got %+v %+v, want held: %s", d.Allowed, d.Held, c.held)
			}
		})
	}
}

// Nothing that is asked is changed by asking, and the same question has the same answer.
func TestDecideIsPure(t *testing.T) {
	t.Parallel()
	q := question(func(q *Question) { q.Policies = append(q.Policies, Policy{For: "gov.uk", Channel: CJSM}) })
	before := append([]Policy(nil), q.Policies...)
	a, b := Decide(q), Decide(q)
	if *a.Allowed != *b.Allowed || a.Allowed == b.Allowed {
		t.Error("two answers")
	}
	for i := range before {
		if q.Policies[i] != before[i] {
			t.Error("a policy was changed")
		}
	}
}

func ExampleDecide() {
	mash := Recipient{Listed: true, Organisation: "Northtown MASH", Address: "mash@northtown.gov.uk", Phone: "01632 960 200",
		Demonstrated: Demonstration{How: "TLS test", On: caseforms.Date{Year: 2026, Month: 11, Day: 1}}}
	q := Question{To: mash, Urgent: true, Today: caseforms.Date{Year: 2026, Month: 12, Day: 1}, Size: EncodedSize(290_000),
		Relays: []Relay{{Name: "main", Guarantees: TLS}}}
	fmt.Println(Decide(q).Held.Why)
	fmt.Println(Decide(q).Held.Do)
	q.Policies = []Policy{{For: "gov.uk", Channel: TLS}}
	fmt.Println(Decide(q).Allowed.Relay, Decide(q).Allowed.To)
	// Output:
	// there is no policy for northtown.gov.uk
	// ring the service now on 01632 960 200, print the document and hand it over, and record both; then ask an administrator to find out how it can be sent to securely, and to write that down as a policy
	// main mash@northtown.gov.uk
}

func TestPolicyCheck(t *testing.T) {
	t.Parallel()
	for p, ok := range map[Policy]bool{
		{For: "council.gov.uk", Channel: TLS}:       true,
		{For: "mash@council.gov.uk", Channel: Hand}: true,
		{For: "gov.uk", Channel: None}:              true,
		{For: "police.uk", Channel: CJSM}:           true,
		{For: "uk", Channel: TLS}:                   false,
		{For: "com", Channel: TLS}:                  false,
		{For: "co.uk", Channel: TLS}:                false,
		{For: ".", Channel: TLS}:                    false,
		{For: "", Channel: TLS}:                     false,
		{For: "*", Channel: TLS}:                    false,
		{For: "*.gov.uk", Channel: TLS}:             false,
		{For: "mash@", Channel: TLS}:                false,
		{For: "council.gov.uk", Channel: "smtp"}:    false,
		{For: "council.gov.uk"}:                     false,
	} {
		if err := p.Check(); (err == nil) != ok {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
