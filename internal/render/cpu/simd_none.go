//go:build !cgo || !amd64

package cpu

// simdLevels returns nil: this build has no SIMD kernels.
func simdLevels() []simdLevel { return nil }
