"""Files that Keras 2.2 to 3.x saved, as data: graphs, layers and names in them.

No Keras here: a file is a stranger's, and to load it is to run code.
"""
