"""A local store that speaks S3: it checks each signature and keeps what is put into its bucket.

`with FakeS3() as fake:` then `fake.address`; `fake.files` is the bucket. Uploads in parts are put
together when they are completed, as the real one does. `fake.down` makes it answer 503.
"""

import hashlib
import itertools
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY = "AKIDEXAMPLE"
SECRET = "not-a-real-secret-of-anybody"  # of this server
BUCKET = "backups"
XML = '<?xml version="1.0" encoding="UTF-8"?>'


class FakeS3:
    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.down = False
        self.ids = itertools.count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "FakeS3":
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(fake: FakeS3) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            path, query, body = self._heard()
            if path is None:
                return
            if "uploadId" in query:
                fake.parts[query["uploadId"][0]][int(query["partNumber"][0])] = body
            else:
                fake.files[path] = body
            self._answer(200, "", ETag=f'"{hashlib.sha256(body).hexdigest()}"')

        def do_POST(self) -> None:
            path, query, _body = self._heard()
            if path is None:
                return
            if "uploads" in query:
                upload = f"upload-{next(fake.ids)}"
                fake.parts[upload] = {}
                said = f"<UploadId>{upload}</UploadId>"
                self._answer(200, f"{XML}<InitiateMultipartUploadResult>{said}"
                                  "</InitiateMultipartUploadResult>")  # fmt: skip
                return
            parts = fake.parts.pop(query["uploadId"][0])
            fake.files[path] = b"".join(parts[number] for number in sorted(parts))
            self._answer(200, f"{XML}<CompleteMultipartUploadResult/>")

        def _heard(self) -> tuple[str | None, dict[str, list[str]], bytes]:
            """Give path, query and body; a path of None is answered already."""
            url = urlsplit(self.path)
            query = parse_qs(url.query, keep_blank_values=True)
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            bucket, _, path = url.path.lstrip("/").partition("/")
            found: str | None = None
            if fake.down:
                self._answer(503, _error("SlowDown"))
            elif not self._is_signed(body):
                self._answer(403, _error("SignatureDoesNotMatch"))
            elif bucket != BUCKET:
                self._answer(404, _error("NoSuchBucket"))
            else:
                found = path
            return found, query, body

        def _is_signed(self, body: bytes) -> bool:
            kind, _, rest = self.headers["Authorization"].partition(" ")
            said = dict(part.split("=", 1) for part in rest.replace(" ", "").split(","))
            name, _date, region, *_service = said["Credential"].split("/")
            signed = {each: self.headers[each] for each in said["SignedHeaders"].split(";")}
            request = AWSRequest(self.command, fake.address + self.path, signed)
            request.context["timestamp"] = signed["x-amz-date"]
            auth = S3SigV4Auth(Credentials(KEY, SECRET), "s3", region)
            text = auth.string_to_sign(request, auth.canonical_request(request))
            whole = hashlib.sha256(body).hexdigest() == signed["x-amz-content-sha256"]
            right = auth.signature(text, request) == said["Signature"]
            return kind == "AWS4-HMAC-SHA256" and name == KEY and right and whole

        def _answer(self, status: int, text: str, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


def _error(code: str) -> str:
    return f"{XML}<Error><Code>{code}</Code><Message>{code} it is.</Message></Error>"
