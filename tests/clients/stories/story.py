"""An integrator's story with the client of openapi-python-client; called with SITE and KEY."""

import sys
import time
from datetime import datetime
from typing import Any

from carillon_api import AuthenticatedClient
from carillon_api.api.campaigns import (
    campaigns_create,
    campaigns_get,
    campaigns_schedule,
    campaigns_send,
    campaigns_unschedule,
)
from carillon_api.api.followers import (
    followers_create,
    followers_list,
    followers_put_by_external_id,
)
from carillon_api.api.notifications import notifications_deliveries, notify
from carillon_api.api.preferences import preferences_get, preferences_put_cell
from carillon_api.api.segments import segments_count, segments_create
from carillon_api.models import (
    NewCampaignRequest,
    NewFollowerRequest,
    NotifyInRequest,
    Problem,
    ScheduleInRequest,
    SegmentInRequest,
    WordRequest,
)

SITE, KEY = sys.argv[1:]
client = AuthenticatedClient(base_url=SITE, token=KEY, raise_on_unexpected_status=True)


def got(answer: Any) -> Any:
    """Give the answer, which has to be a good one."""
    assert answer is not None
    assert not isinstance(answer, Problem), answer
    return answer


def create_follower() -> Any:
    body = NewFollowerRequest(email="anna@example.com", name="Anna Weber", tags=["Early birds"])
    anna = got(followers_create.sync(client=client, body=body))
    assert anna.tags == ["Early birds"]
    found = got(followers_list.sync(client=client))
    assert [each.id for each in found.results] == [anna.id]
    return anna


def upsert(name: str) -> None:
    body = NewFollowerRequest(email="boris@example.com", name=name, tags=["Early birds"])
    boris = got(followers_put_by_external_id.sync("c-17", client=client, body=body))
    assert (boris.external_id, boris.name) == ("c-17", name)


def create_segment() -> Any:
    rules = {"all": [{"field": "tag", "op": "is", "value": "early-birds"}]}
    body = SegmentInRequest.from_dict({"name": "Early birds", "rules": rules})
    segment = got(segments_create.sync(client=client, body=body))
    assert got(segments_count.sync(segment.id, client=client)).count == 2
    return segment


def send_notification(segment: Any) -> Any:
    data = {"order_number": "A-17", "total": 49.5, "action_url": "https://shop.example/A-17"}
    asked = {"type": "transactional", "segment": str(segment.id), "data": data}
    body = NotifyInRequest.from_dict(asked | {"channels": ["email"]})
    return got(notify.sync(client=client, body=body, idempotency_key="story-1"))


def deliveries(notification: Any) -> list[Any]:
    """Read them one a page, to the last page."""
    found = []
    more: dict[str, Any] = {}
    while True:
        page = got(
            notifications_deliveries.sync(notification.id, client=client, page_size=1, **more)
        )
        found += page.results
        if page.next_ is None:
            return found
        more = {"cursor": page.next_}


def read_deliveries(notification: Any) -> None:
    while len(found := deliveries(notification)) < 2:
        time.sleep(0.2)
    assert len({each.follower for each in found}) == 2


def send_campaign() -> None:
    words = {"en": {"email": {"subject": "Spring", "html": "<p>Hello</p>"}}}
    asked = {"name": "Spring", "type": "promotion", "channels": ["email"]}
    asked |= {"audience": {"tags": ["early-birds"]}, "translations": words}
    campaign = got(campaigns_create.sync(client=client, body=NewCampaignRequest.from_dict(asked)))
    later = ScheduleInRequest(send_at=datetime.fromisoformat("2035-05-31T09:00:00+02:00"))
    planned = got(campaigns_schedule.sync(campaign.id, client=client, body=later))
    assert planned.status == "scheduled"
    got(campaigns_unschedule.sync(campaign.id, client=client))
    got(campaigns_send.sync(campaign.id, client=client))
    while got(campaigns_get.sync(campaign.id, client=client)).status != "sent":
        time.sleep(0.2)


def change_preferences(follower: Any) -> None:
    seen = got(preferences_get.sync(follower.id, client=client))
    assert seen.subscribed
    word = WordRequest(own=False)
    put = preferences_put_cell.sync(follower.id, "promotion", "email", client=client, body=word)
    rows = {row.type_: row for row in got(put).types}
    cells = {cell.channel: cell for cell in rows["promotion"].cells}
    assert cells["email"].own is False


anna = create_follower()
upsert("Boris")
upsert("Boris Ivanov")
segment = create_segment()
read_deliveries(send_notification(segment))
send_campaign()
change_preferences(anna)
print("The story ran.")
