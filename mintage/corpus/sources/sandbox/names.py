"""Invented names: companies, people, places and products. Syllables, so that there are always names left over."""

from __future__ import annotations

from mintage.corpus.sources.sandbox.randomness import Stream

_HEADS = (
    "Al", "Bar", "Bel", "Bren", "Cal", "Cor", "Dal", "Del", "Dor", "El", "Fal", "Fen", "Gal", "Gar", "Hal", "Hes", "Ister",
    "Jor", "Kal", "Kes", "Lan", "Lor", "Mar", "Mel", "Mor", "Nal", "Nor", "Ol", "Or", "Pal", "Pel", "Quil", "Ral", "Ros",
    "Sel", "Sor", "Tal", "Tor", "Ul", "Van", "Vel", "Wal", "Wen", "Yar", "Zan", "Zel",
)  # fmt: skip
_MIDDLES = (
    "a", "abri", "adu", "ami", "ando", "ari", "avi", "ebri", "edi", "emo", "enu", "eri", "evo", "ibo", "idu", "ifa", "ima",
    "ino", "iva", "oba", "odi", "ofe", "omi", "oni", "ori", "ova", "uda", "uli", "umo", "uva",
)  # fmt: skip
_TAILS = (
    "dane", "dax", "deen", "gant", "gild", "kast", "kern", "lex", "lind", "lock", "lune", "mark", "mere", "mond", "nix",
    "quay", "quist", "rand", "rell", "rick", "sand", "shaw", "stan", "thorn", "trell", "vane", "vard", "vex", "wick", "zane",
)  # fmt: skip
_FORMS = ("Inc.", "Corporation", "Holdings Inc.", "Group Inc.", "Company", "Limited")
_GIVEN = (
    "Adela", "Amos", "Beatrix", "Bruno", "Carla", "Cedric", "Dagny", "Darius", "Edith", "Elias", "Fern", "Felix", "Greta",
    "Gideon", "Hanna", "Hugo", "Imogen", "Ivan", "Joanna", "Jasper", "Kira", "Lars", "Lydia", "Magnus", "Mira", "Nadia",
    "Nolan", "Odette", "Oscar", "Petra", "Quentin", "Rosa", "Rupert", "Selma", "Silas", "Tessa", "Tobias", "Ursula",
    "Victor", "Wanda", "Wesley", "Xenia", "Yusuf", "Zelda",
)  # fmt: skip
_SURNAME_HEADS = (
    "Ack", "Alder", "Ash", "Beck", "Brack", "Cran", "Dray", "Dun", "Ember", "Fair", "Gran", "Hart", "Hol", "Jes", "Kirk",
    "Lang", "Mad", "Mont", "Nor", "Oak", "Pem", "Pen", "Ran", "Rut", "Sel", "Stan", "Thorn", "Under", "Wain", "Whit",
)  # fmt: skip
_SURNAME_TAILS = (
    "beck", "berg", "bourne", "by", "combe", "dale", "dell", "field", "ford", "ham", "hurst", "ley", "low", "man", "more",
    "nick", "ridge", "sen", "shaw", "stead", "ton", "vall", "way", "wood", "worth",
)  # fmt: skip
_PLACES = (
    "Ardmoor", "Belhaven Point", "Carrow Falls", "Dunmere", "Eastvale", "Fenwick Bay", "Glasford", "Harrowgate Mills",
    "Ironbridge", "Juniper Hill", "Kestrel Harbor", "Lowmarsh", "Millbrook Heights", "Northgate", "Oldbury", "Port Alder",
    "Quarry Lake", "Redcliff", "Saltmarsh", "Thornbury", "Upper Wells", "Vale City", "Westmere", "Yarrow Springs",
)  # fmt: skip
_PRODUCT_ROOTS = (
    "Aero", "Arc", "Bright", "Clear", "Core", "Delta", "Echo", "Ever", "Flex", "Grid", "Halo", "Ion", "Jet", "Key", "Lumen",
    "Meta", "Nova", "Omni", "Path", "Prime", "Quad", "Rapid", "Signal", "Terra", "Ultra", "Vista", "Wave", "Zen",
)  # fmt: skip
_PRODUCT_TAILS = ("base", "bond", "cast", "dex", "flow", "form", "fuse", "gate", "line", "link", "mesh", "pro", "sense", "track")
_FIRMS = ("Securities", "Research", "Capital Markets", "Partners", "& Company", "Equity Research")


def company_name(stream: Stream) -> str:
    """One invented word, such as "Veladuquist": about 40,000 are possible."""
    return stream.pick(_HEADS) + stream.pick(_MIDDLES) + stream.pick(_TAILS)


def company_names(seed: int, count: int) -> list[str]:
    """`count` different company names; a longer list of the same seed begins with the shorter one."""
    stream = Stream(seed, "company names")
    names: dict[str, None] = {}
    while len(names) < count:
        names[company_name(stream)] = None
    return list(names)


def ticker(name: str, taken: set[str]) -> str:
    """Five capitals from the name, different from those taken."""
    letters = name.upper()
    consonants = letters[0] + "".join(letter for letter in letters[1:] if letter not in "AEIOU")
    base = (consonants + letters[::-1])[:4]
    for last in consonants[4:] + "ABCDEGHIJKLMNOPRSTUVWZ":
        if base + last not in taken:
            return base + last
    return ticker(name[1:] + name[0].lower(), taken)


def legal_form(stream: Stream) -> str:
    """ "Inc.", "Corporation" and so on."""
    return stream.pick(_FORMS)


def person(stream: Stream) -> str:
    """A given name and an invented surname."""
    return f"{stream.pick(_GIVEN)} {stream.pick(_SURNAME_HEADS)}{stream.pick(_SURNAME_TAILS)}"


def place(stream: Stream) -> str:
    """A town of the sandbox's country."""
    return stream.pick(_PLACES)


def product(stream: Stream) -> str:
    """A product's name, such as "Lumenflow"."""
    return stream.pick(_PRODUCT_ROOTS) + stream.pick(_PRODUCT_TAILS)


def research_firm(stream: Stream) -> str:
    """A brokerage's name."""
    return f"{stream.pick(_SURNAME_HEADS)}{stream.pick(_SURNAME_TAILS)} {stream.pick(_FIRMS)}"
