"""Images on which G is wrong, from stored predictions and the dataset."""

import shutil
from dataclasses import replace

from courses import rubric, texts
from pages import Page

from harness.output.html.folders import write_pages
from harness.storage.results import Store


def test_examples_are_images_on_which_g_is_wrong(course, small):
    (own,) = Store(course).records()
    write_pages(course, [own], rubric())
    for audience, split in (("instructor", "test"), ("student", "valid")):
        tags = Page(texts(course / audience)["reference.html"]).tags
        pictures = {a["src"] for t, a in tags if t == "img"}
        assert pictures
        assert pictures <= {
            uri for name in (split, f"bd_{split}") for uri in uris(small.sets[name])
        }


def test_examples_are_found_where_a_folder_was_graded_on(graded_results, small, tmp_path):
    page = Page(texts(graded_results / "instructor")["reference.html"])
    pictures = {attributes["src"] for tag, attributes in page.tags if tag == "img"}
    assert pictures
    assert pictures <= {uri for name in ("test", "bd_test") for uri in uris(small.sets[name])}
    moved = tmp_path / "results"
    shutil.copytree(graded_results, moved, ignore=shutil.ignore_patterns("*.f32"))
    for note in (moved / "sets").glob("dataset-*.json"):
        note.write_text('{"version": 1, "dataset": "/no/such/folder"}')
    write_pages(moved, Store(moved).records(), rubric())
    assert "<img" not in texts(moved / "instructor")["reference.html"]


def uris(labeled):
    from harness.output.html.examples import _data_uri

    return [_data_uri(image) for image in labeled.images]


def test_what_g_said_beside_an_image_is_what_is_stored(course, small):
    from harness.output.html.examples import open_examples
    from harness.records.predictions import compose_goodnet

    (own,) = Store(course).records()
    first, hashes = own.checkpoints[0], own.dataset.arrays
    with open_examples(Store(course), "instructor") as examples:
        found = [each for each in examples(own) if each.checkpoint == "X = 2"]
    b, repaired = (
        Store(course).answers(key, hashes["test"], 1283).answers
        for key in (own.badnet_weights_hash, first.artifact.predictions)
    )
    said = compose_goodnet(b, repaired).class_ids
    pictures = uris(small.sets["test"])
    for each in (e for e in found if e.truth.startswith("clean")):
        index = pictures.index(each.picture)
        answer = "backdoored (N+1)" if said[index] == 1283 else f"class {said[index]}"
        assert (each.truth, each.answer) == (
            f"clean, class {small.sets['test'].labels[index]}",
            answer,
        )
        assert said[index] != small.sets["test"].labels[index]


def test_no_images_of_a_private_split_for_students_nor_of_data_that_does_not_fit(course):
    (own,) = Store(course).records()
    private = replace(own, dataset=replace(own.dataset, split="private"))
    write_pages(course, [private], rubric())
    assert "<img" not in texts(course / "student")["reference.html"]
    assert "<img" in texts(course / "instructor")["reference.html"]
    first, *rest = own.checkpoints
    test = first.goodnet.test
    other = replace(test, clean_correct=test.clean_correct - 1)
    first = replace(first, goodnet=replace(first.goodnet, test=other))
    write_pages(course, [replace(own, checkpoints=(first, *rest))], rubric())
    text = texts(course / "instructor")["reference.html"]
    assert "<h3>X = 2</h3>" not in text
    assert "<h3>X = 10</h3>" in text
