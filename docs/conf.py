"""How the documentation is built: ``tox -e docs``, warnings are errors."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

from harness import __version__  # noqa: E402

project = "Backdoor defence harness"
author = "The authors of the backdoor defence harness"
project_copyright = author
release = version = __version__

extensions = ["myst_parser", "sphinx_click", "generated_parts", "offline"]
exclude_patterns = ["extensions", "style"]
nitpicky = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
highlight_language = "text"
smartquotes = False  # B' is the name of a network

html_theme = "furo"
html_title = project
html_show_sphinx = False
html_copy_source = False
html_static_path = ["style"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}
