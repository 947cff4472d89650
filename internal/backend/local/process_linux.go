package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a worker, running or not: a child of ours, or one that an earlier control plane started.
type process struct {
	state
	child bool // ours to reap

	mu     sync.Mutex
	reaped bool
	exit   string // set by reap
}

// startProcess starts the worker in a process group of its own, so that signals to the control plane (Ctrl-C in a
// terminal) do not reach it and its own children can be killed with it. There is no parent-death signal: a worker
// outlives the control plane, and ends by itself if that does not come back.
func startProcess(binary, dir string, log *os.File) (*process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	child, err := os.StartProcess(binary, []string{binary, "render", "--config", configFile(dir)}, &os.ProcAttr{
		Dir:   dir,
		Env:   environ(),
		Files: []*os.File{null, log, log},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return nil, err
	}
	p := &process{state: state{PID: child.Pid, Dir: dir}, child: true}
	if err := child.Release(); err != nil { // waited for by pidfd and reaped by reap
		return nil, errors.Join(err, unix.Kill(-p.PID, unix.SIGKILL))
	}
	p.StartTicks, err = startTicks(p.PID) // readable however short its life was: we have not reaped it
	if err != nil {
		return nil, errors.Join(err, unix.Kill(-p.PID, unix.SIGKILL))
	}
	return p, nil
}

// confine limits the worker's memory and makes it, not the control plane, the one that the kernel kills when the whole
// machine runs out.
//
// The limit is RLIMIT_DATA: since Linux 4.7 it counts private writable memory, which is heaps and thread stacks, but
// not mapped model files and libraries, nor the address space that Go only reserves (RLIMIT_AS counts all of these and
// would kill a worker that uses little). A memory cgroup would count more precisely, but needs a delegated subtree,
// which neither a user's shell nor most containers give. A worker over the limit gets ENOMEM and ends with the reason in
// its log; it is also told the limit (WorkerConfig.MemoryLimit), so that its collector works harder before.
func (p *process) confine(memory int64) error {
	var errs []error
	if memory > 0 {
		limit := unix.Rlimit{Cur: uint64(memory), Max: uint64(memory)}
		errs = append(errs, unix.Prlimit(p.PID, unix.RLIMIT_DATA, &limit, nil))
	}
	errs = append(errs, os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", p.PID), []byte("500"), 0))
	err := errors.Join(errs...)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, fs.ErrNotExist) {
		return nil // it has ended already; that is reported as such
	}
	return err
}

// errGone means that the process has ended and been reaped.
var errGone = errors.New("no such process")

// open returns a descriptor of exactly this process; errGone if it is gone, whoever has its number now.
func (p *process) open() (*os.File, error) {
	fd, err := unix.PidfdOpen(p.PID, unix.PIDFD_NONBLOCK)
	switch {
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT): // the latter two: a thread's number now
		return nil, errGone
	case err != nil:
		return nil, fmt.Errorf("pidfd_open: %w", err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	// Checked after the open: if the number is ours now, it was ours then.
	ticks, err := startTicks(p.PID)
	switch {
	case err == nil && ticks == p.StartTicks:
		return f, nil
	case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH):
		err = errGone
	}
	f.Close()
	return nil, err
}

// running reports whether the process is there and not a zombie. When that cannot be found out, it is.
func (p *process) running() bool {
	f, err := p.open()
	if errors.Is(err, errGone) {
		return false
	}
	if err != nil {
		return true
	}
	defer f.Close()
	ended := false
	raw, err := f.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { ended = readable(fd) })
	}
	if err != nil || !ended {
		return true
	}
	p.reap()
	return false
}

// wait returns nil when the process has ended, or the error of ctx. It waits in the runtime's poller, not in a thread.
func (p *process) wait(ctx context.Context) error {
	f, err := p.open()
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	// Descriptors of processes are pollable, so a deadline cannot fail to be set; a closed one needs none.
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := raw.Read(readable); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	p.reap()
	return nil
}

// readable reports whether a process descriptor is readable: the process has ended (pidfd_open(2)).
func readable(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return n == 1 && err == nil
}

// reap takes the exit status of a child that has ended; only then may it be called. What is left of its process group is
// killed first: while the leader is a zombie, its number cannot belong to anybody else.
func (p *process) reap() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.child || p.reaped {
		return
	}
	_ = unix.Kill(-p.PID, unix.SIGKILL) // mostly ESRCH
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(p.PID, &status, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		p.reaped = true
		if err == nil {
			p.exit = exitText(status)
		}
		return
	}
}

// exitText is how the process ended; "" for one that is not our child.
func (p *process) exitText() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

func exitText(status unix.WaitStatus) string {
	if status.Signaled() {
		return "signal: " + status.Signal().String()
	}
	return "exit status " + strconv.Itoa(status.ExitStatus())
}

// stop ends the process: politely, and after grace by force.
func (p *process) stop(ctx context.Context, grace time.Duration) error {
	if err := p.signal(unix.SIGTERM); errors.Is(err, errGone) {
		return nil
	} else if err != nil {
		return err
	}
	polite, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err := p.wait(polite)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case polite.Err() == nil:
		return err
	}
	if err := p.signal(unix.SIGKILL); err != nil && !errors.Is(err, errGone) {
		return err
	}
	return p.wait(ctx)
}

// signal sends s to the process, and SIGKILL to its whole group as well: the open descriptor and the leader still being
// there make sure that the group is its.
func (p *process) signal(s unix.Signal) error {
	f, err := p.open()
	if err != nil {
		return err
	}
	defer f.Close()
	if s == unix.SIGKILL {
		if err := unix.Kill(-p.PID, s); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("kill process group: %w", err)
		}
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), s, nil, 0) }); cerr != nil {
		return cerr
	}
	switch {
	case !errors.Is(err, unix.ESRCH):
		return err
	case s == unix.SIGKILL: // with its group, just before
		return nil
	}
	return errGone
}

// startTicks is when a process started, in clock ticks since boot: field 22 of /proc/PID/stat (proc(5)).
func startTicks(pid int) (uint64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the name in parentheses, which may hold anything; the third follows the last ")".
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("process %d: short stat", pid)
	}
	return strconv.ParseUint(fields[22-3], 10, 64)
}

// scan finds the running workers below root by their command lines. Nothing has to be written down for that: a worker is
// found however early the control plane that started it died.
func scan(root string) ([]state, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var found []state
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir, ok := workerDir(pid, root)
		if !ok {
			continue
		}
		s := state{PID: pid, Dir: dir}
		if s.StartTicks, err = startTicks(pid); err != nil {
			continue // ended meanwhile
		}
		found = append(found, s)
	}
	return found, nil
}

// workerDir is the session directory of pid, if pid is one of root's workers. Zombies and kernel threads have no command
// line.
func workerDir(pid int, root string) (dir string, ok bool) {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "", false
	}
	args := strings.Split(strings.TrimSuffix(string(cmdline), "\x00"), "\x00")
	if len(args) != 4 || args[1] != "render" || args[2] != "--config" || filepath.Base(args[3]) != configName {
		return "", false
	}
	dir = filepath.Dir(args[3])
	return dir, filepath.Dir(filepath.Dir(dir)) == root
}
