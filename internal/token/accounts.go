package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

// AccountStore keeps accounts durably.
type AccountStore interface {
	// GetAccount returns arr.CodeNotFound for an unknown id.
	GetAccount(ctx context.Context, id arr.AccountID) (arr.Account, error)
	// CreateAccount adds an account; arr.CodeConflict if its id exists.
	CreateAccount(ctx context.Context, a arr.Account) error
	// ListAccounts returns all accounts, oldest first.
	ListAccounts(ctx context.Context) ([]arr.Account, error)
	// UpdateAccount applies fn to the stored account in one transaction; an error from fn changes nothing and is
	// returned. The id and the time of creation stay. Unknown id: arr.CodeNotFound.
	UpdateAccount(ctx context.Context, id arr.AccountID, fn func(*arr.Account) error) error
}

// KeySlot says which of an account's two keys is meant.
type KeySlot int

// The slots. The two keys are equal in rights; having two lets one be rotated while the other serves.
const (
	Primary KeySlot = iota
	Secondary
)

// Accounts creates accounts and checks their keys. Only hashes of keys are stored: a key is shown once, when it is made.
type Accounts struct{ store AccountStore }

// NewAccounts returns the accounts in store.
func NewAccounts(store AccountStore) *Accounts { return &Accounts{store} }

// Create makes an account with two fresh keys, primary first. An empty id gets a random GUID; an id in use is
// arr.CodeConflict.
func (a *Accounts) Create(ctx context.Context, id arr.AccountID, name string) (arr.Account, [2]arr.Secret, error) {
	if id == "" {
		id = newAccountID()
	}
	keys := [2]arr.Secret{newKey(), newKey()}
	account := arr.Account{
		ID: id, Name: name, CreatedAt: time.Now(),
		KeyHash: [2][32]byte{hash(keys[Primary]), hash(keys[Secondary])},
	}
	if err := a.store.CreateAccount(ctx, account); err != nil {
		return arr.Account{}, [2]arr.Secret{}, err
	}
	return account, keys, nil
}

// List returns all accounts, oldest first.
func (a *Accounts) List(ctx context.Context) ([]arr.Account, error) { return a.store.ListAccounts(ctx) }

// RotateKey replaces one key and returns the new one. Tokens bought with the old key stay good until they expire.
func (a *Accounts) RotateKey(ctx context.Context, id arr.AccountID, slot KeySlot) (arr.Secret, error) {
	if slot != Primary && slot != Secondary {
		return "", arr.Errorf(arr.CodeBadRequest, "An account has a primary and a secondary key only.")
	}
	key := newKey()
	err := a.store.UpdateAccount(ctx, id, func(acc *arr.Account) error {
		acc.KeyHash[slot] = hash(key)
		return nil
	})
	if err != nil {
		return "", err
	}
	return key, nil
}

// CheckKey returns nil if key is one of the account's two, and arr.CodeUnauthorized if it is not or there is no such
// account, without telling which in text or time.
func (a *Accounts) CheckKey(ctx context.Context, id arr.AccountID, key arr.Secret) error {
	account, err := a.store.GetAccount(ctx, id)
	known := 1
	switch arr.CodeOf(err) {
	case "":
	case arr.CodeNotFound:
		known = 0
	default:
		return fmt.Errorf("look up account: %w", err)
	}
	// Hashes, compared both and in full: neither the place of the first wrong byte nor the slot shows in the time taken.
	given := hash(key)
	match := subtle.ConstantTimeCompare(given[:], account.KeyHash[Primary][:])
	match |= subtle.ConstantTimeCompare(given[:], account.KeyHash[Secondary][:])
	if match&known != 1 {
		return arr.Errorf(arr.CodeUnauthorized, "The account or its key is wrong.")
	}
	return nil
}

func hash(key arr.Secret) [32]byte { return sha256.Sum256([]byte(key)) }

// newKey returns 256 random bits in base64, as ARR's keys are written.
func newKey() arr.Secret {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return arr.Secret(base64.StdEncoding.EncodeToString(b[:]))
}

// newAccountID returns a random GUID (RFC 9562, version 4).
func newAccountID() arr.AccountID {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return arr.AccountID(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
