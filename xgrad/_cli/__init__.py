"""Commands of ``python -m xgrad``."""
