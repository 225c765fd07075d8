// SPDX-License-Identifier: MIT
// One film on a stage: window and level, zoom and pan by pointer, touch and keys, heat map on top.

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const packed = (red, green, blue, alpha) => (alpha << 24) | (blue << 16) | (green << 8) | red;

// Value of a heat map -> colour on the screen, from clear over orange to red, as page.css has it.
const HEATS = Uint32Array.from({ length: 256 }, (_, value) => packed(255, 200 - 0.7 * value, 0, value ** 2 / 255));

// Decodes a grey picture: its size and its greys.
async function greys(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const colours = context.getImageData(0, 0, width, height).data;
  return { width, height, values: Uint8Array.from({ length: width * height }, (_, at) => colours[4 * at]) };
}

function paint(canvas, { width, height, values }, table) {
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let at = 0; at < values.length; at++) pixels[at] = table[values[at]];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

export class Viewer {
  // `changed(viewer)` is called after every change of the view.
  constructor(stage, changed) {
    [this.sheet, this.film, this.heat] = ["sheet", "film", "heat"].map((id) => document.getElementById(id));
    Object.assign(this, { stage, changed, pointers: new Map(), picture: null });
    this.tool = matchMedia("(pointer: coarse)").matches ? "pan" : "window";
    this.reset();
    new ResizeObserver(() => this.place()).observe(stage);
    const does = { wheel: this.wheel, pointerdown: this.press, pointermove: this.drag, keydown: this.key };
    Object.assign(does, { dblclick: this.reset, lostpointercapture: ({ pointerId }) => this.pointers.delete(pointerId) });
    for (const [kind, work] of Object.entries(does)) stage.addEventListener(kind, work.bind(this), { passive: false });
  }

  // Shows a picture, or nothing. A later call wins over an earlier one that decodes for longer.
  async show(blob) {
    const turn = (this.turn = Symbol("turn"));
    const picture = blob && (await greys(blob));
    if (turn !== this.turn) return;
    this.sheet.hidden = !(this.picture = picture);
    this.reset();
  }

  // Lays a heat map over the film, or takes it away.
  async warm(blob) {
    const turn = (this.heatTurn = Symbol("turn"));
    const map = blob && (await greys(blob));
    if (turn !== this.heatTurn) return;
    this.heat.hidden = !map;
    if (map) paint(this.heat, map, HEATS);
  }

  // The grey at the middle of the window, and how many greys it spans.
  get window() {
    return { level: 127.5 * (1 - this.brightness / 100), width: 255 * 2 ** (-this.contrast / 25) };
  }

  reset() {
    Object.assign(this, { zoom: 1, x: 0, y: 0 });
    this.look({ brightness: 0, contrast: 0, inverted: false });
  }

  // Changes what is given of brightness, contrast, inversion and tool; paints at the next frame.
  look(change) {
    Object.assign(this, change);
    Object.assign(this, { brightness: clamp(this.brightness, -100, 100), contrast: clamp(this.contrast, -50, 100) });
    this.place();
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      const { width, level } = this.window;
      const table = Uint32Array.from({ length: 256 }, (_, value) => {
        const grey = Math.round(clamp(((value - level) / width + 0.5) * 255, 0, 255));
        const shown = this.inverted ? 255 - grey : grey;
        return packed(shown, shown, shown, 255);
      });
      if (this.picture) paint(this.film, this.picture, table);
    });
  }

  // Brings the sheet to its place: centred if it fits, else without a gap at any side.
  place() {
    const { clientWidth: wide, clientHeight: high } = this.stage;
    this.stage.dataset.tool = this.tool;
    // The browser scrolls the page by touch only where a touch changes nothing of the film.
    this.stage.classList.toggle("held", Boolean(this.picture) && (this.tool === "window" || this.zoom > 1));
    if (this.picture) {
      const fit = Math.min(wide / this.picture.width, high / this.picture.height);
      const [width, height] = [this.picture.width * fit, this.picture.height * fit];
      const within = (at, size, room) => (size <= room ? (room - size) / 2 : clamp(at, room - size, 0));
      this.x = within(this.x, width * this.zoom, wide);
      this.y = within(this.y, height * this.zoom, high);
      const transform = `translate(${this.x}px, ${this.y}px) scale(${this.zoom})`;
      Object.assign(this.sheet.style, { width: `${width}px`, height: `${height}px`, transform });
    }
    this.changed(this);
  }

  move(right, down) {
    Object.assign(this, { x: this.x + right, y: this.y + down });
    this.place();
  }

  // Zooms so that a point of the stage, by default its middle, stays where it is.
  zoomBy(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    const zoom = clamp(this.zoom * factor, 1, 12);
    const grown = zoom / this.zoom;
    this.zoom = zoom;
    this.move((x - this.x) * (1 - grown), (y - this.y) * (1 - grown));
  }

  // Where an event is, in pixels of the stage.
  at(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  wheel(event) {
    if (!this.picture) return;
    event.preventDefault();
    const { x, y } = this.at(event);
    this.zoomBy(Math.exp(-clamp(event.deltaY * (event.deltaMode ? 30 : 1), -200, 200) / 400), x, y);
  }

  press(event) {
    if (!this.picture || event.button === 2) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.at(event));
  }

  // One finger or button moves the film or changes its window, two fingers move and zoom.
  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.at(event);
    const [right, down] = [now.x - before.x, now.y - before.y];
    this.pointers.set(event.pointerId, now);
    if (this.pointers.size === 2) {
      const [, other] = [...this.pointers].find(([id]) => id !== event.pointerId);
      const far = (point) => Math.max(20, Math.hypot(point.x - other.x, point.y - other.y));
      this.zoomBy(far(now) / far(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
      this.move(right / 2, down / 2);
    } else if (this.tool === "pan" || event.shiftKey || event.buttons === 4) this.move(right, down);
    else this.look({ contrast: this.contrast + right / 4, brightness: this.brightness - down / 4 });
  }

  key(event) {
    const arrows = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] };
    if (!this.picture || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in arrows) this.move(...arrows[event.key]);
    else if ("+=-".includes(event.key)) this.zoomBy(event.key === "-" ? 0.8 : 1.25);
    else if (event.key === "0") this.reset();
    else if (event.key === "i") this.look({ inverted: !this.inverted });
    else return;
    event.preventDefault();
  }
}
