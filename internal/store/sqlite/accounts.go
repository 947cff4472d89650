package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/heliograph/heliograph/internal/arr"
)

const (
	selectAccounts = "SELECT id, name, key_hash_1, key_hash_2, created_at FROM account"
	selectAccount  = selectAccounts + " WHERE id = ?"
	insertAccount  = "INSERT INTO account (id, name, key_hash_1, key_hash_2, created_at) VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING"
	updateAccount  = "UPDATE account SET name = ?, key_hash_1 = ?, key_hash_2 = ? WHERE id = ?"
)

// GetAccount returns arr.CodeNotFound for an unknown id.
func (s *Store) GetAccount(ctx context.Context, id arr.AccountID) (arr.Account, error) {
	return scanAccount(s.read.QueryRowContext(ctx, selectAccount, string(id)))
}

// CreateAccount adds an account; arr.CodeConflict if its id exists.
func (s *Store) CreateAccount(ctx context.Context, a arr.Account) error {
	return s.submit(ctx, func(w *writer) error {
		n, err := w.execCount(insertAccount, string(a.ID), a.Name, a.KeyHash[0][:], a.KeyHash[1][:], nanos(a.CreatedAt))
		switch {
		case err != nil:
			return fmt.Errorf("insert account: %w", err)
		case n == 0:
			return arr.Errorf(arr.CodeConflict, "An account already exists under the given ID.")
		}
		return nil
	})
}

// ListAccounts returns all accounts, oldest first.
func (s *Store) ListAccounts(ctx context.Context) ([]arr.Account, error) {
	rows, err := s.read.QueryContext(ctx, selectAccounts+" ORDER BY created_at, id")
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	defer rows.Close()
	var all []arr.Account
	for rows.Next() {
		a, err := scanAccount(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	return all, nil
}

// UpdateAccount applies fn to the stored account in one transaction; an error from fn changes nothing and is returned.
// The id and the time of creation stay. Unknown id: arr.CodeNotFound.
func (s *Store) UpdateAccount(ctx context.Context, id arr.AccountID, fn func(*arr.Account) error) error {
	return s.submit(ctx, func(w *writer) error {
		row, err := w.queryRow(selectAccount, string(id))
		if err != nil {
			return err
		}
		a, err := scanAccount(row)
		if err != nil {
			return err
		}
		if err := fn(&a); err != nil {
			return err
		}
		if err := w.exec(updateAccount, a.Name, a.KeyHash[0][:], a.KeyHash[1][:], string(id)); err != nil {
			return fmt.Errorf("update account: %w", err)
		}
		return nil
	})
}

func scanAccount(row scanner) (arr.Account, error) {
	var (
		a            arr.Account
		id           string
		hash1, hash2 []byte
		created      int64
	)
	err := row.Scan(&id, &a.Name, &hash1, &hash2, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return arr.Account{}, arr.Errorf(arr.CodeNotFound, "There is no account with this ID.")
	}
	if err != nil {
		return arr.Account{}, fmt.Errorf("read account: %w", err)
	}
	a.ID, a.CreatedAt = arr.AccountID(id), instant(created)
	copy(a.KeyHash[0][:], hash1)
	copy(a.KeyHash[1][:], hash2)
	return a, nil
}
