"""What servers of others answer: it has to be as they promise it, else the guard has failed."""

import asyncio
import json

import pytest

from headgate.core.errors import GuardUnavailable
from headgate.core.guard import Asked, Passage
from headgate.stages.guards.azure import Azure, AzureSettings
from headgate.stages.guards.bedrock import Bedrock, BedrockSettings
from headgate.stages.guards.judge import Judge, JudgeSettings
from headgate.stages.guards.moderation import Moderation, ModerationSettings
from headgate.stages.guards.presidio import Presidio, PresidioSettings
from headgate.stages.guards.webhook import Webhook, WebhookSettings
from together import together

URL = "http://127.0.0.1:9"
TEXT = "Acme pays ACME 12"


class Fake:
    """Implements Help, Upstream and a Response of it."""

    status, headers, kept = 200, (), False

    def __init__(self, said):
        self.said, self.asked = said, []
        self.upstream = self

    async def post(self, endpoint, body, headers=()):
        self.asked.append(json.loads(body))
        return self

    async def ask(self, about, fields, key=None):
        self.asked.append(fields)
        return await self.read(0)

    async def read(self, limit):
        said = self.said(self.asked[-1]) if callable(self.said) else self.said
        return said if isinstance(said, bytes) else json.dumps(said).encode()

    def close(self):
        pass


def azure(**more):
    return Azure(AzureSettings(endpoint=URL, api_key="k", **more))


def lists():
    return azure(harms={}, blocklists=["names"])


def shield():
    return azure(harms={}, shield=True)


def rail():
    return Bedrock(BedrockSettings(guardrail="abc", api_key="k", base_url=URL))


def people():
    return Presidio(PresidioSettings(url=URL))


def harm(**more):
    return Moderation(ModerationSettings(model="m", **more))


def judge():
    return Judge(JudgeSettings(model="m", rubric={"threat": "A threat."}))


def hook():
    return Webhook(WebhookSettings(url=URL))


def look(guard, said, *passages, kept=False):
    help = Fake(said)
    help.kept = kept
    passages = passages or (Passage(TEXT),)
    found = asyncio.run(guard.look(passages, Asked(help=help)))
    return [(each.category, each.action, passages[each.passage].text[each.start : each.end]) for each in found], help


def severities(*named):
    return {"blocklistsMatch": [], "categoriesAnalysis": [{"category": name, "severity": 0} for name in named]}


def verdict(text):
    return {"choices": [{"message": {"content": text}}]}


@together(
    ("made", "said"),
    [
        (azure, {}), (azure, severities("Hate", "Sexual", "Violence")), (azure, {"error": {"code": "x"}}),
        (azure, {"categoriesAnalysis": [{"category": "Hate"}]}), (lists, {}), (shield, {}),
        (shield, {"userPromptAnalysis": None, "documentsAnalysis": []}), (shield, {"userPromptAnalysis": {}}),
        (shield, {"documentsAnalysis": [{"attackDetected": False}]}),
        (rail, {}), (rail, {"message": "not found"}), (people, {}), (people, None), (people, [{"start": 0, "end": 4}]),
        (people, [{"entity_type": "PERSON", "start": 5, "end": 3}]),
        (people, [{"entity_type": "", "start": 0, "end": 3}]),
        (people, [{"entity_type": "PERSON", "start": -3, "end": 3}]),
        (people, [{"entity_type": "PERSON", "start": 0, "end": 99}]),
        (harm, {}), (harm, {"results": []}), (harm, {"results": [{}]}), (harm, {"results": [{"categories": {}}]}),
        (judge, verdict("")), (judge, verdict('{"1": []} fine')), (judge, verdict('{"1": ["threat"], "1": []}')),
        (judge, verdict('{"1": "threat"}')), (judge, verdict('{"1": ["other"]}')), (judge, verdict('{"2": []}')),
        (judge, {"choices": []}), (judge, verdict(None)),
        (hook, {}), (hook, {"findings": [{"passage": 0}]}), (hook, {"findings": [{"category": "joe@example.com"}]}),
        (hook, {"findings": [{"category": "a", "score": 2}]}), (hook, {"findings": [{"category": "a", "start": 99}]}),
        (hook, {"findings": [{"category": "a", "action": "explode"}]}), (hook, b"\xff"), (hook, b"[" * 100_000),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_failure(made, said):
    with pytest.raises(GuardUnavailable):
        look(made(), said)


def test_what_is_on_a_list_is_found_wherever_it_stands():
    match = {"blocklistName": "names", "blocklistItemId": "1", "blocklistItemText": "acme"}
    said = severities("Hate", "SelfHarm", "Sexual", "Violence") | {"blocklistsMatch": [match]}
    assert look(lists(), said)[0] == [("blocklist", None, "Acme"), ("blocklist", None, "ACME")]


@together(("harms"), [{"Hate": 0}, {"Hate": 3}, {"Hate": 8}, {"Harm": 4}])
def test_a_severity_that_azure_does_not_know_is_refused(harms):
    with pytest.raises(ValueError):
        AzureSettings(endpoint=URL, api_key="k", harms=harms)


def test_what_a_guardrail_says_of_all_of_it_counts():
    email = {"type": "EMAIL", "match": "Acme", "action": "NONE", "detected": True}
    other = {"type": "NAME", "match": "ACME", "action": "NONE", "detected": False}
    found = {"sensitiveInformationPolicy": {"piiEntities": [email, other], "regexes": []}}
    flagged = ("email", "flag", "Acme")
    assert look(rail(), {"action": "NONE", "assessments": [found]})[0] == [flagged]
    intervened = look(rail(), {"action": "GUARDRAIL_INTERVENED", "assessments": [found]})[0]
    assert intervened == [flagged, ("intervened", None, TEXT)]


def test_a_moderation_model_is_shown_long_texts_in_pieces():
    def said(asked):
        return {"results": [{"categories": {"harm": "bomb" in text}} for text in asked["input"]]}

    long = "x" * 12_000 + " bomb " + "y" * 100_000
    found, help = look(harm(), said, *(Passage(f"{number}") for number in range(40)), Passage(long))
    assert [(category, "bomb" in text) for category, _, text in found] == [("harm", True)]
    assert [len(each["input"]) for each in help.asked] == [32, 20]
    assert max(len(text) for each in help.asked for text in each["input"]) == 10_000


def test_what_a_moderation_model_does_not_name_is_found_all_the_same():
    assert look(harm(), {"results": [{"flagged": True, "categories": {"a": False}}]})[0] == [("flagged", None, TEXT)]
    scores = {"results": [{"categories": {"a": False}, "category_scores": {"b": 0.4}}]}
    assert look(harm(thresholds={"b": 0.3}), scores)[0] == [("b", None, TEXT)]


def test_a_judge_is_asked_about_few_texts_at_a_time():
    def said(asked):
        count = asked["messages"][1]["content"].count("</text-")
        return verdict(json.dumps({str(number): [] for number in range(1, count + 1)}))

    found, help = look(judge(), said, *(Passage(f"text {number}") for number in range(120)))
    assert (found, len(help.asked)) == ([], 3)


def test_a_secret_that_cannot_be_read_is_refused():
    with pytest.raises(ValueError, match="is not base64"):
        Webhook(WebhookSettings(url=URL, signing_secret="whsec_no base64"))


def test_texts_that_are_full_of_findings_are_not_kept():
    """Somebody may send thousands of them."""
    guard = people()
    for count, asked in ((100, [1, 0]), (101, [1, 1])):
        found = [{"entity_type": "PERSON", "start": 0, "end": 4}] * count
        passage = Passage(f"{TEXT} {count}")
        assert [len(look(guard, found, passage)[1].asked) for _ in range(2)] == asked


@together("made", [lists, shield, rail])
def test_clouds_are_not_shown_what_is_kept_from_providers(made):
    with pytest.raises(GuardUnavailable, match="is not internal"):
        look(made(), {}, kept=True)


def test_servers_of_ones_own_are():
    assert look(people(), [], kept=True)[1].asked
    assert look(hook(), {"findings": []}, kept=True)[1].asked
    ours = Azure(AzureSettings(endpoint=URL, api_key="k", harms={"Hate": 4}, internal=True))
    assert look(ours, severities("Hate"), kept=True)[1].asked
