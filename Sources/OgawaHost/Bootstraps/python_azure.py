"""Azure Functions in Python, by the real `azure-functions` package: functions that register themselves (model v2) and
folders with function.json (model v1)."""

import inspect
import json
import os
import uuid


def make(start, host):
    try:
        import azure.functions as func
    except ImportError as error:
        raise ImportError(
            "this function needs the package azure-functions (%s); install it into the app's folder: "
            "python3 -m venv .venv && .venv/bin/pip install azure-functions" % error) from None
    return Folder(start, host, func) if start["model"] == "azure-folder" else Registered(start, host, func)


class Collection:
    """A list as Azure's worker passes it on."""

    def __init__(self, values):
        self.bytes = values


class Program:
    """What the two models share: decoding a trigger, calling, encoding outputs."""

    def __init__(self, start, host, func):
        from azure.functions import meta
        self.start = start
        self.host = host
        self.func = func
        self.meta = meta
        self.registry = meta.get_binding_registry()
        host_module = self

        class Out(func.Out):
            """Takes the value of an output binding."""

            def __init__(self):
                self.value = None

            def set(self, val):
                self.value = val

            def get(self):
                return self.value

        class Context(func.Context):
            """What Azure tells a function about its call."""

            def __init__(self, name, identifier, call):
                self._name, self._id, self._call = name, identifier, call

            @property
            def invocation_id(self):
                return self._id

            @property
            def function_name(self):
                return self._name

            @property
            def function_directory(self):
                return host_module.start["directory"]

            @property
            def thread_local_storage(self):
                return None

            @property
            def trace_context(self):
                return None

            @property
            def retry_context(self):
                header = self._call.header

                class Retry:
                    retry_count = header["attempt"]
                    max_retry_count = header["maxAttempts"] - 1
                    exception = header.get("previousError")
                return Retry()

        self.Out, self.Context = Out, Context

    def invoke_function(self, call, name, run, bindings):
        trigger = next((b for b in bindings if b["type"].lower().endswith("trigger")), None)
        if trigger is None:
            raise ValueError("%s has no trigger" % name)
        many = str(trigger.get("cardinality", "one")).lower() == "many"
        if call.header["trigger"] != "events" or many:
            return self.invoke_once(call, name, run, bindings, trigger, None)
        for index in range(len(call.bodies)):
            try:
                self.invoke_once(call, name, run, bindings, trigger, index)
            except Exception as error:
                if index == 0:
                    raise
                return {"failedFrom": index, "error": error}
        return {}

    def invoke_once(self, call, name, run, bindings, trigger, index):
        datum, metadata = self.input(call, trigger, index)
        value = self.registry.get(trigger["type"]).decode(datum, trigger_metadata=metadata)
        if call.header["trigger"] == "events" and index is None and not isinstance(value, list):
            value = [value]
        identifier = call.header["id"]
        if index is not None:
            place = "%s/%s/%s" % (call.header["stream"], call.header["partition"], call.header["firstOffset"] + index)
            identifier = str(uuid.uuid5(uuid.NAMESPACE_URL, name + "/" + place))
        arguments = {trigger["name"]: value}
        outs = {}
        for binding in bindings:
            is_out = str(binding.get("direction", "in")).lower() == "out"
            if is_out and binding["name"] != "$return":
                outs[binding["name"]] = arguments[binding["name"]] = self.Out()
        if "context" in inspect.signature(run).parameters:
            arguments["context"] = self.Context(name, identifier, call)
        answer = self.host.finish(run(**arguments))
        result = {}
        for binding in bindings:
            if str(binding.get("direction", "in")).lower() != "out":
                continue
            part = answer if binding["name"] == "$return" else outs[binding["name"]].value
            self.output(call, binding, part, result)
        if "web" in call.header and "web" not in result:
            result["web"] = self.web_answer(answer)
        return result

    # ------------------------------------------------------------ inputs

    def input(self, call, trigger, index):
        Datum = self.meta.Datum
        if "timer" in call.header:
            return Datum(json.dumps(self.timer(call)), "json"), {}
        if "web" in call.header:
            return Datum(self.request(call), "http"), {}
        if index is None:
            indices = range(len(call.bodies))
            metadata = {
                "PartitionContext": self.partition(call, trigger),
                "SystemPropertiesArray": [self.system(call, i) for i in indices],
                "PropertiesArray": [call.properties(i) for i in indices],
                "SequenceNumberArray": [call.header["firstOffset"] + i for i in indices],
                "OffsetArray": [str(call.header["firstOffset"] + i) for i in indices],
                "PartitionKeyArray": [call.header["keys"][i] or None for i in indices],
                "EnqueuedTimeUtcArray": [self.time(call.header["enqueued"][i]) for i in indices],
            }
            datum = Datum(Collection(list(call.bodies)), "collection_bytes")
        else:
            system = self.system(call, index)
            metadata = {
                "PartitionContext": self.partition(call, trigger), "SystemProperties": system,
                "Properties": call.properties(index), "SequenceNumber": system["SequenceNumber"],
                "Offset": system["Offset"], "PartitionKey": system["PartitionKey"],
                "EnqueuedTimeUtc": system["EnqueuedTimeUtc"],
            }
            datum = Datum(call.bodies[index], "bytes")
        return datum, {key: Datum(json.dumps(value), "json") for key, value in metadata.items() if value is not None}

    def time(self, microseconds):
        return self.host.time_of(microseconds).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def partition(self, call, trigger):
        return {
            "FullyQualifiedNamespace": "ogawa", "EventHubName": trigger.get("eventHubName") or call.header["stream"],
            "ConsumerGroup": call.header["consumer"], "PartitionId": str(call.header["partition"]),
        }

    def system(self, call, index):
        header = call.header
        key = header["keys"][index]
        own = {
            "SequenceNumber": header["firstOffset"] + index, "Offset": str(header["firstOffset"] + index),
            "PartitionKey": key or None, "EnqueuedTimeUtc": self.time(header["enqueued"][index]),
            "iothub-connection-device-id": key, "iothub-message-source": "Telemetry",
            "iothub-enqueuedtime": self.time(header["enqueued"][index]),
        }
        own.update({name: value for name, value in call.properties(index).items() if name.startswith("iothub-")})
        return own

    def timer(self, call):
        timer = call.header["timer"]

        def at(name):
            return self.time(timer[name]) if name in timer else "0001-01-01T00:00:00+00:00"
        return {
            "IsPastDue": timer["isPastDue"], "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": {"Last": at("last"), "Next": at("next"), "LastUpdated": at("last")},
        }

    def request(self, call):
        web = self.host.WebRequest(call.header["web"], call.web_body)
        Datum = self.meta.Datum

        def texts(values):
            return {name: Datum(value, "string") for name, value in values.items()}
        url = "http://%s%s" % (web.headers.get("host", "localhost"), web.url)
        return {
            "method": Datum(web.method, "string"), "url": Datum(url, "string"), "headers": texts(web.headers),
            "query": texts(web.query), "params": texts(web.params), "body": Datum(web.bytes, "bytes"),
        }

    # ------------------------------------------------------------ outputs

    def output(self, call, binding, value, result):
        if value is None:
            return
        kind = binding["type"]
        if kind.lower() == "http":
            result["web"] = self.web_answer(value)
            return
        converter = self.registry.get(kind)
        if converter is None or isinstance(value, (dict, list)) and kind.lower() != "cosmosdb":
            text = value
        else:
            datum = converter.encode(value, expected_type=type(value))
            text = datum.value
        if isinstance(text, str) and text.lstrip().startswith("["):
            decoded = self.host.decode_body(text)
            text = decoded if isinstance(decoded, list) else text
        if kind.lower() != "cosmosdb":
            call.emit_all(binding["name"], text)
            return
        documents = self.host.decode_body(text) if isinstance(text, str) else text
        for document in documents if isinstance(documents, list) else [documents]:
            # A repeated call must find its own documents again.
            number = len(call.outputs.get(binding["name"], ()))
            call.emit(binding["name"], {"id": "%s-%d" % (call.header["id"], number), **document})

    def web_answer(self, value):
        if value is None:
            return 204, [], b""
        if isinstance(value, str):
            return 200, [["Content-Type", "text/plain; charset=utf-8"]], value.encode()
        http = self.registry.get("http").encode(value, expected_type=None).value
        headers = [[name, datum.value] for name, datum in http["headers"].items()]
        for cookie in http.get("cookies") or ():
            headers += [["Set-Cookie", morsel.OutputString()] for morsel in cookie.values()]
        return int(http["status_code"].value), headers, http["body"].value


class Registered(Program):
    """function_app.py with a FunctionApp."""

    def __init__(self, start, host, func):
        super().__init__(start, host, func)
        path = start["file"] or os.path.join(start["directory"], "function_app.py")
        module = host.load_file(path)
        app = next((value for value in vars(module).values() if isinstance(value, func.FunctionApp)), None)
        if app is None:
            raise ImportError("%s has no FunctionApp" % os.path.basename(path))
        self.table = {}
        self.functions = []
        for function in app.get_functions():
            definition = json.loads(function.get_function_json())
            name = function.get_function_name()
            self.table[name] = (function.get_user_function(), definition["bindings"])
            self.functions.append({"name": name, "bindings": definition["bindings"]})
        if not self.table:
            raise ImportError("%s registers no function" % os.path.basename(path))

    def invoke(self, call):
        name = call.header["function"]
        if name not in self.table:
            raise LookupError("the app registers no function named %s" % name)
        run, bindings = self.table[name]
        return self.invoke_function(call, name, run, bindings)


class Folder(Program):
    """A folder with function.json and __init__.py."""

    def __init__(self, start, host, func):
        super().__init__(start, host, func)
        definition = start["configuration"]
        path = start["file"] or os.path.join(start["directory"], definition.get("scriptFile", "__init__.py"))
        self.run = host.entry(host.load_file(path), [definition.get("entryPoint", "main")])
        self.bindings = definition.get("bindings", [])
        self.functions = [{"name": start["program"], "bindings": self.bindings}]

    def invoke(self, call):
        return self.invoke_function(call, call.header["function"], self.run, self.bindings)
