"""The parts that a worker is put together from, each built by a function of its own.

`exchange.app` builds them in order, from the stores up to the doors; what a part opens is closed
by the ground that all of them stand on, in the reverse order.
"""
