"""Those who are told of alerts, as real servers: a web server that keeps what it is sent, a mailbox."""

import email
import email.policy
import json
import time
import warnings
from contextlib import contextmanager

from gateways import free_port
from upstreams import ScriptedUpstream, json_reply

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult


class Catcher(ScriptedUpstream):
    """Takes whatever it is sent; `refuse` answers the next requests with a status."""

    def __init__(self):
        super().__init__(self._answer)
        self.refusing = {}
        self._kept = []
        """What was taken, not what was refused."""

    def refuse(self, path, status, times=10**6):
        self.refusing[path] = [status, times]

    async def _answer(self, asked):
        left = self.refusing.get(asked.request.path)
        if left and left[1]:
            left[1] -= 1
            await asked.send(json_reply({"status": "no"}, status=left[0]))
            return
        self._kept.append(asked.request)
        await asked.send(json_reply({"status": "success"}, status=202))

    def got(self, path):
        """The bodies of what was taken at a path."""
        return [json.loads(request.body) for request in self._kept if request.path == path]

    def requests_at(self, path):
        return [request for request in self._kept if request.path == path]

    def wait(self, path, fits, seconds=15.0):
        """The first body at a path that fits."""
        until = time.monotonic() + seconds
        while True:
            found = [body for body in self.got(path) if fits(body)]
            if found:
                return found[0]
            assert time.monotonic() < until, f"nothing at {path} is so: {self.got(path)}"
            time.sleep(0.02)


class Mailbox:
    """Mail that an SMTP server took."""

    def __init__(self):
        self.mail = []
        self.logins = []
        self.port = 0

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mail.append((envelope.mail_from, envelope.rcpt_tos, mail))
        return "250 OK"

    def login(self, server, session, envelope, mechanism, data):
        said = (data.login.decode(), data.password.decode())
        self.logins.append(said)
        return AuthResult(success=said == ("alerts", "hunter three"), handled=False)


@contextmanager
def mailbox(tls=None):
    """An SMTP server; with STARTTLS and a login where it has a certificate (`tls`)."""
    box = Mailbox()
    options = {"tls_context": tls, "require_starttls": True, "auth_required": True, "authenticator": box.login}
    controller = Controller(box, hostname="127.0.0.1", port=free_port(), **(options if tls else {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()
