"""A server that keeps the keys of stacks, as Vault's transit engine does.

With a passphrase, every `pulumi` command computes a million hashes, a tenth of what the command takes. The tests of the
Automation API, of the fixtures for users and of the wheel have a passphrase.
"""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "hashivault://test"


class _Transit(BaseHTTPRequestHandler):
    kept: dict[str, str] = {}  # noqa: RUF012 - of all tests, as one stack's state is read by another's command

    def do_PUT(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.startswith("/v1/transit/encrypt/"):
            name = f"vault:v1:{uuid.uuid4().hex}"
            self.kept[name] = given["plaintext"]
            made = {"ciphertext": name}
        else:
            made = {"plaintext": self.kept[given["ciphertext"]]}
        answer = json.dumps({"data": made}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output as it is."""


@contextmanager
def vault() -> Iterator[dict[str, str]]:
    """What a `pulumi` command needs in its environment to reach the server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Transit) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield {"VAULT_SERVER_URL": f"http://127.0.0.1:{server.server_port}", "VAULT_SERVER_TOKEN": "test"}
        server.shutdown()
    thread.join()
