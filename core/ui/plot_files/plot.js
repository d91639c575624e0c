// One chart: drawn by Plotly, answering with the outline, the clicked and hovered point, and the dragged place only.
const charts = new WeakMap();
const PAUSE = { hovered: 200, dragged: 150 }; // milliseconds between two answers of one kind
let library;

function plotly(version) {
  library ??= load(version).catch(() => {
    library = undefined; // the next chart tries again
    throw new Error("The chart could not be drawn: its drawing program did not load. Reload the page.");
  });
  return library;
}

async function load(version) {
  if (window.Plotly) return window.Plotly;
  const script = document.createElement("script");
  script.src = await kept(new URL(`../penumbra.plotly/plotly.min.js?v=${version}`, import.meta.url).href);
  await new Promise((resolve, reject) => {
    Object.assign(script, { onload: resolve, onerror: reject });
    document.head.append(script);
  });
  return window.Plotly;
}

// Streamlit serves the library without saying for how long it stays the same, so the browser would fetch its 4.5 MB for
// each page load. It is kept by version instead, where the browser keeps things: not on plain http from another machine.
async function kept(address) {
  try {
    const shelf = await caches.open("penumbra.plotly");
    if (!(await shelf.match(address))) {
      for (const older of await shelf.keys()) await shelf.delete(older);
      await shelf.add(address);
    }
    return URL.createObjectURL(await (await shelf.match(address)).blob());
  } catch {
    return address;
  }
}

// What a handle moves in the address changes in place: Back leaves the page, it does not undo a drag step by step.
const follows = new Set();
const push = history.pushState.bind(history);
history.pushState = (state, title, to) => {
  const [next, here] = [to ?? location.href, location.href].map((address) => new URL(address, location.href));
  for (const name of follows) for (const address of [next, here]) address.searchParams.delete(name);
  return next.href === here.href ? history.replaceState(state, title, to) : push(state, title, to);
};

// At most one answer a pause; the last one is never lost.
function throttled(pause, send) {
  let timer, last = 0, waiting;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (!waiting) return;
    last = performance.now();
    const [value] = waiting;
    waiting = undefined;
    send(value);
  };
  const put = (value) => {
    waiting = [value];
    timer ??= setTimeout(flush, Math.max(0, last + pause - performance.now()));
  };
  return { put, flush };
}

function outlines(graph) {
  return (graph.layout.selections ?? []).map((one) => {
    if (one.type !== "path") return [[one.x0, one.y0], [one.x1, one.y0], [one.x1, one.y1], [one.x0, one.y1]];
    return one.path.replace(/[MZ]/g, " ").trim().split("L").map((pair) => pair.split(",").map(Number));
  });
}

class Chart {
  constructor(root) {
    this.root = root;
    [this.graph, this.handle, this.cursor, this.spoken] = ["drawing", "handle", "cursor", "spoken"].map((name) => root.querySelector(`.${name}`));
    this.hovered = throttled(PAUSE.hovered, (value) => this.tell("hovered", value));
    this.dragged = throttled(PAUSE.dragged, (value) => this.tell("dragged", value));
    this.resized = new ResizeObserver(() => this.drawn && this.root.offsetWidth && this.Plotly.Plots.resize(this.graph));
    this.resized.observe(root);
    this.listenToHandle();
    this.graph.addEventListener("keydown", (event) => this.step(event));
    this.graph.addEventListener("blur", () => (this.cursor.hidden = true));
  }

  tell(name, value) {
    if (name === "dragged") this.told = value;
    const { stamp, release } = this.data; // an outline that was let go of may be drawn again, the same to the pixel
    this.setStateValue(name, name === "dragged" || value === null ? value : { stamp, release, value });
  }

  async update({ data: [data], setStateValue }) {
    const before = this.data;
    if (before && before.stamp !== data.stamp) [this.index, this.cursor.hidden] = [undefined, true];
    Object.assign(this, { data, setStateValue });
    if (data.handle?.follows) follows.add(data.handle.follows);
    const released = before !== undefined && before.release !== data.release; // another selection took its place
    if (before?.figure !== data.figure || before?.select !== data.select || released) await this.draw(released);
    this.graph.setAttribute("aria-label", data.alt);
    this.graph.setAttribute("role", data.select ? "application" : "figure"); // no "img": the tool buttons are inside
    const answered = this.told === undefined || data.handle?.echo === this.told; // not about an older place
    if (data.handle && this.grabbed === undefined && (answered || this.x === undefined)) this.x = data.handle.x;
    this.place();
  }

  async draw(released = false) {
    this.Plotly = await plotly(this.data.library);
    const figure = JSON.parse(this.data.figure);
    const touch = matchMedia("(pointer: coarse)").matches; // a finger that scrolls must not draw an outline
    const layout = figure.layout;
    layout.font = { ...layout.font, family: getComputedStyle(this.root).fontFamily };
    layout.uirevision = this.data.stamp; // recolouring keeps lasso and zoom, other points do not
    layout.selectionrevision = `${this.data.stamp} ${this.data.release}`;
    if (this.drawnFor === this.data.stamp) {
      layout.selections = released ? [] : this.graph.layout.selections;
      for (const axis of ["xaxis", "yaxis"]) { // a zoom of axes that are tied to each other is lost otherwise
        const { range, autorange } = this.graph.layout[axis] ?? {};
        if (this.zoomed && range && !autorange) Object.assign(layout[axis], { range: [...range], autorange: false });
      }
      if (!released) figure.data.forEach((trace, index) => (trace.selectedpoints = this.graph.data[index]?.selectedpoints));
    } else if (this.drawn) layout.selections = [];
    layout.dragmode ??= touch ? false : this.data.select ? "lasso" : "zoom";
    layout.newselection = { line: { color: layout.font.color, width: 2, dash: "solid" } };
    layout.modebar = { bgcolor: "rgba(0,0,0,0)", ...layout.modebar };
    layout.autosize = true;
    const outline = this.data.select ? [] : ["select2d", "lasso2d"];
    this.drawnFor = this.data.stamp;
    await this.Plotly.react(this.graph, figure.data, layout, {
      displaylogo: false,
      displayModeBar: touch ? true : "hover",
      scrollZoom: false,
      plotlyServerURL: "", // nothing leaves this machine: no button that uploads the chart
      modeBarButtonsToRemove: ["toImage", "autoScale2d", "sendChartToCloud", "sendDataToCloud", ...outline],
      modeBarButtonsToAdd: ["png", "svg"].map((format) => ({
        name: format,
        title: `Download ${format.toUpperCase()}`,
        icon: this.Plotly.Icons[format === "png" ? "camera" : "disk"],
        click: () => this.download(format),
      })),
    });
    if (!this.drawn) this.listenToGraph();
    this.drawn = true;
    this.reachable();
  }

  listenToGraph() {
    this.graph.on("plotly_selected", () => this.tell("outlines", this.data.select ? outlines(this.graph) : []));
    this.graph.on("plotly_deselect", () => this.tell("outlines", []));
    this.graph.on("plotly_click", ({ points: [point] }) => this.data.select && this.tell("clicked", [point.curveNumber, point.pointNumber]));
    this.graph.on("plotly_hover", ({ points: [point] }) => this.data.hover && this.hovered.put([point.curveNumber, point.pointNumber]));
    this.graph.on("plotly_unhover", () => this.data.hover && this.hovered.put(null));
    this.graph.on("plotly_relayout", (change) => {
      const names = Object.keys(change);
      if (names.some((name) => name.includes("autorange"))) this.zoomed = false;
      else if (names.some((name) => name.includes("axis.range"))) this.zoomed = true;
    });
    this.graph.on("plotly_afterplot", () => this.place());
  }

  reachable() {
    for (const button of this.graph.querySelectorAll(".modebar-btn")) button.setAttribute("aria-label", button.dataset.title ?? "");
  }

  async download(format) {
    const { data, layout } = this.graph;
    const ground = getComputedStyle(this.root).getPropertyValue("--st-background-color").trim() || "#fff";
    const size = { width: this.graph.offsetWidth, height: this.graph.offsetHeight };
    await this.Plotly.downloadImage({ data, layout: { ...layout, paper_bgcolor: ground } }, { format, ...size, scale: format === "png" ? 2 : 1, filename: this.data.name });
  }

  // ---- the operating point ----

  limits() {
    const { low, high } = this.data.handle;
    return (x) => Math.min(high, Math.max(low, x));
  }

  place() {
    const wanted = this.data.handle;
    this.handle.hidden = !wanted || !this.drawn;
    if (this.handle.hidden) return;
    const { xaxis, yaxis } = this.graph._fullLayout;
    const left = xaxis._offset + xaxis.l2p(this.x);
    const shown = `${this.x.toFixed(wanted.digits)}${wanted.unit}`;
    Object.assign(this.handle.style, { left: `${left}px`, top: `${yaxis._offset}px`, height: `${yaxis._length}px` });
    this.handle.hidden = left < xaxis._offset - 1 || left > xaxis._offset + xaxis._length + 1; // zoomed away
    this.handle.classList.toggle("leftward", left > xaxis._offset + xaxis._length * 0.6);
    this.handle.querySelector(".value").textContent = wanted.says && this.x === wanted.x ? wanted.says : shown;
    const spoken = { label: wanted.name, valuemin: wanted.low, valuemax: wanted.high, valuenow: this.x, valuetext: shown, orientation: "horizontal" };
    for (const [name, value] of Object.entries(spoken)) this.handle.setAttribute(`aria-${name}`, value);
  }

  move(x, { now = false } = {}) {
    this.x = Number(this.limits()(x).toPrecision(12));
    this.told = this.x;
    this.place();
    this.dragged.put(this.x);
    if (now) this.dragged.flush();
  }

  listenToHandle() {
    const knob = this.handle;
    knob.addEventListener("pointerdown", (event) => {
      this.grabbed = event.clientX - knob.getBoundingClientRect().left - 14;
      knob.setPointerCapture(event.pointerId);
      event.preventDefault();
      knob.focus({ preventScroll: true });
    });
    knob.addEventListener("pointermove", (event) => {
      if (this.grabbed === undefined) return;
      const { xaxis } = this.graph._fullLayout;
      const { step } = this.data.handle;
      const at = xaxis.p2l(event.clientX - this.grabbed - this.graph.getBoundingClientRect().left - xaxis._offset);
      this.move(Math.round(at / step) * step);
    });
    const release = () => {
      if (this.grabbed === undefined) return;
      this.grabbed = undefined;
      this.dragged.flush();
    };
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) knob.addEventListener(name, release);
    knob.addEventListener("keydown", (event) => {
      const { step, low, high } = this.data.handle;
      const [start, end] = this.graph._fullLayout.xaxis.range;
      const right = start > end ? -1 : 1; // on an axis that falls, an arrow still moves the line to where it points
      const far = { ArrowRight: right, ArrowUp: 1, ArrowLeft: -right, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
      const to = far ? (Math.round(this.x / step) + far) * step : { Home: low, End: high }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.move(to);
    });
  }

  // ---- points by keyboard ----

  places(trace) {
    const { xaxis, yaxis } = this.graph._fullLayout;
    const { x, y } = this.graph._fullData[trace]; // decoded by Plotly
    return { count: x.length, at: (index) => [xaxis._offset + xaxis.l2p(x[index]), yaxis._offset + yaxis.l2p(y[index])] };
  }

  step(event) {
    if (!this.data.select || event.target !== this.graph) return;
    const away = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Enter" && this.index !== undefined) this.tell("clicked", [0, this.index]);
    else if (event.key === "Escape") this.Plotly.relayout(this.graph, { selections: [] }).then(() => this.Plotly.restyle(this.graph, { selectedpoints: [null] })).then(() => this.tell("outlines", []));
    else if (away) this.walk(away);
    else return;
    event.preventDefault();
  }

  walk([dx, dy]) {
    const { count, at } = this.places(0);
    if (!count) return;
    const start = this.index === undefined ? [this.graph.offsetWidth / 2, this.graph.offsetHeight / 2] : at(this.index);
    let best = this.index, cost = Infinity;
    for (let index = 0; index < count; index += 1) {
      const [x, y] = at(index);
      const ahead = (x - start[0]) * dx + (y - start[1]) * dy;
      const aside = Math.abs((x - start[0]) * dy) + Math.abs((y - start[1]) * dx);
      const price = this.index === undefined ? Math.hypot(ahead, aside) : ahead > 1 && aside <= ahead ? ahead + 2 * aside : Infinity;
      if (price < cost) [best, cost] = [index, price];
    }
    if (best === undefined) return;
    this.index = best;
    const [left, top] = at(best);
    Object.assign(this.cursor.style, { left: `${left}px`, top: `${top}px` });
    this.cursor.hidden = false;
    this.spoken.textContent = `Point ${best + 1} of ${count}. Enter picks it.`;
    if (this.data.hover) this.hovered.put([0, best]);
  }

  end() {
    this.resized.disconnect();
    if (this.drawn) this.Plotly.purge(this.graph);
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".penumbra-plot");
  if (!charts.has(root)) charts.set(root, new Chart(root));
  const chart = charts.get(root);
  chart.turn = (chart.turn ?? Promise.resolve())
    .then(() => chart.update(component))
    .catch((error) => (chart.spoken.classList.remove("spoken"), (chart.spoken.textContent = error.message)));
  return () => setTimeout(() => root.isConnected || (charts.delete(root), chart.end()), 0);
}
