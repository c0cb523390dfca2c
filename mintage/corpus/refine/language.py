"""The language of a text: by its script where the script tells, else by which language's commonest words it
uses."""

from __future__ import annotations

import re

import numpy as np

from mintage.corpus.refine.words import Words, word_hash

UNKNOWN = "und"  # BCP 47's tag for an undetermined language
SAMPLE_CHARACTERS = 20_000
LEAST_SHARE = 0.08  # of a text's words that must be among the commonest of its language

SCRIPTS = {
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "ko": re.compile(r"[\uac00-\ud7af]"),
    "zh": re.compile(r"[\u4e00-\u9fff]"),
    "ru": re.compile(r"[\u0400-\u04ff]"),
    "el": re.compile(r"[\u0370-\u03ff]"),
    "ar": re.compile(r"[\u0600-\u06ff]"),
    "he": re.compile(r"[\u0590-\u05ff]"),
    "hi": re.compile(r"[\u0900-\u097f]"),
    "th": re.compile(r"[\u0e00-\u0e7f]"),
}
LETTERS = re.compile(r"[^\W\d_]")

# Words that only one of these languages has, or that are far commoner in it than in the others.
COMMON = {
    "en": "the of and to in a is that for on with as are be by was this from at an we our or it which "
    "have has were will not their its would been these they but you i there about",
    "de": "der die und das den von zu mit sich des auf für ist im dem nicht ein eine als auch werden "
    "wird bei einer um sind aus nach hat oder wurde durch wie sowie",
    "fr": "le la les de des et du une est que qui dans pour pas au sur par plus avec ce cette ont aux "
    "être sont nous vous été ses leur mais ou",
    "es": "el la los las de que y en del se por con una para su es al lo como más pero sus este ha esta "
    "entre cuando sobre también fue años",
    "it": "il di che la e un una per è del della non con si sono dei delle nel alla anche più gli come "
    "dal ha questo nella alle degli",
    "pt": "o de que e do da em um para com não uma os no se na por mais as dos como mas ao das à seu "
    "sua ou quando também pelo pela até são",
    "nl": "de het een en van ik te dat die in is niet op aan met als voor zijn er maar om door over ze "
    "bij ook tot uit worden naar wordt heeft",
    "sv": "och att det som en på är av för med till den har inte om ett men var jag från så kan när vi "
    "ut sig eller under också",
    "pl": "w i na z do się nie że to jest o jak po co za od przez przy oraz ale dla są które być tym "
    "może został roku",
}
HASHES = {
    language: np.array([word_hash(word) for word in sorted(set(words.split()))], np.uint64)
    for language, words in COMMON.items()
}
EVERY = np.unique(np.concatenate(list(HASHES.values())))
OTHER_SCRIPT = re.compile(r"[\u0370-\u1cff\u2e80-\ud7af]")


def common_word_shares(words: Words) -> dict[str, float]:
    """For each language the share of words that are among its commonest."""
    places = np.searchsorted(EVERY[:-1], words.hashes)
    counts = np.bincount(places[EVERY[places] == words.hashes], minlength=len(EVERY))
    return {
        language: float(counts[np.searchsorted(EVERY, hashes)].sum()) / max(len(words.hashes), 1)
        for language, hashes in HASHES.items()
    }


def language_of(text: str, common: dict[str, float]) -> str:
    """The ISO 639-1 code of a text's language, or "und" where it cannot be told.

    `common` is its `common_word_shares`. Lists of names and tables of figures have no language.
    """
    sample = text[:SAMPLE_CHARACTERS]
    if not sample.isascii() and OTHER_SCRIPT.search(sample):
        letters = len(LETTERS.findall(sample))
        for language, script in SCRIPTS.items():
            if len(script.findall(sample)) > letters / 3:
                return language
    best = max(common, key=lambda language: common[language])
    return best if common[best] >= LEAST_SHARE else UNKNOWN
