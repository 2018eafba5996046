"""What a marline archive carries besides its model: the code between an HTTP body and an answer.

``handlerkit`` is vendored into every ``.mar``.  It therefore imports neither ``ts`` nor ``marline``,
needs only the standard library and numpy to be imported, and imports an engine (onnxruntime, torch)
only when a model of that engine is loaded.

    manifest    the artifact's self-description: frozen types, strict reading, exact round trip
    backends    one class per artifact format, all answering ``run(inputs) -> outputs``
    requests    HTTP body -> items, with one exact sentence for what cannot be read
    text        text -> token ids, truncation reported
    batching    length-aware groups, so that short texts do not pay for long neighbours
    golden      recorded questions a worker must answer rightly before it reports loaded
    serving     the handler skeleton that ties the above together, one error per bad request
"""
