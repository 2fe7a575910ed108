"""S3: files of Parquet that another library reads back, signed as Amazon's own library signs, by day and hour."""

import io
import json
import re

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pyarrow.parquet import ParquetFile

from catchers import HTTPCatcher
from headgate.records.row import COLUMNS, read
from headgate.records.sinks.sink import Away

ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"


class Bucket(HTTPCatcher):
    """Keeps what was put there with the right signature, which Amazon's own library makes once more."""

    def __init__(self):
        super().__init__(self._taken)
        self.files = {}

    def _taken(self, caught):
        headers = caught.headers
        signed = {name: headers[name] for name in ("host", "content-type", "x-amz-content-sha256", "x-amz-date")}
        request = AWSRequest("PUT", f"http://{headers['host']}{caught.path}", signed, caught.raw)
        request.context["timestamp"] = headers["x-amz-date"]
        auth = S3SigV4Auth(Credentials(ACCESS, SECRET), "s3", "eu-west-1")
        text = auth.string_to_sign(request, auth.canonical_request(request))
        if not headers["authorization"].endswith(f"Signature={auth.signature(text, request)}"):
            return 403, b"<Code>SignatureDoesNotMatch</Code>"
        self.files[caught.path] = caught.raw
        return 200

    @property
    def rows(self):
        found = [ParquetFile(io.BytesIO(data)).read().to_pylist() for data in self.files.values()]
        return {row["id"]: row for rows in found for row in rows}


@pytest.fixture
def bucket():
    with Bucket() as started:
        yield started


@pytest.fixture
def made(sink, bucket):
    def make(**told):
        keys = {"access_key_id": ACCESS, "secret_access_key": SECRET, "region": "eu-west-1"}
        return sink(kind="s3", bucket="my-bucket", endpoint=bucket.url, **(keys | told))

    return make


def test_what_another_library_reads_back_is_what_was_sent(made, batch, bucket):
    some = batch(120)
    made().send(some)
    rows = bucket.rows
    assert rows.keys() == {item.id for item in some.items}
    for item in some.items:
        row, entry = rows[item.id], read(item.line)
        assert json.loads(row["record"]) == json.loads(item.line)
        assert row["tags"] == list(entry.tags)
        assert {name: row[name] for name in COLUMNS if name in row} == {
            name: value for name, value in entry.row._asdict().items() if name in row
        }


def test_files_are_in_folders_by_the_hour_their_requests_came_in(made, batch, bucket):
    made(prefix="logs/gw").send(batch(50))
    assert len(bucket.files) > 3
    form = re.compile(r"/my-bucket/logs/gw/date%3D2026-09-21/hour%3D(\d\d)/batch-1\.parquet")
    for path, data in bucket.files.items():
        hour = form.fullmatch(path)[1]
        times = ParquetFile(io.BytesIO(data)).read()["time"].to_pylist()
        assert {int(time // 3600 % 24) for time in times} == {int(hour)}


def test_a_batch_that_comes_again_takes_its_own_place(made, batch, bucket):
    sending = made(partition="day")
    sending.send(batch(9))
    sending.send(batch(9))
    assert len(bucket.caught) == 2
    assert len(bucket.files) == 1
    assert len(bucket.rows) == 9


def test_a_wrong_key_is_told_with_what_the_service_says(made, batch):
    with pytest.raises(Away, match="it answered 403: <Code>SignatureDoesNotMatch</Code>"):
        made(secret_access_key="wrong-key-of-good-length").send(batch())


def test_what_it_refuses_is_kept(made, batch, bucket):
    bucket.answer = lambda caught: (400, b"<Code>InvalidRequest</Code>")
    with pytest.raises(Away, match="InvalidRequest"):
        made().send(batch())
