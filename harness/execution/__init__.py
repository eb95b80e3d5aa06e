"""Where work runs: in this process, in others on this machine, or on a Dask cluster.

It does not know what the work is.
"""
