"""The commands of ``python -m xgrad``.

Without a command, `overview` prints the table of backends. `check` checks a gradient of
the user, with `loading` for the words of the command line; `demo` is the lesson on loss
functions.
"""
