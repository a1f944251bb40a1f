"""Results: what became of what was sent.

1. `overview`: all, of a type, a recurring notification or a period, with the campaigns in it.
2. `page`: one send, with its domains, languages, hours, and the mail with counts at its links.
3. `compare`: two sends side by side.

`steps` turns numbers into lines that open their names, `plots` draws them.
"""

from apps.dashboard.send.results import compare, overview, page

urlpatterns = [*overview.urlpatterns, *compare.urlpatterns, *page.urlpatterns]
