"""Runs Python functions for Ogawa.

It speaks docs/functions-protocol.md on the socket that OGAWA_SOCKET names, writes log lines to OGAWA_LOG, and leaves
standard output to the function. One call at a time. Runs on Python 3.9 and later.
"""

import base64
import importlib.util
import inspect
import json
import logging
import os
import socket
import struct
import sys
import time
import traceback
from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


# ---------------------------------------------------------------- log

LOG_DESCRIPTOR = int(os.environ.pop("OGAWA_LOG"))
LEVELS = {"DEBUG": "debug", "INFO": "info", "WARNING": "warning", "ERROR": "error", "CRITICAL": "error"}


def log(level, message):
    message = str(message)
    if len(message) > 8000:
        message = message[:8000] + " … (the text goes on)"
    line = (json.dumps({"level": level, "message": message}) + "\n").encode()
    while line:
        line = line[os.write(LOG_DESCRIPTOR, line):]


class LogHandler(logging.Handler):
    """Passes what the logging module takes on to Ogawa."""

    def emit(self, record):
        try:
            log(LEVELS.get(record.levelname, "info"), self.format(record))
        except Exception:
            self.handleError(record)


# ---------------------------------------------------------------- frames

class Channel:
    """Sends and receives messages; ends the process when the host is gone."""

    def __init__(self, descriptor):
        self.socket = socket.socket(fileno=descriptor)
        self.socket.setblocking(True)

    def send(self, header, payload=()):
        text = json.dumps(header, separators=(",", ":")).encode()
        block = b"".join(payload)
        self.socket.sendall(struct.pack("<II", len(text), len(block)) + text + block)

    def receive(self):
        header_length, payload_length = struct.unpack("<II", self._exactly(8))
        header = json.loads(self._exactly(header_length))
        return header, self._exactly(payload_length)

    def _exactly(self, count):
        block = bytearray(count)
        view = memoryview(block)
        got = 0
        while got < count:
            try:
                part = self.socket.recv_into(view[got:])
            except ConnectionError:
                part = 0
            if part == 0:
                sys.exit(0)
            got += part
        return bytes(block)


# ---------------------------------------------------------------- calls

def decode_body(text):
    """What a sender put into a body: JSON where it is JSON, else text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def time_of(microseconds):
    return EPOCH + timedelta(microseconds=microseconds)


class Event:
    """One event of a batch; the body is decoded when it is asked for."""

    __slots__ = ("_call", "_index", "bytes", "_body")

    def __init__(self, call, index, body):
        self._call = call
        self._index = index
        self.bytes = body
        self._body = self

    @property
    def body(self):
        if self._body is self:
            self._body = decode_body(self.text)
        return self._body

    @property
    def text(self):
        return self.bytes.decode("utf-8", "replace")

    @property
    def key(self):
        return self._call.header["keys"][self._index]

    @property
    def offset(self):
        return self._call.header["firstOffset"] + self._index

    @property
    def partition(self):
        return self._call.header["partition"]

    @property
    def stream(self):
        return self._call.header["stream"]

    @property
    def enqueued_time(self):
        return time_of(self._call.header["enqueued"][self._index])

    @property
    def properties(self):
        return self._call.properties(self._index)

    @property
    def id(self):
        """The same at each attempt, and in no other event."""
        return "%s/%s/%s" % (self.stream, self.partition, self.offset)

    def __repr__(self):
        return "<Event %s key=%r body=%r>" % (self.id, self.key, self.body)


class Call:
    """An invoke message with its block of bytes taken apart."""

    def __init__(self, channel, header, payload):
        self.channel = channel
        self.header = header
        self.started = time.monotonic()
        self.position = 0
        self.payload = payload
        self.bodies = [self.take(length) for length in header.get("bodies", ())]
        self.window_state = None
        if "window" in header:
            state = self.take(header["window"]["state"])
            self.window_state = json.loads(state) if state else None
        self.web_body = self.take(header["web"]["body"]) if "web" in header else b""
        self.state = {key: self.take(length) for key, length in header.get("state", ())}
        self.changes = {}
        self.outputs = {}

    def take(self, length):
        start = self.position
        self.position += length
        return self.payload[start:self.position]

    def properties(self, index):
        text = (self.header.get("properties") or ())[index:index + 1]
        value = decode_body(text[0]) if text and text[0] else {}
        return value if isinstance(value, dict) else {}

    def events(self):
        return [Event(self, index, body) for index, body in enumerate(self.bodies)]

    def remaining_ms(self):
        return max(0.0, self.header["timeoutMs"] - (time.monotonic() - self.started) * 1000)

    def emit(self, output, row, key=None, properties=None):
        if not isinstance(output, str) or not output:
            raise TypeError("emit needs the name of an output")
        rows = self.outputs.setdefault(output, [])
        rows.append((encode_row(row, output), None if key is None else str(key), properties))

    def emit_all(self, output, value):
        """One row, or one per element of a list, tuple or generator; nothing for None."""
        if value is None:
            return
        if isinstance(value, (list, tuple)) or inspect.isgenerator(value):
            for row in value:
                self.emit(output, row)
        else:
            self.emit(output, value)

    def send_result(self, extra):
        payload = []
        outputs = []
        for name, rows in self.outputs.items():
            output = {"name": name, "rows": [len(row) for row, _, _ in rows]}
            if any(key is not None or properties for _, key, properties in rows):
                output["keys"] = [key for _, key, _ in rows]
                output["properties"] = [json.dumps(properties) if properties else None for _, _, properties in rows]
            outputs.append(output)
            payload += [row for row, _, _ in rows]
        state = []
        for key, (text, ttl) in self.changes.items():
            change = [key, None if text is None else len(text)]
            if ttl is not None:
                change.append(ttl * 1000)
            state.append(change)
            if text is not None:
                payload.append(text)
        header = {"type": "result", "id": self.header["id"], "outputs": outputs, "state": state}
        if extra.get("failedFrom") is not None:
            header["failedFrom"] = extra["failedFrom"]
        if extra.get("error") is not None:
            header["error"] = describe(extra["error"])
        if "web" in extra:
            status, headers, body = extra["web"]
            header["web"] = {"status": status, "headers": headers, "body": len(body)}
            payload.append(body)
        if "windowState" in extra:
            text = json.dumps(extra["windowState"]).encode()
            header["windowState"] = len(text)
            payload.append(text)
        self.channel.send(header, payload)


def plain_value(value):
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item") and callable(value.item):
        return value.item()
    raise TypeError("%s has no form in JSON" % type(value).__name__)


def encode_json(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=plain_value).encode()


def encode_row(row, output):
    """A row as the body of an event: text and bytes as they are, everything else as JSON."""
    if isinstance(row, str):
        return row.encode()
    if isinstance(row, (bytes, bytearray, memoryview)):
        return bytes(row)
    try:
        return encode_json(row)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError("a row for %s cannot be written as JSON: %s" % (output, error)) from None


class State:
    """The function's state: what the call's keys hold is here already, the rest is fetched."""

    def __init__(self, call):
        self._call = call

    def get(self, key, default=None):
        key = str(key)
        call = self._call
        if key in call.changes:
            text = call.changes[key][0]
        else:
            if key not in call.state and key not in call.header.get("keys", ()):
                self._fetch(key)
            text = call.state.get(key)
        return default if text is None else json.loads(text)

    def set(self, key, value, ttl=None):
        """Keeps a value; ttl in seconds."""
        if ttl is not None and not ttl > 0:
            raise ValueError("state %s: ttl is a number of seconds above 0" % key)
        self._call.changes[str(key)] = (encode_json(value), ttl)

    def delete(self, key):
        self._call.changes[str(key)] = (None, None)

    def _fetch(self, key):
        call = self._call
        call.channel.send({"type": "stateGet", "keys": [key]})
        header, payload = call.channel.receive()
        position = 0
        call.state[key] = None
        for found, length in header.get("state", ()):
            call.state[found] = payload[position:position + length]
            position += length


def failed_from(call, failures, names_of):
    """The index of the first event that a function reports as failed; None: all went well."""
    if not isinstance(failures, (list, tuple)):
        raise TypeError("batchItemFailures is no list")
    lowest = None
    for failure in failures:
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else failure
        index = next((i for i in range(len(call.bodies)) if str(identifier) in names_of(i)), None)
        # An event that is not in the batch: nothing is certain, so the whole batch counts as failed.
        if identifier in (None, "") or index is None:
            return 0
        lowest = index if lowest is None else min(lowest, index)
    return lowest


def finish(value):
    """The value of a coroutine, on one loop for the life of the process; others as they are."""
    global LOOP
    if not inspect.isawaitable(value):
        return value
    if LOOP is None:
        import asyncio
        LOOP = asyncio.new_event_loop()
        asyncio.set_event_loop(LOOP)
    return LOOP.run_until_complete(value)


LOOP = None


def describe(error):
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {"message": str(error) or type(error).__name__, "type": type(error).__name__, "stack": text}


# ---------------------------------------------------------------- loading

def load_file(path):
    """Imports a file as a module, with its folder first on the path."""
    folder = os.path.dirname(path)
    for place in (os.path.join(folder, ".python_packages", "lib", "site-packages"), folder):
        if place not in sys.path:
            sys.path.insert(0, place)
    name = os.path.splitext(os.path.basename(path))[0]
    if name == "__init__":
        name = os.path.basename(folder)
    specification = importlib.util.spec_from_file_location(
        name, path, submodule_search_locations=[folder] if path.endswith("__init__.py") else None)
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


def entry(module, names):
    for name in names:
        found = module
        for part in name.split("."):
            found = getattr(found, part, None)
        if callable(found):
            return found
    raise AttributeError("%s has no function %s" % (os.path.basename(module.__file__), " or ".join(names)))


class Context:
    """What a function of the plain form may do beside computing."""

    def __init__(self, call):
        header = call.header
        self._call = call
        self.invocation_id = header["id"]
        self.function_name = header["function"]
        self.attempt = header["attempt"]
        self.max_attempts = header["maxAttempts"]
        self.trigger = header["trigger"]
        self.stream = header.get("stream")
        self.partition = header.get("partition")
        self.state = State(call)
        self.logger = logging.getLogger(header["function"])

    def emit(self, output, row, key=None, properties=None):
        self._call.emit(output, row, key, properties)

    def log(self, *parts):
        log("info", " ".join(str(part) for part in parts))

    def remaining_time_ms(self):
        return self._call.remaining_ms()


class WebRequest:
    """A web request for a function of the plain form."""

    def __init__(self, web, body):
        from urllib.parse import parse_qsl, urlsplit
        parts = urlsplit(web["target"])
        self.method = web["method"]
        self.url = web["target"]
        self.path = parts.path
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.headers = {name.lower(): value for name, value in web["headers"]}
        self.params = web["parameters"]
        self.bytes = body
        self.text = body.decode("utf-8", "replace")
        self.body = decode_body(self.text) if "json" in self.headers.get("content-type", "") else self.text


class Timer:
    """A due time for a function of the plain form."""

    def __init__(self, timer):
        def at(name):
            return time_of(timer[name]) if name in timer else None
        self.scheduled, self.last, self.next = at("scheduled"), at("last"), at("next")
        self.is_past_due = timer["isPastDue"]


def web_response(value):
    """A web answer from what a function gave back: a response object, or a value as the body."""
    words = ("status", "statusCode", "body", "headers")
    response = value if isinstance(value, dict) and any(word in value for word in words) else {"body": value}
    body = response.get("body")
    headers = [[str(name), str(text)] for name, text in (response.get("headers") or {}).items()]
    kind = None
    if body is None:
        data = b""
    elif isinstance(body, (bytes, bytearray)):
        data = bytes(body)
    elif isinstance(body, str):
        data = base64.b64decode(body) if response.get("isBase64Encoded") else body.encode()
        kind = "text/plain; charset=utf-8"
    else:
        data = encode_json(body)
        kind = "application/json"
    if kind and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(["Content-Type", kind])
    status = int(response.get("status") or response.get("statusCode") or (200 if data else 204))
    return status, headers, data


class Plain:
    """Ogawa's own form: `def handler(events, context)`."""

    def __init__(self, start):
        names = [start["handler"]] if start["handler"] else ["handler", "main"]
        self.run = entry(load_file(start["file"]), names)
        self.functions = []

    def invoke(self, call):
        header = call.header
        if "timer" in header:
            value = Timer(header["timer"])
        elif "web" in header:
            value = WebRequest(header["web"], call.web_body)
        else:
            value = call.events()
        answer = finish(self.run(value, Context(call)))
        if "web" in header:
            return {"web": web_response(answer)}
        if isinstance(answer, dict) and isinstance(answer.get("batchItemFailures"), list):
            first, base = header["firstOffset"], "%s/%s/" % (header["stream"], header["partition"])

            def names_of(index):
                return (str(first + index), base + str(first + index))
            return {"failedFrom": failed_from(call, answer["batchItemFailures"], names_of)}
        call.emit_all("$return", answer)
        return {}


# ---------------------------------------------------------------- AWS Lambda handlers

ACCOUNT = "000000000000"


class LambdaContext:
    """The second argument of a Lambda handler."""

    def __init__(self, call, start):
        name = call.header["function"]
        self._call = call
        self.aws_request_id = call.header["id"]
        self.function_name = name
        self.function_version = "$LATEST"
        self.memory_limit_in_mb = str(start["memoryMiB"])
        self.invoked_function_arn = "arn:aws:lambda:%s:%s:function:%s" % (region(), ACCOUNT, name)
        self.log_group_name = "/aws/lambda/" + name
        self.log_stream_name = "ogawa/[$LATEST]%d" % os.getpid()
        self.identity = None
        self.client_context = None

    def get_remaining_time_in_millis(self):
        return int(self._call.remaining_ms())

    def log(self, message):
        log("info", message)


def region():
    return os.environ.get("AWS_REGION", "us-east-1")


def sequence_number(call, index):
    """56 digits, in the order of the offsets."""
    return "49%06d%048d" % (call.header["partition"], call.header["firstOffset"] + index)


class LambdaHandler:
    """`def lambda_handler(event, context)` with the events of the Kinesis event source."""

    def __init__(self, start):
        self.start = start
        handler = start["handler"]
        if start["file"]:
            path, name = start["file"], handler.rsplit(".", 1)[-1] if handler else "lambda_handler"
        else:
            module, _, name = handler.rpartition(".")
            if not module:
                raise ImportError("the handler %s names no function; write file.function" % handler)
            path = os.path.join(start["directory"], module.replace(".", "/") + ".py")
        self.run = entry(load_file(path), [name] if handler else ["lambda_handler", "handler"])
        self.functions = []

    def invoke(self, call):
        header = call.header
        answer = finish(self.run(self.event(call), LambdaContext(call, self.start)))
        if "web" in header:
            return {"web": web_response(answer)}
        extra = {}
        window = header.get("window")
        if window:
            state = answer.get("state") if isinstance(answer, dict) else None
            if not window["isFinal"] and not isinstance(state, dict):
                raise ValueError("with a tumbling window the answer must hold `state`")
            extra["windowState"] = state or {}
        if isinstance(answer, dict) and answer.get("batchItemFailures") is not None:
            extra["failedFrom"] = failed_from(
                call, answer["batchItemFailures"], lambda index: (sequence_number(call, index),))
        elif not window:
            call.emit_all("$return", answer)
        return extra

    def event(self, call):
        header = call.header
        if "timer" in header:
            when = time_of(header["timer"]["scheduled"]).strftime("%Y-%m-%dT%H:%M:%SZ")
            rule = "arn:aws:events:%s:%s:rule/%s" % (region(), ACCOUNT, header["function"])
            return {
                "version": "0", "id": header["id"], "detail-type": "Scheduled Event", "source": "aws.events",
                "account": ACCOUNT, "time": when, "region": region(), "resources": [rule], "detail": {},
            }
        if "web" in header:
            return self.web_event(call)
        shard = "shardId-%012d" % header["partition"]
        arn = "arn:aws:kinesis:%s:%s:stream/%s" % (region(), ACCOUNT, header["stream"])
        records = []
        for index, body in enumerate(call.bodies):
            number = sequence_number(call, index)
            records.append({
                "kinesis": {
                    "kinesisSchemaVersion": "1.0", "partitionKey": header["keys"][index], "sequenceNumber": number,
                    "data": base64.b64encode(body).decode(),
                    "approximateArrivalTimestamp": round(header["enqueued"][index] / 1e6, 3),
                },
                "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": "%s:%s" % (shard, number),
                "eventName": "aws:kinesis:record", "invokeIdentityArn": "arn:aws:iam::%s:role/ogawa" % ACCOUNT,
                "awsRegion": region(), "eventSourceARN": arn,
            })
        event = {"Records": records}
        window = header.get("window")
        if window:
            event.update({
                "window": {"start": window["start"], "end": window["end"]}, "state": call.window_state or {},
                "shardId": shard, "eventSourceARN": arn, "isFinalInvokeForWindow": window["isFinal"],
                "isWindowTerminatedEarly": window["isTerminatedEarly"],
            })
        return event

    def web_event(self, call):
        web = WebRequest(call.header["web"], call.web_body)
        try:
            body, encoded = web.bytes.decode(), False
        except UnicodeDecodeError:
            body, encoded = base64.b64encode(web.bytes).decode(), True
        return {
            "version": "2.0", "routeKey": "$default", "rawPath": web.path, "rawQueryString": web.url.partition("?")[2],
            "headers": web.headers, "queryStringParameters": web.query, "pathParameters": web.params,
            "requestContext": {
                "accountId": ACCOUNT, "apiId": "ogawa", "requestId": call.header["id"], "stage": "$default",
                "http": {"method": web.method, "path": web.path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                         "userAgent": web.headers.get("user-agent", "")},
            },
            "body": body, "isBase64Encoded": encoded,
        }


# ---------------------------------------------------------------- the loop

def azure(start):
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import python_azure
    del sys.path[0]
    return python_azure.make(start, sys.modules[__name__])


MODELS = {"plain": Plain, "lambda-handler": LambdaHandler, "azure-folder": azure, "azure-registered": azure}


def main():
    channel = Channel(int(os.environ.pop("OGAWA_SOCKET")))
    handler = LogHandler()
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
    start, _ = channel.receive()
    try:
        os.chdir(start["directory"])
        if start["directory"] not in sys.path:
            sys.path.insert(0, start["directory"])
        program = MODELS[start["model"]](start)
    except BaseException as error:
        channel.send({"type": "initError", "error": describe(error)})
        sys.exit(1)
    channel.send({"type": "ready", "runtime": "python " + sys.version.split()[0], "functions": program.functions})
    while True:
        header, payload = channel.receive()
        if header.get("type") != "invoke":
            continue
        try:
            call = Call(channel, header, payload)
            extra = program.invoke(call)
            call.send_result(extra)
        except SystemExit as error:
            # The function wants to end the process; it is told and done.
            failure = describe(error)
            failure["message"] = "the function called exit(%s)" % (error.code,)
            channel.send({"type": "error", "id": header["id"], "error": failure, "leaving": True})
            raise
        except Exception as error:
            channel.send({"type": "error", "id": header["id"], "error": describe(error)})


if __name__ == "__main__":
    # Functions import this file's names, if at all, under the name it has on disk.
    sys.modules["python_bootstrap"] = sys.modules[__name__]
    main()
