// What functions import as `@azure/functions` (model v4) where that package is not installed: its public surface for
// Event Hubs, timers, HTTP, Cosmos DB and generic bindings, on top of the same core interface.
'use strict';

const crypto = require('node:crypto');
const util = require('node:util');

module.exports = function (core) {
    const returnName = '$return';

    function named(binding, suffix) {
        if (binding.name) return binding;
        const type = binding.type.toLowerCase().endsWith(suffix.toLowerCase()) ? binding.type : binding.type + suffix;
        const hash = crypto.createHash('sha256').update(JSON.stringify(binding)).digest('hex').slice(0, 10);
        return { ...binding, name: type + hash };
    }

    const maker = (type, suffix, defaults) => (options) => named({ ...defaults, ...options, type }, suffix);
    const trigger = {
        eventHub: maker('eventHubTrigger', 'Trigger'),
        timer: maker('timerTrigger', 'Trigger'),
        http: (options) => named({ ...options, authLevel: options.authLevel || 'anonymous', methods: options.methods || ['GET', 'POST'], type: 'httpTrigger' }, 'Trigger'),
        cosmosDB: maker('cosmosDBTrigger', 'Trigger'),
        serviceBusQueue: maker('serviceBusTrigger', 'Trigger'),
        serviceBusTopic: maker('serviceBusTrigger', 'Trigger'),
        storageQueue: maker('queueTrigger', 'Trigger'),
        storageBlob: maker('blobTrigger', 'Trigger'),
        eventGrid: maker('eventGridTrigger', 'Trigger'),
        warmup: maker('warmupTrigger', 'Trigger'),
        generic: (options) => named({ ...options }, 'Trigger'),
    };
    const output = {
        http: maker('http', 'Output'),
        eventHub: maker('eventHub', 'Output'),
        cosmosDB: maker('cosmosDB', 'Output'),
        serviceBusQueue: maker('serviceBus', 'Output'),
        serviceBusTopic: maker('serviceBus', 'Output'),
        storageQueue: maker('queue', 'Output'),
        storageBlob: maker('blob', 'Output'),
        eventGrid: maker('eventGrid', 'Output'),
        table: maker('table', 'Output'),
        sql: maker('sql', 'Output'),
        generic: (options) => named({ ...options }, 'Output'),
    };
    const input = {
        cosmosDB: maker('cosmosDB', 'Input'),
        storageBlob: maker('blob', 'Input'),
        table: maker('table', 'Input'),
        sql: maker('sql', 'Input'),
        generic: (options) => named({ ...options }, 'Input'),
    };

    // ------------------------------------------------------------ registration

    function generic(name, options) {
        if (typeof options?.handler !== 'function') throw new TypeError(`the function ${name} has no handler`);
        core.setProgrammingModel(programmingModel);
        const bindings = {};
        const add = (binding, direction, key = binding.name) => {
            if (key in bindings) throw new Error(`Duplicate bindings found for function "${name}". Remove a duplicate binding or manually specify the "name" property to make it unique.`);
            bindings[key] = { ...binding, name: key, direction };
        };
        const source = named({ ...options.trigger }, 'Trigger');
        add({ ...source, type: /trigger$/i.test(source.type) ? source.type : source.type + 'Trigger' }, 'in');
        for (const binding of options.extraInputs ?? []) add(binding, 'in');
        if (options.return) add(options.return, 'out', returnName);
        for (const binding of options.extraOutputs ?? []) add(binding, 'out');
        core.registerFunction({ name, bindings, retryOptions: options.retry }, options.handler);
    }

    const registrar = (make, prepare) => (name, options) => {
        const { handler, return: result, trigger: own, extraInputs, extraOutputs, retry, ...rest } = prepare ? prepare(options) : options;
        generic(name, { handler, return: result, extraInputs, extraOutputs, retry, trigger: own ?? make(rest) });
    };
    const http = registrar(trigger.http, (options) => ({ ...options, return: options.return ?? output.http({}) }));
    const method = (verb) => (name, options) => http(name, { ...(typeof options === 'function' ? { handler: options } : options), methods: [verb] });
    const hook = (name) => (callback) => core.registerHook(name, callback);
    const app = {
        generic, http,
        get: method('GET'), put: method('PUT'), post: method('POST'), patch: method('PATCH'), deleteRequest: method('DELETE'),
        setup() {},
        hook: {
            preInvocation: hook('preInvocation'), postInvocation: hook('postInvocation'),
            appStart: hook('appStart'), appTerminate: hook('appTerminate'),
        },
    };
    for (const [name, make] of Object.entries(trigger)) if (!(name in app)) app[name] = registrar(make);

    // ------------------------------------------------------------ calls

    const camelKey = (key) => key.charAt(0).toLowerCase() + key.slice(1);
    function camelCased(value) {
        if (value === null || typeof value !== 'object') return value;
        if (Array.isArray(value)) return value.map(camelCased);
        return Object.fromEntries(Object.entries(value).map(([key, part]) => [camelKey(key), camelCased(part)]));
    }

    function parsed(text) {
        try {
            return JSON.parse(text);
        } catch {
            return text;
        }
    }

    function untyped(data) {
        if (!data) return undefined;
        if (data.http) return new HttpRequest(data.http);
        if (data.string !== undefined) return parsed(data.string);
        if (data.json !== undefined) return JSON.parse(data.json);
        if (data.bytes !== undefined) return Buffer.from(data.bytes);
        if (data.collectionString) return data.collectionString.string.map(parsed);
        if (data.collectionBytes) return data.collectionBytes.bytes;
        return data.int ?? data.double;
    }

    function typed(value) {
        if (value === undefined || value === null) return undefined;
        if (typeof value === 'string') return { string: value };
        if (value instanceof Uint8Array) return { bytes: value };
        if (value instanceof ArrayBuffer) return { bytes: new Uint8Array(value) };
        if (typeof value === 'number') return Number.isInteger(value) ? { int: value } : { double: value };
        const text = JSON.stringify(value);
        if (text === undefined) throw new TypeError(`a ${typeof value} cannot be written as JSON`);
        return { json: text };
    }

    class HttpRequest extends Request {
        #params;
        #query;
        constructor(http) {
            super(http.url, { method: http.method, headers: http.headers, body: http.body?.bytes });
            this.#params = http.params ?? {};
            this.#query = new URLSearchParams(http.query ?? {});
        }
        get params() { return this.#params; }
        get query() { return this.#query; }
        get user() { return null; }
    }

    class HttpResponse extends Response {
        #cookies;
        constructor(init = {}) {
            const headers = new Headers(init.headers);
            let body = init.body;
            if (init.jsonBody !== undefined) {
                body = JSON.stringify(init.jsonBody);
                if (!headers.has('content-type')) headers.set('content-type', 'application/json');
            }
            const status = init.status ?? 200;
            super([101, 204, 205, 304].includes(status) ? null : body, { status, headers });
            this.#cookies = init.cookies ?? [];
        }
        get cookies() { return this.#cookies; }
    }

    async function typedResponse(value) {
        if (value === undefined || value === null) return undefined;
        if (typeof value !== 'object') throw new TypeError('The HTTP response must be an object with optional properties "body", "status", "headers", and "cookies".');
        const response = value instanceof Response ? value : new HttpResponse(value);
        const body = { bytes: new Uint8Array(await response.arrayBuffer()) };
        return { http: { statusCode: String(response.status), headers: Object.fromEntries(response.headers.entries()), cookies: response.cookies ?? [], body } };
    }

    class Values {
        #values = new Map();
        get(binding) { return this.#values.get(typeof binding === 'string' ? binding : binding.name); }
        set(binding, value) { this.#values.set(typeof binding === 'string' ? binding : binding.name, value); }
    }

    class InvocationContext {
        constructor(init = {}) {
            const write = (level) => (...parts) => (init.logHandler ?? console.log)(level, ...parts);
            Object.assign(this, {
                invocationId: init.invocationId ?? 'unknown', functionName: init.functionName ?? 'unknown',
                retryContext: init.retryContext, traceContext: init.traceContext, triggerMetadata: init.triggerMetadata,
                options: init.options ?? {}, extraInputs: new Values(), extraOutputs: new Values(),
                log: write('information'), info: write('information'), trace: write('trace'), debug: write('debug'), warn: write('warning'), error: write('error'),
            });
        }
    }

    class InvocationModel {
        constructor(context) { this.context = context; }

        async getArguments() {
            const { request, metadata, invocationId } = this.context;
            const bindings = metadata.bindings;
            const [, source] = Object.entries(bindings).find(([, binding]) => /trigger$/i.test(binding.type));
            const hasMetadata = !/^(http|timer)trigger$/i.test(source.type);
            const outputs = Object.entries(bindings).filter(([, binding]) => binding.direction === 'out');
            const context = new InvocationContext({
                invocationId, functionName: metadata.name, retryContext: request.retryContext, traceContext: request.traceContext,
                logHandler: (level, ...parts) => this.context.log(level, 'user', util.format(...parts)),
                triggerMetadata: hasMetadata
                    ? Object.fromEntries(Object.entries(request.triggerMetadata).map(([key, value]) => [camelKey(key), camelCased(untyped(value))]))
                    : undefined,
                options: {
                    trigger: source, return: bindings[returnName],
                    extraInputs: Object.values(bindings).filter((binding) => binding.direction === 'in' && binding !== source),
                    extraOutputs: outputs.filter(([name]) => name !== returnName).map(([, binding]) => binding),
                },
            });
            return { context, inputs: request.inputData.map(({ data }) => untyped(data)) };
        }

        async invokeFunction(context, inputs, handler) { return handler(...inputs, context); }

        async getResponse(context, result) {
            const response = { invocationId: context.invocationId, outputData: [] };
            for (const [name, binding] of Object.entries(this.context.metadata.bindings)) {
                if (binding.direction !== 'out') continue;
                const value = name === returnName ? result : context.extraOutputs.get(name);
                const data = String(binding.type).toLowerCase() === 'http' ? await typedResponse(value) : typed(value);
                if (name === returnName) response.returnValue = data;
                else if (data) response.outputData.push({ name, data });
            }
            return response;
        }
    }

    const programmingModel = {
        name: '@azure/functions', version: '4.0.0-ogawa',
        getInvocationModel: (context) => new InvocationModel(context),
        getCapabilities: async (capabilities) => capabilities,
    };

    return { app, input, output, trigger, InvocationContext, HttpRequest, HttpResponse };
};
