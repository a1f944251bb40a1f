"""The way of a call out of the queue: what django-q2 asks for the next one (`broker_class` of
Q_CLUSTER).
"""

import datetime as dt
import time
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.models import OrmQ
from psycopg import Error as DriverError

from apps.lib.queue.bell import PATIENCE, Ear
from apps.lib.queue.moved_tasks import readdressed
from apps.lib.sql.any_rows import AnyRows


class ListeningBroker(ORM):  # type: ignore[misc]  # django-q2 has no types
    """ORM broker of django-q2 that waits for a ring in place of asking five times a second, and
    readdresses what it takes out.
    """

    def __init__(self, list_key: str) -> None:
        super().__init__(list_key)
        self._ear = Ear(list_key)
        self._questions = AnyRows({"calls": self._calls})

    def _calls(self, now: dt.datetime) -> QuerySet[Any]:
        calls: QuerySet[Any] = OrmQ.objects.filter(key=self.list_key, lock__lt=now)
        return calls

    def dequeue(self) -> list[tuple[int, str]] | None:
        """Calls to work off now, as (primary key, payload); after a wait None, without any."""
        if not self._hears_of_calls():
            return None
        taken = super().dequeue()
        if not taken:  # another cluster was faster
            return None
        return [(key, self._readdressed(payload)) for key, payload in taken]

    def _hears_of_calls(self) -> bool:
        """Whether there is a call; waits for one if not. A lost database is waited for, too."""
        try:
            self._ear.prick_up()
            if self._questions.among(["calls"], now=timezone.now()):
                return True
            self._ear.wait()
        except (DatabaseError, DriverError):
            connection.close()  # the next look opens another one
            time.sleep(PATIENCE)
        return False

    def _readdressed(self, payload: str) -> str:
        """Leave a call that can't be read as it is: the cluster logs it and throws it away."""
        try:
            return readdressed(payload)
        except Exception:  # noqa: BLE001  # the cluster meets next what a foreign payload raises
            return payload
