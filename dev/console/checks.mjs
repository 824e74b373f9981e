// The checks of the console, in the order in which they run on one page. Each answers with nothing when it holds,
// with the reason when it doesn't, and with null when it doesn't apply to the instance at hand.

import { contrastProbe, frameProbe, inkProbe } from './probes.mjs';

const DEVICE = 'console-check';
const LATE = 'console-late';
const HOSTILE = '<img src=x onerror="window.__console_was_hacked=1">';
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const text = (id) => `document.getElementById('${id}').textContent`;
const rowNamed = (name) => `[...document.querySelectorAll('#device-rows tr')].find((row) => !row.hidden && row.querySelector('bdi').textContent === ${JSON.stringify(name)})`;

async function filterDevices(page, wanted) {
  await page.evaluate(`(() => {
    const field = document.getElementById('filter');
    field.value = ${JSON.stringify(wanted)};
    field.dispatchEvent(new Event('input'));
  })()`);
}
/** Clicks the row of a device; false when it isn't in the list. */
async function choose(page, name) {
  await filterDevices(page, name);
  const found = await page.until(rowNamed(name), 8000);
  if (found) await page.evaluate(`${rowNamed(name)}.click()`);
  await filterDevices(page, '');
  return found;
}
const problems = (page) => page.problems.join(' | ');

export const checks = [
  { title: 'the page opens and connects', async run({ page, url }) {
    await page.viewport(1360, 1000);
    await page.media({ 'prefers-color-scheme': 'light' });
    await page.open(`${url}/`);
    if (!await page.until(`${text('connection')} === 'Live'`)) return `the connection shows ${await page.evaluate(text('connection'))}`;
  } },
  { title: 'it is one page under a content security policy', async run({ page, url }) {
    const policy = Object.entries(page.document.headers).find(([name]) => name.toLowerCase() === 'content-security-policy')?.[1];
    if (!policy) return 'no Content-Security-Policy header';
    if (/unsafe-(inline|eval)/.test(policy)) return `the policy allows too much: ${policy}`;
    const foreign = page.requests.filter((address) => !address.startsWith(url) && !address.startsWith('data:'));
    if (foreign.length) return `it asked for ${foreign[0]}`;
  } },
  { title: 'an empty project shows how to send the first event', async run({ page, url }) {
    if (await page.evaluate(`document.getElementById('first-run').hidden`)) return null;
    const curl = await page.evaluate(text('curl'));
    const mqtt = await page.evaluate(text('mqtt'));
    if (!curl.includes(url)) return `the curl command does not name ${url}: ${curl}`;
    if (!/mosquitto_pub -h \S+ -p \d+/.test(mqtt)) return `the mosquitto_pub command is ${mqtt}`;
  } },
  { title: 'the flow shows streams, functions and outputs', async run({ page }) {
    if (!await page.until(`document.querySelectorAll('.node').length >= 4`)) return 'fewer than four parts';
    const edges = await page.evaluate(`document.querySelectorAll('.flow > svg path').length`);
    if (edges < 6) return `${edges / 2} connections`;
  } },
  { title: 'a device that sends appears in the list', needsSending: true, async run({ page, sender }) {
    const status = await sender.telemetry(DEVICE, 0.72);
    if (status !== 202) return `sending was answered with ${status}`;
    sender.start(DEVICE, 50);
    if (!await choose(page, DEVICE)) return 'no row with its name';
    if (!await page.until(`document.getElementById('device').value === '${DEVICE}'`)) return 'a click did not choose it';
    if (!await page.until(`document.getElementById('first-run').hidden`)) return 'the first-run hint stayed';
  } },
  { title: 'the device list fills', async run({ page }) {
    if (!await page.until(`document.querySelectorAll('#device-rows tr:not([hidden])').length > 0`)) return 'no rows';
    const rows = await page.evaluate(`document.querySelectorAll('#device-rows tr').length`);
    if (rows > 200) return `${rows} rows, expected at most 200`;
  } },
  { title: 'the chart draws', async run({ page }) {
    if (!await page.until(`(${inkProbe})().coloured > 150`, 20_000)) return `pixels in colour: ${JSON.stringify(await page.evaluate(`(${inkProbe})()`))}`;
    if (!await page.until(`document.querySelectorAll('#legend button').length >= 2`)) return 'fewer than two columns in the legend';
  } },
  { title: 'the chart moves', async run({ page }) {
    const before = await page.evaluate(`(${inkProbe})().digest`);
    if (!await page.until(`(${inkProbe})().digest !== ${before}`)) return 'the picture stayed the same';
  } },
  { title: 'values change', needsSending: true, async run({ page }) {
    for (const [what, expression] of [
      ['the event count', text('f-events-more')],
      ['the newest value in the legend', `document.querySelector('#legend b')?.textContent`],
      ['the newest rows', `document.querySelector('#rows tbody')?.textContent`],
    ]) {
      const before = JSON.stringify(await page.evaluate(expression) ?? null);
      if (!await page.until(`JSON.stringify(${expression} ?? null) !== ${JSON.stringify(before)}`)) return `${what} stayed ${before.slice(0, 80)}`;
    }
  } },
  { title: 'a refused event is listed with its reason', needsSending: true, async run({ page, sender }) {
    const status = await sender.post(`/devices/${DEVICE}/telemetry`, '{"deviceId":"console-check","voltage":}');
    if (status !== 400) return `broken JSON was answered with ${status}, expected 400`;
    if (!await page.until(`[...document.querySelectorAll('#log tbody tr')].some((row) => row.cells[1].textContent === 'rejected' && row.cells[2].textContent.length > 8)`)) {
      return `the log shows ${(await page.evaluate(text('log'))).slice(0, 200)}`;
    }
  } },
  { title: 'late points take their place in the order of time', needsSending: true, async run({ page, sender }) {
    const now = Date.now();
    for (const back of [9000, 8000, 7000, 2000]) await sender.telemetry(LATE, 0.7 + back / 1e6, now - back);
    if (!await choose(page, LATE)) return 'the device is not in the list';
    if (!await page.until(`${text('legend')}.includes('°C') && /\\d/.test(${text('legend')})`)) return 'its values are not charted';
    await sleep(1000);
    await sender.telemetry(LATE, 0.75, now - 4500);
    await sleep(1000);
    // The table says what the chart has to show, whatever the policy for late events made of their times.
    const output = await page.evaluate(`document.getElementById('output').value.slice(2)`);
    const { rows } = await sender.get(`/tables/${output}?key=${LATE}&order=desc&limit=20`);
    const stored = [...new Set(rows.map((row) => new Date(row.time).toISOString().replace('T', ' ').replace('Z', ' UTC')))];
    await page.evaluate(`document.getElementById('canvas').focus()`);
    const walked = [];
    for (let i = 0; i < stored.length; i += 1) {
      await page.press('ArrowLeft');
      await sleep(150);
      walked.push(await page.evaluate(`document.querySelector('#tip div').textContent`));
    }
    await page.evaluate('document.activeElement.blur()');
    await choose(page, DEVICE);
    if (walked.length < 2) return `only ${walked.length} rows are stored`;
    if (walked.join() !== stored.join()) return `the chart has ${walked.join(', ')}; the table has ${stored.join(', ')}`;
  } },
  { title: 'a hostile device name is text', needsSending: true, async run({ page, sender }) {
    const status = await sender.telemetry(HOSTILE, 0.7);
    if (status >= 400 && status < 500) return null;
    const found = await choose(page, HOSTILE);
    await sleep(1500);
    await choose(page, DEVICE);
    if (await page.evaluate(`window.__console_was_hacked !== undefined || document.querySelectorAll('main img').length > 0`)) return 'it ran as markup';
    if (!found) return 'its name is not in the list as it was sent';
  } },
  { title: 'the keyboard reaches and chooses devices', async run({ page }) {
    const chosen = await page.evaluate(`document.getElementById('device').value`);
    await page.evaluate('document.activeElement.blur()');
    const inRows = `document.activeElement.closest('#device-rows') !== null`;
    let steps = 0;
    while (steps < 60 && !await page.evaluate(inRows)) { await page.press('Tab'); steps += 1; }
    if (steps === 60) return 'sixty presses of Tab did not reach a device';
    const outline = await page.evaluate(`getComputedStyle(document.activeElement).outlineStyle`);
    if (outline === 'none') return 'the focused device has no focus mark';
    const rows = await page.evaluate(`document.querySelectorAll('#device-rows tr:not([hidden])').length`);
    if (rows < 2) return null;
    const before = await page.evaluate('document.activeElement.textContent');
    await page.evaluate(`document.querySelector('#device-rows button').focus()`);
    await page.press('ArrowDown');
    const after = await page.evaluate('document.activeElement.textContent');
    await page.press('Enter');
    if (!await page.until(`document.activeElement.getAttribute('aria-pressed') === 'true'`)) return `Enter on ${after} did not choose it (before: ${before})`;
    await choose(page, chosen);
  } },
  { title: 'the cross-hair shows values', async run({ page }) {
    await page.until(`(${inkProbe})().coloured > 150`);
    await page.evaluate(`document.getElementById('canvas').focus()`);
    await page.press('ArrowLeft');
    await page.press('ArrowLeft');
    if (!await page.until(`!document.getElementById('tip').hidden && /\\d/.test(document.querySelector('#tip td:last-child').textContent)`)) return 'no values beside it';
    await page.evaluate(`document.activeElement.blur()`);
  } },
  { title: 'every control has a name', async run({ page }) {
    const { nodes } = await page.send('Accessibility.getFullAXTree');
    const roles = new Set(['button', 'combobox', 'textbox', 'searchbox', 'link']);
    const nameless = nodes.filter((node) => !node.ignored && roles.has(node.role?.value) && !node.name?.value?.trim());
    if (nameless.length) return `${nameless.length} without, the first is a ${nameless[0].role.value}`;
  } },
  { title: 'text stands out enough in light', async run({ page }) {
    const weak = await page.evaluate(`(${contrastProbe})()`);
    if (weak.length) return weak.slice(0, 3).join(', ');
  } },
  { title: 'dark mode differs and stands out enough', async run({ page }) {
    const ground = 'getComputedStyle(document.body).backgroundColor';
    const light = await page.evaluate(ground);
    await page.media({ 'prefers-color-scheme': 'dark' });
    await sleep(300);
    const dark = await page.evaluate(ground);
    const weak = await page.evaluate(`(${contrastProbe})()`);
    await page.media({ 'prefers-color-scheme': 'light' });
    if (dark === light) return `the background stays ${light}`;
    if (weak.length) return weak.slice(0, 3).join(', ');
  } },
  { title: 'a phone shows one column without sideways scrolling', async run({ page }) {
    await page.viewport(390, 844, { scale: 2, phone: true });
    await sleep(600);
    const width = await page.evaluate('document.documentElement.scrollWidth');
    const wide = await page.evaluate(`[...document.querySelectorAll('main .card')].filter((card) => card.getBoundingClientRect().right > 391).length`);
    await page.viewport(1360, 1000);
    if (width > 390) return `the page is ${width} pixels wide on a screen of 390`;
    if (wide) return `${wide} cards reach beyond the screen`;
  } },
  { title: 'reduced motion stops the animations', async run({ page }) {
    await page.media({ 'prefers-reduced-motion': 'reduce' });
    const calm = await page.until(`document.getAnimations().every((animation) => animation.playState !== 'running')`, 5000);
    await page.media({});
    if (!calm) return 'something keeps moving';
  } },
  { title: 'frames stay short at 50 updates a second', needsSending: true, async run({ browser, page }) {
    await page.send('Page.bringToFront');
    const tries = [];
    // A busy machine makes every page slow: an empty one in the same browser is the measure then.
    while (tries.length < 3) {
      const median = await page.evaluate(`(${frameProbe})(3000)`);
      if (median < 25) return undefined;
      const empty = await browser.page();
      const baseline = await empty.evaluate(`(${frameProbe})(1000)`);
      await empty.close();
      await page.send('Page.bringToFront');
      if (median < baseline * 1.5) return undefined;
      tries.push(`${median.toFixed(1)} ms (an empty page: ${baseline.toFixed(1)} ms)`);
    }
    return `the median frames took ${tries.join(', ')}`;
  } },
  { title: 'no error reached the console', async run({ page }) {
    if (page.problems.length) return problems(page);
  } },
  { title: 'a lost connection is shown, and found again', async run({ page }) {
    const network = (offline) => page.send('Network.emulateNetworkConditions', { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
    await network(true);
    const lost = await page.until(`/retrying/.test(${text('connection')})`);
    await network(false);
    const found = await page.until(`${text('connection')} === 'Live'`);
    if (!lost) return 'the page still says that it is live';
    if (!found) return 'it did not come back';
  } },
];
