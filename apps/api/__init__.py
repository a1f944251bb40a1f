"""The API: addresses below /api/v1/, for programs and for staff who try it out.

What happens to a call:

0. `overload/` says which calls are refused when too many come, before anything else is asked;
   straight.py leads those with a key past sessions and cookies;
1. auth.py finds who calls, by key or session, and whether the method's scope is theirs;
2. limits.py takes it from the caller's allowance of a minute;
3. parsing.py reads JSON that every database can keep, and moments with their zone;
4. idempotency.py does a write once, however often it is asked for with one Idempotency-Key;
5. the view (endpoint.py, or verbs.py by table) checks body and query, calls one act, answers;
6. edited.py compares what was read with what is there, where several may edit one thing;
   paging.py cuts lists, by cursor;
7. errors.py makes a problem document of whatever was refused or went wrong: only there does a
   kind of refusal become a status.

Views are in `v1/`, by section as in the dashboard's menu. `document/` completes
the schema that drf-spectacular makes of them; `tests/api/openapi.yaml` holds what was agreed.
No other app imports from here.
"""
