"""The profiles of ~/.aws: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path

from headgate.core.errors import NoCredentials

Profile = Mapping[str, str]


class Profiles:
    """Every profile of the two files, the credentials file counting over the config file.

    Reading them takes a disk: not on the event loop.
    """

    def __init__(self, found: dict[str, dict[str, str]]) -> None:
        self._found = found

    def get(self, name: str) -> Profile | None:
        return self._found.get(name)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Profiles:
        """From where the environment says they are, or their usual place. Raises NoCredentials for what is broken."""
        found: dict[str, dict[str, str]] = {}
        config = environ.get("AWS_CONFIG_FILE") or "~/.aws/config"
        for section, fields in _sections(config).items():
            kind, _, name = section.partition(" ")
            if section == "default":
                found.setdefault("default", {}).update(fields)
            elif kind == "profile" and name.strip():
                found.setdefault(name.strip().strip("\"'"), {}).update(fields)
        for section, fields in _sections(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").items():
            found.setdefault(section, {}).update(fields)
        return cls(found)


def _sections(path: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(default_section="", strict=False, interpolation=None)
    try:
        with Path(path).expanduser().open(encoding="utf-8") as file:
            parser.read_file(file)
        # a nested section (`s3 =` and indented lines below) is one value of several lines here, which nobody asks for
        return {section: dict(parser.items(section)) for section in parser.sections()}
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    except (OSError, configparser.Error, UnicodeDecodeError, RuntimeError) as error:
        raise NoCredentials(f"the file {path} cannot be read: {type(error).__name__}") from None
