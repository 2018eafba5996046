"""The steps before the build: their results depend on the machine, so they are committed as inputs.

``marline train`` writes the head, the calibration ranges and the golden answers beside the spec and
prints the lines that name them by sha256.
"""
