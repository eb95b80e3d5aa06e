"""The way of a submission, from a folder to a record, and of a batch of them.

It composes the other rooms: no file format is parsed and nothing is rendered here.
"""
