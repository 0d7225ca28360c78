package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
)

// readFile reads a whole file of limited size, or standard input.
func (inv *invocation) readFile(ctx context.Context, name string, most int64, failed string) ([]byte, error) {
	data, err := interruptible(ctx, failed, func() ([]byte, error) {
		if name == "-" {
			return io.ReadAll(io.LimitReader(inv.stdin, most+1))
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, most+1))
	})
	if err == nil && int64(len(data)) > most {
		err = &caseforms.Error{Kind: caseforms.Invalid, Msg: failed + ": it is too large", Hint: "is it the right file?"}
	}
	return data, err
}

var backupCommand = &command{
	name: "backup", args: "FILE", does: "copy the whole store into one file, encrypted to a recipient, while people work",
	example: "caseforms backup monday.age --to age1…", stores: true,
	flags: func(inv *invocation) {
		inv.set.StringSliceVar(&inv.opt.to, "to", nil, "recipient (age1…) or a file of recipients (default those of the configuration)")
		inv.set.BoolVar(&inv.opt.force, "force", false, "overwrite the file if it is there")
	},
	run: func(ctx context.Context, inv *invocation) error {
		if err := inv.want(1, 1); err != nil {
			return err
		}
		c, err := inv.config()
		if err != nil {
			return err
		}
		lines := c.Backup
		if len(inv.opt.to) > 0 {
			lines = nil
		}
		for _, to := range inv.opt.to {
			if !strings.HasPrefix(to, "age1") {
				b, err := inv.readFile(ctx, to, 64<<10, "the file of recipients cannot be read")
				if err != nil {
					return err
				}
				to = string(b)
			}
			lines = append(lines, to)
		}
		var to []age.Recipient
		if len(lines) > 0 {
			if to, err = recipients(lines); err != nil {
				return err
			}
		}
		if inv.args[0] == "-" {
			return errUsage{"a backup is written to a file"}
		}
		if exists(inv.args[0]) && !inv.opt.force {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is a file of this name already", Hint: "choose another name, or overwrite it with --force"}
		}
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			var about *store.About
			err := writeThrough(inv.args[0], inv.opt.force, func(w io.Writer) (err error) {
				about, err = k.Backup(ctx, a, w, to...)
				return err
			})
			if err != nil {
				return err
			}
			if inv.json {
				inv.object(inv.stdout, "type", "backup", "file", inv.args[0], "store", about.Store, "at", stamp(about.At))
			} else {
				fmt.Fprintf(inv.stderr, "wrote %s: the store as it was at %s\n", inv.args[0], clock(about.At))
			}
			return nil
		})
	},
}

// writeThrough is writeFile for what is too large to hold.
func writeThrough(name string, force bool, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".caseforms-*")
	if err != nil {
		return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the file cannot be written", Err: plain(err)}
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the file cannot be written", Err: plain(err)}
	}
	return place(f, name, force)
}

var restoreCommand = &command{
	name: "restore", args: "FILE", does: "make a store from a backup in a new data folder, and check all of it",
	example: "caseforms restore monday.age --identity key.txt --data restored", stores: true,
	flags: func(inv *invocation) {
		inv.set.StringVar(&inv.opt.identity, "identity", "", "file with the age identity whose recipient the backup was made for")
		inv.set.StringVar(&inv.opt.erasures, "erasures", "", "list of what was erased since (caseforms erase --list), to be erased again")
	},
	run: func(ctx context.Context, inv *invocation) error {
		if err := inv.want(1, 1); err != nil {
			return err
		}
		if inv.opt.identity == "" {
			return errUsage{"a backup is opened with an identity: --identity FILE"}
		}
		b, err := inv.readFile(ctx, inv.opt.identity, 64<<10, "the identity cannot be read")
		if err != nil {
			return err
		}
		ids, err := age.ParseIdentities(bytes.NewReader(b))
		if err != nil {
			return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the identity file holds no age identity", Hint: "an identity begins with AGE-SECRET-KEY-"}
		}
		var again store.Again
		if inv.opt.erasures != "" {
			b, err := inv.readFile(ctx, inv.opt.erasures, 64<<20, "the list of erasures cannot be read")
			if err != nil {
				return err
			}
			for _, w := range strings.Fields(string(b)) {
				if id, ok := caseforms.ParseCaseID(w); ok {
					again.Cases = append(again.Cases, id)
				} else if ref, ok := caseforms.ParseRef(w); ok {
					again.Refs = append(again.Refs, ref)
				} else {
					return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the list of erasures has something that is neither a case nor a reference", Hint: "caseforms erase --list prints one"}
				}
			}
		}
		o, err := inv.storeOptions()
		if err != nil {
			return err
		}
		f, err := os.Open(inv.args[0])
		if err != nil {
			return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the backup cannot be read", Err: plain(err)}
		}
		defer f.Close()
		about, v, err := store.Restore(ctx, bufio.NewReaderSize(f, 1<<20), o, again, casework.SameForm, ids...)
		if err != nil {
			return err
		}
		if inv.json {
			inv.object(inv.stdout, "type", "restored", "store", about.Store, "at", stamp(about.At), "records", int(v.Records), "documents", v.Documents)
		} else {
			fmt.Fprintf(inv.stderr, "restored the store as it was at %s: %d records in the ledger, %d documents, all intact\n", clock(about.At), v.Records, v.Documents)
		}
		return nil
	},
}

var exportCommand = &command{
	name: "export", args: "CASE|PERSON", does: "write everything that is held about a person, in words, what is about others apart",
	example: "caseforms export X000001 -o access.zip", stores: true,
	flags: func(inv *invocation) {
		inv.set.StringVarP(&inv.opt.output, "output", "o", "access.zip", "the file to write")
		inv.set.BoolVar(&inv.opt.named, "named", false, "the person is only named in these cases, which are about others: everything is apart")
		inv.set.BoolVar(&inv.opt.force, "force", false, "overwrite the file if it is there")
	},
	run: func(ctx context.Context, inv *invocation) error {
		if len(inv.args) == 0 {
			return errUsage{"too few words: export CASE|PERSON"}
		}
		if err := inv.typed(ctx); err != nil {
			return err
		}
		if err := inv.free(inv.opt.output, inv.opt.force); err != nil {
			return err
		}
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			about, err := inv.subjects(ctx, k, a)
			if err != nil {
				return err
			}
			files := 0
			err = writeThrough(inv.opt.output, inv.opt.force, func(w io.Writer) error {
				z := zip.NewWriter(w)
				err := k.Export(ctx, a, about, func(e casework.Exported) error {
					files++
					f, err := z.CreateHeader(&zip.FileHeader{Name: e.Name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)})
					if err == nil {
						_, err = f.Write(e.Data)
					}
					return err
				})
				if err == nil {
					err = z.Close()
				}
				return err
			})
			if err != nil {
				return err
			}
			if inv.json {
				inv.object(inv.stdout, "type", "file", "file", inv.opt.output, "files", files)
			} else {
				fmt.Fprintf(inv.stderr, "wrote %s with %d files; READ-THIS-FIRST.txt in it says what may go to whom\n", inv.opt.output, files)
			}
			return nil
		})
	},
}

// subjects are the cases that are meant: ids and references, or all words together a search that finds one person.
func (inv *invocation) subjects(ctx context.Context, k *casework.Desk, a caseforms.Actor) (out []casework.Subject, err error) {
	for _, w := range inv.args {
		id, ok := caseforms.ParseCaseID(w)
		if !ok {
			break
		}
		out = append(out, casework.Subject{Case: id, Named: inv.opt.named})
	}
	if len(out) == len(inv.args) {
		return out, nil
	}
	found, more, err := k.Find(ctx, a, strings.Join(inv.args, " "))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "nobody was found", Hint: "names are looked for by whole words, as they are spelt"}
	}
	if len(found) > 1 || more {
		inv.found(found, more)
		return nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "several cases were found, and they may be of several people", Hint: "name the cases of the one that is meant: caseforms export CS-… CS-…, with --named when they are about somebody else"}
	}
	return []casework.Subject{{Case: found[0].Case, Named: found[0].Named || inv.opt.named}}, nil
}

var eraseCommand = &command{
	name: "erase", args: "CASE|REF", does: "destroy the content of a case or a document for good; what it was and that it was erased stays in the ledger",
	example: `caseforms erase CS-7K3M-Q9ZQ --why "six years after the end of the sentence" --yes`, stores: true,
	flags: func(inv *invocation) {
		o := &inv.opt
		inv.set.StringVar(&o.why, "why", "", "the reason")
		inv.set.BoolVar(&o.yes, "yes", false, "do it; without it nothing is erased")
		inv.set.BoolVar(&o.hold, "hold", false, "instead: keep the case from being erased")
		inv.set.BoolVar(&o.releaseHold, "release-hold", false, "instead: let the case be erased again")
		inv.set.BoolVar(&o.list, "list", false, "instead: print what was erased, for a restore of an older backup")
	},
	run: erase,
}

func erase(ctx context.Context, inv *invocation) error {
	o := &inv.opt
	if o.list {
		if err := inv.want(0, 0); err != nil {
			return err
		}
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			again, err := k.Erasures(ctx, a)
			for _, id := range again.Cases {
				fmt.Fprintln(inv.stdout, id)
			}
			for _, ref := range again.Refs {
				fmt.Fprintln(inv.stdout, ref)
			}
			return err
		})
	}
	if err := inv.want(1, 1); err != nil {
		return err
	}
	ref, isRef := caseforms.ParseRef(inv.args[0])
	var id caseforms.CaseID
	if !isRef {
		var err error
		if id, err = inv.caseID(inv.args[0]); err != nil {
			return err
		}
	}
	if o.hold || o.releaseHold {
		if isRef || o.hold && o.releaseHold {
			return errUsage{"a hold is set on, or released from, a case"}
		}
		return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
			what := "hold set: it cannot be erased"
			if !o.hold {
				what = "hold released"
			}
			return inv.done(k.Hold(ctx, a, id, o.hold, o.why), what)
		})
	}
	if !o.yes {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "nothing was erased: it cannot be undone", Hint: "say it again with --yes"}
	}
	return inv.at(ctx, false, func(k *casework.Desk, a caseforms.Actor) error {
		if err := k.Erase(ctx, a, id, ref, o.why); err != nil {
			return err
		}
		fmt.Fprintf(inv.stderr, "erased %s; backups made before still have it, so let them go as your retention rules say\n", inv.args[0])
		return nil
	})
}
