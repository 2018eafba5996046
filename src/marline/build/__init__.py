"""Types to artifacts: fetch, train, build variants, gate, report.

sources    pinned weights and data, fetched once into a cache
train      the steps whose result depends on the machine; their outputs are committed inputs
variants   one file per variant, all behind ``build(context) -> Built``
gate       quality against the reference, speed per CPU class, the comparator
report     ``report.json`` and a self-contained ``report.html``
"""
