package fake_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/backend/backendtest"
	"github.com/heliograph/heliograph/internal/backend/fake"
	"github.com/heliograph/heliograph/internal/session"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type machine struct{ host *fake.Host }

func (m machine) Open(*testing.T) session.Backend { return fake.New(m.host) }

func (m machine) Crash(t *testing.T, key arr.SessionKey, _ session.Handle) {
	if !m.host.Crash(key, "signal: killed") {
		t.Errorf("%s has no worker to crash", key)
	}
}

func TestConformance(t *testing.T) {
	backendtest.Run(t, func(t *testing.T, home workerrpc.Handler) backendtest.Machine {
		host := fake.NewHost(func(s session.Spec) fake.Behavior {
			return fake.Behavior{HangsOnStop: strings.HasPrefix(string(s.Key.ID), backendtest.HangPrefix)}
		})
		host.SetHome(home)
		t.Cleanup(host.Close)
		return machine{host}
	})
}
