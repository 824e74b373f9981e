#!/usr/bin/env node
// A mock of the HTTP API that the console reads, for working on the page without a build of the server.
//
//   node dev/console/mock.mjs [--port 8090] [--devices 20] [--rate 1] [--hostile] [--empty] [--failed]
//
// --rate is events per second of each device; --hostile adds device names that try to break the page; --empty starts
// as a new project does, without any event; --failed adds a function that has stopped with an error.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { Building } from './building.mjs';

const PAGE = new URL('../../Sources/OgawaServer/Console/index.html', import.meta.url);
const COLUMNS = ['deviceId', 'time', 'celsius', 'smoothed'];

// As the server does it: script and style are cut out of the page and served on their own, and nothing inline may run.
const POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

function servePage(path, response) {
  const html = readFileSync(PAGE, 'utf8');
  const cut = (tag) => html.match(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`))?.[1] ?? '';
  const [type, text] = path === 'console.js' ? ['text/javascript', cut('script')]
    : path === 'console.css' ? ['text/css', cut('style')]
      : ['text/html', html.replace(/<style>[\s\S]*?<\/style>/, () => '<link rel="stylesheet" href="/console.css">')
        .replace(/<script>[\s\S]*?<\/script>/, () => '<script src="/console.js" defer></script>')];
  response.writeHead(200, { 'content-type': `${type}; charset=utf-8`, 'content-security-policy': POLICY });
  response.end(text);
}

export async function startMock(options = {}) {
  const building = new Building(options);
  building.failed = options.failed ?? false;
  building.feeds = new Set();
  building.listeners.add((name, key, row) => {
    for (const feed of building.feeds) if (feed.name === name && (feed.key === null || feed.key === key)) feed.rows.push(JSON.stringify(row));
  });
  const flush = setInterval(() => {
    for (const feed of building.feeds) {
      if (!feed.rows.length) continue;
      feed.response.write(feed.rows.map((row) => `data: ${row}\n`).join('') + '\n');
      feed.rows = [];
    }
  }, 10);
  const server = createServer((request, response) => answer(building, request, response));
  await new Promise((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  building.port = server.address().port;
  building.start();
  return {
    url: `http://127.0.0.1:${building.port}`, building,
    close() {
      building.stop();
      clearInterval(flush);
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(building, request, response) {
  const url = new URL(request.url, 'http://localhost');
  const parts = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  const limit = Math.min(1000, Number(url.searchParams.get('limit') ?? 100));
  const json = (value, status = 200) => {
    response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' });
    response.end(JSON.stringify(value));
  };
  const problem = (status, detail) => json({ type: 'about:blank', title: 'refused', status, detail }, status);
  if (request.method === 'POST') return takeEvents(building, parts, request, json, problem);
  switch (parts[0]) {
    case undefined: case 'console.js': case 'console.css': return servePage(parts[0], response);
    case 'livez': case 'readyz': return json({ status: 'ok' });
    case 'status': return json(statusOf(building));
    case 'devices': return json({ devices: devicesOf(building).slice(0, limit) });
    case 'rejections': return json({ total: building.rejections.length, rejections: building.rejections.slice(0, limit) });
    case 'tables':
      if (parts[1] !== 'temperature') return problem(404, `no table ${parts[1]}, nearest: temperature`);
      return json({ table: 'temperature', columns: COLUMNS, rows: rowsOf(building, parts[2] === 'newest', url.searchParams, limit) });
    case 'live': return follow(building, parts[1], url.searchParams.get('key'), response);
    default: return problem(404, `nothing at ${url.pathname}`);
  }
}

function follow(building, name, key, response) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write(': keep-alive\n\n');
  const feed = { name, key, rows: [], response };
  building.feeds.add(feed);
  response.on('close', () => building.feeds.delete(feed));
}

function rowsOf(building, newest, query, limit) {
  if (newest) return building.rows.slice(-limit).reverse();
  const key = query.get('key');
  const from = query.get('from') ?? '';
  const to = query.get('to') ?? '9';
  const rows = building.rows.filter((row) => (key === null || row.deviceId === key) && row.time >= from && row.time < to);
  rows.sort((a, b) => (a.time < b.time ? -1 : 1));
  return query.get('order') === 'desc' ? rows.slice(-limit).reverse() : rows.slice(0, limit);
}

function devicesOf(building) {
  return [...building.devices.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).map((d) => ({
    id: d.id, stream: d.stream, lastSeen: new Date(d.lastSeen).toISOString(),
    lastEventTime: Number.isFinite(d.lastEventTime) ? new Date(d.lastEventTime).toISOString() : null,
    clockOffsetSeconds: d.clockOffsetSeconds, events: d.events, lastBody: d.lastBody,
  }));
}

function statusOf(building) {
  const rate = building.eventsPerSecond();
  const uptime = (Date.now() - building.startedAt) / 1000;
  const shared = { inputs: ['telemetry'], early: 0, outOfOrder: 0, dropped: 0, late: 0 };
  const functions = [{
    ...shared, name: 'temperature', file: 'functions/temperature.sql', state: 'running', outputs: ['temperature'],
    eventsIn: building.offset, rowsOut: building.rowTotal, eventsPerSecond: rate, lagEvents: 0,
    lagSeconds: building.offset ? 0.004 + Math.random() * 0.004 : 0, watermark: building.offset ? new Date(Date.now() - 5000).toISOString() : null,
    late: building.late, early: building.early, lastError: null,
  }];
  const outputs = [{ name: 'temperature', kind: 'table', rows: building.rowTotal, rowsPerSecond: rate, columns: COLUMNS, key: 'deviceId', range: 'time' }];
  if (building.failed) {
    functions.push({
      ...shared, name: 'hot', file: 'functions/hot.sql', state: 'failed', outputs: ['hot'], eventsIn: 0, rowsOut: 0, eventsPerSecond: 0,
      lagEvents: building.offset, lagSeconds: uptime, watermark: null,
      lastError: 'functions/hot.sql:3:7: unknown column celcius\n  WHERE celcius > 30\n        ^^^^^^^\nhint: did you mean celsius?',
    });
    outputs.push({ name: 'hot', kind: 'live', rows: 0, rowsPerSecond: 0, columns: ['deviceId', 'time', 'celsius'] });
  }
  return {
    name: 'plant', startedAt: new Date(building.startedAt).toISOString(), uptimeSeconds: uptime, version: '0.1.0',
    listen: { http: `127.0.0.1:${building.port}`, mqtt: '127.0.0.1:1883' },
    streams: [{
      name: 'telemetry', partitions: 4, events: building.offset, bytes: building.offset * 112, eventsPerSecond: rate,
      firstOffset: [0, 0, 0, 0], nextOffset: [0, 1, 2, 3].map((p) => Math.floor((building.offset + 3 - p) / 4)),
    }],
    functions, outputs, rejected: building.rejectedTotal,
    connections: { http: 4 + building.feeds.size, mqtt: Math.ceil(building.sensors.length / 2), live: building.feeds.size },
  };
}

function takeEvents(building, parts, request, json, problem) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const id = parts[0] === 'devices' ? parts[1] : request.headers['x-device-id'];
    if (id === undefined && parts[0] !== 'streams') return problem(404, 'no such resource');
    let events;
    try {
      const body = JSON.parse(Buffer.concat(chunks).toString());
      events = Array.isArray(body) ? body : [body];
    } catch (error) {
      building.reject('rejected', id ?? null, `element 1: ${error.message}`);
      return problem(400, error.message);
    }
    for (const event of events) building.accept(id ?? event.deviceId, event);
    return json({ accepted: events.length, receipts: [{ partition: 0, firstOffset: building.offset - events.length, count: events.length }] }, 202);
  });
}

function optionsFrom(words) {
  const options = { port: 8090 };
  for (let i = 0; i < words.length; i += 1) {
    const name = words[i].replace(/^--/, '');
    if (['hostile', 'empty', 'failed'].includes(name)) options[name] = true;
    else if (['port', 'devices', 'rate'].includes(name) && Number.isFinite(Number(words[i + 1]))) options[name] = Number(words[i += 1]);
    else {
      console.error(`mock: unknown option ${words[i]}; known: --port N --devices N --rate N --hostile --empty --failed`);
      process.exit(2);
    }
  }
  return options;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const mock = await startMock(optionsFrom(process.argv.slice(2)));
  console.log(`console on ${mock.url}`);
}
