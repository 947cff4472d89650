package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/conversion"
)

// As for sessions: the columns fixed at the creation, and those that Update writes.
const (
	conversionFixed   = "account, id, created_at, settings"
	conversionMutable = "status, started_at, ended_at, error, sealed, starts, crashes"

	selectConversion      = "SELECT " + conversionFixed + ", " + conversionMutable + " FROM conversion"
	selectConversionByKey = selectConversion + " WHERE account = ? AND id = ?"
	insertConversion      = "INSERT INTO conversion (" + conversionFixed + ", " + conversionMutable + ") VALUES (?,?,?,?, ?,?,?,?,?,?,?)" +
		" ON CONFLICT DO NOTHING"
	updateConversion = "UPDATE conversion SET (" + conversionMutable + ") = (?,?,?,?,?,?,?) WHERE account = ? AND id = ?"
	deleteConversion = "DELETE FROM conversion WHERE account = ? AND id = ?"
	liveConversion   = "status IN ('NotStarted','Running')" // exactly the condition of the index conversion_live
)

// Conversions implements conversion.Store on the file of a Store, whose Run it needs. Safe for concurrent use.
type Conversions struct{ s *Store }

var _ conversion.Store = Conversions{}

// Conversions returns the part of the store that keeps conversions.
func (s *Store) Conversions() Conversions { return Conversions{s} }

// Create implements conversion.Store.
func (c Conversions) Create(ctx context.Context, r conversion.Record) (conversion.Record, bool, error) {
	settings, err := json.Marshal(r.Settings)
	if err != nil {
		return conversion.Record{}, false, err
	}
	mutable, err := conversionValues(&r)
	if err != nil {
		return conversion.Record{}, false, err
	}
	values := append([]any{string(r.Key.Account), string(r.Key.ID), nanos(r.CreatedAt), string(settings)}, mutable...)
	var (
		stored  conversion.Record
		created bool
	)
	err = c.s.submit(ctx, func(w *writer) error {
		n, err := w.execCount(insertConversion, values...)
		if err != nil {
			return fmt.Errorf("insert conversion: %w", err)
		}
		created = n == 1
		stored, err = w.conversion(r.Key)
		return err
	})
	if err != nil {
		return conversion.Record{}, false, err
	}
	return stored, created, nil
}

// Get implements conversion.Store.
func (c Conversions) Get(ctx context.Context, key arr.ConversionKey) (conversion.Record, error) {
	return scanConversion(c.s.read.QueryRowContext(ctx, selectConversionByKey, string(key.Account), string(key.ID)))
}

// Update implements conversion.Store. fn runs on the writer's goroutine.
func (c Conversions) Update(ctx context.Context, key arr.ConversionKey, fn func(*conversion.Record) error) (conversion.Record, error) {
	var updated conversion.Record
	err := c.s.submit(ctx, func(w *writer) error {
		r, err := w.conversion(key)
		if err != nil {
			return err
		}
		if err := fn(&r); err != nil {
			return err
		}
		values, err := conversionValues(&r)
		if err != nil {
			return err
		}
		if err := w.exec(updateConversion, append(values, string(key.Account), string(key.ID))...); err != nil {
			return fmt.Errorf("update conversion: %w", err)
		}
		updated, err = w.conversion(key)
		return err
	})
	if err != nil {
		return conversion.Record{}, err
	}
	return updated, nil
}

// Delete implements conversion.Store. check runs on the writer's goroutine.
func (c Conversions) Delete(ctx context.Context, key arr.ConversionKey, check func(*conversion.Record) error) error {
	return c.s.submit(ctx, func(w *writer) error {
		r, err := w.conversion(key)
		if err == nil && check != nil {
			err = check(&r)
		}
		if err != nil {
			return err
		}
		if err := w.exec(deleteConversion, string(key.Account), string(key.ID)); err != nil {
			return fmt.Errorf("delete conversion: %w", err)
		}
		return nil
	})
}

// List implements conversion.Store.
func (c Conversions) List(ctx context.Context, o conversion.ListOptions) ([]conversion.Record, string, error) {
	var (
		where []string
		args  []any
	)
	if o.Account != "" {
		where, args = append(where, "account = ?"), append(args, string(o.Account))
	}
	if len(o.Status) > 0 {
		in, err := whereStatus(o.Status, arr.ConversionNotStarted, arr.ConversionRunning, arr.ConversionSucceeded, arr.ConversionFailed)
		if err != nil {
			return nil, "", fmt.Errorf("list conversions: %w", err)
		}
		where = append(where, in)
	}
	if o.After != "" {
		at, account, id, err := parsePosition(o.After)
		if err != nil {
			return nil, "", err
		}
		where, args = append(where, "(created_at, account, id) > (?, ?, ?)"), append(args, at, account, id)
	}
	query := selectConversion
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	query += " ORDER BY created_at, account, id"
	if o.Limit > 0 {
		query, args = query+" LIMIT ?", append(args, o.Limit+1) // one more tells whether there is a next page
	}
	rows, err := c.s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, "", fmt.Errorf("list conversions: %w", err)
	}
	defer rows.Close()
	var page []conversion.Record
	for rows.Next() {
		r, err := scanConversion(rows)
		if err != nil {
			return nil, "", err
		}
		page = append(page, r)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("list conversions: %w", err)
	}
	if o.Limit > 0 && len(page) > o.Limit {
		page = page[:o.Limit]
		last := &page[o.Limit-1]
		return page, position(last.CreatedAt, last.Key), nil
	}
	return page, "", nil
}

// conversion reads a record inside the transaction.
func (w *writer) conversion(key arr.ConversionKey) (conversion.Record, error) {
	row, err := w.queryRow(selectConversionByKey, string(key.Account), string(key.ID))
	if err != nil {
		return conversion.Record{}, err
	}
	return scanConversion(row)
}

func conversionValues(r *conversion.Record) ([]any, error) {
	conversionError, err := nullJSON(r.Error)
	if err != nil {
		return nil, err
	}
	return []any{string(r.Status), nanos(r.StartedAt), nanos(r.EndedAt), conversionError, r.Sealed, r.Starts, r.Crashes}, nil
}

func scanConversion(row scanner) (conversion.Record, error) {
	var (
		r                             conversion.Record
		created, started, ended       int64
		account, id, settings, status string
		conversionError               sql.Null[string]
	)
	err := row.Scan(&account, &id, &created, &settings, &status, &started, &ended, &conversionError, &r.Sealed, &r.Starts, &r.Crashes)
	if errors.Is(err, sql.ErrNoRows) {
		return conversion.Record{}, arr.Errorf(arr.CodeNotFound, "There is no conversion with this ID.")
	}
	if err != nil {
		return conversion.Record{}, fmt.Errorf("read conversion: %w", err)
	}
	r.Key = arr.ConversionKey{Account: arr.AccountID(account), ID: arr.ConversionID(id)}
	r.Status = arr.ConversionStatus(status)
	r.CreatedAt, r.StartedAt, r.EndedAt = instant(created), instant(started), instant(ended)
	if err := json.Unmarshal([]byte(settings), &r.Settings); err != nil {
		return conversion.Record{}, fmt.Errorf("read conversion %s: settings: %w", r.Key, err)
	}
	if r.Error, err = fromJSON[arr.Error](conversionError); err != nil {
		return conversion.Record{}, fmt.Errorf("read conversion %s: error: %w", r.Key, err)
	}
	return r, nil
}
