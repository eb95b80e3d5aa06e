"""What people look at, rendered from stored records.

Renderers are pure: they open no model and read no submission, and they escape what strangers wrote.
"""
