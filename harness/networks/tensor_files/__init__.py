"""Arrays in files of other frameworks, read as data: PyTorch, safetensors and NumPy.

Nothing here imports or calls what a file names, and nothing is read before its size is known.
"""
