// Shared by the other sources, which follow. Before it stand the types Stored and Real
// and the macro KIND.

#define AHEAD 8  // entries that a thread reads before it uses the first of them

#if KIND == 0
#define EXP exp
#else
// Its relative error is some (2 + 1.2 |x|) 2^-24, and that of half precision 2^-12.
#define EXP __expf
#endif

__device__ inline Real infinity() {
  return sizeof(Real) == 4 ? Real(__int_as_float(0x7f800000))
                           : Real(__longlong_as_double(0x7ff0000000000000LL));
}

__device__ inline Real not_a_number() { return infinity() - infinity(); }

#if KIND == 0

__device__ inline Real load(const Stored* entry) { return *entry; }
__device__ inline void store(Stored* entry, Real value) { *entry = value; }

#elif KIND == 1 && defined(__CUDACC_RTC__)

__device__ inline Real load(const Stored* entry) {
  Real value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(*entry));
  return value;
}
__device__ inline void store(Stored* entry, Real value) {
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(*entry) : "f"(value));
}

#elif KIND == 1  // on a CPU, where tests run these sources

inline Real load(const Stored* entry) {
  _Float16 value;
  memcpy(&value, entry, 2);
  return value;
}
inline void store(Stored* entry, Real value) {
  _Float16 rounded = value;
  memcpy(entry, &rounded, 2);
}

#else  // bfloat16 is the upper half of a float32

__device__ inline Real load(const Stored* entry) {
  return __int_as_float((unsigned)*entry << 16);
}
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
__device__ inline void store(Stored* entry, Real value) {
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(*entry) : "f"(value));
}
#else
__device__ inline void store(Stored* entry, Real value) {
  unsigned bits = __float_as_int(value);
  // To the nearest, ties to even; a nan must not be rounded to inf.
  *entry = value == value ? (bits + 0x7fff + (bits >> 16 & 1)) >> 16 : 0x7fff;
}
#endif

#endif

// Returns the sum of `value` over the threads of a block, to its first thread.
template <typename T> __device__ inline T block_sum(T value) {
  __shared__ T warp_sums[32];  // a block has at most 1,024 threads
  for (int by = 16; by; by /= 2) value += __shfl_xor_sync(~0u, value, by);
  if (threadIdx.x % 32 == 0) warp_sums[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x == 0)
    for (int warp = 1; warp < blockDim.x / 32; warp++) value += warp_sums[warp];
  return value;
}

// Stores the sum of the losses of a block, and its count of broken rules, for `finish`.
__device__ inline void store_block(double total, int bad, double* totals, int* broken) {
  total = block_sum(total);
  bad = block_sum(bad);
  if (threadIdx.x == 0) {
    totals[blockIdx.x] = total;
    broken[blockIdx.x] = bad;
  }
}

// Adds up the sums of all blocks, in one block and always in the same order.
extern "C" __global__ void finish(
    const double* totals, const int* broken, int blocks, double divisor, Real* value,
    int* any_broken)
{
  double total = 0;
  int bad = 0;
  for (int i = threadIdx.x; i < blocks; i += blockDim.x) {
    total += totals[i];
    bad |= broken[i];
  }
  total = block_sum(total);
  bad = block_sum(bad);
  if (threadIdx.x == 0) {
    *value = total / divisor;
    *any_broken = bad;
  }
}
