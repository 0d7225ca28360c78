// Package casework is what people do with cases: one method for each act, used alike by the command line and the pages. It hides who may do
// what, what an act consists of, and what the ledger is to remember of it. It knows no flags, no HTTP and no SQL.
//
// Every act takes an [caseforms.Actor]. An act that fails has changed nothing. Whoever looks at the content of a case is in the ledger,
// and so is whoever was refused a case.
package casework

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"caseforms"
	"caseforms/internal/store"
)

// Desk is where the acts are done.
type Desk struct {
	store *store.Store
	load  func(area string) (*caseforms.Definitions, error)

	// Closed are days beside the bank holidays on which these offices are shut.
	closed []caseforms.Holiday

	post         *Post // nil: nothing goes by e-mail
	door         *door
	factorNeeded bool
	renderer     func() (string, error)
	keys         keyUse
	complete     remembered // see completeKey
	draftUrgent  remembered // by draft and version
	bundles      bundles
	lease        time.Duration // how long a claim of the outbox lasts; shorter in tests
}

// New is a desk on a store. load gives the definitions of an area; it is asked once for each, because reading them takes longer than most acts.
func New(s *store.Store, load func(area string) (*caseforms.Definitions, error)) *Desk {
	return &Desk{store: s, load: once(load), renderer: sync.OnceValues(programSum), lease: leaseTime, door: newDoor()}
}

// once remembers what was loaded. What could not be loaded is tried again.
func once(load func(area string) (*caseforms.Definitions, error)) func(string) (*caseforms.Definitions, error) {
	var mu sync.Mutex
	loaded := map[string]*caseforms.Definitions{}
	return func(area string) (*caseforms.Definitions, error) {
		mu.Lock()
		defer mu.Unlock()
		if d := loaded[area]; d != nil {
			return d, nil
		}
		d, err := load(area)
		if err == nil {
			loaded[area] = d
		}
		return d, err
	}
}

// Close says on which days beside the bank holidays the offices are shut. It is called before anything else.
func (k *Desk) Close(days ...caseforms.Holiday) { k.closed = days }

// programSum is the SHA-256 of the running program, in hexadecimal. The same program makes the same bytes of the same answers; of another
// one only the answers can be compared.
func programSum() (string, error) {
	name, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// today is the day in London, which the forms go by.
func (k *Desk) today() caseforms.Date { return caseforms.DateOf(caseforms.London(k.store.Now())) }

// see lets an actor see the content of a case, or refuses in words and puts the attempt into the ledger. what is what they wanted to do.
func (k *Desk) see(ctx context.Context, a caseforms.Actor, c *store.Case, what string) error {
	var err error
	switch {
	case !c.Erased.IsZero():
		return erased(c)
	case !a.Is(caseforms.RolePractitioner, caseforms.RoleManager):
		err = a.Need(what, caseforms.RolePractitioner, caseforms.RoleManager)
	case c.Restricted && !allowed(a, c.Access):
		err = &caseforms.Error{Kind: caseforms.Forbidden, Msg: "case " + string(c.ID) + " is restricted and you are not among those who may see it; that you asked is recorded",
			Hint: "if you need it for your work, ask your manager or an admin"}
	}
	if err == nil {
		return nil
	}
	if e := k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "refused", Actor: a.ID, Case: c.ID, Detail: map[string]string{"wanted": what}}); e != nil {
		return e
	}
	return err
}

func erased(c *store.Case) error {
	return &caseforms.Error{Kind: caseforms.NotFound, Msg: "case " + string(c.ID) + " was erased on " + longDate(c.Erased), Hint: "its references and what was done with it are still in the ledger: caseforms show"}
}

func allowed(a caseforms.Actor, to []store.Access) bool {
	return slices.ContainsFunc(to, func(x store.Access) bool {
		return x.Kind == accessPerson && x.Who == a.ID || x.Kind == accessTeam && a.Team != "" && strings.EqualFold(x.Who, a.Team)
	})
}

// The kinds of access to a restricted case.
const (
	accessPerson = "person"
	accessTeam   = "team"
)

// Restrict lets only some people (by login) and teams see a case; with nobody named, everybody whose role allows it sees it again.
func (k *Desk) Restrict(ctx context.Context, a caseforms.Actor, id caseforms.CaseID, logins, teams []string, why string) error {
	if err := a.Need("change who may see a case", caseforms.RoleManager, caseforms.RoleAdmin); err != nil {
		return err
	}
	c, err := k.store.FindCase(ctx, id)
	if err != nil {
		return err
	}
	if !c.Erased.IsZero() {
		return erased(c)
	}
	if c.Restricted && !a.Is(caseforms.RoleAdmin) {
		if err := k.see(ctx, a, c, "change who may see this case"); err != nil {
			return err
		}
	}
	restricted := len(logins)+len(teams) > 0
	if why = strings.TrimSpace(why); why == "" {
		return needsReason("changing who may see a case")
	}
	users, err := k.store.Users(ctx)
	if err != nil {
		return err
	}
	var to []store.Access
	for _, l := range logins {
		i := slices.IndexFunc(users, func(u store.User) bool { return strings.EqualFold(u.Login, l) })
		if i < 0 {
			return noUser(l)
		}
		to = append(to, store.Access{Kind: accessPerson, Who: users[i].ID})
	}
	detail := map[string]string{"why": why}
	for _, t := range teams {
		if !slices.ContainsFunc(users, func(u store.User) bool { return u.Active && strings.EqualFold(u.Team, t) }) {
			return &caseforms.Error{Kind: caseforms.NotFound, Msg: "nobody is in a team of this name", Hint: "caseforms user list shows people and teams"}
		}
		to = append(to, store.Access{Kind: accessTeam, Who: t})
	}
	for i, x := range to {
		detail[fmt.Sprintf("to %d", i+1)] = x.Kind + " " + x.Who
	}
	what := "case opened to everybody again"
	if restricted {
		what = "case restricted"
	}
	return again(k.store.Restrict(ctx, id, restricted, to, store.Entry{What: what, Actor: a.ID, Case: id, Detail: detail}))
}

func needsReason(act string) error {
	return &caseforms.Error{Kind: caseforms.Invalid, Msg: act + " needs a reason", Hint: "say why with --why"}
}

// again turns the store's word that something changed meanwhile into one for people.
func again(err error) error {
	if errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrTaken) {
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: "somebody else changed it at the same moment; nothing was done", Hint: "look at it and do it again"}
	}
	return err
}
