"""Proof that each layer of the sandbox holds alone, whatever the others would stop.

`facts` compares what the kernel says of a child with what it must say, `calls` makes every system
call that must be refused, `watches` goes beyond each limit that is kept from outside. What is
expected stands here a second time, on purpose: a line that is lost elsewhere must be missed.
"""
