// Drives a headless Chromium over its DevTools protocol, through a pipe: no port, no package.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PATIENCE = 60_000;

export class Chromium {
  #process;
  #folder;
  #answers = new Map();
  #listeners = new Set();
  #next = 1;
  #rest = Buffer.alloc(0);

  static async start() {
    const browser = new Chromium();
    browser.#folder = await mkdtemp(join(tmpdir(), "tlsdebug-chromium-"));
    // The sandbox needs user namespaces or a setuid helper, which root in a container does not have; the pages are our own.
    const options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync", `--user-data-dir=${browser.#folder}`,
      "--remote-debugging-pipe", "about:blank"];
    browser.#process = spawn(process.env.CHROMIUM ?? "chromium", options, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    browser.#process.on("error", (error) => browser.#end(error));
    browser.#process.on("exit", () => browser.#end(new Error("Chromium has ended")));
    browser.#process.stdio[3].on("error", () => {});
    browser.#process.stdio[4].on("data", (bytes) => browser.#take(bytes));
    await browser.send("Browser.getVersion");
    return browser;
  }

  #end(error) {
    for (const { reject } of this.#answers.values()) reject(error);
    this.#answers.clear();
  }

  #take(bytes) {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (let end = this.#rest.indexOf(0); end >= 0; end = this.#rest.indexOf(0)) {
      const message = JSON.parse(this.#rest.subarray(0, end).toString());
      this.#rest = this.#rest.subarray(end + 1);
      if (message.id === undefined) {
        for (const listener of this.#listeners) listener(message);
        continue;
      }
      const { resolve, reject } = this.#answers.get(message.id) ?? {};
      this.#answers.delete(message.id);
      if (message.error) reject?.(new Error(`${message.error.message} ${message.error.data ?? ""}`));
      else resolve?.(message.result);
    }
  }

  send(method, params = {}, sessionId) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: no answer within ${PATIENCE} ms`)), PATIENCE);
      const settle = (how) => (value) => {
        clearTimeout(timer);
        how(value);
      };
      this.#answers.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  on(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  // Opens a page of its own; what it requests and what it logs is kept.
  async open(url, { width = 1440, height = 900, dark = false, script = true } = {}) {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId, targetId);
    await page.prepare(width, height, dark, script);
    await page.go(url);
    return page;
  }

  async stop() {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    await this.send("Browser.close").catch(() => {});
    if (this.#process.exitCode === null) await ended;
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Page {
  requests = [];
  complaints = [];

  constructor(browser, session, target) {
    Object.assign(this, { browser, session, target });
    this.forget = browser.on((message) => message.sessionId === session && this.hear(message));
  }

  send(method, params) {
    return this.browser.send(method, params, this.session);
  }

  hear({ method, params }) {
    if (method === "Network.requestWillBeSent") this.requests.push(params.request.url);
    if (method === "Runtime.exceptionThrown") this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === "Log.entryAdded" && params.entry.level === "error") this.complaints.push(params.entry.text);
  }

  async prepare(width, height, dark, script) {
    for (const domain of ["Page", "Network", "Runtime", "Log", "Accessibility", "DOM"]) await this.send(`${domain}.enable`);
    await this.size(width, height);
    await this.dark(dark);
    if (!script) await this.send("Emulation.setScriptExecutionDisabled", { value: true });
  }

  async go(url) {
    const loaded = new Promise((resolve) => {
      const forget = this.browser.on(({ sessionId, method }) => {
        if (sessionId === this.session && method === "Page.loadEventFired") {
          forget();
          resolve();
        }
      });
    });
    await this.send("Page.navigate", { url });
    await loaded;
  }

  size(width, height = 900) {
    return this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
  }

  dark(on) {
    return this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: on ? "dark" : "light" }] });
  }

  // The value of an expression in the page, awaited.
  async value(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  // Waits until an expression holds, looking at every frame.
  until(expression) {
    return this.value(`new Promise((resolve, reject) => {
      const end = performance.now() + 20000;
      const look = () => (${expression}) ? resolve(true) : performance.now() > end ? reject(new Error("in vain: " + ${JSON.stringify(expression)})) : requestAnimationFrame(look);
      look();
    })`);
  }

  async key(key, modifiers = 0) {
    const known = { Tab: 9, Enter: 13, Escape: 27, " ": 32, ArrowRight: 39, ArrowLeft: 37, Home: 36, End: 35 };
    const text = key === "Enter" ? "\r" : key.length === 1 ? key : undefined;
    const event = { key, code: key === " " ? "Space" : key, text, modifiers, windowsVirtualKeyCode: known[key] ?? key.toUpperCase().charCodeAt(0) };
    await this.send("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", ...event });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event, text: undefined });
  }

  async type(text) {
    await this.send("Input.insertText", { text });
  }

  async drag(from, to) {
    const mouse = (type, [x, y], buttons) => this.send("Input.dispatchMouseEvent", { type, x, y, button: "left", buttons, clickCount: 1 });
    await mouse("mousePressed", from, 1);
    await mouse("mouseMoved", [(from[0] + to[0]) / 2, to[1]], 1);
    await mouse("mouseMoved", to, 1);
    await mouse("mouseReleased", to, 0);
  }

  async screenshot({ whole = true } = {}) {
    const { data } = await this.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: whole });
    return Buffer.from(data, "base64");
  }

  async paper() {
    const { data } = await this.send("Page.printToPDF", { printBackground: false, preferCSSPageSize: true, paperWidth: 8.27, paperHeight: 11.69 });
    return Buffer.from(data, "base64");
  }

  async close() {
    this.forget();
    await this.browser.send("Target.closeTarget", { targetId: this.target });
  }
}
