package token

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/heliograph/heliograph/internal/arr"
)

// memStore is an AccountStore without a disk.
type memStore struct {
	accounts map[arr.AccountID]arr.Account
	err      error // returned by every call when set
}

func (m *memStore) GetAccount(_ context.Context, id arr.AccountID) (arr.Account, error) {
	a, ok := m.accounts[id]
	if !ok && m.err == nil {
		return a, arr.Errorf(arr.CodeNotFound, "There is no account with this ID.")
	}
	return a, m.err
}

func (m *memStore) CreateAccount(_ context.Context, a arr.Account) error {
	if _, ok := m.accounts[a.ID]; ok {
		return arr.Errorf(arr.CodeConflict, "An account already exists under the given ID.")
	}
	m.accounts[a.ID] = a
	return m.err
}

func (m *memStore) ListAccounts(context.Context) ([]arr.Account, error) {
	var all []arr.Account
	for _, a := range m.accounts {
		all = append(all, a)
	}
	return all, m.err
}

func (m *memStore) UpdateAccount(ctx context.Context, id arr.AccountID, fn func(*arr.Account) error) error {
	a, err := m.GetAccount(ctx, id)
	if err == nil {
		err = fn(&a)
	}
	if err == nil {
		m.accounts[id] = a
	}
	return err
}

var _ AccountStore = (*memStore)(nil)

func TestAccountKeys(t *testing.T) {
	ctx := t.Context()
	accounts := NewAccounts(&memStore{accounts: map[arr.AccountID]arr.Account{}})
	a, keys, err := accounts.Create(ctx, "", "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := arr.ParseAccountID(string(a.ID)); err != nil {
		t.Errorf("random id %q: %v", a.ID, err)
	}
	for _, key := range keys {
		if raw, err := base64.StdEncoding.DecodeString(key.Reveal()); err != nil || len(raw) != 32 {
			t.Errorf("a key of %d bytes, %v", len(raw), err)
		}
	}
	f := func(id arr.AccountID, key arr.Secret, want arr.Code) {
		t.Helper()
		if got := arr.CodeOf(accounts.CheckKey(ctx, id, key)); got != want {
			t.Errorf("CheckKey: %q, want %q", got, want)
		}
	}
	f(a.ID, keys[Primary], "")
	f(a.ID, keys[Secondary], "")
	f(a.ID, "", arr.CodeUnauthorized)
	f(a.ID, keys[Primary]+"A", arr.CodeUnauthorized)
	f("00000000-0000-4000-8000-000000000000", keys[Primary], arr.CodeUnauthorized)

	for slot := range keys {
		fresh, err := accounts.RotateKey(ctx, a.ID, KeySlot(slot))
		if err != nil {
			t.Fatal(err)
		}
		f(a.ID, keys[slot], arr.CodeUnauthorized)
		f(a.ID, fresh, "")
		f(a.ID, keys[1-slot], map[int]arr.Code{0: "", 1: arr.CodeUnauthorized}[slot]) // the other one is untouched
	}
	if _, err := accounts.RotateKey(ctx, a.ID, 2); arr.CodeOf(err) != arr.CodeBadRequest {
		t.Errorf("a third key: %v", err)
	}
	if _, err := accounts.RotateKey(ctx, "x", Primary); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("unknown account: %v", err)
	}
	if _, _, err := accounts.Create(ctx, a.ID, "again"); arr.CodeOf(err) != arr.CodeConflict {
		t.Errorf("id in use: %v", err)
	}
	if all, err := accounts.List(ctx); err != nil || len(all) != 1 || all[0].ID != a.ID {
		t.Errorf("list: %v, %v", all, err)
	}
}

// A hash of zeros, as an unknown account has in memory, must not be a way in; nor may a broken store.
func TestCheckKeyFailsClosed(t *testing.T) {
	broken := errors.New("disk")
	accounts := NewAccounts(&memStore{err: broken})
	if err := accounts.CheckKey(t.Context(), "x", "y"); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
