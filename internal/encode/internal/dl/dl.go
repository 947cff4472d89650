// Package dl opens shared libraries at run time for the codec shims. It knows no codec.
package dl

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Library is an open shared library. It is never closed: codec libraries keep threads and thread-local state.
type Library struct {
	handle unsafe.Pointer
	Name   string // the name that worked
}

// Open tries names in order, each as dlopen(3) resolves it, and returns the first that loads. The error of a failure
// names the Debian package to install.
func Open(debianPackage string, names ...string) (*Library, error) {
	var last string
	for _, name := range names {
		if name == "" {
			continue
		}
		c := C.CString(name)
		h := C.dlopen(c, C.RTLD_NOW|C.RTLD_LOCAL)
		C.free(unsafe.Pointer(c))
		if h != nil {
			return &Library{h, name}, nil
		}
		last = C.GoString(C.dlerror())
	}
	return nil, fmt.Errorf("load codec library: %s (on Debian: apt install %s)", last, debianPackage)
}

// Symbol returns the address of a function of the library.
func (l *Library) Symbol(name string) (unsafe.Pointer, error) {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	p := C.dlsym(l.handle, c)
	if p == nil {
		return nil, fmt.Errorf("%s has no symbol %s", l.Name, name)
	}
	return p, nil
}

// Symbols looks up several functions; all must exist.
func (l *Library) Symbols(names ...string) ([]unsafe.Pointer, error) {
	out := make([]unsafe.Pointer, len(names))
	for i, n := range names {
		p, err := l.Symbol(n)
		if err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}
