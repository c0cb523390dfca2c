"""Quantitative questions about a filing's figures with exact answers, each with its context and its program.

A question combines figures of one filing only, as that filing states them: one vintage, known from one
moment. The program is the calculation on full values (`round((260174000000 - 265595000000) / 265595000000 *
100, 1)`), rounded half up; it stands in the entities (scheme "program") with the result (scheme "answer"),
and the answer shows the same calculation on the figures as the context gives them.
"""

from __future__ import annotations

from collections.abc import Iterator

from mintage.corpus.document import CHAT, Document
from mintage.corpus.extract.companyfacts import ANNUAL_FORMS
from mintage.corpus.extract.figures import chosen
from mintage.corpus.extract.measures import measures
from mintage.corpus.extract.questions import Asker, digest
from mintage.corpus.extract.vintages import Answer, name_at, read_company
from mintage.corpus.sources.report import SourceReport

PER_KIND = 2  # questions of a kind about one filing


def documents(answer: Answer, source: str, report: SourceReport | None = None) -> Iterator[Document]:
    """Chats of one question and one answer from an answer of companyfacts, filing by filing, at most
    `PER_KIND` of a kind about each filing. `report` counts facts that cannot be read."""
    found = report or SourceReport()
    company = read_company(answer.body, answer.acceptance, found, answer.file, answer.latest)
    if company is None:
        return
    for filing, facts in company.filings():
        name = name_at(company.name, answer.former_names, filing.available_at.date())
        amounts = measures(facts)
        asker = Asker(name, amounts, filing.form.startswith(ANNUAL_FORMS))
        form = f"form {filing.form} filed {filing.filed}, accession {filing.accession}"
        origin = f"{name} (CIK {company.cik}), {form}"
        taken: dict[str, int] = {}
        for question in sorted(asker.questions(), key=lambda one: digest(f"{filing.accession} {one.key}")):
            place = taken.get(question.kind, 0) + 1
            if place > PER_KIND:
                continue
            taken[question.kind] = place
            native_id = f"{company.cik}/{filing.accession}/{question.kind}/{place}"
            asked = chosen(native_id, question.templates).format(**question.slots)
            context = asker.context(question, native_id)
            text = question.chat(f"{origin}\n\n{context}", asked)
            yield Document.make(
                source=source,
                native_id=native_id,
                text=text,
                licence=answer.licence,
                use=answer.use,
                kind=CHAT,
                title=question.kind,
                available_at=filing.available_at,
                date_precision=filing.precision,
                published_at=filing.available_at if filing.precision == "second" else None,
                period_end=max(measure.period[1] for measure in question.uses),
                entities=[
                    *answer.entities(company, filing),
                    *question.entities,
                ],
                url=answer.url,
                raw_sha256=answer.raw_sha256,
                raw_file=answer.file,
            )
