"""The files that pages load: vendored ones are the released ones, and none is fetched again without need."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import cimaster

ROOT = Path(cimaster.__file__).parent
VENDORED = {
    "htmx.min.js": "Qp9rdC8H7EqOoX+nR0P3RPG2Noji+qdwJlGpfzwQJsfOpp3sGwIdSP9xO3+UlEhn",
    "hx-ptag.min.js": "HKjZ8NvFiP6UyEpdzMpiw7NW2NK3mXwbnIUadnNaKolmI0J88RDE/3oaCaP3K28t",
}
FORBIDDEN = re.compile(
    r"<style|\sstyle=|hx-on|\bjs:|javascript:|https?://|<script(?![^>]*\ssrc=)|\|\s*safe\b|autoescape"
)


@pytest.mark.parametrize("name", VENDORED)
def test_vendored_files_are_the_released_ones(name: str) -> None:
    content = (ROOT / "static/vendor/htmx-4.0.1" / name).read_bytes()
    assert base64.b64encode(hashlib.sha384(content).digest()).decode() == VENDORED[name]


def test_files_with_a_digest_in_their_address_are_cached_for_ever(client: FlaskClient) -> None:
    loaded = re.findall(r'(?:src|href)="(/static/[^"]+)"', client.get("/").text)
    assert len(loaded) == 11
    for address in loaded:
        with client.get(address) as answer:
            assert answer.status_code == 200
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("address", ["/static/app.js", "/static/app.js?v=old", "/static/vendor/none.js"])
def test_other_addresses_are_revalidated(client: FlaskClient, address: str) -> None:
    with client.get(address) as answer:
        assert "immutable" not in answer.headers.get("Cache-Control", "")


@pytest.mark.parametrize("template", sorted((ROOT / "templates").rglob("*.*")), ids=lambda path: path.name)
def test_no_template_needs_a_weaker_policy_or_skips_escaping(template: Path) -> None:
    assert not FORBIDDEN.search(template.read_text())
