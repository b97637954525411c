"""`cimaster import` reads pools in all usual file formats, and says what is wrong with other files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cimaster.pool.codec import CLUSTERS, HISTORY, PURPOSES
from cimaster.repository.stores import open_store
from cimaster.settings import Settings

ARRAY = '[\n {"name":"a","status":"finished", "weight": 1.10, "note": "Größe"},\n {"name":"b","status":"testing"}\n]\n'
META = {"name": "clusters", "namespace": "ci", "uid": "1", "annotations": {"a": "b"}}
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META, "data": {CLUSTERS: ARRAY, "mine": "kept"}}
OTHER = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "clusters-history"}, "data": {HISTORY: "[]"}}
LIST = {"apiVersion": "v1", "kind": "List", "items": [OTHER, CONFIG_MAP]}


class Importer:
    """Runs the command on files, over a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "pool"
        self.store = f"sqlite:{folder / 'pool.db'}"

    def run(self, data: bytes, *arguments: str, by_stdin: bool = False) -> subprocess.CompletedProcess[bytes]:
        """Import a file with this content."""
        self.file.write_bytes(data)
        return subprocess.run(
            [sys.executable, "-m", "cimaster", "import", "-" if by_stdin else str(self.file), *arguments],
            check=False,
            capture_output=True,
            timeout=60,
            env={**os.environ, "CIMASTER_STORE": self.store},
            input=data if by_stdin else b"",
        )

    def refused(self, data: bytes) -> str:
        """Import a file that must be refused, and return the refusal."""
        done = self.run(data)
        sentence = done.stderr.decode()
        assert (done.returncode, done.stdout, sentence.count("\n")) == (1, b"", 1), sentence
        assert sentence.startswith("cimaster: the file ")
        return sentence

    @property
    def data(self) -> dict[str, str]:
        """The data in the store."""
        store = open_store(Settings(store=self.store))
        data = dict(store.read().data)
        store.close()
        return data


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    """The command, over an empty store."""
    return Importer(tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        ARRAY.encode(),
        b"\xef\xbb\xbf" + ARRAY.encode(),
        ARRAY.encode("utf-16"),
        ARRAY.encode("utf-16-le"),
        b"\xfe\xff" + ARRAY.encode("utf-16-be"),
        json.dumps(CONFIG_MAP).encode(),
        json.dumps(LIST).encode("utf-16"),
        yaml.safe_dump(CONFIG_MAP).encode(),
        yaml.safe_dump(CONFIG_MAP, allow_unicode=True).encode("utf-16"),
        b"\xef\xbb\xbf" + yaml.safe_dump(LIST).encode(),
        yaml.safe_dump_all([OTHER, CONFIG_MAP]).encode(),
        json.dumps({"kind": "List", "items": [{"kind": "ConfigMapList", "items": [CONFIG_MAP]}]}).encode(),
    ],
    ids=[
        "array",
        "mark",
        "powershell",
        "utf-16-le",
        "utf-16-be",
        "config map",
        "list",
        "yaml",
        "yaml powershell",
        "yaml list",
        "yaml documents",
        "nested list",
    ],
)
def test_a_pool_in_any_layout_is_read_and_its_records_keep_their_bytes(importer: Importer, data: bytes) -> None:
    done = importer.run(data)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"2 clusters are imported\n", b"")
    assert importer.data[CLUSTERS] == ARRAY


def test_standard_input_is_read_too_with_all_keys(importer: Importer) -> None:
    assert importer.run(yaml.safe_dump(CONFIG_MAP).encode("utf-16"), by_stdin=True).returncode == 0
    assert (importer.data[CLUSTERS], importer.data["mine"]) == (ARRAY, "kept")


def test_an_array_in_yaml_is_read(importer: Importer) -> None:
    written = (
        b"# ours\n- name: a\n  status: finished\n  labels: {gpu: 'yes'}\n- {name: b, status: testing, lastBuild: '7'}\n"
    )
    assert importer.run(written).stdout == b"2 clusters are imported\n"
    assert json.loads(importer.data[CLUSTERS]) == yaml.safe_load(written)


def test_an_export_of_a_file_that_does_not_exist_creates_none(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cimaster", "export", "--store", f"sqlite:{tmp_path}/none.db"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "none.db does not exist: name the store of the service with --store" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_export_can_be_imported(importer: Importer) -> None:
    importer.run(ARRAY.encode())
    command = [sys.executable, "-m", "cimaster", "export", "--store", importer.store]
    exported = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    done = importer.run(exported.decode().encode("utf-16"), "--replace")
    assert (done.returncode, done.stdout) == (0, b"2 clusters are imported\n")
    assert importer.data[CLUSTERS] == ARRAY


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "contains nothing instead of a pool: expected an array of clusters"),
        (b"cluster-01\ncluster-02\n", "contains a text instead of a pool"),
        (b"5", "contains a number instead of a pool"),
        (b"{}", "contains an empty object instead of a pool"),
        (b'{"name": "a", "status": "finished"}', "contains an object with name, status instead of a pool"),
        (b'{"clusters": []}', "contains an object with clusters instead of a pool"),
        (json.dumps(OTHER).encode(), "contains a ConfigMap clusters-history with history.json instead of a pool"),
        (b"kind: Secret\nmetadata: {name: x}\n", "contains a Secret x instead of a pool"),
        (b"kind: List\nitems: []\n", "contains nothing instead of a pool"),
        (json.dumps({"items": [OTHER] * 7}).encode(), "with history.json, 2 more instead of a pool"),
        (
            json.dumps({"items": [CONFIG_MAP, CONFIG_MAP]}).encode(),
            "contains 2 pools (a ConfigMap clusters with cluster.",
        ),
        (b"data: {cluster.json: 5}", "contains an object with data, but cluster.json is a number: expected text"),
        (json.dumps({**CONFIG_MAP, "data": {CLUSTERS: []}}).encode(), "cluster.json is a list: expected text"),
        (json.dumps({**CONFIG_MAP, "data": {CLUSTERS: "[]", "x": None}}).encode(), "x is null: expected text"),
        (b'[{"name": "a"', "the file is not valid JSON (line 1, column 14): correct it"),
        (b"[" * 100_000, "the file is nested too deeply: correct it"),
        (b"a: [", "looks like YAML, but it is not valid YAML: while parsing"),
        (b"a: &a [x, x]\nb: [*a, *a]\n", "(line 2, column 5): the alias *a is not followed"),
        (b"- name: a\n  x: 1e999\n", "has a number that JSON cannot express: remove it"),
        (b'[{"x": ' + b"9" * 5000 + b"}]", "the file has a number with too many digits: correct it"),
        (b"- x: 0x" + b"f" * 5000, "has a number that JSON cannot express: remove it"),
        (b"\x80\x81", "is not text: byte 0 is not UTF-8: save it as UTF-8"),
        (b"\xff\xfe[\x00\x00\xd8\n\x00", "is not text: byte 4 is not UTF-16"),
        (b" " * (65 << 20), "is larger than 64 MB, too large for a pool"),
    ],
    ids=lambda value: ascii(value[:30]),
)
def test_a_file_without_a_pool_is_refused_and_nothing_is_written(importer: Importer, data: bytes, reason: str) -> None:
    assert reason in importer.refused(data)
    assert importer.data == {}


def test_an_import_without_rules_of_purposes_keeps_those_of_the_pool(importer: Importer) -> None:
    sample = (Path(__file__).parents[2] / "cimaster" / "samples" / "pool.yaml").read_bytes()
    assert importer.run(sample).returncode == 0
    rules = importer.data[PURPOSES]
    assert [each["clean"] for each in json.loads(rules)] == ["wipe", "wipe"]
    assert importer.run(ARRAY.encode(), "--replace").returncode == 0
    assert importer.data[PURPOSES] == rules
