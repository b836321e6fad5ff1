"""The words that pocket understands: its sources, and what people call them."""

import re

from host_bridge.errors import BadRequest

SYNONYMS: dict[str, tuple[str, ...]] = {
    "drums": (
        "drum",
        "drum kit",
        "drumkit",
        "drum set",
        "drum loop",
        "drum machine",
        "percussion",
        "beat",
        "breakbeat",
    ),
    "bass": ("bass guitar", "electric bass", "bassline", "bass line", "synth bass", "double bass", "upright bass"),
    "piano": ("grand piano", "keys", "keyboard", "electric piano", "rhodes", "upright piano"),
    "acoustic guitar": ("nylon guitar", "steel string guitar", "classical guitar", "folk guitar"),
    "electric guitar": ("guitar", "guitars", "distorted guitar", "lead guitar", "rhythm guitar", "clean guitar"),
    "organ": ("hammond", "hammond organ", "church organ", "pipe organ"),
    "strings": ("string", "string section", "string ensemble", "string orchestra"),
    "violin": ("viola", "fiddle", "solo violin"),
    "trumpet": ("trombone", "brass", "brass section", "horns"),
    "saxophone": ("sax", "alto sax", "tenor sax", "alto saxophone", "tenor saxophone"),
    "flute": ("pan flute", "piccolo"),
    "choir": ("choral singing", "vocal choir", "aahs", "oohs"),
    "synth lead": ("synth", "synthesizer", "synthesiser", "lead synth", "lead"),
    "marimba": ("xylophone", "vibraphone", "vibes", "glockenspiel", "mallets", "mallet"),
    "speech": ("voice", "dialogue", "dialog", "talking", "speaking", "spoken word", "speaker", "narrator", "narration"),
}
"""Each source with what people call it: the General MIDI programs that it was trained on, and nothing further off."""

SOURCES = tuple(SYNONYMS)
NAMES = {name: source for source, others in SYNONYMS.items() for name in (source, *others)}
_FILLERS = re.compile(r"\b(the|a|an|some|sound of|sounds of|recording of|playing|solo)\b")
_JOINTS = re.compile(r"\s*(?:,|&|\+|/|\band\b|\bwith\b)\s*")


def sources(prompt: str) -> tuple[str, ...]:
    """The sources that a prompt names, each once: "the drum kit and a bass" -> ("drums", "bass"); "" -> ().

    Raises BadRequest where a part of it is not in the vocabulary.
    """
    if not prompt:
        return ()
    parts = [" ".join(_FILLERS.sub(" ", part).split()) for part in _JOINTS.split(prompt.lower().strip(" .!"))]
    named = [NAMES.get(part) or NAMES.get(part.removesuffix("s")) for part in parts]
    for part, name in zip(parts, named, strict=True):
        if name is None:
            raise BadRequest(
                f'The embedded model does not know "{part or prompt}"; it knows {", ".join(SOURCES)}.',
                "Use one of these, or choose a model that follows any text: `zerostem models list`.",
            )
    return tuple(dict.fromkeys(name for name in named if name))
