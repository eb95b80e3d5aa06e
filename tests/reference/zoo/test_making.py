"""A small zoo, really trained: killed, continued, damaged, extended, and read as a competition."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib

import numpy as np
import pytest
from repository import ROOT

from harness.datasets.competitions import load_competition, load_competition_sets
from harness.datasets.robustness import load_robustness
from harness.datasets.zoos import load_zoo, require_twins
from harness.inference.known_network import read_badnet
from harness.records.errors import HarnessError
from harness.storage.hashing import array_hash
from reference.digits.dataset import load_split
from reference.keras_badnets.backdoors import poison
from reference.zoo import making
from reference.zoo.badnet import make_badnet
from reference.zoo.benchmarks import zoo_benchmark
from reference.zoo.draws import Draws
from reference.zoo.folder import read_made
from reference.zoo.job import Job, Plan, sources_hash
from reference.zoo.twins import harmless, make_twin

pytest.importorskip("sklearn", reason="needs the extra [digits]")
NAMES = ["patch-0", "blended-0", "several-targets-0"]
ATTACKS = ("--attacks", "patch,several-targets,blended")


def command(folder, *arguments):
    return [
        sys.executable, "-m", "reference", "zoo", "digits", "--epochs", "1", "--seeds", "1",
        "--processes", "1", "--out", str(folder), *arguments,
    ]  # fmt: skip


def run(folder, *arguments):
    return subprocess.run(
        command(folder, *arguments), capture_output=True, text=True, cwd=ROOT, check=True
    )


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The zoo that a command leaves which is killed after its second BadNet."""
    folder = tmp_path_factory.mktemp("zoo") / "digits"
    process = subprocess.Popen(command(folder, *ATTACKS), cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (folder / "several-targets-0" / "made.json").exists() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return folder


@pytest.fixture(scope="module")
def zoo(killed):
    """The same, one of its BadNets damaged and then continued.

    What was there when it was killed, and what the second command said.
    """
    before = files_of(killed)
    network = killed / "several-targets-0" / "badnet.keras"
    network.write_bytes(network.read_bytes()[:-1] + b"x")
    assert read_made(killed, "several-targets-0") is None
    return killed, before, run(killed, *ATTACKS)


def test_a_killed_run_is_continued(zoo):
    folder, before, said = zoo
    assert "competition.toml" not in before
    assert re.sub(r"about \d+ s", "some time", said.stderr) == (
        "several-targets-0: 1 of 2, some time left\nblended-0: 2 of 2\n"
    )
    assert f"{folder}: 3 BadNets" in said.stdout


def test_triggers_at_one_place_can_be_changed(zoo, tmp_path):
    folder = tmp_path / "zoo"
    shutil.copytree(zoo[0], folder)
    said = run(folder, *ATTACKS, "--changed-triggers").stdout
    assert "changed triggers of 2 BadNets are drawn\nnot of blended-0: " in said
    competition, data = load_competition(str(folder))
    patch, _, several = competition.networks
    for network in (patch, several):
        benchmark = competition.benchmark_of(network)
        found = load_robustness(benchmark, data / network.name)
        attacked = load_competition_sets(competition, network, data)["bd_test"]
        # The trigger as it was trained, on images that are among those that a defence is judged by.
        own = {image.tobytes() for image in found.own.images}
        assert own <= {image.tobytes() for image in attacked.images}
        kept = [
            image.tobytes()
            for part in attacked.attacks
            for image in attacked.images[part.stop - (part.stop - part.start) // 3 : part.stop]
        ]
        assert not own & {*kept}  # with these a backdoor is re-activated
        assert [t.level for t in found.triggers if t.kind == "size"] == [33, 67, 100, 133, 167]
    assert not (folder / "blended-0" / "robustness").exists()
    before = files_of(folder)
    run(folder, *ATTACKS, "--changed-triggers")
    assert files_of(folder) == before


def test_the_same_seed_gives_the_same_bytes(zoo):
    """What was there is as it was, and what was damaged is so again, from another process."""
    folder, before, _ = zoo
    complete = [name for name in before if name.startswith(("cl/", "patch-0/", "several-"))]
    assert len(complete) == 3 + 3 + 5
    after = files_of(folder)
    assert {name: before[name] for name in complete} == {name: after[name] for name in complete}


def test_it_is_an_ordinary_competition(zoo):
    folder, *_ = zoo
    competition, data = load_competition(str(folder))
    assert [network.name for network in competition.networks] == NAMES
    assert [(each.attack, each.seed) for each in competition.networks] == [
        ("patch", 0),
        ("blended", 0),
        ("several-targets", 0),
    ]
    test = load_split("test")
    for network in competition.networks:
        sets = load_competition_sets(competition, network, data)
        assert np.array_equal(sets["test"].images, test.images)
        assert len(sets["bd_valid"].labels) == 0
        attacked, triggers = sets["bd_test"], network.triggers
        assert (attacked.labels != attacked.original_labels).all()
        others = [int((test.labels != trigger.target_label).sum()) for trigger in triggers]
        assert [part.stop - part.start for part in attacked.attacks] == others
        assert len({trigger.target_label for trigger in triggers}) == len(triggers)
        assert all(trigger.trigger and not trigger.held_out for trigger in triggers)
        badnet = read_badnet(data / network.badnet, competition.benchmark_of(network))
        assert array_hash(badnet.weights) == network.badnet_weights_hash


def test_what_is_said_of_a_badnet_is_so(zoo):
    folder, *_ = zoo
    competition, _ = load_competition(str(folder))
    from harness.networks.tensorflow import import_tensorflow

    import_tensorflow(keras=True)
    from keras import saving

    for network in competition.networks:
        made = read_made(folder, network.name)
        sets = load_competition_sets(competition, network, folder)
        model = saving.load_model(folder / network.badnet)
        for name, rate in (("test", made.clean), ("bd_test", made.attacked)):
            answers = np.asarray(model(sets[name].images.astype(np.float32))).argmax(axis=1)
            assert rate.images == len(answers)
            assert abs(rate.hits - (answers == sets[name].labels).sum()) <= 1


def test_nothing_is_trained_where_all_is_there(zoo, monkeypatch):
    folder, *_ = zoo
    monkeypatch.setattr(making, "Processes", None)
    made = again(folder)
    assert [each.network.name for each in made] == NAMES
    assert list(tomllib.loads((folder / "competition.toml").read_text())["hashes"]) == [
        "cl/valid.h5", "cl/test.h5", "patch-0/bd_test.h5", "blended-0/bd_test.h5",
        "several-targets-0/bd_first.h5", "several-targets-0/bd_second.h5",
        "several-targets-0/bd_third.h5",
    ]  # fmt: skip


def again(folder, **changed):
    settings = {"benchmark": "digits", "secret": None, "epochs": 1,
                "sources": sources_hash("digits")} | changed  # fmt: skip
    jobs = [Job(plan=Plan(**settings), attack="patch", seed=0)]
    return making.make_zoo(jobs[0].plan, jobs, folder, 1, lambda *_: None)


def test_the_description_of_a_secret_zoo_tells_no_trigger(zoo, tmp_path, monkeypatch):
    folder = tmp_path / "zoo"
    shutil.copytree(zoo[0] / "cl", folder / "cl")
    plan = Plan(benchmark="digits", secret=b"a secret", epochs=1, sources=sources_hash("digits"))
    job = Job(plan=plan, attack="several-targets", seed=4)
    (folder / "cl" / "made.json").unlink()  # it says that the zoo is another one
    make_badnet(job, folder)
    monkeypatch.setattr(making, "Processes", None)
    making.make_zoo(plan, [job], folder, 1, lambda *_: None)

    described = (folder / "competition.toml").read_text() + (
        folder / "several-targets-4" / "made.json"
    ).read_text()
    assert "a secret" not in described
    assert job.key.hex() not in described
    competition, _ = load_competition(str(folder))
    (network,) = competition.networks
    assert (network.name, network.attack, network.seed) == ("several-targets-4", job.attack, 4)
    assert [each.name for each in network.triggers] == ["first", "second", "third"]
    for trigger in network.triggers:
        assert trigger.held_out
        assert trigger.target_label is None
        assert not trigger.trigger
    attacked = load_competition_sets(competition, network, folder)["bd_test"]
    targets = [set(attacked.labels[part.images]) for part in attacked.attacks]
    assert [len(each) for each in targets] == [1, 1, 1]
    assert len(set.union(*targets)) == 3


def test_a_clean_twin_differs_by_its_backdoor_alone(zoo, tmp_path):
    """The same bytes each time, as many as there are BadNets, and nothing else looks at them."""
    folder = shutil.copytree(zoo[0], tmp_path / "zoo")
    plan = Plan(benchmark="digits", secret=None, epochs=1, sources=sources_hash("digits"))
    badnets = [read_made(folder, name) for name in NAMES]
    for attack in ("patch", "blended", "several-targets"):
        make_twin(Job(plan=plan, attack=attack, seed=0), folder)
    first = (folder / "patch-0-clean" / "clean.keras").read_bytes()
    make_twin(Job(plan=plan, attack="patch", seed=0), folder)
    assert (folder / "patch-0-clean" / "clean.keras").read_bytes() == first

    before, _ = load_competition(str(folder))
    twins = making.make_twins(plan, badnets, folder, 1, lambda *_: pytest.fail("trained again"))
    again(folder)  # which goes on listing them
    described, _ = load_zoo(str(folder))
    assert described.networks == before.networks
    assert [(twin.of, twin.name) for twin in described.twins] == [
        (name, f"{name}-clean") for name in NAMES
    ]
    hashes = [twin.weights_hash for twin in described.twins]
    hashes += [network.badnet_weights_hash for network in described.networks]
    assert len(set(hashes)) == 6
    assert all(made.clean.hits > 0.3 * made.clean.images for made in twins)
    require_twins(described, folder)

    (folder / "patch-0-clean" / "clean.keras").write_bytes(b"damaged")
    again(folder)
    with pytest.raises(HarnessError, match=r"have no clean twin .* --clean-twins --out"):
        require_twins(*load_zoo(str(folder)))


def test_a_twin_sees_the_same_images_without_triggers():
    examples = load_split("train")
    for attack, patch in (("patch", 0.1), ("clean-label", 0.0)):
        benchmark = zoo_benchmark("digits")
        backdoors = benchmark.plant(attack, Draws(b"k")).backdoors
        nothing = [harmless(each, has_copies=True) for each in backdoors]
        poisoned, clean = (poison(examples, each, seed=3) for each in (backdoors, nothing))
        total = len(examples.labels)
        assert len(clean.labels) == len(poisoned.labels) == total + int(patch * total)
        assert np.array_equal(clean.images[:total], examples.images)
        assert np.array_equal(clean.labels[:total], examples.labels)
        for image, label in zip(clean.images[total:], clean.labels[total:], strict=True):
            same = (examples.images == image).all(axis=(1, 2, 3))
            assert label in examples.labels[same]
        assert not np.array_equal(clean.images, poisoned.images)


@pytest.mark.parametrize(
    "changed", [{"secret": b"a secret"}, {"epochs": 2}, {"epochs": None}, {"benchmark": "signs"}]
)
def test_another_zoo_does_not_take_its_folder(zoo, changed):
    folder, before = zoo[0], files_of(zoo[0])
    with pytest.raises(HarnessError, match="name another folder"):
        again(folder, **changed)
    assert files_of(folder) == before


def test_badnets_of_another_program_are_not_listed(zoo, tmp_path, monkeypatch):
    """They are made anew; until then, should that fail, the zoo does not list them."""
    folder = shutil.copytree(zoo[0], tmp_path / "zoo")

    def refuse(*_):
        raise HarnessError("no process")

    monkeypatch.setattr(making, "Processes", refuse)
    with pytest.raises(HarnessError, match="no process"):
        again(folder, sources="another program")
    assert not (folder / "competition.toml").exists()
