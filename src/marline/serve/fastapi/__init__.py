"""A second engine: the same archives behind FastAPI and uvicorn, with nothing of TorchServe running.

archives    a checked ``.mar`` unpacked, and its own handler loaded from it
batching    what waits while a batch is computed becomes the next batch
service     the HTTP side: paths, health, refusals
plan        what every process is told
states      what each process says of itself, in files that every process reads
worker      one process: it listens, loads, answers golden requests, serves, drains
server      starts the processes, brings a dead one back, stops them

Every process holds every archive and accepts from one shared socket.
"""
