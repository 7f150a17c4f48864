"""Settings of Sphinx; `make docs` builds the pages into docs/_build.

The source folder is the top of the repository, so that links between the pages in
docs/, the papers' pages in configs/ and the files at the top hold as in a checkout.
"""

import mmattn

project = 'mmattn'
author = 'The mmattn authors'
copyright = author
version = release = mmattn.__version__

root_doc = 'docs/index'
include_patterns = [
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'docs/**',
    'configs/**/README.md',
]
exclude_patterns = ['docs/_build']
extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.mathjax',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
]
myst_enable_extensions = ['dollarmath']
myst_heading_anchors = 4
autodoc_typehints = 'none'
napoleon_custom_sections = ['Shape']
napoleon_use_rtype = False
autodoc_member_order = 'bysource'
html_theme = 'furo'
html_title = f'mmattn {version}'
