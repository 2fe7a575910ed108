"""Budgets over restarts and kills: what was spent stays spent, to the nanodollar; no restart gives anything back."""

import concurrent.futures
import time
from decimal import Decimal

import pytest

from gateways import KEY, running

CONFIG = f"""
server: {{host: 127.0.0.1, port: {{PORT}}}}
data_dir: {{DATA}}
providers: {{simulator: }}
models: {{chat: simulator/x}}
catalogue: {{models: {{simulator/x: {{prices: {{input: 0.37, output: 1.91}}}}}}}}
keys: [{{name: test, key: {KEY}, limits: [{{money: 1, every: month}}, {{requests: 1000000, every: day}}]}}]
"""


def ask(gateway, text="Hello"):
    body = {"model": "chat", "messages": [{"role": "user", "content": text}], "max_tokens": 7}
    return gateway.post(body)


def left(gateway):
    headers = ask(gateway)[1]
    return Decimal(headers["x-budget-remaining"]), int(headers["x-ratelimit-remaining-requests"])


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_what_was_spent_stays_spent(tmp_path, how):
    with running(tmp_path, CONFIG) as gateway:
        answers = [ask(gateway, "x" * (37 * number)) for number in range(12)]
        spent = sum(Decimal(headers["x-headgate-cost"]) for _, headers, _ in answers)
        money, requests = left(gateway)
        held = Decimal(1) - spent - money  # of the request that asks
        getattr(gateway, how)()
        gateway.start()
        again, fewer = left(gateway)
        cost = Decimal(gateway.records(1)[-1]["cost"])
        assert again == Decimal(1) - spent - cost - held
        assert fewer == requests - 1


def test_a_gateway_killed_under_load_counts_every_request_it_has_answered_and_no_more(tmp_path):
    with running(tmp_path, CONFIG) as gateway, concurrent.futures.ThreadPoolExecutor(8) as pool:

        def many(_):
            done = 0
            try:
                while ask(gateway)[0] == 200:
                    done += 1
            except OSError:
                return done
            return done

        counts = [pool.submit(many, number) for number in range(8)]
        time.sleep(0.6)
        gateway.kill()
        answered = sum(count.result() for count in counts)
        gateway.start()
        _, requests = left(gateway)
        counted = 1_000_000 - requests - 1
        recorded = [record for record in gateway.records(counted + 1) if record["status"] == 200]
        assert answered <= counted <= answered + 8  # what was answered as the process died may not have been heard
        assert len(recorded) == counted + 1
        total = sum(int(record["counted"]["key test | money a month"]) for record in recorded[:-1])
        assert total == sum(int(Decimal(record["cost"]) * 10**9) for record in recorded[:-1])
