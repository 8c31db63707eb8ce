"""Phones from audio, text and files: what is heard, when, and how far the result says it can be trusted."""

from itertools import pairwise

import numpy as np
import pytest
import soundfile

from aublend.speech import acoustic, synthesis, transcription
from aublend.speech.audio import RATE_HZ, Audio, audio_from_array, read_audio
from aublend.speech.decoys import TURNS, decoy_fit, exchanged, word_fit
from aublend.speech.denoising import denoised, is_noisy
from aublend.speech.measures import score_phones
from aublend.speech.music import tonal_share
from aublend.speech.phones import (
    PHONES,
    VOWELS,
    Phone,
    covering,
    phone_per_frame,
    phones_from_espeak,
    phones_from_symbol,
)
from aublend.speech.spreading import loud_phones, spread_words
from aublend.speech.synthetic_corpus import utterance, with_noise
from aublend.speech.text import guessed_pronunciation, spoken_words
from aublend.speech.timing_files import read_phones, write_phones
from aublend.speech.transcription import phone_track, pronunciations
from mesh4d import MeshError, MeshFormatError

SENTENCE = "Bob met Pam by the big blue bus."


@pytest.fixture(scope="module")
def said():
    """A sentence with known phone times, from whichever engine is installed."""
    for voice in ("flite:rms", "espeak:en-us"):
        try:
            return utterance(SENTENCE, voice)
        except MeshError:
            continue
    pytest.skip("needs flite or espeak-ng (apt-get install flite espeak-ng)")


def tone(seconds: float, hz: float = 440.0, rate: int = RATE_HZ) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
@pytest.mark.parametrize("rate", [8000, 44100])
def test_every_format_gives_one_channel_at_the_models_rate(tmp_path, suffix, rate):
    stereo = np.stack([tone(1.5, rate=rate), np.zeros(int(1.5 * rate), np.float32)], axis=1)
    soundfile.write(tmp_path / f"a{suffix}", stereo, rate)
    audio = read_audio(tmp_path / f"a{suffix}")
    assert abs(audio.duration_s - 1.5) < 0.06
    spectrum = np.abs(np.fft.rfft(audio.samples[4000:20000]))
    assert abs(spectrum.argmax() * RATE_HZ / 16000 - 440) < 2
    assert np.abs(audio.samples[4000:20000]).max() == pytest.approx(0.15, abs=0.03)  # the mean of tone and silence


def test_what_is_no_audio_is_refused(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF but no wave" * 20)
    with pytest.raises(MeshFormatError, match=r"a\.wav.*audio"):
        read_audio(tmp_path / "a.wav")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), 16000)
    with pytest.raises(MeshFormatError, match="samples"):
        read_audio(tmp_path / "empty.wav")
    with pytest.raises(MeshError, match="finite"):
        audio_from_array(np.array([0.0, np.nan], np.float32), 16000.0)


def test_channels_in_opposite_phase_are_heard(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(1.0), -0.5 * tone(1.0)], axis=1), RATE_HZ)
    assert np.abs(read_audio(tmp_path / "a.wav").samples).max() == pytest.approx(0.225, abs=0.01)


@pytest.mark.parametrize(
    ("symbol", "phones"),
    [("AA1", ["AA"]), ("t͡ʃ", ["CH"]), ("aɪ", ["AY"]), ("AH0_B", ["AH"]), ("ax", ["AH"]), ("b", ["B"]), ("sil", ["SIL"]),
     ("ɔː", ["AO"]), ("ts", ["T", "S"]), ("ẽ", ["EY"]), ("", ["SIL"])],
)  # fmt: skip
def test_arpabet_and_ipa_meet_in_one_inventory(symbol, phones):
    assert [name for name, _ in phones_from_symbol(symbol)] == phones


def test_unknown_symbols_are_named():
    with pytest.raises(MeshError, match="@@"):
        phones_from_symbol("@@")


def test_espeak_marks_are_no_phones():
    assert phones_from_espeak("'") == ()
    assert phones_from_espeak("'aI") == (("AY", 1),)


def test_covering_is_a_partition():
    phones = [Phone("B", 0.1, 0.2), Phone("AA", 0.15, 0.3), Phone("M", 0.4, 2.0)]
    track = covering(phones, 1.0)
    assert track[0].start_s == 0 and track[-1].end_s == 1.0
    assert all(a.end_s == b.start_s for a, b in pairwise(track))
    assert [p.symbol for p in track] == ["SIL", "B", "AA", "SIL", "M"]
    assert phone_per_frame(track, 10, 10.0).tolist() == [PHONES.index(n) for n in ["SIL", "B", "AA", "SIL"] + ["M"] * 6]


@pytest.mark.parametrize(
    ("text", "words"),
    [("It's 21 — “naïve” cats!", "it's twenty one naive cats"),
     ("the 3rd of 1984", "the third of nineteen eighty four"),
     ("1,000,000 x 2.5%", "one million x two point five percent"), ("20th", "twentieth"),
     ("$25.50 in 2024", "twenty five dollars fifty cents in twenty twenty four"),
     ("£1 a kg, etc.", "one pound a kilograms et cetera"),
     ("$3 & 1.5 m", "three dollars and one point five m"), ("$3.5 billion", "three point five billion dollars")],
)  # fmt: skip
def test_text_becomes_words(text, words):
    assert " ".join(spoken_words(text)) == words


def test_text_without_words_is_refused():
    with pytest.raises(MeshError, match="at least one word"):
        spoken_words("… 你好 …")


def test_coined_words_are_pronounceable():
    assert guessed_pronunciation("blorptastic") == tuple(["B", "L", "AO", "R", "P", "T", "AE", "S", "T", "IH", "K"])
    assert set(guessed_pronunciation("xyzzyq")) <= set(PHONES)


@pytest.mark.parametrize("suffix", [".TextGrid", ".csv"])
def test_phone_files_come_back(tmp_path, suffix):
    phones = (
        Phone("SIL", 0.0, 0.1),
        Phone("B", 0.1, 0.2, "bob"),
        Phone("AA", 0.2, 0.35, "bob"),
        Phone("B", 0.35, 0.4, "bob"),
    )
    write_phones(phones, tmp_path / f"p{suffix}")
    back = read_phones(tmp_path / f"p{suffix}")
    assert [(p.symbol, round(p.start_s, 4), round(p.end_s, 4)) for p in back] == [
        (p.symbol, p.start_s, p.end_s) for p in phones
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [("mfa.csv", "Begin,End,Label,Type,Speaker\n0,0.3,hi,words,x\n0,0.1,HH,phones,x\n0.1,0.3,AY1,phones,x\n"),
     ("rows.txt", "0 0.1 h\n0.1 0.3 aɪ\n"), ("rows.tsv", "phoneme\tstart\tend\nHH\t0\t0.1\nAY\t0.1\t0.3\n"),
     ("a.json", '[{"phone": "HH", "start": 0, "end": 0.1}, {"phone": "AY", "start": 0.1, "end": 0.3}]'),
     ("short.TextGrid", 'File type = "ooTextFile short"\n"TextGrid"\n0\n.3\n<exists>\n1\n"IntervalTier"\n"phones"\n'
      '0\n.3\n2\n0\n.1\n"h"\n.1\n.3\n"aɪ"\n')],
)  # fmt: skip
def test_other_programs_phone_files(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert [(p.symbol, round(p.end_s, 3)) for p in read_phones(tmp_path / name)] == [("HH", 0.1), ("AY", 0.3)]


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [("a.csv", "start,end,phone\n0,x,B\n", "row 2"), ("a.csv", "start,end,phone\n0.2,0.1,B\n", "row 2"),
     ("a.csv", "start,end,phone\n0,0.1,@@\n", "row 2"), ("a.csv", "start,phone\n0,B\n", "header"),
     ("a.json", "[[[", "JSON"),
     ("a.json", "{}", "phones"),
     ("a.TextGrid", '"ooTextFile" "TextGrid" <exists> 1 "IntervalTier" "p" 0 1 999999 0 1 "b"', "tier"),
     ("a.txt", "", "rows")],
)  # fmt: skip
def test_broken_phone_files_name_the_place(tmp_path, name, content, place):
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(MeshFormatError, match=place):
        read_phones(tmp_path / name)


def test_alignment_finds_known_times_and_every_closure(said):
    track = phone_track(said.audio, said.text)
    scores = score_phones(said.phones, track.phones, said.audio.duration_s)
    assert track.source == "alignment" and track.confidence > 0.6 and not track.notes
    assert scores.accuracy > 0.75 and np.median(np.abs(scores.onset_ms)) < 15
    assert scores.found == scores.bilabials == 7 and scores.false == 0
    again = phone_track(said.audio, said.text)
    assert again == track  # whatever the decoder heard in between


def test_a_wrong_transcript_is_noticed(said):
    track = phone_track(said.audio, "Every single evening she is singing there again")
    assert "transcript does not match" in track.notes[0] and track.source != "alignment"
    assert track.confidence <= 0.5


def test_decoys_change_every_sound_and_fit_worse(said):
    words = spoken_words(said.text)
    sounds = pronunciations(words)
    for turn in TURNS:
        for phones in sounds.values():
            other = exchanged(phones, turn)
            assert all(a != b and (a in VOWELS) == (b in VOWELS) for a, b in zip(phones, other, strict=True))
    right = word_fit(acoustic.align(said.audio.samples, words, {}))
    assert right > decoy_fit(said.audio.samples, words, sounds) + 20


def test_a_strange_voice_is_believed_by_its_decoys(said, monkeypatch):
    monkeypatch.setattr(transcription, "AGREEMENT", 0.99)  # a voice that the phone recogniser does not understand
    track = phone_track(said.audio, said.text)
    assert track.source == "alignment" and 0.3 <= track.confidence <= 0.6
    wrong = phone_track(said.audio, "Every single evening she is singing there again")
    assert wrong.source != "alignment" or "may not match" in wrong.notes[0]


def test_a_transcript_that_leaves_something_out_is_noticed(said):
    track = phone_track(said.audio, "Bob met Pam")
    assert "leaves out" in track.notes[-1] or "does not match" in track.notes[0]


def test_words_that_no_dictionary_has_are_aligned(said):
    track = phone_track(said.audio, said.text.replace("Pam", "Pamm").replace("Bob", "Bobbb"))
    assert track.source == "alignment" and "bobbb" in track.notes[0]


def test_recognition_without_a_transcript_says_so(said):
    track = phone_track(said.audio)
    assert track.source == "recognition" and "no transcript" in track.notes[0] and track.confidence < 0.85


def test_noise_costs_little_with_a_transcript(said):
    noisy = with_noise(said.audio, 20.0, np.random.default_rng(0))
    assert is_noisy(noisy) and not is_noisy(said.audio)
    clean, dirty = (
        score_phones(said.phones, phone_track(audio, said.text).phones, said.audio.duration_s).accuracy
        for audio in (said.audio, noisy)
    )
    assert dirty > clean - 0.08


def test_denoising_takes_out_noise_and_leaves_the_tone():
    rng = np.random.default_rng(0)
    pauses = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0], RATE_HZ // 2).astype(np.float32)
    signal = np.resize(tone(2.5), len(pauses)) * pauses
    noisy = (signal + rng.normal(0, 0.02, len(signal))).astype(np.float32)
    clean = denoised(Audio(noisy)).samples
    assert len(clean) == len(noisy)
    assert clean[:6000].std() < 0.3 * noisy[:6000].std()
    assert np.abs(clean - signal).std() < np.abs(noisy - signal).std()


@pytest.mark.parametrize("text", [None, SENTENCE])
@pytest.mark.parametrize("kind", ["silence", "noise", "notes"])
def test_what_is_no_speech_keeps_the_mouth_shut_and_says_why(kind, text):
    rng = np.random.default_rng(0)
    samples = {
        "silence": np.zeros(2 * RATE_HZ, np.float32),
        "noise": rng.normal(0, 0.1, 2 * RATE_HZ).astype(np.float32),
        "notes": np.concatenate([tone(0.3, hz) + tone(0.3, 2 * hz) for hz in (220, 262, 330, 294, 247, 440, 392)]),
    }[kind]
    track = phone_track(Audio(samples), text)
    assert track.source == "none" and track.confidence == 0.0
    assert all(p.symbol == "SIL" for p in track.phones)
    assert any(("silent" if kind == "silence" else "no speech") in note for note in track.notes)


def test_voices_hold_no_notes(said):
    assert tonal_share(said.audio) < 0.01 < 0.5 < tonal_share(Audio(tone(2.0)))


def test_a_minute_of_speech_stays_in_time(said):
    gap = np.zeros(RATE_HZ // 2, np.float32)
    piece = np.concatenate([said.audio.samples, gap])
    count = int(60 * RATE_HZ / len(piece))
    track = phone_track(Audio(np.tile(piece, count)), " ".join([said.text] * count))
    shift = len(piece) / RATE_HZ * (count - 1)
    last = [Phone(p.symbol, p.start_s + shift, p.end_s + shift) for p in said.phones]
    late = [p for p in track.phones if p.start_s > shift - 0.2]
    scores = score_phones(last, late, track.duration_s)
    assert track.source == "alignment" and np.median(np.abs(scores.onset_ms)) < 15 and scores.found == scores.bilabials


def test_baselines_cover_the_time_line(said):
    words = spoken_words(said.text)
    for phones in (spread_words(said.audio, words, pronunciations(words)), loud_phones(said.audio)):
        assert phones[0].start_s == 0 and phones[-1].end_s == pytest.approx(said.audio.duration_s)
        assert score_phones(said.phones, phones, said.audio.duration_s).accuracy < 0.6


def test_without_the_model_text_is_spread_and_that_is_said(said, monkeypatch):
    monkeypatch.setattr(acoustic, "available", lambda: False)
    track = phone_track(said.audio, said.text)
    assert track.source == "spread text" and "pocketsphinx" in track.notes[0] and track.confidence < 0.2
    assert phone_track(said.audio).source == "loudness"


@pytest.mark.skipif(not synthesis.available(), reason="needs espeak-ng (apt-get install espeak-ng)")
def test_espeak_gives_sound_and_phones_that_cover_it():
    spoken = synthesis.synthesise(SENTENCE)
    names = [p.symbol for p in spoken.phones if p.symbol != "SIL"]
    assert names[:6] == ["B", "AA", "B", "M", "EH", "T"]
    assert spoken.phones[-1].end_s == pytest.approx(spoken.audio.duration_s, abs=1e-3)
    closed = spoken.phones[[p.symbol for p in spoken.phones].index("P")]
    first = round(closed.start_s * RATE_HZ)
    assert np.abs(spoken.audio.samples[first + 160 : first + 480]).max() < 0.01  # a stop begins with its silence
    with pytest.raises(synthesis.SynthesisError, match="no voice"):
        synthesis.synthesise("hello", "zz-none")
