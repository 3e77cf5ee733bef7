"""Tables of cases that tests and benchmarks share, and what draws or compares them."""
