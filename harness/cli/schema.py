"""The command ``schema``: the format of a record."""

from __future__ import annotations

import click

from harness.storage.json_schema import schema_text


@click.command()
def schema() -> None:
    """Print the JSON Schema of the records in a results folder."""
    click.echo(schema_text(), nl=False)
