"""Odd values for the arguments of public functions.

Tables hold makers of values, which are made anew for each call: `POOLS` has a pool for
each parameter, `ODD` suits any parameter, and `FUNCTIONS` stands for the functions that
the caller hands over. `odd_array` draws an array where one is expected.
"""
