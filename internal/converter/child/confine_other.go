//go:build !linux

package child

import "runtime"

// Confine has limits for Linux only.
func Confine(Limits) (missing []string, err error) {
	return []string{"no limits on " + runtime.GOOS}, nil
}

// ExceedsFileSize reports whether err is that of a write beyond Limits.FileSize.
func ExceedsFileSize(error) bool { return false }
