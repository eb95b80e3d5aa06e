"""A reference's curve: its crossings, and finding it in a results folder."""

import json
from dataclasses import asdict, replace

import pytest
from records_by_hand import record

from harness.lineage.pruning_curve import Curve, reference_curve

CURVE = Curve(
    order=(2, 0, 1),
    clean_total=100,
    clean_correct=(99, 98, 94, 80),
    backdoored_total=50,
    backdoored_attacked=(50, 50, 20, 0),
)


@pytest.mark.parametrize(
    ("points", "step"), [(1, 1), (1.5, 2), (5, 2), (5.5, 3), (19, 3), (20, None)]
)
def test_the_first_crossing_counts_clean_images(points, step):
    assert CURVE.first_crossing(points) == step


def store(results, **changes):
    document = {"dataset": {}, "badnet": "b", "curve": asdict(CURVE)} | changes
    path = results / "reference" / f"{len(list(results.rglob('*')))}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_the_curve_is_that_of_the_records_badnet_and_data(tmp_path):
    store(tmp_path, badnet="another")
    store(tmp_path, dataset={"valid": "another"})
    assert reference_curve(tmp_path, record()) is None
    store(tmp_path)
    assert reference_curve(tmp_path, record()) == CURVE
    assert reference_curve(tmp_path, replace(record(), badnet_weights_hash="c")) is None


@pytest.mark.parametrize(
    "damaged", ["", "[]", '{"dataset": {}}', '{"dataset": {}, "badnet": "b", "curve": {}}']
)
def test_a_damaged_curve_is_none(tmp_path, damaged):
    store(tmp_path).write_text(damaged, encoding="utf-8")
    assert reference_curve(tmp_path, record()) is None
    store(tmp_path)
    assert reference_curve(tmp_path, record()) == CURVE


def test_without_a_folder_there_is_no_curve(tmp_path):
    assert reference_curve(tmp_path, record()) is None
