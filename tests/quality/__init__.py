"""How well the privacy guard reads: a set of sentences made by lot, and a table of what is found.

The sentences and the names are other ones than those the rules were written on. Half of both (the
odd ones) is held out: nobody looks at what is missed there.
"""
