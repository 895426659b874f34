"Sphinx settings of the site; `build.py` writes the pages beside a copy of this file."
project = 'ftervit'
author = copyright = 'The FTerViT companion authors'
extensions = ['myst_nb', 'sphinx-mathjax-offline']
html_theme = 'sphinx_book_theme'
html_favicon = 'static/favicon.svg'
html_context = dict(default_mode='auto')
html_title = 'FTerViT, fully ternary vision transformers'
html_static_path, html_css_files = ['static'], ['site.css']
exclude_patterns = ['data', 'figures', 'static']   # what pages link to
html_theme_options = dict(navbar_persistent=[], show_toc_level=2, home_page_in_toc=True)
nb_execution_mode = 'off'   # the notebooks' stored outputs are the record
nb_merge_streams = True
nb_ipywidgets_js = {}   # stored widgets show their text; their JavaScript would come from elsewhere
myst_enable_extensions = ['dollarmath']
myst_heading_anchors = 3
suppress_warnings = ['mystnb.unknown_mime_type', 'myst.header']
