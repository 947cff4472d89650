package conversion

import (
	"context"
	"errors"
	"path"
	"strings"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

// ManagerConfig is what a Manager needs.
type ManagerConfig struct {
	Store   Store
	Storage Storage
	Sealer  *Sealer
	Notify  func(arr.ConversionKey) // called after each durable change; Queue.Notify
	Clock   Clock                   // nil = SystemClock
}

// Manager answers the conversion half of the REST contract (section 5): it validates, records intent durably and tells the
// Queue. It moves and converts nothing itself. Every error it makes is an *arr.Error. Safe for concurrent use.
type Manager struct{ c ManagerConfig }

// NewManager returns a Manager.
func NewManager(c ManagerConfig) *Manager {
	if c.Clock == nil {
		c.Clock = SystemClock{}
	}
	return &Manager{c}
}

// Create accepts a new conversion (created is true: 201), or returns the one that exists under key if it was created with
// the same settings (false: 200), whatever its state: an ended conversion is never run again. Other settings are
// arr.CodeConflict; the credentials are not compared, since they differ on a retry (contract section 5). Containers that
// the service may not enter are arr.CodeStorageAccess.
func (m *Manager) Create(ctx context.Context, key arr.ConversionKey, settings arr.ConversionSettings, secrets Credentials) (
	c arr.Conversion, created bool, err error) {
	settings, err = settings.Normalize()
	if err != nil {
		return arr.Conversion{}, false, err
	}
	if ok, _ := kindOf(settings.Input.AssetPath); !ok {
		e := arr.Errorf(arr.CodeBadRequest, "Files of the type '%s' cannot be converted.", path.Ext(settings.Input.AssetPath))
		e.Target = "inputLocation.relativeInputAssetPath"
		return arr.Conversion{}, false, e
	}
	secrets.Input, secrets.Output = trim(secrets.Input), trim(secrets.Output)
	if err := m.c.Storage.Check(key.Account, settings.Input.ContainerURI, string(secrets.Input)); err != nil {
		return arr.Conversion{}, false, err
	}
	if err := m.c.Storage.Check(key.Account, settings.Output.ContainerURI, string(secrets.Output)); err != nil {
		return arr.Conversion{}, false, err
	}
	sealed, err := m.c.Sealer.seal(key, secrets)
	if err != nil {
		return arr.Conversion{}, false, err
	}
	rec, created, err := m.c.Store.Create(ctx, Record{
		Conversion: arr.Conversion{Key: key, Settings: settings, Status: arr.ConversionNotStarted, CreatedAt: m.c.Clock.Now()},
		Sealed:     sealed,
	})
	if err != nil {
		return arr.Conversion{}, false, err
	}
	if created {
		m.c.Notify(key)
		return rec.Conversion, true, nil
	}
	if rec.Settings != settings {
		return arr.Conversion{}, false, arr.Errorf(arr.CodeConflict, "A resource already exists under the given ID.")
	}
	return rec.Conversion, false, nil
}

// trim takes away the "?" with which some clients begin a signature (contract section 5).
func trim(s SAS) SAS { return SAS(strings.TrimPrefix(string(s), "?")) }

// Get returns the conversion; arr.CodeNotFound for an unknown one.
func (m *Manager) Get(ctx context.Context, key arr.ConversionKey) (arr.Conversion, error) {
	rec, err := m.c.Store.Get(ctx, key)
	return rec.Conversion, err
}

// List returns the account's conversions in every state, oldest first, limit at a time (0 = all). after is "" or the next
// of the page before; any other value is arr.CodeBadRequest. next is "" on the last page.
func (m *Manager) List(ctx context.Context, account arr.AccountID, after string, limit int) (
	page []arr.Conversion, next string, err error) {
	recs, next, err := m.c.Store.List(ctx, ListOptions{Account: account, After: after, Limit: limit})
	if err != nil {
		return nil, "", err
	}
	page = make([]arr.Conversion, len(recs))
	for i, r := range recs {
		page[i] = r.Conversion
	}
	return page, next, nil
}

// Cancel ends the conversion: it is durably Failed, with arr.CodeConversionCancelled, when Cancel returns, and its process
// ends soon after. Cancelling an ended conversion changes nothing and is no error; unknown is arr.CodeNotFound.
func (m *Manager) Cancel(ctx context.Context, key arr.ConversionKey) error {
	now := m.c.Clock.Now()
	_, err := m.c.Store.Update(ctx, key, func(r *Record) error {
		if r.Status.Terminal() {
			return errUnchanged
		}
		return r.fail(arr.Errorf(arr.CodeConversionCancelled, "The conversion was cancelled."), now)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err != nil {
		return err
	}
	m.c.Notify(key)
	return nil
}

// Delete forgets the conversion and its log, and ends it if it has not ended. What it has written to the output container
// stays. Unknown is arr.CodeNotFound.
func (m *Manager) Delete(ctx context.Context, key arr.ConversionKey) error {
	if err := m.c.Store.Delete(ctx, key, nil); err != nil {
		return err
	}
	m.c.Notify(key)
	return nil
}

// fail ends the record for the reason why.
func (r *Record) fail(why *arr.Error, now time.Time) error {
	if err := r.Transition(arr.ConversionFailed, now); err != nil {
		return err
	}
	r.Error, r.Sealed = why, nil
	return nil
}

// errUnchanged is returned by update functions that find nothing to change.
var errUnchanged = errors.New("nothing to change")
