"""The files that pages load: vendored ones are the released ones, and none is fetched again without need."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient

import cimaster

ROOT = Path(cimaster.__file__).parent
VENDOR = ROOT / "static" / "vendor"
VENDORED: list[dict[str, Any]] = yaml.safe_load((VENDOR / "vendored.yaml").read_text("utf-8"))
HASHES = {f"{entry['folder']}/{name}": file["sha256"] for entry in VENDORED for name, file in entry["files"].items()}
FORBIDDEN = re.compile(
    r"<style|\sstyle=|hx-on|\bjs:|javascript:|https?://|<script(?![^>]*\ssrc=)|\|\s*safe\b|autoescape"
)


@pytest.mark.parametrize("name", HASHES)
def test_vendored_files_are_the_released_ones(name: str) -> None:
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == HASHES[name]


def test_every_vendored_file_has_a_record_of_its_release() -> None:
    assert HASHES.keys() == {str(path.relative_to(VENDOR)) for path in VENDOR.glob("*/**/*")}
    for entry in VENDORED:
        assert entry["version"] in entry["source"]
        assert entry["version"] in entry["folder"]
        assert entry["purl"].endswith(f"{entry['name']}@{entry['version']}")


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
