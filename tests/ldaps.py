"""A directory that is not ours (ldaptor's), in a process of its own: in clear, with StartTLS, and over TLS.

Run as a program it is the server; its arguments are a file of entries (LDIF) and a PEM file with key and certificate.
"""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

ENTRIES = """\
dn: dc=acme
objectClass: dcObject
dc: acme

dn: ou=people,dc=acme
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=acme
objectClass: organizationalUnit
ou: groups

dn: ou=sandbox,dc=acme
objectClass: organizationalUnit
ou: sandbox

dn: cn=reader,dc=acme
objectClass: person
cn: reader
userPassword: reads a lot

dn: uid=ann,ou=people,dc=acme
objectClass: person
uid: ann
cn: Ann Example
mail: ann@acme.example
userPassword: ann's own password
memberOf: cn=Admins,ou=sandbox,dc=acme
memberOf: cn=Engineering, ou=groups, dc=acme

dn: uid=bob,ou=people,dc=acme
objectClass: person
uid: bob
cn: Bob (with * and \\\\ in his name)
userPassword: bob's own password

dn: uid=ann\\, the other,ou=people,dc=acme
objectClass: person
uid: ann, the other
cn: Ann Other
userPassword: the other password

dn: uid=twin,ou=people,dc=acme
objectClass: person
uid: twin
cn: Twin
userPassword: a twin's password

dn: uid=twin,ou=sandbox,dc=acme
objectClass: person
uid: twin
cn: Twin
userPassword: a twin's password

dn: cn=operations,ou=groups,dc=acme
objectClass: groupOfNames
cn: operations
member: uid=bob,ou=people,dc=acme
memberUid: someone

dn: cn=finance,ou=groups,dc=acme
objectClass: posixGroup
cn: finance
memberUid: ann, the other
"""


class Ldap:
    """A running server. In `clear` it has StartTLS as well."""

    def __init__(self, clear, tls):
        self.clear = f"ldap://127.0.0.1:{clear}"
        self.tls = f"ldaps://127.0.0.1:{tls}"


@contextlib.contextmanager
def ldap(folder: Path, pem: Path, entries=ENTRIES):
    file = folder / "entries.ldif"
    file.write_text(entries + "\n")
    process = subprocess.Popen([sys.executable, __file__, str(file), str(pem)], stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line, "the directory did not start"
        yield Ldap(*json.loads(line))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def serve(entries, pem):
    from ldaptor.inmemory import fromLDIFFile
    from ldaptor.interfaces import IConnectedLDAPEntry
    from ldaptor.protocols.ldap.ldapserver import LDAPServer
    from ldaptor.protocols.pureldap import LDAPExtendedResponse, LDAPStartTLSRequest
    from twisted.internet import reactor, ssl
    from twisted.internet.protocol import ServerFactory
    from twisted.python.components import registerAdapter

    certificate = ssl.PrivateCertificate.loadPEM(Path(pem).read_text()).options()

    class Server(LDAPServer):
        def extendedRequest_LDAPStartTLSRequest(self, _value, reply):  # ldaptor looks for it
            reply(LDAPExtendedResponse(resultCode=0, responseName=LDAPStartTLSRequest.oid))
            reactor.callLater(0, self.transport.startTLS, certificate)

        extendedRequest_LDAPStartTLSRequest.oid = LDAPStartTLSRequest.oid

    class Factory(ServerFactory):
        protocol = Server
        root = None

    registerAdapter(lambda factory: factory.root, Factory, IConnectedLDAPEntry)
    factory = Factory()

    def ready(root):
        factory.root = root
        clear = reactor.listenTCP(0, factory, interface="127.0.0.1")
        tls = reactor.listenSSL(0, factory, certificate, interface="127.0.0.1")
        print(json.dumps([clear.getHost().port, tls.getHost().port]), flush=True)

    with Path(entries).open("rb") as file:
        fromLDIFFile(file).addCallback(ready).addErrback(lambda failure: (failure.printTraceback(), reactor.stop()))
        reactor.run()


if __name__ == "__main__":
    serve(*sys.argv[1:])
