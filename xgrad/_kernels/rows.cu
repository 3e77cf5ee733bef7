// Losses of rows of classes: value and slope of each row, and the sum of the losses.
//
// Before this source stand the types Stored, Real and Label, and the macros
//   KIND  how numbers are stored: 0 as Real, 1 as float16, 2 as bfloat16
//   TEAM  threads that share a row, a power of two up to 32; 0 for a whole block
//   LOSS  0 for the softmax cross entropy of logits, 1 for the cross entropy of
//         probabilities

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

__device__ inline Seen both(Seen a, Seen b) {
  Real top = larger(a.top, b.top), off = base(top);
  // A nan of a sum stays: 0 * nan is nan.
  return {top, a.sum * EXP(a.top - off) + b.sum * EXP(b.top - off)};
}

__device__ inline Seen look(const Real* entries) {
  Real top = -infinity(), sum = 0;
  for (int k = 0; k < AHEAD; k++) top = larger(top, entries[k]);
  for (int k = 0; k < AHEAD; k++) sum += EXP(entries[k] - base(top));
  return {top, sum};
}

__device__ inline Real beyond() { return -infinity(); }  // adds nothing to a row

#else

__device__ inline Seen nothing() { return {Real(0), Real(0)}; }

__device__ inline Seen both(Seen a, Seen b) {
  return {larger(a.top, b.top), a.sum + b.sum};
}

__device__ inline Seen look(const Real* entries) {
  Seen seen = nothing();
  for (int k = 0; k < AHEAD; k++) {
    if (entries[k] < 0 || entries[k] > 1) seen.top = 1;
    seen.sum += entries[k];
  }
  return seen;
}

__device__ inline Real beyond() { return Real(0); }

#endif

// The same for all threads of a team.
__device__ inline Seen joined(Seen seen) {
  const int lanes = TEAM ? TEAM : 32;
  for (int by = lanes / 2; by; by /= 2) {
    Seen other = {__shfl_xor_sync(~0u, seen.top, by, lanes),
                  __shfl_xor_sync(~0u, seen.sum, by, lanes)};
    seen = both(seen, other);
  }
#if TEAM
  // Rounding may differ between lanes: all take what the first one has.
  return {__shfl_sync(~0u, seen.top, 0, lanes), __shfl_sync(~0u, seen.sum, 0, lanes)};
#else
  __shared__ Real tops[32], sums[32];
  __syncthreads();  // the last row has been read
  if (threadIdx.x % 32 == 0) {
    tops[threadIdx.x / 32] = seen.top;
    sums[threadIdx.x / 32] = seen.sum;
  }
  __syncthreads();
  seen = {tops[0], sums[0]};
  for (int warp = 1; warp < blockDim.x / 32; warp++)
    seen = both(seen, {tops[warp], sums[warp]});
  return seen;
#endif
}

extern "C" __global__ void rows(
    const Stored* values, const Label* labels, Stored* slopes, Real* losses,
    double* totals, int* broken, long long count, int classes, double scale,
    double delta, double tolerance, int wanted)
{
  const int width = TEAM ? TEAM : blockDim.x;
  const int lane = threadIdx.x % width;
  const int teams = blockDim.x / width;  // of a block
  const long long step = (long long)gridDim.x * teams;
  double total = 0;
  int bad = 0;
  // All threads of a block take part in each round, whether there is a row or not.
  for (long long first = (long long)blockIdx.x * teams; first < count; first += step) {
    const long long row = first + threadIdx.x / width;
    const bool here = row < count;
    const Stored* entries = values + row * classes;
    Seen seen = nothing();
    for (int start = 0; here && start < classes; start += AHEAD * width) {
      Real next[AHEAD];
      for (int k = 0; k < AHEAD; k++) {
        int j = start + k * width + lane;
        next[k] = j < classes ? load(entries + j) : beyond();
      }
      seen = both(seen, look(next));
    }
    seen = joined(seen);
    if (!here) continue;

    const Label label = labels[row];
    const bool known = label >= 0 && (unsigned long long)label < classes;
    const Real own = known ? load(entries + label) : not_a_number();
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
    for (int start = 0; start < classes; start += AHEAD * width) {
      Real next[AHEAD];
      for (int k = 0; k < AHEAD; k++) {
        int j = start + k * width + lane;
        if (j < classes) next[k] = load(entries + j);
      }
      for (int k = 0; k < AHEAD; k++) {
        int j = start + k * width + lane;
        if (j >= classes) continue;
#if LOSS == 0
        Real found = EXP(next[k] - off) * factor;
        if (known && j == label) found -= Real(scale);
#else
        Real found = known ? 0 * next[k] : not_a_number();
        if (known && j == label) found -= Real(scale) / (next[k] + Real(delta));
#endif
        store(slope + j, found);
      }
    }
  }
  leave(total, bad, totals, broken);
}
