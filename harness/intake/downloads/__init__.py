"""What learning platforms and code hosts deliver: many submissions at once, under their names.

Nothing is known here of models.
"""
