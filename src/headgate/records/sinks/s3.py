"""S3, or what speaks its API: Parquet files, in folders by day and hour, each named by what is in it.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.errors import NoCredentials
from headgate.providers.auth.auth import Renewed
from headgate.providers.auth.aws.chain import Chain, Wanted
from headgate.providers.auth.aws.roles import Role, suffix
from headgate.providers.auth.aws.signing import Keys, Signer
from headgate.records import post
from headgate.records.post import Post
from headgate.records.row import Entry, kinds, read
from headgate.records.sinks import sink
from headgate.records.sinks.sink import Away, Batch, Item, Sink


class S3Settings(post.Connecting):
    """What is said of a bucket."""

    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="The bucket.")
    prefix: str = Field("requests", pattern=r"^[A-Za-z0-9._/-]{0,200}$", description="What its files begin with.")
    region: str = Field("us-east-1", pattern=r"^[a-z0-9-]{1,40}$", description="The bucket's region.")
    endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^\s/?#@]+/?$",
        description="Where the API is, if not at Amazon: MinIO, R2, Ceph. The bucket is then the path's first part.",
    )
    access_key_id: str | None = Field(None, description="Left out (and the secret one): as Amazon's SDKs find them.")
    secret_access_key: SecretStr | None = Field(None, description="The secret key of `access_key_id`.")
    profile: str | None = Field(None, min_length=1, description="The profile of `~/.aws` whose keys sign.")
    role_arn: str | None = Field(None, min_length=1, description="A role to take on with them.")
    partition: Literal["hour", "day"] = Field("hour", description="`date=2026-11-27/hour=08/`, or only the day.")
    batch_bytes: int = Field(16 << 20, ge=4096, le=256 << 20, description="Most bytes of records in a file, unpacked.")
    batch_seconds: sink.Seconds = Field(300.0, description="Seconds after which a file is written, if there is less.")

    @model_validator(mode="after")
    def _both(self) -> S3Settings:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise PydanticCustomError("both", "`access_key_id` and `secret_access_key` belong together")
        return self


class S3(Sink):
    """A file that is sent again has the same name: it takes the other's place."""

    Settings = S3Settings
    needs = {"arro3.core": "parquet", "arro3.io": "parquet"}

    def __init__(self, settings: S3Settings) -> None:
        super().__init__(settings)
        self._post = Post(settings)
        self._signer = Signer("s3", settings.region)
        keys, secret = None, settings.secret_access_key
        if settings.access_key_id is not None and secret is not None:
            keys = Keys(settings.access_key_id, secret.get_secret_value())
        role = Role(settings.role_arn) if settings.role_arn else None
        chain = Chain(Wanted(settings.region, keys, settings.profile, role), os.environ)
        self._keys: Renewed[Keys] = Renewed("the keys of AWS", chain)
        host = f"https://{settings.bucket}.s3.{settings.region}.{suffix(settings.region)}"
        self._url = f"{settings.endpoint.rstrip('/')}/{settings.bucket}" if settings.endpoint else host

    def send(self, batch: Batch) -> None:
        hours: defaultdict[str, list[Item]] = defaultdict(list)
        form = "date=%Y-%m-%d/hour=%H" if self.settings.partition == "hour" else "date=%Y-%m-%d"
        for item in batch.items:
            hours[datetime.fromtimestamp(item.time, UTC).strftime(form)].append(item)
        for folder, items in hours.items():
            name = "/".join(filter(None, (self.settings.prefix.strip("/"), folder, f"{batch.id}.parquet")))
            self._put(name, parquet(items))

    def close(self) -> None:
        self._post.close()

    def _put(self, name: str, body: bytes) -> None:
        url = f"{self._url}/{quote(name, safe='/')}"
        where = urlsplit(url)
        headers = {
            "content-type": "application/vnd.apache.parquet",
            "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        }
        signed = [(b"host", where.netloc.encode())]
        signed += [(each.encode(), value.encode()) for each, value in headers.items()]
        try:
            keys = self._post.runner.run(self._keys.get(self._post.client))
        except NoCredentials as error:
            raise Away(error.message) from None
        proof = self._signer.sign(keys, "PUT", where.path, signed, body, time.time())
        headers |= {each.decode(): value.decode() for each, value in proof}
        status, answer = self._post.ask("PUT", url, headers, body)
        if status != 200:  # of a file it refuses, no part would be taken either
            post.check(503 if status in post.UNFIT else status, answer)


def parquet(items: Sequence[Item]) -> bytes:
    """The columns of the table of requests (records/row.py), `tags`, and each record whole, as JSON, in `record`."""
    from arro3.core import Array, ChunkedArray, DataType, Table, list_array
    from arro3.io import write_parquet

    entries = [entry for item in items if (entry := read(item.line)) is not None]
    text = DataType.utf8()
    types = {str: text, int: DataType.int64(), float: DataType.float64()}
    columns: dict[str, Any] = {
        name: Array([getattr(entry.row, name) for entry in entries], types[kind]) for name, (kind, _) in kinds().items()
    }
    columns["tags"] = list_array(_offsets(entries), Array([tag for entry in entries for tag in entry.tags], text))
    columns["record"] = Array([entry.line for entry in entries], text)
    table = Table.from_pydict({name: ChunkedArray([column]) for name, column in columns.items()})
    out = io.BytesIO()
    write_parquet(table, out, compression="zstd(3)")
    return out.getvalue()


def _offsets(entries: Sequence[Entry]) -> Any:
    """Where the tags of each begin, and the last's end."""
    from arro3.core import Array, DataType

    found = [0]
    for entry in entries:
        found.append(found[-1] + len(entry.tags))
    return Array(found, DataType.int32())
