"""Copies of submitted files: the very bytes, through no link, and an identity of what counts."""

import hashlib
import os
import stat

import pytest
from keras_files import write_unpacked
from models import random_weights

from harness.intake import staging
from harness.intake.staging import MAX_SOURCE_BYTES, stage
from harness.networks.weight_files import read_model
from harness.records.errors import SubmissionError
from harness.records.submission import Candidate
from harness.storage.hashing import array_hash


def candidate(path, model_format="h5"):
    return Candidate(path=path, format=model_format, size_bytes=0, role=None, drop_points=None)


@pytest.fixture
def submission(tmp_path):
    folder = tmp_path / "submission"
    (folder / "G_2" / "variables").mkdir(parents=True)
    (folder / "model_2.h5").write_bytes(b"weights")
    (folder / "G_2" / "saved_model.pb").write_bytes(b"graph")
    (folder / "G_2" / "variables" / "v").write_bytes(b"1234")
    return folder


@pytest.fixture
def into(tmp_path):
    """A function that makes another empty folder at each call."""

    def make_folder():
        folder = tmp_path / f"into-{len(list(tmp_path.glob('into-*')))}"
        folder.mkdir()
        return folder

    return make_folder


def test_a_file_is_copied_under_a_neutral_name(submission, into):
    staged = stage(submission, candidate("model_2.h5"), into())
    assert staged.path.name == "model.h5"
    assert staged.path.read_bytes() == b"weights"
    assert staged.size_bytes == 7
    assert staged.sha256 == hashlib.sha256(b"weights").hexdigest()
    assert staged.source is None


def test_a_savedmodel_is_copied_whole(submission, into):
    staged = stage(submission, candidate("G_2", "savedmodel"), into())
    assert staged.path.name == "model"
    assert (staged.path / "saved_model.pb").read_bytes() == b"graph"
    assert (staged.path / "variables" / "v").read_bytes() == b"1234"
    assert staged.size_bytes == 9


def test_a_program_brings_what_lies_beside_it(submission, into):
    (submission / "run.py").write_text("import model_2")
    staged = stage(submission, candidate("run.py", "program"), into())
    assert staged.path.parts[-2:] == ("submission", "run.py")
    assert (staged.path.parent / "model_2.h5").read_bytes() == b"weights"


def test_small_scripts_beside_a_model_are_its_source(submission, into):
    (submission / "layers.py").write_text("x")
    (submission / "large.py").write_bytes(bytes(MAX_SOURCE_BYTES + 1))
    (submission / "largest.py").write_bytes(bytes(MAX_SOURCE_BYTES))
    (submission / "link.py").symlink_to(submission / "layers.py")
    os.mkfifo(submission / "pipe.py")
    staged = stage(submission, candidate("model_2.h5"), into())
    assert {path.name for path in staged.source.iterdir()} == {"layers.py", "largest.py"}
    assert staged.sha256 == hashlib.sha256(b"weights").hexdigest()


def test_sources_keep_their_folders_and_the_nearest_fit_first(submission, into, monkeypatch):
    near, above, sibling, far = "out/models/a.py", "z.py", "src/nets/__init__.py", "w/x/y/z.py"
    for name in (near, above, sibling, far, ".git/hook.py", "lab.ipynb"):
        (submission / name).parent.mkdir(parents=True, exist_ok=True)
        (submission / name).write_text("")
    (submission / "out/models/model_2.h5").write_bytes(b"weights")

    def sources():
        staged = stage(submission, candidate("out/models/model_2.h5"), into())
        assert staged.home == "out/models"
        files = (path for path in staged.source.rglob("*") if path.is_file())
        return {path.relative_to(staged.source).as_posix() for path in files}

    assert sources() == {near, above, sibling, far, "lab.ipynb"}
    monkeypatch.setattr(staging, "MAX_SOURCES", 3)
    assert sources() == {near, above, sibling}
    monkeypatch.setattr(staging, "MAX_SOURCES_BYTES", 5)
    (submission / near).write_bytes(b"12345")
    (submission / sibling).write_bytes(b"6")
    assert sources() == {near, above}


def test_the_identity_is_of_all_that_answers_depend_on(submission, into):
    def identity(path, model_format="h5"):
        return stage(submission, candidate(path, model_format), into()).identity

    (submission / "copy.h5").write_bytes(b"weights")
    plain = identity("model_2.h5")
    assert identity("copy.h5") == plain, "whatever its name"
    assert identity("copy.h5", "keras") != plain
    (submission / "layers.py").write_text("x")
    with_source = identity("model_2.h5")
    assert with_source != plain
    (submission / "layers.py").write_text("y")
    assert identity("model_2.h5") != with_source
    (submission / "src").mkdir()
    before = identity("model_2.h5")
    (submission / "src" / "layers.py").write_text("z")
    assert identity("model_2.h5") != before, "of a folder beside it, too"
    (submission / "src" / "model_2.h5").write_bytes(b"weights")
    assert identity("src/model_2.h5") != identity("model_2.h5"), "another file is nearest"
    (submission / "a.py").write_text("")
    (submission / "b.py").write_text("")
    assert identity("a.py", "program") != identity("b.py", "program")


ALIKE = [
    ({"a": b"", "b": b"x"}, {"a": b"b\0x"}),
    ({"a": b"1", "b": b"", "c": b"3"}, {"a": b"1b\0c\0" + b"3"}),
    ({"a": None}, {"a": b""}),
    ({"a": None, "a/b": b"x"}, {"a": b"a/b\0x"}),
    ({"a": b"\0" * 8, "b": b""}, {"a": b"", "b": b"\0" * 8}),
]
"""Trees (None is a folder) with the same names and bytes one after the other, or nearly so."""


def write_tree(folder, tree):
    folder.mkdir()
    for name, content in tree.items():
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content)


@pytest.mark.parametrize(("first", "second"), ALIKE)
def test_two_trees_never_share_an_identity(tmp_path, into, first, second):
    for name, tree in (("first", first), ("second", second)):
        write_tree(tmp_path / name, tree)
    one, other = (
        stage(tmp_path, candidate(name, "savedmodel"), into()) for name in ("first", "second")
    )
    assert one.identity != other.identity
    assert one.sha256 != other.sha256


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"a.py": b"", "b.py": b"x"}, {"a.py": b"b.py\0x"}),
        ({"a.py": b"x\0."}, {"a.py": b"x", "b.py": b"\0."}),
        ({"a.py": b"1\n", "b.ipynb": b"{}"}, {"a.py": b"1\nb.ipynb\0{}"}),
    ],
)
def test_nor_do_models_with_other_sources(tmp_path, into, first, second):
    for name, tree in (("first", first), ("second", second)):
        write_tree(tmp_path / name, {"m.h5": b"weights", **tree})
    one, other = (stage(tmp_path / name, candidate("m.h5"), into()) for name in ("first", "second"))
    assert one.identity != other.identity
    assert one.sha256 == other.sha256


@pytest.mark.parametrize("model_format", ["h5", "savedmodel"])
def test_links_and_pipes_are_not_followed(submission, into, tmp_path, model_format):
    (tmp_path / "answers").write_bytes(b"secret")
    path = submission / ("model_2.h5" if model_format == "h5" else "G_2/variables/v")
    name = "model_2.h5" if model_format == "h5" else "G_2"
    path.unlink()
    path.symlink_to(tmp_path / "answers")
    target = into()
    with pytest.raises(SubmissionError):
        stage(submission, candidate(name, model_format), target)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(SubmissionError, match="not a regular file"):
        stage(submission, candidate(name, model_format), into())
    copies = [p for p in target.rglob("*") if stat.S_ISREG(p.lstat().st_mode)]
    assert b"secret" not in [copy.read_bytes() for copy in copies]


def test_limits_hold_at_the_limit_and_not_above(submission, into, monkeypatch):
    monkeypatch.setattr(staging, "MAX_ENTRIES", 3)
    stage(submission, candidate("G_2", "savedmodel"), into())
    monkeypatch.setattr(staging, "MAX_ENTRIES", 2)
    with pytest.raises(SubmissionError, match="too many or too large files"):
        stage(submission, candidate("G_2", "savedmodel"), into())
    monkeypatch.setattr(staging, "MAX_MODEL_BYTES", 7)
    stage(submission, candidate("model_2.h5"), into())
    monkeypatch.setattr(staging, "MAX_MODEL_BYTES", 6)
    with pytest.raises(SubmissionError, match=r"model_2\.h5: grows while it is read"):
        stage(submission, candidate("model_2.h5"), into())


@pytest.fixture
def unpacked(submission):
    return write_unpacked(submission / "model_2.keras", random_weights())


def test_an_unpacked_archive_is_packed_again(submission, unpacked, into):
    (unpacked / ".DS_Store").write_bytes(b"x")
    (unpacked / "assets").mkdir()
    staged = stage(submission, candidate("model_2.keras", "keras"), into())
    assert staged.path.name == "model.keras"
    assert array_hash(read_model(staged.path).weights) == array_hash(random_weights())
    assert staged.sha256 == hashlib.sha256(staged.path.read_bytes()).hexdigest()
    assert staged.size_bytes == staged.path.stat().st_size
    assert [path.name for path in staged.path.parent.iterdir()] == ["model.keras"]


def test_the_same_files_in_another_folder_are_the_same_model(submission, unpacked, into):
    first = stage(submission, candidate("model_2.keras", "keras"), into())
    copy = submission / "copy"
    copy.mkdir()
    for path in sorted(unpacked.iterdir(), reverse=True):
        (copy / path.name).write_bytes(path.read_bytes())
        os.utime(copy / path.name, (1, 1))
    second = stage(submission, candidate("copy", "keras"), into())
    assert (first.sha256, first.identity) == (second.sha256, second.identity)
    (copy / "metadata.json").write_text("{}")
    assert stage(submission, candidate("copy", "keras"), into()).sha256 != first.sha256


def test_links_in_an_unpacked_archive_are_not_followed(submission, unpacked, into, tmp_path):
    (tmp_path / "answers").write_bytes(b"secret")
    (unpacked / "metadata.json").unlink()
    (unpacked / "metadata.json").symlink_to(tmp_path / "answers")
    target = into()
    with pytest.raises(SubmissionError, match=r"model_2\.keras: metadata\.json: "):
        stage(submission, candidate("model_2.keras", "keras"), target)
    assert not (target / "model.keras").exists()
