"""``python -m reference``: the embedded benchmarks, their BadNets and the worked solution."""

from harness.cli.launcher import run


def main() -> None:
    """Run the command that the arguments name."""
    run("reference.cli.main")


if __name__ == "__main__":
    main()
