package machine

import "golang.org/x/sys/cpu"

// fmaAVX2 and fmaAVX512 run n rounds of ten independent fused multiply-adds, enough to hide their latency of four
// cycles on two ports. Operands are zero: the units' speed does not depend on values.
//
//go:noescape
func fmaAVX2(n int)

//go:noescape
func fmaAVX512(n int)

func kernelName() string {
	switch {
	case cpu.X86.HasAVX512F:
		return "avx512"
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return "avx2"
	}
	return "portable"
}

// kernel does n rounds and returns how many operations they were.
func kernel(n int) float64 {
	switch kernelName() {
	case "avx512":
		fmaAVX512(n)
		return float64(n) * 10 * 16 * 2
	case "avx2":
		fmaAVX2(n)
		return float64(n) * 10 * 8 * 2
	}
	return portable(n)
}
