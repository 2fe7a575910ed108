"""Keys by their vendors' forms are found wherever they stand; names, references and samples of them are not."""

import random
import re
import string

from headgate.redaction.finder import Finder
from headgate.redaction.kinds import SECRETS, chosen
from together import together

FINDER = Finder(*chosen([SECRETS]))
LETTERS = {"h": "0123456789abcdef", "a": string.ascii_letters + string.digits, "l": string.ascii_lowercase + string.digits,
           "u": string.ascii_uppercase + string.digits, "w": string.ascii_letters + string.digits + "_-"}  # fmt: skip
UUID = "{h8}-{h4}-{h4}-{h4}-{h12}"
FORMS = (
    "sk-proj-{w48}", "sk-ant-api03-{w93}AA", "sk-or-v1-{h64}", "gsk_{a52}", "xai-{a80}", "hf_{a34}", "AIzaSyB{w32}", "pplx-{a48}", "r8_{a37}", "nvapi-{w64}",
    "tvly-dev-{a32}", "fc-{h32}", "llx-{a48}", "e2b_{h40}", "apify_api_{a36}", "phx_{a44}", "re_{a8}_{a24}", "{a52}JQQJ99{a26}", "AKIA{u16}", "ghp_{a36}",
    "github_pat_{a22}_{a59}", "glpat-{w20}", "xoxb-263594206564-2343594206574-{a24}", "sk_live_{a24}", "SG.{w22}.{w43}", "{h32}-us14", "npm_{a36}", "dop_v1_{h64}",
    "hvs.{w90}", "lin_api_{a40}", "ATATT3xFfGF0{w180}=1A2B3C4D", "ATBB{a28}", "pat{a14}.{h64}", "nfp_{a36}", "oy2{l43}", "AKCp{a69}", f"pat-na1-{UUID}",
    f"access-production-{UUID}", f"waka_{UUID}", f"sdk-{UUID}", "squ_{h40}", "bkua_{h40}", "CCIPAT_{a22}_{h40}", "p8e-{l32}", "CLOJARS_{h60}", "fio-u-{w64}",
    "dnkey-{w26}-{w52}", "sl.u.{w130}", "sm_pat_{a16}", "s-s4t2ud-{h64}", "{a6}_{a29}_mmk", "AQVN{w38}", "pat.{w22}.{h24}.{a20}", "vercel_blob_rw_{a16}_{a30}",
)  # fmt: skip
AROUND = (
    "{}",
    "the key is {}.",
    'client = Client(api_key="{}")',
    "export TOKEN={}\n",
    '{{"x-api-key": "{}", "n": 1}}',
    "curl -H 'Authorization: Bearer {}' https://a.io",
    "`{}`",
)


def made(form, chance):
    return re.sub(r"\{(\w)(\d+)\}", lambda each: drawn(LETTERS[each[1]], int(each[2]), chance), form)


def drawn(letters, count, chance):
    """By lot, with a letter at either end, as `-` ends a word."""
    ends = [each for each in letters if each.isalnum()]
    return chance.choice(ends) + "".join(chance.choices(letters, k=count - 2)) + chance.choice(ends)


@together("form", FORMS)
def test_keys_are_found_wherever_they_stand(form):
    chance = random.Random(form)
    for around in AROUND:
        key = made(form, chance)
        text = around.format(key)
        found = FINDER.find(text.encode())
        assert any(text[each.start : each.end].count(key) for each in found), text


@together(
    "text",
    [
        "DB_PASSWORD=hunter22", "PASSWORD=monkey", "password: enterprise2024", "my password is BlueHorse", "the secret is blue_horse_nine", "password = Summer2024!\n", 'password: "swordfish"', 'secret="s3cr3t_value_9"', "my password is swordfish.", "client_secret: a8f5f167f44f4964e6c998de",
        "redis://default:fk29dk2l@cache:6379", "curl -u joe:hunter22 https://a.io", 'PASSWORD="a(b)c9d8"', 'password: "correct-horse-battery-staple"', "api_key=0x4AAAAAAAB1c2D3e4F5g6H7", "joe@acme.io:Summer2024!",
        '"credentials": "correct horse battery staple"', "csrf_secret=9f8e7d6c5b4a39281706f5e4d3c2b1a0", '-----BEGIN PRIVATE KEY-----\\n" +\n"MC4CAQAwBQYDK2VwBCIEIHqZ8mXkD2',
    ],
)  # fmt: skip
def test_passwords_are_found(text):
    assert FINDER.find(text.encode()), text


def test_a_password_of_several_words_is_hidden_to_its_end():
    (found,) = FINDER.find(b'{"password": "correct horse battery staple", "n": 1}')
    assert (found.start, found.end) == (14, 42)


@together(
    "text",
    [
        # variables of programs, and calls
        "connect(user=user, password=db_password)", "credentials = creds_file\n", "self.secret = resolved_credentials\n", "api_key = settings.openai.api_key\n", "password: $this->password,",
        "secret = Config::secret;", "auth_token = jwt.encode(payload, key1)\n", "password = base64.b64decode(config2)\n", "client_secret: SessionClientSecret\n", "password=lambda: prompt()",
        "password = os.environ['DB_PASSWORD2']", "secret: process.env.SECRET_V2", "self.token = OAuth2Token.from_dict(token)", 'prompt = "password: ".format(1)', "def f(access_token: Optional[str1] = None)",
        # names of secrets in the place of one
        'Client(api_key="fake_api_key")', "password: mypassword", "mysql://user:password@db/x", "redis://[user]:[password]@db", "amqp://{user}:{password}@mq", "smtp://APIUSER:APIPASS@mail", '"SigningSecret": ".signingsecret"',
        # samples, templates and masks
        'api_key = "sk-proj-put-your-key-here-now"', 'OPENAI_API_KEY="sk-my-secret-key-goes-here"', "sk-...3f2a", "AKIA****************", "token: ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "secret: {{ vault_secret2 }}",
        "password: #{ENV2}", "password: %(password)s", "password=__DB_PASSWORD1__", "secret=@@SECRET1@@", "secret: 'secret:workspace1:<NAME>'", "password: ********", "password: [hidden1]", "password: change-me-2",
        '"private_key": "-----BEGIN EC PRIVATE KEY-----\\n<key bytes>\\n-----END EC PRIVATE KEY-----\\n"', 'key.startswith("-----BEGIN OPENSSH PRIVATE KEY-----\\n")', 'raise KeyError(f"no access token: {token_name}.")',
        # where a secret is kept
        "secret: arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-Ab12Cd", "password: vault:secret/data/db1#password", "credentials: /etc/headgate/credentials-v2", "secret: projects/p1/secrets/db2/versions/3",
        "credentials: gs-account-1234.json", 'client_secret="op://vault1/item2/field3"', "password: env:DB_PASSWORD2", "ssl_key_password: ~/keys/client1.pem",
        # encrypted
        "password: ENC[AES256_GCM,data:8hJk2l,iv:9aB,tag:c3D]", "secret: '{cipher}682bc583f4641835fa2db009355293665d2647dade3375c0ee201de2a49f7bda'", "password: vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==",
        # what is said of one
        "Your access token is expired.", "The password is invalid.", "password: required\n", "the client secret is configured.", '"password": "Please enter your password"',
        # what opens nothing
        "csrf-token=Zk3qykJO5rELyHgezQ69nzUX0i3OH67V7", "next-page-token: CAUQAA9x8y7z6w5v4u3t2s1r0", '"public_key": "9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit"', "resume_token = 8264BEB9F3000000012B0229296E04",
        # made of words
        "okta_token = oauth2_application_signon_policy_v2", "see https://list.acme.org/msg/joe@acme.org/msg01658.html", "max_tokens: 4096", '{"AWS::IAM::AccessKey": "72c2d9dd90025459"}', '"pattern": "^arn:aws:[a-z]+:secret:[a-zA-Z0-9/_+=.@-]{1,512}$"', "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "token_type: bearer", "primary_key=True",
    ],
)  # fmt: skip
def test_what_opens_no_door_is_left(text):
    assert [text.encode()[each.start : each.end] for each in FINDER.find(text.encode())] == []


@together(
    ("before", "key", "changed"),
    [
        ("", "AIzaSy" + "AnLA7NfeLquW1tJFpx_eQCxoX-oo6YyIs", "t"), ("key: ", "sk_test_" + "4eC39HqLyjWDarjtT1zdp7dc", "d"), ("Authorization: Basic ", "czZCaGRSa3F0" + "MzpnWDFmQmF0M2JW", "m"),
        ("", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ" + ".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c", "d"),
        ("AccountKey=", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6" + "IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==", "w"), ('"access_token": "', "2YotnFZFEjr1z" + "CsicMWpAA", "z"),
    ],
)  # fmt: skip
def test_what_its_vendor_prints_for_everybody_is_no_secret_and_what_is_like_it_is(before, key, changed):
    assert not FINDER.find(f"{before}{key} ".encode())
    at = key.rindex(changed)
    assert FINDER.find(f"{before}{key[:at]}Q{key[at + 1 :]} ".encode())
