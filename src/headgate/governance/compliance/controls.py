"""The controls of each law, by article, and what shows each; what a gateway cannot show says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from headgate.config.compliance import Law
from headgate.governance.compliance import checks
from headgate.governance.compliance.checks import Shown
from headgate.governance.compliance.facts import Facts


class Control(NamedTuple):
    article: str
    asks: str
    check: Callable[[Facts], Shown]


def beyond(why: str) -> Callable[[Facts], Shown]:
    """What no gateway shows."""
    return lambda _: Shown("not covered", why)


NAMES: Mapping[Law, str] = {
    "gdpr": "General Data Protection Regulation, (EU) 2016/679",
    "hipaa": "HIPAA Security and Privacy Rules, 45 CFR Part 164",
    "ccpa": "California Consumer Privacy Act, Cal. Civ. Code 1798.100 ff., and 11 CCR 7000 ff.",
}
CONTROLS: Mapping[Law, Sequence[Control]] = {
    "gdpr": (
        Control("Art. 5(1)(c)", "Data are limited to what is needed", checks.minimal),
        Control("Art. 5(1)(e)", "Data are kept no longer than needed", checks.limited),
        Control("Art. 5(1)(f), 32(1)(b)", "Integrity: what was written is as it was", checks.whole),
        Control("Art. 5(2), 24", "Who did what can be shown", checks.audited),
        Control("Art. 6, 7, 9, 13, 14", "Lawful basis, consent, information", beyond("yours to say to people")),
        Control("Art. 15, 20", "Access and portability", checks.given_out),
        Control("Art. 16", "Rectification", beyond("records are of what was; they are deleted, not rewritten")),
        Control("Art. 17", "Erasure", checks.erased),
        Control("Art. 18, 21", "Restriction, objection", beyond("a hold keeps data, it does not keep them from use")),
        Control("Art. 22", "No decision by a machine alone", beyond("what is done with answers is the applications'")),
        Control("Art. 25", "Protection by default", checks.minimal),
        Control("Art. 25, 28", "Processors (providers) are given no more than needed", checks.guarded),
        Control("Art. 28", "Processors (providers) are bound by contract", beyond("contracts are yours")),
        Control("Art. 30", "Records of processing activities", beyond("the gateway knows what was asked, not why")),
        Control("Art. 32(1)(a)", "Encryption where data are kept", checks.encrypted_at_rest),
        Control("Art. 32(1)(a)", "Encryption where data travel", checks.encrypted_on_its_way),
        Control("Art. 32(1)(b), 32(4)", "Only who is authorised gets in", checks.authorised),
        Control("Art. 32(1)(d)", "Security is looked at regularly", checks.secure),
        Control("Art. 33, 34", "Breaches are told", beyond("alerts help to notice one; to tell of it is yours")),
        Control("Art. 35", "Impact assessment", beyond("an assessment is people's work")),
        Control("Art. 44-49", "Data leave the EU only where they may", checks.where),
    ),
    "hipaa": (
        Control("164.308(a)(1)(ii)(A)", "Risk analysis", beyond("an analysis is people's work")),
        Control("164.308(a)(5)(ii)(C)", "Log-in monitoring", checks.logins_seen),
        Control("164.308(a)(7)", "Contingency plan, backups", beyond("copies of the databases are yours to make")),
        Control("164.308(b), 164.504(e)", "Business associates (providers) are bound", checks.where),
        Control("164.310", "Physical safeguards", beyond("machines and rooms are beyond a program")),
        Control("164.312(a)(1)", "Access control", checks.authorised),
        Control("164.312(a)(2)(i)", "Unique user identification", checks.named),
        Control("164.312(a)(2)(ii)", "Emergency access", beyond("keep the admin key where it is found then")),
        Control("164.312(a)(2)(iii)", "Automatic logoff", checks.logged_off),
        Control("164.312(a)(2)(iv)", "Encryption and decryption", checks.encrypted_at_rest),
        Control("164.312(b)", "Audit controls", checks.audited),
        Control("164.312(c)(1), (2)", "Integrity, and a mechanism to show it", checks.whole),
        Control("164.312(d)", "Person or entity authentication", checks.authorised),
        Control("164.312(e)(1), (2)", "Transmission security", checks.encrypted_on_its_way),
        Control("164.316(b)(2)(i)", "Documentation for six years", checks.six_years),
        Control("164.502(b)", "Minimum necessary", checks.minimal),
        Control("164.514(b)", "De-identification", checks.guarded),
        Control("164.524", "Access of individuals", checks.given_out),
        Control("164.404-410", "Breach notification", beyond("alerts help to notice one; to tell of it is yours")),
    ),
    "ccpa": (
        Control("1798.100(a)(3)", "How long data are kept is known", checks.limited),
        Control("1798.100(c)", "No more than reasonably necessary", checks.minimal),
        Control("1798.100(c)", "No more is shared than necessary", checks.guarded),
        Control("1798.100(e)", "Reasonable security", checks.secure),
        Control("1798.105", "Deletion", checks.erased),
        Control("1798.106", "Correction", beyond("records are of what was; they are deleted, not rewritten")),
        Control("1798.110, 1798.130", "Right to know", checks.given_out),
        Control("1798.100(d), 1798.140(ag)", "Service providers are bound by contract", checks.where),
        Control("1798.120, 121, 135", "Opting out of sale and sharing", beyond("the gateway knows of no sale")),
        Control("1798.150(a)(1)", "Encryption where data are kept", checks.encrypted_at_rest),
        Control("1798.150(a)(1)", "Encryption where data travel", checks.encrypted_on_its_way),
        Control("11 CCR 7101(a)", "Requests of consumers are on record for 24 months", checks.two_years),
        Control("11 CCR 7060-7062", "Who asks is verified", beyond("who asks for his data is verified by people")),
    ),
}  # fmt: skip
