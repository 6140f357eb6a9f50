"""Noise: bytes that no server meant, against each part that reads bytes.

`targets.py` says what is promised of any bytes, and needs nothing but Python;
`python -m tests.fuzz` lets atheris look for bytes that break a promise.
"""
