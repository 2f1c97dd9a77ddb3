// A picture of the top of a page: picture.mjs PAGE PICTURE WIDTH HEIGHT.
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { Chromium } from "./chromium.mjs";

const [file, picture, width, height] = process.argv.slice(2);
const browser = await Chromium.start();
try {
  const page = await browser.open(pathToFileURL(resolve(file)).href, { width: Number(width), height: Number(height) });
  const whole = await page.value("document.body.offsetHeight");
  const clip = { x: 0, y: 0, width: Number(width), height: Math.min(whole, Number(height)), scale: 1 };
  const { data } = await page.send("Page.captureScreenshot", { clip });
  await writeFile(picture, Buffer.from(data, "base64"));
} finally {
  await browser.stop();
}
