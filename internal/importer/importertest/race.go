//go:build race

package importertest

// raceSlowdown is how much slower tests may be with the race detector than without, on a busy machine.
const raceSlowdown = 12
