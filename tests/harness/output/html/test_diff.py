"""Two results folders side by side as a page."""

import shutil

from courses import graded, put
from pages import Page
from records_by_hand import checkpoint, good_checkpoints

from harness.output.diff import compare_folders
from harness.output.html.diff import render


def page_of(tmp_path, before, after):
    put(tmp_path / "before", *before)
    put(tmp_path / "after", *after)
    found = compare_folders(tmp_path / "before", tmp_path / "after")
    return Page(render(found, "before", "after", tmp_path / "after"))


def test_a_page_says_who_moved_and_why(tmp_path):
    two, four, ten = good_checkpoints()
    late = checkpoint(10.0, clean=800, before=850)
    page = page_of(tmp_path, [graded("ann", (two, four, ten)), graded("bob")],
                   [graded("ann", (two, four, late)), graded("bob")])  # fmt: skip
    assert "two runs side by side before \u2192 after 0 better 1 worse 1 the same" in page.text
    assert "ann 1 \u2192 2 100 \u2192 91 worse B' for X = 10: 20 of 20 \u2192 16 of 20" in page.text
    assert "rank 1 ->" not in page.text
    assert "B' for X = 10: -4: one channel earlier" in page.text
    assert "Nobody" in page_of(tmp_path / "same", [graded("ann")], [graded("ann")]).text


def test_two_defences_are_compared_whatever_they_are_called(tmp_path):
    page = page_of(tmp_path, [graded("first")], [graded("second", (checkpoint(2.0),))])
    assert "two defences side by side" in page.text
    assert "first -> second" in page.text


def test_a_hostile_name_stays_text_on_the_page(tmp_path):
    name = "<script>alert(1)</script>"
    page = page_of(tmp_path, [graded(name)], [graded("b", (checkpoint(2.0),))])
    assert not [tag for tag, _ in page.tags if tag == "script"]
    assert f"{name} -> b" in page.text


def test_images_that_are_answered_otherwise_are_counted_and_shown(
    graded_results, tmp_path, badnet_path, small_benchmark, run_harness, reference_submission
):
    """A real second run, in which X = 2 is another net: every flip is one of stored predictions."""
    other = tmp_path / "reference"
    shutil.copytree(reference_submission, other)
    shutil.copy(other / "models" / "model_4.h5", other / "models" / "model_2.h5")
    finished = run_harness("grade", other, "--dataset", small_benchmark, "--badnet", badnet_path,
                           "--output", tmp_path / "after", "--no-timing")  # fmt: skip
    assert finished.returncode == 1, finished.stderr
    (found,) = compare_folders(graded_results, tmp_path / "after")
    assert {flip.checkpoint for flip in found.flips} == {"X = 2"}
    clean = next(flip for flip in found.flips if flip.set == "test")
    before, after = (
        each.record.checkpoints[0].goodnet.test for each in (found.before, found.after)
    )
    assert len(clean.won) - len(clean.lost) == after.clean_correct - before.clean_correct
    assert clean.changed >= len(clean.won) + len(clean.lost) > 0

    out = tmp_path / "diff.html"
    finished = run_harness("diff", graded_results, tmp_path / "after", "--html", out)
    assert (finished.returncode, finished.stderr) == (0, "")
    page = Page(out.read_text(encoding="utf-8"))
    assert f"{clean.changed} of {clean.images} answers changed" in page.text
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert pictures
    assert all(each["src"].startswith("data:image/png;base64,") for each in pictures)
