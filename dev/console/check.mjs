#!/usr/bin/env node
// Opens the console in a headless Chromium and checks that it works: that it loads without an error, that the chart
// draws, that values change, that it can be read and used on a phone, in the dark, and without a mouse.
//
//   node dev/console/check.mjs [URL] [--screenshot DIR] [--settle SECONDS] [--no-send]
//
// URL is a running instance, for example http://127.0.0.1:8080, with the project of the temperature template. The
// checks send it their own telemetry; --no-send keeps them from it, and then leaves out what needs it. Without a URL
// they run against the mock in three shapes: an empty project, hostile device names, a thousand devices.
// --screenshot writes console-light.png, console-dark.png and console-phone.png, after --settle seconds (5).
// Prints a line per check and the closing line `N passed, N failed`; exit code 1 when one failed.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Browser } from './browser.mjs';
import { checks } from './checks.mjs';
import { startMock } from './mock.mjs';
import { Sender } from './sender.mjs';

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function optionsFrom(words) {
  const options = { url: null, screenshots: null, settle: 5, send: true };
  for (let i = 0; i < words.length; i += 1) {
    if (words[i] === '--screenshot' && words[i + 1]) options.screenshots = words[i += 1];
    else if (words[i] === '--settle' && Number.isFinite(Number(words[i + 1]))) options.settle = Number(words[i += 1]);
    else if (words[i] === '--no-send') options.send = false;
    else if (/^https?:/.test(words[i]) && !options.url) options.url = words[i].replace(/\/$/, '');
    else {
      console.error(`check: unexpected argument ${words[i]}; usage: check.mjs [URL] [--screenshot DIR] [--settle SECONDS] [--no-send]`);
      process.exit(2);
    }
  }
  return options;
}

const result = { passed: 0, failed: 0 };
const pass = (title) => { result.passed += 1; console.log(`ok    ${title}`); };
const fail = (title, reason) => { result.failed += 1; console.log(`FAIL  ${title}: ${reason}`); };

async function runChecks(browser, url, options, label) {
  const page = await browser.page();
  const sender = options.send ? new Sender(url) : null;
  const context = { browser, page, url, sender };
  try {
    for (const { title, needsSending, run } of checks) {
      if (needsSending && !sender) continue;
      try {
        const reason = await run(context);
        // A check that doesn't apply to what it found says so by answering null.
        if (reason === null) console.log(`–     ${label}${title}: does not apply`);
        else if (reason) fail(label + title, reason);
        else pass(label + title);
      } catch (error) {
        fail(label + title, error.message);
      }
    }
  } finally {
    sender?.stop();
  }
}

async function takeScreenshots(browser, url, options) {
  mkdirSync(options.screenshots, { recursive: true });
  const shapes = [
    { name: 'light', width: 1360, height: 900 },
    { name: 'dark', width: 1360, height: 900, scheme: 'dark' },
    { name: 'phone', width: 390, height: 844, scale: 2, phone: true },
  ];
  const page = await browser.page();
  await page.open(`${url}/`);
  await sleep(options.settle * 1000);
  for (const shape of shapes) {
    await page.viewport(shape.width, shape.height, shape);
    await page.media({ 'prefers-color-scheme': shape.scheme ?? 'light' });
    await sleep(1500);
    // A viewport as tall as the page shows all of it and lets the chart draw at its final size.
    if (!shape.phone) await page.viewport(shape.width, await page.evaluate('document.documentElement.scrollHeight'), shape);
    else await page.evaluate(`document.getElementById('chart').scrollIntoView()`);
    await sleep(1500);
    const file = join(options.screenshots, `console-${shape.name}.png`);
    writeFileSync(file, await page.screenshot());
    console.log(`wrote ${file}`);
  }
  await page.close();
}

const options = optionsFrom(process.argv.slice(2));
const browser = await Browser.open();
try {
  if (options.url) {
    if (options.screenshots) await takeScreenshots(browser, options.url, options);
    await runChecks(browser, options.url, options, '');
  } else {
    const shapes = [
      ['empty project: ', { empty: true }],
      ['hostile names: ', { hostile: true, failed: true }],
      ['1,000 devices: ', { devices: 1000 }],
    ];
    if (options.screenshots) {
      const mock = await startMock({ devices: 20 });
      await takeScreenshots(browser, mock.url, options);
      mock.close();
    }
    for (const [label, shape] of shapes) {
      const mock = await startMock(shape);
      await runChecks(browser, mock.url, options, label);
      mock.close();
    }
  }
} finally {
  await browser.close();
}
console.log(`${result.passed} passed, ${result.failed} failed`);
process.exit(result.failed ? 1 : 0);
