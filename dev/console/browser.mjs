// Drives a headless Chromium over the Chrome DevTools Protocol. The protocol runs over a pipe (file descriptors 3 and
// 4 of the browser, messages ended by a zero byte), so that plain node is enough: no packages, no WebSocket.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'];

export class Browser {
  static async open() {
    const path = process.env.CHROMIUM ?? CANDIDATES.find(existsSync);
    if (!path) throw new Error('no Chromium found; install the package "chromium", or name one in the variable CHROMIUM');
    const browser = new Browser();
    browser.profile = mkdtempSync(join(tmpdir(), 'ogawa-console-'));
    const flags = ['--headless=new', '--remote-debugging-pipe', `--user-data-dir=${browser.profile}`, '--no-first-run', '--disable-gpu',
      '--disable-dev-shm-usage', '--hide-scrollbars', '--disable-extensions', '--disable-background-networking', '--force-color-profile=srgb'];
    // Chromium's sandbox can't start under root, which is what containers and build machines run as.
    if (process.getuid?.() === 0) flags.push('--no-sandbox');
    browser.process = spawn(path, flags, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
    let said = '';
    browser.process.stderr.on('data', (text) => { said = (said + text).slice(-1000); });
    browser.exited = new Promise((resolve) => browser.process.on('exit', resolve));
    browser.exited.then(() => browser.fail(new Error(`Chromium has exited; it said: ${said.trim() || 'nothing'}`)));
    browser.process.on('error', (error) => browser.fail(error));
    browser.process.stdio[3].on('error', (error) => browser.fail(error));
    browser.process.stdio[4].on('data', (chunk) => browser.receive(chunk));
    await browser.send('Browser.getVersion');
    return browser;
  }

  constructor() {
    this.waiting = new Map();
    this.pages = new Map();
    this.parts = [];
    this.lastID = 0;
  }

  send(method, params = {}, sessionId = undefined) {
    const id = (this.lastID += 1);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.settle(id, { error: { message: 'no answer within 60 s' } }), 60_000);
      this.waiting.set(id, { resolve, reject, method, timer });
      this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  receive(chunk) {
    let from = 0;
    for (let end = chunk.indexOf(0); end >= 0; end = chunk.indexOf(0, from)) {
      this.parts.push(chunk.subarray(from, end));
      const message = JSON.parse(Buffer.concat(this.parts).toString());
      this.parts = [];
      from = end + 1;
      if (message.id !== undefined) this.settle(message.id, message);
      else this.pages.get(message.sessionId)?.notify(message.method, message.params);
    }
    this.parts.push(chunk.subarray(from));
  }

  settle(id, { result, error }) {
    const call = this.waiting.get(id);
    if (!call) return;
    this.waiting.delete(id);
    clearTimeout(call.timer);
    if (error) call.reject(new Error(`${call.method}: ${error.message}`));
    else call.resolve(result);
  }
  fail(error) { for (const id of [...this.waiting.keys()]) this.settle(id, { error }); }

  async page() {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, sessionId, targetId);
    this.pages.set(sessionId, page);
    for (const domain of ['Page', 'Runtime', 'Log', 'Network', 'Accessibility']) await page.send(`${domain}.enable`);
    return page;
  }

  async close() {
    await this.send('Browser.close').catch(() => {});
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 5000);
    await this.exited;
    clearTimeout(timer);
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** One tab: what it logged, what it loaded, and the few gestures that the checks need. */
export class Page {
  constructor(browser, sessionId, targetId) {
    this.browser = browser;
    this.targetId = targetId;
    this.sessionId = sessionId;
    this.problems = [];
    this.requests = [];
    this.document = null;
    this.listeners = new Map();
  }

  send(method, params) { return this.browser.send(method, params, this.sessionId); }

  notify(method, params) {
    if (method === 'Runtime.exceptionThrown') {
      this.problems.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    } else if (method === 'Runtime.consoleAPICalled' && ['error', 'assert'].includes(params.type)) {
      this.problems.push(params.args.map((value) => value.description ?? value.value).join(' '));
    } else if (method === 'Log.entryAdded' && params.entry.level === 'error') {
      this.problems.push(`${params.entry.text} ${params.entry.url ?? ''}`);
    } else if (method === 'Network.requestWillBeSent') {
      this.requests.push(params.request.url);
    } else if (method === 'Network.responseReceived' && params.type === 'Document') {
      this.document = params.response;
    }
    this.listeners.get(method)?.(params);
  }

  async open(url) {
    const loaded = new Promise((resolve) => this.listeners.set('Page.loadEventFired', resolve));
    const { errorText } = await this.send('Page.navigate', { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
    await loaded;
  }

  /** The value of an expression in the page; promises are awaited. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until an expression is true; false when it isn't within the time. */
  async until(expression, milliseconds = 15_000) {
    const end = Date.now() + milliseconds;
    do {
      if (await this.evaluate(`Boolean(${expression})`)) return true;
      await new Promise((resolve) => setTimeout(resolve, 100));
    } while (Date.now() < end);
    return false;
  }

  async press(key, code = key, virtualKey = { Tab: 9, Enter: 13, ArrowDown: 40, ArrowLeft: 37 }[key]) {
    const event = { key, code, windowsVirtualKeyCode: virtualKey, ...(key === 'Enter' ? { text: '\r' } : {}) };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
  }

  async viewport(width, height, { scale = 1, phone = false } = {}) {
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: scale, mobile: phone });
  }
  async media(features) {
    await this.send('Emulation.setEmulatedMedia', { features: Object.entries(features).map(([name, value]) => ({ name, value })) });
  }
  async screenshot() {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
    return Buffer.from(data, 'base64');
  }
  async close() { await this.browser.send('Target.closeTarget', { targetId: this.targetId }); }
}
