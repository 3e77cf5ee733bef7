"""Random programs as data, their interpreter, and the strategy that draws them."""
