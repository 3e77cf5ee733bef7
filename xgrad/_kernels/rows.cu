// Losses of rows of classes: value and slope of each row, and the sum of the losses.
//
// Before this source stand the types Stored, Real and Label, and the macros
//   KIND    how numbers are stored: 0 as Real, 1 as float16, 2 as bfloat16
//   TEAM    threads that share a row, a power of two up to 32; 0 for a whole block
//   VECTOR  whether a thread reads AHEAD neighbouring entries at once: rows then start
//           at multiples of 16 bytes, and their length is a multiple of AHEAD
//   LOSS    0 for the softmax cross entropy of logits, 1 for the cross entropy of
//           probabilities

enum { WANTS_SLOPE = 1, WANTS_LOSSES = 2, CHECKS_VALUES = 4 };

// What a team has seen of its row.
//   LOSS 0: the largest entry, and the sum of exp(entry - base(top))
//   LOSS 1: 1 if an entry is no probability, and the sum of the entries
struct Seen {
  Real top, sum;
};

#if LOSS == 0

__device__ inline Seen nothing() { return {-infinity(), Real(0)}; }

// What is taken off before exp: rows that are masked by -inf so far stay at 0.
__device__ inline Real base(Real top) { return top == -infinity() ? Real(0) : top; }

// A nan is in no top, but in the sum, where it stays: 0 * nan is nan.
__device__ inline Seen look(Seen seen, const Real* entries) {
  Real top = seen.top;
  for (int k = 0; k < AHEAD; k++) top = fmax(top, entries[k]);
  if (top > seen.top) seen.sum *= EXP(seen.top - top);
  for (int k = 0; k < AHEAD; k++) seen.sum += EXP(entries[k] - base(top));
  return {top, seen.sum};
}

__device__ inline Real beyond() { return -infinity(); }  // adds nothing to a row

#else

__device__ inline Seen nothing() { return {Real(0), Real(0)}; }

__device__ inline Seen look(Seen seen, const Real* entries) {
  for (int k = 0; k < AHEAD; k++) {
    if (entries[k] < 0 || entries[k] > 1) seen.top = 1;
    seen.sum += entries[k];
  }
  return seen;
}

__device__ inline Real beyond() { return Real(0); }

#endif

// What several lanes have seen, the same for all of them.
__device__ inline Seen of_lanes(Seen seen, int lanes) {
  Real top = seen.top;
  for (int by = lanes / 2; by; by /= 2)
    top = fmax(top, __shfl_xor_sync(~0u, top, by, lanes));
#if LOSS == 0
  seen.sum *= EXP(seen.top - base(top));
#endif
  for (int by = lanes / 2; by; by /= 2)
    seen.sum += __shfl_xor_sync(~0u, seen.sum, by, lanes);
  // Rounding may differ between lanes: all take what the first one has.
  return {top, __shfl_sync(~0u, seen.sum, 0, lanes)};
}

// What a team has seen, the same for all of its threads.
__device__ inline Seen joined(Seen seen) {
  seen = of_lanes(seen, TEAM ? TEAM : 32);
#if !TEAM
  __shared__ Real tops[32], sums[32];
  const int lane = threadIdx.x % 32;
  __syncthreads();  // the last row has been read
  if (lane == 0) {
    tops[threadIdx.x / 32] = seen.top;
    sums[threadIdx.x / 32] = seen.sum;
  }
  __syncthreads();
  seen = nothing();
  if (lane < blockDim.x / 32) seen = {tops[lane], sums[lane]};
  seen = of_lanes(seen, 32);
#endif
  return seen;
}

// Entries of a row that a thread reads or writes together, from `j` on: neighbours, or
// one in each `apart`.
union Chunk {
  Stored entries[AHEAD];
  uint4 words[AHEAD * sizeof(Stored) / 16];
};

// Writes 16 bytes at once, as the compiler would not; they are not read again, and make
// room in the cache for rows that are.
__device__ inline void put(uint4* place, uint4 word) {
#if defined(__CUDACC_RTC__)
  asm volatile("st.cs.v4.b32 [%0], {%1, %2, %3, %4};"
               :: "l"(place), "r"(word.x), "r"(word.y), "r"(word.z), "r"(word.w)
               : "memory");
#else
  *place = word;
#endif
}

__device__ inline void read(const Stored* row, int j, int apart, int end, Real* into) {
#if VECTOR
  Chunk chunk;
  if (j < end)
    for (int i = 0; i < sizeof(Chunk) / 16; i++)
      chunk.words[i] = ((const uint4*)(row + j))[i];
  for (int k = 0; k < AHEAD; k++) into[k] = j < end ? load(chunk.entries + k) : beyond();
#else
  for (int k = 0; k < AHEAD; k++, j += apart)
    into[k] = j < end ? load(row + j) : beyond();
#endif
}

__device__ inline void write(Stored* row, int j, int apart, int end, const Real* from) {
#if VECTOR
  Chunk chunk;
  for (int k = 0; k < AHEAD; k++) store(chunk.entries + k, from[k]);
  if (j < end)
    for (int i = 0; i < sizeof(Chunk) / 16; i++)
      put((uint4*)(row + j) + i, chunk.words[i]);
#else
  for (int k = 0; k < AHEAD; k++, j += apart)
    if (j < end) store(row + j, from[k]);
#endif
}

// Two blocks on a multiprocessor: one reads while the other adds up.
extern "C" __global__ void
__launch_bounds__(TEAM ? 256 : 512, !TEAM && sizeof(Real) == 4 ? 2 : 1) rows(
    const Stored* values, const Label* labels, Stored* slopes, Real* losses,
    double* totals, int* broken, long long count, int classes, double scale,
    double delta, double tolerance, int wanted)
{
  const int width = TEAM ? TEAM : blockDim.x;
  const int lane = threadIdx.x % width;
  const int begin = VECTOR ? lane * AHEAD : lane;
  const int apart = VECTOR ? 1 : width;
  const int teams = blockDim.x / width;  // of a block
  const long long step = (long long)gridDim.x * teams;
  double total = 0;
  int bad = 0;
  // All threads of a block take part in each round, whether there is a row or not.
  for (long long first = (long long)blockIdx.x * teams; first < count; first += step) {
    const long long row = first + threadIdx.x / width;
    const bool here = row < count;
    const Stored* entries = values + row * classes;
    // Asked for before the row, so that nobody waits for it afterwards.
    const Label label = here ? labels[row] : Label(0);
    const bool known = label >= 0 && (unsigned long long)label < classes;
    const Real own = here && known ? load(entries + label) : not_a_number();
    Real next[AHEAD];
    Seen seen = nothing();
    for (int j = begin; here && j < classes; j += AHEAD * width) {
      read(entries, j, apart, classes, next);
      seen = look(seen, next);
    }
    seen = joined(seen);
    if (!here) continue;

#if LOSS == 0
    const Real off = seen.top;
    // Neither inf nor a row of -inf alone has a softmax.
    const Real norm = off == -infinity() ? not_a_number() : seen.sum;
    const Real loss = log(norm) - (own - off);
    const Real factor = known ? Real(scale) / norm : not_a_number();
#else
    const Real loss = 0 * seen.sum - log(own + Real(delta));
    const bool improper = seen.top > 0 || abs(seen.sum - 1) > tolerance;
    if (lane == 0 && improper && wanted & CHECKS_VALUES) bad = 1;
#endif
    if (lane == 0) {
      total += loss;
      bad |= !known;
      if (wanted & WANTS_LOSSES) losses[row] = loss;
    }
    if (!(wanted & WANTS_SLOPE)) continue;
    Stored* slope = slopes + row * classes;
    for (int j = begin; j < classes; j += AHEAD * width) {
      read(entries, j, apart, classes, next);
      for (int k = 0; k < AHEAD; k++)
#if LOSS == 0
        next[k] = EXP(next[k] - off) * factor;
#else
        next[k] = known ? 0 * next[k] : not_a_number();
#endif
      write(slope, j, apart, classes, next);
    }
    // The thread that wrote the entry of the label writes it again.
    if (!known || lane != (VECTOR ? label / AHEAD : label) % width) continue;
#if LOSS == 0
    store(slope + label, EXP(own - off) * factor - Real(scale));
#else
    store(slope + label, 0 * own - Real(scale) / (own + Real(delta)));
#endif
  }
  leave(total, bad, totals, broken);
}
