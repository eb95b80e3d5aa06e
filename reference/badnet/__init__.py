"""The embedded benchmark's BadNet: its attacks, its training and the proof of its properties."""
