//go:build race

package assets

const raceEnabled = true
