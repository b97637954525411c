"""Command lines to copy, and links to the CI system and to kubeconfigs."""

import re
import shlex
import subprocess
from dataclasses import replace
from html import unescape

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import expect

from cimaster.settings import Settings
from tests.conftest import Add
from tests.pages.conftest import Curl, Visit, WriteRecords, text
from tests.pages.people import AXE, check
from tests.replica import Replica


def lines(page: str) -> list[str]:
    """Return the command lines of a page."""
    return [unescape(line) for line in re.findall(r"<code [^>]*>(.*?)</code>", page)]


def test_the_page_of_a_cluster_has_its_command_lines(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    shown = lines(alice.get("/ui/clusters/cluster-01").text)
    assert shown == lines(alice.get("/ui/commands?cluster=cluster-01").text)
    assert shown == [
        "curl -sS --fail-with-body -d 'cluster=cluster-01&name=alice&duration=1h' http://localhost/holdcluster",
        "cimaster hold cluster-01 --name alice --duration 1h --server http://localhost",
        "curl -sS --fail-with-body -d 'cluster=cluster-01&name=alice' http://localhost/releasecluster",
        "cimaster release cluster-01 --name alice --server http://localhost",
        "curl -sS --fail-with-body -d 'cluster=cluster-01&job=JOB&build=BUILD' http://localhost/getvacant",
        "cimaster take --cluster cluster-01 --job JOB --build BUILD --server http://localhost",
    ]


def test_without_a_name_the_shell_fills_it_in(add: Add, client: FlaskClient) -> None:
    add("cluster-01")
    hold, client_hold, *_ = lines(client.get("/ui/commands?cluster=cluster-01").text)
    assert hold.endswith(
        """-d 'cluster=cluster-01&duration=1h' --data-urlencode "name=$USER" http://localhost/holdcluster"""
    )
    assert client_hold == "cimaster hold cluster-01 --duration 1h --server http://localhost"


def test_a_strange_name_is_one_word_of_the_shell(written: WriteRecords, alice: FlaskClient) -> None:
    name = "it's $(id) & `x`"
    written({"name": name, "region": "us-west", "status": "finished", "hold": False})
    shown = lines(alice.get("/ui/commands", query_string={"cluster": name}).text)
    assert shlex.split(shown[1])[2] == name
    assert "cluster=it%27s+%24%28id%29+%26+%60x%60&name=alice" in shlex.split(shown[2])


def test_an_unknown_cluster_has_no_command_lines(alice: FlaskClient) -> None:
    answer = alice.get("/ui/commands?cluster=cluster-09")
    assert answer.status_code == 404
    assert "cluster cluster-09 is not known" in text(answer)


def test_the_curl_lines_work(visit: Visit, replica: Replica, cluster: str) -> None:
    alice = visit("alice")
    alice.go(f"/ui/commands?cluster={cluster}")
    shown = alice.page.locator("code").all_inner_texts()
    for line in shown[0], shown[2], shown[4]:
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        assert cluster in done.stdout


class TestLinks:
    """With templates of links in the settings."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        """Settings with a template for each link."""
        return replace(
            settings,
            kubeconfig_url="https://vault.example.com/ci/{cluster}?raw=1",
            job_url="https://prow.example.com/?job={job}",
            build_url="https://prow.example.com/view/{job}/{build}",
        )

    def test_rows_pages_and_history_link_to_the_build(self, add: Add, alice: FlaskClient) -> None:
        add("cluster-01")
        alice.get("/getvacant", query_string={"job": "e2e/a b&c", "build": "12#4"})
        for page in ("/", "/ui/clusters/cluster-01", "/ui/history"):
            assert 'href="https://prow.example.com/view/e2e%2Fa%20b%26c/12%234"' in alice.get(page).text, page
        assert 'href="https://vault.example.com/ci/cluster-01?raw=1"' in alice.get("/ui/clusters/cluster-01").text

    def test_a_job_without_a_build_links_to_the_job(self, written: WriteRecords, alice: FlaskClient) -> None:
        record = {
            "name": "cluster-01",
            "region": "us-west",
            "status": "testing",
            "hold": False,
            "lastJob": "e2e {build}",
        }
        written(record)
        assert 'href="https://prow.example.com/?job=e2e%20%7Bbuild%7D"' in alice.get("/").text

    def test_a_job_called_dots_has_no_link(self, add: Add, alice: FlaskClient) -> None:
        add("cluster-01")
        alice.get("/getvacant", query_string={"job": "..", "build": "."})
        assert "prow.example.com" not in alice.get("/").text


def test_without_templates_there_are_no_links_out(add: Add, alice: FlaskClient) -> None:
    add("cluster-01")
    alice.get("/getvacant?job=e2e&build=124")
    for page in ("/", "/ui/clusters/cluster-01", "/ui/history"):
        assert "in the CI system" not in alice.get(page).text
    assert "Kubeconfig" not in alice.get("/ui/clusters/cluster-01").text


both = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


@both
def test_a_row_leads_to_the_command_lines(visit: Visit, cluster: str, script: bool) -> None:
    alice = visit("alice", script)
    alice.go()
    alice.choose(cluster, "Commands…")
    expect(alice.page.get_by_role("heading", name=f"Commands for {cluster}")).to_be_visible()
    expect(alice.page.get_by_text(f"cimaster release {cluster} --name alice")).to_be_visible()
    expect(alice.page.get_by_role("button", name="Copy name")).to_have_count(1 if script else 0)
    alice.page.get_by_role("link", name="Close").click()
    expect(alice.row(cluster)).to_be_visible()


def test_a_name_and_a_line_are_copied(visit: Visit, cluster: str, replica: Replica) -> None:
    alice = visit("alice")
    alice.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=replica.url)
    alice.go()
    alice.row(cluster).get_by_role("button", name=f"More {cluster}", exact=True).click()
    alice.row(cluster).get_by_role("button", name=f"Copy name {cluster}").click()
    expect(alice.page.get_by_role("status").filter(has_text=f"Copied: {cluster}")).to_be_visible()
    assert alice.page.evaluate("navigator.clipboard.readText()") == cluster
    alice.choose(cluster, "Commands…")
    alice.page.get_by_role("button", name="Copy Release it with the client").click()
    expect(alice.page.get_by_role("status").filter(has_text="Copied: cimaster release")).to_be_visible()
    assert alice.page.evaluate("navigator.clipboard.readText()").startswith(f"cimaster release {cluster}")


def test_a_line_is_copied_where_the_browser_has_no_clipboard_interface(visit: Visit, cluster: str) -> None:
    alice = visit("alice")
    alice.page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    alice.page.add_init_script("document.addEventListener('copy', () => { window.selected = String(getSelection()); })")
    alice.go(f"/ui/clusters/{cluster}")
    button = alice.page.get_by_role("button", name=f"Copy name {cluster}")
    button.click()
    expect(alice.page.get_by_role("status").filter(has_text=f"Copied: {cluster}")).to_be_visible()
    expect(button).to_be_focused()
    assert alice.page.evaluate("window.selected") == cluster


def test_axe_finds_nothing_with_command_lines(visit: Visit, cluster: str, curl: Curl) -> None:
    curl("getvacant", job="e2e", build="124", cluster=cluster)
    alice = visit("alice")
    for path in (f"/ui/commands?cluster={cluster}", f"/ui/clusters/{cluster}"):
        alice.go(path)
        expect(alice.page.get_by_text(f"cimaster release {cluster}")).to_be_visible()
        alice.page.evaluate(AXE)
        check(alice.page, path)
