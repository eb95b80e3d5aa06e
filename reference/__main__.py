"""``python -m reference``: the embedded benchmark, its BadNets and the worked solution."""

from __future__ import annotations

import click

from reference.cli.faces import faces
from reference.cli.fresh import fresh
from reference.cli.prune import prune
from reference.cli.record import record
from reference.cli.sheet import sheet
from reference.cli.train import train


@click.group()
def main() -> None:
    """Make the embedded benchmark and its BadNet."""


for command in (faces, fresh, prune, record, sheet, train):
    main.add_command(command)

if __name__ == "__main__":
    main()
