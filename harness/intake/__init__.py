"""From folders, archives and platforms' downloads to candidate files and their X.

Names and bytes only: no model is opened here.
"""
