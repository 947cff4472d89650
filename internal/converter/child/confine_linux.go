package child

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	goShare  = 0.8 // of the memory that Go's heap may fill before its collector works harder; the rest is slack, and not Go's
	cpuGrace = 2   // seconds between the signal of the limit of processor time and the end

	dataSlack = 128 << 20 // for stacks of threads and the runtime's own tables, which small limits have no room for
)

// Confine puts the limits on this process, for good: memory, processor time, the size of files, no core files, no sockets
// and no other programs. What this system cannot do is returned, for the log; an error is a limit that could not be set.
func Confine(l Limits) (missing []string, err error) {
	set := func(resource int, soft, hard uint64) {
		if e := unix.Setrlimit(resource, &unix.Rlimit{Cur: soft, Max: hard}); e != nil {
			err = errors.Join(err, fmt.Errorf("limit %d to %d: %w", resource, soft, e))
		}
	}
	set(unix.RLIMIT_CORE, 0, 0)
	if l.Memory > 0 {
		debug.SetMemoryLimit(int64(float64(l.Memory) * goShare))
		// A backstop only, for growth that is faster than whoever watches (see Run): the limit is for address space, of which Go
		// has more than memory. Not RLIMIT_AS, which counts what is reserved too: that is gigabytes.
		data := 2*uint64(l.Memory) + dataSlack
		set(unix.RLIMIT_DATA, data, data)
	}
	if l.CPU > 0 {
		seconds := uint64(max(1, l.CPU.Seconds()))
		set(unix.RLIMIT_CPU, seconds, seconds+cpuGrace)
	}
	if l.FileSize > 0 {
		signal.Ignore(syscall.SIGXFSZ) // the write fails with EFBIG instead
		set(unix.RLIMIT_FSIZE, uint64(l.FileSize), uint64(l.FileSize))
	}
	// If the machine runs out of memory, this process should go before the service does.
	if e := os.WriteFile("/proc/self/oom_score_adj", []byte("500"), 0o600); e != nil {
		missing = append(missing, fmt.Sprintf("the kernel is not told to end this process first: %v", e))
	}
	if e := filter(); e != nil {
		missing = append(missing, fmt.Sprintf("no filter of system calls: %v", e))
	}
	return missing, err
}

// ExceedsFileSize reports whether err is that of a write beyond Limits.FileSize.
func ExceedsFileSize(err error) bool { return errors.Is(err, syscall.EFBIG) }

// forbidden are the system calls that a conversion has no use for, and that somebody has who took it over by a bad file:
// sockets, also by way of io_uring, and other programs and processes.
var forbidden = []uint32{
	unix.SYS_SOCKET, unix.SYS_IO_URING_SETUP, unix.SYS_EXECVE, unix.SYS_EXECVEAT,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV,
}

// filter makes the forbidden system calls fail with EPERM in all threads (seccomp(2)).
func filter() error {
	arch, ok := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("it does not know %s", runtime.GOARCH)
	}
	const (
		numberAt, archAt = 0, 4 // in struct seccomp_data
		x32              = 0x40000000
		load             = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal            = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		atLeast          = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		answer           = unix.BPF_RET | unix.BPF_K
	)
	n := uint8(len(forbidden))
	program := []unix.SockFilter{
		{Code: load, K: archAt},
		{Code: equal, K: arch, Jf: n + 3}, // to refuse: calls of other architectures have other numbers
		{Code: load, K: numberAt},
		{Code: atLeast, K: x32, Jt: n + 1}, // to refuse
	}
	for i, number := range forbidden {
		program = append(program, unix.SockFilter{Code: equal, K: number, Jt: n - uint8(i)}) // to refuse
	}
	program = append(program,
		unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}) // refuse

	runtime.LockOSThread() // the right to set a filter is a thread's
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	const mode, flags = unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, mode, flags, uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(program)
	if errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	return nil
}
