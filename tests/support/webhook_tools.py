"""Third parties read what the program sends: JSON on standard input, complaints on standard output.

Each validator must also refuse a message that is broken on purpose, or it has proven nothing.
"""

import copy
import datetime
import json
import pathlib
import sys

import adaptive_cards
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from cloudevents.core.formats.json import JSONFormat
from jsonschema import Draft6Validator, Draft202012Validator, FormatChecker
from slack_sdk.models.blocks import Block
from standardwebhooks import Webhook

formats = FormatChecker()


@formats.checks("date-time")
def is_date_time(value):
    if not isinstance(value, str):
        return True
    try:
        return datetime.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


cards = pathlib.Path(adaptive_cards.__file__).parent / "schemas"
card_schemas = [json.loads((cards / f"schema-{v}.json").read_text("utf-8-sig")) for v in ("1.4", "1.5")]


def signature(event):
    Webhook(event["secret"]).verify(event["body"], event["headers"])


def cloud_event(event):
    headers = {"content-type": event["headers"]["content-type"]}
    message = HTTPMessage(headers=headers, body=event["body"].encode())
    read = from_structured_event(message, JSONFormat())
    sent = json.loads(event["body"])
    for attribute in ("specversion", "id", "source", "type", "subject"):
        assert read.get_attributes().get(attribute) == sent.get(attribute), attribute
    assert read.get_data() == sent["data"], "data"


def schema(event):
    Draft202012Validator.check_schema(event["schema"])
    validator = Draft202012Validator(event["schema"], format_checker=formats)
    validator.validate(json.loads(event["body"]))


def slack(body):
    message = json.loads(body)
    assert message["text"], "no text"
    for block in message["blocks"]:
        Block.parse(block).validate_json()


def teams(body):
    message = json.loads(body)
    assert message["type"] == "message"
    (attachment,) = message["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    for card_schema in card_schemas:
        Draft6Validator(card_schema).validate(attachment["content"])


def changed(body, change):
    value = json.loads(body)
    change(value)
    return json.dumps(value)


def without(name):
    return lambda value: value.pop(name)


def late(value):
    value["time"] = "yesterday"


def misname(value):
    value["Policy_Name"] = "everyone"


def shout(value):
    value["blocks"][0]["text"]["text"] = "x" * 151


def unknown_element(value):
    value["attachments"][0]["content"]["body"][0]["type"] = "Marquee"


def refuses(check, broken):
    try:
        check(broken)
    except Exception:
        return
    raise AssertionError(f"{check.__name__} accepts what is broken on purpose")


given = json.load(sys.stdin)
for event in given["events"]:
    signature(event)
    cloud_event(event)
    schema(event)
for event in given["bodies"]:
    schema(event)
# Of a chat without a validator it is only known that its messages are JSON.
validators = {"slack": slack, "teams": teams}
for name in given.keys() - {"events", "bodies"}:
    for body in given[name]:
        validators.get(name, json.loads)(body)

event = given["events"][0]
refuses(signature, event | {"body": event["body"] + " "})
for attribute in ("id", "source", "type", "specversion"):
    refuses(cloud_event, event | {"body": changed(event["body"], without(attribute))})
refuses(cloud_event, event | {"body": changed(event["body"], misname)})
refuses(schema, event | {"body": changed(event["body"], without("data"))})
refuses(schema, event | {"body": changed(event["body"], late)})
refuses(slack, changed(given["slack"][0], shout))
refuses(teams, changed(given["teams"][0], unknown_element))
counts = {name: len(bodies) for name, bodies in given.items()}
print(json.dumps(counts))
