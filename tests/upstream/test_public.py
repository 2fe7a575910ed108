"""Addresses that are public, in every way they may be written."""

import asyncio
import ipaddress
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.upstream.public import NameLookups, NotPublicError, Public, is_public
from together import together

INSIDE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200",
    "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::", "::1", "::ffff:127.0.0.1",
    "::ffff:7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "fe80::1", "ff02::1", "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "168.63.129.16",
    "::ffff:168.63.129.16",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@together("address", INSIDE)
def test_what_only_the_gateways_own_network_reaches(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_everybody_reaches(address):
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_address_is_what_it_stands_for(address):
    number = int(address)
    for disguise in (f"::ffff:{address}", str(ipaddress.IPv6Address((0x64FF9B << 96) | number))):
        assert is_public(ipaddress.ip_address(disguise)) == is_public(address)


@pytest.mark.parametrize("host", ["127.1", "0", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "localhost."])
async def test_names_and_numbers_that_mean_this_machine(host):
    with pytest.raises(OSError, match=r"public|resolve|known|service"):
        await Public()(host, 80)


async def test_a_name_that_means_both_is_refused():
    with pytest.raises(NotPublicError):
        await Public(find=lambda host, port: ["8.8.8.8", "127.0.0.1"])("rebinding.example", 80)


async def test_a_name_whose_server_does_not_answer_keeps_no_provider_waiting():
    """Those who wait for it may leave; the event loop's own look-ups go on, and so do as many others as may."""
    answers = threading.Event()
    asked = []

    def find(host, port):
        asked.append(host)
        assert threading.current_thread() is not threading.main_thread()
        if host != "quick":
            answers.wait(10)
        return [host]

    lookups = NameLookups(3, find)
    slow = [asyncio.create_task(lookups(name, 80)) for name in ("slow", "slower", "slowest")]
    await asyncio.sleep(0)
    slow[1].cancel()
    quick = asyncio.create_task(lookups("quick", 80))
    assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
    await asyncio.sleep(0.02)
    assert not quick.done(), "a look-up that nobody waits for any more runs on, and counts"
    answers.set()
    assert await quick == ["quick"]
    assert (await slow[0], await slow[2]) == (["slow"], ["slowest"])
    assert slow[1].cancelled()
    assert sorted(asked) == ["quick", "slow", "slower", "slowest"]


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a..b", "x" * 70 + ".example"])
async def test_what_is_no_name(host):
    with pytest.raises((OSError, UnicodeError)):
        await Public()(host, 80)


async def test_networks_of_the_operators_own_are_allowed():
    assert await Public([ipaddress.ip_network("127.0.0.0/8")])("127.0.0.1", 80) == "127.0.0.1"


@pytest.mark.parametrize("address", ["fe80::1%lo", "", "x"])
def test_what_is_no_address_is_not_public(address):
    assert not Public().allows(address)
