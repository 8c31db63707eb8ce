"""Layouts made of empty files: what the adapters make of names, strays, gaps, paddings and contradictions."""

import openpyxl
import pytest

from mesh4d.datasets.bosphorus import units_of_code
from mesh4d.datasets.fourdme import compiled_pattern, unit_tokens
from mesh4d.datasets.problems import DatasetError
from mesh4d.datasets.registry import ADAPTERS, open_dataset
from mesh4d.errors import MeshError


def lay(root, *paths, content=""):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content.encode())


def troubles(dataset, trouble):
    return [problem for problem in dataset.problems if problem.trouble == trouble]


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_folder_that_is_not_the_data_set_is_refused(kind, tmp_path):
    lay(tmp_path, "holiday/beach.jpg")
    with pytest.raises(DatasetError, match="holiday") as caught:
        open_dataset(kind, tmp_path)
    assert caught.value.problems[0].severity == "error"
    with pytest.raises(FileNotFoundError):
        open_dataset(kind, tmp_path / "nowhere")


def test_unknown_kinds_and_options_are_named(tmp_path):
    with pytest.raises(MeshError, match="facewarehouse"):
        open_dataset("facewarehouse", tmp_path)
    with pytest.raises(MeshError, match=r"paterns.*pattern"):
        open_dataset("4dme", tmp_path, paterns="x")


# --- BU-3DFE


def bu3dfe(root):
    for stem in ("F0001_NE00WH", "F0001_AN03WH"):
        lay(root, *(f"BU_3DFE/F0001/{stem}_{part}" for part in ("RAW.wrl", "RAW.pse", "F3D.wrl", "F3D.bnd", "F3D.bmp")))


def test_bu3dfe_names_become_labels(tmp_path):
    bu3dfe(tmp_path)
    dataset = open_dataset("bu3dfe", tmp_path)
    anger, neutral = dataset.named("F0001_AN03"), dataset.named("F0001_NE00")
    assert (anger.expression, anger.level, neutral.expression, neutral.level) == ("anger", 3, "neutral", 0)
    assert anger.frames == ("BU_3DFE/F0001/F0001_AN03WH_F3D.wrl",)
    assert open_dataset("bu3dfe", tmp_path / "BU_3DFE")[0].frames == ("F0001/F0001_AN03WH_F3D.wrl",)


def test_bu3dfe_raw_scans_share_the_picture_but_not_the_landmarks(tmp_path):
    bu3dfe(tmp_path)
    lay(tmp_path, "BU_3DFE/F0001/F0001_AN03WH_RAW_84_LMS.txt")
    dataset = open_dataset("bu3dfe", tmp_path, mesh="RAW")
    anger, neutral = dataset.named("F0001_AN03"), dataset.named("F0001_NE00")
    assert anger.frames[0].endswith("AN03WH_RAW.wrl")
    assert anger.textures[0].endswith("AN03WH_F3D.bmp")
    assert anger.landmarks[0].endswith("RAW_84_LMS.txt")
    assert neutral.landmarks[0].endswith("RAW.pse")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("BU_3DFE/F0001/F0002_HA01WH_F3D.wrl", "in the folder of F0001"),
        ("BU_3DFE/F0001/F0001_NE02WH_F3D.wrl", "only NE has level 0"),
        ("BU_3DFE/F0001/F0001_HA00WH_F3D.wrl", "only NE has level 0"),
        ("BU_3DFE/F0001/F0001_AN03BL_F3D.wrl", "the same scan is also"),
        ("BU_3DFE/F0001/F0001_HA01WH_F3D.bnd", "no F3D.wrl"),
    ],
)
def test_bu3dfe_contradictions_are_refused_and_can_be_left_out(path, message, tmp_path):
    bu3dfe(tmp_path)
    lay(tmp_path, path)
    with pytest.raises(DatasetError, match=message):
        open_dataset("bu3dfe", tmp_path)
    assert {record.name for record in open_dataset("bu3dfe", tmp_path, keep_going=True)} == {"F0001_AN03", "F0001_NE00"}


def test_bu3dfe_strays_are_tolerated_and_listed(tmp_path):
    bu3dfe(tmp_path)
    lay(tmp_path, "BU_3DFE/F0001/Thumbs.db", "BU_3DFE/F0001/F0001_AN03WH_F3D.wrl.bak", "BU_3DFE/readme.txt")
    dataset = open_dataset("bu3dfe", tmp_path)
    assert len(dataset) == 2
    assert [problem.place for problem in troubles(dataset, "stray")] == ["BU_3DFE/F0001", "BU_3DFE"]
    assert "2 of 25" in troubles(dataset, "missing")[0].message


# --- Bosphorus


@pytest.mark.parametrize(
    ("code", "units"),
    [("14", ("AU14",)), ("A22A25", ("AU22", "AU25")), ("12L", ("AU12L",)), ("R90", ()), ("HAPPY", ()), ("1234", ())],
)
def test_bosphorus_codes(code, units):
    assert units_of_code(code) == units


def test_bosphorus_categories(tmp_path):
    names = (
        "bs001_LFAU_14_0",
        "bs001_CAU_A22A25_0",
        "bs001_YR_R90_0",
        "bs001_N_N_3",
        "bs001_E_HAPPY_0",
        "bs001_O_EYE_0",
    )
    lay(tmp_path, *(f"BosphorusDB/bs001/{name}.bnt" for name in names), "BosphorusDB/facscodes.zip")
    lay(tmp_path, "BosphorusDB/bs001/bs001_PR_slight_up_0.bnt", "BosphorusDB/odd.txt")
    dataset = open_dataset("bosphorus", tmp_path)
    happy = dataset.named("bs001_E_HAPPY_0")
    assert (happy.expression, happy.au_labels, happy.task) == ("happiness", {}, "E")
    assert dataset.named("bs001_N_N_3").expression == "neutral"
    assert dataset.named("bs001_CAU_A22A25_0").au_labels == {"AU22": 1.0, "AU25": 1.0}
    assert dataset.named("bs001_YR_R90_0").au_labels == {}
    assert dataset.named("bs001_PR_SLIGHT_UP_0").source_label == "PR_SLIGHT_UP"
    assert [problem.message for problem in troubles(dataset, "stray")] == ["1 passed over: odd.txt"]


def test_bosphorus_side_files_without_a_scan_are_refused(tmp_path):
    lay(tmp_path, "bs000/bs000_E_FEAR_0.lm3", "bs000/bs000_N_N_0.bnt")
    with pytest.raises(DatasetError, match=r"E_FEAR_0: no \.bnt"):
        open_dataset("bosphorus", tmp_path)


# --- BU-4DFE


def test_bu4dfe_gaps_strays_and_landmarks(tmp_path):
    lay(tmp_path, *(f"BU4DFE/F001/Angry/{n:03d}.wrl" for n in (0, 1, 2, 4, 5, 6, 9)), "BU4DFE/BU_WrlViewer_V2/x.exe")
    lay(tmp_path, *(f"BU4DFE/F001/Angry/{n:03d}.jpg" for n in (0, 1, 2, 4, 5, 6)))
    lay(tmp_path, *(f"BU4DFE_BND_V1.1/F001/Angry/{n:03d}.bnd" for n in (0, 1, 2, 3)))
    lay(tmp_path, "BU4DFE_BND_V1.1/F001/Angry/000.landmark", "BU4DFE_BND_V1.1/F001/F001_Surprise.mat")
    dataset = open_dataset("bu4dfe", tmp_path)
    record = dataset.named("F001/Angry")
    assert (record.expression, record.fps, len(record.frames)) == ("anger", 25.0, 7)
    assert record.frames[3].endswith("004.wrl")
    assert record.landmarks[2] == "BU4DFE_BND_V1.1/F001/Angry/002.bnd"
    assert record.landmarks[3:] == (None,) * 4
    assert record.textures[-1] is None
    messages = [problem.message for problem in troubles(dataset, "missing")]
    assert "3 frames: 3, 7-8" in messages
    assert "no mesh for 1 frames: 3" in messages
    assert len(troubles(dataset, "stray")) == 2


def test_one_frame_under_both_paddings_is_a_contradiction(tmp_path):
    lay(tmp_path, "F001/Happy/001.wrl", "F001/Happy/0001.wrl")
    with pytest.raises(DatasetError, match="frame 1 is also"):
        open_dataset("bu4dfe", tmp_path)


def test_two_folders_for_one_expression_are_a_contradiction(tmp_path):
    lay(tmp_path, "F001/Happy/000.wrl", "F001/Happiness/000.wrl")
    with pytest.raises(DatasetError, match="happiness of this subject"):
        open_dataset("bu4dfe", tmp_path)


# --- BP4D


def bp4d(root, coding, name="AUCoding/AU_OCC/F001_T1.csv"):
    lay(root, *(f"Sequences(2D+3D)/F001/T1/{n:03d}.obj" for n in (10, 11, 12)))
    lay(root, *(f"Sequences(2D+3D)/F001/T8/{n:04d}.obj" for n in (10, 11)))
    lay(root, name, content=coding)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_bp4d_unknown_units_are_masked_never_zero(line_end, tmp_path):
    bp4d(tmp_path, line_end.join(["0,1,12", "11,9,1", "12,0,9", "13,1,1", ""]))
    dataset = open_dataset("bp4d", tmp_path)
    record = dataset.named("F001/T1")
    assert record.au_frames == {"AU1": (None, None, 0.0), "AU12": (None, 1.0, None)}
    assert (record.expression, dataset.named("F001/T8").expression) == ("happiness", "disgust")
    assert dataset.named("F001/T8").frames[0].endswith("0010.obj")
    assert any("coded frames" in problem.place for problem in troubles(dataset, "missing"))
    frame = dataset.by_frame().named("F001/T1#1")
    assert (frame.au_labels, frame.known_units()) == ({"AU1": None, "AU12": 1.0}, {"AU12": 1.0})


def test_bp4d_coded_frames_can_be_shifted(tmp_path):
    bp4d(tmp_path, "0,1\n11,1\n12,0\n")
    record = open_dataset("bp4d", tmp_path, frame_offset=-1).named("F001/T1")
    assert record.au_frames == {"AU1": (1.0, 0.0, None)}


def test_bp4d_intensities(tmp_path):
    bp4d(tmp_path, "10,0\n11,5\n12,9\n", "AUCoding/AU_INT/AU06/F001_T1_AU06.csv")
    record = open_dataset("bp4d", tmp_path, coding="intensity").named("F001/T1")
    assert record.au_frames == {"AU6": (0.0, 5.0, None)}


@pytest.mark.parametrize(
    ("coding", "message"),
    [
        ("0,1,2\n11,0\n", "line 2: expected 3 values"),
        ("0,1\n11,2\n", "line 2: expected one of"),
        ("0,1\n11,1\n11,0\n", "line 3: expected each frame once"),
        ("0,1,1\n11,1,1\n", "different unit numbers"),
        ("0,1\neleven,1\n", "line 2: expected a frame number"),
        ("", "expected coded frames"),
    ],
)
def test_bp4d_broken_coding_is_refused(coding, message, tmp_path):
    bp4d(tmp_path, coding)
    with pytest.raises(DatasetError, match=message):
        open_dataset("bp4d", tmp_path)
    assert open_dataset("bp4d", tmp_path, keep_going=True).named("F001/T1").au_frames == {}


def test_bp4d_archives_are_not_passed_over_in_silence(tmp_path):
    lay(tmp_path, "2D+3D/F001.zip", "2D+3D/F002/T1/001.obj")
    with pytest.raises(DatasetError, match="unpack"):
        open_dataset("bp4d", tmp_path)


# --- 4DME


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("4+7", {"AU4": 1.0, "AU7": 1.0}),
        ("L12, 14(k)", {"AU12L": 1.0, "AU14": None}),
        ("", {}),
        ("AU1 AU2", {"AU1": 1.0, "AU2": 1.0}),
    ],
)
def test_4dme_unit_tokens(text, units):
    assert unit_tokens(text) == units


def test_4dme_patterns():
    pattern = compiled_pattern("*/{subject}/{clip}/mesh_{subject}.{frame}.ply")
    match = pattern.fullmatch("take1/S01/EP03/mesh_S01.0012.ply")
    assert match and match.groupdict() == {"subject": "S01", "clip": "EP03", "frame": "0012"}
    assert not pattern.fullmatch("take1/S01/EP03/mesh_S02.0012.ply")
    for bad in ("{subject}/{frame}.obj", "{subject}/{clip}/{number}.obj"):
        with pytest.raises(MeshError, match="pattern"):
            compiled_pattern(bad)


def fourdme(root, rows):
    lay(root, *(f"S1/a/{n}.obj" for n in (5, 6, 7)), "S1/b/9.obj", "S1/b/10.obj")
    book = openpyxl.Workbook()
    for row in [("sub_ID", "fold_name", "Emotion", "Onset", "Apex", "Offset", "AUs", "AU1"), *rows]:
        book.active.append(row)
    book.save(root / "labels v1.xlsx")


def test_4dme_labels_and_frame_order(tmp_path):
    fourdme(tmp_path, [("S1", "a", "Negative/Surprise", 5, 7, 99, "4+12(k)"), ("S1", "b", "surprise", 9, 10, 10, 1)])
    dataset = open_dataset("4dme", tmp_path)
    a, b = dataset.named("S1/a"), dataset.named("S1/b")
    assert (a.source_labels, a.expression, b.expression) == (("negative", "surprise"), None, "surprise")
    assert (a.onset, a.apex, a.offset) == (0, 2, None)
    assert a.au_labels == {"AU4": 1.0, "AU12": None}
    assert b.frames == ("S1/b/9.obj", "S1/b/10.obj")
    assert troubles(dataset, "unverified")
    swapped = open_dataset("4dme", tmp_path, swapped_rows=(0, 1))
    assert swapped.named("S1/b").au_labels == {"AU4": 1.0, "AU12": None}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("S1", "a", "others", 7, 6, 8, ""), "onset <= apex"),
        (("S1", "a", "others", 5, 6, 7, "smile"), "action units"),
        (("S1", "b", "others", 9, 10, 10, ""), "has a row already"),
    ],
)
def test_4dme_contradictions(row, message, tmp_path):
    fourdme(tmp_path, [("S1", "b", "others", 9, 9, 10, "4"), row])
    with pytest.raises(DatasetError, match=message):
        open_dataset("4dme", tmp_path)


def test_4dme_broken_workbooks_are_named(tmp_path):
    lay(tmp_path, "S1/a/1.obj")
    lay(tmp_path, "labels.xlsx", content="PK\x03\x04 not a workbook")
    with pytest.raises(MeshError, match=r"labels\.xlsx"):
        open_dataset("4dme", tmp_path)


# --- synthetic


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b,P1,joyless,1,,a.obj,1", "canonical expression"),
        ("b,P1,fear,1,,../a.obj,1", "leaves the data set"),
        ("b,P1,fear,1,,c.obj,1", "no mesh"),
        ("b,P1,fear,nan,,a.obj,1", "finite"),
        ("a,P1,fear,1,,a.obj,1", "a second row"),
        ("b,P1,fear,1,25,a.obj,1", "no folder"),
    ],
)
def test_synthetic_tables(row, message, tmp_path):
    lay(tmp_path, "a.obj")
    lay(
        tmp_path,
        "labels.csv",
        content=f"name,subject,expression,intensity,fps,path,AU1\na,P1,anger,0.5,,a.obj,\n{row}\n",
    )
    with pytest.raises(DatasetError, match=message):
        open_dataset("synthetic", tmp_path)
    record = open_dataset("synthetic", tmp_path, keep_going=True).named("a")
    assert (record.expression, record.intensity, record.au_labels) == ("anger", 0.5, {"AU1": None})


def test_synthetic_phases_parts_and_captions(tmp_path):
    for number in range(3):
        lay(tmp_path, f"s/{number:03d}.obj")
    head = "name,subject,expression,intensity,fps,path,onset,apex,offset,part,caption,AU1\n"
    lay(tmp_path, "labels.csv", content=head + 'a,P1,fear,1,25,s,0,1,2,train,"fear: the brows rise, the jaw drops",\n')
    (record,) = open_dataset("synthetic", tmp_path)
    assert (record.onset, record.apex, record.offset, record.task) == (0, 1, 2, "train")
    assert record.caption == "fear: the brows rise, the jaw drops" and not record.au_frames


@pytest.mark.parametrize(
    ("apex", "message"), [("1.5", "position"), ("3", "outside"), ("x", "number"), ("-1", "outside")]
)
def test_synthetic_phases_that_cannot_be(apex, message, tmp_path):
    lay(tmp_path, "s/000.obj")
    head = "name,subject,expression,intensity,fps,path,apex\n"
    lay(tmp_path, "labels.csv", content=f"{head}a,P1,fear,1,25,s,{apex}\n")
    with pytest.raises(DatasetError, match=message):
        open_dataset("synthetic", tmp_path)
