"""What an author is told of a failure: the own file and line, in one line, and the call stack."""

import sys

import pytest

from harness.inference.defences.failures import OwnCodeError, import_defence, own_code_error


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    """What is imported here is no module of other tests."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in ("defence", "other", "tools_of_mine", "tools_of_mine.inner_of_it"):
        sys.modules.pop(name, None)


def failure_of(folder, call):
    module = import_defence(folder, "defence.py")
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - of any kind
        call(module)
    return str(own_code_error("repair() fails", caught.value, folder))


def test_the_innermost_line_of_the_authors_is_named(tmp_path, capsys):
    (tmp_path / "tools_of_mine").mkdir()
    inner = "import json\n\n\ndef read(text):\n    return json.loads(text)\n"
    (tmp_path / "tools_of_mine" / "inner_of_it.py").write_text(inner)
    (tmp_path / "defence.py").write_text(
        "from tools_of_mine.inner_of_it import read\n\ndef repair():\n    return read('{')\n"
    )
    line = failure_of(tmp_path, lambda module: module.repair())
    assert line.startswith(
        "repair() fails: tools_of_mine/inner_of_it.py line 5: JSONDecodeError: Expect"
    )
    said = capsys.readouterr().err
    assert said.splitlines()[1:3] == [
        "  defence.py line 4, in repair: return read('{')",
        "  tools_of_mine/inner_of_it.py line 5, in read: return json.loads(text)",
    ]
    assert str(tmp_path) not in said
    assert "json/decoder.py" not in said


IMPORTS = {
    "a slip": ("x = 1\ny = {}['x']", "defence.py line 2: KeyError: 'x'"),
    "no Python": ("x = 1\ndef repair(:\n", "defence.py line 2: SyntaxError: invalid syntax"),
    "leaves": ("raise SystemExit(3)", "defence.py line 1: SystemExit: 3"),
    "a file beside it": (
        "\nimport helper_of_mine",
        "defence.py line 2: ModuleNotFoundError: No module named 'helper_of_mine'; it is not inst"),
}  # fmt: skip


@pytest.mark.parametrize("what", IMPORTS)
def test_what_cannot_be_imported_names_its_line(tmp_path, what):
    text, line = IMPORTS[what]
    (tmp_path / "defence.py").write_text(text)
    with pytest.raises(OwnCodeError) as caught:
        import_defence(tmp_path, "defence.py")
    assert str(caught.value).startswith(f"the defence cannot be imported: {line}")


def test_a_folder_is_not_told_to_become_one(tmp_path):
    (tmp_path / "defence.py").write_text("import helper_of_mine")
    (tmp_path / "other.py").write_text("")
    with pytest.raises(OwnCodeError, match="neither installed here nor a file in the defence's"):
        import_defence(tmp_path, "defence.py")


def test_a_failure_in_code_of_others_alone_has_no_place(tmp_path):
    (tmp_path / "defence.py").write_text("repair = {}.__getitem__")
    assert failure_of(tmp_path, lambda module: module.repair(1)) == "repair() fails: KeyError: 1"
