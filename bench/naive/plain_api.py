"""The plainest way to take a call to notify: FastAPI checks its body, and asyncpg writes one row.

No key, no limits, no consent, no audit log, no delivery: the row of the notification alone, in the
table where Carillon keeps it, with its indexes and foreign keys. `uvicorn
bench.naive.plain_api:app`.
"""

import datetime as dt
import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI
from pydantic import BaseModel

INSERT = """
INSERT INTO notifications_notification (uid, notification_type_id, version_id, channels,
    addressed_only, data, dedup_key, source, lane, state, created_at, send_at, expires_at, tracking,
    planned_through, planned_at, paused_why, brake_off, wakes_at, finished_at, rate, spread,
    throttle_key, fallback, fallback_after)
VALUES ($1, $2, $3, $4, false, $5, NULL, 'api', 'transactional', 'done', $6, $6, NULL, false, 0, $6,
    '', false, NULL, $6, NULL, NULL, '', '[]', 300)
RETURNING id
"""
TYPE = int(os.environ["PLAIN_TYPE"])
VERSION = int(os.environ["PLAIN_VERSION"])
CONNECTIONS = 4  # of each process, as many as Carillon has


class Recipient(BaseModel):
    email: str


class Call(BaseModel):
    type: str
    template: str
    channels: list[str]
    recipients: list[Recipient]
    data: dict[str, Any] = {}


class Accepted(BaseModel):
    id: uuid.UUID
    status: str
    duplicate: bool


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(
        os.environ["PLAIN_URL"], min_size=CONNECTIONS, max_size=CONNECTIONS
    ) as app.state.pool:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/api/v1/notify", status_code=202)
async def notify(call: Call) -> Accepted:
    uid = uuid.uuid4()
    now = dt.datetime.now(dt.UTC)
    channels = json.dumps(call.channels)
    data = json.dumps(call.data)
    await app.state.pool.fetchval(INSERT, uid, TYPE, VERSION, channels, data, now)
    return Accepted(id=uid, status="sending", duplicate=False)
