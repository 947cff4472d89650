package loader

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// atLowPriority runs f on a thread that lets everything else go first. The thread ends with f: its priority could not be raised
// again.
func atLowPriority(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 10)
		f()
	}()
	<-done
}
