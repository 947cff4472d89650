//go:build !amd64

package machine

func kernelName() string { return "portable" }

func kernel(n int) float64 { return portable(n) }
