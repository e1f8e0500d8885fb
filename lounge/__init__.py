"""The house rules: who may enter, under which persona they speak, what is kept and who hears it.

Imports channels, presence and storage; knows nothing of sockets or pages.
"""
