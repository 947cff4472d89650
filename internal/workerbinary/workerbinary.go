// Package workerbinary finds the program heliograph-worker. It starts nothing.
package workerbinary

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

const name = "heliograph-worker"

// Find returns the absolute path of the program at path; "" = beside the running program, then in PATH.
func Find(path string) (string, error) {
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("find %s: %w", name, err)
		}
		path = filepath.Join(filepath.Dir(self), name)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			path = name // LookPath searches PATH
		}
	}
	found, err := exec.LookPath(path)
	if err != nil {
		return "", fmt.Errorf("find the worker binary: %w", err)
	}
	return filepath.Abs(found)
}
