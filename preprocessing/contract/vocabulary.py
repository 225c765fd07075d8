# SPDX-License-Identifier: MIT
"""Knows the words by which radiographs are named: parts of the body, views, papers.

One table for the tags of DICOM files and for the view column of a label file, in English, German,
French, Spanish, Portuguese and Italian. Case, accents, digits and punctuation do not count. The
longest phrase counts, so that the thoracic spine is not the thorax, and a word that begins with one
for the chest is read in two parts (ThoraxPA). The setting `words` adds a hospital's own.
"""

import contextlib
import dataclasses
import functools
import re
from collections.abc import Mapping

from preprocessing.contract import cells
from preprocessing.contract.errors import ConfigError

CHEST, OTHER, PAPER, PA, AP, FRONTAL, NOT_FRONTAL, NEVER_FRONTAL, NOTHING = MEANINGS = (
    *("chest", "other", "paper", "PA", "AP", "frontal", "not_frontal", "never_frontal", "nothing"),
)

# Phrases with commas between them. Words of two meanings are left out unless a phrase tells them
# apart: "pie" is a foot, "de pie" is upright; French "main" is a hand.
_TABLE = {
    CHEST: """
        chest, thorax, cxr, lung, lungs, lunge, lungen, brustkorb, torax, t rax, pecho, pulmon,
        pulmones, peito, pulmao, pulmoes, torace, petto, polmone, polmoni, poitrine, poumon,
        poumons, pulmonaire, pulmonar, polmonare, thoracique, torácica, torácico, teletórax,
        teletorace""",
    OTHER: """
        abdomen, abd, abdominal, kub, pelvis, pelvic, hip, hips, knee, knees, ankle, ankles, foot,
        feet, hand, hands, wrist, wrists, elbow, elbows, shoulder, shoulders, clavicle, clavicles,
        scapula, sternum, rib, ribs, spine, cspine, tspine, lspine, thoracic spine, dorsal spine,
        thoracolumbar, cervical, lumbar, vertebra, vertebrae, scoliosis, skull, head, neck, jaw,
        mandible, maxilla, facial, sinus, sinuses, orbit, orbits, nose, mastoid, costal, extremity,
        leg, legs, arm, arms, femur, tibia, fibula, humerus, forearm, finger, fingers, thumb, toe,
        toes, heel, calcaneus, patella, sacrum, coccyx, breast, breasts, mammography, colon,
        stomach, bladder, kidney, teeth, tooth, whole body, bone age,
        rachis thoracique, colonne thoracique, columna torácica, coluna torácica, colonna toracica,
        rachide toracico,
        knie, kniegelenk, hüfte, hüftgelenk, becken, beckenübersicht, schulter, schultergelenk,
        handgelenk, fuß, füße, vorfuß, sprunggelenk, osg, usg, ellenbogen, ellbogen, wirbelsäule,
        hws, bws, lws, halswirbelsäule, brustwirbelsäule, lendenwirbelsäule, schädel, kopf, hals,
        bauch, abdomenübersicht, oberschenkel, unterschenkel, oberarm, unterarm, daumen, zeh, zehe,
        zehen, ferse, rippe, rippen, rippenthorax, hemithorax, schlüsselbein, clavicula, klavikula,
        brustbein, steißbein, kreuzbein, kiefer, zahn, zähne, nasennebenhöhlen, nnh, nasenbein,
        mamma, bein, ganzbein,
        genou, genoux, hanche, hanches, bassin, épaule, épaules, main droite, main gauche, mains,
        poignet, poignets, cheville, chevilles, pied, pieds, coude, coudes, rachis, colonne, crâne,
        tête, cou, ventre, asp, fémur, avant bras, bras, jambe, jambes, cuisse, doigt, pouce,
        orteil, orteils, talon, gril costal, grill costal, clavicule, omoplate, mâchoire, mandibule,
        dents, rotule, seins, mammographie,
        rodilla, rodillas, cadera, caderas, hombro, hombros, mano, manos, muñeca, tobillo, tobillos,
        pie derecho, pie izquierdo, pies, codo, codos, columna, cráneo, cabeza, cuello, vientre,
        peroné, húmero, antebrazo, brazo, pierna, piernas, muslo, dedo, dedos, pulgar, costilla,
        costillas, parrilla costal, clavícula, escápula, esternón, sacro, coxis, cóccix, mandíbula,
        dientes, senos paranasales, rótula, mama, mamas, mamografía,
        joelho, joelhos, quadril, bacia, ombro, ombros, mão, mãos, punho, tornozelo, pé direito,
        pé esquerdo, pés, cotovelo, coluna, crânio, cabeça, pescoço, abdome, antebraço, braço,
        perna, pernas, coxa, polegar, calcanhar, costela, costelas, arcos costais, seios da face,
        dentes,
        ginocchio, ginocchia, anca, bacino, spalla, spalle, mani, polso, caviglia, piede,
        piedi, gomito, colonna, rachide, cranio, testa, collo, addome, femore, perone, omero,
        avambraccio, braccio, gamba, gambe, coscia, dito, dita, pollice, calcagno, tallone, costola,
        coste, costato, emicostato, clavicola, scapola, sterno, coccige, mandibola, denti,
        seni paranasali, mammella, mammelle""",
    PAPER: """
        form, scanned, document, documents, report, request, requisition, consent, worksheet,
        questionnaire, dose report, formular, dokument, anforderung, befund, bericht, einwilligung,
        fragebogen, formulaire, ordonnance, compte rendu, consentement, formulario, documento,
        solicitud, informe, receta, consentimiento, formulário, solicitação, laudo, consentimento,
        modulo, referto, richiesta, consenso""",
    PA: """
        pa, p a, posteroanterior, postero anterior, posterior anterior, posterior to anterior,
        posterioranterior, dorsoventral, dorso ventral, posteroanteriore, postero anteriore,
        postéroantérieur, postéro antérieur, postéroantérieure, postéro antérieure,
        posteroantérieur""",
    AP: """
        ap, a p, anteroposterior, antero posterior, anterior posterior, anterior to posterior,
        anteriorposterior, ventrodorsal, ventro dorsal, anteroposteriore, antero posteriore,
        antéropostérieur, antéro postérieur, antéropostérieure, antéro postérieure""",
    FRONTAL: "frontal, frontale, front, face, de face, frente, de frente, frontalaufnahme",
    # Beside a frontal one it is the other view of a series: CHEST PA AND LATERAL. A decubitus alone
    # is supine in most languages.
    NOT_FRONTAL: """
        lateral, lat, ll, rl, l l, llat, rlat, lateralis, lateromedial, sagittal, axial, decubitus,
        decub, seitlich, seitl, seitlage, seitaufnahme, seitbild, profilaufnahme, profil, perfil,
        decúbito, laterale, laterolaterale, latero laterale, latero lateral, profilo, cross table,
        crosstable, xtable, x table""",
    # Not even where the direction of the rays is named too: CHEST PA OBLIQUE.
    NEVER_FRONTAL: """
        oblique, obliques, obl, obli, rlo, llo, rao, lao, rpo, lpo, tangential, swimmers, swimmer,
        rld, lld, lateral decubitus, decubitus lateral, lat decubitus, lateral decub, lat decub,
        schräg, schrägaufnahme, oblicua, oblicuo, oblicuas, oblíqua, oblíquo, oblíquas, obliqua,
        obliquo, oblique antérieure, décubitus latéral, decúbito lateral, decubito laterale,
        seitenlage""",
    NOTHING: """
        decubitus dorsal, décubitus dorsal, dorsal decubitus, supine decubitus, decúbito dorsal,
        decúbito supino, decubito prono, de pie, de pé, em pé, in piedi, c arm, c arc,
        sagittaler strahlengang, unknown, other, none, unspecified, nan, na, n a, null, unbekannt,
        inconnu, desconocido, desconhecido, sconosciuto""",
}
# Lateral as the whole of a view, anywhere else a side.
_SIDES = {("l",), ("r",)}
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
# Shorter ones begin other words.
_LEAST_STEM = 5


@dataclasses.dataclass(frozen=True)
class Said:
    """What a text says.

    Attributes:
        words: meaning -> the first phrase of the table that has it, in capital letters.
        is_empty: the text has no words.
    """

    words: Mapping[str, str]
    is_empty: bool

    @property
    def is_unknown(self) -> bool:
        """Whether there are words, but none that the table has."""
        return not self.words and not self.is_empty

    @property
    def view(self) -> str:
        """The direction of the rays, "AP" or "PA"; "" if none or both are named."""
        found = [view for view in (AP, PA) if view in self.words]
        return found[0] if len(found) == 1 else ""

    @property
    def not_frontal(self) -> str:
        """The word for a view that is not frontal, unless one beside it may be meant; else ""."""
        beside = "" if self.is_frontal else self.words.get(NOT_FRONTAL, "")
        return self.words.get(NEVER_FRONTAL) or beside

    @property
    def is_frontal(self) -> bool:
        """Whether a frontal view is named, if only among others."""
        return bool({AP, PA, FRONTAL} & self.words.keys())


class Vocabulary:
    """The table, with words of a hospital's own.

    Args:
        more: word or phrase -> meaning, of `MEANINGS`; goes before the table. Of the phrase "" it
            is the view of a chest film whose tags name neither part nor view.

    Attributes:
        silent: that view, or "" for none.

    Raises:
        ConfigError: a word without letters or of a meaning that does not exist.
    """

    def __init__(self, more: Mapping[str, str]) -> None:
        self._phrases = dict(_phrases())
        self.silent = more.get("", "")
        if self.silent not in ("", PA, AP, FRONTAL):
            raise ConfigError(f"words.'' is {self.silent!r}: use PA, AP or frontal")
        for phrase, meaning in more.items():
            if not phrase:
                continue
            words = _words(phrase)
            if not words:
                raise ConfigError(f"words names {phrase!r}, which has no letters: remove it")
            if meaning not in MEANINGS:
                raise ConfigError(
                    f"words.{phrase} is {meaning!r}: use one of {', '.join(MEANINGS)}"
                )
            self._phrases[words] = meaning
        self._longest = max(map(len, self._phrases))
        stems = (
            words[0]
            for words, meaning in self._phrases.items()
            if meaning == CHEST and len(words) == 1 and len(words[0]) >= _LEAST_STEM
        )
        self._stems = sorted(stems, key=len, reverse=True)

    def read(self, text: str) -> Said:
        """Reads a description, such as "Thorax p.a. im Stehen"."""
        words, found, at = self._split(_words(text)), dict[str, str](), 0
        while at < len(words):
            for length in range(min(self._longest, len(words) - at), 0, -1):
                phrase = words[at : at + length]
                if phrase in self._phrases:
                    found.setdefault(self._phrases[phrase], " ".join(phrase).upper())
                    break
            at += length
        return Said(found, is_empty=not words)

    def read_view(self, text: str) -> Said:
        """Reads a field that holds a view and nothing else, where L is a lateral one."""
        words = _words(text)
        if words in _SIDES and words not in self._phrases:
            return Said({NOT_FRONTAL: words[0].upper()}, is_empty=False)
        return self.read(text)

    def _split(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Parts a word that begins with one of the chest: ThoraxPA, Lungenaufnahme."""
        found: list[str] = []
        for word in words:
            stem = next((stem for stem in self._stems if word.startswith(stem)), "")
            is_known = (word,) in self._phrases or not stem
            found += [word] if is_known else [stem, word[len(stem) :]]
        return tuple(found)


def of(more: Mapping[str, str]) -> Vocabulary:
    """Returns the table with words of a hospital's own, made once for the same words."""
    return _of(tuple(more.items()))


@functools.lru_cache(maxsize=4)
def _of(more: tuple[tuple[str, str], ...]) -> Vocabulary:
    return Vocabulary(dict(more))


@functools.lru_cache(maxsize=1)
def _phrases() -> dict[tuple[str, ...], str]:
    found = {}
    for meaning, text in _TABLE.items():
        for phrase in text.split(","):
            for spelling in (phrase, phrase.translate(_UMLAUTS)):
                found[_words(spelling)] = meaning
    return found


def _words(text: str) -> tuple[str, ...]:
    """Returns the words of a text in small letters without accents.

    >>> _words("TÓRAX_p.a. (2)")
    ('torax', 'p', 'a')
    """
    with contextlib.suppress(UnicodeError):
        text = text.encode("latin-1").decode()  # UTF-8 in a file that does not say so
    return tuple(re.findall(r"[^\W\d_]+", cells.folded(text)))
