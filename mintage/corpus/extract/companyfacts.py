"""Companyfacts to dated documents: what each filing newly reported, and what a later one changed of it.

The facts that a filing reports first are cut by topic into sheets, and each sheet becomes a document,
available when the filing was. The sheet keeps its facts for ever; when a later filing states another value of
one of them, the sheet is written again with the values as they then stood and what they were before, as a new
vintage that supersedes the last, available with the later filing. At any T the latest vintages together say
exactly what the as-of store (`vintages.as_of`) says, and nothing in them depends on what was filed after T.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mintage.corpus.document import Document
from mintage.corpus.extract.figures import chosen, form_of, quantity
from mintage.corpus.extract.statements import Row, period_exactly, rows_text
from mintage.corpus.extract.topics import TOPICS, in_sentence, is_percentage, rank_of, topic_of
from mintage.corpus.extract.vintages import Answer, Company, Fact, Filing, Item, name_at, read_company
from mintage.corpus.sources.report import SourceReport

SHEET_FACTS = 60
ANNUAL_FORMS = ("10-K", "20-F", "40-F")

HEADS = (
    "{name} (CIK {cik}): {topic}",
    "{name}, CIK {cik}, {topic}",
    "Company: {name} (CIK {cik})\nSubject: {topic}",
)
ORIGINS = (
    "Form {form}, accession {accession}, filed {filed}.",
    "Filed {filed} in form {form}, accession {accession}.",
    "Source: form {form} filed {filed} (accession {accession}).",
)
INTRODUCTIONS = (
    "The following figures ({topic}) are from the form {form} that {name} (CIK {cik}) filed on {filed}, "
    "accession {accession}.",
    "On {filed}, {name} (CIK {cik}) filed form {form}, accession {accession}. Its figures on the subject "
    "{topic} follow.",
    "{name} (CIK {cik}) filed form {form} (accession {accession}) on {filed}. These are its figures on the "
    "subject {topic}.",
)
REPLACEMENTS = (
    "Form {form} filed {filed} (accession {accession}) changed some figures; as of {filed} they are these.",
    "As of {filed}, with the changes that form {form}, accession {accession}, made on that day, they are:",
    "These are the figures as of {filed}, after form {form} (accession {accession}) changed some of them.",
)


@dataclass
class Sheet:
    """The facts that one filing reported first on one topic, and the last document that was made of them."""

    native_id: str
    topic: str
    items: list[Item]
    filing: Filing
    vintage: int
    document: str | None


def documents(answer: Answer, source: str, report: SourceReport | None = None) -> Iterator[Document]:
    """The documents of an answer of companyfacts, in the order in which they became available. `report`
    counts facts that cannot be read."""
    found = report or SourceReport()
    company = read_company(answer.body, answer.acceptance, found, answer.file, answer.latest)
    if company is None:
        return
    known: dict[Item, Fact] = {}
    sheet_of: dict[Item, Sheet] = {}
    for filing, facts in company.filings():
        name = name_at(company.name, answer.former_names, filing.available_at.date())
        new = [fact.item for fact in facts if fact.item not in known]
        changed = {
            fact.item: known[fact.item]
            for fact in facts
            if fact.item in known and known[fact.item].value != fact.value
        }
        known.update((fact.item, fact) for fact in facts)
        fresh = sheets(company, filing, new)
        for sheet in fresh:
            sheet_of.update((item, sheet) for item in sheet.items)
        again = {sheet_of[item].native_id: sheet_of[item] for item in changed}
        for sheet in (*fresh, *again.values()):
            text = sheet_text(company, name, sheet, filing, known, changed)
            document = Document.make(
                source=source,
                native_id=sheet.native_id,
                text=text,
                licence=answer.licence,
                use=answer.use,
                kind="facts",
                title=f"{name}: {sheet.topic}, form {filing.form} filed {filing.filed}",
                available_at=filing.available_at,
                date_precision=filing.precision,
                published_at=filing.available_at if filing.precision == "second" else None,
                period_end=max(item.end for item in sheet.items),
                vintage=sheet.vintage,
                supersedes=sheet.document,
                entities=answer.entities(company, filing),
                url=answer.url,
                raw_sha256=answer.raw_sha256,
                raw_file=answer.file,
            )
            sheet.document, sheet.vintage = document.doc_id, sheet.vintage + 1
            yield document


def sheets(company: Company, filing: Filing, items: Sequence[Item]) -> list[Sheet]:
    """New items by topic, in the order of a statement, cut into sheets of `SHEET_FACTS` at most."""
    by_topic: dict[str, list[Item]] = {topic: [] for topic in TOPICS}
    for item in items:
        by_topic[topic_of(item.taxonomy, item.tag)].append(item)
    found = []
    for topic, own in by_topic.items():
        own.sort(key=lambda item: (rank_of(item.tag), item.tag, item.unit, item.end, item.start or item.end))
        count = -(-len(own) // SHEET_FACTS)
        for part in range(count):
            cut = own[len(own) * part // count : len(own) * (part + 1) // count]
            place = f"/{part + 1}" if count > 1 else ""
            native_id = (
                f"{company.cik}/{filing.accession}/{topic.replace(', ', '-').replace(' ', '-')}{place}"
            )
            found.append(Sheet(native_id, topic, cut, filing, 0, None))
    return found


def sheet_text(
    company: Company,
    name: str,
    sheet: Sheet,
    filing: Filing,
    known: Mapping[Item, Fact],
    changed: Mapping[Item, Fact],
) -> str:
    """A sheet's text: where its figures are from, the figures as they stand, and what the filing changed."""
    labels = distinct_labels(company, sheet.items)
    form = form_of(sheet.native_id)
    rows = [row_of(known[item], labels[item]) for item in sheet.items]
    first = sheet.filing
    slots = {"name": name, "cik": company.cik, "topic": sheet.topic}
    origin = {"form": first.form, "accession": first.accession, "filed": first.filed.isoformat()}
    if form == "prose":
        parts = [chosen(sheet.native_id, INTRODUCTIONS).format(**slots, **origin)]
    else:
        head = chosen(sheet.native_id, HEADS).format(**slots)
        parts = [f"{head}\n{chosen(f'{sheet.native_id} origin', ORIGINS).format(**origin)}"]
    if filing is not first:
        later = {"form": filing.form, "accession": filing.accession, "filed": filing.filed.isoformat()}
        parts.append(chosen(f"{sheet.native_id} {sheet.vintage}", REPLACEMENTS).format(**later))
    annual = first.form.startswith(ANNUAL_FORMS)
    parts.append(rows_text(rows, form, name, sheet.native_id, annual))
    changes = [
        change_text(known[item], changed[item], labels[item]) for item in sheet.items if item in changed
    ]
    if changes:
        parts.append("\n".join(["Changed by this filing:", *changes]))
    return "\n\n".join(parts)


def change_text(now: Fact, before: Fact, label: str) -> str:
    """What a filing changed of a figure, and who had stated the old one."""
    new, old = row_of(now, label), row_of(before, label)
    period = f"at {now.item.end}" if now.item.start is None else period_exactly(new.period)
    return (
        f"- {label} ({period}): {quantity(new.value, new.unit)}, before that {quantity(old.value, old.unit)} "
        f"(form {before.filing.form} filed {before.filing.filed})"
    )


def row_of(fact: Fact, label: str) -> Row:
    """A fact as a row of text. A pure number up to one under a tag that says rate or percent is written in
    percent; a greater one stays as it is, for some filers write 3.85 there and mean percent."""
    item = fact.item
    if item.unit == "pure" and is_percentage(item.tag) and -1 <= fact.value <= 1:
        return Row(label, "percent", item.start, item.end, fact.value.scaleb(2))
    return Row(label, item.unit, item.start, item.end, fact.value)


def distinct_labels(company: Company, items: Sequence[Item]) -> dict[Item, str]:
    """The labels of items; where two tags of the sheet would read alike, the tag's name follows the label."""
    tags = {(item.taxonomy, item.tag) for item in items}
    counts = Counter(in_sentence(company.labels[tag]) for tag in tags)
    return {
        item: label if counts[in_sentence(label)] == 1 else f"{label} [{item.tag}]"
        for item in items
        for label in [company.labels[item.taxonomy, item.tag]]
    }
