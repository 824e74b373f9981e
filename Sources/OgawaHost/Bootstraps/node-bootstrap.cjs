// Runs JavaScript functions for Ogawa. It speaks docs/functions-protocol.md on the socket that OGAWA_SOCKET names, writes log
// lines to OGAWA_LOG, and leaves standard output to the function. One call at a time; the models live in files of their own.
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const util = require('node:util');
const { pathToFileURL } = require('node:url');

const socketDescriptor = Number(process.env.OGAWA_SOCKET);
const logDescriptor = Number(process.env.OGAWA_LOG);
delete process.env.OGAWA_SOCKET;
delete process.env.OGAWA_LOG;

// ---------------------------------------------------------------- log

function log(level, ...parts) {
    let message = util.format(...parts);
    if (message.length > 8000) message = message.slice(0, 8000) + ' … (the text goes on)';
    writeAll(logDescriptor, Buffer.from(JSON.stringify({ level, message }) + '\n'));
}

// Written at once, so that what a function said before it hung or died is not lost.
function writeAll(descriptor, bytes) {
    for (let sent = 0; sent < bytes.length;) {
        try {
            sent += fs.writeSync(descriptor, bytes, sent);
        } catch (error) {
            if (error.code !== 'EAGAIN') return;
        }
    }
}

console.log = (...parts) => log('info', ...parts);
console.info = console.log;
console.warn = (...parts) => log('warning', ...parts);
console.error = (...parts) => log('error', ...parts);
console.debug = (...parts) => log('debug', ...parts);
console.trace = (...parts) => log('trace', ...parts);

// ---------------------------------------------------------------- frames

const socket = new net.Socket({ fd: socketDescriptor, readable: true, writable: true });

function send(header, payload) {
    const text = Buffer.from(JSON.stringify(header));
    const block = payload && payload.length ? Buffer.concat(payload) : Buffer.alloc(0);
    const lengths = Buffer.allocUnsafe(8);
    lengths.writeUInt32LE(text.length, 0);
    lengths.writeUInt32LE(block.length, 4);
    socket.write(block.length < 65536 ? Buffer.concat([lengths, text, block]) : Buffer.concat([lengths, text]));
    if (block.length >= 65536) socket.write(block);
}

let chunks = [];
let chunkBytes = 0;
let wanted = 8;

socket.on('data', (chunk) => {
    chunks.push(chunk);
    chunkBytes += chunk.length;
    while (chunkBytes >= wanted) {
        const all = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
        const headerLength = all.readUInt32LE(0);
        const payloadLength = all.readUInt32LE(4);
        const total = 8 + headerLength + payloadLength;
        if (all.length < total) {
            chunks = [all];
            wanted = total;
            return;
        }
        wanted = 8;
        chunks = all.length > total ? [all.subarray(total)] : [];
        chunkBytes = all.length - total;
        const header = JSON.parse(all.toString('utf8', 8, 8 + headerLength));
        receive(header, all.subarray(8 + headerLength, total));
    }
});
// The host is gone or wants this process to end.
socket.on('end', () => leave(0));
socket.on('error', () => process.exit(0));

let atLeave = [];

function leave(code) {
    const hooks = atLeave;
    atLeave = [];
    Promise.allSettled(hooks.map(async (hook) => hook())).then(() => process.exit(code));
}

// ---------------------------------------------------------------- events

/** What a sender put into a body: JSON where it is JSON, else text. */
function decodeBody(text) {
    try {
        return JSON.parse(text);
    } catch {
        return text;
    }
}

/** One event of a batch; what costs time is decoded when it is asked for. */
class Event {
    #call;
    #index;
    #start;
    #end;
    #body;
    #isDecoded = false;

    constructor(call, index, start, end) {
        this.#call = call;
        this.#index = index;
        this.#start = start;
        this.#end = end;
    }

    /** The body: JSON decoded, other text as it is. */
    get body() {
        if (!this.#isDecoded) {
            this.#body = decodeBody(this.text);
            this.#isDecoded = true;
        }
        return this.#body;
    }
    get text() { return this.#call.payload.toString('utf8', this.#start, this.#end); }
    /** The body's bytes. */
    get bytes() { return this.#call.payload.subarray(this.#start, this.#end); }
    get key() { return this.#call.header.keys[this.#index]; }
    get offset() { return this.#call.header.firstOffset + this.#index; }
    get partition() { return this.#call.header.partition; }
    get stream() { return this.#call.header.stream; }
    get enqueuedTime() { return new Date(this.#call.header.enqueued[this.#index] / 1000); }
    get properties() { return this.#call.properties(this.#index); }
    /** The same at each attempt, and in no other event. */
    get id() { return `${this.stream}/${this.partition}/${this.offset}`; }

    toJSON() {
        const { id, stream, partition, offset, key, enqueuedTime, properties, body } = this;
        return { id, stream, partition, offset, key, enqueuedTime, properties, body };
    }

    [util.inspect.custom]() { return this.toJSON(); }
}

/** An `invoke` message with its block of bytes taken apart. */
class Call {
    constructor(header, payload) {
        this.header = header;
        this.payload = payload;
        this.ranges = [];
        this.state = new Map();
        this.changes = new Map();
        this.outputs = new Map();
        this.started = performance.now();
        let position = 0;
        const take = (length) => [position, (position += length)];
        for (const length of header.bodies ?? []) this.ranges.push(take(length));
        if (header.window) {
            const [start, end] = take(header.window.state);
            this.windowState = end > start ? JSON.parse(payload.toString('utf8', start, end)) : undefined;
        }
        if (header.web) this.webBody = payload.subarray(...take(header.web.body));
        this.takeState(header.state, payload, take);
    }

    takeState(entries, payload, take) {
        for (const [key, length] of entries ?? []) this.state.set(key, payload.toString('utf8', ...take(length)));
    }

    get count() { return this.ranges.length; }
    text(index) { return this.payload.toString('utf8', ...this.ranges[index]); }
    bytes(index) { return this.payload.subarray(...this.ranges[index]); }

    properties(index) {
        const text = this.header.properties?.[index];
        if (!text) return {};
        const value = decodeBody(text);
        return value !== null && typeof value === 'object' ? value : {};
    }

    events() { return this.ranges.map(([start, end], index) => new Event(this, index, start, end)); }

    remainingMs() { return Math.max(0, this.header.timeoutMs - (performance.now() - this.started)); }

    /** Adds a row to an output; options: key, properties. */
    emit(output, row, options) {
        if (typeof output !== 'string' || output === '') throw new TypeError('emit needs the name of an output');
        const bytes = encodeRow(row, output);
        let rows = this.outputs.get(output);
        if (!rows) this.outputs.set(output, (rows = { rows: [], keys: undefined, properties: undefined }));
        if (options?.key !== undefined || options?.properties !== undefined) {
            rows.keys ??= [];
            rows.properties ??= [];
            rows.keys[rows.rows.length] = options.key === undefined ? null : String(options.key);
            rows.properties[rows.rows.length] = options.properties ? JSON.stringify(options.properties) : null;
        }
        rows.rows.push(bytes);
    }

    /** One row, or one per element of an array; nothing for null and undefined. */
    emitAll(output, value) {
        if (value === undefined || value === null) return;
        if (Array.isArray(value)) for (const row of value) this.emit(output, row);
        else this.emit(output, value);
    }

    sendResult(extra) {
        const payload = [];
        const outputs = [];
        for (const [name, { rows, keys, properties }] of this.outputs) {
            const output = { name, rows: rows.map((row) => row.length) };
            if (keys) output.keys = padded(keys, rows.length);
            if (properties) output.properties = padded(properties, rows.length);
            outputs.push(output);
            payload.push(...rows);
        }
        const state = [];
        for (const [key, { text, ttl }] of this.changes) {
            const bytes = text === null ? null : Buffer.from(text);
            state.push(ttl === undefined ? [key, bytes?.length ?? null] : [key, bytes?.length ?? null, ttl]);
            if (bytes) payload.push(bytes);
        }
        const header = { type: 'result', id: this.header.id, outputs, state };
        if (extra?.failedFrom !== undefined) header.failedFrom = extra.failedFrom;
        if (extra?.error !== undefined) header.error = describe(extra.error);
        if (extra?.web) {
            header.web = { ...extra.web, body: extra.web.body.length };
            payload.push(extra.web.body);
        }
        if (extra?.windowState !== undefined) {
            const bytes = Buffer.from(JSON.stringify(extra.windowState));
            header.windowState = bytes.length;
            payload.push(bytes);
        }
        send(header, payload);
    }
}

function padded(list, length) {
    return Array.from({ length }, (_, index) => list[index] ?? null);
}

/** A row as the body of an event: text and bytes as they are, everything else as JSON. */
function encodeRow(row, output) {
    if (typeof row === 'string') return Buffer.from(row);
    if (row instanceof Uint8Array) return Buffer.from(row.buffer, row.byteOffset, row.byteLength);
    let text;
    try {
        text = JSON.stringify(row);
    } catch (error) {
        throw new TypeError(`a row for ${output} cannot be written as JSON: ${error.message}`);
    }
    if (text === undefined) throw new TypeError(`a row for ${output} is ${typeof row}, which JSON does not have`);
    return Buffer.from(text);
}

// ---------------------------------------------------------------- state

let stateWaiter;

/** The function's state: what the call's keys hold is here already, the rest is fetched. */
class State {
    #call;

    constructor(call) { this.#call = call; }

    async get(key) {
        key = String(key);
        const change = this.#call.changes.get(key);
        if (change) return change.text === null ? undefined : JSON.parse(change.text);
        if (!this.#call.state.has(key)) {
            if (this.#call.header.keys?.includes(key)) return undefined;
            await fetchState(this.#call, [key]);
        }
        const text = this.#call.state.get(key);
        return text === undefined || text === null ? undefined : JSON.parse(text);
    }

    /** Keeps a value; options: ttl in seconds. */
    async set(key, value, options) {
        const text = JSON.stringify(value);
        if (text === undefined) throw new TypeError(`state ${key}: ${typeof value} cannot be written as JSON`);
        const seconds = options?.ttl;
        if (seconds !== undefined && !(seconds > 0)) throw new RangeError(`state ${key}: ttl is a number of seconds above 0`);
        this.#call.changes.set(String(key), { text, ttl: seconds === undefined ? undefined : seconds * 1000 });
    }

    async delete(key) { this.#call.changes.set(String(key), { text: null }); }
}

// One question at a time, since answers carry no number.
let stateQueue = Promise.resolve();

function fetchState(call, keys) {
    stateQueue = stateQueue.then(() => new Promise((resolve) => {
        if (current !== call) return resolve();
        stateWaiter = (header, payload) => {
            let position = 0;
            call.takeState(header.state, payload, (length) => [position, (position += length)]);
            for (const key of keys) if (!call.state.has(key)) call.state.set(key, null);
            resolve();
        };
        send({ type: 'stateGet', keys });
    }));
    return stateQueue;
}

// ---------------------------------------------------------------- loading

/** Loads a file of either module system; also .js files with `export` that no package.json declares as a module. */
async function load(file) {
    try {
        return await import(pathToFileURL(file).href);
    } catch (error) {
        const isModule = error instanceof SyntaxError
            && /Unexpected token 'export'|Cannot use import statement|await is only valid/.test(error.message);
        const register = require('node:module').register;
        if (!isModule || !register) throw error;
        const hook = `export async function load(url, context, next) {
            if (url.startsWith('file:') && url.split('?')[0].endsWith('.js') && context.format !== 'module') {
                const { readFile } = await import('node:fs/promises');
                const source = await readFile(new URL(url.split('?')[0]), 'utf8');
                if (/^\\s*(export|import)\\s/m.test(source)) return { format: 'module', source, shortCircuit: true };
            }
            return next(url, context);
        }`;
        register('data:text/javascript,' + encodeURIComponent(hook));
        return import(pathToFileURL(file).href + '?module');
    }
}

/** The function in a module: the named entry, else `default`, else the only one. */
function entryOf(module, names, file) {
    const holders = [module, module.default].filter((holder) => holder !== undefined && holder !== null);
    for (const name of names) {
        for (const holder of holders) {
            const value = name.split('.').reduce((object, part) => object?.[part], holder);
            if (typeof value === 'function') return { call: value, owner: holder };
        }
    }
    if (typeof module.default === 'function') return { call: module.default, owner: module };
    for (const holder of holders) {
        const functions = Object.values(holder).filter((value) => typeof value === 'function');
        if (functions.length === 1) return { call: functions[0], owner: holder };
    }
    const expected = names.length ? names.map((name) => `\`${name}\``).join(' or ') : '`export default`';
    throw new Error(`${path.basename(file)} exports no function; expected ${expected} or module.exports = function`);
}

// ---------------------------------------------------------------- the plain model

/** The index of the first event that a function reports as failed; undefined: all went well. */
function failedFrom(call, failures, idOf) {
    if (!Array.isArray(failures)) throw new TypeError('batchItemFailures is no array');
    let lowest;
    for (const failure of failures) {
        const identifier = failure !== null && typeof failure === 'object' ? failure.itemIdentifier : failure;
        let index = -1;
        for (let i = 0; i < call.count && index < 0; i++) if (idOf(i).includes(String(identifier))) index = i;
        // An event that is not in the batch: nothing is certain, so the whole batch counts as failed.
        if (identifier === undefined || identifier === null || identifier === '' || index < 0) return 0;
        lowest = lowest === undefined ? index : Math.min(lowest, index);
    }
    return lowest;
}

const plain = {
    async load(init) {
        const module = await load(init.file);
        const names = init.handler ? [init.handler] : ['handler'];
        const { call: run, owner } = entryOf(module, names, init.file);
        return { invoke: (call) => plain.invoke(run.bind(owner), call) };
    },

    async invoke(run, call) {
        const header = call.header;
        const context = {
            invocationId: header.id,
            functionName: header.function,
            attempt: header.attempt,
            maxAttempts: header.maxAttempts,
            stream: header.stream,
            partition: header.partition,
            trigger: header.trigger,
            state: new State(call),
            emit: (output, row, options) => call.emit(output, row, options),
            log: Object.assign((...parts) => log('info', ...parts), {
                debug: console.debug, info: console.info, warn: console.warn, error: console.error,
            }),
            remainingTimeMs: () => call.remainingMs(),
        };
        const input = header.trigger === 'events' ? call.events() : plain.input(call);
        const value = await run(input, context);
        if (header.trigger === 'web') return { web: webResponse(value) };
        if (value !== null && typeof value === 'object' && Array.isArray(value.batchItemFailures)) {
            const base = `${header.stream}/${header.partition}/`;
            const idOf = (index) => [String(header.firstOffset + index), base + (header.firstOffset + index)];
            return { failedFrom: failedFrom(call, value.batchItemFailures, idOf) };
        }
        call.emitAll('$return', value);
        return {};
    },

    input(call) {
        const { timer, web } = call.header;
        if (timer) {
            const date = (time) => (time === undefined ? undefined : new Date(time / 1000));
            return { scheduled: date(timer.scheduled), last: date(timer.last), next: date(timer.next), isPastDue: timer.isPastDue };
        }
        return webRequest(web, call.webBody);
    },
};

function webRequest(web, body) {
    const url = new URL(web.target, 'http://localhost');
    const headers = {};
    for (const [name, value] of web.headers) {
        const key = name.toLowerCase();
        headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
    }
    const text = body.toString('utf8');
    const isJSON = /\bjson\b/.test(headers['content-type'] ?? '');
    return {
        method: web.method, url: web.target, path: url.pathname, query: Object.fromEntries(url.searchParams), headers,
        params: web.parameters, bytes: body, text, body: isJSON ? decodeBody(text) : text,
    };
}

/** A web answer from what a function gave back: a response object, or a value as the body. */
function webResponse(value) {
    const isResponse = value !== null && typeof value === 'object'
        && ('status' in value || 'statusCode' in value || 'body' in value || 'jsonBody' in value || 'headers' in value);
    const response = isResponse ? value : { body: value };
    let body = response.jsonBody !== undefined ? response.jsonBody : response.body;
    const headers = response.headers instanceof Map || typeof response.headers?.forEach === 'function'
        ? [...response.headers.entries()]
        : Object.entries(response.headers ?? {});
    const hasType = headers.some(([name]) => name.toLowerCase() === 'content-type');
    let bytes;
    if (body === undefined || body === null) {
        bytes = Buffer.alloc(0);
    } else if (body instanceof Uint8Array) {
        bytes = Buffer.from(body);
    } else if (typeof body === 'string') {
        bytes = response.isBase64Encoded ? Buffer.from(body, 'base64') : Buffer.from(body);
        if (!hasType) headers.push(['Content-Type', 'text/plain; charset=utf-8']);
    } else {
        bytes = Buffer.from(JSON.stringify(body));
        if (!hasType) headers.push(['Content-Type', 'application/json']);
    }
    const status = Number(response.status ?? response.statusCode ?? (bytes.length ? 200 : 204));
    return { status, headers: headers.map(([name, text]) => [name, String(text)]), body: bytes };
}

// ---------------------------------------------------------------- calls

let program;
let current;

function describe(error) {
    if (error !== null && typeof error === 'object' && ('message' in error || 'stack' in error)) {
        return {
            message: String(error.message), type: String(error.name ?? error.constructor?.name ?? 'Error'),
            stack: typeof error.stack === 'string' ? error.stack : undefined,
        };
    }
    return { message: typeof error === 'string' ? error : util.inspect(error), type: 'Error' };
}

async function initialise(init) {
    const models = {
        plain: () => plain,
        'azure-folder': () => require('./node-azure.cjs').folder(tools),
        'azure-registered': () => require('./node-azure.cjs').registered(tools),
        'lambda-handler': () => require('./node-aws.cjs')(tools),
    };
    try {
        if (!models[init.model]) throw new Error(`this bootstrap does not know the model ${init.model}`);
        process.chdir(init.directory);
        program = await models[init.model]().load(init);
        send({ type: 'ready', runtime: `node ${process.version}`, functions: program.functions ?? [] });
    } catch (error) {
        send({ type: 'initError', error: describe(error) });
        socket.end(() => process.exit(1));
    }
}

async function invoke(header, payload) {
    let call;
    try {
        call = current = new Call(header, payload);
        const extra = await program.invoke(call);
        if (current !== call) return;
        call.sendResult(extra);
    } catch (error) {
        if (call && current !== call) return;
        send({ type: 'error', id: header.id, error: describe(error) });
    }
    current = undefined;
}

function receive(header, payload) {
    switch (header.type) {
        case 'init': initialise(header); break;
        case 'invoke': invoke(header, payload); break;
        case 'state': stateWaiter?.(header, payload); break;
    }
}

// After an error that nobody caught, the process is in no known state: it reports and ends, and a new one takes its place.
function lost(error) {
    const id = current?.header.id;
    current = undefined;
    if (id !== undefined) send({ type: 'error', id, error: describe(error), leaving: true });
    else log('error', 'between two calls, nobody caught:', error);
    socket.end(() => process.exit(70));
}
process.on('uncaughtException', lost);
process.on('unhandledRejection', lost);

const tools = {
    log, load, entryOf, decodeBody, failedFrom, webRequest, webResponse, describe, State,
    beforeLeaving: (hook) => atLeave.push(hook),
};
