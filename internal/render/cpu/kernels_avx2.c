//go:build amd64

#include <immintrin.h>
#include <stddef.h>
#include <string.h>
#include "kernels.h"
#include "vec_avx2.h"
#define ISA(name) name##_avx2
#include "kernels.inc.h"
