"""Results as pages for a browser: a leaderboard and a page for each submission, and their plots."""
