"""Configure Sphinx; ``sphinx-build -W docs docs/_build`` builds the site."""

import sys
from pathlib import Path

import xgrad

sys.path.insert(0, str(Path(__file__).parent))  # for the module `site_pages`

project = "xgrad"
author = "The xgrad developers"
copyright = "2026, The xgrad developers"
release = version = xgrad.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "site_pages",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"xgrad {version}"
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings give the types in words
autodoc_member_order = "bysource"
default_role = "code"
napoleon_google_docstring = False
napoleon_use_rtype = False
# Parameters that share a description stay in one line.
napoleon_use_param = False
napoleon_preprocess_types = False
