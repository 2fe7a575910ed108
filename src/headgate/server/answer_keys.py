"""The key of a place in which encrypted answers are: found there and opened, or made and sealed, with the gateway's."""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Callable, Mapping

from headgate.state.sealed_answers import Chosen
from headgate.store.sealing import PREFIX, KeyAway, Seal, Unsealable

PLACE = "answers"
"""To which keys are bound where nothing is said."""
log = logging.getLogger("headgate.server")


class AnswerKeys:
    """Implements state.sealed_answers.Choose."""

    def __init__(self, seal: Callable[[], Seal], place: str = PLACE) -> None:
        """`place`: what the keys are bound to, and encrypt."""
        self.place = place
        self._seal = seal
        self._told: set[str] = set()

    def __call__(self, found: Mapping[str, str]) -> Chosen:
        """One of `found`, sealed anew where the gateway's key was changed; a new one, where none can be opened.

        Raises OSError where the gateway's key is not to be had.
        """
        try:
            seal = self._seal()
            opened = {id: key for id, sealed in found.items() if (key := self._opened(seal, sealed)) is not None}
            key = next((opened[id] for id, sealed in found.items() if id in opened and seal.current(sealed)), None)
            if key is not None:
                return Chosen(key, "", None)
            key = next(iter(opened.values()), None) or secrets.token_bytes(32)
            sealed = seal.seal(base64.b64encode(key).decode(), self.place)
        except Unsealable as error:
            raise OSError(f"{self.place} cannot be encrypted: {error}") from error
        self._warn(sorted(found.keys() - opened.keys()))
        id = sealed.removeprefix(PREFIX).partition(":")[0]
        if id in found:
            raise OSError(f"the key of encrypted {self.place} that {id} has sealed is damaged; take it out there")
        return Chosen(key, id, sealed)

    def _warn(self, strange: list[str]) -> None:
        for id in strange:
            if id not in self._told:
                self._told.add(id)
                log.warning(
                    "%s that were encrypted with the key %s, which is not there, are as if they were not kept; "
                    "put it beside the one in use to have them",
                    self.place,
                    id[:8],
                )

    def _opened(self, seal: Seal, sealed: str) -> bytes | None:
        """None: another key has sealed it, or it is damaged. Raises KeyAway."""
        try:
            return base64.b64decode(seal.open(sealed, self.place))
        except KeyAway:
            raise
        except (Unsealable, ValueError):
            return None
