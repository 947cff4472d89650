//go:build !linux

package child

import (
	"os"
	"os/exec"
)

func isolations() []string { return []string{""} }

func isolate(*exec.Cmd, string) {}

const killed = "killed"

func ended(*os.ProcessState) string { return "" }
