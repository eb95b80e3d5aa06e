"""What every page is made of: the template environment, the style sheet, the table library.

A page loads nothing. Its policy names the hashes of its own style and script, so nothing else
could run even if a name slipped through the escaping.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.records.environment import __version__
from harness.records.errors import HarnessError
from harness.records.text import one_line

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

SUBMISSIONS = "submissions"
"""The folder of the submissions' pages, beside the leaderboard's page."""

_NEEDED = ("jinja2", "itables", "matplotlib", "PIL")
_EXPORTS = re.compile(r"export ?\{([^}]*)\};?")

GENERATOR = '<meta name="generator" content="backdoor-defence-harness pages">'
"""What tells a page of ours from any other file."""

HIDDEN = re.compile('<meta name="hidden" content="([a-z ]*)">')
"""Where a page names what it leaves out."""


def missing_packages() -> list[str]:
    """Packages that pages need and that are not installed."""
    return [name for name in _NEEDED if find_spec(name) is None]


@cache
def environment() -> Environment:
    """Templates that escape every value and keep every text on one line."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def put_on_one_line(value: Any) -> Any:
        is_text = isinstance(value, str) and not isinstance(value, Markup)
        return one_line(value) if is_text else value

    return Environment(
        loader=PackageLoader("harness.output.html"),
        autoescape=True,
        finalize=put_on_one_line,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_page(template: str, context: dict[str, Any], script: str | None = None) -> str:
    """A page of ``template`` with the style, the policy and, where there is one, the script."""
    from harness.output.html.hints import Hints, breakable

    style = text("style.css")
    return (
        environment()
        .get_template(template)
        .render(
            {"hints": Hints(), "breakable": breakable} | context,
            generator=trust(GENERATOR),
            style=trust(style),
            script=trust(script or ""),
            policy=policy(style, script),
            version=__version__,
        )
    )


def trust(ours: str) -> Markup:
    """Text that this project itself wrote or has escaped, marked as part of a page."""
    from markupsafe import Markup

    # The only place where that is done. Texts of a record go through the templates instead.
    return Markup(ours)  # noqa: S704


@cache
def text(name: str) -> str:
    """A file that lies beside the templates."""
    return files("harness.output.html").joinpath("templates", name).read_text(encoding="utf-8")


def policy(style: str, script: str | None = None) -> str:
    """A Content-Security-Policy under which only these two texts are style and script."""
    allowed = f"'{_digest(script)}'" if script else "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src {allowed}; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def table_script() -> str:
    """The DataTables that is bundled with itables, and what this project adds to it.

    The bundle is an ES module, which browsers do not load from a file. So its last statement, the
    exports, is replaced by a plain variable. Raises HarnessError for a bundle of another form.
    """
    spec = find_spec("itables")
    folder = Path((spec.submodule_search_locations or ["."])[0]) if spec else Path()
    bundle = (folder / "html" / "dt_bundle.js").read_text(encoding="utf-8")

    exports = list(_EXPORTS.finditer(bundle))
    name = re.search(r"([\w$]+) as default", exports[-1][1]) if exports else None
    if name is None:
        raise HarnessError("this itables holds no DataTables that fits; install itables>=2.7")
    start, end = exports[-1].span()
    plain = f"{bundle[:start]}window.DataTable = {name[1]};{bundle[end:]}"

    # Within a page these would begin a comment or end the script; in strings and patterns,
    # where alone they occur, the escape means the same.
    harmless = re.sub(r"<(?=!--|/?script)", r"\\x3c", plain, flags=re.IGNORECASE)
    return f"(() => {{\n{harmless}\n}})();\n{text('leaderboard.js')}"
