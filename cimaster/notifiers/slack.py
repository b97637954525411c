"""Sends notices to an incoming webhook of Slack, or of a chat that accepts the same messages, such as Mattermost."""

import json
from dataclasses import dataclass

from cimaster.common import parsers
from cimaster.notifiers import http_post, secret_file
from cimaster.notifiers.channel import Channel, key
from cimaster.notifiers.message import Item, Message, NotDelivered


@dataclass(frozen=True, kw_only=True)
class SlackChannel(Channel):
    """A webhook; its address is a secret, and therefore in a file."""

    url_file: str = key(parsers.any_text)
    ca_file: str = key(parsers.any_text, "")

    def verify(self) -> None:
        """Raise ValueError if the address cannot be read."""
        secret_file.verify(self.url_file, "url_file")

    def send(self, message: Message) -> None:
        """Send a message; Slack does not recognize a repeat."""
        try:
            url = http_post.read_url(secret_file.lines(self.url_file, "url_file")[0])
        except ValueError as error:
            raise NotDelivered(f"its url_file {self.url_file!r} does not contain {error}") from None
        body = json.dumps({"text": "\n".join(_line(item) for item in message.items)}).encode()
        http_post.post(url, body, {"Content-Type": "application/json"}, self.timeout, self.ca_file)


def _line(item: Item) -> str:
    link = f" <{_escaped(item.link)}|Open>" if item.link else ""
    return _escaped(item.text) + link


def _escaped(text: str) -> str:
    """Escape the characters with which a name or a reason could mention people or add a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
