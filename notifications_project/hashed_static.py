"""Static files under names that change with their content, so that browsers may keep them for ever.

Production serves them so; what our scripts import has to be asked for by such names, too. Django
does that for all scripts or none, and packages ship some that import what is not there.
"""

from whitenoise.storage import CompressedManifestStaticFilesStorage

OURS = "carillon/*.js"  # folders below included
IMPORT = r"""(?P<matched>(?P<start>\bimport\b[^'";]*)["'](?P<url>\.[^'"]+)["'];)"""


class HashedModules(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # no stubs
    """Write hashed names into the `import` lines of our own scripts."""

    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        (OURS, ((IMPORT, '%(start)s"%(url)s";'),)),
    )
