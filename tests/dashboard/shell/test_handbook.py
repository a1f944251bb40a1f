"""The docs inside the product: every chapter opens, and every link of one leads somewhere."""

import re
from html import unescape

import pytest

from apps.dashboard.shell.handbook import chapters
from tests.dashboard.pages import as_role, page_of


def test_the_docs_are_listed_with_what_people_need_first(client, viewer):
    text = page_of(as_role(client, viewer).get("/help/")).text
    assert text.index("Using Carillon") < text.index("Operating") < text.index("Conventions")
    assert "For staff. An operator reads Operating it, a programmer The API." in text


@pytest.mark.parametrize("address", sorted(chapters()))
def test_a_chapter_opens_and_its_links_lead_to_chapters_headings_and_pictures(
    client, viewer, address
):
    as_role(client, viewer)
    html = client.get(f"/help/{address}/").content.decode()
    article = html[html.index("<article") : html.index("</article>")]
    for link in re.findall(r'(?:href|src)="(/help/[^"]+)"', article):
        path, _, anchor = unescape(link).partition("#")
        response = client.get(path)
        assert response.status_code == 200, link
        if anchor:
            assert f'id="{anchor}"' in response.content.decode(), link


def test_tables_code_and_pictures_are_shown_as_such(client, viewer):
    html = as_role(client, viewer).get("/help/use/").content.decode()
    assert '<table class="table">' in html
    assert 'src="/help/pictures/' in html
    assert page_of(client.get("/help/api/")).inline == []
    assert "<pre>" in client.get("/help/api/").content.decode()


def test_what_is_no_chapter_and_no_picture_is_not_found(client, viewer):
    as_role(client, viewer)
    assert client.get("/help/nothing/").status_code == 404
    assert client.get("/help/../README/").status_code == 404
    assert client.get("/help/pictures/settings.py").status_code == 404


def test_strangers_are_asked_to_log_in(client, db):
    assert client.get("/help/use/").status_code == 302
