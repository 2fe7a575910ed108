"""What people have everywhere: ways to reach them, cards and accounts, papers, devices, wallets."""

from headgate.redaction import checks, credentials
from headgate.redaction.labels import DATE, IDENTIFIER, labelled
from headgate.redaction.pattern import Pattern, Shape, words
from headgate.redaction.sums import luhn

CARD = words(
    "card|credit|debit|cc|visa|mastercard|maestro|amex|american express|tarjeta|karte|kreditkarte|carte|carta|kaart"
)
PHONE = words(
    "phone|telephone|tel|mobile|cell|fax|call|whatsapp|sms|text me|ring|dial|desk|office|hotline|contact|reach|teléfono|"
    "telefono|móvil|telefon|handy|rufnummer|fon|téléphone|portable|appeler|cellulare|telefone|celular|telefoon|komórka|"
    "numer telefonu|puhelin|mobil|tlf|manager call|my number|message|registered|teléfonos|tfno|tel fono|correspondencia"
)  # fmt: skip
BIRTH = (
    r"born(?: on)?|d\.?o\.?b\.?|date[ _]?of[ _]?birth|birth[ _-]?da(?:te|y)|geboren(?: am)?|geb\.(?: am)?|geburts(?:datum|tag)|"
    r"fecha de nacimiento|naci(?:do|da|ó)(?: el)?|née? le|date de naissance|nat[oa] il|data di nascita|data de nascimento|"
    r"nascid[oa] em|geboortedatum|geboren op|data urodzenia|urodzon[ya]|født|född|fødselsdato|syntynyt"
)
PHONES = (
    r"(?:\+|\b00)[1-9][\d ().\x{a0}/-]{5,20}\d",  # international
    r"(?:\b1[-. ])?(?:\(\d{3}\) ?|\b\d{3}[-. ])\d{3}[-. ]\d{4}",  # North America
    r"(?:\(0[1-9]\d{0,4}\)|\b0[1-9]\d{0,4})[ ./-]{1,3}\d{2,8}(?:[ .-]\d{2,6}){0,4}",  # national, with its 0
    r"(?:\(\d{2,4}\)|\b\d)[\d ().-]{5,18}\d",  # any, which only words make sure
)
PATTERNS = (
    Pattern("email", r"[^\s@<>()\[\]\",;:|`'{}=&?/\\]+@(?:[^\x00-,./:-@\[-^`{-\x{a0}]+\.)+[^\x00-@\[-`{-\x{a0}]+", checks.mail, 0.99, sign=b"@"),
    Pattern("card", r"\b\d{4}(?:[ -]?\d{3,7}){1,3}[ -]?\d{1,7}\b", checks.card, checks.card_alone, CARD, checksum=True),
    Pattern("iban", r"(?i)\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}", checks.iban, 0.99, checksum=True),
    labelled("bic", r"bic|swift(?:[ -]?code)?|bic/swift", r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?"),
    labelled(
        "bank_account",
        r"(?:bank |savings |checking |current |deposit |giro)?(?:account|acct|acc|a/c|konto|compte|cuenta|rachun(?:ek|ku)|rekening)",
        r"[A-Z]{0,5}\d[\d -]{5,17}\d[A-Z]?",
        checks.number,
    ),
    Pattern("phone", rf"(?:{'|'.join(PHONES)})(?: ?(?:x|ext\.?) ?\d{{1,6}})?\b", checks.phone, checks.phone_alone, PHONE),
    Pattern("ip", r"\b(?:\d{1,3}\.){3}\d{1,3}\b", checks.address, 0.9),
    Pattern("ip", r"(?i)(?:[0-9a-f]{1,4}:|::)(?:[0-9a-f]{0,4}:){0,6}[0-9a-f.]{0,15}[0-9a-f]", checks.long_address, 0.9),
    Pattern("mac", r"(?i)\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", checks.hardware, 0.9),
    Pattern("mac", r"(?i)\b[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}\b", checks.hardware, 0.5, words("mac|ether|hardware address|arp|bssid")),
    Pattern("crypto", r"\b[13LMDTX][1-9A-HJ-NP-Za-km-z]{25,34}\b", checks.base58, 0.97, checksum=True),
    Pattern("crypto", r"\br[1-9A-HJ-NP-Za-km-z]{24,34}\b", checks.ripple, 0.97, checksum=True),
    Pattern("crypto", r"(?i)\b(?:bc|tb|ltc)1[02-9ac-hj-np-z]{11,87}\b", checks.bech32, 0.97, checksum=True),
    Pattern("crypto", r"\b0x[0-9a-fA-F]{40}\b", None, 0.85),
    Pattern("crypto", r"\b[48][0-9AB][1-9A-HJ-NP-Za-km-z]{93}\b", None, 0.8),
    Pattern("vin", r"\b[A-HJ-NPR-Z0-9]{17}\b", checks.vehicle, 0.6, words("vin|chassis|vehicle|fahrgestellnummer|fin|car|bastidor|telaio"), checksum=True),
    labelled("vin", r"vin|chassis|vehicle identification|fahrgestellnummer|bastidor|telaio", r"[A-HJ-NPR-Z0-9]{17}", checks.mixed),
    labelled("passport", r"passports?|passeport|reisepass|pass-?nr\.?|pasaporte|passaporto|passaporte|paszport|paspoort", r"[A-Z]{0,3}\d{5,9}[A-Z]?|[A-Z]\d[A-Z0-9]{7}"),
    Pattern("passport", r"\bP[A-Z<][A-Z]{3}[A-Z<]{39}\s{1,2}[A-Z0-9<]{9}\d[A-Z<]{3}\d{7}[MFX<]\d{7}[A-Z0-9<]{14}[\d<]\d", checks.zone, 0.99, checksum=True),
    labelled(
        "driving_licence",
        r"driv(?:er|ing)(?:['’]?s)? ?(?:licen[cs]es?|permit)|(?-i:DL)(?: no\.?| number|:|#)|licen[cs]e (?:number|no)|führerschein(?:nummer)?|permis de conduire|"
        r"(?:carnet|permiso) de conduc(?:ir|ción)|patente di guida|rijbewijs|prawo jazdy|carteira de (?:motorista|habilitação)|cnh",
        IDENTIFIER,
        checks.identifier,
    ),
    labelled(
        "licence_plate",
        r"(?:licen[cs]e|number|registration) plates?|plate (?:number|no\.?)|vehicle registration|kennzeichen|matrícula|"
        r"(?:plaque d['’])?immatriculation|targa|kenteken|tablic[ae]|placa",
        r"[A-ZÄÖÜ0-9]{1,4}(?:[ -][A-Z0-9]{1,4}){1,3}|[A-Z0-9]{5,8}",
        checks.mixed,
    ),
    labelled("birth_date", BIRTH, DATE, alone=0.95),
    labelled("device_id", r"idfa|gaid|aaid|advertising id(?:entifier)?|device[ _-]?id|udid|android[ _-]?id", r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{16,40}"),
    Pattern("coordinates", r"(?:^|[^\d.])([-+]?\d{1,2}\.\d{4,}°?[NS]?[,;] ?[-+]?\d{1,3}\.\d{4,}°?[EW]?)\b", checks.place, 0.4, words("gps|lat|latitude|coordinates|coords|location|located|live|lives|home|geo|position|koordinaten|coordenadas|coordonnées")),
    Pattern("coordinates", r"(?i)\b(?:lat|lon|lng|long)(?:itude)?[\"']?[ :=]{1,3}([-+]?\d{1,3}\.\d{3,12})\b"),
    Pattern("coordinates", r"\b\d{1,2}°\s?\d{1,2}['′]\s?(?:[\d.]{1,8}[\"″]\s?)?[NS],?\s{0,2}\d{1,3}°\s?\d{1,2}['′]\s?(?:[\d.]{1,8}[\"″]\s?)?[EW]"),
    Pattern("url_with_data", r"(?i)\bhttps?://[^\s\"'<>]{3,500}?[?&](?:e-?mail|user(?:_?(?:name|id))?|uid|login|name|first_?name|last_?name|phone|tel|ssn|dob|address)=([^&\s#\"'<>]{2,})", None, 0.95),
    Pattern("url", r"(?i)\b(?:https?://|www\.)[^\s\"'<>()\[\]{}|\\^`]{3,}[^\s\"'<>()\[\]{}|\\^`.,;:!?]", None, 0.9),
    labelled("username", r"user[ _-]?(?:name|id)|login(?:[ _-]?name)?|benutzername|usuario|identifiant|nom d['’]utilisateur", r"[\w.-]{3,32}", credentials.value),
    Pattern("date", r"\b(?:\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d{2}|(?:19|20)\d{2}[-/.]\d{1,2}[-/.]\d{1,2}(?:[ T]\d{2}:\d{2}(?::\d{2})?)?)\b", checks.moment, 0.8),
    Pattern("date", rf"\b(?:{DATE})\b", checks.written, 0.7),
    Pattern("age", r"(?i)\b(\d{1,3}(?:[ -](?:years?|yrs?|months?)(?:[ -]old)?\b[ -]?(?:old\b)?|[ -]?y/?o\b| (?:años|ans|anni|anos|jaar|lat)\b| Jahre\b))", checks.age, 0.7),
    Pattern("age", r"(?i)\b(?:aged|age of|age|edad|alter|âge|età|turned|turning|turn|turns)[ :]{1,3}(\d{1,3})\b", checks.age, 0.7),
)  # fmt: skip
SHAPES = (
    Shape(
        "imei", "999999999999999|99-999999-999999-9|99 999999 999999 9", luhn, 0.3, words("imei|device|handset|phone")
    ),
)
GROUPS = {
    "contact": ("email", "phone", "url", "url_with_data", "username"),
    "bank": ("card", "iban", "bic", "bank_account", "crypto"),
    "network": ("ip", "mac", "imei", "device_id"),
    "papers": ("passport", "driving_licence", "licence_plate", "vin"),
    "person": ("birth_date", "age", "date", "coordinates"),
}
"""Kinds by the name under which they are meant together."""
OPTIONAL = frozenset({"url", "username", "date", "age"})
"""Kinds that are found only where they are asked for: much that has such a form tells of nobody."""
