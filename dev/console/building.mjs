// A simulated building for the mock server: thermometers whose events become rows the way the temperature template
// makes them. It is a stand-in for a running instance, so that the console can be worked on without one.

const MINUTE = 60_000;
const KEPT_ROWS = 20_000;

/** Thermometer names by floor; `count` of them, each with its own habits. */
function rooms(count) {
  const floors = ['cellar', 'hall', 'lab', 'office', 'roof'];
  return Array.from({ length: count }, (_, i) => `${floors[i % 5]}-${String(Math.floor(i / 5) + 1).padStart(count > 100 ? 3 : 2, '0')}`);
}

const HOSTILE = [
  '<img src=x onerror="window.__console_was_hacked=1">',
  '"><script>window.__console_was_hacked=2</script>',
  '__proto__', 'constructor', 'a/b?c#d&e=f', "'; DROP TABLE devices; --", 'rtl-\u202Egnp.exe', '温度計-1', '🌡️', ' ',
  'long-' + 'x'.repeat(240),
];

export class Building {
  constructor({ devices = 20, rate = 1, hostile = false, empty = false, seed = 7 } = {}) {
    this.random = generator(seed);
    this.startedAt = Date.now();
    this.rate = rate;
    this.devices = new Map();
    this.rows = [];
    this.rowTotal = 0;
    this.rejections = [];
    this.rejectedTotal = 0;
    this.late = 0;
    this.early = 0;
    this.offset = 0;
    this.recent = [];
    this.listeners = new Set();
    this.sensors = empty ? [] : rooms(devices).map((id, i) => this.sensor(id, i, devices));
    if (hostile) this.sensors.push(...HOSTILE.map((id, i) => this.sensor(id, 100 + i, 1000)));
    if (!empty) this.past(devices > 100 ? MINUTE : 16 * MINUTE);
  }

  sensor(id, i, total) {
    const special = total >= 10 && total <= 100;
    return {
      id, base: 20 + (i % 7) * 0.7, phase: this.random() * 6.28, people: 0,
      clock: special && i === 1 ? 86_400_000 : (this.random() - 0.5) * 400,
      drifts: special && i === 2, silentAfter: special && i === 5 ? Date.now() - 4 * MINUTE : Infinity,
    };
  }

  /** Fills the tables with what would have come before, so that a chart has a past. */
  past(milliseconds) {
    const now = Date.now();
    const step = 1000;
    for (let t = now - milliseconds; t < now; t += step) {
      // A pause of a minute shows a gap in the charts.
      if (t > now - 9 * MINUTE && t < now - 8 * MINUTE) continue;
      for (const sensor of this.sensors) this.measure(sensor, t + this.random() * 200);
    }
    this.startedAt = now - milliseconds;
    this.recent.length = 0;
  }

  start() {
    const interval = 1000 / this.rate;
    // Each device has its own moment within the interval, as real ones do.
    for (const sensor of this.sensors) sensor.next = Date.now() + this.random() * interval;
    this.timer = setInterval(() => {
      const now = Date.now();
      for (const sensor of this.sensors) {
        for (; sensor.next <= now; sensor.next += interval) this.measure(sensor, sensor.next);
      }
      if (this.sensors.length && this.random() < 0.001) this.trouble(now);
    }, 20);
  }
  stop() { clearInterval(this.timer); }

  measure(sensor, t) {
    if (t > sensor.silentAfter) return;
    if (this.random() < 0.003) sensor.people = 1.6;
    sensor.people *= 0.97;
    const slow = Math.sin(t / 190_000 + sensor.phase) * 0.8 + Math.sin(t / 41_000 + sensor.phase) * 0.25;
    const drift = sensor.drifts ? ((t - this.startedAt) / MINUTE) * 0.1 : 0;
    const celsius = sensor.base + slow + sensor.people + drift + (this.random() + this.random() - 1) * 0.5;
    const body = { deviceId: sensor.id, timestamp: new Date(t + sensor.clock).toISOString(), voltage: round(celsius / 100 + 0.5, 5) };
    this.accept(sensor.id, body, t);
  }

  /** Takes one event as the gateway would: stores it, runs the function, tells the listeners. */
  accept(id, body, now = Date.now()) {
    const eventTime = Date.parse(body.timestamp);
    if (typeof body.voltage !== 'number') return this.reject('undecodable', id, `field voltage: found ${typeof body.voltage}, expected a number`, now);
    const device = this.devices.get(id) ?? { id, stream: 'telemetry', events: 0, window: [] };
    this.devices.set(id, device);
    const offset = Number.isFinite(eventTime) ? (eventTime - now) / 1000 : null;
    Object.assign(device, { lastSeen: now, lastEventTime: eventTime, clockOffsetSeconds: offset, lastBody: body });
    device.events += 1;
    const record = { partition: this.offset % 4, offset: this.offset, enqueued: new Date(now).toISOString(), key: id, body };
    this.offset += 1;
    this.recent.push(now);
    this.tell('telemetry', id, record);
    let time = Number.isFinite(eventTime) ? eventTime : now;
    if (offset > 300) { time = now; this.early += 1; if (this.early % 30 === 1) this.log('early', id, `event time is ${Math.round(offset)} s ahead, early: 300 s; adjusted`, now); }
    if (offset < -5) { time = now - 5000; this.late += 1; this.log('late', id, `event time is ${Math.round(-offset)} s behind, late: 5 s; adjusted`, now); }
    this.store(device, time, (body.voltage - 0.5) * 100);
    return true;
  }

  store(device, time, celsius) {
    device.window.push({ time, celsius });
    while (device.window.length > 1 && device.window[0].time <= time - MINUTE) device.window.shift();
    const smoothed = device.window.reduce((total, point) => total + point.celsius, 0) / device.window.length;
    const row = { deviceId: device.id, time: new Date(time).toISOString(), celsius: round(celsius, 4), smoothed: round(smoothed, 4) };
    this.rows.push(row);
    this.rowTotal += 1;
    if (this.rows.length > KEPT_ROWS * 2) this.rows.splice(0, KEPT_ROWS);
    this.tell('temperature', device.id, row);
  }

  reject(kind, device, reason, now = Date.now()) {
    this.rejectedTotal += 1;
    this.log(kind, device, reason, now);
    return false;
  }
  log(kind, device, reason, now) {
    const isFunction = kind === 'late' || kind === 'early';
    this.rejections.unshift({
      time: new Date(now).toISOString(), kind, stream: 'telemetry', function: isFunction ? 'temperature' : null, device, reason,
    });
    this.rejections.length = Math.min(this.rejections.length, 1000);
  }
  trouble(now) {
    const { id } = this.sensors[Math.floor(this.random() * this.sensors.length)];
    if (this.random() < 0.5) this.reject('rejected', id, 'element 1, byte 38: expected a value, found "}"', now);
    else this.accept(id, { deviceId: id, timestamp: new Date(now - 40_000).toISOString(), voltage: 0.72 }, now);
  }

  tell(name, key, row) { for (const listener of this.listeners) listener(name, key, row); }
  eventsPerSecond(now = Date.now()) {
    while (this.recent.length && this.recent[0] < now - 4000) this.recent.shift();
    return this.recent.length / 4;
  }
}

const round = (value, digits) => Number(value.toFixed(digits));

/** A small repeatable random generator (mulberry32), so that a picture can be taken again. */
function generator(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
