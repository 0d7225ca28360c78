package store

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// The secret of a factor is sealed within the encrypted database, for its owner alone.
func TestSecondFactorIsSealed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s, err := OpenOrCreate(ctx, testOptions(t.TempDir()))
	must(t, err)
	defer s.Close()
	secret := []byte("twenty bytes, secret")
	must(t, s.SetSecondFactor(ctx, "u-1", "", true, Factor{Secret: secret, Step: 7}, [][]byte{{1}}, Entry{What: "second factor set", Actor: "u-1"}))
	f, found, err := s.SecondFactor(ctx, "u-1")
	must(t, err)
	if !found || !bytes.Equal(f.Secret, secret) || f.Step != 7 || f.Left != 1 {
		t.Errorf("%+v", f)
	}
	if bytes.Contains(decrypted(t, s), secret) {
		t.Error("the secret can be read in the database")
	}
	if err := s.SetSecondFactor(ctx, "u-1", "", true, Factor{Secret: []byte("another's"), Step: 8}, [][]byte{{2}}, Entry{What: "second factor set", Actor: "u-1"}); !errors.Is(err, ErrChanged) {
		t.Errorf("a second first one: %v", err)
	}
	if f, _, err := s.SecondFactor(ctx, "u-1"); err != nil || !bytes.Equal(f.Secret, secret) {
		t.Errorf("it was replaced: %v", err)
	}
	must(t, s.act(ctx, func(t *tx) error { return t.exec(`UPDATE second_factors SET user_id = 'u-2'`) }))
	if _, _, err := s.SecondFactor(ctx, "u-2"); err == nil {
		t.Error("another's secret is taken")
	}
}
