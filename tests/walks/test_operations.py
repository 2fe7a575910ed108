"""Operating a gateway: start, stop, drain, hand over, several workers, its own listeners, TLS."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import openai
import pytest
import trustme

import headgate
from gateways import ADMIN_KEY, KEY, Gateway, config_for, free_port, rounds, running
from traffic import Traffic, answering, whole
from upstreams import ScriptedUpstream, Sleep
from waiting import wait_for

QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}
ADMIN = {"authorization": f"Bearer {ADMIN_KEY}"}
NOBODY = {"OLLAMA_HOST": "127.0.0.1:9"}
"""No Ollama answers there."""

HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""
"""What systemd does before it starts a service that has sockets."""


@pytest.fixture
def upstream():
    with ScriptedUpstream(answering()) as started:
        yield started


def ask_slowly(gateway, answers, **body):
    """A thread that asks and puts (status, headers, body) into `answers`."""
    thread = threading.Thread(target=lambda: answers.append(gateway.post({**QUESTION, **body})), daemon=True)
    thread.start()
    return thread


class TestStart:
    def test_the_first_answer(self, tmp_path, upstream):
        with running(tmp_path, config_for(upstream.url), fresh=True) as gateway:
            status, headers, body = gateway.post(QUESTION)
        assert status == 200
        assert body["choices"][0]["message"]["content"] == "Hello"
        assert gateway.records(1, id=headers["x-request-id"], ending="complete")
        assert f"Headgate 0.1.0 on http://127.0.0.1:{gateway.port}" in gateway.output()

    @pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
    def test_the_printed_curl_line_works_when_pasted(self, tmp_path):
        gateway = Gateway(tmp_path, None, environ=NOBODY, arguments=["--port", str(free_port())], fresh=True)
        gateway.port = int(gateway.arguments[1])
        del gateway.environ["HEADGATE_ADMIN_KEY"]
        gateway.start()
        try:
            [line] = [line for line in gateway.output().splitlines() if line.startswith("curl ")]
            done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=20, check=True)
            assert "simulated" in json.loads(done.stdout)["choices"][0]["message"]["content"]
            [shown] = [line for line in gateway.output().splitlines() if "shown this once" in line]
            key = shown.rpartition(" ")[2]
            assert gateway.post(QUESTION, key=key)[0] == 200
        finally:
            assert gateway.stop() == 0
        # The key is shown at the first start only, and only its hash is kept
        gateway.start()
        assert gateway.stop() == 0
        assert gateway.output().count(key) == 2  # the line that shows it, and the curl line
        kept = [path for path in (tmp_path / ".headgate").rglob("*") if path.is_file()]
        assert kept
        assert not [path for path in kept if key.encode() in path.read_bytes()]

    def test_a_key_in_the_environment_is_a_provider(self, tmp_path):
        port = free_port()
        with running(
            tmp_path, None, port=port, arguments=["--port", str(port)], environ={**NOBODY, "OPENAI_API_KEY": "sk-x" * 8}
        ) as gateway:
            status, _, body = gateway.get("/v1/models", ADMIN)
            assert (status, [model["id"] for model in body["data"]]) == (200, ["chat"])
        assert "openai: OPENAI_API_KEY is set." in gateway.output()
        assert "`chat` stands for openai/" in gateway.output()
        assert "simulator" not in gateway.output()
        assert "sk-x" not in gateway.output()

    def test_without_anything_it_is_the_simulator_and_says_so(self, tmp_path):
        port = free_port()
        with running(tmp_path, None, port=port, arguments=["--port", str(port)], environ=NOBODY) as gateway:
            status, headers, body = gateway.post(QUESTION, key=ADMIN_KEY)
        assert (status, headers["x-headgate-simulated"]) == (200, "true")
        assert "simulated" in body["choices"][0]["message"]["content"]
        assert "its answers are made up" in gateway.output()

    def test_arguments_win_over_the_file(self, tmp_path, upstream):
        port = free_port()
        arguments = ["--port", str(port), "--host", "localhost", "--workers", "2", "--data-dir", "elsewhere"]
        gateway = Gateway(tmp_path, config_for(upstream.url), arguments=arguments)
        configured, gateway.port, gateway.data = gateway.port, port, tmp_path / "elsewhere"
        gateway.start()
        try:
            assert gateway.post(QUESTION)[0] == 200
            gateway.records(1)
            assert not (tmp_path / "data").exists()
            until = time.monotonic() + 20
            while not gateway.metric("process_start_time_seconds", worker="1"):
                assert time.monotonic() < until, "there is no second worker"
                time.sleep(0.05)
            with pytest.raises(OSError):
                socket.create_connection(("127.0.0.1", configured), timeout=1)
        finally:
            assert gateway.stop() == 0

    def test_a_taken_port_is_one_clear_line(self, tmp_path, upstream):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            gateway = Gateway(tmp_path, config_for(upstream.url), port=taken.getsockname()[1]).start(wait=False)
            assert gateway.process.wait(20) == 1
        [line] = gateway.output().splitlines()
        assert line.startswith(f"headgate: 127.0.0.1:{gateway.port}: cannot listen there (Address already in use)")
        assert "another gateway" in line
        assert "--port" in line

    @pytest.mark.parametrize(
        ("server", "told"),
        [
            ("host: 192.0.2.1", "check server.host"),
            ("host: 127.0.0.1, admin: {host: 192.0.2.1, port: 9}", "check server.admin.host"),
        ],
    )
    def test_an_address_of_no_machine_here_is_told(self, tmp_path, server, told):
        config = config_for("http://127.0.0.1:9").replace("host: 127.0.0.1", server)
        gateway = Gateway(tmp_path, config).start(wait=False)
        assert gateway.process.wait(20) == 1
        [line] = gateway.output().splitlines()
        assert "cannot listen there" in line
        assert told in line
        assert "another gateway" not in line

    def test_the_greeting_says_what_was_taken_and_which_key_it_is(self, tmp_path, upstream):
        with running(tmp_path, config_for(upstream.url)) as gateway:
            said = gateway.output()
        assert f"configuration: {gateway.config.name}\n" in said
        assert "providers: openai, anthropic, simulator; models: chat, claude, sim\n" in said
        assert "data: data\n" in said
        assert '"authorization: Bearer $HEADGATE_ADMIN_KEY"' in said
        assert "first start" not in said

    @pytest.mark.parametrize(
        ("extra", "told"),
        [
            ("retrry: {attempts: 2}\n", ["headgate.yaml:14:", "retrry", "did you mean `retry`"]),
            ("retry: {attempts: many}\n", ["headgate.yaml:14:", "retry.attempts"]),
            ("retry: {attempts: 2\n", ["headgate.yaml:"]),
            ("log: {level: '${NOT_SET_ANYWHERE}'}\n", ["headgate.yaml:14:", "NOT_SET_ANYWHERE"]),
            ("stages: [{use: 'no_such_module:Stage'}]\n", ["headgate.yaml:14:", "no_such_module"]),
        ],
    )
    def test_a_bad_configuration_is_told_with_its_line(self, tmp_path, extra, told):
        gateway = Gateway(tmp_path, config_for("http://127.0.0.1:9", extra)).start(wait=False)
        assert gateway.process.wait(20) == 2
        assert "Traceback" not in gateway.output()
        for words in told:
            assert words in gateway.output()

    def test_a_data_dir_that_is_a_file_is_told(self, tmp_path, upstream):
        (tmp_path / "data").write_text("")
        gateway = Gateway(tmp_path, config_for(upstream.url)).start(wait=False)
        assert gateway.process.wait(20) in (1, 2)
        assert "Traceback" not in gateway.output()
        assert "data" in gateway.output()


def entries(gateway):
    """The log's JSON lines; the greeting is none."""
    return [json.loads(line) for line in gateway.output().splitlines() if line.startswith("{")]


class TestLog:
    def test_serving_stopping_stopped(self, tmp_path):
        with ScriptedUpstream(answering(wait=0.6)) as upstream:
            gateway = Gateway(tmp_path, config_for(upstream.url)).start()
            asking = ask_slowly(gateway, [])
            wait_for(lambda: upstream.requests)
            gateway.signal(signal.SIGINT)
            gateway.says("stopping: 1 request under way, up to 60 s; a second signal stops at once")
            asking.join(10)
            assert gateway.process.wait(10) == 0
        told = [(entry["level"], entry["message"]) for entry in entries(gateway)]
        assert told[0] == ("info", f"serving on http://127.0.0.1:{gateway.port}")
        assert told[-1] == ("info", "stopped")
        assert len(told) == 3

    def test_debug_says_one_line_per_request(self, tmp_path):
        config = config_for("http://127.0.0.1:9", "retry: {attempts: 1}\nlog: {level: debug}\n")
        with running(tmp_path, config) as gateway:
            asked = (("sim", KEY), ("chat", KEY), ("chat", "hg-wrong-key-0123456789"))
            ids = [gateway.post({**QUESTION, "model": model}, key=key)[1]["x-request-id"] for model, key in asked]
            wait_for(lambda: ids[-1] in gateway.output())
            told = [entry for entry in entries(gateway) if "request_id" in entry]
            assert [entry["request_id"] for entry in told] == ids
            assert [(entry["status"], entry["ending"]) for entry in told] == [
                ("200", "complete"), ("502", "failed"), ("401", "refused"),
            ]  # fmt: skip
            assert (told[1]["model"], told[1]["target"]) == ("chat", "openai/gpt-4o-mini")
            assert (told[1]["error"], told[1]["origin"]) == ("provider_unreachable", "provider")
            assert {entry["level"] for entry in told} == {"debug"}
            assert "Hello" not in "".join(map(str, told))
            assert "wrong-key" not in gateway.output()
            gateway.change(config.replace("debug", "info"))
            gateway.says("the configuration was reloaded")
            last = gateway.post(QUESTION)[1]["x-request-id"]
            gateway.records(1, id=last)
        assert last not in gateway.output()

    def test_a_refusal_by_the_http_server_goes_by_one_id(self, tmp_path):
        with running(tmp_path, config_for("http://127.0.0.1:9", "log: {level: debug}\n")) as gateway:
            with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as sock:
                sock.sendall(b"POST /v1/messages HTTP/1.1\r\n\r\n")
                answer = http.client.HTTPResponse(sock, method="POST")
                answer.begin()
                body = json.loads(answer.read())
            id = answer.headers["x-request-id"]
            assert answer.status == 400
            assert (body["request_id"], answer.headers["request-id"]) == (id, id)
            assert gateway.record_of(id)["status"] == 400
            gateway.says(id)


class TestDrain:
    def test_what_is_under_way_finishes(self, tmp_path):
        with ScriptedUpstream(answering(wait=0.6, pause=0.15)) as upstream:
            gateway = Gateway(tmp_path, config_for(upstream.url, server=", drain_delay: 0.4")).start()
            kept = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
            kept.request("GET", "/readyz")
            first = kept.getresponse()
            assert (first.status, first.read(), first.getheader("connection")) == (200, b"ready\n", None)
            answers = []
            threads = [ask_slowly(gateway, answers, stream=stream) for stream in (False, True)]
            wait_for(lambda: len(upstream.requests) == 2)
            gateway.signal(signal.SIGTERM)
            wait_for(lambda: gateway.get("/readyz")[0] == 503)
            kept.request("GET", "/readyz")
            second = kept.getresponse()
            assert (second.status, second.read(), second.getheader("connection")) == (503, b"draining\n", "close")
            kept.close()
            for thread in threads:
                thread.join(20)
            assert gateway.process.wait(20) == 0
        assert sorted(status for status, _, _ in answers) == [200, 200]
        [streamed] = [body for _, _, body in answers if isinstance(body, bytes)]
        assert streamed.endswith(b"data: [DONE]\n\n")
        assert [record["status"] for record in gateway.records(2, ending="complete")] == [200, 200]
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", gateway.port), timeout=1)

    def test_a_second_sigterm_stops_at_once(self, tmp_path):
        with ScriptedUpstream(answering(wait=30)) as upstream:
            gateway = Gateway(tmp_path, config_for(upstream.url)).start()
            asking = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
            asking.request("POST", "/v1/chat/completions", json.dumps(QUESTION), {"authorization": f"Bearer {KEY}"})
            wait_for(lambda: upstream.requests)
            gateway.signal(signal.SIGTERM)
            time.sleep(0.3)
            assert gateway.process.poll() is None
            gateway.signal(signal.SIGTERM)
            assert gateway.process.wait(10) == 1
            with contextlib.closing(asking):
                answer = asking.getresponse()
                assert (answer.status, answer.getheader("x-headgate-error-code")) == (503, "gateway_overloaded")
        [record] = gateway.records(1)
        assert (record["status"], record["ending"], record["origin"]) == (503, "refused", "gateway")
        assert "Traceback" not in gateway.output()

    @pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
    def test_the_drains_end_cuts_with_an_honest_error(self, tmp_path, path):
        with ScriptedUpstream(answering(pause=5)) as upstream:
            gateway = Gateway(tmp_path, config_for(upstream.url, server=", drain_timeout: 0.5")).start()
            answers = []
            body = {**QUESTION, "stream": True, "max_tokens": 10}
            thread = threading.Thread(target=lambda: answers.append(read_on(gateway.port, path, body)))
            thread.start()
            wait_for(lambda: upstream.requests)
            time.sleep(0.3)
            gateway.signal(signal.SIGTERM)
            assert gateway.process.wait(10) == 1
            thread.join(10)
        [(head, frames)] = answers
        assert head.startswith(b"HTTP/1.1 200")
        assert b"gateway_overloaded" in frames
        assert b"shutting down" in frames
        [record] = gateway.records(1)
        assert (record["ending"], record["origin"], record["error"]) == ("cut", "gateway", "gateway_overloaded")

    def test_restarts_under_load_fail_no_request(self, tmp_path, upstream):
        """R6: the successor takes the listening socket over, as systemd hands it out."""
        restarts = rounds(2, 50)
        with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
            port = listener.getsockname()[1]
            gateways = [handed(tmp_path, upstream, listener)]
            with Traffic(port, clients=4, rate=rounds(150, 400)) as traffic:
                for _ in range(restarts):
                    traffic.wait_for(rounds(40, 2000))
                    gateways.append(handed(tmp_path, upstream, listener))
                    traffic.wait_for(5)
                    assert gateways[-2].stop() == 0
                traffic.wait_for(20)
            assert gateways[-1].stop() == 0
        assert not traffic.failures[:5]
        answered = {answer.id for answer in traffic.answers}
        assert len(answered) == len(traffic.answers)
        recorded = [record["id"] for record in gateways[-1].records(ending="complete")]
        assert sorted(recorded) == sorted(answered)


def read_on(port, path, body):
    """Head and the rest of an answer, until the server closes."""
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: {len(data)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(head.encode() + data)
        got = b""
        with contextlib.suppress(ConnectionError):
            while piece := sock.recv(65536):
                got += piece
    head, _, rest = got.partition(b"\r\n\r\n")
    return head, rest


def handed(folder, upstream, listener):
    """A gateway that serves on a socket it was given, when its readiness says that it does."""
    gateway = Gateway(folder, config_for(upstream.url), port=listener.getsockname()[1])
    command = [sys.executable, "-m", "headgate", "serve", "--config", str(gateway.config)]
    fd = listener.fileno()
    before = gateway.output().count("Headgate ") if gateway.log.exists() else 0
    with gateway.log.open("ab") as log:
        gateway.process = subprocess.Popen(
            [sys.executable, "-c", HAND_OVER, str(fd), *command],
            stdout=log, stderr=log, env=gateway.environ, cwd=folder, pass_fds=(fd,),
        )  # fmt: skip
    gateway.says("Headgate ", before + 1)
    return gateway


class TestWorkers:
    def test_two_serve_count_together_and_one_that_dies_is_replaced(self, tmp_path, upstream):
        with running(tmp_path, config_for(upstream.url, server=", workers: 2")) as gateway:

            def both():
                with Traffic(gateway.port, clients=8) as traffic:
                    traffic.wait_for(24)
                assert not traffic.failures
                asked.extend(answer.id for answer in traffic.answers)
                return {record.get("worker", 0) for record in gateway.records()} == {0, 1}

            asked = []
            wait_for(both)
            wait_for(lambda: gateway.metric("headgate_requests_total") == len(asked))
            assert gateway.metric("headgate_tokens_total", **{"class": "input"}) == len(asked)
            admin = {"authorization": f"Bearer {ADMIN_KEY}"}
            for target in gateway.get("/admin/api/targets", admin)[2]["targets"]:
                assert target["circuit"]["in_workers"] == {"closed": 2}

            [victim, other] = children(gateway.process.pid)
            os.kill(victim, signal.SIGKILL)
            gateway.says(f"(process {victim}) was killed by SIGKILL: replaced in 0.1 s")
            alive = [gateway.post(QUESTION) for _ in range(10)]
            assert {status for status, _, _ in alive} == {200}
            asked += [headers["x-request-id"] for _, headers, _ in alive]
            [left, new] = wait_for(lambda: two(children(gateway.process.pid)))
            assert other in (left, new)
            assert victim not in (left, new)
            wait_for(lambda: gateway.metric("headgate_requests_total") == len(asked))
            assert both()
        told = entries(gateway)
        # Parent and workers alike write JSON, after the greeting and nothing else
        assert gateway.output().partition("\n{")[2].count("\n{") == len(told) - 1
        assert {entry.get("worker") for entry in told if entry["message"].startswith("serving on")} == {"0", "1"}
        [killed] = [entry for entry in told if "SIGKILL" in entry["message"]]
        assert (killed["level"], killed.get("worker")) == ("error", None)
        assert told[-1]["message"] == "stopped"
        printed = [json.loads(line) for line in gateway.told_by("records", "--json").splitlines()]
        assert sorted(record["id"] for record in printed) == sorted(asked)
        assert {record.get("worker", 0) for record in printed} == {0, 1}

    def test_all_of_them_drain(self, tmp_path):
        with ScriptedUpstream(answering(wait=0.5)) as upstream:
            gateway = Gateway(tmp_path, config_for(upstream.url, server=", workers: 2")).start()
            answers = []
            threads = [ask_slowly(gateway, answers, stream=number % 2 == 0) for number in range(8)]
            wait_for(lambda: len(upstream.requests) == 8)
            assert gateway.stop() == 0
            for thread in threads:
                thread.join(10)
        assert [status for status, _, _ in answers] == [200] * 8
        assert len(gateway.records(8, ending="complete")) == 8

    def test_reloads_reach_all_of_them(self, tmp_path, upstream):
        with running(tmp_path, config_for(upstream.url, server=", workers: 2")) as gateway:
            gateway.change(config_for(upstream.url, server=", workers: 2").replace("  chat: ", "  other: "))
            gateway.says("the configuration was reloaded", 2)
            reloaded = [entry["worker"] for entry in entries(gateway) if "was reloaded" in entry["message"]]
            assert sorted(reloaded) == ["0", "1"]
            assert {gateway.post({**QUESTION, "model": "other"})[0] for _ in range(10)} == {200}
            assert {gateway.post(QUESTION)[0] for _ in range(10)} == {404}


def two(found):
    return found if len(found) == 2 else None


def children(pid):
    return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


class TestListeners:
    def test_metrics_and_probes_on_a_listener_of_their_own(self, tmp_path, upstream):
        port = free_port()
        with running(tmp_path, config_for(upstream.url, server=f", admin: {{port: {port}}}")) as gateway:
            assert gateway.post(QUESTION)[0] == 200
            assert gateway.get("/metrics")[0] == 404
            assert gateway.get("/readyz")[0] == 200
            gateway_port, gateway.port = gateway.port, port
            assert gateway.metric("headgate_requests_total", status="200") == 1
            assert gateway.get("/readyz")[:1] == (200,)
            assert gateway.get("/livez")[:1] == (200,)
            status, _, body = gateway.post(QUESTION)
            gateway.port = gateway_port
            assert status == 404, body
            assert len(upstream.requests) == 1

    @pytest.mark.parametrize(
        ("access", "expected"), [("open", (200, 200, 200)), ("key", (401, 403, 200)), ("off", (404, 404, 404))]
    )
    def test_who_may_read_the_metrics(self, tmp_path, upstream, access, expected):
        with running(tmp_path, config_for(upstream.url, server=f", metrics: {access}")) as gateway:
            keys = ({}, {"authorization": f"Bearer {KEY}"}, ADMIN)
            assert tuple(gateway.get("/metrics", headers)[0] for headers in keys) == expected

    async def test_https_with_the_openai_sdk(self, tmp_path, upstream):
        authority = trustme.CA()
        made = authority.issue_cert("127.0.0.1", "localhost")
        made.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
        made.private_key_pem.write_to_path(tmp_path / "key.pem")
        trust = ssl.create_default_context()
        authority.configure_trust(trust)
        server = ", tls: {cert: cert.pem, key: key.pem}"
        with running(tmp_path, config_for(upstream.url, server=server), trust=trust) as gateway:
            assert f"on https://127.0.0.1:{gateway.port}" in gateway.output()
            client = openai.OpenAI(
                base_url=f"{gateway.url}/v1", api_key=KEY, http_client=httpx2.Client(verify=trust, trust_env=False)
            )
            with client:
                said = client.chat.completions.create(**QUESTION)
                assert said.choices[0].message.content == "Hello"
                stream = client.chat.completions.create(**QUESTION, stream=True)
                assert "".join(piece.choices[0].delta.content or "" for piece in stream) == "Hello word word word word"
            with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as plain:
                plain.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
                with contextlib.suppress(ConnectionError):
                    assert b"200" not in plain.recv(1024)
            assert gateway.get("/livez")[0] == 200

    def test_a_certificate_that_is_not_there_is_told(self, tmp_path, upstream):
        config = config_for(upstream.url, server=", tls: {cert: none.pem, key: none.pem}")
        gateway = Gateway(tmp_path, config).start(wait=False)
        assert gateway.process.wait(20) in (1, 2)
        assert "Traceback" not in gateway.output()
        assert "none.pem" in gateway.output()


class TestClock:
    """R19, as far as it can be had without setting the machine's clock: timeouts stand on the monotonic one.

    What is tested: that no deadline, timeout or drain reads the wall clock, by a look at the source; ids rise when it
    steps back (tests/core/test_ids.py). What is not: a whole run under a jumping clock, which needs libfaketime or
    CAP_SYS_TIME on a machine of one's own.
    """

    def test_the_wall_clock_is_read_for_records_and_dates_only(self):
        source = Path(headgate.__file__).parent
        allowed = {
            "admin",  # until when answers are kept, and logins last
            "cli/guards.py",  # from when on records are looked at
            "alerts",  # when something was told, and signatures
            "core/ids.py",  # names of requests; they rise all the same
            "core/limits/ledger.py",  # windows of the calendar
            "core/question.py",  # a record's time
            "governance",  # until when data is kept, and when it was deleted
            "journal/segments.py",  # names of files
            "providers/bedrock.py",  # the date in a signature
            "providers/provider.py",  # the date until which a limit is used up, in Anthropic's headers
            "providers/simulator/__init__.py",  # `created` of an answer
            "records",  # how old records are, names of files, signatures
            "runtime/gateway.py",  # whether a key has expired
            "server/app.py",  # a record's time
            "server/clearing.py",  # up to when answers were asked for that are taken out
            "server/drain.py",  # how old the records are that the database lacks
            "server/notes.py",  # when a note is out of date
            "server/keeper.py",  # for how long a process beside the gateway has been dead
            "server/parts.py",  # a record's time, and when the server started
            "server/payloads.py",  # how old what was said is that the database lacks
            "server/sinks.py",  # how old the records are that a sink lacks
            "server/verdicts.py",  # when an answer was reported
            "stages/guard/outside.py",  # whether the key of who is asked has expired
            "stages/guard/sessions.py",  # when values were put into a vault that is cleared by age
            "stages/guards/bedrock.py",  # the date in a signature
            "stages/guards/webhook.py",  # the same
            "store/signing.py",  # when a checkpoint was signed
            "telemetry/metrics.py",  # when the configuration was loaded
        }
        found = {
            path.relative_to(source).as_posix()
            for path in source.rglob("*.py")
            if "time.time(" in path.read_text() or "time.time_ns(" in path.read_text()
        }
        assert {path for path in found if path.partition("/")[0] not in allowed} <= allowed

    def test_a_client_is_cut_by_its_own_clock_not_by_the_date(self, tmp_path):
        """A stream that outlives `first_byte` several times over is not cut: each deadline is its own span."""
        with ScriptedUpstream(answering(pause=0.4)) as upstream:
            config = config_for(upstream.url, timeouts="first_byte: 1.0, idle: 1.0")
            with running(tmp_path, config) as gateway:
                status, _, body = gateway.post({**QUESTION, "stream": True})
            assert status == 200
            assert body.endswith(b"data: [DONE]\n\n")


def test_an_upstream_that_went_away_is_told(tmp_path):
    with running(tmp_path, config_for("http://127.0.0.1:9", "retry: {attempts: 2, backoff: 0.01}\n")) as gateway:
        status, headers, body = gateway.post(QUESTION)
        assert (status, headers["x-headgate-error-code"]) == (502, "provider_unreachable")
        assert headers["x-headgate-attempts"] == "2"
        assert "sk-upstream" not in json.dumps(body)
        assert gateway.get("/readyz")[0] == 200


def test_whole_answers_arrive_while_a_slow_one_waits(tmp_path):
    with ScriptedUpstream([(Sleep(1.0), whole("slow")), whole("quick")]) as upstream:
        with running(tmp_path, config_for(upstream.url)) as gateway:
            answers = []
            thread = ask_slowly(gateway, answers)
            wait_for(lambda: upstream.requests)
            assert gateway.post(QUESTION)[2]["choices"][0]["message"]["content"] == "quick"
            assert not answers
            thread.join(10)
        assert answers[0][2]["choices"][0]["message"]["content"] == "slow"
