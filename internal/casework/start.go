package casework

import (
	"context"

	"caseforms"
	"caseforms/internal/store"
)

// Definitions are those of an area, as the acts use them.
func (k *Desk) Definitions(area string) (*caseforms.Definitions, error) { return k.load(area) }

// CaseRecord reads the latest record of a case, to begin another form from it. That somebody read it is in the ledger.
func (k *Desk) CaseRecord(ctx context.Context, a caseforms.Actor, id caseforms.CaseID) ([]byte, error) {
	const what = "read the record of this case"
	if err := a.Need(what, caseforms.RolePractitioner, caseforms.RoleManager); err != nil {
		return nil, err
	}
	c, err := k.store.FindCase(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := k.see(ctx, a, c, what); err != nil {
		return nil, err
	}
	data, err := k.store.Record(ctx, c)
	if err != nil {
		return nil, err
	}
	return data, k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "case read", Actor: a.ID, Case: c.ID})
}

// Restricted tells of a draft that somebody has read whether its case is restricted.
func (k *Desk) Restricted(ctx context.Context, d *Draft) (bool, error) {
	if d.Case == "" {
		return false, nil
	}
	c, err := k.store.FindCase(ctx, d.Case)
	if err != nil {
		return false, err
	}
	return c.Restricted, nil
}
