// Package house holds the rules of the repository as tests: which room may import which, what every package must say
// about itself, and what must never be committed. It has no code of its own.
package house
