"""What every benchmark's generator shares: random numbers, shapes, processes, files and sheets.

What is drawn is for the benchmark's own folder to say.
"""
