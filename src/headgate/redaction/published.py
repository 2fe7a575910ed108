"""Keys that their vendors print in their own documentation and samples: everybody has them, so they open nothing.

Digests stand here (BLAKE2b, eight bytes), so that nobody who looks for keys finds any in this file. One is added where
a page of the vendor, or a standard, shows it: `digest(b"…")`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

BY_PAGE: Mapping[str, Sequence[str]] = {
    "Google, in Firebase's samples, as gitleaks lists them: github.com/firebase/firebase-android-sdk": (
        "a667918ad80f14e8", "1eb23f4ff31fee4a", "4278860ad7c8919f", "7fa6fe73624d5bcb", "e8e6b794c8c91613",
        "81b4f6c06b09cbed", "1dbab3955ee24509", "71733bf44ea4212a", "6ada812c0c203722", "04720f8c5b48eb54",
        "e4576406f972acf1", "2331a06e46b6014b", "afd2f205ef556be9", "5a2e3466d7aa6d95", "b0d0f6e9ac73ad77",
    ),
    "Algolia, the search of npm's packages, in Yarn's programs: github.com/yarnpkg/berry/issues/6201": (
        "c8124856cec20160",
    ),
    "Stripe: docs.stripe.com/api/authentication, docs.stripe.com/get-started/development-environment": (
        "2e12236193731ba6", "826e0fd9a88ef5e1",
    ),
    "GitHub: docs.github.com/en/rest/apps/oauth-applications": (
        "c87e7d0454b975d9", "797efb586569f544", "0282aaeb1041c568",
    ),
    "Azure's emulators: learn.microsoft.com/azure/storage/common/storage-use-azurite, …/cosmos-db/emulator": (
        "20e88191d76dc156", "76449d3eb6d5ca57",
    ),
    "RFC 5849, 6749, 6750, 7009, 7617; TOTP: github.com/google/google-authenticator/wiki/Key-Uri-Format": (
        "c92204355aa1c098", "2893bbb23f2ed79f", "bf8bfbf6c62533dc", "eb764dd303d29e47", "81ebb7bf259aa1f9",
        "e6d1b65208cb54f6", "9a119b06a213486f", "fc9f94683b968d58", "11c38988238e0512", "cd5b49fcc80a6e3d",
        "c2945bcd936cf1d3", "fe29400357ab5967", "a05b8aa8899378c2", "29046caa9f097042",
    ),
    "RFC 7519; jwt.io": (
        "d00f82abf1761d33", "bc2b96d967bbb746",
    ),
}  # fmt: skip
KEYS = frozenset(each for digests in BY_PAGE.values() for each in digests)


def digest(key: bytes) -> str:
    return hashlib.blake2b(key, digest_size=8).hexdigest()


def published(key: bytes) -> bool:
    return digest(key) in KEYS
