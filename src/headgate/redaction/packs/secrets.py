"""What opens doors: keys and tokens of the common vendors by their documented forms, private keys, passwords."""

from headgate.redaction import credentials
from headgate.redaction.labels import CALLED, NAMED
from headgate.redaction.pattern import Pattern

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
KEYS = (
    r"sk-(?:proj|svcacct|admin|service|None|api\d*|live|test)-[\w-]{20,}|sk-[A-Za-z0-9]{20,}",  # OpenAI, DeepSeek, Moonshot and others
    r"sk-ant-(?:api|admin|oat|sid)\d\d-[\w-]{80,}AA|sk-or-(?:v1-)?[0-9a-f]{40,}|sk-lf-[0-9a-f-]{36}",  # Anthropic, OpenRouter, Langfuse
    r"(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{10,99}|whsec_[A-Za-z0-9+/=]{24,}|sk_[0-9a-f]{48}",  # Stripe, ElevenLabs
    r"AIza[\w-]{35}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}|1//0[\w-]{30,}",  # Google
    r"gsk_[A-Za-z0-9]{40,60}|xai-[A-Za-z0-9]{60,90}|hg[-_][A-Za-z0-9][\w-]{19,}|pplx-[A-Za-z0-9]{40,60}|fw_[A-Za-z0-9]{20,40}",  # Groq, xAI, ours, Perplexity, Fireworks
    r"nvapi-[\w-]{50,}|csk-[A-Za-z0-9]{40,60}|tgp_v1_[\w-]{40,}|jina_[0-9a-f]{32}\w{20,}|pa-[\w-]{40,50}",  # NVIDIA, Cerebras, Together, Jina, Voyage
    r"hf_[A-Za-z0-9]{34}|api_org_[A-Za-z]{34}|r8_[A-Za-z0-9]{37}|esecret_\w{20,}|pcsk_\w{50,80}|lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}",  # Hugging Face, Replicate, Anyscale, Pinecone, LangSmith
    r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16}|ABSK[A-Za-z0-9+/]{109,269}={0,2}|bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t[\w+/=-]*",  # AWS
    r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{50,}|gl(?:pat|ptt|dt|rt|cbt|soat|ft|imt|agent|oas|ffct)-[\w.-]{18,}|GR1348941[\w-]{20}",  # code hosts
    r"xoxb-\d{10,13}-\d{10,13}[\w-]*|xox[pe](?:-\d{10,13}){3}-[\w-]{28,34}|xox[os]-\d+-\d+-\d+-[0-9a-f]+|xox[ar]-(?:\d-)?[0-9a-zA-Z]{8,48}",  # Slack
    r"xoxe\.xox[bp]-\d-[A-Z0-9]{100,}|xoxe-\d-[A-Z0-9]{100,}|xapp-\d-[A-Z0-9]+-\d+-[a-z0-9]+|hooks\.slack\.com/(?:services|workflows|triggers)/[\w/+]{20,}",
    r"SG\.[\w-]{16,32}\.[\w-]{16,64}|key-[0-9a-f]{32}|(?:SK|AC)[0-9a-f]{32}|xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}",  # SendGrid, Mailgun, Twilio, Brevo
    r"npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{50,}|rubygems_[0-9a-f]{48}|dckr_[po]at_[\w-]{27,}|cio[A-Za-z0-9]{32}",  # registries
    r"do[opr]_v1_[0-9a-f]{64}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|dapi[0-9a-f]{32}(?:-\d)?|dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.]{40,}",  # DigitalOcean, Shopify, Databricks, Doppler
    r"hv[sbr]\.[\w-]{20,}|s\.[A-Za-z0-9]{24}|\w{14}\.atlasv1\.[\w=-]{60,}|lin_(?:api|oauth)_\w{32,}|ntn_\d{11}[A-Za-z0-9]{35}|secret_[A-Za-z0-9]{43}",  # HashiCorp, Linear, Notion
    r"ops_eyJ[\w+/=-]{200,}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}|AGE-SECRET-KEY-1[0-9A-Z]{58}",  # 1Password, age
    r"sntrys_eyJ[\w+/=]{60,}|sntryu_[0-9a-f]{64}|glsa_[A-Za-z0-9]{32}_[0-9A-Fa-f]{8}|glc_[\w+/]{32,400}={0,3}|eyJrIjoi[\w+/=-]{60,}",  # Sentry, Grafana
    r"NRAK-[A-Z0-9]{27}|NR(?:JS|II)-[\w-]{19,32}|PMAK-[0-9a-f]{24}-[0-9a-f]{34}|dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{64}",  # New Relic, Postman, Dynatrace
    r"[\w~.]{3}\dQ~[\w~.-]{31,34}|sgp_(?:(?:[0-9a-fA-F]{16}|local)_)?[0-9a-fA-F]{40}|\d{15,16}\|[\w-]{27,40}|EAA[MC][A-Za-z0-9]{100,}",  # Azure, Sourcegraph, Facebook
    r"sq0(?:atp-[\w-]{22}|csp-[\w-]{43})|EAAA[\w-]{60}|FLW(?:PUB|SEC)K(?:_TEST)?-[\w-]{30,}|tfp_[\w.-]{50,}|\d{8,10}:AA[\w-]{33}",  # Square, Flutterwave, Typeform, Telegram
    r"pul-[0-9a-f]{40}|CFPAT-[\w-]{43}|figd_[\w-]{40,}|LTAI[A-Za-z0-9]{12,24}|API-[A-Z0-9]{26}|sha256~[\w-]{43}|ico-[A-Za-z0-9]{32}",  # Pulumi, Contentful, Figma, Alibaba, Octopus, OpenShift, Infracost
    r"fo1_[\w-]{43}|fm[12][ar]?_[A-Za-z0-9+/]{100,}={0,3}|EZ[AT]K[A-Za-z0-9]{54}|duffel_(?:test|live)_[\w=-]{43}|shippo_(?:live|test)_[0-9a-f]{40}",  # Fly, EasyPost, Duffel, Shippo
    r"pscale_(?:tkn|oauth|pw)_[\w=.-]{32,64}|pnu_[a-z0-9]{36}|rdme_[a-z0-9]{70}|HRKU-AA[\w-]{58}|sbp_[0-9a-f]{40}|sb_secret_[\w-]{31}|tskey-(?:api|auth|client)-\w+-\w{16,}",  # PlanetScale, Prefect, ReadMe, Heroku, Supabase, Tailscale
    r"AT(?:ATT|CTT)3[\w=-]{60,}|ATBB[A-Za-z0-9]{28}|pat[A-Za-z0-9]{14}\.[0-9a-f]{64}|nf[bcopu]_[A-Za-z0-9]{36}|oy2[a-z0-9]{43}|AKCp[A-Za-z0-9]{64,}|cmVmdGtuO[A-Za-z0-9]{50,}",  # Atlassian, Airtable, Netlify, NuGet, JFrog
    rf"pat-[a-z]{{2}}\d-{UUID}|access-(?:sandbox|development|production)-{UUID}|waka_(?:sec_|tok_)?{UUID}|(?:sdk|mob|api)-{UUID}",  # HubSpot, Plaid, WakaTime, LaunchDarkly
    r"sq[apu]_[0-9a-f]{40}|bk(?:ua|aa|aj)_[A-Za-z0-9]{40,}|CCIP(?:AT|RJ)_[A-Za-z0-9]{20,24}_[0-9a-f]{40}|p8e-[\w-]{32}|CLOJARS_[0-9a-f]{60}|fio-u-[\w-]{64}|dnkey-[\w=-]{26}-[\w=-]{52}",  # SonarQube, Buildkite, CircleCI, Adobe, Clojars, Frame.io, Defined
    r"sl\.(?:u\.)?[\w-]{100,}|tk-us-[\w-]{48}|sm_(?:aat|pat|sat)_[A-Za-z0-9]{16}|s-s4t2(?:ud|af)-[0-9a-f]{64}|[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk|AQVN[\w-]{35,38}",  # Dropbox, Scalingo, SettleMint, 42, MaxMind, Yandex
    r"[ps]at\.[\w-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}|phx_[A-Za-z0-9]{40,}|re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}|[0-9a-f]{32}-us\d{1,2}|vercel_blob_rw_\w{30,}",  # Harness, PostHog, Resend, Mailchimp, Vercel
    r"tvly-(?:dev-|prod-)?[A-Za-z0-9]{32}|fc-[0-9a-f]{32}|llx-[A-Za-z0-9]{48}|e2b_[0-9a-f]{40}|apify_api_[A-Za-z0-9]{34,36}|[A-Za-z0-9]{52}JQQJ9[9DH][A-Za-z0-9]{26}(?:[A-Za-z0-9]{2}==)?",  # Tavily, Firecrawl, LlamaIndex, E2B, Apify, Azure's services
    r"[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,}|v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}|4b1d[A-Za-z0-9]{38}",  # Discord, Cloudflare, ClickHouse
)
"""As vendors' pages show them; no letter, digit or hyphen stands before and behind."""
VENDORS = (
    r"sourcegraph|cohere|co_api|deepgram|datadog|algolia|fastly|heroku|twitch|wandb|pinecone|circleci|codecov|okta|airtable|asana|"
    r"bitbucket|cloudflare|confluent|discord|dropbox|gitter|jira|launchdarkly|mapbox|netlify|plaid|sendbird|snyk|zendesk"
)
PATTERNS = (
    Pattern("private_key", r"-----BEGIN[ A-Z0-9_]*PRIVATE KEY[ A-Z]{0,9}-----", credentials.block, 0.99),
    Pattern("private_key", r"PuTTY-User-Key-File-\d:[\s\S]*?Private-MAC: ?[0-9a-f]{40,64}", None, 0.99),
    Pattern("token", r"\beyJ[\w-]{8,}\.(?:eyJ|[\w-]{2})[\w-]{6,}\.[\w-]*", credentials.signed, 0.97),  # JSON Web Tokens
    Pattern("api_key", rf"(?:^|[^\w-])((?:{'|'.join(KEYS)}))(?:[^\w-]|\z)", credentials.key, 0.95),
    Pattern("token", r"(?i)\bbearer[ \t]+([\w.~+/-]{12,}=*)", credentials.random),
    Pattern("token", r"(?i)\bauthorization\W{1,6}basic[ \t]+([A-Za-z0-9+/]{8,}=*)", credentials.basic),
    Pattern("token", r"(?i)\bauthorization\b[\"']?[ \t]*[:=][ \t]*[\"']?(?:token |bearer |apikey )?([\w.-]{20,})", credentials.random),
    Pattern("token", r"(?i)[\"']x?-?[\w-]{0,20}(?:api-?key|api-?token|auth-?token|access-?token)[\"']?[ \t]*[:=][ \t]*[\"']?([\w.-]{8,})", credentials.random),
    Pattern("password", r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://([^\s:@/]*:[^\s@/]{3,})@", credentials.pair, 0.995),
    Pattern("password", r"\s(?:-u|--user)[ =]([\"']?[^\s\"':]*[\"']?:[\"']?[^\s\"']{3,}[\"']?)", credentials.pair),
    Pattern("password", rf"(?i)\b(?:{CALLED})\b(?: is| was| are|:)?[ :]{{1,2}}[\"'“‘]([^\n\"'”’]{{6,64}})[\"'”’]", credentials.secret, 0.91),
    Pattern("password", rf"(?i)\b(?:{CALLED})(?: is| was|:)? ([^\s\"'”’]{{8,}}[^\s\"'”’.,;:!?)])", credentials.hardened),
    Pattern("password", r"@[\w.-]+\.[A-Za-z]{2,} ?[/:|] ?([^\s\"'/?#<>]{8,})", credentials.beside),
    Pattern("secret", rf"(?i)(?:\b|_)(?:{NAMED})\b\\*[\"'`]?[ \t]*(?:[:=]>?|:=|\bis\b|\|)[ \t]*\\*[\"'`]?([^\s\"'`,;]{{5,}}[^\s\"'`,;\\])", credentials.secret),
    Pattern("secret", rf"(?i)(?:\b|_)(?:{NAMED}|token)\b[\"'`]?[ \t:=>(\"'`\\]{{1,10}}([\w+/.~-]{{20,}}={{0,2}})", credentials.random),
    Pattern("secret", rf"(?i)\b(?:{VENDORS})\b[\w .-]{{0,20}}[\"']?[ \t]{{0,3}}[:=]>?[ \t]{{0,3}}[\"']?([\w-]{{32,64}})\b", credentials.random),
    Pattern("secret", r"(?i)\b(?:Account|SharedAccess|Shared)Key=([A-Za-z0-9+/]{40,}={0,2})", credentials.signed),
    Pattern("secret", r"\bsig=([A-Za-z0-9%+/]{40,}(?:%3D|=)?)", credentials.random),  # signatures of Azure's links
)  # fmt: skip
GROUPS = {"secrets": ("private_key", "token", "api_key", "password", "secret")}
