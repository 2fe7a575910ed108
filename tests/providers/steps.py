"""A host that answers one step after another, for tests of the providers that ask in several."""

import json

from dialects.listening import sent


class Host:
    """Implements core.ports.Upstream and the Response it gives. An answer is JSON's fields, or those with a status
    before them, or bytes; `proof` is the header line that must be in what the provider's own host is asked."""

    def __init__(self, proof, *answers):
        self.proof = proof
        self.answers = list(answers)
        self.asked = []
        self.origins = []
        self.closed = 0

    async def post(self, endpoint, body, headers=()):
        line, *lines = endpoint.head.decode().split("\r\n")
        data = body if body is None or isinstance(body, bytes) else await sent(body)
        self.asked.append((line.removesuffix(" HTTP/1.1"), data, dict(headers)))
        self.origins.append((endpoint.origin.host, self.proof in lines))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.status, self.fields = answer if isinstance(answer, tuple) else (200, answer)
        self.headers = [(b"content-type", b"image/jpeg" if isinstance(self.fields, bytes) else b"application/json")]
        return self

    def header(self, name):
        return dict(self.headers).get(name)

    async def read(self, limit):
        return self.fields if isinstance(self.fields, bytes) else json.dumps(self.fields).encode()

    def close(self):
        self.closed += 1
