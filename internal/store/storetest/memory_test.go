package storetest

import (
	"testing"

	"github.com/heliograph/heliograph/internal/conversion"
	"github.com/heliograph/heliograph/internal/session"
)

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) session.Store { return NewMemory() })
}

func TestMemoryConversions(t *testing.T) {
	RunConversions(t, func(*testing.T) conversion.Store { return NewMemoryConversions() })
}
