"""Deepgram: its key's header, and a file as the body."""

from dialects.listening import DATA, listened, sent
from headgate.dialects import deepgram_listen
from headgate.providers.deepgram import Deepgram
from headgate.providers.settings import ProviderSettings
from providers.test_contract import Recorded, exchange


async def test_where_it_is_asked():
    host = Deepgram("deepgram", ProviderSettings(api_key="dg-0123456789abcdef"))
    asked = exchange(host, deepgram_listen)
    asked.outgoing = deepgram_listen.write_request(listened(model="nova-3", language="de"), [])
    upstream = Recorded()
    await host.send(asked, upstream)
    lines = upstream.endpoint.head.decode().split("\r\n")
    assert lines[0] == "POST /v1/listen?model=nova-3&smart_format=true&language=de HTTP/1.1"
    assert "host: api.deepgram.com" in lines
    assert "authorization: Token dg-0123456789abcdef" in lines
    assert upstream.passed == [(b"content-type", b"audio/wav")]
    assert await sent(upstream.sent) == DATA
