package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/boombuler/barcode/qr"

	"caseforms"
	"caseforms/internal/casework"
)

func (s *Service) factorRoutes() []Route {
	return []Route{
		{Method: "GET", Pattern: "/sign-in/second", Who: Anybody(), Do: s.secondPage, Quiet: true},
		{Method: "POST", Pattern: "/sign-in/second", Who: Anybody(), Do: s.second, Body: 16 << 10, Secret: true},
		{Method: "GET", Pattern: "/sign-in/second/code.svg", Who: Anybody(), Do: s.secondPicture, Quiet: true},
		{Method: "GET", Pattern: "/confirm", Who: SignedIn(), Do: s.confirmPage},
		{Method: "POST", Pattern: "/confirm", Who: SignedIn(), Do: s.confirm, Body: 16 << 10, Secret: true},
		{Method: "GET", Pattern: "/account/second-factor", Who: SignedIn(), Do: s.factor},
		{Method: "GET", Pattern: "/account/second-factor/code.svg", Who: SignedIn(), Do: s.factorPicture, Quiet: true},
		{Method: "POST", Pattern: "/account/second-factor/begin", Who: SignedIn(), Do: s.beginFactor, Body: 16 << 10, Proven: true},
		{Method: "POST", Pattern: "/account/second-factor", Who: SignedIn(), Do: s.setFactor, Body: 16 << 10, Proven: true, Secret: true},
		{Method: "POST", Pattern: "/account/second-factor/codes", Who: SignedIn(), Do: s.newCodes, Body: 16 << 10, Proven: true},
		{Method: "POST", Pattern: "/account/second-factor/remove", Who: SignedIn(), Do: s.removeFactor, Body: 16 << 10, Proven: true},
		{Method: "POST", Pattern: "/people/{user:u-[0-9a-f]{10}}/reset", Who: Only(caseforms.RoleAdmin), Do: s.resetFactor, Body: 16 << 10, Proven: true},
	}
}

// secretData is what is shown of a secret that an app is to have; its picture is under Picture.
type secretData struct {
	Secret, Picture, Action, Next string
}

func newSecretData(e *casework.Enrolment, picture, action, next string) *secretData {
	var groups []string
	for i := 0; i < len(e.Secret); i += 4 {
		groups = append(groups, e.Secret[i:min(i+4, len(e.Secret))])
	}
	return &secretData{Secret: strings.Join(groups, " "), Picture: picture, Action: action, Next: next}
}

// stepped sends somebody on to give a code when that is what an error says.
func (s *Service) stepped(w http.ResponseWriter, r *Request, err error, next string) (bool, error) {
	var step *casework.SecondStep
	if !errors.As(err, &step) {
		return false, err
	}
	s.setCookie(w, "second", step.Token)
	return true, seeOther(w, r, "/sign-in/second?"+url.Values{"next": {next}}.Encode())
}

// between is the token of a browser between password and code.
func (s *Service) between(r *Request) string {
	c, err := r.Cookie(s.cookie("second"))
	if err != nil {
		return ""
	}
	return c.Value
}

func (s *Service) secondPage(w http.ResponseWriter, r *Request) error {
	return s.secondStep(w, r, s.inside(r.URL.Query().Get("next")), 0)
}

func (s *Service) secondStep(w http.ResponseWriter, r *Request, next string, code int, ps ...FieldProblem) error {
	e, err := s.desk.SecondStepOf(r.Context(), s.between(r))
	if err != nil {
		return err
	}
	if e != nil {
		return s.page(w, r, "second-set", Page{Title: "Set up an app for codes", Form: true, Status: code, Problems: ps, Data: newSecretData(e, "/sign-in/second/code.svg", "/sign-in/second", next)})
	}
	return s.page(w, r, "second", Page{Title: "Enter a code", Form: true, Status: code, Problems: ps, Data: struct{ Next string }{next}})
}

func (s *Service) second(w http.ResponseWriter, r *Request) error {
	next, code := s.inside(r.PostFormValue("next")), r.Field("code")
	if code == "" {
		return s.secondStep(w, r, next, http.StatusUnprocessableEntity, FieldProblem{"code", "Enter a code"})
	}
	signed, codes, err := s.desk.FinishSignIn(r.Context(), s.between(r), s.address(r.Request), code)
	s.metrics.signIn(casework.MeansPassword, err)
	if p := codeProblem(err); p != nil {
		return s.secondStep(w, r, next, http.StatusUnprocessableEntity, *p)
	}
	if err != nil {
		return err
	}
	s.setCookie(w, "second", "")
	s.setCookie(w, "session", signed.Token)
	if codes == nil {
		return seeOther(w, r, next)
	}
	r.Signed, r.Actor = signed, signed.Actor
	return s.codesPage(w, r, codes, next)
}

// codeProblem is the message beside a code that was wrong; nil when something else was the matter, or nothing.
func codeProblem(err error) *FieldProblem {
	var ours *caseforms.Error
	if errors.As(err, &ours) && ours.Kind == caseforms.Invalid {
		return &FieldProblem{"code", sentence(ours.Msg) + ". " + hint(ours.Hint)}
	}
	return nil
}

func (s *Service) secondPicture(w http.ResponseWriter, r *Request) error {
	e, err := s.desk.SecondStepOf(r.Context(), s.between(r))
	if err != nil {
		return err
	}
	return picture(w, e)
}

func (s *Service) factorPicture(w http.ResponseWriter, r *Request) error {
	return picture(w, r.Desk.Enrolling(r.Signed.ID))
}

// picture draws the QR code of a secret.
func picture(w http.ResponseWriter, e *casework.Enrolment) error {
	if e == nil {
		return &caseforms.Error{Kind: caseforms.NotFound, Msg: "nothing is being set up"}
	}
	code, err := qr.Encode(e.URI, qr.M, qr.Auto)
	if err != nil {
		return err
	}
	const quiet = 4 // modules around it (ISO/IEC 18004)
	size := code.Bounds().Dx()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[1]dH0z"/><path d="`, size+2*quiet)
	for y := range size {
		for x := range size {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	w.Header().Set("Content-Type", "image/svg+xml; charset=utf-8")
	_, err = w.Write([]byte(b.String()))
	return err
}

func (s *Service) codesPage(w http.ResponseWriter, r *Request, codes []string, next string) error {
	return s.page(w, r, "second-codes", Page{Title: "Keep your recovery codes", Data: struct {
		Codes []string
		Next  string
	}{codes, next}})
}

type factorData struct {
	Password, Set, Needed bool
	Since                 string
	Left                  int
	Secret                *secretData // while it is being set up
}

func (s *Service) factor(w http.ResponseWriter, r *Request) error { return s.factorPage(w, r, 0) }

func (s *Service) factorPage(w http.ResponseWriter, r *Request, code int, ps ...FieldProblem) error {
	f, set, err := r.Desk.Factor(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	d := factorData{Password: r.Signed.Means == casework.MeansPassword, Set: set, Needed: r.Desk.FactorNeeded(), Since: clock(f.Set), Left: f.Left}
	if e := r.Desk.Enrolling(r.Signed.ID); e != nil {
		d.Secret = newSecretData(e, "/account/second-factor/code.svg", "/account/second-factor", "")
	}
	return s.page(w, r, "second-factor", Page{Title: "Codes from an app", Status: code, Form: true, Problems: ps, Crumbs: []Link{{"Your account", "/account"}}, Data: d})
}

func (s *Service) beginFactor(w http.ResponseWriter, r *Request) error {
	if err := r.Desk.BeginFactor(r.Context(), r.Actor, r.Signed.ID); err != nil {
		return err
	}
	return seeOther(w, r, "/account/second-factor")
}

func (s *Service) setFactor(w http.ResponseWriter, r *Request) error {
	codes, err := r.Desk.SetFactor(r.Context(), r.Actor, r.Signed.ID, s.address(r.Request), r.Field("code"))
	if p := codeProblem(err); p != nil {
		return s.factorPage(w, r, http.StatusUnprocessableEntity, *p)
	}
	if err != nil {
		return err
	}
	return s.codesPage(w, r, codes, "/account/second-factor")
}

func (s *Service) newCodes(w http.ResponseWriter, r *Request) error {
	codes, err := r.Desk.NewRecoveryCodes(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	return s.codesPage(w, r, codes, "/account/second-factor")
}

func (s *Service) removeFactor(w http.ResponseWriter, r *Request) error {
	if err := r.Desk.RemoveFactor(r.Context(), r.Actor, r.Signed.ID); err != nil {
		return err
	}
	s.notify(r, Notice{Good: true, Text: "You sign in with your password alone now. You are signed out everywhere else."})
	return seeOther(w, r, "/account/second-factor")
}

func (s *Service) resetFactor(w http.ResponseWriter, r *Request) error {
	login, err := s.login(r)
	if err != nil {
		return err
	}
	if err := r.Desk.ResetFactor(r.Context(), r.Actor, login); err != nil {
		return err
	}
	s.notify(r, Notice{Good: true, Text: "Their app, their password and their API keys do not work any more, and they are signed out. When you are sure who they are, make a link and hand it to them."})
	return seeOther(w, r, "/people")
}

// errProve says that somebody has to prove first who they are.
var errProve = errors.New("prove who you are first")

// sendToProve sends somebody to prove who they are, and back again. What they sent is kept for them.
func (s *Service) sendToProve(w http.ResponseWriter, r *Request) {
	q := url.Values{}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		q.Set("next", s.inside(r.URL.RequestURI()))
	} else if !r.route.Secret && s.keep(r, r.Actor.ID, true) {
		q.Set("next", "/carry-on")
	} else if u, err := url.Parse(r.Referer()); err == nil && u.Host == r.Host { // nothing was typed there; it is one click more
		q.Set("next", s.inside(u.RequestURI()))
	}
	http.Redirect(w, r.Request, "/confirm?"+q.Encode(), http.StatusSeeOther)
}

type confirmData struct {
	Password, Code bool
	OpenID         string // the address at which the provider asks again; "" is none
	Login, Next    string
}

func (s *Service) confirmPage(w http.ResponseWriter, r *Request) error {
	return s.askProof(w, r, s.inside(r.URL.Query().Get("next")), 0)
}

func (s *Service) askProof(w http.ResponseWriter, r *Request, next string, code int, ps ...FieldProblem) error {
	d := confirmData{Password: r.Signed.Means == casework.MeansPassword, Login: r.Signed.Login, Next: next}
	if d.Password {
		var err error
		if _, d.Code, err = r.Desk.Factor(r.Context(), r.Actor); err != nil {
			return err
		}
	} else if s.openID != nil {
		d.OpenID = "/sign-in/openid?" + url.Values{"again": {"1"}, "next": {next}}.Encode()
	}
	return s.page(w, r, "confirm", Page{Title: "Show that it is you", Form: true, Status: code, Problems: ps, Data: d})
}

func (s *Service) confirm(w http.ResponseWriter, r *Request) error {
	next := s.inside(r.PostFormValue("next"))
	signed, err := r.Desk.Prove(r.Context(), r.Signed, s.address(r.Request), r.PostFormValue("password"), r.Field("code"))
	var ours *caseforms.Error
	if errors.As(err, &ours) && ours.Kind == caseforms.Invalid {
		field := "code"
		if ours.Hint == "" {
			field = "password"
		}
		return s.askProof(w, r, next, http.StatusUnprocessableEntity, FieldProblem{field, strings.TrimSpace(sentence(ours.Msg) + ". " + hint(ours.Hint))})
	}
	if err != nil {
		return err
	}
	return s.begun(w, r, signed, next)
}
