"""What a shared state says that no process of this version has written changes nothing here."""

from headgate.core.agreement import Agreement
from headgate.core.ports import Fact, Heard
from headgate.core.standing import Board
from together import together

NAMES = ["circuit a/m", "key a 0123456789abcdef", "rest a 0123456789abcdef m", "count other a/m"]
TEXTS = [
    b"",
    b"\xff",
    b"[]",
    b"{}",
    b'{"id":"\xff","open":true,"seconds":1,"count":1,"requests":1,"tokens":1,"x":"\xff"}',
]


@together("name", NAMES)
@together("told", TEXTS)
def test_it_is_passed_over(name, told):
    board = Board()
    agreement = Agreement(board, "me")
    standing = board.standing("a/m", named=True)
    standing.limit(None, requests=True, tokens=True)
    credential = board.credential("a", "key", "0123456789abcdef", enabled=True, trusting=False)
    agreement.outgoing()
    for _ in range(2):
        agreement.heard(Heard([Fact(name, 0.0, 5.0, told)], [], whole=False))
    assert standing.breaker.state(0.0) == "closed"
    assert credential.clear
    assert standing.requests.own == 0.0
