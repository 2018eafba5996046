"""Where pods get archives from: servers of this machine, at its own end of the link to the node."""

from __future__ import annotations

import http.server
import json
import os
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import boto3
from moto.server import ThreadedMotoServer

from agent.source import Handler, Source

BUCKET = "models"
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}


@contextmanager
def web(address: str, content: bytes) -> Iterator[tuple[Source, str]]:
    """A web server with one file, and its URL without the path."""
    source = Source(content)
    server = http.server.ThreadingHTTPServer((address, 0), type("Bound", (Handler,), {"source": source}))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that go away in the middle
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield source, f"http://{address}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class ObjectStore:
    """An S3 stand-in that checks signatures, and a user of it who may only read."""

    endpoint: str
    key: str
    secret: str

    @property
    def environment(self) -> dict[str, str]:
        """What the library in the pod reads."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret,
        }  # fmt: skip

    def secret_manifest(self, name: str) -> str:
        """A Secret with that environment."""
        document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": self.environment}
        return json.dumps(document)


@contextmanager
def object_store(address: str, objects: dict[str, bytes]) -> Iterator[ObjectStore]:
    """Objects in the bucket ``models``."""
    server = ThreadedMotoServer(ip_address=address, port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        # nothing of whoever runs the tests: neither a profile nor a proxy
        with mock.patch.dict(
            os.environ, {"AWS_ACCESS_KEY_ID": "maker", "AWS_SECRET_ACCESS_KEY": "maker", "NO_PROXY": host}
        ):
            s3, iam = (client(name, endpoint) for name in ("s3", "iam"))
            s3.create_bucket(Bucket=BUCKET)
            for key, body in objects.items():
                s3.put_object(Bucket=BUCKET, Key=key, Body=body)
            iam.create_user(UserName="pod")
            iam.put_user_policy(UserName="pod", PolicyName="read", PolicyDocument=json.dumps(READ))
            made = iam.create_access_key(UserName="pod")["AccessKey"]
        require_signatures(endpoint, after=0)
        yield ObjectStore(endpoint, made["AccessKeyId"], made["SecretAccessKey"])
    finally:
        require_signatures(endpoint, after=float("inf"))  # it holds for the whole process
        server.stop()


def client(name: str, endpoint: str) -> Any:
    return boto3.client(name, region_name="us-east-1", endpoint_url=endpoint)


def require_signatures(endpoint: str, after: float) -> None:
    """From so many more requests on, the stand-in looks at credentials."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(
        f"{endpoint}/moto-api/reset-auth", str(after).encode(), {"content-type": "text/plain"}
    )
    opener.open(request, timeout=10).close()
