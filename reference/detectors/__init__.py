"""Detectors from their papers, one module each: of inputs (``predict``) or networks (``detect``).

They are written as the defences are, to be read and copied.
"""
