// Package control benchmarks the control plane as a black box: durable creates against a bare handler and raw commits,
// and the time from PUT to Ready. `make bench` runs it; it has no tests and asserts nothing.
package control
