"""A program: import a file of followers in this process, and print what that cost as JSON."""

import json
import resource
import sys
import time
from pathlib import Path

import django


def main() -> None:
    django.setup()
    from django.utils import timezone

    from apps.followers.imports import run
    from apps.followers.imports.upload import start_upload
    from apps.lib.actor import command

    path = Path(sys.argv[1])
    by = command("bench")
    with path.open("rb") as file:
        job = start_upload(file=file, file_name=path.name, by=by, now=timezone.now())
    mapping = job.mapping | {name: f"metadata.{name}" for name in ("city", "plan", "score")}
    run.start(job=job, mapping=mapping, by=by, now=timezone.now(), background=False)
    began = time.perf_counter()
    spent = time.process_time()
    for _ in run.slices(job.pk):
        pass
    job.refresh_from_db()
    cost = {
        "cpu": time.process_time() - spent,
        "seconds": time.perf_counter() - began,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "created": job.created,
        "unchanged": job.unchanged,
    }
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
