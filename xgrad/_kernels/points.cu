// Perturbed points of a derivative: `base` with the entries of one column moved.
//
// Before this source stand the type Real and the macro KIND, which is 0.

// Writes points (offsets, columns, size). Moved entries have the values coordinates
// (offsets, size). Entry j belongs to the column column_of_entry[j % entries]; point c of
// an offset moves the columns first[c] and second[c], which are equal unless it is a
// pair. The grid has a row of blocks for each point.
extern "C" __global__ void points(
    const Real* base, const Real* coordinates, const long long* column_of_entry,
    const long long* first, const long long* second, Real* points, long long size,
    long long entries, long long columns, long long count)
{
  const long long step = (long long)gridDim.x * blockDim.x;
  for (long long point = blockIdx.y; point < count; point += gridDim.y) {
    const long long one = first[point % columns], other = second[point % columns];
    const Real* moved = coordinates + point / columns * size;
    Real* values = points + point * size;
    long long j = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    for (; j < size; j += step) {
      long long column = column_of_entry[entries == size ? j : j % entries];
      values[j] = column == one || column == other ? moved[j] : base[j];
    }
  }
}
