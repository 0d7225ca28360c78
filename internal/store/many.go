package store

import (
	"context"
	"slices"
	"strings"

	"caseforms"
)

// chunks are how many keys go into one query. Shorter lists are filled up with the last key, so that there are few statements to prepare.
var chunks = []int{8, 32, 100}

// chunked runs a query with "IN (…)" at its end for all keys, in chunks.
func chunked[K any](ctx context.Context, s *Store, query string, keys []K, each func(scan func(...any) error) error) error {
	for len(keys) > 0 {
		chunk := chunks[len(chunks)-1]
		for _, c := range slices.Backward(chunks) {
			if len(keys) <= c {
				chunk = c
			}
		}
		n := min(chunk, len(keys))
		marks, args := make([]string, chunk), make([]any, chunk)
		for i := range args {
			marks[i], args[i] = "$"+itoa(i+1), keys[min(i, n-1)]
		}
		if err := s.all(ctx, query+" IN ("+strings.Join(marks, ", ")+")", args, each); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// FormsOf are the forms of many documents.
func (s *Store) FormsOf(ctx context.Context, refs []caseforms.Ref) (map[caseforms.Ref]string, error) {
	out := map[caseforms.Ref]string{}
	var keys []string
	for _, r := range refs {
		keys = append(keys, string(r))
	}
	err := chunked(ctx, s, `SELECT ref, form FROM documents WHERE ref`, keys, func(scan func(...any) error) error {
		var ref caseforms.Ref
		var form string
		err := scan(&ref, &form)
		out[ref] = form
		return err
	})
	return out, err
}

// UrgentOf are those documents of which an issue that cannot wait was handed over.
func (s *Store) UrgentOf(ctx context.Context, refs []caseforms.Ref) (map[caseforms.Ref]bool, error) {
	out := map[caseforms.Ref]bool{}
	var keys []string
	for _, r := range refs {
		keys = append(keys, string(r))
	}
	err := chunked(ctx, s, `SELECT DISTINCT ref FROM handoffs WHERE urgent = 1 AND ref`, keys, func(scan func(...any) error) error {
		var ref caseforms.Ref
		err := scan(&ref)
		out[ref] = true
		return err
	})
	return out, err
}

// CaseCard is what a list shows of a case, and who may see it.
type CaseCard struct {
	Case Case // its ID, whose it is, whether it is restricted, and to whom
	Card []byte
}

// Cards are the cards of many cases. Cases that were erased have none.
func (s *Store) Cards(ctx context.Context, ids []caseforms.CaseID) (map[caseforms.CaseID]*CaseCard, error) {
	out := map[caseforms.CaseID]*CaseCard{}
	var keys []string
	for _, id := range ids {
		keys = append(keys, string(id))
	}
	err := chunked(ctx, s, `SELECT c.id, c.restricted, c.owner, c.team, c.card, o.sealed, k.wrapped FROM cases c JOIN objects o ON o.id = c.card JOIN object_keys k ON k.object = o.id WHERE c.id`, keys,
		func(scan func(...any) error) error {
			var c CaseCard
			var card int64
			var sealed, wrapped []byte
			if err := scan(&c.Case.ID, &c.Case.Restricted, &c.Case.Owner, &c.Case.Team, &card, &sealed, &wrapped); err != nil {
				return err
			}
			var err error
			if c.Card, err = s.unseal(card, kindCard, sealed, wrapped); err != nil {
				return err
			}
			out[c.Case.ID] = &c
			return nil
		})
	if err != nil {
		return nil, err
	}
	for id, c := range out {
		if c.Case.Restricted {
			full, err := s.FindCase(ctx, id)
			if err != nil {
				return nil, err
			}
			c.Case.Access = full.Access
		}
	}
	return out, nil
}
