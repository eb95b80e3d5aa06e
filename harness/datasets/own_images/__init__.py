"""Somebody's own images, read from their files for `data import`; no model comes in."""
