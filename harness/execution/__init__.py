"""Where work runs: in this process, in others on this machine, or on a Dask cluster.

This room does not know what the work is.
"""
