"""TorchServe 0.12.0, and nothing that depends on it outside of this package.

archives    a .mar checked before a server sees it
config      ``config.properties`` derived from the archives and the spec's serving settings
cpus        the CPU limit, cgroups included
java        which Java runs the frontend
environ     what the workers may inherit, and the stand-in torch
describe    the management API over its unix socket
reasons     why a load failed, read from the logs
torchless   which archives can be served without torch
ports       ports that are free, and the sentence for one that is not
group       the process group: none of it outlives the server
server      start, ready, stop
"""
