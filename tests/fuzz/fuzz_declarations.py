"""``submission.toml``, from its bytes to the files and figures that it declares."""

from __future__ import annotations

import json
import os

from fuzz_inputs import ODD_TEXTS, damaged
from fuzz_properties import require_one_line, require_rejected
from hypothesis import strategies as st

NAMES = (
    "model_2.h5",
    "models/model_4.h5",
    "run.py",
    "net.keras",
    "a\\b.h5",
    "..\\x.h5",
    "/etc/passwd",
)
ODD_NAMES = ("link\x1b[31m.h5", "pipe\x07.h5", "folder\x07")
_QUOTED = st.sampled_from(NAMES + ODD_NAMES).map(json.dumps)
_ODD = st.sampled_from([text for text in ODD_TEXTS if len(text) < 1000])
_KEYS = st.one_of(
    st.sampled_from((
        "name", "badnet", "artifacts", "program", "claims", "role", "drop_points", "file", "split",
        "net", "benchmark", "clean_accuracy", "attack_success_rate", "model_2.h5", "a.b.c",
        "titel",
    )),
    _QUOTED,
    _ODD.map(lambda text: f'"{text}"'),
)  # fmt: skip
_VALUES = st.one_of(
    st.sampled_from((
        "2", "-1", "100", "101", "1e15", "1e16", "inf", "nan", "0x7f", "1_0", "true", "[]", "{}",
        '""', "''", '"repaired"', "'goodnet'", '"valid"', '"test"', "1979-05-27T07:32:00Z",
        "07:32:00", "2026-01-01", '"""a\nb"""', "'''x'''", '{ role = "goodnet", drop_points = 4 }',
        "{ drop_points = 2 }", "[[1], [2]]", "{a.b.c.d.e = 1}", "\u201cx\u201d", "9" * 400,
        r'"C:\Users\x.h5"', r'"a\u0000.h5"', r'"\ud800"', '{ file = "run.py" }', "[{}, 1]",
    )),
    _QUOTED,
    _ODD.map(lambda text: f'"{text}"'),
    _ODD.map(lambda text: f"'''{text}'''"),
)  # fmt: skip
_LINES = st.one_of(
    st.tuples(_KEYS, st.sampled_from((" = ", "=", ": ", ".x = ")), _VALUES).map("".join),
    st.tuples(_KEYS, _VALUES).map(" = ".join),
    st.sampled_from((
        "[artifacts]", "[[claims]]", "[program]", "[artifacts.model_2.h5]", "[claims]", "# x",
        '# """', "'''", '"""', "[artifacts.\"model_2.h5\"]", "[[artifacts]]", "[" * 9, "a." * 9,
    )),
    _ODD,
)  # fmt: skip
_TEXTS = st.lists(_LINES, max_size=12).map("\n".join)


@st.composite
def _encoded(draw):
    text = draw(_TEXTS)
    encoding = draw(
        st.sampled_from(("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32-be", "cp1252"))
    )
    return text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")


INPUTS = damaged(_encoded(), most=2)
LARGEST_BYTES = 16 << 10


def check(content, folder):
    """What a submission with this ``submission.toml`` declares."""
    from harness.intake.declarations import declared_claims, declared_files, read_declaration
    from harness.records.errors import SubmissionError

    (folder / "submission.toml").write_bytes(content)
    (folder / "models").mkdir()
    for name in ("model_2.h5", "models/model_4.h5", "run.py", "net.keras"):
        (folder / name).write_bytes(b"x")
    link, pipe, inner = (folder / name for name in ODD_NAMES)
    link.symlink_to("model_2.h5")
    os.mkfifo(pipe)
    inner.mkdir()
    try:
        declaration = read_declaration(folder)
        declared = declared_files(folder, declaration)
    except SubmissionError as error:
        require_rejected(error)
        return f"refused: {error.reason}"

    for note in [*declaration.notes, *declared.notes]:
        require_one_line(note)
    for text in (declaration.name, declaration.badnet):
        require_one_line(f"called {text}")  # of blanks alone, perhaps
    for candidate in declared.candidates:
        assert (folder / candidate.path).resolve().is_relative_to(folder.resolve())
        assert candidate.drop_points is None or 0 <= candidate.drop_points <= 100
    claims = list(declared_claims(declaration))
    paths = [candidate.path for candidate in declared.candidates]
    return f"read: {declaration.name!r} {paths} {len(claims)} claims"
