"""The import wizard: nothing happens before the start, and everything refused can be fetched."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.followers.imports import run
from apps.followers.models import Follower, Import
from tests.dashboard.pages import as_role, page_of
from tests.make import make_type

FILE = (
    "Email,Name,City\nnew@example.com,New One,Oslo\nanna@example.com,Anna"
    " Changed,Rome\nbroken,Nobody,Paris\n"
)


def upload(client, text=FILE, name="fair.csv"):
    return client.post("/imports/add/", {"file": SimpleUploadedFile(name, text.encode())})


@pytest.fixture
def job(client, editor, anna):
    return Import.objects.get(uid=upload(as_role(client, editor))["Location"].split("/")[2])


def test_the_columns_are_guessed_and_the_preview_says_what_would_happen(client, job):
    page = page_of(client.get(f"/imports/{job.uid}/"))
    for said in (
        "Create 1",
        "Update 1",
        "Refused 1",
        "Line 4",
        "Anna Weber → Anna Changed",
        "new@example.com",
    ):
        assert said in page.text
    assert not page.inline
    assert Follower.objects.count() == 1


def test_another_choice_of_columns_is_shown_without_changing_anything(client, job):
    choice = {
        "column-0": "email",
        "column-1": "ignore",
        "column-2": "metadata.City",
        "do": "preview",
        "update": "on",
    }
    page = page_of(client.post(f"/imports/{job.uid}/", choice))
    assert "Anna Changed" not in page.text
    assert "City: Oslo" in page.text
    refused = page_of(client.post(f"/imports/{job.uid}/", choice | {"column-0": "ignore"}))
    assert "Map a column to email, phone or external_id" in refused.text
    assert Import.objects.get().state == "uploaded"


def test_the_start_is_once_the_progress_shows_and_the_refused_rows_can_be_fetched(
    client, job, viewer
):
    url = f"/imports/{job.uid}/"
    choice = {
        "column-0": "email",
        "column-1": "name",
        "column-2": "metadata.City",
        "do": "start",
        "update": "on",
        "tags": "fair, 2026",
    }
    assert client.post(url, choice)["Location"] == url
    assert (
        client.post(url, choice).status_code == 200
    )  # the second click lands on the progress page
    running = client.get(url)
    assert 'hx-trigger="every 1s"' in running.content.decode()
    assert "0 of 3 rows" in page_of(running).text
    list(run.slices(job.pk))
    as_role(client, viewer)
    done = client.get(url)
    assert "every 1s" not in done.content.decode()
    assert "Created 1 Updated 1 Unchanged 0 Refused 1" in page_of(done).text
    new = Follower.objects.get(addresses__key="new@example.com")
    assert (new.metadata, new.tags.count()) == ({"City": "Oslo"}, 2)
    file = client.get(f"{url}refused.csv")
    assert file["Content-Disposition"].startswith("attachment")
    text = b"".join(file.streaming_content).decode()
    assert "broken,Nobody,Paris" in text
    assert "4," in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("Email\nann\x00a@example.com\n", "Line 2"),
        ('Email,Name\n"anna@example.com,Anna\n', "Line 2"),
        ("PK\x03\x04", "Excel"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_place(client, editor, text, words):
    answer = upload(as_role(client, editor), text)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert not Import.objects.exists()


def test_a_discarded_upload_is_gone_and_a_started_one_stays(client, job):
    client.post(f"/imports/{job.uid}/discard/")
    assert not Import.objects.exists()
    assert client.post(f"/imports/{job.uid}/discard/")["Location"] == "/imports/"
    started = upload(client)["Location"]
    client.post(
        started,
        {
            "column-0": "email",
            "column-1": "name",
            "column-2": "ignore",
            "do": "start",
            "update": "on",
        },
    )
    assert "started already" in page_of(client.post(f"{started}discard/", follow=True)).text
    assert Import.objects.get().state == "running"


def test_a_viewer_sees_that_a_file_waits_but_not_its_rows(client, job, viewer):
    page = page_of(as_role(client, viewer).get(f"/imports/{job.uid}/"))
    assert "not chosen yet" in page.text
    assert "new@example.com" not in page.text
    assert client.post(f"/imports/{job.uid}/", {"do": "start"}).status_code == 200
    assert Import.objects.get().state == "uploaded"


@pytest.mark.reported
def test_another_encoding_can_be_chosen_and_is_seen_at_once(client, editor):
    text = "email;name\na@example.com;Kovač\n".encode("cp1250")
    file = SimpleUploadedFile("a.csv", text)
    answer = as_role(client, editor).post("/imports/add/", {"file": file, "encoding": "cp1252"})
    assert "Kovaè" in page_of(client.get(answer["Location"])).text
    choice = {"encoding": "cp1250", "delimiter": ";"}
    client.post(f"{answer['Location']}reading/", choice)
    page = page_of(client.get(answer["Location"]))
    assert "Kovač" in page.text
    refused = client.post(f"{answer['Location']}reading/", {"encoding": "utf-8"}, follow=True)
    assert "Choose another encoding" in page_of(refused).text
    assert "Kovač" in page_of(client.get(answer["Location"])).text


@pytest.mark.reported
def test_a_tab_can_be_chosen(client, editor):
    file = SimpleUploadedFile("a.csv", b"email\tname, first\na@example.com\tx, y\n")
    choice = {"file": file, "delimiter": "\t"}
    url = as_role(client, editor).post("/imports/add/", choice)["Location"]
    assert "a@example.com" in page_of(client.get(url)).text
    assert Import.objects.get().dialect["columns"] == ["email", "name, first"]


@pytest.mark.reported
def test_a_column_that_may_say_who_opted_out_holds_the_start_until_it_is_chosen(client, editor):
    url = upload(as_role(client, editor), "Email,WhatsApp opt-out\na@example.com,yes\n")["Location"]
    assert "may say who opted out" in page_of(client.get(url)).text
    choice = {"column-0": "email", "column-1": "", "do": "start", "update": "on"}
    assert "may say who opted out" in page_of(client.post(url, choice)).text
    assert Import.objects.get().state == "uploaded"
    client.post(url, choice | {"column-1": "unsubscribed"})
    assert Import.objects.get().state == "running"


@pytest.mark.reported
def test_a_do_not_contact_list_is_brought_in_from_the_suppression_list(client, editor, anna):
    page = page_of(as_role(client, editor).get("/suppressions/"))
    assert "/imports/add/?do-not-contact" in page.links
    file = SimpleUploadedFile("no.csv", b"Email\nanna@example.com\n")
    url = client.post("/imports/add/?do-not-contact", {"file": file})["Location"]
    assert "Suppress 1" in page_of(client.get(url)).text
    choice = {"column-0": "email", "do": "start", "do_not_contact": "on"}
    client.post(url, choice)
    list(run.slices(Import.objects.get().pk))
    assert "Suppressed 1" in page_of(client.get(url)).text
    assert anna.addresses.get().state == "suppressed"


@pytest.mark.reported
def test_a_file_of_a_thousand_columns_can_be_mapped_and_started(client, editor):
    headings = ",".join(f"c{number}" for number in range(999))
    text = f"Email,{headings}\na@example.com{',x' * 999}\n"
    url = upload(as_role(client, editor), text)["Location"]
    choice = {f"column-{number}": "ignore" for number in range(1, 1000)}
    client.post(url, choice | {"column-0": "email", "do": "start", "update": "on"})
    assert Import.objects.get().state == "running"


@pytest.mark.reported
def test_the_preview_counts_each_kind_of_problem(client, editor):
    text = "Email,Phone,Language\na@example.com,0151 12345678,English!\nb@example.com,unknown,\n"
    url = upload(as_role(client, editor), text)["Location"]
    text = page_of(client.get(url)).text
    assert "Phone 2 Line 2" in text
    assert "Language 1 Line 2" in text
    assert "Choose the country of these numbers" in text
    choice = {"column-0": "email", "column-1": "phone", "column-2": "language", "country": "DE"}
    choice["do"] = "preview"
    assert "Phone 1 Line 3" in page_of(client.post(url, choice)).text
    mended = {"said-column": ["Language"], "said-word": ["english!"], "said-meaning": ["en"]}
    text = page_of(client.post(url, choice | mended)).text
    assert "Language 1" not in text
    assert "Phone 1 Line 3" in text
    client.post(url, choice | mended | {"do": "start"})
    list(run.slices(Import.objects.get().pk))
    assert Import.objects.get().incomplete == 1


def test_a_word_about_consent_is_given_a_meaning_on_the_page(client, editor):
    text = "Email,Status\na@example.com,active\nb@example.com,gold\n"
    url = upload(as_role(client, editor), text, "cleaned.csv")["Location"]
    page = page_of(client.get(url)).text
    assert "What Status says" in page
    assert "gold 1" in page
    choice = {"column-0": "email", "column-1": "subscribed", "do": "start", "update": "on"}
    said = {"said-column": ["Status"] * 2, "said-word": ["active", "gold"]}
    waits = client.post(url, choice | said | {"said-meaning": ["subscribed", "?"]})
    assert "Choose what it means" in page_of(waits).text
    client.post(url, choice | said | {"said-meaning": ["subscribed", "bounced"]})
    job = Import.objects.get()
    assert (job.state, job.options["values"]) == ("running", {"Status": {"gold": "bounced"}})
    assert "words" not in job.dialect


def test_the_page_says_whose_export_it_is_and_what_all_of_it_are(client, sender):
    make_type("welcome")
    head = "Email Address,OPTIN_TIME,MEMBER_RATING,LEID,EUID\na@example.com,,2,1,2\n"
    name = "nonsubscribed_email_audience_export.csv"
    url = upload(as_role(client, sender), head, name)["Location"]
    answer = client.get(url)
    assert "looks like an export of Mailchimp" in page_of(answer).text
    assert '<option value="unsubscribed" selected>' in answer.content.decode()
    assert "Yes: send “Welcome” to each who is new" in page_of(answer).text


def test_only_who_may_send_starts_an_import_that_greets(client, job, sender):
    make_type("welcome")
    url = f"/imports/{job.uid}/"
    page = page_of(client.get(url))
    assert "Senders may send a welcome message." in page.text
    assert "Yes: send “Welcome”" not in page.text
    choice = {"column-0": "email", "column-1": "ignore", "column-2": "ignore", "do": "start"}
    client.post(url, choice | {"welcome": "welcome"})
    assert Import.objects.get().state == "uploaded"
    as_role(client, sender).post(url, choice | {"welcome": "welcome"})
    assert Import.objects.get().options["welcome"] == "welcome"
