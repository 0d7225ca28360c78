package casework

import (
	"context"

	"caseforms"
	"caseforms/internal/store"
)

// looksFew is how many of those who looked an overview has.
const looksFew = 20

// Overview is [Desk.Show] for a page that is opened all day. Of those who looked, whom a much-read document has thousands of, it has the latest
// and the number; [Desk.Looks] has them all.
//
// What it tells of the ledger is proved each time from the rows as they are: every line stands in the log that was signed. That no line is missing,
// and how often somebody looked, is not proved by it; only [Desk.VerifyAll] does that, which goes through the whole log.
func (k *Desk) Overview(ctx context.Context, a caseforms.Actor, ref caseforms.Ref) (*Timeline, error) {
	return k.show(ctx, a, ref, looksFew)
}

// Looks are those who looked at a document or at its case as a whole, the latest first: most of them after some are left out, and how many there are in
// all. Whoever asks is in the ledger, and among them.
func (k *Desk) Looks(ctx context.Context, a caseforms.Actor, ref caseforms.Ref, out, most int) ([]Event, int, error) {
	d, err := k.store.Document(ctx, ref)
	if err != nil {
		return nil, 0, err
	}
	c, err := k.store.FindCase(ctx, d.Case)
	if err != nil {
		return nil, 0, err
	}
	audits := a.Is(caseforms.RoleAuditor) && !a.Is(caseforms.RolePractitioner, caseforms.RoleManager)
	if !audits && c.Erased.IsZero() {
		err = k.see(ctx, a, c, "see who looked at this document")
	} else {
		err = a.Need("see who looked at this document", caseforms.RoleAuditor, caseforms.RolePractitioner, caseforms.RoleManager)
	}
	if err == nil {
		err = k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "list of who looked read", Actor: a.ID, Case: d.Case, Ref: ref})
	}
	if err != nil {
		return nil, 0, err
	}
	who, err := k.names(ctx)
	if err != nil {
		return nil, 0, err
	}
	all, err := k.store.CountLooks(ctx, ref, d.Case)
	if err != nil {
		return nil, 0, err
	}
	records, err := k.store.Looks(ctx, ref, d.Case, out, most)
	var es []Event
	for _, r := range records {
		e := told(r, who)
		e.Detail = nil // ids of lists and drafts; nothing that a list of readings is for
		es = append(es, e)
	}
	return es, all, err
}
