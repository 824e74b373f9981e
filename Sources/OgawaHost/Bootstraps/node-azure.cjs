// Azure Functions in JavaScript: folders with function.json (model v3), and functions that register themselves (model v4)
// through the `@azure/functions-core` interface, by the real `@azure/functions` where it is installed and by
// node-azure-builtin.cjs where it is not.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');

// ---------------------------------------------------------------- what a call's events look like

const isoTime = (microseconds) => new Date(microseconds / 1000).toISOString();

/** What IoT Hub and Event Hubs tell about an event beside its body. */
function systemProperties(call, index) {
    const header = call.header;
    const key = header.keys[index];
    const own = {
        SequenceNumber: header.firstOffset + index, Offset: String(header.firstOffset + index),
        PartitionKey: key === '' ? null : key, EnqueuedTimeUtc: isoTime(header.enqueued[index]),
        'iothub-connection-device-id': key, 'iothub-message-source': 'Telemetry',
        'iothub-enqueuedtime': isoTime(header.enqueued[index]),
    };
    for (const [name, value] of Object.entries(call.properties(index))) {
        if (name.startsWith('iothub-') || name === 'message-id' || name === 'correlation-id') own[name] = value;
    }
    return own;
}

function partitionContext(call, binding) {
    return {
        FullyQualifiedNamespace: 'ogawa', EventHubName: binding.eventHubName ?? call.header.stream,
        ConsumerGroup: call.header.consumer, PartitionId: String(call.header.partition),
    };
}

/** Trigger metadata as the host of Azure sends it, for one event or for a range of them. */
function metadata(call, binding, index) {
    const { keys, firstOffset, enqueued } = call.header;
    const keyAt = (at) => (keys[at] === '' ? null : keys[at]);
    const context = partitionContext(call, binding);
    if (index !== undefined) {
        return {
            PartitionContext: context, PartitionKey: keyAt(index), Offset: String(firstOffset + index),
            SequenceNumber: firstOffset + index, EnqueuedTimeUtc: isoTime(enqueued[index]),
            Properties: call.properties(index), SystemProperties: systemProperties(call, index),
        };
    }
    const all = keys.map((_, at) => at);
    return {
        PartitionContext: context, PartitionKeyArray: all.map(keyAt), OffsetArray: all.map((at) => String(firstOffset + at)),
        SequenceNumberArray: all.map((at) => firstOffset + at), EnqueuedTimeUtcArray: all.map((at) => isoTime(enqueued[at])),
        PropertiesArray: all.map((at) => call.properties(at)),
        SystemPropertiesArray: all.map((at) => systemProperties(call, at)),
    };
}

const lowered = (name) => name.charAt(0).toLowerCase() + name.slice(1);

/** First letters in lower case, in objects within objects; arrays stay as they are. */
function camelCased(value) {
    if (value === null || typeof value !== 'object' || Array.isArray(value) || value instanceof Date) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [lowered(name), camelCased(part)]));
}

/** The id of one event's call where a batch is taken apart: the same at each attempt. */
function eventIdentifier(call, index) {
    const place = `${call.header.function}/${call.header.stream}/${call.header.partition}/${call.header.firstOffset + index}`;
    const digits = crypto.createHash('sha1').update(place).digest('hex');
    return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-8${digits.slice(13, 16)}-a${digits.slice(17, 20)}-${digits.slice(20, 32)}`;
}

function timerValue(timer) {
    const time = (value) => (value === undefined ? '0001-01-01T00:00:00+00:00' : isoTime(value));
    return {
        schedule: { adjustForDST: true },
        scheduleStatus: { last: time(timer.last), next: time(timer.next), lastUpdated: time(timer.last) },
        isPastDue: timer.isPastDue,
    };
}

// ---------------------------------------------------------------- outputs

/** Gives a value of an output binding to the call, as the binding's type understands it. */
function emitBinding(call, binding, name, value) {
    if (value === undefined || value === null) return;
    const type = (binding?.type ?? '').toLowerCase();
    if (typeof value === 'string' && /^\s*\[/.test(value)) {
        try {
            const list = JSON.parse(value);
            if (Array.isArray(list)) value = list;
        } catch {
            // Text that only looks like a list is one event.
        }
    }
    if (type !== 'cosmosdb') return call.emitAll(name, value);
    const documents = typeof value === 'string' ? JSON.parse(value) : value;
    const list = Array.isArray(documents) ? documents : [documents];
    for (const [index, document] of list.entries()) {
        if (document === null || typeof document !== 'object') throw new TypeError(`${name} takes documents, found ${typeof document}`);
        // A repeated call must find its own documents again.
        const number = (call.outputs.get(name)?.rows.length ?? 0) + index;
        call.emit(name, document.id === undefined ? { ...document, id: `${call.header.id}-${number}` } : document);
    }
}

// ---------------------------------------------------------------- folders with function.json

function folder({ log, load, entryOf, decodeBody, webRequest, webResponse }) {
    return { load: loadFolder };

    async function loadFolder(init) {
        const definition = init.configuration;
        const file = init.file || path.join(init.directory, definition.scriptFile ?? 'index.js');
        const module = await load(file);
        const names = definition.entryPoint ? [definition.entryPoint] : ['run', 'index'];
        const { call: run, owner } = entryOf(module, names, file);
        const bindings = definition.bindings ?? [];
        const trigger = bindings.find((binding) => /trigger$/i.test(binding.type));
        if (!trigger) throw new Error(`${path.basename(init.directory)}/function.json has no trigger`);
        const app = { run: run.bind(owner), bindings, trigger, directory: init.directory };
        const cardinality = String(trigger.cardinality ?? 'one').toLowerCase();
        return {
            functions: [{ name: init.program, bindings }],
            invoke: (call) => (call.header.trigger === 'events' && cardinality !== 'many' ? invokeEach(app, call) : invokeOnce(app, call)),
        };
    }

    /** Cardinality one: the function sees one event after the other, and fails for the one that fails. */
    async function invokeEach(app, call) {
        for (let index = 0; index < call.count; index++) {
            try {
                await invokeOnce(app, call, index);
            } catch (error) {
                if (index === 0) throw error;
                return { failedFrom: index, error };
            }
        }
        return {};
    }

    function bodyOf(app, call, index) {
        const type = app.trigger.dataType;
        if (type === 'binary' || type === 'stream') return Buffer.from(call.bytes(index));
        const text = call.text(index);
        return type === 'string' && index !== undefined && String(app.trigger.cardinality).toLowerCase() === 'many' ? text : decodeBody(text);
    }

    function inputOf(app, call, index) {
        if (call.header.timer) return timerValue(call.header.timer);
        if (call.header.web) return request(webRequest(call.header.web, call.webBody));
        if (index !== undefined) return bodyOf(app, call, index);
        return call.ranges.map((_, at) => bodyOf(app, call, at));
    }

    function request(web) {
        const get = (name) => web.headers[String(name).toLowerCase()];
        return {
            method: web.method, url: web.url, originalUrl: web.url, headers: web.headers, query: web.query, params: web.params,
            body: web.body, rawBody: web.text, bufferBody: web.bytes, get, header: get,
        };
    }

    function makeContext(app, call, index, input) {
        const invocationId = index === undefined ? call.header.id : eventIdentifier(call, index);
        const data = { invocationId };
        if (call.header.trigger === 'events') {
            Object.assign(data, camelCased(metadata(call, app.trigger, index)));
            if (index !== undefined && input !== null && typeof input === 'object' && !Buffer.isBuffer(input) && !Array.isArray(input)) {
                for (const [name, value] of Object.entries(input)) if (!(name in data) && !Array.isArray(value)) data[name] = value;
            }
        }
        const { attempt, maxAttempts, previousError } = call.header;
        const retryContext = attempt > 0 ? { retryCount: attempt, maxRetryCount: maxAttempts - 1, exception: { message: previousError } } : undefined;
        const context = {
            invocationId,
            executionContext: { invocationId, functionName: call.header.function, functionDirectory: app.directory, retryContext },
            bindings: { [app.trigger.name]: input },
            bindingData: data,
            bindingDefinitions: app.bindings.map(({ name, type, direction }) => ({ name, type, direction: direction ?? (type === app.trigger.type ? 'in' : 'out') })),
            traceContext: { traceparent: null, tracestate: null, attributes: {} },
            log: Object.assign((...parts) => log('info', ...parts), {
                error: (...parts) => log('error', ...parts), warn: (...parts) => log('warning', ...parts),
                info: (...parts) => log('info', ...parts), verbose: (...parts) => log('debug', ...parts),
            }),
        };
        if (call.header.web) {
            context.req = input;
            const res = { headers: {}, status: undefined, body: undefined };
            res.send = (body) => { res.body = body; context.done(); };
            res.json = (body) => { res.headers['Content-Type'] ??= 'application/json'; res.send(body); };
            res.sendStatus = (status) => { res.status = status; context.done(); };
            res.set = res.header = res.setHeader = (name, value) => { res.headers[name] = value; return res; };
            context.res = res;
        }
        return context;
    }

    async function invokeOnce(app, call, index) {
        const input = inputOf(app, call, index);
        const context = makeContext(app, call, index, input);
        let finish;
        const done = new Promise((resolve, reject) => { finish = { resolve, reject }; });
        let isDone = false;
        context.done = (error, value) => {
            if (isDone) log('error', "Error: 'done' has already been called. Please check your script for extraneous calls to 'done'.");
            isDone = true;
            if (error) finish.reject(error); else finish.resolve(value);
        };
        done.catch(() => {});
        const returned = app.run(context, input);
        const isPromise = typeof returned?.then === 'function';
        const value = await (isPromise ? returned : done);
        if (isPromise && isDone) log('error', "Error: Choose either to return a promise or call 'done'. Do not use both in your script.");
        return collect(app, call, context, value);
    }

    function collect(app, call, context, value) {
        const outputs = app.bindings.filter((binding) => String(binding.direction).toLowerCase() !== 'in' && binding !== app.trigger);
        const result = {};
        const hasReturn = outputs.some((binding) => binding.name === '$return');
        const spread = !hasReturn && value !== null && typeof value === 'object' && !Array.isArray(value) ? value : {};
        for (const binding of outputs) {
            let part;
            if (binding.name === '$return') part = value || undefined;
            else if (spread[binding.name] !== undefined) part = spread[binding.name];
            else if (String(binding.type).toLowerCase() === 'http' && context.bindings[binding.name] === undefined) part = context.res;
            else part = context.bindings[binding.name];
            if (String(binding.type).toLowerCase() === 'http') result.web = webResponse(part ?? context.res ?? {});
            else emitBinding(call, binding, binding.name, part);
        }
        if (call.header.web && !result.web) result.web = webResponse(context.res ?? {});
        return result;
    }
}

// ---------------------------------------------------------------- functions that register themselves

function registered({ log, load, decodeBody, webRequest, webResponse, beforeLeaving }) {
    const functions = new Map();
    const hooks = { preInvocation: [], postInvocation: [], appStart: [], appTerminate: [], log: [] };
    let model;
    let isStarted = false;

    class Disposable {
        #dispose;
        constructor(dispose) { this.#dispose = dispose; }
        dispose() { this.#dispose?.call(this); this.#dispose = undefined; }
        static from(...parts) { return new Disposable(() => parts.forEach((part) => part.dispose())); }
    }

    const levels = { trace: 'trace', debug: 'debug', information: 'info', warning: 'warning', error: 'error', critical: 'error' };
    const core = {
        version: '3.11.0',
        hostVersion: '4.1036.0',
        Disposable,
        registerFunction(metadata, callback) {
            if (isStarted) throw new Error('A function can only be registered during app startup.');
            if (functions.has(metadata.name)) log('warning', `the function ${metadata.name} is registered twice; the last one counts`);
            functions.set(metadata.name, { metadata, callback });
            return new Disposable(() => functions.delete(metadata.name));
        },
        setProgrammingModel(chosen) { model = chosen; },
        getProgrammingModel: () => model,
        registerHook(name, callback) {
            const list = (hooks[name] ??= []);
            list.push(callback);
            return new Disposable(() => list.splice(list.indexOf(callback), 1));
        },
        log(level, category, message) {
            if (category !== 'system') log(levels[level] ?? 'info', '%s', message);
        },
    };
    return { load: loadApp };

    async function loadApp(init) {
        const own = require('./node-azure-builtin.cjs')(core);
        interceptRequire(init.directory, own);
        const files = init.file ? [init.file] : mainFiles(init.directory);
        if (files.length === 0) throw new Error('package.json: `main` matches no file');
        for (const file of files) await load(file);
        if (functions.size === 0) throw new Error(`no function registers itself in ${files.map((file) => path.relative(init.directory, file)).join(', ')}`);
        isStarted = true;
        const appHookData = {};
        for (const hook of hooks.appStart) await hook({ hookData: {}, appHookData, functionAppDirectory: init.directory });
        beforeLeaving(async () => {
            for (const hook of hooks.appTerminate) await hook({ hookData: {}, appHookData });
        });
        return {
            functions: [...functions.values()].map(({ metadata }) => ({
                name: metadata.name, retry: metadata.retryOptions,
                bindings: Object.entries(metadata.bindings).map(([name, binding]) => ({ ...binding, name })),
            })),
            invoke: (call) => invoke(call, appHookData),
        };
    }

    /** Gives `@azure/functions-core` to whoever asks, and the built-in `@azure/functions` where none is installed. */
    function interceptRequire(directory, own) {
        globalThis[Symbol.for('ogawa.azure')] = own;
        const original = Module._load;
        let hasReal = true;
        try {
            Module.createRequire(path.join(directory, 'package.json')).resolve('@azure/functions');
        } catch {
            hasReal = false;
        }
        Module._load = function (request, ...rest) {
            if (request === '@azure/functions-core') return core;
            if (request === '@azure/functions' && !hasReal) return own;
            return original.call(this, request, ...rest);
        };
        if (hasReal || !Module.register) return;
        const names = Object.keys(own).map((name) => `export const ${name} = own.${name};`).join('\n');
        const source = `const own = globalThis[Symbol.for('ogawa.azure')];\nexport default own;\n${names}`;
        const hook = `export async function resolve(name, context, next) {
            if (name !== '@azure/functions') return next(name, context);
            return { url: ${JSON.stringify('data:text/javascript,' + encodeURIComponent(source))}, shortCircuit: true };
        }`;
        Module.register('data:text/javascript,' + encodeURIComponent(hook));
    }

    async function invoke(call, appHookData) {
        const found = functions.get(call.header.function);
        if (!found) throw new Error(`the app registers no function named ${call.header.function}`);
        const trigger = Object.entries(found.metadata.bindings).find(([, binding]) => /trigger$/i.test(binding.type));
        if (!trigger) throw new Error(`${call.header.function} has no trigger`);
        const cardinality = String(trigger[1].cardinality ?? 'one').toLowerCase();
        if (call.header.trigger !== 'events' || cardinality === 'many') return invokeOnce(call, found, trigger, appHookData);
        for (let index = 0; index < call.count; index++) {
            try {
                await invokeOnce(call, found, trigger, appHookData, index);
            } catch (error) {
                if (index === 0) throw error;
                return { failedFrom: index, error };
            }
        }
        return {};
    }

    async function invokeOnce(call, found, [name, binding], appHookData, index) {
        const invocationId = index === undefined ? call.header.id : eventIdentifier(call, index);
        const { attempt, maxAttempts, previousError } = call.header;
        const coreContext = {
            invocationId, metadata: found.metadata, state: undefined,
            request: {
                invocationId, functionId: call.header.function, inputData: [{ name, data: typedInput(call, binding, index) }],
                triggerMetadata: call.header.trigger === 'events' ? typedMetadata(metadata(call, binding, index)) : {},
                traceContext: { traceParent: '', traceState: '', attributes: {} },
                retryContext: attempt > 0 ? { retryCount: attempt, maxRetryCount: maxAttempts - 1, exception: { message: previousError } } : undefined,
            },
            log: (level, category, message) => core.log(level, category, message),
        };
        const invocation = model.getInvocationModel(coreContext);
        const { context, inputs } = await invocation.getArguments();
        const hookContext = {
            hookData: {}, appHookData, invocationContext: context, functionCallback: found.callback, functionHandler: found.callback,
            inputs, result: undefined, error: undefined,
        };
        coreContext.state = 'preInvocationHooks';
        for (const hook of hooks.preInvocation) await hook(hookContext);
        coreContext.state = 'invocation';
        try {
            hookContext.result = await invocation.invokeFunction(context, hookContext.inputs, hookContext.functionCallback);
        } catch (error) {
            hookContext.error = error;
        }
        coreContext.state = 'postInvocationHooks';
        for (const hook of hooks.postInvocation) await hook(hookContext);
        if (hookContext.error !== undefined && hookContext.error !== null) throw hookContext.error;
        return collect(call, found.metadata.bindings, await invocation.getResponse(context, hookContext.result));
    }

    function collect(call, bindings, response) {
        const result = {};
        const parts = [...(response.outputData ?? [])];
        if (response.returnValue) parts.push({ name: '$return', data: response.returnValue });
        for (const { name, data } of parts) {
            const binding = bindings[name];
            if (data?.http) result.web = webAnswer(data.http);
            // A return value without an output binding goes nowhere, as in Azure.
            else if (binding) emitBinding(call, binding, name, untyped(data));
        }
        if (call.header.web && !result.web) result.web = webResponse({});
        return result;
    }

    function webAnswer(http) {
        const body = http.body ? untyped(http.body) : undefined;
        const headers = Object.entries(http.headers ?? {});
        for (const { name, value, ...rest } of http.cookies ?? []) headers.push(['Set-Cookie', cookie(name, value, rest)]);
        const bytes = body === undefined ? Buffer.alloc(0) : Buffer.isBuffer(body) || body instanceof Uint8Array ? Buffer.from(body) : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
        return { status: Number(http.statusCode ?? 200), headers, body: bytes };
    }

    function cookie(name, value, { path: place, domain, httpOnly, secure, maxAge, sameSite }) {
        const plain = (part) => (part !== null && typeof part === 'object' ? part.value : part);
        const parts = [`${name}=${encodeURIComponent(value)}`];
        if (plain(maxAge) !== undefined) parts.push(`Max-Age=${plain(maxAge)}`);
        if (plain(domain)) parts.push(`Domain=${plain(domain)}`);
        if (plain(place)) parts.push(`Path=${plain(place)}`);
        if (plain(httpOnly)) parts.push('HttpOnly');
        if (plain(secure)) parts.push('Secure');
        if (typeof sameSite === 'string' && !/^none$/i.test(sameSite)) parts.push(`SameSite=${sameSite}`);
        return parts.join('; ');
    }

    /** The trigger's value in the form in which Azure's host sends it. */
    function typedInput(call, binding, index) {
        if (call.header.timer) return { json: JSON.stringify(timerValue(call.header.timer)) };
        if (call.header.web) return { http: typedRequest(webRequest(call.header.web, call.webBody)) };
        const isBinary = binding.dataType === 'binary' || binding.dataType === 'stream';
        if (index !== undefined) {
            if (isBinary) return { bytes: Buffer.from(call.bytes(index)) };
            return { string: call.text(index) };
        }
        if (isBinary) return { collectionBytes: { bytes: call.ranges.map((_, at) => Buffer.from(call.bytes(at))) } };
        return { collectionString: { string: call.ranges.map((_, at) => call.text(at)) } };
    }

    function typedRequest(web) {
        const url = new URL(web.url, `http://${web.headers.host ?? 'localhost'}`).href;
        return {
            method: web.method, url, headers: web.headers, query: web.query, params: web.params,
            body: web.bytes.length > 0 ? { bytes: web.bytes } : undefined, rawBody: web.bytes.length > 0 ? { bytes: web.bytes } : undefined,
        };
    }

    function typedMetadata(values) {
        return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typed(value)]));
    }

    function typed(value) {
        if (typeof value === 'string') return { string: value };
        if (typeof value === 'number' && Number.isInteger(value)) return { int: value };
        return { json: JSON.stringify(value ?? null) };
    }

    function untyped(data) {
        if (data.string !== undefined && data.string !== null) return data.string;
        if (data.json !== undefined && data.json !== null) return JSON.parse(data.json);
        if (data.bytes !== undefined && data.bytes !== null) return Buffer.from(data.bytes);
        if (data.int !== undefined && data.int !== null) return data.int;
        if (data.double !== undefined && data.double !== null) return data.double;
        return undefined;
    }

    /** The files that package.json's `main` names; it may hold `*`, `**` and `{a,b}`. */
    function mainFiles(directory) {
        let main;
        try {
            main = JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8')).main;
        } catch (error) {
            if (error.code !== 'ENOENT') throw new Error(`package.json: ${error.message}`);
        }
        if (!main) {
            const usual = ['index.js', 'index.mjs', 'src/index.js'].map((name) => path.join(directory, name));
            return usual.filter((file) => fs.existsSync(file)).slice(0, 1);
        }
        const pattern = globPattern(path.posix.normalize(main));
        return walk(directory, '').filter((file) => pattern.test(file)).sort().map((file) => path.join(directory, file));
    }

    function globPattern(glob) {
        let depth = 0;
        const text = glob.replace(/\*\*\/|\*\*|\*|\?|[{},]|[.+^$()|[\]\\]/g, (part) => {
            switch (part) {
                case '**/': return '(?:.*/)?';
                case '**': return '.*';
                case '*': return '[^/]*';
                case '?': return '[^/]';
                case '{': depth++; return '(?:';
                case '}': depth--; return ')';
                case ',': return depth > 0 ? '|' : ',';
                default: return '\\' + part;
            }
        });
        return new RegExp(`^${text}$`);
    }

    function walk(directory, prefix) {
        const files = [];
        for (const entry of fs.readdirSync(path.join(directory, prefix), { withFileTypes: true })) {
            const name = prefix ? `${prefix}/${entry.name}` : entry.name;
            if (entry.isDirectory() && entry.name !== 'node_modules' && !entry.name.startsWith('.')) files.push(...walk(directory, name));
            else if (entry.isFile()) files.push(name);
        }
        return files;
    }
}

module.exports = { folder, registered };
