//go:build unix

package conversion

import "golang.org/x/sys/unix"

// diskFree is how many bytes the file system of dir has for this user.
func diskFree(dir string) (bytes int64, ok bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true //nolint:unconvert // Bsize is of another type on other systems
}
