"""The types that everything else passes on: frozen, documented field by field.

They have no behaviour beyond their own format; no room is imported here.
"""
