"""Configure Sphinx; ``sphinx-build -W docs docs/_build`` builds the site."""

import xgrad

project = "xgrad"
author = "The xgrad developers"
copyright = "2026, The xgrad developers"
release = version = xgrad.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"xgrad {version}"
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings give the types in words
autodoc_member_order = "bysource"
default_role = "code"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_preprocess_types = False
