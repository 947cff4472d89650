package worker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/heliograph/heliograph/internal/workerrpc"
)

// ReadConfig reads and checks the file that a backend wrote for this worker. Unknown members are ignored, so that a
// newer control plane can start an older worker.
func ReadConfig(file string) (workerrpc.WorkerConfig, error) {
	var c workerrpc.WorkerConfig
	b, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&c); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	for _, m := range []struct {
		name string
		ok   bool
	}{
		{"account", c.Account != ""},
		{"session", c.Session != ""},
		{"controlAddress", c.ControlAddress != ""},
		{"hostname", c.Hostname != ""},
		{"bindIP", c.BindIP != ""},
		{"certPEM", c.CertPEM != ""},
		{"keyPEM", c.KeyPEM != ""},
		{"tokenKeys", c.TokenKeys != ""},
		{"renewEvery", c.RenewEvery > 0},
		{"orphanAfter", c.OrphanAfter > c.RenewEvery},
		{"memoryLimit", c.MemoryLimit >= 0},
		{"primitiveBudget", c.PrimitiveBudget >= 0},
	} {
		if !m.ok {
			return c, fmt.Errorf("%s: member %q is missing or out of range", file, m.name)
		}
	}
	return c, nil
}
