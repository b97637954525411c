"""A link that would change the pool, opened in a browser: it shows a page with a confirmation button."""

from flask.testing import FlaskClient

from tests.conftest import Add
from tests.pages.conftest import text

BROWSER = {"User-Agent": "Mozilla/5.0", "Accept": "text/html,*/*"}


def test_the_page_shows_the_change_and_a_button_carries_it_out(add: Add, client: FlaskClient) -> None:
    add("cluster-01")
    answer = client.get("/holdcluster?cluster=cluster-01&name=alice&desc=%3Cb%3E", headers=BROWSER)
    assert (answer.status_code, answer.headers["CIMaster-Code"], answer.headers["Allow"]) == (405, "use_post", "POST")
    assert "hold a cluster for a person" in text(answer)
    assert 'name="desc" value="&lt;b&gt;"' in answer.text
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    assert main.count("<button") == 1
    assert "cluster-01 vacant" in text(client.get("/"))
    sent = {"cluster": "cluster-01", "name": "alice", "desc": "<b>"}
    assert client.post("/holdcluster", data=sent, headers=BROWSER).status_code == 200
