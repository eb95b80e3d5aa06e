"""Code that repairs a BadNet, run in a child that has clean validation images and nothing else.

No backdoored image, trigger or target label may enter.
"""
