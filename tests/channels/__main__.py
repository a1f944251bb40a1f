"""`python -m tests.channels`: write the table of faults in docs/reliability.md anew."""

import os

from tests import early

if __name__ == "__main__":
    assert early
    os.environ["DJANGO_SETTINGS_MODULE"] = "notifications_project.settings"
    import django

    django.setup()
    from tests.channels import contract

    contract.write()
