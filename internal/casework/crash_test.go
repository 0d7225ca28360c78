package casework

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/render"
	"caseforms/templates"
)

// crashFolder tells a copy of this test program that it is a worker which will be killed, and where it works.
const crashFolder = "CASEFORMS_TEST_CRASH_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashFolder); dir != "" {
		work := crashWorker
		if _, err := os.Stat(filepath.Join(dir, crashPost)); err == nil {
			work = mailWorker
		}
		if err := work(dir); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const (
	crashDeliverers = 2 // in each worker process
	crashAtOnce     = 3 // parcels that each of them carries at once
	crashLease      = 2 * time.Second
)

// The files in which a crash test keeps what must be true afterwards. They are written with one call a line, so that a killed process
// leaves whole lines.
const (
	crashAcks    = "acks"    // what was acknowledged
	crashLeaving = "leaving" // parcels of which a carrier was about to say that they leave
	crashRelay   = "relay"   // parcels that arrived
)

// ack is one act that was acknowledged.
type ack struct {
	Ref     caseforms.Ref
	Version int      `json:",omitempty"` // 0: only something was enqueued
	Sums    []string `json:",omitempty"`
	Items   []string `json:",omitempty"`
}

type lines struct{ *os.File }

func appendTo(dir, name string) (lines, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return lines{f}, err
}

func (l lines) add(line string) error {
	_, err := l.Write([]byte(line + "\n"))
	return err
}

func crashOptions(dir string) store.Options {
	return store.Options{Dir: filepath.Join(dir, "data"), Keys: store.Keys{Config: filepath.Join(dir, "keys")}}
}

// relay is the other side of a delivery as the crash test plays it: what it has in its file has arrived.
type relay struct{ leaving, arrived lines }

func (r relay) Carry(_ context.Context, p Parcel, leaving func() error) (Carried, error) {
	pause := func() { time.Sleep(mrand.N(4 * time.Millisecond)) }
	if string(p.Payload) != "to "+p.Dedupe {
		return Carried{}, errors.New("a parcel with the content of another")
	}
	pause()
	if err := r.leaving.add(p.Dedupe + " " + string(p.Ref)); err != nil {
		return Carried{}, err
	}
	if err := leaving(); err != nil {
		return Carried{}, err
	}
	pause()
	if strings.HasSuffix(p.Dedupe, "-never") {
		return Carried{}, &NotDelivered{Said: "550 nobody here", Never: true}
	}
	if err := r.arrived.add(p.Dedupe + " " + string(p.Ref)); err != nil {
		return Carried{}, err
	}
	pause()
	return Carried{Said: "250 taken"}, nil
}

// crashWorker records, enqueues and delivers until it is killed.
func crashWorker(dir string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, crashOptions(dir))
	if err != nil {
		return err
	}
	defer s.Close()
	acks, err := appendTo(dir, crashAcks)
	if err != nil {
		return err
	}
	var r relay
	if r.leaving, err = appendTo(dir, crashLeaving); err != nil {
		return err
	}
	if r.arrived, err = appendTo(dir, crashRelay); err != nil {
		return err
	}
	simple, err := os.ReadFile("../../samples/cases/01-simple.json")
	if err != nil {
		return err
	}
	k := New(s, templates.Load)
	k.lease = crashLease
	fmt.Println("ready")
	failed := make(chan error, 16)
	forever := func(do func() error) {
		go func() {
			for {
				if err := do(); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	for range 3 {
		forever(func() error { return issueSome(ctx, s, acks) })
	}
	forever(func() error { return recordOne(ctx, k, simple, acks) })
	for range crashDeliverers {
		forever(func() error {
			n, err := k.Deliver(ctx, r, crashAtOnce)
			if n == 0 {
				time.Sleep(5 * time.Millisecond)
			}
			return err
		})
	}
	return <-failed
}

// item is something to be delivered; one of eight is refused for good by the other side.
func item() store.NewItem {
	name := rand.Text()
	if mrand.N(8) == 0 {
		name += "-never"
	}
	return store.NewItem{Kind: "mail", Dedupe: name, Payload: []byte("to " + name)}
}

// issueSome issues a document, often issues it again, and often enqueues something more about it.
func issueSome(ctx context.Context, s *store.Store, acks lines) error {
	id, err := caseforms.NewCaseID(nil)
	if err != nil {
		return err
	}
	ref, err := caseforms.NewRef(nil)
	if err != nil {
		return err
	}
	for version := range 1 + mrand.N(2) {
		i := store.Issue{
			Case: id, CaseVersion: version, Record: []byte(`{"person":{"family_name":"` + rand.Text() + `"}}`), Card: []byte(`{}`),
			Terms: []store.Term{{Hash: s.Term("name", rand.Text()), Part: store.ThePerson}},
			Ref:   ref, Version: version + 1, Form: "cp1", FormVersion: "1", Copy: "full", Definition: "d", Bundle: []byte("b"), Renderer: "r", Answers: []byte(`{}`),
			Entry: store.Entry{Acts: []store.Act{store.Collection}, What: "document issued", Actor: "u-crash"},
		}
		a := ack{Ref: ref, Version: version + 1}
		for f := range 1 + mrand.N(3) {
			data := make([]byte, mrand.N(12_000))
			rand.Read(data)
			i.Files = append(i.Files, store.NewFile{Format: "f" + strconv.Itoa(f), Profile: "archive", Data: data})
			a.Sums = append(a.Sums, sumOf(data))
		}
		for range mrand.N(3) {
			it := item()
			i.Send = append(i.Send, it)
			a.Items = append(a.Items, it.Dedupe)
		}
		if err := s.Issue(ctx, i); err != nil {
			return err
		}
		if err := acks.acknowledge(a); err != nil {
			return err
		}
	}
	if mrand.N(2) == 0 {
		it := item()
		if err := s.Enqueue(ctx, ref, 1, id, it, store.Entry{What: "enqueued", Actor: "u-crash", Case: id, Ref: ref, Version: 1}); err != nil {
			return err
		}
		return acks.acknowledge(ack{Ref: ref, Items: []string{it.Dedupe}})
	}
	return nil
}

// recordOne does what people do: it issues a real form of a person who is new or known.
func recordOne(ctx context.Context, k *Desk, simple []byte, acks lines) error {
	a, err := k.Actor(ctx, "crash", "Crash Test")
	if err != nil {
		return err
	}
	var c map[string]any
	if err := json.Unmarshal(simple, &c); err != nil {
		return err
	}
	c["person"].(map[string]any)["crn"] = fmt.Sprintf("X%06d", mrand.N(40))
	delete(c["person"].(map[string]any), "prison_number")
	delete(c["person"].(map[string]any), "pnc_id")
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	it := item()
	out, _, err := k.Record(ctx, a, Record{Form: "cp1", Case: data, Unasked: true, Outputs: []Output{{Format: render.FormatText}}, Send: []store.NewItem{it}})
	if err != nil {
		var e *caseforms.Error
		if errors.As(err, &e) && e.Kind == caseforms.Conflict {
			return nil // several processes issue of the same few people
		}
		return err
	}
	return acks.acknowledge(ack{Ref: out.Ref, Version: out.Version, Sums: []string{sumOf(out.Files[0].Data)}, Items: []string{it.Dedupe}})
}

func (l lines) acknowledge(a ack) error {
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return l.add(string(b))
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func crashLines(t *testing.T, dir, name string) (out []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		out = append(out, strings.TrimSuffix(line, "\n"))
	}
	return out
}

// TestCrash kills the program in the middle of its work, again and again, sometimes two of them that work on one store, and then looks
// whether everything that was acknowledged is there and nothing was delivered twice. CASEFORMS_CRASH_ROUNDS says how often.
func TestCrash(t *testing.T) {
	rounds := 10
	if testing.Short() {
		rounds = 4
	}
	if n, err := strconv.Atoi(os.Getenv("CASEFORMS_CRASH_ROUNDS")); err == nil {
		rounds = n
	}
	dir := t.TempDir()
	ctx := context.Background()
	s, err := store.OpenOrCreate(ctx, crashOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(s, templates.Load).Actor(ctx, "crash", "Crash Test"); err != nil {
		t.Fatal(err)
	}
	checkpoint, err := s.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	kills := 0
	for round := range rounds {
		workers := 1 + round%2
		var all sync.WaitGroup
		for range workers {
			all.Go(func() { killWorker(t, dir) })
		}
		all.Wait()
		kills += workers
		if t.Failed() {
			t.FailNow()
		}
		// What was there before is still there, and the store opens as if nothing had happened.
		s, err := store.Open(ctx, crashOptions(dir))
		if err != nil {
			t.Fatalf("after round %d: %v", round, err)
		}
		if round%10 == 0 {
			v, err := s.VerifyLedger(ctx, checkpoint)
			if err != nil || len(v.Problems) > 0 {
				t.Fatalf("after round %d: %v, %q", round, err, v.Problems)
			}
		}
		if checkpoint, err = s.Checkpoint(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}

	s, err = store.Open(ctx, crashOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	drain(t, dir, s)
	afterCrash(t, dir, s, kills)
}

// killWorker starts a worker and kills it at some moment: mostly while it is at work, sometimes while it opens the store.
func killWorker(t *testing.T, dir string) {
	exe, err := os.Executable()
	if err != nil {
		t.Error(err)
		return
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), crashFolder+"="+dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return
	}
	ready := make(chan bool, 1)
	go func() {
		line, err := bufio.NewReader(out).ReadString('\n')
		ready <- err == nil && line == "ready\n"
		_, _ = io.Copy(io.Discard, out)
	}()
	if mrand.N(5) > 0 {
		if !<-ready {
			_ = cmd.Wait()
			t.Errorf("a worker could not open the store: %s", &stderr)
			return
		}
		time.Sleep(50*time.Millisecond + mrand.N(1200*time.Millisecond))
	} else {
		time.Sleep(mrand.N(150 * time.Millisecond))
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if stderr.Len() > 0 { // it stopped by itself, so it was not killed in the middle
		t.Errorf("a worker failed: %s", &stderr)
	}
}

// drain delivers what is left once the leases of those who were killed have run out.
func drain(t *testing.T, dir string, s *store.Store) {
	t.Helper()
	var r relay
	var err error
	if r.leaving, err = appendTo(dir, crashLeaving); err != nil {
		t.Fatal(err)
	}
	defer r.leaving.Close()
	if r.arrived, err = appendTo(dir, crashRelay); err != nil {
		t.Fatal(err)
	}
	defer r.arrived.Close()
	k := New(s, templates.Load)
	k.lease = time.Minute
	for until := time.Now().Add(time.Minute + crashLease); ; time.Sleep(50 * time.Millisecond) {
		if _, err := k.Deliver(context.Background(), r, 8); err != nil {
			t.Fatal(err)
		}
		open, err := s.Items(context.Background(), "", store.Ready, store.Leased, store.InFlight)
		if err != nil {
			t.Fatal(err)
		}
		if len(open) == 0 {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("%d items are still waiting", len(open))
		}
	}
}

// afterCrash checks everything that was promised.
func afterCrash(t *testing.T, dir string, s *store.Store, kills int) {
	ctx := context.Background()
	states := map[string]store.State{}
	count := map[store.State]int{}
	documents := map[caseforms.Ref]*store.Document{}
	lost, acts := 0, 0
	for _, line := range crashLines(t, dir, crashAcks) {
		var a ack
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		acts++
		d := documents[a.Ref]
		if d == nil {
			var err error
			if d, err = s.Document(ctx, a.Ref); err != nil {
				t.Errorf("%s was acknowledged and is lost: %v", a.Ref, err)
				lost++
				continue
			}
			documents[a.Ref] = d
			items, err := s.Items(ctx, a.Ref)
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range items {
				if states[it.Dedupe] != "" {
					t.Errorf("two items with one identity")
				}
				states[it.Dedupe] = it.State
				count[it.State]++
			}
		}
		for _, name := range a.Items {
			if states[name] == "" {
				t.Errorf("an item of %s was acknowledged and is lost", a.Ref)
				lost++
			}
		}
		if a.Version == 0 {
			continue
		}
		if a.Version > len(d.Versions) {
			t.Errorf("version %d of %s was acknowledged and is lost", a.Version, a.Ref)
			lost++
			continue
		}
		var sums []string
		for i := range d.Versions[a.Version-1].Files {
			data, err := s.FileData(ctx, &d.Versions[a.Version-1].Files[i])
			if err != nil {
				t.Errorf("a file of %s: %v", a.Ref, err)
				continue
			}
			sums = append(sums, sumOf(data))
		}
		if !slices.Equal(sums, a.Sums) {
			t.Errorf("%s version %d: its files are not what was acknowledged", a.Ref, a.Version)
			lost++
		}
	}
	// An act may have been done whose acknowledgement was killed, so what arrived is looked for by its document too.
	arrived, left := map[string]bool{}, map[string]bool{}
	for _, line := range crashLines(t, dir, crashRelay) {
		name, ref, _ := strings.Cut(line, " ")
		if arrived[name] {
			t.Errorf("%s was delivered twice", name)
		}
		arrived[name] = true
		if states[name] == "" {
			items, err := s.Items(ctx, caseforms.Ref(ref))
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range items {
				states[it.Dedupe] = it.State
				count[it.State]++
			}
		}
		if state := states[name]; state != store.Sent && state != store.Uncertain {
			t.Errorf("%s arrived and is %q", name, state)
		}
	}
	for _, line := range crashLines(t, dir, crashLeaving) {
		name, _, _ := strings.Cut(line, " ")
		left[name] = true
	}
	uncertain, err := s.Items(ctx, "", store.Uncertain)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range uncertain {
		states[it.Dedupe] = it.State
	}
	really := 0
	for name, state := range states {
		switch state {
		case store.Sent:
			if !arrived[name] {
				t.Errorf("%s is sent and did not arrive", name)
			}
		case store.Dead:
			if !strings.HasSuffix(name, "-never") {
				t.Errorf("%s is dead", name)
			}
		case store.Uncertain:
			if !left[name] {
				t.Errorf("%s is uncertain and never left", name)
			}
			if arrived[name] {
				really++
			}
		default:
			t.Errorf("%s ended as %q", name, state)
		}
	}
	if most := kills * crashDeliverers * crashAtOnce; len(uncertain) > most {
		t.Errorf("%d items are uncertain, and only %d can have been in flight when something was killed", len(uncertain), most)
	}
	if acts < kills || len(arrived) < kills || len(documents) == 0 {
		t.Errorf("hardly anything was done: %d acts, %d arrived", acts, len(arrived))
	}
	v, err := s.VerifyLedger(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.VerifyContents(ctx, v, func(hash string, bundle []byte) error {
		if hash == "d" && string(bundle) == "b" {
			return nil
		}
		return SameForm(hash, bundle)
	}); err != nil {
		t.Fatal(err)
	}
	for _, p := range v.Problems {
		t.Error(p)
	}
	t.Logf("%d kills: %d acts acknowledged, %d lost; %d documents; %d sent, %d dead, %d uncertain of which %d had arrived; %d arrived; %d records in the ledger",
		kills, acts, lost, v.Documents, count[store.Sent], count[store.Dead], len(uncertain), really, len(arrived), v.Records)
}
