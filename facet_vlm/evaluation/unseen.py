"""Labels that training never named score low beside those it did: how much they must be helped.

Training pushes the named labels onto faces of all kinds and nothing onto others. Calibrated stacking (Chao, Changpinyo,
Gong & Sha, An empirical study and analysis of generalized zero-shot learning, ECCV 2016) adds a constant to the scores
of the others. Here it is chosen by gestures, which no training names, on identities that choose epochs as well.
"""

from collections.abc import Sequence

import numpy as np

from facet_vlm.config import ModelConfig
from facet_vlm.evaluation.gestures import LabelledFaces, gesture_faces, gesture_sentences
from facet_vlm.faces.expression_set import ExpressionSet
from facet_vlm.faces.views import view_angles
from facet_vlm.inference import score_images
from facet_vlm.language.prompts import label_sentences
from facet_vlm.network.facet import FacetNetwork
from mesh4d.datasets.labels import EXPRESSIONS

PEOPLE = 6
INTENSITIES = (0.6, 1.0)
MARGINS = np.linspace(0, 0.4, 41)
AT_REST = "rest"
"""The gesture that is the expression neutral by another name."""


def fitted_margin(network: FacetNetwork, model: ModelConfig, validation: ExpressionSet, labels: Sequence[str]) -> float:
    """The margin for which named and unnamed labels are found equally well, on a few of the validation identities.

    Args:
        labels: the expressions that training named.
    """
    people = np.unique(validation.subjects)[:PEOPLE]
    faces = validation.where(np.isin(validation.subjects, people))
    return best_margin(network, model, faces, gesture_faces(people.tolist(), INTENSITIES, model), labels)


def best_margin(
    network: FacetNetwork, model: ModelConfig, faces: ExpressionSet, gestures: LabelledFaces, labels: Sequence[str]
) -> float:
    """Of MARGINS the one with the largest harmonic mean of two recalls.

    Each gesture is put beside the named labels by itself. One recall is the mean over named labels, of their faces; the
    other is the mean over gestures, of theirs.
    """
    new = {name: texts for name, texts in gesture_sentences().items() if name != AT_REST}
    angles, sentences = view_angles(model.rig), {**label_sentences(labels), **new}
    known = np.isin(faces.labels, [EXPRESSIONS.index(label) for label in labels])
    expressed = score_images(network, faces.images[known], angles, sentences).fused
    gestured = score_images(network, gestures.images, angles, sentences).fused
    count, truth = len(labels), faces.labels[known]
    named = expressed[:, :count].argmax(axis=1)
    right = np.array([EXPRESSIONS.index(label) for label in labels])[named] == truth
    best, best_value = 0.0, -1.0
    for margin in MARGINS:
        kept, found = [], []
        for row, name in enumerate(new, start=count):
            holds = right & (expressed[:, :count].max(axis=1) >= expressed[:, row] + margin)
            kept.append(np.mean([holds[truth == label].mean() for label in np.unique(truth)]))
            mine = gestured[gestures.labels == gestures.names.index(name)]
            found.append((mine[:, row] + margin > mine[:, :count].max(axis=1)).mean())
        seen, unseen = float(np.mean(kept)), float(np.mean(found))
        value = 2 * seen * unseen / max(seen + unseen, 1e-9)
        if value > best_value:
            best, best_value = float(margin), value
    return round(best, 4)
