"""Commands, SQL, addresses and paths in what models hand to tools."""

from headgate.core.guard import Asked, Passage
from headgate.stages.guards.tool_arguments import ToolArguments, ToolArgumentsSettings
from together import together

RULES = {
    "fetch": {"hosts": ["example.com", "*.good.example"]},
    "read": {"paths": ["/srv/files"]},
    "shell": {"allow": ["command", "path"]},
}
GUARD = ToolArguments(ToolArgumentsSettings(tools=RULES))


def kinds(text, tool="other", part="tool_argument"):
    return {each.category for each in GUARD.look([Passage(text, "reply", "assistant", part, tool)], Asked())}


@together(
    "case",
    [
        ("report.txt; rm -rf /", "command"),
        ("a && curl http://x.example", "command"),
        ("$(cat secrets)", "command"),
        ("`id`", "command"),
        ("x | sh", "command"),
        ("bash -c 'ls'", "command"),
        ("1'; DROP TABLE users", "sql"),
        ("' OR '1'='1", "sql"),
        ("x UNION ALL SELECT password", "sql"),
        ("http://169.254.169.254/latest/meta-data", "address"),
        ("http://localhost:8080/admin", "address"),
        ("http://2130706433/", "address"),
        ("http://[::1]/", "address"),
        ("file:///etc/hosts", "address"),
        ("../../etc/passwd", "path"),
        ("/etc/shadow", "path"),
        ("~/.ssh/id_rsa", "path"),
        ("..%2f..%2fetc", "path"),
        ("C:\\Windows\\System32", "path"),
    ],
)
def test_what_is_smuggled_is_found(case):
    text, kind = case
    assert kind in kinds(text)


@together(
    "text",
    [
        "What is the weather in Rome; and in Oslo?",
        "Tom & Jerry, cats and dogs",
        "https://example.org/news?page=2",
        "/home/anna/report.txt",
        "./src/main.py",
        "SELECT name FROM users WHERE id = 3",
        "1/2 cup of milk and/or cream",
        '{"city": "Paris", "days": 3}',
        "price > 30 | name",
    ],
)
def test_ordinary_arguments_are_left(text):
    assert kinds(text) == set()


def test_rules_are_by_tool():
    assert kinds("https://example.com/a", "fetch") == kinds("https://a.good.example", "fetch") == set()
    assert kinds("https://example.org/a", "fetch") == {"address"}
    assert kinds("https://example.com.evil.example", "fetch") == {"address"}
    assert kinds("/srv/files/a.txt", "read") == set()
    assert kinds("/srv/files/../keys", "read") == kinds("/home/anna", "read") == {"path"}
    assert kinds("rm -rf /etc; ls", "shell") == set()
    assert kinds("x'; drop table y", "shell") == {"sql"}


def test_only_arguments_are_looked_at():
    assert kinds("rm -rf /etc", part="text") == set()


def test_nothing_takes_long():
    """Half a million line ends took minutes."""
    assert not kinds("\n" * 500_000)
    assert kinds("x\n   curl y") == {"command"}
