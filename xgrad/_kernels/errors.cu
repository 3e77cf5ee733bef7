// Losses of the error of each element: slopes, and the sum of the losses.
//
// Before this source stand the types Stored and Real, the macro KIND, and
//   LOSS  0 for squared errors, 1 for absolute ones

extern "C" __global__ void errors(
    const Stored* predictions, const Stored* targets, Stored* slopes, double* totals,
    int* broken, long long count, double scale, int wants_slope)
{
  const long long step = (long long)gridDim.x * blockDim.x;
  double total = 0;
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  for (; i < count; i += AHEAD * step) {
    Real few = 0;  // sums of float32 go on in float64 after eight numbers
    for (int k = 0; k < AHEAD; k++) {
      long long j = i + k * step;
      if (j >= count) continue;
      Real error = load(predictions + j) - load(targets + j);
#if LOSS == 0
      few += error * error;
      Real slope = 2 * error;
#else
      few += abs(error);
      Real slope = error > 0 ? 1 : error < 0 ? -1 : 0 * error;
#endif
      if (wants_slope) store(slopes + j, slope * Real(scale));
    }
    total += few;
  }
  leave(total, 0, totals, broken);
}
