"""Commands that measure the library against its limits and its peers: `python -m benchmarks.X`.

Not part of the installed package. Data and published weights are read from ``../shared``.
"""
