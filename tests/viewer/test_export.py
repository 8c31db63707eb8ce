import base64
import dataclasses
import gzip
import json
from html.parser import HTMLParser

import pytest

from viewer.compact import compact_glb
from viewer.export import embed_fragment, export_html, write_html

HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> & \"quotes\" 'too' \u2028"


class Elements(HTMLParser):
    """All start tags with their attributes, and the text inside each script and title."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[int, str] = {}
        self.inside = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self.inside = True

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if not self.inside:
            return
        last = len(self.tags) - 1
        self.texts[last] = self.texts.get(last, "") + data

    def all(self, tag):
        return [
            (attributes, self.texts.get(place, "")) for place, (name, attributes) in enumerate(self.tags) if name == tag
        ]


@pytest.fixture
def hostile(metadata):
    unit = dataclasses.replace(metadata.units[0], description=HOSTILE)
    return dataclasses.replace(metadata, title=HOSTILE, units=(unit, *metadata.units[1:]))


def test_page_holds_rig_labels_and_client(client_stub, rig_glb, hostile):
    page = Elements(export_html(rig_glb, hostile))
    labels, rig, client = (text for _, text in page.all("script"))
    assert json.loads(labels)["units"][0]["description"] == HOSTILE
    assert gzip.decompress(base64.b64decode(rig, validate=True)) == compact_glb(rig_glb)
    assert client == "const s = '<\\/script>\\x3c!--';\n"
    assert page.all("title")[0][1] == HOSTILE
    assert not page.all("img")


def test_page_fetches_nothing(client_stub, rig_glb, metadata):
    page = Elements(export_html(rig_glb, metadata))
    addresses = [attributes[name] for _, attributes in page.tags for name in ("src", "href") if name in attributes]
    assert addresses == ["data:,"], "an empty icon, so that none is fetched, and nothing else"
    policies = [attributes for attributes, _ in page.all("meta") if attributes.get("http-equiv")]
    assert "default-src 'none'" in policies[0]["content"]


def test_title_can_be_replaced(client_stub, rig_glb, metadata):
    page = Elements(export_html(rig_glb, metadata, title="Another"))
    assert page.all("title")[0][1] == "Another"
    assert json.loads(page.all("script")[0][1])["title"] == "Another"


def test_fragment_is_one_frame_with_the_whole_page(client_stub, rig_glb, hostile):
    outer = Elements(f"<body>{embed_fragment(rig_glb, hostile, height=500)}<p>after</p></body>")
    assert [tag for tag, _ in outer.tags] == ["body", "iframe", "p"]
    frame = outer.all("iframe")[0][0]
    assert frame["srcdoc"] == export_html(rig_glb, hostile)
    assert frame["sandbox"] == "allow-scripts allow-downloads"
    assert "height:500px" in frame["style"]


def test_written_file_is_whole_or_absent(client_stub, tmp_path, rig_glb, metadata):
    target = tmp_path / "page.html"
    write_html(rig_glb, metadata, target)
    assert target.read_text(encoding="utf-8") == export_html(rig_glb, metadata)
    with pytest.raises(FileNotFoundError):
        write_html(rig_glb, metadata, tmp_path / "missing" / "page.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["page.html", "static"]
