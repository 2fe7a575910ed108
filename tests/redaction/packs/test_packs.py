"""Every kind is found by its documented example, and not where its checksum is wrong."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.redaction.finder import Finder
from headgate.redaction.kinds import chosen, groups, meant, names, pack, personal
from together import together

ALL = Finder(*chosen(names(), {kind for kinds in groups(names()).values() for kind in kinds}))
DEFAULT = Finder(*chosen(names()))
PROVED = [
    ("card", "4111 1111 1111 1111"), ("card", "378282246310005"), ("card", "30569309025904"), ("iban", "GB29 NWBK 6016 1331 9268 19"),
    ("imei", "IMEI 490154203237518"), ("vin", "1M8GDM9AXKP042788"), ("crypto", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ("crypto", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"), ("crypto", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"),
    ("crypto", "TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMW"),
    ("us_routing", "routing number 111000025"), ("us_npi", "NPI 1234567893"), ("us_dea", "AB1234563"),
    ("gb_nhs", "NHS 943 476 5919"), ("gb_utr", "UTR 1955839661"),
    ("de_steuer_id", "86 095 742 719"), ("de_steuer_id", "Steuer-ID 36574261809"), ("de_pension", "15070649C103"), ("de_id_card", "Ausweis T220001293"),
    ("fr_nir", "2 95 10 99 126 111 93"), ("fr_spi", "numéro fiscal 3023217600053"), ("fr_siret", "SIRET 73282932000074"),
    ("es_dni", "DNI 54362315K"), ("es_nie", "NIE X2482300W"), ("es_cif", "CIF J99216582"),
    ("it_fiscal_code", "RCCMNL83S18D969H"), ("it_vat", "P. IVA 00743110157"), ("nl_bsn", "BSN 111222333"),
    ("pl_pesel", "PESEL 44051401359"), ("pl_nip", "NIP 856-734-62-15"), ("pl_regon", "REGON 192598184"), ("pl_id_card", "dowód ABA300000"),
    ("pt_nif", "NIF contribuinte 501 964 843"), ("pt_citizen_card", "00000000 0 ZZ4"),
    ("se_personnummer", "811228-9874"), ("fi_hetu", "131052-308T"), ("no_fodselsnummer", "15108695088"),
    ("at_svnr", "SVNR 1237 010180"), ("ch_ahv", "756.9217.0769.85"), ("ch_uid", "CHE-100.155.212"),
    ("be_register", "85.07.30-033.28"), ("ie_ppsn", "PPSN 6433435F"), ("cz_birth_number", "rodné číslo 710319/2745"), ("ro_cnp", "CNP 1630615123457"),
    ("bg_egn", "EGN 7523169263"), ("hr_oib", "OIB 33392005961"), ("hu_tax", "adóazonosító 8071592153"), ("gr_amka", "AMKA 01013099997"),
    ("gr_afm", "AFM 094259216"), ("ee_lt_person", "isikukood 36805280109"), ("si_emso", "EMSO 0101006500006"),
    ("in_aadhaar", "2341 2341 2346"), ("in_gstin", "27AAPFU0939F1ZV"), ("jp_my_number", "My Number 1234 5678 9018"), ("cn_id", "11010519491231002X"),
    ("hk_id", "HKID A123456(3)"), ("sg_nric", "S1234567D"), ("tw_id", "A123456789"), ("il_id", "teudat zehut 039337423"), ("tr_tckn", "17291716060"),
    ("ca_sin", "SIN 123-456-782"), ("mx_curp", "BOXW310820HNERXN09"), ("br_cpf", "390.533.447-05"), ("br_cnpj", "16.727.230/0001-97"),
    ("ar_cuit", "CUIT 20-26756539-3"), ("cl_rut", "12.531.909-2"), ("au_tfn", "TFN 123 456 782"), ("au_medicare", "Medicare 2123 45670 1"),
    ("au_abn", "51 824 753 556"), ("nz_ird", "IRD 49-091-850"), ("za_id", "ID number 8001015009087"),
    *(("eu_vat", each) for each in (
        "DE136695976", "ATU13585627", "BE0428759497", "DK13585628", "FI20774740", "FR40303265045", "EL094259216", "HU12892312", "IE6433435F",
        "IT00743110157", "LT119511515", "LU15027442", "MT11679112", "NL004495445B01", "PL8567346215", "PT501964843", "RO18547290",
        "SE123456789701", "SI50223054", "SK2022749619", "HR33392005961",
    )),
]  # fmt: skip
"""Numbers that a sum proves, as offices and handbooks print them."""
SAID = [
    ("email", "joe.o'brien@mail.example.co.uk"), ("phone", "+49 (0)30 901820-15"), ("phone", "reach me at 668 5702"), ("bic", "SWIFT code: DEUTDEFF500"),
    ("bank_account", "account number is 3012345678"), ("ip", "2001:db8::6099"), ("mac", "00:1B:44:11:3A:B7"), ("passport", "passport no. XG9382049"),
    ("passport", "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"),
    ("driving_licence", "driver's license D245-938-19-203"), ("licence_plate", "Kennzeichen: M-AB 1234"), ("licence_plate", "license plate 7ABC123"),
    ("birth_date", "born on 3 May 1980"), ("birth_date", '"dateOfBirth": "1980-05-03"'), ("birth_date", "geboren am 03.05.1980"), ("birth_date", "née le 3 mai 1980"),
    ("device_id", "IDFA: 6D92078A-8246-4BA4-AE5B-76104861E7DC"), ("coordinates", '{"lat": 52.5200, "lng": 13.4049}'), ("birth_date", "Mein Geburtsdatum ist der 3. Mai 1980"), ("coordinates", "home at 52.52000, 13.40495"), ("coordinates", "52°31'12\"N 13°24'17\"E"),
    ("url", "see https://example.org/a"), ("username", "username: jdoe42"), ("age", "a 47-year-old man"), ("age", "paciente de 62 años"),
    ("date", "on 2024-02-29"), ("date", "12 de mayo de 2019"), ("crypto", "0xde709f2102306220921060314715629080e2fb77"), ("ssn", "ssn 078-05-1120"), ("us_itin", "ITIN 912-90-3456"), ("us_ein", "EIN 91-1144442"),
    ("us_mbi", "1EG4-TE5-MK73"), ("gb_nino", "AB 12 34 56 C"), ("gb_driving_licence", "MORGA657054SM9IJ"), ("gb_sort_code", "sort code 20-00-00"), ("dk_cpr", "211062-5629"),
    ("de_tax_number", "Steuernummer 133/8150/8159"), ("fr_passport", "passeport 12AB34567"), ("fr_id_card", "carte d'identité 880692310285"),
    ("it_id_card", "carta d'identità CA00000AA"), ("es_medical_record", "NHC: 2594890"), ("es_health_insurance", "NASS: 47 39047534 02"), ("es_physician", "NºCol: 28 28 12345"),
    ("in_pan", "ACUPA7085R"), ("in_upi", "rahul.upi@oksbi"), ("in_ifsc", "IFSC HDFC0000123"), ("in_voter_id", "voter id ABC1234567"), ("kr_rrn", "740625-1004221"), ("mx_rfc", "RFC GODE561231GR8"),
    ("ca_health", "OHIP 1234-567-890-AB"), ("medical_record", "MRN: 28528098"), ("health_plan", "insurance number 77422-AZC"), ("diagnosis", "ICD-10 J45.9"),
    ("diagnosis", "she has Type 2 diabetes mellitus"), ("drug", "Metformin 500 mg"), ("url_with_data", "https://x.example/a?email=joe%40x.example"),
]  # fmt: skip
"""What no sum proves."""


@together(("kind", "text"), PROVED)
def test_what_a_sum_proves(kind, text):
    found = ALL.find(text.encode())
    assert kind in [each.kind for each in found]
    assert all("checksum" in each.proof for each in found if each.kind == kind)


@together(("kind", "text"), PROVED)
def test_a_digit_that_is_wrong(kind, text):
    place = min(place for place, each in enumerate(text) if each.isdigit())
    wrong = [f"{text[:place]}{digit}{text[place + 1 :]}" for digit in "0123456789" if digit != text[place]]
    taken = [
        each for each in wrong if any(one.kind == kind and "checksum" in one.proof for one in ALL.find(each.encode()))
    ]
    assert len(taken) <= 2, taken  # some sums leave a second number right


@together(("kind", "text"), SAID)
def test_what_words_and_forms_tell(kind, text):
    assert kind in [each.kind for each in ALL.find(text.encode())]


def test_every_kind_has_its_example():
    shown = {kind for kind, _ in (*PROVED, *SAID)}
    assert {kind for kinds in groups(personal()).values() for kind in kinds} == shown | {
        "fr_siren",
        "es_nuss",
        "in_account",
    }


@together(
    "text",
    [
        "ticket 1234567890", "ts=1581875651642", "commit 280a7096aae18e8a236b2c06cfff8d2d4cce09eb", "v1.2.3.4", "Chrome/118.0.1223.73", "ISBN 978-3-16-148410-0",
        "fb2d7dc5-af23-4843-a42f-bdcaed9b9a4d", "EUR 1,010,374.40", "3.14159265358979", "part no 000-25-1865", "x = [5903, 9045, 4978, 5372]", "at 30.125977, 64.420398",
        "user@2x.png", "What is diabetes, and does metformin help?", "He is 47.", "call me maybe", "100-200 mg/dl (60-180)", "born to run", "my passport", "1 000 000 000 people",
        "On 28-09-2012 at 19:19:45", "10.000.000 EUR", "rgb(123, 104, 238)", "2001:0", "std::vector<int>::iterator", "12:30:45", "1234-5678", "127.0.0.1", "255.255.255.0",
    ],
)  # fmt: skip
def test_what_is_nothing(text):
    assert DEFAULT.find(text.encode()) == []


@given(
    st.sampled_from(sorted(ALL._table)),
    st.text("0123456789", min_size=24, max_size=24),
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabz", min_size=24, max_size=24),
)
def test_whatever_has_a_shape_can_be_checked(shape, digits, letters):
    text = "".join(
        digits[place % 24] if each == "9" else letters[place % 24] if each == "A" else each
        for place, each in enumerate(shape.decode())
    )
    for said in (text, f"({text})", f"id: {text}."):
        for each in ALL.find(said.encode()):
            assert 0 <= each.start < each.end <= len(said)


@given(st.text(string.printable + "äß€漢", max_size=200))
def test_whatever_is_said_can_be_looked_at(text):
    last = 0
    for each in ALL.find(text.encode()):
        assert last <= each.start < each.end
        last = each.end


def test_words_make_surer_and_others_less_sure():
    scores = [DEFAULT.find(text.encode()) for text in ("PESEL 44051401359", "see 44051401359", "order 4433221100004")]
    assert [[(each.kind, each.score) for each in found] for found in scores] == [[("pl_pesel", 0.99)], [], []]
    assert Finder(*chosen(names()), threshold=0.4).find(b"see 44051401359")[0].proof == "checksum"


def test_kinds_and_groups_are_chosen():
    assert meant(names(), ["health", "card"]) >= {"card", "medical_record", "gb_nhs"}
    assert "diagnosis" not in meant(names(), ["health"])
    assert {each.kind for each in chosen(["de"])[1]} == {"de_steuer_id", "de_tax_number", "de_pension"}
    assert [each.kind for each in Finder(*chosen(names(), ["diagnosis"])).find(b"asthma, joe@example.com")] == [
        "diagnosis"
    ]


@pytest.mark.parametrize("name", names())
def test_every_pack_says_what_it_is(name):
    each = pack(name)
    kinds = {one.kind for one in (*each.patterns, *each.shapes)}
    assert each.said.endswith(".")
    assert kinds == {kind for kinds in each.groups.values() for kind in kinds}
    assert each.optional <= kinds
