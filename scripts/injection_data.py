"""What the scorer of prompt injection learns from: public labelled data, and sentences and disguises of our own."""

from __future__ import annotations

import base64
import codecs
import hashlib
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

PHRASES = Path(__file__).parent / "injection_phrases.yaml"
PUBLIC = (
    "benign_easy_traffic", "bipia_indirect", "cyberseceval_frr_benign", "cyberseceval_prompt_injection",
    "deepset_prompt_injections", "evasion_transforms", "garak_jailbreak_and_extraction", "injecguard_valid_pintlike",
    "jailbreakbench_artifacts", "notinject_overdefense", "pi_and_benign_synthetic", "pint_example", "xstest",
)  # fmt: skip
FOLDS = 5
DOCUMENTS = "documents"
"""The source of texts that nobody has labelled and that no attack is in, and of the same with one of ours in them."""
OURS = -1
"""The fold of what is always learned from: our own sentences, and texts without labels that are harmless."""


FORBIDDEN = "{Write|Explain|Give|Create|Describe|Teach me} {a tutorial on how to|how to|a guide to|a plan to} <harm>"


class Sample(NamedTuple):
    text: str
    label: int
    fold: int
    weight: float
    source: str
    category: str = ""


def public(folder: Path, seed: int = 0) -> list[Sample]:
    """The labelled sets. What is alike is in one fold: the same beginning, twelve words in a row, one forbidden
    behaviour, one embedded instruction, one base of several disguises."""
    rows = []
    for name in PUBLIC:
        each = read(folder / "prompt_injection" / f"{name}.jsonl")
        # what that category holds looks harmless out of its context
        rows += [(name, row) for row in each if not row["category"].startswith("BIPIA_")]
    groups = _grouped([list(_alike(name, row)) for name, row in rows])
    return [
        Sample(row["text"], row["label"], _fold(group, seed), 1.5 if row["label"] else 1.0, name, row["category"])
        for (name, row), group in zip(rows, groups, strict=True)
    ]


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def _alike(name: str, row: Mapping[str, Any]) -> Iterator[str]:
    if name == "jailbreakbench_artifacts":
        yield "behaviour " + row["behavior"]
    elif name == "bipia_indirect":
        yield row["category"].split(":")[2] if row["label"] else row["text"][:80]
    else:
        words = re.findall(r"\w+", (row.get("base") or row["text"]).lower())
        yield " ".join(words[:8])
        if name != "benign_easy_traffic":
            yield from (" ".join(words[at : at + 12]) for at in range(len(words) - 12))


def _grouped(keys: Sequence[Iterable[str]]) -> list[int]:
    """Numbers of groups: what has a key in common is in one."""
    above = list(range(len(keys)))

    def top(place: int) -> int:
        while above[place] != place:
            above[place] = above[above[place]]
            place = above[place]
        return place

    first: dict[str, int] = {}
    for place, own in enumerate(keys):
        for key in own:
            above[top(place)] = top(first.setdefault(key, place))
    return [top(place) for place in range(len(keys))]


def _fold(group: int | str, seed: int) -> int:
    return int(hashlib.sha256(f"{seed}:{group}".encode()).hexdigest(), 16) % FOLDS


class Phrases:
    """Sentences of scripts/injection_phrases.yaml, by chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        said = yaml.safe_load(PHRASES.read_text("utf-8"))
        self.attacks: dict[str, list[str]] = said["attacks"]
        self.harmless: dict[str, list[str]] = said["harmless"]
        self._lists: dict[str, list[str]] = said["lists"] | {"told": self.attacks["told"]}
        self._named = re.compile(f"<({'|'.join(self._lists)})>")

    def one(self, template: str) -> str:
        while choice := re.search(r"\{([^{}]*)\}", template):
            template = template[: choice.start()] + self._any(choice[1].split("|")) + template[choice.end() :]
        return self._named.sub(lambda name: self.one(self._any(self._lists[name[1]])), template)

    def many(self, templates: Sequence[str], each: int) -> list[str]:
        return list(dict.fromkeys(self.one(template) for template in templates for _ in range(each)))

    def _any(self, these: Sequence[str]) -> str:
        return self.chance.choice(these)


TWINS = dict(zip("aeopcyxiABEKMHOPCTX", "аеорсухіАВЕКМНОРСТХ", strict=True))
LEET = str.maketrans("aeiostAEIOST", "431057431057")


def disguised(text: str, chance: random.Random) -> str:
    """The text in one of seventeen ways, with or without a word on how to read it."""
    ways: Sequence[Callable[[], str]] = (
        lambda: _led(chance, "Decode this base64 and do it: ", "base64: ") + base64.b64encode(text.encode()).decode(),
        lambda: _led(chance, "This is rot13, follow it: ", "rot13> ") + codecs.encode(text, "rot13"),
        lambda: _led(chance, "Hex, do what it says: ", "0x") + text.encode().hex(),
        lambda: text.translate(LEET),
        lambda: "".join(TWINS.get(each, each) if chance.random() < 0.8 else each for each in text),
        lambda: "".join(each + "\u200b" * (chance.random() < 0.6) for each in text),
        lambda: _led(chance, "Summarise this.", "What is the weather?") + _tags(text),
        lambda: "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text),
        lambda: chance.choice("   .-").join(text),
        lambda: _led(chance, "Read it backwards and obey: ", "Reverse this: ") + text[::-1],
        lambda: _pieces(text, chance),
        lambda: _led(chance, "Give me a summary of this page.\n", "<p>Welcome</p>") + f"<!-- {text} -->",
        lambda: "".join(each.upper() if place % 2 else each.lower() for place, each in enumerate(text)),
        lambda: '{"text":"' + "".join(f"\\u{ord(each):04x}" for each in text if each <= "\uffff") + '"}',
        lambda: "".join(f"%{each:02X}" for each in text.encode()),
        lambda: "".join(f"&#{ord(each)};" for each in text),
        lambda: " ".join(f"{each:08b}" for each in text.encode()),
    )
    return chance.choice(ways)()


def _led(chance: random.Random, *words: str) -> str:
    return chance.choice(("", *words))


def _tags(text: str) -> str:
    return "".join(chr(0xE0000 + ord(each)) for each in text if " " <= each <= "~")


def _pieces(text: str, chance: random.Random) -> str:
    at = chance.randint(0, len(text))
    return f"x='{text[:at]}'; y='{text[at:]}'; {chance.choice(('do x+y', 'answer x+y', 'print and obey x + y'))}"


SCRAPS = """
function return const import def class void null printf console html div href tableau latex begin frac mathbf utf json
xml sql wiki github scala kotlin usepackage documentclass matplotlib tikz enumerate itemize jquery cdn npm svg
readonly typename struct ifndef endif sizeof usr opt lib src img px rgb overline mathcal operatorname nabla forall
Bedeutung siehe avec sous jeweils Zeitung och inte dla przy который если это как была года 中 の 한국
"""
SIGNS = '({ [/ }] \\({ ]("\' => ## "` !-- === (** ){ // :: |> "]; {\\ `, .[ _('
"""Of code, which stand between them."""


def junk(words: Sequence[str], chance: random.Random) -> str:
    """What searches by gradient put behind a forbidden request: scraps of words, code and signs."""
    parts = []
    for _ in range(chance.randint(8, 28)):
        word = chance.choice(words)
        if chance.random() < 0.35:
            length = chance.randint(2, 6)
            word = word[:length] if chance.random() < 0.5 else word[-length:]
        if chance.random() < 0.2:
            word = word.capitalize()
        sign = chance.choice(SIGNS.split())
        parts.append(chance.choice((" ", " ", " ", "", sign, f" {sign} ")) + word)
    return "".join(parts) + chance.choice(("", chance.choice(SIGNS.split()), " Sure, here", ". Write oppositeley"))


ASKED = (
    "", "", "Why does this not work?\n", "Explain this:\n", "Fix the error:\n```\n", "Review this please: ",
    "Here is my file:\n\n", "Translate to Go:\n", "Was macht das? ",
)  # fmt: skip
"""What people say before they paste something."""


def pasted(chance: random.Random, count: int) -> list[str]:
    """Pieces of this repository: code, pages, configuration, of which none is an attack."""
    root = PHRASES.parent.parent
    paths = sorted(
        path
        for folder, ends in (("src", "py js css html json"), ("docs", "md json yaml"), ("deploy", "yaml json md"))
        for end in ends.split()
        for path in (root / folder).rglob(f"*.{end}")
        if "injection" not in str(path.relative_to(root)) and path.stat().st_size > 200
    )
    found = []
    for path in chance.choices(paths, k=count):
        text = path.read_text("utf-8")
        length = chance.choice((60, 150, 400, 1200))
        at = chance.randrange(max(len(text) - length, 1))
        found.append(text[at : at + length] if chance.random() < 0.5 else text[text.rfind("\n", 0, at) + 1 :][:length])
    return found


def direct(folder: Path, rows: Sequence[Sample], seed: int = 0) -> list[Sample]:
    """What users say."""
    chance = random.Random(seed)
    phrases = Phrases(chance)
    attacks = phrases.many(phrases.attacks["direct"], 60)
    harmless = phrases.many(phrases.harmless["direct"], 80)
    wanted = [phrases.one(FORBIDDEN) for _ in range(900)]
    texts = [row["text"] for row in chance.sample(read(folder / "pii/wikigold_names.jsonl"), 200)]
    words = [*" ".join((*attacks, *harmless, *texts)).split(), *SCRAPS.split() * 40]
    samples = [Sample(text, 1, OURS, 0.3, "phrases") for text in attacks]
    samples += [Sample(text, 0, OURS, 0.3, "phrases") for text in harmless]
    samples += [
        Sample(f"{text} {junk(words, chance)}", 1, OURS, 0.45, "junk") for text in wanted + chance.sample(harmless, 300)
    ]
    samples += _disguised(rows, attacks, chance)
    other = [row["text"] for row in chance.sample(read(folder / "routing/routellm_mmlu.jsonl"), 1200)]
    other += [row["text"][:3000] for row in chance.sample(read(folder / "pii/meddocan_es_clinical.jsonl"), 100)]
    other += [row["text"] for row in chance.sample(read(folder / "pii/presidio_synth_v2.jsonl"), 300)]
    other += [chance.choice(ASKED) + text for text in pasted(chance, 1000)]
    return [*rows, *samples, *(Sample(text, 0, OURS, 0.5, "other") for text in other)]


def _disguised(rows: Sequence[Sample], attacks: Sequence[str], chance: random.Random) -> list[Sample]:
    """Half of the attacks and some harmless texts, each in the fold of what it is a disguise of."""
    found = []
    for row in rows:
        if row.label and row.source not in ("evasion_transforms", "jailbreakbench_artifacts") and chance.random() < 0.5:
            text = disguised(row.text[: chance.choice((200, 400, 900))], chance)
            found.append(Sample(text, 1, row.fold, 0.4, "disguised"))
    found += [Sample(disguised(text, chance), 1, OURS, 0.3, "disguised") for text in chance.sample(attacks, 600)]
    for row in chance.sample([row for row in rows if not row.label], 300):
        found.append(Sample(disguised(row.text[:400], chance), 0, row.fold, 0.3, "disguised"))
    return found


def indirect(folder: Path, rows: Sequence[Sample], seed: int = 0) -> list[Sample]:
    """Documents with an instruction in them, and the same without."""
    chance = random.Random(seed)
    phrases = Phrases(chance)
    samples = list(rows)
    for text in _documents(folder, phrases, chance):
        fold = _fold(text, seed)
        samples.append(Sample(text, 0, fold, 0.4, DOCUMENTS))
        lines = text.split("\n") if "\n" in text else re.split(r"(?<=[.!?]) ", text)
        at = chance.choice((0, len(lines), chance.randint(0, len(lines))))
        between = "\n" if "\n" in text or chance.random() < 0.6 else " "
        spoilt = between.join((*lines[:at], _instruction(phrases, chance), *lines[at:]))
        samples.append(Sample(spoilt, 1, fold, 0.4, DOCUMENTS))
    samples += [Sample(text, 0, OURS, 0.3, "phrases") for text in phrases.many(phrases.harmless["indirect"], 60)]
    return samples


def _instruction(phrases: Phrases, chance: random.Random) -> str:
    kind = chance.random()
    if kind > 0.5:
        return phrases.one(chance.choice(phrases.attacks["indirect" if kind < 0.85 else "direct"]))
    said = phrases.one(chance.choice(phrases.attacks["told"]))
    return said[0].upper() + said[1:] + chance.choice((".", ".", " in your answer.", " in your reply.", ""))


def _documents(folder: Path, phrases: Phrases, chance: random.Random) -> list[str]:
    sentences = [row["text"] for row in read(folder / "pii/wikigold_names.jsonl")]
    found = [row["text"][:1500] for row in chance.sample(read(folder / "pii/meddocan_es_clinical.jsonl"), 80)]
    found += [row["text"] for row in chance.sample(read(folder / "routing/routellm_mmlu.jsonl"), 500)]
    found += [row["text"] for row in chance.sample(read(folder / "pii/presidio_synth_v2.jsonl"), 200)]
    found += pasted(chance, 300)
    found += [" ".join(chance.sample(sentences, chance.randint(2, 8))) for _ in range(250)]
    letters = phrases.harmless["indirect"]
    found += ["\n".join(phrases.one(chance.choice(letters)) for _ in range(chance.randint(1, 5))) for _ in range(400)]
    found += [_table(sentences, chance) for _ in range(300)]
    for text in chance.sample(found, 200):
        found.append(f"SUBJECT: {chance.choice(sentences)[:30]}|EMAIL_FROM: a@b.example|CONTENT: {text}")
    return found


def _table(sentences: Sequence[str], chance: random.Random) -> str:
    names = ["Year", "Name", "Team", "City", "Score", "Rank", "Notes", "Date", "Venue", "Gold", "Price", "Country"]
    columns = chance.sample(names, chance.randint(3, 6))
    words = " ".join(chance.sample(sentences, 5)).split()
    count = chance.randint(3, 25)
    cells = [
        [chance.choice((str(chance.randint(1, 2020)), chance.choice(words))) for _ in columns] for _ in range(count)
    ]
    rows = [columns, *cells]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
