package workerrpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// maxSocketPath is the room for a path in sockaddr_un (unix(7)), less the final zero.
const maxSocketPath = 107

// Listen makes a Unix socket at path that only this user may connect to. A socket that nobody serves any more is
// replaced in one step, so that workers never find the path missing; one that is served, or a file that is no socket,
// is an error. The directory should be private.
func Listen(path string) (net.Listener, error) {
	switch info, err := os.Lstat(path); {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != os.ModeSocket:
		return nil, fmt.Errorf("listen on %s: the file exists and is not a socket", path)
	default:
		conn, err := dialUnix(context.Background(), path)
		if err == nil {
			conn.Close()
			return nil, fmt.Errorf("listen on %s: another process serves this socket", path)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("listen on %s: %w", path, err)
		}
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	ln, err := throughShort(fresh, func(short string) (*net.UnixListener, error) {
		return net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	})
	if err != nil {
		return nil, err
	}
	// The listener's own unlink would hit the fresh name, or the socket of a successor: the stale file stays instead.
	ln.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(fresh, 0o600), os.Rename(fresh, path)); err != nil {
		return nil, errors.Join(err, ln.Close(), os.Remove(fresh))
	}
	return ln, nil
}

func dialUnix(ctx context.Context, path string) (net.Conn, error) {
	return throughShort(path, func(short string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", short)
	})
}

// throughShort calls f with a name of path that fits into a socket address: path itself, or one through a descriptor
// of its directory, since data directories may well be deeper than a socket address allows.
func throughShort[T any](path string, f func(short string) (T, error)) (T, error) {
	if len(path) <= maxSocketPath {
		return f(path)
	}
	var none T
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return none, err
	}
	defer dir.Close()
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
}
