// How often each pair of labels occurs.
//
// Before this source stand the types Left and Right, of the two labels of a row.

typedef unsigned long long Count;

// `found` has classes * classes entries and, after them, the number of bad rows.
// Where `shared` is set, a block counts in its own `parts` first.
extern "C" __global__ void pairs(
    const Left* lefts, const Right* rights, long long* found, long long rows, int classes,
    int shared)
{
  Count* counts = (Count*)found;
  extern __shared__ unsigned int parts[];
  const int size = classes * classes;
  const long long step = (long long)gridDim.x * blockDim.x;
  Count bad = 0;
  if (shared)
    for (int i = threadIdx.x; i < size; i += blockDim.x) parts[i] = 0;
  __syncthreads();
  long long row = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  for (; row < rows; row += step) {
    const Left left = lefts[row];
    const Right right = rights[row];
    const bool known = left >= 0 && (Count)left < classes && right >= 0 &&
                       (Count)right < classes;
    if (!known) {
      bad++;
      continue;
    }
    const long long pair = (long long)left * classes + (long long)right;
    if (shared) atomicAdd(parts + pair, 1u);
    else atomicAdd(counts + pair, Count(1));
  }
  __syncthreads();
  if (shared)
    for (int i = threadIdx.x; i < size; i += blockDim.x)
      if (parts[i]) atomicAdd(counts + i, Count(parts[i]));
  if (bad) atomicAdd(counts + size, bad);
}
