//go:build !linux

package child

// DefaultMemory is 0, unknown.
func DefaultMemory() int64 { return 0 }
