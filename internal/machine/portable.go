package machine

import "runtime"

// portable is the kernel without SIMD: eight independent chains of multiply and add.
func portable(n int) float64 {
	var a [8]float32
	x, y := float32(n&1), float32(0.5)
	for range n {
		a[0] += x * y
		a[1] += x * y
		a[2] += x * y
		a[3] += x * y
		a[4] += x * y
		a[5] += x * y
		a[6] += x * y
		a[7] += x * y
	}
	runtime.KeepAlive(a)
	return float64(n) * 8 * 2
}
