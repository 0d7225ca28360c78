package store

import (
	"context"
	"time"

	"caseforms"
)

// Draft is a form that somebody is still filling in.
type Draft struct {
	ID        caseforms.DraftID
	Case      caseforms.CaseID // "" while it belongs to none
	Form      string
	Area      string
	Version   int // grows with every change; who changes it says which version they have seen
	Team      string
	Created   time.Time
	CreatedBy string
	Changed   time.Time
	ChangedBy string
	Entry     int64 // the record of the act that began it; 0 of an old one

	content, reasons int64
}

// SaveDraft writes a draft. Version is what the caller has seen; 0 makes the draft. ErrChanged when it is another by now.
func (s *Store) SaveDraft(ctx context.Context, d Draft, content []byte, e Entry) error {
	return s.distinct(func() error { return s.saveDraft(ctx, d, content, e) })
}

func (s *Store) saveDraft(ctx context.Context, d Draft, content []byte, e Entry) error {
	o, err := s.seal(kindDraft, content)
	if err != nil {
		return err
	}
	return s.act(ctx, func(t *tx) error {
		now := t.at.UnixMilli()
		if err := t.unerased(d.Case); err != nil {
			return err
		}
		if d.Version == 0 {
			begun, err := t.appended(e)
			if err != nil {
				return err
			}
			n, err := t.changed(`INSERT INTO drafts (id, case_id, form, area, version, content, created_at, created_by, team, changed_at, changed_by, entry)
				VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $6, $7, $9) ON CONFLICT DO NOTHING`,
				string(d.ID), nullable(string(d.Case)), d.Form, d.Area, o.id, now, e.Actor, d.Team, begun)
			if err == nil && n == 0 {
				err = ErrTaken
			}
			if err != nil {
				return err
			}
			return t.put(o, d.Case)
		}
		var old int64
		found, err := t.row(`SELECT content FROM drafts WHERE id = $1 AND version = $2`, []any{string(d.ID), d.Version}, &old)
		if err != nil {
			return err
		}
		if !found {
			return ErrChanged
		}
		if err := t.exec(`UPDATE drafts SET version = version + 1, content = $1, changed_at = $2, changed_by = $3, case_id = $4 WHERE id = $5`, o.id, now, e.Actor, nullable(string(d.Case)), string(d.ID)); err != nil {
			return err
		}
		if err := t.destroy(old); err != nil {
			return err
		}
		if err := t.exec(`UPDATE objects SET case_id = $1 WHERE id = (SELECT reasons FROM drafts WHERE id = $2)`, nullable(string(d.Case)), string(d.ID)); err != nil {
			return err
		}
		if err := t.put(o, d.Case); err != nil {
			return err
		}
		return t.append(e)
	})
}

// DropDraft throws a draft away.
func (s *Store) DropDraft(ctx context.Context, d *Draft, e Entry) error {
	return s.act(ctx, func(t *tx) error {
		if err := t.dropDraft(d); err != nil {
			return err
		}
		return t.append(e)
	})
}

func (t *tx) dropDraft(d *Draft) error {
	var reasons int64 // somebody may have given some since the draft was read
	if _, err := t.row(`SELECT coalesce(reasons, 0) FROM drafts WHERE id = $1`, []any{string(d.ID)}, &reasons); err != nil {
		return err
	}
	n, err := t.changed(`DELETE FROM drafts WHERE id = $1 AND version = $2`, string(d.ID), d.Version)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrChanged
	}
	if err := t.destroy(reasons); err != nil {
		return err
	}
	return t.destroy(d.content)
}

// SaveReasons writes why whoever fills a draft goes on although warnings stand. The draft has the version that it had: nothing that somebody else
// has before them changes. ErrChanged when the reasons are others by now than d had.
func (s *Store) SaveReasons(ctx context.Context, d *Draft, reasons []byte, e Entry) error {
	return s.distinct(func() error {
		o, err := s.seal(kindReasons, reasons)
		if err != nil {
			return err
		}
		return s.act(ctx, func(t *tx) error {
			n, err := t.changed(`UPDATE drafts SET reasons = $1 WHERE id = $2 AND coalesce(reasons, 0) = $3 AND coalesce(case_id, '') = $4`, o.id, string(d.ID), d.reasons, string(d.Case))
			if err != nil {
				return err
			}
			if n == 0 {
				return ErrChanged
			}
			if err := t.destroy(d.reasons); err != nil {
				return err
			}
			if err := t.put(o, d.Case); err != nil {
				return err
			}
			return t.append(e)
		})
	})
}

// Reasons reads the reasons of a draft; nil when there are none.
func (s *Store) Reasons(ctx context.Context, d *Draft) ([]byte, error) {
	if d.reasons == 0 {
		return nil, nil
	}
	return s.object(ctx, d.reasons, kindReasons)
}

const draftColumns = `id, coalesce(case_id, ''), form, area, version, team, created_at, created_by, changed_at, changed_by, content, entry, coalesce(reasons, 0)`

func scanDraft(scan func(...any) error) (Draft, error) {
	var d Draft
	var created, changed int64
	err := scan(&d.ID, &d.Case, &d.Form, &d.Area, &d.Version, &d.Team, &created, &d.CreatedBy, &changed, &d.ChangedBy, &d.content, &d.Entry, &d.reasons)
	d.Created, d.Changed = fromMilli(created), fromMilli(changed)
	return d, err
}

// Draft reads a draft and its content. When somebody saves it in between, it is read anew.
func (s *Store) Draft(ctx context.Context, id caseforms.DraftID) (*Draft, []byte, error) {
	var before int64
	for {
		var d *Draft
		err := s.all(ctx, `SELECT `+draftColumns+` FROM drafts WHERE id = $1`, []any{string(id)}, func(scan func(...any) error) error {
			v, err := scanDraft(scan)
			d = &v
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		if d == nil {
			return nil, nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no draft " + string(id), Hint: "it may have been issued, which its case tells, or thrown away; the list of drafts has those that there are"}
		}
		content, err := s.object(ctx, d.content, kindDraft)
		if !missing(err) || d.content == before {
			return d, content, err
		}
		before = d.content
	}
}

// unerased refuses to put anything into a case that was erased. A draft may have no case.
func (t *tx) unerased(id caseforms.CaseID) error {
	if id == "" {
		return nil
	}
	var one int64
	found, err := t.row(`SELECT 1 FROM cases WHERE id = $1 AND erased_at IS NULL`, []any{string(id)}, &one)
	if err == nil && !found {
		err = ErrChanged
	}
	return err
}

// Drafts are the drafts of a case, or all of them when it is "", the last changed first.
func (s *Store) Drafts(ctx context.Context, of caseforms.CaseID) ([]Draft, error) {
	if of != "" {
		return s.drafts(ctx, ` WHERE case_id = $1`, string(of))
	}
	return s.drafts(ctx, ``)
}

// DraftsOf are the drafts that somebody began, or was handed, the last changed first.
func (s *Store) DraftsOf(ctx context.Context, by string) ([]Draft, error) {
	return s.drafts(ctx, ` WHERE created_by = $1`, by)
}

func (s *Store) drafts(ctx context.Context, where string, args ...any) (out []Draft, err error) {
	err = s.all(ctx, `SELECT `+draftColumns+` FROM drafts`+where+` ORDER BY changed_at DESC, id`, args, func(scan func(...any) error) error {
		d, err := scanDraft(scan)
		out = append(out, d)
		return err
	})
	return out, err
}
