"""Attack scripts, all harmless, that the doctor runs in the sandbox.

Each tries one thing and reports; `escape_tests` judges what really happened.
"""
