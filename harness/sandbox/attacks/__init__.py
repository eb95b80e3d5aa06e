"""Attack scripts that the doctor lets loose in the sandbox, all harmless.

Each tries one thing and reports; what really happened is judged by `escape_tests`.
"""
