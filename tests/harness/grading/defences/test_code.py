"""The code of a defence: a file keeps its name, and what is missing is told by it."""

import pytest

from harness.grading.defences.code import declared_defence, find_defences, stage_defences
from harness.records.errors import SubmissionError

REPAIR = "def repair(badnet, clean_images, clean_labels, *, classes, seed, budget): return badnet\n"


def staged(path, results):
    (entry,) = stage_defences(find_defences([str(path)]), results)
    return entry.path


def test_a_file_keeps_its_name_so_that_lines_name_the_right_one(tmp_path):
    (tmp_path / "my_way.py").write_text(REPAIR)
    (tmp_path / "beside.py").write_text("")
    folder = staged(tmp_path / "my_way.py", tmp_path / "out")
    assert [path.name for path in folder.iterdir()] == ["my_way.py"]
    assert folder.name == "my-way"
    assert declared_defence(folder).file == "my_way.py"
    (tmp_path / "my_way.py").write_text("def mend(): pass")
    with pytest.raises(SubmissionError, match=r"my_way\.py: no function repair\("):
        declared_defence(staged(tmp_path / "my_way.py", tmp_path / "out"))


@pytest.mark.parametrize("name", ["strip", "fine-pruning"])
def test_a_reference_defence_is_called_as_its_module(name, tmp_path):
    assert declared_defence(staged(name, tmp_path)).file == f"{name.replace('-', '_')}.py"


def test_of_several_files_one_has_to_be_named(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "my_way.py").write_text(REPAIR)
    assert declared_defence(mine).file == "my_way.py"
    (mine / "helper.py").write_text("")
    with pytest.raises(SubmissionError, match=r"no defence\.py in the defence's folder; write"):
        declared_defence(mine)
    (mine / "defence.py").write_text(REPAIR)
    assert declared_defence(mine).file == "defence.py"
