"""What is told of a reply by its events."""

from headgate.core.errors import ProviderNonsense
from headgate.core.events import Failed, Start, Stop, Text, ToolCall, Used
from headgate.core.tally import Tally
from headgate.core.usage import Usage


def test_what_it_hears():
    tally = Tally()
    tally.hear([Start(id="x")])
    assert (tally.id, tally.started, tally.complete) == ("x", False, False)
    tally.hear([ToolCall(id="1", name="f"), Used(usage=Usage(output=1)), Used(usage=Usage(output=2))])
    assert (tally.started, tally.usage.output) == (True, 2)
    tally.hear([Stop(reason="length", vendor="max_tokens")])
    assert (tally.complete, tally.finish) == (True, "max_tokens")


def test_a_cut_is_not_complete():
    tally = Tally()
    tally.hear([Text(text="x"), Stop(reason="cut")])
    assert (tally.started, tally.complete) == (True, False)


def test_a_failure_is_kept():
    tally, error = Tally(), ProviderNonsense("no")
    tally.hear([Failed(error=error)])
    assert tally.failed is error
