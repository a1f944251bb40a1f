"""The places of scheduled exports: a folder of the server, or a store that speaks S3."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext

PIECE = 8 * 1024 * 1024  # of an upload: what a store takes at once, and what memory holds of a file


class Unstored(Exception):
    """A file could not be put where it should be; the text says why, and what to do."""


class FolderPlace:
    """A folder below EXPORT_FOLDER. A file appears when it is whole."""

    def __init__(self, folder: str) -> None:
        if not settings.EXPORT_FOLDER:
            raise Unstored(
                gettext("Set EXPORT_FOLDER to the folder below which exports may be written.")
            )
        root = Path(settings.EXPORT_FOLDER).resolve()
        self._folder = (root / folder).resolve()
        if not self._folder.is_relative_to(root):  # a symbolic link leads out
            raise Unstored(gettext("This folder is outside of EXPORT_FOLDER."))

    def put(self, name: str, pieces: Iterator[bytes]) -> None:
        """Write a file, in the place of an older one. Raises Unstored."""
        path = self._folder / name
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise Unstored(f"{error.strerror or error}: {path}") from error


class StorePlace:
    """A folder of a bucket."""

    def __init__(
        self,
        folder: str,
        *,
        bucket: str,
        region: str,
        endpoint: str,
        access_key: str,
        secret_key: str,
    ) -> None:
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError:
            said = gettext(
                "A store that speaks S3 needs the package boto3, which is not installed. Run: pip"
                " install -r requirements-ses.txt"
            )
            raise Unstored(said) from None
        self._folder = folder
        self._bucket = bucket
        style = "auto"
        if endpoint:  # most stores of others have no host name for each bucket
            style = "path"
        config = Config(
            connect_timeout=10,
            read_timeout=60,
            retries={"total_max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": style},
            # stores of others know no checksums of 2025
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        keys = {}
        if access_key:
            keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret_key}
        session = boto3.session.Session(**keys)
        try:
            self._client: Any = session.client(
                "s3",
                region_name=region or "us-east-1",
                endpoint_url=endpoint or None,
                config=config,
            )
        except (BotoCoreError, ValueError) as error:  # ValueError: an address that is none
            raise Unstored(str(error)) from error

    def put(self, name: str, pieces: Iterator[bytes]) -> None:
        """Upload a file, in the place of an older one. Raises Unstored."""
        from boto3.exceptions import Boto3Error
        from boto3.s3.transfer import TransferConfig
        from botocore.exceptions import BotoCoreError, ClientError

        # in pieces one after the other: threads would hold ten of them
        transfer = TransferConfig(
            multipart_threshold=PIECE, multipart_chunksize=PIECE, use_threads=False
        )
        key = f"{self._folder}/{name}"
        try:
            file = io.BufferedReader(_Pieces(pieces), PIECE)
            self._client.upload_fileobj(file, self._bucket, key, Config=transfer)
        except (Boto3Error, BotoCoreError, ClientError) as error:
            raise Unstored(str(error)) from error


class _Pieces(io.RawIOBase):
    """Bytes that come in pieces, as a file that is read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size
