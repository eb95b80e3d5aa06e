"""Which of the same nets in several submissions an instructor is told of."""

from courses import graded
from records_by_hand import artifact, checkpoint, lineage

from harness.lineage.shared_nets import shared_net_remarks
from harness.people.chronology import owners_of
from harness.people.roster import Person
from harness.records.findings import LayerChange

TRAINED = LayerChange(layer="fc_1", zeroed=(), values_changed=900, values_now_zero=3)
SET_TO_ZERO = LayerChange(layer="fc_1", zeroed=(), values_changed=900, values_now_zero=900)


def told(records, people=()):
    return shared_net_remarks(records, owners_of([r.submission for r in records], people))


def handed_in(name, net, *, path="model_2.h5", **changes):
    own = checkpoint(artifact=artifact(path, net), lineage=lineage(**changes))
    return graded(name, [own])


def test_who_trained_the_same_weights_is_told():
    records = [
        handed_in("ann", "w", changes=(TRAINED,)),
        handed_in("bob", "w", path="nets/b2.h5", changes=(TRAINED,)),
        handed_in("cy", "other", changes=(TRAINED,)),
    ]
    (line,) = told(records)
    assert line == (
        "trained weights that are the same in several submissions: ann/model_2.h5 = bob/nets/b2.h5"
    )


def test_several_nets_of_the_same_people_are_one_line():
    def both(name):
        nets = [
            checkpoint(x, artifact=artifact(f"model_{x}.h5", f"w{x}"), lineage=lineage(base=None))
            for x in (2, 4)
        ]
        return graded(name, nets)

    (line,) = told([both("ann"), both("bob")])
    assert line.endswith("ann/model_2.h5 = bob/model_2.h5; ann/model_4.h5 = bob/model_4.h5")


def test_what_anybody_gets_by_pruning_tells_nothing():
    pruned = [handed_in(name, "w") for name in ("ann", "bob")]
    zeroed = [handed_in(name, "z", changes=(SET_TO_ZERO,)) for name in ("cy", "di")]
    elsewhere = [handed_in(name, "o", base="lab3") for name in ("ed", "fay")]
    assert told([*pruned, *zeroed, *elsewhere]) == []


def test_attempts_of_one_person_and_submissions_of_one_team_may_be_alike():
    records = [handed_in(name, "w", changes=(TRAINED,)) for name in ("one", "two", "bob")]
    same = (Person(folder="one", login="ann"), Person(folder="two", login="ann"))
    team = (*same, Person(folder="two", login="bob"), Person(folder="bob", login="bob"))
    assert len(told(records, same)) == 1
    assert told(records[:2], same) == []
    assert told(records, team) == []


def test_names_from_strangers_stay_on_one_line():
    records = [handed_in(name, "w", base=None, path="a\nb.h5") for name in ("ann\x1b[2J", "bob")]
    (line,) = told(records)
    assert "\n" not in line
    assert "\x1b" not in line
