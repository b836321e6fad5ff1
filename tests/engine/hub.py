"""A hub of models on loopback that speaks as much of the Hugging Face hub's language as fetching needs."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1000
"""Bytes; from here on a file counts as a large one, which the hub knows by its SHA-256."""


@dataclass
class Hub:
    """Repositories of files. gated: whose terms nobody has accepted. bent: what is sent instead of a file's bytes.

    asked: every request for a model, as "GET /path". free: cleared while no file is sent.
    """

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    bent: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    url: str = ""
    free: threading.Event = field(default_factory=threading.Event)

    def sent(self) -> list[str]:
        """The files that were sent so far."""
        return [each.partition(COMMIT + "/")[2] for each in self.requests if each.startswith("GET") and "/resolve/" in each]

    @contextmanager
    def open(self) -> Iterator["Hub"]:
        """Serve on a port of 127.0.0.1."""
        self.free.set()
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Clerk", (_Clerk,), {"hub": self}))
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def digest(content: bytes) -> str:
    if len(content) >= LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _listing(repository: str, files: dict[str, bytes]) -> bytes:
    siblings = []
    for name, content in files.items():
        told: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": digest(content)}
        if len(content) >= LARGE:
            told |= {"blobId": "0" * 40, "lfs": {"sha256": digest(content), "size": len(content), "pointerSize": 130}}
        siblings.append(told)
    return json.dumps({"_id": "1", "id": repository, "sha": COMMIT, "siblings": siblings}).encode()


class _Clerk(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        return

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        api = path.startswith("/api/models/")
        if not api and "/resolve/" not in path:  # the hub's client asks things of its own
            self._send(404, b"{}", {}, body=body)
            return
        self.hub.requests.append(f"{self.command} {path}")
        repository = "/".join((path.removeprefix("/api/models") if api else path).strip("/").split("/")[:2])
        files = self.hub.repositories.get(repository)
        name = path.partition(f"/resolve/{COMMIT}/")[2]
        if files is None:
            self._send(401, b"{}", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Not found."}, body=body)
        elif api:
            self._send(200, _listing(repository, files), {"Content-Type": "application/json"}, body=body)
        elif repository in self.hub.gated:
            self._send(403, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Accept the terms."}, body=body)
        else:
            assert self.hub.free.wait(30)
            whole = files[name]
            headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{digest(whole)}"', "X-Linked-Size": str(len(whole))}
            self._send(200, self.hub.bent.get(name, whole), headers, body=body)

    def _send(self, status: int, content: bytes, headers: dict[str, str], *, body: bool) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        try:
            if body:
                self.wfile.write(content)
        except ConnectionError:  # whoever fetched has stopped
            self.close_connection = True
