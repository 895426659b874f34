/* Words that the vector kernels share, before an instruction set's own. */
#ifndef FTV_SIMD_H
#define FTV_SIMD_H

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 24")
#endif

#endif
