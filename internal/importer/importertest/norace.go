//go:build !race

package importertest

const raceSlowdown = 1 // see race.go
