"""Store to process: archives become a running TorchServe that says ready only when it is.

::

    from marline.serve import serve

    with serve([Path("sentiment-onnx-int8.mar")], spec.serving, port=8080) as server:
        server.wait_ready()
        server.wait()

The first archive is the default one, which ``/predictions/<model>`` asks.
"""

from marline.serve.torchserve.archives import Served, read_archive
from marline.serve.torchserve.server import TorchServer, serve
from marline.serve.torchserve.torchless import torch_free_skips

__all__ = ["Served", "TorchServer", "read_archive", "serve", "torch_free_skips"]
