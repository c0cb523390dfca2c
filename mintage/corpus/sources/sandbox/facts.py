"""Facts for templates: figures of the tables written out, and the words for how they moved."""

from __future__ import annotations

from mintage.corpus.sources.sandbox.clock import ORDINALS, Period
from mintage.corpus.sources.sandbox.grammar import expand, sections
from mintage.corpus.sources.sandbox.randomness import Stream
from mintage.corpus.sources.sandbox.tables import Company, Statement

# What companies call their items; each company keeps to its own choice.
LABELS: dict[str, tuple[str, ...]] = {
    "revenue": ("revenue", "net sales", "total revenue", "net revenue", "sales"),
    "cost_of_revenue": ("cost of revenue", "cost of sales", "cost of goods sold"),
    "gross_profit": ("gross profit",),
    "research": ("research and development expense", "research and development costs", "engineering expense"),
    "selling": (
        "selling, general and administrative expense",
        "selling and administrative expense",
        "operating overhead",
    ),
    "depreciation": ("depreciation and amortization",),
    "special_charges": ("special charges", "restructuring and other charges", "unusual items"),
    "operating_income": ("operating income", "income from operations", "operating profit"),
    "interest_expense": ("interest expense", "net interest expense"),
    "pretax_income": ("income before taxes", "pretax income"),
    "income_tax": ("income tax expense", "provision for income taxes"),
    "net_income": ("net income", "net earnings"),
    "earnings_per_share": ("diluted earnings per share", "earnings per diluted share"),
    "cash": ("cash and cash equivalents", "cash and equivalents"),
    "receivables": ("accounts receivable", "trade receivables"),
    "inventories": ("inventories",),
    "other_assets": ("other assets", "prepaid expenses and other assets"),
    "property": ("property, plant and equipment, net", "property and equipment, net"),
    "goodwill": ("goodwill and intangible assets",),
    "total_assets": ("total assets",),
    "payables": ("accounts payable", "trade payables"),
    "accrued": ("accrued liabilities", "accrued expenses"),
    "debt": ("total debt", "borrowings"),
    "total_liabilities": ("total liabilities",),
    "paid_in_capital": ("common stock and paid-in capital, net of treasury stock",),
    "retained_earnings": ("retained earnings",),
    "total_equity": ("total stockholders' equity", "total shareholders' equity"),
    "operating_cash": ("cash provided by operating activities", "operating cash flow"),
    "capital_spending": ("capital expenditures", "capital spending"),
}
OUTFLOWS = (
    "capital_spending",
    "acquisitions",
    "dividends",
    "buybacks",
)  # negative in the tables, spoken of as amounts
_SIGNED = {
    "operating_cash": ("an inflow of", "an outflow of"),
    "total_equity": ("a surplus of", "a deficit of"),
    "retained_earnings": ("a surplus of", "an accumulated deficit of"),
}


def labels(company: Company) -> dict[str, str]:
    """What this company calls its items, in lower case."""
    stream = Stream("labels", company.ticker, company.name)
    return {item: stream.pick(names) for item, names in LABELS.items()}


def number(value: int) -> str:
    """With thousands separators; minus sign for negative values."""
    return f"{value:,}"


def tenths(value: int) -> str:
    """Tenths of a percent as "12.3%"."""
    return f"{'-' if value < 0 else ''}{abs(value) // 10}.{abs(value) % 10}%"


def hundredths(value: int) -> str:
    """Hundredths of a percent as "2.25%"."""
    return f"{'-' if value < 0 else ''}{abs(value) // 100}.{abs(value) % 100:02d}%"


def dollars(cents: int) -> str:
    """Cents as "$1,234.56"."""
    return f"{'-' if cents < 0 else ''}${abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def money(value: int, company: Company) -> str:
    """ "$1,234 million" in the company's unit; the sign is left to the words around it."""
    return f"${abs(value):,} {company.unit}"


def ratio_tenths(part: int, whole: int) -> int:
    """|part / whole| in tenths of a percent, rounded half up; `whole` is not 0."""
    return (2000 * abs(part) + abs(whole)) // (2 * abs(whole))


def quarter_words(period: Period) -> str:
    """ "the second quarter of 2014", or "2014"."""
    return f"the {ORDINALS[period.quarter]} quarter of {period.year}" if period.quarter else str(period.year)


class Facts:
    """Slots of templates, computed when they are asked for.

    Plain texts by their name; figures by the name of their item (`revenue`), with a form after a dot:
    `.before` a year earlier, `.change` and `.percent` since then, `.rose`/`.rise`/`.rising`/`.higher` words
    for the move, `.moved` a whole clause about it, `.share` the percentage of revenue, `.signed` with a word
    for its sign.
    """

    def __init__(self, stream: Stream, company: Company, texts: dict[str, str] | None = None) -> None:
        self.stream, self.company = stream, company
        self.texts = {
            "company": company.name,
            "legal_name": company.legal_name,
            "ticker": company.ticker,
            "sector": company.sector.name,
            "home": company.home,
            "unit": company.unit,
            **(texts or {}),
        }
        self.names = labels(company)
        self.figures: dict[str, tuple[int, int | None]] = {}
        self.written: dict[str, str] = {}  # figures that are not money, as they are written

    def period(self, now: Statement, before: Statement | None) -> Facts:
        """Take in the accounts of a period and of the one to compare with."""
        for item, value in now.values.items():
            sign = -1 if item in OUTFLOWS else 1
            self.figures[item] = (sign * value, sign * before.values[item] if before else None)
        self.texts["period"] = quarter_words(now.period)
        self.texts["label"] = now.period.label
        self.texts["end"] = f"{now.period.end:%B} {now.period.end.day}, {now.period.end.year}"
        self.texts["span"] = "quarter" if now.period.quarter else "year"
        if before:
            self.texts["period_before"] = quarter_words(before.period)
            self.texts["ago"] = (
                "a year earlier" if before.period == now.period.year_before() else "a quarter earlier"
            )
        earned, earned_before = self.figures["earnings_per_share"]
        self.written["earnings_per_share"] = dollars(earned)
        self.written["earnings_per_share.before"] = dollars(earned_before or 0)
        return self

    def figure(self, item: str, now: int, before: int | None, form: str = "money", name: str = "") -> Facts:
        """Take in one more figure: money in the company's unit, a count, or a rate in tenths of a percent."""
        self.figures[item] = (now, before)
        self.names[item] = name or self.names.get(item, item)
        for key in (item, f"{item}.before"):
            self.written.pop(key, None)
        if form != "money":
            write = number if form == "count" else tenths
            self.written[item] = write(now)
            self.written[f"{item}.before"] = write(before) if before is not None else ""
        return self

    def text(self, **texts: str) -> Facts:
        """Take in plain texts."""
        self.texts.update(texts)
        return self

    def comparable(self, item: str) -> bool:
        """Whether both figures are positive, so that a percentage of change says something."""
        now, before = self.figures[item]
        return now > 0 and before is not None and before > 0

    def direction(self, item: str) -> int:
        """1 when the figure rose, -1 when it fell, 0 when it stood still or there is none before."""
        now, before = self.figures[item]
        return 0 if before is None else (now > before) - (now < before)

    def __getitem__(self, key: str) -> str:
        if key in self.texts:
            return self.texts[key]
        if key in self.written:
            return self.written[key]
        item, _, form = key.partition(".")
        if item not in self.figures and item not in self.names:
            raise KeyError(key)
        return getattr(self, f"_{form or 'now'}")(item)

    def _name(self, item: str) -> str:
        return self.names[item]

    def _now(self, item: str) -> str:
        return money(self.figures[item][0], self.company)

    def _before(self, item: str) -> str:
        return money(self.figures[item][1] or 0, self.company)

    def _change(self, item: str) -> str:
        now, before = self.figures[item]
        if item == "earnings_per_share":
            return dollars(abs(now - (before or 0)))
        if item in self.written:
            return number(abs(now - (before or 0)))
        return money(now - (before or 0), self.company)

    def _points(self, item: str) -> str:
        """The change of a rate in basis points."""
        now, before = self.figures[item]
        return number(10 * abs(now - (before or 0)))

    def _percent(self, item: str) -> str:
        now, before = self.figures[item]
        return tenths(ratio_tenths(now - (before or 0), before or 1))

    def _share(self, item: str) -> str:
        return tenths(ratio_tenths(self.figures[item][0], self.figures["revenue"][0]))

    def _share_before(self, item: str) -> str:
        return tenths(ratio_tenths(self.figures[item][1] or 0, self.figures["revenue"][1] or 1))

    def _signed(self, item: str) -> str:
        words = _SIGNED.get(item, ("a profit of", "a loss of"))
        return f"{words[self.figures[item][0] < 0]} {self[item].lstrip('-')}"

    def _signed_before(self, item: str) -> str:
        words = _SIGNED.get(item, ("a profit of", "a loss of"))
        return f"{words[(self.figures[item][1] or 0) < 0]} {self[f'{item}.before'].lstrip('-')}"

    def _size(self, item: str) -> str:
        """How far it moved: "still", or small, middle or large, and the direction."""
        direction = self.direction(item)
        now, before = self.figures[item]
        if not direction or before is None:
            return "still"
        share = abs(now - before) / max(1, abs(before))
        size = "small" if share < 0.02 else "large" if share > 0.15 else "middle"
        return f"{size} {'up' if direction > 0 else 'down'}"

    def _word(self, kind: str, item: str) -> str:
        return expand(self.stream.pick(sections("words")[f"{kind} {self._size(item)}"]), self.stream, self)

    def _rose(self, item: str) -> str:
        return self._word("rose", item)

    def _rise(self, item: str) -> str:
        return self._word("rise", item)

    def _rising(self, item: str) -> str:
        return self._word("rising", item)

    def _higher(self, item: str) -> str:
        return ("unchanged", "higher", "lower")[self.direction(item)]

    def _because(self, kind: str, item: str) -> str:
        direction = ("still", "up", "down")[self.direction(item)]
        return expand(self.stream.pick(sections("words")[f"{kind} {direction}"]), self.stream, self)

    def _reason(self, item: str) -> str:
        return self._because("reason", item)

    def _margin_reason(self, item: str) -> str:
        """A reason for the change of the item's share of revenue."""
        now, before = self.figures[item]
        revenue, revenue_before = self.figures["revenue"]
        gain = now * (revenue_before or 1) - (before or 0) * revenue
        kind = "still" if not gain else "up" if gain > 0 else "down"
        return expand(self.stream.pick(sections("words")[f"margin_reason {kind}"]), self.stream, self)

    def _cash_reason(self, item: str) -> str:
        return self._because("cash_reason", item)

    def _moved(self, item: str) -> str:
        """A clause such as "rose 3.2% to $1,234 million from $1,196 million a year earlier"."""
        now, before = self.figures[item]
        if before is None:
            kind = "alone"
        elif now > 0 and before > 0:
            kind = "still" if now == before else "positive"
        elif now == 0 or before == 0:
            kind = "none" if now == before else "to none" if now == 0 else "from none"
        else:
            kind = "signed"
        template = self.stream.pick(sections("words")[f"moved {kind}"])
        return expand(template.replace("@", item), self.stream, self)
