package storetest

import (
	"testing"

	"github.com/heliograph/heliograph/internal/session"
)

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) session.Store { return NewMemory() })
}
