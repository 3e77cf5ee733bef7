// Losses of rows of classes: loss and slope of each row, and the sum of the losses.
//
// Before this source stand the types Stored, Real and Label, and the macros
//   KIND    how numbers are stored: 0 as Real, 1 as float16, 2 as bfloat16
//   TEAM    threads that share a row, a power of two up to 32; 0 for a whole block
//   VECTOR  whether a thread reads AHEAD neighbouring entries at once: rows then start
//           at multiples of 16 bytes, and their length is a multiple of AHEAD
//   LOSS    0 for the softmax cross entropy of logits, 1 for the cross entropy of
//           probabilities

enum { WANTS_SLOPE = 1, WANTS_LOSSES = 2, CHECKS_VALUES = 4 };

// Summary of the entries of a row that have been read.
//   LOSS 0: the largest entry, and the sum of exp(entry - base(top)) of the others, which
//           are lost beside its own 1 if they are small
//   LOSS 1: 1 if an entry is no probability, else 0, and the sum of the entries
struct Summary {
  Real top, sum;
};

#if LOSS == 0

__device__ inline Summary empty() { return {-infinity(), Real(0)}; }

// Returns the number to subtract before exp: 0 while all entries are masked by -inf,
// since -inf - (-inf) is nan.
__device__ inline Real base(Real top) { return top == -infinity() ? Real(0) : top; }

// Combines two summaries. The smaller of their largest entries becomes one of the others.
// A nan is in no top, since fmax ignores it, but stays in the sum: 0 * nan is nan.
__device__ inline Summary combine(Summary one, Summary other) {
  const bool first = one.top >= other.top;
  const Summary above = first ? one : other, below = first ? other : one;
  return {above.top, above.sum + (below.sum + 1) * EXP(below.top - base(above.top))};
}

__device__ inline Summary add_entries(Summary summary, const Real* entries) {
  Real top = summary.top;
  for (int k = 0; k < AHEAD; k++) top = fmax(top, entries[k]);
  bool is_new = top > summary.top;
  if (is_new) summary.sum = (summary.sum + 1) * EXP(summary.top - top);
  for (int k = 0; k < AHEAD; k++) {
    const bool is_top = is_new && entries[k] == top;  // the first of equal ones
    summary.sum += is_top ? Real(0) : EXP(entries[k] - base(top));
    is_new = is_new && !is_top;
  }
  return {top, summary.sum};
}

__device__ inline Real padding() { return -infinity(); }  // its exp adds nothing to a row

#else

__device__ inline Summary empty() { return {Real(0), Real(0)}; }

__device__ inline Summary combine(Summary one, Summary other) {
  return {fmax(one.top, other.top), one.sum + other.sum};
}

__device__ inline Summary add_entries(Summary summary, const Real* entries) {
  for (int k = 0; k < AHEAD; k++) {
    if (entries[k] < 0 || entries[k] > 1) summary.top = 1;
    summary.sum += entries[k];
  }
  return summary;
}

__device__ inline Real padding() { return Real(0); }

#endif

// Combines the summaries of several lanes; all of them get the same one.
__device__ inline Summary combine_lanes(Summary summary, int lanes) {
  for (int by = lanes / 2; by; by /= 2) {
    const Real top = __shfl_xor_sync(~0u, summary.top, by, lanes);
    const Real sum = __shfl_xor_sync(~0u, summary.sum, by, lanes);
    summary = combine(summary, {top, sum});
  }
  // Rounding may differ between lanes: all take what the first one has.
  return {summary.top, __shfl_sync(~0u, summary.sum, 0, lanes)};
}

// Combines the summaries of a team; all of its threads get the same one.
__device__ inline Summary combine_team(Summary summary) {
  summary = combine_lanes(summary, TEAM ? TEAM : 32);
#if !TEAM
  __shared__ Real tops[32], sums[32];
  const int lane = threadIdx.x % 32;
  __syncthreads();  // the summaries of the row before have been read
  if (lane == 0) {
    tops[threadIdx.x / 32] = summary.top;
    sums[threadIdx.x / 32] = summary.sum;
  }
  __syncthreads();
  summary = empty();
  if (lane < blockDim.x / 32) summary = {tops[lane], sums[lane]};
  summary = combine_lanes(summary, 32);
#endif
  return summary;
}

// Entries of a row that a thread reads or writes together: neighbours, as 16-byte words.
union Chunk {
  Stored entries[AHEAD];
  uint4 words[AHEAD * sizeof(Stored) / 16];
};

// Writes 16 bytes at once, which the compiler would not do by itself. They are not read
// again: `cs` makes them the first to leave the cache, in favour of rows that are.
__device__ inline void put(uint4* place, uint4 word) {
#if defined(__CUDACC_RTC__)
  asm volatile("st.cs.v4.b32 [%0], {%1, %2, %3, %4};"
               :: "l"(place), "r"(word.x), "r"(word.y), "r"(word.z), "r"(word.w)
               : "memory");
#else
  *place = word;
#endif
}

// Reads AHEAD entries from `j` on, neighbours or `stride` apart; padding from `end` on.
__device__ inline void read(const Stored* row, int j, int stride, int end, Real* into) {
#if VECTOR
  Chunk chunk;
  if (j < end)
    for (int i = 0; i < sizeof(Chunk) / 16; i++)
      chunk.words[i] = ((const uint4*)(row + j))[i];
  for (int k = 0; k < AHEAD; k++) into[k] = j < end ? load(chunk.entries + k) : padding();
#else
  for (int k = 0; k < AHEAD; k++, j += stride)
    into[k] = j < end ? load(row + j) : padding();
#endif
}

// Writes AHEAD entries in the same places, those before `end`.
__device__ inline void write(Stored* row, int j, int stride, int end, const Real* from) {
#if VECTOR
  Chunk chunk;
  for (int k = 0; k < AHEAD; k++) store(chunk.entries + k, from[k]);
  if (j < end)
    for (int i = 0; i < sizeof(Chunk) / 16; i++)
      put((uint4*)(row + j) + i, chunk.words[i]);
#else
  for (int k = 0; k < AHEAD; k++, j += stride)
    if (j < end) store(row + j, from[k]);
#endif
}

// The bounds leave registers for two blocks of 512 threads on a multiprocessor: one
// reads while the other adds up.
extern "C" __global__ void
__launch_bounds__(TEAM ? 256 : 512, !TEAM && sizeof(Real) == 4 ? 2 : 1) rows(
    const Stored* values, const Label* labels, Stored* slopes, Real* losses,
    double* totals, int* broken, long long count, int classes, double scale,
    double delta, double tolerance, int wanted)
{
  const int width = TEAM ? TEAM : blockDim.x;
  const int lane = threadIdx.x % width;
  const int begin = VECTOR ? lane * AHEAD : lane;
  const int stride = VECTOR ? 1 : width;
  const int teams = blockDim.x / width;  // of a block
  const long long step = (long long)gridDim.x * teams;
  double total = 0;
  int bad = 0;
  // All threads of a block take part in each round, even those without a row: they
  // exchange summaries.
  for (long long first = (long long)blockIdx.x * teams; first < count; first += step) {
    const long long row = first + threadIdx.x / width;
    const bool has_row = row < count;
    const Stored* entries = values + row * classes;
    // Requested before the row, so that no thread waits for it afterwards.
    const Label label = has_row ? labels[row] : Label(0);
    const bool valid = label >= 0 && (unsigned long long)label < classes;
    const Real label_value = has_row && valid ? load(entries + label) : not_a_number();
    Real next[AHEAD];
    Summary summary = empty();
    for (int j = begin; has_row && j < classes; j += AHEAD * width) {
      read(entries, j, stride, classes, next);
      summary = add_entries(summary, next);
    }
    summary = combine_team(summary);
    if (!has_row) continue;

#if LOSS == 0
    const Real top = summary.top;
    // Neither a row with inf nor one that is -inf throughout has a softmax.
    const Real others = abs(top) == infinity() ? not_a_number() : summary.sum;
    const Real loss = log1p(others) - (label_value - top);
    const Real factor = valid ? Real(scale) / (1 + others) : not_a_number();
#else
    const Real loss = 0 * summary.sum - log(label_value + Real(delta));
    const bool improper = summary.top > 0 || abs(summary.sum - 1) > tolerance;
    if (lane == 0 && improper && wanted & CHECKS_VALUES) bad = 1;
#endif
    if (lane == 0) {
      total += loss;
      bad |= !valid;
      if (wanted & WANTS_LOSSES) losses[row] = loss;
    }
    if (!(wanted & WANTS_SLOPE)) continue;
    Stored* slope = slopes + row * classes;
    for (int j = begin; j < classes; j += AHEAD * width) {
      read(entries, j, stride, classes, next);
      for (int k = 0; k < AHEAD; k++)
#if LOSS == 0
        next[k] = EXP(next[k] - top) * factor;
#else
        next[k] = valid ? 0 * next[k] : not_a_number();
#endif
      write(slope, j, stride, classes, next);
    }
    // The thread that wrote the entry of the label writes it again.
    if (!valid || lane != (VECTOR ? label / AHEAD : label) % width) continue;
#if LOSS == 0
    store(slope + label, EXP(label_value - top) * factor - Real(scale));
#else
    store(slope + label, 0 * label_value - Real(scale) / (label_value + Real(delta)));
#endif
  }
  store_block(total, bad, totals, broken);
}
