"""What we say: templates, their versions and languages, and the layouts around them."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import pgettext_lazy

from apps.lib.facts import Subject
from apps.lib.ids import uuid7


class Layout(models.Model):
    """The frame around an email's own words: logo, greeting, footer.

    Liquid, with `{{ content }}` where they go.
    """

    key = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=100)
    html = models.TextField()
    text = models.TextField(blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def fact_subject(self) -> Subject:
        return Subject("layout", self.key, self.name)


class Template(models.Model):
    """Something we say more than once, or (private) the words of one campaign."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    key = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    description = models.CharField(max_length=300, blank=True)
    private = models.BooleanField(
        default=False
    )  # belongs to one campaign, not shown in the library
    stock = models.BooleanField(default=False)  # came with the product
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def fact_subject(self) -> Subject:
        return Subject("template", str(self.uid), self.name)


class VersionState(models.TextChoices):
    DRAFT = "draft", pgettext_lazy("version", "Draft")  # the one that is edited
    PUBLISHED = "published", pgettext_lazy("version", "Published")  # the one new messages use
    # published once; running sends may still use it
    SUPERSEDED = "superseded", pgettext_lazy("version", "Superseded")


class Version(models.Model):
    """One edition of a template.

    Once published it never changes, so a running send keeps what it started with.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=VersionState, default=VersionState.DRAFT)
    default_language = models.CharField(max_length=35, default="en")
    # [{"name", "type": string|number|boolean|list|object, "required": bool, "default",
    # "example", "description"}]
    variables = models.JSONField(default=list, blank=True)
    layout = models.ForeignKey(
        Layout, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    # the layout as it was at publishing; later edits of the layout don't reach back
    layout_html = models.TextField(blank=True)
    layout_text = models.TextField(blank=True)
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="version_number_once"),
            models.UniqueConstraint(
                fields=["template"], condition=Q(state="draft"), name="version_one_draft"
            ),
            models.UniqueConstraint(
                fields=["template"], condition=Q(state="published"), name="version_one_published"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} v{self.number}"


class Translation(models.Model):
    """A version's words in one language, per channel.

    `parts`: {"email": {"subject", "preheader", "html", "text"}, "in_app": {"title", "body",
    "link"}}; a channel that is absent is not offered in this version. An empty email text is made
    from the HTML, whenever that is rendered.
    """

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="translations")
    language = models.CharField(max_length=35)
    parts = models.JSONField(default=dict)
    # as it came from the template it was copied from, or with the product
    untouched = models.BooleanField(default=False)

    class Meta:
        ordering = ["language"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "language"], name="translation_once_per_language"
            )
        ]

    def __str__(self) -> str:
        return f"{self.version} {self.language}"


class Link(models.Model):
    """A web address that a published version's emails lead to.

    A tracked link can lead to nothing else.
    """

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="links")
    number = models.PositiveIntegerField()
    url = models.CharField(max_length=2000)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["version", "number"], name="link_number_once")
        ]

    def __str__(self) -> str:
        return self.url
