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
	Went     bool // it was handed to somebody whom it is for, or is to be sent to somebody
	Bounced  int  // of how many messages with it a server reported that they did not arrive
}

const paperColumns = `d.ref, d.case_id, d.form, d.copy, v.version, v.area, v.issued_at, v.issued_by, c.owner, s.ref IS NOT NULL, coalesce(s.endorsed, 0), coalesce(s.by_id, ''), coalesce(s.at, 0),
	EXISTS (SELECT 1 FROM handoffs h WHERE h.ref = d.ref AND h.version = v.version AND h.elsewhere = 0) OR EXISTS (SELECT 1 FROM sends n WHERE n.ref = d.ref AND n.version = v.version AND n.state <> 'withdrawn' AND n.kind <> 'chase'),
	(SELECT count(*) FROM sends b WHERE b.ref = d.ref AND b.reported = 'failed' AND b.kind <> 'chase')`

// papers are the documents of which something is so, the oldest first. None is left out: what no list shows is forgotten.
func (s *Store) papers(ctx context.Context, where string, args []any) (out []Paper, err error) {
	query := `SELECT ` + paperColumns + ` FROM cases c JOIN documents d ON d.case_id = c.id JOIN versions v ON v.ref = d.ref AND v.version = d.latest LEFT JOIN countersignatures s ON s.ref = d.ref AND s.version = v.version
		WHERE v.erased_at IS NULL AND c.erased_at IS NULL AND ` + where + ` ORDER BY v.issued_at, d.ref`
	err = s.all(ctx, query, args, func(scan func(...any) error) error {
		var p Paper
		var issued, at int64
		err := scan(&p.Ref, &p.Case, &p.Form, &p.Copy, &p.Version, &p.Area, &issued, &p.IssuedBy, &p.Owner, &p.Said, &p.Endorsed, &p.By, &at, &p.Went, &p.Bounced)
		p.Issued, p.At = fromMilli(issued), fromMilli(at)
		out = append(out, p)
		return err
	})
	return out, err
}

// marked puts values behind the arguments of a query, and says how they are called there.
func marked(args *[]any, all []string) string {
	var out []string
	for _, v := range all {
		*args = append(*args, v)
		out = append(out, "$"+itoa(len(*args)))
	}
	return "(" + strings.Join(out, ", ") + ")"
}

// PapersUnsaid are the documents of some forms, issued since then by somebody else, of whose latest issue no manager has said anything, the oldest
// first; of cases of these teams, none named being all.
func (s *Store) PapersUnsaid(ctx context.Context, by string, forms, teams []string, since time.Time) ([]Paper, error) {
	if len(forms) == 0 {
		return nil, nil
	}
	args := []any{since.UnixMilli(), by}
	where := `v.issued_at >= $1 AND v.issued_by <> $2 AND s.ref IS NULL AND d.form IN ` + marked(&args, forms)
	if len(teams) > 0 {
		where += ` AND c.team IN ` + marked(&args, teams)
	}
	return s.papers(ctx, where, args)
}

// PapersOf are the documents of somebody, of their cases or issued by them last, the oldest first: those issued lately, and of some forms those
// issued since then whose latest issue no manager has endorsed.
func (s *Store) PapersOf(ctx context.Context, by string, forms []string, since, lately time.Time) ([]Paper, error) {
	args := []any{by, since.UnixMilli(), lately.UnixMilli()}
	where := `d.ref IN (SELECT i.ref FROM versions i WHERE i.issued_by = $1 AND i.issued_at >= $2 UNION SELECT o.ref FROM documents o JOIN cases k ON k.id = o.case_id WHERE k.owner = $1)
		AND (v.issued_by = $1 OR c.owner = $1) AND v.issued_at >= $2 AND (v.issued_at >= $3 OR coalesce(s.endorsed, 0) = 0 AND d.form IN ` + marked(&args, forms) + `)`
	return s.papers(ctx, where, args)
}
