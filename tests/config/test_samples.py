"""Every configuration in the README and the how-to pages is in order when it is pasted into a file of its own."""

import re
from pathlib import Path

import pytest
import trustme

from headgate.config.load import load
from headgate.redaction.fingerprints import Registry

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
PART = "# beside the providers, models and keys of your configuration\n"
"""The first line of what is no whole configuration: without it, a page's reader would start a gateway of nothing."""
ALONE = "there are no `providers`"


def samples(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


SAMPLES = [
    pytest.param(page, text, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, text in enumerate(samples(page, "yaml"), 1)
]


@pytest.mark.parametrize(("page", "text"), SAMPLES)
def test_a_sample_is_in_order(page, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, code in re.findall(r"^`(\w+\.py)`[^\n]*:\n\n```python\n(.*?)^```", page.read_text(), re.M | re.S):
        (tmp_path / name).write_text(code)
    if "mine.my_dialect" in text:
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "my_dialect.py").write_text("from headgate.dialects.openai_chat import *\n")
    if "cert.pem" in text:
        made = trustme.CA().issue_cert("127.0.0.1")
        made.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        made.private_key_pem.write_to_path(tmp_path / "key.pem")
    if "own.fingerprints" in text:
        Registry().save(tmp_path / "own.fingerprints")
    (tmp_path / "headgate.yaml").write_text(text)
    environ = {name: f"a-secret-of-good-length-{name}" for name in re.findall(r"\$\{(\w+)\}", text)}
    said = load(tmp_path / "headgate.yaml", environ).warnings
    warnings = [warning for warning in said if "expires on" not in warning]  # a sample's date comes nearer
    assert [warning for warning in warnings if ALONE not in warning] == []
    assert any(ALONE in warning for warning in warnings) == text.startswith(PART)


def test_there_are_samples():
    assert len(SAMPLES) > 15
