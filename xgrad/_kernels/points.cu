// The points of a derivative: `base` with the entries of one column moved.
//
// Before this source stand the type Real and the macro KIND, which is 0.

// points (offsets, columns, size); positions (offsets, size) is where entries move to.
// Entry j belongs to the column labels[j % belonging]; column c moves the labels
// first[c] and second[c]. The grid has a row of blocks for each offset and column.
extern "C" __global__ void points(
    const Real* base, const Real* positions, const long long* labels,
    const long long* first, const long long* second, Real* points, long long size,
    long long belonging, long long columns, long long count)
{
  const long long step = (long long)gridDim.x * blockDim.x;
  for (long long point = blockIdx.y; point < count; point += gridDim.y) {
    const long long one = first[point % columns], other = second[point % columns];
    const Real* moved = positions + point / columns * size;
    Real* values = points + point * size;
    long long j = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    for (; j < size; j += step) {
      long long label = labels[belonging == size ? j : j % belonging];
      values[j] = label == one || label == other ? moved[j] : base[j];
    }
  }
}
