package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/internal/web"
	"caseforms/mail"
	"caseforms/samples"
	"caseforms/templates"
)

var serveCommand = &command{
	name: "serve", args: "", does: "the pages and the HTTP API; sends what is due and takes in what comes when e-mail is configured",
	example: "caseforms serve --demo", stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address to listen on")
		inv.set.BoolVar(&o.demo, "demo", false, "invented cases and people in a folder that is deleted at the end; on this machine only")
		inv.set.StringVar(&o.tlsCert, "tls-cert", "", "file with the certificate and those above it, as PEM")
		inv.set.StringVar(&o.tlsKey, "tls-key", "", "file with its key, as PEM")
		inv.set.BoolVar(&o.behindProxy, "behind-proxy", false, "every request comes from a proxy of ours that speaks https and sets X-Forwarded-Proto and X-Forwarded-For")
		inv.set.StringVar(&o.metrics, "metrics", "", "address for the figures (/metrics); else they are on the same address, for this machine only")
	},
	run: func(ctx context.Context, inv *invocation) error {
		if err := inv.want(0, 0); err != nil {
			return err
		}
		return inv.serve(ctx)
	},
}

// serveConfig is what the configuration says of the service.
type serveConfig struct {
	Url    string // that people type: https://caseforms.probation.example
	Openid *openIDConfig
	// SecondFactor is optional or required (default): whether nobody signs in with a password alone.
	SecondFactor string
}

func (c *serveConfig) factorNeeded() (bool, error) {
	switch {
	case c == nil || c.SecondFactor == "" || c.SecondFactor == "required":
		return true, nil
	case c.SecondFactor == "optional":
		return false, nil
	}
	return false, &caseforms.Error{Kind: caseforms.Invalid, Msg: "second_factor in the configuration is neither required nor optional"}
}

type openIDConfig struct {
	Issuer string
	Client string
	Secret string   // file with the client's secret; "" for a public client
	Claim  string   // what a login is read from: email, preferred_username, sub
	Proof  []string // acr or amr, one of which the provider has to tell
	Label  string   // of the button
}

// How long a request may take. What is under way when the program is told to end has closeTime to finish.
const (
	headerTime = 5 * time.Second
	readTime   = time.Minute
	writeTime  = 2 * time.Minute
	idleTime   = 2 * time.Minute
	headerMost = 32 << 10
	closeTime  = 30 * time.Second
)

// loopback tells whether an address to listen on is reached from this machine only.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// gcPercent lets more garbage lie than Go does by itself: a tenth of the processor for some 50 MB.
const gcPercent = 300

func (inv *invocation) serve(ctx context.Context) (err error) {
	o := &inv.opt
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return errUsage{"--tls-cert and --tls-key go together"}
	}
	secure := o.tlsCert != "" || o.behindProxy
	switch {
	case o.tlsCert != "" && o.behindProxy:
		return errUsage{"either --tls-cert or --behind-proxy"}
	case o.demo && (!loopback(o.listen) || secure):
		return errUsage{"a demonstration is for this machine only: --listen 127.0.0.1:8080, without TLS or proxy"}
	case !loopback(o.listen) && !secure:
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "without encryption only this machine is listened to; " + o.listen + " can be reached from others",
			Hint: "give --tls-cert and --tls-key, or --behind-proxy when a proxy of yours speaks https"}
	case o.metrics != "" && !loopback(o.metrics) && o.demo:
		return errUsage{"a demonstration is for this machine only"}
	}
	c, err := inv.config()
	if err != nil {
		return err
	}
	area, err := inv.areaName()
	if err != nil {
		return err
	}
	opts := web.Options{Load: templates.Load, Area: area, Secure: secure, Proxy: o.behindProxy, AnyHost: secure, Log: web.NewLog(inv.stderr)}
	if c.Serve != nil && !o.demo {
		if opts.URL = c.Serve.Url; opts.URL != "" {
			opts.AnyHost = false
		}
		if opts.OpenID, err = c.openID(); err != nil {
			return err
		}
	}
	factor, err := c.Serve.factorNeeded()
	if err != nil {
		return err
	}
	var certs *certificates
	if o.tlsCert != "" {
		if certs, err = newCertificates(o.tlsCert, o.tlsKey); err != nil {
			return err
		}
		certs.log = opts.Log
	}
	// The addresses are taken before the store is opened: a second program on the same one is told so at once.
	listener, err := listen(o.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	var figures net.Listener
	if o.metrics != "" {
		if figures, err = listen(o.metrics); err != nil {
			return err
		}
		defer figures.Close()
	}
	begun := false
	defer func() {
		if !begun && ctx.Err() != nil { // it was told to end before it had begun, and does
			err = nil
		}
	}()
	var done func() error
	if o.demo {
		opts.Desk, opts.Demo, done, err = inv.demo(ctx)
	} else {
		opts.Desk, done, err = inv.openDesk(ctx, true)
	}
	if err != nil {
		return err
	}
	defer func() {
		if e := done(); err == nil {
			err = e
		}
	}()
	if factor && !o.demo {
		opts.Desk.RequireFactor()
	}
	s, err := web.New(opts)
	if err != nil {
		return err
	}
	defer s.Close()
	defer func() { _ = opts.Desk.SaveThrottles(context.WithoutCancel(ctx)) }() // what was counted since the last minute, at most, is lost
	base := "http://" + listener.Addr().String()
	if certs != nil {
		base = "https://" + listener.Addr().String()
		listener = tls.NewListener(listener, certs.config())
	}
	if opts.URL != "" {
		base = strings.TrimRight(opts.URL, "/")
	}
	work, err := inv.background(s, opts)
	if err != nil {
		return err
	}
	defer work.close()
	if err := inv.welcome(ctx, opts, base); err != nil {
		return err
	}
	at := []any{"listen", listener.Addr().String()}
	if figures != nil {
		at = append(at, "metrics", figures.Addr().String())
	}
	opts.Log.Info("listening", at...)
	begun = true
	return inv.answer(ctx, s, listener, figures, work)
}

func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the address " + address + " cannot be listened on", Err: plain(err), Hint: "another program may use it; --listen names another"}
	}
	return l, nil
}

// welcome tells where the pages are and, as long as nobody can sign in, how to begin. It goes to standard output: standard error is the log.
func (inv *invocation) welcome(ctx context.Context, opts web.Options, base string) error {
	say := func(kind, url, words string) {
		if inv.json {
			inv.object(inv.stdout, "type", kind, "url", url)
			return
		}
		fmt.Fprintln(inv.stdout, words)
	}
	say("listening", base, base)
	if len(opts.Demo) > 0 {
		if !inv.json {
			fmt.Fprintln(inv.stdout, "a demonstration: everybody is invented, and everything is deleted when the program ends")
		}
		return nil
	}
	token, err := opts.Desk.FirstLink(ctx, opts.OpenID != nil)
	if err != nil || token == "" {
		return err
	}
	link := base + "/first/" + token
	say("first link", link, "nobody can sign in yet. The admin sets a password here, once, within two days:\n  "+link)
	return nil
}

// answer answers requests until the context ends, and then finishes what is under way.
func (inv *invocation) answer(ctx context.Context, s *web.Service, listener, figures net.Listener, work *background) error {
	server := func(h http.Handler) *http.Server {
		return &http.Server{Handler: h, ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime, MaxHeaderBytes: headerMost,
			ErrorLog: log.New(io.Discard, "", 0)} // it tells addresses of people
	}
	failed := make(chan error, 2)
	pages := server(s.Handler())
	servers := []*http.Server{pages}
	go func() { failed <- pages.Serve(listener) }()
	if figures != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", s.Metrics())
		extra := server(mux)
		servers = append(servers, extra)
		go func() { failed <- extra.Serve(figures) }()
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	work.start(working)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.Closing()
	stop()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	for _, x := range servers {
		if e := x.Shutdown(end); e != nil {
			x.Close()
			if err == nil && !errors.Is(e, context.DeadlineExceeded) {
				err = e
			}
		}
	}
	work.wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// background is the work that goes on beside the pages.
type background struct {
	jobs  []chore
	all   sync.WaitGroup
	close func()
	log   *slog.Logger
	told  func(job string, err error)
}

type chore struct {
	name  string
	pause time.Duration
	do    func(context.Context) error
}

// retryAfter is how long to wait after something in the background failed.
const retryAfter = 30 * time.Second

// background says what there is to do: the ladder of follow-ups, sessions whose time is over and, when e-mail is configured, the outbox and the inbox.
func (inv *invocation) background(s *web.Service, opts web.Options) (*background, error) {
	k := opts.Desk
	b := &background{close: func() {}, log: opts.Log, told: s.Worked}
	b.jobs = append(b.jobs,
		chore{"ladder", time.Minute, func(ctx context.Context) error { _, err := k.Tick(ctx); return err }},
		chore{"sessions", 10 * time.Minute, k.SweepSessions},
		chore{"throttles", time.Minute, k.SaveThrottles},
		chore{"batches", time.Minute, s.TidyBatches})
	c, err := inv.config()
	if err != nil || inv.opt.demo || c.Mail == nil {
		return b, err
	}
	alerts := func(ctx context.Context, since time.Time) error {
		out, err := k.Trouble(context.WithoutCancel(ctx), since)
		for _, x := range out {
			opts.Log.Warn("alert", "ref", string(x.Ref), "standing", string(x.Standing), "urgent", x.Urgent)
		}
		return err
	}
	courier, err := k.Courier()
	if err != nil {
		return nil, err
	}
	b.close = courier.Close
	b.jobs = append(b.jobs, chore{"outbox", outboxPause, func(ctx context.Context) error {
		since := k.Now()
		_, err := k.Deliver(ctx, courier, outboxWorkers)
		return errors.Join(err, alerts(ctx, since))
	}})
	if c.Mail.Inbox == nil {
		return b, nil
	}
	o, err := inv.storeOptions()
	if err != nil {
		return nil, err
	}
	name, box, err := c.inbox(o.Clock)
	if err != nil {
		return nil, err
	}
	b.close = func() { courier.Close(); box.Close() }
	quiet := *inv
	quiet.stderr, quiet.json = io.Discard, false
	b.jobs = append(b.jobs, chore{"inbox", 0, func(ctx context.Context) error { return takeInAndWait(ctx, &quiet, k, box, name, alerts) }})
	return b, nil
}

// takeInAndWait takes in what is new and waits for more.
func takeInAndWait(ctx context.Context, quiet *invocation, k *casework.Desk, box mail.Inbox, name string, alerts func(context.Context, time.Time) error) error {
	since := k.Now()
	_, err := quiet.takeIn(ctx, k, box, name)
	if err = errors.Join(err, alerts(ctx, since)); err != nil {
		return err
	}
	return box.Wait(ctx, inboxWait)
}

// start begins every job. What fails is tried again; it stands in the log and in the figures.
func (b *background) start(ctx context.Context) {
	for _, j := range b.jobs {
		b.all.Go(func() {
			for ctx.Err() == nil {
				err := j.do(ctx)
				if ctx.Err() != nil {
					return
				}
				b.told(j.name, err)
				pause := j.pause
				if err != nil {
					b.log.Error("work in the background failed", "job", j.name, "kind", kindOf(err))
					pause = retryAfter
				}
				select {
				case <-ctx.Done():
				case <-time.After(pause):
				}
			}
		})
	}
}

func (b *background) wait() { b.all.Wait() }

func kindOf(err error) string {
	if e, ok := errors.AsType[*caseforms.Error](err); ok {
		return string(e.Kind)
	}
	return fmt.Sprintf("%T", err)
}

// openID is what the configuration says of signing in elsewhere; nil is nothing.
func (c *config) openID() (*web.OpenID, error) {
	o := c.Serve.Openid
	if o == nil {
		return nil, nil
	}
	out := &web.OpenID{Issuer: o.Issuer, Client: o.Client, Claim: o.Claim, Proof: o.Proof, Label: o.Label}
	if o.Secret != "" {
		b, err := os.ReadFile(c.path(o.Secret))
		if err != nil {
			return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the file with the secret for OpenID Connect cannot be read", Err: plain(err)}
		}
		out.Secret = strings.TrimSpace(string(b))
	}
	return out, nil
}

// checkServe tells what is configured of the service. Nothing is connected to.
func (c *config) checkServe(say func(string, string), wrong func(error)) {
	if c.Serve == nil {
		return
	}
	say("serve", cmp.Or(c.Serve.Url, "without an address of its own"))
	o, err := c.openID()
	if err != nil {
		wrong(err)
		return
	}
	if err := web.CheckAddress(c.Serve.Url, o); err != nil {
		wrong(err)
	}
	if o != nil {
		say("sign-in", "OpenID Connect by "+o.Issuer)
	}
	switch needed, err := c.Serve.factorNeeded(); {
	case err != nil:
		wrong(err)
	case needed:
		say("passwords", "with a code from an app")
	default:
		say("passwords", "alone, for whoever wants it so")
	}
}

// certificates reads a certificate again when its file has changed, so that a renewed one needs no restart.
type certificates struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	now     *tls.Certificate
	changed time.Time
	looked  time.Time
	told    time.Time // that a new one cannot be used
}

func newCertificates(cert, key string) (*certificates, error) {
	c := &certificates{cert: cert, key: key}
	if err := c.read(); err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the certificate or its key cannot be used", Err: plain(err), Hint: "--tls-cert and --tls-key are files as PEM that belong together"}
	}
	return c, nil
}

func (c *certificates) read() error {
	info, err := os.Stat(c.cert)
	if err != nil || info.ModTime().Equal(c.changed) {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil {
		c.now, c.changed = &pair, info.ModTime()
	}
	return err
}

// cipherSuites are those of TLS 1.2 with forward secrecy and authenticated encryption. TLS 1.3 has no others.
var cipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256}

func (c *certificates) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: cipherSuites, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if time.Since(c.looked) > time.Second {
			c.looked = time.Now()
			// The one there was goes on until the new one and its key are both there and whole.
			if err := c.read(); err != nil && time.Since(c.told) > time.Minute {
				c.told = time.Now()
				c.log.Warn("certificate", "what", "the renewed one or its key cannot be used, and the one before goes on")
			}
		}
		return c.now, nil
	}}
}

// demo makes a store of invented cases and people in a folder of its own.
func (inv *invocation) demo(ctx context.Context) (k *casework.Desk, people []web.DemoPerson, done func() error, err error) {
	dir, err := os.MkdirTemp("", "caseforms-demo-*")
	if err != nil {
		return nil, nil, nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "no folder can be made for the demonstration", Err: plain(err)}
	}
	o, err := inv.storeOptions() // the clock of a test holds here too
	var s *store.Store
	if err == nil {
		o.Dir, o.Keys = filepath.Join(dir, "data"), store.Keys{Config: filepath.Join(dir, "keys")}
		s, err = store.OpenOrCreate(ctx, o)
	}
	done = func() error {
		var err error
		if s != nil {
			err = s.Close()
		}
		return errors.Join(err, os.RemoveAll(dir))
	}
	if err == nil {
		k = casework.New(s, templates.Load)
		people, err = fillDemo(ctx, k)
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, done())
	}
	return k, people, done, nil
}

// fillDemo puts people and cases into a store: what can be issued is, and the rest is a draft.
func fillDemo(ctx context.Context, k *casework.Desk) (people []web.DemoPerson, err error) {
	admin, err := k.Actor(ctx, "alex", "Alex Admin")
	if err != nil {
		return nil, err
	}
	for _, p := range []struct{ login, name, team, roles string }{
		{"petra", "Petra Practitioner", "North", "practitioner"},
		{"mary", "Mary Manager", "North", "manager"},
		{"alex", "Alex Admin", "", "admin"},
		{"audrey", "Audrey Auditor", "", "auditor"},
	} {
		roles, err := caseforms.ParseRoles(p.roles)
		if err != nil {
			return nil, err
		}
		if p.login == "alex" {
			err = k.ChangeUser(ctx, admin, p.login, "", nil, roles, nil)
		} else {
			_, err = k.AddUser(ctx, admin, p.login, p.name, p.team, roles)
		}
		if err != nil {
			return nil, err
		}
		people = append(people, web.DemoPerson{Login: p.login, Name: p.name, Role: p.roles})
	}
	petra, err := k.Actor(ctx, "petra", "")
	if err != nil {
		return nil, err
	}
	files, err := samples.Cases.ReadDir("cases")
	if err != nil {
		return nil, err
	}
	for i, f := range files {
		data, err := samples.Cases.ReadFile("cases/" + f.Name())
		if err != nil {
			return nil, err
		}
		form := "cp1"
		if i%3 == 2 {
			form = "check"
		}
		out, _, err := k.Record(ctx, petra, casework.Record{Form: form, Case: data, Outputs: []casework.Output{{Format: "pdf"}}})
		var refused *casework.Refused
		if errors.As(err, &refused) {
			_, err = k.SaveDraft(ctx, petra, casework.SaveDraft{Form: form, Content: data})
		}
		if err != nil {
			return nil, err
		}
		if out != nil && i < 4 { // some were handed over, a while ago
			_, err := k.HandOver(ctx, petra, casework.HandOver{Ref: out.Ref, Channel: casework.Channels[i%len(casework.Channels)], To: "Northtown MASH", As: "childrens_services", At: k.Now().Add(-time.Minute)})
			if err != nil {
				return nil, err
			}
		}
	}
	return people, nil
}
