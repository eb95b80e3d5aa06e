"""Archives unpacked on the harness's terms, whatever is in them.

Bytes come from a child; which are written where is decided here.
"""
