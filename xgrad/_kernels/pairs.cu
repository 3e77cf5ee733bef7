// Counts of each pair of labels.
//
// Before this source stand the types Left and Right of the two labels of a row.

typedef unsigned long long Count;

// `results` has classes * classes counts and, after them, the number of bad rows. If
// `shared` is set, a block counts in memory of its own first: additions to the memory of
// all wait for one another.
extern "C" __global__ void pairs(
    const Left* lefts, const Right* rights, long long* results, long long rows,
    int classes, int shared)
{
  Count* counts = (Count*)results;
  extern __shared__ unsigned int block_counts[];
  const int size = classes * classes;
  const long long step = (long long)gridDim.x * blockDim.x;
  Count bad = 0;
  if (shared)
    for (int i = threadIdx.x; i < size; i += blockDim.x) block_counts[i] = 0;
  __syncthreads();
  long long row = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  for (; row < rows; row += step) {
    const Left left = lefts[row];
    const Right right = rights[row];
    const bool valid = left >= 0 && (Count)left < classes && right >= 0 &&
                       (Count)right < classes;
    if (!valid) {
      bad++;
      continue;
    }
    const long long pair = (long long)left * classes + (long long)right;
    if (shared) atomicAdd(block_counts + pair, 1u);
    else atomicAdd(counts + pair, Count(1));
  }
  __syncthreads();
  if (shared)
    for (int i = threadIdx.x; i < size; i += blockDim.x)
      if (block_counts[i]) atomicAdd(counts + i, Count(block_counts[i]));
  if (bad) atomicAdd(counts + size, bad);
}
