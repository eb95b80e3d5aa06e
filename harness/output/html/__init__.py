"""Pages for instructors and students, to be opened from a folder without a server.

They show what the records hold; nothing is fetched, and no figure is computed here.
"""
