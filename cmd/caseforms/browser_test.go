//go:build !race

package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"caseforms/internal/chromium"
	"caseforms/internal/postoffice"
	"caseforms/mail"
)

const secret = "four horses read slowly"

// agency is the service with a real relay and a real mailbox, and people who use it in a browser.
type agency struct {
	office *postoffice.Office
	b      *chromium.Browser
	url    string
	say    func(who string, args ...string) string // at the command line
}

// newAgency starts everything. Betty, who is the first, adds the others and makes a link for each.
func newAgency(t *testing.T) (a *agency, links map[string]string) {
	a = &agency{b: chromium.Open(t), office: postoffice.Open(t)}
	home := t.TempDir()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	a.say = func(who string, args ...string) string {
		t.Helper()
		posted(t, a.office, home, "people: {"+me.Username+": "+who+"}\n")
		cmd := exec.Command("caseforms", append(args, "--config", "config.yaml")...)
		cmd.Dir, cmd.Env = home, append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
		return string(out)
	}
	posted(t, a.office, home, "serve: {second_factor: optional}\n")
	s := serve(t, home, "--config", "config.yaml")
	a.url = s.url
	link := regexp.MustCompile(`/first/[A-Za-z0-9_-]{43}`)
	betty := a.b.Page(t, s.url, chromium.Way{})
	betty.Go(link.FindString(s.first()))
	betty.Fill("Name for signing in", "betty")
	betty.Fill("Your name, as others know it", "Betty Boss")
	betty.Fill("Password", secret)
	betty.Fill("The same password again", secret)
	betty.Follow("Set the password and sign in")
	links = map[string]string{}
	for _, p := range [][3]string{{"petra", "Petra Practitioner", "Practitioner"}, {"kay", "Kay Keys", "Practitioner"}, {"nora", "Nora Noscript", "Practitioner"}, {"mary", "Mary Manager", "Manager"}} {
		betty.Go("/people")
		betty.Fill("Name for signing in", p[0])
		betty.Fill("The person’s name, as others know it", p[1])
		betty.Fill("Team", "North")
		betty.Choose(p[2])
		betty.Follow("Add")
		betty.Follow("Make a link for " + p[1] + " to set a password")
		links[p[0]] = link.FindString(betty.Text())
	}
	noFaults(t, betty)
	a.say("betty", "policy", "set", "council.example", "--means", "tls", "--demonstrated", time.Now().Format(time.DateOnly), "--how", "a test", "--why", "a test")
	return a, links
}

func noFaults(t *testing.T, p *chromium.Page) {
	t.Helper()
	for _, f := range p.Faults() {
		t.Errorf("%s: %s", p.Path(), f)
	}
}

// From signing in to a referral that was answered, by people in a browser and through a real relay and mailbox: with the mouse, with the keyboard
// alone, and without scripts.
func TestReferralInABrowser(t *testing.T) {
	t.Parallel()
	a, links := newAgency(t)
	for login, way := range map[string]chromium.Way{"petra": {}, "kay": {Keyboard: true}, "nora": {NoScripts: true}} {
		t.Run(login, func(t *testing.T) {
			t.Parallel()
			p := a.b.Page(t, a.url, way)
			p.Go(links[login])
			p.Fill("Password", secret)
			p.Fill("The same password again", secret)
			p.Follow("Set the password and sign in")
			p.Follow("Sign out")
			p.Fill("Name for signing in", login)
			p.Fill("Password", secret)
			p.Follow("Sign in")
			theirs := login + "@council.example" // each writes to somebody else
			ref := check(t, p, way, login, theirs)
			a.answered(t, p, ref, theirs)
			if way == (chromium.Way{}) {
				a.countersigned(t, p, links["mary"])
			}
			noFaults(t, p)
		})
	}
}

// date fills in a day.
func date(p *chromium.Page, group string, day time.Time) {
	p.Fill(group+" > Day", fmt.Sprint(day.Day()))
	p.Fill(group+" > Month", fmt.Sprint(int(day.Month())))
	p.Fill(group+" > Year", fmt.Sprint(day.Year()))
}

// check fills in and issues a check with children's social care. It gives the reference.
func check(t *testing.T, p *chromium.Page, way chromium.Way, login, theirs string) string {
	p.Follow("Start a form")
	if way.Keyboard { // nobody has to go through the menu
		p.Tab()
		p.Focuses("Skip to main content")
		p.Press("Skip to main content")
		p.Tab()
		p.FocusIn("main")
	}
	p.Choose("SAFEGUARDING CHILDREN – Check/Notification Form")
	p.Follow("Start")
	p.See("Not started")

	p.Follow("Parties")
	p.Follow("Add: Children's services")
	p.Fill("TO: Children’s Social Care of", "Northtown Council")
	p.Fill("Email", theirs)
	p.Follow("Save")
	p.Fill("Offender manager", "Petra Practitioner")
	p.Fill("Lines", "1 Probation Way\nNorthtown")
	p.Fill("Telephone", "01632 960101")
	p.Fill("Email", postoffice.Ours)
	p.Follow("Save and continue")

	// A day that there is not is told, and its message leads to the field. What was typed stays.
	p.Fill("Given names", "Chris")
	p.Fill("Family name", "Invented-"+login)
	date(p, "Date of Birth", time.Date(1985, 2, 3, 0, 0, 0, 0, time.UTC))
	p.Fill("Date of Birth > Month", "13")
	p.Follow("Save and continue")
	p.See("There is a problem")
	message := regexp.MustCompile(`(?m)^Date of [Bb]irth.*$`).FindString(p.Text())
	if !way.NoScripts {
		p.Focuses("There is a problem")
	}
	p.Press(message)
	p.Focuses("Day")
	p.Fill("Date of Birth > Month", "2")
	p.Follow("Add: Address")
	p.Fill("Lines", "2 Invented Street\nNorthtown")
	p.Choose("Kind of address > Current address")
	p.Follow("Save")
	p.Follow("Add: Offence")
	p.Fill("Offence", "Theft")
	p.Follow("Save")
	p.Follow("Add another : Offence")
	p.Fill("Offence", "Common assault")
	p.Follow("Save")
	p.See("Theft", "Common assault")
	p.Follow("Save and continue")

	p.Follow("Save and go to the list of parts")
	p.Follow("REQUEST FOR INFORMATION")
	p.Fill("via e-mail to", postoffice.Ours)
	p.Follow("Save and continue")
	p.Choose("Role > Senior Probation Officer")
	p.Fill("Signature", "Petra Practitioner")
	date(p, "Date", time.Now())
	p.Follow("Save and go to the list of parts")
	// Somebody in custody has a prison, and so that is asked for.
	p.Follow("Other facts that this form goes by")
	p.Choose("The person: Where the person is > In custody")
	p.Follow("Save and go to the list of parts")
	p.Follow("Check your answers")
	wrong := regexp.MustCompile(`(?m)^Prison establishment.*$`).FindString(p.See("Before this form can be issued"))
	p.Follow(wrong)
	p.Fill("Prison establishment", "HMP Invented")
	date(p, "Release date", time.Now().AddDate(0, 2, 0))
	p.Follow("Save and go to the list of parts")
	p.Follow("Check your answers")
	p.See("As it will be printed", "Invented-"+login)
	p.Printed("The form as it will be printed, marked as a draft")
	p.Follow("Continue")
	if strings.Contains(p.Text(), "Why does the form go without these answers?") {
		p.Fill("Why does the form go without these answers?", "Not known yet")
	}
	p.Follow("Issue it only")
	ref := regexp.MustCompile(`CF-[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(p.See("was issued as"))
	if ref == "" {
		t.Fatalf("no reference: %s", p.Text())
	}
	return ref
}

// answered sends a document, lets the other agency answer, and records what it says.
func (a *agency) answered(t *testing.T, p *chromium.Page, ref, theirs string) {
	p.Go("/documents/" + ref)
	p.Follow("Send by e-mail")
	p.Fill("Another e-mail address", theirs)
	p.Fill("How did you make sure that the address is right?", "they told me by telephone")
	p.Follow("Continue")
	p.See("Nothing was sent yet", theirs)
	p.Follow("Send it")
	sent := mail.Read(a.office.Arrived(t, theirs, 1)[0])
	if len(sent.Files) != 1 || sent.Files[0].Name != "check-"+ref+".pdf" {
		t.Fatalf("what arrived has the files %v", sent.Files)
	}
	p.Wait("None yet") // it is sent, and an answer is awaited
	to := regexp.MustCompile(`safeguarding\+[a-z2-7]{16}@`).FindString(sent.Text) + strings.Split(postoffice.Ours, "@")[1]
	a.office.Inject(t, theirs, to, []byte("From: "+theirs+"\r\nTo: "+to+"\r\nSubject: Re: "+ref+"\r\nMessage-ID: <"+ref+"@council.example>\r\n\r\nThe children are not known here.\r\n"))
	p.Go("/inbox")
	p.Wait("Re: " + ref)
	p.Go("/")
	p.See("Re: " + ref)
	p.Follow(regexp.MustCompile(`(Message [0-9]+)\s+` + regexp.QuoteMeta(theirs)).FindStringSubmatch(p.Text())[1])
	p.See("The children are not known here.")
	p.Follow("Record what it says")
	p.Choose("There are no concerns.")
	p.Follow("Record the answer")
	p.See("Answered")
}

// countersigned has a manager endorse what somebody else issued, who is not offered to do it.
func (a *agency) countersigned(t *testing.T, p *chromium.Page, link string) {
	sample, err := filepath.Abs("../../samples/cases/07-level-3.json")
	if err != nil {
		t.Fatal(err)
	}
	a.say("petra", "draft", "save", "pp1", sample)
	id := regexp.MustCompile(`DR-[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(a.say("petra", "draft", "list"))
	p.Go("/drafts/" + id)
	p.Follow("Check your answers")
	p.Follow("Continue")
	for _, odd := range []string{"Early-warning triggers: and a strong risk together call for an early-warning referral to the Public Protection Unit",
		"Expected release: is nearer than the notice wanted, six months before release and twelve where the risk on release is imminent"} {
		p.Fill("Why do you go on with this answer? "+odd, "She was moved here")
	}
	p.Follow("Issue it, to be countersigned")
	p.See("Not countersigned yet")
	p.Press("Issued although these warnings stood: 2")
	p.See("She was moved here")
	if p.Has("Countersign it") {
		t.Error("whoever issued it is offered to countersign it")
	}
	mary := a.b.Page(t, a.url, chromium.Way{})
	mary.Go(link)
	mary.Fill("Password", secret)
	mary.Fill("The same password again", secret)
	mary.Follow("Set the password and sign in")
	mary.Go(p.Path())
	mary.Follow("Countersign issue 1")
	mary.See("She was moved here")
	mary.Fill("What do you say of it?", "The level is right.")
	mary.Follow("Countersign it")
	noFaults(t, mary)
	p.Go(p.Path())
	p.See("Countersigned by Mary Manager", "The level is right.")
}
