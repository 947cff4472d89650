//go:build !unix

package conversion

// diskFree knows nothing here.
func diskFree(string) (bytes int64, ok bool) { return 0, false }
