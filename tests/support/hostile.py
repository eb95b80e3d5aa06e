"""Names that attack whatever shows them, and a record that is made of them."""

from dataclasses import replace

from records_by_hand import artifact, checkpoint, record

from harness.records.errors import Status
from harness.records.findings import Comparison, Diagnosis, ItemScore, Override
from harness.records.record import Check, DatasetIdentity

NAMES = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "</style></title><img src=x onerror=alert(3)>",
    '"onmouseover="alert(4)',
    "' onfocus=alert(5) autofocus='",
    "javascript:alert(6)",
    "]]></svg><svg onload=alert(7)>",
    "{{ 7 * 7 }}{% include 'x' %}",
    "a|b|c",
    "line\nbreak\r\ttab",
    "=cmd|' /C calc'!A0",
    "\u202egnp.exe \u2066\u200f",
    "../../../escape",
    "null\x00 surrogate\udcff",
    "&lt;b&gt; &amp; <!-- -->",
    "名前 ü 😀",
)


def hostile_record(name):
    """A record that says ``name`` wherever a submission, a claim or an environment can speak."""
    diagnosis = Diagnosis(code=name, explanation=name, evidence={name: name}, split="valid")
    check = Check(name=name, passed=False, observed=name, limit=name, reason=name)
    claim = Comparison(net=name, split=name, drop_points=2.0, figure=name, stated=0.5,
                       stated_images=None, measured_images=None, total=None, agrees=None,
                       slip=name, reason=name)  # fmt: skip
    broken = checkpoint(4.0, status=Status.CRASHED, reason=name, repaired=None, goodnet=None,
                        artifact=artifact(name), lineage=None, steps=None)  # fmt: skip
    found = checkpoint(
        2.0, checks=(check,), diagnoses=(diagnosis,), artifact=artifact(name), isolation=name
    )
    own = record(found, broken, submission=name, reason=name, notes=(name,),
                 environment={name: name}, pruning_order=name)  # fmt: skip
    return replace(
        own,
        dataset=DatasetIdentity(name=name, arrays={name: name}, split=name),
        badnet_weights_hash=name,
        diagnoses=(diagnosis,),
        claims=(claim,),
        published=(claim,),
        points=(ItemScore(item=name, title=name, kind=name, maximum=10.0, points=5.0),),
        overrides=(Override(submission=name, reason=name, item=name, points=5.0),),
    )
