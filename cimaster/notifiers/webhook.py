"""Sends notices to a program of the operator: CloudEvents 1.0 in JSON, signed as Standard Webhooks says.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from cimaster.common import parsers
from cimaster.common.times import format_time
from cimaster.notifiers import http_post, secret_file
from cimaster.notifiers.channel import Channel, key
from cimaster.notifiers.message import Item, Message

_PREFIX = "whsec_"
_JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class WebhookChannel(Channel):
    """A receiver of CloudEvents; each line of `secret_file` is a key that signs them, so that keys can be replaced."""

    url: str = key(http_post.read_url)
    secret_file: str = key(parsers.any_text)
    ca_file: str = key(parsers.any_text, "")

    def verify(self) -> None:
        """Raise ValueError if the keys cannot be read."""
        secret_file.verify(self.secret_file, "secret_file")

    def send(self, message: Message) -> None:
        """Send one event, or a batch; the receiver recognizes a repeat by the ids of the events."""
        keys = [_key(line) for line in secret_file.lines(self.secret_file, "secret_file")]
        events = [_event(item, message.source) for item in message.items]
        is_batch = len(events) > 1
        body = json.dumps(events if is_batch else events[0], ensure_ascii=False).encode("utf-8", "replace")
        timestamp = str(int(message.now.timestamp()))
        headers = {
            "Content-Type": f"application/cloudevents{'-batch' if is_batch else ''}+json; charset=utf-8",
            "webhook-id": message.key,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(signature(key, message.key, timestamp, body) for key in keys),
        }
        http_post.post(self.url, body, headers, self.timeout, self.ca_file)


def signature(key: bytes, identity: str, timestamp: str, body: bytes) -> str:
    """Return the value of the header `webhook-signature` for one key."""
    signed = f"{identity}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _key(line: str) -> bytes:
    """Return the key in a line: base64 after `whsec_`, as the libraries of Standard Webhooks have it, or any text."""
    if line.startswith(_PREFIX):
        try:
            return base64.b64decode(line.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            pass
    return line.encode()


def _event(item: Item, source: str) -> dict[str, Any]:
    facts = dict(item.facts or {})
    event = {
        "specversion": "1.0",
        "id": item.id,
        "source": source,
        "type": f"cimaster.{item.kind}",
        "subject": facts.get("cluster") or facts.get("purpose", ""),
        "time": format_time(item.at),
        "datacontenttype": _JSON,
        "data": {**facts, "text": item.text, "link": item.link},
    }
    return {name: value for name, value in event.items() if value}
