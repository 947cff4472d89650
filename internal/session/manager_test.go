package session_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/backend/fake"
	"github.com/heliograph/heliograph/internal/session"
	"github.com/heliograph/heliograph/internal/store/storetest"
)

func TestCreate(t *testing.T) {
	notified := map[arr.SessionKey]int{}
	m := session.NewManager(session.ManagerConfig{Store: storetest.NewMemory(), Notify: func(k arr.SessionKey) { notified[k]++ }})
	f := func(id string, size arr.Size, lease int, wantCreated bool, wantErr string) {
		t.Helper()
		s, created, err := m.Create(t.Context(), keyOf(id), size, lease)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if created != wantCreated || text != wantErr {
			t.Errorf("create %s %s %d: created=%v err=%q", id, size, lease, created, text)
		}
		if err == nil && (s.Key != keyOf(id) || s.LeaseMinutes != lease || s.Status != arr.StatusStarting || s.CreatedAt.IsZero()) {
			t.Errorf("create %s gave %+v", id, s)
		}
	}
	f("a", "Standard", 20, true, "")
	f("a", "Standard", 20, false, "")
	f("a", "standard", 20, false, "")
	f("a", "Standard", 21, false, "Conflict: A resource already exists under the given ID.")
	f("a", "Premium", 20, false, "Conflict: A resource already exists under the given ID.")
	f("b", "premium", 0, true, "")
	f("c", "Standard", 1440, true, "")
	f("d", "Standard", -1, false, "BadRequest: The maxLeaseTimeMinutes value cannot be negative.")
	f("d", "Standard", 1441, false, "BadRequest: The maxLeaseTimeMinutes value must be between 0 and 1440.")
	f("d", "Tiny", 5, false, "BadRequest: Can't specify this VM size: Tiny")
	if len(notified) != 3 || notified[keyOf("a")] != 1 {
		t.Errorf("notified %v", notified)
	}
	if s, err := m.Get(t.Context(), keyOf("b")); err != nil || s.Size != arr.SizePremium {
		t.Errorf("size %q (%v)", s.Size, err)
	}
}

func TestCreateAfterPatchAndAfterEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(nil)
		defer p.close(t)
		key := p.create(t, "a", 20)
		if _, err := p.Extend(t.Context(), key, 60); err != nil {
			t.Fatal(err)
		}
		again := func(want arr.SessionStatus) {
			t.Helper()
			s, created, err := p.Create(t.Context(), key, arr.SizeStandard, 20)
			if err != nil || created || s.LeaseMinutes != 60 || s.Status != want {
				t.Errorf("retried PUT: %+v created=%v err=%v", s, created, err)
			}
			if _, _, err := p.Create(t.Context(), key, arr.SizeStandard, 60); arr.CodeOf(err) != arr.CodeConflict {
				t.Errorf("PUT with the patched lease: %v", err)
			}
		}
		again(arr.StatusReady)
		if err := p.Stop(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		again(arr.StatusStopped)
		p.wantWorkers(t, 0)
	})
}

func TestCreateConcurrently(t *testing.T) {
	m := session.NewManager(session.ManagerConfig{Store: storetest.NewMemory(), Notify: func(arr.SessionKey) {}})
	var created, existing, conflict atomic.Int32
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			switch _, won, err := m.Create(t.Context(), keyOf("same"), arr.SizeStandard, 5+i%2); {
			case arr.CodeOf(err) == arr.CodeConflict:
				conflict.Add(1)
			case err != nil:
				t.Error(err)
			case won:
				created.Add(1)
			default:
				existing.Add(1)
			}
		})
	}
	wg.Wait()
	if created.Load() != 1 || existing.Load() != 29 || conflict.Load() != 30 {
		t.Errorf("201 %d times, 200 %d, 409 %d; want 1, 29, 30", created.Load(), existing.Load(), conflict.Load())
	}
}

func TestExtend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(func(s session.Spec) fake.Behavior { return fake.Behavior{ReadyAfter: 10 * time.Second} })
		defer p.close(t)
		f := func(id string, minutes int, want arr.Code) {
			t.Helper()
			s, err := p.Extend(t.Context(), keyOf(id), minutes)
			if arr.CodeOf(err) != want || err == nil && s.LeaseMinutes != minutes {
				t.Errorf("extend %s to %d: lease %d, %v, want %q", id, minutes, s.LeaseMinutes, err, want)
			}
		}
		key := p.create(t, "a", 5)
		p.want(t, key, arr.StatusStarting)
		f("unknown", 10, arr.CodeNotFound)
		f("a", 5, arr.CodeUnprocessableEntity)
		f("a", 4, arr.CodeUnprocessableEntity)
		f("a", -4, arr.CodeUnprocessableEntity)
		f("a", 1441, arr.CodeUnprocessableEntity)
		f("a", 6, "")
		time.Sleep(11 * time.Second)
		p.want(t, key, arr.StatusReady)
		f("a", 6, arr.CodeUnprocessableEntity)
		f("a", 7, "")
		time.Sleep(7*time.Minute - 2*time.Second)
		p.want(t, key, arr.StatusReady)
		f("a", 1440, "")
		time.Sleep(23 * time.Hour)
		if err := p.Stop(t.Context(), key); err != nil {
			t.Error(err)
		}
		f("a", 1440, arr.CodeUnprocessableEntity)
		if s := p.get(t, key); s.LeaseMinutes != 1440 || s.Status != arr.StatusStopped {
			t.Errorf("after all: %+v", s)
		}
	})
}

// TestExtendAtTheLastMoment must not revive a lease that has run out before the end was recorded.
func TestExtendAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(nil)
		defer p.close(t)
		key := p.create(t, "a", 5)
		p.store.FailWith(func(op string, _ arr.SessionKey) error {
			if op == "Update" {
				return fmt.Errorf("disk on fire")
			}
			return nil
		})
		time.Sleep(5*time.Minute + time.Second)
		p.want(t, key, arr.StatusReady)
		p.store.FailWith(nil)
		if _, err := p.Extend(t.Context(), key, 50); arr.CodeOf(err) != arr.CodeUnprocessableEntity {
			t.Errorf("extended a lease that had run out: %v", err)
		}
		time.Sleep(10 * time.Second)
		if s := p.want(t, key, arr.StatusExpired); s.EndedAt.Sub(s.ReadyAt) != 5*time.Minute {
			t.Errorf("ended %v after Ready, want the lease", s.EndedAt.Sub(s.ReadyAt))
		}
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(func(s session.Spec) fake.Behavior { return fake.Behavior{NeverReady: s.Key.ID == "starting"} })
		defer p.close(t)
		if err := p.Stop(t.Context(), keyOf("unknown")); arr.CodeOf(err) != arr.CodeNotFound {
			t.Errorf("unknown: %v", err)
		}
		for _, id := range []string{"starting", "ready"} {
			key := p.create(t, id, 5)
			time.Sleep(9 * time.Second)
			if err := p.Stop(t.Context(), key); err != nil {
				t.Errorf("stop: %v", err)
			}
			s, err := p.Get(t.Context(), key) // at once
			if err != nil || s.Status != arr.StatusStopped {
				t.Errorf("right after stop: %s (%v)", s.Status, err)
			}
			time.Sleep(time.Minute)
			if err := p.Stop(t.Context(), key); err != nil {
				t.Errorf("second stop: %v", err)
			}
			if again := p.want(t, key, arr.StatusStopped); again != s {
				t.Errorf("second stop changed %+v to %+v", s, again)
			}
		}
		p.wantWorkers(t, 0)
	})
}

func TestListOnlyLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlane(func(s session.Spec) fake.Behavior { return fake.Behavior{NeverReady: s.Key.ID == "s3"} })
		defer p.close(t)
		for i := range 6 {
			p.create(t, fmt.Sprintf("s%d", i), 5)
			time.Sleep(time.Millisecond)
		}
		if err := p.Stop(t.Context(), keyOf("s1")); err != nil {
			t.Fatal(err)
		}
		var got []string
		after := ""
		for {
			page, next, err := p.List(t.Context(), account, after, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range page {
				got = append(got, string(s.Key.ID)+string(s.Status))
			}
			if after = next; next == "" {
				break
			}
		}
		if want := "[s0Ready s2Ready s3Starting s4Ready s5Ready]"; fmt.Sprint(got) != want {
			t.Errorf("listed %v, want %v", got, want)
		}
		other, _, err := p.List(t.Context(), "bbbbbbbb-0000-4000-8000-000000000002", "", 0)
		if err != nil || other == nil || len(other) != 0 {
			t.Errorf("another account lists %#v (%v)", other, err)
		}
		if _, _, err := p.List(t.Context(), account, "nonsense", 0); arr.CodeOf(err) != arr.CodeBadRequest {
			t.Errorf("bad position: %v", err)
		}
	})
}
