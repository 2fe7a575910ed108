"""R1, R15: more than the gateway may take is turned away at once, and what it has taken is served."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time

import pytest

from gateways import KEY, Wire, config_for, http_request, rounds, running
from traffic import Traffic, answering
from upstreams import ScriptedUpstream
from waiting import wait_for

QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}
BODY = json.dumps(QUESTION).encode()


class Held(ScriptedUpstream):
    """Answers nobody until it is released."""

    def release(self):
        self.script = answering()


@pytest.fixture
def slow():
    async def held(asked):
        while started.script is held:
            await asyncio.sleep(0.005)
        await started.script(asked)

    with Held(held) as started:
        yield started


class TestRequests:
    def test_above_the_limit_it_is_503_at_once(self, tmp_path, slow):
        with running(tmp_path, config_for(slow.url, server=", max_requests: 5")) as gateway:
            answers = []
            threads = [
                threading.Thread(target=lambda: answers.append(gateway.post(QUESTION)), daemon=True) for _ in range(5)
            ]
            for thread in threads:
                thread.start()
            wait_for(lambda: len(slow.requests) == 5)
            for path in ("/v1/chat/completions", "/v1/messages"):
                status, headers, body = gateway.post(QUESTION, path=path)
                assert status == 503
                assert int(headers["retry-after"]) >= 1
                assert "try again" in json.dumps(body)
            assert not answers, "the refusals came after the answers"
            slow.release()
            for thread in threads:
                thread.join(10)
            assert [status for status, _, _ in answers] == [200] * 5
            assert len(slow.requests) == 5
            assert gateway.post(QUESTION)[0] == 200
        assert len(gateway.records(2, error="gateway_overloaded", status=503)) == 2

    def test_a_refused_clients_connection_can_be_used_again(self, tmp_path, slow):
        with running(tmp_path, config_for(slow.url, server=", max_requests: 1")) as gateway:
            first = threading.Thread(target=gateway.post, args=(QUESTION,))
            first.start()
            wait_for(lambda: slow.requests)
            kept = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
            with contextlib.closing(kept):
                headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
                kept.request("POST", "/v1/chat/completions", BODY, headers)
                refused = kept.getresponse()
                assert (refused.status, json.loads(refused.read())["error"]["code"]) == (503, "gateway_overloaded")
                slow.release()
                first.join(10)
                kept.request("POST", "/v1/chat/completions", BODY, headers)
                assert kept.getresponse().status == 200

    def test_three_times_too_much_is_shed_and_the_rest_served(self, tmp_path):
        """Closed loop: as many requests are always under way as the limit allows, and every other one is refused."""
        with (
            ScriptedUpstream(answering(wait=0.1)) as upstream,
            running(tmp_path, config_for(upstream.url, server=", max_requests: 8")) as gateway,
        ):
            with Traffic(gateway.port, clients=24) as traffic:
                wait_for(lambda: len(traffic.answers) - len(traffic.failures) >= rounds(80, 5000), 120)
            assert traffic.failures
            assert {answer.status for answer in traffic.answers} == {200, 503}
            assert all("gateway_overloaded" in answer.error for answer in traffic.failures)
            assert gateway.metric("headgate_in_flight") == 0
            assert [gateway.post(QUESTION)[0] for _ in range(10)] == [200] * 10
        served = sorted(answer.id for answer in traffic.answers if answer.error is None)
        recorded = [record["id"] for record in gateway.records(ending="complete")]
        assert set(served) <= set(recorded)
        assert len(recorded) == len(served) + 10
        assert len(gateway.records(error="gateway_overloaded")) == len(traffic.failures)


class TestConnections:
    def test_above_the_limit_they_are_told_and_closed(self, tmp_path, slow):
        with running(tmp_path, config_for(slow.url, server=", max_connections: 10")) as gateway:
            time.sleep(0.1)
            crowd = [Wire(gateway.port) for _ in range(10)]
            try:
                with Wire(gateway.port) as one_more:
                    answer = one_more.answer("GET")
                    assert answer.status == 503
                    assert int(answer.headers["retry-after"]) >= 1
                    assert answer.closing
                    assert one_more.closed()
                slow.release()
                crowd[0].send(http_request("/v1/chat/completions", BODY))
                assert crowd[0].answer().status == 200
            finally:
                for wire in crowd:
                    wire.sock.close()
            wait_for(lambda: served(gateway))

    def test_idle_ones_do_not_disturb_the_others(self, tmp_path):
        """R1: connections that say nothing, and honest traffic beside them."""
        count = rounds(500, 10_000)
        with ScriptedUpstream(answering()) as upstream, running(tmp_path, config_for(upstream.url)) as gateway:
            assert gateway.post(QUESTION)[0] == 200
            before = gateway.memory()
            with contextlib.ExitStack() as crowd:
                for _ in range(count):
                    crowd.enter_context(socket.create_connection(("127.0.0.1", gateway.port), timeout=10))
                with Traffic(gateway.port, clients=4, rate=200) as traffic:
                    traffic.wait_for(rounds(200, 24_000), 300)
                assert not traffic.failures[:3]
                assert gateway.memory() - before < (30 << 20) + count * 15_000
            wait_for(lambda: served(gateway))
        assert "Traceback" not in gateway.output()

    def test_silent_ones_are_closed_in_time(self, tmp_path, slow):
        with running(tmp_path, config_for(slow.url, server=", header_timeout: 0.3, keep_alive: 0.3")) as gateway:
            with Wire(gateway.port) as silent, Wire(gateway.port) as halfway, Wire(gateway.port) as finished:
                halfway.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: ")
                finished.send(http_request("/livez", method="GET"))
                assert finished.answer("GET").status == 200
                assert halfway.answer().status == 408
                assert silent.answer().status == 408
                assert all(wire.closed(5) for wire in (silent, halfway, finished))
            assert served(gateway)


def served(gateway):
    with contextlib.suppress(OSError, http.client.HTTPException):
        return gateway.get("/livez")[0] == 200
    return False


def test_a_provider_with_few_connections_makes_requests_wait_not_fail(tmp_path):
    config = "upstream: {max_connections: 2}\n"
    with (
        ScriptedUpstream(answering(wait=0.05)) as upstream,
        running(tmp_path, config_for(upstream.url, config)) as gateway,
    ):
        with Traffic(gateway.port, clients=10) as traffic:
            traffic.wait_for(40)
        assert not traffic.failures[:3]
        assert upstream.connections <= 3
