"""What is kept of what a child prints."""

from payloads import BOTH, read_fact, start

from harness.sandbox.output import OUTPUT_BYTES


@BOTH
def test_a_flood_of_output_stops_nobody_and_is_capped(payload, sandbox):
    script = payload("""
        sys.stdout.write("first " + "é" * 5_000_000 + " last")
        sys.stdout.flush()
        print("to stderr", file=sys.stderr)
        tell("done")
    """)
    with start(script, sandbox=sandbox) as child:
        assert read_fact(child) == "done"
        child.finish()
    assert child.output.startswith("first ")
    assert child.output.endswith("é lastto stderr\n")
    assert "bytes left out" in child.output
    assert len(child.output.encode()) <= OUTPUT_BYTES


@BOTH
def test_output_is_free_of_escapes(payload, sandbox):
    script = payload("""
        sys.stdout.buffer.write(b"\\x1b[31mred\\x1b[0m\\x1b]0;title\\x07 ")
        sys.stdout.buffer.write(b"\\x1b]8;;http://x\\x1b\\\\link a\\x00b\\x08c\\rd\\r\\ne\\tf ")
        sys.stdout.buffer.write(b"\\xff\\xe2\\x80\\xaegnp \\xc2\\x9b2Jz")
        sys.stdout.flush()
        tell(0)
    """)
    with start(script, sandbox=sandbox) as child:
        read_fact(child)
        child.finish()
    assert child.output == "red link abc\nd\ne\tf �gnp z"
