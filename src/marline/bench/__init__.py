"""Benchmarks: what is served against what the same session does in a bare loop, and against other servers.

Everything is a ratio of one interleaved run on one machine, and names its CPU class.
"""
