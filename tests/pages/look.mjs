// Opens pages in a real browser, light and dark, wide and as narrow as a phone, and on paper. Fails on anything in the
// console, on any request but the page's own, on a link that leads nowhere, on a first screen without the verdict, and on what
// axe-core finds. Keeps a picture of each look, and of its first screen.
//
//   node look.mjs OUT BROWSER NAME=PAGE...
import { createRequire } from "node:module";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

// What they need lies where it was installed, not beside this file.
const require = createRequire(resolve(process.env.PAGES_TOOLS ?? ".", "package.json"));
const puppeteer = require("puppeteer-core").default ?? require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [out, browserPath, ...given] = process.argv.slice(2);
const pages = given.map((word) => word.split(/=(.*)/s).slice(0, 2));
if (!out || !browserPath || pages.length === 0 || pages.some((page) => page.length < 2)) {
  console.error("usage: node look.mjs OUT BROWSER NAME=PAGE...");
  process.exit(2);
}
const looks = [];
for (const scheme of ["light", "dark"]) {
  for (const width of [375, 768, 1440]) looks.push({ scheme, width, name: `${scheme}-${width}` });
}

const browser = await puppeteer.launch({
  executablePath: browserPath,
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"],
});
// Six screens of 900 px.
const limits = { nights: 5400 };
let failed = 0;

async function look(name, file, { scheme, width, name: how }) {
  const wrong = [];
  const url = pathToFileURL(resolve(file)).href;
  const page = await browser.newPage();
  page.on("console", (line) => wrong.push(`console: ${line.type()}: ${line.text()}`));
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const asked = request.url();
    if (asked !== url && !asked.startsWith("data:")) wrong.push(`it fetches ${asked}`);
  });
  // The page's own rule is that nothing runs in it: axe is put in past that.
  await page.setBypassCSP(true);
  await page.setViewport({ width, height: 900, isMobile: width < 500, hasTouch: width < 500 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.goto(url, { waitUntil: "load" });
  // The answer comes first: the verdict, and where ratios are drawn at least the first of them, without scrolling.
  const first = await page.evaluate(() => {
    const below = (what) => {
      const box = document.querySelector(what)?.getBoundingClientRect();
      // On a phone two warnings may push the first ratio a thumb's width below the edge.
      const room = innerWidth < 500 ? innerHeight * 1.1 : innerHeight;
      return box && box.bottom > room ? `${what} ends at ${Math.round(box.bottom)} px` : undefined;
    };
    if (!document.querySelector(".lead")?.textContent.trim()) return ["no verdict"];
    // Of three targets and more, the sentences take the screen.
    const ratios = document.querySelectorAll(".lead").length === 1 ? below(".forest tbody tr") : undefined;
    return [below(".lead"), ratios].filter((wrong) => wrong);
  });
  for (const what of first) wrong.push(`not on the first screen: ${what}`);
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  const most = limits[name];
  if (most && width > 1000 && height > most) wrong.push(`it is ${height} px tall, and may be ${most}`);
  await page.screenshot({ path: join(out, `${name}-${how}-first.png`) });
  const links = await page.$$eval("a[href]", (all) => all.map((one) => one.getAttribute("href")));
  const anchors = new Set(await page.$$eval("[id]", (all) => all.map((one) => one.id)));
  for (const link of new Set(links)) {
    if (/^[a-z]+:/.test(link)) continue;
    const [path, anchor] = link.split("#");
    const there = path ? existsSync(resolve(dirname(file), decodeURIComponent(path))) : anchors.has(anchor);
    if (!there) wrong.push(`a link leads nowhere: ${link}`);
  }
  // What is folded is looked at, too.
  const folded = await page.$$eval("details", (all) => all.map((one) => ((one.open = true), one.open)).length);
  await page.evaluate(axe);
  const told = await page.evaluate(() =>
    globalThis.axe.run(document, {
      resultTypes: ["violations"],
      runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] },
    }),
  );
  for (const { id, help, nodes } of told.violations) {
    const where = nodes.slice(0, 3).map((node) => `${node.target.join(" ")}: ${node.any?.[0]?.message ?? ""}`);
    wrong.push(`axe: ${id}: ${help} (${nodes.length}): ${where.join("; ")}`);
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) wrong.push(`it is ${wide} px wider than the window`);
  const cut = await page.evaluate(() => {
    const words = [...document.querySelectorAll("svg text")].filter((word) => {
      const box = word.getBoundingClientRect();
      return box.width > 0 && (box.left < -0.5 || box.right > innerWidth + 0.5);
    });
    return words.map((word) => word.textContent);
  });
  if (cut.length > 0) wrong.push(`words of a drawing are cut off: ${cut.slice(0, 5).join(", ")}`);
  await page.screenshot({ path: join(out, `${name}-${how}.png`), fullPage: true });
  if (how === "light-1440") {
    await page.$$eval("details", (all) => all.forEach((one) => (one.open = false)));
    await page.pdf({ path: join(out, `${name}.pdf`), format: "A4", printBackground: true, preferCSSPageSize: true });
  }
  await page.close();
  console.log(`${wrong.length === 0 ? "ok     " : "FAILED "} ${name} ${how}, ${height} px${folded ? `, ${folded} folds opened` : ""}`);
  for (const why of wrong) console.log(`          ${why}`);
  failed += wrong.length;
}

try {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const [name, file] of pages) for (const how of looks) await look(name, file, how);
} finally {
  await browser.close();
}
console.log(`pictures: ${out}`);
process.exit(failed === 0 ? 0 : 1);
