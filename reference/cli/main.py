"""``python -m reference``: the commands, each in a file of its own name."""

from __future__ import annotations

import click

from reference.cli.competition import competition
from reference.cli.curve import curve
from reference.cli.digits import digits
from reference.cli.faces import faces
from reference.cli.fresh import fresh
from reference.cli.prune import prune
from reference.cli.record import record
from reference.cli.robustness import robustness
from reference.cli.sheet import sheet
from reference.cli.signs import signs
from reference.cli.train import train
from reference.cli.zoo import zoo


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Make the embedded benchmarks and their BadNets."""


for command in (
    competition, curve, digits, faces, fresh, prune, record, robustness, sheet, signs, train, zoo
):  # fmt: skip
    main.add_command(command)
