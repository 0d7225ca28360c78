package store

import (
	"context"
	"strings"
	"time"

	"caseforms"
)

// Paper is the latest issue of a document, and how far it has come.
type Paper struct {
	Ref      caseforms.Ref
	Case     caseforms.CaseID
	Form     string
	Copy     string
	Version  int
	Area     string
	Issued   time.Time
	IssuedBy string
	Owner    string // whose the case is
	Said     bool   // a manager said something of it
	Endorsed bool   // and that is that they endorse it
	By       string // who said it
	At       time.Time
	Went     bool // it was handed to somebody, or is to be sent to somebody
}

const paperColumns = `d.ref, d.case_id, d.form, d.copy, v.version, v.area, v.issued_at, v.issued_by, c.owner, s.ref IS NOT NULL, coalesce(s.endorsed, 0), coalesce(s.by_id, ''), coalesce(s.at, 0),
	EXISTS (SELECT 1 FROM handoffs h WHERE h.ref = d.ref AND h.version = v.version) OR EXISTS (SELECT 1 FROM sends n WHERE n.ref = d.ref AND n.version = v.version AND n.state <> 'withdrawn' AND n.kind <> 'chase')`

// PapersMost is how many documents a list has at most.
const PapersMost = 300

func (s *Store) papers(ctx context.Context, where, order string, args []any) (out []Paper, err error) {
	query := `SELECT ` + paperColumns + ` FROM cases c JOIN documents d ON d.case_id = c.id JOIN versions v ON v.ref = d.ref AND v.version = d.latest LEFT JOIN countersignatures s ON s.ref = d.ref AND s.version = v.version
		WHERE v.erased_at IS NULL AND c.erased_at IS NULL AND ` + where + ` ORDER BY v.issued_at ` + order + `, d.ref LIMIT ` + itoa(PapersMost)
	err = s.all(ctx, query, args, func(scan func(...any) error) error {
		var p Paper
		var issued, at int64
		err := scan(&p.Ref, &p.Case, &p.Form, &p.Copy, &p.Version, &p.Area, &issued, &p.IssuedBy, &p.Owner, &p.Said, &p.Endorsed, &p.By, &at, &p.Went)
		p.Issued, p.At = fromMilli(issued), fromMilli(at)
		out = append(out, p)
		return err
	})
	return out, err
}

// PapersUnsaid are the documents of some forms, issued since then, of whose latest issue no manager has said anything, the oldest first; of cases of
// these teams, none named being all.
func (s *Store) PapersUnsaid(ctx context.Context, forms, teams []string, since time.Time) ([]Paper, error) {
	if len(forms) == 0 {
		return nil, nil
	}
	args := []any{since.UnixMilli()}
	marks := func(all []string) string {
		var out []string
		for _, v := range all {
			args = append(args, v)
			out = append(out, "$"+itoa(len(args)))
		}
		return "(" + strings.Join(out, ", ") + ")"
	}
	where := `v.issued_at >= $1 AND s.ref IS NULL AND d.form IN ` + marks(forms)
	if len(teams) > 0 {
		where += ` AND c.team IN ` + marks(teams)
	}
	return s.papers(ctx, where, "", args)
}

// PapersOf are the documents of somebody: of their cases, or issued by them last; since then, the latest first.
func (s *Store) PapersOf(ctx context.Context, by string, since time.Time) ([]Paper, error) {
	where := `d.ref IN (SELECT i.ref FROM versions i WHERE i.issued_by = $1 AND i.issued_at >= $2 UNION SELECT o.ref FROM documents o JOIN cases k ON k.id = o.case_id WHERE k.owner = $1)
		AND (v.issued_by = $1 OR c.owner = $1) AND v.issued_at >= $2`
	return s.papers(ctx, where, "DESC", []any{by, since.UnixMilli()})
}
