"""Texts that want to be more than text: to end a line, move a cursor, forge an entry, run, or not be written at all."""

import json
import unicodedata

ESCAPES = [
    "\x1b[31mred\x1b[0m",
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x1b]8;;https://x.example\x07link\x1b]8;;\x07",
    "\x1b[?1049h",
    "\x1bP1$r0m\x1b\\",
    "\x1b_Gf=100;AAAA\x1b\\",
    "\x1b]52;c;ZWNobyBoaQ==\x07",
    "\x1bc",
    "\x1b[6n",
    "\x1b[?25l",
    "\x1b(0lqk\x1b(B",
    "\x9b31mred",
    "\x9d0;title\x9c",
    "\x90q\x9c",
    "\r\x1b[K$ sudo reboot",
    "a\x08\x08\x08b",
    "\x0e\x0f",
    "\x1b[1;1H",
    "\x1b[999D",
]
LINES = [
    "a\r\n2026-01-01 00:00:00.000 ERROR root: forged",
    'a\n{"time":"2026-01-01T00:00:00Z","level":"error","message":"forged"}',
    '"}\n{"id":"forged"}',
    '" level=error msg="forged',
    "a\n\n\nb",
    "a\rb",
    "a\x85b",
    "a\u2028b",
    "a\u2029b",
    "a\x0bb\x0cc",
    "\\n",
    "%0d%0aset-cookie: a=b",
    "a\r\nset-cookie: a=b",
    "\n# HELP forged x\n# TYPE forged counter\nforged 1\n",
    "a\\",
    'a"',
    'a\\"b',
    'a{b="c"} 1',
    "a,b=c",
    "    | indented",
    "| a | table |",
    "\t\t",
    "\n",
]
READING = [
    "\u202egnp.exe",
    "\u2066a\u2069",
    "a\u200bb",
    "\u200b\u200c\u200d",
    "\ufeffa",
    "a\u00adb",
    "\u061ca",
    "\u180e",
    "\u2060",
    "\ufff9a\ufffab\ufffb",
    "\ud800",
    "\udfff",
    "\ud83d",
    "a\udc80b",
    "\U000e0041",
    "\u0430dmin",
    "Z͑ͫa̴̵l̡g͎o",
    "ﷺﷺﷺ",
    "\U0001d54b\U0001d556",
    "👩‍👩‍👧‍👦",
    "🏳️‍🌈",
    "田中さん",
]
CODE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "javascript:alert(1)",
    '"><b>',
    "'-alert(1)-'",
    "<iframe src=//x>",
    "<a href='data:text/html,x'>",
    "</title><script>",
    "&lt;script&gt;",
    "]]>",
    "<!--",
    "{{7*7}}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "{0.__class__}",
    "{self}",
    "%s%s%s%n",
    "%(levelname)s",
    "%x" * 20,
    "${jndi:ldap://x/a}",
    "$(reboot)",
    "`reboot`",
    "; rm -rf /",
    "| cat /etc/passwd",
    "'; DROP TABLE requests; --",
    "1 OR 1=1",
    "../../../etc/passwd",
    "..\\..\\a",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "null",
    "NaN",
    "Infinity",
    "-0",
    "1e309",
    "undefined",
    "true",
    "None",
    "__proto__",
    "",
    " ",
    "\u00a0",
    "a" * 100_000,
    "[" * 10_000,
    '{"a":' * 1_000,
    "file:///etc/passwd",
    "http://169.254.169.254/",
    "*" * 300,
    "(" * 300,
]


def _around(sign):
    return [sign, f"a{sign}b", f"{sign}{sign}a"]


CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
FORMATS = [chr(code) for code in range(0x2FFFF) if unicodedata.category(chr(code)) in ("Cf", "Zl", "Zp")]
NAUGHTY = list(
    dict.fromkeys(
        [*ESCAPES, *LINES, *READING, *CODE]
        + [text for sign in (*CONTROLS, *FORMATS) for text in _around(sign)]
        + [json.dumps(text) for text in (*ESCAPES, *LINES)]
    )
)
ACTING = frozenset(CONTROLS) | frozenset(
    "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\ufeff"
)
"""What a terminal, a log reader or an eye acts upon."""


def acting(text):
    """Those of its characters, and what no encoding can write."""
    return {sign for sign in text if sign in ACTING or "\ud800" <= sign <= "\udfff"}
