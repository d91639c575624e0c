// The microphone in chunks: raw samples at the sound card's own rate, one message in flight, the oldest given up first.
const ears = new WeakMap();
const KEPT = 6; // seconds that wait for an answer at most
const PATIENCE = 3000; // milliseconds after which a message counts as lost
const CAPTURE = `registerProcessor("penumbra-capture", class extends AudioWorkletProcessor {
  constructor({ processorOptions: { size } }) {
    super();
    this.block = new Float32Array(size);
    this.filled = 0;
  }
  process([channels]) {
    if (!channels.length) return true;
    for (let at = 0; at < channels[0].length; at += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[at];
      this.block[this.filled++] = sum / channels.length;
      if (this.filled === this.block.length) {
        this.port.postMessage(this.block);
        this.filled = 0;
      }
    }
    return true;
  }
})`;

function text(samples) {
  const levels = new Int16Array(samples.length);
  for (let at = 0; at < samples.length; at += 1) levels[at] = Math.round(Math.max(-1, Math.min(1, samples[at])) * 32767);
  const bytes = new Uint8Array(levels.buffer); // every machine with a browser stores the low byte first
  let found = "";
  for (let at = 0; at < bytes.length; at += 8192) found += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(found);
}

function reason(error) {
  if (["NotAllowedError", "SecurityError"].includes(error.name)) return "denied";
  if (["NotFoundError", "OverconstrainedError"].includes(error.name)) return "missing";
  return error.name === "NotReadableError" ? "busy" : "other";
}

class Ear {
  constructor(root) {
    this.root = root;
    [this.level, this.spoken] = ["level", "spoken"].map((name) => root.querySelector(`.${name}`));
    this.run = 0;
  }

  update({ data: [{ run, chunk, ack }], setStateValue }) {
    this.tell = setStateValue;
    if (run !== this.run) {
      this.end();
      this.run = run;
      if (run) this.begin(run, chunk);
      return;
    }
    if (ack > this.first) {
      this.samples.splice(0, Math.min(this.samples.length, Math.round((ack - this.first) / this.size)));
      this.first = ack;
    }
    if (this.sent !== undefined && ack >= this.sent) {
      this.sent = undefined;
      this.send();
    }
  }

  async begin(run, chunk) {
    Object.assign(this, { samples: [], first: 0, sent: undefined });
    this.say("Waiting for the microphone");
    try {
      if (!navigator.mediaDevices?.getUserMedia) throw Object.assign(new Error(), { name: "insecure" });
      const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      const stream = await navigator.mediaDevices.getUserMedia({ audio: plain });
      if (run !== this.run) return stream.getTracks().forEach((track) => track.stop());
      this.stream = stream;
      const [track] = stream.getAudioTracks();
      const { sampleRate } = track.getSettings(); // what the microphone gives; where the browser does not tell, its own
      this.context = new AudioContext(sampleRate ? { sampleRate } : {});
      this.size = Math.round((this.context.sampleRate * chunk) / 4); // a message holds whole quarters
      const address = URL.createObjectURL(new Blob([CAPTURE], { type: "text/javascript" }));
      await this.context.audioWorklet.addModule(address);
      URL.revokeObjectURL(address);
      if (run !== this.run) return this.end();
      const node = new AudioWorkletNode(this.context, "penumbra-capture", { numberOfOutputs: 0, processorOptions: { size: this.size } });
      node.port.onmessage = ({ data }) => run === this.run && this.hear(data);
      this.context.createMediaStreamSource(stream).connect(node);
      track.onended = () => run === this.run && this.fail("gone");
      await this.context.resume();
      this.say(`The microphone is on, at ${this.context.sampleRate / 1000} kHz`);
    } catch (error) {
      if (run === this.run) this.fail(error.name === "insecure" ? "insecure" : reason(error));
    }
  }

  hear(block) {
    this.samples.push(block);
    const most = Math.ceil((KEPT * this.context.sampleRate) / this.size);
    while (this.samples.length > most) {
      this.samples.shift();
      this.first += this.size;
    }
    const loud = Math.sqrt(block.reduce((sum, value) => sum + value * value, 0) / block.length);
    const share = Math.max(0, Math.min(1, 1 + Math.log10(Math.max(loud, 1e-6)) / 3)); // -60 dB to full scale
    this.level.style.width = `${Math.round(100 * share)}%`;
    this.send();
  }

  send() {
    if (this.samples.length < 4) return;
    const now = performance.now();
    if (this.sent !== undefined && now - this.sentAt < PATIENCE) return;
    const joined = new Float32Array(this.samples.length * this.size);
    this.samples.forEach((block, place) => joined.set(block, place * this.size));
    [this.sent, this.sentAt] = [this.first + joined.length, now];
    this.tell("heard", { run: this.run, first: this.first, rate: this.context.sampleRate, pcm: text(joined) });
  }

  fail(code) {
    const run = this.run;
    this.end();
    this.run = run; // until the server says otherwise
    this.say("The microphone is off");
    this.tell("trouble", { run, code });
  }

  say(words) {
    this.spoken.textContent = words;
  }

  end() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.context?.close();
    [this.stream, this.context, this.run] = [undefined, undefined, 0];
    this.level.style.width = "0";
    this.say("The microphone is off");
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".penumbra-microphone");
  if (!ears.has(root)) ears.set(root, new Ear(root));
  const ear = ears.get(root);
  ear.update(component);
  return () => setTimeout(() => root.isConnected || (ears.delete(root), ear.end()), 0); // leaving the page ends it
}
