"""Lips that meet on this rig, curves that are smooth, emotion that leaves closures alone, the command."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from scipy.spatial.transform import Rotation

from aublend import AU_NAMES, AUCurves, SpokenCurves, predict_rig, read_curves, read_rig, speak, write_rig
from aublend.speech.audio import RATE_HZ, Audio
from aublend.speech.emotion_layer import emotion_halves
from aublend.speech.gestures import accents, blink_times
from aublend.speech.glb_sound import embed_sound, embedded_sound
from aublend.speech.lips import find_lips
from aublend.speech.measures import opening_lag_s, score_lips
from aublend.speech.mesh_errors import lip_vertex_error, upper_face_deviation
from aublend.speech.phones import BILABIALS, LABIODENTALS, PHONES, VOWELS, Phone, covering
from aublend.speech.sealing import TOUCH_MM, contact_gap, contact_pose, contact_spans
from aublend.speech.visemes import rig_targets, viseme_groups, visemes
from aublend.units import AU_INDEX, N_UNITS
from mesh4d import MeshError, MeshFormatError
from mesh4d.geometry.rigid import Similarity

FPS = 60.0
SAID = (
    "SIL", "B", "AA", "B", "M", "EH", "T", "P", "AE", "M", "SIL", "F", "AY", "V", "V", "AE", "N", "S", "UW", "M", "B",
    "OW", "SH", "IY", "P", "SIL", "M", "AE", "P", "AE", "P", "IY", "B", "OY", "SIL",
)  # fmt: skip
"""Every kind of closure, between open, rounded and spread vowels."""


def track(seconds: float = 0.09) -> tuple[Phone, ...]:
    return tuple(Phone(name, row * seconds, (row + 1) * seconds) for row, name in enumerate(SAID))


def sound(seconds: float = 0.09) -> Audio:
    """Loud on vowels."""
    level = np.repeat([0.5 if name in VOWELS else 0.05 for name in SAID], round(seconds * RATE_HZ))
    return Audio((level * np.sin(np.arange(len(level)) * 0.05)).astype(np.float32))


@pytest.fixture(scope="module")
def lips(rig):
    return find_lips(rig)


@pytest.fixture(scope="module")
def spoken(rig):
    return speak(rig, sound(), phones=track(), seed=3)


def test_the_table_covers_every_phone_and_only_lips_and_teeth_close():
    table = visemes()
    assert tuple(table) == PHONES
    assert {p for p, v in table.items() if v.contact == "lips"} == BILABIALS
    assert {p for p, v in table.items() if v.contact == "teeth"} == LABIODENTALS
    assert {v.group for v in table.values()} == set(viseme_groups())
    assert all(table[p].jaw_mm > table["IY"].jaw_mm for p in ("AA", "AE", "AO", "EH"))


def test_lips_are_found_and_close_at_rest(lips):
    rest = lips.gaps(np.zeros((1, 2, N_UNITS)))[0]
    assert len(rest) == 11 and np.abs(lips.column_x + lips.column_x[::-1]).max() < 1e-6
    assert lips.parting(np.zeros((1, 2, N_UNITS))).max() < TOUCH_MM
    jaw = np.zeros((1, 2, N_UNITS))
    jaw[:, :, AU_INDEX["AU26"]] = 0.5
    assert 3 < lips.gaps(jaw)[0, lips.middle] < 12


def test_points_move_as_the_rig_does(rig, lips):
    """Parity of the linear points with the posed mesh, halves and pairs included."""
    weights = np.random.default_rng(0).uniform(0, 0.6, (2, N_UNITS))
    weights[:, [AU_INDEX[u] for u in ("AU61", "AU62", "AU63", "AU64")]] = 0
    posed = lips.axes.to_mm(rig.pose(weights))
    points = lips.points.at(weights[None])[0]
    edges = np.concatenate([rig.neutral.faces[:, [0, 1]], rig.neutral.faces[:, [1, 2]], rig.neutral.faces[:, [2, 0]]])
    rest = lips.axes.to_mm(rig.neutral.vertices)
    for point, now in list(zip(lips.points.rest, points, strict=True))[::40]:
        a, b = rest[edges[:, 0]], rest[edges[:, 1]]
        t = np.clip(((point - a) * (b - a)).sum(1) / np.maximum(((b - a) ** 2).sum(1), 1e-12), 0, 1)
        nearest = int(np.argmin(np.linalg.norm(a + t[:, None] * (b - a) - point, axis=1)))
        i, j = edges[nearest]
        np.testing.assert_allclose(now, posed[i] + t[nearest] * (posed[j] - posed[i]), atol=1e-3)


def test_slopes_are_derivatives(lips):
    pose = np.random.default_rng(1).uniform(0, 0.5, (2, N_UNITS))
    slopes = lips.points.slopes(pose)
    for unit in ("AU25", "AU26", "AU12"):
        step = np.zeros((2, N_UNITS))
        step[:, AU_INDEX[unit]] = 1e-4
        change = lips.points.at((pose + step)[None])[0] - lips.points.at((pose - step)[None])[0]
        np.testing.assert_allclose(change / 2e-4, slopes[AU_INDEX[unit]], atol=1e-5)


def test_targets_open_as_far_as_the_table_says(lips):
    targets = rig_targets(lips)
    for phone in ("AA", "EH", "IY", "T"):
        gap = lips.gaps(np.broadcast_to(targets[PHONES.index(phone)], (1, 2, N_UNITS)))[0, lips.middle]
        assert gap == pytest.approx(visemes()[phone].opening_mm * lips.scale, abs=0.05)


@pytest.mark.parametrize("phone", ["AA", "UW", "IY", "OW", "SH"])
def test_contacts_are_made_from_any_vowel(lips, phone):
    start = np.tile(rig_targets(lips)[PHONES.index(phone)], (2, 1))
    for kind in ("lips", "teeth"):
        pose = contact_pose(lips, start, kind)
        assert contact_gap(lips, start, kind) > TOUCH_MM
        assert contact_gap(lips, pose, kind) <= TOUCH_MM
        assert pose.min() >= 0 and pose.max() <= 1


def test_neighbouring_closures_are_one():
    spans = contact_spans(track())
    assert [s.kind for s in spans[:3]] == ["lips", "lips", "lips"]  # B, B M, P
    assert spans[1].end_s - spans[1].start_s == pytest.approx(0.18)
    tiny = contact_spans((Phone("AA", 0.0, 0.3), Phone("B", 0.3, 0.32), Phone("AA", 0.32, 0.6)))
    assert tiny[0].end_s - tiny[0].start_s >= 2 / FPS


def test_short_neighbours_make_no_pops():
    quick = (Phone("AA", 0.0, 0.3), Phone("D", 0.3, 0.32), Phone("F", 0.32, 0.42), Phone("AH", 0.42, 0.45),
             Phone("B", 0.45, 0.5), Phone("AA", 0.5, 0.8))  # fmt: skip
    times = np.arange(0, 0.8, 1 / FPS)
    for span in contact_spans(quick):
        share = span.envelope(times)
        assert share.max() == 1.0 and np.abs(np.diff(share)).max() < 0.5
        assert (share[(times >= span.start_s) & (times <= span.end_s)] == 1).all()


def test_closures_hold_vowels_open_on_the_driven_mesh(rig, lips, spoken):
    scores = score_lips(lips, spoken.halves(), FPS, track(), sound())
    assert scores.closed == scores.closures > 8
    assert scores.bitten == scores.labiodentals > 1
    assert scores.false_touches == 0 and scores.shut_vowels == 0 and spoken.open_contacts == ()
    held = [round((s.start_s + s.end_s) / 2 * FPS) for s in contact_spans(track()) if s.kind == "lips"]
    frames = rig.animate(AUCurves(spoken.names, spoken.weights[held], FPS))
    again = find_lips(replace(rig, neutral=frames[0]))  # measured on the vertices themselves
    assert again.gaps(np.zeros((1, 2, N_UNITS)))[0].max() <= TOUCH_MM


def test_curves_are_whole_and_smooth(spoken):
    assert isinstance(spoken, SpokenCurves) and spoken.fps == FPS
    assert len(spoken) == np.ceil(len(SAID) * 0.09 * FPS)
    assert spoken.weights.min() >= 0 and spoken.weights.max() <= 1 and np.isfinite(spoken.weights).all()
    mouth = [row for row, name in enumerate(spoken.names) if name in ("AU25", "AU26", "AU18", "AU22")]
    assert np.abs(np.diff(spoken.weights[:, mouth], axis=0)).max() < 0.35  # no pops: a full swing takes four frames


def test_the_mouth_opens_with_the_sound_and_louder_is_wider(rig, lips):
    quiet = sound()
    half = len(quiet.samples) // 2
    loudness = np.where(np.arange(len(quiet.samples)) < half, 1.0, 0.2)
    fading = Audio((quiet.samples * loudness).astype(np.float32))
    phones = tuple(Phone("AA", 0.3 * row, 0.3 * row + 0.3) for row in range(int(quiet.duration_s / 0.3)))
    gap = lips.gaps(speak(rig, fading, phones=phones, gesture=False).halves())[:, lips.middle]
    middle = len(gap) // 2
    assert gap[10 : middle - 20].mean() > 1.25 * gap[middle + 20 : -20].mean()


def test_opening_lag_is_measured():
    rng = np.random.default_rng(0)
    level = np.repeat(rng.uniform(0.05, 0.8, 30), 4)
    samples = np.repeat(level, RATE_HZ // 60) * np.sin(np.arange(len(level) * (RATE_HZ // 60)) * 0.3)
    audio = Audio(samples.astype(np.float32))
    gap = np.roll(20 * np.log10(level), 5)
    assert opening_lag_s(gap, RATE_HZ / (RATE_HZ // 60), audio) == pytest.approx(5 / 60, abs=0.02)


@pytest.mark.parametrize("emotion", ["happiness", "surprise", "disgust", "contempt", (-0.7, 0.7)])
def test_emotion_shows_and_closures_hold(rig, lips, emotion):
    curves = speak(rig, sound(), phones=track(), emotion=emotion, gesture=False)
    scores = score_lips(lips, curves.halves(), FPS, track(), sound())
    assert scores.closed == scores.closures
    target, shown = emotion_halves(emotion, 1.0), curves.halves().mean(axis=0)
    upper = [AU_INDEX[u] for u in ("AU1", "AU2", "AU4", "AU5", "AU6", "AU7", "AU9")]
    if target[:, upper].max() > 0:
        assert np.corrcoef(target[:, upper].ravel(), shown[:, upper].ravel())[0, 1] > 0.95
    weaker = speak(rig, sound(), phones=track(), emotion=emotion, intensity=0.3, gesture=False).halves().mean(axis=0)
    assert weaker[:, upper].sum() <= shown[:, upper].sum()


def test_gestures_are_seeded_and_optional(rig, spoken):
    again, other, still = (
        speak(rig, sound(), phones=track(), seed=3), speak(rig, sound(), phones=track(), seed=4),
        speak(rig, sound(), phones=track(), gesture=False),
    )  # fmt: skip
    assert np.array_equal(again.weights, spoken.weights) and again.names == spoken.names
    assert not np.array_equal(other.head_turn_deg, spoken.head_turn_deg)
    assert not {"AU45", "AU1", "AU61"} & set(still.names) and not still.head_turn_deg.any()


def test_blinks_come_at_human_rates_and_seek_pauses():
    pause = tuple(Phone("SIL" if row % 3 == 2 else "AA", 1.0 * row, row + 1.0) for row in range(180))
    counts = [len(blink_times(pause, 180.0, np.random.default_rng(seed))) / 3 for seed in range(8)]
    assert 12 < np.mean(counts) < 24
    times = np.array(blink_times(pause, 180.0, np.random.default_rng(0)))
    assert np.mean((times % 3 > 2) & (times % 3 < 2.2)) > 0.4


def test_accents_fall_on_loud_long_vowels():
    phones = tuple(Phone("AA", 0.5 * row, 0.5 * row + (0.3 if row in (3, 9) else 0.1)) for row in range(12))
    found = [t for t, _ in accents(phones, np.full(400, 1.0), FPS)]
    assert any(abs(t - 1.65) < 0.01 for t in found) and any(abs(t - 4.65) < 0.01 for t in found)


def test_the_same_lips_in_any_coordinates(rig, lips):
    turn = Similarity(
        0.001, Rotation.from_euler("xyz", (40, -70, 20), degrees=True).as_matrix(), np.array([3.0, 1.0, -2.0])
    )
    moved = rig.moved(turn)
    there = find_lips(moved)
    np.testing.assert_allclose(there.column_x, lips.column_x, atol=0.05)
    curves = speak(moved, sound(), phones=track(), gesture=False)
    scores = score_lips(there, curves.halves(), FPS, track(), sound())
    assert scores.closed == scores.closures and scores.false_touches == 0


def test_a_predicted_rig_without_labels_closes_its_lips(rig):
    plain = replace(rig.neutral, part_of_face=None, part_names=())
    guessed = replace(predict_rig(rig.neutral, "mean"), neutral=plain)
    curves = speak(guessed, sound(), phones=track(), gesture=False)
    scores = score_lips(find_lips(guessed), curves.halves(), FPS, track(), sound())
    assert scores.closed == scores.closures and scores.shut_vowels == 0


def test_a_rig_without_a_mouth_is_refused(rig):
    frozen = replace(rig, deltas=np.zeros_like(rig.deltas), pairs=(), pair_deltas=None)
    with pytest.raises(MeshError, match=r"cannot speak|no mouth"):
        speak(frozen, sound(), phones=track())


def test_user_errors_are_said(rig):
    with pytest.raises(MeshError, match="audio, or text"):
        speak(rig, None)
    with pytest.raises(MeshError, match="unknown emotion"):
        speak(rig, sound(), phones=track(), emotion="boredom")
    with pytest.raises(MeshError, match="intensity"):
        speak(rig, sound(), phones=track(), emotion="anger", intensity=1.5)
    long = (*track(), Phone("AA", 5.0, 9.0))
    assert "after the audio" in speak(rig, sound(), phones=long, gesture=False).track.notes[0]


def test_silence_gives_a_still_mouth(rig):
    curves = speak(rig, Audio(np.zeros(RATE_HZ, np.float32)), gesture=False)
    assert not curves.weights.any() and len(curves) == 60 and "silent" in curves.track.notes[0]


def test_vertex_errors_agree_with_torchmetrics():
    import torch
    from torchmetrics.functional.multimodal import lip_vertex_error as theirs_of

    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 12, 9, 3))
    theirs = theirs_of(torch.from_numpy(other), torch.from_numpy(one), mouth_map=list(range(9)))
    assert lip_vertex_error(one, other) == pytest.approx(float(theirs), rel=1e-5)
    assert upper_face_deviation(one, one) == 0.0
    assert upper_face_deviation(one, 0 * one) == pytest.approx(float(np.std((one**2).sum(2), axis=0).mean()))


def test_the_command_writes_everything(tmp_path, rig):
    write_rig(rig, tmp_path / "rig.npz")
    soundfile.write(tmp_path / "in.wav", sound().samples, RATE_HZ)
    wav = (tmp_path / "in.wav").read_bytes()
    rows = "".join(f"{p.start_s},{p.end_s},{p.symbol}\n" for p in covering(track(), 3.0))
    (tmp_path / "phones.csv").write_text("start,end,phone\n" + rows)
    command = [
        "rig.npz",
        "in.wav",
        "--phones",
        "phones.csv",
        "--emotion",
        "happiness",
        "--intensity",
        ".7",
        "-o",
        "talk.glb",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "from aublend.cli import main; main()", "--json", "speak", *command],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["source"] == "timing file" and result["open_contacts"] == 0
    for name in ("talk.glb", "talk.wav", "talk.csv", "talk.TextGrid", "talk.head.csv"):
        assert (tmp_path / name).stat().st_size > 0
    assert embedded_sound(tmp_path / "talk.glb") == (wav, "audio/wav")
    assert "AU12" in read_curves(tmp_path / "talk.csv").names
    assert read_rig(tmp_path / "talk.glb").au_names == AU_NAMES


def test_a_glb_takes_one_sound(tmp_path, rig):
    write_rig(rig, tmp_path / "r.glb")
    assert embedded_sound(tmp_path / "r.glb") is None
    before = read_rig(tmp_path / "r.glb").deltas
    embed_sound(tmp_path / "r.glb", b"RIFFxyz", "audio/wav", "a.wav")
    assert embedded_sound(tmp_path / "r.glb") == (b"RIFFxyz", "audio/wav")
    assert np.array_equal(read_rig(tmp_path / "r.glb").deltas, before)
    with pytest.raises(MeshFormatError, match="KHR_audio_emitter"):
        embed_sound(tmp_path / "r.glb", b"more", "audio/wav", "b.wav")
    write_rig(rig, tmp_path / "r.npz")
    with pytest.raises(MeshFormatError, match="glb"):
        embedded_sound(tmp_path / "r.npz")
