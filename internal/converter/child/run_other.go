//go:build !linux

package child

import (
	"os"
	"os/exec"
)

func isolations() []string { return []string{""} }

func isolate(*exec.Cmd, string) {}

func killed(*os.ProcessState) bool { return false }

func peak(*os.ProcessState) int64 { return 0 }

func memory(int) int64 { return 0 }
