"""The leaderboard as text, Markdown, CSV, JSON and plots.

A renderer takes a board and returns text or a figure; it decides nothing about ranks.
"""
