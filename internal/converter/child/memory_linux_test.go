package child

import "testing"

func TestDefaultMemory(t *testing.T) {
	if n := DefaultMemory(); n < 64<<20 {
		t.Errorf("this machine may use %d bytes", n)
	}
	if n := memTotal("Foo: 1 kB\nMemTotal:        2048 kB\nMemFree: 1 kB\n"); n != 2<<20 {
		t.Errorf("%d bytes", n)
	}
	if n := memTotal("nothing"); n != 0 {
		t.Errorf("%d bytes of nothing", n)
	}
}
