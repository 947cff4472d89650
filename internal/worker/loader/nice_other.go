//go:build !linux

package loader

// atLowPriority runs f: other systems have no priorities of threads that could be lowered this simply.
func atLowPriority(f func()) { f() }
