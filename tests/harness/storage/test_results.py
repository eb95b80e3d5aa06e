"""What is on disk: atomic, versioned, and never a reason to stop."""

import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from harness.records.errors import HarnessError, Status
from harness.records.findings import Robustness
from harness.records.predictions import NOT_FINITE, decode
from harness.records.record import SCHEMA_VERSION, DatasetIdentity, Record
from harness.storage.results import (
    LABELS_VERSION,
    PREDICTIONS_VERSION,
    Store,
    StoredAnswers,
    answers_key,
    pixel_scale_of,
    replace_file,
    replace_path,
    safe_name,
    write_text,
)


def record(name="jk7846"):
    return Record(
        schema_version=SCHEMA_VERSION,
        submission=name,
        status=Status.REJECTED,
        reason="why",
        dataset=DatasetIdentity(name="faces", arrays={}),
        badnet=None,
        badnet_weights_hash=None,
        checkpoints=(),
        checks=(),
        notes=(),
        environment={},
    )


def answers():
    encoded = np.array([0, 1, 1283, 1284, 5 | NOT_FINITE], dtype=np.uint16)
    return StoredAnswers(decode(encoded, 1283), 1283, np.array([True, False]))


def test_predictions_come_back_as_they_were(tmp_path):
    store = Store(tmp_path)
    assert store.answers("key", "set", 1283) is None
    store.put_answers("key", "set", answers())
    back = store.answers("key", "set", 1283)
    assert back.answers.class_ids.tolist() == [0, 1, 1283, 1284, 5]
    assert back.answers.not_finite.tolist() == [False, False, False, False, True]
    assert (back.output_count, back.inactive.tolist()) == (1283, [True, False])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04junk", b"x" * 1000])
def test_damaged_predictions_are_made_anew_with_a_warning(tmp_path, content, caplog):
    store = Store(tmp_path)
    store.put_answers("key", "set", answers())
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(content)
    assert store.answers("key", "set", 1283) is None
    assert "damaged" in caplog.text


def test_labels_are_stored_once_by_the_hash_of_their_set(tmp_path):
    store, labels = Store(tmp_path), np.array([3, 0, 1282])
    assert store.labels("set") is None
    store.put_labels("set", labels)
    (path,) = (tmp_path / "labels").iterdir()
    before = path.stat().st_ino
    store.put_labels("set", labels)
    assert path.stat().st_ino == before
    assert Store(tmp_path).labels("set").tolist() == [3, 0, 1282]
    assert store.labels("set").dtype == np.int64


def test_damaged_labels_are_none_and_stored_again(tmp_path, caplog):
    store = Store(tmp_path)
    store.put_labels("set", np.array([1]))
    (path,) = (tmp_path / "labels").iterdir()
    path.write_bytes(b"PK\x03\x04junk")
    assert store.labels("set") is None
    assert "damaged" in caplog.text
    store.put_labels("set", np.array([1]))
    assert store.labels("set").tolist() == [1]


def test_labels_of_a_newer_harness_are_refused(tmp_path):
    store = Store(tmp_path)
    store.put_labels("set", np.array([1]))
    (path,) = (tmp_path / "labels").iterdir()
    with_version(path, LABELS_VERSION + 1)
    with pytest.raises(HarnessError, match="newer harness"):
        store.labels("set")


@pytest.mark.parametrize("scale", [1.0, 1 / 255, 0.5, 2.0, 1e-05])
@pytest.mark.parametrize("ending", ["", "-none"])
def test_the_scale_of_pixels_is_read_back_from_a_key(scale, ending):
    assert pixel_scale_of(answers_key("ab" * 32, scale) + ending) == scale


def test_the_day_of_the_newest_record(tmp_path):
    store = Store(tmp_path)
    assert store.graded_on() is None
    for name, day in (("a", 1), ("b", 3), ("c", 2)):
        os.utime(store.put_record(record(name)), (86400 * day, 86400 * day))
    assert store.graded_on() == "1970-01-04"


def with_version(path, version):
    with np.load(path) as stored:
        arrays = dict(stored)
    np.savez(path, **arrays | {"version": np.array(version)})


def test_older_predictions_are_made_anew_and_newer_ones_refused(tmp_path, caplog):
    store = Store(tmp_path)
    store.put_answers("key", "set", answers())
    (path,) = tmp_path.rglob("*.npz")
    with_version(path, PREDICTIONS_VERSION - 1)
    assert store.answers("key", "set", 1283) is None
    assert "of an older harness" in caplog.text
    with_version(path, PREDICTIONS_VERSION + 1)
    with pytest.raises(HarnessError, match="written by a newer harness"):
        store.answers("key", "set", 1283)


def test_records_come_back_in_order(tmp_path):
    store = Store(tmp_path)
    for name in ("b", "a"):
        store.put_record(record(name))
    assert store.records() == [record("a"), record("b")]


def test_a_damaged_record_is_skipped_with_a_warning(tmp_path, caplog):
    store = Store(tmp_path)
    store.put_record(record())
    (tmp_path / "records" / "broken.json").write_text('{"schema_version": 1}')
    assert store.records() == [record()]
    assert "broken.json: not a record" in caplog.text


def test_a_newer_record_is_refused(tmp_path):
    store = Store(tmp_path)
    path = store.put_record(record())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 99}))
    with pytest.raises(HarnessError, match="newer harness"):
        store.records()


def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def interrupted():
        with replace_file(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_removes_what_a_killed_process_left(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path = tmp_path / "a.txt"
    with replace_path(path) as own:
        own.touch()
    abandoned, being_written = (
        own.with_name(own.name.replace(f".{os.getpid()}-", f".{pid}-"))
        for pid in (ended.pid, os.getppid())
    )
    abandoned.touch()
    being_written.touch()
    write_text(path, "new")
    assert sorted(tmp_path.iterdir()) == sorted([path, being_written])


def test_a_name_as_long_as_a_name_may_be_can_be_written(tmp_path):
    path = tmp_path / ("名" * 85)
    write_text(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "a/b",
        "..",
        ".",
        "",
        "a\nb",
        "<script>",
        "x" * 500,
        "=cmd",
        "名 前",
        "名" * 85,
        "\U00020000" * 63,
        "Ann_Lee-a36e143c",
        "Ann_Lee-0123456789abcdef",
    ],
)
def test_hostile_names_stay_inside_the_folder(name):
    safe = safe_name(name)
    assert Path(safe).name == safe
    assert not safe.startswith(".")
    assert len(safe.encode()) < 200
    assert safe_name(name + "2") != safe


@pytest.mark.parametrize("look_alike", [8, 16])
def test_a_name_that_looks_like_another_records_file_takes_nothing(tmp_path, look_alike):
    store, names = Store(tmp_path), ("Ann Lee", safe_name("Ann Lee", look_alike))
    for name in names:
        store.put_record(replace(record(), submission=name))
    assert {each.submission for each in store.records()} == set(names)


def test_a_file_that_holds_another_submissions_record_is_not_overwritten(tmp_path):
    store = Store(tmp_path)
    path = store.put_record(replace(record(), submission="ann"))
    path.rename(path.with_name("bob.json"))
    with pytest.raises(HarnessError, match=r"bob\.json: holds the record of 'ann'"):
        store.put_record(replace(record(), submission="bob"))
    assert [each.submission for each in store.records()] == ["ann"]


def test_a_record_under_an_older_file_name_is_replaced(tmp_path):
    store = Store(tmp_path)
    path = store.put_record(replace(record(), submission="Ann Lee"))
    path.rename(path.with_name(f"{safe_name('Ann Lee', 8)}.json"))
    assert store.put_record(replace(record(), submission="Ann Lee")) == path
    assert len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"abc"])
def test_a_secret_that_is_none_is_an_error(tmp_path, content):
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(HarnessError, match="secret: empty or cut off"):
        Store(tmp_path).secret_number("")


def test_a_record_that_was_not_asked_for_robustness_has_no_such_key(tmp_path):
    plain = replace(record(), networks=(record(),))
    text = Store(tmp_path).put_record(plain).read_text()
    assert "robustness" not in text
    names = [field.name for field in fields(Record) if field.name != "robustness"]
    assert list(json.loads(text)) == names
    assert Store(tmp_path).records() == [plain]

    measured = replace(record(), robustness=Robustness(points=(), unmeasured=("all",)))
    store = Store(tmp_path / "measured")
    store.put_record(measured)
    assert store.records() == [measured]
