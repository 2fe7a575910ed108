"""Made-up records of all kinds, and journals of them."""

import msgspec

from headgate.core.record import Attempt, Judgment, Record
from headgate.core.usage import Usage

START = 1_790_000_000.0


def made(number, chance):
    """A record as there are; some have nothing, some have everything."""
    pick = chance.choice
    status = pick((200, 200, 200, 429, 404, 502, 503, 0))
    usage = Usage(input=chance.randrange(2000), cache_read=pick((0, 7)), output=chance.randrange(500), reasoning=3)
    failed = Attempt(
        "openai/b", 0.5, error="provider_failed", usage=pick((None, usage)), cost=pick((None, "0.000000007"))
    )
    target = pick((None, "openai/a", "openai/b", "groq/a/b"))
    return Record(
        id=f"req_{number:026d}", time=START + chance.randrange(20_000) + chance.random(),
        key=pick((None, "k1", "k2")), organisation=pick((None, "acme")), team=pick((None, "red", "blue")),
        application=pick((None, "app")),
        user=pick((None, "ann", "bob")), end_user=pick((None, "x\0y", "e")),
        client=pick((None, "10.0.0.1")), dialect=pick((None, "openai_chat")), path="/v1/chat/completions",
        model=pick((None, "chat", "größer", "x" * 300)),
        tags=pick(([], ["a"], ["a", "b", "a"])), target=target, attempts=pick(([], [failed], [failed, failed])),
        stream=pick((True, False)), status=status, ending="complete" if status == 200 else pick(("failed", "refused")),
        error=None if status == 200 else "provider_failed", origin=pick(("gateway", "provider", None)),
        usage=pick((None, usage)), cost=pick((None, "0", "0.000123456", "12.5")), first_token=pick((None, 0.25)),
        saved=pick(({}, {"cache": "-0.000000005"}, {"cache": "0.25", "routing": "-0.000000003"})),
        duration=pick((0.0, 0.001, 1.5, 700.25)), shadow_of=pick((None, None, None, "req_other")),
        judgment=pick((None, None, None, Judgment(of="req_x", model="chat", target="openai/a"))),
    )  # fmt: skip


def written(folder, records, segments=3):
    """Into a journal of so many segments, by turns."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(segments):
        lines = [msgspec.json.encode(record) + b"\n" for record in records[number::segments]]
        with (folder / f"20260101T00000{number}.000Z-{number}-999999.jsonl").open("ab") as file:
            file.writelines(lines)
