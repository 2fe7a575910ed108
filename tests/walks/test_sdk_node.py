"""The vendors' JavaScript SDKs against the gateway: whole, streamed, two turns of tools, errors; each vendor behind.

npm fetches the SDKs once, by the lock file beside the scripts in node/, into the user's cache; the tests are skipped
where there is no npm or no registry. Each SDK is one process that does everything and reports what it got.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gateways import KEY
from upstreams import json_reply
from walks.vendors import WEATHER, Said, error_body, stream, whole

SCRIPTS = Path(__file__).parent / "node"
NODE = 20
"""The oldest Node that the SDKs run on."""
MODELS = {"openai": "chats", "responses": "answers", "anthropic": "anthropic", "gemini": "gemini"}
"""The model that a provider of each dialect has."""
VERCEL = {
    "responses": ("responses", "anthropic"),
    "chat": ("openai", "anthropic"),
    "anthropic": ("anthropic", "openai"),
    "compatible": ("openai", "gemini"),
}
"""Its providers, and the dialects that they are tried with: their own and another."""
WALKS = [(sdk, None, vendor) for sdk in ("openai_chat", "openai_responses", "anthropic", "google") for vendor in MODELS]
WALKS += [("vercel", api, vendor) for api, vendors in VERCEL.items() for vendor in vendors]
SORRY = "Overloaded, sorry."


@pytest.fixture(scope="session")
def packages():
    """The folder of node_modules; made once for each lock file, by whoever comes first."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        pytest.skip("no node or no npm on this machine")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < NODE:
        pytest.skip(f"node is {version}; the SDKs need {NODE}")
    lock = (SCRIPTS / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headgate-walks"
    folder = cache / hashlib.sha256(lock).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SCRIPTS / name, folder)
            install = [npm, "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--silent"]
            done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=300)
            if done.returncode:
                pytest.skip(f"npm could not fetch the SDKs: {done.stderr.strip()[-300:] or done.returncode}")
            (folder / "complete").touch()
    return folder / "node_modules"


@pytest.fixture
def walk(packages, gateway, tmp_path):
    """Starts the script of an SDK; gives its report."""
    for script in SCRIPTS.glob("*.mjs"):
        shutil.copy(script, tmp_path)  # modules are looked for beside the script
    (tmp_path / "node_modules").symlink_to(packages)

    async def walk(sdk, **given):
        arguments = json.dumps({"url": gateway.url, "key": KEY, **given})
        process = await asyncio.create_subprocess_exec(
            "node",
            f"{sdk}.mjs",
            arguments,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "NO_PROXY": "*"},
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, err.decode()
        return json.loads(out)

    return walk


PLACES = {
    "/v1/chat/completions": "openai",
    "/v1/responses": "responses",
    "/v1/messages": "anthropic",
    "/v1beta/models": "gemini",
}


async def answer(asked):
    """A provider that answers what it is asked: in its own words, as a stream or not, with calls or their outcome."""
    path, body = asked.request.path, asked.request.body.decode()
    [vendor] = [vendor for start, vendor in PLACES.items() if path.startswith(start)]
    streamed = json.loads(body).get("stream") is True or "streamGenerateContent" in path
    said = Said()
    if "What is the weather?" in body:
        told = "9:00" in body
        said = Said("It is 21 °C.") if told else Said("Let me look.", calls=WEATHER, stop="tools")
    if "Fail at once" in body:
        await asked.send(json_reply(error_body(vendor, 429, SORRY), status=429))
    elif "Fail in the middle" in body:
        await slowly(asked, stream(vendor, Said())[:8])
        asked.close()
    elif streamed:
        await slowly(asked, stream(vendor, said))
    else:
        await asked.send(whole(vendor, said))


async def slowly(asked, steps):
    """Each event reaches the gateway by itself."""
    for step in steps:
        await asked.play([step])
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(("sdk", "api", "vendor"), WALKS, ids=["-".join(filter(None, walk)) for walk in WALKS])
async def test_everything_an_sdk_does(walk, gateway, upstream, sdk, api, vendor):
    upstream.script = answer
    model = "responses" if vendor == "responses" and "responses" in (sdk.partition("_")[2], api) else MODELS[vendor]
    found = await walk(sdk, api=api, model=model)
    assert found["whole"] == {"text": Said().text, "usage": [100, 20]}
    assert found["streamed"].pop("pieces") > 3
    assert found["streamed"] == found["whole"]
    calls = [[name, json.loads(arguments)] for _, name, arguments in WEATHER]
    assert found["tools"] == {"calls": calls, "text": "It is 21 °C."}
    assert found["fails"]["status"] == 429
    assert SORRY in found["fails"]["message"]
    assert "answered" not in found["breaks"]
    records = gateway.records()[-6:]
    assert [record.get("ending", "complete") for record in records] == [*["complete"] * 4, "failed", "cut"]
