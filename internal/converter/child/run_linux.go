package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// isolations are the ways to start a process outside of the network, the best first. A user who is not root needs a
// namespace of users to be allowed one of the network; root does not, and would lose the right to read others' files in it.
func isolations() []string {
	if os.Geteuid() == 0 {
		return []string{"net", ""}
	}
	return []string{"user+net", ""}
}

// isolate makes the process the leader of a group that ends with ctx and with this process.
func isolate(cmd *exec.Cmd, isolation string) {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	switch isolation {
	case "net":
		attr.Cloneflags = syscall.CLONE_NEWNET
	case "user+net":
		attr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}}
	}
	cmd.SysProcAttr = attr
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
}

// killed reports whether somebody else killed the process; that is what the kernel does when the machine is out of memory.
func killed(state *os.ProcessState) bool {
	s, ok := state.Sys().(syscall.WaitStatus)
	return ok && s.Signaled() && s.Signal() == syscall.SIGKILL
}

// peak is the most memory that a process had that has ended, in bytes.
func peak(state *os.ProcessState) int64 {
	if u, ok := state.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
}

// memory is what a process has now, without the files that it has mapped, in bytes; 0 = it has ended.
func memory(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var size, resident, shared int64 // pages
	if n, _ := fmt.Sscan(string(text), &size, &resident, &shared); n < 3 {
		return 0
	}
	return (resident - shared) * int64(os.Getpagesize())
}
