// Losses of the error of each element: their slopes, and the sum of the losses.
//
// Before this source stand the types Stored and Real, the macro KIND, and
//   LOSS  0 for squared errors, 1 for absolute ones, 2 for squared errors whose slope is
//         that of their halves

extern "C" __global__ void errors(
    const Stored* __restrict__ predictions, const Stored* __restrict__ targets,
    Stored* __restrict__ slopes, double* totals, int* broken, long long count,
    double scale, int wants_slope)
{
  const long long step = (long long)gridDim.x * blockDim.x;
  double total = 0;
  long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  for (; i < count; i += AHEAD * step) {
    Real ahead[AHEAD];  // all are requested before the first is used
    for (int k = 0; k < AHEAD; k++) {
      long long j = i + k * step;
      ahead[k] = j < count ? load(predictions + j) - load(targets + j) : Real(0);
    }
    for (int k = 0; k < AHEAD; k++) {
      long long j = i + k * step;
      Real error = ahead[k];
#if LOSS == 1
      total += abs(error);
      Real slope = error > 0 ? 1 : error < 0 ? -1 : 0 * error;  // nan stays nan
#else
      total += error * error;
      Real slope = LOSS ? error : 2 * error;
#endif
      if (wants_slope && j < count) store(slopes + j, slope * Real(scale));
    }
  }
  store_block(total, 0, totals, broken);
}
