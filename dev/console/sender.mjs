// Sends telemetry of the temperature template over HTTP, as a device would.

import { Agent, request } from 'node:http';

export class Sender {
  constructor(url) {
    this.url = url;
    this.agent = new Agent({ keepAlive: true, maxSockets: 4 });
    this.sent = 0;
  }

  /** Posts one body and answers with the status code; a string is sent as it is. */
  post(path, body) {
    return new Promise((resolve, reject) => {
      const call = request(this.url + path, { method: 'POST', agent: this.agent, headers: { 'content-type': 'application/json' } }, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
      });
      call.on('error', reject);
      call.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
  }

  async get(path) { return (await fetch(this.url + path)).json(); }

  telemetry(device, voltage, time = Date.now()) {
    return this.post(`/devices/${encodeURIComponent(device)}/telemetry`, { deviceId: device, timestamp: new Date(time).toISOString(), voltage });
  }

  /** Keeps sending for one device until stopped; a slow answer skips a turn, so that events don't pile up. */
  start(device, perSecond) {
    this.stopTimer();
    let waiting = 0;
    this.timer = setInterval(async () => {
      if (waiting > 3) return;
      waiting += 1;
      const voltage = 0.72 + 0.02 * Math.sin(this.sent / 60) + 0.004 * Math.random();
      await this.telemetry(device, voltage).then(() => { this.sent += 1; }, () => {});
      waiting -= 1;
    }, 1000 / perSecond);
  }

  stopTimer() { clearInterval(this.timer); }
  stop() {
    this.stopTimer();
    this.agent.destroy();
  }
}
