"""The one record of a request: what it was, where it went, what it used, how it ended."""

from __future__ import annotations

from typing import Literal

import msgspec

from headgate.core.chat import Loss
from headgate.core.decision import Decided
from headgate.core.guard import Verdict
from headgate.core.money import in_nano
from headgate.core.trace import Trace
from headgate.core.usage import Usage

Ending = Literal[
    "complete",  # the client was given the whole reply
    "failed",  # an error was given instead of a reply
    "refused",  # the gateway itself turned the request down (4xx, or 503 when full)
    "cut",  # the reply broke off after its first bytes
    "cancelled",  # the client went away
    "explained",  # the client asked where the request would go, and it went nowhere
]

HEDGED = "hedged"
"""The error of an attempt that another was faster than."""
FAULTY = "faulty"
"""The error of one whose answer was not as a policy wants it, so that the model was asked again."""


class Part(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One term of a cost: so much of a class, at the price of this name in US dollars (of classes of tokens, for a
    million; of hours, of what is counted in seconds, for 3,600; else for one)."""

    what: str
    quantity: int | float
    price_name: str
    price: str


class Attempt(msgspec.Struct, omit_defaults=True):
    """One call of one target. `seconds` from its start to its end or to the reply's first frame."""

    target: str
    seconds: float = 0.0
    status: int | None = None
    """What the provider answered; None where it did not."""
    error: str | None = None
    """The error's code, e.g. provider_timeout; None when it answered."""
    message: str | None = None
    credential: str | None = None
    """Which of the provider's keys, where it has several."""
    began: float | None = None
    """Seconds from the request's arrival to its start, where there are traces."""
    span: str | None = None
    """Under which the provider was told of the trace."""
    usage: Usage | None = None
    """Of an answer that the client was not given, as it was refused, faulty, judged too bad or too late, and another
    was; or of the part that was given before it broke off, where another target went on."""
    cost: str | None = None
    """Of that answer or part, US dollars."""
    cost_parts: list[Part] = []


class Judgment(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What a judge found of another request's answer."""

    of: str
    """The id of the request."""
    model: str
    """The name that it had asked for."""
    target: str
    """Who had answered."""
    score: float | None = None
    """From 0 to 1; None where the judge gave none."""


class Cached(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What the cache of answers had to do with a request."""

    how: Literal["hit", "semantic", "partial", "miss", "bypass", "coalesced", "stale", "refresh"]
    """`hit`: it was given an answer that was kept; `semantic`: one to a question that is like it; `partial`: a provider
    was asked for some of its inputs only; `coalesced`: it was given that of another request that asked the same at the
    same time; `miss`: a provider was asked; `bypass`: nothing was looked for, and its answer is not kept; `stale`: one
    that was kept and older than it was to be; `refresh`: nobody waited for it, as a stale one had been given."""
    key: str | None = None
    """What such an answer is kept under."""
    age: int | None = None
    """Of a hit or a stale one: seconds since that answer was asked for."""
    of: str | None = None
    """The id of the request that the answer was for."""
    usage: Usage | None = None
    """What that one had used, and this one spared."""
    similarity: float | None = None
    """Of the question that was most like it, where one was like enough: 1 is the same."""
    entry: str | None = None
    """Of a semantic hit: what its answer is kept under."""
    context: str | None = None
    """Of a semantic hit: among which questions it was looked for."""
    refused: str | None = None
    """Why that question's answer was not given: what the two do not agree about, or "verification"."""
    verified: Literal["same", "different", "unknown"] | None = None
    """What the model found that was asked whether one answer serves both."""
    inputs: int | None = None
    """Of embeddings: for how many of the inputs there was a vector."""


class Violated(msgspec.Struct, omit_defaults=True):
    """A clause that a request ran into."""

    clause: str
    mode: Literal["enforce", "monitor"] = "enforce"
    """`monitor`: nothing was forbidden."""
    target: str | None = None
    """Who was not to be given it; None: anybody."""


class Record(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One line of the journal. Times are Unix seconds, durations seconds, sizes bytes on the client's side."""

    id: str
    time: float
    key: str | None = None
    """The name of the caller's key, never the key."""
    organisation: str | None = None
    team: str | None = None
    application: str | None = None
    user: str | None = None
    """Whose the key is."""
    end_user: str | None = None
    """For whom the caller asks, as the request says."""
    data_class: str | None = None
    """Of what was said."""
    client: str | None = None
    """The caller's address."""
    dialect: str | None = None
    path: str = ""
    model: str | None = None
    """The model as the client asked for it."""
    effort: str | None = None
    """Of reasoning, as it stands behind the model's name."""
    tags: list[str] = []
    """The caller's own words for it."""
    target: str | None = None
    """provider/model that answered, or the last one tried."""
    attempts: list[Attempt] = []
    stream: bool = False
    status: int = 0
    ending: Ending = "complete"
    error: str | None = None
    message: str | None = None
    origin: Literal["gateway", "provider"] | None = None
    finish: str | None = None
    usage: Usage | None = None
    estimated: bool = False
    """The gateway counted what was used, or some of it, as the provider did not say it."""
    cost: str | None = None
    """US dollars, as an exact decimal, of the answer that was given; None where it is not known."""
    cost_parts: list[Part] = []
    """How it comes about: the sum of these, rounded once. What is known of it, where `cost` is not."""
    unpriced: str | None = None
    """Why `cost` is not known."""
    saved: dict[str, str] = {}
    """US dollars that would have been paid more: "cache" without the provider's cache of prompts, or, where `cached`
    says that nobody was asked, for the answer; "routing" at the first target of the alias. What was paid more is less
    than 0."""
    cached: Cached | None = None
    """Where answers are kept."""
    upstream_id: str | None = None
    first_token: float | None = None
    """Seconds from the request's arrival to the first piece of the answer (for a whole reply, to the reply)."""
    duration: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    lost: list[Loss] = []
    decision: Decided | None = None
    """Why this target."""
    counted: dict[str, int] = {}
    """What it came to for limits that last longer than a minute: counter to amount (of money, nanodollars)."""
    downgraded: str | None = None
    """The limit for whose sake another model was asked."""
    resumed: int = 0
    """How often the answer was continued by another target."""
    payload: Literal["redacted", "full", "dropped"] | None = None
    """How much of what was said is kept beside it; "dropped": there was no room."""
    shadow_of: str | None = None
    """The id of the request that this is a copy of, whose answer nobody was given."""
    judgment: Judgment | None = None
    """Of a question to a judge: whose answer it was about, and what he found."""
    sources: list[str] = []
    """What stages of one's own have put into it from elsewhere, by name."""
    guards: list[Verdict] = []
    """What guards found in it and in its answer."""
    guarded: float | None = None
    """Seconds that they took."""
    clauses: str | None = None
    """Where there are `clauses`, the version of all of them that it was looked at by."""
    violated: list[Violated] = []
    """Those that forbade it, or to give it to somebody."""
    instructed: list[str] = []
    """Whose system prompts were put before the conversation: `organisation acme`."""
    fingerprint: str | None = None
    """The same for requests whose bodies are the same, byte for byte, and that nobody else can compute."""
    prefix: str | None = None
    """Of a long body, the same for those that begin in the same way."""
    worker: int = 0
    trace: Trace | None = None
    """Where there are traces, and it is part of one."""

    @property
    def spared(self) -> bool:
        """It was given an answer for which nobody was asked on its account."""
        return self.cached is not None and self.cached.how in ("hit", "semantic", "coalesced", "stale")

    def spent(self) -> int | None:
        """Nanodollars, of the answer and of those that were not taken; None where none of it is known."""
        known = [in_nano(cost) for cost in (self.cost, *(each.cost for each in self.attempts)) if cost is not None]
        amounts = [amount for amount in known if amount is not None]
        return sum(amounts) if amounts else None
