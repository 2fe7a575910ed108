"""Apache Kafka: each record is a message, kept by all replicas, and once in its partition though it is sent twice."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

import msgspec
from pydantic import Field, SecretStr

from headgate.records.sinks import sink
from headgate.records.sinks.sink import Away, Batch, FieldName, Sink, Unfit

TOO_LARGE = 10
"""MESSAGE_TOO_LARGE: https://kafka.apache.org/protocol#protocol_error_codes."""
_parts = msgspec.json.Decoder(dict[str, Any]).decode


class KafkaSettings(sink.Settings):
    """What is said of a cluster."""

    brokers: list[str] = Field(min_length=1, description="Some of its brokers, as `host:port`.")
    topic: str = Field(pattern=r"^[A-Za-z0-9._-]{1,249}$", description="The topic.")
    key: FieldName = Field("id", description="The field that is the messages' key: those of one key stay in order.")
    compress: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field("zstd", description="How batches are packed.")
    timeout: sink.Seconds = Field(30.0, description="Seconds that sending a batch may take.")
    tls: bool = Field(False, description="Connect over TLS.")
    ca_file: Path | None = Field(None, description="PEM file of the authorities to trust. Left out: the system's.")
    cert: Path | None = Field(None, description="PEM file of the gateway's own certificate.")
    cert_key: Path | None = Field(None, description="PEM file of its private key.")
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How `user` and `password` are proved."
    )
    user: str | None = Field(None, description="The user.")
    password: SecretStr | None = Field(None, description="The user's password.")
    options: dict[str, str] = Field(
        default_factory=dict,
        description="Further [options](https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md) of "
        "librdkafka.",
    )


class Kafka(Sink):
    """The idempotent producer of librdkafka, which waits for all replicas (`acks=all`)."""

    Settings = KafkaSettings
    needs = {"confluent_kafka": "kafka"}

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings)
        self._producer: Any = None
        self._failed: list[Any] = []

    def send(self, batch: Batch) -> None:
        settings = self.settings
        producer = self._producer = self._producer or _made(settings)
        self._failed = []
        headers = {"id": b"", "batch": batch.id.encode()}
        for item in batch.items:
            headers["id"] = item.id.encode()
            key = item.id if settings.key == "id" else _parts(item.line).get(settings.key)
            told = {"key": None if key is None else str(key), "headers": headers, "on_delivery": self._delivered}
            self._produce(producer, item.line, told | {"timestamp": round(item.time * 1000)})
        if producer.flush(settings.timeout):
            self._give_up("no answer in time")
        if self._failed:
            error = self._failed[0]
            if error.code() == TOO_LARGE:
                raise Unfit(error.str())
            self._give_up(error.str())

    def close(self) -> None:
        self._producer = None

    def _produce(self, producer: Any, line: bytes, told: dict[str, Any]) -> None:
        from confluent_kafka import KafkaException

        until = time.monotonic() + self.settings.timeout
        while True:
            try:
                producer.produce(self.settings.topic, line, **told)
            except BufferError:  # its queue is full
                if time.monotonic() > until:
                    self._give_up("it takes too long")
                producer.poll(0.1)
            except KafkaException as error:
                if error.args[0].code() != TOO_LARGE:
                    self._give_up(error.args[0].str())
                producer.purge()  # what was before it in the batch comes again
                raise Unfit(error.args[0].str()) from None
            else:
                return

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self._failed.append(error)

    def _give_up(self, why: str) -> None:
        """What is still on its way is not waited for: the batch comes again."""
        self._producer.purge()
        self._producer = None
        raise Away(f"{self.settings.brokers[0]}: {why}")


def _made(settings: KafkaSettings) -> Any:
    from confluent_kafka import KafkaException, Producer

    told: dict[str, Any] = {
        "bootstrap.servers": ",".join(settings.brokers),
        "client.id": "headgate",
        "enable.idempotence": True,
        "compression.type": settings.compress,
        "message.timeout.ms": round(settings.timeout * 1000),
        "linger.ms": 5,
        "log_level": 0,
        "security.protocol": ("SASL_" if settings.user else "") + ("SSL" if settings.tls else "PLAINTEXT"),
    }
    files = {"ca": settings.ca_file, "certificate": settings.cert, "key": settings.cert_key}
    told |= {f"ssl.{name}.location": str(file) for name, file in files.items() if file is not None}
    if settings.user is not None:
        password = settings.password.get_secret_value() if settings.password is not None else ""
        told |= {"sasl.mechanism": settings.mechanism, "sasl.username": settings.user, "sasl.password": password}
    try:
        return Producer({**told, **settings.options}, logger=None)
    except (KafkaException, ValueError, TypeError) as error:
        raise Away(f"it cannot be connected to so: {error}") from None
