// AWS Lambda handlers in JavaScript, called as Lambda's own runtime does: `file.handler` with event, context and maybe a
// callback. Events have the shape of the Kinesis event source.
'use strict';

const path = require('node:path');

const account = '000000000000';
const region = process.env.AWS_REGION ?? 'us-east-1';

/** A sequence number of 56 digits, in the order of the offsets. */
function sequenceNumber(call, index) {
    return '49' + String(call.header.partition).padStart(6, '0') + String(call.header.firstOffset + index).padStart(48, '0');
}

function shardId(call) { return 'shardId-' + String(call.header.partition).padStart(12, '0'); }

function kinesisEvent(call) {
    const { stream, keys, enqueued, window } = call.header;
    const shard = shardId(call);
    const arn = `arn:aws:kinesis:${region}:${account}:stream/${stream}`;
    const event = {
        Records: call.ranges.map((_, index) => {
            const number = sequenceNumber(call, index);
            return {
                kinesis: {
                    kinesisSchemaVersion: '1.0', partitionKey: keys[index], sequenceNumber: number,
                    data: call.bytes(index).toString('base64'), approximateArrivalTimestamp: Math.round(enqueued[index] / 1000) / 1000,
                },
                eventSource: 'aws:kinesis', eventVersion: '1.0', eventID: `${shard}:${number}`, eventName: 'aws:kinesis:record',
                invokeIdentityArn: `arn:aws:iam::${account}:role/ogawa`, awsRegion: region, eventSourceARN: arn,
            };
        }),
    };
    if (window) {
        Object.assign(event, {
            window: { start: window.start, end: window.end }, state: call.windowState ?? {}, shardId: shard, eventSourceARN: arn,
            isFinalInvokeForWindow: window.isFinal, isWindowTerminatedEarly: window.isTerminatedEarly,
        });
    }
    return event;
}

function scheduledEvent(call) {
    return {
        version: '0', id: call.header.id, 'detail-type': 'Scheduled Event', source: 'aws.events', account, region,
        time: new Date(call.header.timer.scheduled / 1000).toISOString().replace(/\.\d+Z$/, 'Z'),
        resources: [`arn:aws:events:${region}:${account}:rule/${call.header.function}`], detail: {},
    };
}

/** An HTTP API event, payload version 2.0. */
function webEvent(call, web) {
    const url = new URL(web.url, 'http://localhost');
    const isText = /^(text\/|application\/(json|xml|x-www-form-urlencoded|javascript))|\+json|^$/.test(web.headers['content-type'] ?? '');
    return {
        version: '2.0', routeKey: '$default', rawPath: web.path, rawQueryString: url.search.slice(1), headers: web.headers,
        queryStringParameters: url.search ? web.query : undefined,
        pathParameters: Object.keys(web.params).length ? web.params : undefined,
        requestContext: {
            accountId: account, apiId: 'ogawa', domainName: web.headers.host ?? 'localhost', requestId: call.header.id, routeKey: '$default', stage: '$default',
            http: { method: web.method, path: web.path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: web.headers['user-agent'] ?? '' },
            time: new Date().toISOString(), timeEpoch: Date.now(),
        },
        body: web.bytes.length === 0 ? undefined : isText ? web.text : web.bytes.toString('base64'),
        isBase64Encoded: web.bytes.length > 0 && !isText,
    };
}

module.exports = function ({ load, failedFrom, webRequest, webResponse }) {
    return { load: loadHandler };

    async function loadHandler(init) {
        const { file, name } = locate(init);
        const module = await load(file);
        const holders = [module, module.default].filter(Boolean);
        const handler = holders.map((holder) => name.split('.').reduce((object, part) => object?.[part], holder)).find((value) => value !== undefined);
        if (typeof handler !== 'function') throw new Error(`${path.basename(file)} has no function ${name} (handler ${init.handler || 'handler'})`);
        process.env._HANDLER = init.handler;
        return { invoke: (call) => invoke(handler, init, call) };
    }

    /** `dir/module.nested.fn` or the name of a function in the program's file. */
    function locate(init) {
        if (init.file) return { file: init.file, name: init.handler.split('.').slice(init.handler.includes('.') ? 1 : 0).join('.') || 'handler' };
        const fs = require('node:fs');
        const [, folder, rest] = /^(.*\/)?([^/]*)$/.exec(init.handler);
        const [base, ...names] = rest.split('.');
        const stem = path.join(init.directory, folder ?? '', base);
        const file = ['', '.js', '.mjs', '.cjs'].map((end) => stem + end).find((candidate) => fs.existsSync(candidate) && fs.statSync(candidate).isFile());
        if (!file) throw new Error(`the handler ${init.handler} names no file: ${stem}.js, .mjs and .cjs are absent`);
        if (names.length === 0) throw new Error(`the handler ${init.handler} names no function; write file.function`);
        return { file, name: names.join('.') };
    }

    async function invoke(handler, init, call) {
        const { header } = call;
        const web = header.web ? webRequest(header.web, call.webBody) : undefined;
        const event = web ? webEvent(call, web) : header.timer ? scheduledEvent(call) : kinesisEvent(call);
        const value = await run(handler, event, init, call);
        if (web) return { web: webResponse(value) };
        const extra = {};
        if (header.window) {
            const state = value?.state;
            if (!header.window.isFinal && (state === undefined || state === null || typeof state !== 'object')) {
                throw new Error('with a tumbling window the answer must hold `state`');
            }
            extra.windowState = state ?? {};
        }
        if (value !== null && typeof value === 'object' && value.batchItemFailures !== undefined && value.batchItemFailures !== null) {
            extra.failedFrom = failedFrom(call, value.batchItemFailures, (index) => [sequenceNumber(call, index)]);
        } else if (!header.window) {
            call.emitAll('$return', value);
        }
        return extra;
    }

    function run(handler, event, init, call) {
        return new Promise((resolve, reject) => {
            const done = (error, value) => (error ? reject(typeof error === 'string' ? new Error(error) : error) : resolve(value));
            const context = {
                callbackWaitsForEmptyEventLoop: true, functionName: call.header.function, functionVersion: '$LATEST',
                invokedFunctionArn: `arn:aws:lambda:${region}:${account}:function:${call.header.function}`,
                memoryLimitInMB: String(init.memoryMiB), awsRequestId: call.header.id, logGroupName: `/aws/lambda/${call.header.function}`,
                logStreamName: `ogawa/[$LATEST]${process.pid}`, identity: undefined, clientContext: undefined,
                getRemainingTimeInMillis: () => Math.floor(call.remainingMs()),
                done, succeed: (value) => done(null, value), fail: (error) => done(error ?? new Error('the handler called fail')),
            };
            const returned = handler(event, context, done);
            if (typeof returned?.then === 'function') returned.then(resolve, reject);
            else if (handler.length < 3 && returned !== undefined) resolve(returned);
            else if (handler.length < 3 && !/\.(succeed|fail|done)\s*\(/.test(String(handler))) resolve(returned);
        });
    }
};
