"""What the contract does for every host: addresses that hold the model, proofs made for each request, operations."""

import pytest

from headgate.core.errors import Unsupported
from headgate.dialects import anthropic_messages, openai_chat
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings


class ByModel(Provider):
    base_url = "https://host.example/v1?api-version=1"
    by_model = True

    def url(self, dialect, model, stream, fields):
        return self.under_base(f"/deployments/{model}{dialect.upstream_path}?x=1")


def target_of(endpoint):
    return endpoint.head.split(b"\r\n")[0].split()[1]


def test_an_address_may_hold_the_model():
    provider = ByModel("host", ProviderSettings())
    first = provider.endpoint(openai_chat, "a", False, {})
    assert target_of(first) == b"/v1/deployments/a/chat/completions?x=1&api-version=1"
    assert target_of(provider.endpoint(openai_chat, "b", False, {})).startswith(b"/v1/deployments/b/")
    assert provider.endpoint(openai_chat, "a", False, {}) is first


def test_addresses_that_clients_make_up_do_not_fill_the_memory():
    provider = ByModel("host", ProviderSettings())
    for number in range(2500):
        provider.endpoint(openai_chat, f"m{number}", False, {})
    assert len(provider._endpoints) <= 1000


def test_an_operation_it_does_not_serve_is_refused():
    embeddings = type("Embeddings", (), {"operation": "embeddings"})
    with pytest.raises(Unsupported, match="host serves no requests of this kind \\(embeddings\\)"):
        ByModel("host", ProviderSettings()).dialect_for(embeddings, "m")
    assert ByModel("host", ProviderSettings()).dialect_for(anthropic_messages, "m") is openai_chat
