// Functions that run inside the page. They are sent as text, so each stands alone.

/** What is on the canvas: how many pixels have a real colour (the lines and dots), and a digest of all of them. */
export const inkProbe = String(() => {
  const canvas = document.getElementById('canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let coloured = 0;
  let digest = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] === 0) continue;
    const spread = Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]);
    // The letters and the grid are greyish; only the strong line is this far from grey.
    if (spread > 70) coloured += 1;
    digest = (Math.imul(digest, 31) + data[i] + i) | 0;
  }
  return { coloured, digest };
});

/** The median time between frames over a while, in milliseconds. */
export const frameProbe = String((milliseconds) => new Promise((resolve) => {
  const times = [];
  let before = performance.now();
  const end = before + milliseconds;
  const step = (now) => {
    times.push(now - before);
    before = now;
    if (now < end) requestAnimationFrame(step);
    else resolve(times.sort((a, b) => a - b)[times.length >> 1]);
  };
  requestAnimationFrame(step);
}));

/** Texts whose contrast with what lies behind them is under 4.5 (3 for large letters), as WCAG AA asks. */
export const contrastProbe = String(() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const light = ({ r, g, b }) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const groundOf = (element) => {
    for (let node = element; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.a === 1) return colour;
    }
    return { r: 255, g: 255, b: 255 };
  };
  const weak = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility() || element.closest('script, style, noscript, .hide')) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(parse(style.color)), light(groundOf(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) weak.add(`"${node.data.trim().slice(0, 30)}" has ${ratio.toFixed(2)}`);
  }
  return [...weak];
});
