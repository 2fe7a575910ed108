"""Makes the vocabularies that tokens are counted with, from the npm package js-tiktoken (MIT), pinned by its hash.

`make setup` and `make serve` run it once: the files are no part of the repository, and nothing is fetched when the
gateway runs. Without them (no npm, no registry) it says so and counts are estimates; the exit code is 0 all the same.
"""

from __future__ import annotations

import hashlib
import lzma
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from headgate.catalog.tokens import ENCODINGS, FOLDER

PACKAGE = "js-tiktoken@1.0.21"
SHA256 = "3b1f24b185565ca9a8d8f51466dfc4f99d67f1f05bc009258710ddb7a8d810fa"
START, END = b"export default ", b";"


def main() -> int:
    wanted = [name for name in ENCODINGS if not (FOLDER / f"{name}.json.xz").exists()]
    if not wanted:
        return 0
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = _ranks(_fetched(Path(folder)), wanted)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        print(
            f"no vocabularies ({error}): token counts will be estimates until `make vocabulary` works", file=sys.stderr
        )
        return 0
    FOLDER.mkdir(exist_ok=True)
    for name, data in made.items():
        (FOLDER / f"{name}.json.xz").write_bytes(lzma.compress(data))
        print(f"made: {name}")
    return 0


def _fetched(folder: Path) -> Path:
    command = ["npm", "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL)  # noqa: S603  # fixed words
    (archive,) = folder.glob("*.tgz")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{PACKAGE} has the hash {digest}, not {SHA256}")
    return archive


def _ranks(archive: Path, names: list[str]) -> dict[str, bytes]:
    """Each encoding's JSON: `pat_str`, `special_tokens`, `bpe_ranks`."""
    found = {}
    with tarfile.open(archive) as tar:
        for name in names:
            file = tar.extractfile(f"package/dist/ranks/{name}.js")
            if file is None:
                raise KeyError(name)
            found[name] = file.read().strip().removeprefix(START).removesuffix(END)
    return found


if __name__ == "__main__":
    sys.exit(main())
