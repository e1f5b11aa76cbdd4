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
// Some looks are enough while a page is made: LOOKS=light-1440,light-375.
const chosen = looks.filter((how) => !process.env.LOOKS || process.env.LOOKS.split(",").includes(how.name));

const browser = await puppeteer.launch({
  executablePath: browserPath,
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"],
});
// Six screens of 900 px.
const limits = { nights: 5400, long: 5400 };
// Pages of one run, and what has to be on each: on the first screen of a wide window, all of it.
const runs = ["classify", "generate", "open", "variants", "one", "gated"];
// Tables in which every row leads to the report behind it.
const linked = { capacity: "table.probes", sweep: "#points + .wide table", compare: "#runs + .wide table", trend: "details table" };
// What is made up has no files behind its links, and is tall.
const madeUp = ["long"];
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
      // On a phone warnings may push the first ratio a thumb's width below the edge.
      const room = innerWidth < 500 ? innerHeight * 1.15 : innerHeight;
      return box && box.bottom > room ? `${what} ends at ${Math.round(box.bottom)} px` : undefined;
    };
    if (!document.querySelector(".lead")?.textContent.trim()) return ["no verdict"];
    // Of three targets and more the matrix comes first, and what it is made of is folded.
    const ratios = below(document.querySelector("table.ratios") ? "table.ratios tbody tr" : ".forest tbody tr");
    return [below(".lead"), ratios].filter((wrong) => wrong);
  });
  for (const what of first) wrong.push(`not on the first screen: ${what}`);
  if (runs.includes(name)) {
    const lacks = await page.evaluate((alone) => {
      const wide = innerWidth > 1000;
      const all = [...document.querySelectorAll("p, .card .name")];
      const begins = (what, test, onFirst = wide) => {
        const found = all.find(test);
        if (!found) return `${what} is missing`;
        const at = Math.round(found.getBoundingClientRect().top);
        return onFirst && at >= innerHeight ? `${what} begins at ${at} px` : undefined;
      };
      const lines = (one) => one && Math.round(one.getBoundingClientRect().height / parseFloat(getComputedStyle(one).lineHeight));
      const load = document.querySelector(".load");
      const cards = [...document.querySelectorAll(".card .name")].map((one) => one.textContent);
      return [
        cards.length === 0 && "no card",
        // Three targets and more take two rows of cards.
        begins("the first card", (one) => one.matches(".card .name"), wide && cards.length < 4),
        begins("the line on fairness", (one) => one.matches(".fair") && /^(fair:|INVALID:)/.test(one.textContent), true),
        begins("the sentence on identical requests", (one) => one.textContent.startsWith("Identical requests:"), false),
        wide && lines(load) !== 1 && `the load takes ${lines(load)} lines`,
        !alone && document.querySelectorAll(".forest tbody:first-of-type tr:not(.section)").length === 0 && "no ratios",
      ].filter((what) => what);
    }, name === "one");
    for (const what of lacks) wrong.push(`of the first screen: ${what}`);
  }
  // Every page has contents, and every row that has a report behind it leads there.
  if ((await page.$$(".contents a")).length === 0) wrong.push("no contents");
  if (linked[name]) {
    const [rows, bare] = await page.$$eval(`${linked[name]} tbody tr`, (all) => [
      all.length,
      all.filter((row) => !row.querySelector('a[href$="report.html"]')).length,
    ]);
    if (rows === 0 || bare > 0) wrong.push(`${bare} of ${rows} rows lead to no report`);
  }
  const ticks = await page.evaluate(() => {
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walk.nextNode()) {
      const node = walk.currentNode;
      if (node.data.includes("`") && !node.parentElement.closest("pre")) found.push(node.data.trim().slice(0, 60));
    }
    return found;
  });
  if (ticks.length > 0) wrong.push(`backticks: ${ticks.slice(0, 3).join(" | ")}`);
  const bareHeads = await page.$$eval("h2, h3", (all) => all.filter((one) => !one.id).map((one) => one.textContent));
  if (bareHeads.length > 0) wrong.push(`headings without an anchor: ${bareHeads.slice(0, 3).join(", ")}`);
  if (name === "capacity") {
    // The last drawing has every probe: each is marked by what became of it.
    const marks = await page.evaluate(() => {
      const drawing = [...document.querySelectorAll("figure")].at(-1);
      const verdicts = [...document.querySelectorAll(".probes .verdict")].map((one) => one.textContent);
      const failed = verdicts.filter((word) => word === "fail").length;
      return {
        key: [...drawing.querySelectorAll(".mark")].map((one) => one.textContent).join(),
        crosses: drawing.querySelectorAll("g > .cross").length === failed,
        knees: [...drawing.querySelectorAll("title")].some((one) => one.textContent.includes("capacity")),
      };
    });
    if (marks.key !== "passed,failed,undecided" || !marks.crosses) wrong.push(`marks: ${JSON.stringify(marks)}`);
  }
  if (name === "sweep" && !(await page.$("#output-tokens-s-of-all-users-by-output-tokens-s-per-user"))) wrong.push("no chart of tokens per user");
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  const most = limits[name];
  if (most && width > 1000 && height > most) wrong.push(`it is ${height} px tall, and may be ${most}`);
  await page.screenshot({ path: join(out, `${name}-${how}-first.png`) });
  const links = await page.$$eval("a[href]", (all) => all.map((one) => one.getAttribute("href")));
  const anchors = new Set(await page.$$eval("[id]", (all) => all.map((one) => one.id)));
  for (const link of new Set(links)) {
    if (/^[a-z]+:/.test(link) || (madeUp.includes(name) && !link.startsWith("#"))) continue;
    const [path, anchor] = link.split("#");
    const there = path ? existsSync(resolve(dirname(file), decodeURIComponent(path))) : anchors.has(anchor);
    if (!there) wrong.push(`a link leads nowhere: ${link}`);
  }
  // What is folded is looked at, too.
  // But for a made-up page, whose folds are taller than a picture may be.
  const folds = madeUp.includes(name) ? "details.none" : "details";
  const folded = await page.$$eval(folds, (all) => all.map((one) => ((one.open = true), one.open)).length);
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
  for (const [name, file] of pages) {
    // Of a made-up page the height counts.
    for (const how of chosen.filter((how) => !madeUp.includes(name) || how.name === "light-1440")) await look(name, file, how);
  }
} finally {
  await browser.close();
}
console.log(`pictures: ${out}`);
process.exit(failed === 0 ? 0 : 1);
