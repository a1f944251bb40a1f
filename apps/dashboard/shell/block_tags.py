"""Template tags with words between them: a button that posts, and what a list shows when nothing
is in it.
"""

from typing import Any

from django.template import Context, Node, NodeList, TemplateSyntaxError
from django.template.base import FilterExpression, Parser, Token, token_kwargs
from django.template.defaulttags import CsrfTokenNode
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

BUTTON_OPTIONS = {"css", "form", "label"}


def nothing(
    content: SafeString, icon: str, title: str, url: str = "", action: str = ""
) -> SafeString:
    """Draw the sign in an empty list; with `url` and `action` a button below it.

    `{% nothing "search" "No such mail" %}Nothing matches.{% endnothing %}`
    """
    text = content.strip()
    values = {"icon": icon, "title": title, "text": text, "url": url, "action": action}
    return render_to_string("dashboard/shell/includes/empty.html", values)


def post_button(parser: Parser, token: Token) -> "PostButton":
    """Read a form that is one button.

    `{% post_button "dashboard:cap-remove" cap.uid css="btn btn-light" %}Remove
    {% asking %}Remove {{ cap.name }}?{% endpost_button %}`

    What stands after `asking` is asked before it is posted. `css` are the button's classes, `form`
    those of the form, `label` its name for screen readers.
    """
    tag, *bits = token.split_contents()
    positional = [bit for bit in bits if "=" not in bit.partition('"')[0]]
    named = bits[len(positional) :]
    options = token_kwargs(named, parser)
    if not positional or named or options.keys() - BUTTON_OPTIONS:
        raise TemplateSyntaxError(f"{tag} takes an address, its arguments, and css, form, label.")
    end = f"end{tag}"
    content = parser.parse(("asking", end))
    question = NodeList()
    if parser.next_token().contents == "asking":
        question = parser.parse((end,))
        parser.delete_first_token()
    address = [parser.compile_filter(bit) for bit in positional]
    return PostButton(address, options, content, question)


class PostButton(Node):
    """A form with the token and one button."""

    child_nodelists = ("content", "question")

    def __init__(
        self,
        address: list[FilterExpression],
        options: dict[str, FilterExpression],
        content: NodeList,
        question: NodeList,
    ) -> None:
        self.address = address
        self.options = options
        self.content = content
        self.question = question

    def render(self, context: Context) -> SafeString:
        name, *arguments = (each.resolve(context) for each in self.address)
        options = {name: each.resolve(context) for name, each in self.options.items()}
        # what nodes render is escaped already
        asked = " ".join(self.question.render(context).split())
        question = mark_safe(asked)  # noqa: S308  # our own template
        token = mark_safe(CsrfTokenNode().render(context))  # noqa: S308  # Django's own field
        words = self.content.render(context).strip()
        content = mark_safe(words)  # noqa: S308  # our own template
        return format_html(
            '<form method="post" action="{}"{}{}>{}<button class="{}"{}>{}</button></form>',
            reverse(name, args=arguments),
            _attribute("class", options.get("form", "")),
            _attribute("data-confirm", question),
            token,
            options.get("css", "btn btn-light"),
            _attribute("aria-label", options.get("label", "")),
            content,
        )


def _attribute(name: str, value: Any) -> SafeString:
    if value:
        return format_html(' {}="{}"', name, value)
    return SafeString("")
