"""Personal data is masked and figures never are; a mix belongs together and keeps its cap."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintage.corpus import store
from mintage.corpus.document import Document
from mintage.corpus.refine.duplicates import refine
from mintage.corpus.refine.kept import decide
from mintage.corpus.refine.mix import COMPONENT, mix
from mintage.corpus.refine.scrub import find, is_card, scrub
from mintage.corpus.refine.settings import Component, MixSettings, ScrubSettings
from mintage.errors import MintageError

SETTINGS = ScrubSettings()


def masked_with(text: str, settings: ScrubSettings) -> str:
    return store.masked(text, [span._asdict() for span in find(text, settings)[0]])


def scrubbed(text: str) -> str:
    return masked_with(text, SETTINGS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to jane.doe@example.com.", "Write to [email]."),
        ("Call (212) 555-0142, 212-555-0143 or 1-800-555-0199.", "Call [phone], [phone] or [phone]."),
        ("Call +44 20 7946 0958 now.", "Call [phone] now."),
        ("SSN 123-45-6789;", "SSN [ssn];"),
        ("to DE89 3704 0044 0532 0130 00 today", "to [iban] today"),
        ("to GB82WEST12345698765432 PLEASE", "to [iban] PLEASE"),
        ("card 4111 1111 1111 1111 or 378282246310005", "card [card] or [card]"),
        ("jane@93.184.216.34.com", "[email]"),  # the address inside is part of it
        ("from 93.184.216.34 and 2001:4860:4860::8888", "from [ip] and [ip]"),
    ],
)
def test_personal_data_is_masked(text, expected):
    assert scrubbed(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Net sales 404 123 4567 and 1,234 (212) 333 5.5%",
        "2015-2016-2017 and 10-12-2019, 2019-03-31T08:01:52",
        "Accession 0000320193-15-000123, file 001-36743, EIN 94-2404110, CUSIP 037833100",
        "000-12-3456 666-12-3456 912-34-5678 123-00-4567",  # never issued as social security numbers
        "DE88 3704 0044 0532 0130 00",  # wrong check digits
        "4111 1111 1111 1112 and 1234567890123452",
        "Section 93.184.216.34 applies; version 10.2.3.4; host 10.0.0.1, 127.0.0.1, 999.1.1.1",
        "2.2.1.13 The cost of the demolition",
        "12:30:45 to 16:00:00",
        # what begins inside a word or a longer number
        "file A123-45-6789, 7-123-45-6789",
        "x4111 1111 1111 1111, 0.4111111111111111, -4111111111111111",
        "v93.184.216.34, $93.184.216.34, 7-93.184.216.34",
        "xDE89370400440532013000, 1212-555-0143, $212-555-0143, x+44 20 7946 0958",
        "changes of +1 20 30 points",
        "5012 3456 7890 1202, 6099 9999 9999 9990",  # right check digits, and of no issuer
        "Timothy D. Cook, Chief Executive Officer, and Luca Maestri, Chief Financial Officer",
        "Revenue was 4,111,111,111,111,111 and 4111111111111111.5",
    ],
)
def test_figures_numbers_of_filings_and_names_stay(text):
    assert scrubbed(text) == text


def test_public_contacts_of_a_company_stay_and_are_counted(tmp_path):
    texts = [
        "(408) 996-1010\n(Registrant’s telephone number, including area code)",
        "Investor Relations: Nancy Paxton, (408) 974-5420, paxton1@example.com",
        "Write to investors@example.com.",
        "Home phone (408) 555-0199.",
    ]
    documents = [
        Document.make(source=f"s{number // 3}", native_id=str(number), text=text, licence="l", use="ship")
        for number, text in enumerate(texts)
    ]
    store.write_documents(tmp_path, documents)
    report = scrub(tmp_path, SETTINGS)
    assert report.masked == {"s1": {"phone": 1}}
    assert report.kept == {"s0": {"phone": 2, "email": 2}}
    assert report.documents == {"s1": 1}
    spans = [
        row["spans"]
        for batch in store.read_attribute(tmp_path, store.PERSONAL_DATA)
        for row in batch.to_pylist()
    ]
    assert [len(each) for each in spans] == [0, 0, 0, 1]
    assert store.masked(texts[3], spans[3]) == "Home phone [phone]."


def test_only_what_stands_near_a_public_contact_is_one():
    assert scrubbed(f"Investor Relations. {'word ' * 60} (408) 555-0199").endswith("[phone]")
    assert scrubbed("Investor Relations: 123-45-6789") == "Investor Relations: [ssn]"


def test_only_the_chosen_kinds_are_masked():
    text = "a.b@example.com, 123-45-6789"
    assert masked_with(text, ScrubSettings(kinds=("ssn",))) == "a.b@example.com, [ssn]"


@given(st.integers(10**13, 10**14 - 1))
def test_every_visa_number_has_one_check_digit(number):
    body = f"4{number}"
    assert sum(is_card(f"{body}{digit}") for digit in range(10)) == 1


@given(st.text(alphabet="0123456789.-,() @+abcDE\n", max_size=200))
def test_spans_lie_in_order_inside_the_text(text):
    masks, kept = find(text, SETTINGS)
    for spans in (masks, kept):
        ends = 0
        for span in spans:
            assert ends <= span.start < span.end <= len(text)
            ends = span.end


def test_masking_twice_changes_nothing_more():
    once = scrubbed("jane@example.com (212) 555-0142 4111111111111111 93.184.216.34 123-45-6789")
    assert scrubbed(once) == once == "[email] [phone] [card] [ip] [ssn]"


def mixed(directory) -> None:
    def make(number: int, source: str, text: str, day: int, use: str = "ship") -> Document:
        return Document.make(
            source=source,
            native_id=str(number),
            text=text,
            licence="l",
            use=use,
            available_at=datetime(2020, 1, day, tzinfo=UTC),
        )

    documents = [
        make(0, "a", "x" * 100, 1),
        make(1, "a", "y" * 300, 9),
        make(2, "b", "z" * 50, 1),
        make(3, "b", "v" * 50, 1, "none"),
        make(4, "b", "z" * 50, 2),
        make(5, "c", "w" * 10, 1),
    ]
    store.write_documents(directory, documents)
    refine(directory)


EARLY = Component("early", 60, ("a",), until=date(2020, 1, 5))
LATE = Component("late", 15, ("a",), since=date(2020, 1, 5))
OTHER = Component("other", 25, ("b",))


@pytest.mark.parametrize("decided", [False, True])
def test_the_largest_mix_reads_no_component_more_often_than_the_cap(tmp_path, decided):
    mixed(tmp_path)
    if decided:
        decide(tmp_path)
    report = mix(tmp_path, MixSettings((EARLY, LATE, OTHER), repetition_cap=4), None, "local")
    sizes = {share.name: (share.documents, share.characters) for share in report.shares}
    assert sizes == {"early": (1, 100), "late": (1, 300), "other": (1, 50)}
    assert report.limited_by == "early"
    assert report.characters == pytest.approx(4 * 100 / 0.6, abs=1)
    assert report.outside == 1
    for share in report.shares:
        assert share.repetitions * share.characters == pytest.approx(share.weight * report.characters, abs=1)
        assert share.repetitions <= 4 + 1e-9
    components = [
        row["component"] for batch in store.read_attribute(tmp_path, COMPONENT) for row in batch.to_pylist()
    ]
    assert components == ["early", "late", "other", "other", "other", None]


def test_a_component_that_is_empty_as_of_the_day_is_refused(tmp_path):
    mixed(tmp_path)
    settings = MixSettings((EARLY, LATE))
    with pytest.raises(MintageError, match="is in the component late"):
        mix(tmp_path, settings, datetime(2020, 1, 3, tzinfo=UTC), "local")


def test_a_replaced_vintage_is_in_no_part_of_a_mix(tmp_path):
    def vintage(text: str, day: int, supersedes: str | None = None) -> Document:
        return Document.make(
            source="a",
            native_id=str(day),
            text=text,
            licence="l",
            use="ship",
            available_at=datetime(2020, 1, day, tzinfo=UTC),
            supersedes=supersedes,
        )

    first = vintage("x" * 100, 1)
    store.write_documents(tmp_path, [first, vintage("y" * 30, 5, first.doc_id)])
    refine(tmp_path)
    settings = MixSettings((Component("all", 1),))
    read = [mix(tmp_path, settings, datetime(2020, 1, day, tzinfo=UTC), "ship") for day in (2, 5)]
    assert [report.shares[0].characters for report in read] == [100, 30]
    assert mix(tmp_path, settings, None, "ship").shares[0].characters == 30


def test_a_document_belongs_to_the_part_of_its_kind_and_day(tmp_path):
    def make(native_id: str, kind: str, moment: datetime) -> Document:
        return Document.make(
            source="a",
            native_id=native_id,
            kind=kind,
            text=f"text {native_id}",
            licence="l",
            use="ship",
            available_at=moment,
        )

    midnight = datetime(2020, 1, 5, tzinfo=UTC)
    store.write_documents(
        tmp_path,
        [
            make("0", "news", midnight),
            make("1", "text", midnight),
            make("2", "text", midnight.replace(day=4)),
        ],
    )
    refine(tmp_path)
    components = (
        Component("news", 1, kinds=("news",)),
        Component("before", 1, until=date(2020, 1, 5)),
        Component("since", 1, since=date(2020, 1, 5)),
    )
    report = mix(tmp_path, MixSettings(components), None, "ship")
    assert [share.documents for share in report.shares] == [1, 1, 1]
    assert report.outside == 0
