"""Packages that grade on other people's platforms: what is uploaded, and what runs there.

How results look on a platform is for `exports`.
"""
