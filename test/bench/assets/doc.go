// Package assets measures the asset pipeline: what converting costs, what drawing large assets costs, and how soon a first
// picture is there. `go test -bench . ./test/bench/assets` prints the tables of docs/benchmarks.md.
package assets
